#!/bin/sh
# igraph 1.0.0: a long call answers Ctrl-C at once, but never lets another thread run.
#
# `betweenness` looks for signals while it computes, and stops in the middle when one came: the handler runs, in
# Python, with the GIL that the call keeps. So it does go back to the interpreter again and again, and still no
# other thread gets a turn until it is through.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: igraph==1.0.0
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


import signal

import igraph

graph = igraph.Graph.Erdos_Renyi(n=2500, m=10_000)
begin = time.perf_counter()
graph.betweenness()
whole = time.perf_counter() - begin
found = {"betweenness": pause(graph.betweenness)}
signal.signal(signal.SIGALRM, signal.default_int_handler)
stopped = 1.0
for _ in range(3):
    signal.setitimer(signal.ITIMER_REAL, 0.05 * whole)
    begin = time.perf_counter()
    try:
        graph.betweenness()
    except KeyboardInterrupt:
        stopped = min(stopped, (time.perf_counter() - begin) / whole)
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

print(f"a signal after 5 % of its time stopped it after {stopped:.0%}")
assert found["betweenness"] > 0.8, "it lets other threads run now"
assert stopped < 0.2, "it does not answer signals any more"
PROGRAM
