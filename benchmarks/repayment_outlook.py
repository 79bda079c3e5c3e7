"""What a household can carry: CPU time of an outlook, its budget, the chance of a plan, and all that is said of it.

    python benchmarks/repayment_outlook.py [--rounds 20]

Prints JSON: milliseconds of CPU, median and 95th percentile, and how they grow with incomes and months.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import date
from time import process_time

import numpy as np

from evenkeel.repayment.case import Case, Essential, Household, Income, Priority
from evenkeel.repayment.household.afford import afford
from evenkeel.repayment.household.afford_chart import chart
from evenkeel.repayment.household.chance import chance
from evenkeel.repayment.household.outlook import budget, outlook


def household(incomes: int, seed: int) -> Case:
    """A usual household: a wage that is told, further incomes of which a year was seen."""
    rng = np.random.default_rng(seed)
    wage = Income(id="wage", amount_minor=int(rng.integers(300_000, 900_000)), pay_day=10, evidence="statement")
    others = [
        Income(id=f"gig{k}", kind="gig", history_minor=tuple(int(m) for m in 150_000 * np.exp(rng.normal(0, 0.3, 12))))
        for k in range(incomes - 1)
    ]
    essentials = (Essential(category="housing", amount_minor=120_000), Essential(category="food", amount_minor=130_000))
    house = Household(
        incomes=(wage, *others), essentials=essentials, priority=(Priority(kind="utilities", monthly_minor=15_000),)
    )
    return Case(case_id=f"h{seed}", as_of=date(2026, 3, 10), household=house, debts=(), seed=seed)


def timed(work: Callable[[int], object], rounds: int) -> dict[str, float]:
    """CPU milliseconds of `work`, which is given the round's number; the first round is not counted."""
    taken = []
    for turn in range(rounds + 1):
        begun = process_time()
        work(turn)
        taken.append((process_time() - begun) * 1000)
    median, late = np.quantile(taken[1:], [0.5, 0.95])
    return {"p50_ms": round(float(median), 2), "p95_ms": round(float(late), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    figures: dict[str, object] = {}
    for incomes in (1, 2, 4, 8):
        figures[f"outlook, {incomes} incomes"] = timed(lambda k, n=incomes: outlook(household(n, k)), rounds)
    of = household(2, 0)
    ahead = outlook(of)
    capacity = budget(of, ahead).capacity
    figures["budget"] = timed(lambda _: budget(of, ahead), rounds)
    for months in (12, 24, 60):
        payments = capacity[: months + 1] * 8 // 10
        figures[f"chance, {months} months"] = timed(lambda _, p=payments: chance(ahead, p), rounds)
    told = afford(of, ahead)
    figures["afford"] = timed(lambda _: afford(of, ahead), max(rounds // 5, 3))
    figures["chart"] = timed(lambda _: chart(told, "zh"), rounds)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
