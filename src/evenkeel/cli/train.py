"""`evenkeel train`: a model from a file, judged on folds, guarded, and written as data, tables and a report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.book.model import table_digest
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import checked_book
from evenkeel.cli.model import loaded
from evenkeel.cli.options import LANGUAGES, adapter_option, as_json_option, as_of_option, max_bad_share_option
from evenkeel.cli.tables import WRITTEN, read_table, write_rows
from evenkeel.kernel.errors import InvalidUsage, Unavailable
from evenkeel.kernel.text import texts
from evenkeel.pipeline.loop import live_training_rows, training_rows
from evenkeel.pipeline.outputs import check_free, json_text, whole_folder
from evenkeel.pipeline.validation.page import write_validation
from evenkeel.scoring.export import to_python, to_sql
from evenkeel.scoring.guards import Finding, Override
from evenkeel.scoring.reading import as_trained
from evenkeel.scoring.scorecard import Scorecard
from evenkeel.scoring.tableio import write_card
from evenkeel.scoring.training import KINDS, Folds, Prepared, Request, cross_validate, described, fit, prepare
from evenkeel.scoring.validation import Judged, validate

FloatArray = npt.NDArray[np.float64]


def _names(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Column names with commas between them."""
    return tuple(name.strip() for part in value for name in part.split(",") if name.strip())


def _directions(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, int]:
    """`up:A,down:B`."""
    found = {}
    for part in _names(_, __, value):
        way, _sep, name = part.partition(":")
        if way not in ("up", "down") or not name:
            raise click.BadParameter(f"{part!r}: write up:COLUMN where risk rises with it, down:COLUMN where it falls.")
        found[name] = 1 if way == "up" else -1
    return found


def _specials(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """`COLUMN=96,98`."""
    found = {}
    for part in value:
        name, _sep, codes = part.rpartition("=")
        try:
            found[name] = tuple(float(code) for code in codes.split(","))
        except ValueError:
            name = ""
        if not name:
            raise click.BadParameter(f"{part!r}: write COLUMN=96,98.")
    return found


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel train applications.csv --target default --drop id --out ./model\n"
    "  evenkeel train loans.parquet --target status --bad 'Charged Off' --good 'Fully Paid' --time issued\n"
    "  evenkeel train cards.csv --target bad --model woe --monotone up:utilisation,down:income\n"
    "  evenkeel train cards.csv --target bad --special late_count=96,98 --out ./model --by 'Li Na'\n"
    "  evenkeel train ./march --target bad --out ./model"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, help="Column of the outcome.")
@click.option("--bad", multiple=True, metavar="LABEL", help="Label of the bad, where it is not a usual word.")
@click.option("--good", multiple=True, metavar="LABEL", help="With --bad: rows of any other label are left out.")
@click.option("--drop", multiple=True, callback=_names, metavar="A,B", help="Columns to leave out.")
@click.option("--time", "time_column", metavar="COL", help="Date of each row; for a hazard model, months observed.")
@click.option("--model", type=click.Choice(KINDS), default="additive", show_default=True)
@click.option("--monotone", multiple=True, callback=_directions, metavar="up:A,down:B", help="Directions of risk.")
@click.option("--special", multiple=True, callback=_specials, metavar="COL=96,98", help="Values that are codes.")
@click.option("--protected", multiple=True, callback=_names, metavar="A,B", help="Protected columns, to be watched.")
@click.option("--group", metavar="COL", help="Rows of one value share a fold: a borrower's key.")
@adapter_option
@as_of_option
@max_bad_share_option
@click.option("--live", is_flag=True, help="Of a book: its applications, with what the live service reads.")
@click.option("--cv", type=click.IntRange(0, 50), default=5, show_default=True, help="Folds of the proof; 0 for none.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of folds and draws.")
@click.option("--predictions", type=click.Path(path_type=Path), metavar="FILE", help="Out-of-fold p, as Parquet.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write model, tables and report here.")
@click.option("--drop-leaks", is_flag=True, help="Leave out what is refused as a leak, and train on the rest.")
@click.option("--override", multiple=True, metavar="KEY=REASON", help="Overrule a refusal; kept in the model.")
@click.option("--by", default="", metavar="WHO", help="Who trains, and answers for overrides.")
@click.option("--former", metavar="MODEL", help="The model in use, for the swap set: its model.json.")
@click.option("--lang", type=LANGUAGES, default="en,zh", show_default=True, help="Languages of the report.")
@as_json_option
@click.pass_obj
def train(
    application: Application, file: Path, target: str, bad: tuple[str, ...], good: tuple[str, ...],
    drop: tuple[str, ...], time_column: str | None,
    model: Any, monotone: dict[str, int], special: dict[str, tuple[float, ...]], protected: tuple[str, ...], cv: int,
    seed: int, group: str | None, adapter: str | None, as_of: date | None, max_bad_share: float,
    live: bool, predictions: Path | None, out: Path | None, drop_leaks: bool, override: tuple[str, ...], by: str,
    former: str | None, lang: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Train a model of the bad on FILE (.parquet, .csv, .xlsx), and prove it on folds that it did not see.

    FILE may be a book, or a known public file with --adapter: its rows are then accounts by month, the target is `bad`,
    and a borrower's rows share a fold. With --live rows are its applications with the event features that `evenkeel
    decide` and `serve` read, and the model can decide there.

    Guards look at the data first: columns known only after the outcome, immature outcomes and one class refuse.
    """
    if predictions and not cv:
        raise InvalidUsage("--predictions needs folds.", "Leave out --cv 0.")
    if predictions and predictions.suffix.lower() not in WRITTEN:
        raise InvalidUsage(f"{predictions} is neither .parquet nor .csv.", "Choose one of the two.")
    if out:
        check_free(out)
    request = Request(
        target, bad=bad, good=good, drop=drop, time=time_column, model=model, monotone=monotone, specials=special,
        protected=protected, folds=cv, seed=seed, overrides=_overrides(override, by), drop_leaks=drop_leaks,
        group=group,
    )  # fmt: skip
    of_book = adapter is not None or file.is_dir()
    if live and not of_book:
        raise InvalidUsage(f"--live needs a book, and {file} is a file.", "Give the folder of a book, or --adapter.")
    if of_book:
        names = ("submitted_at", drop) if live else ("month", (*drop, "account_id"))
        request = replace(request, drop=names[1], group=group or "borrower_id", time=time_column or names[0])
    former_card = None if former is None else loaded(application, former, None, None)
    if of_book:
        book = checked_book(file, adapter, as_of, application.today, max_bad_share)
        table = live_training_rows(book, threads=2) if live else training_rows(book, seed=seed, threads=2)
    else:
        table = read_table(file)
    prepared = prepare(table, request, lang[0])
    for finding in prepared.findings:
        if finding.severity == "warn":
            present.say(f"evenkeel: {finding.text(lang[0])}")
    with present.progress(as_json) as report:
        judged = cross_validate(prepared, request, report) if cv else None
        document = _document(prepared, request, judged)
        if predictions and judged:
            write_rows(pa.table({"row": prepared.rows, "fold": judged.fold, "p": judged.p}), predictions)
        if out:
            report("all rows", cv / (cv + 1))
            facts = {
                "data_sha256": table_digest(table).hex(), "code_version": version("evenkeel"),
                "trained_on": application.today.isoformat(), **({"trained_by": by} if by else {}),
            }  # fmt: skip
            before = None
            if former_card is not None:
                before = former_card.probability(as_trained(former_card, table.take(pa.array(prepared.rows))))
            document["version"] = _write(out, prepared, request, judged, facts, lang, before)
    present.answer(document, as_json, lambda: _words(document, prepared, out, lang[0]))
    return present.DONE


def _overrides(given: tuple[str, ...], by: str) -> tuple[Override, ...]:
    found = []
    for part in given:
        key, _sep, reason = part.partition("=")
        if not by.strip():
            raise InvalidUsage("an override needs its author.", "Add --by and a name: it is kept in the model.")
        found.append(Override(key, reason, by))
    return tuple(found)


def _document(prepared: Prepared, request: Request, judged: Folds | None) -> dict[str, Any]:
    return {
        "model": request.model, "target": request.target, "bad": prepared.labels[1], "seed": request.seed,
        "rows": len(prepared.bad), "bads": int(prepared.bad.sum()),
        "columns": [candidate.name for candidate in prepared.offered], "dropped": list(prepared.dropped),
        "mean": judged and judged.mean, "folds": list(judged.figures) if judged else [],
        "guards": [finding.document() for finding in prepared.findings], "overrides": list(prepared.overruled),
    }  # fmt: skip


def _write(
    out: Path, prepared: Prepared, request: Request, judged: Folds | None, facts: Mapping[str, Any],
    lang: tuple[str, ...], former: FloatArray | None,
) -> str:  # fmt: skip
    """The model as data; of a scorecard also its tables, SQL, Python and the report. Returns its version."""
    model = fit(prepared, request)
    with whole_folder(out) as folder:
        if not isinstance(model, Scorecard):
            text = json_text(model.document())
            (folder / "model.json").write_text(text, encoding="utf-8")
            return f"{request.model}-" + hashlib.sha256(text.encode()).hexdigest()[:16]
        card = described(model, prepared, request, judged, facts)
        (folder / "model.json").write_text(json_text(card.document()), encoding="utf-8")
        write_card(card, folder / "scorecard.xlsx", lang[0])
        write_card(card, folder / "scorecard.md", lang[0])
        (folder / "model.sql").write_text(to_sql(card), encoding="utf-8")
        (folder / "model.py").write_text(to_python(card), encoding="utf-8")
        if judged is not None:
            write_validation(folder, validate(card, _judged(prepared, request, judged, former), how=_how(request),
                                              seed=request.seed), lang)  # fmt: skip
        return card.version


def _how(request: Request) -> str:
    kind = "StratifiedKFold" if request.group is None else "StratifiedGroupKFold"
    return f"{kind}({request.folds}, shuffle=True, random_state={request.seed})"


def _judged(prepared: Prepared, request: Request, judged: Folds, former: FloatArray | None) -> Judged:
    """What the report is of: the folds' p, beside those of the classical scorecard, by protected group."""
    rivals = {}
    for model in ("woe", "lightgbm"):
        if model != request.model:
            # LightGBM is an extra that is often not there: the report then compares with the classical scorecard alone.
            with suppress(Unavailable):
                rivals[model] = cross_validate(prepared, replace(request, model=model)).p
    names = {name for finding in prepared.findings if finding.guard == "protected" for name in finding.columns}
    groups: dict[str, object] = {name: prepared.columns[name] for name in sorted(names | set(request.protected))}
    months = None
    if prepared.months is not None:
        months = np.array([f"{month // 12:04d}-{month % 12 + 1:02d}" for month in prepared.months.tolist()])
    return Judged(prepared.columns, judged.p, prepared.bad, months, groups, rivals, former)


def _words(document: Mapping[str, Any], prepared: Prepared, out: Path | None, language: str) -> str:
    say = texts(language)
    lines = [say("train.rows", rows=f"{document['rows']:,}", bads=f"{document['bads']:,}", bad=document["bad"],
                 columns=len(document["columns"]))]  # fmt: skip
    if document["mean"]:
        mean = document["mean"]
        lines.append(say("train.mean", folds=len(document["folds"]), auc=f"{mean['auc']:.4f}", ks=f"{mean['ks']:.4f}",
                         brier=f"{mean['brier']:.4f}", seconds=f"{mean['fit_cpu_s']:.1f}"))  # fmt: skip
    notes: list[Finding] = [finding for finding in prepared.findings if finding.severity == "note"]
    lines += [finding.message(language) for finding in notes]
    if out:
        lines.append(say("train.written", path=out, version=document["version"]))
    return "\n".join(lines)
