"""Small books with a past, and their figures counted one fact after the other, as a person would with a pencil."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.accounts.panel import build_panel
from evenkeel.arrears.treatments.history import History, history_of_book
from evenkeel.book.contract import TABLES

START = (2024, 1)


def month(place: int) -> tuple[int, int]:
    """Year and month, so many months after the first."""
    return START[0] + (START[1] - 1 + place) // 12, (START[1] - 1 + place) % 12 + 1


def last_day(place: int) -> date:
    year, number = month(place)
    return date(year, number, monthrange(year, number)[1])


def name(place: int) -> str:
    year, number = month(place)
    return f"{year:04d}-{number:02d}"


def table(kind: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table of the contract, with every column of it."""
    return pa.Table.from_pylist(rows, TABLES[kind].schema()) if rows else TABLES[kind].schema().empty_table()


def past(size: int, months: int, seed: int, balances: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Rows of a book in which accounts come, fall behind, recover, pay, promise and go."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {"accounts": [], "periods": [], "payments": [], "contacts": []}
    for account in range(size):
        rows["accounts"].append(
            {"account_id": f"a{account:03d}", "borrower_id": f"b{account:03d}", "lender_id": "k",
             "product": ("card", "cash")[account % 2], "servicer_id": (None, "out")[account % 3 == 0],
             "opened_on": date(2023, 1, 1)}
        )  # fmt: skip
        state, begins, ends = 0, int(rng.integers(0, 2)), months - int(rng.integers(0, 3) == 0)
        for place in range(begins, ends):
            worse, luck = rng.random(), rng.random()
            state = 0 if luck < 0.4 else min(state + 1, 7) if worse < 0.5 else state
            rows["periods"].append(
                {"account_id": f"a{account:03d}", "month": name(place), "on_book": True,
                 "balance_minor": int(rng.integers(0, 9) * 1000) if balances else None,
                 "dpd_low": 30 * state - 29 if state else 0, "dpd_high": 30 * state - 1 if state else 0,
                 "state": f"M{state}"}
            )  # fmt: skip
        for place in range(months):
            year, number = month(place)
            for _ in range(int(rng.integers(0, 3))):
                at = datetime(year, number, int(rng.integers(1, monthrange(year, number)[1] + 1)), 3, tzinfo=UTC)
                rows["payments"].append(
                    {"payment_id": f"p{len(rows['payments'])}", "account_id": f"a{account:03d}", "paid_at": at,
                     "booked_at": at + timedelta(hours=2), "amount_minor": int(rng.integers(1, 900)),
                     "result": ("ok", "failed", None)[int(rng.integers(0, 6) > 3) + int(rng.integers(0, 9) > 7)]}
                )  # fmt: skip
            if rng.random() < 0.4:
                at = datetime(year, number, int(rng.integers(1, 25)), 5, tzinfo=UTC)
                promises = rng.random() < 0.7
                rows["contacts"].append(
                    {"contact_id": f"c{len(rows['contacts'])}", "borrower_id": f"b{account:03d}",
                     "account_id": f"a{account:03d}", "at": at, "channel": "call",
                     "actor_id": ("ann", "bo", None)[int(rng.integers(0, 3))],
                     "promised_on": (at + timedelta(days=int(rng.integers(0, 20)))).date() if promises else None,
                     "promised_minor": int(rng.integers(1, 900)) if promises and rng.random() < 0.7 else None}
                )  # fmt: skip
    return rows


def history(rows: dict[str, list[dict[str, Any]]], as_of: date) -> tuple[History, dict[str, pa.Table]]:
    """The history of such a book, in a zone in which a day is a day of UTC."""
    tables = {kind: table(kind, found) for kind, found in rows.items() if found}
    panel = build_panel(tables, (as_of - date(1970, 1, 1)).days, "UTC")
    return history_of_book(panel, tables, as_of, "UTC"), tables


def states(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], int]:
    """(account, month) -> bucket."""
    return {(one["account_id"], one["month"]): int(one["state"][1]) for one in rows["periods"]}


def owed(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], int | None]:
    return {(one["account_id"], one["month"]): one["balance_minor"] for one in rows["periods"]}


def came(rows: dict[str, list[dict[str, Any]]]) -> list[tuple[str, date, int]]:
    """(account, day, amount) of what really came."""
    return [
        (one["account_id"], one["paid_at"].date(), one["amount_minor"])
        for one in rows["payments"]
        if one["result"] in ("ok", None)
    ]
