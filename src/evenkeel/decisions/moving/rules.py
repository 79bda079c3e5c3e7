"""What becomes of a limit when a policy asks for a move: hysteresis, caps, notice, floors and the circuit breaker.

A policy looks at one moment; these rules look at the moves before it, at what is owed, at the borrower's other lines
and at how many limits are being lowered just now. They only ever hold a move back: whatever they do is nearer to the
limit as it is than what was asked for, and a reason says which rule it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What is done with a limit. Freeze: nothing more may be bought; thaw: it may again."""

    RAISE = "raise"
    THAW = "thaw"
    KEEP = "keep"
    LOWER = "lower"
    FREEZE = "freeze"
    REFER = "refer"


class Held(StrEnum):
    """Why a move was held back: codes with a text."""

    UNKNOWN_LIMIT = "no_limit_to_move"
    STALE = "facts_stale"
    PROTECTED = "hardship_on_record"
    TOO_SOON = "moved_lately"
    CAP = "raise_capped"
    GROUP = "shared_limit_full"
    STEP = "raise_below_step"
    IN_USE = "limit_in_use"
    OWED = "limit_lowered_to_owed"
    BREAKER = "breaker_open"
    NOT_FROZEN = "not_frozen"
    BY_HAND = "frozen_by_hand"
    REFERRED = "with_a_person"
    SINCE = "limit_moved_since"


@dataclass(frozen=True, slots=True)
class Move:
    """A move that was made. at: when it was decided."""

    at: datetime
    outcome: Outcome
    before_minor: int
    after_minor: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a policy or a person asks for. factor_thousandths: of the limit as it is; only with raise and lower.
    limit_minor: the new limit itself, in place of a factor."""

    outcome: Outcome
    factor_thousandths: int = 1000
    limit_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands. limit_minor, owed_minor: None where not known. held_minor: purchases not booked yet.

    others_minor: limits of the borrower's other lines under a shared limit. protected: a hardship, a dispute or a plan
    is on record. facts_at: the newest fact that the policy's inputs come from.
    """

    limit_minor: int | None
    owed_minor: int | None
    held_minor: int
    frozen: bool
    others_minor: int
    protected: bool
    facts_at: datetime
    moves: Sequence[Move] = ()


@dataclass(frozen=True, slots=True)
class MovingRules:
    """How limits may move.

    after_raise, after_lower, after_freeze: how long a raise waits after each; lower_after_raise: how long a lowering
    waits after a raise. Freezing never waits: it stops the harm and is undone at once. lower_period: lowerings in it
    do not add up, each is a share of the limit before the first. after_refer: how long a person who was asked about a
    line is not asked again. raise_cap_thousandths: the most that a limit may be of what it was `raise_period` ago.
    shared_minor: the most that all lines of a borrower may come to. notice: between telling of a lower limit and its
    being so. fresh: the greatest age of facts that may move anything. breaker_moves, breaker_minor: limits lowered or
    frozen in an hour, and their sum, above which the breaker opens.
    """

    step_minor: int = 10_000
    after_raise: timedelta = timedelta(days=90)
    after_lower: timedelta = timedelta(days=180)
    after_freeze: timedelta = timedelta(days=30)
    lower_after_raise: timedelta = timedelta(days=30)
    lower_period: timedelta = timedelta(days=90)
    after_refer: timedelta = timedelta(days=30)
    raise_period: timedelta = timedelta(days=365)
    raise_cap_thousandths: int = 1500
    shared_minor: int | None = None
    notice: timedelta = timedelta(days=7)
    fresh: timedelta = timedelta(hours=1)
    breaker_moves: int = 200
    breaker_minor: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Lowered:
    """What was lowered or frozen in the last hour, over all lines of the lender. is_open: tripped, and not reset."""

    moves: int
    sum_minor: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """What is done. after_minor: None where the limit is not known. effective_on: when it is so: at once but for a
    lower limit, of which the borrower is told first. trips: the breaker opens with this one, which is held. proposed:
    what a person is asked to approve."""

    outcome: Outcome
    after_minor: int | None
    held: tuple[Held, ...]
    effective_on: date | None
    trips: bool = False
    proposed: Asked | None = None


def move(asked: Asked, line: Line, rules: MovingRules, lowered: Lowered, now: datetime) -> Moved:
    """What becomes of `asked`."""
    if asked.outcome is Outcome.REFER and _since(line, (Outcome.REFER,), now) < rules.after_refer:
        return _as_it_is(Outcome.KEEP, line, Held.REFERRED)
    if asked.outcome in (Outcome.KEEP, Outcome.REFER):
        return _as_it_is(asked.outcome, line)
    if now - line.facts_at > rules.fresh:
        # A feed that fell silent says nothing about anybody.
        return _as_it_is(Outcome.KEEP, line, Held.STALE)
    if asked.outcome is Outcome.RAISE:
        return _raised(asked, line, rules, now)
    if asked.outcome is Outcome.THAW:
        return _thawed(line, rules, now)
    return _broken(_down(asked, line, rules, now), line, rules, lowered)


def proposed(asked: Asked, line: Line, rules: MovingRules, now: datetime) -> Asked | None:
    """What a person is asked to approve: a new limit on a whole step, a freeze or a thaw; None where that is no move.

    It names the limit itself, so that what is approved is what was seen, whatever the limit is by then.
    """
    limit = line.limit_minor
    if asked.outcome in (Outcome.FREEZE, Outcome.THAW):
        return Asked(asked.outcome) if line.frozen is (asked.outcome is Outcome.THAW) else None
    if limit is None or asked.outcome not in (Outcome.RAISE, Outcome.LOWER):
        return None
    after = _wanted(asked, line, rules, now, limit) // rules.step_minor * rules.step_minor
    moves = after > limit if asked.outcome is Outcome.RAISE else after < limit
    return Asked(asked.outcome, limit_minor=after) if moves else None


def _as_it_is(outcome: Outcome, line: Line, *held: Held) -> Moved:
    return Moved(outcome, line.limit_minor, held, None)


def _since(line: Line, outcomes: tuple[Outcome, ...], now: datetime) -> timedelta:
    """How long ago the last such move was; very long where there was none."""
    last = max((made.at for made in line.moves if made.outcome in outcomes), default=None)
    return timedelta.max if last is None else now - last


def _waits(line: Line, rules: MovingRules, now: datetime) -> bool:
    return (
        _since(line, (Outcome.RAISE,), now) < rules.after_raise
        or _since(line, (Outcome.LOWER,), now) < rules.after_lower
        or _since(line, (Outcome.FREEZE, Outcome.THAW), now) < rules.after_freeze
    )


def _raised(asked: Asked, line: Line, rules: MovingRules, now: datetime) -> Moved:
    limit = line.limit_minor
    if limit is None or line.owed_minor is None:
        return _as_it_is(Outcome.KEEP, line, Held.UNKNOWN_LIMIT)
    if line.protected:
        return _as_it_is(Outcome.KEEP, line, Held.PROTECTED)
    if line.frozen or _waits(line, rules, now):
        return _as_it_is(Outcome.KEEP, line, Held.TOO_SOON)
    held: list[Held] = []
    wanted = _wanted(asked, line, rules, now, limit)
    if asked.limit_minor is not None and wanted <= limit:
        return _as_it_is(Outcome.KEEP, line, Held.SINCE)
    for code, most in (
        (Held.CAP, _once(line, rules, now, limit) * rules.raise_cap_thousandths // 1000),
        (Held.GROUP, wanted if rules.shared_minor is None else rules.shared_minor - line.others_minor),
    ):
        if wanted > most:
            wanted = most
            held.append(code)
    after = wanted // rules.step_minor * rules.step_minor
    if after <= limit:
        return _as_it_is(Outcome.KEEP, line, *(held or [Held.STEP]))
    return Moved(Outcome.RAISE, after, tuple(held), now.date())


def _wanted(asked: Asked, line: Line, rules: MovingRules, now: datetime, limit: int) -> int:
    """The limit that is asked for, before anything holds it back. Lowerings of a period do not add up: each is a share
    of the limit before the first."""
    if asked.limit_minor is not None:
        return asked.limit_minor
    base = limit
    if asked.outcome is Outcome.LOWER:
        base = max([limit, *(made.before_minor for made in _lately_lowered(line, rules, now))])
    return base * asked.factor_thousandths // 1000


def _lately_lowered(line: Line, rules: MovingRules, now: datetime) -> list[Move]:
    return [made for made in line.moves if made.outcome is Outcome.LOWER and now - made.at <= rules.lower_period]


def _once(line: Line, rules: MovingRules, now: datetime, limit: int) -> int:
    """The limit at the beginning of the period that raises are capped over."""
    within = [made for made in line.moves if now - made.at <= rules.raise_period]
    return min((made.before_minor for made in within), default=limit)


def _thawed(line: Line, rules: MovingRules, now: datetime) -> Moved:
    if not line.frozen:
        return _as_it_is(Outcome.KEEP, line, Held.NOT_FROZEN)
    if line.protected:
        return _as_it_is(Outcome.KEEP, line, Held.PROTECTED)
    frozen_for = _since(line, (Outcome.FREEZE,), now)
    if frozen_for == timedelta.max:  # whoever froze it had another reason than a policy's
        return _as_it_is(Outcome.KEEP, line, Held.BY_HAND)
    if frozen_for < rules.after_freeze:
        return _as_it_is(Outcome.KEEP, line, Held.TOO_SOON)
    return Moved(Outcome.THAW, line.limit_minor, (), now.date())


def _down(asked: Asked, line: Line, rules: MovingRules, now: datetime) -> Moved:
    """Lower or freeze. A limit that is in use up to its end is frozen instead of lowered."""
    frozen = Moved(Outcome.KEEP if line.frozen else Outcome.FREEZE, line.limit_minor, (), now.date())
    if asked.outcome is Outcome.FREEZE:
        return frozen
    limit, owed = line.limit_minor, line.owed_minor
    if limit is None or owed is None:
        return Moved(Outcome.KEEP, limit, (Held.UNKNOWN_LIMIT,), None)
    if _since(line, (Outcome.RAISE,), now) < rules.lower_after_raise:
        return _as_it_is(Outcome.KEEP, line, Held.TOO_SOON)
    lowered = _lately_lowered(line, rules, now)
    wanted = _wanted(asked, line, rules, now, limit) // rules.step_minor * rules.step_minor
    if asked.limit_minor is not None and wanted >= limit:
        return _as_it_is(Outcome.KEEP, line, Held.SINCE)
    if wanted >= min((made.after_minor for made in lowered), default=limit + 1):
        return _as_it_is(Outcome.KEEP, line, Held.TOO_SOON)
    used = max(owed, 0) + line.held_minor
    floor = -(-used // rules.step_minor) * rules.step_minor
    after = max(wanted, floor)
    if after >= limit:
        return Moved(frozen.outcome, limit, (Held.IN_USE,), now.date())
    held = (Held.OWED,) if floor > wanted else ()
    return Moved(Outcome.LOWER, after, held, (now + rules.notice).date())


def _broken(found: Moved, line: Line, rules: MovingRules, lowered: Lowered) -> Moved:
    """Hold what lowers where the breaker is open, or would open with it: a person has to look first."""
    if found.outcome not in (Outcome.LOWER, Outcome.FREEZE):
        return found
    fall = (
        (line.limit_minor or 0) - (found.after_minor or 0) if found.outcome is Outcome.LOWER else line.limit_minor or 0
    )
    over = lowered.moves + 1 > rules.breaker_moves or lowered.sum_minor + fall > rules.breaker_minor
    if lowered.is_open or over:
        return Moved(Outcome.KEEP, line.limit_minor, (Held.BREAKER,), None, trips=over and not lowered.is_open)
    return found


def rules_text(rules: MovingRules) -> str:
    """Rules as canonical JSON, times in seconds: they are kept with what decides."""
    plain = {
        name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in asdict(rules).items()
    }
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def read_rules(text: str) -> MovingRules:
    """Rules from `rules_text`."""
    read: dict[str, Any] = json.loads(text)
    for field in fields(MovingRules):
        if field.type == "timedelta" and field.name in read:
            read[field.name] = timedelta(seconds=read[field.name])
    return MovingRules(**read)
