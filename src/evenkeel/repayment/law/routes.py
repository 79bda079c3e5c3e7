"""Where to turn when no plan works, or when something about a debt is not as it should be: data, by place and cause."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from evenkeel.repayment.case import Case
from evenkeel.repayment.law.rules import country_of
from evenkeel.repayment.model import Claim, Question

Cause = Literal["infeasible", "hardship", "price", "dispute", "limitation", "conduct"]

# What a question or a warning about a claim gives reason to.
_CAUSES: Mapping[str, Cause] = {
    "repay.ask.rule_unread": "price", "repay.ask.rule_opened": "price", "repay.ask.rule_scope": "price",
    "repay.ask.rule_lpr": "price", "repay.ask.rule_lent": "price", "repay.ask.overpaid": "price",
    "repay.warn.rate_capped": "price", "repay.ask.disputed": "dispute", "repay.ask.disputed_fees": "dispute",
    "repay.ask.duplicate": "dispute", "repay.ask.maybe_duplicate": "dispute", "repay.ask.parts_sum": "dispute",
    "repay.ask.limitation": "limitation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """A way to turn. key: of the sentence that says what it is. causes: for which it is told here. rule: on what it
    rests, "" where on no rule; mark: how that is known. fits: whether the household's region is known to fit, where
    the route is one region's."""

    id: str
    key: str
    causes: tuple[Cause, ...]
    rule: str
    mark: str
    fits: bool | None = None


def routes(case: Case, causes: Iterable[Cause]) -> tuple[Route, ...]:
    """Where a household may turn for these causes, in the order of the data: the lender, advice, then courts."""
    wanted = tuple(dict.fromkeys(causes))
    lenders = {kind for debt in case.debts for kind in (debt.lender_type, debt.original_lender_type)}
    country = country_of(case.jurisdiction)
    rows = [row for row in _data() if row["jurisdiction"] == country] or [
        row for row in _data() if row["jurisdiction"] == "*"
    ]
    found = []
    for row in rows:
        told = tuple(cause for cause in wanted if cause in row["causes"])
        fits = _fits(case, row)
        if told and fits is not False and (not row.get("lenders") or lenders & set(row["lenders"])):
            key = f"repay.route.{row['id']}"
            found.append(Route(row["id"], key, told, row["rule"], row["mark"], fits if row.get("regions") else None))
    return tuple(found)


def causes_of(found: Iterable[Claim], asked: Iterable[Question]) -> tuple[Cause, ...]:
    """The causes that claims and questions give, beside what the caller knows (`infeasible`, `hardship`)."""
    keys = [key for claim in found for key, _ in claim.warnings] + [question.key for question in asked]
    return tuple(dict.fromkeys(_CAUSES[key] for key in keys if key in _CAUSES))


def _fits(case: Case, row: Mapping[str, Any]) -> bool | None:
    """Whether a household may live where a route is; None where its region is not known."""
    here = {part.casefold() for part in (case.household.region, *case.jurisdiction.split("-")[1:]) if part}
    if here & {name.casefold() for name in row.get("not_regions", ())}:
        return False
    if not row.get("regions"):
        return True
    return bool(here & {name.casefold() for name in row["regions"]}) if here else None


@cache
def _data() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(
        (files("evenkeel.repayment.law") / "routes.toml").read_text(encoding="utf-8")
    )["route"]
    return rows
