"""One action for each of many cases, of the greatest value that shared capacities allow, with prices and a proof.

    maximise   sum_i values[i, choice_i]
    such that  allowed[i, choice_i],  and for each c  sum_i weight_c[i] * amounts_c[(i,) choice_i] <= capacity_c

A multiple-choice knapsack with several capacities. Its Lagrangian dual bounds the best value from above for every
choice of prices (Geoffrion 1974), and with many cases the bound is nearly reached, since at most as many cases as there
are constraints are split in the relaxed solution (Sinha & Zoltners 1979). So the gap that is returned is a proof: no
choice that keeps the bounds has more value than `upper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.assigning.choice import filled, greedy, kept, rounded
from evenkeel.measures.assigning.core import sharpened
from evenkeel.measures.assigning.prices import prices_of
from evenkeel.measures.assigning.problem import (
    BoolArray,
    Choice,
    Constraint,
    FloatArray,
    IntArray,
    Problem,
    problem_of,
)  # fmt: skip

_CLOSE = 1e-5  # of the value: nearer than that nothing more is tried

__all__ = ["Assignment", "Constraint", "assign", "parity"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """choice: (n,) int8, the action of each case. prices: (C,) what one more unit of each capacity would bring, in
    units of value. use: (C,) what the choice uses, never above the capacity. objective: its value over doing nothing
    for everybody; upper: no choice within the bounds has more. gap: (upper - objective) / upper, 0 where upper is 0."""

    choice: Choice
    prices: FloatArray
    use: FloatArray
    objective: float
    upper: float
    gap: float


def assign(
    values: FloatArray,
    allowed: BoolArray,
    constraints: Sequence[Constraint],
    *,
    key: IntArray | None = None,
    tolerance: float = 2e-6,
) -> Assignment:
    """The best action for each case within the bounds.

    values: (n, K) float, any unit; column 0 is the value of doing nothing. allowed: (n, K) bool; column 0 is True.
    key: (n,) distinct integers by which ties are broken, such as a hash of an id: the same cases in another order get
    the same actions. Without it their order counts. tolerance: how near the prices are searched, relative to the value.
    The choice keeps every bound, always, and is never worth less than that of going down the list of all values.
    Deterministic. Time grows with n * K, memory about 20 * n * K bytes.
    Raises InvalidInput where shapes, values or bounds do not fit.
    """
    size = len(values)
    order = np.arange(size) if key is None else np.argsort(key, kind="stable")
    if len(order) != size:
        raise InvalidInput("keys do not fit the values.", "Give one for each case.")
    bounded = [place for place, one in enumerate(constraints) if one.capacity != np.inf]
    problem = problem_of(values, allowed, [constraints[place] for place in bounded], order)
    best, prices, upper = _solved(problem, tolerance)
    objective = problem.value(best)
    upper = max(upper, objective)
    choice = np.empty(size, np.int8)
    choice[order] = best
    all_prices, all_use = np.zeros(len(constraints)), np.zeros(len(constraints))
    all_prices[bounded], all_use[bounded] = prices, problem.use(best)
    for place in sorted(set(range(len(constraints))) - set(bounded)):
        all_use[place] = problem_of(values, allowed, [constraints[place]], order).use(best)[0]
    return Assignment(choice, all_prices, all_use, objective, upper, (upper - objective) / upper if upper > 0 else 0.0)


def _solved(problem: Problem, tolerance: float) -> tuple[Choice, FloatArray, float]:
    """The choice, the prices and the bound, in the problem's own order."""
    nothing = np.zeros(len(problem.constraints))
    free = problem.answer(nothing)
    if free.value <= 0 or (free.use <= problem.capacity).all():
        return free.choice, nothing, free.dual
    priced = prices_of(problem, tolerance)
    mixed = rounded(priced.choices, priced.share)
    found = filled(problem, kept(problem, mixed, priced.prices), priced.prices)
    listed = greedy(problem)
    if problem.value(listed) > problem.value(found):
        found = filled(problem, kept(problem, listed, priced.prices), priced.prices)
    if priced.upper - problem.value(found) > _CLOSE * priced.upper:
        found = sharpened(problem, found, priced.prices)
        found = filled(problem, found, priced.prices)
    return found, priced.prices, priced.upper


def parity(name: str, group: IntArray, amounts: FloatArray, most_apart: float) -> list[Constraint]:
    """Bounds under which no group carries more than the average of all cases by more than `most_apart` a head.

    group: (n,) int, 0 or more; cases of -1 (group not known) count in the average only. amounts: (K,) what an action
    weighs on a person: 1 for every treatment bounds the share treated, burdens bound the mean burden. For a group of
    share w the bound reads: (sum of its amounts) / (its cases) - (sum of all amounts) / n <= most_apart.
    Returns one constraint a group that occurs, by rising code. Raises InvalidInput where `most_apart` is below 0.
    """
    if not most_apart >= 0:
        raise InvalidInput(f"groups cannot be {most_apart} apart at most.", "Give 0 or more.")
    size = len(group)
    found = []
    for code in np.unique(group[group >= 0]).tolist():
        mine = group == code
        weight = mine / mine.sum() - 1 / size
        found.append(Constraint(f"{name}:{code}", np.asarray(amounts, np.float64), most_apart, weight))
    return found
