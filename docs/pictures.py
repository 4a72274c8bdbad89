"""Make the documents' pictures of what a browser shows, in docs/.

    python -m docs.pictures shop.html                the tutorial's, each after the click that its step names
    python -m docs.pictures examples/notebook.ipynb  the notebook, run by its kernel and converted

`--theme dark` shows them to a reader whose system is dark; `-o DIR` puts them elsewhere. Takes node, Chromium
and `npm ci`, and for the notebook nbconvert.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.plots.web.support import browse, chromium, run

_HERE: Final = Path(__file__).parent
_PATTERN: Final = "#panel-why table button >> nth=-1"  # the tutorial's last one is a convoy
_LONGEST: Final = "#panel-longest table button"
_REPORT: Final = "#panel-lines button:text-matches('^report')"
_TUTORIAL: Final[tuple[tuple[str, list[dict[str, Any]], int], ...]] = (
    ("page.png", [], 1400),
    ("convoy.png", [{"click": _PATTERN}], 950),
    ("wait.png", [{"click": "#fit"}, {"click": _LONGEST}], 1300),
    ("line.png", [{"key": "Escape"}, {"click": "#fit"}, {"click": _REPORT}], 950),
)
"""File, what is done before it, how much of the page it shows (pixels)."""
_DRAWN: Final = "new Promise((done) => setTimeout(done, 1000))"  # the page inside the notebook's


def tutorial(page: Path, into: Path, theme: str) -> list[Path]:
    """Do the tutorial's steps on a page; return a picture of each."""
    made, steps = [], []
    for name, acts, height in _TUTORIAL:
        made.append(into / name)
        top = {"eval": "scrollTo(0, 0)"}
        steps += [*acts, {"move": [2, 2]}, top, {"shot": str(made[-1]), "height": height}]
    browse(page.resolve(), *steps, scheme=theme)
    return made


def notebook(path: Path, into: Path, theme: str) -> list[Path]:
    """Run a notebook and convert it, as Jupyter does; return a picture of it."""
    made = into / f"{path.stem}.png"
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        convert = [
            sys.executable,
            "-m",
            "jupyter",
            "nbconvert",
            "--execute",
            "--to",
            "html",
            "--theme",
            theme,
        ]
        subprocess.run([*convert, "--output-dir", directory, str(path)], check=True)
        page = Path(directory) / f"{path.stem}.html"
        steps = [{"wait": "iframe"}, {"eval": _DRAWN}, {"shot": str(made)}]
        told = {"page": str(page), "chromium": chromium(), "steps": steps, "scheme": theme}
        run(
            "browser.mjs", told | {"ready": "true", "height": 2400}
        )  # not browse(): Jupyter's page asks for scripts of others
    return [made]


def main() -> int:
    """Make the pictures asked for, and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("shown", type=Path, help="a page made by --html, or a notebook")
    parser.add_argument("-o", "--output", type=Path, default=_HERE)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    told = parser.parse_args()
    make = notebook if told.shown.suffix == ".ipynb" else tutorial
    for path in make(told.shown, told.output, told.theme):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
