"""The kinds of check: what each says of every row, and until when. A kind is a function of rows and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np

from evenkeel.arrears.rows import (
    DAY,
    EPOCH,
    SECOND,
    VOICE,
    BoolArray,
    Groups,
    IntArray,
    Rows,
    day_date,
    offsets,
)  # fmt: skip
from evenkeel.kernel.calendar import month_day, month_of

_CLOCKS = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a kind of check says of every row. until: microseconds, NEVER where no end is known."""

    broken: BoolArray
    unknown: BoolArray
    value: Callable[[int], str]  # row -> what was found
    until: IntArray | None = None


def _quiet(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """No contact from `start` to `end` on the debtor's wall clock; `start_allowed`: `start` itself is free."""
    start, end = (_wall(params[name]) for name in ("start", "end"))
    broken, until = np.zeros(rows.size, bool), np.zeros(rows.size, np.int64)
    minute, zone = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)  # of a candidate where it is quiet
    for candidate, local in enumerate(rows.local):
        clock = local % DAY
        late = clock > start if params.get("start_allowed") else clock >= start
        inside = late | (clock < end) if start > end else late & (clock < end)
        where = np.flatnonzero(inside & rows.zone_unsure if candidate else inside)
        opens = (local[where] // DAY + (late[where] if start > end else 0)) * DAY + end
        until[where] = np.maximum(until[where], rows.instants(opens, candidate, where))
        minute[where], zone[where] = clock[where] // (60 * SECOND), rows.zone_codes[candidate][where]
        broken |= inside
    unknown = rows.zone_unknown
    zones = [one.key for one in rows.zones]

    def value(row: int) -> str:
        return "timezone" if unknown[row] else f"{_CLOCKS[minute[row]]} {zones[zone[row]]}"

    return Verdict(broken & ~unknown, unknown, value, until)


def _wall(text: str) -> int:
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60 * SECOND


def _count(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """At most `max` of a unit per debtor, contact point or debt in `days` local dates, this one included.

    counts: conversation, unanswered, call (voice, outbound; what is not known yet counts), or any_conversation (inbound
    too, known ones only). after: only earlier ones count, and any call is judged. excludes: a consent at most that many
    days old takes a call out.
    """
    voice = rows.is_in("action", VOICE)
    placed = voice & ~rows.inbound
    if excludes := params.get("excludes"):
        age = rows.local_days[0] - rows.day(excludes["fact"])
        placed &= ~(rows.known(excludes["fact"]) & (age >= 0) & (age <= excludes["days"]))
    counted = {
        "conversation": placed & (rows.true("conversation") | ~rows.known("conversation")),
        "unanswered": placed & ~rows.true("answered"),
        "call": placed,
        "any_conversation": voice & rows.true("conversation"),
    }[params["counts"]]
    every = (placed if params.get("after") else counted) & rows.judged
    groups, days, own = rows.groups(params["per"]), params["days"], 0 if params.get("after") else 1
    ordinal, until = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
    for candidate, local_days in enumerate(rows.local_days):
        judged = np.flatnonzero(every & rows.zone_unsure if candidate else every)
        starts = rows.instants((local_days[judged] - days + 1) * DAY, candidate, judged)
        window = groups.window(counted & ~rows.planned, judged, starts)
        total = window.count + own + _also(rows, groups, counted, judged, starts)
        over = np.flatnonzero(total > params["max"])
        if len(over):
            # Free again when enough of the earliest members have left it; one alone that is too many, never.
            number, left = (total - params["max"] - 1)[over], judged[over]
            there = number < window.count[over]
            leaving = left.copy()
            leaving[there] = window.member(over[there], number[there])
            zone = rows.zone_codes[candidate][left]
            leave_day = (rows.at[leaving] + offsets(rows.at[leaving], zone, rows.zones)) // DAY
            until[left] = np.maximum(until[left], rows.instants((leave_day + days) * DAY, candidate, left))
        ordinal[judged] = np.maximum(ordinal[judged], total)
    return Verdict(ordinal > params["max"], np.zeros(rows.size, bool), lambda row: str(ordinal[row]), until)


def _also(rows: Rows, groups: Groups, counted: BoolArray, judged: IntArray, starts: IntArray) -> IntArray:
    """One more, where the row that comes with it (`Turns.also`) is counted in its window."""
    if rows.turns is None:
        return np.zeros(len(judged), np.int64)
    also = rows.turns.also[judged]
    inside: BoolArray = (
        (also >= 0) & counted[also] & (groups.codes[also] == groups.codes[judged]) & (rows.at[also] >= starts)
    )
    return inside.astype(np.int64)


def _through(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """No action from the day `first` for `days` days, or until the day `last` is over."""
    fact = params.get("first") or params["last"]
    first = rows.day(fact)
    last = first + params["days"] - 1 if "first" in params else first
    broken, until = np.zeros(rows.size, bool), np.zeros(rows.size, np.int64)
    for candidate, today in enumerate(rows.local_days):
        inside = rows.known(fact) & (today <= last) & ((today >= first) | ("first" not in params))
        where = np.flatnonzero(inside)
        until[where] = np.maximum(until[where], rows.instants((last[where] + 1) * DAY, candidate, where))
        broken |= inside
    return Verdict(broken, np.zeros(rows.size, bool), lambda row: f"{fact}={day_date(int(first[row]))}", until)


def last_day(start: date, params: Mapping[str, Any]) -> date:
    """The last day of a deadline (a check of kind `deadline`, its parameters) that runs from the day `start`."""
    if months := params.get("months", 12 * params.get("years", 0)):
        return month_day(month_of(start) + months, start.day)
    return start + timedelta(days=params["days"])


def _deadline(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """Not later than `days`, `months` or `years` after the day `start`.

    No clock runs while that day is unknown; `known`: the day must be known.
    """
    distinct, back = np.unique(rows.day(params["start"]), return_inverse=True)
    last = np.array([(last_day(day_date(d), params) - EPOCH).days for d in distinct.tolist()], np.int64)[back]
    known = rows.known(params["start"])
    unknown = ~known if params.get("known") else np.zeros(rows.size, bool)
    value = lambda row: "unknown" if unknown[row] else f"due {day_date(int(last[row]))}"  # noqa: E731
    return Verdict(known & (rows.local_days[0] > last), unknown, value)


def _needs(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """All of the facts in `all`, or one of those in `any`, must be known as true."""
    names: list[str] = params.get("all") or params["any"]
    true = np.stack([rows.true(name) for name in names])
    false = np.stack([rows.known(name) for name in names]) & ~true
    met, broken = np.logical_and.reduce(true), np.logical_or.reduce(false)
    if "any" in params:
        met, broken = np.logical_or.reduce(true), np.logical_and.reduce(false)
    return Verdict(broken, ~met, lambda row: ", ".join(n for n, t in zip(names, true[:, row], strict=True) if not t))


def _forbid(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """None of the `facts` may be true."""
    true = np.stack([rows.true(name) for name in params["facts"]])
    value = lambda row: ", ".join(n for n, t in zip(params["facts"], true[:, row], strict=True) if t)  # noqa: E731
    return Verdict(np.logical_or.reduce(true), np.zeros(rows.size, bool), value)


def _one_of(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """The column `fact` must hold one of `allowed`."""
    known, texts = rows.known(params["fact"]), rows.text(params["fact"])
    broken = known & ~rows.is_in(params["fact"], params["allowed"])
    return Verdict(broken, ~known, lambda row: texts[row].as_py() or "unknown")


def _bounded(rows: Rows, params: Mapping[str, Any], sign: int, bound: str) -> Verdict:
    number = rows.number(params["fact"])
    limit = (
        params[bound] * rows.number(params["times"]) if "times" in params else np.full(rows.size, float(params[bound]))
    )
    unknown = np.isnan(number) | np.isnan(limit)
    beyond = np.greater_equal if params.get("strict") else np.greater
    broken = ~unknown & beyond(sign * number, sign * limit)
    return Verdict(broken, unknown, lambda row: f"{number[row]:.10g}" if not np.isnan(number[row]) else "unknown")


def _at_most(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """The number `fact` is at most `max`, or `max` times the fact `times`; `strict`: less than that."""
    return _bounded(rows, params, 1, "max")


def _at_least(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """The number `fact` is at least `min`, or `min` times the fact `times`; `strict`: more than that."""
    return _bounded(rows, params, -1, "min")


def _ladder(rows: Rows, params: Mapping[str, Any]) -> Verdict:
    """The class in `states` must be the one that the number `fact` reaches in `steps`, [from, class] each.

    order: the classes from the mildest to the worst; then a worse one than reached is right too.
    """
    number, starts = rows.number(params["fact"]), [step[0] for step in params["steps"]]
    names = np.array([step[1] for step in params["steps"]], dtype=object)
    known = ~np.isnan(number) & rows.known(params["states"])
    expected = names[np.maximum(np.searchsorted(starts, np.nan_to_num(number), side="right") - 1, 0)]
    stated = np.array(rows.text(params["states"]).to_pylist(), dtype=object)
    right = stated == expected
    if order := params.get("order"):
        rank = {name: place for place, name in enumerate(order)}
        right |= np.array([rank.get(name, -1) for name in stated]) > np.array([rank[name] for name in expected])
    return Verdict(known & ~right, ~known, lambda row: str(expected[row]))


KINDS: Mapping[str, Callable[[Rows, Mapping[str, Any]], Verdict]] = MappingProxyType(
    {
        "quiet": _quiet, "count": _count, "through": _through, "deadline": _deadline, "needs": _needs,
        "forbid": _forbid, "one_of": _one_of, "at_most": _at_most, "at_least": _at_least, "ladder": _ladder,
    }
)  # fmt: skip
