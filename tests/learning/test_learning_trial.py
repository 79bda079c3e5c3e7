"""The registered trial: stable arms, and a table of effects that simulation agrees with."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.learning.trial import (
    HOLDOUT,
    LEARNING_1,
    LESSON,
    arm_of,
    detectable_fall,
    detectable_sd,
    effect_table,
)


def test_arms_are_stable_and_of_the_registered_size() -> None:
    arms = Counter(arm_of(f"borrower-{number}", LEARNING_1) for number in range(20_000))
    assert abs(arms[HOLDOUT] - 10_000) < 4 * 71  # four standard deviations
    assert [arm_of(f"b{number}", LEARNING_1) for number in range(6)] == [
        LESSON, HOLDOUT, LESSON, LESSON, HOLDOUT, HOLDOUT
    ]  # fmt: skip


def test_the_detectable_effect_of_the_text_books() -> None:
    assert round(2 * (1.959964 + 0.841621) ** 2 / 0.1**2) == 1570  # an arm, for 0.1 SD (Cohen 1988)
    assert detectable_sd(1570, 1570) == pytest.approx(0.1, abs=5e-5)
    assert detectable_sd(1569, 1569) > 0.1
    # Fleiss, Levin and Paik: 0.30 against 0.20 at 80 % needs 294 an arm by the formula without correction.
    assert detectable_fall(0.30, 294, 294) == pytest.approx(0.10, abs=5e-4)


@pytest.mark.parametrize("base", [0.03, 0.15, 0.30, 0.55])
@pytest.mark.parametrize("arms", [(1_000, 1_000), (4_000, 1_000), (5_000, 5_000)])
def test_simulated_trials_see_the_effect_four_times_in_five(base: float, arms: tuple[int, int]) -> None:
    fall = detectable_fall(base, *arms)
    if fall is None:
        return
    draws = np.random.default_rng(7)
    lesson, holdout = (draws.binomial(n, p, 20_000) / n for n, p in zip(arms, (base - fall, base), strict=True))
    pooled = (lesson * arms[0] + holdout * arms[1]) / sum(arms)
    seen = (holdout - lesson) / np.sqrt(pooled * (1 - pooled) * (1 / arms[0] + 1 / arms[1])) > 1.959964
    assert seen.mean() == pytest.approx(0.80, abs=0.03)


def test_simulated_means_see_it_too() -> None:
    draws, size = np.random.default_rng(7), 800
    effect = detectable_sd(size, size)
    gaps = draws.normal(effect, np.sqrt(2 / size), 40_000)
    assert (gaps / np.sqrt(2 / size) > 1.959964).mean() == pytest.approx(0.80, abs=0.01)


def test_what_cannot_be_seen_is_called_so() -> None:
    assert detectable_fall(0.01, 100, 100) is None
    for wrong in ({"base": 0.0}, {"lesson": 0}, {"alpha": 1.0}):
        with pytest.raises(InvalidInput):
            detectable_fall(**({"base": 0.3, "lesson": 10, "holdout": 10} | wrong))


def test_the_registration_holds_the_table_that_is_computed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "learning-trial.md").read_text(encoding="utf-8")
    assert "\n".join(f"| {' | '.join(row)} |" for row in effect_table(LEARNING_1)) in page
    for outcome, share in LEARNING_1.outcomes.items():
        assert f"{outcome} ({100 * share:.0f} %)" in page
    smallest = next(size for size in range(1_000, 10_000, 2) if detectable_sd(size // 2, size // 2) <= 0.1)
    assert f"Below {smallest:,} borrowers" in page
