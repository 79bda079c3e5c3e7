"""Gaps, overlaps, and rows that never decide: exact over every kind of applicant, each with an example.

Reachability is that of the whole policy: a row that tests `band = "low"` is judged by who can be in that band.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from evenkeel.policy.abstract import Outside
from evenkeel.policy.check.attack import Pieces, applicants
from evenkeel.policy.check.diagrams import Diagram, Diagrams, Term
from evenkeel.policy.check.findings import Finding
from evenkeel.policy.check.situations import followed
from evenkeel.policy.dmn.model import HitPolicy
from evenkeel.policy.feel.values import Value
from evenkeel.policy.program import Program, Result
from evenkeel.policy.walk import Tabled, Walk

_MOST_OVERLAPS = 20


def table_findings(program: Program) -> list[Finding]:
    """What is wrong with the tables of all decisions."""

    def use(diagrams: Diagrams, walk: Walk) -> list[Finding]:
        found: list[Finding] = []
        for decision in program.model.decisions:
            try:
                walk.decision(decision.id)
            except Outside as reason:
                found.append(Finding("undecided", decision.name, (), {"why": str(reason)}))
        for read in walk.tables:
            try:
                found += _Table(program, diagrams, read).findings()
            except Outside as reason:
                found.append(Finding("undecided", read.owner, (), {"why": str(reason)}))
        return found

    return followed(program, use)


class _Table:
    """One table as diagrams: where each row holds, and which decides."""

    def __init__(self, program: Program, diagrams: Diagrams, read: Tabled) -> None:
        self._program = program
        self._diagrams = diagrams
        self._read = read
        self._keys = [rule.key for rule in read.table.rules]
        self._stands = [diagrams.stands(rule) for rule in read.rules]
        self._which = cast("Diagram", read.which)

    def findings(self) -> Iterator[Finding]:
        """All that is wrong with it."""
        dead = set(self._never())
        for place, cell in self._never().items():
            yield self._finding("never", (place,), {"cell": cell})
        yield from self._gaps()
        yield from self._overlaps()
        deciding = {place for hit in self._which.values for place in cast("tuple[int, ...]", hit)}
        if self._read.table.hit_policy is HitPolicy.UNIQUE:
            deciding |= set(range(len(self._keys)))  # rows that only overlap are found as overlaps
        for place in range(len(self._keys)):
            if place not in deciding and place not in dead:
                covering = ", ".join(self._keys[other] for other in self._instead(place, self._which.root))
                yield self._finding("unreachable", (place,), {"covering": covering})
        yield from self._redundant(sorted(deciding - dead))

    def _finding(self, kind: str, places: tuple[int, ...], values: Mapping[str, str], root: int = -1) -> Finding:
        facts = self._example(root, lambda _result: True) if root >= 0 else {}
        return Finding(kind, self._read.owner, tuple(self._keys[place] for place in places), values, facts or {})

    def _never(self) -> dict[int, str]:
        """Rows that hold for nobody, and the cell that is to blame, or all together."""
        false = self._diagrams.end(False)
        found = {}
        for place, stands in enumerate(self._stands):
            if stands == false:
                alone = [self._diagrams.stands([condition]) == false for condition in self._read.rules[place]]
                texts = [cell.text for cell in self._read.table.rules[place].cells if not _anything(cell.tests)]
                blame = [text for text, empty in zip(texts, alone, strict=False) if empty] or texts
                found[place] = " and ".join(blame)
        return found

    def _gaps(self) -> Iterator[Finding]:
        """Known facts for which no row holds, where the table has no default and is not one that lists what holds."""
        listing = self._read.table.hit_policy in (HitPolicy.COLLECT, HitPolicy.RULE_ORDER, HitPolicy.OUTPUT_ORDER)
        if listing or any(clause.default is not None for clause in self._read.table.outputs):
            return
        none = frozenset((self._diagrams.end(()),))
        way = self._diagrams.path(self._which.root, none, known=True)
        if way is None:
            return
        owner = self._read.owner
        facts = self._facts(way, lambda result: not result.fired.get(owner) and owner in result.decisions)
        if facts is None:
            yield Finding("undecided", owner, (), {"why": f"no row may hold for {_terms(way)}"})
        else:
            yield Finding("gap", owner, (), {}, facts)

    def _overlaps(self) -> Iterator[Finding]:
        """Pairs of rows that hold together though the hit policy forbids it."""
        policy, rank = self._read.table.hit_policy, self._read.rank
        if policy not in (HitPolicy.UNIQUE, HitPolicy.ANY):
            return
        count = 0
        for one in range(len(self._keys)):
            for other in range(one + 1, len(self._keys)):
                if policy is HitPolicy.ANY and rank[one] == rank[other]:
                    continue
                both = self._both(self._stands[one], self._stands[other])
                if both != self._diagrams.end(False) and count < _MOST_OVERLAPS:
                    count += 1
                    yield self._finding("overlap", (one, other), {"policy": policy.value}, both)

    def _both(self, one: int, other: int) -> int:
        true, false = self._diagrams.end(True), self._diagrams.end(False)
        return self._diagrams.combined(lambda a, b: true if a == true and b == true else false, (one, other))

    def _instead(self, place: int, which: int) -> list[int]:
        """The rows that decide where one holds."""
        true, nobody = self._diagrams.end(True), self._diagrams.end(())
        there = self._diagrams.combined(lambda a, hit: hit if a == true else nobody, (self._stands[place], which))
        hits = [cast("tuple[int, ...]", self._diagrams.value_of(end)) for end in self._diagrams.ends(there)]
        return sorted({hit[0] for hit in hits if hit and hit[0] >= 0})

    def _redundant(self, kept: list[int]) -> Iterator[Finding]:
        """Rows that decide, but what they give another row would give too."""
        results = self._read.results
        if results is None or self._read.table.hit_policy is HitPolicy.UNIQUE:
            return

        def given(places: list[int]) -> tuple[int, int]:
            """The diagrams of the hits of some rows, and of what they give."""
            rules, rank = [self._read.rules[p] for p in places], [self._read.rank[p] for p in places]
            hits = self._diagrams.hits(rules, self._read.table.hit_policy, rank)
            placed = self._diagrams.lift(lambda hit: tuple(places[p] if p >= 0 else p for p in hit), [hits])
            result = self._diagrams.lift(results.of, [placed])
            return cast("Diagram", placed).root, cast("Diagram", result).root

        whole = given(kept)[1] if kept else 0
        for place in kept if len(kept) > 1 else []:
            hits, result = given([other for other in kept if other != place])
            if result == whole:
                covering = ", ".join(self._keys[other] for other in self._instead(place, hits))
                yield self._finding("redundant", (place,), {"covering": covering})

    # ---- Examples --------------------------------------------------------------------------------------------------

    def _example(self, root: int, test: Callable[[Result], bool]) -> Mapping[str, Value] | None:
        way = self._diagrams.path(root, frozenset((self._diagrams.end(True),)), known=True)
        way = way or self._diagrams.path(root, frozenset((self._diagrams.end(True),)))
        return None if way is None else self._facts(way, test)

    def _facts(self, way: Mapping[Term, Value], test: Callable[[Result], bool]) -> Mapping[str, Value] | None:
        """The facts on a way, of an applicant for whom the interpreter says the same."""
        fixed = {term.key: value for term, value in way.items() if not term.calculated}
        calculated = [term for term in way if term.calculated]
        pieces = Pieces(fixed, {key: tuple(constants) for key, constants in self._diagrams.cut_by.items()})
        for facts in applicants(self._program, pieces, 200 if calculated else 1):
            if test(self._program.decide(facts)):
                wanted = set(fixed).union(*(term.inputs for term in calculated))
                return {name: value for name, value in facts.items() if name in wanted}
        return None


def _terms(way: Mapping[Term, Value]) -> str:
    return ", ".join(f"{term.key} near {value}" for term, value in way.items() if term.calculated)


def _anything(tests: object) -> bool:
    return tests is not None and bool(getattr(tests, "anything", False))
