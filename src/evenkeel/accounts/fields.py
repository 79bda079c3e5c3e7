"""What a record from outside may hold: fields as data, checked in one place, refused in words that name the field.

No number passes through a float: `parse_json` reads decimals by `exact`, and a TOML reader takes it as `parse_float`.
Null where a value is needed is refused; elsewhere it is the same as absent.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from fractions import Fraction

from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import currency_exponent

# 10,000,000,000.00 of a currency with two decimals: far above any consumer account, far below what int64 can sum.
AMOUNT_LIMIT = 10**12
# An account's whole life lies in these days, so that calendars of bills can be laid out; 1900-01-01 is a placeholder.
EARLIEST, LATEST = date(1980, 1, 1), date(2099, 12, 31)
_DECIMAL = re.compile(r"-?[0-9]{1,8}(\.[0-9]{1,8})?")
_MOST_DIGITS = 8  # before and after the point: rates are held in units of 10^-8
_LONGEST_SHOWN = 60


class Kind(Enum):
    """What a field holds; the value is what a person is told of the form."""

    MONEY = "a whole number of minor units"
    COUNT = "a whole number"
    RATE = "a number of at most 8 decimals, such as 0.1825,"
    DAY = "a date from 1980-01-01 to 2099-12-31, such as 2024-05-31"
    TEXT = "a text"
    ID = "an id"
    CURRENCY = "three capitals such as CNY"
    CHOICE = "one of"
    FLAG = "true or false"
    RECORD = "a table of fields"
    RECORDS = "tables of fields"
    DAYS = "different dates from 1980-01-01 to 2099-12-31"
    CHOICES = "different words of"


# What holds where a field states no upper end of its own, so that no field is unbounded.
_HIGHEST = {Kind.MONEY: AMOUNT_LIMIT, Kind.COUNT: 10_000, Kind.RATE: 10}
_LONGEST = {Kind.TEXT: 200, Kind.ID: 64}
_LONGEST_LIST = 1000
_LISTS = (Kind.RECORDS, Kind.DAYS, Kind.CHOICES)


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    low, high: of a number, inclusive. least, most: characters of a text or entries of a list. parts: the fields of a
    RECORD, or of each entry of RECORDS. default: the value, already in its type, where the field is absent.
    """

    name: str
    kind: Kind
    needed: bool = False
    low: int | Fraction = 0
    high: int | Fraction | None = None
    least: int = 1
    most: int | None = None
    choices: tuple[str, ...] = ()
    parts: tuple[Field, ...] = ()
    default: object = None

    @property
    def top(self) -> int | Fraction:
        """The highest number that is allowed."""
        return _HIGHEST[self.kind] if self.high is None else self.high

    @property
    def longest(self) -> int:
        """The most characters or entries that are allowed."""
        if self.most is not None:
            return self.most
        return len(self.choices) if self.kind is Kind.CHOICES else _LONGEST.get(self.kind, _LONGEST_LIST)

    @property
    def allowed(self) -> str:
        """What may stand here, in words."""
        words = f"{self.kind.value} {', '.join(self.choices)}".rstrip()
        if self.kind in _HIGHEST:
            return f"{words} from {_number(self.low)} to {_number(self.top)}"
        if self.kind in _LONGEST:
            return f"{words} of {self.least} to {self.longest} characters, printable, without blanks at its ends"
        if self.kind in _LISTS:
            number = f"{self.least} to {self.longest}" if self.least < self.longest else f"{self.longest}"
            return f"a list of {number} {words}"
        return words


def checked(given: object, fields: Sequence[Field], where: str) -> dict[str, object]:
    """The values of a record by field name: absent fields have their default, rates are Fractions, days are dates,
    lists are tuples, records are dictionaries.

    where: what the record is, for messages, such as `purchase p-17`. Raises InvalidInput naming the first field at
    fault, what stands there and what is allowed; unknown fields are refused.
    """
    names = [field.name for field in fields]
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{where} is {shown(given)}.", f"Allowed: a table of the fields {', '.join(names)}.")
    for name in given:
        if name not in names:
            near = get_close_matches(name[:_LONGEST_SHOWN], names, 1) if isinstance(name, str) else []
            remedy = f"Is `{near[0]}` meant?" if near else f"Known fields: {', '.join(names) or 'none'}."
            raise InvalidInput(f"{where} has an unknown field {shown(name)}.", remedy)
    return {field.name: _value(given.get(field.name), field, where) for field in fields}


def _value(given: object, field: Field, where: str) -> object:
    if given is None:
        if field.needed:
            raise InvalidInput(f"{where} lacks `{field.name}`.", f"Give {field.allowed}.")
        return field.default
    if field.kind is Kind.RECORD:
        if not isinstance(given, Mapping):
            raise refusal(where, field, given)
        return checked(given, field.parts, f"{where}, `{field.name}`")
    if field.kind in _LISTS:
        return _entries(given, field, where)
    return _scalar(given, field, where, "is")


def _entries(given: object, field: Field, where: str) -> tuple[object, ...]:
    if not isinstance(given, list | tuple) or not field.least <= len(given) <= field.longest:
        raise refusal(where, field, given)
    if field.kind is Kind.RECORDS:
        places = enumerate(given, 1)
        return tuple(checked(entry, field.parts, f"{where}, `{field.name}` entry {place}") for place, entry in places)
    found = [_scalar(entry, field, where, "holds") for entry in given]
    for place, value in enumerate(found):
        if value in found[:place]:
            raise refusal(where, field, given[place], "holds twice")
    return tuple(sorted(found) if field.kind is Kind.DAYS else found)  # type: ignore[type-var] # they are dates


def _scalar(given: object, field: Field, where: str, verb: str) -> object:
    value = _READERS[field.kind](given, field)
    if value is None:
        raise refusal(where, field, given, verb)
    return value


def refusal(where: str, field: Field, given: object, verb: str = "is") -> InvalidInput:
    """The error of a value that its field does not allow."""
    remedy = f"Allowed: {field.allowed}."
    if field.kind is Kind.RATE and isinstance(given, float):
        remedy += " A float is not exact: give a Decimal, or the number as text."
    return InvalidInput(f"{where}: `{field.name}` {verb} {shown(given)}.", remedy)


# Each reader gives the value in its type, or None where the field does not allow what is given.


def _whole(given: object, field: Field) -> int | None:
    return given if type(given) is int and field.low <= given <= field.top else None


def _rate(given: object, field: Field) -> Fraction | None:
    if isinstance(given, Decimal) and given.is_finite() and abs(given.adjusted()) <= _MOST_DIGITS:
        given = format(given, "f")
    if isinstance(given, str):
        given = Fraction(given) if _DECIMAL.fullmatch(given) else None
    elif type(given) is int:
        given = Fraction(given)
    if not isinstance(given, Fraction) or not field.low <= given <= field.top:
        return None
    return given if 10**_MOST_DIGITS % given.denominator == 0 else None


def _day(given: object, _: Field) -> date | None:
    if isinstance(given, str):
        try:
            given = parse_date(given)
        except InvalidInput:
            return None
    if not isinstance(given, date) or isinstance(given, datetime):
        return None
    return given if EARLIEST <= given <= LATEST else None


def _text(given: object, field: Field) -> str | None:
    if not isinstance(given, str) or not field.least <= len(given) <= field.longest:
        return None
    return given if given.isprintable() and given == given.strip() else None


def _currency(given: object, _: Field) -> str | None:
    try:
        return given if isinstance(given, str) and currency_exponent(given) >= 0 else None
    except InvalidInput:
        return None


def _choice(given: object, field: Field) -> str | None:
    return given if isinstance(given, str) and given in field.choices else None


def _flag(given: object, _: Field) -> bool | None:
    return given if isinstance(given, bool) else None


_READERS: Mapping[Kind, Callable[[object, Field], object]] = {
    Kind.MONEY: _whole, Kind.COUNT: _whole, Kind.RATE: _rate, Kind.DAY: _day, Kind.DAYS: _day, Kind.TEXT: _text,
    Kind.ID: _text, Kind.CURRENCY: _currency, Kind.CHOICE: _choice, Kind.CHOICES: _choice, Kind.FLAG: _flag,
}  # fmt: skip


def exact(digits: str) -> Decimal:
    """A number's text as Decimal; NaN, or an exponent beyond what Decimal holds, gives one that no field allows."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Decimal("Infinity")


def parse_json(text: str, where: str) -> object:
    """A JSON text with decimals as Decimal; NaN and infinities are left for the field they stand in to refuse.

    Raises InvalidInput where the text is not JSON, is nested too deeply or has a name twice.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        record = dict(pairs)
        if len(record) < len(pairs):
            [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
            raise InvalidInput(f"{where} has the field {shown(twice)} twice.", "Keep one of them.")
        return record

    def whole(digits: str) -> int | Decimal:
        return int(digits) if len(digits) <= _LONGEST_SHOWN else exact(digits)  # int() refuses 4,300 digits and more

    try:
        return json.loads(text, parse_float=exact, parse_int=whole, parse_constant=exact, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where} is not JSON: {error}.") from None
    except RecursionError:
        raise InvalidInput(f"{where} is nested too deeply to be a record.") from None


class _Short(reprlib.Repr):
    """Values as messages show them; a method a type, found by its name."""

    def repr_int(self, x: int, level: int) -> str:
        # Python does not write out a number of 4,300 digits and more.
        return str(x) if abs(x) < 10**_LONGEST_SHOWN else f"a whole number of over {_LONGEST_SHOWN} digits"

    def repr_Fraction(self, x: Fraction, level: int) -> str:  # noqa: N802
        return f"{self.repr_int(x.numerator, level)}/{self.repr_int(x.denominator, level)}"

    def repr_Decimal(self, x: Decimal, level: int) -> str:  # noqa: N802
        text = str(x)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."

    def repr_date(self, x: date, level: int) -> str:
        return x.isoformat()

    repr_datetime = repr_date


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 2, 3, 3, 3
_SHORT.maxstring = _SHORT.maxother = _LONGEST_SHOWN


def shown(given: object) -> str:
    """A value as a message shows it: short whatever it is, with control characters written out."""
    return _SHORT.repr(given)


def _number(end: int | Fraction) -> str:
    value = Fraction(end)
    return str(value.numerator) if value.denominator == 1 else str(float(value))
