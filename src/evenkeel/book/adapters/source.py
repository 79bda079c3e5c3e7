"""What the adapters share: find a source's files, read their columns with faults named in the source's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from evenkeel.book.contract import Column, Kind
from evenkeel.book.faults import Effect, Fault, cell_texts
from evenkeel.book.files import SUFFIXES, RawTable, Unreadable, read_raw
from evenkeel.book.model import Manifest
from evenkeel.book.parsing import parse
from evenkeel.kernel.errors import InvalidUsage


@dataclass(frozen=True, slots=True)
class Adapted:
    """A source in the contract's tables, before the checks that every book passes."""

    manifest: Manifest
    tables: Mapping[str, pa.Table]
    notes: tuple[str, ...]  # mapped, dropped, assumed, counted
    faults: tuple[Fault, ...] = ()

    def raw(self) -> dict[str, RawTable]:
        """The tables as the checks take them."""
        return {
            name: RawTable(name, table, np.arange(1, table.num_rows + 1)) for name, table in sorted(self.tables.items())
        }


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that an adapter reads: `columns` that it needs, and other names under which a column is known."""

    role: str
    columns: tuple[Column, ...]
    aliases: Mapping[str, tuple[str, ...]]

    def recognises(self, names: set[str]) -> bool:
        """Whether a file with these column names is this source: every needed column is there."""
        return all(
            column.name in names or any(alias in names for alias in self.aliases.get(column.name, ()))
            for column in self.columns
            if column.needed
        )


def source(role: str, *columns: Column, aliases: Mapping[str, tuple[str, ...]] | None = None) -> SourceFile:
    """A source file by its role, such as `panel`."""
    return SourceFile(role, columns, aliases or {})


def whole(name: str, needed: bool = True, low: int = -(10**12), high: int = 10**12) -> Column:
    """A column of whole numbers."""
    return Column(name, Kind.INTEGER, needed, low=low, high=high)


def number(name: str, needed: bool = True, low: float = -1e13, high: float = 1e13) -> Column:
    """A column of finite numbers."""
    return Column(name, Kind.NUMBER, needed, low=low, high=high)


def code(name: str, *choices: str, needed: bool = True) -> Column:
    """A column of codes, closed where `choices` are given."""
    return Column(name, Kind.CHOICE if choices else Kind.TEXT, needed, choices=choices)


def _names(path: Path) -> set[str]:
    """The column names of a file, without its rows; empty where the file does not open."""
    try:
        if path.suffix == ".parquet":
            return set(pq.read_schema(path).names)
        with path.open("rb") as file:
            head = file.readline(1 << 20)
        return {name.strip().strip('"') for name in head.decode("utf-8-sig", "replace").strip().split(",")}
    except (OSError, pa.ArrowException):
        return set()


def find(path: Path, wanted: tuple[SourceFile, ...]) -> dict[str, Path]:
    """The file of each role: `path` itself where it is a file, else the files of the folder, by their columns.

    Raises InvalidUsage where the first role, the one that the adapter cannot do without, has no file or two.
    """
    if not path.exists():
        raise InvalidUsage(f"there is no {path}.", "Give the source's file, or the folder that holds its files.")
    files = [path] if path.is_file() else [entry for entry in sorted(path.iterdir()) if entry.suffix in SUFFIXES]
    found: dict[str, list[Path]] = {}
    for file in files:
        names = _names(file)
        role = next((entry.role for entry in wanted if entry.recognises(names)), None)
        if role:
            found.setdefault(role, []).append(file)
    first = wanted[0]
    if first.role not in found:
        needed = ", ".join(column.name for column in first.columns if column.needed)
        raise InvalidUsage(f"{path} holds no file with the columns {needed}.", "Is this the right --adapter?")
    for role, paths in found.items():
        if len(paths) > 1:
            listed = ", ".join(file.name for file in paths)
            raise InvalidUsage(
                f"{path} holds several files for `{role}`: {listed}.", "Give the one file, or remove one."
            )
    return {role: paths[0] for role, paths in found.items()}


def read(path: Path, wanted: SourceFile, faults: list[Fault], max_bad_share: float) -> pa.Table:
    """The wanted columns of a file in their own names and the contract's types, bad rows set aside and named.

    A column that is not there is null. Raises Unreadable where the file cannot be read or too many rows are bad.
    """
    early: list[Fault] = []
    raw = read_raw(path, path.stem, early.append)
    columns: dict[str, pa.Array] = {}
    bad = np.zeros(len(raw.row_numbers), bool)
    for column in wanted.columns:
        names = (column.name, *wanted.aliases.get(column.name, ()))
        name = next((name for name in names if name in raw.columns.column_names), None)
        if name is None:
            columns[column.name] = parse(column, pa.chunked_array([pa.nulls(len(bad))]), "UTC").values
            continue
        parsed = parse(column, raw.columns[name], "UTC")
        columns[column.name] = parsed.values
        broken = dict(parsed.broken)
        if column.needed:
            seen = np.logical_or.reduce([*broken.values(), np.zeros(len(bad), bool)])
            empty = np.asarray(parsed.values.is_null().to_numpy(zero_copy_only=False)) & ~seen
            broken["needed"] = empty
        for rule, mask in broken.items():
            early.extend(_cells(path.stem, raw, column, name, rule, mask))
            bad |= mask
    faults.extend(early)
    lost = sum(fault.effect is Effect.SET_ASIDE and fault.rule == "cell_count" for fault in early)
    rows, wrong = len(bad) + lost, int(bad.sum()) + lost
    if rows == 0:
        raise Unreadable(Fault(path.stem, "empty_file", Effect.REFUSED))
    if wrong / rows > max_bad_share:
        detail = {
            "bad": f"{wrong:,}",
            "rows": f"{rows:,}",
            "share": f"{wrong / rows:.1%}",
            "limit": f"{max_bad_share:.1%}",
        }
        raise Unreadable(Fault(path.stem, "too_many_bad", Effect.REFUSED, detail=detail))
    return pa.table(columns).filter(pa.array(~bad))


def _cells(table: str, raw: RawTable, column: Column, name: str, rule: str, mask: npt.NDArray[np.bool_]) -> list[Fault]:
    places = np.flatnonzero(mask)
    values = cell_texts(raw.columns[name].take(pa.array(places)))
    detail = {
        "wanted": column.kind.value,
        "choices": ", ".join(column.choices),
        "low": column.low,
        "high": column.high,
        "decimals": 2,
    }
    rows = raw.row_numbers[places].tolist()
    return [
        Fault(table, rule, Effect.SET_ASIDE, row, name, value, detail) for row, value in zip(rows, values, strict=True)
    ]


def to_minor(values: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, int]:
    """Major units as float64 to minor units, half-up, and how many had more than two decimals.

    A foreign file's floats are read as the shortest decimals that print them, to six places.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    given = np.asarray(array.is_valid().to_numpy(zero_copy_only=False))
    micro = np.round(array.fill_null(0.0).to_numpy(zero_copy_only=False) * 1e6).astype(np.int64)
    minor = np.sign(micro) * ((np.abs(micro) + 5_000) // 10_000)
    longer = int(((micro % 10_000 != 0) & given).sum())
    return pa.array(minor, pa.int64(), mask=~given), longer


def as_text(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Ids and codes as text."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return array.cast(pa.string())


def constant(value: str, rows: int) -> pa.Array:
    """A text column that holds one value."""
    return pa.repeat(pa.scalar(value), rows)
