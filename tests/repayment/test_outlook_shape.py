"""Does a history look like the process that is assumed? Seldom called odd where it is; often where it is not."""

import numpy as np
import pytest
from simulated_households import draw_truth, history

from evenkeel.repayment.household.income import odd_shape


def _odd(process: str, months: int, households: int) -> dict[str, float]:
    """The share of histories that each test calls odd, and that any does (`any`)."""
    rng = np.random.default_rng(1000 + months)  # not the seeds on which the bounds were chosen
    found: dict[str, float] = {"any": 0.0}
    for _ in range(households):
        seen = np.array(history(draw_truth(rng).incomes[0], months, rng, process)[0], np.float64)
        seen = seen[np.flatnonzero(seen)[0] :]
        at = np.flatnonzero(seen)
        names = odd_shape(at, np.log(seen[at] / seen.max()), seen)
        for name in (*names, *(["any"] if names else [])):
            found[name] = found.get(name, 0.0) + 1 / households
    return found


@pytest.mark.parametrize("months", [12, 24, 48])
def test_histories_of_the_process_itself_are_seldom_odd(months: int) -> None:
    found = _odd("stated", months, 800)
    assert found["any"] <= 0.085
    assert max(found.values()) <= 0.085


def test_regimes_and_heavy_tails_are_noticed_several_times_as_often() -> None:
    usual = _odd("stated", 24, 500)["any"]
    assert _odd("regimes", 24, 500)["any"] > 5 * usual
    assert _odd("heavy", 24, 500)["any"] > 5 * usual


def test_plain_shapes_are_named() -> None:
    rng = np.random.default_rng(5)
    noise = 0.05 * rng.standard_normal(24)
    at, months = np.arange(24), np.ones(24)
    step, slope = np.where(at < 12, 0.0, 0.5), 0.04 * at
    outlier = np.where(at == 10, 1.0, 0.0)
    assert odd_shape(at, noise, months) == ()
    assert "break" in odd_shape(at, noise + step, months)
    assert "trend" in odd_shape(at, noise + slope, months)
    assert "tails" in odd_shape(at, noise + outlier, months)
    gone = np.ones(24)
    gone[[4, 9, 15]] = 0
    there = np.flatnonzero(gone)
    assert odd_shape(there, noise[there], gone) == ("gaps",)


def test_a_few_months_and_months_that_never_vary_are_not_judged() -> None:
    assert odd_shape(np.arange(7), np.array([0, 0, 0, 5, 5, 5, 5.0]), np.ones(7)) == ()
    assert odd_shape(np.arange(24), np.zeros(24), np.ones(24)) == ()
