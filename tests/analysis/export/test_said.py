"""Marks, spans and locks in the files of other programs: each where and as long as ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.commands.cli import main
from analysis.model import SPAN
from analysis.tables.marks import span_rows
from tests.analysis.scenes import with_spans

STORE = "\\x1b[1mstore"
SPANS = [(100, 4_200, "GET /"), (4_350, 1_250, STORE), (5_800, 200, "GET /")]
"""Begin, since the trace's second µs, duration and name."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return with_spans(tmp_path / "t.trace")


def exported(path: Path, form: str) -> Any:
    file = path.with_name("exported")
    assert main(["export", str(path), "--to", form, "-o", str(file)]) == 0
    return file.read_bytes() if form == "perfetto" else json.loads(file.read_text())


def test_perfetto(path: Path) -> None:
    protos = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    read = protos.Trace()
    read.ParseFromString(exported(path, "perfetto"))
    tracks: dict[int, Any] = {}
    open_: dict[int, tuple[int, str]] = {}
    spans, instants, flows = [], [], []
    for packet in read.packet:
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        event = packet.track_event
        if packet.HasField("track_event") and event.type == event.TYPE_INSTANT:
            instants.append((packet.timestamp, event.name, tracks[event.track_uuid].thread.tid))
            flows += [*event.flow_ids, *event.terminating_flow_ids]
        elif packet.HasField("track_event") and tracks[event.track_uuid].name == "spans":
            assert tracks[tracks[event.track_uuid].parent_uuid].thread.tid == 101
            if event.type == event.TYPE_SLICE_BEGIN:
                open_[event.track_uuid] = (packet.timestamp, event.name)
            else:
                begin, name = open_.pop(event.track_uuid)
                spans.append((begin - 1_000, packet.timestamp - begin, name))
    assert not open_ and spans == SPANS
    assert sorted(instants) == [
        (6_400, "lets go of Lock", 100),
        (6_500, "has Lock", 101),
        (6_700, STORE, 101),
    ]
    assert len(flows) == 2 and flows[0] == flows[1]


def test_chrome(path: Path) -> None:
    read = exported(path, "chrome")["traceEvents"]
    begins = {event["id"]: event for event in read if event["ph"] == "b"}
    ends = {event["id"]: event["ts"] for event in read if event["ph"] == "e"}
    assert [
        (round(1000 * of["ts"]) - 1_000, round(1000 * (ends[at] - of["ts"])), of["name"])
        for at, of in begins.items()
    ] == SPANS
    assert [(of["ts"], of["name"], of["tid"]) for of in read if of["ph"] == "i"] == [(6.7, STORE, 101)]
    locks = [(of["ph"], of["ts"], of["tid"], of["name"]) for of in read if of.get("cat") == "lock"]
    assert locks == [("s", 6.4, 100, "Lock"), ("f", 6.5, 101, "Lock")]


def test_firefox(path: Path) -> None:
    read = exported(path, "firefox")
    strings = read["shared"]["stringArray"]
    markers = read["threads"][1]["markers"]
    columns = zip(*(markers[name] for name in ("name", "startTime", "endTime", "phase", "data")), strict=True)
    rows = [(strings[name], *rest) for name, *rest in columns]
    spans = [row for row in rows if row[4]["type"] == "span"]
    assert [
        (round(start * 1e6) - 1_000, round((end - start) * 1e6), name) for name, start, end, *_ in spans
    ] == SPANS
    assert [row[:4] for row in rows if row[4]["type"] == "mark"] == [(STORE, 0.0067, None, 0)]
    assert [row[4] for row in rows if row[4]["type"] == "LOCKED"] == [
        {"type": "LOCKED", "lock": "Lock", "let_go_by": "MainThread"}
    ]


def test_speedscope(path: Path) -> None:
    read = exported(path, "speedscope")
    (spans,) = (profile for profile in read["profiles"] if profile["name"] == "worker: spans")
    frames = read["shared"]["frames"]
    names = [[frames[at]["name"] for at in stack] for stack in spans["samples"]]
    assert list(zip(names, spans["weights"], strict=True)) == [
        (["GET /"], 4_200),
        ([], 50),
        ([STORE], 1_250),
        ([], 200),
        (["GET /"], 200),
    ]


def test_rows_of_spans_that_overlap() -> None:
    """(thread, start, duration): one inside, two beside each other, a row that is free again."""
    of = [(0, 0, 100), (0, 10, 20), (0, 20, 200), (0, 100, 50), (0, 160, 10), (1, 0, 5)]
    spans = np.zeros(len(of), SPAN)
    spans["thread"], spans["start"], spans["duration"] = np.array(of).T
    assert span_rows(spans).tolist() == [0, 1, 2, 0, 0, 0]


def test_no_marks_no_tracks(path: Path) -> None:
    trace = analysis.load(path).between(0, 1_050)
    assert len(trace.spans) == len(trace.marks) == 0
