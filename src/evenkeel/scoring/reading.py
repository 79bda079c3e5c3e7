"""How a file's columns are read for a model: months and numbers that are written as text become numbers.

What was read how is part of the model, so that a file to be scored is read as the training file was.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.scoring.frame import frame, is_text
from evenkeel.scoring.months import months_of
from evenkeel.scoring.scorecard import Scorecard

MONTH, NUMBER = "month", "number"
_KNOWN_SHARE = 0.95  # of a text column's values that must read as numbers
_NUMBER = r"^[+-]?(\d[\d,]*\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def readings_of(columns: pa.Table) -> dict[str, str]:
    """The text columns of a frame that hold months or numbers, and which of the two."""
    found = {}
    for name in columns.column_names:
        column = columns[name]
        if not is_text(column) or column.null_count == len(column):
            continue
        if months_of(column) is not None:
            found[name] = MONTH
        elif _mostly_numbers(column):
            found[name] = NUMBER
    return found


def read_as(data: object, readings: Mapping[str, str]) -> pa.Table:
    """Any table as a frame, its text columns read as `readings` says; a text that does not fit is not known."""
    columns = frame(data)
    for name, kind in readings.items():
        if name not in columns.column_names or not is_text(columns[name]):
            continue
        read = _months(columns[name]) if kind == MONTH else _numbers(columns[name])
        columns = columns.set_column(columns.column_names.index(name), name, read)
    return columns


def _mostly_numbers(column: pa.ChunkedArray) -> bool:
    levels = pc.unique(column).drop_null()
    fits = pc.match_substring_regex(_stripped(levels), _NUMBER)
    return len(levels) > 0 and pc.sum(fits).as_py() >= _KNOWN_SHARE * len(levels)


def _stripped(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\s*%$", "")


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    stripped = _stripped(column)
    fits = pc.match_substring_regex(stripped, _NUMBER)
    plain = pc.replace_substring(stripped, ",", "")
    return pc.if_else(fits, plain, pa.scalar(None, pa.string())).cast(pa.float64())


def _months(column: pa.ChunkedArray) -> pa.Array:
    months = months_of(column)
    values = np.full(len(column), np.nan) if months is None else months
    return pa.array(values, pa.float64(), from_pandas=True)


def as_trained(card: Scorecard, table: pa.Table) -> pa.Table:
    """The columns that a scorecard reads, read as those of its training file were."""
    readings = card.facts.get("readings")
    wanted = [feature.name for feature in card.features if feature.name in table.column_names]
    return read_as(table.select(wanted), readings if isinstance(readings, Mapping) else {})
