"""Files of cases, spoilt in every field: never a number, always a reason that names what is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from test_cases_more import (
    AT_SEVEN,
    DAY_15,
    LATER,
    NEXT,
    OPENED,
    PROGRESSIVE,
    RECALCULATED,
    REPAYMENTS,
    SCHEDULES,
    TWICE,
    UNITS,
    Case,
    lifecycle,
    loan,
    paid,
    paid_out,
    run,
    schedule_case,
    today,
    unit_case,
)
from test_cases_plain import RATES, rate_case

from evenkeel.accounts.cases import run_cases

SOUND: dict[str, tuple[str, Case]] = {
    "unit": ("unit", unit_case(*UNITS["another rate within a period"][:2])),
    "schedule": ("emi_e2e", schedule_case(*SCHEDULES["LoanInterestRateChange C3217"][:2])),
    "older": ("e2e", lifecycle(loan(RECALCULATED, "2022-11-01", 5000, 12, 6), [*OPENED, *REPAYMENTS["RP04 late"][1]])),
    "newer": ("e2e", lifecycle(loan(PROGRESSIVE, "2024-01-01", 100, 7, 6), [NEXT, *DAY_15, paid("2024-02-15", 15)])),
    "rate": ("apr_examples", rate_case(*RATES["(c)(2)(i)"][:3])),
}  # fmt: skip
WORTHLESS = ["", "x", [], {}, [1], True, -1, 1e308, float("nan"), float("inf"), 10**30, "2024-02-30", "9999-12-31"]
_GONE = object()
# What may be missing, or be something else, without making a case unclear.
OPTIONAL = {"id", "source", "unmodelled_steps", "business_date", "installment_multiple_of", "interest_recalculation",
            "grace_principal", "grace_interest", "interest_free"}  # fmt: skip


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*path, key)
        yield from places(part, (*path, key))


def spoilt(case: Case, path: tuple[Any, ...], value: object) -> Case:
    found = copy.deepcopy(case)
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    if value is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return found


def outcome(section: str, case: Case) -> Case:
    document = {section: {"cases": [case]}} if section.startswith("apr") else {section: [case]}
    found: Case = run_cases(document)["cases"][0]
    json.dumps(found, allow_nan=False)
    return found


@pytest.mark.parametrize("name", SOUND)
def test_a_spoilt_field_is_never_computed(name: str) -> None:
    section, case = SOUND[name]
    assert outcome(section, case)["status"] == "computed"
    for path in places(case):
        field = next(key for key in reversed(path) if isinstance(key, str))
        for value in WORTHLESS:
            if (field == "business_date" and path[-1] == field) or field in ("id", "source"):
                continue  # not read, or any text
            if field == "unmodelled_steps" and value == []:
                continue
            found = outcome(section, spoilt(case, path, value))
            assert found["status"] == "unsupported", (path, value)
            assert found["why"], (path, value)


@pytest.mark.parametrize("name", SOUND)
def test_a_missing_field_is_named(name: str) -> None:
    section, case = SOUND[name]
    for path in places(case):
        if isinstance(path[-1], int) or path[-1] in OPTIONAL:
            continue
        for value in (_GONE, None):
            found = outcome(section, spoilt(case, path, value))
            assert f"lacks `{path[-1]}`" in (found["why"] or ""), path


@pytest.mark.parametrize("name", SOUND)
def test_a_field_that_is_not_known_is_named(name: str) -> None:
    section, case = SOUND[name]
    for path in [(), *places(case)]:
        inner: Any = case
        for key in path:
            inner = inner[key]
        if isinstance(inner, dict):
            found = outcome(section, spoilt(case, (*path, "balloon"), 7))
            assert "`balloon`" in (found["why"] or ""), path


def test_a_section_that_is_not_known_is_not_passed_over() -> None:
    found = run_cases({"unit": [], "line": [{"id": "a"}]})["cases"][0]
    assert (found["id"], found["status"]) == ("a", "unsupported")
    assert "`line`" in found["why"]


@pytest.mark.parametrize(
    ("changes", "events", "why"),
    [
        ({"principal": 99}, [paid_out("2024-01-01", 100)], "more is paid out than"),
        ({"disbursed": "2024-01-02"}, [paid_out("2024-01-01", 100)], "`disbursed` is another day"),
        ({"principal": 10**11}, [], "`amount` is 100000000000"),
        ({"annual_rate_pct": 1000.5}, [], "a rate is from 0 to 1000 percent"),
        ({"n_repayments": 0}, [], "no whole number from 1"),
        ({"n_repayments": 601}, [], "600"),
    ],
)
def test_inputs_that_contradict_each_other_or_are_out_of_range(changes: Case, events: list[Case], why: str) -> None:
    assert why in run("emi_e2e", schedule_case(changes, events))["why"]


def test_periods_that_are_not_of_the_length_that_is_agreed() -> None:
    """By 30/360 a period of one month is worth a twelfth of a year, whatever `repay_every` says."""
    found = run("unit", unit_case({"repay_every": 2}, [paid_out("2024-01-01", 100)]))
    assert "is not of 2 months" in found["why"]


AT_FOUR = {"type": "change_rate", "effective": "2024-02-02", "annual_rate_pct": 4}


def progressive(*events: Case, more: str = "") -> tuple[str, Case]:
    return "e2e", lifecycle(loan(PROGRESSIVE + more, "2024-01-01", 100, 7, 6), list(events), LATER)


def older(product: str, *events: Case) -> tuple[str, Case]:
    return "e2e", lifecycle(loan(product, "2022-11-01", 5000, 12, 6), [*OPENED, *events])


@pytest.mark.parametrize(
    ("case", "why"),
    [
        # C3918: another system pays principal of 16.65 and carries interest of the rate that held before.
        (("emi_e2e", schedule_case(AT_SEVEN, [*TWICE, AT_FOUR, paid("2024-04-01", 16.65)])), "left money in advance"),
        (("emi_e2e", schedule_case(AT_SEVEN, [
            paid_out("2024-01-01", 50), paid("2024-01-05", 8.5), paid_out("2024-01-08", 50),
        ])), "another disbursement"),
        (progressive(today("2024-01-01"), paid_out("2024-01-01", 60), today("2024-02-15"), paid("2024-02-15", 10.21),
                     paid_out("2024-02-15", 40)), "another disbursement"),
        (progressive(NEXT | {"future_installment_allocation": "REAMORTIZATION"}, *DAY_15, paid("2024-02-15", 34.02)),
         "for all instalments"),
        (progressive(*DAY_15, more="_COMPOUNDING_MONTHLY"), "MONTHLY of a progressive schedule"),
        (older(RECALCULATED + "_RESCHEDULE_RESCH_NEXT_REP", today("2022-11-20"), paid("2022-11-20", 1000)),
         "between due days"),
        (older(RECALCULATED, today("2023-03-05"), paid("2023-03-05", 862)), "late payment of this size"),
        (older(RECALCULATED.replace("NONE", "MONTHLY"), today("2023-03-05"), paid("2023-03-05", 862),
               paid("2023-03-05", 100)), "late payment of this size"),
    ],
)  # fmt: skip
def test_what_no_case_shows_or_is_computed_otherwise_elsewhere_is_not_answered(
    case: tuple[str, Case], why: str
) -> None:
    found = run(*case)
    assert (found["status"], found["states"]) == ("unsupported", [])
    assert why in found["why"]
