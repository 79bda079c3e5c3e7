"""What a credit really costs: published examples, closed forms, and a plain search in decimals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evenkeel.accounts.cost.annual import Form, TrueCost, true_cost
from evenkeel.accounts.cost.flows import Flow, due_dates, from_first_advance, scheduled_day
from evenkeel.accounts.cost.offer import (
    annual_factors,
    daily_factors,
    fee_offer,
    parse_percent,
    payment_offer,
    rate_offer,
    read_flows,
    with_upfront_fee,
)
from evenkeel.accounts.cost.regz import regz_apr
from evenkeel.accounts.cost.solve import irr, rates, xirr, xirr_all
from evenkeel.kernel.errors import InvalidInput

Payment = tuple[int, float, str, str]  # how many, how much, the first, how often


def day(text: str) -> date:
    return date.fromisoformat(text)


START = day("2024-01-01")


def loan(advance: float, on: str, *payments: Payment) -> list[Flow]:
    flows = [Flow(day(on), round(advance * 100))]
    for count, amount, first, every in payments:
        flows += [Flow(one, -round(amount * 100)) for one in due_dates(day(first), count, every)]
    return flows


def searched(value: Any, low: str, high: str) -> Decimal:
    """The argument between two at which a falling function is 0, by halving in 50 digits."""
    with localcontext(prec=50):
        under, over = Decimal(low), Decimal(high)
        for _ in range(150):
            middle = (under + over) / 2
            if value(middle) > 0:
                under = middle
            else:
                over = middle
        return under


# --- Regulation Z -----------------------------------------------------------------------------------------------------

# 12 CFR 1026, Appendix J (c)(1) to (c)(5): the published examples.
PUBLISHED: dict[str, tuple[list[Flow], str, str]] = {
    "c1i": (loan(5000, "1978-01-10", (24, 230, "1978-02-10", "1M")), "9.69", "1M"),
    "c1ii": (loan(6000, "1978-02-10", (36, 200, "1978-04-01", "1M")), "11.82", "1M"),
    "c1iii": (loan(5000, "1978-02-23", (24, 219.17, "1978-03-01", "semimonth 1/16")), "10.34", "semimonth"),
    "c1iv": (loan(10000, "1978-05-23", (40, 385, "1978-10-01", "3M")), "8.97", "3M"),
    "c1v": (loan(500, "1978-03-20", (30, 17.6, "1978-04-21", "1W")), "14.96", "1W"),
    "c2i": (loan(5000, "1978-01-10", (1, 250, "1978-02-10", "1M"), (23, 230, "1978-03-10", "1M")), "10.08", "1M"),
    "c2ii": (loan(400, "1978-03-18", (1, 39.5, "1978-04-20", "1M"), (11, 38.31, "1978-05-18", "4W")), "28.50", "4W"),
    "c3i": (loan(5000, "1978-01-10", (23, 230, "1978-02-10", "1M"), (1, 280, "1980-01-10", "1M")), "10.50", "1M"),
    "c3ii": (loan(200, "1978-04-03", (19, 9.5, "1978-04-11", "2W"), (1, 30, "1979-01-02", "1M")), "12.22", "2W"),
    "c4i": (
        loan(5000, "1978-01-10", (1, 250, "1978-02-10", "1M"), (22, 230, "1978-03-10", "1M"),
             (1, 280, "1980-01-10", "1M")), "10.90", "1M",
    ),
    "c4ii": (
        loan(8000, "1978-01-10", (1, 449.36, "1978-03-01", "1M"), (18, 465, "1978-05-01", "2M"),
             (1, 200, "1981-05-01", "1M")), "7.30", "2M",
    ),
    "c5i": (loan(1000, "1978-01-03", (1, 1080, "1978-09-15", "1M")), "11.45", "255D"),
    "c5ii": (loan(1000, "1978-07-15", (1, 1044, "1979-01-15", "1M")), "8.80", "6M"),
    "c5iii": (loan(1000, "1978-01-17", (1, 1135.19, "1979-07-17", "1M")), "8.76", "1Y"),
    "c5iv": (loan(1000, "1978-01-03", (1, 1240, "1980-01-03", "1M")), "11.36", "1Y"),
}  # fmt: skip

# Worked by others for other unit-periods: facts asserted in the tests of FSharp.Finance.Personal.
WORKED: dict[str, tuple[list[Flow], str, str]] = {
    "quarters, shorter first": (loan(10000, "1978-06-23", (40, 385, "1978-10-01", "3M")), "9.15", "3M"),
    "quarters, short first": (loan(10000, "1978-07-23", (40, 385, "1978-10-01", "3M")), "9.32", "3M"),
    "days": (loan(1000, "2023-10-26", (5, 220, "2023-11-30", "1D")), "94.15", "1D"),
    "weeks, long first": (loan(1000, "2023-10-28", (5, 250, "2023-11-30", "1W")), "176.52", "1W"),
    "weeks": (loan(1000, "2023-11-23", (5, 250, "2023-11-30", "1W")), "412.40", "1W"),
    "weeks, short first": (loan(1000, "2023-11-24", (5, 250, "2023-11-30", "1W")), "434.30", "1W"),
    "years": (loan(1000, "2023-10-26", (5, 500, "2023-11-30", "1Y")), "78.34", "1Y"),
}


@pytest.mark.parametrize("name", [*PUBLISHED, *WORKED])
def test_published_annual_percentage_rates(name: str) -> None:
    flows, percent, every = (PUBLISHED | WORKED)[name]
    found = regz_apr(flows)
    assert (str(found.percent), found.unit.every) == (percent, every)


def test_the_shared_examples_of_appendix_j(shared: Path) -> None:
    cases = json.loads((shared / "cases" / "loan_schedules.json").read_text())["apr_regz_appendix_j"]["cases"]
    assert len(cases) == 6
    for case in cases:
        payments = [(p["n"], p["amount"], p["first"], p.get("every", "1M")) for p in case["payments"]]
        assert float(regz_apr(loan(case["advance"], case["advance_date"], *payments)).percent) == case["apr"], case


def test_the_order_of_flows_does_not_matter() -> None:
    flows = PUBLISHED["c4ii"][0]
    assert regz_apr(flows[::-1]) == regz_apr(flows)


def equation(terms: Sequence[tuple[int, int, Fraction]]) -> Decimal:
    """The unit-period rate of Appendix J (b)(8), searched; terms: amount, t, f."""

    def negated(i: Decimal) -> Decimal:
        return -sum(
            (a / ((1 + Decimal(f.numerator) / f.denominator * i) * (1 + i) ** t) for a, t, f in terms), Decimal(0)
        )

    return searched(negated, "-0.5", "5")


# Days counted by hand: (flows, terms, unit-periods a year, as `every`).
COUNTED: dict[str, tuple[list[Flow], list[tuple[int, int, Fraction]], int, str]] = {
    # From 31 January: the last day of February and 31 March are whole months.
    "last day of the month": (
        [Flow(day("2023-01-31"), 100000), Flow(day("2023-02-28"), -51000), Flow(day("2023-03-31"), -51000)],
        [(100000, 0, Fraction(0)), (-51000, 1, Fraction(0)), (-51000, 2, Fraction(0))], 12, "1M",
    ),
    # 30 January to 28 February, in a series on the 30th.
    "thirtieth": (
        [Flow(day("2023-01-30"), 100000), Flow(day("2023-02-28"), -34000), Flow(day("2023-03-30"), -34000),
         Flow(day("2023-04-30"), -34000)],
        [(100000, 0, Fraction(0)), *((-34000, t, Fraction(0)) for t in (1, 2, 3))], 12, "1M",
    ),
    # 15 and last: 9 to 15 January is 6 of 15 days; back from 31 January to 9 January 22 days, one half month and 7.
    "15 and 31": (
        [Flow(day("2023-01-09"), 100000), *(Flow(one, -26000) for one in map(day, (
            "2023-01-15", "2023-01-31", "2023-02-15", "2023-02-28")))],
        [(100000, 0, Fraction(0)), (-26000, 0, Fraction(6, 15)), (-26000, 1, Fraction(7, 15)),
         (-26000, 2, Fraction(6, 15)), (-26000, 3, Fraction(7, 15))], 24, "semimonth",
    ),
    # 15 February to 28 February and on to 15 March, a month apart: half months of 13 and 15 days.
    "half of February": (
        [Flow(day("2023-02-15"), 100000), Flow(day("2023-02-28"), -51000), Flow(day("2023-03-15"), -51000)],
        [(100000, 0, Fraction(0)), (-51000, 0, Fraction(13, 15)), (-51000, 2, Fraction(0))], 24, "semimonth",
    ),
    # A single payment on a last day: from 31 January to 30 April are three months.
    "last day, single": (
        [Flow(day("2023-01-31"), 100000), Flow(day("2023-04-30"), -103000)],
        [(100000, 0, Fraction(0)), (-103000, 1, Fraction(0))], 4, "3M",
    ),
    # The period of a month comes twice, that of two weeks once.
    "skipped": (
        [Flow(day("2023-05-01"), 100000), Flow(day("2023-06-01"), -40000), Flow(day("2023-07-01"), -40000),
         Flow(day("2023-07-15"), -25000)],
        [(100000, 0, Fraction(0)), (-40000, 1, Fraction(0)), (-40000, 2, Fraction(0)),
         (-25000, 2, Fraction(14, 30))], 12, "1M",
    ),
    # Three advances a month apart, then two payments: advances are discounted too.
    "several advances": (
        [Flow(day("2023-01-10"), 50000), Flow(day("2023-02-10"), 30000), Flow(day("2023-03-10"), 20000),
         Flow(day("2023-04-25"), -52000), Flow(day("2023-05-25"), -52000)],
        [(50000, 0, Fraction(0)), (30000, 1, Fraction(0)), (20000, 2, Fraction(0)),
         (-52000, 3, Fraction(15, 30)), (-52000, 4, Fraction(15, 30))], 12, "1M",
    ),
    # Two weeks and two months come twice each: the smaller is the unit.
    "tie": (
        [Flow(day("2023-01-01"), 100000), Flow(day("2023-03-01"), -25000), Flow(day("2023-05-01"), -25000),
         Flow(day("2023-05-15"), -25000), Flow(day("2023-05-29"), -30000)],
        [(100000, 0, Fraction(0)), (-25000, 4, Fraction(3, 14)), (-25000, 8, Fraction(8, 14)),
         (-25000, 9, Fraction(8, 14)), (-30000, 10, Fraction(8, 14))], 26, "2W",
    ),
    # No period comes twice: 2 and 4 months are 3 on average.
    "average of months": (
        [Flow(day("2023-01-01"), 100000), Flow(day("2023-03-01"), -50000), Flow(day("2023-07-01"), -55000)],
        [(100000, 0, Fraction(0)), (-50000, 0, Fraction(2, 3)), (-55000, 2, Fraction(0))], 4, "3M",
    ),
    # 45 and 33 days: 39 on average, nearest to six weeks.
    "average of days": (
        [Flow(day("2023-01-01"), 100000), Flow(day("2023-02-15"), -50000), Flow(day("2023-03-20"), -55000)],
        [(100000, 0, Fraction(0)), (-50000, 1, Fraction(3, 42)), (-55000, 1, Fraction(36, 42))], 0, "6W",
    ),
    # Every two years: a unit-period is not longer than a year.
    "beyond a year": (
        [Flow(day("2020-03-01"), 100000), Flow(day("2022-03-01"), -60000), Flow(day("2024-03-01"), -60000)],
        [(100000, 0, Fraction(0)), (-60000, 2, Fraction(0)), (-60000, 4, Fraction(0))], 1, "1Y",
    ),
    # 1 month and 5 days before whole years: not a whole number of months, so days / 365.
    "odd days before years": (
        [Flow(day("2020-01-27"), 100000), Flow(day("2021-03-01"), -60000), Flow(day("2022-03-01"), -60000)],
        [(100000, 0, Fraction(0)), (-60000, 1, Fraction(34, 365)), (-60000, 2, Fraction(34, 365))], 1, "1Y",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_unit_periods_counted_by_hand(name: str) -> None:
    flows, terms, per_year, every = COUNTED[name]
    found = regz_apr(flows)
    assert found.unit.every == every
    assert found.unit_rate == pytest.approx(float(equation(terms)), rel=1e-11)
    assert found.rate == pytest.approx(found.unit_rate * (per_year or 52 / 6), rel=1e-15)


def test_a_fee_before_the_money_comes_is_a_prepaid_finance_charge() -> None:
    payments = loan(0.01, "2023-01-01", (12, 90, "2023-02-01", "1M"))[1:]
    deducted = [Flow(day("2023-01-01"), 98000), *payments]
    beside = [Flow(day("2022-12-27"), -2000), Flow(day("2023-01-01"), 100000), *payments]
    assert regz_apr(beside) == regz_apr(deducted)


def test_percent_is_rounded_half_up() -> None:
    flows = [Flow(day("2023-01-01"), 800000), Flow(day("2024-01-01"), -801300)]  # exactly 0.1625 %
    assert str(regz_apr(flows).percent) == "0.16"
    flows = [Flow(day("2023-01-01"), 800000), Flow(day("2024-01-01"), -801001)]  # 0.125125 %
    assert str(regz_apr(flows).percent) == "0.13"


# --- due days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "count", "every", "expected"),
    [
        ("2024-01-31", 4, "1M", "2024-01-31 2024-02-29 2024-03-31 2024-04-30"),
        ("2023-01-30", 3, "1M", "2023-01-30 2023-02-28 2023-03-30"),
        ("2024-11-30", 3, "2M", "2024-11-30 2025-01-30 2025-03-30"),
        ("2024-02-29", 3, "1Y", "2024-02-29 2025-02-28 2026-02-28"),
        ("2024-02-26", 3, "1W", "2024-02-26 2024-03-04 2024-03-11"),
        ("2024-02-26", 3, "2W", "2024-02-26 2024-03-11 2024-03-25"),
        ("2024-02-26", 3, "15D", "2024-02-26 2024-03-12 2024-03-27"),
        ("2024-01-16", 3, "semimonth 1/16", "2024-01-16 2024-02-01 2024-02-16"),
        ("2023-01-30", 4, "semimonth 15/30", "2023-01-30 2023-02-15 2023-02-28 2023-03-15"),
        ("2023-02-28", 3, "semimonth 15/31", "2023-02-28 2023-03-15 2023-03-31"),
    ],
)
def test_due_days(first: str, count: int, every: str, expected: str) -> None:
    assert [one.isoformat() for one in due_dates(day(first), count, every)] == expected.split()


def test_the_day_that_is_meant_may_be_said() -> None:
    days = due_dates(day("2024-02-29"), 3, "1M", day=31)
    assert [one.isoformat() for one in days] == ["2024-02-29", "2024-03-31", "2024-04-30"]


@pytest.mark.parametrize(
    ("count", "every", "word"),
    [
        (3, "monthly", "1M, 2W, 15D"), (3, "0M", "0M"), (3, "1.5M", "1.5M"), (3, "", "interval"), (3, "-1M", "-1M"),
        (3, "semimonth 16/1", "earlier first"), (3, "semimonth 1/32", "two days"), (3, "semimonth 2/17", "neither day"),
        (0, "1M", "from 1 to 10,000"), (10_001, "1M", "10001"), (9999, "9Y", "year 9999"), (9999, "9999D", "year 9999"),
    ],
)  # fmt: skip
def test_an_interval_that_cannot_be_is_refused(count: int, every: str, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        due_dates(day("2024-01-01"), count, every)
    assert word in str(refused.value)


@pytest.mark.parametrize(
    ("one", "series", "expected"),
    [
        ("2023-02-28", "2023-01-31 2023-02-28 2023-03-31", 31),
        ("2023-04-30", "2023-01-31 2023-04-30", 31),
        ("2023-02-28", "2023-01-30 2023-02-28 2023-03-30 2023-04-30", 30),
        ("2023-02-28", "2023-01-28 2023-02-28 2023-03-28", 28),
        ("2023-02-28", "2023-02-15 2023-02-28 2023-03-15 2023-03-30", 30),
        ("2023-02-28", "2023-01-28 2023-02-28 2023-03-28 2023-05-31", 28),
        ("2023-02-27", "2023-01-31 2023-02-27", 27),
    ],
)
def test_what_day_of_the_month_a_last_day_stands_for(one: str, series: str, expected: int) -> None:
    assert scheduled_day(day(one), [day(other) for other in series.split()]) == expected


# --- XIRR and IRR -----------------------------------------------------------------------------------------------------


def test_the_excel_example(shared: Path) -> None:
    case = json.loads((shared / "cases" / "loan_schedules.json").read_text())["other_vectors"]["xirr_excel_example"]
    days = [day(text) for text in case["dates"]]
    found = xirr(days, case["amounts"])
    assert f"{found:.9f}" == "0.373362534"
    # The stored value is a solver's, good to 1e-11; the root itself, in 50 digits, is 0.37336253351883151...
    assert found == pytest.approx(case["value"], abs=1e-11)
    years = [Decimal((one - days[0]).days) / 365 for one in days]

    def worth(rate: Decimal) -> Decimal:
        return sum(
            (Decimal(a) / (1 + rate) ** year for a, year in zip(case["amounts"], years, strict=True)), Decimal(0)
        )

    assert found == pytest.approx(float(searched(worth, "0", "1")), abs=1e-15)
    assert found == pytest.approx(0.37336253351883151, abs=1e-15)


def test_closed_forms() -> None:
    start = day("2023-01-01")
    assert xirr([start, day("2024-01-01")], [100, -110]) == pytest.approx(0.1, rel=1e-14)
    assert xirr([start, day("2023-01-02")], [-100, 101]) == pytest.approx(1.01**365 - 1, rel=1e-12)
    assert xirr([start, day("2033-01-01")], [100, -50]) == pytest.approx(0.5 ** (365 / 3653) - 1, rel=1e-12)
    assert irr([-100, 60, 60]) == pytest.approx((0.6 + (0.36 + 2.4) ** 0.5) / 2 - 1, rel=1e-14)
    assert irr([100, 0, 0, -133.1]) == pytest.approx(0.1, rel=1e-13)
    assert irr([100, -50, -50]) == 0.0


def test_of_several_rates_the_lowest_that_is_not_negative_comes_first() -> None:
    # (1 + r - 1.1)(1 + r - 1.2)(1 + r - 0.7): 10 %, 20 % and -30 %
    years, amounts = [START + timedelta(days=365 * place) for place in range(4)], [1000, -3000, 2930, -924]
    assert xirr_all(years, amounts) == pytest.approx((0.1, 0.2, -0.3), rel=1e-11)
    assert xirr(years, amounts) == irr(amounts) == pytest.approx(0.1, rel=1e-11)


def test_below_nothing_the_nearest_rate_comes_first() -> None:
    # (1 + r - 0.9)(1 + r - 0.5)
    assert irr([100, -140, 45]) == pytest.approx(-0.1, rel=1e-10)


def test_a_rate_of_nothing_is_found_beside_others() -> None:
    # (1 + r - 1)(1 + r - 1.5)
    assert irr([100, -250, 150]) == 0.0


@pytest.mark.parametrize("scale", [1e-6, 1, 10**15])
def test_the_unit_of_money_does_not_matter(scale: float) -> None:
    assert irr([-100 * scale, 60 * scale, 60 * scale]) == pytest.approx(irr([-100, 60, 60]), rel=1e-13)


@pytest.mark.parametrize(
    ("amounts", "word"),
    [
        ([], "one way"), ([100], "one way"), ([100, 50], "one way"), ([0, 0], "one way"),
        ([100, -200, 150], "no rate"), ([100, float("nan")], "nan"), ([100, float("-inf")], "inf"),
        ([100, True], "True"),
    ],
)  # fmt: skip
def test_amounts_without_a_rate_are_refused_in_words(amounts: list[float], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        irr(amounts)


def test_hardly_anything_paid_back_is_nearly_minus_a_hundred_percent() -> None:
    assert rates([(1.0, 0.0, 0.0), (-1e-20, 0.0, 1.0)]) == (-1.0,)
    assert irr([1, -1e-6]) == pytest.approx(-1 + 1e-6, rel=1e-15)


def test_flows_of_one_day_have_no_rate() -> None:
    with pytest.raises(InvalidInput, match="one way"):
        xirr([day("2023-01-01")] * 2, [100, -110])
    with pytest.raises(InvalidInput, match="2 dates and 1 amounts"):
        xirr([day("2023-01-01")] * 2, [100])


def test_ten_thousand_flows_are_no_problem() -> None:
    days = due_dates(day("2000-01-01"), 10_000, "1D")
    rate = xirr([day("1999-12-31"), *days], [-10_000, *([1.1] * 10_000)])
    daily = (1 + rate) ** (1 / 365) - 1
    assert 1.1 * (1 - (1 + daily) ** -10_000) / daily == pytest.approx(10_000, rel=1e-9)


# --- the true cost ----------------------------------------------------------------------------------------------------

MONTHLY = due_dates(day("2024-02-01"), 12, "1M")


def rates_of(found: TrueCost) -> dict[str, float]:
    return {one.form.value: one.rate for one in found.rates}


def test_a_fee_of_six_in_a_thousand_an_instalment_is_thirteen_percent_a_year() -> None:
    offer = fee_offer(12000_00, START, MONTHLY, parse_percent("0.6%"))
    found = true_cost(offer.flows, offer.contract)
    assert (found.received_minor, found.paid_minor, found.cost_minor) == (12000_00, 12864_00, 864_00)
    assert (found.begin, found.end, found.payments, found.unit.every) == (START, day("2025-01-01"), 12, "1M")
    month = irr([12000, *[-1072] * 12])
    rates = rates_of(found)
    assert rates["nominal"] == rates["regz"] == pytest.approx(12 * month, rel=1e-12)
    assert 0.1303 < rates["nominal"] < 0.1304
    balances = [12000 - 1000 * place for place in range(12)]
    spans = [(two - one).days for one, two in zip([START, *MONTHLY], MONTHLY, strict=False)]
    used = sum(balance * span for balance, span in zip(balances, spans, strict=True))
    assert rates["contract"] == pytest.approx(864 * 365 / used, rel=1e-15)
    assert found.flat == pytest.approx(0.006, rel=1e-15)
    assert found.daily == rates["simple"] / 365
    assert [one.compounding for one in found.rates] == [True, False, False, False, False]


def test_a_daily_rate_is_what_the_simple_form_finds_again() -> None:
    days = due_dates(day("2024-01-20"), 8, "1M")
    rate = parse_percent("0.05%")
    offer = rate_offer(500_000_000_00, START, days, daily_factors(START, days, rate))  # so much that a fen is nothing
    found = true_cost(offer.flows, offer.contract)
    assert found.daily == pytest.approx(0.0005, rel=1e-9)
    assert found.rate(Form.SIMPLE) == pytest.approx(0.1825, rel=1e-9)
    assert found.rate(Form.CONTRACT) == pytest.approx(0.1825, rel=1e-9)
    assert found.rate(Form.NOMINAL) is None  # an odd first period


def test_a_single_payment_has_one_simple_rate_and_a_compound_one() -> None:
    found = true_cost([Flow(START, 1000_00), Flow(day("2024-01-31"), -1015_00)])
    rates = rates_of(found)
    assert rates["simple"] == pytest.approx(0.015 * 365 / 30, rel=1e-13)
    assert rates["nominal"] == rates["regz"] == pytest.approx(0.015 * 365 / 30, rel=1e-12)
    assert rates["compound"] == pytest.approx(1.015 ** (365 / 30) - 1, rel=1e-12)
    assert "contract" not in rates


def test_unpaid_interest_bears_none_in_the_simple_form() -> None:
    """10 paid half-way does not cover the interest: by the United States rule the principal stays whole."""
    found = true_cost([Flow(START, 1000_00), Flow(day("2024-07-01"), -10_00), Flow(day("2024-12-31"), -1190_00)])
    assert found.rate(Form.SIMPLE) == pytest.approx(0.2, rel=1e-13)  # 365 days


def test_a_credit_balance_bears_no_interest_in_the_simple_form() -> None:
    """1000 for 100 days, 50 too much back, and 50 drawn again after a year: 1000 r 100 / 365 = 40."""
    end = START + timedelta(days=465)
    flows = [Flow(START, 1000_00), Flow(START + timedelta(days=100), -1090_00), Flow(end, 50_00)]
    assert true_cost(flows).rate(Form.SIMPLE) == pytest.approx(0.04 * 365 / 100, rel=1e-13)


def test_a_deduction_in_advance_raises_every_rate() -> None:
    plain = payment_offer(10000_00, START, MONTHLY, 900_00)
    cut = with_upfront_fee(plain, 500_00)
    before, after = true_cost(plain.flows), true_cost(cut.flows)
    assert after.received_minor == 9500_00
    assert after.cost_minor == before.cost_minor + 500_00
    assert all(after.rate(one.form) > one.rate for one in before.rates)  # type: ignore[operator]
    assert rates_of(after) == rates_of(true_cost([Flow(START, 9500_00), *plain.flows[1:]]))


def test_a_credit_line_drawn_twice() -> None:
    flows = [Flow(START, 1000_00), Flow(day("2024-03-01"), -300_00), Flow(day("2024-03-10"), 500_00),
             Flow(day("2024-12-31"), -1350_00)]  # fmt: skip
    found = true_cost(flows)
    assert (found.received_minor, found.cost_minor, found.payments) == (1500_00, 150_00, 2)
    assert found.rate(Form.COMPOUND) == xirr([one.day for one in flows], [one.amount_minor for one in flows])


def test_further_rates_are_named() -> None:
    flows = [Flow(day("2021-01-01"), 1000_00), Flow(day("2022-01-01"), -2300_00), Flow(day("2023-01-01"), 1320_00),
             Flow(day("2023-01-02"), -1)]  # fmt: skip
    found = true_cost(flows)
    assert found.rate(Form.COMPOUND) == pytest.approx(0.1, abs=1e-3)
    assert found.other_compound[0] == pytest.approx(0.2, abs=1e-3)


def test_what_costs_nothing_has_rates_of_nothing() -> None:
    found = true_cost(payment_offer(1200_00, START, MONTHLY, 100_00).flows)
    assert set(rates_of(found).values()) == {0.0}
    assert found.cost_minor == found.daily == found.flat == 0


def test_a_gain_has_negative_rates() -> None:
    found = true_cost(payment_offer(1200_00, START, MONTHLY, 99_00).flows)
    assert all(one.rate < 0 for one in found.rates)


@pytest.mark.parametrize(
    ("flows", "word"),
    [
        ([], "receives nothing"),
        ([Flow(START, -100)], "receives nothing"),
        ([Flow(START, 100)], "nothing is paid after"),
        ([Flow(START, 100), Flow(START, -100), Flow(day("2024-02-01"), -5)], "nothing is lent"),
        ([Flow(START, 100), Flow(day("2024-02-01"), 5)], "nothing is paid after"),
    ],
)
def test_flows_that_are_no_credit_are_refused(flows: list[Flow], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        true_cost(flows)


def test_a_contract_that_does_not_add_up_is_refused() -> None:
    offer = payment_offer(1200_00, START, MONTHLY, 110_00)
    with pytest.raises(InvalidInput, match="not repaid exactly"):
        true_cost(offer.flows, [Flow(START, 1200_00)])
    with pytest.raises(InvalidInput, match="never outstanding"):
        true_cost(offer.flows, [Flow(START, -1200_00), Flow(MONTHLY[0], 1200_00)])


@pytest.mark.parametrize("amount", [1.0, True, None, "100"])
def test_a_flow_is_whole_minor_units(amount: Any) -> None:
    with pytest.raises(InvalidInput, match="whole minor units"):
        Flow(START, amount)


def test_flows_begin_with_the_first_money_received() -> None:
    flows = [Flow(MONTHLY[0], -60), Flow(START, 100), Flow(START, -5), Flow(day("2023-12-01"), -3), Flow(START, 0)]
    assert from_first_advance(flows) == [Flow(START, 92), Flow(MONTHLY[0], -60)]


# --- offers and files -------------------------------------------------------------------------------------------------


def test_a_fee_and_parts_are_whole_and_add_up() -> None:
    offer = fee_offer(100_00, START, MONTHLY[:3], Fraction(1, 800))  # a fee of 12.5 fen
    assert [one.amount_minor for one in offer.flows] == [10000, -3347, -3346, -3346]
    assert sum(one.amount_minor for one in offer.contract) == 0


def test_months_are_twelfths_and_odd_periods_are_days() -> None:
    days = due_dates(day("2024-02-20"), 3, "1M")
    assert annual_factors(START, days, "1M", Fraction(12, 100)) == [
        Fraction(12 * 50, 36500), Fraction(1, 100), Fraction(1, 100),
    ]  # fmt: skip
    assert annual_factors(day("2024-01-31"), [day("2024-02-29"), day("2024-03-31")], "1M", Fraction(12)) == [1, 1]
    assert annual_factors(START, due_dates(day("2024-01-16"), 3, "semimonth 1/16"), "semimonth 1/16", Fraction(24)) == [
        Fraction(24 * 15, 365), 1, 1,
    ]  # fmt: skip
    assert annual_factors(START, due_dates(day("2024-01-15"), 2, "2W"), "2W", Fraction(365)) == [14, 14]
    assert annual_factors(START, due_dates(day("2025-01-01"), 2, "1Y"), "1Y", Fraction(1, 10)) == [Fraction(1, 10)] * 2


@pytest.mark.parametrize(
    ("text", "value"), [("0.6%", Fraction(6, 1000)), ("18 %", Fraction(18, 100)), ("5％", Fraction(5, 100))]
)
def test_rates_are_read_exactly(text: str, value: Fraction) -> None:
    assert parse_percent(text) == value


@pytest.mark.parametrize("text", ["0.6", "-1%", "%", "1e2%", "nan%", "１%", "0.123456789%", "10000000%", ""])
def test_a_rate_needs_its_sign_and_its_bounds(text: str) -> None:
    with pytest.raises(InvalidInput, match="percent sign"):
        parse_percent(text)


def test_flows_of_a_file() -> None:
    wanted = [Flow(START, 1200000), Flow(day("2024-02-01"), -107250)]
    assert read_flows("date,amount\n2024-01-01,12000\n2024-02-01,-1072.50\n", False, "CNY") == wanted
    assert read_flows("note, date ,amount_minor\na,2024-01-01,1200000\n\n,2024-02-01,-107250\n", False, "CNY") == wanted
    entries = '[{"date": "2024-01-01", "amount": 12000}, {"date": "2024-02-01", "amount": "-1072.50"}]'
    assert read_flows(entries, True, "CNY") == wanted
    assert read_flows(f'{{"flows": {entries}}}', True, "CNY") == wanted
    assert read_flows('[{"date": "2024-01-01", "amount": 0.1}]', True, "CNY") == [Flow(START, 10)]
    assert read_flows("date,amount\n2024-01-01,500\n", False, "JPY") == [Flow(START, 500)]


@pytest.mark.parametrize(
    ("text", "as_json", "words"),
    [
        ("", False, ["header", "date,amount"]),
        ("day,amount\n", False, ["day,amount", "`date`"]),
        ("date,amount\n", False, ["no flows"]),
        ("date,amount\n2024-13-01,5\n", False, ["line 2", "`date`", "2024-13-01"]),
        ("date,amount\n2024-01-01,5.123\n", False, ["line 2", "`amount`", "5.123", "2 decimals"]),
        ("date,amount\n2024-01-01,1\n2024-01-02,nan\n", False, ["line 3", "`amount`", "nan"]),
        ("date,amount\n2024-01-01,\n", False, ["line 2", "`amount`"]),
        ("date,amount\n2024-01-01,12,000.00\n", False, ["line 2", "more cells", "12000.00"]),
        ("date,amount_minor\n2024-01-01,5.0\n", False, ["line 2", "`amount_minor`", "5.0"]),
        ("date,amount,amount_minor\n2024-01-01,5,500\n", False, ["line 2", "both"]),
        ("date,amount\n2024-01-01,99999999999999999999\n", False, ["line 2", "`amount`"]),
        ("{", True, ["JSON cannot be read"]),
        ("[" * 100_000, True, ["JSON cannot be read"]),
        ("{}", True, ["no list of flows"]),
        ("[5]", True, ["flow 1"]),
        ('[{"date": "2024-01-01", "amount": NaN}]', True, ["flow 1", "`amount`", "NaN"]),
        ('[{"date": "2024-01-01", "amount": true}]', True, ["flow 1", "`amount`", "True"]),
        ('[{"date": "2024-01-01", "amount": null}]', True, ["flow 1", "`amount`"]),
        ('[{"date": "2024-01-01", "amount": 1e3}]', True, ["flow 1", "`amount`", "1e3"]),
        ('[{"amount": 5}]', True, ["flow 1", "`date`"]),
    ],
)  # fmt: skip
def test_a_fault_in_a_file_is_named(text: str, as_json: bool, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_flows(text, as_json, "CNY")
    assert all(word in str(refused.value) for word in words), str(refused.value)
