"""A recording's figures while it goes on, for Prometheus: counters by thread name pattern, a histogram."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..errors import GilscopeError
from ..model import HELD, State, total
from ..states import LOCK_STATES
from .second import Second

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

_READY: Final = (State.READY, State.STALLED)
MOST_PATTERNS: Final = 50
OTHERS: Final = "other"
BUCKETS: Final = (1e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Seconds. 5 ms, the switch interval, is one of the bounds."""


def pattern(name: str) -> str:
    """Return the name of a thread with what numbers it left out: worker-1 and worker-2 are worker-*."""
    return re.sub(r"[0-9]+", "*", name)


class Metrics:
    """Sums over all windows that were added. The series are bounded: names beyond 50 patterns are one."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ImportError:
            raise GilscopeError(
                "--metrics needs the package prometheus_client: pip install prometheus_client"
            ) from None
        self.registry: CollectorRegistry = CollectorRegistry()
        registry = self.registry

        def counter(name: str, what: str) -> Counter:
            return Counter(f"gilscope_{name}_seconds", what, labelnames=["thread"], registry=registry)

        self._held = counter("held", "Time that threads held the GIL")
        self._waited = counter("waited", "Time that threads waited for the GIL")
        self._without = counter("released", "Time that threads spent without the GIL, not waiting for it")
        self._ready = counter("ready", "Time that threads could have run and had no CPU, where that is known")
        self._locked = counter("locked", "Time that threads waited for locks other than the GIL")
        self._waits = Histogram(
            "gilscope_wait_seconds", "Waits for the GIL that ended", buckets=BUCKETS, registry=registry
        )
        self._threads = Gauge("gilscope_threads", "Threads that lived in the last window", registry=registry)
        self._longest_hold = Gauge(
            "gilscope_longest_hold_seconds", "Longest hold of the last window", registry=registry
        )
        self._lost = Gauge("gilscope_lost_events", "Events that the recorder lost", registry=registry)
        self._patterns: set[str] = set()

    def add(self, second: Second) -> None:
        """Add a window; windows must not overlap."""
        for thread in second.threads:
            label = self._label(thread.name)
            self._held.labels(label).inc(total(thread.time, HELD) / 1e9)
            self._waited.labels(label).inc(thread.time[State.WAITING] / 1e9)
            self._ready.labels(label).inc(total(thread.time, _READY) / 1e9)
            self._locked.labels(label).inc(total(thread.time, LOCK_STATES) / 1e9)
            rest = sum(thread.time.values()) - total(thread.time, HELD) - thread.time[State.WAITING]
            self._without.labels(label).inc((rest - thread.time[State.UNKNOWN]) / 1e9)
        self._observe(second.waits)
        self._threads.set(len(second.threads))
        self._longest_hold.set(second.longest_hold / 1e9)
        self._lost.set(second.lost)

    def _label(self, name: str) -> str:
        label = pattern(name)
        if label not in self._patterns and len(self._patterns) >= MOST_PATTERNS:
            return OTHERS
        self._patterns.add(label)
        return label

    def _observe(self, waits: Iterable[int]) -> None:
        for wait in waits:
            self._waits.observe(wait / 1e9)


def serve(metrics: Metrics, where: str) -> str:
    """Serve the metrics at [HOST:]PORT from a thread of this process; return the address.

    Raises
    ------
    GilscopeError
        It is no address, or taken.
    """
    from prometheus_client import start_http_server

    host, _, port = where.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise GilscopeError(f"--metrics {where}: [HOST:]PORT, as in 9464 or 127.0.0.1:9464")
    host = host or "127.0.0.1"
    try:
        server, _ = start_http_server(int(port), addr=host, registry=metrics.registry)
    except OSError as error:
        raise GilscopeError(f"--metrics {where}: {error.strerror or error}; choose another port") from None
    return f"http://{host}:{server.server_port}/metrics"
