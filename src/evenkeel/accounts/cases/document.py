"""Values of a case file, read exactly; what is not understood exactly is `Unsupported`, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput

Record = Mapping[str, Any]


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


def events_of(case: Record) -> list[Record]:
    """The events of a case."""
    events = given(case, "events", "the case")
    if not isinstance(events, list) or not events or not all(isinstance(event, Mapping) for event in events):
        raise Unsupported("the case's `events` are no list of events.")
    return events


def inputs_of(case: Record) -> Record:
    """The inputs of a case."""
    inputs = given(case, "inputs", "the case")
    if not isinstance(inputs, Mapping):
        raise Unsupported("the case's `inputs` are no table of fields.")
    return inputs


def number(record: Record, name: str, where: str) -> Fraction:
    """A number, exactly as it is written."""
    value = given(record, name, where)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Unsupported(f"{where}: `{name}` is {value!r}, which is no number.")
    try:
        return Fraction(str(value))
    except ValueError:
        raise Unsupported(f"{where}: `{name}` is {value!r}, which is no number.") from None


def minor(record: Record, name: str, where: str) -> int:
    """An amount above 0, given in major units with at most two decimals."""
    value = number(record, name, where) * 100
    if value.denominator != 1 or value <= 0:
        raise Unsupported(f"{where}: `{name}` is {record[name]!r}; an amount is above 0 and has at most two decimals.")
    return value.numerator


def whole(record: Record, name: str, where: str) -> int:
    """A whole number, 0 or more."""
    value = number(record, name, where)
    if value.denominator != 1 or value < 0:
        raise Unsupported(f"{where}: `{name}` is {record[name]!r}, which is no whole number.")
    return value.numerator


def day(record: Record, name: str, where: str) -> date:
    """A date."""
    try:
        return parse_date(str(given(record, name, where)))
    except InvalidInput:
        raise Unsupported(f"{where}: `{name}` is {record[name]!r}, which is no date.") from None


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
