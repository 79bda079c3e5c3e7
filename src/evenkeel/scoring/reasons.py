"""Why a score is what it is, and what would change the outcome: both read off the tables, neither estimated.

A reason is a concept with the points it costs the applicant against the neutral value; several columns of one concept
are one reason. A change is the fewest features, and of these the nearest bins, that reach a cut-off.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.text import texts
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.bintext import bin_texts
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import Feature, FloatArray, Scorecard

IntArray = npt.NDArray[np.int64]

_BLOCK = 1 << 16  # rows at once: what is worked on stays in the processor's cache
_HALF_GRAINS = 2.0**21  # points of a concept are multiples of half a grain of points
_PLACES = 1 << 16  # of concepts in a key
_SHOWN = 5  # ways of the same number of features


# --- reasons ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reasons:
    """What speaks against each of n applicants, the most points lost first; of equal points, by name.

    place: (n, most) places in `concepts`, -1 where there is no further reason. points: (n, most) below 0, NaN there.
    """

    concepts: tuple[str, ...]
    place: IntArray
    points: FloatArray

    def of(self, row: int) -> list[tuple[str, float]]:
        """Concept and points of one applicant's reasons."""
        given = zip(self.place[row].tolist(), self.points[row].tolist(), strict=True)
        return [(self.concepts[place], points) for place, points in given if place >= 0]

    def column(self) -> pa.ListArray:
        """The reasons of all applicants as a column: a list of struct(concept, points) each."""
        given = self.place >= 0
        ends = np.concatenate(([0], np.cumsum(given.sum(axis=1))))
        concepts = pa.array(self.concepts, pa.string()).take(pa.array(self.place[given]))
        structs = pa.StructArray.from_arrays([concepts, pa.array(self.points[given])], ["concept", "points"])
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), structs)


def reasons(card: Scorecard, data: Any, most: int = 4) -> Reasons:
    """At most `most` reasons of every row of a table (anything `frame` reads), each of another concept.

    A row's reasons depend on nothing but its own values. Raises InvalidInput as `frame` and `Scorecard.codes` do.
    """
    if most < 1:
        raise InvalidUsage(f"{most} reasons are none.", "Ask for at least one.")
    columns = frame(data)
    concepts = tuple(sorted(card.concepts))
    order = [card.concepts.index(concept) for concept in concepts]
    width = min(most, len(concepts))
    keys = np.empty((columns.num_rows, width), np.int64)
    for start in range(0, columns.num_rows, _BLOCK):
        _, points = card.contributions(columns.slice(start, _BLOCK))
        # Points and place in one whole number: the least keys are the reasons, and no two keys are equal.
        block = (points[:, order] * _HALF_GRAINS).astype(np.int64) * _PLACES + np.arange(len(order))
        if width < len(order):
            block = np.partition(block, width - 1, axis=1)[:, :width]
        block.sort(axis=1)
        keys[start : start + _BLOCK] = block
    grains = keys // _PLACES
    against = grains < 0
    return Reasons(
        concepts,
        np.where(against, keys % _PLACES, -1),
        np.where(against, grains / _HALF_GRAINS, np.nan),
    )


@cache
def _named_concepts() -> frozenset[tuple[str, str]]:
    from evenkeel.behaviour.features import FEATURES  # brings Ibis, which takes a second to load

    return frozenset((feature.name, feature.concept) for feature in FEATURES)


def sentence(concept: str, features: Sequence[Feature], language: str) -> str:
    """What a concept means as a sentence; one without a text of its own names the columns that it stands for.

    A column that merely bears the name of a concept, such as an applicant's `age`, does not borrow its text.
    """
    text = texts(language)
    mine = [feature.name for feature in features if feature.concept == concept]
    if f"reason.{concept}" in text and any(name != concept or (name, concept) in _named_concepts() for name in mine):
        return text(f"reason.{concept}")
    return text("scorecard.reason", columns=text("scorecard.and").join(mine or [concept]))


# --- what would change the outcome ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """One feature goes from one of its codes to another; steps: bins between them, 1 where codes have no order."""

    feature: str
    before: int
    after: int
    steps: int


@dataclass(frozen=True, slots=True)
class Way:
    """Moves that together reach the cut-off, and where they lead."""

    moves: tuple[Move, ...]
    score: float
    probability: float

    @property
    def steps(self) -> int:
        """Bins moved in all."""
        return sum(move.steps for move in self.moves)


@dataclass(frozen=True, slots=True)
class Changes:
    """What would change an outcome. ways: the best first, all of the fewest features; empty where reached, or none.

    possible: False where even every feature at its best is not enough, None where only `most` features were tried.
    """

    score: float
    probability: float
    reached: bool
    ways: tuple[Way, ...]
    possible: bool | None
    most: int


@dataclass(frozen=True, slots=True)
class _Options:
    """Where a feature may go: codes, steps, and what each gains while all others stay."""

    feature: int
    codes: IntArray
    steps: IntArray
    gains: FloatArray

    def undominated(self) -> _Options:
        """Those that no nearer or equally near one matches."""
        order = np.lexsort((self.codes, -self.gains, self.steps))
        gains = self.gains[order]
        best = np.concatenate(([-np.inf], np.maximum.accumulate(gains)[:-1]))
        kept = order[gains > best]
        return _Options(self.feature, self.codes[kept], self.steps[kept], self.gains[kept])


def changes(
    card: Scorecard,
    row: Mapping[str, object],
    *,
    to_score: float | None = None,
    to_probability: float | None = None,
    fixed: Collection[str] = (),
    directions: Mapping[str, int] | None = None,
    most: int = 3,
) -> Changes:
    """The fewest features whose moves reach a score of at least, or a probability of the bad of at most, the cut-off.

    row: one applicant. fixed: columns that nobody can change. directions: +1 for columns that may only rise, -1 only
    fall. Values move to ordinary bins and known levels, never into special codes, other or missing. Of the ways that
    take equally few features, at most `most`, those of fewest bins moved come first, then of the highest score, and
    every feature set is given once. Exact: whatever the tables and pairs allow is tried, or proved too little.
    Raises InvalidUsage unless exactly one cut-off is given, or where a name or direction is not known.
    """
    directions = directions or {}
    known = {feature.name: feature for feature in card.features}
    strange = sorted({*fixed, *directions} - known.keys())
    if strange or not all(
        direction in (1, -1) and known[name].levels is None for name, direction in directions.items()
    ):
        at_fault = f"`{strange[0]}` is no feature of the model." if strange else "a direction is +1 or -1, of a number."
        raise InvalidUsage(at_fault, f"Features: {', '.join(sorted(known))}.")
    codes = [int(code[0]) for code in card.codes(frame({name: [value] for name, value in row.items()}))]
    score, log_odds = _score(card, codes), _log_odds(card, codes)
    need, factor = _need(score, log_odds, to_score, to_probability)
    if need <= 0:
        return Changes(score, _probability(log_odds), True, (), True, most)
    tables = card.points if factor > 0 else tuple(-table for table in card.tables)
    pairs = card.pair_points if factor > 0 else tuple(-pair.values for pair in card.pairs)
    search = _Search(card, codes, tables, pairs)
    free = [place for place, feature in enumerate(card.features) if feature.name not in fixed]
    found = search.ways(free, [directions.get(feature.name, 0) for feature in card.features], need, most)
    return Changes(score, _probability(log_odds), False, found[0], found[1], most)


def _need(score: float, log_odds: float, to_score: float | None, to_probability: float | None) -> tuple[float, int]:
    """What is lacking to the cut-off, in points (1) or in ln odds of the good (-1)."""
    if to_score is not None and to_probability is None and math.isfinite(to_score):
        return to_score - score, 1
    if to_probability is not None and to_score is None and 0 < to_probability < 1:
        return log_odds - math.log(to_probability / (1 - to_probability)), -1
    raise InvalidUsage("what is to be reached is not clear.", "Give a score, or a probability between 0 and 1.")


def _probability(log_odds: float) -> float:
    return float(sigmoid(np.array([log_odds]))[0])


def _cell(card: Scorecard, number: int, codes: Sequence[int]) -> tuple[int, int]:
    pair = card.pairs[number]
    return int(pair.first_groups[codes[pair.first]]), int(pair.second_groups[codes[pair.second]])


def _score(card: Scorecard, codes: Sequence[int]) -> float:
    main = sum(float(table[code]) for table, code in zip(card.points, codes, strict=True))
    return card.base_points + main + sum(
        float(table[_cell(card, number, codes)]) for number, table in enumerate(card.pair_points)
    )  # fmt: skip


def _log_odds(card: Scorecard, codes: Sequence[int]) -> float:
    return float(card.log_odds_of([np.array([code], np.int32) for code in codes], 1)[0])


class _Search:
    """The exact search from one applicant's codes; tables and pairs in the unit of the cut-off, more is better."""

    def __init__(
        self, card: Scorecard, codes: list[int], tables: Sequence[FloatArray], pairs: Sequence[FloatArray]
    ) -> None:
        self.card, self.codes, self.tables = card, codes, tables
        # What each pair adds over the codes of its two features, against where they stand now.
        self.pairs = [
            (pair.first, pair.second, values[np.ix_(pair.first_groups, pair.second_groups)])
            for pair, values in zip(card.pairs, pairs, strict=True)
        ]

    def options(self, place: int, direction: int) -> _Options:
        """Where a feature may go. A value that is not known has no place, so that every bin is one step away."""
        feature, now = self.card.features[place], self.codes[place]
        codes = np.arange(feature.bins)
        steps = codes - now
        if feature.levels is not None or now >= feature.bins:
            steps = (codes != now).astype(np.int64)
        elif direction:
            codes, steps = codes[steps * direction > 0], steps[steps * direction > 0]
        codes, steps = codes[steps != 0], np.abs(steps[steps != 0])
        gains = self.tables[place][codes] - self.tables[place][now]
        for first, second, values in self.pairs:
            if place == first:
                gains = gains + values[codes, self.codes[second]] - values[now, self.codes[second]]
            elif place == second:
                gains = gains + values[self.codes[first], codes] - values[self.codes[first], now]
        return _Options(place, codes, steps, gains)

    def together(self, one: _Options, other: _Options) -> FloatArray | None:
        """What two features gain by moving both beyond what each gains alone; None where no pair joins them."""
        total = None
        for first, second, values in self.pairs:
            if {first, second} != {one.feature, other.feature}:
                continue
            table = values if first == one.feature else values.T
            now, then = self.codes[one.feature], self.codes[other.feature]
            extra = table[np.ix_(one.codes, other.codes)] - table[one.codes, then][:, None]
            extra = extra - table[now, other.codes][None, :] + table[now, then]
            total = extra if total is None else total + extra
        return total

    def ways(
        self, free: list[int], directions: list[int], need: float, most: int
    ) -> tuple[tuple[Way, ...], bool | None]:
        """(ways, whether the cut-off can be reached at all if known)."""
        options = [found for place in free if len((found := self.options(place, directions[place])).codes)]
        # An upper bound of what each can give in any company: its own best, and half of its best with each other.
        hopes = []
        for one in options:
            hope = max(0.0, float(one.gains.max()))
            for other in options:
                extra = None if other is one else self.together(one, other)
                hope += 0.0 if extra is None else 0.5 * max(0.0, float(extra.max()))
            hopes.append(hope)
        order = sorted(range(len(options)), key=lambda at: -hopes[at])
        ranked, potential = [options[at] for at in order], [hopes[at] for at in order]
        for size in range(1, min(most, len(ranked)) + 1):
            tried = (self.nearest([ranked[at] for at in chosen], need) for chosen in _sets(potential, size, need))
            ways = [way for way in tried if way is not None]
            if ways:
                ways.sort(key=lambda way: (way.steps, -way.score, [move.feature for move in way.moves]))
                return tuple(ways[:_SHOWN]), True
        hopeless = sum(potential) < need or len(ranked) <= most
        return (), False if hopeless else None

    def nearest(self, chosen: list[_Options], need: float) -> Way | None:
        """The way that moves exactly these features by the fewest bins; of equals, the one that gains most."""
        chosen = sorted(chosen, key=lambda one: one.feature)
        size = len(chosen)
        joined = {
            (a, b): extra
            for a in range(size)
            for b in range(a + 1, size)
            if (extra := self.together(chosen[a], chosen[b])) is not None
        }
        alone = set(range(size)) - {place for couple in joined for place in couple}
        chosen = [one.undominated() if place in alone else one for place, one in enumerate(chosen)]
        gain: FloatArray = np.zeros([1] * size)
        steps: IntArray = np.zeros([1] * size, np.int64)
        for place, one in enumerate(chosen):
            shape = [-1 if axis == place else 1 for axis in range(size)]
            gain, steps = gain + one.gains.reshape(shape), steps + one.steps.reshape(shape)
        for (a, b), extra in joined.items():
            gain = gain + extra.reshape(
                [extra.shape[(a, b).index(axis)] if axis in (a, b) else 1 for axis in range(size)]
            )
        if not (gain >= need).any():
            return None
        least = steps[gain >= need].min()
        best = np.unravel_index(np.argmax(np.where((steps == least) & (gain >= need), gain, -np.inf)), gain.shape)
        moves, codes = [], list(self.codes)
        for one, at in zip(chosen, best, strict=True):
            name, after = self.card.features[one.feature].name, int(one.codes[at])
            moves.append(Move(name, codes[one.feature], after, int(one.steps[at])))
            codes[one.feature] = after
        return Way(tuple(moves), _score(self.card, codes), _probability(_log_odds(self.card, codes)))


def _sets(potential: Sequence[float], size: int, need: float, start: int = 0) -> Iterator[tuple[int, ...]]:
    """Sets of places whose potentials, which fall, sum to the need."""
    for place in range(start, len(potential) - size + 1):
        if potential[place] * size < need:
            return
        if size == 1:
            yield (place,)
        else:
            for rest in _sets(potential, size - 1, need - potential[place], place + 1):
                yield (place, *rest)


def change_texts(card: Scorecard, found: Changes, language: str) -> list[str]:
    """What would change the outcome in sentences: one a way, or the one that says there is none."""
    text = texts(language)
    if found.reached:
        return [text("scorecard.change.reached", score=f"{found.score:.1f}")]
    if not found.ways:
        key = "scorecard.change.none" if found.possible is False else "scorecard.change.few"
        return [text(key, most=found.most)]
    labels = {feature.name: bin_texts(feature, language) for feature in card.features}
    return [
        text(
            "scorecard.change.way",
            moves=text("scorecard.semicolon").join(
                text("scorecard.change.move", column=move.feature, before=labels[move.feature][move.before],
                     after=labels[move.feature][move.after])
                for move in way.moves
            ),
            score=f"{way.score:.1f}",
            chance=f"{100 * way.probability:.2f}%",
        )
        for way in found.ways
    ]  # fmt: skip
