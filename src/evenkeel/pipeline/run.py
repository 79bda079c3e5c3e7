"""One run: read a book, refuse it or take it on record, go round the loop, write what came out."""

from __future__ import annotations

import platform
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pyarrow as pa

from evenkeel.arrears.law import load_rules
from evenkeel.book.adapters.registry import adapter
from evenkeel.book.adapters.source import Adapted
from evenkeel.book.checking import Checked, check
from evenkeel.book.faults import Quality
from evenkeel.book.files import Unreadable
from evenkeel.book.model import Book
from evenkeel.book.reading import read_book
from evenkeel.pipeline.loop import Loop, Settings, run_loop
from evenkeel.pipeline.outputs import check_free, whole_folder, write_json, write_quality, write_table
from evenkeel.pipeline.report.page import write_reports
from evenkeel.policy.sources import SHIPPED, Sourced, policy_from
from evenkeel.storage.lake import load
from evenkeel.storage.workspace import Workspace

Reporter = Callable[[str, float], None]  # what is being done, and which share of the whole is done


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What `evenkeel run` was asked for."""

    book: Path
    out: Path
    latest: date  # no default as_of lies after this day
    adapter: str | None = None
    as_of: date | None = None
    policy: Path | None = None  # of limits, DMN
    granting: Path | None = None  # of applications, DMN
    seed: int = 0
    threads: int = 2
    max_bad_share: float = 0.01
    languages: tuple[str, ...] = ("en", "zh")
    story: str | None = None  # a borrower whose months are told in the report
    command: str = ""


@dataclass(slots=True)
class Timings:
    """Wall and CPU seconds by stage, in the order in which they ran."""

    stages: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Time one stage."""
        wall, cpu = perf_counter(), process_time()
        yield
        self.stages[name] = {"wall_s": round(perf_counter() - wall, 3), "cpu_s": round(process_time() - cpu, 3)}

    def document(self, command: str) -> dict[str, Any]:
        """run.json."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "command": command,
            "stages": self.stages,
            "wall_s": round(sum(stage["wall_s"] for stage in self.stages.values()), 3),
            "peak_memory_mb": round(peak / (1024 if sys.platform != "darwin" else 1024 * 1024), 1),
            "machine": {"python": platform.python_version(), "system": platform.system(), "cpu": platform.machine()},
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """The outcome of a run: the loop's results, or None where the book was refused.

    notes: what was found in the user's own policies that keeps them from being published.
    """

    loop: Loop | None
    quality: Quality
    notes: tuple[str, ...] = ()


def read_checked(
    book: Path, adapter_name: str | None, as_of: date | None, latest: date, max_bad_share: float, report: Reporter
) -> Checked:
    """A checked book from a contract folder or through an adapter. Raises InvalidUsage."""
    if adapter_name is None:
        return read_book(
            book, as_of=as_of, latest=latest, max_bad_share=max_bad_share,
            progress=lambda what, done, total: report(what, done / max(total, 1)),
        )  # fmt: skip
    report(f"reading {book.name}", 0.1)
    try:
        adapted: Adapted = adapter(adapter_name)(book, max_bad_share)
    except Unreadable as error:
        day = (as_of or latest).isoformat()
        return Checked(None, Quality(day, {}, (error.fault,)))
    report("checking", 0.6)
    checked = check(
        adapted.raw(), adapted.manifest, as_of=as_of, latest=latest, max_bad_share=max_bad_share, earlier=adapted.faults
    )
    quality = Quality(checked.quality.as_of, checked.quality.tables, checked.quality.faults, adapted.notes)
    return Checked(None if checked.book is None else replace(checked.book, notes=adapted.notes), quality)


def manifest_document(book: Book) -> dict[str, Any]:
    """The manifest as JSON, for the journal."""
    manifest = book.manifest
    return {
        "contract": manifest.contract,
        "as_of": book.last_day.isoformat(),
        "timezone": manifest.timezone,
        "currency": manifest.currency,
        "jurisdiction": manifest.jurisdiction,
        "lender_name": manifest.lender_name,
        "source": manifest.source,
    }


def record(workspace: Workspace, book: Book, digest: str, report: Reporter) -> bool:
    """Take a book on record: lake and journal. Returns whether it was new."""
    result = load(
        workspace, digest, manifest_document(book), book.tables,
        lambda table, done, total: report(f"recording {table}", done / max(total, 1)),
    )  # fmt: skip
    return result.loaded


def run(request: RunRequest, workspace: Callable[[], Any], report: Reporter) -> Ran:
    """Run the loop over a book and write its outputs.

    workspace: opens the workspace, as a context manager. A refused book leaves quality.json and faults.csv alone.
    Raises InvalidInput, InvalidUsage, Unavailable.
    """
    timings = Timings()
    limits, granting = policy_from(request.policy, "limit"), policy_from(request.granting, "grant")
    notes = (*limits.notes, *granting.notes)
    check_free(request.out)
    with timings.measured("read"):
        checked = read_checked(
            request.book, request.adapter, request.as_of, request.latest, request.max_bad_share,
            lambda what, share: report(what, 0.15 * share),
        )  # fmt: skip
    with whole_folder(request.out) as folder:
        write_quality(folder, checked.quality)
        if checked.book is None:
            return Ran(None, checked.quality, notes)
        with timings.measured("record"), workspace() as opened:
            digest = checked.book.digest()
            record(opened, checked.book, digest, lambda what, share: report(what, 0.15 + 0.1 * share))
        settings = Settings(
            limits.program, load_rules(), request.seed, request.threads, granting=granting.program
        )  # fmt: skip
        loop = run_loop(checked.book, digest, settings, _stages(timings, report))
        with timings.measured("write"):
            report("writing", 0.95)
            write_loop(folder, loop, checked.quality, request, (limits, granting))
        write_json(folder / "run.json", timings.document(request.command))
    return Ran(loop, checked.quality, notes)


def _stages(timings: Timings, report: Reporter) -> Callable[[str], Any]:
    done: list[str] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        report(name, 0.25 + 0.7 * len(done) / 9)
        done.append(name)
        with timings.measured(name):
            yield

    return stage


def write_loop(folder: Path, loop: Loop, quality: Quality, request: RunRequest, policies: tuple[Sourced, ...]) -> None:
    """Every file of CONTRACT 3 but run.json, what `evenkeel show` reads, and the policies as they were read."""
    if loop.granted is None:
        write_table(folder / "decisions.parquet", loop.decisions)
    else:
        write_table(folder / "decisions.parquet", pa.concat_tables([loop.decisions, loop.granted.decisions]))
        write_table(folder / "grants.parquet", loop.granted.grants)
    write_table(folder / "borrowers.parquet", loop.borrowers)
    write_table(folder / "cases.parquet", loop.cases)
    write_table(folder / "plans.parquet", loop.plans)
    write_table(folder / "points.parquet", loop.points)
    write_table(folder / "lines.parquet", loop.lines)
    write_json(folder / "portfolio.json", loop.portfolio)
    if loop.scored.scorecard is not None:
        write_json(folder / "model.json", loop.scored.scorecard.document())
    for policy in policies:
        (folder / SHIPPED[policy.program.kind]).write_text(policy.text, encoding="utf-8")
    write_reports(folder, loop, quality, request.languages, request.story)
