"""A plan made again without a new case: what was set aside is not counted again, what is not known is asked."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from engine_samples import LENDER
from plan_samples import AS_OF, case, due, pay_days, plain, running

from evenkeel.kernel.text import catalogue
from evenkeel.repayment.case import Between, Case
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.life.life import GRACE_DAYS, Life
from evenkeel.repayment.life.plans import Plans
from evenkeel.repayment.life.since import asked_since
from evenkeel.repayment.planning import plan_of
from evenkeel.repayment.telling import standing
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace

LATER = timedelta(days=GRACE_DAYS + 1)
RENT = 300_000  # overdue on the rent, of which 10.00 a month is to be paid


@pytest.fixture
def plans(record: Workspace) -> Plans:
    return Plans(record.journal, LENDER)


def behind(**changed: Any) -> dict[str, Any]:
    """The household of the case, a good month behind with its rent; its creditors take any instalments."""
    house = plain()["household"]
    house["priority"] = [{"kind": "rent", "monthly_minor": 1_000, "arrears_minor": RENT}]
    return {"household": {**house, **changed}, "policies": {}}


def arrears(life: Life) -> int:
    """What the case of a plan still counts as overdue on the rent."""
    [rent] = life.case["household"]["priority"]
    return int(rent.get("arrears_minor", 0))


def asked(life: Life, about: str) -> dict[str, Any]:
    [question] = [one for one in life.questions if one.about.startswith(about)]
    return {"key": question.key.removeprefix("repay.ask."), **(question.values or {})}


def event(record: Workspace, kind: str, on: date, amount: int | None = None, lender: str = LENDER) -> None:
    at = datetime(on.year, on.month, on.day, 9, tzinfo=UTC)
    payload: dict[str, object] = {"lender_id": lender, "fields": {}, "request": ""}
    if amount is not None:
        payload["amount_minor"] = amount
    record.journal.append([Fact(f"{kind}-{on}-{lender}", f"event.{kind}", at, payload, "b1")])


# ---- Arrears -------------------------------------------------------------------------------------------------------


def test_arrears_that_the_plan_was_to_pay_by_now_are_not_counted_again(plans: Plans) -> None:
    """Each month the plan left the rest of a low month to the rent: its budget says how much, told without arrears."""
    with_rent, without = (plan_of(case(**behind())), plan_of(case(**behind(priority=[
        {"kind": "rent", "monthly_minor": 1_000}
    ]))))  # fmt: skip
    put_aside = (without.budget.capacity - with_rent.budget.capacity).tolist()
    assert sum(put_aside) == RENT and sum(one > 0 for one in put_aside) == 2  # all of one month, part of another
    plan_id = running(plans, **behind())
    first = with_rent.budget.due_on[1]
    for on, left in ((first - timedelta(days=1), RENT), (first, RENT - put_aside[1])):
        life = plans.replan(plan_id, on, "ana")
        assert arrears(life) == left
    on = pay_days(plans, plan_id, 1)
    life = plans.replan(plan_id, on, "ana")
    assert (on, arrears(life)) == (with_rent.budget.due_on[2], 0)
    assert asked(life, "household.priority[0].arrears_minor") == {
        "key": "arrears_since", "priority": "rent", "day": AS_OF.isoformat(), "paid_minor": RENT, "left_minor": 0,
    }  # fmt: skip


def test_a_kept_plan_with_arrears_keeps_its_instalments(plans: Plans) -> None:
    few = [{"kind": "rent", "monthly_minor": 1_000, "arrears_minor": 100_000}]
    plan_id = running(plans, **{**behind(priority=few), "policies": plain()["policies"]})
    on = pay_days(plans, plan_id, 2)
    fresh = plans.replan(plan_id, on, "ana")
    for (day, now), (then, before) in zip(due(plans, fresh.plan_id), due(plans, plan_id)[2:], strict=True):
        assert day == then
        for (debt, amount), (same, agreed_to) in zip(now, before, strict=True):
            assert debt == same and abs(amount - agreed_to) <= 10


def test_once_an_instalment_is_missed_nothing_is_taken_as_paid(plans: Plans) -> None:
    plan_id = running(plans, **behind())
    first = due(plans, plan_id)[0][0]
    assert plans.look(plan_id, first + LATER).status == "late"
    put_aside = RENT - arrears(plans.replan(plan_id, first - timedelta(days=1), "ana"))
    life = plans.replan(plan_id, first + LATER, "ana")
    assert arrears(life) == RENT - put_aside > 0
    assert asked(life, "household.priority")["left_minor"] == RENT - put_aside


def test_savings_that_went_to_arrears_at_the_start_are_gone(plans: Plans) -> None:
    plan_id = running(plans, **behind(savings_minor=120_000))
    on = AS_OF + timedelta(days=14)
    life = plans.replan(plan_id, on, "ana")
    assert arrears(life) == RENT - 120_000
    assert life.case["household"]["savings_minor"] == 0


def test_of_arrears_that_lie_between_two_amounts_as_much_is_taken_off_both(plans: Plans) -> None:
    told = behind()
    told["household"]["priority"][0]["arrears_minor"] = {"low_minor": 50_000, "high_minor": RENT}
    life = plans.life(running(plans, **told))
    on = pay_days(plans, life.plan_id, 1)
    fresh = plans.replan(life.plan_id, on, "ana")
    [rent] = case_of(fresh.case, str).household.priority
    assert isinstance(rent.arrears_minor, Between)
    assert (rent.arrears_minor.low_minor, rent.arrears_minor.high_minor) == (0, 0)


# ---- Incomes -------------------------------------------------------------------------------------------------------


def test_without_a_word_on_record_it_is_asked_whether_the_household_is_as_it_was(plans: Plans) -> None:
    plan_id = running(plans)
    assert plans.replan(plan_id, AS_OF + timedelta(days=5), "ana").questions == ()  # of the same month
    on = pay_days(plans, plan_id, 1)
    life = plans.replan(plan_id, on, "ana")
    assert asked(life, "household.incomes") == {"key": "income_since", "day": AS_OF.isoformat()}
    again = plans.replan(life.plan_id, on + timedelta(days=1), "ana")
    assert asked(again, "household.incomes") == {"key": "income_since", "day": AS_OF.isoformat()}  # not answered yet
    assert plans.replan(again.plan_id, on + timedelta(days=2), "ana", case(case_id="told-anew")).questions == ()


@pytest.mark.parametrize(("came", "key"), [
    (700_000, None), (500_000, None), (480_000, "income_changed"), (1_100_000, "income_changed"), (0, "income_changed"),
])  # fmt: skip
def test_incomes_on_record_since_confirm_what_was_told_or_ask(
    record: Workspace, plans: Plans, came: int, key: str | None
) -> None:
    plan_id = running(plans)
    for month in (2, 3):
        event(record, "income", date(2026, month, 10), came)
    event(record, "income", date(2026, 4, 10), 1)  # of a month that is not over
    event(record, "income", date(2026, 1, 10), 1)  # before the case
    event(record, "income", date(2026, 2, 11), 900_000, "lender-9")  # another lender's to know
    pay_days(plans, plan_id, 3)
    life = plans.replan(plan_id, date(2026, 4, 15), "ana")
    found = [one for one in life.questions if one.about == "household.incomes"]
    assert [one.key for one in found] == ([] if key is None else [f"repay.ask.{key}"])
    if key is not None:
        assert asked(life, "household.incomes") == {
            "key": key, "day": AS_OF.isoformat(), "told_minor": 700_000, "seen_minor": came
        }  # fmt: skip


def test_a_month_on_record_without_any_income_counts_as_nothing() -> None:
    then, now = case(), case(as_of="2026-05-02")
    [question] = asked_since(then, now, [(date(2026, 2, 10), 700_000)], None)
    assert (question.key, question.values["seen_minor"]) == ("repay.ask.income_changed", 700_000 // 3)  # type: ignore[index]


def test_a_hardship_told_since_is_asked_about(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    event(record, "hardship", date(2026, 2, 3))
    on = pay_days(plans, plan_id, 1)
    life = plans.replan(plan_id, on, "ana")
    assert {one.key for one in life.questions} == {"repay.ask.hardship_since", "repay.ask.income_since"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_asked_is_told_with_the_plan_until_it_is_signed(record: Workspace, plans: Plans, lang: str) -> None:
    plan_id = running(plans, **behind())
    event(record, "hardship", date(2026, 2, 3))
    event(record, "income", date(2026, 2, 10), 100_000)
    on = pay_days(plans, plan_id, 1)
    life = plans.replan(plan_id, on, "ana")
    words = standing(life, lang)
    assert catalogue(lang)["repay.life.questions"] in words
    for said in ("3,000.00", "1,000.00", "7,000.00", "2026-02-03", catalogue(lang)["repay.form.priority.rent"]):
        assert said in words
    assert "repay." not in words and "{" not in words
    for debt in life.creditors:
        plans.consent(life.plan_id, debt, "li", "head", on)
    assert catalogue(lang)["repay.life.questions"] not in standing(plans.sign(life.plan_id, "wang", on), lang)


def test_the_sample_is_a_case(record: Workspace) -> None:
    assert isinstance(case(**behind()), Case)
