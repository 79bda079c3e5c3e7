"""The types of a DMN file (clause 7.3.3): whether a value is of one, conversions, and facts from outside made typed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal, DecimalException

from evenkeel.policy.dmn.model import Definitions, ItemDefinition
from evenkeel.policy.feel.evaluator import Evaluator
from evenkeel.policy.feel.nodes import UnaryTests
from evenkeel.policy.feel.temporal import parse_date, parse_date_time, parse_duration, parse_time
from evenkeel.policy.feel.types import built_in_name, only_item
from evenkeel.policy.feel.values import MIDNIGHT_UTC, NUMBERS, Date, DateTime, Function, Value, kind

_MOST_DIGITS = 6_000

_FROM_TEXT: Mapping[str, Callable[[str], Value]] = {
    "date": parse_date,
    "time": parse_time,
    "date and time": parse_date_time,
    "days and time duration": parse_duration,
    "years and months duration": parse_duration,
    "boolean": lambda text: {"true": True, "false": False}.get(text),
    "number": lambda text: number_of(text),
}


class Types:
    """The named types of a file, those of its imports as `import.name`; `evaluator` knows them."""

    def __init__(self, definitions: Definitions, evaluator: Evaluator) -> None:
        self._items = dict(_named(definitions))
        self.evaluator = evaluator.among(self.is_of)
        # Each check has work of its own: types outlive a run where columns of a million values are read.
        self._checks = Evaluator(named=self.is_of)

    def item(self, name: str) -> ItemDefinition | None:
        """The item definition of a name; None where it is a built-in type or unknown."""
        return self._items.get(name)

    def is_of(self, name: str, value: Value) -> bool | None:
        """Whether a value is of a named type, its allowed values not asked; None where there is no such type."""
        item = self.item(name)
        if item is None:
            return None
        return value is not None and self._fits(item, value, allowed=False)

    def fits(self, type_ref: str, value: Value, *, allowed: bool = True) -> bool:
        """Whether a value that is not null is of a type, and allowed; an unknown or missing type takes any."""
        item = self.item(type_ref)
        if item is not None:
            return self._fits(item, value, allowed)
        known = built_in_name(type_ref)
        return known in (None, "Any") or kind(value) == known

    def _fits(self, item: ItemDefinition, value: Value, allowed: bool) -> bool:
        if item.collection:
            whole = isinstance(value, list) and all(self._fits_one(item, part, allowed) for part in value)
        else:
            whole = self._fits_one(item, value, allowed)
        return whole and (not allowed or self._passes(item.constraint, value))

    def _fits_one(self, item: ItemDefinition, value: Value, allowed: bool) -> bool:
        if value is None:
            return True
        if item.function is not None:
            fits = isinstance(value, Function) and (
                value.variadic or len(value.parameters) == len(item.function.parameters)
            )
        elif item.components:
            fits = isinstance(value, dict) and all(self._has(value, part, allowed) for part in item.components)
        else:
            fits = self.fits(item.type_ref, value, allowed=allowed)
        return fits and (not allowed or self._passes(item.allowed, value))

    def _has(self, context: Mapping[str, Value], part: ItemDefinition, allowed: bool) -> bool:
        """Whether a context has a component, null or of its type."""
        if part.name not in context:
            return False
        return context[part.name] is None or self._fits(part, context[part.name], allowed)

    def _passes(self, tests: UnaryTests | None, value: Value) -> bool:
        if tests is None:
            return True
        self._checks.restart()
        return self._checks.holds(tests, value) is True

    def converted(self, value: Value, type_ref: str) -> tuple[Value, bool]:
        """A value as one of a type, and whether it can be (clause 10.3.2.9.4).

        null is of any; a list of one becomes its item, an item a list of one, a date its midnight of UTC.
        """
        if value is None or not type_ref or self.fits(type_ref, value):
            return value, True
        alone = only_item(value)
        if alone is not None and self.fits(type_ref, alone):
            return alone, True
        if not isinstance(value, list) and self._is_collection(type_ref) and self.fits(type_ref, [value]):
            return [value], True
        if isinstance(value, Date) and self.fits(type_ref, DateTime(value, MIDNIGHT_UTC)):
            return DateTime(value, MIDNIGHT_UTC), True
        return None, False

    def _is_collection(self, type_ref: str) -> bool:
        item = self.item(type_ref)
        if item is None:
            return built_in_name(type_ref) == "list"
        return item.collection or (not item.components and self._is_collection(item.type_ref))

    # ---- From outside ------------------------------------------------------------------------------------------------

    def typed(self, value: object, type_ref: str) -> Value:
        """A JSON value as FEEL, by the type that is wanted: texts become dates, times, durations, numbers, booleans.

        What does not look like its type is left as it is, for `converted` to refuse. A missing component is null.
        """
        item = self.item(type_ref)
        if isinstance(value, list):
            return [self._typed_one(part, item, type_ref) for part in value]
        return self._typed_one(value, item, type_ref)

    def _typed_one(self, value: object, item: ItemDefinition | None, type_ref: str) -> Value:
        if isinstance(value, list):
            return [self._typed_one(part, item, type_ref) for part in value]
        if isinstance(value, dict):
            parts = {part.name: part for part in (self._components(item) if item else ())}
            given = {str(key): self._typed_part(part, parts.get(str(key))) for key, part in value.items()}
            return {**dict.fromkeys(parts), **given}
        if item is not None and not item.components:
            return self.typed(value, item.type_ref)
        if isinstance(value, str):
            read = _FROM_TEXT.get(built_in_name(type_ref) or "")
            found = read(value.strip()) if read else None
            return value if found is None else found
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = number_of(repr(value) if isinstance(value, float) else str(value))
            return found if found is not None else str(value)
        return value

    def _typed_part(self, value: object, item: ItemDefinition | None) -> Value:
        return self.typed(value, "") if item is None else self._typed_item(value, item)

    def _typed_item(self, value: object, item: ItemDefinition) -> Value:
        if isinstance(value, list):
            return [self._typed_one(part, item, item.type_ref) for part in value]
        return self._typed_one(value, item, item.type_ref)

    def _components(self, item: ItemDefinition) -> tuple[ItemDefinition, ...]:
        """The components of a type, or of the type that it names."""
        for _ in range(20):
            if item.components:
                break
            named = self.item(item.type_ref)
            if named is None:
                break
            item = named
        return item.components


def _named(definitions: Definitions) -> list[tuple[str, ItemDefinition]]:
    found = [(item.name, item) for item in definitions.items]
    for entry in definitions.imports:
        if entry.model is not None:
            imported = _named(entry.model)
            prefix = f"{entry.name}." if entry.name else ""
            names = {name for name, _ in imported}
            found += [(prefix + name, _qualified(item, prefix, names)) for name, item in imported]
    return found


def _qualified(item: ItemDefinition, prefix: str, names: Collection[str]) -> ItemDefinition:
    """An imported type that refers to others by the names that they have here."""
    return replace(
        item,
        type_ref=prefix + item.type_ref if item.type_ref in names else item.type_ref,
        components=tuple(_qualified(part, prefix, names) for part in item.components),
    )


def number_of(text: str) -> Decimal | None:
    """A number from text such as 1200.50 or 1e3; None where it is none."""
    plain = text.strip()
    if len(plain) > _MOST_DIGITS or not plain.isascii() or "_" in plain:
        return None
    try:
        found = NUMBERS.create_decimal(plain)
    except DecimalException:
        return None
    return found if found.is_finite() else None
