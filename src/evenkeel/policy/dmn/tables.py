"""Evaluates decision tables: which rules hold, and what the hit policy makes of them (clauses 8.2.8 to 8.2.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evenkeel.policy.dmn.model import Aggregation, DecisionTable, HitPolicy, OutputClause, Rule
from evenkeel.policy.feel.evaluator import Evaluator, Variables
from evenkeel.policy.feel.functions import NoAnswer, call_positional
from evenkeel.policy.feel.nodes import Node
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import Value, equal

# The allowed values of a type, in order, for outputs that state none themselves.
TypeOrder = Callable[[str], Sequence[Node]]


@dataclass(frozen=True, slots=True)
class Fired:
    """What a table gives, and the rules that gave it."""

    value: Value
    rules: tuple[str, ...]


def run_table(table: DecisionTable, evaluator: Evaluator, scope: Variables, type_order: TypeOrder) -> Fired:
    """The result of a table. What makes it null is noted with the evaluator.

    An input outside its allowed values makes the result null; null itself is passed on, for rules to hold or not.
    """
    values: list[Value] = []
    for clause in table.inputs:
        value = evaluator.evaluate(clause.expression.node, scope)
        if clause.values is not None and value is not None and evaluator.holds(clause.values, value, scope) is not True:
            evaluator.note(
                f"{clause.label or clause.expression.text} is {text_of(value)}, not one of {clause.values_text}"
            )
            return Fired(None, ())
        values.append(value)
    found = _hits(table, values, evaluator, scope)
    if not found:
        return _no_rule(table, evaluator, scope)
    given = [Given(rule, _outputs(table, rule, evaluator, scope)) for rule in found]
    if table.hit_policy is HitPolicy.COLLECT:
        return Fired(_collected(table, given, evaluator), _keys(given))
    if table.hit_policy is HitPolicy.RULE_ORDER:
        return Fired([_result(table, hit) for hit in given], _keys(given))
    if table.hit_policy is HitPolicy.UNIQUE and len(given) > 1:
        evaluator.note(f"rules {', '.join(_keys(given))} hold at once, in a table where one may")
        return Fired(None, ())
    if table.hit_policy is HitPolicy.ANY and any(equal(_result(table, hit), _result(table, given[0])) is not True
                                                 for hit in given):  # fmt: skip
        evaluator.note(f"rules {', '.join(_keys(given))} hold at once and give different outputs")
        return Fired(None, ())
    if table.hit_policy in (HitPolicy.PRIORITY, HitPolicy.OUTPUT_ORDER):
        given = _by_priority(table, given, evaluator, scope, type_order)
        if table.hit_policy is HitPolicy.OUTPUT_ORDER:
            return Fired([_result(table, hit) for hit in given], _keys(given))
    return Fired(_result(table, given[0]), _keys(given[:1]))


@dataclass(frozen=True, slots=True)
class Given:
    """A rule that holds, and its outputs."""

    rule: Rule
    outputs: tuple[Value, ...]


def _keys(given: Sequence[Given]) -> tuple[str, ...]:
    return tuple(hit.rule.key for hit in given)


def _hits(table: DecisionTable, values: Sequence[Value], evaluator: Evaluator, scope: Variables) -> list[Rule]:
    found: list[Rule] = []
    for rule in table.rules:
        if all(
            cell.tests is not None and evaluator.holds(cell.tests, value, scope) is True
            for cell, value in zip(rule.cells, values, strict=True)
        ):
            found.append(rule)
            if table.hit_policy is HitPolicy.FIRST:
                break
    return found


def _no_rule(table: DecisionTable, evaluator: Evaluator, scope: Variables) -> Fired:
    """The default outputs where no rule holds; null without any, and of COLLECT no items."""
    if any(clause.default is not None for clause in table.outputs):
        outputs = tuple(
            None if clause.default is None else evaluator.evaluate(clause.default.node, scope)
            for clause in table.outputs
        )
        return Fired(_shaped(table, outputs), ())
    if table.hit_policy is HitPolicy.COLLECT and table.aggregation in (None, Aggregation.COUNT):
        return Fired(_collected(table, [], evaluator), ())
    return Fired(None, ())


def _outputs(table: DecisionTable, rule: Rule, evaluator: Evaluator, scope: Variables) -> tuple[Value, ...]:
    found: list[Value] = []
    for clause, entry in zip(table.outputs, rule.outputs, strict=True):
        value = evaluator.evaluate(entry.node, scope)
        if clause.values is not None and value is not None and evaluator.holds(clause.values, value, scope) is not True:
            name = clause.name or clause.label or "the output"
            evaluator.note(f"rule {rule.key} gives {name} {text_of(value)}, not one of {clause.values_text}")
            value = None
        found.append(value)
    return tuple(found)


def _shaped(table: DecisionTable, outputs: Sequence[Value]) -> Value:
    """The value of the one output, or a context of several."""
    if len(table.outputs) == 1:
        return outputs[0]
    return {clause.name: value for clause, value in zip(table.outputs, outputs, strict=True)}


def _result(table: DecisionTable, hit: Given) -> Value:
    return _shaped(table, hit.outputs)


def _by_priority(
    table: DecisionTable, given: Sequence[Given], evaluator: Evaluator, scope: Variables, type_order: TypeOrder
) -> list[Given]:
    """Hits by the order of the allowed values of their outputs, the first output before the second."""

    def order_of(clause: OutputClause) -> list[Value]:
        ordered = clause.order or type_order(clause.type_ref or (table.type_ref if len(table.outputs) == 1 else ""))
        return [evaluator.evaluate(node, scope) for node in ordered]

    orders = [order_of(clause) for clause in table.outputs]

    def rank(hit: Given) -> tuple[int, ...]:
        return tuple(
            next((place for place, wanted in enumerate(order) if equal(wanted, value) is True), len(order))
            for order, value in zip(orders, hit.outputs, strict=True)
        )

    return sorted(given, key=rank)


def _collected(table: DecisionTable, given: Sequence[Given], evaluator: Evaluator) -> Value:
    """COLLECT: the list of results, or for each output what the aggregation makes of it."""
    if table.aggregation is None:
        return [_result(table, hit) for hit in given]
    columns = [[hit.outputs[place] for hit in given] for place in range(len(table.outputs))]
    return _shaped(table, [_aggregated(table.aggregation, column, evaluator) for column in columns])


def _aggregated(how: Aggregation, values: list[Value], evaluator: Evaluator) -> Value:
    """SUM, MIN, MAX or COUNT of the values (clause 8.2.11)."""
    try:
        return call_positional(how.value.lower(), [values])
    except NoAnswer as problem:
        evaluator.note(str(problem))
        return None
