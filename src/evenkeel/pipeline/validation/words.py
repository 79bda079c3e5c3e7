"""How the validation report says figures, bins and groups in one language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.kernel.text import Texts
from evenkeel.measures.discrimination import Difference, Estimate
from evenkeel.pipeline.report.format import UNKNOWN, Format
from evenkeel.scoring.bintext import WORDS, plain_number, range_text
from evenkeel.scoring.validation import FORMER, Label

_SHOWN = 18  # letters of a level in a chart


@dataclass(frozen=True, slots=True)
class Words:
    """One language of the page."""

    text: Texts
    form: Format

    def say(self, key: str, **values: object) -> str:
        """A text of the validation report."""
        return self.text(f"validation.{key}", **values)

    def figure(self, estimate: Estimate | Difference, decimals: int = 3) -> str:
        """A figure with its interval."""
        if not math.isfinite(estimate.value):
            return UNKNOWN
        parts = (self.number(value, decimals) for value in (estimate.value, estimate.low, estimate.high))
        return self.say("span", **dict(zip(("value", "low", "high"), parts, strict=True)))

    def share(self, estimate: Estimate | Difference, decimals: int = 1) -> str:
        """A share with its interval."""
        if not math.isfinite(estimate.value):
            return UNKNOWN
        parts = (self.form.share(value, decimals) for value in (estimate.value, estimate.low, estimate.high))
        return self.say("span", **dict(zip(("value", "low", "high"), parts, strict=True)))

    def number(self, value: float | None, decimals: int = 3) -> str:
        """A number; a dash where there is none."""
        return self.form.number(None if value is None or not math.isfinite(value) else value, decimals)

    def points(self, value: float) -> str:
        """Points with their sign."""
        return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"

    def p_value(self, value: float) -> str:
        """A p-value with its sign of relation."""
        return "<\u00a00.0001" if value < 0.0001 else f"=\u00a0{value:.4f}"

    def rival(self, name: str) -> str:
        """The name of another model."""
        return self.say("former") if name == FORMER else name

    # --- bins ---------------------------------------------------------------------------------------------------------

    def label(self, label: Label) -> str:
        """What a code stands for; a level stands for itself."""
        names = WORDS[self.text.language]
        if label.kind == "bin":
            return self._range(label.low, label.high)
        return label.text if label.kind == "level" else (
            f"{names['code']}\u00a0{plain_number(label.low)}" if label.kind == "code" else names[label.kind]
        )  # fmt: skip

    def joined(self, members: Sequence[Label]) -> str:
        """Codes put together: neighbouring bins as one range, then whatever else."""
        bins = [label for label in members if label.kind == "bin"]
        names = [self.label(label) for label in members if label.kind != "bin"]
        if bins:
            names.insert(0, self._range(bins[0].low, bins[-1].high))
        shown = names[0]
        for name in names[1:3]:
            shown = self.say("bin.and", one=shown, other=name)
        return f"{shown} …" if len(names) > 3 else shown

    def short(self, members: Sequence[Label]) -> str:
        """`joined` in little room: `3+` is from 3 up to where the next one begins."""
        bins = [label for label in members if label.kind == "bin"]
        if bins:
            low, high = bins[0].low, bins[-1].high
            name = f"{_minus(plain_number(brief(low)))}+" if math.isfinite(low) else self._range(low, high)
            return name if len(bins) == len(members) else f"{name} …"
        name = self.label(members[0])
        if len(name) > _SHOWN:
            return f"{name[: _SHOWN - 1]}…"
        return name if len(members) == 1 else f"{name} …"

    def _range(self, low: float, high: float) -> str:
        text = range_text(brief(low), brief(high), self.text.language).replace(" ", "\u00a0")
        return _minus(text.replace(">=", "≥").replace("<=", "≤"))


def brief(bound: float) -> float:
    """A bound to four digits at least, all of them before the point; one just above a shorter number as it is."""
    shorter = len(plain_number(math.nextafter(bound, -math.inf))) < len(plain_number(bound))
    if not math.isfinite(bound) or shorter:
        return bound
    return float(round(bound)) if 1000 <= abs(bound) < 1e10 else float(f"{bound:.4g}")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212") if "e-" not in text else text
