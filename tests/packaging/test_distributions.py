"""What is built for others: the sdist builds, the wheel holds all that it takes to record."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".*",
    "build",
    "dist",
    "demo",
    "*.egg-info",
    "*.so",
    "__pycache__",
    "*.trace",
    "_recorder.c",
    "_countdown.c",
)


def setup(directory: Path, *command: str) -> Path:
    """Run setup.py; what it made in dist/."""
    subprocess.run(
        [sys.executable, "setup.py", "-q", *command],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    (made,) = (directory / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that is built from the sdist that is built from the tree."""
    place = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, place / "tree", ignore=LEFT_OUT)
    sdist = setup(place / "tree", "sdist")
    shutil.unpack_archive(sdist, place / "unpacked", filter="data")
    (source,) = (place / "unpacked").iterdir()
    for name in ("Makefile", "examples/_countdown.pyx", "tracer/native/format.h", "tests/conftest.py"):
        assert (source / name).exists(), name
    return zipfile.ZipFile(setup(source, "bdist_wheel"))


def test_wheel_holds_what_is_needed_and_no_more(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for name in (
        "tracer/native/libgilscope.so",
        f"tracer/_recorder{suffix}",
        "tracer/_recorder.pyi",
        "tracer/py.typed",
        "tracer/bootstrap/sitecustomize.py",
        "analysis/__init__.py",
        f"analysis/whatif/machine{suffix}",
        "analysis/whatif/machine.py",
        "plots/gil.mplstyle",
    ):
        assert name in names
    assert {name.split("/")[0] for name in names} == {"tracer", "analysis", "plots"}
    assert not [name for name in names if name.endswith((".c", ".h", ".pyx", ".pxd"))]


def test_wheel_records(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "-c", "print('ran')"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "ran\n"
    assert "MainThread" in done.stderr
    assert (tmp_path / "command.png").exists()
