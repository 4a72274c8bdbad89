"""What a mark and a span cost: ns a call, recorded and not, beside an empty with-block; and instructions.

    python -m benchmarks.marks [--short]

Each figure is the least of several rounds, less an empty loop's. Instructions are counted by `perf stat`
where there is one that may; else that column is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

CASES: Final = {
    "nothing": "pass",
    "empty with": "with nothing: pass",
    "mark": "mark('GET /x')",
    "span": "with span('parse'): pass",
}
PROGRAM: Final = """
import sys, time, tracer
class Nothing:
    def __enter__(self): pass
    def __exit__(self, *rest): pass
def run(count, mark=tracer.mark, span=tracer.span, nothing=Nothing()):
    begin = time.perf_counter_ns()
    for _ in range(count):
        {statement}
    return (time.perf_counter_ns() - begin) / count
count, where = int(sys.argv[1]), sys.argv[2]
if where:
    tracer.start(where, sched=False)
print(min(run(count) for _ in range(5)))
"""


def measured(statement: str, count: int, record: bool) -> tuple[float, float | None]:
    """Return ns and instructions of a statement, also of the loop around it."""
    with tempfile.TemporaryDirectory() as directory:
        where = str(Path(directory, "t")) if record else ""
        command = [sys.executable, "-c", PROGRAM.format(statement=statement), str(count), where]
        counter = ["perf", "stat", "-x,", "-e", "instructions:u"] if shutil.which("perf") else []
        done = subprocess.run([*counter, *command], capture_output=True, text=True, check=True)
        found = re.search(r"^(\d+),,instructions", done.stderr, re.MULTILINE)
    return float(done.stdout), int(found[1]) / (5 * count) if found else None


def main() -> None:
    count = 50_000 if "--short" in sys.argv[1:] else 1_000_000
    for record in (False, True):
        print("recorded" if record else "not recorded")
        nothing = measured(CASES["nothing"], count, record)
        empty = 0.0
        for name, statement in CASES.items():
            if name == "nothing":
                continue
            time, instructions = measured(statement, count, record)
            time -= nothing[0]
            empty = empty or time
            more = ""
            if instructions is not None and nothing[1] is not None:
                more = f"   {instructions - nothing[1]:7.0f} instructions"
            print(f"  {name:12} {time:7.1f} ns   {time / empty:5.2f} × the empty with-block{more}")


if __name__ == "__main__":
    main()
