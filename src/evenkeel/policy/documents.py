"""FEEL values as JSON documents: numbers without loss, dates and durations as ISO 8601 text."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from evenkeel.policy.dmn.interpreter import Result
from evenkeel.policy.feel.temporal import temporal_text
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import Function, Range, Value

_MOST_PLAIN_DIGITS = 40
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def document_of(value: Value) -> object:
    """A value as JSON has it: whole numbers as int, others as Decimal; functions and ranges as FEEL text."""
    match value:
        case Decimal():
            whole = value.adjusted() < _MOST_PLAIN_DIGITS and value == value.to_integral_value()
            return int(value) if whole else value
        case list():
            return [document_of(item) for item in value]
        case dict():
            return {key: document_of(item) for key, item in value.items()}
        case Range() | Function():
            return text_of(value)
        case _:
            return temporal_text(value) or value


def result_document(result: Result) -> dict[str, object]:
    """A result of CONTRACT 4: outputs by decision, rows that fired, and why something is null, or null."""
    return {
        "outputs": {name: document_of(value) for name, value in result.outputs.items()},
        "rows": {name: list(rows) for name, rows in result.rows.items() if name in result.outputs},
        "error": "; ".join(result.messages) or None,
    }


def json_of(document: object) -> str:
    """JSON text of documents, a decimal written with the digits that it has."""
    return msgspec.json.format(_ENCODER.encode(document), indent=2).decode()


def failed_document(message: str) -> dict[str, object]:
    """The result of a context that could not be evaluated at all."""
    return {"outputs": {}, "rows": {}, "error": message}
