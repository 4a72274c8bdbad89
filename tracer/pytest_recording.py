"""What `pytest --gil` does: a trace for each test, limits, and a table at the end. Works under xdist."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import tracer
from tracer.errors import GilscopeError

if TYPE_CHECKING:
    from analysis import Trace
    from analysis.report.limits.gate import Limit

PROPERTY: Final = "gilscope"
_ROWS: Final = 10
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Recording:
    """Records the calls of tests; `keep` is where the traces of failures go, None: nowhere."""

    def __init__(self, keep: str | None) -> None:
        self.keep = None if keep is None else Path(keep).absolute()
        self.refused: list[str] = []
        """Why tests were not recorded, one for each."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record a test, and hold it to its limits."""
        limits = _limits(item)
        with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
            path = Path(directory) / "test.trace"
            refused = self._start(path)
            if refused and limits:
                pytest.fail(f"gilscope: {refused}", pytrace=False)
            if refused:
                return (yield)
            kept = True
            try:
                result = yield
                kept = False
            finally:
                tracer.stop()
                if kept:
                    self._keep(path, item)
            broken = _judge(item, path, limits)
            if broken:
                where = self._keep(path, item)
                pytest.fail(broken + (f"\ntrace: {where}" if where else ""), pytrace=False)
            return result

    def _start(self, path: Path) -> str:
        """Begin; returns why that can't be, or nothing. Tests that fail then have no exception of ours."""
        try:
            tracer.start(path, sched=False)
        except GilscopeError as error:
            self.refused.append(str(error))
            return str(error)
        return ""

    def _keep(self, path: Path, item: pytest.Item) -> Path | None:
        """Keep a trace, under the name of its test; return where."""
        if self.keep is None or not path.exists():
            return None
        name = re.sub(r"[^\w.\[\]-]+", "_", item.nodeid)[-180:]
        target = self.keep / f"{name}.trace"
        shutil.rmtree(target, ignore_errors=True)
        self.keep.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, target)
        return target

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the table of the tests that waited or held longest."""
        if self.refused:
            number = f"{len(self.refused)} test{'' if len(self.refused) == 1 else 's'} not recorded"
            terminalreporter.write_line(f"gilscope: {number}: {self.refused[0]}")
        rows = [
            (json.loads(value), report.nodeid)
            for reports in terminalreporter.stats.values()
            for report in reports
            if getattr(report, "when", None) == "call"
            for name, value in report.user_properties
            if name == PROPERTY
        ]
        if not rows:
            return
        from analysis.destinations import visible
        from analysis.units import duration

        rows.sort(key=lambda row: -max(row[0]["wait_max_ns"], row[0]["hold_max_ns"]))
        terminalreporter.section("who waited for the GIL, and who held it")
        terminalreporter.write_line(f"{'waited':>9}  {'longest':>9}  {'longest hold':>12}  test")
        for figures, nodeid in rows[:_ROWS]:
            waited, wait, hold = (
                duration(figures[name]) for name in ("waited_ns", "wait_max_ns", "hold_max_ns")
            )
            terminalreporter.write_line(f"{waited:>9}  {wait:>9}  {hold:>12}  {visible(nodeid)}")


def _limits(item: pytest.Item) -> list[Limit]:
    """Return what must not be so: the opposite of what the test's markers say must."""
    from analysis.report.limits.gate import parse

    limits = []
    for marker in item.iter_markers("gil"):
        for text in marker.args:
            try:
                limit = parse(str(text))
            except GilscopeError as error:
                pytest.fail(f"gilscope: {error}", pytrace=False)
            limits.append(replace(limit, op=_OPPOSITE[limit.op]))
    return limits


def _judge(item: pytest.Item, path: Path, limits: list[Limit]) -> str:
    """Note a test's figures; return what is wrong, and which code made threads wait: "" if nothing is."""
    import analysis

    trace: Trace = analysis.load(path)
    figures = analysis.statistics(trace)
    noted = {
        "waited_ns": figures.wait.total,
        "wait_max_ns": figures.wait.max if figures.wait.count else 0,
        "hold_max_ns": figures.hold.max if figures.hold.count else 0,
    }
    item.user_properties.append((PROPERTY, json.dumps({key: int(value) for key, value in noted.items()})))
    try:
        failures = analysis.check(trace, limits, figures)
    except GilscopeError as error:
        return f"gilscope: {error}"
    if not failures:
        return ""
    from analysis.why.code.words import sentences

    said = [f"gilscope: {failure}" for failure in failures]
    return "\n".join([*said, *sentences(trace, analysis.code_blame(trace))])
