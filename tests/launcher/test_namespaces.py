"""Namespaces that are for a process of one thread: the recorder's own goes meanwhile, and comes back."""

from __future__ import annotations

import subprocess

import pytest

from tests.launcher.support import Launcher

CALLS = {
    "made": "os.unshare(os.CLONE_NEWUSER)",
    "entered": "os.setns(os.open('/proc/self/ns/mnt', os.O_RDONLY), os.CLONE_NEWNS)",
}


@pytest.mark.parametrize("options", [(), ("--no-samples",)], ids=["samples", "no samples"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_namespace_that_wants_one_thread(
    launcher: Launcher, interpreter: str, call: str, options: tuple[str, ...]
) -> None:
    if subprocess.run([interpreter, "-c", f"import os; {call}"], capture_output=True).returncode != 0:
        pytest.skip("no os.unshare and os.setns (before 3.12), or not allowed here")
    source = f"""
    import glob, os, time
    {call}
    def helpers():
        found = []
        for path in glob.glob("/proc/self/task/*/comm"):
            with open(path) as comm:
                found.append(comm.read())
        return found.count("gilscope helper\\n")
    until = time.monotonic() + 60
    while not helpers() and time.monotonic() < until:
        pass
    print(helpers())
    """
    run = launcher.record(source, options=("--python", interpreter, *options))
    assert run.stdout == "1\n"
    assert len(run.load().threads) == 1
