"""How much more the lenders of one group may grant a borrower, now that each sees what the others have promised.

A grant counts from the moment it is promised, before anything is drawn or on book: two applications that race each
other meet here. The caller keeps the promises and calls under the borrower's lock, so that the second sees the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from evenkeel.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Promise:
    """A grant that is not on book yet. until: when it lapses unless it is taken up; both instants carry a zone."""

    application_id: str
    amount_minor: int
    granted_at: datetime
    until: datetime


def room_left(
    cap_minor: int | None, exposure_minor: int | None, promises: Iterable[Promise], at: datetime
) -> int | None:
    """What may still be granted at an instant, 0 or more; None where cap or exposure is not known: nothing may then.

    cap_minor: the most that all lenders of the group together may have promised the borrower. exposure_minor: limits of
    revolving lines and what is owed on loans, already on book. A promise made later than `at` counts too: it was made.
    Raises InvalidInput on a negative amount.
    """
    if cap_minor is None or exposure_minor is None:
        return None
    pending = [promise for promise in promises if promise.until > at]
    for name, amount in (("cap_minor", cap_minor), ("exposure_minor", exposure_minor)):
        _not_negative(name, amount)
    for promise in pending:
        _not_negative(f"amount_minor of {promise.application_id}", promise.amount_minor)
    return max(cap_minor - exposure_minor - sum(promise.amount_minor for promise in pending), 0)


def granted(wanted_minor: int, room_minor: int | None, least_minor: int, step_minor: int = 1) -> int:
    """The whole steps of what is wanted that fit into the room; 0 where that is less than the least line, or not known.

    Raises InvalidInput on an amount below 0 or a step below 1.
    """
    for name, amount in (("wanted_minor", wanted_minor), ("least_minor", least_minor)):
        _not_negative(name, amount)
    if step_minor < 1:
        raise InvalidInput(f"step_minor is {step_minor}; a step is 1 or more minor units.")
    if room_minor is None:
        return 0
    amount = min(wanted_minor, room_minor) // step_minor * step_minor
    return amount if amount >= least_minor else 0


def _not_negative(name: str, amount: int) -> None:
    if amount < 0:
        raise InvalidInput(f"{name} is {amount}; an amount is 0 or more minor units.")
