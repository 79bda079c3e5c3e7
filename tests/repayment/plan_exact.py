"""Whole cases by another solver: `scipy.optimize.milp` over every schedule of every creditor, with the pot in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from plan_brute import Row
from plan_pot import holds
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.repayment.model import HORIZON, Keep

MONTHS = HORIZON + 1


def exact_least(
    rows: Sequence[set[Row]], capacity: Sequence[int], keep: Keep | None, cost: Callable[[Row], int] = sum
) -> int | None:
    """Least cost of one schedule of each that all months carry; None where none can.

    A solver allows itself a little; what it chooses is held to the rule in whole numbers, and where it does not hold,
    that choice is forbidden and the next one asked for.
    """
    if not all(rows):
        return None
    options = [row for some in rows for row in sorted(some)]
    costs = np.array([cost(row) for row in options] + [0] * MONTHS, float)
    constraints = [_one_of_each(rows), *_months(options, capacity, keep)]
    whole = np.array([1] * len(options) + [0] * MONTHS)
    bounds = Bounds(0, np.array([1.0] * len(options) + [np.inf] * MONTHS))
    while True:
        found = milp(costs, integrality=whole, bounds=bounds, constraints=constraints, options={"mip_rel_gap": 0})
        if found.x is None:
            assert found.status == 2, found.message  # infeasible, and not given up
            return None
        picked = np.flatnonzero(found.x[: len(options)] > 0.5)
        paid = np.sum([_whole(options[place]) for place in picked], axis=0)
        if holds(paid.tolist(), capacity, keep):
            return sum(cost(options[place]) for place in picked)
        again = np.zeros(len(costs))
        again[picked] = 1
        constraints.append(LinearConstraint(again[None, :], -np.inf, len(rows) - 1))


def _whole(row: Row) -> list[int]:
    return [*row, *[0] * (MONTHS - len(row))]


def _one_of_each(rows: Sequence[set[Row]]) -> LinearConstraint:
    creditor = np.repeat(np.arange(len(rows)), [len(some) for some in rows])
    chosen = np.arange(len(rows))[:, None] == creditor[None, :]
    return LinearConstraint(np.hstack([chosen.astype(float), np.zeros((len(rows), MONTHS))]), 1, 1)


def _months(options: Sequence[Row], capacity: Sequence[int], keep: Keep | None) -> list[LinearConstraint]:
    """What stands in the pot, in minor units, is a variable of 0 or more a month, at most what the rule leaves in it.
    The rule is concave and more in the pot is never worse, so that each of its cases may be asked for at once."""
    paid, have = np.array([_whole(row) for row in options], float).T, np.array(capacity, float)
    if keep is None:
        return [LinearConstraint(np.hstack([paid, np.zeros((MONTHS, MONTHS))]), -np.inf, have)]
    pot = np.eye(MONTHS)
    limits = [
        (np.hstack([paid[:1], pot[:1]]), have[:1]),  # the start is kept whole
        (np.hstack([0 * paid[1:], pot[1:] - pot[:1]]), np.full(HORIZON, float(keep.most_minor))),
    ]
    for share in (keep.percent / 100, 1.0):  # of what a month leaves; of what it lacks
        limits.append((np.hstack([share * paid[1:], pot[1:] - pot[:-1]]), share * have[1:]))
    return [LinearConstraint(some, -np.inf, most) for some, most in limits]
