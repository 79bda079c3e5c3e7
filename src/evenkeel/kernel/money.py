"""Exact money: integer minor units with a currency, and roundings that carry a name.

Algebra: Money + Money -> Money, Money - Money -> Money, Money * int -> Money, Money / Money -> Fraction.
A float never enters: `scaled` takes an exact ratio and a named rounding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from evenkeel.kernel.errors import InvalidInput

# ISO 4217 exponents that are not 2; every other currency has two decimals.
_EXPONENTS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0, "KRW": 0,
    "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0,
    "XOF": 0, "XPF": 0,
}  # fmt: skip

_CODE = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


class Rounding(Enum):
    """How a fraction of a minor unit becomes a whole one."""

    HALF_UP = "half_up"  # 0.5 away from zero: the convention of the schedules
    HALF_EVEN = "half_even"
    DOWN = "down"  # towards zero
    UP = "up"  # away from zero
    FLOOR = "floor"
    CEILING = "ceiling"


def currency_exponent(currency: str) -> int:
    """Decimals between the major and the minor unit of an ISO 4217 code.

    Raises InvalidInput if `currency` is not three capital letters.
    """
    if not _CODE.fullmatch(currency):
        raise InvalidInput(f"currency {currency!r} is not an ISO 4217 code.", "Use three capitals, such as CNY.")
    return _EXPONENTS.get(currency, 2)


def round_fraction(value: Fraction, rounding: Rounding) -> int:
    """`value` as a whole number under a named rounding."""
    whole, rest = divmod(abs(value.numerator), value.denominator)
    negative = value < 0
    twice = 2 * rest
    up = {
        Rounding.HALF_UP: twice >= value.denominator,
        Rounding.HALF_EVEN: twice > value.denominator or (twice == value.denominator and whole % 2 == 1),
        Rounding.DOWN: False,
        Rounding.UP: rest > 0,
        Rounding.FLOOR: negative and rest > 0,
        Rounding.CEILING: not negative and rest > 0,
    }[rounding]
    magnitude = whole + up
    return -magnitude if negative else magnitude


def allocate(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to whole weights so that the parts sum to it exactly.

    Largest remainder (Hamilton); ties go to the earlier part. All weights zero: an even split.
    Raises InvalidInput if there is no weight or one is negative.
    """
    if not weights or min(weights) < 0:
        raise InvalidInput("an amount is split over at least one weight, and weights are 0 or more.")
    if sum(weights) == 0:
        weights = [1] * len(weights)
    total = sum(weights)
    size = abs(amount_minor)
    parts = [size * weight // total for weight in weights]
    remainders = [size * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in order[: size - sum(parts)]:
        parts[i] += 1
    return [-part for part in parts] if amount_minor < 0 else parts


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount: `minor` whole minor units of `currency`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise InvalidInput(f"money is a whole number of minor units, not {self.minor!r}.")
        currency_exponent(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Exact money from major units written as text, such as "500.00".

        Raises InvalidInput on more decimals than the currency has, or anything but digits, sign and point.
        """
        exponent = currency_exponent(currency)
        if not _AMOUNT.fullmatch(text):
            raise InvalidInput(f"{text!r} is not an amount.", "Write it as 1234.56, without separators.")
        scaled = Fraction(Decimal(text)) * 10**exponent
        if scaled.denominator != 1:
            raise InvalidInput(f"{text!r} has more than {exponent} decimals, which {currency} does not have.")
        return cls(int(scaled), currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise InvalidInput(f"{self.currency} and {other.currency} cannot be added or compared.")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            raise InvalidInput(f"money is multiplied by whole numbers; use scaled() for {times!r}.")
        return Money(self.minor * times, self.currency)

    def __truediv__(self, other: Money) -> Fraction:
        self._same(other)
        if other.minor == 0:
            raise InvalidInput("money cannot be divided by nothing.")
        return Fraction(self.minor, other.minor)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def scaled(self, ratio: Fraction, rounding: Rounding) -> Money:
        """This amount times an exact ratio, rounded by name."""
        return Money(round_fraction(self.minor * ratio, rounding), self.currency)

    def split(self, weights: Sequence[int]) -> list[Money]:
        """Parts in proportion to `weights` that sum to this amount; see `allocate`."""
        return [Money(part, self.currency) for part in allocate(self.minor, weights)]

    def __str__(self) -> str:
        exponent = currency_exponent(self.currency)
        sign = "-" if self.minor < 0 else ""
        whole, rest = divmod(abs(self.minor), 10**exponent)
        return f"{sign}{whole:,}" + (f".{rest:0{exponent}d}" if exponent else "") + f" {self.currency}"


def estimate_to_minor(value: float, rounding: Rounding = Rounding.HALF_EVEN) -> int:
    """The one crossing from an estimate (float64, minor units) to exact money.

    Raises InvalidInput if the estimate is not finite.
    """
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidInput(f"an estimate of {value} cannot become money.")
    return round_fraction(Fraction(value), rounding)
