"""What holds of every closed-end loan, whatever its terms and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evenkeel.accounts.allocation import ATOMS, Allocation, Future, Processing, Rule
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import DueRule, MonthEnd, Unit
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import loan_account
from evenkeel.accounts.ledger import CREDIT, balances, owed
from evenkeel.accounts.loan.fold import LoanState, fold, loan_state, run
from evenkeel.accounts.loan.running import LateFee, LoanRules
from evenkeel.accounts.loan.schedule import schedule
from evenkeel.accounts.loan.terms import (
    FeeBase,
    InstalmentFee,
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
)
from evenkeel.accounts.products.model import Tolerance
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.words import COMPONENTS, Component, Stage
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding

START = date(2023, 1, 31)


@st.composite
def terms(draw: st.DrawFn) -> LoanTerms:
    """Terms of every kind that go together."""
    count = draw(st.integers(1, 9))
    unit = draw(st.sampled_from(list(Unit)))
    every = draw(st.integers(20, 40)) if unit is Unit.DAYS else draw(st.integers(1, 3))
    interest = draw(st.sampled_from(list(InterestMethod)))
    flat = interest is InterestMethod.FLAT
    kind = ScheduleKind.EQUAL_INSTALMENT if flat else draw(st.sampled_from(list(ScheduleKind)))
    fee = InstalmentFee(
        draw(st.sampled_from([Fraction(0), Fraction(1, 100)])), draw(st.sampled_from(list(FeeBase))),
        draw(st.sampled_from([0, 150])),
    )  # fmt: skip
    recalculated_on = draw(st.sampled_from(list(RecalculatedOn)))
    return LoanTerms(
        rate_annual=draw(st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(2399, 10000), Fraction(3)])),
        instalments=count,
        due=DueRule(every, unit, month_end=draw(st.sampled_from(list(MonthEnd)))),
        kind=kind,
        interest=interest,
        interest_period=draw(st.sampled_from(list(InterestPeriod))),
        day_count=draw(st.sampled_from(list(DayCount))),
        grace_principal=draw(st.integers(0, count - 1)),
        grace_interest=draw(st.integers(0, count - 1)),
        interest_free=draw(st.integers(0, count - 1)),
        balloon_share=Fraction(3, 10) if kind is ScheduleKind.BALLOON else Fraction(0),
        down_payment_share=draw(st.sampled_from([Fraction(0), Fraction(1, 4)])),
        down_payment_collected=draw(st.booleans()),
        instalment_multiple_minor=draw(st.sampled_from([1, 100])),
        rounding=draw(st.sampled_from([Rounding.HALF_UP, Rounding.HALF_EVEN])),
        interest_rounding=draw(st.sampled_from(list(InterestRounding))),
        smoothing=draw(st.booleans()),
        instalment_rate=draw(st.sampled_from(list(InstalmentRate))),
        recalculation=draw(st.sampled_from(list(Recalculation))),
        recalculated_on=recalculated_on,
        compounding=recalculated_on is RecalculatedOn.FACTS and draw(st.booleans()),
        prepayment=draw(st.sampled_from(list(Prepayment))),
        payoff=draw(st.sampled_from(list(PayoffInterest))),
        fee=fee,
        penalty_rate_annual=draw(st.sampled_from([Fraction(0), Fraction(18, 100)])),
    )


@st.composite
def rules(draw: st.DrawFn) -> LoanRules:
    """Terms with an allocation in any order and, now and then, a late fee, a charge-off point and tolerances."""
    order = tuple(draw(st.permutations(ATOMS))) if draw(st.booleans()) else ATOMS
    rule = Rule(order, draw(st.sampled_from(list(Future))))
    late = draw(st.sampled_from([None, LateFee(Fraction(1, 20), 500, 5000, 3, 100)]))
    return LoanRules(
        draw(terms()), Allocation(rule, processing=draw(st.sampled_from(list(Processing)))), late,
        charge_off_days=draw(st.sampled_from([None, None, 90])), tolerated_minor=draw(st.sampled_from([0, 0, 100])),
        grace_days=draw(st.sampled_from([0, 0, 3, 35, 100])), material_minor=draw(st.sampled_from([0, 0, 100_000])),
        material_share=draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 2)])),
    )  # fmt: skip


_AMOUNTS = st.integers(1, 400_000)
_MONEY = [
    (FactKind.PAYMENT, {}), (FactKind.GUARANTOR_PAYMENT, {}), (FactKind.REFUND, {"by": "merchant"}),
    (FactKind.CHARGEBACK, {}), (FactKind.FEE, {"fee": "late"}), (FactKind.FEE, {"fee": "service"}),
    (FactKind.INTEREST, {}), (FactKind.DISBURSEMENT, {}), (FactKind.WAIVER, {"component": "interest"}),
    (FactKind.WAIVER, {"component": "principal"}), (FactKind.PAYMENT_FAILED, {}),
]  # fmt: skip


@st.composite
def a_fact(draw: st.DrawFn, name: str, on: date) -> AccountFact:
    """A fact of any kind; payments are as likely as all others together."""
    if draw(st.booleans()):
        return AccountFact(name, FactKind.PAYMENT, on, draw(_AMOUNTS))
    later = on + timedelta(days=draw(st.integers(1, 90)))
    kind, details = draw(
        st.sampled_from(
            [
                *_MONEY, (FactKind.RATE_CHANGED, {"rate_annual": Fraction(draw(st.integers(0, 40)), 100)}),
                (FactKind.INTEREST_PAUSED, {"until": later}), (FactKind.RE_AMORTISE, {}),
                (FactKind.RE_AGE, {"instalments": draw(st.integers(1, 5)), "first_due_on": later}),
                (FactKind.DUE_DATE_MOVED, {"due_day": draw(st.integers(1, 31))}),
                (FactKind.PAYMENT_HOLIDAY, {"until": later, "interest": draw(st.booleans())}),
                (FactKind.TERM_EXTENDED, {"instalments": draw(st.integers(1, 4))}),
                (FactKind.SETTLEMENT, {"by": later}), (FactKind.ARREARS_PAUSED, {"until": later}),
                (FactKind.CHARGE_OFF, {}), (FactKind.RECOVERY, {}),
            ]
        )
    )  # fmt: skip
    money = kind in {entry[0] for entry in _MONEY} or kind in (FactKind.SETTLEMENT, FactKind.RECOVERY)
    return AccountFact(name, kind, on, draw(_AMOUNTS) if money else 0, details)


@st.composite
def histories(draw: st.DrawFn) -> tuple[LoanRules, list[AccountFact], date]:
    """A loan, its facts on days that all differ, and a day after most of them. Facts that do not fit are left out."""
    rule = draw(rules())
    facts = [
        AccountFact("opened", FactKind.OPENED, START),
        AccountFact("lent", FactKind.DISBURSEMENT, START, draw(st.integers(10_000, 2_000_000))),
    ]
    gaps = draw(st.lists(st.integers(1, 60), min_size=0, max_size=8))
    on = START
    for place, gap in enumerate(gaps):
        on += timedelta(days=gap)
        fact = draw(a_fact(f"f{place}", on))
        try:
            fold(rule, [*facts, fact], on, strict=True)
        except InvalidInput:
            continue
        facts.append(fact)
    return rule, facts, on + timedelta(days=draw(st.integers(0, 120)))


quick = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
long = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
History = tuple[LoanRules, list[AccountFact], date]


def check_sums(state: LoanState) -> None:
    """due = principal + interest + fees + penalties; paid + open = due; no part is paid more than is due of it."""
    for row in state.instalments:
        parts = [
            (row.principal_minor, row.principal_paid_minor), (row.interest_minor, row.interest_paid_minor),
            (row.fee_minor, row.fee_paid_minor), (row.penalty_minor, row.penalty_paid_minor),
        ]  # fmt: skip
        assert row.due_minor == sum(due for due, _ in parts)
        assert row.paid_minor + row.open_minor == row.due_minor
        assert all(0 <= paid <= due for due, paid in parts), row
        assert row.paid_minor == sum(amount for _, amount in row.payments)
        assert row.in_advance_minor + row.late_minor <= row.paid_minor
        assert all(amount >= 0 for _, amount in row.moved)
    days = [row.due_on for row in state.instalments]
    assert days == sorted(days)
    left = sum(row.principal_minor - row.principal_paid_minor for row in state.instalments)
    assert left == state.principal_minor >= 0


def check_ledger(state: LoanState) -> None:
    """Debits are credits; receivables are what instalments ask for; credit is what was over-paid."""
    accounts = balances(state.postings)
    assert sum(accounts.values()) == 0
    assert all(posting.amount_minor > 0 for posting in state.postings)
    assert -accounts.get(CREDIT, 0) == state.credit_minor >= 0
    book = owed(state.postings)
    called = [row for row in state.instalments if row.due_on <= state.as_of]
    assert book[Component.PRINCIPAL] == state.principal_minor
    for component, ask in (
        (Component.INTEREST, [row.interest_minor - row.interest_paid_minor for row in called]),
        (Component.FEE, [row.fee_minor - row.fee_paid_minor for row in called]),
        (Component.PENALTY, [row.penalty_minor - row.penalty_paid_minor for row in called]),
    ):
        assert book[component] == sum(ask) + state.ahead_minor[component], component
    payments = [one for one in state.transactions if one.kind in ("payment", "guarantor_payment", "refund_merchant")]
    for one in payments:
        split = one.principal_minor + one.interest_minor + one.fee_minor + one.penalty_minor
        assert split + one.over_minor == one.amount_minor or state.stage is not Stage.OPEN


@quick
@given(histories())
def test_what_the_account_owes_is_what_its_ledger_says(history: History) -> None:
    """In the one shape in which lines and loans are read: by component, in all, and what fell due of it."""
    rule, facts, as_of = history
    state = fold(rule, facts, as_of)
    account = loan_account(replace(shipped("cash_loan"), tolerance=Tolerance()), state, ())
    by_component = dict.fromkeys(COMPONENTS, 0)
    for part in account.owed:
        assert part.amount_minor > 0
        by_component[part.component] += part.amount_minor
    assert by_component == owed(state.postings)
    assert account.balance_minor == sum(by_component.values())
    assert account.past_due_minor <= account.balance_minor


@quick
@given(histories())
def test_sums_and_ledger(history: History) -> None:
    rule, facts, as_of = history
    state = fold(rule, facts, as_of)
    check_sums(state)
    check_ledger(state)


@quick
@given(histories(), st.randoms())
def test_a_late_fact_gives_the_state_it_would_have_given_on_time(history: History, random: Any) -> None:
    rule, facts, as_of = history
    late = [facts[0], *random.sample(facts[1:], len(facts) - 1)]
    assert fold(rule, late, as_of) == fold(rule, facts, as_of)


@quick
@given(histories(), st.data())
def test_a_reversed_fact_leaves_the_state_without_it(history: History, data: st.DataObject) -> None:
    rule, facts, as_of = history
    assume(len(facts) > 2)
    target = data.draw(st.sampled_from(facts[2:]))
    without = [fact for fact in facts if fact is not target]
    undo = AccountFact("undo", FactKind.REVERSAL, target.effective_on, reversal_of=target.fact_id)
    assert outcome(rule, [*facts, undo], as_of) == outcome(rule, without, as_of)


def outcome(rule: LoanRules, facts: Sequence[AccountFact], as_of: date) -> LoanState | str:
    try:
        return fold(rule, facts, as_of)
    except InvalidInput as error:
        return str(error)


@quick
@given(histories(), st.integers(1, 40))
def test_looking_on_the_way_changes_nothing(history: History, step: int) -> None:
    rule, facts, as_of = history

    def look(loan: Any, day: date) -> None:
        while loan.day + step < day.toordinal():
            loan.advance(loan.day + step)
            loan_state(loan)

    assert loan_state(run(rule, facts, as_of, before=look)) == fold(rule, facts, as_of)


@quick
@given(histories())
def test_keeping_what_interest_is_made_of_changes_nothing(history: History) -> None:
    rule, facts, as_of = history
    traced = fold(rule, facts, as_of, traced=True)
    assert replace(traced, accruals=()) == fold(rule, facts, as_of)
    assert all(part.since < part.until and part.balance_minor > 0 for part in traced.accruals)


@quick
@given(histories())
def test_paying_off_closes_the_loan(history: History) -> None:
    rule, facts, as_of = history
    state = fold(rule, facts, as_of)
    assume(state.stage is Stage.OPEN and state.payoff_minor > 0 and state.credit_minor == 0)
    paid = fold(rule, [*facts, AccountFact("all", FactKind.PAYMENT, as_of, state.payoff_minor)], as_of)
    assert paid.principal_minor == 0
    assert paid.credit_minor == 0
    assert sum(row.open_minor for row in paid.instalments) == 0
    assert paid.payoff_minor == 0
    check_ledger(paid)


@quick
@given(terms(), st.integers(10_000, 5_000_000))
def test_a_schedule_repays_the_principal(one: LoanTerms, principal: int) -> None:
    rows = schedule(one, principal, START)
    assert sum(row.principal_minor for row in rows) == principal
    assert rows[-1].balance_minor == 0
    assert all(row.principal_minor >= 0 and row.interest_minor >= 0 for row in rows)
    lent = AccountFact("lent", FactKind.DISBURSEMENT, START, principal)
    state = fold(
        LoanRules(replace(one, down_payment_collected=False)), [AccountFact("o", FactKind.OPENED, START), lent], START
    )
    found = [(row.due_on, row.principal_minor, row.interest_minor, row.fee_minor) for row in state.instalments]
    assert found == [(row.due_on, row.principal_minor, row.interest_minor, row.fee_minor) for row in rows]


@pytest.mark.prove
@long
@given(histories())
def test_sums_and_ledger_of_many(history: History) -> None:
    rule, facts, as_of = history
    state = fold(rule, facts, as_of)
    check_sums(state)
    check_ledger(state)
    assert fold(rule, facts, as_of) == state
