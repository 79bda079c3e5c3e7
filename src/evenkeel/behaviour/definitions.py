"""Features of events as data: what is counted, over which window, of whom; read from a file and checked as a whole.

A definition is a measure (events of some kinds that pass a filter, an aggregate, a window) or the ratio or difference
of two others. `[[feature]]` entries are given out and have a concept, by which reasons are told; `[[part]]` entries
only serve others. An entry with several windows stands for one of each, its name holding `{window}`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from evenkeel.accounts.fields import Field, Kind, checked, shown
from evenkeel.behaviour.windows import Window, Zone, window, zone
from evenkeel.book.contract import AMOUNT_LIMIT, EVENT_KINDS
from evenkeel.kernel.errors import InvalidInput

# The contract's events, and the requests that reach a lender. The place of a kind is its code in stored states.
KINDS = (*EVENT_KINDS, "application") if "application" not in EVENT_KINDS else EVENT_KINDS
MOST_KINDS = 63  # codes in a state's six bits, one of which is kept for reversals
MOST_CONDITIONS = 30
MOST_ENTRIES = 1000
_LARGEST_FILE = 1_000_000


class Entity(StrEnum):
    """Of whom the events are; the value with `_id` (a device: `device`) is the column of events that names it."""

    ACCOUNT = "account"
    BORROWER = "borrower"
    LENDER = "lender"
    DEVICE = "device"

    @property
    def column(self) -> str:
        """The column of an events table that names the entity."""
        return "device" if self is Entity.DEVICE else f"{self}_id"


class Aggregate(StrEnum):
    """What is made of the events that a measure selects. Where an amount it needs is not known, neither is the value.

    count, sum: 0 where there is none. max, min, mean: of amounts. last: the amount of the latest (of several at one
    instant, the largest). distinct: different values of the field `of`. time_since: from the latest to the instant
    looked at. trend: (later half - earlier half) / their sum, of amounts summed in the halves of the window; not known
    where that sum is not above 0. streak: how many came after the latest that fails the filter or is of a kind in
    `broken_by`.
    """

    COUNT = "count"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    MEAN = "mean"
    LAST = "last"
    DISTINCT = "distinct"
    TIME_SINCE = "time_since"
    TREND = "trend"
    STREAK = "streak"


_UNIT = {
    Aggregate.COUNT: "count", Aggregate.DISTINCT: "count", Aggregate.STREAK: "count", Aggregate.TREND: "ratio",
    Aggregate.SUM: "minor", Aggregate.MAX: "minor", Aggregate.MIN: "minor", Aggregate.MEAN: "minor",
    Aggregate.LAST: "minor",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day in the definitions' zone, from `first` to before `end`; over midnight where first > end."""

    first: int
    end: int

    def __contains__(self, hour: int) -> bool:
        if self.first < self.end:
            return self.first <= hour < self.end
        return self.first <= hour or hour < self.end


@dataclass(frozen=True, slots=True)
class FieldIs:
    """A field of the event's payload equals a text; an event without the field does not pass."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class LenderIs:
    """The event's lender is one of the view's own, or is another; an event without a lender passes neither."""

    own: bool


Condition = Hours | FieldIs | LenderIs


@dataclass(frozen=True, slots=True)
class Measure:
    """`aggregate` of the events of `kinds` that pass every condition and lie in the window.

    amount: lowest and highest, inclusive, in minor units; an event without an amount does not pass. of: the payload
    field whose values a `distinct` tells apart. broken_by: kinds that end a `streak`. unit: hours or days, of a
    `time_since`.
    """

    kinds: tuple[str, ...]
    aggregate: Aggregate
    window: Window
    conditions: tuple[Condition, ...] = ()
    amount: tuple[int, int] | None = None
    of: str = ""
    broken_by: tuple[str, ...] = ()
    unit: str = "days"


@dataclass(frozen=True, slots=True)
class Definition:
    """One value of an entity: of a measure, or `operation` (ratio, difference) of two `parts` named before it.

    A ratio over 0 or less is not known. concept: what the value says to a person; empty for a part. trend: +1 where a
    higher value may only raise the risk, -1 only lower it, 0 where the data decide. unit: count, minor, ratio, hours or
    days.
    """

    name: str
    entity: Entity
    unit: str
    measure: Measure | None = None
    operation: str = ""
    parts: tuple[str, str] = ("", "")
    concept: str = ""
    trend: int = 0


@dataclass(frozen=True, slots=True)
class Definitions:
    """All definitions of a file; `entries` hold parts before what is made of them."""

    zone: Zone
    entries: tuple[Definition, ...]

    def of(self, entity: Entity) -> tuple[Definition, ...]:
        """The features of an entity, in the order of the file."""
        return tuple(entry for entry in self.entries if entry.entity is entity and entry.concept)

    @property
    def fields(self) -> tuple[str, ...]:
        """The payload fields that some definition reads."""
        measures = [entry.measure for entry in self.entries if entry.measure]
        named = [c.field for measure in measures for c in measure.conditions if isinstance(c, FieldIs)]
        return tuple(sorted({*named, *(measure.of for measure in measures if measure.of)}))

    @property
    def version(self) -> str:
        """A hash of what the definitions say, whatever the layout and order of keys of their file."""
        said = [self.zone.name, [asdict(entry) for entry in self.entries]]
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return "features-" + hashlib.sha256(text.encode()).hexdigest()[:16]


# ---- Reading -------------------------------------------------------------------------------------------------------

_HEAD = (Field("name", Kind.ID, True), Field("entity", Kind.CHOICE, True, choices=tuple(Entity)))
_MEASURE = (
    Field("kinds", Kind.CHOICES, choices=KINDS, default=()),
    Field("aggregate", Kind.CHOICE, choices=tuple(Aggregate)),
    Field("of", Kind.ID, default=""),
    Field("unit", Kind.CHOICE, choices=("hours", "days")),
    Field("broken_by", Kind.CHOICES, choices=KINDS, default=()),
    Field("least_minor", Kind.MONEY, low=-AMOUNT_LIMIT, high=AMOUNT_LIMIT),
    Field("most_minor", Kind.MONEY, low=-AMOUNT_LIMIT, high=AMOUNT_LIMIT),
    Field("from_hour", Kind.COUNT, high=23),
    Field("to_hour", Kind.COUNT, high=24),
    Field("lender", Kind.CHOICE, choices=("own", "other")),
)
_FEATURE = (Field("concept", Kind.ID, True), Field("trend", Kind.COUNT, low=-1, high=1, default=0))
_LOOSE = ("window", "where", "ratio", "difference")  # read by hand: a text or a list, a table of texts, two names


def read_definitions(text: str, where: str = "the definitions") -> Definitions:
    """The definitions of a TOML text. Raises InvalidInput that names the entry, the field and what is allowed."""
    if len(text) > _LARGEST_FILE:
        raise InvalidInput(f"{where} are longer than {_LARGEST_FILE:,} characters.")
    try:
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{where} are not TOML: {error}.") from None
    head = {name: value for name, value in given.items() if name not in ("part", "feature")}
    place = str(checked(head, (Field("zone", Kind.ID, True),), where)["zone"])
    entries: dict[str, Definition] = {}
    for sort in ("part", "feature"):
        for number, record in enumerate(_tables(given, sort, where), 1):
            for entry in _expanded(record, sort, f"{where}, {sort} {number}"):
                _settle(entry, entries, f"{where}, {sort} {entry.name}")
    found = Definitions(zone(place), tuple(entries.values()))
    _check_whole(found, where)
    return found


@cache
def shipped() -> Definitions:
    """The definitions that evenkeel ships."""
    path = files("evenkeel.behaviour") / "shipped" / "features.toml"
    return read_definitions(path.read_text(encoding="utf-8"), "features.toml")


def _tables(given: Mapping[str, Any], sort: str, where: str) -> list[dict[str, Any]]:
    tables = given.get(sort, [])
    if not isinstance(tables, list) or len(tables) > MOST_ENTRIES or not all(isinstance(one, dict) for one in tables):
        raise InvalidInput(f"{where}: `{sort}` is {shown(tables)}.", f"Allowed: at most {MOST_ENTRIES} [[{sort}]].")
    return tables


def _expanded(record: dict[str, Any], sort: str, where: str) -> Iterator[Definition]:
    """The definitions of an entry: one for each of its windows; `{window}` in names and parts is filled in."""
    loose = {name: record[name] for name in _LOOSE if name in record}
    plain = checked(
        {name: value for name, value in record.items() if name not in _LOOSE},
        _HEAD + _MEASURE + (_FEATURE if sort == "feature" else ()),
        where,
    )
    windows = loose.get("window", "")
    several = isinstance(windows, list)
    if (several and not windows) or not all(isinstance(text, str) for text in (windows if several else [windows])):
        raise InvalidInput(f"{where}: `window` is {shown(windows)}.", "Give one such as 30d, or a list of such.")
    if several != ("{window}" in str(plain["name"])):
        raise InvalidInput(
            f"{where}: the name {plain['name']} and the window {shown(windows)} do not go together.",
            "A name holds {window} where the entry has a list of windows, and only there.",
        )
    for text in windows if several else [windows]:
        one = {**plain, "name": str(plain["name"]).replace("{window}", text)}
        yield _definition(one, loose, text, f"{where} ({one['name']})")


def _definition(plain: Mapping[str, Any], loose: Mapping[str, Any], text: str, where: str) -> Definition:
    operations = [name for name in ("ratio", "difference") if name in loose]
    shared = {
        "name": plain["name"], "entity": Entity(plain["entity"]), "concept": plain.get("concept", ""),
        "trend": plain.get("trend", 0),
    }  # fmt: skip
    if operations:
        parts = loose[operations[0]]
        measured = [field.name for field in _MEASURE if plain[field.name] not in (None, "", ())]
        if len(operations) > 1 or measured or "where" in loose or isinstance(loose.get("window"), str):
            raise InvalidInput(f"{where} is a measure and a {operations[0]}, or two of these.", "Split it.")
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise InvalidInput(f"{where}: `{operations[0]}` is {shown(parts)}.", "Give the names of two entries.")
        left, right = (part.replace("{window}", text) for part in parts)
        return Definition(unit="", operation=operations[0], parts=(left, right), **shared)
    if not plain["kinds"] or not plain["aggregate"] or not text:
        raise InvalidInput(f"{where} lacks `kinds`, `aggregate` or `window`.", "Or give a `ratio` or a `difference`.")
    measure = _measure(plain, loose.get("where", {}), text, where)
    return Definition(unit=_UNIT.get(measure.aggregate, measure.unit), measure=measure, **shared)


def _measure(plain: Mapping[str, Any], equal: Any, text: str, where: str) -> Measure:
    aggregate = Aggregate(plain["aggregate"])
    for name, wanted in (("of", Aggregate.DISTINCT), ("broken_by", Aggregate.STREAK), ("unit", Aggregate.TIME_SINCE)):
        if plain[name] and aggregate is not wanted:
            raise InvalidInput(f"{where} has `{name}`, which only the aggregate {wanted} takes.")
    if aggregate is Aggregate.DISTINCT and not plain["of"]:
        raise InvalidInput(f"{where} lacks `of`.", "Name the payload field whose different values are counted.")
    if both := set(plain["kinds"]) & set(plain["broken_by"]):
        raise InvalidInput(f"{where}: {', '.join(sorted(both))} cannot both make and break a streak.")
    try:
        span = window(text)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}", error.remedy) from None
    if aggregate is Aggregate.TREND and span.half is None:
        raise InvalidInput(f"{where}: {span} has no halves for a trend.", "Give an even number of hours or months.")
    return Measure(
        plain["kinds"], aggregate, span, tuple(_conditions(plain, equal, where)), _amounts(plain, where), plain["of"],
        plain["broken_by"], plain["unit"] or "days",
    )  # fmt: skip


def _conditions(plain: Mapping[str, Any], equal: Any, where: str) -> Iterator[Condition]:
    if not isinstance(equal, dict) or not all(isinstance(value, str) and value for value in equal.values()):
        raise InvalidInput(f"{where}: `where` is {shown(equal)}.", 'Give fields and texts, as { channel = "cash" }.')
    yield from (FieldIs(name, value) for name, value in sorted(equal.items()))
    first, end = plain["from_hour"], plain["to_hour"]
    if (first is None) != (end is None) or (first is not None and first == end % 24):
        raise InvalidInput(f"{where}: hours from {first} to {end} are no part of a day.", "Give both, such as 0 and 6.")
    if first is not None:
        yield Hours(first, end)
    if plain["lender"]:
        yield LenderIs(plain["lender"] == "own")


def _amounts(plain: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    least, most = plain["least_minor"], plain["most_minor"]
    if least is None and most is None:
        return None
    low, high = (-AMOUNT_LIMIT if least is None else least), (AMOUNT_LIMIT if most is None else most)
    if low > high:
        raise InvalidInput(f"{where}: `least_minor` {low} is above `most_minor` {high}.")
    return low, high


def _settle(entry: Definition, entries: dict[str, Definition], where: str) -> None:
    """Add a definition to those before it, its parts looked up and their units held to each other."""
    if entry.name in entries:
        raise InvalidInput(f"{where}: the name is taken.", "Names are used once in a file.")
    unit = entry.unit
    if entry.operation:
        missing = [name for name in entry.parts if name not in entries]
        if missing:
            raise InvalidInput(f"{where}: there is no entry {shown(missing[0])} before it.", "Define its parts first.")
        left, right = (entries[name] for name in entry.parts)
        for part in (left, right):
            if part.entity is not entry.entity:
                raise InvalidInput(f"{where} is of a {entry.entity}, its part {part.name} of a {part.entity}.")
        if left.unit != right.unit:
            raise InvalidInput(f"{where}: {left.name} is in {left.unit}, {right.name} in {right.unit}.")
        unit = "ratio" if entry.operation == "ratio" else left.unit
    entries[entry.name] = replace(entry, unit=unit)


def _check_whole(found: Definitions, where: str) -> None:
    """What a stored state must be able to hold: few conditions, and one field told apart for each kind."""
    for entity in Entity:
        measures = [entry.measure for entry in found.entries if entry.entity is entity and entry.measure]
        if len({condition for measure in measures for condition in measure.conditions}) > MOST_CONDITIONS:
            raise InvalidInput(f"{where}: a {entity} has more than {MOST_CONDITIONS} different conditions.")
        told: dict[str, str] = {}
        for measure in measures:
            for kind in measure.kinds if measure.of else ():
                if told.setdefault(kind, measure.of) != measure.of:
                    raise InvalidInput(
                        f"{where}: of a {entity}'s {kind}, both {told[kind]} and {measure.of} are told apart.",
                        "A state keeps one field of each kind: choose one.",
                    )
