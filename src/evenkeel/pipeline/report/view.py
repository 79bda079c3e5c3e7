"""What the makers of sections share: the loop, the language, and how codes become words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenkeel.kernel.text import Texts
from evenkeel.pipeline.loop import Loop
from evenkeel.pipeline.report.format import Format


@dataclass(frozen=True, slots=True)
class View:
    """One loop as seen in one language."""

    loop: Loop
    text: Texts
    form: Format

    @property
    def portfolio(self) -> Mapping[str, Any]:
        """portfolio.json."""
        return self.loop.portfolio

    def say(self, key: str, **values: object) -> str:
        """A text of the report."""
        return self.text(f"report.{key}", **values)

    @property
    def unit(self) -> str:
        """The currency of the amounts on the page, in words."""
        return self.form.currency_name or self.say("no_currency")

    def word(self, family: str, code: str) -> str:
        """What a code means as a phrase, without a full stop; a code of the book's own stands for itself."""
        key = code if code in self.text else f"{family}.{code}"
        return self.text(key).rstrip(".。") if key in self.text else code

    def listed(self, phrases: list[str]) -> str:
        """Phrases side by side."""
        return self.say("semicolon").join(phrases)

    def signed(self, points: float | None) -> str:
        """Points of a reason with their sign; nothing where a rule has none."""
        return "" if points is None else f"{points:+.1f}".replace("-", "−")

    def absence(self, *parts: str) -> str:
        """Why parts are missing: the entries of not_available that name them, in words."""
        found = [self.needs(need) for need in self.portfolio["not_available"] if need["part"] in parts]
        return self.say("absent.needs", needs=" ".join(found)) if found else self.say("absent.nothing")

    def needs(self, need: Mapping[str, str]) -> str:
        """What a missing part would need, in words; in the words of the run where the catalogue has none."""
        key = f"portfolio.needs.{need['part']}"
        return self.text(key) if key in self.text else need["needs"]
