"""What is on record about each overdue account: promises, disputes, plans, complaints, requests to stop."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.standing import SAID, holds
from evenkeel.arrears.contacts.table import owned
from evenkeel.arrears.rows import DAY, NEVER, BoolArray, FloatArray, IntArray, micros
from evenkeel.arrears.treatments.assumed import TreatmentAssumptions

_DISPUTES = ("dispute_opened", "dispute_closed")
_INPUTS = {
    "account_id": pa.string(), "borrower_id": pa.string(), "lender_id": pa.string(), "product": pa.string(),
    "actor_type": pa.string(), "timezone": pa.string(), "cause": pa.string(), "state": pa.string(), "dpd": pa.int32(),
    "balance_minor": pa.int64(), "p_self_cure": pa.float64(),
}  # fmt: skip


def complete(cases: pa.Table) -> pa.Table:
    """The cases sorted by account with every input column there, unknown where it was not given."""
    columns = {
        name: cases[name].cast(kind) if name in cases.column_names else pa.nulls(len(cases), kind)
        for name, kind in _INPUTS.items()
    }
    return pa.table(columns).sort_by("account_id").combine_chunks()


def days_past_due(cases: pa.Table) -> IntArray:
    """Days past due; where unknown, the first day of the state's bucket (M2 = 31)."""
    bucket = pc.index_in(cases["state"], pa.array([f"M{k}" for k in range(8)]))
    floor = np.maximum(30 * (ints_of(pc.fill_null(bucket, 0)) - 1) + 1, 0)
    return np.where(mask_of(pc.is_valid(cases["dpd"])), ints_of(pc.fill_null(cases["dpd"], 0)), floor)


def facts_of(
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
    for kind in ("stop_contact", "plan_signed", "hardship"):
        last[kind] = last_event(cases, events, [kind], at)
    ended = last_event(cases, events, ["plan_broken", "plan_completed"], at)
    promised = np.maximum(_promised(cases, contacts, at), _promised(cases, promise_events(events), at))
    promised[promised > at // DAY + assumptions.promise_days] = 0
    complaint = np.zeros(size, bool)
    if complaints is not None:
        open_ = (micros(complaints["at"], NEVER) <= at) & (micros(complaints["resolved_at"], NEVER) > at)
        complaint = mask_of(
            pc.is_in(cases["borrower_id"], pc.unique(complaints["borrower_id"].filter(pa.array(open_))))
        )
    return {
        "stop_contact": last["stop_contact"] > 0,
        "dispute_open": _disputed(cases, events, at),
        "complaint_open": complaint,
        "plan_in_force": (last["plan_signed"] > 0) & (last["plan_signed"] > ended),
        "hardship_told": last["hardship"] > at - assumptions.hardship_days * DAY,
        # The day is compared in UTC here; the rule EK-PROMISE holds its end on the borrower's own clock.
        "promise_pending": (promised > 0) & (promised >= at // DAY),
        "promised_on": promised,
    }


def last_event(cases: pa.Table, events: pa.Table | None, kinds: list[str], at: int) -> IntArray:
    """The last instant known by `at` of an event on each case's account, or on its borrower as a whole; 0 = none."""
    if events is None:
        return np.zeros(len(cases), np.int64)
    events = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    events = _known_by(events, at)
    events = events.append_column("when", pa.array(micros(events["effective_at"], NEVER)))
    whole = pc.is_null(events["account_id"])
    return np.maximum(
        _latest(cases["account_id"], events.filter(pc.invert(whole)), "account_id"),
        _latest(cases["borrower_id"], events.filter(whole), "borrower_id"),
    )


def _disputed(cases: pa.Table, events: pa.Table | None, at: int) -> BoolArray:
    """Where a dispute about the account is open: two are apart, and one closed without its name closes all."""
    none = np.zeros(len(cases), bool)
    if events is None:
        return none
    events = _known_by(events.filter(pc.is_in(events["kind"], pa.array(_DISPUTES))), at)
    if not len(events):
        return none
    names = [_name(one) for one in events["payload"].to_pylist()] if "payload" in events.column_names else []
    opened = mask_of(pc.equal(events["kind"], _DISPUTES[0]))
    subject = [
        name or (f"#{place}" if opens else None)
        for place, (name, opens) in enumerate(zip(names or [None] * len(events), opened.tolist(), strict=True))
    ]
    told = {
        "kind": events["kind"], "borrower_id": events["borrower_id"], "account_id": events["account_id"],
        "at": events["effective_at"].cast(SAID.field("at").type), "subject": pa.array(subject, pa.string()),
    }  # fmt: skip
    columns = [told[one.name] if one.name in told else pa.nulls(len(events), one.type) for one in SAID]
    # What was closed at the instant at which it was opened is open.
    said = pa.table(columns, schema=SAID).take(pa.array(np.argsort(opened, kind="stable")))
    asked = owned(cases.select(["borrower_id", "lender_id", "account_id"]))
    asked = asked.append_column("at", pa.array(np.full(len(cases), at)).cast(SAID.field("at").type))
    return mask_of(holds(said, asked)["dispute_open"].value)


def _name(payload: str | None) -> str | None:
    """The name of a dispute in the payload of its event."""
    try:
        name = json.loads(payload or "{}")["name"]
    except (ValueError, KeyError, TypeError):
        return None
    return None if name is None else str(name)


def _known_by(events: pa.Table, at: int) -> pa.Table:
    happened = micros(events["effective_at"], NEVER)
    booked = micros(events["booked_at"], 0) if "booked_at" in events.column_names else happened
    return events.filter(pa.array((happened <= at) & (booked <= at)))


def _promised(cases: pa.Table, promises: pa.Table | None, at: int) -> IntArray:
    """The latest day promised for each case's account (or its borrower) by `at`, as days since 1970; 0 = none."""
    if promises is None or "promised_on" not in promises.column_names:
        return np.zeros(len(cases), np.int64)
    known = (micros(promises["at"], NEVER) <= at) & mask_of(pc.is_valid(promises["promised_on"]))
    promises = promises.filter(pa.array(known))
    promises = promises.append_column("when", pa.array(micros(promises["promised_on"]) // DAY))
    whole = pc.is_null(promises["account_id"])
    return np.maximum(
        _latest(cases["account_id"], promises.filter(pc.invert(whole)), "account_id"),
        _latest(cases["borrower_id"], promises.filter(whole), "borrower_id"),
    )


def promise_events(events: pa.Table | None) -> pa.Table | None:
    """Events of kind promise as contacts with promised_on; a payload without a readable day promises nothing."""
    if events is None or "payload" not in events.column_names:
        return None
    found, names = events.filter(pc.equal(events["kind"], "promise")), events.column_names
    days: list[date | None] = []
    for payload in found["payload"].to_pylist():
        try:
            days.append(date.fromisoformat(json.loads(payload)["promised_on"]))
        except (ValueError, KeyError, TypeError):
            days.append(None)
    columns = [found["account_id"], found["borrower_id"], found["effective_at"], pa.array(days, pa.date32())]
    table = pa.table(columns, names=["account_id", "borrower_id", "at", "promised_on"])
    return table.append_column("promised_minor", found["amount_minor"]) if "amount_minor" in names else table


def _latest(keys: pa.ChunkedArray, table: pa.Table, column: str) -> IntArray:
    """For each key the greatest `when` among the rows that carry it in `column`; 0 where there is none."""
    best = table.group_by(column, use_threads=False).aggregate([("when", "max")])
    place = pc.index_in(keys, best[column].combine_chunks())
    return ints_of(pc.fill_null(best["when_max"].combine_chunks().cast(pa.int64()).take(place.combine_chunks()), 0))


def mask_of(values: Any) -> BoolArray:
    return np.asarray(pc.fill_null(values, False)).astype(np.bool_)


def ints_of(values: Any) -> IntArray:
    return np.asarray(values).astype(np.int64)


def floats_of(values: Any) -> FloatArray:
    return np.asarray(values.to_numpy()).astype(np.float64)
