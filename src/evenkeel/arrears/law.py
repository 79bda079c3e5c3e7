"""What may be done to whom, when and how: rules of law as data, and one evaluator for one action or a million.

A rule is an entry of a file in `rules/`: whom it binds, from when to when, its citation and its checks. A check has one
of ten kinds (`kinds`). Every kind answers for all rows at once, so that one call before it is placed, a log of
contacts of two years, and the worked cases inside the files are judged by the same code.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.kinds import KINDS
from evenkeel.arrears.rows import EPOCH, NEVER, VOICE, BoolArray, IntArray, Rows, micros
from evenkeel.kernel.errors import InvalidInput, InvalidUsage

CONTACT = ("app", "sms", "letter", "email", *VOICE, "visit")
ANSWERS = ("allow", "warn", "require", "block")  # from the mildest to the strictest; the index is the strength
REQUIRE = ANSWERS.index("require")  # from here on it may not be done
CONFIDENCES = ("read", "secondary", "memory", "house")

_FLAGS, _DAYS = ("all", "any", "facts"), ("first", "last", "start")  # parameters that name facts
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
    by_action: action -> the rules that look at it, with their places in the book and the checks that do.
    """

    rules: Mapping[str, Rule]
    zones: Mapping[str, tuple[str, ...]]
    members: Mapping[str, tuple[str, ...]]
    version: str
    by_action: Mapping[str, tuple[tuple[int, Rule, tuple[Check, ...]], ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, list[tuple[int, Rule, tuple[Check, ...]]]] = {}
        for index, rule in enumerate(self.rules.values()):
            for action in dict.fromkeys(action for one in rule.checks for action in one.actions):
                checks = tuple(one for one in rule.checks if action in one.actions)
                found.setdefault(action, []).append((index, rule, checks))
        object.__setattr__(self, "by_action", MappingProxyType({name: tuple(all_) for name, all_ in found.items()}))

    def about(self, actions: Set[str]) -> list[tuple[int, Rule, tuple[Check, ...]]]:
        """The rules that look at some of the actions, in the order of the book, with those of their checks."""
        if len(actions) == 1:
            return [*self.by_action.get(next(iter(actions)), ())]
        rules = [
            (index, rule, tuple(one for one in rule.checks if not actions.isdisjoint(one.actions)))
            for index, rule in enumerate(self.rules.values())
        ]
        return [one for one in rules if one[2]]

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
    if kind not in KINDS or effect not in ANSWERS:
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
        KINDS[kind](Rows(_NOTHING_KNOWN, ()), one.params)
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
    found = findings(Rows(actions, rules.zones.get(jurisdiction, ())), rules, jurisdiction)
    return answer_table(len(actions), found, rules, language)


def findings(
    rows: Rows, rules: RuleBook, jurisdiction: str, asked: Callable[[Check], bool] = lambda one: True
) -> list[Found]:
    """What every check of a jurisdiction says of the rows that are to be judged. asked: which checks are."""
    places = rules.places(jurisdiction)
    found: list[Found] = []
    for index, rule, about in rules.about(rows.actions()):
        if rule.jurisdiction not in places:
            continue
        checks = [one for one in about if asked(one) and not _silent(rows, one)]
        if not checks:
            continue
        bound = rows.judged & _bound(rows, rule)
        if rule.scope:
            scope = rules.rules[rule.scope]
            bound &= _bound(rows, scope) | ~_in_force(rows, scope)
        if not bound.any():
            continue
        for one in checks:
            mask = bound & _concerned(rows, one)
            if mask.any():
                found += _judge(rows, index, one, mask)
    return found


def _silent(rows: Rows, one: Check) -> bool:
    """Whether no row can break a check, since nothing is recorded of the facts that it takes to break it."""
    needed = [*one.where, *one.only_if]
    if one.kind == "through":
        needed.append(one.params.get("first") or one.params["last"])
    if one.kind == "forbid" and not any(rows.given(name) for name in one.params["facts"]):
        return True
    return not all(rows.given(name) for name in needed)


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
    first, last = (rule.effective_from - EPOCH).days, (rule.effective_to or date.max).toordinal() - EPOCH.toordinal()
    if first <= rows.days[0] and rows.days[1] <= last:
        return np.ones(rows.size, bool)
    days = rows.local_days[0]
    return (days >= first) & (days <= last)


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
class Found:
    """What one check says of some rows. rule: its place in the book. until: microseconds; NEVER where none is known.

    rows: whom it is said of; places: the rows on which it was found, of which `value` tells what was found.
    """

    rule: int
    check: Check
    effect: int
    rows: IntArray
    places: IntArray
    value: Callable[[int], str]
    until: IntArray

    def only(self, kept: BoolArray) -> Found:
        """The same of some of its rows."""
        return replace(self, rows=self.rows[kept], places=self.places[kept], until=self.until[kept])


def _judge(rows: Rows, rule: int, one: Check, mask: BoolArray) -> list[Found]:
    verdict = KINDS[one.kind](rows, one.params)
    effect = ANSWERS.index(one.effect)
    required = min(effect, REQUIRE)
    found = []
    for hit, strength in ((mask & verdict.broken, effect), (mask & verdict.unknown & ~verdict.broken, required)):
        where = np.flatnonzero(hit)
        if len(where):
            until = (
                verdict.until[where] if verdict.until is not None and strength == effect else np.full(len(where), NEVER)
            )
            found.append(Found(rule, one, strength, where, where, verdict.value, until))
    return found


def strengths(size: int, found: Sequence[Found]) -> IntArray:
    """The strictest effect found of each row, as its place in ANSWERS."""
    strength = np.zeros(size, np.int64)
    for one in found:
        np.maximum.at(strength, one.rows, one.effect)
    return strength


def answer_table(size: int, found: Sequence[Found], rules: RuleBook, language: str) -> pa.Table:
    """`answer` and `rules` (FINDINGS) of `size` rows, from what was found of them."""
    answer = pa.array(ANSWERS).take(pa.array(strengths(size, found)))
    if not found:
        return pa.table({"answer": answer, "rules": pa.array([[]] * size, FINDINGS)})
    row = np.concatenate([one.rows for one in found])
    order = np.argsort(row, kind="stable")
    lengths = [len(one.rows) for one in found]
    book = list(rules.rules.values())

    def spread(values: Sequence[str]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(found)), lengths)[order]))

    until = np.concatenate([one.until for one in found])[order]
    values = [one.value(place) for one in found for place in one.places.tolist()]
    structs = pa.StructArray.from_arrays(
        [
            spread([book[one.rule].id for one in found]),
            spread([ANSWERS[one.effect] for one in found]),
            spread([book[one.rule].citation[language] for one in found]),
            spread([book[one.rule].confidence for one in found]),
            spread([one.check.parameter for one in found]),
            pa.array(values, pa.string()).take(pa.array(order)),
            pa.array(until, mask=until == NEVER).cast(pa.timestamp("us", tz="UTC")),
        ],
        fields=list(FINDINGS.value_type),
    )
    offsets = np.searchsorted(row[order], np.arange(size + 1)).astype(np.int32)
    return pa.table({"answer": answer, "rules": pa.ListArray.from_arrays(pa.array(offsets), structs, type=FINDINGS)})
