"""Charts as SVG in the page: each scales to its box, names itself for a screen reader, and takes its colours from CSS.

Drawn on a sheet 460 units wide, so that text stays legible at the width of a phone. A colour never stands alone: what
it says is written beside it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 460
_SIZE = 13  # of text, in units
_FLAT = 1e-12  # values closer together than this are drawn as one
Label = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Name:
    """What a chart is called and what it shows; `id` is unique on the page."""

    id: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its length, the number written at its end, and its colour class."""

    label: str
    value: float
    text: str
    tone: str = "c1"


@dataclass(frozen=True, slots=True)
class Series:
    """A line over places 0..n-1; None breaks it. low and high draw a band around it."""

    label: str
    values: Sequence[float | None]
    tone: str = "c1"
    strength: float = 1.0
    dashed: bool = False
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points of the unit square."""

    label: str
    across: Sequence[float]
    up: Sequence[float]
    tone: str = "c1"
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of a forest: a figure with its interval, what is written at its end, and a share drawn as a pale bar."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    share: float | None = None
    tone: str = "c1"


@dataclass(frozen=True, slots=True)
class Dot:
    """A group of a calibration plot: predicted and observed shares, the latter with its interval."""

    predicted: float
    observed: float
    low: float
    high: float


def text_width(text: str, size: float = _SIZE) -> float:
    """Width of a text in a system font, near enough to place things by: wide characters are one em, others half."""
    return size * sum(1.0 if ord(letter) > 0x2E7F else 0.9 if letter in "MW%m" else 0.6 for letter in text)


def bars(name: Name, rows: Sequence[Bar]) -> Markup:
    """Bars that lie, label before the bar where labels are short, above it where they are long."""
    longest = max((text_width(row.label) for row in rows), default=0)
    above = longest > 130
    left = 0.0 if above else longest + 10
    right = max((text_width(row.text) for row in rows), default=0) + 10
    top = max((row.value for row in rows), default=0) or 1
    step, thick = (42, 16) if above else (26, 18)
    parts = []
    for place, row in enumerate(rows):
        y = place * step + (20 if above else 4)
        length = max((WIDTH - left - right) * row.value / top, 1 if row.value > 0 else 0)
        parts.append(
            _text(0 if above else left - 10, y - 5 if above else y + 13, row.label, "start" if above else "end")
        )
        parts.append(f'<rect class="{row.tone}" x="{left:.1f}" y="{y}" width="{length:.1f}" height="{thick}" rx="2"/>')
        parts.append(_text(left + length + 6, y + 13, row.text, kind="v"))
    return _svg(name, len(rows) * step + 6, parts)


def waterfall(name: Name, rows: Sequence[Bar], totals: frozenset[int]) -> Markup:
    """Lying bars that go on where the one before ended; a row in `totals` starts from nothing again.

    value: what the row adds (or the level itself for a total); a negative one goes left.
    """
    left = min(max(text_width(row.label) for row in rows) + 10, 190.0)
    room = max(text_width(row.text) for row in rows) + 8
    spans, level = [], 0.0
    for place, row in enumerate(rows):
        start = 0.0 if place in totals else level
        level = row.value if place in totals else level + row.value
        spans.append((min(start, level), max(start, level)))
    low, high = min(0.0, *(a for a, _ in spans)), max(0.0, *(b for _, b in spans))
    scale = (WIDTH - left - room) / ((high - low) or 1)

    def x(value: float) -> float:
        return left + (value - low) * scale

    parts = [f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{len(rows) * 30}"/>']
    for place, (row, (start, end)) in enumerate(zip(rows, spans, strict=True)):
        y = place * 30 + 5
        parts.append(_text(left - 10, y + 14, row.label, "end"))
        width = max((end - start) * scale, 1)
        parts.append(f'<rect class="{row.tone}" x="{x(start):.1f}" y="{y}" width="{width:.1f}" height="20" rx="2"/>')
        parts.append(_text(x(end) + 6, y + 14, row.text, kind="v"))
    return _svg(name, len(rows) * 30 + 4, parts)


def columns(name: Name, rows: Sequence[Bar], axis: str) -> Markup:
    """Standing bars over short labels, for counts by a number; `axis` says what the labels count."""
    width = WIDTH / max(len(rows), 1)
    top = max((row.value for row in rows), default=0) or 1
    small = 11 if len(rows) > 9 else _SIZE
    parts = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="150" y2="150"/>']
    for place, row in enumerate(rows):
        height = max(120 * row.value / top, 1 if row.value > 0 else 0)
        x, middle = place * width + width * 0.15, (place + 0.5) * width
        parts.append(
            f'<rect class="{row.tone}" x="{x:.1f}" y="{150 - height:.1f}" width="{width * 0.7:.1f}" '
            f'height="{height:.1f}" rx="2"/>'
        )
        parts.append(_text(middle, 145 - height, row.text, "middle", "v", small))
        parts.append(_text(middle, 167, row.label, "middle"))
    parts.append(_text(WIDTH / 2, 189, axis, "middle", "m"))
    return _svg(name, 196, parts)


def heatmap(
    name: Name, states: Sequence[str], shares: Sequence[Sequence[float | None]], axes: tuple[str, str]
) -> Markup:
    """A matrix of shares: darker is more, and the share stands in each cell in percent. axes: of columns, of rows."""
    left, head, high = 44, 40, 27
    wide = (WIDTH - left) / len(states)
    parts = [_text(left, 12, axes[0], kind="m"), _text(0, 33, axes[1], kind="m")]
    for place, state in enumerate(states):
        parts.append(_text(left + (place + 0.5) * wide, 33, state, "middle", "v"))
        parts.append(_text(left - 10, head + place * high + 18, state, "end", "v"))
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            x, y = left + column * wide, head + row * high
            ink = 0.0 if share is None else math.sqrt(share) * 0.95
            parts.append(
                f'<rect class="cell" x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{high - 2}" rx="2"/>'
            )
            if ink > 0:
                parts.append(
                    f'<rect class="heat" fill-opacity="{ink:.3f}" x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" '
                    f'height="{high - 2}" rx="2"/>'
                )
            kind = "on" if ink > 0.55 else "v"
            parts.append(_text(x + wide / 2, y + 18, _cell(share), "middle", kind, 12))
    return _svg(name, head + high * len(states) + 2, parts)


def _cell(share: float | None) -> str:
    if share is None:
        return "–"
    if share == 0:
        return "·"
    return "<0.1" if share < 0.0005 else f"{share * 100:.1f}" if share < 0.9995 else f"{share * 100:.0f}"


def curves(
    name: Name,
    series: Sequence[Series],
    ticks: Sequence[tuple[int, str]],
    label: Label,
    axis: str,
    base_value: float = 0.0,
) -> Markup:
    """Lines over one axis of whole places. ticks: (place, label) below; label: how a value is written at the left.

    base_value: always on the axis; what the figures are counted from.
    """
    known = [v for one in series for values in (one.values, one.low, one.high) for v in values if v is not None]
    marks = nice_ticks(min(base_value, *known), max(base_value, *known)) if known else [0.0, 1.0]
    low, high, last = marks[0], marks[-1], max(max((len(one.values) for one in series), default=2) - 1, 1)
    names = [label(mark) for mark in marks]
    key = _legend(series) if any(one.low for one in series) or 1 < len(series) <= 3 else []
    head = 12.0 + 22 * (key[-1][1] + 1 if key else 0)
    left, base, right = max(map(text_width, names)) + 8, head + 178, WIDTH - 14.0

    def x(place: float) -> float:
        return left + (right - left) * place / last

    def y(value: float) -> float:
        return base - (base - head) * (value - low) / (high - low)

    parts = [_key(one, across, row) for one, (across, row) in zip(series, key, strict=False)]
    for mark, text in zip(marks, names, strict=True):
        kind = "axis" if mark == base_value else "grid"
        parts.append(f'<line class="{kind}" x1="{left:.1f}" x2="{right:.1f}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(_text(left - 6, y(mark) + 4, text, "end"))
    for place, text in ticks:
        half = text_width(text) / 2
        parts.append(_text(min(max(x(place), half), WIDTH - half), base + 18, text, "middle"))
    parts.append(_text((left + right) / 2, base + 38, axis, "middle", "m"))
    for one in series:
        if one.low:
            parts.append(_band(one, x, y))
        dash = ' stroke-dasharray="5 4"' if one.dashed else ""
        parts += [
            f'<polyline class="line {one.tone}" stroke-opacity="{one.strength:.2f}"{dash} points="{run}"/>'
            for run in _runs(one.values, x, y)
        ]
    return _svg(name, base + (44 if axis else 24), parts)


def _legend(series: Sequence[Series]) -> list[tuple[float, int]]:
    """Where each name of a line stands: distance from the left, and row."""
    places: list[tuple[float, int]] = []
    across, row = 0.0, 0
    for one in series:
        width = 34 + text_width(one.label) + 18
        if places and across + width - 18 > WIDTH:
            across, row = 0.0, row + 1
        places.append((across, row))
        across += width
    return places


def _key(one: Series, across: float, row: int) -> str:
    y = 9 + 22 * row
    dash = ' stroke-dasharray="5 4"' if one.dashed else ""
    line = f'<line class="line {one.tone}"{dash} x1="{across + 2:.1f}" x2="{across + 26:.1f}" y1="{y}" y2="{y}"/>'
    return line + _text(across + 34, y + 4.5, one.label, kind="v")


def _band(one: Series, x: Label | Callable[[float], float], y: Callable[[float], float]) -> str:
    pairs = [
        (p, a, b) for p, (a, b) in enumerate(zip(one.low, one.high, strict=True)) if a is not None and b is not None
    ]
    there = [f"{x(place):.1f},{y(high):.1f}" for place, _, high in pairs]
    back = [f"{x(place):.1f},{y(low):.1f}" for place, low, _ in reversed(pairs)]
    return f'<polygon class="band {one.tone}" points="{" ".join(there + back)}"/>'


def _runs(values: Sequence[float | None], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """Points of each unbroken stretch; a lone value becomes a short dash so that it is seen."""
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x(place):.1f},{y(value):.1f}")
    return [" ".join(run if len(run) > 1 else [run[0], run[0]]) for run in runs if run]


def calibration(name: Name, dots: Sequence[Dot], label: Label, axes: tuple[str, str]) -> Markup:
    """Observed against predicted shares with their intervals; on the diagonal both agree. Axes are square roots, so
    that small shares can be told apart. axes: of what is predicted (below), of what is observed (above the left)."""
    most = max(max(dot.predicted, dot.high) for dot in dots)
    steps = [0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]
    top = next((step for step in steps if step >= most and step > 0), 1.0)
    marks = [step for step in steps if step <= top]
    while len(marks) > 2 and math.sqrt(marks[1] / top) < 0.09:
        del marks[1]
    left, head, base, right = max(text_width(label(mark)) for mark in marks) + 10, 26.0, 300.0, WIDTH - 24.0

    def x(value: float) -> float:
        return left + (right - left) * math.sqrt(value / top)

    def y(value: float) -> float:
        return base - (base - head) * math.sqrt(value / top)

    parts = [_text(0, 12, axes[1], kind="m"), _text((left + right) / 2, base + 38, axes[0], "middle", "m")]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(f'<line class="grid" y1="{head}" y2="{base}" x1="{x(mark):.1f}" x2="{x(mark):.1f}"/>')
        parts.append(_text(left - 6, y(mark) + 4, label(mark), "end"))
        parts.append(_text(x(mark), base + 18, label(mark), "middle"))
    parts.append(
        f'<line class="axis" stroke-dasharray="5 4" x1="{x(0):.1f}" x2="{x(top):.1f}" y1="{base}" y2="{head}"/>'
    )
    for dot in dots:
        across = x(dot.predicted)
        parts.append(
            f'<line class="line c1" x1="{across:.1f}" x2="{across:.1f}" y1="{y(dot.low):.1f}" y2="{y(dot.high):.1f}"/>'
        )
        parts.append(f'<circle class="c1" cx="{across:.1f}" cy="{y(dot.observed):.1f}" r="4.5"/>')
    return _svg(name, base + 44, parts)


def plane(name: Name, paths: Sequence[Path], label: Label, axes: tuple[str, str], diagonal: bool = False) -> Markup:
    """Lines in the unit square. axes: what counts across (below), and up (above the left). diagonal: of chance."""
    key = _legend([Series(path.label, (), path.tone) for path in paths]) if len(paths) > 1 else []
    head = 26.0 + 22 * (key[-1][1] + 1 if key else 0)
    marks = [0.0, 0.25, 0.5, 0.75, 1.0]
    left, base, right = max(text_width(label(mark)) for mark in marks) + 10, head + 274.0, WIDTH - 24.0

    def x(value: float) -> float:
        return left + (right - left) * value

    def y(value: float) -> float:
        return base - (base - head) * value

    parts = [
        _key(Series(path.label, (), path.tone, dashed=path.dashed), across, row)
        for path, (across, row) in zip(paths, key, strict=False)
    ]
    parts += [_text(0, head - 14, axes[1], kind="m"), _text((left + right) / 2, base + 38, axes[0], "middle", "m")]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(f'<line class="grid" y1="{head}" y2="{base}" x1="{x(mark):.1f}" x2="{x(mark):.1f}"/>')
        parts.append(_text(left - 6, y(mark) + 4, label(mark), "end"))
        parts.append(_text(x(mark), base + 18, label(mark), "middle"))
    if diagonal:
        parts.append(
            f'<line class="axis" stroke-dasharray="5 4" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{base}" y2="{head}"/>'
        )
    for path in paths:
        dash = ' stroke-dasharray="5 4"' if path.dashed else ""
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(path.across, path.up, strict=True))
        parts.append(f'<polyline class="line {path.tone}"{dash} points="{points}"/>')
    return _svg(name, base + 44, parts)


def forest(
    name: Name, rows: Sequence[Interval], label: Label, heads: tuple[str, str, str], base_value: float = 0.0,
    line: float | None = None,
) -> Markup:  # fmt: skip
    """A row a figure: its share as a pale bar (where rows have one), a dot with its interval, its text at the right.

    heads: of the shares, of the figures, of the texts. line: a value that is marked from top to bottom.
    """
    longest = max((text_width(row.label) for row in rows), default=0)
    above = longest > 130
    shared = any(row.share is not None for row in rows)
    start = 0.0 if above else longest + 10
    bars_end = start + (86 if shared else 0)
    end = WIDTH - max((text_width(text) for text in (*(row.text for row in rows), heads[2])), default=0) - 16
    known = [v for row in rows for v in (row.value, row.low, row.high, line) if v is not None]
    marks = nice_ticks(min(base_value, *known), max(base_value, *known)) if known else [0.0, 1.0]
    while len(marks) > 2 and (end - bars_end - 26) / (len(marks) - 1) < text_width(label(marks[-1])) + 8:
        marks = [marks[0], *marks[2::2]] if len(marks) % 2 else [marks[0], marks[-1]]
    step, head = (42, 22) if above else (26, 22)
    base = head + len(rows) * step

    def x(value: float) -> float:
        return bars_end + 26 + (end - bars_end - 40) * (value - marks[0]) / ((marks[-1] - marks[0]) or 1)

    parts = [_text(start, 12, heads[0], kind="m")] if shared else []
    parts += [
        _text((x(marks[0]) + x(marks[-1])) / 2, 12, heads[1], "middle", "m"),
        _text(WIDTH, 12, heads[2], "end", "m"),
    ]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{head}" y2="{base}"/>')
        parts.append(_text(x(mark), base + 16, label(mark), "middle"))
    if line is not None:
        dash = f'stroke-dasharray="5 4" x1="{x(line):.1f}" x2="{x(line):.1f}" y1="{head}" y2="{base}"'
        parts.append(f'<line class="axis" {dash}/>')
    widest = max((row.share or 0.0 for row in rows), default=0.0) or 1.0
    for place, row in enumerate(rows):
        middle = head + place * step + (30 if above else 13)
        parts.append(_text(0, middle - 13, row.label) if above else _text(start - 10, middle + 4.5, row.label, "end"))
        if row.share is not None:
            wide = 80 * row.share / widest
            parts.append(
                f'<rect class="c0" fill-opacity=".55" x="{start:.1f}" y="{middle - 7}" width="{wide:.1f}" height="14"/>'
            )
        parts += _interval(row, x, middle)
    return _svg(name, base + 22, parts)


def _interval(row: Interval, x: Callable[[float], float], middle: float) -> list[str]:
    parts = []
    if row.low is not None and row.high is not None:
        ends = f'x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{middle}" y2="{middle}"'
        parts.append(f'<line class="line {row.tone}" {ends}/>')
    if row.value is not None:
        parts.append(f'<circle class="{row.tone}" cx="{x(row.value):.1f}" cy="{middle}" r="4.5"/>')
    return [*parts, _text(WIDTH, middle + 4.5, row.text, "end", "v")]


def signed_map(
    name: Name, heads: tuple[Sequence[str], Sequence[str]], values: Sequence[Sequence[float]], label: Label,
    axes: tuple[str, str],
) -> Markup:  # fmt: skip
    """A table of figures above and below 0: blue is above, orange below, and each cell says its figure.

    heads: of rows, of columns. axes: what the rows are (above the left), what the columns are (above the table).
    """
    rows, columns_ = heads
    high, small = 24, 11 if len(columns_) <= 8 else 9
    left = min(max(text_width(row, 12) for row in rows) + 10, 150.0)
    longest = max(text_width(column, 12) for column in columns_)
    turned = longest > (WIDTH - left) / len(columns_) - 4
    wide = (WIDTH - left - (min(0.7 * longest, 60) if turned else 0)) / len(columns_)
    head = 40 + (longest * 0.72 - 4 if turned else 0)
    top = max(abs(value) for line in values for value in line) or 1.0
    parts = [_text(WIDTH, 12, axes[1], "end", "m"), _text(0, 12, axes[0], kind="m")]
    for place, column in enumerate(columns_):
        middle = left + (place + 0.5) * wide
        if turned:
            parts.append(
                f'<text class="v" font-size="12" text-anchor="start" '
                f'transform="translate({middle - 2:.1f} {head - 5:.1f}) rotate(-46)">{escape(column)}</text>'
            )
        else:
            parts.append(_text(middle, head - 7, column, "middle", "v", 12))
    for place, line in enumerate(values):
        y = head + place * high
        parts.append(_text(left - 8, y + 16, rows[place], "end", "v", 12))
        for across, value in enumerate(line):
            ink, tone = 0.95 * math.sqrt(abs(value) / top), "heat" if value > 0 else "c2"
            x, kind = left + across * wide, "on" if ink > 0.6 else "v"
            box = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{wide - 2:.1f}" height="{high - 2}" rx="2"'
            parts.append(f'<rect class="cell" {box}/><rect class="{tone}" fill-opacity="{ink:.3f}" {box}/>')
            parts.append(_text(x + wide / 2, y + 16, label(value), "middle", kind, small))
    return _svg(name, head + high * len(rows) + 2, parts)


def strips(name: Name, rows: Sequence[tuple[str, Sequence[str | None]]], ticks: Sequence[tuple[int, str]]) -> Markup:
    """A strip of months for each line; a cell shows how many months overdue it is. None: not on file."""
    months = max(len(cells) for _, cells in rows)
    wide, step = WIDTH / months, 46
    parts = []
    for place, (label, cells) in enumerate(rows):
        y = place * step
        parts.append(_text(0, y + 13, label))
        for column, state in enumerate(cells):
            if state is None:
                continue
            x = column * wide
            tone = f"s{state}" if state in STATES_DRAWN else "sU"
            parts.append(
                f'<rect class="{tone}" x="{x + 0.75:.2f}" y="{y + 19}" width="{wide - 1.5:.2f}" height="20" rx="2"/>'
            )
            mark = "" if state == "M0" else state.removeprefix("M")
            parts.append(_text(x + wide / 2, y + 33, mark, "middle", _INK.get(state, "v"), 12))
    for column, text in ticks:
        half = text_width(text) / 2
        parts.append(_text(min(max((column + 0.5) * wide, half), WIDTH - half), len(rows) * step + 12, text, "middle"))
    return _svg(name, len(rows) * step + 20, parts)


STATES_DRAWN = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "X")
# Text on a state's own colour: dark on the pale ones, white on the strong ones, whatever the page's own colours.
_INK = {"M1": "dk", "M2": "dk", "M3": "on", "M4": "on", "M5": "on", "M6": "on", "M7": "on"}


def nice_ticks(low: float, high: float) -> list[float]:
    """Three to six round values that span low..high."""
    span = high - low if high - low > _FLAT else 1.0
    raw = span / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * place for place in range(first, max(last, first + 1) + 1)]


def spread_ticks(names: Sequence[str], most: int = 6) -> list[tuple[int, str]]:
    """At most `most` evenly spread (place, name), the last one always among them."""
    every = -(-len(names) // most) or 1
    return [(place, names[place]) for place in range(len(names) - 1, -1, -every)][::-1]


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "t", size: float = _SIZE) -> str:
    if not text:
        return ""
    sized = "" if size == _SIZE else f' font-size="{size}"'
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{placed}{sized}>{escape(text)}</text>'


def _svg(name: Name, height: float, parts: Sequence[str]) -> Markup:
    head = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{escape(name.id)}-t '
        f'{escape(name.id)}-d"><title id="{escape(name.id)}-t">{escape(name.title)}</title>'
        f'<desc id="{escape(name.id)}-d">{escape(name.description)}</desc>'
    )
    # Every text in it went through escape(); the rest is numbers and the names of classes.
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704
