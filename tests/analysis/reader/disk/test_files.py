"""What is no file of a trace is not read: it is said at once what it is."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis import TraceFormatError
from tests.analysis.reader.test_mutations import NAMES, family, is_sound


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def unix(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)  # a path may be too long for a socket's name
        try:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # as /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")


def terabytes(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def petabyte(path: Path) -> None:
    path.touch()
    try:
        os.truncate(path, 1 << 43)
    except OSError:
        pytest.skip("this file system has no files of this size")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("files") / "t")


WHATS = (fifo, link, dangling, unix, device, terabytes, petabyte, folder)
FOUND: dict[Callable[[Path], None], str] = {
    fifo: "a FIFO",
    link: "a link",
    dangling: "a link",
    unix: "a socket",
    device: "a device",
    terabytes: "1,099,511,627,776 bytes",
    petabyte: "8,796,093,022,208 bytes",
    folder: "a directory",
}


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("name", NAMES[:3] + NAMES[-4:-1])
def test_no_file(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: Callable[[Path], None]
) -> None:
    """Nothing is read, nor mapped, before everything is known to be a file of a possible size."""
    path = shutil.copytree(template, tmp_path / "t")
    (path / name).unlink()
    what(path / name)
    with monkeypatch.context() as nothing:
        nothing.setattr(np, "memmap", None)
        nothing.setattr(os, "read", None)
        with pytest.raises(TraceFormatError) as error:
            analysis.load(path)
    assert str(error.value).startswith(f"{path / name}: found {FOUND[what]}")
    trace = analysis.load(path, salvage=True)
    assert f"{path / name}: found {FOUND[what]}" in trace.skipped[0]
    is_sound(trace)


@pytest.mark.parametrize("what", [fifo, link, dangling, unix, device])
@pytest.mark.parametrize("name", ["100", "sched", "300"])
def test_no_directory(template: Path, tmp_path: Path, name: str, what: Callable[[Path], None]) -> None:
    path = shutil.copytree(template, tmp_path / "t")
    if (path / name).exists():
        (path / name).rename(tmp_path / name)
    what(path / name)
    with pytest.raises(TraceFormatError) as error:
        analysis.load(path)
    assert str(error.value).startswith(f"{path / name}: found {FOUND[what]}, expected a directory")
    is_sound(analysis.load(path, salvage=True))


def test_the_trace_itself_may_be_a_link(tmp_path: Path) -> None:
    family(tmp_path / "t")
    (tmp_path / "link").symlink_to("t")
    (tmp_path / "one").symlink_to("t/100")
    assert len(analysis.load(tmp_path / "link").processes) == 2
    assert len(analysis.load(tmp_path / "one").processes) == 1
    fifo(tmp_path / "pipe")
    with pytest.raises(TraceFormatError, match="expected a trace directory"):
        analysis.load(tmp_path / "pipe")
