"""LightGBM behind the face of the scorecards: what an unreadable model would reach on the same rows, to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import Unavailable
from evenkeel.scoring.cutting import Candidate, levels_of
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Boosted:
    """A LightGBM model. text: the booster as LightGBM writes it; levels: of each text column, in the order of codes."""

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...] | None, ...]
    text: str

    def log_odds(self, columns: pa.Table) -> FloatArray:
        """ln odds of the bad of a frame's rows."""
        booster = _lightgbm().Booster(model_str=self.text)
        result: FloatArray = booster.predict(self._matrix(columns), raw_score=True, num_threads=1)
        return result

    def document(self) -> dict[str, object]:
        """The model as data."""
        levels = [None if entry is None else list(entry) for entry in self.levels]
        return {"kind": "lightgbm", "names": list(self.names), "levels": levels, "booster": self.text}

    def _matrix(self, columns: pa.Table) -> FloatArray:
        return np.column_stack([_values(columns[n], known) for n, known in zip(self.names, self.levels, strict=True)])


def fit_lightgbm(
    columns: pa.Table, bad: BoolArray, candidates: Sequence[Candidate], weights: FloatArray | None, seed: int
) -> Boosted:
    """Fit with settings that do well on credit data (300 trees of 15 leaves at rate 0.03, columns and rows drawn).

    Raises Unavailable where LightGBM is not installed or its system library is missing.
    """
    lightgbm = _lightgbm()
    unit = np.ones(len(bad)) if weights is None else weights
    names = tuple(candidate.name for candidate in candidates)
    levels = tuple(levels_of(columns[name], unit, 100, 5.0) if is_text(columns[name]) else None for name in names)
    shell = Boosted(names, levels, "")
    data = lightgbm.Dataset(
        shell._matrix(columns), bad.astype(float), weight=unit,
        categorical_feature=[place for place, known in enumerate(levels) if known is not None],
    )  # fmt: skip
    settings = {
        "objective": "binary", "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 40, "lambda_l2": 5.0,
        "feature_fraction": 0.5, "bagging_fraction": 0.8, "bagging_freq": 1, "seed": seed, "num_threads": 1,
        "deterministic": True, "force_row_wise": True, "verbosity": -1,
        "monotone_constraints": [candidate.trend for candidate in candidates],
    }  # fmt: skip
    return Boosted(names, levels, lightgbm.train(settings, data, num_boost_round=300).model_to_string())


def _values(column: pa.ChunkedArray, levels: tuple[str, ...] | None) -> FloatArray:
    if levels is None:
        return numbers(column)
    return np.asarray(pc.index_in(column, pa.array(levels, pa.string())).cast(pa.float64()).to_numpy())


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise Unavailable(
            f"LightGBM cannot be loaded: {error}.",
            "Install it with `pip install evenkeel[compare]`, and the system's OpenMP library (libgomp1).",
        ) from error
    return lightgbm
