"""Open the files of a book: Parquet, CSV and xlsx become raw tables, with the number of each row in its file."""

from __future__ import annotations

import csv
import io
import re
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
_XLSX_PACKED_LIMIT = 200  # a workbook that unpacks to more than this many times its size is no workbook
_XLSX_ROW_LIMIT = 1_048_576
_COLUMN_BYTES_LIMIT = (1 << 31) - 1  # Arrow's text of one column
_HEADER_LIMIT = 1 << 20
_BLOCK = 1 << 26  # a cell of many megabytes still fits into one block
_OTHER_FORMATS = {
    b"PK\x03\x04": "zip or xlsx",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "old Excel",
    b"\x1f\x8b": "gzip",
}
_FIRST_LINE = re.compile(rb"[^\r\n]*")
_LINE_END = r"\r\n|\r|\n"
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
        if path.stat().st_size == 0:
            raise _refused(name, "empty_file")
        suffix = path.suffix.lower()
        if suffix == ".csv":
            raw = _read_csv(path.read_bytes(), name, malformed)
        else:
            raw = _read_parquet(path, name) if suffix == ".parquet" else _read_xlsx(path, name, malformed)
    except Unreadable:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise is the file's fault
        reason = shown(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise _refused(name, "unreadable", file=path.name, why=reason) from error
    for title, column in zip(raw.columns.column_names, raw.columns.columns, strict=True):
        if column.nbytes > _COLUMN_BYTES_LIMIT and not pa.types.is_primitive(column.type):
            raise _refused(name, "unreadable", file=path.name, why=f"`{title}` holds more than 2 GB of text")
    return raw


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
        header = _checked_header(name, schema.names)
        table = file.read().rename_columns(header)
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
        sound = len(text) - len(text.encode("ascii", "ignore")) - spoiled
        if sound <= spoiled:
            try:
                text = data.decode("gb18030")
            except UnicodeDecodeError:
                other = data.decode("gb18030", errors="replace")
                text = other if other.count("\ufffd") < spoiled else text
        data = text.encode()
    return data


def _read_csv(data: bytes, name: str, malformed: Callable[[Fault], None]) -> RawTable:
    for start, format_name in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise _refused(name, "unreadable", file=f"{name}.csv", why=f"it is a {format_name} file, not a CSV")
    data = decode(data, name)
    if not data.strip():
        raise _refused(name, "empty_file")
    data = data if data.endswith((b"\n", b"\r")) else data + b"\n"
    header = _csv_header(data, name)
    if data.count(b'"') % 2 and (line := _open_quote(data)):
        raise Unreadable(Fault(name, "open_quote", Effect.REFUSED, line))
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
    lines, left_out = _file_lines(table, skipped, quoted=b'"' in data)
    for line, row in zip(left_out, skipped, strict=True):
        if row.text.strip():
            detail = {"expected": row.expected_columns, "found": row.actual_columns}
            malformed(Fault(name, "cell_count", Effect.SET_ASIDE, line, value=shown(row.text), detail=detail))
    blank = np.logical_and.reduce([column.is_null().to_numpy() for column in table.columns])
    return RawTable(name, table.filter(pa.array(~blank)), lines[~blank])


def _csv_header(data: bytes, name: str) -> list[str]:
    line = _FIRST_LINE.match(data)[0]  # type: ignore[index] # it matches the empty line too
    if len(line) > _HEADER_LIMIT:
        count = line.count(b",") + 1
        raise _refused(name, "too_many_columns", count=f"{count:,}", limit=f"{COLUMN_COUNT_LIMIT:,}")
    if b"\x00" in line:
        raise _refused(name, "utf16")
    return _checked_header(name, next(csv.reader([line.decode(errors="replace")]), []))


def _open_quote(data: bytes) -> int:
    """The line of the row whose quote is never closed, so that it swallows the rest of the file; 0 if there is none."""
    lines = data.decode(errors="replace").splitlines(keepends=True)
    reader, start = csv.reader(lines), 0
    try:
        while True:
            before = reader.line_num
            next(reader)
            start = before
    except StopIteration:
        pass
    except csv.Error:  # a cell beyond all measure: the quote opened in it
        return before + 1
    try:
        list(csv.reader(lines[start:], strict=True))
    except csv.Error:
        return start + 1
    return 0


def _file_lines(
    table: pa.Table, skipped: list[pyarrow.csv.InvalidRow], quoted: bool
) -> tuple[npt.NDArray[np.int64], list[int]]:
    """The file line on which each row of `table`, and each row left out, starts: a quoted cell may hold lines."""
    out = np.array([row.number - 2 for row in skipped], np.int64)
    kept = np.setdiff1d(np.arange(table.num_rows + len(skipped)), out)
    breaks = np.zeros(table.num_rows + len(skipped), np.int64)
    if quoted:
        for column in table.columns:
            inside = pc.count_substring_regex(column, _LINE_END)
            breaks[kept] += pc.fill_null(inside, 0).to_numpy().astype(np.int64)
        breaks[out] = [len(re.findall(_LINE_END, row.text.strip("\r\n"))) for row in skipped]
    lines = np.arange(2, len(breaks) + 2) + np.cumsum(breaks) - breaks
    return lines[kept], lines[out].tolist()


def _cell_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.15g}"  # as many digits as a spreadsheet shows
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return f"={text}" if text in _XLSX_ERRORS else text


def _read_xlsx(path: Path, name: str, malformed: Callable[[Fault], None]) -> RawTable:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(_XLSX_UNPACKED_LIMIT, max(1 << 26, _XLSX_PACKED_LIMIT * path.stat().st_size)):
        raise _refused(name, "unreadable", file=path.name, why=f"it unpacks to {unpacked:,} bytes")
    workbook = openpyxl.load_workbook(path, read_only=True, data_only=False)
    try:
        sheets = {sheet.title: sheet for sheet in workbook.worksheets}
        visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        sheet = sheets.get(name) or (visible or workbook.worksheets)[0]
        sheet.reset_dimensions()  # what a file says of its own size is not believed
        rows = sheet.iter_rows(values_only=True)
        header = _checked_header(name, ["" if cell is None else str(cell) for cell in next(rows, ())])
        if not any(header):
            raise _refused(name, "empty_file")
        numbers, cells = [], []
        for number, row in enumerate(rows, 2):
            if number > _XLSX_ROW_LIMIT:
                raise _refused(name, "unreadable", file=path.name, why=f"it has a row {number:,}")
            texts = [_cell_text(cell) for cell in row]
            while texts and texts[-1] is None:
                texts.pop()
            if len(texts) > len(header):
                detail = {"expected": len(header), "found": len(texts)}
                malformed(Fault(name, "cell_count", Effect.SET_ASIDE, number, detail=detail))
            elif texts:
                numbers.append(number)
                cells.append(texts + [None] * (len(header) - len(texts)))
    finally:
        workbook.close()
    columns = {
        title: pa.array([row[place] for row in cells], pa.string()) for place, title in enumerate(header) if title
    }
    return RawTable(name, pa.table(columns), np.array(numbers, np.int64), from_xlsx=True)
