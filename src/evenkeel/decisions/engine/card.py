"""A scorecard laid out flat, so that a handful of rows is scored in microseconds.

`Scorecard` looks tables up one feature at a time, which is quick for a million rows and slow for ten. Here all edges
and tables lie in arrays and one compiled loop walks them. Entries are multiples of 2**-32, so the sums are the same to
the last bit in either order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.scorecard import Scorecard

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FlatCard:
    """A scorecard over the columns of a matrix."""

    columns: IntArray  # (f,) the matrix column of each feature
    edges: FloatArray
    edge_from: IntArray  # (f + 1,)
    specials: FloatArray
    special_from: IntArray  # (f + 1,)
    values: FloatArray
    value_from: IntArray  # (f + 1,)
    pairs: IntArray  # (p, 5): features, where groups of each begin, where values begin
    groups: IntArray
    widths: IntArray  # (p,)
    pair_values: FloatArray
    intercept: float
    offset: float
    factor: float

    def log_odds(self, matrix: FloatArray) -> FloatArray:
        """ln odds of the bad, a row of the matrix each; NaN is not known. Returns (n,)."""
        found: FloatArray = _log_odds(
            matrix, self.columns, self.edges, self.edge_from, self.specials, self.special_from, self.values,
            self.value_from, self.pairs, self.groups, self.widths, self.pair_values, self.intercept,
        )  # fmt: skip
        return found

    def scores(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Score (higher is safer) and probability of the bad."""
        log_odds = self.log_odds(matrix)
        return self.offset - self.factor * log_odds, sigmoid(log_odds)


def flat_card(card: Scorecard, names: Sequence[str]) -> FlatCard:
    """A scorecard for a matrix with these columns.

    Raises InvalidInput where it reads a column that is not there, or texts.
    """
    place = {name: at for at, name in enumerate(names)}
    for feature in card.features:
        if feature.levels is not None or feature.name not in place:
            what = "reads texts" if feature.levels is not None else "is not among the features"
            raise InvalidInput(
                f"the model's column `{feature.name}` {what}, so it cannot decide live.",
                "Train the model on features of evenkeel/behaviour/shipped/features.toml.",
            )
    pairs, widths, groups, pair_values = [], [], [], []
    groups_at = values_at = 0
    for pair in card.pairs:
        pairs.append((pair.first, pair.second, groups_at, groups_at + len(pair.first_groups), values_at))
        widths.append(pair.values.shape[1])
        groups += [pair.first_groups, pair.second_groups]
        groups_at += len(pair.first_groups) + len(pair.second_groups)
        pair_values.append(pair.values.ravel())
        values_at += pair.values.size
    return FlatCard(
        np.array([place[feature.name] for feature in card.features], np.int64),
        *_joined([feature.edges for feature in card.features]),
        *_joined([np.array(feature.specials, np.float64) for feature in card.features]),
        *_joined(list(card.tables)),
        np.array(pairs, np.int64).reshape(-1, 5), np.concatenate([*groups, np.empty(0, np.int64)]).astype(np.int64),
        np.array(widths, np.int64), np.concatenate([*pair_values, np.empty(0)]),
        card.intercept, card.scaling.offset, card.scaling.factor,
    )  # fmt: skip


def _joined(parts: Sequence[FloatArray]) -> tuple[FloatArray, IntArray]:
    starts = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    return np.concatenate([*parts, np.empty(0)]), starts


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def side_by_side(features: Any, numbers: Any, width: Any, null: Any) -> Any:
    """(n, k + width) float64: features (n, k), then the first `width` of whole numbers (n, m), which are below 2**53;
    NaN where one is `null`, or where there are fewer."""
    first = features.shape[1]
    result = np.empty((len(features), first + width))
    for row in range(len(features)):
        result[row, :first] = features[row]
        for place in range(width):
            known = place < numbers.shape[1] and numbers[row, place] != null
            result[row, first + place] = numbers[row, place] if known else np.nan
    return result


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _log_odds(  # type: ignore[no-untyped-def]
    matrix: Any, columns, edges, edge_from, specials, special_from, values, value_from, pairs, groups, widths,
    pair_values, intercept,
):  # fmt: skip
    count = len(columns)
    result = np.empty(len(matrix))
    codes = np.empty(count, np.int64)
    for row in range(len(matrix)):
        total = intercept
        for feature in range(count):
            value = matrix[row, columns[feature]]
            first, last = edge_from[feature], edge_from[feature + 1]
            if np.isnan(value):
                code = value_from[feature + 1] - value_from[feature] - 1
            else:
                low, high = first, last
                while low < high:
                    middle = (low + high) // 2
                    if edges[middle] <= value:
                        low = middle + 1
                    else:
                        high = middle
                code = low - first
                for place in range(special_from[feature], special_from[feature + 1]):
                    if specials[place] == value:
                        code = last - first + 1 + place - special_from[feature]
            codes[feature] = code
            total += values[value_from[feature] + code]
        for pair in range(len(pairs)):
            first_group = groups[pairs[pair, 2] + codes[pairs[pair, 0]]]
            second_group = groups[pairs[pair, 3] + codes[pairs[pair, 1]]]
            total += pair_values[pairs[pair, 4] + first_group * widths[pair] + second_group]
        result[row] = total
    return result
