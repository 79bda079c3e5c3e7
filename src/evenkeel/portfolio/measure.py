"""Stage 1, measure: what is overdue, how it moves, how vintages compare, and who is overdue with several lenders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.accounts.panel import Panel
from evenkeel.kernel.text import texts
from evenkeel.portfolio.flow import delinquency, flow_matrix, tally_flows
from evenkeel.portfolio.overlap import cross_platform
from evenkeel.portfolio.rows import rows_of
from evenkeel.portfolio.vintage import vintage


def measure(panel: Panel, lines: pa.Table) -> dict[str, Any]:
    """The parts delinquency, flow_matrix, vintage and cross_platform of portfolio.json, and `not_available`.

    lines: LINES_SCHEMA, own and outside lines at the panel's last month.
    Numbers are plain integers and floats, None where the data do not support them. not_available: {part, needs} in
    English; the same sentence in a reader's language is the text `portfolio.needs.PART`.
    """
    rows = rows_of(panel)
    counts, owed = tally_flows(rows)
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)
    on_book = len(np.unique(owner[rows.account[rows.at_last()]]))
    parts: dict[str, Any] = {
        "delinquency": delinquency(rows, counts, owed, on_book, panel.source),
        "flow_matrix": flow_matrix(counts, owed),
        "vintage": vintage(rows, panel.accounts["opened"]),
        "cross_platform": cross_platform(rows, owner, lines),
    }
    lacking = {
        "flow_matrix.shares": not counts.any(),
        "flow_matrix.balance_shares": not owed.any(),
        "vintage": parts["vintage"] is None,
        "cross_platform": parts["cross_platform"] is None,
        "cross_platform.months_first_to_next": (parts["cross_platform"] or {}).get("months_first_to_next", 0) is None,
    }
    needs = [
        {"part": part, "needs": texts("en")(f"portfolio.needs.{part}")} for part, lacks in lacking.items() if lacks
    ]
    return parts | {"not_available": needs}
