"""`evenkeel arrears chat`: a conversation with the assistant, by yourself or by simulated borrowers."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import click

from evenkeel.arrears.conversation.dialogue import answer, open_talk
from evenkeel.arrears.conversation.model import Jurisdiction, Offer, Reply, Situation, State
from evenkeel.arrears.conversation.outside import OutsideModel, OutsideSettings, outside_model
from evenkeel.arrears.conversation.simulated import PERSONAS, Dialogue, Persona, Understand, simulate, understand_local
from evenkeel.arrears.conversation.understanding import Understood
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, as_json_option, lang_option
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts

_BAR = 24


@dataclass(frozen=True, slots=True)
class _Ears:
    """Who understands, and who rewords: the local model, or one outside."""

    hears: Understand
    outside: OutsideModel | None

    def worded(self, text: str) -> str:
        return text if self.outside is None else self.outside.reworded(text)


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears chat --lang zh\n"
    "  evenkeel arrears chat --due 2400 --offers offers.json\n"
    "  evenkeel arrears chat --simulate cannot_pay --seed 7 --lang zh\n"
    "  evenkeel arrears chat --simulate all --dialogues 500\n"
    "  printf '下周五还两千\\n是的\\n' | evenkeel arrears chat --lang zh --json\n"
)
@click.option("--simulate", "persona", type=click.Choice([*PERSONAS, "all"]), help="Who talks in your place.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated borrowers.")
@click.option("--dialogues", type=click.IntRange(1, 1_000_000), default=1, show_default=True,
              help="So many simulated conversations; more than one are summed up.")  # fmt: skip
@click.option("--lender", default=None, help="Name of the lender in the conversation.")
@click.option("--due", metavar="AMOUNT", help="What is due, in major units, such as 2400.50.")
@click.option("--currency", default=None, metavar="CODE", help="ISO 4217; without it, of the jurisdiction.")
@click.option("--jurisdiction", type=click.Choice(["CN", "US", "UK", "EU"]), default="CN", show_default=True)
@click.option("--today", type=AS_OF, metavar="DAY", help="The day it is for the borrower.  [default: the present day]")
@click.option("--offers", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE.json",
              help="What may be offered: a list of offer_id, kind (plan, due_day, part_payment, interest_pause), on, "
              "amount_minor, months.")  # fmt: skip
@click.option("--stranger", is_flag=True, help="It is not known who writes: nothing of a debt may be said.")
@click.option("--outside", metavar="URL", help="A language model outside: chat completions as OpenAI's. Its key comes "
              "from EVENKEEL_CHAT_KEY.")  # fmt: skip
@click.option("--model", default="default", show_default=True, help="Name of the outside model.")
@lang_option
@as_json_option
@click.pass_obj
def chat(
    application: Application, persona: str | None, seed: int, dialogues: int, lender: str | None, due: str | None,
    currency: str | None, jurisdiction: str, today: date | None, offers: Path | None, stranger: bool,
    outside: str | None, model: str, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Talk with the assistant, line by line, until the end of the input; or let simulated borrowers talk.

    Shows what was understood of each text, the reply, and what would be put on record. Nothing is recorded: this is to
    try it out. Replies are in the language of the text; --lang is of the rest.
    """
    day = today or application.today
    say = texts(lang)
    if persona is None and dialogues > 1:
        raise InvalidUsage(
            "Only simulated conversations come in numbers.", "Give --simulate, or leave --dialogues out."
        )
    with _ears(outside, model, application.chat_key) as ears:
        if persona is None:
            currency = currency or {"CN": "CNY", "US": "USD", "UK": "GBP", "EU": "EUR"}[jurisdiction]
            situation = Situation(
                lender or say("chat.lender"), currency, day, identified=not stranger,
                jurisdiction=cast(Jurisdiction, jurisdiction), offers=_read_offers(offers),
                due_minor=Money.parse(due, currency).minor if due else None,
            )  # fmt: skip
            _talk(situation, ears, lang, as_json)
        elif dialogues == 1:
            who = PERSONAS[seed % len(PERSONAS)] if persona == "all" else cast(Persona, persona)
            _one(simulate(who, seed, day, lang, ears.hears), say, as_json)
        else:
            _many(persona, seed, dialogues, day, ears, say, as_json)
    return present.DONE


@contextmanager
def _ears(url: str | None, model: str, key: str | None) -> Iterator[_Ears]:
    with nullcontext() if url is None else outside_model(OutsideSettings(url, model, key or "")) as outside:
        yield _Ears(understand_local, None) if outside is None else _Ears(outside.understand, outside)


def _read_offers(file: Path | None) -> tuple[Offer, ...]:
    """Offers of a file. Raises InvalidInput where it is not a list of them."""
    if file is None:
        return ()
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple(Offer(**row | {"on": parse_date(row["on"])}) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{file} is not a list of offers: {error}.", "See `evenkeel arrears chat --help`.") from None


def _talk(situation: Situation, ears: _Ears, lang: str, as_json: bool) -> None:
    """A conversation over standard input and output."""
    say = texts(lang)
    reply = open_talk(situation, lang)
    turns: list[dict[str, Any]] = [_turn(None, None, reply, ears.worded(reply.text))]
    if not as_json:
        click.echo(_bubble(reply.text))
    for line in sys.stdin:
        if not line.strip():
            continue
        understood = ears.hears(line, situation.today, situation.currency)
        reply = answer(reply.talk, line, situation, understood)
        worded = ears.worded(reply.text)
        turns.append(_turn(line.strip(), understood, reply, worded))
        if not as_json:
            click.echo(f"    {_heard(understood, say)}")
            click.echo("\n".join([_bubble(worded), *_facts(reply, say)]))
        if reply.talk.state is State.CLOSED:
            break
    if as_json:
        facts = [fact for turn in turns for fact in turn["facts"]]
        present.emit({"today": situation.today.isoformat(), "turns": turns, "facts": facts})


def _turn(text: str | None, understood: Understood | None, reply: Reply, worded: str) -> dict[str, Any]:
    return {
        "text": text, "understood": None if understood is None else understood_json(understood), "reply": worded,
        "sentences": list(reply.keys), "state": reply.talk.state.value,
        "facts": [{"kind": one.kind, **one.fields} for one in reply.facts],
    }  # fmt: skip


def understood_json(understood: Understood) -> dict[str, Any]:
    """What was understood, as JSON."""
    return {
        "intent": understood.intent, "slots": dict(understood.slots), "confidence": understood.confidence,
        "abstained": understood.abstained, "runner_up": understood.runner_up, "also": list(understood.also),
        "language": understood.language,
    }  # fmt: skip


def _heard(understood: Understood, say: Texts) -> str:
    """What was understood in a line."""
    slots = " ".join(f"{name}={value}" for name, value in understood.slots.items())
    unsure = say("chat.abstained") if understood.abstained else ""
    return (
        f"[{say(f'chat.intent.{understood.intent}')} {understood.confidence:.0%}{unsure}{' ' + slots if slots else ''}]"
    )


def _bubble(text: str) -> str:
    return "\n".join(f"  < {line}" for line in text.splitlines()) if text else "  <"


def _facts(reply: Reply, say: Texts) -> Iterator[str]:
    for one in reply.facts:
        fields = " ".join(f"{name}={value}" for name, value in one.fields.items())
        yield f"    + {say(f'chat.fact.{one.kind}')} {fields}".rstrip()


def _one(dialogue: Dialogue, say: Texts, as_json: bool) -> None:
    """One simulated conversation in full."""
    if as_json:
        turns = [_turn(one.text, one.understood, one.reply, one.reply.text) for one in dialogue.turns]
        present.emit({
            "persona": dialogue.persona, "language": dialogue.language, "turns": turns,
            "facts": [fact for turn in turns for fact in turn["facts"]], "meant": _meant(dialogue),
        })  # fmt: skip
        return
    click.echo(say("chat.persona", persona=say(f"chat.persona.{dialogue.persona}")))
    for one in dialogue.turns:
        if one.text is not None and one.understood is not None:
            click.echo(f"> {one.text}")
            click.echo(f"    {_heard(one.understood, say)}")
        click.echo("\n".join([_bubble(one.reply.text), *_facts(one.reply, say)]))


def _meant(dialogue: Dialogue) -> list[dict[str, Any]]:
    return [{"promised_on": on.isoformat(), "amount_minor": minor} for on, minor in dialogue.meant]


def _many(persona: str, seed: int, count: int, today: date, ears: _Ears, say: Texts, as_json: bool) -> None:
    """Many simulated conversations, summed up by persona."""
    facts: dict[str, Counter[str]] = {name: Counter() for name in PERSONAS}
    talks, turns, unmeant = Counter[str](), 0, 0
    with present.progress(as_json) as report:
        for number in range(count):
            who = PERSONAS[number % len(PERSONAS)] if persona == "all" else cast(Persona, persona)
            dialogue = simulate(who, seed + number, today, None, ears.hears)
            talks[who] += 1
            turns += len(dialogue.turns)
            kinds = [fact for turn in dialogue.turns for fact in turn.reply.facts]
            facts[who].update({fact.kind for fact in kinds})
            meant = {(on.isoformat(), minor) for on, minor in dialogue.meant}
            promised = [one.fields for one in kinds if one.kind == "promise"]
            unmeant += sum((one["promised_on"], one["amount_minor"]) not in meant for one in promised)
            report(say("chat.progress"), (number + 1) / count)
    shares = {who: {kind: round(many / talks[who], 4) for kind, many in sorted(facts[who].items())} for who in talks}
    if as_json:
        present.emit({"dialogues": count, "seed": seed, "turns": turns, "promises_not_meant": unmeant,
                      "conversations": dict(talks), "share_with_fact": shares})  # fmt: skip
        return
    click.echo(say("chat.summary", dialogues=f"{count:,}", turns=f"{turns:,}", unmeant=unmeant))
    for name in talks:
        click.echo(say(f"chat.persona.{name}"))
        for kind, share in shares[name].items():
            click.echo(f"  {'█' * round(share * _BAR):{_BAR}} {share:4.0%} {say(f'chat.fact.{kind}')}")
