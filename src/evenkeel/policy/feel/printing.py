"""Syntax trees as FEEL text: what is read from the text of a tree is the same tree."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.temporal import temporal_text
from evenkeel.policy.feel.texts import quoted
from evenkeel.policy.feel.values import Value


def cell_text(tests: n.UnaryTests) -> str:
    """The text of a cell."""
    if tests.anything:
        return "-"
    inside = ", ".join(_test(test) for test in tests.tests)
    return f"not({inside})" if tests.negated else inside


def _test(test: n.Node) -> str:
    return f"{test.operator} {_inner(test.operand)}" if isinstance(test, n.Bound) else expression_text(test)


def expression_text(node: n.Node) -> str:
    """The text of an expression; operands that are operations stand in brackets."""
    match node:
        case n.Literal(value=value):
            return _literal(value)
        case n.Name(name=name):
            return name
        case n.ListOf(items=items):
            return f"[{', '.join(map(_inner, items))}]"
        case n.ContextOf(entries=entries):
            return f"{{{', '.join(f'{_key(name)}: {_inner(entry)}' for name, entry in entries)}}}"
        case n.RangeOf():
            opening, closing = "[" if node.low_closed else "(", "]" if node.high_closed else ")"
            return f"{opening}{_end(node.low)}..{_end(node.high)}{closing}"
        case n.Bound(operator=operator, operand=operand):
            return f"({operator} {_inner(operand)})"
        case n.Negation(operand=operand):
            return f"-{_inner(operand)}"
        case n.Arithmetic() | n.Comparison() | n.Logic():
            return f"{_inner(node.left)} {node.operator} {_inner(node.right)}"
        case n.Between():
            return f"{_inner(node.value)} between {_inner(node.low)} and {_inner(node.high)}"
        case n.In(value=value_node, tests=tests):
            return f"{_inner(value_node)} in ({', '.join(map(_test, tests))})"
        case n.InstanceOf():
            return f"{_inner(node.value)} instance of {type_text(node.type)}"
        case n.Filter(source=source, condition=condition):
            return f"{_inner(source)}[{expression_text(condition)}]"
        case n.Path(source=source, name=name):
            return f"{_inner(source)}.{name}"
        case _:
            return _long_form(node)


def _long_form(node: n.Node) -> str:
    match node:
        case n.If():
            return f"if {_inner(node.condition)} then {_inner(node.positive)} else {_inner(node.negative)}"
        case n.For(iterations=iterations, result=result):
            return f"for {', '.join(map(_iteration, iterations))} return {_inner(result)}"
        case n.Quantified():
            iterations_text = ", ".join(map(_iteration, node.iterations))
            return f"{node.quantifier} {iterations_text} satisfies {_inner(node.condition)}"
        case n.Call():
            named = [f"{name}: {_inner(value)}" for name, value in node.named]
            return f"{_inner(node.function)}({', '.join([*map(_inner, node.positional), *named])})"
        case n.FunctionOf():
            parameters = ", ".join(
                parameter.name + (f": {type_text(parameter.type)}" if parameter.type else "")
                for parameter in node.parameters
            )
            return f"function({parameters}) {'external ' if node.external else ''}{_inner(node.body)}"
        case _:
            raise TypeError(f"{type(node).__name__} has no text")


def _iteration(iteration: n.Iteration) -> str:
    until = "" if iteration.until is None else f"..{_inner(iteration.until)}"
    return f"{iteration.name} in {_inner(iteration.source)}{until}"


def _inner(node: n.Node) -> str:
    """The text of an operand, in brackets unless it binds as one word."""
    text = expression_text(node)
    one_word = (
        n.Literal, n.Name, n.ListOf, n.ContextOf, n.RangeOf, n.Bound, n.Filter, n.Path, n.Call,
    )  # fmt: skip
    return text if isinstance(node, one_word) else f"({text})"


def _end(node: n.Node) -> str:
    """The text of an end of a range, where the bracket of a filter would end the range."""
    text = expression_text(node)
    return text if isinstance(node, n.Literal | n.Name) else f"({text})"


def _literal(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case str():
            return quoted(value)
        case _:
            return f'@"{temporal_text(value)}"'


def _key(name: str) -> str:
    return name if name.isidentifier() else quoted(name)


def type_text(type_: n.Type) -> str:
    """The text of a type."""
    match type_:
        case n.NamedType(name):
            return name
        case n.ListType(of):
            return f"list<{type_text(of)}>"
        case n.RangeType(of):
            return f"range<{type_text(of)}>"
        case n.ContextType(fields):
            return f"context<{', '.join(f'{name}: {type_text(field)}' for name, field in fields)}>"
        case n.FunctionType(parameters, result):
            return f"function<{', '.join(map(type_text, parameters))}>->{type_text(result)}"
