"""The convoy in close-up: one request, from the packet's arrival to the answer."""

from __future__ import annotations

from statistics import median
from typing import Final

import numpy as np

from ...style import INK
from ...text import percent
from ...timeaxis import duration
from ..errors import ExperimentError
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, draw_groups, draw_keys, states_in, threads_named
from ..shares import holder
from ..slide import Slide
from .echo import read_requests

NAME: Final = "convoy"
ABOUT: Final = "One request in close-up: who held the GIL from the packet's arrival to the answer?"
SECONDS: Final = 8.0
COLUMN: Final = False
PUBLISHED: Final = (
    "one interval of politeness for each take of the GIL (the convoy effect, CPython's issue 7946)"
)

_INTERVAL: Final = 0.005


def needs(lab: Lab) -> list[str]:
    """The client has a CPU of its own."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Record the server, and pick the request of median length."""
    file = lab.directory / "requests.txt"
    lab.say("recording")
    lab.record("convoy", "echo", 1, _INTERVAL, lab.pick(1.5, 0.3), file)
    trace = lab.trace("convoy")
    requests = read_requests(file)[1:]
    if not requests:
        raise ExperimentError("no request was answered")
    interval = trace.processes[0].switch_interval
    paid = [request for request in requests if request[1] - request[0] > interval / 2]
    if not paid:
        raise ExperimentError(f"none of {len(requests)} requests met the other thread")
    latencies = [answered - sent for sent, answered in paid]
    sent, answered = paid[int(np.argsort(latencies)[len(latencies) // 2])]
    (server,) = threads_named(trace, "I/O")
    waits = trace.waits[trace.waits["thread"] == server.index]
    inside = [
        np.count_nonzero((waits["start"] < until) & (waits["start"] + waits["duration"] > since))
        for since, until in paid
    ]
    shares = holder(trace, sent, answered)
    return {
        "interval": interval / 1e9,
        "sent": sent,
        "answered": answered,
        "latency": median(latencies) / 1e9,
        "requests": len(requests),
        "paid": len(paid),
        "wait": float(np.median(waits["duration"][waits["timeouts"] > 0])) / 1e9,
        "waits": float(np.mean(inside)),
        "held": {
            "CPU thread": sum(shares.get(thread.index, 0.0) for thread in threads_named(trace, "CPU")),
            "I/O thread": shares.get(server.index, 0.0),
        },
    }


def title(values: Values) -> str:
    """Return the finding."""
    share = values["held"]["CPU thread"]
    return (
        f"An answer takes {duration(values['answered'] - values['sent'])};"
        f" {percent(share)} of it another thread has the GIL"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    io = values["held"]["I/O thread"]
    return (
        f"{values['paid']} of {values['requests']} requests meet the other thread (the rest find the GIL"
        " free). The one of median length among these takes"
        f" {duration(values['answered'] - values['sent'])}."
        " Between packet and answer the CPU thread holds the GIL"
        f" {percent(values['held']['CPU thread'])} of the time, the I/O thread {percent(io)}."
        " Each time that the I/O thread wants the GIL back it waits"
        f" {duration(1e9 * values['wait'])} (median),"
        f" {values['wait'] / values['interval']:.2f} switch intervals;"
        f" a request meets {values['waits']:.1f} such waits."
    )


def shape(values: Values) -> Shape:
    """A wait is an interval, a request one or two of them."""
    return shape_of(
        {
            "a wait takes 0.9 to 1.5 intervals (median)": 0.9 <= values["wait"] / values["interval"] <= 1.5,
            "a request takes 0.9 to 3 intervals (median)": 0.9 <= values["latency"] / values["interval"] <= 3,
            "another thread has the GIL at least 80 % of that": values["held"]["CPU thread"] >= 0.8,
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """The lanes of client, I/O thread and CPU thread around one request."""
    slide.head(
        title(values),
        f"One UDP request, of median length; switch interval {duration(1e9 * values['interval'])}",
    )
    trace = lab.trace("convoy")
    sent, answered = values["sent"], values["answered"]
    (server,), (cpu,) = threads_named(trace, "I/O"), threads_named(trace, "CPU")
    clients = [thread for thread in trace.threads if thread.main and thread.process != server.process]
    margin = (answered - sent) // 8
    threads = [*(thread.index for thread in clients[-1:]), server.index, cpu.index]
    names = ("client", "I/O thread", "CPU thread")[-len(threads) :]
    group = Group("", trace, tuple(threads), sent - margin, answered + margin, names)
    draw_keys(slide, states_in([group]))
    axes = slide.axes(1.95, 0.95, slide.width - 2.4, slide.top - 0.85 - 0.95)
    (rows,) = draw_groups(axes, [group], group.end - group.start, titled=False)
    longest = max(
        trace.waits[trace.waits["thread"] == server.index],
        key=lambda wait: min(wait["start"] + wait["duration"], answered) - max(wait["start"], sent),
    )
    middle = float(longest["start"] + longest["duration"] / 2 - group.start)
    for row, text in zip(rows[-2:], (f"waits {duration(longest['duration'])}", "has the GIL"), strict=True):
        axes.text(middle, row.middle, text, color="white", weight="bold", size=18, ha="center", va="center")
    for time, text, side in ((sent, "packet sent", "left"), (answered, "answer is back", "right")):
        x = time - group.start
        axes.axvline(x, color=INK, linewidth=1.8, linestyle=(0, (4, 3)), zorder=5)
        axes.text(
            x,
            -0.1,
            text,
            color=INK,
            weight="bold",
            size=16,
            ha="left" if side == "left" else "right",
            va="bottom",
        )
