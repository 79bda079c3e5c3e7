"""Columns from outside, held to a policy's inputs: of the type, in the domain, young enough, or not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.policy.feel.nodes import RangeOf
from evenkeel.policy.feel.values import Date, Value
from evenkeel.policy.inputs import ProgramInput
from evenkeel.policy.vector.columns import Cut, Floats, decimal_of, read_number, steps

Column = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

Beyond = dict[tuple[str, int], Value]  # values by input and row

_EXACT = 2.0**53
_EPOCH = 719_163  # ordinal of 1970-01-01
# A float may stand for yes or no. Its pieces (below 0, 0, between, 1, above, NaN) as codes of (yes, no, null):
_FLAG_STEPS = np.array([*steps(Decimal(0)), *steps(Decimal(1)), np.nan])
_FLAG_CODES = np.array([2, 1, 2, 0, 2, 2], np.intp)
_FLAGS = np.array([1, 0, np.nan])  # the other way round


class Reader:
    """Reads one input's column as the plans want it: float64 with NaN, codes, or objects with None."""

    def __init__(self, item: ProgramInput) -> None:
        self.item = item
        self._numeric = item.type in ("number", "date")
        self._listed = item.type == "boolean" or (item.type == "string" and bool(item.choices))
        self._places = {choice: place for place, choice in enumerate(item.choices)}
        self.least, self.beyond = _span(item) if self._numeric else (-np.inf, np.inf)
        self._admitted = _admitted(item) if self._numeric and not np.isfinite(self.beyond) else None
        self._taken = "d?" if item.type == "boolean" else "d" if self.ranged else ""  # types that need no reading

    @property
    def ranged(self) -> bool:
        """Whether it is a number with no domain, or one range."""
        return self.item.type == "number" and self._admitted is None

    def read(self, column: object, ages: npt.NDArray[np.float64] | None, size: int, beyond: Beyond) -> Column:
        """A part of a column. beyond: takes the numbers that do not fit float64; the interpreter decides their rows."""
        read = self._unknown(size) if column is None else self._read(_array(column, self.item.type), beyond)
        if self.item.max_age_days is None:
            return read
        old = np.ones(size, bool) if ages is None else ~((ages >= 0) & (ages <= self.item.max_age_days))
        return np.where(old, self._unknown(size), read)

    def floats(
        self, column: object, ages: npt.NDArray[np.float64] | None, size: int, beyond: Beyond
    ) -> Floats | Bools | Codes:
        """A column as `keys.Keys` takes it: yes-or-no as 1 and 0, listed words as codes, numbers perhaps still outside
        a domain that is one range; NaN where not known."""
        plain = type(column) is np.ndarray and self.item.max_age_days is None
        if plain and cast("Column", column).dtype.char in self._taken:
            return cast("Floats", column)
        read = self.read(column, ages, size, beyond)
        return _FLAGS.take(read) if self.item.type == "boolean" else read

    def value(self, element: Any) -> Value:
        """An element of a column that was read, as FEEL's value."""
        if self._listed:
            return (*self.item.choices, None)[int(element)]
        if not self._numeric:
            return cast("Value", element)
        if np.isnan(element):
            return None
        return _number_or_day(self.item, element)

    def unknown(self, column: Column) -> Bools:
        """Where a column that was read is not known."""
        if self._numeric:
            return np.isnan(column)
        if self._listed:
            return np.equal(column, len(self.item.choices))
        return np.array([value is None for value in column], bool)

    def _unknown(self, size: int) -> Column:
        if self._numeric:
            return np.full(size, np.nan)
        return np.full(size, len(self.item.choices), np.intp) if self._listed else np.full(size, None, object)

    def _read(self, column: Column, beyond: Beyond) -> Column:
        if self._numeric:
            return self._within(self._numbers(column, beyond) if self.item.type == "number" else self._days(column))
        if self.item.type == "boolean" and column.dtype.kind in "buif":
            return _FLAG_CODES.take(_FLAG_STEPS.searchsorted(column.astype(np.float64), "right"))
        values = column.tolist()
        if self._listed:
            wanted = bool if self.item.type == "boolean" else str
            unknown, places = len(self._places), self._places
            codes = [places.get(value, unknown) if type(value) is wanted else unknown for value in values]
            return np.array(codes, np.intp)
        found = np.empty(len(values), object)
        for row, value in enumerate(values):
            found[row] = self.item.read(value)
        return found

    def _numbers(self, column: Column, beyond: Beyond) -> Floats:
        if column.dtype.kind == "f":
            return column.astype(np.float64, copy=False)
        if column.dtype.kind in "ui":
            floats = column.astype(np.float64)
            for large in np.flatnonzero(np.abs(floats) >= _EXACT).tolist():
                beyond[self.item.name, large] = self.item.read(int(column[large]))
            return floats
        found = np.full(len(column), np.nan)
        for row, raw in enumerate(column.tolist() if column.dtype.kind == "O" else []):
            value = self.item.read(raw)
            if isinstance(value, Decimal):
                found[row] = float(value)
                if decimal_of(found[row]) != value:
                    beyond[self.item.name, row] = value
        return found

    def _days(self, column: Column) -> Floats:
        if column.dtype.kind == "M":
            days = column.astype("datetime64[D]")
            return np.where(np.isnat(days), np.nan, days.astype(np.int64) + float(_EPOCH))
        read = [self.item.read(raw) for raw in (column.tolist() if column.dtype.kind == "O" else [None] * len(column))]
        return np.array([value.ordinal if isinstance(value, Date) else np.nan for value in read], np.float64)

    def _within(self, numbers: Floats) -> Floats:
        """Numbers, or days, held to the domain; what lies outside, and what is not finite, is not known."""
        if self._admitted is None:
            inside = (numbers >= self.least) & (numbers < self.beyond)
        else:
            inside = self._admitted(numbers)
        return numbers if inside.all() else np.where(inside, numbers, np.nan)


class Readers:
    """Reads the columns of all inputs; numbers in ranges, most of what policies read, are held to them all at once."""

    def __init__(self, items: Sequence[ProgramInput]) -> None:
        self.all = [Reader(item) for item in items]
        self._ranged = [r for r in self.all if r.ranged and r.item.max_age_days is None]
        self._least = np.array([[reader.least] for reader in self._ranged])
        self._beyond = np.array([[reader.beyond] for reader in self._ranged])

    def read(
        self, columns: Mapping[str, Any], ages: Mapping[str, Floats], start: int, stop: int, beyond: Beyond
    ) -> dict[str, Column]:
        """Rows from start to before stop of every input, as the plans want them."""
        read = self._together(columns, start, stop)
        for reader in self.all:
            name = reader.item.name
            if name not in read:
                column, age = columns.get(name), ages.get(name)
                part = None if column is None else column[start:stop]
                read[name] = reader.read(part, None if age is None else age[start:stop], stop - start, beyond)
        return read

    def _together(self, columns: Mapping[str, Any], start: int, stop: int) -> dict[str, Column]:
        given = [columns.get(reader.item.name) for reader in self._ranged]
        if not given or not all(type(one) is np.ndarray and one.dtype == np.float64 for one in given):
            return {}
        matrix = np.array([one[start:stop] for one in cast("list[Floats]", given)])
        inside = (matrix >= self._least) & (matrix < self._beyond)
        if not inside.all():
            matrix = np.where(inside, matrix, np.nan)
        return {reader.item.name: row for reader, row in zip(self._ranged, matrix, strict=True)}


def _span(item: ProgramInput) -> tuple[float, float]:
    """The least float of a domain that is one range, and the least beyond it; all finite ones where it is not."""
    if item.low is None or item.high is None:
        return np.nextafter(-np.inf, 0), np.inf
    span = item.tests[0].tests[0]
    assert isinstance(span, RangeOf)  # noqa: S101 - as both ends are known
    return steps(item.low)[0 if span.low_closed else 1], steps(item.high)[1 if span.high_closed else 0]


def _admitted(item: ProgramInput) -> Callable[[Floats], Bools] | None:
    """Where numbers are in a domain that is no one range; None where every number is."""
    if not item.tests:
        return None
    if item.cuts is None:
        return lambda numbers: _one_by_one(item, numbers)
    cut = Cut(read_number(item.name, item.type), item.cuts)
    admitted = np.array([value is not None and item.admits(value) for value in cut.values], bool)
    return lambda numbers: admitted.take(cut.codes(numbers))


def _one_by_one(item: ProgramInput, numbers: Floats) -> Bools:
    """The same for a domain that is calculated: each different number is asked."""
    distinct, places = np.unique(numbers, return_inverse=True)
    values = [_number_or_day(item, number) if np.isfinite(number) else None for number in distinct]
    return np.array([value is not None and item.admits(value) for value in values], bool).take(places)


def _number_or_day(item: ProgramInput, number: float) -> Value:
    return decimal_of(float(number)) if item.type == "number" else Date.of_ordinal(int(number))


def _array(column: object, type_name: str) -> Column:
    if type(column) is np.ndarray:
        return column
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not isinstance(column, pa.Array):
        return np.asarray(column)
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.array(column.cast(pa.int8()).to_numpy(zero_copy_only=False), np.float64)
    if pa.types.is_integer(kind) and column.null_count:
        ends = pc.min_max(column).as_py()
        if type_name == "number" and (ends["min"] or 0) > -_EXACT and (ends["max"] or 0) < _EXACT:
            return cast("Column", column.cast(pa.float64()).to_numpy(zero_copy_only=False))  # exact, NaN for null
        return np.array(column.to_pylist(), object)
    if pa.types.is_date(kind):
        return cast("Column", column.cast(pa.date32()).to_numpy(zero_copy_only=False))
    return cast("Column", column.to_numpy(zero_copy_only=False))
