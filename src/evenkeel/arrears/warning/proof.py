"""How well the warning ranks and what its chances are worth, out of time, beside days past due and independence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.arrears.warning.facts import IntArray
from evenkeel.arrears.warning.lines import Lines, independent_next, is_next
from evenkeel.arrears.warning.question import Judged, Question
from evenkeel.measures.calibration import reliability, wilson
from evenkeel.measures.discrimination import Estimate, auc, auc_difference, brier, log_loss, mean_interval
from evenkeel.scoring.frame import numbers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

TOP_SHARES = (0.01, 0.05, 0.10)


def rule_of_days(columns: pa.Table, suffixes: tuple[str, str] = ("_max", "_sum")) -> FloatArray:
    """How a list of days past due ranks: worst now, then late months of the last three, the worst and the late months
    of the last twelve, the latest first. (n,), higher is worse; what is not known counts as never.

    suffixes: of the features where they are rolled up over lines, two empty texts for lines.
    """
    most, total = suffixes
    latest = "months_since_late_min" if most else "months_since_late"

    def value(name: str, missing: float = 0.0) -> FloatArray:
        if name not in columns.column_names:
            return np.full(columns.num_rows, missing)
        known: FloatArray = np.nan_to_num(numbers(columns[name]), nan=missing)
        return known

    result: FloatArray = (
        1e8 * value(f"state_now{most}") + 1e6 * np.minimum(value(f"late_count_3m{total}"), 99)
        + 1e4 * value(f"worst_12m{most}") + 1e2 * np.minimum(value(f"late_count_12m{total}"), 99)
        + 24 - np.minimum(value(latest, 24.0), 24)
    )  # fmt: skip
    return result


def estimate(found: Estimate) -> dict[str, float | None]:
    """A figure with its interval as JSON; null where it cannot be told."""
    return {name: None if np.isnan(part) else part
            for name, part in (("value", found.value), ("low", found.low), ("high", found.high))}  # fmt: skip


def precision_at_top(score: FloatArray, truth: BoolArray) -> list[dict[str, float]]:
    """Of the highest-ranked share of borrowers, the share that became overdue, with Wilson's interval; and its lift."""
    order = np.argsort(-score, kind="stable")
    table = []
    for share in TOP_SHARES:
        count = max(int(np.ceil(share * len(order))), 1)
        hits = int(truth[order[:count]].sum())
        low, high = wilson(np.array([hits]), np.array([count]))
        table.append(
            {"top_share": share, "borrowers": count, "precision": hits / count, "low": float(low[0]),
             "high": float(high[0]), "lift": hits / count / float(truth.mean())}
        )  # fmt: skip
    return table


def ranked(question: Question, judged: Judged) -> dict[str, object]:
    """The ranking of a question's judged cases, as portfolio.json has it."""
    held, earlier = question.sample.held, question.sample.earlier
    truth = question.hit[held]
    area = auc(judged.log_odds, truth)
    return {
        "base_rate": float(truth.mean()),
        "precision": precision_at_top(judged.log_odds, truth),
        "auc": area.value, "auc_low": area.low, "auc_high": area.high,
        "judged_on": question.judged_on,
        "rows_train": int(earlier.sum()), "rows_holdout": int(held.sum()), "how": question.sample.how,
    }  # fmt: skip


def beside_rules(judged: Judged, truth: BoolArray, rule: FloatArray) -> dict[str, object]:
    """The same cases ranked by days past due, and the difference (DeLong); and how far the chances hold."""
    difference = auc_difference(judged.log_odds, rule, truth)
    return {
        "days_past_due": {
            "auc": estimate(auc(rule, truth)), "precision": precision_at_top(rule, truth),
            "gain": estimate(Estimate(difference.value, difference.low, difference.high)),
        },
        "brier": estimate(brier(judged.p, truth)), "log_loss": estimate(log_loss(judged.p, truth)),
        "calibration": [
            {"predicted": group.predicted, "observed": group.observed, "low": group.low, "high": group.high,
             "rows": group.rows} for group in reliability(judged.p, truth)
        ],
    }  # fmt: skip


def line_proof(open_: Lines, some: FloatArray, overdue: FloatArray, share: FloatArray, alone: FloatArray,
               rule: FloatArray) -> dict[str, object]:  # fmt: skip
    """Judged lines: each one's chance, and which is the next to go, beside independent lines and days past due.

    some: (groups,) chance of the borrower's question. overdue, share, alone, rule: (n,) of lines. Gains are what
    independence loses more a case, so that above 0 is better.
    """
    hit, group = open_.hit, open_.group
    alone_some, alone_next = independent_next(open_, alone)
    ours, theirs = _losses(overdue, hit), _losses(alone, hit)
    mine, apart = next_losses(open_, some, some[group] * share), next_losses(open_, alone_some, alone_next)
    right = {name: first_right(open_, figure) for name, figure in (
        ("share", share), ("independence", alone), ("days_past_due", rule))}  # fmt: skip
    choices = len(right["share"])
    even = 1 / np.bincount(group)[_choices(open_)]
    return {
        "lines": len(hit), "overdue": int(hit.sum()),
        "auc": estimate(auc(overdue, hit)), "auc_independence": estimate(auc(alone, hit)),
        "auc_days_past_due": estimate(auc(rule, hit)),
        "log_loss": float(ours.mean()), "log_loss_independence": float(theirs.mean()),
        "log_loss_gain": _mean_gain(theirs - ours),
        "next_log_loss": float(mine.mean()), "next_log_loss_independence": float(apart.mean()),
        "next_log_loss_gain": _mean_gain(apart - mine),
        "right_line_first": {
            "borrowers_with_a_choice": choices,
            **{name: float(found.mean()) if choices else None for name, found in right.items()},
            "by_chance": float(even.mean()) if choices else None,
        },
    }  # fmt: skip


def _losses(p: FloatArray, hit: BoolArray) -> FloatArray:
    held = np.clip(p, 1e-12, 1 - 1e-12)
    return -np.where(hit, np.log(held), np.log1p(-held))


def _mean_gain(gain: FloatArray) -> dict[str, float | None]:
    """Mean with a normal 95 % interval."""
    if len(gain) < 2:
        return {"value": None, "low": None, "high": None}
    half = 1.959963984540054 * float(gain.std(ddof=1)) / np.sqrt(len(gain))
    return {"value": float(gain.mean()), "low": float(gain.mean() - half), "high": float(gain.mean() + half)}


def next_losses(open_: Lines, some: FloatArray, chance: FloatArray) -> FloatArray:
    """(groups,) -ln of the chance given to what happened: this line was the next to go, or none was.

    Lines that go in the same month count by parts.
    """
    truth = is_next(open_)
    happened = np.bincount(open_.group, truth) > 0.5
    named = np.bincount(open_.group, -truth * np.log(np.clip(chance, 1e-12, 1.0)))
    result: FloatArray = np.where(happened, named, -np.log1p(-np.clip(some, 0.0, 1 - 1e-12)))
    return result


def _choices(open_: Lines) -> IntArray:
    """Groups of several open lines of which some, and not all at once, was let go next."""
    size, firsts = np.bincount(open_.group), np.bincount(open_.group, is_next(open_) > 0)
    return np.flatnonzero((size > 1) & (firsts > 0) & (firsts < size))


def first_right(open_: Lines, figure: FloatArray) -> FloatArray:
    """For each borrower who had a choice: whether the line with the highest figure was let go next; ties by parts."""
    truth = is_next(open_) > 0
    best = np.full(int(open_.group.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(best, open_.group, figure)
    top = figure == best[open_.group]
    share = np.bincount(open_.group, top & truth) / np.maximum(np.bincount(open_.group, top), 1)
    result: FloatArray = share[_choices(open_)]
    return result


def reach_proof(state: IntArray, worst: IntArray, reach: FloatArray, rule: FloatArray) -> dict[str, object]:
    """For each bucket from M1: of the judged lines that are not there yet, how well those that got there rank.

    state, worst, rule: (n,) now, as far as it went, days past due. reach: (n, 6) chances.
    """
    table: dict[str, object] = {}
    for place in range(reach.shape[1]):
        bucket = place + 1
        before = state < bucket
        hit = worst[before] >= bucket
        if min(hit.sum(), (~hit).sum()) < 10:
            continue
        p = reach[before, place]
        table[f"M{bucket}"] = {
            "lines": int(before.sum()), "reached": int(hit.sum()), "expected": float(p.sum()),
            "auc": estimate(auc(p, hit)), "auc_days_past_due": estimate(auc(rule[before], hit)),
            "log_loss": estimate(mean_interval(_losses(p, hit))),
        }  # fmt: skip
    return table
