"""Open the files of a book: Parquet, CSV and xlsx become raw tables, with the number of each row in its file."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from evenkeel.book.contract import COLUMN_COUNT_LIMIT
from evenkeel.book.faults import Effect, Fault, shown

SUFFIXES = (".parquet", ".csv", ".xlsx")
_XLSX_UNPACKED_LIMIT = 2 << 30
_HEADER_LIMIT = 1 << 20
_BLOCK = 1 << 26  # a cell of many megabytes still fits into one block
_XLSX_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as it stands in its file: columns of text (CSV, xlsx) or of the file's own types (Parquet)."""

    name: str
    columns: pa.Table
    row_numbers: npt.NDArray[np.int64]
    from_xlsx: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable(Exception):  # noqa: N818 - it carries a fault to the caller that collects faults
    """A file that cannot be read as a table; `fault` says why."""

    fault: Fault


def _refused(table: str, rule: str, **detail: object) -> Unreadable:
    return Unreadable(Fault(table, rule, Effect.REFUSED, detail=detail))


def read_raw(path: Path, name: str, malformed: Callable[[Fault], None]) -> RawTable:
    """The rows of one file. Lines with another number of cells than the header go to `malformed` and are left out.

    Raises Unreadable if the file is damaged, encoded in no known way, or has too many or repeated columns.
    """
    try:
        if path.suffix == ".parquet":
            return _read_parquet(path, name)
        if path.suffix == ".csv":
            return _read_csv(path.read_bytes(), name, malformed)
        return _read_xlsx(path, name)
    except Unreadable:
        raise
    except (OSError, pa.ArrowException, zipfile.BadZipFile, ValueError, KeyError, SyntaxError) as error:
        reason = shown(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise _refused(name, "unreadable", file=path.name, why=reason) from error


def _checked_header(name: str, header: list[str]) -> list[str]:
    header = [title.strip() for title in header]
    if len(header) > COLUMN_COUNT_LIMIT:
        raise _refused(name, "too_many_columns", count=f"{len(header):,}", limit=f"{COLUMN_COUNT_LIMIT:,}")
    doubled = sorted({title for title in header if title and header.count(title) > 1})
    if doubled:
        raise Unreadable(Fault(name, "doubled_column", Effect.REFUSED, column=doubled[0]))
    return header


def _read_parquet(path: Path, name: str) -> RawTable:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        _checked_header(name, schema.names)
        table = file.read()
    return RawTable(name, table, np.arange(1, table.num_rows + 1))


def decode(data: bytes, name: str) -> bytes:
    """The same text in UTF-8. A cell that neither UTF-8 nor GB18030 explains carries U+FFFD, which the checks find."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(name, "utf16")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        spoiled = text.count("\ufffd")
        sound = sum(character > "\x7f" for character in text) - spoiled
        if sound <= spoiled:
            try:
                text = data.decode("gb18030")
            except UnicodeDecodeError:
                other = data.decode("gb18030", errors="replace")
                text = other if other.count("\ufffd") < spoiled else text
        data = text.encode()
    return data


def _read_csv(data: bytes, name: str, malformed: Callable[[Fault], None]) -> RawTable:
    data = decode(data, name)
    if not data.strip():
        raise _refused(name, "empty_file")
    if len(data.split(b"\n", 1)[0]) > _HEADER_LIMIT:
        count = data.split(b"\n", 1)[0].count(b",") + 1
        raise _refused(name, "too_many_columns", count=f"{count:,}", limit=f"{COLUMN_COUNT_LIMIT:,}")
    header = _csv_header(data, name)
    skipped: list[pyarrow.csv.InvalidRow] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        skipped.append(row)
        return "skip"

    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, block_size=max(1 << 20, min(len(data) + 1, _BLOCK)), column_names=header, skip_rows=1
        ),
        parse_options=pyarrow.csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=skip
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={title: pa.string() for title in header}, null_values=[""], strings_can_be_null=True
        ),
    )
    records = np.setdiff1d(np.arange(2, table.num_rows + len(skipped) + 2), [row.number for row in skipped])
    breaks = np.cumsum(_line_breaks(table, data))
    for row in skipped:
        if row.text.strip():
            before = int(np.searchsorted(records, row.number))
            line = row.number + (int(breaks[before - 1]) if before else 0)
            detail = {"expected": row.expected_columns, "found": row.actual_columns}
            malformed(Fault(name, "cell_count", Effect.SET_ASIDE, line, value=shown(row.text), detail=detail))
    lines = records + np.concatenate(([0], breaks[:-1])) if len(records) else records
    blank = np.logical_and.reduce([column.is_null().to_numpy() for column in table.columns])
    return RawTable(name, table.filter(pa.array(~blank)), lines[~blank])


def _csv_header(data: bytes, name: str) -> list[str]:
    line = io.StringIO(data[: _HEADER_LIMIT + 1].split(b"\n", 1)[0].decode(errors="replace"))
    return _checked_header(name, next(csv.reader(line), []))


def _line_breaks(table: pa.Table, data: bytes) -> npt.NDArray[np.int64]:
    """How many line breaks stand inside the quoted cells of each row, so that rows are named by file line."""
    inside = np.zeros(table.num_rows, np.int64)
    if b'"' in data:
        for column in table.columns:
            inside += pc.fill_null(pc.count_substring(column, "\n"), 0).to_numpy().astype(np.int64)
    return inside


def _cell_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return f"={text}" if text in _XLSX_ERRORS else text


def _read_xlsx(path: Path, name: str) -> RawTable:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > _XLSX_UNPACKED_LIMIT:
        raise _refused(name, "unreadable", file=path.name, why=f"it unpacks to {unpacked:,} bytes")
    workbook = openpyxl.load_workbook(path, read_only=True, data_only=False)
    try:
        sheet = workbook[name] if name in workbook.sheetnames else workbook.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        header = _checked_header(name, ["" if cell is None else str(cell) for cell in next(rows, ())])
        if not any(header):
            raise _refused(name, "empty_file")
        numbers, cells = [], []
        for number, row in enumerate(rows, 2):
            texts = [_cell_text(cell) for cell in row]
            if any(text is not None for text in texts):
                numbers.append(number)
                cells.append(texts + [None] * (len(header) - len(texts)))
    finally:
        workbook.close()
    columns = {
        title: pa.array([row[place] for row in cells], pa.string()) for place, title in enumerate(header) if title
    }
    return RawTable(name, pa.table(columns), np.array(numbers, np.int64), from_xlsx=True)
