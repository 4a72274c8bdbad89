"""Line tables: against the interpreter's own reading of them."""

from __future__ import annotations

import argparse
import ast
import inspect
import json.decoder
import types
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reader.code.line_table import decode


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


@pytest.mark.parametrize("module", [argparse, ast, inspect, json.decoder])
def test_agrees_with_the_interpreter(module: types.ModuleType) -> None:
    source = inspect.getsource(module)
    compared = 0
    for code in codes(compile(source, "module.py", "exec")):
        table = decode(code.co_linetable, code.co_firstlineno)
        for begin, end, line in code.co_lines():
            for offset in range(begin, end, 2):
                assert table.line(offset) == (line or 0), (code, offset)
                compared += 1
        assert table.line(len(code.co_code)) == 0
    assert compared > 300


def test_lines_that_go_back_and_are_far_apart() -> None:
    source = (
        "def f(a):\n" + "\n" * 5000 + "    return [x\n" + "\n" * 300 + "        for x in a\n        if x]\n"
    )
    (code,) = (each for each in codes(compile(source, "far.py", "exec")) if each.co_name == "f")
    table = decode(code.co_linetable, code.co_firstlineno)
    for begin, _, line in code.co_lines():
        assert table.line(begin) == (line or 0)


@given(st.binary(max_size=60), st.integers(0, 1 << 20))
def test_any_bytes_are_read_without_an_error(table: bytes, first_line: int) -> None:
    decoded = decode(table, first_line)
    assert len(decoded.offsets) == len(decoded.lines)
    assert list(decoded.offsets) == sorted(decoded.offsets)
    assert all(0 <= line < 1 << 31 for line in decoded.lines)


def test_a_cut_table_has_the_lines_before_the_cut() -> None:
    code = compile("a = 1\nb = 2\nc = 3\n", "cut.py", "exec")
    whole = decode(code.co_linetable, code.co_firstlineno)
    cut = decode(code.co_linetable[:-3], code.co_firstlineno)
    assert cut.offsets[:-1] == whole.offsets[: len(cut.offsets) - 1]
    assert cut.lines[:-1] == whole.lines[: len(cut.lines) - 1]
