"""`evenkeel decide`: requests of a file through the hot path, as the service would decide them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.model import loaded, model_options
from evenkeel.cli.norms import chosen_norms
from evenkeel.cli.options import as_json_option
from evenkeel.decisions.engine.arms import Arms, arms_of
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.engine.published import KINDS, Published
from evenkeel.decisions.engine.wire import detached
from evenkeel.decisions.moving.following import Follower
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.rules import MovingRules, rules_text
from evenkeel.decisions.requests import Limit, Request, read_line
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, InvalidUsage
from evenkeel.kernel.text import LANGUAGES, Texts, texts
from evenkeel.policy.register import Register
from evenkeel.storage.workspace import Workspace

_TOGETHER = 1000  # requests under way at once
_LONGEST = 65_536  # characters of a line

_FILE = click.Path(path_type=Path, dir_okay=False)


def deciding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What decides: the same options for every command that decides."""
    for add in (
        click.option("--norms", metavar="NORMS", help="What applicants are held against: a version, or its .json."),
        click.option("--zone", default="Asia/Shanghai", show_default=True, help="Zone of business days and nights."),
        click.option("--group-cap", "group_cap_minor", type=click.IntRange(min=0), default=20_000_000,
                     show_default=True, metavar="MINOR", help="What a borrower's lines and grants may come to in all."),
        click.option("--lender", "lenders", multiple=True, metavar="ID", help="A lender of the group; repeatable."),
        click.option("--limit", type=_FILE, metavar="DMN", help="Policy of limits, instead of the one in force."),
        click.option("--grant", type=_FILE, metavar="DMN", help="Policy of applications, instead of the one in force."),
        click.option("--authorisation", type=_FILE, metavar="DMN",
                     help="Policy of purchases, instead of the one in force."),
        click.option("--features", type=_FILE, metavar="TOML", help="Definitions of features, else the shipped."),
        click.option("--model", "reference", required=True, metavar="MODEL", help="A model on record, or its .json."),
    ):  # fmt: skip
        command = add(command)
    return model_options(command)


def chosen(
    application: Application, workspace: Path | None, models: Path | None, reference: str, features: Path | None,
    authorisation: Path | None, grant: Path | None, limit: Path | None, lenders: Sequence[str], group_cap_minor: int,
    zone: str, norms: str | None = None,
) -> Deciders:  # fmt: skip
    """What the options say. Raises InvalidInput, InvalidUsage where a part cannot be read."""
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidUsage(f"--zone {zone} is no time zone.", "Give an IANA name such as Asia/Shanghai.") from None
    deciders = Deciders(
        features_text=_text(features, "evenkeel.behaviour", "features.toml"),
        own_lenders=frozenset(lenders),
        model=loaded(application, reference, workspace, models),
        authorisation_text=_text(authorisation, "evenkeel.policy", "authorisation.dmn"),
        grant_text=_text(grant, "evenkeel.policy", "granting.dmn"),
        zone=place,
        group_cap_minor=group_cap_minor,
        norms=chosen_norms(application, workspace, norms),
        limit_text=_text(limit, "evenkeel.policy", "limits.dmn"),
        moving_text=rules_text(MovingRules()),
    )
    deciders.warm()  # which reads every part
    return deciders


def in_force(place: Workspace, base: Deciders, say: Texts, **options: Any) -> Published:
    """What decides by the register of a workspace. A policy that an option names stays, and that is told; where nothing
    is published the shipped one decides."""
    fixed = [kind for kind in KINDS if options.get(kind) is not None]
    register = Register(place.engine, place.journal.clock)
    for kind in fixed:
        if (published := register.standing(kind).champion) is not None:
            present.say(say("decide.by_hand", kind=kind, file=options[kind], published=published))
    return Published(register, base, fixed)


def _text(given: Path | None, room: str, shipped: str) -> str:
    if given is None:
        return (files(room) / "shipped" / shipped).read_text(encoding="utf-8")
    try:
        return given.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{given} cannot be read: {error}.", "Name a text file in UTF-8.") from None


@click.command(
    epilog="\b\nExamples:\n  evenkeel decide requests.jsonl --model application --lender lender-1\n"
    '  A line: {"type": "purchase", "key": "k-1", "lender_id": "lender-1", "borrower_id": "b-1", "account_id": "a-1",\n'
    '           "amount_minor": 12900}'
)
@click.argument("requests", type=_FILE)
@click.option(
    "--reviews/--no-reviews",
    default=True,
    show_default=True,
    help="Review the limits that events lead to, at the end; else whoever comes next does.",
)
@deciding_options
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@as_json_option
@click.pass_obj
def decide(
    application: Application, /, requests: Path, workspace: Path | None, reviews: bool, lang: str, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Decide the requests of a file of JSON lines (purchase, application, event, limit), once each, on the record.

    The same file again gives the same answers: a request is known by its lender and key. A line that cannot be decided
    is told, and the others go on. A purchase with "preview": true is only told what it would come to and cost.
    """
    base = chosen(application, workspace, **options)
    opened = application.workspace(workspace, present.say)
    with opened() as place:
        arms = in_force(place, base, texts(lang), **options).current()
        lines = _lines(requests)
        answered = asyncio.run(decided(place, arms, application.clock, lines))
        moved = _reviewed(place, arms) if reviews else {}
    faults = [one for one in answered if "error" in one]
    words = lambda: "\n".join(_words(one, texts(lang)) for one in answered)  # noqa: E731
    document = {
        "deciders": arms.champion.version, "policies": arms.champion.policies, "decisions": answered,
        "faults": len(faults), "reviews": moved,
    }  # fmt: skip
    present.answer(document, as_json, words)
    return present.AT_FAULT if faults else present.DONE


def _reviewed(place: Workspace, arms: Arms) -> dict[str, int]:
    """Review the limits that what is on record by now leads to; how many came to what."""
    found: Counter[str] = Counter()
    follower = Follower(
        Reviewer(place.journal, lambda: arms), lambda reply: found.update([json.loads(reply)["outcome"]])
    )  # fmt: skip
    try:
        follower.catch_up()
    finally:
        follower.close()
    return dict(found)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            while line := file.readline(_LONGEST):
                yield line
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", "Give a file of JSON lines in UTF-8.") from None


async def decided(
    workspace: Workspace, deciders: Deciders | Arms, clock: Clock, lines: Iterator[str]
) -> list[dict[str, object]]:
    """The answer to each line, in order: what the service replies, or `error` and `remedy`; each with its `line`.

    The review of a limit waits for all lines before it."""
    arms = arms_of(deciders)
    engine, reviewer = Engine(detached(workspace.engine), arms, clock), Reviewer(workspace.journal, lambda: arms)
    await engine.start()
    answered: list[dict[str, object]] = []
    try:
        waiting: list[tuple[int, asyncio.Future[bytes]]] = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                request = _read(line)
                if isinstance(request, Limit):
                    answered += [await _answer(*one) for one in waiting]
                    waiting = []
                waiting.append((number, _asked(engine, reviewer, request)))
            if len(waiting) >= _TOGETHER:
                answered += [await _answer(*one) for one in waiting]
                waiting = []
        answered += [await _answer(*one) for one in waiting]
    finally:
        await engine.stop()
    return answered


def _read(line: str) -> Request | Limit | EvenkeelError:
    """The request of a line, or what is wrong with it."""
    try:
        request = read_line(line)
        if request.key == "-":
            raise InvalidInput("The request lacks `key`.", "Give each request one of its own, of 1 to 64 characters.")
        return request
    except EvenkeelError as error:
        return error


def _asked(engine: Engine, reviewer: Reviewer, request: Request | Limit | EvenkeelError) -> asyncio.Future[bytes]:
    """The reply that is to come."""
    loop = asyncio.get_running_loop()
    try:
        if isinstance(request, Limit):
            return loop.run_in_executor(None, lambda: reviewer.review(request) or b"")
        if isinstance(request, EvenkeelError):
            raise request
        return engine.submit(request)
    except EvenkeelError as error:
        failed: asyncio.Future[bytes] = loop.create_future()
        failed.set_exception(error)
        return failed


async def _answer(number: int, future: asyncio.Future[bytes]) -> dict[str, object]:
    try:
        return {"line": number, **json.loads(await future)}
    except EvenkeelError as error:
        return {"line": number, "error": error.message, "remedy": error.remedy}


def _words(one: dict[str, object], say: Texts) -> str:
    if "error" in one:
        return f"line {one['line']}: {one['error']} {one['remedy']}".rstrip()
    if "event_id" in one:
        return f"line {one['line']}: recorded as {one['event_id']}"
    reasons = one["reasons"]
    assert isinstance(reasons, list)  # noqa: S101 - of a decision
    amount = one["limit_after_minor"] if "effective_on" in one else one["amount_minor"]
    told = f"line {one['line']}: {one['outcome']} {amount} {' '.join(reasons)}"
    if one["decision_id"] is not None:
        return f"{told} ({one['decision_id']})"
    cost = one.get("cost")
    return f"{told} {say('decide.preview')}" + (f"\n  {cost['text'][say.language]}" if isinstance(cost, dict) else "")
