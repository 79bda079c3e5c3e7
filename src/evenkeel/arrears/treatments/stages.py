"""What to do about each overdue account now: nothing, a reminder, an offer of a plan, a call, or a person's review.

The law is asked first: what may not be done is taken away before anything is ranked. What remains is chosen by the
facts of the case (a promise, a dispute, a known cause), then by expected value over doing nothing where its inputs are
known, else by the stage. Accounts of one borrower with one lender are spoken of in one contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.law import RuleBook
from evenkeel.arrears.rows import NEVER, BoolArray, FloatArray, IntArray
from evenkeel.arrears.treatments.assumed import TreatmentAssumptions
from evenkeel.arrears.treatments.lawful import (
    BLOCKED,
    STAMP,
    asked_of,
    blocked_lists,
    first_lawful,
    history_of,
    planned,
)
from evenkeel.arrears.treatments.record import complete, days_past_due, facts_of, floats_of, mask_of
from evenkeel.kernel.errors import InvalidInput

TREATMENTS = ("nothing", "reminder", "plan_offer", "call", "human_review")
CHANNELS = {"reminder": "sms", "plan_offer": "sms", "call": "call"}  # how a treatment reaches the borrower

HARDSHIP = ("income_shock", "over_granting", "macro_shock")

_REASONS = pa.list_(pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())]))
CASES = pa.schema(
    [
        ("account_id", pa.string()),
        ("borrower_id", pa.string()),
        ("dpd", pa.int32()),
        ("state", pa.string()),
        ("treatment", pa.string()),
        ("allowed_at", STAMP),
        ("blocked", BLOCKED),
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
    cases = complete(cases_in)
    at = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    facts = facts_of(cases, contacts, complaints, events, at, assumptions)
    actions = asked_of(cases, facts)
    history = history_of(cases, contacts, at, rules)
    lawful = {
        channel: first_lawful(planned(actions, channel), history, consents, at, jurisdiction, rules)
        for channel in sorted(set(CHANNELS.values()))
    }
    decided = _decide(cases, facts, {name: first for name, (first, _) in lawful.items()}, at, assumptions)
    blocked = blocked_lists(TREATMENTS, CHANNELS, {name: answers for name, (_, answers) in lawful.items()})
    return pa.table(
        [
            *(cases[name] for name in ("account_id", "borrower_id", "dpd", "state")),
            pa.array(TREATMENTS).take(pa.array(decided.treatment)),
            pa.array(decided.allowed_at, mask=decided.allowed_at == NEVER).cast(STAMP),
            blocked,
            decided.reasons,
        ],
        schema=CASES,
    )


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
    dpd = days_past_due(cases)
    p_cure = floats_of(cases["p_self_cure"])
    balance = floats_of(cases["balance_minor"].cast(pa.float64()))
    cause = {name: mask_of(pc.is_in(cases["cause"], pa.array(values))) for name, values in _CAUSES.items()}
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
    return _Decided(treatment, allowed, _reasons(reason, points, sources, ~mask_of(pc.is_valid(cases["timezone"]))))


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
