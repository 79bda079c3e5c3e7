"""Cash of the next ninety days, and how many promises will be kept: from what the same buckets did before.

Of each month-end on file it is known what accounts in each bucket owed, and what they paid on each day of the following
months. A bucket's rate on a day (so many months later, that day of the month) is paid over owed, pooled over the last
twelve month-ends for which that day is over; the forecast applies the rates to what is owed now. The interval comes
from the same sum made with each month-end's own rates: how much months differ is what a month may differ.

Cash of accounts opened later, and a change of course by the lender, are not in it. A short history gives no interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from evenkeel.arrears.rows import EPOCH, FloatArray, IntArray
from evenkeel.arrears.treatments.history import BUCKETS, History, kept, month_ends, month_places
from evenkeel.kernel.calendar import month_end
from evenkeel.measures.prediction import LEAST_PERIODS, predicted_share, predicted_totals

HORIZON_DAYS = 90
ORIGINS = 12
CHECKED = (30, 60, 90)
_AHEAD = 5  # months after a month-end that ninety days can reach
_LEAST_KNOWN = 0.95  # of balances, else accounts are counted instead


@dataclass(frozen=True, slots=True)
class Cash:
    """A forecast by day. day: (H,) days since 1970. Amounts in minor units, NaN where nothing can be said.

    expected, low, high: of each day. total, total_low, total_high: of all days up to it. bucket: (8, H) expected.
    base: what rates are per unit of, `balance` or `accounts`. origins: month-ends that the first day rests on.
    """

    day: IntArray
    expected: FloatArray
    low: FloatArray
    high: FloatArray
    total: FloatArray
    total_low: FloatArray
    total_high: FloatArray
    bucket: FloatArray
    base: str
    origins: int


def cash_forecast(history: History, buckets: tuple[int, ...] = tuple(range(8))) -> Cash:
    """Cash from the accounts on book at the last month-end, in some buckets, on each of the next HORIZON_DAYS days."""
    days = history.last_day + 1 + np.arange(HORIZON_DAYS)
    places, of_month = month_places(days, history.first_month)
    last_whole = _last_whole(history)
    ahead = places - last_whole
    paid = _paid(history)
    base, owed = _base(history)
    size = history.months
    seen = np.full((size, len(BUCKETS), len(days)), np.nan)
    for column, (k, dom) in enumerate(zip(ahead.tolist(), of_month.tolist(), strict=True)):
        if last_whole < 0 or not history.tells_payments or not 1 <= k <= _AHEAD:
            continue
        ends = dom == month_end(history.first_month + int(places[column])).day
        origins = np.arange(max(last_whole - k - ORIGINS + 1, 0), max(last_whole - k + 1, 0))
        cash = paid[origins, :, k - 1, dom - 1 : 31 if ends else dom].sum(axis=2)
        seen[origins, :, column] = cash
    known = ~np.isnan(seen[:, 0, :])
    weight = np.where(known[:, None, :], owed[:, :, None], 0.0).sum(axis=0)
    rate = np.divide(np.nansum(seen, axis=0), weight, out=np.zeros(weight.shape), where=weight > 0)
    now = owed[last_whole] if last_whole >= 0 else np.zeros(len(BUCKETS))
    chosen = np.zeros(len(BUCKETS))
    chosen[list(buckets)] = 1.0
    bucket = np.where(known.any(axis=0), rate * now[:, None], np.nan)
    # Each month-end's own rates on what is owed now; a bucket that was empty then has the pooled rate.
    own = np.divide(seen, owed[:, :, None], out=np.repeat(rate[None], size, axis=0), where=owed[:, :, None] > 0)
    scaled = np.where(known, (np.nan_to_num(own) * (now * chosen)[None, :, None]).sum(axis=1), np.nan)
    expected = (bucket * chosen[:, None]).sum(axis=0)
    low, high = predicted_totals(scaled, expected)
    total = np.cumsum(expected)
    total_low, total_high = predicted_totals(np.cumsum(scaled, axis=1), total)
    return Cash(
        days, expected, low, high, total, total_low, total_high, bucket, base, int(known[:, 0].sum()) if size else 0
    )


def _last_whole(history: History) -> int:
    """The last month on file, counted from the first, whose days are all over."""
    ends = month_ends(history)
    return int(np.flatnonzero(ends <= history.last_day)[-1]) if (ends <= history.last_day).any() else -1


def _paid(history: History) -> FloatArray:
    """(months, 8, _AHEAD, 31): what a bucket's accounts at a month-end paid k + 1 months later, by day of the month."""
    month, of_month = month_places(history.payments.day, history.first_month)
    shape = (history.months, len(BUCKETS), _AHEAD, 31)
    total = np.zeros(int(np.prod(shape)))
    for k in range(1, _AHEAD + 1):
        origin = month - k
        inside = np.flatnonzero((origin >= 0) & (origin < history.months))
        bucket = history.state[history.payments.account[inside], origin[inside]].astype(np.int64)
        inside, bucket = inside[bucket >= 0], bucket[bucket >= 0]
        flat = np.ravel_multi_index((origin[inside], bucket, np.full(len(inside), k - 1), of_month[inside] - 1), shape)
        total += np.bincount(flat, history.payments.amount[inside], len(total))
    return total.reshape(shape)


def _base(history: History) -> tuple[str, FloatArray]:
    """(months, 8) what accounts in each bucket owed at each month-end, or how many there were."""
    there = history.state >= 0
    known = there & (history.owed >= 0)
    by_balance = bool(known.sum() >= _LEAST_KNOWN * there.sum()) and bool((history.owed[known] > 0).any())
    table = np.zeros((history.months, len(BUCKETS)))
    for bucket in range(len(BUCKETS)):
        inside = history.state == bucket
        table[:, bucket] = np.where(inside & known, history.owed, 0).sum(axis=0) if by_balance else inside.sum(axis=0)
    return ("balance" if by_balance else "accounts"), table


def backtest(history: History, buckets: tuple[int, ...] = tuple(range(8)), most: int = 6) -> list[dict[str, Any]]:
    """Forecasts made at earlier month-ends from what was known then, each with what came; the oldest first."""
    ends, found = month_ends(history), []
    for origin in range(max(_last_whole(history) - 3 - most + 1, 0), max(_last_whole(history) - 2, 0)):
        made = cash_forecast(history.known_at(origin + 1, int(ends[origin])), buckets)
        if made.origins < LEAST_PERIODS:
            continue
        came = _came(history, origin, made.day, buckets)
        running = np.cumsum(came)
        inside = (came >= made.low) & (came <= made.high)
        judged = ~np.isnan(made.low)
        checks = [
            {
                "days": days,
                "expected_minor": _plain(made.total[days - 1]), "low_minor": _plain(made.total_low[days - 1]),
                "high_minor": _plain(made.total_high[days - 1]), "came_minor": float(running[days - 1]),
                "inside": None if np.isnan(made.total_low[days - 1])
                else bool(made.total_low[days - 1] <= running[days - 1] <= made.total_high[days - 1]),
            }
            for days in CHECKED
        ]  # fmt: skip
        found.append(
            {
                "made_on": _day(int(ends[origin])), "origins": made.origins, "totals": checks,
                "days_judged": int(judged.sum()), "days_inside": int((inside & judged).sum()),
            }
        )  # fmt: skip
    return found


def _came(history: History, origin: int, days: IntArray, buckets: tuple[int, ...]) -> FloatArray:
    """What accounts in some buckets at a month-end paid on each day."""
    there = np.isin(history.state[:, origin], buckets)
    paid = history.payments
    inside = there[paid.account] & (paid.day >= days[0]) & (paid.day <= days[-1])
    found: FloatArray = np.bincount(paid.day[inside] - days[0], paid.amount[inside], len(days)).astype(np.float64)
    return found


def promise_forecast(history: History, most: int = 6) -> dict[str, Any]:
    """The share of promises kept: by month, of those whose day is to come, and one month ahead as told before."""
    due, held = kept(history.promises, history.payments, history.last_day)
    month, _ = month_places(history.promises.promised, history.first_month)
    last = _last_whole(history)
    size = history.months
    over = due & (month >= 0) & (month <= last) & history.tells_payments
    trials = np.bincount(month[over], minlength=size)[:size]
    hits = np.bincount(month[over & held], minlength=size)[:size]
    recent = slice(max(last - ORIGINS + 1, 0), last + 1)
    pending = int((~due).sum())
    ahead = predicted_share(hits[recent], trials[recent], pending or float(trials[recent].mean() if last >= 0 else 0))
    checks = []
    for place in range(max(last - most + 1, LEAST_PERIODS), last + 1):
        before = slice(max(place - ORIGINS, 0), place)
        told = predicted_share(hits[before], trials[before], float(trials[place]))
        if trials[place] and not np.isnan(told.low):
            came = float(hits[place] / trials[place])
            checks.append(
                {"month": place, "expected": told.value, "low": told.low, "high": told.high, "came": came,
                 "promises": int(trials[place]), "inside": bool(told.low <= came <= told.high)}
            )  # fmt: skip
    return {
        "definition": "kept: payments of the account from the day of the promise to the day promised reach its amount",
        "promises": int(trials[recent].sum()), "kept": int(hits[recent].sum()), "pending": pending,
        "rate": _plain(ahead.value), "low": _plain(ahead.low), "high": _plain(ahead.high),
        "months": [int(value) for value in trials[recent]], "kept_by_month": [int(value) for value in hits[recent]],
        "backtest": checks,
    }  # fmt: skip


def document(history: History) -> dict[str, Any]:
    """The forecasts of the whole book and of its arrears, promises, and how earlier forecasts held."""
    parts = {}
    for name, buckets in (("book", tuple(range(8))), ("arrears", tuple(range(1, 8)))):
        made, tested = cash_forecast(history, buckets), backtest(history, buckets)
        parts[name] = _part(made, tested, history.tells_payments)
    return {"as_of": _day(history.last_day), "cash": parts, "promises": promise_forecast(history)}


def _part(made: Cash, tested: list[dict[str, Any]], told: bool) -> dict[str, Any]:
    judged = [check for one in tested for check in one["totals"] if check["inside"] is not None]
    days = sum(one["days_judged"] for one in tested)
    lacking = None if told else "a forecast of cash needs the table `payments`"
    if told and made.origins < LEAST_PERIODS:
        lacking = f"intervals need {LEAST_PERIODS} month-ends whose following months are over; there are {made.origins}"
    return {
        "base": made.base,
        "origins": made.origins,
        "days": [_day(int(day)) for day in made.day],
        **{name: [_plain(value) for value in getattr(made, name)] for name in
           ("expected", "low", "high", "total", "total_low", "total_high")},
        "by_bucket": {name: _plain(made.bucket[place].sum()) for place, name in enumerate(BUCKETS)},
        "not_available": lacking,
        "backtest": {
            "made": tested,
            "days_covered": sum(one["days_inside"] for one in tested) / days if days else None,
            "totals_covered": sum(check["inside"] for check in judged) / len(judged) if judged else None,
        },
    }  # fmt: skip


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _day(day: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()
