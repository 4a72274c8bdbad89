#!/bin/sh
# scipy 1.17.1: `scipy.ndimage.median_filter` holds the GIL for a 1-D array, and lets go for the same data as 1 x n.
#
# One-dimensional data goes to an implementation of its own, which never lets go; as an image of one row it goes
# to the general one, which does. The results are equal.
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
import scipy.ndimage

line = np.random.default_rng(1).random(4_000_000)
image = line[:1_000_000].reshape(1, -1)
assert np.array_equal(
    scipy.ndimage.median_filter(line[:1000], 15), scipy.ndimage.median_filter(image[:, :1000], (1, 15))[0]
)
found = {
    "1-D": pause(lambda: scipy.ndimage.median_filter(line, 15)),
    "1 x n": pause(lambda: scipy.ndimage.median_filter(image, (1, 15))),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["1-D"] > 0.8, "it lets go of the GIL in one dimension now"
assert found["1 x n"] < 0.2, "it holds the GIL in two dimensions now"
PROGRAM
