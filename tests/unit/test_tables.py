"""Additive tables: the optimum of the stated objective, and as many effective degrees as the data ask for."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from evenkeel.measures import tables
from evenkeel.measures.tables import Fitted, Term, difference_penalty, fit_tables


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def sample(seed: int, rows: int, sizes: Sequence[int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Codes, and outcomes whose ln odds rise along the first table."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, size, rows).astype(np.int32) for size in sizes]
    log_odds = -1 + 2 * codes[0] / sizes[0] + rng.normal(size=sizes[-1])[codes[-1]] / 2
    return codes, rng.random(rows) < expit(log_odds)


def smooth(codes: np.ndarray, size: int) -> Term:
    return Term(codes, size, (difference_penalty(size, 1), difference_penalty(size, 2)))


def fixed(monkeypatch: pytest.MonkeyPatch, strength: float) -> None:
    """Leaves nothing to estimate: every penalty has this strength."""
    monkeypatch.setattr(tables, "_LEAST", strength)
    monkeypatch.setattr(tables, "_MOST", strength)


def optimum(
    terms: Sequence[Term], bad: np.ndarray, unit: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ln odds of the rows, design, penalty) by a general optimiser on the objective as it is stated."""
    design = np.column_stack([np.eye(term.size)[term.codes] for term in terms] + [np.ones(len(bad))])
    penalty = np.zeros((design.shape[1],) * 2)
    at = 0
    for term in terms:
        block = slice(at, at + term.size)
        penalty[block, block] = strength * sum(term.penalties, np.zeros((term.size, term.size))) + 1e-3 * np.eye(
            term.size
        )
        at += term.size

    def loss(beta: np.ndarray) -> float:
        log_odds = design @ beta
        return float(unit @ (np.logaddexp(0, log_odds) - bad * log_odds) + beta @ penalty @ beta / 2)

    def slope(beta: np.ndarray) -> np.ndarray:
        return design.T @ (unit * (expit(design @ beta) - bad)) + penalty @ beta

    def curvature(beta: np.ndarray) -> np.ndarray:
        p = expit(design @ beta)
        return (design * (unit * p * (1 - p))[:, None]).T @ design + penalty

    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-9})
    return design @ found.x, design, penalty


@pytest.mark.parametrize("strength", [0.5, 7.0, 300.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_fixed_strengths_it_is_the_optimum(
    strength: float, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, bad = sample(1, 3000, [12, 5, 8])
    unit = np.random.default_rng(2).uniform(0.2, 3, 3000) if weighted else np.ones(3000)
    terms = [smooth(code, size) for code, size in zip(codes, [12, 5, 8], strict=True)]
    fixed(monkeypatch, strength)
    fitted = fit_tables(terms, bad, unit, strength=strength)
    for _ in range(
        6
    ):  # a fit ends where the likelihood no longer gains in the seventh digit; going on ends at the bottom
        fitted = fit_tables(terms, bad, unit, start=fitted)
    assert all((known == strength).all() for known in fitted.strengths)
    expected, _, _ = optimum(terms, bad, unit, strength)
    np.testing.assert_allclose(fitted.log_odds(codes), expected, atol=1e-6)


def test_one_table_without_a_penalty_is_the_ln_odds_of_each_code() -> None:
    codes = np.repeat(np.arange(4, dtype=np.int32), 500)
    shares = np.array([0.1, 0.3, 0.5, 0.02])
    bad = np.tile(np.arange(500), 4) < np.repeat(shares * 500, 500)
    fitted = fit_tables([Term(codes, 4, ())], bad, rounds=50)
    np.testing.assert_allclose(fitted.intercept + fitted.tables[0], np.log(shares / (1 - shares)), atol=1e-3)
    # What is left is the ridge that holds the mean of a table: the fitted shares differ by it alone.
    assert fitted.strengths[0].size == 0


def test_weights_stand_for_repeated_rows() -> None:
    codes, bad = sample(3, 1500, [10, 6])
    times = np.random.default_rng(4).integers(1, 4, 1500)
    once = fit_tables([smooth(codes[0], 10), smooth(codes[1], 6)], bad, times.astype(float))
    rows = np.repeat(np.arange(1500), times)
    again = fit_tables([smooth(codes[0][rows], 10), smooth(codes[1][rows], 6)], bad[rows])
    np.testing.assert_allclose(again.log_odds(codes), once.log_odds(codes), atol=1e-9)


def test_stronger_penalties_leave_fewer_effective_degrees(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, bad = sample(5, 2000, [15, 6])
    terms = [smooth(codes[0], 15), smooth(codes[1], 6)]
    degrees, misfit = [], []
    for strength in (0.1, 1.0, 10.0, 100.0, 1e4):
        with monkeypatch.context() as patch:
            fixed(patch, strength)
            log_odds = fit_tables(terms, bad, rounds=60, strength=strength).log_odds(codes)
        _, design, penalty = optimum(terms, bad, np.ones(2000), strength)
        p = expit(log_odds)
        information = (design * (p * (1 - p))[:, None]).T @ design
        degrees.append(np.trace(np.linalg.solve(information + penalty + 1e-9 * np.eye(len(penalty)), information)))
        misfit.append((np.logaddexp(0, log_odds) - bad * log_odds).sum())
    assert (np.diff(degrees) < 0).all() and (np.diff(misfit) > 0).all()
    assert degrees[0] > 15 and degrees[-1] < 3


def test_noise_is_smoothed_away_and_a_line_stays_a_line() -> None:
    rng = np.random.default_rng(6)
    codes = list(rng.integers(0, 40, (2, 8000)).astype(np.int32))
    truth = 2 * codes[0] / 40 - 2
    bad = rng.random(8000) < expit(truth)
    fitted = fit_tables([smooth(code, 40) for code in codes], bad, rounds=20)
    assert np.ptp(fitted.tables[1]) < 0.15
    raw = fit_tables([Term(code, 40, ()) for code in codes], bad, rounds=20)
    error, raw_error = (np.sqrt(np.mean((fit.log_odds(codes) - truth) ** 2)) for fit in (fitted, raw))
    assert error < 0.12 and error < 0.6 * raw_error


def test_a_step_is_kept_where_the_data_are_sure_of_it() -> None:
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 20, 20000).astype(np.int32)
    bad = rng.random(20000) < np.where(codes < 10, 0.05, 0.4)
    table = fit_tables([smooth(codes, 20)], bad, rounds=20).tables[0]
    assert table[10] - table[9] > 0.8 * (np.log(0.4 / 0.6) - np.log(0.05 / 0.95))


def test_an_entry_without_data_is_what_its_neighbours_are() -> None:
    codes, bad = sample(8, 3000, [10, 4])
    gap = codes[0] != 5
    fitted = fit_tables([smooth(codes[0][gap], 10)], bad[gap])
    low, middle, high = fitted.tables[0][4:7]
    assert min(low, high) - 0.2 < middle < max(low, high) + 0.2
    assert np.isfinite(fitted.tables[0]).all()


def test_a_separated_outcome_has_finite_tables() -> None:
    codes = np.arange(400, dtype=np.int32) // 40
    fitted = fit_tables([smooth(codes, 10)], codes >= 5, rounds=30)
    assert np.isfinite(fitted.tables[0]).all()
    assert ((fitted.log_odds([codes]) > 0) == (codes >= 5)).all()


def test_without_a_table_everybody_has_the_bad_rate() -> None:
    fitted = fit_tables([], np.arange(100) < 20)
    assert fitted.tables == ()
    assert fitted.intercept == pytest.approx(np.log(0.2 / 0.8), abs=1e-6)


def test_going_on_from_an_earlier_fit_ends_where_a_fresh_one_does() -> None:
    codes, bad = sample(9, 4000, [12, 6])
    terms = [smooth(codes[0], 12), smooth(codes[1], 6)]
    first = fit_tables(terms[:1], bad)
    on = fit_tables(terms, bad, start=first, rounds=40)
    fresh = fit_tables(terms, bad, rounds=40)
    np.testing.assert_allclose(on.log_odds(codes), fresh.log_odds(codes), atol=0.02)


def same(a: Fitted, b: Fitted) -> bool:
    return a.intercept == b.intercept and all(map(np.array_equal, a.tables, b.tables))


def test_same_rows_same_bytes() -> None:
    codes, bad = sample(10, 5000, [20, 10])
    terms = [smooth(codes[0], 20), smooth(codes[1], 10)]
    assert same(fit_tables(terms, bad), fit_tables(terms, bad))


def test_many_rows_are_sampled_for_the_curvature_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, bad = sample(11, 6000, [12, 6])
    terms = [smooth(codes[0], 12), smooth(codes[1], 6)]
    fixed(monkeypatch, 5.0)
    whole = fit_tables(terms, bad, rounds=100)
    monkeypatch.setattr(tables, "_HESSIAN_ROWS", 1000)
    sampled = fit_tables(terms, bad, rounds=100)
    np.testing.assert_allclose(sampled.log_odds(codes), whole.log_odds(codes), atol=1e-4)


@pytest.mark.parametrize(("size", "order", "rank"), [(6, 1, 5), (6, 2, 4), (2, 2, 1), (1, 1, 0), (3, 5, 1)])
def test_the_penalty_of_differences_leaves_lines_alone(size: int, order: int, rank: int) -> None:
    penalty = difference_penalty(size, order)
    assert penalty.shape == (size, size) and np.linalg.matrix_rank(penalty) == rank
    for power in range(min(order, size - 1)):
        np.testing.assert_allclose(penalty @ np.arange(size) ** float(power), 0, atol=1e-12)
