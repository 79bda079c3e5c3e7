"""Values of a case file, read exactly; what is not understood exactly is `Unsupported`, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput

Record = Mapping[str, Any]
_T = TypeVar("_T")

MOST_MINOR = 10**12  # ten thousand million; two decimals of it are exact in the numbers that a file is written in
_MOST_WHOLE = 10_000
_MOST_PERCENT = 1000
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2200, 12, 31)


class Unsupported(Exception):  # noqa: N818 - what it says of a case
    """A case that cannot be computed with certainty; the message says why."""


def known(record: Record, names: Iterable[str], where: str) -> None:
    """Raises Unsupported if a record holds a value under a name that is not among those understood."""
    unknown = sorted(name for name, value in record.items() if value is not None and name not in set(names))
    if unknown:
        raise Unsupported(f"{where} has {', '.join(f'`{name}`' for name in unknown)}, which is not understood.")


def given(record: Record, name: str, where: str) -> Any:
    """A value that must be there."""
    value = record.get(name)
    if value is None:
        raise Unsupported(f"{where} lacks `{name}`.")
    return value


def records_of(record: Record, name: str, where: str) -> list[Record]:
    """A list of one or more tables of fields."""
    found = given(record, name, where)
    if not isinstance(found, list) or not found or not all(isinstance(one, Mapping) for one in found):
        raise Unsupported(f"{where}: `{name}` is no list of tables of fields.")
    return found


def inputs_of(case: Record) -> Record:
    """The inputs of a case."""
    inputs = given(case, "inputs", "the case")
    if not isinstance(inputs, Mapping):
        raise Unsupported("the case's `inputs` are no table of fields.")
    return inputs


def one_of(record: Record, name: str, meanings: Mapping[str, _T], where: str) -> _T:
    """What a word means."""
    value = given(record, name, where)
    if not isinstance(value, str) or value not in meanings:
        raise Unsupported(f"{where}: `{name}` is {value!r}, which is not understood; known are {', '.join(meanings)}.")
    return meanings[value]


def number(record: Record, name: str, where: str) -> Fraction:
    """A number, exactly as it is written."""
    value = given(record, name, where)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError
        return Fraction(str(value))
    except ValueError:  # NaN and infinities too
        raise Unsupported(f"{where}: `{name}` is {value!r}, which is no number.") from None


def minor(record: Record, name: str, where: str) -> int:
    """An amount above 0, given in major units with at most two decimals."""
    value = number(record, name, where) * 100
    if value.denominator != 1 or not 0 < value <= MOST_MINOR:
        raise Unsupported(
            f"{where}: `{name}` is {record[name]!r}; an amount is above 0, has at most two decimals and is at most "
            f"{MOST_MINOR // 100}."
        )
    return value.numerator


def rate(record: Record, name: str, where: str) -> Fraction:
    """A rate a year, given in percent."""
    value = number(record, name, where)
    if not 0 <= value <= _MOST_PERCENT:
        raise Unsupported(f"{where}: `{name}` is {record[name]!r}; a rate is from 0 to {_MOST_PERCENT} percent.")
    return value / 100


def whole(record: Record, name: str, where: str, least: int = 0) -> int:
    """A whole number, `least` or more."""
    value = number(record, name, where)
    if value.denominator != 1 or not least <= value <= _MOST_WHOLE:
        raise Unsupported(
            f"{where}: `{name}` is {record[name]!r}, which is no whole number from {least} to {_MOST_WHOLE}."
        )
    return value.numerator


def day(record: Record, name: str, where: str) -> date:
    """A date."""
    value = given(record, name, where)
    try:
        found = parse_date(value) if isinstance(value, str) else None
    except InvalidInput:
        found = None
    if found is None or not _FIRST_DAY <= found <= _LAST_DAY:
        raise Unsupported(f"{where}: `{name}` is {value!r}, which is no date from {_FIRST_DAY} to {_LAST_DAY}.")
    return found


def major(amount_minor: int) -> float:
    """An amount as the files write it; the decimal that is printed is exact."""
    return amount_minor / 100


State = dict[str, Any]


def agreed(runs: Mapping[bool, Sequence[Sequence[State]]], questions: Iterable[str]) -> list[State]:
    """The states that all ways of reading a case give.

    runs: by whether late principal is charged up to the business date, or only up to the last thing done. Where only
    that makes a difference to a state before the last, this state is left out and says why.
    Raises Unsupported where the ways differ otherwise.
    """
    first = runs[False][0]
    if any(run != first for run in runs[False]):
        open_ = " or ".join(question for question in questions if question)
        raise Unsupported(f"the numbers depend on what the file does not say: {open_}.")
    why = "the state depends on the day up to which late principal is charged, which the file does not say."
    sure = [all(run[place] == state for run in runs[True]) for place, state in enumerate(first)]
    if not sure[-1]:
        raise Unsupported(why)
    states = zip(sure, first, strict=True)
    return [
        {"after_events": place, **(state if certain else {"why": why})}
        for place, (certain, state) in enumerate(states, 1)
    ]
