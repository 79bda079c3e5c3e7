"""A replay gives the same bytes, or names what is different and what it would have changed."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, NOW, answers, book, deciders, opening, policy

from evenkeel.decisions.replay import Replayed, place_of, replay, summed
from evenkeel.decisions.requests import Application, Event, Purchase, Request
from evenkeel.scoring.scorecard import Feature
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace
from scorecards import card_of


def requests(run: str) -> list[Request]:
    said = {"lender_id": LENDER, "borrower_id": "b1"}
    return [
        Purchase(**said, key=f"{run}p1", account_id="a1", amount_minor=30_000, channel="app"),
        Purchase(**said, key=f"{run}p2", account_id="a1", amount_minor=90_000),
        Event(**said, key=f"{run}e1", kind="income", amount_minor=500_000),
        Application(**said, key=f"{run}g1", product="pay_later", requested_minor=20_000),
        Purchase(**said, key=f"{run}p3", account_id="a1", amount_minor=10_000),
    ]


def all_of(workspace: Workspace, **more) -> list[Replayed]:
    return list(replay(workspace, 1, 1_000_000, **more))


def test_every_decision_comes_out_the_same(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests("x"))
    payment = {"account_id": "a1", "fact_id": "p", "kind": "payment", "effective_on": "2026-03-06", "amount_minor": 700}
    book(workspace, payment)
    for days in (1, 8, 40):
        answers(url, NOW + timedelta(days=days), requests(f"y{days}"))
    found = all_of(workspace)
    assert len(found) == 16 and all(one.identical and not one.changes for one in found)


def test_a_late_fact_is_named_with_what_it_would_have_changed(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, [requests("")[0]])
    book(workspace, {
        "account_id": "a1", "fact_id": "l", "kind": "limit_changed", "effective_on": "2026-03-02", "limit_minor": 10_000
    })  # fmt: skip
    (one,) = all_of(workspace)
    assert one.identical and [change.what for change in one.changes] == ["late_fact"]
    assert (one.outcome, one.changes[0].outcome) == ("approve", "decline")


def test_another_policy_or_model_is_named_with_what_it_decides(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests(""))
    stricter = deciders(GENEROUS.replace('"approve"', '"decline"'))
    purchases = [one for one in all_of(workspace, now=stricter) if one.outcome == "approve" and len(one.changes)]
    assert {(change.what, change.outcome) for one in purchases for change in one.changes} == {("policy", "decline")}
    other = card_of([Feature("owed_minor", "owed", np.array([100.0]))], [[-0.5, 0.6, 0.0]])
    by_model = all_of(workspace, now=replace(deciders(), model=other))
    assert {change.what for one in by_model for change in one.changes} == {"model"}


def test_values_that_the_journal_does_not_give_are_named(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests("")[:1])
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        connection.execute(sa.text("UPDATE decision SET used = overlay(used placing '\\x01' from length(used) - 64)"))
        connection.execute(sa.text("ALTER TABLE decision ENABLE ALWAYS TRIGGER decision_append_only"))
    (one,) = all_of(workspace)
    assert not one.identical and one.changes[0].what == "journal"


def test_a_fact_dated_by_the_day_of_the_decision_is_not_said_to_have_come_before_it(
    workspace: Workspace, url: str
) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests("")[:1])
    payment = {"account_id": "a1", "fact_id": "p", "kind": "payment", "effective_on": "2026-03-05", "amount_minor": 7}
    book(workspace, payment)
    (one,) = all_of(workspace)
    assert one.identical and not one.changes


def test_a_fact_known_months_later_counts_as_if_it_had_been_known(workspace: Workspace, url: str) -> None:
    """The features of that instant, not those of a state that was told too late."""
    book(workspace, opening("a1", "b1", 100_000))
    feature = Feature("days_since_income", "income", np.array([10.0]))
    trusting = replace(
        deciders(policy("authorisation", 'if score &gt; 500 then "approve" else "decline"', more=("score",))),
        model=card_of([feature], [[-5.0, -5.0, 5.0]]),
    )
    said = {"lender_id": LENDER, "borrower_id": "b1"}
    purchase = Purchase(**said, key="p", account_id="a1", amount_minor=1_000)
    income = Event(**said, key="i", kind="income", amount_minor=90_000, effective_at=NOW - timedelta(days=3))
    (without,) = answers(url, NOW, [purchase], trusting)
    answers(url, NOW + timedelta(days=90), [income], trusting)
    (one,) = all_of(workspace)
    assert json.loads(without)["outcome"] != one.changes[0].outcome
    assert one.identical and [change.what for change in one.changes] == ["late_fact"]


def test_purchases_on_a_row_that_was_made_days_before_come_out_the_same(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    said = {"lender_id": LENDER, "borrower_id": "b1", "account_id": "a1"}
    for days in range(4):
        answers(url, NOW + timedelta(days=days), [Purchase(**said, key=f"p{days}", amount_minor=20_000)])
    assert [one.identical for one in all_of(workspace)] == [True] * 4


def test_what_is_sent_in_late_is_held_against_the_line_as_it_stands_now(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    spent = {"account_id": "a1", "fact_id": "s", "kind": "purchase", "amount_minor": 95_000}
    book(workspace, spent | {"effective_on": "2026-03-04"})
    said = {"lender_id": LENDER, "borrower_id": "b1", "account_id": "a1", "effective_at": NOW - timedelta(days=3)}
    late = [Purchase(**said, key="l1", amount_minor=6_000), Purchase(**said, key="l2", amount_minor=4_000)]
    outcomes = [json.loads(one)["outcome"] for one in answers(url, NOW, late)]
    assert outcomes == ["decline", "approve"]
    assert all(one.identical for one in all_of(workspace))


def test_grants_that_lapsed_come_out_the_same_whether_rows_were_kept_or_made_anew(
    workspace: Workspace, url: str
) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    said = {"lender_id": LENDER, "borrower_id": "b1", "product": "pay_later", "requested_minor": 50_000}
    for days in (0, 20, 40, 60):
        answers(url, NOW + timedelta(days=days), [Application(**said, key=f"g{days}")])
        if days == 40:  # takes up the grant of day 20: that of day 0 has lapsed
            book(workspace, opening("a2", "b1", 60_000, "2026-04-14"))
    found = all_of(workspace)
    assert [one.identical for one in found] == [True] * 4 and not any(one.changes for one in found[:1])


def test_decisions_of_several_versions_and_borrowers_are_summed(workspace: Workspace, url: str) -> None:
    for name in ("1", "2", "3"):
        book(workspace, opening(f"a{name}", f"b{name}", 100_000))
    for run, having in enumerate((deciders(), deciders(GENEROUS), deciders(cap_minor=60_000))):
        answers(url, NOW + timedelta(hours=run), [
            Purchase(lender_id=LENDER, key=f"{run}{name}", borrower_id=f"b{name}", account_id=f"a{name}",
                     amount_minor=45_000)
            for name in ("1", "2", "3")
        ], having)  # fmt: skip
    shares: list[float] = []
    stricter = deciders(GENEROUS.replace('"approve"', '"decline"'))
    summary = summed(replay(workspace, 1, 9, stricter, shares.append))
    assert (summary.replayed, summary.identical, summary.with_changes) == (9, 9, 9)
    assert [one.place for one in summary.shown] == list(range(1, 10)) and shares[-1] == 1
    approved = sum(one.amount_minor > 0 for one in summary.shown)
    assert approved == 6
    assert summary.causes["policy"].other_outcome == approved
    assert summary.causes["policy"].amount_minor == -45_000 * approved
    assert summed(replay(workspace, 2, 4)).replayed == 3


def test_a_damaged_decision_is_told_and_the_others_go_on(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests(""))
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        connection.execute(sa.text("UPDATE decision SET request = '{}' WHERE place = 1"))
        connection.execute(sa.text("UPDATE decision SET used = used || '\\x00' WHERE place = 2"))
        connection.execute(sa.text("UPDATE decision SET deciders = 'deciders-0' WHERE place = 3"))
        connection.execute(sa.text("UPDATE decision SET reply = reply || ' ' WHERE place = 4"))
        connection.execute(sa.text("ALTER TABLE decision ENABLE ALWAYS TRIGGER decision_append_only"))
    found = all_of(workspace)
    assert [one.identical for one in found] == [False] * 4
    assert [one.changes[0].what for one in found] == ["record", "record", "record", "code"]


def test_an_erased_identity_is_said_and_changes_nothing(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, requests("")[:1])
    workspace.journal.append([Fact("erased-1", "identity_erased", NOW, {}, "b1")])
    (one,) = all_of(workspace)
    assert one.identical and [change.what for change in one.changes] == ["identity_erased"]


def test_a_decision_is_found_by_its_id(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    told = json.loads(answers(url, NOW, requests("")[:1])[0])
    assert place_of(workspace, told["decision_id"]) == 1
