"""The order of the worklist: what a minute of a person is worth in each case; clocks that run out come before all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from evenkeel.accounts.delinquency import bucket
from evenkeel.arrears.cases.clocks import Clock
from evenkeel.arrears.cases.model import HELD, Look, State
from evenkeel.arrears.treatments.assumed import TreatmentAssumptions
from evenkeel.arrears.treatments.stages import expected_values

_SKILLS = {
    State.DISPUTED: "answers", State.COMPLAINT: "answers", State.VULNERABLE: "care", State.HARDSHIP: "care",
    State.PLAN: "care", State.LEGAL: "court", State.INSOLVENT: "court", State.WITH_AGENCY: "agencies",
}  # fmt: skip
SKILLS = ("early", "late", "care", "answers", "agencies", "court")
_CLOCK, _WAITING = -1e15, 1e15  # before all values, and behind them


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the order takes for granted.

    self_cure: the chance to pay without being contacted, by bucket from M1 on: orders of magnitude of roll rates, until
        a lender's own are measured. minutes: of a person, by treatment; judgements. clock_days: so many days before the
        last working day of a clock its case comes before all others. late_from_days: from here on a case needs the
        skill `late`. review_days: a vulnerability whose review is due so soon comes up as a clock does.
    """

    treatment: TreatmentAssumptions = field(default_factory=TreatmentAssumptions)
    self_cure: tuple[float, ...] = (0.75, 0.35, 0.2, 0.12, 0.08, 0.05, 0.03)
    minutes: tuple[tuple[str, float], ...] = (
        ("reminder", 0.1), ("education", 0.1), ("due_day_move", 5.0), ("plan_offer", 15.0), ("limit_change", 2.0),
        ("call", 6.0), ("visit", 90.0), ("legal", 120.0), ("sale", 30.0), ("human_review", 20.0),
    )  # fmt: skip
    clock_days: int = 3
    late_from_days: int = 31


@dataclass(frozen=True, slots=True)
class Ranked:
    """rank: the least comes first. treatment: what the value is of. value_minor: over doing nothing."""

    rank: float
    treatment: str
    value_minor: float
    skill: str


def skill_of(state: State, days_past_due: int, given: Ranking) -> str:
    """Who should work on a case."""
    return _SKILLS.get(state, "late" if days_past_due >= given.late_from_days else "early")


def rank(
    look: Look, clock: Clock | None, told: tuple[str, float] | None = None, given: Ranking | None = None
) -> Ranked:
    """Where a case stands in the worklist.

    clock: the one that runs out first. told: treatment and value from a day's assignment; without it the expected
    values of `treatment.expected_values` with the self-cure of its bucket, of what is late. In a state in which nobody
    collects, and while a promise is waited for, there is nothing to gain by contact, whatever was assigned.
    """
    given = given or Ranking()
    skill = skill_of(look.state, look.money.days_past_due, given)
    due = min([day for day in (clock.act_by if clock else None, _review(look)) if day is not None], default=None)
    if due is not None and due - look.money.on <= timedelta(days=given.clock_days):
        return Ranked(_CLOCK + due.toordinal(), "human_review", 0.0, skill)
    if look.case.stop_contact and look.state not in HELD:
        return Ranked(_WAITING, "human_review", 0.0, skill)
    if look.state in HELD or look.promise_pending or look.state is State.WITH_AGENCY:
        return Ranked(_WAITING + (due or date.max).toordinal(), "nothing", 0.0, skill)
    treatment, value = told or _expected(look, given)
    minutes = dict(given.minutes).get(treatment, 1.0)
    if treatment == "nothing" or not value > 0:
        return Ranked(0.0, treatment, min(value, 0.0), skill)
    return Ranked(-value / minutes, treatment, value, skill)


def _review(look: Look) -> date | None:
    return min((one.review_on for one in look.case.vulnerabilities), default=None)


def _expected(look: Look, given: Ranking) -> tuple[str, float]:
    """Of a reminder and, once it may be weighed, a call: that of the greater value for a minute."""
    days = look.money.days_past_due
    place = min(max(bucket(days), 1), len(given.self_cure)) - 1
    cure, late = np.array([given.self_cure[place]]), np.array([float(look.money.past_due_minor)])
    remind, call = (float(one[0]) for one in expected_values(cure, late, given.treatment))
    if days >= given.treatment.call_from_days and call > max(remind, 0.0):
        return "call", call
    return ("reminder", remind) if remind > 0 else ("nothing", 0.0)
