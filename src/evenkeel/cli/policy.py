"""`evenkeel policy`: run a DMN policy on facts, and the standard's conformance cases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from evenkeel.accounts.fields import parse_json
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.cli.policy_check import check_command, prove_command
from evenkeel.cli.policy_govern import COMMANDS
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.policy.dmn.interpreter import run_model
from evenkeel.policy.dmn.model import Definitions, Fault
from evenkeel.policy.dmn.reading import read_file
from evenkeel.policy.documents import failed_document, json_of, result_document
from evenkeel.policy.feel.values import Date, DateTime, Time
from evenkeel.policy.tck import Case, Report, run_cases

_MOST_BYTES = 1 << 28


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel policy run grant.dmn --inputs applicants.json\n"
    "  evenkeel policy tck ./dmn-tck"
)  # fmt: skip
def policy() -> None:
    """Policies as DMN files: run, check, prove, compare, publish; and the cases of the standard."""


@policy.command(
    "run",
    short_help="Evaluate a DMN file on contexts of inputs.",
    epilog="\b\nExamples:\n"
    "  evenkeel policy run grant.dmn --inputs applicants.json\n"
    "  evenkeel policy run grant.dmn --inputs one.json --decision Outcome --json",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--inputs", required=True, type=click.Path(path_type=Path), metavar="JSON",
    help="A context of inputs by name, or a list of such.",
)  # fmt: skip
@click.option("--decision", metavar="NAME", help="This decision alone; else all.")
@lang_option
@as_json_option
@click.pass_obj
def run_command(
    application: Application, file: Path, inputs: Path, decision: str | None, lang: str, as_json: bool
) -> int:
    """The decisions of FILE for each context of inputs, with the rules that fired, and why something is null.

    Texts are read by the types of the model: dates, times, durations, numbers. A context that errs does not stop the
    others. Exit code 1 where a cell or expression of FILE cannot be read.
    """
    model = _read(file)
    now = _instant(application.clock())
    documents = [_run(model, context, decision, now) for context in _contexts(inputs)]
    faults = _all_faults(model)
    for fault in faults:
        present.say(f"evenkeel: {fault.element}: {fault.message}")
    click.echo(json_of(documents) if as_json else _run_words(documents, texts(lang)))
    return present.AT_FAULT if faults else present.DONE


def _read(file: Path) -> Definitions:
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    return read_file(file)


def _all_faults(model: Definitions) -> list[Fault]:
    found = list(model.faults)
    for entry in model.imports:
        found += _all_faults(entry.model) if entry.model else []
    return found


def _instant(at: datetime) -> DateTime:
    utc = at.astimezone(UTC)
    time = Time(utc.hour, utc.minute, utc.second, utc.microsecond * 1000, 0)
    return DateTime(Date(utc.year, utc.month, utc.day), time)


def _contexts(file: Path) -> list[object]:
    """The contexts of a JSON file. Raises InvalidUsage without a file, InvalidInput where it is no JSON."""
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than {_MOST_BYTES >> 20} MB.", "Run it in parts.")
    try:
        found = parse_json(file.read_text(encoding="utf-8-sig"), file.name)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check its rights.") from error
    return found if isinstance(found, list) else [found]


def _run(model: Definitions, context: object, decision: str | None, now: DateTime) -> dict[str, Any]:
    if decision is not None:
        known = [entry.name for entry in model.decisions] + [entry.name for entry in model.services]
        if decision not in known:
            raise InvalidUsage(f"--decision {decision!r} is not in the file.", f"It has {', '.join(known)}.")
    if not isinstance(context, dict):
        return failed_document('The context is no object: write {"Input": value, ...}.')
    try:
        return result_document(run_model(model, context, None if decision is None else [decision], now))
    except EvenkeelError as error:
        return failed_document(str(error))


def _run_words(documents: list[dict[str, Any]], say: Texts) -> str:
    lines: list[str] = []
    for place, document in enumerate(documents, 1):
        lines.append(say("policy.run.context", place=place))
        for name, value in document["outputs"].items():
            rows = ", ".join(document["rows"].get(name, ()))
            shown = " ".join(json_of(value).split())
            lines.append(f"  {name}: {shown}" + (f"  [{say('policy.run.rows', rows=rows)}]" if rows else ""))
        if document["error"]:
            lines.append(f"  {say('policy.run.error', error=document['error'])}")
    return "\n".join(lines)


@policy.command(
    "tck",
    short_help="Run conformance cases of the DMN standard.",
    epilog="\b\nExample:\n  evenkeel policy tck ./dmn-tck/TestCases/compliance-level-2",
)
@click.argument("folder", type=click.Path(path_type=Path))
@lang_option
@as_json_option
def tck_command(folder: Path, lang: str, as_json: bool) -> int:
    """Run the cases of FOLDER: each *.dmn with its *-test-*.xml. Exit code 1 where one fails."""
    if not folder.is_dir():
        raise InvalidUsage(f"there is no folder {folder}.", "Check the path.")
    report = run_cases(folder)
    click.echo(json_of(_tck_document(report)) if as_json else _tck_words(report, texts(lang)))
    return present.AT_FAULT if report.failed else present.DONE


def _tck_document(report: Report) -> dict[str, Any]:
    def entries(cases: tuple[Case, ...]) -> list[dict[str, str]]:
        return [{"model": case.model, "case": case.id} | ({"why": case.why} if case.why else {}) for case in cases]

    return {
        "passed": entries(report.passed),
        "failed": entries(report.failed),
        "unsupported": entries(report.unsupported),
        "counts": {
            "passed": len(report.passed),
            "failed": len(report.failed),
            "unsupported": len(report.unsupported),
        },
    }


def _tck_words(report: Report, say: Texts) -> str:
    total = say(
        "policy.tck.total",
        passed=len(report.passed),
        failed=len(report.failed),
        unsupported=len(report.unsupported),
    )
    return "\n".join([total, *(f"  {case.id}: {case.why}" for case in (*report.failed, *report.unsupported))])


for _command in (check_command, prove_command, *COMMANDS):
    policy.add_command(_command)
