"""Many lines as an Arrow table, as the kernel's arrays, and one of them as a `Line`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Hold, Line
from evenkeel.accounts.line.compiled import Lines
from evenkeel.accounts.line.rules import LineRules

IntArray = npt.NDArray[np.int64]

_DUES = k.MOST_DUES * k.DUE_WIDTH
STATE = pa.schema(
    [
        ("account_id", pa.string()),
        ("cells", pa.list_(pa.int64(), k.CELLS)),
        ("v", pa.list_(pa.int64(), k.VALUES)),
        ("dues", pa.list_(pa.int64(), _DUES)),
        ("plans", pa.list_(pa.int64())),
        ("hold_ids", pa.list_(pa.string())),
        ("hold_amounts", pa.list_(pa.int64())),
        ("hold_expires", pa.list_(pa.int64())),
    ]
)


@dataclass(slots=True)
class LineRows:
    """Lines of one product: `lines` for the kernel, and what only facts and holds need. Row i is one account."""

    account_ids: pa.Array
    lines: Lines
    holds: dict[int, dict[str, Hold]]  # of the rows that have any

    def held(self) -> IntArray:
        """(n,) what holds keep of each limit."""
        amounts = np.zeros(len(self.lines), np.int64)
        for place, holds in self.holds.items():
            amounts[place] = sum(hold.amount_minor for hold in holds.values())
        return amounts

    def expire(self, day: date) -> None:
        """Drop the holds that expire at the close of a day."""
        for place, holds in list(self.holds.items()):
            left = {name: hold for name, hold in holds.items() if hold.expires_on > day}
            if left:
                self.holds[place] = left
            else:
                del self.holds[place]

    def line(self, place: int, rules: LineRules) -> Line:
        """One row as a line that facts can be applied to."""
        lines = self.lines
        line = Line(rules)
        line.cells, line.v, line.dues = lines.cells[place].tolist(), lines.v[place].tolist(), lines.dues[place].tolist()
        line.plans = lines.plans[lines.plan_from[place] : lines.plan_to[place]].tolist()
        line.holds = dict(self.holds.get(place, {}))
        line.set_calendar()
        return line

    def put(self, changed: dict[int, Line]) -> None:
        """Put lines back into their rows."""
        lines = self.lines
        for place, line in changed.items():
            lines.cells[place], lines.v[place], lines.dues[place] = line.cells, line.v, line.dues
            if line.holds:
                self.holds[place] = line.holds
            else:
                self.holds.pop(place, None)
        if not changed:
            return
        parts, starts, at = [], np.empty(len(lines) + 1, np.int64), 0
        if len(lines.plans) == 0 and not any(line.plans for line in changed.values()):
            return
        for place in range(len(lines)):
            starts[place] = at
            own = changed.get(place)
            if own is None:
                plans = lines.plans[lines.plan_from[place] : lines.plan_to[place]]
            else:
                live = [plan for plan in own.plans if plan[k.P_LEFT]]
                plans = np.array(live, np.int64).reshape(-1, k.PLAN_WIDTH)
            if len(plans):
                parts.append(plans)
                at += len(plans)
        starts[-1] = at
        lines.plans = np.concatenate(parts) if parts else np.empty((0, k.PLAN_WIDTH), np.int64)
        lines.plan_from, lines.plan_to = starts[:-1], starts[1:]


def from_table(table: pa.Table) -> LineRows:
    """Rows of a state table, in arrays of their own that may be changed."""
    table = table.combine_chunks()
    count = table.num_rows

    def matrix(name: str, width: int) -> IntArray:
        flat = _flat(table[name])
        return np.array(flat).reshape(count, width)

    plans, starts = _lists(table["plans"])
    lines = Lines(
        matrix("cells", k.CELLS), matrix("v", k.VALUES), matrix("dues", _DUES),
        np.array(plans).reshape(-1, k.PLAN_WIDTH), starts[:-1] // k.PLAN_WIDTH, starts[1:] // k.PLAN_WIDTH,
    )  # fmt: skip
    holds: dict[int, dict[str, Hold]] = {}
    _, hold_starts = _lists(table["hold_amounts"])
    for place in np.flatnonzero(np.diff(hold_starts)):
        row = table.slice(int(place), 1).to_pylist()[0]
        holds[int(place)] = {
            name: Hold(amount, date.fromordinal(day))
            for name, amount, day in zip(row["hold_ids"], row["hold_amounts"], row["hold_expires"], strict=True)
        }
    ids = table["account_id"]
    return LineRows(ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids, lines, holds)


def to_table(rows: LineRows) -> pa.Table:
    """The state table of rows."""
    lines = rows.lines
    count = len(lines)

    def fixed(values: IntArray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])

    plan_starts = np.append(lines.plan_from, lines.plan_to[-1] if count else 0) * k.PLAN_WIDTH
    sizes = np.array([len(rows.holds.get(place, ())) for place in range(count)]) if rows.holds else np.zeros(count)
    hold_starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    holds = [(name, hold) for place in sorted(rows.holds) for name, hold in sorted(rows.holds[place].items())]

    def listed(values: pa.Array, starts: IntArray) -> pa.Array:
        return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), values)

    return pa.table(
        [
            rows.account_ids, fixed(lines.cells), fixed(lines.v), fixed(lines.dues),
            listed(pa.array(lines.plans.ravel()), plan_starts),
            listed(pa.array([name for name, _ in holds], pa.string()), hold_starts),
            listed(pa.array([hold.amount_minor for _, hold in holds], pa.int64()), hold_starts),
            listed(pa.array([hold.expires_on.toordinal() for _, hold in holds], pa.int64()), hold_starts),
        ],
        schema=STATE,
    )  # fmt: skip


def from_lines(account_ids: Sequence[str], given: Sequence[Line]) -> LineRows:
    """Rows of new lines."""
    plans = [[plan for plan in line.plans if plan[k.P_LEFT]] for line in given]
    ends = np.cumsum([0, *(len(own) for own in plans)], dtype=np.int64)
    lines = Lines(
        np.array([line.cells for line in given], np.int64).reshape(-1, k.CELLS),
        np.array([line.v for line in given], np.int64).reshape(-1, k.VALUES),
        np.array([line.dues for line in given], np.int64).reshape(-1, _DUES),
        np.array([plan for own in plans for plan in own], np.int64).reshape(-1, k.PLAN_WIDTH),
        ends[:-1], ends[1:],
    )  # fmt: skip
    holds = {place: dict(line.holds) for place, line in enumerate(given) if line.holds}
    return LineRows(pa.array(account_ids, pa.string()), lines, holds)


def joined(first: LineRows, second: LineRows) -> LineRows:
    """Rows of both, the second after the first."""
    return from_table(pa.concat_tables([to_table(first), to_table(second)]))


def _flat(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    values: npt.NDArray[np.int64] = array.flatten().to_numpy(zero_copy_only=False)
    return values


def _lists(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], IntArray]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    starts = array.offsets.to_numpy().astype(np.int64)
    return array.flatten().to_numpy(zero_copy_only=False), starts - (starts[0] if len(starts) else 0)
