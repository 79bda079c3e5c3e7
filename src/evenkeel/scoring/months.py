"""Which columns are dates, and in which month each value falls, in the forms that lenders' files write them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]

_NAMES = {
    name: place
    for place, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
_ISO = re.compile(r"([0-9]{4})[-/.年]?([01]?[0-9])(?:[-/.月]?[0-3]?[0-9]日?)?月?(?:[T ].*)?")
_NAMED = re.compile(r"([A-Za-z]{3})[- ]([0-9]{4}|[0-9]{2})")
# A spreadsheet reads `Dec-15` as a day and writes it back as `15-Dec`.
_TURNED = re.compile(r"([0-9]{4}|[0-9]{1,2})[- ]([A-Za-z]{3})")
_KNOWN_SHARE = 0.95  # of the values of a column of dates that must read as one


def months_of(column: pa.ChunkedArray, days: bool = False) -> FloatArray | None:
    """(n,) month number of each value, NaN where not known; None where the column does not hold dates.

    Texts: 2015-12, 2015-12-31, 2015/12/31, 201512, 2015年12月, Dec-15, Dec-2015, 15-Dec. Numbers: YYYYMM and YYYYMMDD,
    or days since 1970-01-01 where `days` says so. A two-digit year above 50 is of the last century.
    """
    if is_text(column):
        coded = column.combine_chunks().dictionary_encode()
        read = np.array([_month(text) for text in coded.dictionary.to_pylist()] + [np.nan], np.float64)
        place = coded.indices.fill_null(len(read) - 1).to_numpy(zero_copy_only=False)
        known = place != len(read) - 1
        months: FloatArray = read[place]
        return months if known.any() and np.isfinite(months[known]).mean() >= _KNOWN_SHARE else None
    values = numbers(column)
    if days:
        stamps = np.where(np.isfinite(values), values, 0).astype("datetime64[D]").astype("datetime64[M]")
        return np.where(np.isfinite(values), stamps.astype(np.int64) + 1970 * 12, np.nan)
    return _written(values)


def _written(values: FloatArray) -> FloatArray | None:
    known = values[np.isfinite(values)]
    if not len(known) or (known != np.floor(known)).any():
        return None
    for low, high, month_unit, year_unit in ((190_001, 210_012, 1, 100), (19_000_101, 21_001_231, 100, 10_000)):
        month = known // month_unit % 100
        if known.min() >= low and known.max() <= high and month.min() >= 1 and month.max() <= 12:
            return values // year_unit * 12 + values // month_unit % 100 - 1
    return None


def _month(text: Any) -> float:
    text = str(text).strip()
    if found := _ISO.fullmatch(text):
        year, month = int(found[1]), int(found[2])
        return year * 12 + month - 1 if 1900 <= year <= 2100 and 1 <= month <= 12 else np.nan
    for form, name, number in ((_NAMED, 1, 2), (_TURNED, 2, 1)):
        if (found := form.fullmatch(text)) and found[name].lower() in _NAMES:
            year = int(found[number])
            year += 0 if year > 99 else (1900 if year > 50 else 2000)
            return year * 12 + _NAMES[found[name].lower()]
    return np.nan
