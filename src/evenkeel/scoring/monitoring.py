"""Is a model in use still the model that was approved? By month: who is scored, how well it ranks, is its level right.

Three families of checks, each with a false-alarm rate of its own, which is the chance of any alarm in the family where
nothing has changed (Holm 1979 over all of its months and columns; right whatever their dependence, as all months are
held against one training sample):

    drift    stability index of the score and of each feature against training; null: (1/n + 1/m) chi-squared, widened
             for small months
    ranking  AUC of mature vintages against the AUC that the model was approved with; null: normal, on the logit
    level    bads observed over bads expected, of the same vintages; null: a binomial of the same mean and variance

An alarm has to be beyond chance and large enough to matter: with much data everything moves a little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import betainc, ndtr, ndtri

from evenkeel.kernel.calendar import month_number
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.measures.discrimination import Estimate, auc, share_estimate
from evenkeel.measures.stability import breaches, false_alarm_rate, noise_level, psi, small_sample
from evenkeel.scoring.scorecard import Scorecard

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054
_LEAST = 5  # expected cases of a bin in a month, below which its bins are put together
_EVERY = 3  # months on book between two figures of a maturing vintage


class State(StrEnum):
    """green: as approved, or within chance, or too small to matter; amber: look into it; red: act."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


_ORDER = (State.GREEN, State.AMBER, State.RED)


@dataclass(frozen=True, slots=True)
class Alarms:
    """When a check alarms: beyond chance, and at least so large (amber, red).

    false_alarm: chance of any alarm in a family of checks where nothing changed. drift: stability index. ranking: AUC
    lost. level: observed over expected, or expected over observed.
    """

    false_alarm: float = 0.05
    drift: tuple[float, float] = (0.1, 0.25)
    ranking: tuple[float, float] = (0.02, 0.05)
    level: tuple[float, float] = (1.1, 1.3)


@dataclass(frozen=True)
class ScoredMonth:
    """The cases that a model scored in a month.

    bad_after: (n,) whole months from the scoring to the bad, NaN where the case has not turned bad so far; None where
    outcomes are not followed.
    """

    month: str
    columns: pa.Table
    bad_after: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One figure held against what was approved.

    family: drift, ranking, level. column: a feature's name; empty for the score and the model. figure: stability index,
    AUC, or observed over expected. low, high: it alarms at and beyond these, alone; false_alarm: the chance of that
    where nothing changed. beyond_chance: with all checks of the family taken together.
    """

    family: str
    month: str
    column: str
    rows: int
    figure: Estimate
    p_value: float
    low: float | None
    high: float | None
    false_alarm: float
    beyond_chance: bool
    state: State

    def document(self) -> dict[str, object]:
        """The check as data."""
        return {
            "family": self.family, "month": self.month, "column": self.column or None, "rows": self.rows,
            "figure": figure_document(self.figure), "p_value": self.p_value, "low": self.low, "high": self.high,
            "false_alarm": self.false_alarm, "beyond_chance": self.beyond_chance, "state": self.state.value,
        }  # fmt: skip

    def text(self, language: str) -> str:
        """The check as a sentence."""
        say = texts(language)
        verdict = self.state.value if self.state is not State.GREEN else "small" if self.beyond_chance else "chance"
        what = say("monitor.column", column=self.column) if self.column else say("monitor.score")
        p = f"= {self.p_value:.4f}" if self.p_value >= 0.0001 else "< 0.0001"
        chance = say("monitor.within" if verdict == "chance" else "monitor.beyond", p=p)
        figure = say(
            f"monitor.{self.family}", month=self.month, what=what, value=f"{self.figure.value:.3f}",
            low=f"{self.figure.low:.3f}", high=f"{self.figure.high:.3f}",
        )  # fmt: skip
        return say("monitor.sentence", figure=figure, chance=chance, verdict=say(f"monitor.verdict.{verdict}"))


@dataclass(frozen=True, slots=True)
class Matured:
    """What was known of a vintage at a number of months on book."""

    months_on_book: int
    bads: int
    bad_rate: Estimate
    auc: Estimate


@dataclass(frozen=True, slots=True)
class Vintage:
    """A month's cases, and their outcomes as they mature. expected_rate: mean p, which is meant at the horizon."""

    month: str
    rows: int
    age: int
    mature: bool
    expected_rate: float
    matured: tuple[Matured, ...]


@dataclass(frozen=True)
class Monitoring:
    """All checks and vintages. horizon: months until an outcome is final. not_checked: what, and what it would need."""

    version: str
    as_of: str
    horizon: int
    alarms: Alarms
    checks: tuple[Check, ...]
    vintages: tuple[Vintage, ...]
    not_checked: tuple[str, ...]

    @property
    def state(self) -> State:
        """The worst state of all checks."""
        return max((check.state for check in self.checks), key=_ORDER.index, default=State.GREEN)

    def state_of(self, month: str) -> State:
        """The worst state of a month's checks."""
        return max((c.state for c in self.checks if c.month == month), key=_ORDER.index, default=State.GREEN)

    def document(self) -> dict[str, object]:
        """Everything as data; a figure that the data do not give is null."""
        alarms = {name: getattr(self.alarms, name) for name in ("false_alarm", "drift", "ranking", "level")}
        return {
            "version": self.version, "as_of": self.as_of, "horizon": self.horizon, "state": self.state.value,
            "alarms": {name: list(value) if isinstance(value, tuple) else value for name, value in alarms.items()},
            "false_alarm_rate": {check.family: self.alarms.false_alarm for check in self.checks},
            "months": [
                {
                    "month": vintage.month, "rows": vintage.rows, "age": vintage.age, "mature": vintage.mature,
                    "state": self.state_of(vintage.month).value, "expected_rate": vintage.expected_rate,
                    "matured": [
                        {
                            "months_on_book": entry.months_on_book, "bads": entry.bads,
                            "bad_rate": figure_document(entry.bad_rate), "auc": figure_document(entry.auc),
                        }
                        for entry in vintage.matured
                    ],
                }
                for vintage in self.vintages
            ],
            "checks": [check.document() for check in self.checks],
            "not_checked": list(self.not_checked),
        }  # fmt: skip


def monitor(
    card: Scorecard, months: Sequence[ScoredMonth], *, as_of: str, horizon: int = 12, alarms: Alarms | None = None
) -> Monitoring:
    """Hold what a model scored against what it was approved on.

    months: in any order, each month once, none without rows. as_of: the month up to which outcomes are known; a vintage
    is mature `horizon` months later (0: outcomes are final as they are given). Baseline: the card's own counts by bin,
    and of its facts `score_edges`, `score_shares`, `rows`, `performance.auc`.
    Raises InvalidInput on months twice, empty, or after as_of.
    """
    rules, end = alarms or Alarms(), month_number(as_of)
    ordered = sorted(months, key=lambda month: month_number(month.month))
    names = [month.month for month in ordered]
    if len(set(names)) != len(names) or any(month_number(name) > end for name in names):
        raise InvalidInput(f"a month stands twice, or lies after {as_of}.", "Give each month once, up to --as-of.")
    approved = _approved_auc(card.facts)
    drift, ranking, level, vintages = [], [], [], []
    for month in ordered:
        if month.columns.num_rows == 0:
            raise InvalidInput(f"{month.month} has no rows.", "Leave out months in which nothing was scored.")
        codes = card.codes(month.columns)
        p = card.log_odds_of(codes, month.columns.num_rows)
        p = 1 / (1 + np.exp(-p))
        drift += _drift(card, month, codes)
        vintage = _vintage(month, p, end, horizon)
        vintages.append(vintage)
        if vintage.mature and vintage.matured and month.bad_after is not None:
            if approved is not None and np.isfinite(vintage.matured[-1].auc.low):
                ranking.append(_ranking(month.month, vintage, approved))
            level.append(_level(month.month, p, vintage.matured[-1].bads))
    checks = [
        check
        for tests, sizes in ((drift, rules.drift), (ranking, rules.ranking), (level, rules.level))
        for check in _judged(tests, rules.false_alarm, sizes)
    ]
    return Monitoring(
        card.version, as_of, horizon, rules, tuple(checks), tuple(vintages),
        _not_checked(card, vintages, approved),
    )  # fmt: skip


@dataclass(frozen=True)
class _Test:
    """A check before it is judged. limits: (chance, sizes) -> low, high, false-alarm rate. size: how large it is."""

    check: Check
    size: float
    limits: Callable[[float, float], tuple[float | None, float | None, float]]


def _judged(tests: list[_Test], false_alarm: float, sizes: tuple[float, float]) -> list[Check]:
    """States of a family of tests, taken together."""
    beyond = breaches([test.check.p_value for test in tests], false_alarm)
    found = []
    for test, real in zip(tests, beyond.tolist(), strict=True):
        reached = sum(test.size >= size for size in sizes) if real else 0
        low, high, rate = test.limits(false_alarm / len(tests), sizes[0])
        found.append(
            replace(test.check, beyond_chance=real, state=_ORDER[reached], low=low, high=high, false_alarm=rate)
        )
    return found


def _check(family: str, month: str, column: str, rows: int, figure: Estimate, p_value: float) -> Check:
    return Check(family, month, column, rows, figure, p_value, None, None, np.nan, False, State.GREEN)


# --- drift ------------------------------------------------------------------------------------------------------------


def _drift(card: Scorecard, month: ScoredMonth, codes: list[npt.NDArray[np.int32]]) -> list[_Test]:
    """The score's stability index and every feature's."""
    tests: list[_Test] = []
    facts, rows = card.facts, month.columns.num_rows
    total = _number(facts.get("rows"))
    edges, shares = facts.get("score_edges"), facts.get("score_shares")
    if isinstance(edges, Sequence) and isinstance(shares, Sequence) and total is not None:
        group = np.searchsorted(np.array(edges, np.float64), card.score(month.columns), side="right")
        expected = np.round(np.array(shares, np.float64) * total).astype(np.int64)
        tests.append(_stability(month.month, "", expected, np.bincount(group, minlength=len(expected)), rows))
    for feature, goods, bads, code in zip(card.features, card.goods, card.bads, codes, strict=True):
        counts = goods + bads
        if not counts.sum() > 0:
            continue  # of a card that came without counts
        expected = np.round(counts * (total or counts.sum()) / counts.sum()).astype(np.int64)
        actual = np.bincount(code, minlength=feature.size)
        tests.append(_stability(month.month, feature.name, expected, actual, rows))
    return tests


def _stability(month: str, column: str, expected: IntArray, actual: IntArray, rows: int) -> _Test:
    then, now = _together(expected, actual.astype(np.int64))
    figure = psi(then, now).index
    size, bins, wider = int(then.sum()), int((then + now > 0).sum()), small_sample(then, rows)

    def chance_of(value: float) -> float:
        return false_alarm_rate(value / wider, size, rows, bins)

    def limits(chance: float, least: float) -> tuple[None, float, float]:
        high = max(noise_level(chance, size, rows, bins) * wider, least)
        return None, high, chance_of(high)

    p_value = chance_of(figure.value) if bins > 1 else 1.0
    return _Test(_check("drift", month, column, rows, figure, p_value), figure.value, limits)


def _together(expected: IntArray, actual: IntArray) -> tuple[IntArray, IntArray]:
    """Counts with the bins put together that a month of this size would hardly fill: chi-squared needs five cases.

    Bins that training never filled stay apart, so that what is new is seen. Only training's counts decide.
    """
    ratio = int(actual.sum()) / max(int(expected.sum()), 1)
    rare = (expected > 0) & (expected * ratio < _LEAST)
    usual = np.flatnonzero((expected > 0) & ~rare)
    if rare.any() and expected[rare].sum() * ratio < _LEAST and len(usual):
        rare[usual[expected[usual].argmin()]] = True
    if not rare.any():
        return expected, actual
    return (
        np.append(expected[~rare], expected[rare].sum()).astype(np.int64),
        np.append(actual[~rare], actual[rare].sum()).astype(np.int64),
    )


# --- outcomes as they mature ------------------------------------------------------------------------------------------


def _vintage(month: ScoredMonth, p: FloatArray, end: int, horizon: int) -> Vintage:
    age = end - month_number(month.month)
    after, seen = month.bad_after, min(age, horizon)
    matured = []
    if after is not None:
        if len(after) != len(p):
            raise InvalidInput(f"{month.month}: {len(after)} outcomes for {len(p)} rows.", "Give one for each row.")
        for mob in sorted({*range(_EVERY, seen + 1, _EVERY), seen}):
            bad = after <= mob
            matured.append(Matured(mob, int(bad.sum()), share_estimate(int(bad.sum()), len(p)), auc(p, bad)))
    return Vintage(month.month, len(p), age, age >= horizon, float(p.mean()), tuple(matured))


def _ranking(month: str, vintage: Vintage, approved: Estimate) -> _Test:
    """AUC at the horizon against the approved one: one-sided, normal on the logit."""
    found = vintage.matured[-1].auc
    error = float(np.hypot(_logit_error(found), _logit_error(approved)))
    z = (_logit(found.value) - _logit(approved.value)) / error if error > 0 else np.nan

    def limits(chance: float, least: float) -> tuple[float, None, float]:
        by_chance = 1 / (1 + np.exp(-(_logit(approved.value) + float(ndtri(chance)) * error)))
        low = min(by_chance, approved.value - least)
        return float(low), None, float(ndtr((_logit(low) - _logit(approved.value)) / error))

    check = _check("ranking", month, "", vintage.rows, found, float(ndtr(z)))
    return _Test(check, approved.value - found.value, limits)


def _logit(value: float) -> float:
    return float(np.log(value / (1 - value))) if 0 < value < 1 else float(np.sign(value - 0.5) * 40)


def _logit_error(figure: Estimate) -> float:
    """The standard error behind an interval that was taken on the logit."""
    return (_logit(figure.high) - _logit(figure.low)) / (2 * _Z)


def _level(month: str, p: FloatArray, bads: int) -> _Test:
    """Bads against the sum of p: two-sided, by the binomial that has the sum's mean and variance."""
    expected = float(p.sum())
    chance_of = float((p * p).sum()) / expected
    trials = expected / chance_of

    def at_most(count: float) -> float:
        return (
            1.0 if count >= trials else 0.0 if count < 0 else float(betainc(trials - count, count + 1, 1 - chance_of))
        )

    lower, upper = at_most(bads), 1 - at_most(bads - 1)
    share = share_estimate(bads, len(p))
    scale = len(p) / expected
    figure = Estimate(share.value * scale, share.low * scale, share.high * scale)

    def limits(chance: float, least: float) -> tuple[float, float, float]:
        low = min(_last(lambda count: at_most(count) <= chance / 2, trials), int(expected / least))
        high = max(_last(lambda count: 1 - at_most(count - 1) > chance / 2, trials) + 1, int(np.ceil(expected * least)))
        return low / expected, high / expected, at_most(low) + 1 - at_most(high - 1)

    check = _check("level", month, "", len(p), figure, min(2 * min(lower, upper), 1.0))
    size = figure.value if figure.value >= 1 else 1 / figure.value if figure.value > 0 else np.inf
    return _Test(check, size, limits)


def _last(holds: Callable[[int], bool], trials: float) -> int:
    """The last whole number of which something holds that holds up to there; -1 where it never does."""
    low, high = -1, int(trials) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


# --- baseline ---------------------------------------------------------------------------------------------------------


def _approved_auc(facts: Mapping[str, object]) -> Estimate | None:
    """The AUC that the model was approved with, and its interval where the facts give one."""
    performance = facts.get("performance")
    if not isinstance(performance, Mapping):
        return None
    given = performance.get("auc")
    if isinstance(given, Mapping):
        value, low, high = (_number(given.get(name)) for name in ("value", "low", "high"))
    else:
        value, low, high = (_number(performance.get(name)) for name in ("auc", "auc_low", "auc_high"))
    if value is None:
        return None
    return Estimate(value, value if low is None else low, value if high is None else high)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _not_checked(card: Scorecard, vintages: list[Vintage], approved: Estimate | None) -> tuple[str, ...]:
    """Keys of what could not be held against anything."""
    mature = any(vintage.mature and vintage.matured for vintage in vintages)
    return tuple(
        key
        for key, missing in (
            ("monitor.needs.score", "score_edges" not in card.facts or "score_shares" not in card.facts),
            (
                "monitor.needs.counts",
                not any((goods + bads).any() for goods, bads in zip(card.goods, card.bads, strict=True)),
            ),
            ("monitor.needs.outcomes", not any(vintage.matured for vintage in vintages)),
            ("monitor.needs.maturity", any(vintage.matured for vintage in vintages) and not mature),
            ("monitor.needs.auc", mature and approved is None),
        )
        if missing
    )


def figure_document(figure: Estimate) -> dict[str, float | None]:
    return {
        name: value if np.isfinite(value) else None
        for name, value in (("value", figure.value), ("low", figure.low), ("high", figure.high))
    }
