"""The key of the pieces that a row's inputs fall into, told in one pass over the inputs.

Most policies compare numbers, yes-or-no and listed words with constants, or sums of them. Such a policy's roots
(`pieces.py`) are laid out flat, as a few steps that one compiled loop walks for each row. Calculated numbers are taken
only where they are whole and exact in float64; a row for which that does not hold has no key, and is decided as columns
are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from evenkeel.policy.vector import steps as s
from evenkeel.policy.vector.columns import Codified, Compared, Cut, Floats, Listed, Numbers
from evenkeel.policy.vector.reading import Beyond, Reader

IntArray = npt.NDArray[np.int64]

_OPERATIONS = {
    "+": s.ADD, "-": s.SUBTRACT, "*": s.MULTIPLY, "min": s.LEAST, "max": s.MOST, "neg": s.NEGATE, "abs": s.MAGNITUDE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keys:
    """How keys are told: the inputs that they rest on, the steps (s, 4), and the constants that steps point to."""

    readers: tuple[Reader, ...]
    steps: IntArray
    constants: Floats

    def of(self, columns: Mapping[str, Any], ages: Mapping[str, Floats], size: int) -> list[int] | None:
        """The key of each row, `steps.NO_KEY` where it has none; None where a number does not fit float64."""
        matrix = np.empty((len(self.readers), size))
        beyond: Beyond = {}
        for place, reader in enumerate(self.readers):
            name = reader.item.name
            matrix[place] = reader.floats(columns.get(name), ages.get(name), size, beyond)
        if beyond:
            return None
        from evenkeel.policy.vector.stepping import keys  # what compiles it takes half a second

        return cast("list[int]", keys(matrix, self.steps, self.constants).tolist())


def keys_of(roots: Sequence[Codified], weights: Sequence[int], readers: Sequence[Reader]) -> Keys | None:
    """How to tell the keys of some roots, the sum of their codes by weight; None where they are not of this kind."""
    layout = _Layout(readers)
    if not all(layout.root(root, weight) for root, weight in zip(roots, weights, strict=True)):
        return None
    steps = np.array(layout.steps, np.int64).reshape(-1, 4)
    return Keys(tuple(layout.readers), steps, np.array(layout.constants, np.float64))


class _Layout:
    """Roots as steps. Methods are False where something is not of this kind."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._all = {reader.item.name: reader for reader in readers}
        self._places: dict[str, int] = {}
        self.readers: list[Reader] = []
        self.steps: list[tuple[int, int, int, int]] = []
        self.constants: list[float] = []

    def root(self, root: Codified, weight: int) -> bool:
        """A column of codes."""
        if isinstance(root, Listed):
            step = s.FLAG if self._all[root.key].item.type == "boolean" else s.CODE
            self.steps.append((step, self._input(root.key), 0, weight))
            return True
        if isinstance(root, Cut) and isinstance(root.value, Numbers):
            known = self._number(root.value)
            first = self._keep(root.steps[:-1])  # the last is NaN
            self.steps.append((s.CUT, first, len(self.constants), weight))
            return known
        if isinstance(root, Compared):
            known = self._number(root.left) and self._number(root.right)
            read = root.left.exact and root.right.exact
            self.steps.append((s.COMPARE, self._keep(root.table), int(read), weight))
            return known
        return False

    def _number(self, number: Numbers) -> bool:
        if number.key:
            reader = self._all[number.key]
            span = self._keep((reader.least, reader.beyond))
            self.steps.append((s.READ, self._input(number.key), span, 0))
            return True
        if number.constant is not None:
            value = float(number.constant)
            self.steps.append((s.CONSTANT, self._keep((value,)), 0, 0))
            return value == number.constant and value.is_integer() and abs(value) < s.EXACT
        if number.operator not in _OPERATIONS or not all(map(self._number, number.operands)):
            return False
        step = (_OPERATIONS[number.operator], 0, 0, 0)
        self.steps += [step] * max(1, len(number.operands) - 1)
        return True

    def _input(self, key: str) -> int:
        if key not in self._places:
            self._places[key] = len(self.readers)
            self.readers.append(self._all[key])
        return self._places[key]

    def _keep(self, values: Sequence[float] | npt.NDArray[Any]) -> int:
        first = len(self.constants)
        self.constants += [float(value) for value in values]
        return first
