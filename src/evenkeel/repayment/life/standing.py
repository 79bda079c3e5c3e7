"""What a household of a plan owes on a later day: the case that the plan was made from, brought up to that day.

While a signed plan is kept, or can still be caught up, its concessions hold: what was waived is not owed, and what is
left bears the rate that was agreed. Without a signature, and once a plan is broken, the debts are owed as they were,
at their own rate (a judgement: an agreement may say otherwise; then the household's case is told anew). What was paid
is taken off month by month, as the plan reckons interest. Arrears of priority debts come before all creditors: what
the plan set aside for them by that day is not owed again, unless an instalment was missed by then. Whether it was paid,
and what else has changed in the household, is not known here: `since` asks.
"""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from evenkeel.kernel.calendar import month_of
from evenkeel.repayment.case import COMPONENTS, Between, Case, Component, Debt, Household, Known
from evenkeel.repayment.choice.value import interest
from evenkeel.repayment.facts.doubts import high
from evenkeel.repayment.household.outlook import arrears_months, due_days, outlook, spare_months
from evenkeel.repayment.law.creditor import own_key, told_policy
from evenkeel.repayment.law.essentials import essentials
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.life.life import GRACE_DAYS, PAYING, Life, late_on
from evenkeel.repayment.model import MILLION, Claim

# A payment is of the month that it is due in, though its day and the grace may end in the next (after a late pay day).
_LATER = timedelta(days=GRACE_DAYS + 1)


def case_on(case: Case, life: Life, on: date) -> Case:
    """The case of a plan on a day. Debts that the plan does not hold stay as they were told."""
    if life.signed_on is None:
        months = month_of(on) - month_of(case.as_of)
        owed = {claim.debt_id: claim for claim in claims(case)[0]}
        days = (on - case.as_of).days
        debts = [_accrued(debt, owed.get(debt.id), months, days) for debt in case.debts]
        return replace(case, as_of=on, debts=tuple(debts))
    owed = {claim.debt_id: claim for claim in claims(case)[0] if claim.debt_id in life.creditors}
    merged = {name for claim in owed.values() for name in claim.merged}
    debts = [
        _owed(debt, owed[debt.id], life, on) if debt.id in owed else debt
        for debt in case.debts
        if debt.id not in merged
    ]
    policies = dict(case.policies)
    for debt in case.debts:
        if life.status in PAYING and life.asked_minor.get(debt.id) and (policy := told_policy(case, debt)):
            key = own_key(debt) if own_key(debt) in policies else debt.creditor
            policies[key] = replace(policy, waivers={})  # it has waived what it would, and is not asked twice
    return replace(
        case, as_of=on, debts=tuple(debts), policies=policies, household=_household(case, life, on)
    )  # fmt: skip


def _household(case: Case, life: Life, on: date) -> Household:
    """Without the money that was there once and went into the plan, and without the arrears that it was to pay."""
    house = case.household
    first, later = _set_aside(case, life, on)
    start = first + sum(row["amount_minor"] for row in life.document["schedule"] if not row["month"])
    savings = house.savings_minor
    if isinstance(savings, int):
        savings = max(min(savings, house.reserve_minor), savings - start)
    priority, rest = [], first + later
    for one in house.priority:
        taken = min(high(one.arrears_minor) or 0, rest)
        priority.append(replace(one, arrears_minor=_less(one.arrears_minor, taken)))
        rest -= taken
    return replace(
        house, savings_minor=savings, priority=tuple(priority),
        one_off=tuple(one for one in house.one_off if one.on > on),
    )  # fmt: skip


def _set_aside(case: Case, life: Life, on: date) -> tuple[int, int]:
    """What a signed plan left for arrears of priority debts by a day, at its start and in the months since: what a low
    month has over goes to them first. Once an instalment was missed nothing is taken as paid any more."""
    owed = sum(high(one.arrears_minor) or 0 for one in case.household.priority)
    if not owed:
        return 0, 0
    ahead = outlook(case, essentials(case).total_minor)
    start_on, *days = due_days(case, ahead)
    missed = late_on(life, on)
    until = min(on, missed[0].due_on - timedelta(days=1)) if missed else on
    months = arrears_months(spare_months(case, ahead), ahead.arrears_minor)
    later = sum(int(paid) for day, paid in zip(days, months, strict=True) if day <= until)
    return owed - ahead.arrears_minor if start_on <= until else 0, later


def _less(known: Known, amount: int) -> Known:
    if isinstance(known, Between):
        return Between(max(0, known.low_minor - amount), max(0, known.high_minor - amount))
    return None if known is None else max(0, known - amount)


def _accrued(debt: Debt, claim: Claim | None, months: int, days: int) -> Debt:
    """A debt under no plan, some months later: with their interest, where its amounts are told."""
    if claim is None or months <= 0:
        return debt
    grown = months * interest(claim.balance_minor, claim.rate_micros)
    late = debt.days_past_due
    return replace(
        debt, interest_minor=_more(debt.interest_minor, grown), balance_minor=_more(debt.balance_minor, grown),
        days_past_due=late + days if late else late,
    )  # fmt: skip


def _more(known: Known, amount: int) -> Known:
    if isinstance(known, Between):
        return Between(known.low_minor + amount, known.high_minor + amount)
    return None if known is None else known + amount


def _owed(debt: Debt, claim: Claim, life: Life, on: date) -> Debt:
    """A debt of a signed plan: what is left of it, told in parts, so that no rule takes off again what it did before.

    It stays as late as it was: what its creditor would get without a plan has not changed.
    """
    asked = next(one["asked"] for one in life.document["creditors"] if one["debt_id"] == claim.debt_id)
    held = life.status in PAYING
    waived = asked["waived"] if held else {}
    rate = round(asked["rate_annual"] * MILLION) if held else claim.rate_micros
    parts = {name: getattr(claim, f"{name}_minor") - waived.get(name, 0) for name in COMPONENTS}
    first = month_of(life.begins_on)
    paid: dict[int, int] = {}
    for one in life.payments.values():
        if one.debt_id == claim.debt_id:
            month = max(0, month_of(one.on - _LATER) - first)
            paid[month] = paid.get(month, 0) + one.amount_minor
    for month in range(max(month_of(on) - first, *paid, 0) + 1):
        if month:
            parts["interest"] += interest(sum(parts.values()), rate)
        _take(parts, paid.get(month, 0))
    return replace(
        debt, **{f"{name}_minor": amount for name, amount in parts.items()}, balance_minor=None,
        rate_annual=rate / MILLION, lent_minor=None, received_minor=None, paid_minor=None, payments=(),
        last_payment_on=max((one.on for one in life.payments.values() if one.debt_id == debt.id),
                            default=debt.last_payment_on),
    )  # fmt: skip


def _take(parts: dict[Component, int], paid_minor: int) -> None:
    """A payment: fees, then penalty, interest and principal (as Civil Code art. 561: costs, interest, the rest)."""
    for name in COMPONENTS:
        taken = min(parts[name], paid_minor)
        parts[name] -= taken
        paid_minor -= taken
