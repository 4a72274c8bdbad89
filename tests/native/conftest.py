"""The core and the fake interpreter, built once plain and once with each sanitizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from .build import build

SANITIZERS = {"plain": (), "address": ("address", "undefined"), "thread": ("thread",)}


@pytest.fixture(scope="session", params=SANITIZERS)
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, build(tmp_path_factory.mktemp(request.param), *SANITIZERS[request.param])
