"""What a run leaves in its folder: whole, or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evenkeel.book.faults import Quality
from evenkeel.kernel.errors import InvalidUsage

# By these a folder is known to be an earlier run's, and may be replaced.
_MARKS = ("run.json", "quality.json", "model.json", "assignment.json", "operations.json", "forecast.json")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` only when the block ends well.

    An earlier run's folder, or an empty one, is replaced; a folder that holds anything else is left alone.
    Raises InvalidUsage on a folder of somebody else's, or where the place cannot be written or is full.
    """
    out = out.absolute()
    check_free(out)
    draft = out.parent / f".{out.name}.{os.getpid()}.draft"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_drafts(out)
        draft.mkdir()
        yield draft
        _exchange(draft, out)
    except OSError as error:
        raise _unwritable(out, error.strerror or str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_free(out: Path) -> None:
    """Find out before the work, not after it, that `out` cannot be had. Raises InvalidUsage."""
    if (out.exists() or out.is_symlink()) and not replaceable(out):
        raise InvalidUsage(
            f"{out} holds files that are not an earlier run's.", "Choose another --out, or empty it first."
        )
    nearest = next(parent for parent in out.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritable(out, f"{nearest} is not a folder that you may write to")


def _unwritable(out: Path, why: str) -> InvalidUsage:
    return InvalidUsage(f"{out} cannot be written: {why}.", "Choose another --out, or check its rights and free space.")


def replaceable(out: Path) -> bool:
    """Whether a folder is empty or an earlier run's."""
    return out.is_dir() and (not any(out.iterdir()) or any((out / mark).is_file() for mark in _MARKS))


def _clear_drafts(out: Path) -> None:
    """Remove the drafts of runs that were killed: their process is gone."""
    for leftover in out.parent.glob(f".{out.name}.*.draft"):
        pid = leftover.name.split(".")[-2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(leftover, ignore_errors=True)


def _exchange(draft: Path, out: Path) -> None:
    """Put the finished draft in the place of `out`."""
    for path in sorted(draft.rglob("*")):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    if not out.exists():
        draft.rename(out)
        return
    old = out.parent / f".{out.name}.{os.getpid()}.old.draft"
    out.rename(old)
    draft.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def write_quality(folder: Path, quality: Quality) -> None:
    """quality.json and faults.csv."""
    write_json(folder / "quality.json", quality.document())
    with (folder / "faults.csv").open("w", encoding="utf-8-sig", newline="") as file:
        file.writelines(quality.csv_rows())


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """A JSON file for programs and people: stable order as given, real characters, no NaN."""
    path.write_text(json_text(document) + "\n", encoding="utf-8")


def json_text(document: object) -> str:
    """JSON with two spaces of indent. Raises ValueError on NaN or infinity, which JSON does not have."""
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)


def write_table(path: Path, table: pa.Table) -> None:
    """A Parquet file whose bytes depend on the rows alone."""
    pq.write_table(table.replace_schema_metadata(None).combine_chunks(), path, compression="zstd")
