"""Runs a DMN model over one set of facts: the graph of decisions and every boxed expression (clauses 6 and 10).

It is the reference: the vectorised form of a policy must equal it. Nothing here raises for what a fact or expression
is; what has no answer is null, and `Result.messages` say why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn import model as m
from evenkeel.policy.dmn.tables import run_table
from evenkeel.policy.dmn.types import Types
from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.evaluator import NOTHING, Evaluator, Variables, items_of
from evenkeel.policy.feel.functions import NoAnswer
from evenkeel.policy.feel.values import DateTime, Function, Value, kind


@dataclass(frozen=True, slots=True)
class Result:
    """outputs: of decisions by name. rows: keys of the rules that fired, by decision. messages: why values are null."""

    outputs: dict[str, Value]
    rows: dict[str, tuple[str, ...]]
    messages: tuple[str, ...]


def run_model(
    model: m.Definitions,
    inputs: Mapping[str, object],
    decisions: Iterable[str] | None = None,
    now: DateTime | None = None,
) -> Result:
    """The decisions of a model for one context of inputs.

    inputs: FEEL or JSON values by name; of imports under the import's name, or beside the others. What is missing, not
    of its type or not allowed is null. decisions: names of those that are wanted, all by default.
    now: what `now()` is; null by default. Raises InvalidInput on a decision that is not there.
    """
    named = {decision.name: decision for decision in model.decisions}
    wanted = list(named) if decisions is None else list(decisions)
    services = {service.name: service for service in model.services}
    for name in wanted:
        if name not in named and name not in services:
            raise InvalidInput(f"there is no decision {name!r} in {model.name}.", f"It has {', '.join(named)}.")
    run = _Run(model, inputs, now)
    outputs = {
        name: run.decided(named[name]) if name in named else run.served(services[name], run.given(services[name]))
        for name in wanted
    }
    return Result(outputs, {name: tuple(keys) for name, keys in run.rows.items()}, tuple(run.evaluator.messages))


def run_callable(model: m.Definitions, name: str, arguments: Mapping[str, object]) -> Result:
    """A decision service or a business knowledge model, called with arguments by name; its result is under its name.

    Raises InvalidInput on a name that is not there.
    """
    run = _Run(model, arguments)
    service = next((entry for entry in model.services if entry.name == name), None)
    knowledge = next((entry for entry in model.knowledge if entry.name == name), None)
    if service is not None:
        value = run.served(service, run.given(service))
    elif knowledge is not None:
        value = run.applied(knowledge)
    else:
        raise InvalidInput(f"{model.name} has no function {name!r}.", "Name a knowledge model or a decision service.")
    return Result({name: value}, {key: tuple(keys) for key, keys in run.rows.items()}, tuple(run.evaluator.messages))


class _Run:
    """One evaluation of one model. `preset`: values of decisions that are given instead of decided, by id."""

    def __init__(
        self,
        model: m.Definitions,
        inputs: Mapping[str, object],
        now: DateTime | None = None,
        evaluator: Evaluator | None = None,
        preset: Mapping[str, Value] | None = None,
    ) -> None:
        self.model = model
        self.types = Types(model, evaluator or Evaluator(now))
        self.evaluator = self.types.evaluator
        self.rows: dict[str, list[str]] = {}
        self._inputs = inputs
        self._decided: dict[str, Value] = dict(preset or {})
        self._values: dict[str, Value] = {}
        self._running: list[str] = []
        self._by_id: dict[tuple[str, str], m.InputData | m.Decision | m.KnowledgeModel | m.DecisionService] = {
            **{("input", entry.id): entry for entry in model.inputs},
            **{("decision", entry.id): entry for entry in model.decisions},
            **{("knowledge", entry.id): entry for entry in model.knowledge},
            **{("knowledge", entry.id): entry for entry in model.services},
        }
        self._imported: dict[str, _Run] = {}

    # ---- The graph ---------------------------------------------------------------------------------------------------

    def decided(self, decision: m.Decision) -> Value:
        """The value of a decision, found once."""
        key = decision.id or decision.name
        if key in self._decided:
            return self._decided[key]
        if key in self._running or len(self._running) > 200:
            raise InvalidInput(f"decision {decision.name} requires itself, by {', '.join(self._running)}.")
        self._running.append(key)
        try:
            scope = self._scope(decision.requires)
            value = self._boxed(decision.expression, scope, decision.name, decision.type_ref)
        except RecursionError:
            self.evaluator.note(f"{decision.name} calls functions too deeply")
            value = None
        finally:
            self._running.pop()
        self._decided[key] = self._as_type(value, decision.type_ref, decision.name)
        return self._decided[key]

    def _scope(self, requires: Sequence[m.Requirement]) -> Variables:
        values: dict[str, Value] = {}
        for requirement in requires:
            if requirement.alias:
                around = values.setdefault(requirement.alias, {})
                if isinstance(around, dict):
                    around[requirement.name] = self._import(requirement.alias).value_of(requirement)
            else:
                values[requirement.name] = self.value_of(requirement)
        return NOTHING.with_values(values)

    def value_of(self, requirement: m.Requirement) -> Value:
        """What an element of this model is: an input's fact, a decision's value, a function."""
        match self._by_id[requirement.kind, requirement.id]:
            case m.InputData() as given:
                return self._input(given)
            case m.Decision() as decision:
                return self.decided(decision)
            case m.KnowledgeModel() as knowledge:
                return self._knowledge(knowledge)
            case m.DecisionService() as service:
                return self._service(service)

    def _import(self, alias: str) -> _Run:
        if alias not in self._imported:
            entry = next(entry for entry in self.model.imports if entry.name == alias)
            assert entry.model is not None  # noqa: S101 - requirements of what was not found are refused by the reader
            inner = self._inputs.get(alias)
            given = {**self._inputs, **inner} if isinstance(inner, dict) else self._inputs
            self._imported[alias] = _Run(entry.model, given, evaluator=self.evaluator)
        return self._imported[alias]

    def _input(self, given: m.InputData) -> Value:
        if given.name not in self._values:
            value = self.types.typed(self._inputs.get(given.name), given.type_ref)
            self._values[given.name] = self._as_type(value, given.type_ref, given.name)
        return self._values[given.name]

    def _as_type(self, value: Value, type_ref: str, name: str) -> Value:
        found, fits = self.types.converted(value, type_ref)
        if not fits:
            self.evaluator.note(f"{name} is {_described(value)}, which is not of its type {type_ref}")
        return found

    # ---- Functions ---------------------------------------------------------------------------------------------------

    def applied(self, knowledge: m.KnowledgeModel) -> Value:
        """A knowledge model of the inputs of this run, by the names of its parameters."""
        function = self._knowledge(knowledge)
        arguments = [self.types.typed(self._inputs.get(name), "") for name in function.parameters]
        return self._answer(lambda: self.evaluator.call(function, arguments))

    def _knowledge(self, knowledge: m.KnowledgeModel) -> Function:
        """A business knowledge model as a function, which may call itself."""
        if knowledge.id in self._running or len(self._running) > 200:
            raise InvalidInput(f"knowledge model {knowledge.name} requires itself.")
        self._running.append(knowledge.id)
        around: dict[str, Value] = {}
        scope = self._scope(knowledge.requires).with_values(around)
        self._running.pop()
        made = self._function(knowledge.function, scope, knowledge.name, self._result_type(knowledge))
        around[knowledge.name] = made
        return made

    def _result_type(self, knowledge: m.KnowledgeModel) -> str:
        """The type of what it gives; in DMN 1.1 the type of its variable meant nothing that tools agreed on."""
        return "" if self.model.version == "1.1" else self._given_type(knowledge.type_ref)

    def _given_type(self, type_ref: str) -> str:
        """The type of a function's result, where its own type is a function type."""
        item = self.types.item(type_ref)
        return item.function.result if item is not None and item.function is not None else type_ref

    def _function(self, definition: m.FunctionDefinition, scope: Variables, name: str, type_ref: str) -> Function:
        def body(inner: Variables) -> Value:
            if definition.kind != "FEEL":
                raise NoAnswer(f"{name}: functions of {definition.kind} are not run; write it in FEEL")
            found = self._boxed(definition.body, inner, self._deciding(name))
            return self._as_type(found, type_ref, name)

        return self.evaluator.closure(name, definition.parameters, body, scope)

    def _deciding(self, otherwise: str) -> str:
        """The decision under whose name rows of tables in functions are kept."""
        names = {decision.id or decision.name: decision.name for decision in self.model.decisions}
        return next((names[key] for key in reversed(self._running) if key in names), otherwise)

    def _service(self, service: m.DecisionService) -> Function:
        parameters = tuple(given.name for given in (*service.input_data, *service.input_decisions))

        def call(*arguments: Value) -> Value:
            return self.served(service, dict(zip(parameters, arguments, strict=True)))

        return Function(service.name, parameters, call, len(parameters))

    def given(self, service: m.DecisionService) -> dict[str, Value]:
        """The arguments of a service from the inputs of this run; those of input decisions too, if they are given."""
        found: dict[str, Value] = {}
        for requirement in service.input_data:
            found[requirement.name] = (self._import(requirement.alias) if requirement.alias else self).value_of(
                requirement
            )
        for requirement in service.input_decisions:
            if requirement.name in self._inputs:
                found[requirement.name] = self.types.typed(self._inputs[requirement.name], self._type_ref(requirement))
            else:
                found[requirement.name] = self.value_of(requirement)
        return found

    def _type_ref(self, requirement: m.Requirement) -> str:
        found = self._by_id.get((requirement.kind, requirement.id))
        return found.type_ref if found is not None else ""

    def served(self, service: m.DecisionService, arguments: Mapping[str, Value]) -> Value:
        """What a decision service gives: its one output decision's value, or a context of several."""
        preset = {
            requirement.id: self._as_type(
                arguments.get(requirement.name), self._type_ref(requirement), requirement.name
            )
            for requirement in service.input_decisions
        }
        inputs = {requirement.name: arguments.get(requirement.name) for requirement in service.input_data}
        inner = _Run(self.model, inputs, evaluator=self.evaluator, preset=preset)
        found = {output.name: inner.value_of(output) for output in service.outputs}
        for name, keys in inner.rows.items():
            self.rows.setdefault(name, []).extend(keys)
        value = next(iter(found.values())) if len(found) == 1 else found
        return self._as_type(value, self._given_type(service.type_ref), service.name)

    # ---- Boxed expressions -------------------------------------------------------------------------------------------

    def _boxed(self, expression: m.Expression | None, scope: Variables, name: str, type_ref: str = "") -> Value:
        """The value of a boxed expression, as of its type. name: the decision under which fired rules are kept.

        type_ref: the type of what it is for. What a table's own type says is not enforced: tools write the type of a
        rule's output there, even where the table lists several.
        """
        self.evaluator.step()
        match expression:
            case None:
                self.evaluator.note(f"{name} has no expression")
                return None
            case m.DecisionTable():
                return self._table(expression, scope, name, type_ref)
            case m.FunctionDefinition():
                return self._function(expression, scope, name, expression.type_ref)
        value = self._answer(lambda: self._of_box(expression, scope, name))
        return self._as_type(value, expression.type_ref, name)

    def _of_box(self, expression: m.Expression, scope: Variables, name: str) -> Value:
        def inside(part: m.Expression | None, inner: Variables = scope) -> Value:
            return self._boxed(part, inner, name)

        match expression:
            case m.LiteralExpression():
                return self.evaluator.evaluate(expression.node, scope)
            case m.BoxedContext():
                return self._context(expression, scope, name)
            case m.BoxedList():
                return [inside(item) for item in expression.items]
            case m.Relation():
                return [
                    dict(zip(expression.columns, (inside(cell) for cell in row), strict=True))
                    for row in expression.rows
                ]
            case m.Invocation():
                return self._invoked(expression, scope, name)
            case m.Conditional():
                return inside(expression.positive if inside(expression.condition) is True else expression.negative)
            case m.BoxedFilter():
                return self.evaluator.filtered(
                    inside(expression.source), lambda inner: inside(expression.condition, inner), scope
                )
            case m.Iterator():
                return self._iterated(expression, scope, name)
        raise AssertionError(expression)

    def _answer(self, ask: Callable[[], Value]) -> Value:
        try:
            return ask()
        except NoAnswer as problem:
            self.evaluator.note(str(problem))
            return None

    def _table(self, table: m.DecisionTable, scope: Variables, name: str, type_ref: str) -> Value:
        def type_order(named: str) -> Sequence[n.Node]:
            item = self.types.item(named or type_ref)
            return item.allowed.tests if item is not None and item.allowed is not None else ()

        fired = run_table(table, self.evaluator, scope, type_order)
        self.rows.setdefault(name, []).extend(fired.rules)
        return fired.value

    def _context(self, context: m.BoxedContext, scope: Variables, name: str) -> Value:
        made: dict[str, Value] = {}
        inner = scope.with_values(made)
        for entry in context.entries:
            value = self._as_type(self._boxed(entry.expression, inner, name), entry.type_ref, entry.name or name)
            if not entry.name:
                return value
            made[entry.name] = value
        return made

    def _invoked(self, invocation: m.Invocation, scope: Variables, name: str) -> Value:
        called = self.evaluator.evaluate(invocation.function.node, scope)
        arguments = {entry.name: self._boxed(entry.expression, scope, name) for entry in invocation.bindings}
        if not isinstance(called, Function):
            raise NoAnswer(f"{invocation.function.text} is {kind(called)}, not a function")
        return self.evaluator.call_named(called, arguments)

    def _iterated(self, iterator: m.Iterator, scope: Variables, name: str) -> Value:
        found: list[Value] = []
        for item in items_of(self._boxed(iterator.source, scope, name)):
            local = {iterator.variable: item, "partial": found[:]}
            found.append(self._boxed(iterator.body, scope.with_values(local), name))
        if iterator.kind == "for":
            return found
        deciding = iterator.kind == "some"
        if any(value is deciding for value in found):
            return deciding
        return (not deciding) if all(isinstance(value, bool) for value in found) else None


def _described(value: Value) -> str:
    return "null" if value is None else f"a {kind(value)}"
