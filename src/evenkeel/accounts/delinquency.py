"""How late accounts and borrowers are: buckets, the worst of a borrower's lines, and a grade that spreads.

An account's own days past due come with its state; here is what is read from many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.accounts.products.model import GRADES
from evenkeel.accounts.state import AccountState, MonthEnd
from evenkeel.accounts.words import Stage

# First day of M1, M2, ... M7 (the contract's buckets); institutions differ, so they may be given.
BUCKET_EDGES = (1, 31, 61, 91, 121, 151, 181)


def bucket(days_past_due: int, edges: Sequence[int] = BUCKET_EDGES) -> int:
    """0 for current, 1 for M1, and so on: how many of the edges are reached."""
    return sum(days_past_due >= edge for edge in edges)


def bucket_history(months: Sequence[MonthEnd], edges: Sequence[int] = BUCKET_EDGES) -> tuple[tuple[str, int], ...]:
    """Month (YYYY-MM) and bucket at its end, from the states that the facts give, not from what was reported then."""
    return tuple((f"{month.on:%Y-%m}", bucket(month.days_past_due, edges)) for month in months)


@dataclass(frozen=True, slots=True)
class Total:
    """What a borrower owes in one currency; claim_minor is still owed by law after a charge-off."""

    currency: str
    balance_minor: int
    past_due_minor: int
    claim_minor: int


@dataclass(frozen=True, slots=True)
class BorrowerView:
    """All of a borrower's accounts on record, of every lender.

    A debt counts while something of it is owed to its lender, balance or claim: one that was paid, recovered in full or
    sold is in `accounts` alone. It is late with days past due, or once charged off. worst_days_past_due, grade: of the
    debts that count. grade: the worst of the debts' own (customer-level contagion), loss where one is charged off: one
    line in loss makes the borrower's others no better than that, whatever their own days. totals: by currency.
    all_platforms_late: every lender that is owed something has a late debt, of two lenders at least (全平台逾期).
    """

    accounts: int
    debts: int
    late_debts: int
    lenders: int
    late_lenders: int
    worst_days_past_due: int
    grade: str
    all_platforms_late: bool
    totals: tuple[Total, ...]


def borrower_view(accounts: Sequence[tuple[str, str, AccountState]]) -> BorrowerView:
    """The borrower behind accounts: lender, currency and state of each. lenders: those that are owed something."""
    debts = [entry for entry in accounts if entry[2].balance_minor > 0 or entry[2].claim_minor > 0]
    late = [entry for entry in debts if entry[2].days_past_due > 0 or entry[2].stage is Stage.CHARGED_OFF]
    owed_to, late_to = ({lender for lender, _, _ in found} for found in (debts, late))
    grades = [GRADES[-1] if state.stage is Stage.CHARGED_OFF else state.grade for _, _, state in debts]
    return BorrowerView(
        accounts=len(accounts),
        debts=len(debts),
        late_debts=len(late),
        lenders=len(owed_to),
        late_lenders=len(late_to),
        worst_days_past_due=max((state.days_past_due for _, _, state in debts), default=0),
        grade=max(grades, key=GRADES.index, default=GRADES[0]),
        all_platforms_late=len(owed_to) > 1 and owed_to == late_to,
        totals=tuple(_total(currency, accounts) for currency in sorted({currency for _, currency, _ in accounts})),
    )


def _total(currency: str, accounts: Sequence[tuple[str, str, AccountState]]) -> Total:
    states = [state for _, own, state in accounts if own == currency]
    return Total(
        currency,
        sum(state.balance_minor for state in states),
        sum(state.past_due_minor for state in states),
        sum(state.claim_minor for state in states),
    )
