"""Loans like those of the shared file of cases, whose numbers are known from elsewhere: from the public tests of
Apache Fineract. Each case names the file and the scenario that assert it.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from evenkeel.accounts.cases import run_cases

Case = dict[str, Any]

EARLY, LATER = "apache/fineract@4198b0bcf9", "apache/fineract@0258af6872"


def run(section: str, case: Case) -> Case:
    found: Case = run_cases({section: [case]})["cases"][0]
    return found


def computed(section: str, case: Case) -> list[Case]:
    found = run(section, case)
    assert (found["status"], found["why"]) == ("computed", None)
    states: list[Case] = found["states"]
    return states


def table(text: str, names: list[str]) -> list[dict[str, Any]]:
    """Rows of numbers and words under names; `-` is a name that the row lacks."""

    def value(word: str) -> object:
        return float(word) if word.replace(".", "").isdigit() else word

    rows = [zip(names, line.split(), strict=True) for line in text.strip().splitlines()]
    return [{name: value(word) for name, word in row if word != "-"} for row in rows]


def paid_out(on: str, amount: float) -> Case:
    return {"type": "disburse", "date": on, "amount": amount}


def paid(on: str, amount: float) -> Case:
    return {"type": "repayment", "date": on, "amount": amount}


def today(on: str) -> Case:
    return {"type": "business_date", "date": on}


# ---- Schedules -------------------------------------------------------------------------------------------------------

PLAIN = ["due", "balance", "principal", "interest", "total_due"]
LOAN: Case = {
    "principal": 100, "annual_rate_pct": 9.4822, "day_count": "30/360", "disbursed": "2024-01-01",
    "repay_every": "1 month", "n_repayments": 6,
}  # fmt: skip
MONTH_END = {"principal": 10000, "annual_rate_pct": 12, "disbursed": "2025-01-31", "n_repayments": 3}
AT_SEVEN = {"annual_rate_pct": 7, "interest_recalculation": "daily"}
TWICE = [paid_out("2024-01-01", 100), today("2024-04-01"), paid("2024-02-01", 17.01), paid("2024-03-01", 17.01)]

THRICE = """
        2024-02-01 250.68 49.32 2.01 51.33
        2024-03-01 201.33 49.35 1.98 51.33
        2024-04-01 151.59 49.74 1.59 51.33
        2024-05-01 101.46 50.13 1.2 51.33
        2024-06-01 50.93 50.53 0.8 51.33
        2024-07-01 0 50.93 0.4 51.33"""

SCHEDULES: dict[str, tuple[Case, list[Case], str]] = {
    "EMICalculation C3153": ({"principal": 10000, "day_count": "ACTUAL/ACTUAL", "disbursed": "2023-12-12"}, [], """
        2024-01-12 8367.33 1632.67 80.45 1713.12
        2024-02-12 6721.41 1645.92 67.2 1713.12
        2024-03-12 5058.79 1662.62 50.5 1713.12
        2024-04-12 3386.3 1672.49 40.63 1713.12
        2024-05-12 1699.5 1686.8 26.32 1713.12
        2024-06-12 0 1699.5 13.65 1713.15"""),
    "EMICalculation C3154": ({"annual_rate_pct": 12}, [], """
        2024-02-01 83.75 16.25 1.0 17.25
        2024-03-01 67.34 16.41 0.84 17.25
        2024-04-01 50.76 16.58 0.67 17.25
        2024-05-01 34.02 16.74 0.51 17.25
        2024-06-01 17.11 16.91 0.34 17.25
        2024-07-01 0 17.11 0.17 17.28"""),
    "EMICalculation C3165": ({"principal": 75, "annual_rate_pct": 12.3, "n_repayments": 5}, [], """
        2024-02-01 60.3 14.7 0.77 15.47
        2024-03-01 45.45 14.85 0.62 15.47
        2024-04-01 30.45 15.0 0.47 15.47
        2024-05-01 15.29 15.16 0.31 15.47
        2024-06-01 0 15.29 0.16 15.45"""),
    "EMICalculation C3157": ({"annual_rate_pct": 12, "repay_every": "2 months", "n_repayments": 3}, [], """
        2024-03-01 67.32 32.68 2.0 34.68
        2024-05-01 33.99 33.33 1.35 34.68
        2024-07-01 0 33.99 0.68 34.67"""),
    "EMICalculation C3159": ({"annual_rate_pct": 12, "day_count": "ACTUAL/365"}, [], """
        2024-02-01 83.77 16.23 1.02 17.25
        2024-03-01 67.32 16.45 0.8 17.25
        2024-04-01 50.76 16.56 0.69 17.25
        2024-05-01 34.01 16.75 0.5 17.25
        2024-06-01 17.11 16.9 0.35 17.25
        2024-07-01 0 17.11 0.17 17.28"""),
    "EMICalculation C3167": ({"annual_rate_pct": 15.678, "day_count": "ACTUAL/365"}, [], """
        2024-02-01 83.9 16.1 1.33 17.43
        2024-03-01 67.52 16.38 1.05 17.43
        2024-04-01 50.99 16.53 0.9 17.43
        2024-05-01 34.22 16.77 0.66 17.43
        2024-06-01 17.25 16.97 0.46 17.43
        2024-07-01 0 17.25 0.22 17.47"""),
    "EMICalculation C3161": ({"annual_rate_pct": 5, "n_repayments": 5, "down_payment_pct": 25}, [], """
        2024-01-01 75.0 25.0 0 25.0
        2024-02-01 60.12 14.88 0.31 15.19
        2024-03-01 45.18 14.94 0.25 15.19
        2024-04-01 30.18 15.0 0.19 15.19
        2024-05-01 15.12 15.06 0.13 15.19
        2024-06-01 0 15.12 0.06 15.18"""),
    # Interest of a period with two balances is rounded once here: 2.01, not 0.18 + 1.84.
    "EMICalculation C3194": ({"principal": 300}, [paid_out("2024-01-01", 100), paid_out("2024-01-08", 200)], THRICE),
    # What was paid between changes nothing where interest is that of the plan.
    "EMICalculation C3195": (
        {"principal": 300}, [paid_out("2024-01-01", 100), paid("2024-01-05", 17.13), paid_out("2024-01-08", 200)],
        THRICE),
    # The due day moves to the first of the next month; a month has 30 days all the same.
    "LoanMonthEndDueDateStrategy C111045": (MONTH_END | {"month_end": "FIRST_DAY_OF_NEXT_MONTH"}, [], """
        2025-03-01 6699.78 3300.22 100.0 3400.22
        2025-03-31 3366.56 3333.22 67.0 3400.22
        2025-05-01 0 3366.56 33.67 3400.23"""),
    "LoanMonthEndDueDateStrategy C111047": (MONTH_END | {"day_count": "ACTUAL/ACTUAL"}, [], """
        2025-02-28 6694.23 3305.77 92.05 3397.82
        2025-03-31 3364.64 3329.59 68.23 3397.82
        2025-04-30 0 3364.64 33.19 3397.83"""),
    "LoanInterestRateChange C3217": (
        AT_SEVEN, [*TWICE, {"type": "change_rate", "effective": "2024-02-02", "annual_rate_pct": 4}], """
        2024-02-01 83.57 16.43 0.58 17.01
        2024-03-01 66.97 16.6 0.28 16.88
        2024-04-01 50.31 16.66 0.22 16.88
        2024-05-01 33.6 16.71 0.17 16.88
        2024-06-01 16.83 16.77 0.11 16.88
        2024-07-01 0 16.83 0.06 16.89"""),
    "LoanInterestRateChange C3917": (
        AT_SEVEN, [*TWICE, {"type": "change_rate", "effective": "2024-03-11", "annual_rate_pct": 4}], """
        2024-02-01 83.57 16.43 0.58 17.01
        2024-03-01 67.05 16.52 0.49 17.01
        2024-04-01 50.41 16.64 0.27 16.91
        2024-05-01 33.67 16.74 0.17 16.91
        2024-06-01 16.87 16.8 0.11 16.91
        2024-07-01 0 16.87 0.06 16.93"""),
}  # fmt: skip


def schedule_case(changes: Case, events: list[Case], source: str = LATER) -> Case:
    inputs: Case = LOAN | changes
    return {"id": "x", "source": source, "inputs": inputs,
            "events": events or [paid_out(inputs["disbursed"], inputs["principal"])]}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_what_another_system_asserts(name: str) -> None:
    changes, events, text = SCHEDULES[name]
    expected = table(text, PLAIN)
    last = computed("emi_e2e", schedule_case(changes, events))[-1]
    assert last["schedule"] == expected
    assert last["total_interest"] == pytest.approx(sum(row["interest"] for row in expected), abs=1e-9)


def test_what_is_open_after_payments_and_a_change_of_rate() -> None:
    changes, events, _ = SCHEDULES["LoanInterestRateChange C3917"]
    assert computed("emi_e2e", schedule_case(changes, events))[-1]["outstanding"] == 67.66


UNIT = ["emi", "rate_factor", "interest", "principal", "balance"]


def months(first: str, count: int) -> list[list[str]]:
    year, month, day = map(int, first.split("-"))
    days = [date(year + (month - 1 + n) // 12, (month - 1 + n) % 12 + 1, day).isoformat() for n in range(count + 1)]
    return [list(pair) for pair in pairwise(days)]


def spans(first: str, count: int, length: int) -> list[list[str]]:
    days = [(date.fromisoformat(first) + timedelta(days=n * length)).isoformat() for n in range(count + 1)]
    return [list(pair) for pair in pairwise(days)]


# ProgressiveEMICalculatorTest of apache/fineract@048cf93c39.
UNITS: dict[str, tuple[Case, list[Case], str]] = {
    "300 in one period": ({}, [paid_out("2024-01-01", 100), paid_out("2024-01-08", 200)], """
        51.33 0.006117548387 2.01 49.32 250.68
        51.33 0.007901833333 1.98 49.35 201.33
        51.33 0.007901833333 1.59 49.74 151.59
        51.33 0.007901833333 1.2 50.13 101.46
        51.33 0.007901833333 0.8 50.53 50.93
        51.33 0.007901833333 0.4 50.93 0"""),
    "200 in two periods": ({}, [paid_out("2024-01-01", 100), paid_out("2024-02-15", 100)], """
        17.13 0.007901833333 0.79 16.34 83.66
        37.53 0.004087155172 1.07 36.46 147.2
        37.53 0.007901833333 1.16 36.37 110.83
        37.53 0.007901833333 0.88 36.65 74.18
        37.53 0.007901833333 0.59 36.94 37.24
        37.53 0.007901833333 0.29 37.24 0"""),
    "175 from within the first period": (
        {}, [paid_out("2024-01-05", 100), paid_out("2024-01-08", 50), paid_out("2024-01-08", 25)], """
        29.94 0.006117548387 1.15 28.79 146.21
        29.94 0.007901833333 1.16 28.78 117.43
        29.94 0.007901833333 0.93 29.01 88.42
        29.94 0.007901833333 0.7 29.24 59.18
        29.94 0.007901833333 0.47 29.47 29.71
        29.94 0.007901833333 0.23 29.71 0"""),
    "actual over a leap year's beginning": (
        {"day_count": "ACTUAL/ACTUAL", "periods": months("2023-12-12", 6)}, [paid_out("2023-12-12", 100)], """
        17.13 0.008044857759 0.8 16.33 83.67
        17.13 0.008031371585 0.67 16.46 67.21
        17.13 0.007513218579 0.5 16.63 50.58
        17.13 0.008031371585 0.41 16.72 33.86
        17.13 0.007772295082 0.26 16.87 16.99
        17.13 0.008031371585 0.14 16.99 0"""),
    "weeks of 364": (
        {"day_count": "ACTUAL/DAYS_364", "frequency": "WEEKS", "periods": spans("2024-01-01", 6, 7)},
        [paid_out("2024-01-01", 100)], """
        16.77 0.0018235 0.18 16.59 83.41
        16.77 0.0018235 0.15 16.62 66.79
        16.77 0.0018235 0.12 16.65 50.14
        16.77 0.0018235 0.09 16.68 33.46
        16.77 0.0018235 0.06 16.71 16.75
        16.78 0.0018235 0.03 16.75 0"""),
    "15 days of 360": (
        {"day_count": "ACTUAL/DAYS_360", "frequency": "DAYS", "repay_every": 15, "periods": spans("2024-01-01", 6, 15)},
        [paid_out("2024-01-01", 100)], """
        16.9 0.003950916667 0.4 16.5 83.5
        16.9 0.003950916667 0.33 16.57 66.93
        16.9 0.003950916667 0.26 16.64 50.29
        16.9 0.003950916667 0.2 16.7 33.59
        16.9 0.003950916667 0.13 16.77 16.82
        16.89 0.003950916667 0.07 16.82 0"""),
    "another rate within a period": (
        {"annual_rate_pct": 7.0, "business_date": "2024-02-14"},
        [paid_out("2024-01-01", 100), {"type": "change_rate", "date": "2024-02-15", "annual_rate_pct": 4.0}], """
        17.01 0.005833333333 0.58 16.43 83.57
        16.9 0.00183908046 0.37 16.53 67.04
        16.9 0.003333333333 0.22 16.68 50.36
        16.9 0.003333333333 0.17 16.73 33.63
        16.9 0.003333333333 0.11 16.79 16.84
        16.9 0.003333333333 0.06 16.84 0"""),
    "one instalment": ({"annual_rate_pct": 7.0, "periods": months("2024-01-01", 1)}, [paid_out("2024-01-01", 1000)], """
        1005.83 0.005833333333 5.83 1000 0"""),
}  # fmt: skip


def unit_case(changes: Case, events: list[Case], source: str = "apache/fineract@048cf93c39") -> Case:
    inputs = {
        "annual_rate_pct": 9.4822, "day_count": "DAYS_30/DAYS_360", "repay_every": 1, "frequency": "MONTHS",
        "installment_multiple_of": None, "business_date": None, "periods": months("2024-01-01", 6),
    } | changes  # fmt: skip
    return {"id": "x", "source": source, "inputs": inputs, "events": events}


@pytest.mark.parametrize("name", UNITS)
def test_the_calculator_gives_what_another_system_asserts(name: str) -> None:
    changes, events, text = UNITS[name]
    rows = computed("unit", unit_case(changes, events))[-1]["rows"]
    assert [{key: row[key] for key in UNIT} for row in rows] == table(text, UNIT)


def test_where_commits_round_differently_and_none_is_named_there_is_no_answer() -> None:
    changes, events, _ = UNITS["300 in one period"]
    assert "parts of a period's interest" in run("unit", unit_case(changes, events, "elsewhere"))["why"]


# ---- Lifecycles ------------------------------------------------------------------------------------------------------

ROW = ["Nr", "Days", "Date", "Paid date", "Balance of loan", "Principal due", "Interest", "Due", "Paid", "In advance",
       "Late", "Outstanding"]  # fmt: skip
MOVED = ["Transaction date", "Transaction Type", "Amount", "Principal", "Interest", "Loan Balance", "Reverted"]
RECALCULATED = "LP1_INTEREST_DECLINING_BALANCE_DAILY_RECALCULATION_COMPOUNDING_NONE"
PROGRESSIVE = "LP2_ADV_PYMNT_INTEREST_DAILY_EMI_360_30_INTEREST_RECALCULATION_DAILY_TILL_PRECLOSE"
AUTO = "LP2_DOWNPAYMENT_AUTO_ADVANCED_PAYMENT_ALLOCATION"
MANUAL = "LP2_DOWNPAYMENT_ADV_PMT_ALLOC_PROGRESSIVE_LOAN_SCHEDULE_HORIZONTAL"
COB, NEXT = (
    {"type": "cob"},
    {"type": "rule", "transaction": "DEFAULT", "future_installment_allocation": "NEXT_INSTALLMENT"},
)


def loan(product: str, submitted: str, principal: float, rate: float, count: int, every: int = 1, unit: str = "MONTHS",
         **changes: object) -> Case:  # fmt: skip
    old = product.startswith("LP1")
    return {
        "product_facts": product, "submitted": submitted, "principal": principal, "annual_rate_pct": rate,
        "interest_type": "DECLINING_BALANCE" if rate else "FLAT",
        "interest_period": "DAILY" if rate else "SAME_AS_REPAYMENT_PERIOD", "amortization": "EQUAL_INSTALLMENTS",
        "term": [float(every * count), unit], "repay_every": [float(every), unit], "n_repayments": float(count),
        "grace_principal": 0.0, "grace_interest": 0.0, "interest_free": 0.0,
        "allocation": "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER" if old else "ADVANCED_PAYMENT_ALLOCATION",
    } | changes  # fmt: skip


def lifecycle(inputs: Case, events: list[Case], source: str = EARLY) -> Case:
    return {"id": "x", "source": source, "inputs": inputs, "events": events, "unmodelled_steps": []}


def shown(state: Case) -> list[Case]:
    """The instalments of a state; what all of these lack is 0."""
    rows = [row for row in state["schedule"] if "Nr" in row]
    assert all(row["Fees"] == row["Penalties"] == 0 for row in rows)
    return [{key: value for key, value in row.items() if key not in ("Fees", "Penalties")} for row in rows]


def instalments(text: str) -> list[Case]:
    return table(text, ROW)


OPENED = [today("2022-11-01"), paid_out("2022-11-01", 5000)]
# LoanRepayment.feature: 5000 at 12 % in six months, interest of what is really paid.
REPAYMENTS: dict[str, tuple[str, list[Case], str]] = {
    "RP03 early": ("", [today("2022-11-27"), paid("2022-11-27", 863)], """
        1 30 2022-12-01 - 4137 863 48.18 911.18 863 863 0 48.18
        2 31 2023-01-01 - 3327.16 809.84 42.16 852 0 0 0 852
        3 31 2023-02-01 - 2509.07 818.09 33.91 852 0 0 0 852
        4 28 2023-03-01 - 1680.17 828.9 23.1 852 0 0 0 852
        5 31 2023-04-01 - 845.29 834.88 17.12 852 0 0 0 852
        6 30 2023-05-01 - 0 845.29 8.34 853.63 0 0 0 853.63"""),
    "RP04 late": ("", [today("2022-12-05"), paid("2022-12-05", 862)], """
        1 30 2022-12-01 2022-12-05 4187.32 812.68 49.32 862 862 0 862 0
        2 31 2023-01-01 - 3369.07 818.25 43.75 862 0 0 0 862
        3 31 2023-02-01 - 2541.41 827.66 34.34 862 0 0 0 862
        4 28 2023-03-01 - 1702.8 838.61 23.39 862 0 0 0 862
        5 31 2023-04-01 - 858.15 844.65 17.35 862 0 0 0 862
        6 30 2023-05-01 - 0 858.15 8.46 866.61 0 0 0 866.61"""),
    "RP05 on time, a part": ("", [today("2022-12-01"), paid("2022-12-01", 200)], """
        1 30 2022-12-01 - 4187.32 812.68 49.32 862 200 0 0 662
        2 31 2023-01-01 - 3368 819.32 42.68 862 0 0 0 862
        3 31 2023-02-01 - 2540.33 827.67 34.33 862 0 0 0 862
        4 28 2023-03-01 - 1701.71 838.62 23.38 862 0 0 0 862
        5 31 2023-04-01 - 857.05 844.66 17.34 862 0 0 0 862
        6 30 2023-05-01 - 0 857.05 8.45 865.5 0 0 0 865.5"""),
    "RP06 early, a part": ("", [today("2022-11-27"), paid("2022-11-27", 200)], """
        1 30 2022-12-01 - 4187.05 812.95 49.05 862 200 200 0 662
        2 31 2023-01-01 - 3367.72 819.33 42.67 862 0 0 0 862
        3 31 2023-02-01 - 2540.04 827.68 34.32 862 0 0 0 862
        4 28 2023-03-01 - 1701.42 838.62 23.38 862 0 0 0 862
        5 31 2023-04-01 - 856.76 844.66 17.34 862 0 0 0 862
        6 30 2023-05-01 - 0 856.76 8.45 865.21 0 0 0 865.21"""),
    "RP08 on time, more": ("", [today("2022-12-01"), paid("2022-12-01", 1500)], """
        1 30 2022-12-01 2022-12-01 3549.32 1450.68 49.32 1500 1500 0 0 0
        2 31 2023-01-01 - 2854.49 694.83 36.17 731 0 0 0 731
        3 31 2023-02-01 - 2152.58 701.91 29.09 731 0 0 0 731
        4 28 2023-03-01 - 1441.4 711.18 19.82 731 0 0 0 731
        5 31 2023-04-01 - 725.09 716.31 14.69 731 0 0 0 731
        6 30 2023-05-01 - 0 725.09 7.15 732.24 0 0 0 732.24"""),
    "RP10 late, more": ("", [today("2022-12-05"), paid("2022-12-05", 1500)], """
        1 30 2022-12-01 2022-12-05 4187.32 812.68 49.32 862 862 0 862 0
        2 31 2023-01-01 - 3363.41 823.91 38.09 862 638 638 0 224
        3 31 2023-02-01 - 2535.69 827.72 34.28 862 0 0 0 862
        4 28 2023-03-01 - 1697.03 838.66 23.34 862 0 0 0 862
        5 31 2023-04-01 - 852.33 844.7 17.3 862 0 0 0 862
        6 30 2023-05-01 - 0 852.33 8.41 860.74 0 0 0 860.74"""),
    "RP11 fewer instalments": (
        "_RESCHEDULE_REDUCE_NR_INST",
        [today("2022-12-01"), paid("2022-12-01", 1000), today("2023-01-01"), paid("2023-01-01", 2000)], """
        1 30 2022-12-01 2022-12-01 4049.32 950.68 49.32 1000 1000 0 0 0
        2 31 2023-01-01 2023-01-01 2090.59 1958.73 41.27 2000 2000 0 0 0
        3 31 2023-02-01 - 1249.9 840.69 21.31 862 0 0 0 862
        4 28 2023-03-01 - 399.41 850.49 11.51 862 0 0 0 862
        5 31 2023-04-01 - 0 399.41 4.07 403.48 0 0 0 403.48"""),
    "RP13 the next instalments are lower": (
        "_RESCHEDULE_RESCH_NEXT_REP",
        [today("2022-12-01"), paid("2022-12-01", 1000), today("2023-01-01"), paid("2023-01-01", 2000)], """
        1 30 2022-12-01 2022-12-01 4049.32 950.68 49.32 1000 1000 0 0 0
        2 31 2023-01-01 2023-01-01 2090.59 1958.73 41.27 2000 2000 0 0 0
        3 31 2023-02-01 - 2090.59 0 21.31 21.31 0 0 0 21.31
        4 28 2023-03-01 - 1683.14 407.45 19.24 426.69 0 0 0 426.69
        5 31 2023-04-01 - 838.29 844.85 17.15 862 0 0 0 862
        6 30 2023-05-01 - 0 838.29 8.27 846.56 0 0 0 846.56"""),
}  # fmt: skip


@pytest.mark.parametrize("name", REPAYMENTS)
def test_a_payment_early_late_or_in_part_does_what_another_system_asserts(name: str) -> None:
    product, events, text = REPAYMENTS[name]
    case = lifecycle(loan(RECALCULATED + product, "2022-11-01", 5000, 12, 6), [*OPENED, *events])
    assert shown(computed("e2e", case)[-1]) == instalments(text)


LATE_862: dict[str, tuple[str, str, str, str]] = {
    "RP15 on a due day, interest by instalments": (
        RECALCULATED.replace("COMPOUNDING", "SAME_AS_REPAYMENT_COMPOUNDING"), "2022-11-01", "2023-02-01", """
        1 30 2022-12-01 2023-02-01 4187.32 812.68 49.32 862 862 0 862 0
        2 31 2023-01-01 - 3368 819.32 42.68 862 0 0 0 862
        3 31 2023-02-01 - 2556.96 811.04 50.96 862 0 0 0 862
        4 28 2023-03-01 - 1718.5 838.46 23.54 862 0 0 0 862
        5 31 2023-04-01 - 874.01 844.49 17.51 862 0 0 0 862
        6 30 2023-05-01 - 0 874.01 8.62 882.63 0 0 0 882.63"""),
    "RP01 late interest bears interest": (
        RECALCULATED.replace("LP1", "LP1_1MONTH").replace("NONE", "MONTHLY"), "2022-09-01", "2022-12-04", """
        1 30 2022-10-01 2022-12-04 4187.32 812.68 49.32 862 862 0 862 0
        2 31 2022-11-01 - 3368 819.32 42.68 862 0 0 0 862
        3 30 2022-12-01 - 2539.22 828.78 33.22 862 0 0 0 862
        4 31 2023-01-01 - 1705.65 833.57 28.43 862 0 0 0 862
        5 31 2023-02-01 - 861.03 844.62 17.38 862 0 0 0 862
        6 28 2023-03-01 - 0 861.03 7.93 868.96 0 0 0 868.96"""),
}  # fmt: skip


@pytest.mark.parametrize("name", LATE_862)
def test_the_first_instalment_paid_with_the_third_does_what_another_system_asserts(name: str) -> None:
    product, begun, on, text = LATE_862[name]
    events = [today(begun), paid_out(begun, 5000), today(on), paid(on, 862)]
    assert shown(computed("e2e", lifecycle(loan(product, begun, 5000, 12, 6), events))[-1]) == instalments(text)


# LoanRepayment.feature: 5000 at 12 % in 18 months, planned.
PLANNED: dict[str, tuple[Case, list[float], list[float], tuple[float, float]]] = {
    "RS02": ({}, [255, 257.55, 260.13], [50, 47.45, 44.87], (300.22, 3)),
    "RS04": ({"amortization": "EQUAL_PRINCIPAL_PAYMENTS"}, [277.78] * 3, [50, 47.22, 44.44], (277.74, 2.78)),
    "RS06": ({"grace_principal": 6.0, "grace_interest": 3.0}, [0, 0, 0], [50, 50, 50], (442.66, 4.43)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANNED)
def test_a_plan_is_what_another_system_asserts(name: str) -> None:
    changes, principal, interest, last = PLANNED[name]
    product = "LP1_INTEREST_DECLINING_BALANCE_PERIOD_SAME_AS_PAYMENT"
    inputs = loan(product, "2022-11-01", 5000, 12, 18, interest_period="SAME_AS_REPAYMENT_PERIOD", **changes)
    rows = shown(computed("e2e", lifecycle(inputs, [today("2022-11-01")]))[-1])
    assert [row["Principal due"] for row in rows[:3]] == principal
    assert [row["Interest"] for row in rows[:3]] == interest
    assert (rows[-1]["Principal due"], rows[-1]["Interest"]) == last


DAY_15 = [today("2024-01-01"), paid_out("2024-01-01", 100), today("2024-02-15"), COB]
LATE = """
        1 31 2024-02-01 {0} 83.57 16.43 0.58 17.01 {1} 0 {1} {2}
        2 29 2024-03-01 - 67.09 16.48 0.53 17.01 0 0 0 17.01
        3 31 2024-04-01 - 50.47 16.62 0.39 17.01 0 0 0 17.01
        4 30 2024-05-01 - 33.75 16.72 0.29 17.01 0 0 0 17.01
        5 31 2024-06-01 - 16.94 16.81 0.2 17.01 0 0 0 17.01
        6 30 2024-07-01 - 0 16.94 0.1 17.04 0 0 0 17.04"""
# EMICalculation.feature: 100 at 7 % in six months, 30/360, interest of what is really paid.
FOLLOWING: dict[str, tuple[list[Case], str, str]] = {
    "C3226 nothing": ([], LATE.format("-", 0, 17.01), ""),
    "C3248 a part, principal first": (
        [paid("2024-02-15", 15)], LATE.format("-", 15, 2.01), "2024-02-15 Repayment 15 15 0 85 false"),
    "C3249 all": (
        [paid("2024-02-15", 17.01)], LATE.format("2024-02-15", 17.01, 0),
        "2024-02-15 Repayment 17.01 16.43 0.58 83.57 false"),
    "C3250 and the next": ([paid("2024-02-15", 34.02)], """
        1 31 2024-02-01 2024-02-15 83.57 16.43 0.58 17.01 17.01 0 17.01 0
        2 29 2024-03-01 2024-02-15 66.84 16.73 0.28 17.01 17.01 17.01 0 0
        3 31 2024-04-01 - 50.42 16.42 0.59 17.01 0 0 0 17.01
        4 30 2024-05-01 - 33.7 16.72 0.29 17.01 0 0 0 17.01
        5 31 2024-06-01 - 16.89 16.81 0.2 17.01 0 0 0 17.01
        6 30 2024-07-01 - 0 16.89 0.1 16.99 0 0 0 16.99""", "2024-02-15 Repayment 34.02 33.16 0.86 66.84 false"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWING)
def test_late_money_of_a_progressive_loan_pays_what_another_system_asserts(name: str) -> None:
    events, text, transaction = FOLLOWING[name]
    last = computed("e2e", lifecycle(loan(PROGRESSIVE, "2024-01-01", 100, 7, 6), [*DAY_15, *events], LATER))[-1]
    assert shown(last) == instalments(text)
    assert moved(last)[1:] == table(transaction, MOVED)


def moved(state: Case) -> list[Case]:
    return [{name: row[name] for name in MOVED} for row in state["transactions"]]


def test_money_in_advance_for_the_last_instalment_of_a_progressive_loan() -> None:
    """EMICalculation.feature C3267: it pays the last instalment up to its level, and saves the interest between."""
    last_rule = NEXT | {"future_installment_allocation": "LAST_INSTALLMENT"}
    events = [last_rule, *DAY_15, paid("2024-02-15", 34.02)]
    last = computed("e2e", lifecycle(loan(PROGRESSIVE, "2024-01-01", 100, 7, 6), events, LATER))[-1]
    assert shown(last) == instalments("""
        1 31 2024-02-01 2024-02-15 83.57 16.43 0.58 17.01 17.01 0 17.01 0
        2 29 2024-03-01 - 67.04 16.53 0.48 17.01 0 0 0 17.01
        3 31 2024-04-01 - 50.32 16.72 0.29 17.01 0 0 0 17.01
        4 30 2024-05-01 - 33.5 16.82 0.19 17.01 0 0 0 17.01
        5 31 2024-06-01 - 17.01 16.49 0.1 16.59 0 0 0 16.59
        6 30 2024-07-01 2024-02-15 0 17.01 0 17.01 17.01 17.01 0 0""")
    assert moved(last)[-1] == table("2024-02-15 Repayment 34.02 33.44 0.58 66.56 false", MOVED)[0]


def test_a_payoff_up_to_the_next_due_day() -> None:
    """Loan.feature C3483: interest of the whole period is paid, 84.06 in all."""
    product = PROGRESSIVE.replace("TILL_PRECLOSE", "TILL_REST_FREQUENCY_DATE")
    events = [today("2024-01-01"), paid_out("2024-01-01", 100), today("2024-02-01"), paid("2024-02-01", 17.01),
              today("2024-02-15"), {"type": "payoff", "date": "2024-02-15"}]  # fmt: skip
    last = computed("e2e", lifecycle(loan(product, "2024-01-01", 100, 7, 6), events))[-1]
    assert [row["Due"] for row in shown(last)] == [17.01] * 5 + [16.02]
    assert moved(last)[2:] == table("2024-02-15 Repayment 84.06 83.57 0.49 0 false", MOVED)


def days_15(product: str, on: str, principal: float, events: list[Case]) -> Case:
    return computed("e2e", lifecycle(loan(product, on, principal, 0, 3, 15, "DAYS"), events))[-1]


CLOSED = [
    today("2023-09-01"), NEXT, paid_out("2023-09-01", 400), today("2023-09-16"), paid("2023-09-16", 100),
    today("2023-10-01"), paid("2023-10-01", 100), today("2023-10-16"), paid("2023-10-16", 100), today("2023-10-25"),
]  # fmt: skip


def test_chargebacks_after_the_last_instalment_are_one_that_moves() -> None:
    """LoanChargeback.feature C2876; which payment is charged back makes no difference without interest."""
    back = {"type": "chargeback", "amount": 100.0}
    events = [
        *CLOSED,
        back,
        today("2023-10-30"),
        paid("2023-10-30", 100),
        today("2023-11-01"),
        back | {"of_payment_nr": 2},
    ]
    last = days_15(AUTO, "2023-09-01", 400, events)
    assert shown(last)[4:] == instalments("5 16 2023-11-01 - 0 200 0 200 100 0 100 100")
    assert last["total"]["Outstanding"] == 100


@pytest.mark.parametrize("amount", [25, 50])
def test_a_chargeback_of_no_more_than_was_overpaid_leaves_everything_paid(amount: float) -> None:
    """LoanChargeback.feature C2878, C2879."""
    events = [*CLOSED[:-2], paid("2023-10-16", 150), today("2023-10-25"), {"type": "chargeback", "amount": amount}]
    last = days_15(AUTO, "2023-09-01", 400, events)
    assert [(row["Due"], row["Paid"], row["Outstanding"]) for row in shown(last)] == [(100, 100, 0)] * 4
    assert moved(last)[-1] == table(f"2023-10-25 Chargeback {amount} 0 0 0 false", MOVED)[0]


def test_four_chargebacks_on_one_day() -> None:
    """LoanChargeback.feature C3086."""
    paying = [e for on in ("2024-01-04", "2024-01-16", "2024-01-31", "2024-02-15") for e in (today(on), paid(on, 125))]
    back = [{"type": "chargeback", "amount": 125.0, "of_payment_nr": n} for n in (1, 2, 3, 4)]
    product = "LP2_DOWNPAYMENT_ADV_PMT_ALLOC_PROG_SCHEDULE_HOR_INST_LVL_DELINQUENCY_CREDIT_ALLOCATION"
    events = [today("2024-01-01"), paid_out("2024-01-01", 500), *paying, today("2024-02-20"), *back,
              today("2024-02-28"), paid("2024-02-28", 500)]  # fmt: skip
    last = days_15(product, "2024-01-01", 500, events)
    assert shown(last)[4:] == instalments("5 5 2024-02-20 2024-02-28 0 500 0 500 500 0 500 0")
    assert last["total"]["Late"] == 625


def test_a_re_age_after_a_chargeback_and_one_that_is_undone() -> None:
    """LoanReAging.feature C3056 and C3054."""
    re_age = {"type": "re_age", "frequencyNumber": 2.0, "frequencyType": "MONTHS", "startDate": "2024-03-10",
              "numberOfInstallments": 3.0}  # fmt: skip
    begun = [today("2024-01-01"), paid_out("2024-01-01", 1000)]
    events = [*begun, paid("2024-01-01", 250), today("2024-02-02"),
              {"type": "chargeback", "amount": 125.0, "of_payment_nr": 1}, today("2024-02-21"), re_age]  # fmt: skip
    last = days_15(MANUAL, "2024-01-01", 1000, events)
    assert [(row["Date"], row["Due"]) for row in shown(last)[4:]] == [
        ("2024-03-10", 291.67), ("2024-05-10", 291.67), ("2024-07-10", 291.66)
    ]  # fmt: skip
    undone = [*begun, today("2024-02-27"), re_age, paid("2024-02-01", 250), {"type": "undo_re_age"}]
    last = days_15(AUTO, "2024-01-01", 1000, undone)
    assert [row["Due"] for row in shown(last)] == [250] * 4
    assert moved(last)[-1] == table("2024-02-27 Re-age 500 500 0 0 true", MOVED)[0]


def test_a_refund_is_spread_in_cents() -> None:
    """Loan.feature C2851: 275 over three instalments, and the next payment to the first of them."""
    events = [today("2023-01-01"), paid_out("2023-01-01", 500), today("2023-01-02"),
              {"type": "merchant_issued_refund", "date": "2023-01-02", "amount": 400.0}, today("2023-01-04"),
              paid("2023-01-04", 50)]  # fmt: skip
    last = days_15(MANUAL, "2023-01-01", 500, events)
    assert [row["Paid"] for row in shown(last)] == [125, 125, 108.34, 91.66]


@pytest.mark.parametrize(
    ("rule", "on", "amounts"),
    [
        ("LAST_INSTALLMENT", "2023-09-10", [100, 0, 50, 100]),  # Loan.feature C2862
        ("REAMORTIZATION", "2023-09-10", [100, 50, 50, 50]),  # C2864
        ("LAST_INSTALLMENT", "2023-09-20", [100, 100, 0, 50]),  # C2897
    ],
)
def test_money_in_advance_goes_where_the_rule_says(rule: str, on: str, amounts: list[float]) -> None:
    events = [today("2023-09-01"), NEXT | {"future_installment_allocation": rule}, paid_out("2023-09-01", 400),
              today(on), paid(on, 150)]  # fmt: skip
    assert [row["Paid"] for row in shown(days_15(AUTO, "2023-09-01", 400, events))] == amounts


def test_more_instalments() -> None:
    """LoanReschedule.feature C2806, C2996: what is left from an instalment on is spread over two more."""
    more = {"type": "reschedule", "submittedOnDate": "2023-07-01", "extraTerms": 2.0}
    events = [today("2023-07-01"), paid_out("2023-07-01", 3000), more | {"rescheduleFromDate": "2023-09-01"}]
    rows = shown(computed("e2e", lifecycle(loan("LP1", "2023-07-01", 3000, 0, 3), events))[-1])
    assert [(row["Date"], row["Due"]) for row in rows] == [
        ("2023-08-01", 1000), ("2023-09-01", 500), ("2023-10-01", 500), ("2023-11-01", 500), ("2023-12-01", 500)
    ]  # fmt: skip
    events = [today("2023-10-01"), paid_out("2023-10-01", 1000), more | {"rescheduleFromDate": "2023-10-16"}]
    assert [row["Due"] for row in shown(days_15(AUTO, "2023-10-01", 1000, events))] == [250] + [150] * 5
