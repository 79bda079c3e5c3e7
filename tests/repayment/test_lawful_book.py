"""A case from a borrower of a book: what the record tells, and what it leaves unknown."""

from __future__ import annotations

from datetime import date

import pytest

from book_samples import AS_OF, TODAY, sound_book, write_book
from evenkeel.book.model import Book
from evenkeel.book.reading import read_book
from evenkeel.kernel.errors import NotFound
from evenkeel.repayment.facts.of_book import case_of_borrower
from evenkeel.repayment.law.essentials import essentials
from evenkeel.repayment.law.lawful import claims


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    folder = write_book(sound_book(40), tmp_path_factory.mktemp("lawful") / "book", "parquet")
    found = read_book(folder, latest=TODAY).book
    assert found is not None
    return found


def test_a_borrower_s_lines_are_debts_of_their_lenders(book: Book) -> None:
    rows = {row["account_id"]: row for row in book.tables["accounts"].to_pylist()}
    seen = 0
    for borrower in book.tables["borrowers"]["borrower_id"].to_pylist():
        case = case_of_borrower(book, borrower)
        assert (case.as_of, case.currency, case.jurisdiction) == (AS_OF, "CNY", "CN")
        for debt in case.debts:
            if debt.id in rows:
                seen += 1
                assert rows[debt.id]["borrower_id"] == borrower and debt.creditor == rows[debt.id]["lender_id"]
                assert debt.opened_on == rows[debt.id]["opened_on"] and debt.rate_annual == 0.18
        claims(case), essentials(case)
    assert seen > 10


def test_lines_of_other_lenders_are_debts_too(book: Book) -> None:
    lines = book.tables["tradelines"].to_pylist()
    row = next(row for row in lines if (row["balance_minor"] or 0) > 0)
    newest = max((one for one in lines if one["line_token"] == row["line_token"]), key=lambda one: one["as_of"])
    case = case_of_borrower(book, row["borrower_id"])
    (debt,) = [one for one in case.debts if one.id == row["line_token"]]
    assert (debt.creditor, debt.balance_minor) == (row["lender_token"], newest["balance_minor"])
    assert debt.rate_annual is None and debt.opened_on is None  # what nobody reported stays unknown


def test_income_is_what_decisions_know_and_what_is_not_known_is_not_made_up(book: Book) -> None:
    for row in book.tables["borrowers"].to_pylist()[:10]:
        house = case_of_borrower(book, row["borrower_id"]).household
        told = row["income_verified_minor"]
        if told is not None:
            assert [one.amount_minor for one in house.incomes] == [told]
            assert house.incomes[0].evidence == "verified"
        dependants = row["dependants"]
        assert len(house.members) == 1 + (1 if dependants is None else dependants)
        assert house.essentials == () and house.savings_minor is None


def test_nobody_is_not_a_case(book: Book) -> None:
    with pytest.raises(NotFound, match="no line"):
        case_of_borrower(book, "nobody")


def test_the_same_book_gives_the_same_case(book: Book) -> None:
    who = book.tables["borrowers"]["borrower_id"][3].as_py()
    assert case_of_borrower(book, who, role="head", seed=4) == case_of_borrower(book, who, role="head", seed=4)
    assert case_of_borrower(book, who).as_of <= date(2024, 6, 30)
