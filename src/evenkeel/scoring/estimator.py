"""Scorecards in scikit-learn's manner: fit, predict_proba, decision_function; tables of any kind in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.additive import AdditiveSettings, fit_additive
from evenkeel.scoring.cutting import Candidate, candidates_of
from evenkeel.scoring.frame import frame
from evenkeel.scoring.inputs import TablesIn, is_table, row_weights
from evenkeel.scoring.scorecard import STANDARD, Scaling, Scorecard
from evenkeel.scoring.woe import WoeSettings, fit_woe

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Of the usual names of the outcome, those of the bad: two texts that sort the bad first would turn a model round.
BAD_WORDS = frozenset({"bad", "default", "defaulted", "1", "true", "yes", "y", "坏", "逾期", "违约", "坏客户"})


class _Scorer(TablesIn, ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """What every scorecard estimator shares. The bad is the second of the sorted labels, as scikit-learn has it.

    Give y as booleans or 0 and 1, or as two texts of which the bad sorts second; texts that are known to sort the other
    way (`bad`, `good`) are refused, with what to write instead, since the model would be turned round.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Fit on a table X (n rows; numbers, texts, dates) and outcomes y (n,) of two labels; weights of rows or None.

        Raises InvalidInput (a ValueError) where there are not two labels, or a column cannot be read.
        """
        columns, target = self._training(X, y)
        unit = row_weights(sample_weight, len(target))
        used = unit > 0
        bad = self._bad(target[used])
        columns = columns if used.all() else columns.filter(pa.array(used))
        offered = candidates_of(columns, self.monotone, self.specials, self.concepts)
        self.scorecard_ = self._fitted(columns, bad, offered, unit[used])
        self.n_features_in_ = columns.num_columns
        return self

    @abstractmethod
    def _fitted(
        self, columns: pa.Table, bad: BoolArray, offered: Sequence[Candidate], unit: FloatArray
    ) -> Scorecard:  # fmt: skip
        """The scorecard of rows whose outcome is known."""

    def _training(self, X: Any, y: Any) -> tuple[pa.Table, npt.NDArray[Any]]:  # noqa: N803
        if is_table(X):
            columns = frame(X)
            self.feature_names_in_ = np.array(columns.column_names, dtype=object)
            target = _outcomes(y)
            if len(target) != columns.num_rows:
                raise InvalidInput(
                    f"X has {columns.num_rows} rows, y {len(target)} outcomes.", "Give one for each row."
                )
        else:
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            values, target = validate_data(self, _rows(X), y, dtype=None, ensure_all_finite=False, ensure_min_samples=2)
            columns = frame(values)
        check_classification_targets(target)
        return columns, target

    def _bad(self, target: npt.NDArray[Any]) -> BoolArray:
        self.classes_ = np.unique(target)
        if len(self.classes_) != 2:
            raise InvalidInput(
                f"the outcome has {len(self.classes_)} class{'' if len(self.classes_) == 1 else 'es'}, two are needed: "
                "Only binary classification is supported.",
                "A model of the bad needs goods and bads. Is the target column right, and is it the same in all rows?",
            )
        if all(isinstance(label, str) for label in self.classes_):
            first, second = map(str, self.classes_)
            if first.strip().lower() in BAD_WORDS and second.strip().lower() not in BAD_WORDS:
                raise InvalidInput(
                    f"of the labels {first!r} and {second!r} the bad sorts first; the model would be turned round.",
                    f"Give y as booleans: y == {first!r}.",
                )
        bad: BoolArray = target == self.classes_[1]
        return bad

    def _frame(self, X: Any) -> pa.Table:  # noqa: N803
        check_is_fitted(self, "scorecard_")
        if is_table(X):
            return frame(X)
        values = validate_data(self, _rows(X), dtype=None, ensure_all_finite=False, ensure_min_samples=0, reset=False)
        return frame(values)

    def decision_function(self, X: Any) -> FloatArray:  # noqa: N803
        """ln odds of the bad, (n,)."""
        columns = self._frame(X)
        return self.scorecard_.log_odds(columns)

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """Probabilities (n, 2): of the good, of the bad."""
        bad = sigmoid(self.decision_function(X))
        return np.column_stack((1 - bad, bad))

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The likelier label, (n,)."""
        likelier = self.decision_function(X) > 0
        labels: npt.NDArray[Any] = self.classes_[likelier.astype(int)]
        return labels

    def score_points(self, X: Any) -> FloatArray:  # noqa: N803
        """The score in points, (n,): higher is safer."""
        columns = self._frame(X)
        return self.scorecard_.score(columns)


class WoeScorecard(_Scorer):
    """The classical scorecard: optimal bins, weight of evidence, logistic regression, points (Siddiqi 2006).

    max_bins, min_share: of a numeric feature. monotone: {column: 1 where risk rises with it, -1 where it falls}.
    specials: {column: [values that are codes]}. concepts: {column: concept} for reasons. signed: every coefficient held
    to what its bins say. ridge: penalty on the coefficients.
    Attributes: scorecard_ (scoring.scorecard.Scorecard), classes_, n_features_in_, feature_names_in_ (named columns).
    """

    def __init__(
        self, *, max_bins: int = 7, min_share: float = 0.01, monotone: Mapping[str, int] | None = None,
        specials: Mapping[str, Sequence[float]] | None = None, concepts: Mapping[str, str] | None = None,
        signed: bool = False, ridge: float = 1.0, scaling: Scaling | None = None,
    ) -> None:  # fmt: skip
        self.max_bins = max_bins
        self.min_share = min_share
        self.monotone = monotone
        self.specials = specials
        self.concepts = concepts
        self.signed = signed
        self.ridge = ridge
        self.scaling = scaling

    def _fitted(
        self, columns: pa.Table, bad: BoolArray, offered: Sequence[Candidate], unit: FloatArray
    ) -> Scorecard:  # fmt: skip
        settings = WoeSettings(self.max_bins, self.min_share, signed=self.signed, ridge=self.ridge)
        return fit_woe(columns, bad, offered, unit, settings, self.scaling or STANDARD)


class AdditiveScorecard(_Scorer):
    """The default: main effects and chosen pairs, as strong as boosting, and nothing but tables (scoring.additive).

    pairs: at most so many. bins: at most so many of a feature; None: as the rows afford. monotone, specials, concepts,
    scaling: as for WoeScorecard. random_state: seed of what is drawn.
    Weights stand for repeated rows in the smooth half; the boosted half draws rows, so that a weight of 2 and a row
    given twice are alike, not equal. scikit-learn's check of that equality is the one check that does not pass.
    Attributes: as of WoeScorecard.
    """

    def __init__(
        self, *, pairs: int = 45, bins: int | None = None, monotone: Mapping[str, int] | None = None,
        specials: Mapping[str, Sequence[float]] | None = None, concepts: Mapping[str, str] | None = None,
        scaling: Scaling | None = None, random_state: int = 0,
    ) -> None:  # fmt: skip
        self.pairs = pairs
        self.bins = bins
        self.monotone = monotone
        self.specials = specials
        self.concepts = concepts
        self.scaling = scaling
        self.random_state = random_state

    def _fitted(
        self, columns: pa.Table, bad: BoolArray, offered: Sequence[Candidate], unit: FloatArray
    ) -> Scorecard:  # fmt: skip
        settings = AdditiveSettings(bins=self.bins, most_pairs=self.pairs)
        seed = int(check_random_state(self.random_state).randint(1 << 20)) if self.random_state else 0
        return fit_additive(columns, bad, offered, unit, settings, self.scaling or STANDARD, seed)


def _rows(data: Any) -> Any:
    """Lists of rows as objects: NumPy would make texts of the numbers beside a text."""
    return np.array(data, object) if isinstance(data, (list, tuple)) else data


def _outcomes(y: Any) -> npt.NDArray[Any]:
    """Outcomes of a table, one a row, none unknown."""
    if isinstance(y, (pa.Array, pa.ChunkedArray)):
        if y.null_count:
            raise InvalidInput(f"{y.null_count} outcomes are not known.", "Leave those rows out: they are no goods.")
        y = y.to_numpy(zero_copy_only=False) if isinstance(y, pa.Array) else y.to_numpy()
    if y is None:
        raise InvalidInput(
            "y is None; a scorecard is fitted on outcomes, one a row.", "Give True or 1 where it went bad."
        )
    target = np.asarray(y)
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.ndim != 1:
        raise InvalidInput(f"y has {target.ndim} dimensions; one outcome a row is needed.")
    if target.dtype.kind == "f" and not np.isfinite(target).all():
        raise InvalidInput("some outcomes are not known.", "Leave those rows out: they are no goods.")
    if target.dtype.kind == "O":
        if any(label is None or label != label for label in target):
            raise InvalidInput("some outcomes are not known.", "Leave those rows out: they are no goods.")
        kinds = sorted({type(label).__name__ for label in target})
        if len(kinds) > 1:
            raise InvalidInput(f"y mixes {' and '.join(kinds)}.", "Give booleans, or 0 and 1.")
        target = np.array(target.tolist())
    return target
