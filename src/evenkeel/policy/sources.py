"""Where a policy comes from: the files that ship, or one of a user's own, which must not fail open."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.policy.check.checking import check
from evenkeel.policy.check.findings import facts_text
from evenkeel.policy.check.proof import Violation, prove
from evenkeel.policy.program import Program, load_program

SHIPPED = {"limit": "limits.dmn", "grant": "granting.dmn", "authorisation": "authorisation.dmn"}
_MOST_BYTES = 64 << 20
_AN_OWN_ONE = "Edit a copy of {name}: every run leaves the one that it used in its folder."


@dataclass(frozen=True, slots=True)
class Sourced:
    """A policy with the text that it was read from. notes: what keeps it from being published, though it may be run."""

    program: Program
    text: str
    notes: tuple[str, ...] = ()


def shipped(kind: str) -> Sourced:
    """The policy of a kind (limit, grant, authorisation) that ships; a test checks and proves it."""
    text = (files("evenkeel.policy") / "shipped" / SHIPPED[kind]).read_text(encoding="utf-8")
    return Sourced(load_program(text, SHIPPED[kind]), text)


def policy_from(path: Path | None, kind: str) -> Sourced:
    """The policy of a kind in a file, or the shipped one.

    A policy for which what is not known makes an outcome better, or lowers a limit, is refused with an example. What
    else a check finds, and what could not be proved, is noted: what no row decides goes to a person anyway. Raises
    InvalidUsage where the file cannot be read, InvalidInput where it is no sound DMN or decides something else.
    """
    if path is None:
        return shipped(kind)
    text = _text(path)
    if not text.lstrip("\ufeff \t\r\n").startswith("<"):
        raise InvalidInput(
            f"{path} is no DMN file. Policies are decision tables in DMN; those in TOML are no longer read.",
            _AN_OWN_ONE.format(name=SHIPPED[kind]),
        )
    program = load_program(text, path.name)
    if program.kind != kind:
        raise InvalidInput(
            f"{path} decides a {program.kind}, not a {kind}.", f'Mark the deciding decision evenkeel:decides="{kind}".'
        )
    proof = prove(program)
    if proof.violations:
        raise InvalidInput(
            f"{path} does not fail closed. {_told(proof.violations[0])}",
            "`evenkeel policy prove` shows every such case; only known facts may raise or lower a limit, or grant.",
        )
    notes = [f"{path.name}: {finding.text('en')}" for finding in check(text, path.name) if finding.level != "warning"]
    notes += [f"{path.name}: not proved that it fails closed: {reason}" for reason in proof.undecided]
    return Sourced(program, text, tuple(notes))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path} is larger than {_MOST_BYTES >> 20} MB.", "Is it the right file?")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidUsage(f"the policy {path} cannot be read: {error}.", "Give a DMN file in UTF-8.") from None


def _told(violation: Violation) -> str:
    before, after = violation.before, violation.after
    given = facts_text({name: value for name, value in violation.facts.items() if name != violation.removed})
    return (
        f"Without {violation.removed} the outcome is {after.outcome} (row {', '.join(after.rows) or 'none'}), with it "
        f"{before.outcome} (row {', '.join(before.rows) or 'none'}), where {given or 'nothing else is known'}."
    )
