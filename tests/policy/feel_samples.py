"""What the tests of FEEL share: a value of a text, and a table of texts that must mean the same."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.policy.feel.evaluator import NOTHING, Evaluator
from evenkeel.policy.feel.parser import parse_expression, parse_tests
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import Value


def value(text: str, **variables: Value) -> Value:
    """The value of an expression; names of variables may have spaces, given with underscores."""
    named = {name.replace("_", " "): given for name, given in variables.items()}
    return Evaluator().evaluate(parse_expression(text, named), NOTHING.with_values(named))


def messages(text: str) -> list[str]:
    """Why an expression is null."""
    evaluator = Evaluator()
    assert evaluator.evaluate(parse_expression(text)) is None
    return evaluator.messages


def holds(tests: str, given: Value, **variables: Value) -> bool | None:
    """Whether a value passes the tests of a cell."""
    return Evaluator().holds(parse_tests(tests, variables), given, NOTHING.with_values(variables))


def assert_table(table: str) -> None:
    """Each line is `expression => expression`; both must have the same value, of the same kind."""
    for line in table.strip().splitlines():
        expression, wanted = line.split(" => ")
        found = value(expression.strip())
        assert text_of(found, nested=True) == text_of(value(wanted.strip()), nested=True), expression


def number(digits: str) -> Decimal:
    """A number."""
    return Decimal(digits)
