"""`evenkeel arrears warn` on a book that is too small to learn from: told in the language that was asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shells import here


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One borrower with one line, always current."""
    book = tmp_path_factory.mktemp("one") / "book"
    book.mkdir()
    (book / "accounts.csv").write_text(
        "account_id,borrower_id,lender_id,product,currency\na,b,x,card,USD\n", encoding="utf-8"
    )
    rows = [f"a,2024-{month:02},true,50,100,10,5,0,0" for month in range(1, 7)]
    head = "account_id,month,on_book,balance,limit,paid,min_due,dpd_low,dpd_high"
    (book / "periods.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return book


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_cannot_be_judged_is_told_in_the_language_asked_for(one: Path, tmp_path: Path, lang: str) -> None:
    done = here("arrears", "warn", one, "--lang", lang, cwd=tmp_path)
    told = [line for line in done.stdout.splitlines() if "30" in line]
    assert (done.returncode, len(told)) == (0, 6)
    if lang == "zh":
        assert not re.search("[A-Za-z]", "".join(told))


def test_the_document_says_how_many_there_were(one: Path, tmp_path: Path) -> None:
    done = here("arrears", "warn", one, "--json", cwd=tmp_path)
    why = json.loads(done.stdout)["not_available"]
    assert why["first_1m"].startswith("0 of 3 cases whose month is over were followed") and "30" in why["first_3m"]
