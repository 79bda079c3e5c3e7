"""What a household must spend to live: as told, and never less than the protected minimum of its members.

The minimum is data (`essentials.toml`): by category, kind of member, region and day, each with its source and mark.
What is told below it is lifted to it, and said; a category that is not told is taken at it, with the range in which it
may lie as a question. A single row `other` stands for all that the household spends: it is held against the whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, get_args

from evenkeel.kernel.money import Rounding, allocate, round_fraction
from evenkeel.repayment.case import Case, Category
from evenkeel.repayment.facts.doubts import by_weight, high, low
from evenkeel.repayment.model import Question

CATEGORIES: tuple[Category, ...] = get_args(Category)
KINDS = ("adult", "child", "elder")


@dataclass(frozen=True, slots=True)
class Minimum:
    """The protected minimum of a household a month, by category, and the far end of the range of what is not told.

    known: whether there are figures for this place and currency; without them all is 0. source, mark: of the figures;
    region: the name under which the region was found, "" where it counts as the country.
    """

    minimum_minor: Mapping[Category, int]
    high_minor: Mapping[Category, int]
    known: bool
    source: str = ""
    mark: str = ""
    region: str = ""

    @property
    def total_minor(self) -> int:
        """Of all categories."""
        return sum(self.minimum_minor.values())


@dataclass(frozen=True, slots=True)
class Spending:
    """One category: what is told (None where nothing is), its minimum, and what a plan leaves for it."""

    category: Category
    told_minor: int | None
    minimum_minor: int
    taken_minor: int

    @property
    def lifted(self) -> bool:
        """Whether less was told than is protected."""
        return self.told_minor is not None and self.told_minor < self.taken_minor


@dataclass(frozen=True, slots=True)
class Essentials:
    """What a plan leaves a household to live on, by category; what is asked about it."""

    spending: tuple[Spending, ...]
    minimum: Minimum
    questions: tuple[Question, ...]

    @property
    def total_minor(self) -> int:
        """A month's essentials, at least the protected minimum."""
        return sum(one.taken_minor for one in self.spending)


def minimum_minor(case: Case) -> int:
    """The protected minimum of the whole household a month; 0 where there are no figures for its place."""
    return minimum(case).total_minor


def minimum_of(kind: str, case: Case) -> int:
    """The protected minimum of one member of a kind, what priority payments cover taken off; 0 without figures."""
    return sum(_member(kind, case, "minimum_minor").values())


def minimum(case: Case) -> Minimum:
    """The protected minimum of a case's household, by the figures of its day, place and members."""
    row = _row(case)
    if row is None:
        nothing: Mapping[Category, int] = MappingProxyType(dict.fromkeys(CATEGORIES, 0))
        return Minimum(nothing, nothing, known=False)
    least, most = (_household(case, end) for end in ("minimum_minor", "high_minor"))
    return Minimum(least, most, True, row["source"], row["mark"], _region(case)[0])


def essentials(case: Case) -> Essentials:
    """What is told of a household's essentials, held against the protected minimum."""
    least = minimum(case)
    told: dict[Category, int | None] = {}
    ranges: dict[Category, int] = {}
    for one in case.household.essentials:
        amount = high(one.amount_minor)  # cautious: what is spent at most
        before = told.get(one.category)
        told[one.category] = before if amount is None else amount + (before or 0)
        ranges[one.category] = ranges.get(one.category, 0) + (amount or 0) - (low(one.amount_minor) or 0)
    if set(told) == {"other"} and told["other"] is not None:
        spending = [Spending("other", told["other"], least.total_minor, max(told["other"], least.total_minor))]
    else:
        spending = [
            Spending(name, told.get(name), floor, max(told.get(name) or 0, floor))
            for name, floor in least.minimum_minor.items()
        ]
    questions = [_about(one, least, ranges.get(one.category, 0)) for one in spending]
    found = [one for one in questions if one]
    if not least.known:
        values = {"jurisdiction": case.jurisdiction, "currency": case.currency}
        nothing = all(one.told_minor is None for one in spending)  # then nothing at all would be left to live on
        found.append(Question("household.essentials", "repay.ask.no_minimum", blocking=nothing, values=values))
    return Essentials(tuple(spending), least, by_weight(found))


def _about(one: Spending, least: Minimum, width: int) -> Question | None:
    """What to ask about a category: it is not told, told below what is protected, or told as a range."""
    about = f"household.essentials.{one.category}"
    if one.told_minor is None:
        span = least.high_minor[one.category] - one.minimum_minor
        values = {"category": one.category, "low_minor": one.minimum_minor, "high_minor": one.minimum_minor + span}
        return Question(about, "repay.ask.essential", span, values=values) if span else None
    if one.lifted:
        lifted = {"category": one.category, "told_minor": one.told_minor, "minimum_minor": one.minimum_minor}
        return Question(about, "repay.ask.essential_lifted", one.minimum_minor - one.told_minor, values=lifted)
    return Question(about, "repay.ask.between", width) if width else None


def _household(case: Case, end: str) -> Mapping[Category, int]:
    parts = [_member(member.kind, case, end) for member in case.household.members]
    return MappingProxyType({name: sum(part[name] for part in parts) for name in CATEGORIES})


def _member(kind: str, case: Case, end: str) -> dict[Category, int]:
    """One member's amounts by category. end: `minimum_minor` or `high_minor`."""
    row = _row(case)
    if row is None:
        return {}
    _, hundredths = _region(case)
    total = round_fraction(Fraction(row[kind][end] * hundredths, 100), Rounding.HALF_UP)
    shares = _data()["shares"][kind]
    covered = {name for one in case.household.priority for name in _data()["covered"].get(one.kind, ())}
    parts = allocate(total, [shares[name] for name in CATEGORIES])
    return {name: 0 if name in covered else part for name, part in zip(CATEGORIES, parts, strict=True)}


def _row(case: Case) -> Mapping[str, Any] | None:
    """The figures in force on the case's day in its country and currency."""
    rows = [
        row
        for row in _data()["minimum"]
        if row["jurisdiction"] == case.jurisdiction.split("-")[0] and row["currency"] == case.currency
    ]
    before = [row for row in rows if row["from_on"] <= case.as_of]
    return max(before, key=_from_on) if before else min(rows, key=_from_on, default=None)


def _from_on(row: Mapping[str, Any]) -> date:
    day: date = row["from_on"]
    return day


def _region(case: Case) -> tuple[str, int]:
    """The name under which the household's region is known, and its minimum in hundredths of the country's."""
    wanted = (case.household.region or "").strip().casefold()
    for row in _data()["region"]:
        names = [name.casefold() for name in row["names"]]
        if wanted in names and row["jurisdiction"] == case.jurisdiction.split("-")[0]:
            return row["names"][names.index(wanted)], row["hundredths"]
    return "", 100


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("evenkeel.repayment.law") / "essentials.toml").read_text(encoding="utf-8"))
