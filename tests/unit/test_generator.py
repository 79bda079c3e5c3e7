"""A generated book holds together: its ledger, its arrears, its references, its files, and the one fixed story."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.book.contract import TABLES
from evenkeel.book.generator import STORY_BORROWER, Generated, GeneratorSpec, generate, write_book
from evenkeel.book.generator.columns import numbered
from evenkeel.book.generator.simulate import pay_in_order
from evenkeel.book.reading import read_book
from evenkeel.kernel.calendar import month_day, month_end, month_number
from evenkeel.kernel.errors import Conflict, InvalidInput

SPECS = st.builds(
    GeneratorSpec,
    borrowers=st.integers(1, 120),
    months=st.integers(1, 26),
    seed=st.integers(0, 2**63 - 1),
    end_month=st.sampled_from(["2020-10", "2024-12", "2031-02"]),
    purchases=st.booleans(),
)


@pytest.fixture(scope="module")
def generated() -> Generated:
    return generate(GeneratorSpec(borrowers=2_000, months=18, seed=5, purchases=True))


def rows_of(generated: Generated, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = generated.book_tables[table].to_pylist()
    return found


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@settings(max_examples=25, deadline=None)
@given(SPECS)
def test_every_balance_is_the_last_one_and_what_was_posted_since(spec: GeneratorSpec) -> None:
    before: dict[object, int] = {}
    for row in generate(spec).book_tables["periods"].to_pylist():
        posted = row["spend_minor"] + row["cash_minor"] + row["interest_minor"] + row["fee_minor"] - row["paid_minor"]
        if row["account_id"] in before:
            assert row["balance_minor"] == before[row["account_id"]] + posted
        assert row["balance_minor"] >= 0
        before[row["account_id"]] = row["balance_minor"]


@settings(max_examples=10, deadline=None)
@given(SPECS)
def test_every_generated_book_has_the_schema_and_the_unique_sorted_keys_of_the_contract(spec: GeneratorSpec) -> None:
    for name, table in generate(spec).book_tables.items():
        assert table.schema == TABLES[name].schema()
        keys = list(zip(*(table[column].to_pylist() for column in TABLES[name].key), strict=True))
        assert len(set(keys)) == len(keys), name
        if name not in ("parties", "macro", "borrowers"):
            assert keys == sorted(keys), name


def test_days_past_due_follow_from_the_unpaid_bills_oldest_first(generated: Generated) -> None:
    """An oracle that keeps each account's bills in a queue; accounts that begin in arrears are left out."""
    due_day = {row["account_id"]: row["due_day"] for row in rows_of(generated, "accounts")}
    unpaid: dict[object, deque[list[Any]]] = {}
    checked = 0
    for row in generated.book_tables["periods"].to_pylist():
        account, number = row["account_id"], month_number(row["month"])
        if account not in unpaid:
            if row["dpd_high"] > 0 or row["min_due_minor"] > row["paid_minor"]:
                due_day.pop(account, None)
            unpaid[account] = deque()
            continue
        if account not in due_day:
            continue
        bills = unpaid[account]
        billed = row["min_due_minor"] - sum(amount for _, amount in bills)
        assert billed >= 0
        bills.append([month_day(number, due_day[account]), billed])
        rest = row["paid_minor"]
        while bills and rest >= bills[0][1]:
            rest -= bills.popleft()[1]
        if bills:
            bills[0][1] -= rest
        expected = (month_end(number) - bills[0][0]).days if bills else 0
        assert (row["dpd_low"], row["dpd_high"]) == (expected, expected)
        assert row["state"] == f"M{min((expected + 29) // 30, 7)}"
        checked += expected > 30
    assert checked > 100


def test_payments_add_up_to_what_the_statements_say_was_paid(generated: Generated) -> None:
    paid: dict[tuple[object, str], int] = defaultdict(int)
    for row in rows_of(generated, "payments"):
        if row["result"] == "ok":
            paid[row["account_id"], f"{row['paid_at']:%Y-%m}"] += row["amount_minor"]
    stated = {(r["account_id"], r["month"]): r["paid_minor"] for r in rows_of(generated, "periods") if r["paid_minor"]}
    assert paid == stated


def test_purchases_add_up_to_the_spending_on_revolving_lines(generated: Generated) -> None:
    loans = {row["account_id"] for row in rows_of(generated, "accounts") if row["term_months"]}
    bought: dict[tuple[object, str], int] = defaultdict(int)
    for row in rows_of(generated, "events"):
        if row["kind"] == "purchase":
            bought[row["account_id"], f"{row['effective_at']:%Y-%m}"] += row["amount_minor"]
    spent = {
        (row["account_id"], row["month"]): row["spend_minor"]
        for row in rows_of(generated, "periods")
        if row["spend_minor"] and row["account_id"] not in loans
    }
    assert bought == spent


def test_purchases_change_nothing_but_the_events() -> None:
    plain, full = (generate(GeneratorSpec(200, 6, 3, purchases=flag)) for flag in (False, True))
    for name, table in plain.book_tables.items():
        assert (name == "events") != table.equals(full.book_tables[name])
    assert plain.truth["causes"].equals(full.truth["causes"])


def test_a_loans_instalments_repay_its_principal_exactly(generated: Generated) -> None:
    principal: dict[object, int] = defaultdict(int)
    for row in rows_of(generated, "instalments"):
        assert row["due_minor"] == row["principal_minor"] + row["interest_minor"]
        principal[row["account_id"]] += row["principal_minor"]
    assert principal == {
        row["account_id"]: row["principal_minor"] for row in rows_of(generated, "accounts") if row["term_months"]
    }


def test_a_closed_loan_owes_nothing_and_a_charged_off_line_ends_over_180_days_past_due(generated: Generated) -> None:
    last = {row["account_id"]: row for row in rows_of(generated, "periods")}
    seen: dict[str, int] = defaultdict(int)
    for account in rows_of(generated, "accounts"):
        row = last[account["account_id"]]
        seen[account["status"]] += 1
        if account["status"] == "closed":
            assert row["balance_minor"] == 0
            assert account["closed_on"] == month_end(month_number(row["month"]))
        elif account["status"] == "charged_off":
            assert row["dpd_high"] > 180
        else:
            assert row["month"] == "2024-12"
            assert row["dpd_high"] <= 180
    assert min(seen[status] for status in ("active", "frozen", "closed", "charged_off")) > 0


def test_the_reader_finds_no_fault_in_a_written_book(generated: Generated, tmp_path: Path) -> None:
    write_book(generated, tmp_path / "book")
    checked = read_book(tmp_path / "book", latest=date(2025, 1, 1))
    assert checked.quality.faults == ()
    assert checked.book is not None
    assert checked.book.as_of == date(2024, 12, 31)


def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        write_book(generate(GeneratorSpec(300, 8, seed)), tmp_path / folder)
    one, two, three = (digests(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one == two
    assert one["periods.parquet"] != three["periods.parquet"]


def test_the_manifest_names_each_tables_rows_and_digest_and_the_truth_stands_apart(
    generated: Generated, tmp_path: Path
) -> None:
    out = tmp_path / "书 book"
    out.mkdir()
    write_book(generated, out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest) == {
        "contract", "as_of", "timezone", "currency", "jurisdiction", "lender_name", "source", "tables",
    }  # fmt: skip
    for name, entry in manifest["tables"].items():
        file = out / f"{name}.parquet"
        assert entry == {
            "rows": pq.read_metadata(file).num_rows,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
    assert {path.name for path in (out / "truth").iterdir()} == {"causes.parquet", "incomes.parquet"}


def test_a_folder_that_holds_something_is_left_alone(generated: Generated, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(Conflict):
        write_book(generated, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    small = generate(GeneratorSpec(5, 2, 1))
    broken = Generated(small.book_tables, small.truth, {"as_of": object()})
    with pytest.raises(TypeError):
        write_book(broken, tmp_path / "book")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("borrowers", "months", "seed", "end_month"),
    [(0, 12, 1, "2024-12"), (10, 0, 1, "2024-12"), (10, 12, -1, "2024-12"), (10, 12, 1, "2024-13")],
)
def test_a_spec_that_cannot_be_generated_is_refused(borrowers: int, months: int, seed: int, end_month: str) -> None:
    with pytest.raises(InvalidInput):
        GeneratorSpec(borrowers, months, seed, end_month)


@pytest.mark.parametrize(("borrowers", "months", "seed"), [(1, 24, 1), (400, 24, 2), (60, 36, 3), (60, 12, 4)])
def test_the_factory_worker_pays_minimums_for_two_months_misses_one_bill_then_all(
    borrowers: int, months: int, seed: int
) -> None:
    book = generate(GeneratorSpec(borrowers, months, seed))
    accounts = book.book_tables["accounts"].filter(
        pc.equal(book.book_tables["accounts"]["borrower_id"], STORY_BORROWER)
    )
    assert sorted(accounts["product"].to_pylist()) == ["bnpl", "bnpl", "card", "card"]
    assert len(set(accounts["lender_id"].to_pylist())) == 4
    periods = book.book_tables["periods"]
    own = periods.filter(pc.is_in(periods["account_id"], accounts["account_id"].combine_chunks()))
    paid, due, dpd = (
        own[name].to_numpy().reshape(4, months)[:, -8:] for name in ("paid_minor", "min_due_minor", "dpd_high")
    )
    assert (paid[:, 0] >= due[:, 0]).all()
    assert (paid[:, 0] > due[:, 0]).sum() >= 3  # still pays in full, or a good part of the card
    assert (paid[:, 1:3] == due[:, 1:3]).all()  # the job is lost: minimums only, twice
    assert (dpd[:, 3] > 0).sum() == 1  # one bill is missed
    assert (dpd[:, 4:] > 0).all()  # then all, until the day of the book
    assert (dpd[:, -1] <= 180).all()
    causes = {row["borrower_id"]: row["cause"] for row in book.truth["causes"].to_pylist()}
    assert causes[STORY_BORROWER] == "macro_shock"


def test_everybody_overdue_at_the_end_has_a_true_cause_that_fits_the_true_income(generated: Generated) -> None:
    owner = {row["account_id"]: row["borrower_id"] for row in rows_of(generated, "accounts")}
    last = [row for row in rows_of(generated, "periods") if row["month"] == "2024-12"]
    overdue = {owner[row["account_id"]] for row in last if row["dpd_high"] > 0}
    causes = {row["borrower_id"]: row for row in generated.truth["causes"].to_pylist()}
    assert overdue <= set(causes)
    incomes: dict[object, dict[str, int]] = defaultdict(dict)
    for row in generated.truth["incomes"].to_pylist():
        incomes[row["borrower_id"]][row["month"]] = row["income_minor"]
    fall = defaultdict(list)
    for borrower, row in causes.items():
        months = incomes[borrower].values()
        fall[row["cause"]].append(min(months) / max(months))
    assert np.median(fall["oversight"]) > 0.5
    assert np.median(fall["income_shock"]) < 0.35
    declared = {row["borrower_id"]: row["income_declared_minor"] for row in rows_of(generated, "borrowers")}
    ratio = defaultdict(list)
    for borrower, row in causes.items():
        ratio[row["cause"]].append(declared[borrower] / max(incomes[borrower].values()))
    assert np.median(ratio["concealment"]) > 1.6 > 1.2 > np.median(ratio["over_granting"])


def test_rings_share_devices_and_honest_borrowers_do_not(generated: Generated) -> None:
    users: dict[object, set[object]] = defaultdict(set)
    for row in rows_of(generated, "applications"):
        users[row["device_token"]].add(row["borrower_id"])
    shared = {borrower for people in users.values() if len(people) > 1 for borrower in people}
    assert 0 < len(shared) < 0.02 * 2_000
    causes = {row["borrower_id"]: row["cause"] for row in generated.truth["causes"].to_pylist()}
    assert {causes[borrower] for borrower in shared if borrower in causes} == {"concealment"}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50)), min_size=1, max_size=30), st.data())
def test_bills_are_paid_in_order_until_the_cash_does_not_reach(
    bills: list[tuple[int, int]], data: st.DataObject
) -> None:
    bills = sorted(bills, key=lambda bill: bill[0])
    cash = data.draw(st.lists(st.integers(0, 100), min_size=5, max_size=5))
    used = [0] * 5
    expected = []
    for borrower, need in bills:
        used[borrower] += need
        expected.append(need > 0 and used[borrower] <= cash[borrower])
    borrower, need = np.array(bills).T
    assert pay_in_order(need, np.array(cash), borrower).tolist() == expected


def test_numbered_ids_have_one_width_and_sort_as_their_numbers() -> None:
    assert numbered("a-", np.array([3, 12, 123]), 4).to_pylist() == ["a-0003", "a-0012", "a-0123"]
    assert numbered("a-", np.array([], dtype=np.int64)).to_pylist() == []
    assert numbered("a-", np.array([1])).type == pa.string()
