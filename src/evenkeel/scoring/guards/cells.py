"""Columns cut into cells, and how far cells tell bads from goods: the one measure that every leakage guard uses.

A column is cut at 32 of its quantiles, each quantile's own value a cell of itself, so that a heap (such as zero) and
what lies beyond it stand apart; rows not known are the last cell. Texts have a cell for each level.

Two figures on one scale, that of the area under the ROC curve:

- `tree_area`: of the cells ranked by bad rate, learned on one half of the rows and judged on the other, and the
  reverse: a column of unique texts comes out at 0.5, however well it could be learned by heart.
- `Split.area`: the area of two normal scores that separate as much as the best single split does: with a share x of
  one class on its side and y of the other, Phi((Phi^-1(x) - Phi^-1(y)) / sqrt 2), at the cautious ends of Wilson's
  intervals of both. It does not depend on the bad rate, so an undersampled file is judged as the whole one is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, ndtri

from evenkeel.measures.discrimination import Estimate, wilson
from evenkeel.scoring.frame import is_text, numbers

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

QUANTILES = 32
MIN_ROWS = 30  # a split's side with fewer rows of its class is chance
MIN_SHARE = 0.05  # and one with a smaller share of it changes no model much
# Nearly all of a class: of a side of bads, the share of bads; of a side of goods, the share of all bads on it. Both at
# the cautious end. The worst state of a behaviour score, 75 % bads, separates as far but is no leak.
PURE, ALMOST_NONE = 0.90, 0.02
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """place: (n,) the cell of each row, 0..count-1; the last cell holds rows not known.

    marks: (k,) values at which a numeric column is cut, increasing: cell 2i + 1 is marks[i], cell 2i lies below it.
    levels: the texts of a column of texts, cell by cell; None where it holds numbers.
    """

    place: npt.NDArray[np.int32]
    count: int
    marks: FloatArray
    levels: tuple[str, ...] | None = None

    @property
    def ordered(self) -> bool:
        return self.levels is None

    def describe(self, first: int, last: int) -> str:
        """Cells first..last as a condition of SQL, the same in every language: `> 0`, `= 'A'`, `IS NULL`."""
        unknown = self.count - 1
        if first == unknown:
            return "IS NULL"
        if (first, last) == (0, unknown - 1):
            return "IS NOT NULL"
        if self.levels is not None:
            return f"= '{self.levels[first]}'"
        low = f"{'>=' if first % 2 else '>'} {self.marks[(first - 1) // 2]:.6g}" if first > 1 else ""
        high = f"{'<=' if last % 2 else '<'} {self.marks[last // 2]:.6g}" if last < unknown - 2 else ""
        if first == last and first % 2:
            return f"= {self.marks[first // 2]:.6g}"
        return " AND ".join(part for part in (low, high) if part) or "IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Split:
    """The side of a split that tells most. side: "bad" or "good", the class it holds.

    area: see the module. share: of its class on that side; other: of the other class; rows: on that side;
    where: the side as a condition of SQL.
    """

    side: str
    area: float
    share: float
    other: float
    rows: int
    where: str


def cells_of(column: pa.ChunkedArray) -> Cells:
    """A column of a frame in cells."""
    if is_text(column):
        coded = column.combine_chunks().dictionary_encode()
        levels = tuple(coded.dictionary.to_pylist())
        place = pc.fill_null(coded.indices, len(levels)).to_numpy(zero_copy_only=False).astype(np.int32)
        return Cells(place, len(levels) + 1, np.empty(0), levels)
    return number_cells(numbers(column))


def number_cells(values: FloatArray) -> Cells:
    """Numbers in cells. values: (n,) float64, NaN where not known; infinities are numbers."""
    known = ~np.isnan(values)
    ordered = np.sort(values[known])
    if not len(ordered):
        return Cells(np.zeros(len(values), np.int32), 1, ordered)
    marks = np.unique(ordered[np.linspace(0, len(ordered) - 1, QUANTILES).round().astype(np.int64)])
    below = np.searchsorted(marks, values)
    place = 2 * below + (marks[np.minimum(below, len(marks) - 1)] == values)
    count = 2 * len(marks) + 2
    return Cells(np.where(known, place, count - 1).astype(np.int32), count, marks)


def halves(rows: int, seed: int) -> IntArray:
    """(rows,) 0 or 1 by chance, as many of each."""
    return np.random.default_rng(seed).permutation(rows) % 2


def tally(cells: Cells, bad: BoolArray, half: IntArray) -> IntArray:
    """(2 halves, 2 goods and bads, count) rows."""
    group = half * 2 + bad
    counts = np.bincount(cells.place.astype(np.int64) * 4 + group, minlength=4 * cells.count).reshape(cells.count, 2, 2)
    return counts.transpose(1, 2, 0).astype(np.int64)


def tree_area(counts: IntArray) -> Estimate:
    """Area of the cells ranked by bad rate, learned and judged on different halves, with DeLong's interval.

    counts: as of `tally`. NaN where a half has fewer than two goods or bads. An area of 1 has its low end as
    measures.discrimination.auc gives it.
    """
    areas, variances = [], []
    base = counts[:, 1].sum() / max(counts.sum(), 1.0)
    for learn in (0, 1):
        judged = counts[1 - learn]
        if judged.sum(axis=1).min() < 2:
            return Estimate(np.nan, np.nan, np.nan)
        rate = (counts[learn, 1] + 2.0 * base) / (counts[learn].sum(axis=0) + 2.0)
        distinct, tied = np.unique(rate, return_inverse=True)
        goods, bads = (np.bincount(tied, side, len(distinct)) for side in judged)
        m, n = bads.sum(), goods.sum()
        below = (np.cumsum(goods) - goods / 2) / n
        above = (m - np.cumsum(bads) + bads / 2) / m
        area = float((bads * below).sum() / m)
        areas.append(area)
        variances.append(
            (bads * (below - area) ** 2).sum() / (m - 1) / m + (goods * (above - area) ** 2).sum() / (n - 1) / n
        )
    area, variance = float(np.mean(areas)), float(np.sum(variances)) / 4
    if area in (0.0, 1.0):
        fewest = counts.sum(axis=(0, 2)).min()
        room = _Z**2 / (fewest + _Z**2)
        return Estimate(area, max(area - room, 0.0), min(area + room, 1.0))
    logit, half = np.log(area / (1 - area)), _Z * np.sqrt(variance) / (area * (1 - area))
    return Estimate(area, float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit))))


def best_splits(cells: Cells, counts: IntArray) -> list[Split]:
    """For each class, the side of a split that holds most of it and nearly none of the other, if there is one.

    Sides are every run of cells of numbers, every level of texts, the rows not known, and those known.
    """
    goods, bads = counts.sum(axis=0)
    unknown = cells.count - 1
    if cells.ordered:
        first, last = np.triu_indices(unknown)
        first, last = np.append(first, unknown), np.append(last, unknown)
    else:
        first = np.append(np.arange(cells.count), 0)
        last = np.append(np.arange(cells.count), max(unknown - 1, 0))
    sides = [np.append(0, np.cumsum(side)) for side in (goods, bads)]
    held_goods, held_bads = (total[last + 1] - total[first] for total in sides)
    found = []
    for side, own, other in (("bad", held_bads, held_goods), ("good", held_goods, held_bads)):
        total, rest = (bads.sum(), goods.sum()) if side == "bad" else (goods.sum(), bads.sum())
        almost_all = own >= PURE * (own + other) if side == "bad" else other <= ALMOST_NONE * rest
        runs = np.flatnonzero((own >= MIN_ROWS) & (own >= MIN_SHARE * total) & almost_all)
        if not len(runs):
            continue
        share = np.maximum(wilson(own[runs], np.full(len(runs), total))[0], 0.0)
        ceiling = np.minimum(wilson(other[runs], np.full(len(runs), rest))[1], 1.0)
        surely = wilson(own[runs], (own + other)[runs])[0] >= PURE if side == "bad" else ceiling <= ALMOST_NONE
        area = np.where(surely, ndtr((ndtri(share) - ndtri(ceiling)) / np.sqrt(2.0)), 0.0)
        best = int(np.argmax(area))
        if not area[best]:
            continue
        top = int(runs[best])
        found.append(
            Split(
                side,
                float(area[best]),
                float(own[top] / total),
                float(other[top] / max(rest, 1)),
                int(own[top] + other[top]),
                cells.describe(int(first[top]), int(last[top])),
            )
        )
    return found
