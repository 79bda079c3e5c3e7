"""The conversation as a state machine: a table of transitions, and what each writes and records.

    text -> understood (understanding.py) -> an event -> the first row of `TABLE` that fits -> sentences, facts, memory

What it holds to: the first thing said is that a machine writes. Only offers of the situation are shown, by number. A
promise is recorded in one row alone: it was read back with its day and amount, and the answer was yes. Danger, a
request to stop, a wrong person, a representative and the wish for a person count in every state. Every text passes
the linter, or a plain sentence that a person will answer is sent in its place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from evenkeel.arrears.conversation.amounts import find_amounts
from evenkeel.arrears.conversation.days import find_days
from evenkeel.arrears.conversation.features import features, folded
from evenkeel.arrears.conversation.model import Noted, Offer, Reply, Situation, State, Talk
from evenkeel.arrears.conversation.understanding import Terms, Understood, terms_of
from evenkeel.arrears.messages.linter import lint
from evenkeel.kernel.money import Money, Rounding, round_fraction
from evenkeel.kernel.text import texts

Words = Mapping[str, str]


class Event(StrEnum):
    """What a text is to the state machine: an intent that is understood, or an answer to what was asked."""

    PROMISE = "promise"  # a promise, or its day or amount as an answer
    HARDSHIP = "hardship"
    DISPUTE = "dispute"
    WRONG_PERSON = "wrong_person"
    STOP = "stop"
    REPRESENTATIVE = "representative"
    VULNERABLE = "vulnerable"
    ABUSIVE = "abusive"
    PERSON = "person"
    OTHER = "other"
    UNCLEAR = "unclear"
    YES = "yes"
    NO = "no"
    CHOICE = "choice"


_INTENT_EVENTS = {
    "promise_to_pay": Event.PROMISE,
    "hardship": Event.HARDSHIP,
    "dispute": Event.DISPUTE,
    "wrong_person": Event.WRONG_PERSON,
    "stop_contact": Event.STOP,
    "representative": Event.REPRESENTATIVE,
    "vulnerable": Event.VULNERABLE,
    "abusive": Event.ABUSIVE,
    "wants_person": Event.PERSON,
    "other": Event.OTHER,
}
# Words around the day or the amount in a correction.
_FILLING = re.compile(
    r"(?:[\s,.!~。:;-]|是|应该|应当|改成|改为|改到|改|元|块钱?|号|的|吧|it's|it is|i meant|i mean|make it|rather|but"
    r"|on|by|for|the|i'll pay|i will pay|please)*"
)
# What counts in every state, even beside something else in the same text; the first that is there.
_ALWAYS = ("vulnerable", "stop_contact", "wrong_person")


@dataclass(frozen=True, slots=True)
class Turn:
    """One text and all that a guard or an action may look at. talk: before it."""

    talk: Talk
    situation: Situation
    understood: Understood
    terms: Terms
    choice: int | None
    conditional: bool

    @property
    def on(self) -> date | None:
        """The day of the promise, as far as it is known by now."""
        said = self.understood.slots.get("date")
        return self.terms.on or (date.fromisoformat(said) if said else None) or self.talk.on

    @property
    def minor(self) -> int | None:
        """The amount of the promise by now: said, a share of what is due, or said before."""
        if self.terms.amount_minor is not None:
            return self.terms.amount_minor
        due = self.situation.due_minor
        if self.terms.share is not None and due:
            share = Fraction(self.terms.share).limit_denominator(12)
            return round_fraction(due * share, Rounding.HALF_UP) or None
        said: int | None = self.understood.slots.get("amount_minor")
        return said or self.talk.minor

    @property
    def offer(self) -> Offer | None:
        """The offer that is chosen, or was read back."""
        if self.choice is not None:
            return self.situation.offers[self.choice - 1]
        return next((one for one in self.situation.offers if one.offer_id == self.talk.offer_id), None)


Guard = Callable[[Turn], bool]
Facts = Callable[[Turn], tuple[Noted, ...]]


def _always(turn: Turn) -> bool:
    return True


def _whole(turn: Turn) -> bool:
    """A promise with a day and an amount that may be asked back."""
    return _has_day(turn) and _has_amount(turn)


def _has_day(turn: Turn) -> bool:
    last = turn.situation.today + timedelta(days=turn.situation.promise_days)
    return turn.on is not None and turn.situation.today <= turn.on <= last


def _has_amount(turn: Turn) -> bool:
    due = turn.situation.due_minor
    return turn.minor is not None and turn.minor > 0 and (due is None or turn.minor <= due)


def _too_far(turn: Turn) -> bool:
    return turn.on is not None and not _has_day(turn)


def _too_much(turn: Turn) -> bool:
    return turn.minor is not None and not _has_amount(turn)


def _offers(turn: Turn) -> bool:
    return turn.situation.identified and bool(turn.situation.offers)


def _stranger(turn: Turn) -> bool:
    return not turn.situation.identified


def _same_read_back(turn: Turn) -> bool:
    """The promise as it was read back, with nothing new in the answer, and no "if"."""
    talk, terms = turn.talk, turn.terms
    same = terms.on in (None, talk.on) and terms.amount_minor in (None, talk.minor) and terms.share is None
    return same and _whole(turn) and not turn.conditional


def _again_unclear(turn: Turn) -> bool:
    return turn.talk.unclear >= 1


def _again_abused(turn: Turn) -> bool:
    return turn.talk.abused >= 1


def _again_refused(turn: Turn) -> bool:
    return turn.talk.refused >= 1


def _offer_there(turn: Turn) -> bool:
    return turn.situation.identified and turn.offer is not None


def _nothing(turn: Turn) -> tuple[Noted, ...]:
    return ()


def _promise(turn: Turn) -> tuple[Noted, ...]:
    talk = turn.talk
    assert talk.on is not None and talk.minor is not None  # noqa: S101 - the guard of the row
    fields = {"promised_on": talk.on.isoformat(), "amount_minor": talk.minor, "currency": turn.situation.currency}
    return (Noted("promise", fields),)


def _hardship(turn: Turn) -> tuple[Noted, ...]:
    return (Noted("hardship", {"cause": str(turn.understood.slots.get("cause", "other"))}),)


def _dispute(turn: Turn) -> tuple[Noted, ...]:
    return (Noted("dispute_opened", {}), *_over("dispute")(turn))


def _stop(turn: Turn) -> tuple[Noted, ...]:
    return (Noted("stop_contact", {}),)


def _wrong(turn: Turn) -> tuple[Noted, ...]:
    return (Noted("wrong_person", {}),)


def _accepted(turn: Turn) -> tuple[Noted, ...]:
    assert turn.offer is not None  # noqa: S101 - the guard of the row
    return (Noted("offer_accepted", {"offer_id": turn.offer.offer_id}), *_over("offer_accepted")(turn))


def _over(reason: str) -> Facts:
    """Handed to a person, once."""

    def facts(turn: Turn) -> tuple[Noted, ...]:
        return () if turn.talk.state is State.HANDED_OVER else (Noted("handed_over", {"reason": reason}),)

    return facts


@dataclass(frozen=True, slots=True)
class Row:
    """A transition. states: those it is for, none = every one. say: keys of the sentences."""

    states: tuple[State, ...]
    event: Event
    guard: Guard
    to: State
    say: tuple[str, ...]
    facts: Facts = _nothing


_ANY: tuple[State, ...] = ()
_DONE = (State.HANDED_OVER, State.CLOSED)
_OPEN = (State.NEW, State.LISTENING, State.ASKING, State.CONFIRMING, State.CHOOSING, State.AGREEING)
_TO_PERSON = State.HANDED_OVER

# The first row that fits. `tests/arrears/conversation` asks that every state and event has one.
TABLE: tuple[Row, ...] = (
    # What counts always: danger first, then what a person asks not to have done to them.
    Row(_ANY, Event.VULNERABLE, _always, _TO_PERSON, ("care", "person_soon"), _over("vulnerable")),
    Row((State.CLOSED,), Event.STOP, _always, State.CLOSED, ()),
    Row(_ANY, Event.STOP, _always, State.CLOSED, ("stopped",), _stop),
    Row((State.CLOSED,), Event.WRONG_PERSON, _always, State.CLOSED, ()),
    Row(_ANY, Event.WRONG_PERSON, _always, State.CLOSED, ("wrong_person",), _wrong),
    Row((State.CLOSED,), Event.PERSON, _always, _TO_PERSON, ("person_soon",), _over("wants_person")),
    # A conversation that is over takes what protects the borrower, and says nothing more.
    Row(_DONE, Event.DISPUTE, _stranger, State.HANDED_OVER, ()),
    Row(_DONE, Event.DISPUTE, _always, State.HANDED_OVER, ("disputed",), _dispute),
    Row((State.HANDED_OVER,), Event.HARDSHIP, _stranger, State.HANDED_OVER, ()),
    Row((State.HANDED_OVER,), Event.HARDSHIP, _always, State.HANDED_OVER, (), _hardship),
    *(Row((State.HANDED_OVER,), event, _always, State.HANDED_OVER, ()) for event in Event),
    *(Row((State.CLOSED,), event, _always, State.CLOSED, ()) for event in Event),
    # A person, early.
    Row(_OPEN, Event.REPRESENTATIVE, _always, _TO_PERSON, ("representative", "person_soon"), _over("representative")),
    Row(_OPEN, Event.PERSON, _always, _TO_PERSON, ("person_soon",), _over("wants_person")),
    Row(_OPEN, Event.ABUSIVE, _again_abused, _TO_PERSON, ("person_soon",), _over("abusive")),
    Row(_OPEN, Event.ABUSIVE, _always, State.LISTENING, ("calm", "may_person")),
    Row(_OPEN, Event.UNCLEAR, _again_unclear, _TO_PERSON, ("not_understood", "person_soon"), _over("not_understood")),
    Row(_OPEN, Event.UNCLEAR, _stranger, State.LISTENING, ("rephrase", "may_person")),
    Row((State.ASKING,), Event.UNCLEAR, _always, State.ASKING, ("rephrase_terms", "may_person")),
    Row((State.CONFIRMING,), Event.UNCLEAR, _always, State.CONFIRMING, ("yes_or_no", "read_back")),
    Row((State.CHOOSING,), Event.UNCLEAR, _offers, State.CHOOSING, ("choose_again", "offers", "may_person")),
    Row((State.AGREEING,), Event.UNCLEAR, _offer_there, State.AGREEING, ("yes_or_no", "offer_back")),
    Row(_OPEN, Event.UNCLEAR, _always, State.LISTENING, ("rephrase", "may_person")),
    # Nothing of a debt is said to somebody who may be a stranger.
    *(
        Row(_OPEN, event, _stranger, State.HANDED_OVER, ("identify", "person_soon"), _over("not_identified"))
        for event in (Event.PROMISE, Event.HARDSHIP, Event.DISPUTE, Event.CHOICE)
    ),
    Row(_OPEN, Event.DISPUTE, _always, _TO_PERSON, ("disputed", "person_soon"), _dispute),
    Row(_OPEN, Event.HARDSHIP, _offers, State.CHOOSING, ("hardship", "offers", "may_person"), _hardship),
    Row(
        _OPEN,
        Event.HARDSHIP,
        _always,
        _TO_PERSON,
        ("hardship", "person_soon"),
        lambda turn: (*_hardship(turn), *_over("hardship")(turn)),
    ),
    # A promise: its day, its amount, read back, yes.
    Row((State.CONFIRMING,), Event.YES, _same_read_back, State.LISTENING, ("promised",), _promise),
    Row(
        (State.CONFIRMING,), Event.NO, _again_refused, _TO_PERSON, ("nothing_noted", "person_soon"), _over("not_agreed")
    ),
    Row((State.CONFIRMING,), Event.NO, _always, State.ASKING, ("nothing_noted", "ask_both")),
    Row(_OPEN, Event.PROMISE, _too_far, State.ASKING, ("too_far", "ask_day")),
    Row(_OPEN, Event.PROMISE, _too_much, State.ASKING, ("too_much", "ask_amount")),
    Row(_OPEN, Event.PROMISE, _whole, State.CONFIRMING, ("read_back",)),
    Row(_OPEN, Event.PROMISE, _has_day, State.ASKING, ("ask_amount",)),
    Row(_OPEN, Event.PROMISE, _has_amount, State.ASKING, ("ask_day",)),
    Row(_OPEN, Event.PROMISE, _always, State.ASKING, ("ask_both",)),
    # An offer: chosen by number, read back, yes; then a person signs it with the borrower.
    Row((State.AGREEING,), Event.YES, _offer_there, _TO_PERSON, ("agreed", "person_soon"), _accepted),
    Row((State.CHOOSING,), Event.CHOICE, _offer_there, State.AGREEING, ("offer_back",)),
    Row(
        (State.CHOOSING, State.AGREEING),
        Event.NO,
        _always,
        _TO_PERSON,
        ("nothing_noted", "person_soon"),
        _over("not_agreed"),
    ),
    Row((State.CHOOSING,), Event.YES, _offers, State.CHOOSING, ("choose_again", "offers")),
    Row((State.ASKING,), Event.YES, _always, State.ASKING, ("rephrase_terms",)),
    Row((State.ASKING,), Event.NO, _always, _TO_PERSON, ("nothing_noted", "person_soon"), _over("not_agreed")),
    Row((State.ASKING,), Event.OTHER, _always, State.LISTENING, ("nothing_noted", "help", "may_person")),
    Row((State.CONFIRMING,), Event.YES, _always, State.ASKING, ("nothing_noted", "ask_both")),
    Row(
        (State.CONFIRMING, State.CHOOSING, State.AGREEING),
        Event.OTHER,
        _always,
        State.LISTENING,
        ("nothing_noted", "help", "may_person"),
    ),
    Row((State.LISTENING,), Event.YES, _always, State.LISTENING, ("welcome",)),
    *(
        Row(_OPEN, event, _always, State.LISTENING, ("help", "may_person"))
        for event in (Event.OTHER, Event.YES, Event.NO, Event.CHOICE)
    ),
)


def open_talk(situation: Situation, language: str) -> Reply:
    """The first words of a conversation that the lender begins: that a machine writes, and that a person may be had."""
    talk = Talk(State.LISTENING, language)
    return _reply(("machine", "opening", "may_person"), (), talk, _values(talk, situation, None))


def answer(talk: Talk, text: str, situation: Situation, understood: Understood) -> Reply:
    """The reply to a text, the facts in it and the memory after it. It reads neither clock nor record."""
    turn = _turn(talk, text, situation, understood)
    event = event_of(turn, text)
    row = next(row for row in TABLE if _fits(row, event, turn))
    after = _after(turn, event, row)
    say = row.say if not row.say or talk.state is not State.NEW else ("machine", *row.say)
    told = talk if "promised" in row.say else after  # what was read back is what is noted
    values = _values(replace(after, on=told.on, minor=told.minor), situation, turn.offer)
    return _reply(say, row.facts(turn), after, values)


def _fits(row: Row, event: Event, turn: Turn) -> bool:
    return row.event is event and (not row.states or turn.talk.state in row.states) and row.guard(turn)


def _turn(talk: Talk, text: str, situation: Situation, understood: Understood) -> Turn:
    plain = folded(text)
    terms = terms_of(plain, situation.today, situation.currency)
    said = frozenset(features(text)["n"])
    return Turn(
        talk, situation, understood, terms, _choice(plain, talk, situation), bool(said & {"conditional", "mocking"})
    )


def _choice(plain: str, talk: Talk, situation: Situation) -> int | None:
    """The number of the offer that is chosen; of one offer, yes chooses it."""
    if talk.state is not State.CHOOSING:
        return None
    found = re.fullmatch(
        r"(?:option|number|plan|offer|no\.?|the|第|方案|选|选择|要|我选|就)?\s*"
        r"(?P<one>[1-9]|[一二三四五六七八九]|first|second|third|one|two|three)"
        r"\s*(?:one|please|option|个|种|吧|号|项|方案|thanks)?[.!。 ]*", plain,
    )  # fmt: skip
    if found is None:
        return 1 if len(situation.offers) == 1 and is_answer(plain, "yes") else None
    names = {"first": 1, "one": 1, "second": 2, "two": 2, "third": 3, "three": 3}
    one = found["one"]
    number = int(one) if one.isdecimal() else names.get(one) or "一二三四五六七八九".find(one) + 1
    return number if number <= len(situation.offers) else None


def event_of(turn: Turn, text: str) -> Event:
    """What a text is in this state. An answer to a question is looked for before an intent that is not urgent."""
    understood, state, plain = turn.understood, turn.talk.state, folded(text)
    if _corrects(turn, plain):
        return Event.PROMISE
    held = {understood.intent, *understood.also} if not understood.abstained else set(understood.also)
    if understood.intent in _ALWAYS and not understood.abstained:
        return _INTENT_EVENTS[understood.intent]
    if "vulnerable" in held:
        return Event.VULNERABLE
    asked = state in (State.ASKING, State.CONFIRMING, State.CHOOSING, State.AGREEING)
    if asked or state is State.LISTENING:
        for kind in (Event.YES, Event.NO):
            if is_answer(plain, kind.value):
                return Event.CHOICE if kind is Event.YES and turn.choice is not None else kind
        if turn.choice is not None:
            return Event.CHOICE
        if _answers_terms(turn, plain):
            return Event.PROMISE
    if understood.abstained:
        return Event.UNCLEAR
    return _INTENT_EVENTS[understood.intent]


def _corrects(turn: Turn, plain: str) -> bool:
    """No, and another day or amount in place of what was read back, and not a word beside: nothing else is meant."""
    if turn.talk.state is not State.CONFIRMING:
        return False
    refused = _answers("no").match(plain)
    if refused is None or not refused[0]:
        return False
    rest = plain[refused.end() :]
    today, currency = turn.situation.today, turn.situation.currency
    days = find_days(rest, today)
    spans = [(day.start, day.end) for day in days]
    amounts = find_amounts(rest, spans, currency)
    spans += [(one.start, one.end) for one in amounts]
    kept = "".join(" " if any(start <= place < end for start, end in spans) else one for place, one in enumerate(rest))
    return bool(spans) and _FILLING.fullmatch(kept) is not None


def _answers_terms(turn: Turn, plain: str) -> bool:
    """A day or an amount where one was asked for, in a text that is nothing else."""
    if turn.talk.state not in (State.ASKING, State.CONFIRMING) or turn.conditional:
        return False
    terms = turn.terms
    named = terms.on is not None or terms.amount_minor is not None or terms.share is not None
    return named and (turn.understood.intent in ("promise_to_pay", "other") or turn.understood.abstained)


@cache
def _answers(kind: str) -> re.Pattern[str]:
    content = (files("evenkeel.arrears.conversation") / "answers.toml").read_text(encoding="utf-8")
    both = tomllib.loads(content)[kind]
    words = sorted(f"{both['en']}|{both['zh']}".split("|"), key=len, reverse=True)
    return re.compile(rf"(?:(?:{'|'.join(map(re.escape, words))})(?:[\s,.!~。]+|(?=[\u3400-\u9fff])|$))+")


def is_answer(plain: str, kind: str) -> bool:
    """Whether a folded text is made of words of yes, or of no, alone."""
    return _answers(kind).fullmatch(plain.strip()) is not None


def _after(turn: Turn, event: Event, row: Row) -> Talk:
    talk = turn.talk
    keeps = row.to in (State.ASKING, State.CONFIRMING)
    refused = event is Event.NO and talk.state is State.CONFIRMING
    fresh = refused or (event is Event.YES and talk.state is State.CONFIRMING)
    far, much = _too_far(turn), _too_much(turn)
    language = talk.language if event in (Event.YES, Event.NO, Event.CHOICE, Event.UNCLEAR) and talk.state is not (
        State.NEW) else turn.understood.language  # fmt: skip
    return replace(
        talk, state=row.to, language=language,
        unclear=talk.unclear + 1 if event is Event.UNCLEAR else 0,
        abused=talk.abused + (event is Event.ABUSIVE), refused=talk.refused + refused,
        on=turn.on if keeps and not fresh and not far else None,
        minor=turn.minor if keeps and not fresh and not much else None,
        offer_id=turn.offer.offer_id if row.to is State.AGREEING and turn.offer else None,
    )  # fmt: skip


def _values(talk: Talk, situation: Situation, offer: Offer | None) -> dict[str, str]:
    """The words in the places of the sentences, in the language of the conversation."""
    say = texts(talk.language)
    last = situation.today + timedelta(days=situation.promise_days)
    lines = [f"{number}. {offer_text(one, situation, talk.language)}" for number, one in enumerate(situation.offers, 1)]
    return {
        "lender": situation.lender, "day": day_text(talk.on, talk.language), "last": day_text(last, talk.language),
        "amount": amount_text(talk.minor, situation.currency, talk.language), "offers": "\n".join(lines),
        "offer": offer_text(offer, situation, talk.language) if offer else "",
        "line": say(f"conversation.line.{situation.jurisdiction}"),
    }  # fmt: skip


def amount_text(minor: int | None, currency: str, language: str) -> str:
    """An amount as it is read back."""
    if minor is None:
        return ""
    money, say = str(Money(minor, currency)), texts(language)
    key = f"conversation.amount.{currency}"
    return say(key, number=money.removesuffix(f" {currency}")) if key in say else money


def day_text(on: date | None, language: str) -> str:
    """A day as it is read back, with its weekday, so that a wrong one is seen."""
    if on is None:
        return ""
    weekday = texts(language)(f"conversation.weekday.{on.weekday()}")
    return texts(language)("conversation.day", year=on.year, month=on.month, day=on.day, weekday=weekday)


def offer_text(offer: Offer, situation: Situation, language: str) -> str:
    """An offer in a sentence, with its own numbers alone."""
    return texts(language)(
        f"conversation.offer.{offer.kind}", day=day_text(offer.on, language), months=offer.months or "",
        amount=amount_text(offer.amount_minor, situation.currency, language),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _passes(text: str) -> bool:
    """Whether the linter finds nothing. Most replies are the same for everybody."""
    return lint(text).ok


def _reply(keys: Sequence[str], facts: tuple[Noted, ...], talk: Talk, values: Words) -> Reply:
    """Sentences that pass the linter; else the plain one, and a person."""
    say = texts(talk.language)
    text = "\n".join(say(f"conversation.{key}", **values) for key in keys)
    if not text or _passes(text):
        return Reply(text, facts, talk, tuple(keys))
    handed = (
        facts
        if any(one.kind == "handed_over" for one in facts)
        else (*facts, Noted("handed_over", {"reason": "wording"}))
    )
    key = "plain_care" if "care" in keys else "plain"  # where to turn in danger is said whatever else is not
    return Reply(say(f"conversation.{key}", **values), handed, replace(talk, state=State.HANDED_OVER), (key,))


def as_record(talk: Talk) -> dict[str, Any]:
    """The memory as JSON."""
    return {
        "state": talk.state.value, "language": talk.language, "unclear": talk.unclear, "abused": talk.abused,
        "refused": talk.refused, "on": talk.on.isoformat() if talk.on else None, "minor": talk.minor,
        "offer_id": talk.offer_id,
    }  # fmt: skip


def of_record(record: Mapping[str, Any]) -> Talk:
    """The memory from `as_record`."""
    on = record["on"]
    return Talk(
        State(record["state"]), record["language"], record["unclear"], record["abused"], record["refused"],
        date.fromisoformat(on) if on else None, record["minor"], record["offer_id"],
    )  # fmt: skip
