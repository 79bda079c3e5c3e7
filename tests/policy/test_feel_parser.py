"""FEEL text and its tree: names with spaces, binding, cells, what is refused and where, and the way back to text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.feel import nodes as n
from evenkeel.policy.feel.parser import parse_expression, parse_tests, parse_type
from evenkeel.policy.feel.printing import cell_text, expression_text, type_text
from evenkeel.policy.feel.scope import Scope
from evenkeel.policy.feel.values import Date, Duration, Months


def test_a_name_with_spaces_and_symbols_is_read_as_one_where_it_is_in_scope() -> None:
    names = ["Applicant data", "Pre-bureau risk", "date of birth", "bread and butter", "Approved/Declined"]
    for name in names:
        assert parse_expression(name, names) == n.Name(name)
        assert parse_expression(f"  {name.replace(' ', '  ')} ", names) == n.Name(name)


def test_the_longest_name_wins() -> None:
    found = parse_expression("monthly income - 1", ["monthly", "monthly income", "monthly income - 1"])
    assert found == n.Name("monthly income - 1")


def test_a_name_out_of_scope_is_one_word() -> None:
    with pytest.raises(InvalidInput, match="expected an operator or the end, found data"):
        parse_expression("Applicant data")


def test_members_with_spaces_follow_a_dot_and_stand_in_filters() -> None:
    scope = Scope(["loans"], members=["monthly rate"])
    assert parse_expression("loans.monthly rate", scope) == n.Path(n.Name("loans"), "monthly rate")
    found = parse_expression("loans[monthly rate > 1]", scope)
    assert found == n.Filter(n.Name("loans"), n.Comparison(">", n.Name("monthly rate"), n.Literal(Decimal(1))))


def test_built_in_functions_with_spaces_are_known_everywhere() -> None:
    found = parse_expression('date and time("2024-05-31T10:00:00")')
    assert found == n.Call(n.Name("date and time"), (n.Literal("2024-05-31T10:00:00"),))


def test_a_chinese_name_is_a_name() -> None:
    assert parse_expression("月收入 > 3000", ["月收入"]) == n.Comparison(
        ">", n.Name("月收入"), n.Literal(Decimal(3000))
    )


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 ** 3 ** 2", "(2 ** 3) ** 2"),
        ("-2 ** 2", "(-2) ** 2"),
        ("1 = 2 and 3 < 4 or true", "((1 = 2) and (3 < 4)) or true"),
        ("1 + 1 between 1 and 3 and true", "((1 + 1) between 1 and 3) and true"),
        ("1 in 2 + 3", "1 in (2 + 3)"),
        ("if true then 1 else 2 + 3", "if true then 1 else (2 + 3)"),
        ("some x in [1] satisfies x = 1 and true", "some x in [1] satisfies ((x = 1) and true)"),
        ("-1 instance of number", "-(1 instance of number)"),
        ("1 /* comment */ + 2 // end", "1 + 2"),
    ],
)
def test_operators_bind_as_the_grammar_says(text: str, same_as: str) -> None:
    assert parse_expression(text) == parse_expression(same_as)


def test_the_bracket_that_ends_an_open_range_starts_no_filter() -> None:
    assert parse_expression("[1..5[") == parse_expression("[1..5)")
    assert parse_expression("]1..5]") == parse_expression("(1..5]")


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("-", n.UnaryTests(())),
        ('"a", "b"', n.UnaryTests((n.Literal("a"), n.Literal("b")))),
        ('not("a")', n.UnaryTests((n.Literal("a"),), negated=True)),
        ("< 5", n.UnaryTests((n.Bound("<", n.Literal(Decimal(5))),))),
        (">=-5", n.UnaryTests((n.Bound(">=", n.Negation(n.Literal(Decimal(5)))),))),
        ("[1..2)", n.UnaryTests((n.RangeOf(n.Literal(Decimal(1)), n.Literal(Decimal(2)), True, False),))),
        ("not(?) and true", n.UnaryTests((n.Logic("and", n.Call(n.Name("not"), (n.Name("?"),)), n.Literal(True)),))),
        ("-1", n.UnaryTests((n.Negation(n.Literal(Decimal(1))),))),
    ],
)
def test_cells(text: str, tests: n.UnaryTests) -> None:
    assert parse_tests(text) == tests


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "at character 4, expected a value, the text ends"),
        ("(1", "at character 3, expected `)`, the text ends"),
        ("1 ? 2", "at character 3, expected an operator or the end, found ?"),
        ('"abc', "at character 1, a text is not closed"),
        ("1 # 2", "at character 3, '#' is not FEEL"),
        ("if true then 1", "expected `else`, the text ends"),
        ("{a 1}", "expected an entry such as `name: value`, found a"),
        ("{a: 1, a: 2}", "an entry of the context is there twice"),
        ("f(1, x: 2)", "arguments are all named or all by position"),
        ('@"2024-02-30"', "expected a date, time, date and time or duration as in ISO 8601"),
        ("[1..2", "expected the end of the range"),
        ("1e99999", "expected a number below"),
        ("x instance of 5", "expected the name of a type, found 5"),
        ("for in [1] return 1", "expected a name, found in"),
        ("a.", "expected the name of a component, the text ends"),
    ],
)
def test_a_text_that_is_not_feel_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_expression(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["(" * 50_000, "[" * 50_000, "{a:" * 30_000, "-" * 90_000 + "1", "1+" * 49_000 + "1", "a" + "[1]" * 30_000,
     "x in (" * 15_000, "if a then " * 9_000, "not(" * 20_000, "1 instance of " + "list<" * 15_000, "x" * 100_001],
)  # fmt: skip
def test_a_hostile_text_is_refused_without_exhausting_the_stack(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_expression(text)
    with pytest.raises(InvalidInput):
        parse_tests(text)


def test_a_failed_text_leaves_the_scope_as_it_was() -> None:
    scope = Scope(["a"])
    for broken in ("for x in [1] return (", "function(y) (", "a[", "{b: ("):
        with pytest.raises(InvalidInput):
            parse_expression(broken, scope)
    with pytest.raises(InvalidInput, match="expected an operator"):
        parse_expression("x y", scope)
    assert parse_expression("a", scope) == n.Name("a")


# ---- The way back ----------------------------------------------------------------------------------------------------

NAMES = ("a", "b c", "d-e")
_names = st.sampled_from(NAMES)
_literals = st.one_of(
    st.none(),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=4).map(abs),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.builds(Date, st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28)),
    st.builds(Months, st.integers(-50, 50)),
    st.builds(Duration, st.integers(-(10**15), 10**15)),
)
_types = st.recursive(
    st.sampled_from([n.NamedType(name) for name in ("number", "date and time", "Any", "tLoan")]),
    lambda inner: st.one_of(
        inner.map(n.ListType),
        inner.map(n.RangeType),
        st.builds(lambda part: n.ContextType((("a", part),)), inner),
        st.builds(lambda part, result: n.FunctionType((part,), result), inner, inner),
    ),
    max_leaves=4,
)


def _larger(inner: st.SearchStrategy[n.Node]) -> st.SearchStrategy[n.Node]:
    bounds = st.builds(n.Bound, st.sampled_from(["<", "<=", ">", ">="]), inner)
    iterations = st.builds(n.Iteration, st.just("i"), inner, st.none() | inner).map(lambda one: (one,))
    several = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        several.map(n.ListOf),
        st.lists(inner, max_size=2).map(lambda parts: n.ContextOf(tuple(zip(("k", "x y"), parts, strict=False)))),
        st.builds(n.RangeOf, inner, inner, st.booleans(), st.booleans()),
        bounds,
        inner.map(n.Negation),
        st.builds(n.Arithmetic, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        st.builds(n.Comparison, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(n.Logic, st.sampled_from(["and", "or"]), inner, inner),
        st.builds(n.Between, inner, inner, inner),
        st.builds(n.In, inner, st.lists(st.one_of(inner, bounds), min_size=1, max_size=2).map(tuple)),
        st.builds(n.InstanceOf, inner, _types),
        st.builds(n.If, inner, inner, inner),
        st.builds(n.For, iterations, inner),
        st.builds(n.Quantified, st.sampled_from(["some", "every"]), iterations, inner),
        st.builds(n.Filter, inner, inner),
        st.builds(n.Path, inner, st.sampled_from(["k", "x y"])),
        st.builds(n.Call, _names.map(n.Name), several),
        st.builds(lambda name, part: n.Call(n.Name(name), (), (("p q", part),)), _names, inner),
        st.builds(lambda type_, part: n.FunctionOf((n.Parameter("p", type_),), part), st.none() | _types, inner),
    )


_trees = st.recursive(st.one_of(_literals.map(n.Literal), _names.map(n.Name)), _larger, max_leaves=12)


@settings(max_examples=300)
@given(_trees)
def test_the_text_of_a_tree_is_read_as_the_same_tree(tree: n.Node) -> None:
    assert _exact(parse_expression(expression_text(tree), Scope(NAMES, ["k", "x y"], ["tLoan"]))) == _exact(tree)


@pytest.mark.prove
@settings(max_examples=3_000)
@given(_trees)
def test_the_text_of_a_tree_is_read_as_the_same_tree_at_length(tree: n.Node) -> None:
    assert _exact(parse_expression(expression_text(tree), Scope(NAMES, ["k", "x y"], ["tLoan"]))) == _exact(tree)


@settings(max_examples=200)
@given(st.builds(n.UnaryTests, st.lists(_trees, max_size=3).map(tuple), st.booleans()))
def test_the_text_of_a_cell_is_read_as_the_same_tests(tests: n.UnaryTests) -> None:
    if tests.anything:
        tests = n.UnaryTests(())
    assert _exact(parse_tests(cell_text(tests), Scope(NAMES, ["k", "x y"], ["tLoan"]))) == _exact(tests)


@given(_types)
def test_the_text_of_a_type_is_read_as_the_same_type(type_: n.Type) -> None:
    assert parse_type(type_text(type_), Scope((), types=["tLoan"])) == type_


def _exact(tree: n.Node) -> str:
    """A tree as text of Python: 1 and true are equal there, and are not here."""
    return repr(_placeless(tree))


def _placeless(part: object) -> object:
    if isinstance(part, n.Node):
        return [type(part).__name__, *(_placeless(getattr(part, name)) for name in part.__match_args__ if name != "at")]
    if isinstance(part, n.Iteration):
        return ["Iteration", part.name, _placeless(part.source), _placeless(part.until)]
    if isinstance(part, tuple):
        return [_placeless(each) for each in part]
    return part


@settings(max_examples=500)
@given(st.text(alphabet='abx19 .,:+-*/<>=()[]{}"@?\n', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_expression, parse_tests):
        try:
            parse(text)
        except InvalidInput as refused:
            assert refused.message
