"""Node and Chromium, where they are: the page's code is run by what runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def node() -> str:
    """Return the path of node, or skip the test."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("no node here: apt-get install nodejs npm (.ci/run does, as root)")
    return found


def chromium() -> str:
    """Return the path of Chromium, or skip the test."""
    if not (ROOT / "node_modules" / "playwright-core").is_dir():
        pytest.skip("no playwright-core here: npm ci (.ci/run does it)")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return str(pytest.skip("no Chromium here: apt-get install chromium (.ci/run does, as root)"))


def run(script: str, told: dict[str, Any]) -> dict[str, Any]:
    """Run one of the scripts beside this module: JSON in, JSON out."""
    done = subprocess.run(
        [node(), str(HERE / script)], input=json.dumps(told), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def browse(page: Path, *steps: dict[str, Any], **told: Any) -> list[Any]:
    """Do steps on a page; return what they saw. Nothing may be asked for, and no error be said."""
    seen = run("browser.mjs", {"page": str(page), "chromium": chromium(), "steps": steps, **told})
    assert seen["errors"] == []
    assert set(seen["requests"]) == {f"file://{page}"}
    results: list[Any] = seen["results"]
    return results
