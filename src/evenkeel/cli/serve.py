"""`evenkeel serve`: the service, and the keys that open it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from evenkeel.api.adopting import follow, watch
from evenkeel.api.app import ROUTE_NAMES, Api, hot_routes
from evenkeel.api.hot import Hot
from evenkeel.api.keys import SCOPES, Doorkeeper, KeyEntry, issue, listed, revoke
from evenkeel.api.metrics import Metrics
from evenkeel.api.operations import Service
from evenkeel.api.server import Application as Asgi
from evenkeel.api.server import listening, run
from evenkeel.api.telling import deliver
from evenkeel.api.workers import keep, tie_to_parent
from evenkeel.arrears.cases import webhooks as hooks
from evenkeel.arrears.law import load_rules
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.decide import chosen, deciding_options, in_force
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.engine.engine import MOST_WAITING, Engine
from evenkeel.decisions.engine.published import Published
from evenkeel.decisions.engine.wire import detached
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.errors import EvenkeelError, Unavailable
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage.vault import Keyring, Vault
from evenkeel.storage.workspace import Workspace


class _Serve(click.Group):
    """`serve` by itself serves; with `keys` or `webhooks` it is a group, and its options are not asked for."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] in (["keys"], ["webhooks"]):
            return super().make_context(info_name, args, parent, **extra)
        return serving.make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.group(cls=_Serve)
def serve() -> None:
    """The service: decisions over HTTP."""


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel serve keys add --lender lender-1 --scope decide --scope events\n"
    "  evenkeel serve --model application --lender lender-1\n"
    "\n\b\nKeys: evenkeel serve keys add | list | revoke.\n"
    "Webhooks: evenkeel serve webhooks add | list | test | end | again.\n"
    "An embedded database is held by one command at a time: make keys before, or give a database by its URL."
)
@deciding_options
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--queue", type=click.IntRange(1), default=MOST_WAITING, show_default=True,
              help="Requests that may wait in one process; the next is told to come again.")  # fmt: skip
@click.option("--second-above", "second_above_minor", type=click.IntRange(0), default=2_000_000, show_default=True,
              metavar="MINOR", help="An approval of a review of more takes two people.")  # fmt: skip
@click.option("--jurisdiction", default="CN", show_default=True, metavar="CODE",
              help="Where the debtors live: whose rules contacts are held to.")  # fmt: skip
@lang_option
@as_json_option
@click.pass_obj
def serving(
    application: Application, /, workspace: Path | None, host: str, port: int, workers: int, queue: int,
    second_above_minor: int, jurisdiction: str, lang: str, as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Serve decisions, purchases, events, limits and reviews over HTTP until SIGTERM or Ctrl-C.

    What was taken is answered before it ends. TLS belongs to a proxy in front.
    """
    law = load_rules()
    place_of_law = law.jurisdiction(jurisdiction)
    base = chosen(application, workspace, **options)
    with application.workspace(workspace, present.say)() as place:
        Vault(place.engine, Keyring.of(place.path, application.vault_key_file), application.clock).settle()
        try:
            sock = listening(host, port)
        except OSError as error:
            raise Unavailable(
                f"{host} port {port} cannot be listened at: {error.strerror or error}.", "Choose another --port."
            ) from None
        published = in_force(place, base, texts(lang), **options)
        metrics = Metrics(ROUTE_NAMES, workers + 2)
        rules = ReviewRules(WorkingHours(base.zone), second_above_minor=second_above_minor)
        service = Service(
            place.journal, base.zone, rules, MovingRules(), Reviewer(place.journal, published.latest), law, place_of_law
        )  # fmt: skip

        def work(number: int) -> None:
            place.engine.dispose(close=False)  # its connections are the parent's
            metrics.work_as(number)
            try:
                if number == workers + 1:
                    deliver(place.engine, application.clock)
                elif number == workers:
                    follow(place.journal, published, metrics.reviewed)
                else:
                    run(sock, lambda: _made(place, published, application, service, metrics, queue))
            except EvenkeelError as error:
                sys.exit(present.fail(error, as_json=False))

        url = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
        told = {"url": url, "deciders": published.latest().champion.version, "workers": workers}
        present.answer(told, as_json, lambda: texts(lang)("serve.listening", **told))
        sys.stdout.flush()
        return keep(workers + 2, work, sock.close)  # one more reviews limits, another delivers webhooks


def _made(
    place: Workspace, published: Published, application: Application, service: Service, metrics: Metrics, queue: int
) -> tuple[Engine, Hot, Asgi]:
    """What one process serves with, made inside its event loop."""
    tie_to_parent()
    engine = Engine(
        detached(place.engine), published.latest(), application.clock, most_waiting=queue, batched=metrics.batched
    )  # fmt: skip
    watching = asyncio.get_running_loop().create_task(watch(engine, published))
    watching.add_done_callback(lambda done: None if done.cancelled() else done.result())  # it is there to its end
    metrics.tell_of(lambda: engine.arms)
    service = replace(service, reviewer=Reviewer(place.journal, lambda: engine.arms))
    doorkeeper = Doorkeeper(place.engine, asyncio.get_running_loop().time)
    hot = hot_routes(engine, doorkeeper, metrics)
    return engine, hot, Api(service, hot, doorkeeper, metrics)


# ---- Keys ------------------------------------------------------------------------------------------------------------


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command on keys."""
    for add in (as_json_option, lang_option, workspace_option):
        command = add(command)
    return command


@serve.group()
def keys() -> None:
    """The keys that open the service: one lender each, with scopes. Only their hashes are kept."""


@keys.command("add", epilog="\b\nExample:\n  evenkeel serve keys add --lender lender-1 --scope decide --note checkout")
@click.option("--lender", required=True, metavar="ID", help="Whose key it is.")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated.")
@click.option("--note", default="", help="What it is for, in at most 200 characters.")
@_shared
@click.pass_obj
def add_command(
    application: Application, workspace: Path | None, lang: str, as_json: bool, lender: str, scopes: tuple[str, ...],
    note: str,
) -> None:  # fmt: skip
    """Make a key. It is told this once."""
    with application.workspace(workspace, present.say)() as place:
        key = issue(place.engine, application.clock, lender, scopes, note)
    present.answer({"key": key}, as_json, lambda: texts(lang)("serve.keys.made", made=key))


@keys.command("list", epilog="\b\nExample:\n  evenkeel serve keys list --json")
@_shared
@click.pass_obj
def list_command(application: Application, workspace: Path | None, lang: str, as_json: bool) -> None:
    """All keys, the newest first; of none the secret."""
    with application.workspace(workspace, present.say)() as place:
        found = listed(place.engine)
    document = [
        {**asdict(one), "made_at": one.made_at.isoformat(),
         "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None}
        for one in found
    ]  # fmt: skip
    say = texts(lang)
    present.answer(
        {"keys": document}, as_json, lambda: "\n".join(_words(one, say) for one in found) or say("serve.keys.none")
    )


def _words(one: KeyEntry, say: Texts) -> str:
    state = say("serve.keys.revoked", at=f"{one.revoked_at:%Y-%m-%d %H:%M}") if one.revoked_at else ""
    return "  ".join(
        part for part in (one.key_id, one.lender_id, ",".join(one.scopes), f"{one.made_at:%Y-%m-%d}", one.note, state)
        if part
    )  # fmt: skip


@keys.command("revoke", epilog="\b\nExample:\n  evenkeel serve keys revoke 1f2e3d4c5b6a7980")
@click.argument("key_id")
@_shared
@click.pass_obj
def revoke_command(application: Application, workspace: Path | None, lang: str, as_json: bool, key_id: str) -> None:
    """Let a key open nothing any more; a running service knows within seconds."""
    with application.workspace(workspace, present.say)() as place:
        revoke(place.engine, application.clock, key_id)
    present.answer({"revoked": key_id}, as_json, lambda: texts(lang)("serve.keys.gone", gone=key_id))


# ---- Webhooks --------------------------------------------------------------------------------------------------------


@serve.group()
def webhooks() -> None:
    """Addresses that are told what happens in cases: signed, in order, at least once, without personal data."""


@webhooks.command(
    "add", epilog="\b\nExample:\n  evenkeel serve webhooks add https://hooks.example.com/e --lender lender-1"
)
@click.argument("url")
@click.option("--lender", required=True, metavar="ID", help="Whose cases it is told of.")
@_shared
@click.pass_obj
def add_webhook(
    application: Application, workspace: Path | None, lang: str, as_json: bool, url: str, lender: str
) -> None:
    """Tell an address from now on. The secret that its tellings are signed with is told this once."""
    with application.workspace(workspace, present.say)() as place:
        webhook, secret = hooks.add(place.engine, application.clock, lender, url)
    told = {"webhook": webhook, "secret": secret}
    present.answer(told, as_json, lambda: texts(lang)("webhook.made", **told))


@webhooks.command("list", epilog="\b\nExample:\n  evenkeel serve webhooks list --json")
@click.option("--lender", metavar="ID", help="Only those of this lender.")
@_shared
@click.pass_obj
def list_webhooks(
    application: Application, workspace: Path | None, lang: str, as_json: bool, lender: str | None
) -> None:
    """All addresses, how much waits for each, and what was given up after twelve attempts."""
    with application.workspace(workspace, present.say)() as place:
        found = hooks.listed(place.engine, lender)
        dead = hooks.dead_letters(place.engine, lender)
    say = texts(lang)
    lines = [
        say("webhook.line", webhook=one.webhook_id, lender=one.lender_id, url=one.url, waiting=one.waiting,
            state=say("webhook.off" if one.ended_at else "webhook.on"), delivered=one.delivered, dead=one.dead)
        for one in found
    ]  # fmt: skip
    lines += [
        say("webhook.dead", place=one.place, webhook=one.webhook_id, case=one.case_id, attempts=one.attempts,
            error=one.last_error)
        for one in dead
    ]  # fmt: skip
    document = {"webhooks": msgspec.to_builtins(found), "dead": msgspec.to_builtins(dead)}
    present.answer(document, as_json, lambda: "\n".join(lines) or say("webhook.none"))


@webhooks.command("test", epilog="\b\nExample:\n  evenkeel serve webhooks test wh-0123456789abcdef")
@click.argument("webhook_id")
@_shared
@click.pass_obj
def test_webhook(application: Application, workspace: Path | None, lang: str, as_json: bool, webhook_id: str) -> int:
    """Send an address a telling of the kind `test`. Exit code 3 where it is not taken."""
    with application.workspace(workspace, present.say)() as place:
        error = hooks.Outbox(place.engine, application.clock).test(webhook_id)
    say = texts(lang)
    words = say("webhook.failed", error=error) if error else say("webhook.tested")
    present.answer({"webhook": webhook_id, "error": error}, as_json, lambda: words)
    return present.UNAVAILABLE if error else present.DONE


@webhooks.command("end", epilog="\b\nExample:\n  evenkeel serve webhooks end wh-0123456789abcdef")
@click.argument("webhook_id")
@_shared
@click.pass_obj
def end_webhook(application: Application, workspace: Path | None, lang: str, as_json: bool, webhook_id: str) -> None:
    """Tell an address nothing more."""
    with application.workspace(workspace, present.say)() as place:
        hooks.end(place.engine, application.clock, webhook_id)
    present.answer({"ended": webhook_id}, as_json, lambda: texts(lang)("webhook.gone", webhook=webhook_id))


@webhooks.command("again", epilog="\b\nExample:\n  evenkeel serve webhooks again 1289")
@click.argument("letter", type=click.IntRange(1))
@_shared
@click.pass_obj
def try_again(application: Application, workspace: Path | None, lang: str, as_json: bool, letter: int) -> None:
    """Try once more what was given up; its number is in the list."""
    with application.workspace(workspace, present.say)() as place:
        hooks.again(place.engine, application.clock, letter)
    present.answer({"again": letter}, as_json, lambda: texts(lang)("webhook.again", place=letter))
