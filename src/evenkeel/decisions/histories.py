"""The record by borrower: decisions at a range of places, and every fact of those who asked, some at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.decisions.engine.happenings import Fact
from evenkeel.decisions.record import Recorded
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace

TOGETHER = 4000  # decisions that are read at once; one borrower's are never parted
_FETCHED = 5000

_COUNT = sa.text("SELECT count(*) FROM decision WHERE place BETWEEN :first AND :last")
_SIZES = sa.text("""
SELECT borrower_id, count(*) FROM decision WHERE place BETWEEN :first AND :last
GROUP BY borrower_id ORDER BY borrower_id
""")
_DECISIONS = sa.text("""
SELECT place, decision_id::text AS decision_id, kind, lender_id, borrower_id, account_id,
    (extract(epoch FROM decided_at) * 1000000)::int8 AS decided_us, known_seq, link, deciders, outcome, request,
    used, reply
FROM decision WHERE borrower_id = ANY (:some) AND place BETWEEN :first AND :last
ORDER BY borrower_id, place
""")
_FACTS = sa.text("""
SELECT borrower_id, seq, event_id, kind, account_id,
    (extract(epoch FROM effective_at) * 1000000)::int8 AS effective_us,
    (extract(epoch FROM booked_at) * 1000000)::int8 AS booked_us, reversal_of, payload::text AS payload
FROM journal WHERE borrower_id = ANY (:some) ORDER BY borrower_id, seq
""")

_payload = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class History:
    """What is on record of one borrower: decisions at the places asked for, in their order, and all facts as they were
    booked."""

    decisions: list[Recorded]
    facts: list[Fact]


def count(workspace: Workspace, first: int, last: int) -> int:
    """How many decisions there are at the places `first` to `last`."""
    with transaction(workspace.engine) as connection:
        return int(connection.execute(_COUNT, {"first": first, "last": last}).scalar_one())


def histories(workspace: Workspace, first: int, last: int) -> Iterator[list[History]]:
    """The histories of all borrowers with a decision at the places `first` to `last`, about TOGETHER decisions at a
    time. Memory is bounded by these, and by the longest history."""
    places = {"first": first, "last": last}
    with transaction(workspace.engine) as connection:
        some: list[str] = []
        size = 0
        for borrower, number in connection.execute(_SIZES, places, execution_options={"yield_per": _FETCHED}):
            some.append(borrower)
            size += number
            if size >= TOGETHER:
                yield _read(workspace, some, places)
                some, size = [], 0
        if some:
            yield _read(workspace, some, places)


def _read(workspace: Workspace, borrowers: Sequence[str], places: dict[str, int]) -> list[History]:
    with transaction(workspace.engine) as connection:
        decisions = _decisions(connection, borrowers, places)
        facts = _facts(connection, borrowers)
    return [History(decisions[borrower], facts[borrower]) for borrower in borrowers]


def _decisions(connection: Connection, borrowers: Sequence[str], places: dict[str, int]) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = defaultdict(list)
    for row in connection.execute(_DECISIONS, {"some": list(borrowers), **places}):
        found[row.borrower_id].append(
            Recorded(
                row.place, row.decision_id, row.kind, row.lender_id, row.borrower_id, row.account_id, row.decided_us,
                row.known_seq, row.link, row.deciders, row.outcome, bytes(row.request), bytes(row.used),
                bytes(row.reply),
            )
        )  # fmt: skip
    return found


def _facts(connection: Connection, borrowers: Sequence[str]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for row in connection.execute(_FACTS, {"some": list(borrowers)}):
        found[row.borrower_id].append(
            Fact(
                row.seq, row.event_id, row.kind, row.account_id, row.effective_us, row.booked_us, row.reversal_of,
                _payload(row.payload),
            )
        )  # fmt: skip
    return found
