"""When a contact with each overdue account is lawful, and what may not be done now: the law asked for many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.standing import SAID
from evenkeel.arrears.contacts.table import owned
from evenkeel.arrears.law import RuleBook, with_consents
from evenkeel.arrears.rows import DAY, NEVER, IntArray, micros
from evenkeel.arrears.treatments.record import ints_of

STAMP = pa.timestamp("us", tz="UTC")
BLOCKED = pa.list_(
    pa.struct([("action", pa.string()), ("rule", pa.string()), ("citation", pa.string()), ("until", STAMP)])
)


def asked_of(cases: pa.Table, facts: Mapping[str, Any]) -> pa.Table:
    """What the law is told of each case (see `record.facts_of`), before an action is named."""
    actions = cases.select(["account_id", "borrower_id", "lender_id", "product", "actor_type", "timezone"])
    for name in ("stop_contact", "dispute_open", "complaint_open", "plan_in_force"):
        actions = actions.append_column(name, pa.array(facts[name]))
    return actions.append_column("promise_until", days_of(facts["promised_on"]))


def planned(actions: pa.Table, channel: str) -> pa.Table:
    """Each case as one contact with the debtor through `channel`, still to be made."""
    size = len(actions)
    actions = actions.append_column("action", pa.array([channel] * size, pa.string()))
    return actions.append_column("target", pa.array(["debtor"] * size, pa.string()))


def history_of(cases: pa.Table, contacts: pa.Table | None, at: int, rules: RuleBook) -> pa.Table:
    """Contacts that a count may still see, and those on record for later today; their lender is their own, else that
    of the account's case, else the borrower's."""
    names = ["account_id", "borrower_id", "at", "direction", "target", "answered", "conversation",
             "contact_point_token"]  # fmt: skip
    if contacts is None:
        return pa.table({"at": pa.nulls(0, STAMP), "action": pa.nulls(0, pa.string())})
    counts = [one for rule in rules.rules.values() for one in rule.checks if one.kind == "count"]
    window = max((one.params["days"] for one in counts), default=1)
    stamps = micros(contacts["at"], NEVER)
    recent = pa.array((stamps < at + 2 * DAY) & (stamps > at - (window + 2) * DAY))
    kept = contacts.filter(recent)
    kept = kept.filter(pc.is_in(kept["borrower_id"], cases["borrower_id"].combine_chunks()))
    own = kept["lender_id"] if "lender_id" in kept.column_names else pa.nulls(len(kept), pa.string())
    lender = pc.coalesce(
        own, *(cases["lender_id"].take(pc.index_in(kept[key], cases[key].combine_chunks())) for key in names[:2])
    )
    history = kept.select([name for name in names if name in kept.column_names])
    return history.append_column("action", kept["channel"]).append_column("lender_id", lender)


def first_lawful(
    actions: pa.Table, history: pa.Table, consents: pa.Table | None, at: int, jurisdiction: str, rules: RuleBook,
    said: pa.Table | None = None,
) -> tuple[IntArray, pa.Table]:  # fmt: skip
    """For each action the first instant from `at` on at which no rule speaks against it (NEVER if none is known).

    Each is put to the gate of contacts by itself, after all of `history`. Each rule says until when it holds, so the
    instant moves to the latest of those and is judged again, until nothing holds. said: what cases say (`SAID`).
    Returns the instants, and the answers at `at`.
    """
    actions = owned(actions)
    record = owned(with_consents(history, consents))
    gate = Gate(rules, jurisdiction, record, SAID.empty_table() if said is None else said)
    first = np.full(len(actions), at)
    waiting = np.arange(len(actions))
    now: pa.Table | None = None
    for _ in range(10):  # more rounds than there are rules that can follow one another; what is left is not lawful
        stamped = actions.take(pa.array(waiting)).append_column("at", pa.array(first[waiting]).cast(STAMP))
        answers = gate.spoken(with_consents(stamped, consents)).combine_chunks()
        now = answers if now is None else now
        row, held = held_back(answers)
        until = np.full(len(waiting), -1)
        np.maximum.at(until, row, ints_of(pc.fill_null(held.field("until").cast(pa.int64()), NEVER)))
        first[waiting] = np.maximum(first[waiting], until)
        waiting = waiting[(until >= 0) & (until < NEVER)]
        if not len(waiting):
            break
    first[waiting] = NEVER
    return first, now


def held_back(answers: pa.Table) -> tuple[IntArray, pa.StructArray]:
    """The findings that hold an action back (require and block), each with its row."""
    lists = answers["rules"].combine_chunks()
    findings, row = pc.list_flatten(lists), pc.list_parent_indices(lists)
    strict = pc.is_in(findings.field("effect"), pa.array(["require", "block"]))
    return ints_of(row.filter(strict)), findings.filter(strict)


def blocked_lists(treatments: Sequence[str], channels: Mapping[str, str], answers: Mapping[str, pa.Table]) -> pa.Array:
    """One list a case of what may not be done now, by treatment and rule.

    channels: treatment -> the action that the law is asked of. answers: action -> its answers, one a case.
    """
    size = len(next(iter(answers.values())))
    rows, kinds, found = [], [], []
    for name, channel in channels.items():
        row, held = held_back(answers[channel])
        rows.append(row)
        kinds.append(np.full(len(row), treatments.index(name)))
        found.append(held)
    row, kind, held = np.concatenate(rows), np.concatenate(kinds), pa.concat_arrays(found)
    order = np.lexsort((kind, row))
    held = held.take(pa.array(order))
    structs = pa.StructArray.from_arrays(
        [
            pa.array(treatments).take(pa.array(kind[order])),
            held.field("id"),
            held.field("citation"),
            held.field("until"),
        ],
        fields=list(BLOCKED.value_type),
    )
    offsets = np.searchsorted(row[order], np.arange(size + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=BLOCKED)


def days_of(days: IntArray) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=days == 0).cast(pa.date32())
