"""A whole choice that keeps every bound exactly, made from the priced mix: round, take back, fill up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evenkeel.measures.assigning.problem import BoolArray, Choice, FloatArray, IntArray, Problem

_ROUNDS = 60  # passes of one kind; each takes what fits at once
_SLICE = 1 << 16  # entries of the greedy list looked at together


def rounded(choices: Sequence[Choice], share: FloatArray) -> Choice:
    """One choice a case, so that each takes its share.

    Where the choices agree, it is theirs. Cases in which they differ alike are dealt out evenly, so that a total is at
    most one case a kind of difference away from the mix.
    """
    result = choices[0].copy()
    differs = np.zeros(len(result), bool)
    for other in choices[1:]:
        differs |= other != result
    rows = np.flatnonzero(differs)
    if not len(rows):
        return result
    stack = np.stack([one[rows] for one in choices])
    kind = np.zeros(len(rows), np.uint64)
    for one in stack:
        kind = kind * np.uint64(1_000_003) + one.astype(np.uint64)
    order = np.argsort(kind, kind="stable")
    first = np.append(True, kind[order][1:] != kind[order][:-1])
    start = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    length = np.diff(np.append(np.flatnonzero(first), len(rows)))
    place = (np.arange(len(rows)) - start + 0.5) / np.repeat(length, length)
    column = np.minimum(np.searchsorted(np.cumsum(share), place, side="right"), len(choices) - 1)
    result[rows[order]] = stack[column, order]
    return result


def kept(problem: Problem, choice: Choice, prices: FloatArray) -> Choice:
    """A choice with every bound kept: what is lost least at these prices is taken back, at worst everything."""
    choice = choice.copy()
    for _ in range(_ROUNDS):
        over = _excess(problem, choice)
        if not (over > 0).any():
            return choice
        rows, actions = _retreats(problem, choice, prices, int(np.argmax(over)))
        if not len(rows):
            break
        choice[rows] = actions
    portion = 1
    while (_excess(problem, choice) > 0).any():  # the last resort; to do nothing for all keeps every bound
        treated = np.flatnonzero(choice)
        choice[treated[:: max(len(treated) // portion, 1)]] = 0
        portion *= 2
    return choice


def _excess(problem: Problem, choice: Choice) -> FloatArray:
    """(C,): by which part of its capacity each bound is broken; 0 or less where it is kept."""
    return (problem.use(choice) - problem.capacity) / np.maximum(problem.capacity, 1e-12)


def _retreats(problem: Problem, choice: Choice, prices: FloatArray, tight: int) -> tuple[IntArray, Choice]:
    """Cases and the actions they turn to, so that one bound is kept and none is newly broken."""
    slack = problem.capacity - problem.use(choice)
    others = np.arange(len(slack)) != tight
    rows = np.flatnonzero(choice) if not _signed(problem, tight) else np.arange(problem.size)
    worth = _worth(problem, choice, prices, rows)
    best, target = np.full(len(rows), np.inf), np.zeros(len(rows), np.int8)
    relief = np.zeros(len(rows))
    for action in range(problem.actions):
        change = problem.changes(action, choice, rows)
        freed = -change[tight]
        fits = (freed > 0) & np.isfinite(problem.gains[action, rows])
        fits &= (change[others] <= np.maximum(slack[others], 0)[:, None]).all(axis=0)
        at = np.flatnonzero(fits)
        after = problem.gains[action, rows[at]] - _part(problem.cost(action, prices, rows), at)
        loss = (worth[at] - after) / freed[at]
        better = loss < best[at]
        best[at[better]], target[at[better]], relief[at[better]] = loss[better], action, freed[at[better]]
    found = np.flatnonzero(np.isfinite(best))
    found = found[np.argsort(best[found], kind="stable")]
    needed = int(np.searchsorted(np.cumsum(relief[found]), -slack[tight])) + 1
    found = found[:needed]
    change = _changes(problem, choice, rows[found], target[found])
    room = np.maximum(slack[others], 0)[:, None]
    # A bound that is broken already may be broken no further; one that is kept stays kept.
    fine = (np.cumsum(change[others], axis=1) <= room).all(axis=0)
    count = change.shape[1] if fine.all() else max(int(np.argmin(fine)), 1)
    return rows[found[:count]], target[found[:count]]


def _signed(problem: Problem, place: int) -> bool:
    one = problem.constraints[place]
    return bool((one.amounts < 0).any() or (one.weight is not None and (one.weight < 0).any()))


def _part(value: FloatArray | float, rows: IntArray) -> FloatArray | float:
    return value if isinstance(value, float) else value[rows]


def _worth(problem: Problem, choice: Choice, prices: FloatArray, rows: IntArray) -> FloatArray:
    """Each case's value after prices under its present action."""
    worth = problem.gains[choice[rows], rows].copy()
    for action in range(1, problem.actions):
        mine = np.flatnonzero(choice[rows] == action)
        worth[mine] -= problem.cost(action, prices, rows[mine])
    return worth


def _changes(problem: Problem, choice: Choice, rows: IntArray, target: Choice) -> FloatArray:
    """(C, rows): what each case's turn to its own target would change."""
    change = np.zeros((len(problem.constraints), len(rows)))
    for action in np.unique(target).tolist():
        mine = np.flatnonzero(target == action)
        change[:, mine] = problem.changes(action, choice, rows[mine])
    return change


def filled(problem: Problem, choice: Choice, prices: FloatArray) -> Choice:
    """A choice that keeps the bounds, with every better action that still fits: first what is worth most at prices."""
    choice = choice.copy()
    for _ in range(_ROUNDS):
        slack = problem.capacity - problem.use(choice)
        rows, target = _advances(problem, choice, prices, slack)
        if not len(rows):
            break
        taken = _that_fit(_changes(problem, choice, rows, target), slack)
        choice[rows[taken]] = target[taken]
    return choice


def _advances(problem: Problem, choice: Choice, prices: FloatArray, slack: FloatArray) -> tuple[IntArray, Choice]:
    """For each case that could gain within the room left the best turn at these prices, the most worth first."""
    every = np.arange(problem.size)
    worth = _worth(problem, choice, prices, every)
    current = problem.gains[choice, every]
    best, target = np.full(problem.size, -np.inf), np.zeros(problem.size, np.int8)
    for action in range(1, problem.actions):
        rows = np.flatnonzero(problem.gains[action] > current)
        if not len(rows):
            continue
        rows = rows[(problem.changes(action, choice, rows) <= slack[:, None]).all(axis=0)]
        after = problem.gains[action, rows] - problem.cost(action, prices, rows) - worth[rows]
        better = after > best[rows]
        best[rows[better]], target[rows[better]] = after[better], action
    found = np.flatnonzero(np.isfinite(best))
    found = found[np.argsort(-best[found], kind="stable")]
    return found, target[found]


def _that_fit(change: FloatArray, slack: FloatArray) -> IntArray:
    """Places, in order, of changes that can be made one after the other within the room; what fits no more is left."""
    taken = []
    places = np.arange(change.shape[1])
    room = slack.copy()
    for _ in range(_ROUNDS):
        places = places[(change[:, places] <= room[:, None]).all(axis=0)]
        if not len(places):
            break
        total = np.cumsum(change[:, places], axis=1)
        fine = (total <= room[:, None]).all(axis=0)
        count = len(places) if fine.all() else int(np.argmin(fine))
        taken.append(places[:count])
        room = room - total[:, count - 1]
        places = places[count:]
    return np.concatenate(taken) if taken else np.zeros(0, np.int64)


def greedy(problem: Problem) -> Choice:
    """The usual rule: go down the list of all values, and take what is free and still fits."""
    choice = np.zeros(problem.size, np.int8)
    if not len(problem.constraints):
        return choice
    actions, rows = np.nonzero(problem.gains > 0)
    order = np.lexsort((actions, rows, -problem.gains[actions, rows]))
    actions, rows = actions[order].astype(np.int8), rows[order]
    room = problem.capacity.copy()
    for start in range(0, len(rows), _SLICE):
        part = slice(start, start + _SLICE)
        open_ = choice[rows[part]] == 0
        row, action = rows[part][open_], actions[part][open_]
        change = _changes(problem, choice, row, action)
        row, action, change = _fitting(row, action, change, room)
        while len(row):
            first = _first_of_each(row)
            total = np.cumsum(change * first, axis=1)
            fine: BoolArray = np.logical_or((total <= room[:, None]).all(axis=0), ~first)
            count = len(row) if fine.all() else int(np.argmin(fine))
            mine = first[:count]
            choice[row[:count][mine]] = action[:count][mine]
            room = room - (total[:, count - 1] if count else 0.0)
            row, action, change = row[count:], action[count:], change[:, count:]
            left = choice[row] == 0
            row, action, change = _fitting(row[left], action[left], change[:, left], room)
    return choice


def _fitting(
    row: IntArray, action: Choice, change: FloatArray, room: FloatArray
) -> tuple[IntArray, Choice, FloatArray]:
    fits = (change <= room[:, None]).all(axis=0)
    return row[fits], action[fits], change[:, fits]


def _first_of_each(rows: IntArray) -> BoolArray:
    """Where a case stands for the first time."""
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, return_index=True)[1]] = True
    return first
