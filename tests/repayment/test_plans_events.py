"""What a plan is to the borrower's lines: while one is in force no limit is raised, and its end is followed at once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from engine_samples import LENDER
from limit_samples import Live, live
from plan_samples import case, due

from evenkeel.repayment.life.life import GRACE_DAYS
from evenkeel.repayment.life.plans import Plans

LATER = timedelta(days=GRACE_DAYS + 1)


@pytest.fixture
def lender(given_url: str, tmp_path: Path) -> Iterator[Live]:
    """A lender whose borrower b1 has a card that would be raised by its next clean report."""
    with live(given_url, tmp_path / "workspace") as opened:
        opened.earning()
        opened.follow()
        yield opened


def signed(lender: Live) -> tuple[Plans, str]:
    plans, today = Plans(lender.workspace.journal, LENDER), lender.now.date()
    life = plans.propose(case(as_of=today.isoformat()), "cheapest", "ana")
    for debt in life.creditors:
        plans.consent(life.plan_id, debt, "li", "head", today)
    plans.sign(life.plan_id, "wang", today)
    return plans, life.plan_id


def clean_report(lender: Live) -> list[str]:
    """What becomes of the line after a report without arrears."""
    lender.report()
    return [one.outcome for one in lender.follow()]


def test_without_a_plan_a_clean_report_raises_the_line(lender: Live) -> None:
    assert clean_report(lender) == ["raise"]


def test_a_plan_that_is_only_proposed_changes_nothing(lender: Live) -> None:
    today = lender.now.date()
    Plans(lender.workspace.journal, LENDER).propose(case(as_of=today.isoformat()), "cheapest", "ana")
    assert lender.follow() == []
    assert clean_report(lender) == ["raise"]


def test_while_a_plan_is_in_force_no_line_is_raised(lender: Live) -> None:
    signed(lender)
    assert len(lender.follow()) == 1  # the signature has the borrower's line reviewed
    assert "raise" not in clean_report(lender)


def test_the_end_of_a_plan_has_the_line_reviewed_and_raises_are_possible_again(lender: Live) -> None:
    plans, plan_id = signed(lender)
    lender.follow()
    for on, rows in due(plans, plan_id):
        while lender.now.date() < on:
            lender.wait(days=1)
        for debt, amount in rows:
            plans.pay(plan_id, debt, amount, on, f"{debt}-{on}")
    assert plans.life(plan_id).status == "completed"
    assert [row[0] for row in lender.rows(
        "SELECT kind FROM journal WHERE borrower_id = 'b1' AND kind LIKE 'event.plan%' ORDER BY seq"
    )] == ["event.plan_signed", "event.plan_completed"]  # fmt: skip
    assert len(lender.follow()) == 1


def test_a_completed_plan_of_which_a_payment_bounced_stops_raises_again(lender: Live) -> None:
    plans, plan_id = signed(lender)
    lender.follow()
    for on, rows in due(plans, plan_id):
        for debt, amount in rows:
            lender.wait(days=max(0, (on - lender.now.date()).days))
            plans.pay(plan_id, debt, amount, on, f"{debt}-{on}")
    lender.follow()
    assert plans.life(plan_id).status == "completed"
    plans.reverse(plan_id, f"{debt}-{on}", "bounced", lender.now.date())
    assert len(lender.follow()) == 1  # as after a signature
    assert "raise" not in clean_report(lender)


def test_a_plan_that_breaks_is_told_to_the_borrowers_lines(lender: Live) -> None:
    plans, plan_id = signed(lender)
    lender.follow()
    second = due(plans, plan_id)[1][0]
    lender.wait(days=(second + LATER - lender.now.date()).days)
    assert plans.look(plan_id, second + LATER).status == "broken"
    assert len(lender.follow()) == 1
    kinds = lender.rows("SELECT kind FROM journal WHERE kind LIKE 'event.plan%' ORDER BY seq")
    assert kinds == [("event.plan_signed",), ("event.plan_broken",)]
