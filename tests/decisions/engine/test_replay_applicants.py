"""Applications again, from the journal: lists that a person keeps by hand, clocks that differ, incomes told of late."""

from dataclasses import replace
from datetime import date, timedelta

from engine_samples import NOW, answers, book, deciders, opening, policy
from test_applying import SHIPPED_DECIDERS, apply, ask, buy, checked, event, listed, replayed, token

from evenkeel.decisions.identity.service import put_on_watch_list, take_off_watch_list
from evenkeel.decisions.identity.watch import WatchEntry, WatchKind, WatchReason
from evenkeel.decisions.replay import replay
from evenkeel.storage.workspace import Workspace


def test_an_entry_put_on_a_list_stops_purchases_until_it_is_taken_off(workspace: Workspace, url: str) -> None:
    checked(workspace)
    book(workspace, opening("a1", "b1", 500_000))
    (unknown,) = ask(url, apply("k1"))
    assert unknown["reasons"] == ["watch_list_unknown"]  # there is no list yet
    phone = token("phone", "b1")
    entry = WatchEntry(WatchKind.PHONE, phone, WatchReason.SANCTIONED, "a letter", date(2026, 1, 1))
    assert put_on_watch_list(workspace.journal, "house", [entry]) == 1
    (stopped,) = ask(url, buy("p1"), later=1)
    assert (stopped["outcome"], stopped["reasons"]) == ("decline", ["watch_list"])
    assert take_off_watch_list(workspace.journal, "house", WatchKind.PHONE, phone) == 1
    bought, applied = (ask(url, one, later=2)[0] for one in (buy("p2"), apply("k2")))
    assert "watch_list" not in bought["reasons"] and applied["reasons"] == ["facts_stale"]
    replayed(workspace)


def test_what_an_application_finds_on_lists_is_not_late_where_its_sender_s_clock_is_ahead(
    workspace: Workspace, url: str
) -> None:
    listed(workspace, (WatchKind.PHONE, token("phone", "b1"), WatchReason.SANCTIONED))
    ahead = apply("k1", effective_at=NOW + timedelta(minutes=2))
    (reply,) = ask(url, ahead, having=SHIPPED_DECIDERS)
    assert reply["reasons"] == ["watch_list"]
    (one,) = replay(workspace, 1, 100)
    assert one.identical and not one.changes


def test_incomes_told_of_late_count_as_if_they_had_been_told_in_their_months(workspace: Workspace, url: str) -> None:
    rule = 'if income_seen_minor &gt; 0 then "approve" else "refer"'
    earning = replace(deciders(), grant_text=policy("grant", rule, more=("income_seen_minor",)))
    book(workspace, opening("a1", "b1", 500_000))
    (reply,) = ask(url, apply("k1"), having=earning)
    assert reply["outcome"] != "approve"
    for month in range(1, 7):
        income = event(f"i{month}", "income", amount_minor=900_000)
        income.effective_at = NOW - timedelta(days=30 * month)
        answers(url, NOW + timedelta(days=40), [income], earning)
    (one,) = replay(workspace, 1, 100)
    assert one.identical and [(change.what, change.outcome) for change in one.changes] == [("late_fact", "approve")]
