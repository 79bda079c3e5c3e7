"""A case from JSON: read within bounds, every fault named so that it can be mended, its facts held against each other.

What cannot be (an id twice, an end before its beginning) refuses the case. What contradicts, but leaves a case that can
be planned for, is a question: `doubts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.json_text import check
from evenkeel.repayment.case import Between, Case, Id, Policy, Share

MOST_BYTES = 1 << 20
MOST_DEPTH = 10
FIRST_YEAR, LAST_YEAR = 1900, 2200  # of any day in a case
_FIRST_AS_OF, _LAST_AS_OF = date(2000, 1, 1), date(2100, 12, 31)  # no plan runs out of the calendar

Place = Callable[[str], str]  # from `debts[2].rate_annual` to where a person finds it

_AT = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_LONGEST_SHOWN = 60


def read_case(data: bytes, name: str = "The case") -> Case:
    """The case in a JSON text. name: of the text, for messages.

    Raises InvalidInput that says where, what stands there and what is allowed.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(
            f"{name} has {len(data):,} bytes; a case has at most {MOST_BYTES:,}.", "Leave out payments of long ago."
        )
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"{name} is not JSON in UTF-8: {str(error).split(' - at ')[0]}.", "A case is a JSON object; see its schema."
        ) from None
    check(data, plain, MOST_DEPTH, name)
    return case_of(plain, lambda path: f"{name}: `{path}`" if path else name)


def case_of(plain: object, place: Place) -> Case:
    """The case in plain dicts and lists, such as a decoder gives. place: how a path is told to a person.

    Raises InvalidInput.
    """
    try:
        case = msgspec.convert(plain, Case)
    except msgspec.ValidationError as error:
        raise _explained(str(error), plain, place) from None
    _hold(case, place)
    return case


def write_case(case: Case) -> bytes:
    """A case as JSON that `read_case` reads back as the same."""
    return msgspec.json.format(msgspec.json.encode(case), indent=2)


def case_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a case."""
    return msgspec.json.schema(Case)


# ------------------------------------------------------------------------------------------------- what a fault is told


def _explained(message: str, plain: object, place: Place) -> InvalidInput:
    """msgspec's words on a value that does not fit, as someone would thank you for."""
    found = _AT.search(message)
    steps, kind, value = _walked(plain, found["path"] if found else "")
    where = place(_path(steps))
    if found and found["key"]:
        return InvalidInput(f"{where} has a name that cannot be there.", _names(kind, value))
    within = _one(kind)
    fields = {one.encode_name: one.type for one in within.fields} if isinstance(within, inspect.StructType) else {}
    if missing := re.search(r"missing required field `(.+?)`", message):
        return InvalidInput(f"{where} lacks `{missing[1]}`.", _allowed(fields[missing[1]]))
    if unknown := re.search(r"unknown field `(.+?)`", message, re.DOTALL):
        near = get_close_matches(unknown[1], fields, 1)
        return InvalidInput(
            f"{where} has {unknown[1][:_LONGEST_SHOWN]!r}, which is not known there.",
            f"Is `{near[0]}` meant?" if near else f"Known: {', '.join(fields)}.",
        )
    told = msgspec.json.encode(value).decode()
    shown = told if len(told) <= _LONGEST_SHOWN else f"{told[:_LONGEST_SHOWN]}…"
    return InvalidInput(f"{where} is {shown}.", _allowed(kind))


def _walked(value: Any, path: str) -> tuple[list[str | int], inspect.Type, Any]:
    """The steps of a path of msgspec, the type that is wanted there and what stands there.

    It tells any value of a dict as `[...]`: the first that does not fit is meant.
    """
    kind: inspect.Type = inspect.type_info(Case)
    steps: list[str | int] = []
    for one in _STEP.finditer(path):
        kind = _one(kind)
        if isinstance(kind, inspect.DictType):
            wanted = Policy if isinstance(_one(kind.value_type), inspect.StructType) else Share
            step: str | int = next(name for name, each in value.items() if not _fits(each, wanted))
            kind = kind.value_type
        elif isinstance(kind, inspect.StructType):
            step = one[1]
            kind = {field.encode_name: field.type for field in kind.fields}[step]
        else:
            step = int(one[2])
            kind = kind.item_type  # type: ignore[attr-defined]
        value = value[step]
        steps.append(step)
    return steps, kind, value


def _path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _fits(value: object, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True


def _names(kind: inspect.Type, value: Any) -> str:
    """Which names a dict may have, and the first that it may not."""
    within = _one(kind)
    names = _one(within.key_type) if isinstance(within, inspect.DictType) else within
    allowed = names.values if isinstance(names, inspect.LiteralType) else None
    odd = next((name for name in value if (name not in allowed if allowed else not _fits(name, Id))), "")
    return f"{_allowed(names)[:-1]}; {odd[:_LONGEST_SHOWN]!r} stands there."


def _one(kind: inspect.Type) -> inspect.Type:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        structs = [one for one in kind.types if isinstance(one, inspect.StructType)]
        return structs[0] if structs else kind.types[0]
    return kind


def _allowed(kind: inspect.Type) -> str:
    """What may stand in a place of this type, as a sentence."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    parts = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    unknown = " null where it is not known" if any(isinstance(part, inspect.NoneType) for part in parts) else ""
    if any(isinstance(part, inspect.StructType) and part.cls is Between for part in parts):
        return (
            "An amount is a whole number of minor units from 0 to 10,000,000,000,000 (50000 is 500.00), null where it "
            'is not known, or {"low_minor": 40000, "high_minor": 60000} where it lies between two.'
        )
    first = next((part for part in parts if not isinstance(part, inspect.NoneType)), kind)
    match first:
        case inspect.LiteralType(values=values):
            said = f"Allowed: {', '.join(str(value) for value in values if value != '')}"
        case inspect.DateType():
            said = "A day is written 2026-05-31"
        case inspect.IntType(ge=low, le=high):
            said = "A whole number" + _bounds(low, high)
        case inspect.FloatType(ge=low, le=high):
            said = "A number" + _bounds(low, high) + "; a rate or share of 24 % is 0.24"
        case inspect.StructType(fields=fields):
            said = f"An object of {', '.join(field.encode_name for field in fields)}"
        case inspect.VarTupleType(min_length=least, max_length=most):
            said = f"A list of {'' if least == most else 'at most '}{most}"
        case inspect.BoolType():
            said = "true or false"
        case inspect.StrType(max_length=most):
            said = f"A text of 1 to {most} characters without control characters" if most else "Capitals, such as CNY"
        case _:
            return "See the schema of a case."
    return f"{said}{',' + unknown if unknown else ''}."


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f" from {low:,}" + (f" to {high:,}" if high is not None else " on")


# -------------------------------------------------------------------------------------------------- what cannot be true


@dataclass(frozen=True, slots=True)
class _Part:
    path: str
    value: object


def _parts(value: object, path: str = "") -> Iterator[_Part]:
    """A case and everything in it, with where it stands."""
    yield _Part(path, value)
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _parts(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for place, one in enumerate(value):
            yield from _parts(one, f"{path}[{place}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _parts(one, f"{path}.{name}")


def _hold(case: Case, place: Place) -> None:
    """Raises InvalidInput on what no household can have."""
    if not _FIRST_AS_OF <= case.as_of <= _LAST_AS_OF:
        raise InvalidInput(
            f"{place('as_of')} is {case.as_of}; it is from {_FIRST_AS_OF} to {_LAST_AS_OF}.",
            "It is the day on which the facts of the case are known.",
        )
    for part in _parts(case):
        match part.value:
            case date() as day if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise InvalidInput(
                    f"{place(part.path)} is {day}; days are from {FIRST_YEAR} to {LAST_YEAR}.", "Is the year mistyped?"
                )
            case Between(low_minor=low, high_minor=high) if low > high:
                raise InvalidInput(
                    f"{place(part.path)} lies between {low} and {high}; the lower amount comes first.",
                    f'Write {{"low_minor": {high}, "high_minor": {low}}}.',
                )
    for name, ids in (
        ("debts", [debt.id for debt in case.debts]),
        ("household.incomes", [income.id for income in case.household.incomes]),
    ):
        for number, one in enumerate(ids):
            if one in ids[:number]:
                raise InvalidInput(
                    f"{place(f'{name}[{number}].id')} is {one!r}, as is that of {name}[{ids.index(one)}].",
                    "Each has an id of its own; leave out what stands there twice.",
                )
    for number, income in enumerate(case.household.incomes):
        if income.from_on and income.until_on and income.until_on < income.from_on:
            raise InvalidInput(
                f"{place(f'household.incomes[{number}].until_on')} is {income.until_on}, before `from_on`, "
                f"{income.from_on}.",
                "`from_on` is its first day, `until_on` its last; leave out what has no end.",
            )
    _hold_policies(case, place)


def _hold_policies(case: Case, place: Place) -> None:
    for creditor, policy in case.policies.items():
        roles = [one.role for one in policy.authority]
        if doubled := next((role for number, role in enumerate(roles) if role in roles[:number]), None):
            raise InvalidInput(
                f"{place(f'policies.{creditor}.authority')} gives the role {doubled!r} two authorities.",
                "A role has one: the most it may waive of a debt.",
            )
