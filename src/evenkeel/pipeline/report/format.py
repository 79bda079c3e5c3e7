"""Numbers as a reader of one language writes them. Unknown is a dash, never a zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import currency_exponent, estimate_to_minor

UNKNOWN = "–"

_CURRENCIES_ZH = {
    "CNY": "元", "USD": "美元", "TWD": "新台币元", "CZK": "捷克克朗", "EUR": "欧元", "GBP": "英镑", "INR": "印度卢比",
}  # fmt: skip
_STEPS = {
    "en": ((10**9, "billion"), (10**6, "million")),
    "zh": ((10**8, "亿"), (10**4, "万")),
}


@dataclass(frozen=True, slots=True)
class Format:
    """How counts, shares and amounts read in one language and currency. A number and its unit stay on one line."""

    language: str
    currency: str

    def count(self, number: int | str | None) -> str:
        """1,234; a class such as 5+ as it is."""
        if number is None:
            return UNKNOWN
        return number if isinstance(number, str) else _minus(f"{number:,}")

    def share(self, value: float | None, decimals: int = 1, signed: bool = False) -> str:
        """0.1234 as 12.3 %; what is there but would read as nothing is told as less than the last digit."""
        if value is None:
            return UNKNOWN
        least = 10.0 ** -(decimals + 2)
        if 0 < value < least / 2 and not signed:
            return f"<\u00a0{least * 100:.{decimals}f}\u00a0%"
        return _minus(f"{value * 100:{'+' if signed else ''}.{decimals}f}\u00a0%")

    def number(self, value: float | None, decimals: int = 2) -> str:
        """1234.5 as 1,234.50."""
        return UNKNOWN if value is None else _minus(f"{value:,.{decimals}f}")

    def money(self, minor: float | None) -> str:
        """An amount in minor units, exact: 1,234.56 CNY."""
        return UNKNOWN if minor is None else _joined(self._major(minor), self.currency_name)

    def amount(self, minor: float | None) -> str:
        """An amount in minor units without its currency, for a column whose head names it."""
        return UNKNOWN if minor is None else self._major(minor)

    def whole(self, minor: float) -> str:
        """An amount in minor units to the nearest whole unit of its currency, without its name: 1,235."""
        return self.number(minor / 10**self._exponent, 0)

    def short(self, minor: float | None) -> str:
        """A large amount to read at a glance: 12.3 million CNY, 1,234.5 万元."""
        if minor is None:
            return UNKNOWN
        size, unit = self.scale(abs(minor))
        return _joined(self._scaled(minor, size), unit)

    def range(self, part: Mapping[str, float] | None, signed: bool = False) -> str:
        """base (low to high) of an amount in minor units, the unit told once."""
        if part is None:
            return UNKNOWN
        size, unit = self.scale(max(abs(value) for value in part.values()))
        base, low, high = (self._scaled(part[name], size, signed) for name in ("base", "low", "high"))
        return _joined(self._span(base, low, high), unit)

    def share_range(self, part: Mapping[str, float] | None, signed: bool = False) -> str:
        """base (low to high) of a share."""
        if part is None:
            return UNKNOWN
        return self._span(*(self.share(part[name], 2, signed) for name in ("base", "low", "high")))

    def scale(self, largest_minor: float) -> tuple[float, str]:
        """Minor units in the unit in which an amount is best read, and the unit's name."""
        whole = 10.0**self._exponent
        for size, name in _STEPS[self.language]:
            if largest_minor >= size * whole:
                between = "" if self.language == "zh" or not self.currency_name else " "
                return size * whole, f"{name}{between}{self.currency_name}"
        return whole, self.currency_name

    @property
    def currency_name(self) -> str:
        """The currency in words; empty where the book does not say."""
        if self.currency == "XXX":
            return ""
        return _CURRENCIES_ZH.get(self.currency, self.currency) if self.language == "zh" else self.currency

    @property
    def _exponent(self) -> int:
        try:
            return currency_exponent(self.currency)
        except InvalidInput:
            return 2

    def _scaled(self, minor: float, size: float, signed: bool = False) -> str:
        value = minor / size
        decimals = 0 if size == 10.0**self._exponent else 1 if abs(value) >= 100 else 2
        return _minus(f"{value:{'+' if signed and round(value, decimals) else ''},.{decimals}f}")

    def _span(self, base: str, low: str, high: str) -> str:
        return f"{base}（{low} 至 {high}）" if self.language == "zh" else f"{base} ({low} to {high})"

    def _major(self, minor: float) -> str:
        whole = minor if isinstance(minor, int) else estimate_to_minor(minor)
        units, rest = divmod(abs(whole), 10**self._exponent)
        text = f"{units:,}" + (f".{rest:0{self._exponent}d}" if self._exponent else "")
        return f"−{text}" if whole < 0 else text


def _joined(text: str, unit: str) -> str:
    return f"{text}\u00a0{unit.replace(' ', chr(0xA0))}" if unit else text


def _minus(text: str) -> str:
    """A minus sign instead of a hyphen; none before a zero."""
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        text = text[1:]
    return text.replace("-", "−")
