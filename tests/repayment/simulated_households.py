"""Households whose truth is known: drawn from the population that the priors state, or from others. Written apart from
the product: plain loops over months, one household at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from evenkeel.repayment.case import Case, Essential, Household, Income
from evenkeel.repayment.household.chance import chance
from evenkeel.repayment.household.income import PRIORS
from evenkeel.repayment.household.outlook import budget, outlook
from evenkeel.repayment.model import Chance

AS_OF = date(2026, 3, 10)


@dataclass
class TrueIncome:
    kind: str
    level: float
    volatility: float
    persistence: float
    loss: float
    found: float
    benefit: float


@dataclass
class Truth:
    incomes: list[TrueIncome]
    essentials: int
    small: float
    large: float
    drop: float


def draw_truth(rng: np.random.Generator) -> Truth:
    """One household of the stated population."""
    incomes = []
    for kind in [str(rng.choice(["wage", "gig"]))] + (["wage"] if rng.random() < 0.4 else []):
        usual = PRIORS.usual[kind]
        monthly = 1 - (1 - usual.loss_annual) ** (1 / 12)
        incomes.append(
            TrueIncome(
                kind,
                float(np.exp(rng.normal(np.log(500_000), 0.4))),
                float(usual.volatility * np.exp(PRIORS.volatility_spread * rng.normal())),
                float(rng.choice(PRIORS.persistence)),
                float(rng.beta(PRIORS.loss_worth, PRIORS.loss_worth * (1 / monthly - 1))),
                float(rng.beta(PRIORS.out_worth, PRIORS.out_worth * (PRIORS.months_out - 1))),
                float(rng.uniform(*usual.benefit)),
            )
        )
    return Truth(
        incomes,
        int(sum(one.level for one in incomes) * rng.uniform(0.35, 0.6)),
        PRIORS.small_monthly * float(np.exp(PRIORS.accident_spread * rng.normal())),
        PRIORS.large_monthly * float(np.exp(PRIORS.accident_spread * rng.normal())),
        PRIORS.drop_monthly * float(np.exp(PRIORS.drop_spread * rng.normal())),
    )


def history(
    one: TrueIncome, months: int, rng: np.random.Generator, process: str = "stated"
) -> tuple[list[int], float, bool, bool]:
    """(months seen, state of the logarithm, whether it is there at the end, its regime).

    process: `stated`, or one that the model does not know: `regimes` (two levels, each kept for a year or so), `heavy`
    (noise of Student's t with 2 degrees of freedom).
    """
    amounts = []
    x, here, regime = one.volatility * rng.normal(), True, rng.random() < 0.5
    for month in range(months):
        if month:
            here = rng.random() >= one.loss if here else rng.random() < one.found
        x, regime = _step(one, x, regime, rng, process)
        amounts.append(round(one.level * np.exp(x + _regime(regime, process))) if here else 0)
    return amounts, x, here, regime


def _step(one: TrueIncome, x: Any, regime: Any, rng: np.random.Generator, process: str) -> tuple[Any, Any]:
    size = np.shape(x) or None
    noise = np.clip(rng.standard_t(2, size), -20, 20) if process == "heavy" else rng.standard_normal(size)
    if process == "regimes":
        regime = regime ^ (rng.random(size) < 1 / 12)
    return one.persistence * x + one.volatility * np.sqrt(1 - one.persistence**2) * noise, regime


def _regime(regime: Any, process: str) -> Any:
    return np.where(regime, 0.35, -0.35) if process == "regimes" else 0.0


def completed(
    truth: Truth, states: list[tuple[float, bool, bool]], payment: int, months: int, carry: float,
    rng: np.random.Generator, futures: int, process: str = "stated",
) -> np.ndarray:  # fmt: skip
    """(futures,): whether a plan of level payments in months 1..months is completed, month by month by the rules."""
    x = [np.full(futures, state) for state, _, _ in states]
    here = [np.full(futures, there) for _, there, _ in states]
    regime = [np.full(futures, bool(there)) for _, _, there in states]
    kept, alive = np.zeros(futures), np.ones(futures, bool)
    misses = np.zeros((futures, months + 1), bool)
    for month in range(months + 1):
        left = np.full(futures, -float(truth.essentials))
        for place, one in enumerate(truth.incomes):
            u = rng.random(futures)
            here[place] = np.where(here[place], u >= one.loss, u < one.found)
            x[place], regime[place] = _step(one, x[place], regime[place], rng, process)
            usual = np.where(here[place], np.exp(x[place] + _regime(regime[place], process)), one.benefit)
            left += one.level * usual
        for often, share in ((truth.small, PRIORS.small_share), (truth.large, PRIORS.large_share)):
            left -= truth.essentials * share * rng.exponential(size=futures) * (rng.random(futures) < often)
        if month == 0:
            continue
        over = left - payment
        misses[:, month] = kept + over < 0
        kept = np.clip(kept + np.where(over > 0, over * PRIORS.keep_share, over), 0, carry)
        row = misses[:, month] & misses[:, month - 1]
        third = misses[:, max(month - 11, 0) : month + 1].sum(axis=1) >= PRIORS.in_year
        alive &= ~row & ~third & (rng.random(futures) >= truth.drop)
    return alive


@dataclass
class Trial:
    chance: Chance
    completed: np.ndarray


def trial(seed: int, process: str = "stated", futures: int = 400) -> Trial:
    """A household of 12 to 24 months of history, a plan of 12 to 60 months, its chance, and how its futures end."""
    rng = np.random.default_rng(seed)
    truth = draw_truth(rng)
    seen = int(rng.integers(12, 25))
    lives = [history(one, seen, rng, process) for one in truth.incomes]
    if not any(sum(amounts) for amounts, *_ in lives):
        return trial(seed + 1_000_000, process, futures)
    incomes = tuple(
        Income(id=f"income{place}", kind=one.kind, history_minor=tuple(amounts))  # type: ignore[arg-type]
        for place, (one, (amounts, *_)) in enumerate(zip(truth.incomes, lives, strict=True))
    )
    house = Household(incomes=incomes, essentials=(Essential(category="food", amount_minor=truth.essentials),))
    case = Case(case_id="simulated", as_of=AS_OF, household=house, debts=(), seed=seed)
    months = int(rng.choice([12, 24, 36, 60]))
    ahead = outlook(case, months=months)
    capacity = budget(case, ahead).capacity
    payment = int(max(capacity[1:].min(), truth.essentials // 20) * rng.uniform(0.4, 1.1))
    payments = np.full(months + 1, payment)
    payments[0] = 0
    states = [(state, there, regime) for _, state, there, regime in lives]
    ended = completed(truth, states, payment, months, ahead.carry_minor, rng, futures, process)
    return Trial(chance(ahead, payments), ended)
