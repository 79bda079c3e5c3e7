"""Revolving lines by example, with numbers that can be checked by hand.

A day at 18.25 % is 0.05 % of 365: 100.00 costs 0.05 a day. Amounts are in cents (fen).
"""

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evenkeel.accounts import ledger
from evenkeel.accounts.allocation import ATOMS, Allocation, Rule
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.line.fold import fold_line
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.products.model import (
    ClassStep,
    Cycle,
    Fee,
    Grace,
    LineTerms,
    Minimum,
    Product,
    RateStep,
    Roll,
    Tolerance,
)
from evenkeel.accounts.state import AccountState, Bill
from evenkeel.accounts.words import Component, Segment, Stage, Timing

EARLIEST, NO_CAP = date(1900, 1, 1), 10**12
DAILY = Fraction("0.1825")  # 0.05 % a day

# 花呗's shape: cut on the 1st, due in full on the 10th, interest only from then on.
PAY_LATER = Product(
    product_id="pay_later", digest="0" * 64, name={"en": "Pay later"}, shape="bnpl", currency="CNY",
    day_count=DayCount.ACT_365, rates=(RateStep(Segment.PURCHASE, EARLIEST, DAILY),), allocation=Allocation(),
    excess_by_rate=False, tolerance=Tolerance(), classes=(ClassStep(0, "normal"), ClassStep(61, "substandard")),
    fees={}, charge_off_days=None, cost_cap_annual=None,
    line=LineTerms(Cycle(1, 10, None), Minimum(Fraction(1), 0), Grace.FROM_DUE),
)  # fmt: skip
# A card: cut on the 5th, due 20 days later, 10 % asked; cash costs from its day.
CARD = replace(
    PAY_LATER, shape="card", rates=(*PAY_LATER.rates, RateStep(Segment.CASH, EARLIEST, DAILY)),
    line=LineTerms(Cycle(5, None, 20), Minimum(Fraction(1, 10), 0), Grace.FULL_AMOUNT),
)  # fmt: skip


def with_line(product: Product, **changes: Any) -> Product:
    assert product.line is not None
    return replace(product, line=replace(product.line, **changes))


def free(product: Product) -> Product:
    """The product without interest."""
    return replace(product, rates=())


def facts(*said: tuple[Any, ...], **opening: Any) -> list[AccountFact]:
    """Facts from (kind, day, amount or None, other fields): opened on 2024-01-01; ids are kind and place."""
    records: list[dict[str, Any]] = [{"kind": "opened", "effective_on": "2024-01-01", "product": "p", **opening}]
    for kind, day, amount, *rest in said:
        fields = rest[0] if rest else {}
        records.append({"kind": kind, "effective_on": day, **({"amount_minor": amount} if amount else {}), **fields})
    return [read_fact({"fact_id": f"{record['kind']}{place}", **record}) for place, record in enumerate(records)]


def at(day: str, product: Product, *said: tuple[Any, ...], **opening: Any) -> AccountState:
    """The account at the close of a day."""
    return fold_line(line_rules(product), facts(*said, **opening), date.fromisoformat(day), history=True)


def last_bill(state: AccountState) -> Bill:
    return state.bills[-1]


def owed(state: AccountState, component: Component, timing: Timing | None = None) -> int:
    return sum(
        part.amount_minor for part in state.owed if part.component is component and timing in (None, part.timing)
    )


# ---- Pay-later -----------------------------------------------------------------------------------------------------

SHOES = ("purchase", "2024-01-15", 10_000)


def test_a_pay_later_bill_paid_on_its_due_day_costs_nothing() -> None:
    state = at("2024-03-01", PAY_LATER, SHOES, ("payment", "2024-02-10", 10_000))
    first = state.bills[1]
    assert (first.cut_on, first.due_on) == (date(2024, 2, 1), date(2024, 2, 10))
    assert (first.total_minor, first.minimum_minor, first.principal_minor) == (10_000, 10_000, 10_000)
    assert state.balance_minor == state.accrued_minor == state.days_past_due == 0
    assert last_bill(state).total_minor == 0


def test_a_pay_later_bill_bears_interest_from_the_day_after_its_due_day() -> None:
    # Days that end on 11 February to 1 March: 20 x 10000 x 0.0005 = 100.
    assert at("2024-02-10", PAY_LATER, SHOES).accrued_minor == 0
    assert at("2024-02-11", PAY_LATER, SHOES).accrued_minor == 5
    state = at("2024-03-01", PAY_LATER, SHOES)
    assert last_bill(state).interest_minor == 100
    assert last_bill(state).total_minor == 10_100
    assert state.days_past_due == 20
    assert [due.due_on for due in state.dues] == [date(2024, 2, 10), date(2024, 3, 10)]


def test_what_falls_due_today_is_not_late_today() -> None:
    assert at("2024-02-10", PAY_LATER, SHOES).days_past_due == 0
    assert at("2024-02-11", PAY_LATER, SHOES).days_past_due == 1


def test_days_past_due_make_the_class() -> None:
    assert at("2024-04-10", PAY_LATER, SHOES).grade == "normal"  # 60 days after 10 February
    assert at("2024-04-11", PAY_LATER, SHOES).grade == "substandard"


# ---- Cards ---------------------------------------------------------------------------------------------------------

SOFA = ("purchase", "2024-01-10", 100_000)
MOST_OF_IT = ("payment", "2024-02-20", 90_000)


def test_full_amount_charging_counts_from_the_day_of_the_purchase() -> None:
    # Cut on 5 February, due on the 25th, 10000 of it unpaid. 41 days from 11 January to 20 February on 100000: 2050;
    # 5 days to the 25th on 10000: 25; then past due, 9 days to 5 March: 45.
    state = at("2024-03-05", CARD, SOFA, MOST_OF_IT)
    assert last_bill(state).interest_minor == 2050 + 25 + 45
    assert state.days_past_due == 0  # the minimum, 10000, was paid


def test_charging_the_unpaid_part_counts_a_tenth_of_that_where_a_tenth_is_unpaid() -> None:
    # 207.5 + 45 = 252.5, rounded half-up once.
    state = at("2024-03-05", with_line(CARD, grace=Grace.UNPAID_PART), SOFA, MOST_OF_IT)
    assert last_bill(state).interest_minor == 253


def test_a_card_bill_paid_in_full_is_free_and_a_few_cents_missing_are_within_the_tolerance() -> None:
    tolerant = replace(CARD, tolerance=Tolerance(payment_minor=100))
    for product, paid in ((CARD, 100_000), (tolerant, 99_900)):
        assert last_bill(at("2024-03-05", product, SOFA, ("payment", "2024-02-25", paid))).interest_minor == 0
    # One cent more: 46 days to 25 February on 100000, and 9 on the 101 that is past due: 0.4545.
    state = at("2024-03-05", tolerant, SOFA, ("payment", "2024-02-25", 99_899))
    assert last_bill(state).interest_minor == 2300


def test_purchases_repaid_before_the_bill_cost_nothing_where_only_the_unpaid_part_is_charged() -> None:
    said = [SOFA, ("payment", "2024-02-01", 100_000), ("fee", "2024-02-02", 500)]
    assert last_bill(at("2024-03-05", with_line(CARD, grace=Grace.UNPAID_PART), *said)).interest_minor == 0


def test_cash_bears_interest_from_its_day_and_costs_a_fee() -> None:
    product = replace(CARD, fees={"cash": Fee("cash", Fraction("0.01"), 1_000, NO_CAP)})
    # 1 to 5 February: 5 x 200000 x 0.0005 = 500.
    said = [("cash_advance", "2024-01-31", 200_000)]
    bill = last_bill(at("2024-02-05", product, *said))
    assert (bill.principal_minor, bill.fee_minor, bill.interest_minor) == (200_000, 2_000, 500)
    # Paid on the 10th: 5 more days. They stand in the next bill.
    state = at("2024-03-05", product, *said, ("payment", "2024-02-10", 202_500))
    assert (last_bill(state).interest_minor, last_bill(state).total_minor) == (500, 500)
    assert at("2024-01-31", product, ("cash_advance", "2024-01-31", 5_000)).balance_minor == 6_000  # at least 10.00


def test_average_daily_balance_of_the_textbook(shared: Path) -> None:
    # 579.30 for a day, 664.91 for 7, 384.91 for 8, 416.13 for 12, 465.38 for 3 days: 14702.65 / 31 x 1.9 % = 9.0113.
    given = json.loads((shared / "cases" / "loan_schedules.json").read_text())["other_vectors"]
    given = given["average_daily_balance_textbook"]
    yearly = round(Fraction(str(given["monthly_rate"])) * 365 / 31, 8)
    product = replace(
        with_line(CARD, grace=Grace.NONE, cycle=Cycle(1, 20, None)),
        rates=(RateStep(Segment.PURCHASE, EARLIEST, yearly),),
    )
    events = [("05-01", "purchase", given["opening"]), *given["events"]]
    said = [(kind, f"2024-{day}", round(100 * amount)) for day, kind, amount in events]
    opened = facts(*said, effective_on="2024-05-01")
    assert last_bill(fold_line(line_rules(product), opened, date(2024, 6, 1))).interest_minor == 901


def test_a_minimum_that_is_missed_costs_the_late_fee_and_is_asked_again() -> None:
    product = replace(free(CARD), fees={"late": Fee("late", Fraction("0.05"), 1_000, 20_000)})
    said = [SOFA, ("payment", "2024-02-20", 4_000)]
    due = at("2024-02-25", product, *said)
    # 10000 was asked, 6000 is missing, 5 % of it is 300, but at least 1000.
    assert due.days_past_due == 0
    assert owed(due, Component.PENALTY) == 1_000
    late = at("2024-02-26", product, *said)
    assert (late.days_past_due, late.past_due_minor) == (1, 6_000)
    # The next asks a tenth of 96000, the late fee, and what is missing: 9600 + 1000 + 6000.
    assert last_bill(at("2024-03-05", product, *said)).minimum_minor == 16_600
    paid = at("2024-03-10", product, *said, ("payment", "2024-03-10", 6_000))
    assert (paid.days_past_due, paid.past_due_minor) == (0, 0)


def test_penalty_interest_is_counted_on_all_that_is_past_due_while_the_line_is_late() -> None:
    product = with_line(free(CARD), penalty_rate_annual=Fraction("0.0365"))  # 0.01 % a day
    # Nothing paid: 100000 past due after 25 February; 9 days to 5 March at 10 a day.
    assert last_bill(at("2024-03-05", product, SOFA)).penalty_minor == 90
    # The minimum paid on the 29th: only the 4 days to it, on 100000.
    assert last_bill(at("2024-03-05", product, SOFA, ("payment", "2024-02-29", 10_000))).penalty_minor == 40


def test_grace_days_delay_lateness_which_then_counts_all_days() -> None:
    product = replace(CARD, tolerance=Tolerance(grace_days=3))
    product = with_line(product, penalty_rate_annual=Fraction("0.0365"))
    assert [at(f"2024-02-{day}", product, SOFA).days_past_due for day in (26, 28, 29)] == [0, 0, 4]
    assert owed(at("2024-02-27", product, SOFA), Component.PRINCIPAL, Timing.PAST_DUE) == 0
    assert owed(at("2024-02-28", product, SOFA), Component.PRINCIPAL, Timing.PAST_DUE) == 100_000
    # The days since the due day are counted at once: 9 to 5 March, as without grace days.
    assert last_bill(at("2024-03-05", product, SOFA)).penalty_minor == 90
    assert last_bill(at("2024-03-05", product, SOFA, ("payment", "2024-02-28", 10_000))).penalty_minor == 0


def test_grace_days_that_an_account_s_own_due_day_takes_beyond_the_next_statement_end_with_it() -> None:
    product = replace(CARD, tolerance=Tolerance(grace_days=8))
    # Due on 29 February by the account's own agreement: 8 March would be after the next statement.
    assert owed(at("2024-03-04", product, SOFA, due_day=31), Component.PRINCIPAL, Timing.DUE) == 100_000
    assert owed(at("2024-03-05", product, SOFA, due_day=31), Component.PRINCIPAL, Timing.PAST_DUE) == 100_000


def test_a_rate_change_holds_for_the_interest_of_its_day() -> None:
    # As a rate step of the product: the day that ends on 1 February is the first at the new rate.
    cash = ("cash_advance", "2024-01-29", 100_000)  # 50 a day, then none
    change = ("rate_changed", "2024-02-01", None, {"rate_annual": 0, "segment": "cash"})
    changed = at("2024-02-05", CARD, cash, change)
    steps = (*CARD.rates, RateStep(Segment.CASH, date(2024, 2, 1), Fraction(0)))
    stepped = at("2024-02-05", replace(CARD, rates=steps), cash)
    assert last_bill(changed).interest_minor == last_bill(stepped).interest_minor == 2 * 50
    # What was booked before it on the day does not change that.
    paid = at("2024-02-05", CARD, cash, ("payment", "2024-02-01", 1), change)
    assert last_bill(paid).interest_minor == 100


def test_a_leap_year_has_366_days_under_act_act() -> None:
    product = replace(CARD, day_count=DayCount.ACT_ACT, rates=(RateStep(Segment.CASH, EARLIEST, Fraction("0.3659")),))
    # 30 and 31 December on 365: 2 x 100.2465...; 1 to 5 January on 366: 5 x 99.9726...: 700.357.
    opened = {"kind": "opened", "fact_id": "o", "effective_on": "2023-12-29", "product": "p"}
    cash = {"kind": "cash_advance", "fact_id": "c", "effective_on": "2023-12-29", "amount_minor": 100_000}
    state = fold_line(line_rules(product), [read_fact(opened), read_fact(cash)], date(2024, 1, 5))
    assert last_bill(state).interest_minor == 700


# ---- Payments, credit, limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ATOMS, ids="_".join)
def test_the_first_step_of_the_allocation_is_paid_first(first: Any) -> None:
    rule = Rule((first, *(atom for atom in ATOMS if atom != first)))
    product = replace(CARD, allocation=Allocation(rule), fees={"late": Fee("late", Fraction(0), 1_000, NO_CAP)})
    said = [
        ("cash_advance", "2024-01-10", 50_000), ("fee", "2024-01-11", 300),  # past due after 25 February
        ("cash_advance", "2024-02-07", 40_000), ("fee", "2024-02-07", 200),  # due since 5 March, with the late fee
        ("cash_advance", "2024-03-06", 30_000), ("fee", "2024-03-06", 100), ("interest", "2024-03-06", 70),
    ]  # fmt: skip
    before = at("2024-03-07", product, *said)
    assert {(part.timing, part.component) for part in before.owed} == set(ATOMS) - {
        (Timing.PAST_DUE, Component.PENALTY),
        (Timing.IN_ADVANCE, Component.PENALTY),
    }
    paid = at("2024-03-07", product, *said, ("payment", "2024-03-07", 10))
    assert paid.balance_minor == before.balance_minor - 10
    if owed(before, first.component, first.timing):
        assert owed(before, first.component, first.timing) - owed(paid, first.component, first.timing) == 10


def test_the_excess_over_the_dues_goes_to_the_highest_rate() -> None:
    dear = replace(
        CARD, rates=(RateStep(Segment.PURCHASE, EARLIEST, DAILY), RateStep(Segment.CASH, EARLIEST, 2 * DAILY))
    )
    said = [SOFA, ("cash_advance", "2024-02-05", 50_000), ("payment", "2024-02-10", 55_000)]
    # Asked: a tenth of 150000. Of 55000, 15000 pay the bill in its order, 40000 the cash.
    plain, by_rate = (at("2024-02-10", replace(dear, excess_by_rate=by_rate), *said) for by_rate in (False, True))
    cash = {name: [p.amount_minor for p in s.owed if p.segment is Segment.CASH and p.component is Component.PRINCIPAL]
            for name, s in (("plain", plain), ("by_rate", by_rate))}  # fmt: skip
    assert cash == {"plain": [50_000], "by_rate": [10_000]}
    assert plain.balance_minor == by_rate.balance_minor


def test_an_over_payment_is_credit_and_pays_what_comes_next() -> None:
    said = [SHOES, ("payment", "2024-01-20", 15_000)]
    state = at("2024-01-20", PAY_LATER, *said, limit_minor=50_000)
    assert (state.balance_minor, state.credit_minor, state.available_minor) == (0, 5_000, 55_000)
    state = at("2024-02-01", PAY_LATER, *said, ("purchase", "2024-01-25", 8_000), limit_minor=50_000)
    assert (state.balance_minor, state.credit_minor, last_bill(state).total_minor) == (3_000, 0, 3_000)


def test_a_hold_keeps_part_of_the_limit_until_it_expires_is_used_or_is_released() -> None:
    hold = ("hold", "2024-01-02", 30_000)
    assert at("2024-01-08", PAY_LATER, hold, limit_minor=100_000).available_minor == 70_000
    assert at("2024-01-09", PAY_LATER, hold, limit_minor=100_000).available_minor == 100_000  # after 7 days
    used = at(
        "2024-01-03", PAY_LATER, hold, ("purchase", "2024-01-03", 25_000, {"hold_id": "hold1"}), limit_minor=100_000
    )
    assert (used.held_minor, used.available_minor) == (0, 75_000)
    gone = at(
        "2024-01-03", PAY_LATER, hold, ("hold_released", "2024-01-03", None, {"hold_id": "hold1"}), limit_minor=100_000
    )
    assert gone.available_minor == 100_000
    own = ("hold", "2024-01-02", 30_000, {"expires_on": "2024-02-01"})
    assert at("2024-01-31", PAY_LATER, own, limit_minor=100_000).held_minor == 30_000


def test_what_is_above_the_limit_is_asked_and_costs_the_over_limit_fee() -> None:
    product = replace(free(CARD), fees={"over_limit": Fee("over_limit", Fraction("0.05"), 0, NO_CAP)})
    state = at("2024-02-05", product, SOFA, limit_minor=90_000)
    # 5 % of 10000 is 500; asked: 10000 + 500 + what is above the limit, 10500.
    assert (last_bill(state).fee_minor, last_bill(state).minimum_minor) == (500, 21_000)


def test_a_charge_is_made_only_as_far_as_the_cost_cap_goes() -> None:
    # 24 % of 100000 for the 41 days from 11 January to 20 February: 2695.89; 500 was charged by hand.
    product = replace(
        CARD, cost_cap_annual=Fraction("0.24"), fees={"returned": Fee("returned", Fraction(0), 5_000, NO_CAP)}
    )
    said = [SOFA, ("fee", "2024-02-20", 500), ("payment_failed", "2024-02-20", 1_000)]
    assert owed(at("2024-02-20", product, *said), Component.FEE) == 2_695


# ---- Instalments ---------------------------------------------------------------------------------------------------

FRIDGE = ("purchase", "2024-01-10", 120_000)


def test_instalments_with_a_handling_fee() -> None:
    plan = ("instalment_plan", "2024-01-12", 120_000, {"instalments": 12, "fee_rate_per_period": "0.006"})
    state = at("2024-02-01", PAY_LATER, FRIDGE, plan)
    bill = last_bill(state)
    assert (bill.principal_minor, bill.fee_minor, bill.minimum_minor) == (10_000, 720, 10_720)
    assert owed(state, Component.PRINCIPAL, Timing.IN_ADVANCE) == 110_000
    paid = [("payment", f"{2024 + month // 12}-{month % 12 + 1:02d}-05", 10_720) for month in range(1, 13)]
    done = at("2025-03-01", PAY_LATER, FRIDGE, plan, *paid)
    assert done.balance_minor == 0
    assert sum(bill.fee_minor for bill in done.bills) == 12 * 720


def test_odd_units_fall_into_the_earlier_instalments() -> None:
    plan = ("instalment_plan", "2024-01-10", 100, {"instalments": 3})
    state = at("2024-04-05", free(PAY_LATER), ("purchase", "2024-01-10", 100), plan)
    assert [bill.principal_minor for bill in state.bills[1:]] == [34, 67, 100]


def test_instalments_at_a_rate_are_an_annuity_of_months() -> None:
    # 120000 over 12 months at 1 % a month: 10661.85 a month.
    plan = ("instalment_plan", "2024-01-12", 120_000, {"instalments": 12, "rate_annual": "0.12"})
    state = at("2025-01-31", PAY_LATER, FRIDGE, plan)
    months = [
        sum(
            posting.amount_minor
            for posting in state.postings
            if posting.why == "instalment_interest" and posting.on == on
        )
        for on in [bill.cut_on for bill in state.bills[1:]]
    ]
    assert months[:3] == [1_200, 1_105, 1_010]  # on 120000; 120000 - 9462 = 110538; 110538 - 9557 = 100981
    assert sum(months) == 12 * 10_662 - 120_000 - 2  # the last takes the rounding


def test_paying_instalments_ahead_makes_the_plan_shorter() -> None:
    plan = ("instalment_plan", "2024-01-12", 120_000, {"instalments": 12, "fee_rate_per_period": "0.006"})
    state = at("2024-10-31", PAY_LATER, FRIDGE, plan, ("payment", "2024-01-20", 60_000))
    asked = [posting for posting in state.postings if posting.why == "instalment_fee"]
    assert [posting.on.month for posting in asked] == [2, 3, 4, 5, 6, 7]
    assert owed(state, Component.PRINCIPAL, Timing.IN_ADVANCE) == 0


def test_billed_purchases_that_become_instalments_are_not_asked_by_the_bill_any_more() -> None:
    plan = ("instalment_plan", "2024-02-05", 120_000, {"instalments": 12})
    state = at("2024-02-20", PAY_LATER, FRIDGE, plan)
    assert (state.dues, state.days_past_due, state.balance_minor) == ((), 0, 120_000)
    part = at("2024-02-20", PAY_LATER, FRIDGE, ("instalment_plan", "2024-02-05", 100_000, {"instalments": 12}))
    assert [due.due_minor for due in part.dues] == [20_000]


def test_a_minimum_falls_by_its_share_of_what_becomes_instalments() -> None:
    # A tenth of 100000 is asked by 25 February: 10000.
    def dues(amount: int, *more: tuple[Any, ...]) -> list[tuple[int, int]]:
        plan = ("instalment_plan", "2024-02-10", amount, {"instalments": 12})
        state = at("2024-02-12", free(CARD), SOFA, *more, plan)
        return [(due.due_minor, due.paid_minor) for due in state.dues]

    assert dues(60_000) == [(4_000, 0)]  # a tenth of the 40000 that stay
    assert dues(60_009) == [(4_000, 0)]  # a tenth of the 60009 is 6000.9: at most that
    assert dues(100_000) == []
    assert dues(50_000, ("payment", "2024-02-08", 3_000)) == [(5_000, 3_000)]
    assert dues(50_000, ("payment", "2024-02-08", 9_000)) == []  # more than the 5000 that are asked now was paid


def test_a_minimum_never_asks_for_more_than_stays_on_the_bill() -> None:
    product = with_line(free(CARD), minimum=Minimum(Fraction(1, 10), 20_000))
    plan = ("instalment_plan", "2024-02-10", 95_000, {"instalments": 12})
    assert [due.due_minor for due in at("2024-02-12", product, SOFA, plan).dues] == [5_000]


def test_any_number_of_plans_fit_into_a_bill() -> None:
    plans = [("instalment_plan", "2024-01-12", 1_000, {"instalments": 2, "fee_rate_per_period": "0.01"})] * 40
    bill = last_bill(at("2024-02-01", PAY_LATER, FRIDGE, *plans))
    assert (bill.fee_minor, bill.principal_minor) == (40 * 10, 80_000 + 40 * 500)


# ---- The calendar --------------------------------------------------------------------------------------------------


def test_a_statement_day_that_a_month_lacks_is_its_last_day() -> None:
    product = with_line(PAY_LATER, cycle=Cycle(31, 20, None))
    state = at("2024-04-30", product, SHOES)
    assert [bill.cut_on for bill in state.bills] == [
        date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)
    ]  # fmt: skip


def test_a_due_day_that_is_no_working_day_moves() -> None:
    # 10 February 2024 is a Saturday, and the Spring Festival lasts to the 17th.
    festival = frozenset(date(2024, 2, day) for day in range(10, 18))
    for roll, due_on in ((Roll.NEXT, date(2024, 2, 19)), (Roll.PREVIOUS, date(2024, 2, 9))):
        product = with_line(PAY_LATER, cycle=Cycle(1, 10, None, roll, True, festival))
        assert last_bill(at("2024-02-01", product, SHOES)).due_on == due_on
    product = with_line(PAY_LATER, cycle=Cycle(1, 10, None, Roll.NEXT, True, festival))
    assert at("2024-02-19", product, SHOES).days_past_due == 0
    assert at("2024-02-20", product, SHOES).days_past_due == 1


def test_a_due_day_never_moves_before_its_bill() -> None:
    # Cut on Saturday 7 October 2023, due on Sunday the 8th: Friday the 6th would be before the bill.
    product = with_line(PAY_LATER, cycle=Cycle(7, 8, None, Roll.PREVIOUS, True))
    opened = read_fact({"kind": "opened", "fact_id": "o", "effective_on": "2023-10-01", "product": "p"})
    assert fold_line(line_rules(product), [opened], date(2023, 10, 7)).bills[0].due_on == date(2023, 10, 9)


def test_a_due_day_that_is_moved_holds_from_the_next_bill_on() -> None:
    moved = ("due_date_moved", "2024-02-05", None, {"due_day": 20})
    state = at("2024-03-01", PAY_LATER, SHOES, moved)
    assert [bill.due_on for bill in state.bills[1:]] == [date(2024, 2, 10), date(2024, 3, 20)]
    assert state.restructurings == 1


# ---- Help ----------------------------------------------------------------------------------------------------------


def test_a_re_age_makes_what_is_owed_a_plan_and_keeps_the_history_of_lateness() -> None:
    re_age = ("re_age", "2024-03-05", None, {"instalments": 4, "first_due_on": "2024-04-10"})
    state = at("2024-03-05", PAY_LATER, SHOES, re_age)
    # 10000 were 24 days late; 100 of interest was billed on 1 March, and 4 days are counted.
    assert (state.days_past_due, state.past_due_minor, state.dues, state.restructurings) == (0, 0, (), 1)
    assert owed(state, Component.PRINCIPAL, Timing.IN_ADVANCE) == 10_000
    assert owed(state, Component.INTEREST, Timing.IN_ADVANCE) == 100
    after = at("2024-04-01", PAY_LATER, SHOES, re_age)
    assert last_bill(after).principal_minor == 2_500
    assert last_bill(after).interest_minor == 100 + 20
    assert [month.days_past_due for month in after.months] == [0, 19, 0]
    assert at("2024-03-04", PAY_LATER, SHOES, re_age).days_past_due == 23


def test_a_re_age_starts_with_the_first_bill_that_is_due_on_its_day_or_later() -> None:
    re_age = ("re_age", "2024-03-05", None, {"instalments": 4, "first_due_on": "2024-04-11"})
    state = at("2024-05-01", free(PAY_LATER), SHOES, re_age)
    assert [bill.principal_minor for bill in state.bills[3:]] == [0, 2_500]


def test_an_extension_spreads_what_is_left_and_what_was_billed_over_the_months_given() -> None:
    plan = ("instalment_plan", "2024-01-12", 120_000, {"instalments": 12})
    longer = ("term_extended", "2024-02-05", None, {"instalments": 24})
    state = at("2024-03-01", PAY_LATER, FRIDGE, plan, longer)
    assert last_bill(state).principal_minor == 5_000
    again = at("2024-03-01", PAY_LATER, FRIDGE, plan, ("re_amortise", "2024-02-05", None))
    # 11 months are left of 12: 120000 / 11 = 10909.09.
    assert last_bill(again).principal_minor == 10_910


def test_a_payment_holiday_asks_for_nothing_until_its_day() -> None:
    holiday = ("payment_holiday", "2024-01-20", None, {"until": "2024-03-01", "interest": False})
    state = at("2024-03-31", PAY_LATER, SHOES, holiday)
    assert [bill.minimum_minor for bill in state.bills[1:]] == [0, 0]
    assert (state.days_past_due, state.dues) == (0, ())
    # Interest again from 2 March on, on what is past its due day: 31 March is the 30th day.
    assert state.accrued_minor == 30 * 5
    assert last_bill(at("2024-04-01", PAY_LATER, SHOES, holiday)).minimum_minor == 10_000 + 31 * 5


def test_no_late_fee_is_charged_in_a_payment_holiday_for_dues_from_before_it() -> None:
    product = replace(free(CARD), fees={"late": Fee("late", Fraction("0.05"), 1_000, 20_000)})
    # 10000 were asked by 25 February, and are not paid; the bills of March, April and May fall due in the holiday.
    holiday = ("payment_holiday", "2024-02-10", None, {"until": "2024-05-25"})
    state = at("2024-06-24", product, SOFA, holiday)
    assert owed(state, Component.PENALTY) == 0
    assert (state.days_past_due, state.past_due_minor) == (120, 10_000)
    # The bill of June is judged after it: 5 % of what is missing of 10000 and of its own minimum.
    after = at("2024-06-25", product, SOFA, holiday)
    assert last_bill(after).minimum_minor == 10_000 + 10_000
    assert owed(after, Component.PENALTY) == 1_000
    # One day shorter, and the day on which the bill of May is judged is no holiday any more.
    shorter = ("payment_holiday", "2024-02-10", None, {"until": "2024-05-24"})
    assert owed(at("2024-05-25", product, SOFA, shorter), Component.PENALTY) == 1_000


def test_a_pause_of_interest_holds_up_to_and_with_its_day() -> None:
    pause = ("interest_paused", "2024-02-15", None, {"until": "2024-02-20"})
    # Of the days from 11 February to 1 March, those that end on 16 to 20 February are free.
    assert last_bill(at("2024-03-01", PAY_LATER, SHOES, pause)).interest_minor == 15 * 5


def test_a_pause_of_lateness_does_not_count_its_days() -> None:
    pause = ("arrears_paused", "2024-02-15", None, {"until": "2024-02-25", "why": "flood"})
    days = ["2024-02-15", "2024-02-20", "2024-02-25", "2024-02-26"]
    assert [at(day, PAY_LATER, SHOES, pause).days_past_due for day in days] == [5, 5, 5, 6]


SETTLEMENT = ("settlement", "2024-03-02", 6_000, {"by": "2024-03-31"})


def test_a_settlement_that_is_paid_waives_the_rest() -> None:
    said = [SHOES, SETTLEMENT, ("payment", "2024-03-10", 3_000)]
    before = at("2024-03-30", PAY_LATER, *said)
    assert before.balance_minor == 7_100 and before.accrued_minor == 0 + 5
    state = at("2024-05-01", PAY_LATER, *said, ("payment", "2024-03-31", 3_000))
    assert (state.balance_minor, state.accrued_minor, state.days_past_due, state.dues) == (0, 0, 0, ())
    assert ledger.balances(state.postings)[ledger.WAIVED] == 4_100
    assert [bill.total_minor for bill in state.bills[3:]] == [0, 0]


def test_a_settlement_that_is_not_paid_in_time_waives_nothing() -> None:
    said = [SHOES, SETTLEMENT, ("payment", "2024-03-10", 3_000), ("payment", "2024-04-01", 3_000)]
    state = at("2024-04-01", PAY_LATER, *said)
    # Interest of the bill of April: 5 on 2 March, before the pause, and 3.5 on 1 April, after it, on 7000.
    assert state.balance_minor == 10_100 - 6_000 + 9
    assert state.days_past_due > 0


def test_a_reversal_of_help_leaves_the_account_without_it() -> None:
    re_age = ("re_age", "2024-03-05", None, {"instalments": 4, "first_due_on": "2024-04-10"})
    undone = ("reversal", "2024-03-20", None, {"reversal_of": "re_age2"})
    assert at("2024-03-19", PAY_LATER, SHOES, re_age, undone).days_past_due == 0
    state = at("2024-03-20", PAY_LATER, SHOES, re_age, undone)
    assert (state.days_past_due, state.restructurings) == (39, 0)
    assert state == at("2024-03-20", PAY_LATER, SHOES)


# ---- The end -------------------------------------------------------------------------------------------------------


def test_a_debt_is_charged_off_at_its_day_and_recovered_from_the_claim() -> None:
    product = replace(PAY_LATER, charge_off_days=60)
    assert at("2024-04-09", product, SHOES).stage is Stage.OPEN  # 59 days
    state = at("2024-04-10", product, SHOES)
    # 10000 and the interest of two bills: 100 and, for the 31 days to 1 April, 155.
    assert (state.stage, state.balance_minor, state.claim_minor) == (Stage.CHARGED_OFF, 0, 10_255)
    assert ledger.balances(state.postings)[ledger.LOSS] == 10_255
    later = at("2024-08-01", product, SHOES, ("recovery", "2024-06-01", 4_000))
    assert (later.claim_minor, later.days_past_due, len(later.bills)) == (6_255, 60, len(state.bills))
    assert ledger.balances(later.postings)[ledger.RECOVERED] == -4_000


def test_no_bill_is_cut_on_the_day_of_the_charge_off() -> None:
    state = at("2024-04-01", replace(PAY_LATER, charge_off_days=51), SHOES)
    assert state.stage is Stage.CHARGED_OFF
    assert last_bill(state).cut_on == date(2024, 3, 1)


def test_a_settlement_after_charge_off_waives_the_rest_of_the_claim() -> None:
    said = [SHOES, ("charge_off", "2024-03-01", None), ("settlement", "2024-03-10", 5_000, {"by": "2024-03-31"})]
    state = at("2024-03-20", PAY_LATER, *said, ("payment", "2024-03-20", 5_000))
    assert (state.claim_minor, state.credit_minor, state.stage) == (0, 0, Stage.CHARGED_OFF)


def test_a_line_that_was_late_and_is_paid_and_closed_is_late_no_longer() -> None:
    said = [SHOES, ("payment", "2024-02-20", 10_050), ("closed", "2024-02-20", None)]  # with 10 days of 5
    state = at("2024-02-28", PAY_LATER, *said)
    assert (state.stage, state.days_past_due, state.available_minor) == (Stage.CLOSED, 0, 0)


def test_after_twelve_unpaid_bills_the_later_ones_join_the_twelfth() -> None:
    said = [("purchase", f"{2024 + month // 12}-{month % 12 + 1:02d}-15", 1_000) for month in range(15)]
    state = at("2025-05-01", free(PAY_LATER), *said)
    assert [due.due_minor for due in state.dues] == [1_000] * 11 + [4_000]
    assert (state.dues[0].due_on, state.past_due_minor) == (date(2024, 2, 10), 15_000)
