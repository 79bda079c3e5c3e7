"""A hazard of plan break learned from past plans: found again where it is known, and never rewarding a heavier plan."""

import numpy as np
import pyarrow as pa
import pytest
from outlook_samples import case, given

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.household.chance import chance, fit
from evenkeel.repayment.household.outlook import budget, outlook


def _plans(count: int, burden_weight: float, missed_weight: float, seed: int = 1) -> pa.Table:
    """Past plans of 36 months, month by month, whose odds to break are known."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[object]] = {"month": [], "burden": [], "missed": [], "outcome": []}
    for _ in range(count):
        burden, missed = float(rng.uniform(0.3, 1.3)), 0
        for month in range(1, 37):
            missed = min(missed + int(rng.random() < 0.05), 3)
            odds = -5.0 + burden_weight * burden + missed_weight * missed - 0.5 * (month > 12)
            broke = rng.random() < 1 / (1 + np.exp(-odds))
            outcome = "broke" if broke else "completed" if month == 36 else "going"
            for name, value in zip(rows, (month, burden, missed, outcome), strict=True):
                rows[name].append(value)
            if broke:
                break
    return pa.table(rows)


def test_a_known_hazard_is_found_again() -> None:
    found = fit(_plans(4000, 1.5, 0.8))
    error = np.sqrt(np.diag(found.covariance))
    for place, truth in ((5, 1.5), (6, 0.8)):
        assert abs(found.coefficients[place] - truth) < 3.5 * error[place]
        assert error[place] < 0.15
    assert found.coefficients[0] == pytest.approx(-5.0, abs=0.3)
    assert found.coefficients[4] == pytest.approx(-5.5, abs=0.3)
    assert found.breaks == found.plan_months - (np.array(_plans(4000, 1.5, 0.8)["outcome"]) != "broke").sum()


def test_heavier_plans_that_broke_less_count_as_neither_safer_nor_riskier() -> None:
    found = fit(_plans(1500, -1.5, 0.8))
    assert found.coefficients[5] == 0
    assert (found.covariance[5] == 0).all()
    assert found.coefficients[6] > 0


def test_it_stands_in_for_both_rules_and_burden_and_misses_count_against_a_plan() -> None:
    history = fit(_plans(3000, 1.5, 0.8))
    of = case()
    ahead = outlook(of)
    capacity = budget(of, ahead).capacity
    by_share = [chance(ahead, capacity * share // 10, fitted=history, capacity=capacity) for share in (3, 7, 10)]
    assert by_share[0].p > by_share[1].p > by_share[2].p
    assert all(one.low < one.p < one.high for one in by_share)
    rich = given(np.full((40, 20, 36), 100.0))
    level = np.array([0, *[50] * 36])
    found = chance(rich, level, fitted=history, capacity=np.array([0, *[100] * 36]))
    beta = history.coefficients
    band = beta[:5][np.searchsorted((1, 4, 7, 13, 25), np.arange(1, 37), side="right") - 1]
    assert found.p == pytest.approx(float(np.prod(1 - 1 / (1 + np.exp(-(band + 0.5 * beta[5]))))), abs=0.02)


def test_too_few_breaks_bad_rows_and_a_missing_budget_are_refused() -> None:
    with pytest.raises(InvalidInput, match="breaks; a hazard by month needs 20"):
        fit(_plans(30, 0.0, 0.0))
    plans = _plans(1500, 1.0, 0.5)
    bad = plans.set_column(1, "burden", pa.array([-1.0] * len(plans)))
    with pytest.raises(InvalidInput, match="burden"):
        fit(bad)
    with pytest.raises(InvalidInput, match="needs the budget"):
        chance(given(np.ones((2, 2, 3))), np.array([0, 1, 1]), fitted=fit(plans))
