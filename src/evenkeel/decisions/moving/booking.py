"""What a move of a limit writes: a row of moves, a fact that tells of it, the fact that changes the account.

Both ways to a move end here: a review, and a lender's own wish.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.accounts.admission import admit
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import journal_facts
from evenkeel.decisions.engine.position import FROZEN, THAWED
from evenkeel.decisions.moving.knowledge import MOVED
from evenkeel.decisions.moving.rules import Asked, Held, Lowered, Moved, Outcome
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import LIMITS_LOCK
from evenkeel.storage.journal import Fact, Journal

REVIEW = "review"  # who moves a limit where its review does

_HOUR = timedelta(hours=1)
_LOWERED = sa.text("""
SELECT count(*), coalesce(sum(CASE WHEN outcome = 'freeze' THEN before_minor ELSE before_minor - after_minor END), 0)
FROM limit_move WHERE lender_id = :lender_id AND outcome IN ('lower', 'freeze') AND at > :since
""")
_BREAKER = sa.text("SELECT opened FROM breaker WHERE lender_id = :lender_id ORDER BY number DESC LIMIT 1")
_SWITCH = sa.text("INSERT INTO breaker (lender_id, at, opened, by, why) VALUES (:lender_id, :at, :opened, :by, :why)")
_KEEP = sa.text("""
INSERT INTO limit_move (move_id, lender_id, account_id, borrower_id, at, outcome, before_minor, after_minor,
    effective_on, reasons, by)
VALUES (:move_id, :lender_id, :account_id, :borrower_id, :at, :outcome, :before_minor, :after_minor,
    :effective_on, :reasons, :by)
""")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose limit is moved. facts: of the account, in the order of booking. before_minor: the limit, None if not
    known."""

    lender_id: str
    borrower_id: str
    account_id: str
    product: Product
    facts: Sequence[AccountFact]
    before_minor: int | None


def lowered(connection: Connection, lender_id: str, now: datetime) -> Lowered:
    """What was lowered or frozen at a lender within the hour, and whether the breaker is open.

    Lowerings of a lender take turns from here to the end of the transaction.
    """
    turn = zlib.crc32(lender_id.encode()) - (1 << 31)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LIMITS_LOCK, turn)))
    moves, total = connection.execute(_LOWERED, {"lender_id": lender_id, "since": now - _HOUR}).one()
    return Lowered(moves, int(total), bool(connection.execute(_BREAKER, {"lender_id": lender_id}).scalar()))


def switch(connection: Connection, lender_id: str, now: datetime, opened: bool, by: str, why: str) -> None:
    """Open or close the breaker."""
    connection.execute(_SWITCH, {"lender_id": lender_id, "at": now, "opened": opened, "by": by, "why": why})


def keep_held(
    connection: Connection, subject: Subject, reasons: Sequence[str], move_id: str, by: str, now: datetime
) -> None:
    """Write that a move was held by the breaker, so that it is found again; nothing else follows from it."""
    connection.execute(
        _KEEP,
        {"move_id": move_id, "lender_id": subject.lender_id, "account_id": subject.account_id,
         "borrower_id": subject.borrower_id, "at": now, "outcome": str(Outcome.KEEP),
         "before_minor": subject.before_minor, "after_minor": subject.before_minor, "effective_on": None,
         "reasons": list(reasons), "by": by},
    )  # fmt: skip


def book(
    journal: Journal, connection: Connection, subject: Subject, asked: Asked, moved: Moved, reasons: Sequence[str],
    move_id: str, by: str, now: datetime,
) -> None:  # fmt: skip
    """Write a move, and what follows from it, in the caller's transaction, which holds the borrower's lock."""
    account_id, borrower_id = subject.account_id, subject.borrower_id
    told = {
        "move_id": move_id, "outcome": str(moved.outcome), "before_minor": subject.before_minor,
        "after_minor": moved.after_minor, "reasons": list(reasons), "by": by,
    }  # fmt: skip
    day = moved.effective_on
    connection.execute(
        _KEEP,
        {**told, "lender_id": subject.lender_id, "account_id": account_id, "borrower_id": borrower_id, "at": now,
         "effective_on": day},
    )  # fmt: skip
    said = {**told, "asked": str(asked.outcome), "effective_on": day.isoformat() if day else None}
    facts = [Fact(content_id("moved", move_id), MOVED, now, said, borrower_id, account_id)]
    if moved.outcome in (Outcome.RAISE, Outcome.LOWER):
        assert day is not None  # noqa: S101 - only known limits are raised or lowered
        fact = AccountFact(move_id, FactKind.LIMIT_CHANGED, day, 0, {"limit_minor": moved.after_minor})
        admit(subject.product, subject.facts, fact)
        facts += journal_facts(account_id, borrower_id, [fact])
    elif moved.outcome in (Outcome.FREEZE, Outcome.THAW):
        kind = FROZEN if moved.outcome is Outcome.FREEZE else THAWED
        facts.append(Fact(content_id(kind, move_id), kind, now, {"move_id": move_id}, borrower_id, account_id))
    journal.append_in(connection, facts)
    if moved.trips:
        switch(connection, subject.lender_id, now, True, "breaker", f"{Held.BREAKER}: {move_id}")
