"""Cases at the ends of what may be told: a plan, an honest no or a clear question, and never a traceback."""

from __future__ import annotations

import copy
import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from planned_checks import DAY, faults

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Between, Case, Debt, Essential, Household, Income, Payment, Policy, Priority
from evenkeel.repayment.document import document
from evenkeel.repayment.facts.reading import read_case, write_case
from evenkeel.repayment.planning import plan_of
from evenkeel.repayment.telling import Telling

CASES = Path(__file__).parent / "cases"


def debt(number: int = 0, **facts: Any) -> Debt:
    told = {"balance_minor": 1_000_000, "rate_annual": 0.18, "days_past_due": 30}
    return Debt(f"d{number}", f"c{number}", "consumer_finance", **(told | facts))


def case(*debts: Debt, income: int = 600_000, policies: dict[str, Policy] | None = None, **facts: Any) -> Case:
    told: dict[str, Any] = {
        "incomes": (Income("wage", amount_minor=income, pay_day=10),), "savings_minor": 0,
        "essentials": (Essential("other", 200_000),),
    }  # fmt: skip
    return Case(case_id="x", as_of=DAY, household=Household(**(told | facts)), debts=debts, policies=policies or {})


def ends(found: Case) -> dict[str, Any]:
    """What becomes of a case, once it holds and can be told."""
    planned = plan_of(found)
    told = document(planned)
    assert not faults(planned, told)
    assert json.loads(json.dumps(told, allow_nan=False))["status"] == told["status"]
    for language in ("en", "zh"):
        assert Telling(planned, language).explained()
    return told


def blocking(told: dict[str, Any]) -> set[str]:
    return {one["key"].removeprefix("repay.ask.") for one in told["questions"] if one["blocking"]}


@pytest.mark.parametrize("rate", [0.0, 0.24, 0.36, 10.0, 1000.0])
def test_any_rate(rate: float) -> None:
    assert ends(case(debt(rate_annual=rate)))["status"] == ("feasible" if rate <= 0.36 else "infeasible")
    assert ends(case(debt(rate_annual=rate, balance_minor=100_000_000)))["status"] == "infeasible"
    assert ends(case(debt(rate_annual=rate, balance_minor=1)))["status"] == "feasible"


def test_more_than_a_household_will_ever_see() -> None:
    told = ends(case(debt(balance_minor=10**13), income=10**13))
    assert told["status"] == "feasible"
    for rate in (0.18, 1000.0):
        told = ends(case(debt(balance_minor=10**13, rate_annual=rate)))
        assert (told["status"], told["binding"]) == ("infeasible", ["capacity"])


def test_no_income_is_an_honest_no_and_income_not_known_a_question() -> None:
    assert ends(case(debt(), income=0))["status"] == "infeasible"
    assert ends(case(debt(), incomes=()))["status"] == "infeasible"
    told = ends(case(debt(), incomes=(Income("wage"),)))
    assert (told["status"], blocking(told)) == ("question", {"income"})


def test_nothing_that_comes_first_is_taken_as_nothing() -> None:
    for unknown in (Priority("rent"), Priority("rent", 100_000, None)):
        told = ends(case(debt(), priority=(unknown,)))
        assert told["status"] == "question" and blocking(told) <= {"priority", "arrears"} and blocking(told)


@pytest.mark.parametrize(
    "debts", [(), (debt(stage="closed"),), (debt(balance_minor=0),), (debt(disputed="all"),)],
    ids=["none", "closed", "of nothing", "disputed"],
)  # fmt: skip
def test_where_nothing_is_left_to_plan_for_it_is_asked_what_is(debts: tuple[Debt, ...]) -> None:
    told = ends(case(*debts))
    assert told["status"] == "question" and blocking(told) <= {"no_debts", "nothing_owed"} and blocking(told)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("household", "essentials", 0, "amount_minor"), -1, "household.essentials[0].amount_minor"),
        (("household", "incomes", 0, "amount_minor"), -600_000, "household.incomes[0].amount_minor"),
        (("debts", 0, "balance_minor"), -1, "debts[0].balance_minor"),
        (("debts", 0, "rate_annual"), -0.1, "debts[0].rate_annual"),
        (("debts", 0, "rate_annual"), 1001, "debts[0].rate_annual"),
        (("as_of",), "2026-02-30", "as_of"),
    ],
)
def test_what_cannot_be_is_refused_in_words_that_name_it(path: tuple[Any, ...], value: Any, named: str) -> None:
    plain = json.loads(write_case(case(debt())))
    place = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidInput) as refused:
        read_case(json.dumps(plain).encode())
    assert f"`{named}`" in refused.value.message and refused.value.remedy


def test_days_out_of_order_and_facts_that_contradict_are_asked_about() -> None:
    ahead, before = DAY + timedelta(days=90), date(2019, 1, 1)
    told = ends(
        case(
            debt(opened_on=ahead, last_payment_on=before, last_demand_on=ahead, due_day=31),
            debt(1, opened_on=DAY - timedelta(days=10), days_past_due=400, last_payment_on=before),
            debt(2, principal_minor=1_200_000, interest_minor=5, fees_minor=0, penalty_minor=0),
            debt(3, lent_minor=10, received_minor=20, paid_minor=7, payments=(Payment(ahead, 3),)),
            debt(4, stage="closed"), debt(5, minimum_minor=2_000_000),
            income=2_000_000, priority=(Priority("rent", 1_000, until_on=before),),
            incomes=(
                Income("wage", amount_minor=2_000_000, history_minor=(10, 10, 10)),
                Income("gone", amount_minor=500, until_on=before),
                Income("range", amount_minor=Between(5, 5), volatility=3.0, loss_annual=1.0),
            ),
        )
    )  # fmt: skip
    keys = {one["key"].removeprefix("repay.ask.") for one in told["questions"]}
    assert keys >= {
        "day_ahead", "late_before_opened", "before_opened", "parts_sum", "received_more", "paid_sum", "payment_days",
        "closed_but_owed", "minimum_above", "income_history", "income_over", "priority_over",
    }  # fmt: skip


def sixty_creditors() -> tuple[list[Debt], list[dict[str, Policy]]]:
    """Debts, and policies to have them under."""
    level = Policy(instalments="level", waivers={"fees": 1.0, "interest": 0.5}, rates=(0.0, 0.06))
    debts = [
        debt(n, balance_minor=100_000 + 7_777 * n, rate_annual=(0, 0.12, 0.18, 0.24, 0.36)[n % 5]) for n in range(60)
    ]
    return debts, [{}, {"*": level}, {"*": level} | {f"c{n}": Policy() for n in range(0, 60, 3)}]


def sixty_are_paid(debts: list[Debt], policies: dict[str, Policy]) -> None:
    told = ends(case(*debts, income=2_100_000, policies=policies))
    assert told["status"] == "feasible" and len(told["plans"][0]["creditors"]) == 60


def test_sixty_creditors() -> None:
    debts, policies = sixty_creditors()
    sixty_are_paid(debts, policies[0])
    told = ends(case(*debts, income=300_000))
    assert told["binding"] == ["capacity"] and [one["kind"] for one in told["changes"]] == [
        "monthly",
        "start",
        "waiver",
    ]


@pytest.mark.prove
@pytest.mark.parametrize("which", [1, 2])
def test_sixty_creditors_of_other_kinds(which: int) -> None:
    debts, policies = sixty_creditors()
    sixty_are_paid(debts, policies[which])


def test_a_living_below_the_minimum_is_lifted_and_told() -> None:
    told = ends(case(debt(), essentials=(Essential("food", 100),)))
    assert told["budget"]["essentials_minor"] >= 189_183
    assert "repay.ask.essential_lifted" in {one["key"] for one in told["questions"]}


ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 31, 10**13, 10**30, 0.5, 1e300, "", "x", "2026-02-30", "9999-12-31", "2026-12-31",
    "=1+1", "\u0000", "😀", "x" * 300, [], [None], {}, {"low_minor": 2, "high_minor": 1},
    {"low_minor": 0, "high_minor": 10**13}, "bank_card", "sold", "level", "all", "USD", "US-TX",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def spoilt(chance: random.Random, plain: Any) -> Any:
    """A case with one or two places of it set to something odd, taken out or told twice."""
    draft = copy.deepcopy(plain)
    for _ in range(chance.randint(1, 2)):
        path = chance.choice(places(draft)[1:])
        parent = draft
        for step in path[:-1]:
            parent = parent[step]
        what = chance.randint(0, 4)
        if what <= 1:
            del parent[path[-1]]
        elif what == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
        else:
            parent[path[-1]] = copy.deepcopy(chance.choice(ODD))
    return draft


def spoilt_files_end(count: int, seed: int) -> tuple[int, int]:
    """How many of so many spoilt files were refused in words, and how many came to an end."""
    chance = random.Random(seed)
    plains = [json.loads(path.read_bytes()) for path in sorted(CASES.glob("*.json")) if path.stem != "nine-platforms"]
    refused, ended = 0, 0
    for number in range(count):
        try:
            found = read_case(json.dumps(spoilt(chance, plains[number % len(plains)])).encode(), "spoilt.json")
        except InvalidInput as error:
            assert error.message.startswith("spoilt.json") and "Traceback" not in error.message
            refused += 1
            continue
        ends(found)
        ended += 1
    return refused, ended


def test_spoilt_files_are_refused_in_words_or_come_to_an_end() -> None:
    refused, ended = spoilt_files_end(60, 11)
    assert refused > 15 and ended > 12


@pytest.mark.prove
def test_two_thousand_spoilt_files_are_refused_in_words_or_come_to_an_end() -> None:
    refused, ended = spoilt_files_end(2000, 12)
    assert refused > 500 and ended > 400
