"""What is protected for a household to live on."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from lawful_samples import case, households

from evenkeel.repayment.case import Between, Case, Essential, Household, Member, Priority
from evenkeel.repayment.law.essentials import CATEGORIES, essentials, minimum, minimum_minor, minimum_of
from evenkeel.repayment.plan import PlanAssumptions


def home(*rows: Essential, members: tuple[Member, ...] = (Member(),), **facts: object) -> Case:
    more = {name: facts.pop(name) for name in ("as_of", "currency", "jurisdiction") if name in facts}
    return case(household=Household(members=members, essentials=rows, **facts), **more)  # type: ignore[arg-type]


def test_the_minimum_of_a_head_is_that_of_plans_over_a_book() -> None:
    assumed = PlanAssumptions()
    assert minimum_minor(home()) == assumed.adult_minor
    both = home(members=(Member(), Member("child"), Member("elder")))
    assert minimum_minor(both) == assumed.adult_minor + 2 * assumed.dependant_minor
    assert [minimum_of(kind, home()) for kind in ("adult", "child", "elder")] == [189_183, 84_583, 84_583]


def test_categories_sum_to_the_minimum_and_none_is_below_zero() -> None:
    least = minimum(home(members=(Member("child"),)))
    assert set(least.minimum_minor) == set(CATEGORIES)
    assert sum(least.minimum_minor.values()) == 84_583 and min(least.minimum_minor.values()) == 1_692
    assert all(least.high_minor[name] >= least.minimum_minor[name] for name in CATEGORIES)


@pytest.mark.parametrize(
    ("as_of", "total"),
    [
        (date(2010, 1, 1), 137_025),
        (date(2026, 1, 18), 137_025),
        (date(2026, 1, 19), 189_183),
        (date(2030, 1, 1), 189_183),
    ],
)
def test_figures_hold_from_the_day_of_their_publication(as_of: date, total: int) -> None:
    assert minimum_minor(home(as_of=as_of)) == total


@pytest.mark.parametrize(
    ("region", "total"),
    [("Shanghai", 274_315), (" 上海市 ", 274_315), ("广东", 208_101), ("Gansu", 189_183), (None, 189_183)],
)
def test_a_region_has_its_own_minimum_and_an_unknown_one_the_country_s(region: str | None, total: int) -> None:
    assert minimum_minor(home(region=region)) == total


def test_what_is_told_below_the_minimum_is_lifted_to_it_and_said() -> None:
    found = essentials(home(Essential("food", 30_000)))
    food = next(one for one in found.spending if one.category == "food")
    assert (food.lifted, food.taken_minor, food.minimum_minor) == (True, 68_106, 68_106)
    (asked,) = [one for one in found.questions if one.key == "repay.ask.essential_lifted"]
    assert asked.weight_minor == 68_106 - 30_000


def test_one_fen_below_is_lifted_and_at_the_minimum_it_is_not() -> None:
    for amount, lifted in ((68_105, True), (68_106, False)):
        food = next(one for one in essentials(home(Essential("food", amount))).spending if one.category == "food")
        assert (food.lifted, food.taken_minor) == (lifted, 68_106)


def test_what_is_told_above_the_minimum_is_taken_as_told_and_sums_by_category() -> None:
    rows = (Essential("food", 100_000), Essential("food", 20_000), Essential("housing", Between(80_000, 90_000)))
    taken = {one.category: one.taken_minor for one in essentials(home(*rows)).spending}
    assert (taken["food"], taken["housing"]) == (120_000, 90_000)


def test_what_is_not_told_is_taken_at_the_minimum_with_a_range() -> None:
    found = essentials(home())
    assert found.total_minor == 189_183
    asked = next(one for one in found.questions if one.about.endswith(".food"))
    assert asked.values == {"category": "food", "low_minor": 68_106, "high_minor": 106_608}
    assert asked.weight_minor == 106_608 - 68_106
    assert [one.weight_minor for one in found.questions] == sorted(
        (q.weight_minor for q in found.questions), reverse=True
    )


def test_one_sum_for_all_is_held_against_the_whole_minimum() -> None:
    assert essentials(home(Essential("other", 300_000))).total_minor == 300_000
    low = essentials(home(Essential("other", 100_000)))
    assert low.total_minor == 189_183 and low.spending[0].lifted
    beside = essentials(home(Essential("other", 300_000), Essential("food", 100_000)))
    assert beside.total_minor > 400_000  # a part of a list: the other categories are kept beside it


def test_what_a_priority_payment_covers_is_not_counted_twice() -> None:
    rented = home(priority=(Priority("rent", 150_000),))
    assert minimum(rented).minimum_minor["housing"] == 0
    assert minimum_minor(rented) == 189_183 - minimum(home()).minimum_minor["housing"]


@pytest.mark.parametrize("place", [{"jurisdiction": "UK", "currency": "GBP"}, {"currency": "USD"}])
def test_where_there_are_no_figures_none_are_invented(place: dict[str, str]) -> None:
    found = essentials(home(Essential("food", 30_000), **place))
    assert not found.minimum.known and found.total_minor == 30_000
    (asked,) = found.questions
    assert (asked.key, asked.blocking) == ("repay.ask.no_minimum", False)
    assert essentials(home(**place)).questions[0].blocking  # or nothing would be left to live on


@settings(max_examples=200, deadline=None)
@given(households)
def test_no_household_is_left_less_than_its_minimum(house: Household) -> None:
    found = essentials(case(household=house))
    assert found.total_minor >= minimum_minor(case(household=house)) >= 0
    assert all(one.taken_minor >= one.minimum_minor for one in found.spending)
