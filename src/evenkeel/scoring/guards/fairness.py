"""Attributes that the law protects, and columns that stand in for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evenkeel.measures.discrimination import Estimate, auc
from evenkeel.scoring.guards.board import Board
from evenkeel.scoring.guards.cells import Cells, tally, tree_area
from evenkeel.scoring.guards.data import identifiers
from evenkeel.scoring.guards.finding import BoolArray, Finding, IntArray
from evenkeel.scoring.guards.names import protection

PROXY, PROXY_LOW = 0.75, 0.70  # a column, or all together, tell the attribute this well and certainly: warn
_SHOWN = 5
_TOGETHER = 100  # columns that are held together against the attribute, the most telling first
_BY_CHANCE = 3.0  # deviations by which a column must tell the attribute to be among them


def fairness(board: Board) -> list[Finding]:
    """Protected attributes in the table, and for each its proxies."""
    said = {name: protection(name) for name in board.given.names} | dict.fromkeys(board.given.protected, "protected")
    protected = [name for name in board.given.names if said[name] == "protected"]
    ages = [name for name in board.given.names if said[name] == "age"]
    findings = [Finding("protected", "warn", (name,)) for name in protected]
    findings += [Finding("protected_age", "warn", (name,)) for name in ages]
    if not protected:
        return findings
    left_out = {*protected, *identifiers(board)}
    others = [name for name in board.given.names if name not in left_out]
    for name in protected:
        findings += _proxies(board, name, others)
    return findings


def _proxies(board: Board, name: str, others: list[str]) -> Iterator[Finding]:
    member, group = _group(board.cells[name])
    if min(member.sum(), (~member).sum()) < 30:
        return
    counts = {other: tally(board.cells[other], member, board.half) for other in others}
    area = {other: tree_area(count) for other, count in counts.items()}
    ranked = sorted(
        (other for other in others if area[other].value > 0.5), key=lambda other: (-area[other].value, other)
    )
    strong = [other for other in ranked if area[other].value >= PROXY and area[other].low >= PROXY_LOW]
    for other in strong[:_SHOWN]:
        yield Finding("proxy", "warn", (other,), {"attribute": name, "group": group} | _figures(area[other]))
    together = _together(board, member, counts)
    if together.value >= PROXY and together.low >= PROXY_LOW:
        best = ", ".join(f"{other} ({area[other].value:.2f})" for other in ranked[:_SHOWN])
        figures = {"attribute": name, "group": group, "best": best}
        yield Finding("proxies", "warn", tuple(ranked[:_SHOWN]), figures | _figures(together) | board.drawn)


def _figures(area: Estimate) -> dict[str, float]:
    return {"auc": area.value, "low": area.low, "high": area.high}


def _group(cells: Cells) -> tuple[BoolArray, str]:
    """(n,) whether a row is of the attribute's most frequent value, and that value; of numbers, their upper half."""
    rows = np.bincount(cells.place, minlength=cells.count)[:-1]
    if not rows.sum():
        return np.zeros(len(cells.place), bool), ""
    if cells.ordered and len(cells.marks) > 10:
        middle = int(np.searchsorted(np.cumsum(rows), rows.sum() / 2))
        return (cells.place >= middle) & (cells.place < cells.count - 1), cells.describe(middle, cells.count - 2)
    top = int(np.argmax(rows))
    return cells.place == top, cells.describe(top, top)


def _together(board: Board, member: BoolArray, counts: dict[str, IntArray]) -> Estimate:
    """How well all columns at once tell the attribute: their cells' ln odds summed, learned on the other half.

    That half also chooses the columns, so that of thousands the luckiest do not tell by chance.
    """
    score = np.zeros(len(member))
    for half in (0, 1):
        judged = board.half == half
        learned = {name: count[1 - half] for name, count in counts.items()}
        telling = {name: distance for name, count in learned.items() if (distance := _distance(count)) > _BY_CHANCE}
        for name in sorted(telling, key=lambda name: (-telling[name], name))[:_TOGETHER]:
            others, members = learned[name] + 0.5
            odds = np.log(members / members.sum()) - np.log(others / others.sum())
            score[judged] += odds[board.cells[name].place[judged]]
    return auc(score, member)


def _distance(counts: IntArray) -> float:
    """Pearson's chi-squared of two groups over cells, in deviations above what chance gives. counts: (2, cells)."""
    counts = counts[:, counts.sum(axis=0) > 0]
    freedom = counts.shape[1] - 1
    if freedom < 1:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))
