"""The figures that an operation is run by: who enters arrears, what comes back, which promises are kept.

| figure | of | which |
|---|---|---|
| entry rate (入催率) | accounts in M0 at a month-end that are on book at the next | are in M1 or worse at the next |
| recovery rate (催回率) | accounts in M1 or worse at a month-end | are in M0 or X, or off book and paid, at the next |
| amount recovered | what those accounts owed at the month-end | what they paid during the month |
| promise-kept rate | promises whose day fell in the month | were kept (history.kept) |

A share has Wilson's interval. Beside it stands what was to be expected: for each bucket the rate of the twelve months
before, weighted by the buckets of the group at hand, so that a collector who has the harder cases is not the worse one,
and an interval of prediction. A figure outside of it is news; one inside is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import stdtrit

from evenkeel.arrears.rows import DAY, BoolArray, IntArray, micros
from evenkeel.arrears.treatments.forecast import ORIGINS
from evenkeel.arrears.treatments.history import BUCKETS, History, kept, month_ends, month_places
from evenkeel.arrears.treatments.record import ints_of
from evenkeel.kernel.calendar import month_text
from evenkeel.measures.calibration import wilson
from evenkeel.measures.prediction import LEAST_PERIODS

DEFINITIONS = {
    "entry": "accounts in M0 at the month-end before and on book at this one: the share in M1 or worse at this one",
    "recovery": "accounts in M1 or worse at the month-end before: the share in M0 or X at this one; one no longer on "
    "book counts where it paid during the month at least what it owed",
    "amount_recovered": "payments during the month by accounts in M1 or worse at the month-end before, over what they "
    "owed then; accounts whose balance is not known are left out of both",
    "promise_kept": "promises whose day fell in the month: the share whose amount came from the day of the promise to "
    "the day promised",
    "bills_missed": "bills (instalments) of accounts in M0 at the month-end before that fell due on the day, and those "
    "of them not paid in full when it was over; payments go to the oldest bill",
    "expected": "rates of each bucket over at most twelve months before, at the mix of buckets of the group; interval "
    "of prediction of 95 %",
    "bucket": "days past due at the month-end before (M1 = 1-30)", "cohort": "month in which the present arrears began",
    "collector": "who contacted the account last up to the end of the month", "agency": "servicer of the account",
}  # fmt: skip
NONE = "-"  # of an account without a collector or an agency: the lender's own, or not known
_FACTS = ("entry", "recovery", "promise_kept")


@dataclass(frozen=True, slots=True)
class Tally:
    """Trials of one figure: month (counted from the first on file), bucket, account, whether it was a hit, and of a
    promise who took it (-1 else)."""

    month: IntArray
    bucket: IntArray
    account: IntArray
    hit: BoolArray
    actor: IntArray


def operations(
    history: History, contacts: pa.Table | None, instalments: pa.Table | None = None, month: int | None = None
) -> dict[str, Any]:
    """The figures of one month (the last one that is over, or one counted from the first on file) and before it.

    contacts, instalments: CONTRACT 2, as known.

    Raises nothing: what the book does not tell is null, and `not_available` says what it would need.
    """
    over = np.flatnonzero(month_ends(history) <= history.last_day)
    last = int(over[-1]) if len(over) else -1
    at = last if month is None else month
    tallies = {"entry": _entries(history), "recovery": _recoveries(history), "promise_kept": _promises(history)}
    groups = _groups(history, contacts, at)
    return {
        "month": month_text(history.first_month + at) if at >= 0 else None,
        "definitions": DEFINITIONS,
        "whole": {name: _figure(tallies[name], at, None) for name in _FACTS}
        | {"amount_recovered": _amount(history, at, None)},
        "months": _months(history, tallies, at),
        "by": {dimension: _by(history, tallies, at, codes, names) for dimension, (codes, names) in groups.items()}
        | {"collector_promises": _by_actor(history, tallies["promise_kept"], at)},
        "daily": _daily(history, contacts, instalments, at),
        "not_available": _lacking(history, at),
    }


# -------------------------------------------------------------------------------------------------------------- figures


def _entries(history: History) -> Tally:
    before, after = history.state[:, :-1], history.state[:, 1:]
    account, month = np.nonzero((before == 0) & ((after >= 0) | history.unused[:, 1:]))
    return Tally(month + 1, np.zeros(len(month), np.int64), account, after[account, month] > 0, np.full(len(month), -1))


def _recoveries(history: History) -> Tally:
    before, after = history.state[:, :-1], history.state[:, 1:]
    account, month = np.nonzero(before > 0)
    state, unused = after[account, month], history.unused[account, month + 1]
    paid = _paid_in_month(history)[account, month + 1]
    owed = history.owed[account, month]
    gone = (state < 0) & (owed >= 0) & (paid >= owed)
    hit = (state == 0) | unused | gone
    return Tally(month + 1, before[account, month].astype(np.int64), account, hit, np.full(len(month), -1))


def _promises(history: History) -> Tally:
    due, held = kept(history.promises, history.payments, history.last_day)
    month, _ = month_places(history.promises.promised, history.first_month)
    inside = due & (month >= 0) & (month < history.months) & history.tells_payments
    account, month = history.promises.account[inside], month[inside]
    bucket = history.state[account, np.maximum(month - 1, 0)].astype(np.int64)
    return Tally(month, np.maximum(bucket, 0), account, held[inside], history.promises.actor[inside])


def _paid_in_month(history: History) -> IntArray:
    """(accounts, months): what came from each account in each month on file."""
    month, _ = month_places(history.payments.day, history.first_month)
    inside = (month >= 0) & (month < history.months)
    flat = history.payments.account[inside] * history.months + month[inside]
    total = np.bincount(flat, history.payments.amount[inside], len(history.accounts) * history.months)
    return total.astype(np.int64).reshape(len(history.accounts), history.months)


def _figure(tally: Tally, at: int, accounts: BoolArray | None) -> dict[str, Any]:
    """One figure of a month among some accounts, with its interval and what was to be expected."""
    now = tally.month == at
    if accounts is not None:
        now &= accounts[tally.account]
    trials, hits = int(now.sum()), int(tally.hit[now].sum())
    low, high = wilson(np.array([hits]), np.array([trials]))
    share = hits / trials if trials else None
    expected = _expected(tally, at, np.bincount(tally.bucket[now], minlength=len(BUCKETS)))
    news = None
    if share is not None and expected["low"] is not None and expected["high"] is not None:
        news = "above" if share > expected["high"] else "below" if share < expected["low"] else "as expected"
    return {
        "of": trials, "hits": hits, "rate": share, "low": _plain(low[0]), "high": _plain(high[0]),
        "expected": expected["rate"], "expected_low": expected["low"], "expected_high": expected["high"],
        "against_expected": news,
    }  # fmt: skip


def _expected(tally: Tally, at: int, mix: IntArray) -> dict[str, float | None]:
    """The rate of a mix of buckets by the rates of the months before; its interval of prediction.

    Months differ by chance and beyond it; the part beyond is found by moments for each bucket, as in
    `measures.prediction.predicted_share`, and taken as shared by the buckets of a month: the wider reading.
    """
    nothing: dict[str, float | None] = {"rate": None, "low": None, "high": None}
    before = (tally.month < at) & (tally.month >= at - ORIGINS)
    shape = (ORIGINS, len(BUCKETS))
    flat = (tally.month[before] - (at - ORIGINS)) * len(BUCKETS) + tally.bucket[before]
    trials = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
    hits = np.bincount(flat, tally.hit[before], int(np.prod(shape))).reshape(shape)
    total, size = trials.sum(axis=0), float(mix.sum())
    if size == 0 or (total[mix > 0] == 0).any():
        return nothing
    rate = np.divide(hits.sum(axis=0), total, out=np.zeros(len(BUCKETS)), where=total > 0)
    share = float((mix * rate).sum() / size)
    periods = int((trials[:, mix > 0].sum(axis=1) > 0).sum())
    if periods < LEAST_PERIODS:
        return {"rate": share, "low": None, "high": None}
    luck = (hits.sum(axis=0) + 0.5) / (total + 1)
    luck = luck * (1 - luck)
    between = np.zeros(len(BUCKETS))
    for bucket in np.flatnonzero(mix).tolist():
        seen = trials[:, bucket] > 0
        n, own = trials[seen, bucket], hits[seen, bucket]
        spread = float((n * (own / n - rate[bucket]) ** 2).sum()) / luck[bucket]
        room = total[bucket] - float((n**2).sum()) / total[bucket]
        between[bucket] = max(spread - (len(n) - 1), 0.0) * luck[bucket] / room if room > 0 else 0.0
    shared = float((mix * np.sqrt(between)).sum() / size) ** 2 * (1 + 1 / periods)
    own_luck = float((mix * luck).sum()) / size**2
    error = float((mix**2 * np.divide(luck, total, out=np.zeros(len(luck)), where=total > 0)).sum()) / size**2
    half = float(stdtrit(periods - 1, 0.975)) * float(np.sqrt(shared + own_luck + error))
    return {"rate": share, "low": max(share - half, 0.0), "high": min(share + half, 1.0)}


def _amount(history: History, at: int, accounts: BoolArray | None) -> dict[str, Any]:
    """What came during a month from accounts in arrears at its beginning, and what they owed then."""
    if at < 1 or not history.tells_payments:
        return {"of_minor": None, "recovered_minor": None, "rate": None}
    late = (history.state[:, at - 1] > 0) & (history.owed[:, at - 1] >= 0)
    if accounts is not None:
        late &= accounts
    owed = int(history.owed[late, at - 1].sum())
    paid = history.payments
    month, _ = month_places(paid.day, history.first_month)
    came = int(paid.amount[(month == at) & late[paid.account]].sum())
    return {"of_minor": owed, "recovered_minor": came, "rate": came / owed if owed else None}


def _months(history: History, tallies: Mapping[str, Tally], at: int) -> list[dict[str, Any]]:
    """The figures of the months up to the one asked for, at most a year."""
    found = []
    for place in range(max(at - ORIGINS + 1, 1), at + 1):
        row: dict[str, Any] = {"month": month_text(history.first_month + place)}
        for name, tally in tallies.items():
            now = tally.month == place
            row[name] = float(tally.hit[now].mean()) if now.any() else None
        found.append(row | {"amount_recovered": _amount(history, place, None)["rate"]})
    return found


# --------------------------------------------------------------------------------------------------------------- groups


def _groups(history: History, contacts: pa.Table | None, at: int) -> dict[str, tuple[IntArray, list[str]]]:
    """For each dimension the code of each account (-1: in none) and the codes' names."""
    accounts = history.accounts
    state = history.state[:, at - 1].astype(np.int64) if at >= 1 else np.full(len(accounts), -1)
    found: dict[str, tuple[IntArray, list[str]]] = {"bucket": (state, list(BUCKETS))}
    found["product"] = _coded(accounts["product"])
    if "servicer_id" in accounts.column_names:
        found["agency"] = _coded(accounts["servicer_id"])
    found["collector"] = _collectors(history, contacts, at)
    found["cohort"] = _cohorts(history, at)
    return found


def _coded(column: Any) -> tuple[IntArray, list[str]]:
    values = pc.fill_null(column.cast(pa.string()), NONE)
    names = sorted(pc.unique(values).to_pylist())
    return ints_of(pc.index_in(values, pa.array(names, pa.string()))), names


def _collectors(history: History, contacts: pa.Table | None, at: int) -> tuple[IntArray, list[str]]:
    """Who contacted each account last, up to the end of the month."""
    size = len(history.accounts)
    nobody = np.full(size, -1)
    if contacts is None or at < 0 or "actor_id" not in contacts.column_names or not len(contacts):
        return nobody, []
    place, day = history.places(contacts["account_id"]), history.days(contacts["at"])
    codes, names = _coded(contacts["actor_id"])
    inside = np.flatnonzero((place >= 0) & (day <= month_ends(history)[at]))
    inside = inside[np.lexsort((codes[inside], day[inside]))]
    nobody[place[inside]] = codes[inside]  # the last one written stays
    return nobody, names


def _cohorts(history: History, at: int) -> tuple[IntArray, list[str]]:
    """The month in which each account's arrears at the month-end before began, as a place on file."""
    names = [month_text(history.first_month + place) for place in range(history.months)]
    began = np.full(len(history.accounts), -1)
    if at < 1:
        return began, names
    open_ = history.state[:, at - 1] > 0
    for place in range(at - 1, -1, -1):
        open_ = open_ & (history.state[:, place] > 0)
        began[open_] = place
    return began, names


def _by(
    history: History, tallies: Mapping[str, Tally], at: int, codes: IntArray, names: list[str]
) -> list[dict[str, Any]]:
    """The figures of each group in which there is anything to count."""
    found = []
    for code, name in enumerate(names):
        mine = codes == code
        if not mine.any():
            continue
        row = {fact: _figure(tallies[fact], at, mine) for fact in _FACTS}
        if any(one["of"] for one in row.values()):
            found.append({"name": name} | row | {"amount_recovered": _amount(history, at, mine)})
    return found


def _by_actor(history: History, tally: Tally, at: int) -> list[dict[str, Any]]:
    """Promises by who took them."""
    found = []
    for code, name in enumerate(history.promises.actors):
        others = (tally.month == at) & (tally.actor != code)
        own = replace(tally, month=np.where(others, -1, tally.month))
        if (own.month == at).any():
            found.append({"name": name, "promise_kept": _figure(own, at, None)})
    return found


# ---------------------------------------------------------------------------------------------------------------- daily


def _daily(history: History, contacts: pa.Table | None, instalments: pa.Table | None, at: int) -> list[dict[str, Any]]:
    """Day by day: bills due and not paid, cash from those in arrears before, promises due and kept, contacts."""
    if at < 1:
        return []
    ends = month_ends(history)
    first, size = int(ends[at - 1]) + 1, int(ends[at] - ends[at - 1])
    late = history.state[:, at - 1] > 0
    paid, told = history.payments, history.promises
    inside = late[paid.account] & (paid.day >= first) & (paid.day < first + size)
    cash = np.bincount(paid.day[inside] - first, paid.amount[inside], size)
    due, held = kept(told, paid, history.last_day)
    mine = due & (told.promised >= first) & (told.promised < first + size)
    promised = np.bincount(told.promised[mine] - first, minlength=size)
    done = np.bincount(told.promised[mine & held] - first, minlength=size)
    made = np.zeros(size, np.int64)
    if contacts is not None:
        day = history.days(contacts["at"])
        now = (history.places(contacts["account_id"]) >= 0) & (day >= first) & (day < first + size)
        made = np.bincount(day[now] - first, minlength=size)
    month = month_text(history.first_month + at)
    bills, missed = _bills(history, instalments, at, first, size)
    return [
        {"day": f"{month}-{place + 1:02d}", "bills_due": int(bills[place]), "bills_missed": int(missed[place]),
         "recovered_minor": int(cash[place]), "promises_due": int(promised[place]),
         "promises_kept": int(done[place]), "contacts": int(made[place])}
        for place in range(size)
    ]  # fmt: skip


def _bills(history: History, instalments: pa.Table | None, at: int, first: int, size: int) -> tuple[IntArray, IntArray]:
    """(days,) bills of accounts in M0 at the month-end before, and those not paid in full when their day was over.

    Payments go to the oldest bill. An account in M0 owed nothing of what was due before, whatever the file of payments
    begins with.
    """
    nothing = np.zeros(size, np.int64)
    if instalments is None or not len(instalments) or not history.tells_payments:
        return nothing, nothing
    account, due_on = history.places(instalments["account_id"]), micros(instalments["due_on"]) // DAY
    amount = ints_of(instalments["due_minor"])
    mine = (account >= 0) & (due_on < first + size)
    mine[mine] = history.state[account[mine], at - 1] == 0
    order = np.lexsort((due_on, account))
    order = order[mine[order]]
    account, due_on, amount = account[order], due_on[order], amount[order]
    asked = np.cumsum(amount) - np.repeat(*_starts(account, amount))
    paid = _paid_until(history, account, due_on)
    before = np.maximum(_asked_before(account, due_on, asked, first) - _paid_until(history, account, first - 1), 0)
    now = due_on >= first
    late = now & (paid + before < asked)
    day = due_on - first
    return np.bincount(day[now], minlength=size), np.bincount(day[late], minlength=size)


def _starts(account: IntArray, amount: IntArray) -> tuple[IntArray, IntArray]:
    """For each account in order what was added up before it, and how many rows it has."""
    first = np.flatnonzero(np.append(True, account[1:] != account[:-1])[: len(account)])
    running = np.append(0, np.cumsum(amount))
    return running[first], np.diff(np.append(first, len(account)))


def _asked_before(account: IntArray, due_on: IntArray, asked: IntArray, day: int) -> IntArray:
    """For each row what its account was asked for before a day; rows in the order of account and day."""
    most = np.zeros(int(account.max(initial=0)) + 1, np.int64)
    np.maximum.at(most, account[due_on < day], asked[due_on < day])
    return most[account]


def _paid_until(history: History, account: IntArray, day: IntArray | int) -> IntArray:
    """What came from accounts up to and with a day."""
    paid = history.payments
    order = np.lexsort((paid.day, paid.account))
    base = int(min(paid.day.min(initial=0), np.min(day, initial=0)))
    span = int(max(paid.day.max(initial=0), np.max(day, initial=0))) - base + 2
    key = paid.account[order] * span + paid.day[order] - base
    running = np.append(0, np.cumsum(paid.amount[order]))
    upto = np.searchsorted(key, account * span + day - base, side="right")
    found: IntArray = running[upto] - running[np.searchsorted(key, account * span, side="left")]
    return found


def _lacking(history: History, at: int) -> list[dict[str, str]]:
    """What the book does not tell, and what it would need."""
    found = []
    if at < 1:
        found.append({"part": "entry, recovery", "needs": "two month-ends of states"})
    if not history.tells_payments:
        found.append({"part": "amount_recovered, promise_kept", "needs": "payments"})
    if not len(history.promises.account):
        found.append({"part": "promise_kept", "needs": "contacts with promised_on, or events of kind promise"})
    if at >= 1 and not (history.owed[:, at - 1] >= 0).any():
        found.append({"part": "amount_recovered", "needs": "balances"})
    return found


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
