"""The registered design by which the effect of lessons is measured: arms by a stable hash, and what can be seen.

`docs/learning-trial.md` is the registration; its table is made here, and a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scipy.special import ndtri

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.register import WHOLE_PPM, draw_ppm

HOLDOUT = "holdout"
LESSON = "lesson"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that was registered before its first borrower.

    holdout_ppm: the share of borrowers, in millionths, who see no lesson, only what everybody is always told (cost,
    rights, whom to call). outcomes: share of each among the holdout, as expected; the first is the primary one. alpha:
    of a two-sided test of the primary outcome; power: with which an effect is to be seen.
    """

    id: str
    holdout_ppm: int
    outcomes: Mapping[str, float]
    alpha: float = 0.05
    power: float = 0.80


# Base rates are judgements to be replaced from the lender's own holdout before the start.
LEARNING_1 = Trial(
    "learning-1",
    500_000,
    MappingProxyType(
        {
            "redelinquent_90_days": 0.30,
            "promise_broken": 0.50,
            "plan_broken": 0.55,
            "complaint": 0.03,
            "borrowed_to_repay": 0.15,
        }
    ),
)


def arm_of(borrower_id: str, trial: Trial) -> str:
    """The arm of a borrower: the same every time, on every machine, whatever else is known of the borrower."""
    return HOLDOUT if draw_ppm(trial.id, borrower_id) < trial.holdout_ppm else LESSON


def detectable_sd(lesson: int, holdout: int, alpha: float = 0.05, power: float = 0.80) -> float:
    """The smallest difference of means, in standard deviations, that a two-sided z test sees with `power`.

        (z(1 - alpha / 2) + z(power)) * sqrt(1 / n_lesson + 1 / n_holdout)

    lesson, holdout: borrowers in each arm. Raises InvalidInput on an empty arm or a probability outside (0, 1).
    """
    if min(lesson, holdout) < 1 or not (0 < alpha < 1 and 0 < power < 1):
        raise InvalidInput("both arms have borrowers, and alpha and power lie between 0 and 1.")
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * math.sqrt(1 / lesson + 1 / holdout))


def detectable_fall(base: float, lesson: int, holdout: int, alpha: float = 0.05, power: float = 0.80) -> float | None:
    """The smallest fall of a share from `base` that is seen with `power`; None where even a fall to 0 is not.

    Two-sided z test of two shares: pooled variance under no effect, each arm's own under the effect (Fleiss, Levin and
    Paik 2003, without continuity correction). Found by bisection, as the power only grows with the fall.
    """
    detectable_sd(lesson, holdout, alpha, power)
    if not 0 < base < 1:
        raise InvalidInput(f"a base share of {base} leaves nothing to see; give one between 0 and 1.")
    low, high = 0.0, base
    if _power(base, base, lesson, holdout, alpha) < power:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _power(base, middle, lesson, holdout, alpha) < power else (low, middle)
    return high


def _power(base: float, fall: float, lesson: int, holdout: int, alpha: float) -> float:
    """The chance that the test sees a fall, by the normal approximation; the other tail counts for nothing."""
    after = base - fall
    pooled = (lesson * after + holdout * base) / (lesson + holdout)
    under_none = math.sqrt(pooled * (1 - pooled) * (1 / lesson + 1 / holdout))
    under_effect = math.sqrt(after * (1 - after) / lesson + base * (1 - base) / holdout)
    return 0.5 * math.erfc(-(fall - float(ndtri(1 - alpha / 2)) * under_none) / under_effect / math.sqrt(2))


def effect_table(trial: Trial, sizes: tuple[int, ...] = (500, 1_000, 2_000, 5_000, 10_000, 20_000)) -> list[list[str]]:
    """The table of smallest detectable effects: for borrowers in all, in standard deviations, and for each outcome as
    the fall in percentage points from its base share. An em dash: not even a fall to 0."""
    rows = []
    for size in sizes:
        holdout = size * trial.holdout_ppm // WHOLE_PPM
        arms = (size - holdout, holdout)
        cells = [f"{size:,}", f"{detectable_sd(*arms, trial.alpha, trial.power):.3f}"]
        for base in trial.outcomes.values():
            fall = detectable_fall(base, *arms, trial.alpha, trial.power)
            cells.append("—" if fall is None else f"{100 * fall:.1f}")
        rows.append(cells)
    return rows
