"""The numbers of each lesson, and which of its sentences they call for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.words import Segment
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money, Rounding, round_fraction
from evenkeel.kernel.text import texts
from evenkeel.learning import figures
from evenkeel.learning.facts import Facts, exact

LOAN_MONTHS = 12  # over which a new loan is reckoned that would pay an old one: a usual term, a judgement
MOST_CALLS = 3  # effective conversations a day (CN-GBT-FREQ: GB/T 45251-2025, a recommended standard)
QUIET_HOURS = 10  # 22:00 to 08:00 (CN-GBT-HRS)
REPORTED_FEE_MINOR = 200_000  # of agents, as reported (a claim)
CLEARING = (date(2020, 1, 1), date(2025, 12, 31), 1_000_000, date(2026, 3, 31))  # CN-PBOC-REPAIR: days, amount, repaid

Bars = tuple[tuple[str, str, float], ...]  # key of the label, number in words, number


@dataclass(frozen=True, slots=True)
class Worked:
    """Numbers in words by the name that sentences use, the sentences themselves, and the figure's bars."""

    values: Mapping[str, str]
    lines: tuple[str, ...]
    bars: Bars
    title: str = "title"
    todo: str = "todo"


@dataclass(frozen=True, slots=True)
class Write:
    """How numbers are written in a language."""

    language: str

    def money(self, minor: int, currency: str) -> str:
        """1,200.00 CNY, or 1,200.00元."""
        text = str(Money(minor, currency))
        return text.replace(" CNY", "元") if self.language == "zh" else text

    def percent(self, rate: Fraction | float, most: int = 2) -> str:
        """A share in per cent, with as many decimals as it needs, at most `most`; rounded half up."""
        scaled = round_fraction(Fraction(rate) * 100 * 10**most, Rounding.HALF_UP)
        text = f"{scaled // 10**most}.{scaled % 10**most:0{most}d}".rstrip("0").rstrip(".")
        return f"{text} %" if self.language == "en" else f"{text}%"

    def tenths(self, number: Fraction) -> str:
        """A number with one decimal, rounded half up."""
        scaled = round_fraction(number * 10, Rounding.HALF_UP)
        return f"{scaled // 10}.{scaled % 10}".removesuffix(".0")

    def hours(self, number: int) -> str:
        """10 h."""
        return texts(self.language)("learn.collectors.hours_text", hours=number)


def _given(amount: int | None) -> int:
    """A fact that the lesson's needs, or its example, make sure of."""
    assert amount is not None  # noqa: S101 - `Entry.needs` names it
    return amount


def _product(facts: Facts) -> Product:
    """The line's product. Raises InvalidInput on one that is not shipped, or is in another currency."""
    product = shipped(facts.product)
    if product.currency != facts.currency:
        raise InvalidInput(
            f"`product` {facts.product} is in {product.currency}, and the facts are in {facts.currency}.",
            "Name a product of that currency, or leave it out for a card in CNY.",
        )
    return product


def _fee_rate(facts: Facts, write: Write) -> Worked:
    amount, count, fee = _given(facts.amount_minor), _given(facts.instalments), exact(facts.fee_rate_per_period)
    found = figures.by_fee(amount, count, fee, facts.on or figures.ANY_DAY)
    values = {
        "fee": write.percent(fee, 4),
        "told": write.percent(found.told),
        "simple": write.percent(found.yearly.simple),
        "compound": write.percent(found.yearly.compound),
        "amount": write.money(amount, facts.currency),
        "count": str(count),
        "first": write.money(found.first_minor, facts.currency),
        "cost": write.money(found.cost_minor, facts.currency),
    }
    bars = (
        ("told", values["told"], float(found.told)),
        ("simple", values["simple"], float(found.yearly.simple)),
    )
    return Worked(values, ("sounds", "is", "costs"), bars)


def _daily_rate(facts: Facts, write: Write) -> Worked:
    rate = exact(facts.rate_daily)
    found = figures.yearly(rate)
    amount = facts.amount_minor or Money.parse("1000", facts.currency).minor
    cost = round_fraction(amount * found.simple, Rounding.HALF_UP)
    values = {
        "rate": write.percent(rate, 4),
        "simple": write.percent(found.simple),
        "compound": write.percent(found.compound),
        "amount": write.money(amount, facts.currency),
        "cost": write.money(cost, facts.currency),
    }
    bars = (
        ("got", values["amount"], float(amount)),
        ("owed", write.money(amount + cost, facts.currency), float(amount + cost)),
    )
    return Worked(values, ("times", "compound", "costs"), bars)


def _next_purchase(facts: Facts, write: Write) -> Worked:
    price, monthly = _given(facts.amount_minor), _given(facts.plan_monthly_minor)
    months = Fraction(price, monthly)
    values = {
        "price": write.money(price, facts.currency),
        "monthly": write.money(monthly, facts.currency),
        "months": write.tenths(months),
    }
    bars: Bars = (("price", values["months"], float(months)),)
    line = "beside"
    if facts.plan_balance_minor is not None:
        rate = exact(facts.plan_rate_annual)
        before = figures.by_fixed(facts.plan_balance_minor, monthly, rate).months
        after = figures.by_fixed(facts.plan_balance_minor + price, monthly, rate).months
        if before is not None and after is not None:
            line = "later"
            values |= {"before": str(before), "after": str(after), "later": str(after - before)}
            bars = (("before", str(before), float(before)), ("after", str(after), float(after)))
    return Worked(values, ("months", line, "none"), bars)


def _minimum(facts: Facts, write: Write) -> Worked:
    product, amount = _product(facts), _given(facts.bill_minor)
    own = None if facts.rate_annual is None else exact(facts.rate_annual)
    bill = figures.by_minimum(product, amount, facts.on or figures.ANY_DAY, own)
    least = bill.least
    values = {
        "bill": write.money(amount, facts.currency),
        "due": bill.due_on.isoformat(),
        "full": write.money(bill.full_minor, facts.currency),
        "first": write.money(least.first_minor, facts.currency),
        "months": str(least.months),
        "cost": write.money(least.cost_minor, facts.currency),
    }
    full = "full" if bill.full_minor else "full_free"
    bars: Bars = (("full", values["full"], float(bill.full_minor)),)
    if least.months == 1:
        return Worked(values, (full, "whole"), bars, "title_whole", "todo_whole")
    lines: tuple[str, ...] = (full, "never" if least.months is None else "least")
    rate = product.rate_on(Segment.PURCHASE, bill.due_on) if own is None else own
    fixed = figures.by_fixed(amount, least.first_minor, rate)
    if fixed.months is not None and (least.months is None or fixed.months < least.months):
        values |= {"fixed_months": str(fixed.months), "fixed_cost": write.money(fixed.cost_minor, facts.currency)}
        bars += (("fixed", values["fixed_cost"], float(fixed.cost_minor)),)
        lines += ("fixed",)
    bars += (("least", values["cost"], float(least.cost_minor)),)
    return Worked(values, lines, bars, "title_never" if least.months is None else "title")


def _borrow_to_repay(facts: Facts, write: Write) -> Worked:
    missed, rate = _given(facts.missed_minor), exact(facts.loan_rate_daily)
    loan = figures.by_day_rate(missed, LOAN_MONTHS, rate, facts.on or figures.ANY_DAY)
    late = figures.late_fee(_product(facts), missed)
    values = {
        "missed": write.money(missed, facts.currency),
        "rate": write.percent(rate, 4),
        "simple": write.percent(loan.told),
        "cost": write.money(loan.cost_minor, facts.currency),
        "count": str(LOAN_MONTHS),
        "first": write.money(loan.first_minor, facts.currency),
        "late": write.money(late, facts.currency),
    }
    bars = (("late", values["late"], float(late)), ("loan", values["cost"], float(loan.cost_minor)))
    return Worked(values, ("costs", "more", "late" if late else "late_none"), bars)


def _call_first(facts: Facts, write: Write) -> Worked:
    product, missed = _product(facts), _given(facts.missed_minor)
    late, days = figures.late_fee(product, missed), product.tolerance.grace_days
    values = {
        "missed": write.money(missed, facts.currency),
        "late": write.money(late, facts.currency),
        "days": str(days),
    }
    lines = ("late" if late else "late_none", *(("grace",) if days else ()), "order", "who")
    return Worked(values, lines, (("missed", values["missed"], float(missed)), ("late", values["late"], float(late))))


def _plan_terms(facts: Facts, write: Write) -> Worked:
    monthly, left = _given(facts.plan_monthly_minor), _given(facts.left_minor)
    values = {
        "monthly": write.money(monthly, facts.currency),
        "left": write.money(left, facts.currency),
        "share": write.percent(Fraction(monthly, left), 0 if monthly >= left / 100 else 2),
        "spare": write.money(left - monthly, facts.currency),
        "gap": write.money(monthly - left, facts.currency),
    }
    bars = (("left", values["left"], float(left)), ("monthly", values["monthly"], float(monthly)))
    over = monthly > left
    return Worked(values, ("over" if over else "share", "myth", "written"), bars, todo="todo_over" if over else "todo")


def _collectors(facts: Facts, write: Write) -> Worked:
    calls = facts.calls_today
    values = {"most": str(MOST_CALLS), "calls": str(calls), "over": str((calls or 0) - MOST_CALLS)}
    counted = () if calls is None else ("calls_over",) if calls > MOST_CALLS else ("calls",)
    bars = (
        ("quiet", write.hours(QUIET_HOURS), float(QUIET_HOURS)),
        ("open", write.hours(24 - QUIET_HOURS), float(24 - QUIET_HOURS)),
    )
    return Worked(values, ("hours", *counted, "people", "debt"), bars)


def _repair(facts: Facts, write: Write) -> Worked:
    until = CLEARING[3]
    fee = facts.agent_fee_minor or REPORTED_FEE_MINOR
    values = {
        "most": write.money(CLEARING[2], "CNY"),
        "until": until.isoformat(),
        "fee": write.money(fee, facts.currency),
        "item_on": facts.item_on.isoformat() if facts.item_on else "",
        "item": write.money(facts.item_minor or 0, facts.currency),
        "repaid_on": facts.repaid_on.isoformat() if facts.repaid_on else "",
    }
    open_still = facts.on is not None and facts.on <= until
    lines = ["open" if open_still else "over"]
    if facts.item_on is not None and facts.item_minor is not None and facts.currency == "CNY":
        lines.append(_cleared(facts.item_on, facts.item_minor, facts.repaid_on, open_still))
    lines.append("law")
    if facts.agent_fee_minor is None:
        lines.append("fee_reported")
    elif facts.plan_monthly_minor:
        values["months"] = write.tenths(Fraction(fee, facts.plan_monthly_minor))
        lines.append("fee_months")
    else:
        lines.append("fee")
    bars = (("agent", values["fee"], float(fee)), ("self", write.money(0, facts.currency), 0.0))
    return Worked(values, tuple(lines), bars)


def _cleared(item_on: date, item_minor: int, repaid_on: date | None, open_still: bool) -> str:
    """Whether an entry falls within the one-off clearing."""
    begin, end, most, until = CLEARING
    if not (begin <= item_on <= end and item_minor <= most):
        return "item_out"
    if repaid_on is None:
        return "item_open" if open_still else "item_out"
    return "item_in" if repaid_on <= until else "item_out"


WORKINGS: Mapping[str, Callable[[Facts, Write], Worked]] = {
    "fee_rate": _fee_rate,
    "next_purchase": _next_purchase,
    "daily_rate": _daily_rate,
    "minimum": _minimum,
    "borrow_to_repay": _borrow_to_repay,
    "call_first": _call_first,
    "plan_terms": _plan_terms,
    "collectors": _collectors,
    "repair": _repair,
}
