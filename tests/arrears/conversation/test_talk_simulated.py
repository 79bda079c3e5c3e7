"""Simulated conversations beside an independent judge: nothing offered or worded that may not be, no promise not
made.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from functools import cache

import pytest
from said_oracle import promises_not_made

from evenkeel.arrears.conversation.dialogue import offer_text
from evenkeel.arrears.conversation.simulated import PERSONAS, Dialogue, simulate, simulate_many
from evenkeel.arrears.messages.linter import lint

TODAY = date(2026, 11, 25)


@cache
def passes(text: str) -> bool:
    return lint(text).ok


def judge(dialogue: Dialogue) -> Counter[str]:
    """What is wrong with a conversation, by kind; and how often each fact came."""
    found: Counter[str] = Counter()
    situation = dialogue.situation
    offered = [offer_text(one, situation, language) for one in situation.offers for language in ("en", "zh")]
    closed = False
    for place, turn in enumerate(dialogue.turns):
        reply = turn.reply
        found["wording"] += bool(reply.text) and not passes(reply.text)
        if place == 0 and reply.text:
            found["not said that a machine writes"] += "automated" not in reply.text and "自动" not in reply.text
        for line in re.findall(r"^[0-9]+\. (.*)$", reply.text, re.MULTILINE):
            found["an offer of its own"] += line not in offered or not situation.identified
        found["spoke after the end"] += (
            closed and bool(reply.text) and "vulnerable" not in str(reply.facts) and "person_soon" not in reply.keys
        )
        for fact in reply.facts:
            found[fact.kind] += 1
            closed = closed or fact.kind in ("stop_contact", "wrong_person")
            found["debt of a stranger"] += (
                fact.kind in ("promise", "hardship", "offer_accepted") and not situation.identified
            )
            if fact.kind == "offer_accepted":
                found["an offer that was not there"] += fact.fields["offer_id"] not in {
                    one.offer_id for one in situation.offers
                }
    found["promise not made"] += len(promises_not_made(dialogue))
    return found


WRONG = (
    "wording",
    "not said that a machine writes",
    "an offer of its own",
    "spoke after the end",
    "debt of a stranger",
    "an offer that was not there",
    "promise not made",
)


def _held(count: int, seed: int) -> Counter[str]:
    total: Counter[str] = Counter()
    for dialogue in simulate_many(count, seed, TODAY):
        found = judge(dialogue)
        wrong = {kind: found[kind] for kind in WRONG if found[kind]}
        assert not wrong, (wrong, dialogue)
        total += found
    return total


def test_100_conversations() -> None:
    total = _held(100, 1)
    assert total["promise"] >= 3 and total["stop_contact"] >= 5


@pytest.mark.prove
def test_10_000_conversations() -> None:
    total = _held(10_000, 1000)
    assert total["promise"] >= 300 and total["offer_accepted"] >= 200


def test_an_injector_gets_nothing() -> None:
    for seed in range(8):
        kinds = {fact.kind for turn in simulate("injector", seed, TODAY).turns for fact in turn.reply.facts}
        assert not kinds & {"promise", "offer_accepted", "hardship"}


def test_the_same_seed_gives_the_same_conversation() -> None:
    for persona in PERSONAS:
        assert simulate(persona, 5, TODAY) == simulate(persona, 5, TODAY)


def test_the_judge_sees_a_promise_that_was_not_made() -> None:
    dialogue = next(one for one in (simulate("will_pay", seed, TODAY) for seed in range(50)) if one.meant)
    turns = [turn for turn in dialogue.turns if any(fact.kind == "promise" for fact in turn.reply.facts)]
    forged = Dialogue(dialogue.persona, dialogue.language, dialogue.situation, tuple(turns), dialogue.meant)
    assert promises_not_made(dialogue) == [] and promises_not_made(forged) == turns  # never read back
