"""The state that the months change, and the history that they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from evenkeel.book.generator.world import BoolArray, FloatArray, IntArray

WAITING, OPEN, DECLINED, CLOSED, CHARGED_OFF = range(5)
CAUSES: Final = ("income_shock", "over_granting", "concealment", "macro_shock", "oversight")
INCOME_SHOCK, OVER_GRANTING, CONCEALMENT, MACRO_SHOCK, OVERSIGHT = range(5)
SELF, DEBIT_ORDER, TRANSFER, AGENCY = range(4)
CHANNELS: Final = ("self", "debit_order", "transfer", "agency")
TREATMENTS: Final = ("nothing", "reminder", "call", "plan_offer")

AGES: Final = 7  # unpaid bills by age in months; with the seventh, the line is over 180 days past due and charged off


@dataclass(slots=True)
class Accounts:
    """The state of every line; amounts in fen.

    closed: the step in which it was closed or charged off, -1 while open. carried: the part of the last statement left
    unpaid, on which interest runs. scheduled, instalment, left: a loan's principal by schedule, level instalment and
    instalments to come. owed: unpaid bills by age in months, [:, 0] this month's. lag: the day of the coming month on
    which a forgotten bill will be paid, 0 for none.
    """

    status: IntArray
    closed: IntArray
    limit: IntArray
    balance: IntArray
    carried: IntArray
    scheduled: IntArray
    instalment: IntArray
    left: IntArray
    owed: IntArray
    lag: IntArray


@dataclass(slots=True)
class Purses:
    """The state of every household: cash in hand, the shock and the episode of arrears it is in, last month's dues.

    since_shock: months since the last shock ended. cause, onset: of the latest episode, -1 before the first.
    """

    cash: IntArray
    shock_left: IntArray
    shock_income: FloatArray
    shock_kind: IntArray
    since_shock: IntArray
    dues: IntArray
    overdue: BoolArray
    cause: IntArray
    onset: IntArray


@dataclass(slots=True)
class Month:
    """The lines on book in one month, and what is billed, wanted and paid on them; (lines,) unless said.

    behind: age in months of the oldest bill unpaid at the start. due: all that must be paid to be current. minimum:
    the due where its holder means to pay it, else 0. desired: what the holder pays in a good month. late_day: the day
    on which a forgotten bill will be paid, beyond `days` if next month, 0 where nothing was forgotten.
    """

    step: int
    rows: IntArray
    borrower: IntArray
    days: int
    opening: IntArray
    loan: BoolArray
    behind: IntArray
    treatment: IntArray
    propensity: FloatArray
    interest: IntArray
    due: IntArray
    lag: IntArray  # day on which a bill forgotten last month is paid, 0 for none
    minimum: IntArray
    desired: IntArray
    late_day: IntArray
    waits: BoolArray  # (borrowers,) whose cash does not reach to the bills that fall due before their pay day
    spend: IntArray
    cash: IntArray
    paid: IntArray

    def total(self, values: IntArray, borrowers: int) -> IntArray:
        """(borrowers,) sums over each household's lines."""
        return np.asarray(np.rint(np.bincount(self.borrower, values, borrowers)), dtype=np.int64)


def oldest_age(owed: IntArray) -> IntArray:
    """(lines,) age in months of the oldest unpaid bill; 0 where nothing older than this month's is unpaid."""
    ages = np.arange(owed.shape[1])
    return np.asarray(np.where(owed > 0, ages, 0).max(axis=1), dtype=np.int64)


def first_day(month: int) -> int:
    """Days from 1970-01-01 to the first day of a month number."""
    return date(month // 12, month % 12 + 1, 1).toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class History:
    """What happened in the book's months: per table, columns as lists of one int32 array a month."""

    tables: dict[str, dict[str, list[IntArray]]] = field(default_factory=dict)

    def add(self, table: str, **columns: IntArray | BoolArray) -> None:
        """Append one month's rows to a table."""
        stored = self.tables.setdefault(table, {})
        for name, values in columns.items():
            stored.setdefault(name, []).append(np.asarray(values, dtype=np.int32))

    def column(self, table: str, name: str) -> IntArray:
        """All months' values of a column, in the order in which they were added."""
        return np.concatenate(self.tables[table][name])
