"""A loan's state: against a day-by-day calculator that shares no code, and rule by rule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from evenkeel.accounts.allocation import ATOMS, Allocation, Future, Rule
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.ledger import CASH, CLAIM, GUARANTOR, LOSS, RECOVERED, SOLD, WAIVED, balances
from evenkeel.accounts.loan.fold import LoanState, fold
from evenkeel.accounts.loan.running import LateFee, LoanRules
from evenkeel.accounts.loan.terms import (
    FeeBase,
    InstalmentFee,
    InstalmentRate,
    LoanTerms,
    PayoffInterest,
    Prepayment,
    Recalculation,
    ScheduleKind,
)
from evenkeel.accounts.words import Component, Stage
from evenkeel.kernel.errors import InvalidInput

START = date(2024, 1, 15)
TERMS = LoanTerms(rate_annual=Fraction(18, 100), instalments=6, smoothing=False)


def day(text: str) -> date:
    return date.fromisoformat(text)


def facts(*more: tuple[str, str, int] | tuple[str, str, int, dict[str, Any]], lent: int = 600_000) -> list[AccountFact]:
    """An opened and paid-out loan, and facts as (kind, day, amount, details)."""
    found = [
        AccountFact("opened", FactKind.OPENED, START),
        AccountFact("lent", FactKind.DISBURSEMENT, START, lent),
    ]
    for place, (kind, on, amount, *details) in enumerate(more):
        found.append(AccountFact(f"f{place}", FactKind(kind), day(on), amount, details[0] if details else {}))
    return found


def state(terms: LoanTerms, on: str, *more: Any, **rules: Any) -> LoanState:
    return fold(LoanRules(terms, **rules), facts(*more), day(on), strict=True)


def dues(found: LoanState) -> list[tuple[str, int, int]]:
    return [(row.due_on.isoformat(), row.principal_minor, row.interest_minor) for row in found.instalments]


# ---- The second calculator: one loan, one day after the other ------------------------------------------------------


@dataclass
class Row:
    due: date
    principal: int = 0
    interest: int = 0
    principal_paid: int = 0
    interest_paid: int = 0

    @property
    def open(self) -> int:
        return self.principal + self.interest - self.principal_paid - self.interest_paid


def half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


class ByDay:
    """Daily interest on what is owed; instalments of one level amount; the last one takes the rest."""

    def __init__(self, principal: int, rate: Fraction, level: int, days: Sequence[date]) -> None:
        self.rate, self.level, self.left = rate, level, principal
        self.rows = [Row(due) for due in days]
        self.closed, self.accrued, self.carry = 0, Fraction(0), 0

    def pass_day(self, on: date) -> None:
        if self.closed == len(self.rows):
            return
        self.accrued += self.left * self.rate / 365
        row = self.rows[self.closed]
        if row.due != on:
            return
        asked = half_up(self.accrued) + self.carry
        most = self.not_late() + row.principal_paid
        if self.closed == len(self.rows) - 1:
            row.interest, row.principal = asked, most
        else:
            early = row.principal_paid > max(self.level - asked, 0)
            row.interest = row.interest_paid if early else max(min(asked, self.level), row.interest_paid)
            row.principal = max(min(self.level - row.interest, most), row.principal_paid)
        self.carry = max(asked - row.interest, 0)
        self.accrued, self.closed = Fraction(0), self.closed + 1

    def not_late(self) -> int:
        return self.left - sum(row.principal - row.principal_paid for row in self.rows[: self.closed])

    def pay(self, amount: int) -> int:
        for row in self.rows[: self.closed]:
            amount = self.settle(row, row.interest - row.interest_paid, row.principal - row.principal_paid, amount)
        for place, row in enumerate(self.rows[self.closed :]):
            due = min(half_up(self.accrued) + self.carry, self.level) if place == 0 else 0
            if place == len(self.rows) - self.closed - 1:
                due = half_up(self.accrued) + self.carry if place == 0 else 0
                principal = self.not_late()
            else:
                principal = min(self.not_late(), max(self.level - max(due, row.interest_paid) - row.principal_paid, 0))
            amount = self.settle(row, max(due - row.interest_paid, 0), principal, amount)
        return amount

    def settle(self, row: Row, interest: int, principal: int, amount: int) -> int:
        part = min(interest, amount)
        row.interest_paid += part
        rest = min(principal, amount - part)
        row.principal_paid += rest
        self.left -= rest
        return amount - part - rest


def replayed(rows: ByDay, payments: dict[date, int], as_of: date) -> tuple[list[Row], int, int]:
    """The rows as the calculator has them, with those to come as they will be if all is paid on its day from now on."""
    over, on = 0, START
    while on < as_of:
        on += timedelta(days=1)
        rows.pass_day(on)
        over += rows.pay(payments.get(on, 0))
    left, paid = rows.left, [(row.principal_paid, row.interest_paid) for row in rows.rows]
    for row in rows.rows[: rows.closed]:
        rows.left -= row.principal - row.principal_paid
        row.principal_paid, row.interest_paid = row.principal, row.interest
    while rows.closed < len(rows.rows):
        on += timedelta(days=1)
        rows.pass_day(on)
        due = rows.rows[rows.closed - 1]
        if due.due == on:
            rows.left -= due.principal - due.principal_paid
            due.principal_paid, due.interest_paid = due.principal, due.interest
    for row, (principal, interest) in zip(rows.rows, paid, strict=True):
        row.principal_paid, row.interest_paid = principal, interest
    return rows.rows, left, over


@pytest.mark.parametrize("seed", range(60))
def test_a_recalculated_loan_is_what_a_day_by_day_calculator_finds(seed: int) -> None:
    check_against_the_calculator(seed)


@pytest.mark.prove
def test_many_recalculated_loans_are_what_a_day_by_day_calculator_finds() -> None:
    for seed in range(1_000, 6_000):
        check_against_the_calculator(seed)


def check_against_the_calculator(seed: int) -> None:
    dice = random.Random(seed)
    count, rate = dice.randint(2, 9), Fraction(dice.randint(1, 360), 1000)
    terms = replace(TERMS, instalments=count, rate_annual=rate)
    lent = dice.randint(50_000, 2_000_000)
    opened = fold(LoanRules(terms), facts(lent=lent), START)
    level = opened.instalments[0].due_minor
    days = [row.due_on for row in opened.instalments]
    payments: dict[date, int] = {}
    more: list[Any] = []
    for _ in range(dice.randint(0, 8)):
        on = START + timedelta(days=dice.randint(1, 31 * count))
        if on in payments:
            continue
        payments[on] = dice.choice([level, level, dice.randint(1, 2 * level), dice.randint(1, lent)])
        more.append(("payment", on.isoformat(), payments[on]))
    as_of = START + timedelta(days=dice.randint(0, 31 * count + 40))
    found = fold(LoanRules(terms), facts(*more, lent=lent), as_of)
    rows, left, over = replayed(ByDay(lent, rate, level, days), payments, as_of)
    assert [
        (row.due_on, row.principal_minor, row.interest_minor, row.principal_paid_minor, row.interest_paid_minor)
        for row in found.instalments
    ] == [(row.due, row.principal, row.interest, row.principal_paid, row.interest_paid) for row in rows]
    assert (found.principal_minor, found.credit_minor) == (left, over)


# ---- Time and lateness ---------------------------------------------------------------------------------------------


def test_late_principal_bears_interest_until_the_day_it_is_looked_at() -> None:
    late = state(TERMS, "2024-03-25")
    on_time = state(TERMS, "2024-02-15")
    extra = Fraction(late.instalments[1].principal_minor + late.instalments[0].principal_minor) * 10 * 18 / 36500
    before = Fraction(on_time.instalments[0].principal_minor) * 29 * 18 / 36500
    assert late.instalments[1].interest_minor == half_up(on_time.instalments[1].interest_minor + before)
    assert abs(late.instalments[2].interest_minor - on_time.instalments[2].interest_minor - extra) < 40
    assert late.days_past_due == 39


def test_without_recalculation_payments_do_not_change_what_is_due() -> None:
    terms = replace(TERMS, recalculation=Recalculation.NONE)
    plan = dues(state(terms, "2024-01-15"))
    assert dues(state(terms, "2024-12-31", ("payment", "2024-02-01", 300_000))) == plan
    assert dues(state(terms, "2024-12-31")) == plan


def test_penalty_interest_is_on_late_principal_for_each_day_late() -> None:
    terms = replace(TERMS, recalculation=Recalculation.NONE, penalty_rate_annual=Fraction(9, 100))
    late = state(terms, "2024-03-01", ("fee", "2024-03-01", 100, {"fee": "letter"}))
    first = late.instalments[0]
    assert first.penalty_minor == first.principal_minor * 15 * 9 // 36500
    assert (
        state(terms, "2024-02-25").accrued_minor
        > state(replace(terms, penalty_rate_annual=Fraction(0)), "2024-02-25").accrued_minor
    )


def test_a_late_fee_comes_once_after_its_days_and_not_for_what_is_tolerated() -> None:
    fee = LateFee(Fraction(5, 100), 1_000, 5_000, after_days=3, tolerated_minor=100)
    due = state(TERMS, "2024-02-15").instalments[0].due_minor
    assert state(TERMS, "2024-02-18", late_fee=fee).instalments[0].penalty_minor == 0
    assert state(TERMS, "2024-03-14", late_fee=fee).instalments[0].penalty_minor == 5_000
    nearly = ("payment", "2024-02-17", due - 100)
    assert state(TERMS, "2024-03-14", nearly, late_fee=fee).instalments[0].penalty_minor == 0
    half = ("payment", "2024-02-15", due - 30_000)
    assert state(TERMS, "2024-03-14", half, late_fee=fee).instalments[0].penalty_minor == 1_500


def test_charge_off_comes_by_itself_and_the_claim_stays() -> None:
    before, after = (state(TERMS, on, charge_off_days=90) for on in ("2024-05-14", "2024-05-15"))
    assert (before.stage, before.days_past_due) == (Stage.OPEN, 89)
    assert (after.stage, after.principal_minor, after.days_past_due) == (Stage.CHARGED_OFF, 0, 0)
    assert after.claim_minor == balances(after.postings)[CLAIM] == balances(after.postings)[LOSS]
    assert after.claim_minor == before.principal_minor + sum(bill.interest_minor for bill in after.bills)
    assert [bill.due_on.month for bill in after.bills] == [2, 3, 4, 5]


def test_what_is_too_little_or_too_short_counts_no_days_and_is_not_charged_off() -> None:
    # All but 10.00 of the first instalment is paid, and the next three in full: 90 days past due on 15 May.
    due = state(TERMS, "2024-01-15").instalments[0].due_minor
    paid = [("payment", f"2024-0{month}-15", due - (1_000 if month == 2 else 0)) for month in (2, 3, 4, 5)]
    order = Rule((*ATOMS[4:8], *ATOMS[:4], *ATOMS[8:]))  # what is due goes before what is past due
    rules = {"allocation": Allocation(order), "charge_off_days": 90}
    assert state(TERMS, "2024-05-14", *paid, **rules).days_past_due == 89
    assert state(TERMS, "2024-05-15", *paid, **rules).stage is Stage.CHARGED_OFF
    little = state(TERMS, "2024-05-16", *paid, **rules, material_minor=1_000)
    assert (little.stage, little.days_past_due) == (Stage.OPEN, 0)
    share = Fraction(1_000, little.principal_minor + 1_000)
    for others in ({"material_share": share}, {"grace_days": 90}):
        assert state(TERMS, "2024-05-15", *paid, **rules, **others).stage is Stage.OPEN
    # The instalment of 15 June is not paid: on the 16th it is late, and with it enough.
    late = {**rules, "material_minor": 1_000}
    assert state(TERMS, "2024-06-15", *paid, **late).stage is Stage.OPEN
    assert state(TERMS, "2024-06-16", *paid, **late).stage is Stage.CHARGED_OFF


def test_days_of_a_pause_are_not_counted_and_charge_off_waits() -> None:
    pause = ("arrears_paused", "2024-03-01", 0, {"until": day("2024-03-31")})
    assert state(TERMS, "2024-04-10", pause).days_past_due == 55 - 30
    assert state(TERMS, "2024-06-13", pause, charge_off_days=90).stage is Stage.OPEN
    assert state(TERMS, "2024-06-14", pause, charge_off_days=90).stage is Stage.CHARGED_OFF


# ---- Payments ------------------------------------------------------------------------------------------------------


def test_a_payoff_pays_interest_to_its_day_or_to_the_next_due_day() -> None:
    to_day = state(TERMS, "2024-02-01").payoff_minor
    assert to_day == 600_000 + half_up(Fraction(600_000 * 17 * 18, 36500))
    to_rest = state(replace(TERMS, payoff=PayoffInterest.TILL_REST), "2024-02-01").payoff_minor
    assert to_rest == 600_000 + half_up(Fraction(600_000 * 31 * 18, 36500))


def test_a_payoff_pays_the_interest_that_the_instalment_is_too_small_for() -> None:
    # A first period that is free, and its rate for all: instalments of 100,000 at 300 % a year on what is left.
    terms = replace(
        TERMS, rate_annual=Fraction(3), interest_free=1, instalment_rate=InstalmentRate.FIRST_PERIOD
    )  # fmt: skip
    first = ("payment", "2024-02-15", 100_000)
    interest = half_up(Fraction(500_000 * 3 * 28, 365))
    owed = state(terms, "2024-03-14", first).payoff_minor
    assert interest > 100_000 and owed == 500_000 + interest
    paid = state(terms, "2024-03-14", first, ("payment", "2024-03-14", owed))
    assert (paid.payoff_minor, paid.credit_minor, paid.transactions[-1].interest_minor) == (0, 0, interest)
    assert not any(
        row.open_minor for row in state(terms, "2024-12-31", first, ("payment", "2024-03-14", owed)).instalments
    )


def test_interest_that_was_paid_is_not_asked_again_by_a_lower_instalment() -> None:
    # All interest so far is paid; then there is none any more, and the instalment, 50,000, is less than what was paid.
    terms, so_far = replace(TERMS, rate_annual=Fraction(3), instalments=12), half_up(Fraction(600_000 * 3 * 30, 365))
    free = ("rate_changed", "2024-02-15", 0, {"rate_annual": Fraction(0)})
    found = state(terms, "2024-02-15", ("payment", "2024-02-14", so_far), free)
    assert sum(row.interest_minor for row in found.instalments) == so_far
    assert found.payoff_minor == 600_000


def test_a_prepayment_lowers_the_instalment_or_shortens_the_term() -> None:
    early = ("payment", "2024-02-01", 300_000)
    lower = state(replace(TERMS, prepayment=Prepayment.LOWER_INSTALMENT), "2024-02-01", early)
    level = state(TERMS, "2024-01-15").instalments[0].due_minor
    assert len(lower.instalments) == 6
    assert lower.instalments[1].due_minor < level * 6 // 10
    assert lower.instalments[0].interest_minor == half_up(
        Fraction(600_000 * 17 * 18, 36500) + Fraction(300_000 * 14 * 18, 36500)
    )
    shorter = state(replace(TERMS, prepayment=Prepayment.SHORTER_TERM), "2024-02-01", early)
    assert len(shorter.instalments) == 4
    assert [row.due_minor for row in shorter.instalments[1:3]] == [level, level]
    held = replace(TERMS, prepayment=Prepayment.NEXT_INSTALMENTS)
    for amount in (50_000, 150_000):
        less = state(held, "2024-02-01", ("payment", "2024-02-01", amount))
        assert sum(row.due_minor for row in less.instalments[:2]) == 2 * level
        assert [row.due_minor for row in less.instalments[2:5]] == [level] * 3
    for found in (lower, shorter, less):
        assert sum(row.principal_minor for row in found.instalments) == 600_000


def test_money_ahead_goes_to_the_next_the_last_or_all_instalments() -> None:
    terms = replace(TERMS, rate_annual=Fraction(0))
    paid = {}
    for future in Future:
        rules = Allocation(Rule(future=future))
        found = state(terms, "2024-02-01", ("payment", "2024-02-01", 150_000), allocation=rules)
        paid[future] = [row.paid_minor for row in found.instalments]
    assert paid[Future.NEXT] == [100_000, 50_000, 0, 0, 0, 0]
    assert paid[Future.LAST] == [0, 0, 0, 0, 50_000, 100_000]
    assert paid[Future.RE_AMORTISE] == [25_000] * 6


def test_too_much_is_credit_and_pays_what_is_owed_later() -> None:
    found = state(
        replace(TERMS, rate_annual=Fraction(0)), "2024-03-01", ("payment", "2024-02-01", 650_000),
        ("fee", "2024-02-20", 20_000, {"fee": "letter", "due_on": day("2024-03-01")}),
    )  # fmt: skip
    assert (found.principal_minor, found.credit_minor) == (0, 50_000)
    later = state(
        replace(TERMS, rate_annual=Fraction(0)), "2024-03-20", ("payment", "2024-02-01", 650_000),
        ("fee", "2024-02-20", 20_000, {"fee": "letter", "due_on": day("2024-03-01")}),
    )  # fmt: skip
    assert later.credit_minor == 30_000


def test_money_before_the_loan_is_paid_out_is_credit() -> None:
    opened, *lent = facts()
    early = AccountFact("early", FactKind.PAYMENT, START - timedelta(days=1), 500)
    found = fold(LoanRules(TERMS), [replace(opened, effective_on=early.effective_on), early, *lent], START)
    assert (found.credit_minor, found.principal_minor) == (500, 600_000)


def test_a_guarantor_pays_for_the_borrower_and_takes_the_claim_over() -> None:
    found = state(TERMS, "2024-03-01", ("guarantor_payment", "2024-03-01", 50_000))
    assert found.subrogated_minor == balances(found.postings)[GUARANTOR] == 50_000


def test_a_refund_follows_the_rule_of_its_kind() -> None:
    rules = Allocation(by_type={"refund_goodwill": Rule(future=Future.LAST)})
    terms = replace(TERMS, rate_annual=Fraction(0))
    found = state(terms, "2024-02-01", ("refund", "2024-02-01", 30_000, {"by": "goodwill"}), allocation=rules)
    assert [row.paid_minor for row in found.instalments] == [0, 0, 0, 0, 0, 30_000]


def test_a_chargeback_is_due_with_the_next_instalment_or_after_the_last_at_once() -> None:
    terms = replace(TERMS, rate_annual=Fraction(0))
    early = state(terms, "2024-02-20", ("payment", "2024-02-15", 100_000), ("chargeback", "2024-02-20", 40_000))
    assert [row.principal_minor for row in early.instalments][:3] == [100_000, 140_000, 100_000]
    late = state(terms, "2024-08-01", ("payment", "2024-07-15", 600_000), ("chargeback", "2024-08-01", 40_000))
    assert (late.instalments[-1].due_on, late.instalments[-1].open_minor) == (day("2024-08-01"), 40_000)
    assert late.principal_minor == 40_000


# ---- Charges, forgiveness and the end ------------------------------------------------------------------------------


def test_fees_come_with_instalments_and_on_the_day_a_fact_names() -> None:
    terms = replace(TERMS, fee=InstalmentFee(Fraction(1, 100), FeeBase.DISBURSED, 50))
    found = state(terms, "2024-01-20", ("fee", "2024-01-20", 700, {"fee": "letter", "due_on": day("2024-03-10")}))
    assert [row.fee_minor for row in found.instalments] == [6_050, 6_750, 6_050, 6_050, 6_050, 6_050]


def test_interest_is_booked_with_the_last_instalment_where_none_but_deferred_ones_are_left() -> None:
    # Free of interest, so that nothing keeps the instalments that the early payment makes superfluous.
    terms = replace(TERMS, rate_annual=Fraction(0), grace_interest=3, prepayment=Prepayment.SHORTER_TERM)
    found = state(terms, "2024-02-02", ("payment", "2024-02-01", 590_000), ("interest", "2024-02-02", 100))
    assert dues(found) == [("2024-02-15", 590_000, 0), ("2024-03-15", 10_000, 100)]
    assert found.payoff_minor == 10_100


def test_a_waiver_takes_off_what_is_due_and_is_refused_beyond_it() -> None:
    due = state(TERMS, "2024-02-20").instalments[0].interest_minor
    found = state(TERMS, "2024-02-20", ("waiver", "2024-02-20", due, {"component": "interest"}))
    first = found.instalments[0]
    assert (first.interest_minor, first.moved) == (0, ((day("2024-02-20"), due),))
    assert balances(found.postings)[WAIVED] == due
    with pytest.raises(InvalidInput, match="waiver f0: only"):
        state(TERMS, "2024-02-20", ("waiver", "2024-02-20", due + 1, {"component": "interest"}))


def test_waived_principal_shortens_the_end() -> None:
    found = state(TERMS, "2024-01-20", ("waiver", "2024-01-20", 150_000, {"component": "principal"}))
    assert found.principal_minor == sum(row.principal_minor for row in found.instalments) == 450_000
    assert found.instalments[0].due_minor == state(TERMS, "2024-01-15").instalments[0].due_minor
    assert found.instalments[-1].due_minor == 0


def test_after_charge_off_money_is_recovery_and_a_sale_ends_the_claim() -> None:
    end = ("charge_off", "2024-03-01", 0)
    found = state(TERMS, "2024-04-01", end, ("recovery", "2024-04-01", 10_000))
    written_off = balances(found.postings)[LOSS]
    assert (found.claim_minor, balances(found.postings)[RECOVERED]) == (written_off - 10_000, -10_000)
    sold = state(TERMS, "2024-04-02", end, ("sale", "2024-04-02", 0, {"price_minor": 5_000, "buyer_id": "b"}))
    assert (sold.stage, sold.claim_minor) == (Stage.SOLD, 0)
    direct = state(TERMS, "2024-03-01", ("sale", "2024-03-01", 0, {"price_minor": 5_000, "buyer_id": "b"}))
    accounts = balances(direct.postings)
    assert accounts[CASH] == 5_000 - 600_000
    assert accounts[SOLD] == 600_000 + direct.bills[0].interest_minor - 5_000


def test_a_settlement_that_is_paid_waives_the_rest_and_one_that_is_not_changes_only_interest() -> None:
    deal = ("settlement", "2024-03-01", 400_000, {"by": day("2024-04-30")})
    kept = state(TERMS, "2024-05-01", deal, ("payment", "2024-04-01", 100_000), ("payment", "2024-04-30", 300_000))
    assert kept.principal_minor == 0
    assert all(row.open_minor == 0 for row in kept.instalments)
    assert balances(kept.postings)[WAIVED] > 200_000
    broken = state(TERMS, "2024-05-01", deal, ("payment", "2024-04-01", 100_000), ("payment", "2024-05-01", 300_000))
    assert broken.principal_minor > 0
    assert WAIVED not in balances(broken.postings)
    assert broken.restructurings == 1


# ---- Changes of terms ----------------------------------------------------------------------------------------------


def test_a_rate_holds_from_its_day_on_this_day_counted() -> None:
    found = state(TERMS, "2024-02-01", ("rate_changed", "2024-02-01", 0, {"rate_annual": Fraction(9, 100)}))
    assert found.instalments[0].interest_minor == half_up(Fraction(600_000 * (16 * 18 + 15 * 9), 36500))
    on_due = state(TERMS, "2024-02-15", ("rate_changed", "2024-02-15", 0, {"rate_annual": Fraction(9, 100)}))
    assert on_due.instalments[0].interest_minor == half_up(Fraction(600_000 * (30 * 18 + 9), 36500))
    assert on_due.instalments[1].due_minor < state(TERMS, "2024-02-15").instalments[1].due_minor


def test_a_pause_counts_no_interest_on_its_days() -> None:
    found = state(TERMS, "2024-02-01", ("interest_paused", "2024-01-21", 0, {"until": day("2024-01-30")}))
    assert found.instalments[0].interest_minor == half_up(Fraction(600_000 * 21 * 18, 36500))
    assert found.instalments[0].due_minor == state(TERMS, "2024-01-15").instalments[0].due_minor


def test_a_holiday_asks_for_nothing_and_the_term_grows() -> None:
    level = state(TERMS, "2024-01-15").instalments[0].due_minor
    found = state(
        TERMS, "2024-01-20", ("payment_holiday", "2024-01-20", 0, {"until": day("2024-03-20"), "interest": True})
    )
    assert [row.due_minor for row in found.instalments[:2]] == [0, 0]
    assert len(found.instalments) == 8
    own = half_up(Fraction(600_000 * 31 * 18, 36500))
    assert found.instalments[2].interest_minor == own + half_up(Fraction(600_000 * 29 * 18, 36500)) + half_up(
        Fraction(600_000 * 31 * 18, 36500)
    )
    assert abs(found.instalments[3].due_minor - level) < 100
    free = state(
        TERMS, "2024-01-20", ("payment_holiday", "2024-01-20", 0, {"until": day("2024-03-20"), "interest": False})
    )
    assert free.instalments[2].interest_minor == half_up(Fraction(600_000 * 5 * 18, 36500)) + half_up(
        Fraction(600_000 * 26 * 18, 36500)
    )
    assert found.restructurings == 1


def test_re_ageing_makes_new_instalments_and_keeps_the_old_ones_history() -> None:
    deal = ("re_age", "2024-04-01", 0, {"instalments": 10, "first_due_on": day("2024-05-01")})
    before, after = state(TERMS, "2024-03-31"), state(TERMS, "2024-04-01", deal)
    assert (before.days_past_due, after.days_past_due) == (45, 0)
    owed = sum(row.interest_minor for row in before.instalments[:2])
    assert after.principal_minor == before.principal_minor == 600_000
    assert [row.due_minor for row in after.instalments[:2]] == [0, 0]
    assert [amount for row in after.instalments[:2] for _, amount in row.moved] == [
        row.due_minor for row in before.instalments[:2]
    ]
    assert len(after.instalments) == 12
    first, second = after.instalments[2:4]
    assert first.due_minor - second.due_minor == owed
    assert after.ahead_minor[Component.INTEREST] == owed
    assert first.interest_minor == owed + half_up(Fraction(600_000 * 47 * 18, 36500))


def test_re_amortising_spreads_what_is_past_due() -> None:
    terms = replace(TERMS, rate_annual=Fraction(0))
    found = state(terms, "2024-03-20", ("re_amortise", "2024-03-20", 0))
    assert [row.principal_minor for row in found.instalments] == [0, 0, 150_000, 150_000, 150_000, 150_000]
    bearing = state(TERMS, "2024-03-20", ("re_amortise", "2024-03-20", 0))
    assert [row.due_minor for row in bearing.instalments[:2]] == [0, 0]
    assert bearing.days_past_due == 0
    assert sum(row.principal_minor for row in bearing.instalments) == 600_000


def test_an_extension_spreads_what_is_left_over_more_instalments() -> None:
    found = state(TERMS, "2024-01-20", ("term_extended", "2024-01-20", 0, {"instalments": 6}))
    twelve = fold(LoanRules(replace(TERMS, instalments=12)), facts(), START)
    assert [row.due_on for row in found.instalments] == [row.due_on for row in twelve.instalments]
    assert found.instalments[0].due_minor == twelve.instalments[0].due_minor


def test_a_moved_due_day_moves_those_after_it() -> None:
    found = state(TERMS, "2024-02-01", ("due_date_moved", "2024-02-01", 0, {"due_day": 28}))
    assert [row.due_on.isoformat() for row in found.instalments][:3] == ["2024-02-28", "2024-03-28", "2024-04-28"]
    assert found.instalments[0].interest_minor == half_up(Fraction(600_000 * 44 * 18, 36500))
    one = {"from_due_on": day("2024-03-15"), "to_due_on": day("2024-03-31")}
    later = state(TERMS, "2024-02-01", ("due_date_moved", "2024-02-01", 0, one))
    assert [row.due_on.isoformat() for row in later.instalments][:4] == [
        "2024-02-15", "2024-03-31", "2024-04-30", "2024-05-31"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [ScheduleKind.INTEREST_FIRST, ScheduleKind.BULLET])
def test_loans_whose_principal_comes_last_are_extended_whole(kind: ScheduleKind) -> None:
    found = state(replace(TERMS, kind=kind), "2024-01-20", ("term_extended", "2024-01-20", 0, {"instalments": 2}))
    assert [row.principal_minor for row in found.instalments] == [0] * 7 + [600_000]
    asked = [row.interest_minor > 0 for row in found.instalments]
    assert asked == ([True] * 8 if kind is ScheduleKind.INTEREST_FIRST else [False] * 7 + [True])


# ---- What is refused -----------------------------------------------------------------------------------------------


def test_a_fact_that_a_late_one_took_the_ground_from_stays_without_effect() -> None:
    deal = ("re_age", "2024-09-01", 0, {"instalments": 2, "first_due_on": day("2024-10-01")})
    with pytest.raises(InvalidInput, match="re_age f1: nothing is left"):
        state(TERMS, "2024-09-01", ("payment", "2024-01-15", 600_000), deal)
    late = facts(("payment", "2024-01-15", 600_000), deal)
    found = fold(LoanRules(TERMS), late, day("2024-09-01"))
    assert (found.transactions[-1].kind, found.transactions[-1].fact_id) == ("no_effect", "f1")
    assert found.restructurings == 0


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        (("purchase", "2024-02-01", 100), "a closed-end loan has no purchase"),
        (("re_age", "2024-02-01", 0, {"instalments": 2, "first_due_on": START}), "Allowed: a day after 2024-02-01"),
        (("re_amortise", "2024-09-01", 0), "no instalment is to come"),
        (("term_extended", "2024-09-01", 0, {"instalments": 1}), "the last instalment is past"),
        (("due_date_moved", "2024-02-01", 0, {"from_due_on": START, "due_day": 3}), "then. Allowed: 2024-02-15,"),
        (("due_date_moved", "2024-02-01", 0, {"to_due_on": day("2024-01-20")}), "Allowed: a day after 2024-02-01"),
        (("due_date_moved", "2024-09-01", 0, {"due_day": 3}), "no instalment is to come whose due day could move"),
        (("disbursement", "2024-09-01", 100), "after the last instalment"),
        (("closed", "2024-02-01", 0), "is not paid off"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(fact: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"{fact[0]} f0: .*{message}"):
        state(TERMS, "2024-12-31", fact)


def test_an_account_is_not_read_before_it_is_open() -> None:
    with pytest.raises(InvalidInput, match="not open on 2024-01-14"):
        fold(LoanRules(TERMS), facts(), day("2024-01-14"))


def test_the_openings_own_terms_go_before_the_products() -> None:
    opened = AccountFact(
        "opened", FactKind.OPENED, START, 0,
        {"rate_annual": Fraction(0), "instalments": 3, "due_day": 5, "first_due_on": day("2024-03-05")},
    )  # fmt: skip
    lent = AccountFact("lent", FactKind.DISBURSEMENT, START, 300_000)
    found = fold(LoanRules(TERMS), [opened, lent], START)
    assert dues(found) == [("2024-03-05", 100_000, 0), ("2024-04-05", 100_000, 0), ("2024-05-05", 100_000, 0)]
