"""Numbers that people are known by in China, checked a column at a time. Nothing here raises on any text.

Every function takes a column: a sequence of texts and None, or an Arrow array of texts. Letters may be small or
capital; spaces and separators are not part of a number and make it malformed.

Small tables of our own stand behind `known`: they age, so what they do not hold is a warning and never a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Texts = Any  # Sequence[str | None], pa.Array or pa.ChunkedArray of texts
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
DayArray = npt.NDArray[np.datetime64]

OLDEST = 120  # years; the oldest person on record reached 122


class NumberVerdict(IntEnum):
    """What a number says about itself. Only VALID is good; MISSING is not known, the rest is known to be wrong.

    OLD_FORM: the 15-digit resident number, well formed, which no register has answered for since 2013.
    """

    VALID = 0
    MISSING = 1
    MALFORMED = 2
    CHECKSUM = 3
    BIRTH_DATE = 4
    FUTURE_BIRTH = 5
    IMPLAUSIBLE_AGE = 6
    OLD_FORM = 7


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of checked numbers. verdict: (n,) uint8 of NumberVerdict.

    known: (n,) whether the place, prefix or network is in our tables; True where the verdict is not VALID or OLD_FORM.
    """

    verdict: ByteArray
    known: BoolArray


@dataclass(frozen=True, slots=True)
class ResidentNumbers(Numbers):
    """Resident numbers with what they say of the person: NaT, -1 and -1 unless the verdict is VALID or OLD_FORM.

    birth: (n,) datetime64[D]. age: (n,) int16, whole years on the day. male: (n,) int8, 1 male and 0 female.
    """

    birth: DayArray
    age: npt.NDArray[np.int16]
    male: npt.NDArray[np.int8]


# GB/T 2260, first two digits: provinces, then Hong Kong, Macau and Taiwan (residence permits since 2018); 91 stands at
# the head of the permanent residence numbers of foreigners (since 2023 these begin with 9 and a province).
PROVINCES = frozenset((*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55),
                       *range(61, 66), 71, *range(81, 84), *range(91, 100)))  # fmt: skip

# Three digits at the head of a mobile number that the ministry has given out to people (not to machines).
MOBILE_PREFIXES = frozenset((*range(130, 140), *range(144, 154), *range(155, 160), 162, *range(165, 168),
                             *range(170, 179), *range(180, 194), *range(195, 200)))  # fmt: skip

_CARD_NETWORKS = (62, 60, *range(40, 50), *range(51, 56), *range(22, 28), 34, 37, 35, *range(90, 100))

_MISSING, _MALFORMED = int(NumberVerdict.MISSING), int(NumberVerdict.MALFORMED)
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS = np.frombuffer(b"10X98765432", np.uint8)
_CREDIT_ALPHABET = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
_LONGEST_CARD = 19
_PERMIT = r"^(?:[HMhm][0-9]{8}(?:[0-9]{2})?|[0-9]{8}|[0-9]{10}(?:\([A-Za-z]\)|[A-Za-z])?)$"
_MOBILE = r"^(?:\+?86|0086)?1[3-9][0-9]{9}$"


def _table(codes: Sequence[int] | frozenset[int], size: int) -> BoolArray:
    table = np.zeros(size, np.bool_)
    table[list(codes)] = True
    return table


def _letters(alphabet: bytes) -> ByteArray:
    """The value of each byte in an alphabet, small letters as capital ones; 255 where it has none."""
    table = np.full(256, 255, np.uint8)
    for value, letter in enumerate(alphabet):
        table[letter] = table[ord(chr(letter).lower())] = value
    return table


_PROVINCE_KNOWN = _table(PROVINCES, 256)
_MOBILE_KNOWN = _table(MOBILE_PREFIXES, 1000)
_CARD_KNOWN = _table(_CARD_NETWORKS, 256)
_CREDIT_VALUES = _letters(_CREDIT_ALPHABET)


@dataclass(frozen=True, slots=True)
class _Column:
    """Texts as bytes. start, length: (n,) int64 into data; a null has length -1."""

    array: pa.Array  # large_binary
    start: IntArray
    length: IntArray
    data: ByteArray

    @classmethod
    def of(cls, texts: Texts) -> _Column:
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        if isinstance(texts, pa.Array) and pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        if isinstance(texts, pa.Array):
            array = texts.cast(pa.large_string()).cast(pa.large_binary())
        else:
            try:
                array = pa.array(texts, pa.large_string()).cast(pa.large_binary())
            except (pa.ArrowException, TypeError, ValueError):
                array = pa.array([_bytes(text) for text in texts], pa.large_binary())
        _, offsets, data = array.buffers()
        held = 0 if len(array) == 0 else len(array) + 1
        ends = np.frombuffer(offsets, np.int64)[array.offset :][:held] if held else np.zeros(1, np.int64)
        length = np.diff(ends)
        if array.null_count:
            length = np.where(array.is_null().to_numpy(zero_copy_only=False), -1, length)
        return cls(array, ends[:-1], length, np.frombuffer(data or b"", np.uint8))

    def verdicts(self) -> ByteArray:
        """MISSING where null, MALFORMED elsewhere: what is true before anything was looked at."""
        return np.where(self.length < 0, np.uint8(_MISSING), np.uint8(_MALFORMED))

    def matching(self, pattern: str) -> IntArray:
        """Rows whose whole text matches."""
        found = pc.match_substring_regex(self.array, pattern).fill_null(False)
        return np.flatnonzero(found.to_numpy(zero_copy_only=False))

    def at(self, rows: IntArray, position: int) -> ByteArray:
        """The byte at a position of each of some rows; from the end where it is negative."""
        place = self.start[rows] + position
        return self.data[place if position >= 0 else place + self.length[rows]]

    def digits(self, rows: IntArray, count: int) -> ByteArray:
        """(count, rows) the first bytes less "0": a digit's value, over 9 where there is none."""
        digits = np.empty((count, len(rows)), np.uint8)
        place = self.start[rows]
        for row in digits:
            np.subtract(self.data[place], 48, out=row)
            place += 1
        return digits


def _bytes(text: object) -> bytes | None:
    """A text that Arrow does not take, such as half a surrogate pair; what is no text is an empty one: malformed."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    return None if text is None else b""


def resident_numbers(numbers: Texts, on: date | DayArray) -> ResidentNumbers:
    """Chinese resident numbers on a day: 18 characters (GB 11643-1999, ISO 7064 MOD 11-2), or 15 of the old form.

    on: the day of application, one for all or (n,) datetime64[D]: nobody is born later, nor over 120 years earlier.
    The same form serves residence permits of people from Hong Kong, Macau and Taiwan (81, 82, 83) and, since 2023,
    permanent residence cards of foreigners. known: the province; counties change every year and are not held here.
    """
    column = _Column.of(numbers)
    count = len(column.length)
    verdict, known = column.verdicts(), np.ones(count, np.bool_)
    birth = np.full(count, np.datetime64("NaT"), "datetime64[D]")
    age, male = np.full(count, -1, np.int16), np.full(count, -1, np.int8)
    today = np.asarray(on, "datetime64[D]")
    for length in (18, 15):
        rows = np.flatnonzero(column.length == length)
        if len(rows) == 0:
            continue
        digits = column.digits(rows, length - (length == 18))
        full = _full(digits)
        found = np.where(digits.max(axis=0) > 9, np.uint8(_MALFORMED), np.uint8(0))
        if length == 18:
            _hold_to_check(found, digits, column.at(rows, 17))
        born, years = _life(found, full, today if today.ndim == 0 else today[rows])
        good = found == 0
        if length == 15:
            found[good] = NumberVerdict.OLD_FORM
        verdict[rows] = found
        known[rows] = _PROVINCE_KNOWN[digits[0] * np.uint8(10) + digits[1]] | ~good
        birth[rows] = np.where(good, born, np.datetime64("NaT"))
        age[rows] = np.where(good, years, -1)
        male[rows] = np.where(good, full[-1] & 1, -1)
    return ResidentNumbers(verdict, known, birth, age, male)


def _full(digits: ByteArray) -> ByteArray:
    """The digits from the year of birth to the sequence, (11, rows): the old form leaves out the 19."""
    if len(digits) == 17:
        return digits[6:]
    century = np.repeat(np.array([[1], [9]], np.uint8), digits.shape[1], axis=1)
    return np.concatenate([century, digits[6:]])


def _hold_to_check(found: ByteArray, digits: ByteArray, last: ByteArray) -> None:
    """MALFORMED where the last character is neither a digit nor X, CHECKSUM where it is not the one asked for."""
    last = np.where(last == ord("x"), np.uint8(ord("X")), last)
    total = np.zeros(len(last), np.uint16)
    for weight, digit in zip(_RESIDENT_WEIGHTS, digits, strict=True):
        total += digit * np.uint16(weight)
    found[((last - np.uint8(48)) > 9) & (last != ord("X"))] = _MALFORMED
    found[(found == 0) & (_RESIDENT_CHECKS[total % 11] != last)] = NumberVerdict.CHECKSUM


def _life(found: ByteArray, full: ByteArray, today: DayArray) -> tuple[DayArray, IntArray]:
    """Birth and age in whole years on the day; what cannot be is marked in `found` where nothing was yet."""
    part = full[:8].astype(np.int32)
    year = part[0] * 1000 + part[1] * 100 + part[2] * 10 + part[3]
    month, day = part[4] * 10 + part[5], part[6] * 10 + part[7]
    month_start = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    born = month_start.astype("datetime64[D]") + (day - 1)
    real = (month >= 1) & (month <= 12) & (day >= 1) & (born.astype("datetime64[M]") == month_start)
    this_month = today.astype("datetime64[M]")
    months = this_month.astype(np.int64) - month_start.astype(np.int64)
    today_day = (today - this_month).astype(np.int64) + 1
    years = (months - (day > today_day)) // 12
    found[(found == 0) & ~real] = NumberVerdict.BIRTH_DATE
    found[(found == 0) & ~(born <= today)] = NumberVerdict.FUTURE_BIRTH
    found[(found == 0) & (years > OLDEST)] = NumberVerdict.IMPLAUSIBLE_AGE
    return born, years


def birth_year(number: str | None, at: datetime) -> int | None:
    """The year of birth in a valid resident number; None of any other."""
    found = resident_numbers([number], at.date())
    return (
        None if number is None or np.isnat(found.birth[0]) else int(found.birth[0].astype("datetime64[Y]").item().year)
    )


def permits(numbers: Texts) -> Numbers:
    """Travel permits to the mainland: Hong Kong and Macau (H or M and 8 digits, 10 on older cards), Taiwan (8 digits,
    or 10 and a letter on booklets). Their last digits are no check, so that only the form is looked at.
    """
    column = _Column.of(numbers)
    verdict = column.verdicts()
    verdict[column.matching(_PERMIT)] = NumberVerdict.VALID
    return Numbers(verdict, np.ones(len(verdict), np.bool_))


def credit_codes(codes: Texts) -> Numbers:
    """Unified social credit codes of organisations (GB 32100-2015, ISO 7064 MOD 31-3). known: the province."""
    column = _Column.of(codes)
    verdict, known = column.verdicts(), np.ones(len(column.length), np.bool_)
    rows = np.flatnonzero(column.length == 18)
    if len(rows) == 0:
        return Numbers(verdict, known)
    values = np.stack([_CREDIT_VALUES[column.at(rows, position)] for position in range(18)]).astype(np.int64)
    formed = (values < 31).all(axis=0) & (values[2:8] < 10).all(axis=0)
    weights = np.array([pow(3, position, 31) for position in range(17)])
    right = (weights @ values[:17] + values[17]) % 31 == 0
    found = np.where(formed, np.where(right, 0, int(NumberVerdict.CHECKSUM)), _MALFORMED)
    verdict[rows] = found
    known[rows] = _PROVINCE_KNOWN[np.minimum(values[2] * 10 + values[3], 255)] | (found != 0)
    return Numbers(verdict, known)


def bank_cards(numbers: Texts) -> Numbers:
    """Bank cards of 12 to 19 digits by the Luhn check (ISO/IEC 7812-1). known: the network at the head.

    Some cards of the years before the joint network (their numbers begin with 9) fail it and still work.
    """
    column = _Column.of(numbers)
    verdict, known = column.verdicts(), np.ones(len(column.length), np.bool_)
    rows = np.flatnonzero((column.length >= 12) & (column.length <= _LONGEST_CARD))
    total, digits_only = np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
    for position in range(_LONGEST_CARD):
        there = np.flatnonzero(column.length[rows] > position)
        digit = column.at(rows[there], -1 - position) - np.uint8(48)
        digits_only[there] &= digit <= 9
        value = digit.astype(np.int64) << (position & 1)
        total[there] += value - 9 * (value > 9)
    found = np.where(digits_only, np.where(total % 10 == 0, 0, int(NumberVerdict.CHECKSUM)), _MALFORMED)
    verdict[rows] = found
    if len(rows):
        known[rows] = _CARD_KNOWN[_head(column, rows, 2) & 255] | (found != 0)
    return Numbers(verdict, known)


def mobiles(numbers: Texts) -> Numbers:
    """Chinese mobile numbers: 11 digits, with or without 86, +86 or 0086 before them. known: the first three digits."""
    column = _Column.of(numbers)
    verdict, known = column.verdicts(), np.ones(len(column.length), np.bool_)
    rows = column.matching(_MOBILE)
    verdict[rows] = NumberVerdict.VALID
    if len(rows):
        known[rows] = _MOBILE_KNOWN[sum(_digit(column, rows, at) * 10 ** (-9 - at) for at in (-11, -10, -9))]
    return Numbers(verdict, known)


def _digit(column: _Column, rows: IntArray, position: int) -> IntArray:
    return column.at(rows, position).astype(np.int64) - 48


def _head(column: _Column, rows: IntArray, count: int) -> Any:
    """The number that the first digits form."""
    return sum(_digit(column, rows, at) * 10 ** (count - 1 - at) for at in range(count))
