"""Duties to an applicant after a decision, as data: notices, explanations, time to withdraw."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Duty:
    """One rule. kind: notice, explain or cooling_off. days: until when, counted from the decision; None where no day is
    set. effect: require, or warn where the text was not read. statement, citation: by language."""

    id: str
    jurisdiction: str
    kind: str
    outcomes: frozenset[str]
    days: int | None
    confidence: str
    effect: str
    effective_from: date
    statement: Mapping[str, str]
    citation: Mapping[str, str]

    def until(self, decided_on: date) -> date | None:
        """The last day of the duty, None where none is set."""
        return None if self.days is None else decided_on + timedelta(days=self.days)


@cache
def load_duties() -> tuple[Duty, ...]:
    """The duties that ship, in the order of the file."""
    text = (files("evenkeel.decisions.assessment") / "duties.toml").read_text(encoding="utf-8")
    return tuple(
        Duty(**{"days": None} | entry | {"outcomes": frozenset(entry["outcomes"])})
        for entry in tomllib.loads(text)["duty"]
    )


def duties_of(outcome: str, jurisdiction: str, decided_on: date, duties: Sequence[Duty] | None = None) -> list[Duty]:
    """The duties of an outcome on its day: those of the jurisdiction and those of the house.

    outcome: approve, approve_less, decline or refer, as the policy gives it.
    """
    return [
        duty
        for duty in (load_duties() if duties is None else duties)
        if duty.jurisdiction in ("*", jurisdiction) and outcome in duty.outcomes and duty.effective_from <= decided_on
    ]
