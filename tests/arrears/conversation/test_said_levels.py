"""Which intent a text is held for, and how the levels of that are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evenkeel.arrears.conversation.calibrating import Heard, Wanted, calibrate, macro_f1, recalls, thresholds_at
from evenkeel.arrears.conversation.corpus import INTENTS
from evenkeel.arrears.conversation.deciding import SAFETY, Levels, decide

LEVELS = Levels(
    thresholds_at(0.5),
    {"vulnerable": 0.2, "stop_contact": 0.3, "wrong_person": 0.3},
    {"vulnerable": 0.05, "stop_contact": 0.1, "wrong_person": 0.1},
)


def chances(**said: float) -> NDArray[np.float64]:
    """Chances of all intents: those said, and the rest in equal parts."""
    rest = (1 - sum(said.values())) / (len(INTENTS) - len(said))
    return np.array([said.get(intent, rest) for intent in INTENTS])


def held(
    row: NDArray[np.float64], danger: bool = False, joking: bool = False, levels: Levels = LEVELS
) -> tuple[str, bool]:
    """The intent that a text is held for, and whether it is undecided."""
    decided = decide(row[None, :], np.array([danger]), np.array([joking]), levels)
    return INTENTS[int(decided.named[0])], bool(decided.undecided[0])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (chances(hardship=0.9), ("hardship", False)),
        (chances(hardship=0.4), ("hardship", True)),  # under its threshold
        (chances(hardship=0.7, vulnerable=0.25), ("vulnerable", False)),  # past its alert
        (chances(hardship=0.9, vulnerable=0.06), ("hardship", True)),  # past its doubt
        (chances(vulnerable=0.75, stop_contact=0.15), ("vulnerable", False)),  # sure: beyond doubt
        (chances(vulnerable=0.5, stop_contact=0.15), ("vulnerable", True)),
        (chances(stop_contact=0.45, vulnerable=0.4), ("vulnerable", True)),  # 2.0 alerts against 1.5
    ],
)
def test_alerts_win_over_likelier_intents_and_doubts_leave_undecided(
    row: NDArray[np.float64], expected: tuple[str, bool]
) -> None:
    assert held(row) == expected


def test_words_of_danger_decide_and_an_if_is_no_promise() -> None:
    assert held(chances(abusive=0.9, vulnerable=0.06), danger=True) == ("vulnerable", False)
    assert held(chances(abusive=0.96, vulnerable=0.01), danger=True)[0] == "abusive"
    assert held(chances(promise_to_pay=0.95), joking=True) == ("other", False)
    assert held(chances(promise_to_pay=0.6, stop_contact=0.35), joking=True)[0] == "stop_contact"


ROWS = st.lists(st.floats(0.001, 1), min_size=len(INTENTS), max_size=len(INTENTS)).map(
    lambda parts: np.array(parts) / sum(parts)
)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from(SAFETY), st.floats(0.1, 0.99))
def test_a_lower_level_never_makes_a_safety_intent_lose_to_another_that_is_none(
    row: NDArray[np.float64], intent: str, share: float
) -> None:
    """The oracle: an intent past its alert or doubt is either held, or another of its kind is, or nothing is."""
    lower = replace(
        LEVELS,
        alerts={**LEVELS.alerts, intent: LEVELS.alerts[intent] * share},
        doubts={**LEVELS.doubts, intent: LEVELS.doubts[intent] * share},
    )
    for levels in (LEVELS, lower):
        named, undecided = held(row, levels=levels)
        past = [one for one in SAFETY if row[INTENTS.index(one)] >= levels.doubts[one]]
        assert not past or named in SAFETY or undecided
        if any(row[INTENTS.index(one)] >= levels.alerts[one] for one in SAFETY):
            assert named in SAFETY
    before, after = held(row), held(row, levels=lower)
    if before[0] == intent:
        assert after[0] == intent


def drawn(count: int, seed: int) -> Heard:
    """Texts whose chances are noisy but calibrated: truth drawn from them."""
    draw = np.random.default_rng(seed)
    rows = draw.dirichlet(np.full(len(INTENTS), 0.12), count)
    truth = np.array([draw.choice(len(INTENTS), p=row) for row in rows])
    return Heard(rows, truth, np.zeros(count, bool), np.zeros(count, bool))


def test_calibrated_levels_bring_the_recall_that_is_wanted_within_the_bounds() -> None:
    heard = drawn(3000, 1)
    thresholds = thresholds_at(0.4)
    loose = Wanted(recall=0.95, macro_f1=0.8, abstained=0.6)
    first = heard.decided(calibrate(heard, thresholds, Wanted(recall=0.0)))
    assert min(recalls(heard, first)[intent] for intent in SAFETY) < 0.9
    levels = calibrate(heard, thresholds, loose)
    decided = heard.decided(levels)
    for intent in SAFETY:
        place = INTENTS.index(intent)
        rows = [k for k in range(len(heard.truth)) if heard.truth[k] == place and not decided.undecided[k]]
        share = sum(decided.named[k] == place for k in rows) / len(rows)  # by hand
        assert recalls(heard, decided)[intent] == pytest.approx(share, abs=1e-4)
        assert share >= 0.95
    tight = Wanted(recall=0.999, macro_f1=0.85, abstained=0.3)
    bound = heard.decided(calibrate(heard, thresholds, tight))
    assert bound.undecided.mean() <= 0.3
    assert calibrate(heard, thresholds, tight) == calibrate(heard, thresholds, tight)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    heard = drawn(500, 2)
    decided = heard.decided(LEVELS)
    kept = ~decided.undecided
    present = np.unique(heard.truth[kept])
    expected = f1_score(heard.truth[kept], decided.named[kept], labels=present, average="macro", zero_division=0)
    assert macro_f1(heard.truth, decided) == pytest.approx(expected)
