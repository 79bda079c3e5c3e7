"""The due process on record: every step a fact of the borrower, under the borrower's lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.accounts.store import one_at_a_time
from evenkeel.arrears.evasion.process import Process, Step, Taken, after, process_of
from evenkeel.kernel.errors import NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

KIND = "evasion.step"
_STEPS = sa.text("SELECT payload FROM journal WHERE borrower_id = :borrower_id AND kind = :kind ORDER BY seq")
_KNOWN = sa.text("SELECT EXISTS (SELECT FROM journal WHERE borrower_id = :borrower_id)")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one lender. zone: in which its days are counted."""

    journal: Journal
    lender_id: str
    zone: str = "Asia/Shanghai"

    def take(
        self,
        borrower_id: str,
        step: Step,
        *,
        by: str,
        words: str,
        second: str | None = None,
        evidence: tuple[str, ...] = (),
    ) -> Process:
        """Take a step today. The same step by the same person on the same day is taken once.

        Raises NotFound where nothing is known of the borrower, InvalidInput or Conflict as `process.after`.
        """
        today = self._today()
        one = Taken(step, today, by, words, second, evidence)
        with transaction(self.journal.engine) as connection:
            one_at_a_time(connection, [borrower_id])
            if not connection.execute(_KNOWN, {"borrower_id": borrower_id}).scalar_one():
                raise NotFound(f"There is no borrower {borrower_id}.", "Take their account on record first.")
            taken = self._taken(connection, borrower_id)
            standing = process_of(taken, today)
            if standing is not None and one in taken:
                return standing
            process = after(standing, one)
            now = self.journal.clock()
            name = content_id("evasion step", self.lender_id, borrower_id, str(len(taken)))
            self.journal.append_in(connection, [Fact(name, KIND, now, self._payload(one), borrower_id)])
        return process

    def one(self, borrower_id: str) -> Process | None:
        """The process of a borrower as it stands today, None where there is none."""
        with transaction(self.journal.engine) as connection:
            return process_of(self._taken(connection, borrower_id), self._today())

    def _today(self) -> date:
        now: datetime = self.journal.clock()
        return now.astimezone(ZoneInfo(self.zone)).date()

    def _payload(self, one: Taken) -> dict[str, object]:
        return {
            "lender_id": self.lender_id, "step": str(one.step), "on": one.on.isoformat(), "by": one.by,
            "second": one.second, "words": one.words, "evidence": list(one.evidence),
        }  # fmt: skip

    def _taken(self, connection: Connection, borrower_id: str) -> list[Taken]:
        rows = connection.execute(_STEPS, {"borrower_id": borrower_id, "kind": KIND}).scalars()
        return [_step(said) for said in rows if said["lender_id"] == self.lender_id]


def _step(said: dict[str, Any]) -> Taken:
    return Taken(
        Step(said["step"]), date.fromisoformat(said["on"]), said["by"], said["words"], said["second"],
        tuple(said["evidence"]),
    )  # fmt: skip
