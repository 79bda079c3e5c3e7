"""Small books in memory, for tests of the rooms between the book and the loop."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.accounts.panel import STATE_NAMES, Panel, build_panel
from evenkeel.book.contract import TABLES
from evenkeel.kernel.calendar import month_end, month_number, month_text

ZONE = "Asia/Shanghai"
JANUARY = month_number("2023-01")


def table(name: str, rows: Iterable[Mapping[str, Any]], extra: pa.Schema | None = None) -> pa.Table:
    """Rows as a table of the contract; a column that a row does not name is null."""
    schema = TABLES[name].schema()
    return pa.Table.from_pylist([dict(row) for row in rows], pa.schema([*schema, *(extra or ())]))


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def panel_of(tables: Mapping[str, pa.Table], as_of: date) -> Panel:
    """The month table of a book as of a day."""
    return build_panel(tables, day_number(as_of), ZONE)


def accounts_of(ids: Iterable[str], **facts: Any) -> pa.Table:
    """Cards of a lender, each of its own borrower, with the same facts."""
    return table(
        "accounts",
        [
            {"account_id": name, "borrower_id": f"b-{name}", "lender_id": "own", "product": "card"} | facts
            for name in ids
        ],
    )


def random_book(seed: int, accounts: int = 12, months: int = 16, *, holes: bool = True) -> dict[str, pa.Table]:
    """Histories of every state with late starts, early ends, and (holes) missing months and missing facts."""
    rng = np.random.default_rng(seed)
    ids = [f"a{place:05d}" for place in range(accounts)]
    rows = []
    for name in ids:
        first = int(rng.integers(0, months // 2))
        last = months if rng.random() < 0.7 else int(rng.integers(first + 1, months + 1))
        limit = int(rng.integers(0, 6)) * 100_000
        state = 0
        for step in range(first, last):
            if holes and step > first and rng.random() < 0.1:
                continue
            state = int(np.clip(state + rng.choice([-2, -1, 0, 0, 1]), 0, 7))
            shown = 8 if rng.random() < 0.1 else state

            def fact(value: int) -> int | None:
                return None if holes and rng.random() < 0.15 else value

            rows.append(
                {
                    "account_id": name,
                    "month": month_text(JANUARY + step),
                    "balance_minor": fact(int(rng.integers(-20_000, 500_000))),
                    "limit_minor": fact(limit),
                    "spend_minor": fact(int(rng.integers(0, 90_000))),
                    "cash_minor": fact(int(rng.integers(0, 3)) * 10_000),
                    "paid_minor": fact(int(rng.choice([0, 0, 500, 20_000, 200_000]))),
                    "min_due_minor": fact(int(rng.integers(0, 30_000))),
                    "interest_minor": fact(int(rng.integers(0, 5_000))),
                    "fee_minor": fact(int(rng.integers(0, 2_000))),
                    "dpd_low": None if shown == 8 else max(30 * (shown - 1) + 1, 0) if shown else 0,
                    "dpd_high": None if shown == 8 else 30 * shown,
                    "state": None if holes and rng.random() < 0.1 else STATE_NAMES[shown],
                }
            )
    return {"accounts": accounts_of(ids), "periods": table("periods", rows)}


def end_of(step: int) -> date:
    """The last day of the month `step` months after January 2023."""
    return month_end(JANUARY + step)


def shuffled(contents: pa.Table, seed: int) -> pa.Table:
    """The same rows in another order."""
    return contents.take(pa.array(np.random.default_rng(seed).permutation(contents.num_rows)))
