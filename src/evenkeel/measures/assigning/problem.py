"""One action for each of many cases under shared bounds, as arrays: what a price list makes everybody choose.

Conventions: n cases, K actions, C constraints. Action 0 is to do nothing: always allowed, and it uses nothing. Inside,
cases stand in the order of their keys and arrays are (K, n), so that no result hangs on the order of the rows given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Choice = npt.NDArray[np.int8]

MOST_ACTIONS = 127
_CHUNK = 1 << 15  # cases at a time: what is looked at together stays in the cache


@dataclass(frozen=True, slots=True)
class Constraint:
    """The sum over cases of weight times the amount of the action chosen is at most `capacity`.

    amounts: (K,), or (n, K) where a case has amounts of its own; that of action 0 is 0. weight: (n,), ones where None.
    capacity: 0 or more; infinite where there is no bound. Amounts and weights may be negative (a bound on differences,
    see `measures.assignment.parity`): to do nothing for all keeps every bound.
    """

    name: str
    amounts: FloatArray
    capacity: float
    weight: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a price list brings about. dual: an upper bound of the best value that keeps the bounds. value, use: of the
    choice, which need not keep them."""

    dual: float
    value: float
    use: FloatArray
    choice: Choice


class Problem:
    """Values and amounts in the order of the keys.

    gains: (K, n) value of each action over doing nothing, -inf where it is not allowed; row 0 is 0.
    """

    def __init__(self, gains: FloatArray, constraints: Sequence[Constraint]) -> None:
        self.gains = gains
        self.constraints = tuple(constraints)
        self.capacity = np.array([one.capacity for one in constraints], np.float64)
        self.actions, self.size = gains.shape

    def sample(self, rows: IntArray) -> Problem:
        """The problem of some cases, with their part of each capacity."""
        share = len(rows) / self.size
        return Problem(
            np.ascontiguousarray(self.gains[:, rows]),
            [
                Constraint(
                    one.name,
                    one.amounts if one.amounts.ndim == 1 else np.ascontiguousarray(one.amounts[:, rows]),
                    one.capacity * share,
                    None if one.weight is None else one.weight[rows],
                )
                for one in self.constraints
            ],
        )

    def amount(self, constraint: int, action: int, rows: slice | IntArray) -> FloatArray | float:
        """What an action uses of a constraint in some cases: one number where it is the same in all."""
        one = self.constraints[constraint]
        amount = one.amounts[action] if one.amounts.ndim == 1 else one.amounts[action, rows]
        found: FloatArray | float = amount if one.weight is None else amount * one.weight[rows]
        return found

    def cost(self, action: int, prices: FloatArray, rows: slice | IntArray) -> FloatArray | float:
        """What an action costs at a price list in some cases."""
        total: FloatArray | float = 0.0
        for place, price in enumerate(prices.tolist()):
            if price != 0.0 and self.touches[place, action]:
                total = total + price * self.amount(place, action, rows)
        return total

    @cached_property
    def touches(self) -> BoolArray:
        """(C, K): whether the action uses anything of the constraint."""
        return np.array(
            [one.amounts.astype(bool) if one.amounts.ndim == 1 else one.amounts.any(axis=1) for one in self.constraints]
        ).reshape(len(self.constraints), self.actions)

    def answer(self, prices: FloatArray) -> Answer:
        """Everybody's best action at a price list; of equal ones the first."""
        choice = np.zeros(self.size, np.int8)
        total = 0.0
        for start in range(0, self.size, _CHUNK):
            rows = slice(start, min(start + _CHUNK, self.size))
            best = np.zeros(rows.stop - start)
            for action in range(1, self.actions):
                worth = self.gains[action, rows] - self.cost(action, prices, rows)
                better = worth > best
                np.copyto(best, worth, where=better)
                np.copyto(choice[rows], np.int8(action), where=better)
            total += float(best.sum())
        dual = total + float((prices * self.capacity).sum())
        return Answer(dual, self.value(choice), self.use(choice), choice)

    def value(self, choice: Choice) -> float:
        """Value of a choice over doing nothing."""
        return float(self.gains[choice, np.arange(self.size)].sum())

    def use(self, choice: Choice) -> FloatArray:
        """(C,): what a choice uses of each constraint."""
        counts = np.bincount(choice, minlength=self.actions)
        used = np.zeros(len(self.constraints))
        for place, one in enumerate(self.constraints):
            if one.amounts.ndim == 1:
                mass = counts if one.weight is None else np.bincount(choice, one.weight, self.actions)
                used[place] = float((mass * one.amounts).sum())
            else:
                each = one.amounts[choice, np.arange(self.size)]
                used[place] = float((each if one.weight is None else each * one.weight).sum())
        return used

    def changes(self, action: int, choice: Choice, rows: IntArray) -> FloatArray:
        """(C, rows): what each constraint's use would change by if some cases took an action instead of theirs."""
        change = np.zeros((len(self.constraints), len(rows)))
        current = choice[rows]
        for place, one in enumerate(self.constraints):
            if one.amounts.ndim == 1:
                change[place] = one.amounts[action] - one.amounts[current]
            else:
                change[place] = one.amounts[action, rows] - one.amounts[current, rows]
            if one.weight is not None:
                change[place] *= one.weight[rows]
        return change


def problem_of(values: FloatArray, allowed: BoolArray, constraints: Sequence[Constraint], order: IntArray) -> Problem:
    """The checked problem with its cases in `order`. Raises InvalidInput that names what does not fit."""
    if values.ndim != 2 or not 1 <= values.shape[1] <= MOST_ACTIONS:
        raise InvalidInput(f"values have the shape {values.shape}.", f"Give (cases, 1 to {MOST_ACTIONS} actions).")
    size, actions = values.shape
    if allowed.shape != values.shape or allowed.dtype != np.bool_:
        raise InvalidInput("`allowed` does not fit the values.", "Give one True or False for each value.")
    if not allowed[:, 0].all():
        raise InvalidInput("action 0, to do nothing, is not allowed everywhere.", "It must be.")
    gains = np.full((actions, size), -np.inf)
    base = values[order, 0].astype(np.float64)
    for action in range(actions):
        column = values[order, action].astype(np.float64) - base
        may = allowed[order, action]
        if not np.isfinite(column[may]).all():
            raise InvalidInput(f"a value of action {action} is not a finite number.", "Do not allow what is not known.")
        np.copyto(gains[action], column, where=may)
    kept = [_checked(one, size, actions, order) for one in constraints]
    for one in kept:
        _forbid_without_capacity(gains, one)
    return Problem(gains, kept)


def _checked(one: Constraint, size: int, actions: int, order: IntArray) -> Constraint:
    amounts = np.asarray(one.amounts, np.float64)
    if amounts.shape not in ((actions,), (size, actions)):
        raise InvalidInput(f"amounts of `{one.name}` have the shape {amounts.shape}.", "Give (K,) or (n, K).")
    weight = None if one.weight is None else np.asarray(one.weight, np.float64)
    if weight is not None and weight.shape != (size,):
        raise InvalidInput(f"weights of `{one.name}` have the shape {weight.shape}.", "Give one a case.")
    if not np.isfinite(amounts).all() or (weight is not None and not np.isfinite(weight).all()):
        raise InvalidInput(f"an amount or weight of `{one.name}` is not a finite number.", "Give finite numbers.")
    if amounts[..., 0].any():
        raise InvalidInput(f"doing nothing uses some of `{one.name}`.", "The amount of action 0 must be 0.")
    if not one.capacity >= 0:
        raise InvalidInput(f"the capacity of `{one.name}` is {one.capacity}.", "It is 0 or more.")
    if amounts.ndim == 2:
        amounts = np.ascontiguousarray(amounts[order].T)
    return Constraint(one.name, amounts, float(one.capacity), None if weight is None else weight[order])


def _forbid_without_capacity(gains: FloatArray, one: Constraint) -> None:
    """An action that uses more of a constraint than its whole capacity is not possible, unless others can make room."""
    if (one.amounts < 0).any() or (one.weight is not None and (one.weight < 0).any()):
        return
    for action in range(1, len(gains)):
        amount = one.amounts[action] if one.weight is None else one.amounts[action] * one.weight
        np.copyto(gains[action], -np.inf, where=amount > one.capacity)
