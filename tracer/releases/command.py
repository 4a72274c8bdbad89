"""`python -m tracer releases STATEMENT`: does it let go of the GIL?"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from analysis.destinations import json_text, say
from tracer.command.arguments import Parser
from tracer.errors import UsageError
from tracer.launcher import Target
from tracer.releases.recording import Call, Job, Recorded, interpreter_of, record, too_late

if TYPE_CHECKING:
    from tracer.releases.judgement import Judgement
    from tracer.releases.sizes import Threshold

_EXPECTED: Final = ("lets-go", "holds", "partly", "no-gil")

_LONGEST: Final = 10**6
"""Seconds: eleven days."""

_DESCRIPTION = """\
Say whether a statement lets go of the GIL: run it in a thread of its own, recorded, after a warm-up. Several
statements are the lines of one, as for timeit.
"""
_EPILOG = """\
"holds": more than 80 % of its time with the GIL, "lets go": less than 20 %, "partly": between. "In one piece"
is how long it keeps the GIL while another thread wants it. The exit status is 1 where --expect isn't met.

  gilscope releases -s "import numpy as np; x = np.random.rand(10**6)" "np.sort(x)"
  gilscope releases -s "import numpy as np; x = np.ones(n)" "np.add(x, x)" --sizes 1..1e5
  gilscope releases --python python3.14 --expect lets-go -s "import zlib; b = bytes(10**6)" "zlib.compress(b)"
"""


@dataclass(frozen=True)
class Question:
    """What a command line asks. The setup is the call's: without a GIL a second thread has its own data."""

    call: Call
    target: Target
    sizes: tuple[int, int] | None
    size: str
    expected: str | None
    limit: int
    json: bool


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status: 0, or 1 where the answer is not the expected one.

    Raises
    ------
    GilscopeError
        It can't be answered: what is asked is wrong, or fails.
    """
    question = parse(arguments)
    return _answer_sizes(question) if question.sizes else _answer(question)


def parse(arguments: Sequence[str]) -> Question:
    """Read a command line.

    Raises
    ------
    UsageError
        If it can't be done as asked.
    """
    from tracer.releases.sizes import read_range

    values = _parser().parse_args(arguments)
    if values.number is not None and values.number < 1:
        raise UsageError(f"-n {values.number}: from 1 call on")
    if values.repeat < 1:
        raise UsageError(f"-r {values.repeat}: from 1 run on")
    if not 1 <= values.limit <= _LONGEST:
        raise UsageError(f"--limit {values.limit}: from 1 to {_LONGEST} seconds")
    if not values.size.isidentifier():
        raise UsageError(f"--size {values.size}: a name that the statement uses, such as n")
    statement, setup = "\n".join(values.statement), "\n".join(values.setup or ["pass"])
    for text, what in ((statement, "the statement"), (setup, "the setup")):
        if "\0" in text:
            raise UsageError(f"{what} has a null character")
    return Question(
        call=Call("statement", statement, setup, values.number or 0, values.repeat),
        target=interpreter_of(values.python),
        sizes=read_range(values.sizes) if values.sizes else None,
        size=values.size,
        expected=values.expect,
        limit=values.limit,
        json=values.json,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="gilscope releases",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("statement", nargs="*", default=["pass"], metavar="STATEMENT", help="what to run (default: pass)")
    add("-s", "--setup", action="append", metavar="S", help="is run once before; several are its lines")
    add("-n", "--number", type=int, metavar="N", help="calls in a run (default: as many as take some time)")
    add("-r", "--repeat", type=int, default=5, metavar="N", help="runs (default: 5)")
    add("--sizes", metavar="A..B", help="look for the size, from A to B, from which on it lets go")
    add("--size", default="n", metavar="NAME", help="what statement and setup call the size (default: n)")
    add("--python", metavar="PATH", help="the interpreter (default: this one); it needs nothing of ours")
    add("--limit", type=int, default=300, metavar="S", help="seconds for all runs of it (default: 300)")
    add("--expect", choices=_EXPECTED, help="exit status 1 if that is not the verdict")
    add("--json", action="store_true", help="the figures for machines")
    return parser


def _answer(question: Question) -> int:
    from rich.console import Console

    from tracer.releases import words

    recorded, judgement = judged(question)
    if question.json:
        print(json_text({**_asked(question, recorded), **words.to_json(judgement)}), flush=True)
    else:
        words.print_judgement(Console(), question.call.statement, judgement, recorded.interpreter)
    return _status(question, judgement.verdict)


def judged(question: Question) -> tuple[Recorded, Judgement]:
    """Measure a statement; twice as long where the first verdict is unsure."""
    from tracer.releases.judgement import judge

    call = question.call
    for _ in range(2):
        recorded = record(Job([call], limit=question.limit), question.target)
        if recorded.failures:
            raise _no_verdict(question, recorded.failures[call.name])
        judgement = judge(recorded.calls[0])
        if judgement.verdict != "unsure":
            break
        call = replace(call, repeat=3 * call.repeat, budget=2 * call.budget)
    return recorded, judgement


def _answer_sizes(question: Question) -> int:
    from rich.console import Console

    from tracer.releases import words

    recorded, threshold = threshold_of(question)
    if question.json:
        answer = {
            **_asked(question, recorded),
            "lets_go_from": threshold.size,
            "exact": threshold.exact,
            "changes": threshold.changes,
            "sizes": {str(size): words.to_json(of) for size, of in threshold.points.items()},
        }
        print(json_text(answer), flush=True)
    else:
        words.print_threshold(
            Console(), question.call.statement, question.size, threshold, recorded.interpreter
        )
    return _status(question, threshold.points[max(threshold.points)].verdict)


def threshold_of(question: Question) -> tuple[Recorded, Threshold]:
    """Look for the size from which on a statement lets go."""
    from tracer.releases.judgement import judge
    from tracer.releases.sizes import threshold

    kept: list[Recorded] = []
    call = replace(question.call, repeat=3, asks=False, keeps=False)

    def measure(sizes: Iterable[int]) -> dict[int, Judgement]:
        calls = [replace(call, name=str(size), values={question.size: size}) for size in sizes]
        recorded = record(Job(calls, limit=question.limit), question.target)
        if not recorded.calls:
            raise _no_verdict(question, next(iter(recorded.failures.values())))
        kept.append(recorded)
        return {int(of.name): judge(of) for of in recorded.calls}

    low, high = question.sizes or (1, 1)
    found = threshold(measure, low, high)
    if not kept[0].interpreter["gil"]:
        raise UsageError("--sizes asks when a GIL is let go, and this Python runs without one")
    return kept[0], found


def _asked(question: Question, recorded: Recorded) -> dict[str, object]:
    about = recorded.interpreter
    return {
        "releases_version": 1,
        "statement": question.call.statement,
        "setup": question.call.setup,
        "python": about["version"],
        "free_threaded": about["free_threaded"],
    }


def _status(question: Question, verdict: str) -> int:
    if question.expected is None or verdict == question.expected.replace("-", " ").replace("gil", "GIL"):
        return 0
    say(f"expected {question.expected}, but the verdict is {verdict.replace(' ', '-').lower()}")
    return 1


def _no_verdict(question: Question, why: str) -> UsageError:
    more = " (--limit S allows more)" if why == too_late(question.limit) else ""
    return UsageError(f"no verdict on {_one_line(question.call.statement)}: {why}{more}")


def _one_line(statement: str) -> str:
    return " ".join(statement.split())[:60] or "pass"
