"""Work that lets go of the GIL by itself: what two threads gain, and how they spend their time."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Final

from analysis import states
from analysis.states import State

from ...style import CPU_STATES, INK, STATES
from ...text import percent
from ..charts import ratio_of_medians
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import draw_keys, threads_named
from ..shares import shares
from ..slide import Slide

NAME: Final = "releasing"
ABOUT: Final = "Work that lets go of the GIL by itself: numpy, zlib, hashlib, Pillow, files, sockets, sleep"
SECONDS: Final = 60.0
COLUMN: Final = False
PUBLISHED: Final = "native stretches run in parallel; only the Python between them has to take turns"

WORK: Final = {
    "python": "Python only",
    "hashlib": "hashlib.sha256",
    "zlib": "zlib.compress",
    "numpy": "numpy.sqrt",
    "pillow": "Pillow resize",
    "file": "file write",
    "socket": "socket",
    "sleep": "time.sleep",
}
_NEEDS: Final = {"numpy": "numpy", "pillow": "PIL"}
_LOCKED: Final = 0.02


def needs(lab: Lab) -> list[str]:
    """There must be something to win."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Time each kind in one thread and two, in turn; record each in two."""
    kinds = [kind for kind in WORK if kind not in _NEEDS or importlib.util.find_spec(_NEEDS[kind])]
    kinds = lab.pick(kinds, ["python", "hashlib", "sleep"])
    seconds, cpus = lab.pick(0.4, 0.1), lab.cpus[:2]

    def measure(kind: str, threads: int) -> float:
        return lab.run("releasing", kind, threads, seconds, cpus=cpus)["rate"]

    runs = {f"{kind}, {threads}": partial(measure, kind, threads) for kind in kinds for threads in (1, 2)}
    rates = lab.interleaved(runs, lab.pick(4, 1))
    found = {}
    for kind in kinds:
        lab.say(f"recording {kind}")
        lab.record(kind, "releasing", kind, 2, seconds, cpus=cpus)
        trace = lab.trace(kind)
        threads = [thread.index for thread in threads_named(trace, kind)]
        found[kind] = {
            "one": rates[f"{kind}, 1"],
            "two": rates[f"{kind}, 2"],
            "shares": shares(trace, threads),
        }
    return {
        "work": found,
        "left_out": [] if lab.quick else [f"{WORK[kind]}: not here" for kind in WORK if kind not in kinds],
    }


def speed_up(values: Values, kind: str) -> float:
    """Return how many times as much two threads do."""
    return ratio_of_medians(values["work"][kind]["two"], values["work"][kind]["one"])


def title(values: Values) -> str:
    """Return the finding."""
    others = [speed_up(values, kind) for kind in values["work"] if kind != "python"]
    return (
        f"Two threads do {speed_up(values, 'python'):.1f} × as much Python, but up to {max(others):.1f} ×"
        " as much work without the GIL"
    )


def _without(of: dict[str, float]) -> float:
    return sum(of.get(states.STATES[state].word, 0.0) for state in states.WITHOUT)


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = []
    for kind, entry in values["work"].items():
        of = entry["shares"]
        parts.append(
            f"{WORK[kind]} {speed_up(values, kind):.2f} × (without the GIL {percent(_without(of))},"
            f" waits {percent(of['waiting'])})"
        )
    missing = f" Left out: {'; '.join(values['left_out'])}." if values["left_out"] else ""
    return f"What two threads do in the time of one: {'; '.join(parts)}.{missing}"


def shape(values: Values) -> Shape:
    """Python gains nothing; hashing and sleeping, which need no GIL for long, nearly double."""
    native = [kind for kind in ("hashlib", "sleep") if kind in values["work"]]
    return shape_of(
        {
            "Python at most 1.2 × as much": speed_up(values, "python") <= 1.2,
            f"{' and '.join(native)} at least 1.4 × as much": all(
                speed_up(values, kind) >= 1.4 for kind in native
            ),
            "threads that hash or sleep wait for the GIL at most 5 % of their time": all(
                values["work"][kind]["shares"]["waiting"] <= 0.05 for kind in native
            ),
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """A bar a kind of work: the shares of the two threads' time; beside it what two do more than one."""
    slide.head(
        title(values),
        "Two threads on two CPUs: how they spend their time, and how much more than one they do",
    )
    known = any(entry["shares"]["running"] for entry in values["work"].values())
    looks = {each.state: each for each in (*CPU_STATES, *(() if known else STATES))}
    seen = [
        state
        for state, kind in states.STATES.items()
        if state != State.UNKNOWN
        and any(entry["shares"].get(kind.word, 0.0) > _LOCKED / 4 for entry in values["work"].values())
    ]
    draw_keys(slide, [looks[state] for state in seen])
    axes = slide.axes(2.2, 0.95, slide.width - 4.2, slide.top - 0.6 - 0.95)
    for place, (kind, entry) in enumerate(values["work"].items()):
        left = 0.0
        for state in seen:
            share = entry["shares"].get(states.STATES[state].word, 0.0)
            look = looks[state]
            axes.barh(
                place,
                share,
                left=left,
                height=0.8 * look.height,  # as in lanes: so that it reads in greyscale
                color=look.colour,
                hatch=look.hatch or None,
                edgecolor=look.ink or look.colour,
                linewidth=0,
                zorder=2,
            )
            left += share
        axes.text(
            1.16,
            place,
            f"{speed_up(values, kind):.2f} ×",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center_baseline",
            size=18,
            weight="bold",
            color=INK,
        )
    axes.set_ylim(len(values["work"]) - 0.5, -0.5)
    axes.set_yticks(range(len(values["work"])), [WORK[kind] for kind in values["work"]])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("share of the threads’ time", loc="right")
    axes.spines["left"].set_visible(False)
    axes.text(1.16, -0.75, "done", transform=axes.get_yaxis_transform(), ha="right", color="#666666")
