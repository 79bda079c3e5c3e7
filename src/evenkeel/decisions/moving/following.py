"""What happened is followed: a fact that matters to a limit leads to a review of its borrower's lines at that lender.

The follower reads the journal from where it stopped. That place is written only once all reviews up to it are on
record, so that whatever is killed when, a review is late and never lost; and one that is on record already, because the
place was not written any more, is not made again: its decision says which facts it knew. One follower works at a time,
over all processes; another takes over when its connection is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from evenkeel.accounts.facts import RESTRUCTURINGS, FactKind
from evenkeel.accounts.store import PREFIX
from evenkeel.accounts.store import booked_facts as booked_of
from evenkeel.decisions.engine.happenings import EVENT
from evenkeel.decisions.moving.knowledge import FEED
from evenkeel.decisions.moving.resuming import Resuming
from evenkeel.decisions.moving.reviewing import Reviewer, logged
from evenkeel.decisions.requests import Limit
from evenkeel.kernel.ids import content_id
from evenkeel.storage import chain
from evenkeel.storage.database import FOLLOW_LOCK, in_words, transaction

# Facts of accounts, and events, that may change what a limit should be. What a review itself books is not among them.
MATTERS = (
    *(PREFIX + kind for kind in (
        FactKind.PAYMENT, FactKind.PAYMENT_FAILED, FactKind.GUARANTOR_PAYMENT, FactKind.CHARGEBACK, FactKind.REVERSAL,
        FactKind.CHARGE_OFF, *sorted(RESTRUCTURINGS),
    )),
    *(EVENT + kind for kind in (
        "repayment", "payment_failed", "payment_reversed", "income", "deposit", "hardship", "dispute_opened",
        "dispute_closed", "plan_signed", "plan_broken", "plan_completed",
    )),
    *FEED,
)  # fmt: skip

_NAME = "limits"
_PAGE = 100_000  # facts looked at in one step

_PLACE = sa.text("SELECT seq FROM follower WHERE name = :name")
_REACHED = sa.text("UPDATE follower SET seq = :seq WHERE name = :name AND seq < :seq")
_DONE = sa.text(f"SELECT pg_advisory_unlock({FOLLOW_LOCK}, 0)")
_TURN = sa.text(f"SELECT pg_try_advisory_lock({FOLLOW_LOCK}, 0)")
# The newest of each borrower and lender: a review knows of all before it.
_NEXT = sa.text("""
SELECT DISTINCT ON (borrower_id, coalesce(payload ->> 'lender_id', account_id))
    seq, event_id, borrower_id, account_id, payload ->> 'lender_id' AS lender_id
FROM journal WHERE seq > :after AND seq <= :until AND kind = ANY (:kinds) AND borrower_id IS NOT NULL
ORDER BY borrower_id, coalesce(payload ->> 'lender_id', account_id), seq DESC
""")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A fact that leads to reviews. account_id: whose lender is meant where the fact itself names none."""

    seq: int
    event_id: str
    borrower_id: str
    account_id: str | None
    lender_id: str | None


@dataclass(slots=True)
class Follower:
    """Follows the journal, and takes up what the breaker held. reviewed: told of the reply of each review."""

    reviewer: Reviewer
    reviewed: Callable[[bytes], None] = lambda reply: None
    _connection: Connection | None = None
    _resuming: Resuming | None = None

    def step(self) -> bool:
        """Review what the next page of facts leads to, or else some lines that the breaker held; whether there may be
        more to do at once.

        Nothing is done while another follower works. Raises Unavailable if the database cannot be reached.
        """
        try:
            if not self._my_turn():
                return False
        except DBAPIError as error:
            self.close()
            raise in_words(error) from error
        engine = self.reviewer.journal.engine
        with transaction(engine) as connection:
            after: int = connection.execute(_PLACE, {"name": _NAME}).scalar_one()
            settled = chain.settled(connection)
            until = min(settled, after + _PAGE)
            given = {"after": after, "until": until, "kinds": list(MATTERS)}
            found = [Trigger(*row) for row in connection.execute(_NEXT, given)]
        for trigger in sorted(found, key=lambda one: one.seq):
            self._follow(trigger)
        if until > after:
            with transaction(engine) as connection:
                connection.execute(_REACHED, {"name": _NAME, "seq": until})
        if until < settled:
            return True
        if self._resuming is None:
            self._resuming = Resuming(self.reviewer, self.reviewed)
        return self._resuming.step()

    @property
    def is_mine(self) -> bool:
        """Whether this is the one that follows."""
        return self._connection is not None

    def catch_up(self) -> None:
        """Review until all that is on record has been followed."""
        while self.step():
            pass

    def close(self) -> None:
        """Let another one follow."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):  # at once: a server notices later that a connection is gone
                self._connection.execute(_DONE)
            with suppress(SQLAlchemyError):
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
            self._resuming = None

    def _my_turn(self) -> bool:
        """Whether this is the one that follows: a lock that the connection holds as long as it lives."""
        if self._connection is not None:
            self._connection.execute(sa.text("SELECT 1"))  # still there?
            return True
        engine = self.reviewer.journal.engine
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(_TURN).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def _follow(self, trigger: Trigger) -> None:
        """Review the borrower's lines at the lender of a fact. One that fails for a reason of its own is logged."""
        for lender_id, account_id in self._lines(trigger):
            key = content_id("review", account_id, trigger.event_id)
            request = Limit(
                lender_id=lender_id, key=key, borrower_id=trigger.borrower_id, account_id=account_id,
                because=trigger.event_id,
            )  # fmt: skip
            with logged(f"the line {account_id}"):
                reply = self.reviewer.review(request, unless_known=trigger.seq)
                if reply is not None:
                    self.reviewed(reply)

    def _lines(self, trigger: Trigger) -> list[tuple[str, str]]:
        """Lender and id of the borrower's lines at the lender of a fact; loans have no limit to move."""
        journal = self.reviewer.journal
        openings = [
            one
            for one in booked_of(journal, borrower_id=trigger.borrower_id)
            if one.fact.kind is FactKind.OPENED
        ]  # fmt: skip
        lender_of = {one.account_id: str(one.fact.details.get("lender_id") or "-") for one in openings}
        lender = trigger.lender_id or lender_of.get(trigger.account_id or "")
        return [
            (lender_of[one.account_id], one.account_id)
            for one in openings
            if lender_of[one.account_id] == lender
            and self.reviewer.product(str(one.fact.details["product_digest"])).line is not None
        ]
