"""The loop that walks the steps of `keys.py` for each row, compiled by Numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from evenkeel.policy.vector import steps as s

_READ, _CONSTANT, _CUT, _FLAG, _CODE, _COMPARE = s.READ, s.CONSTANT, s.CUT, s.FLAG, s.CODE, s.COMPARE
_ADD, _SUBTRACT, _MULTIPLY, _LEAST, _MOST, _NEGATE = s.ADD, s.SUBTRACT, s.MULTIPLY, s.LEAST, s.MOST, s.NEGATE
_NO_KEY, _EXACT = s.NO_KEY, s.EXACT


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def keys(matrix: Any, steps: Any, constants: Any) -> Any:
    """(n,) int64. matrix: (inputs, n) float64, NaN where not known; yes-or-no as 1 and 0, listed words as codes."""
    found = np.zeros(matrix.shape[1], np.int64)
    stack = np.empty(len(steps) + 1)
    for row in range(matrix.shape[1]):
        top = 0  # how many numbers are on the stack
        for step in range(len(steps)):
            what, first, second, weight = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3]
            if what == _READ:
                value = matrix[first, row]
                stack[top] = value if constants[second] <= value < constants[second + 1] else np.nan
                top += 1
            elif what == _CONSTANT:
                stack[top] = constants[first]
                top += 1
            elif what == _FLAG:
                value = matrix[first, row]
                found[row] += weight * (0 if value == 1 else 1 if value == 0 else 2)
            elif what == _CODE:
                found[row] += weight * np.int64(matrix[first, row])
            elif what == _CUT:
                top -= 1
                found[row] += weight * _piece(stack[top], constants, first, second)
            elif what == _COMPARE:
                top -= 2
                left, right = stack[top], stack[top + 1]
                if not (second or (_whole(left) and _whole(right))):
                    found[row] = _NO_KEY
                    break
                found[row] += weight * np.int64(constants[first + _order(left, right)])
            else:
                top -= what < _NEGATE
                left, right = stack[top - 1], stack[top] if what < _NEGATE else 0.0
                stack[top - 1] = _calculated(what, left, right)
                if not (_whole(left) and _whole(right) and _whole(stack[top - 1])):
                    found[row] = _NO_KEY
                    break
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _whole(value: Any) -> Any:
    """Whether a number is whole and exact, or not known."""
    return np.isnan(value) or (abs(value) < _EXACT and np.floor(value) == value)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _piece(value: Any, constants: Any, first: Any, last: Any) -> Any:
    """How many steps lie at or below a number; one more than there are where it is not known."""
    if np.isnan(value):
        return last - first + 1
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if constants[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - first


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _order(left: Any, right: Any) -> Any:
    """0, 1, 2 where the left is below, at or above the right; 3 where one is not known, 4 where both are not."""
    if np.isnan(left) or np.isnan(right):
        return 2 + np.int64(np.isnan(left)) + np.int64(np.isnan(right))
    return 0 if left < right else 1 if left == right else 2


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _calculated(what: Any, left: Any, right: Any) -> Any:
    if what == _ADD:
        return left + right
    if what == _SUBTRACT:
        return left - right
    if what == _MULTIPLY:
        return left * right
    if what == _LEAST:
        return np.nan if np.isnan(left) or np.isnan(right) else min(left, right)
    if what == _MOST:
        return np.nan if np.isnan(left) or np.isnan(right) else max(left, right)
    return -left if what == _NEGATE else abs(left)
