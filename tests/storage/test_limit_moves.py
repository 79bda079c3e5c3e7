"""Limits moved on a real record: facts that accounts fold, the same key once, the breaker over all processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post, state_of
from evenkeel.decisions.engine.position import FROZEN
from evenkeel.decisions.moving.knowledge import MOVED
from evenkeel.decisions.moving.rules import Asked, MovingRules, Outcome
from evenkeel.decisions.moving.service import Limits
from evenkeel.kernel.errors import Conflict, NotFound
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace

TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
LOWER, RAISE, FREEZE = Asked(Outcome.LOWER, 500), Asked(Outcome.RAISE, 1200), Asked(Outcome.FREEZE)
RULES = MovingRules(breaker_moves=100)


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = TODAY

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def opened(given_url: str, tmp_path: Path, now: Now) -> Iterator[Workspace]:
    """A record with cards A1 to A6 of 5,000.00 each, two a borrower; A6 is another lender's."""
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=now) as workspace:
        for number in range(1, 7):
            record = {
                "account_id": f"A{number}", "borrower_id": f"B{(number + 1) // 2}", "fact_id": "o", "kind": "opened",
                "effective_on": "2025-06-01", "product": "card", "limit_minor": 500_000,
                "lender_id": "L2" if number == 6 else "L1",
            }  # fmt: skip
            post(workspace, [record], shipped)
        yield workspace


@pytest.fixture
def limits(opened: Workspace) -> Limits:
    return Limits(opened.journal, RULES, "L1")


def moved(limits: Limits, account: str, asked: Asked, key: str = "k") -> Outcome:
    """What becomes of a move."""
    facts_at = limits.journal.clock()
    return limits.move(account, asked, ["risk_high"], key=f"{account}-{key}", by="policy-1", facts_at=facts_at).outcome


def limit_on(opened: Workspace, account: str, day: date) -> int | None:
    """The limit at the close of a day."""
    return state_of(opened, account, day)[1].limit_minor


def test_a_raise_is_so_at_once_and_a_lower_limit_after_its_notice(limits: Limits, opened: Workspace) -> None:
    today = TODAY.date()
    assert moved(limits, "A1", RAISE) is Outcome.RAISE
    assert limit_on(opened, "A1", today) == 600_000
    assert moved(limits, "A2", LOWER) is Outcome.LOWER
    assert [limit_on(opened, "A2", today + timedelta(days=days)) for days in (0, 6, 7)] == [500_000, 500_000, 250_000]


def test_a_freeze_is_a_fact_and_freezing_twice_changes_nothing(limits: Limits, opened: Workspace) -> None:
    assert moved(limits, "A1", FREEZE) is Outcome.FREEZE
    assert moved(limits, "A1", FREEZE, "again") is Outcome.KEEP
    kinds = [entry.fact.kind for entry in opened.journal.read(account_id="A1")]
    assert kinds.count(FROZEN) == 1 and kinds.count(MOVED) == 2


def test_the_same_key_has_the_same_answer_and_moves_once(limits: Limits, opened: Workspace) -> None:
    first, again = (limits.move("A1", RAISE, ["r"], key="k", by="p", facts_at=TODAY) for _ in range(2))
    assert first == again
    assert limit_on(opened, "A1", TODAY.date()) == 600_000
    with pytest.raises(Conflict, match="another account"):
        limits.move("A2", RAISE, ["r"], key="k", by="p", facts_at=TODAY)


def test_another_lenders_account_is_not_there(limits: Limits) -> None:
    for name in ("A6", "A99"):
        with pytest.raises(NotFound, match=f"There is no account {name}"):
            moved(limits, name, RAISE)


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (["event.hardship"], Outcome.KEEP),
        (["event.dispute_opened"], Outcome.KEEP),
        (["event.dispute_opened", "event.dispute_closed"], Outcome.RAISE),
        (["event.plan_signed", "event.plan_broken", "event.plan_signed"], Outcome.KEEP),
        (["event.plan_signed", "event.plan_completed"], Outcome.RAISE),
    ],
)
def test_a_hardship_a_dispute_or_a_plan_on_record_stops_raises(
    limits: Limits, opened: Workspace, kinds: list[str], outcome: Outcome
) -> None:
    for place, kind in enumerate(kinds):
        opened.journal.append([Fact(f"e{place}", kind, TODAY, {}, "B1")])
    assert moved(limits, "A1", RAISE) is outcome


def test_the_other_lines_of_the_borrower_share_one_limit(opened: Workspace) -> None:
    limits = Limits(opened.journal, replace(RULES, shared_minor=1_050_000), "L1")
    told = limits.move("A1", RAISE, ["r"], key="k", by="p", facts_at=TODAY)
    assert (told.after_minor, told.reasons) == (550_000, ("r", "shared_limit_full"))
    assert moved(limits, "A2", RAISE) is Outcome.KEEP


def test_the_breaker_opens_over_all_accounts_and_a_person_closes_it(opened: Workspace, now: Now) -> None:
    limits = Limits(opened.journal, replace(RULES, breaker_moves=2), "L1")
    assert [moved(limits, f"A{number}", LOWER) for number in range(1, 5)] == [
        Outcome.LOWER, Outcome.LOWER, Outcome.KEEP, Outcome.KEEP,
    ]  # fmt: skip
    assert limits.breaker_is_open()
    now.at += timedelta(hours=2)
    assert moved(limits, "A3", FREEZE) is Outcome.KEEP  # time alone closes nothing
    limits.close_breaker("ana", "the feed was right")
    assert moved(limits, "A3", FREEZE, "again") is Outcome.FREEZE
    with pytest.raises(Conflict, match="not open"):
        limits.close_breaker("ana", "once more")


def test_of_many_lowered_at_once_no_more_than_the_breaker_allows_pass(opened: Workspace) -> None:
    limits = Limits(opened.journal, replace(RULES, breaker_moves=2), "L1")
    with ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(lambda number: moved(limits, f"A{number}", LOWER), range(1, 6)))
    assert outcomes.count(Outcome.LOWER) == 2 and limits.breaker_is_open()


def test_of_many_raises_of_one_line_at_once_one_is_made(opened: Workspace, limits: Limits) -> None:
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda number: moved(limits, "A1", RAISE, str(number)), range(6)))
    assert outcomes.count(Outcome.RAISE) == 1
    assert limit_on(opened, "A1", TODAY.date()) == 600_000
