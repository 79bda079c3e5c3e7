"""Safe amounts as a distribution, the chance to miss, and what they hang on."""

import json

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from outlook_samples import CERTAIN, case, given, house

from evenkeel.repayment.case import Between, Income, Priority
from evenkeel.repayment.household.afford import SAFE_MONTHS, SAFE_QUANTILES, afford, largest_carried
from evenkeel.repayment.household.chance import months_alive, months_missed
from evenkeel.repayment.household.outlook import outlook


@drawn(st.integers(0, 10**6), st.integers(1, 24), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_largest_payment_a_path_carries_is_that_and_one_more_breaks_it(seed: int, months: int, most: int) -> None:
    left = np.random.default_rng(seed).integers(-50, 300, (2, 8, months)).astype(float)
    ahead = given(left, float(most))
    largest = largest_carried(ahead, months)
    for amount, alive in ((largest, True), (largest + 1, False)):
        *_, ends = months_alive(ahead, [0, *[amount] * months])
        # Where two months are enough to break a plan, one month alone never does.
        assert (ends[amount > 0] == alive).all() or months == 1
    assert (largest >= 0).all()


def test_without_uncertainty_every_safe_amount_is_what_a_month_leaves() -> None:
    of = case(household=house(savings_minor=0))
    found = afford(of, outlook(of, priors=CERTAIN, draws=4, paths=6))
    assert {one.amount_minor for one in found.safe} == {400_000}
    assert found.safe_minor == found.payment_minor == 400_000
    assert (found.miss, found.miss_low, found.miss_high) == (0, 0, 0)
    more = afford(of, outlook(of, priors=CERTAIN, draws=4, paths=6), payment_minor=400_001)
    assert more.miss == 1


def test_savings_are_spread_over_the_months() -> None:
    of = case(household=house(savings_minor=1_000_000))
    found = afford(of, outlook(of, priors=CERTAIN, draws=4, paths=6))
    # one month, the last, may be missed without breaking the plan
    assert {(one.months, one.amount_minor) for one in found.safe} == {
        (length, 400_000 + 1_000_000 // (length - 1)) for length in SAFE_MONTHS
    }
    assert afford(of, outlook(of, priors=CERTAIN, draws=4, paths=6), payment_minor=400_000 + 1_000_000 // 12).miss == 0
    assert afford(of, outlook(of, priors=CERTAIN, draws=4, paths=6), payment_minor=400_001 + 1_000_000 // 12).miss == 1


def test_safe_amounts_fall_with_confidence_and_with_length() -> None:
    of = case()
    found = afford(of, outlook(of, draws=10, paths=60))
    table = np.array([one.amount_minor for one in found.safe]).reshape(len(SAFE_MONTHS), len(SAFE_QUANTILES))
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff(table, axis=0) <= 0).all()
    assert [one.confidence for one in found.safe[:5]] == [0.95, 0.9, 0.8, 0.5, 0.2]


def test_the_chance_to_miss_within_a_year_is_the_share_of_paths_that_miss_a_month() -> None:
    of = case()
    ahead = outlook(of, draws=10, paths=60, months=24)
    found = afford(of, ahead, payment_minor=300_000)
    months = np.array([missed.copy() for missed in months_missed(ahead, [0, *[300_000] * 12])])
    assert found.miss == pytest.approx(months.any(axis=0).mean())
    assert found.miss_low <= found.miss <= found.miss_high
    assert found.miss_high - found.miss_low > 0.02


def test_what_it_hangs_on_is_sorted_and_points_the_right_way() -> None:
    rent = (Priority(kind="rent", monthly_minor=Between(low_minor=10_000, high_minor=20_000)),)
    of = case(household=house(priority=rent, savings_minor=500_000))
    found = afford(of, outlook(of, 340_000, months=24, draws=4, paths=10), 340_000)
    size = [abs(one.safe_change_minor) for one in found.sensitivity]
    assert size == sorted(size, reverse=True)
    by = {(one.about, one.change): one for one in found.sensitivity}
    assert len(by) == len(found.sensitivity) == 2 * 2 + 2 * 2 + 2 + 1 + 6
    for about, change, sign in (
        ("household.incomes.0", "-10%", -1),
        ("household.incomes.0", "+10%", 1),
        ("household.incomes.1", "+10%", 1),
        ("household.essentials.0", "+10%", -1),
        ("minimum", "+10%", -1),
        ("volatility", "x1.5", -1),
        ("job_loss", "x2", -1),
        ("job_loss", "x0", 1),
        ("accidents", "x2", -1),
    ):
        assert by[about, change].safe_change_minor * sign > 0, (about, change)
    late = by["pay_days", "+7d"]
    assert late.safe_change_minor == 0
    assert late.by_day_change_minor <= 0
    # A tenth off the essentials changes nothing while the protected minimum holds.
    assert by["household.essentials.1", "-10%"].safe_change_minor == 0


def test_pay_that_comes_late_is_the_same_pay_later() -> None:
    # The wage of 5 March came before the case's day: it does not come again on the 12th.
    early = (Income(id="wage", amount_minor=600_000, pay_day=5),)
    of = case(household=house(incomes=early, savings_minor=300_000))
    found = afford(of, outlook(of, priors=CERTAIN, months=24, draws=2, paths=2))
    late = next(one for one in found.sensitivity if one.about == "pay_days")
    assert late.by_day_minor < found.by_day_minor
    assert late.safe_minor == found.safe_minor


def test_the_document_is_plain_and_the_same_each_time() -> None:
    of = case(household=house(incomes=(Income(id="x", history_minor=(5, 9) * 12),)))
    first, again = (
        json.dumps(afford(of, outlook(of, months=24, draws=4, paths=10)).document(), allow_nan=False) for _ in range(2)
    )
    assert first == again
    document = json.loads(first)
    assert len(document["scenarios"][0]["balances"]) == 732
    assert document["due_days"][0] == "2026-03-24"
    assert document["question"] is bool(outlook(of).questions)
