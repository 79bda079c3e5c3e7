"""The loop over real and generated books: what CONTRACT 3 promises of its outputs."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from evenkeel.decisions.limits import DECISIONS_SCHEMA

FILES = {
    "decisions.parquet", "borrowers.parquet", "cases.parquet", "plans.parquet", "portfolio.json", "run.json",
    "quality.json", "faults.csv", "report.html", "report.zh.html",
}  # fmt: skip
CONTRACT_COLUMNS = {
    "borrowers": "borrower_id lenders lines limit_minor balance_minor service_to_income over_granted over_granted_why "
    "dpd_max lines_overdue warning warning_reasons cause cause_probability cause_evidence",
    "cases": "account_id borrower_id dpd state treatment allowed_at blocked reasons",
    "plans": "borrower_id status months monthly_minor total_cost_minor p_complete binding schedule",
}
PORTFOLIO_KEYS = (
    "contract", "as_of", "book_digest", "currency", "model", "delinquency", "flow_matrix", "vintage", "cross_platform",
    "over_granting", "warning", "causes", "treatments", "plans", "finance", "not_available", "versions",
)  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but run.json, which holds timings."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "run.json"
    }


def test_every_output_of_the_contract_is_written_with_its_columns(made_run):
    assert {path.name for path in made_run.iterdir()} >= FILES
    assert pq.read_schema(made_run / "decisions.parquet").equals(DECISIONS_SCHEMA)
    for name, columns in CONTRACT_COLUMNS.items():
        assert pq.read_schema(made_run / f"{name}.parquet").names[: len(columns.split())] == columns.split(), name
    portfolio = json.loads((made_run / "portfolio.json").read_text())
    assert [key for key in PORTFOLIO_KEYS if key not in portfolio] == []
    assert all({"part", "needs"} <= entry.keys() for entry in portfolio["not_available"])


def test_every_account_on_book_is_decided_once_with_at_least_one_reason(made_book, made_run):
    decisions = pq.read_table(made_run / "decisions.parquet")
    as_of = json.loads((made_book / "manifest.json").read_text())["as_of"]
    on_book = duckdb.sql(
        f"select account_id from '{made_book}/periods.parquet' where month = '{as_of[:7]}' "
        "and coalesce(on_book, true) order by 1"
    ).fetchall()
    limits = decisions.filter(pc.equal(decisions["kind"], "limit"))
    assert limits["account_id"].to_pylist() == [row[0] for row in on_book]
    assert pc.min(pc.list_value_length(decisions["reasons"])).as_py() >= 1
    assert pc.max(pc.list_value_length(decisions["reasons"])).as_py() <= 4


def test_what_is_not_known_is_never_raised_and_never_lowered(made_run):
    decisions = pq.read_table(made_run / "decisions.parquet")
    moved = decisions.filter(pc.is_in(decisions["outcome"], pa.array(["raise", "lower"])))
    raised = moved.filter(pc.equal(moved["outcome"], "raise"))
    assert pc.max(pc.list_value_length(raised["missing"])).as_py() in (0, None)
    assert moved["limit_before_minor"].null_count == 0


def test_the_same_book_gives_the_same_bytes_with_one_thread_or_two(runner, made_book, made_run, tmp_path):
    runner(made_book, tmp_path / "again", threads=1)
    assert digests(tmp_path / "again") == digests(made_run)


def test_facts_after_as_of_change_nothing_but_the_row_s_own_outcome(runner, small_book, tmp_path):
    day = date(2023, 12, 31)
    assert runner(small_book, tmp_path / "earlier", as_of=day).loop is not None
    cut = tmp_path / "cut"
    _cut_book(small_book, cut, day)
    assert runner(cut, tmp_path / "cut-run", as_of=day).loop is not None
    whole = pq.read_table(tmp_path / "earlier" / "decisions.parquet")
    without = pq.read_table(tmp_path / "cut-run" / "decisions.parquet")
    assert whole.drop_columns(["bad"]).equals(without.drop_columns(["bad"]))
    without, whole = (table.filter(pc.equal(table["kind"], "limit")) for table in (without, whole))
    assert without["bad"].null_count == without.num_rows
    assert whole["bad"].null_count < whole.num_rows
    for name in ("borrowers", "cases", "plans"):
        left, right = (pq.read_table(tmp_path / run / f"{name}.parquet") for run in ("earlier", "cut-run"))
        assert left.equals(right), name


def _cut_book(source: Path, target: Path, day: date) -> None:
    """The same book as a lender would have exported it on `day`."""
    target.mkdir()
    times = {
        "accounts": "opened_on", "payments": "paid_at", "applications": "submitted_at", "contacts": "at",
        "identity_checks": "checked_at", "events": "effective_at", "consents": "given_at", "complaints": "at",
        "recoveries": "at",
    }  # fmt: skip
    zone = "set timezone = 'Asia/Shanghai';"
    connection = duckdb.connect()
    connection.execute(zone)
    for path in sorted(source.glob("*.parquet")):
        where = "true"
        if path.stem in ("periods", "macro"):
            where = f"month <= '{day:%Y-%m}'"
        elif path.stem in times:
            column = times[path.stem]
            where = f"coalesce(\"{column}\"::date <= date '{day}', true)"
            if path.stem in ("payments", "events"):
                where += f" and coalesce(booked_at::date <= date '{day}', true)"
        connection.execute(f"copy (from '{path}' where {where}) to '{target / path.name}'")
    accounts = target / "accounts.parquet"
    open_yet = f"closed_on > date '{day}'"
    undated = "closed_on is null and status in ('closed', 'charged_off', 'sold')"
    table = connection.execute(
        f"select * replace (case when {open_yet} or ({undated}) then null else status end as status, "
        f"case when {open_yet} then null else closed_on end as closed_on) from '{accounts}'"
    ).to_arrow_table()
    pq.write_table(table, accounts)
    for child in ("periods", "payments", "instalments"):
        path = target / f"{child}.parquet"
        if path.exists():
            pq.write_table(
                duckdb.sql(f"from '{path}' where account_id in (select account_id from '{accounts}')").to_arrow_table(),
                path,
            )
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["as_of"] = day.isoformat()
    manifest.pop("tables", None)
    (target / "manifest.json").write_text(json.dumps(manifest))


def test_names_and_numbers_of_people_are_nowhere_but_in_their_own_table(runner, small_book, tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    for path in small_book.glob("*.*"):
        (book / path.name).write_bytes(path.read_bytes())
    borrower = pq.read_table(book / "borrowers.parquet")["borrower_id"][0].as_py()
    secrets = ("欧阳春晓", "110105194912310021", "13800138000", "6222020200112233445")
    (book / "identities.csv").write_text(
        f"borrower_id,name,id_number,phone,cards\n{borrower},{','.join(secrets)}\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    assert runner(book, out).loop is not None
    for folder in (out, runner.workspace.path, homes_data(runner)):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not [secret for secret in secrets if secret.encode() in content], path
    assert "identities" in (out / "faults.csv").read_text(encoding="utf-8-sig")


def homes_data(runner) -> Path:
    """Where the server keeps its files."""
    from evenkeel.storage import homes

    return homes.home_of(runner.workspace.path)


def test_the_reports_ask_no_other_host(made_run):
    for name in ("report.html", "report.zh.html"):
        page = (made_run / name).read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:)?//""", page), name
        assert "<script" not in page


@pytest.fixture(scope="module")
def uci(runner, shared, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("uci") / "out"
    book = shared / "data" / "uci_credit_card_30000.parquet"
    assert runner(book, out, adapter="uci-credit-card").loop is not None
    return out


def test_uci_ranks_defaults_out_of_sample(uci):
    decisions = pq.read_table(uci / "decisions.parquet")
    assert decisions.num_rows == 30_000
    assert decisions["bad"].null_count == 0
    area = roc_auc_score(decisions["bad"].to_numpy(zero_copy_only=False), decisions["pd_out_of_sample"].to_numpy())
    assert area >= 0.775
    assert json.loads((uci / "portfolio.json").read_text())["model"]["auc"] == pytest.approx(area, abs=1e-12)


def test_shuffled_outcomes_cannot_be_predicted(runner, shared, tmp_path):
    table = pq.read_table(shared / "data" / "uci_credit_card_30000.parquet")
    shuffled = table["default"].take(pa.array(np.random.default_rng(5).permutation(table.num_rows)))
    place = table.column_names.index("default")
    pq.write_table(table.set_column(place, "default", shuffled), tmp_path / "shuffled.parquet")
    runner(tmp_path / "shuffled.parquet", tmp_path / "out", adapter="uci-credit-card")
    decisions = pq.read_table(tmp_path / "out" / "decisions.parquet")
    area = roc_auc_score(decisions["bad"].to_numpy(zero_copy_only=False), decisions["pd_out_of_sample"].to_numpy())
    assert abs(area - 0.5) < 0.015


@pytest.mark.parametrize("rows", [40_000, pytest.param(1_048_575, marks=pytest.mark.prove)])
def test_credit_record_flow_matrix_equals_an_independent_count(runner, shared, tmp_path, rows):
    source = tmp_path / "record.parquet"
    pq.write_table(pq.read_table(shared / "data" / "credit_record_monthly_1048575.parquet").slice(0, rows), source)
    runner(source, tmp_path / "out", adapter="credit-record")
    matrix = json.loads((tmp_path / "out" / "portfolio.json").read_text())["flow_matrix"]
    order = {"X": "X", "C": "M0", "0": "M1", "1": "M2", "2": "M3", "3": "M4", "4": "M5", "5": "M6"}
    counted = dict.fromkeys(((i, j) for i in matrix["states"] for j in matrix["states"]), 0)
    for left, right, count in duckdb.sql(
        f"select a.STATUS, b.STATUS, count(*) from '{source}' a join '{source}' b "
        "on a.ID = b.ID and b.MONTHS_BALANCE = a.MONTHS_BALANCE + 1 group by all"
    ).fetchall():
        counted[(order[left], order[right])] += count
    states = matrix["states"]
    assert matrix["counts"] == [[counted[(i, j)] for j in states] for i in states]
    for i, state in enumerate(states):
        total = sum(counted[(state, other)] for other in states)
        shares = [None if total == 0 else counted[(state, other)] / total for other in states]
        assert matrix["shares"][i] == pytest.approx(shares) if total else matrix["shares"][i] == shares


def test_home_credit_counts_the_lines_of_other_lenders(runner, shared, tmp_path):
    runner(shared / "data", tmp_path / "out", adapter="home-credit")
    portfolio = json.loads((tmp_path / "out" / "portfolio.json").read_text())
    lines = pq.read_table(tmp_path / "out" / "lines.parquet")
    assert pc.sum(pc.invert(lines["own"]).cast(pa.int64())).as_py() > 500
    assert portfolio["cross_platform"]["overdue_borrowers"] > 0
    assert pq.read_table(tmp_path / "out" / "plans.parquet").num_rows > 0
    decided = set(pq.read_table(tmp_path / "out" / "decisions.parquet")["account_id"].to_pylist())
    outside = set(lines.filter(pc.invert(lines["own"]))["line_id"].to_pylist())
    assert not decided & outside
    assert portfolio["not_available"]


def test_a_refused_book_leaves_only_its_faults(runner, tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (book / "accounts.csv").write_text("account_id,borrower_id,lender_id\na,b,c\n")
    ran = runner(book, tmp_path / "out")
    assert ran.loop is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["faults.csv", "quality.json"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_tiny_book_says_what_it_cannot_tell_and_still_decides(runner, tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (book / "accounts.csv").write_text("account_id,borrower_id,lender_id,product,limit\na,b,c,card,500.00\n")
    (book / "periods.csv").write_text("account_id,month,balance,dpd_low,dpd_high\na,2024-05,120.50,0,0\n")
    ran = runner(book, tmp_path / "out")
    assert ran.loop is not None
    decision = ran.loop.decisions.to_pylist()[0]
    assert (decision["outcome"], decision["pd"], decision["limit_before_minor"]) == ("refer", None, 50_000)
    assert "score" in decision["missing"]
    assert "model" in {entry["part"] for entry in ran.loop.portfolio["not_available"]}


def test_a_book_of_instalments_alone_goes_round_even_where_nothing_tells_borrowers_apart(runner, tmp_path):
    book, draw = tmp_path / "book", np.random.default_rng(4)
    book.mkdir()
    loans = range(300)
    months = range(1, 13)
    accounts = [f"L{n},P{n // 2},bank,instalment,2024-01-05,1200.00" for n in loans]
    dues = [f"L{n},{m},2024-{m:02d}-20,105.50" for n in loans for m in months]
    paid = [
        f"q{n}-{m},L{n},2024-{m:02d}-{draw.integers(10, 29)},105.50"
        for n in loans
        for m in months
        if m <= 10 and draw.random() < (0.97 if n % 9 else 0.4)
    ]
    for name, head, rows in (
        ("accounts", "account_id,borrower_id,lender_id,product,opened_on,principal", accounts),
        ("instalments", "account_id,seq,due_on,due", dues),
        ("payments", "payment_id,account_id,paid_at,amount", paid),
    ):
        (book / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    ran = runner(book, tmp_path / "out")
    assert ran.loop is not None
    assert ran.loop.decisions.num_rows == 300
