"""Households to plan for, drawn: Chinese people who owe several lenders, as files to try, test and teach with.

Marginals are those of `reference/marginals.md` where it has any (named beside each); what it does not have is a
judgement. They are drawn one by one and not together, so a sample shows what may happen to households, not how many
there are of each. The same seed and number give the same household.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from math import exp
from random import Random
from typing import Any, Literal

from evenkeel.repayment.case import (
    Authority,
    Between,
    Case,
    Component,
    Debt,
    Essential,
    Household,
    Income,
    Known,
    LenderType,
    Member,
    OneOff,
    Policy,
    Priority,
    Recovery,
)

_YUAN = 100

# How many lenders: of people with two or more 57 / 22 / 10 / 10.8 % have 2 / 3 / 4 / more (Jiguang 2018, secondary);
# one person in five has one (judgement: whoever has one needs no plan over all).
_LENDERS = (20, 46, 18, 8, 4, 2, 1, 1)  # weights of 1 to 8
# Days past due: a plan is wanted when the first bills are missed (judgement).
_LATE = ((25, 0, 0), (35, 1, 30), (20, 31, 90), (10, 91, 180), (10, 181, 900))
# Wages a month by trade (NBS 2024, secondary), and how many work there; a clerk's is the urban mean a head times what
# an earner has of it (judgement).
_WAGES = ((27.9, 4_978), (14.3, 5_743), (13.6, 4_362), (12.3, 4_023), (7.2, 5_635), (7.1, 4_141), (17.6, 7_000))
_WAGE_SPREAD = 0.25  # of the logarithm, within a trade (judgement)
_REGIONS = ("湖北", "河南", "四川", "湖南", "广东", "浙江", "江苏", "上海", "深圳", "黑龙江", "甘肃", None)
_RIDERS_SEASON = (0.9, 0.6, 0.9, 1.0, 1.0, 1.05, 1.15, 1.15, 1.0, 1.0, 1.1, 1.15)  # Spring Festival stands still
_SHOPS_SEASON = (1.4, 0.5, 0.8, 0.9, 1.0, 1.0, 0.9, 0.9, 1.1, 1.2, 1.1, 1.2)

_NOT_TOLD = 0.04  # of amounts (these three: judgements)
_NO_RATE = 0.12
_A_RANGE = 0.12


@dataclass(frozen=True, slots=True)
class _Lender:
    """A kind of lender: weight among debts, a usual balance in yuan and the spread of its logarithm, yearly rates."""

    name: str
    lender_type: LenderType
    weight: float
    balance: int
    spread: float
    rates: tuple[float, ...]


# Balances: Huabei about 2,000 a user (Ant, mid-2020); cards 30,900 of limit, 37.82 % used (PBoC 2024Q3); a draw of Qifu
# 7,500, of Mashang 2,000 to 3,000; a loan of X Financial 9,654 to 11,181 (read or secondary). Rates: 0.05 % a day on
# cards, 13.5 to 16 % on pay-later instalments, 20 to 24 % all in on platforms (memory or secondary). Weights and
# spreads, and what is owed to people, are judgements.
_KINDS = (
    _Lender("bank", "bank_card", 0.34, 11_700, 0.7, (0.1825, 0.1825, 0.155)),
    _Lender("huabei", "consumer_finance", 0.18, 2_000, 0.7, (0.1825, 0.16, 0.135)),
    _Lender("baitiao", "consumer_finance", 0.12, 2_500, 0.7, (0.16, 0.135)),
    _Lender("platform", "platform", 0.14, 7_500, 0.6, (0.216, 0.24)),
    _Lender("consumer-finance", "consumer_finance", 0.08, 6_000, 0.6, (0.20, 0.24)),
    _Lender("micro-loan", "micro_loan", 0.06, 3_000, 0.5, (0.24, 0.36)),
    _Lender("bank-loan", "bank_loan", 0.03, 30_000, 0.6, (0.0435, 0.072)),
    _Lender("private", "private", 0.05, 15_000, 0.8, (0.0, 0.12, 0.24, 0.36)),
)  # fmt: skip


def households(seed: int, as_of: date) -> Iterator[Case]:
    """Cases without end, the same for the same seed and day."""
    return (household(seed, number, as_of) for number in count(1))


def household(seed: int, number: int, as_of: date) -> Case:
    """One of them: `sample-SEED-NUMBER`."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - households, not keys
    house = _house(chance, as_of)
    debts = _debts(chance, as_of)
    return Case(
        case_id=f"sample-{seed}-{number}",
        as_of=as_of,
        household=house,
        debts=debts,
        policies=_policies(chance, debts),
        role="supervisor" if chance.random() < 0.7 else None,
        fairness=1.5 if chance.random() < 0.08 else None,
        seed=number,
    )


# ---- Who lives on what ---------------------------------------------------------------------------------------------

Kind = Literal["employee", "laid_off", "rider", "shop", "pensioner", "student"]
_HOUSES: tuple[Kind, ...] = ("employee", "laid_off", "rider", "shop", "pensioner", "student")
_HOUSE_WEIGHTS = (45, 15, 18, 10, 6, 6)  # 71 % of users are under 40 (Qifu 2024, secondary); the rest is a judgement


def _house(chance: Random, as_of: date) -> Household:
    kind = chance.choices(_HOUSES, _HOUSE_WEIGHTS)[0]
    earns = round(_around(chance, chance.choices([wage for _, wage in _WAGES], [one for one, _ in _WAGES])[0],
                          _WAGE_SPREAD))  # fmt: skip
    members = [Member("adult", chance.randint(20, 39) if chance.random() < 0.71 else chance.randint(40, 59))]
    if kind == "pensioner":
        members = [Member("elder", chance.randint(60, 78))]
    elif kind == "student":
        members = [Member("adult", chance.randint(18, 23))]
    incomes = _incomes(chance, kind, earns, as_of)
    together = kind not in ("pensioner", "student") and chance.random() < 0.45
    if together:
        members.append(Member())
        members += [Member("child", chance.randint(0, 17)) for _ in range(chance.choices((0, 1, 2), (40, 45, 15))[0])]
        if chance.random() < 0.75:
            incomes.append(_income(chance, "partner", "wage", round(_around(chance, 4_300, 0.3))))
    if kind != "student" and chance.random() < 0.12:
        members.append(Member("elder", chance.randint(60, 85)))
    monthly = earns * (2 if together else 1)
    savings = chance.choices((None, 0, round(monthly * chance.uniform(0.1, 1.5)) * _YUAN), (10, 50, 40))[0]
    return Household(
        members=tuple(members), incomes=tuple(incomes), essentials=_essentials(chance, len(members)),
        priority=_priority(chance, monthly, kind), savings_minor=savings,
        reserve_minor=chance.choice((0, 0, 500 * _YUAN)), one_off=_one_off(chance, as_of),
        region=chance.choice(_REGIONS),
    )  # fmt: skip


def _incomes(chance: Random, kind: Kind, earns: int, as_of: date) -> list[Income]:
    match kind:
        case "employee":
            return [_income(chance, "wage", "wage", earns)]
        case "laid_off":  # unemployment insurance for some months, odd jobs, often a new job later
            until = as_of + timedelta(days=30 * chance.randint(2, 10))
            found = [_income(chance, "insurance", "benefit", 1_500, until_on=until),
                     _income(chance, "odd-jobs", "gig", round(earns * chance.uniform(0.4, 0.8)))]  # fmt: skip
            if chance.random() < 0.5:
                starts = as_of + timedelta(days=30 * chance.randint(2, 8))
                found.append(_income(chance, "new-job", "wage", earns, from_on=starts))
            return found
        case "rider":
            season = _RIDERS_SEASON if chance.random() < 0.6 else None
            return [_income(chance, "deliveries", "gig", round(earns * 1.3), season=season)]
        case "shop":
            season = _SHOPS_SEASON if chance.random() < 0.6 else None
            return [_income(chance, "shop", "business", round(_around(chance, earns * 1.4, 0.4)), season=season)]
        case "pensioner":
            return [_income(chance, "pension", "pension", round(_around(chance, 3_000, 0.4)))]
        case "student":
            return [_income(chance, "parents", "support", chance.choice((1_200, 1_500, 2_000))),
                    _income(chance, "part-time", "gig", chance.choice((600, 900, 1_200)))]  # fmt: skip


def _income(chance: Random, name: str, kind: Any, yuan: int, **facts: Any) -> Income:
    """An income as somebody tells it: an amount, a range, months seen, or nothing."""
    amount = _known(chance, yuan * _YUAN, _NOT_TOLD)
    history: tuple[int, ...] = ()
    if amount is not None and "from_on" not in facts and chance.random() < 0.35:
        spread = {"wage": 0.08, "pension": 0.0, "benefit": 0.0}.get(kind, 0.22)
        history = tuple(round(_around(chance, yuan, spread)) * _YUAN for _ in range(chance.choice((3, 6, 12, 18))))
    return Income(
        name, kind, amount, history, pay_day=chance.choice((None, 1, 5, 10, 15, 15, 25)),
        evidence=chance.choice(("verified", "statement", "declared", "declared")), **facts,
    )  # fmt: skip


def _essentials(chance: Random, members: int) -> tuple[Essential, ...]:
    """What is told of them: often nothing, or food and a few others; amounts a head are judgements."""
    if chance.random() < 0.3:
        return ()
    usual: dict[Any, int] = {"food": 700, "transport": 150, "communication": 60, "health": 100, "other": 200}
    told = [name for name in usual if chance.random() < 0.85]
    return tuple(
        Essential(name, _known(chance, round(_around(chance, usual[name] * members**0.8, 0.2)) * _YUAN, 0.02))
        for name in told
    )


def _priority(chance: Random, monthly: int, kind: Kind) -> tuple[Priority, ...]:
    """Home first. 75.9 % of the debts of urban households in debt are mortgages (PBoC 2019); of those who owe platforms
    fewer own a home, and shares of income are judgements."""
    found: list[Priority] = []

    def add(name: Any, share: float, late: float) -> None:
        amount = round(monthly * share) * _YUAN
        arrears = amount * chance.choice((1, 1, 2, 3)) if chance.random() < late else 0
        found.append(Priority(name, _known(chance, amount, 0.01), arrears, chance.choice((1, 5, 20))))

    home = chance.random()
    if kind != "student" and home < 0.25:
        add("mortgage", chance.uniform(0.2, 0.4), 0.2)
    elif kind != "student" and home < 0.7:
        add("rent", chance.uniform(0.1, 0.25), 0.15)
    if kind != "student" and chance.random() < 0.5:
        add("utilities", chance.uniform(0.02, 0.05), 0.1)
    if chance.random() < 0.04:
        add("support", chance.uniform(0.1, 0.2), 0.3)
    return tuple(found)


def _one_off(chance: Random, as_of: date) -> tuple[OneOff, ...]:
    if chance.random() < 0.85:
        return ()
    on = as_of + timedelta(days=chance.randint(0, 300))
    return (OneOff(on, chance.choice((2_000, 5_000, 10_000, 30_000)) * _YUAN, "help of the family"),)


# ---- What is owed --------------------------------------------------------------------------------------------------


def _debts(chance: Random, as_of: date) -> tuple[Debt, ...]:
    number = chance.choices(range(1, len(_LENDERS) + 1), _LENDERS)[0]
    found: list[Debt] = []
    late = _late(chance)
    while len(found) < number:
        kind = chance.choices(_KINDS, [one.weight for one in _KINDS])[0]
        same = sum(debt.creditor.startswith(kind.name) for debt in found)
        if same and kind.name in ("huabei", "baitiao"):
            continue
        # Who is late with one is late with the others, more or less.
        days = late if chance.random() < 0.6 else max(late - chance.randint(0, 60), 0)
        found.append(_debt(chance, kind, f"{kind.name}-{same + 1}", days, as_of))
    sold = next((debt for debt in found if debt.stage == "sold"), None)
    if sold is not None and chance.random() < 0.5:  # its old lender claims it as well
        found.append(_debt_again(sold))
    return tuple(found)


def _debt(chance: Random, kind: _Lender, name: str, days: int, as_of: date) -> Debt:
    principal = max(round(_around(chance, kind.balance, kind.spread)), 50) * _YUAN
    rate = chance.choice(kind.rates)
    interest = round(principal * rate * (days + 20) / 365)
    penalty, fees = round(interest * 0.5) if days > 30 else 0, round(principal * 0.02) if days else 0
    opened = as_of - timedelta(days=days + chance.randint(60, 900))
    facts: dict[str, Any] = {
        "rate_annual": None if chance.random() < _NO_RATE else rate,
        "days_past_due": days, "due_day": chance.randint(1, 28), "opened_on": opened if chance.random() < 0.7 else None,
    }  # fmt: skip
    if chance.random() < 0.6:
        facts |= {"principal_minor": principal, "interest_minor": interest}
        facts |= {"fees_minor": fees, "penalty_minor": penalty}
    else:
        facts["balance_minor"] = _known(chance, principal + interest + penalty + fees, _NOT_TOLD / 2)
    if kind.lender_type == "private" and chance.random() < 0.6:
        facts |= {"lpr_annual": 0.031, "lent_minor": principal, "paid_minor": 0, "opened_on": opened}
        if chance.random() < 0.4:
            facts["received_minor"] = round(principal * 0.9)
    if days > 180 and chance.random() < 0.5:
        facts["stage"] = chance.choice(("charged_off", "charged_off", "sold", "judgement"))
    if chance.random() < 0.04:
        facts["disputed"] = chance.choice(("fees", "fees", "amount", "identity"))
    if facts.get("stage") == "sold":
        facts |= {"original_creditor": name, "original_id": f"{name}-account", "original_lender_type": kind.lender_type}
        return Debt(f"{name}-bought", f"buyer-of-{name}", "debt_buyer", **facts)
    return Debt(f"{name}-account", name, kind.lender_type, **facts)


def _debt_again(sold: Debt) -> Debt:
    assert sold.original_id and sold.original_creditor and sold.original_lender_type  # noqa: S101 - as made above
    return Debt(
        sold.original_id, sold.original_creditor, sold.original_lender_type, balance_minor=sold.balance_minor,
        principal_minor=sold.principal_minor, rate_annual=sold.rate_annual, days_past_due=sold.days_past_due,
    )  # fmt: skip


# ---- What creditors agree to (all judgements) ----------------------------------------------------------------------


def _policies(chance: Random, debts: Sequence[Debt]) -> dict[str, Policy]:
    found = {}
    for debt in debts:
        if chance.random() < 0.8:
            found[debt.creditor] = _policy(chance, debt)
    return found


def _policy(chance: Random, debt: Debt) -> Policy:
    card, person = debt.lender_type == "bank_card", debt.lender_type == "private"
    waivers: dict[Component, float] = {"fees": 1.0, "penalty": chance.choice((0.5, 1.0))}
    if card or debt.lender_type == "debt_buyer":
        waivers["interest"] = chance.choice((0.0, 0.3, 0.5, 1.0))
    if debt.lender_type == "debt_buyer":
        waivers["principal"] = chance.choice((0.0, 0.3, 0.5))
    most = 60 if card else chance.choice((12, 24, 36)) if not person else 48
    authority = (Authority("collector", 500 * _YUAN, 0.05), Authority("supervisor", 5_000 * _YUAN, 0.3))
    return Policy(
        most_months=most,
        terms=() if person or chance.random() < 0.5 else tuple(n for n in (6, 12, 24, 36, 60) if n <= most),
        instalments="any" if person else chance.choice(("any", "any", "level", "level", "stepped")),
        minimum_instalment_minor=0 if person else chance.choice((0, 0, 50 * _YUAN, 100 * _YUAN)),
        upfront_share=0.1 if chance.random() < 0.06 else 0.0,
        rates=() if person else chance.choice(((), (), (0.0,), (0.06, 0.0), (0.12,))),
        waivers={} if person else waivers,
        authority=authority if not person and chance.random() < 0.3 else (),
        recovery=Recovery(0.4, 36, 0.1) if chance.random() < 0.1 else None,
        consents=False if chance.random() < 0.03 else None,
    )


# ---- Drawing -------------------------------------------------------------------------------------------------------


def _around(chance: Random, middle: float, spread: float) -> float:
    """Lognormal about a median."""
    return middle * exp(spread * chance.gauss(0, 1))


def _late(chance: Random) -> int:
    _, few, many = chance.choices(_LATE, [weight for weight, *_ in _LATE])[0]
    return chance.randint(few, many)


def _known(chance: Random, amount: int, not_told: float) -> Known:
    """An amount as people tell it: exactly, between two, or not."""
    told = chance.random()
    if told < not_told:
        return None
    if told < not_told + _A_RANGE:
        return Between(round(amount * 0.85), round(amount * 1.15))
    return amount
