"""The two definitions of the trace format, C's and Python's, say the same."""

import re
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest

from analysis.reader import format

HEADER = (Path(__file__).parents[3] / "tracer/native/format.h").read_text()
C_TYPES = {"uint16_t": "<u2", "uint32_t": "<u4", "uint64_t": "<u8"}


def constant(name: str) -> int:
    found = re.search(rf"#define {name} \(?(?:UINT64_C\((\d+)\) << (\d+)|(0x[0-9A-F]+|\d+)u?)\)?", HEADER)
    assert found, name
    return int(found[1]) << int(found[2]) if found[1] else int(found[3], 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GS_FORMAT_VERSION", format.FORMAT_VERSION),
        ("GS_PACKET_SIZE", format.PACKET_SIZE),
        ("GS_HEADER_SIZE", format.HEADER_SIZE),
        ("GS_EVENT_SIZE", format.EVENT_SIZE),
        ("GS_CTF_MAGIC", format.CTF_MAGIC),
        ("GS_STREAM_GIL", format.STREAM_GIL),
        ("GS_STREAM_NAMES", format.STREAM_NAMES),
        ("GS_STREAM_SCHED", format.STREAM_SCHED),
        ("GS_STREAM_SAMPLES", format.STREAM_SAMPLES),
        ("GS_STREAM_NATIVE", format.STREAM_NATIVE),
        ("GS_UNUSED_TIMESTAMP", format.UNUSED_TIMESTAMP),
        ("GS_NO_GIL", format.NO_GIL),
    ],
)
def test_constants(name: str, value: int) -> None:
    assert constant(name) == value


@pytest.mark.parametrize(
    ("macro", "enum"),
    [
        ("GS_EVENTS", format.Event),
        ("GS_NAMES", format.Name),
        ("GS_SCHED_EVENTS", format.Sched),
        ("GS_SAMPLE_EVENTS", format.Sample),
        ("GS_NATIVE_EVENTS", format.Native),
    ],
)
def test_ids(macro: str, enum: type[IntEnum]) -> None:
    table = HEADER.split(f"#define {macro}(X)")[1].split("\n\n")[0]
    in_c = {name: int(number) for number, name in re.findall(r"X\((\d+), (\w+)\)", table)}
    assert in_c == {member.name.lower(): member.value for member in enum}


@pytest.mark.parametrize(
    ("struct", "dtype"),
    [
        ("gs_packet_header", format.PACKET_HEADER),
        ("gs_event", format.EVENT_RECORD),
        ("gs_sched_event", format.SCHED_RECORD),
        ("gs_name_record", format.NAME_RECORD),
        ("gs_sample_event", format.SAMPLE_RECORD),
        ("gs_native_event", format.NATIVE_RECORD),
    ],
)
def test_structs(struct: str, dtype: np.dtype[np.void]) -> None:
    body = HEADER.split(f"struct {struct} {{")[1].split("};")[0]
    in_c = []
    for type_name, name, count in re.findall(r"(uint\d+_t) (\w+)(?:\[(\d+)\])?;", body):
        in_c.append((name, C_TYPES[type_name], (int(count),)) if count else (name, C_TYPES[type_name]))
    assert np.dtype(in_c) == dtype
    assert np.dtype(in_c, align=True).itemsize == dtype.itemsize
