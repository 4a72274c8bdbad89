#!/bin/sh
# scipy 1.17.1, numpy 2.4.6: `scipy.linalg.svd` keeps the GIL all the time, `numpy.linalg.svd` lets go of it.
#
# The same LAPACK routine (gesdd) on the same matrix: Python threads of a program that uses SciPy's variant stand
# still for the whole decomposition, with NumPy's they run on.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PROGRAM'
import threading, time


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

matrix = np.random.default_rng(1).random((900, 900))
assert np.allclose(scipy.linalg.svd(matrix)[1], np.linalg.svd(matrix)[1])
found = {
    "scipy.linalg.svd": pause(lambda: scipy.linalg.svd(matrix)),
    "numpy.linalg.svd": pause(lambda: np.linalg.svd(matrix)),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["scipy.linalg.svd"] > 0.8, "scipy.linalg.svd lets go of the GIL now"
assert found["numpy.linalg.svd"] < 0.2, "numpy.linalg.svd holds the GIL now"
PROGRAM
