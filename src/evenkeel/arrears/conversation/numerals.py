"""Numbers as they are written and said: 1,200.50, 3.5k, 三千五, 一万二, two hundred and fifty, a grand.

Everything is exact. What can be read in two ways (1.200, 1,20) is no number.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_HAN_DIGITS = {
    "零": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "俩": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "壹": 1,
    "贰": 2,
    "叁": 3,
    "肆": 4,
    "伍": 5,
    "陆": 6,
    "柒": 7,
    "捌": 8,
    "玖": 9,
}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
HAN_NUMBER = "[零一二两俩三四五六七八九十百千万壹贰叁肆伍陆柒捌玖拾佰仟]+"
_BELOW_TWENTY = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_SMALL = {word: number for number, word in enumerate(_BELOW_TWENTY.split())}
_TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * number for number, word in enumerate(_TENS_NAMES.split(), 2)}
_LARGE = {"hundred": 100, "thousand": 1000, "grand": 1000}
_WORDS = sorted([*_SMALL, *_TENS, *_LARGE], key=len, reverse=True)
WORD_NUMBER = rf"(?:a |an |one )?(?:{'|'.join(_WORDS)})(?:[ -](?:and |a )?(?:{'|'.join(_WORDS)}))*"
DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"


def han_whole(text: str) -> int | None:
    """A whole number in Chinese characters; None where it is none.

    A last digit after a unit is of the next lower unit: 三千五 is 3500, 一万二 is 12000; 三千零五 is 3005.
    """
    if not text:
        return None
    if "万" in text:
        high, _, low = text.partition("万")
        above = han_whole(high)
        if above is None or not 0 < above < 10_000:
            return None
        if len(low) == 1 and low in _HAN_DIGITS and low != "零":
            return above * 10_000 + _HAN_DIGITS[low] * 1000
        below = han_whole(low) if low else 0
        return None if below is None or below >= 10_000 else above * 10_000 + below
    if all(one in _HAN_DIGITS for one in text):
        return int("".join(str(_HAN_DIGITS[one]) for one in text))
    return _below_ten_thousand(text)


def _below_ten_thousand(text: str) -> int | None:
    total, digit, last, zero = 0, -1, 10_000, False
    for one in text:
        if one in _HAN_UNITS:
            unit = _HAN_UNITS[one]
            if unit >= last or (digit < 0 and unit != 10) or digit == 0:
                return None
            total, digit, last, zero = total + max(digit, 1) * unit, -1, unit, False
        elif one in _HAN_DIGITS:
            if digit > 0 or (digit == 0 and one == "零"):
                return None
            zero = zero or one == "零"
            digit = -1 if one == "零" else _HAN_DIGITS[one]
        else:
            return None
    if digit > 0:
        total += digit * (last // 10 if last > 10 and not zero else 1)
    return total


def word_whole(text: str) -> int | None:
    """A whole number in English words; None where it is none."""
    total, current, said = 0, 0, False
    for word in re.split(r"[ -]+", text):
        if word in ("a", "an", "and"):
            continue
        said = True
        if word in _SMALL:
            current += _SMALL[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _LARGE:
            total, current = total + max(current, 1) * 1000, 0
        else:
            return None
    return total + current if said else None


def plain_number(text: str) -> Decimal | None:
    """A number in digits, commas between thousands, at most two decimals; None where it is none or may be two."""
    if not re.fullmatch(DIGITS, text) or len(text) > 20:
        return None
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    decimals = text.partition(".")[2]
    return None if len(decimals) > 2 else number


def day_number(text: str) -> int | None:
    """A number of one or two digits, in digits or characters: of a day, a month, a count of days."""
    if re.fullmatch(r"[0-9]{1,3}", text):
        return int(text)
    return han_whole(text)
