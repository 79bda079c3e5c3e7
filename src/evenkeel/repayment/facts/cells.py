"""The cells of a case's form: how each kind of field is written in one, and read back as it was.

Amounts are in major units, as people write them; `?` is an amount that is not known where an empty cell means
something else; `400~600` lies between two. Lists are `a; b`, pairs `a=b`, with a name in quotes where it needs them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from msgspec import inspect

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money, currency_exponent
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.repayment.case import Authority, Between, Member, Payment, Recovery

UNKNOWN = "?"
_FIRST_SAFE_DAY = date(1901, 1, 1)  # Excel counts a 29 February 1900
_LARGEST = 10**30
_LARGEST_NUMBER = 10**15  # digits of a number that a spreadsheet keeps
_PART = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^;；])+')  # of a list; in quotes anything may stand
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")

Cell = object  # of openpyxl: a text, a number, a bool, a day or None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet. name: the field of the case; title: as it stands in headings without a language; words: its
    codes, where only some are allowed; write, read: between a value and a cell, given the currency."""

    name: str
    title: str
    words: dict[str, str]  # code -> key of its word
    write: Callable[[Any, str], Cell]
    read: Callable[[Cell, str], object]
    default: object


def columns_of(record: type[msgspec.Struct], words: dict[str, str], leave: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """The columns of a record. words: field -> name of its words in the catalogue (`repay.form.NAME.CODE`)."""
    kind = inspect.type_info(record)
    assert isinstance(kind, inspect.StructType)  # noqa: S101
    return tuple(_column(field, words.get(field.name, field.name)) for field in kind.fields if field.name not in leave)


def _column(field: inspect.Field, words: str) -> Column:
    kind, title = _plain(field.type), field.name.removesuffix("_minor")
    codes: dict[str, str] = {}
    if isinstance(kind, inspect.LiteralType):
        codes = {str(code): f"repay.form.{words}.{code}" for code in kind.values if code != ""}
    elif isinstance(kind, inspect.BoolType):
        codes = {code: f"repay.form.flag.{code}" for code in ("true", "false")}
    default = None if field.default is msgspec.NODEFAULT else field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    write, read = _codec(field.name, kind, codes)
    return Column(field.name, title, codes, write, read, default)


def _plain(kind: inspect.Type) -> inspect.Type:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _codec(
    name: str, kind: inspect.Type, codes: dict[str, str]
) -> tuple[Callable[[Any, str], Cell], Callable[[Cell, str], object]]:
    if name in _OF_THEIR_OWN:
        return _OF_THEIR_OWN[name]
    if name.endswith("_minor"):
        return _write_amount, _read_amount
    match kind:
        case inspect.LiteralType():
            return (lambda value, _: value or None), (lambda cell, _: read_word(cell, codes))
        case inspect.BoolType():
            return (lambda value, _: "true" if value else "false"), (lambda cell, _: _read_flag(cell, codes))
        case inspect.DateType():
            return (lambda value, _: value if value >= _FIRST_SAFE_DAY else value.isoformat()), _read_day
        case inspect.IntType():
            return (lambda value, _: value if abs(value) < _LARGEST_NUMBER else str(value)), _read_whole
        case inspect.FloatType():
            return (lambda value, _: value if float(f"{value:.15g}") == value else repr(value)), _read_number
        case inspect.VarTupleType():
            return (lambda value, _: "; ".join(repr(one) for one in value) or None), _read_numbers
    return (lambda value, _: value or None), _read_text


# -------------------------------------------------------------------------------------------------------------- reading


def read_word(cell: Cell, codes: dict[str, str]) -> object:
    """The code of a word in any language; what is no word is left as it stands, for the case to refuse."""
    text = str(cell).strip()
    if text.casefold() in codes:
        return text.casefold()
    for language in LANGUAGES:
        say = texts(language)
        for code, key in codes.items():
            if say(key).casefold() == text.casefold():
                return code
    return text


def _read_flag(cell: Cell, codes: dict[str, str]) -> object:
    if isinstance(cell, bool):
        return cell
    found = read_word(cell, codes)
    return {"true": True, "false": False}.get(str(found), found)


def _read_text(cell: Cell, currency: str) -> object:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _read_day(cell: Cell, currency: str) -> object:
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell).strip()


def _exact(cell: Cell) -> Fraction:
    """The number of a cell, as many digits as a spreadsheet shows. Raises InvalidInput where it is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        raise InvalidInput(f"{cell!r} is not a number.")
    text = f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip().replace(",", "").replace("，", "")
    percent = text.endswith(("%", "％"))
    text = text[:-1].strip() if percent else text
    if len(text) > 40 or not _NUMBER.fullmatch(text):
        raise InvalidInput(f"{cell!r} is not a number.", "Write it as 1234.56 or, for a share or rate, 24%.")
    value = Fraction(Decimal(text))
    if abs(value) > _LARGEST:
        raise InvalidInput(f"{cell!r} is beyond every amount, rate and count of a case.")
    return value / 100 if percent else value


def _read_whole(cell: Cell, currency: str) -> object:
    value = _exact(cell)
    return int(value) if value.denominator == 1 else float(value)


def _read_number(cell: Cell, currency: str) -> object:
    return cell if isinstance(cell, float) else float(_exact(cell))


def _read_numbers(cell: Cell, currency: str) -> object:
    return [_float(part) if "." in part or "e" in part else _read_whole(part, currency) for part in _split(cell)]


def _split(cell: Cell) -> list[str]:
    text = f"{cell:.15g}" if isinstance(cell, float) else str(cell)
    return [part.strip() for part in _PART.findall(text) if part.strip()]


def _read_amount(cell: Cell, currency: str) -> object:
    text = str(cell).strip()
    if text in (UNKNOWN, "？"):
        return None
    ends = re.split("[~～]", text) if isinstance(cell, str) else [cell]
    if len(ends) == 2:
        return {"low_minor": _minor(ends[0], currency), "high_minor": _minor(ends[1], currency)}
    return _minor(ends[0], currency) if len(ends) == 1 else text


def _minor(cell: Cell, currency: str) -> int:
    value = _exact(cell) * 10 ** currency_exponent(currency)
    if value.denominator != 1:
        raise InvalidInput(
            f"{cell!r} has more decimals than {currency} has.",
            f"Amounts are in major units, as {major(123456, currency)}.",
        )
    return int(value)


def _read_amounts(cell: Cell, currency: str) -> object:
    return [_minor(part, currency) for part in _split(cell)]


def _pairs(cell: Cell) -> list[tuple[str, str]]:
    found = []
    for part in _split(cell):
        name, equals, value = part.rpartition("=")
        if not equals:
            raise InvalidInput(f"{part!r} is not of the form name=value.", "Separate several by semicolons.")
        found.append((_unquoted(name.strip()), value.strip()))
    return found


def _quoted(name: str) -> str:
    """A name that a list can hold: in quotes where it would fall apart without them."""
    return json.dumps(name, ensure_ascii=False) if name != name.strip() or set(name) & set(';；"') else name


def _unquoted(name: str) -> str:
    if not name.startswith('"'):
        return name
    try:
        return str(json.loads(name))
    except json.JSONDecodeError:
        raise InvalidInput(f"{name[:40]} does not end its quotes.") from None


def _thirds(value: str, form: str) -> list[str]:
    parts = [part.strip() for part in value.split("/")]
    if len(parts) != form.count("/") + 1:
        raise InvalidInput(f"{value!r} is not of the form {form}.")
    return parts


# -------------------------------------------------------------------------------------------------------------- writing


def major(amount_minor: int, currency: str) -> str:
    """An amount in major units, as a form holds it."""
    return str(Money(amount_minor, currency)).rpartition(" ")[0].replace(",", "")


def _write_amount(value: int | Between, currency: str) -> Cell:
    if isinstance(value, Between):
        return f"{major(value.low_minor, currency)}~{major(value.high_minor, currency)}"
    text = major(value, currency)
    return float(text) if "." in text else int(text)


_WAIVED = {name: f"repay.form.component.{name}" for name in ("fees", "penalty", "interest", "principal")}
_MEMBERS = {name: f"repay.form.member.{name}" for name in ("adult", "child", "elder")}


def _write_members(value: tuple[Member, ...], _: str) -> Cell:
    return "; ".join(one.kind + (f"={one.age}" if one.age is not None else "") for one in value) or UNKNOWN


def _read_members(cell: Cell, currency: str) -> object:
    if str(cell).strip() == UNKNOWN:
        return []
    found = []
    for part in _split(cell):
        kind, _, age = part.partition("=")
        found.append({"kind": read_word(kind, _MEMBERS)} | ({"age": _read_whole(age, currency)} if age else {}))
    return found


def _write_payments(value: tuple[Payment, ...], currency: str) -> Cell:
    return "; ".join(f"{one.on}={major(one.amount_minor, currency)}" for one in value) or None


def _read_payments(cell: Cell, currency: str) -> object:
    return [{"on": day, "amount_minor": _minor(amount, currency)} for day, amount in _pairs(cell)]


def _write_waivers(value: dict[str, float], _: str) -> Cell:
    return "; ".join(f"{name}={share!r}" for name, share in value.items()) or None


def _read_waivers(cell: Cell, currency: str) -> object:
    return {str(read_word(name, _WAIVED)): _share(share) for name, share in _pairs(cell)}


def _write_authority(value: tuple[Authority, ...], currency: str) -> Cell:
    return (
        "; ".join(f"{_quoted(one.role)}={major(one.most_minor, currency)}/{one.most_share!r}" for one in value) or None
    )


def _read_authority(cell: Cell, currency: str) -> object:
    found = []
    for role, value in _pairs(cell):
        most, share = _thirds(value, "AMOUNT/SHARE")
        found.append({"role": role, "most_minor": _minor(most, currency), "most_share": _share(share)})
    return found


def _write_recovery(value: Recovery, _: str) -> Cell:
    return f"{value.share!r}/{value.months}/{value.cost_share!r}"


def _read_recovery(cell: Cell, currency: str) -> object:
    share, months, cost = _thirds(str(cell), "SHARE/MONTHS/COST SHARE")
    return {"share": _share(share), "months": _read_whole(months, currency), "cost_share": _share(cost)}


def _share(text: str) -> float:
    return float(_exact(text)) if text.endswith(("%", "％")) else _float(text)


def _float(text: str) -> float:
    _exact(text)
    return float(text)


_OF_THEIR_OWN: dict[str, tuple[Callable[[Any, str], Cell], Callable[[Cell, str], object]]] = {
    "members": (_write_members, _read_members),
    "history_minor": (
        lambda value, currency: "; ".join(major(one, currency) for one in value) or None, _read_amounts
    ),
    "payments": (_write_payments, _read_payments),
    "waivers": (_write_waivers, _read_waivers),
    "authority": (_write_authority, _read_authority),
    "recovery": (_write_recovery, _read_recovery),
}  # fmt: skip
