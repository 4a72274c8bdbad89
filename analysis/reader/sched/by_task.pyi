from typing import Final

from ...arrays import Bytes, CpuNumbers, Int64s

HIGHEST: Final[int]

class Streams:
    def look(
        self, data: Bytes, counts: Int64s, begins: Int64s, ends: Int64s, cpu: int, begin: int
    ) -> tuple[int, int, int, Int64s]: ...
    def in_order(self) -> tuple[Int64s, Int64s, Int64s, Bytes, CpuNumbers] | None: ...

def move(column: Bytes, to: int, begin: int, end: int) -> None: ...
