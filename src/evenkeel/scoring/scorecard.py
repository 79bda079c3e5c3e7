"""The scorecard as data: features cut into bins, tables of ln odds per bin and per pair of bins. Nothing else scores.

ln odds of the bad = intercept + one entry of each table. Every entry is a multiple of 2**-32, so that a sum of entries
is exact in float64 in whatever order it is taken: here, in SQL, in an exported Python file.
score = offset - factor * ln odds, so that 600 points are odds of 50 goods to a bad and 20 points double the odds unless
another scaling is given (Siddiqi 2006, ch. 6); higher is safer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.calibration import Platt
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]

GRAIN = 2.0**-32  # of ln odds
_POINT_GRAIN = 2.0**-20  # of points


def exact(values: FloatArray, grain: float = GRAIN) -> FloatArray:
    """The nearest multiples of the grain; a sum of them below 2**20 is exact in any order."""
    result: FloatArray = np.round(values / grain) * grain
    return result


@dataclass(frozen=True, slots=True)
class Scaling:
    """Points of a score: `base_score` where there are `base_odds` goods to a bad; `double` points double the odds."""

    base_score: float = 600.0
    base_odds: float = 50.0
    double: float = 20.0

    def __post_init__(self) -> None:
        if not (self.base_odds > 0 and self.double > 0 and np.isfinite([self.base_score, self.base_odds]).all()):
            raise InvalidInput(
                f"odds of {self.base_odds} and {self.double} points to double make no scale.", "Both are above 0."
            )

    @property
    def factor(self) -> float:
        """Points of one unit of ln odds."""
        return float(self.double / np.log(2))

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return float(self.base_score - self.factor * np.log(self.base_odds))

    def points(self, log_odds: FloatArray) -> FloatArray:
        """The score of ln odds of the bad."""
        return np.asarray(self.offset - self.factor * log_odds)


STANDARD = Scaling()


@dataclass(frozen=True)
class Feature:
    """How a column becomes codes: bins first, then special values, then (texts) any other level, then missing.

    edges: (k - 1,) increasing; code i holds edges[i-1] <= x < edges[i]. levels: texts, one code each; None for numbers.
    specials: numbers that are codes, not amounts. trend: +1 risk may only rise with the value, -1 only fall, 0 free.
    """

    name: str
    concept: str
    edges: FloatArray = field(default_factory=lambda: np.empty(0))
    levels: tuple[str, ...] | None = None
    specials: tuple[float, ...] = ()
    trend: int = 0

    @property
    def bins(self) -> int:
        """Codes of ordinary values: bins, or known levels."""
        return len(self.edges) + 1 if self.levels is None else len(self.levels)

    @property
    def size(self) -> int:
        """All codes. The last one is missing; the one before it, for texts, any other level."""
        return self.bins + len(self.specials) + (2 if self.levels is not None else 1)

    def codes(self, column: pa.ChunkedArray | pa.Array) -> CodeArray:
        """The code of each value of a frame's column. InvalidInput on texts for numbers or the reverse."""
        if self.levels is not None:
            return self._level_codes(column)
        if is_text(column):
            if column.null_count < len(column):
                raise InvalidInput(
                    f"column `{self.name}` holds texts; the model was trained on numbers.",
                    "Convert it to numbers; a value that is not known is null.",
                )
            return np.full(len(column), self.size - 1, np.int32)
        values = numbers(column)
        codes = np.searchsorted(self.edges, values, side="right").astype(np.int32)
        for place, special in enumerate(self.specials):
            codes[values == special] = self.bins + place
        codes[np.isnan(values)] = self.size - 1
        return codes

    def _level_codes(self, column: pa.ChunkedArray | pa.Array) -> CodeArray:
        if not is_text(column):
            if column.null_count < len(column):
                raise InvalidInput(
                    f"column `{self.name}` holds numbers; the model was trained on texts.",
                    "Convert it to the texts that it was trained on.",
                )
            return np.full(len(column), self.size - 1, np.int32)
        found = pc.fill_null(pc.index_in(column, pa.array(self.levels, pa.string())), self.bins)
        codes: CodeArray = pc.if_else(column.is_valid(), found, self.size - 1).to_numpy().astype(np.int32)
        return codes


@dataclass(frozen=True)
class Pair:
    """A table over two features' codes put into groups. values, weights: (groups of first, groups of second)."""

    first: int
    second: int
    first_groups: CodeArray
    second_groups: CodeArray
    values: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Scorecard:
    """A fitted scorecard. tables, goods, bads: an array a feature, an entry a code (counts of training rows, weighted).

    Tables and pairs are centred on the training rows: an entry is what its value adds to the mean, which is the neutral
    value of reasons. facts: what was trained on what, and by whom; part of the version.
    """

    kind: str
    intercept: float
    features: tuple[Feature, ...]
    tables: tuple[FloatArray, ...]
    goods: tuple[FloatArray, ...]
    bads: tuple[FloatArray, ...]
    pairs: tuple[Pair, ...] = ()
    scaling: Scaling = STANDARD
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "intercept", float(exact(np.array(self.intercept))))
        object.__setattr__(self, "tables", tuple(exact(table) for table in self.tables))
        object.__setattr__(self, "pairs", tuple(replace(pair, values=exact(pair.values)) for pair in self.pairs))

    # --- scoring ------------------------------------------------------------------------------------------------------

    def codes(self, columns: pa.Table) -> list[CodeArray]:
        """The codes of every feature. columns: a frame with every feature's column, in any order; others are ignored.

        Raises InvalidInput that names the columns which are not there.
        """
        present = set(columns.column_names)
        absent = [feature.name for feature in self.features if feature.name not in present]
        if absent:
            listed = ", ".join(f"`{name}`" for name in absent[:10]) + (", ..." if len(absent) > 10 else "")
            raise InvalidInput(
                f"the model reads {len(absent)} columns that are not there: {listed}.",
                "Add them; a column whose values are not known may be empty, but has to be named.",
            )
        return [feature.codes(columns[feature.name]) for feature in self.features]

    def log_odds(self, columns: pa.Table) -> FloatArray:
        """ln odds of the bad. columns: as for `codes`. Returns (n,)."""
        return self.log_odds_of(self.codes(columns), columns.num_rows)

    def log_odds_of(self, codes: list[CodeArray], rows: int) -> FloatArray:
        """ln odds of rows whose codes are known already."""
        total = np.full(rows, self.intercept)
        for table, code in zip(self.tables, codes, strict=True):
            total += table.take(code)
        for pair in self.pairs:
            total += self._pair_entries(pair, codes)
        return total

    def probability(self, columns: pa.Table) -> FloatArray:
        """Probability of the bad."""
        return sigmoid(self.log_odds(columns))

    def score(self, columns: pa.Table) -> FloatArray:
        """The score: exactly the base points plus the points of every table."""
        codes = self.codes(columns)
        total = np.full(columns.num_rows, self.base_points)
        for points, code in zip(self.points, codes, strict=True):
            total += points.take(code)
        for points, pair in zip(self.pair_points, self.pairs, strict=True):
            total += points.ravel().take(self._cells(pair, codes))
        return total

    def _cells(self, pair: Pair, codes: list[CodeArray]) -> CodeArray:
        width = np.int32(pair.values.shape[1])
        cells: CodeArray = (pair.first_groups * width).take(codes[pair.first])
        cells += pair.second_groups.take(codes[pair.second])
        return cells

    def _pair_entries(self, pair: Pair, codes: list[CodeArray]) -> FloatArray:
        result: FloatArray = pair.values.ravel().take(self._cells(pair, codes))
        return result

    # --- points and reasons -------------------------------------------------------------------------------------------

    @cached_property
    def base_points(self) -> float:
        """The score of a case that is neutral in everything."""
        return float(exact(self.scaling.points(np.array(self.intercept)), _POINT_GRAIN))

    @cached_property
    def points(self) -> tuple[FloatArray, ...]:
        """Points of each feature's codes: above 0 speaks for the applicant."""
        return tuple(exact(-self.scaling.factor * table, _POINT_GRAIN) for table in self.tables)

    @cached_property
    def pair_points(self) -> tuple[FloatArray, ...]:
        """Points of each pair's cells."""
        return tuple(exact(-self.scaling.factor * pair.values, _POINT_GRAIN) for pair in self.pairs)

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """What reasons are given by: several features may say one thing."""
        return tuple(dict.fromkeys(feature.concept for feature in self.features))

    def contributions(self, columns: pa.Table) -> tuple[tuple[str, ...], FloatArray]:
        """Concepts, and points of each (n, concepts) against the neutral value: below 0 speaks against the applicant.

        A pair's points go to its two concepts in halves, which is their Shapley value. The sum over concepts and the
        base points are the score, exactly.
        """
        codes = self.codes(columns)
        place = [self.concepts.index(feature.concept) for feature in self.features]
        points = np.zeros((columns.num_rows, len(self.concepts)))
        for column, table, code in zip(place, self.points, codes, strict=True):
            points[:, column] += table.take(code)
        for table, pair in zip(self.pair_points, self.pairs, strict=True):
            half = 0.5 * table.ravel().take(self._cells(pair, codes))
            points[:, place[pair.first]] += half
            points[:, place[pair.second]] += half
        return self.concepts, points

    # --- changing it --------------------------------------------------------------------------------------------------

    def recalibrated(self, platt: Platt) -> Scorecard:
        """The scorecard whose ln odds are intercept + slope * those of this one: still nothing but tables."""
        return replace(
            self,
            intercept=platt.intercept + platt.slope * self.intercept,
            tables=tuple(platt.slope * table for table in self.tables),
            pairs=tuple(replace(pair, values=platt.slope * pair.values) for pair in self.pairs),
        )

    # --- as data ------------------------------------------------------------------------------------------------------

    def document(self) -> dict[str, object]:
        """The scorecard as data: what a committee reads, what is stored, and what its version is the hash of."""
        return {
            "kind": self.kind,
            "intercept": self.intercept,
            "scaling": {name: getattr(self.scaling, name) for name in ("base_score", "base_odds", "double")},
            "features": [
                {
                    "name": feature.name, "concept": feature.concept, "trend": feature.trend,
                    "edges": feature.edges.tolist(), "levels": None if feature.levels is None else list(feature.levels),
                    "specials": list(feature.specials), "log_odds": self.tables[place].tolist(),
                    "points": self.points[place].tolist(),
                    "goods": self.goods[place].tolist(), "bads": self.bads[place].tolist(),
                }
                for place, feature in enumerate(self.features)
            ],
            "pairs": [
                {
                    "first": self.features[pair.first].name, "second": self.features[pair.second].name,
                    "first_groups": pair.first_groups.tolist(), "second_groups": pair.second_groups.tolist(),
                    "log_odds": pair.values.tolist(), "weights": pair.weights.tolist(),
                }
                for pair in self.pairs
            ],
            "facts": dict(self.facts),
        }  # fmt: skip

    @cached_property
    def version(self) -> str:
        """A content hash of everything that decides a score, and of the facts on record."""
        text = json.dumps(self.document(), sort_keys=True, ensure_ascii=False)
        return f"{self.kind}-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def from_document(document: Mapping[str, object]) -> Scorecard:
    """The scorecard that a document holds. Raises InvalidInput where it holds none."""
    try:
        return _read(document)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"this is not a scorecard of evenkeel: {type(error).__name__}: {error}.", "Was the file changed by hand?"
        ) from error


def _read(document: Mapping[str, list[dict[str, list[float]]]]) -> Scorecard:
    entries, pairs = document["features"], document["pairs"]
    features = tuple(
        Feature(
            str(entry["name"]), str(entry["concept"]), np.array(entry["edges"], np.float64),
            None if entry["levels"] is None else tuple(str(level) for level in entry["levels"]),
            tuple(float(value) for value in entry["specials"]), int(entry["trend"]),  # type: ignore[call-overload]
        )
        for entry in entries
    )  # fmt: skip
    names = [feature.name for feature in features]
    scorecard = Scorecard(
        str(document["kind"]),
        float(document["intercept"]),  # type: ignore[arg-type]
        features,
        _arrays(entries, "log_odds"), _arrays(entries, "goods"), _arrays(entries, "bads"),
        tuple(
            Pair(
                names.index(str(pair["first"])), names.index(str(pair["second"])),
                np.array(pair["first_groups"], np.int32), np.array(pair["second_groups"], np.int32),
                np.array(pair["log_odds"], np.float64), np.array(pair["weights"], np.float64),
            )
            for pair in pairs
        ),
        Scaling(**document["scaling"]),  # type: ignore[arg-type]
        dict(document["facts"]),  # type: ignore[arg-type]
    )  # fmt: skip
    _check(scorecard)
    return scorecard


def _arrays(entries: list[dict[str, list[float]]], key: str) -> tuple[FloatArray, ...]:
    return tuple(np.array(entry[key], np.float64) for entry in entries)


def _check(card: Scorecard) -> None:
    """Every table fits its feature, every number is finite: a file changed by hand is refused, not scored with."""
    names = [feature.name for feature in card.features]
    if len(set(names)) < len(names) or not np.isfinite(card.intercept):
        raise InvalidInput("the scorecard has a feature twice, or an intercept that is not finite.")
    for feature, table, goods, bads in zip(card.features, card.tables, card.goods, card.bads, strict=True):
        if not (len(table) == len(goods) == len(bads) == feature.size):
            raise InvalidInput(f"the table of `{feature.name}` has {len(table)} entries for {feature.size} codes.")
        if not (np.isfinite(table).all() and (np.diff(feature.edges) > 0).all()):
            raise InvalidInput(f"`{feature.name}` has entries that are not finite, or edges that do not increase.")
        if any(len(set(known)) < len(known) for known in (feature.levels or (), feature.specials)):
            raise InvalidInput(f"`{feature.name}` has a level or a special value twice.")
    for pair in card.pairs:
        first, second = card.features[pair.first], card.features[pair.second]
        sizes = (len(pair.first_groups), len(pair.second_groups))
        reach = (pair.first_groups.max() + 1, pair.second_groups.max() + 1)
        least = min(pair.first_groups.min(), pair.second_groups.min())
        fits = sizes == (first.size, second.size) and pair.values.shape == reach and least >= 0
        if not (fits and np.isfinite(pair.values).all()):
            raise InvalidInput(f"the table of `{first.name}` with `{second.name}` does not fit their codes.")


def score_points(probability: FloatArray) -> npt.NDArray[np.int32]:
    """Whole points of a probability of the bad on the standard scale; a higher score is a lower risk."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    points: npt.NDArray[np.int32] = np.round(STANDARD.points(np.log(p / (1 - p)))).astype(np.int32)
    return points
