"""Without a GIL: what stops threads from scaling, and the locks that explain it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from matplotlib.lines import Line2D

from analysis.measures.locks import lock_figures
from analysis.states import State

from ...style import FAINT, HOLD, INK, MUTED, NATIVE
from ...text import percent
from ..charts import ratio_of_medians, write_keys
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..shares import shares
from ..slide import Slide

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

NAME: Final = "free-threaded"
ABOUT: Final = "Without a GIL: what stops threads from scaling, and which locks it is"
SECONDS: Final = 40.0
COLUMN: Final = False
PUBLISHED: Final = (
    "PEP 703: objects have locks of their own; threads that write one object take turns, and a collection"
    " stops all of them"
)

FREE: Final = "python3.13t"
WAYS: Final = {
    "own-lists": "each its own list",
    "one-list": "one list",
    "one-dict": "one dict",
    "attribute": "one object’s attribute",
    "class": "a class, written meanwhile",
    "collect": "own lists, gc.collect beside",
}
SHARED: Final = ("one-list", "one-dict", "attribute")
_WORTH_A_NAME: Final = 0.02
_STARVED: Final = 0.5
_NO_LOCK: Final = "waits for no lock"


def needs(lab: Lab) -> list[str]:
    """A build without a GIL, and two CPUs."""
    return lab.lacks(FREE, cpus=2, scheduling=True)


def run(lab: Lab) -> Values:
    """Time one thread and two, with and without a GIL; record two without."""
    steps = lab.pick(2_000_000, 100_000)
    cpus = lab.cpus[:2]
    builds = {"gil": "", "free": FREE}

    def measure(python: str, way: str, threads: int) -> float:
        return lab.run("scaling", way, threads, steps, python=python, cpus=cpus)["took"]

    runs = {
        f"{way} {build} {threads}": partial(measure, python, way, threads)
        for way in WAYS
        for build, python in builds.items()
        for threads in (1, 2)
    }
    times = lab.interleaved(runs, lab.pick(5, 1))
    found = {}
    for way in WAYS:
        lab.say(f"recording {way}")
        lab.record(way, "scaling", way, 2, steps, python=FREE, cpus=cpus)
        found[way] = {
            build: {"one": times[f"{way} {build} 1"], "two": times[f"{way} {build} 2"]} for build in builds
        } | _locks(lab.trace(way))
    return {"ways": found, "steps": steps}


def _locks(trace: Trace) -> Values:
    """Return what the workers' lives went into that is no work: shares, and the lock of most of it.

    And in what share of its life the thread beside them wanted a CPU and had none.
    """
    workers = [thread.index for thread in trace.threads if thread.name == "worker"]
    beside = [thread.index for thread in trace.threads if thread.name == "beside"]
    lives = sum(trace.threads[thread].end - trace.threads[thread].begin for thread in workers)
    time = shares(trace, workers)
    worst = next((of for of in lock_figures(trace).locks if of.contended and of.threads > 1), None)
    spins = trace.lock_spins
    return {
        "locked": time[State.LOCKED.name.lower()],
        "stopped": time[State.STOPPED.name.lower()],
        "spins": sum(int(spins["duration"][spins["thread"] == thread].sum()) for thread in workers)
        / max(lives, 1),
        "lock": worst.name if worst else "",
        "waits": worst.wait.count if worst else 0,
        "beside": shares(trace, beside)[State.READY.name.lower()],
    }


def speed_up(values: Values, way: str, build: str) -> float:
    """Return how much more two threads do than one in the same time."""
    times = values["ways"][way][build]
    return 2 * ratio_of_medians(times["one"], times["two"])


def why(entry: Values) -> str:
    """Return what explains a speed-up: "the dict itself: 61 %, spinning 12 %".

    Where two workers leave the thread beside them no CPU it disturbs them less than one worker alone.
    """
    parts = []
    if entry["locked"] >= _WORTH_A_NAME:
        parts.append(f"{entry['lock'] or 'locks'}: {percent(entry['locked'])}")
    if entry["stopped"] >= _WORTH_A_NAME:
        parts.append(f"the world is stopped: {percent(entry['stopped'])}")
    if entry["spins"] >= _WORTH_A_NAME:
        parts.append(f"tries again and again: {percent(entry['spins'])}")
    parts = parts or [_NO_LOCK]
    if entry.get("beside", 0.0) >= _STARVED:
        parts.append(f"the thread beside had no CPU: {percent(entry['beside'])}")
    return ", ".join(parts)


def title(values: Values) -> str:
    """Return the finding."""
    shared = [speed_up(values, way, "free") for way in SHARED]
    return (
        f"Without a GIL two threads do {speed_up(values, 'own-lists', 'free'):.1f} × as much on lists of"
        f" their own, {min(shared):.1f}–{max(shared):.1f} × on what they share"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{label}: {speed_up(values, way, 'gil'):.2f} × with a GIL, {speed_up(values, way, 'free'):.2f} ×"
        f" without ({why(values['ways'][way])})"
        for way, label in WAYS.items()
    ]
    return (
        f"{values['steps']:,} steps a thread, one thread and two; shares are of the threads’ lives, without a"
        f" GIL. {'; '.join(parts)}."
    )


def shape(values: Values) -> Shape:
    """Own data scales without a GIL; shared data does not, and the locks say so."""
    ways = values["ways"]
    return shape_of(
        {
            "own lists at least 1.4 × without a GIL": speed_up(values, "own-lists", "free") >= 1.4,
            "shared objects at most 1.2 ×": all(speed_up(values, way, "free") <= 1.2 for way in SHARED),
            "with a GIL at most 1.2 ×": all(speed_up(values, way, "gil") <= 1.2 for way in WAYS),
            "who shares waits or spins more than who does not": all(
                ways[way]["locked"] + ways[way]["spins"]
                > ways["own-lists"]["locked"] + ways["own-lists"]["spins"]
                for way in SHARED
            ),
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """A row a way: both speed-ups, and beside it the locks."""
    slide.head(
        title(values),
        "What two threads do, in units of one. Right: what their lives went into without a GIL, beside work",
    )
    axes = slide.axes(3.7, 0.95, slide.width - 3.7 - 5.6, slide.top - 0.7 - 0.95)
    for row, way in enumerate(WAYS):
        gil, free = (speed_up(values, way, build) for build in ("gil", "free"))
        axes.plot([gil, free], [row, row], color=FAINT, linewidth=6, zorder=2, solid_capstyle="round")
        axes.plot(gil, row, "s", color=HOLD, markersize=13, zorder=3)
        axes.plot(free, row, "o", color=NATIVE, markersize=14, zorder=4)
        text = why(values["ways"][way])
        axes.annotate(
            text.replace(", ", "\n"),
            (1, row),
            (14, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            size=14,
            color=MUTED if text == _NO_LOCK else INK,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(WAYS)), list(WAYS.values()), size=15)
    axes.set_ylim(len(WAYS) - 0.5, -0.5)
    axes.set_xlim(
        0, max(2.1, *(1.05 * speed_up(values, way, build) for way in WAYS for build in ("gil", "free")))
    )
    axes.axvline(1, color=MUTED, linewidth=1, zorder=1)
    axes.axvline(2, color=MUTED, linewidth=1, linestyle="--", zorder=1)
    axes.set_xlabel("speed-up of two threads", size=14)
    axes.tick_params(axis="x", labelsize=14)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT)
    keys = [
        Line2D([], [], marker="s", color=HOLD, linestyle="none", markersize=12, label="with a GIL"),
        Line2D([], [], marker="o", color=NATIVE, linestyle="none", markersize=12, label="without"),
    ]
    write_keys(axes, keys, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=14)
