"""A lender whose limits are reviewed: the shipped policy, a scorecard of inquiries, events sent in as a lender does."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, answers, book, deciders, opening

from evenkeel.decisions.engine.arms import Arms
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.moving.following import Follower
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.rules import MovingRules, rules_text
from evenkeel.decisions.replay import Replayed, replay
from evenkeel.decisions.requests import Decision, Event, Purchase
from evenkeel.scoring.scorecard import Feature
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace, open_workspace
from scorecards import card_of

START = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
LIMITS = (files("evenkeel.policy") / "shipped" / "limits.dmn").read_text(encoding="utf-8")
# Nobody asks: 1 %. One to three inquiries: 12 %. Four and more: 50 %.
CARD = card_of([Feature("inquiries_30d", "inquiries", np.array([0.5, 3.5]))], [[-4.6, -2.0, 0.0, -4.6]], intercept=0.0)


def deciding(rules: MovingRules | None = None, policy: str = LIMITS, cap_minor: int = 10_000_000) -> Deciders:
    """What decides: purchases fit the line, limits by the shipped policy."""
    base = deciders(GENEROUS, cap_minor)
    return replace(base, model=CARD, limit_text=policy, moving_text=rules_text(rules or MovingRules()))


@dataclass
class Live:
    """A lender at work."""

    workspace: Workspace
    url: str
    clock: list[datetime]
    arms: Arms
    replies: list[Decision] = field(default_factory=list)
    events: int = 0

    def having(self, **more: Any) -> None:
        """Let another policy or other rules decide."""
        self.arms = Arms(deciding(**more))

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def wait(self, **time: float) -> None:
        """Time passes."""
        self.clock[0] += timedelta(**time)

    def reviewer(self) -> Reviewer:
        return Reviewer(self.workspace.journal, lambda: self.arms)

    def follower(self) -> Follower:
        def told(reply: bytes) -> None:
            self.replies.append(decoded(reply))

        return Follower(self.reviewer(), told)

    def follow(self) -> list[Decision]:
        """Reviews of what happened since, once nobody else follows: a server sees in its own time that one is gone."""
        self.replies = []
        follower = self.follower()
        deadline = time.monotonic() + 30
        follower.catch_up()
        while not follower.is_mine and time.monotonic() < deadline:
            time.sleep(0.05)
            follower.catch_up()
        follower.close()
        return self.replies

    def send(self, kind: str, borrower: str = "b1", at: datetime | None = None, **more: Any) -> None:
        """An event of a borrower, through the hot path."""
        self.events += 1
        event = Event(lender_id=LENDER, key=f"e{self.events}", borrower_id=borrower, kind=kind, effective_at=at, **more)
        [reply] = answers(self.url, self.now, [event], self.arms.champion)
        assert isinstance(reply, bytes), reply

    def report(self, borrower: str = "b1", overdue: int = 0, service_minor: int = 10_000) -> None:
        """What a bureau told of a borrower."""
        self.send("bureau_report", borrower, payload={"overdue": overdue, "service_minor": service_minor})

    def earning(self, borrower: str = "b1") -> None:
        """Four months of income of 8,000.00."""
        for month in range(4):
            day = datetime(2025, 11, 10, 2, tzinfo=UTC) + timedelta(days=30 * month)
            self.send("income", borrower, at=day, amount_minor=800_000)

    def buy(self, key: str, amount: int, account: str = "a1", borrower: str = "b1") -> str:
        request = Purchase(lender_id=LENDER, key=key, borrower_id=borrower, account_id=account, amount_minor=amount)
        [reply] = answers(self.url, self.now, [request], self.arms.champion)
        assert isinstance(reply, bytes), reply
        return json.loads(reply)["outcome"]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with transaction(self.workspace.engine) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def replayed(self, **more: Any) -> list[Replayed]:
        return list(replay(self.workspace, 1, 1_000_000, **more))


def decoded(reply: bytes) -> Decision:
    import msgspec

    return msgspec.json.decode(reply, type=Decision)


def card(account: str = "a1", borrower: str = "b1", limit: int = 500_000, **more: object) -> dict[str, object]:
    """The opening of a card, nine months ago."""
    return opening(account, borrower, limit, "2025-06-01", **{"product": "card", **more})


def bought(account: str, amount: int, on: str = "2026-03-01") -> dict[str, object]:
    return {"account_id": account, "fact_id": f"p{on}", "kind": "purchase", "effective_on": on, "amount_minor": amount}


@contextmanager
def live(url: str, place: Path) -> Iterator[Live]:
    """A lender with one card a1 of b1: 5,000.00, of which 2,000.00 are used."""
    clock = [START]
    with open_workspace(place, database_url=url, clock=lambda: clock[0]) as workspace:
        book(workspace, card(), bought("a1", 200_000))
        yield Live(workspace, url, clock, Arms(deciding()))
