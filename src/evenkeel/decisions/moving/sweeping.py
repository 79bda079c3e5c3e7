"""What no event tells: a bill that was not paid by its day. Once a day, who became late by time alone is reviewed.

A borrower's row says until when the numbers of their lines hold. Those that do not hold today are folded, and who is
late and not frozen is reviewed, once a day: the key of the review says the day, so that a sweep that was cut off begins
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from evenkeel.decisions.engine.position import OPEN
from evenkeel.decisions.moving.knowledge import accounts_on
from evenkeel.decisions.moving.reviewing import Reviewer, facts_of_borrower, logged
from evenkeel.decisions.requests import Limit
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction

_NAME = "limits_swept"
_PAGE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SWEPT = sa.text("SELECT seq FROM follower WHERE name = :name")
_DONE = sa.text(
    "INSERT INTO follower (name, seq) VALUES (:name, :day) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
)
_PASSED = sa.text("""
SELECT borrower_id FROM borrower
WHERE lines_until < :today AND lines <> '' AND borrower_id > :after ORDER BY borrower_id LIMIT :most
""")


@dataclass(slots=True)
class Sweep:
    """The sweep of a day. reviewed: told of the reply of each review."""

    reviewer: Reviewer
    reviewed: Callable[[bytes], None] = lambda reply: None

    def due(self) -> int | None:
        """The present business day, as an ordinal, if it has not been swept."""
        today = self._today()
        with transaction(self.reviewer.journal.engine) as connection:
            swept = connection.execute(_SWEPT, {"name": _NAME}).scalar()
        return today if swept is None or swept < today else None

    def steps(self, today: int) -> Iterator[None]:
        """Sweep, some hundred borrowers a step, so that events are not kept waiting."""
        engine, after = self.reviewer.journal.engine, ""
        while True:
            given = {"today": today, "after": after, "most": _PAGE}
            with transaction(engine) as connection:
                borrowers = [row[0] for row in connection.execute(_PASSED, given)]
            for borrower_id in borrowers:
                with logged(f"the lines of {borrower_id}"):
                    self.sweep(borrower_id, today)
            if len(borrowers) < _PAGE:
                break
            after = borrowers[-1]
            yield
        with transaction(engine) as connection:
            connection.execute(_DONE, {"name": _NAME, "day": today})

    def _today(self) -> int:
        at_us = (self.reviewer.journal.clock() - _EPOCH) // timedelta(microseconds=1)
        return self.reviewer.arms().champion.day(at_us)

    def sweep(self, borrower_id: str, today: int) -> None:
        """Review the lines of a borrower that are late."""
        day = date.fromordinal(today)
        with transaction(self.reviewer.journal.engine) as connection:
            facts = facts_of_borrower(connection, borrower_id)
        for name, account in accounts_on(borrower_id, facts, self.reviewer.product, day).items():
            position = account.position
            late = position.days_past_due > 0 and position.stage == OPEN and not position.frozen
            if account.is_line and late:
                request = Limit(
                    lender_id=position.lender_id or "-", key=content_id("late", name, day.isoformat()),
                    borrower_id=borrower_id, account_id=name,
                )  # fmt: skip
                reply = self.reviewer.review(request)
                if reply is not None:
                    self.reviewed(reply)
