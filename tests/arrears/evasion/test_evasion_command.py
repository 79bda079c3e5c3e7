"""`evenkeel arrears evasion`: a book, a file of letters, and a process from proposal to appeal."""

import csv
import json
from pathlib import Path

import pytest

from evenkeel.arrears.evasion.evidence import Route
from evenkeel.book.generator import GeneratorSpec, generate, write_book
from shells import here


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evasion") / "book"
    write_book(generate(GeneratorSpec(borrowers=600, months=14, seed=2)), folder)
    return folder


def test_a_book_is_assessed_with_the_shares_of_groups(book: Path, tmp_path: Path) -> None:
    done = here("arrears", "evasion", "assess", book, "--out", tmp_path, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and (tmp_path / "evasion.parquet").is_file()
    assert sum(told["routes"].values()) == told["overdue_borrowers"] == len(told["borrowers"])
    assert {group["by"] for group in told["groups"]} == {"age", "region", "occupation", "complained"}


def test_a_book_in_which_nobody_is_overdue_is_assessed_too(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.mkdir()
    (book / "accounts.csv").write_text(
        "account_id,borrower_id,lender_id,product,currency,limit\na,b,x,card,USD,100\n", encoding="utf-8"
    )
    rows = [f"a,2024-{month:02},true,50,100,10,5,0,0" for month in range(1, 6)]
    head = "account_id,month,on_book,balance,limit,paid,min_due,dpd_low,dpd_high"
    (book / "periods.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    done = here("arrears", "evasion", "assess", book, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["overdue_borrowers"]) == (0, 0)


def test_letters_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "letters.csv").write_text("letter_id,borrower_id,text\n1,b,hello\n", encoding="utf-8")
    done = here("arrears", "evasion", "letters", "letters.csv", cwd=tmp_path)
    assert done.returncode == 1 and "received_on" in done.stderr


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_letters_are_told_in_words(tmp_path: Path, lang: str) -> None:
    text = "We the undersigned ask to stop all interest and to accept sixty instalments under article seventy; fee 500."
    with (tmp_path / "letters.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["letter_id", "borrower_id", "received_on", "text", "phone_token"])
        rows.writerows([n, f"b{n}", "2026-03-02", text, "one"] for n in range(6))
    done = here("arrears", "evasion", "letters", "letters.csv", "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0 and "6" in done.stdout and "·" in done.stdout


def test_every_route_is_named() -> None:
    assert [str(route) for route in Route] == ["abstain", "unable", "hardship", "fraud_review", "review"]
