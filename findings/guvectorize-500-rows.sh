#!/bin/sh
# numba 0.68.1 with numpy 2.4.6: a compiled `guvectorize` function holds the GIL for 500 rows, lets go for 501.
#
# NumPy lets go of the GIL around the loop of a generalized ufunc only where there are more than 500 rows, however
# long a row is. So 500 rows of 60,000 elements each keep every other thread waiting all the time, one row more
# sets them free.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: numba==0.68.1 numpy==2.4.6
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


import numba
import numpy as np


@numba.guvectorize(["void(float64[:], float64[:])"], "(n)->()", nopython=True)
def total(row, out):
    s = 0.0
    for v in row:
        s += np.sin(np.sin(np.sin(v)))
    out[0] = s


rows = np.random.default_rng(1).random((501, 60_000))
found = {"500 rows": pause(lambda: total(rows[:500])), "501 rows": pause(lambda: total(rows))}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["500 rows"] > 0.8, "it lets go of the GIL for 500 rows now"
assert found["501 rows"] < 0.2, "it holds the GIL for 501 rows now"
PROGRAM
