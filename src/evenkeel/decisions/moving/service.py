"""A limit is moved: what the rules allow of what was asked, booked as facts of the account in one transaction."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.accounts.admission import admit
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import (
    booked_facts,
    facts_of,
    facts_of_many,
    journal_facts,
    one_at_a_time,
    product_of,
)
from evenkeel.decisions.engine.position import FROZEN, THAWED
from evenkeel.decisions.moving.rules import Asked, Held, Line, Lowered, Move, Moved, MovingRules, Outcome, move
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import LIMITS_LOCK, transaction
from evenkeel.storage.journal import Fact, Journal

MOVED = "limit_moved"  # the kind of the fact that says what was asked, done and held back
_HOUR = timedelta(hours=1)
_PROTECTED = {  # kinds of events that stop raises, with those that end them
    "event.hardship": (), "event.dispute_opened": ("event.dispute_closed",),
    "event.plan_signed": ("event.plan_broken", "event.plan_completed"),
}  # fmt: skip

_LOWERED = sa.text("""
SELECT count(*), coalesce(sum(CASE WHEN outcome = 'freeze' THEN before_minor ELSE before_minor - after_minor END), 0)
FROM limit_move WHERE lender_id = :lender_id AND outcome IN ('lower', 'freeze') AND at > :since
""")
_BREAKER = sa.text("SELECT opened FROM breaker WHERE lender_id = :lender_id ORDER BY number DESC LIMIT 1")
_SWITCH = sa.text("INSERT INTO breaker (lender_id, at, opened, by, why) VALUES (:lender_id, :at, :opened, :by, :why)")
_MOVES = sa.text("""
SELECT at, outcome, before_minor, after_minor FROM limit_move
WHERE account_id = :account_id AND outcome NOT IN ('keep', 'refer') ORDER BY at
""")
_KEEP = sa.text("""
INSERT INTO limit_move (move_id, lender_id, account_id, borrower_id, at, outcome, before_minor, after_minor,
    effective_on, reasons, by)
VALUES (:move_id, :lender_id, :account_id, :borrower_id, :at, :outcome, :before_minor, :after_minor,
    :effective_on, :reasons, :by)
""")
_DONE = sa.text(
    "SELECT account_id, outcome, after_minor, effective_on, reasons FROM limit_move WHERE move_id = :move_id"
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a request to move a limit. reasons: the policy's, then those of the rules that held it back."""

    move_id: str
    outcome: Outcome
    after_minor: int | None
    effective_on: date | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Account:
    borrower_id: str
    product: Product
    facts: tuple[AccountFact, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one lender. zone-less: days are those of UTC, as in the journal."""

    journal: Journal
    rules: MovingRules
    lender_id: str

    def move(
        self, account_id: str, asked: Asked, reasons: Sequence[str], *, key: str, by: str, facts_at: datetime
    ) -> Applied:
        """Move a limit as far as the rules allow; the same key again gives the first answer.

        facts_at: the newest fact behind `asked`. Raises NotFound for an account that is not this lender's, Conflict if
        the key was used for another account.
        """
        if not 1 <= len(reasons) <= 3:
            raise InvalidInput(f"A move has {len(reasons)} reasons.", "Give one to three.")
        move_id = content_id("move", self.lender_id, key)
        with transaction(self.journal.engine) as connection:
            found = self._found(account_id)
            one_at_a_time(connection, [account_id, found.borrower_id])
            if (done := self._done(connection, move_id, account_id)) is not None:
                return done
            account = self._account(connection, account_id, facts_at)  # as it stands now that nobody else books
            lowered = self._lowered(connection) if asked.outcome in (Outcome.LOWER, Outcome.FREEZE) else _NONE
            now = self.journal.clock()
            moved = move(asked, account.line, self.rules, lowered, now)
            told = tuple(dict.fromkeys((*reasons, *map(str, moved.held))))
            self._book(connection, account_id, account, asked, moved, told, move_id, by, now)
        return Applied(move_id, moved.outcome, moved.after_minor, moved.effective_on, told)

    def close_breaker(self, by: str, why: str) -> None:
        """Let limits be lowered again, once a person has looked. Raises Conflict if the breaker is not open."""
        if not by.strip() or not why.strip():
            raise InvalidInput("Who closes the breaker, and why, is not said.", "Give both.")
        with transaction(self.journal.engine) as connection:
            if not self._lowered(connection).is_open:
                raise Conflict("The breaker is not open.", "Limits are being lowered as policies ask.")
            self._switch(connection, False, by, why)

    def breaker_is_open(self) -> bool:
        """Whether limits are kept instead of lowered until a person has looked."""
        with transaction(self.journal.engine) as connection:
            return self._lowered(connection).is_open

    # ---- Reading ---------------------------------------------------------------------------------------------------

    def _found(self, account_id: str) -> _Account:
        """The account, if it is this lender's. Raises NotFound as for one that does not exist."""
        booked = facts_of(self.journal, account_id)
        opened = booked[0]
        if str(opened.fact.details.get("lender_id") or "-") != self.lender_id:
            raise NotFound(f"There is no account {account_id}.", "Open it with a fact of kind `opened`.")
        product = product_of(self.journal, booked)
        never = Line(None, None, 0, False, 0, False, self.journal.clock())
        return _Account(str(opened.borrower_id), product, tuple(one.fact for one in booked), never)

    def _account(self, connection: Connection, account_id: str, facts_at: datetime) -> _Account:
        found = self._found(account_id)
        now = self.journal.clock()
        state = account_state(found.product, found.facts, now.astimezone(UTC).date())
        kinds = self._kinds(found.borrower_id)
        moves = connection.execute(_MOVES, {"account_id": account_id}).all()
        line = Line(
            state.limit_minor, state.balance_minor, state.held_minor, _frozen(kinds, account_id),
            self._others(found.borrower_id, account_id, now.astimezone(UTC).date()), _protected(kinds), facts_at,
            [Move(row[0], Outcome(row[1]), row[2] or 0, row[3] or 0) for row in moves],
        )  # fmt: skip
        return _Account(found.borrower_id, found.product, found.facts, line)

    def _kinds(self, borrower_id: str) -> list[tuple[str, str | None]]:
        """Kind and account of what is on record of a borrower, in the order of booking."""
        return [(entry.fact.kind, entry.fact.account_id) for entry in self.journal.read(borrower_id=borrower_id)]

    def _others(self, borrower_id: str, account_id: str, day: date) -> int:
        """Limits, or what is owed where there is none or more, of the borrower's other accounts with this lender."""
        names = {one.account_id for one in booked_facts(self.journal, borrower_id=borrower_id)} - {account_id}
        total = 0
        for booked in facts_of_many(self.journal, sorted(names)).values():
            opened = booked[0].fact
            if str(opened.details.get("lender_id") or "-") == self.lender_id and opened.effective_on <= day:
                state = account_state(product_of(self.journal, booked), [one.fact for one in booked], day)
                total += max(state.limit_minor or 0, state.balance_minor + state.held_minor)
        return total

    def _lowered(self, connection: Connection) -> Lowered:
        """What was lowered in the last hour; lowerings of a lender take turns from here to the end."""
        turn = zlib.crc32(self.lender_id.encode()) - (1 << 31)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LIMITS_LOCK, turn)))
        given = {"lender_id": self.lender_id, "since": self.journal.clock() - _HOUR}
        moves, total = connection.execute(_LOWERED, given).one()
        is_open = connection.execute(_BREAKER, {"lender_id": self.lender_id}).scalar()
        return Lowered(moves, int(total), bool(is_open))

    def _done(self, connection: Connection, move_id: str, account_id: str) -> Applied | None:
        row = connection.execute(_DONE, {"move_id": move_id}).one_or_none()
        if row is None:
            return None
        if row.account_id != account_id:
            raise Conflict("The key was used before for another account.", "Use a new key for a new request.")
        return Applied(move_id, Outcome(row.outcome), row.after_minor, row.effective_on, tuple(row.reasons))

    # ---- Writing ---------------------------------------------------------------------------------------------------

    def _book(
        self, connection: Connection, account_id: str, account: _Account, asked: Asked, moved: Moved,
        told: tuple[str, ...], move_id: str, by: str, now: datetime,
    ) -> None:  # fmt: skip
        borrower_id, before = account.borrower_id, account.line.limit_minor
        connection.execute(
            _KEEP,
            {
                "move_id": move_id, "lender_id": self.lender_id, "account_id": account_id, "borrower_id": borrower_id,
                "at": now, "outcome": str(moved.outcome), "before_minor": before, "after_minor": moved.after_minor,
                "effective_on": moved.effective_on, "reasons": list(told), "by": by,
            },
        )  # fmt: skip
        said = {
            "move_id": move_id, "asked": str(asked.outcome), "outcome": str(moved.outcome), "before_minor": before,
            "after_minor": moved.after_minor, "reasons": list(told), "by": by,
            "effective_on": moved.effective_on.isoformat() if moved.effective_on else None,
        }  # fmt: skip
        facts = [Fact(content_id("moved", move_id), MOVED, now, said, borrower_id, account_id)]
        if moved.outcome in (Outcome.RAISE, Outcome.LOWER):
            assert moved.effective_on is not None  # noqa: S101 - only known limits are raised or lowered
            fact = AccountFact(
                move_id, FactKind.LIMIT_CHANGED, moved.effective_on, 0, {"limit_minor": moved.after_minor}
            )
            admit(account.product, account.facts, fact)
            facts += journal_facts(account_id, borrower_id, [fact])
        elif moved.outcome in (Outcome.FREEZE, Outcome.THAW):
            kind = FROZEN if moved.outcome is Outcome.FREEZE else THAWED
            facts.append(Fact(content_id(kind, move_id), kind, now, {"move_id": move_id}, borrower_id, account_id))
        self.journal.append_in(connection, facts)
        if moved.trips:
            self._switch(connection, True, "breaker", f"{Held.BREAKER}: {move_id}")

    def _switch(self, connection: Connection, opened: bool, by: str, why: str) -> None:
        given = {"lender_id": self.lender_id, "at": self.journal.clock(), "opened": opened, "by": by, "why": why}
        connection.execute(_SWITCH, given)


_NONE = Lowered(0, 0, False)


def _frozen(kinds: Sequence[tuple[str, str | None]], account_id: str) -> bool:
    found = [kind for kind, account in kinds if account == account_id and kind in (FROZEN, THAWED)]
    return bool(found) and found[-1] == FROZEN


def _protected(kinds: Sequence[tuple[str, str | None]]) -> bool:
    """Whether a hardship, a dispute or a plan is on record that nothing has ended."""
    in_force: dict[str, bool] = {}
    for kind, _ in kinds:
        for opening, endings in _PROTECTED.items():
            if kind == opening:
                in_force[opening] = True
            elif kind in endings:
                in_force[opening] = False
    return any(in_force.values())
