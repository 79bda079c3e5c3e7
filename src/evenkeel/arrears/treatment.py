"""What to do about each overdue account now: nothing, a reminder, an offer of a plan, a call, or a person's review.

The law is asked first: what may not be done is taken away before anything is ranked. What remains is chosen by the
facts of the case (a promise, a dispute, a known cause), then by expected value over doing nothing where its inputs are
known, else by the stage. Accounts of one borrower with one lender are spoken of in one contact.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.law import RuleBook, check, with_consents
from evenkeel.arrears.rows import DAY, NEVER, BoolArray, FloatArray, IntArray, micros
from evenkeel.kernel.errors import InvalidInput

TREATMENTS = ("nothing", "reminder", "plan_offer", "call", "human_review")
CHANNELS = {"reminder": "sms", "plan_offer": "sms", "call": "call"}  # how a treatment reaches the borrower

HARDSHIP = ("income_shock", "over_granting", "macro_shock")

_STAMP = pa.timestamp("us", tz="UTC")
_BLOCKED = pa.list_(
    pa.struct([("action", pa.string()), ("rule", pa.string()), ("citation", pa.string()), ("until", _STAMP)])
)
_REASONS = pa.list_(pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())]))
CASES = pa.schema(
    [
        ("account_id", pa.string()),
        ("borrower_id", pa.string()),
        ("dpd", pa.int32()),
        ("state", pa.string()),
        ("treatment", pa.string()),
        ("allowed_at", _STAMP),
        ("blocked", _BLOCKED),
        ("reasons", _REASONS),
    ]
)

# The first row whose condition holds decides: reason, treatment, where the fact came from.
_STAGES: tuple[tuple[str, str, str], ...] = (
    ("stop_contact", "human_review", "events.stop_contact"),
    ("dispute_open", "human_review", "events.dispute_opened"),
    ("complaint_open", "human_review", "complaints.resolved_at"),
    ("facts_to_verify", "human_review", "cases.cause"),
    ("plan_in_force", "nothing", "events.plan_signed"),
    ("promise_pending", "nothing", "contacts.promised_on"),
    ("hardship_told", "plan_offer", "events.hardship"),
    ("self_cure_likely", "nothing", "cases.p_self_cure"),
    ("hardship", "plan_offer", "cases.cause"),
    ("oversight", "reminder", "cases.cause"),
    ("long_overdue", "plan_offer", "cases.dpd"),
    ("expected_value", "", "cases.p_self_cure, cases.balance_minor"),
    ("overdue", "call", "cases.dpd"),
    ("early", "reminder", "cases.dpd"),
)
REASONS = (*(name for name, _, _ in _STAGES), "call_not_lawful", "not_lawful", "zone_unknown")


@dataclass(frozen=True, slots=True)
class TreatmentAssumptions:
    """What the choice takes for granted; amounts in minor units.

    wait_days, self_cure_likely: up to that day past due an account that is at least so likely to cure is left alone.
    call_from_days: calls are weighed from here on (M2); long_overdue_days: from here on a plan is offered (M4).
    reminder_effect, call_effect: added chance of payment among those who would not have paid anyway: a moral text took
        delinquency 4.4 points down (Bursztyn et al., JPE 2019); a person's call raised on-time resolution by 34.4
        points (Laudenbach, Pirschel, Siegel). Other countries and products: orders of magnitude.
    reminder_cost_minor, call_cost_minor: what one costs. reminder_burden_minor, call_burden_minor: what one does to a
        person who would have paid without it. Judgements.
    promise_days: a promise is waited for at most that long. hardship_days: so long a reported hardship counts.
    """

    wait_days: int = 3
    self_cure_likely: float = 0.5
    call_from_days: int = 31
    long_overdue_days: int = 91
    reminder_effect: float = 0.044
    call_effect: float = 0.344
    reminder_cost_minor: int = 10
    call_cost_minor: int = 500
    reminder_burden_minor: int = 100
    call_burden_minor: int = 2_000
    promise_days: int = 31
    hardship_days: int = 180


def treat(
    cases_in: pa.Table,
    contacts: pa.Table | None,
    consents: pa.Table | None,
    complaints: pa.Table | None,
    events: pa.Table | None,
    now: datetime,
    jurisdiction: str,
    rules: RuleBook,
    assumptions: TreatmentAssumptions | None = None,
) -> pa.Table:
    """Stage 7: one row an overdue account, as CASES, sorted by account_id.

    cases_in: account_id, borrower_id, dpd, state, and where known lender_id, product, actor_type (of who collects),
        timezone, balance_minor, cause, p_self_cure. Absent columns and nulls are unknown.
    contacts, consents, complaints, events: CONTRACT 2; only what was known by `now` is used.
    now: a UTC instant. allowed_at is the first instant from then on at which the treatment (for `nothing`, the next
    contact) breaks no rule in the book; null where none is known. `blocked` lists what may not be done at `now`.
    Raises InvalidInput if `now` has no zone.
    """
    if now.tzinfo is None:
        raise InvalidInput("`now` needs a zone.", "Pass an instant in UTC.")
    assumptions = assumptions or TreatmentAssumptions()
    cases = _complete(cases_in)
    at = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    facts = _facts(cases, contacts, complaints, events, at, assumptions)
    actions = cases.select(["account_id", "borrower_id", "lender_id", "product", "actor_type", "timezone"])
    for name in ("stop_contact", "dispute_open", "complaint_open", "plan_in_force"):
        actions = actions.append_column(name, pa.array(facts[name]))
    actions = actions.append_column("promise_until", _days(facts["promised_on"]))
    history = _history(cases, contacts, at, rules)
    lawful = {
        channel: _first_lawful(_act(actions, channel), history, consents, at, jurisdiction, rules)
        for channel in sorted(set(CHANNELS.values()))
    }
    decided = _decide(cases, facts, {name: first for name, (first, _) in lawful.items()}, at, assumptions)
    blocked = _blocked({name: answers for name, (_, answers) in lawful.items()}, len(cases))
    return pa.table(
        [
            *(cases[name] for name in ("account_id", "borrower_id", "dpd", "state")),
            pa.array(TREATMENTS).take(pa.array(decided.treatment)),
            pa.array(decided.allowed_at, mask=decided.allowed_at == NEVER).cast(_STAMP),
            blocked,
            decided.reasons,
        ],
        schema=CASES,
    )


# ---------------------------------------------------------------------------------------------------------------- facts

_INPUTS = {
    "account_id": pa.string(), "borrower_id": pa.string(), "lender_id": pa.string(), "product": pa.string(),
    "actor_type": pa.string(), "timezone": pa.string(), "cause": pa.string(), "state": pa.string(), "dpd": pa.int32(),
    "balance_minor": pa.int64(), "p_self_cure": pa.float64(),
}  # fmt: skip


def _complete(cases: pa.Table) -> pa.Table:
    """The cases sorted by account with every input column there, unknown where it was not given."""
    columns = {
        name: cases[name].cast(kind) if name in cases.column_names else pa.nulls(len(cases), kind)
        for name, kind in _INPUTS.items()
    }
    return pa.table(columns).sort_by("account_id").combine_chunks()


def _facts(
    cases: pa.Table,
    contacts: pa.Table | None,
    complaints: pa.Table | None,
    events: pa.Table | None,
    at: int,
    assumptions: TreatmentAssumptions,
) -> dict[str, Any]:
    """What is known of each case at `at`: booleans by reason, and `promised_on` (days since 1970, 0 = none)."""
    size = len(cases)
    last: dict[str, IntArray] = {}
    for kind in ("stop_contact", "dispute_opened", "dispute_closed", "plan_signed", "hardship"):
        last[kind] = _last_event(cases, events, [kind], at)
    ended = _last_event(cases, events, ["plan_broken", "plan_completed"], at)
    promised = np.maximum(_promised(cases, contacts, at), _promised(cases, _promise_events(events), at))
    promised[promised > at // DAY + assumptions.promise_days] = 0
    complaint = np.zeros(size, bool)
    if complaints is not None:
        open_ = (micros(complaints["at"], NEVER) <= at) & (micros(complaints["resolved_at"], NEVER) > at)
        complaint = _mask(pc.is_in(cases["borrower_id"], pc.unique(complaints["borrower_id"].filter(pa.array(open_)))))
    return {
        "stop_contact": last["stop_contact"] > 0,
        "dispute_open": (last["dispute_opened"] > 0) & (last["dispute_opened"] >= last["dispute_closed"]),
        "complaint_open": complaint,
        "plan_in_force": (last["plan_signed"] > 0) & (last["plan_signed"] > ended),
        "hardship_told": last["hardship"] > at - assumptions.hardship_days * DAY,
        # The day is compared in UTC here; the rule EK-PROMISE holds its end on the borrower's own clock.
        "promise_pending": (promised > 0) & (promised >= at // DAY),
        "promised_on": promised,
    }


def _last_event(cases: pa.Table, events: pa.Table | None, kinds: list[str], at: int) -> IntArray:
    """The last instant known by `at` of an event on each case's account, or on its borrower as a whole; 0 = none."""
    if events is None:
        return np.zeros(len(cases), np.int64)
    events = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    happened = micros(events["effective_at"], NEVER)
    booked = micros(events["booked_at"], 0) if "booked_at" in events.column_names else happened
    events = events.append_column("when", pa.array(happened)).filter(pa.array((happened <= at) & (booked <= at)))
    whole = pc.is_null(events["account_id"])
    return np.maximum(
        _latest(cases["account_id"], events.filter(pc.invert(whole)), "account_id"),
        _latest(cases["borrower_id"], events.filter(whole), "borrower_id"),
    )


def _promised(cases: pa.Table, promises: pa.Table | None, at: int) -> IntArray:
    """The latest day promised for each case's account (or its borrower) by `at`, as days since 1970; 0 = none."""
    if promises is None or "promised_on" not in promises.column_names:
        return np.zeros(len(cases), np.int64)
    known = (micros(promises["at"], NEVER) <= at) & _mask(pc.is_valid(promises["promised_on"]))
    promises = promises.filter(pa.array(known))
    promises = promises.append_column("when", pa.array(micros(promises["promised_on"]) // DAY))
    whole = pc.is_null(promises["account_id"])
    return np.maximum(
        _latest(cases["account_id"], promises.filter(pc.invert(whole)), "account_id"),
        _latest(cases["borrower_id"], promises.filter(whole), "borrower_id"),
    )


def _promise_events(events: pa.Table | None) -> pa.Table | None:
    """Events of kind promise as contacts with promised_on; a payload without a readable day promises nothing."""
    if events is None or "payload" not in events.column_names:
        return None
    found = events.filter(pc.equal(events["kind"], "promise"))
    days: list[date | None] = []
    for payload in found["payload"].to_pylist():
        try:
            days.append(date.fromisoformat(json.loads(payload)["promised_on"]))
        except (ValueError, KeyError, TypeError):
            days.append(None)
    columns = [found["account_id"], found["borrower_id"], found["effective_at"], pa.array(days, pa.date32())]
    return pa.table(columns, names=["account_id", "borrower_id", "at", "promised_on"])


def _latest(keys: pa.ChunkedArray, table: pa.Table, column: str) -> IntArray:
    """For each key the greatest `when` among the rows that carry it in `column`; 0 where there is none."""
    best = table.group_by(column, use_threads=False).aggregate([("when", "max")])
    place = pc.index_in(keys, best[column].combine_chunks())
    return _int(pc.fill_null(best["when_max"].combine_chunks().cast(pa.int64()).take(place.combine_chunks()), 0))


# ------------------------------------------------------------------------------------------------------------------ law


def _act(actions: pa.Table, channel: str) -> pa.Table:
    """Each case as one planned contact with the debtor through `channel`."""
    size = len(actions)
    return (
        actions.append_column("action", pa.array([channel] * size, pa.string()))
        .append_column("target", pa.array(["debtor"] * size, pa.string()))
        .append_column("planned", pa.array(np.ones(size, bool)))
    )


def _history(cases: pa.Table, contacts: pa.Table | None, at: int, rules: RuleBook) -> pa.Table:
    """Past contacts that a count may still see; their lender is that of the account's case, else the borrower's."""
    names = ["account_id", "borrower_id", "at", "direction", "target", "answered", "conversation"]
    if contacts is None:
        return pa.table({"at": pa.nulls(0, _STAMP), "action": pa.nulls(0, pa.string())})
    counts = [one for rule in rules.rules.values() for one in rule.checks if one.kind == "count"]
    window = max((one.params["days"] for one in counts), default=1)
    stamps = micros(contacts["at"], NEVER)
    recent = pa.array((stamps <= at) & (stamps > at - (window + 2) * DAY))
    kept = contacts.filter(recent)
    kept = kept.filter(pc.is_in(kept["borrower_id"], cases["borrower_id"].combine_chunks()))
    lender = pc.coalesce(
        *(cases["lender_id"].take(pc.index_in(kept[key], cases[key].combine_chunks())) for key in names[:2])
    )
    history = kept.select([name for name in names if name in kept.column_names])
    return history.append_column("action", kept["channel"]).append_column("lender_id", lender)


def _first_lawful(
    actions: pa.Table, history: pa.Table, consents: pa.Table | None, at: int, jurisdiction: str, rules: RuleBook
) -> tuple[IntArray, pa.Table]:
    """For each action the first instant from `at` on at which no rule speaks against it (NEVER if none is known).

    Each rule says until when it holds, so the instant moves to the latest of those and is judged again, until nothing
    holds. Returns the instants, and the answers at `at`.
    """
    first = np.full(len(actions), at)
    waiting = np.arange(len(actions))
    now: pa.Table | None = None
    for _ in range(10):  # more rounds than there are rules that can follow one another; what is left is not lawful
        stamped = actions.take(pa.array(waiting)).append_column("at", pa.array(first[waiting]).cast(_STAMP))
        table = pa.concat_tables([history, stamped], promote_options="default")
        answers = check(with_consents(table, consents), rules, jurisdiction).slice(len(history)).combine_chunks()
        now = answers if now is None else now
        row, held = _held(answers)
        until = np.full(len(waiting), -1)
        np.maximum.at(until, row, _int(pc.fill_null(held.field("until").cast(pa.int64()), NEVER)))
        first[waiting] = np.maximum(first[waiting], until)
        waiting = waiting[(until >= 0) & (until < NEVER)]
        if not len(waiting):
            break
    first[waiting] = NEVER
    return first, now


def _held(answers: pa.Table) -> tuple[IntArray, pa.StructArray]:
    """The findings that hold an action back (require and block), each with its row."""
    lists = answers["rules"].combine_chunks()
    findings, row = pc.list_flatten(lists), pc.list_parent_indices(lists)
    strict = pc.is_in(findings.field("effect"), pa.array(["require", "block"]))
    return _int(row.filter(strict)), findings.filter(strict)


def _blocked(answers: dict[str, pa.Table], size: int) -> pa.Array:
    """One list a case of what may not be done now, by treatment and rule."""
    rows, kinds, found = [], [], []
    for name, channel in CHANNELS.items():
        row, held = _held(answers[channel])
        rows.append(row)
        kinds.append(np.full(len(row), TREATMENTS.index(name)))
        found.append(held)
    row, kind, held = np.concatenate(rows), np.concatenate(kinds), pa.concat_arrays(found)
    order = np.lexsort((kind, row))
    held = held.take(pa.array(order))
    structs = pa.StructArray.from_arrays(
        [
            pa.array(TREATMENTS).take(pa.array(kind[order])),
            held.field("id"),
            held.field("citation"),
            held.field("until"),
        ],
        fields=list(_BLOCKED.value_type),
    )
    offsets = np.searchsorted(row[order], np.arange(size + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=_BLOCKED)


# --------------------------------------------------------------------------------------------------------------- choice


@dataclass(frozen=True, slots=True)
class _Decided:
    treatment: IntArray
    allowed_at: IntArray
    reasons: pa.Array


def _decide(
    cases: pa.Table, facts: dict[str, Any], lawful: dict[str, IntArray], at: int, assumptions: TreatmentAssumptions
) -> _Decided:
    """The treatment of each case: the first stage that holds, then what the law leaves of it."""
    dpd = _days_past_due(cases)
    p_cure = _float(cases["p_self_cure"])
    balance = _float(cases["balance_minor"].cast(pa.float64()))
    cause = {name: _mask(pc.is_in(cases["cause"], pa.array(values))) for name, values in _CAUSES.items()}
    best, gain, weighed = _best_value(dpd, p_cure, balance, lawful, assumptions)
    conditions = {
        **facts,
        "facts_to_verify": cause["concealment"],
        "hardship": cause["hardship"],
        "self_cure_likely": (dpd <= assumptions.wait_days) & (p_cure >= assumptions.self_cure_likely),
        "oversight": cause["oversight"] & (dpd < assumptions.call_from_days),
        "long_overdue": dpd >= assumptions.long_overdue_days,
        "expected_value": weighed,
        "overdue": dpd >= assumptions.call_from_days,
        "early": np.ones(len(dpd), bool),
    }
    stage = np.argmax(np.stack([conditions[name] for name, _, _ in _STAGES]), axis=0)
    fixed = np.array([TREATMENTS.index(name) if name else -1 for _, name, _ in _STAGES])[stage]
    treatment = np.where(fixed < 0, best, fixed)
    reason = np.array([REASONS.index(name) for name, _, _ in _STAGES])[stage]
    no_call = (treatment == TREATMENTS.index("call")) & (lawful["call"] == NEVER)
    treatment[no_call] = TREATMENTS.index("reminder")
    by_text = np.isin(treatment, [TREATMENTS.index(name) for name in ("reminder", "plan_offer")])
    no_contact = by_text & (lawful["sms"] == NEVER)
    treatment[no_contact] = TREATMENTS.index("human_review")
    reason[no_call], reason[no_contact] = REASONS.index("call_not_lawful"), REASONS.index("not_lawful")
    sources = np.array([*(source for _, _, source in _STAGES), "law", "law", "borrowers.timezone"], dtype=object)
    points = np.where((reason == REASONS.index("expected_value")), gain, np.nan)
    allowed = np.where(treatment == TREATMENTS.index("call"), lawful["call"], lawful["sms"])
    allowed[treatment == TREATMENTS.index("human_review")] = at
    return _Decided(treatment, allowed, _reasons(reason, points, sources, ~_mask(pc.is_valid(cases["timezone"]))))


def _days_past_due(cases: pa.Table) -> IntArray:
    """Days past due; where unknown, the first day of the state's bucket (M2 = 31)."""
    bucket = pc.index_in(cases["state"], pa.array([f"M{k}" for k in range(8)]))
    floor = np.maximum(30 * (_int(pc.fill_null(bucket, 0)) - 1) + 1, 0)
    return np.where(_mask(pc.is_valid(cases["dpd"])), _int(pc.fill_null(cases["dpd"], 0)), floor)


_CAUSES = {"hardship": HARDSHIP, "concealment": ("concealment",), "oversight": ("oversight",)}


def expected_values(
    p_cure: FloatArray, balance: FloatArray, given: TreatmentAssumptions
) -> tuple[FloatArray, FloatArray]:
    """What a reminder and a call are worth over doing nothing, in minor units; (n,) each, NaN where an input is.

    value = (1 - p_self_cure) * effect * balance - cost - p_self_cure * burden
    """
    lost, cured = (1 - p_cure) * np.maximum(balance, 0), p_cure
    remind = lost * given.reminder_effect - given.reminder_cost_minor - cured * given.reminder_burden_minor
    call = lost * given.call_effect - given.call_cost_minor - cured * given.call_burden_minor
    return remind, call


def _best_value(
    dpd: IntArray, p_cure: FloatArray, balance: FloatArray, lawful: dict[str, IntArray], given: TreatmentAssumptions
) -> tuple[IntArray, FloatArray, BoolArray]:
    """The lawful action of greatest expected value over doing nothing; its value; and where it could be weighed."""
    weighed = ~np.isnan(p_cure) & ~np.isnan(balance)
    remind, call = expected_values(p_cure, balance, given)
    remind = np.where(lawful["sms"] < NEVER, remind, -np.inf)
    call = np.where((lawful["call"] < NEVER) & (dpd >= given.call_from_days), call, -np.inf)
    values = np.nan_to_num(np.stack([np.zeros(len(dpd)), remind, call]), nan=0.0, neginf=-np.inf)
    choice = np.argmax(values, axis=0)
    names = np.array([TREATMENTS.index(name) for name in ("nothing", "reminder", "call")])
    return names[choice], np.take_along_axis(values, choice[None, :], axis=0)[0], weighed


def _reasons(reason: IntArray, points: FloatArray, sources: Any, zone_unknown: BoolArray) -> pa.Array:
    """One list a case: the reason that decided, and that the zone is not known where it is not."""
    extra = np.flatnonzero(zone_unknown)
    codes = np.concatenate([reason, np.full(len(extra), REASONS.index("zone_unknown"))])
    order = np.argsort(np.concatenate([np.arange(len(reason)), extra]), kind="stable")
    values = np.concatenate([points, np.full(len(extra), np.nan)])[order]
    codes = codes[order]
    structs = pa.StructArray.from_arrays(
        [
            pa.array([f"treat.{name}" for name in REASONS]).take(pa.array(codes)),
            pa.array(values, mask=np.isnan(values)),
            pa.array(sources.tolist(), pa.string()).take(pa.array(codes)),
        ],
        fields=list(_REASONS.value_type),
    )
    offsets = np.append(0, np.cumsum(1 + zone_unknown)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=_REASONS)


def _days(days: IntArray) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=days == 0).cast(pa.date32())


def _mask(values: Any) -> BoolArray:
    return np.asarray(pc.fill_null(values, False)).astype(np.bool_)


def _int(values: Any) -> IntArray:
    return np.asarray(values).astype(np.int64)


def _float(values: Any) -> FloatArray:
    return np.asarray(values.to_numpy()).astype(np.float64)
