"""Any table as models read it: an Arrow table whose columns are numbers (float64) or texts; null = not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput


def frame(data: Any) -> pa.Table:
    """A table of pandas, Polars, DuckDB or Arrow, a mapping of columns, or a 2-D array, as models read it.

    Numbers become float64; null, NaN and the empty text are one thing: not known. Booleans become 0 and 1; dates
    and instants days since 1970-01-01; categories their texts. A 2-D array's columns are named x0, x1, ...
    Raises InvalidInput that names a column which is neither number, date nor text, or that stands twice.
    """
    table = _table(data)
    _check_names(table.column_names)
    return pa.table([_column(name, table[name]) for name in table.column_names], table.column_names)


def is_text(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a column of a frame holds texts."""
    return bool(pa.types.is_string(column.type))


def numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A numeric column of a frame as float64, NaN where it is not known."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _table(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        return _joined([str(name) for name in data], [_values(name, column) for name, column in data.items()])
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        # By column, so that an index never becomes one and objects of mixed kinds are named, not guessed.
        names = [str(name) for name in data.columns]
        return _joined(names, [_values(name, data.iloc[:, place]) for place, name in enumerate(names)])
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    # Lists of rows by way of objects: NumPy would make texts of the numbers beside a text.
    array = np.array(data, object) if isinstance(data, (list, tuple)) else np.asanyarray(data)
    if array.ndim != 2:
        raise InvalidInput(
            f"a table of rows and columns is wanted, not an array of {array.ndim} dimensions.",
            "Reshape your data: one row a case, one column a feature.",
        )
    names = [f"x{place}" for place in range(array.shape[1])]
    return _joined(names, [_values(name, array[:, place]) for place, name in enumerate(names)])


def _joined(names: list[str], columns: list[pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Columns of one length and different names as a table."""
    _check_names(names)
    for name, column in zip(names, columns, strict=True):
        if len(column) != len(columns[0]):
            raise InvalidInput(
                f"column `{name}` has {len(column)} values, column `{names[0]}` {len(columns[0])}.",
                "Give every column one value a row.",
            )
    return pa.table(columns, names)


def _check_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"column `{twice}` stands twice.", "Give every column its own name.")


def _values(name: object, values: Any) -> pa.Array | pa.ChunkedArray:
    """One column as Arrow; texts and numbers mixed in one column are at fault."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    try:
        if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
            return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
        return pa.array(values if isinstance(values, list) else _plain(np.asanyarray(values)), from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"column `{name}` cannot be read: {error}.", "Make it all numbers, or all texts.") from error


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array of one dimension in a layout that Arrow knows; a mask stays."""
    if array.ndim != 1:
        raise ValueError(f"it has {array.ndim} dimensions, not one value a row")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if isinstance(array, np.ma.MaskedArray) else np.ascontiguousarray(array)


def _column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_string(kind):
        texts = column.cast(pa.string())
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if pa.types.is_null(kind):
        return column.cast(pa.float64())
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(pa.float64())
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return pc.divide(micros.cast(pa.float64(), safe=False), 86_400_000_000.0)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    raise InvalidInput(
        f"column `{name}` holds {kind}; a model reads numbers, dates and texts.", "Convert it, or leave it out."
    )
