#!/bin/sh
# scipy 1.17.1 and 1.18.1, numpy 2.4.6: `scipy.linalg.qr`, `cholesky` and `eig` let go of the GIL in 1.17 and keep it
# all the time in 1.18.
#
# 1.17 calls LAPACK through f2py's `_flapack`, whose wrappers of geqrf, potrf and geev let go around the call; 1.18
# has one loop in C++ for a whole stack of matrices (`_batched_linalg`), and that module never lets go: it doesn't even
# import PyEval_SaveThread. An update of SciPy makes the threads of such a program stand still, and nothing says so.
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
square = matrix @ matrix.T + np.eye(1200)
found = {
    "qr": pause(lambda: scipy.linalg.qr(matrix)),
    "cholesky": pause(lambda: [scipy.linalg.cholesky(square) for _ in range(4)]),
    "eig": pause(lambda: scipy.linalg.eig(matrix[:500, :500])),
}
imports = b"PyEval_SaveThread" in pathlib.Path(_batched_linalg.__file__).read_bytes()
print(f"scipy {scipy.__version__}: " + ", ".join(f"{what} {share:.0%}" for what, share in found.items())
      + f" of its time in one pause; _batched_linalg {'can' if imports else 'cannot'} let go")
if scipy.__version__ == "1.17.1":
    assert found["qr"] < 0.5 and found["eig"] < 0.5, "qr and eig of 1.17.1 hold the GIL"
else:
    assert found["qr"] > 0.8 and found["eig"] > 0.8, "qr and eig of 1.18.1 let go of the GIL"
    assert not imports, "_batched_linalg of 1.18.1 can let go"
PROGRAM
done
