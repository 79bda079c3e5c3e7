"""What a case says of a borrower holds against every contact, whoever asks, until it ends or is taken back."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from case_world import MARKED, TOLD_AGENCY, World

from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.agencies import Agency
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.arrears.contacts.model import Cleared, Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.storage.database import transaction

POINT, OTHER = "hash-of-a-number-1", "hash-of-a-number-2"


def ask(world: World, who: str, channel: str = "call", lender: str | None = None, **more: Any) -> Cleared:
    contacts = Contacts(world.journal, lender or world.lender, world.cases.rules, "CN")
    contact = Contact(
        borrower_id=who, channel=channel, target="debtor", timezone="Asia/Shanghai",
        **{"actor_type": "consumer_finance", "product": "bnpl", **more},
    )  # fmt: skip
    world.later(minutes=1)
    return contacts.ask(contact, secrets.token_hex(8))


def rules(answer: Cleared) -> list[str]:
    return sorted({one.id for one in answer.rules if one.effect in ("block", "require")})


def do(world: World, case_id: str, act: acts.Act) -> str:
    return world.cases.act(case_id, act, secrets.token_hex(8)).fact_id


@pytest.fixture
def who(world: World) -> str:
    return world.borrower()


@pytest.fixture
def case_id(world: World, who: str) -> str:
    return world.cases.open(who, "x").case_id


def test_a_representative_is_gone_through_and_none_is_made_up(world: World, who: str, case_id: str) -> None:
    through = {"facts": {"through_representative": True}}
    assert rules(ask(world, who, **through)) == ["EK-REPRESENTED"]
    told = do(world, case_id, acts.Represent(by="x", role="lawyer", authorised_on=world.today))
    assert rules(ask(world, who)) == ["EK-REPRESENTED"]
    assert rules(ask(world, who, **through)) == []
    assert rules(ask(world, who, direction="in")) == []
    do(world, case_id, acts.EndRepresentation(by="x", representation=told))
    assert rules(ask(world, who)) == []


def test_a_number_of_somebody_else_is_never_used_again(world: World, who: str, case_id: str) -> None:
    assert rules(ask(world, who, "sms", contact_point_token=POINT)) == []
    do(world, case_id, acts.WrongPerson(by="x", contact_point_token=POINT))
    assert rules(ask(world, who, "sms", contact_point_token=POINT)) == ["EK-WRONG-PERSON"]
    assert rules(ask(world, who, "sms")) == ["EK-WRONG-PERSON"]  # which one it goes to is not said
    assert rules(ask(world, who, "sms", contact_point_token=OTHER)) == []
    assert rules(ask(world, who, "app")) == []
    world.later(days=400)
    assert rules(ask(world, who, "sms", contact_point_token=POINT)) == ["EK-WRONG-PERSON"]


def test_a_vulnerable_borrower_is_contacted_as_suits_them(world: World, who: str, case_id: str) -> None:
    review = world.today + timedelta(days=30)
    told = do(world, case_id, acts.Vulnerable(by="x", channels=["letter", "sms"], review_on=review))
    more = do(world, case_id, acts.Vulnerable(by="x", channels=["sms", "app"], review_on=review))
    assert [rules(ask(world, who, one)) for one in ("call", "app", "sms")] == [["EK-VULNERABLE"], ["EK-VULNERABLE"], []]
    world.later(days=60)  # a review that nobody made ends nothing
    assert rules(ask(world, who)) == ["EK-VULNERABLE"]
    do(world, case_id, acts.ReviewVulnerable(by="x", vulnerability=more, ends=True))
    next_review = world.today + timedelta(days=30)
    keep = acts.ReviewVulnerable(by="x", vulnerability=told, ends=False, channels=["call"], review_on=next_review)
    do(world, case_id, keep)
    assert [rules(ask(world, who, one)) for one in ("call", "sms")] == [[], ["EK-VULNERABLE"]]
    do(world, case_id, acts.ReviewVulnerable(by="x", vulnerability=told, ends=True))
    assert rules(ask(world, who, "sms")) == []


def test_no_channel_that_suits_means_no_contact(world: World, who: str, case_id: str) -> None:
    do(world, case_id, acts.Vulnerable(by="x", channels=[], review_on=world.today + timedelta(days=3)))
    for channel in ("app", "sms", "letter", "email", "call", "bot_call", "visit"):
        assert "EK-VULNERABLE" in rules(ask(world, who, channel))


def test_nobody_collects_while_something_is_not_answered(world: World, who: str, case_id: str) -> None:
    first = do(world, case_id, acts.Dispute(by="x", about="debt"))
    second = do(world, case_id, acts.Dispute(by="x", about="amount"))
    complaint = do(world, case_id, acts.Complaint(by="x", via="12378", kind="harassment"))
    assert rules(ask(world, who)) == ["EK-STOP"]
    do(world, case_id, acts.AnswerDispute(by="x", dispute=first, outcome="rejected", facts=MARKED))
    do(world, case_id, acts.AnswerComplaint(by="x", complaint=complaint, outcome="rejected"))
    assert rules(ask(world, who)) == ["EK-STOP"]  # the other dispute is still open
    do(world, case_id, acts.AnswerDispute(by="x", dispute=second, outcome="rejected", facts=MARKED))
    assert rules(ask(world, who)) == []
    complaint = do(world, case_id, acts.Complaint(by="x", via="own", kind="rude"))
    assert rules(ask(world, who)) == ["EK-STOP"]
    do(world, case_id, acts.Reverse(by="x", fact_id=complaint, why="mistyped"))
    assert rules(ask(world, who)) == []


def test_a_promise_is_waited_for_and_one_that_was_mistyped_is_not(world: World, who: str, case_id: str) -> None:
    on = world.today + timedelta(days=3)
    told = do(world, case_id, acts.Promise(by="x", amount_minor=100, on=on))
    answer = ask(world, who)
    assert rules(answer) == ["EK-PROMISE"]
    assert answer.lawful_from is not None and answer.lawful_from.astimezone(world.cases.working.zone).date() > on
    do(world, case_id, acts.Reverse(by="x", fact_id=told, why="mistyped"))
    assert rules(ask(world, who)) == []


def test_insolvency_stops_everybody_of_the_lender(world: World, who: str, case_id: str) -> None:
    told = do(world, case_id, acts.Insolvent(by="x", kind="liquidation", began_on=world.today))
    assert rules(ask(world, who, "letter", facts={"prescribed_contents": True})) == ["EK-INSOLVENT"]
    do(world, case_id, acts.EndInsolvency(by="x", insolvency=told, outcome="dismissed"))
    assert rules(ask(world, who)) == []


def test_an_agency_collects_while_it_has_the_case_and_no_longer(world: World, who: str, case_id: str) -> None:
    agency = {"actor_id": "ag-1", "actor_type": "agency"}
    outside = Outsourcing(world.cases)
    for name in ("ag-1", "ag-2"):
        outside.tell(Agency(agency_id=name, **TOLD_AGENCY), "x")
    assert rules(ask(world, who, **agency)) == []  # nothing is known of agencies yet
    outside.assign(case_id, acts.Assign(by="x", agency_id="ag-1"), "k" + case_id)
    assert rules(ask(world, who, **agency)) == []
    assert rules(ask(world, who, **{**agency, "actor_id": "ag-2"})) == ["EK-AGENCY"]
    do(world, case_id, acts.Recall(by="x", why="review"))
    assert rules(ask(world, who, **agency)) == ["EK-AGENCY"]
    assert rules(ask(world, who, "sms")) == []  # the lender itself may


def test_a_case_that_was_cured_is_with_no_agency(world: World, who: str, case_id: str) -> None:
    from evenkeel.arrears.cases.sweeping import sweep

    outside = Outsourcing(world.cases)
    outside.tell(Agency(agency_id="ag-1", **TOLD_AGENCY), "x")
    outside.assign(case_id, acts.Assign(by="x", agency_id="ag-1"), "k" + case_id)
    world.pay(who, 60_000)
    assert sweep(world.cases).moved == {"cured": 1}
    assert rules(ask(world, who, actor_id="ag-1", actor_type="agency")) == ["EK-AGENCY"]


def test_a_debt_that_was_sold_is_not_collected(world: World, who: str, case_id: str) -> None:
    facts = {"separate_consent": True, "impact_assessed": True}
    until = world.today + timedelta(days=700)
    do(world, case_id, acts.Sell(by="x", buyer_id="b", price_minor=1, limitation_ends_on=until, facts=facts))
    assert rules(ask(world, who)) == ["EK-AGENCY"]
    world.account(who, f"new-{who}", 1_000, 100)
    assert rules(ask(world, who, account_id=f"new-{who}")) == []
    assert rules(ask(world, who, account_id=f"a-{who}")) == ["EK-AGENCY"]


def test_another_lender_is_not_bound_by_a_case(world: World, who: str, case_id: str) -> None:
    other = f"o-{world.lender}"
    world.account(who, f"o-{who}", 1_000, lender_id=other)
    do(world, case_id, acts.WrongPerson(by="x", contact_point_token=POINT))
    do(world, case_id, acts.Represent(by="x", role="lawyer", authorised_on=world.today))
    assert rules(ask(world, who, lender=other, contact_point_token=POINT)) == []


def test_many_looked_at_together_are_answered_as_each_alone(world: World, who: str, case_id: str) -> None:
    """Whatever stands before, and whatever was cleared for later; nothing is booked by looking."""
    other, third = world.borrower(), world.borrower()
    for hours in (0.1, 0.2, 2.0):
        ask(world, other, at=world.now + timedelta(hours=hours))
    for _ in range(3):
        ask(world, third)
    do(world, case_id, acts.Promise(by="x", amount_minor=100, on=world.today + timedelta(days=3)))
    contacts = Contacts(world.journal, world.lender, world.cases.rules, "CN")
    asked = [
        Contact(borrower_id=one, channel=channel, target="debtor", timezone=zone, contact_point_token=POINT)
        for one in (who, other, third) for channel in ("call", "sms") for zone in ("Asia/Shanghai", None)
    ]  # fmt: skip
    with transaction(world.record.engine) as connection:
        for hours in (0, 1, 12):
            at = world.now + timedelta(hours=hours)
            together = contacts.look(connection, asked, at)
            assert together == [contacts.look(connection, [one], at)[0] for one in asked]
            assert {one.may for one in together} == ({True, False} if hours < 12 else {False})
            assert together == contacts.look(connection, asked, at)
