"""Cases of one lender on record: opened, worked on by one person at a time, closed.

An act is one transaction under the borrower's lock: what is on record is read, the guards and the law are asked, the
fact is booked, the case is made anew from its facts, its row is written and its webhooks are put into the outbox. All
of it stands or none. Once for each key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import Booked, facts_of_many, one_at_a_time, recorded_product
from evenkeel.arrears.cases import store, webhooks
from evenkeel.arrears.cases.acts import Act, Reverse, name_of
from evenkeel.arrears.cases.booking import Saying, booked_as, check_act
from evenkeel.arrears.cases.clocks import clocks, first_due
from evenkeel.arrears.cases.debts import money_of
from evenkeel.arrears.cases.fold import CLAIMED, CLOSED, MOVED, OPENED, REOPENED, fold, standing_facts
from evenkeel.arrears.cases.model import Look, Money, State
from evenkeel.arrears.cases.promises import match
from evenkeel.arrears.cases.ranking import Ranking, rank
from evenkeel.arrears.cases.transitions import TRANSITIONS, obstacles
from evenkeel.arrears.cases.views import CaseRow, Done
from evenkeel.arrears.contacts.model import Spoken
from evenkeel.arrears.contacts.standing import REVERSED, Told, undone_by
from evenkeel.arrears.law import ANSWERS, RuleBook, check
from evenkeel.arrears.rows import table_of
from evenkeel.decisions.review.service_level import WorkingHours
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.ids import content_id
from evenkeel.kernel.text import texts
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SELF = "evenkeel"  # who does what time and money do
_REVERSIBLE = {one.kind for one in TRANSITIONS.values()}
_CARRIES_ON = ("promise", "assign", "legal", "sell")  # of the case, from its opening on


@dataclass(frozen=True, slots=True)
class Seen:
    """A case under the lock of its borrower: its row, its facts, and how it looks."""

    row: RowMapping
    facts: list[store.Known]
    look: Look


@dataclass(frozen=True)
class Cases:
    """The cases of one lender. jurisdiction: where the debtors live. working: when people work, and in which zone a
    day begins. lease: how long a claim keeps others away."""

    journal: Journal
    lender_id: str
    rules: RuleBook
    jurisdiction: str
    working: WorkingHours
    ranking: Ranking = field(default_factory=Ranking)
    language: str = "en"
    lease: timedelta = timedelta(minutes=30)

    @cached_property
    def _products(self) -> dict[str, Product]:
        return {}

    def product(self, digest: str) -> Product:
        """A product on record; it never changes."""
        if digest not in self._products:
            self._products[digest] = recorded_product(self.journal, digest)
        return self._products[digest]

    # ---- Opening -----------------------------------------------------------------------------------------------------

    def open(self, borrower_id: str, by: str = _SELF) -> CaseRow:
        """The open case of a borrower; opened now if something is late and none is open.

        A case that was cured by money that did not hold is opened again. Raises NotFound where the borrower has no
        account with this lender, Conflict where nothing is late.
        """
        with transaction(self.journal.engine) as connection:
            one_at_a_time(connection, [borrower_id])
            accounts = self.accounts(connection, borrower_id)
            if not accounts:
                raise NotFound(f"There is no borrower {borrower_id}.", "Open an account of theirs first.")
            row = self.opened(connection, borrower_id, accounts, by)
            if row is None:
                raise Conflict(f"Nothing of {borrower_id} is late.", "A case is opened once a debt is past due.")
        return row

    def opened(
        self, connection: Connection, borrower_id: str, accounts: Mapping[str, Sequence[Booked]], by: str = _SELF
    ) -> CaseRow | None:
        """As `open`, under the lock of the borrower; None where nothing is late."""
        rows = store.rows_of_borrower(connection, borrower_id, self.lender_id)
        last = rows[-1] if rows else None
        if last is not None and last["closed_at"] is None:
            return self.row_view(last)
        now = self.journal.clock()
        money = money_of(accounts, self.product, self.day(now))
        if not money.overdue:
            return None
        told = {"days_past_due": money.days_past_due, "past_due_minor": money.past_due_minor}
        if last is not None and self._not_cured(last, money, now):
            self._book(connection, last["case_id"], borrower_id, REOPENED, now, by, told)
            return self._anew(connection, last["case_id"], borrower_id, accounts, now, "reopened")
        case_id = content_id("case", self.lender_id, borrower_id, str(len(rows)))
        self._book(connection, case_id, borrower_id, OPENED, now, by, told | {"borrower_id": borrower_id})
        return self._anew(connection, case_id, borrower_id, accounts, now, "opened")

    def _not_cured(self, row: RowMapping, money: Money, now: datetime) -> bool:
        """Whether a case was closed as cured, and what is late now was late before that."""
        if row["state"] != State.CURED:
            return False
        return money.days_past_due > (self.day(now) - self.day(row["closed_at"])).days

    # ---- Acts --------------------------------------------------------------------------------------------------------

    def act(self, case_id: str, act: Act, key: str) -> Done:
        """Do something in a case, once for each key.

        Raises NotFound where the case, or what the act names in it, is not this lender's; Conflict where a state, a
        claim of somebody else or another use of the key stands in the way; NotPermitted where a guard or a rule of law
        does; InvalidInput where the act contradicts itself.
        """
        name = name_of(type(act))
        fact_id = content_id("act", self.lender_id, key)
        with transaction(self.journal.engine) as connection:
            seen = self.seen(connection, case_id)
            if (before := store.fact(connection, fact_id)) is not None:
                return self._again(before, case_id, name, act)
            now = self.journal.clock()
            at = act.at or now
            self._timely(seen, name, at, now)
            self._free_for(seen.row, name, act.by, now)
            check_act(seen.look, act, self.day(at))
            if isinstance(act, Reverse):
                self._reversible(seen, act)
            stopped = obstacles(seen.look, name)
            if stopped:
                raise self._refused(name, seen.look.state, stopped)
            told = booked_as(act, fact_id, seen.look)
            warnings = self.ask_law(TRANSITIONS[name].law, at, told.law)
            facts = self._facts(seen, name, act, fact_id, at, told)
            after = self._after(seen, facts, now)
            done = Done(case_id=case_id, fact_id=fact_id, act=name, at=at, state=str(after.state), warnings=warnings)
            facts[0] = self._with_reply(facts[0], done)
            self.journal.append_in(connection, facts)
            self._write(connection, seen.row["case_id"], after, now)
            webhooks.put(connection, self.lender_id, case_id, f"case.{name}", done.state, now)
        return done

    def _timely(self, seen: Seen, name: str, at: datetime, now: datetime) -> None:
        if at > now:
            raise InvalidInput(f"`at` lies ahead, at {at.isoformat()}.", "Say when it happened.")
        if name in _CARRIES_ON and at < seen.look.case.opened_at:
            raise InvalidInput("It happened before the case was opened.", "Leave `at` out, or give a later one.")
        if name in ("assign", "legal", "sell") and at != now:
            raise InvalidInput("This is done now, and not in the past.", "Leave `at` out.")

    def _free_for(self, row: RowMapping, name: str, by: str, now: datetime) -> None:
        if TRANSITIONS[name].work and row["claimed_by"] not in (None, by) and row["lease_until"] > now:
            raise Conflict(f"{row['claimed_by']} works on the case until {row['lease_until']}.", "Take another.")

    def _reversible(self, seen: Seen, act: Reverse) -> None:
        known = {one.told.event_id: one.told for one in seen.facts}
        told = known.get(act.fact_id)
        if told is None or told.kind not in _REVERSIBLE or told.lender_id != self.lender_id:
            raise NotFound(f"There is no fact {act.fact_id[:64]} in this case.", "The timeline names those there are.")
        if act.fact_id in undone_by((one.event_id, one.reversal_of) for one in known.values() if one.kind == REVERSED):
            raise Conflict(f"The fact {act.fact_id} was taken back already.", "Nothing is left to do.")

    def _refused(self, name: str, state: State, stopped: Sequence[str]) -> Exception:
        if "state" in stopped:
            return Conflict(f"A case that is {state} takes no {name}.", "Look at its state and its timeline.")
        say = texts(self.language)
        why = "; ".join(say(f"case.guard.{one}") for one in stopped)
        return NotPermitted(f"{name} is refused: {why}.", "Each must be settled first.")

    def ask_law(self, actions: Sequence[str], at: datetime, facts: Mapping[str, Any] | None) -> list[Spoken]:
        """What the rules say of actions; those that only warn. Raises NotPermitted where one blocks or lacks a fact.

        facts: None where there is nothing to ask, as with care that needs no reason.
        """
        if facts is None or not actions:
            return []
        known = {name: _day_or_same(value) for name, value in facts.items()}
        rows = [known | {"action": action, "at": at} for action in actions]
        answers = check(table_of(rows), self.rules, self.jurisdiction, self.language)
        spoken = [one for some in msgspec.convert(answers["rules"].to_pylist(), list[list[Spoken]]) for one in some]
        hard = [one for one in spoken if ANSWERS.index(one.effect) >= ANSWERS.index("require")]
        if hard:
            first = hard[0]
            raise NotPermitted(
                f"{'; '.join(f'{one.id}: {one.value}' for one in hard)}. {first.citation}.",
                "Give the facts that `evenkeel law explain` names, where they are true.",
            )
        return spoken

    def _facts(self, seen: Seen, name: str, act: Act, fact_id: str, at: datetime, told: Saying) -> list[Fact]:
        """The fact of an act, and the recall that comes with an end."""
        case, payload = seen.look.case, {"lender_id": self.lender_id, "case_id": seen.row["case_id"], "by": act.by}
        payload |= {"name": told.name or fact_id, "told": msgspec.to_builtins(act)}
        fact = Fact(
            fact_id, TRANSITIONS[name].kind, at, {**told.payload, **payload},
            case.borrower_id, told.account_id, told.reversal_of,
        )  # fmt: skip
        facts = [fact]
        if name in ("sell", "close") and case.agency is not None:
            facts.append(self._recall(case.case_id, case.borrower_id, at, act.by))
        return facts

    def _recall(self, case_id: str, borrower_id: str, at: datetime, by: str) -> Fact:
        payload = {"lender_id": self.lender_id, "case_id": case_id, "by": by, "why": "case_closed"}
        name = content_id("case recalled", case_id, at.isoformat())
        return Fact(name, "case.recalled", at, payload, borrower_id)

    def _with_reply(self, fact: Fact, done: Done) -> Fact:
        payload = {**fact.payload, "reply": msgspec.to_builtins(done)}
        return Fact(
            fact.event_id, fact.kind, fact.effective_at, payload, fact.borrower_id, fact.account_id, fact.reversal_of
        )

    def _again(self, before: RowMapping, case_id: str, name: str, act: Act) -> Done:
        """The first reply to the same act."""
        payload = before["payload"]
        same = payload.get("case_id") == case_id and payload.get("told") == msgspec.to_builtins(act)
        done = msgspec.convert(payload.get("reply"), Done) if same else None
        if done is None or done.act != name:
            raise Conflict("The key came with another act before.", "Use a key of its own for each act.")
        return done

    # ---- Who works on what -------------------------------------------------------------------------------------------

    def claim(self, case_id: str, by: str) -> CaseRow:
        """Take a case, or take it for longer. Raises Conflict while somebody else has it, or once it is closed."""
        with transaction(self.journal.engine) as connection:
            row = self._locked(connection, case_id)
            now = self.journal.clock()
            if row["closed_at"] is not None:
                raise Conflict(f"The case {case_id} is closed: {row['state']}.", "Take another.")
            if row["claimed_by"] not in (None, by) and row["lease_until"] > now:
                raise Conflict(f"{row['claimed_by']} works on the case until {row['lease_until']}.", "Take another.")
            until = now + self.lease
            store.claim(connection, case_id, by, until)
            if row["claimed_by"] != by or row["lease_until"] <= now:  # to have it for longer is nothing new
                told = {"lease_until": until.isoformat()}
                self._book(connection, case_id, row["borrower_id"], CLAIMED, now, by, told)
            return self.row_view(self.row(connection, case_id))

    def release(self, case_id: str, by: str) -> CaseRow:
        """Give a claimed case back. Raises Conflict unless `by` has it."""
        with transaction(self.journal.engine) as connection:
            row = self._locked(connection, case_id)
            if row["claimed_by"] != by or row["lease_until"] <= self.journal.clock():
                raise Conflict(f"{by} does not have the case {case_id}.", "Claim it first.")
            store.claim(connection, case_id, None, None)
            return self.row_view(self.row(connection, case_id))

    # ---- Time and money ----------------------------------------------------------------------------------------------

    def refresh(
        self, connection: Connection, row: RowMapping, accounts: Mapping[str, Sequence[Booked]],
        told: tuple[str, float] | None = None,
    ) -> str | None:  # fmt: skip
        """Look at an open case anew, under the lock of its borrower; the state it came to, where it is another.

        What is paid is cured, what was sold elsewhere is over: unless a dispute or a complaint waits for its answer.
        told: treatment and value of a day's assignment.
        """
        case_id, borrower_id, now = row["case_id"], row["borrower_id"], self.journal.clock()
        look = self._look(store.facts_of(connection, borrower_id), case_id, accounts, now)
        if look.case.closed is not None:
            return None
        ended = State.SOLD if look.money.all_sold else None if look.money.overdue else State.CURED
        if ended is not None and not look.case.open_disputes and not look.case.open_complaints:
            facts = []
            if look.case.agency is not None:
                facts.append(self._recall(case_id, borrower_id, now, _SELF))
            self.journal.append_in(connection, facts)
            self._book(connection, case_id, borrower_id, CLOSED, now, _SELF, {"reason": str(ended)})
            self._anew(connection, case_id, borrower_id, accounts, now, str(ended))
            return str(ended)
        if str(look.state) != row["state"]:
            # How many facts there were makes two moves of one instant two facts.
            said = {"from": row["state"], "to": str(look.state), "facts": look.case.facts}
            self._book(connection, case_id, borrower_id, MOVED, now, _SELF, said)
            webhooks.put(connection, self.lender_id, case_id, "case.moved", str(look.state), now)
        self._write(connection, case_id, look, now, told)
        return str(look.state) if str(look.state) != row["state"] else None

    # ---- Reading -----------------------------------------------------------------------------------------------------

    def seen(self, connection: Connection, case_id: str) -> Seen:
        """A case, its borrower locked. Raises NotFound where it is not this lender's."""
        row = self._locked(connection, case_id)
        facts = store.facts_of(connection, row["borrower_id"])
        accounts = self.accounts(connection, row["borrower_id"])
        return Seen(row, facts, self._look(facts, case_id, accounts, self.journal.clock()))

    def read(self, connection: Connection, case_id: str, borrower_id: str) -> tuple[Look, list[store.Known]] | None:
        """How a case looks, and its facts, nobody locked; None where its opening was taken back."""
        facts = store.facts_of(connection, borrower_id)
        try:
            return self._look(facts, case_id, self.accounts(connection, borrower_id), self.journal.clock()), facts
        except NotFound:
            return None

    def accounts(self, connection: Connection, borrower_id: str) -> dict[str, list[Booked]]:
        """The facts of a borrower's accounts with this lender."""
        names = store.accounts_of(connection, borrower_id, self.lender_id)
        return facts_of_many(self.journal, names) if names else {}

    def day(self, at: datetime) -> date:
        """The day of an instant, where people work."""
        return at.astimezone(self.working.zone).date()

    def row_view(self, row: RowMapping) -> CaseRow:
        """A row as it is answered."""
        names = [name for name in CaseRow.__struct_fields__ if name not in ("ways", "forbidden")]
        told = {name: row[name] for name in names}
        for name in ("opened_at", "closed_at", "lease_until"):
            told[name] = told[name].astimezone(UTC) if told[name] is not None else None
        if row["lease_until"] is not None and row["lease_until"] <= self.journal.clock():
            told |= {"claimed_by": None, "lease_until": None}
        return CaseRow(**told)

    def look_of(self, money: Money, facts: Sequence[store.Known], case_id: str, now: datetime) -> Look:
        """How a case looks with its money. Raises NotFound where its opening does not stand."""
        told: list[Told] = [one.told for one in facts]
        case = fold(case_id, standing_facts(told, self.lender_id, now), self.working.zone)
        if case is None:
            raise NotFound(f"There is no case {case_id}.", "Its opening was taken back.")
        return Look(case, money, match(case.promises, money.payments, money.on))

    def _look(
        self, facts: Sequence[store.Known], case_id: str, accounts: Mapping[str, Sequence[Booked]], now: datetime
    ) -> Look:
        return self.look_of(money_of(accounts, self.product, self.day(now)), facts, case_id, now)

    def row(self, connection: Connection, case_id: str) -> RowMapping:
        """The row of a case. Raises NotFound where it is not this lender's."""
        row = store.row_of(connection, case_id, self.lender_id)
        if row is None:
            raise NotFound(f"There is no case {case_id[:64]}.", "`evenkeel arrears worklist` shows the open ones.")
        return row

    def _locked(self, connection: Connection, case_id: str) -> RowMapping:
        one_at_a_time(connection, [self.row(connection, case_id)["borrower_id"]])
        return self.row(connection, case_id)

    # ---- Writing -----------------------------------------------------------------------------------------------------

    def _book(
        self, connection: Connection, case_id: str, borrower_id: str, kind: str, at: datetime, by: str,
        said: Mapping[str, Any],
    ) -> None:  # fmt: skip
        payload = {"lender_id": self.lender_id, "case_id": case_id, "by": by, **said}
        name = content_id(kind, case_id, by, at.isoformat(), str(sorted(said.items())))
        self.journal.append_in(connection, [Fact(name, kind, at, payload, borrower_id)])

    def _anew(
        self, connection: Connection, case_id: str, borrower_id: str, accounts: Mapping[str, Sequence[Booked]],
        now: datetime, what: str,
    ) -> CaseRow:  # fmt: skip
        """The case made from its facts, its row written, and told of."""
        look = self._look(store.facts_of(connection, borrower_id), case_id, accounts, now)
        self._write(connection, case_id, look, now)
        webhooks.put(connection, self.lender_id, case_id, f"case.{what}", str(look.state), now)
        return self.row_view(self.row(connection, case_id))

    def _after(self, seen: Seen, facts: Sequence[Fact], now: datetime) -> Look:
        """How the case looks with facts that are about to be booked."""
        more = [
            store.Known(
                Told(one.event_id, one.kind, one.account_id, one.effective_at, one.payload, one.reversal_of), 0, now
            )
            for one in facts
        ]
        return self.look_of(seen.look.money, [*seen.facts, *more], seen.row["case_id"], now)

    def _write(
        self, connection: Connection, case_id: str, look: Look, now: datetime, told: tuple[str, float] | None = None
    ) -> None:
        case, money = look.case, look.money
        clock = first_due(clocks(case, self.rules, self.jurisdiction, self.working.works, self.working.zone))
        day = self.day(now)
        before = store.row_of(connection, case_id, self.lender_id)
        if told is None and before is not None and before["given_on"] == day:
            told = (before["given_treatment"], before["given_minor"])
        ranked = rank(look, clock, told, self.ranking)
        store.write(
            connection,
            {
                "case_id": case_id, "lender_id": case.lender_id, "borrower_id": case.borrower_id,
                "opened_at": case.opened_at, "closed_at": case.closed.at if case.closed else None,
                "state": str(look.state), "skill": ranked.skill, "days_past_due": money.days_past_due,
                "past_due_minor": money.past_due_minor, "owed_minor": money.owed_minor,
                "agency_id": case.agency.agency_id if case.agency else None, "due_on": clock.due_on if clock else None,
                "act_by": clock.act_by if clock else None, "treatment": ranked.treatment,
                "value_minor": ranked.value_minor, "rank": ranked.rank, "given_on": day if told else None,
                "given_treatment": told[0] if told else None, "given_minor": told[1] if told else None,
            },
        )  # fmt: skip


def _day_or_same(value: object) -> object:
    """A day that came as text, as the rules read days."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return value
    return parse_date(value)
