"""Streams of CPUs by task: beside the obvious way, which sorts all events."""

from pathlib import Path

import numpy as np
import pytest

from analysis.errors import TraceFormatError
from analysis.reader.format import HEADER_SIZE, PACKET_HEADER, PACKET_SIZE, SCHED_RECORD, Sched
from analysis.reader.problems import Problems
from analysis.reader.sched.by_task import Streams
from analysis.reader.sched.scheduling import read_scheduling
from tests.synthetic import SchedWriter

KINDS = [Sched.SCHED_IN, Sched.SCHED_OUT, Sched.SCHED_PREEMPTED, Sched.SCHED_LOST]


def streams(random: np.random.Generator, cpus: int) -> list[np.ndarray]:
    """Return what happened on each CPU: often several things at once, now and then a loss."""
    of_cpus = []
    for cpu in range(cpus):
        records = np.zeros(int(random.integers(0, 60)), SCHED_RECORD)
        records["timestamp"] = 5 + np.cumsum(random.integers(0, 3, len(records)))
        records["id"] = random.choice(KINDS, len(records), p=[0.5, 0.2, 0.2, 0.1])
        records["cpu"], records["tid"] = cpu, random.choice([7, 100, 9_000, 1 << 22], len(records))
        of_cpus.append(records)
    return of_cpus


def write(path: Path, of_cpus: list[np.ndarray]) -> None:
    writer = SchedWriter(path, 3, 50, {})
    writer.events_per_packet = 7
    for cpu, records in enumerate(of_cpus):
        writer.columns(cpu, records["timestamp"], records["id"], records["tid"])
    writer.write()


@pytest.mark.parametrize("cpus", [1, 2, 5, 16])
def test_merged_as_sorted(tmp_path: Path, cpus: int) -> None:
    for seed in range(10):
        of_cpus = streams(np.random.default_rng(100 * cpus + seed), cpus)
        write(tmp_path / str(seed), of_cpus)
        scheduling = read_scheduling(tmp_path / str(seed), Problems(salvage=False))
        assert scheduling is not None
        # Stable: what happens at once is in the order of the CPUs.
        rows = sorted(
            (
                row
                for records in of_cpus
                for row in records[["timestamp", "id", "cpu", "tid"]].tolist()
                if row[1] != Sched.SCHED_LOST
            ),
            key=lambda row: (row[3], row[0], row[2]),
        )
        found = zip(scheduling.time, scheduling.kind, scheduling.cpu, strict=True)
        tids = np.repeat([task.tid for task in scheduling.tasks], np.diff(scheduling.first))
        assert [(*row, tid) for row, tid in zip(found, tids, strict=True)] == rows
        lost = [
            (records["timestamp"][at - 1] if at else 3, records["timestamp"][at], cpu, records["tid"][at])
            for cpu, records in enumerate(of_cpus)
            for at in np.flatnonzero(records["id"] == Sched.SCHED_LOST)
        ]
        assert [(loss.begin, loss.end, loss.cpu, loss.count) for loss in scheduling.losses] == lost


def test_what_is_wrong_is_told_of_the_first_event_that_is(tmp_path: Path) -> None:
    """Up to there all is read; afterwards nothing is known of that CPU."""
    of_cpus = streams(np.random.default_rng(3), 3)
    write(tmp_path, of_cpus)
    path = tmp_path / "sched_1"
    content = bytearray(path.read_bytes())
    at = PACKET_SIZE + HEADER_SIZE + 16 * 2  # the third event of the second packet: of another CPU
    content[at + 10] = 9
    path.write_bytes(content)
    with pytest.raises(TraceFormatError, match="sched_1: packet 1: found cpu 9, expected 1, the CPU of the"):
        read_scheduling(tmp_path, Problems(salvage=False))
    problems = Problems(salvage=True)
    scheduling = read_scheduling(tmp_path, problems)
    assert scheduling is not None
    assert problems.skipped == [
        f"{path}: packet 1: found cpu 9, expected 1, the CPU of the file; "
        f"skipped {len(of_cpus[1]) - 9} events from there on"
    ]
    kept = of_cpus[1][:9]
    assert np.count_nonzero(scheduling.cpu == 1) == np.count_nonzero(kept["id"] != Sched.SCHED_LOST)
    until = np.iinfo(np.int64).max
    assert (int(kept["timestamp"][-1]), until, 1) in [
        (loss.begin, loss.end, loss.cpu) for loss in scheduling.losses
    ]


def test_what_is_written_over_meanwhile_is_noticed() -> None:
    """A flight recorder gives up packets while they are read: nothing is put where it does not belong."""
    data = np.zeros((1, PACKET_SIZE), np.uint8)
    records = data[0, HEADER_SIZE : HEADER_SIZE + 64].view(SCHED_RECORD)
    records["timestamp"], records["id"], records["tid"] = [1, 2, 3, 4], Sched.SCHED_IN, [5, 6, 5, 6]
    assert PACKET_HEADER.itemsize == HEADER_SIZE
    bounds = np.array([1]), np.array([4])
    for tid in (0, 5, 8, 1 << 31):
        found = Streams()
        assert found.look(data, np.array([4]), *bounds, 0, 0)[:3] == (4, 4, 4)
        before = records["tid"][3]
        records["tid"][3] = tid
        assert found.in_order() is None
        records["tid"][3] = before
