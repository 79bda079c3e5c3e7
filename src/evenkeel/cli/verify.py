"""`evenkeel verify`: who is asked about identities, at what price, and one question on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.identity.service import check
from evenkeel.decisions.identity.setup import Setup, Simulated, read_setup
from evenkeel.decisions.identity.verification import CheckKind, CheckRequest
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.kernel.ids import content_id, uuid7
from evenkeel.kernel.text import texts
from evenkeel.storage.vault import Keyring, Vault

_FILE = click.Path(path_type=Path, dir_okay=False)
# What the vault calls what a question tells.
_TOLD = {
    CheckKind.NAME_ID: {"name": "name", "id_number": "id_number"},
    CheckKind.FOUR_FACTOR: {"name": "name", "id_number": "id_number", "card": "cards", "phone": "phone"},
}  # fmt: skip

_EXAMPLE = """\b
Example of a file:
  [asks]
  name_id = "register"
  [caps]
  wrong_in_a_row = 2
  a_day = 10
  [provider.register]
  url = "https://register.example/check"
  convention = "detailed"
  code_path = ["data", "code"]
  prices = { name_id = 15 }
  names = { order_id = "order", kind = "type", name = "xm", id_number = "sfz" }
  headers = { Authorization = { file = "/run/secrets/register" } }
  [provider.trial]
  simulated = 7

\b
Examples:
  evenkeel verify setup checks.toml
  evenkeel verify ask checks.toml b-1 --kind name_id --reason "application 77" --by officer-7
"""


@click.group(epilog=_EXAMPLE)
def verify() -> None:
    """Outside checks of who people are: who is asked for what, how often and at what price; and a single question."""


def _setup(file: Path) -> Setup:
    def content(path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidInput(f"{path} cannot be read: {reason}.") from None

    return read_setup(content(file), lambda name: content(Path(name)))


@verify.command("setup", epilog=_EXAMPLE)
@click.argument("file", type=_FILE)
@lang_option
@as_json_option
def setup_command(file: Path, lang: str, as_json: bool) -> None:
    """Read a set-up and tell who is asked for what, at what price, and how often a card may be asked about."""
    setup = _setup(file)
    asks: list[dict[str, Any]] = [
        {"kind": str(kind), "provider": name, "simulated": isinstance(setup.providers[name], Simulated),
         "price_minor": setup.price_minor(kind)}
        for kind, name in setup.asks.items()
    ]  # fmt: skip
    caps = {"wrong_in_a_row": setup.caps.wrong_in_a_row, "a_day": setup.caps.a_day}
    say = texts(lang)

    def words() -> str:
        lines = [say("verify.simulated" if one["simulated"] else "verify.asks", **one) for one in asks]
        return "\n".join([*lines, say("verify.caps", **caps)])

    present.answer({"asks": asks, "caps": caps, "providers": sorted(setup.providers)}, as_json, words)


@verify.command("ask", epilog=_EXAMPLE)
@click.argument("file", type=_FILE)
@click.argument("borrower_id")
@click.option("--kind", required=True, type=click.Choice([str(kind) for kind in _TOLD]), help="What is asked.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: goes on the vault's log. Name the case.")
@click.option("--by", required=True, metavar="WHO", help="Who asks.")
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def ask_command(
    application: Application, file: Path, borrower_id: str, kind: str, reason: str, by: str, workspace: Path | None,
    lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Ask about a borrower of the vault, on record. What was answered before, or a card that is held, is not asked.

    Exit code 1 unless it is a match.
    """
    setup, which = _setup(file), CheckKind(kind)
    with application.workspace(workspace, present.say)() as place, setup.provider(which, application.clock) as provider:
        vault = Vault(place.engine, Keyring.of(place.path, application.vault_key_file), application.clock)
        request = _request(vault, which, borrower_id, uuid7(application.clock()), reason, by)
        found = check(place.journal, provider, request, setup.caps)
    answer = found.verification
    told = {
        "borrower_id": borrower_id, "kind": kind, "result": str(answer.result), "asked": found.asked,
        "provider": answer.provider, "detail_code": answer.detail_code,
        "cost_minor": answer.cost_minor if found.asked else 0,
        "held_until": found.held_until.isoformat() if found.held_until else None,
    }  # fmt: skip
    key = "verify.asked" if found.asked else "verify.known"
    present.answer(told, as_json, lambda: texts(lang)(key, **told))
    return present.DONE if answer.result == "match" else present.AT_FAULT


def _request(vault: Vault, kind: CheckKind, borrower_id: str, order_id: str, reason: str, by: str) -> CheckRequest:
    """The question, with its values from the vault and their tokens."""
    told = _TOLD[kind]
    person = vault.read(borrower_id, list(told.values()), reason=reason, by=by)
    values: dict[str, str] = {}
    for name, field in told.items():
        value = getattr(person, field)
        if value is None:
            raise NotFound(f"`{field}` of {borrower_id} is not known, which {kind} asks about.", "Put it in the vault.")
        values[name] = value[0] if isinstance(value, tuple) else value
    tokens = {name: str(vault.tokens(told[name], [value])[0]) for name, value in values.items()}
    subject = content_id("subject", *(tokens[name] for name in sorted(tokens)))
    return CheckRequest(kind, order_id, borrower_id, subject, values, tokens.get("card"), tokens.get("id_number"))
