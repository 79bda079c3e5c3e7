"""How well the understanding does on sentences that somebody labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from evenkeel.arrears.conversation.corpus import INTENTS
from evenkeel.arrears.conversation.points import Points
from evenkeel.arrears.conversation.understanding import Understood, understand
from evenkeel.kernel.errors import InvalidInput

_BINS = 10


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence with its label. slots: as far as they are labelled. today: when it was written."""

    id: str
    intent: str
    language: str
    text: str
    slots: Mapping[str, Any]
    today: date

    def __post_init__(self) -> None:
        if self.intent not in INTENTS:
            raise InvalidInput(f"{self.intent!r} is no intent.", f"Use one of {', '.join(INTENTS)}.")


@dataclass(frozen=True, slots=True)
class Judged:
    """macro_f1: over the sentences that were decided; macro_f1_missed: where an undecided one counts as missed.

    intents: by intent its count, precision, recall (of all its sentences, decided or not), recall_decided, f1. slots:
    by slot how many were labelled and how many of these agree. calibration_error: mean distance of chance and share
    that is right, in ten bins (ECE). wrong: the sentences that were not."""

    sentences: int
    abstained: float
    macro_f1: float
    macro_f1_missed: float
    intents: Mapping[str, Mapping[str, Any]]
    slots: Mapping[str, Mapping[str, int]]
    calibration_error: float
    wrong: Sequence[Mapping[str, Any]]


def judge(sentences: Sequence[Labelled], points: Points | None = None) -> Judged:
    """Judge the understanding on labelled sentences. Raises InvalidInput where there is none."""
    if not sentences:
        raise InvalidInput("There is no sentence to judge on.", "Give one at least.")
    said = [understand(one.text, one.today, points) for one in sentences]
    pairs = list(zip(sentences, said, strict=True))
    decided = [(one, heard) for one, heard in pairs if not heard.abstained]
    intents: dict[str, dict[str, Any]] = {intent: _scores(intent, pairs, decided) for intent in INTENTS}
    present = [one for one in intents.values() if one["count"]]
    wrong = [
        {"id": one.id, "text": one.text, "intent": one.intent, "understood": heard.intent,
         "confidence": heard.confidence, "abstained": heard.abstained, "also": list(heard.also)}
        for one, heard in pairs if heard.abstained or heard.intent != one.intent
    ]  # fmt: skip
    return Judged(
        len(pairs), round(1 - len(decided) / len(pairs), 4), _mean([one["f1"] for one in present]),
        _mean([one["f1_missed"] for one in present]), intents, _slots(decided), _calibration(pairs), wrong,
    )  # fmt: skip


_Pairs = Sequence[tuple[Labelled, Understood]]


def _scores(intent: str, pairs: _Pairs, decided: _Pairs) -> dict[str, Any]:
    count = sum(one.intent == intent for one, _ in pairs)
    open_count = sum(one.intent == intent for one, _ in decided)
    hit = sum(one.intent == intent == heard.intent for one, heard in decided)
    named = sum(heard.intent == intent for _, heard in decided)
    return {
        "count": count, "precision": _share(hit, named), "recall": _share(hit, count),
        "recall_decided": _share(hit, open_count), "f1": _share(2 * hit, named + open_count) or 0.0,
        "f1_missed": _share(2 * hit, named + count) or 0.0,
    }  # fmt: skip


def _slots(decided: _Pairs) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for one, heard in decided:
        if one.intent != heard.intent:
            continue
        for name, value in one.slots.items():
            counts = found.setdefault(name, {"labelled": 0, "agree": 0})
            counts["labelled"] += 1
            counts["agree"] += heard.slots.get(name) == value
    return found


def _calibration(pairs: _Pairs) -> float:
    total = 0.0
    for number in range(_BINS):
        inside = [
            (heard.confidence, one.intent == heard.intent)
            for one, heard in pairs if min(int(heard.confidence * _BINS), _BINS - 1) == number
        ]  # fmt: skip
        total += abs(sum(chance for chance, _ in inside) - sum(right for _, right in inside))
    return round(total / len(pairs), 4)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
