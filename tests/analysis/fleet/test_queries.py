"""The queries of docs/fleets.md: what other programs read from summaries is what we wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis.fleet import schema
from analysis.fleet.summarise import summaries

from .programs import trace

pytest.importorskip("pyarrow")

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "fleets.md").read_text()
BLOCKS = re.findall(r"^```(sql|python)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def block(having: str) -> str:
    (found,) = [code for _, code in BLOCKS if having in code]
    return str(found)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "summaries").mkdir()
    for number, release in enumerate(["1.3", "1.4"]):
        loaded = analysis.load(trace(tmp_path / f"{number}.trace", pids=(100 + number,), scale=number + 1))
        rows = schema.table(list(summaries(loaded, {"release": release, "service": "shop"})))
        schema.write(rows, str(tmp_path / "summaries" / f"{number}.parquet"))
    monkeypatch.chdir(tmp_path)


def test_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    assert duckdb.sql(block("FROM 'summaries")).fetchall() == [("shop", 7500 / 1e9, 2)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_polars() -> None:
    pytest.importorskip("polars")
    found: dict[str, Any] = {}
    exec(block("import polars"), found)
    rows = found["lines"].select("function", "line", "waited_ns").rows()
    assert rows == [("work", 10, 4500), ("other", 20, 3000)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pandas() -> None:
    pytest.importorskip("pandas")
    found: dict[str, Any] = {}
    exec(block("import pandas"), found)
    an_hour = found["an_hour"]
    assert an_hour["waited_ns"].round(6).tolist() == [3600 * 2500 / 4000] * 2
    assert an_hour["held_ns"].round(6).tolist() == [3600 * 3600 / 4000] * 2


def test_the_columns_are_described() -> None:
    section = TEXT.partition("## Columns")[2]
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    described = [name for cell in first for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(described) == sorted(schema.schema().names)
