"""What a borrower means: an intent with its chance, what was said with it, and when not to decide.

The table of points says how likely each intent is, `deciding` which is held. Words of danger to oneself are
`vulnerable` at any chance that is not small; a promise with an "if" in it, or in mockery, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from evenkeel.arrears.conversation.amounts import find_amounts, find_share
from evenkeel.arrears.conversation.corpus import CAUSES, INTENTS, Intent
from evenkeel.arrears.conversation.days import find_days
from evenkeel.arrears.conversation.deciding import JOKING, decide
from evenkeel.arrears.conversation.features import features, folded, is_chinese
from evenkeel.arrears.conversation.points import Points, shipped_points
from evenkeel.kernel.errors import InvalidInput

_ALSO = 0.2  # chance from which on another intent is named beside the first


@dataclass(frozen=True, slots=True)
class Understood:
    """intent, with its chance (0 to 1, calibrated). abstained: the chance is too small to act on, or
    an intent that must not be missed is not ruled out; ask again.

    slots: of a promise `date` (ISO) and `amount_minor`, null where not said for certain, and `currency` and `share`
    where said; of a hardship `cause`. runner_up: the next intent. also: other intents that the text may hold too.
    certain: each slot that is there was said once and plainly. language: of the answer, en or zh."""

    intent: Intent
    slots: Mapping[str, Any]
    confidence: float
    abstained: bool
    runner_up: Intent
    also: tuple[Intent, ...]
    language: str
    certain: bool = field(default=True)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text says of paying: a day, an amount or a share; certain: at most one of each, and not about."""

    on: date | None
    amount_minor: int | None
    currency: str | None
    share: float | None
    certain: bool


def understand(text: str, today: date, points: Points | None = None, currency: str | None = None) -> Understood:
    """What a text means. today: where the borrower is. currency: of the debt, which an amount without one is in.

    Raises InvalidInput if `text` is not a text.
    """
    if not isinstance(text, str):
        raise InvalidInput("What a borrower wrote is a text.", "Pass it as it came in.")
    table = points or shipped_points()
    plain = folded(text)
    found = features(text)
    language = "zh" if is_chinese(text) else "en"
    if not any(one.isalnum() for one in plain):  # nothing, or signs alone
        return Understood("other", {}, 0.0, True, "other", (), language)
    chances, causes = table.chances(found)
    chance = {intent: float(chances[place]) for place, intent in enumerate(INTENTS)}
    ranked = sorted(INTENTS, key=lambda intent: -chance[intent])
    notions = frozenset(found["n"])
    danger, joking = np.array(["self_harm" in notions]), np.array([bool(notions & JOKING)])
    decided = decide(chances[None, :], danger, joking, table.levels)
    intent = INTENTS[int(decided.named[0])]
    runner_up = next(one for one in ranked if one != intent)
    also = tuple(one for one in ranked if one != intent and chance[one] >= _ALSO)
    slots, certain = _slots(intent, plain, today, causes, currency)
    confidence, abstained = round(float(decided.chance[0]), 4), bool(decided.undecided[0])
    return Understood(intent, slots, confidence, abstained, runner_up, also, language, certain)


def _slots(
    intent: Intent, plain: str, today: date, causes: Any, currency: str | None
) -> tuple[Mapping[str, Any], bool]:
    if intent == "hardship":
        return {"cause": CAUSES[int(causes.argmax())]}, bool(causes.max() >= 0.5)
    if intent != "promise_to_pay":
        return {}, True
    terms = terms_of(plain, today, currency)
    slots: dict[str, Any] = {"date": terms.on.isoformat() if terms.on else None, "amount_minor": terms.amount_minor}
    if terms.currency:
        slots["currency"] = terms.currency
    if terms.share is not None:
        slots["share"] = terms.share
    return slots, terms.certain


def terms_of(plain: str, today: date, currency: str | None = None) -> Terms:
    """What a folded text says of paying; of several days or amounts the first, and then nothing is certain."""
    named = find_days(plain, today)
    days = list(dict.fromkeys(day.on for day in named if day.on is not None))
    amounts = find_amounts(plain, [(day.start, day.end) for day in named], currency)
    share = find_share(plain)
    wrong = currency is not None and any(one.currency not in (None, currency) for one in amounts)
    single = len(days) <= 1 and len({one.minor for one in amounts}) <= 1
    certain = single and not wrong and not any(one.about for one in amounts) and not (amounts and share)
    return Terms(
        days[0] if days else None, amounts[0].minor if amounts and not wrong else None,
        amounts[0].currency if amounts else None, None if share is None else round(float(share), 4), certain,
    )  # fmt: skip
