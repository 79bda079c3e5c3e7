"""How good the early warning is, out of time, beside days past due and LightGBM on the same features and split.

    python benchmarks/warning.py [--borrowers N] [--months M] [--seed S] [--horizons 1,3,6] [--only NAME,...]
                                 [--shared DIR]

A generated book of N borrowers over M months, and the public panels in DIR/data where they are there, each through its
adapter: credit-record, uci, home-credit.
For every question (first, spread; the roll of overdue lines; lines) one row:
cases judged and outcomes among them, AUC of ours, of a list of days past due and of LightGBM with its defaults and with
slow small trees, the bootstrap standard error of ours (borrowers drawn), and precision in the highest 1, 5 and 10 %.
LightGBM is not a dependency: without it its columns stay empty.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, build_panel
from evenkeel.arrears.warning.ahead import ahead_of, borrower_months
from evenkeel.arrears.warning.features import (
    CANDIDATES,
    OF_LINES,
    features_over,
    key_of,
    line_features,
    line_months,
)
from evenkeel.arrears.warning.lines import against_the_others, chances, fit_lines, open_lines_of
from evenkeel.arrears.warning.proof import line_proof, rule_of_days
from evenkeel.arrears.warning.question import SETTINGS, Model, Question, Sample, fit, fitted, questions
from evenkeel.arrears.warning.roll import ROLL_CANDIDATES, keys_of_rolls, roll_columns, rolls
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.kernel.calendar import month_end
from evenkeel.measures.discrimination import auc
from evenkeel.pipeline.run import read_checked
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

DRAWS = 100
PEERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "slow": {"n_estimators": 200, "learning_rate": 0.03, "num_leaves": 15, "min_child_samples": 100},
}
PANELS = {
    "credit-record": ("credit-record", ("credit_record_monthly_1048575", "credit_record_applications_438557")),
    "uci": ("uci-credit-card", ("uci_credit_card_30000",)),
    "home-credit": (
        "home-credit",
        tuple(f"home_credit_1000_{name}" for name in (
            "application", "bureau", "bureau_balance", "installments_payments", "previous_application")),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judging:
    """One question's judged cases: outcomes, whose they are, and figures by name."""

    name: str
    hit: BoolArray
    borrower: IntArray
    figures: Mapping[str, FloatArray | None]


def matrix(columns: pa.Table) -> FloatArray:
    """Columns as numbers, texts as their place among the sorted texts."""
    parts = []
    for name in columns.column_names:
        column = columns[name]
        if is_text(column):
            levels = pc.unique(column.combine_chunks().drop_null()).sort()
            column = pc.index_in(column.combine_chunks(), levels).cast(pa.float64())
        parts.append(numbers(column))
    return np.column_stack(parts)


def peer(kind: str, columns: pa.Table, hit: BoolArray, sample: Sample, seed: int) -> FloatArray | None:
    """LightGBM's chance of the held rows, None where it is not installed."""
    try:
        from lightgbm import LGBMClassifier
    except ImportError:
        return None
    inputs, earlier = matrix(columns), sample.earlier
    model = LGBMClassifier(verbose=-1, n_jobs=1, random_state=seed, **PEERS[kind])
    model.fit(inputs[earlier], hit[earlier], sample_weight=sample.weight[earlier])
    chance: FloatArray = model.predict_proba(inputs[sample.held])[:, 1]
    return chance


def figures_of(columns: pa.Table, hit: BoolArray, sample: Sample, model: Model, rule: FloatArray, seed: int) -> dict[
    str, FloatArray | None
]:  # fmt: skip
    assert model.judged is not None
    return {
        "ours": model.judged.log_odds, "days": rule[sample.held],
        **{kind: peer(kind, columns, hit, sample, seed) for kind in PEERS},
    }  # fmt: skip


def error_of(judging: Judging, figure: FloatArray, other: FloatArray | None = None) -> float:
    """Bootstrap standard error of an AUC, or of the difference of two, whole borrowers drawn."""
    who, place = np.unique(judging.borrower, return_inverse=True)
    rng, found = np.random.default_rng(7), []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(who), len(who)), minlength=len(who))[place].astype(np.float64)
        used = weight > 0
        if min(judging.hit[used].sum(), (~judging.hit[used]).sum()) == 0:
            continue
        area = auc(figure[used], judging.hit[used], weight[used]).value
        found.append(area if other is None else area - auc(other[used], judging.hit[used], weight[used]).value)
    return float(np.std(found, ddof=1))


def told(judging: Judging) -> str:
    """One row of the table."""
    hit = judging.hit
    areas = {name: None if figure is None else auc(figure, hit).value for name, figure in judging.figures.items()}
    ours = judging.figures["ours"]
    assert ours is not None and areas["ours"] is not None
    best = max((area, name) for name, area in areas.items() if area is not None and name in ("days", "plain"))
    error = error_of(judging, ours)
    order = np.argsort(-ours, kind="stable")
    tops = " ".join(
        f"{hit[order[: max(int(np.ceil(share * len(hit))), 1)]].mean():6.1%}" for share in (0.01, 0.05, 0.1)
    )
    columns = " ".join(f"{'-' if area is None else f'{area:.4f}':>7}" for area in areas.values())
    gap = areas["ours"] - best[0]
    verdict = "within" if gap >= -max(0.003, error) else "BELOW"
    return (
        f"{judging.name:<24} {len(hit):>7,} {int(hit.sum()):>6,}  {columns}  {error:.4f}  {gap:+.4f} {verdict:<6}"
        f"  {tops}  base {hit.mean():.1%}"
    )


HEAD = (
    f"{'question':<24} {'judged':>7} {'hits':>6}  {'ours':>7} {'days':>7} {'plain':>7} {'slow':>7}  {'SE':>6}  "
    f"{'gap':>7} {'':<6}  {'top 1%':>6} {'5%':>6} {'10%':>6}"
)


def judgings(panel: Panel, tables: Mapping[str, pa.Table], horizon: int, seed: int) -> Iterator[Judging | str]:
    """Every question of one horizon, and lines of text on the lines within a borrower."""
    ahead = ahead_of(panel, tables.get("events"), horizon)
    asked, cases = questions(borrower_months(panel, ahead), horizon, seed), rolls(panel, ahead, seed)
    keys = np.unique(np.concatenate([*(key_of(q.borrower, q.month) for q in asked), keys_of_rolls(cases)]))
    lines = line_months(panel, keys >> 16, keys & 0xFFFF, 2, OF_LINES)
    columns = features_over(panel, tables, lines, keys >> 16, keys & 0xFFFF)
    of_lines = line_features(panel, tables, lines)
    for question in asked:
        if question.missing:
            yield f"{question.name} {horizon}m: {question.missing}"
            continue
        of_cases = columns.take(pa.array(np.searchsorted(keys, key_of(question.borrower, question.month))))
        model = fit(question, of_cases, CANDIDATES, seed)
        if model is None or model.judged is None:
            yield f"{question.name} {horizon}m: too few cases to judge by"
            continue
        held = question.sample.held
        yield Judging(
            f"{question.name} {horizon}m", question.hit[held], question.borrower[held],
            figures_of(of_cases, question.hit, question.sample, model, rule_of_days(of_cases), seed),
        )  # fmt: skip
        yield from of_the_lines(panel, ahead, lines, of_lines, of_cases, question, model, seed)
    if cases.missing:
        yield f"roll {horizon}m: {cases.missing}"
        return
    of_rolls = roll_columns(lines, of_lines, keys, columns, cases.row)
    model = fitted(of_rolls, ROLL_CANDIDATES, cases.borrower, cases.hit, cases.sample, seed, SETTINGS)
    if model is not None and model.judged is not None:
        held = cases.sample.held
        yield Judging(
            f"roll {horizon}m", cases.hit[held], cases.borrower[held],
            figures_of(of_rolls, cases.hit, cases.sample, model, rule_of_days(of_rolls, ("", "")), seed),
        )  # fmt: skip


def of_the_lines(
    panel: Panel, ahead: Any, lines: Any, of_lines: pa.Table, of_cases: pa.Table, question: Question, model: Model,
    seed: int,
) -> Iterator[Judging | str]:  # fmt: skip
    """Lines of one question: each one's chance, and which is next, beside independence."""
    assert model.judged is not None
    keys = key_of(question.borrower, question.month)
    open_ = open_lines_of(panel, lines, ahead, keys)
    risk = model.inputs.log_odds(of_cases)
    models = fit_lines(panel, lines, of_lines, open_, question, risk, seed)
    if models is None or models.own.judged is None or models.beside.judged is None:
        yield f"  lines of {question.name} {question.horizon}m: too few cases to judge by"
        return
    if (np.bincount(open_.group) == 1).all():
        return  # one line a borrower: the borrower's question says it all
    held = np.flatnonzero(question.sample.held)
    judged = open_lines_of(panel, lines, ahead, keys[held])
    some = model.judged.p[judged.case]
    chance = chances(
        models, panel, lines, of_lines, judged, model.judged.log_odds[judged.case], some, judged=True
    )  # fmt: skip
    rule = rule_of_days(of_lines.take(pa.array(open_.place)), ("", ""))
    beside = against_the_others(
        panel, lines, open_, models.own.inputs.log_odds(of_lines.take(pa.array(open_.place))), risk[open_.case]
    )
    names = [name for name in beside.column_names if name not in ("own_risk", "borrower_risk", "product")]
    inputs = of_lines.take(pa.array(open_.place))
    for name in names:
        inputs = inputs.append_column(f"beside_{name}", beside[name])
    rolled = of_cases.take(pa.array(open_.case))
    for name in rolled.column_names:
        inputs = inputs.append_column(f"of_borrower_{name}", rolled[name])
    sample = question.sample.keep(open_.case)
    figures: dict[str, FloatArray | None] = {"ours": chance.overdue, "days": rule[sample.held]}
    figures |= {kind: peer(kind, inputs, open_.hit, sample, seed) for kind in PEERS}
    borrower = question.borrower[held][judged.case]
    yield Judging(f"  lines, {question.name} {question.horizon}m", judged.hit, borrower, figures)
    whole = np.zeros(int(judged.group.max()) + 1)
    whole[judged.group] = some
    proof = line_proof(judged, whole, chance.overdue, chance.share, chance.alone, rule[sample.held])
    yield "    " + line_words(proof)


def line_words(proof: Mapping[str, Any]) -> str:
    def gain(name: str) -> str:
        part = proof[name]
        return f"{part['value']:+.5f} ({part['low']:+.5f} to {part['high']:+.5f})"

    right = proof["right_line_first"]
    first = ", ".join(
        f"{name} {right[name]:.1%}" for name in ("share", "independence", "days_past_due", "by_chance")
        if right[name] is not None
    )  # fmt: skip
    return (
        f"log loss {proof['log_loss']:.5f}, independent {proof['log_loss_independence']:.5f}, "
        f"gain {gain('log_loss_gain')}; next line {proof['next_log_loss']:.5f}, independent "
        f"{proof['next_log_loss_independence']:.5f}, gain {gain('next_log_loss_gain')}; "
        f"right line first of {right['borrowers_with_a_choice']} choices: {first}"
    )


def panel_of(tables: Mapping[str, pa.Table], as_of: date, zone: str) -> Panel:
    return build_panel(tables, (as_of - date(1970, 1, 1)).days, zone)


def books(options: argparse.Namespace) -> Iterator[tuple[str, Panel, Mapping[str, pa.Table]]]:
    """The generated book, then the public ones that are there."""
    wanted = options.only.split(",") if options.only else ["generated", *PANELS]
    if "generated" in wanted:
        spec = GeneratorSpec(borrowers=options.borrowers, months=options.months, seed=options.seed)
        tables = generate(spec).book_tables
        last = max(tables["periods"]["month"].to_pylist())
        as_of = month_end(int(last[:4]) * 12 + int(last[5:]) - 1)
        yield f"generated, {options.borrowers:,} x {options.months}", panel_of(tables, as_of, "Asia/Shanghai"), tables
    for name, (adapter, files) in PANELS.items():
        if name not in wanted or options.shared is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for file in files:
                (Path(folder) / f"{file}.parquet").symlink_to(Path(options.shared) / "data" / f"{file}.parquet")
            place = Path(folder) / f"{files[0]}.parquet" if len(files) == 1 else Path(folder)
            book = read_checked(place, adapter, None, date(2100, 1, 1), 0.01, lambda what, share: None).book
        if book is None:
            print(f"{name}: the book is refused")
            continue
        yield name, panel_of(book.tables, book.as_of, book.manifest.timezone), book.tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--borrowers", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--seed", type=int, default=32)
    parser.add_argument("--horizons", default="1,3,6")
    parser.add_argument("--only", default="")
    parser.add_argument("--shared", default=os.environ.get("EVENKEEL_SHARED"))
    options = parser.parse_args()
    for name, panel, tables in books(options):
        since = time.process_time()
        print(f"== {name}", flush=True)
        print(HEAD)
        for horizon in (int(part) for part in options.horizons.split(",")):
            for found in judgings(panel, tables, horizon, 0):
                print(found if isinstance(found, str) else told(found), flush=True)
        print(f"{time.process_time() - since:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
