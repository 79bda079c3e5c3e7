"""Reject inference: neutral where only the data decided, inside the bounds where something else did too."""

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import texts
from evenkeel.measures.fractional import fit_fractional
from evenkeel.scoring.hazard import HazardModel
from evenkeel.scoring.reject import Bounds, bounds, fuzzy, parcelling


class Applicants:
    """Accepted and rejected applicants of one draw, and the truth about the rejected."""

    def __init__(self, seed: int, hidden: float, rows: int = 6000) -> None:
        """hidden: how much the underwriter, and the outcome, know that the data do not hold."""
        rng = np.random.default_rng(seed)
        x, u = rng.normal(size=(rows, 2)), rng.normal(size=rows)
        bad = rng.random(rows) < expit(-1.5 + x[:, 0] - 0.5 * x[:, 1] + hidden * u)
        taken = rng.random(rows) < expit(0.5 - x[:, 0] - 2 * hidden * u)
        self.accepted, self.bad, self.rejected = x[taken], bad[taken], x[~taken]
        self.truth, self.all = bad[~taken].mean(), bad.mean()


def model() -> LogisticRegression:
    return LogisticRegression(C=1e3)


def test_where_the_data_alone_decided_fuzzy_changes_next_to_nothing_and_is_right() -> None:
    errors = []
    for seed in range(8):
        case = Applicants(seed, 0.0)
        found = fuzzy(model(), case.accepted, case.bad, case.rejected)
        assert found.rejected_after == pytest.approx(found.rejected_before, abs=0.002)
        np.testing.assert_allclose(
            found.estimator.decision_function(case.rejected),
            model().fit(case.accepted, case.bad).decision_function(case.rejected),
            atol=0.02,
        )
        errors.append(found.population_after - case.all)
    assert abs(np.mean(errors)) < 0.01


def test_where_the_underwriter_knew_more_fuzzy_is_too_low_and_the_truth_is_inside_the_bounds() -> None:
    for seed in range(6):
        case = Applicants(seed, 1.0)
        found = fuzzy(model(), case.accepted, case.bad, case.rejected)
        assert found.rejected_after < case.truth - 0.05
        for ratio in (None, 8.0):
            limits = bounds(model(), case.accepted, case.bad, case.rejected, odds_ratio=ratio, draws=0)
            assert limits.rejected.low <= case.truth <= limits.rejected.high
            assert limits.population.low <= case.all <= limits.population.high


def test_parcelling_gives_the_rejected_the_stated_odds() -> None:
    case = Applicants(1, 0.0)
    odds = logit(model().fit(case.accepted, case.bad).predict_proba(case.rejected)[:, 1])
    after = []
    for prudence in (0.5, 1.0, 1.5, 3.0):
        found = parcelling(model(), case.accepted, case.bad, case.rejected, prudence=prudence)
        assert found.rejected_before == pytest.approx(expit(odds).mean())
        assert found.rejected_assumed == pytest.approx(expit(odds + np.log(prudence)).mean(), abs=0.02)
        assert (
            abs(found.rejected_after - found.rejected_before)
            <= abs(found.rejected_assumed - found.rejected_before) + 0.01
        )
        after.append(found.rejected_after)
    assert (np.diff(after) > 0.01).all()


def test_lots_are_drawn_by_the_seed() -> None:
    case = Applicants(2, 0.0, 1500)
    first, again, other = (
        parcelling(model(), case.accepted, case.bad, case.rejected, seed=seed).estimator.coef_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_bounds_without_assumptions_are_as_wide_as_the_share_of_rejected() -> None:
    case = Applicants(3, 0.5)
    found = bounds(model(), case.accepted, case.bad, case.rejected, draws=0)
    share = len(case.rejected) / (len(case.rejected) + len(case.bad))
    assert (found.rejected.low, found.rejected.high) == (0.0, 1.0)
    assert found.population.low == pytest.approx((1 - share) * case.bad.mean())
    assert found.population.high - found.population.low == pytest.approx(share)
    assert np.isnan(found.interval).all()


def test_bounds_under_an_odds_ratio_are_those_of_every_applicant_shifted() -> None:
    """Against a search: no risks of the rejected within the ratio give a mean beyond the bounds."""
    case = Applicants(4, 0.5, 1500)
    fit = model().fit(case.accepted, case.bad)
    odds = fit.decision_function(case.rejected)
    found = bounds(fit, case.accepted, case.bad, case.rejected, odds_ratio=3.0, draws=0)
    rng = np.random.default_rng(0)
    tried = [expit(odds + rng.uniform(-1, 1, len(odds)) * np.log(3)).mean() for _ in range(200)]
    assert found.rejected.low <= min(tried) and max(tried) <= found.rejected.high
    assert found.rejected.low == pytest.approx(expit(odds - np.log(3)).mean())
    assert found.rejected.high == pytest.approx(expit(odds + np.log(3)).mean())
    one = bounds(fit, case.accepted, case.bad, case.rejected, odds_ratio=1.0, draws=0)
    assert one.rejected.low == pytest.approx(one.rejected.value) == pytest.approx(one.rejected.high)


class Quick(BaseEstimator):
    """A logistic regression that takes a millisecond."""

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> "Quick":  # noqa: N803
        self.model_ = fit_fractional(X, y.astype(float), sample_weight)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        return np.column_stack((1 - self.model_.mean(X), self.model_.mean(X)))


def interval_coverage(ratio: float | None, samples: int, draws: int) -> float:
    """Share of samples whose interval reaches the ends that the bounds have in the population, over both ends."""
    large = Applicants(99, 0.0, 200_000)
    truth = bounds(Quick(), large.accepted, large.bad, large.rejected, odds_ratio=ratio, draws=0).population
    inside = []
    for seed in range(samples):
        case = Applicants(seed, 0.0, 1200)
        found = bounds(Quick(), case.accepted, case.bad, case.rejected, odds_ratio=ratio, draws=draws, seed=seed)
        assert found.interval[0] <= found.population.low and found.population.high <= found.interval[1]
        inside.append([found.interval[0] <= truth.low, truth.high <= found.interval[1]])
    return float(np.mean(inside))


def test_the_interval_knows_that_the_share_of_accepted_is_a_sample_too() -> None:
    """Without assumptions the lower bound is the share of all applicants that is accepted and bad: a binomial."""
    case = Applicants(11, 0.0, 3000)
    found = bounds(Quick(), case.accepted, case.bad, case.rejected, draws=2000)
    low, high = found.population.low, found.population.high
    assert low - found.interval[0] == pytest.approx(1.96 * np.sqrt(low * (1 - low) / 3000), rel=0.08)
    assert found.interval[1] - high == pytest.approx(1.96 * np.sqrt(high * (1 - high) / 3000), rel=0.08)


@pytest.mark.parametrize("ratio", [None, 2.0])
def test_the_interval_covers_the_sampling_error_of_the_bounds(ratio: float | None) -> None:
    assert interval_coverage(ratio, 40, 60) > 0.92  # each end is to be covered by 97.5 %


@pytest.mark.prove
@pytest.mark.parametrize("ratio", [None, 2.0])
def test_the_interval_covers_over_many_samples(ratio: float | None) -> None:
    assert 0.955 < interval_coverage(ratio, 500, 100) < 0.99


def test_a_model_that_is_fitted_is_used_as_it_is_and_left_alone() -> None:
    case = Applicants(5, 0.0, 1500)
    given = LogisticRegression().fit(case.accepted[:300], case.bad[:300])
    kept = given.coef_.copy()
    found = fuzzy(given, case.accepted, case.bad, case.rejected)
    assert found.rejected_before == pytest.approx(given.predict_proba(case.rejected)[:, 1].mean())
    np.testing.assert_array_equal(given.coef_, kept)
    assert found.estimator is not given


def test_weights_count_as_repeated_rows() -> None:
    case = Applicants(6, 0.0, 1500)
    weight = np.random.default_rng(0).integers(1, 3, len(case.bad))
    ours = fuzzy(model(), case.accepted, case.bad, case.rejected, sample_weight=weight)
    twice = np.repeat(np.arange(len(weight)), weight)
    theirs = fuzzy(model(), case.accepted[twice], case.bad[twice], case.rejected)
    assert ours.population_after == pytest.approx(theirs.population_after, abs=1e-5)
    assert ours.accepted.value == pytest.approx(theirs.accepted.value)


def test_what_lies_beyond_every_accepted_applicant_is_said() -> None:
    case = Applicants(7, 0.0, 2000)
    far = np.vstack((case.rejected[:50] * 0, np.tile([9.0, -9.0], (50, 1))))
    assert fuzzy(model(), case.accepted, case.bad, far).outside == 0.5


def test_our_own_estimators_and_arrow_tables_are_taken() -> None:
    case = Applicants(8, 0.0, 3000)
    names = ["income", "age"]
    accepted, rejected = (pa.table(dict(zip(names, x.T, strict=True))) for x in (case.accepted, case.rejected))
    turned = rejected.select(["age", "income"])
    found = fuzzy(HazardModel(), accepted, case.bad, turned)
    assert found.rejected_after == pytest.approx(case.truth, abs=0.06)
    assert parcelling(HazardModel(), accepted, case.bad, rejected).rejected_after > found.rejected_after
    limits = bounds(HazardModel(), accepted, pa.array(case.bad), rejected, odds_ratio=2.0, draws=3)
    assert limits.interval[0] < limits.interval[1]


def test_every_assumption_has_a_text_in_both_languages() -> None:
    case = Applicants(9, 0.0, 800)
    given = (model(), case.accepted, case.bad, case.rejected)
    results = (fuzzy(*given), parcelling(*given), bounds(*given, draws=2), bounds(*given, draws=0, odds_ratio=2.0))
    for found in results:
        document = json.loads(json.dumps(found.document(), allow_nan=False))
        for language in ("en", "zh"):
            say = texts(language)
            assert len(found.assumes) >= 1
            assert all(len(say(key)) > 10 for key in (document["method"], *document["assumes"]))
            assert "12 %" in say("reject.outside", share="12 %")
    assert isinstance(results[2], Bounds)


def test_what_cannot_be_inferred_from_is_named() -> None:
    case = Applicants(10, 0.0, 800)
    x, bad, out = case.accepted, case.bad, case.rejected
    for message, given in {
        "outcomes": (x[1:], bad, out), "neither true nor false": (x, bad + 1, out), "no rejected": (x, bad, out[:0]),
        "all good or all bad": (x, bad | True, out), "different columns": (x, bad, out[:, :1]),
        "different kinds": (x, bad, pa.table({"a": out[:, 0], "b": out[:, 1]})),
    }.items():  # fmt: skip
        fitted: BaseEstimator = Anything()
        with pytest.raises(InvalidInput, match=message):
            fuzzy(fitted, *given)
    with pytest.raises(InvalidInput, match="neither"):
        fuzzy(model(), x, np.where(bad, 1.0, np.nan), out)
    for call in (
        lambda: parcelling(model(), x, bad, out, prudence=0), lambda: parcelling(model(), x, bad, out, bands=0),
        lambda: bounds(model(), x, bad, out, odds_ratio=0.5),
        lambda: bounds(model(), x, bad, out, odds_ratio=float("nan")),
    ):  # fmt: skip
        with pytest.raises(InvalidUsage):
            call()


class Anything(BaseEstimator):
    """Predicts for tables of any kind."""

    def fit(self, X: object, y: object, sample_weight: object = None) -> "Anything":  # noqa: N803
        self.fitted_ = True
        return self

    def predict_proba(self, X: object) -> np.ndarray:  # noqa: N803
        return np.full((X.num_rows if isinstance(X, pa.Table) else len(X), 2), 0.5)
