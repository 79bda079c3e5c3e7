"""Cases on record: opened once, worked on by one, closed when paid; what is refused, and in which words."""

from __future__ import annotations

import math
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from case_world import BEGIN, MARKED, World

from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.reading import next_of, one, worklist
from evenkeel.arrears.cases.sweeping import sweep
from evenkeel.arrears.cases.today import assigned_of
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted

UNTIL = date(2029, 1, 1)


def key() -> str:
    return secrets.token_hex(8)


def test_a_case_is_opened_once_and_only_where_something_is_late(world: World) -> None:
    late, fresh = world.borrower(), world.borrower(since_days=3)
    row = world.cases.open(late, "ana")
    assert (row.state, row.days_past_due > 60, row.past_due_minor >= 50_000) == ("open", True, True)
    assert world.cases.open(late, "bo") == row
    with pytest.raises(Conflict, match="Nothing of"):
        world.cases.open(fresh, "ana")
    with pytest.raises(NotFound, match="no borrower"):
        world.cases.open("nobody", "ana")
    with pytest.raises(NotFound):
        world.cases_of("another").open(late, "ana")
    with pytest.raises(NotFound):
        one(world.cases_of("another"), row.case_id)


def test_of_many_who_open_a_case_at_once_all_get_the_same(world: World) -> None:
    who = world.borrower()
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda n: world.cases.open(who, f"p{n}").case_id, range(6)))
    assert len(set(rows)) == 1
    assert [entry.kind for entry in one(world.cases, rows[0]).timeline] == ["opened"]


def test_a_key_does_once_what_it_does(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "ana").case_id
    act = acts.Promise(by="ana", amount_minor=500, on=world.today + timedelta(days=2))
    name = key()
    first = world.cases.act(case_id, act, name)
    world.later(days=20)
    assert world.cases.act(case_id, act, name) == first  # the state is that of then
    with pytest.raises(Conflict, match="another act"):
        world.cases.act(case_id, acts.Dispute(by="ana", about="debt"), name)
    assert [told.verdict for told in one(world.cases, case_id).promises] == ["broken"]


def test_a_claim_keeps_others_away_until_its_lease_is_over(world: World) -> None:
    case_id = world.cases.open(world.borrower(), "ana").case_id
    promise = acts.Promise(by="bo", amount_minor=500, on=world.today)
    assert world.cases.claim(case_id, "ana").claimed_by == "ana"
    for refused in (lambda: world.cases.claim(case_id, "bo"), lambda: world.cases.act(case_id, promise, key()),
                    lambda: world.cases.release(case_id, "bo")):  # fmt: skip
        with pytest.raises(Conflict):
            refused()
    world.cases.act(case_id, acts.Complaint(by="bo", via="own", kind="rude"), key())  # that is taken down always
    world.later(minutes=30)
    assert world.cases.claim(case_id, "bo").claimed_by == "bo"
    assert world.cases.release(case_id, "bo").claimed_by is None


def test_nobody_works_the_same_case_twice(world: World) -> None:
    for _ in range(6):
        world.borrower()
    assert sweep(world.cases).opened == 6
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: next_of(world.cases, f"p{n}"), range(8)))
    names = [row.case_id for row in taken if row is not None]
    assert len(names) == len(set(names)) == 6


def test_the_worklist_is_in_the_order_of_value_and_pages_lose_nothing(world: World) -> None:
    for place in range(7):
        world.borrower(bought=20_000 + 7_000 * (place % 4), since_days=80 + 25 * (place % 3))
    sweep(world.cases)
    whole = worklist(world.cases).cases
    worth = [-row.value_minor / {"call": 6.0, "reminder": 0.1}[row.treatment] for row in whole]
    assert worth == sorted(worth) and len(whole) == 7
    paged, after = [], None
    while True:
        page = worklist(world.cases, after=after, most=3)
        paged += page.cases
        if (after := page.next) is None:
            break
    assert [row.case_id for row in paged] == [row.case_id for row in whole]
    for wrong in ("x", "1~", "nan~a", "1~a;--"):
        with pytest.raises(InvalidInput, match="no place"):
            worklist(world.cases, after=wrong)


def test_an_assignment_of_the_day_orders_the_day_and_no_longer(world: World) -> None:
    small, large = world.borrower(20_000), world.borrower(200_000)
    day = {"borrower_id": [small, small, large, None], "treatment": ["call", "sms", "nothing", "x"]}
    told = assigned_of(pa.table(day | {"value_minor": [90_000.0, 5.0, 0.0, 1.0]}))
    assert told == {small: ("call", 90_000.0), large: ("nothing", 0.0)}
    assert sweep(world.cases, told).given == 2
    assert [row.borrower_id for row in worklist(world.cases).cases] == [small, large]
    world.later(days=1)
    sweep(world.cases)
    assert [row.borrower_id for row in worklist(world.cases).cases] == [large, small]
    with pytest.raises(InvalidInput, match="treatment"):
        assigned_of(pa.table({"borrower_id": ["a"], "value": [1.0]}))
    assert assigned_of(pa.table({"borrower_id": ["a"], "treatment": ["call"], "value": [math.nan]})) == {}


def test_where_nobody_collects_an_assignment_changes_nothing(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "x").case_id
    world.cases.act(case_id, acts.Hardship(by="x", cause="job"), key())
    sweep(world.cases, {who: ("call", 1e9)})
    (row,) = worklist(world.cases).cases
    assert (row.treatment, row.value_minor, row.skill) == ("nothing", 0.0, "care")
    assert next_of(world.cases, "x") is None


def test_an_answer_that_is_due_comes_before_all_values(world: World) -> None:
    rich, poor = world.borrower(900_000), world.borrower(1_000)
    sweep(world.cases)
    case_id = world.cases.open(poor, "x").case_id
    world.cases.act(case_id, acts.Complaint(by="x", via="12378", kind="rude"), key())
    assert [row.borrower_id for row in worklist(world.cases).cases] == [rich, poor]
    world.later(days=12)
    sweep(world.cases)
    first = worklist(world.cases).cases[0]
    assert (first.borrower_id, first.treatment, first.skill) == (poor, "human_review", "answers")
    assert first.act_by is not None and first.act_by <= date(2026, 3, 25)


def test_money_cures_and_money_that_did_not_hold_opens_again(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "x").case_id
    paid = world.pay(who, 60_000)
    assert sweep(world.cases).moved == {"cured": 1}
    assert worklist(world.cases).cases == []
    world.later(days=4)
    world.take_back(who, paid)
    assert sweep(world.cases).reopened == 1
    (row,) = worklist(world.cases).cases
    assert (row.case_id, row.state) == (case_id, "open")


def test_a_new_debt_after_a_cure_is_a_new_case(world: World) -> None:
    who = world.borrower()
    first = world.cases.open(who, "x").case_id
    world.pay(who, 60_000)
    sweep(world.cases)
    world.account(who, f"n-{who}", 9_000, 0)
    world.later(days=100)
    assert sweep(world.cases).opened == 1
    assert worklist(world.cases).cases[0].case_id != first


def test_a_debt_is_not_cured_while_an_answer_is_owed(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "x").case_id
    told = world.cases.act(case_id, acts.Dispute(by="x", about="debt"), key())
    world.pay(who, 60_000)
    assert sweep(world.cases).moved == {}
    answer = acts.AnswerDispute(by="x", dispute=told.fact_id, outcome="rejected", facts=MARKED)
    world.cases.act(case_id, answer, key())
    assert sweep(world.cases).moved == {"cured": 1}


def test_time_moves_a_case_once(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "x").case_id
    world.cases.act(case_id, acts.Promise(by="x", amount_minor=900, on=world.today), key())
    world.later(days=1)
    assert sweep(world.cases).moved == {"broken_promise": 1}
    assert sweep(world.cases).moved == {}
    assert [entry.kind for entry in one(world.cases, case_id).timeline] == [
        "opened", "promise", "promise_broken", "moved"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (acts.Promise(by="x", amount_minor=10**9, on=UNTIL), InvalidInput, "is owed"),
        (acts.Promise(by="x", amount_minor=1, on=date(2026, 3, 9)), InvalidInput, "is over"),
        (acts.Promise(by="x", amount_minor=1, on=UNTIL, account_id="a-other"), NotFound, "account"),
        (acts.Promise(by="x", amount_minor=1, on=UNTIL, at=BEGIN + timedelta(days=1)), InvalidInput, "ahead"),
        (acts.Promise(by="x", amount_minor=1, on=UNTIL, at=BEGIN - timedelta(days=1)), InvalidInput, "before the case"),
        (acts.AnswerDispute(by="x", dispute="no", outcome="upheld"), NotFound, "dispute"),
        (acts.AnswerComplaint(by="x", complaint="no", outcome="upheld"), NotFound, "complaint"),
        (acts.EndRepresentation(by="x", representation="no"), NotFound, "representation"),
        (acts.EndInsolvency(by="x", insolvency="no", outcome="dismissed"), NotFound, "insolvency"),
        (acts.ReviewVulnerable(by="x", vulnerability="no", ends=True), NotFound, "vulnerability"),
        (acts.Vulnerable(by="x", channels=[], review_on=UNTIL, need="health"), InvalidInput, "basis"),
        (acts.Vulnerable(by="x", channels=[], review_on=UNTIL, need="health", basis="consent"), NotPermitted,
         "CN-PIPL-55: impact_assessed"),
        (acts.Vulnerable(by="x", channels=[], review_on=date(2026, 3, 10)), InvalidInput, "ahead"),
        (acts.Complaint(by="x", via="own", kind="rude", received_on=UNTIL), InvalidInput, "ahead"),
        (acts.Complaint(by="x", via="own", kind="rude", agency_id="ag"), NotFound, "never had"),
        (acts.Hardship(by="x", cause="job", until=date(2026, 3, 9)), InvalidInput, "is over"),
        (acts.Recall(by="x", why="late"), NotPermitted, "no agency has the case"),
        (acts.EndLegal(by="x", why="late"), NotPermitted, "not at court"),
        (acts.Legal(by="x", limitation_ends_on=date(2026, 3, 9)), NotPermitted, "could be enforced until"),
        (acts.Sell(by="x", buyer_id="b", price_minor=0, limitation_ends_on=date(2026, 3, 9)), NotPermitted, "until"),
        (acts.Sell(by="x", buyer_id="b", price_minor=0, limitation_ends_on=UNTIL), NotPermitted, "CN-PIPL-23"),
        (acts.Assign(by="x", agency_id="ag"), NotPermitted, "CN-GBT-ORG"),
        (acts.Close(by="x", reason="settled"), NotPermitted, "does not end as settled"),
        (acts.Close(by="x", reason="written_off"), NotPermitted, "does not end"),
        (acts.Close(by="x", reason="insolvency_ended"), NotPermitted, "does not end"),
        (acts.Reverse(by="x", fact_id="no", why="mistyped"), NotFound, "no fact"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(world: World, act: acts.Act, error: type[Exception], words: str) -> None:
    case_id = world.cases.open(world.borrower(), "x").case_id
    before = one(world.cases, case_id)
    with pytest.raises(error, match=words):
        world.cases.act(case_id, act, key())
    assert one(world.cases, case_id) == before


def test_a_fact_about_health_needs_consent_or_a_life_in_danger(world: World) -> None:
    case_id = world.cases.open(world.borrower(), "x").case_id
    told = {"by": "x", "channels": ["letter"], "review_on": UNTIL, "need": "health"}
    world.cases.act(case_id, acts.Vulnerable(**told, basis="vital_interest"), key())
    world.cases.act(case_id, acts.Vulnerable(**told, basis="consent", facts={"impact_assessed": True}), key())
    with pytest.raises(NotPermitted, match="impact_assessed"):
        world.cases.act(case_id, acts.Vulnerable(**told, basis="consent", facts={"impact_assessed": False}), key())


def test_a_fact_is_taken_back_once_and_only_by_its_own_lender(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "x").case_id
    told = world.cases.act(case_id, acts.Hardship(by="x", cause="job"), key()).fact_id
    opening = next(entry.fact_id for entry in one(world.cases, case_id).timeline if entry.kind == "opened")
    back = acts.Reverse(by="x", fact_id=told, why="mistyped")
    again = world.cases.act(case_id, back, key())
    assert again.state == "open"
    with pytest.raises(Conflict, match="taken back already"):
        world.cases.act(case_id, back, key())
    world.cases.act(case_id, acts.Reverse(by="x", fact_id=again.fact_id, why="mistyped"), key())
    assert one(world.cases, case_id).row.state == "hardship"
    with pytest.raises(NotFound):
        world.cases.act(case_id, acts.Reverse(by="x", fact_id=str(opening), why="mistyped"), key())


def test_what_protects_is_refused_by_no_claim_and_what_is_hard_is_never_dated_back(world: World) -> None:
    case_id = world.cases.open(world.borrower(), "x").case_id
    world.later(days=2)
    back = world.now - timedelta(days=1)
    hard: list[Any] = [
        acts.Legal(by="x", limitation_ends_on=UNTIL, at=back),
        acts.Sell(by="x", buyer_id="b", price_minor=1, limitation_ends_on=UNTIL, at=back),
        acts.Assign(by="x", agency_id="ag", at=back),
    ]
    for act in hard:
        with pytest.raises(InvalidInput, match="not in the past"):
            world.cases.act(case_id, act, key())
    assert world.cases.act(case_id, acts.Dispute(by="x", about="debt", at=back), key()).state == "disputed"


def test_the_story_is_told_in_both_languages_in_the_order_of_what_happened(world: World) -> None:
    who = world.borrower()
    case_id = world.cases.open(who, "ana").case_id
    world.cases.act(case_id, acts.Promise(by="ana", amount_minor=50_000, on=world.today + timedelta(days=2)), key())
    world.later(days=1)
    world.pay(who, 20_000)
    world.later(days=3)
    late = acts.Complaint(by="ana", via="12378", kind="harassment", at=world.now - timedelta(days=3))
    world.cases.act(case_id, late, key())
    for language, words in (("en", "Of the promise of 500.00 CNY by 2026-03-12, 200.00 CNY was paid."),
                            ("zh", "2026-03-12到期的500.00 CNY还款承诺，已还200.00 CNY。")):  # fmt: skip
        found = one(world.cases_of(world.lender, language=language), case_id)
        assert [entry.kind for entry in found.timeline] == [
            "opened", "promise", "payment", "complaint_opened", "promise_partly"
        ]  # fmt: skip
        assert found.timeline[-1].text == words
        assert found.timeline[3].booked_at == world.now  # it became known three days later
        assert found.late[-1][1] > 60
    assert {stopped.act for stopped in found.row.forbidden or ()} == {"assign", "legal", "sell", "close"}
