"""A replay gives the same bytes, or names what is different and what it would have changed."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, NOW, answers, book, deciders, opening

from evenkeel.decisions.replay import Replayed, place_of, replay
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
