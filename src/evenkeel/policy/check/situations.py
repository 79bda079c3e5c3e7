"""A whole policy as one decision diagram: for every kind of applicant the outcome that counts and its amounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, cast

from evenkeel.policy.abstract import Abstract, Finite, Open, Struct
from evenkeel.policy.check.diagrams import Cases, Diagram, Diagrams, Term
from evenkeel.policy.feel.values import Value
from evenkeel.policy.inputs import ProgramInput
from evenkeel.policy.outcomes import AMOUNTS, entry, reasons_of, settled
from evenkeel.policy.program import Program
from evenkeel.policy.walk import Walk

Found = TypeVar("Found")

_MOST_ROUNDS = 20  # of finding constants: each round may meet calculations that the one before did not


@dataclass(frozen=True, slots=True)
class Ending:
    """What stands at an end: the outcome that counts, and its AMOUNTS in order, terms where calculated."""

    outcome: str
    amounts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Situations:
    """A policy's diagram; every end is an Ending."""

    diagrams: Diagrams
    root: int
    reasons: int  # the diagram of (outcome, reasons) as they count


def situations(program: Program) -> Situations:
    """The diagram of a policy. Raises Outside where an expression cannot be said, or there are too many situations."""

    def use(diagrams: Diagrams, walk: Walk) -> Situations:
        root, reasons = _roots(program, diagrams, walk.decision(program.deciding.id))
        return Situations(diagrams, root, reasons)

    return followed(program, use)


def followed(program: Program, use: Callable[[Diagrams, Walk], Found]) -> Found:
    """What `use` makes of a walk, once all constants are known with which calculated numbers are compared."""
    cut_by = {item.name: item.cuts or frozenset() for item in program.inputs}
    for _ in range(_MOST_ROUNDS):
        diagrams = Diagrams(cut_by)
        plans = {item.id: _plan(diagrams, item) for item in program.inputs}
        found = use(diagrams, Walk(program.model, diagrams, {k: plan for k, plan in plans.items() if plan is not None}))
        if not diagrams.grew:
            return found
        cut_by = {key: frozenset(constants) for key, constants in diagrams.cut_by.items()}
    raise AssertionError("constants of a policy are finite")


def _plan(diagrams: Diagrams, item: ProgramInput) -> Abstract | None:
    if item.type == "boolean":
        return diagrams.listed(item.name, (True, False, None))
    if item.type == "string" and item.choices:
        return diagrams.listed(item.name, (*item.choices, None))
    if item.type in ("number", "date", "string"):
        # A domain that cannot be cut leaves every piece in: more applicants than there are, never fewer.
        return diagrams.input(item.name, item.type, item.admits if item.cuts is not None else None)
    return None


def _roots(program: Program, diagrams: Diagrams, given: Abstract) -> tuple[int, int]:
    outcome, reasons = (_entry(diagrams, given, name).root for name in ("outcome", "reasons"))
    amounts = []
    for name in AMOUNTS:
        found = _entry(diagrams, given, name)
        known = diagrams.cut(found, frozenset()) if isinstance(found, Open) else found
        amounts += [found.root, cast("Diagram", known).root]

    def amounts_at(ends: tuple[int, ...]) -> tuple[tuple[Value, ...], dict[str, Value]]:
        """Amounts as they are known, and with some number in place of what is calculated."""
        values = [diagrams.value_of(end) for end in ends]
        known = tuple(v if shown is not None else None for v, shown in zip(values[::2], values[1::2], strict=True))
        return known, {name: Decimal(1) if isinstance(v, Term) else v for name, v in zip(AMOUNTS, known, strict=True)}

    def ending(word: int, *ends: int) -> int:
        known, sure = amounts_at(ends)
        return diagrams.end(Ending(settled(program.kind, diagrams.value_of(word), sure), known))

    def explained(word: int, why: int, *ends: int) -> int:
        said, sure = diagrams.value_of(word), amounts_at(ends)[1]
        given = reasons_of(program.kind, said, diagrams.value_of(why), sure)
        return diagrams.end((settled(program.kind, said, sure), given))

    return diagrams.combined(ending, (outcome, *amounts)), diagrams.combined(explained, (outcome, reasons, *amounts))


def _entry(diagrams: Diagrams, given: Abstract, name: str) -> Diagram | Cases:
    if isinstance(given, Struct):
        return cast("Diagram | Cases", given.entries.get(name, diagrams.constant(None)))
    if isinstance(given, Open):
        return cast("Diagram", diagrams.constant(None))
    return cast("Diagram", diagrams.lift(lambda value: entry(value, name), [cast("Finite", given)]))
