"""The lines that households ask for, and each lender's own rule for granting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from evenkeel.book.generator.households import Households
from evenkeel.book.generator.spec import LINES, GeneratorSpec
from evenkeel.book.generator.world import (
    BNPL,
    CARD,
    CASH,
    INSTALMENT,
    LENDERS,
    PRODUCT_NAMES,
    BoolArray,
    FloatArray,
    IntArray,
)

TERMS: Final = np.array([6, 9, 12, 12, 12, 18, 24])
OLDEST_LINE: Final = 110  # months
FULL, PARTIAL, MINIMUM = range(3)

# How painful it is to let a product's bill go; the household lets the least painful go first.
PAIN: Final = (0.0, 1.2, 0.7, 0.4)
# Shares of lines that are paid in full and in part; the others at the minimum.
_STYLES: Final = {BNPL: (0.78, 0.14), CARD: (0.50, 0.36)}


@dataclass(frozen=True, slots=True)
class Lines:
    """One entry a line asked for, sorted by borrower and, within it, the most painful to let go first.

    apply_step: the step of the application, negative before the simulated span. offer: fen the lender's rule gives,
    0 where it declines. believed: the monthly income it took for true. use: share of the income spent through it.
    pay_share: share of the statement paid by those who pay in part. term: 0 for revolving lines.
    """

    borrower: IntArray
    lender: IntArray
    product: IntArray
    apply_step: IntArray
    term: IntArray
    requested: IntArray
    offer: IntArray
    believed: IntArray
    due_day: IntArray
    autopay: BoolArray
    style: IntArray
    pay_share: FloatArray
    use: FloatArray
    rate: FloatArray
    floor: FloatArray
    watch: FloatArray

    @property
    def count(self) -> int:
        return len(self.borrower)


def _choose_lenders(rng: np.random.Generator, people: Households) -> tuple[IntArray, IntArray]:
    """(borrower, lender) of every line wanted: weighted draws without replacement (Gumbel top-k)."""
    appeal = np.array([lender.appeal for lender in LENDERS])
    upmarket = np.array([lender.upmarket for lender in LENDERS])
    standing = np.log(people.income / 550_000)[:, None]
    keys = np.log(appeal) + upmarket * standing + rng.gumbel(size=(people.count, len(LENDERS)))
    order = np.argsort(-keys, axis=1)
    rank = np.arange(len(LENDERS))
    taken = rank < people.lines_wanted[:, None]
    borrower, position = np.nonzero(taken)
    return borrower.astype(np.int64), order[borrower, position].astype(np.int64)


def _spread_renewals(
    rng: np.random.Generator, spec: GeneratorSpec, owner: IntArray, product: IntArray, conceals: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    """(row, apply_step, term) of every application: one for a revolving line, a chain of loans for the others."""
    n = len(product)
    revolving = (product == BNPL) | (product == CARD)
    fresh = rng.random(n) < np.where(revolving, 0.17, 0.30)
    age = np.minimum(rng.exponential(26, n) + 1, OLDEST_LINE).astype(np.int64)
    term = rng.choice(TERMS, n)
    before = np.where(revolving, age, (rng.random(n) * term).astype(np.int64) + 1)
    start = np.where(fresh, rng.integers(0, spec.steps, n), -before)
    # Those who conceal take all their lines within a few months, before one lender can see what the other gave.
    spree = rng.integers(0, spec.steps, int(owner[-1]) + 1)[owner] + rng.integers(0, 4, n)
    start = np.where(conceals, spree, start)
    rows, steps, terms = [np.flatnonzero(revolving)], [start[revolving]], [np.zeros(int(revolving.sum()), np.int64)]
    while len(alive := np.flatnonzero(~revolving & (start < spec.steps))):
        rows.append(alive)
        steps.append(start[alive])
        terms.append(term[alive])
        pause = np.where(rng.random(n) < 0.75, 1, 1 + rng.integers(1, 9, n))
        start = start + term + pause
        term = rng.choice(TERMS, n)
    return np.concatenate(rows), np.concatenate(steps), np.concatenate(terms)


def _offers(
    rng: np.random.Generator, people: Households, borrower: IntArray, lender: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """(requested, offer, believed) in fen by each lender's rule; an offer of 0 is a decline."""
    n = len(borrower)
    trust = np.array([x.trust for x in LENDERS])[lender]
    multiple = np.array([x.multiple for x in LENDERS])[lender]
    low, high = (np.array([getattr(x, name) for x in LENDERS])[lender] for name in ("low", "high"))
    least = np.array([x.min_income for x in LENDERS])[lender] * 100
    declared, verified = people.declared[borrower], people.verified[borrower]
    asks_proof = (verified >= 0) & (trust < 1) & (rng.random(n) < 0.7)
    believed = np.where(asks_proof, verified, trust * declared).astype(np.int64)
    asked = multiple * declared * np.exp(rng.normal(0.1, 0.3, n))
    given = multiple * believed * np.exp(rng.normal(-0.02, 0.28, n))
    requested = np.clip(asked / 100, low, high).astype(np.int64) // 100 * 10_000
    offer = np.minimum(np.clip(given / 100, low, high).astype(np.int64) // 100 * 10_000, requested)
    refused = (believed < least) | (rng.random(n) < np.where(trust < 1, 0.08, 0.02))
    return np.maximum(requested, 10_000), np.where(refused, 0, np.maximum(offer, 10_000)), believed


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the holder of each line does in a good month; (lines,) each."""

    due_day: IntArray
    autopay: BoolArray
    style: IntArray
    pay_share: FloatArray
    use: FloatArray


def _habits(rng: np.random.Generator, people: Households, borrower: IntArray, product: IntArray) -> _Habits:
    n = len(borrower)
    aligned = np.minimum(people.pay_day[borrower] + rng.integers(1, 8, n), 25)
    loan = (product == INSTALMENT) | (product == CASH)
    mood = rng.random(n) + 0.18 * people.strain[borrower]
    style = np.zeros(n, np.int64)
    for kind, (full, partial) in _STYLES.items():
        own = product == kind
        style[own] = np.searchsorted((full, full + partial), mood[own])
    style = np.where(people.conceals[borrower], MINIMUM, style)
    by_card = rng.uniform(0.22, 0.80, n) * np.where(style == FULL, 1.0, 0.6)
    return _Habits(
        due_day=np.where(rng.random(n) < 0.85, aligned, rng.integers(5, 26, n)),
        autopay=rng.random(n) < np.where(loan, 0.6, 0.45),
        style=style,
        pay_share=np.where(style == PARTIAL, rng.uniform(0.05, 0.18, n), 0.0),
        use=np.select((product == BNPL, product == CARD), (rng.uniform(0.15, 0.75, n), by_card), 0.0),
    )


def draw_lines(spec: GeneratorSpec, people: Households) -> Lines:
    """Every line that the households will ask for over the simulated span."""
    rng = spec.random(LINES)
    owner, lender = _choose_lenders(rng, people)
    product_of = np.array([PRODUCT_NAMES.index(x.product) for x in LENDERS])
    row, step, term = _spread_renewals(rng, spec, owner, product_of[lender], people.conceals[owner])
    painful = np.array(PAIN)[product_of[lender]] + rng.normal(0, 0.45, len(lender))
    habits = _habits(rng, people, owner, product_of[lender])
    order = np.lexsort((step, -painful[row], owner[row]))
    row, step, term = row[order], step[order], term[order]
    borrower, lender = owner[row], lender[row]
    requested, offer, believed = _offers(rng, people, borrower, lender)
    return Lines(
        borrower=borrower,
        lender=lender,
        product=product_of[lender],
        apply_step=step,
        term=term,
        requested=requested,
        offer=offer,
        believed=believed,
        due_day=habits.due_day[row],
        autopay=habits.autopay[row],
        style=habits.style[row],
        pay_share=habits.pay_share[row],
        use=habits.use[row],
        rate=np.array([x.rate for x in LENDERS])[lender],
        floor=np.array([x.floor for x in LENDERS])[lender],
        watch=np.array([x.watch for x in LENDERS])[lender],
    )
