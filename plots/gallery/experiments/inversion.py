"""Priority inversion: strangers take the core of the GIL's holder, and everybody waits."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...text import percent
from ...timeaxis import duration
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, draw_groups, draw_keys, states_in, threads_named
from ..shares import held, shares
from ..slide import Slide

NAME: Final = "inversion"
ABOUT: Final = "A CPU-hungry process takes the core of the GIL's holder: who waits?"
SECONDS: Final = 15.0
COLUMN: Final = False
PUBLISHED: Final = "priority inversion: a holder without a CPU makes all wait who want the GIL"

_STRANGERS: Final = 2
_WINDOW: Final = 100_000_000  # ns of lanes


def needs(lab: Lab) -> list[str]:
    """A second CPU for the one that waits, and the scheduler's records."""
    return lab.lacks(cpus=2, scheduling=True)


def run(lab: Lab) -> Values:
    """Record it alone, and with strangers."""
    found = {}
    for name, strangers in (("alone", 0), ("strangers", _STRANGERS)):
        lab.say(f"recording with {strangers} strangers")
        output = lab.record(name, "inversion", strangers, lab.pick(2.0, 0.4), cpus=lab.cpus[:2])
        trace = lab.trace(name)
        (holder,), (waiter,) = threads_named(trace, "computes"), threads_named(trace, "every")
        mine = shares(trace, [holder.index])
        waits = trace.waits[trace.waits["thread"] == waiter.index]["duration"]
        found[name] = {
            "late": output["median"] / 1e3,
            "late_p99": output["p99"] / 1e3,
            "stalled": mine["stalled"] / max(held(mine), 1e-9),
            "wait": float(np.median(waits)) / 1e9,
            "longest": float(waits.max(initial=0)) / 1e9,
        }
    return {"runs": found, "strangers": _STRANGERS}


def title(values: Values) -> str:
    """Return the finding."""
    alone, beside = values["runs"]["alone"], values["runs"]["strangers"]
    return (
        f"The GIL’s holder has no CPU {percent(beside['stalled'])} of the time: others wait"
        f" {duration(1e9 * beside['wait'])}, not {duration(1e9 * alone['wait'])}"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{name}: {percent(run['stalled'])} of the time that it has the GIL the computing thread has no CPU;"
        f" the other one waits {duration(1e9 * run['wait'])} (median), at most"
        f" {duration(1e9 * run['longest'])}"
        for name, run in (("Alone", values["runs"]["alone"]), ("With strangers", values["runs"]["strangers"]))
    ]
    return (
        f"{values['strangers']} processes that know nothing of it compute on the first CPU, where the"
        f" computing thread is pinned; the one that waits has the second CPU for itself. {'. '.join(parts)}."
    )


def shape(values: Values) -> Shape:
    """The holder is stalled, and waits grow with it."""
    alone, beside = values["runs"]["alone"], values["runs"]["strangers"]
    return shape_of(
        {
            "stalled at least 30 % of its hold with strangers": beside["stalled"] >= 0.3,
            "and at least twice as much as alone": beside["stalled"] >= 2 * alone["stalled"],
            "waits are longer (longest and median)": beside["longest"] > alone["longest"]
            and beside["wait"] > alone["wait"],
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """The lanes of holder and waiter, alone and beside the strangers."""
    slide.head(
        title(values),
        f"One thread computes on the first CPU, the other wants the GIL every millisecond; then {_STRANGERS}"
        " strangers come to the first CPU",
    )
    groups = []
    for name, label in (
        ("alone", "Alone"),
        ("strangers", f"{values['strangers']} strangers on the holder’s CPU"),
    ):
        trace = lab.trace(name)
        (holder,), (waiter,) = threads_named(trace, "computes"), threads_named(trace, "every")
        start = max(holder.begin, (holder.begin + holder.end - _WINDOW) // 2)
        strangers = [
            thread.index for thread in trace.threads if thread.main and thread.process != holder.process
        ]
        names = ("computes", "wants the GIL", *(f"stranger {n + 1}" for n in range(len(strangers))))
        groups.append(
            Group(
                label,
                trace,
                (holder.index, waiter.index, *strangers),
                start,
                min(holder.end, start + _WINDOW),
                names,
            )
        )
    draw_keys(slide, states_in(groups))
    axes = slide.axes(2.05, 0.95, slide.width - 2.55, slide.top - 0.25 - 0.95)
    draw_groups(axes, groups, min(group.end - group.start for group in groups), gap=0.3)
