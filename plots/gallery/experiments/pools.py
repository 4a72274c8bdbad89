"""Pools: of threads they share a GIL, of processes each worker has its own."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from ...text import percent
from ..charts import ratio_of_medians
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, busiest, draw_groups, draw_keys, states_in
from ..shares import shares
from ..slide import Slide

NAME: Final = "pools"
ABOUT: Final = "multiprocessing.Pool and ProcessPoolExecutor beside a ThreadPoolExecutor: who waits?"
SECONDS: Final = 20.0
COLUMN: Final = False
PUBLISHED: Final = "processes: no contention, faster by the number of CPUs"

POOLS: Final = ("ThreadPoolExecutor", "ProcessPoolExecutor", "Pool")


def needs(lab: Lab) -> list[str]:
    """There must be something to win."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Time each with one worker and two, in turn; record each with two."""
    steps = lab.pick(10_000_000, 2_000_000)
    cpus = lab.cpus[:2]

    def measure(pool: str, workers: int) -> float:
        return lab.run("pools", pool, workers, steps, cpus=cpus)["took"]

    runs = {f"{pool}, {workers}": partial(measure, pool, workers) for pool in POOLS for workers in (1, 2)}
    seconds = lab.interleaved(runs, lab.pick(5, 1))
    found = {}
    for pool in POOLS:
        lab.say(f"recording {pool}")
        lab.record(pool, "pools", pool, 2, steps, cpus=cpus)
        trace = lab.trace(pool)
        workers = busiest(trace, 2, trace.begin, trace.end)
        rows = trace.gil_intervals
        rows = rows[np.isin(rows["thread"], workers) & (rows["duration"] > 1_000_000)]
        found[pool] = {
            "one": seconds[f"{pool}, 1"],
            "two": seconds[f"{pool}, 2"],
            "workers": workers,
            "begin": max(trace.threads[worker].begin for worker in workers),
            "end": int((rows["start"] + rows["duration"])[rows["state"] == 3].max(initial=trace.begin + 1)),
            "waiting": shares(trace, workers)["waiting"],
        }
    return {"pools": found, "steps": steps}


def speed_up(values: Values, pool: str) -> float:
    """Return one worker's time over that of two."""
    return ratio_of_medians(values["pools"][pool]["one"], values["pools"][pool]["two"])


def title(values: Values) -> str:
    """Return the finding."""
    processes = [speed_up(values, pool) for pool in POOLS[1:]]
    return (
        f"Two processes are {min(processes):.1f} × as fast as one, two threads"
        f" {speed_up(values, POOLS[0]):.1f} ×"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{pool}: {speed_up(values, pool):.2f} × as fast with two workers, which wait for a GIL"
        f" {percent(values['pools'][pool]['waiting'])} of their lives"
        for pool in POOLS
    ]
    return f"Eight countdowns, {values['steps']:,} steps together. {'; '.join(parts)}."


def shape(values: Values) -> Shape:
    """Processes gain at least 1.4 times and hardly wait; threads gain nothing."""
    return shape_of(
        {
            "processes at least 1.4 × as fast": all(speed_up(values, pool) >= 1.4 for pool in POOLS[1:]),
            "threads at most 1.2 × as fast": speed_up(values, POOLS[0]) <= 1.2,
            "processes wait for a GIL at most 2 % of their lives": all(
                values["pools"][pool]["waiting"] <= 0.02 for pool in POOLS[1:]
            ),
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """A pair of lanes a pool, on one time axis."""
    slide.head(
        title(values), f"Eight countdowns, {values['steps']:,} steps together, in pools of two workers"
    )
    groups = []
    for pool in POOLS:
        entry = values["pools"][pool]
        groups.append(
            Group(
                pool if pool != "Pool" else "multiprocessing.Pool",
                lab.trace(pool),
                tuple(entry["workers"]),
                entry["begin"],
                entry["end"],
                ("worker 1", "worker 2"),
                note=f"{speed_up(values, pool):.2f} × as fast as one worker",
            )
        )
    draw_keys(slide, states_in(groups))
    axes = slide.axes(1.6, 0.95, slide.width - 2.1, slide.top - 0.25 - 0.95)
    draw_groups(axes, groups, round(1.02 * max(group.end - group.start for group in groups)), gap=0.35)
