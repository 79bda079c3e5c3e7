"""One probability that facts of an application are forged, concealed or copied, with the points of every sign.

A mixture of four kinds of application: honest, concealing (declares more than is earned), ring (several names behind
one hand) and copied (facts from a template). Each sign has levels; how often a level is expected of each forged kind is
stated here, as round judgement. How often it occurs among the honest, and how common each kind is, is estimated from
the applications themselves by expectation-maximisation (Dempster, Laird & Rubin 1977), as the u-probabilities of record
linkage are (Winkler 1988): no label is needed, and where sharing a telephone is common it says little. The points of a
sign are the natural log of its likelihood ratio, forged over honest; they add up to the odds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from evenkeel.decisions.assessment.requests import BoolArray, FloatArray, IntArray
from evenkeel.measures.calibration import fit_shift
from evenkeel.measures.logistic import fit_signed_logistic

KINDS: Final = ("concealing", "ring", "copied")
PRIOR: Final = np.array([0.010, 0.005, 0.005])  # of applications; judgement, and what the estimate starts from
PRIOR_WEIGHT: Final = 1000.0  # applications that the prior counts for
MOST_FORGED: Final = 0.5  # of applications: beyond it nobody could tell which of two is the honest kind
HONEST_WEIGHT: Final = 200.0  # applications that the stated honest chances of a sign count for
COMMONER: Final = 1.0  # times as common as stated that a suspicious level may be among the honest
_ROUNDS: Final = 200
_TOLERANCE: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Sign:
    """bounds: of the value; level k holds values from bounds[k - 1] on, below bounds[k]. Level 0 is unsuspicious.

    honest: chances of the levels among the honest where nothing was learned yet. forged: by KINDS; None: as among the
    honest, so that the sign says nothing about that kind. All in percent.
    """

    name: str
    source: str
    bounds: tuple[float, ...]
    honest: tuple[float, ...]
    forged: tuple[tuple[float, ...] | None, tuple[float, ...] | None, tuple[float, ...] | None]


SIGNS: Final[tuple[Sign, ...]] = (
    Sign("declared_over_seen", "events", (0.25, 0.45, 0.70), (85, 10, 4.7, 0.3),
         ((10, 15, 25, 50), None, (40, 20, 20, 20))),
    Sign("declared_over_peers", "applications", (1.0, 1.75, 2.5), (84, 12, 3, 1),
         ((25, 27, 27, 21), (60, 22, 12, 6), None)),
    Sign("restated", "applications", (2.0, 2.7, 3.5, 6.0), (97, 2, 0.7, 0.25, 0.05),
         ((30, 10, 12, 33, 15), (40, 12, 12, 24, 12), (55, 12, 12, 14, 7))),
    Sign("facts_changed", "applications", (1.0, 2.0), (93, 6, 1),
         ((70, 20, 10), (45, 30, 25), (60, 25, 15))),
    Sign("facts_returned", "applications", (1.0,), (99, 1),
         ((90, 10), (75, 25), (90, 10))),
    Sign("shared_device", "applications", (1.0, 2.0, 4.0), (95, 3, 1.5, 0.5),
         (None, (30, 20, 25, 25), (60, 15, 15, 10))),
    Sign("shared_phone", "applications", (1.0, 2.0, 4.0), (95, 3, 1.5, 0.5),
         (None, (50, 15, 17, 18), (75, 10, 8, 7))),
    Sign("shared_address", "applications", (1.0, 2.0, 4.0), (92, 4, 3, 1),
         (None, (45, 18, 18, 19), (70, 12, 10, 8))),
    Sign("shared_contacts", "applications", (1.0, 2.0, 4.0), (94, 4, 1.5, 0.5),
         (None, (20, 20, 30, 30), (60, 15, 15, 10))),
    Sign("same_contacts", "applications", (1.0, 2.0), (98, 1.5, 0.5),
         (None, (35, 20, 45), (65, 15, 20))),
    Sign("incomes_alike", "applications", (1.3, 2.5, 4.0), (97, 2.5, 0.4, 0.1),
         (None, (75, 12, 8, 5), (10, 15, 25, 50))),
    Sign("burst", "applications", (1.0, 3.0), (98, 1.5, 0.5),
         (None, (75, 15, 10), (65, 20, 15))),
    Sign("applications_1d", "applications", (1.0, 2.0), (98, 1.7, 0.3),
         ((85, 10, 5), (80, 13, 7), (88, 8, 4))),
    Sign("applications_90d", "applications", (1.0, 2.0, 3.0), (88, 10, 1.6, 0.4),
         ((42, 28, 17, 13), (45, 28, 15, 12), (70, 20, 6, 4))),
    Sign("identity_mismatch", "identity_checks", (1.0, 2.0), (98, 1.8, 0.2),
         ((90, 8, 2), (65, 25, 10), (75, 18, 7))),
    Sign("lines_hidden", "tradelines", (1.0, 2.0), (90, 8, 2),
         ((35, 30, 35), (60, 20, 20), None)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned from applications without labels, or stated where nothing was.

    kinds: shares of the forged KINDS. honest: chances of each sign's levels among the honest. forged: those of each
    kind. scale: weight of each sign's points, ones until labels refined them; shift: added to the ln odds.
    """

    kinds: tuple[float, ...]
    honest: tuple[tuple[float, ...], ...]
    scale: tuple[float, ...]
    shift: float
    rows: int

    def document(self) -> dict[str, Any]:
        """Its content as JSON takes it."""
        return {
            "kinds": list(self.kinds), "honest": [list(part) for part in self.honest], "scale": list(self.scale),
            "shift": self.shift, "rows": self.rows,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Weights:
        """What `document` gave."""
        return cls(
            tuple(document["kinds"]), tuple(tuple(part) for part in document["honest"]), tuple(document["scale"]),
            float(document["shift"]), int(document["rows"]),
        )  # fmt: skip


STATED: Final = Weights(
    tuple(PRIOR.tolist()), tuple(tuple(chance / sum(sign.honest) for chance in sign.honest) for sign in SIGNS),
    (1.0,) * len(SIGNS), 0.0, 0,
)  # fmt: skip


def levels_of(values: Mapping[str, FloatArray]) -> IntArray:
    """(n, signs) level of each sign, -1 where it is silent: not given, or NaN."""
    size = len(next(iter(values.values())))
    columns = []
    for sign in SIGNS:
        value = values.get(sign.name)
        if value is None:
            columns.append(np.full(size, -1))
        else:
            level = np.searchsorted(np.array(sign.bounds), value, side="right")
            columns.append(np.where(np.isnan(value), -1, level))
    return np.column_stack(columns)


def _forged(place: int, honest: FloatArray) -> FloatArray:
    """(kinds, levels) chances; the likelihood ratio never falls with the level, so that no sign can turn round."""
    rows = []
    for stated in SIGNS[place].forged:
        if stated is None:
            rows.append(honest)
            continue
        chance = np.array(stated) / sum(stated)
        # What is rarer among the honest than it was judged to be is not on that account common among the forged.
        ratio = np.maximum.accumulate(np.minimum(chance / honest, MOST_RATIO))
        rows.append(ratio * honest)
    return np.array(rows)


MOST_RATIO: Final = 150.0  # no single level multiplies the odds by more: 5 points


@lru_cache(maxsize=16)
def _ratios(weights: Weights) -> FloatArray:
    """(signs, levels + 1, kinds) ln of a level's chance under each forged kind over its chance among the honest; the
    last, where -1 points to, is 0: a sign that is silent."""
    result = np.zeros((len(SIGNS), max(len(sign.bounds) for sign in SIGNS) + 2, len(KINDS)))
    for place in range(len(SIGNS)):
        honest = np.array(weights.honest[place])
        result[place, : len(honest)] = np.log(_forged(place, honest) / honest).T * weights.scale[place]
    return result


def _log_ratios(weights: Weights, levels: IntArray) -> FloatArray:
    """(n, signs, kinds) of `_ratios`, for the levels of n applications."""
    return _ratios(weights)[np.arange(len(SIGNS)), levels]


def _patterns(levels: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(distinct rows of levels, the place of each row among them, how often each occurs)."""
    widths = np.array([len(sign.bounds) + 2 for sign in SIGNS])
    factors = np.concatenate(([1], np.cumprod(widths[:-1])))  # below 2^63: one number stands for a row
    _, first, place, count = np.unique(
        (levels + 1) @ factors, return_index=True, return_inverse=True, return_counts=True
    )
    return levels[first], place.astype(np.int64), count.astype(np.int64)


def learn_weights(levels: IntArray) -> Weights:
    """Honest chances and the share of each kind from applications without labels; STATED where there are none.

    levels: (n, signs). Expectation-maximisation with the stated chances as a Dirichlet prior; the chances of the forged
    kinds stay as they are stated.
    """
    if len(levels) == 0:
        return STATED
    patterns, _, count = _patterns(levels)
    start = [np.array(chances) for chances in STATED.honest]
    weights = replace(STATED, rows=len(levels))
    for _ in range(_ROUNDS):
        belief = _kinds(weights, patterns)
        honest = count * belief[:, 0]
        learned = []
        for place, prior in enumerate(start):
            read = patterns[:, place] >= 0
            mass = np.bincount(patterns[read, place], honest[read], len(prior)) + HONEST_WEIGHT * prior
            learned.append(_held(mass / mass.sum(), prior))
        share = (count @ belief[:, 1:] + PRIOR_WEIGHT * PRIOR) / (count.sum() + PRIOR_WEIGHT)
        share *= min(1.0, MOST_FORGED / share.sum())
        moved = float(np.abs(share - np.array(weights.kinds)).max())
        weights = replace(weights, kinds=tuple(share.tolist()), honest=tuple(learned))
        if moved < _TOLERANCE:
            break
    return weights


def _held(chances: FloatArray, stated: FloatArray) -> tuple[float, ...]:
    """Chances of the suspicious levels held to COMMONER times what was stated, the rest given to level 0.

    Without it a kind of forgery that shows one sign only would be learned as a custom of the honest.
    """
    held = np.minimum(chances, COMMONER * stated)
    held[0] = 1 - held[1:].sum()
    return tuple(held.tolist())


def _kinds(weights: Weights, levels: IntArray) -> FloatArray:
    """(n, 1 + kinds) probability of each kind, the honest first."""
    share = np.array(weights.kinds)
    log = np.column_stack(
        (np.full(len(levels), np.log(1 - share.sum())), _log_ratios(weights, levels).sum(axis=1) + np.log(share))
    )
    log[:, 1:] += weights.shift
    odds = np.exp(log - log.max(axis=1, keepdims=True))
    result: FloatArray = odds / odds.sum(axis=1, keepdims=True)
    return result


@dataclass(frozen=True, slots=True)
class Forgery:
    """probability: (n,) that something is forged. kind: (n,) place of the likeliest of KINDS. points: (n, signs) ln of
    the likelihood ratio of each sign, the kinds weighed as they are likely; positive speaks for forgery."""

    probability: FloatArray
    kind: IntArray
    points: FloatArray


def judge(weights: Weights, levels: IntArray) -> Forgery:
    """levels: (n, signs) of levels_of."""
    patterns, place, _ = _patterns(levels)
    belief = _kinds(weights, patterns)
    forged = belief[:, 1:] / np.maximum(belief[:, 1:].sum(axis=1, keepdims=True), 1e-300)
    points = (_log_ratios(weights, patterns) * forged[:, None, :]).sum(axis=2)
    probability = belief[:, 1:].sum(axis=1)
    return Forgery(probability[place], forged.argmax(axis=1)[place], points[place])


LEAST_LABELS: Final = 50


def refine(weights: Weights, levels: IntArray, bad: BoolArray) -> Weights:
    """Weights whose signs count as much as labels bear them out: a sign that never meets a bad loses its points.

    levels, bad: (n, signs), (n,) of applications whose outcome is known. A signed logistic regression of the bad on the
    points, shrunk, says how the signs compare; the mean scale stays 1 and the share of forged what it was, since a bad
    is not yet a forgery. With fewer than 50 bads or goods the weights come back as they were.
    """
    if min(int(bad.sum()), int((~bad).sum())) < LEAST_LABELS:
        return weights
    judged = judge(weights, levels)
    fitted = fit_signed_logistic(-judged.points, bad, ridge=10.0)
    slope = -fitted.coefficients
    used = (judged.points != 0).any(axis=0)
    if slope[used].sum() <= 0:
        return weights
    spoken = np.abs(judged.points).sum(axis=0)
    mean = float((slope * spoken).sum() / spoken.sum())
    if mean <= 0:
        return weights
    scale = np.where(used, 0.5 + 0.5 * slope / mean, 1.0)
    scaled = replace(weights, scale=tuple((np.array(weights.scale) * scale).tolist()))
    p = np.clip(judge(scaled, levels).probability, 1e-12, 1 - 1e-12)
    target = float(np.clip(judged.probability.mean(), 1e-9, 1 - 1e-9))
    shift = fit_shift(np.log(p / (1 - p)), target).amount
    return replace(scaled, shift=scaled.shift + shift)
