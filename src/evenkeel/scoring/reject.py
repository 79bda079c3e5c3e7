"""Reject inference: what a model of accepted applicants may say about those who were refused, and what that assumes.

Nobody saw how rejected applicants would have paid, so no method finds it from the data: each adds an assumption. Fuzzy
augmentation assumes equal risk at equal covariates; parcelling a stated factor; bounds assume the least and say how far
the truth can be from the model. Every result names its assumptions by keys of the texts (`scoring_reject.po`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.measures.calibration import wilson
from evenkeel.measures.discrimination import Estimate
from evenkeel.scoring.inputs import row_weights

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_EDGE = 1e-9  # probabilities are held this far from 0 and 1 before odds are taken


@dataclass(frozen=True, slots=True)
class Inferred:
    """A model that was fitted again on accepted and rejected applicants, and what changed.

    method, assumes: keys of texts. accepted: observed bad rate of the accepted, Wilson's interval. rejected_before,
    rejected_after: mean probability of the bad that the models give the rejected; population_*: of all applicants, with
    the accepted as observed. rejected_assumed: the bad rate at which the rejected entered training; the model after
    it lies in between, since it cannot tell a rejected applicant from an accepted one. None of them has an interval
    that would cover the assumption being wrong: see `bounds`. outside: share of the rejected whose risk is beyond every
    accepted applicant's, where nothing but the assumption speaks.
    """

    method: str
    assumes: tuple[str, ...]
    estimator: Any
    accepted: Estimate
    rejected_before: float
    rejected_assumed: float
    rejected_after: float
    population_before: float
    population_after: float
    outside: float

    def document(self) -> dict[str, object]:
        """What is recorded in a model's facts."""
        return {
            "method": self.method, "assumes": list(self.assumes),
            "accepted": [self.accepted.value, self.accepted.low, self.accepted.high],
            "rejected_before": self.rejected_before, "rejected_assumed": self.rejected_assumed,
            "rejected_after": self.rejected_after,
            "population_before": self.population_before, "population_after": self.population_after,
            "outside": self.outside,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what two values bad rates lie, if the assumption holds: Estimates whose value is what the model says.

    rejected, population: value: at equal risk; low, high: the bounds, which do not shrink with more data of the same
    kind. interval: the population's bounds widened by 95 % sampling error (NaN where no draws were made).
    assumes: keys of texts. odds_ratio: None where nothing was assumed.
    """

    assumes: tuple[str, ...]
    odds_ratio: float | None
    accepted: Estimate
    rejected: Estimate
    population: Estimate
    interval: tuple[float, float]

    def document(self) -> dict[str, object]:
        """What is recorded in a model's facts."""
        return {
            "method": "reject.bounds", "assumes": list(self.assumes), "odds_ratio": self.odds_ratio,
            **{name: [getattr(self, name).value, getattr(self, name).low, getattr(self, name).high]
               for name in ("accepted", "rejected", "population")},
            "interval": [None if np.isnan(end) else end for end in self.interval],
        }  # fmt: skip


def fuzzy(estimator: Any, accepted: Any, bad: Any, rejected: Any, sample_weight: Any = None) -> Inferred:
    """Fuzzy augmentation: each rejected applicant enters twice, as bad with its probability and as good with the rest.

    estimator: fit(X, y, sample_weight) and predict_proba, fitted on the accepted or not yet. accepted, rejected: tables
    with the same columns, of one kind. bad: (n,) bool. sample_weight: (n,) of the accepted; a rejected row weighs 1.
    The given estimator is left as it is. Raises InvalidInput where the tables do not fit or `bad` has one class.
    """
    case = _Case.read(estimator, accepted, bad, rejected, sample_weight)
    p = case.probability
    table = _stacked(accepted, rejected, rejected)
    target = np.concatenate((case.bad, np.ones(len(p), bool), np.zeros(len(p), bool)))
    again = clone(estimator).fit(table, target, sample_weight=np.concatenate((case.weight, p, 1 - p)))
    return case.inferred("reject.fuzzy", ("reject.assumes.same_risk", "reject.assumes.no_news"), again, rejected, p)


def parcelling(
    estimator: Any,
    accepted: Any,
    bad: Any,
    rejected: Any,
    *,
    prudence: float = 1.5,
    bands: int = 10,
    seed: int = 0,
    sample_weight: Any = None,
) -> Inferred:
    """Parcelling: in each band of risk the rejected get bads by lot, at the accepted's odds times `prudence`.

    prudence: how many times higher the odds of the bad of a rejected applicant are than of an accepted one in its band,
    above 0: a judgement, not an estimate. bands: of equal numbers of applicants, accepted and rejected: bands of the
    accepted alone would put most rejected into the last one, at the risk of its safer end. Other arguments as for
    `fuzzy`. The bads of a band are drawn by `seed`; equal tables and seeds give equal models.
    """
    if not (0 < prudence < np.inf and bands >= 1):
        raise InvalidUsage(f"prudence {prudence!r} with {bands!r} bands.", "Prudence is above 0; bands are 1 or more.")
    case = _Case.read(estimator, accepted, bad, rejected, sample_weight)
    everybody = np.sort(np.concatenate((case.known, case.probability)))
    edges = np.unique(everybody[np.arange(1, bands) * len(everybody) // bands])
    mine, theirs = (np.searchsorted(edges, p, side="right") for p in (case.known, case.probability))
    bads = np.bincount(mine, case.weight * case.bad, len(edges) + 1)
    rows = np.bincount(mine, case.weight, len(edges) + 1)
    foretold = np.bincount(theirs, case.probability, len(edges) + 1) / np.maximum(
        np.bincount(theirs, minlength=len(edges) + 1), 1
    )
    rate = (bads + foretold) / (rows + 1)  # one row as the model foretells it, so that no band is without any
    rate = expit(logit(np.clip(rate, _EDGE, 1 - _EDGE)) + np.log(prudence))
    drawn = np.zeros(len(case.probability), bool)
    rng = np.random.default_rng(seed)
    for band in range(len(edges) + 1):
        members = np.flatnonzero(theirs == band)
        wanted = int(np.floor(rate[band] * len(members) + rng.random()))  # right on average, whole in each band
        drawn[rng.permutation(members)[:wanted]] = True
    again = clone(estimator).fit(
        _stacked(accepted, rejected),
        np.concatenate((case.bad, drawn)),
        sample_weight=np.concatenate((case.weight, np.ones(len(drawn)))),
    )
    assumes = ("reject.assumes.prudence", "reject.assumes.by_lot")
    return case.inferred("reject.parcelling", assumes, again, rejected, drawn)


def bounds(
    estimator: Any,
    accepted: Any,
    bad: Any,
    rejected: Any,
    *,
    odds_ratio: float | None = None,
    draws: int = 100,
    seed: int = 0,
    sample_weight: Any = None,
) -> Bounds:
    """How far bad rates can be from what the model says, under the least that can be assumed.

    odds_ratio None: nothing is assumed, so all or none of the rejected may be bad (Manski 1989). Else: at equal
    covariates a rejected applicant's odds of the bad are at most `odds_ratio` (1 or more) times those of an accepted
    one, and at least 1 / odds_ratio times. draws: bootstrap samples of all applicants, for the interval, which refit
    the estimator where an odds ratio is given. Other arguments as for `fuzzy`.
    """
    if odds_ratio is not None and not 1 <= odds_ratio < np.inf:
        raise InvalidUsage(f"an odds ratio of {odds_ratio!r} bounds nothing.", "It is 1 or more.")
    case = _Case.read(estimator, accepted, bad, rejected, sample_weight)
    rejected_rate, population = _bounded(case, odds_ratio)
    lows, highs = [], []
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        sample = _resampled(case, estimator, accepted, rejected, odds_ratio, rng)
        drawn = _bounded(sample, odds_ratio)[1]
        lows.append(drawn.low)
        highs.append(drawn.high)
    interval = (
        (min(float(np.quantile(lows, 0.025)), population.low), max(float(np.quantile(highs, 0.975)), population.high))
        if draws
        else (float("nan"), float("nan"))
    )
    assumed = ("reject.assumes.nothing",) if odds_ratio is None else ("reject.assumes.odds_ratio",)
    return Bounds(assumed, odds_ratio, case.accepted_rate(), rejected_rate, population, interval)


@dataclass(frozen=True, slots=True)
class _Case:
    """What every method starts from: the accepted's outcomes, and the model's probabilities of both groups."""

    bad: BoolArray
    weight: FloatArray
    known: FloatArray
    probability: FloatArray

    @classmethod
    def read(cls, estimator: Any, accepted: Any, bad: Any, rejected: Any, sample_weight: Any) -> _Case:
        """Check the input, and fit where the estimator is not fitted yet."""
        flags = _flags(bad)
        if _rows(accepted) != len(flags):
            raise InvalidInput(f"{_rows(accepted)} accepted applicants have {len(flags)} outcomes.")
        if _rows(rejected) == 0:
            raise InvalidInput("there is no rejected applicant.", "Without any the model needs no inference.")
        weight = row_weights(sample_weight, len(flags))
        if flags.all() or not flags.any():
            raise InvalidInput("the accepted are all good or all bad.", "A model needs both.")
        model = estimator
        try:
            check_is_fitted(model)
        except NotFittedError:
            model = clone(estimator).fit(accepted, flags, sample_weight=weight)
        return cls(flags, weight, _bad_probability(model, accepted), _bad_probability(model, rejected))

    def accepted_rate(self) -> Estimate:
        """The observed bad rate; weighted rows count as as many as are equally informative (Kish 1965)."""
        rate = float(np.average(self.bad, weights=self.weight))
        effective = self.weight.sum() ** 2 / (self.weight**2).sum()
        low, high = wilson(np.array([rate * effective]), np.array([effective]))
        return Estimate(rate, float(low[0]), float(high[0]))

    def mixed(self, rejected_rate: float) -> float:
        """The bad rate of all applicants, were that of the rejected so."""
        rate = float(np.average(self.bad, weights=self.weight))
        mine, theirs = float(self.weight.sum()), len(self.probability)
        return (mine * rate + theirs * rejected_rate) / (mine + theirs)

    def inferred(
        self, method: str, assumes: tuple[str, ...], again: Any, rejected: Any, assumed: FloatArray | BoolArray
    ) -> Inferred:
        """The result of a method that fitted `again` with the rejected bad as `assumed`."""
        before, after = float(self.probability.mean()), float(_bad_probability(again, rejected).mean())
        beyond = (self.probability < self.known.min()) | (self.probability > self.known.max())
        return Inferred(
            method, assumes, again, self.accepted_rate(), before, float(assumed.mean()), after,
            self.mixed(before), self.mixed(after), float(beyond.mean()),
        )  # fmt: skip


def _bounded(case: _Case, odds_ratio: float | None) -> tuple[Estimate, Estimate]:
    """Bounds of the bad rate of the rejected and of all applicants."""
    middle = float(case.probability.mean())
    low, high = 0.0, 1.0
    if odds_ratio is not None:
        odds = logit(np.clip(case.probability, _EDGE, 1 - _EDGE))
        low, high = (float(expit(odds + shift).mean()) for shift in (-np.log(odds_ratio), np.log(odds_ratio)))
    return Estimate(middle, low, high), Estimate(case.mixed(middle), case.mixed(low), case.mixed(high))


def _resampled(
    case: _Case, estimator: Any, accepted: Any, rejected: Any, odds_ratio: float | None, rng: np.random.Generator
) -> _Case:
    """A bootstrap sample of all applicants, so that the share of accepted varies too; one without goods, bads or
    rejected is drawn again."""
    rows, others = len(case.bad), len(case.probability)
    while True:
        taken = rng.binomial(rows + others, rows / (rows + others))
        mine = np.sort(rng.integers(0, rows, taken))
        outcomes = case.bad[mine[case.weight[mine] > 0]]
        if outcomes.any() and not outcomes.all() and taken < rows + others:
            break
    theirs = np.sort(rng.integers(0, others, rows + others - taken))
    bad, weight = case.bad[mine], case.weight[mine]
    if odds_ratio is None:
        return _Case(bad, weight, case.known[mine], case.probability[theirs])
    model = clone(estimator).fit(_taken(accepted, mine), bad, sample_weight=weight)
    return _Case(bad, weight, case.known[mine], _bad_probability(model, _taken(rejected, theirs)))


def _bad_probability(model: Any, table: Any) -> FloatArray:
    probability: FloatArray = np.asarray(model.predict_proba(table)[:, 1], np.float64)
    return probability


def _flags(bad: Any) -> BoolArray:
    """(n,) bool. Raises InvalidInput where an outcome is not known or neither 0 nor 1."""
    values = np.asarray(bad.to_pylist() if isinstance(bad, pa.Array | pa.ChunkedArray) else bad)
    if values.ndim != 1 or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise InvalidInput(
            "an outcome of an accepted applicant is neither true nor false.", "Leave out those that are not known yet."
        )
    return values.astype(bool)


def _rows(table: Any) -> int:
    return int(table.num_rows) if hasattr(table, "num_rows") else int(np.shape(table)[0])


def _taken(table: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some rows of a table of any kind."""
    if isinstance(table, pa.Table):
        return table.take(pa.array(rows))
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def _stacked(*tables: Any) -> Any:
    """Tables of one kind (Arrow, a data frame library's, arrays), one under the other."""
    kinds = {type(table) for table in tables}
    if len(kinds) != 1:
        raise InvalidInput(f"accepted and rejected are of different kinds: {sorted(k.__name__ for k in kinds)}.")
    names = [list(table.column_names if isinstance(table, pa.Table) else table.columns) if hasattr(table, "columns")
             else [*range(np.shape(table)[1])] for table in tables]  # fmt: skip
    if any(sorted(map(str, other)) != sorted(map(str, names[0])) for other in names):
        raise InvalidInput(
            "accepted and rejected have different columns.", "Give both the columns known at application."
        )
    first = tables[0]
    join: Callable[[list[Any]], Any] = np.vstack
    if isinstance(first, pa.Table):
        tables, join = tuple(table.select(names[0]) for table in tables), pa.concat_tables
    elif hasattr(first, "columns"):  # pandas.concat and polars.concat
        tables = tuple(table[names[0]] for table in tables)
        join = import_module(type(first).__module__.partition(".")[0]).concat
    return join(list(tables))
