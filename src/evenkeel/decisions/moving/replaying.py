"""The review of a limit again, from what is on record: the same bytes, or what differs and what it would change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from evenkeel.decisions import record
from evenkeel.decisions.again import over_by
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.happenings import Fact
from evenkeel.decisions.moving import knowledge
from evenkeel.decisions.moving.knowledge import MOVED, Products
from evenkeel.decisions.moving.reviewing import Seen, seen_of, unpacked, word_on
from evenkeel.decisions.moving.rules import Moved
from evenkeel.decisions.moving.ruling import Said, moved, reply_of
from evenkeel.decisions.requests import Approved, Limit, read_limit

_PARTS = {"features": "features", "model": "model", "limit": "policy", "moving": "policy", "group_cap_minor": "cap"}


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different, in the words of `replay.Change`; outcome: what would have been decided, None where unsaid."""

    what: str
    detail: str
    outcome: str | None = None


def reviewed_again(
    row: record.Recorded, then: Deciders, facts: Sequence[Fact], products: Products, now: Deciders | None = None
) -> tuple[bool, list[Difference]]:
    """Whether the reply comes out to the byte from the values that the journal gives, and what is different.

    facts: all of the borrower, as booked. then: what decided. now: what decides at present, to be compared with.
    """
    request, seen, at_us = read_limit(row.request), unpacked(row.used), row.decided_us
    if seen.features.shape[1] != len(then.features.names):
        return False, [Difference("record", "the features used are not those of the definitions")]
    found: list[Difference] = []
    word, ruled = _ruled(then, request, seen, at_us)
    same = reply_of(row.decision_id, word, ruled, seen.row, row.deciders) == row.reply
    if not same:
        found.append(Difference("code", "the same values are decided differently", str(ruled.outcome)))

    def from_facts(deciders: Deciders, some: Sequence[Fact]) -> Seen:
        day = date.fromordinal(deciders.day(at_us))
        accounts = knowledge.accounts_on(row.borrower_id, some, products, day)
        again = seen_of(deciders, request.account_id, accounts, some, at_us, seen.known.heard_us)
        return again.as_found(seen.known)

    known = [fact for fact in facts if fact.seq <= row.known_seq]
    again = from_facts(then, known)
    if wrong := _different(then, seen, again):
        found.append(Difference("journal", ", ".join(wrong[:8]), str(_ruled(then, request, again, at_us)[1].outcome)))
    if late := _late(row, facts):
        outcome = _ruled(then, request, from_facts(then, [*known, *late]), at_us)[1].outcome
        listed = ", ".join(f"{fact.kind} (seq {fact.seq})" for fact in late[:5]) + (", ..." if len(late) > 5 else "")
        found.append(Difference("late_fact", listed, str(outcome)))
    if now is not None and now.limits is not None and now.version != row.deciders:
        outcome = _ruled(now, request, from_facts(now, known), at_us)[1].outcome
        was, is_now = json.loads(then.content), json.loads(now.content)
        found += [
            Difference(what, f"{was[part]} then, {is_now[part]} now", str(outcome))
            for part, what in _PARTS.items()
            if was[part] != is_now[part]
        ]
    return same and not wrong, found


def _ruled(deciders: Deciders, request: Limit | Approved, seen: Seen, at_us: int) -> tuple[Said, Moved]:
    word = word_on(deciders, request, seen, at_us)
    return word, moved(deciders, word, seen.row, seen.known, at_us)


def _late(row: record.Recorded, facts: Sequence[Fact]) -> list[Fact]:
    """What was booked afterwards but had happened before; the day of a move of a limit is no such thing."""
    moves = {fact.payload["move_id"] for fact in facts if fact.kind == MOVED}
    return [
        fact for fact in facts
        if fact.seq > row.known_seq and over_by(fact) < row.decided_us
        and fact.payload.get("fact_id") not in moves and fact.payload.get("move_id") not in moves
    ]  # fmt: skip


def _different(deciders: Deciders, was: Seen, now: Seen) -> list[str]:
    """Names of the values that are not the same to the bit, of those that were read then."""
    pairs = zip(deciders.features.names, was.features[0].tolist(), now.features[0].tolist(), strict=True)
    names = [name for name, one, other in pairs if one != other and not (one != one and other != other)]
    names += [name for name, one, other in zip(situation.NAMES, was.row, now.row, strict=False) if one != other]
    return names + [
        name for name in was.known.__struct_fields__ if getattr(was.known, name) != getattr(now.known, name)
    ]
