"""Convoy: a thread that needs the GIL for a moment pays a switch interval for it, each time.

The thread is one that waits, holds for a short time and goes its way again: I/O beside a thread that
computes. A wait of it *pays* when its politeness is nearly an interval or more: nobody let go before the
interval was over. It is a convoy if most of its waits pay, and it spends much of its life in them. Before
Python 3.2 there is no interval to pay.

    score = (waits that pay / waits) × min(1, 2 × time in waits that pay / life of the thread)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...units import count, duration, share
from .finding import Pattern
from .scene import Scene

_SHORT: Final = 0.2
"""Share of an interval that the thread's holds must be shorter than, mostly (their median)."""
_MOST: Final = 0.5
"""Share of its waits that must pay."""
_MUCH: Final = 0.1
"""Share of its life that it must spend in such waits."""
_FEWEST: Final = 10
"""Waits that must pay: fewer show nothing."""


def find(scene: Scene) -> Iterator[Pattern]:
    """Yield each thread that is in a convoy."""
    if not scene.has_interval:
        return
    for taker in scene.takers:
        if taker.paid < _FEWEST or taker.paid < _MOST * taker.waits:
            continue
        thread, time = taker.thread, taker.paid_time
        held = int(taker.median_hold)
        if held >= _SHORT * scene.interval or time < _MUCH * scene.life(thread):
            continue
        intervals = taker.median_paid / scene.interval
        yield Pattern(
            name="convoy",
            score=taker.paid / taker.waits * min(1.0, 2 * time / scene.life(thread)),
            begin=taker.paid_first,
            end=taker.paid_last,
            process=scene.gil.process,
            threads=(thread,),
            figures={
                "waits": taker.waits,
                "waits_that_pay": taker.paid,
                "paid_ns": time,
                "median_intervals": intervals,
                "median_hold_ns": held,
            },
            sentence=(
                f"Convoy: {scene.name(thread)} pays a switch interval of {duration(scene.interval)} or more"
                f" for {count(taker.paid)} of its {count(taker.waits)} waits,"
                f" {share(time / scene.life(thread))} of its life, to hold the GIL for {duration(held)}."
            ),
        )
