"""Fields as data: what each kind takes, in which type it comes out, and the words in which the rest is refused."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.fields import AMOUNT_LIMIT, Field, Kind, checked, parse_json, shown
from evenkeel.accounts.words import Segment
from evenkeel.kernel.errors import InvalidInput

DAY = date(2024, 5, 31)

# A field, what is given, what it becomes.
TAKEN = [
    (Field("f", Kind.MONEY), 0, 0),
    (Field("f", Kind.MONEY), AMOUNT_LIMIT, AMOUNT_LIMIT),
    (Field("f", Kind.MONEY, low=-5), -5, -5),
    (Field("f", Kind.COUNT, low=1, high=31), 31, 31),
    (Field("f", Kind.RATE), "0.1825", Fraction(73, 400)),
    (Field("f", Kind.RATE), Decimal("0.1825"), Fraction(73, 400)),
    (Field("f", Kind.RATE), Decimal("1E+1"), Fraction(10)),
    (Field("f", Kind.RATE), Decimal("0.00000001"), Fraction(1, 10**8)),
    (Field("f", Kind.RATE), Decimal("0E-5"), Fraction(0)),
    (Field("f", Kind.RATE), Fraction(73, 400), Fraction(73, 400)),
    (Field("f", Kind.RATE), 1, Fraction(1)),
    (Field("f", Kind.RATE, low=-1), "-0.5", Fraction(-1, 2)),
    (Field("f", Kind.DAY), "2024-05-31", DAY),
    (Field("f", Kind.DAY), DAY, DAY),
    (Field("f", Kind.TEXT), "花呗，分期", "花呗，分期"),
    (Field("f", Kind.TEXT), "x" * 200, "x" * 200),
    (Field("f", Kind.ID), "x" * 64, "x" * 64),
    (Field("f", Kind.CURRENCY), "CNY", "CNY"),
    (Field("f", Kind.CHOICE, choices=("a", "b")), "b", "b"),
    (Field("f", Kind.CHOICE, choices=tuple(Segment)), "cash", "cash"),
    (Field("f", Kind.FLAG), False, False),
    (Field("f", Kind.RECORD, parts=(Field("x", Kind.COUNT),)), {"x": 1}, {"x": 1}),
    (Field("f", Kind.RECORDS, parts=(Field("x", Kind.COUNT, default=7),)), [{"x": 1}, {}], ({"x": 1}, {"x": 7})),
    (Field("f", Kind.DAYS), ["2024-05-31", date(2024, 1, 1)], (date(2024, 1, 1), DAY)),
    (Field("f", Kind.CHOICES, choices=("a", "b", "c")), ("c", "a"), ("c", "a")),
    (Field("f", Kind.CHOICES, choices=("a",), least=0), [], ()),
]

REFUSED = [
    (Field("f", Kind.MONEY), [-1, AMOUNT_LIMIT + 1, 10**5000, 1.0, Decimal(1), Fraction(1), "1", True, [1], {}]),
    (Field("f", Kind.MONEY, low=1, high=5), [0, 6]),
    (Field("f", Kind.COUNT), [-1, 10_001, 1e308, float("nan"), False, "１２"]),
    (
        Field("f", Kind.RATE, high=1),
        [1.5, 0.5, float("inf"), "1.00000001", "0.123456789", "1e-3", " 0.1", "０.１", "+1"],
    ),
    (Field("f", Kind.RATE, high=1), [Decimal("NaN"), Decimal("-Infinity"), Decimal("1E-400"), Decimal("1E+400")]),
    (Field("f", Kind.RATE, high=1), [Fraction(1, 3), Fraction(2), -1, True, "", ".5", "5.", "--1", "1,5", "1_0"]),
    (
        Field("f", Kind.DAY),
        ["2024-02-30", "2024-5-1", "20240531", "31.05.2024", "2024-05-31T00:00", "２０２４-05-31", ""],
    ),
    (
        Field("f", Kind.DAY),
        ["1979-12-31", "1900-01-01", "2100-01-01", date(1, 1, 1), datetime(2024, 5, 31, tzinfo=UTC), 20240531],
    ),
    (Field("f", Kind.TEXT), ["", "x" * 201, " x", "x ", "a\nb", "a\x00b", "\ud800", "\u202eabc", 5, b"x"]),
    (Field("f", Kind.ID), ["", "x" * 65, "a\tb", None.__class__]),
    (Field("f", Kind.CURRENCY), ["cny", "CN", "YUAN", "ＣＮＹ", 156]),
    (Field("f", Kind.CHOICE, choices=("a", "b")), ["c", "A", "a ", "", 0, ["a"]]),
    (Field("f", Kind.FLAG), [0, 1, "true", "yes"]),
    (Field("f", Kind.RECORD), [[], "x", 5]),
    (Field("f", Kind.RECORDS, most=2), [[], [{}] * 3, {}, "ab", {"a": {}}]),
    (Field("f", Kind.DAYS), [[], ["2024-05-32"], ["2024-05-31", DAY], "2024-05-31", {DAY}, ["2024-05-31"] * 1001]),
    (Field("f", Kind.CHOICES, choices=("a", "b")), [[], ["a", "a"], ["c"], "a", [["a"]], ["a"] * 10_000]),
]


@pytest.mark.parametrize(("field", "value", "expected"), TAKEN, ids=str)
def test_a_value_inside_its_domain_is_taken_in_its_type(field: Field, value: object, expected: object) -> None:
    found = checked({"f": value}, (field,), "the record")["f"]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in REFUSED for value in values],
    ids=lambda part: part.kind.name if isinstance(part, Field) else shown(part),
)
def test_a_value_outside_its_domain_is_refused_in_words(field: Field, value: object) -> None:
    with pytest.raises(InvalidInput) as error:
        checked({"f": value}, (field,), "the record")
    assert error.value.message.startswith("the record: `f` ")
    assert error.value.remedy.startswith(f"Allowed: {field.allowed}.")
    assert len(str(error.value)) < 500 and str(error.value).isprintable()


def test_a_message_reads_as_a_sentence_that_names_value_and_bounds() -> None:
    fields = (Field("due_day", Kind.COUNT, low=1, high=31),)
    with pytest.raises(InvalidInput) as error:
        checked({"due_day": 40}, fields, "card.toml")
    assert str(error.value) == "card.toml: `due_day` is 40. Allowed: a whole number from 1 to 31."


def test_a_float_is_refused_with_the_way_to_give_it() -> None:
    with pytest.raises(InvalidInput, match="A float is not exact: give a Decimal, or the number as text"):
        checked({"rate": 0.1}, (Field("rate", Kind.RATE),), "x")


def test_a_needed_field_may_be_neither_absent_nor_null() -> None:
    fields = (Field("on", Kind.DAY, needed=True),)
    for record in ({}, {"on": None}):
        with pytest.raises(InvalidInput) as error:
            checked(record, fields, "payment p1")
        assert str(error.value).startswith("payment p1 lacks `on`. Give a date from 1980-01-01")


def test_elsewhere_null_is_as_good_as_absent_and_gives_the_default() -> None:
    fields = (Field("n", Kind.COUNT, default=3), Field("m", Kind.COUNT))
    assert checked({}, fields, "x") == checked({"n": None, "m": None}, fields, "x") == {"n": 3, "m": None}


def test_an_unknown_field_is_refused_with_a_near_name() -> None:
    fields = (Field("amount_minor", Kind.MONEY), Field("channel", Kind.TEXT))
    with pytest.raises(InvalidInput, match=r"x has an unknown field 'chanel'. Is `channel` meant\?"):
        checked({"chanel": "self"}, fields, "x")
    with pytest.raises(InvalidInput, match=r"unknown field 'zzz'. Known fields: amount_minor, channel\."):
        checked({"zzz": 1}, fields, "x")
    for name in (5, None, ("a",), "x" * 10**6, "\x1b[2J", "\ud800"):
        with pytest.raises(InvalidInput, match="unknown field"):
            checked({name: 1}, fields, "x")


def test_no_fields_at_all_take_no_field() -> None:
    assert checked({}, (), "x") == {}
    with pytest.raises(InvalidInput, match="Known fields: none"):
        checked({"a": 1}, (), "x")


def test_what_is_no_record_is_refused_with_the_fields_it_should_have() -> None:
    with pytest.raises(InvalidInput, match=r"x is \[1\]\. Allowed: a table of the fields a\."):
        checked([1], (Field("a", Kind.COUNT),), "x")


def test_a_fault_inside_is_told_with_its_place() -> None:
    step = Field("steps", Kind.RECORDS, parts=(Field("on", Kind.DAY, True), Field("rate", Kind.RATE, high=1)))
    fields = (Field("line", Kind.RECORD, parts=(step,)),)
    with pytest.raises(InvalidInput, match=r"card, `line`, `steps` entry 2: `rate` is 7\."):
        checked({"line": {"steps": [{"on": DAY}, {"on": DAY, "rate": 7}]}}, fields, "card")
    with pytest.raises(
        InvalidInput, match=r"card, `line`, `steps` entry 1 is 5\. Allowed: a table of the fields on, rate"
    ):
        checked({"line": {"steps": [5]}}, fields, "card")


def test_values_of_any_size_and_depth_are_shown_short() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (
        deep,
        10**5000,
        -(10**5000),
        Fraction(10**5000, 7),
        Decimal("9" * 5000),
        "x" * 10**6,
        list(range(10**4)),
    ):
        assert len(shown(value)) < 200
    assert shown({"a": Decimal("0.10"), "b": DAY}) == "{'a': 0.10, 'b': 2024-05-31}"
    assert shown("\x1b[2J") == r"'\x1b[2J'"


@given(st.decimals(0, 10, places=8))
def test_a_rate_is_the_number_written_to_the_last_decimal(written: Decimal) -> None:
    field = (Field("r", Kind.RATE),)
    for form in (written, str(format(written, "f")), parse_json(f'{{"r": {format(written, "f")}}}', "x")):
        record = form if isinstance(form, Mapping) else {"r": form}
        assert checked(record, field, "x")["r"] == Fraction(written)


def test_json_keeps_decimals_and_leaves_what_is_no_number_to_its_field() -> None:
    assert parse_json('{"a": 0.1, "b": 12, "c": null}', "x") == {"a": Decimal("0.1"), "b": 12, "c": None}
    fields = (Field("rate", Kind.RATE), Field("amount_minor", Kind.MONEY))
    for number in ("NaN", "Infinity", "-Infinity", "1e308", "1e99999999999999999999", "9" * 5000, "0." + "1" * 5000):
        for name in ("rate", "amount_minor"):
            with pytest.raises(InvalidInput, match=f"x: `{name}` is .*Allowed: a (whole )?number"):
                checked(parse_json(f'{{"{name}": {number}}}', "x"), fields, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "x has the field 'a' twice"),
        ('{"b": {"a": 1, "c": 0, "a": 1}}', "x has the field 'a' twice"),
        ('{"a": 1', "x is not JSON"),
        ("", "x is not JSON"),
        ("{'a': 1}", "x is not JSON"),
        ('{"a": "\x01"}', "x is not JSON"),
        ("[" * 200_000, "x is nested too deeply"),
        ('{"a":' * 200_000, "x is nested too deeply"),
    ],
    ids=["twice", "twice inside", "cut off", "empty", "quotes", "control", "deep lists", "deep records"],
)
def test_json_that_says_two_things_or_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_json(text, "x")
