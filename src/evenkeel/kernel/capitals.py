"""Amounts in Chinese capitals (大写金额), as contracts, bills and letters write them beside the figures.

The rules are those of the annex to the PBoC's Measures for Payment and Settlement (银发〔1997〕393号; from memory, not
read at the source). Where they leave a choice, one form is always written:

- a 0 between digits is 零, several in a row are one 零; zeros at the end of 万 or 亿 are not read
- 整 ends an amount without 分; after 分 there is none
- after 元, a missing 角 before 分 is 零; a 0 before 元 or 万 itself needs none (壹仟陆佰捌拾元叁角贰分)
"""

from __future__ import annotations

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import currency_exponent

MOST_MINOR = 10**16 - 1

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_PARTS = ("角", "分", "厘")  # below 元, as many as the currency has decimals
_NAMES = {"CNY": "人民币", "EUR": "欧元", "GBP": "英镑", "HKD": "港币", "JPY": "日元", "TWD": "新台币", "USD": "美元"}


def capitals(amount_minor: int, currency: str) -> str:
    """An amount in capitals, its currency's name first: 人民币壹仟贰佰元整.

    A currency whose Chinese name is not known here is named by its code. Raises InvalidInput below 0, above
    MOST_MINOR, or where `currency` is not three capital letters.

    >>> capitals(1_640_902, "CNY")
    '人民币壹万陆仟肆佰零玖元零贰分'
    >>> capitals(50, "CNY")
    '人民币伍角整'
    """
    if type(amount_minor) is not int or not 0 <= amount_minor <= MOST_MINOR:
        raise InvalidInput(f"{amount_minor!r} minor units cannot be written in capitals; 0 to {MOST_MINOR} can.")
    exponent = currency_exponent(currency)
    whole, rest = divmod(amount_minor, 10**exponent)
    text = _whole(whole) + "元" if whole or not rest else ""
    skipped = False
    for place, digit in enumerate(f"{rest:0{exponent}d}" if rest else ""):
        if digit == "0":
            skipped = True
            continue
        text += ("零" if skipped and text else "") + _DIGITS[int(digit)] + _PARTS[place]
        skipped = False
    return _NAMES.get(currency, currency) + text + ("" if text[-1] in _PARTS[1:] else "整")


def _whole(number: int) -> str:
    """A whole number: 亿 and 万 split it, and each part is read as a number of its own."""
    for size, unit in ((10**8, "亿"), (10**4, "万")):
        if number >= size:
            high, low = divmod(number, size)
            gap = "零" if 0 < low < size // 10 else ""
            return _whole(high) + unit + gap + (_whole(low) if low else "")
    text, skipped = "", False
    for place, digit in enumerate(f"{number:04d}"):
        if digit == "0":
            skipped = bool(text)
            continue
        text += ("零" if skipped else "") + _DIGITS[int(digit)] + _PLACES[3 - place]
        skipped = False
    return text or "零"
