"""The arithmetic of lessons: exact where money is, by the same code that charges it.

Everything is a pure function of a person's own numbers. Amounts are minor units; rates are exact fractions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from evenkeel.accounts.cost.annual import YEAR_DAYS, Form, true_cost
from evenkeel.accounts.cost.flows import Flow, due_dates
from evenkeel.accounts.cost.offer import daily_factors, fee_offer, rate_offer
from evenkeel.accounts.line.rules import calendar_code, calendar_of, units
from evenkeel.accounts.products.model import Product
from evenkeel.decisions.cost import MOST_MONTHS, ByMinimum, Line, Pricing
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding, round_fraction

ANY_DAY = date(2026, 1, 1)  # where no day is told: the day counts of the months that follow it


@dataclass(frozen=True, slots=True)
class Yearly:
    """What a rate is a year: simple as lenders multiply it, and the true one, with interest on interest."""

    simple: Fraction
    compound: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A price in instalments. told: fees of a year as they are told, `fee x periods a year`. yearly: the true rate by
    periods and with interest on interest. first_minor: of the instalments. cost_minor: beyond the price."""

    told: Fraction
    yearly: Yearly
    first_minor: int
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill and what it costs on top: paid in full on its due day, or by minimums."""

    due_on: date
    full_minor: int
    least: ByMinimum


@dataclass(frozen=True, slots=True)
class Cleared:
    """Paying a fixed amount a month. months, cost_minor: until nothing is left; months is None where it never is."""

    months: int | None
    cost_minor: int


def yearly(rate_daily: Fraction) -> Yearly:
    """A daily rate a year: x 365, and (1 + r)**365 - 1."""
    return Yearly(rate_daily * YEAR_DAYS, float(1 + rate_daily) ** YEAR_DAYS - 1)


def by_fee(amount_minor: int, instalments: int, fee_rate: Fraction, on: date = ANY_DAY) -> Spread:
    """A purchase in monthly instalments, each with a fee of `fee_rate` of the whole price."""
    return _spread(fee_rate * 12, fee_offer(amount_minor, on, _monthly(on, instalments), fee_rate).flows)


def by_day_rate(amount_minor: int, instalments: int, rate_daily: Fraction, on: date = ANY_DAY) -> Spread:
    """A loan in equal monthly instalments, with interest by the day on what is still owed."""
    days = _monthly(on, instalments)
    offer = rate_offer(amount_minor, on, days, daily_factors(on, days, rate_daily))
    return _spread(rate_daily * YEAR_DAYS, offer.flows)


def _spread(told: Fraction, flows: Sequence[Flow]) -> Spread:
    found = true_cost(flows)
    by_periods = found.rate(Form.NOMINAL)
    simple = found.rate(Form.REGZ) if by_periods is None else by_periods  # a single payment has no period of its own
    rate = Yearly(Fraction(simple or 0), found.rate(Form.COMPOUND) or 0.0)
    return Spread(told, rate, -flows[1].amount_minor, found.cost_minor)


def _monthly(on: date, count: int) -> list[date]:
    return due_dates(due_dates(on, 2, "1M")[1], count, "1M", day=on.day)


def by_minimum(product: Product, bill_minor: int, on: date, rate_annual: Fraction | None = None) -> Bill:
    """The next bill that falls due after `on`, paid in full or by its minimums, by the product's own rules.

    All of it counts as bought on the day of the bill, with nothing bought later: what earlier days cost comes on top,
    so that the true cost is not below this one. Raises InvalidInput for a product without bills.
    """
    if product.line is None:
        raise InvalidInput(f"{product.product_id} has no bill of which a minimum could be paid.")
    cycle = product.line.cycle
    code = calendar_code(cycle.statement_day, cycle.due_day)
    cuts, due_days = calendar_of(cycle, code)
    place = bisect_right(due_days, on.toordinal())
    if place == len(due_days):
        raise InvalidInput(f"no bill falls due after {on}.")
    rate = -1 if rate_annual is None else units(rate_annual)
    line = Line(code, rate, cuts[place], due_days[place], 0, bill_minor, 0, bill_minor)
    pricing = Pricing(product)
    return Bill(
        date.fromordinal(due_days[place]), pricing.in_full(line, bill_minor), pricing.by_minimum(line, bill_minor)
    )


def by_fixed(balance_minor: int, monthly_minor: int, rate_annual: Fraction) -> Cleared:
    """The same amount every month, with interest of a twelfth of the rate on what is owed before it, half up.

    An estimate beside a bill's own rules, which count days and fees.
    """
    left, cost = balance_minor, 0
    for month in range(1, MOST_MONTHS + 1):
        interest = round_fraction(left * rate_annual / 12, Rounding.HALF_UP)
        cost += interest
        left += interest - min(monthly_minor, left + interest)
        if left == 0:
            return Cleared(month, cost)
        if interest >= monthly_minor:
            break
    return Cleared(None, cost)


def late_fee(product: Product, missing_minor: int) -> int:
    """What a product charges once for a minimum that is not paid; 0 where it charges nothing."""
    fee = product.fees.get("late")
    if fee is None or missing_minor <= 0:
        return 0
    share = round_fraction(missing_minor * fee.share, Rounding.HALF_UP)
    return min(fee.most_minor, max(fee.least_minor, share))
