"""What a credit really costs: every usual form of its annual rate, from the money that moves and nothing else.

A lender's words (a daily rate, a fee an instalment, an interest rate with fees beside it) describe one and the same
cash flow in ways that cannot be compared. `true_cost` takes the flow itself, fees and deductions included, and gives:

==========  ============  ============================================================================================
form        compounding   definition
==========  ============  ============================================================================================
compound    once a year   XIRR, ACT/365: 复利年化, the internal rate of return
nominal     no            IRR of a period x periods a year: 单利年化 of equally spaced payments; only where they are
simple      no            cost / sum of (principal in use x time), ACT/365: 单利年化 of any payments. A payment first
                          pays the interest at this rate to its day, the rest reduces the principal; unpaid interest
                          bears none (the United States rule: 12 CFR 1026, Appendix J (a)(3))
contract    no            the same on the principal that the contract says is outstanding; only where it is given
regz        no            APR of Regulation Z, Appendix J, actuarial method; equals nominal where that exists
==========  ============  ============================================================================================

China: PBoC announcement 2021 No. 3 has all lenders show an annualised rate: all interest and fees directly related to
the loan, against the principal actually in use, annualised; by the compound method (IRR) or the simple one, which must
then be called so. That is how it is commonly restated; the text was not at hand. It fixes neither which simple form
nor a day count, so three are given, each under its name. Day counts here are this project's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from evenkeel.accounts.cost.flows import Flow, from_first_advance
from evenkeel.accounts.cost.regz import UnitPeriod, regz_apr
from evenkeel.accounts.cost.solve import refined, xirr_all
from evenkeel.kernel.errors import InvalidInput

YEAR_DAYS = 365
_WIDEST = 1e12  # a simple annual rate beyond it is not looked for


class Form(StrEnum):
    """The forms of an annual rate; the table above defines them."""

    COMPOUND = "compound"
    NOMINAL = "nominal"
    SIMPLE = "simple"
    CONTRACT = "contract"
    REGZ = "regz"


@dataclass(frozen=True, slots=True)
class AnnualRate:
    """One form of the annual rate, such as 0.1304; `basis` says in a few words how a year is made of it."""

    form: Form
    rate: float
    compounding: bool
    basis: str


@dataclass(frozen=True, slots=True)
class TrueCost:
    """A credit in money and in rates.

    received_minor: all money to the borrower, less what it pays up to the first; paid_minor: all that it pays later;
    cost_minor: paid less received, below 0 for a gain. begin, end: the first money received, the last that moves.
    payments: days after `begin` with one.
    unit: how often they come, as Regulation Z sees it. rates: those that exist, in the order of `Form`.
    other_compound: further rates that solve the same equation; only where money changes its way more than once.
    daily: `simple` a day, as a lender's daily rate on the balance would be. flat: cost a payment as a share of what is
    received, as a handling fee an instalment would be.
    """

    received_minor: int
    paid_minor: int
    cost_minor: int
    begin: date
    end: date
    payments: int
    unit: UnitPeriod
    rates: tuple[AnnualRate, ...]
    other_compound: tuple[float, ...]
    daily: float
    flat: float

    def rate(self, form: Form) -> float | None:
        """The rate of a form; None where it does not exist for these flows."""
        return next((one.rate for one in self.rates if one.form is form), None)


def true_cost(flows: Sequence[Flow], contract: Sequence[Flow] = ()) -> TrueCost:
    """The true cost of any cash flow: a schedule of a product, or what really happened.

    flows: every amount between borrower and lender, in any order: above 0 to the borrower, below 0 from it.
    contract: the movements of principal by the contract, in the same signs (lent above 0, repaid below); sum 0.
    Except in `compound`, what is paid up to the first money received is taken off that: it was never in use.
    Raises InvalidInput where nothing is received, nothing is paid afterwards, no rate solves the flows, or `contract`
    does not come to 0.
    """
    in_use = from_first_advance(flows)
    received = sum(flow.amount_minor for flow in in_use if flow.amount_minor > 0)
    paid = -sum(flow.amount_minor for flow in in_use if flow.amount_minor < 0)
    cost = paid - received
    payments = len({flow.day for flow in in_use if flow.amount_minor < 0})
    compound, *others = xirr_all([flow.day for flow in flows], [flow.amount_minor for flow in flows])
    apr = regz_apr(flows)
    simple = _simple_rate(in_use)
    unit = f"{apr.unit.every} x {float(apr.unit.per_year):g}"
    found = [AnnualRate(Form.COMPOUND, compound, True, "XIRR, ACT/365")]
    if apr.regular:
        found.append(AnnualRate(Form.NOMINAL, apr.rate, False, f"IRR of {unit}"))
    found.append(AnnualRate(Form.SIMPLE, simple, False, "cost / principal in use x time, ACT/365"))
    if contract:
        found.append(
            AnnualRate(
                Form.CONTRACT, _contract_rate(cost, contract), False, "cost / contract principal x time, ACT/365"
            )
        )
    found.append(AnnualRate(Form.REGZ, apr.rate, False, f"Appendix J, {unit}"))
    return TrueCost(
        received, paid, cost, in_use[0].day, in_use[-1].day, payments, apr.unit, tuple(found), tuple(others),
        simple / YEAR_DAYS, cost / (received * payments),
    )  # fmt: skip


def _simple_rate(flows: Sequence[Flow]) -> float:
    """The annual rate at which simple interest on the principal in use makes the last balance 0.

    flows: from the first advance on, in order of days. Payments pay interest first; a credit balance bears none. What
    is owed at the end then only rises with the rate, so that there is one.
    """
    steps = [(0.0, float(flows[0].amount_minor))]
    steps += [
        ((after.day - before.day).days / YEAR_DAYS, float(after.amount_minor)) for before, after in pairwise(flows)
    ]

    def balance(rate: float) -> tuple[float, float]:
        """What is owed at the end, and its slope in the rate."""
        principal = interest = principal_slope = interest_slope = 0.0
        for years, amount in steps:
            if principal > 0:
                interest += principal * rate * years
                interest_slope += (principal_slope * rate + principal) * years
            if amount >= 0:
                principal += amount
            elif -amount <= interest:
                interest += amount
            else:
                principal += amount + interest
                principal_slope += interest_slope
                interest = interest_slope = 0.0
        return principal + interest, principal_slope + interest_slope

    at_nothing = balance(0.0)[0]
    if at_nothing == 0:
        return 0.0
    low = 0.0
    high = -1e-6 if at_nothing > 0 else 1e-6
    while (balance(high)[0] > 0) == (at_nothing > 0):
        low, high = high, high * 1.5
        if abs(high) > _WIDEST:
            raise InvalidInput("the simple annual rate that repays these amounts is beyond all bounds.")
    return refined(balance, low, high)


def _contract_rate(cost_minor: int, contract: Sequence[Flow]) -> float:
    """Cost over the sum of the contract's outstanding principal x years."""
    if sum(flow.amount_minor for flow in contract):
        raise InvalidInput("the contract's principal is not repaid exactly.", "Lent and repaid must come to 0.")
    ordered = sorted(contract, key=lambda flow: flow.day)
    balance = used = 0
    for before, after in pairwise(ordered):
        balance += before.amount_minor
        used += balance * (after.day - before.day).days
    if used <= 0:
        raise InvalidInput("the contract's principal is never outstanding.", "Lent is above 0, repaid below 0.")
    return float(Fraction(cost_minor * YEAR_DAYS, used))
