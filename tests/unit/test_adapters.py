"""Public files become books: every number is held against an independent count over the source itself, in SQL."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from evenkeel.book.adapters import credit_record, home_credit, lending_club, uci_credit_card
from evenkeel.book.adapters.registry import ADAPTERS, description
from evenkeel.book.adapters.source import Adapted, to_minor
from evenkeel.book.checking import check
from evenkeel.book.files import Unreadable
from evenkeel.book.model import Book
from evenkeel.kernel.errors import InvalidUsage

HOME_CREDIT = {
    "application": "application_train",
    "bureau": "bureau",
    "bureau_balance": "bureau_balance",
    "previous_application": "previous_application",
    "installments_payments": "installments_payments",
}


def checked(adapted: Adapted) -> Book:
    """The adapted source as a book, without any fault."""
    result = check(adapted.raw(), adapted.manifest, as_of=None, latest=date(2026, 1, 1), earlier=adapted.faults)
    assert result.quality.faults == ()
    assert result.book is not None
    return result.book


def sql(query: str, **tables: object) -> list[tuple[Any, ...]]:
    """Rows of a query over Arrow tables or files, named in it."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            if isinstance(table, Path):
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{table}'")
            else:
                connection.register(name, table)
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return rows


# --- Home Credit


@pytest.fixture(scope="module")
def home(shared: Path) -> Book:
    return checked(home_credit.adapt(shared / "data", 0.0))


@pytest.fixture(scope="module")
def source(shared: Path) -> dict[str, Path]:
    return {name: shared / "data" / f"home_credit_1000_{name}.parquet" for name in HOME_CREDIT}


def test_home_credit_has_every_applicant_line_and_loan(home: Book, source: dict[str, Path]) -> None:
    counts = sql(
        "SELECT (SELECT count(*) FROM application), (SELECT count(DISTINCT SK_ID_PREV) FROM installments_payments), "
        "(SELECT count(*) FROM (SELECT SK_ID_CURR FROM application UNION SELECT SK_ID_CURR FROM bureau UNION "
        " SELECT SK_ID_CURR FROM installments_payments)), "
        "(SELECT count(*) FROM bureau) + (SELECT count(*) FROM bureau_balance WHERE MONTHS_BALANCE < 0)",
        **source,
    )[0]
    rows = {name: table.num_rows for name, table in home.tables.items()}
    assert (rows["applications"], rows["accounts"] - rows["applications"]) == counts[:2]
    assert (rows["borrowers"], rows["tradelines"]) == counts[2:]
    assert rows["outcomes"] == rows["periods"] == 1_000


def test_home_credit_outcomes_are_those_of_the_current_loans(home: Book, source: dict[str, Path]) -> None:
    wrong = sql(
        "SELECT count(*) FROM application a LEFT JOIN outcomes o ON o.account_id = a.SK_ID_CURR::VARCHAR "
        "WHERE o.bad IS DISTINCT FROM (a.DEFAULTED = 1)",
        outcomes=home.tables["outcomes"],
        **source,
    )
    assert wrong == [(0,)]


def test_home_credit_keeps_what_was_known_of_the_applicant_as_features(home: Book, source: dict[str, Path]) -> None:
    wrong = sql(
        "SELECT count(*), count(x_days_employed) FROM application a LEFT JOIN periods p ON p.account_id = "
        "a.SK_ID_CURR::VARCHAR WHERE p.x_ext_source_2 IS DISTINCT FROM a.EXT_SOURCE_2 OR x_days_employed IS DISTINCT "
        "FROM CASE WHEN DAYS_EMPLOYED <= 0 THEN -DAYS_EMPLOYED END",
        periods=home.tables["periods"],
        **source,
    )
    assert wrong == [(0, 0)]


def test_home_credit_reports_of_day_0_are_the_bureaus(home: Book, source: dict[str, Path]) -> None:
    wrong = sql(
        "SELECT count(*) FROM bureau b LEFT JOIN tradelines t "
        "ON t.line_token = b.SK_ID_BUREAU::VARCHAR AND t.as_of = DATE '2018-04-30' "
        "WHERE t.borrower_id IS DISTINCT FROM b.SK_ID_CURR::VARCHAR OR t.dpd_high <> CREDIT_DAY_OVERDUE "
        "OR t.opened_on <> DATE '2018-04-30' + DAYS_CREDIT::INT "
        "OR t.balance_minor <> CASE WHEN CREDIT_ACTIVE = 'Closed' THEN 0 ELSE "
        "round(AMT_CREDIT_SUM_DEBT::DECIMAL(18, 4), 2) * 100 END",
        tradelines=home.tables["tradelines"],
        **source,
    )
    assert wrong == [(0,)]


def test_home_credit_history_has_a_status_at_each_month_end(home: Book, source: dict[str, Path]) -> None:
    wrong = sql(
        "SELECT count(*) FROM bureau_balance b LEFT JOIN tradelines t ON t.line_token = b.SK_ID_BUREAU::VARCHAR "
        "AND t.as_of = last_day(DATE '2018-04-30' + to_months(MONTHS_BALANCE::INT)) WHERE MONTHS_BALANCE < 0 AND "
        "(t.line_token IS NULL OR t.dpd_low IS DISTINCT FROM CASE STATUS WHEN 'X' THEN NULL WHEN 'C' THEN 0 "
        " WHEN '0' THEN 0 ELSE 30 * (STATUS::INT - 1) + 1 END)",
        tradelines=home.tables["tradelines"],
        **source,
    )
    assert wrong == [(0,)]


def test_home_credit_instalments_are_one_a_number_and_their_payments_cover_them(
    home: Book, source: dict[str, Path]
) -> None:
    kept = sql(
        "SELECT i.account_id, i.seq, i.due_minor, sum(p.amount_minor) FROM instalments i LEFT JOIN payments p "
        "ON p.account_id = i.account_id AND split_part(p.payment_id, '-', 2)::INT = i.seq "
        "WHERE due_on <= DATE '2018-04-30' GROUP BY ALL",
        instalments=home.tables["instalments"],
        payments=home.tables["payments"],
    )
    numbers = {
        (str(loan), number): (due, paid)
        for loan, number, due, paid in sql(
            "WITH due AS (SELECT SK_ID_PREV p, NUM_INSTALMENT_NUMBER n, sum(a) due FROM (SELECT DISTINCT SK_ID_PREV, "
            "NUM_INSTALMENT_NUMBER, NUM_INSTALMENT_VERSION, AMT_INSTALMENT::DECIMAL(18, 3) a FROM "
            "installments_payments) GROUP BY ALL), paid AS (SELECT SK_ID_PREV p, NUM_INSTALMENT_NUMBER n, sum(a) paid "
            "FROM (SELECT DISTINCT SK_ID_PREV, NUM_INSTALMENT_NUMBER, DAYS_ENTRY_PAYMENT, AMT_PAYMENT::DECIMAL(18, 3) "
            "a FROM installments_payments) GROUP BY ALL) SELECT p, n, due, paid FROM due JOIN paid USING (p, n)",
            **source,
        )
    }
    assert len(kept) == len({row[:2] for row in kept})
    short = 0
    for loan, number, due, paid in kept:
        wanted = numbers[(str(loan), number)]
        assert due == int((Decimal(wanted[0]) * 100).quantize(Decimal(1), ROUND_HALF_UP))
        short += (paid or 0) < due - 2
    left_out = sum(paid < due - Decimal("0.01") for due, paid in numbers.values()) - short
    assert len(kept) == len(numbers) - left_out
    assert short < 30  # rests of the last instalments of loans that still run


def test_home_credit_says_what_it_did(shared: Path) -> None:
    notes = " ".join(home_credit.adapt(shared / "data", 0.01).notes)
    for word in ("day 0", "not in the source", "dropped", "rounded", "made", "merged", "upper bound"):
        assert word in notes


def kaggle(shared: Path, folder: Path, *names: str) -> Path:
    """The five files in Kaggle's form: CSV with TARGET, and whole numbers of the later files written as 12.0."""
    folder.mkdir(exist_ok=True)
    for name in names or HOME_CREDIT:
        table = pq.read_table(shared / "data" / f"home_credit_1000_{name}.parquet")
        if name == "application":
            table = table.rename_columns(["TARGET" if c == "DEFAULTED" else c for c in table.column_names])
        for column in ("DAYS_INSTALMENT", "DAYS_ENTRY_PAYMENT", "NUM_INSTALMENT_VERSION", "CNT_PAYMENT",
                       "DAYS_FIRST_DUE", "DAYS_TERMINATION"):  # fmt: skip
            if column in table.column_names:
                place = table.column_names.index(column)
                text = pa.array([f"{value}.0" for value in table[column].to_pylist()])
                table = table.set_column(place, column, text)
        pyarrow.csv.write_csv(table, folder / f"{HOME_CREDIT[name]}.csv")
    return folder


def test_home_credit_in_kaggles_csv_is_the_same_book(shared: Path, home: Book, tmp_path: Path) -> None:
    folder = kaggle(shared, tmp_path / "csv")
    application = (folder / "application_train.csv").read_text().splitlines()
    (folder / "application_test.csv").write_text("\n".join(application[:3]).replace("TARGET", "x"))
    assert checked(home_credit.adapt(folder, 0.01)).digest() == home.digest()


@pytest.mark.parametrize("names", [("application",), ("application", "bureau"), ("application", "bureau_balance"),
                                   ("application", "previous_application", "installments_payments")])  # fmt: skip
def test_home_credit_runs_on_a_part_of_its_files(shared: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    adapted = home_credit.adapt(kaggle(shared, tmp_path / "part", *names), 0.01)
    assert checked(adapted).tables["outcomes"].num_rows == 1_000
    missing = {note.removeprefix("missing: no file is ") for note in adapted.notes if note.startswith("missing: ")}
    assert missing == set(HOME_CREDIT) - set(names)


def test_home_credit_reads_a_file_alone_where_a_file_is_given(shared: Path) -> None:
    adapted = home_credit.adapt(shared / "data" / "home_credit_1000_application.parquet", 0.01)
    assert set(adapted.tables) == {"accounts", "applications", "borrowers", "outcomes", "periods"}


def test_home_credit_drops_lines_in_other_currencies_and_names_bad_cells(shared: Path, tmp_path: Path) -> None:
    folder = kaggle(shared, tmp_path / "csv", "application", "bureau")
    lines = (folder / "bureau.csv").read_text().splitlines()
    lines[10] = lines[10].replace("currency 1", "currency 2")
    lines[20] = lines[20].replace(lines[20].split(",")[1], "line", 1)
    (folder / "bureau.csv").write_text("\n".join(lines))
    adapted = home_credit.adapt(folder, 0.01)
    assert adapted.tables["tradelines"].num_rows == 3_435 - 2
    assert "dropped: 1 lines are not in currency 1" in adapted.notes
    assert [(f.table, f.row, f.column, f.rule) for f in adapted.faults] == [("bureau", 21, "SK_ID_BUREAU", "integer")]


_APPLICATION = (
    "SK_ID_CURR,TARGET,NAME_CONTRACT_TYPE,AMT_INCOME_TOTAL,AMT_CREDIT,AMT_ANNUITY,DAYS_BIRTH,OCCUPATION_TYPE\n"
    "1,0,Cash loans,1200.00,5000.005,,-10000,XNA\n2,1,Revolving loans,0,900,45,-9000,\n"
)
_PREVIOUS = (
    "SK_ID_PREV,SK_ID_CURR,NAME_CONTRACT_TYPE,AMT_CREDIT,AMT_ANNUITY,DAYS_DECISION,CNT_PAYMENT,DAYS_FIRST_DUE,"
    "DAYS_TERMINATION\n"
    "11,1,Consumer loans,600,100.01,-200,6.0,-119.0,365243.0\n"
    "12,3,Cash loans,300,150,-900,2,-800,-700\n"
    "13,1,Cash loans,300,150,-100,2,-90,\n"
)
_PAYMENTS = (
    "SK_ID_PREV,NUM_INSTALMENT_VERSION,NUM_INSTALMENT_NUMBER,DAYS_INSTALMENT,DAYS_ENTRY_PAYMENT,AMT_INSTALMENT,"
    "AMT_PAYMENT\n"
    "11,1.0,1,-119.0,-121.0,50.005,100.01\n11,2.0,1,-119.0,-121.0,50.005,100.01\n"  # two parts, one payment
    "11,2.0,2,-89.0,-85.0,100.01,60\n11,2.0,2,-89.0,-80.0,100.01,40.01\n"  # one instalment, two payments
    "11,2.0,3,-59.0,-50.0,100.01,100.01\n11,3.0,3,-45.0,-50.0,110,100.01\n"  # put off: the newer version stands
    "11,3.0,4,-29.0,,100.01,\n"  # due and not paid
    "12,1.0,1,-800.0,-790.0,150,50\n12,1.0,2,-770.0,-770.0,150,150\n"  # its rest is not in the file
    "99,1.0,1,-10.0,-10.0,5,5\n"  # no such loan
)


def test_home_credit_merges_versions_and_payments_of_an_instalment(tmp_path: Path) -> None:
    for name, text in (("a", _APPLICATION), ("p", _PREVIOUS), ("i", _PAYMENTS)):
        (tmp_path / f"{name}.csv").write_text(text)
    adapted = home_credit.adapt(tmp_path, 0.0)
    book = checked(adapted)
    dues = book.tables["instalments"].select(["account_id", "seq", "due_on", "due_minor"]).to_pylist()
    assert [tuple(row.values()) for row in dues] == [
        ("11", 1, date(2018, 1, 1), 10_001),
        ("11", 2, date(2018, 1, 31), 10_001),
        ("11", 3, date(2018, 3, 16), 11_000),
        ("11", 4, date(2018, 4, 1), 10_001),
        ("11", 5, date(2018, 5, 1), 10_001),  # ahead: the application says six, from 1 January on
        ("11", 6, date(2018, 6, 1), 10_001),
        ("12", 2, date(2016, 3, 21), 15_000),
    ]
    paid = book.tables["payments"].select(["payment_id", "amount_minor"]).to_pylist()
    assert [tuple(row.values()) for row in paid] == [
        ("11-1-1", 10_001), ("11-2-1", 6_000), ("11-2-2", 4_001), ("11-3-1", 10_001), ("12-2-1", 15_000),
    ]  # fmt: skip
    accounts = {row["account_id"]: row for row in book.tables["accounts"].to_pylist()}
    assert accounts.keys() == {"1", "2", "11", "12"}  # 13 was never paid out, as far as the files say
    assert (accounts["1"]["principal_minor"], accounts["1"]["limit_minor"]) == (500_001, None)
    assert (accounts["2"]["principal_minor"], accounts["2"]["limit_minor"]) == (None, 90_000)
    assert (accounts["11"]["status"], accounts["12"]["status"]) == ("active", "closed")
    borrowers = {row["borrower_id"]: row for row in book.tables["borrowers"].to_pylist()}
    assert {name: row["income_declared_minor"] for name, row in borrowers.items()} == {"1": 120_000, "2": 0, "3": None}
    assert borrowers["1"]["occupation"] is None
    assert any(note.startswith("rounded: 1 ") for note in adapted.notes)


# --- UCI


@pytest.fixture(scope="module")
def uci(shared: Path) -> Book:
    return checked(uci_credit_card.adapt(shared / "data" / "uci_credit_card_30000.parquet", 0.0))


def test_uci_is_180_000_months_with_the_sources_amounts_and_classes(uci: Book, shared: Path) -> None:
    assert {name: table.num_rows for name, table in uci.tables.items()} == {
        "accounts": 30_000, "periods": 180_000, "outcomes": 30_000,
    }  # fmt: skip
    names = [(0, "2005-09"), (2, "2005-08"), (3, "2005-07"), (4, "2005-06"), (5, "2005-05"), (6, "2005-04")]
    for k, (pay, month) in enumerate(names, 1):
        wrong = sql(
            f"SELECT count(*) FROM source s LEFT JOIN periods p ON p.account_id = s.ID::VARCHAR AND month = '{month}' "
            f"WHERE balance_minor IS DISTINCT FROM BILL_AMT{k} * 100 OR paid_minor IS DISTINCT FROM PAY_AMT{k} * 100 "
            f"OR limit_minor IS DISTINCT FROM LIMIT_BAL * 100 OR state IS DISTINCT FROM CASE WHEN PAY_{pay} = -2 "
            f"THEN 'X' WHEN PAY_{pay} <= 0 THEN 'M0' ELSE 'M' || least(PAY_{pay}, 7) END",
            source=shared / "data" / "uci_credit_card_30000.parquet",
            periods=uci.tables["periods"],
        )
        assert wrong == [(0,)], month


def test_uci_outcomes_keep_the_published_share_of_bads(uci: Book) -> None:
    assert sql("SELECT sum(bad::INT), count(*) FROM o", o=uci.tables["outcomes"]) == [(6_636, 30_000)]


def test_uci_with_a_fault_names_the_row_and_refuses_too_many(shared: Path, tmp_path: Path) -> None:
    table = pq.read_table(shared / "data" / "uci_credit_card_30000.parquet").slice(0, 200)
    pyarrow.csv.write_csv(table, tmp_path / "uci.csv")
    lines = (tmp_path / "uci.csv").read_text().splitlines()
    cells = lines[7].split(",")
    cells[table.column_names.index("LIMIT_BAL")] = "-1"
    lines[7] = ",".join(cells)
    (tmp_path / "uci.csv").write_text("\n".join(lines))
    adapted = uci_credit_card.adapt(tmp_path / "uci.csv", 0.01)
    assert [(f.table, f.row, f.column, f.rule) for f in adapted.faults] == [("uci", 8, "LIMIT_BAL", "range")]
    assert adapted.tables["accounts"].num_rows == 199
    with pytest.raises(Unreadable):
        uci_credit_card.adapt(tmp_path / "uci.csv", 0.001)


# --- credit record


def test_credit_record_keeps_every_month_and_status(shared: Path) -> None:
    panel = shared / "data" / "credit_record_monthly_1048575.parquet"
    adapted = credit_record.adapt(panel, 0.0)
    assert adapted.tables["periods"].num_rows == 1_048_575
    assert adapted.tables["accounts"].num_rows == 45_985
    states = dict(sql("SELECT state, count(*) FROM p GROUP BY 1", p=adapted.tables["periods"]))
    counts = dict(sql("SELECT STATUS, count(*) FROM p GROUP BY 1", p=panel))
    classes = {"X": "X", "C": "M0", "0": "M1", "1": "M2", "2": "M3", "3": "M4", "4": "M5", "5": "M6"}
    assert states == {classes[str(status)]: count for status, count in counts.items()}
    wrong = sql(
        "SELECT count(*) FROM s LEFT JOIN p ON p.account_id = s.ID::VARCHAR AND p.month = "
        "strftime(DATE '2020-03-01' + to_months(MONTHS_BALANCE::INT), '%Y-%m') "
        "WHERE source_code IS DISTINCT FROM STATUS",
        s=panel,
        p=adapted.tables["periods"],
    )
    assert wrong == [(0,)]


# --- Lending Club

# Of the source's own column names, those that speak of what came after the grant.
_AFTER_THE_GRANT = (
    "out_prncp", "total_pymnt", "total_rec", "recover", "collection_recovery", "last_", "next_", "hardship",
    "settlement", "debt_settlement",
    "deferral", "payment_plan", "pymnt_plan", "orig_projected", "loan_status", "funded_amnt_inv",
)  # fmt: skip


@pytest.fixture(scope="module")
def club(shared: Path) -> Book:
    return checked(lending_club.adapt(shared / "data" / "lending_club_5000.parquet", 0.0))


def test_lending_club_is_a_loan_and_a_month_for_every_row(club: Book, shared: Path) -> None:
    assert {name: table.num_rows for name, table in club.tables.items()} == {
        "accounts": 5_000, "periods": 5_000, "borrowers": 5_000, "applications": 5_000, "outcomes": 4_453,
    }  # fmt: skip
    assert club.as_of == date(2015, 12, 31)
    wrong = sql(
        "SELECT count(*) FROM source s LEFT JOIN a ON a.account_id = s.id::VARCHAR LEFT JOIN p USING (account_id) "
        "LEFT JOIN b USING (borrower_id) LEFT JOIN q ON q.application_id = a.account_id "
        "WHERE principal_minor IS DISTINCT FROM funded_amnt * 100 OR balance_minor IS DISTINCT FROM funded_amnt * 100 "
        "OR min_due_minor IS DISTINCT FROM round(installment::DECIMAL(18, 2) * 100) "
        "OR coalesce(a.limit_minor, p.limit_minor) IS NOT NULL "
        "OR abs(rate_annual - int_rate / 100) > 1e-12 OR ' ' || term_months || ' months' <> term "
        "OR month <> '2015-12' OR dpd_high <> 0 OR source_code IS NOT NULL OR a.product <> 'instalment' "
        "OR requested_minor <> loan_amnt * 100 OR a.status <> 'active' "
        "OR abs(b.income_declared_minor - annual_inc * 100 / 12) > 0.501 OR region <> addr_state",
        source=shared / "data" / "lending_club_5000.parquet",
        a=club.tables["accounts"],
        p=club.tables["periods"],
        b=club.tables["borrowers"],
        q=club.tables["applications"],
    )
    assert wrong == [(0,)]


def test_lending_club_outcomes_are_the_final_statuses(club: Book, shared: Path) -> None:
    for table, key in (("outcomes", "account_id"), ("applications", "application_id")):
        wrong = sql(
            f"SELECT count(*), sum(bad::INT) FROM source s LEFT JOIN o ON o.{key} = s.id::VARCHAR "
            "WHERE o.bad IS DISTINCT FROM CASE loan_status WHEN 'Fully Paid' THEN false "
            "WHEN 'Charged Off' THEN true END",
            source=shared / "data" / "lending_club_5000.parquet",
            o=club.tables[table],
        )
        assert wrong == [(0, None)]
    known = sql("SELECT sum(bad::INT), min(known_on), max(known_on) FROM o", o=club.tables["outcomes"])
    assert known == [(816, date(2019, 3, 31), date(2019, 3, 31))]


def test_lending_club_features_were_known_at_the_application(club: Book, shared: Path) -> None:
    """Each is a column of the source that is not on the list of what came later, or one of three made from such."""
    source = pq.read_table(shared / "data" / "lending_club_5000.parquet")
    names = [name for name in club.tables["periods"].column_names if name.startswith("x_")]
    made = {"x_term", "x_emp_length", "x_months_since_earliest_cr_line"}
    assert len(names) > 80 and made < set(names)
    for name in (name.removeprefix("x_") for name in names):
        assert not any(name.startswith(word) for word in _AFTER_THE_GRANT), name
        assert name not in ("zip_code", "addr_state", "emp_title", "title", "desc", "url")
    same = [name for name in names if name not in made and name.removeprefix("x_") in source.column_names]
    joined = " OR ".join(f"p.{name}::VARCHAR IS DISTINCT FROM s.{name[2:]}{cast}::VARCHAR" for name in same
                         for cast in ["::DOUBLE" if source[name[2:]].type != pa.large_string() else ""])  # fmt: skip
    wrong = sql(
        f"SELECT count(*) FROM s JOIN p ON p.account_id = s.id::VARCHAR WHERE {joined}",
        s=source, p=club.tables["periods"],
    )  # fmt: skip
    assert wrong == [(0,)]
    assert not [table for table in club.tables if table != "periods"
                for name in club.tables[table].column_names if name.startswith("x_")]  # fmt: skip


def test_lending_club_employment_and_credit_history_in_numbers(club: Book, shared: Path) -> None:
    """`Aug-00` is August 2000, `3-Aug` August 2003: what a spreadsheet left of `Aug-03`; `Dec-99` is 1999."""
    wrong = sql(
        "WITH line AS (SELECT id, emp_length, split_part(earliest_cr_line, '-', 1) a, "
        "split_part(earliest_cr_line, '-', 2) b FROM s), dated AS (SELECT id, emp_length, "
        "CASE WHEN regexp_matches(a, '[A-Z]') THEN a ELSE b END m, "
        "CASE WHEN regexp_matches(a, '[A-Z]') THEN b ELSE a END::INT y FROM line) SELECT count(*) FROM dated "
        "JOIN p ON p.account_id = id::VARCHAR WHERE x_months_since_earliest_cr_line IS DISTINCT FROM "
        "12 * (2015 - CASE WHEN y < 30 THEN 2000 + y ELSE 1900 + y END) + 12 - "
        "list_position(['Jan','Feb','Mar','Apr','May','Jun','Jul','Aug','Sep','Oct','Nov','Dec'], m) "
        "OR x_emp_length IS DISTINCT FROM CASE WHEN emp_length LIKE '<%' THEN 0 "
        "ELSE regexp_extract(emp_length, '[0-9]+')::INT END",
        s=shared / "data" / "lending_club_5000.parquet",
        p=club.tables["periods"],
    )
    assert wrong == [(0,)]


def test_lending_club_says_what_it_did(shared: Path) -> None:
    notes = " ".join(lending_club.adapt(shared / "data" / "lending_club_5000.parquet", 0.0).notes)
    for words in (
        "the end of 2015-12",
        "2019-03-31",
        "547 loans have no outcome yet, 532",
        "cut off: 1 ",
        "unclear: 0 ",
    ):
        assert words in notes


_CLUB = (
    "id,loan_amnt,funded_amnt,term,int_rate,installment,annual_inc,issue_d,loan_status,emp_length,earliest_cr_line,"
    "last_pymnt_d,recoveries,dti\n"
    "1,1000,1000, 36 months,10.5,32.505,,Nov-2014,Fully Paid,n/a,Jan-1965,Jan-2016,0,\n"
    "2,2000,1500, 60 months,20,53.1,24000,Dec-14,Does not meet the credit policy. Status:Charged Off,< 1 year,"
    "Feb-64,,9,1\n"
    "3,2000,1500, 60 months,20,53,24000,14-Dec,Late (31-1,10+ years,9-Mar,Feb-2016,0,-1\n"
    "4,2000,1500, 60 months,20,53,24000,Dec-2014,Late,1 year,,,0,2.5\n"
    "5,2000,1500, 60 months,20,53,24000,soon,Default,1 year,,,0,2.5\n"
)


def test_lending_club_reads_other_ways_to_write_months_and_statuses(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text(_CLUB)
    adapted = lending_club.adapt(tmp_path / "loans.csv", 0.0)
    book = checked(adapted)
    assert book.as_of == date(2014, 12, 31)
    rows = book.tables["periods"].select(
        ["account_id", "month", "x_months_since_earliest_cr_line", "x_emp_length", "x_annual_inc"]
    )
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("1", "2014-11", 12 * 49 + 10, None, None),
        ("2", "2014-12", 12 * 50 + 10, 0, 24_000),
        ("3", "2014-12", 12 * 5 + 9, 10, 24_000),
        ("4", "2014-12", None, 1, 24_000),
    ]
    outcomes = book.tables["outcomes"].select(["account_id", "as_of", "bad", "known_on", "horizon_months"]).to_pylist()
    assert [tuple(row.values()) for row in outcomes] == [
        ("1", date(2014, 11, 30), False, date(2016, 2, 29), 36),
        ("2", date(2014, 12, 31), True, date(2016, 2, 29), 60),
    ]
    accounts = {row["account_id"]: row for row in book.tables["accounts"].to_pylist()}
    assert [accounts[name]["status"] for name in "1234"] == [None, "active", "active", "active"]
    borrowers = {row["borrower_id"]: row["income_declared_minor"] for row in book.tables["borrowers"].to_pylist()}
    assert borrowers == {"1": None, "2": 200_000, "3": 200_000, "4": 200_000}
    notes = " ".join(adapted.notes)
    for words in ("rounded: 1 ", "undated: 1 ", "cut off: 1 ", "unclear: 1 "):
        assert words in notes
    (tmp_path / "loans.csv").write_text(_CLUB.replace("Dec", "x").replace("Nov", "x"))
    with pytest.raises(Unreadable):
        lending_club.adapt(tmp_path / "loans.csv", 0.0)


def test_lending_club_without_any_final_status_has_no_outcomes(tmp_path: Path) -> None:
    text = _CLUB.replace("Fully Paid", "Current").replace("Charged Off", "Current").replace("Default", "Current")
    (tmp_path / "loans.csv").write_text(text)
    assert "outcomes" not in lending_club.adapt(tmp_path, 0.0).tables


# --- what they share


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_says_what_it_maps_drops_and_assumes(name: str) -> None:
    for word in ("Maps: ", "Drops: ", "Assumes: "):
        assert word in description(name)


@pytest.mark.parametrize("adapt", [home_credit.adapt, uci_credit_card.adapt, credit_record.adapt, lending_club.adapt])
def test_a_folder_without_the_source_says_which_columns_it_lacks(adapt: object, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path, tmp_path / "none", tmp_path / "other.csv"):
        with pytest.raises(InvalidUsage):
            adapt(path, 0.01)  # type: ignore[operator]


def test_two_files_for_one_role_are_refused(shared: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copy(shared / "data" / "uci_credit_card_30000.parquet", tmp_path / f"{name}.parquet")
    with pytest.raises(InvalidUsage, match=r"a\.parquet, b\.parquet"):
        uci_credit_card.adapt(tmp_path, 0.01)


def test_amounts_are_rounded_half_up_and_the_rounded_are_counted() -> None:
    texts = ["0.005", "-0.005", "0.015", "1.005", "2.675", "10.1", "84144.555", "0", "7.994999"]
    minor, longer = to_minor(pa.array([*map(float, texts), None]))
    exact = [int((Decimal(text) * 100).quantize(Decimal(1), ROUND_HALF_UP)) for text in texts]
    assert minor.to_pylist() == [*exact, None]
    assert longer == 7
