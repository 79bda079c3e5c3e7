"""Columns that do not stay what they were: another spread in the end, or bins that change sides between periods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evenkeel.kernel.calendar import month_text
from evenkeel.measures.stability import psi, sign_flips
from evenkeel.scoring.guards.board import Board
from evenkeel.scoring.guards.cells import Cells
from evenkeel.scoring.guards.finding import Finding, IntArray

PERIODS = 4
BINS = 10
MOVED, MOVED_LOW = 0.25, 0.10  # of the index and of its interval's low end: the usual bounds of "large" and "some"
_ALARM = 0.01  # chance of any flip reported where none is, over all columns
_SIDE = 0.1  # a bin nearer to the average than this WoE has no side to change


def drift(board: Board) -> list[Finding]:
    """Unstable columns, first period against last and each period against all; none without months enough."""
    if board.given.time is None:
        return []
    time = board.given.time[board.rows]
    period, starts = _periods(time)
    if len(starts) < 2:
        return []
    return [finding for name in board.given.names for finding in _column(board, name, period, starts)]


def _periods(time: IntArray) -> tuple[IntArray, IntArray]:
    """(period of each row, first month of each): up to four runs of months with about as many rows each."""
    months, place, count = np.unique(time, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / len(time)
    _, run = np.unique((middle * PERIODS).astype(np.int64), return_inverse=True)
    starts = np.array([months[run == index].min() for index in range(run.max(initial=0) + 1)], np.int64)
    return run[place].astype(np.int64), starts


def _column(board: Board, name: str, period: IntArray, starts: IntArray) -> Iterator[Finding]:
    bins = coarse(board.cells[name])
    width, times = int(bins.max(initial=0)) + 1, len(starts)
    key = (period * width + bins[board.cells[name].place]) * 2 + board.bad
    counts = np.bincount(key, minlength=2 * width * times).reshape(times, width, 2).astype(np.int64)
    rows = counts.sum(axis=2)
    index = psi(rows[0], rows[-1])
    span = {"from": month_text(int(starts[0])), "to": month_text(int(starts[-1]))}
    if index.index.value >= MOVED and index.index.low >= MOVED_LOW:
        yield Finding(
            "moved", "warn", (name,), {"psi": index.index.value, "low": index.index.low, **span, **board.drawn}
        )
    goods, bads = counts[..., 0], counts[..., 1]
    # The index needs no outcome; flips need some in each period.
    if width < 2 or bads.sum(axis=1).min() < 10:
        return
    flips = sign_flips(goods.sum(axis=0), bads.sum(axis=0), goods, bads, _ALARM / len(board.given.names))
    total = np.maximum(rows.sum(axis=0), 1)
    rate = bads.sum(axis=0) / total
    sided = (
        np.abs(np.log((rate + 1e-9) / (1 - rate + 1e-9)) - np.log(board.bad.mean() / (1 - board.bad.mean()))) > _SIDE
    )
    turned = flips.flipped & sided
    if turned.any():
        when, where = (int(place) for place in np.argwhere(turned)[0])
        cells = np.flatnonzero(bins == where)
        figures = {"flips": int(turned.sum()), "where": board.cells[name].describe(int(cells[0]), int(cells[-1])),
                   "since": month_text(int(starts[when]))}  # fmt: skip
        yield Finding("flips", "warn", (name,), figures | board.drawn)


def coarse(cells: Cells) -> IntArray:
    """(count,) at most ten bins for a column's cells, rows not known a bin of their own.

    Numbers: runs of neighbours with about as many rows each. Texts: the nine most frequent levels, and all others.
    """
    rows = np.bincount(cells.place, minlength=cells.count)[:-1]
    if not rows.sum():
        return np.zeros(cells.count, np.int64)
    if cells.ordered:
        middle = (np.cumsum(rows) - rows / 2) / rows.sum()
        group = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    else:
        group = np.full(len(rows), BINS - 1)
        order = np.argsort(-rows, kind="stable")[: BINS - 1]
        group[order] = np.arange(len(order))
    _, group = np.unique(group, return_inverse=True)
    return np.append(group, group.max() + 1).astype(np.int64)
