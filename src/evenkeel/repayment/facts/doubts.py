"""What a case leaves open or says against itself, before any law: questions, each with what its answer may change.

The measure is a month's payment: what an amount makes when it is paid in level instalments over 36 months.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evenkeel.measures.annuity import pmt
from evenkeel.repayment.case import Between, Case, Debt, Household, Known
from evenkeel.repayment.model import MILLION, Question

WEIGHED_MONTHS = 36  # a usual plan (judgement)
_HISTORY_TOLERANCE = 0.30  # a stated month so far from the mean of those seen is asked about (judgement)


def high(known: Known) -> int | None:
    """The most that a fact may be; None where nothing is known."""
    return known.high_minor if isinstance(known, Between) else known


def low(known: Known) -> int | None:
    """The least that a fact may be; None where nothing is known."""
    return known.low_minor if isinstance(known, Between) else known


def level(balance_minor: int, rate_micros: int) -> int:
    """The level payment of a balance over WEIGHED_MONTHS: the measure of questions, in minor units of a month."""
    return round(float(pmt(rate_micros / MILLION / 12, WEIGHED_MONTHS, -balance_minor)))


def by_weight(questions: Iterable[Question]) -> tuple[Question, ...]:
    """Questions in the order in which to ask them: those without which there is no plan, then the heavier ones."""
    return tuple(sorted(questions, key=lambda one: (not one.blocking, -one.weight_minor, one.about, one.key)))


def doubts(case: Case) -> tuple[Question, ...]:
    """What of a household and its debts is not known, or cannot be true together. Balances, rates and law: `claims`."""
    everything = sum(level(_owed(debt), round((debt.rate_annual or 0) * MILLION)) for debt in case.debts)
    found = [*_incomes(case, everything), *_spending(case, everything)]
    if not case.debts:
        found.append(Question("debts", "repay.ask.no_debts", blocking=True))
    for debt in case.debts:
        found += _debt(case, debt)
    return by_weight(found)


def _owed(debt: Debt) -> int:
    parts = (debt.principal_minor, debt.interest_minor, debt.fees_minor, debt.penalty_minor)
    return max(high(debt.balance_minor) or 0, sum(high(part) or 0 for part in parts))


def _incomes(case: Case, everything: int) -> Iterator[Question]:
    incomes = case.household.incomes
    if not incomes:
        yield Question("household.incomes", "repay.ask.no_income", everything)
    untold = [one for one in incomes if one.amount_minor is None and not one.history_minor]
    for income in untold:
        blocking = len(untold) == len(incomes)
        yield Question(f"household.incomes.{income.id}.amount_minor", "repay.ask.income", everything, blocking)
    for income in incomes:
        about, told = f"household.incomes.{income.id}", income.amount_minor
        if isinstance(told, Between) and not income.history_minor and told.low_minor < told.high_minor:
            yield Question(f"{about}.amount_minor", "repay.ask.income_between", told.high_minor - told.low_minor)
        if income.history_minor and told is not None:
            seen = sum(income.history_minor) // len(income.history_minor)
            nearest = min(max(seen, low(told) or 0), high(told) or 0)
            if abs(nearest - seen) > _HISTORY_TOLERANCE * max(seen, nearest):
                values = {"told_minor": nearest, "seen_minor": seen}
                yield Question(f"{about}.amount_minor", "repay.ask.income_history", abs(nearest - seen), values=values)
        if income.pay_day is None:
            yield Question(f"{about}.pay_day", "repay.ask.pay_day")
        if income.until_on and income.until_on < case.as_of:
            yield Question(f"{about}.until_on", "repay.ask.income_over", high(told) or 0)


def _spending(case: Case, everything: int) -> Iterator[Question]:
    house: Household = case.household
    if not house.members:
        yield Question("household.members", "repay.ask.members", blocking=True)
    if house.savings_minor is None:
        yield Question("household.savings_minor", "repay.ask.savings")
    for number, one in enumerate(house.priority):
        about = f"household.priority[{number}]"
        if one.monthly_minor is None:
            values = {"kind": one.kind}  # nothing can be promised to others before it is known
            yield Question(f"{about}.monthly_minor", "repay.ask.priority", everything, blocking=True, values=values)
        if one.arrears_minor is None:
            values = {"kind": one.kind}
            yield Question(f"{about}.arrears_minor", "repay.ask.arrears", blocking=True, values=values)
        for name in ("monthly_minor", "arrears_minor"):
            told = getattr(one, name)
            if isinstance(told, Between) and told.low_minor < told.high_minor:
                width = told.high_minor - told.low_minor
                weight = width if name == "monthly_minor" else width // WEIGHED_MONTHS
                yield Question(f"{about}.{name}", "repay.ask.between", weight)
        if one.until_on and one.until_on < case.as_of:
            yield Question(f"{about}.until_on", "repay.ask.priority_over", high(one.monthly_minor) or 0)
    for number, money in enumerate(house.one_off):
        if money.on < case.as_of:
            weight = money.amount_minor // WEIGHED_MONTHS
            yield Question(f"household.one_off[{number}].on", "repay.ask.one_off_past", weight)


def _debt(case: Case, debt: Debt) -> Iterator[Question]:
    about, owed = f"debts.{debt.id}", _owed(debt)
    share = owed // WEIGHED_MONTHS
    for name in ("opened_on", "last_payment_on", "last_demand_on"):
        day = getattr(debt, name)
        if day and day > case.as_of:
            yield Question(f"{about}.{name}", "repay.ask.day_ahead", values={"day": day.isoformat()})
        elif day and debt.opened_on and day < debt.opened_on <= case.as_of:
            values = {"day": day.isoformat(), "opened_on": debt.opened_on.isoformat()}
            yield Question(f"{about}.{name}", "repay.ask.before_opened", values=values)
    if debt.opened_on and (debt.days_past_due or 0) > max(0, (case.as_of - debt.opened_on).days):
        values = {"days": debt.days_past_due, "opened_on": debt.opened_on.isoformat()}
        yield Question(f"{about}.days_past_due", "repay.ask.late_before_opened", values=values)
    if debt.lent_minor is not None and (debt.received_minor or 0) > debt.lent_minor:
        values = {"lent_minor": debt.lent_minor, "received_minor": debt.received_minor}
        yield Question(f"{about}.received_minor", "repay.ask.received_more", values=values)
    paid = sum(one.amount_minor for one in debt.payments)
    if debt.payments and debt.paid_minor is not None and paid != debt.paid_minor:
        values = {"sum_minor": paid, "paid_minor": debt.paid_minor}
        weight = abs(paid - debt.paid_minor) // WEIGHED_MONTHS
        yield Question(f"{about}.paid_minor", "repay.ask.paid_sum", weight, values=values)
    if any(one.on > case.as_of or (debt.opened_on and one.on < debt.opened_on) for one in debt.payments):
        yield Question(f"{about}.payments", "repay.ask.payment_days", share)
    if debt.stage == "closed" and owed:
        yield Question(f"{about}.stage", "repay.ask.closed_but_owed", share, values={"balance_minor": owed})
    if (low(debt.minimum_minor) or 0) > owed > 0:
        yield Question(f"{about}.minimum_minor", "repay.ask.minimum_above", values={"balance_minor": owed})
