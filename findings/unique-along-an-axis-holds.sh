#!/bin/sh
# numpy 2.4.6: `np.unique(a, axis=0)` holds the GIL while it sorts, `np.unique(a)` lets go of it.
#
# With an axis the rows become records, and sorting records, unlike sorting numbers, keeps the GIL, in one piece.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: numpy==2.4.6
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

rows = np.random.default_rng(1).integers(0, 1000, (400_000, 3))
flat = np.random.default_rng(1).random(8_000_000)
assert len(np.unique(rows[:10], axis=0)) == len({tuple(row) for row in rows[:10].tolist()})
found = {
    "np.unique(a, axis=0)": pause(lambda: np.unique(rows, axis=0)),
    "np.unique(a)": pause(lambda: np.unique(flat)),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["np.unique(a, axis=0)"] > 0.8, "it lets go of the GIL along an axis now"
assert found["np.unique(a)"] < 0.2, "it holds the GIL without an axis now"
PROGRAM
