"""Limits that are not kept, for a CI's pages: JUnit XML, GitHub's annotations, GitLab's code quality."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from ...destinations import visible
from ...why.code.charges import code_blame

if TYPE_CHECKING:
    from ...tables.trace import Trace
    from .gate import Failure, Limit


def worst_line(trace: Trace) -> tuple[str, int] | None:
    """Return file and line of the code that made others wait most; None if it is not known."""
    lines = code_blame(trace).lines
    known = np.flatnonzero(lines["code"] >= 0)
    if not len(known):
        return None
    row = lines[known[0]]
    code = trace.codes[row["code"]]
    return visible(code.file), int(row["line"]) or code.first_line


def junit(trace: Trace, limits: Sequence[Limit], texts: Sequence[str], failures: Sequence[Failure]) -> str:
    """Return a JUnit report: a case for each limit (`texts` are as they were written)."""
    broken = len({id(failure.limit) for failure in failures})
    suite = ElementTree.Element(
        "testsuite", name="gilscope", tests=str(len(texts)), failures=str(broken), errors="0"
    )
    at = worst_line(trace)
    for limit, text in zip(limits, texts, strict=True):
        case = ElementTree.SubElement(suite, "testcase", classname="gilscope", name=f"not {visible(text)}")
        mine = [failure for failure in failures if failure.limit is limit]
        if mine:
            said = "\n".join(visible(str(failure)) for failure in mine)
            found = ElementTree.SubElement(case, "failure", message=said.splitlines()[0])
            found.text = said + (f"\n{at[0]}:{at[1]} made others wait most" if at else "")
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def github(trace: Trace, failures: Sequence[Failure]) -> list[str]:
    """Return workflow commands, a line each: GitHub shows them beside the code."""
    at = worst_line(trace)
    place = f"file={_property(at[0])},line={at[1]}," if at else ""
    return [f"::error {place}title=gilscope::{_data(str(failure))}" for failure in failures]


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab(trace: Trace, failures: Sequence[Failure]) -> str:
    """Return a code quality report."""
    path, line = worst_line(trace) or ("", 1)
    issues: list[dict[str, Any]] = [
        {
            "description": visible(str(failure)),
            "check_name": "gilscope",
            "fingerprint": hashlib.sha256(f"{failure.limit}{failure.subject}".encode()).hexdigest()[:32],
            "severity": "major",
            "location": {"path": path, "lines": {"begin": line}},
        }
        for failure in failures
    ]
    return json.dumps(issues, indent=2) + "\n"
