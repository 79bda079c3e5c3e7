"""`evenkeel review`: what waits for a person, and what that person decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.review.queue import OUTCOMES, REASONS, Queue, Review, Verdict, statistics
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage.workspace import Workspace

if TYPE_CHECKING:
    from evenkeel.decisions.moving.reviewing import Reviewer

_MOST_PAGE = 200
_by_option = click.option("--by", required=True, metavar="PERSON", help="Who you are: an id of 1 to 64 characters.")


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command here."""
    for add in (
        as_json_option,
        lang_option,
        workspace_option,
        click.option("--second-above", "second_above_minor", type=click.IntRange(0), default=2_000_000,
                     show_default=True, metavar="MINOR", help="An approval of more takes two people."),
        click.option("--zone", default="Asia/Shanghai", show_default=True, help="Whose working hours count."),
        click.option("--lender", default="-", metavar="ID", help="Whose queue; without it the one lender's."),
    ):  # fmt: skip
        command = add(command)
    return command


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel review list\n"
    "  evenkeel review claim 5f0c… --by ana\n"
    "  evenkeel review decide 5f0c… --by ana --outcome decline --reason debt_too_high\n"
)
def review() -> None:
    """Decisions that were referred to a person: take one, decide it, with reasons; above an amount two people do."""


class _Desk:
    """The queue of a lender, opened, and how it is told."""

    def __init__(self, application: Application, workspace: Path | None, options: dict[str, Any]) -> None:
        try:
            zone = ZoneInfo(options["zone"])
        except (ZoneInfoNotFoundError, ValueError):
            raise InvalidUsage(f"{options['zone']!r} is no time zone.", "Write one such as Asia/Shanghai.") from None
        self._rules = ReviewRules(WorkingHours(zone), second_above_minor=options["second_above_minor"])
        self._lender, self._as_json = options["lender"], options["as_json"]
        self._open = application.workspace(workspace, present.say)
        self.say = texts(options["lang"])

    def ask(self, act: Callable[[Queue], list[Review]], *, moving: bool = False) -> None:
        """Do something with the queue, and tell of the reviews that it gives. moving: limits may be moved by it."""
        with self._open() as opened:
            reviewer = _reviewer(opened) if moving else None
            found = act(Queue(opened.journal, self._rules, self._lender, reviewer))
            now = opened.journal.clock()
        told = {"reviews": [_record(one) for one in found], "statistics": statistics(found, now)}
        present.answer(
            told,
            self._as_json,
            lambda: (
                "\n\n".join(_words(one, self.say, now, self._rules.working) for one in found) or self.say("review.none")
            ),
        )


def _reviewer(place: Workspace) -> Reviewer:
    """Makes the moves of limits that are approved, by the rules under which was decided last."""
    from evenkeel.decisions.engine.arms import Arms  # what decides takes a second to load
    from evenkeel.decisions.moving.reviewing import Reviewer
    from evenkeel.decisions.replay import decided_last

    return Reviewer(place.journal, lambda: Arms(decided_last(place)))


def _record(one: Review) -> dict[str, Any]:
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}
    return told | {"move": msgspec.to_builtins(one.move)}


def _words(one: Review, say: Texts, now: datetime, working: WorkingHours) -> str:
    """One review in a few lines."""
    lines = [
        f"{one.decision_id}  {say(f'review.state.{one.state}')}  {_clock(one, say, now, working)}",
        _asked(one, say),
        say("review.because", reasons="; ".join(_reason(code, say) for code in one.reasons)),
    ]  # fmt: skip
    if one.claimed_by and one.state == "claimed":
        lines.append(say("review.claimed", by=one.claimed_by))
    if one.first_by and one.decided_by is None:
        lines.append(say("review.first", by=one.first_by))
    if one.decided_by and one.outcome:
        amount = f"{(one.amount_minor or 0) / 100:,.2f}"
        lines.append(
            say("review.decided", by=one.decided_by, outcome=say(f"review.outcome.{one.outcome}"), amount=amount)
        )
    if one.move is not None:
        limit = "–" if one.move.limit_after_minor is None else f"{one.move.limit_after_minor / 100:,.2f}"
        lines.append(
            say(f"review.moved.{one.move.outcome}", limit=limit, day=one.move.effective_on or "",
                reasons="; ".join(_reason(code, say) for code in one.move.reasons))
        )  # fmt: skip
    return "\n  ".join(lines)


def _asked(one: Review, say: Texts) -> str:
    """What was asked for; of a limit, the move that was proposed."""
    if one.kind != "limit":
        amount = f"{one.requested_minor / 100:,.2f}"
        return say("review.asked", kind=say(f"review.kind.{one.kind}"), amount=amount, borrower=one.borrower_id)
    before, after = (
        "–" if limit is None else f"{limit / 100:,.2f}" for limit in (one.limit_before_minor, one.limit_proposed_minor)
    )
    move = say(f"review.proposed.{one.proposed or 'none'}", before=before, after=after)
    return say("review.limit", account=one.account_id, borrower=one.borrower_id, move=move)


def _clock(one: Review, say: Texts, now: datetime, working: WorkingHours) -> str:
    """By when it is due, on the clock of the place, and how much working time there is until then, or since."""
    due = one.due_at.astimezone(working.zone)
    told = {"day": say(f"review.day.{due.weekday()}"), "due": f"{due:%Y-%m-%d %H:%M}", "zone": working.zone.key}
    if one.decided_at:
        return say("review.closed_late" if one.late else "review.closed", **told)
    late = now > one.due_at
    spent = working.between(one.due_at, now) if late else working.between(now, one.due_at)
    hours, minutes = divmod(int(spent / timedelta(minutes=1)), 60)
    key = "review.late" if late else "review.left"
    return say(key, time=say("review.time", hours=hours, minutes=minutes), **told)


def _reason(code: str, say: Texts) -> str:
    return next((say(key) for key in (f"reason.{code}", f"review.reason.{code}") if key in say), code)


@review.command("list", short_help="What waits, in the order in which it was referred.")
@_shared
@click.option("--all", "closed", is_flag=True, help="Those that are decided, too.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="PLACE", help="From the one after this place.")
@click.option("--most", type=click.IntRange(1, _MOST_PAGE), default=50, show_default=True, help="How many.")
@click.pass_obj
def list_reviews(
    application: Application, /, workspace: Path | None, closed: bool, after: int, most: int, **options: Any
) -> None:
    """What waits for a person, the longest first, with the time that is left."""
    _Desk(application, workspace, options).ask(lambda queue: queue.waiting(after=after, most=most, closed=closed))


@review.command(short_help="One review.")
@_shared
@click.argument("decision_id")
@click.pass_obj
def show(application: Application, /, workspace: Path | None, decision_id: str, **options: Any) -> None:
    """One review: what was asked, why it was referred, and what became of it."""
    _Desk(application, workspace, options).ask(lambda queue: [queue.one(decision_id)])


@review.command(short_help="Take a review, so that nobody else works on it.")
@_shared
@click.argument("decision_id")
@_by_option
@click.pass_obj
def claim(application: Application, /, workspace: Path | None, decision_id: str, by: str, **options: Any) -> None:
    """Take a review for half an hour, or for another half hour."""
    _Desk(application, workspace, options).ask(lambda queue: [queue.claim(decision_id, by)])


@review.command(short_help="Give a review back.")
@_shared
@click.argument("decision_id")
@_by_option
@click.pass_obj
def release(application: Application, /, workspace: Path | None, decision_id: str, by: str, **options: Any) -> None:
    """Give back a review that you took, undecided."""
    _Desk(application, workspace, options).ask(lambda queue: [queue.release(decision_id, by)])


@review.command(short_help="Decide a review that you took.")
@_shared
@click.argument("decision_id")
@_by_option
@click.option("--outcome", required=True, type=click.Choice(OUTCOMES))
@click.option("--reason", "reasons", required=True, multiple=True, type=click.Choice(REASONS), help="One to four.")
@click.option(
    "--amount-minor",
    type=int,
    metavar="MINOR",
    help="With approve_less: what is granted; of a raise, the limit after it.",
)
@click.option("--note", default="", help="In words, without a number of a person. With the reason `other` needed.")
@click.pass_obj
def decide(
    application: Application, /, workspace: Path | None, decision_id: str, by: str, outcome: str,
    reasons: tuple[str, ...], amount_minor: int | None, note: str, **options: Any,
) -> None:  # fmt: skip
    """Decide. Above the amount of --second-above an approval is the first of two opinions; the stricter is followed.

    A move of a limit that is approved is made at once, as far as the rules allow it by now.
    """
    verdict = Verdict(outcome, reasons, note, amount_minor)
    _Desk(application, workspace, options).ask(lambda queue: [queue.decide(decision_id, by, verdict)], moving=True)
