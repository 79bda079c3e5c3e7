"""What a household can carry of a low month, and when it is due."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlook_samples import CERTAIN, case, house

from evenkeel.repayment.case import Income, OneOff, Priority
from evenkeel.repayment.household.outlook import budget, low_months, outlook

SMALL = {"months": 30, "draws": 8, "paths": 25}


def test_without_uncertainty_it_is_income_less_essentials_and_priority() -> None:
    of = case(household=house(savings_minor=100_000, reserve_minor=30_000))
    found = budget(of, outlook(of, priors=CERTAIN, **SMALL))
    assert found.capacity.tolist() == [70_000, *[400_000] * 30]
    assert found.capacity.dtype == np.int64


def test_a_low_month_is_the_value_with_a_share_below_it_over_months_that_are_alike() -> None:
    season = (0.6, *[1.0] * 11)
    of = case(household=house(incomes=(Income(id="a", amount_minor=500_000, season=season),)), quantile=0.1)
    ahead = outlook(of, **SMALL)
    found = low_months(ahead, 0.1)
    january = np.array([month % 12 == 9 for month in range(30)])
    for where in (january, ~january):
        values = np.sort(ahead.income[:, :, where].ravel())
        assert (found[where] == values[int(np.ceil(0.1 * len(values))) - 1]).all()
    assert found[january].max() < found[~january].min()


def test_it_is_never_below_nothing_and_arrears_of_priority_debts_come_first() -> None:
    poor = case(household=house(incomes=(Income(id="a", amount_minor=100_000),)))
    assert (budget(poor, outlook(poor, **SMALL)).capacity == 0).all()
    rent = (Priority(kind="rent", monthly_minor=20_000, arrears_minor=1_000_000),)
    behind = case(household=house(priority=rent, savings_minor=50_000))
    found = budget(behind, outlook(behind, priors=CERTAIN, **SMALL))
    assert found.capacity[:5].tolist() == [0, 0, 0, 3 * 400_000 - 950_000, 400_000]


@pytest.mark.parametrize(("income", "start"), [(340_000, 320_000), (300_000, 300_000), (0, 150_000)])
def test_where_every_month_is_short_the_start_keeps_what_the_first_lacks_and_half_an_income(
    income: int, start: int
) -> None:
    """Of 500,000, with 350,000 a month to live on: more income never leaves less to debts."""
    incomes = (Income(id="a", amount_minor=income),)
    of = case(household=house(incomes=incomes, savings_minor=500_000))
    found = budget(of, outlook(of, priors=CERTAIN, **SMALL)).capacity
    assert found.tolist() == [start, *[0] * 30]


def test_money_that_comes_once_counts_in_its_month_alone() -> None:
    of = case(household=house(one_off=(OneOff(on=date(2026, 6, 20), amount_minor=77),)))
    found = budget(of, outlook(of, priors=CERTAIN, **SMALL)).capacity
    assert np.flatnonzero(found == 400_077).tolist() == [3]


def test_due_days_follow_the_main_income_and_months_clamp() -> None:
    last = (Income(id="a", amount_minor=500_000, pay_day=31), Income(id="b", amount_minor=100, pay_day=3))
    of = case(household=house(incomes=last))
    due = budget(of, outlook(of, priors=CERTAIN, **SMALL)).due_on
    assert due[:3] == (date(2026, 3, 24), date(2026, 5, 1), date(2026, 6, 1))
    assert due[11] == date(2027, 3, 1)
    assert len(due) == 31


@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.one_of(st.none(), st.integers(1, 31)))
@settings(max_examples=60, deadline=None)
def test_due_days_rise_from_a_start_after_the_cases_day(as_of: date, pay_day: int | None) -> None:
    of = case(as_of=as_of, household=house(incomes=(Income(id="a", amount_minor=1, pay_day=pay_day),)))
    due = budget(of, outlook(of, months=14, draws=2, paths=2)).due_on
    assert list(due) == sorted(set(due))
    assert due[0] > as_of


@pytest.mark.parametrize("evidence", ["verified", "declared"])
def test_less_is_counted_on_where_less_is_known(evidence: str) -> None:
    sure, unsure = (
        case(household=house(incomes=(Income(id="a", amount_minor=600_000, evidence=kind),)))  # type: ignore[arg-type]
        for kind in ("verified", evidence)
    )
    assert low_months(outlook(unsure), 0.2)[0] <= low_months(outlook(sure), 0.2)[0]
