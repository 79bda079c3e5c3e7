"""The pieces into which a policy's constants cut a value: within one piece no test can tell two values apart.

`< 0.02` and `[0.02..0.1)` cut a probability into: below 0.02, 0.02, between, 0.1, above 0.1, and not known. Each piece
has one value that stands for it; what a test says of that value it says of the whole piece. The compiler looks pieces
up, the checks count them, and the proof goes through them, so all three agree with the interpreter by construction.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from evenkeel.policy.feel.nodes import (
    Arithmetic,
    Between,
    Bound,
    Call,
    Comparison,
    ContextOf,
    In,
    ListOf,
    Literal,
    Logic,
    Name,
    Negation,
    Node,
    RangeOf,
    UnaryTests,
    children,
)
from evenkeel.policy.feel.values import Date, Range, Value

OTHER_TEXT = "(any other)"  # stands for every text that no test names

_ORDERED = ("<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Atoms:
    """The pieces of one value. kind: "number", "date" or "string"; constants: sorted, all of this kind.

    `values[code]` stands for piece `code`. A number or date has the code 2i + 1 at constant i and 2i below it; a text
    has the code of its constant, and the last but one where it is none. The last code is null.
    """

    kind: str
    constants: tuple[Value, ...]
    values: tuple[Value, ...]

    @property
    def null(self) -> int:
        """The code of what is not known."""
        return len(self.values) - 1

    def code(self, value: Value) -> int:
        """The piece that a value lies in; a value of another kind is not known."""
        if value is None or _kind(value) != self.kind:
            return self.null
        if self.kind == "string":
            return self.constants.index(value) if value in self.constants else len(self.constants)
        place = bisect_left([_rank(constant) for constant in self.constants], _rank(value))
        return 2 * place + (place < len(self.constants) and self.constants[place] == value)


def atoms(kind: str, constants: Iterable[Value]) -> Atoms:
    """The pieces that constants make; those of another kind cut nothing."""
    kept = sorted({constant for constant in constants if _kind(constant) == kind}, key=_rank)
    if kind == "string":
        return Atoms(kind, tuple(kept), (*kept, OTHER_TEXT, None))
    if not kept:
        return Atoms(kind, (), (Decimal(1) if kind == "number" else Date(2000, 1, 1), None))
    values = [_moved(kept[0], -1)]
    for place, constant in enumerate(kept):
        after = _between(constant, kept[place + 1]) if place + 1 < len(kept) else _moved(constant, 1)
        values += [constant, after]
    return Atoms(kind, tuple(kept), (*values, None))


def kind_of_type(type_name: str) -> str:
    """The kind of a built-in type whose values are cut; empty for a type that is none of these."""
    return type_name if type_name in ("number", "date", "string") else ""


def _kind(value: Value) -> str:
    match value:
        case Decimal():
            return "number"
        case Date():
            return "date"
        case str():
            return "string"
        case _:
            return ""


def _rank(value: Value) -> Decimal | int | str:
    return value.ordinal if isinstance(value, Date) else value  # type: ignore[return-value]  # by _kind


def _moved(value: Value, by: int) -> Value:
    if isinstance(value, Date):
        return Date.of_ordinal(value.ordinal + by)
    assert isinstance(value, Decimal)  # noqa: S101 - by the kind
    return value + by


def _between(low: Value, high: Value) -> Value:
    """A value between two constants, whole where one lies there; between neighbouring days the earlier, for nothing."""
    if isinstance(low, Date) and isinstance(high, Date):
        return Date.of_ordinal((low.ordinal + high.ordinal) // 2)
    assert isinstance(low, Decimal) and isinstance(high, Decimal)  # noqa: S101 - by the kind
    middle = (low + high) / 2
    whole = middle.to_integral_value()
    return whole if low < whole < high else middle


# ---- With what a test compares its input ---------------------------------------------------------------------------


def is_constant(node: object) -> bool:
    """Whether an expression reads no variable: literals, and what is made of them."""
    match node:
        case Literal():
            return True
        case Negation() | ListOf() | RangeOf() | Arithmetic() | Bound() | ContextOf():
            return all(is_constant(child) for child in children(node))
        case Call(function=Name(name=name)) if name in ("date", "time", "date and time", "duration", "number"):
            return all(is_constant(child) for child in children(node)[1:])
        case _:
            return False


def cuts(node: object, name: str) -> tuple[Node, ...] | None:
    """The constants that an expression compares a variable with; None where it does anything else with it.

    A test of a cell that does not read `?` compares it with its own value.
    """
    match node:
        case UnaryTests():
            return _joined(_test_cuts(test, name) for test in node.tests)
        case Comparison() | Between() | In():
            return _comparison_cuts(node, name)
        case Logic():
            return _joined(cuts(child, name) for child in (node.left, node.right))
        case Call(function=Name(name="not"), positional=(operand,)):
            return cuts(operand, name)
        case _:
            return () if is_constant(node) else None


def _test_cuts(test: object, name: str) -> tuple[Node, ...] | None:
    match test:
        case Bound(operand=operand):
            return (operand,) if is_constant(operand) else None
        case RangeOf(low=low, high=high):
            return (low, high) if is_constant(low) and is_constant(high) else None
        case ListOf(items=items):
            return _joined(_test_cuts(item, name) for item in items)
        case Node() if is_constant(test):
            return (test,)
        case _:
            return cuts(test, name)


def _comparison_cuts(node: Comparison | Between | In, name: str) -> tuple[Node, ...] | None:
    match node:
        case Comparison(left=Name(name=left), right=right) if left == name and is_constant(right):
            return (right,)
        case Comparison(left=left, right=Name(name=right)) if right == name and is_constant(left):
            return (left,)
        case Between(value=Name(name=value), low=low, high=high) if value == name:
            return (low, high) if is_constant(low) and is_constant(high) else None
        case In(value=Name(name=value), tests=tests) if value == name:
            return _joined(_test_cuts(test, name) for test in tests)
        case _:
            return () if is_constant(node) else None


def orders(node: object) -> bool:
    """Whether an expression asks which of two values is greater: texts are cut only where none does."""
    match node:
        case Comparison(operator=operator) | Bound(operator=operator) if operator in _ORDERED:
            return True
        case RangeOf() | Between():
            return True
        case _:
            return any(orders(child) for child in children(node))


def _joined(parts: Iterable[tuple[Node, ...] | None]) -> tuple[Node, ...] | None:
    found: list[Node] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found)


def parts(value: Value) -> set[Value]:
    """The constants in a constant: the ends of a range, the items of a list."""
    if isinstance(value, list):
        return set[Value]().union(*(parts(item) for item in value))
    if isinstance(value, Range):
        return {value.low, value.high}
    return set() if isinstance(value, dict) else {value}
