from ..arrays import Bytes, Int16s, Int32s, Int64s, UInt32s

def keep_intervals(
    data: Bytes,
    packets: int,
    last_count: int,
    lives: Int64s,
    lanes: Int64s,
    locks: list[Int64s],
    gils: Int32s,
    cpu_start: Int64s,
    cpu_state: Bytes,
    starts: Int64s,
    states: Bytes,
    kinds: Bytes,
    places: Int16s,
    more: UInt32s,
    timed_begin: Int64s,
    timed_end: Int64s,
    timed_gil: Int16s,
) -> list[tuple[int, Int64s, Int64s, int]] | None: ...
