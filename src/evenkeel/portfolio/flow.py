"""Delinquency and the flow matrix: one tally of states and one of the steps between them give every figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from evenkeel.accounts.panel import STATE_NAMES
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.text import texts
from evenkeel.measures.roll import CLEAN, OVERDUE, STATES, IntArray, flows, row_shares, steps
from evenkeel.portfolio.rows import Rows, plain, ratio


def tally_flows(rows: Rows) -> tuple[IntArray, IntArray]:
    """(months, 9, 9) account-months and balances owed, by month of the first state, from-state and to-state."""
    here = steps(rows.account)
    month, before, after = rows.month[here], rows.state[here], rows.state[here + 1]
    return (
        flows(month, before, after, rows.months),
        flows(month, before, after, rows.months, rows.owed[here]),
    )


def flow_matrix(counts: IntArray, owed: IntArray) -> dict[str, Any]:
    """Part `flow_matrix` of portfolio.json, pooled over all months.

    counts, owed: (months, 9, 9) of `tally_flows`.
    """
    pooled, weights = counts.sum(axis=0), owed.sum(axis=0)
    text = texts("en")
    trend = row_shares(counts[:, 0, :])[:, 1]
    return {
        "states": list(STATE_NAMES),
        "denominator": text("portfolio.flow.denominator"),
        "balance_weights": text("portfolio.flow.balance_weights"),
        "observed": pooled.sum(axis=1).tolist(),
        "counts": pooled.tolist(),
        "shares": plain(row_shares(pooled).tolist()),
        "balance_shares": plain(row_shares(weights).tolist()),
        "m0_to_m1_by_month": plain(trend.tolist()),  # by from-month, from the first month on file
    }


def delinquency(rows: Rows, counts: IntArray, owed: IntArray, borrowers: int, source: str) -> dict[str, Any]:
    """Part `delinquency` of portfolio.json: what is overdue at the last month, and how that came about.

    counts, owed: of `tally_flows`. borrowers: on book at the last month. source: where days past due come from.
    """
    accounts, balances = rows.stocks(), rows.stocks(rows.owed)
    known = rows.stocks(only=rows.owed_known)
    last, money, weighed = accounts[-1], balances[-1], known[-1]
    text = texts("en")
    return {
        "month": month_text(rows.first_month + rows.months - 1),
        "accounts_on_book": int(last.sum()),
        "borrowers_on_book": borrowers,
        "balance_minor": _sum(money, weighed),
        "balance_unknown_accounts": int(last.sum() - weighed.sum()),
        "state_unknown_accounts": int(last[STATES]),
        "states": [
            {"state": name, "accounts": int(last[code]), "balance_minor": _state_sum(money, last, weighed, code)}
            for code, name in enumerate(STATE_NAMES)
        ],
        "overdue_share_accounts": ratio(last[OVERDUE].sum(), last[:STATES].sum()),
        "overdue_share_balance": ratio(money[OVERDUE].sum(), money[:STATES].sum()),
        "m3_plus_share_accounts": ratio(last[3:8].sum(), last[:STATES].sum()),
        "by_month": _by_month(rows, (accounts, balances, known), counts, owed),
        "dpd_source": source,
        "definition": {name: text(f"portfolio.delinquency.{name}") for name in ("overdue", "entry_rate", "balance")},
    }


def _by_month(
    rows: Rows, stock: tuple[IntArray, IntArray, IntArray], counts: IntArray, owed: IntArray
) -> list[dict[str, Any]]:
    accounts, balances, known = stock
    trend: list[dict[str, Any]] = []
    for place in range(rows.months):
        here, money = accounts[place], balances[place]
        counted, weighed = (_entry(table[place - 1]) if place else (None, None, None) for table in (counts, owed))
        line = {
            "month": month_text(rows.first_month + place),
            "accounts": int(here.sum()),
            "overdue_accounts": int(here[OVERDUE].sum()),
            "overdue_share": ratio(here[OVERDUE].sum(), here[:STATES].sum()),
            "balance_minor": _sum(money, known[place]),
            "overdue_balance_minor": _sum(money[OVERDUE], known[place]),
            **dict(zip(("entered", "entry_base", "entry_rate"), counted, strict=True)),
            **dict(
                zip(("entered_balance_minor", "entry_base_balance_minor", "entry_rate_balance"), weighed, strict=True)
            ),
        }
        trend.append(line)
    return trend


def _entry(step: IntArray) -> tuple[int | None, int | None, float | None]:
    """(entered, base, rate) of one step from M0 or X; None where nothing was observed again."""
    if not step.any():
        return None, None, None
    clean = step[np.array(CLEAN)]
    entered, base = int(clean[:, OVERDUE].sum()), int(clean.sum())
    return entered, base, ratio(entered, base)


def _sum(money: IntArray, known: IntArray) -> int | None:
    """What is owed where a balance is known; None where none is."""
    return int(money.sum()) if known.any() else None


def _state_sum(money: IntArray, accounts: IntArray, known: IntArray, code: int) -> int | None:
    return None if accounts[code] and not known[code] else _sum(money[code : code + 1], known)
