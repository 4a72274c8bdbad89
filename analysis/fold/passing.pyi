from typing import Any

from ..arrays import Bytes, Int32s, Int64s

class Fold:
    def __init__(self, threads: int, gils: int, items: int, cursors: int) -> None: ...
    def cpus(self, start: Int64s, state: Bytes, preempted: Bytes, native: bool) -> None: ...
    def thread(
        self,
        at: int,
        process: int,
        tid: int,
        local: int,
        begin: int,
        end: int,
        unknown: bool,
        item: int,
        gils: Int32s,
        locks: Int64s,
        cpu_at: int,
        cpu_stop: int,
        cpu_end: int,
        native_time: Int64s,
        native_state: Bytes,
    ) -> None: ...
    def ask(self, at: int, times: Int64s, waited_by: Int64s) -> None: ...
    def gil(
        self,
        at: int,
        process: int,
        number: int,
        in_trace: int,
        base: int,
        trusted_until: int,
        interval: int,
        threads: int,
        sample_time: Int64s,
        sample_tid: Int64s,
    ) -> None: ...
    def cursor(self, at: int, data: Bytes, packets: int, last_count: int, lives: Int64s) -> None: ...
    def records(self, at: int, data: Bytes, lives: Int64s, ahead: int) -> None: ...
    def run(self) -> bool: ...
    def of_threads(self) -> tuple[Int64s, Int64s]: ...
    def of_cpus(self) -> tuple[Int64s, Int64s]: ...
    def stretches(self, at: int) -> list[Any]: ...
    def of_item(self, at: int) -> dict[str, Any]: ...
    def of_gil(self, at: int) -> dict[str, Any]: ...
    def pairs(self) -> tuple[Int64s, Int64s]: ...
