"""The boxed expressions of a DMN file (clauses 7.3, 8.3, 10.2), from XML to the model, with their FEEL parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeVar

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn import model as m
from evenkeel.policy.dmn.xml import Element
from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.parser import parse_expression, parse_tests, parse_type
from evenkeel.policy.feel.scope import Scope, plain_name

_Enum = TypeVar("_Enum", bound=Enum)

_FEEL_LANGUAGES = ("feel", "feel/20140401")  # how the names of its versions end


def type_of(element: Element | None) -> str:
    """The type that an element refers to, without an XML prefix; "" where it names none."""
    if element is None:
        return ""
    found = (element.get("typeRef") or element.inner("typeRef")).strip()
    return plain_name(found.rpartition(":")[2])


class Boxes:
    """Reads expressions. Texts that cannot be read become faults, named by `where`, and are null when evaluated."""

    def __init__(self, members: Iterable[str], types: Iterable[str], language: str) -> None:
        self.faults: list[m.Fault] = []
        self._members = tuple(members)
        self._types = tuple(types)
        self._language = language or "FEEL"

    def scope(self, variables: Iterable[str]) -> Scope:
        """A scope of some variables, and the members and types of the whole file."""
        return Scope(variables, self._members, self._types)

    # ---- Any expression ----------------------------------------------------------------------------------------------

    def inside(self, element: Element | None, scope: Scope, where: str) -> m.Expression | None:
        """The expression that is a child of an element; None where there is none."""
        if element is None:
            return None
        readers: dict[str, Callable[[Element, Scope, str], m.Expression]] = {
            "literalExpression": self.literal, "decisionTable": self.table, "context": self._context,
            "invocation": self._invocation, "list": self._list, "relation": self._relation,
            "functionDefinition": self.function, "conditional": self._conditional, "filter": self._filter,
            "for": self._iterator, "some": self._iterator, "every": self._iterator,
        }  # fmt: skip
        found = element.first(*readers)
        return None if found is None else readers[found.name](found, scope, where)

    def literal(self, element: Element, scope: Scope, where: str) -> m.LiteralExpression:
        """FEEL text as an expression; empty text is null."""
        text = element.inner("text").strip()
        node: n.Node
        language = self._other_language(element)
        if language:
            node = self._fault(where, f"the language {language} is not run; only FEEL is.")
        elif element.first("importedValues") is not None:
            node = self._fault(where, "imported values are not read; write them as FEEL.")
        else:
            node = self._expression(text, scope, where)
        return m.LiteralExpression(element.get("id"), text, node, type_of(element))

    def _other_language(self, element: Element) -> str:
        """The language of a text, where it is not FEEL; else ""."""
        language = element.get("expressionLanguage", self._language).strip()
        return "" if language.casefold().rstrip("/").endswith(_FEEL_LANGUAGES) else language

    def _expression(self, text: str, scope: Scope, where: str) -> n.Node:
        if not text:
            return n.Literal(None)
        try:
            return parse_expression(text, scope)
        except InvalidInput as error:
            return self._fault(where, error.message)

    def _fault(self, where: str, message: str) -> n.Malformed:
        self.faults.append(m.Fault(where, message))
        return n.Malformed(f"{where}: {message}")

    def tests(self, element: Element | None, scope: Scope, where: str) -> tuple[n.UnaryTests | None, str]:
        """The tests in an element's text, and the text; None where there is no such element, or a fault."""
        if element is None:
            return None, ""
        cell = self._cell(element, scope, where)
        return cell.tests, cell.text

    def _cell(self, element: Element, scope: Scope, where: str) -> m.Cell:
        text = element.inner("text").strip()
        language = self._other_language(element)
        if language:
            fault = self._fault(where, f"the language {language} is not run; only FEEL is.")
            return m.Cell(element.get("id"), text, None, fault.message)
        if not text:
            return m.Cell(element.get("id"), text, n.UnaryTests(()))
        try:
            return m.Cell(element.get("id"), text, parse_tests(text, scope))
        except InvalidInput as error:
            self._fault(where, error.message)
            return m.Cell(element.get("id"), text, None, error.message)

    # ---- Decision tables ---------------------------------------------------------------------------------------------

    def table(self, element: Element, scope: Scope, where: str) -> m.DecisionTable:
        """A decision table. Raises InvalidInput on an unknown hit policy, or a rule with too few or too many cells."""
        policy = self._choice(m.HitPolicy, element.get("hitPolicy", "UNIQUE"), "hit policy", where)
        word = element.get("aggregation")
        aggregation = self._choice(m.Aggregation, word, "aggregation", where) if word else None
        inputs = tuple(
            self._input(child, scope, f"{where}, input {place}") for place, child in enumerate(element.all("input"), 1)
        )
        outputs = tuple(
            self._output(child, scope, f"{where}, output {place}")
            for place, child in enumerate(element.all("output"), 1)
        )
        rules = tuple(
            self._rule(child, place, (inputs, outputs), scope, where)
            for place, child in enumerate(element.all("rule"), 1)
        )
        if not outputs:
            raise InvalidInput(f"{where}: the decision table has no output.", "Give it at least one.")
        if len(outputs) > 1 and len({output.name for output in outputs} - {""}) < len(outputs):
            raise InvalidInput(f"{where}: of several outputs each needs a name of its own.")
        annotations = tuple(child.get("name") for child in element.all("annotation"))
        return m.DecisionTable(
            element.get("id"), policy, aggregation, inputs, outputs, rules, annotations, type_of(element)
        )

    def _choice(self, kind: type[_Enum], word: str, what: str, where: str) -> _Enum:
        try:
            return kind(word.strip().upper())
        except ValueError:
            allowed = ", ".join(str(member.value) for member in kind)
            raise InvalidInput(f"{where}: {what} {word!r} is unknown.", f"Write one of {allowed}.") from None

    def _input(self, element: Element, scope: Scope, where: str) -> m.InputClause:
        expression = element.first("inputExpression")
        label = element.get("label")
        named = f"{where} ({label})" if label else where
        if expression is None:
            raise InvalidInput(f"{named} has no expression.", "Say what is tested, such as the name of an input.")
        values, text = self.tests(element.first("inputValues"), scope, f"{named}, allowed values")
        return m.InputClause(element.get("id"), label, self.literal(expression, scope, named), values, text)

    def _output(self, element: Element, scope: Scope, where: str) -> m.OutputClause:
        name, label = plain_name(element.get("name")), element.get("label")
        named = f"{where} ({name or label})" if name or label else where
        values, text = self.tests(element.first("outputValues"), scope, f"{named}, allowed values")
        default = element.first("defaultOutputEntry")
        return m.OutputClause(
            element.get("id"), name, label, type_of(element), values, text, values.tests if values else (),
            None if default is None else self.literal(default, scope, f"{named}, default"),
        )  # fmt: skip

    def _rule(
        self, element: Element, number: int, columns: tuple[tuple[m.InputClause, ...], tuple[m.OutputClause, ...]],
        scope: Scope, where: str,
    ) -> m.Rule:  # fmt: skip
        inputs, outputs = columns
        given, results = element.all("inputEntry"), element.all("outputEntry")
        for what, found, wanted in (("input", len(given), len(inputs)), ("output", len(results), len(outputs))):
            if found != wanted:
                raise InvalidInput(f"{where}, rule {number} has {found} {what} cells; the table has {wanted} {what}s.")
        cells = tuple(
            self._cell(cell, scope, f"{where}, rule {number}, input {clause.label or clause.expression.text!r}")
            for cell, clause in zip(given, inputs, strict=True)
        )
        entries = tuple(
            self.literal(cell, scope, f"{where}, rule {number}, output {clause.name or clause.label or place!r}")
            for place, (cell, clause) in enumerate(zip(results, outputs, strict=True), 1)
        )
        notes = tuple(note.inner("text").strip() for note in element.all("annotationEntry"))
        return m.Rule(element.get("id"), number, cells, entries, notes)

    # ---- Other boxes -------------------------------------------------------------------------------------------------

    def _context(self, element: Element, scope: Scope, where: str) -> m.BoxedContext:
        entries: list[m.Entry] = []
        scope.enter([])
        for child in element.all("contextEntry"):
            variable = child.first("variable")
            name = plain_name(variable.get("name")) if variable else ""
            expression = self.inside(child, scope, f"{where}, entry {name or 'result'}")
            entries.append(m.Entry(name, type_of(variable), expression))
            scope.add(name)
        scope.leave()
        return m.BoxedContext(element.get("id"), tuple(entries), type_of(element))

    def _invocation(self, element: Element, scope: Scope, where: str) -> m.Invocation:
        called = element.first("literalExpression")
        if called is None:
            raise InvalidInput(f"{where}: an invocation names no function.", "Give it a literal expression.")
        bindings: list[m.Entry] = []
        for child in element.all("binding"):
            parameter = child.first("parameter")
            name = plain_name(parameter.get("name")) if parameter else ""
            bindings.append(m.Entry(name, type_of(parameter), self.inside(child, scope, f"{where}, binding {name}")))
        return m.Invocation(element.get("id"), self.literal(called, scope, where), tuple(bindings), type_of(element))

    def _list(self, element: Element, scope: Scope, where: str) -> m.BoxedList:
        items = tuple(
            self._one(child, scope, f"{where}, item {place}") for place, child in enumerate(element.children, 1)
        )
        return m.BoxedList(element.get("id"), tuple(item for item in items if item is not None), type_of(element))

    def _one(self, element: Element, scope: Scope, where: str) -> m.Expression | None:
        """An element that itself is an expression."""
        return self.inside(Element("", "", {}, children=[element]), scope, where)

    def _relation(self, element: Element, scope: Scope, where: str) -> m.Relation:
        columns = tuple(plain_name(column.get("name")) for column in element.all("column"))
        rows = tuple(
            tuple(
                self._one(cell, scope, f"{where}, row {place}, column {name}")
                for cell, name in zip(row.children, columns, strict=False)
            )
            for place, row in enumerate(element.all("row"), 1)
        )
        if any(len(row) != len(columns) for row in rows):
            raise InvalidInput(f"{where}: a row of the relation has fewer cells than there are columns.")
        return m.Relation(element.get("id"), columns, rows, type_of(element))

    def function(self, element: Element, scope: Scope, where: str) -> m.FunctionDefinition:
        """A function definition; its parameters are in its body's scope."""
        parameters = tuple(self._parameter(child, scope) for child in element.all("formalParameter"))
        kind = element.get("kind", "FEEL")
        body = None
        if kind == "FEEL":
            scope.enter([parameter.name for parameter in parameters])
            body = self.inside(element, scope, where)
            scope.leave()
        else:
            self.faults.append(m.Fault(where, f"functions of {kind} are not run; write it in FEEL."))
        return m.FunctionDefinition(element.get("id"), kind, parameters, body, type_of(element))

    def _parameter(self, element: Element, scope: Scope) -> n.Parameter:
        type_ref = type_of(element)
        try:
            found = parse_type(type_ref, scope) if type_ref else None
        except InvalidInput:
            found = n.NamedType(type_ref)
        return n.Parameter(plain_name(element.get("name")), found)

    def _conditional(self, element: Element, scope: Scope, where: str) -> m.Conditional:
        condition, positive, negative = (
            self.inside(element.first(word), scope, f"{where}, {word}") for word in ("if", "then", "else")
        )
        return m.Conditional(element.get("id"), condition, positive, negative, type_of(element))

    def _filter(self, element: Element, scope: Scope, where: str) -> m.BoxedFilter:
        source = self.inside(element.first("in"), scope, f"{where}, in")
        scope.enter(["item"], filtering=True)
        condition = self.inside(element.first("match"), scope, f"{where}, match")
        scope.leave(filtering=True)
        return m.BoxedFilter(element.get("id"), source, condition, type_of(element))

    def _iterator(self, element: Element, scope: Scope, where: str) -> m.Iterator:
        variable = plain_name(element.get("iteratorVariable"))
        source = self.inside(element.first("in"), scope, f"{where}, in")
        scope.enter([variable, "partial"])
        body = self.inside(element.first("return", "satisfies"), scope, f"{where}, body")
        scope.leave()
        return m.Iterator(element.get("id"), element.name, variable, source, body, type_of(element))
