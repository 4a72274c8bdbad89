"""What a word that threads wait for belongs to: what reaches `type` is an object, and text is a name."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from analysis.model import LockKind
from tests.launcher.support import Launcher

LOOKS_LIKE_ONE = """
import ctypes, struct, threading, time

# Nodes of a list that link each other where objects have their types, with the bit that metatypes have.
node = (ctypes.c_char * 1024)()
place = ctypes.addressof(node)
for at in range(0, 1024, 8):
    node[at : at + 8] = struct.pack("<Q", place)
node[168:176] = struct.pack("<Q", 1 << 31)
head = (ctypes.c_char * 64)()
mutex = (ctypes.addressof(head) + 31) & ~15
at = mutex - ctypes.addressof(head)
head[at - 8 : at] = struct.pack("<Q", place)
take, release = ctypes.pythonapi.PyMutex_Lock, ctypes.pythonapi.PyMutex_Unlock


def wait():
    take(ctypes.c_void_p(mutex))
    release(ctypes.c_void_p(mutex))


take(ctypes.c_void_p(mutex))
thread = threading.Thread(target=wait)
thread.start()
time.sleep(0.1)
release(ctypes.c_void_p(mutex))
thread.join()
print(mutex)
"""

LONG = """
import threading, time


class Owner:
    def __init__(self):
        self.lock = threading.Lock()

    def work(self):
        with self.lock:
            time.sleep(0.02)


Owner.__name__ = "x" + "é" * 80
owner = Owner()
threads = [threading.Thread(target=owner.work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.skipif(
    sys.version_info < (3, 13) or sysconfig.get_config_var("Py_GIL_DISABLED"),
    reason="objects' types are elsewhere",
)
def test_memory_that_links_itself_is_no_object(launcher: Launcher) -> None:
    run = launcher.record(LOOKS_LIKE_ONE, options=("--no-sched", "--no-png", "--no-samples"))
    (lock,) = (each for each in run.load().locks if each.address == int(run.stdout))
    assert (lock.kind, lock.type) == (LockKind.UNKNOWN, "")


def test_a_long_name_is_cut_between_characters(launcher: Launcher) -> None:
    trace = launcher.record(LONG, options=("--no-sched", "--no-png", "--no-samples")).load()
    names = {owner.type for lock in trace.locks for owner in lock.owners if owner.function == "Owner.work"}
    assert names == {"x" + "é" * 49}
