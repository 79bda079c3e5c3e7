"""The classical scorecard: weight of evidence, logistic regression, points.

score = OFFSET - FACTOR * ln odds of the bad, so that 600 points are odds of 50 goods to a bad and 20 points double
the odds (Siddiqi 2006, ch. 6). Each feature's points are its own share of that sum: a look-up in its bins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.measures.binning import Bins, optimal_bins
from evenkeel.measures.calibration import Platt
from evenkeel.measures.logistic import fit_signed_logistic

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FACTOR = 20 / np.log(2)
OFFSET = 600 - FACTOR * np.log(50)

_LEAST_INFORMATION = 0.02  # a feature below this information value does not predict (Siddiqi 2006, p. 81)
_CLOSEST = 0.97  # of two features whose WoE move together more than this, the weaker is left out
_MOST_FEATURES = 40
_RAREST_LEVEL = 50  # a level of a text feature with fewer training rows is read as not known


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feature offered to the scorecard: its concept for reasons, and the direction in which risk may rise."""

    name: str
    concept: str
    trend: int = 0


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A feature in the scorecard. levels: texts in order of risk where the feature is one, else None."""

    name: str
    concept: str
    bins: Bins
    coefficient: float
    levels: tuple[str, ...] | None = None

    def numbers(self, column: pa.ChunkedArray | pa.Array) -> FloatArray:
        """The column as the numbers that `bins` cut; NaN where it is null or of an unseen level."""
        return _numbers(column, self.levels)

    def log_odds(self, column: pa.ChunkedArray | pa.Array) -> FloatArray:
        """This feature's share of the ln odds of the bad."""
        return self.coefficient * self.bins.woe[self.bins.assign(self.numbers(column))]

    @property
    def neutral(self) -> float:
        """The mean share over the training rows: the value against which a reason is measured."""
        weights = self.bins.goods + self.bins.bads
        return float(self.coefficient * np.average(self.bins.woe, weights=weights))


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A fitted scorecard; `calibration` maps its ln odds to probabilities."""

    intercept: float
    characteristics: tuple[Characteristic, ...]
    calibration: Platt
    rows: int
    bads: int

    def log_odds(self, columns: pa.Table) -> FloatArray:
        """ln odds of the bad, before calibration. columns: a table with every characteristic's column."""
        total = np.full(columns.num_rows, self.intercept)
        for entry in self.characteristics:
            total += entry.log_odds(columns[entry.name])
        return total

    def probability(self, columns: pa.Table) -> FloatArray:
        """Calibrated probability of the bad."""
        return self.calibration.apply(self.log_odds(columns))

    def contributions(self, columns: pa.Table) -> tuple[tuple[str, ...], FloatArray]:
        """Concepts, and points of each (n, concepts) against its neutral value: below 0 speaks against the account."""
        concepts = tuple(dict.fromkeys(entry.concept for entry in self.characteristics))
        points = np.zeros((columns.num_rows, len(concepts)))
        for entry in self.characteristics:
            share = entry.log_odds(columns[entry.name]) - entry.neutral
            points[:, concepts.index(entry.concept)] -= FACTOR * self.calibration.slope * share
        return concepts, points

    def document(self) -> dict[str, object]:
        """The scorecard as data: what a committee reads and what its version is the hash of."""
        return {
            "kind": "woe_scorecard",
            "intercept": self.intercept,
            "calibration": {"intercept": self.calibration.intercept, "slope": self.calibration.slope},
            "scaling": {"offset": OFFSET, "factor": FACTOR},
            "rows": self.rows,
            "bads": self.bads,
            "characteristics": [_table(entry, self.calibration.slope) for entry in self.characteristics],
        }

    @property
    def version(self) -> str:
        """A content hash of everything that decides a score."""
        text = json.dumps(self.document(), sort_keys=True, ensure_ascii=False)
        return "woe-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _table(entry: Characteristic, slope: float) -> dict[str, object]:
    points = -FACTOR * slope * (entry.coefficient * entry.bins.woe - entry.neutral)
    return {
        "name": entry.name,
        "concept": entry.concept,
        "coefficient": entry.coefficient,
        "information_value": entry.bins.information_value,
        "levels": None if entry.levels is None else list(entry.levels),
        "edges": entry.bins.edges.tolist(),
        "bins": [
            {"woe": float(woe), "goods": int(goods), "bads": int(bads), "points": round(float(point), 1)}
            for woe, goods, bads, point in zip(entry.bins.woe, entry.bins.goods, entry.bins.bads, points, strict=True)
        ],
    }


def score_points(probability: FloatArray) -> npt.NDArray[np.int32]:
    """Whole points of a probability of the bad; a higher score is a lower risk."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    points: npt.NDArray[np.int32] = np.round(OFFSET - FACTOR * np.log(p / (1 - p))).astype(np.int32)
    return points


def _numbers(column: pa.ChunkedArray | pa.Array, levels: tuple[str, ...] | None) -> FloatArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if levels is not None:
        array = pc.index_in(array, pa.array(levels, pa.string()))
    return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _levels(column: pa.ChunkedArray, bad: BoolArray) -> tuple[str, ...]:
    """The levels of a text feature by rising bad rate (smoothed to the mean), the rare ones left out."""
    codes = column.combine_chunks().dictionary_encode()
    names = codes.dictionary.to_pylist()
    index = codes.indices.fill_null(len(names)).to_numpy()
    count = np.bincount(index, minlength=len(names) + 1)[: len(names)]
    bads = np.bincount(index, weights=bad, minlength=len(names) + 1)[: len(names)]
    rate = (bads + 20 * bad.mean()) / (count + 20)
    kept = [place for place in range(len(names)) if count[place] >= _RAREST_LEVEL]
    return tuple(names[place] for place in sorted(kept, key=lambda place: (rate[place], names[place])))


def _binned(candidate: Candidate, column: pa.ChunkedArray, bad: BoolArray) -> Characteristic:
    levels = _levels(column, bad) if pa.types.is_string(column.type) else None
    numbers = _numbers(column, levels)
    trend = 1 if levels is not None else candidate.trend
    return Characteristic(candidate.name, candidate.concept, optimal_bins(numbers, bad, trend=trend), 0.0, levels)


def _chosen(entries: Sequence[Characteristic], columns: pa.Table) -> tuple[list[Characteristic], FloatArray]:
    """The informative features, strongest first, without near copies, and their WoE (n, k)."""
    ranked = sorted(entries, key=lambda entry: (-entry.bins.information_value, entry.name))
    kept: list[Characteristic] = []
    woes: list[FloatArray] = []
    scaled: list[FloatArray] = []
    for entry in ranked:
        if entry.bins.information_value < _LEAST_INFORMATION or len(kept) == _MOST_FEATURES:
            break
        woe = entry.bins.woe[entry.bins.assign(entry.numbers(columns[entry.name]))]
        spread = woe.std()
        unit = (woe - woe.mean()) / (spread if spread > 0 else 1.0) / np.sqrt(len(woe))
        if any(abs(float(unit @ other)) > _CLOSEST for other in scaled):
            continue
        kept.append(entry)
        woes.append(woe)
        scaled.append(unit)
    return kept, np.column_stack(woes) if woes else np.empty((columns.num_rows, 0))


def fit_scorecard(columns: pa.Table, bad: BoolArray, candidates: Sequence[Candidate]) -> Scorecard:
    """Fit bins, then a logistic regression on their WoE whose signs are held to "more evidence of good, less risk".

    columns: one column a candidate, numbers or text, null where not known. bad: (n,) bool, both classes present.
    A feature that would need the wrong sign says the reverse of its own bins and is left out. The probabilities are
    those of the training rows until a calibration is set.
    """
    present = [entry for entry in candidates if entry.name in columns.column_names]
    kept, woe = _chosen([_binned(entry, columns[entry.name], bad) for entry in present], columns)
    fitted = fit_signed_logistic(woe, bad)
    characteristics = tuple(
        Characteristic(entry.name, entry.concept, entry.bins, float(weight), entry.levels)
        for entry, weight in zip(kept, fitted.coefficients, strict=True)
        if weight < 0
    )
    return Scorecard(fitted.intercept, characteristics, Platt(0.0, 1.0), len(bad), int(bad.sum()))
