"""Columns and rows that are not what they seem: codes among numbers, identifiers, constants, and the same row twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.scoring.frame import is_text, numbers
from evenkeel.scoring.guards.board import Board
from evenkeel.scoring.guards.finding import BoolArray, Examined, Finding, FloatArray

HashArray = npt.NDArray[np.uint64]

_HEAP = 5  # rows of one value that make a heap
_FAR = 2.0  # a code lies this many ranges of the ordinary values beyond them
_CODES = 3  # values that a column's codes are, at most, on one side
_ALL_NINES = 10.0  # a largest value of nines only, this many times as frequent as the values before it, is a code
_ID_ROWS = 100
_DENSE = 2  # numbers that span fewer than this many times the rows count something
_ID_NAME = re.compile(r"(?:^|_|\W)(?:id|no|nr|key|uuid|ID|NO|NR)(?:$|_|\W)|[a-z]I[dD](?:$|[A-Z_])|编号|号码|流水号")
_FEW_TWINS = 0.05  # of the judged rows that were learned too: more is leakage


def data(board: Board) -> list[Finding]:
    """What is odd about columns and rows, columns in the table's order."""
    left_out = {name for name in board.given.names if not board.varies(name)} | set(identifiers(board))
    return [*_columns(board), *_specials(board), *_twins(board.given, sorted(left_out)), *_borrowers(board.given)]


def _columns(board: Board) -> Iterator[Finding]:
    whole = board.given.table
    same = [name for name in board.given.names if not board.varies(name) and len(pc.unique(whole[name])) == 1]
    empty = tuple(name for name in same if whole[name].null_count == whole.num_rows)
    constant = tuple(name for name in same if name not in empty)
    named = tuple(identifiers(board))
    for guard, names in (("missing", empty), ("constant", constant), ("identifier", named)):
        if names:
            yield Finding(guard, "note", names, {"columns_found": len(names)})


def identifiers(board: Board) -> list[str]:
    """Texts of which no two rows agree, and whole numbers that count something: by their name, or without large gaps.

    Amounts may be all different too, in a small file; without either sign they stay.
    """
    if len(board.bad) < _ID_ROWS:
        return []
    whole = board.given.table
    return [
        name
        for name in board.given.names
        if _may_identify(board, name) and len(pc.unique(whole[name])) == whole.num_rows
    ]


def _may_identify(board: Board, name: str) -> bool:
    column, cells = board.table[name], board.cells[name]
    if column.null_count:
        return False
    if cells.levels is not None:
        return len(cells.levels) == len(board.bad)
    values = numbers(column)
    # A mark that several rows share tells at once; only where there is none is every value compared.
    if board.counts[name].sum(axis=(0, 1))[1::2].max(initial=0) > 1:
        return False
    if not (values == np.floor(values)).all():
        return False
    dense = bool(values.max() - values.min() < _DENSE * len(values))
    return dense or _ID_NAME.search(name) is not None


def _specials(board: Board) -> Iterator[Finding]:
    for name in board.given.names:
        cells = board.cells[name]
        if cells.ordered and len(cells.marks) > 1 and cells.marks[-1] > cells.marks[0]:
            codes = [
                code for code in _codes(numbers(board.table[name])) if code not in board.given.specials.get(name, ())
            ]
            if codes:
                written = ",".join(f"{code:.15g}" for code in codes)
                yield Finding(
                    "specials", "warn", (name,), {"codes": written, "option": f"{name}={written}", **board.drawn}
                )


def _codes(values: FloatArray) -> list[float]:
    """Heaps of one extreme value far from all others, such as 98 among counts up to 17, or -999 among amounts."""
    distinct, count = np.unique(values[np.isfinite(values)], return_counts=True)
    if len(distinct) < 4:
        return []
    high = _far(distinct, count)
    low = [-code for code in _far(-distinct[::-1], count[::-1])]
    if not high and _nines(distinct[-1]) and count[-1] >= max(20, _ALL_NINES * np.median(count[-11:-1])):
        high = [float(distinct[-1])]
    if not low and distinct[0] < 0 <= distinct[1] and distinct[0] in (-1, -9, -99, -999) and count[0] >= _HEAP:
        low = [float(distinct[0])]
    return sorted(low + high)


def _far(distinct: FloatArray, count: npt.NDArray[np.int64]) -> list[float]:
    """The largest values, at most three, if a wide gap parts them from the rest and they are heaps."""
    with np.errstate(over="ignore"):
        for codes in range(1, min(_CODES, len(distinct) - 3) + 1):
            rest, code = distinct[:-codes], distinct[-codes:]
            if (
                code[0] - rest[-1] > _FAR * (rest[-1] - rest[0])
                and count[-codes:].sum() >= _HEAP <= count[-codes:].max()
            ):
                return [float(value) for value in code]
    return []


def _nines(value: float) -> bool:
    return len(text := f"{value:.15g}") >= 2 and set(text) == {"9"}


def _twins(given: Examined, left_out: list[str]) -> Iterator[Finding]:
    """Rows that agree in every column, but for identifiers and the borrower's key."""
    names = [name for name in given.names if name not in left_out and name != given.key]
    if not names or len(given.bad) < 2:
        return
    hashes = row_hashes(given.table.select(names))
    _, place, count = np.unique(hashes, return_inverse=True, return_counts=True)
    pairs = float((count * (count - 1.0)).sum() / 2)
    # Rows of a few coarse columns agree by chance; as many as independent columns would give are no finding.
    if not pairs or pairs <= 2 * _chance_pairs(given.table.select(names)):
        return
    rows = len(given.bad)
    if given.test is None:
        yield Finding("twins", "warn", (), {"twins": int((count - 1).sum()), "share": float((count - 1).sum() / rows)})
        return
    learned = np.bincount(place[~given.test], minlength=len(count)) > 0
    yield from _across("twins_across", learned[place] & given.test, given.test)


def _across(guard: str, both: BoolArray, test: BoolArray) -> Iterator[Finding]:
    judged, twins = int(test.sum()), int(both.sum())
    if twins:
        refuses = twins > _FEW_TWINS * judged
        yield Finding(guard, "refuse" if refuses else "warn", (), {"twins": twins, "share": twins / judged},
                      "duplicates" if refuses else "")  # fmt: skip


def _borrowers(given: Examined) -> Iterator[Finding]:
    """Borrowers who stand on both sides of the split."""
    if given.key is None or given.test is None:
        return
    hashes = row_hashes(given.table.select([given.key]))
    _, place = np.unique(hashes, return_inverse=True)
    learned = np.bincount(place[~given.test], minlength=int(place.max(initial=0)) + 1) > 0
    known = given.table[given.key].is_valid().to_numpy()
    yield from _across("borrowers_across", learned[place] & given.test & known, given.test)


def _chance_pairs(table: pa.Table) -> float:
    """Pairs of equal rows that independent columns of these shares would give."""
    pairs = table.num_rows * (table.num_rows - 1) / 2
    for name in table.column_names:
        _, count = np.unique(row_hashes(table.select([name])), return_counts=True)
        pairs *= float(((count / table.num_rows) ** 2).sum())
        if pairs < 1e-3:
            break
    return float(pairs)


def row_hashes(table: pa.Table) -> HashArray:
    """(n,) a 64-bit hash of each row, the same for equal rows."""
    hashes = np.zeros(table.num_rows, np.uint64)
    for name in table.column_names:
        column = table[name]
        if is_text(column):
            coded = column.combine_chunks().dictionary_encode()
            values = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
        else:
            values = (numbers(column) + 0.0).view(np.uint64)  # -0.0 becomes 0.0; NaN of null is one pattern
        hashes = _mixed(hashes * np.uint64(0x9E3779B97F4A7C15) + values)
    return hashes


def _mixed(values: HashArray) -> HashArray:
    """SplitMix64's finaliser (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
