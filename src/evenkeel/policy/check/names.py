"""Names that an expression reads and nobody gives: a misspelt input would be null for ever."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.policy.check.findings import Finding
from evenkeel.policy.dmn import model as m
from evenkeel.policy.dmn.model import (
    BoxedContext,
    BoxedFilter,
    Decision,
    DecisionTable,
    Definitions,
    FunctionDefinition,
    Invocation,
    KnowledgeModel,
    LiteralExpression,
)
from evenkeel.policy.feel.function_names import BUILT_IN
from evenkeel.policy.feel.nodes import INPUT, ContextOf, Filter, For, FunctionOf, Name, Quantified, children

_ALWAYS = frozenset((*BUILT_IN, INPUT, "item", "partial"))


def name_findings(model: Definitions) -> Iterator[Finding]:
    """Unknown names of every decision and knowledge model, and inputs that nothing reads."""
    owners: list[Decision | KnowledgeModel] = [*model.decisions, *model.knowledge]
    for owner in owners:
        known = {requirement.alias or requirement.name for requirement in owner.requires} | {owner.name}
        body = owner.expression if isinstance(owner, Decision) else owner.function
        for name in dict.fromkeys(_unknown(body, frozenset(known) | _ALWAYS)):
            yield Finding("unknown_name", owner.name, (), {"name": name})
    read = {requirement.id for owner in owners for requirement in owner.requires}
    read |= {requirement.id for service in model.services for requirement in service.input_data}
    for data in model.inputs:
        if data.id not in read:
            yield Finding("unused_input", model.name, (), {"input": data.name})


def _unknown(part: object, known: frozenset[str]) -> Iterator[str]:
    """Names that a part of an expression reads though they are not known to it."""
    match part:
        case None | str():
            return
        case Name(name=name):
            if name not in known:
                yield name
        case LiteralExpression(node=node):
            yield from _unknown(node, known)
        case DecisionTable():
            yield from _in_table(part, known)
        case BoxedContext(entries=entries):
            yield from _in_order([(entry.name, entry.expression) for entry in entries], known)
        case ContextOf(entries=entries):
            yield from _in_order(list(entries), known)
        case FunctionDefinition(parameters=parameters, body=body) | FunctionOf(parameters=parameters, body=body):
            yield from _unknown(body, known | {parameter.name for parameter in parameters})
        case Invocation(function=function, bindings=bindings):
            yield from _unknown(function.node, known)
            for binding in bindings:
                yield from _unknown(binding.expression, known)
        case For(iterations=iterations) | Quantified(iterations=iterations):
            for iteration in iterations:
                yield from _unknown(iteration.source, known)
                yield from _unknown(iteration.until, known)
                known |= {iteration.name}
            yield from _unknown(part.result if isinstance(part, For) else part.condition, known)
        case Filter(source=source) | BoxedFilter(source=source):
            yield from _unknown(source, known)  # the condition may name what the items have
        case m.Iterator(variable=variable, source=source, body=body):
            yield from _unknown(source, known)
            yield from _unknown(body, known | {variable})
        case _:
            yield from _below(part, known)


def _in_table(table: DecisionTable, known: frozenset[str]) -> Iterator[str]:
    for clause in table.inputs:
        yield from _unknown(clause.expression.node, known)
    for rule in table.rules:
        for cell in rule.cells:
            yield from _unknown(cell.tests, known)
        for output in rule.outputs:
            yield from _unknown(output.node, known)


def _in_order(entries: list[tuple[str, object]], known: frozenset[str]) -> Iterator[str]:
    for name, expression in entries:
        yield from _unknown(expression, known)
        known |= {name}


def _below(part: object, known: frozenset[str]) -> Iterator[str]:
    parts = children(part)
    if not parts:  # a boxed expression without names of its own
        parts = tuple(
            value
            for name in getattr(part, "__dataclass_fields__", {})
            for value in _flat(getattr(part, name))
            if not isinstance(value, str | int | None)
        )
    for child in parts:
        yield from _unknown(child, known)


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value
