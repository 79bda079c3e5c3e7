"""Which intent a text is held for: one rule, read where a borrower is understood and where its levels are calibrated.

Missing danger, a request to stop or a wrong person costs a person more than a needless question does. Such an intent
wins over a likelier one from its alert on; from its doubt on nothing else is acted on that is not itself sure. Both
are levels of probability, chosen out of fold (a cost-sensitive choice with a reject option, Chow 1970).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenkeel.arrears.conversation.corpus import INTENTS, Intent

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
SAFETY: tuple[Intent, ...] = ("vulnerable", "stop_contact", "wrong_person")
JOKING = frozenset({"conditional", "mocking"})  # notions with which nothing is promised
_PLACES = np.array([INTENTS.index(intent) for intent in SAFETY])
_VULNERABLE, _PROMISE, _OTHER = (INTENTS.index(intent) for intent in ("vulnerable", "promise_to_pay", "other"))
_DANGER = 0.05  # chance of `vulnerable` from which on words of danger to oneself decide
_BY_WORDS = 0.6  # least chance that is given to what words decided
_SURE = 0.7  # chance from which on an intent that must not be missed is beyond doubt of another


@dataclass(frozen=True, slots=True)
class Levels:
    """thresholds: by intent, the probability from which on it is held, else the text is undecided. alerts: by intent
    of SAFETY, the probability from which on it wins over a likelier one. doubts: by the same, the probability from
    which on another intent is not acted on."""

    thresholds: Mapping[str, float]
    alerts: Mapping[str, float]
    doubts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decided:
    """By text: the place of its intent in INTENTS (n,), the chance of that (n,), and whether it is left undecided."""

    named: NDArray[np.intp]
    chance: FloatArray
    undecided: BoolArray


def decide(chances: FloatArray, danger: BoolArray, joking: BoolArray, levels: Levels) -> Decided:
    """The intents of texts. chances: (n, intents), rows that sum to 1. danger: (n,), words of danger to oneself.
    joking: (n,), an "if" or mockery, with which nothing is promised.

    Among the intents of SAFETY past their alerts the one wins that is furthest past.
    """
    every = np.arange(len(chances))
    named = chances.argmax(axis=1)
    safe = chances[:, _PLACES]
    past = safe / np.array([levels.alerts[intent] for intent in SAFETY])
    alarmed = past.max(axis=1) >= 1
    jest = joking & (named == _PROMISE)
    named = np.where(jest, _OTHER, named)
    named = np.where(alarmed, _PLACES[past.argmax(axis=1)], named)
    words = danger & (chances[:, _VULNERABLE] >= _DANGER)
    named = np.where(words, _VULNERABLE, named)
    own = chances[every, named]
    chance = np.where(words | (jest & ~alarmed), np.maximum(own, _BY_WORDS), own)
    threshold = np.array([levels.thresholds[intent] for intent in INTENTS])[named]
    another = named[:, None] != _PLACES
    doubtful = (another & (safe >= np.array([levels.doubts[intent] for intent in SAFETY]))).any(axis=1)
    beyond = words | (np.isin(named, _PLACES) & (own >= _SURE))
    return Decided(named, chance, ((chance < threshold) & ~alarmed) | (doubtful & ~beyond))
