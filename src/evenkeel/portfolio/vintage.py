"""Vintage curves: of the accounts opened in a month, the share that has ever been 31 days past due by month on book."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.text import texts
from evenkeel.measures.roll import FloatArray, IntArray
from evenkeel.portfolio.rows import Rows, plain

BAD_FROM = 2  # M2: 31 days past due or more
THRESHOLD_DPD = 31
MONTHLY = 24  # more months of opening than these are drawn by quarter


def ever_bad(
    opened: IntArray, first_bad: IntArray, group: IntArray, groups: int, last: int
) -> tuple[IntArray, FloatArray]:
    """(accounts, share ever bad by month on book) of each group; NaN until its youngest account is there.

    opened, first_bad, group: (a,) month of opening, month of the first bad state (-1 never), group 0..groups-1.
    last: the last month observed. Returns (groups,) and (groups, longest history) arrays.
    """
    size = np.bincount(group, minlength=groups)
    length = int(last - opened.min()) + 1
    bad = first_bad >= 0
    hits = np.zeros((groups, length), np.int64)
    np.add.at(hits, (group[bad], first_bad[bad] - opened[bad]), 1)
    youngest = np.zeros(groups, np.int64)
    np.maximum.at(youngest, group, opened)
    mature = youngest[:, None] + np.arange(length) <= last
    return size, np.where(mature, hits.cumsum(axis=1) / size[:, None], np.nan)


def vintage(rows: Rows, opened_on: pa.ChunkedArray) -> dict[str, Any] | None:
    """Part `vintage` of portfolio.json; None where no account was opened within the months on file.

    opened_on: month number of opening of each account of the panel, null unknown.
    """
    start = np.flatnonzero(np.diff(rows.account, prepend=-1))  # each seen account's first row
    seen = rows.account[start]
    first = rows.month[start].astype(np.int64)
    told = opened_on.take(pa.array(seen))
    given = told.is_valid().to_numpy()
    opened = np.minimum(first, np.where(given, told.fill_null(0).to_numpy().astype(np.int64) - rows.first_month, first))
    # Opened before the file begins, or there in its first month with no day of opening: what came before is not known.
    whole = np.where(given, opened >= 0, opened > 0)
    if not whole.any():
        return None
    first_bad = np.full(len(seen), -1, np.int64)
    bad = np.flatnonzero((rows.state >= BAD_FROM) & (rows.state <= 7))
    owner, place = np.unique(rows.account[bad], return_index=True)
    first_bad[np.searchsorted(seen, owner)] = rows.month[bad[place]]
    opened, first_bad, given = opened[whole], first_bad[whole], given[whole]
    quarterly = opened.max() - opened.min() >= MONTHLY
    period = (opened + rows.first_month) // 3 if quarterly else opened + rows.first_month
    periods, group = np.unique(period, return_inverse=True)
    size, shares = ever_bad(opened, first_bad, group, len(periods), rows.months - 1)
    return {
        "definition": _definition(given.all(), given.any(), quarterly, int(len(whole) - whole.sum())),
        "curves": [
            {"vintage": _name(int(name), quarterly), "accounts": int(count), "values": plain(values)}
            for name, count, values in zip(periods, size, shares.tolist(), strict=True)
        ],
    }


def _definition(all_given: bool, any_given: bool, quarterly: bool, left_out: int) -> dict[str, Any]:
    text = texts("en")
    opened = "opened_on" if all_given else "opened_on, else first month on file" if any_given else "first month on file"
    return {
        "mob": "calendar",
        "state": "ever",
        "threshold_dpd": THRESHOLD_DPD,
        "unit": "accounts",
        "denominator": text("portfolio.vintage.denominator"),
        "opened": opened,
        "period": "quarter" if quarterly else "month",
        "immature": text("portfolio.vintage.immature"),
        "left_out_accounts": left_out,
        "left_out": text("portfolio.vintage.left_out"),
    }


def _name(period: int, quarterly: bool) -> str:
    return f"{period // 4:04d}-Q{period % 4 + 1}" if quarterly else month_text(period)
