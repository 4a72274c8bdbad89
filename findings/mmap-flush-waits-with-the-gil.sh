#!/bin/sh
# CPython 3.11 to 3.15: `mmap.mmap.flush()` waits for the disk and keeps the GIL all the while; `os.fsync` of the same
# file writes the same pages and lets go of it.
#
# A flush of a mapping is a synchronous write to the disk (msync), so one would expect it to be treated as `os.fsync`
# is: but every other thread of the process stands until the disk has answered. `numpy.memmap.flush()` is this call.
# The directory of temporary files has to be on a disk (TMPDIR says which): in memory there is nothing to wait for.
#
# Seen on ext4: "3.14.8: mmap.flush() 61 ms, 99% of it in one pause, os.fsync() 53 ms, 9% of it in one pause", and alike
# with 3.11.7, 3.13.0 and 3.15.0.
#
# Exit status 0: it is still so; 1: it has changed, or there was no disk to wait for. PYTHON: the interpreter.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3}" - <<'PROGRAM'
import mmap, os, sys, tempfile, threading, time

SIZE = 64 << 20


def pause(call):
    """Seconds that a call takes, and the share of it in which a thread that wakes up each millisecond had no turn."""
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
    return end - begin, max(b - a for a, b in zip(marks, marks[1:])) / (end - begin)


def least(call, mapped):
    found = []
    for turn in range(3):
        for at in range(0, SIZE, mmap.PAGESIZE):
            mapped[at] = turn + 1
        found.append(pause(call))
        mapped[:] = bytes(SIZE)
    return min(found, key=lambda each: each[1])


found = {}
with tempfile.TemporaryFile(dir=".") as file:
    file.truncate(SIZE)
    with mmap.mmap(file.fileno(), SIZE) as mapped:
        found["mmap.flush()"] = least(mapped.flush, mapped)
        found["os.fsync()"] = least(lambda: os.fsync(file.fileno()), mapped)
print(sys.version.split()[0], end=": ")
print(", ".join(f"{what} {s * 1e3:.0f} ms, {share:.0%} of it in one pause" for what, (s, share) in found.items()))

assert min(seconds for seconds, _ in found.values()) > 0.01, "this is no disk"
assert found["mmap.flush()"][1] > 0.8, "mmap.flush lets go of the GIL now"
assert found["os.fsync()"][1] < 0.5, "os.fsync holds the GIL now"
PROGRAM
