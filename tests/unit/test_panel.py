"""The dense month table: what a row says, what a gap says, and that row order says nothing."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.accounts.panel import STATE_UNKNOWN, buckets, day_months
from evenkeel.kernel.calendar import month_number, month_text
from panels import JANUARY, ZONE, accounts_of, end_of, panel_of, random_book, shuffled, table


def test_buckets_are_thirty_days_each() -> None:
    edges = {0: 0, 1: 1, 30: 1, 31: 2, 60: 2, 61: 3, 150: 5, 151: 6, 180: 6, 181: 7, 100_000: 7}
    assert buckets(np.array(list(edges))).tolist() == list(edges.values())


@pytest.mark.parametrize("seed", range(6))
def test_every_history_is_dense_and_keeps_its_facts(seed: int) -> None:
    book = random_book(seed)
    panel = panel_of(book, end_of(15))
    facts = {(row["account_id"], row["month"]): row for row in book["periods"].to_pylist()}
    ids = panel.accounts["account_id"].to_pylist()
    seen: dict[str, list[int]] = {}
    for row in panel.months.to_pylist():
        name, month = ids[row["account"]], row["month"]
        seen.setdefault(name, []).append(month)
        fact = facts.get((name, month_text(month)))
        if fact is None:
            assert row["state"] == STATE_UNKNOWN
            assert {row[column] for column in ("dpd", "balance", "limit", "paid", "spend")} == {None}
            continue
        assert (row["balance"], row["paid"], row["dpd"]) == (
            fact["balance_minor"],
            fact["paid_minor"],
            fact["dpd_high"],
        )
        if fact["state"] is not None:
            assert row["state"] == (8 if fact["state"] == "X" else int(fact["state"][1]))
        else:
            assert row["state"] == (STATE_UNKNOWN if fact["dpd_high"] is None else -(-fact["dpd_high"] // 30))
    for name, months in seen.items():
        known = [month_number(month) for account, month in facts if account == name]
        assert months == list(range(min(known), max(known) + 1))


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_says_nothing(seed: int) -> None:
    book = random_book(seed)
    panel = panel_of(book, end_of(15))
    again = panel_of({name: shuffled(rows, seed) for name, rows in book.items()}, end_of(15))
    assert again.months.equals(panel.months)
    assert again.accounts.equals(panel.accounts)
    assert again.borrowers.equals(panel.borrowers)


@pytest.mark.parametrize("step", [0, 5, 14])
def test_months_after_the_day_are_not_seen(step: int) -> None:
    book = random_book(3)
    later = [month_number(month) > JANUARY + step for month in book["periods"]["month"].to_pylist()]
    without = book | {"periods": book["periods"].filter(np.logical_not(later))}
    assert panel_of(book, end_of(step)).months.equals(panel_of(without, end_of(step)).months)


def test_rows_are_found_by_account_and_month() -> None:
    panel = panel_of(random_book(4), end_of(15))
    account, month = panel.account, panel.month
    np.testing.assert_array_equal(panel.rows_of(account, month), np.arange(len(account)))
    absent = panel.rows_of(np.array([-1, 99, 0, 0]), np.array([JANUARY, JANUARY, JANUARY - 1, JANUARY + 99]))
    assert absent.tolist() == [-1] * 4


def test_an_account_with_periods_keeps_them_and_another_gets_them_from_its_dues() -> None:
    due = {"seq": 1, "due_on": date(2023, 1, 10), "due_minor": 5_000}
    book = {
        "accounts": accounts_of(["both", "dues"]),
        "periods": table("periods", [{"account_id": "both", "month": "2023-01", "balance_minor": 7, "dpd_high": 0}]),
        "instalments": table("instalments", [due | {"account_id": name} for name in ("both", "dues")]),
        "payments": table("payments", []),
    }
    panel = panel_of(book, date(2023, 1, 31))
    rows = panel.months.to_pylist()
    assert [(row["balance"], row["state"], row["dpd"]) for row in rows] == [(7, 0, 0), (5_000, 1, 21)]
    assert panel.source == "periods and dues"


def test_a_month_off_book_is_not_on_file() -> None:
    rows = [{"account_id": "a", "month": f"2023-0{n}", "state": "M0", "on_book": n < 3} for n in (1, 2, 3)]
    panel = panel_of({"accounts": accounts_of(["a"]), "periods": table("periods", rows)}, date(2023, 3, 31))
    assert panel.month.tolist() == [JANUARY, JANUARY + 1]
    assert panel.last_month == JANUARY + 1


def test_a_book_without_a_month_yet_has_an_empty_table() -> None:
    book = random_book(1)
    panel = panel_of({"accounts": book["accounts"]}, date(2022, 12, 31))
    assert panel.months.num_rows == 0
    assert panel.rows_at(panel.last_month).tolist() == []
    assert panel.rows_of(np.array([0]), np.array([JANUARY])).tolist() == [-1]


def test_an_instant_has_the_month_that_clocks_of_the_book_show() -> None:
    instants = pa.array([datetime(2023, 1, 31, 16, 30, tzinfo=UTC), None])
    assert day_months(instants, ZONE).to_pylist() == [JANUARY + 1, None]
    assert day_months(instants).to_pylist() == [JANUARY, None]
