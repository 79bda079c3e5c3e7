"""`check`: everything that is wrong with a policy but whether it fails closed, which is `prove`."""

from __future__ import annotations

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.check.findings import Finding
from evenkeel.policy.check.names import name_findings
from evenkeel.policy.check.tables import table_findings
from evenkeel.policy.check.words import outcome_findings, reason_findings, type_findings
from evenkeel.policy.dmn.reading import read_definitions
from evenkeel.policy.program import Program

_GRAVITY = ("error", "warning", "undecided")


def check(text: str | bytes, source: str) -> list[Finding]:
    """What is wrong with the text of a policy, the gravest first. Raises InvalidInput where it is no DMN at all."""
    model = read_definitions(text, source)
    found = [Finding("unreadable", fault.element, (), {"message": fault.message}) for fault in model.faults]
    found += name_findings(model)
    if not model.faults:
        try:
            program = Program(model)
        except InvalidInput as error:
            found.append(Finding("no_decision", model.name, (), {"message": str(error)}))
        else:
            found += checked(program)
    return sorted(found, key=lambda finding: _GRAVITY.index(finding.level))


def checked(program: Program) -> list[Finding]:
    """What is wrong with a policy whose every expression could be read."""
    return [
        *type_findings(program), *table_findings(program), *outcome_findings(program), *reason_findings(program)
    ]  # fmt: skip
