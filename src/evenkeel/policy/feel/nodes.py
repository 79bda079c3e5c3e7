"""The syntax tree of FEEL (DMN 1.5, clause 10.3.1.2): what the parser makes, the evaluator, checks and compiler read.

`at` is the place of a node in its text, in characters from 0; it is not part of what a node is, so two trees that say
the same are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INPUT = "?"  # in a cell: the value of the column's input


@dataclass(frozen=True, slots=True)
class Node:
    """Any expression."""

    at: int = field(default=0, compare=False, kw_only=True)


# ---- Types, as written after `instance of` and in parameters -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedType:
    """A built-in type such as `number` or `date and time`, or an item definition."""

    name: str


@dataclass(frozen=True, slots=True)
class ListType:
    """`list<of>`."""

    of: Type


@dataclass(frozen=True, slots=True)
class RangeType:
    """`range<of>`."""

    of: Type


@dataclass(frozen=True, slots=True)
class ContextType:
    """`context<name: type, ...>`."""

    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class FunctionType:
    """`function<type, ...> -> type`."""

    parameters: tuple[Type, ...]
    result: Type


Type = NamedType | ListType | RangeType | ContextType | FunctionType


# ---- Expressions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, text, boolean, null, or a date, time or duration written as `@"..."`."""

    value: object


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable or function of the scope, or `?` in a cell. Spaces within are single."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ContextOf(Node):
    """`{a: 1, "b c": a + 1}`: an entry sees those before it."""

    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class RangeOf(Node):
    """`[low..high]`, `(low..high)`, `]low..high[`: each end is in or out."""

    low: Node
    high: Node
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Bound(Node):
    """`< x`, `<= x`, `> x`, `>= x`, `= x`, `!= x`: as a test of the input, or as a range with one end where a value."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """`-x`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`+ - * / **`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`= != < <= > >=`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`and`, `or`, in the three-valued logic."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`value between low and high`, both ends in."""

    value: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class In(Node):
    """`value in (test, ...)`: each test as in a cell."""

    value: Node
    tests: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    """`value instance of type`."""

    value: Node
    type: Type


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if condition then positive else negative`."""

    condition: Node
    positive: Node
    negative: Node


@dataclass(frozen=True, slots=True)
class Iteration:
    """`name in source`, or `name in source..until` over whole numbers or days."""

    name: str
    source: Node
    until: Node | None = None


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for x in xs, y in ys return result`; `partial` is the list so far."""

    iterations: tuple[Iteration, ...]
    result: Node


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`some x in xs satisfies condition`, `every ...`."""

    quantifier: str
    iterations: tuple[Iteration, ...]
    condition: Node


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`source[condition]`: by a condition on `item`, or by position from 1 or, negative, from the end."""

    source: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class Path(Node):
    """`source.name`."""

    source: Node
    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function(a, b)` or `function(x: a, y: b)`; one of `positional` and `named` is empty."""

    function: Node
    positional: tuple[Node, ...] = ()
    named: tuple[tuple[str, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A formal parameter; `type` None where any value goes."""

    name: str
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class FunctionOf(Node):
    """`function(a, b: number) body`; `external` where the body is another language's, which is not run."""

    parameters: tuple[Parameter, ...]
    body: Node
    external: bool = False


@dataclass(frozen=True, slots=True)
class Malformed(Node):
    """An expression that could not be read; `message` says where and what was expected. It is null when evaluated."""

    message: str


# ---- Cells ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnaryTests(Node):
    """The content of an input cell, or of allowed values.

    tests: empty for `-`, which holds for anything, null included. Else the cell holds where one of them does.
    A test is a Bound (compared with the input), a RangeOf (holds the input), or an expression: one that reads `?` holds
    where it is true; another where its value equals the input, is a list or range that has it, or is true while the
    input is known and no boolean nor list.
    negated: written `not(...)`: holds where every test is known not to hold.
    """

    tests: tuple[Node, ...]
    negated: bool = False

    @property
    def anything(self) -> bool:
        """Whether the cell is `-`."""
        return not self.tests


def children(node: object) -> tuple[object, ...]:
    """What a node is made of: nodes, iterations and parameters directly below it, in the order of the text."""
    match node:
        case Arithmetic() | Comparison() | Logic():
            return node.left, node.right
        case ListOf():
            return node.items
        case ContextOf():
            return tuple(entry for _, entry in node.entries)
        case RangeOf():
            return node.low, node.high
        case Bound() | Negation():
            return (node.operand,)
        case Between():
            return node.value, node.low, node.high
        case In():
            return node.value, *node.tests
        case InstanceOf():
            return (node.value,)
        case If():
            return node.condition, node.positive, node.negative
        case For():
            return *node.iterations, node.result
        case Quantified():
            return *node.iterations, node.condition
        case Iteration():
            return (node.source,) if node.until is None else (node.source, node.until)
        case Filter():
            return node.source, node.condition
        case Path():
            return (node.source,)
        case Call():
            return node.function, *node.positional, *(value for _, value in node.named)
        case FunctionOf():
            return (node.body,)
        case UnaryTests():
            return node.tests
        case _:
            return ()


def reads(node: object, name: str) -> bool:
    """Whether `name`, such as `?`, occurs as a variable in the tree (a local of the same name counts too)."""
    if isinstance(node, Name):
        return node.name == name
    return any(reads(child, name) for child in children(node))
