"""What stops threads without a GIL from scaling: as much work each, on data of their own or shared.

    python examples/scaling.py WAY [THREADS] [STEPS]
    python -m tracer --python python3.13t examples/scaling.py one-dict

WAY: own-lists, one-list, one-dict, attribute (of one object), class (an attribute of a class, that is written
meanwhile), collect (own lists, and gc.collect beside).
"""

import gc
import sys
import threading
import time


class Counter:
    step = 1
    value = 0


shared_list, shared_dict, counter = [0], {0: 0}, Counter()


def own_lists(steps: int) -> None:
    mine = [0]
    for step in range(steps):
        mine[0] = step


def one_list(steps: int) -> None:
    for step in range(steps):
        shared_list[0] = step


def one_dict(steps: int) -> None:
    for step in range(steps):
        shared_dict[step & 63] = step


def attribute(steps: int) -> None:
    for step in range(steps):
        counter.value = step


def of_class(steps: int) -> None:
    for _ in range(steps):
        Counter.step  # noqa: B018  looked up in the type


def beside(done: threading.Event, action: str) -> None:
    while not done.wait(0.001):
        if action == "collect":
            gc.collect()
        else:
            Counter.step += 1


WAYS = {"own-lists": own_lists, "one-list": one_list, "one-dict": one_dict, "attribute": attribute}
WAYS |= {"class": of_class, "collect": own_lists}

if __name__ == "__main__":
    way, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 2_000_000
    done = threading.Event()
    helper = threading.Thread(target=beside, args=(done, way), name="beside")
    workers = [threading.Thread(target=WAYS[way], args=(steps,), name="worker") for _ in range(count)]
    started = [*workers, helper] if way in ("class", "collect") else workers
    start = time.monotonic()
    for thread in started:
        thread.start()
    for thread in workers:
        thread.join()
    print(f"took  {time.monotonic() - start:.6f} s")
    done.set()
