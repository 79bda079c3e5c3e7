"""Days past due from dues and payments, against a replay day by day."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.accounts.dues import months_from_dues
from evenkeel.accounts.panel import day_months
from evenkeel.kernel.calendar import month_end, month_of
from panels import ZONE, accounts_of, day_number, panel_of, shuffled, table

TOLERANCE = 100


def replay(
    dues: list[tuple[date, int]], payments: list[tuple[date, int, str | None]], opened: date | None, as_of: date
) -> dict[int, tuple[int, int, int, int]]:
    """month -> (dpd, balance, paid, min_due) of one account, walking through every day."""
    starts = [day for day, _ in dues] + [d for d, _, result in payments if d <= as_of and result in (None, "ok")]
    first = min(month_of(day) for day in starts)
    if opened is not None and first - 12 <= month_of(opened) < first:
        first = month_of(opened)
    open_dues = sorted([day, amount] for day, amount in dues)
    months: dict[int, tuple[int, int, int, int]] = {}
    purse, paid, asked, cleared = 0, 0, 0, False
    day = date(first // 12, first % 12 + 1, 1)
    while day <= as_of:
        for on, amount, result in payments:
            if on == day and result in (None, "ok"):
                purse += amount
                paid += amount
        asked += sum(amount for on, amount in dues if on == day)
        if day == month_end(month_of(day)) or day == as_of:
            rest, late = purse, 0
            short = 0
            for on, amount in open_dues:  # the oldest due is covered first
                short += max(amount - rest, 0)
                rest = max(rest - amount, 0)
                if short > TOLERANCE and on < day:
                    late = (day - on).days
                    break
                if short > TOLERANCE:
                    break
            balance = sum(amount for _, amount in dues) - purse
            if not cleared:
                months[month_of(day)] = (late, balance, paid, asked)
            cleared = balance <= TOLERANCE
            paid, asked = 0, 0
        day += timedelta(days=1)
    return months


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(ZONE))


def instalments_of(name: str, dues: list[tuple[date, int]]) -> list[dict[str, Any]]:
    return [
        {"account_id": name, "seq": seq, "due_on": day, "due_minor": amount, "interest_minor": amount // 10}
        for seq, (day, amount) in enumerate(dues)
    ]


def history(rng: np.random.Generator) -> tuple[list[tuple[date, int]], list[tuple[date, int, str | None]]]:
    start = date(2023, 1, 1) + timedelta(days=int(rng.integers(0, 90)))
    dues = []
    for step in range(int(rng.integers(1, 9))):
        day = start + timedelta(days=30 * step + int(rng.integers(0, 3)))
        dues.append((day, int(rng.choice([0, 50, 100, 30_000, 30_001]))))
    payments: list[tuple[date, int, str | None]] = []
    for day, amount in dues:
        for _ in range(int(rng.integers(0, 3))):
            when = day + timedelta(days=int(rng.choice([-40, -3, 0, 0, 1, 12, 45, 100])))
            share = float(rng.choice([0.3, 0.5, 0.9967, 1.0, 1.0, 2.5]))
            payments.append((when, int(amount * share), rng.choice([None, "ok", "ok", "failed", "reversed"])))
    return dues, payments


@pytest.mark.parametrize("seed", range(40))
def test_equals_a_replay_day_by_day(seed: int) -> None:
    rng = np.random.default_rng(seed)
    as_of = date(2023, 6, 1) + timedelta(days=int(rng.integers(0, 150)))
    ids = [f"a{n}" for n in range(8)]
    books = {name: history(rng) for name in ids}
    opened = {name: date(2022, 11, 5) + timedelta(days=int(rng.integers(-500, 90))) for name in ids}
    opened = {name: day if rng.random() < 0.7 else None for name, day in opened.items()}
    instalments = table("instalments", [row for name in ids for row in instalments_of(name, books[name][0])])
    payments = table(
        "payments",
        [
            {
                "payment_id": f"{name}-{n}",
                "account_id": name,
                "paid_at": at(day),
                "amount_minor": paid,
                "result": result,
            }
            for name in ids
            for n, (day, paid, result) in enumerate(books[name][1])
        ],
    )
    months = months_from_dues(
        shuffled(instalments, seed), shuffled(payments, seed + 1), pa.array(ids),
        day_months(pa.array([opened[name] for name in ids], pa.date32())), day_number(as_of), ZONE,
    )  # fmt: skip
    found: dict[str, dict[int, tuple[int, int, int, int]]] = {name: {} for name in ids}
    for row in months.to_pylist():
        found[ids[row["account"]]][row["month"]] = (row["dpd"], row["balance"], row["paid"], row["min_due"])
    for name in ids:
        # Of several accounts' sums a payment that failed, or lies after as_of, must not leak into another's.
        assert found[name] == replay(*books[name], opened[name], as_of), name


def one(
    dues: list[tuple[date, int]], paid: list[tuple[datetime, int]], as_of: date, **facts: Any
) -> list[dict[str, Any]]:
    tables = {
        "accounts": accounts_of(["a"], **facts),
        "instalments": table("instalments", instalments_of("a", dues)),
        "payments": table(
            "payments",
            [
                {"payment_id": f"p{n}", "account_id": "a", "paid_at": when, "amount_minor": amount}
                for n, (when, amount) in enumerate(paid)
            ],
        ),
    }
    return panel_of(tables, as_of).months.to_pylist()


def test_a_payment_counts_on_the_day_that_clocks_of_the_book_show() -> None:
    due = [(date(2023, 3, 31), 10_000)]
    before, after = at(date(2023, 3, 31), 23, 59), at(date(2023, 4, 1), 0, 0)
    assert one(due, [(before, 10_000)], date(2023, 3, 31))[-1]["balance"] == 0
    assert one(due, [(after, 10_000)], date(2023, 3, 31))[-1]["balance"] == 10_000


def test_what_is_due_today_is_not_late_and_tomorrow_it_is_a_day() -> None:
    due = [(date(2023, 3, 30), 10_000)]
    assert [row["dpd"] for row in one(due, [], date(2023, 3, 30))] == [0]
    late = one(due, [], date(2023, 3, 31))
    assert [(row["dpd"], row["state"]) for row in late] == [(1, 1)]


def test_payments_after_the_day_looked_at_are_not_seen() -> None:
    due = [(date(2023, 1, 15), 10_000), (date(2023, 2, 15), 10_000)]
    with_later = one(due, [(at(date(2023, 2, 21)), 20_000)], date(2023, 2, 20))
    assert with_later == one(due, [], date(2023, 2, 20))


def test_a_new_loan_is_on_file_before_its_first_due_day() -> None:
    rows = one([(date(2023, 4, 15), 10_000)], [], date(2023, 3, 31), opened_on=date(2023, 3, 20))
    assert [(row["dpd"], row["balance"], row["min_due"]) for row in rows] == [(0, 10_000, 0)]


def test_an_opening_long_before_the_schedule_is_not_believed() -> None:
    rows = one([(date(2023, 3, 15), 10_000)], [], date(2023, 3, 31), opened_on=date(1900, 1, 1))
    assert len(rows) == 1


def test_an_account_leaves_after_the_month_in_which_it_is_paid_off() -> None:
    rows = one([(date(2023, 1, 15), 10_000)], [(at(date(2023, 2, 2)), 10_000)], date(2023, 5, 31))
    assert [(row["dpd"], row["balance"]) for row in rows] == [(16, 10_000), (0, 0)]


def test_a_payment_not_yet_made_does_not_put_an_account_on_file() -> None:
    ahead = [(at(date(2023, 3, 25)), 10_000)]
    assert one([(date(2023, 4, 15), 10_000)], ahead, date(2023, 3, 20)) == []
    assert len(one([(date(2023, 4, 15), 10_000)], ahead, date(2023, 3, 25))) == 1
