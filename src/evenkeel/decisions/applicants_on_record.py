"""Applicants on record, as a whole: their tokens made again from the journal, and what is usual among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from evenkeel.decisions.assessment.assess import Norms, learn_norms
from evenkeel.decisions.assessment.income import GROUPS
from evenkeel.decisions.engine.applying import uses_on_record
from evenkeel.decisions.engine.happenings import APPLICATION, EVENT, Fact
from evenkeel.kernel.errors import NotFound
from evenkeel.storage.database import POSTINGS_LOCK
from evenkeel.storage.tables import application_token, artefact, journal
from evenkeel.storage.vault import ERASED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 10_000
_INSTANT, _TEXT, _WHOLE = pa.timestamp("us", "UTC"), pa.string(), pa.int64()
_TOKENS = ("employer_token", "address_token", "phone_token")
_APPLICATIONS = pa.schema(
    [
        ("application_id", _TEXT), ("borrower_id", _TEXT), ("lender_id", _TEXT), ("product", _TEXT),
        ("requested_minor", _WHOLE), ("submitted_at", _INSTANT), ("income_declared_minor", _WHOLE),
        *((name, _TEXT) for name in _TOKENS), ("device_token", _TEXT), ("contact_tokens", pa.list_(_TEXT)),
        ("x_dependants", _WHOLE), ("x_lines_declared", _WHOLE),
    ]
)  # fmt: skip
_EVENTS = pa.schema(
    [("kind", _TEXT), ("borrower_id", _TEXT), ("effective_at", _INSTANT), ("booked_at", _INSTANT),
     ("amount_minor", _WHOLE)]
)  # fmt: skip
_PEOPLE = pa.schema([("borrower_id", _TEXT), *((name, _TEXT) for name in GROUPS), ("income_verified_minor", _WHOLE)])


def norms_on_record(connection: Connection, zone: str) -> Norms:
    """What is usual among the applications of the journal, without labels; USUAL where there are none."""
    return learn_norms(tables_on_record(connection), zone)


def keep_norms(connection: Connection, norms: Norms) -> None:
    """Keep norms with the record, under their version."""
    row = {"version": norms.version, "kind": "norms", "content": json.dumps(norms.document())}
    connection.execute(insert(artefact).values(**row).on_conflict_do_nothing())


def kept_norms(connection: Connection, version: str) -> Norms:
    """Norms on record. Raises NotFound."""
    query = sa.select(artefact.c.content).where(artefact.c.version == version, artefact.c.kind == "norms")
    content: str | None = connection.execute(query).scalar()
    if content is None:
        raise NotFound(f"There are no {version} on record.", "`evenkeel norms` learns them and tells their version.")
    return Norms.from_document(json.loads(content))


def tables_on_record(connection: Connection) -> dict[str, pa.Table]:
    """applications, borrowers and events of the contract, as far as the journal has them."""
    applications, events = [], []
    people: dict[str, dict[str, object]] = {}
    for row in _facts(connection, (APPLICATION, EVENT + "income", EVENT + "deposit")):
        payload = row.payload
        if row.kind != APPLICATION:
            events.append({"kind": row.kind[len(EVENT) :], "borrower_id": row.borrower_id,
                           "effective_at": row.effective_at, "booked_at": row.booked_at,
                           "amount_minor": payload.get("amount_minor")})  # fmt: skip
            continue
        declared, fields = payload.get("declared") or {}, payload["fields"]
        applications.append({
            "application_id": payload["decision_id"], "borrower_id": row.borrower_id,
            "lender_id": payload["lender_id"], "product": fields["product"],
            "requested_minor": payload["amount_minor"], "submitted_at": row.effective_at,
            "income_declared_minor": declared.get("income_declared_minor"),
            **{name: declared.get(name) for name in _TOKENS}, "device_token": fields.get("device_token"),
            "contact_tokens": declared.get("contact_tokens"), "x_dependants": declared.get("dependants"),
            "x_lines_declared": declared.get("lines_declared"),
        })  # fmt: skip
        person = people.setdefault(row.borrower_id, {"borrower_id": row.borrower_id})
        person |= {name: declared[name] for name in GROUPS if name in declared}
    return {
        "applications": pa.Table.from_pylist(applications, schema=_APPLICATIONS),
        "borrowers": pa.Table.from_pylist(list(people.values()), schema=_PEOPLE),
        "events": pa.Table.from_pylist(events, schema=_EVENTS),
    }


def rebuild_tokens(connection: Connection) -> int:
    """Make `application_token` again from the journal, without who was erased; how many rows.

    Nothing is decided until the caller commits.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTINGS_LOCK, 0)))
    connection.execute(sa.delete(application_token))
    erased = set(connection.execute(sa.select(journal.c.borrower_id).where(journal.c.kind == ERASED)).scalars())
    rows = []
    count = 0
    for row in _facts(connection, (APPLICATION,)):
        if row.borrower_id in erased:
            continue
        at_us = int((row.effective_at - _EPOCH).total_seconds()) * 1_000_000 + row.effective_at.microsecond
        fact = Fact(row.seq, row.event_id, row.kind, None, at_us, at_us, None, row.payload)
        for use in uses_on_record(fact, row.borrower_id):
            rows.append({
                "kind": use.kind, "token": use.token, "at_us": use.at_us, "borrower_id": use.borrower_id,
                "application_id": row.payload["decision_id"], "address": use.address, "income_minor": use.income,
                "seen_minor": use.seen, "usual_minor": use.usual,
            })  # fmt: skip
        if len(rows) >= _PAGE:
            connection.execute(sa.insert(application_token), rows)
            count, rows = count + len(rows), []
    if rows:
        connection.execute(sa.insert(application_token), rows)
    return count + len(rows)


def _facts(connection: Connection, kinds: tuple[str, ...]) -> Iterator[Any]:
    """Rows of the journal of some kinds, in pages, without those reversed."""
    gone = sa.select(journal.c.reversal_of).where(journal.c.reversal_of.is_not(None))
    after = 0
    while True:
        query = sa.select(journal).where(
            journal.c.kind.in_(kinds), journal.c.seq > after, journal.c.reversal_of.is_(None),
            journal.c.event_id.not_in(gone),
        )  # fmt: skip
        page = connection.execute(query.order_by(journal.c.seq).limit(_PAGE)).all()
        if not page:
            return
        yield from page
        after = page[-1].seq
