"""What the breaker held is looked at again once it is closed: the oldest first, as far as the hour leaves room.

A line waits as long as its newest review is one that the breaker held. To take it up is to review it again, by all that
is known then; the key of that review is made from the one that was held. So nothing is noted beside the reviews
themselves: whatever is killed when, none is lost and none is taken up twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from evenkeel.decisions.moving.booking import REVIEW, lowered
from evenkeel.decisions.moving.reviewing import KIND, Reviewer, logged
from evenkeel.decisions.moving.rules import Held, Lowered, MovingRules, read_rules
from evenkeel.decisions.requests import Limit
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction

_PAGE = 100  # reviews in one step
_PAUSE = timedelta(minutes=1)  # between two looks at lines that wait for the hour to pass
_SWITCHED = sa.text("SELECT coalesce(max(number), 0) FROM breaker")
# Of the lenders whose breaker is closed.
_WAITING = sa.text("""
SELECT m.lender_id, m.borrower_id, m.account_id, m.move_id, coalesce(m.before_minor, 0)
FROM (SELECT DISTINCT ON (lender_id) lender_id, opened FROM breaker ORDER BY lender_id, number DESC) AS b
JOIN limit_move AS m ON m.lender_id = b.lender_id AND NOT b.opened
CROSS JOIN LATERAL (
    SELECT decision_id, place FROM decision AS d
    WHERE d.borrower_id = m.borrower_id AND d.kind = :kind AND d.account_id = m.account_id
    ORDER BY d.place DESC LIMIT 1
) AS newest
WHERE m.by = :by AND m.outcome = 'keep' AND :held = ANY (m.reasons) AND newest.decision_id::text = m.move_id
ORDER BY newest.place
""")


class Waiting(NamedTuple):
    """A line whose newest review was held. review_id: of its decision. limit_minor: the most that may be lowered."""

    lender_id: str
    borrower_id: str
    account_id: str
    review_id: str
    limit_minor: int


@dataclass(slots=True)
class Resuming:
    """Takes up what waits. reviewed: told of the reply of each review. One of them works at a time."""

    reviewer: Reviewer
    reviewed: Callable[[bytes], None] = lambda reply: None
    _seen: int = -1  # the newest switch of a breaker that was looked at
    _again_at: datetime | None = None  # when to look again though no breaker was switched
    _waiting: deque[Waiting] = field(default_factory=deque)

    def step(self) -> bool:
        """Take up some; whether there may be more to do at once. Raises Unavailable."""
        if not self._waiting and not self._look():
            return False
        full: set[str] = set()
        for _ in range(_PAGE):
            if not self._waiting:
                break
            one = self._waiting.popleft()
            if one.lender_id in full:
                continue
            if self._room(one):
                self._take_up(one)
            else:
                full.add(one.lender_id)
                self._waiting = deque(other for other in self._waiting if other.lender_id != one.lender_id)
                self._again_at = self.reviewer.journal.clock() + _PAUSE
        return bool(self._waiting)

    def _look(self) -> bool:
        """See what waits, where a breaker was switched or some have waited for the hour to pass; whether any do."""
        with transaction(self.reviewer.journal.engine) as connection:
            switched: int = connection.execute(_SWITCHED).scalar_one()
            due = self._again_at is not None and self.reviewer.journal.clock() >= self._again_at
            if switched == self._seen and not due:
                return False
            given = {"kind": KIND, "by": REVIEW, "held": str(Held.BREAKER)}
            self._waiting = deque(Waiting(*row) for row in connection.execute(_WAITING, given))
        self._seen, self._again_at = switched, None
        return bool(self._waiting)

    def _room(self, one: Waiting) -> bool:
        """Whether the hour leaves room to lower one more, so that to take it up opens no breaker again."""
        now = self.reviewer.journal.clock()
        with transaction(self.reviewer.journal.engine) as connection:
            found = lowered(connection, one.lender_id, now)
        deciders = self.reviewer.arms().of(KIND, one.borrower_id)
        return fits(found, one.limit_minor, read_rules(deciders.moving_text or "{}"))

    def _take_up(self, one: Waiting) -> None:
        request = Limit(
            lender_id=one.lender_id, key=content_id("resumed", one.review_id), borrower_id=one.borrower_id,
            account_id=one.account_id,
        )  # fmt: skip
        with logged(f"the line {one.account_id}"):
            reply = self.reviewer.review(request)
            if reply is not None:
                self.reviewed(reply)


def fits(found: Lowered, fall_minor: int, rules: MovingRules) -> bool:
    """Whether one more limit may fall by so much within the hour. The first of an hour is always looked at."""
    if found.is_open:
        return False
    return not found.moves or (
        found.moves < rules.breaker_moves and found.sum_minor + fall_minor <= rules.breaker_minor
    )
