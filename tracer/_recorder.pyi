import os
from typing import TypedDict

SCHED_PROGRAM: int
SCHED_PROGRAM_ALONE: int
SCHED_PROCESS: int
CORE_PATH: str

class Status(TypedDict):
    recording: bool
    failure: int
    discarded: int
    gils: int
    streams: int

class SchedResult(TypedDict):
    events: int
    lost: int
    cpu_ns: int
    failure: int

def install() -> None: ...
def uninstall() -> None: ...
def start(directory: str | os.PathLike[str], environment: str, follow_forks: bool = True) -> str: ...
def stop() -> None: ...
def status() -> Status: ...
def name_thread(tid: int, name: str) -> None: ...
def process_directory() -> str: ...
def sched_start(directory: str | os.PathLike[str], environment: str, scope: int) -> str: ...
def sched_stop() -> SchedResult: ...
