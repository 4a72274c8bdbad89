"""pytest's way in: options and the marker. What records is imported only when an option asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --gil and --gil-trace."""
    group = parser.getgroup("gilscope", "the GIL")
    group.addoption(
        "--gil",
        action="store_true",
        help="record each test; a table of those that waited for the GIL or held it longest, and limits:"
        ' @pytest.mark.gil("wait.p99 < 2ms")',
    )
    group.addoption(
        "--gil-trace", metavar="DIR", help="--gil, and keep the traces of tests that fail in this directory"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with an option, what records."""
    config.addinivalue_line(
        "markers", "gil(*limits): what must be so of the test's trace with --gil, as in 'wait.p99 < 2ms'"
    )
    if config.getoption("gil") or config.getoption("gil_trace"):
        from tracer.pytest_recording import Recording

        config.pluginmanager.register(Recording(config.getoption("gil_trace")), "gilscope-recording")
