"""Whether a value is of a type, and the conversions between types (DMN 1.5, clauses 10.3.2.9 and 10.3.2.10)."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.values import MIDNIGHT_UTC, Date, DateTime, Function, Range, Value, kind

ANY = n.NamedType("Any")
_OLD_NAMES = {"dayTimeDuration": "days and time duration", "yearMonthDuration": "years and months duration",
              "dateTime": "date and time", "days and time duration": "days and time duration"}  # fmt: skip
BUILT_IN = frozenset(
    ["number", "string", "boolean", "date", "time", "date and time", "days and time duration",
     "years and months duration", "context", "list", "range", "function"]
)  # fmt: skip


def built_in_name(name: str) -> str | None:
    """The name of a built-in type, or None; the words of DMN 1.1 are known too."""
    name = _OLD_NAMES.get(name, name)
    return name if name in BUILT_IN or name in ("Any", "Null") else None


def is_instance(value: Value, type_: n.Type, named: Callable[[str, Value], bool | None]) -> bool | None:
    """Whether a value is of a type; null is of the type Null alone.

    named: whether a value is of a type of the model, or None where the model has no such.
    """
    if value is None:
        return type_ == n.NamedType("Null")
    match type_:
        case n.NamedType(name):
            known = built_in_name(name)
            if known is None:
                return named(name, value)
            return known == "Any" or kind(value) == known
        case n.ListType(of):
            return isinstance(value, list) and all(_part(item, of, named) for item in value)
        case n.RangeType(of):
            return isinstance(value, Range) and all(_part(end, of, named) for end in (value.low, value.high))
        case n.ContextType(fields):
            return isinstance(value, dict) and all(
                name in value and _part(value[name], field, named) for name, field in fields
            )
        case n.FunctionType(parameters, _):
            return isinstance(value, Function) and _takes(value, parameters)


def _takes(function: Function, parameters: tuple[n.Type, ...]) -> bool:
    """Whether a function takes arguments of these types; what it gives is known by calling it alone."""
    if len(function.parameters) != len(parameters):
        return False
    return all(own is None or conforms(asked, own) for asked, own in zip(parameters, function.types, strict=False))


def conforms(type_: n.Type, to: n.Type) -> bool:
    """Whether values of a type are of another (clause 10.3.2.9.3); types that the model names pass for any."""
    type_, to = _spelt_out(type_), _spelt_out(to)
    match type_, to:
        case _ if type_ == to or to == ANY:
            return True
        case (n.ListType(own), n.ListType(asked)) | (n.RangeType(own), n.RangeType(asked)):
            return conforms(own, asked)
        case n.ContextType(own), n.ContextType(asked):
            has = dict(own)
            return all(name in has and conforms(has[name], field) for name, field in asked)
        case n.FunctionType(takes, gives), n.FunctionType(given, wanted):
            fits = len(takes) == len(given) and all(map(conforms, given, takes))
            return fits and conforms(gives, wanted)
        case n.FunctionType(), n.NamedType("function"):
            return True
        case _:
            return any(isinstance(each, n.NamedType) and built_in_name(each.name) is None for each in (type_, to))


def _spelt_out(type_: n.Type) -> n.Type:
    """A built-in type by the name of today, and `list`, `range` and `context` with what they are of."""
    if not isinstance(type_, n.NamedType):
        return type_
    wide: dict[str, n.Type] = {"list": n.ListType(ANY), "range": n.RangeType(ANY), "context": n.ContextType(())}
    name = built_in_name(type_.name) or type_.name
    return wide.get(name, n.NamedType(name))


def _part(value: Value, type_: n.Type, named: Callable[[str, Value], bool | None]) -> bool:
    return value is None or type_ == ANY or is_instance(value, type_, named) is True


def only_item(value: Value) -> Value:
    """The item of a list of one, out of every list of one that it lies in; null of anything else."""
    if not isinstance(value, list):
        return None
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if isinstance(value, list) else value


def converted(value: Value, type_: n.Type | None, named: Callable[[str, Value], bool | None]) -> tuple[Value, bool]:
    """A value as one of a type, and whether it can be: null always; a list of one as its item and the reverse."""
    if value is None or type_ is None or type_ == ANY or is_instance(value, type_, named) is True:
        return value, True
    alone = only_item(value)
    if alone is not None and is_instance(alone, type_, named) is True:
        return alone, True
    if not isinstance(value, list) and is_instance([value], type_, named) is True:
        return [value], True
    if isinstance(value, Date) and type_ == n.NamedType("date and time"):
        return DateTime(value, MIDNIGHT_UTC), True
    return None, False
