"""Stage 2, score: from the months of a book to a probability of the bad for every account on book, and its proof.

Two cases (CONTRACT 3). One snapshot: the outcomes belong to the accounts as they stand at as_of; the probability that
policy reads comes from five seeded folds by borrower. Months: earlier months, whose outcomes are known by as_of, train
the model that scores as_of; it is judged on the last of those months by models of the months before that saw other
borrowers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel
from evenkeel.behaviour.features import FEATURES, feature_values
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.binning import information_value, shrunk_weight_of_evidence
from evenkeel.measures.calibration import fit_platt, reliability
from evenkeel.measures.discrimination import auc, brier, kolmogorov_smirnov
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.additive import AdditiveSettings, fit_additive
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.frame import frame
from evenkeel.scoring.labels import UNKNOWN, already_bad, charge_off_months, horizon_for, labels_by_source
from evenkeel.scoring.scorecard import Scorecard, score_points
from evenkeel.scoring.woe import PRIOR

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEAST_BADS = 30  # fewer bads than this fit no scorecard that can be trusted
_FOLDS = 5
_MOST_TRAINING_ROWS = 150_000
_FEWEST_SAMPLED_BADS = 300
# A run fits six models, five of them to judge the sixth: coarse bins, few pairs and the smooth half do for each.
_SETTINGS = AdditiveSettings(bins=16, most_pairs=6, most_features=24, bags=0)
_MOST_LEVELS = 60  # a text column with more distinct values is an id, not a feature


@dataclass(frozen=True, slots=True)
class Scored:
    """The accounts on book at as_of, in the order of `rows`.

    rows: (n,) places in panel.months. pd, pd_out_of_sample: (n,) NaN where there is no model. bad: (n,) 0, 1, or -1
    while it lies ahead. score: (n,) whole points. concepts, points: reasons, points (n, concepts) against neutral.
    """

    rows: IntArray
    pd: FloatArray
    pd_out_of_sample: FloatArray
    bad: IntArray
    score: npt.NDArray[np.int32]
    concepts: tuple[str, ...]
    points: FloatArray
    scorecard: Scorecard | None
    summary: Mapping[str, object] | None  # portfolio.json "model"; None where there is no model
    missing: str = ""  # why there is no model

    @property
    def version(self) -> str | None:
        """The content hash of the model."""
        return None if self.scorecard is None else self.scorecard.version


def score(
    panel: Panel, tables: Mapping[str, pa.Table], *, seed: int, threads: int, own_bad: IntArray | None = None
) -> Scored:
    """Score every account on book in panel.last_month.

    own_bad: (n,) outcomes of these accounts where the caller knows what came after as_of; they never train.
    """
    rows = panel.rows_at(panel.last_month)
    months = int(np.unique(panel.month).size)
    horizon = horizon_for(months)
    labels, given = labels_by_source(panel, tables, horizon)
    snapshot_bads = int(((labels[rows] == 1) & given[rows]).sum())
    snapshot = snapshot_bads >= LEAST_BADS and int(((labels[rows] == 0) & given[rows]).sum()) >= LEAST_BADS
    bad = np.where(given[rows], labels[rows], UNKNOWN)
    if own_bad is not None:
        bad = np.where(bad == UNKNOWN, own_bad, bad)
    if snapshot:
        return _snapshot(panel, tables, rows, bad, seed, threads)
    return _months(panel, tables, rows, labels, bad, horizon, seed, threads)


def training_table(panel: Panel, tables: Mapping[str, pa.Table], *, seed: int, threads: int) -> pa.Table:
    """What a model of a book's accounts is trained on, one row an account and month: `bad`, and what was known then.

    Rows whose outcome is known, not bad already; those of `outcomes` alone where it has any. account_id, borrower_id
    and month (text) say which row is whose. Raises InvalidInput where no outcome is known.
    """
    horizon = horizon_for(int(np.unique(panel.month).size))
    labels, given = labels_by_source(panel, tables, horizon)
    lost = already_bad(panel, np.arange(len(labels)), charge_off_months(panel, tables.get("events")))
    known = (labels != UNKNOWN) & (given if given.any() else ~lost)
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        raise InvalidInput("no account's outcome is known.", "A book needs `outcomes`, or two months of `periods`.")
    rows, _ = _sampled(panel, rows, labels[rows] == 1, seed)
    owners = panel.accounts.take(pa.array(panel.account[rows]))
    borrowers = panel.borrowers.take(owners["borrower"].combine_chunks())
    months = pa.array([month_text(int(month)) for month in panel.month[rows]])
    columns = model_columns(panel, tables, rows, threads)
    for name, values in (
        ("account_id", owners["account_id"]), ("borrower_id", borrowers), ("month", months),
        ("bad", pa.array(labels[rows])),
    ):  # fmt: skip
        columns = columns.append_column(name, values)
    return columns


def model_columns(panel: Panel, tables: Mapping[str, pa.Table], rows: IntArray, threads: int) -> pa.Table:
    """Features of the given rows of panel.months, and the book's own `x_` columns and source code beside them."""
    wanted = panel.months.select(["account", "month"]).take(pa.array(rows))
    columns = feature_values(panel, wanted, threads).drop_columns(["account", "month"])
    months = panel.months.take(pa.array(rows))
    extras: dict[str, pa.ChunkedArray] = {"source_code": months["source_code"]}
    extras |= {name: months[name] for name in months.column_names if name.startswith("x_")}
    owners = panel.accounts.take(months["account"])
    extras |= {name: owners[name] for name in owners.column_names if name.startswith("x_")}
    if "borrowers" in tables:
        people = tables["borrowers"]
        place = pc.index_in(owners["borrower_id"].combine_chunks(), people["borrower_id"].combine_chunks())
        extras |= {name: people[name].take(place) for name in people.column_names if name.startswith("x_")}
    for name, values in extras.items():
        text = pa.types.is_string(values.type)
        if values.null_count == len(values) or (text and len(pc.unique(values)) > _MOST_LEVELS):
            continue
        columns = columns.append_column(name, values)
    return frame(columns)


_KNOWN = {feature.name: (feature.concept, feature.trend) for feature in FEATURES} | {"source_code": ("late_now", 0)}


def _candidates(columns: pa.Table) -> list[Candidate]:
    return [Candidate(name, *_KNOWN.get(name, (name, 0))) for name in columns.column_names]


def _take(columns: pa.Table, rows: npt.NDArray[np.bool_] | IntArray) -> pa.Table:
    return columns.filter(pa.array(rows)) if rows.dtype == bool else columns.take(pa.array(rows))


def _snapshot(
    panel: Panel, tables: Mapping[str, pa.Table], rows: IntArray, bad: IntArray, seed: int, threads: int
) -> Scored:
    """Five seeded folds by borrower give the out-of-sample probability; all rows give the scorecard."""
    columns = model_columns(panel, tables, rows, threads)
    candidates = _candidates(columns)
    labelled, target = bad != UNKNOWN, bad == 1
    fold = borrower_folds(panel, rows, seed)
    outside = _by_others(columns, target, labelled, np.ones(len(rows), bool), fold, candidates, seed)
    if outside is None:
        return _without(panel, rows, bad, f"{int(target.sum())} bads are too few for five folds by borrower")
    # Each fold is calibrated by the other folds' predictions, so that no row's own outcome touches its probability.
    calibrated = np.zeros(len(rows))
    for part in range(_FOLDS):
        others = labelled & (fold != part)
        calibrated[fold == part] = fit_platt(outside[others], target[others]).apply(outside[fold == part])
    scorecard = _fitted(_take(columns, labelled), target[labelled], candidates, seed)
    scorecard = scorecard.recalibrated(fit_platt(outside[labelled], target[labelled]))
    how = f"{_FOLDS} seeded folds by borrower over one snapshot; every row is judged by a model that did not see it"
    count = int(labelled.sum())
    summary = _summary(calibrated[labelled], target[labelled], seed, count, count, how, scorecard)
    return _scored(columns, rows, scorecard, calibrated, bad, summary)


def _fitted(columns: pa.Table, bad: BoolArray, candidates: Sequence[Candidate], seed: int) -> Scorecard:
    return fit_additive(columns, bad, candidates, settings=_SETTINGS, seed=seed)


def _by_others(
    columns: pa.Table, target: BoolArray, train: BoolArray, judged: BoolArray, fold: IntArray,
    candidates: Sequence[Candidate], seed: int,
) -> FloatArray | None:  # fmt: skip
    """ln odds of the judged rows, each by a model of the `train` rows of other borrowers; None where bads are too few.

    Returns (judged.sum(),).
    """
    outside = np.zeros(len(fold))
    for part in range(_FOLDS):
        mine, others = judged & (fold == part), train & (fold != part)
        if min(target[others].sum(), (~target[others]).sum()) < 2:
            return None
        fitted = _fitted(_take(columns, others), target[others], candidates, seed)
        outside[mine] = fitted.log_odds(_take(columns, mine))
    return outside[judged]


def _months(
    panel: Panel, tables: Mapping[str, pa.Table], rows: IntArray, labels: IntArray, bad: IntArray,
    horizon: int | None, seed: int, threads: int,
) -> Scored:  # fmt: skip
    """Earlier months train; the last labelled ones judge models of the months before, each by other borrowers."""
    if horizon is None:
        return _without(panel, rows, bad, "fewer than two months of history, and too few outcomes")
    charged_off = charge_off_months(panel, tables.get("events"))
    usable = np.flatnonzero((labels != UNKNOWN) & (panel.month < panel.last_month))
    usable = usable[~already_bad(panel, usable, charged_off)]
    target = labels[usable] == 1
    if target.sum() < LEAST_BADS or (~target).sum() < LEAST_BADS:
        why = f"{int(target.sum())} bads within {horizon} months; a scorecard needs {LEAST_BADS} bads and as many goods"
        return _without(panel, rows, bad, why)
    usable, share = _sampled(panel, usable, target, seed)
    target = labels[usable] == 1
    columns = model_columns(panel, tables, np.concatenate((usable, rows)), threads)
    history, present = columns.slice(0, len(usable)), columns.slice(len(usable))
    candidates = _candidates(columns)
    scorecard = _fitted(history, target, candidates, seed)
    judged = _judged(panel.month[usable], target)
    outside = None
    if judged is not None:
        # A borrower's months share an outcome: a model that saw some of them would know the others by heart.
        fold = borrower_folds(panel, usable, seed)
        outside = _by_others(history, target, ~judged, judged, fold, candidates, seed)
    summary: dict[str, object] | None = None
    if judged is not None and outside is not None:
        month = panel.month[usable]
        how = (
            f"judged on the accounts of {_span(month[judged])}, each by one of {_FOLDS} models trained on other "
            f"borrowers in {_span(month[~judged])}; all outcomes within {horizon} months are over by "
            f"{month_text(panel.last_month)}, and those of the two periods overlap in time; "
            f"1 account in {share} was drawn"
        )
        summary = _summary(
            sigmoid(outside), target[judged], seed, int((~judged).sum()), int(judged.sum()), how, scorecard
        )
        scorecard = scorecard.recalibrated(fit_platt(outside, target[judged]))
    scored = _scored(present, rows, scorecard, scorecard.probability(present), bad, summary)
    lost = already_bad(panel, rows, charged_off)
    certain = np.where(lost, 1.0, scored.pd)
    return replace(scored, pd=certain, pd_out_of_sample=certain, score=score_points(certain))


def _judged(month: IntArray, target: BoolArray) -> BoolArray | None:
    """The fewest last months with enough bads and goods to judge by, where as many are left to train; else None."""
    for first in np.unique(month)[:0:-1]:
        late = month >= first
        if min(target[late].sum(), (~target[late]).sum()) >= LEAST_BADS:
            enough = min(target[~late].sum(), (~target[~late]).sum()) >= LEAST_BADS
            return late if enough else None
    return None


def _span(months: IntArray) -> str:
    first, last = month_text(int(months.min())), month_text(int(months.max()))
    return first if first == last else f"{first}..{last}"


def borrower_folds(panel: Panel, rows: IntArray, seed: int) -> IntArray:
    """A fold of 0..4 for each row: a borrower's accounts share one, drawn by seed over the sorted borrowers."""
    folds = np.random.default_rng(seed).permutation(len(panel.borrowers)) % _FOLDS
    owner = panel.accounts["borrower"].to_numpy()
    result: IntArray = folds[owner[panel.account[rows]]].astype(np.int64)
    return result


def _sampled(panel: Panel, usable: IntArray, target: BoolArray, seed: int) -> tuple[IntArray, int]:
    """About 150,000 rows at most, or as many more as keep 300 bads: whole accounts, drawn by seed."""
    share = min(-(-len(usable) // _MOST_TRAINING_ROWS), int(target.sum()) // _FEWEST_SAMPLED_BADS)
    if share <= 1:
        return usable, 1
    drawn = np.random.default_rng(seed).permutation(panel.accounts.num_rows) % share == 0
    return usable[drawn[panel.account[usable]]], share


def _summary(
    p: FloatArray, bad: BoolArray, seed: int, rows_train: int, rows_holdout: int, how: str, scorecard: Scorecard
) -> dict[str, object]:
    area, gap, error = auc(p, bad), kolmogorov_smirnov(p, bad, seed), brier(p, bad)
    return {
        "auc": area.value, "auc_low": area.low, "auc_high": area.high,
        "ks": gap.value, "ks_low": gap.low, "ks_high": gap.high,
        "brier": error.value, "brier_low": error.low, "brier_high": error.high,
        "bad_rate": float(bad.mean()), "rows_train": rows_train, "rows_holdout": rows_holdout, "how": how,
        "features": [
            {
                "name": entry.name, "concept": entry.concept,
                "information_value": information_value(goods, bads, shrunk_weight_of_evidence(goods, bads, PRIOR)),
            }
            for entry, goods, bads in zip(scorecard.features, scorecard.goods, scorecard.bads, strict=True)
        ],
        "calibration": [
            {"predicted": group.predicted, "observed": group.observed, "low": group.low, "high": group.high,
             "rows": group.rows}
            for group in reliability(p, bad)
        ],
    }  # fmt: skip


def _scored(
    columns: pa.Table, rows: IntArray, scorecard: Scorecard, outside: FloatArray, bad: IntArray,
    summary: Mapping[str, object] | None,
) -> Scored:  # fmt: skip
    concepts, points = scorecard.contributions(columns)
    probability = scorecard.probability(columns)
    return Scored(
        rows, probability, outside, bad, score_points(probability), concepts, points, scorecard, summary,
        "" if summary else f"too few bads to judge the model: {LEAST_BADS} before and {LEAST_BADS} in the last months",
    )  # fmt: skip


def _without(panel: Panel, rows: IntArray, bad: IntArray, why: str) -> Scored:
    """No model: probabilities are not known, and the reason is said."""
    nothing = np.full(len(rows), np.nan)
    return Scored(
        rows, nothing, nothing, bad, np.zeros(len(rows), np.int32), (), np.empty((len(rows), 0)), None, None, why
    )
