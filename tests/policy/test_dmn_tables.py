"""Decision tables: every hit policy, aggregation, priorities, defaults, allowed values, and the rules that fired."""

from __future__ import annotations

from decimal import Decimal

import pytest
from dmn_samples import decision, given, model, run, table

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn.interpreter import Result
from evenkeel.policy.dmn.model import Aggregation, DecisionTable, HitPolicy

RULES = [["> 1", '"low"'], ["> 2", '"high"'], ["> 3", '"mid"']]


def _run(
    policy: str, rules: list[list[str]] = RULES, output: str = "o", aggregation: str = "", **inputs: object
) -> Result:
    logic = table(["x"], [output], rules, policy, aggregation)
    return run([given("x", "Any"), decision("D", logic, ["i_x"])], **inputs)


@pytest.mark.parametrize(
    ("policy", "x", "outputs", "rows"),
    [
        ("UNIQUE", 2, "low", ("r1",)),
        ("UNIQUE", 3, None, ()),
        ("UNIQUE", 0, None, ()),
        ("ANY", 2, "low", ("r1",)),
        ("ANY", 4, None, ()),
        ("FIRST", 4, "low", ("r1",)),
        ("FIRST", 0, None, ()),
        ("RULE ORDER", 4, ["low", "high", "mid"], ("r1", "r2", "r3")),
        ("RULE ORDER", 0, None, ()),
        ("COLLECT", 3, ["low", "high"], ("r1", "r2")),
        ("COLLECT", 0, [], ()),
    ],
)
def test_hit_policies(policy: str, x: int, outputs: object, rows: tuple[str, ...]) -> None:
    result = _run(policy, x=x)
    assert result.outputs == {"D": outputs}
    assert result.rows == {"D": rows}


def test_priority_and_output_order_follow_the_allowed_values() -> None:
    output = 'o | "high", "mid", "low"'
    assert _run("PRIORITY", output=output, x=4).outputs["D"] == "high"
    assert _run("PRIORITY", output=output, x=4).rows["D"] == ("r2",)
    assert _run("OUTPUT ORDER", output=output, x=4).outputs["D"] == ["high", "mid", "low"]
    assert _run("OUTPUT ORDER", output=output, x=4).rows["D"] == ("r2", "r3", "r1")


def test_priority_of_several_outputs_compares_the_first_before_the_second() -> None:
    logic = table(
        ["x"], ['a | "no", "yes"', "b | 1, 2, 3"],
        [["-", '"yes"', "1"], ["-", '"no"', "3"], ["-", '"no"', "2"]], "PRIORITY",
    )  # fmt: skip
    assert run([given("x"), decision("D", logic, ["i_x"])], x=1).outputs["D"] == {"a": "no", "b": Decimal(2)}


def test_the_order_may_come_from_the_type_of_the_decision() -> None:
    types = (
        '<itemDefinition name="tRisk"><typeRef>string</typeRef>'
        '<allowedValues><text>"high", "mid", "low"</text></allowedValues></itemDefinition>'
    )
    logic = table(["x"], ["o"], RULES, "PRIORITY")
    assert run([types, given("x"), decision("D", logic, ["i_x"], "tRisk")], x=4).outputs["D"] == "high"


def test_any_with_equal_outputs() -> None:
    assert _run("ANY", [["> 1", "1"], ["> 2", "1.0"]], x=4).outputs["D"] == 1


@pytest.mark.parametrize(
    ("aggregation", "x", "expected"),
    [("SUM", 4, 6), ("COUNT", 4, 3), ("MIN", 4, 1), ("MAX", 4, 3), ("SUM", 0, None), ("COUNT", 0, 0), ("MIN", 0, None)],
)
def test_aggregations(aggregation: str, x: int, expected: int | None) -> None:
    rules = [["> 1", "1"], ["> 2", "2"], ["> 3", "3"]]
    assert _run("COLLECT", rules, aggregation=aggregation, x=x).outputs["D"] == expected


def test_the_sum_of_what_is_no_number_is_null_and_said() -> None:
    result = _run("COLLECT", aggregation="SUM", x=4)
    assert result.outputs["D"] is None
    assert result.messages == ("sum: an item is string, not number",)


def test_defaults_stand_where_no_rule_holds() -> None:
    result = _run("UNIQUE", output='o |  | "none"', x=0)
    assert result.outputs["D"] == "none"
    assert result.rows["D"] == ()


def test_two_rules_of_a_unique_table_are_named() -> None:
    assert _run("UNIQUE", x=3).messages == ("rules r1, r2 hold at once, in a table where one may",)


def test_a_null_input_passes_only_what_null_passes() -> None:
    rules = [["> 1", '"more"'], ['not("a")', '"not a"'], ["null", '"null"'], ["-", '"any"']]
    assert _run("COLLECT", rules, x=None).outputs["D"] == ["not a", "null", "any"]


def test_an_input_that_is_not_allowed_makes_the_table_null() -> None:
    logic = table(["x | [0..10]"], ["o"], [["-", "1"]])
    elements = [given("x"), decision("D", logic, ["i_x"])]
    assert run(elements, x=5).outputs["D"] == 1
    assert run(elements, x=11).outputs["D"] is None
    assert run(elements, x=11).messages == ("x is 11, not one of [0..10]",)


def test_an_output_that_is_not_allowed_is_null() -> None:
    result = _run("FIRST", [["-", '"x"']], 'o | "a", "b"', x=1)
    assert result.outputs["D"] is None
    assert result.messages == ('rule r1 gives o x, not one of "a", "b"',)


def test_rules_without_ids_are_named_by_number() -> None:
    logic = table(["x"], ["o"], RULES, "FIRST", ids=False)
    assert run([given("x"), decision("D", logic, ["i_x"])], x=3).rows["D"] == ("1",)


def test_a_cell_that_cannot_be_read_never_holds_and_is_a_fault() -> None:
    logic = table(["x"], ["o"], [["> > 1", "1"], ["-", "2"]], "FIRST")
    read = model(given("x"), decision("D", logic, ["i_x"]))
    assert [fault.element for fault in read.faults] == ["sample.dmn, decision D, rule 1, input 'x'"]
    assert "expected a value, found >" in read.faults[0].message
    assert run([given("x"), decision("D", logic, ["i_x"])], x=5).outputs["D"] == 2


def test_what_was_read() -> None:
    logic = table(["x | [0..10]"], ["a", "b | 1, 2"], [["< 5", "1", "2"]], "COLLECT", "SUM")
    read = model(given("x"), decision("D", logic, ["i_x"])).decisions[0].expression
    assert isinstance(read, DecisionTable)
    assert (read.hit_policy, read.aggregation) == (HitPolicy.COLLECT, Aggregation.SUM)
    assert read.inputs[0].values_text == "[0..10]"
    assert [len(output.order) for output in read.outputs] == [0, 2]
    assert read.rules[0].cells[0].text == "< 5"


@pytest.mark.parametrize(
    ("logic", "message"),
    [
        (table(["x"], ["o"], [["1"]]), "rule 1 has 0 output cells; the table has 1 outputs"),
        (table(["x"], ["o"], [["1", "2", "3"]]), "rule 1 has 2 output cells; the table has 1 outputs"),
        (table(["x"], ["o"], [], "BEST"), "hit policy 'BEST' is unknown"),
        (table(["x"], ["o"], [], "COLLECT", "AVG"), "aggregation 'AVG' is unknown"),
        (table(["x"], [], []), "the decision table has no output"),
        (table(["x"], ["o", "o"], []), "of several outputs each needs a name of its own"),
    ],
)
def test_a_broken_table_is_refused_by_name(logic: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=r"sample.dmn, decision D") as refused:
        model(given("x"), decision("D", logic, ["i_x"]))
    assert message in str(refused.value)
