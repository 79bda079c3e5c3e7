"""The balance by day as a chart: SVG text that stands alone, its scenarios told apart by dash as well as colour.

Like the report's charts it is drawn for a sheet 460 units wide, names itself for a screen reader, and says in writing
what its colours say. Every text in it is escaped; the rest is numbers.
"""

from __future__ import annotations

import math
from datetime import date
from html import escape

from evenkeel.kernel.calendar import month_day, month_of, month_text
from evenkeel.kernel.money import currency_exponent
from evenkeel.kernel.text import texts
from evenkeel.repayment.household.afford import Affordability, Scenario

WIDTH, HEIGHT = 460, 236
_TOP, _BASE, _RIGHT = 10, 200, 10
_ROW = 19  # of the key below
# Colours that differ for the colour-blind too (Okabe & Ito 2008), and the dash of each.
_STYLES = {
    "expected": ("#0072B2", ""),
    "low": ("#D55E00", ""),
    "job_loss": ("#000000", "2 3"),
    "seasonal_low": ("#009E73", "7 3"),
    "recovery": ("#CC79A7", "7 3 2 3"),
}


def chart(found: Affordability, language: str) -> str:
    """SVG of the balances by day of all scenarios, in a language. Amounts are whole major units."""
    say = texts(language)
    scale = 10 ** currency_exponent(found.currency)
    values = [value / scale for one in found.scenarios for value in one.balances]
    marks = _marks(min(values), max(values))
    names = [_amount(mark) for mark in marks]
    left = 7.5 * max(len(name) for name in names) + 8
    days = len(found.scenarios[0].balances) - 1

    def x(day: int) -> float:
        return left + (WIDTH - _RIGHT - left) * day / days

    def y(value: float) -> float:
        return _BASE - (_BASE - _TOP) * (value - marks[0]) / (marks[-1] - marks[0])

    parts = []
    for mark, name in zip(marks, names, strict=True):
        ink = "#444" if mark == 0 else "#ddd"
        parts.append(
            f'<line stroke="{ink}" x1="{left:.1f}" x2="{WIDTH - _RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
        )
        parts.append(f'<text x="{left - 5:.1f}" y="{y(mark) + 4:.1f}" text-anchor="end">{name}</text>')
    for day, name in _months(found.as_of, days):
        parts.append(f'<text x="{x(day):.1f}" y="{_BASE + 17}" text-anchor="middle">{name}</text>')
    for place, one in enumerate(found.scenarios):
        points = " ".join(f"{x(day):.1f},{y(value / scale):.1f}" for day, value in enumerate(one.balances))
        colour, dash = _STYLES[one.name]
        line = f'fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dash}"'
        parts.append(f'<polyline {line} points="{points}"/>')
        at = HEIGHT + place * _ROW
        parts.append(f'<line {line} x1="4" x2="34" y1="{at - 4}" y2="{at - 4}"/>')
        parts.append(f'<text x="42" y="{at}">{escape(_told(one, language))}</text>')
    height = HEIGHT + len(found.scenarios) * _ROW - 8
    title, description = escape(say("repay.afford.chart.title")), escape(say("repay.afford.chart.description"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" lang="{escape(language)}" '
        f'font-family="system-ui, sans-serif" font-size="12"><title>{title}</title><desc>{description}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _told(one: Scenario, language: str) -> str:
    """A scenario's name, and the day on which its money runs out."""
    say = texts(language)
    name = say(f"repay.afford.scenario.{one.name}")
    if one.out_on is None:
        return say("repay.afford.lasts", scenario=name)
    return say("repay.afford.runs_out", scenario=name, on=one.out_on.isoformat())


def _months(as_of: date, days: int) -> list[tuple[int, str]]:
    """(day, name) of every fourth month's first day, where its name has room."""
    first = month_of(as_of) + 1
    places = [((month_day(number, 1) - as_of).days, month_text(number)) for number in range(first, first + 25, 4)]
    return [(day, name) for day, name in places if 0.04 * days < day < 0.96 * days]


def _marks(low: float, high: float) -> list[float]:
    """Three to seven round values, 0 among them, that span low..high."""
    low, high = min(low, 0.0), max(high, 0.0)
    raw = max(high - low, 1.0) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [step * place for place in range(first, last + 1)]


def _amount(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−") if value == round(value) else f"{value:,.1f}".replace("-", "−")
