"""One day's assignment: how fast, how near the optimum, beside a mixed-integer solver; and a whole day with its law.

    python benchmarks/assignment.py [--cases N] [--beside N] [--day N] [--seconds S]

N cases x 10 actions x 6 capacities are assigned, in four kinds: values with a long tail; values on a few rungs, so that
thousands tie; amounts of each case's own; and bounds on how far six groups may be apart. Every choice is checked again:
allowed, and within every capacity. Beside it HiGHS on the same problem of --beside cases, as a linear relaxation and as
a mixed-integer program with the same gap asked for, stopped after S seconds. Then the treatments of --day overdue
accounts, from the law to the table.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.arrears.law import load_rules
from evenkeel.arrears.treatments.capacity import capacity_of
from evenkeel.arrears.treatments.day import Request, plan_day
from evenkeel.measures.assignment import Assignment, Constraint, assign, parity

ACTIONS, CAPACITIES = 10, 6
Problem = tuple[Any, Any, list[Constraint]]


def plain(size: int, seed: int = 1) -> Problem:
    """Balances with a long tail times effects of actions; whole amounts of capacities; a fifth is not allowed."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(9, 1, size)[:, None] * rng.gamma(1, 0.05, (size, ACTIONS)) - rng.uniform(0, 200, ACTIONS)
    values[:, 0] = 0
    allowed = rng.random((size, ACTIONS)) < 0.8
    allowed[:, 0] = True
    bounds = []
    for place in range(CAPACITIES):
        amounts = np.where(rng.random(ACTIONS) < 0.5, rng.integers(1, 20, ACTIONS), 0).astype(float)
        amounts[0] = 0
        bounds.append(Constraint(f"c{place}", amounts, float(int(amounts.mean() * size * rng.uniform(0.1, 0.6)))))
    return values, allowed, bounds


def tied(size: int) -> Problem:
    values, allowed, bounds = plain(size)
    return np.round(values / 200) * 200, allowed, bounds


def own_amounts(size: int) -> Problem:
    """Minutes differ from case to case: every capacity has an amount for each case and action."""
    values, allowed, bounds = plain(size)
    rng = np.random.default_rng(2)
    return (
        values,
        allowed,
        [Constraint(one.name, one.amounts * rng.uniform(0.5, 1.5, (size, 1)), one.capacity) for one in bounds],
    )


def fair(size: int) -> Problem:
    values, allowed, bounds = plain(size)
    group = np.random.default_rng(3).integers(0, 6, size)
    values[:, 1:] *= 1 + 0.2 * group[:, None]
    return values, allowed, [*bounds, *parity("group", group, np.append(0.0, np.ones(ACTIONS - 1)), 0.02)]


def checked(found: Assignment, problem: Problem) -> None:
    values, allowed, bounds = problem
    every = np.arange(len(values))
    assert allowed[every, found.choice].all()
    for one in bounds:
        amounts = one.amounts[found.choice] if one.amounts.ndim == 1 else one.amounts[every, found.choice]
        used = float((amounts * (1.0 if one.weight is None else one.weight)).sum())
        assert used <= one.capacity * (1 + 1e-12) + 1e-9, one.name


def assigned(name: str, make: Callable[[int], Problem], size: int) -> None:
    problem = make(size)
    since = time.process_time()
    found = assign(*problem)
    took = time.process_time() - since
    checked(found, problem)
    bounds = len(problem[2])
    print(f"{size:,} x {ACTIONS} x {bounds}, {name}: {took:.1f} CPU s, gap {found.gap:.1e}")


def beside(size: int, seconds: float) -> None:
    problem = plain(size)
    since = time.process_time()
    found = assign(*problem)
    took = time.process_time() - since
    print(f"{size:,} cases here: {took:.2f} CPU s, value {found.objective:,.0f}, gap {found.gap:.1e}")
    for name, whole in (("linear relaxation", False), ("mixed-integer program", True)):
        since = time.process_time()
        value, said = by_highs(problem, whole, seconds)
        took = time.process_time() - since
        print(f"{size:,} cases, HiGHS, {name}: {took:.2f} CPU s, value {value:,.0f}, {said}")


def by_highs(problem: Problem, whole: bool, seconds: float) -> tuple[float, str]:
    values, allowed, bounds = problem
    size, count = values.shape
    places = np.arange(size * count)
    each = sp.csr_matrix((np.ones(size * count), (places // count, places)), (size, size * count))
    table = sp.csr_matrix(np.stack([np.tile(one.amounts, size) for one in bounds]))
    found = milp(
        -np.where(allowed, values, 0.0).ravel(),
        constraints=[LinearConstraint(each, 1, 1), LinearConstraint(table, -np.inf, [one.capacity for one in bounds])],
        bounds=Bounds(0, allowed.ravel().astype(float)), integrality=np.full(size * count, int(whole)),
        options={"mip_rel_gap": 1e-4, "time_limit": seconds},
    )  # fmt: skip
    if found.x is None:
        return float("nan"), "nothing found in time"
    return -float(found.fun), "optimal within 1e-4" if found.status == 0 else "stopped at the time limit"


def day(size: int) -> None:
    rng = np.random.default_rng(5)
    dpd = rng.integers(1, 400, size)
    cases = pa.table(
        {
            "account_id": [f"a{k:08d}" for k in range(size)], "borrower_id": [f"b{k // 2:08d}" for k in range(size)],
            "lender_id": [f"k{k % 3}" for k in range(size)], "product": rng.choice(["card", "cash"], size),
            "actor_type": ["bank"] * size, "timezone": ["Asia/Shanghai"] * size, "dpd": pa.array(dpd, pa.int32()),
            "state": [f"M{min((one - 1) // 30 + 1, 7)}" for one in dpd.tolist()],
            "balance_minor": rng.lognormal(13, 1, size).astype(np.int64), "p_self_cure": rng.uniform(0, 0.6, size),
            "cause": rng.choice(["unclear", "oversight", "income_shock"], size),
        }
    )  # fmt: skip
    shares = {"call": 0.05, "sms": 0.3, "app": 0.4, "hours": 0.015, "visit": 0.001, "legal": 0.001}
    capacities = [capacity_of(name, share * size) for name, share in shares.items()]
    request = Request(datetime(2026, 3, 2, 1, tzinfo=UTC), "CN", load_rules(), capacities)
    since = time.process_time()
    found = plan_day(cases, None, None, None, None, request)
    took = time.process_time() - since
    print(f"a day of {size:,} accounts, law to table: {took:.1f} CPU s, gap {found.solved.gap:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--beside", type=int, default=10_000)
    parser.add_argument("--day", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    kinds = (
        ("values with a long tail", plain),
        ("thousands of ties", tied),
        ("amounts of each case's own", own_amounts),
        ("with groups 2 points apart at most", fair),
    )
    for name, make in kinds:
        assigned(name, make, given.cases)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    beside(given.beside, given.seconds)
    day(given.day)


if __name__ == "__main__":
    main()
