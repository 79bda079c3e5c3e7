"""Conformance cases of the DMN standard that lie beside the project, and how cases are compared."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.tck import run_cases, same


def test_every_shared_case_passes(shared: Path) -> None:
    folder = shared / "cases" / "dmn_tck"
    report = run_cases(folder)
    assert not report.failed
    assert not report.unsupported
    assert len(report.passed) == 43


def test_a_case_that_expects_something_else_fails_and_says_what(shared: Path, tmp_path: Path) -> None:
    source = shared / "cases" / "dmn_tck" / "0116-count-collect-hitpolicy"
    for file in source.iterdir():
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".xml":
            text = text.replace('<value xsi:type="xsd:decimal">4</value>', '<value xsi:type="xsd:decimal">5</value>')
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    report = run_cases(tmp_path)
    assert [case.why for case in report.failed] == ["Salary is 4, not 5"]
    assert len(report.passed) == 2


def test_a_function_of_another_language_is_unsupported(tmp_path: Path) -> None:
    (tmp_path / "java.dmn").write_text(
        '<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="java" namespace="n">'
        '<decision id="d" name="D"><literalExpression><text>'
        '{f: function(x) external {java: {class: "java.lang.Math"}}, y: f(1)}.y</text></literalExpression></decision>'
        "</definitions>"
    )
    (tmp_path / "java-test-01.xml").write_text(
        '<testCases xmlns="http://www.omg.org/spec/DMN/20160719/testcase"><modelName>java.dmn</modelName>'
        '<testCase id="1"><resultNode name="D"><expected><value>1</value></expected></resultNode>'
        "</testCase></testCases>"
    )
    report = run_cases(tmp_path)
    assert len(report.unsupported) == 1
    assert "functions of other languages are not run" in report.unsupported[0].why


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no conformance cases"):
        run_cases(tmp_path)


@pytest.mark.parametrize(
    ("found", "wanted", "equal"),
    [
        (Decimal("662.70735937326592715"), Decimal("662.707359373292"), True),
        (Decimal("662.70735937326592715"), Decimal("662.70735937"), False),
        (Decimal("0.33"), Decimal("0.34"), False),
        (Decimal(1), "1.0", True),
        (True, "true", True),
        (None, "", True),
        ("", "", True),
        (None, None, True),
        (False, None, False),
        ([Decimal(1)], [Decimal(1)], True),
        ([Decimal(1)], [], False),
        ({"a": Decimal(1)}, {"a": "1"}, True),
        ({"a": Decimal(1)}, {"b": "1"}, False),
    ],
)
def test_what_is_the_same(found: object, wanted: object, equal: bool) -> None:
    assert same(found, wanted) is equal
