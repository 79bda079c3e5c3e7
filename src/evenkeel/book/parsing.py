"""Cells: a raw column of text or of a file's own type becomes a column of the contract's type, or a fault a row.

Every function is vectorised and total: whatever stands in a cell, the answer is a value, a null or a named rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.contract import AMOUNT_LIMIT, ARROW_TYPES, ID_LENGTH_LIMIT, TEXT_LENGTH_LIMIT, Column, Kind

Mask = npt.NDArray[np.bool_]

_INTEGER = r"^-?\d{1,18}$"
_LONG = r"^-?\d{19,}(\.\d*)?$"
_SAMPLE = 10_000
_FLOAT_NOISE = 4  # units in the last place by which arithmetic elsewhere may have moved a float
_INSTANT = (
    r"^(?P<day>\d{4}-\d{2}-\d{2})(?:[Tt ](?P<time>\d{2}:\d{2})(?P<second>:\d{2})?(?P<fraction>\.\d{1,9})?"
    r"(?P<zone>[Zz]|[+-]\d{2}:[0-5]\d)?)?$"
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A column in the contract's type. rule_of: rule name -> rows (bool mask) that break it; those rows are null."""

    values: pa.Array
    broken: dict[str, Mask]


def _mask(values: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def _given(values: pa.Array) -> Mask:
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _drop(values: pa.Array, bad: Mask) -> pa.Array:
    return pc.if_else(pa.array(bad), pa.scalar(None, values.type), values) if bad.any() else values


def _plain(raw: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One chunk, dictionaries decoded, every kind of text as string."""
    array = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


def parse(column: Column, raw: pa.ChunkedArray, zone: str, decimals: int | None = None, xlsx: bool = False) -> Parsed:
    """Read one raw column as `column` says.

    raw: text, or a Parquet file's own type. zone: IANA name for instants without an offset.
    decimals: the currency's exponent where `raw` is in major units, else None. xlsx: a month may be a date cell.
    """
    array = _plain(raw)
    if pa.types.is_null(array.type):
        return Parsed(pa.nulls(len(array), ARROW_TYPES[column.kind]), {})
    if not _repeats(array):
        return _parse(column, array, zone, decimals, xlsx)
    # A cell's answer depends on the cell alone, so each distinct text is read once.
    coded = array.dictionary_encode()
    parsed = _parse(column, coded.dictionary, zone, decimals, xlsx)
    given, place = _given(array), coded.indices.fill_null(0).to_numpy()
    return Parsed(
        parsed.values.take(coded.indices), {rule: mask[place] & given for rule, mask in parsed.broken.items()}
    )


def _repeats(array: pa.Array) -> bool:
    """Whether a long column of text seems to hold few distinct texts, judged by its start."""
    start = array.slice(0, _SAMPLE)
    return pa.types.is_string(array.type) and len(array) > _SAMPLE and 2 * len(pc.unique(start)) < _SAMPLE


def _parse(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if pa.types.is_string(array.type):
        spoiled = _mask(pc.match_substring_regex(array, r"\x{FFFD}"))
        control = _mask(pc.match_substring_regex(array, r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"))
        formula = _mask(pc.starts_with(array, "="))
        broken = {
            "encoding": spoiled,
            "control_character": control & ~spoiled,
            "formula": formula & ~spoiled & ~control,
        }
        broken = {rule: mask for rule, mask in broken.items() if mask.any()}
        for mask in broken.values():
            array = _drop(array, mask)
    else:
        broken = {}
    parsed = _PARSERS[column.kind](column, array, zone, decimals, xlsx)
    values, more = _within(column, parsed)
    return Parsed(values, broken | more)


def _within(column: Column, parsed: Parsed) -> tuple[pa.Array, dict[str, Mask]]:
    """Hold numbers to the column's domain."""
    if column.low is None or not (pa.types.is_integer(parsed.values.type) or pa.types.is_floating(parsed.values.type)):
        return parsed.values, parsed.broken
    below = _mask(pc.less(parsed.values, column.low))
    above = _mask(pc.greater(parsed.values, column.high))
    if not (below.any() or above.any()):
        return parsed.values, parsed.broken
    return _drop(parsed.values, below | above), parsed.broken | {"range": below | above}


def _wrong_type(column: Column, array: pa.Array) -> Parsed:
    return Parsed(pa.nulls(len(array), ARROW_TYPES[column.kind]), {"type": _given(array)})


def _text_integers(array: pa.Array, rule: str) -> Parsed:
    bad = _given(array) & ~_mask(pc.match_substring_regex(array, _INTEGER))
    return Parsed(_drop(array, bad).cast(pa.int64()), _long_or(rule, array, bad))


def _long_or(rule: str, array: pa.Array, bad: Mask) -> dict[str, Mask]:
    """The bad cells of a column of text: digits without end are too large, all else breaks `rule`."""
    if not bad.any():
        return {}
    large = bad & _mask(pc.match_substring_regex(array, _LONG))
    return {name: mask for name, mask in (("overflow", large), (rule, bad & ~large)) if mask.any()}


def _from_float(array: pa.Array, factor: int, rule: str) -> Parsed:
    """Whole minor units from float64: only where the float is a number with that many decimals, but for its last digit.

    Other programs leave 19.990000000000002 where they reckoned with 19.99; half a cent is never that near to a cent.
    """
    given = _given(array)
    values = pc.fill_null(array, 0.0).cast(pa.float64()).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    large = finite & (np.abs(values) > 2.0**53 / factor)
    safe = np.where(finite & ~large, values, 0.0)
    scaled = np.round(safe * factor)
    exact = (np.abs(scaled / factor - safe) <= _FLOAT_NOISE * np.spacing(np.abs(safe))) & ~large
    broken = {"not_finite": given & ~finite, "overflow": given & large, rule: given & finite & ~exact & ~large}
    whole = pa.array(np.where(exact, scaled, 0).astype(np.int64))
    return Parsed(_drop(whole, ~(given & finite & exact)), {name: mask for name, mask in broken.items() if mask.any()})


def _integers(column: Column, array: pa.Array, factor: int, rule: str) -> Parsed:
    """Whole numbers times `factor` from integers, floats or decimals."""
    if pa.types.is_integer(array.type):
        limit = (2**63 - 1) // factor
        if array.type == pa.uint64():
            bad = _mask(pc.greater(array, pa.scalar(limit, pa.uint64())))
            array = _drop(array, bad).cast(pa.int64())
        else:
            array = array.cast(pa.int64())
            bad = _mask(pc.or_(pc.greater(array, limit), pc.less(array, -limit)))
            array = _drop(array, bad)
        return Parsed(pc.multiply(array, factor), {"overflow": bad} if bad.any() else {})
    if pa.types.is_floating(array.type):
        return _from_float(array.cast(pa.float64()), factor, rule)
    if pa.types.is_decimal(array.type):
        return _from_decimal(array, len(str(factor)) - 1, rule)
    return _wrong_type(column, array)


def _from_decimal(array: pa.Array, decimals: int, rule: str) -> Parsed:
    """Whole minor units from a file's decimals, without a float on the way."""
    array = array.cast(pa.decimal256(76, array.type.scale))
    given = _given(array)
    large = _mask(pc.greater(pc.abs(array), AMOUNT_LIMIT))
    rough = given & ~large & ~_mask(pc.equal(pc.round(array, decimals), array))
    exact = _drop(array, large | rough).cast(pa.decimal256(76, decimals)).cast(pa.string())
    minor = _text_amounts(exact, decimals, rule).values
    return Parsed(minor, {name: mask for name, mask in (("overflow", large), (rule, rough)) if mask.any()})


def _text_amounts(array: pa.Array, decimals: int, rule: str) -> Parsed:
    """Major units as text to minor units, digit by digit: no float on the way."""
    given = _given(array)
    form = rf"^-?\d{{1,15}}(\.\d{{0,{decimals}}}0*)?$"
    bad = given & ~_mask(pc.match_substring_regex(array, form))
    parts = pc.extract_regex(_drop(array, bad), rf"^(?P<whole>-?\d+)(?:\.(?P<part>\d{{0,{decimals}}})0*)?$")
    whole, part = pc.struct_field(parts, "whole"), pc.struct_field(parts, "part")
    digits = pc.utf8_rpad(pc.coalesce(part, pa.scalar("")), width=decimals, padding="0")
    minor = pc.binary_join_element_wise(whole, digits, "").cast(pa.int64())
    return Parsed(minor, _long_or(rule, array, bad))


def _amount(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    rule = "minor_amount" if decimals is None else "major_amount"
    if pa.types.is_string(array.type):
        return _text_integers(array, rule) if decimals is None else _text_amounts(array, decimals, rule)
    return _integers(column, array, 10 ** (decimals or 0), rule)


def _integer(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    return (
        _text_integers(array, "integer") if pa.types.is_string(array.type) else _integers(column, array, 1, "integer")
    )


def _number(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    given = _given(array)
    if pa.types.is_string(array.type):
        bad = given & ~_mask(pc.match_substring_regex(array, r"^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$"))
        values, rule = _drop(array, bad).cast(pa.float64()), {"number": bad} if bad.any() else {}
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        values, rule = array.cast(pa.float64(), safe=False), {}
    else:
        return _wrong_type(column, array)
    wild = given & _mask(pc.invert(pc.is_finite(values)))
    return Parsed(_drop(values, wild), rule | ({"not_finite": wild} if wild.any() else {}))


def _days(text: pa.Array) -> pa.Array:
    """date32 of `YYYY-MM-DD`, null where there is no such day (2024-02-30)."""
    stamps = pc.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True)
    same = pc.equal(pc.strftime(stamps, format="%Y-%m-%d"), text)
    return pc.if_else(pc.fill_null(same, False), stamps, pa.scalar(None, stamps.type)).cast(pa.date32())


_LAST_DAY = 2_932_896  # 9999-12-31 in days since 1970-01-01
_TICKS_A_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}


def _in_calendar(array: pa.Array) -> pa.Array:
    """Dates or instants of which those beyond the years 1 to 9999 are null: a cast would wrap them silently."""
    kind = array.type
    unit = kind.unit if pa.types.is_timestamp(kind) else "ms"
    ticks = 1 if kind == pa.date32() else _TICKS_A_DAY[unit]
    numbers = array.cast(pa.int32()).cast(pa.int64()) if ticks == 1 else array.cast(pa.int64())
    limit = min(_LAST_DAY * ticks, 2**63 - 1)
    return _drop(array, _mask(pc.or_(pc.greater(numbers, limit), pc.less(numbers, -limit))))


def _known_zone(name: str | None) -> bool:
    """Whether a zone that a file names exists; one that does not leaves its instants without a local day."""
    if name is None:
        return True
    try:
        pc.local_timestamp(pa.array([0], pa.timestamp("us", tz=name)))
    except pa.ArrowException:
        return False
    return True


_FIRST_DAY = pa.scalar("1900-01-01").cast(pa.date32())


def _day(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    given = _given(array)
    if pa.types.is_string(array.type):
        form = _mask(pc.match_substring_regex(array, r"^\d{4}-\d{2}-\d{2}$"))
        days = _days(_drop(array, ~form))
    elif pa.types.is_date(array.type):
        days = _in_calendar(array).cast(pa.date32(), safe=False)
    elif pa.types.is_timestamp(array.type) and _known_zone(array.type.tz):
        days = _in_calendar(array).cast(pa.timestamp("us", tz=array.type.tz), safe=False)
        days = pc.local_timestamp(days) if array.type.tz else days
        days = days.cast(pa.date32(), safe=False)
    else:
        return _wrong_type(column, array)
    bad = given & ~_given(days)
    early = _mask(pc.less(days, _FIRST_DAY))
    broken = {"day": bad, "too_early": early}
    return Parsed(_drop(days, early), {rule: mask for rule, mask in broken.items() if mask.any()})


def _month(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if not pa.types.is_string(array.type):
        return _wrong_type(column, array)
    if xlsx:
        array = pc.replace_substring_regex(array, r"^(\d{4}-\d{2})-01$", r"\1")
    given = _given(array)
    bad = given & ~_mask(pc.match_substring_regex(array, r"^\d{4}-(0[1-9]|1[0-2])$"))
    early = given & ~bad & _mask(pc.less(array, "1900-01"))
    broken = {"month": bad, "too_early": early}
    return Parsed(_drop(array, bad | early), {rule: mask for rule, mask in broken.items() if mask.any()})


def _instant(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    given = _given(array)
    if pa.types.is_date(array.type):
        array = _in_calendar(array).cast(pa.timestamp("us"), safe=False)
    if pa.types.is_timestamp(array.type):
        stamps = _in_calendar(array).cast(pa.timestamp("us", tz=array.type.tz), safe=False)
        if stamps.type.tz is None:
            stamps = _in_zone(stamps, zone)
        stamps = stamps.cast(pa.timestamp("us", tz="UTC"))
    elif pa.types.is_string(array.type):
        stamps = _text_instants(array, zone)
    else:
        return _wrong_type(column, array)
    bad = given & ~_given(stamps)
    early = _mask(pc.less(stamps, pa.scalar("1900-01-02").cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))))
    broken = {"instant": bad, "too_early": early}
    return Parsed(_drop(stamps, early), {rule: mask for rule, mask in broken.items() if mask.any()})


def _in_zone(stamps: pa.Array, zone: str) -> pa.Array:
    return pc.assume_timezone(stamps, ZoneInfo(zone).key, ambiguous="earliest", nonexistent="latest")


def _text_instants(array: pa.Array, zone: str) -> pa.Array:
    """Instants in UTC from RFC 3339 text or a plain day; null where the text is neither or names no such moment."""
    parts = pc.extract_regex(array, _INSTANT)
    day, time, second, fraction, offset = (pc.struct_field(parts, i) for i in range(5))
    blank = pa.scalar("")
    clock = pc.if_else(pc.equal(time, blank), pa.scalar("00:00"), time)
    seconds = pc.if_else(pc.equal(second, blank), pa.scalar(":00"), second)
    text = pc.binary_join_element_wise(day, clock, " ")
    text = pc.binary_join_element_wise(text, seconds, "")
    stamps = pc.strptime(text, format="%Y-%m-%d %H:%M:%S", unit="us", error_is_null=True)
    same = pc.equal(pc.strftime(stamps.cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S"), text)
    stamps = pc.if_else(pc.fill_null(same, False), stamps, pa.scalar(None, stamps.type))
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.utf8_slice_codeunits(fraction, 1), width=6, padding="0"), 0, 6)
    micros = pc.fill_null(digits, "0").cast(pa.int64()).cast(pa.duration("us"))
    stamps = pc.add(stamps, micros)
    local = _in_zone(stamps, zone).cast(pa.timestamp("us", tz="UTC"))
    signed = pc.match_substring_regex(offset, r"^[+-]")
    hours = pc.if_else(signed, pc.utf8_slice_codeunits(offset, 1, 3), pa.scalar("0")).cast(pa.int64())
    minutes = pc.if_else(signed, pc.utf8_slice_codeunits(offset, 4, 6), pa.scalar("0")).cast(pa.int64())
    size = pc.add(pc.multiply(hours, 60), minutes)
    shift = pc.if_else(pc.starts_with(offset, "-"), pc.negate(size), size)
    shift = pc.if_else(pc.less_equal(size, 18 * 60), shift, pa.scalar(None, pa.int64()))
    exact = pc.subtract(stamps, pc.multiply(shift, 60_000_000).cast(pa.duration("us")))
    return pc.if_else(pc.equal(offset, blank), local, exact.cast(pa.timestamp("us", tz="UTC")))


def _flag(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if pa.types.is_boolean(array.type):
        return Parsed(array, {})
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        numbers = _integers(column, array, 1, "flag")
        odd = _given(array) & ~_given(numbers.values)
        array = pc.if_else(pa.array(odd), pa.scalar("?"), numbers.values.cast(pa.string()))
    if not pa.types.is_string(array.type):
        return _wrong_type(column, array)
    given, lower = _given(array), pc.utf8_lower(array)
    true = _mask(pc.is_in(lower, pa.array(["true", "1"])))
    false = _mask(pc.is_in(lower, pa.array(["false", "0"])))
    bad = given & ~true & ~false
    return Parsed(_drop(pa.array(true), ~given | bad), {"flag": bad} if bad.any() else {})


def _choice(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if not pa.types.is_string(array.type):
        return _wrong_type(column, array)
    bad = _given(array) & ~_mask(pc.is_in(array, pa.array(column.choices)))
    return Parsed(_drop(array, bad), {"choice": bad} if bad.any() else {})


def _bounded_text(limit: int, rule: str) -> Callable[[Column, pa.Array, str, int | None, bool], Parsed]:
    def read(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
        if pa.types.is_integer(array.type):
            array = array.cast(pa.string())
        if not pa.types.is_string(array.type):
            return _wrong_type(column, array)
        length = pc.utf8_length(array)
        bad = _mask(pc.greater(length, limit)) | (_mask(pc.equal(length, 0)) if rule == "id" else False)
        return Parsed(_drop(array, bad), {rule: bad} if bad.any() else {})

    return read


def _is_list_of_ids(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    item = kind.value_type
    return bool(pa.types.is_string(item) or pa.types.is_large_string(item) or pa.types.is_integer(item))


def _ids(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if pa.types.is_string(array.type):
        array = pc.split_pattern(array, ";")
    elif not _is_list_of_ids(array.type):
        return _wrong_type(column, array)
    lists = array.cast(pa.list_(pa.string()))
    length = pc.utf8_length(pc.list_flatten(lists))
    parents = pc.list_parent_indices(lists).to_numpy()
    wrong = _mask(pc.fill_null(pc.or_(pc.greater(length, ID_LENGTH_LIMIT), pc.equal(length, 0)), True))
    bad = np.zeros(len(lists), bool)
    bad[parents[wrong]] = True
    return Parsed(_drop(lists, bad), {"ids": bad} if bad.any() else {})


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _json(column: Column, array: pa.Array, zone: str, decimals: int | None, xlsx: bool) -> Parsed:
    if not pa.types.is_string(array.type):
        return _wrong_type(column, array)
    long = _mask(pc.greater(pc.utf8_length(array), TEXT_LENGTH_LIMIT))
    distinct = pc.unique(_drop(array, long).drop_null())
    sound = pa.array([text for text in distinct.to_pylist() if _is_object(text)], pa.string())
    bad = _given(array) & ~_mask(pc.is_in(array, sound))
    return Parsed(_drop(array, bad), {"json": bad} if bad.any() else {})


_PARSERS: dict[Kind, Callable[[Column, pa.Array, str, int | None, bool], Parsed]] = {
    Kind.ID: _bounded_text(ID_LENGTH_LIMIT, "id"),
    Kind.TEXT: _bounded_text(TEXT_LENGTH_LIMIT, "text"),
    Kind.AMOUNT: _amount,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.MONTH: _month,
    Kind.DAY: _day,
    Kind.INSTANT: _instant,
    Kind.FLAG: _flag,
    Kind.CHOICE: _choice,
    Kind.IDS: _ids,
    Kind.JSON: _json,
}
