"""What every estimator asks of the tables and weights that it is given, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.frame import frame

FloatArray = npt.NDArray[np.float64]

_LEAST_WEIGHT = 1.5  # rows in all; less is a share, not a count
_MOST_WEIGHT = 1e15  # rows; sums of more lose single ones in float64


class TablesIn:
    """First base of an estimator of tables: values may be missing, columns texts, classes two at most."""

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags


def is_table(data: Any) -> bool:
    """Whether data has named columns."""
    if issparse(data):  # one of its formats is a mapping
        return False
    return isinstance(data, (pa.Table, pa.RecordBatch, Mapping)) or hasattr(data, "columns") or hasattr(data, "schema")


def note_names(estimator: BaseEstimator, names: list[str]) -> None:
    """What scikit-learn reads about the columns; an array's x0, x1, ... are no names to it."""
    estimator.n_features_in_ = len(names)
    if names != [f"x{place}" for place in range(len(names))]:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def row_weights(given: Any, rows: int) -> FloatArray:
    """One weight a row, ones where None. Raises InvalidInput where they do not fit, or add up to no rows."""
    if given is None:
        return np.ones(rows)
    weights = np.asarray(given, np.float64)
    if weights.ndim == 0:
        weights = np.full(rows, float(weights))
    if weights.shape != (rows,):
        raise InvalidInput(f"sample_weight has shape {weights.shape}, X {rows} rows.", "Give one weight a row.")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InvalidInput("some weights are below 0 or not finite.", "A weight says how many rows a row stands for.")
    if not weights.any():
        raise InvalidInput("every weight is zero, so that no row is left.", "Give a weight above 0 where a row counts.")
    if not _LEAST_WEIGHT <= weights.sum() <= _MOST_WEIGHT:
        raise InvalidInput(
            f"the weights add up to {weights.sum():.3g} rows; a weight says how many rows a row stands for.",
            "Divide them all by their mean.",
        )
    return weights


def table_of(estimator: BaseEstimator, data: Any, *, fitting: bool) -> pa.Table:
    """`data` as a frame; arrays are checked as scikit-learn does. Fitting notes the names and number of columns."""
    if is_table(data):
        table = frame(data)
    else:
        table = frame(validate_data(estimator, data, reset=fitting, ensure_all_finite="allow-nan", dtype=np.float64))
    if table.num_rows == 0:
        raise InvalidInput("the table has no rows.")
    if fitting:
        note_names(estimator, table.column_names)
    return table
