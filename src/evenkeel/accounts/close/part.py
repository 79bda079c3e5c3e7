"""What the parts of a close share: the facts to apply, where accounts stood, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.close.tables import BILLS, CORRECTIONS
from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.ledger import Posting, difference
from evenkeel.accounts.state import Bill
from evenkeel.accounts.store import Booked, facts_of
from evenkeel.storage.closings import Closings, read_part
from evenkeel.storage.journal import Journal


@dataclass(frozen=True, slots=True)
class Window:
    """The facts that a close reads: booked after the last close's, up to what had settled when it began."""

    since_seq: int
    until_seq: int


@dataclass(frozen=True, slots=True)
class Job:
    """One part of a close: accounts of one product that stood in a part of the last close, and new ones.

    state: path and SHA-256 of where they stood, None for a part that is new.
    """

    name: str
    product: str  # its digest
    state: tuple[str, str] | None
    new: Mapping[str, Sequence[AccountFact]]


@dataclass(frozen=True, slots=True)
class Task:
    """What every part of one close works with. touched: the facts to apply by account."""

    closings: Closings
    journal: Journal
    window: Window
    day: date
    last_day: date  # the day before the first, where none was closed
    touched: Mapping[str, Sequence[AccountFact]]

    def stood(self, job: Job, empty: pa.Schema) -> pa.Table:
        """The state table of the last close. Raises Unavailable if it is not what was recorded."""
        if job.state is None:
            return empty.empty_table()
        path, sha256 = job.state
        return read_part(self.closings.folder(self.last_day) / path, sha256)

    def touched_rows(self, account_ids: pa.Array) -> list[tuple[int, str]]:
        """Place and id of the accounts of a part that facts touch."""
        names = pa.array(sorted(self.touched), pa.string())
        places = pc.index_in(names, value_set=account_ids).to_pylist()
        return [(place, name) for place, name in zip(places, names.to_pylist(), strict=True) if place is not None]

    def booked(self, account_id: str) -> tuple[list[AccountFact], list[AccountFact]]:
        """All facts of an account that this close knows, and those that the last one knew."""
        known = [entry for entry in facts_of(self.journal, account_id) if entry.seq <= self.window.until_seq]
        return _facts(known), _facts([entry for entry in known if entry.seq <= self.window.since_seq])


def _facts(booked: Sequence[Booked]) -> list[AccountFact]:
    return [entry.fact for entry in booked]


@dataclass(slots=True)
class Changes:
    """What was done to single accounts."""

    postings: list[tuple[str, Posting]] = field(default_factory=list)
    bills: list[tuple[str, Bill]] = field(default_factory=list)
    _corrections: list[dict[str, object]] = field(default_factory=list)
    _corrected_bills: list[dict[str, object]] = field(default_factory=list)

    def take(self, account_id: str, postings: Sequence[Posting], bills: Sequence[Bill]) -> None:
        """Keep what an account posted and billed on days that were not closed."""
        self.postings += [(account_id, posting) for posting in postings]
        self.bills += [(account_id, bill) for bill in bills]

    def correct(
        self, account_id: str, was: tuple[Sequence[Posting], Sequence[Bill]],
        now: tuple[Sequence[Posting], Sequence[Bill]], last_day: date,
    ) -> None:  # fmt: skip
        """Keep what late facts change in days that are closed, and take what is new after them.

        was: postings and bills up to `last_day`, as they had been told. now: all, as they are.
        """
        closed = [posting for posting in now[0] if posting.on <= last_day]
        for ledger_account, amount in difference(was[0], closed).items():
            self._corrections.append(
                {"account_id": account_id, "ledger_account": ledger_account, "amount_minor": amount}
            )
        told = {bill.number: bill for bill in was[1]}
        for bill in now[1]:
            if bill.cut_on <= last_day and told.get(bill.number) != bill:
                named = {name: getattr(bill, name) for name in BILLS.names[1:]}
                self._corrected_bills.append({"account_id": account_id, **named})
        fresh = [posting for posting in now[0] if posting.on > last_day]
        self.take(account_id, fresh, [bill for bill in now[1] if bill.cut_on > last_day])

    def tables(self) -> dict[str, pa.Table]:
        """Corrections by ledger account, and corrected bills."""
        return {
            "corrections": pa.Table.from_pylist(self._corrections, schema=CORRECTIONS),
            "corrected_bills": pa.Table.from_pylist(self._corrected_bills, schema=BILLS),
        }


@dataclass(frozen=True, slots=True)
class Part:
    """A closed part: where its accounts stand, and what is told of the day."""

    state: pa.Table
    day: pa.Table
    bills: pa.Table
    postings: pa.Table
    changes: Changes
