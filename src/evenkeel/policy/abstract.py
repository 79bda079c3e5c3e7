"""What a policy is read over, when not over single values: columns (vector), or all applicants at once (check).

`walk` knows DMN and FEEL; an `Algebra` knows what a value is. It has two kinds of them: `Finite`, which takes one of
the listed values, and `Open`, a number, date or text of which only pieces between constants are told apart (`atoms`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evenkeel.policy.dmn.model import Expression, HitPolicy
from evenkeel.policy.feel.nodes import Node, Parameter
from evenkeel.policy.feel.values import Value

NUMERIC = ("min", "max", "floor", "ceiling", "abs")  # functions that an algebra may know over numbers


class Outside(Exception):  # noqa: N818 - not a fault: the reading goes on by other means
    """What an algebra cannot say; the message names the expression."""


class Finite:
    """A value that is one of `values`; the list may grow while columns are read, and never changes otherwise."""

    values: Sequence[Value]


class Open:
    """A number, date or text ("string") that is known by pieces only."""

    kind: str


@dataclass(frozen=True, slots=True)
class Struct:
    """A context whose entries are read apart. perhaps_null: it may be null as a whole, and then all entries are."""

    entries: Mapping[str, Abstract]
    perhaps_null: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """A function to be written out where it is called."""

    parameters: tuple[Parameter, ...]
    result: str
    body: Expression | Node | None
    scope: Mapping[str, Abstract]


Abstract = Finite | Open | Struct | Closure
Scope = Mapping[str, Abstract]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its value, and the pieces into which the constants of its cells cut it."""

    value: Abstract
    cut: Finite | None


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a cell holds: where `holds` says so of its column's value."""

    column: Finite
    holds: Callable[[Value], bool]


class Algebra(Protocol):
    """What a walk needs of a kind of values."""

    def constant(self, value: Value) -> Finite:
        """One value everywhere."""
        ...

    def cut(self, value: Open, constants: frozenset[Value]) -> Finite:
        """The piece between constants, as the value that stands for it."""
        ...

    def lift(self, call: Callable[..., Value], operands: Sequence[Finite]) -> Finite:
        """A function of finite values."""
        ...

    def number(self, value: Finite) -> Open:
        """A finite value as a number; what is no number is null."""
        ...

    def arithmetic(self, operator: str, operands: Sequence[Open]) -> Open:
        """`+ - * /`, negation as "neg", and the functions of NUMERIC; null where an operand is."""
        ...

    def compare(self, operator: str, left: Open, right: Open) -> Finite:
        """A comparison of two numbers: true, false or null."""
        ...

    def choose(self, which: Finite, pick: Callable[[Value], int], options: Sequence[Abstract]) -> Abstract:
        """Of options, all finite or all open, the one that `pick` says."""
        ...

    def hits(self, rules: Sequence[Sequence[Condition]], policy: HitPolicy, rank: Sequence[object]) -> Finite:
        """The rules that decide, as tuples of places from 0; by `HitPolicy` at most one, SEVERAL where that fails.

        rank: for PRIORITY a key a rule, the lowest first; for ANY equal where two rules give the same.
        """
        ...
