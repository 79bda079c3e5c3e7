"""One question about borrowers, trained on months that are over and judged out of time.

`first`: nothing is overdue yet; will any line be within the horizon? `spread`: some lines are overdue and some are not;
will another be? Each has a boosted additive scorecard of its own. The model that judges saw only months whose outcomes
were over before the first judged month; the model that scores the present is trained on all that is over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.arrears.warning.ahead import BorrowerMonths
from evenkeel.arrears.warning.facts import IntArray
from evenkeel.kernel.calendar import month_text
from evenkeel.measures.calibration import fit_platt
from evenkeel.scoring.additive import AdditiveSettings, fit_additive
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.scorecard import Scorecard

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FIRST, SPREAD = "first", "spread"
LEAST_CASES = 30  # fewer borrower-months of either outcome train no model
_ENOUGH = 100  # outcomes to judge by: earlier months are added until there are as many
_MOST_CASES = 20_000  # of either outcome that train; more are drawn, and weigh what they stand for
_LEAST_MONTHS = 3  # that train the judging model; of fewer, one change of the source's own codes would decide
_HISTORY = 5  # months of history a training month has where the book is long enough
SETTINGS = AdditiveSettings(bins=16, most_pairs=30, most_features=40, bags=0)
LINE_SETTINGS = AdditiveSettings(bins=16, most_pairs=12, most_features=30, bags=0)  # there are three a question


@dataclass(frozen=True, slots=True)
class Sample:
    """What each case is for; (n,) each.

    weight: how many cases one stands for, 0 where it is for nothing. train: for the model of the present. earlier: for
    the model that judges. held: judged.
    """

    weight: FloatArray
    train: BoolArray
    earlier: BoolArray
    held: BoolArray
    how: str

    def keep(self, kept: BoolArray | IntArray) -> Sample:
        """Only some of the cases, by mask or by place."""
        return Sample(self.weight[kept], self.train[kept], self.earlier[kept], self.held[kept], self.how)


@dataclass(frozen=True, slots=True)
class Question:
    """The borrower-months of one question at one horizon; (n,) each, by borrower and month.

    until: months to the outcome, 0 where there is none. present: the borrowers whom the question is about now.
    missing: why there is no model.
    """

    name: str
    horizon: int
    borrower: IntArray
    month: IntArray
    until: IntArray
    sample: Sample
    present: IntArray
    missing: str = ""

    @property
    def hit(self) -> BoolArray:
        """Whether it happened."""
        return self.until > 0

    @property
    def judged_on(self) -> list[str]:
        """The months that judge."""
        return [month_text(int(month)) for month in np.unique(self.month[self.sample.held])]


def questions(grid: BorrowerMonths, horizon: int, seed: int) -> tuple[Question, Question]:
    """The first line, and the spread."""
    return (
        ask(grid, FIRST, grid.clear, horizon, seed),
        ask(grid, SPREAD, grid.partly, horizon, seed),
    )


def ask(grid: BorrowerMonths, name: str, asked: BoolArray, horizon: int, seed: int) -> Question:
    """The cases of one question, of which the outcomes are told. asked: (borrowers, months), where it is one."""
    start, over = history(asked.shape[1], horizon)
    borrower, column = np.nonzero((asked & grid.told)[:, start:over])
    column = column + start
    month, until = grid.first + column, grid.until[borrower, column]
    sample, missing = draw(borrower, month, until > 0, horizon, len(asked), seed)
    kept = sample.weight > 0
    return Question(
        name, horizon, borrower[kept], month[kept], until[kept], sample.keep(kept), np.flatnonzero(asked[:, -1]),
        missing,
    )  # fmt: skip


def history(width: int, horizon: int) -> tuple[int, int]:
    """(first, end) of the months, of `width`, that have enough history behind them and their horizon over."""
    over = max(width - horizon, 0)
    return min(_HISTORY, over // 2), over


def draw(
    borrower: IntArray, month: IntArray, hit: BoolArray, horizon: int, borrowers: int, seed: int
) -> tuple[Sample, str]:
    """What cases are for, and why there is no model where there is none: then every weight is 0.

    Those of either outcome beyond _MOST_CASES are drawn, one in k with weight k; judged months are taken whole.
    """
    if min(hit.sum(), (~hit).sum()) < LEAST_CASES:
        over = "month is over" if horizon == 1 else f"{horizon} months are over"
        nothing = np.zeros(len(hit), bool)
        return Sample(np.zeros(len(hit)), nothing, nothing, nothing, ""), (
            f"{int(hit.sum())} of {len(hit)} cases whose {over} were followed by an overdue line; "
            f"a model needs {LEAST_CASES} of either outcome"
        )
    weight = _drawn(hit, seed)
    train = weight > 0
    earlier, held, how = _apart(borrower, month, hit, train, horizon, borrowers, seed)
    return Sample(np.where(held & ~train, 1.0, weight), train, earlier, held, how), ""


def _drawn(hit: BoolArray, seed: int) -> FloatArray:
    """Weight of each case: 1, or k where only one in k of its outcome is drawn, 0 where it is not."""
    weight = np.ones(len(hit))
    chance = np.random.default_rng([seed, 2]).random(len(hit))
    for outcome in (hit, ~hit):
        share = max(int(outcome.sum()) / _MOST_CASES, 1.0)
        weight[outcome] = np.where(chance[outcome] < 1 / share, share, 0.0)
    return weight


def _apart(
    borrower: IntArray, month: IntArray, hit: BoolArray, train: BoolArray, horizon: int, borrowers: int, seed: int
) -> tuple[BoolArray, BoolArray, str]:
    """(cases of the judging model, judged cases, how): the fewest last months with enough outcomes to judge by.

    A book too short for months apart is split by borrower: half train on all months, the others' last month judges.
    """
    last = int(month.max())
    best: tuple[BoolArray, BoolArray] | None = None
    for first in range(last, int(month.min()), -1):
        held, earlier = month >= first, train & (month + horizon <= first)
        few = min(hit[earlier].sum(), (~hit[earlier]).sum())
        apart = len(np.unique(month[earlier])) >= _LEAST_MONTHS
        if not apart or few < LEAST_CASES or (best is not None and hit[earlier].sum() < hit[held].sum()):
            break
        best = earlier, held
        if min(hit[held].sum(), (~hit[held]).sum()) >= _ENOUGH:
            break
    if best is not None:
        earlier, held = best
        span = month_text(int(month[earlier].min())), month_text(int(month[earlier].max()))
        return earlier, held, (
            f"trained on {span[0]} to {span[1]}, all over by {month_text(int(month[held].min()))}, the first month "
            f"that judges"
        )  # fmt: skip
    half = np.random.default_rng([seed, 1]).permutation(borrowers) % 2 == 0
    earlier, held = train & half[borrower], (month == last) & ~half[borrower]
    span = month_text(int(month.min())), month_text(last)
    return (
        earlier,
        held,
        (f"trained on {span[0]} to {span[1]} of half of the borrowers, judged on the others in {month_text(last)}"),
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """The held cases. log_odds: by `earlier`, which saw nothing of their time. p: calibrated, each half of the
    borrowers by the other half.
    """

    log_odds: FloatArray
    p: FloatArray
    earlier: Scorecard


@dataclass(frozen=True, slots=True)
class Model:
    """The calibrated scorecard of the present, and how its like fared out of time; None where that cannot be told."""

    scorecard: Scorecard
    judged: Judged | None

    @property
    def inputs(self) -> Scorecard:
        """The scorecard whose ln odds other models read: the one that judges, so that they can be judged too."""
        return self.scorecard if self.judged is None else self.judged.earlier


def fit(question: Question, columns: pa.Table, candidates: tuple[Candidate, ...], seed: int) -> Model | None:
    """Train and judge. columns: (n,) features of the question's cases. None where the cases are too few."""
    return fitted(columns, candidates, question.borrower, question.hit, question.sample, seed, SETTINGS)


def fitted(
    columns: pa.Table, candidates: tuple[Candidate, ...], borrower: IntArray, hit: BoolArray, sample: Sample, seed: int,
    settings: AdditiveSettings = LINE_SETTINGS,
) -> Model | None:  # fmt: skip
    """A scorecard of the `train` rows, calibrated on the `held` ones by a scorecard of the `earlier` rows.

    borrower, hit: (n,). None without LEAST_CASES of either outcome to train on.
    """
    train, earlier, held = sample.train, sample.earlier, sample.held

    def of(rows: BoolArray) -> Scorecard:
        return fit_additive(
            columns.filter(pa.array(rows)), hit[rows], candidates, sample.weight[rows], settings=settings, seed=seed
        )

    if min(hit[train].sum(), (~hit[train]).sum()) < LEAST_CASES:
        return None
    scorecard, truth = of(train), hit[held]
    if min(hit[earlier].sum(), (~hit[earlier]).sum(), truth.sum(), (~truth).sum()) < LEAST_CASES // 3:
        return Model(scorecard, None)
    judge = of(earlier)
    log_odds = judge.log_odds(columns.filter(pa.array(held)))
    half = np.random.default_rng([seed, 3]).permutation(int(borrower.max()) + 1)[borrower[held]] % 2 == 0
    p = judge.probability(columns.filter(pa.array(held)))
    for part in (half, ~half):
        if min(truth[~part].sum(), (~truth[~part]).sum()) >= LEAST_CASES // 3:
            p[part] = fit_platt(log_odds[~part], truth[~part]).apply(log_odds[part])
    return Model(scorecard.recalibrated(fit_platt(log_odds, truth)), Judged(log_odds, p, judge))
