"""Each scene is written and read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import analysis
from analysis import Trace

from . import scenes

Scene = Callable[[str], Trace]

SCENES: dict[str, Callable[[Path], Path]] = {
    "two_threads": scenes.two_threads,
    "four_kinds": scenes.four_kinds,
    "one_thread": scenes.one_thread,
    "no_gil": scenes.no_gil,
    "processes": scenes.processes,
    "pool": lambda path: scenes.processes(path, 9, 1),
    "many_processes": lambda path: scenes.processes(path, 50, 1),
    "twelve_threads": lambda path: scenes.many_threads(path, 12),
    "many_threads": lambda path: scenes.many_threads(path, 500),
    "subinterpreters": scenes.subinterpreters,
    "dense": lambda path: scenes.dense(path, 200_000),
    "killed": lambda path: scenes.two_threads(path, killed=True, end=150 * scenes.MS),
    "single_event": scenes.single_event,
    "odd_names": scenes.odd_names,
}


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A function that returns the trace of a scene, by name."""
    traces: dict[str, Trace] = {}
    directory = tmp_path_factory.mktemp("scenes")

    def get(name: str) -> Trace:
        if name not in traces:
            traces[name] = analysis.load(SCENES[name](directory / name))
        return traces[name]

    return get
