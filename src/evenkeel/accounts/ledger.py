"""Double entry: every movement of money in an account is one posting from one ledger account to another.

A posting has one amount and two legs, so debits equal credits at every step by construction; what is proved elsewhere
is that the balances of the ledger accounts are the balances of the state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from evenkeel.accounts.words import COMPONENTS, Component, Segment
from evenkeel.kernel.money import allocate

CASH = "cash"  # money that came in or went out
CREDIT = "credit"  # what the lender owes the borrower: over-payments, refunds
WAIVED = "waived"
LOSS = "loss"  # charged off; the claim stays in CLAIM
CLAIM, CLAIM_CONTRA = "claim", "claim_contra"  # what is still legally owed after charge-off, off the balance sheet
GUARANTOR = "guarantor"  # money from a guarantor (代偿)
RECOVERED = "recovered"
SOLD = "sold"


def receivable(component: Component, segment: Segment) -> str:
    """The ledger account of what is owed for a component of a segment."""
    return f"receivable:{component}:{segment}"


def income(component: Component) -> str:
    """The ledger account of what was earned as interest, fee or penalty."""
    return f"income:{component}"


class Posting(NamedTuple):
    """amount_minor (above 0) from `credit` to `debit` on a day.

    fact_id: the fact behind it, empty for what the product's own rules do at the close of a day. why: the rule, such as
    `payment`, `interest`, `late_fee`.
    """

    on: date
    fact_id: str
    debit: str
    credit: str
    amount_minor: int
    why: str


def balances(postings: Iterable[Posting]) -> dict[str, int]:
    """Debits less credits by ledger account; the values sum to 0 (the trial balance)."""
    total: Counter[str] = Counter()
    for posting in postings:
        total[posting.debit] += posting.amount_minor
        total[posting.credit] -= posting.amount_minor
    return {account: amount for account, amount in sorted(total.items()) if amount}


def owed(postings: Iterable[Posting]) -> dict[Component, int]:
    """What the receivables of each component come to."""
    total = dict.fromkeys(COMPONENTS, 0)
    for account, amount in balances(postings).items():
        if account.startswith("receivable:"):
            total[Component(account.split(":")[1])] += amount
    return total


def difference(before: Sequence[Posting], after: Sequence[Posting]) -> dict[str, int]:
    """What must be posted by ledger account so that a record that held `before` holds `after`: of a late fact."""
    was, now = balances(before), balances(after)
    found = {account: now.get(account, 0) - was.get(account, 0) for account in sorted(was.keys() | now.keys())}
    return {account: amount for account, amount in found.items() if amount}


def funder_balances(postings: Iterable[Posting], shares: dict[str, int]) -> dict[str, dict[str, int]]:
    """The balance of each ledger account split over funders by whole-number share; the parts sum to it exactly.

    Balances are split, not postings, so that no funder gathers the roundings of a long history.
    """
    names = sorted(shares)
    split: dict[str, dict[str, int]] = {name: {} for name in names}
    for account, amount in balances(postings).items():
        for name, part in zip(names, allocate(amount, [shares[name] for name in names]), strict=True):
            if part:
                split[name][account] = part
    return split
