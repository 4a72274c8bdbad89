"""Compiled code that lets go of the GIL: the same loop with it and without it."""

from __future__ import annotations

from functools import partial
from typing import Final

from ...text import percent
from ..charts import ratio_of_medians
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, draw_groups, draw_keys, states_in, threads_named
from ..shares import shares
from ..slide import Slide

NAME: Final = "nogil"
ABOUT: Final = "Cython’s nogil: a compiled loop in two threads, with the GIL and without it"
SECONDS: Final = 12.0
COLUMN: Final = False
PUBLISHED: Final = "nogil: no contention, faster by the number of CPUs"


def needs(lab: Lab) -> list[str]:
    """There must be something to win; and the loop must be compiled."""
    missing = lab.lacks(cpus=2)
    if not list(lab.script("nogil").parent.glob("_countdown*.so")):
        missing.append("examples/_countdown is not compiled (make build)")
    return missing


def run(lab: Lab) -> Values:
    """Time both; record both, one after the other, in one program."""
    cpus = lab.cpus[:2]
    outputs: list[float] = []

    def measure() -> float:
        output = lab.run("nogil", cpus=cpus)
        outputs.append(output["nogil"])
        return output["with GIL"]

    held = lab.interleaved({"both": partial(measure)}, lab.pick(7, 1))["both"]
    lab.say("recording")
    lab.record("nogil", "nogil", cpus=cpus)
    trace = lab.trace("nogil")
    waiting = {
        name: shares(trace, [thread.index for thread in threads_named(trace, name)])["waiting"]
        for name in ("with GIL", "nogil")
    }
    return {"held": held, "nogil": outputs, "waiting": waiting}


def speed_up(values: Values) -> float:
    """Return the time with the GIL over that without."""
    return ratio_of_medians(values["held"], values["nogil"])


def title(values: Values) -> str:
    """Return the finding."""
    return f"Without the GIL the same loop is {speed_up(values):.2f} × as fast in two threads"


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{name} the threads wait {percent(share)} of their lives"
        for name, share in values["waiting"].items()
    ]
    return f"The loop without the GIL takes 1/{speed_up(values):.2f} of the time; {', '.join(parts)}."


def shape(values: Values) -> Shape:
    """At least 1.4 times as fast on two CPUs, and nobody waits."""
    return shape_of(
        {
            "at least 1.4 × as fast": speed_up(values) >= 1.4,
            "nogil threads wait at most 2 % of their lives": values["waiting"]["nogil"] <= 0.02,
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """Both pairs of threads, each from its begin on."""
    slide.head(title(values), "A compiled countdown in two threads: with the GIL held, then without it")
    trace = lab.trace("nogil")
    groups = []
    for name, label in (("with GIL", "The loop holds the GIL"), ("nogil", "The loop lets go of it (nogil)")):
        threads = threads_named(trace, name)
        groups.append(
            Group(
                label,
                trace,
                tuple(thread.index for thread in threads),
                min(thread.begin for thread in threads),
                max(thread.end for thread in threads),
                ("thread 1", "thread 2"),
            )
        )
    draw_keys(slide, states_in(groups))
    axes = slide.axes(1.6, 0.95, slide.width - 2.1, slide.top - 0.25 - 0.95)
    draw_groups(axes, groups, round(1.02 * max(group.end - group.start for group in groups)), gap=0.4)
