"""Cases driven at random beside a plain oracle: what protects is taken down in every state, what is hard passes no
guard that holds, facts that come late or are taken back change the state as if they had been known in time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from case_world import MARKED, TOLD_AGENCY, World
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.store import facts_of, one_at_a_time
from evenkeel.arrears.cases import acts, store
from evenkeel.arrears.cases.agencies import Agency
from evenkeel.arrears.cases.model import ENDS, State
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.arrears.cases.transitions import TRANSITIONS
from evenkeel.kernel.errors import Conflict, EvenkeelError, NotPermitted
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace

PAST = {"limitation_ends_on": date(2029, 1, 1)}


@dataclass
class Oracle:
    """What a clerk would write on a card. Values of dicts: when it began, by the id of its fact."""

    disputes: dict[str, datetime] = field(default_factory=dict)
    complaints: set[str] = field(default_factory=set)
    care: set[str] = field(default_factory=set)
    insolvent: set[str] = field(default_factory=set)
    hardship: dict[str, date] = field(default_factory=dict)
    promise: tuple[date, date, int] | None = None  # made on, until, amount
    paid: dict[str, tuple[date, int]] = field(default_factory=dict)
    agency: str | None = None
    court: str | None = None
    spoke: bool = False
    plan: bool = False
    end: str | None = None

    def verdict(self, today: date) -> str | None:
        if self.promise is None:
            return None
        made, until, amount = self.promise
        money = sum(some for day, some in self.paid.values() if made <= day <= until)
        if money >= amount:
            return "kept"
        return "pending" if today <= until else "broken"

    def state(self, today: date) -> str:
        if self.end:
            return self.end
        verdict = self.verdict(today)
        told = [
            ("insolvent", self.insolvent), ("disputed", self.disputes), ("complaint", self.complaints),
            ("vulnerable", self.care), ("plan", self.plan),
            ("hardship", [day for day in self.hardship.values() if today <= day]), ("legal", self.court),
            ("with_agency", self.agency), ("promised", verdict == "pending"),
            ("broken_promise", verdict == "broken"), ("contacted", self.spoke),
        ]  # fmt: skip
        return next((name for name, holds in told if holds), "open")


class Clerk(RuleBasedStateMachine):
    """One case. record: set for the run."""

    record: Workspace

    @initialize()
    def begin(self) -> None:
        self.world = World(self.record)
        self.who = self.world.borrower(since_days=240)
        self.cases = self.world.cases
        self.outside = Outsourcing(self.cases)
        self.outside.tell(Agency(agency_id="ag", **TOLD_AGENCY), "x")
        self.case_id = self.cases.open(self.who, "x").case_id
        self.oracle = Oracle()
        self.opened = self.world.now
        self.last_made: date | None = None

    # ---- Doing things ------------------------------------------------------------------------------------------------

    def act(self, act: acts.Act) -> str:
        name = next(name for name, kind in acts.ACTS.items() if type(act) is kind)
        before = self.state()
        done = self.cases.act(self.case_id, act, secrets.token_hex(8))
        assert done.state == self.state()
        if act.at is None:
            assert before in TRANSITIONS[name].froms and done.state in TRANSITIONS[name].tos
        return done.fact_id

    def state(self) -> State:
        with transaction(self.record.engine) as connection:
            return self.cases.seen(connection, self.case_id).look.state

    @contextmanager
    def refused(self, unless: bool) -> Iterator[None]:
        """What is done within is refused, unless."""
        if unless:
            yield
            return
        with pytest.raises((NotPermitted, Conflict)):
            yield

    def overdue(self) -> bool:
        booked = facts_of(self.world.journal, f"a-{self.who}")
        return account_state(shipped("pay_later"), [one.fact for one in booked], self.world.today).past_due_minor > 0

    def open_(self) -> bool:
        return self.oracle.end is None

    # ---- Rules -------------------------------------------------------------------------------------------------------

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        self.world.later(days=days)

    @precondition(open_)
    @rule(amount=st.integers(1, 300).map(lambda n: n * 100))
    def pay(self, amount: int) -> None:
        self.oracle.paid[self.world.pay(self.who, amount)] = (self.world.today, amount)

    @precondition(lambda self: self.open_() and self.oracle.paid)
    @rule()
    def a_payment_does_not_hold(self) -> None:
        name = next(reversed(self.oracle.paid))
        self.world.take_back(self.who, name)
        del self.oracle.paid[name]

    @precondition(lambda self: self.open_() and self.last_made != self.world.today)
    @rule(amount=st.integers(1, 200).map(lambda n: n * 100), days=st.integers(0, 9))
    def promise(self, amount: int, days: int) -> None:
        oracle, until = self.oracle, self.world.today + timedelta(days=days)
        free = not (oracle.disputes or oracle.insolvent or oracle.plan)
        try:
            self.act(acts.Promise(by="x", amount_minor=amount, on=until))
        except EvenkeelError as error:
            assert not free or "is owed" in str(error) or "nothing is owed" in str(error)
            return
        assert free
        oracle.promise, self.last_made = (self.world.today, until, amount), self.world.today

    @precondition(open_)
    @rule(back=st.integers(0, 30))
    def dispute(self, back: int) -> None:
        at = max(self.world.now - timedelta(days=back), self.opened) if back else None
        self.oracle.disputes[self.act(acts.Dispute(by="x", about="debt", at=at))] = at or self.world.now

    @precondition(lambda self: self.open_() and self.oracle.disputes)
    @rule(marked=st.booleans())
    def answer_a_dispute(self, marked: bool) -> None:
        name = next(iter(self.oracle.disputes))
        facts = MARKED if marked else {}
        with self.refused(unless=marked):
            self.act(acts.AnswerDispute(by="x", dispute=name, outcome="rejected", facts=facts))
            del self.oracle.disputes[name]

    @rule()
    def complain(self) -> None:
        name = self.act(acts.Complaint(by="x", via="12378", kind="harassment"))
        self.oracle.complaints.add(name)

    @precondition(lambda self: self.oracle.complaints)
    @rule()
    def answer_a_complaint(self) -> None:
        self.act(acts.AnswerComplaint(by="x", complaint=self.oracle.complaints.pop(), outcome="upheld"))

    @precondition(open_)
    @rule()
    def needs_care(self) -> None:
        review = self.world.today + timedelta(days=30)
        self.oracle.care.add(self.act(acts.Vulnerable(by="x", channels=["letter"], review_on=review)))

    @precondition(lambda self: self.open_() and self.oracle.care)
    @rule()
    def care_ends(self) -> None:
        self.act(acts.ReviewVulnerable(by="x", vulnerability=self.oracle.care.pop(), ends=True))

    @precondition(open_)
    @rule(days=st.integers(0, 20))
    def hardship(self, days: int) -> None:
        until = self.world.today + timedelta(days=days)
        self.oracle.hardship[self.act(acts.Hardship(by="x", cause="job", until=until))] = until

    @precondition(open_)
    @rule()
    def insolvency(self) -> None:
        name = self.act(acts.Insolvent(by="x", kind="liquidation", began_on=self.world.today))
        self.oracle.insolvent.add(name)

    @precondition(lambda self: self.open_() and self.oracle.insolvent)
    @rule()
    def insolvency_ends(self) -> None:
        self.act(acts.EndInsolvency(by="x", insolvency=self.oracle.insolvent.pop(), outcome="dismissed"))

    @precondition(open_)
    @rule(signed=st.booleans())
    def plan(self, signed: bool) -> None:
        self.world.event(self.who, "plan_signed" if signed else "plan_broken", plan_id="p")
        self.oracle.plan = signed

    def _hard(self) -> bool:
        return self.oracle.state(self.world.today) in ("open", "contacted", "broken_promise") and self.overdue()

    @precondition(open_)
    @rule()
    def assign(self) -> None:
        may = self._hard()
        with self.refused(unless=may):
            self.outside.assign(self.case_id, acts.Assign(by="x", agency_id="ag"), secrets.token_hex(8))
            assert may
            self.oracle.agency = "ag"

    @precondition(open_)
    @rule()
    def recall(self) -> None:
        had = self.oracle.agency is not None
        with self.refused(unless=had):
            self.act(acts.Recall(by="x", why="review"))
            assert had
            self.oracle.agency = None

    @precondition(open_)
    @rule()
    def go_to_court(self) -> None:
        may = self._hard()
        with self.refused(unless=may):
            self.oracle.court = self.act(acts.Legal(by="x", **PAST))
            assert may

    @precondition(lambda self: self.open_() and self.oracle.court)
    @rule()
    def leave_court(self) -> None:
        self.act(acts.EndLegal(by="x", why="settled"))
        self.oracle.court = None

    @precondition(open_)
    @rule(consent=st.booleans())
    def sell(self, consent: bool) -> None:
        may = self._hard() and consent
        facts = {"separate_consent": True, "impact_assessed": True} if consent else {}
        with self.refused(unless=may):
            self.act(acts.Sell(by="x", buyer_id="buyer", price_minor=100, facts=facts, **PAST))
            assert may
            self.oracle.end = "sold"

    @precondition(lambda self: self.open_() and (self.oracle.disputes or self.oracle.hardship or self.oracle.court))
    @rule(which=st.sampled_from(["disputes", "hardship", "court"]))
    def take_back(self, which: str) -> None:
        told = getattr(self.oracle, which)
        if not told:
            return
        name = told if which == "court" else next(reversed(told))
        self.act(acts.Reverse(by="x", fact_id=name, why="mistyped"))
        if which == "court":
            self.oracle.court = None
        else:
            del told[name]

    @rule()
    def looked_at(self) -> None:
        """The daily look: what is paid is cured, unless an answer is due."""
        with transaction(self.record.engine) as connection:
            one_at_a_time(connection, [self.who])
            row = store.row_of(connection, self.case_id, self.cases.lender_id)
            assert row is not None
            if row["closed_at"] is None:
                self.cases.refresh(connection, row, self.cases.accounts(connection, self.who))
        if self.open_() and not self.overdue() and not self.oracle.disputes and not self.oracle.complaints:
            self.oracle.end = "cured"

    # ---- What always holds -------------------------------------------------------------------------------------------

    @invariant()
    def the_state_is_that_of_the_card(self) -> None:
        assert str(self.state()) == self.oracle.state(self.world.today)

    @invariant()
    def a_closed_case_is_with_nobody(self) -> None:
        with transaction(self.record.engine) as connection:
            case = self.cases.seen(connection, self.case_id).look.case
        assert case.closed is None or (case.agency is None and case.closed.reason in ENDS)


def run(record: Workspace, examples: int, steps: int) -> None:
    kind: Any = type("Clerk", (Clerk,), {"record": record})
    told = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))  # fmt: skip
    run_state_machine_as_test(kind, settings=told)


def test_a_case_goes_as_the_card_says(record: Workspace) -> None:
    run(record, 3, 16)


@pytest.mark.prove
def test_many_cases_go_as_the_card_says(record: Workspace) -> None:
    run(record, 40, 40)
