"""Measurements that were never taken: what each experiment would keep, as published, and otherwise."""

from __future__ import annotations

from typing import Any

from plots.gallery.experiments.every_way import WAYS


def every_way(own: float, shared: float = 1.0) -> dict[str, Any]:
    """All ways, `own` times as fast where nothing is shared, and `shared` times with a shared GIL."""
    entries = {
        way.key: {
            "python": "Python",
            "steps": 10,
            "one": [1.0],
            "two": [1 / (own if way.parallel else shared)],
            "began": 0,
            "ended": 1,
            "threads": [0, 1],
            "cpus": 2.0,
        }
        for way in WAYS
    }
    return {"ways": entries, "left_out": []}


def countdown(ratio: float, wait: float = 0.00505, one_cpu: float = 1.0) -> dict[str, Any]:
    """Threads take `ratio` on two CPUs and `one_cpu` on one; waits take `wait` s."""
    seconds = {"1 threads, 1 CPU": [0.9, 1.0, 1.1]}
    for threads in (2, 4):
        seconds[f"{threads} threads, 1 CPU"] = [one_cpu]
        seconds[f"{threads} threads, 2 CPUs"] = [ratio]
    return {"steps": 100, "seconds": seconds, "wait": {"1 CPU": wait, "2 CPUs": wait}, "interval": 0.005}


def old_gil(ratio: float, failed: float) -> dict[str, Any]:
    """The battle on two CPUs."""
    calm = {"failed": 10.0, "waits": 100.0, "switches": 100.0, "takes": 1000}
    fierce = {"failed": failed, "waits": 10 * failed, "switches": 10 * failed, "takes": 1000}
    return {
        **countdown(ratio, one_cpu=1.1),
        "battle": {"1 CPU": calm, "2 CPUs": fierce},
        "version": "2.7.18",
    }


def echo(factor: float) -> dict[str, Any]:
    """Requests/s are `factor` times 1/(2 × interval), and half and a third of that beside more threads."""
    rates: list[list[Any]] = [[0, 0.005, [30_000.0]]]
    for threads, share in ((1, 1.0), (2, 0.5), (4, 0.33)):
        rates += [[threads, interval, [factor * share / (2 * interval)]] for interval in (0.1, 0.005, 0.001)]
    latency = {str(threads): [1e-5 + 1e-3 * number for number in range(201)] for threads in (0, 1, 2, 4)}
    return {"intervals": [0.1, 0.005, 0.001], "rates": rates, "interval": 0.005, "latency": latency}


def convoy(wait: float, held: float) -> dict[str, Any]:
    """One request."""
    return {
        "interval": 0.005,
        "sent": 0,
        "answered": round(wait * 1e9),
        "latency": wait,
        "requests": 100,
        "paid": 90,
        "wait": wait,
        "waits": 1.0,
        "held": {"CPU thread": held, "I/O thread": 0.01},
    }


def interval(shortest: float, steps: float) -> dict[str, Any]:
    """The curve at 5 ms, 1 ms and 1 µs."""
    return {
        "points": [
            {"interval": 0.005, "steps": [100.0], "late": [0.005]},
            {"interval": 0.001, "steps": [99.0], "late": [0.001]},
            {"interval": 1e-6, "steps": [steps], "late": [shortest]},
        ]
    }


def thread_pool(last: float) -> dict[str, Any]:
    """One thread does 100 tasks/s, 16 do `last`."""
    return {
        "points": [
            {"size": 1, "rates": [100.0], "utilisation": 0.1, "waiting": 0.0},
            {"size": 16, "rates": [last], "utilisation": 0.99 if last < 1000 else 0.5, "waiting": 0.6},
        ]
    }


def inversion(stalled: float) -> dict[str, Any]:
    """Waits grow as the holder is stalled."""

    def run(share: float) -> dict[str, float]:
        return {
            "late": 0.005,
            "late_p99": 0.01,
            "stalled": share,
            "wait": 0.005 + 0.01 * share,
            "longest": 0.01 + 0.02 * share,
        }

    return {"runs": {"alone": run(0.02), "strangers": run(stalled)}, "strangers": 2}


def pools(processes: float) -> dict[str, Any]:
    """Two processes are so many times as fast as one."""
    names = {"ThreadPoolExecutor": 1.0, "ProcessPoolExecutor": processes, "Pool": processes}
    entries = {
        name: {"one": [1.0], "two": [1 / faster], "waiting": 0.0 if faster > 1 else 0.5}
        for name, faster in names.items()
    }
    return {"pools": entries, "steps": 100}


def nogil(faster: float) -> dict[str, Any]:
    """The loop without the GIL."""
    return {"held": [faster], "nogil": [1.0], "waiting": {"with GIL": 0.5, "nogil": 0.0}}


def releasing(hashing: float) -> dict[str, Any]:
    """Two threads hash so many times as much."""
    states = ("unknown", "released", "waiting", "holding", "running", "stalled", "native", "blocked")

    def entry(more: float) -> dict[str, Any]:
        shares = dict.fromkeys(states, 0.0)
        shares |= {"native": 1.0} if more > 1.3 else {"waiting": 0.5, "running": 0.5}
        return {"one": [1.0], "two": [more], "shares": shares}

    work = {"python": entry(max(1.0, hashing - 1)), "hashlib": entry(hashing), "sleep": entry(2.0)}
    return {"work": work, "left_out": ["numpy"]}


def small_arrays(large: float, small: float = 0.8) -> dict[str, Any]:
    """Two threads sum large arrays so many times as fast."""
    return {
        "points": [
            {"size": 100, "one": [1.0], "two": [small], "holding": 0.5, "waiting": 0.4, "native": 0.1},
            {"size": 1_000_000, "one": [1.0], "two": [large], "holding": 0.02, "waiting": 0.1, "native": 0.8},
        ]
    }


def free_threaded(own: float, shared: float) -> dict[str, Any]:
    """What two threads do without a GIL, on data of their own and shared."""

    def entry(faster: float, locked: float) -> dict[str, Any]:
        times = {build: {"one": [1.0], "two": [2 / more]} for build, more in (("gil", 0.9), ("free", faster))}
        return {
            **times,
            "locked": locked,
            "stopped": 0.0,
            "spins": 0.01,
            "lock": "the dict itself",
            "waits": 9,
        }

    ways = {way: entry(shared, 0.5) for way in ("one-list", "one-dict", "attribute", "class", "collect")}
    return {"ways": {"own-lists": entry(own, 0.0), **ways}, "steps": 100}


HOLDS: dict[str, dict[str, Any]] = {
    "every-way": every_way(1.9),
    "countdown": countdown(1.05),
    "old-gil": old_gil(1.9, 5000.0),
    "echo": echo(1.0),
    "convoy": convoy(0.00505, 0.97),
    "interval": interval(1e-4, 80.0),
    "thread-pool": thread_pool(700.0),
    "inversion": inversion(0.6),
    "pools": pools(1.9),
    "nogil": nogil(1.9),
    "free-threaded": free_threaded(1.9, 0.5),
    "releasing": releasing(1.9),
    "small-arrays": small_arrays(1.8),
}
"""As published."""

ELSE: dict[str, dict[str, Any]] = {
    "every-way": every_way(1.0),
    "countdown": countdown(0.5),
    "old-gil": old_gil(1.0, 10.0),
    "echo": echo(100.0),
    "convoy": convoy(0.03, 0.3),
    "interval": interval(0.01, 120.0),
    "thread-pool": thread_pool(1600.0),
    "inversion": inversion(0.02),
    "pools": pools(1.0),
    "nogil": nogil(1.0),
    "free-threaded": free_threaded(1.0, 1.8),
    "releasing": releasing(2.5),
    "small-arrays": small_arrays(1.0, 1.9),
}
"""Otherwise: at least one criterion is not met."""
