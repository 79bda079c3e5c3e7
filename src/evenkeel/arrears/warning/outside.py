"""The same borrower's lines elsewhere, as the credit bureau had reported them by a month's end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, day_months
from evenkeel.arrears.warning.facts import Ledger, places, ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_EVER = 1 << 14  # months: a window that reaches back to any report


def outside_columns(
    panel: Panel, tradelines: pa.Table | None, borrower: IntArray, month: IntArray, own_balance: FloatArray
) -> dict[str, FloatArray]:
    """Lines in debt elsewhere, how many of them are past due, what they owe beside the own lines, and how it grew.

    A line stands as its newest report had it. own_balance: (n,) of the own lines, NaN where not known. No column where
    the book has no tradelines.
    """
    if tradelines is None or tradelines.num_rows == 0:
        return {}
    owner = places(tradelines["borrower_id"], panel.borrowers)
    rows = tradelines.filter(pa.array(owner >= 0))
    line = pc.binary_join_element_wise(rows["borrower_id"], rows["lender_token"], rows["line_token"], "\n")
    place = line.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    day = rows["as_of"].combine_chunks().cast(pa.int32()).to_numpy().astype(np.int64)
    order = np.lexsort((day, place))
    rows, place, owner = rows.take(pa.array(order)), place[order], owner[owner >= 0][order]
    months = day_months(rows["as_of"]).to_numpy().astype(np.int64)
    fresh = np.concatenate(([True], place[1:] != place[:-1]))
    balance = pc.fill_null(rows["balance_minor"], 0).to_numpy().astype(np.int64)
    late = pc.fill_null(pc.greater(pc.coalesce(rows["dpd_high"], rows["dpd_low"]), 0), False).to_numpy().astype(bool)
    first = np.where(fresh, day_months(rows["opened_on"]).fill_null(0).to_numpy(), 0).astype(np.int64)

    def ledger(value: IntArray) -> Ledger:
        """Changes of a figure from report to report, whose sum over all months is its newest value."""
        before = np.where(fresh, 0, np.concatenate(([0], value[:-1])))
        return Ledger(owner, months, value - before)

    debts, owed = ledger((balance > 0).astype(np.int64)), ledger(balance)
    now = owed.total(borrower, month, _EVER)
    newly = fresh & (first > 0) & (months - first <= 6)  # an old line that is reported late was not opened lately
    return {
        "outside_overdue_6m": Ledger(owner[late], months[late]).total(borrower, month, 6).astype(np.float64),
        "outside_lines_overdue": ledger(late.astype(np.int64)).total(borrower, month, _EVER).astype(np.float64),
        "outside_lines": debts.total(borrower, month, _EVER).astype(np.float64),
        "outside_to_own": ratio(now, own_balance),
        "outside_growth": ratio(now, owed.total(borrower, month - 3, _EVER)),
        "outside_opened_6m": Ledger(owner[newly], months[newly]).total(borrower, month, 6).astype(np.float64),
    }
