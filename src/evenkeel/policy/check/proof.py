"""The proof that a policy fails closed: what is not known never makes an outcome better, and never lowers a limit.

For every applicant and every fact that is taken away (removed, null, too old, outside its domain):

1. a favourable outcome knows every required input;
2. a favourable outcome without a fact is no better than with it, whatever its value, nor is the same one by a higher
   amount;
3. a limit that is lowered without a fact is lowered with it too, and by no less.

Taking one fact from an applicant of whom others may be missing already is enough: any set is taken away one by one.
The proof walks two applicants through the policy's diagram at once, alike but for the one fact. A pair that breaks a
rule is made concrete and run by the interpreter; what is then no violation, and cannot be excluded, is not proved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evenkeel.policy.abstract import Outside
from evenkeel.policy.check.attack import Pieces, attacked
from evenkeel.policy.check.diagrams import Diagrams, Term
from evenkeel.policy.check.situations import Ending, Situations, situations
from evenkeel.policy.feel.values import Value
from evenkeel.policy.outcomes import AMOUNTS, FAVOURABLE, GOODNESS
from evenkeel.policy.program import Program, Result

_MOST_STEPS = 2_000_000


@dataclass(frozen=True, slots=True)
class Violation:
    """An applicant whom a missing fact helps, or harms by lowering.

    rule: "unknown" (1), "better" (2), "amount" (2 and 3) or "lower" (3). facts: with the fact `removed` among them.
    before, after: what the interpreter decides with and without it.
    """

    rule: str
    removed: str
    facts: Mapping[str, Value]
    before: Result
    after: Result


@dataclass(frozen=True, slots=True)
class Proof:
    """proved: the policy fails closed. violations: it does not. undecided: why neither could be shown."""

    violations: tuple[Violation, ...]
    undecided: tuple[str, ...]

    @property
    def proved(self) -> bool:
        """Whether the policy may be published."""
        return not self.violations and not self.undecided


def prove(program: Program) -> Proof:
    """Prove a policy, or show applicants for whom it does not hold: at most one an input."""
    try:
        found = situations(program)
    except Outside as reason:
        violations = [v for item in program.inputs if (v := _concrete(program, item.name, None)) is not None]
        return Proof(tuple(violations), () if violations else (f"cannot be followed: {reason}",))
    violations, undecided = [], []
    for item in program.inputs:
        try:
            pair = _Search(found, program.kind, item.name, item.required).pair()
        except Outside as reason:
            undecided.append(f"{item.name}: {reason}")
            continue
        if pair is None:
            continue
        violation = _concrete(program, item.name, _pieces(found.diagrams, pair))
        if violation is None:
            undecided.append(f"{item.name}: {_told(pair)}")
        else:
            violations.append(violation)
    return Proof(tuple(violations), tuple(undecided))


def broken(kind: str, required: bool, without: Ending, given: Ending, removed: str) -> str:
    """The rule that two endings break, without and with a fact; empty where none is, "?..." where it may be."""
    goodness = GOODNESS[kind]
    if without.outcome in FAVOURABLE:
        if goodness[given.outcome] < goodness[without.outcome]:
            return "better"
        if required:
            return "unknown"
        if given.outcome == without.outcome:
            return _more(without.amounts, given.amounts, removed)
    if without.outcome == "lower":
        return "lower" if given.outcome != "lower" else _more(given.amounts, without.amounts, removed)
    return ""


def _more(one: Sequence[Value], other: Sequence[Value], removed: str) -> str:
    """ "amount" where one has a higher amount than the other; null is without limit, above any number."""
    found = ""
    for left, right in zip(one, other, strict=True):
        if left == right and not (isinstance(left, Term) and removed in left.inputs):
            continue
        if left is None or (isinstance(left, Decimal) and isinstance(right, Decimal) and left > right):
            return "amount"
        if right is not None and not (isinstance(left, Decimal) and isinstance(right, Decimal)):
            found = "?amount"
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """A variable on the way, and its value without and with the fact."""

    term: Term
    without: Value
    given: Value


@dataclass(frozen=True, slots=True)
class Pair:
    """Two applicants that break a rule, by their way through the diagram."""

    rule: str
    removed: str
    without: Ending
    given: Ending
    way: tuple[Step, ...]


class _Search:
    """All pairs of applicants that are alike but for one fact."""

    def __init__(self, found: Situations, kind: str, removed: str, required: bool) -> None:
        self._diagrams = found.diagrams
        self._root = found.root
        self._kind = kind
        self._removed = removed
        self._required = required
        self._strict = False
        order = self._diagrams.order
        self._level = next((place for place, term in enumerate(order) if term.key == removed), len(order))
        self._moved = frozenset(place for place, term in enumerate(order) if removed in term.inputs)
        self._asked: dict[int, frozenset[int]] = {}
        self._safe: set[tuple[int, int, bool, frozenset[int]]] = set()

    def pair(self) -> Pair | None:
        """A pair that breaks a rule, rather one whose outcome changes; None where none does."""
        for strict in (True, False):
            self._strict = strict
            self._safe.clear()
            found = self._search(self._root, self._root, False, frozenset())
            if found is not None:
                rule, without, given, way = found
                return Pair(rule, self._removed, without, given, tuple(reversed(way)))
        return None

    def _search(
        self, without: int, given: int, split: bool, nulls: frozenset[int]
    ) -> tuple[str, Ending, Ending, list[Step]] | None:
        key = (without, given, split, nulls)
        if key in self._safe or not self._dangerous(without):
            return None
        if len(self._safe) > _MOST_STEPS:
            raise Outside(f"more than {_MOST_STEPS} pairs of situations")
        found = self._looked(without, given, split, nulls)
        if found is None:
            self._safe.add(key)
        return found

    def _looked(
        self, without: int, given: int, split: bool, nulls: frozenset[int]
    ) -> tuple[str, Ending, Ending, list[Step]] | None:
        levels = [level for level in (self._diagrams.level(without), self._diagrams.level(given)) if level >= 0]
        top = min(levels, default=len(self._diagrams.order))
        if not split and top >= self._level:
            split = True
            if top > self._level:  # the fact itself is not asked on this way
                return self._search(without, given, True, nulls)
        if not levels:
            endings = self._ending(without), self._ending(given)
            rule = broken(self._kind, self._required, *endings, self._removed)
            counts = rule and not (self._strict and (rule == "unknown" or rule.startswith("?")))
            return (rule, *endings, []) if counts else None
        if split and without == given and self._strict and not self._asks(without) & self._moved:
            return None  # alike from here on
        for step, after in self._steps(top, nulls):
            below = [self._child(node, top, place) for node, place in zip((without, given), step, strict=True)]
            found = self._search(below[0], below[1], split, after)
            if found is not None:
                values = self._diagrams.pieces[top]
                found[3].append(Step(self._diagrams.order[top], values[step[0]], values[step[1]]))
                return found
        return None

    def _steps(self, top: int, nulls: frozenset[int]) -> list[tuple[tuple[int, int], frozenset[int]]]:
        """Where the two may go at a variable: places of its pieces without and with the fact, and what is null then."""
        order, last = self._diagrams.order, len(self._diagrams.pieces[top]) - 1
        term = order[top]
        if top == self._level:
            return [((last, place), nulls) for place in range(last)]
        if top in self._moved:
            places = range(last, last + 1) if top in nulls else range(last + 1)
            return [((last, place), nulls) for place in places]
        if term.calculated:
            return [((place, place), nulls) for place in (range(last, last + 1) if top in nulls else range(last + 1))]
        below = frozenset(place for place, other in enumerate(order) if other.calculated and term.key in other.inputs)
        return [((place, place), nulls | below if place == last else nulls) for place in range(last + 1)]

    def _child(self, node: int, top: int, place: int) -> int:
        return self._diagrams.children(node)[place] if self._diagrams.level(node) == top else node

    def _ending(self, end: int) -> Ending:
        value = self._diagrams.value_of(end)
        assert isinstance(value, Ending)  # noqa: S101 - as every end of a policy's diagram is
        return value

    def _dangerous(self, node: int) -> bool:
        """Whether a favourable outcome or a lowering can be reached."""
        outcomes = {self._ending(end).outcome for end in self._diagrams.ends(node)}
        return bool(outcomes & FAVOURABLE) or "lower" in outcomes

    def _asks(self, node: int) -> frozenset[int]:
        """The variables that a node and those below it ask."""
        if node not in self._asked:
            level = self._diagrams.level(node)
            below = [] if level < 0 else [self._asks(child) for child in set(self._diagrams.children(node))]
            own = frozenset[int]() if level < 0 else frozenset((level,))
            self._asked[node] = own.union(*below)
        return self._asked[node]


def _pieces(diagrams: Diagrams, pair: Pair) -> Pieces:
    """The way of a pair as pieces of inputs that an attack may draw from."""
    return Pieces(
        {step.term.key: step.given for step in pair.way if not step.term.calculated},
        {key: tuple(constants) for key, constants in diagrams.cut_by.items()},
    )


def _concrete(program: Program, removed: str, pieces: Pieces | None) -> Violation | None:
    """An applicant of whom the interpreter says that a rule is broken."""
    required = next(item.required for item in program.inputs if item.name == removed)

    def verdict(before: Result, after: Result) -> str:
        rule = broken(program.kind, required, ending_of(after), ending_of(before), removed)
        return "" if rule.startswith("?") else rule

    found = attacked(program, removed, pieces, verdict)
    if found is None:
        return None
    facts, before, after = found
    return Violation(verdict(before, after), removed, facts, before, after)


def ending_of(result: Result) -> Ending:
    """What the interpreter decided, as the proof compares it."""
    return Ending(result.outcome, tuple(result.amount(name) for name in AMOUNTS))


def _told(pair: Pair) -> str:
    """Why a pair that could not be made concrete stands in the way."""
    calculated = [step.term.key for step in pair.way if step.term.calculated]
    by = f" by {', '.join(dict.fromkeys(calculated))}" if calculated else ""
    return (
        f"without it the outcome may be {pair.without.outcome} where it is {pair.given.outcome} with it{by}; "
        "no such applicant was found, and none could be excluded"
    )
