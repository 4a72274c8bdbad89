"""What is said of measurements: the verdict by its criterion, and texts whose numbers are theirs."""

from __future__ import annotations

from typing import Any

import pytest

from plots.gallery import published
from plots.gallery.experiment import Experiment, shape_of
from plots.gallery.experiments import EXPERIMENTS, countdown, echo, every_way
from plots.gallery.experiments.thread_pool import enough

from . import scenes
from .scenes import ELSE, HOLDS

by_name = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.NAME)


def test_every_experiment_has_synthetic_measurements_and_a_name_of_its_own() -> None:
    names = [experiment.NAME for experiment in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert set(names) == set(HOLDS) == set(ELSE)


@by_name
def test_the_published_shape_is_recognised(experiment: Experiment) -> None:
    shape = experiment.shape(HOLDS[experiment.NAME])
    assert shape.holds == "yes", shape.criterion


@by_name
def test_another_shape_is_not(experiment: Experiment) -> None:
    shape = experiment.shape(ELSE[experiment.NAME])
    assert shape.holds in ("no", "partly")
    assert ": no" in shape.criterion


@by_name
def test_texts_are_made_from_the_measurements(experiment: Experiment) -> None:
    for text in (experiment.title, experiment.caption):
        assert text(HOLDS[experiment.NAME]) != text(ELSE[experiment.NAME])
        assert not {"nan", "inf", "None"} & set(text(HOLDS[experiment.NAME]).split())


def test_a_shape_holds_in_part() -> None:
    assert shape_of({"a": True, "b": False}).holds == "partly"
    assert shape_of({"a": False}).holds == "no"
    assert shape_of({"a": True, "b": False}).criterion == "a: yes; b: no"
    with pytest.raises(ValueError):
        shape_of({})


def test_ratios_are_of_medians() -> None:
    values: dict[str, Any] = {
        "seconds": {"1 threads, 1 CPU": [1.0, 2.0, 9.0], "2 threads, 2 CPUs": [3.0, 1.0, 5.0]}
    }
    assert countdown.ratio(values, 2, "2 CPUs") == 1.5
    assert every_way.speed_up(HOLDS["every-way"], every_way.WAYS[0]) == 1.0


def test_a_title_says_how_far_ratios_lie_apart() -> None:
    values = scenes.every_way(1.9)
    assert every_way.title(values) == "Two workers are 1.0 × as fast with a shared GIL, 1.9 × without"
    values["ways"][every_way.WAYS[1].key]["two"] = [1 / 0.32]
    values["ways"][every_way.WAYS[-1].key]["two"] = [1 / 1.42]
    assert every_way.title(values) == "Two workers are 0.3–1.0 × as fast with a shared GIL, 1.4–1.9 × without"


def test_enough_threads_is_where_the_rate_stops_growing() -> None:
    points = [{"size": size, "rates": [rate]} for size, rate in ((1, 10.0), (2, 20.0), (4, 36.0), (8, 40.0))]
    assert enough({"points": points}) == 4


def test_published_figures_come_with_their_source() -> None:
    assert str(published.BEAZLEY) in countdown.PUBLISHED
    assert str(published.SKVORTSOV) in echo.PUBLISHED
    assert "30,000 alone" in echo.PUBLISHED
    assert "7.8 s sequential" in countdown.PUBLISHED
