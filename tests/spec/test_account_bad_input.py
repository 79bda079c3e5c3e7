"""Bad input to accounts: every field of every fact and of the product file, tried with everything that it is not.

The fields are walked as the code declares them, so that a field that is added is tried too. What is refused is refused
by InvalidInput with a message that names the field and says what is allowed; nothing comes out that could be posted.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from evenkeel.accounts.facts import FIELDS, HEAD, FactKind, read_fact
from evenkeel.accounts.fields import EARLIEST, LATEST, Field, Kind, checked, parse_json
from evenkeel.accounts.products import spec
from evenkeel.accounts.products.reading import parse_product, read_product, shipped
from evenkeel.kernel.errors import InvalidInput

NUMBERS = (Kind.MONEY, Kind.COUNT, Kind.RATE)
TEXTS = (Kind.TEXT, Kind.ID)
LISTS = (Kind.RECORDS, Kind.DAYS, Kind.CHOICES)
Place = tuple[str | int, ...]


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    return deep


# What no field allows.
NEVER: dict[str, object] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "a float of 309 digits": 1e308,
    "decimal nan": Decimal("NaN"),
    "decimal signalling nan": Decimal("sNaN"),
    "decimal infinity": Decimal("-Infinity"),
    "a decimal of 5,000 digits": Decimal("9" * 5000),
    "a number of 5,000 digits": 10**5000,
    "a negative number of 5,000 digits": -(10**5000),
    "a text of a million characters": "9" * 1_000_000,
    "an empty text": "",
    "a text with a control character": "1\x00",
    "a text with a line end": "self\n",
    "a text with an escape": "\x1b[2J",
    "half a surrogate pair": "\ud800",
    "text that runs the other way": "\u202e1",
    "blanks": "   ",
    "a list of 10,000": [1] * 10_000,
    "lists nested 50,000 deep": _deep(),
    "bytes": b"1",
    "an instant": datetime(2024, 5, 31, tzinfo=UTC),
    "a complex number": 1j,
    "a set": {1},
}


def _bad(field: Field) -> Iterator[tuple[str, object]]:
    """Values outside a field's domain, with what is wrong with each."""
    yield from NEVER.items()
    if field.kind is not Kind.FLAG:
        yield from (("true", True), ("false", False))
    if field.kind not in TEXTS:
        yield from (("full-width digits", "１２"), ("a word", "many"), ("a number in words", "1e5"))
    if field.kind in NUMBERS:
        yield from (("below", field.low - 1), ("above", field.top + 1), ("a list", [1]), ("a table", {"value": 1}))
        yield from (("a sign alone", "-"), ("separators", "1,000"), ("half", 0.5), ("a date", date(2024, 5, 31)))
    if field.kind in (Kind.MONEY, Kind.COUNT):
        yield from (("whole as text", str(field.low)), ("whole as decimal", Decimal(int(field.low) + 1)))
        yield from (("half a unit", Decimal("0.5")), ("whole as float", float(field.low + 1)))
    if field.kind is Kind.RATE:
        yield from (("a rate of 9 decimals", "0.123456789"), ("a third", Fraction(1, 3)), ("per cent", "18 %"))
        yield from (("just above", field.top + Fraction(1, 10**8)), ("just below", field.low - Fraction(1, 10**8)))
    if field.kind is Kind.DAY:
        for text in (
            "2024-02-30",
            "2023-02-29",
            "2024-5-31",
            "20240531",
            "31/05/2024",
            "2024-05-31T00:00:00Z",
            "today",
        ):
            yield text, text
        yield from (
            ("too early", EARLIEST.replace(year=EARLIEST.year - 1)),
            ("too late", "2100-01-01"),
            ("a number", 1),
        )
        yield from (("the first day", date.min), ("the last day", date.max))
    if field.kind in TEXTS:
        yield from (("too long", "x" * (field.longest + 1)), ("a number", 5), ("a list", ["x"]), ("blank end", "x "))
    if field.kind is Kind.CURRENCY:
        yield from (("small letters", "cny"), ("two letters", "CN"), ("a sign", "¥"), ("full-width letters", "ＣＮＹ"))
    if field.kind is Kind.CHOICE:
        yield from (
            (f"{word!r} in capitals", word.upper()) for word in field.choices if word.upper() not in field.choices
        )
        yield from (("a place", 0), ("a list", [field.choices[0]]), ("a blank", f"{field.choices[0]} "))
    if field.kind is Kind.FLAG:
        yield from (("one", 1), ("zero", 0), ("yes", "yes"), ("true as text", "true"), ("a list", [True]))
    if field.kind is Kind.RECORD:
        yield from (("a list of tables", [{}]), ("a number", 1))
    if field.kind in LISTS:
        good = _good(field)
        assert isinstance(good, list)
        yield from (("no list", good[0]), ("a table", {"0": good[0]}), ("too long", good[:1] * (field.longest + 1)))
        yield from (("null inside", [None]), ("a list inside", [good]))
        if field.least:
            yield "an empty list", []
    if field.kind in (Kind.DAYS, Kind.CHOICES):
        yield from (
            ("the same twice", [*good[1:], good[-1]]),
            ("a bad entry", [*good[1:], "x"]),
            ("a number", [*good[1:], 1]),
        )


def _good(field: Field) -> object:
    """A value inside a field's domain, as JSON holds it."""
    if field.kind in (Kind.MONEY, Kind.COUNT):
        return int(field.low)
    if field.kind is Kind.RECORDS:
        return [_record(field.parts)]
    if field.kind is Kind.CHOICES:
        return list(field.choices)
    return {
        Kind.RATE: "0.01", Kind.DAY: "2024-05-31", Kind.TEXT: "text", Kind.ID: "id-1", Kind.CURRENCY: "CNY",
        Kind.CHOICE: field.choices[-1] if field.choices else "", Kind.FLAG: True, Kind.RECORD: _record(field.parts),
        Kind.DAYS: ["2024-05-31", "2024-10-01"],
    }[field.kind]  # fmt: skip


def _record(fields: Sequence[Field]) -> dict[str, object]:
    return {field.name: _good(field) for field in fields}


def _places(fields: Sequence[Field], above: Place = ()) -> Iterator[tuple[Place, Field]]:
    """Every field, nested ones too, with the way to it."""
    for field in fields:
        place = (*above, field.name)
        yield place, field
        yield from _places(field.parts, (*place, 0) if field.kind is Kind.RECORDS else place)


def _with(record: Mapping[str, Any], place: Place, value: object) -> dict[str, Any]:
    """A copy of a record with another value at a place."""
    changed = dict(record)
    holder: Any = changed
    for step in place[:-1]:
        holder[step] = list(holder[step]) if isinstance(holder[step], list) else dict(holder[step])
        holder = holder[step]
    holder[place[-1]] = value
    return changed


def _without(record: Mapping[str, Any], place: Place) -> dict[str, Any]:
    changed = json.loads(json.dumps(record))
    holder: Any = changed
    for step in place[:-1]:
        holder = holder[step]
    del holder[place[-1]]
    return changed


def _refused(read: Callable[[object], object], record: object, field: Field, what: str) -> None:
    """The record is refused by a message that names the field and says what is allowed, in a size a person reads."""
    try:
        found = read(record)
    except InvalidInput as error:
        words = str(error)
        assert f"`{field.name}`" in words, f"{what}: the field is not named: {words}"
        assert "Allowed: " in error.remedy or "Give " in error.remedy, f"{what}: what is allowed is not said: {words}"
        assert len(words) < 1500 and words.isprintable(), f"{what}: {words!r}"
    else:
        raise AssertionError(f"{what} passed: {str(found)[:200]}")


def _try_all(read: Callable[[object], object], record: dict[str, Any], place: Place, field: Field) -> int:
    """Every bad value in one place of a record that is otherwise sound; returns how many were tried."""
    tried = 0
    for what, value in _bad(field):
        if field.kind is Kind.RECORD and isinstance(value, Mapping):
            continue
        _refused(read, _with(record, place, value), field, f"{place} with {what}")
        tried += 1
    if field.needed:
        _refused(read, _without(record, place), field, f"{place} left out")
        _refused(read, _with(record, place, None), field, f"{place} with null")
    return tried


# ---- Facts ----------------------------------------------------------------------------------------------------------


def _fact(kind: FactKind) -> dict[str, Any]:
    head: dict[str, Any] = {"fact_id": "f1", "kind": str(kind), "effective_on": "2024-05-31"}
    if kind is FactKind.REVERSAL:
        head["reversal_of"] = "f0"
    return head | _record(FIELDS[kind])


@pytest.mark.parametrize("kind", FactKind)
def test_every_field_of_every_fact_refuses_what_it_is_not(kind: FactKind) -> None:
    record = _fact(kind)
    assert read_fact(record).kind is kind
    for place, field in _places(FIELDS[kind]):
        assert _try_all(read_fact, record, place, field) > 20
        if not field.needed:
            assert read_fact(_with(record, place, None)) == read_fact(_without(record, place))


@pytest.mark.parametrize("field", HEAD, ids=lambda field: field.name)
def test_every_field_that_all_facts_share_refuses_what_it_is_not(field: Field) -> None:
    for kind in (FactKind.PAYMENT, FactKind.REVERSAL):
        if field.name != "reversal_of" or kind is FactKind.REVERSAL:
            assert _try_all(read_fact, _fact(kind), (field.name,), field) > 20


@pytest.mark.parametrize("kind", FactKind)
def test_a_fact_takes_no_field_that_it_does_not_know(kind: FactKind) -> None:
    for name in ("amount", "Amount_minor", "amount_minor ", "", "x" * 100_000, "\x00", "金额", None, 5, ("a",)):
        with pytest.raises(InvalidInput, match="unknown field") as error:
            read_fact(_fact(kind) | {name: 1})  # type: ignore[dict-item]
        assert len(str(error.value)) < 1500


@pytest.mark.parametrize("given", [None, 1, "x", [], [{}], [[[1]]], True, float("nan"), b"{}"], ids=repr)
def test_what_is_no_table_is_no_fact_and_no_product(given: object) -> None:
    for read in (read_fact, read_product):
        with pytest.raises(InvalidInput, match="table of"):
            read(given)


def test_lists_nested_without_end_are_no_fact_and_no_product() -> None:
    for read in (read_fact, read_product):
        with pytest.raises(InvalidInput, match="table of"):
            read(_deep())


def test_what_json_can_say_of_a_payment_is_taken_or_refused_by_the_name_of_the_field() -> None:
    sound = '{"fact_id": "p", "kind": "payment", "effective_on": "2024-05-31", "amount_minor": 100}'
    read_fact(parse_json(sound, "line 1"))
    amount = FIELDS[FactKind.PAYMENT][0]
    for number in (
        "1e308",
        "1E+2",
        "100.0",
        "NaN",
        "-Infinity",
        "9" * 5000,
        "-1",
        "0",
        '"１００"',
        "[100]",
        "true",
        "null",
    ):
        record = parse_json(sound.replace("100}", f"{number}}}"), "line 1")
        _refused(read_fact, record, amount, number)
    with pytest.raises(InvalidInput, match="line 1 has the field 'amount_minor' twice"):
        parse_json(sound.replace("100}", '100, "amount_minor": 1}'), "line 1")


# ---- Products -------------------------------------------------------------------------------------------------------


def _product(kind: str) -> dict[str, Any]:
    """A record with every field of a line or of a loan. Each is held to its domain before they are to each other."""
    record = _record(spec.FIELDS)
    del record["loan" if kind == "line" else "line"]
    return record


@pytest.mark.parametrize(
    ("place", "field"),
    [(place, field) for place, field in _places(spec.FIELDS)],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_every_field_of_a_product_refuses_what_it_is_not(place: Place, field: Field) -> None:
    record = _product("line" if place[0] == "line" else "loan")
    checked(record, spec.FIELDS, "the product")
    assert _try_all(read_product, record, place, field) > 20


@pytest.mark.parametrize("name", ["pay_later", "card", "cash_loan"])
def test_every_figure_of_a_shipped_file_is_refused_when_it_is_damaged(name: str) -> None:
    """The same from text: a value of the file as it is shipped replaced by another that TOML or JSON can write."""
    text = shipped(name).text
    tried = 0
    for place, field in _places(spec.FIELDS):
        holder: Any = json.loads(text)
        try:
            for step in place:
                holder = holder[step]
        except (KeyError, IndexError):
            continue
        for value in ("NaN", "-Infinity", "1e308", "9" * 5000, '"\\u0000"', "[[]]", '{"x": 1}', "-1", '"１"'):
            marked = json.dumps(_with(json.loads(text), place, "HERE"), ensure_ascii=False)
            allowed = field.kind in TEXTS and value == '"１"'
            if field.kind is Kind.RECORD and value == '{"x": 1}':
                continue
            if not allowed:
                _refused(parse_product, marked.replace('"HERE"', value), field, f"{place} with {value[:20]}")
                tried += 1
    assert tried > 150


def test_the_walk_reaches_every_kind_of_field() -> None:
    facts = {field.kind for fields in FIELDS.values() for _, field in _places(fields)}
    products = {field.kind for _, field in _places(spec.FIELDS)}
    assert facts | products | {field.kind for field in HEAD} == set(Kind)
    assert {("line", "cycle", "holidays"), ("rates", 0, "rate_annual"), ("fees", "late", "share")} <= {
        place for place, _ in _places(spec.FIELDS)
    }
    assert EARLIEST < LATEST
