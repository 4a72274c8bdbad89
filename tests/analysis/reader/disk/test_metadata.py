"""metadata: what is there is read however it is laid out; what is wrong is named."""

from pathlib import Path

import pytest

from analysis import TraceFormatError
from analysis.reader.disk.metadata import read_metadata
from analysis.reader.format import FORMAT_VERSION
from tests.synthetic import metadata


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "metadata"
    path.write_text(text)
    return path


def text(**environment: object) -> str:
    return metadata(100, 99, 1000, 5000, environment)


def test_reads_env_and_clock(tmp_path: Path) -> None:
    read = read_metadata(written(tmp_path, text(hostname="box", cpus=8)))
    assert (read.pid, read.ppid, read.recording_start, read.utc_offset) == (100, 99, 1000, 5000)
    assert read.text("hostname") == "box"
    assert read.number("cpus") == 8
    assert read.argv == ("script.py",)


def test_keeps_unknown_keys(tmp_path: Path) -> None:
    assert read_metadata(written(tmp_path, text(flavour="sweet"))).environment["flavour"] == "sweet"


@pytest.mark.parametrize(
    "value", ['say "hi"', "back\\slash", "two\nlines", "/* no comment */", "a = 1; };", "ü", ""]
)
def test_texts_survive(tmp_path: Path, value: str) -> None:
    assert read_metadata(written(tmp_path, text(hostname=value))).text("hostname") == value


def test_arguments_survive(tmp_path: Path) -> None:
    argv = ["a b", 'q"', "\\", "ü", ""]
    assert read_metadata(written(tmp_path, text(argv=argv))).argv == tuple(argv)


def test_layout_does_not_matter(tmp_path: Path) -> None:
    squeezed = text().replace("\n", " ").replace("  ", " ").replace(" = ", "=")
    padded = text().replace(" = ", "  =\n\t  ").replace(";", " ; /* why not */ // \n")
    expected = read_metadata(written(tmp_path, text())).environment
    for other in (squeezed.replace("/* CTF 1.8 */", "/* CTF 1.8 */\n"), padded):
        assert read_metadata(written(tmp_path, other)).environment == expected


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_reads_earlier_versions(tmp_path: Path, version: int) -> None:
    older = text().replace(f"gilscope_format = {FORMAT_VERSION}", f"gilscope_format = {version}")
    assert read_metadata(written(tmp_path, older)).environment["gilscope_format"] == version


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("/* CTF 1.8 */", "/* CTF 2 */", "CTF 1.8"),
        (
            "gilscope_format = 5",
            "gilscope_format = 6",
            "found gilscope_format 6, expected 1 or 2 or 3 or 4 or 5",
        ),
        ("gilscope_format = 5;", "", "no gilscope_format"),
        ("byte_order = le", "byte_order = be", "byte_order = le"),
        ("freq = 1000000000", "freq = 1", "1000000000"),
        ("pid = 100", 'pid = "x"', "a number"),
        ("pid = 100", "pid = 99999999999999999999", "a number"),
        ("env {", "vne {", "env {"),
        ("clock {", "clack {", "clock {"),
        ("recording_start = 1000;", "recording_start 1000;", "an assignment"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, expected: str) -> None:
    path = written(tmp_path, text().replace(before, after, 1))
    with pytest.raises(TraceFormatError, match="metadata") as error:
        read_metadata(path)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match="no such file"):
        read_metadata(tmp_path / "metadata")


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "metadata").write_bytes(b"/* CTF 1.8 */ \xff")
    with pytest.raises(TraceFormatError, match="UTF-8"):
        read_metadata(tmp_path / "metadata")
