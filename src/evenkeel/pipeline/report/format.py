"""Numbers as a reader of one language writes them. Unknown is a dash, never a zero."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import currency_exponent, estimate_to_minor

UNKNOWN = "–"

_CURRENCIES_ZH = {"CNY": "元", "USD": "美元", "TWD": "新台币元", "CZK": "捷克克朗", "EUR": "欧元", "GBP": "英镑", "INR": "印度卢比"}
_STEPS = {
    "en": ((10**9, "billion"), (10**6, "million")),
    "zh": ((10**8, "亿"), (10**4, "万")),
}


@dataclass(frozen=True, slots=True)
class Format:
    """How counts, shares and amounts read in one language and currency."""

    language: str
    currency: str

    def count(self, number: int | str | None) -> str:
        """1,234; a class such as 5+ as it is."""
        if number is None:
            return UNKNOWN
        return number if isinstance(number, str) else f"{number:,}"

    def share(self, value: float | None, decimals: int = 1) -> str:
        """0.1234 as 12.3 %; what is there but would read as nothing is told as less than the last digit."""
        if value is None:
            return UNKNOWN
        least = 10.0 ** -(decimals + 2)
        if 0 < value < least / 2:
            return f"< {least:.{decimals}%}".replace("%", " %")
        return f"{value * 100:.{decimals}f} %"

    def number(self, value: float | None, decimals: int = 2) -> str:
        """1234.5 as 1,234.50."""
        return UNKNOWN if value is None else f"{value:,.{decimals}f}"

    def money(self, minor: float | None) -> str:
        """An amount in minor units, exact: 1,234.56 CNY."""
        return UNKNOWN if minor is None else self._with_unit(self._major(minor))

    def amount(self, minor: float | None) -> str:
        """An amount in minor units without its currency, for a column whose head names it."""
        return UNKNOWN if minor is None else self._major(minor)

    def short(self, minor: float | None) -> str:
        """A large amount to read at a glance: 12.3 million CNY, 1,234.5 万元."""
        if minor is None:
            return UNKNOWN
        major = minor / 10**self._exponent
        for size, name in _STEPS[self.language]:
            if abs(major) >= size:
                scaled = f"{major / size:,.1f}" if abs(major) >= 100 * size else f"{major / size:,.2f}"
                unit = name + self._unit if self.language == "zh" else f"{name} {self._unit}".rstrip()
                return f"{scaled} {unit}"
        return self._with_unit(f"{major:,.0f}")

    @property
    def currency_name(self) -> str:
        """The currency in words for the head of a column; empty where the book does not say."""
        return self._unit

    @property
    def _unit(self) -> str:
        if self.currency == "XXX":
            return ""
        return _CURRENCIES_ZH.get(self.currency, self.currency) if self.language == "zh" else self.currency

    @property
    def _exponent(self) -> int:
        try:
            return currency_exponent(self.currency)
        except InvalidInput:
            return 2

    def _major(self, minor: float) -> str:
        whole = minor if isinstance(minor, int) else estimate_to_minor(minor)
        sign = "-" if whole < 0 else ""
        units, rest = divmod(abs(whole), 10**self._exponent)
        return f"{sign}{units:,}" + (f".{rest:0{self._exponent}d}" if self._exponent else "")

    def _with_unit(self, text: str) -> str:
        return f"{text} {self._unit}".rstrip()
