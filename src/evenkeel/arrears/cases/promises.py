"""Promises beside payments: each unit of money keeps one promise, the one that is due first among those it may keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from evenkeel.arrears.cases.model import Matched, Paid, Promise

_ONE_DAY = timedelta(days=1)


def match(promises: Sequence[Promise], payments: Sequence[Paid], today: date) -> tuple[Matched, ...]:
    """What was paid on each promise, and whether it was kept, in the order given.

    Money counts from the day of the promise through its last day, on its account (any, where it names none). Payments
    are taken in the order of their days and given to the promise that is due first: no other way of giving keeps more
    money to promises (unit tasks with release times and deadlines; Jackson 1955). A promise without an amount is kept
    by one minor unit. A later promise on the same debt takes the place of one that is not over by then: from its day
    on money is for the later one.

    verdict: kept; replaced; pending while the day is not over; then partly (some was paid) or broken.
    """
    ends = {one.name: _end(one, promises) for one in promises}
    live = sorted(promises, key=lambda one: (ends[one.name], one.made_at, one.name))
    paid = dict.fromkeys(ends, 0)
    for payment in sorted(payments, key=lambda one: (one.on, one.number)):
        left = payment.amount_minor
        for promise in live:
            if not promise.made_on <= payment.on <= ends[promise.name]:
                continue
            if promise.account_id is not None and promise.account_id != payment.account_id:
                continue
            given = min(left, (promise.amount_minor or 1) - paid[promise.name])
            paid[promise.name] += given
            left -= given
    return tuple(Matched(one, paid[one.name], _verdict(one, paid[one.name], ends[one.name], today)) for one in promises)


def _end(one: Promise, promises: Sequence[Promise]) -> date:
    """Its last day, or the eve of the day on which another took its place."""
    later = [
        other.made_on - _ONE_DAY
        for other in promises
        if other.account_id == one.account_id and (other.made_at, other.name) > (one.made_at, one.name)
    ]
    return min([one.until, *later])


def _verdict(one: Promise, paid_minor: int, end: date, today: date) -> str:
    if paid_minor >= (one.amount_minor or 1):
        return "kept"
    if end < one.until:
        return "replaced"
    if today <= one.until:
        return "pending"
    return "partly" if paid_minor else "broken"
