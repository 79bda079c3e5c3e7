"""Reasons: the concepts that take the most points, as lists of code, points and source."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_REASONS = 4
REASONS_TYPE = pa.list_(pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())]))


def adverse(points: FloatArray) -> tuple[IntArray, IntArray]:
    """(row, column) of the most adverse concepts of each row: up to MOST_REASONS below 0, the worst in any case."""
    worst = np.argsort(points, axis=1, kind="stable")[:, :MOST_REASONS]
    named = np.take_along_axis(points, worst, axis=1) < -0.05  # rounds to 0.0 otherwise
    named[:, :1] = True
    row, rank = np.nonzero(named)
    return row, worst[row, rank]


def reason_lists(size: int, owner: IntArray, code: pa.Array, points: FloatArray, source: pa.Array) -> pa.Array:
    """One list of reasons (code, points, source) for each of `size` rows; empty where a row owns none.

    Reasons of one row keep their order.
    """
    order = np.argsort(owner, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=size)))).astype(np.int32)
    entries = pa.StructArray.from_arrays(
        [code.take(pa.array(order)), pa.array(points[order]), source.take(pa.array(order))],
        fields=list(REASONS_TYPE.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), entries)
