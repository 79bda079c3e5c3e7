"""A household's money day by day: a plain ledger over days says the same, and the day it runs out is that day."""

import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta

import numpy as np
import pytest
from outlook_samples import AS_OF, CERTAIN, case, house

from evenkeel.kernel.calendar import month_day, month_end, month_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Case, Essential, Income, OneOff, Priority
from evenkeel.repayment.household.afford import SCENARIOS, Affordability, Scenario, afford
from evenkeel.repayment.household.afford_chart import chart
from evenkeel.repayment.household.outlook import outlook


def _told(of: Case, payment: int | None = None, minimum: int = 0, priors=CERTAIN) -> Affordability:
    return afford(of, outlook(of, minimum, priors=priors, months=24, draws=4, paths=6), minimum, payment)


def _scenario(found: Affordability, name: str) -> Scenario:
    return next(one for one in found.scenarios if one.name == name)


def test_the_expected_course_equals_a_ledger_kept_by_hand() -> None:
    money = (OneOff(on=date(2026, 6, 17), amount_minor=33_333),)
    rent = (Priority(kind="rent", monthly_minor=20_000, pay_day=31, until_on=date(2026, 9, 10)),)
    of = case(household=house(savings_minor=500_000, one_off=money, priority=rent))
    found = _scenario(_told(of, 70_000), "expected")
    until_pay = 24 * 150_000 // 31 - 10 * 150_000 // 31  # of the last pay, to live on until the 25th of March
    balance, day, balances = 500_000 + until_pay, AS_OF, [500_000 + until_pay]
    while day < date(2028, 3, 10):
        day += timedelta(days=1)
        last = month_end(month_of(day)).day
        balance += 600_000 * (day.day == 10) + 150_000 * (day.day == 25)
        balance -= 180_000 * (day.day == 5)
        balance -= day.day * 150_000 // last - (day.day - 1) * 150_000 // last
        balance -= 20_000 * (day.day == last and day < date(2026, 10, 1))
        balance += 33_333 * (day == date(2026, 6, 17))
        balance -= 70_000 * (day.day == 11 and day > date(2026, 4, 1))
        balances.append(balance)
    assert list(found.balances) == balances
    assert found.lowest_minor == min(balances)
    assert found.out_on is None


def test_money_runs_out_on_the_first_day_below_nothing() -> None:
    rent = (Essential(category="housing", amount_minor=500_000, pay_day=8),)
    of = case(household=house(savings_minor=400_000, reserve_minor=350_000, essentials=rent, priority=()))
    found = _scenario(_told(of, 0), "expected")
    # Only the 25th comes before the rent of 8 April: 400,000 + 150,000 - 500,000.
    assert (found.out_on, found.reserve_on) == (None, date(2026, 4, 8))
    less = case(household=house(savings_minor=349_999, essentials=rent, priority=()))
    assert _scenario(_told(less, 0), "expected").out_on == date(2026, 4, 8)


def test_a_lost_job_and_a_recovery_change_the_main_income_alone() -> None:
    found = _told(case(household=house(savings_minor=2_000_000)), 0)
    after = {name: _scenario(found, name).balances for name in SCENARIOS}
    place = (date(2027, 3, 10) - AS_OF).days
    lost = after["expected"][place] - after["job_loss"][place]
    assert lost == 12 * 600_000
    back = after["expected"][place] - after["recovery"][place]
    assert back == 5 * 600_000 + 7 * 60_000
    assert after["low"] == after["expected"]


def test_low_months_are_never_above_the_expected_ones_and_a_low_season_lies_between() -> None:
    found = _told(case(household=house(savings_minor=0)), 0, priors=outlook(case()).priors)
    low, season, usual = (np.array(_scenario(found, name).balances) for name in ("low", "seasonal_low", "expected"))
    assert (low <= season).all()
    assert (season <= usual).all()
    assert low[-1] < season[-1] < usual[-1]


def test_arrears_of_priority_debts_are_paid_from_the_start_and_then_on_due_days() -> None:
    behind = (Priority(kind="rent", monthly_minor=0, arrears_minor=900_000),)
    of = case(household=house(priority=behind, savings_minor=300_000))
    with_arrears = np.array(_scenario(_told(of, 0), "expected").balances)
    without = np.array(
        _scenario(_told(case(household=house(priority=(), savings_minor=300_000)), 0), "expected").balances
    )
    gap = without - with_arrears
    steps = {AS_OF + timedelta(days=int(day) + 1): int(np.diff(gap)[day]) for day in np.flatnonzero(np.diff(gap))}
    assert steps == {date(2026, 3, 24): 300_000, date(2026, 4, 11): 420_000, date(2026, 5, 11): 180_000}


def test_the_most_by_day_is_carried_on_every_due_day_and_one_minor_unit_more_is_not() -> None:
    rent = (
        Essential(category="housing", amount_minor=380_000, pay_day=28),
        Essential(category="food", amount_minor=90_001),
    )
    of = case(household=house(essentials=rent, savings_minor=200_017))
    most = _told(of).by_day_minor
    assert most > 0

    def least(payment: int) -> int:
        balances = np.array(_scenario(_told(of, payment), "low").balances)
        return int(balances[(date(2026, 4, 11) - AS_OF).days :].min())

    assert least(most) >= 0
    assert least(most + 1) < 0


def test_pay_and_due_days_are_clamped_to_the_months_end() -> None:
    of = case(household=house(incomes=(Income(id="a", amount_minor=900_000, pay_day=31),)))
    found = _told(of, 0)
    assert found.pay_days[:3] == (("a", date(2026, 3, 31)), ("a", date(2026, 4, 30)), ("a", date(2026, 5, 31)))
    assert found.due_days[1:3] == (date(2026, 5, 1), date(2026, 6, 1))
    assert month_day(month_of(AS_OF) + 24, AS_OF.day) == date(2028, 3, 10)


def test_the_chart_names_itself_and_every_scenario_in_both_languages() -> None:
    found = _told(case(household=house(savings_minor=100_000)), 300_000)
    for language, word in (("en", "out of money on 2026-"), ("zh", "资金用尽")):
        text = chart(found, language)
        drawn = ET.fromstring(text)  # noqa: S314
        assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == len(SCENARIOS)
        assert word in text
        numbers = [float(value) for value in re.findall(r"[0-9.]+,([0-9.]+)", text.split("<polyline", 1)[1])]
        assert min(numbers) >= 0


@pytest.mark.parametrize("savings", [0, 10**13])
def test_charts_of_nothing_and_of_very_much_are_drawn(savings: int) -> None:
    empty = house(incomes=(), essentials=(), priority=(), savings_minor=savings)
    assert ET.fromstring(chart(_told(case(household=empty)), "zh")) is not None  # noqa: S314


def test_an_outlook_too_short_and_a_payment_below_nothing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="12 months"):
        afford(case(), outlook(case(), months=12, draws=2, paths=2))
    with pytest.raises(InvalidInput, match="-1"):
        _told(case(), -1)
