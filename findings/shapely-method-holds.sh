#!/bin/sh
# shapely 2.2.0: `a.intersection(b)` keeps the GIL from begin to end, `shapely.intersection(a, b)` lets go of it.
#
# The method of a geometry and the function of the module look like two spellings of one thing, and give the same
# result. But the method goes by a path for single geometries that never lets go: other threads stand for the
# whole of it.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: shapely==2.2.0 numpy==2.4.6
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
import shapely

points = shapely.points(np.random.default_rng(1).random((60_000, 2)))
one = shapely.union_all(shapely.buffer(points, 0.004, quad_segs=64))
other = shapely.transform(one, lambda c: c + 0.001)
assert one.intersection(other).equals(shapely.intersection(one, other))
found = {
    "a.intersection(b)": pause(lambda: one.intersection(other)),
    "shapely.intersection(a, b)": pause(lambda: shapely.intersection(one, other)),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["a.intersection(b)"] > 0.8, "the method lets go of the GIL now"
assert found["shapely.intersection(a, b)"] < 0.2, "the function holds the GIL now"
PROGRAM
