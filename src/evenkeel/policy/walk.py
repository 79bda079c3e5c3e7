"""Reads a policy through an algebra: the graph of decisions, boxed expressions, tables and FEEL.

What FEEL means is never written again here: an expression over finite values is given to the interpreter, value by
value. What an algebra cannot say is `Outside`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from evenkeel.policy.abstract import (
    NUMERIC,
    Abstract,
    Algebra,
    Closure,
    Column,
    Condition,
    Finite,
    Open,
    Outside,
    Scope,
    Struct,
)
from evenkeel.policy.atoms import cuts, is_constant, orders, parts
from evenkeel.policy.dmn.model import (
    BoxedContext,
    Cell,
    Conditional,
    Decision,
    DecisionTable,
    Definitions,
    Entry,
    Expression,
    FunctionDefinition,
    HitPolicy,
    InputClause,
    Invocation,
    KnowledgeModel,
    LiteralExpression,
    OutputClause,
    Requirement,
)
from evenkeel.policy.feel.nodes import (
    INPUT,
    Arithmetic,
    Between,
    Bound,
    Call,
    Comparison,
    ContextOf,
    Filter,
    For,
    FunctionOf,
    If,
    In,
    ListOf,
    Literal,
    Logic,
    Malformed,
    Name,
    Negation,
    Node,
    Parameter,
    Path,
    Quantified,
    UnaryTests,
    children,
    reads,
)
from evenkeel.policy.feel.values import Value
from evenkeel.policy.meaning import SEVERAL, VOID, Results, argument, holds, meaning, result_type, typed

_MOST_ARGUMENTS = {"min": 20, "max": 20, "floor": 1, "ceiling": 1, "abs": 1}
_MOST_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Tabled:
    """A table that was read: where it stands, its rules' conditions, and which of them decide."""

    owner: str
    table: DecisionTable
    rules: Sequence[Sequence[Condition]]
    rank: Sequence[object]
    which: Finite
    results: Results | None


class Walk:
    """One model read through an algebra. inputs: what each input data element is, by its id."""

    def __init__(self, model: Definitions, algebra: Algebra, inputs: Mapping[str, Abstract]) -> None:
        self._model = model
        self._algebra = algebra
        self._inputs = inputs
        self._decisions = {decision.id: decision for decision in model.decisions}
        self._knowledge = {entry.id: entry for entry in model.knowledge}
        self._read: dict[str, Abstract] = {}
        self._depth = 0
        self.hits: dict[str, Finite] = {}  # which rules decide, by the decision whose table they are of
        self.tables: list[Tabled] = []
        self._owner = ""
        self.fallback: Callable[[Decision], Abstract] | None = None

    def decision(self, decision_id: str) -> Abstract:
        """What a decision gives. Raises Outside, unless there is a `fallback` that gives it by other means."""
        if decision_id not in self._read:
            decision = self._decisions.get(decision_id)
            if decision is None or decision.expression is None:
                raise Outside(f"decision {decision_id} has nothing to evaluate")
            outer, self._owner = self._owner, decision.name
            try:
                found = self._typed(self._decided(decision), decision.type_ref)
            except Outside:
                if self.fallback is None:
                    raise
                found = self.fallback(decision)
            finally:
                self._owner = outer
            self._read[decision_id] = found
        return self._read[decision_id]

    def _decided(self, decision: Decision) -> Abstract:
        scope = self.scope(decision)
        if not isinstance(decision.expression, DecisionTable):
            return self.expression(decision.expression, scope)
        found, self.hits[decision.id] = self.table(decision.expression, scope, decision.type_ref)
        return found

    def scope(self, owner: Decision | KnowledgeModel) -> dict[str, Abstract]:
        """What an element's expression may name."""
        return {requirement.name: self._required(requirement) for requirement in owner.requires}

    def _required(self, requirement: Requirement) -> Abstract:
        if requirement.alias:
            raise Outside(f"{requirement.name} is of another file")
        if requirement.kind == "input" and requirement.id in self._inputs:
            return self._inputs[requirement.id]
        if requirement.kind == "decision":
            return self.decision(requirement.id)
        known = self._knowledge.get(requirement.id)
        if known is None:
            raise Outside(f"{requirement.name} is not in the file")
        return self._closure(known.function, self.scope(known), result_type(self._model, known))

    def _closure(self, function: FunctionDefinition, scope: Scope, result: str) -> Closure:
        if function.kind != "FEEL":
            raise Outside(f"a function of kind {function.kind}")
        return Closure(function.parameters, result, function.body, scope)

    def _typed(self, value: Abstract, type_ref: str) -> Abstract:
        """A value held to its type, as the interpreter does."""
        if not type_ref or isinstance(value, Closure):
            return value
        if isinstance(value, Struct):
            if typed(self._model, type_ref) is not None:
                raise Outside(f"a context held to the type {type_ref}")
            return value
        if isinstance(value, Open):
            if getattr(value, "kind", "") == type_ref:
                return value
            raise Outside(f"the type {type_ref}")
        coerce = typed(self._model, type_ref)
        return value if coerce is None else self._algebra.lift(coerce, [value])

    # ---- Boxed expressions -----------------------------------------------------------------------------------------

    def expression(self, expression: Expression | Node | None, scope: Scope) -> Abstract:
        """What an expression gives."""
        match expression:
            case LiteralExpression(node=node):
                return self.node(node, scope)
            case DecisionTable():
                return self.table(expression, scope, "")[0]
            case BoxedContext(entries=entries):
                return self._context(entries, scope)
            case Conditional(condition=condition, positive=positive, negative=negative):
                which = self._finite(self.expression(condition, scope), "if")
                branches = [self.expression(positive, scope), self.expression(negative, scope)]
                return self._choose(which, lambda value: 0 if value is True else 1, branches)
            case Invocation(function=function, bindings=bindings):
                called = self.node(function.node, scope)
                given = {entry.name: self._entry(entry, scope) for entry in bindings}
                return self._invoke(called, given, function.text)
            case FunctionDefinition():
                return self._closure(expression, scope, expression.type_ref)
            case Node():
                return self.node(expression, scope)
            case None:
                return self._algebra.constant(None)
            case _:
                raise Outside(f"a boxed {type(expression).__name__}")

    def _entry(self, entry: Entry, scope: Scope) -> Abstract:
        return self._typed(self.expression(entry.expression, scope), entry.type_ref)

    def _context(self, entries: tuple[Entry, ...], scope: Scope) -> Abstract:
        seen, made = dict(scope), {}
        for entry in entries:
            value = self._entry(entry, seen)
            if not entry.name:
                return value
            seen[entry.name] = made[entry.name] = value
        return Struct(made)

    def _invoke(self, called: Abstract, given: Mapping[str, Abstract], text: str) -> Abstract:
        if not isinstance(called, Closure):
            raise Outside(f"the call of {text}")
        if set(given) != {parameter.name for parameter in called.parameters}:
            raise Outside(f"the arguments of {text}")
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise Outside(f"{text} calls itself too deeply")
        try:
            bound, fit = dict(called.scope), []
            for parameter in called.parameters:
                value = given[parameter.name]
                bound[parameter.name], fits = self._argument(value, parameter)
                fit += fits
            found = self._typed(self.expression(called.body, bound), called.result)
        finally:
            self._depth -= 1
        if not fit:
            return found
        null = self._algebra.constant(None)
        which = self._algebra.lift(lambda *each: all(each), fit)
        return self._choose(which, lambda every: 0 if every else 1, [found, null])

    def _argument(self, value: Abstract, parameter: Parameter) -> tuple[Abstract, list[Finite]]:
        """An argument as its parameter takes it, and where it fits; a call with one that does not is null."""
        if parameter.type is None or (isinstance(value, Open) and value.kind == getattr(parameter.type, "name", "")):
            return value, []
        taken = argument(self._model, parameter.type)
        given = self._finite(value, parameter.name)
        return self._algebra.lift(lambda one: taken(one)[0], [given]), [
            self._algebra.lift(lambda one: taken(one)[1], [given])
        ]

    # ---- Tables ----------------------------------------------------------------------------------------------------

    def table(self, table: DecisionTable, scope: Scope, type_ref: str) -> tuple[Abstract, Finite]:
        """What a table gives, and by which rules: finite where its outputs are constants, else read entry by entry."""
        columns = [self._column(clause, place, table, scope) for place, clause in enumerate(table.inputs)]
        rules = [
            [found for place, cell in enumerate(rule.cells) for found in self._condition(cell, columns[place], scope)]
            for rule in table.rules
        ]
        outputs = [output for rule in table.rules for output in rule.outputs]
        outputs += [clause.default for clause in table.outputs if clause.default is not None]
        constant = all(is_constant(output.node) for output in outputs)
        if not constant and table.hit_policy not in (HitPolicy.UNIQUE, HitPolicy.FIRST):
            raise Outside(f"a table of {table.hit_policy.value} with outputs that are calculated")
        results = Results(self._model, table, type_ref)
        rank = results.ranks() if constant else [0] * len(table.rules)
        which = self._algebra.hits(rules, table.hit_policy, rank) if rules else self._algebra.constant(())
        which = self._within(table, columns, which)
        self.tables.append(Tabled(self._owner, table, rules, rank, which, results if constant else None))
        found = self._algebra.lift(results.of, [which]) if constant else self._calculated(table, which, scope)
        return found, which

    def _within(self, table: DecisionTable, columns: Sequence[Column], which: Finite) -> Finite:
        """Hits held to the allowed values of the columns: outside them the table gives nothing at all."""
        checks = []
        for clause, column in zip(table.inputs, columns, strict=True):
            if clause.values is not None:
                tests = clause.values
                if column.cut is None or cuts(tests, INPUT) is None:
                    raise Outside("input values that are calculated")
                checks.append(self._algebra.lift(_admits(tests), [column.cut]))
        if not checks:
            return which
        inside = self._algebra.lift(lambda *each: all(each), checks)
        chosen = self._algebra.choose(inside, lambda every: 0 if every else 1, [which, self._algebra.constant(VOID)])
        assert isinstance(chosen, Finite)  # noqa: S101 - as its options are
        return chosen

    def _calculated(self, table: DecisionTable, which: Finite, scope: Scope) -> Abstract:
        none = len(table.rules)
        made: dict[str, Abstract] = {}
        for place, clause in enumerate(table.outputs):
            rest = self._algebra.constant(None) if clause.default is None else self.expression(clause.default, scope)
            options = [self._allowed(self.expression(rule.outputs[place], scope), clause) for rule in table.rules]
            null = self._algebra.constant(None)
            made[clause.name] = self._choose(which, lambda hit: _option(hit, none), [*options, rest, null])
        if len(table.outputs) == 1:
            return next(iter(made.values()))
        return Struct(made, perhaps_null=True)

    def _allowed(self, output: Abstract, clause: OutputClause) -> Abstract:
        """An output held to the allowed values of its column: null where it is none of them."""
        tests = clause.values
        if tests is None:
            return output
        given = self._finite(output, "an output with allowed values")
        return self._algebra.lift(lambda one: one if holds(tests, one) else None, [given])

    def _column(self, clause: InputClause, place: int, table: DecisionTable, scope: Scope) -> Column:
        """A column; an open one is cut by all that its cells compare it with, where these are constants."""
        value = self.node(clause.expression.node, scope)
        if isinstance(value, Struct):
            value = self._finite(value, clause.expression.text)
        if not isinstance(value, Open):
            return Column(value, self._finite(value, clause.expression.text))
        tests = [clause.values, *(rule.cells[place].tests for rule in table.rules)]
        return Column(value, self._cut(value, [test for test in tests if _cuttable(test, value.kind)], INPUT))

    def _cut(self, value: Open, tests: Iterable[Node | UnaryTests | None], name: str) -> Finite | None:
        """A value cut by what tests compare it with; None where one of them does anything else with it."""
        found: set[Value] = set()
        for test in tests:
            if test is None:
                continue
            constants = cuts(test, name)
            if constants is None or (value.kind == "string" and orders(test)):
                return None
            for constant in constants:
                found |= parts(meaning(constant, {}))
        return self._algebra.cut(value, frozenset(found))

    def _condition(self, cell: Cell, column: Column, scope: Scope) -> list[Condition]:
        """A cell as conditions, all of which must hold; none for `-`."""
        tests = cell.tests
        if tests is None:
            return [Condition(self._algebra.constant(False), bool)]
        if tests.anything:
            return []
        kind = column.value.kind if isinstance(column.value, Open) else ""
        if column.cut is not None and _cuttable(tests, kind):
            return [Condition(column.cut, lambda value: holds(tests, value))]
        known = {**scope, INPUT: column.value}
        found = [self._finite(self._test(test, known), cell.text) for test in tests.tests]
        if tests.negated:  # the three-valued `not`: holds where every test is known to be false
            return [Condition(self._algebra.lift(lambda *each: all(one is False for one in each), found), bool)]
        return [Condition(self._algebra.lift(lambda *each: any(one is True for one in each), found), bool)]

    def _test(self, test: Node, scope: Scope) -> Abstract:
        """A test of a cell that is calculated, as a comparison with the column."""
        column = Name(INPUT)
        match test:
            case Bound(operator=operator, operand=operand):
                return self.node(Comparison(operator, column, operand), scope)
            case Node() if reads(test, INPUT):
                return self.node(test, scope)
            case _ if is_constant(test) and not isinstance(scope[INPUT], Open):
                return self._algebra.lift(
                    lambda value: holds(UnaryTests((test,)), value), [self._finite(scope[INPUT], "a cell")]
                )
            case _:
                raise Outside("a cell that is calculated")

    # ---- FEEL ------------------------------------------------------------------------------------------------------

    def node(self, node: Node, scope: Scope) -> Abstract:
        """What a FEEL expression gives."""
        match node:
            case Literal(value=value):
                return self._algebra.constant(value)
            case Malformed(message=message):
                raise Outside(message)
            case Name(name=name):
                if name not in scope:
                    raise Outside(f"the name {name}")
                return scope[name]
            case Path(source=source, name=name):
                return self._path(self.node(source, scope), name, node)
            case ContextOf(entries=entries):
                return self._context(tuple(Entry(name, "", _literal(value)) for name, value in entries), scope)
            case If(condition=condition, positive=positive, negative=negative):
                which = self._finite(self.node(condition, scope), "if")
                branches = [self.node(positive, scope), self.node(negative, scope)]
                return self._choose(which, lambda value: 0 if value is True else 1, branches)
            case Arithmetic(operator=operator, left=left, right=right):
                operands = [self.node(left, scope), self.node(right, scope)]
                return self._calculate(operator, operands, node)
            case Negation(operand=operand):
                return self._calculate("neg", [self.node(operand, scope)], node)
            case Comparison() | Between() | In():
                return self._comparison(node, scope)
            case Call():
                return self._call(node, scope)
            case For() | Quantified() | Filter() | FunctionOf():
                return self._bound(node, scope)
            case _:
                return self._generic(node, [self.node(child, scope) for child in _nodes(node)])

    def _path(self, source: Abstract, name: str, node: Path) -> Abstract:
        if isinstance(source, Struct):
            return source.entries.get(name, self._algebra.constant(None))
        return self._generic(node, [source])

    def _calculate(self, operator: str, operands: Sequence[Abstract], node: Node) -> Abstract:
        if not any(isinstance(operand, Open) for operand in operands):
            return self._generic(node, operands)
        if operator not in ("+", "-", "*", "/", "neg", *NUMERIC):
            raise Outside(f"{operator} of a number that is not known")
        return self._algebra.arithmetic(operator, [self._open(operand) for operand in operands])

    def _comparison(self, node: Comparison | Between | In, scope: Scope) -> Abstract:
        first, *others = _nodes(node)
        value = self.node(first, scope)
        if isinstance(value, Open):
            placed = _with_children(node, iter([Name("left"), *others]))
            cut = self._cut(value, [placed], "left")
            if cut is not None:
                return self._algebra.lift(lambda one: meaning(placed, {"left": one}), [cut])
        if not isinstance(node, Comparison):
            return self._spanned(node, value, scope)
        other = self.node(others[0], scope)
        if isinstance(other, Open):
            flipped = _with_children(node, iter([first, Name("right")]))
            cut = self._cut(other, [flipped], "right")
            if cut is not None:
                return self._algebra.lift(lambda one: meaning(flipped, {"right": one}), [cut])
        if isinstance(value, Open) or isinstance(other, Open):
            return self._algebra.compare(node.operator, self._open(value), self._open(other))
        return self._generic(node, [value, other])

    def _spanned(self, node: Between | In, value: Abstract, scope: Scope) -> Abstract:
        """`between` and `in` with ends that are calculated."""
        if isinstance(node, In):
            return self._bound(node, scope)
        known = {**scope, "(value)": value}
        sides = [Comparison(">=", Name("(value)"), node.low), Comparison("<=", Name("(value)"), node.high)]
        both = [self._finite(self.node(side, known), "between") for side in sides]
        return self._algebra.lift(lambda a, b: meaning(_AND, {"a": a, "b": b}), both)

    def _call(self, node: Call, scope: Scope) -> Abstract:
        function = node.function
        if not (isinstance(function, Name) and function.name not in scope):
            called = self.node(function, scope)
            if not isinstance(called, Closure):
                raise Outside("a call of what is no function")
            if not node.named and len(node.positional) != len(called.parameters):
                raise Outside("a call with too many or too few arguments")
            names = [parameter.name for parameter in called.parameters]
            given = dict(zip(names, node.positional, strict=False)) | dict(node.named)
            return self._invoke(called, {key: self.node(value, scope) for key, value in given.items()}, "a function")
        if function.name in ("min", "max") and len(node.positional) == 1 and isinstance(node.positional[0], ListOf):
            node = Call(function, node.positional[0].items)
        arguments = [self.node(value, scope) for value in (*node.positional, *(value for _, value in node.named))]
        if any(isinstance(argument, Open) for argument in arguments):
            if node.named or function.name not in NUMERIC or len(arguments) > _MOST_ARGUMENTS[function.name]:
                raise Outside(f"{function.name}() of a value that is not known")
            return self._algebra.arithmetic(function.name, [self._open(argument) for argument in arguments])
        return self._generic(node, [None, *arguments])

    def _bound(self, node: Node, scope: Scope) -> Abstract:
        """An expression with variables of its own: a function of its sources and of the finite variables it reads."""
        known = dict(scope)
        node = self._sourced(node, known)
        names = sorted({name for name in _names(node) if name in known})
        operands = [self._finite(known[name], name) for name in names]
        return self._algebra.lift(lambda *values: meaning(node, dict(zip(names, values, strict=True))), operands)

    def _sourced(self, node: Node, known: dict[str, Abstract]) -> Node:
        """The expression over sources that are read first, where they need none of its own variables."""
        if isinstance(node, Filter):
            known["(source)"] = self.node(node.source, known)
            return replace(node, source=Name("(source)"))
        if not isinstance(node, For | Quantified):
            return node
        own: set[str] = set()
        iterations = []
        for place, iteration in enumerate(node.iterations):
            if iteration.until is None and not own & _names(iteration.source):
                name = f"(source {place})"
                known[name] = self.node(iteration.source, known)
                iteration = replace(iteration, source=Name(name))
            own.add(iteration.name)
            iterations.append(iteration)
        return replace(node, iterations=tuple(iterations))

    def _generic(self, node: Node, parts: Sequence[Abstract | None]) -> Abstract:
        """A node over finite parts, given to the interpreter; a part that is None stays as it is written."""
        names, placed, operands = [], [], []
        for place, (child, part) in enumerate(zip(_nodes(node), parts, strict=True)):
            if part is None:
                placed.append(child)
                continue
            names.append(f"({place})")
            placed.append(Name(names[-1]))
            operands.append(self._finite(part, "an expression"))
        made = _with_children(node, iter(placed))
        return self._algebra.lift(lambda *values: meaning(made, dict(zip(names, values, strict=True))), operands)

    # ---- Kinds -----------------------------------------------------------------------------------------------------

    def _finite(self, value: Abstract, what: str) -> Finite:
        if isinstance(value, Struct):
            if value.perhaps_null:
                raise Outside(f"{what} as a whole")
            names = list(value.entries)
            parts = [self._finite(value.entries[name], what) for name in names]
            return self._algebra.lift(lambda *values: dict(zip(names, values, strict=True)), parts)
        if isinstance(value, Closure):
            raise Outside(f"{what} is a function")
        if isinstance(value, Open):
            raise Outside(f"{what} of a value that is not known")
        return value

    def _open(self, value: Abstract) -> Open:
        if isinstance(value, Open):
            if value.kind != "number":
                raise Outside("arithmetic with dates")
            return value
        return self._algebra.number(self._finite(value, "arithmetic"))

    def _choose(self, which: Finite, pick: Callable[[Value], int], options: Sequence[Abstract]) -> Abstract:
        if any(isinstance(option, Closure) for option in options):
            raise Outside("a choice of functions")
        if any(isinstance(option, Struct) for option in options):
            if not all(isinstance(option, Struct) for option in options):
                raise Outside("a choice of contexts and others")
            structs = [option for option in options if isinstance(option, Struct)]
            names = dict.fromkeys(name for struct in structs for name in struct.entries)
            null = self._algebra.constant(None)
            return Struct(
                {name: self._choose(which, pick, [s.entries.get(name, null) for s in structs]) for name in names},
                any(struct.perhaps_null for struct in structs),
            )
        if any(isinstance(option, Open) for option in options):
            return self._algebra.choose(which, pick, [self._open(option) for option in options])
        return self._algebra.choose(which, pick, [self._finite(option, "a choice") for option in options])


# ---- Trees ---------------------------------------------------------------------------------------------------------

_AND = Logic("and", Name("a"), Name("b"))


def _nodes(node: Node) -> list[Node]:
    """The expressions directly below a node."""
    return [child for child in children(node) if isinstance(child, Node)]


def _with_children(node: Node, given: Iterator[Node]) -> Node:
    """The node with other expressions below it, given in the order of `children`."""

    def placed(value: object) -> object:
        if isinstance(value, Node):
            return next(given)
        return tuple(placed(part) for part in value) if isinstance(value, tuple) else value

    changed: dict[str, Any] = {field.name: placed(getattr(node, field.name)) for field in fields(node)}
    return replace(node, **changed)


def _names(node: object) -> set[str]:
    own = {node.name} if isinstance(node, Name) else set()
    return own.union(*(_names(child) for child in children(node)))


def _cuttable(tests: UnaryTests | None, kind: str) -> bool:
    """Whether a cell only compares its column with constants; texts only by being equal."""
    return tests is None or (cuts(tests, INPUT) is not None and not (kind == "string" and orders(tests)))


def _admits(tests: UnaryTests) -> Callable[[Value], bool]:
    return lambda value: value is None or holds(tests, value)


def _literal(node: Node) -> LiteralExpression:
    return LiteralExpression("", "", node)


def _option(hit: Value, none: int) -> int:
    """Which output a hit takes: its rule's, the default where none holds (`none`), or null where several do."""
    if hit in (SEVERAL, VOID):
        return none + 1
    return hit[0] if isinstance(hit, tuple) and hit else none
