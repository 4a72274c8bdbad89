"""A trace in one file: the same bytes come out, the same tables are read, and what was changed is found."""

import io
import shutil
import subprocess
from pathlib import Path
from random import Random

import numpy as np
import pytest

import analysis
from analysis import TraceFormatError
from analysis.commands import cli, pack
from analysis.reader.disk.files import PACKED_MAGIC
from analysis.reader.disk.packed import unpack as unpack_into
from analysis.reader.disk.packed import write_record
from analysis.reader.disk.packing import pack as pack_into
from analysis.reader.format import PACKET_HEADER, PACKET_SIZE
from analysis.reader.problems import Problems
from analysis.report.summary import to_json
from plots.cli import main as plots_main
from tests.analysis.everything import tables
from tests.analysis.reader.test_mutations import family, is_sound
from tests.synthetic import TraceWriter
from tracer.cli import main as tracer_main


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("packed") / "t")


@pytest.fixture(scope="module")
def packed(trace: Path) -> bytes:
    file = io.BytesIO()
    pack_into(trace, file)
    return file.getvalue()


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_there_and_back(trace: Path, tmp_path: Path) -> None:
    """Byte for byte, also what lies behind a packet's content, which the reader looks at in part."""
    path = Path(shutil.copytree(trace, tmp_path / "t"))
    with (path / "100" / "gil_1").open("r+b") as file:
        file.seek(PACKET_SIZE - 16)
        file.write(b"not committed")
    assert tracer_main(["pack", str(path)]) == 0
    assert tracer_main(["unpack", str(tmp_path / "t.gilpack"), "-o", str(tmp_path / "again")]) == 0
    assert contents(tmp_path / "again") == contents(path)
    if shutil.which("babeltrace2"):
        first, second = (
            subprocess.run(["babeltrace2", tmp_path / name], capture_output=True, text=True, check=True)
            for name in ("t", "again")
        )
        assert first.stdout == second.stdout != ""


def test_everything_takes_it(trace: Path, packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.gilpack"
    path.write_bytes(packed)
    read, whole = analysis.load(path), analysis.load(trace)
    assert read.path == path
    np.testing.assert_array_equal(read.events, whole.events)
    assert {**to_json(read), "path": ""} == {**to_json(whole), "path": ""}
    tables(read)
    name = str(path)
    for arguments in (
        [name],
        [name, "--json"],
        ["blame", name],
        ["whatif", name, "--no-gil"],
        ["diff", name, name],
    ):
        assert cli.main(arguments) == 0
    assert plots_main([name, "-o", str(tmp_path / "t.png")]) == 0
    assert tracer_main(["dump", name]) == 0


def test_a_stream_without_events(tmp_path: Path) -> None:
    """A flight recorder may have given up all of them."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 1, "gil_acquired"), (101, 2, "gil_wait")])
    stream = tmp_path / "t" / "100" / "gil_1"
    data = bytearray(stream.read_bytes())
    header = np.frombuffer(data, PACKET_HEADER, 1)
    header["content_size"] = 8 * PACKET_HEADER.itemsize
    data[PACKET_HEADER.itemsize :] = bytes(len(data) - PACKET_HEADER.itemsize)
    stream.write_bytes(data)
    file = io.BytesIO()
    pack_into(tmp_path / "t", file)
    (tmp_path / "packed").write_bytes(file.getvalue())
    (tmp_path / "again").mkdir()
    unpack_into(tmp_path / "packed", tmp_path / "again", Problems())
    assert contents(tmp_path / "again") == contents(tmp_path / "t")


def test_of_one_process(trace: Path, tmp_path: Path) -> None:
    with (tmp_path / "one").open("wb") as file:
        pack_into(trace / "100", file)
    np.testing.assert_array_equal(analysis.load(tmp_path / "one").events, analysis.load(trace / "100").events)


def test_cut_or_changed(packed: bytes, tmp_path: Path) -> None:
    """An error that names the file, or with salvage what was good of it, and never anything else."""
    random = Random(1)
    path = tmp_path / "t.gilpack"
    salvaged = 0
    for _ in range(60):
        at = random.randrange(len(packed))
        if random.random() < 0.3:
            damaged = packed[:at]
        else:
            damaged = packed[:at] + bytes([packed[at] ^ random.randrange(1, 256)]) + packed[at + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(TraceFormatError, match=r"t\.gilpack"):
            analysis.load(path)
        try:
            found = analysis.load(path, salvage=True)
        except TraceFormatError:
            continue
        assert found.skipped and not any("/gilscope-" in line for line in found.skipped)
        is_sound(found)
        salvaged += 1
    assert salvaged > 10


@pytest.mark.parametrize("name", ["../gil_0", "/tmp/gil_0", "100/../../gil_0", "100/other", "metadata/gil_0"])
def test_files_go_nowhere_else(name: str, tmp_path: Path) -> None:
    with (tmp_path / "t").open("wb") as file:
        file.write(PACKED_MAGIC)
        write_record(file, b"FILE", 0, name.encode())
        write_record(file, b"END.", 1)
    (tmp_path / "in").mkdir()
    with pytest.raises(TraceFormatError, match="the files of a trace"):
        unpack_into(tmp_path / "t", tmp_path / "in", Problems())
    assert not contents(tmp_path / "in") and not (tmp_path / "gil_0").exists()


def test_no_zstandard(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("analysis.reader.disk.zstd.import_module", missing)
    with pytest.raises(analysis.GilscopeError, match="pip install zstandard"):
        pack.pack_main([str(trace), "-o", str(tmp_path / "p")])
    assert not list(tmp_path.iterdir())
