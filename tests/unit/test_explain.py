"""Every unit of a balance back to its facts: steps that sum to it, charges that are the sum of their parts."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "accounts"))
from histories import Case, cases, seeded

from evenkeel.accounts.explain import Explained, Part, Step, balance_of, explain
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.ledger import CLAIM, CREDIT, receivable
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.words import Component, Segment

_CHARGES = ("interest", "penalty_interest")


def facts(*records: dict[str, Any]) -> list[AccountFact]:
    """Facts with ids f0, f1, ...; the first opens the account."""
    return [read_fact({"fact_id": f"f{place}", **record}) for place, record in enumerate(records)]


def opened(product: str, on: str, **more: object) -> dict[str, object]:
    return {"kind": "opened", "effective_on": on, "product": product, **more}


def fact(kind: str, on: str, amount: int | None = None, **more: object) -> dict[str, object]:
    return {"kind": kind, "effective_on": on, **({} if amount is None else {"amount_minor": amount}), **more}


def part_of(explained: tuple[Explained, ...], account: str) -> Explained:
    [found] = [part for part in explained if part.account == account]
    return found


def steps(explained: tuple[Explained, ...], component: Component, segment: Segment) -> tuple[Step, ...]:
    return part_of(explained, receivable(component, segment)).steps


def counted(step: Step) -> list[tuple[str, str, str, int, Fraction, Fraction]]:
    """Parts as kind, first and last day, balance, part of a year, amount."""
    return [
        (part.kind, f"{part.since:%m-%d}", f"{part.until:%m-%d}", part.balance_minor, part.years, part.amount)
        for part in step.parts
    ]


# --- lines, by hand ---------------------------------------------------------------------------------------------------


def test_a_purchase_that_is_paid_is_explained_by_both() -> None:
    history = facts(
        opened("pay_later", "2024-05-01"), fact("purchase", "2024-05-03", 10_000), fact("payment", "2024-06-05", 4_000)
    )
    [part] = explain(shipped("pay_later"), history, date(2024, 6, 9))
    assert part.amount_minor == 6_000
    assert [(step.posting.on, step.amount_minor, step.after_minor) for step in part.steps] == [
        (date(2024, 5, 3), 10_000, 10_000), (date(2024, 6, 5), -4_000, 6_000),
    ]  # fmt: skip
    assert [step.fact for step in part.steps] == history[1:]
    assert all(step.rest is None for step in part.steps)


def test_penalty_interest_is_counted_from_the_due_day_and_its_rounding_is_told() -> None:
    # 509.00 at 18.25 % from 10 June, the due day, to the bill of 1 July: 21 days of 0.2545, 5.3445 in all.
    history = facts(
        opened("pay_later", "2024-05-01"),
        fact("purchase", "2024-05-03", 100_900),
        fact("payment", "2024-06-08", 50_000),
    )
    [step] = steps(explain(shipped("pay_later"), history, date(2024, 7, 5)), Component.PENALTY, Segment.PURCHASE)
    assert step.amount_minor == 534
    assert counted(step) == [("penalty", "06-10", "07-01", 50_900, Fraction(21, 365), Fraction("534.45"))]
    assert (step.rest, step.rest_why) == (Fraction("-0.45"), "rounding")


def test_interest_of_days_before_the_bill_is_told_once_the_bill_is_not_paid() -> None:
    # A card of 全额计息: 1,000.00 of 3 May, billed on the 5th, due on the 25th and judged three days later.
    history = facts(opened("card", "2024-05-01"), fact("purchase", "2024-05-03", 100_000))
    found = explain(shipped("card"), history, date(2024, 6, 6))
    [step] = steps(found, Component.INTEREST, Segment.PURCHASE)
    assert step.amount_minor == 1_650
    assert counted(step) == [
        ("shadow", "05-03", "05-28", 100_000, Fraction(25, 365), 1_250),
        ("interest", "05-28", "06-05", 100_000, Fraction(8, 365), 400),
    ]
    assert step.rest == 0


def test_a_bill_that_is_paid_leaves_nothing_to_explain_but_the_purchase() -> None:
    history = facts(
        opened("card", "2024-05-01"), fact("purchase", "2024-05-03", 100_000), fact("payment", "2024-05-25", 100_000)
    )
    found = explain(shipped("card"), history, date(2024, 8, 6))
    assert [part.account for part in found] == ["receivable:principal:purchase"]
    assert balance_of(found) == 0


def test_where_interest_is_of_the_unpaid_part_the_share_is_told() -> None:
    # 400.00 of 1,000.00 is paid by the due day, so 6/10 of the interest of the days before is owed.
    history = facts(
        opened("card_us", "2024-01-01"), fact("purchase", "2024-01-03", 100_000), fact("payment", "2024-01-28", 40_000)
    )
    [step] = steps(explain(shipped("card_us"), history, date(2024, 2, 4)), Component.INTEREST, Segment.PURCHASE)
    shadow = [part for part in step.parts if part.kind == "shadow"]
    assert {part.share for part in shadow} == {Fraction(6, 10)}
    assert {(part.since, part.until) for part in shadow} == {(date(2024, 1, 3), date(2024, 1, 28))}
    assert [part.balance_minor for part in step.parts if part.kind == "interest"] == [60_000]
    assert step.rest is not None and abs(step.rest) <= Fraction(1, 2)


def test_the_fees_of_a_line_are_a_share_of_something_within_bounds() -> None:
    history = facts(
        opened("card", "2024-05-01"),
        fact("purchase", "2024-05-03", 3_000_000),
        fact("cash_advance", "2024-05-04", 30_000),  # 1 % is 3.00, at least 10.00
        fact("instalment_plan", "2024-05-04", 1_200_000, instalments=12, fee_rate_per_period="0.006"),
    )
    found = explain(shipped("card"), history, date(2024, 6, 1))
    [cash] = steps(found, Component.FEE, Segment.CASH)
    assert (cash.amount_minor, cash.parts[0].amount, cash.rest, cash.rest_why) == (1_000, 300, 700, "least")
    [plan] = steps(found, Component.FEE, Segment.INSTALMENT)
    assert (plan.amount_minor, plan.rest) == (7_200, 0)
    assert [(part.balance_minor, part.rate_annual) for part in plan.parts] == [(1_200_000, Fraction("0.006"))]
    # 10 % of 18,300.00, the first instalment of 1,000.00, both fees and a day of interest on cash are asked: 5 % of it.
    [late] = steps(found, Component.PENALTY, Segment.PURCHASE)
    asked = 183_000 + 100_000 + 7_200 + 1_000 + 15
    assert (late.parts[0].balance_minor, late.parts[0].amount) == (asked, Fraction(asked, 20))
    assert late.amount_minor == 14_561 and late.rest_why == "rounding"


def test_interest_of_a_plan_is_a_month_of_what_is_left_of_it() -> None:
    history = facts(
        opened("pay_later", "2024-05-01"),
        fact("purchase", "2024-05-03", 120_000),
        fact("instalment_plan", "2024-05-03", 120_000, instalments=12, rate_annual="0.12"),
        fact("payment", "2024-06-10", 10_662),
    )
    found = explain(shipped("pay_later"), history, date(2024, 7, 2))
    first, paid, second = steps(found, Component.INTEREST, Segment.INSTALMENT)
    assert (first.amount_minor, first.parts[0].balance_minor, first.parts[0].years) == (1_200, 120_000, Fraction(1, 12))
    assert paid.amount_minor == -1_200
    left = 120_000 - (10_662 - 1_200)
    assert second.parts[0].balance_minor == left and second.amount_minor == round(left * Fraction("0.01"))


def test_what_the_promise_on_all_costs_cuts_is_told() -> None:
    # 24 % a year is 657.53 a day of 1,000,000.00; all costs together stay below 15 %.
    history = facts(
        opened("flexible", "2024-05-01", rate_annual="0.24"), fact("cash_advance", "2024-05-01", 100_000_000)
    )
    found = explain(shipped("flexible"), history, date(2024, 5, 31))
    [step] = steps(found, Component.INTEREST, Segment.CASH)
    assert sum(part.amount for part in step.parts) == pytest.approx(14 * 65_753.42, abs=1)
    assert step.amount_minor == 14 * 100_000_000 * 15 // 36_500
    assert (step.rest_why, step.rest < 0) == ("cap", True)  # type: ignore[operator]


def test_a_settlement_takes_what_is_left_and_is_named_by_the_payment_that_did_it() -> None:
    history = facts(
        opened("pay_later", "2024-01-01"), fact("purchase", "2024-01-03", 100_000),
        fact("settlement", "2024-04-03", 60_000, by="2024-05-01"), fact("payment", "2024-04-20", 60_000),
    )  # fmt: skip
    found = explain(shipped("pay_later"), history, date(2024, 10, 31))
    assert balance_of(found) == 0
    waived = [step for part in found for step in part.steps if step.posting.why == "settled"]
    assert sum(step.amount_minor for step in waived) == -(40_000 + 1_000 + 1_550)
    assert {step.posting.fact_id for step in waived} == {"f3"}


def test_after_a_charge_off_the_claim_is_explained() -> None:
    history = facts(
        opened("pay_later", "2024-01-01"), fact("purchase", "2024-01-03", 100_000), fact("charge_off", "2024-06-03"),
        fact("recovery", "2024-08-01", 30_000),
    )  # fmt: skip
    found = explain(shipped("pay_later"), history, date(2024, 10, 31))
    assert balance_of(found) == 0
    claim = part_of(found, CLAIM)
    assert (claim.component, claim.segment) == (None, None)
    assert [step.amount_minor for step in claim.steps] == [105_600, -30_000]


def test_interest_that_a_closing_posts_is_of_the_days_since_the_last_bill() -> None:
    # A card's cash at 18.25 %: 50 a day on 1,000.00, 5 days of it in the bill of 5 January, 25 posted by the closing.
    history = facts(
        opened("card", "2023-12-31", limit_minor=500_000), fact("cash_advance", "2023-12-31", 100_000),
        fact("closed", "2024-01-30"),
    )  # fmt: skip
    billed, closing = steps(explain(shipped("card"), history, date(2024, 2, 4)), Component.INTEREST, Segment.CASH)
    assert (billed.amount_minor, billed.fact) == (250, None)
    assert (closing.amount_minor, closing.fact, closing.rest) == (1_250, history[-1], 0)
    assert counted(closing) == [("interest", "01-05", "01-30", 100_000, Fraction(25, 365), 1_250)]


def test_an_over_payment_is_explained_until_it_is_used() -> None:
    history = facts(
        opened("pay_later", "2024-05-01"), fact("payment", "2024-05-02", 5_000), fact("purchase", "2024-05-03", 3_000)
    )
    credit = part_of(explain(shipped("pay_later"), history, date(2024, 5, 31)), CREDIT)
    assert [(step.amount_minor, step.posting.why) for step in credit.steps] == [
        (5_000, "overpaid"), (-3_000, "credit_used"),
    ]  # fmt: skip


def test_a_change_of_rate_parts_the_days() -> None:
    history = facts(
        opened("flexible", "2024-05-01"), fact("cash_advance", "2024-05-01", 100_000),
        fact("rate_changed", "2024-05-11", rate_annual="0.073"),
    )  # fmt: skip
    [step] = steps(explain(shipped("flexible"), history, date(2024, 5, 20)), Component.INTEREST, Segment.CASH)
    assert [(part.rate_annual, part.until - part.since) for part in step.parts] == [
        (Fraction("0.1095"), date(2024, 5, 10) - date(2024, 5, 1)),
        (Fraction("0.073"), date(2024, 5, 15) - date(2024, 5, 10)),
    ]


# --- loans, by hand ---------------------------------------------------------------------------------------------------


def loan(*more: dict[str, Any]) -> list[AccountFact]:
    return facts(opened("cash_loan", "2024-05-01"), fact("disbursement", "2024-05-01", 1_200_000), *more)


def test_an_instalment_s_interest_is_a_month_of_the_principal() -> None:
    found = explain(shipped("cash_loan"), loan(fact("payment", "2024-06-01", 110_016)), date(2024, 7, 1))
    first, paid, second = steps(found, Component.INTEREST, Segment.LOAN)
    assert counted(first) == [("interest", "05-01", "06-01", 1_200_000, Fraction(30, 360), 18_000)]
    assert (first.rest, paid.amount_minor) == (0, -18_000)
    assert counted(second) == [("interest", "06-01", "07-01", 1_107_984, Fraction(30, 360), Fraction("16619.76"))]
    assert (second.rest, second.rest_why) == (Fraction("0.24"), "rounding")


def test_penalty_interest_of_a_loan_is_on_the_principal_that_is_late() -> None:
    # 920.16 from 1 June, and 933.96 more from 1 July; whole fen are posted when a payment comes.
    found = explain(shipped("cash_loan"), loan(fact("payment", "2024-07-10", 1_000)), date(2024, 7, 10))
    penalty = part_of(found, receivable(Component.PENALTY, Segment.LOAN)).steps[0]
    late = [(part.since, part.until, part.balance_minor) for part in penalty.parts]
    assert late[0] == (date(2024, 6, 1), date(2024, 7, 1), 92_016)
    assert late[1][:2] == (date(2024, 7, 1), date(2024, 7, 10)) and late[1][2] > 92_016
    assert penalty.rest is not None and -1 < penalty.rest <= 0, "the part of a unit is kept for the next"


def test_interest_that_is_paid_before_its_day_is_told_to_be_elsewhere() -> None:
    found = explain(shipped("cash_loan"), loan(fact("payment", "2024-05-16", 5_000)), date(2024, 6, 1))
    charges = [step for step in steps(found, Component.INTEREST, Segment.LOAN) if step.rest is not None]
    assert sum(step.amount_minor for step in charges) == 18_000
    assert {step.rest_why for step in charges} <= {"elsewhere", "rounding"}
    assert sum(step.rest for step in charges if step.rest is not None) == 0


def test_facts_of_one_day_do_not_count_it_twice() -> None:
    history = loan(fact("rate_changed", "2024-07-10", rate_annual="0.12"), fact("payment", "2024-07-10", 1_000))
    found = explain(shipped("cash_loan"), history, date(2024, 7, 10))
    penalties = [one for one in part_of(found, receivable(Component.PENALTY, Segment.LOAN)).steps if one.parts]
    days = sum((part.until - part.since).days for step in penalties for part in step.parts)
    assert days == (date(2024, 7, 10) - date(2024, 6, 1)).days


# --- any history ------------------------------------------------------------------------------------------------------


def check(product: Product, history: list[AccountFact], as_of: date) -> None:
    """What holds of every explanation."""
    state, found = account_state(product, history, as_of), explain(product, history, as_of)
    owed: Counter[str] = Counter()
    for part in state.owed:
        owed[receivable(part.component, part.segment)] += part.amount_minor
    told = {part.account: part.amount_minor for part in found}
    assert {name: amount for name, amount in told.items() if amount and name not in (CREDIT, CLAIM)} == dict(owed)
    assert balance_of(found) == state.balance_minor
    assert (told.get(CREDIT, 0), told.get(CLAIM, 0)) == (state.credit_minor, state.claim_minor)
    # Each posting to what is owed is a step, once a side; and they are those of the account at once.
    expected = Counter(
        (posting, side) for posting in state.postings for side in (posting.debit, posting.credit) if side in told
    )
    assert Counter((step.posting, part.account) for part in found for step in part.steps) == expected
    for part in found:
        so_far = 0
        for step in part.steps:
            so_far += step.amount_minor
            assert step.after_minor == so_far
            check_charge(product, step)
        assert part.amount_minor == so_far


def check_charge(product: Product, step: Step) -> None:
    """The parts of a charge are what they say, and with the rest they are the charge."""
    if step.rest is None:
        assert not step.parts and (step.posting.why not in _CHARGES or step.amount_minor < 0)
        return
    assert sum((part.amount for part in step.parts), step.rest) == step.amount_minor
    for part in step.parts:
        assert abs(part.balance_minor * part.rate_annual * part.years * part.share - part.amount) <= slack(part)
        assert part.balance_minor > 0 and 0 < part.share <= 1 and part.since <= part.until <= step.posting.on
    if product.line is not None and step.posting.why in _CHARGES and product.cost_cap_annual is None:
        assert abs(step.rest) <= Fraction(1, 2), "counted interest is posted, but for the rounding to the unit"
    if step.rest_why == "cap":
        assert product.cost_cap_annual is not None and step.rest < 0


def slack(part: Part) -> Fraction:
    """By how much an amount may differ from its formula: a day is rounded to 10^-8, a plan's instalment to the unit."""
    if part.kind == "plan":
        return Fraction(1, 2)
    return Fraction(max(1, (part.until - part.since).days), 10**8)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_every_unit_of_any_line_is_explained(case: Case) -> None:
    if case.as_of >= case.facts[0].effective_on:
        check(case.product, list(case.facts), case.as_of)


@pytest.mark.prove
@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_every_unit_of_two_thousand_lines_is_explained(first: int) -> None:
    for seed in range(first, first + 100):
        case = seeded(seed)
        check(case.product, list(case.facts), case.as_of)


LOANS = ("balloon", "bullet", "cash_loan", "equal_principal", "grace_period", "interest_first")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LOANS),
    st.lists(st.tuples(st.integers(0, 700), st.sampled_from(["payment", "refund", "guarantor_payment"]),
                       st.integers(1, 400_000)), max_size=8),
    st.integers(0, 800),
)  # fmt: skip
def test_every_unit_of_any_paid_loan_is_explained(name: str, paid: list[tuple[int, str, int]], days: int) -> None:
    start = date(2024, 1, 31)
    history = facts(
        opened(name, start.isoformat()), fact("disbursement", start.isoformat(), 1_000_003),
        *(fact(kind, (start + timedelta(days=after)).isoformat(), amount) for after, kind, amount in sorted(paid)),
    )  # fmt: skip
    check(shipped(name), history, start + timedelta(days=days))
