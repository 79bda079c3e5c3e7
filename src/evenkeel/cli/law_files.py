"""Actions to be judged from a file: the columns of contacts (CONTRACT 2), and the facts that rules ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.arrears.law import RuleBook
from evenkeel.arrears.rows import is_zone
from evenkeel.book.contract import ACTOR_TYPES, TABLES, Column, Kind
from evenkeel.book.faults import Effect, Fault, shown
from evenkeel.book.files import RawTable, Unreadable, read_raw
from evenkeel.book.parsing import parse
from evenkeel.kernel.errors import InvalidInput, InvalidUsage

_MOST_BYTES = 1 << 30
_SHOWN = 5  # faults that are named; the rest are counted
_HOLDS = {"flag": Kind.FLAG, "number": Kind.NUMBER, "day": Kind.DAY, "text": Kind.TEXT}
_DEBTS = (
    Column("lender_id", Kind.ID), Column("actor_type", Kind.CHOICE, choices=ACTOR_TYPES),
    Column("product", Kind.TEXT), Column("timezone", Kind.TEXT), Column("planned", Kind.FLAG),
)  # fmt: skip
_CONSENTS = TABLES["consents"].columns


def read_actions(path: Path, rules: RuleBook, zone: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Actions as `judge_contacts` takes them, and the columns that no rule asks for.

    `at` and one of `channel` or `action` are needed in every row; whatever else is missing is unknown. zone: that of
    instants without an offset. Raises InvalidUsage where there is no such file, InvalidInput that says what is wrong in
    which rows.
    """
    if not is_zone(zone):
        raise InvalidUsage(f"there is no zone {zone}.", "Name one as Asia/Shanghai.")
    raw = _raw(path)
    contacts = tuple(replace(column, needed=column.name == "at") for column in TABLES["contacts"].columns)
    asked = {name: holds for rule in rules.rules.values() for one in rule.checks for name, holds in one.facts.items()}
    facts = (Column(name, _HOLDS[holds]) for name, holds in asked.items())
    known = {column.name: column for column in (*facts, *_DEBTS, Column("action", Kind.TEXT), *contacts)}
    given = raw.columns.column_names
    if not {"channel", "action"} & set(given):
        raise InvalidInput(f"{path} has neither `channel` nor `action`.", "Say in each row what is to be done.")
    what = "channel" if "channel" in given else "action"
    known[what] = replace(known[what], needed=True)
    table = _typed(path, raw, [column for name, column in known.items() if name in given or column.needed], zone)
    return table, tuple(name for name in given if name not in known)


def read_consents(path: Path, zone: str) -> pa.Table:
    """Consents (CONTRACT 2). Raises as `read_actions` does."""
    return _typed(path, _raw(path), _CONSENTS, zone)


def read_objects(path: Path) -> pa.Table:
    """A .json list of objects, or a .jsonl object a line, as a table of texts. Raises as `read_actions` does."""
    return _raw(path).columns


def _raw(path: Path) -> RawTable:
    if not path.is_file():
        raise InvalidUsage(f"there is no file {path}.", "Give one table: .csv, .parquet, .xlsx, .json or .jsonl.")
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{path} is larger than 1 GB.", "Give it in parts, each with all of a debtor's contacts.")
    kind = path.suffix.lower()
    if kind in (".json", ".jsonl"):
        return _of_objects(path, kind)
    if kind not in (".csv", ".parquet", ".xlsx"):
        raise InvalidUsage(f"{path} is of no known kind.", "Give one table: .csv, .parquet, .xlsx, .json or .jsonl.")
    malformed: list[Fault] = []
    try:
        raw = read_raw(path, "contacts", malformed.append)
    except Unreadable as error:
        raise InvalidInput(f"{path}: {error.fault.problem()}", error.fault.remedy()) from None
    _refuse(path, malformed)
    return raw


def _of_objects(path: Path, kind: str) -> RawTable:
    """A list of objects, or an object a line, as a table of texts."""
    try:
        text = path.read_text(encoding="utf-8")
        rows = json.loads(text) if kind == ".json" else [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not JSON: {str(error).splitlines()[0]}.", "Give a list of objects.") from None
    rows = [rows] if isinstance(rows, Mapping) else rows
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise InvalidInput(f"{path} is not a list of objects.", "Give one object an action.")
    columns = {name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in _names(rows)}
    return RawTable("contacts", pa.table(columns), np.arange(1, len(rows) + 1))


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _typed(path: Path, raw: RawTable, columns: Sequence[Column], zone: str) -> pa.Table:
    found: dict[str, pa.Array] = {}
    faults: list[Fault] = []
    for column in columns:
        if column.name not in raw.columns.column_names:
            if column.needed:
                raise InvalidInput(f"{path} lacks the column `{column.name}`.", f"It is {column.kind.value}.")
            continue
        cells = raw.columns[column.name]
        parsed = parse(column, cells, zone, xlsx=raw.from_xlsx)
        found[column.name] = parsed.values
        detail = {
            "wanted": column.kind.value, "choices": ", ".join(column.choices), "low": column.low, "high": column.high,
        }  # fmt: skip
        wrong = [(rule, place) for rule, mask in parsed.broken.items() for place in np.flatnonzero(mask).tolist()]
        if column.needed:
            empty = set(np.flatnonzero(parsed.values.is_null().to_numpy(zero_copy_only=False)).tolist())
            wrong += [("needed", place) for place in sorted(empty.difference(place for _, place in wrong))]
        faults += [_fault(raw, column, rule, place, detail) for rule, place in wrong]
    _refuse(path, faults)
    return pa.table(found)


def _fault(raw: RawTable, column: Column, rule: str, place: int, detail: Mapping[str, object]) -> Fault:
    value = shown(raw.columns[column.name][place].as_py())
    return Fault("contacts", rule, Effect.REFUSED, int(raw.row_numbers[place]), column.name, value, detail)


def _refuse(path: Path, faults: Sequence[Fault]) -> None:
    """Nothing is judged where a row cannot be read: what is left out of a count would make it too low."""
    if faults:
        lines = [f"{fault.place()}: {fault.problem()}" for fault in faults[:_SHOWN]]
        more = f" And {len(faults) - _SHOWN:,} more." if len(faults) > _SHOWN else ""
        raise InvalidInput(f"{path} cannot be judged. {' '.join(lines)}{more}", faults[0].remedy())
