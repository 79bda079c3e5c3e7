"""Values as text: what `string()` gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from evenkeel.policy.feel.temporal import temporal_text
from evenkeel.policy.feel.values import Function, Range, Value

_MOST_CHARACTERS = 1_000_000


def number_text(value: Decimal) -> str:
    """All digits of a number, without an exponent; a whole number without a point."""
    text = f"{value:f}"
    if value == value.to_integral_value():
        text = text.partition(".")[0]
    return text if value else "0"


def text_of(value: Value, nested: bool = False) -> str:
    """The text of a value; within lists and contexts strings are quoted. Long texts of lists end in `...`."""
    if isinstance(value, str) and not nested:
        return value
    parts: list[str] = []
    left = _MOST_CHARACTERS
    for part in _parts(value):
        parts.append(part)
        left -= len(part)
        if left < 0:
            return "".join(parts) + "..."
    return "".join(parts)


def _parts(value: Value) -> Iterator[str]:
    match value:
        case None:
            yield "null"
        case bool():
            yield "true" if value else "false"
        case Decimal():
            yield number_text(value)
        case str():
            yield quoted(value)
        case list():
            yield from _enclosed("[", [("", item) for item in value], "]")
        case dict():
            yield from _enclosed("{", [(f"{_key(key)}: ", item) for key, item in value.items()], "}")
        case Range():
            yield "[" if value.low_closed else "("
            yield from () if value.low is None else _parts(value.low)
            yield ".."
            yield from () if value.high is None else _parts(value.high)
            yield "]" if value.high_closed else ")"
        case Function():
            yield f"function({', '.join(value.parameters)})"
        case _:
            yield str(temporal_text(value))


def _enclosed(opening: str, items: Iterable[tuple[str, Value]], closing: str) -> Iterator[str]:
    yield opening
    for place, (label, item) in enumerate(items):
        yield f"{', ' if place else ''}{label}"
        yield from _parts(item)
    yield closing


def _key(key: str) -> str:
    return key if key.replace("_", "a").isalnum() else quoted(key)


def quoted(text: str) -> str:
    """A string as a FEEL literal."""
    plain = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{plain}"'
