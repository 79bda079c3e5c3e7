"""A day's assignment in figures: what was given, what each capacity is worth, harm beside recovery, what the law held.

Amounts are minor units; expected ones are estimates under what `assumed` states, never facts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow.compute as pc

from evenkeel.arrears.rows import FloatArray, IntArray
from evenkeel.arrears.treatments.actions import NAMES, TREATMENTS
from evenkeel.arrears.treatments.day import Day, Request
from evenkeel.arrears.treatments.may import NOES


def figures(day: Day, request: Request) -> dict[str, Any]:
    """The document of a day."""
    borrowers = len(np.unique(day.groups.borrower))
    return {
        "now": request.now.isoformat(),
        "accounts": day.table.num_rows,
        "cases": len(day.given),
        "borrowers": borrowers,
        "treatments": _treatments(day),
        "capacities": _capacities(day),
        "value": _value(day),
        "expected": _expected(day, day.given),
        "slice": _slice(day, request),
        "blocked": _blocked(day),
        "held": _held(day),
        "fairness": _fairness(day),
        "assumed": {
            name: {"effect": one.effect, "cost_minor": one.cost_minor, "burden_minor": one.burden_minor,
                   "hours": one.hours, "source": one.source}
            for name, one in request.assumptions.treatments.items()
        },
        "versions": {"rules": request.rules.version},
    }  # fmt: skip


def _treatments(day: Day) -> dict[str, int]:
    """How many cases get each: what capacities are counted in, too."""
    table = day.table.filter(pc.equal(day.table["account_id"], day.table["lead_account_id"]))
    return dict(sorted(Counter(table["treatment"].to_pylist()).items()))


def _capacities(day: Day) -> list[dict[str, Any]]:
    """Of each capacity what is used, and what one more unit would bring.

    The price is a marginal one: of the next unit, not of many.
    """
    found = []
    for place, one in enumerate(day.capacities):
        weight = np.ones(len(day.given)) if one.weight is None else one.weight
        used = float((one.amounts[day.given] * weight).sum())
        price = float(day.solved.prices[place])
        found.append({"name": one.name, "amount": one.capacity, "used": used, "one_more_brings_minor": price})
    return found


def _value(day: Day) -> dict[str, float]:
    every = np.arange(len(day.given))
    given = np.nansum(day.worth.value[every, day.given])  # the slice with it; what follows is of all others
    return {
        "given_minor": float(given),
        "best_minor": day.solved.objective,
        "upper_minor": day.solved.upper,
        "gap": day.solved.gap,
    }


def _expected(day: Day, action: IntArray) -> dict[str, Any]:
    """Recovery and harm side by side, of everything and by treatment."""
    every = np.arange(len(action))
    contact = np.array([one.contact for one in TREATMENTS])
    harsh = np.array([one.harsh for one in TREATMENTS])

    def total(part: FloatArray, where: Any) -> float | None:
        chosen = part[every, action][where]
        return None if np.isnan(chosen).any() else float(chosen.sum())

    def row(where: Any) -> dict[str, Any]:
        return {
            "cases": int(np.count_nonzero(where)),
            "recovery_minor": total(day.worth.recovery, where),
            "cost_minor": total(day.worth.cost, where),
            "burden_minor": total(day.worth.burden, where),
        }

    treated = action > 0
    contacted = contact[action]
    return row(treated) | {
        "contacts": int(contacted.sum()),
        "harsh": int(harsh[action].sum()),
        "contacts_in_seven_days_before": _loads(day.may.load[contacted]),
        "by_treatment": {name: row(action == place) for place, name in enumerate(NAMES) if (action == place).any()},
    }


def _loads(load: IntArray) -> dict[str, Any]:
    """How often those who are contacted today were contacted in the seven days before, by all creditors."""
    if not len(load):
        return {"mean": None, "most": None}
    return {"mean": float(load.mean()), "most": int(load.max())}


def _slice(day: Day, request: Request) -> dict[str, Any]:
    """The randomised slice, and what it costs: value that the assignment would have had from these cases."""
    inside = np.flatnonzero(day.lot.inside)
    value = day.worth.value
    cost = float(np.nansum(value[inside, day.chosen[inside]]) - np.nansum(value[inside, day.given[inside]]))
    counts = Counter(NAMES[place] for place in day.given[inside].tolist())
    return {"share": request.share, "seed": request.seed, "cases": len(inside), "cost_minor": cost,
            "treatments": dict(sorted(counts.items()))}  # fmt: skip


def _blocked(day: Day) -> list[dict[str, Any]]:
    """Cases that each rule holds back from each treatment now."""
    leads = day.table.take(day.groups.lead)["blocked"].combine_chunks()
    flat = leads.flatten()
    keys = zip(flat.field("rule").to_pylist(), flat.field("action").to_pylist(), flat.field("citation").to_pylist(),
               strict=True)  # fmt: skip
    counted = Counter(keys)
    return [
        {"rule": rule, "treatment": treatment, "citation": citation, "cases": count}
        for (rule, treatment, citation), count in sorted(counted.items())
    ]


def _held(day: Day) -> dict[str, dict[str, int]]:
    """Cases for which each treatment may not be, by its first no."""
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(NAMES[1:], 1):
        column = day.may.why[:, place]
        counts = np.bincount(column[column >= 0], minlength=len(NOES))
        found[name] = {NOES[code]: int(count) for code, count in enumerate(counts.tolist()) if count}
    return found


def _fairness(day: Day) -> list[dict[str, Any]]:
    """Of each group that a bound is on: the share treated by the assignment less that of all, and the bound."""
    found = []
    for one in day.constraints[len(day.capacities) :]:
        if one.weight is None:
            continue
        apart = float((one.amounts[day.solved.choice] * one.weight).sum())
        found.append({"group": one.name, "apart": apart, "most_apart": one.capacity})
    return found
