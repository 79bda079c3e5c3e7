"""Four answers stay four; nobody unverified is granted; no card is locked by asking."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_samples import CARD, NUMBER, SECRETS, question, token

from evenkeel.decisions.identity.numbers import NumberVerdict, resident_numbers
from evenkeel.decisions.identity.verification import (
    CEILING,
    CHINA,
    CONVENTIONS,
    DETAILED,
    MATCH_DAYS,
    REGISTER_CHECKS,
    REQUIRED,
    SIMPLE,
    Attempt,
    CheckKind,
    CheckRequest,
    CheckResult,
    Identity,
    Verification,
    forgotten_at,
    held_until,
    number_result,
    standing,
    token_of,
    verdict,
    verdict_codes,
)
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, texts

R = CheckResult
K = CheckKind
NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)  # noon in China

# --- the verdict ------------------------------------------------------------------------------------------------------

EVERY = list(product((None, *CheckResult), repeat=len(CheckKind)))  # 15,625: what each kind can have come to
REQUIREMENTS = [
    frozenset(some) for size in range(1, 7) for some in combinations(CheckKind, size) if REGISTER_CHECKS & set(some)
]


def results_of(combination: Sequence[CheckResult | None]) -> dict[CheckKind, CheckResult]:
    return {kind: result for kind, result in zip(CheckKind, combination, strict=True) if result is not None}


def holds(results: dict[CheckKind, CheckResult], kind: CheckKind) -> bool:
    """Whether a check passed, itself or within a larger one unless it did not match itself."""
    own = results.get(kind)
    larger = {K.ID_NUMBER: (K.NAME_ID, K.FOUR_FACTOR), K.NAME_ID: (K.FOUR_FACTOR,)}.get(kind, ())
    return own is R.MATCH or (own is not R.MISMATCH and any(results.get(one) is R.MATCH for one in larger))


@pytest.mark.parametrize("required", [REQUIRED, frozenset(CheckKind), frozenset({K.FOUR_FACTOR})])
def test_nobody_unverified_is_granted_whatever_the_answers(required: frozenset[CheckKind]) -> None:
    approved = 0
    for combination in EVERY:
        results = results_of(combination)
        found = verdict(results, required)
        if CEILING[found.identity] == "approve":
            approved += 1
            assert all(holds(results, kind) for kind in required)
            assert R.MISMATCH not in results.values()
            assert any(results.get(kind) is R.MATCH for kind in REGISTER_CHECKS)
        elif all(results.get(kind) is R.MATCH for kind in CheckKind):
            pytest.fail("whoever passes everything is verified")
    assert approved > 0


@pytest.mark.parametrize("required", [REQUIRED, frozenset(CheckKind), frozenset({K.FOUR_FACTOR})])
def test_what_could_not_be_asked_goes_to_a_person_and_only_a_mismatch_declines(
    required: frozenset[CheckKind],
) -> None:
    for combination in EVERY:
        results = results_of(combination)
        found = verdict(results, required)
        outcome = CEILING[found.identity]
        assert (outcome == "decline") == (R.MISMATCH in results.values())
        asked = {R.MATCH if holds(results, kind) else results.get(kind) for kind in required}
        if R.MISMATCH not in results.values() and asked != {R.MATCH}:
            assert outcome == "refer"
            worst = next(result for result in (R.RESTRICTED, R.UNAVAILABLE, None) if result in asked)
            assert found.identity == (worst or Identity.UNVERIFIED)
        assert found.because
        assert (found.reasons == ()) == (found.identity is Identity.VERIFIED)


def test_taking_an_answer_away_never_opens_a_better_outcome_unless_it_spoke_against_the_person() -> None:
    goodness = ("decline", "refer", "approve")
    for combination in EVERY:
        results = results_of(combination)
        before = goodness.index(CEILING[verdict(results).identity])
        for kind, result in results.items():
            rest = {other: value for other, value in results.items() if other is not kind}
            after = goodness.index(CEILING[verdict(rest).identity])
            # Without a mismatch it is as if it had not been asked: a person looks, unless the rest is verified.
            assert after <= before or result is R.MISMATCH
            if kind in REQUIRED and not any(holds(rest, one) for one in REQUIRED):
                assert after < 2


def test_a_column_of_results_gives_the_verdict_of_each() -> None:
    places = {None: -1, **{result: place for place, result in enumerate(CheckResult)}}
    table = np.array([[places[result] for result in combination] for combination in EVERY], np.int8)
    for required in (REQUIRED, frozenset(CheckKind), frozenset({K.FACE}), REQUIREMENTS[7]):
        codes = verdict_codes(table, required)
        wanted = [verdict(results_of(combination), required).identity for combination in EVERY]
        assert [tuple(Identity)[code] for code in codes] == wanted


@pytest.mark.parametrize("required", [set(), {K.ID_NUMBER}, {K.DEVICE, K.ADDRESS}])
def test_a_requirement_that_asks_no_register_is_refused(required: set[CheckKind]) -> None:
    with pytest.raises(InvalidInput, match="register"):
        verdict({}, required)
    with pytest.raises(InvalidInput, match="register"):
        verdict_codes(np.zeros((1, 6), np.int8), required)


def test_every_reason_has_its_text() -> None:
    for language in LANGUAGES:
        for identity in Identity:
            if identity is not Identity.VERIFIED:
                assert f"reason.identity_{identity}" in texts(language)


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (NUMBER, R.MATCH), (None, None), ("130503670401001", R.UNAVAILABLE), ("110105194912310021", R.MISMATCH),
        ("110105209912310029", R.MISMATCH), ("", R.MISMATCH),
    ],
)  # fmt: skip
def test_a_number_checks_itself(number: str | None, result: CheckResult | None) -> None:
    found = NumberVerdict(resident_numbers([number], date(2026, 11, 27)).verdict[0])
    assert number_result(found) == result


def said(result: CheckResult, days_ago: float, kind: CheckKind = K.NAME_ID) -> Verification:
    return Verification(kind, result, NOW - timedelta(days=days_ago), "register", 15, "1")


def test_the_newest_answer_stands_and_old_ones_fall_away() -> None:
    days = MATCH_DAYS[K.NAME_ID]
    assert standing([said(R.MATCH, 2), said(R.MISMATCH, 1)], NOW) == {K.NAME_ID: R.MISMATCH}
    assert standing([said(R.MISMATCH, 2), said(R.MATCH, 1)], NOW) == {K.NAME_ID: R.MATCH}
    assert standing([said(R.MATCH, days)], NOW) == {K.NAME_ID: R.MATCH}
    assert standing([said(R.MATCH, days + 0.001)], NOW) == {}
    assert standing([said(R.MATCH, -0.001)], NOW) == {}, "what is answered later is not known yet"


def test_a_failed_question_neither_hides_nor_undoes_an_answer() -> None:
    for result in (R.MATCH, R.MISMATCH, R.RESTRICTED):
        assert standing([said(result, 2), said(R.UNAVAILABLE, 1)], NOW) == {K.NAME_ID: result}
    assert standing([said(R.UNAVAILABLE, 1)], NOW) == {K.NAME_ID: R.UNAVAILABLE}


# --- conventions ------------------------------------------------------------------------------------------------------


def test_conventions_read_their_codes_and_nothing_else() -> None:
    for name, convention in CONVENTIONS.items():
        for code, result in convention.results.items():
            assert convention.read(code) == convention.read(int(code)) == (result, code), name
    strange: list[Any] = [None, True, False, 1.0, "01", " 1", "１", "match", "", [], {}, 4, -1, 10**40, "1" * 10**6]
    for code in strange:
        for convention in CONVENTIONS.values():
            assert convention.read(code) == (R.UNAVAILABLE, "unknown")


def test_only_one_code_of_each_convention_speaks_against_a_person() -> None:
    assert [code for code, result in SIMPLE.results.items() if result is R.MISMATCH] == ["2"]
    assert [code for code, result in DETAILED.results.items() if result is R.MISMATCH] == ["1"]
    assert {code for code, result in DETAILED.results.items() if result is R.RESTRICTED} == {"2", "3", "5"}
    assert DETAILED.results["9"] is R.UNAVAILABLE


# --- questions --------------------------------------------------------------------------------------------------------


def test_a_question_shows_no_value() -> None:
    shown = repr(question()) + str(question())
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize(
    "value",
    [NUMBER, CARD, "13800138000", "130503670401001", "欧阳测试", "short", "", "H12345678901", "a" * 129, 5, None],
)
def test_a_number_or_name_is_not_taken_for_a_token_and_is_not_shown(value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        token_of("card_token", value)
    assert "card_token" in str(refusal.value)
    assert not value or str(value) not in str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"order_id": "欧阳"}, "order_id"), ({"order_id": ""}, "order_id"),
        ({"subject_token": NUMBER}, "subject_token"),
        ({"card_token": None}, "card_token"), ({"card_token": CARD}, "card_token"),
        ({"values": {"card": CARD, "mother": "x"}}, "values"), ({"values": {"card": ""}}, "values"),
        ({"values": {"card": 5}}, "values"), ({"values": {}, "card_token": None}, "values"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_refused_by_name(changed: dict[str, Any], field: str) -> None:
    right = {
        "kind": K.FOUR_FACTOR, "order_id": "order-0001", "borrower_id": "B1", "values": {"card": CARD},
        "subject_token": token("subject", "x"), "card_token": token("card", CARD),
    }  # fmt: skip
    CheckRequest(**right)
    with pytest.raises(InvalidInput, match=field):
        CheckRequest(**right | changed)


# --- attempts ---------------------------------------------------------------------------------------------------------


def at(hours_ago: float, result: CheckResult | None) -> Attempt:
    return Attempt(NOW - timedelta(hours=hours_ago), result)


def test_a_card_is_held_after_two_wrong_answers_in_a_row() -> None:
    assert held_until([], NOW) is None
    assert held_until([at(1, R.MISMATCH)], NOW) is None
    assert held_until([at(2, R.MISMATCH), at(1, R.MISMATCH)], NOW) is not None
    assert held_until([at(3, R.MISMATCH), at(2, R.MATCH), at(1, R.MISMATCH)], NOW) is None
    assert held_until([at(3, R.MATCH), at(2, R.MISMATCH), at(1, R.MISMATCH)], NOW) is not None


def test_what_is_neither_right_nor_wrong_does_not_break_the_row() -> None:
    between = [at(2.5, R.UNAVAILABLE), at(2, R.RESTRICTED)]
    assert held_until([at(3, R.MISMATCH), *between, at(1, R.MISMATCH)], NOW) is not None
    assert held_until([*between, at(1, R.MISMATCH)], NOW) is None


def test_an_answer_that_was_lost_may_have_been_wrong() -> None:
    assert held_until([at(2, None), at(1, R.MISMATCH)], NOW) is not None
    assert held_until([at(2, None), at(1, R.MATCH)], NOW) is None


def test_a_card_is_asked_about_ten_times_a_day_and_no_more() -> None:
    assert held_until([at(0.1 * n, R.MATCH) for n in range(9)], NOW) is None
    assert held_until([at(0.1 * n, R.MATCH) for n in range(10)], NOW) is not None


def test_attempts_are_forgotten_when_twelve_hours_and_a_midnight_have_passed() -> None:
    def china(day: int, hour: int) -> datetime:
        return datetime(2026, 11, day, hour, tzinfo=CHINA)

    assert forgotten_at(china(27, 1)) == china(28, 0), "twelve hours pass first"
    assert forgotten_at(china(27, 20)) == china(28, 8), "midnight passes first"


instants = st.integers(-60 * 60, 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
histories = st.lists(st.builds(Attempt, instants, st.sampled_from([None, *CheckResult])), max_size=14)


def counted_plainly(attempts: list[Attempt], now: datetime) -> bool:
    """Whether a card may be asked about, told as a story: the attempts of these hours or this day, one by one."""
    wrong = asked = 0
    for attempt in sorted(attempts, key=lambda one: one.at):
        today = attempt.at.astimezone(CHINA).date() >= now.astimezone(CHINA).date()
        if not today and now - attempt.at >= timedelta(hours=12):
            continue
        asked += 1
        if attempt.result is R.MATCH:
            wrong = 0
        elif attempt.result in (R.MISMATCH, None):
            wrong += 1
    return wrong < 2 and asked < 10


@settings(max_examples=500)
@given(histories)
def test_the_hold_is_what_counting_says_and_ends_when_it_says(attempts: list[Attempt]) -> None:
    if len({attempt.at for attempt in attempts}) < len(attempts):
        return  # which of two at one instant came first is open
    until = held_until(attempts, NOW)
    assert (until is None) == counted_plainly(attempts, NOW)
    if until is not None:
        assert held_until(attempts, until) is None
        assert not counted_plainly(attempts, until - timedelta(microseconds=1))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 600), st.sampled_from([None, *CheckResult])), max_size=60))
def test_no_sequence_of_requests_ever_makes_a_third_wrong_answer_or_an_eleventh_question(
    requests: list[tuple[int, CheckResult | None]],
) -> None:
    """Whichever way the issuer forgets: after 12 hours, or at midnight."""
    now, made = NOW, list[Attempt]()
    for minutes, result in requests:
        now += timedelta(minutes=minutes)
        if held_until(made, now) is None:
            made.append(Attempt(now, result))
    for forgets in (
        lambda then, now: now - then >= timedelta(hours=12),
        lambda then, now: then.astimezone(CHINA).date() < now.astimezone(CHINA).date(),
    ):
        for last in range(len(made)):
            counted = [one for one in made[: last + 1] if not forgets(one.at, made[last].at)]
            assert len(counted) <= 10
            row = 0
            for one in counted:
                row = 0 if one.result is R.MATCH else row + (one.result in (R.MISMATCH, None))
                assert row <= 2
