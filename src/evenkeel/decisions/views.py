"""What a lender may look at: its decisions, its lines and its borrowers. What is another's is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import RowMapping

from evenkeel.accounts.store import Booked, booked_facts, facts_of, facts_of_many, product_of
from evenkeel.decisions.engine.happenings import Fact, Grant, grants_after
from evenkeel.decisions.engine.position import FROZEN, STAGES, THAWED, position_of
from evenkeel.decisions.requests import Decision
from evenkeel.kernel.errors import NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal
from evenkeel.storage.tables import decision as decisions

_LATEST = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = [decisions.c[name] for name in ("place", "kind", "borrower_id", "account_id", "decided_at", "reply")]
_MOVES = sa.text("""
SELECT at, outcome, before_minor, after_minor, effective_on, reasons FROM limit_move
WHERE account_id = :account_id AND lender_id = :lender_id ORDER BY at DESC LIMIT :most
""")


class DecisionOnRecord(Struct, frozen=True):
    """A decision as it was answered, and what it was about. place: in the order of the record."""

    place: int
    kind: str
    borrower_id: str
    account_id: str | None
    decided_at: datetime
    decision: Decision


class LimitMoved(Struct, frozen=True):
    """What became of a request to move a limit."""

    at: datetime
    outcome: str
    before_minor: int | None
    after_minor: int | None
    effective_on: date | None
    reasons: tuple[str, ...]


class Line(Struct, frozen=True):
    """An account on a day. available_minor: what may still be spent, below 0 where more is in use than the limit.

    limit_minor, available_minor: null where there is no limit, as with a loan. moves: of its limit, the latest first.
    """

    account_id: str
    borrower_id: str
    on: date
    stage: str
    frozen: bool
    limit_minor: int | None
    owed_minor: int
    held_minor: int
    available_minor: int | None
    past_due_minor: int
    days_past_due: int
    moves: tuple[LimitMoved, ...]


class PendingGrant(Struct, frozen=True):
    """A grant that no account was opened for yet. until: it lapses then."""

    decision_id: str
    amount_minor: int
    until: datetime


class Borrower(Struct, frozen=True):
    """A borrower as one lender knows them. grants: the oldest first. decisions: at most fifty, the latest first."""

    borrower_id: str
    lines: tuple[Line, ...]
    grants: tuple[PendingGrant, ...]
    decisions: tuple[DecisionOnRecord, ...]


@dataclass(frozen=True, slots=True)
class Views:
    """The record as one lender sees it. zone: of business days."""

    journal: Journal
    lender_id: str
    zone: ZoneInfo

    def decision(self, decision_id: str) -> DecisionOnRecord:
        """A decision. Raises NotFound if there is none, or it is another lender's."""
        try:
            name = UUID(decision_id)
        except ValueError:
            raise _no_decision(decision_id) from None
        query = sa.select(*_COLUMNS).where(decisions.c.decision_id == name, decisions.c.lender_id == self.lender_id)
        with transaction(self.journal.engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise _no_decision(decision_id)
        return _on_record(row)

    def line(self, account_id: str) -> Line:
        """An account. Raises NotFound if there is none, it is not open yet, or it is another lender's."""
        booked = facts_of(self.journal, account_id)
        if not self._own(booked):
            raise NotFound(f"There is no account {account_id}.", "Open it with a fact of kind `opened`.")
        return self._line(account_id, booked)

    def borrower(self, borrower_id: str) -> Borrower:
        """A borrower. Raises NotFound if this lender has neither a line of theirs nor a decision on them."""
        names = sorted({one.account_id for one in booked_facts(self.journal, borrower_id=borrower_id)})
        today = self._today()
        found = {
            name: booked
            for name, booked in facts_of_many(self.journal, names).items()
            if self._own(booked) and booked[0].fact.effective_on <= today
        }
        query = sa.select(*_COLUMNS).where(
            decisions.c.borrower_id == borrower_id, decisions.c.lender_id == self.lender_id
        )
        with transaction(self.journal.engine) as connection:
            rows = connection.execute(query.order_by(decisions.c.place.desc()).limit(_LATEST)).mappings().all()
        if not found and not rows:
            raise NotFound(
                f"There is no borrower {borrower_id}.", "One is there with a first account, or a first decision."
            )
        lines = tuple(self._line(name, booked) for name, booked in found.items())
        return Borrower(borrower_id, lines, self._grants(borrower_id), tuple(map(_on_record, rows)))

    def _grants(self, borrower_id: str) -> tuple[PendingGrant, ...]:
        """The grants of this lender that are open now."""
        grants: list[Grant] = []
        for entry in self.journal.read(borrower_id=borrower_id):
            fact = entry.fact
            grants = grants_after(
                grants,
                Fact(entry.seq, fact.event_id, fact.kind, fact.account_id, 0, 0, fact.reversal_of, fact.payload),
            )
        now = self.journal.clock()
        found = [(one, _EPOCH + timedelta(microseconds=one.until_us)) for one in grants]
        return tuple(
            PendingGrant(one.decision_id, one.amount_minor, until)
            for one, until in found
            if one.lender_id == self.lender_id and until >= now
        )

    def _today(self) -> date:
        return self.journal.clock().astimezone(self.zone).date()

    def _own(self, booked: Sequence[Booked]) -> bool:
        return str(booked[0].fact.details.get("lender_id") or "-") == self.lender_id

    def _line(self, account_id: str, booked: Sequence[Booked]) -> Line:
        owners = {"account_id": account_id, "borrower_id": str(booked[0].borrower_id), "lender_id": self.lender_id}
        product, today = product_of(self.journal, booked), self._today()
        at = position_of(owners, product, [one.fact for one in booked], self._frozen(account_id), today)
        with transaction(self.journal.engine) as connection:
            given = {"account_id": account_id, "lender_id": self.lender_id, "most": _LATEST}
            moves = connection.execute(_MOVES, given).all()
        return Line(
            account_id, at.borrower_id, today, str(STAGES[at.stage]), at.frozen, at.limit_minor, at.owed_minor,
            at.held_minor, at.room_minor, at.past_due_minor, at.days_past_due,
            tuple(LimitMoved(row[0], row[1], row[2], row[3], row[4], tuple(row[5])) for row in moves),
        )  # fmt: skip

    def _frozen(self, account_id: str) -> bool:
        last = [
            max((entry.seq for entry in self.journal.read(kind=kind, account_id=account_id)), default=0)
            for kind in (FROZEN, THAWED)
        ]
        return last[0] > last[1]


def _no_decision(decision_id: str) -> NotFound:
    return NotFound(f"There is no decision {decision_id[:64]}.", "The id is in the answer to the request.")


def _on_record(row: RowMapping) -> DecisionOnRecord:
    reply = msgspec.json.decode(row["reply"], type=Decision)
    at = row["decided_at"].astimezone(UTC)
    return DecisionOnRecord(row["place"], row["kind"], row["borrower_id"], row["account_id"], at, reply)
