"""A case as a spreadsheet: exact both ways, in both languages, and every fault by sheet, row and column."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from lawful_samples import card, case, cases

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Between, Case, Essential, Household, Income, OneOff, Payment, Policy
from evenkeel.repayment.facts.form import read_form, write_form


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow,
                                                                 HealthCheck.function_scoped_fixture])  # fmt: skip
@given(cases)
def test_what_is_written_is_read_back_exactly(tmp_path: Path, found: Case) -> None:
    for language in ("zh", "en"):
        write_form(tmp_path / "form.xlsx", found, language)
        assert read_form(tmp_path / "form.xlsx") == found


def filled(path: Path, changes: dict[tuple[str, str], Any], language: str = "en") -> Path:
    """A form of a small sound case, with some cells changed: (sheet, cell) -> value."""
    sound = case(
        card(payments=(Payment(date(2026, 1, 2), 5_000),)),
        household=Household(incomes=(Income("wage", amount_minor=600_000),), essentials=(Essential("food", 90_000),)),
        policies={"*": Policy()},
    )
    write_form(path, sound, language)
    book = openpyxl.load_workbook(path)
    for (sheet, cell), value in changes.items():
        book[sheet][cell] = value
    book.save(path)
    return path


def column(path: Path, sheet: str, title: str) -> str:
    for cell in openpyxl.load_workbook(path)[sheet][1]:
        if cell.value == title:
            return str(cell.column_letter)
    raise AssertionError(title)


def test_an_empty_form_has_all_headings_and_asks_for_what_a_case_needs(tmp_path: Path) -> None:
    for language, sheet, title in (("en", "Debts", "Creditor"), ("zh", "债务", "债权人")):
        write_form(tmp_path / "empty.xlsx", None, language)
        assert column(tmp_path / "empty.xlsx", sheet, title)
        with pytest.raises(InvalidInput, match="lacks `case_id`"):
            read_form(tmp_path / "empty.xlsx")


def test_people_write_percent_commas_and_their_own_words(tmp_path: Path) -> None:
    path = tmp_path / "f.xlsx"
    filled(path, {})
    rate, kind, balance = (column(path, "Debts", title) for title in ("Rate a year", "Type of lender", "Balance"))
    filled(
        path, {("Debts", f"{rate}2"): "18.25%", ("Debts", f"{kind}2"): "小额贷款", ("Debts", f"{balance}2"): "12,345.6"}
    )
    (debt,) = read_form(path).debts
    assert (debt.rate_annual, debt.lender_type, debt.balance_minor) == (0.1825, "micro_loan", 1_234_560)


def test_ranges_unknowns_and_zero_are_three_things(tmp_path: Path) -> None:
    path = tmp_path / "f.xlsx"
    filled(path, {})
    fees, penalty, interest = (column(path, "Debts", title) for title in ("Fees", "Penalty", "Interest"))
    filled(path, {("Debts", f"{fees}2"): "400~600.5", ("Debts", f"{penalty}2"): "?", ("Debts", f"{interest}2"): 0})
    (debt,) = read_form(path).debts
    assert (debt.fees_minor, debt.penalty_minor, debt.interest_minor) == (Between(40_000, 60_050), None, 0)


@pytest.mark.parametrize(
    ("title", "value", "words"),
    [
        ("Balance", "12.345", "more decimals than CNY has"),
        ("Balance", "a lot", "'a lot' is not a number"),
        ("Balance", -5, "is -500"),
        ("Balance", "=1+1", "not a formula"),
        ("Rate a year", 2_000, "from 0 to 1,000"),
        ("Rate a year", "1e999", "beyond every amount"),
        ("Rate a year", "1e99999999", "is not a number"),
        ("Type of lender", "shop", "Allowed: bank_card"),
        ("Taken up on", "yesterday", "2026-05-31"),
        ("Payments", "2026-01-01", "name=value"),
        ("Days past due", 1.5, "whole number"),
        ("Debt", None, "lacks `id`"),
        ("Secured", "perhaps", "true or false"),
    ],
)
def test_a_fault_is_told_by_sheet_row_and_column(tmp_path: Path, title: str, value: Any, words: str) -> None:
    path = filled(tmp_path / "f.xlsx", {})
    filled(path, {("Debts", f"{column(path, 'Debts', title)}2"): value})
    with pytest.raises(InvalidInput) as refused:
        read_form(path)
    assert "f.xlsx, sheet `debts`, row 2" in str(refused.value) and words in str(refused.value)


def test_headings_that_nobody_knows_and_cells_without_one_are_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "f.xlsx", {})
    with pytest.raises(InvalidInput, match="is no heading of it"):
        read_form(filled(path, {("Debts", "AZ1"): "Colour"}))
    with pytest.raises(InvalidInput, match="without a heading"):
        read_form(filled(path, {("Debts", "AZ2"): "red"}))
    with pytest.raises(InvalidInput, match="is no field of a case"):
        read_form(filled(path, {("Household", "A20"): "Colour"}))


def test_a_policy_twice_or_of_nobody_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "f.xlsx", {})
    with pytest.raises(InvalidInput, match="two rows of '\\*'"):
        read_form(filled(path, {("Creditors' policies", "A3"): "*"}))
    with pytest.raises(InvalidInput, match="whose policy"):
        read_form(filled(path, {("Creditors' policies", "A2"): None}))


def test_a_text_that_no_spreadsheet_holds_is_refused(tmp_path: Path) -> None:
    odd = case(household=Household(one_off=(OneOff(date(2026, 12, 1), 5, "a\x01b"),)))
    with pytest.raises(InvalidInput, match="control characters"):
        write_form(tmp_path / "f.xlsx", odd)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"hello", bytes(2_000)])
def test_what_is_no_spreadsheet_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.xlsx").write_bytes(data)
    with pytest.raises(InvalidInput, match=r"f\.xlsx"):
        read_form(tmp_path / "f.xlsx")
    with pytest.raises(InvalidInput, match="no file"):
        read_form(tmp_path / "none.xlsx")
