from ..arrays import Bytes, Int32s, Int64s

class Covered:
    times: Int64s
    counts: Int64s
    held: Int64s
    about: Int64s
    cells: Int64s
    held_cells: Int64s
    def __init__(
        self,
        begin: int,
        end: int,
        edges: Int64s,
        cpu_start: Int64s,
        cpu_state: Bytes,
    ) -> None: ...
    def cover(
        self,
        data: Bytes,
        packets: int,
        last_count: int,
        lives: Int64s,
        lanes: Int64s,
        locks: list[Int64s],
        gils: Int32s,
        several: int,
        rows: int,
    ) -> bool: ...
