"""Qini and uplift curves against loops over every cut, closed forms, and draws of the experiment itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.uplift import judge_uplift, qini_difference, uplift_curve

rows = st.lists(
    st.tuples(st.integers(0, 50), st.booleans(), st.integers(-3, 9), st.sampled_from([1.0, 2.0, 5.0])),
    min_size=2, max_size=12,
).filter(lambda all_rows: len({row[1] for row in all_rows}) == 2)  # fmt: skip


def arrays(given_rows: list[tuple[int, bool, int, float]]) -> tuple[np.ndarray, ...]:
    score, treated, outcome, weight = (np.array(column) for column in zip(*given_rows, strict=True))
    return score.astype(float), treated.astype(bool), outcome.astype(float), weight.astype(float)


def by_hand(rows_in_order: list[tuple[int, bool, int, float]]) -> tuple[list[float], list[float]]:
    """Gain and Qini after each row, from the definitions."""
    n, all_treated = len(rows_in_order), sum(row[3] for row in rows_in_order if row[1])
    gain, qini = [0.0], [0.0]
    for cut in range(1, n + 1):
        first = rows_in_order[:cut]
        n_t, n_c = (sum(row[3] for row in first if row[1] is arm) for arm in (True, False))
        y_t, y_c = (sum(row[3] * row[2] for row in first if row[1] is arm) for arm in (True, False))
        gain.append(cut / n * (y_t / n_t - y_c / n_c) if n_t and n_c else 0.0)
        qini.append((y_t - y_c * n_t / n_c) / all_treated if n_t and n_c else 0.0)
    return gain, qini


@given(rows)
def test_the_curves_are_the_definitions_at_every_cut(given_rows: list[tuple[int, bool, int, float]]) -> None:
    apart = [(place, *row[1:]) for place, row in enumerate(given_rows)]  # scores without ties
    score, treated, outcome, weight = arrays(apart)
    curve = uplift_curve(score, treated, outcome, weight)
    gain, qini = by_hand(sorted(apart, key=lambda row: -row[0]))
    assert curve.gain == pytest.approx(gain, abs=1e-9)
    assert curve.qini == pytest.approx(qini, abs=1e-9)
    assert curve.share == pytest.approx(np.arange(len(apart) + 1) / len(apart))


@settings(max_examples=25)
@given(rows)
def test_equal_scores_are_never_told_apart_by_their_order(given_rows: list[tuple[int, bool, int, float]]) -> None:
    tied = [(row[0] // 20, *row[1:]) for row in given_rows]
    figures = {
        (round(one.qini.value, 9), round(one.auuc.value, 9))
        for turn in range(len(tied))
        for one in [judge_uplift(*arrays(tied[turn:] + tied[:turn][::-1]), seed=0, draws=2)]
    }
    assert len(figures) == 1


def test_one_score_for_all_has_no_qini_and_the_ends_are_the_difference_of_means() -> None:
    treated, outcome = np.array([True, True, False, False, False]), np.array([4.0, 2.0, 1.0, 0.0, 2.0])
    found = judge_uplift(np.zeros(5), treated, outcome, at=(1.0, 0.4), seed=1)
    assert found.qini.value == 0.0 and found.overall.value == pytest.approx(2.0)
    assert found.auuc.value == pytest.approx(1.0)  # a straight line from 0 to 2
    assert [figure.value for _, figure in found.at] == pytest.approx([2.0, 2.0])


def test_a_weight_of_two_is_a_row_given_twice_but_for_the_share_of_rows() -> None:
    score, treated = np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    outcome = np.array([1.0, 0.0, 0.0, 1.0])
    weighted = uplift_curve(score, treated, outcome, np.array([2.0, 1.0, 1.0, 1.0]))
    twice = uplift_curve(np.repeat(score, [2, 1, 1, 1]), np.repeat(treated, [2, 1, 1, 1]),
                         np.repeat(outcome, [2, 1, 1, 1]))  # fmt: skip
    assert weighted.qini == pytest.approx(twice.qini)


def test_turning_a_ranking_round_turns_the_sign_of_its_qini_where_arms_are_even() -> None:
    rng = np.random.default_rng(3)
    treated, score = np.arange(2000) % 2 == 0, np.repeat(rng.random(1000), 2)
    outcome = rng.random(2000) + treated * score
    one, other = (judge_uplift(sign * score, treated, outcome, seed=0, draws=2).qini.value for sign in (1, -1))
    assert one > 0.05 and other == pytest.approx(-one, abs=1e-9)


def test_the_standard_error_is_that_of_experiments_drawn_anew() -> None:
    rng = np.random.default_rng(5)
    drawn, told = [], []
    for turn in range(80):
        score, treated = rng.random(600), rng.random(600) < 0.5
        outcome = (rng.random(600) < 0.3 + 0.3 * score * treated).astype(float)
        found = judge_uplift(score, treated, outcome, seed=turn, draws=30)
        drawn.append((found.qini.value, found.auuc.value, found.at[1][1].value))
        told.append((found.qini.standard_error, found.auuc.standard_error, found.at[1][1].standard_error))
    assert np.mean(told, axis=0) == pytest.approx(np.std(drawn, axis=0), rel=0.2)


@settings(max_examples=20)
@given(rows)
def test_a_ranking_differs_from_itself_by_nothing(given_rows: list[tuple[int, bool, int, float]]) -> None:
    score, treated, outcome, weight = arrays(given_rows)
    found = qini_difference(score, 2 * score + 1, treated, outcome, weight, seed=1, draws=5)
    assert (found.value, found.standard_error) == (0.0, 0.0)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"score": [np.nan, 0.0, 1.0]}, {"outcome": [np.inf, 0.0, 1.0]}, {"treated": [True, True, True]},
        {"weight": [1.0, 0.0, 1.0]}, {"weight": [1.0, np.nan, 1.0]}, {"outcome": [1.0, 2.0]},
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(spoilt: dict[str, list[float]]) -> None:
    fine = {"score": [0.0, 1.0, 2.0], "treated": [True, False, True], "outcome": [0.0, 1.0, 1.0], "weight": [1.0] * 3}
    with pytest.raises(InvalidInput):
        judge_uplift(*(np.array(values) for values in (fine | spoilt).values()), seed=0)
    with pytest.raises(InvalidInput):
        judge_uplift(np.zeros(2), np.array([True, False]), np.zeros(2), at=(0.0,), seed=0)
