"""How columns of a frame become features: fine bins of numbers, levels of texts, special values and missing apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.frame import is_text, numbers
from evenkeel.scoring.scorecard import Feature

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feature offered to a model: its concept for reasons, where risk may rise, and its special values."""

    name: str
    concept: str
    trend: int = 0
    specials: tuple[float, ...] = field(default=())


def candidates_of(
    columns: pa.Table,
    monotone: Mapping[str, int] | None = None,
    specials: Mapping[str, Sequence[float]] | None = None,
    concepts: Mapping[str, str] | None = None,
) -> list[Candidate]:
    """A candidate for every column. Raises InvalidInput where an option names a column that is not there."""
    for option, given in (("monotone", monotone), ("specials", specials), ("concepts", concepts)):
        for name in given or {}:
            if name not in columns.column_names:
                known = ", ".join(columns.column_names[:8])
                raise InvalidInput(f"{option} names `{name}`, which is no column.", f"The columns are {known}, ...")
    for name, trend in (monotone or {}).items():
        if trend not in (-1, 0, 1):
            raise InvalidInput(f"the direction of `{name}` is {trend!r}.", "Give 1 (risk rises), -1 (falls) or 0.")
        if trend and is_text(columns[name]):
            raise InvalidInput(f"`{name}` holds texts, which have no order to rise along.", "Leave it out of monotone.")
    for name, values in (specials or {}).items():
        if not np.isfinite(np.asarray(values, np.float64)).all():
            raise InvalidInput(f"a special value of `{name}` is not finite.", "Leave it out: null and NaN are missing.")
    return [
        Candidate(
            name, (concepts or {}).get(name, name), (monotone or {}).get(name, 0),
            tuple(sorted({float(value) for value in (specials or {}).get(name, ())})),
        )
        for name in columns.column_names
    ]  # fmt: skip


def ordinary(candidate: Candidate, column: pa.ChunkedArray) -> FloatArray:
    """A column's numbers with special values as NaN, and infinite ones as the largest, so that edges are finite."""
    values = numbers(column)
    ends = np.clip(values, -_LARGEST, _LARGEST)
    return np.where(np.isin(values, candidate.specials), np.nan, ends) if candidate.specials else ends


def fine_feature(
    candidate: Candidate, column: pa.ChunkedArray, weights: FloatArray, most: int, fewest: float
) -> Feature:
    """A feature of at most `most` bins or levels; a level with less than `fewest` weight is read as `other`."""
    if is_text(column):
        return Feature(candidate.name, candidate.concept, levels=levels_of(column, weights, most, fewest))
    values = ordinary(candidate, column)
    known = ~np.isnan(values)
    edges = fine_edges(values[known], weights[known], most)
    return Feature(candidate.name, candidate.concept, edges, None, candidate.specials, candidate.trend)


def fine_edges(values: FloatArray, weights: FloatArray, most: int) -> FloatArray:
    """Inner edges of at most `most` bins of about equal weight; a value that is heavy enough has a bin of its own.

    Every distinct value has one where there are at most `most` of them.
    """
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= most:
        return distinct[1:]
    mass = np.cumsum(np.bincount(place, weights))
    cuts = np.unique(np.searchsorted(mass, mass[-1] * np.arange(1, most) / most))
    edges: FloatArray = distinct[cuts[cuts > 0]]
    return edges


def levels_of(column: pa.ChunkedArray, weights: FloatArray, most: int, fewest: float) -> tuple[str, ...]:
    """The heaviest levels of a text column, at most `most`, each of weight `fewest` or more; sorted by text."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    mass = np.bincount(codes, weights, len(encoded.dictionary) + 1)[:-1]
    names = encoded.dictionary.to_pylist()
    kept = [place for place in range(len(names)) if mass[place] >= fewest]
    kept.sort(key=lambda place: (-mass[place], names[place]))
    return tuple(sorted(names[place] for place in kept[:most]))


def shares_of(
    codes: npt.NDArray[np.int32], size: int, bad: BoolArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(goods, bads) of each code, weighted."""
    total = np.bincount(codes, weights, size).astype(np.float64)
    bads = np.bincount(codes, weights * bad, size).astype(np.float64)
    return total - bads, bads
