"""The households: where they live and work, what they earn and need, how they bear a bad month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from evenkeel.book.generator.spec import PEOPLE, GeneratorSpec
from evenkeel.book.generator.world import (
    INDUSTRIES,
    PROVINCES,
    BoolArray,
    FloatArray,
    IntArray,
    quintile_incomes,
)
from evenkeel.kernel.calendar import month_number

OCCUPATIONS: Final = ("worker", "clerk", "self-employed", "manager", "gig worker")
SELF_EMPLOYED, GIG_WORKER = 2, 4
HOUSING: Final = ("rented", "owned", "mortgaged", "with parents", "dormitory")
INCOME_SOURCES: Final = ("salary", "business", "gig")

# Lines wanted, 1 to 6. Wider than what is held in the end: some are declined, repaid or charged off.
LINES_WANTED: Final = (0.490, 0.242, 0.106, 0.056, 0.057, 0.049)
EARNERS_SHARE: Final = 1.6  # persons that live on one earner's income
QUINTILE_SHARES: Final = (0.08, 0.20, 0.26, 0.26, 0.20)  # of borrowers who are not migrants; judgement
MIGRANT_SHARE: Final = 0.45
CONCEALER_SHARE: Final = 0.006
RING_SIZE: Final = 6


@dataclass(frozen=True, slots=True)
class Households:
    """One entry a borrower, in order of borrower id; amounts in fen a month.

    strain: standard normal; the same trait brings thin savings, high needs and more lines.
    conceals: declares far too much and hides other lines; willing: False for those who never mean to pay.
    bridges: borrows on one line to pay another. spared: of small accidents: limit reviews, moods (the story's).
    ring: the group that shares devices, phones and employers, -1 for none.
    """

    region: IntArray
    industry: IntArray
    occupation: IntArray
    housing: IntArray
    birth_year: IntArray
    dependants: IntArray
    employer: IntArray
    income: IntArray
    volatility: FloatArray
    pay_day: IntArray
    essentials: IntArray
    discretionary: IntArray
    savings: IntArray
    savings_target: IntArray
    forgets: FloatArray
    shock_risk: FloatArray
    strain: FloatArray
    conceals: BoolArray
    willing: BoolArray
    ring: IntArray
    bridges: BoolArray
    spared: BoolArray
    salary_seen: BoolArray
    declared: IntArray
    verified: IntArray
    lines_wanted: IntArray

    @property
    def count(self) -> int:
        return len(self.income)


def _incomes(spec: GeneratorSpec, rng: np.random.Generator, industry: IntArray) -> FloatArray:
    """Yuan a month: migrants by the wage of their industry, others by quintile of income a head."""
    n = len(industry)
    wages = np.array([i.wage for i in INDUSTRIES])
    heads = quintile_incomes(month_number(spec.end_month)) * EARNERS_SHARE / 12
    quintile = rng.choice(5, n, p=QUINTILE_SHARES)
    resident = heads[quintile] * np.exp(rng.normal(-0.02, 0.2, n)) * (0.75 + 0.25 * wages[industry] / wages.mean())
    migrant = wages[industry] * np.exp(rng.normal(-0.04, 0.28, n))
    return np.where(rng.random(n) < MIGRANT_SHARE, migrant, resident)


def _employers(rng: np.random.Generator, region: IntArray, industry: IntArray) -> IntArray:
    """Employers of about thirty borrowers each, in one region and one industry."""
    block = region * len(INDUSTRIES) + industry
    size = np.bincount(block, minlength=len(PROVINCES) * len(INDUSTRIES))
    per_block = np.maximum(size // 30, 1)
    return np.asarray(block * 100_000 + (rng.random(len(block)) * per_block[block]).astype(np.int64))


def _declared(rng: np.random.Generator, income: FloatArray, conceals: BoolArray) -> FloatArray:
    """Most round up a little, some a lot; those who conceal declare a multiple."""
    n = len(income)
    honest = np.exp(rng.normal(0.05, 0.10, n))
    rosy = np.where(rng.random(n) < 0.10, rng.uniform(1.3, 1.8, n), honest)
    return income * np.where(conceals, rng.uniform(2.0, 4.0, n), rosy)


def draw_households(spec: GeneratorSpec) -> Households:
    """All households of the book. The last is overwritten by the story."""
    rng = spec.random(PEOPLE)
    n = spec.borrowers
    residents = np.array(list(PROVINCES.values()))
    region = rng.choice(len(residents), n, p=residents / residents.sum()).astype(np.int64)
    shares = np.array([i.share for i in INDUSTRIES])
    industry = rng.choice(len(shares), n, p=shares / shares.sum()).astype(np.int64)
    strain = rng.normal(size=n)
    conceals = rng.random(n) < CONCEALER_SHARE
    income = _incomes(spec, rng, industry) * np.where(conceals, 0.7, 1.0)
    in_ring = conceals & (rng.random(n) < 0.45)
    ring = np.where(in_ring, (np.cumsum(in_ring) - 1) // RING_SIZE, -1)
    risk = np.array([i.risk for i in INDUSTRIES])[industry] * np.exp(1.05 * strain + rng.normal(-0.5, 0.5, n))
    occupation = rng.choice(5, n, p=(0.46, 0.22, 0.12, 0.08, 0.12)).astype(np.int64)
    unsteady = np.array([1.0, 0.7, 2.0, 0.7, 1.9])[occupation]
    volatility = np.array([i.volatility for i in INDUSTRIES])[industry] * unsteady
    needs = np.clip(0.44 + 0.195 * strain + rng.normal(0, 0.05, n) - 0.06 * np.log(income / 5000), 0.2, 0.90)
    wants = np.clip(0.26 + 0.02 * strain + rng.normal(0, 0.05, n), 0.08, 0.40)
    months_saved = np.exp(rng.normal(0.35, 0.75, n) - 0.95 * strain)
    salary_seen = rng.random(n) < np.where(np.isin(occupation, (SELF_EMPLOYED, GIG_WORKER)), 0.35, 0.55)
    declared = _declared(rng, income, conceals)
    salary_seen &= ~conceals | (rng.random(n) < 0.3)
    wanted = np.searchsorted(np.cumsum(LINES_WANTED), ndtr(0.96 * strain + 0.28 * rng.normal(size=n)))
    wanted = np.where(conceals, np.maximum(wanted, 2), np.minimum(wanted, 5)) + 1
    fen = (100 * income).astype(np.int64)
    return Households(
        region=region,
        industry=industry,
        occupation=occupation,
        housing=rng.choice(5, n, p=(0.38, 0.18, 0.16, 0.16, 0.12)).astype(np.int64),
        birth_year=month_number(spec.end_month) // 12 - np.clip(rng.gamma(5.0, 3.6, n) + 18, 19, 65).astype(np.int64),
        dependants=rng.choice(4, n, p=(0.42, 0.31, 0.20, 0.07)).astype(np.int64),
        employer=np.where(in_ring, -1 - ring, _employers(rng, region, industry)),
        income=fen,
        volatility=volatility,
        pay_day=rng.choice((5, 8, 10, 15, 20, 25), n, p=(0.14, 0.12, 0.34, 0.28, 0.07, 0.05)).astype(np.int64),
        essentials=(needs * fen).astype(np.int64),
        discretionary=(wants * fen).astype(np.int64),
        savings=(months_saved * 0.7 * fen).astype(np.int64),
        savings_target=(months_saved * fen).astype(np.int64),
        forgets=np.minimum(rng.gamma(0.5, 2.0, n) * 0.087, 0.6),
        shock_risk=risk,
        strain=strain,
        conceals=conceals,
        willing=~(in_ring & (rng.random(n) < 0.8)),
        ring=ring,
        spared=np.zeros(n, np.bool_),
        bridges=rng.random(n) < 0.35,
        salary_seen=salary_seen,
        declared=declared.astype(np.int64) // 100 * 10_000,
        verified=np.where(salary_seen, (fen * np.exp(rng.normal(0, 0.04, n))).astype(np.int64), -1),
        lines_wanted=wanted,
    )
