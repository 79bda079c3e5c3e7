"""A line looked at again and again, with late facts and on days back and forth, is the line folded from its start."""

from datetime import date, timedelta
from random import Random

import pytest
from histories import Case, cases, seeded
from hypothesis import given, settings

from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import line_before_close
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.line.walk import Walk
from evenkeel.kernel.errors import EvenkeelError


def read(line: Line) -> tuple[object, ...]:
    return line.cells, line.v, line.dues, line.plans, line.holds


def folded(case: Case, known: list[object], day: date) -> tuple[object, ...] | str:
    try:
        line = line_before_close(line_rules(case.product), known, day)  # type: ignore[arg-type]
    except EvenkeelError as error:
        return str(error)
    line.close(day - timedelta(days=1))
    return read(line)


def walked(walk: Walk, known: list[object], day: date) -> tuple[object, ...] | str:
    try:
        return read(walk.look(known, day))  # type: ignore[arg-type]
    except EvenkeelError as error:
        return str(error)


def looks(case: Case, random: Random, count: int) -> None:
    """Growing numbers of facts, now and then fewer or with some of the later ones, on days that mostly go forward."""
    walk = Walk(line_rules(case.product))
    opened = case.facts[0].effective_on
    span = max(1, (case.as_of - opened).days)
    told = 0
    for step in range(count):
        size = min(len(case.facts), 1 + len(case.facts) * step // count)
        known = list(case.facts[: random.randint(1, size) if random.random() < 0.1 else size])
        known += [fact for fact in case.facts[size:] if random.random() < 0.1]
        forward = opened + timedelta(days=span * step // count)
        day = forward if random.random() < 0.8 else opened + timedelta(days=random.randint(0, span))
        expected = folded(case, known, day)
        assert walked(walk, known, day) == expected
        told += not isinstance(expected, str)
    assert told


@settings(max_examples=30, deadline=None)
@given(cases())
def test_a_walk_is_the_fold(case: Case) -> None:
    looks(case, Random(1), 12)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2_000, 2_200))
def test_a_walk_is_the_fold_on_two_hundred_long_histories(seed: int) -> None:
    looks(seeded(seed), Random(seed), 60)
