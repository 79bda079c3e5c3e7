"""Households written by hand (`cases/README.md`): what must come out of each, exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from planned_checks import changed, faults

from evenkeel.repayment.case import Case
from evenkeel.repayment.document import document
from evenkeel.repayment.facts.reading import read_case
from evenkeel.repayment.planning import Planned, plan_of
from evenkeel.repayment.telling import Telling

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Expected:
    """asked: (about, key) of all questions but those on single essentials, in order. cut: (debt, component, amount,
    rule). blocking: how many of the questions no plan can do without."""

    status: str
    binding: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    cut: tuple[tuple[str, str, int, str], ...] = ()
    blocking: int = 0


EXPECTED: Mapping[str, Expected] = {
    "laid-off-in-epidemic": Expected(
        "feasible", asked=(("household.incomes.odd-jobs.amount_minor", "repay.ask.income_between"),)
    ),
    "rider-in-season": Expected(
        "feasible",  # February lacks what the months before it leave
        asked=(
            ("debts.cash-loan.original_lender_type", "repay.ask.rule_scope"),
            ("debts.scooter-loan.original_lender_type", "repay.ask.rule_scope"),
        ),
    ),
    "corner-shop": Expected(
        "infeasible",
        binding=("capacity",),
        asked=(("household.incomes.shop.amount_minor", "repay.ask.income_between"),),
    ),
    "teacher-with-sick-parent": Expected("feasible"),
    "couple-with-mortgage": Expected("feasible"),
    "student-on-campus": Expected(
        "infeasible",
        binding=("capacity",),
        asked=(("debts.phone.opened_on", "repay.ask.rule_opened"), ("debts.cash.rate_annual", "repay.ask.rule_unread")),
    ),
    "pensioner-guarantor": Expected("feasible"),
    "nine-platforms": Expected(
        "infeasible",
        binding=("capacity",),
        asked=(
            ("debts.p9.opened_on", "repay.ask.rule_opened"),
            ("debts.p3.opened_on", "repay.ask.rule_opened"),
            ("debts.p1.opened_on", "repay.ask.rule_opened"),
            ("debts.p2.opened_on", "repay.ask.rule_opened"),
            ("debts.p3.rate_annual", "repay.ask.rule_unread"),
            ("debts.p4.opened_on", "repay.ask.rule_opened"),
            ("debts.p8.rate_annual", "repay.ask.rule_unread"),
        ),
    ),
    "sold-and-claimed-twice": Expected("feasible", asked=(("debts.file-88213", "repay.ask.duplicate"),)),
    "private-loan-above-cap": Expected("feasible", cut=(("iou", "interest", 1200000, "CN-RATE-4LPR"),)),
    "micro-loan-of-unknown-rate": Expected("feasible", asked=(("debts.quick-loan.rate_annual", "repay.ask.rate"),)),
    "interest-taken-in-advance": Expected("feasible", cut=(("seven-for-ten", "principal", 300000, "CN-ADV-670"),)),
    "disputed-fees": Expected(
        "feasible",
        asked=(
            ("debts.not-mine.disputed", "repay.ask.disputed"),
            ("debts.guaranteed-loan.disputed", "repay.ask.disputed_fees"),
            ("debts.guaranteed-loan.opened_on", "repay.ask.rule_opened"),
        ),
    ),
    "income-as-a-range": Expected(
        "feasible",
        asked=(
            ("household.incomes.decorating.amount_minor", "repay.ask.income_between"),
            ("household.priority[0].monthly_minor", "repay.ask.between"),
            ("debts.card.balance_minor", "repay.ask.between"),
        ),
    ),
    "no-income-at-all": Expected("infeasible", binding=("capacity",)),
    "one-fen-short": Expected("infeasible", binding=("terms:hospital", "capacity")),
    "settlement-from-family": Expected("feasible"),
    "creditor-that-refused": Expected("feasible"),
    "new-job-in-month-seven": Expected("feasible"),
    "charged-off-cards": Expected(
        "feasible",
        asked=(
            ("debts.card-c.last_demand_on", "repay.ask.limitation"),
            ("household.savings_minor", "repay.ask.savings"),
        ),
    ),
    "balances-nobody-told": Expected(
        "question",
        asked=(
            ("household.incomes.courier-station.amount_minor", "repay.ask.income"),
            ("household.priority[0].monthly_minor", "repay.ask.priority"),
            ("debts.blocked-app.balance_minor", "repay.ask.balance"),
        ),
        blocking=3,
    ),
}


@cache
def told(name: str) -> tuple[Case, Planned, dict[str, Any]]:
    case = read_case((CASES / f"{name}.json").read_bytes(), name)
    planned = plan_of(case)
    return case, planned, document(planned)


def plan(name: str, which: str = "cheapest") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in told(name)[2]["plans"] if which in one["best_at"])
    return found


def asked_of(name: str, debt: str, which: str = "cheapest") -> dict[str, Any]:
    found: dict[str, Any] = next(one["asked"] for one in plan(name, which)["creditors"] if one["debt_id"] == debt)
    return found


def test_every_case_is_here_and_in_the_readme() -> None:
    files = {path.stem for path in CASES.glob("*.json")}
    rows = re.findall(r"^\| ([a-z-]+) \|", (CASES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert files == set(EXPECTED) == set(rows) - {"file"}
    assert len(files) >= 20
    assert all(told(name)[0].case_id == name for name in files)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_household_comes_to_what_it_must(name: str) -> None:
    _, planned, found = told(name)
    expected = EXPECTED[name]
    assert (found["status"], tuple(found["binding"])) == (expected.status, expected.binding)
    questions = [one for one in found["questions"] if not one["about"].startswith("household.essentials")]
    assert tuple((one["about"], one["key"]) for one in questions) == expected.asked
    assert sum(one["blocking"] for one in found["questions"]) == expected.blocking
    cuts = [
        (debt["id"], cut["component"], cut["amount_minor"], cut["rule"])
        for debt in found["debts"]
        for cut in debt["cuts"]
    ]
    assert tuple(cuts) == expected.cut
    assert not faults(planned, found)
    for language in ("en", "zh"):
        assert Telling(planned, language).explained()


@pytest.mark.parametrize("name", [name for name, one in EXPECTED.items() if one.status == "infeasible"])
def test_each_stated_change_makes_a_plan_possible_in_the_case_itself(name: str) -> None:
    case, planned, found = told(name)
    for change in found["changes"]:
        other = changed(case, planned, change["kind"], change["amount"])
        assert other is None or plan_of(other).status == "feasible", change
        if change["kind"] in ("monthly", "start") and change["amount"] > 1:
            less = changed(case, planned, change["kind"], change["amount"] - 1)
            assert less is not None and plan_of(less).status == "infeasible", change


def test_one_fen_short() -> None:
    found = told("one-fen-short")[2]
    changes = {one["kind"]: one["amount"] for one in found["changes"]}
    assert changes == {"monthly": 1, "start": 12, "months": 13, "waiver": 12}


def test_cards_bear_nothing_and_waive_within_the_desks_authority() -> None:
    for debt, waived in (("card-east", 7_100 + 11_350), ("card-north", 4_300 + 6_900)):
        asked = asked_of("laid-off-in-epidemic", debt)
        assert (asked["rate_annual"], asked["waived_minor"]) == (0.0, waived) and asked["months"] <= 60
        assert "CN-CARD-070" in {rule["id"] for rule in asked["rules"]}
    assert "CN-CARD-070" not in {rule["id"] for rule in asked_of("laid-off-in-epidemic", "huabei")["rules"]}


def test_a_collector_waives_no_more_than_a_collector_may() -> None:
    waived = [asked_of("charged-off-cards", f"card-{which}")["waived_minor"] for which in "abc"]
    assert waived == [150_000, 140_000, 135_000]  # 1,500.00, else a tenth of the claim


def test_the_home_comes_first() -> None:
    monthly = told("couple-with-mortgage")[2]["budget"]["monthly_minor"]
    assert monthly[:2] == [0, 0] and 0 < monthly[2] < monthly[3]
    assert min(one["month"] for one in plan("couple-with-mortgage")["schedule"]) >= 3


def test_what_is_far_too_much_to_finish_is_not_hidden() -> None:
    cheapest, safest = (plan("teacher-with-sick-parent", which) for which in ("cheapest", "safest"))
    assert cheapest["p_complete"] < 0.5 < 0.7 < safest["p_complete"]
    assert cheapest["paid_minor"] < safest["paid_minor"]


def test_one_debt_is_counted_once_at_the_higher_claim() -> None:
    debts = {debt["id"]: debt for debt in told("sold-and-claimed-twice")[2]["debts"]}
    assert set(debts) == {"file-88213", "huabei"}
    assert (debts["file-88213"]["balance_minor"], debts["file-88213"]["merged"]) == (1_890_000, ["card-4417"])


def test_the_cap_of_four_prime_rates_binds_the_rate_too() -> None:
    debt = next(one for one in told("private-loan-above-cap")[2]["debts"] if one["id"] == "iou")
    assert (debt["balance_minor"], debt["rate_annual"]) == (5_600_000, 0.12)


def test_a_settlement_is_paid_at_once_by_whoever_helps() -> None:
    found = plan("settlement-from-family")
    assert [(one["month"], one["amount_minor"]) for one in found["schedule"]] == [(0, 1_200_000)]
    assert found["creditors"][0]["asked"]["waived"] == {
        "fees": 100_000, "penalty": 200_000, "interest": 900_000, "principal": 800_000
    }  # fmt: skip
    assert found["p_complete"] == 1


def test_nothing_is_promised_for_who_refused() -> None:
    case, _, found = told("creditor-that-refused")
    assert [one["id"] for one in found["outside"]] == ["cash"]
    assert {one["debt_id"] for one in plan("creditor-that-refused")["creditors"]} == {"card", "loan"}
    agreed = plan_of(replace(case, policies={key: one for key, one in case.policies.items() if key != "hard-lender"}))
    inside, all_of_it = found["budget"]["monthly_minor"][0], int(agreed.budget.capacity[1])
    assert inside == all_of_it * 2_700_000 // 3_300_000  # the share of what is owed inside


def test_if_all_refuse_there_is_an_honest_no() -> None:
    case = told("creditor-that-refused")[0]
    refusing = {key: replace(one, consents=False) for key, one in case.policies.items()}
    found = document(plan_of(replace(case, policies=refusing)))
    assert (found["status"], found["plans"]) == ("infeasible", [])
    assert found["binding"] == ["consent:card", "consent:cash", "consent:loan"] and found["routes"]


def test_instalments_rise_with_the_new_job() -> None:
    rows: dict[str, dict[int, int]] = {}
    for one in plan("new-job-in-month-seven")["schedule"]:
        rows.setdefault(one["id"], {})[one["month"]] = one["amount_minor"]
    assert all(months[6] < months[7] for months in rows.values())


def test_better_months_carry_a_poor_one() -> None:
    found = told("rider-in-season")[2]
    plan = next(one for one in found["plans"] if "cheapest" in one["best_at"])
    february = next(place for place, left in enumerate(plan["left_monthly_minor"], start=1) if left < 0)
    assert plan["set_aside_minor"][february - 1] == -plan["left_monthly_minor"][february - 1] > 0
    assert plan["set_aside_minor"][february] == 0
    text = Telling(told("rider-in-season")[1]).summary()
    assert "must stand aside by" in text and "1,151.18" in text


def test_a_living_that_is_short_is_part_of_what_is_lacking() -> None:
    _, planned, found = told("no-income-at-all")
    lacking = planned.essentials.total_minor + 150_000
    assert next(one["amount"] for one in found["changes"] if one["kind"] == "monthly") > lacking


def test_where_to_turn_knows_the_place() -> None:
    routes = {name: {one["id"] for one in told(name)[2]["routes"]} for name in ("nine-platforms", "rider-in-season")}
    assert {"cn-shenzhen", "cn-social"} <= routes["nine-platforms"] and "cn-shenzhen" not in routes["rider-in-season"]
