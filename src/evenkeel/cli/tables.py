"""One table from a file that a person names: Parquet, CSV or a workbook's first sheet."""

from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from evenkeel.kernel.errors import InvalidInput, InvalidUsage, Unavailable

_MOST_BYTES = 4 << 30
WRITTEN = (".parquet", ".csv")  # kinds of file that are written


def read_table(path: Path) -> pa.Table:
    """The table of a .parquet, .csv (UTF-8 or GB18030) or .xlsx file; an empty cell is not known.

    Raises InvalidUsage where there is no such file or it is of another kind, InvalidInput where it cannot be read.
    """
    if path.is_dir():
        raise InvalidUsage(f"{path} is a folder, not a file.", "Give one table: .parquet, .csv or .xlsx.")
    if not path.is_file():
        raise InvalidUsage(f"there is no file {path}.", "Check the path.")
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{path} is larger than 4 GB.", "Draw a part of it.")
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv", ".xlsx"):
        raise InvalidUsage(f"{path} is neither .parquet, .csv nor .xlsx.", "Convert it first.")
    try:
        if kind == ".parquet":
            table = pq.read_table(path)
        else:
            table = _csv(path.read_bytes() if kind == ".csv" else _sheet(path))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        what = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        remedy = "Every line needs as many cells as the header." if "Expected" in what and "columns" in what else (
            "Is it damaged, or named after another kind?"
        )  # fmt: skip
        raise InvalidInput(f"{path} cannot be read: {what}.", remedy) from error
    if table.num_rows == 0 or table.num_columns == 0:
        raise InvalidInput(f"{path} holds no rows.", "Give a file with a header and at least one row.")
    return table


def _csv(data: bytes) -> pa.Table:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("gb18030").encode()
    empty = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=True,
                                       null_values=["", "NaN", "nan", "NULL", "null", "NA", "N/A"])  # fmt: skip
    return pyarrow.csv.read_csv(pa.BufferReader(data), convert_options=empty)


def _sheet(path: Path) -> bytes:
    """A workbook's first sheet as CSV, so that both have one way of telling numbers from texts."""
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    try:
        text = StringIO()
        writer = csv.writer(text)
        for row in book.worksheets[0].iter_rows(values_only=True):
            writer.writerow(["" if value is None else value for value in row])
        return text.getvalue().encode()
    finally:
        book.close()


def write_rows(scored: pa.Table, out: Path) -> None:
    """A .parquet or .csv file, whole or not at all. Raises Unavailable where it cannot be written."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.draft")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() == ".parquet":
            pq.write_table(scored, draft)
        else:
            pyarrow.csv.write_csv(scored, draft)
        draft.replace(out)
    except OSError as error:
        raise Unavailable(
            f"{out} cannot be written: {error.strerror or error}.", "Check its rights and space."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
