from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.support import Launcher


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)
