"""The one household whose inputs are fixed: the factory worker who loses the job in the epidemic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from evenkeel.book.generator.households import Households
from evenkeel.book.generator.lines import FULL, PARTIAL, Lines
from evenkeel.book.generator.world import (
    INDUSTRIES,
    LENDERS,
    MANUFACTURING,
    PAY_LATER,
    PRODUCT_NAMES,
    REGIONS,
    SHOPPING,
)

STORY_BORROWER: Final = "story-factory-worker"
_YUAN: Final = 100

_PERSON: Final[dict[str, float]] = {
    "region": REGIONS.index("Guangdong"),
    "industry": MANUFACTURING,
    "occupation": 0,
    "housing": 0,
    "birth_year": 1990,
    "dependants": 1,
    "income": 5_600 * _YUAN,
    "volatility": 0.0,
    "pay_day": 8,
    "essentials": 3_000 * _YUAN,
    "discretionary": 900 * _YUAN,
    "employer": (REGIONS.index("Guangdong") * len(INDUSTRIES) + MANUFACTURING) * 100_000,
    "savings": 1_900 * _YUAN,
    "savings_target": 1_900 * _YUAN,
    "forgets": 0.0,
    "shock_risk": 0.0,
    "strain": 0.5,
    "conceals": False,
    "willing": True,
    "ring": -1,
    "bridges": True,
    "spared": True,
    "salary_seen": True,
    "declared": 6_500 * _YUAN,
    "verified": 5_600 * _YUAN,
    "lines_wanted": 4,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One of the story's lines: limit in yuan, age in months, share of the statement paid, of the income spent."""

    lender: str
    limit: int
    age: int
    due_day: int
    style: int
    pay_share: float
    use: float


# The most painful to let go first.
_LINES: Final = (
    _Line("bank-linhe", 14_000, 41, 20, PARTIAL, 0.10, 0.24),
    _Line("bank-nanxing", 10_000, 30, 22, PARTIAL, 0.08, 0.15),
    _Line(SHOPPING, 4_000, 20, 15, FULL, 0.0, 0.16),
    _Line(PAY_LATER, 3_500, 38, 10, FULL, 0.0, 0.20),
)


def _held(last: int) -> dict[str, list[float]]:
    """The story's rows of every column of Lines."""
    lenders = {lender.party_id: (number, lender) for number, lender in enumerate(LENDERS)}
    rows = [(line, *lenders[line.lender]) for line in _LINES]
    return {
        "borrower": [last for _ in rows],
        "lender": [number for _, number, _ in rows],
        "product": [PRODUCT_NAMES.index(lender.product) for _, _, lender in rows],
        "apply_step": [-line.age for line, _, _ in rows],
        "term": [0 for _ in rows],
        "requested": [line.limit * _YUAN for line, _, _ in rows],
        "offer": [line.limit * _YUAN for line, _, _ in rows],
        "believed": [_PERSON["declared"] for _ in rows],
        "due_day": [line.due_day for line, _, _ in rows],
        "autopay": [False for _ in rows],
        "style": [line.style for line, _, _ in rows],
        "pay_share": [line.pay_share for line, _, _ in rows],
        "use": [line.use for line, _, _ in rows],
        "rate": [lender.rate for _, _, lender in rows],
        "floor": [lender.floor for _, _, lender in rows],
        "watch": [lender.watch for _, _, lender in rows],
    }


def fix_story(people: Households, lines: Lines) -> tuple[Households, Lines]:
    """Overwrite the last household and its lines. What becomes of them is left to the same mechanism as everyone's."""
    last = people.count - 1
    person = {}
    for field in dataclasses.fields(Households):
        column = getattr(people, field.name).copy()
        if field.name in _PERSON:
            column[last] = _PERSON[field.name]
        person[field.name] = column
    others, held = lines.borrower != last, _held(last)
    joined = {}
    for field in dataclasses.fields(Lines):
        column = getattr(lines, field.name)
        joined[field.name] = np.concatenate((column[others], np.array(held[field.name], dtype=column.dtype)))
    return Households(**person), Lines(**joined)
