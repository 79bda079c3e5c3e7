"""Prices of scarce capacities: the minimum of the Lagrangian dual by cutting planes in a box, from a sample upwards.

The dual D(prices) = prices * capacity + sum over cases of the best value after prices is convex and piecewise linear,
and every value of it bounds the optimum from above. Each price list asked gives a cut; the lowest point of the cuts
within a box around the best list is asked next (boxstep: Marsten, Hogan & Blankenship 1975). The same cuts are the
columns of Dantzig & Wolfe's master problem (1960), whose solution mixes at most C + 1 of the choices made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from evenkeel.measures.assigning.problem import Answer, Choice, FloatArray, Problem

_SAMPLE = 16_000  # cases of the first level
_STEP = 16  # how many times larger each level is
_ROUNDS = 300
_FIRST_BOX = 0.02  # of the distance that a price can have, where a smaller level has found it


@dataclass(frozen=True, slots=True)
class Priced:
    """prices: (C,) value of a unit of each capacity. upper: a bound of the optimum. lower: value of the mix of
    `choices` in the shares `share`, which keeps every bound on average."""

    prices: FloatArray
    upper: float
    lower: float
    share: FloatArray
    choices: tuple[Choice, ...]


def prices_of(problem: Problem, tolerance: float) -> Priced:
    """Prices within `tolerance` (of the optimum) of the best, found on ever larger parts of the cases."""
    start: FloatArray | None = None
    sizes = [problem.size]
    while sizes[-1] > 2 * _SAMPLE:
        sizes.append(max(sizes[-1] // _STEP, _SAMPLE))
    for size in reversed(sizes[1:]):
        rows = (np.arange(size) * problem.size) // size
        start = _Search(problem.sample(rows), start).run(tolerance).prices
    return _Search(problem, start).run(tolerance)


class _Search:
    """Cutting planes on one level. Values are in units of the gain without bounds, each constraint in units of its
    capacity, or of a part of what would be used without bounds where that is more."""

    def __init__(self, problem: Problem, start: FloatArray | None) -> None:
        self.problem = problem
        count = len(problem.constraints)
        free = problem.answer(np.zeros(count))
        self.gain = free.value or 1.0
        self.unit = np.maximum(problem.capacity, np.maximum(1e-3 * np.abs(free.use), 1e-12))
        self.most = np.minimum(self.unit / np.maximum(problem.capacity, 1e-9 * self.unit), 1e9)
        nothing = Answer(0.0, 0.0, np.zeros(count), np.zeros(problem.size, np.int8))
        self.asked = [nothing, free]
        self.best, self.prices = free.dual, np.zeros(count)
        self.radius = np.maximum(self.most, 1e-12)
        if start is not None:
            self.prices = np.minimum(start * self.unit / self.gain, self.most)
            self.radius = np.minimum(_FIRST_BOX * (self.prices + 0.05), self.most)
            self.best = self._ask(self.prices)

    def run(self, tolerance: float) -> Priced:
        share, lower = self._mixed()
        for _ in range(_ROUNDS):
            if self.best - lower <= tolerance * max(self.best, 1e-300):
                break
            at, expected = self._lowest()
            before = self.best
            value = self._ask(at)
            decrease, hoped = before - value, before - expected
            edge = np.abs(at - self.prices) >= 0.999 * self.radius
            if value < before:
                self.best, self.prices = value, at
            if decrease >= 0.3 * hoped:
                self.radius = np.where(edge, np.minimum(3 * self.radius, self.most), self.radius)
            elif decrease < 0:
                self.radius = self.radius * 0.6
            share, lower = self._mixed()
        used = np.flatnonzero(share > 1e-12)
        weights = share[used] / share[used].sum()
        choices = tuple(self.asked[place].choice for place in used)
        return Priced(self.prices * self.gain / self.unit, self.best, lower, weights, choices)

    def _ask(self, scaled: FloatArray) -> float:
        found = self.problem.answer(scaled * self.gain / self.unit)
        self.asked.append(found)
        return found.dual

    def _cuts(self) -> tuple[FloatArray, FloatArray]:
        """(J,) values and (J, C) room left, scaled."""
        value = np.array([one.value for one in self.asked]) / self.gain
        room = (self.problem.capacity - np.stack([one.use for one in self.asked])) / self.unit
        return value, room

    def _lowest(self) -> tuple[FloatArray, float]:
        """The lowest point of the cuts in the box, and the cuts' value there."""
        value, room = self._cuts()
        count = room.shape[1]
        low, high = np.maximum(self.prices - self.radius, 0), np.minimum(self.prices + self.radius, self.most)
        solved = linprog(
            np.append(np.zeros(count), 1.0), A_ub=np.column_stack([room, -np.ones(len(value))]), b_ub=-value,
            bounds=[*zip(low, high, strict=True), (None, None)], method="highs",
        )  # fmt: skip
        if solved.x is None:
            return self.prices, self.best
        return np.clip(solved.x[:count], low, high), float(solved.x[count]) * self.gain

    def _mixed(self) -> tuple[FloatArray, float]:
        """Shares of the choices made so far whose mix has the most value within the bounds, and that value."""
        value, room = self._cuts()
        solved = linprog(
            -value, A_ub=-room.T if room.shape[1] else None, b_ub=np.zeros(room.shape[1]) if room.shape[1] else None,
            A_eq=np.ones((1, len(value))), b_eq=[1.0], method="highs",
        )  # fmt: skip
        if solved.x is None:
            return np.append(1.0, np.zeros(len(value) - 1)), 0.0
        share = np.maximum(solved.x, 0.0)
        return share, float((share * value).sum() / share.sum()) * self.gain
