"""What can be said of a policy by reading it: names, types, outcomes, amounts and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import cast

from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.policy.abstract import Outside
from evenkeel.policy.atoms import is_constant
from evenkeel.policy.check.attack import Pieces, applicants
from evenkeel.policy.check.findings import Finding, value_text
from evenkeel.policy.check.situations import Situations, situations
from evenkeel.policy.dmn.model import DecisionTable
from evenkeel.policy.feel.nodes import Name, UnaryTests
from evenkeel.policy.feel.values import Value, kind
from evenkeel.policy.meaning import Results, meaning
from evenkeel.policy.outcomes import ADVERSE, AMOUNTS, GOODNESS, MOST_REASONS, NO_ROW, codes_of, entry, settled
from evenkeel.policy.program import Program

_KINDS = ("number", "string", "boolean", "date")


def type_findings(program: Program) -> Iterator[Finding]:
    """Inputs without a type, and constants of another type than what they are compared with or given as."""
    types = {item.name: item.type for item in program.inputs}
    types |= {decision.name: decision.type_ref for decision in program.model.decisions}
    for item in program.inputs:
        if not item.type:
            yield Finding("input_type", program.deciding.name, (), {"input": item.name})
    for decision in program.model.decisions:
        if isinstance(decision.expression, DecisionTable):
            yield from _cell_types(decision.name, decision.expression, types)
            yield from _output_types(decision.name, decision.expression)


def _cell_types(owner: str, table: DecisionTable, types: Mapping[str, str]) -> Iterator[Finding]:
    for place, clause in enumerate(table.inputs):
        node = clause.expression.node
        wanted = types.get(node.name, "") if isinstance(node, Name) else ""
        if wanted not in _KINDS:
            continue
        for rule in table.rules:
            cell = rule.cells[place]
            found = _kinds(cell.tests) - {wanted, "null"}
            if found:
                values = {"cell": cell.text, "input": clause.expression.text, "type": wanted, "found": min(found)}
                yield Finding("cell_type", owner, (rule.key,), values)


def _kinds(tests: UnaryTests | None) -> set[str]:
    """The types of the constants in a cell."""
    found: set[str] = set()
    for test in tests.tests if tests is not None else ():
        ends = [getattr(test, name, None) for name in ("operand", "low", "high")]
        nodes = [end for end in ends if end is not None] or [test]
        found |= {kind(meaning(node, {})) for node in nodes if is_constant(node)}
    return {name for name in found if name not in ("range", "list")}


def _output_types(owner: str, table: DecisionTable) -> Iterator[Finding]:
    for place, clause in enumerate(table.outputs):
        if clause.type_ref not in _KINDS:
            continue
        for rule in table.rules:
            output = rule.outputs[place]
            found = kind(meaning(output.node, {})) if is_constant(output.node) else clause.type_ref
            if found not in (clause.type_ref, "null"):
                values = {"output": clause.name, "cell": output.text, "type": clause.type_ref, "found": found}
                yield Finding("output_type", owner, (rule.key,), values)


def outcome_findings(program: Program) -> Iterator[Finding]:
    """Rows of the deciding table whose outcome is no word of evenkeel, or whose amount does not fit it."""
    table = program.deciding.expression
    if not isinstance(table, DecisionTable):
        return
    owner = program.deciding.name
    results = Results(program.model, table, program.deciding.type_ref)
    for place, rule in enumerate(table.rules):
        if not all(is_constant(output.node) for output in rule.outputs):
            continue
        given = results.of((place,))
        value = given[0] if isinstance(given, list) and given else given
        outcome, amounts = entry(value, "outcome"), {name: entry(value, name) for name in AMOUNTS}
        if outcome not in GOODNESS[program.kind]:
            words = ", ".join(GOODNESS[program.kind])
            yield Finding("outcome_unknown", owner, (rule.key,), {"outcome": value_text(outcome), "words": words})
        elif settled(program.kind, outcome, amounts) != outcome:
            yield Finding("no_amount", owner, (rule.key,), {"outcome": str(outcome)})
        elif not _fits(str(outcome), amounts["factor"]):
            values = {"outcome": str(outcome), "factor": value_text(amounts["factor"])}
            yield Finding("amount_wrong", owner, (rule.key,), values)
        codes = codes_of(entry(value, "reasons"))
        if len(codes) > MOST_REASONS:
            yield Finding("many_reasons", owner, (rule.key,), {"count": str(len(codes)), "most": str(MOST_REASONS)})


def _fits(outcome: str, factor: Value) -> bool:
    if not isinstance(factor, Decimal):
        return True
    return {"raise": factor > 1, "lower": 0 <= factor < 1, "approve_less": 0 < factor < 1}.get(outcome, factor > 0)


def reason_findings(program: Program) -> Iterator[Finding]:
    """Adverse paths without a reason, and reasons without a text in every language."""
    owner = program.deciding.name
    try:
        found = situations(program)
    except Outside as reason:
        yield Finding("undecided", owner, (), {"why": str(reason)})
        return
    untold: set[str] = set()
    for end in sorted(found.diagrams.ends(found.reasons)):
        outcome, codes = cast("tuple[str, tuple[str, ...]]", found.diagrams.value_of(end))
        if outcome in ADVERSE and not codes:
            facts, rows = _shown(program, found, end, outcome)
            yield Finding("no_reason", owner, rows, {"outcome": outcome}, facts)
        untold |= {code for code in codes if not all(f"reason.{code}" in texts(language) for language in LANGUAGES)}
    for code in sorted(untold - set(NO_ROW)):
        yield Finding("reason_without_text", owner, (), {"code": code})


def _shown(program: Program, found: Situations, end: int, outcome: str) -> tuple[Mapping[str, Value], tuple[str, ...]]:
    """An applicant on a way to an end, and the rows that fire."""
    way = found.diagrams.path(found.reasons, frozenset((end,))) or {}
    fixed = {term.key: value for term, value in way.items() if not term.calculated}
    pieces = Pieces(fixed, {key: tuple(constants) for key, constants in found.diagrams.cut_by.items()})
    for facts in applicants(program, pieces, 200):
        result = program.decide(facts)
        if result.outcome == outcome and not result.reasons:
            return {name: value for name, value in facts.items() if name in fixed}, result.rows
    return {}, ()
