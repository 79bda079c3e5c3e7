"""What a borrower's record said at a month's end: dated facts summed over windows, incomes, the economy.

A fact stands in the month in which it became known (the later of its day and `booked_at`); a month's macro figures
are published after it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, day_months, month_numbers

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MONTH_BITS = 16  # a month number fits into these bits of a key


class Ledger:
    """Dated amounts of borrowers, summed over any window of months. A fact stands in the month it became known."""

    def __init__(self, owner: IntArray, month: IntArray, amount: IntArray | None = None) -> None:
        known = owner >= 0
        key = (owner[known] << MONTH_BITS) + month[known]
        order = np.argsort(key, kind="stable")
        self._keys = key[order]
        amounts = np.ones(len(order), np.int64) if amount is None else amount[known][order]
        self._sums = np.concatenate(([0], np.cumsum(amounts)))

    def total(self, borrower: IntArray, month: IntArray, window: int | IntArray) -> IntArray:
        """Sum over the `window` months that end with `month`."""
        key = (borrower << MONTH_BITS) + month
        stop = np.searchsorted(self._keys, key, side="right")
        start = np.searchsorted(self._keys, key - window, side="right")
        result: IntArray = self._sums[stop] - self._sums[start]
        return result


def known_months(table: pa.Table, at: str) -> IntArray:
    """Month number in which each row was known: the later of `at` and booked_at where that is given; 0 if undated."""
    months = day_months(table[at])
    if "booked_at" in table.column_names:
        months = pc.max_element_wise(months, day_months(table["booked_at"]))
    result: IntArray = months.fill_null(0).to_numpy().astype(np.int64)
    return result


def places(ids: pa.ChunkedArray, among: pa.Array) -> IntArray:
    """Place of each id among others, -1 where it is not there."""
    result: IntArray = pc.index_in(ids.combine_chunks(), among).fill_null(-1).to_numpy().astype(np.int64)
    return result


def event_ledger(panel: Panel, events: pa.Table | None, *kinds: str, amounts: bool = False) -> Ledger | None:
    """Events of some kinds by borrower: counted, or their amounts added up; None where the book has no such event."""
    if events is None:
        return None
    rows = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    if amounts:
        rows = rows.filter(rows["amount_minor"].is_valid())
    if rows.num_rows == 0:
        return None
    amount = rows["amount_minor"].to_numpy().astype(np.int64) if amounts else None
    return Ledger(places(rows["borrower_id"], panel.borrowers), known_months(rows, "effective_at"), amount)


def ratio(top: FloatArray | IntArray, bottom: FloatArray | IntArray) -> FloatArray:
    """top / bottom, NaN where bottom is not above 0 or not known."""
    result: FloatArray = top / np.where(bottom > 0, bottom, np.nan)
    return result


def known_income(panel: Panel, tables: Mapping[str, pa.Table], borrower: IntArray, month: IntArray) -> FloatArray:
    """Income a month as known then: observed over six months where it shows, else verified, else declared."""
    income = np.full(len(borrower), np.nan)
    if "borrowers" in tables:
        people = tables["borrowers"]
        row = pc.index_in(panel.borrowers.take(pa.array(borrower)), people["borrower_id"].combine_chunks())
        stated = pc.coalesce(people["income_verified_minor"], people["income_declared_minor"])
        income = np.asarray(stated.take(row).cast(pa.float64()).to_numpy(), np.float64)
    paid_in = event_ledger(panel, tables.get("events"), "income", "deposit", amounts=True)
    if paid_in is None:
        return income
    months = np.clip(month - int(panel.month.min()) + 1, 1, 6)
    seen = paid_in.total(borrower, month, 6) / months
    return np.where(seen > 0, seen, income)


class Economy:
    """A column of `macro` by borrower and month: of region and industry where that is given, else of the region."""

    def __init__(self, panel: Panel, tables: Mapping[str, pa.Table], name: str) -> None:
        people, macro = tables["borrowers"], tables["macro"]
        macro = macro.filter(macro[name].is_valid())
        row = pc.index_in(panel.borrowers, people["borrower_id"].combine_chunks())
        region, industry = people["region"].combine_chunks().take(row), people["industry"].combine_chunks().take(row)
        blocks = pc.binary_join_element_wise(macro["region"], pc.fill_null(macro["industry"], ""), "\n")
        names = pc.unique(blocks).sort()
        months = month_numbers(macro["month"])
        self._first = int(months.min()) if len(months) else 0
        width = int(months.max()) - self._first + 1 if len(months) else 1
        self._values = np.full((len(names) + 1, width), np.nan)  # the last row: not known
        where = places(blocks, names)
        self._values[where, months - self._first] = macro[name].to_numpy().astype(np.float64)
        exact = pc.index_in(pc.binary_join_element_wise(region, pc.fill_null(industry, ""), "\n"), names)
        whole = pc.index_in(pc.binary_join_element_wise(region, "", "\n"), names)
        self.block = pc.fill_null(pc.coalesce(exact, whole), len(names)).to_numpy().astype(np.int64)

    def at(self, borrower: IntArray, month: IntArray) -> FloatArray:
        """Value of each borrower's block in a month; NaN where it is not known."""
        column = month - self._first
        inside = (column >= 0) & (column < self._values.shape[1])
        found: FloatArray = self._values[self.block[borrower], np.clip(column, 0, self._values.shape[1] - 1)]
        return np.where(inside, found, np.nan)
