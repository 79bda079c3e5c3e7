"""The panel as the few arrays that the portfolio's figures are folded from, and numbers as JSON knows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.accounts.panel import Panel
from evenkeel.measures.roll import BoolArray, Codes, IntArray, stocks


@dataclass(frozen=True, slots=True)
class Rows:
    """The account-months of a panel, in its order: sorted by account, months without a hole.

    account, month, state: (n,) place in Panel.accounts, months since `first_month`, state code.
    owed: (n,) balance in minor units, 0 for a credit balance and where no balance is known (`owed_known` is False).
    """

    account: Codes
    month: Codes
    state: Codes
    owed: IntArray
    owed_known: BoolArray
    first_month: int
    months: int  # from the first month on file to Panel.last_month

    def at_last(self) -> IntArray:
        """Places of the rows of the last month: the accounts on book."""
        return np.flatnonzero(self.month == self.months - 1)

    def stocks(self, weights: IntArray | None = None, only: BoolArray | None = None) -> IntArray:
        """(months, 10) accounts, or their weights, by month and state; `only` keeps some of the rows."""
        if only is None:
            return stocks(self.month, self.state, self.months, weights)
        return stocks(self.month[only], self.state[only], self.months, None if weights is None else weights[only])


def rows_of(panel: Panel) -> Rows:
    """The arrays of a panel, without copying more than the balances."""
    month = panel.months["month"].to_numpy()
    first = int(month.min()) if len(month) else panel.last_month
    owed, known = amount(panel.months, "balance")
    return Rows(
        account=panel.months["account"].to_numpy(),
        month=month - np.int32(first),
        state=panel.months["state"].to_numpy(),
        owed=np.maximum(owed, 0),
        owed_known=known,
        first_month=first,
        months=panel.last_month - first + 1,
    )


def amount(table: pa.Table, name: str) -> tuple[IntArray, BoolArray]:
    """A column of minor units as (values with 0 where unknown, whether known)."""
    column = table[name]
    known = column.is_valid().to_numpy().astype(np.bool_) if column.null_count else np.ones(len(column), np.bool_)
    return column.fill_null(0).to_numpy().astype(np.int64, copy=False), known


def ratio(top: float, bottom: float) -> float | None:
    """top / bottom, None where the bottom is not positive."""
    return float(top / bottom) if bottom > 0 else None


def plain(values: Iterable[Any]) -> list[Any]:
    """Nested lists of Python numbers, None for NaN."""
    return [plain(value) if isinstance(value, list) else None if value != value else value for value in values]
