"""Each file is read back by somebody else: the same intervals, sums, handoffs and lines as ours."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis import Trace
from analysis.commands.cli import main
from analysis.destinations import visible
from analysis.export.formats import FORMATS
from analysis.model import State
from analysis.states import STATES
from tests.analysis.scenes import scheduled
from tests.analysis.why.code.test_charges import contended
from tests.plots.web.support import ROOT, chromium, run
from tests.synthetic import TraceWriter

HOSTILE = 'w\n"<b>\x1b[2J\u202e'


@pytest.fixture(scope="module", params=["contended", "scheduled"])
def trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    path = tmp_path_factory.mktemp("export") / "t.trace"
    if request.param == "scheduled":
        return analysis.load(scheduled(path))
    with TraceWriter(path) as writer:
        process = writer.process(argv=["app.py", HOSTILE])
        contended(process).name(100, 0, HOSTILE).name(101, 1000, "worker")
    return analysis.load(path)


def sums(trace: Trace) -> Counter[tuple[int, str]]:
    """Return ns by thread id and the label of the state."""
    found: Counter[tuple[int, str]] = Counter()
    for thread, state, duration in trace.intervals[["thread", "state", "duration"]].tolist():
        found[trace.threads[thread].tid, STATES[State(state)].label] += duration
    return found


def exported(trace: Trace, path: Path, form: str) -> Path:
    assert main(["export", str(trace.path), "--to", form, "-o", str(path)]) == 0
    return path


def switches(trace: Trace) -> int:
    return int((trace.handoffs["from_thread"] != trace.handoffs["to_thread"]).sum())


def test_perfetto(trace: Trace, tmp_path: Path) -> None:
    protos = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    plain = exported(trace, tmp_path / "t.pftrace", "perfetto").read_bytes()
    assert gzip.decompress(exported(trace, tmp_path / "t.pftrace.gz", "perfetto").read_bytes()) == plain
    read = protos.Trace()
    read.ParseFromString(plain)
    tracks: dict[int, Any] = {}
    names: dict[int, str] = {}
    lines: dict[int, tuple[str, str, int]] = {}
    open_: dict[int, tuple[int, str]] = {}
    found: Counter[tuple[int, str]] = Counter()
    cpu_time = slices = 0
    flows: list[int] = []
    ends: list[int] = []
    waiting: list[int] = []
    for packet in read.packet:
        for entry in packet.interned_data.event_names:
            names[entry.iid] = entry.name
        for source in packet.interned_data.source_locations:
            lines[source.iid] = (source.function_name, source.file_name, source.line_number)
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        track = tracks[event.track_uuid]
        if event.type == event.TYPE_COUNTER:
            assert track.HasField("counter")
            waiting.append(event.counter_value)
        elif event.type == event.TYPE_SLICE_BEGIN:
            assert event.track_uuid not in open_
            open_[event.track_uuid] = (packet.timestamp, event.name or names[event.name_iid])
            flows += event.flow_ids
            ends += event.terminating_flow_ids
        else:
            begin, name = open_.pop(event.track_uuid)
            if track.HasField("thread"):
                found[track.thread.tid, name] += packet.timestamp - begin
                slices += 1
            elif track.name.startswith("CPU"):
                cpu_time += packet.timestamp - begin
    assert not open_ and found == sums(trace) and slices == len(trace.intervals)
    assert sorted(flows) == sorted(ends) and len(flows) == switches(trace)
    assert cpu_time == trace.cpu_intervals["duration"].sum()
    assert waiting[-1] == 0 and max(waiting) >= 1
    known = {(code.name, code.file) for code in trace.codes}
    assert {(name.removesuffix("()"), file) for name, file, _ in lines.values()} <= known
    assert {track.thread.pid for track in tracks.values() if track.HasField("thread")} == {
        process.pid for process in trace.processes
    }


def test_chrome(trace: Trace, tmp_path: Path) -> None:
    read = json.loads(exported(trace, tmp_path / "t.json", "chrome").read_text())["traceEvents"]
    found: Counter[tuple[int, str]] = Counter()
    for event in read:
        if event["ph"] == "X":
            found[event["tid"], event["name"]] += round(1000 * event["dur"])
    assert found == sums(trace)
    starts = {event["id"]: event["ts"] for event in read if event["ph"] == "s"}
    ends = {event["id"]: event["ts"] for event in read if event["ph"] == "f"}
    assert starts.keys() == ends.keys() and len(starts) == switches(trace)
    latency = trace.handoffs["acquired"] - trace.handoffs["released"]
    latency = latency[trace.handoffs["from_thread"] != trace.handoffs["to_thread"]]
    assert sum(ends[at] - starts[at] for at in starts) == pytest.approx(latency.sum() / 1000)


def test_speedscope(trace: Trace, tmp_path: Path) -> None:
    read = json.loads(gzip.decompress(exported(trace, tmp_path / "t.json.gz", "speedscope").read_bytes()))
    frames = read["shared"]["frames"]
    blame, *threads = read["profiles"]
    assert len(threads) == len(trace.threads)
    for thread, profile in zip(trace.threads, threads, strict=True):
        found: Counter[tuple[int, str]] = Counter()
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True):
            found[thread.tid, frames[stack[0]]["name"]] += weight
        assert found == Counter({key: value for key, value in sums(trace).items() if key[0] == thread.tid})
        assert sum(profile["weights"]) == profile["endValue"] == thread.end - thread.begin
    code = analysis.code_blame(trace)
    assert sum(blame["weights"]) == code.total - code.nobody


def test_speedscope_itself_opens_it(trace: Trace, tmp_path: Path) -> None:
    release = ROOT / "node_modules" / "speedscope" / "dist" / "release"
    browser = chromium()
    if not release.is_dir():
        pytest.skip("no speedscope here: npm ci (.ci/run does it)")
    content = base64.b64encode(exported(trace, tmp_path / "t.json", "speedscope").read_bytes()).decode()
    (tmp_path / "t.js").write_text(f"speedscope.loadFileFromBase64('t.json', '{content}')")
    thread = visible(trace.threads[0].name)
    seen = run(
        "browser.mjs",
        {
            "chromium": browser,
            "page": str(release / "index.html"),
            "hash": f"#localProfilePath={tmp_path / 't.js'}",
            "ready": "document.body.innerText.includes('(1/')",
            "steps": [{"key": "n"}, {"eval": "document.body.innerText"}],
        },
    )
    assert seen["errors"] == []
    assert " ".join(thread.split()) in " ".join(seen["results"][0].split())


def test_firefox(trace: Trace, tmp_path: Path) -> None:
    read = json.loads(exported(trace, tmp_path / "t.json", "firefox").read_text())
    strings = read["shared"]["stringArray"]
    schemas = {schema["name"] for schema in read["meta"]["markerSchema"]}
    *threads, blame = read["threads"]
    waited = 0.0
    found: Counter[tuple[int, str]] = Counter()
    for thread in threads:
        markers = thread["markers"]
        assert {len(values) for name, values in markers.items() if name != "length"} == {markers["length"]}
        columns = (markers[name] for name in ("name", "startTime", "endTime", "data", "category"))
        for name, start, end, data, category in zip(*columns, strict=True):
            assert data["type"] in schemas
            assert read["meta"]["categories"][category]["name"] == strings[name]
            found[thread["tid"], strings[name]] += round((end - start) * 1e6)
            waited += sum(
                data.get(part, 0) for part in ("politeness", "response", "overtaken", "handoff", "unknown")
            )
    assert found == sums(trace)
    assert waited == pytest.approx(trace.waits["duration"].sum() / 1e6)
    code = analysis.code_blame(trace)
    assert sum(blame["samples"]["weight"]) == pytest.approx((code.total - code.nobody) / 1e6)
    for at in blame["samples"]["stack"]:  # every stack ends at a function with a name
        stack: int | None = at
        while stack is not None:
            frame = blame["stackTable"]["frame"][stack]
            assert strings[blame["funcTable"]["name"][blame["frameTable"]["func"][frame]]]
            stack = blame["stackTable"]["prefix"][stack]


def test_parquet(trace: Trace, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(exported(trace, tmp_path / "t.parquet", "parquet"))
    assert np.array_equal(table["duration_ns"].to_numpy(), trace.intervals["duration"])
    assert np.array_equal(table["start_ns"].to_numpy(), trace.intervals["start"])
    label = {kind.word: kind.label for kind in STATES.values()}
    found: Counter[tuple[int, str]] = Counter()
    columns = (table[name].to_pylist() for name in ("tid", "state", "duration_ns"))
    for tid, state, duration in zip(*columns, strict=True):
        found[tid, label[state]] += duration
    assert found == sums(trace)
    summary = json.loads(table.schema.metadata[b"gilscope.summary"])
    assert summary["counts"]["acquires"] == analysis.statistics(trace).counts.acquires


def test_what_can_t_be_done_is_said(trace: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    assert main(["export", str(trace.path), "--to", "chrome", "-o", str(target)]) == 2
    assert "--force" in capsys.readouterr().err and target.read_text() == "mine"
    assert main(["export", str(trace.path), "--to", "chrome", "-o", str(tmp_path / "no" / "where")]) == 2
    assert "No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", str(trace.path), "--to", "excel", "-o", str(target)])
    said = capsys.readouterr().err
    assert all(form in said for form in FORMATS)
    assert list(tmp_path.iterdir()) == [target]
