"""Overdue on several lines at once: how far it has spread over a borrower's lenders, and how fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES
from evenkeel.kernel.text import texts
from evenkeel.measures.roll import BoolArray, IntArray
from evenkeel.portfolio.rows import Rows, ratio

MANY = 5  # lenders or lines from here on are told together
LATE_MONTHS = 12  # and so are months from one line to the next


def cross_platform(rows: Rows, owner: IntArray, lines: pa.Table) -> dict[str, Any] | None:
    """Part `cross_platform` of portfolio.json; None where no borrower has more than one line.

    owner: (accounts,) place of each account's borrower. lines: LINES_SCHEMA, own and outside lines at the last month.
    """
    borrower = _codes(lines["borrower_id"])
    size = int(borrower.max(initial=-1)) + 1
    held = np.bincount(borrower, minlength=size)
    if held.max(initial=0) < 2:
        return None
    late = pc.fill_null(pc.is_in(lines["state"], pa.array(STATE_NAMES[1:8])), False).to_numpy().astype(np.bool_)
    overdue = np.bincount(borrower[late], minlength=size)
    lender = _codes(lines["lender_id"])
    pairs = np.unique(borrower * (int(lender.max()) + 1) + lender)
    lenders = np.bincount(pairs // (int(lender.max()) + 1), minlength=size)
    anywhere = overdue > 0
    several = anywhere & (held > 1)
    total = int(anywhere.sum())
    return {
        "borrowers": size,
        "borrowers_by_lenders": [
            {
                "lenders": name,
                "borrowers": int(of.sum()),
                "overdue_borrowers": int((of & anywhere).sum()),
                "overdue_share": ratio((of & anywhere).sum(), of.sum()),
            }
            for name, of in _classes(lenders)
        ],
        "overdue_borrowers": total,
        "overdue_on": [
            {"lines": name, "borrowers": int(of.sum()), "share": ratio(of.sum(), total)}
            for name, of in _classes(overdue)
        ],
        "overdue_on_2_plus_share": ratio((overdue >= 2).sum(), total),
        "overdue_on_3_plus_share": ratio((overdue >= 3).sum(), total),
        "overdue_borrowers_with_2_lines": int(several.sum()),
        "overdue_on_all_share": ratio((several & (overdue == held)).sum(), several.sum()),
        "months_first_to_next": _first_to_next(rows, owner),
    }


def _codes(column: pa.ChunkedArray) -> IntArray:
    codes: IntArray = column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def _classes(numbers: IntArray) -> list[tuple[int | str, BoolArray]]:
    """1, 2, ... and the last class open, each with the members it has."""
    classes: list[tuple[int | str, BoolArray]] = [(number, numbers == number) for number in range(1, MANY)]
    return [*classes, (f"{MANY}+", numbers >= MANY)]


def spread(account: IntArray, borrower: IntArray, month: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Episodes of arrears of borrowers, and when the second line followed the first in each.

    account, borrower, month: (r,) of each overdue account-month, in any order.
    An episode is a run of months in each of which some line of the borrower is overdue.
    Returns (episodes,) arrays: borrower, first month, last month, and months from the first line to the next (-1 where
    no other line followed).
    """
    order = np.lexsort((account, month, borrower))
    account, borrower, month = account[order], borrower[order], month[order]
    fresh = np.ones(len(month), np.bool_)
    fresh[1:] = (borrower[1:] != borrower[:-1]) | (month[1:] > month[:-1] + 1)
    start = np.flatnonzero(fresh)
    stop = np.append(start[1:], len(month)) - 1 if len(start) else start
    # The second line is the first row of its episode whose account is another than that of the first row.
    episode = np.cumsum(fresh) - 1
    other = np.flatnonzero(account != account[start][episode])
    reached, place = np.unique(episode[other], return_index=True)
    gap = np.full(len(start), -1, np.int64)
    gap[reached] = month[other[place]] - month[start][reached]
    return borrower[start], month[start], month[stop], gap


def _first_to_next(rows: Rows, owner: IntArray) -> dict[str, Any] | None:
    """Months from a borrower's first overdue line to the next; None where no borrower has two own accounts."""
    start = np.flatnonzero(np.diff(rows.account, prepend=-1))
    stop = np.append(start[1:], len(rows.account)) - 1
    holder = owner[rows.account[start]]
    if np.bincount(holder).max(initial=0) < 2:
        return None
    late = np.flatnonzero((rows.state >= 1) & (rows.state <= 7))
    account, month = rows.account[late].astype(np.int64), rows.month[late].astype(np.int64)
    borrower, begin, end, gap = spread(account, owner[account], month)
    # A line counts as there in an episode if it was on file in any month of it.
    key, width = holder * (rows.months + 1), rows.months + 1
    began = np.searchsorted(np.sort(key + rows.month[start]), borrower * width + end, side="right")
    ended = np.searchsorted(np.sort(key + rows.month[stop]), borrower * width + begin, side="left")
    # An episode that is already there in the first month on file began at a time that is not known.
    counted = (began - ended >= 2) & (begin > 0)
    months = gap[counted & (gap >= 0)]
    bars = np.bincount(np.minimum(months, LATE_MONTHS), minlength=LATE_MONTHS + 1)
    return {
        "spells": int(counted.sum()),
        "spells_with_next": len(months),
        "median": float(np.median(months)) if len(months) else None,
        "mean": float(months.mean()) if len(months) else None,
        "histogram": [
            {"months": place if place < LATE_MONTHS else f"{LATE_MONTHS}+", "spells": int(bar)}
            for place, bar in enumerate(bars)
        ],
        "definition": texts("en")("portfolio.overlap.spell"),
    }
