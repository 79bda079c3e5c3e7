"""Discrete-time competing risks: against lifelines' numbers, closed forms, loops, and other people's optimisers."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures import survival as module
from evenkeel.measures.survival import (
    PersonMonths,
    Term,
    aalen_johansen,
    fit_hazards,
    hazards_of,
    incidence,
    kaplan_meier,
    person_months,
    second_differences,
    survival,
)  # fmt: skip

ORACLE_SCRIPT = """
import numpy as np                                     # lifelines 0.30.3, NumPy 2.4.6
from lifelines import AalenJohansenFitter, KaplanMeierFitter
rng = np.random.default_rng(7)
duration, cause = rng.integers(1, 9, 60), rng.integers(0, 3, 60)
entry = np.minimum(rng.integers(0, 3, 60), duration - 1)
times = range(1, 9)
plain = KaplanMeierFitter().fit(duration, cause > 0)
late = KaplanMeierFitter().fit(duration, cause > 0, entry=entry)
print(plain.survival_function_at_times(times), plain.confidence_interval_, late.survival_function_at_times(times))
for k in (1, 2):                                       # censored cases leave last in their month, as ours do
    censored_last = duration + np.where(cause == 0, 0.4, 0.0)
    curve = AalenJohansenFitter(seed=1).fit(censored_last, cause, event_of_interest=k).cumulative_density_.iloc[:, 0]
    print([float(curve.loc[: t + 0.2].iloc[-1]) for t in times])
"""
SURVIVAL = [0.916666667, 0.865740741, 0.75973167, 0.633109725, 0.52138448, 0.437962963, 0.306574074, 0.114965278]
LOW = [0.8113098, 0.749366012, 0.627951213, 0.49408581, 0.38335113, 0.303051616, 0.185583685, 0.032883795]
HIGH = [0.964441076, 0.930495644, 0.850199801, 0.743516025, 0.642509635, 0.564978959, 0.436076066, 0.254042363]
LATE = [0.782608696, 0.725344645, 0.636526933, 0.530439111, 0.436832209, 0.366939056, 0.256857339, 0.096321502]
INCIDENCE = [
    [0.066666667, 0.117592593, 0.152928949, 0.207195497, 0.281678994, 0.323389753, 0.432880493, 0.509524012],
    [0.016666667, 0.016666667, 0.08733938, 0.159694777, 0.196936526, 0.238647284, 0.260545432, 0.37551071],
]


def lifelines_sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    duration, cause = rng.integers(1, 9, 60), rng.integers(0, 3, 60)
    return duration, cause, np.minimum(rng.integers(0, 3, 60), duration - 1)


def simulated(rng: np.random.Generator, hazards: np.ndarray, n: int, watched: np.ndarray | int) -> tuple:
    """Durations and causes of n cases with (T, K) or (n, T, K) hazards, censored after `watched` months."""
    months, causes = hazards.shape[-2:]
    table = np.broadcast_to(hazards, (n, months, causes))
    draw = rng.random((n, months))
    bounds = np.cumsum(table, axis=2)
    left = draw[:, :, None] < bounds
    cause = np.where(left.any(axis=2), left.argmax(axis=2) + 1, 0)
    ended = cause > 0
    duration = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, months)
    seen = np.minimum(duration, watched)
    found = np.where(duration <= watched, cause[np.arange(n), duration - 1], 0)
    return seen, found


# --- person-months ---------------------------------------------------------------------------------------------------


def test_cases_become_person_months_as_a_loop_makes_them() -> None:
    rng = np.random.default_rng(0)
    duration, cause, group = rng.integers(0, 7, 400), rng.integers(0, 3, 400), rng.integers(0, 5, 400)
    entry = rng.integers(0, 4, 400)
    cause[duration <= entry] = 0
    weight = rng.integers(0, 3, 400).astype(float)
    expected: defaultdict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(3))
    for d, c, g, e, w in zip(duration, cause, group, entry, weight, strict=True):
        for month in range(e + 1, d + 1):
            expected[int(g), month][c if month == d else 0] += w
    found = person_months(duration, cause, 2, entry=entry, weight=weight, group=group)
    assert list(zip(found.group.tolist(), found.month.tolist(), strict=True)) == sorted(expected)
    np.testing.assert_array_equal(found.counts, [expected[key] for key in sorted(expected)])
    assert found.by_month().sum() == found.counts.sum()


def test_nobody_seen_gives_no_month() -> None:
    empty = person_months(np.array([0, 2]), np.array([0, 0]), 1, entry=np.array([0, 2]))
    assert empty.counts.shape == (0, 2)
    assert empty.by_month().shape == (0, 2)


def test_what_cannot_be_a_case_is_refused() -> None:
    one = np.array([1])
    for duration, cause, more in (
        ([0], [1], {}), ([2], [1], {"entry": one * 2}), ([2], [3], {}), ([2], [-1], {}), ([-1], [0], {}),
        ([2], [1], {"weight": np.array([np.nan])}), ([2], [1], {"entry": np.array([0, 0])}),
        ([2**40], [0], {"group": np.array([2**40])}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            person_months(np.array(duration), np.array(cause), 2, **more)


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_a_constant_hazard_is_geometric() -> None:
    hazards = np.tile([0.02, 0.05], (36, 1))
    t = np.arange(37)
    np.testing.assert_allclose(survival(hazards), 0.93**t, rtol=1e-12)
    np.testing.assert_allclose(incidence(hazards)[:, 0], 0.02 / 0.07 * (1 - 0.93**t), rtol=1e-12)
    np.testing.assert_allclose(incidence(hazards[12:])[-1, 1], 0.05 / 0.07 * (1 - 0.93**24), rtol=1e-12)


def test_given_survival_to_a_month_is_bayes_rule() -> None:
    hazards = np.random.default_rng(1).dirichlet([1, 1, 20], (5, 24))[..., :2]
    whole, stay = incidence(hazards), survival(hazards)
    later = incidence(hazards[:, 9:])
    np.testing.assert_allclose(later, (whole[:, 9:] - whole[:, 9:10]) / stay[:, 9, None, None], rtol=1e-10)


def test_hazards_do_not_overflow() -> None:
    found = hazards_of(np.array([[1e308, 0.0], [-1e308, 0.0], [700.0, 710.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[1, 0], [0, 0.5], [np.exp(-10) / (1 + np.exp(-10)), 1 / (1 + np.exp(-10))],
                                       [1 / 3, 1 / 3]])  # fmt: skip


# --- without a model -------------------------------------------------------------------------------------------------


def test_kaplan_meier_and_its_interval_are_those_of_lifelines() -> None:
    duration, cause, entry = lifelines_sample()
    curve = kaplan_meier(person_months(duration, cause, 2).by_month())
    np.testing.assert_allclose(curve.value[1:], SURVIVAL, atol=1e-9)
    np.testing.assert_allclose(curve.low[1:], LOW, atol=1e-9)
    np.testing.assert_allclose(curve.high[1:], HIGH, atol=1e-9)
    late = kaplan_meier(person_months(duration, cause, 2, entry=entry).by_month())
    np.testing.assert_allclose(late.value[1:], LATE, atol=1e-9)


def test_aalen_johansen_is_that_of_lifelines_and_adds_up_with_kaplan_meier() -> None:
    duration, cause, _ = lifelines_sample()
    counts = person_months(duration, cause, 2).by_month()
    curve = aalen_johansen(counts)
    np.testing.assert_allclose(curve.value[1:].T, INCIDENCE, atol=1e-9)
    np.testing.assert_allclose(curve.value.sum(axis=1) + kaplan_meier(counts).value, 1, atol=1e-12)


def test_with_one_cause_the_incidence_is_what_survival_leaves_interval_included() -> None:
    duration, cause, _ = lifelines_sample()
    counts = person_months(duration, np.minimum(cause, 1), 1).by_month()
    one, other = aalen_johansen(counts), kaplan_meier(counts)
    for ours, theirs in ((one.value, other.value), (one.low, other.high), (one.high, other.low)):
        np.testing.assert_allclose(ours[1:, 0], 1 - theirs[1:], atol=1e-9)


def test_without_censoring_incidences_are_shares_with_binomial_errors() -> None:
    rng = np.random.default_rng(3)
    duration, cause = rng.integers(1, 7, 500), rng.integers(1, 4, 500)
    curve = aalen_johansen(person_months(duration, cause, 3).by_month())
    for k in range(3):
        share = ((cause == k + 1) & (duration <= 4)).mean()
        assert curve.value[4, k] == pytest.approx(share, abs=1e-12)
        half = 1.959963984540054 * np.sqrt(share * (1 - share) / 500) / ((1 - share) * -np.log(1 - share))
        assert curve.high[4, k] == pytest.approx(1 - (1 - share) ** np.exp(half), abs=1e-9)


def test_edges_of_curves_are_honest() -> None:
    counts = np.array([[10.0, 0.0], [8.0, 1.0], [0.0, 5.0], [0.0, 0.0]])
    curve = kaplan_meier(counts)
    assert curve.value[1] == curve.high[1] == 1
    assert 0.6 < curve.low[1] < 1  # nobody left yet, but only ten were watched
    assert curve.value[3] == curve.low[3] == 0
    assert 0 < curve.high[3] < 1
    assert np.isnan([curve.value[4], curve.low[4], curve.high[4]]).all()


def coverage(draws: int, n: int) -> tuple[float, float]:
    hazards = np.column_stack((np.linspace(0.004, 0.012, 18), np.linspace(0.03, 0.01, 18)))
    truth, stay = incidence(hazards)[12, 0], survival(hazards)[12]
    hits = np.zeros(2)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        duration, cause = simulated(rng, hazards, n, rng.integers(6, 19, n))
        counts = person_months(duration, cause, 2).by_month()
        bad, there = aalen_johansen(counts), kaplan_meier(counts)
        hits += [bad.low[12, 0] <= truth <= bad.high[12, 0], there.low[12] <= stay <= there.high[12]]
    return tuple(hits / draws)


def test_intervals_cover() -> None:
    assert all(0.92 <= share <= 0.98 for share in coverage(400, 400))


@pytest.mark.prove
@pytest.mark.parametrize("n", [150, 1000])
def test_intervals_cover_over_many_samples(n: int) -> None:
    assert all(0.93 <= share <= 0.97 for share in coverage(3000, n))


# --- the model -------------------------------------------------------------------------------------------------------


def small_problem(seed: int = 0, causes: int = 2) -> tuple[PersonMonths, list[Term], np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 2))
    base = np.stack([np.exp(-3 - 0.1 * np.arange(10) + k) for k in range(causes)], axis=1) / 3
    hazards = base[None] * np.exp(0.5 * x[:, :1, None])
    group = rng.integers(0, 80, 1500)
    duration, cause = simulated(rng, hazards[group], 1500, rng.integers(1, 11, 1500))
    cells = person_months(duration, cause, causes, group=group)
    season = (cells.month + cells.group) % 4
    terms = [
        Term(np.eye(10)[None], cells.month - 1, second_differences(10), 5.0),
        Term(np.eye(4)[None], season, np.eye(4), 3.0),
        Term(np.stack([x, x**2] if causes == 2 else [x]), cells.group, np.eye(2), 1.0),
    ]
    return cells, terms, x


def dense_loss(flat: np.ndarray, cells: PersonMonths, terms: list[Term], causes: int) -> float:
    sizes = [term.tables.shape[2] for term in terms]
    parts = np.split(flat.reshape(causes, -1), np.cumsum(sizes)[:-1], axis=1)
    log_odds = np.zeros((len(cells.month), causes))
    penalty = 0.0
    for term, part in zip(terms, parts, strict=True):
        for k in range(causes):
            table = term.tables[k % len(term.tables)]
            log_odds[:, k] += table[term.code] @ part[k]
            penalty += 0.5 * term.smoothing * part[k] @ term.penalty @ part[k]
    total = np.log1p(np.exp(log_odds).sum(axis=1))
    return (cells.counts.sum(axis=1) * total).sum() - (cells.counts[:, 1:] * log_odds).sum() + penalty


@pytest.mark.parametrize("causes", [1, 2])
def test_is_the_optimum_of_a_general_search_on_a_dense_design(causes: int) -> None:
    cells, terms, _ = small_problem(causes=causes)
    fit = fit_hazards(cells.counts, terms)
    assert fit.converged
    ours = np.hstack(fit.coefficients).ravel()
    loss = dense_loss(ours, cells, terms, causes)
    found = minimize(dense_loss, np.zeros_like(ours), (cells, terms, causes), method="BFGS", options={"gtol": 1e-4})
    assert loss <= found.fun + 1e-6
    np.testing.assert_allclose(np.hstack(fit.coefficients).ravel(), found.x, atol=2e-2)
    for place in range(len(ours)):  # no way down in any direction
        for step in (-1e-3, 1e-3):
            moved = ours.copy()
            moved[place] += step
            assert dense_loss(moved, cells, terms, causes) >= loss - 1e-9


def test_is_the_multinomial_regression_of_scikit_learn_on_expanded_rows() -> None:
    """One ridge on everything but a common level, so that both state one problem."""
    cells, _, x = small_problem()
    month = np.eye(10)[:, 1:]
    weak = 1e-6
    ours = fit_hazards(
        cells.counts,
        [
            Term(np.ones((1, 1, 1)), np.zeros_like(cells.month), np.zeros((1, 1)), 0.0),
            Term(month[None], cells.month - 1, np.eye(9), weak), Term(x[None], cells.group, np.eye(2), weak),
        ],
    )  # fmt: skip
    design = np.hstack((month[cells.month - 1], x[cells.group]))
    outcome = np.repeat([0, 1, 2], len(design))
    theirs = LogisticRegression(C=1 / weak, tol=1e-10, max_iter=20_000).fit(
        np.vstack([design] * 3), outcome, sample_weight=cells.counts.T.ravel()
    )
    log_odds = ours.coefficients[0][:, 0] + (design @ np.hstack(ours.coefficients[1:]).T)
    np.testing.assert_allclose(hazards_of(log_odds), theirs.predict_proba(design)[:, 1:], atol=2e-5)


def test_one_month_and_no_covariate_give_the_shares() -> None:
    cells = person_months(np.ones(50, int), np.repeat([0, 1, 2], [30, 15, 5]), 2)
    fit = fit_hazards(cells.counts, [Term(np.eye(1)[None], cells.month - 1, second_differences(1), None)])
    np.testing.assert_allclose(hazards_of(fit.coefficients[0][:, 0]), [0.3, 0.1], atol=1e-6)


def test_the_chosen_smoothing_is_the_most_likely_one() -> None:
    """Against Laplace's marginal likelihood, written out on a grid."""
    rng = np.random.default_rng(5)
    hazards = (0.02 + 0.02 * np.sin(np.arange(36) / 5) ** 2)[:, None]
    duration, cause = simulated(rng, hazards, 4000, rng.integers(6, 37, 4000))
    cells = person_months(duration, cause, 1)
    penalty = second_differences(36)
    eigen = np.linalg.eigvalsh(penalty)

    def evidence(smoothing: float) -> float:
        term = Term(np.eye(36)[None], cells.month - 1, penalty, smoothing)
        fit = fit_hazards(cells.counts, [term])
        loss = dense_loss(fit.coefficients[0].ravel(), cells, [term], 1)
        return -loss + 0.5 * 34 * np.log(smoothing * 1.0) + 0.5 * np.linalg.slogdet(fit.covariance)[1]

    assert eigen[2] > 1e-9 > eigen[1]
    chosen = float(fit_hazards(cells.counts, [Term(np.eye(36)[None], cells.month - 1, penalty, None)]).smoothing[0, 0])
    assert evidence(chosen) >= max(evidence(s) for s in np.logspace(-1, 6, 29)) - 0.05
    smooth = fit_hazards(cells.counts, [Term(np.eye(36)[None], cells.month - 1, penalty, None)]).coefficients[0][0]
    raw = cells.counts[:, 1] / cells.counts.sum(axis=1)
    assert np.abs(hazards_of(smooth[:, None]) - hazards).mean() < 0.7 * np.abs(raw[:, None] - hazards).mean()


def test_no_event_of_a_cause_ends_finite_and_small() -> None:
    cells = person_months(np.repeat([3, 5], 50), np.repeat([0, 1], 50), 2)
    fit = fit_hazards(cells.counts, [Term(np.eye(5)[None], cells.month - 1, second_differences(5), None)])
    hazards = hazards_of(fit.coefficients[0].T)
    assert np.isfinite(fit.covariance).all()
    assert (hazards[:, 1] < 1e-3).all()


def test_running_out_of_steps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ITERATIONS", 1)
    cells, terms, _ = small_problem()
    assert not fit_hazards(cells.counts, terms).converged
