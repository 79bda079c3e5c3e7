"""Evaluates FEEL trees (DMN 1.5, clause 10.3.2): the reference that compiled policies must equal.

Nothing that an expression does raises: what has no answer is null, and why is kept in `messages`. Only work without end
is stopped, by Exhausted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.arithmetic import calculate, negative
from evenkeel.policy.feel.functions import FUNCTIONS, NoAnswer, call_named, call_positional
from evenkeel.policy.feel.parser import parse_range
from evenkeel.policy.feel.paths import member
from evenkeel.policy.feel.types import converted, is_instance
from evenkeel.policy.feel.values import Date, DateTime, Function, Range, Value, compare, contains, equal, kind

_MOST_STEPS = 2_000_000
_MOST_MESSAGES = 20
_MOST_CALLS = 40  # within each other
_MOST_ITEMS = 1_000_000

# Whether a value is of a type that the model names; see types.is_instance.
NamedTypes = Callable[[str, Value], "bool | None"]


class Exhausted(InvalidInput):
    """An evaluation that takes too much work, such as a loop over a thousand million numbers."""


class Variables:
    """Names with values, and the names around them."""

    __slots__ = ("_around", "_values")

    def __init__(self, values: Mapping[str, Value], around: Variables | None = None) -> None:
        self._values = values
        self._around = around

    def find(self, name: str) -> tuple[bool, Value]:
        """Whether a name is known, and its value."""
        scope: Variables | None = self
        while scope is not None:
            if name in scope._values:
                return True, scope._values[name]
            scope = scope._around
        return False, None

    def with_values(self, values: Mapping[str, Value]) -> Variables:
        """These and more, which hide those of the same name."""
        return Variables(values, self)


NOTHING = Variables({})


@dataclass(slots=True)
class _Work:
    """What an evaluation has done so far: steps in all, and calls that are open."""

    steps: int = 0
    calls: int = 0


class Evaluator:
    """Evaluates trees and keeps why something was null.

    now: what `now()` and `today()` answer; without it they are null, so that a policy cannot depend on the clock.
    named: whether a value is of a type that a model names.
    """

    def __init__(self, now: DateTime | None = None, named: NamedTypes = lambda _name, _value: None) -> None:
        self.messages: list[str] = []
        self.named = named
        self._work = _Work()
        self._special = self._specials(now)
        self._rules: Mapping[type[n.Node], Callable[..., Value]] = {
            n.Literal: self._literal, n.Name: self._name, n.ListOf: self._list, n.ContextOf: self._context,
            n.RangeOf: self._range, n.Bound: self._bound, n.Negation: self._negation, n.Arithmetic: self._arithmetic,
            n.Comparison: self._comparison, n.Logic: self._logic, n.Between: self._between, n.In: self._in,
            n.InstanceOf: self._instance, n.If: self._if, n.For: self._for, n.Quantified: self._quantified,
            n.Filter: self._filter, n.Path: self._path, n.Call: self._call, n.FunctionOf: self._function,
            n.Malformed: self._malformed,
        }  # fmt: skip

    def among(self, named: NamedTypes) -> Evaluator:
        """The same evaluation among the types of another model: messages and work are shared."""
        other = Evaluator(named=named)
        other.messages, other._work, other._special = self.messages, self._work, self._special
        return other

    def restart(self) -> None:
        """Begin to count work anew, for another evaluation."""
        self._work = _Work()

    def evaluate(self, node: n.Node, scope: Variables = NOTHING) -> Value:
        """The value of an expression. Raises Exhausted, and nothing else."""
        self.step()
        try:
            return self._rules[type(node)](node, scope)
        except NoAnswer as problem:
            self.note(str(problem))
            return None

    def step(self, count: int = 1) -> None:
        """Count work. Raises Exhausted when it is too much."""
        self._work.steps += count
        if self._work.steps > _MOST_STEPS:
            raise Exhausted(f"the evaluation takes more than {_MOST_STEPS} steps.", "Is there a loop over too much?")

    def note(self, message: str) -> None:
        """Keep why something is null, each reason once."""
        if message and message not in self.messages and len(self.messages) < _MOST_MESSAGES:
            self.messages.append(message)

    def _specials(self, now: DateTime | None) -> Mapping[str, Function]:
        def today() -> Value:
            return None if now is None else now.date

        return {
            "now": Function("now", (), lambda: now, 0),
            "today": Function("today", (), today, 0),
            "range": Function("range", ("from",), self._range_of_text, 1),
        }

    # ---- Simple expressions ------------------------------------------------------------------------------------------

    def _literal(self, node: n.Literal, _scope: Variables) -> Value:
        return node.value

    def _malformed(self, node: n.Malformed, _scope: Variables) -> Value:
        raise NoAnswer(node.message)

    def _name(self, node: n.Name, scope: Variables) -> Value:
        known, value = scope.find(node.name)
        if known:
            return value
        if node.name in self._special:
            return self._special[node.name]
        if node.name in FUNCTIONS:
            return built_in(node.name)
        raise NoAnswer(f"there is no variable {node.name}")

    def _list(self, node: n.ListOf, scope: Variables) -> Value:
        return [self.evaluate(item, scope) for item in node.items]

    def _context(self, node: n.ContextOf, scope: Variables) -> Value:
        made: dict[str, Value] = {}
        inner = scope.with_values(made)
        for name, entry in node.entries:
            made[name] = self.evaluate(entry, inner)
        return made

    def _range(self, node: n.RangeOf, scope: Variables) -> Range:
        low, high = self.evaluate(node.low, scope), self.evaluate(node.high, scope)
        if compare(low, high) is None:
            raise NoAnswer(f"there is no range from {kind(low)} to {kind(high)}")
        return Range(low, high, node.low_closed, node.high_closed)

    def _range_of_text(self, text: Value) -> Value:
        if not isinstance(text, str):
            raise NoAnswer(f"range: it is read from a string, not {kind(text)}")
        try:
            node = parse_range(text)
        except InvalidInput as problem:
            raise NoAnswer(f"range: {problem.message}") from None
        found = self._range(node, NOTHING) if isinstance(node, n.RangeOf) else self._bound(node, NOTHING)
        if (compare(found.low, found.high) or 0) > 0:
            raise NoAnswer(f"range: {text} ends before it begins")
        return found

    def _bound(self, node: n.Bound, scope: Variables) -> Range:
        end = self.evaluate(node.operand, scope)
        if compare(end, end) is None:
            raise NoAnswer(f"there is no range up to or from {kind(end)}")
        match node.operator:
            case "<" | "<=":
                return Range(None, end, False, node.operator == "<=")
            case ">" | ">=":
                return Range(end, None, node.operator == ">=", False)
            case "=":
                return Range(end, end, True, True)
        raise NoAnswer("`!=` is no range")

    def _negation(self, node: n.Negation, scope: Variables) -> Value:
        return negative(self.evaluate(node.operand, scope))

    def _arithmetic(self, node: n.Arithmetic, scope: Variables) -> Value:
        found = calculate(node.operator, self.evaluate(node.left, scope), self.evaluate(node.right, scope))
        if isinstance(found, str):
            self.step(len(found) // 1_000)
        return found

    # ---- Truth -------------------------------------------------------------------------------------------------------

    def _comparison(self, node: n.Comparison, scope: Variables) -> Value:
        return self._compared(node.operator, self.evaluate(node.left, scope), self.evaluate(node.right, scope))

    def _compared(self, operator: str, left: Value, right: Value) -> bool | None:
        if operator in ("=", "!="):
            same = equal(left, right)
            return same if same is None or operator == "=" else not same
        order = compare(left, right)
        if order is None:
            if left is not None and right is not None:
                self.note(f"{kind(left)} and {kind(right)} have no order")
            return None
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]

    def _logic(self, node: n.Logic, scope: Variables) -> Value:
        deciding = node.operator == "or"
        left = self.evaluate(node.left, scope)
        if left is deciding:
            return deciding
        right = self.evaluate(node.right, scope)
        if right is deciding:
            return deciding
        return (not deciding) if isinstance(left, bool) and isinstance(right, bool) else None

    def _between(self, node: n.Between, scope: Variables) -> Value:
        value = self.evaluate(node.value, scope)
        above = self._compared(">=", value, self.evaluate(node.low, scope))
        below = self._compared("<=", value, self.evaluate(node.high, scope))
        if above is False or below is False:
            return False
        return True if above and below else None

    def _in(self, node: n.In, scope: Variables) -> Value:
        return self.holds(n.UnaryTests(node.tests), self.evaluate(node.value, scope), scope)

    def _instance(self, node: n.InstanceOf, scope: Variables) -> Value:
        return is_instance(self.evaluate(node.value, scope), node.type, self.named)

    def _if(self, node: n.If, scope: Variables) -> Value:
        return self.evaluate(node.positive if self.evaluate(node.condition, scope) is True else node.negative, scope)

    # ---- Cells -------------------------------------------------------------------------------------------------------

    def holds(self, tests: n.UnaryTests, value: Value, scope: Variables = NOTHING) -> bool | None:
        """Whether a value passes the tests of a cell; a rule fires only where it is True."""
        if tests.anything:
            return True
        inner = scope.with_values({n.INPUT: value})
        found = either(self._test(test, value, inner) for test in tests.tests)
        return found if found is None or not tests.negated else not found

    def _test(self, test: n.Node, value: Value, scope: Variables) -> bool | None:
        if isinstance(test, n.Bound):
            return self._compared(test.operator, value, self.evaluate(test.operand, scope))
        result = self.evaluate(test, scope)
        if n.reads(test, n.INPUT):
            return result if isinstance(result, bool) else None
        if result is None and isinstance(test, n.RangeOf):
            return None  # a range whose end is not known holds nothing, null neither
        if isinstance(result, bool) and value is not None and not isinstance(value, bool | list):
            return result
        return is_among(value, result)

    # ---- Lists -------------------------------------------------------------------------------------------------------

    def _for(self, node: n.For, scope: Variables) -> Value:
        found: list[Value] = []
        partial = n.reads(node.result, "partial")
        for inner in self._combinations(node.iterations, scope):
            if partial:
                self.step(len(found) // 10)
                inner = inner.with_values({"partial": found[:]})
            found.append(self.evaluate(node.result, inner))
        return found

    def _quantified(self, node: n.Quantified, scope: Variables) -> Value:
        deciding = node.quantifier == "some"
        unknown = False
        for inner in self._combinations(node.iterations, scope):
            found = self.evaluate(node.condition, inner)
            if found is deciding:
                return deciding
            unknown = unknown or not isinstance(found, bool)
        return None if unknown else not deciding

    def _combinations(self, iterations: Sequence[n.Iteration], scope: Variables) -> Iterator[Variables]:
        """A scope for each combination of the iterations' items, the last running fastest."""
        if not iterations:
            yield scope
            return
        first = iterations[0]
        for item in self._iterated(first, scope):
            self.step()
            yield from self._combinations(iterations[1:], scope.with_values({first.name: item}))

    def _iterated(self, iteration: n.Iteration, scope: Variables) -> Iterable[Value]:
        source = self.evaluate(iteration.source, scope)
        if iteration.until is not None:
            return counted(source, self.evaluate(iteration.until, scope))
        return items_of(source)

    def _filter(self, node: n.Filter, scope: Variables) -> Value:
        source = self.evaluate(node.source, scope)
        return self.filtered(source, lambda inner: self.evaluate(node.condition, inner), scope)

    def filtered(self, source: Value, condition: Callable[[Variables], Value], scope: Variables) -> Value:
        """Items of a list for which a condition is true, or the item whose position it gives."""
        if source is None:
            return None
        items = source if isinstance(source, list) else [source]
        kept: list[Value] = []
        for place, item in enumerate(items or [None]):
            inner = {"item": item, **item} if isinstance(item, dict) else {"item": item}
            found = condition(scope.with_values(inner))
            if isinstance(found, Decimal) and place == 0:
                return _item_at(items, found)
            if found is True and items:
                kept.append(item)
        return kept

    def _path(self, node: n.Path, scope: Variables) -> Value:
        return member(self.evaluate(node.source, scope), node.name)

    # ---- Functions ---------------------------------------------------------------------------------------------------

    def _call(self, node: n.Call, scope: Variables) -> Value:
        called = self.evaluate(node.function, scope)
        if not isinstance(called, Function):
            raise NoAnswer(f"{kind(called)} is no function")
        if node.named:
            return self.call_named(called, {name: self.evaluate(value, scope) for name, value in node.named})
        return self.call(called, [self.evaluate(value, scope) for value in node.positional])

    def call(self, called: Function, arguments: Sequence[Value]) -> Value:
        """A function of arguments by position. Raises NoAnswer where it does not take as many."""
        self.step(1 + sum(len(value) for value in arguments if isinstance(value, list | str)))
        if not called.variadic and not called.least <= len(arguments) <= len(called.parameters):
            raise NoAnswer(f"{called.name} takes {len(called.parameters)} arguments, not {len(arguments)}")
        if self._work.calls >= _MOST_CALLS:
            raise NoAnswer(f"functions call each other more than {_MOST_CALLS} deep")
        self._work.calls += 1
        try:
            return called.call(*arguments)
        finally:
            self._work.calls -= 1

    def call_named(self, called: Function, arguments: dict[str, Value]) -> Value:
        """A function of named arguments. Raises NoAnswer where it has not these parameters."""
        if called.variadic:
            return call_named(called.name, arguments)
        if arguments.keys() != set(called.parameters):
            raise NoAnswer(
                f"{called.name} has the parameters {', '.join(called.parameters)}, not {', '.join(arguments)}"
            )
        return self.call(called, [arguments[name] for name in called.parameters])

    def _function(self, node: n.FunctionOf, scope: Variables) -> Value:
        if node.external:
            raise NoAnswer("functions of other languages are not run; write it in FEEL")
        return self.closure("function", node.parameters, lambda inner: self.evaluate(node.body, inner), scope)

    def closure(
        self, name: str, parameters: Sequence[n.Parameter], body: Callable[[Variables], Value], scope: Variables
    ) -> Function:
        """A function value of a body that is evaluated in `scope` with the arguments bound, each as of its type."""

        def call(*arguments: Value) -> Value:
            bound: dict[str, Value] = {}
            for parameter, value in zip(parameters, arguments, strict=True):
                bound[parameter.name], fits = converted(value, parameter.type, self.named)
                if not fits:
                    self.note(f"{name}: {parameter.name} is given {kind(value)}, which is not of its type")
            return body(scope.with_values(bound))

        names = tuple(parameter.name for parameter in parameters)
        return Function(name, names, call, len(names), types=tuple(parameter.type for parameter in parameters))


def built_in(name: str) -> Function:
    """A built-in function as a value."""
    return Function(name, (), lambda *arguments: call_positional(name, arguments), 0, variadic=True)


def either(results: Iterable[bool | None]) -> bool | None:
    """`or` over many, in the three-valued logic; False of none."""
    found: bool | None = False
    for result in results:
        if result is True:
            return True
        if result is None:
            found = None
    return found


def is_among(value: Value, wanted: Value) -> bool | None:
    """Whether a value is what a test gives: equal to it, an item of its list, or within its range."""
    if isinstance(wanted, Range):
        if isinstance(value, Range):
            return equal(value, wanted)
        return contains(wanted, value)
    if isinstance(wanted, list):
        if isinstance(value, list) and equal(value, wanted):
            return True
        return either(is_among(value, item) for item in wanted)
    return equal(value, wanted)


def counted(first: Value, last: Value) -> Iterable[Value]:
    """Whole numbers or days from one to another, both in, up or down. Raises NoAnswer of anything else."""
    if isinstance(first, Date) and isinstance(last, Date):
        begin, end = first.ordinal, last.ordinal
        make: Callable[[int], Value] = Date.of_ordinal
    elif isinstance(first, Decimal) and isinstance(last, Decimal) and first == int(first) and last == int(last):
        begin, end, make = int(first), int(last), Decimal
    else:
        raise NoAnswer(f"there is no counting from {kind(first)} to {kind(last)}")
    step = 1 if begin <= end else -1
    if abs(end - begin) >= _MOST_ITEMS:
        raise Exhausted(f"a loop from {first} to {last} is longer than {_MOST_ITEMS}.", "Loop over less.")
    return (make(number) for number in range(begin, end + step, step))


def items_of(source: Value) -> Iterable[Value]:
    """What a loop goes over: a list's items, a range's whole numbers or days, else the value alone."""
    if source is None:
        raise NoAnswer("a loop goes over a list, not null")
    if isinstance(source, Range):
        low, high = source.low, source.high
        for item in counted(low, high):
            if contains(source, item):
                yield item
        return
    yield from source if isinstance(source, list) else [source]


def _item_at(items: Sequence[Value], position: Decimal) -> Value:
    place = int(position)
    if position != place or place == 0 or abs(place) > len(items):
        return None
    return items[place - 1 if place > 0 else place]
