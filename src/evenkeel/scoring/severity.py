"""How much is lost and how much is owed at default: shares between 0 and 1, modelled as shares.

`LossGivenDefault` has a stage for "nothing lost", one for "all lost" where such heaps exist, and a fractional
regression in between; `ExposureAtDefault` models the part of the unused limit that is drawn before default. Both are
scikit-learn regressors whose fitted state is plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d
from threadpoolctl import threadpool_limits

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.fractional import Fractional, fit_fractional
from evenkeel.scoring.frame import is_text, numbers
from evenkeel.scoring.inputs import TablesIn, note_names, row_weights, table_of
from evenkeel.scoring.regressors import columns_document, columns_from, learn_column, regressors

FloatArray = npt.NDArray[np.float64]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_MOST_OUTSIDE = 0.2


def _target(y: Any, rows: int) -> FloatArray:
    if y is None:
        raise InvalidInput("requires y to be passed, but the target y is None.")
    values = np.asarray(column_or_1d(y, warn=True), np.float64)
    if values.shape != (rows,):
        raise InvalidInput(f"the target has the shape {values.shape}; {rows} rows want {rows} values.")
    if not np.isfinite(values).all():
        raise InvalidInput("the target holds NaN or infinity.", "Leave out the rows whose outcome is not known.")
    return values


def _stage_document(stage: Fractional | None) -> dict[str, object] | None:
    if stage is None:
        return None
    return {
        "intercept": stage.intercept, "coefficients": stage.coefficients.tolist(),
        "covariance": stage.covariance.tolist(), "converged": stage.converged,
    }  # fmt: skip


def _stage_from(document: Any, size: int) -> Fractional | None:
    if document is None:
        return None
    coefficients, covariance = (np.array(document[name], np.float64) for name in ("coefficients", "covariance"))
    if coefficients.shape != (size,) or covariance.shape != (size + 1, size + 1):
        raise InvalidInput(f"a stage has {len(coefficients)} coefficients for {size} regressors.")
    if not (np.isfinite(coefficients).all() and np.isfinite(covariance).all()):
        raise InvalidInput("a stage has coefficients that are not finite.")
    return Fractional(float(document["intercept"]), coefficients, covariance, bool(document["converged"]))


def _checked_kind(document: Mapping[str, Any], kind: str) -> None:
    if document.get("kind") != kind:
        raise InvalidInput(f"this document is of the kind {document.get('kind')!r}, not {kind!r}.")


# --- loss given default ----------------------------------------------------------------------------------------------


class LossGivenDefault(TablesIn, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Mean share of the exposure that is lost, from a two-stage fractional response.

    E[loss] = (1 - P(0)) (P(1 | not 0) + (1 - P(1 | not 0)) E[loss | in between]), each part a logit in the same
    regressors. A heap at 0 or 1 has a stage of its own where it holds at least `mass` of the rows and something is left
    beside it; without heaps this is one fractional regression (Papke & Wooldridge 1996).

    stages: 2, or 1 for one regression whatever the heaps. mass: least share of rows that makes a heap. near: a loss
    this close to 0 or 1 counts as 0 or 1, since files often hold 0.00001 for nothing. ridge: on standardised
    coefficients.
    Losses outside 0..1 (costs, gains) are clipped and counted in `clipped_share_`; more than a fifth of them refuse:
    percent are not shares. Numbers may bend at their quartiles and are held beyond the outer half percent; "not known"
    has an effect of its own; texts are levels.

    scikit-learn's `check_estimator` passes on targets that are squeezed into 0..1 first.
    """

    def __init__(self, stages: int = 2, mass: float = 0.01, near: float = 1e-4, ridge: float = 1.0) -> None:
        self.stages = stages
        self.mass = mass
        self.near = near
        self.ridge = ridge

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn from defaulted cases. X: any table. y: (n,) share lost. Raises InvalidInput on unusable ones."""
        if self.stages not in (1, 2):
            raise InvalidInput(f"stages is 1 or 2, not {self.stages!r}.")
        table = table_of(self, X, fitting=True)
        loss, weight = _target(y, table.num_rows), row_weights(sample_weight, table.num_rows)
        outside = float(((loss < -self.near) | (loss > 1 + self.near)).mean())
        if outside > _MOST_OUTSIDE:
            raise InvalidInput(
                f"{outside:.0%} of the losses are not between 0 and 1.", "Give shares of the exposure, not percent."
            )
        kept = weight > 0
        table, loss, weight = table.filter(pa.array(kept)), loss[kept], weight[kept]
        self.clipped_share_ = outside
        self.columns_ = tuple(learn_column(name, table[name], weight) for name in table.column_names)
        x = regressors(self.columns_, table)
        with threadpool_limits(1):
            self._fit_stages(x, np.clip(loss, 0.0, 1.0), weight)
        self.rows_ = len(loss)
        return self

    def _fit_stages(self, x: FloatArray, loss: FloatArray, weight: FloatArray) -> None:
        none, whole = loss <= self.near, loss >= 1 - self.near
        heap = {"none": none, "whole": whole}
        apart = {
            name: self.stages == 2 and self.mass <= float(np.average(rows, weights=weight)) < 1
            for name, rows in heap.items()
        }
        rest = np.ones(len(loss), bool)
        self.none_ = self.whole_ = None
        if apart["none"]:
            self.none_ = fit_fractional(x, none.astype(np.float64), weight, self.ridge)
            rest &= ~none
        if apart["whole"] and (whole[rest] != whole[rest][0]).any():
            self.whole_ = fit_fractional(x[rest], whole[rest].astype(np.float64), weight[rest], self.ridge)
            rest &= ~whole
        self.between_ = fit_fractional(x[rest], loss[rest], weight[rest], self.ridge)

    def predict(self, X: Any) -> FloatArray:  # noqa: N803
        """Mean share lost of cases like each row. Returns (n,), between 0 and 1."""
        return self._mean(self._regressors(X))[0]

    def predict_interval(self, X: Any) -> tuple[FloatArray, FloatArray]:  # noqa: N803
        """95 % interval of that mean (not of a single loss): delta method on its logit, robust errors.

        The stages are uncorrelated where their means are right: each learns from rows that the one before let through.
        """
        x = self._regressors(X)
        mean, slopes = self._mean(x)
        parts = ((self.none_, slopes[0]), (self.whole_, slopes[1]), (self.between_, slopes[2]))
        variance = sum(slope**2 * stage.variance(x) for stage, slope in parts if stage is not None)
        inner = np.clip(mean, 1e-12, 1 - 1e-12)
        centre, half = logit(inner), _Z * np.sqrt(variance) / (inner * (1 - inner))
        return expit(centre - half), expit(centre + half)

    def _regressors(self, data: Any) -> FloatArray:
        check_is_fitted(self, "columns_")
        return regressors(self.columns_, table_of(self, data, fitting=False))

    def _mean(self, x: FloatArray) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
        """The mean, and its slope in the log odds of each stage."""
        zero = np.zeros(len(x))
        none = zero if self.none_ is None else self.none_.mean(x)
        whole = zero if self.whole_ is None else self.whole_.mean(x)
        between = self.between_.mean(x)
        given = whole + (1 - whole) * between
        slopes = (
            -none * (1 - none) * given,
            (1 - none) * whole * (1 - whole) * (1 - between),
            (1 - none) * (1 - whole) * between * (1 - between),
        )
        return (1 - none) * given, slopes

    def document(self) -> dict[str, object]:
        """The fitted model as plain data."""
        check_is_fitted(self, "columns_")
        return {
            "kind": "loss_given_default", "parameters": self.get_params(), "rows": self.rows_,
            "clipped_share": self.clipped_share_, "columns": columns_document(self.columns_),
            "regressors": [name for column in self.columns_ for name in column.names],
            "none": _stage_document(self.none_), "whole": _stage_document(self.whole_),
            "between": _stage_document(self.between_),
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The fitted model that a document holds. Raises InvalidInput where it holds none."""
        try:
            _checked_kind(document, "loss_given_default")
            model = cls(**document["parameters"])
            model.columns_ = columns_from(document["columns"])
            size = sum(len(column.names) for column in model.columns_)
            none, whole, between = (_stage_from(document[name], size) for name in ("none", "whole", "between"))
            if between is None:
                raise InvalidInput("the stage `between` is not there.")
            model.none_, model.whole_, model.between_ = none, whole, between
            model.clipped_share_, model.rows_ = float(document["clipped_share"]), int(document["rows"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _not_a_model(error) from error
        note_names(model, [column.name for column in model.columns_])
        return model


def _not_a_model(error: Exception) -> InvalidInput:
    if isinstance(error, InvalidInput):
        return error
    return InvalidInput(
        f"this is not a model of evenkeel: {type(error).__name__}: {error}.", "Was the file changed by hand?"
    )


# --- exposure at default ---------------------------------------------------------------------------------------------

_FACTORS = ("credit_conversion", "limit_factor")
_USED = "balance / limit"


class ExposureAtDefault(TablesIn, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Amount owed at default of a line, from its balance and limit some time before.

    factor "credit_conversion": EAD = balance + c (limit - balance), c the part of the unused limit that is drawn; where
    nothing is unused EAD is the balance. factor "limit_factor": EAD = c limit. c is a fractional response scaled to
    0..`top_`, the larger of 1 and the 99th percentile of what was seen, because interest and fees lift balances over
    the limit. Rows weigh by the money that c multiplies, so that predicted amounts add up to the observed ones (those
    beyond 0..top_ clipped, their share in `clipped_share_`).

    balance, limit: the columns' names; both and their ratio are regressors too. Amounts are in any one unit.
    scikit-learn's `check_estimator` cannot apply: its tables have no limits and balances. Its checks of parameters,
    cloning and unfitted use are made in the tests.
    """

    def __init__(
        self, balance: str = "balance", limit: str = "limit", factor: str = "credit_conversion", ridge: float = 1.0
    ) -> None:
        self.balance = balance
        self.limit = limit
        self.factor = factor
        self.ridge = ridge

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn from defaulted lines. X: a table before default. y: (n,) amount owed at default.

        Raises InvalidInput where no row has a known balance and limit that leave something to model.
        """
        if self.factor not in _FACTORS:
            raise InvalidInput(f"factor is {self.factor!r}.", f"Choose from {', '.join(_FACTORS)}.")
        table = table_of(self, X, fitting=True)
        owed, weight = _target(y, table.num_rows), row_weights(sample_weight, table.num_rows)
        start, room = self._start_and_room(table)
        usable = (room > 0) & (weight > 0)
        if not usable.any():
            raise InvalidInput("no row has a known balance and limit with something left to draw.")
        table = self._with_ratio(table).filter(pa.array(usable))
        weight, room = weight[usable], room[usable]
        drawn = (owed[usable] - start[usable]) / room
        self.top_ = max(1.0, float(np.quantile(drawn, 0.99)))
        self.clipped_share_ = float(((drawn < 0) | (drawn > self.top_)).mean())
        self.columns_ = tuple(learn_column(name, table[name], weight) for name in table.column_names)
        with threadpool_limits(1):
            money = weight * room / np.average(room, weights=weight)
            self.share_ = fit_fractional(
                regressors(self.columns_, table), np.clip(drawn / self.top_, 0.0, 1.0), money, self.ridge
            )
        self.rows_ = len(drawn)
        return self

    def predict(self, X: Any) -> FloatArray:  # noqa: N803
        """Mean amount owed at default. Returns (n,), NaN where the balance or the limit is not known."""
        return self._amount(X, lambda x: (self.share_.mean(x),))[0]

    def predict_interval(self, X: Any) -> tuple[FloatArray, FloatArray]:  # noqa: N803
        """95 % interval of that mean, by the delta method on the logit of c with robust errors."""
        low, high = self._amount(X, self._interval)
        return low, high

    def _interval(self, x: FloatArray) -> tuple[FloatArray, ...]:
        return self.share_.interval(x)

    def _amount(self, data: Any, share: Any) -> list[FloatArray]:
        check_is_fitted(self, "columns_")
        table = table_of(self, data, fitting=False)
        start, room = self._start_and_room(table)
        x = regressors(self.columns_, self._with_ratio(table))
        return [start + self.top_ * part * room for part in share(x)]

    def _start_and_room(self, table: pa.Table) -> tuple[FloatArray, FloatArray]:
        """What is owed anyway, and the money that c multiplies: each (n,), NaN where not known."""
        for name in (self.balance, self.limit):
            if name not in table.column_names:
                raise InvalidInput(f"column `{name}` is not there.", "Name the columns by `balance` and `limit`.")
            if is_text(table[name]):
                raise InvalidInput(f"column `{name}` holds texts; amounts are numbers.")
        balance, limit = numbers(table[self.balance]), numbers(table[self.limit])
        unknown = np.isnan(balance) | np.isnan(limit)
        room = limit if self.factor == "limit_factor" else limit - balance
        start = np.zeros(len(balance)) if self.factor == "limit_factor" else balance
        return np.where(unknown, np.nan, start), np.where(unknown, np.nan, np.maximum(room, 0.0))

    def _with_ratio(self, table: pa.Table) -> pa.Table:
        balance, limit = numbers(table[self.balance]), numbers(table[self.limit])
        ratio = balance / np.where(limit > 0, limit, np.nan)
        return table.append_column(_USED, pa.array(ratio, pa.float64(), from_pandas=True))

    def document(self) -> dict[str, object]:
        """The fitted model as plain data."""
        check_is_fitted(self, "columns_")
        return {
            "kind": "exposure_at_default", "parameters": self.get_params(), "rows": self.rows_, "top": self.top_,
            "clipped_share": self.clipped_share_, "columns": columns_document(self.columns_),
            "regressors": [name for column in self.columns_ for name in column.names],
            "share": _stage_document(self.share_),
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The fitted model that a document holds. Raises InvalidInput where it holds none."""
        try:
            _checked_kind(document, "exposure_at_default")
            model = cls(**document["parameters"])
            model.columns_ = columns_from(document["columns"])
            share = _stage_from(document["share"], sum(len(column.names) for column in model.columns_))
            if share is None:
                raise InvalidInput("the stage `share` is not there.")
            model.share_, model.top_ = share, float(document["top"])
            model.clipped_share_, model.rows_ = float(document["clipped_share"]), int(document["rows"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _not_a_model(error) from error
        note_names(model, [column.name for column in model.columns_ if column.name != _USED])
        return model
