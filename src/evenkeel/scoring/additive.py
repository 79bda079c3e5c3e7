"""The default model: an additive scorecard as strong as boosting, and nothing but tables.

Two estimates of the same tables are averaged. The smooth one is penalised likelihood (measures.tables): best where risk
changes gradually and data are few. The stepped one is boosting of shallow trees that may look at one feature or one
chosen pair (scikit-learn's HistGradientBoosting): best at edges. Their errors differ, so the mean is better than
either; docs/adr/0005 has the figures. What the trees say is read off on the grid of the bins and kept as tables; pairs
are centred so that a pair holds only what its two features do not say alone (Lengerich et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import isotonic_regression
from threadpoolctl import threadpool_limits

from evenkeel.measures.logistic import sigmoid
from evenkeel.measures.tables import Fitted, Term, difference_penalty, fit_tables
from evenkeel.scoring.cutting import Candidate, fine_feature, shares_of
from evenkeel.scoring.scorecard import GRAIN, STANDARD, CodeArray, Feature, Pair, Scaling, Scorecard
from evenkeel.scoring.stepped import Steps, fit_steps

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_FEWEST_IN_LEVEL = 5.0  # rows; a rarer level of a text is read as `other`
_FEWEST_KNOWN = 20  # rows with an ordinary value
_CENTRING = 50  # passes that take the mains out of a pair; each shrinks what is left


@dataclass(frozen=True, slots=True)
class AdditiveSettings:
    """bins: of a feature; None: as many as the rows afford. groups: of a feature within a pair of the smooth half.

    most_pairs, most_features: kept, the most telling ones. bags: boosted models averaged; None: as the rows afford; 0:
    the smooth half alone, a tenth of the time.
    """

    bins: int | None = None
    groups: int = 7
    most_pairs: int = 45
    most_features: int = 80
    bags: int | None = None


DEFAULT = AdditiveSettings()


def bins_for(rows: float) -> int:
    """Bins of a feature: with the cube root of the rows, as the best histogram has (Freedman & Diaconis 1981)."""
    return int(np.clip(round(1.15 * rows ** (1 / 3)), 16, 64))


@dataclass(frozen=True, slots=True)
class Column:
    """A feature of the training rows. order: a rank of each code by which neighbours are alike, -1 for specials."""

    feature: Feature
    codes: CodeArray
    goods: FloatArray
    bads: FloatArray
    order: IntArray


@dataclass(frozen=True, slots=True)
class Link:
    """A chosen pair of columns by place, the groups of their codes, and how far it is above chance."""

    first: int
    second: int
    first_groups: CodeArray
    second_groups: CodeArray
    excess: float

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.first_groups.max()) + 1, int(self.second_groups.max()) + 1

    def cells(self, columns: Sequence[Column]) -> CodeArray:
        """The cell of each training row."""
        result: CodeArray = self.first_groups.take(columns[self.first].codes) * np.int32(self.shape[1])
        result += self.second_groups.take(columns[self.second].codes)
        return result


def fit_additive(
    table: pa.Table, bad: BoolArray, candidates: Sequence[Candidate], weights: FloatArray | None = None,
    settings: AdditiveSettings = DEFAULT, scaling: Scaling = STANDARD, seed: int = 0,
) -> Scorecard:  # fmt: skip
    """Fit the additive scorecard.

    table: a frame with the candidates' columns. bad: (n,) bool, both classes present. weights: (n,) of rows.
    Same rows, same seed: same bytes, whatever the threads.
    """
    unit = np.ones(len(bad)) if weights is None else weights
    with threadpool_limits(1):
        columns = _columns(table, bad, candidates, unit, settings)
        if not columns:
            return _constant(bad, unit, scaling)
        smooth, links = _smooth(columns, bad, unit, settings)
        if settings.bags == 0:
            links = links[: len(smooth.tables) - len(columns)]
            return _collapsed(columns, links, smooth, None, unit, scaling)
        steps = fit_steps(columns, links, bad, unit, seed, settings.bags)
    return _collapsed(columns, links, smooth, steps, unit, scaling)


def _constant(bad: BoolArray, unit: FloatArray, scaling: Scaling) -> Scorecard:
    """Without a column that varies everybody has the bad rate."""
    bads = float(unit[bad].sum())
    return Scorecard("additive", float(np.log(bads / (unit.sum() - bads))), (), (), (), (), (), scaling)


def _columns(
    table: pa.Table, bad: BoolArray, candidates: Sequence[Candidate], unit: FloatArray, settings: AdditiveSettings
) -> list[Column]:
    """The candidates that vary, the most telling ones where there are many, in the order in which they were given."""
    present = set(table.column_names)
    columns = []
    for candidate in candidates:
        if candidate.name not in present:
            continue
        column = _column(candidate, table[candidate.name], bad, unit, settings.bins or bins_for(float(unit.sum())))
        if np.count_nonzero(column.goods + column.bads) > 1:
            columns.append(column)
    if len(columns) <= settings.most_features:
        return columns
    excess = np.array([_excess(column) for column in columns])
    kept = np.sort(np.argsort(-excess, kind="stable")[: settings.most_features])
    return [columns[place] for place in kept]


def _column(
    candidate: Candidate, values: pa.ChunkedArray, bad: BoolArray, unit: FloatArray, bins: int
) -> Column:  # fmt: skip
    feature = fine_feature(candidate, values, unit, bins, _FEWEST_IN_LEVEL)
    codes = feature.codes(values)
    goods, bads = shares_of(codes, feature.size, bad, unit)
    order = np.full(feature.size, -1, np.int64)
    order[: feature.bins] = np.arange(feature.bins)
    if feature.levels is not None:
        count, rate = goods + bads, bads.sum() / (goods.sum() + bads.sum())
        smoothed = (bads + 10 * rate) / (count + 10)
        order[: feature.bins] = np.argsort(np.argsort(smoothed[: feature.bins], kind="stable"), kind="stable")
    if np.bincount(codes, minlength=feature.size)[: feature.bins].sum() < _FEWEST_KNOWN:
        # Boosting cannot read a column that is never known in the rows it draws: its codes are a plain mark instead.
        order = np.zeros(feature.size, np.int64) if feature.trend else np.arange(feature.size)
    return Column(feature, codes, goods, bads, order)


def _excess(column: Column) -> float:
    """How far the chi-squared of a column's codes against the bad is above chance, in standard deviations."""
    count = column.goods + column.bads
    rate = column.bads.sum() / count.sum()
    used = count > 0
    statistic = ((column.bads[used] - count[used] * rate) ** 2 / (count[used] * rate * (1 - rate))).sum()
    degrees = max(int(used.sum()) - 1, 1)
    return float((statistic - degrees) / np.sqrt(2 * degrees))


# --- the smooth estimate ---------------------------------------------------------------------------------------------


def _smooth(
    columns: Sequence[Column], bad: BoolArray, unit: FloatArray, settings: AdditiveSettings
) -> tuple[Fitted, list[Link]]:
    """Main tables, the pairs that say more than chance beside them, then both together.

    Returns the fit and the pairs. The last ones are not in the fit: those with a direction, which the boosting holds
    within pairs, are left to it.
    """
    terms = [Term(column.codes, column.feature.size, _penalties(column)) for column in columns]
    mains = fit_tables(terms, bad, unit)
    log_odds = mains.log_odds([column.codes for column in columns])
    links = _links(columns, bad, unit, log_odds, settings)
    free = [
        link for link in links
        if not columns[link.first].feature.trend and not columns[link.second].feature.trend
    ]  # fmt: skip
    pairs = [Term(link.cells(columns), int(np.prod(link.shape)), _pair_penalties(link, columns)) for link in free]
    both = fit_tables([*terms, *pairs], bad, unit, start=mains, rounds=6, strength=30.0) if pairs else mains
    return _directed(columns, both), [*free, *(link for link in links if link not in free)]


def _directed(columns: Sequence[Column], fitted: Fitted) -> Fitted:
    """Main tables of features with a direction, put into that direction with the least change (weighted squares)."""
    tables = list(fitted.tables)
    for place, column in enumerate(columns):
        feature = column.feature
        if feature.trend:
            inner = slice(0, feature.bins)
            count = (column.goods + column.bads)[inner]
            table = tables[place].copy()
            table[inner] = (
                feature.trend * isotonic_regression(feature.trend * table[inner], weights=np.maximum(count, 1e-9)).x
            )
            tables[place] = table
    return Fitted(fitted.intercept, tuple(tables), fitted.strengths)


def _penalties(column: Column) -> tuple[FloatArray, ...]:
    """Neighbouring bins are alike; levels and codes are drawn to the mean."""
    feature, size = column.feature, column.feature.size
    near, apart = np.zeros((size, size)), np.zeros((size, size))
    if feature.levels is None:
        near[: feature.bins, : feature.bins] = difference_penalty(feature.bins, 1)
        apart[feature.bins :, feature.bins :] = np.eye(size - feature.bins)
        wide = np.zeros((size, size))
        wide[: feature.bins, : feature.bins] = difference_penalty(feature.bins, 2)
        return (near, wide, apart) if feature.bins > 2 else (near, apart)
    near[: feature.bins, : feature.bins] = np.eye(feature.bins) - 1 / max(feature.bins, 1)
    apart[feature.bins :, feature.bins :] = np.eye(size - feature.bins)
    return near, apart


def _pair_penalties(link: Link, columns: Sequence[Column]) -> tuple[FloatArray, ...]:
    rows, across = link.shape
    first = _group_penalty(rows, columns[link.first])
    second = _group_penalty(across, columns[link.second])
    return np.kron(first, np.eye(across)) + np.kron(np.eye(rows), second), np.eye(rows * across)


def _group_penalty(groups: int, column: Column) -> FloatArray:
    """Of the groups of ordinary values; the last group holds missing and special codes."""
    penalty = np.zeros((groups, groups))
    inner = groups - 1
    alike = difference_penalty(inner, 1) if column.feature.levels is None else np.eye(inner) - 1 / max(inner, 1)
    penalty[:inner, :inner] = alike
    return penalty


def _links(
    columns: Sequence[Column], bad: BoolArray, unit: FloatArray, log_odds: FloatArray, settings: AdditiveSettings
) -> list[Link]:
    """The pairs whose cells depart from the main tables by more than chance, the most telling first.

    A score test: the residuals of each cell, less what the two margins explain, squared over their variance; a
    chi-squared under no interaction.
    """
    p = sigmoid(log_odds)
    residual, variance = unit * (bad - p), unit * p * (1 - p)
    groups = [_groups(column, settings.groups) for column in columns]
    found = []
    for i, j in combinations(range(len(columns)), 2):
        link = Link(i, j, groups[i], groups[j], 0.0)
        cells, (rows, across) = link.cells(columns), link.shape
        a = np.bincount(cells, residual, rows * across).reshape(rows, across)
        b = np.bincount(cells, variance, rows * across).reshape(rows, across)
        margins = a.sum(1) / (b.sum(1) + 1e-9), a.sum(0) / (b.sum(0) + 1e-9)
        left = a - b * (margins[0][:, None] + margins[1][None, :] - residual.sum() / variance.sum())
        used = b > _FEWEST_IN_CELL
        degrees = max(int(used.sum() - used.any(0).sum() - used.any(1).sum() + 1), 1)
        excess = float(((left[used] ** 2 / b[used]).sum() - degrees) / np.sqrt(2 * degrees))
        if excess > _CHANCE:
            found.append(Link(i, j, groups[i], groups[j], excess))
    found.sort(key=lambda link: (-link.excess, link.first, link.second))
    return found[: min(settings.most_pairs, int(unit.sum()) // _ROWS_PER_PAIR)]


_FEWEST_IN_CELL = 2.0  # expected variance; a chi-squared of emptier cells is too wide
_CHANCE = (
    1.2  # standard deviations above chance from which a pair is worth a table; what it does not need is shrunk away
)
_ROWS_PER_PAIR = 1000  # about twenty rows for each of a pair's cells


def _groups(column: Column, most: int) -> CodeArray:
    """A group for each code: neighbouring bins alike in risk together, missing and special codes in the last one.

    Groups minimise the variance of ln odds within them, by dynamic programming over the bins in their order.
    """
    bins = column.feature.bins
    count = (column.goods + column.bads)[:bins]
    rate = column.bads.sum() / (column.goods.sum() + column.bads.sum())
    p = (column.bads[:bins] + 5 * rate) / (count + 5)
    sequence = np.argsort(column.order[:bins], kind="stable")
    cuts = _least_variance(np.log(p / (1 - p))[sequence], count[sequence], most)
    group = np.zeros(bins, np.int32)
    group[sequence] = np.searchsorted(cuts, np.arange(bins), side="right")
    last = np.int32(len(cuts) + 1)
    return np.concatenate((group, np.full(column.feature.size - bins, last, np.int32)))


def _least_variance(values: FloatArray, weights: FloatArray, most: int) -> IntArray:
    """Where to cut a sequence into at most `most` parts so that the weighted variance within them is least."""
    size = len(values)
    if size < 2:
        return np.empty(0, np.int64)
    w, wx, wxx = (np.concatenate(([0.0], np.cumsum(part))) for part in (weights, weights * values, weights * values**2))
    start, stop = np.meshgrid(np.arange(size), np.arange(1, size + 1), indexing="ij")
    mass = np.maximum(w[stop] - w[start], 1e-12)
    cost = np.where(stop > start, wxx[stop] - wxx[start] - (wx[stop] - wx[start]) ** 2 / mass, np.inf)
    best, choices = cost[0], []
    for _ in range(min(most, size) - 1):
        total = np.full((size, size), np.inf)
        total[1:] = best[:-1, None] + cost[1:]
        choice = total.argmin(axis=0)
        choices.append(choice)
        best = np.minimum(total[choice, np.arange(size)], np.inf)
    cuts, end = [], size - 1
    for choice in reversed(choices):
        cut = int(choice[end])
        cuts.append(cut)
        end = cut - 1
        if end < 0:
            break
    return np.array(sorted(cut for cut in cuts if cut > 0), np.int64)


# --- the mean of both, as tables -------------------------------------------------------------------------------------


def _collapsed(
    columns: Sequence[Column], links: Sequence[Link], smooth: Fitted, steps: Steps | None, unit: FloatArray,
    scaling: Scaling,
) -> Scorecard:  # fmt: skip
    """Half of each estimate, or the smooth one alone; pairs are centred, mains and intercept take what they give up."""
    mains, intercept, share = list(smooth.tables[: len(columns)]), smooth.intercept, 1.0
    if steps is not None:
        mains = [(a + b) / 2 for a, b in zip(mains, steps.tables, strict=True)]
        intercept, share = (smooth.intercept + steps.intercept) / 2, 0.5
    pairs = []
    for place, link in enumerate(links):
        values = np.zeros((len(link.first_groups), len(link.second_groups)))
        if steps is not None:
            values = values + steps.pairs[place] / 2
        among = len(columns) + place
        if among < len(smooth.tables):
            shared = smooth.tables[among].reshape(link.shape) * share
            values = values + shared[link.first_groups][:, link.second_groups]
        first, second = columns[link.first], columns[link.second]
        width = second.feature.size
        cells = first.codes.astype(np.int64) * width + second.codes
        joint = np.bincount(cells, unit, first.feature.size * width).astype(np.float64)
        joint = joint.reshape(first.feature.size, width)
        pair = _grouped(link, values, joint)
        centre, rows, across = centred(pair.values, pair.weights)
        mains[link.first] = mains[link.first] + rows[pair.first_groups]
        mains[link.second] = mains[link.second] + across[pair.second_groups]
        pairs.append(replace(pair, values=centre))
    tables = []
    for place, (column, table) in enumerate(zip(columns, mains, strict=True)):
        table = table + _slope(column, sum(place in (link.first, link.second) for link in links))
        mean = float(np.average(table, weights=column.goods + column.bads))
        intercept += mean
        tables.append(table - mean)
    return Scorecard(
        "additive", intercept, tuple(column.feature for column in columns), tuple(tables),
        tuple(column.goods for column in columns), tuple(column.bads for column in columns), tuple(pairs), scaling,
    )  # fmt: skip


def _slope(column: Column, pairs: int) -> FloatArray:
    """What keeps a direction exact: rounding may turn two neighbours round by a grain of each table they enter.

    A rise of a few grains from bin to bin is more than that, and less than 1e-5 of ln odds from end to end.
    """
    slope = np.zeros(column.feature.size)
    slope[: column.feature.bins] = column.feature.trend * 4 * GRAIN * (1 + pairs) * np.arange(column.feature.bins)
    return slope


def centred(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(pair, rows, columns) with pair + rows + columns = values, and pair of weighted mean 0 in every row and column.

    values, weights: (a, b). Rows and columns without weight are centred by their plain means.
    """
    weights = weights + 1e-6 * max(weights.sum(), 1.0) / weights.size
    pair = values.copy()
    rows, across = np.zeros(len(values)), np.zeros(values.shape[1])
    for _ in range(_CENTRING):
        step = (pair * weights).sum(1) / weights.sum(1)
        pair -= step[:, None]
        rows += step
        other = (pair * weights).sum(0) / weights.sum(0)
        pair -= other[None, :]
        across += other
        if max(np.abs(step).max(), np.abs(other).max()) < 1e-9:
            break
    return pair, rows, across


def _grouped(link: Link, values: FloatArray, joint: FloatArray) -> Pair:
    """The pair with neighbouring codes together where their whole rows, or columns, are equal to 1e-9."""
    first = np.concatenate(([0], np.cumsum(np.abs(np.diff(values, axis=0)).max(axis=1) > 1e-9))).astype(np.int32)
    second = np.concatenate(([0], np.cumsum(np.abs(np.diff(values, axis=1)).max(axis=0) > 1e-9))).astype(np.int32)
    rows, across = np.searchsorted(first, np.arange(first[-1] + 1)), np.searchsorted(second, np.arange(second[-1] + 1))
    weights = np.add.reduceat(np.add.reduceat(joint, rows, axis=0), across, axis=1)
    return Pair(link.first, link.second, first, second, values[rows][:, across], weights)
