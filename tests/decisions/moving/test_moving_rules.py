"""A limit moves only as far, as often and as fast as the rules allow, and every rule says its name."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.decisions.moving.rules import (
    Asked,
    Held,
    Line,
    Lowered,
    Move,
    Moved,
    MovingRules,
    Outcome,
    move,
    read_rules,
    rules_text,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULES = MovingRules(step_minor=10_000)
QUIET = Lowered(0, 0, False)
LINE = Line(500_000, 120_000, 0, False, 0, False, NOW)


def ago(days: float, outcome: Outcome, before: int = 500_000, after: int = 500_000) -> Move:
    """A move so many days ago."""
    return Move(NOW - timedelta(days=days), outcome, before, after)


def asked(outcome: Outcome, factor: int = 1000, line: Line = LINE, rules: MovingRules = RULES, **more: object) -> Moved:
    """What becomes of a move that a policy asks for."""
    lowered = more.get("lowered", QUIET)
    assert isinstance(lowered, Lowered)
    return move(Asked(outcome, factor), line, rules, lowered, NOW)


RAISE, LOWER, FREEZE, THAW, KEEP = Outcome.RAISE, Outcome.LOWER, Outcome.FREEZE, Outcome.THAW, Outcome.KEEP


def test_a_raise_is_in_whole_steps_and_at_once() -> None:
    assert asked(RAISE, 1213) == Moved(RAISE, 600_000, (), date(2026, 6, 1))


def test_a_lower_limit_is_told_first() -> None:
    assert asked(LOWER, 700) == Moved(LOWER, 350_000, (), date(2026, 6, 8))


@pytest.mark.parametrize(
    ("line", "factor", "outcome", "after", "held"),
    [
        (replace(LINE, owed_minor=402_000), 500, LOWER, 410_000, Held.OWED),
        (replace(LINE, owed_minor=300_000, held_minor=101_000), 500, LOWER, 410_000, Held.OWED),
        (replace(LINE, owed_minor=495_000), 500, FREEZE, 500_000, Held.IN_USE),
        (replace(LINE, owed_minor=700_000), 500, FREEZE, 500_000, Held.IN_USE),
        (replace(LINE, owed_minor=495_000, frozen=True), 500, KEEP, 500_000, Held.IN_USE),
        (replace(LINE, owed_minor=None), 500, KEEP, 500_000, Held.UNKNOWN_LIMIT),
        (replace(LINE, limit_minor=None), 500, KEEP, None, Held.UNKNOWN_LIMIT),
        (replace(LINE, owed_minor=-5_000), 0, LOWER, 0, None),
    ],
)
def test_a_limit_is_never_lowered_below_what_is_owed_and_says_so(
    line: Line, factor: int, outcome: Outcome, after: int | None, held: Held | None
) -> None:
    found = asked(LOWER, factor, line)
    assert (found.outcome, found.after_minor, found.held) == (outcome, after, () if held is None else (held,))


@pytest.mark.parametrize(
    ("moves", "wanted", "outcome"),
    [
        ([ago(89, RAISE)], RAISE, KEEP),
        ([ago(91, RAISE)], RAISE, RAISE),
        ([ago(179, LOWER)], RAISE, KEEP),
        ([ago(181, LOWER)], RAISE, RAISE),
        ([ago(29, THAW)], RAISE, KEEP),
        ([ago(29, RAISE)], LOWER, KEEP),
        ([ago(31, RAISE)], LOWER, LOWER),
        ([ago(1, LOWER)], LOWER, LOWER),  # what gets worse may be followed
        ([ago(0.1, RAISE)], FREEZE, FREEZE),  # and a freeze never waits
    ],
)
def test_moves_to_and_fro_wait_for_each_other(moves: list[Move], wanted: Outcome, outcome: Outcome) -> None:
    factor = {RAISE: 1200, LOWER: 700}.get(wanted, 1000)
    found = asked(wanted, factor, replace(LINE, moves=moves))
    assert found.outcome is outcome
    assert (Held.TOO_SOON in found.held) == (outcome is KEEP)


def test_raises_of_a_year_together_stay_under_the_cap() -> None:
    moves = [ago(200, RAISE, 400_000, 450_000), ago(100, RAISE, 450_000, 500_000)]
    assert asked(RAISE, 1300, replace(LINE, moves=moves)) == Moved(RAISE, 600_000, (Held.CAP,), NOW.date())
    assert asked(RAISE, 1300).after_minor == 650_000


def test_all_lines_of_a_borrower_stay_under_the_shared_limit() -> None:
    rules = replace(RULES, shared_minor=1_000_000)
    assert asked(RAISE, 1300, replace(LINE, others_minor=430_000), rules).after_minor == 570_000
    found = asked(RAISE, 1300, replace(LINE, others_minor=600_000), rules)
    assert (found.outcome, found.held) == (KEEP, (Held.GROUP,))


def test_who_is_in_hardship_disputes_or_keeps_a_plan_is_not_raised_and_may_be_lowered() -> None:
    line = replace(LINE, protected=True)
    assert asked(RAISE, 1200, line).held == (Held.PROTECTED,)
    assert asked(LOWER, 700, line).outcome is LOWER


def test_lowerings_of_a_period_do_not_add_up() -> None:
    lowered = replace(LINE, limit_minor=350_000, moves=[ago(20, LOWER, 500_000, 350_000)])
    assert asked(LOWER, 700, lowered) == Moved(KEEP, 350_000, (Held.TOO_SOON,), None)
    assert asked(LOWER, 500, lowered).after_minor == 250_000  # half of what it was before
    notified = replace(lowered, limit_minor=500_000)  # the lower limit is told, and not so yet
    assert asked(LOWER, 700, notified).outcome is KEEP
    assert asked(LOWER, 700, replace(lowered, moves=[ago(91, LOWER, 500_000, 350_000)])).after_minor == 240_000


def test_a_person_is_asked_about_a_line_once_in_thirty_days() -> None:
    refer = Outcome.REFER
    assert asked(refer).outcome is refer
    assert asked(refer, line=replace(LINE, moves=[ago(29, refer)])) == Moved(KEEP, 500_000, (Held.REFERRED,), None)
    assert asked(refer, line=replace(LINE, moves=[ago(31, refer)])).outcome is refer


def test_what_a_person_froze_no_policy_thaws() -> None:
    assert asked(THAW, line=replace(LINE, frozen=True)) == Moved(KEEP, 500_000, (Held.BY_HAND,), None)


def test_rules_are_read_as_they_were_written() -> None:
    rules = replace(RULES, shared_minor=5, fresh=timedelta(minutes=7))
    assert read_rules(rules_text(rules)) == rules


def test_a_thaw_needs_something_frozen_and_thirty_days() -> None:
    assert asked(THAW).held == (Held.NOT_FROZEN,)
    frozen = replace(LINE, frozen=True, moves=[ago(10, FREEZE)])
    assert asked(THAW, line=frozen).held == (Held.TOO_SOON,)
    assert asked(THAW, line=replace(frozen, moves=[ago(40, FREEZE)])).outcome is THAW
    assert asked(RAISE, 1200, replace(frozen, moves=[ago(400, FREEZE)])).outcome is KEEP


@pytest.mark.parametrize("outcome", [RAISE, LOWER, FREEZE, THAW])
def test_a_feed_that_was_silent_for_an_hour_moves_nobody(outcome: Outcome) -> None:
    line = replace(LINE, facts_at=NOW - timedelta(hours=1, seconds=1), frozen=outcome is THAW)
    assert asked(outcome, 700 if outcome is LOWER else 1200, line) == Moved(KEEP, 500_000, (Held.STALE,), None)


def test_the_breaker_opens_on_the_number_and_on_the_sum_and_holds_what_lowers() -> None:
    rules = replace(RULES, breaker_moves=3, breaker_minor=1_000_000)
    assert asked(LOWER, 700, rules=rules, lowered=Lowered(2, 0, False)).outcome is LOWER
    found = asked(LOWER, 700, rules=rules, lowered=Lowered(3, 0, False))
    assert (found.outcome, found.held, found.trips) == (KEEP, (Held.BREAKER,), True)
    assert asked(LOWER, 700, rules=rules, lowered=Lowered(0, 850_001, False)).trips
    assert asked(FREEZE, rules=rules, lowered=Lowered(0, 500_001, False)).trips  # all of the limit is out of reach
    still = asked(FREEZE, rules=rules, lowered=Lowered(0, 0, True))
    assert (still.held, still.trips) == ((Held.BREAKER,), False)
    assert asked(RAISE, 1200, rules=rules, lowered=Lowered(9, 0, True)).outcome is RAISE


MONEY = st.integers(0, 2_000_000)
LINES = st.builds(
    Line, st.none() | MONEY, st.none() | st.integers(-50_000, 2_500_000), st.integers(0, 100_000), st.booleans(),
    st.integers(0, 1_000_000), st.booleans(),
    st.integers(0, 180).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    st.lists(
        st.builds(ago, st.integers(0, 500), st.sampled_from(Outcome), MONEY, MONEY),
        max_size=4,
    ),
)  # fmt: skip
ANY = (
    st.builds(Asked, st.just(RAISE), st.integers(1001, 5000))
    | st.builds(Asked, st.just(LOWER), st.integers(0, 999))
    | st.builds(Asked, st.sampled_from([FREEZE, THAW, KEEP, Outcome.REFER]))
)
LOWERED = st.builds(Lowered, st.integers(0, 300), st.integers(0, 300_000_000), st.booleans())


@given(ANY, LINES, LOWERED)
def test_a_rule_only_ever_holds_back(given_: Asked, line: Line, lowered: Lowered) -> None:
    rules = replace(RULES, shared_minor=1_500_000)
    found = move(given_, line, rules, lowered, NOW)
    assert (found.after_minor is None) == (line.limit_minor is None)
    if found.outcome not in (given_.outcome, KEEP):
        assert (given_.outcome, found.outcome, found.held) == (LOWER, FREEZE, (Held.IN_USE,))
    if line.limit_minor is None or found.after_minor is None:
        return
    wanted = line.limit_minor * given_.factor_thousandths // 1000
    assert min(line.limit_minor, wanted) - rules.step_minor < found.after_minor <= max(line.limit_minor, wanted)
    assert (found.after_minor > line.limit_minor) == (found.outcome is RAISE)
    assert (found.after_minor < line.limit_minor) == (found.outcome is LOWER)
    if found.outcome is RAISE:
        assert found.after_minor + line.others_minor <= 1_500_000 and not line.protected and not line.frozen
    if found.outcome is LOWER:
        assert line.owed_minor is not None and found.after_minor >= line.owed_minor + line.held_minor
        assert found.effective_on is not None and found.effective_on > NOW.date()
    if found.outcome in (LOWER, FREEZE):
        assert not lowered.is_open and lowered.moves < rules.breaker_moves and NOW - line.facts_at <= rules.fresh
