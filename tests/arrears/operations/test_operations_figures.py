"""Operations figures against a count by hand, and what was to be expected against another way to reckon it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from past_books import came, history, last_day, name, owed, past, states

from evenkeel.accounts.panel import build_panel
from evenkeel.arrears.treatments.history import Payments, Promises, history_of_book, kept
from evenkeel.arrears.treatments.operations import DEFINITIONS, operations

Rows = dict[str, list[dict[str, Any]]]


def figures(rows: Rows, months: int, **given_: Any) -> dict[str, Any]:
    told, tables = history(rows, last_day(months - 1))
    return operations(told, tables.get("contacts"), tables.get("instalments"), **given_)


def recovered(rows: Rows, place: int, only: set[str] | None = None) -> tuple[int, int]:
    """(accounts in arrears at the month-end before, of which back) of a month."""
    state, balance, paid = states(rows), owed(rows), came(rows)
    of = back = 0
    for (account, month), bucket in state.items():
        if month != name(place - 1) or bucket == 0 or (only is not None and account not in only):
            continue
        of += 1
        now = state.get((account, name(place)))
        amount = sum(sum_ for who, day, sum_ in paid if who == account and f"{day:%Y-%m}" == name(place))
        gone = now is None and balance[account, month] is not None and amount >= balance[account, month]
        back += now == 0 or gone
    return of, back


def test_an_account_without_credit_in_use_is_on_book_and_not_overdue() -> None:
    start = {"borrower_id": "b", "lender_id": "x", "product": "card"}
    rows: Rows = {
        "accounts": [{"account_id": one, **start} for one in "abcd"],
        "periods": [
            {"account_id": account, "month": name(month), "state": state, "balance_minor": 100}
            for account, course in (("a", "M0 X"), ("b", "M0 M1"), ("c", "M1 X"), ("d", "M2 M3"))
            for month, state in enumerate(course.split())
        ],
    }
    whole = figures(rows, 2)["whole"]
    assert (whole["entry"]["hits"], whole["entry"]["of"]) == (1, 2)
    assert (whole["recovery"]["hits"], whole["recovery"]["of"]) == (1, 2)


@pytest.mark.parametrize("seed", range(2))
def test_entry_recovery_and_amounts_are_those_of_a_count_by_hand(seed: int) -> None:
    months = 7
    rows = past(40, months, seed)
    found = figures(rows, months)
    state, balance, paid, place = states(rows), owed(rows), came(rows), months - 1
    current = [who for (who, month), bucket in state.items() if month == name(place - 1) and bucket == 0]
    there = [who for who in current if (who, name(place)) in state]
    assert found["month"] == name(place)
    assert found["whole"]["entry"]["of"] == len(there)
    assert found["whole"]["entry"]["hits"] == sum(state[who, name(place)] > 0 for who in there)
    assert (found["whole"]["recovery"]["of"], found["whole"]["recovery"]["hits"]) == recovered(rows, place)
    late = {who for (who, month), bucket in state.items() if month == name(place - 1) and bucket > 0}
    assert found["whole"]["amount_recovered"]["of_minor"] == sum(balance[who, name(place - 1)] or 0 for who in late)
    assert found["whole"]["amount_recovered"]["recovered_minor"] == sum(
        sum_ for who, day, sum_ in paid if who in late and f"{day:%Y-%m}" == name(place)
    )
    for row in found["months"]:
        at = next(k for k in range(months) if name(k) == row["month"])
        of, back = recovered(rows, at)
        assert row["recovery"] == (pytest.approx(back / of) if of else None)


@pytest.mark.parametrize("seed", range(2))
def test_groups_are_parts_of_the_whole(seed: int) -> None:
    rows = past(45, 6, seed)
    found = figures(rows, 6)
    for dimension in ("bucket", "product", "agency", "cohort"):
        parts = found["by"][dimension]
        for count in ("of", "hits"):
            assert sum(one["recovery"][count] for one in parts) == found["whole"]["recovery"][count]
    product = {one["account_id"]: one["product"] for one in rows["accounts"]}
    for one in found["by"]["product"]:
        mine = {who for who, what in product.items() if what == one["name"]}
        assert (one["recovery"]["of"], one["recovery"]["hits"]) == recovered(rows, 5, mine)
    agency = {one["account_id"]: one["servicer_id"] or "-" for one in rows["accounts"]}
    for one in found["by"]["agency"]:
        mine = {who for who, what in agency.items() if what == one["name"]}
        assert (one["recovery"]["of"], one["recovery"]["hits"]) == recovered(rows, 5, mine)


@pytest.mark.parametrize("seed", range(2))
def test_the_cohort_is_the_month_in_which_the_present_arrears_began(seed: int) -> None:
    rows = past(45, 7, seed)
    state = states(rows)
    began: dict[str, set[str]] = {}
    for who in {account for account, _ in state}:
        place = 5
        if state.get((who, name(place)), 0) == 0:
            continue
        while state.get((who, name(place - 1)), 0) > 0:
            place -= 1
        began.setdefault(name(place), set()).add(who)
    found = {one["name"]: one["recovery"] for one in figures(rows, 7)["by"]["cohort"] if one["recovery"]["of"]}
    assert {month: one["of"] for month, one in found.items()} == {month: len(who) for month, who in began.items()}
    for month, who in began.items():
        assert found[month]["hits"] == recovered(rows, 6, who)[1]


@pytest.mark.parametrize("seed", range(2))
def test_the_collector_is_who_spoke_last(seed: int) -> None:
    rows = past(45, 6, seed)
    last: dict[str, tuple[datetime, str]] = {}
    for one in rows["contacts"]:
        who, actor = one["account_id"], one["actor_id"] or "-"
        before = last.get(who)
        if before is None or (one["at"].date(), actor) >= (before[0].date(), before[1]):
            last[who] = (one["at"], actor)
    for one in figures(rows, 6)["by"]["collector"]:
        mine = {who for who, (_, actor) in last.items() if actor == one["name"]}
        assert (one["recovery"]["of"], one["recovery"]["hits"]) == recovered(rows, 5, mine)


@pytest.mark.parametrize("seed", range(2))
def test_promises_kept_and_each_day_are_those_of_a_count_by_hand(seed: int) -> None:
    rows, place = past(40, 6, seed), 5
    paid, state = came(rows), states(rows)
    best: dict[tuple[str, date, date], int] = {}
    for one in rows["contacts"]:
        if one["promised_on"]:
            key = (one["account_id"], one["at"].date(), one["promised_on"])
            best[key] = max(best.get(key, -1), one["promised_minor"] or -1)
    due = {key: amount for key, amount in best.items() if f"{key[2]:%Y-%m}" == name(place)}
    good = {
        (who, made, until)
        for (who, made, until), amount in due.items()
        if sum(sum_ for payer, day, sum_ in paid if payer == who and made <= day <= until) >= max(amount, 1)
    }
    found = figures(rows, 6)
    assert (found["whole"]["promise_kept"]["of"], found["whole"]["promise_kept"]["hits"]) == (len(due), len(good))
    late = {who for (who, month), bucket in state.items() if month == name(place - 1) and bucket > 0}
    for one in found["daily"]:
        day = date.fromisoformat(one["day"])
        assert one["recovered_minor"] == sum(sum_ for who, on, sum_ in paid if who in late and on == day)
        assert one["promises_due"] == sum(key[2] == day for key in due)
        assert one["promises_kept"] == sum(key[2] == day for key in good)
        assert one["contacts"] == sum(contact["at"].date() == day for contact in rows["contacts"])
    assert len(found["daily"]) == last_day(place).day


@pytest.mark.parametrize("seed", range(3))
def test_bills_missed_are_those_of_a_count_by_hand(seed: int) -> None:
    rows, place = past(25, 5, seed), 4
    rng = np.random.default_rng(seed)
    rows["instalments"] = [
        {"account_id": one["account_id"], "seq": k + 1, "due_on": last_day(k).replace(day=int(rng.integers(1, 29))),
         "due_minor": int(rng.integers(100, 900))}
        for one in rows["accounts"][::2] for k in range(5)
    ]  # fmt: skip
    state, paid = states(rows), came(rows)
    due: dict[date, int] = {}
    missed: dict[date, int] = {}
    for bill in rows["instalments"]:
        who, day = bill["account_id"], bill["due_on"]
        if f"{day:%Y-%m}" != name(place) or state.get((who, name(place - 1))) != 0:
            continue
        asked = sum(
            one["due_minor"] for one in rows["instalments"] if one["account_id"] == who and one["due_on"] <= day
        )
        earlier = asked - bill["due_minor"]
        old = sum(sum_ for payer, on, sum_ in paid if payer == who and on <= last_day(place - 1))
        new = sum(sum_ for payer, on, sum_ in paid if payer == who and last_day(place - 1) < on <= day)
        due[day] = due.get(day, 0) + 1
        missed[day] = missed.get(day, 0) + (max(old, earlier) + new < asked)
    assert sum(due.values()) > 0
    for one in figures(rows, 5)["daily"]:
        day = date.fromisoformat(one["day"])
        assert (one["bills_due"], one["bills_missed"]) == (due.get(day, 0), missed.get(day, 0))


def test_what_is_expected_of_a_group_is_the_rate_of_its_own_buckets() -> None:
    """An agency with the oldest cases is not the worse one for it: its expectation is as low as its buckets."""
    rows: Rows = {"accounts": [], "periods": [], "payments": [], "contacts": []}
    for account in range(200):
        hard = account >= 100
        rows["accounts"].append(
            {"account_id": f"a{account:03d}", "borrower_id": f"b{account}", "lender_id": "k", "product": "card",
             "servicer_id": "hard" if hard else "easy"}
        )  # fmt: skip
        for place in range(9):
            # Easy ones are M1 and M0 by turns for half of them; hard ones stay in M5 but for one in ten.
            back = place % 2 == 0 and (account % 10 == 0 if hard else account % 2 == 0)
            state = 0 if back else (5 if hard else 1)
            rows["periods"].append(
                {"account_id": f"a{account:03d}", "month": name(place), "on_book": True, "balance_minor": 100,
                 "state": f"M{state}", "dpd_low": 30 * state, "dpd_high": 30 * state}
            )  # fmt: skip
    found = {one["name"]: one["recovery"] for one in figures(rows, 9)["by"]["agency"]}
    state = states(rows)
    for agency, bucket in (("hard", 5), ("easy", 1)):
        trials = [(who, place) for (who, month), now in state.items() for place in range(1, 8)
                  if month == name(place - 1) and now == bucket]  # fmt: skip
        rate = sum(state[who, name(place)] == 0 for who, place in trials) / len(trials)
        assert found[agency]["expected"] == pytest.approx(rate)
        assert found[agency]["against_expected"] == "as expected"
    assert found["hard"]["expected"] < found["easy"]["expected"]


def test_a_month_out_of_the_usual_is_marked() -> None:
    rows = past(250, 9, 1)
    for one in rows["periods"]:  # a bucket that never was before has no rate to expect
        one["state"] = min(one["state"], "M3")
    assert figures(rows, 9, month=7)["whole"]["recovery"]["against_expected"] == "as expected"
    for one in rows["periods"]:
        if one["month"] == name(7):
            one |= {"state": "M0", "dpd_low": 0, "dpd_high": 0}
    assert figures(rows, 9, month=7)["whole"]["recovery"]["against_expected"] == "above"


def test_a_short_history_says_what_it_lacks_and_expects_nothing() -> None:
    rows = past(10, 1, 3)
    rows["contacts"], rows["payments"] = [], []
    found = figures(rows, 1)
    assert found["whole"]["recovery"] | {"low": None, "high": None} == {
        "of": 0, "hits": 0, "rate": None, "low": None, "high": None, "expected": None, "expected_low": None,
        "expected_high": None, "against_expected": None,
    }  # fmt: skip
    assert {one["part"] for one in found["not_available"]} >= {"entry, recovery", "promise_kept"}
    assert figures(past(30, 3, 3), 3)["whole"]["recovery"]["expected_low"] is None


def test_without_balances_amounts_are_not_told() -> None:
    found = figures(past(30, 5, 2, balances=False), 5)
    assert found["whole"]["amount_recovered"]["rate"] is None
    assert "amount_recovered" in {one["part"] for one in found["not_available"]}


def test_every_figure_has_its_definition() -> None:
    found = figures(past(20, 4, 1), 4)
    assert set(found["whole"]) <= set(DEFINITIONS)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 6), st.integers(-1, 9)), max_size=12),
       st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15), st.integers(1, 9)), max_size=20))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_promise_is_kept_where_its_amount_came_in_its_days(told: list[Any], paid: list[Any]) -> None:
    array = lambda rows, place: np.array([row[place] for row in rows], np.int64)  # noqa: E731
    made, promised = array(told, 1), array(told, 1) + array(told, 2)
    promises = Promises(array(told, 0), made, promised, array(told, 3), np.full(len(told), -1), ())
    payments = Payments(array(paid, 0), array(paid, 1), array(paid, 1), array(paid, 2))
    due, good = kept(promises, payments, 10)
    for place, (account, start, length, amount) in enumerate(told):
        total = sum(sum_ for who, day, sum_ in paid if who == account and start <= day <= start + length)
        assert good[place] == (total >= (amount if amount > 0 else 1))
        assert due[place] == (start + length <= 10)


def test_days_are_those_of_the_books_zone() -> None:
    _, tables = history(past(5, 3, 1), last_day(2))
    panel = build_panel(tables, (last_day(2) - date(1970, 1, 1)).days, "Asia/Shanghai")
    told = history_of_book(panel, tables, last_day(2), "Asia/Shanghai")
    evening = pa.array([datetime(2024, 3, 1, 17, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    assert told.days(pa.chunked_array([evening])).tolist() == [(date(2024, 3, 2) - date(1970, 1, 1)).days]
