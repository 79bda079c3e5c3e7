"""Open a book's folder: find its tables and manifest, and check them."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evenkeel.book.checking import Checked, Progress, check
from evenkeel.book.contract import CONTRACT_VERSION, IDENTITIES, TABLES
from evenkeel.book.faults import Effect, Fault, Quality, shown
from evenkeel.book.files import SUFFIXES, RawTable, Unreadable, read_raw
from evenkeel.book.model import Manifest
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, InvalidUsage
from evenkeel.kernel.money import currency_exponent

_MANIFEST_LIMIT = 1 << 20
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


def read_book(
    folder: Path,
    *,
    as_of: date | None = None,
    latest: date,
    max_bad_share: float = 0.01,
    progress: Progress = lambda table, done, total: None,
) -> Checked:
    """Read and check a folder of tables.

    as_of: the day on which the book is read; by default the manifest's, else the end of the last month.
    latest: a day after which no default may lie, such as today.
    Raises InvalidUsage if there is no such folder. Faults in the data are in the result, never raised.
    """
    if not folder.is_dir():
        raise InvalidUsage(f"there is no folder {folder}.", "Give the folder that holds accounts.csv and its tables.")
    faults: list[Fault] = []
    manifest, sums = _manifest(folder, faults)
    raw: dict[str, RawTable] = {}
    for name, path in _table_files(folder, faults).items():
        progress(f"reading {path.name}", len(raw), len(TABLES))
        try:
            raw[name] = read_raw(path, name, faults.append)
            if name in sums and _sha256(path) != sums[name]:
                faults.append(Fault(name, "changed_since_manifest", Effect.WARNING, detail={"file": path.name}))
        except Unreadable as error:
            faults.append(error.fault)
    if any(fault.effect is Effect.REFUSED for fault in faults):
        day = as_of or (manifest.as_of if manifest else latest)
        return Checked(None, Quality(day.isoformat(), {}, tuple(faults)))
    return check(
        raw, manifest, as_of=as_of, latest=latest, max_bad_share=max_bad_share, earlier=tuple(faults), progress=progress
    )


def _table_files(folder: Path, faults: list[Fault]) -> dict[str, Path]:
    """The file of each table; two files of one table refuse the book, `identities` is named and left closed."""
    found: dict[str, Path] = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InvalidUsage(f"the folder {folder} cannot be read: {error.strerror}.") from None
    for path in entries:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if path.stem == IDENTITIES:
            faults.append(Fault(IDENTITIES, "identities_left_aside", Effect.WARNING))
        elif path.stem not in TABLES:
            faults.append(Fault(path.stem, "unknown_table", Effect.WARNING, detail={"file": path.name}))
        elif path.stem in found:
            detail = {"file": path.name, "other": found[path.stem].name}
            faults.append(Fault(path.stem, "two_files", Effect.REFUSED, detail=detail))
        else:
            found[path.stem] = path
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path, faults: list[Fault]) -> tuple[Manifest | None, dict[str, str]]:
    """The folder's manifest and the digests it states; a manifest that cannot be understood refuses the book."""
    path = folder / "manifest.json"
    if not path.is_file():
        return None, {}
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise InvalidInput("it is larger than 1 MB")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        return parse_manifest(content), _stated_digests(content)
    except (ValueError, RecursionError, OSError, EvenkeelError) as error:
        faults.append(Fault("manifest", "manifest", Effect.REFUSED, detail={"why": shown(error)}))
        return None, {}


def _stated_digests(content: dict[str, object]) -> dict[str, str]:
    """Table -> SHA-256. Raises InvalidInput where `tables` has another form."""
    tables = content.get("tables", {})
    if not isinstance(tables, dict) or not all(
        isinstance(entry, dict) and isinstance(entry.get("sha256", ""), str) for entry in tables.values()
    ):
        raise InvalidInput("`tables` is not an object of objects with `rows` and `sha256`.")
    return {name: entry["sha256"] for name, entry in tables.items() if "sha256" in entry}


def parse_manifest(content: object) -> Manifest:
    """A manifest from its JSON content. Raises InvalidInput that names the field at fault."""
    if not isinstance(content, dict):
        raise InvalidInput("the manifest is not a JSON object.")
    texts: dict[str, str] = {}
    for name in ("as_of", "timezone", "currency", "jurisdiction", "lender_name", "source"):
        value = content.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidInput(f"`{name}` is not a text.")
        if not value.isprintable():
            raise InvalidInput(f"`{name}` holds a control character.")
        texts[name] = value
    version = content.get("contract", CONTRACT_VERSION)
    if type(version) is not int or version != CONTRACT_VERSION:
        raise InvalidInput(f"`contract` is {version!r}; this evenkeel reads version {CONTRACT_VERSION}.")
    if "as_of" not in texts:
        raise InvalidInput("`as_of` is missing.")
    day = parse_date(texts.pop("as_of"))
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InvalidInput(f"`as_of` is {day.isoformat()}; it lies between {_FIRST_YEAR} and {_LAST_YEAR}.")
    if "currency" in texts:
        currency_exponent(texts["currency"])
    try:
        ZoneInfo(texts.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"`timezone` {texts['timezone']!r} is not a zone such as Asia/Shanghai.") from None
    return Manifest(as_of=day, **texts)  # type: ignore[arg-type] # every key is a text field of Manifest
