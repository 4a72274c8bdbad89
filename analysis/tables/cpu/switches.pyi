from ...arrays import Bytes, CpuNumbers, Int64s

class Between:
    def __init__(
        self,
        begin: Int64s,
        end: Int64s,
        exited: Bytes,
        known_end: bool,
        losses: tuple[Int64s, Int64s],
        of_cpus: tuple[Int64s, Int64s],
        of_cpu: Int64s,
    ) -> None: ...
    def stretches(
        self,
        time: Int64s,
        kind: Bytes,
        cpu: CpuNumbers,
        first: Int64s,
        preempted: Bytes,
        first_of: Int64s,
    ) -> int: ...

def of_lives(
    start: Int64s,
    state: Bytes,
    cpu: CpuNumbers,
    preempted: Bytes,
    low: int,
    high: int,
    task_end: int,
    begins: Int64s,
    ends: Int64s,
    times_preempted: Int64s,
    migrations: Int64s,
) -> int: ...
def all_running(
    start: Int64s, state: Bytes, first: Int64s, end: Int64s, cpus: int, times: Int64s
) -> Int64s: ...
