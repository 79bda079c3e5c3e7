"""Cases whose numbers follow from worked examples of 12 CFR 1026 Appendix J, or from a plain calculator in decimals
that shares no code with the product."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cases_more import Case, run, schedule_case

from evenkeel.accounts.cases import run_cases

# ---- Annual rates ----------------------------------------------------------------------------------------------------

# 12 CFR 1026, Appendix J (c), and the tests of FSharp.Finance.Personal (AprUsActuarialTests).
Payments = tuple[int, float, str, str | None]
RATES: dict[str, tuple[float, str, list[Payments], float]] = {
    "(c)(1)(ii)": (6000, "1978-02-10", [(36, 200, "1978-04-01", "1M")], 11.82),
    "(c)(1)(iv)": (10000, "1978-05-23", [(40, 385, "1978-10-01", "3M")], 8.97),
    "(c)(2)(i)": (5000, "1978-01-10", [(1, 250, "1978-02-10", None), (23, 230, "1978-03-10", "1M")], 10.08),
    "(c)(3)(i)": (5000, "1978-01-10", [(23, 230, "1978-02-10", "1M"), (1, 280, "1980-01-10", None)], 10.50),
    "(c)(4)(i)": (5000, "1978-01-10",
                  [(1, 250, "1978-02-10", None), (22, 230, "1978-03-10", "1M"), (1, 280, "1980-01-10", None)], 10.90),
    "(c)(5)(i)": (1000, "1978-01-03", [(1, 1080, "1978-09-15", None)], 11.45),
    "days": (1000, "2023-10-26", [(5, 220, "2023-11-30", "1D")], 94.15),
    "weeks": (1000, "2023-10-28", [(5, 250, "2023-11-30", "1W")], 176.52),
    "years": (1000, "2023-10-26", [(5, 500, "2023-11-30", "1Y")], 78.34),
}  # fmt: skip


def rate_case(advance: float, on: str, payments: list[Payments]) -> Case:
    series = [{"n": n, "amount": a, "first": f} | ({"every": e} if e else {}) for n, a, f, e in payments]
    return {"id": "x", "advance": advance, "advance_date": on, "payments": series}


@pytest.mark.parametrize("name", RATES)
def test_annual_rates(name: str) -> None:
    advance, on, payments, percent = RATES[name]
    found = run_cases({"apr_examples": {"cases": [rate_case(advance, on, payments)]}})["cases"][0]
    assert (found["why"], found["apr"]) == (None, percent)


def test_several_payments_without_an_interval_have_no_rate() -> None:
    case = rate_case(6000, "1978-02-10", [(36, 200, "1978-04-01", None)])
    assert "lacks `every`" in run_cases({"apr_examples": {"cases": [case]}})["cases"][0]["why"]


# ---- A plain calculator ----------------------------------------------------------------------------------------------


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def plainly(principal: Decimal, factors: list[Decimal]) -> list[tuple[Decimal, Decimal]]:
    """Principal and interest of each equal instalment; the last takes the rest, and what it differs by is spread over
    all while that makes it smaller."""

    def rows(level: Decimal) -> list[tuple[Decimal, Decimal]]:
        left = principal
        found: list[tuple[Decimal, Decimal]] = []
        for factor in factors:
            interest = cents(left * factor)
            part = left if len(found) == len(factors) - 1 else min(level - interest, left)
            left -= part
            found.append((part, interest))
        return found

    worth, discount = Decimal(0), Decimal(1)
    for factor in factors:
        discount /= 1 + factor
        worth += discount
    level = cents(principal / worth)
    while True:
        off = sum(rows(level)[-1]) - level
        step = cents(off / len(factors))
        if 200 * abs(off) < len(factors) or not step or abs(sum(rows(level + step)[-1]) - level - step) >= abs(off):
            return rows(level)
        level += step


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    principal=st.integers(10_000, 10_000_000), rate=st.integers(1, 3600), count=st.integers(2, 36),
    every=st.sampled_from([("30/360", "1 month"), ("30/360", "2 weeks"), ("ACTUAL/365", "15 days"),
                           ("ACTUAL/364", "1 week"), ("ACTUAL/360", "30 days")]),
)  # fmt: skip
def test_schedules_are_those_of_a_plain_calculator(
    principal: int, rate: int, count: int, every: tuple[str, str]
) -> None:
    day_count, apart = every
    number, unit = apart.split()
    length = 30 if unit == "month" else int(number) * (7 if "week" in unit else 1)
    basis = int(day_count.split("/")[1])
    with localcontext(prec=40):
        factor = Decimal(rate) / 10_000 * length / basis
        expected = plainly(Decimal(principal) / 100, [factor] * count)
    changes = {"principal": principal / 100, "annual_rate_pct": rate / 100, "day_count": day_count,
               "repay_every": apart, "n_repayments": count}  # fmt: skip
    found = run("emi_e2e", schedule_case(changes, []))
    if found["status"] == "unsupported":
        assert "half a cent" in found["why"]
        return
    rows = found["states"][-1]["schedule"]
    assert [(row["principal"], row["interest"]) for row in rows] == [(float(p), float(i)) for p, i in expected]
