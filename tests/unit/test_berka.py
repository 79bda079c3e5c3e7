"""The Berka files become a book: every number is held against an independent count over the source, in SQL."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from test_adapters import sql

from evenkeel.book.adapters import berka
from evenkeel.book.checking import check
from evenkeel.book.faults import Effect
from evenkeel.book.files import Unreadable
from evenkeel.book.model import Book
from evenkeel.kernel.errors import InvalidUsage

FILES = {
    name.split("_")[0]: f"berka_{name}.parquet"
    for name in ("loan", "disp", "client", "district", "transactions_1993q1_49102")
}
DAY = "strptime('19' || {}, '%Y%m%d')::DATE"


@pytest.fixture(scope="module")
def book(shared: Path) -> Book:
    adapted = berka.adapt(shared / "data", 0.0)
    result = check(adapted.raw(), adapted.manifest, as_of=None, latest=date(2026, 1, 1), earlier=adapted.faults)
    assert [(fault.rule, fault.effect) for fault in result.quality.faults] == [("gap", Effect.WARNING)]
    assert result.book is not None
    return result.book


@pytest.fixture(scope="module")
def source(shared: Path) -> dict[str, Path]:
    return {name: shared / "data" / file for name, file in FILES.items()}


def test_every_loan_is_an_account_of_the_owner(book: Book, source: dict[str, Path]) -> None:
    found = sql(
        f"SELECT count(*), count(*) FILTER (principal_minor = amount * 100 AND term_months = duration AND opened_on = "
        f"{DAY.format('l.date')} AND borrower_id = client_id::VARCHAR AND (a.status = 'closed') = (l.status = 'A')) "
        "FROM loan l JOIN disp d ON d.account_id = l.account_id AND d.type = 'OWNER' "
        "LEFT JOIN a ON a.account_id = loan_id::VARCHAR",
        a=book.tables["accounts"],
        **source,
    )
    assert found == [(682, 682)]


def test_outcomes_keep_the_published_share_of_bads_at_the_month_of_the_grant(
    book: Book, source: dict[str, Path]
) -> None:
    found = sql(
        f"SELECT count(*), sum(bad::INT), count(*) FILTER (bad <> (status IN ('B', 'D')) OR as_of <> "
        f"last_day({DAY.format('l.date')})) FROM loan l LEFT JOIN o ON o.account_id = loan_id::VARCHAR",
        o=book.tables["outcomes"],
        **source,
    )
    assert found == [(682, 76, 0)]


def test_each_loan_has_the_month_of_its_grant_and_what_is_owed_still_the_last(
    book: Book, source: dict[str, Path]
) -> None:
    found = sql(
        f"SELECT count(*), count(*) FILTER (month = strftime({DAY.format('l.date')}, '%Y-%m') AND dpd_high = 0 AND "
        "balance_minor = amount * 100 AND min_due_minor = round(payments::DECIMAL(18, 2) * 100)), "
        "count(*) FILTER (month = '1998-12' AND source_code = status AND status <> 'A' AND balance_minor IS NULL "
        "AND dpd_low = (status <> 'C')::INT) "
        "FROM p JOIN loan l ON p.account_id = loan_id::VARCHAR",
        p=book.tables["periods"],
        **source,
    )
    granted_last = sql(
        f"SELECT count(*) FROM loan l WHERE {DAY.format('l.date')} >= DATE '1998-12-01' AND status <> 'A'", **source
    )[0][0]
    running = 682 - 203
    assert found == [(682 + running - granted_last, 682, running - granted_last)]


def test_every_movement_is_one_event_of_the_owner(book: Book, source: dict[str, Path]) -> None:
    found = sql(
        "SELECT count(*), count(e.event_id), count(*) FILTER (borrower_id = client_id::VARCHAR AND "
        "abs(amount_minor) = round(amount::DECIMAL(18, 2) * 100) AND "
        f"effective_at = ({DAY.format('t.date')} + INTERVAL 12 HOUR) AT TIME ZONE 'Europe/Prague' AND booked_at = "
        "effective_at AND payload->>'account' = t.account_id::VARCHAR AND "
        "(payload->>'overdrawn' = 'true') IS NOT DISTINCT FROM nullif(t.balance < 0, false)) "
        "FROM transactions t JOIN disp d ON d.account_id = t.account_id AND d.type = 'OWNER' "
        "LEFT JOIN e ON e.event_id = trans_id::VARCHAR",
        e=book.tables["events"],
        **source,
    )
    assert found == [(49_102, 49_102, 49_102)]


def test_kinds_are_those_of_the_mapping(book: Book, source: dict[str, Path]) -> None:
    """The table of the adapter's docstring, written a second time as one CASE."""
    wrong = sql(
        "SELECT count(*) FROM transactions t JOIN e ON e.event_id = trans_id::VARCHAR WHERE kind <> CASE "
        "WHEN type = 'PRIJEM' AND k_symbol = 'UROK' THEN 'interest' WHEN k_symbol = 'DUCHOD' THEN 'income' "
        "WHEN type = 'PRIJEM' THEN 'deposit' WHEN k_symbol = 'SLUZBY' THEN 'fee' "
        "WHEN k_symbol = 'SANKC. UROK' THEN 'interest' WHEN k_symbol = 'UVER' THEN 'repayment' "
        "WHEN k_symbol IN ('SIPO', 'POJISTNE', 'LEASING') OR operation = 'PREVOD NA UCET' THEN 'purchase' "
        "ELSE 'cash_advance' END OR (amount_minor < 0) <> (type = 'PRIJEM' AND k_symbol IS NOT DISTINCT FROM 'UROK')",
        e=book.tables["events"],
        **source,
    )
    assert wrong == [(0,)]


def test_repayments_belong_to_the_loan_and_come_after_its_grant(book: Book, source: dict[str, Path]) -> None:
    found = sql(
        "SELECT count(*), count(*) FILTER (e.account_id = loan_id::VARCHAR AND t.date >= l.date) FROM transactions t "
        "JOIN e ON e.event_id = trans_id::VARCHAR LEFT JOIN loan l ON l.account_id = t.account_id "
        "WHERE k_symbol = 'UVER'",
        e=book.tables["events"],
        **source,
    )
    assert found == [(123, 123)]


def test_borrowers_have_their_birth_date_without_their_sex_and_their_region(
    book: Book, source: dict[str, Path]
) -> None:
    found = sql(
        "SELECT count(*), count(*) FILTER (strftime(birth_date, '%y%m%d')::INT = CASE WHEN birth_number // 100 % 100 "
        "> 50 THEN birth_number - 5000 ELSE birth_number END AND region = A3 AND year(birth_date) < 2000) FROM b "
        "JOIN client c ON borrower_id = client_id::VARCHAR JOIN district ON A1 = district_id",
        b=book.tables["borrowers"],
        **source,
    )
    assert found == [(1_751, 1_751)]


def test_loans_without_movements_are_counted_and_the_mapping_is_told(shared: Path) -> None:
    notes = " ".join(berka.adapt(shared / "data", 0.0).notes)
    for words in ("522 of 682 loans", "0 movements fit no line", "nearest kind", "may still go bad", "noon in Prague"):
        assert words in notes


def test_loans_alone_are_a_book_of_people_known_by_their_account(shared: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "data" / FILES["loan"], tmp_path / "loan.parquet")
    adapted = berka.adapt(tmp_path, 0.0)
    result = check(adapted.raw(), adapted.manifest, as_of=None, latest=date(2026, 1, 1))
    assert result.book is not None
    assert result.book.tables["events"].num_rows == 682
    assert all(name.startswith("account-") for name in result.book.tables["borrowers"]["borrower_id"].to_pylist())
    assert {note.removeprefix("missing: no file is ") for note in adapted.notes if note.startswith("missing: ")} == set(
        FILES
    ) - {"loan"}


def test_a_row_whose_date_is_no_day_is_left_out_and_counted_and_many_refuse(shared: Path, tmp_path: Path) -> None:
    pyarrow.csv.write_csv(pq.read_table(shared / "data" / FILES["loan"]), tmp_path / "loan.csv")
    text = (tmp_path / "loan.csv").read_text()
    (tmp_path / "loan.csv").write_text(text.replace("930705", "930231", 1))
    adapted = berka.adapt(tmp_path / "loan.csv", 0.01)
    assert adapted.tables["accounts"].num_rows == 681
    assert "dropped: 1 rows of loan have a date that is no day" in adapted.notes
    with pytest.raises(Unreadable):
        berka.adapt(tmp_path / "loan.csv", 0.001)


def test_a_folder_without_loans_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidUsage, match="loan_id"):
        berka.adapt(tmp_path, 0.01)
