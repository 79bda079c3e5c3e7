"""The best choice of one option for each creditor: a mixed-integer programme, solved by HiGHS.

    minimise    cost . x
    subject to  for each creditor  sum of its x = 1
                for each month     sum of what the chosen options pay <= what the month can carry (+ more, where asked)
                for fairness       each creditor's share of its claim between m and bound x m

Amounts are whole, and so is the answer: HiGHS relaxes the programme, and what its prices leave open is searched
through (`enumerate`). Where a further quantity is chosen (a bound on shares, the money that lacks), HiGHS does it all;
half a minor unit of room on each month then makes it exact, as no sum of whole amounts lies between.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import highspy
import numpy as np

from evenkeel.repayment.choice.enumerate import choose
from evenkeel.repayment.choice.options import Menu
from evenkeel.repayment.model import HORIZON, FloatArray, IntArray

_HALF = 0.5
_FEASIBLE = 2  # a status of solutions, in HiGHS's numbers
_MOST_WORK = (
    60_000  # nodes of a search by HiGHS x its columns: a count, not a time, so that answers are the same everywhere
)


@dataclass
class Programme:
    """A choice among menus under a capacity (HORIZON + 1,). fairness: the bound on the ratio of shares, or None."""

    menus: Sequence[Menu]
    capacity: IntArray
    fairness: float | None = None
    sure: bool = True  # go on by other means where a search is given up; else it counts as in vain
    _payments: list[IntArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._payments = [menu.payments() for menu in self.menus]

    def cheapest(self) -> list[int] | None:
        """The least that is paid in all; of equal ones the sooner over. An option of each menu, or None."""
        return self._choose([menu.paid_minor + menu.months / (2 * HORIZON * len(self.menus)) for menu in self.menus])

    def fewest(self) -> list[int] | None:
        """The fewest creditors at a time: the least sum of the months in which each is paid."""
        most = max(int(menu.paid_minor.max()) for menu in self.menus) + 1
        return self._choose([menu.months + menu.paid_minor / most / len(self.menus) for menu in self.menus])

    def latest(self) -> list[int] | None:
        """What leaves the most for others, early above all: the least sum, over months, of all that is paid by then."""
        weights = np.arange(HORIZON + 1, 0, -1, dtype=np.float64)
        return self._choose([payments @ weights for payments in self._payments])

    def soonest(self) -> list[int] | None:
        """The first month by which all can be clear, at the least cost."""
        lengths = sorted({int(one) for menu in self.menus for one in menu.months})
        few, many, found = -1, len(lengths) - 1, self.cheapest()
        quick = Programme(self.menus, self.capacity, self.fairness, sure=False)
        while found is not None and many - few > 1:
            middle = (few + many) // 2
            sooner = quick._within(lengths[middle])
            few, many, found = (few, middle, sooner) if sooner is not None else (middle, many, found)
        return found

    def nearest(self, wanted: Sequence[IntArray]) -> list[int] | None:
        """The least change from the payments wanted, (HORIZON + 1,) of each creditor; of equal ones the cheapest."""
        apart = [
            np.abs(payments - one).sum(axis=1)
            + menu.paid_minor / (1 + int(menu.paid_minor.max())) / len(self.menus) / 2
            for payments, one, menu in zip(self._payments, wanted, self.menus, strict=True)
        ]
        return self._choose(apart)

    def lightest(self) -> list[int] | None:
        """The least share of what each month can carry, to a 64th; of equal ones the cheapest."""
        few, many, found = 0, 64, self.cheapest()
        while found is not None and many - few > 1:
            middle = (few + many) // 2
            capacity = self.capacity * middle // 64
            capacity[0] = self.capacity[0]
            lighter = Programme(self.menus, capacity, self.fairness, sure=False).cheapest()
            few, many, found = (few, middle, lighter) if lighter is not None else (middle, many, found)
        return found

    def more_needed(self, start: bool = False) -> int | None:
        """The least that every month, or the start, must carry beyond its capacity for there to be a choice; None where
        nothing helps."""
        costs = [np.zeros(len(menu)) for menu in self.menus]
        found = self._solve(costs, "start" if start else "more", self.menus, self._payments)
        if found is None:
            return None
        total = np.sum([some[pick] for some, pick in zip(self._payments, found, strict=True)], axis=0)
        lacking = total - self.capacity
        return max(0, int(lacking[0] if start else lacking[1:].max()))

    def _within(self, months: int) -> list[int] | None:
        """The cheapest choice among options of so many months."""
        kept = [np.flatnonzero(menu.months <= months) for menu in self.menus]
        if any(not len(some) for some in kept):
            return None
        menus = [menu.only(some) for menu, some in zip(self.menus, kept, strict=True)]
        payments = [some[rows] for some, rows in zip(self._payments, kept, strict=True)]
        found = self._solve([menu.paid_minor.astype(np.float64) for menu in menus], "", menus, payments)
        return None if found is None else [int(rows[pick]) for rows, pick in zip(kept, found, strict=True)]

    def _choose(self, costs: Sequence[FloatArray]) -> list[int] | None:
        return None if self._hopeless else self._solve(costs, "", self.menus, self._payments)

    @cached_property
    def _hopeless(self) -> bool:
        """Whether some month cannot carry even the lightest of all options that it could carry one by one."""
        lightest = np.zeros(HORIZON + 1, np.int64)
        for payments in self._payments:
            carried = payments[(payments <= self.capacity).all(axis=1)]
            if not len(carried):
                return True
            lightest += carried.min(axis=0)
        return bool((lightest > self.capacity).any())

    def _solve(
        self, costs: Sequence[FloatArray], extra: str, menus: Sequence[Menu], payments: Sequence[IntArray]
    ) -> list[int] | None:
        """extra: a last column that is minimised, `more` or `start` (money beyond capacity, the same each month or at
        the start), or none."""
        if any(not len(menu) for menu in menus):
            return None
        model, whole = _Model(costs, extra), np.concatenate(payments)
        months = _months_that_bind(whole, self.capacity)
        for month in months:
            lacking = -1.0 if extra == ("more" if month else "start") else 0.0
            model.row(whole[:, month], -np.inf, int(self.capacity[month]) + _HALF, lacking)
        if self.fairness is not None and len(menus) > 1:
            self._fair(model, menus)
        elif not extra:
            prices = model.prices()
            if prices is None:
                return None
            found = choose(costs, [some[:, months] for some in payments], self.capacity[months], prices)
            return model.solve() if found is None and self.sure else found or None
        return model.solve()

    def _fair(self, model: _Model, menus: Sequence[Menu]) -> None:
        """Each creditor's share of its claim lies between m and bound x m, m a column of its own."""
        assert self.fairness is not None  # noqa: S101 - asked before
        least = model.column()
        for place, menu in enumerate(menus):
            if menu.claim.balance_minor:
                model.shares(place, menu.paid_minor / menu.claim.balance_minor, least, self.fairness)


def _months_that_bind(payments: IntArray, capacity: IntArray) -> list[int]:
    """Months whose rows are needed: not one in which no option pays more than in an earlier month that carries less."""
    found = [0]
    for month in range(1, len(capacity)):
        amounts = payments[:, month]
        if not amounts.any():
            continue
        covered = any(
            capacity[before] <= capacity[month] and (payments[:, before] >= amounts).all() for before in found[:0:-1]
        )
        if not covered:
            found.append(month)
    return found


class _Model:
    """Rows and columns on their way to HiGHS: a block of binary columns a creditor, then at most two others."""

    def __init__(self, costs: Sequence[FloatArray], extra: str) -> None:
        self._blocks = [len(block) for block in costs]
        self._starts = np.cumsum([0, *self._blocks])
        self._binaries = int(self._starts[-1])
        self._costs = [0.0 if extra else float(one) for block in costs for one in block] + [1.0] * bool(extra)
        self._rows: list[tuple[IntArray, FloatArray, float, float]] = []
        for start, size in zip(self._starts.tolist(), self._blocks, strict=False):
            self._rows.append((np.arange(start, start + size), np.ones(size), 1.0, 1.0))

    def column(self) -> int:
        """A further column from 0 up; its place."""
        self._costs.append(0.0)
        return len(self._costs) - 1

    def row(self, values: Any, low: float, high: float, extra: float = 0.0) -> None:
        """A row over all options; extra: the coefficient of the extra column."""
        places = np.flatnonzero(values)
        amounts = values[places].astype(np.float64)
        if extra:
            places, amounts = np.append(places, self._binaries), np.append(amounts, extra)
        self._rows.append((places, amounts, low, high))

    def shares(self, block: int, shares: FloatArray, least: int, bound: float) -> None:
        """The share that a creditor gets, held between the column `least` and so many times it."""
        places = np.append(np.arange(self._starts[block], self._starts[block + 1]), least)
        self._rows.append((places, np.append(shares, -1.0), -1e-12, np.inf))
        self._rows.append((places, np.append(shares, -bound), -np.inf, 1e-12))

    def prices(self) -> FloatArray | None:
        """What a unit of capacity is worth in each month's row, if options could be mixed; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        prices: FloatArray = np.maximum(0.0, -np.array(solver.getSolution().row_dual[len(self._blocks) :]))
        return prices

    def solve(self) -> list[int] | None:
        """The option chosen in each block; None where there is none."""
        solver = self._run(whole=True)
        values = solver.getSolution().col_value
        if len(values) != len(self._costs) or solver.getInfo().primal_solution_status != _FEASIBLE:
            return None
        chosen = np.array(values[: self._binaries])
        return [int(chosen[low:high].argmax()) for low, high in zip(self._starts, self._starts[1:], strict=False)]

    def _run(self, whole: bool) -> highspy.Highs:
        lp = highspy.HighsLp()
        size = len(self._costs)
        lp.num_col_, lp.num_row_ = size, len(self._rows)
        lp.col_cost_ = np.array(self._costs)
        lp.col_lower_ = np.zeros(size)
        lp.col_upper_ = np.concatenate([np.ones(self._binaries), np.full(size - self._binaries, np.inf)])
        lp.row_lower_ = np.array([low for _, _, low, _ in self._rows])
        lp.row_upper_ = np.array([high for _, _, _, high in self._rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(places) for places, *_ in self._rows)])
        lp.a_matrix_.index_ = np.concatenate([places for places, *_ in self._rows])
        lp.a_matrix_.value_ = np.concatenate([values for _, values, _, _ in self._rows])
        if whole:
            kinds = highspy.HighsVarType
            lp.integrality_ = [kinds.kInteger] * self._binaries + [kinds.kContinuous] * (size - self._binaries)
        solver = _solver()
        solver.setOptionValue("mip_max_nodes", max(1, _MOST_WORK // size))
        solver.passModel(lp)
        solver.run()
        return solver


@cache
def _hushed() -> None:
    """Make the first solver of the process where its greeting goes nowhere: standard output is for answers."""
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nowhere.fileno(), 1)
        try:
            highspy.Highs()  # type: ignore[no-untyped-call]
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _solver() -> highspy.Highs:
    _hushed()
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in (
        ("output_flag", False), ("threads", 1), ("random_seed", 0), ("mip_rel_gap", 0.0), ("mip_abs_gap", 1e-6),
        ("mip_feasibility_tolerance", 1e-9), ("primal_feasibility_tolerance", 1e-9), ("mip_heuristic_effort", 0.0),
    ):  # fmt: skip
        solver.setOptionValue(name, value)
    return solver
