"""What the interpreter says of single values: the one place where the compiler, the checks and the proof ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from evenkeel.policy.dmn.interpreter import run_model
from evenkeel.policy.dmn.model import DecisionTable, Definitions, HitPolicy, KnowledgeModel
from evenkeel.policy.dmn.tables import run_table
from evenkeel.policy.dmn.types import Types
from evenkeel.policy.feel.evaluator import NOTHING, Evaluator, Variables
from evenkeel.policy.feel.nodes import Comparison, Literal, Node, Type, UnaryTests
from evenkeel.policy.feel.types import converted
from evenkeel.policy.feel.values import Value

SEVERAL = (-1,)  # in place of a rule: several hold that may not hold together
VOID = (-2,)  # an input of the table is outside the column's allowed values


def meaning(node: Node, scope: Mapping[str, Value]) -> Value:
    """The value of an expression; null where it has none."""
    return Evaluator().evaluate(node, Variables(scope))


def holds(tests: UnaryTests, value: Value) -> bool:
    """Whether a value passes tests that read nothing else."""
    return Evaluator().holds(tests, value) is True


def compared(operator: str, left: Value, right: Value) -> Value:
    """A comparison of two values."""
    return meaning(Comparison(operator, Literal(left), Literal(right)), {})


def frozen(value: Value) -> object:
    """A value as a key: equal keys are equal values of the same kind, numbers by what they are worth."""
    match value:
        case bool():
            return (bool, value)
        case Decimal():
            return (Decimal, value)
        case list():
            return (list, tuple(frozen(item) for item in value))
        case dict():
            return (dict, tuple((name, frozen(item)) for name, item in value.items()))
        case tuple():
            return (tuple, tuple(frozen(item) for item in value))
        case _:
            return value


def _types(model: Definitions) -> Types:
    evaluator = Evaluator()
    types = Types(model, evaluator)
    evaluator.named = types.is_of
    return types


def typed(model: Definitions, type_ref: str) -> Callable[[Value], Value] | None:
    """How a value is made one of a type, null where it cannot be; None where the type takes any value."""
    types = _types(model)
    if not type_ref or type_ref == "Any":
        return None
    return lambda value: types.converted(value, type_ref)[0]


def reader(model: Definitions, type_ref: str) -> Callable[[object], Value]:
    """How a value from outside is read as an input of a type: null where it is of another, or not allowed."""
    types = _types(model)
    return lambda raw: types.converted(types.typed(raw, type_ref), type_ref)[0]


def argument(model: Definitions, type_: Type) -> Callable[[Value], tuple[Value, bool]]:
    """How a function takes an argument of a type, and whether it fits."""
    types = _types(model)
    return lambda value: converted(value, type_, types.is_of)


def result_type(model: Definitions, knowledge: KnowledgeModel) -> str:
    """The type of what a business knowledge model gives."""
    if model.version == "1.1":
        return ""
    item = _types(model).item(knowledge.type_ref)
    return item.function.result if item is not None and item.function is not None else knowledge.type_ref


class Results:
    """What a table with constant outputs gives for rules that hold, by the interpreter's own hit policies."""

    def __init__(self, model: Definitions, table: DecisionTable, type_ref: str) -> None:
        self._types = _types(model)
        self._type_ref = type_ref
        rules = tuple(replace(rule, id=str(place), cells=()) for place, rule in enumerate(table.rules))
        self._table = replace(table, inputs=(), rules=rules)

    def of(self, hit: Value) -> Value:
        """The result of rules, by their places."""
        assert isinstance(hit, tuple)  # noqa: S101 - as hits are
        if hit in (SEVERAL, VOID):
            return None
        return self._run(hit, self._table.hit_policy)[0]

    def ranks(self) -> Sequence[object]:
        """For PRIORITY the place of each rule in the order of outputs; for ANY what it gives, as a key; else zeros."""
        places = range(len(self._table.rules))
        if self._table.hit_policy is HitPolicy.ANY:
            return [frozen(self._run((place,), HitPolicy.FIRST)[0]) for place in places]
        if self._table.hit_policy is HitPolicy.PRIORITY and places:
            ordered = self._run(tuple(places), HitPolicy.OUTPUT_ORDER)[1]
            return [ordered.index(str(place)) for place in places]
        return [0 for _ in places]

    def _run(self, places: tuple[int, ...], policy: HitPolicy) -> tuple[Value, tuple[str, ...]]:
        table = replace(self._table, rules=tuple(self._table.rules[place] for place in places), hit_policy=policy)
        fired = run_table(table, Evaluator(), NOTHING, self._type_order)
        return fired.value, fired.rules

    def _type_order(self, named: str) -> Sequence[Node]:
        item = self._types.item(named or self._type_ref)
        return item.allowed.tests if item is not None and item.allowed is not None else ()


class Interpreter:
    """One model, run on one context of inputs at a time."""

    def __init__(self, model: Definitions) -> None:
        self._model = model

    def decide(
        self, known: Mapping[str, Value]
    ) -> tuple[Mapping[str, Value], Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """What every decision gives, which rows fired in each, and why something is null."""
        found = run_model(self._model, known)
        return found.outputs, found.rows, found.messages
