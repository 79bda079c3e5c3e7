"""What lenders know besides the money: applications, checks, contacts, events, complaints, recoveries, consents."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.book.generator.columns import chosen, contract_table, days, instants, known, numbered
from evenkeel.book.generator.households import GIG_WORKER, SELF_EMPLOYED
from evenkeel.book.generator.spec import EVIDENCE, PURCHASES, WARM_UP
from evenkeel.book.generator.state import CHARGED_OFF, CLOSED, DECLINED, TREATMENTS
from evenkeel.book.generator.tables import SERVICERS, Index, created_on, opened_on
from evenkeel.book.generator.world import BNPL, LENDERS, PRODUCT_NAMES, IntArray

# Local office hours begin at 08:00 in Asia/Shanghai, midnight UTC; seconds after it.
_HOURS: Final = 12 * 3600
_CONTACTS_FROM: Final = 100_000_000  # telephone tokens from here on are those of contacts
EARLIEST_DECLINE: Final = -6  # steps before the book whose declined applications are still on file


def applications_table(index: Index) -> pa.Table:
    """One row a line asked for: granted ones that are in the book, and refusals since shortly before it."""
    lines, people, state = index.lines, index.people, index.simulated.accounts
    rng = index.spec.random(EVIDENCE, 3)
    granted = index.account >= 0
    refused = (state.status == DECLINED) & (lines.apply_step >= EARLIEST_DECLINE)
    rows = np.flatnonzero(granted | refused)
    count, borrower, ok = len(rows), lines.borrower[rows], granted[rows]
    day = opened_on(index, rows)
    second = rng.integers(0, _HOURS, count)
    ring = people.ring[borrower]
    shares = (ring >= 0) & (rng.random(count) < 0.8)
    own = np.where(rng.random(count) < 0.12, 1, 0)  # a second telephone
    hides = people.conceals[borrower]
    said = people.declared[borrower] * np.where(
        hides, rng.uniform(0.85, 1.3, count), np.exp(rng.normal(0, 0.03, count))
    )
    ids = [x.party_id for x in LENDERS]
    device = np.where(shares, 90_000_000 + ring * 2 + rng.integers(0, 2, count), borrower * 2 + own)
    phone = np.where(shares & (rng.random(count) < 0.4), 90_000_000 + ring, borrower * 2 + own)
    address = np.where(shares & (rng.random(count) < 0.6), 90_000_000 + ring, borrower)
    return contract_table(
        "applications",
        count,
        {
            "application_id": numbered(index.prefix("ap"), np.arange(count)),
            "borrower_id": index.borrower_ids.take(pa.array(borrower)),
            "lender_id": chosen(ids, lines.lender[rows]),
            "platform_id": chosen([x.platform_id for x in LENDERS], lines.lender[rows]),
            "product": chosen(PRODUCT_NAMES, lines.product[rows]),
            "requested_minor": pa.array(lines.requested[rows]),
            "submitted_at": instants(day, second),
            "income_declared_minor": pa.array(said.astype(np.int64) // 10_000 * 10_000),
            "employer_token": numbered("emp-", people.employer[borrower] + 10_000_000, 9),
            "address_token": numbered("addr-", address),
            "device_token": numbered("dev-", device),
            "phone_token": numbered("tel-", phone),
            "contact_tokens": _contact_tokens(borrower, ring),
            "decision": chosen(("decline", "approve"), ok.astype(np.int64)),
            "approved_minor": pa.array(np.where(ok, lines.offer[rows], 0)),
            "decided_at": instants(day, second + 240),
        },
    )


def _contact_tokens(borrower: IntArray, ring: IntArray) -> pa.Array:
    """Two contacts an application; the members of a ring all name the same two."""
    first = np.where(ring >= 0, 95_000_000 + ring, borrower * 3 + 1)
    second = np.where(ring >= 0, 90_000_000 + ring, borrower * 3 + 2)
    tokens = numbered("tel-", _CONTACTS_FROM + np.stack([first, second], axis=1).ravel())
    return pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * len(borrower) + 1, 2, dtype=np.int32)), tokens)


def identity_checks_table(index: Index) -> pa.Table:
    """One check of name and number a borrower, and a face or device check at every line opened in the book."""
    people, lines = index.people, index.lines
    rng = index.spec.random(EVIDENCE, 4)
    fresh = index.rows[index.lines.apply_step[index.rows] >= WARM_UP]
    count = people.count
    borrower = np.concatenate([np.arange(count), lines.borrower[fresh]])
    created = created_on(index)
    day = np.concatenate([created, opened_on(index, fresh)])
    kind = np.concatenate([np.zeros(count, np.int64), rng.integers(1, 4, len(fresh))])
    odds = np.where(people.ring[borrower] >= 0, 0.25, np.where(people.conceals[borrower], 0.06, 0.006))
    luck = rng.random(len(borrower))
    result = np.select((luck < odds, luck > 0.985), (1, 2), 0)
    order = np.lexsort((kind, day, borrower))
    return contract_table(
        "identity_checks",
        len(order),
        {
            "check_id": numbered(index.prefix("ic"), np.arange(len(order))),
            "borrower_id": index.borrower_ids.take(pa.array(borrower[order])),
            "kind": chosen(("name_id", "four_factor", "face", "device"), kind[order]),
            "result": chosen(("match", "mismatch", "unavailable"), result[order]),
            "checked_at": instants(day[order], rng.integers(0, _HOURS, len(order))),
            "provider": chosen(["register"], np.zeros(len(order), np.int64)),
            "cost_minor": pa.array(np.array([50, 80, 60, 20])[kind[order]]),
        },
    )


def contacts_table(index: Index) -> pa.Table:
    """Collection contacts of lines overdue at the last month's end, by a treatment drawn with known chance."""
    h = {name: index.history("contacts", name).astype(np.int64) for name in
         ("row", "step", "behind", "treatment", "per_mille", "paid", "day", "due")}  # fmt: skip
    rng = index.spec.random(EVIDENCE, 5)
    order = np.lexsort((h["step"], index.account[h["row"]]))
    h = {name: values[order] for name, values in h.items()}
    count, borrower = len(order), index.lines.borrower[h["row"]]
    paid = h["paid"] > 0
    before = np.maximum(h["day"] - rng.integers(0, 4, count), 1)
    day = index.day(h["step"], np.where(paid, before, rng.integers(1, 29, count)))
    by_call = h["treatment"] >= 2
    channel = np.select(
        (h["treatment"] == 1, (h["treatment"] == 2) & (h["behind"] == 1)), (rng.integers(0, 2, count), 2), 3
    )
    answered = paid | (rng.random(count) < 0.3)
    promise = by_call & answered & (rng.random(count) < 0.45)
    outcome = np.select((paid & promise, paid, promise, answered), (0, 1, 2, 3), 4)
    target = np.where(by_call & (rng.random(count) < 0.01), 1, 0)
    night = rng.random(count) < 0.003
    second = np.where(night, 14 * 3600 + rng.integers(0, 3600, count), rng.integers(0, _HOURS, count))
    actors = [*(x.party_id for x in LENDERS), *SERVICERS]
    agent = np.where(h["behind"] >= 3, index.account[h["row"]] % 2, -1)
    return contract_table(
        "contacts",
        count,
        {
            "contact_id": numbered(index.prefix("c"), np.arange(count)),
            "borrower_id": index.borrower_ids.take(pa.array(borrower)),
            "account_id": index.account_ids.take(pa.array(index.account[h["row"]])),
            "at": instants(day, second),
            "channel": chosen(("app", "sms", "bot_call", "call"), channel),
            "direction": chosen(["outbound"], np.zeros(count, np.int64)),
            "actor_id": chosen(actors, np.where(agent >= 0, len(LENDERS) + agent, index.lines.lender[h["row"]])),
            "target": chosen(("debtor", "other"), target),
            "contact_point_token": numbered("tel-", 2 * borrower),
            "answered": pa.array(answered),
            "conversation": pa.array(answered & by_call),
            "treatment": chosen(TREATMENTS, h["treatment"]),
            "propensity": pa.array(h["per_mille"] / 1000),
            "outcome": chosen(("promise_kept", "paid", "promise_broken", "no_promise", "no_answer"), outcome),
            "promised_minor": known(h["due"], promise),
            "promised_on": days(day + 5, promise),
        },
    )


def _sample(index: Index, stream: int, chance: float, table: str = "contacts") -> tuple[IntArray, IntArray, IntArray]:
    """(borrower, account, step) of a random share of a history table's rows."""
    row, step = index.history(table, "row").astype(np.int64), index.history(table, "step").astype(np.int64)
    picked = index.spec.random(EVIDENCE, stream).random(len(row)) < chance
    return index.lines.borrower[row[picked]], index.account[row[picked]], step[picked]


def complaints_table(index: Index) -> pa.Table:
    borrower, account, step = _sample(index, 6, 0.006)
    rng = index.spec.random(EVIDENCE, 7)
    count = len(borrower)
    order = np.lexsort((account, step, borrower))
    day = index.day(step[order], rng.integers(1, 29, count))
    resolved = day + rng.integers(2, 30, count)
    return contract_table(
        "complaints",
        count,
        {
            "complaint_id": numbered(index.prefix("cp"), np.arange(count)),
            "borrower_id": index.borrower_ids.take(pa.array(borrower[order])),
            "channel": chosen(("hotline", "regulator", "app"), rng.choice(3, count, p=(0.5, 0.3, 0.2))),
            "kind": chosen(("collection", "fees", "disclosure"), rng.choice(3, count, p=(0.5, 0.3, 0.2))),
            "at": instants(day, rng.integers(0, _HOURS, count)),
            "resolved_at": instants(resolved, np.full(count, 3600), resolved <= index.as_of),
        },
    )


def consents_table(index: Index) -> pa.Table:
    """Every borrower consented to a bureau inquiry with the first line; a few withdrew."""
    rng = index.spec.random(EVIDENCE, 8)
    count = index.people.count
    created = created_on(index)
    withdrawn = created + rng.integers(30, 900, count)
    withdrew = (rng.random(count) < 0.01) & (withdrawn <= index.as_of)
    return contract_table(
        "consents",
        count,
        {
            "consent_id": numbered(index.prefix("cs"), np.arange(count)),
            "borrower_id": index.borrower_ids,
            "purpose": chosen(["bureau_inquiry"], np.zeros(count, np.int64)),
            "given_at": instants(created, np.full(count, 7200)),
            "withdrawn_at": instants(withdrawn, np.full(count, 7200), withdrew),
        },
    )


def recoveries_table(index: Index) -> pa.Table:
    """Money that comes in after charge-off: a falling monthly chance of a tenth of the claim, 24 % in a year."""
    state, rng = index.simulated.accounts, index.spec.random(EVIDENCE, 9)
    lost = index.rows[(state.status[index.rows] == CHARGED_OFF) & (state.closed[index.rows] >= WARM_UP)]
    parts = []
    for after in range(1, index.spec.months):
        alive = (state.closed[lost] + after < index.spec.steps) & (rng.random(len(lost)) < 0.28 * 0.93**after)
        share = rng.uniform(0.05, 0.16, len(lost))
        part = np.stack([lost, state.closed[lost] + after, (share * state.balance[lost]).astype(np.int64)])
        parts.append(part[:, alive])
    row, step, amount = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.int64)
    order = np.lexsort((step, row))
    count = len(order)
    return contract_table(
        "recoveries",
        count,
        {
            "recovery_id": numbered(index.prefix("rc"), np.arange(count)),
            "account_id": index.account_ids.take(pa.array(index.account[row[order]])),
            "at": instants(index.day(step[order], rng.integers(1, 29, count)), rng.integers(0, _HOURS, count)),
            "amount_minor": pa.array(amount[order]),
            "via": chosen(("agency", "court", "self"), rng.choice(3, count, p=(0.6, 0.15, 0.25))),
        },
    )


EVENT_NAMES: Final = (
    "income",
    "deposit",
    "hardship",
    "contact_changed",
    "limit_changed",
    "account_opened",
    "account_closed",
    "charged_off",
    "purchase",
)


def events_table(index: Index) -> pa.Table:
    """Salaries of those whose pay account is seen, hardship, changed telephones, lines and limits, and purchases."""
    columns = [_incomes(index), *_household_events(index), *_line_events(index)]
    if index.spec.purchases:
        columns.append(_purchases(index))
    rows = np.concatenate(columns, axis=1)
    kind, borrower, account, day, second, _, _ = rows
    kind, borrower, account, day, second, amount, before = rows[:, np.lexsort((kind, account, second, day, borrower))]
    count = len(kind)
    return contract_table(
        "events",
        count,
        {
            "event_id": numbered(index.prefix("e"), np.arange(count)),
            "kind": chosen(EVENT_NAMES, kind),
            "borrower_id": index.borrower_ids.take(pa.array(borrower)),
            "account_id": chosen(index.account_ids, account),
            "effective_at": instants(day, second),
            "booked_at": instants(day, second + 60),
            "amount_minor": known(amount, amount >= 0),
            "payload": _payloads(before),
        },
    )


def _payloads(before: IntArray) -> pa.Array:
    """{"before_minor": n} where a limit changed, null elsewhere."""
    values, inverse = np.unique(before, return_inverse=True)
    return chosen([None if v < 0 else f'{{"before_minor": {v}}}' for v in values.tolist()], inverse)


# (7, rows): kind, borrower, account, day, second of the day, amount, limit before; -1 stands for null.
_Events = npt.NDArray[np.int32]


def _events(
    kind: str,
    borrower: IntArray,
    account: IntArray,
    day: IntArray,
    second: IntArray,
    amount: IntArray,
    before: IntArray | None = None,
) -> _Events:
    number = np.full(len(borrower), EVENT_NAMES.index(kind))
    was = np.full(len(borrower), -1) if before is None else before
    return np.array((number, borrower, account, day, second, amount, was), dtype=np.int32)


def _incomes(index: Index) -> _Events:
    spec, people = index.spec, index.people
    income = index.history("incomes", "income").reshape(spec.months, people.count)
    seen = np.flatnonzero(people.salary_seen)
    step, who = np.repeat(np.arange(spec.months), len(seen)), np.tile(seen, spec.months)
    amount = income[step, who].astype(np.int64)
    some = amount > 0
    day = index.day(step + WARM_UP, people.pay_day[who])
    nobody = np.full(len(who), -1)
    rows = _events("income", who[some], nobody[some], day[some], np.full(int(some.sum()), 3600), amount[some])
    unsalaried = np.isin(people.occupation[who[some]], (SELF_EMPLOYED, GIG_WORKER))
    rows[0, unsalaried] = EVENT_NAMES.index("deposit")
    return rows


def _household_events(index: Index) -> list[_Events]:
    spec, people = index.spec, index.people
    rng = spec.random(EVIDENCE, 10)
    shocked = index.history("incomes", "shocked").reshape(spec.months, people.count)
    step, who = np.nonzero(shocked & (rng.random(shocked.shape) < 0.03))
    day = index.day(step + WARM_UP, rng.integers(1, 29, len(who)))
    nobody = np.full(len(who), -1)
    hardship = _events("hardship", who, nobody, day, rng.integers(0, _HOURS, len(who)), nobody)
    moved, account, moved_step = _sample(index, 11, 0.03)
    moved_day = index.day(moved_step, rng.integers(1, 29, len(moved)))
    nothing = np.full(len(moved), -1)
    changed = _events("contact_changed", moved, account, moved_day, rng.integers(0, _HOURS, len(moved)), nothing)
    return [hardship, changed]


def _line_events(index: Index) -> list[_Events]:
    lines, state = index.lines, index.simulated.accounts
    fresh = index.rows[lines.apply_step[index.rows] >= WARM_UP]
    done = index.rows[(state.status[index.rows] == CLOSED) & (state.closed[index.rows] >= WARM_UP)]
    lost = index.rows[(state.status[index.rows] == CHARGED_OFF) & (state.closed[index.rows] >= WARM_UP)]
    row, step = index.history("limits", "row").astype(np.int64), index.history("limits", "step").astype(np.int64)
    after, before = index.history("limits", "after"), index.history("limits", "before")

    def rows(kind: str, which: IntArray, day: IntArray, amount: IntArray, was: IntArray | None = None) -> _Events:
        return _events(kind, lines.borrower[which], index.account[which], day, np.full(len(which), 30_000), amount, was)

    return [
        rows("account_opened", fresh, opened_on(index, fresh), state.limit[fresh]),
        rows("account_closed", done, index.day(state.closed[done], np.full(len(done), 31)), np.full(len(done), -1)),
        rows("charged_off", lost, index.day(state.closed[lost], np.full(len(lost), 31)), state.balance[lost]),
        rows("limit_changed", row, index.day(step, np.full(len(row), 28)), after, before),
    ]


def _purchases(index: Index) -> _Events:
    """Each month's spending on a revolving line, cut into single purchases that add up to it."""
    rng = index.spec.random(PURCHASES)
    row, step = index.history("periods", "row").astype(np.int64), index.history("periods", "step").astype(np.int64)
    spend = index.history("periods", "spend").astype(np.int64)
    used = (spend > 0) & (index.lines.term[row] == 0)
    row, step, spend = row[used], step[used], spend[used]
    mean = np.where(index.lines.product[row] == BNPL, 20_000, 40_000)
    pieces = np.clip(rng.poisson(spend / mean) + 1, 1, 12)
    pieces = np.minimum(pieces, spend)
    which = np.repeat(np.arange(len(row)), pieces)
    weight = rng.exponential(1.0, len(which)) + 0.05
    total = np.bincount(which, weight, len(row))
    amount = np.floor(spend[which] * weight / total[which]).astype(np.int64)
    first = np.cumsum(pieces) - pieces
    given = np.rint(np.bincount(which, amount, len(row))).astype(np.int64)
    amount[first] += spend - given
    some = amount > 0
    which, amount = which[some], amount[some]
    day = index.day(step[which], rng.integers(1, 29, len(which)))
    return _events("purchase", index.lines.borrower[row[which]], index.account[row[which]], day,
                   rng.integers(0, 14 * 3600, len(which)), amount)  # fmt: skip
