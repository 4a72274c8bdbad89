#!/bin/sh
# Pillow 13.0.0: `MedianFilter` holds the GIL all the time, `GaussianBlur` lets go.
#
# Filters look alike (`image.filter(...)`), and Pillow lets go of the GIL in nearly all of its loops over pixels.
# The rank filters (Median, Min, Max, Rank) have none of that: no other thread runs for as long as they do.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: pillow==13.0.0
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


from PIL import Image, ImageFilter

image = Image.effect_noise((1600, 1600), 60)
large = image.resize((5000, 5000))
found = {
    "MedianFilter": pause(lambda: image.filter(ImageFilter.MedianFilter(7))),
    "GaussianBlur": pause(lambda: large.filter(ImageFilter.GaussianBlur(8))),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["MedianFilter"] > 0.8, "MedianFilter lets go of the GIL now"
assert found["GaussianBlur"] < 0.2, "GaussianBlur holds the GIL now"
PROGRAM
