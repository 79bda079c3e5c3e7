"""Faults in a book are values: each names table, row, column, value, the rule it breaks and what to do."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

from evenkeel.kernel.text import texts

VALUE_SHOWN = 80  # characters of a bad value that are repeated; a 10 MB cell is not
_SPREADSHEET_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Effect(StrEnum):
    """What a fault does to the run."""

    SET_ASIDE = "row set aside"
    REFUSED = "book refused"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. row: line of a CSV or xlsx (header = 1) or row of a Parquet file (first = 1); None where no row is."""

    table: str
    rule: str
    effect: Effect
    row: int | None = None
    column: str = ""
    value: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)

    def problem(self, language: str = "en") -> str:
        """What is wrong, as a sentence."""
        return texts(language)(f"fault.{self.rule}", column=self.column, value=self.value, **self.detail)

    def remedy(self, language: str = "en") -> str:
        """What to do about it, as a sentence."""
        return texts(language)(f"fault.{self.rule}.remedy", column=self.column, value=self.value, **self.detail)

    def place(self) -> str:
        """Where it is, as `accounts row 18 limit_minor`."""
        row = "" if self.row is None else f" row {self.row}"
        return f"{self.table}{row}{' ' if self.column else ''}{self.column}"


def shown(value: object) -> str:
    """A bad value as text, cut to a length that a person can read."""
    text = str(value)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}… ({len(text):,} characters)"


def cell_texts(values: pa.Array | pa.ChunkedArray) -> list[str]:
    """Bad cells of any type as text; a moment that no calendar holds is shown as its number."""
    if pa.types.is_temporal(values.type):
        try:
            values = values.cast(pa.string())
        except pa.ArrowException:
            values = values.cast(pa.int64() if values.type.bit_width == 64 else pa.int32())
    return ["" if value is None else shown(value) for value in values.to_pylist()]


@dataclass(frozen=True, slots=True)
class TableQuality:
    """How many rows of a table came in and how many went on."""

    rows: int
    accepted: int
    set_aside: int  # for a bad value of their own
    set_aside_with: int  # because they point to a row set aside


@dataclass(frozen=True, slots=True)
class Quality:
    """What the check of a book found."""

    as_of: str
    tables: Mapping[str, TableQuality]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the book may not be used at all."""
        return any(fault.effect is Effect.REFUSED for fault in self.faults)

    def document(self) -> dict[str, object]:
        """quality.json."""
        counts = Counter((fault.table, fault.column, fault.rule, fault.effect) for fault in self.faults)
        return {
            "contract": 1,
            "as_of": self.as_of,
            "accepted": not self.refused,
            "tables": {
                name: {
                    "rows": table.rows,
                    "accepted": table.accepted,
                    "rejected": table.rows - table.accepted,
                    "set_aside": table.set_aside,
                    "set_aside_with": table.set_aside_with,
                }
                for name, table in sorted(self.tables.items())
            },
            "faults": [
                {"table": table, "column": column, "rule": rule, "effect": str(effect), "count": count}
                for (table, column, rule, effect), count in sorted(counts.items())
            ],
            "refused_because": [
                {"place": fault.place(), "problem": fault.problem(), "remedy": fault.remedy()}
                for fault in self.faults
                if fault.effect is Effect.REFUSED
            ][:20],
            "notes": list(self.notes),
        }

    def csv_rows(self) -> Iterator[str]:
        """faults.csv line by line, safe to open in a spreadsheet: no cell starts a formula."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["table", "row", "column", "value", "rule", "effect", "problem", "remedy"])
        for fault in self.faults:
            value = fault.value.replace("\x00", "\\0")
            value = f"'{value}" if value.startswith(_SPREADSHEET_STARTS) else value
            row = "" if fault.row is None else fault.row
            writer.writerow(
                [fault.table, row, fault.column, value, fault.rule, fault.effect, fault.problem(), fault.remedy()]
            )
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        yield buffer.getvalue()
