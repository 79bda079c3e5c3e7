"""Cash by day from what the same buckets did: against a count by hand, and against what came in made worlds."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from past_books import came, history, last_day, name, owed, past, states
from scipy import stats

from evenkeel.arrears.treatments.forecast import backtest, cash_forecast, document, promise_forecast
from evenkeel.arrears.treatments.operations import operations

Rows = dict[str, list[dict[str, Any]]]


def by_hand(rows: Rows, months: int, buckets: tuple[int, ...]) -> tuple[list[float], list[float], list[float]]:
    """(expected, low, high) of ninety days after the last month-end, one day and one month-end after the other."""
    state, balance, paid = states(rows), owed(rows), came(rows)
    end, expected, lows, highs = last_day(months - 1), [], [], []
    book = [{b: [who for (who, month), now in state.items() if month == name(t) and now == b] for b in range(8)}
            for t in range(months)]  # fmt: skip
    held = [{b: sum(balance[who, name(t)] or 0 for who in book[t][b]) for b in range(8)} for t in range(months)]
    for ahead in range(1, 91):
        day = end + timedelta(days=ahead)
        k = (day.year - end.year) * 12 + day.month - end.month
        whole = day.day == monthrange(day.year, day.month)[1]
        origins = [t for t in range(months) if t + k <= months - 1 and t + k > months - 1 - 12]
        cash = []
        for t in origins:
            sums = dict.fromkeys(range(8), 0)
            for who, on, amount in paid:
                later = (on.year - last_day(t).year) * 12 + on.month - last_day(t).month
                bucket = state.get((who, name(t)))
                if later == k and bucket is not None and (on.day == day.day or (whole and on.day > day.day)):
                    sums[bucket] += amount
            cash.append(sums)
        owing = {b: sum(held[t][b] for t in origins) for b in range(8)}
        rate = {b: sum(one[b] for one in cash) / owing[b] if owing[b] else 0.0 for b in range(8)}
        middle = sum(rate[b] * held[-1][b] for b in buckets)
        own = [sum((one[b] / held[t][b] if held[t][b] else rate[b]) * held[-1][b] for b in buckets)
               for t, one in zip(origins, cash, strict=True)]  # fmt: skip
        expected.append(middle if origins else float("nan"))
        if len(own) < 3:
            lows.append(float("nan"))
            highs.append(float("nan"))
        else:
            half = stats.t.ppf(0.975, len(own) - 1) * np.std(own, ddof=1) * np.sqrt(1 + 1 / len(own))
            lows.append(max(middle - half, 0.0))
            highs.append(middle + half)
    return expected, lows, highs


@pytest.mark.parametrize(("seed", "buckets"), [(0, tuple(range(8))), (1, (1, 2, 3))])
def test_a_forecast_is_that_of_a_count_by_hand(seed: int, buckets: tuple[int, ...]) -> None:
    rows = past(14, 7, seed)
    for one in rows["periods"]:
        one["balance_minor"] += 1
    told, _ = history(rows, last_day(6))
    found = cash_forecast(told, buckets)
    expected, low, high = by_hand(rows, 7, buckets)
    assert found.base == "balance"
    assert np.allclose(found.expected, expected, equal_nan=True)
    assert np.allclose(found.low, low, equal_nan=True)
    assert np.allclose(found.high, high, equal_nan=True)
    assert np.allclose(found.total, np.cumsum(expected), equal_nan=True)


def test_a_world_that_repeats_itself_is_told_to_the_last_coin() -> None:
    rows: Rows = {"accounts": [], "periods": [], "payments": []}
    for account in range(6):
        who = f"a{account}"
        rows["accounts"].append({"account_id": who, "borrower_id": who, "lender_id": "k", "product": "card"})
        for place in range(8):
            year, number = (2024 + place // 12, place % 12 + 1)
            rows["periods"].append({"account_id": who, "month": name(place), "on_book": True, "balance_minor": 1000,
                                    "state": "M1", "dpd_low": 1, "dpd_high": 1})  # fmt: skip
            at = datetime(year, number, 10 + account, 4, tzinfo=UTC)
            rows["payments"].append({"payment_id": f"{who}-{place}", "account_id": who, "paid_at": at, "booked_at": at,
                                     "amount_minor": 70, "result": "ok"})  # fmt: skip
    told, _ = history(rows, last_day(7))
    found = cash_forecast(told)
    for day, amount in zip(found.day.tolist(), found.expected.tolist(), strict=True):
        on = date(1970, 1, 1) + timedelta(days=day)
        assert amount == pytest.approx(70.0 if 10 <= on.day < 16 else 0.0)
    assert np.allclose(found.low, found.expected)
    assert np.allclose(found.high, found.expected)


def test_what_was_booked_later_was_not_known_earlier() -> None:
    """A forecast of an earlier month-end is the same in a book that ends there and in one that goes on."""
    rows = past(30, 10, 5)
    cut = last_day(6)
    early = {
        "accounts": rows["accounts"],
        "periods": [one for one in rows["periods"] if one["month"] <= name(6)],
        "payments": [one for one in rows["payments"] if one["booked_at"].date() <= cut],
        "contacts": [one for one in rows["contacts"] if one["at"].date() <= cut],
    }
    whole, _ = history(rows, last_day(9))
    days = (cut - date(1970, 1, 1)).days
    first, second = cash_forecast(whole.known_at(7, days)), cash_forecast(history(early, cut)[0])
    for part in ("day", "expected", "low", "high", "total_low"):
        assert np.array_equal(getattr(first, part), getattr(second, part), equal_nan=True)
    assert promise_forecast(whole.known_at(7, days)) == promise_forecast(history(early, cut)[0])


def test_a_backtest_compares_with_what_really_came() -> None:
    rows = past(40, 10, 6)
    told, _ = history(rows, last_day(9))
    state, paid = states(rows), came(rows)
    tested = backtest(told, (1, 2, 3, 4, 5, 6, 7))
    assert [one["made_on"] for one in tested] == [last_day(t).isoformat() for t in (3, 4, 5, 6)]
    for one in tested:
        made = date.fromisoformat(one["made_on"])
        late = {who for (who, month), bucket in state.items() if month == f"{made:%Y-%m}" and bucket > 0}
        for total in one["totals"]:
            until = made + timedelta(days=total["days"])
            assert total["came_minor"] == sum(sum_ for who, on, sum_ in paid if who in late and made < on <= until)


def test_a_short_history_gives_no_interval_and_says_so() -> None:
    told, _ = history(past(20, 3, 1), last_day(2))
    found = document(told)["cash"]["book"]
    assert found["low"] == [None] * 90
    assert "3 month-ends" in found["not_available"]
    assert found["backtest"]["days_covered"] is None
    alone, _ = history(past(20, 1, 1), last_day(0))
    assert document(alone)["cash"]["book"]["expected"] == [None] * 90


def test_without_balances_accounts_are_counted() -> None:
    told, _ = history(past(20, 6, 1, balances=False), last_day(5))
    assert cash_forecast(told).base == "accounts"


def test_without_payments_nothing_is_told_rather_than_nothing_to_come() -> None:
    rows = past(20, 8, 1)
    rows["payments"] = []
    told, tables = history(rows, last_day(7))
    assert "payments" not in tables
    found = document(told)
    assert found["cash"]["book"]["expected"] == [None] * 90
    assert "payments" in found["cash"]["book"]["not_available"]
    assert found["cash"]["book"]["backtest"]["totals_covered"] is None
    assert found["promises"]["rate"] is None
    figures = operations(told, tables["contacts"])
    assert figures["whole"]["amount_recovered"]["rate"] is None
    assert figures["whole"]["promise_kept"]["of"] == 0
    assert "payments" in {one["needs"] for one in figures["not_available"]}


def test_a_book_that_ends_within_a_month_is_told_from_its_last_month_end() -> None:
    rows = past(30, 7, 2)
    middle = date(2024, 7, 10)
    rows["periods"] = [one for one in rows["periods"] if one["month"] <= name(5)]
    rows["payments"] = [one for one in rows["payments"] if one["booked_at"].date() <= middle]
    told, _ = history(rows, middle)
    found = cash_forecast(told)
    assert date(1970, 1, 1) + timedelta(days=int(found.day[0])) == date(2024, 7, 11)
    assert not np.isnan(found.expected[:60]).any()


def world(seed: int, months: int = 16, size: int = 120) -> Rows:
    """A book whose payments hang on the bucket, on luck, and on how good a month it is."""
    rng = np.random.default_rng(seed)
    good = rng.normal(1.0, 0.15, months)
    rows: Rows = {"accounts": [], "periods": [], "payments": []}
    for account in range(size):
        who, state = f"a{account:03d}", int(rng.integers(0, 4))
        rows["accounts"].append({"account_id": who, "borrower_id": who, "lender_id": "k", "product": "card"})
        for place in range(months):
            year, number = 2024 + place // 12, place % 12 + 1
            chance = (0.95, 0.6, 0.3, 0.1)[state] * good[place]
            if rng.random() < chance:
                at = datetime(year, number, int(rng.integers(1, 28)), 4, tzinfo=UTC)
                rows["payments"].append(
                    {
                        "payment_id": f"{who}-{place}",
                        "account_id": who,
                        "paid_at": at,
                        "booked_at": at,
                        "amount_minor": int(rng.gamma(4, 50)),
                        "result": "ok",
                    }
                )
                state = max(state - 1, 0)
            elif rng.random() < 0.4:
                state = min(state + 1, 3)
            rows["periods"].append(
                {
                    "account_id": who,
                    "month": name(place),
                    "on_book": True,
                    "balance_minor": 5000,
                    "state": f"M{state}",
                    "dpd_low": 30 * state,
                    "dpd_high": 30 * state,
                }
            )
    return rows  # fmt: skip


@pytest.mark.prove
def test_in_made_worlds_what_comes_lies_in_the_interval_about_nineteen_times_in_twenty() -> None:
    days = inside = totals = held = 0
    for seed in range(40):
        told, _ = history(world(seed), last_day(15))
        for one in backtest(told, (1, 2, 3), most=2):
            days, inside = days + one["days_judged"], inside + one["days_inside"]
            totals += len(one["totals"])
            held += sum(bool(total["inside"]) for total in one["totals"])
    assert 0.90 <= inside / days <= 0.99
    assert 0.88 <= held / totals <= 0.99
