"""Columns as a regression reads them: standardised numbers that may bend, flags of levels, and "not known"."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]

_RAREST_LEVEL = 20  # a level of a text column with fewer rows is read as any other
_KNOTS = (0.25, 0.5, 0.75)  # a number's effect may bend at these quantiles
_EDGE = 0.005  # a number acts as the value at this quantile does, beyond it


@dataclass(frozen=True, slots=True)
class Column:
    """One column's regressors: a number's standardised value, its bends and "not known"; or one flag a level.

    low, high: beyond them the effect is held. knots: standardised. missing: whether "not known" is a regressor; where
    it is not, a missing number stands at the mean. levels: None for numbers.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    scale: float = 1.0
    knots: tuple[float, ...] = ()
    missing: bool = False
    levels: tuple[str, ...] | None = None

    @property
    def names(self) -> list[str]:
        """A name for each regressor."""
        if self.levels is not None:
            return [f"{self.name} = {level}" for level in self.levels]
        bends = [f"{self.name} above {self.mean + knot * self.scale:.6g}" for knot in self.knots]
        return [self.name, *bends, *([f"{self.name} not known"] if self.missing else [])]

    def regressors(self, column: pa.ChunkedArray) -> list[FloatArray]:
        """Each (n,). Raises InvalidInput where texts stand for numbers or the reverse."""
        if is_text(column) != (self.levels is not None) and column.null_count < len(column):
            raise InvalidInput(f"column `{self.name}` holds another type than the one the model was trained on.")
        if self.levels is not None:
            place = pc.fill_null(pc.index_in(column.cast(pa.string()), pa.array(self.levels, pa.string())), -1)
            code = place.to_numpy()
            return [(code == level).astype(np.float64) for level in range(len(self.levels))]
        values = numbers(column.cast(pa.float64()))
        unknown = np.isnan(values)
        scaled = np.where(unknown, 0.0, (np.clip(values, self.low, self.high) - self.mean) / self.scale)
        bends = [np.maximum(scaled - knot, 0.0) for knot in self.knots]
        return [scaled, *bends, *([unknown.astype(np.float64)] if self.missing else [])]


def learn_column(name: str, column: pa.ChunkedArray, weight: FloatArray, bends: bool = True) -> Column:
    """The regressors of a column of a frame. weight: (n,) above 0, counts as repeated rows do.

    bends: whether a number's effect may change at its quartiles.
    """
    if is_text(column):
        codes = column.combine_chunks().dictionary_encode()
        there = codes.is_valid().to_numpy(zero_copy_only=False)
        counts = np.bincount(codes.indices.drop_null().to_numpy(), weight[there], len(codes.dictionary))
        found = zip(codes.dictionary.to_pylist(), counts, strict=True)
        return Column(name, levels=tuple(sorted(level for level, count in found if count >= _RAREST_LEVEL)))
    values = numbers(column)
    finite = np.flatnonzero(np.isfinite(values))
    missing = bool(np.isnan(values).any())
    if len(finite) == 0:
        return Column(name)
    order = finite[np.argsort(values[finite], kind="stable")]
    known, weight, upto = values[order], weight[order], np.cumsum(weight[order])
    at = np.searchsorted(upto, np.array([_EDGE, 1 - _EDGE, *_KNOTS]) * upto[-1], side="right")
    low, high, *quartiles = known[np.minimum(at, len(known) - 1)]
    if low == high:
        low, high = known[0], known[-1]
    held = np.clip(known, low, high)
    size = max(abs(low), abs(high), 1e-300)  # so that squares of 1e308 stay finite
    middle = np.average(held / size, weights=weight)
    mean, scale = float(middle * size), float(np.sqrt(np.average((held / size - middle) ** 2, weights=weight)) * size)
    if not scale > 1e-12 * size:
        return Column(name, float(low), float(high), mean, float(size), (), missing)
    quartiles = np.array(quartiles)
    inside = np.unique(quartiles[(quartiles > low) & (quartiles < high)])
    knots = tuple(float(knot) for knot in (inside - mean) / scale) if bends else ()
    return Column(name, float(low), float(high), mean, scale, knots, missing)


def regressors(columns: tuple[Column, ...], table: pa.Table) -> FloatArray:
    """All columns' regressors side by side: (n, p). Raises InvalidInput that names the columns which are not there."""
    absent = [f"`{column.name}`" for column in columns if column.name not in table.column_names]
    if absent:
        raise InvalidInput(f"the model reads columns that are not there: {', '.join(absent[:10])}.", "Add them.")
    found = [part for column in columns for part in column.regressors(table[column.name])]
    return np.column_stack(found) if found else np.empty((table.num_rows, 0))


def columns_document(columns: tuple[Column, ...]) -> list[dict[str, object]]:
    """The columns as plain data."""
    return [asdict(column) for column in columns]


def columns_from(document: Any) -> tuple[Column, ...]:
    """The columns that `columns_document` wrote."""
    return tuple(
        Column(**{**entry, "knots": tuple(entry["knots"]),
                  "levels": None if entry["levels"] is None else tuple(entry["levels"])})
        for entry in document
    )  # fmt: skip
