"""How much a sentence is like those that may not be sent, for what no phrase foresees: a linear model of its own words.

Features of a sentence are its units and pairs of neighbours, the concepts of the phrase files that it names, the
stances it takes, and the kinds of its words (kinds.py): each kind, each two kinds in it, and each two that follow one
another closely, which is how a sentence in words never seen is told (who does what to whom, and on what condition).
Weights come from the sentences in `sentences/*.txt` when they are first asked for: logistic
regression with an L2 penalty, fitted by L-BFGS from zero, so that the same files give the same weights. It is additive:
what a sentence is blamed for are the words that weigh most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from evenkeel.arrears.messages.kinds import kinds, kinds_in
from evenkeel.kernel.errors import InvalidInput

_PENALTY = 0.05  # times half the squared weights, against the sum of losses
_LOUD = 2.0  # how much more a stance counts than a word
_TOGETHER = 0.5  # how much two kinds count together, against a word
_LEAST_UNITS = 4  # a sentence of fewer says too little
_LEAST_OFTEN = 2  # sentences that a feature must be in: one alone teaches nothing about others
_FULL = 64.0  # squared loudness of a sentence that has its say in full; a sentence of less has less
_NEAR = 6  # units within which two kinds follow one another
_NEXT = 10  # kinds after one that are looked at

_UNKNOWN = (0.0, 0.0)

Features = dict[str, tuple[int, int]]  # of a sentence: what, and the units that it spans where it stands first


@dataclass(frozen=True, slots=True)
class Likeness:
    """told: feature -> its log-odds of a bad sentence, for features scaled to length 1, and its squared loudness.
    categories: feature -> how much it speaks for each category, in the order of `names`.
    """

    told: Mapping[str, tuple[float, float]]
    bias: float
    categories: Mapping[str, tuple[float, ...]]
    names: tuple[str, ...]

    def log_odds(self, features: Features) -> float:
        """Log-odds that a sentence with these features may not be sent."""
        told, said, size = self.told, 0.0, 0.0
        for name in features:  # in their order, so that sums are the same
            if name in told:
                weight, square = told[name]
                said += weight
                size += square
        return self.bias + said / sqrt(max(size, _FULL))

    def blamed(self, features: Features) -> tuple[str, int, int]:
        """The category that the features speak for, and the places of the three that weigh most."""
        known = sorted(name for name in features if name in self.categories)
        score = np.sum([self.categories[name] for name in known], axis=0) if known else np.zeros(len(self.names))
        weighty = sorted(features, key=lambda name: (-self.told.get(name, _UNKNOWN)[0], features[name]))[:3]
        return (
            self.names[int(np.argmax(score))],
            min(features[name][0] for name in weighty),
            max(features[name][1] for name in weighty),
        )


def features(surfaces: Sequence[str], concepts: Iterable[tuple[str, int, int]], language: str) -> Features:
    """The features of a sentence. surfaces: its units. concepts: names of concepts and the places of their phrases."""
    found: Features = {}
    for name, start, end in concepts:
        found.setdefault(f"@{name}", (start, end))
    words = ["#" if one.isdigit() else one for one in surfaces]
    before = ""
    for place, word in enumerate(words):
        found.setdefault(word, (place, place + 1))
        if place:
            found.setdefault(f"{before} {word}", (place - 1, place + 1))
        before = word
    _add_kinds(found, surfaces, language)
    return found


def _add_kinds(found: Features, surfaces: Sequence[str], language: str) -> None:
    """The kinds of a sentence's words, those that are in it together, and those that follow one another closely."""
    some, spelled = kinds_in(surfaces, language), _spelled(language)
    first: dict[int, tuple[int, int]] = {}
    for place, (kind, start, end) in enumerate(some):
        if kind not in first:
            first[kind] = found[spelled.alone[kind]] = (start, end)
        after = spelled.after[kind]
        for other, begin, stop in some[place + 1 : place + 1 + _NEXT]:
            if begin - start > _NEAR:
                break
            if begin > start and other != kind:
                found[after[other]] = (start, stop)
    there = sorted(first)
    for place, kind in enumerate(there):
        together = spelled.together[kind]
        found |= dict.fromkeys([together[other] for other in there[place + 1 :]], first[kind])


class _Spelled(NamedTuple):
    """Names of features, by places of kinds."""

    alone: list[str]
    after: list[list[str]]
    together: list[list[str]]


@cache
def _spelled(language: str) -> _Spelled:
    names = kinds(language).names
    return _Spelled(
        [f"%{one}" for one in names],
        [[f"%{one}>{other}" for other in names] for one in names],
        [[f"%{one}&{other}" for other in names] for one in names],
    )


def worth_weighing(surfaces: Sequence[str]) -> bool:
    """Whether a sentence is long enough to be judged by its words."""
    return len(surfaces) >= _LEAST_UNITS


def fit(bad: Sequence[tuple[str, Features]], good: Sequence[Features]) -> Likeness:
    """The model of sentences. bad: their category and features. Both sides weigh the same, however many they are.

    Raises InvalidInput where one side is empty.
    """
    if not bad or not good:
        raise InvalidInput("there are no sentences to learn from.", "Give bad and good ones.")
    sets = [*(some for _, some in bad), *good]
    often = Counter(name for some in sets for name in some)
    rows = [sorted(name for name in some if often[name] >= _LEAST_OFTEN) for some in sets]
    index = {name: place for place, name in enumerate(sorted({name for row in rows for name in row}))}
    loud = np.array([_loudness(name) for name in index])
    matrix = _matrix(rows, index, loud)
    signs = np.r_[np.ones(len(bad)), -np.ones(len(good))]
    share = np.where(signs > 0, 0.5 / len(bad), 0.5 / len(good)) * len(rows)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = signs * (matrix @ point[:-1] + point[-1])
        slope = -share * signs / (1.0 + np.exp(np.clip(margin, -500, 500)))
        value = float(share @ np.logaddexp(0.0, -margin)) + 0.5 * _PENALTY * float(point[:-1] @ point[:-1])
        return value, np.r_[matrix.T @ slope + _PENALTY * point[:-1], slope.sum()]

    point = minimize(loss, np.zeros(len(index) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    names = tuple(sorted({category for category, _ in bad}))
    told = {name: (float(point[place] * loud[place]), float(loud[place] ** 2)) for name, place in index.items()}
    return Likeness(told, float(point[-1]), _by_category(bad, names), names)


def _loudness(name: str) -> float:
    """How much a feature counts in the fit: a louder one costs less penalty for the same say."""
    if name[0] == "@":
        return _LOUD if name.endswith("=") or " " in name else 1.0
    return _TOGETHER if name[0] == "%" and (">" in name or "&" in name) else 1.0


def _matrix(rows: Sequence[Sequence[str]], index: Mapping[str, int], loud: NDArray[np.float64]) -> csr_matrix:
    """One row a sentence, each of length 1, or less where it says little."""
    places = np.array([index[name] for row in rows for name in row])
    ends = np.r_[0, np.cumsum([len(row) for row in rows])]
    owners = np.repeat(np.arange(len(rows)), np.diff(ends))
    lengths = np.sqrt(np.maximum(np.bincount(owners, loud[places] ** 2, len(rows)), _FULL))
    return csr_matrix((loud[places] / lengths[owners], places, ends), shape=(len(rows), len(index)))


def _by_category(bad: Sequence[tuple[str, Features]], names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Log-ratio of how often a feature is in a category against the bad ones together, with one added to each."""
    counts = {name: Counter(one for category, some in bad if category == name for one in some)
              for name in names}  # fmt: skip
    sizes = Counter(category for category, _ in bad)
    total = Counter(one for _, some in bad for one in some)
    return {
        one: tuple(
            log((counts[name][one] + 1) / (sizes[name] + 2)) - log((total[one] + 1) / (len(bad) + 2)) for name in names
        )
        for one in total
        if total[one] >= _LEAST_OFTEN
    }
