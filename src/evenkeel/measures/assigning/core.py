"""The last step: the few cases in which the choice is close, solved together and exactly.

At good prices nearly every case has one clearly best action; what is lost by choosing whole actions is lost in the few
where two are nearly alike (the core of a knapsack: Balas & Zemel 1980, Pisinger 1997). All others are left as they are.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.measures.assigning.problem import Choice, FloatArray, Problem

_CASES = 30
_NODES = 150  # of the search tree; a count and not a time, so that the answer is the same on any machine


def sharpened(problem: Problem, choice: Choice, prices: FloatArray) -> Choice:
    """A choice that is no worse, with every bound still kept."""
    every = np.arange(problem.size)
    worth = np.stack([problem.gains[k] - problem.cost(k, prices, every) for k in range(problem.actions)])
    current = worth[choice, every]
    worth[choice, every] = -np.inf
    margin = np.maximum(current - worth.max(axis=0), 0.0)
    rows = np.sort(np.argsort(margin, kind="stable")[:_CASES])
    gain = problem.gains[:, rows].T - problem.gains[choice[rows], rows][:, None]
    allowed = np.isfinite(gain)
    size, actions = gain.shape
    change = np.stack([problem.changes(k, choice, rows) for k in range(actions)], axis=2)
    places = np.arange(size * actions)
    one_each = sp.csr_matrix((np.ones(size * actions), (places // actions, places)), (size, size * actions))
    room = problem.capacity - problem.use(choice)
    found = milp(
        -np.where(allowed, gain, 0.0).ravel(),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(change.reshape(len(room), -1), -np.inf, room)],
        bounds=Bounds(0, allowed.ravel().astype(float)), integrality=np.ones(size * actions),
        options={"node_limit": _NODES, "mip_rel_gap": 1e-6},
    )  # fmt: skip
    if found.x is None:
        return choice
    better = choice.copy()
    better[rows] = np.argmax(found.x.reshape(size, actions), axis=1)
    kept = bool((problem.use(better) <= problem.capacity).all()) and bool(allowed[np.arange(size), better[rows]].all())
    return better if kept and problem.value(better) > problem.value(choice) else choice
