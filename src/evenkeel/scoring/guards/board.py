"""The examined rows as every guard reads them: drawn down to what suffices, each column in cells and counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.measures.discrimination import Estimate
from evenkeel.scoring.guards.cells import Cells, best_splits, cells_of, halves, tally, tree_area
from evenkeel.scoring.guards.finding import BoolArray, Examined, IntArray, Severity

ROWS = 200_000  # rows that a univariate needs at most: an area's standard error is below 0.002 then
_VALUES = 50_000_000  # rows x columns that are looked at, so that wide tables stay in memory
_FEWEST = 5_000

# Refusals by value. Over five public files (UCI, Give Me Some Credit, German, Home Credit, Lending Club) the best
# honest column reaches an area of 0.78; columns written after the outcome begin at 0.90, by area or by split.
REFUSED_AREA, REFUSED_LOW = 0.90, 0.86
WARNED_AREA, WARNED_LOW = 0.85, 0.80


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """given: what came in. rows: places of the rows drawn, increasing; table, bad, half: theirs.

    cells, counts, area: by column, as `cells` defines them.
    """

    given: Examined
    rows: IntArray
    table: pa.Table
    bad: BoolArray
    half: IntArray
    cells: Mapping[str, Cells]
    counts: Mapping[str, IntArray]
    area: Mapping[str, Estimate]

    @property
    def drawn(self) -> dict[str, int]:
        """Figures that say on how many rows a finding rests."""
        return {"rows_examined": len(self.rows), "rows": len(self.given.bad)}

    def varies(self, name: str) -> bool:
        """Whether a column has two values at least, not known counted as one."""
        return int((self.counts[name].sum(axis=(0, 1)) > 0).sum()) > 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a column's values look: severity, None where nothing is wrong; kind of sign; figures for the text."""

    severity: Severity | None
    kind: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


def board(given: Examined) -> Board:
    """The rows of `given`, at most 200,000 of them and fewer where the table is wide, drawn by its seed."""
    total, width = given.table.num_rows, max(given.table.num_columns, 1)
    size = min(total, ROWS, max(_FEWEST, _VALUES // width))
    rows = np.arange(total)
    table, bad = given.table, given.bad
    if size < total:
        rows = np.sort(np.random.default_rng(given.seed).choice(total, size, replace=False))
        table, bad = table.take(pa.array(rows)), bad[rows]
    half = halves(size, given.seed)
    cells = {name: cells_of(table[name]) for name in given.names}
    counts = {name: tally(cell, bad, half) for name, cell in cells.items()}
    area = {name: tree_area(count) for name, count in counts.items()}
    return Board(given, rows, table, bad, half, cells, counts, area)


def judge(cells: Cells, counts: IntArray, area: Estimate) -> Verdict:
    """Whether a column in cells tells bads from goods better than anything known beforehand does."""
    best = Verdict(None)
    for split in best_splits(cells, counts):
        if split.area < WARNED_AREA:
            continue
        figures = {"side": split.side, "where": split.where, "share": split.share, "other": split.other,
                   "side_rows": split.rows, "auc": split.area}  # fmt: skip
        severity: Severity = "refuse" if split.area >= REFUSED_AREA else "warn"
        if best.severity is None or split.area > float(best.figures["auc"]):
            best = Verdict(severity, f"split_{split.side}", figures)
    if best.severity == "refuse":
        return best
    figures = {"auc": area.value, "low": area.low, "high": area.high}
    if area.value >= REFUSED_AREA and area.low >= REFUSED_LOW:
        return Verdict("refuse", "value", figures)
    if best.severity is None and area.value >= WARNED_AREA and area.low >= WARNED_LOW:
        return Verdict("warn", "value", figures)
    return best
