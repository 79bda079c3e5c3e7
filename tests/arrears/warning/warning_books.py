"""Bare books for the tests of the warning."""

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from evenkeel.accounts.panel import Panel, build_panel
from evenkeel.book.generator.columns import contract_table
from evenkeel.kernel.calendar import month_text

Tables = Mapping[str, pa.Table]
FIRST = 2023 * 12  # January 2023


def panel_of(tables: Tables, as_of: date) -> Panel:
    return build_panel(tables, (as_of - date(1970, 1, 1)).days, "Asia/Shanghai")


def book_of(states: Mapping[str, list[str | None]]) -> dict[str, pa.Table]:
    """A bare book: accounts named `borrower-line`, each with a state a month from January 2023 on; None is off book."""
    ids = sorted(states)
    rows = [(a, month, state) for a in ids for month, state in enumerate(states[a]) if state is not None]
    accounts = {
        "account_id": pa.array(ids), "borrower_id": pa.array([a.split("-")[0] for a in ids]),
        "lender_id": pa.array(["bank"] * len(ids)), "product": pa.array(["card"] * len(ids)),
    }  # fmt: skip
    periods = {
        "account_id": pa.array([a for a, _, _ in rows]),
        "month": pa.array([month_text(FIRST + month) for _, month, _ in rows]),
        "state": pa.array([state for _, _, state in rows]),
    }
    return {
        "accounts": contract_table("accounts", len(ids), accounts),
        "periods": contract_table("periods", len(rows), periods),
    }
