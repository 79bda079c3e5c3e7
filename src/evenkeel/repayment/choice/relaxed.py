"""The programme for HiGHS: what it costs at the least, or lacks, if options could be mixed, and at which prices.

    minimise    cost . x
    subject to  for each creditor  sum of its x = 1
                for each month     sum of what the chosen options pay <= what the month has (+ more, where asked)
                                   + drawn - saved,  kept <= kept before + share x saved - drawn,
                                   kept <= kept at the start + most  (`purse`)

Prices are a proof that anybody can reckon again: whatever months can carry fetches at most `fetched`, so that options
which cost more at the same prices, whichever are taken, are too much. Any prices prove; the dual ones prove the most.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import highspy
import numpy as np

from evenkeel.repayment.choice.purse import WHOLE
from evenkeel.repayment.model import HORIZON, FloatArray, IntArray, Keep

ROOM, ROOM_KEPT = 0.5, 0.001  # minor units a month: below what whole amounts, or hundredths of them, can differ by
_FEASIBLE = 2  # a status of solutions, in HiGHS's numbers
_MOST_WORK = 60_000  # nodes of a search by HiGHS x its columns: a count, so that answers are the same everywhere
_SLOW = (  # parts of HiGHS that take longer than they save in programmes as small as these
    "mip_detect_symmetry", "mip_allow_restart", "mip_heuristic_run_rins", "mip_heuristic_run_rens",
    "mip_heuristic_run_root_reduced_cost",
)  # fmt: skip
_BITS = 30  # of amounts in a model
HAIR = 1e-12  # of what is fetched: more than sums of floats differ by


@dataclass(frozen=True, slots=True)
class Prices:
    """months, limits: (HORIZON + 1,), 0 or more: what a unit is worth that a month can carry, and one that may be kept
    at its end."""

    months: FloatArray
    limits: FloatArray

    def fetched(self, capacity: IntArray, keep: Keep | None) -> float:
        """The most that can be fetched at these prices by what months can carry: paid, or kept for a later one."""
        if keep is None:
            return float(self.months @ capacity)
        best = self.months.copy()  # the worth of a unit that is had in a month, paid then or later
        for month in range(len(best) - 2, 0, -1):
            best[month] = max(best[month], best[month + 1] - self.limits[month])
        limits = float(self.limits.sum())
        worth = np.maximum(self.months, best * keep.percent / WHOLE)
        worth[0] = max(self.months[0], float(best[1:2].sum()) + limits)
        return float(worth @ capacity) + keep.most_minor * limits

    def scaled(self, scale: float) -> Prices:
        """So many times these."""
        return Prices(self.months * scale, self.limits * scale)

    def of(self, months: Sequence[int]) -> Prices:
        """Those of some months."""
        return Prices(self.months[months], self.limits[months])

    def refuse(self, payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None) -> bool:
        """Whether one of each block of payments, (options, HORIZON + 1), is too much whichever it is."""
        return self.carried(payments, capacity, keep) < 1 - HAIR

    def carried(self, payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None) -> float:
        """The most of one of each block of payments, (options, HORIZON + 1), that can be carried, as a share."""
        wanted = sum(float((rows @ self.months).min()) if len(rows) else np.inf for rows in payments)
        return self.fetched(capacity, keep) / wanted if wanted else 1.0


def lacking(payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None) -> Prices:
    """The prices at which payments, (options, HORIZON + 1) of each creditor, lack the most beyond what each month and
    the start can carry, or have the most left."""
    whole = np.concatenate(payments)
    zeros = [np.zeros(len(rows)) for rows in payments]
    model = months_model(zeros, whole, capacity, keep, stretches_of(whole, capacity, keep), (True, True))
    return model.prices() or Prices(np.ones(HORIZON + 1), np.zeros(HORIZON + 1))


def months_model(
    costs: Sequence[FloatArray], payments: IntArray, capacity: IntArray, keep: Keep | None,
    stretches: Sequence[tuple[int, ...]], more: tuple[bool, bool] = (False, False), room: float | None = None,
) -> Model:  # fmt: skip
    """Costs of each creditor's options, and what months can carry. payments: of all options together. stretches: months
    taken together. more: whether the start, and whether months, may carry more; as little as will do, the same for all
    (less than nothing too, where both may)."""
    model = Model(costs, max(1, int(payments.max())))
    extra = model.column(1.0, -np.inf if all(more) else 0.0) if any(more) else -1
    beside = [{extra: -float(len(stretch))} if more[0 if stretch[0] == 0 else 1] else {} for stretch in stretches]
    hold(model, payments, capacity, keep, stretches, beside, room)
    return model


def hold(
    model: Model, payments: IntArray, capacity: IntArray, keep: Keep | None, stretches: Sequence[tuple[int, ...]],
    beside: Sequence[Mapping[int, float]], room: float | None = None,
) -> None:  # fmt: skip
    """Hold a model to what months can carry. beside: of each stretch what further columns pay in it."""
    kept = first = -1
    room = (ROOM if keep is None else ROOM_KEPT) if room is None else room
    for stretch, paid in zip(stretches, beside, strict=True):
        start, others = stretch[0] == 0, dict(paid)
        if keep is not None and start:
            kept = first = model.column()
            others[kept] = 1.0
        elif keep is not None:
            saved, drawn, before, kept = model.column(), model.column(), kept, model.column()
            others |= {saved: 1.0, drawn: -1.0}
            model.row({kept: 1.0, before: -1.0, saved: -keep.percent / WHOLE, drawn: 1.0}, 0.0)
            model.limit(stretch[-1], {kept: 1.0, first: -1.0}, float(keep.most_minor))
        months = list(stretch)
        model.months(months, payments[:, months].sum(axis=1), others, float(capacity[months].sum()) + room)


def stretches_of(payments: IntArray, capacity: IntArray, keep: Keep | None) -> list[tuple[int, ...]]:
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


class Model:
    """Rows and columns on their way to HiGHS: a block of binary columns a creditor, then others from 0 up. Amounts are
    measured in a unit that keeps them within what its tolerances are made for."""

    def __init__(self, costs: Sequence[FloatArray], largest: int, bits: int = _BITS) -> None:
        self.unit = float(1 << max(0, largest.bit_length() - bits))
        self._blocks = [len(block) for block in costs]
        self._starts = np.cumsum([0, *self._blocks])
        self._binaries = int(self._starts[-1])
        self._costs = np.concatenate(costs).tolist()
        self._lows, self._highs = [0.0] * self._binaries, [1.0] * self._binaries
        self._whole = [True] * self._binaries
        self._months: list[tuple[int, list[int]]] = []  # rows, and their months
        self._limits: list[tuple[int, int]] = []  # rows of what may be kept, and their months
        self._rows: list[tuple[IntArray, FloatArray, float, float]] = []
        for start, size in zip(self._starts.tolist(), self._blocks, strict=False):
            self._rows.append((np.arange(start, start + size), np.ones(size), 1.0, 1.0))

    def column(self, cost: float = 0.0, low: float = 0.0, high: float = np.inf, whole: bool = False) -> int:
        """A further column from `low` up; its place."""
        self._whole.append(whole)
        self._costs.append(cost)
        self._lows.append(low)
        self._highs.append(high)
        return len(self._costs) - 1

    def of_block(self, block: int) -> range:
        """The places of the options of a creditor."""
        return range(int(self._starts[block]), int(self._starts[block + 1]))

    def row(self, others: Mapping[int, float], high: float) -> None:
        """A row over further columns, by their places, that are amounts, as `high` is."""
        self._rows.append((np.array([*others]), np.array([*others.values()]), -np.inf, high / self.unit))

    def limit(self, month: int, others: Mapping[int, float], high: float) -> None:
        """The row of what may be kept at the end of a month."""
        self._limits.append((len(self._rows), month))
        self.row(others, high)

    def months(self, months: list[int], payments: IntArray, others: Mapping[int, float], high: float) -> None:
        """The row of some months: what all options pay in them, and further columns that are amounts."""
        places = np.flatnonzero(payments)
        self._months.append((len(self._rows), months))
        self._rows.append((
            np.concatenate([places, np.array([*others], np.int64)]),
            np.concatenate([payments[places] / self.unit, np.array([*others.values()])]), -np.inf, high / self.unit,
        ))  # fmt: skip

    def shares(self, share: Mapping[int, float], least_share: int, bound: float) -> None:
        """The share that a creditor gets, a sum of columns, held between a column and so many times it."""
        places = np.array([*share, least_share])
        self._rows.append((places, np.array([*share.values(), -1.0]), -1e-12, np.inf))
        self._rows.append((places, np.array([*share.values(), -bound]), -np.inf, 1e-12))

    def prices(self) -> Prices | None:
        """What capacity is worth if options could be mixed; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals = solver.getSolution().row_dual
        prices = Prices(np.zeros(HORIZON + 1), np.zeros(HORIZON + 1))
        for row, months in self._months:
            prices.months[months] = max(0.0, -duals[row] / self.unit)
        for row, month in self._limits:
            prices.limits[month] = max(0.0, -duals[row] / self.unit)
        return prices

    def extra(self) -> int | None:
        """The first further column, an amount, if options could be mixed, rounded up; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return math.ceil(solver.getSolution().col_value[self._binaries] * self.unit)

    def solve(self) -> list[int] | None:
        """The option chosen in each block; None where there is none."""
        found = self.found()
        return None if found is None else self.chosen(found)

    def chosen(self, values: FloatArray) -> list[int]:
        """The option chosen in each block."""
        return [int(values[low:high].argmax()) for low, high in zip(self._starts, self._starts[1:], strict=False)]

    def found(self, enough: float = -np.inf) -> FloatArray | None:
        """What a search finds, by columns; None where nothing is found. enough: a cost at which it need not go on."""
        solver = self._run(whole=True, enough=enough)
        values = solver.getSolution().col_value
        if len(values) != len(self._costs) or solver.getInfo().primal_solution_status != _FEASIBLE:
            return None
        return np.array(values)

    def cost(self, values: FloatArray) -> float:
        """Of all columns."""
        return float(values @ np.array(self._costs))

    def mixed(self) -> tuple[float, FloatArray] | None:
        """What it costs at the least if options could be mixed, and what each column adds; None where none fit."""
        solver = self._run(whole=False)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return solver.getInfo().objective_function_value, np.array(solver.getSolution().col_dual)

    def mixture(self) -> FloatArray | None:
        """The columns of that; None where none fit."""
        solver = self._run(whole=False)
        optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return np.array(solver.getSolution().col_value) if optimal else None

    def at_most(self, column: int, high: float) -> None:
        """Hold a further column, an amount, to so much."""
        self._highs[column] = high / self.unit

    def forbid(self, columns: Any) -> None:
        """Leave those of some columns, (n,) whether each, that are whole at nothing."""
        for place in np.flatnonzero(columns & np.array(self._whole)):
            self._highs[place] = 0.0

    def _run(self, whole: bool, enough: float = -np.inf) -> highspy.Highs:
        lp = highspy.HighsLp()
        size = len(self._costs)
        lp.num_col_, lp.num_row_ = size, len(self._rows)
        lp.col_cost_ = np.array(self._costs)
        lp.col_lower_ = np.array(self._lows)
        lp.col_upper_ = np.array(self._highs)
        lp.row_lower_ = np.array([low for _, _, low, _ in self._rows])
        lp.row_upper_ = np.array([high for _, _, _, high in self._rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(places) for places, *_ in self._rows)])
        lp.a_matrix_.index_ = np.concatenate([places for places, *_ in self._rows])
        lp.a_matrix_.value_ = np.concatenate([values for _, values, _, _ in self._rows])
        if whole:
            kinds = highspy.HighsVarType
            lp.integrality_ = [kinds.kInteger if one else kinds.kContinuous for one in self._whole]
        solver = _solver()
        solver.setOptionValue("mip_max_nodes", max(1, _MOST_WORK // size))
        solver.setOptionValue("objective_target", enough)
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
        *((name, False) for name in _SLOW), ("mip_pscost_minreliable", 1),
    ):  # fmt: skip
        solver.setOptionValue(name, value)
    return solver
