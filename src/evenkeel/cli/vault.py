"""`evenkeel vault`: who borrowers are: kept, read with a reason, found, erased."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from evenkeel.book.identities import read_identities
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, max_bad_share_option, workspace_option
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage.vault import FIELDS, Identity, Keyring, Looked, Vault, rotate, status

_MOST_CHARACTERS = 1 << 16  # of an identity, or of a value to search for
_SHOWN = 20
_PEOPLE_AT_ONCE = 5000  # between two steps of the progress bar

_by = click.option("--by", required=True, metavar="WHO", help="Who asks: goes on the log, so no name of a borrower.")
_reason = click.option(
    "--reason", required=True, metavar="TEXT", help="Why: goes on the log, for good. Name the case, not the person."
)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command here."""
    key_file = click.option(
        "--key-file", type=click.Path(path_type=Path), metavar="FILE", help="Key file; else WORKSPACE/vault/keys.json."
    )
    for add in (as_json_option, lang_option, key_file, workspace_option):
        command = add(command)
    return command


@contextmanager
def _vault(application: Application, workspace: Path | None, key_file: Path | None) -> Iterator[Vault]:
    with application.workspace(workspace, present.say)() as opened:
        keyring = Keyring.of(opened.path, key_file or application.vault_key_file)
        yield Vault(opened.engine, keyring, application.clock)


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel vault import ./march\n"
    "  evenkeel vault read b1 --fields name,phone --reason 'complaint 2231' --by officer-7\n"
    "  evenkeel vault erase b1 --reason 'request 518, PIPL art. 47' --by officer-7\n"
)
def vault() -> None:
    """The identity vault: names, numbers and addresses, sealed with a key per person.

    Everything else in evenkeel holds tokens. Erasing a person destroys the key, which also holds for old copies of the
    database. Copy the key file to a safe place; mirror the folder of shards, and never keep old versions of it.
    """


@vault.command("status", epilog="\b\nExample:\n  evenkeel vault status --json")
@_common
@click.pass_obj
def status_command(
    application: Application, workspace: Path | None, key_file: Path | None, lang: str, as_json: bool
) -> int:
    """How many persons, under which keys, and what is unfinished."""
    say = texts(lang)
    with _vault(application, workspace, key_file) as opened:
        found = status(opened)
    document = {
        "persons": found.persons, "erased": found.erased, "doomed": found.doomed, "log_entries": found.log_entries,
        "key_versions": [{"version": version, "persons": count} for version, count in found.versions.items()],
        "rotating": found.rotating, "key_file": str(found.key_file),
    }  # fmt: skip
    lines = [say("vault.status.persons", persons=found.persons, erased=found.erased, entries=found.log_entries)]
    lines += [say("vault.status.version", version=one, persons=count) for one, count in found.versions.items()]
    lines.append(say("vault.status.key_file", path=found.key_file))
    if found.doomed:
        lines.append(say("vault.doctor.doomed", count=found.doomed))
    if found.rotating:
        lines.append(say("vault.doctor.rotating", versions=", ".join(map(str, found.versions))))
    present.answer(document, as_json, lambda: "\n".join(lines) if found.versions else say("vault.status.empty"))
    return present.DONE


@vault.command(
    "put",
    epilog="\b\nExamples:\n"
    "  evenkeel vault put b1 < identity.json\n"
    "\n\b\nThe file, each field if known:\n"
    '  {"name": "...", "id_number": "...", "phone": "...", "cards": ["..."], "address": "..."}',
)
@click.argument("borrower")
@_common
@click.pass_obj
def put_command(
    application: Application, borrower: str, workspace: Path | None, key_file: Path | None, lang: str, as_json: bool
) -> int:
    """Keep who BORROWER is, from JSON on standard input. Fields that it lacks stay as they are."""
    identity = _given_identity()
    with _vault(application, workspace, key_file) as opened:
        new = opened.put(borrower, identity)
    key = "vault.put.new" if new else "vault.put.same"
    present.answer({"borrower_id": borrower, "new": new}, as_json, lambda: texts(lang)(key, borrower=borrower))
    return present.DONE


def _given_identity() -> Identity:
    """The identity on standard input. Raises InvalidInput that shows nothing of it."""
    try:
        document = json.loads(sys.stdin.read(_MOST_CHARACTERS))
    except (ValueError, RecursionError):
        raise InvalidInput("Standard input holds no JSON object.", "See `evenkeel vault put --help`.") from None
    if not isinstance(document, dict) or not document:
        raise InvalidInput("Standard input holds no JSON object with fields.", "See `evenkeel vault put --help`.")
    if not document.keys() <= {*FIELDS}:
        raise InvalidInput("Standard input has a field that the vault has not.", f"Fields: {', '.join(FIELDS)}.")
    cards = document.get("cards")
    if isinstance(cards, list):
        document["cards"] = tuple(cards)
    return Identity(**document)


@vault.command(
    "read", epilog="\b\nExample:\n  evenkeel vault read b1 --fields name,phone --reason 'complaint 2231' --by officer-7"
)
@click.argument("borrower")
@click.option("--fields", required=True, metavar="A,B", help=f"Some of {', '.join(FIELDS)}.")
@_reason
@_by
@_common
@click.pass_obj
def read_command(
    application: Application, borrower: str, fields: str, reason: str, by: str, workspace: Path | None,
    key_file: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Who BORROWER is. The reading goes on the log before anything is shown."""
    asked = [field.strip() for field in fields.split(",") if field.strip()]
    with _vault(application, workspace, key_file) as opened:
        known = opened.read(borrower, asked, reason=reason, by=by)
    document = {field: getattr(known, field) for field in FIELDS if field in asked}
    say = texts(lang)
    present.answer(
        {"borrower_id": borrower, **document}, as_json,
        lambda: "\n".join(f"{say(f'vault.field.{field}')}: {_told(value, say)}" for field, value in document.items()),
    )  # fmt: skip
    return present.DONE


def _told(value: str | tuple[str, ...] | None, say: Texts) -> str:
    if value is None:
        return say("vault.unknown")
    return value if isinstance(value, str) else ", ".join(value)


@vault.command(
    "find",
    epilog="\b\nExamples:\n"
    "  evenkeel vault find phone --reason 'call 77' --by officer-7\n"
    "  evenkeel vault find phone --reason 'call 77' --by officer-7 < number.txt",
)
@click.argument("field", type=click.Choice(FIELDS))
@_reason
@_by
@_common
@click.pass_obj
def find_command(
    application: Application, field: str, reason: str, by: str, workspace: Path | None, key_file: Path | None,
    lang: str, as_json: bool,
) -> int:  # fmt: skip
    """The borrowers who have a value, in any way of writing it.

    The value is asked for, or read from standard input: on the command line others could see it.
    """
    say = texts(lang)
    if sys.stdin.isatty():
        value = str(click.prompt(say("vault.find.value"), hide_input=True, err=True))
    else:
        value = sys.stdin.read(_MOST_CHARACTERS).strip()
    with _vault(application, workspace, key_file) as opened:
        found = opened.find(field, value, reason=reason, by=by)
    present.answer({"field": field, "borrower_ids": found}, as_json, lambda: "\n".join(found) or say("vault.find.none"))
    return present.DONE


@vault.command("erase", epilog="\b\nExample:\n  evenkeel vault erase b1 --reason 'request 518' --by officer-7 --yes")
@click.argument("borrower")
@_reason
@_by
@click.option("--yes", is_flag=True, help="Do not ask.")
@_common
@click.pass_obj
def erase_command(
    application: Application, borrower: str, reason: str, by: str, yes: bool, workspace: Path | None,
    key_file: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Erase who BORROWER is, for good, here and in every copy of the database. The rest of the record stays."""
    say = texts(lang)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidUsage("erasing cannot be undone, and there is nobody to ask.", "Add --yes.")
        click.confirm(say("vault.erase.ask", borrower=borrower), abort=True, err=True)
    with _vault(application, workspace, key_file) as opened:
        done = opened.erase(borrower, reason=reason, by=by)
    key = "vault.erase.done" if done.first else "vault.erase.known"
    document = {"borrower_id": borrower, "erased_at": done.erased_at.isoformat(), "first": done.first}
    present.answer(document, as_json, lambda: say(key, borrower=borrower, day=f"{done.erased_at:%Y-%m-%d}"))
    return present.DONE


@vault.command("rotate", epilog="\b\nExample:\n  evenkeel vault rotate")
@_common
@click.pass_obj
def rotate_command(
    application: Application, workspace: Path | None, key_file: Path | None, lang: str, as_json: bool
) -> int:
    """Make a new master key, wrap every person's key under it, and remove the old one.

    Killed, it is finished by the next. Copy the key file to its safe place again afterwards, and destroy the old copy.
    """
    say = texts(lang)
    with present.progress(as_json) as report, _vault(application, workspace, key_file) as opened:
        persons = max(status(opened).persons, 1)
        done = rotate(opened, lambda moved: report(say("vault.rotate.progress"), moved / persons))
    document = {"version": done.version, "moved": done.moved, "erased": done.erased, "resumed": done.resumed}
    lines = [say("vault.rotate.resumed")] if done.resumed else []
    lines.append(say("vault.rotate.done", version=done.version, moved=done.moved))
    if done.erased:
        lines.append(say("vault.rotate.erased", count=done.erased))
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.DONE


@vault.command("log", epilog="\b\nExamples:\n  evenkeel vault log --borrower b1\n  evenkeel vault log --who officer-7")
@click.option("--borrower", metavar="ID", help="Only who looked at this borrower.")
@click.option("--who", metavar="WHO", help="Only what this person did.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@_common
@click.pass_obj
def log_command(
    application: Application, borrower: str | None, who: str | None, limit: int, workspace: Path | None,
    key_file: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Who read, searched or erased, when, why and which fields; the newest first."""
    say = texts(lang)
    with _vault(application, workspace, key_file) as opened:
        entries = opened.log(borrower_id=borrower, by=who, limit=limit)
    document = {
        "entries": [
            {"at": one.at.isoformat(), "who": one.who, "action": one.action, "reason": one.reason,
             "fields": list(one.fields), "borrower_ids": list(one.borrower_ids)}
            for one in entries
        ]
    }  # fmt: skip
    present.answer(document, as_json, lambda: "\n".join(_entry(one, say) for one in entries) or say("vault.log.none"))
    return present.DONE


def _entry(entry: Looked, say: Texts) -> str:
    listed = ", ".join(entry.borrower_ids[:3]) or say("vault.log.nobody")
    if len(entry.borrower_ids) > 3:
        listed = say("vault.log.more", listed=listed, count=len(entry.borrower_ids) - 3)
    fields = ", ".join(say(f"vault.field.{field}").lower() for field in entry.fields)
    return say(
        "vault.log.entry", at=f"{entry.at:%Y-%m-%d %H:%M}", who=entry.who, reason=entry.reason, borrowers=listed,
        action=say(f"vault.log.action.{entry.action}"), fields=fields,
    )  # fmt: skip


@vault.command("import", epilog="\b\nExample:\n  evenkeel vault import ./march --workspace ./record")
@click.argument("book", type=click.Path(path_type=Path))
@max_bad_share_option
@_common
@click.pass_obj
def import_command(
    application: Application, book: Path, max_bad_share: float, workspace: Path | None, key_file: Path | None,
    lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Put the table `identities` of BOOK into the vault, and nowhere else. The same book twice changes nothing.

    Rows with a bad value are set aside and named by row and field, never by value. Remove the file afterwards.
    """
    say = texts(lang)
    given = read_identities(book)
    refused = len(given.faults) > max_bad_share * given.rows
    put = 0
    if not refused:
        with present.progress(as_json) as report, _vault(application, workspace, key_file) as opened:
            ids = sorted(given.people)
            for start in range(0, len(ids), _PEOPLE_AT_ONCE):
                report(say("vault.import.progress"), start / len(ids))
                put += opened.put_many({one: given.people[one] for one in ids[start : start + _PEOPLE_AT_ONCE]})
    document = {
        "accepted": not refused, "rows": given.rows, "put": put, "set_aside": len(given.faults),
        "unchanged": 0 if refused else len(given.people) - put,
        "faults": [{"row": fault.row, "problem": fault.problem} for fault in given.faults],
    }  # fmt: skip
    key = "vault.import.refused" if refused else "vault.import.done"
    counts = {name: document[name] for name in ("rows", "put", "unchanged", "set_aside")}
    lines = [say("vault.import.fault", row=one.row, problem=one.problem) for one in given.faults[:_SHOWN]]
    if len(given.faults) > _SHOWN:
        lines.append(say("vault.import.more", count=len(given.faults) - _SHOWN))
    lines.append(say(key, share=max_bad_share, **counts))
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.AT_FAULT if refused else present.DONE
