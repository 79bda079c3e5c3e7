"""Amounts that a text names: 500块, 三千五, 3.5k, 两万, 1,200.50, fifty quid; and shares: 一半, half, 1/2, in full.

Exact, in minor units. What is negative, nothing, beyond what a household owes, a range, or what counts or names
something else (days, instalments, an account) is no amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from evenkeel.arrears.conversation.numerals import DIGITS, HAN_NUMBER, WORD_NUMBER, han_whole, plain_number, word_whole
from evenkeel.kernel.money import currency_exponent

MOST = Decimal(10_000_000)  # major units
_CURRENCIES = {
    "$": "USD",
    "us$": "USD",
    "usd": "USD",
    "dollars": "USD",
    "dollar": "USD",
    "bucks": "USD",
    "buck": "USD",
    "美元": "USD",
    "美金": "USD",
    "刀": "USD",
    "£": "GBP",
    "gbp": "GBP",
    "quid": "GBP",
    "pounds": "GBP",
    "pound": "GBP",
    "英镑": "GBP",
    "€": "EUR",
    "eur": "EUR",
    "euros": "EUR",
    "euro": "EUR",
    "欧元": "EUR",
    "₹": "INR",
    "rs": "INR",
    "rs.": "INR",
    "inr": "INR",
    "rupees": "INR",
    "rupee": "INR",
    "¥": "CNY",
    "rmb": "CNY",
    "cny": "CNY",
    "yuan": "CNY",
    "块钱": "CNY",
    "块": "CNY",
    "元": "CNY",
    "圆": "CNY",
    "人民币": "CNY",
    "kuai": "CNY",
    "大洋": "CNY",
    "hk$": "HKD",
    "hkd": "HKD",
    "港币": "HKD",
    "港元": "HKD",
    "蚊": "",
    "文": "",
}
_BEFORE = r"us\$|hk\$|\$|£|€|₹|¥|rs\.?|inr|usd|gbp|eur|rmb|cny|人民币"
_AFTER = (
    r"dollars?|bucks?|usd|quid|pounds?|gbp|euros?|eur|rupees?|inr|yuan|rmb|cny|hkd|"
    r"kuai|块钱|块|元(?!旦)|圆|美元|美金|刀|英镑|欧元|港币|港元|蚊|人民币|大洋"
)
_TIMES = {"k": 1000, "w": 10_000, "百": 100, "千": 1000, "万": 10_000, "grand": 1000, "thousand": 1000, "hundred": 100}
_NUMBER = re.compile(
    rf"(?P<sign>[-−负]\s?)?(?:(?P<before>{_BEFORE})\s?)?(?:(?P<digits>{DIGITS})\s?(?P<times>k|w|百|千|万|grand|thousand|hundred)?"
    rf"|(?P<han>{HAN_NUMBER})|\b(?P<word>{WORD_NUMBER})\b)(?P<about>多|来|几|余|出头|\+)?\s?(?:(?P<after>{_AFTER})(?P<tenth>[一二两三四五六七八九])?(?![a-z一二三四五六七八九]))?"
)
_NOT_MONEY = re.compile(
    r"\s?(?:[天日号月年点期次遍%个岁折周人位分秒家笔张级楼]|[个]月|星期|礼拜|小时|分钟|days?\b|weeks?\b|months?\b|years?\b|yrs?\b|am\b|pm\b|times?\b|percent|st\b|nd\b|"
    r"rd\b|th\b|hours?\b|min|o'clock|instal|payments?\b|kids\b|children\b|people\b|"
    r"loans?\b|cards?\b|jobs?\b|calls?\b|texts?\b|accounts?\b|of us|/[0-9]|:[0-9]|"
    r",[0-9]|\.[0-9])"
)
_NAMES_SOMETHING = re.compile(
    r"(?:尾号|账号|卡号|电话|手机|单号|号码|ending(?: in)?|account|acct|"
    r"card|ref(?:erence)?|number|no\.|#|room|第|/|:|[0-9][.,])\s?$"
)
_LONG_NUMBER = re.compile(r"(?<![0-9.,])(?:[0-9]{3,4}[ -]){2,}[0-9]{3,4}(?![0-9.,])")  # of a phone, a card
_RANGE = re.compile(r"\s?(?:[-~–—到至]|to\b|or\b|或者?)\s?(?:[$£€¥]\s?)?(?:[0-9]|[一二两三四五六七八九十百千万])")
_SHARES: tuple[tuple[str, Fraction], ...] = (
    (r"三分之一|(?<![0-9/])1/3(?![0-9/])|\b(?:a|one) third\b", Fraction(1, 3)),
    (r"三分之二|(?<![0-9/])2/3(?![0-9/])|\btwo thirds\b", Fraction(2, 3)),
    (r"四分之一|(?<![0-9/])1/4(?![0-9/])|\b(?:a|one) quarter\b", Fraction(1, 4)),
    (r"四分之三|(?<![0-9/])3/4(?![0-9/])|\bthree quarters\b", Fraction(3, 4)),
    (
        r"一半|一半儿|半数|二分之一|(?<![0-9/])1/2(?![0-9/])|1⁄2|"
        r"(?<![0-9])50 ?%|\bhalf\b(?! (?:an? )?(?:hour|day|past|pay))",
        Fraction(1, 2),
    ),
    (
        r"全部|全额|全都还|都还了?你|还清|结清|一次性还|全还|\bin full\b|\bfull (?:amount|balance|"
        r"payment)\b|\ball of it\b|\bwhole (?:lot|thing|amount|balance)\b|\bthe lot\b|\beverything\b|"
        r"\bpay it all\b|\bclear (?:it|the balance|my (?:account|balance|debt))\b|(?<![0-9])100 ?%|\bfull\b$",
        Fraction(1),
    ),
)
_COMPILED_SHARES = [(re.compile(pattern), share) for pattern, share in _SHARES]


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount named in a text: its place. currency: an ISO code, None where none is said. about: not exactly."""

    start: int
    end: int
    minor: int
    currency: str | None
    about: bool


def find_amounts(plain: str, taken: Iterable[tuple[int, int]], currency: str | None = None) -> list[Amount]:
    """The amounts named in a folded text, in its order. taken: places that are days. currency: where none is said."""
    return list(_amounts(_without(plain, taken), currency))


def _without(plain: str, taken: Iterable[tuple[int, int]]) -> str:
    letters = list(plain)
    for start, end in taken:
        letters[start:end] = "\x00" * (end - start)
    left = _LONG_NUMBER.sub(lambda found: "\x00" * len(found[0]), "".join(letters))
    for pattern, _ in _COMPILED_SHARES:
        left = pattern.sub(lambda found: "\x00" * len(found[0]), left)
    return left


def _amounts(left: str, currency: str | None) -> Iterator[Amount]:
    ranged = -1
    for found in _NUMBER.finditer(left):
        start, end = found.span()
        rest = left[end:]
        if _RANGE.match(rest):
            ranged = end + 12  # both ends of a range
            continue
        if start < ranged or _NAMES_SOMETHING.search(left[:start]) or (not found["after"] and _NOT_MONEY.match(rest)):
            continue
        if (value := _value(found, left)) is None or not 0 < value <= MOST:
            continue
        unit = found["before"] or found["after"]
        said = (_CURRENCIES[unit] if unit else "") or currency
        exponent = currency_exponent(said) if said else 2
        minor = value * 10**exponent
        if minor == int(minor):
            about = found["about"] is not None or bool(re.match(r"\s?(?:左右|上下|or so|ish)", rest))
            yield Amount(start, end, int(minor), said, about or _is_about(left[:start]))


def _is_about(before: str) -> bool:
    return (
        re.search(r"(?:大概|差不多|大约|about|around|roughly|maybe|approximately|like|up to|最多|至多)\s?$", before)
        is not None
    )


def _value(found: re.Match[str], left: str) -> Decimal | None:
    """The number in major units; None where it is negative, bare and too small or too long to be an amount."""
    if found["sign"] or (found.start() and left[found.start() - 1] in "-−"):
        return None
    money = bool(found["before"] or found["after"])
    if found["digits"]:
        number = plain_number(found["digits"])
        if number is None or (not money and not found["times"] and not 10 <= number < 10**8):
            return None
        number *= _TIMES.get(found["times"] or "", 1)
    else:
        whole = han_whole(found["han"]) if found["han"] else word_whole(found["word"])
        bare = found["han"] is not None and not re.search("[百千万佰仟]", found["han"])
        if whole is None or (not money and (bare or whole < 10)):
            return None
        number = Decimal(whole)
    if found["tenth"]:
        number += Decimal(han_whole(found["tenth"]) or 0) / 10
    return number


def find_share(plain: str) -> Fraction | None:
    """The share of what is owed that a text names; None where it names none, or two."""
    found = {share for pattern, share in _COMPILED_SHARES if pattern.search(plain)}
    return found.pop() if len(found) == 1 else None
