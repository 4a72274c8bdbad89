"""A thread pool of mixed I/O and CPU work: how many threads are enough?"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Final

import analysis

from ...style import FAINT, HOLD, INK, MARKERS, MUTED, WAIT
from ...text import percent
from ..charts import draw_series, percent_scale, write_keys
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import threads_named
from ..shares import shares
from ..slide import Slide

NAME: Final = "thread-pool"
ABOUT: Final = "A pool of 1 … 64 threads, each task a little Python and some I/O: when does the GIL saturate?"
SECONDS: Final = 45.0
COLUMN: Final = False
PUBLISHED: Final = "throughput saturates at one core's worth of Python; more threads only wait longer"


def needs(lab: Lab) -> list[str]:
    """Nothing."""
    return []


def run(lab: Lab) -> Values:
    """Every size in turn; then each recorded."""
    sizes = lab.pick([1, 2, 4, 8, 16, 32, 64], [1, 16])
    seconds = lab.pick(0.6, 0.25)
    runs = {str(size): partial(_rate, lab, size, seconds) for size in sizes}
    rates = lab.interleaved(runs, lab.pick(4, 1))
    points = []
    for size in sizes:
        lab.say(f"recording {size} threads")
        name = f"{size}-threads"
        lab.record(name, "mixed", size, seconds)
        trace = lab.trace(name)
        threads = threads_named(trace, "ThreadPoolExecutor")
        gil = analysis.statistics(trace).gils[0]
        life = max(thread.end for thread in threads) - min(thread.begin for thread in threads)
        points.append(
            {
                "size": size,
                "rates": rates[str(size)],
                "utilisation": min(1.0, gil.held / life),
                "waiting": shares(trace, [thread.index for thread in threads])["waiting"],
            }
        )
    return {"points": points}


def _rate(lab: Lab, size: int, seconds: float) -> float:
    return lab.run("mixed", size, seconds)["rate"]


def best(values: Values) -> float:
    """Return the highest median rate, tasks/s."""
    return float(max(median(point["rates"]) for point in values["points"]))


def enough(values: Values) -> int:
    """Return the smallest size whose median rate is at least 85 % of the best."""
    return int(
        next(point["size"] for point in values["points"] if median(point["rates"]) >= 0.85 * best(values))
    )


def title(values: Values) -> str:
    """Return the finding."""
    last = values["points"][-1]
    return (
        f"{enough(values)} threads use up the GIL: {best(values):,.0f} tasks/s at most;"
        f" {last['size']} threads spend {percent(last['waiting'])} of their time waiting for it"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{point['size']}: {median(point['rates']):,.0f} tasks/s, GIL held {percent(point['utilisation'])}, a"
        f" thread waits {percent(point['waiting'])} of its life"
        for point in values["points"]
    ]
    return f"Each task is 50,000 steps of Python, then 8 ms of I/O (asleep). By threads: {'; '.join(parts)}."


def shape(values: Values) -> Shape:
    """It rises in proportion, then no more; there the GIL is held nearly always, and waits grow."""
    first, last = values["points"][0], values["points"][-1]
    return shape_of(
        {
            f"{last['size']} threads do less than half of {last['size']} × what one does": median(
                last["rates"]
            )
            < 0.5 * last["size"] * median(first["rates"]),
            "more than one thread does more": best(values) > 1.5 * median(first["rates"]),
            "the GIL is held at least 85 % of the time with most threads": last["utilisation"] >= 0.85,
            "waits grow": last["waiting"] > first["waiting"] + 0.3,
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """At the left tasks/s by threads; at the right how much the GIL is held, and threads wait."""
    slide.head(
        title(values), "Tasks of some Python and 8 ms of I/O, in a ThreadPoolExecutor; each dot is a run"
    )
    left, right = slide.panels((1, 1), gap=1.5, top=0.5)
    slide.note(left, "Tasks a second")
    points = values["points"]
    sizes = [point["size"] for point in points]
    runs = {point["size"]: point["rates"] for point in points}
    keys = [draw_series(left, runs, HOLD, MARKERS[0], "measured")]
    one = median(points[0]["rates"])
    top = 1.6 * max(max(point["rates"]) for point in points)
    keys += left.plot(
        sizes,
        [one * size for size in sizes],
        color=MUTED,
        linewidth=1.8,
        linestyle=(0, (4, 3)),
        label="without a GIL to share",
    )
    write_keys(left, keys, loc="upper left")
    left.yaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
    left.set_ylim(0, top)
    slide.note(right, "Shares of the time")
    lines = [
        draw_series(
            right, {p["size"]: [p["utilisation"]] for p in points}, HOLD, MARKERS[0], "the GIL is held"
        ),
        draw_series(
            right, {p["size"]: [p["waiting"]] for p in points}, WAIT, MARKERS[1], "a thread waits for it"
        ),
    ]
    percent_scale(right)
    right.set_ylim(0, 1.3)
    write_keys(right, lines, loc="upper left")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xlabel("threads")
        axes.tick_params(labelcolor=INK)
        axes.grid(color=FAINT, zorder=0)
