"""What is on record of borrowers beside their book: contacts of today, and what cases and conversations say.

The book tells what was known on its day; a day is planned after it. What was asked for, promised, disputed or refused
since then counts as if the book told it, and what cases say (a wrong number, a representative, insolvency, who may
collect, which channels suit) holds against every contact as it does where one is asked for live.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.standing import EVENTS

_STAMP = pa.timestamp("us", tz="UTC")
_CONSENTS = ("consent_given", "consent_withdrawn")
_EVENTS = [kind for kind in EVENTS if kind not in _CONSENTS]
_OF_ALL = ("plan_signed", "plan_broken", "plan_completed")  # a plan binds every creditor
_EVENT = pa.schema(
    [
        ("kind", pa.string()), ("borrower_id", pa.string()), ("account_id", pa.string()), ("effective_at", _STAMP),
        ("booked_at", _STAMP), ("payload", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Live:
    """contacts: rows as `contacts.bulk.RECORD`, with contact_id. said: rows of `contacts.standing.SAID`."""

    contacts: pa.Table
    said: pa.Table

    @property
    def bars(self) -> pa.Table:
        """What the law is told beside the facts of the book: all that cases say, and consents."""
        return self.said.filter(pc.invert(pc.is_in(self.said["kind"], pa.array(_EVENTS))))


def with_live(tables: Mapping[str, pa.Table], live: Live, cases: pa.Table) -> dict[str, pa.Table]:
    """Tables of a book (CONTRACT 2) with the contacts and events on record; a contact that both tell counts once.

    cases: account_id, borrower_id, lender_id. What was said to a lender is about the accounts that it has.
    """
    known = dict(tables)
    contacts = live.contacts.rename_columns({"action": "channel"})
    told = known.get("contacts")
    if told is not None:
        contacts = contacts.filter(pc.invert(pc.is_in(contacts["contact_id"], told["contact_id"].combine_chunks())))
    known["contacts"] = _joined(told, contacts)
    said = live.said.filter(pc.is_in(live.said["kind"], pa.array(_EVENTS)))
    events = pa.Table.from_pylist([*_events(said, cases)], _EVENT)
    known["events"] = _joined(known.get("events"), events)
    return known


def _events(said: pa.Table, cases: pa.Table) -> Iterator[dict[str, Any]]:
    """What was said as events: of each account of the lender it was said to, or of the borrower as a whole."""
    accounts: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for one in cases.select(["borrower_id", "lender_id", "account_id"]).to_pylist():
        accounts[one["borrower_id"], one["lender_id"] or ""].append(one["account_id"])
    for row in said.to_pylist():
        told = {"promised_on": row["promised_on"] and row["promised_on"].isoformat(), "name": row["subject"]}
        about: list[str | None] = [row["account_id"]]
        if row["kind"] in _OF_ALL or (row["account_id"] is None and not row["lender_id"]):
            about = [None]
        elif row["account_id"] is None:
            about = accounts[row["borrower_id"], row["lender_id"]]
        for account in about:
            yield {
                "kind": row["kind"], "borrower_id": row["borrower_id"], "account_id": account,
                "effective_at": row["at"], "booked_at": row["at"], "payload": json.dumps(told),
            }  # fmt: skip


def _joined(told: pa.Table | None, more: pa.Table) -> pa.Table:
    """Rows more, with the types of the table that they come to."""
    if told is None:
        return more
    kinds = {field.name: field.type for field in told.schema}
    cast = [more[name].cast(kinds.get(name, more[name].type)) for name in more.column_names]
    return pa.concat_tables([told, pa.table(cast, names=more.column_names)], promote_options="default")
