"""Closed days in the lake: each a folder that is whole, made part by part, and one fact in the journal.

lake/days/2024-05-31/state/....arrow          what the next day starts from
lake/days/2024-05-31/{day,bills,postings}/... what happened, for reading
lake/closing/plan.json, 2024-05-31/...        a close on its way; a killed one is taken up where it stood
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.files import exclusive, sync, write_new, writing
from evenkeel.storage.workspace import Workspace

_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Closings:
    """The closed days of one workspace."""

    root: Path  # the lake

    def folder(self, day: date) -> Path:
        """The folder of a closed day, there or not."""
        return self.root / "days" / day.isoformat()

    def draft(self, day: date) -> Path:
        """The folder of a close on its way."""
        return self.root / "closing" / day.isoformat()

    def plan(self, day: date, make: Callable[[], dict[str, object]]) -> dict[str, object]:
        """What a close was begun with: that of a killed close of the same day, else a new one from `make`.

        Drafts of other days, which were never booked, are removed.
        """
        path = self.draft(day) / "plan.json"
        with writing(self.root):
            for other in (self.root / "closing").glob("*"):
                if other != self.draft(day):
                    shutil.rmtree(other)
            if path.is_file():
                begun: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
                return begun
            path.parent.mkdir(parents=True, exist_ok=True)
            plan = make()
            write_new(path, json.dumps(plan, sort_keys=True), 0o644)
            return plan

    def place(self, day: date) -> None:
        """Make a finished draft the closed day, in one step."""
        draft, folder = self.draft(day), self.folder(day)
        with writing(folder):
            (draft / "plan.json").unlink()
            for inner in [*(path for path in draft.rglob("*") if path.is_dir()), draft]:
                sync(inner)
            folder.parent.mkdir(exist_ok=True)
            if folder.exists():  # placed by a close that was killed before it booked its fact
                shutil.rmtree(folder)
            draft.rename(folder)
            sync(folder.parent)
            sync(self.root)


@contextmanager
def closing(workspace: Workspace) -> Iterator[Closings]:
    """Hold the closings of a workspace alone. Raises Unavailable that names who else closes."""
    lock = workspace.path / "close.lock"
    with exclusive(lock, "The close of day", workspace.journal.clock, _LIMIT_S):
        yield Closings(workspace.lake.root)


def write_part(table: pa.Table, path: Path) -> dict[str, object]:
    """One file of a draft, whole or not at all, on the disk; returns its rows and SHA-256.

    The ending of the path says the format: `.arrow` (lz4) or `.parquet` (zstd).
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        if path.suffix == ".arrow":
            options = ipc.IpcWriteOptions(compression="lz4")
            with pa.OSFile(str(fresh), "wb") as sink, ipc.new_file(sink, table.schema, options=options) as writer:
                writer.write_table(table)
        else:
            pq.write_table(table, fresh, compression="zstd", store_schema=True)
        sync(fresh)
        fresh.replace(path)
    return {"rows": table.num_rows, "sha256": file_digest(path)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_part(path: Path, sha256: str) -> pa.Table:
    """A part of a closed day, held to its recorded hash. Raises Unavailable if it is gone or changed."""
    if not path.is_file() or file_digest(path) != sha256:
        what = "is not what was recorded" if path.is_file() else "is gone"
        raise Unavailable(f"{path} {what}.", "Restore it from a copy; the journal holds its hash.")
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    with pq.ParquetFile(path) as file:
        return file.read()
