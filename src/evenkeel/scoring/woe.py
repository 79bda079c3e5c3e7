"""The classical scorecard: weight of evidence over optimal bins, logistic regression, points (Siddiqi 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.measures.binning import information_value, optimal_bins, shrunk_weight_of_evidence
from evenkeel.measures.logistic import fit_signed_logistic
from evenkeel.scoring.cutting import Candidate, levels_of, ordinary, shares_of
from evenkeel.scoring.frame import is_text
from evenkeel.scoring.scorecard import STANDARD, CodeArray, Feature, Scaling, Scorecard

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PRIOR = 10.0  # rows at the average bad rate added to every bin, so that a rare bin says little
_LEAST_INFORMATION = 0.02  # a feature below this information value does not predict (Siddiqi 2006, p. 81)


@dataclass(frozen=True, slots=True)
class WoeSettings:
    """How the bins are cut and which features stay.

    criterion: the price of a cut (measures.binning). signed: every coefficient held to "more evidence of good, less
    risk". least_information: features of less are left out. closest: of two features whose WoE move together more than
    this, the weaker is left out. most_features: by information value.
    """

    max_bins: int = 7
    min_share: float = 0.01
    prebins: int = 32
    criterion: Literal["schwarz", "akaike"] = "akaike"
    signed: bool = False
    least_information: float = 0.0
    closest: float = 1.0
    most_features: int = 100
    most_levels: int = 60
    ridge: float = 1.0


PREDICTING = WoeSettings()
# For models that nobody looks at before they are used: fewer bins and features, every sign as its bins say.
CAUTIOUS = WoeSettings(8, 0.03, 32, "schwarz", True, _LEAST_INFORMATION, 0.97, 40)


@dataclass(frozen=True, slots=True)
class _Characteristic:
    feature: Feature
    codes: CodeArray
    goods: FloatArray
    bads: FloatArray
    woe: FloatArray

    @property
    def information(self) -> float:
        return information_value(self.goods, self.bads, self.woe)


def fit_woe(
    columns: pa.Table, bad: BoolArray, candidates: Sequence[Candidate], weights: FloatArray | None = None,
    settings: WoeSettings = PREDICTING, scaling: Scaling = STANDARD,
) -> Scorecard:  # fmt: skip
    """Fit bins, then a logistic regression on their WoE.

    columns: a frame with the candidates' columns. bad: (n,) bool, both classes present. weights: (n,) of rows. A
    feature with a trend keeps its sign; a coefficient of 0 leaves the feature out.
    """
    unit = np.ones(len(bad)) if weights is None else weights
    present = set(columns.column_names)
    entries = [
        _characteristic(entry, columns[entry.name], bad, unit, settings)
        for entry in candidates
        if entry.name in present
    ]
    kept, woe = _chosen(entries, settings)
    held = np.array([settings.signed or entry.feature.trend != 0 for entry in kept], bool)
    fitted = fit_signed_logistic(woe, bad, settings.ridge, unit, held)
    used = [(entry, weight) for entry, weight in zip(kept, fitted.coefficients, strict=True) if weight != 0.0]
    tables = [weight * entry.woe for entry, weight in used]
    means = [
        float(np.average(table, weights=entry.goods + entry.bads))
        for table, (entry, _) in zip(tables, used, strict=True)
    ]
    return Scorecard(
        "woe", fitted.intercept + sum(means),
        tuple(entry.feature for entry, _ in used),
        tuple(table - mean for table, mean in zip(tables, means, strict=True)),
        tuple(entry.goods for entry, _ in used), tuple(entry.bads for entry, _ in used),
        scaling=scaling,
    )  # fmt: skip


def _characteristic(
    candidate: Candidate, column: pa.ChunkedArray, bad: BoolArray, unit: FloatArray, settings: WoeSettings
) -> _Characteristic:
    if is_text(column):
        feature = Feature(
            candidate.name, candidate.concept, levels=levels_of(column, unit, settings.most_levels, PRIOR)
        )
    else:
        bins = optimal_bins(
            ordinary(candidate, column), bad, weights=unit, max_bins=settings.max_bins, min_share=settings.min_share,
            prebins=settings.prebins, trend=candidate.trend, criterion=settings.criterion,
        )  # fmt: skip
        feature = Feature(candidate.name, candidate.concept, bins.edges, None, candidate.specials, candidate.trend)
    codes = feature.codes(column)
    goods, bads = shares_of(codes, feature.size, bad, unit)
    woe = shrunk_weight_of_evidence(goods, bads, PRIOR)
    if feature.trend:
        # The added rows may turn two bins around; the direction that was asked for is worth more than they are.
        run = np.maximum.accumulate if feature.trend < 0 else np.minimum.accumulate
        woe[: feature.bins] = run(woe[: feature.bins])
    return _Characteristic(feature, codes, goods, bads, np.where(goods + bads > 0, woe, 0.0))


def _chosen(entries: Sequence[_Characteristic], settings: WoeSettings) -> tuple[list[_Characteristic], FloatArray]:
    """The informative features, strongest first, without near copies, and their WoE (n, k)."""
    ranked = sorted(entries, key=lambda entry: (-entry.information, entry.feature.name))
    rows = len(entries[0].codes) if entries else 0
    kept: list[_Characteristic] = []
    woes: list[FloatArray] = []
    scaled: list[FloatArray] = []
    for entry in ranked:
        if entry.information < settings.least_information or len(kept) == settings.most_features:
            break
        woe = entry.woe.take(entry.codes)
        spread = woe.std()
        if spread <= 1e-12:
            continue
        unit = (woe - woe.mean()) / spread / np.sqrt(rows)
        if settings.closest < 1 and any(abs(float(unit @ other)) > settings.closest for other in scaled):
            continue
        kept.append(entry)
        woes.append(woe)
        scaled.append(unit)
    return kept, np.column_stack(woes) if woes else np.empty((rows, 0))
