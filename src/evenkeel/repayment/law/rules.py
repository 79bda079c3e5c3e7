"""The law that a balance and a plan need, as data: rules in the files of `texts/`, in force from a day, with citation.

The same rules bind actions (a contact, a report) in `arrears/rules`; ids, words, confidence and days agree.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Case, LenderType

CONFIDENCES = ("read", "secondary", "memory")
KINDS = ("scope", "rate_cap", "advance_interest", "term_cap", "supports", "limitation")

# Members of the European Union by ISO code, whose national law stands beside the Union's.
_UNION = (
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU", "MT",
    "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "EU",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. lenders: whom it binds, all where empty. made_from, made_until: contracts of these days, both included.

    effective_from, effective_to: the days on which it may be relied on. scope: the rule that says whom it binds.
    region, not_region: part of the country, such as SCT. asks: what of a plan it supports (term, rate, waiver). cap,
    times_lpr: a yearly cap on price, as a rate or in multiples of the loan prime rate; charges: it also bounds what has
    accrued.
    months: of the longest plan. years, restarts: of limitation. statement, citation: language -> text.
    """

    id: str
    jurisdiction: str
    kind: str
    confidence: str
    effective_from: date
    verified_on: date
    statement: Mapping[str, str]
    citation: Mapping[str, str]
    effective_to: date | None = None
    lenders: tuple[str, ...] = ()
    made_from: date | None = None
    made_until: date | None = None
    scope: str | None = None
    region: str | None = None
    not_region: str | None = None
    asks: tuple[str, ...] = ()
    cap: float | None = None
    times_lpr: int | None = None
    charges: bool = False
    months: int | None = None
    years: int | None = None
    restarts: tuple[str, ...] = ()

    @property
    def read(self) -> bool:
        """Whether its text was read: only then does it take anything off."""
        return self.confidence == "read"

    def binds(self, lender: LenderType) -> bool:
        """Whether it speaks of debts to this type of lender."""
        return not self.lenders or lender in self.lenders

    def made(self, opened_on: date | None) -> bool:
        """Whether it speaks of contracts of this day; one of an unknown day may be."""
        if opened_on is None:
            return True
        return (self.made_from is None or self.made_from <= opened_on) and (
            self.made_until is None or opened_on <= self.made_until
        )


@dataclass(frozen=True, slots=True)
class Law:
    """All rules by id, and China's loan prime rate by the days of its changes, from memory."""

    rules: Mapping[str, Rule]
    lpr: tuple[tuple[date, float], ...] = field(default=(), repr=False)

    def in_force(self, case: Case, kind: str) -> tuple[Rule, ...]:
        """The rules of a kind that are in force in a case's place on its day."""
        country, *parts = case.jurisdiction.split("-")
        places = {country_of(case.jurisdiction), country}
        return tuple(
            rule
            for rule in self.rules.values()
            if rule.kind == kind
            and rule.jurisdiction in places
            and rule.effective_from <= case.as_of
            and (rule.effective_to is None or case.as_of <= rule.effective_to)
            and (rule.region is None or rule.region in parts)
            and (rule.not_region is None or rule.not_region not in parts)
        )

    def lpr_on(self, day: date) -> float | None:
        """The one-year loan prime rate of a day, from memory; None before there was one."""
        return next((rate for since, rate in reversed(self.lpr) if since <= day), None)


def country_of(jurisdiction: str) -> str:
    """The key of a country's rules: GB is UK, members of the Union are EU."""
    country = jurisdiction.split("-")[0]
    return "UK" if country == "GB" else "EU" if country in _UNION else country


def load_law(folder: Traversable | None = None) -> Law:
    """The rules in the files of a folder. Raises InvalidInput on a double id, an unknown field, kind or confidence."""
    folder = folder or files("evenkeel.repayment.law") / "texts"
    rules: dict[str, Rule] = {}
    lpr: tuple[tuple[date, float], ...] = ()
    for file in sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        lpr += tuple((since, rate) for since, rate in content.get("rate_annual", ()))
        for entry in content.get("rule", ()):
            rule = _rule(file.name, content["jurisdiction"], entry)
            if rule.id in rules:
                raise InvalidInput(f"{file.name}: rule {rule.id} stands there twice.")
            rules[rule.id] = rule
    return Law(MappingProxyType(rules), lpr)


@cache
def shipped() -> Law:
    """The law that evenkeel ships."""
    return load_law()


def _rule(file: str, jurisdiction: str, entry: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    try:
        rule = Rule(jurisdiction=jurisdiction, **values)
    except TypeError as error:
        raise InvalidInput(
            f"{file}: rule {entry.get('id', '?')} does not have the fields of a rule: {error}."
        ) from None
    if rule.kind not in KINDS or rule.confidence not in CONFIDENCES:
        raise InvalidInput(f"{file}: rule {rule.id} has kind {rule.kind!r} with confidence {rule.confidence!r}.")
    if not all(set(text) == {"en", "zh"} for text in (rule.statement, rule.citation)):
        raise InvalidInput(f"{file}: rule {rule.id} needs its statement and citation in en and zh.")
    return rule
