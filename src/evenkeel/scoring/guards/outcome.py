"""Outcomes that cannot be learned from: of one class, too few, not over yet, or of another rate where judged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evenkeel.kernel.calendar import month_text
from evenkeel.measures.discrimination import share_estimate
from evenkeel.measures.stability import rate_drift
from evenkeel.scoring.guards.finding import BoolArray, Examined, Finding, FloatArray, IntArray

FEWEST = 30  # bads or goods: a model of fewer is chance (an AUC of 0.75 is known to +-0.10 at best)
FEW = 100  # and with fewer its AUC to +-0.055 at best

_VINTAGE_BADS = 10.0  # that a vintage of the pooled rate would have; smaller ones are joined to the next
_VINTAGES = 6
_HALF, _CHANCE = 0.5, 5.0  # the last vintage against the older ones: its rate, and its distance in standard errors
_LESS, _UNLIKELY = 0.75, 3.3
_STEADY = 0.75  # the older vintages' own later half against their earlier: a fall of all years is no tail
_CHANGED = 0.001  # one split of a thousand by chance


def outcomes(given: Examined) -> list[Finding]:
    """What is wrong with the outcomes."""
    bads = int(given.bad.sum())
    if bads in (0, len(given.bad)):
        return [Finding("one_class", "refuse", (), {"rows": len(given.bad), "bads": bads})]
    return [*_few(given), *_immature(given), *_drift(given)]


def _few(given: Examined) -> Iterator[Finding]:
    bads, rows = int(given.bad.sum()), len(given.bad)
    fewest = min(bads, rows - bads)
    if fewest < FEW:
        rate = share_estimate(bads, rows)
        figures = {"bads": bads, "goods": rows - bads, "rate": rate.value, "low": rate.low, "high": rate.high,
                   "room": _room(fewest, rows - fewest)}  # fmt: skip
        refuses = fewest < FEWEST
        yield Finding("few_refused" if refuses else "few", "refuse" if refuses else "warn", (), figures,
                      "few" if refuses else "")  # fmt: skip


def _room(few: int, many: int, area: float = 0.75) -> float:
    """Half of the 95 % interval of an AUC of 0.75 with so many of each class (Hanley & McNeil 1982)."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (few - 1) * (one - area**2) + (many - 1) * (two - area**2)) / (few * many)
    return float(1.96 * np.sqrt(variance))


def _immature(given: Examined) -> Iterator[Finding]:
    """Rows whose months ahead are not over; where that cannot be told, a bad rate that falls off at the end."""
    if given.time is None:
        return
    if given.horizon is not None and given.as_of is not None:
        early = given.time + given.horizon > given.as_of
        if early.any():
            rows = int(early.sum())
            figures = {"early": rows, "share": rows / len(early), "horizon": given.horizon,
                       "first": month_text(int(given.time[early].min())), "rate_early": float(given.bad[early].mean()),
                       "rate": float(given.bad[~early].mean()) if rows < len(early) else 0.0}  # fmt: skip
            yield Finding("immature", "refuse", (), figures, "immature")
        return
    yield from _tail(given.time, given.bad)


def _tail(time: IntArray, bad: BoolArray) -> Iterator[Finding]:
    rows, bads, starts = _vintages(time, bad)
    if len(rows) < _VINTAGES:
        return
    old = 2 * len(rows) // 3
    rate = bads[:old].sum() / rows[:old].sum()
    if not 0 < rate < 1:
        return
    last = bads[-1] / rows[-1]
    distance = (last - rate) / np.sqrt(rate * (1 - rate) * (1 / rows[-1] + 1 / rows[:old].sum()))
    early, late = (bads[part].sum() / max(rows[part].sum(), 1.0) for part in (slice(0, old // 2), slice(old // 2, old)))
    if early > 0 and late / early < _STEADY:
        return
    figures = {
        "from": month_text(int(starts[-1])),
        "last": float(last),
        "rate": float(rate),
        "distance": float(-distance),
    }
    if last <= _HALF * rate and distance <= -_CHANCE:
        yield Finding("tail", "refuse", (), figures, "immature")
    elif last <= _LESS * rate and distance <= -_UNLIKELY:
        yield Finding("tail_warned", "warn", (), figures)


def _vintages(time: IntArray, bad: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows, bads and first month of vintages, oldest first, joined from the last backwards until large enough."""
    months, place = np.unique(time, return_inverse=True)
    rows, bads = np.bincount(place).astype(np.float64), np.bincount(place, bad)
    enough = _VINTAGE_BADS / max(bad.mean(), 1e-9)
    groups: list[tuple[float, float, float]] = []
    held, hit = 0.0, 0.0
    for index in range(len(months) - 1, -1, -1):
        held, hit = held + rows[index], hit + bads[index]
        if held >= enough:
            groups.append((held, hit, float(months[index])))
            held, hit = 0.0, 0.0
    table = np.array(groups[::-1]).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _drift(given: Examined) -> Iterator[Finding]:
    if given.test is None or given.test.all() or not given.test.any():
        return
    learned, judged = given.bad[~given.test], given.bad[given.test]
    gap = rate_drift(int(learned.sum()), len(learned), int(judged.sum()), len(judged))
    if gap.p_value < _CHANGED:
        yield Finding("drift", "warn", (), {"train": float(learned.mean()), "test": float(judged.mean()),
                                            "low": gap.low, "high": gap.high})  # fmt: skip
