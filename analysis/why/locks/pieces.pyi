from ...arrays import Int32s, Int64s, UInt64s
from ...tables.locks.hands import Hands

class Pieces:
    def __init__(self, hands: Hands) -> None: ...
    def table(self) -> Int64s: ...
    def by_thread(self, waiter: Int32s, threads: int) -> Int64s: ...
    def by_line(
        self, waiter: Int32s, threads: int, group: Int64s, place: Int64s, places: int
    ) -> tuple[Int64s, UInt64s]: ...
    def waited_meanwhile(
        self,
        queue: Int64s,
        queues: int,
        here: Int64s,
        before: Int64s,
        first: Int64s,
        since: Int64s,
        until: Int64s,
    ) -> Int64s: ...
