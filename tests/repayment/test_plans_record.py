"""Plans on a real record: what is booked, by whom, once; what is matched from accounts; what is made again."""

import threading
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from engine_samples import LENDER, book, opening
from plan_samples import AS_OF, agreed, case, due, kinds, pay_days, plain, poor, running

from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound, NotPermitted
from evenkeel.repayment.case import Case, Policy
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.life import life as lives
from evenkeel.repayment.life.plans import Plans
from evenkeel.repayment.planning import plan_of
from evenkeel.storage import chain
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace, open_workspace

LATER = timedelta(days=lives.GRACE_DAYS + 1)


@pytest.fixture
def plans(record: Workspace) -> Plans:
    return Plans(record.journal, LENDER)


def paying(account: str, fact: str, on: date, amount: int, **more: Any) -> dict[str, object]:
    return {"account_id": account, "fact_id": fact, "kind": "payment", "effective_on": on.isoformat(),
            "amount_minor": amount, **more}  # fmt: skip


def with_account(record: Workspace) -> None:
    """The line of the case as an account of the lender: 4,000.00 are owed."""
    book(record, opening("line", "b1", 500_000, "2025-05-01"),
         {"account_id": "line", "fact_id": "p", "kind": "purchase", "effective_on": "2025-05-02",
          "amount_minor": 400_000})  # fmt: skip


# ---- Proposed ------------------------------------------------------------------------------------------------------


def test_the_same_plan_twice_is_one(record: Workspace, plans: Plans) -> None:
    first, second = (plans.propose(case(), "cheapest", by) for by in ("ana", "ben"))
    assert first == second
    assert kinds(record, "plan.") == ["plan.proposed"]


def test_what_is_on_record_is_the_plan_that_was_found(plans: Plans) -> None:
    from evenkeel.repayment.document import plan_document

    planned = plan_of(case())
    found = plan_document(planned, planned.plans[0])
    life = plans.propose(case(), "cheapest", "ana")
    assert life.document == msgspec.json.decode(msgspec.json.encode(found))
    assert lives.digest(life.document) == lives.digest(found)


def test_a_case_without_a_plan_proposes_none(record: Workspace, plans: Plans) -> None:
    with pytest.raises(InvalidInput, match="has no plan `cheapest`: none keeps everybody's terms"):
        plans.propose(case_of(poor(), str), "cheapest", "ana")
    assert kinds(record, "plan.") == []


def test_a_plan_of_another_lender_is_not_there(record: Workspace, plans: Plans) -> None:
    plan_id = plans.propose(case(), "cheapest", "ana").plan_id
    with pytest.raises(NotFound):
        Plans(record.journal, "lender-9").life(plan_id)


# ---- Agreed and signed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "allowed"), [("head", True), ("clerk", False), (None, False), ("porter", False)])
def test_a_waiver_is_agreed_to_by_a_role_that_may_waive_as_much(plans: Plans, role: str | None, allowed: bool) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    assert life.asked_minor["card"] == 30_000  # all that the head may waive
    if allowed:
        assert plans.consent(life.plan_id, "card", "li", role, AS_OF).consents["card"].approved_minor == 30_000
        return
    with pytest.raises(NotPermitted):
        plans.consent(life.plan_id, "card", "li", role, AS_OF)
    assert plans.life(life.plan_id).consents["card"].status == "waiting"


@pytest.mark.parametrize(("director", "allowed"), [(29_999, False), (30_000, True), (90_000, True)])
def test_another_role_than_the_case_names_agrees_within_its_own_authority(
    plans: Plans, director: int, allowed: bool
) -> None:
    told = plain()
    told["policies"]["bank-a"]["authority"].append({"role": "director", "most_minor": director})
    life = plans.propose(case_of(told, str), "cheapest", "ana")
    if allowed:
        plans.consent(life.plan_id, "card", "zhao", "director", AS_OF)
        return
    with pytest.raises(NotPermitted, match=r"the role `director` may waive 299\.99 CNY"):
        plans.consent(life.plan_id, "card", "zhao", "director", AS_OF)


def test_where_one_role_alone_may_waive_nobody_agrees_without_it(plans: Plans) -> None:
    told = plain()
    told["policies"]["bank-a"]["authority"] = [{"role": "head", "most_minor": 30_000}]
    life = plans.propose(case_of(told, str), "cheapest", "ana")
    with pytest.raises(NotPermitted, match=r"somebody without a role may waive 0\.00 CNY"):
        plans.consent(life.plan_id, "card", "li", None, AS_OF)


def test_a_creditor_whose_policy_limits_nobody_agrees_without_a_role(plans: Plans) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    assert plans.consent(life.plan_id, "line", "li", None, AS_OF).consents["line"].status == "consented"


def test_a_signature_holds_who_when_and_the_hash_of_the_plan(plans: Plans) -> None:
    life = plans.life(running(plans))
    assert (life.signed_by, life.signed_on, life.status) == ("wang", AS_OF, "running")
    assert life.signature == lives.digest(life.document)


def test_what_has_not_happened_is_not_booked(record: Workspace, plans: Plans) -> None:
    ahead = date(2029, 6, 3)
    plan_id = agreed(plans)
    steps = [
        lambda: plans.sign(plan_id, "wang", ahead), lambda: plans.look(plan_id, ahead),
        lambda: plans.pay(plan_id, "card", 1, ahead, "p"), lambda: plans.replan(plan_id, ahead, "ana"),
        lambda: plans.consent(plan_id, "card", "li", "head", ahead),
    ]  # fmt: skip
    before = kinds(record, "plan.")
    for step in steps:
        with pytest.raises(InvalidInput, match="The day 2029-06-03 lies ahead"):
            step()
    assert kinds(record, "plan.") == before


def test_a_creditor_answers_for_itself_and_the_keeper_for_what_it_was_told(record: Workspace) -> None:
    adviser, bank = Plans(record.journal, "adviser"), Plans(record.journal, "bank-a")
    plan_id = adviser.propose(case(), "cheapest", "ana").plan_id
    assert bank.life(plan_id).plan_id == plan_id
    bank.consent(plan_id, "card", "li", "head", AS_OF)
    for step in (
        lambda: bank.consent(plan_id, "line", "li", "head", AS_OF),
        lambda: bank.refuse(plan_id, "line", "li", "", AS_OF),
        lambda: bank.sign(plan_id, "wang", AS_OF),
        lambda: bank.replan(plan_id, AS_OF, "li"),
        lambda: bank.pay(plan_id, "line", 1, AS_OF, "p"),
    ):
        with pytest.raises(NotPermitted, match="is kept by adviser; bank-a is a creditor in it"):
            step()
    adviser.consent(plan_id, "line", "ana", None, AS_OF)
    assert adviser.sign(plan_id, "wang", AS_OF).status == "running"


# ---- Two at once ---------------------------------------------------------------------------------------------------


def test_two_who_write_the_next_fact_at_once_collide_and_nothing_is_doubled(
    record: Workspace, plans: Plans, given_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two real connections that have both read the plan before either writes."""
    plan_id = agreed(plans)
    both = threading.Barrier(2)
    outcomes: list[object] = []

    class Slow(Plans):
        def _append(self, plan_id: str, facts: Any) -> None:
            both.wait(20)
            super()._append(plan_id, facts)

    def sign(workspace: Workspace) -> None:
        try:
            outcomes.append(Slow(workspace.journal, LENDER).sign(plan_id, "wang", AS_OF).status)
        except EvenkeelError as error:
            outcomes.append(error)

    with open_workspace(tmp_path_factory.mktemp("other") / "w", database_url=given_url,
                        clock=record.journal.clock) as other:  # fmt: skip
        people = [threading.Thread(target=sign, args=(one,)) for one in (record, other)]
        for one in people:
            one.start()
        for one in people:
            one.join(40)
    [refused] = [one for one in outcomes if isinstance(one, Exception)]
    assert isinstance(refused, Conflict) and "has moved on since it was looked at" in refused.message
    assert [one for one in outcomes if not isinstance(one, Exception)] == ["running"]
    assert kinds(record, "plan.").count("plan.signed") == 1
    assert kinds(record, "event.") == ["event.plan_signed"]


# ---- Paid, missed, completed ---------------------------------------------------------------------------------------


def test_a_plan_that_is_paid_is_completed_and_the_record_verifies(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    pay_days(plans, plan_id, 100)
    life = plans.life(plan_id)
    assert (life.status, life.left_minor, life.missed) == ("completed", 0, ())
    assert kinds(record, "event.") == ["event.plan_signed", "event.plan_completed"]
    with transaction(record.engine) as connection:
        whose = connection.execute(sa.text("SELECT DISTINCT borrower_id FROM journal WHERE kind LIKE 'event.%'"))
        assert whose.scalars().all() == ["b1"]
    assert not chain.verify(record.engine).faults


def test_a_plan_that_is_not_paid_is_missed_then_broken(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    (first, _), (second, _) = due(plans, plan_id)[:2]
    assert plans.look(plan_id, first + LATER - timedelta(days=1)).status == "running"
    assert plans.look(plan_id, first + LATER).status == "late"
    assert plans.look(plan_id, first + LATER).status == "late"
    assert plans.look(plan_id, second + LATER).status == "broken"
    assert kinds(record, "plan.")[-2:] == ["plan.missed", "plan.broken"]
    assert kinds(record, "event.") == ["event.plan_signed", "event.plan_broken"]


def test_what_is_missed_is_caught_up_by_a_payment(plans: Plans) -> None:
    plan_id = running(plans)
    [(first, rows)] = due(plans, plan_id)[:1]
    assert plans.look(plan_id, first + LATER).status == "late"
    for debt, amount in rows:
        life = plans.pay(plan_id, debt, amount, first + LATER, f"late-{debt}")
    assert (life.status, life.missed) == ("running", ())


def test_a_payment_that_is_told_twice_counts_once(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    for _ in range(2):
        life = plans.pay(plan_id, "card", 5_000, AS_OF, "p1")
    assert life.paid_minor == {"card": 5_000}
    assert kinds(record, "plan.").count("plan.paid") == 1


def test_payments_are_matched_from_accounts_on_the_record(record: Workspace, plans: Plans) -> None:
    with_account(record)
    book(record, paying("line", "before", AS_OF - timedelta(days=1), 1_000))
    plan_id = running(plans)
    [(first, rows)] = due(plans, plan_id)[:1]
    amount = dict(rows)["line"]
    book(record, paying("line", "pay-1", first, amount))
    for _ in range(2):
        assert plans.look(plan_id, first).paid_minor == {"line": amount}
    assert plans.look(plan_id, first + LATER).missed[0].debt_id == "card"


def test_a_payment_that_was_reversed_does_not_count_before_or_after_it_was_matched(
    record: Workspace, plans: Plans
) -> None:
    with_account(record)
    plan_id = running(plans)
    on = AS_OF + timedelta(days=2)
    book(record, paying("line", "pay-1", on, 10_000), paying("line", "pay-2", on, 3_000))
    book(record, {"account_id": "line", "fact_id": "r1", "kind": "reversal", "effective_on": on.isoformat(),
                  "reversal_of": "pay-1"})  # fmt: skip
    assert plans.look(plan_id, on).paid_minor == {"line": 3_000}
    book(record, {"account_id": "line", "fact_id": "r2", "kind": "reversal", "effective_on": on.isoformat(),
                  "reversal_of": "pay-2"})  # fmt: skip
    assert plans.look(plan_id, on).paid_minor == {}
    assert kinds(record, "plan.")[-1] == "plan.taken_back"
    assert plans.look(plan_id, on).paid_minor == {}


def test_a_payment_that_was_charged_back_in_part_counts_for_the_rest(record: Workspace, plans: Plans) -> None:
    with_account(record)
    plan_id = running(plans)
    on = AS_OF + timedelta(days=2)
    book(record, paying("line", "pay-1", on, 10_000))
    assert plans.look(plan_id, on).paid_minor == {"line": 10_000}
    book(record, {"account_id": "line", "fact_id": "cb", "kind": "chargeback", "effective_on": on.isoformat(),
                  "amount_minor": 4_000, "of": "pay-1"})  # fmt: skip
    assert plans.look(plan_id, on).paid_minor == {"line": 6_000}
    assert plans.look(plan_id, on).paid_minor == {"line": 6_000}


def test_a_look_at_an_earlier_day_undoes_no_payment_that_was_matched_since(record: Workspace, plans: Plans) -> None:
    with_account(record)
    plan_id = running(plans)
    on = AS_OF + timedelta(days=5)
    book(record, paying("line", "pay-1", on, 10_000))
    assert plans.look(plan_id, on).paid_minor == {"line": 10_000}
    assert plans.look(plan_id, AS_OF).paid_minor == {"line": 10_000}
    assert plans.pay(plan_id, "card", 500, AS_OF, "told-late").paid_minor == {"line": 10_000, "card": 500}


def test_a_payment_that_was_told_and_bounced_is_missing_again(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    (first, rows), (second, _) = due(plans, plan_id)[:2]
    for debt, amount in rows:
        plans.pay(plan_id, debt, amount, first, f"first-{debt}")
    for _ in range(2):
        life = plans.reverse(plan_id, "first-card", "bounced", first + LATER)
        assert (life.status, [one.debt_id for one in life.missed]) == ("late", ["card"])
    assert kinds(record, "plan.").count("plan.reversed") == 1
    assert plans.look(plan_id, second + LATER).status == "broken"
    assert not chain.verify(record.engine).faults


def test_a_payment_is_reversed_by_the_keeper_or_by_the_creditor_that_got_it(record: Workspace) -> None:
    adviser, bank = Plans(record.journal, "adviser"), Plans(record.journal, "bank-a")
    plan_id = running(adviser)
    for debt in ("card", "line"):
        adviser.pay(plan_id, debt, 5_000, AS_OF, f"p-{debt}")
    with pytest.raises(NotPermitted, match="bank-a is a creditor in it"):
        bank.reverse(plan_id, "p-line", "", AS_OF)
    assert bank.reverse(plan_id, "p-card", "", AS_OF).paid_minor == {"line": 5_000}
    assert adviser.reverse(plan_id, "p-line", "", AS_OF).paid_minor == {}
    with pytest.raises(NotFound, match="no payment p-none"):
        adviser.reverse(plan_id, "p-none", "", AS_OF)


def test_a_payment_on_an_account_is_reversed_there(record: Workspace, plans: Plans) -> None:
    with_account(record)
    plan_id = running(plans)
    book(record, paying("line", "pay-1", AS_OF, 10_000))
    [told_by] = plans.look(plan_id, AS_OF).payments
    with pytest.raises(Conflict, match="is one of the account line on this record"):
        plans.reverse(plan_id, told_by, "", AS_OF)
    assert plans.life(plan_id).paid_minor == {"line": 10_000}


def test_a_plan_that_was_completed_by_a_payment_that_bounced_is_in_force_again(record: Workspace, plans: Plans) -> None:
    """To the borrower's lines as well: the newest of signed and completed says which, even on one day."""
    plan_id = running(plans)
    last = pay_days(plans, plan_id, 100)
    assert plans.life(plan_id).status == "completed"
    amount = plans.life(plan_id).payments[f"card-{last}"].amount_minor
    life = plans.reverse(plan_id, f"card-{last}", "bounced", last)
    assert (life.status, life.left_minor) == ("running", amount)
    assert plans.look(plan_id, last + LATER).status == "late"
    assert plans.pay(plan_id, "card", amount, last + LATER, "again").status == "completed"
    plans.reverse(plan_id, "again", "bounced", last + LATER)
    plans.pay(plan_id, "card", amount, last + LATER, "and-again")
    events = [entry.fact for entry in record.journal.read() if entry.fact.kind.startswith("event.")]
    assert [one.kind.removeprefix("event.plan_") for one in events] == ["signed", *["completed", "signed"] * 2,
                                                                        "completed"]  # fmt: skip
    moments = [one.effective_at for one in events]
    assert moments == sorted(set(moments))


def test_a_plan_that_an_account_completed_is_in_force_again_when_its_payment_is_reversed(
    record: Workspace, plans: Plans
) -> None:
    with_account(record)
    plan_id = running(plans)
    days = due(plans, plan_id)
    owed = sum(amount for _, rows in days for debt, amount in rows if debt == "line")
    book(record, paying("line", "all", AS_OF + timedelta(days=2), owed))
    for on, rows in days:
        for debt, amount in rows:
            if debt == "card":
                plans.pay(plan_id, debt, amount, on, f"{debt}-{on}")
    last = days[-1][0]
    assert plans.look(plan_id, last).status == "completed"
    book(record, paying("line", "more", last, 100))  # of no plan any more
    assert plans.look(plan_id, last).status == "completed"
    book(record, {"account_id": "line", "fact_id": "r", "kind": "reversal", "effective_on": last.isoformat(),
                  "reversal_of": "all"})  # fmt: skip
    life = plans.look(plan_id, last)
    assert (life.status, life.left_minor) == ("broken", owed - 100)
    assert kinds(record, "event.plan")[-3:] == ["event.plan_completed", "event.plan_signed", "event.plan_broken"]


def test_accounts_of_others_are_not_looked_into(record: Workspace) -> None:
    """A case may name any id as its debt: neither another borrower's account is read, nor another lender's."""
    with_account(record)
    on = AS_OF + timedelta(days=2)
    book(record, paying("line", "pay-1", on, 10_000))
    stranger = Plans(record.journal, "lender-9")
    plan_id = running(stranger)
    assert stranger.look(plan_id, on).paid_minor == {}
    assert Plans(record.journal, LENDER).look(plan_id, on).paid_minor == {"line": 10_000}  # its creditor itself
    own = Plans(record.journal, LENDER)
    plan_id = running(own, borrower_id="b2")
    assert own.look(plan_id, on).paid_minor == {}


# ---- Made again ----------------------------------------------------------------------------------------------------


def test_nothing_is_promised_for_a_creditor_that_refused(plans: Plans) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    plans.refuse(life.plan_id, "line", "li", "we sue", AS_OF)
    fresh = plans.replan(life.plan_id, AS_OF, "ana")
    assert set(fresh.creditors) == {"card"}
    assert {one.debt_id for one in fresh.instalments} == {"card"}
    old = plans.life(life.plan_id)
    assert (old.status, old.replaced_by, fresh.replaces) == ("replaced", fresh.plan_id, old.plan_id)


def test_a_counter_offer_is_kept_by_the_next_plan(plans: Plans) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    plans.counter(life.plan_id, "line", "li", Policy(terms=(3,), instalments="level"), AS_OF)
    fresh = plans.replan(life.plan_id, AS_OF, "ana")
    assert sum(one.debt_id == "line" for one in fresh.instalments) == 3


def two_of_one_creditor() -> Case:
    """The case with both debts held by one creditor, whose terms it tells once."""
    told = plain(policies={"bank-a": {"instalments": "level", "terms": [6, 12, 24]}})
    told["debts"][1]["creditor"] = "bank-a"
    return case_of(told, str)


@pytest.mark.parametrize(("only", "left"), [(True, {"card"}), (False, None)])
def test_a_refusal_is_for_all_that_a_creditor_holds_or_for_one_debt_only(
    plans: Plans, only: bool, left: set[str] | None
) -> None:
    life = plans.propose(two_of_one_creditor(), "cheapest", "ana")
    said = plans.refuse(life.plan_id, "line", "li", "we sue for it", AS_OF, only).consents
    assert (said["line"].only, said["card"].status) == (only, "waiting")
    if left is None:
        with pytest.raises(InvalidInput, match="no plan for household-1 any more"):
            plans.replan(life.plan_id, AS_OF, "ana")
        return
    fresh = plans.replan(life.plan_id, AS_OF, "ana")
    assert set(fresh.creditors) == left
    counted = plans.counter(fresh.plan_id, "card", "li", Policy(terms=(12,)), AS_OF).plan_id  # of all it holds
    assert set(plans.replan(counted, AS_OF, "ana").creditors) == left  # and what was refused stays refused


def test_a_counter_offer_for_one_debt_only_leaves_the_others_of_its_creditor_as_they_were(plans: Plans) -> None:
    life = plans.propose(two_of_one_creditor(), "cheapest", "ana")
    plans.counter(life.plan_id, "line", "li", Policy(terms=(9,), instalments="level"), AS_OF, True)
    fresh = plans.replan(life.plan_id, AS_OF, "ana")
    months = {debt: sum(one.debt_id == debt for one in fresh.instalments) for debt in fresh.creditors}
    assert months["line"] == 9 and months["card"] in (6, 12, 24)
    plans.refuse(fresh.plan_id, "card", "li", "", AS_OF)  # now all: also what it had offered for one
    with pytest.raises(InvalidInput, match="no plan for household-1 any more"):
        plans.replan(fresh.plan_id, AS_OF, "ana")


def test_what_was_refused_for_one_debt_stays_so_when_the_household_is_told_anew(plans: Plans) -> None:
    life = plans.propose(two_of_one_creditor(), "cheapest", "ana")
    plans.refuse(life.plan_id, "line", "li", "", AS_OF, True)
    fresh = plans.replan(life.plan_id, AS_OF, "ana", two_of_one_creditor())
    assert set(fresh.creditors) == {"card"}


def test_the_last_answer_counts(plans: Plans) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    plans.refuse(life.plan_id, "line", "li", "", AS_OF)
    plans.consent(life.plan_id, "line", "li", None, AS_OF)
    assert "line" in plans.replan(life.plan_id, AS_OF, "ana").creditors


def test_what_was_refused_stays_refused_when_the_household_is_told_anew(plans: Plans) -> None:
    life = plans.propose(case(), "cheapest", "ana")
    plans.refuse(life.plan_id, "line", "li", "", AS_OF)
    second = plans.replan(life.plan_id, AS_OF, "ana")
    third = plans.replan(second.plan_id, AS_OF, "ana", case(case_id="told-anew"))
    assert set(third.creditors) == {"card"}
    told = plain(case_id="again")
    told["policies"]["lender-1"]["consents"] = True  # unless it is said to agree now
    assert "line" in plans.replan(third.plan_id, AS_OF, "ana", case_of(told, str)).creditors


@pytest.mark.parametrize("paid", [1, 3])
def test_an_unchanged_household_keeps_its_instalments(plans: Plans, paid: int) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, paid)
    fresh = plans.replan(plan_id, on, "ana")
    assert fresh.document["name"] == "closest"
    assert fresh.asked_minor == {"card": 0, "line": 0}  # what was waived is waived, and not asked for again
    for (day, now), (then, before) in zip(due(plans, fresh.plan_id), due(plans, plan_id)[paid:], strict=True):
        assert day == then
        for (debt, amount), (same, agreed_to) in zip(now, before, strict=True):
            assert debt == same and abs(amount - agreed_to) <= 10  # fen: the least level instalment is found anew


def test_a_creditor_that_has_waived_is_not_asked_to_waive_of_the_rest_again(plans: Plans) -> None:
    told = plain()
    told["policies"]["bank-a"] |= {
        "waivers": {"fees": 1, "penalty": 1, "interest": 1, "principal": 0.05},
        "authority": [{"role": "head", "most_minor": 120_000}],
    }
    plan_id = running(plans, policies=told["policies"])
    assert plans.life(plan_id).asked_minor["card"] == 120_000
    on = pay_days(plans, plan_id, 1)
    assert plans.replan(plan_id, on, "ana").asked_minor["card"] == 0


def test_a_month_that_was_missed_is_spread_over_the_rest(plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 2)
    third, _ = due(plans, plan_id)[2]
    assert plans.look(plan_id, third + LATER).status == "late"
    fresh = plans.replan(plan_id, third + LATER, "ana")
    left = sum(amount for _, rows in due(plans, plan_id)[2:] for _, amount in rows)
    again = sum(one.amount_minor for one in fresh.instalments)
    assert left <= again <= left * 1.05  # with a little interest for the delay
    assert on < min(one.due_on for one in fresh.instalments)


def test_a_signed_plan_binds_until_another_is_signed(plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 1)
    fresh = plans.replan(plan_id, on, "ana")
    assert plans.life(plan_id).status == "running"
    assert lives.contact_stops(plans.life(plan_id))
    for debt in fresh.creditors:
        plans.consent(fresh.plan_id, debt, "li", "head", on)
    assert plans.sign(fresh.plan_id, "wang", on).status == "running"
    assert plans.life(plan_id).replaced_by == fresh.plan_id


def test_a_plan_made_again_twice_before_it_is_signed_replaces_the_one_in_force(plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 1)
    second = plans.replan(plan_id, on, "ana")
    plans.counter(second.plan_id, "line", "li", Policy(terms=(12,), instalments="level"), on)
    (later, rows) = due(plans, plan_id)[1]
    for debt, amount in rows:
        plans.pay(plan_id, debt, amount, later, f"second-{debt}")
    third = plans.replan(second.plan_id, later, "ana")
    owed = {one["id"]: one for one in third.case["debts"]}
    assert owed["line"]["principal_minor"] < 400_000 - dict(rows)["line"]  # what was paid meanwhile is known
    for debt in third.creditors:
        plans.consent(third.plan_id, debt, "li", "head", later)
    plans.sign(third.plan_id, "wang", later)
    assert [plans.life(one).status for one in (plan_id, second.plan_id)] == ["replaced", "replaced"]
    assert plans.life(plan_id).replaced_by == third.plan_id


def test_only_one_of_two_that_take_a_place_is_signed(plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 1)
    fresh = [plans.replan(plan_id, on, "ana", name=name) for name in (None, "soonest")]
    for one in fresh:
        for debt in one.creditors:
            plans.consent(one.plan_id, debt, "li", "head", on)
    plans.sign(fresh[0].plan_id, "wang", on)
    with pytest.raises(Conflict, match=f"{plan_id} is replaced by {fresh[0].plan_id}"):
        plans.sign(fresh[1].plan_id, "wang", on)


def test_making_it_again_twice_is_once(record: Workspace, plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 1)
    assert plans.replan(plan_id, on, "ana") == plans.replan(plan_id, on, "ben")
    assert kinds(record, "plan.").count("plan.proposed") == 2


def test_a_broken_plan_is_made_again_from_what_was_owed_without_it(plans: Plans) -> None:
    plan_id = running(plans)
    pay_days(plans, plan_id, 1)
    third = due(plans, plan_id)[2][0]
    assert plans.look(plan_id, third + LATER).status == "broken"
    plans.pay(plan_id, "card", 7_000, third + LATER, "meanwhile")
    fresh = plans.replan(plan_id, third + LATER, "ana")
    owed = next(one for one in fresh.case["debts"] if one["id"] == "card")
    assert owed["rate_annual"] == 0.18  # its own rate again
    paid = plans.life(plan_id).paid_minor["card"]
    parts = sum(owed[f"{name}_minor"] for name in ("fees", "penalty", "interest", "principal"))
    assert parts > 1_070_000 - paid  # with interest since, nothing waived


def test_a_plan_that_has_ended_is_not_made_again(plans: Plans) -> None:
    plan_id = running(plans)
    pay_days(plans, plan_id, 100)
    with pytest.raises(Conflict, match="is completed"):
        plans.replan(plan_id, date(2029, 5, 30), "ana")


def test_a_household_that_can_carry_no_plan_is_told_so_and_keeps_the_one_it_has(plans: Plans) -> None:
    plan_id = running(plans)
    on = pay_days(plans, plan_id, 1)
    with pytest.raises(InvalidInput, match="There is no plan for household-1 any more: none keeps"):
        plans.replan(plan_id, on, "ana", case_of({**poor(), "as_of": on.isoformat()}, str))
    assert plans.life(plan_id).status == "running"
