"""What a scorecard is worth, in numbers: from rows that it was judged on out of sample. The page is drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures import discrimination
from evenkeel.measures.calibration import (
    CalibrationTest,
    Reliability,
    calibration_test,
    expected_calibration_error,
    reliability,
    spiegelhalter,
)
from evenkeel.measures.discrimination import (
    Difference,
    Estimate,
    Gain,
    auc_difference,
    gains,
    share_estimate,
    share_ratio,
)
from evenkeel.measures.stability import psi, rate_drift
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.scorecard import Feature, Scorecard

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

FORMER = "former_champion"  # its name among the challengers
_LEVELS = 12  # of a group that are told apart
_REFERENCE_SHARE = 0.02  # of the rows that a reference group has at least (29 CFR 1607.4 D)
_POINTS = 200  # of the drawn curves


@dataclass(frozen=True)
class Judged:
    """Rows on which a model is judged: none of the figures may come from a fit that saw the row's own outcome.

    columns: a frame with every feature. p: (n,) probability of the bad. bad: (n,). month: (n,) text `YYYY-MM`.
    groups: a column of (n,) by name, for fairness. challengers: (n,) p by name. former: (n,) p of the champion before.
    """

    columns: pa.Table
    p: FloatArray
    bad: BoolArray
    month: npt.NDArray[np.str_] | None = None
    groups: Mapping[str, object] = field(default_factory=dict)
    challengers: Mapping[str, FloatArray] = field(default_factory=dict)
    former: FloatArray | None = None

    def __post_init__(self) -> None:
        rows = self.columns.num_rows
        told: dict[str, npt.NDArray[Any]] = {"p": self.p, "bad": self.bad, **self.challengers}
        told |= {name: array for name, array in (("month", self.month), (FORMER, self.former)) if array is not None}
        for name, values in told.items():
            if len(values) != rows:
                raise InvalidInput(f"`{name}` has {len(values)} entries for {rows} rows.", "Give one for each row.")
        for name, values in {"p": self.p, **self.rivals}.items():
            if not ((values >= 0) & (values <= 1)).all():
                raise InvalidInput(f"`{name}` is no probability in every row.", "Give figures from 0 to 1.")
        if self.bad.all() or not self.bad.any():
            raise InvalidInput("every row has the same outcome; nothing can be judged.", "Give goods and bads.")

    @property
    def rivals(self) -> dict[str, FloatArray]:
        """Every other model's p, the former champion's last."""
        return {**self.challengers, **({} if self.former is None else {FORMER: self.former})}


@dataclass(frozen=True, slots=True)
class Overall:
    """How well one set of probabilities does."""

    auc: Estimate
    gini: Estimate
    ks: Estimate
    brier: Estimate
    log_loss: Estimate
    h_measure: Estimate


@dataclass(frozen=True, slots=True)
class Curve:
    """Cumulated shares from the riskiest row on: of all rows, of the bads, of the goods. ROC, KS and gains in one."""

    rows: tuple[float, ...]
    bads: tuple[float, ...]
    goods: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Do the probabilities mean what they say. groups: by rising p. spiegelhalter_p: of right probabilities."""

    groups: tuple[Reliability, ...]
    test: CalibrationTest
    expected_error: Estimate
    spiegelhalter_p: float


@dataclass(frozen=True, slots=True)
class Month:
    """One month. psi: of the score against the first month, with the most that chance gives in 19 of 20 months."""

    month: str
    rows: int
    bads: int
    bad_rate: Estimate
    expected_rate: float
    auc: Estimate
    psi: Estimate | None
    psi_noise: float | None


@dataclass(frozen=True, slots=True)
class Label:
    """What a code stands for. kind: bin (low <= x < high), level (`text`), code (`low`), other, missing."""

    kind: str
    text: str
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True)
class Bin:
    """One code of a feature. expected_rate: mean p. trained_rate: its bad rate in training."""

    label: Label
    rows: int
    bads: int
    share: float
    bad_rate: Estimate
    expected_rate: float
    trained_rate: float
    points: float


@dataclass(frozen=True, slots=True)
class FeatureBins:
    """A feature and its bins. spread: standard deviation of its points over the rows, which is what it decides."""

    name: str
    concept: str
    trend: int
    spread: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class PairMap:
    """A pair's points, (rows, columns), over the codes of each group of its features. shares: of the judged rows."""

    first: str
    second: str
    rows: tuple[tuple[int, ...], ...]
    columns: tuple[tuple[int, ...], ...]
    points: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    spread: float


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a group. impact: its approval rate over the reference's. observed_to_expected: bads over sum of p.

    expected_rate: mean p.
    """

    label: Label
    rows: int
    bads: int
    approval_rate: Estimate
    impact: Estimate
    bad_rate: Estimate
    expected_rate: float
    observed_to_expected: Estimate
    auc: Estimate


@dataclass(frozen=True, slots=True)
class Attribute:
    """A group and its levels. reference: the level that is approved most, of those with 2 % of the rows at least."""

    name: str
    reference: Label
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another model on the same rows. difference: this model's AUC less its own."""

    name: str
    overall: Overall
    difference: Difference


@dataclass(frozen=True, slots=True)
class Swap:
    """Cases that both, one or neither of two models approve."""

    rows: int
    bads: int
    bad_rate: Estimate


@dataclass(frozen=True, slots=True)
class SwapSet:
    """Who changes places when this model follows the former one and as many are approved.

    saved: bad rate of those swapped out less that of those swapped in, with its interval.
    """

    approved_share: float
    both: Swap
    swapped_in: Swap
    swapped_out: Swap
    neither: Swap
    saved: Difference
    bad_rate_before: Estimate
    bad_rate_after: Estimate


@dataclass(frozen=True)
class Validation:
    """All figures of a validation. cut_off: p up to which is approved, which approves `approved_share` of the rows."""

    version: str
    kind: str
    how: str
    facts: Mapping[str, object]
    rows: int
    bads: int
    bad_rate: Estimate
    overall: Overall
    curve: Curve
    gains: tuple[Gain, ...]
    calibration: Calibrated
    months: tuple[Month, ...]
    features: tuple[FeatureBins, ...]
    pairs: tuple[PairMap, ...]
    cut_off: float
    approved_share: float
    fairness: tuple[Attribute, ...]
    benchmark: tuple[Rival, ...]
    swap: SwapSet | None

    def document(self) -> dict[str, object]:
        """The figures as JSON takes them; a figure that the data do not give is null."""
        document = _plain(self)
        assert isinstance(document, dict)  # noqa: S101 - of a dataclass
        return document


def validate(card: Scorecard, judged: Judged, *, how: str, approve: float = 0.8, seed: int = 0) -> Validation:
    """Judge a scorecard. how: in words, how the rows were kept out of the fit. approve: share of rows that is approved.

    seed: of the resampled intervals and of ties at the cut-off. Raises InvalidInput as `Judged`.
    """
    if not 0 < approve < 1:
        raise InvalidInput(f"an approved share of {approve} is none.", "Give a share between 0 and 1.")
    p, bad = judged.p, judged.bad
    codes = card.codes(judged.columns)
    cut_off = float(np.quantile(p, approve, method="inverted_cdf"))
    features = [_feature(card, place, codes[place].astype(np.int64), judged) for place in range(len(card.features))]
    return Validation(
        version=card.version,
        kind=card.kind,
        how=how,
        facts={name: value for name, value in card.facts.items() if name not in ("score_edges", "score_shares")},
        rows=len(p),
        bads=int(bad.sum()),
        bad_rate=share_estimate(int(bad.sum()), len(p)),
        overall=_overall(p, bad, seed),
        curve=_curve(p, bad),
        gains=tuple(gains(p, bad)),
        calibration=_calibrated(p, bad),
        months=_months(card, judged),
        features=tuple(sorted(features, key=lambda feature: -feature.spread)),
        pairs=tuple(sorted(_pairs(card, codes, features), key=lambda pair: -pair.spread)),
        cut_off=cut_off,
        approved_share=float((p <= cut_off).mean()),
        fairness=tuple(_attribute(name, column, judged, p <= cut_off) for name, column in judged.groups.items()),
        benchmark=tuple(
            Rival(name, _overall(other, bad, seed), auc_difference(p, other, bad))
            for name, other in judged.rivals.items()
        ),
        swap=None if judged.former is None else _swap(p, judged.former, bad, approve, seed),
    )


def _overall(p: FloatArray, bad: BoolArray, seed: int) -> Overall:
    return Overall(
        discrimination.auc(p, bad),
        discrimination.gini(p, bad),
        discrimination.kolmogorov_smirnov(p, bad, seed),
        discrimination.brier(p, bad),
        discrimination.log_loss(p, bad),
        discrimination.h_measure(p, bad, seed),
    )


def _curve(p: FloatArray, bad: BoolArray) -> Curve:
    """At most 200 points, taken where p changes, so that equal p are never told apart."""
    distinct, place = np.unique(-p, return_inverse=True)
    rows, bads = np.bincount(place), np.bincount(place[bad], minlength=len(distinct))
    ends = np.concatenate(([0.0], np.cumsum(rows))), np.concatenate(([0.0], np.cumsum(bads)))
    wanted = np.linspace(0, len(p), _POINTS)
    kept = np.unique(np.searchsorted(ends[0], wanted))
    all_rows, all_bads = ends[0][kept], ends[1][kept]
    goods = (all_rows - all_bads) / (len(p) - bads.sum())
    return Curve(tuple((all_rows / len(p)).tolist()), tuple((all_bads / bads.sum()).tolist()), tuple(goods.tolist()))


def _calibrated(p: FloatArray, bad: BoolArray) -> Calibrated:
    held = np.clip(p, 1e-12, 1 - 1e-12)
    test = calibration_test(np.log(held) - np.log1p(-held), bad)
    return Calibrated(
        tuple(reliability(p, bad)), test, expected_calibration_error(p, bad), spiegelhalter(p, bad).p_value
    )


def _months(card: Scorecard, judged: Judged) -> tuple[Month, ...]:
    if judged.month is None:
        return ()
    names, place = np.unique(judged.month, return_inverse=True)
    scores = card.score(judged.columns)
    edges = np.unique(np.quantile(scores[place == 0], np.arange(1, 10) / 10))
    group = np.searchsorted(edges, scores, side="right")
    first = np.bincount(group[place == 0], minlength=len(edges) + 1)
    found = []
    for number, name in enumerate(names):
        of = place == number
        drift = psi(first, np.bincount(group[of], minlength=len(edges) + 1)) if number else None
        bads = int(judged.bad[of].sum())
        found.append(
            Month(
                str(name), int(of.sum()), bads, share_estimate(bads, int(of.sum())), float(judged.p[of].mean()),
                discrimination.auc(judged.p[of], judged.bad[of]),
                drift.index if drift else None, drift.noise_95 if drift else None,
            )
        )  # fmt: skip
    return tuple(found)


# --- what the tables do -----------------------------------------------------------------------------------------------


def _feature(card: Scorecard, place: int, codes: IntArray, judged: Judged) -> FeatureBins:
    feature, points = card.features[place], card.points[place]
    rows = np.bincount(codes, minlength=feature.size)
    bads = np.bincount(codes[judged.bad], minlength=feature.size)
    expected = np.bincount(codes, judged.p, minlength=feature.size) / np.maximum(rows, 1)
    goods, lost = card.goods[place], card.bads[place]
    trained = lost / np.where(goods + lost > 0, goods + lost, np.nan)
    bins = tuple(
        Bin(
            label, int(rows[code]), int(bads[code]), float(rows[code] / len(codes)),
            share_estimate(int(bads[code]), int(rows[code])), float(expected[code]) if rows[code] else np.nan,
            float(trained[code]), float(points[code]),
        )
        for code, label in enumerate(labels(feature))
    )  # fmt: skip
    mean = (points * rows).sum() / len(codes)
    spread = float(np.sqrt((rows * (points - mean) ** 2).sum() / len(codes)))
    return FeatureBins(feature.name, feature.concept, feature.trend, spread, bins)


def labels(feature: Feature) -> list[Label]:
    """What each code of a feature stands for."""
    bounds = [-np.inf, *feature.edges.tolist(), np.inf]
    ends: list[tuple[str, float, float]] = (
        [("bin", low, high) for low, high in pairwise(bounds)] if feature.levels is None
        else [("level", np.nan, np.nan)] * feature.bins
    )  # fmt: skip
    ends += [("code", special, special) for special in feature.specials]
    ends += [("other", np.nan, np.nan)] if feature.levels is not None else []
    ends.append(("missing", np.nan, np.nan))
    names = [*(feature.levels or ()), *[""] * len(ends)]
    return [Label(kind, text, low, high) for (kind, low, high), text in zip(ends, names, strict=False)]


def _pairs(card: Scorecard, codes: list[npt.NDArray[np.int32]], features: list[FeatureBins]) -> list[PairMap]:
    found = []
    for pair, points in zip(card.pairs, card.pair_points, strict=True):
        width = points.shape[1]
        cells = pair.first_groups[codes[pair.first]].astype(np.int64) * width + pair.second_groups[codes[pair.second]]
        shares = (np.bincount(cells, minlength=points.size) / len(cells)).reshape(points.shape)
        mean = (points * shares).sum()
        found.append(
            PairMap(
                features[pair.first].name, features[pair.second].name,
                _groups(pair.first_groups), _groups(pair.second_groups),
                _rows(points), _rows(shares),
                float(np.sqrt((shares * (points - mean) ** 2).sum())),
            )
        )  # fmt: skip
    return found


def _rows(table: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(entry) for entry in line) for line in table)


def _groups(groups: npt.NDArray[np.int32]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(np.flatnonzero(groups == group).tolist()) for group in range(int(groups.max()) + 1))


# --- fairness, challengers, swaps -------------------------------------------------------------------------------------


def _attribute(name: str, column: object, judged: Judged, approved: BoolArray) -> Attribute:
    levels, place = _levels(name, column)
    if len(place) != len(approved):
        raise InvalidInput(f"`{name}` has {len(place)} entries for {len(approved)} rows.", "Give one for each row.")
    rows, yes = np.bincount(place, minlength=len(levels)), np.bincount(place[approved], minlength=len(levels))
    rates = np.where(rows >= _REFERENCE_SHARE * len(place), yes / np.maximum(rows, 1), -1.0)
    reference = int(rates.argmax())
    found = []
    for code, level in enumerate(levels):
        of = place == code
        bads, expected = int(judged.bad[of].sum()), float(judged.p[of].sum())
        rate = share_estimate(bads, int(rows[code]))
        scale = int(rows[code]) / expected if expected > 0 else float("nan")
        impact = share_ratio(int(yes[code]), int(rows[code]), int(yes[reference]), int(rows[reference]))
        found.append(
            Level(
                level, int(rows[code]), bads, share_estimate(int(yes[code]), int(rows[code])),
                Estimate(1.0, 1.0, 1.0) if code == reference else impact, rate, expected / max(int(rows[code]), 1),
                Estimate(rate.value * scale, rate.low * scale, rate.high * scale),
                discrimination.auc(judged.p[of], judged.bad[of]),
            )
        )  # fmt: skip
    return Attribute(name, levels[reference], tuple(found))


def _levels(name: str, column: object) -> tuple[list[Label], IntArray]:
    """Levels and each row's place: texts as they are, numbers of many values in quarters, rare texts as other."""
    values = frame({name: column})[name]
    counted = sorted((-entry["counts"], entry["values"]) for entry in pc.value_counts(values.drop_null()).to_pylist())
    distinct = [value for _, value in counted]
    if not is_text(values) and len(distinct) > _LEVELS:
        known = numbers(values)
        feature = Feature(name, name, np.unique(np.nanquantile(known, (0.25, 0.5, 0.75))))
    elif is_text(values):
        feature = Feature(name, name, levels=tuple(distinct[:_LEVELS]))
    else:
        texts = [None if value is None else f"{value:.10g}" for value in values.to_pylist()]
        values = pa.array(texts, pa.string())
        feature = Feature(name, name, levels=tuple(f"{value:.10g}" for value in sorted(distinct)))
    codes = feature.codes(values)
    present, place = np.unique(codes, return_inverse=True)
    named = labels(feature)
    return [named[code] for code in present], place.astype(np.int64)


def _swap(p: FloatArray, former: FloatArray, bad: BoolArray, approve: float, seed: int) -> SwapSet:
    lot = np.random.default_rng(seed).random(len(p))  # who is in and who is out where p is equal at the cut-off
    count = round(approve * len(p))
    new, old = np.zeros(len(p), np.bool_), np.zeros(len(p), np.bool_)
    new[np.lexsort((lot, p))[:count]] = True
    old[np.lexsort((lot, former))[:count]] = True

    def swap(of: BoolArray) -> Swap:
        rows, bads = int(of.sum()), int(bad[of].sum())
        return Swap(rows, bads, share_estimate(bads, rows))

    entered, left = swap(new & ~old), swap(old & ~new)
    saved = rate_drift(entered.bads, entered.rows, left.bads, left.rows)
    return SwapSet(
        count / len(p), swap(new & old), entered, left, swap(~new & ~old), saved, swap(old).bad_rate, swap(new).bad_rate
    )


def _plain(value: object) -> object:
    """A value as JSON takes it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.generic):
        return value.item()
    return value
