"""Boosted shallow trees over binned columns, by squared error: small, deterministic, and nothing but arrays.

A column is a row of small codes 0..bins-1; a tree asks at each of its levels whether a code is at most a cut. Trees are
full: a node that is not worth splitting sends everything left. Rounds are chosen by folds, so that there may be none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.uint8]

_NONE = 255  # a cut that no code is above: the node does not split


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees grow. fewest: weight on either side of a cut. ridge: rows of value 0 that every leaf is given.
    patience: rounds without a better figure on the watched rows, after which it ends."""

    rounds: int = 80
    depth: int = 3
    rate: float = 0.08
    fewest: int = 20
    ridge: float = 20.0
    patience: int = 12


@dataclass(frozen=True, slots=True)
class Boosted:
    """Trees, to be added up. column, cut: (trees, 2^depth - 1), nodes by level; leaf: (trees, 2^depth)."""

    column: IntArray
    cut: CodeArray
    leaf: FloatArray

    def mean(self, codes: CodeArray) -> FloatArray:
        """The sum of the trees. codes: (p, n). Returns (n,)."""
        total = np.zeros(codes.shape[1])
        for column, cut, leaf in zip(self.column, self.cut, self.leaf, strict=True):
            total += leaf[_place(column, cut, codes)]
        return total

    def first(self, rounds: int) -> Boosted:
        """The first trees alone."""
        return Boosted(self.column[:rounds], self.cut[:rounds], self.leaf[:rounds])


def _place(column: IntArray, cut: CodeArray, codes: CodeArray) -> IntArray:
    """The leaf of each row in one tree."""
    place = np.zeros(codes.shape[1], np.int64)
    start, width = 0, 1
    while start < len(cut):
        if width == 1:
            right = codes[column[0]] > cut[0]
        else:
            right = np.zeros(codes.shape[1], np.bool_)
            for node in range(width):
                if cut[start + node] != _NONE:
                    right |= (place == node) & (codes[column[start + node]] > cut[start + node])
        place = 2 * place + right
        start, width = start + width, 2 * width
    return place


@dataclass(frozen=True, slots=True)
class Rows:
    """codes: (p, n) below 255. y: (n,). weight: (n,) above 0, of mean about 1."""

    codes: CodeArray
    y: FloatArray
    weight: FloatArray

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or not self.codes.shape[1:] == self.y.shape == self.weight.shape:
            raise InvalidInput("codes, outcomes and weights have different numbers of rows.")

    def take(self, rows: BoolArray) -> Rows:
        """Some of them."""
        return Rows(self.codes[:, rows], self.y[rows], self.weight[rows])


def fit_boosted(rows: Rows, growth: Growth, watch: Rows | None = None) -> tuple[Boosted, FloatArray]:
    """Least-squares boosting (Friedman 2001) from 0.

    watch: other rows. Returns the trees and the weighted squared error on the watched rows after 0..rounds trees: zeros
    where nothing is watched, infinite after an early end. Raises InvalidInput where there is no row.
    """
    if len(rows.y) == 0:
        raise InvalidInput("there is no row to learn from.")
    nodes = (1 << growth.depth) - 1
    columns = np.zeros((growth.rounds, nodes), np.int64)
    cuts = np.full((growth.rounds, nodes), _NONE, np.uint8)
    leaves = np.zeros((growth.rounds, nodes + 1))
    errors = np.zeros(growth.rounds + 1)
    rest = rows.y.astype(np.float64)
    ahead = None if watch is None else watch.y.astype(np.float64)
    if watch is not None and ahead is not None:
        errors[0] = watch.weight @ ahead**2
    for turn in range(growth.rounds):
        place = _grow(rows, rest, growth, columns[turn], cuts[turn])
        sums = np.bincount(place, rest * rows.weight, nodes + 1)
        leaves[turn] = growth.rate * sums / (np.bincount(place, rows.weight, nodes + 1) + growth.ridge)
        rest -= leaves[turn][place]
        if watch is not None and ahead is not None:
            ahead -= leaves[turn][_place(columns[turn], cuts[turn], watch.codes)]
            errors[turn + 1] = watch.weight @ ahead**2
            if turn + 1 - int(np.argmin(errors[: turn + 2])) >= growth.patience:
                errors[turn + 2 :] = np.inf
                break
    return Boosted(columns, cuts, leaves), errors


def _grow(rows: Rows, rest: FloatArray, growth: Growth, column: IntArray, cut: CodeArray) -> IntArray:
    """Fill in the nodes of one tree; returns the leaf of each row."""
    codes, pull = rows.codes, rest * rows.weight
    place = np.zeros(len(rest), np.int64)
    start, width = 0, 1
    for _level in range(growth.depth):
        best = np.full(width, 1e-12)
        for number, code in enumerate(codes):
            bins = int(code.max(initial=0)) + 1
            cell = place * bins + code
            sums = np.cumsum(np.bincount(cell, pull, width * bins).reshape(width, bins), axis=1)
            counts = np.cumsum(np.bincount(cell, rows.weight, width * bins).reshape(width, bins), axis=1)
            all_sums, all_counts = sums[:, -1:], counts[:, -1:]
            gain = (sums**2 / (counts + growth.ridge) + (all_sums - sums) ** 2 / (all_counts - counts + growth.ridge)
                    - all_sums**2 / (all_counts + growth.ridge))  # fmt: skip
            gain[(counts < growth.fewest) | (all_counts - counts < growth.fewest)] = 0.0
            at = np.argmax(gain, axis=1)
            found = gain[np.arange(width), at]
            better = found > best
            best[better] = found[better]
            column[start : start + width][better] = number
            cut[start : start + width][better] = at[better]
        nodes = start + place
        right = codes[column[nodes], np.arange(len(rest))] > cut[nodes]
        place = 2 * place + right
        start, width = start + width, 2 * width
    return place


def cross_boosted(rows: Rows, fold: IntArray, growth: Growth, learn: BoolArray) -> tuple[FloatArray, int]:
    """Out-of-fold sums of trees, with as many rounds as served the folds best (0 among the choices).

    fold: (n,) 0..K-1. learn: (n,) the rows whose y is known; the others are only answered for. Returns ((n,), rounds).
    Raises InvalidInput where a fold leaves nothing to learn from.
    """
    grown, errors = [], np.zeros(growth.rounds + 1)
    folds = range(int(fold.max(initial=0)) + 1)
    for out in folds:
        trees, error = fit_boosted(rows.take(learn & (fold != out)), growth, rows.take(learn & (fold == out)))
        grown.append(trees)
        errors += error
    rounds = int(np.argmin(errors))
    answer = np.zeros(len(rows.y))
    for out in folds:
        answer[fold == out] = grown[out].first(rounds).mean(rows.codes[:, fold == out])
    return answer, rounds
