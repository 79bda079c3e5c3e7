"""Small tables for the tests of assessment: applications and the facts around them, written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

DAY0 = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)
_TOKENS = ("device", "phone", "address", "employer")
INSTANT = pa.timestamp("us", tz="UTC")

_APPLICATIONS = pa.schema(
    [
        ("application_id", pa.string()), ("borrower_id", pa.string()), ("lender_id", pa.string()),
        ("product", pa.string()), ("requested_minor", pa.int64()), ("submitted_at", INSTANT),
        ("income_declared_minor", pa.int64()), ("employer_token", pa.string()), ("address_token", pa.string()),
        ("device_token", pa.string()), ("phone_token", pa.string()), ("contact_tokens", pa.list_(pa.string())),
        ("decided_at", INSTANT), ("bad", pa.bool_()), ("bad_as_of", pa.date32()),
    ]
)  # fmt: skip


def at(days: float) -> datetime:
    """So many days after 1 March 2024, 09:00 UTC."""
    return DAY0 + timedelta(days=days)


def asked(borrower: str, days: float, **facts: object) -> dict[str, object]:
    """An application of a borrower; what is not said is null. device, phone, address, employer: their tokens."""
    named = {f"{name}_token" if name in _TOKENS else name: value for name, value in facts.items()}
    return {"borrower_id": borrower, "submitted_at": at(days), **named}


def applications(*rows: dict[str, object], **columns: pa.Array) -> pa.Table:
    """Rows of `asked`; ids q0, q1, ... in the order given; further columns such as x_lines_declared beside them."""
    full = [{"application_id": f"q{place}", "product": "card", "requested_minor": 1_000_000} | row
            for place, row in enumerate(rows)]  # fmt: skip
    table = pa.Table.from_pylist(full, schema=_APPLICATIONS)
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def people(*rows: dict[str, object]) -> pa.Table:
    schema = pa.schema(
        [("borrower_id", pa.string()), ("birth_date", pa.date32()), ("region", pa.string()), ("industry", pa.string()),
         ("occupation", pa.string()), ("income_declared_minor", pa.int64()), ("income_verified_minor", pa.int64()),
         ("created_on", pa.date32())]
    )  # fmt: skip
    return pa.Table.from_pylist(list(rows), schema=schema)


def events(*rows: tuple[str, str, float, float, int | None]) -> pa.Table:
    """(kind, borrower, day it happened, day it was booked, amount)."""
    return pa.table(
        {
            "event_id": pa.array([f"e{place}" for place in range(len(rows))], pa.string()),
            "kind": pa.array([row[0] for row in rows], pa.string()),
            "borrower_id": pa.array([row[1] for row in rows], pa.string()),
            "effective_at": pa.array([at(row[2]) for row in rows], INSTANT),
            "booked_at": pa.array([at(row[3]) for row in rows], INSTANT),
            "amount_minor": pa.array([row[4] for row in rows], pa.int64()),
        }
    )


def checks(*rows: tuple[str, str, str, float]) -> pa.Table:
    """(borrower, kind, result, day)."""
    return pa.table(
        {
            "check_id": pa.array([f"c{place}" for place in range(len(rows))], pa.string()),
            "borrower_id": pa.array([row[0] for row in rows], pa.string()),
            "kind": pa.array([row[1] for row in rows], pa.string()),
            "result": pa.array([row[2] for row in rows], pa.string()),
            "checked_at": pa.array([at(row[3]) for row in rows], INSTANT),
        }
    )


def accounts(*rows: dict[str, object]) -> pa.Table:
    schema = pa.schema(
        [("account_id", pa.string()), ("borrower_id", pa.string()), ("lender_id", pa.string()),
         ("product", pa.string()), ("opened_on", pa.date32()), ("closed_on", pa.date32()), ("status", pa.string()),
         ("limit_minor", pa.int64()), ("principal_minor", pa.int64())]
    )  # fmt: skip
    return pa.Table.from_pylist(list(rows), schema=schema)


def periods(*rows: tuple[str, str, int | None, int | None, int | None, int | None]) -> pa.Table:
    """(account, month, balance, limit, least payment, days past due)."""
    names = ("account_id", "month", "balance_minor", "limit_minor", "min_due_minor", "dpd_high")
    types = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.int64())
    return pa.table(
        {
            name: pa.array([row[place] for row in rows], kind)
            for place, (name, kind) in enumerate(zip(names, types, strict=True))
        }
    )


def day(text: str) -> date:
    return date.fromisoformat(text)
