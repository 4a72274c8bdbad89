"""A process's samples: which code a thread was in while it held a GIL, at moments that it did not choose."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...arrays import Table
from ...errors import TraceFormatError
from ..disk.packets import read_packets
from ..format import HEADER_SIZE, SAMPLE_RECORD, STREAM_SAMPLES, Sample
from ..problems import Problems

SAMPLES_FILE = "samples"


def read_samples(directory: Path, *, pid: int, problems: Problems) -> Table:
    """Read the samples of a process, in time order; shape (samples,), SAMPLE_RECORD.

    Raises
    ------
    TraceFormatError
        They are not what a recorder writes; not when salvaging: then those from there on are left out.
    """
    path = directory / SAMPLES_FILE
    if not os.path.lexists(path):
        return np.empty(0, SAMPLE_RECORD)
    packets = read_packets(path, stream_class=STREAM_SAMPLES, pid=pid, problems=problems)
    found: list[Table] = []
    last = 0
    for number, (data, content) in enumerate(zip(packets.data, packets.content.tolist(), strict=True)):
        whole = content // SAMPLE_RECORD.itemsize
        records = data[HEADER_SIZE : HEADER_SIZE + whole * SAMPLE_RECORD.itemsize].view(SAMPLE_RECORD)
        wrong = _wrong(records, content, packets.headers[number], last)
        if wrong is not None:
            problems.report(TraceFormatError(path, *wrong, f"packet {number}"), "the samples from there on")
            break
        found.append(records)
        last = int(records["timestamp"][-1])
    return np.concatenate(found) if found else np.empty(0, SAMPLE_RECORD)


def _wrong(records: Table, content: int, header: Table, last: int) -> tuple[str, str] | None:
    """Return what was found in a packet and what was expected there, or nothing."""
    if content % SAMPLE_RECORD.itemsize:
        return f"{content} bytes", f"a multiple of {SAMPLE_RECORD.itemsize}"
    other = records["id"] != Sample.SAMPLE
    if other.any():
        return f"event id {records['id'][np.argmax(other)]}", "a sample"
    if not records["tid"].all():
        return "tid 0", "the tid of a thread"
    time = records["timestamp"].astype(np.int64)
    begin, end = max(last, int(header["timestamp_begin"])), int(header["timestamp_end"])
    if time[0] < begin or time[-1] > end or (time[1:] < time[:-1]).any():
        return "a time", "times that never decrease, within their packet"
    return None
