"""Outside agencies: what they are given, how they behave, and that nobody is paid for the amount alone."""

from __future__ import annotations

import secrets
from datetime import date, timedelta

import pytest
from case_world import TOLD_AGENCY, World
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.agencies import MILLION, Agency, Conduct, Tried, commission, conduct
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.arrears.cases.reading import one, worklist
from evenkeel.arrears.contacts.model import Contact, Ended
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted


def agency(**changed: object) -> Agency:
    return Agency(agency_id="ag", **{**TOLD_AGENCY, **changed})


def outside(world: World, **changed: object) -> Outsourcing:
    found = Outsourcing(world.cases)
    found.tell(agency(**changed), "x")
    return found


def assign(world: World, found: Outsourcing, who: str) -> str:
    case_id = world.cases.open(who, "x").case_id
    found.assign(case_id, acts.Assign(by="x", agency_id="ag"), secrets.token_hex(8))
    return case_id


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"evaluated_on": None}, "CN-GBT-ORG: unknown"), ({"evaluated_on": date(2025, 3, 9)}, "due 2026-03-09"),
        ({"trained_on": None}, "CN-GBT-ORG"), ({"processor_contract": False}, "CN-PIPL-21"),
        ({"impact_assessed": None}, "CN-PIPL-55"), ({"conduct_ppm": 0}, "CN-CARD-066: amount_alone"),
        ({"contract_until": date(2026, 3, 9)}, "does not run"), ({"contract_until": None}, "does not run"),
    ],
)  # fmt: skip
def test_an_agency_that_lacks_something_is_given_nothing(world: World, changed: dict[str, object], words: str) -> None:
    found, case_id = outside(world, **changed), world.cases.open(world.borrower(), "x").case_id
    made_up = {"agency_evaluated_on": "2026-03-01", "staff_trained_on": "2026-03-01", "processor_contract": True,
               "impact_assessed": True, "pay_basis": "fixed"}  # fmt: skip
    for facts in ({}, made_up):  # what is on record of it counts, and nothing that somebody says with the case
        with pytest.raises((NotPermitted, Conflict), match=words):
            found.assign(case_id, acts.Assign(by="x", agency_id="ag", facts=facts), secrets.token_hex(8))


def test_an_agency_that_nobody_knows_is_given_nothing(world: World) -> None:
    case_id = world.cases.open(world.borrower(), "x").case_id
    with pytest.raises(NotFound, match="no agency"):
        Outsourcing(world.cases).assign(case_id, acts.Assign(by="x", agency_id="ag"), "k")


def test_evaluated_a_year_ago_to_the_day_is_enough(world: World) -> None:
    found = outside(world, evaluated_on=date(2025, 3, 10), trained_on=date(2025, 3, 10))
    assign(world, found, world.borrower())
    with pytest.raises(InvalidInput, match="lies ahead"):
        found.tell(agency(evaluated_on=world.today + timedelta(days=1)), "x")


def test_a_batch_tells_what_became_of_each_and_goes_on_where_it_ended(world: World) -> None:
    found = outside(world)
    good, disputed, held = (world.cases.open(world.borrower(), "x").case_id for _ in range(3))
    world.cases.act(disputed, acts.Dispute(by="x", about="debt"), secrets.token_hex(8))
    told = found.batch([good, disputed, "no-such-case", good], "ag", "x", "w1")
    assert [(one.case_id, one.assigned) for one in told] == [(good, True), (disputed, False), ("no-such-case", False)]
    assert "a dispute is open" in told[1].error
    world.later(days=1)
    again = found.batch([good, held], "ag", "x", "w1")
    assert [one.assigned for one in again] == [True, True]
    assert [entry.kind for entry in one(world.cases, good).timeline] == ["opened", "assigned"]
    assert {row.case_id for row in worklist(world.cases, agency_id="ag").cases} == {good, held}
    for wrong in ([], [f"c{n}" for n in range(10_001)]):
        with pytest.raises(InvalidInput, match="batch"):
            found.batch(wrong, "ag", "x", "w2")


def test_caps_run_on_at_the_agency(world: World) -> None:
    who = world.borrower()
    contacts = Contacts(world.journal, world.lender, world.cases.rules, "CN")
    call = Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai",
                   actor_type="consumer_finance", product="bnpl")  # fmt: skip
    for _ in range(3):
        world.later(minutes=10)
        told = contacts.ask(call, secrets.token_hex(8))
        contacts.tell(told.contact_id, Ended(answered=True, conversation=True))
    found = outside(world)
    case_id = assign(world, found, who)
    handed = found.hand_over(case_id)
    assert [(one.channel, one.conversation) for one in handed.contacts] == [("call", True)] * 3
    assert (handed.agency_id, handed.represented, handed.channels, handed.past_due_minor >= 50_000) == (
        "ag", False, None, True
    )  # fmt: skip
    its = Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai", actor_id="ag",
                  actor_type="agency", product="bnpl")  # fmt: skip
    refused = contacts.ask(its, secrets.token_hex(8))
    assert not refused.may and "CN-GBT-FREQ" in {one.id for one in refused.rules}
    with pytest.raises(Conflict, match="No agency"):
        found.hand_over(world.cases.open(world.borrower(), "x").case_id)


def test_conduct_counts_broken_rules_complaints_and_asking_on(world: World) -> None:
    found = outside(world)
    good, broken, complained, stubborn = (world.borrower() for _ in range(4))
    ids = {who: assign(world, found, who) for who in (good, broken, complained, stubborn)}
    contacts = Contacts(world.journal, world.lender, world.cases.rules, "CN")

    def call(who: str, **more: object) -> None:
        contacts.ask(
            Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai", actor_id="ag",
                    actor_type="agency", product="bnpl", **more),
            secrets.token_hex(8),
        )  # fmt: skip

    call(good)
    world.later(hours=13)  # eleven at night
    call(broken, made=True)
    for _ in range(3):
        call(stubborn)
    world.later(hours=11)
    told = acts.Complaint(by="x", via="12378", kind="threat", agency_id="ag")
    groundless = world.cases.act(ids[good], told, secrets.token_hex(8)).fact_id
    answer = acts.AnswerComplaint(by="x", complaint=groundless, outcome="rejected")
    world.cases.act(ids[good], answer, secrets.token_hex(8))
    world.cases.act(ids[complained], told, secrets.token_hex(8))
    world.pay(good, 10_000)
    judged = found.judged("ag", date(2026, 3, 1), date(2026, 3, 31))
    seen = judged.conduct
    assert (seen.cases, seen.unclean, seen.asked, seen.blocked, seen.broken, seen.complaints) == (4, 3, 5, 4, 1, 1)
    assert seen.score == 0.25 and seen.low is not None and seen.low < 0.25 < (seen.high or 0)
    assert judged.collected_minor == 10_000
    assert judged.commission is not None and judged.commission.amount_minor == 500  # the fixed half of 10 %
    nothing = found.judged("ag", date(2025, 1, 1), date(2025, 1, 31))
    assert (nothing.conduct.cases, nothing.conduct.score, nothing.collected_minor) == (0, None, 0)


def test_money_that_came_after_the_recall_is_not_the_agencys(world: World) -> None:
    found, who = outside(world), world.borrower()
    case_id = assign(world, found, who)
    world.later(days=2)
    world.pay(who, 4_000)
    world.cases.act(case_id, acts.Recall(by="x", why="review"), secrets.token_hex(8))
    world.later(days=2)
    world.pay(who, 9_000)
    assert found.judged("ag", date(2026, 3, 1), date(2026, 4, 30)).collected_minor == 4_000


RATES = st.integers(0, 500_000)


@given(RATES, st.integers(300_000, MILLION), st.integers(0, 10**12), st.integers(1, 400), st.data())
def test_a_commission_lies_between_its_fixed_part_and_its_base(
    rate: int, share: int, money: int, cases: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, cases))
    names = [f"c{n}" for n in range(cases)]
    found = conduct("ag", names, [], dict.fromkeys(names[:bad], 1))
    paid = commission(agency(rate_ppm=rate, conduct_ppm=share), money, found)
    assert 0 <= paid.fixed_minor <= paid.amount_minor <= paid.base_minor <= money // 2 + 1
    worse = conduct("ag", names, [], dict.fromkeys(names[: bad + 1], 1))
    assert commission(agency(rate_ppm=rate, conduct_ppm=share), money, worse).amount_minor <= paid.amount_minor
    # Wilson's lower end by its own equation: the share at which what was seen lies 1.96 standard errors away.
    clean = (cases - bad) / cases
    assert found.low is not None
    if 0 < bad < cases:
        assert abs((clean - found.low) - 1.959964 * (found.low * (1 - found.low) / cases) ** 0.5) < 1e-6


def test_a_rule_that_was_broken_costs_all_that_hangs_on_conduct() -> None:
    clean = Conduct("ag", 100, 0, 300, 0, 0, 0, 1.0, 0.963, 1.0)
    broken = Conduct("ag", 100, 1, 300, 1, 1, 0, 0.99, 0.945, 0.998)
    assert conduct("ag", ["c"], [Tried("c", may=False, made=True)], {}).broken == 1
    assert commission(agency(), 1_000_000, clean).amount_minor == 50_000 + 50_000 * 963_000 // MILLION
    assert commission(agency(), 1_000_000, broken).amount_minor == 50_000
    assert commission(agency(), 1_000_000, conduct("ag", [], [], {})).amount_minor == 50_000


@pytest.mark.parametrize("share", [0, 1, 299_999])
def test_pay_for_the_amount_alone_or_nearly_is_refused(share: int) -> None:
    with pytest.raises(NotPermitted, match="CN-CARD-066"):
        commission(agency(conduct_ppm=share), 100, conduct("ag", ["c"], [], {}))
    with pytest.raises(InvalidInput):
        commission(agency(), -1, conduct("ag", ["c"], [], {}))
