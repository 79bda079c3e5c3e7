"""What is answered about cases: one in full, a row of the worklist, what an act came to."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from evenkeel.arrears.contacts.model import Answer, Spoken


class Done(Struct, kw_only=True, frozen=True):
    """What an act came to. fact_id: by which a dispute, a complaint and the like are named later, and an error is taken
    back. warnings: rules that speak of it without forbidding it. state: of the case, right after it."""

    case_id: str
    fact_id: str
    act: str
    at: datetime
    state: str
    warnings: list[Spoken]


class DebtView(Struct, frozen=True):
    """An account as it stands today."""

    account_id: str
    stage: str
    days_past_due: int
    past_due_minor: int
    owed_minor: int


class PromiseView(Struct, frozen=True):
    """A promise. verdict: pending, kept, partly, broken, replaced. amount_minor: null where it was not said."""

    promise_id: str
    made_at: datetime
    until: date
    amount_minor: int | None
    paid_minor: int
    verdict: str
    account_id: str | None


class ClockView(Struct, frozen=True):
    """By when an answer is due. act_by: the last working day that is not after it. due_on: the last day by the rule."""

    about: str
    name: str
    rule: str
    citation: str
    confidence: str
    began_on: date
    due_on: date
    act_by: date
    answered_on: date | None
    late: bool


class Way(Struct, frozen=True):
    """A way of contact now. lawful_from: the first instant at which no rule blocks it, null where none does now, or
    where a fact would have to change. rules: that speak against it."""

    channel: str
    may: bool
    answer: Answer
    lawful_from: datetime | None
    rules: list[str]


class Forbidden(Struct, frozen=True):
    """An act that cannot be done now, and the guards that keep it (`case.guard.NAME` in words)."""

    act: str
    because: list[str]


class CaseRow(Struct, kw_only=True, frozen=True):
    """A case in the worklist. value_minor: of the treatment, over doing nothing. due_on, act_by: of the clock that runs
    out first. ways: where the page was asked with them."""

    case_id: str
    borrower_id: str
    state: str
    skill: str
    opened_at: datetime
    closed_at: datetime | None
    days_past_due: int
    past_due_minor: int
    owed_minor: int
    agency_id: str | None
    due_on: date | None
    act_by: date | None
    treatment: str
    value_minor: float
    claimed_by: str | None
    lease_until: datetime | None
    ways: list[Way] | None = None
    forbidden: list[Forbidden] | None = None


class CasePage(Struct, frozen=True):
    """A page of the worklist. next: what the next page is asked with, null on the last."""

    cases: list[CaseRow]
    next: str | None


class Entry(Struct, kw_only=True, frozen=True):
    """One thing that happened. kind: as `case.story.KIND` says it in words. values: what fills its places. booked_at:
    where it became known later than on its day."""

    at: datetime
    kind: str
    text: str
    account_id: str | None
    fact_id: str | None
    booked_at: datetime | None = None


class CaseView(Struct, kw_only=True, frozen=True):
    """A case in full. late: day and days past due, week by week. timeline: the oldest first."""

    row: CaseRow
    debts: list[DebtView]
    promises: list[PromiseView]
    clocks: list[ClockView]
    disputes: list[str]
    complaints: list[str]
    vulnerabilities: list[str]
    representations: list[str]
    insolvencies: list[str]
    channels: list[str] | None
    late: list[tuple[date, int]]
    timeline: list[Entry]
