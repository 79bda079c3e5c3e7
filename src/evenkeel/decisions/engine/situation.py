"""What a decision reads beside features: the numbers of the account or of the borrower at that moment, in one row.

Kept with the decision as they were, so that a replay reads the same. NULL is not known, or of the other kind.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evenkeel.decisions.engine.position import Position
from evenkeel.decisions.identity.verification import Identity

NAMES = (
    "stage", "frozen", "limit_minor", "owed_minor", "held_minor", "available_minor", "past_due_minor", "days_past_due",
    "hold_days", "next_due", "cap_minor", "exposure_group_minor", "requests_in_flight", "lines", "day",
    "folded_on", "identity_place", "calendar", "own_rate", "paused_until",
)  # fmt: skip
IDENTITIES = tuple(Identity)
PLACE = {name: place for place, name in enumerate(NAMES)}
WIDTH = len(NAMES)
NULL = -(1 << 63)

Row = list[int]
IntArray = npt.NDArray[np.int64]


def of_line(position: Position, day: int) -> Row:
    """The row of a purchase. day: the day it is made on, as an ordinal; `folded_on` is the first day on which the
    numbers of the account are true."""
    return [
        position.stage, position.frozen, _known(position.limit_minor), position.owed_minor, position.held_minor,
        _known(position.room_minor), position.past_due_minor, position.days_past_due, position.hold_days,
        position.next_due, NULL, NULL, NULL, NULL, day, position.valid_from, NULL, position.calendar,
        position.own_rate, position.paused_until,
    ]  # fmt: skip


def of_borrower(cap_minor: int, exposure_minor: int, in_flight: int, lines: int, day: int, identity: Identity) -> Row:
    """The row of an application. exposure_minor: limits and loans of all lines of the group, and grants that are not
    taken up yet; in_flight: how many of these. identity: the verdict on the checks on record."""
    return [NULL] * 10 + [
        cap_minor, exposure_minor, in_flight, lines, day, NULL, IDENTITIES.index(identity)
    ] + [NULL] * 3  # fmt: skip


def _known(value: int | None) -> int:
    return NULL if value is None else value


def numbers(rows: IntArray) -> npt.NDArray[np.float64]:
    """(n, WIDTH) as float64, NaN where not known. Amounts are below 2**53."""
    result = rows.astype(np.float64)
    result[rows == NULL] = np.nan
    return result
