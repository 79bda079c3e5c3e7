"""The words of cases: what stands in one, and the state that follows from it.

A case is a fold over facts. Its state is not kept but read off: the first row of STATES whose condition holds. So a
fact that comes late, or is taken back, changes the state as if it had been known in time, and no order of facts can
leave a case where no rule put it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class State(StrEnum):
    """Where a case stands; the strictest of what holds (`STATES`)."""

    OPEN = "open"
    CONTACTED = "contacted"
    PROMISED = "promised"
    BROKEN_PROMISE = "broken_promise"
    WITH_AGENCY = "with_agency"
    LEGAL = "legal"
    PLAN = "plan"
    HARDSHIP = "hardship"
    VULNERABLE = "vulnerable"
    COMPLAINT = "complaint"
    DISPUTED = "disputed"
    INSOLVENT = "insolvent"
    CURED = "cured"
    SETTLED = "settled"
    SOLD = "sold"
    INSOLVENCY_ENDED = "insolvency_ended"
    WRITTEN_OFF = "written_off"
    OPENED_IN_ERROR = "opened_in_error"


ENDS = (State.CURED, State.SETTLED, State.SOLD, State.INSOLVENCY_ENDED, State.WRITTEN_OFF, State.OPENED_IN_ERROR)
RUNNING = tuple(state for state in State if state not in ENDS)
# Nobody collects while a case is in one of these.
HELD = (State.PLAN, State.HARDSHIP, State.VULNERABLE, State.COMPLAINT, State.DISPUTED, State.INSOLVENT)


# ---- Money -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Debt:
    """One account of the borrower with the lender. stage: open, closed, charged_off, sold. owed_minor: of one that was
    charged off, the claim. days_past_due: before the close of the day, with what was paid by then."""

    account_id: str
    stage: str
    days_past_due: int
    past_due_minor: int
    owed_minor: int

    @property
    def overdue(self) -> bool:
        """Something is late, or was charged off and is still claimed."""
        return self.stage != "sold" and (
            self.days_past_due > 0 or self.past_due_minor > 0 or (self.stage == "charged_off" and self.owed_minor > 0)
        )


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that came in and stands: what was taken back is not in it. number: in the order of booking."""

    number: int
    account_id: str
    amount_minor: int
    on: date


@dataclass(frozen=True, slots=True)
class Money:
    """The debts on a day and what was paid on them by then, as known now."""

    on: date
    debts: tuple[Debt, ...] = ()
    payments: tuple[Paid, ...] = ()

    @property
    def overdue(self) -> tuple[Debt, ...]:
        """Those that are late."""
        return tuple(one for one in self.debts if one.overdue)

    @property
    def days_past_due(self) -> int:
        """Of the one that is latest."""
        return max((one.days_past_due for one in self.overdue), default=0)

    @property
    def past_due_minor(self) -> int:
        """What should have been paid by now; of a debt that was charged off, all of it."""
        return sum(one.owed_minor if one.stage == "charged_off" else one.past_due_minor for one in self.overdue)

    @property
    def owed_minor(self) -> int:
        """All that is owed, late or not."""
        return sum(one.owed_minor for one in self.debts if one.stage != "sold")

    @property
    def all_sold(self) -> bool:
        """There are debts, and each was sold."""
        return bool(self.debts) and all(one.stage == "sold" for one in self.debts)


# ---- What stands in a case -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Promise:
    """To pay so much until a day. name: the id of its fact. amount_minor: None where it was not said; then any payment
    keeps it. account_id: the debt; None for all."""

    name: str
    made_at: datetime
    made_on: date
    until: date
    amount_minor: int | None
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Matched:
    """A promise and the money that was paid on it. verdict: pending, kept, partly, broken, replaced."""

    promise: Promise
    paid_minor: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a borrower does not accept. about: debt, amount, identity, credit_record, other. outcome: once answered."""

    name: str
    opened_at: datetime
    about: str
    account_id: str | None
    closed_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint about how somebody was treated. via: own, 12378, regulator, ombudsman, court, media. agency_id: whom
    it is about. extended: the borrower was told that the answer takes longer."""

    name: str
    received_on: date
    opened_at: datetime
    via: str
    kind: str
    agency_id: str | None
    extended: bool = False
    closed_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A borrower who needs care. need: None where the borrower did not consent to its being recorded. channels: those
    that suit. review_on: it is looked at again by then, and holds until somebody says that it ends."""

    name: str
    at: datetime
    need: str | None
    channels: tuple[str, ...]
    review_on: date


@dataclass(frozen=True, slots=True)
class Assignment:
    """A case with an outside agency. until: None while it has it."""

    agency_id: str
    batch: str
    at: datetime
    until: datetime | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The end. reason: a state of ENDS."""

    reason: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One borrower with one lender, from its facts. contacted_at: the last conversation. hardship_until: collection
    rests through that day. insolvencies: open ones. facts: how many it was made from."""

    case_id: str
    lender_id: str
    borrower_id: str
    opened_at: datetime
    closed: Closed | None = None
    contacted_at: datetime | None = None
    promises: tuple[Promise, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    hardship_until: date | None = None
    representations: tuple[str, ...] = ()
    wrong_points: tuple[str, ...] = ()
    plan_in_force: bool = False
    stop_contact: bool = False
    assignments: tuple[Assignment, ...] = ()
    legal_since: datetime | None = None
    insolvencies: tuple[str, ...] = ()
    insolvency_outcome: str | None = None
    facts: int = 0

    @property
    def agency(self) -> Assignment | None:
        """Who has it, outside."""
        last = self.assignments[-1] if self.assignments else None
        return last if last is not None and last.until is None else None

    @property
    def open_disputes(self) -> tuple[Dispute, ...]:
        """Those not answered."""
        return tuple(one for one in self.disputes if one.closed_at is None)

    @property
    def open_complaints(self) -> tuple[Complaint, ...]:
        """Those not answered."""
        return tuple(one for one in self.complaints if one.closed_at is None)


@dataclass(frozen=True, slots=True)
class Look:
    """A case on a day, with its money and what became of its promises."""

    case: Case
    money: Money
    promises: tuple[Matched, ...]

    @property
    def last_verdict(self) -> str | None:
        """Of the promise that is due last among those that were not replaced."""
        told = [one for one in self.promises if one.verdict != "replaced"]
        return max(told, key=lambda one: (one.promise.until, one.promise.made_at)).verdict if told else None

    @property
    def promise_pending(self) -> bool:
        """A promised day is not over and the money is not there yet."""
        return any(one.verdict == "pending" for one in self.promises)

    @property
    def in_hardship(self) -> bool:
        """A reported hardship lets collection rest today."""
        return self.case.hardship_until is not None and self.money.on <= self.case.hardship_until

    @property
    def state(self) -> State:
        """The first of STATES that holds."""
        if self.case.closed is not None:
            return self.case.closed.reason
        return next(state for state, holds in STATES if holds(self))


STATES: tuple[tuple[State, Callable[[Look], bool]], ...] = (
    (State.INSOLVENT, lambda look: bool(look.case.insolvencies)),
    (State.DISPUTED, lambda look: bool(look.case.open_disputes)),
    (State.COMPLAINT, lambda look: bool(look.case.open_complaints)),
    (State.VULNERABLE, lambda look: bool(look.case.vulnerabilities)),
    (State.PLAN, lambda look: look.case.plan_in_force),
    (State.HARDSHIP, lambda look: look.in_hardship),
    (State.LEGAL, lambda look: look.case.legal_since is not None),
    (State.WITH_AGENCY, lambda look: look.case.agency is not None),
    (State.PROMISED, lambda look: look.promise_pending),
    (State.BROKEN_PROMISE, lambda look: look.last_verdict in ("broken", "partly")),
    (State.CONTACTED, lambda look: look.case.contacted_at is not None),
    (State.OPEN, lambda look: True),
)
