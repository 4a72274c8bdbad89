from ...amounts import Told
from ...arrays import Bools, Bytes, Int64s, UInt16s, UInt32s

class Scanned:
    packets: int
    records: int
    events: int
    lives: Int64s
    forked: Bools
    side: Int64s
    gils: tuple[int, ...]
    waited: dict[int, Told]
    begin: int
    end: int
    side_end: int
    stopped: bool

def scan(data: Bytes, pid: int) -> Scanned | None: ...
def decode(
    data: Bytes, packets: int, records: int, time: Int64s, kind: Bytes, gil: UInt16s, arg: UInt32s
) -> None: ...
