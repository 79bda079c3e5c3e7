"""The account of the calculator in `line_oracle`: one dictionary, what is read of it, and small steps on it."""

from calendar import isleap, monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.words import Component, Segment, Timing

Account = dict[str, Any]
Cell = tuple[Timing, Segment, Component]

TIMINGS = (Timing.PAST_DUE, Timing.DUE, Timing.IN_ADVANCE)
SEGMENTS = (Segment.PURCHASE, Segment.CASH, Segment.PROMOTION, Segment.INSTALMENT)
COMPONENTS = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)
PAST, DUE, ADVANCE = TIMINGS
PENALTY, FEE, INTEREST, PRINCIPAL = COMPONENTS
UNBILLED_INSTALMENTS: Cell = (ADVANCE, Segment.INSTALMENT, PRINCIPAL)
ONE_DAY = timedelta(days=1)
TINY = Decimal("0.00000001")


def open_account(product: Product, fact: AccountFact) -> Account:
    details, line = fact.details, product.line
    assert line is not None
    return {
        "product": product,
        "line": line,
        "stage": "open",
        "limit": details.get("limit_minor"),
        "statement_day": details.get("statement_day") or line.cycle.statement_day,
        "due_day": details.get("due_day") or line.cycle.due_day,
        "own_rates": [] if details.get("rate_annual") is None else [(None, details["rate_annual"])],
        "cells": {(t, s, c): 0 for t in TIMINGS for s in SEGMENTS for c in COMPONENTS},
        "credit": 0,
        "interest": dict.fromkeys(SEGMENTS, Decimal(0)),
        "penalties": dict.fromkeys(SEGMENTS, Decimal(0)),
        "shadow_unbilled": Decimal(0),
        "shadow_billed": Decimal(0),
        "cap": Decimal(0),
        "charges": 0,
        "bills": [],
        "open_bill": None,
        "dues": [],  # dictionaries of on, amount, paid
        "late": False,
        "plans": [],
        "holds": {},  # fact_id: (amount, the day on which it ends)
        "no_interest_until": date.min,
        "no_minimum_until": date.min,
        "uncounted": set(),  # days that are not counted as days past due
        "settlement": None,
        "claim": 0,
        "subrogated": 0,
        "restructurings": 0,
        "days": 0,  # past due; they stand still after charge-off and sale
        "days_past_due": {},  # by day
    }  # fmt: skip


# ---- Read ----------------------------------------------------------------------------------------------------------


def number(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def to_tiny(value: Decimal) -> Decimal:
    return value.quantize(TINY, ROUND_HALF_UP)


def half_up(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def days_in_year(product: Product, day: date) -> int:
    if product.day_count == DayCount.ACT_ACT:
        return 366 if isleap(day.year) else 365
    return {DayCount.ACT_365: 365, DayCount.ACT_364: 364, DayCount.ACT_360: 360, DayCount.THIRTY_360: 360}[
        product.day_count
    ]


def rate_on(account: Account, segment: Segment, day: date) -> Fraction:
    """The newest rate agreed with this borrower, else the product's."""
    for of, rate in reversed(account["own_rates"]):
        if of == segment or (of is None and segment != Segment.INSTALMENT):
            return rate
    found = Fraction(0)
    for step in account["product"].rates:
        if step.segment == segment and step.from_on <= day:
            found = step.rate_annual
    return found


def fee_of(account: Account, kind: str, amount: int) -> int:
    fee = account["product"].fees.get(kind)
    if fee is None:
        return 0
    return max(fee.least_minor, min(fee.most_minor, half_up(amount * number(fee.share))))


def total(account: Account, *words: object) -> int:
    """The cells that have all the words: a timing, a segment, a component."""
    return sum(amount for cell, amount in account["cells"].items() if all(word in cell for word in words))


def unpaid_dues(account: Account, before: date | None = None) -> int:
    """What is missing of the dues, or of those that fell due before a day."""
    return sum(due["amount"] - due["paid"] for due in account["dues"] if before is None or due["on"] < before)


def cells_in_order(account: Account, kind: str) -> list[Cell]:
    """Atom after atom of the order of a type of transaction; within one, the segments in the product's order."""
    allocation = account["product"].allocation
    rule = allocation.by_type.get(kind) or allocation.default
    return [(t, segment, c) for t, c in rule.order for segment in allocation.segments if segment in SEGMENTS]


# ---- Changed -------------------------------------------------------------------------------------------------------


def charge(account: Account, segment: Segment, component: Component, amount: int) -> None:
    """A charge of the product's own rules, as far as the cost cap lets it."""
    if account["product"].cost_cap_annual is not None:
        amount = max(0, min(amount, int(account["cap"]) - account["charges"]))
    account["charges"] += amount
    account["cells"][ADVANCE, segment, component] += amount


def take(account: Account, cells: Sequence[Cell], amount: int) -> int:
    """Pay the cells in their order. Returns what was paid."""
    left = amount
    for cell in cells:
        paid = min(left, account["cells"][cell])
        account["cells"][cell] -= paid
        left -= paid
        if cell == UNBILLED_INSTALMENTS:
            shorten_plans(account, paid)
    return amount - left


def shorten_plans(account: Account, amount: int) -> None:
    for plan in account["plans"]:
        gone = min(amount, plan["left"])
        plan["left"] -= gone
        amount -= gone
    account["plans"] = [plan for plan in account["plans"] if plan["left"]]


def pay_from_credit(account: Account) -> None:
    """Credit pays what is owed, past due first; instalments that are not billed wait for their bill."""
    everything = [(t, s, c) for t in TIMINGS for s in SEGMENTS for c in COMPONENTS]
    account["credit"] -= take(account, [cell for cell in everything if cell != UNBILLED_INSTALMENTS], account["credit"])


def fill_dues(account: Account, amount: int, day: date) -> None:
    """Oldest first. Where what is missing of passed days is within the tolerance, the line is late no longer."""
    for due in account["dues"]:
        paid = min(amount, due["amount"] - due["paid"])
        due["paid"] += paid
        amount -= paid
    account["dues"] = [due for due in account["dues"] if due["paid"] < due["amount"]]
    if unpaid_dues(account, day) <= account["product"].tolerance.payment_minor:
        account["late"] = False


def ask_less(account: Account, amount: int, day: date) -> None:
    """The newest dues ask for less: what they asked for is not billed any more."""
    for due in reversed(account["dues"]):
        less = min(amount, due["amount"] - due["paid"])
        due["amount"] -= less
        amount -= less
    fill_dues(account, 0, day)


def add_plan(
    account: Account, amount: int, months: int, fee_rate: Fraction | None, rate: Fraction | None, first_cut: date
) -> None:
    """first_cut: the first bill with an instalment is cut on this day or later."""
    account["cells"][UNBILLED_INSTALMENTS] += amount
    fee = half_up(amount * number(fee_rate or Fraction(0)))
    if amount:
        account["plans"].append(
            {"first": amount, "left": amount, "months": months, "place": 0, "fee": fee, "rate": rate or Fraction(0),
             "first_cut": first_cut}
        )  # fmt: skip


def owe_nothing(account: Account) -> None:
    account["cells"] = dict.fromkeys(account["cells"], 0)
    account["interest"] = dict.fromkeys(SEGMENTS, Decimal(0))
    account["penalties"] = dict.fromkeys(SEGMENTS, Decimal(0))
    account["shadow_billed"] = account["shadow_unbilled"] = Decimal(0)
    account["plans"], account["dues"], account["late"], account["open_bill"] = [], [], False, None
    account["claim"] = 0


# ---- The calendar --------------------------------------------------------------------------------------------------


def clamped(year: int, month: int, day: int) -> date:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


def statement_day_of(account: Account, day: date) -> date:
    return clamped(day.year, day.month, account["statement_day"])


def next_cut(account: Account, day: date) -> date:
    """The first statement day on a day or after it."""
    while day != statement_day_of(account, day):
        day += ONE_DAY
    return day


def due_on_after(account: Account, cut: date) -> date:
    cycle = account["line"].cycle
    if account["due_day"]:
        due = clamped(cut.year, cut.month, account["due_day"])
        if due <= cut:
            due = clamped(cut.year, cut.month + 1, account["due_day"])
    else:
        due = cut + timedelta(days=cycle.due_after_days)
    moved = working_day(account, due, {"none": 0, "next": 1, "previous": -1}[cycle.roll])
    if moved <= cut:
        moved = working_day(account, due, 1)
    return min(moved, clamped(cut.year, cut.month + 1, account["statement_day"]) - ONE_DAY)


def working_day(account: Account, day: date, step: int) -> date:
    cycle = account["line"].cycle
    while step and (day in cycle.holidays or (cycle.weekends and day.weekday() in (5, 6))):
        day += step * ONE_DAY
    return day
