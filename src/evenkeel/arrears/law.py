"""What may be done to whom, when and how: rules of law as data, and one evaluator for one action or a million.

A rule is an entry of a file in `rules/`: whom it binds, from when to when, its citation and its checks. A check has one
of ten kinds (`_KINDS`). Every kind answers for all rows at once, so that one call before it is placed, a log of
contacts of two years, and the worked cases inside the files are judged by the same code.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.rows import (
    DAY,
    EPOCH,
    NEVER,
    SECOND,
    VOICE,
    BoolArray,
    IntArray,
    Rows,
    day_date,
    micros,
    offsets,
)  # fmt: skip
from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.errors import InvalidInput, InvalidUsage

CONTACT = ("app", "sms", "letter", "email", *VOICE, "visit")
ANSWERS = ("allow", "warn", "require", "block")  # from the mildest to the strictest; the index is the strength
CONFIDENCES = ("read", "secondary", "memory", "house")

_FLAGS, _DAYS = ("all", "any", "facts"), ("first", "last", "start")  # parameters that name facts
_CLOCKS = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]
_NOTHING_KNOWN = pa.table({"action": ["call"], "at": pa.array([0], pa.timestamp("us", tz="UTC"))})
_GROUPS = {"contact": CONTACT, "voice": VOICE}

FINDINGS = pa.list_(
    pa.struct(
        [
            ("id", pa.string()), ("effect", pa.string()), ("citation", pa.string()), ("confidence", pa.string()),
            ("parameter", pa.string()), ("value", pa.string()), ("until", pa.timestamp("us", tz="UTC")),
        ]
    )
)  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- rules


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a rule: its kind, the actions it looks at, its effect (memory only warns) and its parameters.

    where: column -> values for which it applies. only_if, unless: facts that must be, or must not be, known as true.
    """

    kind: str
    actions: tuple[str, ...]
    effect: str
    where: Mapping[str, Sequence[str]]
    only_if: tuple[str, ...]
    unless: tuple[str, ...]
    params: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, str]:
        """The columns it looks at, beyond those of every contact -> what they hold: flag, number, day or text."""
        params = self.params
        named = dict.fromkeys(
            (*self.only_if, *self.unless, *(one for key in _FLAGS for one in params.get(key, ()))), "flag"
        )
        fact = {"at_most": "number", "at_least": "number", "ladder": "number"}.get(self.kind, "text")
        for key, holds in (("fact", fact), ("times", "number"), ("states", "text"), *((key, "day") for key in _DAYS)):
            if key in params:
                named[params[key]] = holds
        if "excludes" in params:
            named[params["excludes"]["fact"]] = "day"
        return named | dict.fromkeys(self.where, "text")

    @property
    def parameter(self) -> str:
        """The parameters as one line, for the record of an outcome."""
        return "; ".join(f"{name}={_plain(value)}" for name, value in sorted(self.params.items()))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: whom it binds (no actors or products = all), when it is in force (both days inclusive), and its checks.

    statement, citation: language -> text. scope: id of a rule with effect `select` that says whom this one binds.
    cases: worked boundary cases, run by the tests.
    """

    id: str
    jurisdiction: str
    actors: tuple[str, ...]
    excluded_actors: tuple[str, ...]
    products: tuple[str, ...]
    effective_from: date
    effective_to: date | None
    verified_on: date
    confidence: str
    effect: str
    scope: str | None
    statement: Mapping[str, str]
    citation: Mapping[str, str]
    checks: tuple[Check, ...]
    cases: tuple[Mapping[str, Any], ...]

    @property
    def strongest(self) -> str:
        """The strongest effect of its checks; `select` where it only says whom others bind."""
        return max((one.effect for one in self.checks), key=ANSWERS.index, default=self.effect)

    def in_force(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules by id, the zones in which a debtor of each jurisdiction may live, and a hash of the files' content.

    members: jurisdiction -> those that its rules bind beside their own (the Union -> its states).
    """

    rules: Mapping[str, Rule]
    zones: Mapping[str, tuple[str, ...]]
    members: Mapping[str, tuple[str, ...]]
    version: str

    def jurisdiction(self, named: str) -> str:
        """The key of a place that there are rules of. Raises InvalidUsage where there are none."""
        own = {rule.jurisdiction for rule in self.rules.values()} - {"*"}
        place = named.upper()
        if place not in own.union(*self.members.values()):
            raise InvalidUsage(f"there are no rules of {named}.", f"Known: {', '.join(sorted(own))}, members of EU.")
        return place

    def places(self, jurisdiction: str) -> set[str]:
        """The jurisdictions whose rules hold in a place: its own, those of what it is a member of, everywhere."""
        return {jurisdiction, "*", *(place for place, states in self.members.items() if jurisdiction in states)}

    def only(self, *ids: str) -> RuleBook:
        """The book with just these rules and those that select their actors. Raises InvalidInput on an unknown id."""
        if unknown := sorted(set(ids) - set(self.rules)):
            raise InvalidInput(f"there is no rule {', '.join(unknown)}.", f"Known: {', '.join(self.rules)}.")
        kept = {*ids, *(scope for id_ in ids if (scope := self.rules[id_].scope))}
        return replace(self, rules=MappingProxyType({id_: self.rules[id_] for id_ in self.rules if id_ in kept}))


def load_rules(folder: Traversable | None = None) -> RuleBook:
    """The rules in every `.toml` file of a folder; without one, those that evenkeel ships.

    Raises InvalidInput that names the file and the rule on a double id, an unknown kind, effect or confidence, or a
    text that lacks a language.
    """
    folder = folder or files("evenkeel.arrears") / "rules"
    rules: dict[str, Rule] = {}
    zones: dict[str, tuple[str, ...]] = {}
    members: dict[str, tuple[str, ...]] = {}
    digest = hashlib.sha256()
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name):
        raw = file.read_bytes()
        digest.update(raw)
        try:
            content = tomllib.loads(raw.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{file.name} is not TOML: {error}.") from None
        zones |= {name: tuple(value) for name, value in content.get("zones", {}).items()}
        members |= {name: tuple(value) for name, value in content.get("members", {}).items()}
        for entry in content.get("rule", []):
            rule = _rule(file.name, content.get("jurisdiction"), entry)
            if rule.id in rules:
                raise InvalidInput(f"{file.name}: rule {rule.id} stands there twice.")
            rules[rule.id] = rule
    if not rules:
        raise InvalidInput("the folder holds no rules.", "Rules stand in its .toml files, as `[[rule]]`.")
    for rule in rules.values():
        if rule.scope and rule.scope not in rules:
            raise InvalidInput(f"rule {rule.id} is scoped by {rule.scope}, which does not exist.")
    version = digest.hexdigest()[:20]
    return RuleBook(MappingProxyType(rules), MappingProxyType(zones), MappingProxyType(members), version)


def _rule(file: str, jurisdiction: str | None, entry: Mapping[str, Any]) -> Rule:
    try:
        jurisdiction = entry["jurisdiction"] if jurisdiction is None else entry.get("jurisdiction", jurisdiction)
        effect, confidence = entry["effect"], entry["confidence"]
        if confidence not in CONFIDENCES or effect not in (*ANSWERS, "select"):
            raise InvalidInput(f"{file}: rule {entry['id']} has effect {effect!r} with confidence {confidence!r}.")
        if not all(set(entry[text]) == {"en", "zh"} for text in ("statement", "citation")):
            raise InvalidInput(f"{file}: rule {entry['id']} needs its statement and citation in en and zh.")
        return Rule(
            id=entry["id"],
            jurisdiction=jurisdiction,
            actors=tuple(entry.get("actors", ())),
            excluded_actors=tuple(entry.get("excluded_actors", ())),
            products=tuple(entry.get("products", ())),
            effective_from=entry["effective_from"],
            effective_to=entry.get("effective_to"),
            verified_on=entry["verified_on"],
            confidence=confidence,
            effect=effect,
            scope=entry.get("scope"),
            statement=MappingProxyType(entry["statement"]),
            citation=MappingProxyType(entry["citation"]),
            checks=tuple(_check(file, entry, raw) for raw in entry.get("check", ())),
            cases=tuple(entry.get("case", ())),
        )
    except KeyError as missing:
        raise InvalidInput(f"{file}: rule {entry.get('id', '?')} lacks {missing}.") from None


def _check(file: str, rule: Mapping[str, Any], raw: Mapping[str, Any]) -> Check:
    params = dict(raw)
    kind, actions = params.pop("kind"), params.pop("actions")
    effect = params.pop("effect", rule["effect"])
    if kind not in _KINDS or effect not in ANSWERS:
        raise InvalidInput(f"{file}: rule {rule['id']} has a check of kind {kind!r} with effect {effect!r}.")
    one = Check(
        kind=kind,
        actions=tuple(action for name in actions for action in _GROUPS.get(name, (name,))),
        effect="warn" if rule["confidence"] == "memory" else effect,
        where=MappingProxyType(params.pop("where", {})),
        only_if=tuple(params.pop("only_if", ())),
        unless=tuple(params.pop("unless", ())),
        params=MappingProxyType(params),
    )
    try:  # asked once, so that parameters that are missing or of another type are found here
        _KINDS[kind](Rows(_NOTHING_KNOWN, ()), one.params)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be asked: {error}"
        raise InvalidInput(f"{file}: rule {rule['id']} has a check of kind {kind!r} that {why}.") from None
    return one


def _plain(value: object) -> str:
    return "[" + ", ".join(map(_plain, value)) + "]" if isinstance(value, list) else str(value)


# ----------------------------------------------------------------------------------------------------------- evaluation


def check(actions: pa.Table, rules: RuleBook, jurisdiction: str, language: str = "en") -> pa.Table:
    """Judge every row of `actions` by the rules in force on its own date; the strictest wins.

    actions: `action` (a contact channel, or plan, classify, share_data ... as the rule files name them), `at`
        (timestamp, UTC), and whatever is known: actor_type, product, timezone, lender_id, borrower_id, account_id,
        contact_point_token, direction, target, answered, conversation, planned (bool: judged, but not counted against
        other rows), and any fact that a rule names. A column that is absent, or a null, is unknown.
    Returns as many rows: `answer` (one of ANSWERS) and `rules` (FINDINGS; until is null where no end is known).
    Unknown actors and products are bound by every rule. An unknown fact does not break a rule, but is required by it.
    `allow` says that no rule in this book speaks against the action; it does not say that the action is lawful.
    Raises InvalidInput where `action` or `at` is missing or null.
    """
    rows = Rows(actions, rules.zones.get(jurisdiction, ()))
    places = rules.places(jurisdiction)
    found: list[_Found] = []
    for index, rule in enumerate(rules.rules.values()):
        if rule.jurisdiction not in places:
            continue
        checks = [one for one in rule.checks if rows.has("action", one.actions)]
        if not checks:
            continue
        bound = _bound(rows, rule)
        if rule.scope:
            scope = rules.rules[rule.scope]
            bound &= _bound(rows, scope) | ~_in_force(rows, scope)
        for one in checks:
            mask = bound & _concerned(rows, one)
            if mask.any():
                found += _judge(rows, index, one, mask)
    return _answer_table(len(actions), found, list(rules.rules.values()), language)


def check_contacts(
    contacts: pa.Table,
    rules: RuleBook,
    jurisdiction: str,
    context: pa.Table | None = None,
    consents: pa.Table | None = None,
    language: str = "en",
) -> pa.Table:
    """One answer a contact of a log (CONTRACT 2, contacts; extra columns are facts), in the log's order.

    context: account_id and what is known of it: lender_id, actor_type, product, timezone.
    consents: CONTRACT 2; purpose `contact_night` lifts quiet hours, `contact_call` takes calls out of US-REGF-CALL.
    Returns contact_id, answer, rules; see `check`.
    """
    table = contacts.rename_columns({"channel": "action"}) if "channel" in contacts.column_names else contacts
    if context is not None and "account_id" in table.column_names:
        place = pc.index_in(table["account_id"], context["account_id"])
        for name in context.column_names:
            if name not in table.column_names:
                table = table.append_column(name, context[name].take(place))
    table = with_consents(table, consents)
    answers = check(table, rules, jurisdiction, language)
    ids = table["contact_id"] if "contact_id" in table.column_names else pa.nulls(len(table), pa.string())
    return answers.add_column(0, "contact_id", ids)


def with_consents(actions: pa.Table, consents: pa.Table | None) -> pa.Table:
    """`actions` with night_consent (bool) and call_consent_at (timestamp), where they are not given already.

    Of several consents to one purpose the latest before `at` counts; a withdrawn one no longer does.
    """
    if consents is None or "borrower_id" not in actions.column_names:
        return actions
    for purpose, fact in (("contact_night", "night_consent"), ("contact_call", "call_consent_at")):
        if fact not in actions.column_names:
            since = _consented_since(actions, consents.filter(pc.equal(consents["purpose"], purpose)))
            stamps = pa.array(since, mask=since == NEVER).cast(pa.timestamp("us", tz="UTC"))
            actions = actions.append_column(fact, pc.is_valid(stamps) if fact == "night_consent" else stamps)
    return actions


def _consented_since(actions: pa.Table, consents: pa.Table) -> IntArray:
    """For each action the instant of the consent in force at its `at`; NEVER where there is none."""
    size, at = len(actions), micros(actions["at"])
    when = np.concatenate([at, micros(consents["given_at"], NEVER)])
    ends = np.concatenate([at, micros(consents["withdrawn_at"], NEVER)])
    people = pa.concat_arrays([table["borrower_id"].combine_chunks() for table in (actions, consents)])
    codes = pc.fill_null(people, "").dictionary_encode().indices.to_numpy().astype(np.int64)
    rows = np.arange(len(when))
    given = rows >= size
    order = np.lexsort((~given, when, codes))  # at one instant the consent comes first, so that it counts
    latest = np.empty_like(rows)
    latest[order] = order[np.maximum.accumulate(np.where(given[order], rows, 0))]
    latest = latest[:size]
    held = given[latest] & (codes[latest] == codes[:size]) & (ends[latest] > at)
    return np.where(held, when[latest], NEVER)


def _in_force(rows: Rows, rule: Rule) -> BoolArray:
    """Where a rule is in force on the row's own date."""
    mask: BoolArray = rows.local_days[0] >= (rule.effective_from - EPOCH).days
    if rule.effective_to:
        mask &= rows.local_days[0] <= (rule.effective_to - EPOCH).days
    return mask


def _bound(rows: Rows, rule: Rule) -> BoolArray:
    """Where a rule is in force and binds the actor and the product; the unknown ones are bound."""
    mask = _in_force(rows, rule)
    for name, values in (("actor_type", rule.actors), ("product", rule.products)):
        if values:
            mask &= rows.is_in(name, values) | ~rows.known(name)
    return mask & ~rows.is_in("actor_type", rule.excluded_actors)


def _concerned(rows: Rows, one: Check) -> BoolArray:
    """Where a check looks at the row: its action, who was contacted, and the facts that switch it on or off."""
    mask = rows.is_in("action", one.actions) & ~rows.inbound
    for name, values in one.where.items():
        mask &= rows.is_in(name, values)
    for name in one.only_if:
        mask &= rows.true(name)
    for name in one.unless:
        mask &= ~rows.true(name)
    return mask


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a kind of check says of every row. until: microseconds, NEVER where no end is known."""

    broken: BoolArray
    unknown: BoolArray
    value: Callable[[int], str]  # row -> what was found
    until: IntArray | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """One finding of one check on many rows."""

    rule: int
    effect: int
    parameter: str
    rows: IntArray
    values: list[str]
    until: IntArray


def _judge(rows: Rows, rule: int, one: Check, mask: BoolArray) -> list[_Found]:
    verdict = _KINDS[one.kind](rows, one.params)
    effect = ANSWERS.index(one.effect)
    required = min(effect, ANSWERS.index("require"))
    found = []
    for hit, strength in ((mask & verdict.broken, effect), (mask & verdict.unknown & ~verdict.broken, required)):
        where = np.flatnonzero(hit)
        if len(where):
            until = (
                verdict.until[where] if verdict.until is not None and strength == effect else np.full(len(where), NEVER)
            )
            found.append(
                _Found(rule, strength, one.parameter, where, [verdict.value(i) for i in where.tolist()], until)
            )
    return found


def _answer_table(size: int, found: list[_Found], rules: list[Rule], language: str) -> pa.Table:
    strength = np.zeros(size, np.int64)
    for one in found:
        np.maximum.at(strength, one.rows, one.effect)
    answer = pa.array(ANSWERS).take(pa.array(strength))
    row = np.concatenate([one.rows for one in found]) if found else np.zeros(0, np.int64)
    order = np.argsort(row, kind="stable")
    lengths = [len(one.rows) for one in found]

    def spread(values: Sequence[str]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(found)), lengths)[order]))

    until = np.concatenate([one.until for one in found])[order] if found else np.zeros(0, np.int64)
    structs = pa.StructArray.from_arrays(
        [
            spread([rules[one.rule].id for one in found]),
            spread([ANSWERS[one.effect] for one in found]),
            spread([rules[one.rule].citation[language] for one in found]),
            spread([rules[one.rule].confidence for one in found]),
            spread([one.parameter for one in found]),
            pa.array([value for one in found for value in one.values], pa.string()).take(pa.array(order)),
            pa.array(until, mask=until == NEVER).cast(pa.timestamp("us", tz="UTC")),
        ],
        fields=list(FINDINGS.value_type),
    )
    offsets = np.searchsorted(row[order], np.arange(size + 1)).astype(np.int32)
    return pa.table({"answer": answer, "rules": pa.ListArray.from_arrays(pa.array(offsets), structs, type=FINDINGS)})


# ------------------------------------------------------------------------------------------------------ kinds of check


def _quiet(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """No contact from `start` to `end` on the debtor's wall clock; `start_allowed`: `start` itself is free."""
    start, end = (_wall(params[name]) for name in ("start", "end"))
    broken, until = np.zeros(rows.size, bool), np.zeros(rows.size, np.int64)
    minute, zone = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)  # of a candidate where it is quiet
    for candidate, local in enumerate(rows.local):
        clock = local % DAY
        late = clock > start if params.get("start_allowed") else clock >= start
        inside = late | (clock < end) if start > end else late & (clock < end)
        where = np.flatnonzero(inside)
        opens = (local[where] // DAY + (late[where] if start > end else 0)) * DAY + end
        until[where] = np.maximum(until[where], rows.instants(opens, candidate, where))
        minute[where], zone[where] = clock[where] // (60 * SECOND), rows.zone_codes[candidate][where]
        broken |= inside
    unknown = rows.zone_unknown
    zones = [one.key for one in rows.zones]

    def value(row: int) -> str:
        return "timezone" if unknown[row] else f"{_CLOCKS[minute[row]]} {zones[zone[row]]}"

    return _Verdict(broken & ~unknown, unknown, value, until)


def _wall(text: str) -> int:
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60 * SECOND


def _count(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
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
    judged = np.flatnonzero(placed if params.get("after") else counted)
    groups, days, own = rows.groups(params["per"]), params["days"], 0 if params.get("after") else 1
    counted = counted & ~rows.true("planned")
    ordinal, until = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
    for candidate, local_days in enumerate(rows.local_days):
        starts = rows.instants((local_days[judged] - days + 1) * DAY, candidate, judged)
        before, members, opens = groups.before(counted, judged, starts)
        total = before + own
        over = np.flatnonzero(total > params["max"])
        # The window is free again when enough of its earliest members have left it.
        leaving = members[(opens + total - params["max"] - 1)[over]] if len(over) else over
        left = judged[over]
        zone = rows.zone_codes[candidate][left]
        leave_day = (rows.at[leaving] + offsets(rows.at[leaving], zone, rows.zones)) // DAY if len(over) else leaving
        until[left] = np.maximum(until[left], rows.instants((leave_day + days) * DAY, candidate, left))
        ordinal[judged] = np.maximum(ordinal[judged], total)
    return _Verdict(ordinal > params["max"], np.zeros(rows.size, bool), lambda row: str(ordinal[row]), until)


def _through(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
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
    return _Verdict(broken, np.zeros(rows.size, bool), lambda row: f"{fact}={day_date(int(first[row]))}", until)


def last_day(start: date, params: Mapping[str, Any]) -> date:
    """The last day of a deadline (a check of kind `deadline`, its parameters) that runs from the day `start`."""
    if months := params.get("months", 12 * params.get("years", 0)):
        return month_day(month_of(start) + months, start.day)
    return start + timedelta(days=params["days"])


def _deadline(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """Not later than `days`, `months` or `years` after the day `start`.

    No clock runs while that day is unknown; `known`: the day must be known.
    """
    distinct, back = np.unique(rows.day(params["start"]), return_inverse=True)
    last = np.array([(last_day(day_date(d), params) - EPOCH).days for d in distinct.tolist()], np.int64)[back]
    known = rows.known(params["start"])
    unknown = ~known if params.get("known") else np.zeros(rows.size, bool)
    value = lambda row: "unknown" if unknown[row] else f"due {day_date(int(last[row]))}"  # noqa: E731
    return _Verdict(known & (rows.local_days[0] > last), unknown, value)


def _needs(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """All of the facts in `all`, or one of those in `any`, must be known as true."""
    names: list[str] = params.get("all") or params["any"]
    true = np.stack([rows.true(name) for name in names])
    false = np.stack([rows.known(name) for name in names]) & ~true
    met, broken = np.logical_and.reduce(true), np.logical_or.reduce(false)
    if "any" in params:
        met, broken = np.logical_or.reduce(true), np.logical_and.reduce(false)
    return _Verdict(broken, ~met, lambda row: ", ".join(n for n, t in zip(names, true[:, row], strict=True) if not t))


def _forbid(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """None of the `facts` may be true."""
    true = np.stack([rows.true(name) for name in params["facts"]])
    value = lambda row: ", ".join(n for n, t in zip(params["facts"], true[:, row], strict=True) if t)  # noqa: E731
    return _Verdict(np.logical_or.reduce(true), np.zeros(rows.size, bool), value)


def _one_of(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """The column `fact` must hold one of `allowed`."""
    known, texts = rows.known(params["fact"]), rows.text(params["fact"])
    broken = known & ~rows.is_in(params["fact"], params["allowed"])
    return _Verdict(broken, ~known, lambda row: texts[row].as_py() or "unknown")


def _bounded(rows: Rows, params: Mapping[str, Any], sign: int, bound: str) -> _Verdict:
    number = rows.number(params["fact"])
    limit = (
        params[bound] * rows.number(params["times"]) if "times" in params else np.full(rows.size, float(params[bound]))
    )
    unknown = np.isnan(number) | np.isnan(limit)
    beyond = np.greater_equal if params.get("strict") else np.greater
    broken = ~unknown & beyond(sign * number, sign * limit)
    return _Verdict(broken, unknown, lambda row: f"{number[row]:.10g}" if not np.isnan(number[row]) else "unknown")


def _at_most(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """The number `fact` is at most `max`, or `max` times the fact `times`; `strict`: less than that."""
    return _bounded(rows, params, 1, "max")


def _at_least(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
    """The number `fact` is at least `min`, or `min` times the fact `times`; `strict`: more than that."""
    return _bounded(rows, params, -1, "min")


def _ladder(rows: Rows, params: Mapping[str, Any]) -> _Verdict:
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
    return _Verdict(known & ~right, ~known, lambda row: str(expected[row]))


_KINDS: Mapping[str, Callable[[Rows, Mapping[str, Any]], _Verdict]] = MappingProxyType(
    {
        "quiet": _quiet, "count": _count, "through": _through, "deadline": _deadline, "needs": _needs,
        "forbid": _forbid, "one_of": _one_of, "at_most": _at_most, "at_least": _at_least, "ladder": _ladder,
    }
)  # fmt: skip
