"""`evenkeel arrears causes`: every overdue borrower with all causes, in words and as JSON."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evenkeel.arrears.cause import BELIEFS_SCHEMA, CAUSES, UNCLEAR
from evenkeel.book.generator import GeneratorSpec, generate, write_book
from shells import here


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causes") / "book"
    write_book(generate(GeneratorSpec(borrowers=600, months=14, seed=2)), folder)
    return folder


def test_each_overdue_borrower_has_all_causes_that_sum_to_one(book: Path, tmp_path: Path) -> None:
    done = here("arrears", "causes", book, "--out", tmp_path, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and set(told) == {"as_of", "causes", "borrowers", "change"}
    assert len(told["borrowers"]) == told["causes"]["overdue_borrowers"] > 0
    for borrower in told["borrowers"]:
        chances = [one["probability"] for one in borrower["causes"]]
        assert {one["cause"] for one in borrower["causes"]} == set(CAUSES)
        assert sum(chances) == pytest.approx(1) and chances == sorted(chances, reverse=True)
        assert borrower["cause"] in (UNCLEAR, borrower["causes"][0]["cause"])
        for one in borrower["causes"]:
            assert all(entry["points"] > 0 for entry in one["evidence_for"])
            assert all(entry["points"] < 0 for entry in one["evidence_against"])
    table = pq.read_table(tmp_path / "causes.parquet")
    assert table.schema.equals(BELIEFS_SCHEMA)
    assert table.num_rows == 5 * len(told["borrowers"])
    parts = [part["change"] or 0 for part in told["change"]["parts"]]
    assert abs(sum(parts) - told["change"]["change"]) <= 1e-12


@pytest.mark.parametrize(("lang", "word"), [("en", "quality of the vintages"), ("zh", "客群质量")])
def test_it_is_told_in_words_with_a_staircase(book: Path, lang: str, word: str) -> None:
    done = here("arrears", "causes", book, "--lang", lang, cwd=book)
    assert done.returncode == 0 and word in done.stdout and "█" in done.stdout and "%" in done.stdout


def test_months_that_are_wrong_are_told(book: Path) -> None:
    done = here("arrears", "causes", book, "--from", "2024-12", "--to", "2024-03", cwd=book)
    assert done.returncode == 1 and "earlier one first" in done.stderr
