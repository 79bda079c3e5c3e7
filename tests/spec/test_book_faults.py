"""A sound book is accepted whole; each mutation of it is named at its exact table, row and column, and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from mutations import MUTATIONS, REFUSED, Mutation, apply

from book_samples import FORMS, TODAY, Sheet, sound_book, write_book, write_parquet
from evenkeel.book.checking import Checked
from evenkeel.book.reading import read_book

CASES = [
    pytest.param(mutation, form, id=f"{mutation.name}-{form}") for mutation in MUTATIONS for form in mutation.forms
]


def located(checked: Checked) -> list[tuple[str, int | None, str, str, str]]:
    """Every fault by place, rule and effect."""
    faults = checked.quality.faults
    return sorted(((f.table, f.row, f.column, f.rule, str(f.effect)) for f in faults), key=repr)


def test_at_least_60_kinds_of_mutation_are_tried() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 60


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("mutation", "form"), CASES)
def test_a_mutation_is_named_at_its_exact_place_and_nothing_else_is(
    mutation: Mutation, form: str, tmp_path: Path
) -> None:
    apply(mutation, tmp_path, form)
    checked = read_book(tmp_path, latest=TODAY)
    expected = mutation.expected(form)
    assert located(checked) == expected
    assert (checked.book is None) == any(effect == REFUSED for *_, effect in expected)
    _the_rest_goes_on(checked, expected)
    for fault in checked.quality.faults:
        for language in ("en", "zh"):
            assert fault.problem(language)
            assert fault.remedy(language)
            assert len(fault.problem(language)) < 1_000


def _the_rest_goes_on(checked: Checked, expected: list[tuple[str, int | None, str, str, str]]) -> None:
    """Exactly the rows that are sound, and that point to nothing that was set aside, are in the book."""
    if checked.book is None:
        return
    aside = {(table, row) for table, row, *_, effect in expected if effect == "row set aside"}
    for name, quality in checked.quality.tables.items():
        assert quality.set_aside == sum(table == name for table, _ in aside)
        assert quality.accepted == checked.book.tables[name].num_rows
        assert quality.accepted == quality.rows - quality.set_aside - quality.set_aside_with
        assert aside or quality.set_aside_with == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_sound_book_is_accepted_whole_and_is_the_same_book_in_every_format(form: str, tmp_path: Path) -> None:
    sheets = sound_book()
    checked = read_book(write_book(sheets, tmp_path / form, form), latest=TODAY)
    other = read_book(write_book(sheets, tmp_path / "other", "parquet"), latest=TODAY)
    assert located(checked) == []
    assert checked.book is not None
    assert other.book is not None
    for name, sheet in sheets.items():
        assert checked.book.tables[name].num_rows == len(next(iter(sheet.values())))
    assert checked.book.digest() == other.book.digest()


def _children(size: int, lost: str) -> dict[str, int]:
    """How many rows of each table point to account `lost`, or to a row that does: counted from the sheets."""
    return {
        name: sum(cell == lost for cell in sheet["account_id"])
        for name, sheet in sound_book(size).items()
        if "account_id" in sheet and name != "accounts"
    }


@pytest.mark.parametrize("column", ["account_id", "product"])
@pytest.mark.parametrize("form", FORMS)
def test_rows_that_point_to_a_row_set_aside_go_with_it(form: str, column: str, tmp_path: Path) -> None:
    sheets = sound_book()
    sheets["accounts"][column][5] = "x" * 65
    checked = read_book(write_book(sheets, tmp_path, form), latest=TODAY)
    assert checked.book is not None
    for name, count in _children(200, "a00005").items():
        assert checked.quality.tables[name].set_aside_with == count
        assert checked.quality.tables[name].set_aside == 0


def test_a_borrower_set_aside_takes_accounts_and_their_months_along(tmp_path: Path) -> None:
    sheets = sound_book()
    sheets["borrowers"]["dependants"][5] = 51
    checked = read_book(write_book(sheets, tmp_path, "csv"), latest=TODAY)
    assert checked.book is not None
    gone = {name: entry.set_aside_with for name, entry in checked.quality.tables.items() if entry.set_aside_with}
    alone = ("accounts", "applications", "identity_checks", "events", "contacts", "consents", "complaints",
             "recoveries", "outcomes")  # fmt: skip
    assert gone == dict.fromkeys(alone, 1) | {"periods": 6, "instalments": 3, "payments": 3, "tradelines": 2}


@pytest.mark.parametrize("form", FORMS)
def test_one_bad_row_in_10_000_does_not_stop_the_rest(form: str, tmp_path: Path) -> None:
    sheets = sound_book(10_000, ("2024-06",)) if form != "xlsx" else _narrow(sound_book(10_000, ("2024-06",)))
    sheets["periods"]["dpd_high"][7_777] = -1
    checked = read_book(write_book(sheets, tmp_path, form), latest=TODAY)
    row = 7_778 if form == "parquet" else 7_779
    assert located(checked) == [("periods", row, "dpd_high", "range", "row set aside")]
    assert checked.book is not None
    assert checked.book.tables["periods"].num_rows == 9_999


def _narrow(book: dict[str, Sheet]) -> dict[str, Sheet]:
    """The tables that a run needs: a workbook of 10,000 rows takes a second."""
    return {name: book[name] for name in ("accounts", "periods", "parties")}


def test_faults_come_in_the_same_order_every_time(tmp_path: Path) -> None:
    sheets = sound_book()
    for place, (table, column) in enumerate([("periods", "dpd_low"), ("accounts", "cycle_day"), ("macro", "month")]):
        for row in (23, 11 + 6 * place):
            sheets[table][column][row] = "-9"
    write_book(sheets, tmp_path, "csv")
    runs = [read_book(tmp_path, latest=TODAY, max_bad_share=1.0).quality.faults for _ in range(2)]
    assert runs[0] == runs[1]
    assert [(f.table, f.row) for f in runs[0]] == [
        ("accounts", 19), ("accounts", 25), ("macro", 25), ("periods", 13), ("periods", 25),
    ]  # fmt: skip


def test_a_column_that_is_wrong_throughout_is_listed_in_part_and_counted_in_whole(tmp_path: Path) -> None:
    rows = 120_000
    accounts = {"account_id": ["a"], "borrower_id": ["b"], "lender_id": ["l"], "product": ["card"]}
    payments = {
        "payment_id": [f"y{i}" for i in range(rows)],
        "account_id": ["a"] * rows,
        "paid_at": ["yesterday"] * rows,
        "amount_minor": [1] * rows,
    }
    instalments = {"account_id": ["a"], "seq": [1], "due_on": [date(2024, 5, 1)], "due_minor": [1]}
    for name, sheet in (("accounts", accounts), ("payments", payments), ("instalments", instalments)):
        write_parquet(sheet, tmp_path / f"{name}.parquet")  # type: ignore[arg-type]
    checked = read_book(tmp_path, latest=TODAY)
    assert checked.book is None
    assert checked.quality.tables["payments"].set_aside == rows
    listed = [fault for fault in checked.quality.faults if fault.rule == "instant"]
    rest = [fault for fault in checked.quality.faults if fault.rule == "more_rows"]
    assert len(listed) == 10_000
    assert [fault.detail["count"] for fault in rest] == ["110,000"]
    assert any(fault.rule == "too_many_bad" for fault in checked.quality.faults)


@pytest.mark.parametrize("kind", [pa.binary(), pa.struct([("a", pa.int64())]), pa.list_(pa.float64()), pa.time64("us")])
def test_a_parquet_column_of_a_type_that_cannot_hold_the_values_is_named_row_by_row(
    kind: pa.DataType, tmp_path: Path
) -> None:
    values = {pa.binary(): b"1", pa.time64("us"): 5}
    value = values.get(kind, {"a": 1} if pa.types.is_struct(kind) else [1.5])
    sheets = sound_book()
    write_book(sheets, tmp_path, "parquet")
    table = pa.table({name: pa.array(cells) for name, cells in sheets["recoveries"].items()})
    column = pa.array([value if i == 3 else None for i in range(table.num_rows)], kind)
    path = tmp_path / "recoveries.parquet"
    pa.parquet.write_table(table.set_column(table.column_names.index("amount_minor"), "amount_minor", column), path)
    assert located(read_book(tmp_path, latest=TODAY)) == [
        ("recoveries", 4, "amount_minor", "type", "row set aside"),
    ]
