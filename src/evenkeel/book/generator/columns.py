"""Columns for Arrow tables, made without a Python loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from evenkeel.book.contract import TABLES
from evenkeel.book.generator.world import BoolArray, IntArray


def numbered(prefix: str, numbers: IntArray, digits: int = 9) -> pa.Array:
    """Texts `prefix` + zero-padded number, e.g. a-000000012; they sort as the numbers do."""
    count, width = len(numbers), len(prefix) + digits
    letters = np.empty((count, width), np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix.encode("ascii"), np.uint8)
    rest = np.asarray(numbers, np.int64)
    for place in range(width - 1, len(prefix) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        letters[:, place] = digit + ord("0")
    offsets = np.arange(count + 1, dtype=np.int64) * width
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(letters.reshape(-1)))
    return texts.cast(pa.string())


def chosen(names: Sequence[str | None] | pa.Array, index: IntArray) -> pa.Array:
    """names[index] as texts; -1 gives null."""
    texts = names if isinstance(names, pa.Array) else pa.array(list(names), pa.string())
    return texts.take(pa.array(index, mask=np.asarray(index) < 0))


def known(values: IntArray, mask: BoolArray) -> pa.Array:
    """int64 values where `mask` is true, null elsewhere."""
    return pa.array(np.asarray(values, np.int64), mask=~mask)


def days(values: IntArray, mask: BoolArray | None = None) -> pa.Array:
    """date32 from days since 1970-01-01; null where `mask` is false."""
    return pa.array(np.asarray(values, np.int32), mask=None if mask is None else ~mask).cast(pa.date32())


def instants(day: IntArray, second: IntArray, mask: BoolArray | None = None) -> pa.Array:
    """UTC instants from days since 1970-01-01 and seconds of that day; null where `mask` is false."""
    micros = (np.asarray(day, np.int64) * 86_400 + second) * 1_000_000
    return pa.array(micros, mask=None if mask is None else ~mask).cast(pa.timestamp("us", tz="UTC"))


def contract_table(name: str, rows: int, columns: dict[str, pa.Array]) -> pa.Table:
    """A table of the contract; columns that are not given are null."""
    schema = TABLES[name].schema()
    strange = set(columns) - set(schema.names)
    if strange:
        raise KeyError(f"{sorted(strange)} are not columns of {name}")
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
