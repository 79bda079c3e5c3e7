"""What is decided of a limit: the policy's word on what is known, held to the rules of moving. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.deciders import MOST_REASONS, Columns, Deciders, FloatArray
from evenkeel.decisions.engine.position import OPEN
from evenkeel.decisions.moving.knowledge import CAPS, Known
from evenkeel.decisions.moving.rules import Asked, Line, Lowered, Move, Moved, Outcome, move, proposed, read_rules
from evenkeel.decisions.requests import Approved, Decision, encode
from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.program import Program

PROPOSES = "proposes"  # the output by which a policy names the move that it refers
_PROPOSABLE = (Outcome.RAISE, Outcome.LOWER, Outcome.FREEZE, Outcome.THAW)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = situation.PLACE


@dataclass(frozen=True, slots=True)
class Said:
    """The policy's word, or that of people. fired: the place of the deciding table's row, -1 without one. proposed:
    what a person is asked about, where the policy names it."""

    asked: Asked
    reasons: tuple[str, ...]
    fired: int
    proposed: Asked | None = None


def said(deciders: Deciders, features: FloatArray, row: situation.Row, known: Known, at_us: int) -> Said:
    """What the policy of limits asks for. features: (1, k). Raises InvalidInput where there is none."""
    if deciders.limits is None or deciders.moving_text is None:
        raise InvalidInput("There is no policy of limits.", "Publish one of the kind `limit`.")
    scores, p, seen = deciders.scored(features, np.array([row], np.int64))
    columns: Columns = {**seen, **_inputs(deciders, row, known, at_us), "score": scores, "pd": p}
    ages = dict.fromkeys(columns, np.zeros(1))
    found = deciders.limits.evaluate({item.name: columns[item.name] for item in deciders.limits.inputs
                                      if item.name in columns}, ages)  # fmt: skip
    outcome, reasons = Outcome(str(found.outcomes()[0])), found.reasons.values[int(found.reasons.codes[0])]
    thousandths = _thousandths(float(found.amount("factor")[0]), float(found.amount("limit_minor")[0]), row)
    proposal = _proposal(deciders.limits, columns, thousandths) if outcome is Outcome.REFER else None
    if (outcome is Outcome.RAISE and thousandths <= 1000) or (outcome is Outcome.LOWER and thousandths >= 1000):
        outcome = Outcome.REFER  # a raise that is none, or a lowering that is none, is for a person
    asked = Asked(outcome, thousandths)
    if row[_PLACE["stage"]] != OPEN:
        asked = Asked(Outcome.KEEP)  # nothing can be bought on it as it is
    return Said(asked, tuple(reasons), int(found.row[0]), proposal)  # type: ignore[arg-type]


def approved(request: Approved, row: situation.Row) -> Said:
    """The word of people who approved a move; none is made on an account that is not open any more."""
    if row[_PLACE["stage"]] != OPEN:
        return Said(Asked(Outcome.KEEP), tuple(dict.fromkeys(("account_closed", *request.reasons))), -1)
    return Said(Asked(Outcome(request.outcome), limit_minor=request.limit_minor), request.reasons, -1)


def _proposal(program: Program, columns: Columns, thousandths: int) -> Asked | None:
    """What a policy that refers proposes by its output `proposes`: raise or lower with an amount, freeze, thaw."""
    if PROPOSES not in program.outputs:
        return None
    values = {name: _python(columns[name][0]) for item in program.inputs if (name := item.name) in columns}
    said = program.one(values, dict.fromkeys(values, 0.0)).outputs
    word = said.get(PROPOSES)
    if said.get("outcome") != Outcome.REFER or word not in _PROPOSABLE:
        return None
    return Asked(Outcome(str(word)), thousandths)


def _python(value: Any) -> object:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain


def _thousandths(factor: float, limit_minor: float, row: situation.Row) -> int:
    """The share of the limit that a policy asks for, by a factor or by a new limit; 1000 where it asks for none."""
    limit = _value(row, "limit_minor")
    if math.isnan(factor) and not math.isnan(limit_minor) and limit:
        return math.floor(limit_minor / limit * 1000)
    return 1000 if math.isnan(factor) else round(factor * 1000)


def _inputs(deciders: Deciders, row: situation.Row, known: Known, at_us: int) -> Columns:
    """The inputs of a policy of limits, as `limits.dmn` names them; NaN and None where not known."""
    limit, owed = _value(row, "limit_minor"), _value(row, "owed_minor")
    service, income = known.service_minor, known.income_minor
    burden = service / income if service is not None and income else math.nan
    exposure = known.others_minor + max(limit or 0, (owed or 0) + row[_PLACE["held_minor"]])
    over = True if exposure > deciders.group_cap_minor else None if math.isnan(burden) else False
    if burden > CAPS.service_to_income:
        over = True
    elsewhere = known.overdue_elsewhere
    numbers = {
        "state": known.state, "worst_12m": known.worst_12m, "months_on_file": known.months_on_file,
        "utilisation": owed / limit if limit and owed is not None else math.nan, "service_to_income": burden,
        "overdue_elsewhere": math.nan if elsewhere is None else elsewhere,
        "income_minor": math.nan if income is None else income, "exposure_minor": exposure,
    }  # fmt: skip
    flags = {
        "limit_known": limit is not None and owed is not None, "over_granted": over, "hardship": known.protected,
        "closed": row[_PLACE["stage"]] != OPEN, "frozen": bool(row[_PLACE["frozen"]]),
        "stale": _silent(deciders.moving_text, known, at_us),
    }  # fmt: skip
    return {
        **{name: np.array([value], np.float64) for name, value in numbers.items()},
        **{name: np.array([value], np.object_) for name, value in flags.items()},
    }


def _silent(moving_text: str | None, known: Known, at_us: int) -> bool:
    rules = read_rules(moving_text or "{}")
    return known.heard_us is None or at_us - known.heard_us > rules.fresh // timedelta(microseconds=1)


def lowers(word: Said) -> bool:
    """Whether it asks for what the breaker counts."""
    return word.asked.outcome in (Outcome.LOWER, Outcome.FREEZE)


def moved(deciders: Deciders, word: Said, row: situation.Row, known: Known, at_us: int) -> Moved:
    """What becomes of the policy's word. The borrower's lines together stay within the group's cap."""
    rules = read_rules(deciders.moving_text or "{}")
    cap = deciders.group_cap_minor
    rules = replace(rules, shared_minor=cap if rules.shared_minor is None else min(cap, rules.shared_minor))
    now = (_EPOCH + timedelta(microseconds=at_us)).astimezone(deciders.zone)
    line = _line(word, row, known, at_us)
    found = move(word.asked, line, rules, _lowered(known), now)
    if found.outcome is Outcome.REFER and word.proposed is not None:
        found = replace(found, proposed=proposed(word.proposed, line, rules, now))
    return found


def _line(word: Said, row: situation.Row, known: Known, at_us: int) -> Line:
    """A freeze for what the line's own ledger shows needs no report; all else is as new as the last one heard."""
    own = known.state > 0 and word.asked.outcome is Outcome.FREEZE
    heard = at_us if own else known.heard_us
    return Line(
        limit_minor=_value(row, "limit_minor"), owed_minor=_value(row, "owed_minor"),
        held_minor=row[_PLACE["held_minor"]], frozen=bool(row[_PLACE["frozen"]]), others_minor=known.others_minor,
        protected=known.protected, facts_at=_at(heard or 0),
        moves=[Move(_at(one.at_us), Outcome(one.outcome), one.before_minor, one.after_minor) for one in known.moves],
    )  # fmt: skip


def _lowered(known: Known) -> Lowered:
    return Lowered(known.lowered_moves, known.lowered_minor, known.breaker_open)


def reasons_of(word: Said, found: Moved) -> tuple[str, ...]:
    """The policy's reasons and those of the rules that held the move back, four at most."""
    held = tuple(map(str, found.held))
    return tuple(dict.fromkeys((*word.reasons[: MOST_REASONS - len(held)], *held)))[:MOST_REASONS]


def reply_of(decision_id: str, word: Said, found: Moved, row: situation.Row, deciders: str) -> bytes:
    """The reply, encoded: a function of what is on record and of nothing else."""
    asked = found.proposed
    return encode(
        Decision(
            decision_id, str(found.outcome), reasons_of(word, found), 0, deciders,
            limit_before_minor=_value(row, "limit_minor"), limit_after_minor=found.after_minor,
            available_minor=_value(row, "available_minor"), effective_on=found.effective_on,
            proposed=None if asked is None else str(asked.outcome),
            limit_proposed_minor=None if asked is None else asked.limit_minor,
        )
    )  # fmt: skip


def _value(row: situation.Row, name: str) -> int | None:
    value = row[_PLACE[name]]
    return None if value == situation.NULL else value


def _at(instant_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=instant_us)
