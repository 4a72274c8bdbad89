"""Limits that are not kept, as CI systems take them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analysis.commands.cli import main
from tests.analysis.why.code.test_charges import contended
from tests.synthetic import TraceWriter


def test_each_report_says_which_limit_and_which_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        contended(writer.process())
    junit, gitlab = tmp_path / "junit.xml", tmp_path / "quality.json"
    given = [
        str(tmp_path / "t.trace"),
        "--fail-if",
        "wait.max > 1us",
        "--fail-if",
        "wait.max > 1s",
        "--github",
    ]
    assert main([*given, "--junit", str(junit), "--gitlab", str(gitlab)]) == 1
    said = capsys.readouterr().out
    assert "::error file=lib.py,line=12,title=gilscope::wait.max is 3.20 µs; > 1us fails" in said
    suite = ElementTree.parse(junit).getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    broken, kept = suite.iter("testcase")
    assert broken.attrib["name"] == "not wait.max > 1us" and "lib.py:12" in str(broken[0].text)
    assert len(kept) == 0
    (issue,) = json.loads(gitlab.read_text())
    assert issue["location"] == {"path": "lib.py", "lines": {"begin": 12}}
    assert main([str(tmp_path / "t.trace"), "--github"]) == 2
    assert "--fail-if" in capsys.readouterr().err
