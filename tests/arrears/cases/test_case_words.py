"""Every state, guard, act and sentence of a case has its words in both languages; the table of acts is whole."""

import re

import pytest

from evenkeel.arrears.cases.acts import ACTS
from evenkeel.arrears.cases.fold import _OF_CASES, EVENTS
from evenkeel.arrears.cases.model import ENDS, RUNNING, STATES, State
from evenkeel.arrears.cases.ranking import SKILLS
from evenkeel.arrears.cases.story import _ACCOUNT
from evenkeel.arrears.cases.transitions import GUARDS, TRANSITIONS
from evenkeel.arrears.contacts.standing import OF_CASES
from evenkeel.kernel.text import catalogue, texts

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_lacks_its_words(language: str) -> None:
    say = texts(language)
    wanted = [f"case.word.{state}" for state in State]
    wanted += [f"case.word.{skill}" for skill in SKILLS if skill != "court"]
    wanted += [f"case.guard.{name}" for name in (*GUARDS, "state")]
    wanted += [f"case.act.{name}" for name, one in TRANSITIONS.items() if one.guards]
    wanted += [f"case.story.{kind}" for kind in {*_OF_CASES, *EVENTS, *_ACCOUNT.values()}]
    wanted += [f"case.story.{kind.partition('.')[2]}" for kind in OF_CASES]
    assert [key for key in wanted if key not in say] == []


def test_both_languages_say_the_same_things_with_the_same_places() -> None:
    ours = ("case.", "webhook.")
    english, chinese = ({k: v for k, v in catalogue(one).items() if k.startswith(ours)} for one in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert sorted(set(re.findall(r"{(\w+)}", text))) == sorted(set(re.findall(r"{(\w+)}", chinese[key]))), key
        assert text.isascii(), key
        assert HAN.search(chinese[key]) or not re.search("[A-Za-z]", re.sub(r"{\w+}", "", text)), key


def test_every_act_is_in_the_table_and_every_guard_is_used() -> None:
    assert TRANSITIONS.keys() == ACTS.keys()
    assert {name for one in TRANSITIONS.values() for name in one.guards} == set(GUARDS)
    assert {state for state, _ in STATES} == set(RUNNING) and set(RUNNING) | set(ENDS) == set(State)
    assert all(one.froms and one.tos for one in TRANSITIONS.values())


@pytest.mark.parametrize("act", ["assign", "legal", "sell"])
def test_what_is_hard_stands_behind_every_hold(act: str) -> None:
    holds = {"no_dispute", "no_complaint", "no_plan", "no_promise_pending", "not_in_hardship", "not_vulnerable",
             "not_insolvent"}  # fmt: skip
    one = TRANSITIONS[act]
    assert holds <= set(one.guards) and one.law
    assert set(one.froms) == {State.OPEN, State.CONTACTED, State.BROKEN_PROMISE}


@pytest.mark.parametrize(
    "act", ["dispute", "complaint", "vulnerable", "represent", "wrong-person", "hardship", "insolvent"]
)
def test_what_protects_passes_no_guard(act: str) -> None:
    one = TRANSITIONS[act]
    assert not one.guards and not one.work and set(RUNNING) <= set(one.froms)
