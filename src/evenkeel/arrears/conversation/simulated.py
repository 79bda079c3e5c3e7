"""Simulated borrowers: personas with a hidden truth, who answer in drawn phrases that the model has not learned from.

A persona reads what it is asked, like a person: where a promise is read back, it says yes only to the day and amount it
means. `meant` holds what it said yes to; whoever judges the conversation holds the record against it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from random import Random
from typing import Literal, get_args

from evenkeel.arrears.conversation.dialogue import answer, open_talk
from evenkeel.arrears.conversation.model import Offer, Reply, Situation, State, Talk
from evenkeel.arrears.conversation.understanding import Understood, understand

Persona = Literal[
    "will_pay", "cannot_pay", "disputes", "wrong_number", "stops", "represented", "vulnerable", "hostile", "unsure",
    "injector",
]  # fmt: skip
PERSONAS: tuple[Persona, ...] = get_args(Persona)
Understand = Callable[[str, date, str | None], Understood]
_MOST_TURNS = 10
_BEGINS: Mapping[str, str] = {
    "will_pay": "promise_to_pay", "cannot_pay": "hardship", "disputes": "dispute", "wrong_number": "wrong_person",
    "stops": "stop_contact", "represented": "representative", "vulnerable": "vulnerable", "hostile": "abusive",
    "unsure": "unsure", "injector": "injection",
}  # fmt: skip
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_HAN = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: what the borrower wrote (None where the lender speaks first) and the reply."""

    text: str | None
    understood: Understood | None
    reply: Reply


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A simulated conversation. meant: promises to which the persona said yes, as (day, minor units)."""

    persona: Persona
    language: str
    situation: Situation
    turns: tuple[Said, ...]
    meant: tuple[tuple[date, int], ...]


@dataclass(slots=True)
class _Borrower:
    """The hidden truth of a persona: the day and the amount it means to pay."""

    persona: Persona
    language: str
    draw: Random
    on: date
    minor: int
    meant: list[tuple[date, int]] = field(default_factory=list)

    def first(self) -> str:
        """How it begins."""
        if self.draw.random() < 0.15:
            return self._phrase("other")
        return self._phrase(_BEGINS[self.persona])

    def replies(self, reply: Reply, situation: Situation) -> str | None:
        """What it answers; None where it has nothing more to say."""
        state = reply.talk.state
        if not reply.text or (state is State.CLOSED and self.draw.random() < 0.7):
            return None
        if self.persona == "will_pay":
            return self._pays(reply, situation)
        if self.persona == "cannot_pay" and state in (State.CHOOSING, State.AGREEING):
            return self._chooses(state, situation)
        if state is State.HANDED_OVER and self.draw.random() < 0.7:
            return None
        return self._phrase(_BEGINS[self.persona])

    def _pays(self, reply: Reply, situation: Situation) -> str | None:
        state = reply.talk.state
        if state is State.CONFIRMING:
            return self._confirms(reply.text, situation)
        if state is State.ASKING:
            day, amount = day_said(self.on, situation.today, self.language, self.draw), self._amount()
            return self.draw.choice((f"{day} {amount}", f"{amount} {day}", self._phrase("promise_to_pay")))
        if state in (State.HANDED_OVER, State.CLOSED):
            return None
        return self._phrase("thanks") if self.meant else self._phrase("promise_to_pay")

    def _confirms(self, text: str, situation: Situation) -> str:
        """Yes to what it means, no to anything else; sometimes it wavers."""
        right = _names(text, self.on) and _names_amount(text, self.minor)
        draw = self.draw.random()
        if not right or draw < 0.08:
            return self._phrase("no")
        if draw < 0.18:
            return self._phrase("unsure")
        self.meant.append((self.on, self.minor))
        return self._phrase("yes")

    def _chooses(self, state: State, situation: Situation) -> str:
        if state is State.AGREEING:
            return self._phrase(self.draw.choice(("yes", "yes", "no")))
        number = str(self.draw.randint(1, len(situation.offers)))
        return self.draw.choice((number, number, self._phrase("no"), self._phrase("hardship")))

    def _phrase(self, kind: str) -> str:
        text = self.draw.choice(said(kind, self.language))
        day = day_said(self.on, self.on - timedelta(days=9), self.language, self.draw)
        return text.replace("{day}", day).replace("{amount}", self._amount())

    def _amount(self) -> str:
        return amount_said(self.minor, self.language, self.draw)


@cache
def said(kind: str, language: str) -> tuple[str, ...]:
    """The phrases of the personas, of one kind."""
    content = (files("evenkeel.arrears.conversation") / "simulated.toml").read_text(encoding="utf-8")
    return tuple(line for line in tomllib.loads(content)[kind][language].splitlines() if line)


def day_said(on: date, today: date, language: str, draw: Random) -> str:
    """A day as people say it."""
    ahead = (on - today).days
    if language == "zh":
        near = {0: "今天", 1: "明天", 2: "后天", 3: "大后天"}.get(ahead)
        return draw.choice([f"{on.month}月{on.day}日", f"{on.month}月{on.day}号", *([near] * 2 if near else [])])
    near = {0: "today", 1: "tomorrow"}.get(ahead)
    forms = [f"{on.day} {_MONTHS[on.month - 1]}", f"{_MONTHS[on.month - 1][:3]} {on.day}", on.isoformat()]
    return draw.choice([*forms, *([near] * 3 if near else [])])


def amount_said(minor: int, language: str, draw: Random) -> str:
    """An amount of whole major units as people say it."""
    major = minor // 100
    if language == "zh":
        forms = [f"{major}块", f"{major}元", f"{major}"]
        if major % 100 == 0 and major < 1000:
            forms.append(f"{_HAN[major // 100]}百")
        if major % 1000 == 0 and major < 10_000:
            forms.append(f"{_HAN[major // 1000]}千")
        return draw.choice(forms)
    return draw.choice([f"${major}", f"{major:,}", f"{major} dollars", f"${major}.00"])


def _names(text: str, on: date) -> bool:
    return on.isoformat() in text or f"{on.year}年{on.month}月{on.day}日" in text


def _names_amount(text: str, minor: int) -> bool:
    return any(part.replace(",", "") == f"{minor / 100:.2f}" for part in _numbers(text))


def _numbers(text: str) -> Iterator[str]:
    part = ""
    for one in text + " ":
        if one.isdigit() or (part and one in ",."):
            part += one
        else:
            yield part.rstrip(",.")
            part = ""


def situation_of(draw: Random, language: str, today: date) -> Situation:
    """A drawn situation: what is due, and what may be offered."""
    due = draw.randrange(400, 9000, 100) * 100
    offers = [
        Offer("plan-6", "plan", today + timedelta(days=draw.randint(3, 30)), due // 6 + 1, 6),
        Offer("plan-12", "plan", today + timedelta(days=draw.randint(3, 30)), due // 12 + 1, 12),
        Offer("due", "due_day", today + timedelta(days=draw.randint(3, 28))),
        Offer("part", "part_payment", today + timedelta(days=draw.randint(3, 14)), due // 3),
        Offer("pause", "interest_pause", today + timedelta(days=draw.randint(1, 10)), None, 3),
    ]
    shown = tuple(sorted(draw.sample(offers, draw.randint(0, 4)), key=lambda one: one.offer_id))
    chinese = language == "zh"
    return Situation(
        "晴禾消费金融" if chinese else "Fairfield Credit", "CNY" if chinese else "USD", today,
        identified=draw.random() < 0.9, jurisdiction="CN" if chinese else "US", due_minor=due, offers=shown,
    )  # fmt: skip


def simulate(
    persona: Persona, seed: int, today: date, language: str | None = None, hears: Understand | None = None
) -> Dialogue:
    """One conversation with a persona; the same seed gives the same."""
    draw = Random(f"{persona} {seed}")  # noqa: S311 - not for secrets
    spoken = language or draw.choice(("en", "zh"))
    situation = situation_of(draw, spoken, today)
    assert situation.due_minor is not None  # noqa: S101 - as drawn
    most = min(situation.due_minor // 100, 5000)
    minor = draw.randrange(100, most + 1, 50) * 100
    borrower = _Borrower(persona, spoken, draw, today + timedelta(days=draw.randint(0, 28)), minor)
    turns: list[Said] = []
    talk = Talk()
    if draw.random() < 0.5:
        reply = open_talk(situation, spoken)
        turns.append(Said(None, None, reply))
        talk = reply.talk
    text: str | None = borrower.first()
    while text is not None and len(turns) < _MOST_TURNS:
        understood = (hears or understand_local)(text, today, situation.currency)
        reply = answer(talk, text, situation, understood)
        turns.append(Said(text, understood, reply))
        talk = reply.talk
        text = borrower.replies(reply, situation)
    return Dialogue(persona, spoken, situation, tuple(turns), tuple(borrower.meant))


def understand_local(text: str, today: date, currency: str | None) -> Understood:
    """The local model, as conversations take it."""
    return understand(text, today, currency=currency)


def simulate_many(count: int, seed: int, today: date, persona: Persona | None = None) -> Iterator[Dialogue]:
    """So many conversations, of one persona or of all in turn."""
    for number in range(count):
        yield simulate(persona or PERSONAS[number % len(PERSONAS)], seed + number, today)
