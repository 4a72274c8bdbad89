"""Programs for the what-if machine, written by hand, and the machine as plain Python."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from analysis.whatif.kinds import AWAIT, BLOCKED, NATIVE, PYTHON
from analysis.whatif.pools import Pools
from analysis.whatif.program import Program

KINDS = {"python": PYTHON, "native": NATIVE, "blocked": BLOCKED, "await": AWAIT}

Step = tuple[Any, ...]
"""("python", ns[, {"posts": [(at, event, delay)], "calls": [(begin, end)]}]), ("native" or "blocked", ns),
("await", event)."""


def program(
    *threads: Sequence[Step],
    interval: int = 5000,
    handoff: int = 0,
    excess: int = 0,
    back: int = 0,
    answer: int = 0,
    cpus: int = 0,
) -> Program:
    """Return a program with one GIL, whose latencies are always the same."""
    steps = [step for thread in threads for step in thread]
    posts, calls = [], []
    for number, (_, _, *more) in enumerate(steps):
        for options in more:
            posts += [(number, *post) for post in sorted(options.get("posts", []))]
            calls += [(number, *call) for call in options.get("calls", [])]
    pools = [handoff, handoff, excess, back] + [answer] * len(threads)
    kinds = [KINDS[step[0]] for step in steps]
    return Program(
        first=np.cumsum([0, *map(len, threads)]),
        kind=np.array(kinds, np.int64),
        gil=np.array([0 if kind == PYTHON else -1 for kind in kinds], np.int64),
        amount=np.array([step[1] for step in steps], np.int64),
        post_first=np.searchsorted([post[0] for post in posts], np.arange(len(steps) + 1)),
        post_at=np.array([post[1] for post in posts], np.int64),
        post_event=np.array([post[2] for post in posts], np.int64),
        post_delay=np.array([post[3] for post in posts], np.int64),
        call_first=np.searchsorted([call[0] for call in calls], np.arange(len(steps) + 1)),
        call_begin=np.array([call[1] for call in calls], np.int64),
        call_end=np.array([call[2] for call in calls], np.int64),
        pools=Pools(
            np.arange(len(pools) + 1),
            np.array(pools),
            np.array([interval]),
            back,
            np.zeros(len(threads), bool),
            (),
        ),
        interval=np.array([interval]),
        essential=np.ones(len(threads), np.int64),
        cpus=cpus,
    )


def plain_machine() -> Any:
    """Return the machine as Python, whether it is compiled or not."""
    name = "_plain_whatif"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = []
        sys.modules[name] = package
        directory = Path(__file__).parents[2] / "analysis" / "whatif"
        for part in ("kinds", "rows", "agenda", "machine"):
            spec = importlib.util.spec_from_file_location(f"{name}.{part}", directory / f"{part}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[f"{name}.{part}"] = module
            spec.loader.exec_module(module)
    return sys.modules[f"{name}.machine"].Machine
