"""The review queue: every decision that was referred is in it, until a person, or two, have decided.

There is nothing to put in: a decision on record with the outcome `refer` is waiting, unless its row in `review` says
what became of it. What people do is a fact in the journal, booked with that row; the row can be made again from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.accounts.store import one_at_a_time
from evenkeel.decisions import record
from evenkeel.decisions.requests import Approved, Decision, request_id
from evenkeel.decisions.review.service_level import ReviewRules
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

if TYPE_CHECKING:
    from evenkeel.decisions.moving.reviewing import Reviewer

CLAIMED, SECONDED, DECIDED = "review_claimed", "review_seconded", "review_decided"  # kinds of facts
OUTCOMES = ("approve", "approve_less", "decline")
REASONS = (
    "identity_seen", "income_shown", "facts_contradict", "documents_doubtful", "debt_too_high", "debt_bearable",
    "linked_to_fraud", "link_explained", "borrower_withdrew", "cannot_be_reached", "outside_policy", "other",
)  # fmt: skip
_LIMIT = "limit"  # the kind of decisions that refer a move of a limit
_MOST_REASONS = 4
_MOST_NOTE = 1000
_PAGE = 200
# Numbers that name a person do not belong into a note: identity numbers, cards, mobiles.
_NAMES_A_PERSON = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15,19}|(?:\+?86[ -]?)?1\d{2}[ -]?\d{4}[ -]?\d{4})(?!\d)")


class State(StrEnum):
    """Where a review stands: free to take, taken by somebody, seen by one of two, over."""

    OPEN = "open"
    CLAIMED = "claimed"
    SECOND = "second"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Review:
    """One referred decision. place: its place in the order of deciding. late: not decided by `due_at`.

    requested_minor: what was asked for; of a limit to be raised or thawed the limit as it would be, of another move 0.
    first_by, first_outcome: of the first of two people. outcome, amount_minor: what was decided in the end.
    proposed: the move of a limit that was referred, if the policy named one; limit_before_minor, limit_proposed_minor:
    the limit then, and as proposed. move: what was made of a move that was approved.
    """

    place: int
    decision_id: str
    kind: str
    lender_id: str
    borrower_id: str
    account_id: str | None
    opened_at: datetime
    due_at: datetime
    late: bool
    requested_minor: int
    reasons: tuple[str, ...]
    state: State
    claimed_by: str | None
    lease_until: datetime | None
    first_by: str | None
    first_outcome: str | None
    decided_by: str | None
    decided_at: datetime | None
    outcome: str | None
    amount_minor: int | None
    proposed: str | None = None
    limit_before_minor: int | None = None
    limit_proposed_minor: int | None = None
    move: Decision | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says of a review. amount_minor: with approve_less, what is granted; of a raise, the limit after."""

    outcome: str
    reasons: tuple[str, ...]
    note: str = ""
    amount_minor: int | None = None


_SELECT = """
SELECT d.place, d.decision_id::text, d.kind, d.lender_id, d.borrower_id, d.account_id, d.decided_at, d.request, d.reply,
    r.claimed_by, r.lease_until, r.first_by, r.first_outcome, r.decided_by, r.decided_at AS closed_at, r.outcome,
    r.amount_minor
FROM decision AS d LEFT JOIN review AS r USING (decision_id)
WHERE d.outcome = 'refer'
"""
_WAITING = sa.text(
    _SELECT + "AND d.lender_id = :lender_id AND d.place > :after AND (:closed OR r.outcome IS NULL)"
    " ORDER BY d.place LIMIT :most"
)
_ONE = sa.text(_SELECT + "AND d.decision_id = :decision_id AND d.lender_id = :lender_id")
_MADE = sa.text("SELECT decision_id::text, reply FROM decision WHERE decision_id = ANY (CAST(:names AS uuid[]))")
# A statement of its own: what is read after it is what its last holder left.
_HOLD = sa.text("SELECT FROM decision WHERE decision_id = :decision_id AND lender_id = :lender_id FOR UPDATE")
_WRITE = sa.text("""
INSERT INTO review (decision_id, claimed_by, lease_until, first_by, first_outcome, decided_by, decided_at, outcome,
    amount_minor)
VALUES (:decision_id, :claimed_by, :lease_until, :first_by, :first_outcome, :decided_by, :decided_at, :outcome,
    :amount_minor)
ON CONFLICT (decision_id) DO UPDATE SET (claimed_by, lease_until, first_by, first_outcome, decided_by, decided_at,
    outcome, amount_minor) = ROW (excluded.claimed_by, excluded.lease_until, excluded.first_by, excluded.first_outcome,
    excluded.decided_by, excluded.decided_at, excluded.outcome, excluded.amount_minor)
""")


@dataclass(frozen=True, slots=True)
class Queue:
    """The reviews of one lender. reviewer: makes the moves of limits that are approved."""

    journal: Journal
    rules: ReviewRules
    lender_id: str
    reviewer: Reviewer | None = None

    # ---- Reading ---------------------------------------------------------------------------------------------------

    def waiting(self, *, after: int = 0, most: int = 50, closed: bool = False) -> list[Review]:
        """Reviews in the order in which they were referred, from the place after `after`. closed: decided ones too."""
        if not 1 <= most <= _PAGE:
            raise InvalidInput(f"A page has {most} reviews.", f"Allowed: 1 to {_PAGE}.")
        with transaction(self.journal.engine) as connection:
            given = {"lender_id": self.lender_id, "after": after, "most": most, "closed": closed}
            rows = connection.execute(_WAITING, given).mappings().all()
            made = self._made(connection, rows)
        now = self.journal.clock()
        return [self._review(row, now, made) for row in rows]

    def one(self, decision_id: str) -> Review:
        """A review. Raises NotFound if the decision was not referred, or is another lender's."""
        with transaction(self.journal.engine) as connection:
            return self._found(connection, decision_id)

    def _found(self, connection: Connection, decision_id: str, *, hold: bool = False) -> Review:
        try:
            name = str(UUID(decision_id))
        except ValueError:
            raise NotFound(
                f"There is no review {decision_id[:64]!r}.", "A review has the id of its decision."
            ) from None
        given = {"decision_id": name, "lender_id": self.lender_id}
        if hold:
            connection.execute(_HOLD, given)
        found = connection.execute(_ONE, given).mappings().one_or_none()
        if found is None:
            raise NotFound(f"There is no review {name}.", "`evenkeel review list` shows those that wait.")
        return self._review(found, self.journal.clock(), self._made(connection, [found]))

    def _made(self, connection: Connection, rows: Sequence[RowMapping]) -> dict[str, Decision]:
        """What was made of moves that were approved, by the id of the decision that was referred."""
        wanted = {
            self._name(row["decision_id"]): row["decision_id"]
            for row in rows
            if row["kind"] == _LIMIT and row["outcome"] not in (None, "decline")
        }
        if not wanted:
            return {}
        found = connection.execute(_MADE, {"names": list(wanted)})
        return {wanted[name]: msgspec.json.decode(reply, type=Decision) for name, reply in found}

    def _name(self, decision_id: str) -> str:
        return record.name_of(request_id(self.lender_id, _key(decision_id)))

    def _review(self, row: RowMapping, now: datetime, made: Mapping[str, Decision]) -> Review:
        request = msgspec.json.decode(row["request"])
        reply = msgspec.json.decode(row["reply"])
        moving = {name: reply.get(name) for name in ("proposed", "limit_before_minor", "limit_proposed_minor")}
        if row["kind"] != _LIMIT:
            moving = {}
        due = self.rules.due_at(row["kind"], row["decided_at"])
        names = [name for name in Review.__slots__ if name in row and name != "decided_at"]
        return Review(
            **{name: row[name] for name in names},
            opened_at=row["decided_at"], due_at=due, late=(row["closed_at"] or now) > due, decided_at=row["closed_at"],
            requested_minor=int(request.get("requested_minor") or request.get("amount_minor") or _wanted(moving)),
            reasons=tuple(reply.get("reasons", ())), state=_state(row, now), move=made.get(row["decision_id"]),
            **moving,
        )  # fmt: skip

    # ---- Deciding --------------------------------------------------------------------------------------------------

    def claim(self, decision_id: str, by: str) -> Review:
        """Take a review, or take it for longer. Raises Conflict while somebody else holds it, or once it is decided.

        Who gave the first of two opinions is not given it again: raises NotPermitted.
        """
        _person(by)
        with transaction(self.journal.engine) as connection:
            review = self._found(connection, decision_id, hold=True)
            self._free_for(review, by)
            lease = self.journal.clock() + self.rules.lease
            self._write(connection, review, {"claimed_by": by, "lease_until": lease})
            self._book(connection, review, CLAIMED, {"by": by, "lease_until": lease.isoformat()})
        return self.one(decision_id)

    def release(self, decision_id: str, by: str) -> Review:
        """Give a claimed review back. Raises Conflict unless `by` holds it."""
        with transaction(self.journal.engine) as connection:
            review = self._found(connection, decision_id, hold=True)
            self._held_by(review, by)
            self._write(connection, review, {"claimed_by": None, "lease_until": None})
        return self.one(decision_id)

    def decide(self, decision_id: str, by: str, verdict: Verdict) -> Review:
        """Decide a review that `by` has claimed; above the amount of the rules, give the first of two opinions.

        Of two people who disagree the stricter is followed. A move of a limit that is approved is made in the same
        transaction, as far as the rules of moving allow it by now. Raises Conflict unless `by` holds the review,
        InvalidInput on an outcome, reason, note or amount that is not allowed.
        """
        with transaction(self.journal.engine) as connection:
            review = self._found(connection, decision_id, hold=True)
            self._held_by(review, by)
            amount = _amount(review, verdict)
            said = {"by": by, "outcome": verdict.outcome, "amount_minor": amount, "reasons": list(verdict.reasons),
                    "note": verdict.note}  # fmt: skip
            favourable = "approve" if amount else verdict.outcome
            if review.first_by is None and self.rules.needs_second(favourable, amount):
                first = {"first_by": by, "first_outcome": f"{verdict.outcome}:{amount}"}
                self._write(connection, review, {**first, "claimed_by": None, "lease_until": None})
                self._book(connection, review, SECONDED, said)
            else:
                outcome, final = _stricter(review, verdict.outcome, amount)
                closing = {"decided_by": by, "decided_at": self.journal.clock(), "outcome": outcome}
                self._write(
                    connection, review, {**closing, "amount_minor": final, "claimed_by": None, "lease_until": None}
                )
                moved = self._move(connection, review, outcome, final, by, verdict.reasons)
                self._book(connection, review, DECIDED, {**said, "outcome": outcome, "amount_minor": final, **moved})
        return self.one(decision_id)

    def _move(
        self, connection: Connection, review: Review, outcome: str, amount: int, by: str, reasons: Sequence[str]
    ) -> dict[str, object]:
        """Make the move of a limit that was approved; what the fact of the verdict says of it."""
        if review.kind != _LIMIT or outcome == "decline":
            return {}
        if self.reviewer is None or review.account_id is None or review.proposed is None:
            raise InvalidInput("No limit can be moved here.", "Approve it with `evenkeel review`, or the service.")
        limit = amount if review.proposed == "raise" else review.limit_proposed_minor
        request = Approved(
            lender_id=self.lender_id, key=_key(review.decision_id), borrower_id=review.borrower_id,
            account_id=review.account_id, because=review.decision_id, outcome=review.proposed,  # type: ignore[arg-type]
            limit_minor=limit, by=tuple(one for one in (review.first_by, by) if one), reasons=tuple(reasons),
        )  # fmt: skip
        made = msgspec.json.decode(self.reviewer.approve(connection, request), type=Decision)
        return {"move": {"decision_id": made.decision_id, "outcome": made.outcome}}

    def _free_for(self, review: Review, by: str) -> None:
        if review.state is State.DECIDED:
            raise Conflict(f"The review {review.decision_id} was decided by {review.decided_by}.", "Look at another.")
        if review.state is State.CLAIMED and review.claimed_by != by:
            raise Conflict(
                f"{review.claimed_by} holds the review {review.decision_id} until {review.lease_until}.",
                "Take another, or ask them to release it.",
            )
        if review.first_by == by:
            raise NotPermitted(
                f"{by} gave the first opinion on the review {review.decision_id}.", "The second is another person's."
            )

    @staticmethod
    def _held_by(review: Review, by: str) -> None:
        if review.state is not State.CLAIMED or review.claimed_by != by:
            raise Conflict(f"{by} does not hold the review {review.decision_id}.", "Claim it first.")

    def _write(self, connection: Connection, review: Review, changed: Mapping[str, object]) -> None:
        names = ("decision_id", "claimed_by", "lease_until", "first_by", "first_outcome", "decided_by", "decided_at",
                 "outcome", "amount_minor")  # fmt: skip
        connection.execute(_WRITE, {name: getattr(review, name) for name in names} | dict(changed))

    def _book(self, connection: Connection, review: Review, kind: str, said: Mapping[str, object]) -> None:
        now = self.journal.clock()
        one_at_a_time(connection, [review.borrower_id])
        name = content_id(kind, review.decision_id, str(said["by"]), now.isoformat())
        payload = {"decision_id": review.decision_id, **said}
        self.journal.append_in(connection, [Fact(name, kind, now, payload, review.borrower_id, review.account_id)])


def statistics(reviews: Sequence[Review], now: datetime) -> dict[str, object]:
    """What a supervisor looks at: how many wait in each state, how many are late, and how long the oldest waits."""
    waiting = [one for one in reviews if one.state is not State.DECIDED]
    states = {str(state): sum(one.state is state for one in reviews) for state in State}
    oldest = max((now - one.opened_at for one in waiting), default=timedelta(0)).total_seconds() / 3600
    decided = [one for one in reviews if one.decided_at is not None]
    kept = sum(not one.late for one in decided)
    return {
        "states": states, "late_waiting": sum(one.late for one in waiting), "oldest_hours": oldest,
        "decided": len(decided), "decided_in_time": kept,
    }  # fmt: skip


def _key(decision_id: str) -> str:
    """The key of the move that is made when a referred one is approved: one for each review."""
    return content_id("verdict", decision_id)


def _wanted(moving: Mapping[str, int | str | None]) -> int:
    """What a move of a limit would let be owed that may not be owed as it is."""
    name = {"raise": "limit_proposed_minor", "thaw": "limit_before_minor"}.get(str(moving.get("proposed")), "")
    return int(moving.get(name) or 0)


def _state(row: RowMapping, now: datetime) -> State:
    if row["outcome"] is not None:
        return State.DECIDED
    if row["claimed_by"] is not None and row["lease_until"] > now:
        return State.CLAIMED
    return State.SECOND if row["first_by"] is not None else State.OPEN


def _person(by: str) -> None:
    if not 1 <= len(by) <= 64 or not by.isprintable() or by != by.strip():
        raise InvalidInput(f"{by[:64]!r} names nobody.", "Say who decides: an id of 1 to 64 characters.")


def _amount(review: Review, verdict: Verdict) -> int:
    """What a verdict grants; raises InvalidInput on one that is not allowed."""
    if verdict.outcome not in OUTCOMES:
        raise InvalidInput(f"`outcome` is {verdict.outcome[:64]!r}.", f"Allowed: {', '.join(OUTCOMES)}.")
    unknown = [reason for reason in verdict.reasons if reason not in REASONS]
    if unknown or not 1 <= len(set(verdict.reasons)) <= _MOST_REASONS:
        raise InvalidInput(
            f"`reasons` are {', '.join(verdict.reasons)[:200] or 'none'}.",
            f"Give one to {_MOST_REASONS} of {', '.join(REASONS)}.",
        )
    if len(verdict.note) > _MOST_NOTE or ("other" in verdict.reasons and not verdict.note.strip()):
        raise InvalidInput(
            f"`note` has {len(verdict.note)} characters.", f"At most {_MOST_NOTE}; the reason `other` needs one."
        )
    if _NAMES_A_PERSON.search(verdict.note):
        raise InvalidInput("`note` has a number of a person.", "Numbers of people are kept in the identity vault only.")
    if review.kind == _LIMIT:
        _fits_move(review, verdict.outcome)
    if verdict.outcome != "approve_less":
        if verdict.amount_minor is not None:
            raise InvalidInput(f"`amount_minor` is given with `{verdict.outcome}`.", "It belongs to `approve_less`.")
        return review.requested_minor if verdict.outcome == "approve" else 0
    least = 1 + (review.limit_before_minor or 0)
    if verdict.amount_minor is None or not least <= verdict.amount_minor < review.requested_minor:
        raise InvalidInput(
            f"`amount_minor` is {verdict.amount_minor}.",
            f"Allowed: {least} to {review.requested_minor - 1}, below what was asked.",
        )
    return verdict.amount_minor


def _fits_move(review: Review, outcome: str) -> None:
    """Raise InvalidInput on an approval of a move that was not proposed, or on a part of one that has none."""
    if outcome != "decline" and review.proposed is None:
        raise InvalidInput(
            "No move of the limit was proposed that could be approved.",
            "Decline, and ask for the move that you want: POST /v1/limits/{account_id}.",
        )
    if outcome == "approve_less" and review.proposed != "raise":
        raise InvalidInput(f"There is no less of a `{review.proposed}`.", "Allowed: approve, decline.")


def _stricter(review: Review, outcome: str, amount: int) -> tuple[str, int]:
    """Of two opinions the one that grants less."""
    if review.first_outcome is None:
        return outcome, amount
    earlier, _, granted = review.first_outcome.partition(":")
    return min((outcome, amount), (earlier, int(granted)), key=lambda one: one[1])
