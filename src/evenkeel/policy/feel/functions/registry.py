"""How a built-in function is declared, found and called: its parameters' names, kinds and conversions.

A function that cannot answer raises NoAnswer; its call is then null, and the reason is kept beside the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from evenkeel.policy.feel.values import Value, kind


class NoAnswer(Exception):  # noqa: N818 - it becomes null, FEEL's answer to what has none
    """An operation on values that it is not defined for; the message says which."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """name: as named calls use it. kinds: FEEL types that may be given, empty for any. repeated: takes all the rest."""

    name: str
    kinds: tuple[str, ...]
    optional: bool
    repeated: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function."""

    name: str
    parameters: tuple[Parameter, ...]
    call: Callable[..., Value]

    def fits(self, count: int) -> bool:
        """Whether it may be called with this many arguments."""
        least = sum(not parameter.optional for parameter in self.parameters)
        repeated = any(parameter.repeated for parameter in self.parameters)
        return least <= count and (repeated or count <= len(self.parameters))


FUNCTIONS: dict[str, list[Signature]] = {}


def function(name: str, *parameters: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Declare a built-in. A parameter is "name: kind|kind"; "name?: kind" may be left out, "name...: kind" repeats."""

    def declare(call: Callable[..., Value]) -> Callable[..., Value]:
        FUNCTIONS.setdefault(name, []).append(Signature(name, tuple(map(_parameter, parameters)), call))
        return call

    return declare


def _parameter(text: str) -> Parameter:
    name, _, kinds = text.partition(": ")
    allowed = () if kinds in ("", "any") else tuple(kinds.split("|"))
    return Parameter(name.removesuffix("...").removesuffix("?"), allowed, name.endswith("?"), name.endswith("..."))


def call_positional(name: str, arguments: Sequence[Value]) -> Value:
    """Call a built-in by position. Raises NoAnswer where no form takes these arguments."""
    fitting = [signature for signature in FUNCTIONS[name] if signature.fits(len(arguments))]
    if not fitting:
        raise NoAnswer(f"{name} is not called with {len(arguments)} arguments")
    return _first(fitting, [list(arguments)] * len(fitting))


def call_named(name: str, arguments: dict[str, Value]) -> Value:
    """Call a built-in by the names of its parameters. Raises NoAnswer where no form has these."""
    fitting: list[Signature] = []
    given: list[list[Value]] = []
    for signature in FUNCTIONS[name]:
        names = [parameter.name for parameter in signature.parameters]
        needed = {parameter.name for parameter in signature.parameters if not parameter.optional}
        if needed <= arguments.keys() <= set(names):
            fitting.append(signature)
            last = max((names.index(argument) for argument in arguments), default=-1)
            given.append([arguments.get(each) for each in names[: last + 1]])
    if not fitting:
        raise NoAnswer(f"{name} has no parameters {', '.join(arguments)}")
    return _first(fitting, given)


def _first(signatures: Sequence[Signature], given: Sequence[list[Value]]) -> Value:
    """The answer of the first form whose kinds take the arguments; else why the last does not."""
    problem = NoAnswer("")
    for signature, arguments in zip(signatures, given, strict=True):
        try:
            taken = _taken(signature, arguments)
        except NoAnswer as refused:
            problem = refused
            continue
        try:
            return signature.call(*taken)
        except (InvalidOperation, ArithmeticError):
            raise NoAnswer(f"{signature.name} has no number as its answer") from None
    raise problem


def _taken(signature: Signature, arguments: Sequence[Value]) -> list[Value]:
    taken: list[Value] = []
    for place, value in enumerate(arguments):
        parameter = signature.parameters[min(place, len(signature.parameters) - 1)]
        taken.append(_converted(signature.name, parameter, value))
    return taken


def _converted(name: str, parameter: Parameter, value: Value) -> Value:
    """A value as a parameter takes it: a list of one is its item, and an item a list of one, where that is wanted."""
    found = kind(value)
    if not parameter.kinds or found in parameter.kinds:
        return value
    if isinstance(value, list) and len(value) == 1 and kind(value[0]) in parameter.kinds:
        return value[0]
    if "list" in parameter.kinds and value is not None:
        return [value]
    wanted = " or ".join(parameter.kinds)
    raise NoAnswer(f"{name}: {parameter.name} is a {wanted}, not {found}")


def whole(value: Value, what: str) -> int:
    """A number as a whole one, its fraction dropped. Raises NoAnswer on anything else."""
    if not isinstance(value, Decimal):
        raise NoAnswer(f"{what} is a number, not {kind(value)}")
    return int(value)
