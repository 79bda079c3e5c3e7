"""The three ways people pay several debts by hand, month by month in minor units: what a plan has to be better than.

Each month all that can be carried is paid: first the least instalment to every open debt, then the rest

    pro_rata   to all, in proportion to what is owed
    avalanche  to the dearest (highest rate; of equal ones the smallest)
    snowball   to the smallest (of equal ones the dearest)

and one that nobody names, `in_time`: to that which must be clear first (of equal ones the dearest). Interest comes
before the month's payment, half up. At the start (month 0) what is there is paid in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.kernel.money import allocate
from evenkeel.repayment.model import IntArray
from evenkeel.repayment.value import interest

IN_TIME = "in_time"


@dataclass(frozen=True, slots=True)
class Owed:
    """A debt under a plan. least_minor: the smallest instalment, or what is left; start_minor: what must be paid at the
    start; more: whether it takes more than these; deadline: the month by which it must be clear."""

    balance_minor: int
    rate_micros: int
    least_minor: int = 0
    start_minor: int = 0
    more: bool = True
    deadline: int = 0


def pay(debts: Sequence[Owed], capacity: IntArray, strategy: str) -> IntArray | None:
    """(debts, months + 1) payments of a strategy; None where a month cannot carry the least instalments.

    capacity: (months + 1,). What is not clear by the last month stays unpaid: look at what is left (`left_after`).
    """
    rest = _RESTS[strategy]
    left = [debt.balance_minor for debt in debts]
    paid = np.zeros((len(debts), len(capacity)), np.int64)
    for month, most in enumerate(capacity.tolist()):
        if month:
            left = [owed + interest(owed, debt.rate_micros) for owed, debt in zip(left, debts, strict=True)]
        least = [
            min(owed, debt.least_minor if month else debt.start_minor) for owed, debt in zip(left, debts, strict=True)
        ]
        more = most - sum(least)
        if more < 0:
            return None
        left = [owed - amount for owed, amount in zip(left, least, strict=True)]
        taken = [owed if debt.more else 0 for owed, debt in zip(left, debts, strict=True)]
        extra = rest(debts, taken, min(more, sum(taken)))
        paid[:, month] = [one + other for one, other in zip(least, extra, strict=True)]
        left = [owed - amount for owed, amount in zip(left, extra, strict=True)]
        if not any(left):
            break
    return paid


def left_after(debt: Owed, payments: IntArray) -> int:
    """What is left of a debt after its payments; below 0 where too much was paid."""
    left = debt.balance_minor - int(payments[0])
    for amount in payments[1:].tolist():
        if left <= 0 and not amount:
            break
        left += interest(left, debt.rate_micros) - amount
    return left


def _pro_rata(debts: Sequence[Owed], left: list[int], amount: int) -> list[int]:
    return allocate(amount, left) if amount else [0] * len(left)


def _in_order(key: Callable[[Owed, int], tuple[int, int]]) -> Callable[[Sequence[Owed], list[int], int], list[int]]:
    def rest(debts: Sequence[Owed], left: list[int], amount: int) -> list[int]:
        extra = [0] * len(left)
        for place in sorted(range(len(left)), key=lambda one: key(debts[one], left[one])):
            extra[place] = min(left[place], amount)
            amount -= extra[place]
            if not amount:
                break
        return extra

    return rest


_RESTS: dict[str, Callable[[Sequence[Owed], list[int], int], list[int]]] = {
    "pro_rata": _pro_rata,
    "avalanche": _in_order(lambda debt, left: (-debt.rate_micros, left)),
    "snowball": _in_order(lambda debt, left: (left, -debt.rate_micros)),
    IN_TIME: _in_order(lambda debt, left: (debt.deadline, -debt.rate_micros)),
}
