"""Short names for the array types of this package, and what numpy itself would take long to begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Int8s = npt.NDArray[np.int8]
Int16s = npt.NDArray[np.int16]
UInt64s = npt.NDArray[np.uint64]
UInt32s = npt.NDArray[np.uint32]
UInt16s = npt.NDArray[np.uint16]
Float64s = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Table = npt.NDArray[np.void]
"""A structured array: one of the dtypes in analysis.dtypes."""

_Number = TypeVar("_Number", bound=np.generic)


def distinct(values: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """Return the distinct values, sorted.

    So does np.unique; but before its first answer it imports numpy's masked arrays, which no trace needs and
    every command on a small one would wait for.
    """
    ordered = np.sort(values)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def without(values: npt.NDArray[_Number], others: npt.NDArray[Any]) -> npt.NDArray[_Number]:
    """Return the distinct values that are not among the others, sorted: np.setdiff1d, as `distinct`."""
    mine, theirs = distinct(values), np.sort(others)
    there = np.searchsorted(theirs, mine, "right") - np.searchsorted(theirs, mine, "left")
    rest: npt.NDArray[_Number] = mine[there == 0]
    return rest


def among(values: npt.NDArray[Any], others: Iterable[int]) -> Bools:
    """Return which of some whole numbers are among others: np.isin, as `distinct`."""
    found = np.array(sorted(set(others)), np.int64)
    if not len(found):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(found, values), len(found) - 1)
    there: Bools = found[at] == values
    return there
