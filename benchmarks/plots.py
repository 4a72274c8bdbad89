"""How long a figure takes, and that this hardly depends on how long the trace is.

    python -m benchmarks.plots [--short]

Traces of four threads that take the GIL in turn, drawn by columns (as long traces are) into a PNG; in rounds,
each size after the other, so that a change of the machine's mood hits all of them. The ratio is that of a
round's times to its time for 100,000 intervals. Reading is not counted, the intervals are made beforehand.
Then the same 30,000 intervals as polygons and by columns. Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import analysis
import plots
from tests.plots.scenes import dense

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
BASE = 100_000
POLYGONS = 30_000


def seconds(trace: analysis.Trace, path: Path, *, exact: bool) -> float:
    """Return how long it takes to draw and write one figure."""
    begin = time.perf_counter()
    plots.save_timeline(trace, path, exact=exact)
    return time.perf_counter() - begin


def main() -> None:
    """Print a row for each size, and one for polygons against columns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to a million intervals, fewer rounds")
    short = parser.parse_args().short
    sizes, rounds = (SIZES[:-1], 5) if short else (SIZES, 15)
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        path = Path(directory)
        traces = {size: analysis.load(dense(path / str(size), size)) for size in {*sizes, POLYGONS}}
        for trace in traces.values():
            assert len(trace.intervals_by_column.start) > 0  # made now
            seconds(trace, path / "warm.png", exact=False)
        times: dict[int, list[float]] = {size: [] for size in sizes}
        pairs = []
        for _ in range(rounds):
            for size in sizes:
                times[size].append(seconds(traces[size], path / "figure.png", exact=False))
            polygons = seconds(traces[POLYGONS], path / "figure.png", exact=True)
            pairs.append(polygons / seconds(traces[POLYGONS], path / "figure.png", exact=False))
    print("| intervals | PNG, median (min – max) | × the time for 100,000, median (min – max) |")
    print("|---:|---:|---:|")
    for size in sizes:
        ratios = [one / base for one, base in zip(times[size], times[BASE], strict=True)]
        print(f"| {size:,} | {_spread(times[size], 1000, 0)} ms | {_spread(ratios, 1, 2)} |")
    print(f"\n{POLYGONS:,} intervals, polygons against columns: {_spread(pairs, 1, 2)} ×")


def _spread(values: list[float], scale: float, digits: int) -> str:
    middle, low, high = (scale * f(values) for f in (statistics.median, min, max))
    return f"{middle:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})"


if __name__ == "__main__":
    main()
