"""A decision as it is kept: the request, what was known, and the answer, each as the bytes that a replay must give.

    used = layout (1 byte), count of features (2 bytes), count of numbers of the situation (2 bytes), the values of the
           features (float64), the situation (int64), little-endian

Layout 1 had no second count; its situation had 17 numbers.

The journal holds, for each transaction, one fact with the digest of its decisions, so that the chain covers them too.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from evenkeel.decisions.cost import Line, Pricing
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.deciders import Ruling
from evenkeel.decisions.requests import Application, Cost, Decision, Purchase, encode
from evenkeel.kernel.errors import InvalidInput
from evenkeel.storage.database import transaction

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DECISIONS = "decisions"  # the kind of the fact that covers a transaction's decisions
_HEAD_1, _HEAD = struct.Struct("<BH"), struct.Struct("<BHH")
_LENGTHS = struct.Struct(">III")
_LAYOUT = 2
_PAGE = 1000  # rows fetched at once
SHOWN = 100
_LIMIT, _AVAILABLE, _OWED, _HELD, _DAY, _HOLD_DAYS, _NEXT_DUE = (
    situation.PLACE[name]
    for name in ("limit_minor", "available_minor", "owed_minor", "held_minor", "day", "hold_days", "next_due")
)
_CALENDAR, _OWN_RATE, _PAUSED = (situation.PLACE[name] for name in ("calendar", "own_rate", "paused_until"))


def name_of(request_id: bytes) -> str:
    """The 16 bytes of a decision in the form of a UUID."""
    digits = request_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def pack_used(features: FloatArray, situations: IntArray) -> list[bytes]:
    """What each of n decisions read. features: (n, k); situations: (n, m), the first m of situation.NAMES."""
    head = _HEAD.pack(_LAYOUT, features.shape[1], situations.shape[1])
    cells = np.empty((len(features), features.shape[1] + situations.shape[1]), "<i8")
    cells[:, : features.shape[1]] = features.astype("<f8", copy=False).view("<i8")
    cells[:, features.shape[1] :] = situations
    whole, width = cells.tobytes(), 8 * cells.shape[1]
    return [head + whole[start : start + width] for start in range(0, len(whole), width)]


def unpack_used(used: bytes) -> tuple[FloatArray, IntArray]:
    """Features (1, k) and situation (1, m) of a decision. Raises InvalidInput on another layout."""
    layout, first, count, width = 0, 0, 0, 0
    if used[:1] == b"\x01" and len(used) >= _HEAD_1.size:
        (layout, count), first = _HEAD_1.unpack_from(used), _HEAD_1.size
        width = (len(used) - first) // 8 - int(count)
    elif len(used) >= _HEAD.size:
        (layout, count, width), first = _HEAD.unpack_from(used), _HEAD.size
    if layout not in (1, _LAYOUT) or not 0 <= width <= situation.WIDTH or len(used) != first + 8 * (count + width):
        raise InvalidInput(
            f"a decision of layout {layout} was written by another evenkeel.", "Replay it with that one."
        )
    features = np.frombuffer(used, "<f8", count, first).reshape(1, -1)
    row = np.frombuffer(used, "<i8", width, first + 8 * count).reshape(1, -1)
    return features.astype(np.float64), row.astype(np.int64)


def answer(
    request_id: bytes, request: Purchase | Application, ruling: Ruling, row: situation.Row, deciders: str,
    pricing: Pricing | None = None,
) -> bytes:  # fmt: skip
    """The reply, encoded."""
    return encode(decided(request_id, request, ruling, row, deciders, pricing))


def decided(
    request_id: bytes, request: Purchase | Application, ruling: Ruling, row: situation.Row, deciders: str,
    pricing: Pricing | None = None,
) -> Decision:  # fmt: skip
    """The reply: a function of what is on record and of nothing else. pricing: of the product of a purchase's line."""
    name = name_of(request_id)
    if isinstance(request, Application):
        return Decision(name, ruling.outcome, ruling.reasons, ruling.amount_minor, deciders)
    limit = None if row[_LIMIT] == situation.NULL else row[_LIMIT]
    available = None if row[_AVAILABLE] == situation.NULL else row[_AVAILABLE]
    hold_id, expires, cost = None, None, None
    if ruling.amount_minor and available is not None:
        hold_id, expires = name, date.fromordinal(row[_DAY] + row[_HOLD_DAYS])
        owed = row[_OWED] + row[_HELD]
        known = len(row) > _PAUSED and row[_CALENDAR] != situation.NULL  # of older decisions it is not
        costs = pricing is not None and known and not pricing.free_in_full
        more = pricing.in_full(line_of(row), ruling.amount_minor) if pricing and costs else 0
        cost = Cost(date.fromordinal(row[_NEXT_DUE]), owed, owed + ruling.amount_minor, more)
        available -= ruling.amount_minor
    return Decision(
        name, ruling.outcome, ruling.reasons, ruling.amount_minor, deciders, limit, limit, available, hold_id, expires,
        cost,
    )  # fmt: skip


def line_of(row: situation.Row) -> Line:
    """The line of a purchase's situation, as costs are reckoned with it."""
    return Line(
        row[_CALENDAR], row[_OWN_RATE], row[_DAY], row[_NEXT_DUE], row[_PAUSED], row[_LIMIT], row[_OWED] + row[_HELD],
        row[_AVAILABLE],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision on record."""

    place: int
    decision_id: str
    kind: str
    lender_id: str
    borrower_id: str
    account_id: str | None
    decided_us: int
    known_seq: int
    link: int
    deciders: str
    outcome: str
    request: bytes
    used: bytes
    reply: bytes


def digest(parts: Iterable[tuple[bytes, bytes, bytes, bytes]]) -> str:
    """The digest that the journal keeps of a transaction's decisions: SHA-256, in hex, over id, request, used and reply
    of each, in their order; after the id stand the lengths of the other three (4 bytes each, big-endian)."""
    whole: list[bytes] = []
    for name, request, used, reply in parts:
        whole += (name, _LENGTHS.pack(len(request), len(used), len(reply)), request, used, reply)
    return hashlib.sha256(b"".join(whole)).hexdigest()


# Both in the order of links; a link's decisions in the order in which they were written.
_DECIDED = sa.text("SELECT link, uuid_send(decision_id), request, used, reply FROM decision ORDER BY link, place")
_COVERED = sa.text("SELECT link, payload ->> 'sha256' FROM journal WHERE kind = 'decisions' ORDER BY link")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Decisions on record, and the links whose decisions are not the ones that the journal's fact speaks of: how many,
    and the first SHOWN of them."""

    decisions: int
    uncovered: int
    links: tuple[int, ...]


def coverage(engine: Engine) -> Coverage:
    """Hold every decision to the digest in the journal, at one instant; both are read once, side by side.

    It shows a changed, lost or added decision as far as the chain shows a changed fact: verify that too (`chain`).
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    count = wrong = 0
    shown: list[int] = []
    with transaction(snapshot) as connection:
        streamed = {"yield_per": _PAGE}
        decided = groupby(connection.execute(_DECIDED, execution_options=streamed), key=itemgetter(0))
        told = groupby(connection.execute(_COVERED, execution_options=streamed), key=itemgetter(0))
        for link, ours, theirs in _side_by_side(decided, told):
            some = list(ours)
            count += len(some)
            found = digest((bytes(row[1]), bytes(row[2]), bytes(row[3]), bytes(row[4])) for row in some)
            if [row[1] for row in theirs] != ([found] if some else []):
                wrong += 1
                shown += [link] if len(shown) < SHOWN else []
    return Coverage(count, wrong, tuple(shown))


_Rows = Iterable[Any]


def _side_by_side(
    left: Iterator[tuple[int, _Rows]], right: Iterator[tuple[int, _Rows]]
) -> Iterator[tuple[int, _Rows, _Rows]]:
    """Each number of either with its rows on both sides; both are in order."""
    nobody: tuple[int, _Rows] = (1 << 63, ())
    one, other = next(left, nobody), next(right, nobody)
    while (number := min(one[0], other[0])) != nobody[0]:
        yield number, one[1] if one[0] == number else (), other[1] if other[0] == number else ()
        here, there = one[0] == number, other[0] == number
        one = next(left, nobody) if here else one
        other = next(right, nobody) if there else other
