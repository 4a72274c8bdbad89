#!/bin/sh
# scipy 1.17.1 and 1.18.1, numpy 2.4.6: `scipy.linalg.qr` lets go of the GIL in 1.17, and keeps it in 1.18.
#
# 1.17 calls LAPACK's geqrf and orgqr through f2py's `_flapack`, whose wrappers let go around the call; 1.18 has a loop
# in C++ over a stack of matrices (`_batched_linalg`, src/_linalg_qr.hh), and that module never lets go: it doesn't
# even import PyEval_SaveThread. After an update the threads of such a program stand still, and nothing says so.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.12 to 3.14).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
for version in 1.17.1 1.18.1; do
    "$place/venv/bin/python" -m pip install -q --only-binary :all: scipy==$version numpy==2.4.6
    "$place/venv/bin/python" - <<'PROGRAM'
import pathlib, threading, time


def pause(call):
    """Share of a call's time for which a thread that wakes up each millisecond got no turn; least of three."""
    least = 1.0
    for _ in range(3):
        stamps, over = [], threading.Event()

        def tick():
            while not over.is_set():
                stamps.append(time.perf_counter())
                time.sleep(0.001)

        thread = threading.Thread(target=tick)
        thread.start()
        time.sleep(0.05)
        begin = time.perf_counter()
        call()
        end = time.perf_counter()
        over.set()
        thread.join()
        marks = [begin, *(stamp for stamp in stamps if begin < stamp < end), end]
        least = min(least, max(b - a for a, b in zip(marks, marks[1:])) / (end - begin))
    return least


import numpy as np
import scipy.linalg
from scipy.linalg import _batched_linalg

matrix = np.random.default_rng(1).random((1200, 1200))
found = pause(lambda: scipy.linalg.qr(matrix))
imports = b"PyEval_SaveThread" in pathlib.Path(_batched_linalg.__file__).read_bytes()
print(f"scipy {scipy.__version__}: qr {found:.0%} of its time in one pause;"
      f" _batched_linalg {'can' if imports else 'cannot'} let go")
if scipy.__version__ == "1.17.1":
    assert found < 0.5, "qr of 1.17.1 holds the GIL"
else:
    assert found > 0.8 and not imports, "qr of 1.18.1 lets go of the GIL"
PROGRAM
done
