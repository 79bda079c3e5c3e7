"""A book as it was known on an earlier day: the facts that had happened and were booked by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.contract import TABLES, Kind
from evenkeel.book.model import Book
from evenkeel.kernel.calendar import month_end, month_of, month_text


def known_on(book: Book, day: date, zone: str) -> Book:
    """The book without what happened, or was booked, after `day`.

    A month counts once it has ended. Of an account that ended later, the end and the status that came with it are not
    yet known. Columns that describe a person or a line, without a time of their own, are taken as they stand.
    """
    last = month_of(day) if month_end(month_of(day)) <= day else month_of(day) - 1
    tables = {name: _cut(name, table, day, last, zone) for name, table in book.tables.items()}
    tables["accounts"] = _accounts(tables["accounts"], day)
    kept = tables["accounts"]["account_id"]
    for name in ("periods", "instalments", "payments", "outcomes"):
        if name in tables:
            tables[name] = tables[name].filter(pc.is_in(tables[name]["account_id"], kept))
    return replace(book, manifest=replace(book.manifest, as_of=day), tables=_filled(tables))


# The column that says when a row of the table came to be known; other dates of the row may lie before it.
_TIMES: Mapping[str, tuple[str, ...]] = {
    "accounts": ("opened_on",),
    "periods": ("month",),
    "payments": ("paid_at", "booked_at"),
    "applications": ("submitted_at",),
    "identity_checks": ("checked_at",),
    "tradelines": ("as_of",),
    "events": ("effective_at", "booked_at"),
    "contacts": ("at",),
    "consents": ("given_at",),
    "complaints": ("at",),
    "recoveries": ("at",),
    "outcomes": ("known_on",),
    "macro": ("month",),
}


def _cut(name: str, table: pa.Table, day: date, last_month: int, zone: str) -> pa.Table:
    for column in _TIMES.get(name, ()):
        kind = TABLES[name].by_name[column].kind
        values = table[column]
        if kind is Kind.MONTH:
            known = pc.less_equal(values, month_text(last_month))
        elif kind is Kind.INSTANT:
            local = pc.local_timestamp(values.cast(pa.timestamp("us", tz=zone))).cast(pa.date32(), safe=False)
            known = pc.less_equal(local, pa.scalar(day))
        else:
            known = pc.less_equal(values, pa.scalar(day))
        table = table.filter(pc.fill_null(known, True))
    return table


def _accounts(accounts: pa.Table, day: date) -> pa.Table:
    """An account that ends later is open, and its last status is not known yet."""
    open_yet = pc.fill_null(pc.greater(accounts["closed_on"], pa.scalar(day)), False)
    ended = pc.is_in(accounts["status"], pa.array(["closed", "charged_off", "sold"]))
    undated = pc.and_(ended, pc.is_null(accounts["closed_on"]))
    status = pc.if_else(pc.or_(open_yet, undated), pa.scalar(None, pa.string()), accounts["status"])
    closed = pc.if_else(open_yet, pa.scalar(None, pa.date32()), accounts["closed_on"])
    names = accounts.column_names
    return accounts.set_column(names.index("status"), "status", status).set_column(
        names.index("closed_on"), "closed_on", closed
    )


def _filled(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: table for name, table in tables.items() if table.num_rows or name == "accounts"}
