"""What a product would ask for, before anybody signs: its instalments, by the very fold that will run the account.

A loan is opened and paid out; a line is opened, used for one purchase, and this is put into one of the product's offers
of instalments, each bill of which is paid on its due day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import accumulate

from evenkeel.accounts.cost.annual import TrueCost, true_cost
from evenkeel.accounts.cost.flows import Flow
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import account_state, loan_rules
from evenkeel.accounts.loan.fold import fold
from evenkeel.accounts.loan.schedule import Role
from evenkeel.accounts.products.model import InlineOffer, Product
from evenkeel.accounts.state import Bill
from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.kernel.errors import InvalidInput

_SPARE_MONTHS = 3  # a plan's last bill is cut and paid within so many months of its last instalment


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be paid on a day. number: of the instalment; 0 for what is paid down when the money comes.
    left_minor: principal that is owed after it."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int
    fee_minor: int
    total_minor: int
    left_minor: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The instalments of an amount, and what they cost: fees and interest against the money that is really in use."""

    product: Product
    start_on: date
    principal_minor: int
    rows: tuple[Row, ...]
    cost: TrueCost

    @property
    def interest_minor(self) -> int:
        """All interest."""
        return sum(row.interest_minor for row in self.rows)

    @property
    def fee_minor(self) -> int:
        """All fees."""
        return sum(row.fee_minor for row in self.rows)

    @property
    def total_minor(self) -> int:
        """All that is paid."""
        return sum(row.total_minor for row in self.rows)


def quote_loan(
    product: Product,
    start_on: date,
    principal_minor: int,
    *,
    instalments: int | None = None,
    first_due_on: date | None = None,
    rate_annual: Fraction | None = None,
) -> Quote:
    """The instalments of a loan that is paid out in full on `start_on`; None for what the product says.

    Raises InvalidInput where the product is no loan, or the terms do not fit it.
    """
    terms = {
        "product": product.product_id, "principal_minor": principal_minor, "instalments": instalments,
        "first_due_on": first_due_on, "rate_annual": rate_annual,
    }  # fmt: skip
    facts = [
        AccountFact("opened", FactKind.OPENED, start_on, details=terms),
        AccountFact("disbursement", FactKind.DISBURSEMENT, start_on, principal_minor),
    ]
    state = fold(loan_rules(product, start_on), facts, start_on, strict=True)
    parts = [
        (one.due_on, one.principal_minor, one.interest_minor, one.fee_minor, one.role is Role.INSTALMENT)
        for one in state.instalments
    ]
    return _quote(product, start_on, principal_minor, parts)


def quote_plan(product: Product, start_on: date, principal_minor: int, offer: InlineOffer) -> Quote:
    """The bills of a purchase on `start_on` that is paid in the instalments of an offer of a line.

    Raises InvalidInput where the product is no line.
    """
    price = {"fee_rate_per_period": offer.fee_rate_per_period, "rate_annual": offer.rate_annual}
    facts = [
        AccountFact("opened", FactKind.OPENED, start_on, details={"product": product.product_id}),
        AccountFact("purchase", FactKind.PURCHASE, start_on, principal_minor, {"segment": "purchase"}),
        AccountFact(
            "plan", FactKind.INSTALMENT_PLAN, start_on, principal_minor, {"instalments": offer.instalments, **price}
        ),
    ]
    bills: list[Bill] = []
    for month in range(month_of(start_on), month_of(start_on) + offer.instalments + _SPARE_MONTHS):
        state = account_state(product, facts, month_end(month))
        for bill in state.bills[len(bills) :]:
            bills.append(bill)
            if bill.total_minor:
                paid = AccountFact(f"bill-{bill.number}", FactKind.PAYMENT, bill.due_on, bill.total_minor)
                facts.append(paid)
    parts = [
        (bill.due_on, bill.principal_minor, bill.interest_minor, bill.fee_minor, True)
        for bill in bills
        if bill.total_minor
    ]
    return _quote(product, start_on, principal_minor, parts)


_Part = tuple[date, int, int, int, bool]  # due day, principal, interest, fee, whether it is an instalment


def _quote(product: Product, start_on: date, principal_minor: int, parts: Sequence[_Part]) -> Quote:
    paid = accumulate(principal for _, principal, *_ in parts)
    numbers = accumulate(int(counts) for *_, counts in parts)
    rows = tuple(
        Row(
            number if counts else 0, due_on, principal, interest, fee, principal + interest + fee,
            principal_minor - so_far,
        )
        for (due_on, principal, interest, fee, counts), number, so_far in zip(parts, numbers, paid, strict=True)
    )  # fmt: skip
    if not rows or rows[-1].left_minor:
        raise InvalidInput("these instalments do not repay the principal.", "Give more of them, or a lower rate.")
    lent = Flow(start_on, principal_minor)
    cost = true_cost(
        [lent, *(Flow(row.due_on, -row.total_minor) for row in rows)],
        [lent, *(Flow(row.due_on, -row.principal_minor) for row in rows)],
    )
    return Quote(product, start_on, principal_minor, rows, cost)
