"""`evenkeel policy run` and `tck`: what they print, their exit codes, and numbers without loss."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dmn_samples import decision, definitions, feel, given, table

from evenkeel.cli.application import Application
from evenkeel.cli.policy import policy
from evenkeel.policy.documents import document_of, json_of
from evenkeel.policy.feel.values import Date, Duration, Range

APPLICATION = Application(Path("unused"), None, lambda: datetime(2024, 5, 31, 10, 0, tzinfo=UTC))
ELEMENTS = [
    given("income"), given("day", "date"), decision("Half", feel("income / 2"), ["i_income"]),
    decision("Next", feel('day + duration("P1D")'), ["i_day"]),
    decision("Out", table(["income"], ["o"], [["> 100", '"yes"'], ["<= 100", '"no"']]), ["i_income"]),
]  # fmt: skip


def _call(tmp_path: Path, inputs: object, *options: str, elements: list[str] = ELEMENTS) -> Result:
    (tmp_path / "p.dmn").write_text(definitions(*elements), encoding="utf-8")
    text = inputs if isinstance(inputs, str) else json.dumps(inputs)
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    arguments = ["run", str(tmp_path / "p.dmn"), "--inputs", str(tmp_path / "in.json"), *options]
    return CliRunner().invoke(policy, arguments, obj=APPLICATION, standalone_mode=False)


def test_each_context_has_its_result_and_one_that_errs_stops_no_other(tmp_path: Path) -> None:
    called = _call(tmp_path, [{"income": "250.50", "day": "2024-12-31"}, {"income": "much"}, {}], "--json")
    first, second, third = json.loads(called.stdout, parse_float=Decimal)
    assert first == {
        "outputs": {"Half": Decimal("125.25"), "Next": "2025-01-01", "Out": "yes"},
        "rows": {"Out": ["r1"]},
        "error": None,
    }
    assert second["outputs"] == {"Half": None, "Next": None, "Out": None}
    assert second["error"] == "income is a string, which is not of its type number"
    assert third["outputs"] == second["outputs"]
    assert called.return_value == 0


def test_one_context_alone_and_one_decision_alone(tmp_path: Path) -> None:
    called = _call(tmp_path, {"income": 3}, "--decision", "Half", "--json")
    assert json.loads(called.stdout) == [{"outputs": {"Half": 1.5}, "rows": {}, "error": None}]


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    called = _call(tmp_path, '{"income": 1234567890123456789012345678901234}', "--decision", "Half", "--json")
    assert '"Half": 617283945061728394506172839450617' in called.stdout
    called = _call(tmp_path, '{"income": 0.1}', "--decision", "Half", "--json")
    assert '"Half": 0.05\n' in called.stdout


def test_values_as_documents() -> None:
    span = Range(Decimal(1), Decimal(2), True, False)
    document = document_of(
        [Decimal("1.0"), Decimal("1E+2"), Decimal("1E+99"), Decimal("1.50"), span, Date(2024, 5, 31), Duration(0), True]
    )
    assert document == [1, 100, Decimal("1E+99"), Decimal("1.50"), "[1..2)", "2024-05-31", "PT0S", True]
    assert json_of(document_of(Decimal("1E+99"))) == "1E+99"
    assert json_of({"a": Decimal("1.50"), "月": 1}) == '{\n  "a": 1.50,\n  "月": 1\n}'


def test_an_expression_that_cannot_be_read_is_said_and_exits_with_1(tmp_path: Path) -> None:
    called = _call(tmp_path, {}, "--json", elements=[decision("A", feel("1 +")), decision("B", feel("2"))])
    assert json.loads(called.stdout)[0]["outputs"] == {"A": None, "B": 2}
    assert "p.dmn, decision A: at character 4, expected a value" in called.stderr
    assert called.return_value == 1


def test_words_for_people(tmp_path: Path) -> None:
    called = _call(tmp_path, {"income": 300}, "--lang", "zh")
    assert "第 1 组输入\n  Half: 150\n" in called.stdout
    assert 'Out: "yes"  [命中规则 r1]' in called.stdout


def test_the_clock_of_the_application_is_now(tmp_path: Path) -> None:
    called = _call(tmp_path, {}, "--json", elements=[decision("A", feel("string(now())"))])
    assert json.loads(called.stdout)[0]["outputs"] == {"A": "2024-05-31T10:00:00Z"}


def test_a_context_that_is_no_object_errs_alone(tmp_path: Path) -> None:
    called = _call(tmp_path, "[1, {}]", "--json", elements=[decision("A", feel("1 + 1"))])
    first, second = json.loads(called.stdout)
    assert "no object" in first["error"] and second["outputs"] == {"A": 2}


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("{", [], "in.json is not JSON"),
        ('{"a": 1, "a": 2}', [], "has the field 'a' twice"),
        ({}, ["--decision", "None"], "--decision 'None' is not in the file"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, inputs: object, options: list[str], message: str) -> None:
    called = _call(tmp_path, inputs, *options)
    assert message in str(called.exception)


def test_tck_counts_and_lists(shared: Path) -> None:
    folder = str(shared / "cases" / "dmn_tck")
    called = CliRunner().invoke(policy, ["tck", folder, "--json"], obj=APPLICATION, standalone_mode=False)
    document = json.loads(called.stdout)
    assert document["counts"] == {"passed": 43, "failed": 0, "unsupported": 0}
    assert (len(document["passed"]), document["failed"], document["unsupported"]) == (43, [], [])
    assert called.return_value == 0
