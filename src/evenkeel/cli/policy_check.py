"""`evenkeel policy check` and `prove`: what is wrong with a policy, and whether it fails closed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.policy.check.checking import check
from evenkeel.policy.check.findings import Finding, facts_text
from evenkeel.policy.check.proof import Proof, Violation, prove
from evenkeel.policy.documents import document_of, json_of
from evenkeel.policy.outcomes import AMOUNTS
from evenkeel.policy.program import Result, load_program

_MOST_BYTES = 64 << 20

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command(
    "check",
    short_help="What is wrong with a policy, each with an example.",
    epilog="\b\nExamples:\n  evenkeel policy check granting.dmn\n  evenkeel policy check limits.dmn --lang zh --json",
)
@file_argument
@lang_option
@as_json_option
def check_command(file: Path, lang: str, as_json: bool) -> int:
    """Types, gaps, overlaps, dead rows, outcomes, amounts, and a reason on every adverse path of FILE.

    Exact over every kind of applicant; what could not be looked into is said. Exit code 1 on an error or where
    something is not decided; warnings alone are 0.
    """
    findings = check(_text(file), file.name)
    document = {"file": file.name, "findings": [_finding(finding, lang) for finding in findings]}
    click.echo(json_of(document) if as_json else _check_words(findings, lang))
    return present.AT_FAULT if any(finding.level != "warning" for finding in findings) else present.DONE


@click.command(
    "prove",
    short_help="Prove that what is not known never helps, and never lowers a limit.",
    epilog="\b\nExamples:\n  evenkeel policy prove granting.dmn\n  evenkeel policy prove limits.dmn --json",
)
@file_argument
@lang_option
@as_json_option
def prove_command(file: Path, lang: str, as_json: bool) -> int:
    """The fail-closed proof: for every applicant and every fact that is removed, null, too old or outside its domain.

    A violation is an applicant, decided with and without the fact. Exit code 1 unless it is proved.
    """
    program = load_program(_text(file), file.name)
    proof = prove(program)
    document = {
        "file": file.name,
        "version": program.version,
        "proved": proof.proved,
        "violations": [_violation(violation, lang) for violation in proof.violations],
        "undecided": list(proof.undecided),
    }
    click.echo(json_of(document) if as_json else _proof_words(proof, texts(lang)))
    return present.DONE if proof.proved else present.AT_FAULT


def _text(file: Path) -> bytes:
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than {_MOST_BYTES >> 20} MB.", "Is it the right file?")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check its rights.") from None


def _finding(finding: Finding, lang: str) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "level": finding.level,
        "decision": finding.decision,
        "rows": list(finding.rows),
        "text": finding.text(lang),
        "example": document_of(dict(finding.example)),
    }


def _violation(violation: Violation, lang: str) -> dict[str, Any]:
    return {
        "rule": violation.rule,
        "removed": violation.removed,
        "text": _violation_text(violation, texts(lang)),
        "inputs": document_of(dict(violation.facts)),
        "before": _result(violation.before),
        "after": _result(violation.after),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "rows": list(result.rows),
        "reasons": list(result.reasons),
        "amounts": _amounts(result),
    }


def _amounts(result: Result) -> dict[str, Decimal]:
    found = {name: result.amount(name) for name in AMOUNTS}
    return {name: amount for name, amount in found.items() if amount is not None}


# ---- Words ---------------------------------------------------------------------------------------------------------


def _check_words(findings: list[Finding], lang: str) -> str:
    say = texts(lang)
    if not findings:
        return say("policy.check.sound")
    lines = [f"{say(f'policy.check.level.{finding.level}')}: {finding.text(lang)}" for finding in findings]
    levels = [finding.level for finding in findings]
    errors, warnings, undecided = (levels.count(level) for level in ("error", "warning", "undecided"))
    counts = say("policy.check.counts", errors=errors, warnings=warnings, undecided=undecided)
    return "\n".join([*lines, counts])


def _proof_words(proof: Proof, say: Texts) -> str:
    if proof.proved:
        return say("policy.prove.proved")
    blocks = [_violation_words(violation, say) for violation in proof.violations]
    if proof.violations:
        blocks.insert(0, say("policy.prove.broken", count=len(proof.violations)))
    if proof.undecided:
        blocks.append("\n".join([say("policy.prove.open"), *(f"  {reason}" for reason in proof.undecided)]))
    return "\n\n".join(blocks)


def _violation_text(violation: Violation, say: Texts) -> str:
    return say(
        f"policy.prove.{violation.rule}",
        input=violation.removed,
        before=violation.before.outcome,
        after=violation.after.outcome,
        before_amounts=facts_text(_amounts(violation.before)) or "-",
        after_amounts=facts_text(_amounts(violation.after)) or "-",
    )


def _violation_words(violation: Violation, say: Texts) -> str:
    before, after = (", ".join(r.rows) or say("policy.prove.no_rows") for r in (violation.before, violation.after))
    return "\n".join(
        [
            _violation_text(violation, say),
            f"  {say('policy.prove.applicant', facts=facts_text(violation.facts))}",
            f"  {say('policy.prove.rows', before=before, after=after)}",
            f"  {say('policy.prove.remedy', input=violation.removed)}",
        ]
    )
