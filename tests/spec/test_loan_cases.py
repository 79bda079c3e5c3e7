"""Loans that other systems have asserted: every number of the shared file, to the cent, or a reason why not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evenkeel.accounts.cases import run_cases
from evenkeel.accounts.fields import parse_json
from evenkeel.kernel.errors import InvalidInput

Case = dict[str, Any]

# Their events do not pay out what the name of their own source says: what was taken over is not what was computed.
_CONTRADICTORY = {"EMI-UNIT-10": [100, 200], "EMI-UNIT-12": [100, 50, 25]}


@pytest.fixture(scope="module")
def file(shared: Path) -> Path:
    return shared / "cases" / "loan_schedules.json"


@pytest.fixture(scope="module")
def document(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="module")
def computed(file: Path) -> dict[str, Case]:
    return {case["id"]: case for case in run_cases(parse_json(file.read_text(), file.name))["cases"]}


def differences(expected: Case, found: Case) -> Iterator[str]:
    """Where a state is not what is expected: every row, total and transaction, and no row more."""
    for name, value in expected.items():
        got = found.get(name)
        if isinstance(value, list):
            if not isinstance(got, list) or len(got) != len(value):
                yield f"{name}: {len(value)} rows expected, {got and len(got)} found"
                continue
            for place, (row, other) in enumerate(zip(value, got, strict=True)):
                yield from (
                    f"{name} row {place} {key}: {row[key]} | {other.get(key)}"
                    for key in row
                    if row[key] != other.get(key)
                )
                more = set(other) - set(row) - {"Reverted"}
                if more:
                    yield f"{name} row {place} has {more} beyond what the file writes"
        elif isinstance(value, dict):
            yield from (
                f"{name} {key}: {value[key]} | {got and got.get(key)}"
                for key in value
                if not got or value[key] != got.get(key)
            )
        elif got != value:
            yield f"{name}: {value} | {got}"


def wrong(case: Case, result: Case) -> list[str]:
    states = {state["after_events"]: state for state in result["states"]}
    assert list(states) == list(range(1, len(case["events"]) + 1))
    return [text for wanted in case["expected"] for text in differences(wanted, states[wanted["after_events"]])]


@pytest.mark.parametrize("section", ["unit", "emi_e2e", "e2e"])
def test_every_number_of_every_case(document: dict[str, Any], computed: dict[str, Case], section: str) -> None:
    for case in document[section]:
        result = computed[case["id"]]
        if case["id"] in _CONTRADICTORY:
            assert result["status"] == "unsupported"
            assert "its source is named after" in result["why"]
            continue
        assert (result["status"], result["why"]) == ("computed", None), case["id"]
        assert wrong(case, result) == [], case["id"]


def test_annual_rates(document: dict[str, Any], computed: dict[str, Case]) -> None:
    for case in document["apr_regz_appendix_j"]["cases"]:
        assert computed[case["id"]]["apr"] == case["apr"], case["id"]


@pytest.mark.parametrize(("name", "amounts"), _CONTRADICTORY.items())
def test_the_contradictory_cases_hold_with_the_amounts_that_their_source_pays_out(
    document: dict[str, Any], name: str, amounts: list[int]
) -> None:
    case = copy.deepcopy(next(case for case in document["unit"] if case["id"] == name))
    for event, amount in zip(case["events"], amounts, strict=True):
        event["amount"] = amount
    case["source"] = "a source that names no amount, @4198b0bcf9"
    assert wrong(case, run_cases({"unit": [case]})["cases"][0]) == []


def test_what_is_expected_is_never_read(document: dict[str, Any], computed: dict[str, Case]) -> None:
    blind = copy.deepcopy(document)
    for section in ("unit", "emi_e2e", "e2e"):
        for case in blind[section]:
            case["expected"] = {"nothing": float("nan")}
    for case in blind["apr_regz_appendix_j"]["cases"]:
        del case["apr"]
    assert run_cases(blind)["cases"] == list(computed.values())


def case(document: dict[str, Any], name: str) -> Case:
    found = next(one for section in ("unit", "emi_e2e", "e2e") for one in document[section] if one["id"] == name)
    return copy.deepcopy(found)


def result(one: Case) -> Case:
    section = "unit" if "UNIT" in one["id"] else "emi_e2e" if "EMI" in one["id"] else "e2e"
    found: Case = run_cases({section: [one]})["cases"][0]
    return found


_DATE = {"type": "business_date", "date": "2024-02-15"}


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("E2E-01", {"type": "write_off", "date": "2024-02-15"}, "events of type write_off are not understood"),
        ("E2E-01", {"type": "repayment", "date": "2024-02-15"}, "lacks `amount`"),
        ("E2E-01", {"type": "repayment", "date": "2024-02-15", "amount": 1.005}, "at most two decimals"),
        ("E2E-01", {"type": "repayment", "date": "15/02/2024", "amount": 1}, "which is no date"),
        ("E2E-01", {"type": "repayment", "date": "2024-02-15", "amount": 5, "channel": "x"}, "`channel`"),
        ("E2E-01", {"type": "repayment", "date": "2030-01-01", "amount": 5}, "after the business date"),
        ("E2E-01", {"type": "repayment", "date": "2024-02-15", "amount": 5}, "what the file does not say"),
        ("E2E-01", {"type": "chargeback", "amount": 5, "of_payment_nr": 1}, "bears interest"),
        ("E2E-01", {"type": "re_amortize"}, "not shown by any case"),
        ("E2E-45", {"type": "chargeback", "amount": 5, "of_payment_nr": 7}, "there is no payment 7"),
        ("E2E-45", {"type": "chargeback", "amount": 500, "of_payment_nr": 1}, "more than the payment"),
        ("E2E-25", {"type": "payoff", "date": "2022-11-27"}, "payoff of this kind of loan"),
        ("EMI-E2E-05", {"type": "cob"}, "not understood here"),
        ("EMI-UNIT-01", {"type": "payoff", "date": "2024-02-15"}, "not understood here"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_understood_exactly_is_unsupported(
    document: dict[str, Any], name: str, change: Case, why: str
) -> None:
    one = case(document, name)
    one["events"] = [*one["events"][:5], change] if name == "E2E-01" else [*one["events"], change]
    found = result(one)
    assert (found["status"], found["states"]) == ("unsupported", [])
    assert why in found["why"]


@pytest.mark.parametrize(
    ("name", "inputs", "why"),
    [
        ("E2E-01", {"product_facts": "LP2_CAPITALIZED_INCOME"}, "CAPITALIZED, INCOME"),
        ("E2E-01", {"product_facts": "LP3_INTEREST"}, "not known: LP3"),
        ("E2E-01", {"balloon": 20}, "`balloon`"),
        ("E2E-19", {"interest_free": 5.0}, "no case shows"),
        ("E2E-19", {"term": [20.0, "MONTHS"]}, "term is not"),
        ("E2E-19", {"allocation": "INTEREST_FIRST"}, "INTEREST_FIRST is not understood"),
        ("E2E-17", {"submitted": "2024-11-01"}, "leap year"),
        ("E2E-39", {"principal": 1000.0, "n_repayments": 7.0, "term": [105.0, "DAYS"]}, "whole units"),
        ("EMI-E2E-05", {"day_count": "30/365"}, "day count 30/365"),
        ("EMI-E2E-05", {"repay_every": "1 fortnight"}, "fortnight"),
        ("EMI-E2E-05", {"balloon_pct": 20}, "`balloon_pct`"),
    ],
)  # fmt: skip
def test_a_product_or_input_that_is_not_understood_exactly_is_unsupported(
    document: dict[str, Any], name: str, inputs: Case, why: str
) -> None:
    one = case(document, name)
    one["inputs"] |= inputs
    found = result(one)
    assert found["status"] == "unsupported"
    assert why in found["why"]


def test_a_step_beside_the_events_is_unsupported_unless_it_is_known(document: dict[str, Any]) -> None:
    one = case(document, "E2E-35")
    one["unmodelled_steps"].append("Admin waives charge")
    assert "not modelled: 'Admin waives charge'" in result(one)["why"]


def test_a_state_that_depends_on_what_the_file_does_not_say_is_left_out(document: dict[str, Any]) -> None:
    found = result(case(document, "EMI-E2E-21"))
    assert found["status"] == "computed"
    assert ["why" in state for state in found["states"]] == [False, False, True, False, False]


@pytest.mark.parametrize("bad", [None, [], 3, {}, {"note": "x"}, {"unit": 5}])
def test_a_file_without_cases_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInput):
        run_cases(bad)


@pytest.mark.parametrize("bad", [None, 3, {}, {"id": "x"}, {"id": "x", "events": [], "inputs": {}}])
@pytest.mark.parametrize("section", ["unit", "emi_e2e", "e2e"])
def test_a_case_that_is_none_is_unsupported(section: str, bad: object) -> None:
    found = run_cases({section: [bad]})["cases"][0]
    assert found["status"] == "unsupported"
    assert found["why"]
