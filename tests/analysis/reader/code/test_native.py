"""Native code on synthetic traces: the library and function that an address is in, at its time."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.measures.native_code import by_code, code_within, native_times, where
from analysis.model import State
from analysis.reader.code.elf import functions_at
from analysis.reader.code.native import NativeCode
from analysis.reader.code.symbol_names import (
    MADE_AT_RUN_TIME,
    _demangler,
    is_interpreter,
    library_of,
    readable,
)
from analysis.report.summary import to_json
from analysis.report.verdict import verdict
from tests.synthetic import SchedWriter, TraceWriter

PYTHON = "/usr/lib/libpython3.11.so.1.0"
BLAS = "/site/numpy.libs/libscipy_openblas64_-99b71e71.so"


def write(path: Path, samples: list[tuple[int, int, int]]) -> SchedWriter:
    """Thread 100 holds the GIL from 1,000 to 5,000, then computes without until 9,000, on CPU 0."""
    with TraceWriter(path) as writer:
        process = writer.process(100)
        process.events(
            [(100, 1000, "recording_start"), (100, 1000, "gil_acquired"), (100, 5000, "gil_released")]
        )
        process.stop(100, 9000)
        sched = writer.scheduler(900)
        sched.task(100, 900, 100, "python").exec(100, 900)
        sched.mapped(100, 910, 0x10000, 0x20000, PYTHON, 0x1000)
        sched.mapped(100, 920, 0x30000, 0x40000, BLAS)
        sched.symbol(PYTHON, 0x1000, 0x1100, "_PyEval_EvalFrameDefault.cold")
        sched.symbol(BLAS, 0x100, 0x200, "dgemm_kernel")
        sched.events(0, [(950, "in", 100), (9500, "out", 100)])
        sched.native(0, samples).stop(10_000)
    return sched


def test_time_is_divided_by_samples(tmp_path: Path) -> None:
    write(
        tmp_path / "t",
        [
            *((1000 + 100 * n, 100, 0x10010) for n in range(1, 4)),
            (4000, 100, 0x10200),
            *((5000 + 100 * n, 100, 0x30110) for n in range(1, 8)),
            (8000, 100, 0x30300),
            (8100, 100, 0x90000),
        ],
    )
    trace = analysis.load(tmp_path / "t")
    assert [code.name for code in trace.native_codes] == [
        "libpython3.11",
        "libpython3.11: _PyEval_EvalFrameDefault",
        "libscipy_openblas64_",
        "libscipy_openblas64_: dgemm_kernel",
    ]
    assert [(each.state, each.code.name, each.samples, each.time) for each in native_times(trace)] == [
        (State.NATIVE, "libscipy_openblas64_: dgemm_kernel", 7, 4000 * 7 // 9),
        (State.RUNNING, "libpython3.11: _PyEval_EvalFrameDefault", 3, 3000),
        (State.RUNNING, "libpython3.11", 1, 1000),
        (State.NATIVE, "code not known", 1, 4000 // 9),
        (State.NATIVE, "libscipy_openblas64_", 1, 4000 // 9),
    ]
    native = to_json(trace)["code"]["native"]
    assert native[0] == {
        "library": "libscipy_openblas64_",
        "function": "dgemm_kernel",
        "held_ns": 0,
        "without_gil_ns": 3111,
        "samples": 7,
        "threads": 1,
    }
    said = verdict(analysis.statistics(trace))
    assert "computed without the GIL" in said and "mostly in libscipy_openblas64_: dgemm_kernel" in said
    part = trace.between(5000, 9000)
    assert sum(each.samples for each in native_times(part)) == 9
    within = code_within(trace, 0, np.array([1150, 5150]), np.array([1250, 5350]))
    assert [(code.function, samples) for code, samples in within] == [
        ("dgemm_kernel", 2),
        ("_PyEval_EvalFrameDefault", 1),
    ]


def test_memory_changes(tmp_path: Path) -> None:
    """What is mapped later replaces, an exec ends, a fork copies what there was then."""
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(900)
        sched.task(100, 900, 100, "a").mapped(100, 910, 0x1000, 0x3000, "/lib/liba.so")
        sched.task(200, 1000, 200, "a", ppid=100)
        sched.mapped(100, 1100, 0x2000, 0x3000, "//anon")
        sched.exec(200, 1200).mapped(200, 1210, 0x2000, 0x3000, "/bin/b")
        sched.events(0, [(900, "in", 100), (3000, "out", 100)])
        sched.events(1, [(1000, "in", 200), (3000, "out", 200)])
        sched.native(0, [(1000, 100, 0x2500), (1150, 100, 0x2500), (1160, 100, 0x1500)])
        sched.native(1, [(1150, 200, 0x2500), (1205, 200, 0x2500), (1220, 200, 0x2500), (1230, 200, 0x1500)])
        sched.stop(4000)
    trace = analysis.load(tmp_path / "t")
    samples = trace.native_samples
    names = [trace.native_codes[code].name if code >= 0 else "" for code in samples["code"].tolist()]
    assert names == ["liba", MADE_AT_RUN_TIME, "liba", "liba", "", "b", ""]


def test_a_damaged_stream(tmp_path: Path) -> None:
    write(tmp_path / "t", [(1100, 100, 0x10010), (1200, 100, 0x10010)])
    file = tmp_path / "t/sched/native_0"
    data = bytearray(file.read_bytes())
    data[128 + 8] = 99
    file.write_bytes(data)
    with pytest.raises(analysis.TraceFormatError, match=r"native_0: .*event id 99"):
        analysis.load(tmp_path / "t")
    trace = analysis.load(tmp_path / "t", salvage=True)
    assert len(trace.native_samples) == 0 and any("native code" in line for line in trace.skipped)


def test_functions_of_the_interpreter() -> None:
    """The addresses of functions that this process has are found in the file that it has them from."""
    for name in ("PyLong_FromLong", "PyDict_GetItem", "PyObject_Call"):
        address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        assert address is not None
        for line in Path("/proc/self/maps").read_text().splitlines():
            fields = line.split()
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            if begin <= address < end:
                offset = address - begin + int(fields[2], 16)
                found = functions_at(Path(fields[-1]), np.array([offset, offset + 1]))
                assert all(each is not None and each[0] <= offset < each[1] for each in found)
                assert found[0] is not None and name in found[0][2]
                break
        else:
            pytest.fail(f"{name} is nowhere")


@pytest.mark.parametrize("cut", [0, 10, 64, 100, 4000])
def test_a_library_that_is_none(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(Path("/proc/self/exe").read_bytes()[:cut])
    assert functions_at(path, np.array([0, 100])) == [None, None]
    assert functions_at(tmp_path, np.array([0])) == [None]
    assert functions_at(tmp_path / "none", np.array([0])) == [None]


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("__pyx_pw_8examples_10_countdown_1countdown_with_gil", "countdown_with_gil"),
        ("__pyx_f_8examples_10_countdown_step", "step"),
        ("__pyx_pf_3mod_5Class_2method", "method"),
        ("deflate_slow.part.0", "deflate_slow"),
        ("f.constprop.3.isra.0.cold", "f"),
        ("memcpy@@GLIBC_2.14", "memcpy"),
        ("plain", "plain"),
        ("__pyx_", "__pyx_"),
    ],
)
def test_names_of_functions(symbol: str, name: str) -> None:
    assert readable(symbol) == name


def test_names_of_other_languages() -> None:
    """By the C++ library's own demangler; where there is none they stay as they are."""
    if _demangler() is not None:
        assert readable("_ZN5arrow7compute8internal3SumIiEEvPKS_") == "arrow::compute::internal::Sum"
        assert readable("_ZN4core3fmt5write17h0123456789abcdefE") == "core::fmt::write"
    assert readable("_Znonsense") == "_Znonsense"


@pytest.mark.parametrize(
    ("path", "library"),
    [
        (BLAS, "libscipy_openblas64_"),
        ("/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", "_json"),
        ("/x/numpy/_core/_multiarray_umath.cpython-313t-x86_64-linux-gnu.so", "_multiarray_umath"),
        ("/usr/lib/libz.so.1.2.13", "libz"),
        (PYTHON, "libpython3.11"),
        ("/usr/bin/python3.14", "python3.14"),
        ("[vdso]", "vdso"),
        ("//anon", MADE_AT_RUN_TIME),
        ("/memfd:jit (deleted)", MADE_AT_RUN_TIME),
        ("[heap]", MADE_AT_RUN_TIME),
    ],
)
def test_names_of_libraries(path: str, library: str) -> None:
    assert library_of(path) == library
    assert is_interpreter(library) == ("python3" in library)


def test_where_most_of_it_was() -> None:
    python, json = NativeCode("libpython3.11", "f"), NativeCode("_json", "scan")
    assert where([(python, 7)]) == ""
    assert where([(python, 70), (json, 30)]) == "_json: scan"
    assert where([(python, 90), (json, 10)]) == "libpython3.11: f"
    assert where([(NativeCode("a", str(n)), 5) for n in range(4)]) == "a"
    assert where([(NativeCode(str(n), ""), 5) for n in range(10)]) == ""
    assert by_code([]) == []
