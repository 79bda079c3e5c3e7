"""Is the chance what it says? On simulated households whose truth the model has not seen: realised shares by decile,
coverage of the interval, and what is said where the income goes another way than assumed."""

import numpy as np
import pytest
from simulated_households import Trial, trial


def _by_decile(trials: list[Trial]) -> np.ndarray:
    """(10, 2): mean chance and realised share, households in order of their chance."""
    p = np.array([one.chance.p for one in trials])
    realised = np.array([one.completed.mean() for one in trials])
    return np.array([[p[part].mean(), realised[part].mean()] for part in np.array_split(np.argsort(p), 10)])


def _covered(trials: list[Trial]) -> float:
    """The share of households whose own chance, over their futures, lies in the interval."""
    return float(np.mean([one.chance.low <= one.completed.mean() <= one.chance.high for one in trials]))


def _width(trials: list[Trial]) -> float:
    return float(np.mean([one.chance.high - one.chance.low for one in trials]))


def test_a_sample_is_calibrated_and_covered() -> None:
    trials = [trial(seed) for seed in range(100)]
    p, realised = np.mean([(one.chance.p, one.completed.mean()) for one in trials], axis=0)
    assert abs(p - realised) < 0.05
    for low, high in ((0, 5), (5, 10)):
        part = _by_decile(trials)[low:high].mean(axis=0)
        assert abs(part[0] - part[1]) < 0.06
    assert 0.82 <= _covered(trials) <= 0.97


@pytest.mark.prove
def test_three_thousand_households_are_calibrated_by_decile_and_covered_nine_times_in_ten() -> None:
    trials = [trial(10_000 + seed, futures=1000) for seed in range(3000)]
    deciles = _by_decile(trials)
    print(np.round(deciles, 3).tolist(), _covered(trials))  # noqa: T201 - the figures that are stated
    assert np.abs(deciles[:, 0] - deciles[:, 1]).max() < 0.05
    assert 0.88 <= _covered(trials) <= 0.92


@pytest.mark.prove
@pytest.mark.parametrize(("process", "least"), [("regimes", 0.70), ("heavy", 0.85)])
def test_another_process_is_called_a_question_or_leaves_more_open(process: str, least: float) -> None:
    usual = [trial(20_000 + seed) for seed in range(400)]
    other = [trial(20_000 + seed, process) for seed in range(400)]
    asked = [one for one in other if one.chance.question]
    print(process, _covered(other), _width(other), _width(usual), len(asked) / 400)  # noqa: T201
    assert len(asked) > 3 * sum(one.chance.question for one in usual)
    assert _width(other) > 1.05 * _width(usual)
    assert _width(asked) > 1.1 * _width(usual)
    assert _covered(other) >= least
