"""A limit is moved: what the rules allow of what was asked, booked as facts of the account in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import (
    booked_facts,
    facts_of,
    facts_of_many,
    one_at_a_time,
    product_of,
)
from evenkeel.decisions.engine.position import FROZEN, THAWED
from evenkeel.decisions.moving.booking import Subject, book, lowered, switch
from evenkeel.decisions.moving.knowledge import protected
from evenkeel.decisions.moving.rules import Asked, Line, Lowered, Move, MovingRules, Outcome, move
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal

_MOVES = sa.text("""
SELECT at, outcome, before_minor, after_minor FROM limit_move
WHERE account_id = :account_id AND outcome NOT IN ('keep', 'refer') ORDER BY at
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
            now = self.journal.clock()
            down = asked.outcome in (Outcome.LOWER, Outcome.FREEZE)
            falling = lowered(connection, self.lender_id, now) if down else _NONE
            moved = move(asked, account.line, self.rules, falling, now)
            told = tuple(dict.fromkeys((*reasons, *map(str, moved.held))))
            subject = Subject(self.lender_id, account.borrower_id, account_id, account.product, account.facts,
                              account.line.limit_minor)  # fmt: skip
            book(self.journal, connection, subject, asked, moved, told, move_id, by, now)
        return Applied(move_id, moved.outcome, moved.after_minor, moved.effective_on, told)

    def close_breaker(self, by: str, why: str) -> None:
        """Let limits be lowered again, once a person has looked. Raises Conflict if the breaker is not open."""
        if not by.strip() or not why.strip():
            raise InvalidInput("Who closes the breaker, and why, is not said.", "Give both.")
        with transaction(self.journal.engine) as connection:
            now = self.journal.clock()
            if not lowered(connection, self.lender_id, now).is_open:
                raise Conflict("The breaker is not open.", "Limits are being lowered as policies ask.")
            switch(connection, self.lender_id, now, False, by, why)

    def lowered(self) -> Lowered:
        """What was lowered within the hour, and whether limits are kept instead until a person has looked."""
        with transaction(self.journal.engine) as connection:
            return lowered(connection, self.lender_id, self.journal.clock())

    def breaker_is_open(self) -> bool:
        """Whether limits are kept instead of lowered until a person has looked."""
        return self.lowered().is_open

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
        others = self._others(found.borrower_id, account_id, now.astimezone(UTC).date())
        line = Line(
            state.limit_minor, state.balance_minor, state.held_minor, _frozen(kinds, account_id), others,
            protected([kind for kind, _ in kinds]), facts_at,
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

    def _done(self, connection: Connection, move_id: str, account_id: str) -> Applied | None:
        row = connection.execute(_DONE, {"move_id": move_id}).one_or_none()
        if row is None:
            return None
        if row.account_id != account_id:
            raise Conflict("The key was used before for another account.", "Use a new key for a new request.")
        return Applied(move_id, Outcome(row.outcome), row.after_minor, row.effective_on, tuple(row.reasons))


_NONE = Lowered(0, 0, False)


def _frozen(kinds: Sequence[tuple[str, str | None]], account_id: str) -> bool:
    found = [kind for kind, account in kinds if account == account_id and kind in (FROZEN, THAWED)]
    return bool(found) and found[-1] == FROZEN
