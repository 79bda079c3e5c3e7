"""Shares of a change that fall to the factors which changed together, exactly."""

from __future__ import annotations

from math import factorial

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


def shapley(worth: FloatArray) -> FloatArray:
    """What each factor adds, averaged over every order in which the factors may change (Shapley 1953).

    worth: (2^n, ...) the result where the factors of a coalition have changed and the others have not; bit k of a place
    says whether factor k has. Returns (n, ...), whose sum over factors is worth[-1] - worth[0]. A factor that never
    changes a result gets exactly 0, two that change all results alike get the same, and parts of a sum add up.
    Raises InvalidInput where the number of coalitions is no power of two.
    """
    size = len(worth)
    factors = size.bit_length() - 1
    if size != 1 << factors:
        raise InvalidInput(f"{size} coalitions are given; of n factors there are 2^n.")
    places = np.arange(size)
    members = np.array([place.bit_count() for place in range(size)])
    weight = np.array([factorial(k) * factorial(factors - 1 - k) / factorial(factors) for k in range(factors)])
    parts = np.zeros((factors, *worth.shape[1:]))
    for factor in range(factors):
        without = places[(places >> factor) & 1 == 0]
        added = worth[without | (1 << factor)] - worth[without]
        parts[factor] = np.tensordot(weight[members[without]], added, axes=1)
    return parts


def nested_rates(counts: FloatArray, events: FloatArray, shift: FloatArray) -> FloatArray:
    """Rates of every mixture of two periods, for `shapley`: what the rate would be had only some factors changed.

    counts, events: (2, d, a, b, ...) members of each cell in both periods, and those of them with the event, for d
    draws; the cell's axes are attributes in the order in which each is shared out within those before. shift: of the
    same shape, the part of each cell's rate that an outside factor explains, the same for all where there is none.

    The rate is sum over cells of w(a) w(b|a) ... (quality + shift), quality = events / counts - shift (Das Gupta 1993).
    Factors, by bit: one for each attribute's shares, then quality, then shift. Where a cell is empty in one period, the
    other's value stands in its place, so that it is no change. Returns (2^n, d, a): summed over all but the first
    attribute, whose parts therefore add up to the whole.
    """
    depth = counts.ndim - 2
    shares = [_shares(counts, axis) for axis in range(depth)]
    filled = counts > 0
    rate = np.divide(events, counts, out=np.zeros_like(events), where=filled)
    quality = _from_other(rate - shift, filled)
    outside = _from_other(shift, filled)
    result = np.empty((1 << (depth + 2), *counts.shape[1:3]))
    for place in range(len(result)):
        cells = quality[place >> depth & 1] + outside[place >> (depth + 1) & 1]
        for axis in reversed(range(depth)):
            cells = cells * shares[axis][place >> axis & 1]
            if axis:
                cells = cells.sum(axis=-1)
        result[place] = cells
    return result


def _shares(counts: FloatArray, axis: int) -> FloatArray:
    """(2, d, ... up to `axis`) share of each value of an attribute within the values of the ones before it."""
    level = counts.sum(axis=tuple(range(axis + 3, counts.ndim)))
    group = level.sum(axis=-1, keepdims=True)
    filled = np.broadcast_to(group > 0, level.shape)
    share = np.divide(level, group, out=np.zeros_like(level), where=filled)
    return _from_other(share, filled)


def _from_other(values: FloatArray, filled: npt.NDArray[np.bool_]) -> FloatArray:
    """(2, ...) values, the other period's where one has none."""
    both = np.stack([np.where(filled[0], values[0], values[1]), np.where(filled[1], values[1], values[0])])
    return np.where(filled.any(axis=0), both, 0.0)
