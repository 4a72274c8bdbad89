"""How large the HTML page of a trace is, and how long a browser takes to show it and to zoom.

    python -m benchmarks.page [--short]

Needs node, Chromium and `npm ci`. The trace has eight threads that take the GIL in turn; its page is opened
in a headless Chromium without a GPU, at 1400 x 1000 pixels, in rounds. A first picture is there when the
lanes are drawn from exact shares. Zooming goes from the whole trace into a few microseconds and out again, a
frame a step: the time from the start of a frame to its picture. Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import analysis
import plots
from tests.plots.scenes import dense
from tests.plots.web.support import ROOT, browse

SIZES = (100_000, 1_000_000, 10_000_000)
STEPS = 60

_MARK = "performance.getEntriesByName('gilscope-first-picture')[0].startTime"
_FRAMES = "performance.getEntriesByName('gilscope-frame').map((frame) => frame.duration)"


def measured(page: Path) -> tuple[float, list[float]]:
    """Return when the first picture was there, and how long frames took, ms."""
    zoom: list[dict[str, Any]] = [{"focus": "#lanes"}, {"eval": "void performance.clearMeasures()"}]
    zoom += [{"key": "w"}] * STEPS + [{"key": "s"}] * STEPS
    seen = browse(page, {"eval": _MARK}, *zoom, {"eval": _FRAMES})
    return seen[0], seen[-1]


def main() -> int:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to a million intervals, fewer rounds")
    short = parser.parse_args().short
    browsers = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    if shutil.which("node") is None or not browsers or not (ROOT / "node_modules").is_dir():
        print("nothing measured: it takes node, Chromium and npm ci")
        return 0
    sizes, rounds = (SIZES[:-1], 2) if short else (SIZES, 5)
    print("| intervals | file | first picture, median (min – max) | a zoom step: median, 95th percentile |")
    print("|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for size in sizes:
            path = Path(directory) / f"{size}"
            page = plots.save_page(analysis.load(dense(path, size, 8)), path.with_suffix(".html"))
            firsts, frames = [], []
            for _ in range(rounds):
                first, zoomed = measured(page)
                firsts.append(first)
                frames += zoomed
            frames.sort()
            print(
                f"| {size:,} | {page.stat().st_size / 1e6:.1f} MB | {statistics.median(firsts):.0f}"
                f" ({min(firsts):.0f} – {max(firsts):.0f}) ms | {statistics.median(frames):.1f} ms,"
                f" {frames[int(len(frames) * 0.95)]:.1f} ms |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
