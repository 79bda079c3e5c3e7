"""The search for a real applicant whom a missing fact helps: drawn near the policy's constants, run both ways."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from evenkeel.policy.atoms import atoms
from evenkeel.policy.feel.nodes import Literal, Node, children
from evenkeel.policy.feel.values import Date, Value
from evenkeel.policy.inputs import ProgramInput
from evenkeel.policy.outcomes import FAVOURABLE, OUTCOMES
from evenkeel.policy.program import Program, Result

_FEW = 8
_DRAWS = 4_096
_SLOW_DRAWS = 400  # where decisions are run row by row
_MOST_TRIES = 60  # applicants whom the interpreter is asked about
_WIDE = Decimal(10) ** 7  # how far a domain without ends is drawn from


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is known of an applicant to be found: inputs with the value that stands for a piece, and all constants."""

    fixed: Mapping[str, Value]
    constants: Mapping[str, Sequence[Value]]


Verdict = Callable[[Result, Result], str]


def attacked(
    program: Program, removed: str, pieces: Pieces | None, verdict: Verdict, seed: int = 1
) -> tuple[Mapping[str, Value], Result, Result] | None:
    """An applicant with and without one fact for whom `verdict` names a broken rule; the same one for the same policy.

    pieces: where to look; None looks everywhere in the domains.
    """
    where = pieces or Pieces({}, dict.fromkeys((item.name for item in program.inputs), literals(program)))
    fallback = None
    for facts in _applicants(program, removed, where, random.Random(seed)):  # noqa: S311 - a search, not a secret
        if facts[removed] is None:
            continue
        before, after = program.decide(facts), program.decide({**facts, removed: None})
        if verdict(before, after) and before.outcome != after.outcome:
            return facts, before, after
        if verdict(before, after):
            fallback = fallback or (facts, before, after)
            if pieces is not None:
                break
    return fallback


def _applicants(program: Program, removed: str, where: Pieces, draw: random.Random) -> Iterator[dict[str, Value]]:
    """Applicants to try: first a few as they are drawn, then the suspicious ones of many."""
    slow = bool(program.interpreted)
    for place in range(_SLOW_DRAWS if slow else _FEW):
        yield applicant(program, where, draw, place, removed)
    if not slow:
        many = [applicant(program, where, draw, place, removed) for place in range(1, _DRAWS + 1)]
        yield from _suspects(program, many, removed)[:_MOST_TRIES]


def applicants(program: Program, where: Pieces, count: int, seed: int = 1) -> Iterator[dict[str, Value]]:
    """Some applicants of the same pieces, the same ones every time."""
    draw = random.Random(seed)  # noqa: S311 - a search, not a secret
    for place in range(count):
        yield {item.name: _drawn(item, where, draw, 2 * place, True) for item in program.inputs}


def applicant(program: Program, where: Pieces, draw: random.Random, place: int, known: str = "") -> dict[str, Value]:
    """The facts of one applicant; those of place 0 are the values that stand for their pieces. known: is not null."""
    return {item.name: _drawn(item, where, draw, place, item.name == known) for item in program.inputs}


def _suspects(program: Program, applicants: list[dict[str, Value]], removed: str) -> list[dict[str, Value]]:
    """Those for whom something favourable, or a lowering, comes out without the fact; changes of outcome first."""
    columns = {item.name: _column([facts[item.name] for facts in applicants]) for item in program.inputs}
    ages = {item.name: np.zeros(len(applicants)) for item in program.inputs}
    given = program.evaluate(columns, ages)
    without = program.evaluate({**columns, removed: np.full(len(applicants), None, object)}, ages)
    counts = np.array([word in FAVOURABLE or word == "lower" for word in OUTCOMES])
    order = np.argsort(given.outcome == without.outcome, kind="stable")
    return [applicants[int(place)] for place in order if counts[without.outcome[place]]]


def _column(values: list[Value]) -> npt.NDArray[np.object_]:
    column = np.empty(len(values), object)
    column[:] = values
    return column


def literals(program: Program) -> tuple[Value, ...]:
    """Every constant that stands in the policy."""
    found: set[Value] = set()

    def gather(value: object) -> None:
        if isinstance(value, Literal):
            if isinstance(value.value, Decimal | Date | str):
                found.add(value.value)
        elif isinstance(value, Node):
            for child in children(value):
                gather(child)
        elif isinstance(value, tuple):
            for part in value:
                gather(part)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                gather(getattr(value, name))

    gather(program.model.decisions)
    gather(program.model.knowledge)
    gather(program.model.items)
    return tuple(sorted(found, key=lambda one: (type(one).__name__, str(one))))


def _drawn(item: ProgramInput, where: Pieces, draw: random.Random, place: int, known: bool) -> Value:
    """A value of an input, out of its piece where that is fixed. known: null is not drawn."""
    fixed = item.name in where.fixed
    if fixed and (where.fixed[item.name] is None or item.type not in ("number", "date")):
        return where.fixed[item.name]
    if place % 2 and not fixed and not known and draw.random() < 0.05:
        return None
    if item.choices:
        return where.fixed[item.name] if fixed else draw.choice(item.choices)
    made = atoms(item.type, where.constants.get(item.name, ())) if item.type in ("number", "date", "string") else None
    if made is None:
        return None
    for _ in range(8):
        value = where.fixed[item.name] if fixed else draw.choice(made.values[:-1])
        if item.type == "number" and isinstance(value, Decimal) and place:
            value = _near(value, made.constants, draw)
        if item.admits(value):
            return value
    return where.fixed[item.name] if fixed else None


def _near(value: Value, constants: Sequence[Value], draw: random.Random) -> Decimal:
    """Another number of the same piece: of two constants between them, beyond the last far out at times."""
    assert isinstance(value, Decimal)  # noqa: S101 - by the caller
    place = bisect_left(constants, value)  # type: ignore[type-var]  # numbers, as the kind says
    if place < len(constants) and constants[place] == value:
        return value
    low = constants[place - 1] if place else value - _WIDE
    high = constants[place] if place < len(constants) else value + _WIDE
    assert isinstance(low, Decimal) and isinstance(high, Decimal)  # noqa: S101 - by the kind
    share = Decimal(repr(draw.choice((draw.random(), 10 ** draw.uniform(-9, 0), 1 - 10 ** draw.uniform(-9, 0)))))
    found = low + (high - low) * share
    whole = found.to_integral_value()
    return whole if low < whole < high and draw.random() < 0.7 else found if low < found < high else value
