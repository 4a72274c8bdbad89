"""What all tests share: the interpreters to record with.

GILSCOPE_PYTHONS (colon-separated paths) names them; the one that runs the tests is the default. The native
core is the same for all, so they need nothing installed.
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# A busy machine takes its time to think examples up, and it is not the code's.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def _interpreters() -> list[str]:
    return [path for path in os.environ.get("GILSCOPE_PYTHONS", "").split(os.pathsep) if path] or [
        sys.executable
    ]


@pytest.fixture(scope="session")
def interpreters() -> list[str]:
    """Paths of the interpreters to record with."""
    return _interpreters()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `interpreter` runs once with each."""
    if "interpreter" in metafunc.fixturenames:
        metafunc.parametrize("interpreter", _interpreters(), ids=os.path.basename)
