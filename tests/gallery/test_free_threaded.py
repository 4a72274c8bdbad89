"""What the experiment without a GIL says of each speed-up."""

from __future__ import annotations

import pytest

from plots.gallery.experiments.free_threaded import why

WORK = {"locked": 0.0, "stopped": 0.0, "spins": 0.0, "lock": "", "waits": 0, "beside": 0.0}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (WORK, "waits for no lock"),
        (WORK | {"beside": 0.72}, "waits for no lock, the thread beside had no CPU: 72 %"),
        (WORK | {"stopped": 0.3, "beside": 0.4}, "the world is stopped: 30 %"),
        (
            WORK | {"locked": 0.21, "spins": 0.25, "lock": "the dict `shared_dict`", "waits": 28085},
            "the dict `shared_dict`: 21 %, tries again and again: 25 %",
        ),
    ],
)
def test_each_speed_up_is_explained(entry: dict[str, object], said: str) -> None:
    assert why(entry).replace("\u00a0", " ") == said


def test_results_of_before_can_be_drawn_anew() -> None:
    assert why({name: value for name, value in WORK.items() if name != "beside"}) == "waits for no lock"
