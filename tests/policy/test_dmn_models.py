"""The graph of a DMN model: requirements, scopes, boxed expressions, functions, services, types, imports, versions."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from dmn_samples import VERSIONS, decision, definitions, feel, given, knowledge, model, run, table

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn.interpreter import run_callable, run_model
from evenkeel.policy.dmn.reading import read_definitions, read_file
from evenkeel.policy.dmn.types import Types
from evenkeel.policy.feel.evaluator import Evaluator
from evenkeel.policy.feel.values import Date, Months


def test_decisions_are_found_by_their_requirements_each_once() -> None:
    result = run(
        [given("x"), decision("C", feel("A + B"), ["d_A", "d_B"]), decision("B", feel("A * 2"), ["d_A"]),
         decision("A", feel("x + 1"), ["i_x"])],
        x=1,
    )  # fmt: skip
    assert result.outputs == {"C": Decimal(6), "B": Decimal(4), "A": Decimal(2)}


def test_only_one_decision_may_be_asked_for() -> None:
    read = model(given("x"), decision("A", feel("x"), ["i_x"]), decision("B", feel("1")))
    assert run_model(read, {"x": 3}, ["A"]).outputs == {"A": Decimal(3)}
    with pytest.raises(InvalidInput, match=r"there is no decision 'Z' in sample\. It has A, B"):
        run_model(read, {}, ["Z"])


def test_what_is_not_required_is_not_in_scope() -> None:
    result = run([given("x"), decision("A", feel("x"))], x=1)
    assert result.outputs["A"] is None
    assert result.messages == ("there is no variable x",)


def test_names_with_spaces_and_symbols() -> None:
    result = run(
        [given("Monthly income"), given("Debt/service"),
         decision("Ratio in %", feel("Debt/service / Monthly income * 100"), ["i_Monthly income", "i_Debt/service"])],
        Monthly_income=200, **{"Debt/service": 50},
    )  # fmt: skip
    assert result.outputs == {"Ratio in %": Decimal(25)}


def test_a_knowledge_model_is_a_function_called_by_name_by_place_or_by_a_box() -> None:
    box = (
        f"<invocation>{feel('Rate')}<binding><parameter name='b'/>{feel('2')}</binding>"
        f"<binding><parameter name='a'/>{feel('10')}</binding></invocation>"
    )
    result = run(
        [knowledge("Rate", "a: number, b: number", feel("a / b")), decision("P", feel("Rate(10, 2)"), ["k_Rate"]),
         decision("N", feel("Rate(b: 2, a: 10)"), ["k_Rate"]), decision("B", box, ["k_Rate"])]
    )  # fmt: skip
    assert set(result.outputs.values()) == {Decimal(5)}


def test_rows_of_a_table_in_a_function_are_those_of_the_decision_that_calls_it() -> None:
    logic = table(["a"], ["o"], [["> 1", '"big"'], ["<= 1", '"small"']])
    result = run([knowledge("Size", "a: number", logic), decision("D", feel("Size(5)"), ["k_Size"])])
    assert result.outputs == {"D": "big"}
    assert result.rows == {"D": ("r1",)}


def test_a_knowledge_model_may_require_others_and_call_itself() -> None:
    result = run(
        [knowledge("Fact", "n: number", feel("if n = 0 then One else n * Fact(n - 1)"), ["k_One"]),
         knowledge("One", "", feel("1")), decision("D", feel("Fact(5)"), ["k_Fact"])]
    )  # fmt: skip
    assert result.outputs["D"] is None  # One is a function: number * function is null
    result = run(
        [
            knowledge("Fact", "n", feel("if n = 0 then 1 else n * Fact(n - 1)")),
            decision("D", feel("Fact(5)"), ["k_Fact"]),
        ]
    )
    assert result.outputs["D"] == 120


def test_a_parameter_that_does_not_fit_is_null_within_the_function() -> None:
    result = run([knowledge("F", "a: number", feel("a = null")), decision("D", feel('F("x")'), ["k_F"])])
    assert result.outputs["D"] is True
    assert result.messages == ("F: a is given string, which is not of its type",)


def test_boxed_context_list_relation_and_function() -> None:
    context = (
        f"<context><contextEntry><variable name='base fee'/>{feel('2')}</contextEntry>"
        f"<contextEntry><variable name='total'/>{feel('base fee * 3')}</contextEntry></context>"
    )
    with_result = context.replace("</context>", f"<contextEntry>{feel('total + 1')}</contextEntry></context>")
    rows = f"<row>{feel('1')}{feel('2')}</row><row>{feel('3')}{feel('4')}</row>"
    relation = f"<relation><column name='a'/><column name='b c'/>{rows}</relation>"
    function = f"<functionDefinition><formalParameter name='p'/>{feel('p * 2')}</functionDefinition>"
    result = run(
        [decision("C", context), decision("R", with_result), decision("L", f"<list>{feel('1')}{context}</list>"),
         decision("T", relation), decision("S", feel("T[b c > 2].a"), ["d_T"]), decision("F", function),
         decision("G", feel("F(4)"), ["d_F"])]
    ).outputs  # fmt: skip
    assert result["C"] == {"base fee": Decimal(2), "total": Decimal(6)}
    assert result["R"] == 7
    assert result["L"] == [Decimal(1), result["C"]]
    assert result["T"] == [{"a": Decimal(1), "b c": Decimal(2)}, {"a": Decimal(3), "b c": Decimal(4)}]
    assert result["S"] == [Decimal(3)]
    assert result["G"] == 8


def test_boxed_conditional_filter_and_iterators() -> None:
    def box(name: str, **parts: str) -> str:
        inner = "".join(
            f"<{word.strip('_')}>{feel(text)}</{word.strip('_')}>" for word, text in parts.items() if word != "of"
        )
        return f"<{name}{parts.get('of', '')}>{inner}</{name}>"

    of = " iteratorVariable='x y'"
    result = run(
        [decision("C", box("conditional", if_="null", then_="1", else_="2")),
         decision("F", box("filter", in_="[{a: 1}, {a: 2}]", match="a > 1")),
         decision("I", box("for", in_="1..3", return_="x y * 2", of=of).replace("<text>1..3", "<text>[1..3]")),
         decision("S", box("some", in_="[1, 2]", satisfies="x y > 1", of=of)),
         decision("E", box("every", in_="[1, null]", satisfies="x y > 0", of=of))]
    ).outputs  # fmt: skip
    assert result == {
        "C": Decimal(2),
        "F": [{"a": Decimal(2)}],
        "I": [Decimal(2), Decimal(4), Decimal(6)],
        "S": True,
        "E": None,
    }


# ---- Types -----------------------------------------------------------------------------------------------------------

TYPES = """
<itemDefinition name="tAmount">
  <typeRef>number</typeRef><allowedValues><text>[0..1000]</text></allowedValues>
</itemDefinition>
<itemDefinition name="tLoan">
  <itemComponent name="amount"><typeRef>tAmount</typeRef></itemComponent>
  <itemComponent name="starts on"><typeRef>date</typeRef></itemComponent>
</itemDefinition>
<itemDefinition name="tLoans" isCollection="true"><typeRef>tLoan</typeRef></itemDefinition>
<itemDefinition name="tNumbers" isCollection="true"><typeRef>number</typeRef></itemDefinition>
"""


def _echo(type_ref: str, value: object) -> object:
    return run([TYPES, given("x", type_ref), decision("D", feel("x"), ["i_x"])], x=value).outputs["D"]


@pytest.mark.parametrize(
    ("type_ref", "given_value", "read"),
    [
        ("number", "12.50", Decimal("12.50")),
        ("number", 12.5, Decimal("12.5")),
        ("number", True, None),
        ("number", "twelve", None),
        ("string", 12, None),
        ("string", "12", "12"),
        ("boolean", "true", True),
        ("boolean", 1, None),
        ("date", "2024-05-31", Date(2024, 5, 31)),
        ("date", "2024-02-30", None),
        ("years and months duration", "P1Y", Months(12)),
        ("days and time duration", "P1Y", None),
        ("Any", "2024-05-31", "2024-05-31"),
        ("tAmount", 1000, Decimal(1000)),
        ("tAmount", 1001, None),
        ("tAmount", [5], Decimal(5)),
        ("tNumbers", 5, [Decimal(5)]),
        ("tNumbers", ["1", 2], [Decimal(1), Decimal(2)]),
        ("tNumbers", [1, "x"], None),
        ("tNumbers", None, None),
        ("tLoan", {"amount": "7", "starts on": "2024-05-31"}, {"amount": Decimal(7), "starts on": Date(2024, 5, 31)}),
        ("tLoan", {"amount": 7}, {"amount": Decimal(7), "starts on": None}),
        ("tLoan", {"amount": 1001}, None),
        ("tLoan", 7, None),
        ("tLoans", [{"amount": 7}], [{"amount": Decimal(7), "starts on": None}]),
    ],
)
def test_facts_are_typed_by_the_model_or_null(type_ref: str, given_value: object, read: object) -> None:
    found = _echo(type_ref, given_value)
    assert found == read
    assert type(found) is type(read)


def test_a_result_is_of_the_type_of_its_decision_or_null() -> None:
    result = run([TYPES, decision("A", feel("[5]"), (), "tAmount"), decision("B", feel("5"), (), "tNumbers"),
                  decision("C", feel('"x"'), (), "number"), decision("E", feel('"x"', "number"))])  # fmt: skip
    assert result.outputs == {"A": Decimal(5), "B": [Decimal(5)], "C": None, "E": None}
    assert result.messages == (
        "C is a string, which is not of its type number",
        "E is a string, which is not of its type number",
    )


def test_a_list_of_one_is_its_item_however_deep_it_lies() -> None:
    deep = decision("A", feel("[[10]]"), type_ref="number")
    several = decision("B", feel("[[10, 20]]"), type_ref="number")
    parameter = decision("C", feel("Twice([[10]])"), ["k_Twice"])
    result = run([deep, several, parameter, knowledge("Twice", "a: number", feel("a * 2"))])
    assert result.outputs == {"A": Decimal(10), "B": None, "C": Decimal(20)}


def test_instance_of_a_named_type_asks_not_for_allowed_values() -> None:
    assert run([TYPES, decision("D", feel("5000 instance of tAmount"))]).outputs["D"] is True
    assert run([TYPES, decision("D", feel('"x" instance of tAmount'))]).outputs["D"] is False


# ---- Services --------------------------------------------------------------------------------------------------------

SERVICE = (
    '<decisionService id="k_Serve" name="Serve"><outputDecision href="#d_Out"/><encapsulatedDecision href="#d_Out"/>'
    '<inputDecision href="#d_In"/><inputData href="#i_x"/></decisionService>'
)
SERVED = [
    given("x"), decision("In", feel("100")), decision("Out", feel("In + x"), ["d_In", "i_x"]), SERVICE,
    decision("Call", feel("Serve(1, 2)"), ["k_Serve"]), decision("Named", feel("Serve(In: 5, x: 6)"), ["k_Serve"]),
    decision("Wrong", feel("Serve(1)"), ["k_Serve"]),
]  # fmt: skip


def test_a_decision_service_is_a_function_of_its_inputs_and_input_decisions() -> None:
    result = run(SERVED, x=7)
    assert result.outputs == {"In": 100, "Out": 107, "Call": 3, "Named": 11, "Wrong": None}
    assert run_callable(model(*SERVED), "Serve", {"x": 1}).outputs == {"Serve": Decimal(101)}
    assert run_callable(model(*SERVED), "Serve", {"x": 1, "In": 4}).outputs == {"Serve": Decimal(5)}


# ---- Imports, versions, faults ---------------------------------------------------------------------------------------


def test_an_imported_model_is_reached_by_the_name_of_its_import(tmp_path: Path) -> None:
    lib = definitions(
        '<itemDefinition name="tRate"><typeRef>number</typeRef></itemDefinition>',
        given("base"),
        knowledge("Rate of", "a: number", feel("a * 2")),
        decision("Base", feel("base + 1"), ["i_base"]),
        namespace="lib",
    )
    main = definitions(
        f'<import name="common rates" namespace="lib" importType="{VERSIONS["1.5"]}"/>',
        decision(
            "D",
            feel("common rates.Rate of(3) + common rates.Base"),
            ["lib#k_Rate of", "lib#d_Base"],
            "common rates.tRate",
        ),
    )
    (tmp_path / "a-broken.dmn").write_text("<", encoding="utf-8")
    (tmp_path / "lib.dmn").write_text(lib, encoding="utf-8")
    (tmp_path / "main.dmn").write_text(main, encoding="utf-8")
    read = read_file(tmp_path / "main.dmn")
    assert not read.faults
    assert run_model(read, {"base": 1}).outputs == {"D": Decimal(8)}
    assert run_model(read, {"common rates": {"base": 2}}).outputs == {"D": Decimal(9)}


def test_an_imported_function_knows_the_types_of_its_own_model(tmp_path: Path) -> None:
    person = (
        '<itemDefinition name="tPerson"><itemComponent name="age"><typeRef>tAge</typeRef></itemComponent>'
        "</itemDefinition>"
        '<itemDefinition name="tAge"><typeRef>number</typeRef></itemDefinition>'
    )
    lib = definitions(person, knowledge("Old", "p: tPerson", feel("p.age > 60")), namespace="lib")
    main = definitions(
        f'<import name="lib" namespace="lib" importType="{VERSIONS["1.5"]}"/>', given("p", "lib.tPerson"),
        decision("D", feel("lib.Old(p)"), ["lib#k_Old", "i_p"]),
    )  # fmt: skip
    (tmp_path / "lib.dmn").write_text(lib, encoding="utf-8")
    (tmp_path / "main.dmn").write_text(main, encoding="utf-8")
    read = read_file(tmp_path / "main.dmn")
    assert run_model(read, {"p": {"age": "61"}}).outputs == {"D": True}
    assert run_model(read, {"p": {"age": "old"}}).messages == ("p is a context, which is not of its type lib.tPerson",)


def test_an_import_without_a_name_adds_its_elements(tmp_path: Path) -> None:
    lib = definitions(knowledge("Twice", "a: number", feel("a * 2")), given("x"), namespace="lib")
    main = definitions(
        f'<import name="" namespace="lib" importType="{VERSIONS["1.5"]}"/>',
        decision("D", feel("Twice(x)"), ["lib#k_Twice", "lib#i_x"]),
    )
    (tmp_path / "lib.dmn").write_text(lib, encoding="utf-8")
    (tmp_path / "main.dmn").write_text(main, encoding="utf-8")
    assert run_model(read_file(tmp_path / "main.dmn"), {"x": 4}).outputs == {"D": Decimal(8)}


def test_an_import_that_is_not_there_is_a_fault() -> None:
    read = model(f'<import name="lib" namespace="lib" importType="{VERSIONS["1.5"]}"/>')
    assert read.faults[0].message == "the namespace lib is in no file of this folder."


def test_files_that_import_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        text = definitions(f'<import name="x" namespace="{other}" importType="{VERSIONS["1.5"]}"/>', namespace=name)
        (tmp_path / f"{name}.dmn").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"a\.dmn is imported by files that it imports"):
        read_file(tmp_path / "a.dmn")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_dmn_is_read(version: str) -> None:
    prefix = "feel:" if version == "1.1" else ""
    read = model(given("x", f"{prefix}number"), decision("D", feel("x"), ["i_x"], f"{prefix}number"), version=version)
    assert read.version == version
    assert run_model(read, {"x": "3"}).outputs == {"D": Decimal(3)}


def test_elements_in_the_namespace_of_the_file_itself_are_read_as_1_2() -> None:
    text = definitions(decision("D", feel("1")), namespace="urn:mine").replace(VERSIONS["1.5"], "urn:mine")
    read = read_definitions(text, "sample.dmn")
    assert read.version == "1.2"
    assert run_model(read, {}).outputs == {"D": Decimal(1)}


def test_the_name_of_a_decision_is_its_own_even_where_its_variable_is_spelt_otherwise() -> None:
    text = decision("Named", feel("1")).replace('<variable name="Named"', '<variable name="Nmaed"')
    assert run([text]).outputs == {"Named": Decimal(1)}


def test_in_dmn_1_1_the_type_of_a_knowledge_model_is_not_that_of_its_result() -> None:
    elements = [knowledge("F", "", feel("0.6"), type_ref="string"), decision("D", feel("F()"), ["k_F"])]
    assert run_model(model(*elements, version="1.1"), {}).outputs["D"] == Decimal("0.6")
    assert run_model(model(*elements, version="1.2"), {}).outputs["D"] is None


def test_own_attributes_of_evenkeel() -> None:
    read = model(
        given("x", "number", 'evenkeel:required="false" evenkeel:max-age-days="30"'), given("y"),
        decision("D", feel("1"), (), "", 'evenkeel:decides="grant"'),
    )  # fmt: skip
    assert [(entry.required, entry.max_age_days) for entry in read.inputs] == [(False, 30), (True, None)]
    assert read.decisions[0].decides == "grant"


def test_an_expression_that_cannot_be_read_is_null_and_a_fault() -> None:
    read = model(decision("A", feel("1 +")), decision("B", feel("2")))
    assert [fault.element for fault in read.faults] == ["sample.dmn, decision A"]
    result = run_model(read, {})
    assert result.outputs == {"A": None, "B": Decimal(2)}
    assert result.messages[0].startswith("sample.dmn, decision A: at character 4, expected a value")


@pytest.mark.parametrize("language", ["FEEL", "feel", "https://www.omg.org/spec/DMN/20191111/FEEL/"])
def test_feel_by_any_of_its_names_is_run(language: str) -> None:
    text = feel("1 + 1").replace("<literalExpression", f'<literalExpression expressionLanguage="{language}"')
    assert run([decision("A", text)]).outputs == {"A": Decimal(2)}


def test_another_language_is_a_fault_in_expressions_and_cells_and_by_default() -> None:
    logic = table(["x"], ["o"], [["1", "2"]])
    for word in ("<literalExpression", "<inputEntry", "<outputEntry", "<inputExpression", "<definitions"):
        text = definitions(given("x"), decision("A", feel("x"), ["i_x"]), decision("B", logic, ["i_x"]))
        read = read_definitions(text.replace(word, f'{word} expressionLanguage="juel"'), "sample.dmn")
        assert "the language juel is not run; only FEEL is." in {fault.message for fault in read.faults}
        assert None in run_model(read, {"x": 1}).outputs.values()


def test_information_is_what_its_id_names_whichever_word_requires_it() -> None:
    made = decision("A", feel("x + 1"), ["d_x"]).replace("d_A", "i_a")
    elements = [given("x").replace("i_x", "d_x"), made, decision("B", feel("A * 2"), ["i_a"])]
    assert run(elements, x=1).outputs == {"A": Decimal(2), "B": Decimal(4)}


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([decision("A", feel("1"), ["d_Z"])], "decision A requires '#d_Z', which is not in the file"),
        ([decision("A", feel("1"), ["d_A"])], "A requires A. Requirements may not form a cycle."),
        ([decision("A", feel("1"), ["d_B"]), decision("B", feel("1"), ["d_A"])], "A requires B requires A."),
        ([knowledge("F", "", feel("1"), ["k_F"])], "F requires F."),
        ([given("x"), given("x")], "the id i_x is there twice"),
        ([knowledge("F", "", feel("1")).replace("k_F", "i_f"), decision("B", feel("1"), ["i_f"])],
         "requires 'F' as input, but it is a businessKnowledgeModel"),
        ([given("x", "number", 'evenkeel:required="maybe"')], "`required` is 'maybe'"),
        ([given("x", "number", 'evenkeel:max-age-days="soon"')], "`max-age-days` is 'soon'"),
        ([decision("A", feel("1"), (), "", 'evenkeel:decides="all"')], "it decides 'all'"),
        (["<inputData id='i'/>"], "a inputData has no name"),
    ],
)  # fmt: skip
def test_a_broken_graph_is_refused_by_name(elements: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        model(*elements)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "is not well-formed XML"),
        ("", "is not well-formed XML"),
        ("<html/>", "begins with <html> of no namespace; it is no DMN model"),
        ('<!DOCTYPE a [<!ENTITY x "xxxx">]><a>&x;</a>', "declares a document type or entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares a document type or entities"),
        (definitions("<a>" * 5_000), "nests elements more than 200 deep"),
        (definitions("<a/>" * 400_000), "has more than 300000 elements"),
        (definitions("x" * (50 << 20)), "is 50 MB; a DMN file has at most 8 MB"),
        (b"\xff\xfe\x00", "is not well-formed XML"),
        (b'<?xml version="1.0" encoding="made-up"?><a/>', "is not well-formed XML"),
    ],
    ids=["text", "empty", "html", "entities", "external", "deep", "wide", "large", "bytes", "encoding"],
)
def test_hostile_files_are_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_definitions(text, "evil.dmn")
    assert message in str(refused.value)
    assert "evil.dmn" in str(refused.value)


def test_types_may_check_any_number_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.policy.feel.evaluator._MOST_STEPS", 100)
    types = Types(model(TYPES), Evaluator())
    for _ in range(1_000):
        assert types.converted(Decimal(5), "tAmount") == (Decimal(5), True)
