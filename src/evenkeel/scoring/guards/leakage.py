"""Columns that know the outcome: by the time they became known, by their name, and by their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from evenkeel.scoring.frame import numbers
from evenkeel.scoring.guards.board import Board, Verdict, judge
from evenkeel.scoring.guards.cells import number_cells, tally, tree_area
from evenkeel.scoring.guards.finding import Finding, FloatArray
from evenkeel.scoring.guards.names import timing
from evenkeel.scoring.months import months_of

SUSPECTS = 40  # columns, by their own area, that are held against others
PARTNERS = 8  # others that each is held against: those that move with it most
_PAIR_ROWS = 20_000
_CORRELATION_ROWS = 2_000
_MANY = 20  # cells of an amount; a pair of columns of few values is no relation
_DATED = 12  # a date set beforehand, such as a maturity, lies a few fixed numbers of months ahead
_TELLS = 0.55
_TELLS_UNTIMED = 0.60
_SUM_ROWS = 12  # for each column that least squares weighs; the sum is then tried on every row
_SUM_COLUMNS = 200  # a wider table is not searched for sums
_TOTALS = 3
_CENT = 0.011  # amounts closer than this are equal but for rounding
_EVERY = 0.99  # of the rows, on which a sum holds
_ONE = 0.05  # how near to 1 a part's weight comes by least squares on rounded amounts


def leaks(board: Board) -> list[Finding]:
    """Every sign of leakage, by column in the table's order; at most one by name and one by value for a column."""
    stamped = list(_by_stamp(board))
    named = list(_by_name(board))
    valued = list(_by_value(board))
    dated = list(_by_date(board))
    refused = _refused(stamped + named + valued + dated)
    paired = list(_by_pair(board, refused))
    summed = list(_by_sum(board, refused | _refused(paired)))
    proved = refused | _refused(paired + summed)
    named = [finding for finding in named if finding.severity == "refuse" or finding.columns[0] not in proved]
    place = {name: place for place, name in enumerate(board.given.names)}
    return sorted(stamped + named + valued + dated + paired + summed, key=lambda finding: place[finding.columns[0]])


def _refused(findings: list[Finding]) -> set[str]:
    return {finding.columns[0] for finding in findings if finding.severity == "refuse"}


def _leak(guard: str, column: str, verdict: Verdict, **figures: object) -> Finding:
    severity = verdict.severity or "note"
    key = f"leakage:{column}" if severity == "refuse" else ""
    return Finding(guard, severity, (column,), dict(verdict.figures) | figures, key)


def _by_stamp(board: Board) -> Iterator[Finding]:
    time = board.given.time
    if time is None:
        return
    for name in board.given.names:
        if name in board.given.known_at:
            known = np.broadcast_to(np.asarray(board.given.known_at[name]), time.shape)
            told = known >= 0
            late = int((told & (known > time)).sum())
            if late:
                verdict = Verdict("refuse", "stamp", {"late": late, "share": late / int(told.sum())})
                yield _leak("leak_stamp", name, verdict)


def _by_name(board: Board) -> Iterator[Finding]:
    """Names that speak of the time after the outcome; a column of one value has nothing to give away."""
    for name in board.given.names:
        said = timing(name)
        if said and board.varies(name):
            yield _leak(f"leak_name_{said}", name, Verdict("refuse" if said == "after" else "warn"))


def _by_value(board: Board) -> Iterator[Finding]:
    for name in board.given.names:
        verdict = judge(board.cells[name], board.counts[name], board.area[name])
        if verdict.severity:
            yield _leak(f"leak_{verdict.kind}", name, verdict, **board.drawn)


def _by_date(board: Board) -> Iterator[Finding]:
    """Dates later than the row's own month. One that lies some fixed terms ahead was set beforehand: it only warns."""
    if board.given.time is None:
        for name in _dates(board):
            if board.area[name].low > _TELLS_UNTIMED:
                yield _leak("leak_date_unchecked", name, Verdict("warn", "date", {"auc": board.area[name].value}))
        return
    time = board.given.time[board.rows].astype(np.float64)
    for name, months in _dates(board).items():
        gap = months - time
        known = np.isfinite(gap)
        late = known & (gap > 0)
        if not known.any() or late.sum() < max(known.sum() / 2, 1):
            continue
        area = tree_area(tally(number_cells(gap), board.bad, board.half))
        refuses = len(np.unique(gap[late])) > _DATED and area.low > _TELLS
        figures = {"share": float(late.sum() / known.sum()), "auc": area.value}
        yield _leak("leak_date", name, Verdict("refuse" if refuses else "warn", "date", figures), **board.drawn)


def _dates(board: Board) -> dict[str, FloatArray]:
    read = {name: months_of(board.table[name], name in board.given.dates) for name in board.given.names}
    return {name: months for name, months in read.items() if months is not None}


def _by_pair(board: Board, refused: set[str]) -> Iterator[Finding]:
    """A column whose ratio to, or difference from, another tells the outcome: repaid beside lent, for one.

    The column with the larger area of its own is named: the other, such as the amount lent, was known beforehand.
    """
    values = _amounts(board, refused)
    names = list(values)
    if len(names) < 2:
        return
    rows = np.sort(np.random.default_rng(board.given.seed).permutation(len(board.bad))[:_PAIR_ROWS])
    bad, half = board.bad[rows], board.half[rows]
    own = {name: _area(board, name) for name in names}
    close = _closeness(np.stack([board.cells[name].place[rows[:_CORRELATION_ROWS]] for name in names]))
    suspects = sorted(range(len(names)), key=lambda place: (-own[names[place]], place))[:SUSPECTS]
    found: dict[str, tuple[float, str]] = {}
    seen: set[frozenset[int]] = set()
    for suspect in suspects:
        for partner in _nearest(close(suspect), suspect):
            if frozenset((suspect, partner)) in seen:
                continue
            seen.add(frozenset((suspect, partner)))
            blamed, other = sorted((names[suspect], names[partner]), key=lambda name: (-own[name], name))
            for relation in _relations(values[blamed][rows], values[other][rows]):
                cells = number_cells(relation)
                counts = tally(cells, bad, half)
                area = tree_area(counts)
                verdict = judge(cells, counts, area)
                if verdict.severity == "refuse" and area.value > found.get(blamed, (0.0,))[0]:
                    found[blamed] = (area.value, other)
    for name, (value, other) in found.items():
        figures = {"auc": value, "other_column": other, "own": own[name], "rows_examined": len(rows)}
        yield _leak("leak_pair", name, Verdict("refuse", "pair", figures), rows=len(board.given.bad))


def _area(board: Board, name: str) -> float:
    value = board.area[name].value
    return float(value) if np.isfinite(value) else 0.0


def _amounts(board: Board, refused: set[str]) -> dict[str, FloatArray]:
    """Numeric columns of many values that are not refused yet."""
    return {
        name: numbers(board.table[name])
        for name in board.given.names
        if name not in refused and board.cells[name].ordered and board.cells[name].count > 2 * _MANY
    }


def _closeness(place: npt.NDArray[np.int32]) -> Callable[[int], FloatArray]:
    """Absolute correlation of cells, which are ranks, of one column with every column. place: (columns, rows)."""
    ranks = place.astype(np.float32)
    ranks -= ranks.mean(axis=1, keepdims=True)
    ranks /= np.maximum(np.sqrt((ranks**2).sum(axis=1, keepdims=True)), 1e-9)
    # Not a matrix product, whose last digits, and with them the order of near ties, hang on the number of threads.
    return lambda row: np.abs(np.einsum("ij,j->i", ranks, ranks[row])).astype(np.float64)


def _nearest(close: FloatArray, itself: int) -> list[int]:
    order = np.argsort(-close, kind="stable")[: PARTNERS + 1]
    return [int(place) for place in order if place != itself][:PARTNERS]


def _relations(values: FloatArray, other: FloatArray) -> Iterator[FloatArray]:
    with np.errstate(all="ignore"):
        yield values / np.where(other == 0, np.nan, other)
        yield values - other


def _by_sum(board: Board, refused: set[str]) -> Iterator[Finding]:
    """Parts of a refused total: columns that add up to it on every row, as interest and fees do to all that was paid.

    Only where another part is refused as well: a refused total of one part that leaks says nothing of the others.
    """
    columns = {
        name: np.nan_to_num(numbers(board.table[name]), posinf=0.0, neginf=0.0)
        for name in board.given.names
        if board.cells[name].ordered and board.cells[name].count > 4
    }
    totals = sorted(
        (name for name in columns if name in refused), key=lambda name: (-np.abs(columns[name]).mean(), name)
    )
    if len(columns) > min(_SUM_COLUMNS, len(board.bad) // 3) or len(totals) < 2:
        return
    for total in totals[:_TOTALS]:
        parts = _parts(columns, total)
        if len(refused.intersection(parts)):
            for part in parts:
                if part not in refused:
                    refused = refused | {part}
                    yield _leak("leak_sum", part, Verdict("refuse", "sum", {"total": total, "parts": ", ".join(parts)}))


def _parts(columns: Mapping[str, FloatArray], total: str) -> list[str]:
    """The columns whose plain sum is the total, to a hundredth, on 99 rows of 100; none where there is no such sum."""
    whole = columns[total]
    # A part is no more than the whole. A copy of the whole, rounded or nearly so, would take the place of its parts.
    names = [
        name
        for name, values in columns.items()
        if ((values >= 0) & (values <= whole + _CENT)).mean() >= _EVERY and np.median(whole - values) > _CENT
    ]
    if len(names) < 2:
        return []
    rows = _SUM_ROWS * len(names)
    matrix = np.stack([columns[name][:rows] for name in names], axis=1)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-9)
    weights = np.linalg.lstsq(matrix / scale, whole[:rows], rcond=1e-12)[0] / scale
    parts = [name for name, weight in zip(names, weights, strict=True) if abs(weight - 1) < _ONE]
    if len(parts) < 2:
        return []
    gap = np.abs(whole - sum(columns[name] for name in parts))
    return parts if np.mean(gap <= _CENT) >= _EVERY else []
