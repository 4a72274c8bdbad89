"""Functions of every kind in threads that contend. At the end: which lines each has, as JSON."""

# mypy: ignore-errors

import asyncio
import json
import re
import sys
import threading
import time
from pathlib import Path

TURNS = int(sys.argv[1])
turns = {}


def spin(n=2000):
    total = 0
    for i in range(n):
        total += i
    time.sleep(0)
    return total


def nested():
    def middle():
        def innermost():
            spin()

        innermost()

    middle()


def sorting():
    numbers = list(range(5000, 0, -1))
    numbers.sort(key=lambda number: -number)
    sorted(numbers)


def matching():
    # fmt: off
    re.match("(a?){16}a{16}$",
             "a" * 16)
    # fmt: on


def generating():
    def numbers():
        for _ in range(3):
            yield spin(200)

    def delegating():
        yield from numbers()

    return sum(delegating())


def looping():
    async def waits():
        await asyncio.sleep(0)
        return spin()

    async def gathers():
        return await asyncio.gather(waits(), waits())

    asyncio.run(gathers())


def comprehending():
    return [[spin(50) for _ in range(3)] for _ in range(3)]


def defining():
    class Body:
        values = spin()

        class Inner:
            values = spin()

    return Body


def executing():
    exec(compile("\n\nresult = spin()\n\n\nspin()", "<exec'd>", "exec"), {"spin": spin})


def größe():
    def 名前():
        spin()

    名前()


def recursing(depth=150):
    if depth:
        return recursing(depth - 1)
    return spin()


def raising():
    try:
        raise ValueError
    except ValueError:
        spin()
    finally:
        spin()


KINDS = [
    nested,
    sorting,
    matching,
    generating,
    looping,
    comprehending,
    defining,
    executing,
    größe,
    recursing,
    raising,
]


def run(kind):
    while min(turns.values()) < TURNS:
        kind()
        turns[kind] += 1


def codes_in(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from codes_in(constant)


def main():
    turns.update(dict.fromkeys(KINDS, 0))
    threads = [threading.Thread(target=run, args=(kind,), name=kind.__name__) for kind in KINDS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    functions = {}
    whole = compile(Path(__file__).read_bytes(), __file__, "exec")
    for code in codes_in(whole):
        lines = [line for _, _, line in code.co_lines() if line]
        functions[code.co_qualname] = {"first": code.co_firstlineno, "lines": sorted(set(lines))}
    Path(sys.argv[2]).write_text(json.dumps(functions))


if __name__ == "__main__":
    main()
