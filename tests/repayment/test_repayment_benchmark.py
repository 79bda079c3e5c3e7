"""The benchmark of plans runs and prints its figures; many level plans are exact."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_brute import level_row
from plan_cases import claim_of

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.choice.options import level_plans

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "repayment.py"
DEBT = st.tuples(
    st.one_of(st.integers(1, 500), st.integers(1, 10**8), st.integers(1, 10**14)),
    st.sampled_from((0, 1, 36_000, 240_000, 360_000, 10_000_000, 1_000_000_000)), st.integers(1, 60),
)  # fmt: skip


def prints_each_figure(cases: int, most: int) -> None:
    said = subprocess.run(
        [sys.executable, str(PROGRAM), "--cases", str(cases), "--plans", "1000", "--most", str(most)],
        capture_output=True, text=True, check=True, timeout=600,
    ).stdout  # fmt: skip
    for words in (
        "single optimum, 6 creditors x 60 months", f"another cost in 0 of {cases}", "an offer, 6 creditors x 60 months",
        "why there is none, 6 creditors", f"  {most} creditors x 60 months", "6 creditors x 24 months",
        "1,000 level plans",
    ):  # fmt: skip
        assert words in said


def test_the_benchmark_prints_each_figure_and_agrees_with_its_peer():
    prints_each_figure(1, 2)


@pytest.mark.prove
def test_the_benchmark_of_more_creditors_prints_each_figure_and_agrees_with_its_peer():
    prints_each_figure(6, 8)


def each_is_the_least(debts: list[tuple[int, int, int]]) -> None:
    found = level_plans(*np.array(debts, np.int64).T)
    columns = (found.instalment_minor, found.last_minor, found.months, found.paid_minor)
    for (balance, rate, months), *plan in zip(debts, *(column.tolist() for column in columns), strict=True):
        row = level_row(claim_of(balance, rate), balance, rate, months)
        assert row is not None
        assert plan == [max(row[1:]), row[-1], len(row) - 1, sum(row)]


@settings(max_examples=30, deadline=None)
@given(st.lists(DEBT, min_size=1, max_size=10))
def test_level_plans_are_the_least_instalments(debts: list[tuple[int, int, int]]):
    each_is_the_least(debts)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None)
@given(st.lists(DEBT, min_size=1, max_size=10))
def test_thousands_of_level_plans_are_the_least_instalments(debts: list[tuple[int, int, int]]):
    each_is_the_least(debts)


@pytest.mark.parametrize(
    ("balances", "rates", "months", "fault"),
    [
        ([0], [0], [1], "balances_minor lie between 1 and"),
        ([5, 5], [0, 2 * 10**9], [1, 1], "entry 1 is 2000000000"),
        ([5], [0], [61], "months lie between 1 and 60"),
        ([5, 5], [0], [1], "one entry a debt"),
    ],
)
def test_what_is_no_debt_is_refused(balances: list[int], rates: list[int], months: list[int], fault: str):
    with pytest.raises(InvalidInput, match=fault):
        level_plans(np.array(balances), np.array(rates), np.array(months))
