"""What a policy says of its inputs, and how a value from outside is held to that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite

import numpy as np

from evenkeel.policy.atoms import cuts, is_constant, orders, parts
from evenkeel.policy.dmn.model import Definitions, InputData
from evenkeel.policy.feel.nodes import INPUT, RangeOf, UnaryTests
from evenkeel.policy.feel.values import Date, Value
from evenkeel.policy.meaning import holds, meaning, reader


@dataclass(frozen=True, slots=True)
class ProgramInput:
    """A fact that the policy reads.

    type: "number", "boolean", "string", "date", or what the file says. low, high: ends of a domain that is one range,
    else None. choices: its values where they are listed. required: whether a favourable outcome must know it.
    max_age_days: older, it is not known; None where age does not matter.
    """

    name: str
    type: str
    low: Decimal | None
    high: Decimal | None
    choices: tuple[Value, ...]
    required: bool
    max_age_days: int | None
    id: str
    tests: tuple[UnaryTests, ...]
    reader: Callable[[object], Value] = field(repr=False, compare=False)

    def admits(self, value: Value) -> bool:
        """Whether a value of the right type lies in the domain."""
        return all(holds(tests, value) for tests in self.tests)

    @property
    def cuts(self) -> frozenset[Value] | None:
        """The constants of the domain; None where it is not made of comparisons with constants."""
        nodes = [cuts(tests, INPUT) for tests in self.tests]
        if any(
            found is None or (self.type == "string" and orders(tests))
            for found, tests in zip(nodes, self.tests, strict=True)
        ):
            return None
        values = [parts(meaning(node, {})) for found in nodes for node in found or ()]
        return frozenset(set[Value]().union(*values))

    def read(self, raw: object) -> Value:
        """A Python value as FEEL's, null where it is of another type or outside the domain."""
        return self.reader(_plain(raw))


def program_input(data: InputData, model: Definitions) -> ProgramInput:
    """What the policy says of an input: its type, followed through its item definitions, and its domain."""
    items = {item.name: item for item in model.items}
    type_name, tests = data.type_ref, list[UnaryTests]()
    seen: set[str] = set()
    while type_name in items and type_name not in seen:
        seen.add(type_name)
        item = items[type_name]
        if item.collection or item.components or item.function:
            tests = []
            break
        tests += [found for found in (item.allowed, item.constraint) if found is not None and not found.anything]
        type_name = item.type_ref
    low, high, choices = _ends(tests[0] if len(tests) == 1 else None, type_name)
    return ProgramInput(
        data.name, type_name, low, high, choices, data.required, data.max_age_days, data.id, tuple(tests),
        reader(model, data.type_ref),
    )  # fmt: skip


def _ends(allowed: UnaryTests | None, type_name: str) -> tuple[Decimal | None, Decimal | None, tuple[Value, ...]]:
    """The ends of a domain that is one range, and the values of one that is a list."""
    if type_name == "boolean":
        return None, None, (True, False)
    if allowed is None or allowed.negated or cuts(allowed, INPUT) is None:
        return None, None, ()
    if len(allowed.tests) == 1 and isinstance(allowed.tests[0], RangeOf):
        low, high = (meaning(end, {}) for end in (allowed.tests[0].low, allowed.tests[0].high))
        return (low if isinstance(low, Decimal) else None), (high if isinstance(high, Decimal) else None), ()
    values = [meaning(test, {}) for test in allowed.tests if is_constant(test) and not isinstance(test, RangeOf)]
    listed = len(values) == len(allowed.tests) and all(isinstance(value, str | Decimal | Date) for value in values)
    return None, None, tuple(values) if listed else ()


def _plain(raw: object) -> object:
    """A Python or NumPy value as the interpreter reads it; a number that is not finite is not known."""
    if isinstance(raw, np.generic):
        raw = raw.item()
    match raw:
        case float():
            return raw if isfinite(raw) else None
        case Decimal():
            return raw if raw.is_finite() else None
        case datetime():
            return raw.isoformat()
        case date():
            return Date(raw.year, raw.month, raw.day)
        case _:
            return raw
