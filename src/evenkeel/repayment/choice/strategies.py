"""The three ways people pay several debts by hand, month by month in minor units: what a plan has to be better than.

Each month all that can be carried is paid: first the least instalment to every open debt, then the rest

    pro_rata   to all, in proportion to what is owed
    avalanche  to the dearest (highest rate; of equal ones the smallest)
    snowball   to the smallest (of equal ones the dearest)

and three that nobody names: `in_time`, to that which must be clear first (of equal ones the dearest); `no_more`, to
those of which more is left than is wanted, in the same order; `as_wanted`, to these, then to the dearest. Interest
comes before the month's payment, half up. At the start (month 0) what is there is paid in the same order. Where money
may be kept, what a later month would lack for its least instalments is held back, as late and as little as will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from evenkeel.repayment.choice.purse import NOTHING, WHOLE, after, share_and_most
from evenkeel.repayment.choice.value import TOO_MUCH, grown
from evenkeel.repayment.model import IntArray, Keep

IN_TIME = "in_time"
AS_WANTED = "as_wanted"
NO_MORE = "no_more"  # than is wanted: a creditor may be better off for what it is paid late


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


def pay(
    debts: Sequence[Owed], capacity: IntArray, strategy: str, keep: Keep | None = None, wanted: IntArray | None = None
) -> IntArray | None:
    """(debts, months + 1) payments of a strategy; None where a month cannot carry the least instalments, or a debt
    grows beyond all bounds.

    capacity: (months + 1,). wanted: (debts, months + 1) what is to be left of each after each month, of `as_wanted`
    and `no_more`.
    What is not clear by the last month stays unpaid: look at what is left (`left_after`).
    """
    columns = [
        (debt.balance_minor, debt.rate_micros, debt.least_minor, debt.start_minor, debt.more, debt.deadline)
        for debt in debts
    ]
    to_leave = np.zeros((len(debts), len(capacity)), np.int64) if wanted is None else wanted
    carried, paid = _pay(
        np.array(columns, np.int64).T.copy(), capacity, _RESTS.index(strategy), *share_and_most(keep), to_leave
    )
    return paid if carried else None


def left_after(debt: Owed, payments: IntArray) -> int:
    """What is left of a debt after its payments; below 0 where too much was paid."""
    return int(_left_after(debt.balance_minor, debt.rate_micros, payments))


def payments_of(debt: Owed, left: IntArray) -> IntArray:
    """(months + 1,): what leaves of a debt so much after each month."""
    owed = [debt.balance_minor, *(grown(amount, debt.rate_micros) for amount in left[:-1].tolist())]
    return np.array(owed, np.int64) - left


_RESTS = ("pro_rata", "avalanche", "snowball", IN_TIME, AS_WANTED, NO_MORE)  # by their numbers below


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _left_after(owed: int, rate: int, payments: Any) -> int:  # pragma: no cover - compiled
    owed -= payments[0]
    for amount in payments[1:]:
        if owed <= 0 and not amount:
            break
        owed = (grown(owed, rate) if owed > 0 else owed) - amount
    return owed


_DONE, _NEVER = -1, -2
# What is held back is not paid, so that a last instalment may ask for all of it again: after so often, by doubles.
_PATIENT = 3
_TRIES = 1000  # then it counts as in vain: a count, so that answers are the same everywhere


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _pay(  # pragma: no cover - compiled
    columns: Any, capacity: Any, strategy: int, share: int, most: int, to_leave: Any
) -> Any:
    """Whether each month carries the least instalments, and the payments. columns: the fields of `Owed`, by debt."""
    size = len(capacity)
    wanted = np.zeros(size, np.int64)  # what must be kept at each month's end, as far as is known
    lacked = np.zeros(size, np.int64)  # how often each month has not held its own
    overs = np.zeros(size, np.int64)  # what each month leaves after the least instalments
    top = WHOLE * np.maximum(capacity, 0).sum() + 1
    for _ in range(_TRIES):
        month, needed, lacking, own, paid = _through(columns, capacity, strategy, share, most, wanted, overs, to_leave)
        if month < 0:
            return month == _DONE, paid
        if own:
            for _ in range(lacked[own] - _PATIENT):
                lacking = min(2 * lacking, top)
            lacked[own] += 1
        wanted[month] = min(needed + lacking, top)
        for later in range(month, 0, -1):  # and so the months before it
            before = wanted[later] - overs[later] * (share if overs[later] >= 0 else WHOLE)
            if before <= wanted[later - 1]:
                break
            wanted[later - 1] = min(before, top)
    return False, paid


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _through(  # pragma: no cover - compiled
    columns: Any, capacity: Any, strategy: int, share: int, most: int, wanted: Any, overs: Any, to_leave: Any
) -> Any:
    """Pay month by month, and keep what is wanted: _DONE, and the payments at the end; or a month at whose end more
    would have to be kept, what is, how much more, and the later month that does not hold its own (0 where it holds it,
    and only keeps too little); _NEVER where nothing helps. In the purse's measure."""
    balance, rate, least, start, more, deadline = columns
    left = balance.copy()
    paid = np.zeros((len(left), len(capacity)), np.int64)
    kept = limit = 0
    lean = capacity.min() < 0  # a month that lacks something is to be carried even when all debts are clear
    for month in range(len(capacity)):
        over = capacity[month]
        for debt in range(len(left)):
            if month:
                left[debt] = grown(left[debt], rate[debt])
            if left[debt] > TOO_MUCH:
                return _NEVER, 0, 0, 0, paid
            paid[debt, month] = min(left[debt], least[debt] if month else start[debt])
            left[debt] -= paid[debt, month]
            over -= paid[debt, month]
        overs[month] = over
        reached = after(kept, over, share, limit) if month else WHOLE * over
        if reached < wanted[month]:
            lacking = wanted[month] - reached
            if month == 0 or share == NOTHING:
                return _NEVER, 0, 0, 0, paid
            if over >= 0 and reached == limit:  # only what the start leaves raises the limit
                return 0, limit - most, lacking, 0, paid
            return month - 1, kept, lacking, month if reached < 0 else 0, paid
        rest = min(_spare(kept, over, share, wanted[month], month), (left * more).sum())
        if strategy == 0:
            extra = _pro_rata(rest, left * more)
        elif strategy == 1:
            extra = _in_order(rest, left * more, -rate, left)
        elif strategy == 2:
            extra = _in_order(rest, left * more, left, -rate)
        elif strategy == 3:
            extra = _in_order(rest, left * more, deadline, -rate)
        else:
            behind = np.maximum(0, left - to_leave[:, month]) * more
            extra = _in_order(rest, behind, deadline, -rate)
            if strategy == 4:
                extra += _in_order(rest - extra.sum(), left * more - extra, -rate, left)
        paid[:, month] += extra
        left -= extra
        over -= extra.sum()
        if month:
            kept = after(kept, over, share, limit)
        elif share != NOTHING:
            kept = WHOLE * over
            limit = kept + most
        if not left.any() and not lean:
            break
    return _DONE, 0, 0, 0, paid


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _spare(kept: int, over: int, share: int, wanted: int, month: int) -> int:  # pragma: no cover - compiled
    """The most that a month can pay beyond its least instalments, if so much is to be kept at its end."""
    if month == 0:
        return over + (-wanted) // WHOLE
    if share == NOTHING:
        return over
    if kept >= wanted or over < 0:
        return over + (kept - wanted) // WHOLE
    return over + (kept - wanted) // share


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _in_order(amount: int, most: Any, first: Any, second: Any) -> Any:  # pragma: no cover - compiled
    """All of the amount to debts in the order of two keys, the lower first; of equal ones to the earlier."""
    extra = np.zeros(len(most), np.int64)
    order = np.argsort(second, kind="mergesort")
    order = order[np.argsort(first[order], kind="mergesort")]
    for debt in order:
        extra[debt] = min(most[debt], amount)
        amount -= extra[debt]
    return extra


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _pro_rata(amount: int, weights: Any) -> Any:  # pragma: no cover - compiled
    """`kernel.money.allocate`, largest remainder, of an amount not above the sum of the weights."""
    extra, over = np.zeros(len(weights), np.int64), np.zeros(len(weights), np.int64)
    total = weights.sum()
    if not amount:
        return extra
    for debt in range(len(weights)):
        # The product may leave 64 bits; what is over comes out right, as it is small and whole numbers wrap around.
        part = np.int64(float(amount) * float(weights[debt]) / float(total))
        rest = amount * weights[debt] - part * total
        while rest < 0:
            part, rest = part - 1, rest + total
        while rest >= total:
            part, rest = part + 1, rest - total
        extra[debt], over[debt] = part, rest
    short = amount - extra.sum()
    for debt in np.argsort(-over, kind="mergesort")[:short]:
        extra[debt] += 1
    return extra
