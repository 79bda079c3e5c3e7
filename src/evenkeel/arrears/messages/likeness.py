"""How much a sentence is like those that may not be sent, for what no phrase foresees: a linear model of its own words.

Features of a sentence are its units and pairs of neighbours, the concepts of the phrase files that it names, and the
stances it takes. Weights come from the sentences in `sentences/*.txt` when they are first asked for: logistic
regression with an L2 penalty, fitted by L-BFGS from zero, so that the same files give the same weights. It is additive:
what a sentence is blamed for are the words that weigh most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, diags_array

from evenkeel.kernel.errors import InvalidInput

_PENALTY = 0.05  # times half the squared weights, against the sum of losses
_LOUD = 3.0  # how much more a stance counts than a word
_LEAST_UNITS = 6  # a sentence of fewer says too little
_FULL = 60  # features of a sentence that has its say in full; one of fewer has less

Feature = tuple[str, int, int]  # what, and the places of units that it spans


@dataclass(frozen=True, slots=True)
class Likeness:
    """weights: feature -> log-odds of a bad sentence, its features scaled to length 1. categories: feature
    -> how much it speaks for each category, in the order of `names`.
    """

    weights: Mapping[str, float]
    bias: float
    categories: Mapping[str, tuple[float, ...]]
    names: tuple[str, ...]

    def log_odds(self, features: Sequence[Feature]) -> float:
        """Log-odds that a sentence with these features may not be sent."""
        seen = {name for name, _, _ in features if name in self.weights}
        return self.bias + sum(self.weights[name] for name in sorted(seen)) / sqrt(max(len(seen), _FULL))

    def blamed(self, features: Sequence[Feature]) -> tuple[str, int, int]:
        """The category that the features speak for, and the places of the three that weigh most."""
        score = np.zeros(len(self.names))
        for name in sorted({name for name, _, _ in features}):
            score += self.categories.get(name, 0.0)
        weighty = sorted(features, key=lambda one: (-self.weights.get(one[0], 0.0), one[1]))[:3]
        return (
            self.names[int(np.argmax(score))],
            min(start for _, start, _ in weighty),
            max(end for _, _, end in weighty),
        )


def features(surfaces: Sequence[str], concepts: Iterable[tuple[str, int, int]]) -> list[Feature]:
    """The features of a sentence. surfaces: its units. concepts: names of concepts and the places of their phrases."""
    found: list[Feature] = [(f"@{name}", start, end) for name, start, end in concepts]
    words = ["#" if one.isdigit() else one for one in surfaces]
    for place, word in enumerate(words):
        found.append((word, place, place + 1))
        if place + 1 < len(words):
            found.append((f"{word} {words[place + 1]}", place, place + 2))
    return found


def worth_weighing(surfaces: Sequence[str]) -> bool:
    """Whether a sentence is long enough to be judged by its words."""
    return len(surfaces) >= _LEAST_UNITS


def fit(bad: Sequence[tuple[str, Sequence[Feature]]], good: Sequence[Sequence[Feature]]) -> Likeness:
    """The model of sentences. bad: their category and features. Both sides weigh the same, however many they are.

    Raises InvalidInput where one side is empty.
    """
    if not bad or not good:
        raise InvalidInput("there are no sentences to learn from.", "Give bad and good ones.")
    rows = [sorted({name for name, _, _ in one}) for one in (*(some for _, some in bad), *good)]
    index = {name: place for place, name in enumerate(sorted({name for row in rows for name in row}))}
    loud = np.array([_loudness(name) for name in index])
    matrix = _matrix(rows, index) @ diags_array(loud)
    signs = np.r_[np.ones(len(bad)), -np.ones(len(good))]
    share = np.where(signs > 0, 0.5 / len(bad), 0.5 / len(good)) * len(rows)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = signs * (matrix @ point[:-1] + point[-1])
        slope = -share * signs / (1.0 + np.exp(np.clip(margin, -500, 500)))
        value = float(share @ np.logaddexp(0.0, -margin)) + 0.5 * _PENALTY * float(point[:-1] @ point[:-1])
        return value, np.r_[matrix.T @ slope + _PENALTY * point[:-1], slope.sum()]

    point = minimize(loss, np.zeros(len(index) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    names = tuple(sorted({category for category, _ in bad}))
    weights = {name: float(point[place] * loud[place]) for name, place in index.items()}
    return Likeness(weights, float(point[-1]), _by_category(bad, names), names)


def _loudness(name: str) -> float:
    """How much a feature counts in the fit: a larger one costs less penalty for the same say."""
    return _LOUD if name.startswith("@") and (name.endswith("=") or " " in name) else 1.0


def _matrix(rows: Sequence[Sequence[str]], index: Mapping[str, int]) -> csr_matrix:
    """One row a sentence, each of length 1, or less where it has few features."""
    places = np.array([index[name] for row in rows for name in row])
    sizes = np.array([len(row) for row in rows])
    values = np.repeat(1.0 / np.sqrt(np.maximum(sizes, _FULL)), sizes)
    return csr_matrix((values, places, np.r_[0, np.cumsum(sizes)]), shape=(len(rows), len(index)))


def _by_category(bad: Sequence[tuple[str, Sequence[Feature]]], names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Log-ratio of how often a feature is in a category against the bad ones together, with one added to each."""
    counts = {name: Counter(one for category, some in bad if category == name for one in {f for f, _, _ in some})
              for name in names}  # fmt: skip
    sizes = Counter(category for category, _ in bad)
    total = Counter(one for _, some in bad for one in {f for f, _, _ in some})
    return {
        one: tuple(
            float(np.log((counts[name][one] + 1) / (sizes[name] + 2)) - np.log((total[one] + 1) / (len(bad) + 2)))
            for name in names
        )
        for one in total
    }
