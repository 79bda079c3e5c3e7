"""Assignment problems and their exact answers, by ways that share nothing with the solver."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.measures.assignment import Assignment, Constraint

Array = Any


def book(size: int, actions: int = 10, constraints: int = 6, seed: int = 0) -> tuple[Array, Array, list[Constraint]]:
    """Cases as in collections: balances with a long tail, effects of actions, whole amounts of scarce capacities."""
    rng = np.random.default_rng(seed)
    balance, effect = rng.lognormal(9, 1, size), rng.gamma(1, 0.05, (size, actions))
    values = balance[:, None] * effect - rng.uniform(0, 200, actions)
    values[:, 0] = 0
    allowed = rng.random((size, actions)) < 0.8
    allowed[:, 0] = True
    bounds = []
    for place in range(constraints):
        amounts = np.where(rng.random(actions) < 0.5, rng.integers(1, 20, actions), 0).astype(float)
        amounts[0] = 0
        bounds.append(Constraint(f"c{place}", amounts, float(int(amounts.mean() * size * rng.uniform(0.1, 0.6)))))
    return values, allowed, bounds


def amounts_of(one: Constraint, size: int) -> Array:
    """(n, K) what each action of each case uses."""
    amounts = np.broadcast_to(one.amounts, (size, np.shape(one.amounts)[-1]))
    return amounts * (np.ones(size) if one.weight is None else one.weight)[:, None]


def use_of(one: Constraint, choice: Array) -> float:
    """What a choice uses, added up case by case."""
    amounts = amounts_of(one, len(choice))
    return sum(float(amounts[case, action]) for case, action in enumerate(choice.tolist()))


def brute(values: Array, allowed: Array, constraints: list[Constraint]) -> float:
    """The best value over doing nothing, of every choice there is."""
    size, actions = values.shape
    tables = [amounts_of(one, size) for one in constraints]
    best = 0.0
    for choice in itertools.product(range(actions), repeat=size):
        if not all(allowed[case, action] for case, action in enumerate(choice)):
            continue
        if any(
            sum(table[case, action] for case, action in enumerate(choice)) > one.capacity + 1e-9
            for table, one in zip(tables, constraints, strict=True)
        ):
            continue
        best = max(best, sum(values[case, action] - values[case, 0] for case, action in enumerate(choice)))
    return best


def by_highs(
    values: Array, allowed: Array, constraints: list[Constraint], *, whole: bool = True, gap: float = 1e-6,
    seconds: float = 60.0,
) -> float:  # fmt: skip
    """The best value over doing nothing by HiGHS, as a MIP or as its linear relaxation."""
    size, actions = values.shape
    gains = np.where(allowed, values - values[:, :1], 0.0)
    places = np.arange(size * actions)
    one_each = sp.csr_matrix((np.ones(size * actions), (places // actions, places)), (size, size * actions))
    limits = [LinearConstraint(one_each, 1, 1)]
    if constraints:
        table = sp.csr_matrix(np.stack([amounts_of(one, size).ravel() for one in constraints]))
        limits.append(LinearConstraint(table, -np.inf, [one.capacity for one in constraints]))
    found = milp(
        -gains.ravel(), constraints=limits, bounds=Bounds(0, allowed.ravel().astype(float)),
        integrality=np.full(size * actions, int(whole)), options={"mip_rel_gap": gap, "time_limit": seconds},
    )  # fmt: skip
    return -float(found.fun)


def by_greed(values: Array, allowed: Array, constraints: list[Constraint]) -> float:
    """The usual rule, one entry of the list after the other."""
    size, actions = values.shape
    gains = values - values[:, :1]
    tables = [amounts_of(one, size) for one in constraints]
    room = [one.capacity for one in constraints]
    taken, total = set(), 0.0
    entries = [
        (-gains[i, k], i, k) for i in range(size) for k in range(1, actions) if allowed[i, k] and gains[i, k] > 0
    ]
    for gain, case, action in sorted(entries):
        uses = [table[case, action] for table in tables]
        if case not in taken and all(used <= left for used, left in zip(uses, room, strict=True)):
            taken.add(case)
            room = [left - used for used, left in zip(uses, room, strict=True)]
            total -= gain
    return total


def holds(found: Assignment, values: Array, allowed: Array, constraints: list[Constraint]) -> None:
    """What is true of every answer: allowed, within every bound, and its figures are those of its choice."""
    size = len(values)
    every = np.arange(size)
    assert allowed[every, found.choice].all()
    for place, one in enumerate(constraints):
        used = use_of(one, found.choice)
        assert used <= one.capacity + 1e-9 * max(one.capacity, 1.0)
        assert np.isclose(used, found.use[place], rtol=1e-9, atol=1e-9)
    gained = float((values[every, found.choice] - values[:, 0]).sum())
    assert np.isclose(gained, found.objective, rtol=1e-12, atol=1e-9)
    assert found.upper >= found.objective
    assert (found.prices >= 0).all()
