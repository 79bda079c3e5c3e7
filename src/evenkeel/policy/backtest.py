"""A policy over a past column of applicants, and two policies beside each other: rules, people and money.

run = backtest(program, applications)           outcomes, reasons and amounts, a row an applicant
swap = swapped(old, new, bad)                   who is granted by both, by neither, only before, only now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn.model import DecisionTable, Rule
from evenkeel.policy.outcomes import AMOUNTS, FAVOURABLE, MOST_REASONS, OUTCOMES
from evenkeel.policy.program import Program

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_CHUNK = 131_072


@dataclass(frozen=True, slots=True)
class Run:
    """What a policy decided. table: outcome, reasons (list), row, and the amounts it gives, a row an applicant.

    absent: inputs that the applicants' columns do not have; they were not known for anybody.
    """

    program: Program
    table: pa.Table
    absent: tuple[str, ...]

    @property
    def granted(self) -> BoolArray:
        """Who got what they asked for, or a part of it."""
        outcomes = self.table["outcome"].combine_chunks().dictionary_encode()
        good = np.isin(outcomes.dictionary.to_numpy(zero_copy_only=False), list(FAVOURABLE))
        result: BoolArray = good[outcomes.indices.to_numpy()]
        return result

    def summary(self) -> dict[str, object]:
        """How many of each outcome, of each reason, of each row."""
        return {
            "rows": self.table.num_rows,
            "absent": list(self.absent),
            "outcomes": _counts(self.table["outcome"].combine_chunks()),
            "reasons": _counts(self.table["reasons"].combine_chunks().flatten()),
            "fired": _counts(self.table["row"].combine_chunks().drop_null()),
        }


def _counts(values: pa.Array) -> dict[str, int]:
    counted = values.value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in sorted(counted, key=lambda one: (-one["counts"], one["values"]))}


def backtest(program: Program, applications: pa.Table) -> Run:
    """Decide every row. A column that the policy reads and the table lacks is not known.

    Raises InvalidInput where the table has none of the policy's inputs at all.
    """
    names = [item.name for item in program.inputs]
    absent = tuple(name for name in names if name not in applications.column_names)
    if len(absent) == len(names):
        raise InvalidInput(
            f"the file has no column that {program.name} reads.",
            f"Name its columns as the policy does: {', '.join(names)}.",
        )
    parts = []
    for start in range(0, applications.num_rows, _CHUNK):
        part = applications.slice(start, _CHUNK)
        columns = {name: part[name].combine_chunks() for name in names if name in part.column_names}
        parts.append(_decided(program, columns))
    return Run(program, pa.concat_tables(parts) if parts else _decided(program, {}), absent)


def _decided(program: Program, columns: Mapping[str, pa.Array]) -> pa.Table:
    found = program.evaluate(columns)
    words = pa.array(OUTCOMES)
    # Few, however many rows: each list of reasons once.
    given = cast("tuple[Sequence[str], ...]", found.reasons.values)
    reasons = [list(some)[:MOST_REASONS] for some in given]
    rows = pa.array(program.rows, pa.string())
    amounts = {name: found.amount(name) for name in AMOUNTS if name in found.outputs}
    return pa.table(
        {
            "outcome": words.take(pa.array(found.outcome)),
            "reasons": pa.array(reasons, pa.list_(pa.string())).take(pa.array(found.reasons.codes)),
            "row": rows.take(pa.array(found.row, mask=found.row < 0)),
            **{name: pa.array(values, mask=np.isnan(values)) for name, values in amounts.items()},
        }
    )


# ---- Two policies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rules:
    """How the rows of the deciding tables differ, by key. changed: key and what each cell was and is. moved: rows whose
    place among those in both files is another."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    moved: tuple[str, ...]


def compared(old: Program, new: Program) -> Rules:
    """The rows of one policy against those of another."""
    was, now = _rows(old), _rows(new)
    both = [key for key in now if key in was]
    changed = tuple((key, cells) for key in both if (cells := _changed(was[key], now[key])))
    before = [key for key in was if key in now]
    place = {key: at for at, key in enumerate(before)}
    moved = tuple(later for earlier, later in pairwise(both) if place[later] < place[earlier])
    return Rules(
        tuple(key for key in now if key not in was), tuple(key for key in was if key not in now), changed, moved
    )


def _changed(was: Mapping[str, str], now: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Column, what it was and what it is, of each cell that differs."""
    columns = [(name, was.get(name, ""), now.get(name, "")) for name in dict.fromkeys((*was, *now))]
    return tuple(cell for cell in columns if cell[1] != cell[2])


def _rows(program: Program) -> dict[str, dict[str, str]]:
    """Each row of the deciding table as its cells by column."""
    table = program.deciding.expression
    if not isinstance(table, DecisionTable):
        return {}
    return {rule.key: _cells(table, rule) for rule in table.rules}


def _cells(table: DecisionTable, rule: Rule) -> dict[str, str]:
    inputs = {
        clause.expression.text.strip(): cell.text.strip() for clause, cell in zip(table.inputs, rule.cells, strict=True)
    }
    outputs = {
        clause.name or "result": entry.text.strip() for clause, entry in zip(table.outputs, rule.outputs, strict=True)
    }
    return {**inputs, **outputs}


@dataclass(frozen=True, slots=True)
class Swap:
    """People whom both policies grant, neither, only the old, only the new; of each how many, how many outcomes are
    known, and how many of these are bad; and how the outcomes changed, (old, new) -> people."""

    people: Mapping[str, int]
    known: Mapping[str, int]
    bad: Mapping[str, int]
    expected_bad: Mapping[str, float]
    money_minor: Mapping[str, float]
    changes: Mapping[tuple[str, str], int]


SETS = ("both", "neither", "out", "in")


def swapped(
    old: Run,
    new: Run,
    *,
    bad: FloatArray | None = None,
    pd: FloatArray | None = None,
    asked_minor: FloatArray | None = None,
) -> Swap:
    """The swap set of two policies over the same applicants.

    bad: 1, 0, NaN where not known. pd: probability of the bad. asked_minor: what each asked for. None: not in the file.
    """
    was, now = old.granted, new.granted
    groups = dict(zip(SETS, (was & now, ~was & ~now, was & ~now, ~was & now), strict=True))
    nothing = np.full(len(was), np.nan)
    outcomes, risks, money = (nothing if one is None else one for one in (bad, pd, asked_minor))
    pairs = list(zip(old.table["outcome"].to_pylist(), new.table["outcome"].to_pylist(), strict=True))
    words = sorted(set(pairs))
    number = {pair: at for at, pair in enumerate(words)}
    counts = np.bincount([number[pair] for pair in pairs], minlength=len(words))
    return Swap(
        {name: int(some.sum()) for name, some in groups.items()},
        {name: int((some & ~np.isnan(outcomes)).sum()) for name, some in groups.items()},
        {name: int(np.nansum(outcomes[some])) for name, some in groups.items()},
        {name: float(np.nansum(risks[some])) for name, some in groups.items()},
        {name: float(np.nansum(money[some])) for name, some in groups.items()},
        {pair: int(counts[at]) for pair, at in number.items() if pair[0] != pair[1]},
    )
