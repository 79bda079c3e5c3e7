"""Schedules by every convention, against closed forms and a plain decimal loop."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.daycount import DayCount, year_fraction
from evenkeel.accounts.duedates import DueRule, MonthEnd, Unit
from evenkeel.accounts.loan.schedule import Planned, level_payment, schedule
from evenkeel.accounts.loan.terms import (
    FeeBase,
    InstalmentFee,
    InstalmentRate,
    InterestMethod,
    InterestPeriod,
    LoanTerms,
    ScheduleKind,
)
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding
from evenkeel.measures.annuity import pmt

START = date(2024, 1, 1)
MONTHLY = LoanTerms(rate_annual=Fraction(12, 100), instalments=6, day_count=DayCount.THIRTY_360, smoothing=False)


def split(rows: Sequence[Planned]) -> list[tuple[int, int]]:
    return [(row.principal_minor, row.interest_minor) for row in rows]


def decimal_schedule(principal: int, factors: list[Fraction], rounding: str) -> list[tuple[int, int]]:
    """Cent by cent in decimals of 60 digits: level instalment, half cents by `rounding`, smoothing as the reference."""
    with localcontext(prec=60):
        floats = [Decimal(f.numerator) / f.denominator for f in factors]
        discount, total = Decimal(1), Decimal(0)
        for factor in floats:
            discount /= 1 + factor
            total += discount

        def rows(level: int) -> list[tuple[int, int]]:
            left, found = principal, []
            for place, factor in enumerate(floats):
                interest = int((left * factor).quantize(Decimal(1), rounding))
                part = min(level - interest, left) if place < len(floats) - 1 else left
                found.append((part, interest))
                left -= part
            return found

        level = int((principal / total).quantize(Decimal(1), rounding))
        found = rows(level)
        while True:
            off = sum(found[-1]) - level
            step = int((Decimal(off) / len(floats)).quantize(Decimal(1), rounding))
            if 2 * abs(off) < len(floats) or not step:
                return found
            tried = rows(level + step)
            if abs(sum(tried[-1]) - level - step) >= abs(off):
                return found
            level, found = level + step, tried


@pytest.mark.parametrize("seed", range(150))
def test_equal_instalments_are_those_of_a_decimal_loop(seed: int) -> None:
    dice = random.Random(seed)
    count = dice.choice([DayCount.ACT_365, DayCount.ACT_360, DayCount.ACT_364, DayCount.ACT_ACT])
    rounding = dice.choice([Rounding.HALF_UP, Rounding.HALF_EVEN])
    terms = LoanTerms(
        rate_annual=Fraction(dice.randint(1, 36_000), 100_000), instalments=dice.randint(1, 36),
        due=dice.choice([DueRule(), DueRule(2, Unit.WEEKS), DueRule(15, Unit.DAYS), DueRule(3)]), day_count=count,
        rounding=rounding,
    )  # fmt: skip
    principal = dice.randint(10_000, 5_000_000)
    rows = schedule(terms, principal, date(2023, dice.randint(1, 12), dice.randint(1, 28)))
    factors = [year_fraction(count, row.start_on, row.due_on) * terms.rate_annual for row in rows]
    mode = ROUND_HALF_UP if rounding is Rounding.HALF_UP else ROUND_HALF_EVEN
    assert split(rows) == decimal_schedule(principal, factors, mode)


@pytest.mark.parametrize(("rate", "count", "principal"), [(1, 6, 100_00), (8.24, 12, 2_500_00), (7.5, 180, 200_000_00)])
def test_the_level_instalment_is_the_annuity(rate: float, count: int, principal: int) -> None:
    monthly = Fraction(str(rate)) / (100 if rate == 1 else 1200)
    assert level_payment(principal, [monthly] * count) == round(float(-pmt(float(monthly), count, principal)))


@given(st.integers(1, 10**9), st.integers(1, 60), st.fractions(0, Fraction(1, 4), max_denominator=5_000))
def test_the_level_instalment_is_exact_at_half_cents(principal: int, count: int, factor: Fraction) -> None:
    discount, total = Fraction(1), Fraction(0)
    for _ in range(count):
        discount /= 1 + factor
        total += discount
    assert level_payment(principal, [factor] * count) == int(principal / total + Fraction(1, 2))


def test_no_interest_is_equal_parts() -> None:
    rows = schedule(replace(MONTHLY, rate_annual=Fraction(0), instalments=3), 1_000_00, START)
    assert split(rows) == [(333_33, 0), (333_33, 0), (333_34, 0)]


def test_smoothing_is_kept_only_if_the_last_instalment_comes_closer() -> None:
    terms = LoanTerms(rate_annual=Fraction("0.15678"), instalments=6, day_count=DayCount.ACT_365)
    rows = schedule(terms, 100_00, START)
    assert [row.due_minor for row in rows] == [1743] * 5 + [1747]  # 17.44 would leave 17.40


def test_whole_unit_instalments_leave_the_rest_to_the_last() -> None:
    terms = replace(
        MONTHLY, instalments=18, instalment_multiple_minor=100, interest_period=InterestPeriod.AS_INSTALMENTS
    )
    rows = schedule(terms, 5_000_00, date(2022, 11, 1))
    assert {row.due_minor for row in rows[:-1]} == {305_00}
    assert rows[-1].due_minor == 303_22


def test_equal_principal_with_falling_interest() -> None:
    rows = schedule(replace(MONTHLY, kind=ScheduleKind.EQUAL_PRINCIPAL), 600_00, START)
    assert split(rows) == [
        (100_00, 6_00),
        (100_00, 5_00),
        (100_00, 4_00),
        (100_00, 3_00),
        (100_00, 2_00),
        (100_00, 1_00),
    ]


def test_interest_first_and_bullet() -> None:
    first = schedule(replace(MONTHLY, kind=ScheduleKind.INTEREST_FIRST), 600_00, START)
    assert split(first) == [(0, 6_00)] * 5 + [(600_00, 6_00)]
    bullet = schedule(replace(MONTHLY, kind=ScheduleKind.BULLET), 600_00, START)
    assert split(bullet) == [(0, 0)] * 5 + [(600_00, 36_00)]
    grace = schedule(replace(MONTHLY, grace_principal=5), 600_00, START)
    assert split(grace) == split(first)


def test_a_balloon_leaves_its_share_to_the_last_instalment() -> None:
    terms = replace(MONTHLY, kind=ScheduleKind.BALLOON, balloon_share=Fraction(1, 2))
    rows = schedule(terms, 600_00, START)
    level = level_payment(300_00, [Fraction(1, 100)] * 6) + 3_00  # interest on the balloon is paid every month
    assert abs(rows[0].due_minor - level) <= 1
    assert abs(rows[-1].due_minor - level - 300_00) <= 6


def test_flat_interest_is_on_the_first_principal() -> None:
    terms = replace(MONTHLY, interest=InterestMethod.FLAT, instalments=4, rate_annual=Fraction(15, 100))
    rows = schedule(replace(terms, instalment_multiple_minor=100, rounding=Rounding.HALF_EVEN), 1_250_00, START)
    assert split(rows) == [(312_38, 15_62)] * 3 + [(312_86, 15_64)]
    assert sum(row.interest_minor for row in rows) == 62_50


def test_graces_delay_principal_and_interest_and_free_periods_charge_none() -> None:
    delayed = schedule(replace(MONTHLY, grace_principal=3, grace_interest=2), 600_00, START)
    assert split(delayed)[:3] == [(0, 0), (0, 0), (0, 18_00)]
    free = schedule(replace(MONTHLY, interest_free=2, grace_principal=2), 600_00, START)
    assert split(free)[:3] == [(0, 0), (0, 0), (147_77, 6_00)]


def test_a_delay_into_a_level_instalment_comes_on_top_of_it() -> None:
    plain, delayed = (schedule(replace(MONTHLY, grace_interest=n), 600_00, START) for n in (0, 1))
    level = plain[0].due_minor
    assert split(delayed)[0] == (level, 0)
    second = delayed[1]
    assert second.due_minor == level + 6_00


def test_a_down_payment_is_due_at_once_and_instalments_on_the_rest() -> None:
    rows = schedule(replace(MONTHLY, down_payment_share=Fraction(1, 4), rate_annual=Fraction(0)), 800_00, START)
    assert (rows[0].due_on, rows[0].principal_minor, rows[0].balance_minor) == (START, 200_00, 600_00)
    assert split(rows[1:]) == [(100_00, 0)] * 6


def test_fees_are_a_share_of_the_instalment_or_of_what_was_lent() -> None:
    on_instalment = replace(
        MONTHLY, interest=InterestMethod.FLAT, instalments=3, fee=InstalmentFee(Fraction(15, 1000), FeeBase.INSTALMENT)
    )
    assert [row.fee_minor for row in schedule(on_instalment, 3_000_00, START)] == [15_45] * 3
    on_lent = replace(on_instalment, rate_annual=Fraction(0), fee=InstalmentFee(Fraction(6, 1000), flat_minor=1))
    assert [row.fee_minor for row in schedule(on_lent, 3_000_00, START)] == [18_01] * 3


def test_whole_months_are_thirty_days_where_the_day_is_missing() -> None:
    terms = replace(MONTHLY, instalments=3)
    rows = schedule(terms, 10_000_00, date(2025, 1, 31))
    assert split(rows) == [(3_300_22, 100_00), (3_333_22, 67_00), (3_366_56, 33_67)]
    rolled = schedule(replace(terms, due=DueRule(month_end=MonthEnd.FIRST_OF_NEXT)), 10_000_00, date(2025, 1, 31))
    assert [row.due_on.isoformat() for row in rolled] == ["2025-03-01", "2025-03-31", "2025-05-01"]


def test_a_first_period_of_another_length_bears_interest_for_its_days() -> None:
    rows = schedule(MONTHLY, 600_00, START, first_due=date(2024, 2, 18))
    assert rows[0].interest_minor == int(
        600_00 * Fraction(12, 100) * (30 + Fraction(30 * 17, 29)) / 360 + Fraction(1, 2)
    )
    assert [row.due_on.day for row in rows] == [18] * 6


@pytest.mark.parametrize("rate", list(InstalmentRate))
def test_the_instalment_can_be_computed_with_one_periods_rate(rate: InstalmentRate) -> None:
    terms = LoanTerms(rate_annual=Fraction(12, 100), instalments=6, smoothing=False, instalment_rate=rate)
    rows = schedule(terms, 5_000_00, date(2022, 11, 1))
    first = [Fraction(12 * 30, 36500)] * 6
    each = [Fraction(12 * days, 36500) for days in (30, 31, 31, 28, 31, 30)]
    wanted = each if rate is InstalmentRate.EACH_PERIOD else first
    assert rows[0].due_minor == level_payment(5_000_00, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_annual": 0.1}, "`rate_annual` is 0.1.*exact fraction"),
        ({"rate_annual": Fraction(-1, 10)}, "`rate_annual` is -1/10"),
        ({"rate_annual": Fraction(11)}, "`rate_annual` is 11"),
        ({"instalments": 0}, "`instalments` is 0"),
        ({"instalments": 601}, "`instalments` is 601"),
        ({"instalments": True}, "`instalments` is True"),
        ({"kind": "equal_instalment"}, "`kind` is 'equal_instalment'.*interest_first"),
        ({"grace_principal": 6}, "`grace_principal` is 6.*from 0 to 5"),
        ({"interest_free": -1}, "`interest_free` is -1"),
        ({"balloon_share": Fraction(1, 2)}, "`balloon_share` is of balloon loans"),
        ({"kind": ScheduleKind.BALLOON}, "`balloon_share` is of balloon loans"),
        ({"down_payment_share": Fraction(1)}, "`down_payment_share` is 1"),
        ({"instalment_multiple_minor": 0}, "`instalment_multiple_minor` is 0"),
        ({"interest": InterestMethod.FLAT, "kind": ScheduleKind.BULLET}, "flat interest goes with equal instalments"),
        ({"smoothing": None}, "`smoothing` is None.*true or false"),
        ({"penalty_rate_annual": Fraction(99)}, "`penalty_rate_annual` is 99"),
    ],
)  # fmt: skip
def test_terms_out_of_their_domain_are_refused_by_name(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        replace(MONTHLY, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("principal", [0, -5])
def test_a_schedule_of_nothing_is_refused(principal: int) -> None:
    with pytest.raises(InvalidInput, match=f"`principal_minor` is {principal}"):
        schedule(MONTHLY, principal, START)
