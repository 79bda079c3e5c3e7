"""Plans: what a household can carry, exact to the minor unit, with a reason where there is none."""

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.calendar import month_number, month_of
from evenkeel.kernel.money import Rounding, allocate, round_fraction
from evenkeel.kernel.text import texts
from evenkeel.repayment.plan import BINDINGS, PLANS, PlanAssumptions, _muldiv, plan

AS_OF = date(2026, 3, 31)
HALF = PlanAssumptions.shares_only()  # the budget is half of low income
LINES = pa.schema(
    [
        ("line_id", pa.string()), ("borrower_id", pa.string()), ("balance_minor", pa.int64()),
        ("rate_annual", pa.float64()), ("dpd", pa.int32()),
    ]
)  # fmt: skip
BORROWERS = pa.schema(
    [
        ("borrower_id", pa.string()), ("income_minor", pa.int64()), ("income_source", pa.string()),
        ("income_low_minor", pa.int64()), ("dependants", pa.int32()), ("lines_overdue", pa.int32()),
    ]
)  # fmt: skip


def line(line_id: str, balance: int | None, rate: float | None = 0.12, dpd: int = 10, who: str = "b") -> dict[str, Any]:
    return {"line_id": line_id, "borrower_id": who, "balance_minor": balance, "rate_annual": rate, "dpd": dpd}


def person(low: int | None = None, who: str = "b", **facts: Any) -> dict[str, Any]:
    return {"borrower_id": who, "income_low_minor": low, "lines_overdue": 1, **facts}


def planned(
    lines: list[dict[str, Any]], people: list[dict[str, Any]], assumptions: PlanAssumptions = HALF
) -> list[dict[str, Any]]:
    book = pa.Table.from_pylist(lines, LINES), pa.Table.from_pylist(people, BORROWERS)
    plans, _ = plan(*book, AS_OF, assumptions)
    assert plans.schema == PLANS
    rows: list[dict[str, Any]] = plans.to_pylist()
    return rows


def one(lines: list[dict[str, Any]], who: dict[str, Any], assumptions: PlanAssumptions = HALF) -> dict[str, Any]:
    (row,) = planned(lines, [who], assumptions)
    return row


def test_two_lines_are_paid_in_proportion_and_clear_together() -> None:
    row = one([line("a", 300_00, 0.0), line("c", 100_00, 0.0)], person(400_00))
    assert (row["status"], row["months"], row["monthly_minor"], row["total_cost_minor"]) == ("feasible", 2, 200_00, 0)
    assert row["binding"] == "budget"
    assert [(p["account_id"], p["month"], p["amount_minor"]) for p in row["schedule"]] == [
        ("a", "2026-04", 150_00), ("c", "2026-04", 50_00), ("a", "2026-05", 150_00), ("c", "2026-05", 50_00),
    ]  # fmt: skip


def test_interest_is_a_twelfth_of_the_yearly_rate_each_month() -> None:
    row = one([line("a", 1_000_00, 0.12)], person(1_200_00))
    # 1000.00 + 10.00 - 600.00 = 410.00; + 4.10 = 414.10 paid in the second month.
    assert (row["months"], row["total_cost_minor"]) == (2, 14_10)
    assert [p["amount_minor"] for p in row["schedule"]] == [600_00, 414_10]


def test_a_debt_smaller_than_the_budget_is_cleared_at_once() -> None:
    row = one([line("a", 50_00, 0.12)], person(1_000_00))
    assert (row["months"], row["monthly_minor"], row["binding"]) == (1, 50_50, "balance")


def test_essentials_of_the_household_come_first() -> None:
    rich = PlanAssumptions(adult_minor=1_000_00, dependant_minor=500_00, dependants_unknown=2)
    budgets = [
        one([line("a", 9_000_00)], person(2_500_00, dependants=dependants), rich)["monthly_minor"]
        for dependants in (0, 1, None)
    ]
    assert budgets == [1_250_00, 1_000_00, 500_00]  # the first is held to half of income


def test_a_point_of_income_is_cut_before_it_is_used() -> None:
    known = [
        one([line("a", 9_000_00)], person(income_minor=2_000_00, income_source=source))["monthly_minor"]
        for source in ("verified", "declared", None)
    ]
    assert known == [900_00, 750_00, 750_00]


@pytest.mark.parametrize(
    ("lines", "who", "status", "binding"),
    [
        ([line("a", 100_00)], person(None), "question", "income_unknown"),
        ([line("a", 100_00), line("c", None)], person(1_000_00), "question", "balance_unknown"),
        ([line("a", -5_00)], person(1_000_00), "question", "no_debt"),
        ([line("a", 100_00)], person(0), "infeasible", "no_budget"),
        ([line("a", 100_000_00, 0.24)], person(1_000_00), "infeasible", "interest"),
        ([line("a", 61 * 500_00, 0.0)], person(1_000_00), "infeasible", "term"),
        ([line("a", 60 * 500_00, 0.0)], person(1_000_00), "feasible", "budget"),
    ],
)
def test_what_binds_is_named(lines: list[dict[str, Any]], who: dict[str, Any], status: str, binding: str) -> None:
    row = one(lines, who)
    assert (row["status"], row["binding"]) == (status, binding)
    assert (row["schedule"] == []) == (status != "feasible")
    assert (row["months"] is None) == (status != "feasible")
    assert (row["monthly_minor"] is None) == (status == "question")


def test_an_unknown_income_never_gets_a_plan_even_where_nothing_else_is_wrong() -> None:
    rows = planned([line("a", 1), line("c", 1, who="d")], [person(None), person(100, who="d")])
    assert [row["status"] for row in rows] == ["question", "feasible"]


def test_only_borrowers_with_an_overdue_line_are_planned_for() -> None:
    lines = [line("a", 100, dpd=0, who="current"), line("c", 100, dpd=3, who="late"), line("d", 100, dpd=0, who="late")]
    people = [person(1_000, who="late", lines_overdue=None), person(1_000, who="current", lines_overdue=0)]
    rows = planned(lines, people)
    assert [row["borrower_id"] for row in rows] == ["late"]
    assert {p["account_id"] for p in rows[0]["schedule"]} == {"c", "d"}


def test_an_unknown_rate_is_assumed_and_counted() -> None:
    lines = pa.Table.from_pylist([line("a", 1_000_00, None), line("c", 1_00, 0.0)], LINES)
    plans, summary = plan(lines, pa.Table.from_pylist([person(4_000_00)], BORROWERS), AS_OF, HALF)
    assert plans["total_cost_minor"].to_pylist() == [15_21]  # 1000.00 x 0.1825 / 12
    assert (summary["lines_with_assumed_rate"], summary["assumptions"]["rate_unknown"]) == (1, 0.1825)
    assert summary["status"] == {"feasible": 1, "infeasible": 0, "question": 0}


def test_p_complete_comes_from_the_spread_of_income_where_it_is_known() -> None:
    lines = [line("a", 9_000_00, 0.0)]
    at_the_quantile = one(lines, person(2_000_00, income_minor=3_000_00))
    assert at_the_quantile["p_complete"] == pytest.approx(0.80)  # the plan needs exactly the P20 of income
    small_debt = one([line("a", 10_00, 0.0)], person(2_000_00, income_minor=3_000_00))
    assert small_debt["p_complete"] > 0.80
    assert one(lines, person(2_000_00))["p_complete"] == pytest.approx((1 - 0.00783) ** 9)
    unsupported = PlanAssumptions(adult_minor=0, dependant_minor=0, monthly_break=None)
    assert one(lines, person(2_000_00), unsupported)["p_complete"] is None


def test_no_borrower_gives_an_empty_plan_table() -> None:
    plans, summary = plan(LINES.empty_table(), BORROWERS.empty_table(), AS_OF, HALF)
    assert (len(plans), plans.schema, summary["borrowers"], summary["months_median"]) == (0, PLANS, 0, None)


def test_every_binding_and_status_has_its_words() -> None:
    for language in ("en", "zh"):
        assert all(f"plan.binding.{code}" in texts(language) for code in BINDINGS)
        assert all(f"plan.status.{code}" in texts(language) for code in ("feasible", "infeasible", "question"))


def by_hand(lines: list[dict[str, Any]], budget: int) -> tuple[int, int, dict[tuple[int, str], int]]:
    """The textbook loop over one household: months, interest and payments by (month, line)."""
    balance = {row["line_id"]: row["balance_minor"] for row in sorted(lines, key=lambda r: r["line_id"])}
    rate = {row["line_id"]: Fraction(round(row["rate_annual"] * 1_000_000), 12_000_000) for row in lines}
    interest, paid = 0, {}
    for month in range(1, 61):
        for name in balance:
            charged = round_fraction(balance[name] * rate[name], Rounding.HALF_UP)
            balance[name] += charged
            interest += charged
        amount = min(budget, sum(balance.values()))
        for name, part in zip(balance, allocate(amount, list(balance.values())), strict=True):
            balance[name] -= part
            paid[month, name] = part
        if not any(balance.values()):
            return month, interest, paid
    return 0, interest, paid


households = st.lists(
    st.tuples(st.integers(1, 10**9), st.sampled_from([0.0, 0.05, 0.1825, 0.24, 0.36])), min_size=1, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(households, st.integers(1, 24)), min_size=1, max_size=4))
def test_a_plan_equals_the_textbook_loop(book: list[tuple[list[tuple[int, float]], int]]) -> None:
    lines, people = [], []
    for number, (debts, wanted) in enumerate(book):
        who = f"b{number}"
        lines += [line(f"{who}-{k}", balance, rate, who=who) for k, (balance, rate) in enumerate(debts)]
        people.append(person(2 * (sum(balance for balance, _ in debts) // wanted + 1), who=who))
    for row, household in zip(planned(lines, people), people, strict=True):
        own = [entry for entry in lines if entry["borrower_id"] == row["borrower_id"]]
        months, interest, paid = by_hand(own, household["income_low_minor"] // 2)
        assert (row["status"] == "feasible") == (months > 0)
        if months:
            assert (row["months"], row["total_cost_minor"]) == (months, interest)
            check_schedule(row, own, paid)


def check_schedule(row: dict[str, Any], own: list[dict[str, Any]], paid: dict[tuple[int, str], int]) -> None:
    """The parts of a schedule sum to debt and interest, no month exceeds the budget, and each is the textbook's."""
    monthly: dict[str, int] = defaultdict(int)
    for part in row["schedule"]:
        monthly[part["month"]] += part["amount_minor"]
    assert sum(monthly.values()) == sum(entry["balance_minor"] for entry in own) + row["total_cost_minor"]
    assert max(monthly.values()) <= row["monthly_minor"]
    assert len(monthly) == row["months"]
    parts = {(month_number(p["month"]) - month_of(AS_OF), p["account_id"]): p["amount_minor"] for p in row["schedule"]}
    assert parts == {key: amount for key, amount in paid.items() if amount}


@given(st.integers(0, 10**14), st.integers(0, 10**15), st.integers(1, 10**15))
def test_muldiv_is_exact_where_the_product_leaves_64_bits(a: int, b: int, divisor: int) -> None:
    if a * b // divisor < 2**52:
        quotient, rest = _muldiv(*(np.array([x], np.int64) for x in (a, b, divisor)))
        assert (int(quotient[0]), int(rest[0])) == divmod(a * b, divisor)
