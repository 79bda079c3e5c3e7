"""The table `identities` of a book: it goes into the vault, and into nothing else.

What is wrong with a row is said by row and field, never by value: messages end up in places that outlive an erasure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenkeel.book.contract import IDENTITIES
from evenkeel.book.faults import Fault
from evenkeel.book.files import SUFFIXES, RawTable, Unreadable, read_raw
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.storage.vault import FIELDS, Identity

_KEY = "borrower_id"


@dataclass(frozen=True, slots=True)
class IdentityFault:
    """A row that is set aside. row: in the file, as in all faults of a book."""

    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Identities:
    """Whom a book names, by borrower, and the rows that cannot be used. rows: all of the table."""

    people: dict[str, Identity]
    faults: tuple[IdentityFault, ...]
    rows: int


def read_identities(folder: Path) -> Identities:
    """The identities of a book. `cards` are separated by semicolons where the file has no lists.

    Raises InvalidUsage if the book has no such table, or two; InvalidInput if it cannot be read, lacks its key, has a
    column that is none of its own, or names a borrower twice.
    """
    path = _path(folder)
    malformed: list[Fault] = []
    try:
        raw = read_raw(path, IDENTITIES, malformed.append)
    except Unreadable as error:  # its details may quote a cell
        raise InvalidInput(
            f"{path.name} cannot be read as a table ({error.fault.rule}).", "Save it as Parquet, CSV or xlsx again."
        ) from None
    names = raw.columns.column_names
    if _KEY not in names:
        raise InvalidInput(f"{path.name} has no column `{_KEY}`.", f"Its columns: {_KEY}, {', '.join(FIELDS)}.")
    unknown = sorted({*names} - {_KEY, *FIELDS})
    if unknown:
        raise InvalidInput(
            f"{path.name} has a column that the vault has no place for: {unknown[0]!r:.50}.",
            f"Its columns: {_KEY}, {', '.join(FIELDS)}.",
        )
    faults = [IdentityFault(fault.row or 0, "it has not as many cells as the header.") for fault in malformed]
    people = _people(raw, path.name, faults)
    return Identities(people, tuple(faults), raw.columns.num_rows + len(malformed))


def _path(folder: Path) -> Path:
    found = [folder / f"{IDENTITIES}{suffix}" for suffix in SUFFIXES if (folder / f"{IDENTITIES}{suffix}").is_file()]
    if len(found) != 1:
        what = "no table" if not found else "two files of the table"
        raise InvalidUsage(
            f"{folder} has {what} {IDENTITIES}.", f"Give a folder with one {IDENTITIES}.csv or .parquet."
        )
    return found[0]


def _people(raw: RawTable, file: str, faults: list[IdentityFault]) -> dict[str, Identity]:
    people: dict[str, Identity] = {}
    columns = raw.columns.to_pydict()
    keys = columns.pop(_KEY)
    for place, row in enumerate(raw.row_numbers.tolist()):
        borrower_id = str(keys[place] if keys[place] is not None else "").strip()
        if not borrower_id or borrower_id in people:
            what = "names a borrower again" if borrower_id else f"has no `{_KEY}`"
            raise InvalidInput(f"{file} row {row} {what}.", "Each borrower has one row.")
        try:
            people[borrower_id] = _identity({field: column[place] for field, column in columns.items()})
        except InvalidInput as error:
            faults.append(IdentityFault(row, str(error)))
            people[borrower_id] = Identity()  # so that a second row is found
    return {borrower_id: identity for borrower_id, identity in people.items() if any(identity.each())}


def _identity(cells: dict[str, Any]) -> Identity:
    values: dict[str, Any] = {}
    for field, cell in cells.items():
        if field == "cards" and isinstance(cell, str):
            cell = [card.strip() for card in cell.split(";") if card.strip()]
        if isinstance(cell, int) and not isinstance(cell, bool):
            cell = str(cell)
        if cell is None or cell == [] or (isinstance(cell, str) and not cell.strip()):
            continue
        values[field] = tuple(cell) if isinstance(cell, list) else cell
    return Identity(**values)
