"""The first answer on a small trace: nothing is imported that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis.scenes import two_threads

FOR_OTHERS = (
    "IPython",
    "asyncio",
    "concurrent.futures",
    "difflib",
    "google",
    "html",
    "logging",
    "matplotlib",
    "numpy.ma",
    "numpy.random",
    "pandas",
    "plots",
    "prometheus_client",
    "pyarrow",
    "pytest",
    "tempfile",
    "tracer",
    "zstandard",
    "analysis.export",
    "analysis.live",
    "analysis.whatif",
)
"""What other commands need, or larger traces."""

_PROGRAM = """
import sys
import numpy
there = set(sys.modules)
from analysis.commands.cli import main
status = main(sys.argv[2:])
print("", *(name for name in sys.argv[1].split(",") if name in set(sys.modules) - there), file=sys.stderr)
sys.exit(status)
"""


def needless(names: tuple[str, ...], *arguments: str) -> list[str]:
    """Return which of some modules a command imports."""
    command = [sys.executable, "-c", _PROGRAM, ",".join(names), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stderr.split()


@pytest.mark.parametrize(
    ("options", "names"),
    [(["--json"], (*FOR_OTHERS, "rich", "analysis.report.limits.gate")), ([], FOR_OTHERS)],
)
def test_a_summary_imports_nothing_that_it_does_not_need(
    tmp_path: Path, options: list[str], names: tuple[str, ...]
) -> None:
    trace = str(two_threads(tmp_path / "t"))
    assert needless(("json", "analysis.tables.load"), trace, *options) == ["json", "analysis.tables.load"]
    assert needless(names, trace, *options) == []
