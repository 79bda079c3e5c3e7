"""What an account is on a day: the one shape in which lines and loans are read by everything above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from evenkeel.accounts.ledger import Posting
from evenkeel.accounts.words import Component, Segment, Stage, Timing


@dataclass(frozen=True, slots=True)
class Owed:
    """One part of the balance."""

    timing: Timing
    segment: Segment
    component: Component
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Due:
    """What had to be paid by a day and is not paid in full: the minimum of a bill, or an instalment."""

    due_on: date
    due_minor: int
    paid_minor: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as it was cut. Amounts in it never change; what a late fact changes is in a correction."""

    number: int
    cut_on: date
    due_on: date
    total_minor: int
    minimum_minor: int
    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True)
class Accrual:
    """Interest of a loan for the days after `since` up to `until`: the same balance at the same rate.

    amount: in minor units, not rounded to whole ones; they are rounded once, when it becomes owed. kind: `interest` or
    `penalty`.
    """

    kind: str
    segment: Segment
    since: date
    until: date
    balance_minor: int
    rate_annual: Fraction
    basis: int
    amount: Fraction


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """How late an account was at the end of a month."""

    on: date
    days_past_due: int
    balance_minor: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at the close of `as_of`, from the facts known.

    owed sums to balance_minor. accrued_minor: interest and penalties counted but not posted yet, rounded down.
    claim_minor: what is still legally owed after charge-off. restructurings: how often terms were changed to help.
    dues: those not paid, oldest first.
    """

    product_id: str
    as_of: date
    stage: Stage
    limit_minor: int | None
    held_minor: int
    available_minor: int | None
    balance_minor: int
    credit_minor: int
    accrued_minor: int
    claim_minor: int
    subrogated_minor: int
    owed: tuple[Owed, ...]
    dues: tuple[Due, ...]
    past_due_minor: int
    days_past_due: int
    grade: str
    restructurings: int
    bills: tuple[Bill, ...]
    postings: tuple[Posting, ...]
    months: tuple[MonthEnd, ...]
    accruals: tuple[Accrual, ...] = ()
