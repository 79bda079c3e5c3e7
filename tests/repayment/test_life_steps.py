"""Each step of a plan, in each state that a plan can be in: what becomes of it, or why not, in words."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from life_samples import AS_OF, DAYS, DEBTS, SIGNED_ON, Story

from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.repayment.life import life as lives
from evenkeel.repayment.life.life import GRACE_DAYS, Life, Told

GRACE = timedelta(days=GRACE_DAYS)
A_DAY = timedelta(days=1)


def late() -> Story:
    story = Story().sign()
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"
    return story


def broken() -> Story:
    story = late()
    assert story.look(DAYS[1] + GRACE + A_DAY) == "broken"
    return story


def completed() -> Story:
    story = Story().sign().pay_month(1).pay_month(2).pay_month(3)
    assert story.look(DAYS[2]) == "completed"
    return story


def replaced() -> Story:
    story = Story()
    story.do(lambda life: lives.replaced("plan-2", AS_OF))
    return story


def reversed_() -> Story:
    story = completed()
    story.do(lambda life: lives.reverse(life, "card-3", "bounced", DAYS[2]))
    return story


STORIES: dict[str, Callable[[], Story]] = {
    "proposed": Story, "agreed": lambda: Story().agree(), "running": lambda: Story().sign(), "late": late,
    "broken": broken, "completed": completed, "replaced": replaced,
}  # fmt: skip
STEPS: dict[str, Callable[[Life], object]] = {
    "consent": lambda life: lives.consent(life, "card", "li", None, AS_OF, None),
    "refuse": lambda life: lives.refuse(life, "card", "li", "", AS_OF),
    "counter": lambda life: lives.counter(life, "card", "li", {"most_months": 12}, AS_OF),
    "sign": lambda life: lives.sign(life, "wang", SIGNED_ON),
    "pay": lambda life: lives.pay(life, "card", 1, SIGNED_ON, "new"),
    "look": lambda life: lives.look(life, DAYS[0]),
}
ALLOWED = {
    "proposed": {"consent", "refuse", "counter", "look"}, "agreed": {"sign", "look"},
    "running": {"pay", "look"}, "late": {"pay", "look"}, "broken": {"pay", "look"},
    "completed": {"look"}, "replaced": {"look"},
}  # fmt: skip


@pytest.mark.parametrize("state", STORIES)
def test_every_state_can_be_reached(state: str) -> None:
    assert STORIES[state]().life.status == state


@pytest.mark.parametrize("state", STORIES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_taken_where_it_has_its_place_and_refused_in_words_elsewhere(state: str, step: str) -> None:
    life = STORIES[state]().life
    if step in ALLOWED[state]:
        STEPS[step](life)
        return
    with pytest.raises(Conflict) as refused:
        STEPS[step](life)
    assert state in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize("step", ["consent", "refuse", "counter", "pay"])
def test_a_debt_that_is_not_in_the_plan_is_named_with_those_that_are(step: str) -> None:
    calls: dict[str, Callable[[Life], object]] = {
        "consent": lambda life: lives.consent(life, "car", "li", None, AS_OF, None),
        "refuse": lambda life: lives.refuse(life, "car", "li", "", AS_OF),
        "counter": lambda life: lives.counter(life, "car", "li", {}, AS_OF),
        "pay": lambda life: lives.pay(life, "car", 1, SIGNED_ON, "p"),
    }
    with pytest.raises(NotFound, match=r"car is not in the plan\. In it are: card, line, loan\."):
        calls[step](Story().life)


# ---- Answers -------------------------------------------------------------------------------------------------------


def test_a_plan_is_agreed_when_the_last_creditor_agrees_and_not_before() -> None:
    story = Story().agree(("card", "line"))
    assert story.life.status == "proposed"
    with pytest.raises(Conflict, match="not yet agreed: loan"):
        lives.sign(story.life, "wang", SIGNED_ON)
    assert story.agree(("loan",)).life.status == "agreed"


def test_what_was_agreed_stays_while_others_have_not_answered() -> None:
    story = Story().agree(("card",))
    for step in ("consent", "refuse", "counter"):
        with pytest.raises(Conflict, match="bank-a has agreed to its part for card, through li on 2026-01-20"):
            STEPS[step](story.life)


def test_a_creditor_that_refused_or_countered_may_still_agree() -> None:
    story = Story().agree(("loan", "line"))
    story.do(lambda life: lives.refuse(life, "card", "li", "too long", AS_OF))
    said = story.life.consents["card"]
    assert (said.status, said.by, said.why, said.on) == ("refused", "li", "too long", AS_OF)
    story.do(lambda life: lives.counter(life, "card", "li", {"most_months": 12}, AS_OF))
    assert story.life.consents["card"].policy == {"most_months": 12}
    story.agree(("card",))
    assert story.life.status == "agreed"
    assert story.life.consents["card"].policy is None


@pytest.mark.parametrize(("most", "allowed"), [(2_999, False), (3_000, True), (3_001, True), (None, True), (0, False)])
def test_a_role_agrees_to_as_much_as_it_may_waive_and_not_to_a_fen_more(most: int | None, allowed: bool) -> None:
    life = Story().life  # the card's creditor is asked to waive 30.00
    if allowed:
        assert lives.consent(life, "card", "li", "clerk", AS_OF, most)[1]["approved_minor"] == 3_000
        return
    with pytest.raises(NotPermitted, match=r"waive 30\.00 CNY, and the role `clerk` may waive"):
        lives.consent(life, "card", "li", "clerk", AS_OF, most)


def test_who_may_waive_nothing_agrees_to_a_part_that_asks_for_nothing() -> None:
    assert lives.consent(Story().life, "line", "li", None, AS_OF, 0)[0] == "consented"


# ---- The signature -------------------------------------------------------------------------------------------------


def test_the_signature_is_the_hash_of_the_plan_as_proposed() -> None:
    import hashlib
    import json

    story = Story().sign()
    plan = story.facts[0][1]["plan"]
    plain = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert story.life.signature == hashlib.sha256(plain.encode()).hexdigest()
    assert (story.life.signed_by, story.life.signed_on) == ("wang", SIGNED_ON)


def test_a_plan_with_another_amount_has_another_hash() -> None:
    plan = Story().life.document
    rows = [dict(row) for row in plan["schedule"]]
    rows[0]["amount_minor"] += 1
    assert lives.digest({**plan, "schedule": rows}) != lives.digest(plan)


def test_a_plan_is_signed_until_the_grace_of_its_first_instalment_ends() -> None:
    life = Story().agree().life
    assert lives.sign(life, "wang", DAYS[0] + GRACE)[0] == "signed"
    with pytest.raises(Conflict, match="first instalment of the plan plan-1 was due on 2026-02-11"):
        lives.sign(life, "wang", DAYS[0] + GRACE + A_DAY)
    with pytest.raises(InvalidInput, match="signed after it is made"):
        lives.sign(life, "wang", AS_OF - A_DAY)


def test_what_fell_due_before_the_signature_is_due_with_it() -> None:
    story = Story({"card": 1_000}).sign(date(2026, 2, 5))
    assert min(one.due_on for one in story.life.instalments) == date(2026, 2, 5)
    assert story.look(date(2026, 2, 5) + GRACE) is None
    assert story.look(date(2026, 2, 5) + GRACE + A_DAY) == "missed"


# ---- Payments ------------------------------------------------------------------------------------------------------


def test_a_payment_counts_once_by_its_id() -> None:
    story = Story().sign()
    assert story.pay("card", 4_000, SIGNED_ON, "p1") == "paid"
    assert story.pay("card", 4_000, SIGNED_ON, "p1") is None
    assert story.life.paid_minor == {"card": 4_000}


@pytest.mark.parametrize(("debt", "amount", "on"), [
    ("line", 4_000, SIGNED_ON), ("card", 4_001, SIGNED_ON), ("card", 4_000, SIGNED_ON + A_DAY),
])  # fmt: skip
def test_an_id_that_was_told_of_another_payment_is_refused(debt: str, amount: int, on: date) -> None:
    story = Story().sign()
    story.pay("card", 4_000, SIGNED_ON, "p1")
    with pytest.raises(Conflict, match=r"p1 was told before: 40\.00 CNY for card on 2026-01-25"):
        story.pay(debt, amount, on, "p1")


def test_a_payment_that_was_told_is_told_again_without_harm_once_the_plan_is_completed() -> None:
    story = completed()
    assert story.pay("card", 10_000, DAYS[2], "card-3") is None


def test_what_was_paid_before_the_signature_is_part_of_the_case() -> None:
    with pytest.raises(InvalidInput, match="the plan was signed on 2026-01-25"):
        Story().sign().pay("card", 1, SIGNED_ON - A_DAY, "p1")


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_no_payment(amount: int) -> None:
    with pytest.raises(InvalidInput, match="is none"):
        Story().sign().pay("card", amount, SIGNED_ON, "p1")


def test_a_payment_that_did_not_hold_is_taken_back() -> None:
    story = Story().sign().pay_month(1)
    assert story.look(DAYS[0] + GRACE + A_DAY) is None
    assert story.do(lambda life: lives.take_back(life, "card-1", DAYS[0] + GRACE)) == "taken_back"
    assert story.do(lambda life: lives.take_back(life, "card-1", DAYS[0] + GRACE)) is None
    assert "card" not in story.life.paid_minor
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"
    assert [one.debt_id for one in story.life.missed] == ["card"]


def test_a_payment_that_is_reversed_is_missing_again_and_told_once() -> None:
    story = Story().sign().pay_month(1)
    after = DAYS[0] + GRACE + A_DAY
    assert story.look(after) is None
    for expected in ("reversed", None):
        assert story.do(lambda life: lives.reverse(life, "card-1", "bounced", after)) == expected
    assert story.life.paid_minor == {"loan": 5_000, "line": 20_000}
    back = story.life.reversals["card-1"]
    assert (back.debt_id, back.amount_minor, back.on, back.why) == ("card", 10_000, after, "bounced")
    assert story.look(after) == "missed"
    assert [(one.debt_id, one.amount_minor) for one in story.life.missed] == [("card", 10_000)]
    story.pay("card", 10_000, after, "card-1-again")
    assert story.look(after) == "caught_up"


def test_the_id_of_a_payment_that_was_reversed_is_spent() -> None:
    """Told again, as a message that comes twice, it must not count; and who means another payment is told so."""
    story = Story().sign().pay_month(1)
    story.do(lambda life: lives.reverse(life, "card-1", "", DAYS[0]))
    with pytest.raises(Conflict, match="card-1 was told before, and taken back on 2026-02-11"):
        story.pay("card", 10_000, DAYS[0], "card-1")


def test_a_payment_is_reversed_after_it_came_in_and_where_it_is_known() -> None:
    story = Story().sign().pay_month(1)
    with pytest.raises(InvalidInput, match="card-1 came in on 2026-02-11, and is said to be taken back on 2026-02-10"):
        lives.reverse(story.life, "card-1", "", DAYS[0] - A_DAY)
    with pytest.raises(NotFound, match="no payment card-9 in the plan plan-1"):
        lives.reverse(story.life, "card-9", "", DAYS[0])
    story.do(lambda life: lives.replaced("plan-2", DAYS[0]))
    with pytest.raises(Conflict, match="plan-1 is replaced by plan-2"):
        lives.reverse(story.life, "card-1", "", DAYS[0])


@pytest.mark.parametrize("step", [
    lambda life: lives.reverse(life, "card-3", "charged back", DAYS[2]),
    lambda life: lives.take_back(life, "card-3", DAYS[2]),
])  # fmt: skip
def test_a_completed_plan_runs_again_when_a_payment_of_it_did_not_hold(step: Callable[[Life], Told | None]) -> None:
    story = completed()
    story.do(step)
    assert (story.life.status, story.life.left_minor) == ("running", 10_000)
    assert story.look(DAYS[2] + GRACE) is None
    assert story.look(DAYS[2] + GRACE + A_DAY) == "missed"
    story.pay("card", 10_000, DAYS[2] + GRACE + A_DAY, "card-3-again")
    assert story.look(DAYS[2] + GRACE + A_DAY) == "completed"


def test_a_completed_plan_that_got_too_much_stays_completed_without_it() -> None:
    story = Story().sign().pay_month(1).pay_month(2).pay_month(3)
    story.pay("card", 500, DAYS[2], "too-much")
    assert story.look(DAYS[2]) == "completed"
    story.do(lambda life: lives.reverse(life, "too-much", "", DAYS[2]))
    assert story.life.status == "completed"
    story.do(lambda life: lives.reverse(life, "card-1", "", DAYS[2]))
    assert story.life.status == "running"


def test_a_broken_plan_stays_broken_when_a_payment_of_it_did_not_hold() -> None:
    story = broken()
    story.pay("card", 10_000, DAYS[1] + GRACE + A_DAY, "p1")
    story.do(lambda life: lives.reverse(life, "p1", "", DAYS[1] + GRACE + A_DAY))
    assert (story.life.status, story.life.paid_minor) == ("broken", {})


ACTS = st.lists(
    st.tuples(st.sampled_from(["pay", "reverse"]), st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(list(DEBTS)),
              st.sampled_from([5_000, 10_000, 15_000, 30_000, 40_000])),
    max_size=14,
)  # fmt: skip


@given(ACTS)
def test_whatever_is_paid_and_reversed_each_payment_counts_once_or_not_at_all(
    acts: list[tuple[str, str, str, int]],
) -> None:
    """Held to a dictionary of what stands and a set of ids that are spent; completed is all paid, and nothing else."""
    story, stands, spent = Story().sign(), dict[str, tuple[str, int]](), set[str]()
    owed = {debt: sum(rows) for debt, (_, _, rows) in DEBTS.items()}
    for act, told_by, debt, amount in acts:
        ended = story.life.status == "completed"
        if act == "reverse":
            if told_by not in stands and told_by not in spent:
                with pytest.raises(NotFound):
                    lives.reverse(story.life, told_by, "", SIGNED_ON)
                continue
            story.do(lambda life, told_by=told_by: lives.reverse(life, told_by, "", SIGNED_ON))  # type: ignore[misc]
            stands.pop(told_by, None)
            spent.add(told_by)
        elif told_by in spent or stands.get(told_by, None if ended else (debt, amount)) != (debt, amount):
            with pytest.raises(Conflict):
                story.pay(debt, amount, SIGNED_ON, told_by)
        else:
            story.pay(debt, amount, SIGNED_ON, told_by)
            stands[told_by] = (debt, amount)
        story.look(SIGNED_ON)
        paid = {debt: sum(amount for one, amount in stands.values() if one == debt) for debt in DEBTS}
        assert {debt: story.life.paid_minor.get(debt, 0) for debt in DEBTS} == paid
        assert (story.life.status == "completed") == all(paid[debt] >= owed[debt] for debt in DEBTS)


# ---- What becomes of it --------------------------------------------------------------------------------------------


def test_an_instalment_is_missed_on_the_day_after_its_grace() -> None:
    story = Story().sign()
    assert story.look(DAYS[0]) is None
    assert story.look(DAYS[0] + GRACE) is None
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"
    assert [one.debt_id for one in story.life.missed] == ["card", "line", "loan"]
    assert story.look(DAYS[0] + GRACE + A_DAY) is None  # told once


def test_money_goes_to_the_oldest_instalment_first() -> None:
    story = Story().sign().pay_month(1, ("loan", "line"))
    story.pay("card", 9_999, DAYS[0], "p1")
    after = DAYS[0] + GRACE + A_DAY
    assert [one.due_on for one in lives.late_on(story.life, after)] == [DAYS[0]]
    story.pay("card", 1, after, "p2")
    assert lives.late_on(story.life, after) == ()
    story.pay("card", 10_000, after, "p3")  # of the next month already
    story.pay_month(2, ("loan", "line"))
    assert lives.late_on(story.life, DAYS[1] + GRACE + A_DAY) == ()


def test_what_one_creditor_got_too_much_pays_nothing_to_another() -> None:
    story = Story().sign()
    story.pay("card", 85_000, SIGNED_ON, "p1")  # all that all creditors are to get
    assert story.life.left_minor == 15_000 + 40_000
    assert story.look(DAYS[0]) is None
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"


def test_a_missed_instalment_that_comes_is_caught_up() -> None:
    story = late()
    assert not lives.contact_stops(story.life)
    story.pay_month(1)
    assert story.life.status == "late"  # until somebody looks
    assert story.look(DAYS[0] + timedelta(days=10)) == "caught_up"
    assert (story.life.status, story.life.missed) == ("running", ())
    assert lives.contact_stops(story.life)


def test_a_part_of_what_is_missing_does_not_catch_up() -> None:
    story = late()
    story.pay_month(1, ("card", "loan"))
    assert story.look(DAYS[0] + timedelta(days=10)) == "missed"  # of fewer
    assert [one.debt_id for one in story.life.missed] == ["line"]


def test_two_months_missed_of_one_creditor_break_a_plan() -> None:
    story = Story().sign().pay_month(1, ("loan", "line")).pay_month(2, ("loan", "line"))
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"
    assert story.look(DAYS[1] + GRACE) is None
    assert story.look(DAYS[1] + GRACE + A_DAY) == "broken"


def test_two_debts_of_one_creditor_missed_on_one_day_are_one_month() -> None:
    story = Story().sign().pay_month(1, ("line",))
    assert story.look(DAYS[0] + GRACE + A_DAY) == "missed"
    assert {one.creditor for one in story.life.missed} == {"bank-a"}
    assert story.life.status == "late"


def test_two_debts_of_one_creditor_missed_on_two_days_break_a_plan() -> None:
    story = Story().sign().pay_month(1, ("loan", "line")).pay_month(2, ("line",))
    story.pay("loan", 4_999, DAYS[1], "loan-2")  # the card's first is missing, and a fen of the loan's second
    story.pay("card", 10_000, DAYS[1], "card-2")
    assert story.look(DAYS[1] + GRACE + A_DAY) == "missed"  # the card's second is: of one day with the loan's
    story = Story().sign().pay_month(1, ("loan", "line")).pay_month(2, ("line", "card"))
    story.do(lambda life: lives.take_back(life, "card-2", DAYS[1]))
    assert story.look(DAYS[1] + GRACE + A_DAY) == "broken"


def test_one_missed_of_each_of_two_creditors_is_late_and_not_broken() -> None:
    story = Story().sign().pay_month(1, ("card", "loan"))
    story.pay_month(2, ("loan",))
    story.pay("line", 20_000, DAYS[1], "line-1-late")
    assert story.look(DAYS[1] + GRACE + A_DAY) == "missed"
    assert {one.creditor for one in story.life.missed} == {"bank-a", "pay-b"}


def test_a_broken_plan_takes_what_comes_in_and_stays_broken() -> None:
    story = broken()
    assert story.pay("card", 10_000, DAYS[1] + GRACE + A_DAY, "p1") == "paid"
    assert story.look(DAYS[2]) is None
    assert story.life.status == "broken"
    assert story.life.paid_minor == {"card": 10_000}


def test_a_plan_is_completed_by_its_last_fen() -> None:
    story = Story().sign().pay_month(1).pay_month(2).pay_month(3, ("loan",))
    story.pay("card", 9_999, DAYS[2], "p1")
    assert story.look(DAYS[2]) is None
    story.pay("card", 1, DAYS[2], "p2")
    assert story.look(DAYS[2]) == "completed"
    assert (story.life.status, story.life.left_minor, story.life.missed) == ("completed", 0, ())


def test_a_plan_is_completed_early() -> None:
    story = Story().sign()
    for debt, amount in (("card", 30_000), ("loan", 15_000), ("line", 40_000)):
        story.pay(debt, amount, SIGNED_ON, debt)
    assert story.look(SIGNED_ON) == "completed"


def test_a_look_at_an_earlier_day_forgets_nothing() -> None:
    story = late()
    assert story.look(DAYS[0]) is None
    assert story.life.status == "late"


def test_nobody_collects_while_a_signed_plan_is_kept_and_only_then() -> None:
    stops = {state for state, story in STORIES.items() if lives.contact_stops(story().life)}
    assert stops == {"running"}


# ---- The fold ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", [*STORIES.values(), reversed_])
def test_a_plan_is_the_fold_of_its_facts_at_any_point(story: Callable[[], Story]) -> None:
    """Replay: facts that went through JSON, one at a time, give the same life at every step."""
    import msgspec

    story = story()
    plain = msgspec.json.decode(msgspec.json.encode(story.facts))
    for length in range(1, len(plain) + 1):
        again = lives.fold("plan-1", [(kind, payload) for kind, payload in plain[:length]])
        assert again == lives.fold("plan-1", story.facts[:length])
        assert again.facts == length


def test_a_plan_without_facts_is_not_found() -> None:
    with pytest.raises(NotFound, match="no plan plan-9"):
        lives.fold("plan-9", [])


@pytest.mark.parametrize("state", STORIES)
def test_the_record_of_a_life_is_plain_data(state: str) -> None:
    import json

    told = lives.record(STORIES[state]().life)
    assert json.loads(json.dumps(told)) == told
    assert told["status"] == state
