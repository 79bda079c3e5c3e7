"""The best choice of one option for each creditor: a mixed-integer programme, solved by HiGHS.

    minimise    cost . x
    subject to  for each creditor  sum of its x = 1
                for each month     sum of what the chosen options pay <= what the month has (+ more, where asked)
                                   + drawn - saved,  kept <= kept before + share x saved - drawn  (`purse`)
                for fairness       each creditor's share of its claim between m and bound x m

Amounts are whole, and so is the answer: HiGHS relaxes the programme, and what its prices leave open is searched
through (`enumerate`). Where a further quantity is chosen (a bound on shares, the money that lacks), HiGHS does it all;
some room on each month then makes it find what fits to the unit, and what it finds is held to the whole numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import highspy
import numpy as np

from evenkeel.repayment.choice.enumerate import choose
from evenkeel.repayment.choice.options import Menu
from evenkeel.repayment.choice.purse import WHOLE, carried, carries
from evenkeel.repayment.model import HORIZON, FloatArray, IntArray, Keep

_ROOM, _ROOM_KEPT = 0.5, 0.001  # minor units a month: below what whole amounts, or hundredths of them, can differ by
_FEASIBLE = 2  # a status of solutions, in HiGHS's numbers
_MOST_WORK = 60_000  # nodes of a search by HiGHS x its columns: a count, so that answers are the same everywhere
_BITS = 30  # of amounts in a model


@dataclass
class Programme:
    """A choice among menus under a capacity (HORIZON + 1,). keep: how a month may draw on those before; None: it may
    not. fairness: the bound on the ratio of shares, or None."""

    menus: Sequence[Menu]
    capacity: IntArray
    keep: Keep | None = None
    fairness: float | None = None
    sure: bool = True  # go on by other means where a search is given up; else it counts as in vain
    _payments: list[IntArray] = field(init=False)

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
        quick = replace(self, sure=False)
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
            lighter = replace(self, capacity=capacity, sure=False).cheapest()
            few, many, found = (few, middle, lighter) if lighter is not None else (middle, many, found)
        return found

    def more_needed(self, start: bool = False) -> int | None:
        """About the least that every month, or the start, must carry beyond its capacity for there to be a choice; None
        where nothing helps. Exact where every month is for itself; else what would do if options could be mixed, as
        money that may be kept makes the exact answer dear to find in one go."""
        costs = [np.zeros(len(menu)) for menu in self.menus]
        extra = "start" if start else "more"
        if any(not len(menu) for menu in self.menus):
            return None
        if (self.fairness is None or len(self.menus) < 2) and self._keeping(self._payments, extra) is not None:
            whole = np.concatenate(self._payments)
            return self._model(costs, extra, whole, self.keep, _stretches(whole, self.capacity, self.keep)).extra()
        found = self._solve(costs, extra, self.menus, self._payments)
        if found is None:
            return None
        total = np.sum([some[pick] for some, pick in zip(self._payments, found, strict=True)], axis=0)
        where = np.arange(HORIZON + 1) == 0 if start else np.arange(HORIZON + 1) > 0
        enough = max(0, int(total.sum() if start else (total - self.capacity)[1:].max()))
        return least(lambda amount: carries(self.capacity + amount * where, self.keep, total), 0, enough)

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
            alone = payments[carried(self.capacity, self.keep, payments)]
            if not len(alone):
                return True
            lightest += alone.min(axis=0)
        return not carries(self.capacity, self.keep, lightest)

    def _solve(
        self, costs: Sequence[FloatArray], extra: str, menus: Sequence[Menu], payments: Sequence[IntArray]
    ) -> list[int] | None:
        """extra: a last column that is minimised, `more` or `start` (money beyond capacity, the same each month or at
        the start), or none."""
        if any(not len(menu) for menu in menus):
            return None
        whole = np.concatenate(payments)
        keep = self._keeping(payments, extra)
        if (self.fairness is None or len(menus) < 2) and not extra:
            stretches = _stretches(whole, self.capacity, keep)
            prices = self._model(costs, extra, whole, keep, stretches).prices(HORIZON + 1)
            if prices is None:
                return None
            months = [month for stretch in stretches for month in stretch]
            rows = [some[:, months] for some in payments]
            found = choose(costs, rows, self.capacity[months], keep, prices[months])
            if found is not None or not self.sure:
                return found or None
        for exact in (False, True):
            stretches = [(month,) for month in range(HORIZON + 1)] if exact else _stretches(whole, self.capacity, keep)
            model = self._model(costs, extra, whole, keep, stretches, 0.0 if exact else None)
            if self.fairness is not None and len(menus) > 1:
                self._fair(model, menus)
            picks = model.solve()
            if picks is None:
                return None
            total = np.sum([some[pick] for some, pick in zip(payments, picks, strict=True)], axis=0)
            if extra or carries(self.capacity, keep, total):
                return picks
        return None

    def _keeping(self, payments: Sequence[IntArray], extra: str) -> Keep | None:
        """How money is kept; None also where there is nothing to draw on: no month pays more than, or has less than,
        the one before it, and the start leaves nothing."""
        steady = all((some[:, 2:] <= some[:, 1:-1]).all() for some in payments)
        left = self.capacity[0] - sum(int(some[:, 0].min()) for some in payments)
        alone = steady and left <= 0 and (self.capacity[2:] >= self.capacity[1:-1]).all()
        return None if alone and extra != "start" else self.keep

    def _model(
        self, costs: Sequence[FloatArray], extra: str, payments: IntArray, keep: Keep | None,
        stretches: Sequence[tuple[int, ...]], room: float | None = None,
    ) -> _Model:  # fmt: skip
        """Costs, and what months can carry. payments: of all options together. stretches: months taken together."""
        model = _Model([np.zeros(len(block)) for block in costs] if extra else costs, max(1, int(payments.max())))
        more = model.column(1.0) if extra else -1
        kept = first = -1
        room = (_ROOM if keep is None else _ROOM_KEPT) if room is None else room
        for stretch in stretches:
            start = stretch[0] == 0
            others = {more: -float(len(stretch))} if extra == ("start" if start else "more") else {}
            if keep is not None and start:
                kept = first = model.column()
                others[kept] = 1.0
            elif keep is not None:
                saved, drawn, before, kept = model.column(), model.column(), kept, model.column()
                others |= {saved: 1.0, drawn: -1.0}
                model.row({kept: 1.0, before: -1.0, saved: -keep.percent / WHOLE, drawn: 1.0}, 0.0)
                model.row({kept: 1.0, first: -1.0}, float(keep.most_minor))
            months = list(stretch)
            carried = float(self.capacity[months].sum()) + room
            model.months(months, payments[:, months].sum(axis=1), others, carried)
        return model

    def _fair(self, model: _Model, menus: Sequence[Menu]) -> None:
        """Each creditor's share of its claim lies between m and bound x m, m a column of its own."""
        assert self.fairness is not None  # noqa: S101 - asked before
        least_share = model.column()
        for place, menu in enumerate(menus):
            if menu.claim.balance_minor:
                model.shares(place, menu.paid_minor / menu.claim.balance_minor, least_share, self.fairness)


def least(possible: Callable[[int], bool], few: int, many: int, apart: int = 1) -> int:
    """The least amount from `few` to `many`, which is enough, at which something is possible, where more never makes it
    impossible; or one at most so far `apart` above it."""
    few -= 1
    while many - few > apart:
        middle = (few + many) // 2
        few, many = (few, middle) if possible(middle) else (middle, many)
    return many


def _stretches(payments: IntArray, capacity: IntArray, keep: Keep | None) -> list[tuple[int, ...]]:
    """Months that are held to what they can carry, some together.

    Where every month is for itself: not one in which no option pays more than in an earlier month that carries less.
    Where money is kept: months in a row that carry the same and in which the same options run. Taken together they may
    seem to carry a little more than they do (a share of a sum is no less than the sum of shares), never less.
    """
    last = int(np.flatnonzero(payments.any(axis=0)).max(initial=0))
    found: list[tuple[int, ...]] = [(0,)]
    for month in range(1, last + 1):
        amounts = payments[:, month]
        if keep is None:
            covered = not amounts.any() or any(
                capacity[before] <= capacity[month] and (payments[:, before] >= amounts).all()
                for (before,) in found[:0:-1]
            )
            found += [] if covered else [(month,)]
            continue
        before = payments[:, month - 1]
        same = capacity[month] == capacity[month - 1] and not (amounts > before).any()
        if month > 1 and same and not ((amounts == 0) & (before > 0)).any():
            found[-1] += (month,)
        else:
            found.append((month,))
    return found


class _Model:
    """Rows and columns on their way to HiGHS: a block of binary columns a creditor, then others from 0 up. Amounts are
    measured in a unit that keeps them within what its tolerances are made for."""

    def __init__(self, costs: Sequence[FloatArray], largest: int) -> None:
        self._unit = float(1 << max(0, largest.bit_length() - _BITS))
        self._blocks = [len(block) for block in costs]
        self._starts = np.cumsum([0, *self._blocks])
        self._binaries = int(self._starts[-1])
        self._costs = np.concatenate(costs).tolist()
        self._months: list[tuple[int, list[int]]] = []  # rows, and their months
        self._rows: list[tuple[IntArray, FloatArray, float, float]] = []
        for start, size in zip(self._starts.tolist(), self._blocks, strict=False):
            self._rows.append((np.arange(start, start + size), np.ones(size), 1.0, 1.0))

    def column(self, cost: float = 0.0) -> int:
        """A further column from 0 up; its place."""
        self._costs.append(cost)
        return len(self._costs) - 1

    def row(self, others: Mapping[int, float], high: float) -> None:
        """A row over further columns, by their places, that are amounts, as `high` is."""
        self._rows.append((np.array([*others]), np.array([*others.values()]), -np.inf, high / self._unit))

    def months(self, months: list[int], payments: IntArray, others: Mapping[int, float], high: float) -> None:
        """The row of some months: what all options pay in them, and further columns that are amounts."""
        places = np.flatnonzero(payments)
        self._months.append((len(self._rows), months))
        self._rows.append((
            np.concatenate([places, np.array([*others], np.int64)]),
            np.concatenate([payments[places] / self._unit, np.array([*others.values()])]), -np.inf, high / self._unit,
        ))  # fmt: skip

    def shares(self, block: int, shares: FloatArray, least_share: int, bound: float) -> None:
        """The share that a creditor gets, held between a column and so many times it."""
        places = np.append(np.arange(self._starts[block], self._starts[block + 1]), least_share)
        self._rows.append((places, np.append(shares, -1.0), -1e-12, np.inf))
        self._rows.append((places, np.append(shares, -bound), -np.inf, 1e-12))

    def prices(self, size: int) -> FloatArray | None:
        """(size,): what a unit of capacity is worth in each month, if options could be mixed; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals, prices = solver.getSolution().row_dual, np.zeros(size)
        for row, months in self._months:
            prices[months] = max(0.0, -duals[row] / self._unit)
        return prices

    def extra(self) -> int | None:
        """The first further column, an amount, if options could be mixed, rounded up; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return math.ceil(solver.getSolution().col_value[self._binaries] * self._unit)

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
