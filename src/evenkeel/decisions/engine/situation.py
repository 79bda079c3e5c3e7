"""What a decision reads beside features: the numbers of the account or of the borrower at that moment, in one row.

Kept with the decision as they were, so that a replay reads the same. NULL is not known, or of the other kind. New names
come at the end: a row says how many it has, and what it does not have is NULL.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.engine.position import Position
from evenkeel.decisions.identity.verification import Identity

NAMES = (
    "stage", "frozen", "limit_minor", "owed_minor", "held_minor", "available_minor", "past_due_minor", "days_past_due",
    "hold_days", "next_due", "cap_minor", "exposure_group_minor", "requests_in_flight", "lines", "day",
    "folded_on", "identity_place", "calendar", "own_rate", "paused_until",
    # What else is on record: of a borrower whether a watch list in force names them (0, 1 a person looks, 2 declines),
    # of a purchase whether the device is another (0, 1); `FIRST` without, `NARROW` with these.
    "watched", "device_other",
    # Of an application: engine/applying.
    "age", "bureau_day", "lines_outside", "outside_minor", "service_after_minor", "income_seen_minor", "usual_minor",
    "workmates", "income_low_minor", "income_middle_minor",
    *(f"sign_{sign.name}" for sign in SIGNS),
)  # fmt: skip
FIRST = 20  # numbers of a row before what an application claims was held against the record
NARROW = 22  # numbers of a purchase
SIGN_PLACES = slice(NARROW + 10, NARROW + 10 + len(SIGNS))
# What no journal of the borrower gives again: answers of others, and what other people named. A replay reads it as it
# was recorded.
RECORDED = (
    "identity_place", "watched", "age", "usual_minor", "workmates", "sign_identity_mismatch", "sign_shared_device",
    "sign_shared_phone", "sign_shared_address", "sign_shared_contacts", "sign_same_contacts", "sign_incomes_alike",
    "sign_burst",
)  # fmt: skip
IDENTITIES = tuple(Identity)
PLACE = {name: place for place, name in enumerate(NAMES)}
WIDTH = len(NAMES)
NULL = -(1 << 63)

Row = list[int]
IntArray = npt.NDArray[np.int64]


def of_line(position: Position, day: int, watched: int, device_other: int) -> Row:
    """The row of a purchase. day: the day it is made on, as an ordinal; `folded_on` is the first day on which the
    numbers of the account are true."""
    return [
        position.stage, position.frozen, _known(position.limit_minor), position.owed_minor, position.held_minor,
        _known(position.room_minor), position.past_due_minor, position.days_past_due, position.hold_days,
        position.next_due, NULL, NULL, NULL, NULL, day, position.valid_from, NULL, position.calendar,
        position.own_rate, position.paused_until, watched, device_other,
    ]  # fmt: skip


def of_borrower(known: Mapping[str, int | None]) -> Row:
    """The row of an application, by NAMES."""
    return [_known(known.get(name)) for name in NAMES]


def matrix(rows: Sequence[Row]) -> IntArray:
    """(n, m) int64 of n rows of one kind."""
    pack = struct.Struct(f"{len(rows[0])}q").pack  # quicker than numpy reads a list of lists
    return np.frombuffer(b"".join([pack(*row) for row in rows]), np.int64).reshape(len(rows), -1)


def whole(rows: IntArray) -> IntArray:
    """Rows with every name of today: what an older or a narrower one does not have is NULL."""
    if rows.shape[1] == WIDTH:
        return rows
    result = np.full((len(rows), WIDTH), NULL, np.int64)
    result[:, : rows.shape[1]] = rows
    return result


def _known(value: int | None) -> int:
    return NULL if value is None else value
