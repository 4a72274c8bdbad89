"""Parquet: a row for each interval. pandas, polars, DuckDB and Spark read it. Needs pyarrow.

    start_ns, duration_ns int64 (start: CLOCK_MONOTONIC), pid, tid int32, thread, state, function, file
    dictionary of string, line int32 (0: not recorded), cpu int16 (-1: none, or not known), unfinished bool

The file's metadata has `gilscope.summary`: what `python -m analysis TRACE --json` says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..destinations import visible
from ..errors import GilscopeError
from ..model import State
from ..report.summary import to_json
from ..states import STATES
from .lanes import Scene, thread_name

if TYPE_CHECKING:
    from ..tables.trace import Trace


def save(trace: Trace, path: Path) -> None:
    """Write the file; GilscopeError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise GilscopeError("parquet needs pyarrow: pip install pyarrow") from None
    scene = Scene(trace)

    def named(index: Any, names: list[str]) -> Any:
        return pyarrow.DictionaryArray.from_arrays(pyarrow.array(index, pyarrow.int32()), names)

    rows = trace.intervals
    place = scene.places.of_interval[trace.states_by_column.of]
    thread = rows["thread"]
    words = [STATES[State(state)].word for state in range(len(State))]
    lines = [int(where.rpartition(":")[2] or 0) for _, where, _ in scene.places.names]
    pids = np.array([trace.processes[each.process].pid for each in trace.threads], np.int32)
    tids = np.array([each.tid for each in trace.threads], np.int32)
    table = pyarrow.table(
        {
            "start_ns": rows["start"],
            "duration_ns": rows["duration"],
            "pid": pids[thread],
            "tid": tids[thread],
            "thread": named(thread, [thread_name(each) for each in trace.threads]),
            "state": named(rows["state"], words),
            "function": named(place, [visible(name) for name, _, _ in scene.places.names]),
            "file": named(place, [visible(file) for _, _, file in scene.places.names]),
            "line": np.array(lines, np.int32)[place],
            "cpu": rows["cpu"],
            "unfinished": rows["unfinished"],
        }
    )
    summary = json.dumps(to_json(trace)).encode()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({b"gilscope.summary": summary}), path, compression="zstd"
    )
