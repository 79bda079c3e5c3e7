"""Holds on record: which id they have in the journal, and that whatever undoes them finds them by their own."""

import json

import pytest
from engine_samples import LENDER, NOW, answers, book, opening

from evenkeel.accounts.facts import FactKind
from evenkeel.accounts.store import event_id, facts_of, facts_of_many, held_event_id, owners_of
from evenkeel.decisions.engine.happenings import Fact, event_of
from evenkeel.decisions.requests import Purchase
from evenkeel.kernel.errors import Conflict
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace

REVERSAL = {"account_id": "a1", "fact_id": "undo", "kind": "reversal", "effective_on": "2026-03-05"}


def bought(workspace: Workspace, url: str, *keys: str, account: str = "a1", borrower: str = "b1") -> list[str]:
    """The holds of purchases that were approved one after the other."""
    named = {"lender_id": LENDER, "borrower_id": borrower, "account_id": account}
    holds = []
    for key in keys:
        (reply,) = answers(url, NOW, [Purchase(key=key, amount_minor=10_000, **named)])
        holds.append(json.loads(reply)["hold_id"])
    return holds


def test_the_journals_ids_of_holds_are_in_the_order_of_time() -> None:
    draws = [(b"\xff" * 16, 1_000), (b"\x00" * 16, 1_001), (b"\x01" * 16, 1_800_000_000_000_000)]
    names = [held_event_id(decision, at_us) for decision, at_us in draws]
    assert names == sorted(names)
    assert held_event_id(b"\x01" * 16, 1_000) != held_event_id(b"\x02" * 16, 1_000)


def test_what_undoes_a_hold_names_it_to_features_whatever_the_journal_calls_it() -> None:
    def event(name: str, kind: FactKind, payload: dict[str, object], reversal_of: str | None = None) -> object:
        return event_of(Fact(1, name, f"account.{kind}", "a1", 1, 1, reversal_of, payload))

    for name in (event_id("a1", "h"), held_event_id(b"h" * 16, 1)):
        hold = event(name, FactKind.HOLD, {"fact_id": "h", "amount_minor": 5})
        released = event("r", FactKind.HOLD_RELEASED, {"fact_id": "r", "hold_id": "h"})
        reversed_ = event("u", FactKind.REVERSAL, {"fact_id": "u", "reversal_of": "h"}, name)
        assert hold.event_id == released.reversal_of == reversed_.reversal_of == event_id("a1", "h")


def test_a_hold_of_a_decision_is_reversed_by_its_own_id(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    first, second = bought(workspace, url, "k1", "k2")
    book(workspace, {**REVERSAL, "reversal_of": first})
    by_id = {entry.fact.event_id: entry.fact for entry in workspace.journal.read(account_id="a1")}
    (undone,) = [fact.reversal_of for fact in by_id.values() if fact.reversal_of]
    assert by_id[undone].payload["fact_id"] == first
    (reply,) = answers(
        url, NOW, [Purchase(key="k3", amount_minor=1, lender_id=LENDER, borrower_id="b1", account_id="a1")]
    )
    assert json.loads(reply)["available_minor"] == 100_000 - 10_000 - 1, "the second hold alone is left"
    assert second in {booked.fact.fact_id for booked in facts_of(workspace.journal, "a1")}


def test_no_other_fact_of_an_account_has_the_id_of_a_hold(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    (hold,) = bought(workspace, url, "k1")
    with pytest.raises(Conflict, match=hold):
        book(workspace, {"account_id": "a1", "fact_id": hold, "kind": "payment", "effective_on": "2026-03-05",
                         "amount_minor": 5})  # fmt: skip


def test_an_account_has_all_its_holds_and_no_others(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("a2", "b1", 100_000), opening("a3", "b2", 100_000))
    holds = {name: bought(workspace, url, f"{name}-1", f"{name}-2", account=name, borrower=borrower)
             for name, borrower in (("a1", "b1"), ("a2", "b1"), ("a3", "b2"))}  # fmt: skip
    posted = {"account_id": "a2", "fact_id": "h", "kind": "hold", "effective_on": "2026-03-05", "amount_minor": 5,
              "expires_on": "2026-03-09"}  # fmt: skip
    book(workspace, posted)
    wanted = {name: ["o", *some] for name, some in holds.items()} | {"a2": ["o", *holds["a2"], "h"]}
    for name, facts in wanted.items():
        assert [booked.fact.fact_id for booked in facts_of(workspace.journal, name)] == facts
    found = facts_of_many(workspace.journal, [*wanted, "a9"])
    assert {name: [booked.fact.fact_id for booked in some] for name, some in found.items()} == wanted | {"a9": []}
    with transaction(workspace.engine) as connection:
        assert owners_of(connection, ["a1", "a3", "a9"]) == {"a1": "b1", "a3": "b2"}
