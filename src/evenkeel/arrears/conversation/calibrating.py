"""The levels from which intents are held, chosen on chances of texts that were not learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenkeel.arrears.conversation.corpus import INTENTS
from evenkeel.arrears.conversation.deciding import SAFETY, BoolArray, Decided, FloatArray, Levels, decide

_FIRST = 0.35  # alert and doubt that the search begins at
_STEP = 0.8  # of a level, to the next lower one
_LEAST = 0.004
_SAFETY_SHARE = 0.6  # of the others' threshold, for intents that must not be missed


@dataclass(frozen=True, slots=True)
class Heard:
    """Texts out of fold. chances: (n, intents). truth: (n,), places in INTENTS. danger, joking: as in `decide`."""

    chances: FloatArray
    truth: NDArray[np.int64]
    danger: BoolArray
    joking: BoolArray

    def of(self, rows: BoolArray) -> Heard:
        """Some of the texts."""
        return Heard(self.chances[rows], self.truth[rows], self.danger[rows], self.joking[rows])

    def decided(self, levels: Levels) -> Decided:
        """What each is held for at these levels."""
        return decide(self.chances, self.danger, self.joking, levels)


@dataclass(frozen=True, slots=True)
class Wanted:
    """recall: of each intent of SAFETY, among the texts that are decided. macro_f1: what alerts may not take it under.
    abstained: share of the texts that doubts may leave undecided."""

    recall: float = 0.985
    macro_f1: float = 0.89
    abstained: float = 0.12


def thresholds_at(floor: float) -> dict[str, float]:
    """The threshold of each intent; those that must not be missed are held at a lower chance."""
    return {intent: round(floor * (_SAFETY_SHARE if intent in SAFETY else 1.0), 4) for intent in INTENTS}


def calibrate(heard: Heard, thresholds: Mapping[str, float], wanted: Wanted) -> Levels:
    """Alerts, then doubts, that bring each intent of SAFETY to the wanted recall, or as near as the bounds allow.

    Step by step the level of the intent with the least recall is lowered; one whose next step breaks a bound stays.
    Alerts come first, without doubts.
    """
    never: dict[str, float] = dict.fromkeys(SAFETY, 1.1)
    levels = Levels(thresholds, dict.fromkeys(SAFETY, _FIRST), never)
    levels = _lowered(heard, levels, wanted, alerts=True)
    return _lowered(heard, replace(levels, doubts=dict.fromkeys(SAFETY, _FIRST)), wanted, alerts=False)


def _lowered(heard: Heard, levels: Levels, wanted: Wanted, alerts: bool) -> Levels:
    open_to_change = set(SAFETY)
    while True:
        now = recalls(heard, heard.decided(levels))
        short = [intent for intent in SAFETY if intent in open_to_change and now[intent] < wanted.recall]
        if not short:
            return levels
        worst = min(short, key=lambda intent: now[intent])
        lower = _step(levels, worst, alerts)
        decided = heard.decided(lower)
        level = (lower.alerts if alerts else lower.doubts)[worst]
        if alerts:
            kept = macro_f1(heard.truth, decided) >= wanted.macro_f1
        else:
            kept = float(decided.undecided.mean()) <= wanted.abstained
        if level >= _LEAST and kept:
            levels = lower
        else:
            open_to_change.discard(worst)


def _step(levels: Levels, intent: str, alerts: bool) -> Levels:
    if alerts:
        return replace(levels, alerts={**levels.alerts, intent: round(levels.alerts[intent] * _STEP, 4)})
    return replace(levels, doubts={**levels.doubts, intent: round(levels.doubts[intent] * _STEP, 4)})


def recalls(heard: Heard, decided: Decided) -> dict[str, float]:
    """By intent, the share of its decided texts that are held for it; 1 where there is none."""
    kept = ~decided.undecided
    found: dict[str, float] = {}
    for place, intent in enumerate(INTENTS):
        own = decided.named[kept & (heard.truth == place)] == place
        found[intent] = round(float(own.mean()), 4) if len(own) else 1.0
    return found


def macro_f1(truth: NDArray[np.int64], decided: Decided) -> float:
    """Mean F1 of the intents that stand in the decided texts."""
    kept = ~decided.undecided
    truth, named = truth[kept], decided.named[kept]
    scores = []
    for place in np.unique(truth):
        hit = float(((truth == place) & (named == place)).sum())
        scores.append(2 * hit / max(float((truth == place).sum() + (named == place).sum()), 1.0))
    return float(np.mean(scores)) if scores else 0.0
