"""`evenkeel watch`: watch lists: who or what stands on them, why, by whose word, and from when to when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, as_json_option, lang_option, workspace_option
from evenkeel.decisions.identity import store
from evenkeel.decisions.identity.service import load_watch_list, put_on_watch_list, take_off_watch_list
from evenkeel.decisions.identity.watch import (
    Hit,
    WatchEntry,
    WatchKind,
    WatchReason,
    effect,
    listed,
    read_watch_list,
)
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage.database import transaction
from evenkeel.storage.vault import Keyring, Vault
from evenkeel.storage.workspace import Workspace

_MOST_SHOWN = 1000
_LONGEST_VALUE = 1000
_MOST_BYTES = 1 << 30

# What the vault calls what a token stands for.
_FIELDS = {
    WatchKind.PERSON: "id_number", WatchKind.PHONE: "phone", WatchKind.CARD: "cards", WatchKind.DEVICE: "device",
    WatchKind.ADDRESS: "address", WatchKind.EMPLOYER: "employer",
}  # fmt: skip

_KIND = click.Choice([str(one) for one in WatchKind])
_REASON = click.Choice([str(one) for one in WatchReason])

_kind_option = click.option("--kind", required=True, type=_KIND, help="What it stands for.")
_token_option = click.option("--token", metavar="TOKEN", help="The vault's keyed hash of it.")
_value_option = click.option(
    "--value", metavar="VALUE", help="Or the number or text itself, which is made a token at once; `-` reads it."
)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command here."""
    for add in (as_json_option, lang_option, workspace_option):
        command = add(command)
    return command


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel watch load sanctions march.csv\n"
    "  evenkeel watch add house --kind phone --value - --reason fraud --source 'case 2231'\n"
    "  evenkeel watch check --kind person --token 9f0c1d2e3f405162738495a6b7c8d9e0\n"
    "  evenkeel watch remove house --kind phone --token 9f0c1d2e3f405162738495a6b7c8d9e0\n"
)
def watch() -> None:
    """Watch lists: tokens that stand on a list, why, by whose word, from when to when.

    A list holds keyed hashes, never names or numbers. What is sanctioned, deceased or self-excluded declines an
    application; all else sends it to a person. What a list said before stays on record.
    """


def _token(
    workspace: Workspace, application: Application, kind: WatchKind, token: str | None, value: str | None
) -> str:
    """What was given, as a token."""
    if (token is None) == (value is None):
        raise InvalidUsage("Give either --token or --value.", "`--value -` reads it from standard input.")
    if token is not None:
        return token
    if value == "-":
        value = sys.stdin.readline(_LONGEST_VALUE).strip()
    vault = Vault(workspace.engine, Keyring.of(workspace.path, application.vault_key_file), application.clock)
    (made,) = vault.tokens(_FIELDS[kind], [value])
    assert made is not None  # noqa: S101 - a value was given
    return made


@contextmanager
def _opened(application: Application, workspace: Path | None) -> Iterator[Workspace]:
    with application.workspace(workspace, present.say)() as place:
        yield place


@watch.command("load", epilog="\b\nExample:\n  evenkeel watch load sanctions march.csv")
@click.argument("name", metavar="LIST")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_common
@click.pass_obj
def load_command(
    application: Application, workspace: Path | None, lang: str, as_json: bool, name: str, file: Path
) -> None:
    """Make a list say what a file says from now on: CSV with kind,token,reason,source,from,until.

    It is taken whole or not at all. Entries that are not in the file end; an empty `until` has no end.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{file} is larger than 1 GB.", "Split it into several lists.")
        given = read_watch_list(name, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", "Give a CSV file in UTF-8.") from None
    with _opened(application, workspace) as place:
        added, withdrawn = load_watch_list(place.journal, given)
    told = {"list": name, "entries": len(given.entries), "added": added, "withdrawn": withdrawn}
    present.answer(told, as_json, lambda: texts(lang)("watch.loaded", name=name, **_numbers(told)))


@watch.command(
    "add",
    epilog="\b\nExamples:\n"
    "  evenkeel watch add house --kind device --token 9f0c1d2e3f405162738495a6b7c8d9e0 --reason fraud \\\n"
    "      --source 'case 2231'\n"
    "  echo 110101199003070011 | evenkeel watch add excluded --kind person --value - --reason self_excluded \\\n"
    "      --source 'letter of 5 March' --until 2027-03-05",
)
@click.argument("name", metavar="LIST")
@_kind_option
@_token_option
@_value_option
@click.option("--reason", required=True, type=_REASON, help="Why.")
@click.option("--source", required=True, metavar="TEXT", help="By whose word. No name or number of a person.")
@click.option("--from", "start", type=AS_OF, metavar="DAY", help="The first day; without it, today.")
@click.option("--until", type=AS_OF, metavar="DAY", help="The last day; without it, for good.")
@_common
@click.pass_obj
def add_command(
    application: Application, workspace: Path | None, lang: str, as_json: bool, name: str, kind: str,
    token: str | None, value: str | None, reason: str, source: str, start: date | None, until: date | None,
) -> None:  # fmt: skip
    """Put something on a list, which is made by its first entry. The same entry again changes nothing."""
    with _opened(application, workspace) as place:
        made = _token(place, application, WatchKind(kind), token, value)
        entry = WatchEntry(WatchKind(kind), made, WatchReason(reason), source, start or application.today, until)
        added = put_on_watch_list(place.journal, name, [entry])
    told = {"list": name, "added": added, "entry": _record(entry)}
    key = "watch.added" if added else "watch.stands"
    present.answer(told, as_json, lambda: texts(lang)(key, name=name, entry=_words(entry)))


@watch.command(
    "remove",
    epilog="\b\nExample:\n  evenkeel watch remove house --kind device --token 9f0c1d2e3f405162738495a6b7c8d9e0",
)
@click.argument("name", metavar="LIST")
@_kind_option
@_token_option
@_value_option
@click.option("--reason", type=_REASON, help="Only what stands there for this reason.")
@_common
@click.pass_obj
def remove_command(
    application: Application, workspace: Path | None, lang: str, as_json: bool, name: str, kind: str,
    token: str | None, value: str | None, reason: str | None,
) -> None:  # fmt: skip
    """Take something off a list from now on. That it stood there stays on record."""
    with _opened(application, workspace) as place:
        made = _token(place, application, WatchKind(kind), token, value)
        ended = take_off_watch_list(
            place.journal, name, WatchKind(kind), made, WatchReason(reason) if reason else None
        )  # fmt: skip
    told = {"list": name, "kind": kind, "token": made, "withdrawn": ended}
    present.answer(told, as_json, lambda: texts(lang)("watch.removed", name=name, withdrawn=ended))


@watch.command("list", epilog="\b\nExamples:\n  evenkeel watch list\n  evenkeel watch list sanctions --json")
@click.argument("name", metavar="[LIST]", required=False)
@_common
@click.pass_obj
def list_command(application: Application, workspace: Path | None, lang: str, as_json: bool, name: str | None) -> None:
    """The lists and how long they are, or what stands on one: the newest thousand entries."""
    say = texts(lang)
    with _opened(application, workspace) as place, transaction(place.engine) as connection:
        found = store.lists_of(connection)
        entries = store.entries_of(connection, name, _MOST_SHOWN) if name is not None else []
    if name is None:
        document: dict[str, Any] = {"lists": [{"list": one, "entries": count} for one, count in found]}
        lines = [f"{one}  {count:,}" for one, count in found]
    else:
        document = {"list": name, "entries": dict(found).get(name, 0), "shown": [_record(one) for one in entries]}
        lines = [_words(one) for one in entries]
    present.answer(document, as_json, lambda: "\n".join(lines) or say("watch.empty"))


@watch.command(
    "check",
    epilog="\b\nExample:\n  evenkeel watch check --kind phone --value 13800000000 --on 2026-03-05",
)
@_kind_option
@_token_option
@_value_option
@click.option("--on", type=AS_OF, metavar="DAY", help="The day; without it, today.")
@_common
@click.pass_obj
def check_command(
    application: Application, workspace: Path | None, lang: str, as_json: bool, kind: str, token: str | None,
    value: str | None, on: date | None,
) -> int:  # fmt: skip
    """What stands on any list about a token or value, the strictest first. Exit code 1 where something does."""
    say = texts(lang)
    with _opened(application, workspace) as place:
        made = _token(place, application, WatchKind(kind), token, value)
        with transaction(place.engine) as connection:
            found = store.watch_hits(
                connection, {WatchKind(kind): [made]}, on or application.today, application.clock()
            )  # fmt: skip
    told = {
        "kind": kind, "token": made, "effect": effect(found), "watch_list": listed(found),
        "hits": [{"list": hit.list_name, "code": hit.code, **_record(hit.entry)} for hit in found],
    }  # fmt: skip
    present.answer(told, as_json, lambda: "\n".join(_told(hit, say) for hit in found) or say("watch.none"))
    return present.AT_FAULT if found else present.DONE


def _numbers(told: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in told.items() if isinstance(value, int)}


def _record(entry: WatchEntry) -> dict[str, Any]:
    return {
        "kind": str(entry.kind), "token": entry.token, "reason": str(entry.reason), "source": entry.source,
        "effect": entry.effect, "from": entry.effective_from.isoformat(),
        "until": entry.effective_until.isoformat() if entry.effective_until else None,
    }  # fmt: skip


def _words(entry: WatchEntry) -> str:
    until = f" - {entry.effective_until}" if entry.effective_until else " -"
    return f"{entry.kind} {entry.token}  {entry.reason} ({entry.effect})  {entry.effective_from}{until}  {entry.source}"


def _told(hit: Hit, say: Texts) -> str:
    return f"{hit.list_name}: {say(f'reason.{hit.code}')} {_words(hit.entry)}"
