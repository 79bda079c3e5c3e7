"""Files as people send them: what stands in a file is read rightly, or named; nothing is raised and nothing lost."""

from __future__ import annotations

import datetime as dt
import os
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from book_samples import TODAY, Sheet, sound_book, write_book, write_csv, write_xlsx
from evenkeel.book.checking import Checked
from evenkeel.book.faults import Fault
from evenkeel.book.files import RawTable, Unreadable, read_raw
from evenkeel.book.reading import read_book
from evenkeel.kernel.errors import InvalidUsage


def read(path: Path) -> tuple[RawTable, list[Fault]]:
    """The file's rows, and the lines that were left out."""
    faults: list[Fault] = []
    return read_raw(path, path.stem, faults.append), faults


def csv_of(folder: Path, data: bytes) -> tuple[RawTable, list[Fault]]:
    """A CSV with these bytes, read."""
    (folder / "t.csv").write_bytes(data)
    return read(folder / "t.csv")


def rule_of(path: Path) -> str:
    """The rule for which a file is refused."""
    with pytest.raises(Unreadable) as caught:
        read(path)
    return caught.value.fault.rule


# --- CSV


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    for data in (b"a,b", b"a,b\n", b"a,b\r\n\r\n"):
        raw, faults = csv_of(tmp_path, data)
        assert (raw.columns.column_names, raw.columns.num_rows, faults) == (["a", "b"], 0, [])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_is_read(tmp_path: Path, end: bytes) -> None:
    raw, faults = csv_of(tmp_path, end.join([b"a,b", b"1,2", b"3,4", b""]))
    assert raw.columns.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}
    assert (raw.row_numbers.tolist(), faults) == ([2, 3], [])


def test_mixed_line_ends_and_blank_lines_keep_the_number_of_the_line(tmp_path: Path) -> None:
    raw, faults = csv_of(tmp_path, b"a,b\r\n1,2\n\n3,4\r\n,\r\n5,6")
    assert raw.columns["a"].to_pylist() == ["1", "3", "5"]
    assert (raw.row_numbers.tolist(), faults) == ([2, 4, 6], [])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_after_a_quoted_line_break_are_named_by_their_file_line(tmp_path: Path, end: str) -> None:
    lines = ["a,b", '1,"x', 'y"', '"p', "q", 'r",7', "2", "3,4", '5,"', '",6', "7,8"]
    raw, faults = csv_of(tmp_path, end.join(lines).encode())
    assert raw.columns["a"].to_pylist() == ["1", f"p{end}q{end}r", "3", "7"]
    assert raw.row_numbers.tolist() == [2, 4, 8, 11]
    assert [(fault.rule, fault.row) for fault in faults] == [("cell_count", 7), ("cell_count", 9)]


def test_doubled_quotes_commas_and_text_in_quotes_are_kept(tmp_path: Path) -> None:
    raw, _ = csv_of(tmp_path, 'a,b\n"1,234","say ""no"""\n5" pipe,名\n'.encode())
    assert raw.columns.to_pydict() == {"a": ["1,234", '5" pipe'], "b": ['say "no"', "名"]}


def test_an_open_quote_in_the_last_column_does_not_swallow_the_rest_in_silence(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    with pytest.raises(Unreadable) as caught:
        read(tmp_path / "t.csv")
    assert (caught.value.fault.rule, caught.value.fault.row) == ("open_quote", 3)


def test_an_odd_quote_inside_a_text_opens_nothing(tmp_path: Path) -> None:
    raw, faults = csv_of(tmp_path, b'a,b\n1,5" pipe\n3,4\n')
    assert (raw.columns["b"].to_pylist(), faults) == (['5" pipe', "4"], [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_text_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    raw, _ = csv_of(tmp_path, "名称,b\n深圳市龙华区,1\n".encode(encoding))
    assert raw.columns.to_pydict() == {"名称": ["深圳市龙华区"], "b": ["1"]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_and_32_are_refused_by_name(tmp_path: Path, encoding: str) -> None:
    write_csv({"a": ["x" * 3] * 3, "b": ["y"] * 3}, tmp_path / "t.csv", encoding=encoding)
    assert rule_of(tmp_path / "t.csv") in ("utf16", "too_many_columns", "unreadable", "doubled_column")


def test_ids_keep_leading_zeros_and_long_digits(tmp_path: Path) -> None:
    raw, _ = csv_of(tmp_path, b"a\n007\n00123456789012345678901234567890\n")
    assert raw.columns["a"].to_pylist() == ["007", "00123456789012345678901234567890"]


def test_suffixes_in_capitals_are_read(tmp_path: Path) -> None:
    write_book(sound_book(), tmp_path, "csv")
    (tmp_path / "accounts.csv").rename(tmp_path / "accounts.CSV")
    assert read_book(tmp_path, latest=TODAY).book is not None


# --- Parquet


def parquet_of(folder: Path, table: pa.Table, **options: object) -> tuple[RawTable, list[Fault]]:
    """A Parquet file with this table, read."""
    pq.write_table(table, folder / "t.parquet", **options)
    return read(folder / "t.parquet")


def book_with(folder: Path, table: str, column: str, values: pa.Array) -> Checked:
    """The sound book with one Parquet column of other type, checked."""
    write_book(sound_book(), folder, "parquet")
    path = folder / f"{table}.parquet"
    given = pq.read_table(path)
    columns = {name: given[name] for name in given.column_names} | {column: values}
    pq.write_table(pa.table(columns), path)
    return read_book(folder, latest=TODAY)


LIMITS = [500_000 + 100 * i for i in range(200)]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(LIMITS, pa.int32()),
        pa.array(LIMITS, pa.uint64()),
        pa.array(LIMITS, pa.float64()),
        pa.array([Decimal(value) for value in LIMITS], pa.decimal128(38, 10)),
        pa.array([Decimal(value) for value in LIMITS], pa.decimal256(60, 3)),
        pa.array([str(value) for value in LIMITS], pa.large_string()),
        pa.array([str(value) for value in LIMITS], pa.string_view()),
        pa.array([str(value) for value in LIMITS]).dictionary_encode(),
        pa.array(LIMITS, pa.int64()).dictionary_encode(),
    ],
    ids=lambda values: str(values.type)[:24],
)
def test_whole_amounts_are_read_from_every_type_that_holds_them(tmp_path: Path, values: pa.Array) -> None:
    checked = book_with(tmp_path, "accounts", "limit_minor", values)
    assert checked.quality.faults == ()
    assert checked.book is not None
    assert checked.book.tables["accounts"]["limit_minor"].to_pylist() == LIMITS


@pytest.mark.parametrize("kind", [pa.decimal128(38, 10), pa.decimal128(9, 2), pa.float64(), pa.string()])
def test_major_amounts_are_exact_and_zero_is_zero(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["0", "0.00", "-0.00", "19.99", "1234567.8", "0.07", "4.35"] + ["1"] * 193
    values = pa.array([Decimal(text) for text in texts]).cast(pa.decimal128(20, 2))
    write_book(sound_book(), tmp_path, "parquet")
    given = pq.read_table(tmp_path / "accounts.parquet").drop_columns(["limit_minor"])
    column = pa.array(texts) if kind == pa.string() else values.cast(kind)
    pq.write_table(given.append_column("limit", column), tmp_path / "accounts.parquet")
    checked = read_book(tmp_path, latest=TODAY)
    assert [(fault.place(), fault.value) for fault in checked.quality.faults] == []
    assert checked.book is not None
    assert checked.book.tables["accounts"]["limit_minor"].to_pylist() == [int(Decimal(text) * 100) for text in texts]


def test_whole_numbers_as_ids_are_kept_digit_by_digit(tmp_path: Path) -> None:
    tables = {
        "accounts": {"account_id": [7, 2**60], "borrower_id": [1, 2], "lender_id": ["l", "l"], "product": ["card"] * 2},
        "periods": {"account_id": [7, 2**60], "month": ["2024-05", "2024-06"], "dpd_high": [0, 3]},
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    checked = read_book(tmp_path, latest=TODAY)
    assert checked.book is not None
    assert checked.book.tables["accounts"]["account_id"].to_pylist() == ["1152921504606846976", "7"]


def _instants(count: int = 200) -> list[dt.datetime]:
    return [dt.datetime(2024, 3, 1, 8, 30, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(count)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai", "+08:00", "America/New_York"])
def test_instants_of_every_unit_and_zone_are_the_same_moments(tmp_path: Path, unit: str, zone: str | None) -> None:
    shift = dt.timedelta(hours=8) if zone is None else dt.timedelta()  # without a zone: the book's, Shanghai
    values = pa.array([moment + shift for moment in _instants()], pa.timestamp(unit, "UTC"))
    column = values.cast(pa.timestamp(unit, zone)) if zone else pa.array(values.cast(pa.int64()), pa.timestamp(unit))
    checked = book_with(tmp_path, "recoveries", "at", column)
    assert checked.quality.faults == ()
    assert checked.book is not None
    assert checked.book.tables["recoveries"]["at"].to_pylist() == _instants()


def test_int96_instants_are_read(tmp_path: Path) -> None:
    write_book(sound_book(), tmp_path, "parquet")
    given = pq.read_table(tmp_path / "recoveries.parquet")
    moments = pa.array([moment.replace(tzinfo=None) for moment in _instants()], pa.timestamp("ns"))
    table = given.set_column(given.column_names.index("at"), "at", moments)
    pq.write_table(table, tmp_path / "recoveries.parquet", use_deprecated_int96_timestamps=True)
    checked = read_book(tmp_path, latest=TODAY)
    assert checked.quality.faults == ()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("ms", "UTC"), pa.timestamp("ms"), pa.date32(),
                                  pa.date64(), pa.timestamp("ms", "Mars/Olympus")])  # fmt: skip
@pytest.mark.parametrize("table_column", ["accounts.opened_on", "recoveries.at"])
def test_moments_beyond_every_calendar_are_named(tmp_path: Path, kind: pa.DataType, table_column: str) -> None:
    ticks = {pa.date32(): 2**31 - 1, pa.date64(): 86_400_000 * 10**9}.get(kind, 2**62)
    numbers = pa.array([None] * 198 + [ticks, -ticks])
    values = numbers.cast(pa.int32()).cast(kind) if kind == pa.date32() else numbers.cast(pa.int64()).cast(kind)
    table, column = table_column.split(".")
    checked = book_with(tmp_path, table, column, values)
    assert [(fault.row, fault.column) for fault in checked.quality.faults] == [(199, column), (200, column)]


def test_a_day_is_the_local_day_of_its_instant(tmp_path: Path) -> None:
    late = dt.datetime(2024, 3, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    values = pa.array([late] * 200, pa.timestamp("us", "Asia/Shanghai"))
    checked = book_with(tmp_path, "accounts", "opened_on", values)
    assert checked.book is not None
    assert set(checked.book.tables["accounts"]["opened_on"].to_pylist()) == {dt.date(2024, 3, 1)}


ODD = [
    pa.array([b"1"] * 200, pa.binary()),
    pa.array([b"1"] * 200, pa.binary(1)),
    pa.array([{"a": 1}] * 200),
    pa.array([[1]] * 200),
    pa.array([[("k", 1)]] * 200, pa.map_(pa.string(), pa.int64())),
    pa.array([dt.time(1)] * 200),
    pa.array([dt.timedelta(1)] * 200),
    pa.array([1.5] * 200, pa.float16()),
    pa.array([True] * 200),
    pa.nulls(200),
    pa.array([dt.datetime(2024, 1, 1)] * 200, pa.timestamp("ns")),  # noqa: DTZ001
    pa.array([None, b"\xff"] * 100, pa.large_binary()),
    pa.array(["=1+1", None] * 100).dictionary_encode(),
    pa.array([2**63] * 200, pa.uint64()),
]
TARGETS = ["accounts.limit_minor", "accounts.product", "accounts.currency", "accounts.rate_annual",
           "accounts.opened_on", "accounts.account_id", "accounts.x_kept", "periods.month", "periods.on_book",
           "payments.paid_at",
           "applications.contact_tokens", "events.payload", "periods.dpd_low"]  # fmt: skip


@pytest.mark.sampled(3)
@pytest.mark.parametrize("target", TARGETS)
def test_no_type_of_column_ends_in_an_exception(tmp_path: Path, target: str) -> None:
    table, column = target.split(".")
    write_book(sound_book(), tmp_path, "parquet")
    given = pq.read_table(tmp_path / f"{table}.parquet").slice(0, 200)
    for odd in ODD:
        columns = {name: given[name] for name in given.column_names} | {column: odd}
        pq.write_table(pa.table(columns), tmp_path / f"{table}.parquet")
        checked = read_book(tmp_path, latest=TODAY)
        for fault in checked.quality.faults:
            assert fault.problem("zh")
        if column != "x_kept" and not pa.types.is_null(odd.type) and checked.book is not None:
            accepted = checked.book.tables[table][column]
            assert accepted.null_count == odd.null_count or checked.quality.faults


def test_doubled_and_padded_parquet_columns_are_named_or_trimmed(tmp_path: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", " a"]), tmp_path / "t.parquet")
    assert rule_of(tmp_path / "t.parquet") == "doubled_column"
    raw, _ = parquet_of(tmp_path, pa.table({" a ": [1]}))
    assert raw.columns.column_names == ["a"]


# --- xlsx


def workbook(folder: Path, *rows: list[object], title: str = "t") -> openpyxl.Workbook:
    """A workbook with one sheet of these rows, not yet saved."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def xlsx_of(folder: Path, book: openpyxl.Workbook) -> tuple[RawTable, list[Fault]]:
    """The workbook, saved and read."""
    book.save(folder / "t.xlsx")
    return read(folder / "t.xlsx")


def test_cells_of_a_workbook_become_the_text_that_a_person_sees(tmp_path: Path) -> None:
    moment = dt.datetime(2024, 2, 29, 9, 30)  # noqa: DTZ001 - a workbook knows no zones
    row = [1, 2.5, 0.1 + 0.2, 1e20, True, dt.date(2024, 2, 29), moment, "007", None, "=A1+1", "#N/A"]
    raw, _ = xlsx_of(tmp_path, workbook(tmp_path, [f"c{i}" for i in range(len(row))], row))
    assert [column[0].as_py() for column in raw.columns.columns] == [
        "1", "2.5", "0.3", "100000000000000000000", "true", "2024-02-29", "2024-02-29T09:30:00", "007", None, "=A1+1",
        "=#N/A",
    ]  # fmt: skip


def test_the_sheet_of_the_tables_name_is_read_else_the_first_that_is_visible(tmp_path: Path) -> None:
    book = workbook(tmp_path, ["hidden"], [0], title="notes")
    book.create_sheet("shown").append(["shown"])
    book["notes"].sheet_state = "hidden"
    assert xlsx_of(tmp_path, book)[0].columns.column_names == ["shown"]
    book.create_sheet("t").append(["mine"])
    assert xlsx_of(tmp_path, book)[0].columns.column_names == ["mine"]


def test_merged_cells_and_blank_rows_keep_their_numbers(tmp_path: Path) -> None:
    book = workbook(tmp_path, ["a", "b"], [1, 2], [None, None], [3, 4])
    book["t"].merge_cells("A4:B4")
    raw, _ = xlsx_of(tmp_path, book)
    assert raw.columns.to_pydict() == {"a": ["1", "3"], "b": ["2", None]}
    assert raw.row_numbers.tolist() == [2, 4]


def test_a_cell_beyond_the_header_is_a_fault_of_its_row(tmp_path: Path) -> None:
    raw, faults = xlsx_of(tmp_path, workbook(tmp_path, ["a", "b"], [1, 2, None], [3, 4, 5], [6, 7]))
    assert raw.row_numbers.tolist() == [2, 4]
    assert [(fault.rule, fault.row) for fault in faults] == [("cell_count", 3)]


def _patched(path: Path, part: str, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_is_not_believed_about_its_size(tmp_path: Path) -> None:
    xlsx_of(tmp_path, workbook(tmp_path, ["a", "b"], [1, 2]))
    _patched(tmp_path / "t.xlsx", SHEET, b'<dimension ref="A1:B2"', b'<dimension ref="A1:XFD1048576"')
    assert read(tmp_path / "t.xlsx")[0].columns.num_rows == 1


def test_a_row_number_beyond_every_sheet_is_refused_at_once(tmp_path: Path) -> None:
    xlsx_of(tmp_path, workbook(tmp_path, ["a", "b"], [1, 2]))
    _patched(tmp_path / "t.xlsx", SHEET, b'<row r="2"', b'<row r="2000000000"')
    assert rule_of(tmp_path / "t.xlsx") == "unreadable"


def test_an_xml_bomb_is_refused(tmp_path: Path) -> None:
    xlsx_of(tmp_path, workbook(tmp_path, ["a", "b"], [1, 2]))
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet'
    _patched(tmp_path / "t.xlsx", SHEET, b"<worksheet", bomb)
    assert rule_of(tmp_path / "t.xlsx") == "unreadable"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    write_xlsx({"a": [1], "b": [2]}, tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings2.xml", b" " * (100 << 20))
    assert rule_of(tmp_path / "t.xlsx") == "unreadable"


@pytest.mark.parametrize("part", ["xl/workbook.xml", SHEET, "[Content_Types].xml"])
def test_a_workbook_without_one_of_its_parts_is_refused(tmp_path: Path, part: str) -> None:
    write_xlsx({"a": [1], "b": [2]}, tmp_path / "u.xlsx")
    with zipfile.ZipFile(tmp_path / "u.xlsx") as old, zipfile.ZipFile(tmp_path / "t.xlsx", "w") as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
    assert rule_of(tmp_path / "t.xlsx") == "unreadable"


# --- folders


def test_symbolic_links_are_followed_and_broken_ones_are_no_tables(tmp_path: Path) -> None:
    folder = write_book(sound_book(), tmp_path / "book", "csv")
    (folder / "macro.csv").rename(tmp_path / "elsewhere.csv")
    (folder / "macro.csv").symlink_to(tmp_path / "elsewhere.csv")
    (folder / "parties.parquet").symlink_to(folder / "parties.parquet")
    (folder / "events.xlsx").symlink_to(tmp_path / "nowhere.xlsx")
    checked = read_book(folder, latest=TODAY)
    assert (checked.quality.faults, checked.book is None) == ((), False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = write_book(sound_book(), tmp_path, "csv")
    (folder / "periods.csv").chmod(0)
    checked = read_book(folder, latest=TODAY)
    assert [(fault.table, fault.rule) for fault in checked.quality.faults] == [("periods", "unreadable")]


def test_no_folder_is_a_fault_of_the_call(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").write_text("x")
        with pytest.raises(InvalidUsage, match="there is no folder"):
            read_book(path, latest=TODAY)


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    checked = read_book(tmp_path, latest=TODAY)
    assert [fault.rule for fault in checked.quality.faults] == ["missing_table", "missing_history"]


def test_reading_leaves_no_file_and_changes_none(tmp_path: Path) -> None:
    folder = write_book(sound_book(), tmp_path, "csv")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    read_book(folder, latest=TODAY)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_extra_columns_are_kept_as_numbers_where_all_are_else_as_text(tmp_path: Path) -> None:
    sheets: dict[str, Sheet] = sound_book()
    sheets["accounts"]["x_score"] = [str(i) for i in range(200)]
    sheets["accounts"]["x_tier"] = ["gold" if i % 2 else "7" for i in range(200)]
    checked = read_book(write_book(sheets, tmp_path, "csv"), latest=TODAY)
    assert checked.book is not None
    assert checked.book.tables["accounts"].schema.field("x_score").type == pa.float64()
    assert checked.book.tables["accounts"].schema.field("x_tier").type == pa.string()


def test_faults_csv_starts_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    sheets = sound_book()
    for place, text in enumerate(["=1+1", "+1", "-x", "@x", "\tx"]):
        sheets["periods"]["balance_minor"][6 * place + 5] = text
    checked = read_book(write_book(sheets, tmp_path, "csv"), latest=TODAY)
    lines = "".join(checked.quality.csv_rows()).splitlines()[1:]
    assert len(lines) == 5
    assert all(",'" in line or ",\"'" in line for line in lines)
