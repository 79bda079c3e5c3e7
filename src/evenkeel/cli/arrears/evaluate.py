"""`evenkeel arrears evaluate`: what treatments do, and what a policy of them would bring, from a log."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa

from evenkeel.arrears.treatments.evaluation import Evaluation, Harm, Question, Refused, evaluate as judge  # isort: skip
from evenkeel.arrears.treatments.logged import HARMS, LEARN, SHARES, Columns, TreatmentLog, read_log
from evenkeel.arrears.treatments.policy import LearntPolicy, fitted_values
from evenkeel.cli import present
from evenkeel.cli.arrears.evaluate_words import told, told_refusal
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.cli.tables import WRITTEN, read_table, write_rows
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, Unavailable
from evenkeel.kernel.text import texts
from evenkeel.measures.offpolicy import Valued
from evenkeel.measures.uplift import Resampled, Uplift
from evenkeel.scoring.frame import frame, is_text, numbers

_LEARN = "learn"
_OUTCOMES = ("outcome", "paid", "recovered", "cured", "recovered_minor", "paid_minor")


def _names(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for part in given for name in part.split(",") if name.strip())


def _prices(_ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in _names(_ctx, option, given):
        name, sign, text = part.rpartition("=")
        try:
            price = float(text)
        except ValueError:
            price = math.nan
        if not sign or not name or not 0 <= price < math.inf:
            raise click.BadParameter(f"{part!r}: write ACTION=AMOUNT, an amount of 0 or more.", param=option)
        found[name] = price
    return found


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `evaluate`, in the order of its help."""
    option = click.option
    lists: dict[str, Any] = {"multiple": True, "callback": _names, "metavar": "A,B"}
    prices: dict[str, Any] = {"multiple": True, "callback": _prices, "metavar": "ACTION=X"}
    for add in reversed((
        option("--policy", default=_LEARN, show_default=True, metavar="COLUMN|learn",
               help="Judge the actions of this column, or learn a policy and judge it."),
        option("--action", metavar="COL", help="What was done. [default: action, or treatment]"),
        option("--outcome", metavar="COL", help="What came of it, higher = better. [default: outcome, paid, ...]"),
        option("--propensity", metavar="COL|P|shares|learn",
               help="Odds of what was done: a column, a number, `shares` for an experiment with the same odds for all, "
                    "or `learn` from the features. [default: propensity]"),
        option("--baseline", metavar="ACTION", help="The action that is doing nothing, where its name does not say."),
        option("--features", **lists, help="Known before the action. [default: all other columns]"),
        option("--drop", **lists, help="Columns that are no features."),
        option("--balance", metavar="COL", help="What is at stake in a row: values are outcome times this."),
        option("--cost", **prices, help="Of an action, in units of the value."),
        option("--burden", **prices, help="What an action does to a person, priced."),
        option("--harm", **lists, help=f"Columns of what must not happen. [default: {', '.join(HARMS)}]"),
        option("--lawful", metavar="COL", help="Whether the action was lawful; also lawful_ACTION. [default: lawful]"),
        option("--illegal", **lists, help="Actions that are never lawful."),
        option("--group", metavar="COL", help="Rows of one borrower. [default: borrower_id]"),
        option("--holdout", type=click.FloatRange(0, 0.95), default=0.5, show_default=True,
               help="Share on which a learnt policy is judged; 0: out of fold on all."),
        option("--most-weight", type=click.FloatRange(1), metavar="X", help="Importance weights are cut to this."),
        option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of folds and draws."),
        option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
               help="Write the learnt policy as JSON."),
        option("--apply", "cases", type=click.Path(path_type=Path, dir_okay=False), metavar="CASES",
               help="Value each action for these cases: account_id, the features, the balance."),
        option("--values", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
               help="Where these values go (.parquet, .csv), as `evenkeel arrears assign` reads them."),
    )):  # fmt: skip
        command = add(command)
    return command


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears evaluate log.csv --outcome paid --harm complaint\n"
    "  evenkeel arrears evaluate log.parquet --policy proposed_action --json\n"
    "  evenkeel arrears evaluate hillstrom.parquet --action segment --baseline 'No E-Mail' --outcome visit "
    "--propensity shares\n"
    "  evenkeel arrears evaluate log.csv --balance balance_minor --cost call=500 --apply cases.csv --values v.parquet\n"
)
@click.argument("log", type=click.Path(path_type=Path, dir_okay=False))
@_options
@lang_option
@as_json_option
def evaluate(
    log: Path, policy: str, holdout: float, most_weight: float | None, seed: int, out: Path | None,
    cases: Path | None, values: Path | None, cost: dict[str, float], burden: dict[str, float], lang: str,
    as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Learn from LOG (.csv, .parquet, .xlsx) what each action does beyond doing nothing, and judge a policy on it.

    A row is a decision: the action, the odds with which it was drawn, what was known before, what came of it. Actions
    that were not lawful are taken out before anything is learned. The policy's value comes as IPS, SNIPS, DR and SWITCH
    with 95 % intervals, harm beside it. Where the log never did what the policy wants, the answer is a refusal: exit
    code 1, no number.
    """
    if (cases is None) != (values is None):
        raise InvalidUsage("--apply and --values go together.", "Give the cases, and the file for their values.")
    if values is not None and values.suffix.lower() not in WRITTEN:
        raise InvalidUsage(f"{values} is neither .parquet nor .csv.", "Choose one of the two.")
    if policy != _LEARN and (out is not None or cases is not None):
        raise InvalidUsage("--out and --apply are of a learnt policy.", "Leave out --policy.")
    table = read_table(log)
    columns = _columns(table, policy, **given)
    read = read_log(table, columns)
    question = Question(
        seed, holdout, cost, burden, most_weight, columns.features is not None, columns.propensity == SHARES
    )
    with present.progress(as_json) as report:
        found = judge(read, question, report)
    header = _header(table, columns, read)
    if isinstance(found, Refused):
        refused = {name: getattr(found, name) for name in Refused.__slots__}
        present.answer({**header, "refused": refused}, as_json, lambda: told_refusal(found, read, texts(lang)))
        return present.AT_FAULT
    document = {**header, "refused": None, **_document(found)}
    if found.policy is not None:
        if out is not None:
            _write(out, found.policy)
        if cases is not None and values is not None:
            write_rows(_valued(read_table(cases), found.policy, columns), values)
    present.answer(document, as_json, lambda: told(found, read, texts(lang)))
    return present.DONE


# --- which column says what ------------------------------------------------------------------------------------------


def _columns(table: pa.Table, policy: str, **given: Any) -> Columns:
    """The columns named, and the usual names of the others. Raises InvalidUsage where one cannot be told."""
    there = table.column_names

    def usual(option: str, *names: str) -> str:
        if given[option] is not None:
            return str(given[option])
        for name in names:
            if name in there:
                return name
        raise InvalidUsage(
            f"which column is the {option} cannot be told.", f"Say --{option}; there are: {', '.join(there[:12])}."
        )

    propensity: str | float = usual("propensity", "propensity")
    if propensity not in there and propensity not in (SHARES, LEARN):
        try:
            propensity = float(propensity)
        except ValueError:
            raise InvalidUsage(
                f"--propensity {propensity} is no column, number, `{SHARES}` or `{LEARN}`.",
                f"There are: {', '.join(there[:12])}.",
            ) from None
    harms = given["harm"] or tuple(name for name in HARMS if name in there)
    return Columns(
        usual("action", "action", "treatment"), usual("outcome", *_OUTCOMES), propensity, given["baseline"],
        given["features"] or None, harms, given["lawful"] or ("lawful" if "lawful" in there else None),
        given["illegal"], None if policy == _LEARN else policy,
        given["group"] or ("borrower_id" if "borrower_id" in there else None), given["drop"], given["balance"],
    )  # fmt: skip


def _valued(cases: pa.Table, policy: LearntPolicy, columns: Columns) -> pa.Table:
    """The value of every action for each case; null where the balance is not known."""
    needed = [column.name for column in policy.effects.reading.columns]
    absent = [
        name for name in ("account_id", *needed, *filter(None, [columns.balance])) if name not in cases.column_names
    ]
    if absent:
        raise InvalidInput(f"the cases lack {', '.join(f'`{name}`' for name in absent)}.", "Add what the policy reads.")
    balance = np.ones(cases.num_rows)
    if columns.balance is not None:
        column = frame(cases.select([columns.balance]))[columns.balance]
        if is_text(column) and column.null_count < len(column):
            raise InvalidInput(f"`{columns.balance}` of the cases holds texts.", "Give minor units.")
        balance = numbers(column.cast(pa.float64()))
    worth = policy.values(frame(cases.select(needed)), balance)
    return fitted_values(cases["account_id"], policy.effects.actions, worth)


def _write(out: Path, policy: LearntPolicy) -> None:
    try:
        out.write_text(json.dumps({"version": policy.version, **policy.document()}) + "\n", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{out} cannot be written: {error.strerror}.", "Check its rights and space.") from error


# --- as JSON ---------------------------------------------------------------------------------------------------------


def _header(table: pa.Table, columns: Columns, read: TreatmentLog) -> dict[str, Any]:
    return {
        "actions": list(read.actions), "baseline": read.actions[0], "outcome": columns.outcome,
        "propensity": columns.propensity, "policy": columns.policy or _LEARN,
        "features": read.features.column_names,
        "rows": {"read": table.num_rows, "used": len(read.action), "unlawful": dict(read.unlawful),
                 "not_known": dict(read.unknown)},
        "barred_features": dict(read.barred),
    }  # fmt: skip


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(one: Valued | Resampled | None) -> dict[str, float | None] | None:
    if one is None:
        return None
    return {name: _number(getattr(one, name)) for name in ("value", "low", "high", "standard_error")}


def _document(found: Evaluation) -> dict[str, Any]:
    support, values = found.support, found.values
    return {
        "version": None if found.policy is None else found.policy.version,
        "rows_judged": found.rows, "rows_learned": found.learned_rows,
        "features_moved_by_action": list(found.moved),
        "shares": dict(found.shares), "cost": found.cost, "burden": found.burden,
        "support": {"matched": support.matched, "effective": support.effective,
                    "largest_weight": support.largest_weight, "mean_weight": support.mean_weight},
        "values": {name: _figure(getattr(values, name)) for name in ("ips", "snips", "dr", "switch")}
        | {"switch_above": _number(values.switch_above), "cut_rows": values.cut_rows, "cut_weight": values.cut_weight},
        "expected": _figure(found.expected), "expected_inside": found.expected_inside,
        "expected_gap": _figure(found.expected_gap),
        "logged": _figure(found.logged), "over_nothing": _figure(found.over_nothing),
        "over_log": _figure(found.over_log),
        "one_for_all": {name: _figure(one) for name, one in found.single.items()},
        "effects": {name: {"rows": rows, **(_figure(one) or {})} for name, (rows, one) in found.effects.items()},
        "uplift": {name or "best": _uplift(one) for name, one in found.uplift.items()},
        "harms": {name: _harm(one) for name, one in found.harms.items()},
    }  # fmt: skip


def _uplift(one: Uplift) -> dict[str, Any]:
    return {
        "qini": _figure(one.qini), "auuc": _figure(one.auuc), "overall": _figure(one.overall),
        "at": [{"share": share, **(_figure(figure) or {})} for share, figure in one.at],
    }  # fmt: skip


def _harm(one: Harm) -> Mapping[str, Any]:
    by_action = {name: {"rows": rows, **(_figure(figure) or {})} for name, (rows, figure) in one.by_action.items()}
    return {
        "by_action": by_action, "policy": _figure(one.policy), "nothing": _figure(one.nothing),
        "logged": _figure(one.logged), "not_known": one.unknown,
    }  # fmt: skip
