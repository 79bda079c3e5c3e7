"""Which bill is let go next: the chance of each line, given what is overdue already and what the other lines are like.

Three scorecards of lines. `own`: what a line says of itself; it looks at no other line, and taken alone it is the
independence with which the spread is compared. `beside`: the line's chance given that, the borrower's risk, the
borrower's other open lines and those that are overdue. `within`: the same of the borrower-months in which some line was
let go, which is what ranks a borrower's lines:

    P(line is the next to go) = P(some line of the borrower's goes) x share of the line among the borrower's
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import minimize_scalar

from evenkeel.accounts.panel import Panel
from evenkeel.arrears.warning.ahead import Ahead, overdue_rows
from evenkeel.arrears.warning.facts import IntArray, ratio
from evenkeel.arrears.warning.features import LINE_CANDIDATES, LineMonths, key_of
from evenkeel.arrears.warning.question import Model, Question, fitted
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.frame import frame

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_AGAINST = {
    "own_risk": "own_risk", "own_risk_above": "own_risk", "own_risk_rank": "own_risk", "due_share": "due_share",
    "due_rank": "due_share", "balance_share": "balance_share", "balance_rank": "balance_share",
    "use_above": "utilisation", "rate_above": "price", "paid_above": "payment_ratio", "due_day_before": "due_day",
    "lines_open": "lines", "overdue_others": "late_now", "overdue_share": "late_now", "overdue_worst": "late_now",
    "same_lender_overdue": "same_lender", "same_product_overdue": "same_product", "product": "product",
    "product_overdue": "same_product", "borrower_risk": "borrower_risk",
}  # fmt: skip
BESIDE_CANDIDATES = tuple(Candidate(name, concept) for name, concept in _AGAINST.items())


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines not overdue yet in a question's cases; (n,) each, by borrower, month and account.

    place: in the LineMonths they come from. case: of the question they belong to. group: the borrower-month among
    those at hand, numbered from 0. until: months to the line's first overdue one, 0 where there is none.
    """

    place: IntArray
    case: IntArray
    group: IntArray
    until: IntArray

    @property
    def hit(self) -> BoolArray:
        """The line becomes overdue within the horizon."""
        return self.until > 0


def open_lines_of(panel: Panel, lines: LineMonths, ahead: Ahead, keys: IntArray) -> Lines:
    """The lines not overdue in the borrower-months `keys` (k,), which are distinct; case: a place in `keys`."""
    order = np.argsort(keys, kind="stable")
    place = lines.of(keys)
    place = place[~overdue_rows(panel)[lines.rows[place]]]
    case = order[np.searchsorted(keys[order], lines.held[place])] if len(keys) else np.empty(0, np.int64)
    group = np.unique(case, return_inverse=True)[1].astype(np.int64)
    return Lines(place, case, group, ahead.until[lines.rows[place]])


def against_the_others(panel: Panel, lines: LineMonths, open_: Lines, own: FloatArray, risk: FloatArray) -> pa.Table:
    """Each open line beside the borrower's other open lines and the overdue ones: the columns of BESIDE_CANDIDATES.

    own: (n,) ln odds of what the line says of itself. risk: (n,) ln odds of the borrower's question.
    """
    group, place = open_.group, open_.place
    account = panel.account[lines.rows[place]]
    facts = panel.accounts.take(pa.array(account))
    size = np.bincount(group)

    def above(values: FloatArray) -> FloatArray:
        """Less the mean of the borrower's open lines where it is known."""
        known = ~np.isnan(values)
        total = np.bincount(group, np.where(known, values, 0.0), len(size))
        return values - ratio(total, np.bincount(group, known, len(size)))[group]

    def share(values: FloatArray) -> FloatArray:
        total = np.bincount(group, np.nan_to_num(values), len(size))
        return ratio(values, total[group])

    def rank(values: FloatArray) -> FloatArray:
        """Share of the borrower's other open lines with a lower value, a tie as half; NaN without another one."""
        return _ranks(group, values, size)

    due, balance = lines.column("due_now")[place], lines.column("balance_now")[place]
    late = _overdue_beside(panel, lines, open_)
    due_day = facts["due_day"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return frame({
        "own_risk": own, "own_risk_above": above(own), "own_risk_rank": rank(own), "due_share": share(due),
        "due_rank": rank(due), "balance_share": share(balance), "balance_rank": rank(balance),
        "use_above": above(lines.column("utilisation")[place]),
        "rate_above": above(facts["rate_annual"].cast(pa.float64()).to_numpy(zero_copy_only=False)),
        "paid_above": above(lines.column("payment_ratio_3m")[place]), "due_day_before": rank(due_day),
        "lines_open": size[group].astype(np.float64), "borrower_risk": risk, "product": facts["product"], **late,
    })  # fmt: skip


def _ranks(group: IntArray, values: FloatArray, size: IntArray) -> FloatArray:
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    g, v = group[known], values[known]
    order = np.lexsort((v, g))
    g, v = g[order], v[order]
    tie = np.concatenate(([0], np.cumsum((g[1:] != g[:-1]) | (v[1:] != v[:-1])))) if len(g) else np.empty(0, np.int64)
    start, stop = np.searchsorted(tie, tie), np.searchsorted(tie, tie, side="right")
    middle = (start + stop - 1) / 2 - np.searchsorted(g, g)
    others = np.bincount(g, minlength=len(size))[g] - 1
    back = np.empty(len(g))
    back[order] = ratio(middle, others.astype(np.float64))
    result[known] = back
    return result


def _overdue_beside(panel: Panel, lines: LineMonths, open_: Lines) -> dict[str, object]:
    """How many of the borrower's lines are overdue, how badly, and whether one is of the same lender or product."""
    late = np.flatnonzero(overdue_rows(panel)[lines.rows])
    held, state = lines.held[late], panel.state[lines.rows[late]]
    keys = lines.held[open_.place]
    account = panel.account[lines.rows]
    cells, start, count = np.unique(held, return_index=True, return_counts=True)
    cell = np.searchsorted(cells, keys)
    found = np.isin(keys, cells)
    safe = np.where(found, cell, 0)
    worst = np.maximum.reduceat(state, start) if len(late) else np.zeros(1, np.int64)
    number = np.where(found, count[safe], 0) if len(late) else np.zeros(len(keys), np.int64)
    result: dict[str, object] = {
        "overdue_others": number.astype(np.float64),
        "overdue_share": number / (number + np.bincount(open_.group)[open_.group]),
        "overdue_worst": np.where(found, worst[safe], 0).astype(np.float64),
    }
    for name, column in (("same_lender_overdue", "lender_id"), ("same_product_overdue", "product")):
        code = panel.accounts[column].combine_chunks().dictionary_encode().indices.fill_null(-1)
        codes = code.to_numpy().astype(np.int64)[account]
        pairs = _paired(held, codes[late])
        result[name] = np.isin(_paired(keys, codes[open_.place]), pairs).astype(np.float64)
    product = panel.accounts["product"].combine_chunks()
    first = product.take(pa.array(account[late[start]])) if len(late) else pa.nulls(0, pa.string())
    result["product_overdue"] = first.take(pa.array(np.where(found, safe, 0), mask=~found))
    return result


def _paired(keys: IntArray, codes: IntArray) -> IntArray:
    """One number for a borrower-month and a code below a million."""
    return keys * (1 << 20) + codes


@dataclass(frozen=True, slots=True)
class LineModels:
    """The scorecards of lines (see the module). within: None where too few borrowers had a choice; what the lines say
    beside each other then ranks them. sharpness, judged_sharpness: the power of a chance that is a line's share.
    """

    own: Model
    beside: Model
    within: Model | None
    sharpness: float
    judged_sharpness: float


@dataclass(frozen=True, slots=True)
class LineChances:
    """Of lines; (n,) each. overdue: within the horizon. share: in being the borrower's next. alone: overdue, as if the
    line had no siblings.
    """

    overdue: FloatArray
    share: FloatArray
    alone: FloatArray


def fit_lines(
    panel: Panel, lines: LineMonths, columns: pa.Table, open_: Lines, question: Question,
    risk: FloatArray, seed: int, ranking: bool = True,
) -> LineModels | None:  # fmt: skip
    """Train and judge on the lines of the question's cases, each used as its borrower-month is.

    columns: features.line_features of `lines`. risk: (cases,) ln odds of the question, by Model.inputs. ranking: fit
    `within` too. None where the lines have too few cases.
    """
    case = open_.case
    borrower, sample = question.borrower[case], question.sample.keep(case)
    of_lines = columns.take(pa.array(open_.place))
    own = fitted(of_lines, LINE_CANDIDATES, borrower, open_.hit, sample, seed)
    if own is None:
        return None
    table = against_the_others(panel, lines, open_, own.inputs.log_odds(of_lines), risk[case])
    beside = fitted(table, BESIDE_CANDIDATES, borrower, open_.hit, sample, seed)
    if beside is None:
        return None
    choice = question.hit[case] & (np.bincount(open_.group)[open_.group] > 1)
    chosen, few = chosen_lines(open_, choice), table.filter(pa.array(choice))
    part = sample.keep(choice)
    model = (
        fitted(few, BESIDE_CANDIDATES, borrower[choice], chosen.hit, part, seed) if ranking and choice.any() else None
    )
    if model is None:
        return LineModels(own, beside, None, 1.0, 1.0)
    sharp = _sharpness(chosen, model.scorecard.probability(few), part.train)
    judged_sharp = sharp
    if model.judged is not None:
        judged_sharp = _sharpness(chosen, model.judged.earlier.probability(few), part.earlier)
    return LineModels(own, beside, model, sharp, judged_sharp)


def chosen_lines(open_: Lines, kept: BoolArray) -> Lines:
    """Only the lines of whole borrower-months that are `kept`, their groups numbered anew."""
    group = np.unique(open_.group[kept], return_inverse=True)[1].astype(np.int64)
    return Lines(open_.place[kept], open_.case[kept], group, open_.until[kept])


def is_next(open_: Lines) -> FloatArray:
    """Each line's share in being the borrower's next: 1, or a part where several become overdue in the same month."""
    never = 1 << 14
    until = np.where(open_.until > 0, open_.until, never)
    soonest = np.full(int(open_.group.max(initial=-1)) + 1, never)
    np.minimum.at(soonest, open_.group, until)
    first = (until == soonest[open_.group]) & (until < never)
    share: FloatArray = first / np.maximum(np.bincount(open_.group, first), 1.0)[open_.group]
    return share


def shares(group: IntArray, weight: FloatArray) -> FloatArray:
    """weight over its sum within each group."""
    total = np.bincount(group, weight)
    result: FloatArray = weight / np.maximum(total, 1e-300)[group]
    return result


def _sharpness(open_: Lines, given: FloatArray, rows: BoolArray) -> float:
    """The power of `given` whose shares make what was next most likely, among these rows' borrowers."""
    part = chosen_lines(open_, rows)
    truth, log_given = is_next(part), np.log(np.clip(given[rows], 1e-9, 1.0))
    if len(truth) == 0:
        return 1.0

    def loss(power: float) -> float:
        share = shares(part.group, np.exp(power * log_given))
        return -float((truth * np.log(np.maximum(share, 1e-300))).sum())

    return float(minimize_scalar(loss, bounds=(0.0, 8.0), method="bounded").x)


def chances(
    models: LineModels, panel: Panel, lines: LineMonths, columns: pa.Table, open_: Lines, risk: FloatArray,
    some: FloatArray, *, judged: bool = False,
) -> LineChances:  # fmt: skip
    """Of every open line. risk: (n,) ln odds of its borrower's question by Model.inputs; some: its chance.

    judged: by the models that saw no outcome of the judged months.
    """
    of_lines = columns.take(pa.array(open_.place))
    own, beside, within, power = models.own, models.beside, models.within, models.sharpness
    alone = (own.inputs if judged else own.scorecard).probability(of_lines)
    table = against_the_others(panel, lines, open_, own.inputs.log_odds(of_lines), risk)
    overdue = (beside.judged.earlier if judged and beside.judged is not None else beside.scorecard).probability(table)
    size = np.bincount(open_.group)[open_.group]
    rank = overdue
    if within is not None:
        rank = within.scorecard.probability(table)
        if judged and within.judged is not None:
            rank, power = within.judged.earlier.probability(table), models.judged_sharpness
    # One line alone is the borrower's risk, and no line is let go more often than some line is.
    overdue = np.where(size == 1, some, np.minimum(overdue, some))
    return LineChances(overdue, shares(open_.group, np.clip(rank, 1e-9, 1.0) ** power), alone)


def independent_next(open_: Lines, alone: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(chance that some line is let go, chance that each is the first to go) if lines were independent.

    alone: (n,) chance of each line by itself. With constant hazards H = -ln(1 - p) some line
    goes with 1 - exp(-sum H), and a line is the first of them with H / sum H.
    """
    hazard = -np.log1p(-np.clip(alone, 1e-12, 1 - 1e-9))
    some = 1 - np.exp(-np.bincount(open_.group, hazard))
    return some, some[open_.group] * shares(open_.group, hazard)


def keys_of(question: Question) -> IntArray:
    """The borrower-months of a question's cases."""
    return key_of(question.borrower, question.month)
