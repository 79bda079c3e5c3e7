"""The stepped half of the additive scorecard: boosted trees of one feature or one pair, read off as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evenkeel.scoring.scorecard import CodeArray, Feature

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_MOST_TREES = 2000
_PATIENCE = 80  # trees without a gain on the rows set apart, then it stops
_APART = 0.1  # of the rows, to see when to stop
_FEWEST_APART = 20  # of either class among all rows; fewer set nothing apart, and few trees are grown
_FEW_TREES = 60
_MOST_ROWS = 500_000  # drawn for one boosted model; the smooth half is of all rows


class Binned(Protocol):
    """A column in codes. order: a rank for each code by which neighbours are alike, -1 for special codes."""

    @property
    def feature(self) -> Feature: ...
    @property
    def codes(self) -> CodeArray: ...
    @property
    def order(self) -> IntArray: ...


class Linked(Protocol):
    """A pair of columns by place."""

    @property
    def first(self) -> int: ...
    @property
    def second(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Steps:
    """ln odds = intercept + tables[column][code] + pairs[link][code of first, code of second]."""

    intercept: float
    tables: tuple[FloatArray, ...]
    pairs: tuple[FloatArray, ...]


def bags_for(rows: int) -> int:
    """How many boosted models are averaged: many where rows are few and the models differ, few where they are many."""
    return 8 if rows < 5_000 else 3 if rows < 60_000 else 2 if rows < 500_000 else 1


def fit_steps(
    columns: Sequence[Binned], links: Sequence[Linked], bad: BoolArray, unit: FloatArray, seed: int, bags: int | None
) -> Steps:
    """Boost, each model stopped by rows set apart by seed, and average the tables that the models are."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # a second to load; most commands fit nothing

    grid = _Grid(columns, links)
    inputs = grid.inputs
    total = np.zeros(len(grid.rows))
    count = bags if bags is not None else bags_for(len(bad))
    enough = min(int(bad.sum()), int((~bad).sum())) >= _FEWEST_APART
    for bag in range(count):
        model = HistGradientBoostingClassifier(
            learning_rate=0.1, max_leaf_nodes=3, max_features=0.5, min_samples_leaf=5, l2_regularization=1.0,
            max_iter=_MOST_TREES if enough else _FEW_TREES, early_stopping=enough, validation_fraction=_APART,
            n_iter_no_change=_PATIENCE, scoring="loss", interaction_cst=grid.groups, monotonic_cst=grid.directions,
            random_state=seed * 1000 + bag,
        )  # fmt: skip
        drawn = _drawn(len(bad), seed * 1000 + bag)
        total += model.fit(inputs[drawn], bad[drawn], sample_weight=unit[drawn]).decision_function(grid.rows)
    return grid.steps(total / count)


def _drawn(rows: int, seed: int) -> IntArray | slice:
    """The rows of one boosted model: all, or as many as it may have, drawn by seed."""
    if rows <= _MOST_ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST_ROWS])


class _Grid:
    """Rows that show what a model of single features and pairs does with every code and every pair of codes.

    A model F of such terms is, with r a row at rest and r(i=c) the same row with feature i at code c:
    F(r) + sum of [F(r(i=c)) - F(r)] + sum of [F(r(i=c, j=d)) - F(r(i=c)) - F(r(j=d)) + F(r)] over the pairs (the
    functional decomposition anchored at r, Kuo et al. 2010), exactly.
    """

    def __init__(self, columns: Sequence[Binned], links: Sequence[Linked]) -> None:
        self.columns, self.links = columns, links
        self.views = [self._view(column) for column in columns]
        self.starts = np.concatenate(([0], np.cumsum([view.shape[1] for view in self.views]))).astype(int)
        self.inputs = np.column_stack([view[column.codes] for view, column in zip(self.views, columns, strict=True)])
        own = [list(range(self.starts[i], self.starts[i + 1])) for i in range(len(columns))]
        self.groups = [*own, *(own[link.first] + own[link.second] for link in links)]
        self.directions = [
            column.feature.trend if place == 0 else 0
            for column, view in zip(columns, self.views, strict=True) for place in range(view.shape[1])
        ]  # fmt: skip
        self.rows = self._rows()

    @staticmethod
    def _view(column: Binned) -> FloatArray:
        """What the trees see of each code (codes, 1 + special values): its order, NaN where it has none, and marks."""
        feature, size = column.feature, column.feature.size
        order = np.where(column.order >= 0, column.order, np.nan)
        marks = np.zeros((size, len(feature.specials)))
        for place in range(len(feature.specials)):
            marks[feature.bins + place, place] = 1.0
        return np.column_stack((order, marks))

    def _rows(self) -> FloatArray:
        rest = np.concatenate([view[0] for view in self.views])
        parts = [rest[None, :]]
        for place, view in enumerate(self.views):
            rows = np.repeat(rest[None, :], len(view), axis=0)
            rows[:, self.starts[place] : self.starts[place + 1]] = view
            parts.append(rows)
        for link in self.links:
            first, second = self.views[link.first], self.views[link.second]
            rows = np.repeat(rest[None, :], len(first) * len(second), axis=0)
            rows[:, self.starts[link.first] : self.starts[link.first + 1]] = np.repeat(first, len(second), axis=0)
            rows[:, self.starts[link.second] : self.starts[link.second + 1]] = np.tile(second, (len(first), 1))
            parts.append(rows)
        return np.concatenate(parts)

    def steps(self, log_odds: FloatArray) -> Steps:
        """The tables that a model is, from its ln odds of `rows`."""
        rest, at = float(log_odds[0]), 1
        tables = []
        for view in self.views:
            tables.append(log_odds[at : at + len(view)] - rest)
            at += len(view)
        pairs = []
        for link in self.links:
            shape = len(self.views[link.first]), len(self.views[link.second])
            block = log_odds[at : at + shape[0] * shape[1]].reshape(shape)
            at += shape[0] * shape[1]
            pairs.append(block - tables[link.first][:, None] - tables[link.second][None, :] - rest)
        return Steps(rest, tuple(tables), tuple(pairs))
