"""FEEL text into its syntax tree: recursive descent over tokens, names by longest match (DMN 1.5, clause 10.3.1.2).

Binding, from the loosest: `or`; `and`; comparison, `between`, `in`; `+ -`; `* /`; `**`; unary `-`; `instance of`; path,
filter and call. Every operator binds to the left.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, DecimalException
from typing import NoReturn

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.function_names import FUNCTION_NAMES
from evenkeel.policy.feel.scope import Scope, plain_name
from evenkeel.policy.feel.temporal import parse_temporal
from evenkeel.policy.feel.tokens import Kind, Token, Unreadable, tokens_of
from evenkeel.policy.feel.values import NUMBERS

MOST_DEPTH = 100  # of the tree; the evaluator descends as deep
_MOST_NESTING = 60  # of the parser's own descent, some five calls each

KEYWORDS = frozenset(
    {"if", "then", "else", "for", "in", "return", "some", "every", "satisfies", "and", "or", "between", "instance"}
    | {"of", "true", "false", "null", "function", "external"}
)
TYPE_NAMES = (
    "Any", "Null", "number", "string", "boolean", "date", "time", "date and time", "days and time duration",
    "years and months duration", "context", "list", "range", "function",
)  # fmt: skip
_LOOSEST_TO_TIGHTEST = (("or",), ("and",), ("=", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"), ("**",))
_COMPARING = 2
_BOUNDS = _LOOSEST_TO_TIGHTEST[_COMPARING]
_ORDERS = ("<", "<=", ">", ">=")  # before an end, they write a range
_WRITTEN_BY_CALL = frozenset({"date", "time", "date and time", "duration"})
_OPERATORS = {operator: level for level, operators in enumerate(_LOOSEST_TO_TIGHTEST) for operator in operators}
_NAME_SYMBOLS = frozenset("-+*/.'") | {"**"}


def parse_expression(text: str, scope: Scope | Iterable[str] = ()) -> n.Node:
    """The tree of an expression.

    scope: the names of variables and functions that it may use; built-in functions are always known.
    Raises InvalidInput with the place and what was expected.
    """
    names = _scope(scope)
    with names.text():
        return _Parser(text, names).whole_expression()


def parse_tests(text: str, scope: Scope | Iterable[str] = ()) -> n.UnaryTests:
    """The tests of an input cell or of allowed values. Raises InvalidInput with the place and what was expected."""
    names = _scope(scope)
    with names.text():
        return _Parser(text, names).whole_tests()


def parse_values(text: str, scope: Scope | Iterable[str] = ()) -> tuple[n.Node, ...]:
    """The expressions of a list such as output values, in order. Raises InvalidInput as parse_tests does."""
    return parse_tests(text, scope).tests


def parse_range(text: str) -> n.RangeOf | n.Bound:
    """The tree of a range literal (rule 66): its ends are literals, and beside an open bracket there may be none.

    Raises InvalidInput with the place and what was expected.
    """
    return _Parser(text, Scope(())).whole_range()


def parse_type(text: str, scope: Scope | Iterable[str] = ()) -> n.Type:
    """A type as written after `instance of`. Raises InvalidInput with the place and what was expected."""
    names = _scope(scope)
    with names.text():
        return _Parser(text, names).whole_type()


def _scope(given: Scope | Iterable[str]) -> Scope:
    return given if isinstance(given, Scope) else Scope(given)


class _Parser:
    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._place = 0
        self._scope = scope
        self._nesting = 0
        self._depths: dict[int, int] = {}
        self._made: list[object] = []  # keeps nodes alive, so that an id names one
        self._filters_allowed = True

    # ---- Whole texts -------------------------------------------------------------------------------------------------

    def whole_expression(self) -> n.Node:
        found = self._expression()
        self._end()
        return found

    def whole_tests(self) -> n.UnaryTests:
        if [token.text for token in self._tokens[:2]] == ["-", ""] and len(self._tokens) == 2:
            return n.UnaryTests(())
        if self._is("not") and self._tokens[1].text == "(":
            start = self._place
            self._place += 2
            try:
                with self._scope.text():
                    tests = self._tests()
                self._take(")")
                self._end()
                return n.UnaryTests(tests, negated=True)
            except InvalidInput:
                self._place = start  # `not(a) and b` is one expression
        tests = self._tests()
        self._end()
        return n.UnaryTests(tests)

    def whole_range(self) -> n.RangeOf | n.Bound:
        at = self._token.start
        opening = self._bracket("[", "(", "]")
        low = None if self._is("..") and opening != "[" else self._literal_end()
        self._take("..")
        high = None if self._is(")", "[") and low is not None else self._literal_end()
        closing = self._bracket("]", ")", "[")
        self._end()
        if low is not None and high is not None:
            return n.RangeOf(low, high, opening == "[", closing == "]", at=at)
        if low is not None:
            return n.Bound(">=" if opening == "[" else ">", low, at=at)
        assert high is not None  # noqa: S101 - one end is there
        return n.Bound("<=" if closing == "]" else "<", high, at=at)

    def _bracket(self, *allowed: str) -> str:
        if not self._is(*allowed):
            self._fail(f"one of {' '.join(allowed)}")
        self._place += 1
        return self._tokens[self._place - 1].text

    def _literal_end(self) -> n.Node:
        """An end of a range literal: a number, a text, a date, a time or a duration, as it is written."""
        allowed, self._filters_allowed = self._filters_allowed, False
        start, found = self._place, self._operation(_COMPARING + 1)
        self._filters_allowed = allowed
        match found:
            case n.Literal(value) if value is not None and not isinstance(value, bool):
                return found
            case n.Negation(n.Literal(Decimal())):
                return found
            case n.Call(n.Name(name), (n.Literal(str()),), ()) if name in _WRITTEN_BY_CALL:
                return found
        self._place = start
        return self._fail("a literal")

    def whole_type(self) -> n.Type:
        found = self._type()
        self._end()
        return found

    def _end(self) -> None:
        if self._token.kind is not Kind.END:
            self._fail("an operator or the end")

    # ---- Tokens ------------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._place]

    def _is(self, *texts: str) -> bool:
        token = self._token
        return token.kind in (Kind.NAME, Kind.SYMBOL) and token.text in texts

    def _accept(self, text: str) -> bool:
        if not self._is(text):
            return False
        self._place += 1
        return True

    def _take(self, text: str) -> Token:
        if not self._is(text):
            self._fail(f"`{text}`")
        self._place += 1
        return self._tokens[self._place - 1]

    def _fail(self, expected: str) -> NoReturn:
        token = self._token
        what = "the text ends" if token.kind is Kind.END else f"found {self._text[token.start : token.end][:40]}"
        raise Unreadable(self._text, token.start, f"expected {expected}, {what}")

    def _node(self, node: n.Node) -> n.Node:
        """Account for the depth of a new node. Raises Unreadable where it is too deep to be evaluated."""
        depth = 1 + max((self._depth(child) for child in n.children(node)), default=0)
        if depth > MOST_DEPTH:
            raise Unreadable(self._text, node.at, f"the expression is more than {MOST_DEPTH} levels deep")
        self._depths[id(node)] = depth
        self._made.append(node)
        return node

    def _depth(self, part: object) -> int:
        if isinstance(part, n.Iteration):
            return max(self._depth(child) for child in n.children(part))
        return self._depths.get(id(part), 0)

    # ---- Expressions -------------------------------------------------------------------------------------------------

    def _expression(self) -> n.Node:
        self._nesting += 1
        if self._nesting > _MOST_NESTING:
            raise Unreadable(self._text, self._token.start, f"brackets are nested more than {_MOST_NESTING} deep")
        allowed, self._filters_allowed = self._filters_allowed, True
        try:
            return self._operation(0)
        finally:
            self._nesting -= 1
            self._filters_allowed = allowed

    def _operation(self, loosest: int) -> n.Node:
        """An expression whose operators bind at least as tightly as a level of the table."""
        left = self._negation()
        while True:
            token = self._token
            level = _OPERATORS.get(token.text) if token.kind in (Kind.NAME, Kind.SYMBOL) else None
            if level is None and self._is("between", "in"):
                level = _COMPARING
            if level is None or level < loosest:
                return left
            self._place += 1
            left = self._node(self._operator(left, token.text, level, token.start))

    def _operator(self, left: n.Node, operator: str, level: int, at: int) -> n.Node:
        if operator == "between":
            low = self._operation(_COMPARING + 1)
            self._take("and")
            return n.Between(left, low, self._operation(_COMPARING + 1), at=at)
        if operator == "in":
            return n.In(left, self._in_tests(), at=at)
        right = self._bound() if operator in ("=", "!=") and self._is(*_ORDERS) else self._operation(level + 1)
        if level < _COMPARING:
            return n.Logic(operator, left, right, at=at)
        if level == _COMPARING:
            return n.Comparison(operator, left, right, at=at)
        return n.Arithmetic(operator, left, right, at=at)

    def _negation(self) -> n.Node:
        at = self._token.start
        signs = 0
        while self._accept("-"):
            signs += 1
        node = self._instance()
        for _ in range(signs):
            node = self._node(n.Negation(node, at=at))
        return node

    def _instance(self) -> n.Node:
        node = self._postfix()
        while self._is("instance"):
            at = self._take("instance").start
            self._take("of")
            node = self._node(n.InstanceOf(node, self._type(), at=at))
        return node

    def _postfix(self) -> n.Node:
        node = self._primary()
        while True:
            at = self._token.start
            if self._accept("."):
                node = self._node(n.Path(node, self._member(), at=at))
            elif self._is("(") and isinstance(node, n.Name | n.Path | n.Call | n.FunctionOf | n.Filter):
                node = self._node(self._call(node, at))
            elif self._is("[") and self._filters_allowed:
                self._place += 1
                self._scope.enter(["item"], filtering=True)
                condition = self._expression()
                self._scope.leave(filtering=True)
                self._take("]")
                node = self._node(n.Filter(node, condition, at=at))
            else:
                return node

    def _member(self) -> str:
        name, count = self._scope.members.match(self._tokens, self._place)
        if count:
            self._place += count
            return name
        for special in ("time offset", "start included", "end included"):
            words = special.split()
            if [token.text for token in self._tokens[self._place : self._place + 2]] == words:
                self._place += 2
                return special
        if self._token.kind is not Kind.NAME:
            self._fail("the name of a component")
        self._place += 1
        return self._tokens[self._place - 1].text

    def _call(self, function: n.Node, at: int) -> n.Node:
        self._take("(")
        if self._accept(")"):
            return n.Call(function, at=at)
        named: list[tuple[str, n.Node]] = []
        positional: list[n.Node] = []
        while True:
            name = self._label()
            if name is not None:
                named.append((name, self._expression()))
            else:
                positional.append(self._argument())
            if not self._accept(","):
                break
        self._take(")")
        if named and positional:
            raise Unreadable(self._text, at, "arguments are all named or all by position")
        return n.Call(function, tuple(positional), tuple(named), at=at)

    def _argument(self) -> n.Node:
        return self._bound() if self._is(*_ORDERS) else self._expression()

    def _label(self) -> str | None:
        """A name before a colon, as of an argument or an entry; None, and nothing taken, where there is none."""
        start = place = self._place
        if self._tokens[place].kind is Kind.TEXT and self._tokens[place + 1].text == ":":
            self._place = place + 2
            return self._tokens[place].text
        while self._tokens[place].kind in (Kind.NAME, Kind.NUMBER) or self._tokens[place].text in _NAME_SYMBOLS:
            place += 1
        if place == start or self._tokens[place].text != ":" or self._tokens[start].kind is not Kind.NAME:
            return None
        self._place = place + 1
        return plain_name(self._text[self._tokens[start].start : self._tokens[place - 1].end])

    # ---- Primary expressions -----------------------------------------------------------------------------------------

    def _primary(self) -> n.Node:
        token = self._token
        if token.kind is Kind.NUMBER:
            return self._number(token)
        if token.kind is Kind.TEXT:
            self._place += 1
            return self._node(n.Literal(token.text, at=token.start))
        if token.kind is Kind.NAME:
            return self._word(token)
        opening = {"[": self._list_or_range, "(": self._group_or_range, "]": self._open_range, "{": self._context}
        if token.kind is Kind.SYMBOL and token.text in opening:
            self._place += 1
            return self._node(opening[token.text](token.start))
        if self._accept("@"):
            return self._at_literal(token)
        return self._fail("a value")

    def _number(self, token: Token) -> n.Node:
        try:
            value = NUMBERS.create_decimal(token.text)
        except DecimalException:
            self._fail("a number below 10**6145")
        self._place += 1
        return self._node(n.Literal(value, at=token.start))

    def _at_literal(self, token: Token) -> n.Node:
        text = self._token
        if text.kind is not Kind.TEXT:
            self._fail('a text in quotes, such as @"2024-05-31"')
        value = parse_temporal(text.text)
        if value is None:
            self._fail("a date, time, date and time or duration as in ISO 8601")
        self._place += 1
        return self._node(n.Literal(value, at=token.start))

    def _word(self, token: Token) -> n.Node:
        """A keyword's form, or a name."""
        name, count = self._scope.variable(self._tokens, self._place)
        built, built_count = FUNCTION_NAMES.match(self._tokens, self._place)
        if built_count > count:
            name, count = built, built_count
        if count > 1 or (count == 1 and token.text not in KEYWORDS):
            self._place += count
            return self._node(n.Name(name, at=token.start))
        self._place += 1
        forms = {"if": self._if, "for": self._for, "some": self._quantified, "every": self._quantified}
        if token.text in forms:
            return self._node(forms[token.text](token))
        if token.text == "function" and self._is("("):
            return self._node(self._function(token.start))
        if token.text in ("true", "false", "null"):
            return self._node(n.Literal({"true": True, "false": False, "null": None}[token.text], at=token.start))
        if token.text in KEYWORDS:
            self._place -= 1
            self._fail("a value")
        return self._node(n.Name(token.text, at=token.start))

    def _if(self, token: Token) -> n.Node:
        condition = self._expression()
        self._take("then")
        positive = self._expression()
        self._take("else")
        return n.If(condition, positive, self._expression(), at=token.start)

    def _for(self, token: Token) -> n.Node:
        iterations = self._iterations()
        self._scope.add("partial")
        self._take("return")
        result = self._expression()
        self._scope.leave()
        return n.For(iterations, result, at=token.start)

    def _quantified(self, token: Token) -> n.Node:
        iterations = self._iterations()
        self._take("satisfies")
        condition = self._expression()
        self._scope.leave()
        return n.Quantified(token.text, iterations, condition, at=token.start)

    def _iterations(self) -> tuple[n.Iteration, ...]:
        """Iterations, each seeing the variables before it; the caller leaves the level that is entered here."""
        self._scope.enter([])
        found: list[n.Iteration] = []
        while True:
            name = self._name_until("in")
            self._take("in")
            source = self._expression()
            until = self._expression() if self._accept("..") else None
            found.append(n.Iteration(name, source, until))
            self._scope.add(name)
            if not self._accept(","):
                return tuple(found)

    def _function(self, at: int) -> n.Node:
        self._take("(")
        parameters: list[n.Parameter] = []
        while not self._accept(")"):
            name = self._name_until(":", ",", ")")
            parameters.append(n.Parameter(name, self._type() if self._accept(":") else None))
            if not self._is(")"):
                self._take(",")
        external = self._accept("external")
        self._scope.enter([parameter.name for parameter in parameters])
        body = self._expression()
        self._scope.leave()
        return n.FunctionOf(tuple(parameters), body, external, at=at)

    def _name_until(self, *ends: str) -> str:
        start = self._place
        while self._token.kind in (Kind.NAME, Kind.NUMBER) or self._token.text in _NAME_SYMBOLS:
            if self._is(*ends):
                break
            self._place += 1
        if self._place == start:
            self._fail("a name")
        return plain_name(self._text[self._tokens[start].start : self._tokens[self._place - 1].end])

    def _context(self, at: int) -> n.Node:
        self._scope.enter([])
        entries: list[tuple[str, n.Node]] = []
        while not self._accept("}"):
            name = self._label()
            if name is None:
                self._fail("an entry such as `name: value`")
            else:
                entries.append((name, self._expression()))
                self._scope.add(name)
                self._scope.members.add(name)
            if not self._is("}"):
                self._take(",")
        self._scope.leave()
        if len({name for name, _ in entries}) < len(entries):
            raise Unreadable(self._text, at, "an entry of the context is there twice")
        return n.ContextOf(tuple(entries), at=at)

    # ---- Brackets: lists, groups, ranges -----------------------------------------------------------------------------

    def _list_or_range(self, at: int) -> n.Node:
        if self._accept("]"):
            return n.ListOf((), at=at)
        first = self._argument()
        if self._accept(".."):
            return self._range_from(first, True, at)
        items = [first]
        while self._accept(","):
            items.append(self._argument())
        self._take("]")
        return n.ListOf(tuple(items), at=at)

    def _group_or_range(self, at: int) -> n.Node:
        first = self._bound() if self._is(*_BOUNDS) else self._expression()
        if self._accept(".."):
            return self._range_from(first, False, at)
        self._take(")")
        return first

    def _open_range(self, at: int) -> n.Node:
        low = self._expression()
        self._take("..")
        return self._range_from(low, False, at)

    def _range_from(self, low: n.Node, low_closed: bool, at: int) -> n.Node:
        # The bracket that ends `[a..b[` is not the start of a filter on b.
        allowed, self._filters_allowed = self._filters_allowed, False
        high = self._operation(_COMPARING + 1)
        self._filters_allowed = allowed
        if self._accept("]"):
            return n.RangeOf(low, high, low_closed, True, at=at)
        if not self._is(")", "["):
            self._fail("the end of the range, `]`, `)` or `[`")
        self._place += 1
        return n.RangeOf(low, high, low_closed, False, at=at)

    # ---- Tests -------------------------------------------------------------------------------------------------------

    def _tests(self) -> tuple[n.Node, ...]:
        self._scope.enter([n.INPUT])
        tests = [self._test()]
        while self._accept(","):
            tests.append(self._test())
        self._scope.leave()
        return tuple(tests)

    def _test(self) -> n.Node:
        return self._bound() if self._is(*_BOUNDS) else self._expression()

    def _bound(self) -> n.Node:
        token = self._token
        self._place += 1
        return self._node(n.Bound(token.text, self._operation(_COMPARING + 1), at=token.start))

    def _in_tests(self) -> tuple[n.Node, ...]:
        at = self._token.start
        if not self._accept("("):
            return (self._bound() if self._is(*_BOUNDS) else self._operation(_COMPARING + 1),)
        self._scope.enter([n.INPUT])
        tests = [self._test()]
        if self._accept(".."):
            tests = [self._node(self._range_from(tests[0], False, at))]
        else:
            while self._accept(","):
                tests.append(self._test())
            self._take(")")
        self._scope.leave()
        return tuple(tests)

    # ---- Types -------------------------------------------------------------------------------------------------------

    def _type(self) -> n.Type:
        self._nesting += 1
        if self._nesting > _MOST_NESTING:
            raise Unreadable(self._text, self._token.start, f"types are nested more than {_MOST_NESTING} deep")
        found = self._any_type()
        self._nesting -= 1
        return found

    def _any_type(self) -> n.Type:
        if self._is("list", "range") and self._tokens[self._place + 1].text == "<":
            maker = n.ListType if self._is("list") else n.RangeType
            self._place += 2
            of = self._type()
            self._take(">")
            return maker(of)
        if self._is("context") and self._tokens[self._place + 1].text == "<":
            self._place += 2
            fields: list[tuple[str, n.Type]] = []
            while not fields or self._accept(","):
                name = self._name_until(":")
                self._take(":")
                fields.append((name, self._type()))
            self._take(">")
            return n.ContextType(tuple(fields))
        if self._is("function") and self._tokens[self._place + 1].text == "<":
            self._place += 2
            parameters = [] if self._is(">") else self._types()
            self._take(">")
            self._take("->")
            return n.FunctionType(tuple(parameters), self._type())
        return n.NamedType(self._type_name())

    def _types(self) -> list[n.Type]:
        found = [self._type()]
        while self._accept(","):
            found.append(self._type())
        return found

    def _type_name(self) -> str:
        name, count = self._scope.types.match(self._tokens, self._place)
        built, built_count = _TYPES.types.match(self._tokens, self._place)
        if max(count, built_count):
            self._place += max(count, built_count)
            return name if count >= built_count else built
        if self._token.kind is not Kind.NAME:
            self._fail("the name of a type")
        parts = [self._token.text]
        self._place += 1
        while self._is(".") and self._tokens[self._place + 1].kind is Kind.NAME:
            parts.append(self._tokens[self._place + 1].text)
            self._place += 2
        return ".".join(parts)


_TYPES = Scope((), types=TYPE_NAMES)
