"""Stage 5 of a run, warn: the two questions about borrowers, three months ahead.

The full early warning (full.py) asks the same questions of the same models, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel
from evenkeel.arrears.warning.ahead import grid_of
from evenkeel.arrears.warning.facts import MONTH_BITS, IntArray
from evenkeel.arrears.warning.features import CANDIDATES, borrower_features, key_of
from evenkeel.arrears.warning.proof import beside_rules, ranked, rule_of_days
from evenkeel.arrears.warning.question import SPREAD, Model, Question, fit, questions
from evenkeel.arrears.warning.reasons import REASONS_TYPE, adverse, reason_lists

FloatArray = npt.NDArray[np.float64]

HORIZON = 3  # months: the one of a run
WARNINGS = pa.schema([("borrower_id", pa.string()), ("warning", pa.float64()), ("warning_reasons", REASONS_TYPE)])


@dataclass(frozen=True, slots=True)
class Warned:
    """table: WARNINGS, one row a borrower of the exposure table, in its order; warning null where nothing can be said.

    summary: portfolio.json "warning", None where no model could be judged; missing: why not, else empty.
    """

    table: pa.Table
    summary: dict[str, object] | None
    missing: str


@dataclass(frozen=True, slots=True)
class Cells:
    """Borrower-months at hand, by key, and their features."""

    keys: IntArray
    columns: pa.Table

    @property
    def borrower(self) -> IntArray:
        """Place in panel.borrowers."""
        return self.keys >> MONTH_BITS

    @property
    def month(self) -> IntArray:
        """Month number."""
        return self.keys & ((1 << MONTH_BITS) - 1)

    def of(self, keys: IntArray) -> pa.Table:
        """The features of some of them, in the order asked."""
        return self.columns.take(pa.array(np.searchsorted(self.keys, keys)))


@dataclass(frozen=True, slots=True)
class Answer:
    """A question's answer. now: (present,) chance; concepts, points: its reasons; all empty without a model."""

    question: Question
    model: Model | None
    now: FloatArray
    concepts: tuple[str, ...]
    points: FloatArray


def wanted_keys(panel: Panel, asked: tuple[Question, ...]) -> IntArray:
    """Every borrower-month that the questions need, rising."""
    parts = [key_of(question.borrower, question.month) for question in asked]
    parts += [present_keys(panel, question) for question in asked if not question.missing]
    return np.unique(np.concatenate(parts))


def present_keys(panel: Panel, question: Question) -> IntArray:
    """The borrowers whom a question is about now."""
    return key_of(question.present, np.full(len(question.present), panel.last_month))


def answer(panel: Panel, question: Question, cells: Cells, seed: int) -> Answer:
    """Train, judge, and score the present."""
    model = None
    if not question.missing:
        model = fit(question, cells.of(key_of(question.borrower, question.month)), CANDIDATES, seed)
    if model is None:
        return Answer(question, None, np.empty(0), (), np.empty((0, 0)))
    present = cells.of(present_keys(panel, question))
    concepts, points = model.scorecard.contributions(present)
    return Answer(question, model, model.scorecard.probability(present), concepts, points)


def summary_of(found: Answer, cells: Cells) -> dict[str, object] | None:
    """How the question's ranking fared out of time, beside days past due; None where it could not be judged."""
    question, model = found.question, found.model
    if model is None or model.judged is None:
        return None
    held = question.sample.held
    columns = cells.of(key_of(question.borrower[held], question.month[held]))
    return ranked(question, model.judged) | beside_rules(model.judged, question.hit[held], rule_of_days(columns))


def warn(panel: Panel, tables: Mapping[str, pa.Table], exposure_table: pa.Table, *, seed: int, threads: int) -> Warned:
    """Stage 5: the chance that a borrower's first line, or a further one, becomes overdue within HORIZON months.

    exposure_table: decisions.exposure.exposures; its borrowers, in its order. The book's own lines are predicted;
    lines elsewhere count as signs. Null for borrowers without an own line on file or with all of them overdue.
    """
    asked = questions(grid_of(panel, tables, HORIZON), HORIZON, seed)
    keys = wanted_keys(panel, asked)
    cells = Cells(keys, pa.table({}))
    cells = Cells(keys, borrower_features(panel, tables, cells.borrower, cells.month, threads))
    first, spread = (answer(panel, question, cells, seed) for question in asked)
    table = _table(panel, exposure_table["borrower_id"].combine_chunks(), (first, spread))
    found, missing = summary_of(first, cells), first.question.missing
    if found is None:
        return Warned(table, None, missing or "too few cases in the last months to judge the model")
    scored = table.num_rows - table["warning"].null_count
    return Warned(
        table,
        {"borrowers": scored, "horizon_months": HORIZON, **found, SPREAD: summary_of(spread, cells)},
        missing,
    )


def _table(panel: Panel, borrowers: pa.Array, answers: tuple[Answer, ...]) -> pa.Table:
    """WARNINGS in the order of `borrowers`."""
    order = pc.index_in(panel.borrowers, borrowers).to_numpy(zero_copy_only=False)
    probability = np.full(len(borrowers), np.nan)
    for found in answers:
        if found.model is not None:
            probability[order[found.question.present].astype(np.int64)] = found.now
    reasons = reasons_of(answers, len(borrowers), order)
    return pa.table(
        {"borrower_id": borrowers, "warning": pa.array(probability, from_pandas=True), "warning_reasons": reasons},
        schema=WARNINGS,
    )


def reasons_of(answers: tuple[Answer, ...], size: int, row: npt.NDArray[np.generic]) -> pa.Array:
    """The most adverse concepts in each of `size` rows, from the one question that is about its borrower now.

    row: (borrowers,) the row of each of panel.borrowers.
    """
    owner, code, points = [np.empty(0, np.int64)], [np.empty(0, dtype=object)], [np.empty(0)]
    for found in answers:
        if found.model is None or len(found.concepts) == 0:
            continue
        who, which = adverse(found.points)
        owner.append(row[found.question.present[who]].astype(np.int64))
        code.append(np.array(found.concepts, dtype=object)[which])
        points.append(np.round(found.points[who, which], 1))
    codes = pa.array(np.concatenate(code), pa.string())
    return reason_lists(
        size, np.concatenate(owner), codes, np.concatenate(points), pa.repeat(pa.scalar("warning"), len(codes))
    )
