"""Facts of an account: which are read, which stand on a day, and what may be reversed."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.facts import (
    FIELDS,
    RESTRUCTURINGS,
    AccountFact,
    FactKind,
    check_reversal,
    read_fact,
    standing,
)
from evenkeel.kernel.errors import InvalidInput

FIRST = date(2024, 1, 1)


def _day(number: int) -> date:
    return FIRST + timedelta(days=number)


def _payment(fact_id: str, day: int = 0) -> AccountFact:
    return AccountFact(fact_id, FactKind.PAYMENT, _day(day), 100)


def _reversal(fact_id: str, of: str, day: int = 0) -> AccountFact:
    return AccountFact(fact_id, FactKind.REVERSAL, _day(day), reversal_of=of)


def _ids(facts: Sequence[AccountFact]) -> list[str]:
    return [fact.fact_id for fact in facts]


# ---- reading -----------------------------------------------------------------------------------------------------


def test_a_fact_is_read_with_its_amount_apart_and_its_details_in_their_types() -> None:
    record = {
        "fact_id": "i1", "kind": "instalment_plan", "effective_on": "2024-05-31", "amount_minor": 120_000,
        "instalments": 12, "fee_rate_per_period": "0.007",
    }  # fmt: skip
    fact = read_fact(record)
    assert (fact.fact_id, fact.kind, fact.effective_on) == ("i1", FactKind.INSTALMENT_PLAN, date(2024, 5, 31))
    assert fact.amount_minor == 120_000 and fact.reversal_of is None
    assert fact.details == {"instalments": 12, "fee_rate_per_period": Fraction(7, 1000), "rate_annual": None}


def test_every_kind_of_fact_says_what_it_must_say() -> None:
    assert FIELDS.keys() == set(FactKind) and set(FactKind) > RESTRUCTURINGS


def test_only_a_reversal_names_what_it_reverses() -> None:
    head = {"fact_id": "r1", "effective_on": "2024-05-31"}
    assert read_fact(head | {"kind": "reversal", "reversal_of": "p1"}).reversal_of == "p1"
    with pytest.raises(InvalidInput, match="reversal r1 lacks `reversal_of`"):
        read_fact(head | {"kind": "reversal"})
    with pytest.raises(InvalidInput, match="closed r1 has `reversal_of`, which only a reversal has"):
        read_fact(head | {"kind": "closed", "reversal_of": "p1"})


# ---- standing ----------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[AccountFact]:
    """Facts in the order booked: payments on any day, and reversals of earlier facts, reversals among them, that take
    effect on the day of what they reverse or later."""
    facts: list[AccountFact] = []
    for number in range(draw(st.integers(0, 12))):
        target = draw(st.none() | st.sampled_from(facts)) if facts else None
        if target is None:
            facts.append(_payment(f"f{number}", draw(st.integers(0, 6))))
        else:
            day = (target.effective_on - FIRST).days + draw(st.integers(0, 3))
            facts.append(_reversal(f"f{number}", target.fact_id, day))
    return facts


def _stands(fact: AccountFact, known: Sequence[AccountFact]) -> bool:
    """By definition: no reversal that stands itself names the fact."""
    return not any(other.reversal_of == fact.fact_id and _stands(other, known) for other in known)


@given(histories(), st.integers(0, 12))
def test_a_fact_stands_unless_a_reversal_that_stands_names_it(facts: list[AccountFact], day: int) -> None:
    known = [fact for fact in facts if fact.effective_on <= _day(day)]
    expected = {fact.fact_id for fact in known if fact.kind is not FactKind.REVERSAL and _stands(fact, known)}
    assert set(_ids(standing(facts, _day(day)))) == expected


@given(histories(), st.integers(0, 12))
def test_facts_stand_by_day_and_within_a_day_in_the_order_booked(facts: list[AccountFact], day: int) -> None:
    found = standing(facts, _day(day))
    places = [(fact.effective_on, facts.index(fact)) for fact in found]
    assert places == sorted(places) and len(set(places)) == len(places)


@given(histories())
def test_a_day_knows_nothing_of_later_days(facts: list[AccountFact]) -> None:
    for day in range(8):
        until = [fact for fact in facts if fact.effective_on <= _day(day)]
        assert standing(facts, _day(day)) == standing(until, date.max)


@given(histories(), st.data())
def test_a_reversal_and_the_reversal_of_it_leave_everything_as_it_was(
    facts: list[AccountFact], data: st.DataObject
) -> None:
    before = standing(facts, date.max)
    if before:
        target = data.draw(st.sampled_from(before))
        day = (target.effective_on - FIRST).days
        undone = [*facts, _reversal("r", target.fact_id, day)]
        assert standing(undone, date.max) == [fact for fact in before if fact is not target]
        assert standing([*undone, _reversal("rr", "r", day)], date.max) == before


def test_a_reversed_fact_counts_until_its_reversal_takes_effect() -> None:
    facts = [_payment("p", 1), _reversal("r", "p", 5)]
    assert [_ids(standing(facts, _day(day))) for day in (0, 1, 4, 5)] == [[], ["p"], ["p"], []]


# ---- what may be reversed ----------------------------------------------------------------------------------------


def test_a_reversal_of_what_stands_is_allowed_from_its_own_day_on() -> None:
    facts = [_payment("p", 3)]
    check_reversal(facts, _reversal("r", "p", 3))
    check_reversal(facts, _reversal("r", "p", 9))
    with pytest.raises(InvalidInput, match="r takes effect on 2024-01-03, before p on 2024-01-04"):
        check_reversal(facts, _reversal("r", "p", 2))


def test_a_reversal_of_what_is_not_on_record_is_refused() -> None:
    with pytest.raises(InvalidInput, match="r reverses q, which is not a fact of this account"):
        check_reversal([_payment("p")], _reversal("r", "q"))


def test_nothing_is_reversed_twice_while_it_is_reversed() -> None:
    facts = [_payment("p"), _reversal("r", "p")]
    with pytest.raises(InvalidInput, match="p is reversed already"):
        check_reversal(facts, _reversal("r2", "p"))
    undone = [*facts, _reversal("rr", "r")]
    check_reversal(undone, _reversal("r2", "p"))
    with pytest.raises(InvalidInput, match="r is reversed already"):
        check_reversal(undone, _reversal("rr2", "r"))


@pytest.mark.parametrize("kind", sorted(RESTRUCTURINGS))
def test_only_the_latest_restructuring_is_reversed(kind: FactKind) -> None:
    facts = [AccountFact("a", kind, _day(1)), AccountFact("b", FactKind.TERM_EXTENDED, _day(2)), _payment("p", 3)]
    check_reversal(facts, _reversal("r", "b", 4))
    with pytest.raises(InvalidInput, match="a is not the latest restructuring; b came after it"):
        check_reversal(facts, _reversal("r", "a", 4))
    check_reversal([*facts, _reversal("r", "b", 4)], _reversal("r2", "a", 5))


@given(histories(), st.data())
def test_a_reversal_that_is_allowed_takes_its_target_out(facts: list[AccountFact], data: st.DataObject) -> None:
    if not facts:
        return
    target = data.draw(st.sampled_from(facts))
    reversal = _reversal("r", target.fact_id, (target.effective_on - FIRST).days + data.draw(st.integers(-1, 2)))
    try:
        check_reversal(facts, reversal)
    except InvalidInput:
        known = _stands(target, facts)
        assert not known or reversal.effective_on < target.effective_on
    else:
        assert _stands(target, facts) and not _stands(target, [*facts, reversal])
        if target.kind is not FactKind.REVERSAL:
            assert target in standing(facts, date.max) and target not in standing([*facts, reversal], date.max)
