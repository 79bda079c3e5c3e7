"""Cases with outside agencies: told of, assigned in batches, recalled, judged and paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from evenkeel.arrears.cases import acts, store
from evenkeel.arrears.cases.agencies import (
    OWN_FACTS,
    Agency,
    Commission,
    Conduct,
    HandOver,
    Tried,
    commission,
    conduct,
    counts_against,
    handed,
)
from evenkeel.arrears.cases.model import Look
from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.cases.views import Done
from evenkeel.arrears.contacts.standing import ASKED, ENDED, standing_of
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact

TOLD = "case.agency_told"  # a fact about an agency, of no borrower
_COUNTED_DAYS = 31  # the longest window of any cap of contacts on record, and some
_LATEST = sa.text("""
SELECT payload FROM journal WHERE kind = 'case.agency_told' AND payload ->> 'lender_id' = :lender_id
ORDER BY seq
""")
_MOST_BATCH = 10_000


class Batched(Struct, frozen=True):
    """What became of one case of a batch. error: why it was not assigned; then it stayed where it was."""

    case_id: str
    assigned: bool
    error: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Conduct and commission of an agency for some time. collected_minor: what came in while it had the cases."""

    conduct: Conduct
    collected_minor: int
    commission: Commission | None
    refused: str


@dataclass(frozen=True, slots=True)
class Outsourcing:
    """The agencies of one lender."""

    cases: Cases

    def tell(self, agency: Agency, by: str) -> None:
        """What is known of an agency from now on. Raises InvalidInput where a day lies ahead."""
        now = self.cases.journal.clock()
        for name in ("evaluated_on", "trained_on"):
            day = getattr(agency, name)
            if day is not None and day > self.cases.day(now):
                raise InvalidInput(f"`{name}` lies ahead, on {day}.", "Give the day on which it was done.")
        payload = {"lender_id": self.cases.lender_id, "by": by, "agency": msgspec.to_builtins(agency)}
        name = content_id("agency", self.cases.lender_id, agency.agency_id, now.isoformat(), str(payload))
        with transaction(self.cases.journal.engine) as connection:
            if store.fact(connection, name) is None:
                self.cases.journal.append_in(connection, [Fact(name, TOLD, now, payload)])

    def known(self) -> dict[str, Agency]:
        """The agencies by id, as they were told of last."""
        with transaction(self.cases.journal.engine) as connection:
            rows = connection.execute(_LATEST, {"lender_id": self.cases.lender_id}).scalars().all()
        told = [msgspec.convert(payload["agency"], Agency) for payload in rows]
        return {one.agency_id: one for one in told}

    def one(self, agency_id: str) -> Agency:
        """An agency. Raises NotFound where nothing is known of it."""
        found = self.known().get(agency_id)
        if found is None:
            raise NotFound(f"There is no agency {agency_id[:64]}.", "Tell of it first: `evenkeel arrears case agency`.")
        return found

    # ---- Assigning ---------------------------------------------------------------------------------------------------

    def assign(self, case_id: str, act: acts.Assign, key: str) -> Done:
        """Give a case to an agency. Of the agency the rules are told what is on record, nothing else; the act may say
        more of the product, or of who passes data on. Raises as `Cases.act`, and Conflict where its contract has
        ended."""
        agency = self.one(act.agency_id)
        today = self.cases.day(self.cases.journal.clock())
        if agency.contract_until is None or agency.contract_until < today:
            ended = (
                "no day is known until which it runs"
                if agency.contract_until is None
                else (f"it ended on {agency.contract_until}")
            )
            raise Conflict(f"The contract with {agency.agency_id} does not run: {ended}.", "Renew it first.")
        known = {name: str(value) if isinstance(value, date) else value for name, value in agency.facts().items()}
        said = {name: value for name, value in act.facts.items() if name not in OWN_FACTS}
        return self.cases.act(case_id, msgspec.structs.replace(act, facts=said | known), key)

    def batch(self, case_ids: Sequence[str], agency_id: str, by: str, batch: str) -> list[Batched]:
        """Assign many cases, each in a transaction of its own; the same batch again goes on where it ended.

        Raises NotFound or Conflict where the agency cannot be given anything, InvalidInput above 10,000 cases.
        """
        if not case_ids or len(set(case_ids)) > _MOST_BATCH:
            raise InvalidInput(f"A batch has {len(set(case_ids))} cases.", f"Allowed: 1 to {_MOST_BATCH:,}.")
        self.one(agency_id)
        found = []
        for case_id in dict.fromkeys(case_ids):
            try:
                act = acts.Assign(by=by, agency_id=agency_id, batch=batch)
                self.assign(case_id, act, content_id("batch", batch, agency_id, case_id))
                found.append(Batched(case_id, True, ""))
            except EvenkeelError as error:
                found.append(Batched(case_id, False, str(error)))
        return found

    def hand_over(self, case_id: str) -> HandOver:
        """What goes with a case to the agency that has it. Raises Conflict where none has it."""
        with transaction(self.cases.journal.engine) as connection:
            seen = self.cases.seen(connection, case_id)
        case = seen.look.case
        if case.agency is None:
            raise Conflict(f"No agency has the case {case_id}.", "Assign it first.")
        now = self.cases.journal.clock()
        rows = standing_of(
            case.borrower_id, (one.told for one in seen.facts if one.told.lender_id == self.cases.lender_id)
        ).contacts
        return HandOver(
            case_id, case.agency.agency_id, case.agency.at, handed(rows, now - timedelta(days=_COUNTED_DAYS)),
            bool(case.representations), case.wrong_points, _suits(seen.look), seen.look.money.past_due_minor,
            seen.look.money.days_past_due,
        )  # fmt: skip

    # ---- Judging and paying ------------------------------------------------------------------------------------------

    def judged(self, agency_id: str, begin: date, end: date) -> Paid:
        """Conduct and commission of an agency from one day through another. Raises NotFound, InvalidInput."""
        agency = self.one(agency_id)
        if end < begin:
            raise InvalidInput(f"{begin} comes after {end}.", "Give the first day before the last.")
        tried: list[Tried] = []
        about: dict[str, int] = {}
        held: set[str] = set()
        collected = 0
        with transaction(self.cases.journal.engine) as connection:
            names = store.cases_of_agency(connection, agency_id, self.cases.lender_id)
            for case_id, borrower_id in dict.fromkeys((case_id, borrower) for case_id, borrower, _ in names):
                got = self._in_case(connection, case_id, borrower_id, agency_id, begin, end)
                if got is not None:
                    held.add(case_id)
                    tried += got[0]
                    about[case_id] = got[1]
                    collected += got[2]
        found = conduct(agency_id, held, tried, about)
        try:
            return Paid(found, collected, commission(agency, collected, found), "")
        except EvenkeelError as error:
            return Paid(found, collected, None, str(error))

    def _in_case(
        self, connection: Connection, case_id: str, borrower_id: str, agency_id: str, begin: date, end: date
    ) -> tuple[list[Tried], int, int] | None:
        """Of one case: contacts that the agency asked for, complaints that count, money while it had the case."""
        seen = self.cases.read(connection, case_id, borrower_id)
        if seen is None:
            return None
        look, facts = seen
        day = self.cases.day
        spans = [
            (max(day(one.at), begin), min(day(one.until) if one.until else end, end))
            for one in look.case.assignments
            if one.agency_id == agency_id
        ]
        spans = [(first, last) for first, last in spans if first <= last]
        if not spans:
            return None
        ended = {str(one.told.payload.get("contact_id")): one.told.payload for one in facts if one.told.kind == ENDED}
        tried = [
            Tried(
                case_id, told.payload["answer"] in ("allow", "warn"),
                told.payload["made"] or (told.event_id in ended and ended[told.event_id].get("made", True)),
            )
            for told in (one.told for one in facts)
            if told.kind == ASKED and told.payload["contact"].get("actor_id") == agency_id
            and told.lender_id == self.cases.lender_id and begin <= day(told.at) <= end
        ]  # fmt: skip
        complaints = sum(
            counts_against(one, agency_id) and begin <= one.received_on <= end for one in look.case.complaints
        )
        money = sum(
            one.amount_minor
            for one in look.money.payments
            if any(first <= one.on <= last for first, last in spans)
        )  # fmt: skip
        return tried, complaints, money


def _suits(look: Look) -> tuple[str, ...] | None:
    found = [set(one.channels) for one in look.case.vulnerabilities]
    return tuple(sorted(set.intersection(*found))) if found else None
