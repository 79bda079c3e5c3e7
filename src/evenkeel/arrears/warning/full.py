"""The full early warning of a book: borrowers and lines, at one, three and six months, with alarms and what to do.

Each horizon has its own models. So that the answers agree, a chance never falls from a shorter horizon to a longer one
(the three-month one stands, the others give way), a line is never likelier overdue than some line of its borrower's,
and a worse bucket is never likelier than a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES, STATE_UNKNOWN, Panel
from evenkeel.arrears.warning.ahead import WORST, Ahead, ahead_of, borrower_months, overdue_rows
from evenkeel.arrears.warning.alarm import Costs, actions, alarm_record
from evenkeel.arrears.warning.facts import IntArray, event_ledger
from evenkeel.arrears.warning.features import OF_LINES, LineMonths, features_over, key_of, line_features, line_months
from evenkeel.arrears.warning.lines import (
    LineModels,
    Lines,
    chances,
    fit_lines,
    open_lines_of,
)
from evenkeel.arrears.warning.payday import better_due_days, pay_days
from evenkeel.arrears.warning.proof import line_proof, reach_proof, rule_of_days
from evenkeel.arrears.warning.question import FIRST, SETTINGS, SPREAD, Model, Question, fitted, questions
from evenkeel.arrears.warning.roll import (
    BUCKETS,
    ROLL_CANDIDATES,
    Rolls,
    Steps,
    fit_steps,
    keys_of_rolls,
    roll_columns,
    rolls,
)
from evenkeel.arrears.warning.stage import HORIZON, Answer, Cells, answer, present_keys, reasons_of, summary_of
from evenkeel.kernel.calendar import month_text

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

HORIZONS = (1, 3, 6)  # months


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """borrowers, lines: one row each of those with an own line on file now, by id. summary: how good it is, as JSON."""

    borrowers: pa.Table
    lines: pa.Table
    summary: dict[str, object]


@dataclass(frozen=True, slots=True)
class Material:
    """A book's panel, what lies ahead in it at one horizon, and all borrower-months and lines that the models need."""

    panel: Panel
    ahead: Ahead
    cells: Cells
    lines: LineMonths
    of_lines: pa.Table


@dataclass(frozen=True, slots=True)
class AskedLines:
    """A question's lines: models of them, and the chances of the lines open now."""

    models: LineModels | None
    open_: Lines
    overdue: FloatArray
    share: FloatArray


@dataclass(frozen=True, slots=True)
class Rolled:
    """The roll of overdue lines: the model of the next bucket, and the steps after it."""

    model: Model | None
    steps: Steps
    missing: str


def early_warning(
    panel: Panel, tables: Mapping[str, pa.Table], *, costs: Costs, seed: int, threads: int,
    horizons: tuple[int, int, int] = HORIZONS, progress: Progress = lambda what, share: None,
) -> EarlyWarning:  # fmt: skip
    """Warn of every borrower and line on file in the panel's last month.

    costs: of a miss and of a false alarm, from which alarms follow. Same book, same seed: same tables.
    """
    progress("outcomes", 0.02)
    aheads = {horizon: ahead_of(panel, tables.get("events"), horizon) for horizon in HORIZONS}
    asked = {h: questions(borrower_months(panel, ahead), h, seed) for h, ahead in aheads.items()}
    rolled = {horizon: rolls(panel, ahead, seed) for horizon, ahead in aheads.items()}
    progress("features", 0.08)
    now = np.unique(panel.accounts["borrower"].to_numpy()[panel.account[panel.rows_at(panel.last_month)]])
    keys = [key_of(now.astype(np.int64), np.full(len(now), panel.last_month))]
    keys += [key_of(q.borrower, q.month) for pair in asked.values() for q in pair]
    keys += [keys_of_rolls(cases) for cases in rolled.values()]
    cells = Cells(np.unique(np.concatenate(keys)), pa.table({}))
    lines = line_months(panel, cells.borrower, cells.month, threads, OF_LINES)
    cells = Cells(cells.keys, features_over(panel, tables, lines, cells.borrower, cells.month))
    of_lines = line_features(panel, tables, lines)
    results = []
    for place, horizon in enumerate(HORIZONS):
        progress(f"{horizon} months", 0.4 + 0.2 * place)
        material = Material(panel, aheads[horizon], cells, lines, of_lines)
        results.append(_at_horizon(material, asked[horizon], rolled[horizon], costs, seed))
    progress("what to do", 0.98)
    lines_table, by_borrower = _lines_table(panel, tables, results)
    borrowers = _borrowers_table(panel, tables, cells, results, costs, by_borrower)
    return EarlyWarning(borrowers, lines_table, _summary(panel, results, borrowers, costs))


# --- one horizon -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AtHorizon:
    """Answers at one horizon. p: (borrowers,) chance of the question that is about each now, NaN without. question: its
    name. overdue, share, reach: (rows now,), and (rows now, 6), of the lines on file now."""

    horizon: int
    answers: tuple[Answer, Answer]
    p: FloatArray
    overdue: FloatArray
    share: FloatArray
    reach: FloatArray
    proof: dict[str, object]


def _at_horizon(
    material: Material, asked: tuple[Question, Question], cases: Rolls, costs: Costs, seed: int
) -> AtHorizon:
    panel, cells = material.panel, material.cells
    answers = (answer(panel, asked[0], cells, seed), answer(panel, asked[1], cells, seed))
    lines = [_asked_lines(material, found, seed) for found in answers]
    rolled, proof_rows = _fit_rolls(material, cases, answers, lines, seed)
    now = panel.rows_at(panel.last_month)
    p, overdue, share = np.full(len(panel.borrowers), np.nan), np.full(len(now), np.nan), np.full(len(now), np.nan)
    for found, part in zip(answers, lines, strict=True):
        if found.model is not None:
            p[found.question.present] = found.now
        row = np.searchsorted(now, material.lines.rows[part.open_.place])
        overdue[row], share[row] = part.overdue, part.share
    state = np.where(overdue_rows(panel)[now], panel.state[now], 0)
    first_step = overdue.copy()
    late = (state >= 1) & (state < WORST)
    if rolled.model is not None and late.any():
        columns = roll_columns(material.lines, material.of_lines, cells.keys, cells.columns, now[late])
        first_step[late] = rolled.model.scorecard.probability(columns)
    first_step[state == WORST] = 1.0
    reach = rolled.steps.reach(state, first_step)
    proof: dict[str, object] = {
        found.question.name: _question_proof(material, found, part, costs)
        for found, part in zip(answers, lines, strict=True)
    }
    proof["roll"] = _roll_proof(material, rolled, proof_rows)
    return AtHorizon(material.ahead.horizon, answers, p, overdue, share, reach, proof)


def _risk(found: Answer, cells: Cells, keys: IntArray) -> FloatArray:
    assert found.model is not None  # noqa: S101 - asked of answers with a model only
    return found.model.inputs.log_odds(cells.of(keys))


def _asked_lines(material: Material, found: Answer, seed: int) -> AskedLines:
    """Train on the question's lines, and look at those open now."""
    panel, cells, lines = material.panel, material.cells, material.lines
    question, empty = found.question, np.empty(0, np.int64)
    if found.model is None:
        return AskedLines(None, Lines(empty, empty, empty, empty), np.empty(0), np.empty(0))
    keys = key_of(question.borrower, question.month)
    open_ = open_lines_of(panel, lines, material.ahead, keys)
    models = fit_lines(panel, lines, material.of_lines, open_, question, _risk(found, cells, keys), seed,
                       material.ahead.horizon == HORIZON)  # fmt: skip
    now = present_keys(panel, question)
    present = open_lines_of(panel, lines, material.ahead, now)
    some = found.now[present.case]
    if models is None:
        size = np.bincount(present.group)[present.group]
        return AskedLines(None, present, np.where(size == 1, some, np.nan), np.where(size == 1, 1.0, np.nan))
    risk = _risk(found, cells, now)[present.case]
    chance = chances(models, panel, lines, material.of_lines, present, risk, some)
    return AskedLines(models, present, chance.overdue, chance.share)


@dataclass(frozen=True, slots=True)
class RollRows:
    """Lines whose roll is known; (n,) each. judged: they judge. weight: 0 where they do not train."""

    row: IntArray
    state: IntArray
    worst: IntArray
    first_step: FloatArray
    rule: FloatArray


def _fit_rolls(
    material: Material, cases: Rolls, answers: tuple[Answer, Answer], lines: list[AskedLines], seed: int
) -> tuple[Rolled, RollRows]:
    """The model of overdue lines, the steps after the next bucket, and the judged rows with their first step."""
    panel, cells = material.panel, material.cells
    worst = material.ahead.worst
    train, judged = [], []
    model = None
    if not cases.missing:
        columns = roll_columns(material.lines, material.of_lines, cells.keys, cells.columns, cases.row)
        model = fitted(columns, ROLL_CANDIDATES, cases.borrower, cases.hit, cases.sample, seed, SETTINGS)
        if model is not None:
            held, first = cases.sample.held, model.inputs.probability(columns)
            rule = rule_of_days(columns, ("", ""))
            train.append((cases.state, cases.worst, first, cases.sample.weight * cases.sample.earlier))
            if model.judged is not None:
                judged.append(
                    RollRows(cases.row[held], cases.state[held], cases.worst[held], model.judged.p, rule[held])
                )
    for found, part in zip(answers, lines, strict=True):
        if part.models is None or found.model is None:
            continue
        question = found.question
        keys = key_of(question.borrower, question.month)
        open_ = open_lines_of(panel, material.lines, material.ahead, keys)
        some = found.model.inputs.probability(cells.of(keys))[open_.case]
        risk = _risk(found, cells, keys)[open_.case]
        chance = chances(part.models, panel, material.lines, material.of_lines, open_, risk, some, judged=True)
        row, sample = material.lines.rows[open_.place], question.sample.keep(open_.case)
        zero = np.zeros(len(row), np.int64)
        train.append((zero, worst[row], chance.overdue, sample.weight * sample.earlier))
        if found.model.judged is not None and part.models.beside.judged is not None:
            rule = rule_of_days(material.of_lines.take(pa.array(open_.place[sample.held])), ("", ""))
            held = sample.held
            judged.append(RollRows(row[held], zero[held], worst[row[held]], chance.overdue[held], rule))
    if not train:
        return Rolled(None, Steps({}), cases.missing), _no_rows()
    state, far, first, weight = (np.concatenate([part[k] for part in train]) for k in range(4))
    used = weight > 0
    steps = fit_steps(state[used].astype(np.int64), far[used].astype(np.int64), first[used], weight[used])
    if not judged:
        return Rolled(model, steps, cases.missing), _no_rows()
    rows = RollRows(
        *(np.concatenate([part.row for part in judged]), np.concatenate([part.state for part in judged])),
        *(np.concatenate([part.worst for part in judged]), np.concatenate([part.first_step for part in judged])),
        np.concatenate([part.rule for part in judged]),
    )
    return Rolled(model, steps, cases.missing), rows


def _no_rows() -> RollRows:
    none = np.empty(0, np.int64)
    return RollRows(none, none, none, np.empty(0), np.empty(0))


def _roll_proof(material: Material, rolled: Rolled, rows: RollRows) -> dict[str, object] | None:
    """Out of time, for every bucket, over overdue lines and those that are not yet."""
    if len(rows.row) == 0:
        return None
    reach = rolled.steps.reach(rows.state, rows.first_step)
    months = sorted({month_text(int(month)) for month in np.unique(material.panel.month[rows.row])})
    return {"judged_on": months, "buckets": reach_proof(rows.state, rows.worst, reach, rows.rule)}


def _question_proof(material: Material, found: Answer, part: AskedLines, costs: Costs) -> dict[str, object] | None:
    """How a question, its alarms and its lines fared out of time; None where they could not be judged."""
    summary = summary_of(found, material.cells)
    model = found.model
    if summary is None or model is None or model.judged is None:
        return None
    question = found.question
    held = question.sample.held
    summary["alarms"] = alarm_record(model.judged.p, question.until[held], costs)
    models = part.models
    if models is None or models.own.judged is None or models.beside.judged is None:
        return summary | {"lines": None}
    keys = key_of(question.borrower[held], question.month[held])
    open_ = open_lines_of(material.panel, material.lines, material.ahead, keys)
    risk = model.judged.log_odds[open_.case]
    some = model.judged.p[open_.case]
    chance = chances(models, material.panel, material.lines, material.of_lines, open_, risk, some, judged=True)
    group_some = np.zeros(int(open_.group.max(initial=-1)) + 1)
    group_some[open_.group] = some
    rule = rule_of_days(material.of_lines.take(pa.array(open_.place)), ("", ""))
    summary["lines"] = line_proof(open_, group_some, chance.overdue, chance.share, chance.alone, rule)
    return summary


# --- tables ----------------------------------------------------------------------------------------------------------


def _in_order(chances_: list[FloatArray]) -> list[FloatArray]:
    """Chances at 1, 3 and 6 months that never fall with the horizon: the three-month one stands where it is known."""
    one, three, six = chances_
    one = np.where(np.isnan(one) | np.isnan(three), one, np.minimum(one, three))
    six = np.where(np.isnan(six), six, np.fmax(six, np.fmax(three, one)))
    return [one, three, six]


def _known(values: FloatArray) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _lines_table(panel: Panel, tables: Mapping[str, pa.Table], results: list[AtHorizon]) -> tuple[pa.Table, IntArray]:
    """(the lines on file now by id, (borrowers,) how many of each one's lines have a due day before the pay day)."""
    now = panel.rows_at(panel.last_month)
    facts = panel.accounts.take(pa.array(panel.account[now]))
    owner = facts["borrower"].to_numpy().astype(np.int64)
    due = facts["due_day"].fill_null(0).to_numpy().astype(np.int64)
    proposed = better_due_days(due, pay_days(panel, tables.get("events"))[owner])
    state = panel.state[now]
    names = pa.array([*STATE_NAMES, None], pa.string())
    columns: dict[str, object] = {
        "account_id": facts["account_id"], "borrower_id": facts["borrower_id"], "lender_id": facts["lender_id"],
        "product": facts["product"], "state": names.take(pa.array(np.where(state == STATE_UNKNOWN, 9, state))),
    }  # fmt: skip
    for horizon, values in zip(HORIZONS, _in_order([result.overdue for result in results]), strict=True):
        columns[f"overdue_{horizon}m"] = _known(values)
    main = next(result for result in results if result.horizon == HORIZON)
    some = main.p[owner] * main.share
    columns["next_3m"] = _known(some)
    columns["next_rank"] = _ranks(owner, some)
    for place, bucket in enumerate(BUCKETS):
        reach = _in_order([result.reach[:, place] for result in results])
        for horizon, values in zip(HORIZONS, reach, strict=True):
            columns[f"reach_m{bucket}_{horizon}m"] = _known(values)
    columns["due_day"] = facts["due_day"]
    columns["due_day_proposed"] = pa.array(proposed, mask=proposed == 0)
    table = pa.table(columns)
    count = np.bincount(owner, proposed > 0, len(panel.borrowers)).astype(np.int64)
    return table.sort_by("account_id"), count


def _ranks(owner: IntArray, figure: FloatArray) -> pa.Array:
    """1 for the borrower's line with the highest figure, and so on; null where it is not known."""
    order = np.lexsort((np.arange(len(owner)), -np.nan_to_num(figure, nan=-1.0), owner))
    start = np.searchsorted(owner[order], owner[order])
    rank = np.empty(len(owner), np.int64)
    rank[order] = np.arange(len(owner)) - start + 1
    return pa.array(rank, mask=np.isnan(figure))


def _borrowers_table(
    panel: Panel, tables: Mapping[str, pa.Table], cells: Cells, results: list[AtHorizon], costs: Costs,
    movable: IntArray,
) -> pa.Table:  # fmt: skip
    """Those with an own line on file now, by id."""
    main = next(result for result in results if result.horizon == HORIZON)
    now = np.unique(panel.accounts["borrower"].to_numpy()[panel.account[panel.rows_at(panel.last_month)]])
    chosen = _in_order([result.p[now] for result in results])
    names = np.full(len(panel.borrowers), 2)
    for place, found in enumerate(main.answers):
        names[found.question.present] = place
    alarm = np.nan_to_num(chosen[HORIZONS.index(HORIZON)], nan=0.0) > costs.threshold
    columns = cells.of(key_of(now.astype(np.int64), np.full(len(now), panel.last_month)))
    what, why = actions(columns, _hands_off(panel, tables)[now], movable[now] > 0)
    row = np.full(len(panel.borrowers), -1)
    row[now] = np.arange(len(now))
    table: dict[str, object] = {
        "borrower_id": panel.borrowers.take(pa.array(now)),
        "question": pa.array([FIRST, SPREAD, None]).take(pa.array(names[now])),
        **{f"warning_{h}m": _known(values) for h, values in zip(HORIZONS, chosen, strict=True)},
        "alarm": pa.array(alarm),
        "action": pa.array(what, mask=~alarm),
        "action_sign": pa.array(why, mask=~alarm),
        "warning_reasons": reasons_of(main.answers, len(now), row),
    }
    return pa.table(table)


def _hands_off(panel: Panel, tables: Mapping[str, pa.Table]) -> BoolArray:
    """(borrowers,) who asked not to be contacted, or whose dispute is open, as far as the book says."""
    events, everybody = tables.get("events"), np.arange(len(panel.borrowers))
    last = np.full(len(everybody), panel.last_month)

    def count(kind: str) -> IntArray:
        ledger = event_ledger(panel, events, kind)
        return np.zeros(len(everybody), np.int64) if ledger is None else ledger.total(everybody, last, 1 << 14)

    return (count("stop_contact") > 0) | (count("dispute_opened") > count("dispute_closed"))


def _summary(panel: Panel, results: list[AtHorizon], borrowers: pa.Table, costs: Costs) -> dict[str, object]:
    alarms = borrowers.filter(borrowers["alarm"])
    counted = pc.value_counts(alarms["action"].combine_chunks()).to_pylist()
    missing = {
        f"{found.question.name}_{result.horizon}m": found.question.missing
        for result in results for found in result.answers if found.question.missing
    }  # fmt: skip
    return {
        "as_of_month": month_text(panel.last_month), "horizons_months": list(HORIZONS),
        "borrowers": borrowers.num_rows, "lines": len(panel.rows_at(panel.last_month)),
        "alarms": {
            "threshold": costs.threshold, "cost_miss": costs.miss, "cost_false": costs.false,
            "borrowers": alarms.num_rows,
            "actions": {entry["values"]: entry["counts"] for entry in sorted(counted, key=lambda e: str(e["values"]))},
        },
        "judged": {f"{result.horizon}m": result.proof for result in results},
        "not_available": missing,
    }  # fmt: skip
