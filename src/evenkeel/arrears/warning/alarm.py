"""When to raise an alarm, how right alarms have been, and what to do about one before the due day.

An alarm is raised where it costs less than silence: p * cost_miss > (1 - p) * cost_false, so p above
cost_false / (cost_false + cost_miss) (Elkan 2001, with a right alarm and a right silence free). What to do follows from
what is known of the borrower, in the order in which it helps most; where nothing is known, nobody is contacted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.arrears.warning.facts import IntArray
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.discrimination import share_estimate
from evenkeel.scoring.frame import numbers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# What is done about an alarm, and the sign that says so.
ACTIONS = ("watch", "move_due_day", "offer", "teach", "lower_temptation", "remind")


@dataclass(frozen=True, slots=True)
class Costs:
    """What an alarm for nothing costs, and what an overdue line that nobody saw coming costs, in one unit of any kind.

    The default, ten to one, is a judgement: a text that was not needed against weeks of collection of a line.
    """

    miss: float = 10.0
    false: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("a miss", self.miss), ("a false alarm", self.false)):
            if not (np.isfinite(value) and value > 0):
                raise InvalidInput(f"{name} costs {value}; a cost is a number above 0.", "Say for example 10 and 1.")

    @property
    def threshold(self) -> float:
        """The chance from which on an alarm costs less than silence."""
        return self.false / (self.false + self.miss)


def alarm_record(p: FloatArray, until: IntArray, costs: Costs) -> dict[str, object]:
    """How the alarms of judged cases turned out: precision and recall with intervals, lead time, and cost a case.

    p: (n,) chances. until: (n,) months to the outcome, 0 where there was none. Of the months between a right alarm and
    its outcome: how many alarms had each, and quartiles.
    """
    alarm, hit = p > costs.threshold, until > 0
    right = int((alarm & hit).sum())
    lead = until[alarm & hit]
    never, always = costs.miss * hit.mean(), costs.false * (~hit).mean()
    cost = (costs.miss * (hit & ~alarm).sum() + costs.false * (alarm & ~hit).sum()) / len(p)
    months = {str(month): int((lead == month).sum()) for month in range(1, int(lead.max(initial=0)) + 1)}
    quartiles = np.quantile(lead, [0.25, 0.5, 0.75], method="lower").tolist() if len(lead) else [None] * 3
    return {
        "threshold": costs.threshold, "cost_miss": costs.miss, "cost_false": costs.false, "cases": len(p),
        "alarms": int(alarm.sum()), "right": right, "missed": int((hit & ~alarm).sum()),
        "precision": _interval(right, int(alarm.sum())), "recall": _interval(right, int(hit.sum())),
        "lead_months": {"alarms": months, "lower": quartiles[0], "median": quartiles[1], "upper": quartiles[2]},
        "cost_a_case": {"with_alarms": float(cost), "never": float(never), "always": float(always)},
    }  # fmt: skip


def _interval(hits: int, trials: int) -> dict[str, float | None]:
    """A share with Wilson's 95 % interval; null where nothing was tried."""
    if trials == 0:
        return {"value": None, "low": None, "high": None}
    found = share_estimate(hits, trials)
    return {"value": found.value, "low": found.low, "high": found.high}


def actions(columns: pa.Table, hands_off: BoolArray, movable: BoolArray) -> tuple[list[str], list[str]]:
    """(what to do, the sign that says so) for each alarm.

    columns: (n,) features of the borrowers. hands_off: asked not to be contacted, or has a dispute open. movable: a
    line's due day falls before the pay day. A sign that is not known says nothing; with none of them, `watch`.
    """

    def value(name: str) -> FloatArray:
        return numbers(columns[name]) if name in columns.column_names else np.full(columns.num_rows, np.nan)

    signs: tuple[tuple[str, str, BoolArray], ...] = (
        ("watch", "stop", hands_off),
        ("offer", "hardship", value("hardship_6m") > 0),
        ("offer", "income_break", np.fmin(value("income_break"), value("income_last")) < 0.7),
        ("move_due_day", "due_before_pay", movable),
        ("offer", "debt_service", value("service_to_income") > 0.5),
        ("offer", "late_now", value("lines_overdue") > 0),
        ("lower_temptation", "new_lines", value("opened_3m") + np.nan_to_num(value("applications_3m")) >= 2),
        ("lower_temptation", "cash_advance", value("cash_share_6m_max") > 0.2),
        ("teach", "minimum_only", value("minimum_only_6m_sum") >= 3),
        ("lower_temptation", "utilisation", value("utilisation_max") > 0.9),
        ("remind", "paid_after_due", value("late_payments_6m") > 0),
        ("remind", "late_before", value("late_count_12m_sum") > 0),
    )
    chosen = np.select([sign for _, _, sign in signs], range(len(signs)), default=-1)
    what = ["watch" if place < 0 else signs[place][0] for place in chosen.tolist()]
    why = ["nothing_known" if place < 0 else signs[place][1] for place in chosen.tolist()]
    return what, why
