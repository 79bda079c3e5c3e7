"""Which policy is in force: proposed by one person, approved by another, taken back by either; every version is kept.

What is in force is a fold over the events; nothing else holds it. A challenger decides for a share of borrowers that a
hash chooses, so that a borrower stays with one policy whichever process asks and however often.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.storage.database import POLICY_LOCK, transaction

WHOLE_PPM = 1_000_000
_MOST_CHALLENGER_PPM = 500_000
_MOST_TEXT = 4_000_000  # characters of a policy

Judge = Callable[[str], Sequence[str]]
Act = Callable[[Connection, "Standing"], tuple[str, int]]


class Action(StrEnum):
    """What was done to a version."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"  # to this version
    STOPPED = "stopped"  # as a challenger


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the register. kind: what the policy decides (grant, limit, authorisation). share_ppm: for how many
    borrowers in a million; all of them for a champion."""

    number: int
    at: datetime
    kind: str
    action: Action
    version: str
    by: str
    why: str
    share_ppm: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force for one kind, and what waits for a second person. challenger_ppm: its share of borrowers."""

    champion: str | None = None
    before: tuple[str, ...] = ()  # earlier champions, the last one last
    challenger: str | None = None
    challenger_ppm: int = 0
    waiting: tuple[Event, ...] = ()

    def for_borrower(self, borrower_id: str) -> str | None:
        """The version that decides on a borrower."""
        if self.challenger is not None and draw_ppm(self.challenger, borrower_id) < self.challenger_ppm:
            return self.challenger
        return self.champion


def draw_ppm(version: str, borrower_id: str) -> int:
    """A number from 0 to 999,999 that is the same for a version and a borrower every time, and spread evenly."""
    digest = hashlib.sha256(f"{version}\x1f{borrower_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * WHOLE_PPM >> 64


def standing(events: Sequence[Event]) -> Standing:
    """What the events of one kind, in their order, come to."""
    now = Standing()
    waiting: dict[str, Event] = {}
    for event in events:
        champion, before, challenger, share = now.champion, now.before, now.challenger, now.challenger_ppm
        if event.action is Action.PROPOSED:
            waiting[event.version] = event
        elif event.action is Action.REJECTED:
            waiting.pop(event.version, None)
        elif event.action is Action.STOPPED:
            challenger, share = None, 0
        elif event.action is Action.ROLLED_BACK:
            champion, before, challenger, share = event.version, before[:-1], None, 0
        elif event.share_ppm < WHOLE_PPM:
            waiting.pop(event.version, None)
            challenger, share = event.version, event.share_ppm
        else:
            waiting.pop(event.version, None)
            before = before if champion is None else (*before, champion)
            champion, challenger, share = event.version, None, 0
        now = Standing(champion, before, challenger, share, tuple(waiting.values()))
    return now


@dataclass(frozen=True, slots=True)
class Register:
    """The register in a database. Changes to it take turns."""

    engine: Engine
    clock: Clock

    def history(self, kind: str | None = None) -> list[Event]:
        """Every event, the oldest first."""
        with transaction(self.engine) as connection:
            return _events(connection, kind)

    def standing(self, kind: str) -> Standing:
        """What is in force for a kind, and what waits."""
        return standing(self.history(kind))

    def text(self, version: str) -> str:
        """The text of a version. Raises NotFound."""
        query = sa.text("SELECT content FROM policy_text WHERE version = :version")
        with transaction(self.engine) as connection:
            found: str | None = connection.execute(query, {"version": version}).scalar_one_or_none()
        if found is None:
            raise NotFound(f"There is no policy {version[:64]}.", "`evenkeel policy history` lists them.")
        return found

    def propose(
        self, kind: str, version: str, name: str, text: str, judge: Judge, *, by: str, why: str,
        share_ppm: int = WHOLE_PPM,
    ) -> Event:  # fmt: skip
        """Put a version forward: as champion, or as challenger for a share of borrowers.

        judge: what check and proof find in the text; nothing at fault can be proposed. Raises InvalidInput with it.
        """
        if faults := judge(text):
            raise InvalidInput(
                f"{name} cannot be published: {faults[0]}" + (f" ({len(faults) - 1} more)" if faults[1:] else ""),
                "`evenkeel policy check` and `evenkeel policy prove` show everything, with an example of each.",
            )
        if len(text) > _MOST_TEXT or not (share_ppm == WHOLE_PPM or 1 <= share_ppm <= _MOST_CHALLENGER_PPM):
            raise InvalidInput(
                f"A share of {share_ppm / 10_000:g} % is no challenger's.", "Allowed: up to 50 %, or all."
            )

        def act(connection: Connection, now: Standing) -> tuple[str, int]:
            if any(event.version == version for event in now.waiting):
                raise Conflict(f"{version} waits for a second person already.", "Ask them to approve or reject it.")
            if version == now.champion:
                raise Conflict(f"{version} is in force already.", "There is nothing to publish.")
            if share_ppm < WHOLE_PPM and now.champion is None:
                raise Conflict("There is no champion to challenge.", "Publish one first, for all borrowers.")
            insert = "INSERT INTO policy_text (version, name, content) VALUES (:v, :n, :c) ON CONFLICT DO NOTHING"
            connection.execute(sa.text(insert), {"v": version, "n": name, "c": text})
            return version, share_ppm

        return self._write(kind, Action.PROPOSED, by, why, act)

    def approve(self, kind: str, version: str, *, by: str, why: str) -> Event:
        """Put a proposed version in force. Raises NotPermitted for who proposed it, NotFound if none waits."""

        def act(connection: Connection, now: Standing) -> tuple[str, int]:
            proposal = _waiting(now, version)
            if proposal.by == by:
                raise NotPermitted(f"{by} proposed {version}.", "Another person has to approve it.")
            return version, proposal.share_ppm

        return self._write(kind, Action.APPROVED, by, why, act)

    def reject(self, kind: str, version: str, *, by: str, why: str) -> Event:
        """Let a proposal fall; its own author may too. Raises NotFound if none waits."""
        return self._write(kind, Action.REJECTED, by, why, lambda _, now: (version, _waiting(now, version).share_ppm))

    def rollback(self, kind: str, *, by: str, why: str) -> Event:
        """Go back to the champion before, at once: two people had approved it. A challenger is stopped with it."""

        def act(connection: Connection, now: Standing) -> tuple[str, int]:
            if not now.before:
                raise Conflict("There is no earlier policy to go back to.", "Publish another one.")
            return now.before[-1], WHOLE_PPM

        return self._write(kind, Action.ROLLED_BACK, by, why, act)

    def stop_challenger(self, kind: str, *, by: str, why: str) -> Event:
        """Give all borrowers back to the champion, at once."""

        def act(connection: Connection, now: Standing) -> tuple[str, int]:
            if now.challenger is None:
                raise Conflict("There is no challenger to stop.")
            return now.challenger, now.challenger_ppm

        return self._write(kind, Action.STOPPED, by, why, act)

    def _write(self, kind: str, action: Action, by: str, why: str, act: Act) -> Event:
        """Add a line, one process after the other. act: holds it to what stands, and says version and share."""
        for name, value, most in (("by", by, 64), ("why", why, 500)):
            if not 1 <= len(value.strip()) <= most or not value.isprintable():
                raise InvalidInput(f"`{name}` is {value[:64]!r}.", f"Say who and why, in 1 to {most} characters.")
        with transaction(self.engine) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POLICY_LOCK, 0)))
            version, share_ppm = act(connection, standing(_events(connection, kind)))
            at = self.clock()
            number = connection.execute(
                sa.text(
                    "INSERT INTO policy_event (at, kind, action, version, by, why, share_ppm)"
                    " VALUES (:at, :kind, :action, :version, :by, :why, :share) RETURNING number"
                ),
                {"at": at, "kind": kind, "action": str(action), "version": version, "by": by, "why": why,
                 "share": share_ppm},
            ).scalar_one()  # fmt: skip
        return Event(number, at, kind, action, version, by, why, share_ppm)


def _waiting(now: Standing, version: str) -> Event:
    for event in now.waiting:
        if event.version == version:
            return event
    raise NotFound(f"{version[:64]} is not waiting for anybody.", "`evenkeel policy history` shows what is.")


def _events(connection: Connection, kind: str | None) -> list[Event]:
    query = sa.text(
        "SELECT number, at, kind, action, version, by, why, share_ppm FROM policy_event"
        " WHERE CAST(:kind AS text) IS NULL OR kind = :kind ORDER BY number"
    )
    rows = connection.execute(query, {"kind": kind}).all()
    return [Event(row[0], row[1], row[2], Action(row[3]), row[4], row[5], row[6], row[7]) for row in rows]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of those whom a policy approved: how many, and how many of them turned bad."""

    approved: int
    bad: int


def harmed(champion: Outcomes, challenger: Outcomes, margin: float, z: float = 2.576) -> bool:
    """Whether the challenger's share of bads is above the champion's by more than `margin`, beyond chance.

    Newcombe's interval of a difference of two shares (1998, method 10) from Wilson's of each: one-sided at 0.5 % with
    z = 2.576, as the question is asked again and again. False while either has approved nobody.
    """
    if not champion.approved or not challenger.approved:
        return False
    (p, low, _), (q, _, high) = _wilson(challenger, z), _wilson(champion, z)
    return p - q - math.hypot(p - low, high - q) > margin


def _wilson(outcomes: Outcomes, z: float) -> tuple[float, float, float]:
    n, share = outcomes.approved, outcomes.bad / outcomes.approved
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, middle - half, middle + half
