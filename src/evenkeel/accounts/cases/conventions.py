"""The conventions behind the product names of a case file.

A file names a product and states some facts of it. What it leaves open, and what more than one of its cases would bear
out, is tried in every way that is open: a case is computed only if all ways give the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import product
from typing import Any

from evenkeel.accounts.allocation import Allocation, Atom, Future, Processing, Rule, read_order
from evenkeel.accounts.cases.document import Record, Unsupported, day, given, known, minor, one_of, whole
from evenkeel.accounts.cases.document import rate as rate_of
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import DueRule, Unit
from evenkeel.accounts.loan.terms import (
    InstalmentRate,
    InterestMethod,
    InterestPeriod,
    InterestRounding,
    LoanTerms,
    PayoffInterest,
    Prepayment,
    RecalculatedOn,
    Recalculation,
    ScheduleKind,
)  # fmt: skip
from evenkeel.accounts.words import Component, Timing
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding

DAY_COUNTS = {
    ("30", "360"): DayCount.THIRTY_360, ("ACTUAL", "365"): DayCount.ACT_365, ("ACTUAL", "364"): DayCount.ACT_364,
    ("ACTUAL", "360"): DayCount.ACT_360, ("ACTUAL", "ACTUAL"): DayCount.ACT_ACT,
}  # fmt: skip
FUTURES = {
    "NEXT_INSTALLMENT": Future.NEXT, "LAST_INSTALLMENT": Future.LAST, "REAMORTIZATION": Future.RE_AMORTISE
}  # fmt: skip
REFUNDS = {
    "GOODWILL_CREDIT": "refund_goodwill", "MERCHANT_ISSUED_REFUND": "refund_merchant", "PAYOUT_REFUND": "refund_payout"
}  # fmt: skip

_INTERESTS = {"FLAT": InterestMethod.FLAT, "DECLINING_BALANCE": InterestMethod.DECLINING}
_INTEREST_PERIODS = {"DAILY": InterestPeriod.DAILY, "SAME_AS_REPAYMENT_PERIOD": InterestPeriod.AS_INSTALMENTS}
_KINDS = {
    "EQUAL_INSTALLMENTS": ScheduleKind.EQUAL_INSTALMENT, "EQUAL_PRINCIPAL": ScheduleKind.EQUAL_PRINCIPAL,
    "EQUAL_PRINCIPAL_PAYMENTS": ScheduleKind.EQUAL_PRINCIPAL,
}  # fmt: skip

# Words that product names are made of and that say nothing beyond what other words or the inputs say.
_SILENT = {
    "LP1", "LP2", "ADV", "ADVANCED", "PAYMENT", "PMT", "PYMNT", "ALLOC", "ALLOCATION", "PROGRESSIVE", "LOAN",
    "SCHEDULE", "HORIZONTAL", "INTEREST", "FLAT", "DECLINING", "BALANCE", "PERIOD", "SAME", "AS", "EMI", "TILL",
    "COMPOUNDING", "NONE", "DAILY", "REPAYMENT", "MULTIDISBURSE", "DATE", "PROG", "HOR", "LVL", "DELINQUENCY",
}  # fmt: skip
_TELLING = {
    "DOWNPAYMENT", "AUTO", "VERTICAL", "RECALCULATION", "PRECLOSE", "REST", "FREQUENCY", "360", "365", "30", "ACTUAL",
    "RESCHEDULE", "RESCH", "NEXT", "REP", "1MONTH", "MONTHLY", "REDUCE", "NR", "NUMBER", "OF", "INST", "INSTALLMENTS",
    "CREDIT",
}  # fmt: skip
_INPUTS = (
    "product_facts", "submitted", "principal", "annual_rate_pct", "interest_type", "interest_period", "amortization",
    "term", "repay_every", "n_repayments", "grace_principal", "grace_interest", "interest_free", "allocation",
)  # fmt: skip

# How the system whose tests the cases come from rounds the interest of a period with two balances, by the commits of
# which tests show it: 100 at 9.4822 % (30/360) on 1 January 2024 and 200 more on 8 January ask for 2.02 on 1 February
# (ProgressiveEMICalculatorTest), and for 2.01 from a later commit on (EMICalculation.feature, C3194).
_ROUNDINGS = {
    "@4198b0bcf9": InterestRounding.EACH_PIECE, "@0258af6872": InterestRounding.EACH_PERIOD,
    "@048cf93c39": InterestRounding.EACH_PERIOD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a case. charged_until_today: late principal is charged up to the business date, and not only up
    to the last transaction or close of day, wherever terms are recalculated."""

    terms: LoanTerms
    allocation: Allocation
    charged_until_today: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """A product and a loan of it as a case states them. cumulative: of the older of the two engines that the file's
    cases come from, whose recalculated loans keep past rows and put early money to principal."""

    name: str
    submitted: date
    principal_minor: int
    cumulative: bool
    advanced_allocation: bool
    fee_share: Fraction
    readings: tuple[Reading, ...]
    open_questions: tuple[str, ...]


Choice = tuple[str, Sequence[Mapping[str, Any]]]  # what is open, and the settings of each way


def rounding_choices(source: str, *, with_interest: bool) -> list[Choice]:
    """What the file leaves open of roundings."""
    if not with_interest:
        return []
    choices: list[Choice] = [
        ("how half a cent is rounded", [{"rounding": Rounding.HALF_EVEN}, {"rounding": Rounding.HALF_UP}])
    ]
    shown = [rounding for commit, rounding in _ROUNDINGS.items() if commit in source] or list(InterestRounding)
    choices.append(
        ("whether parts of a period's interest are rounded", [{"interest_rounding": rounding} for rounding in shown])
    )
    return choices


def every_way(choices: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    """The settings of every combination of choices."""
    for combination in product(*(ways for _, ways in choices)):
        yield {name: value for way in combination for name, value in way.items()}


def product_of(inputs: Record, source: str, steps: object) -> Product:
    """The product and loan of a lifecycle. steps: what was done beside its events. Raises Unsupported."""
    known(inputs, _INPUTS, "the loan")
    name = given(inputs, "product_facts", "the loan")
    if not isinstance(name, str):
        raise Unsupported(f"the loan: `product_facts` is {name!r}, which is no name of a product.")
    words = set(re.split("_", name))
    if unknown := sorted(words - _SILENT - _TELLING):
        raise Unsupported(f"the product {name} has words whose meaning is not known: {', '.join(unknown)}.")
    cumulative = "LP1" in words
    if cumulative == ("LP2" in words):
        raise Unsupported(f"the product {name} is of no known family.")
    terms = _terms(inputs, name, words, cumulative)
    strategy = str(given(inputs, "allocation", "the loan"))
    choices = _choices(source, terms, cumulative, words)
    allocation = _allocation(strategy, words)
    readings = tuple(
        Reading(replace(terms, **settings), allocation, until_today)
        for settings in every_way(choices)
        for until_today in ((False, True) if terms.recalculated else (False,))
    )
    questions = [question for question, ways in choices if len(ways) > 1]
    fee_share = _instalment_fee(steps)
    if fee_share and "CREDIT" in words:
        raise Unsupported("which fees a chargeback of this product brings back is not shown by any case.")
    return Product(
        name, day(inputs, "submitted", "the loan"), minor(inputs, "principal", "the loan"), cumulative,
        strategy == "ADVANCED_PAYMENT_ALLOCATION", fee_share, readings, tuple(questions),
    )  # fmt: skip


def _terms(inputs: Record, name: str, words: set[str], cumulative: bool) -> LoanTerms:
    rate, count = rate_of(inputs, "annual_rate_pct", "the loan"), whole(inputs, "n_repayments", "the loan", 1)
    due = _due_rule(inputs, count)
    interest = one_of(inputs, "interest_type", _INTERESTS, "the loan")
    period = one_of(inputs, "interest_period", _INTEREST_PERIODS, "the loan")
    kind = one_of(inputs, "amortization", _KINDS, "the loan")
    if not rate:
        interest = InterestMethod.DECLINING  # no interest of either kind
    if kind is ScheduleKind.EQUAL_PRINCIPAL and (interest is InterestMethod.FLAT or not cumulative):
        raise Unsupported("equal principal with this interest is not shown by any case.")
    if rate and (words & {"FLAT", "DECLINING"}) and ("FLAT" in words) != (interest is InterestMethod.FLAT):
        raise Unsupported(f"the product {name} and the loan's interest type contradict each other.")
    grace, free = _graces(inputs)
    recalculation = Recalculation.NONE
    if "RECALCULATION" in words:
        # The name has "daily" before "recalculation" for the interest; "same as repayment" after it is the rest.
        as_instalments = cumulative and "RECALCULATION_SAME_AS_REPAYMENT" in name
        recalculation = Recalculation.AS_INSTALMENTS if as_instalments else Recalculation.DAILY
    try:
        terms = LoanTerms(
            rate_annual=rate, instalments=count, due=due, kind=kind, interest=interest, interest_period=period,
            day_count=_day_count(name, rate, cumulative, inputs), grace_principal=grace, grace_interest=free,
            instalment_multiple_minor=1, rounding=Rounding.HALF_EVEN, interest_rounding=InterestRounding.EACH_PIECE,
            recalculation=recalculation,
            payoff=PayoffInterest.TILL_REST if {"REST", "FREQUENCY"} <= words else PayoffInterest.TILL_PRECLOSE,
            down_payment_share=Fraction(1, 4) if "DOWNPAYMENT" in words else Fraction(0),
            down_payment_collected={"DOWNPAYMENT", "AUTO"} <= words,
        )  # fmt: skip
    except InvalidInput as error:
        raise Unsupported(str(error)) from None
    only_cumulative = sorted(words & {"RESCH", "NEXT", "REP", "1MONTH", "MONTHLY"})
    if cumulative:
        terms = _cumulative(terms, words)
    elif only_cumulative:
        raise Unsupported(f"{', '.join(only_cumulative)} of a progressive schedule is not shown by any case.")
    elif rate and interest is InterestMethod.FLAT:
        raise Unsupported("flat interest on a progressive schedule is not shown by any case.")
    elif rate and period is InterestPeriod.AS_INSTALMENTS:
        raise Unsupported("interest by instalment periods on a progressive schedule is not shown by any case.")
    elif rate and terms.down_payment_collected:
        raise Unsupported("interest beside a down payment that is taken at once is not shown by any case.")
    return terms


def _cumulative(terms: LoanTerms, words: set[str]) -> LoanTerms:
    """The settings of the older engine: early money reduces principal, and each stretch of one balance is rounded (of
    5000 at 12 %, 812.68 that is paid on 5 December and not on 1 December asks for 43.75 with the next instalment:
    LoanRepayment.feature, RP04). Equal instalments are of whole units and from one rate; equal principal is not of
    whole units (a share of 277.78: RS04). "Next repayments" hold less by what was paid early (RP13); interest that is
    late bears interest where it compounds (RP01)."""
    prepayment = Prepayment.LOWER_INSTALMENT
    if "REDUCE" in words and {"NR", "NUMBER"} & words:
        prepayment = Prepayment.SHORTER_TERM
    elif {"RESCH", "NEXT", "REP"} <= words:
        prepayment = Prepayment.NEXT_INSTALMENTS
    return replace(
        terms, smoothing=False, instalment_rate=InstalmentRate.FIRST_PERIOD,
        instalment_multiple_minor=1 if terms.kind is ScheduleKind.EQUAL_PRINCIPAL else 100,
        recalculated_on=RecalculatedOn.FACTS, compounding={"COMPOUNDING", "MONTHLY"} <= words,
        prepayment=prepayment,
    )  # fmt: skip


def _due_rule(inputs: Record, count: int) -> DueRule:
    (every, unit), (term, term_unit) = _span(inputs, "repay_every"), _span(inputs, "term")
    if unit is not term_unit or term != every * count:
        raise Unsupported("the loan's term is not its number of instalments times their distance.")
    return DueRule(every, unit)


def _span(inputs: Record, name: str) -> tuple[int, Unit]:
    value = given(inputs, name, "the loan")
    if isinstance(value, str):
        value = value.split()
    try:
        every = Fraction(str(value[0]))
        unit = Unit(str(value[1]).lower().rstrip("s") + "s")
        if len(value) != 2 or every.denominator != 1 or not 1 <= every <= 10_000:
            raise ValueError
    except (ValueError, IndexError, TypeError, KeyError):
        raise Unsupported(f"the loan: `{name}` is {value!r}, which is not understood.") from None
    return every.numerator, unit


def _graces(inputs: Record) -> tuple[int, int]:
    """Instalments without principal, and those whose interest is due later.

    The cases' `interest_free` is such a delay: the interest of three instalments comes with the fourth.
    `grace_interest` delays nothing: interest falls due with each instalment all the same (LoanRepayment.feature, RS06).
    """
    principal, interest, free = (
        whole(inputs, name, "the loan") if inputs.get(name) is not None else 0
        for name in ("grace_principal", "grace_interest", "interest_free")
    )
    if interest and (interest > principal or free):
        raise Unsupported(
            "`grace_interest` is beyond `grace_principal` or beside `interest_free`, which no case shows."
        )
    if free >= principal and free:
        raise Unsupported("interest is delayed into an instalment with principal, which no case shows.")
    return principal, free


def _day_count(name: str, rate: Fraction, cumulative: bool, inputs: Record) -> DayCount:
    if not rate:
        return DayCount.ACT_365
    if cumulative:
        # Days in the year are actual, and a loan that began in 2022 shows 365 in 2024 too.
        if inputs["interest_period"] == "DAILY" and day(inputs, "submitted", "the loan").year % 4 == 0:
            raise Unsupported("how many days the year of a loan from a leap year has is not shown by any case.")
        return DayCount.ACT_365
    if "_360_30" in name:
        return DayCount.THIRTY_360
    if "_365_ACTUAL" in name:
        return DayCount.ACT_365
    if "_ACTUAL_ACTUAL" in name or not re.search("_(30|360|ACTUAL)", name):
        return DayCount.ACT_ACT
    raise Unsupported(f"the day count of the product {name} is not understood.")


def _choices(source: str, terms: LoanTerms, cumulative: bool, words: set[str]) -> list[Choice]:
    """What the file leaves open of a product."""
    choices: list[Choice] = []
    if not cumulative:
        choices += rounding_choices(source, with_interest=bool(terms.rate_annual))
        if not terms.rate_annual and "AUTO" in words:
            choices.append(("", [{"instalment_multiple_minor": 100}]))  # as its re-amortised instalments show
    elif terms.recalculated:
        choices.append(
            ("whose rate a new instalment is computed with",
             [{"instalment_rate": InstalmentRate.FIRST_PERIOD}, {"instalment_rate": InstalmentRate.RUNNING_PERIOD}])
        )  # fmt: skip
    return choices


def order_of(names: Sequence[Any], where: str) -> tuple[Atom, ...]:
    """An order of twelve atoms such as `PAST_DUE_PENALTY`."""
    try:
        return read_order([str(name).strip().lower().replace(" ", "_").replace("-", "_") for name in names], where)
    except InvalidInput as error:
        raise Unsupported(str(error)) from None


def _allocation(strategy: str, words: set[str]) -> Allocation:
    processing = Processing.VERTICAL if "VERTICAL" in words else Processing.HORIZONTAL
    if strategy == "ADVANCED_PAYMENT_ALLOCATION":
        # Of 17.01 that is late, 15 pay principal alone (EMICalculation.feature, C3248).
        first = (Component.PENALTY, Component.FEE, Component.PRINCIPAL, Component.INTEREST)
        order = _order(first, first)
        return Allocation(Rule(order), refund_rules(order), processing)
    found = re.fullmatch(r"(?:DUE_)?([A-Z_]+?)(?:_IN_ADVANCE_([A-Z_]+?))?(?:_ORDER)?", strategy)
    if found is None:
        raise Unsupported(f"the allocation {strategy} is not understood.")
    due = _components(found[1], strategy)
    return Allocation(Rule(_order(due, _components(found[2], strategy) if found[2] else due)))


def refund_rules(order: tuple[Atom, ...]) -> dict[str, Rule]:
    """Where refunds of each kind go in advance, as the file states of its products."""
    return {
        "refund_goodwill": Rule(order, Future.LAST), "refund_merchant": Rule(order, Future.RE_AMORTISE),
        "refund_payout": Rule(order, Future.NEXT),
    }  # fmt: skip


def _components(words: str, strategy: str) -> tuple[Component, ...]:
    names = {"PENALTY": Component.PENALTY, "FEE": Component.FEE, "INTEREST": Component.INTEREST,
             "PRINCIPAL": Component.PRINCIPAL}  # fmt: skip
    found = [word.rstrip("S").replace("PENALTIE", "PENALTY") for word in words.split("_")]
    if sorted(found) != sorted(names):
        raise Unsupported(f"the allocation {strategy} is not understood.")
    return tuple(names[word] for word in found)


def _order(due: Sequence[Component], ahead: Sequence[Component]) -> tuple[Atom, ...]:
    order = [Atom(timing, one) for timing in (Timing.PAST_DUE, Timing.DUE) for one in due]
    return (*order, *(Atom(Timing.IN_ADVANCE, one) for one in ahead))


def _instalment_fee(steps: object) -> Fraction:
    """The share of each instalment that steps beside the events add as a fee; checks of what is shown are no steps."""
    share = Fraction(0)
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise Unsupported("the case: `unmodelled_steps` is no list of texts.")
    for step in steps:
        found = re.fullmatch(
            r'Admin adds "LOAN_INSTALLMENT_PERCENTAGE_FEE" charge with ([0-9.]+) % of transaction amount', step.strip()
        )
        if found:
            share += Fraction(found[1]) / 100
        elif "has the following data" not in step:
            raise Unsupported(f"a step of the case is not modelled: {step!r}.")
    return share
