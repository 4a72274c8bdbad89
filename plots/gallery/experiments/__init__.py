"""The experiments, in the order of the lecture."""

from __future__ import annotations

from typing import Final

from ..experiment import Experiment
from . import (
    convoy,
    countdown,
    echo,
    every_way,
    free_threaded,
    interval,
    inversion,
    nogil,
    old_gil,
    pools,
    releasing,
    small_arrays,
    thread_pool,
)

EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    every_way,
    countdown,
    old_gil,
    echo,
    convoy,
    interval,
    thread_pool,
    inversion,
    pools,
    nogil,
    free_threaded,
    releasing,
    small_arrays,
)
