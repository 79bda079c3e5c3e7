"""Limits move by events alone: each outcome, held to the rules, on record, and the same again from the record."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_samples import LENDER, book
from limit_samples import LIMITS, Live, bought, card, deciding, decoded

from evenkeel.accounts.service import state_of
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.decisions.record import coverage
from evenkeel.decisions.requests import Limit
from evenkeel.kernel.errors import Conflict, NotFound
from evenkeel.storage import chain


def limit_on(lender: Live, account: str, days: int = 0) -> int | None:
    return state_of(lender.workspace, account, (lender.now + timedelta(days=days)).date())[1].limit_minor


def good_standing(lender: Live) -> None:
    """What the shipped policy asks of a raise: income seen, a report without arrears."""
    lender.earning()
    lender.follow()
    lender.report()


def worry(lender: Live, borrower: str = "b1", times: int = 5) -> None:
    """A report without arrears, then inquiries of other lenders: the model sees a high risk."""
    lender.report(borrower)
    for _ in range(times):
        lender.send("inquiry", borrower)


# ---- Each outcome --------------------------------------------------------------------------------------------------


def test_a_clean_report_raises_a_line_that_is_used_and_paid(lender: Live) -> None:
    good_standing(lender)
    [told] = lender.follow()
    assert (told.outcome, told.reasons, told.limit_before_minor, told.limit_after_minor) == (
        "raise", ("raise_earned",), 500_000, 600_000,
    )  # fmt: skip
    assert limit_on(lender, "a1") == 600_000
    assert lender.buy("k", 350_000) == "approve"  # 4,000.00 are free now


def test_inquiries_lower_a_limit_after_its_notice(lender: Live) -> None:
    worry(lender)
    [told] = lender.follow()
    assert (told.outcome, told.reasons, told.limit_after_minor) == ("lower", ("risk_high",), 250_000)
    assert told.effective_on == (lender.now + timedelta(days=7)).date()
    assert [limit_on(lender, "a1", days) for days in (0, 6, 7)] == [500_000, 500_000, 250_000]


def test_a_limit_is_lowered_only_to_what_is_owed_and_says_so(lender: Live) -> None:
    book(lender.workspace, bought("a1", 150_000, "2026-03-02"))
    worry(lender)
    [told] = lender.follow()
    assert (told.outcome, told.limit_after_minor) == ("lower", 350_000)
    assert told.reasons == ("risk_high", "limit_lowered_to_owed")


def test_arrears_elsewhere_freeze_and_thirty_clean_days_thaw(lender: Live) -> None:
    lender.report()
    lender.send("outside_overdue", payload={"line": "x"})
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("freeze", ("overdue_elsewhere",))
    assert lender.buy("k1", 1_000) == "decline"
    book(lender.workspace, {"account_id": "a1", "fact_id": "pay", "kind": "payment", "effective_on": "2026-03-05",
                            "amount_minor": 200_000})  # fmt: skip
    lender.earning()
    lender.send("outside_cleared", payload={"line": "x"})
    lender.report()
    assert {one.outcome for one in lender.follow()} == {"keep"}  # thirty days have not passed
    lender.wait(days=31)
    lender.report()
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("thaw", ("thaw_earned",))
    assert lender.buy("k2", 1_000) == "approve"


@pytest.mark.parametrize("kind", ["hardship", "dispute_opened", "plan_signed"])
def test_a_hardship_a_dispute_or_a_plan_goes_to_a_person_once_and_stops_raises(lender: Live, kind: str) -> None:
    good_standing(lender)
    lender.send(kind)
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("refer", ("hardship_on_record",))
    lender.report()
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("keep", ("hardship_on_record", "with_a_person"))
    assert limit_on(lender, "a1") == 500_000


def test_a_missed_payment_of_the_line_itself_freezes_whatever_the_feed_says(lender: Live) -> None:
    lender.wait(days=60)  # its bill of March has not been paid
    book(lender.workspace, {"account_id": "a1", "fact_id": "f", "kind": "payment_failed",
                            "effective_on": lender.now.date().isoformat(), "amount_minor": 20_000})  # fmt: skip
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("freeze", ("overdue_two",))


# ---- Known facts only ----------------------------------------------------------------------------------------------


def test_a_feed_that_is_silent_for_an_hour_moves_nobody(lender: Live) -> None:
    worry(lender)
    lender.wait(minutes=61)
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("keep", ("facts_stale",))
    lender.report()  # it is heard again
    [told] = lender.follow()
    assert told.outcome == "lower"


def test_a_policy_that_forgets_to_ask_how_old_its_facts_are_moves_nobody_either(lender: Live) -> None:
    entry, output = "<inputEntry><text>{}</text></inputEntry>\n        ", "<outputEntry>"
    stale = entry.format("true") + '<outputEntry><text>"keep"'
    careless = LIMITS.replace(stale, stale.replace("true", "null"))
    careless = careless.replace(entry.format("false") + output, entry.format("-") + output)
    assert careless != LIMITS
    lender.having(policy=careless)
    worry(lender)
    lender.wait(minutes=61)
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("keep", ("risk_high", "facts_stale"))


def test_without_a_report_nobody_is_raised_or_lowered(lender: Live) -> None:
    lender.earning()
    for _ in range(5):
        lender.send("inquiry")
    [told] = lender.follow()
    assert told.outcome == "keep"


def test_a_frozen_line_of_a_person_is_thawed_by_a_person(lender: Live) -> None:
    from evenkeel.decisions.engine.position import FROZEN
    from evenkeel.storage.journal import Fact

    lender.workspace.journal.append([Fact("hand", FROZEN, lender.now, {}, "b1", "a1")])
    lender.wait(days=40)
    book(lender.workspace, {"account_id": "a1", "fact_id": "pay", "kind": "payment", "effective_on": "2026-03-06",
                            "amount_minor": 200_000})  # fmt: skip
    good_standing(lender)
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("keep", ("thaw_earned", "frozen_by_hand"))


# ---- Hysteresis, caps, the shared limit ----------------------------------------------------------------------------


def test_the_same_bad_news_again_lowers_no_further(lender: Live) -> None:
    worry(lender)
    assert [one.outcome for one in lender.follow()] == ["lower"]
    for days in (1, 8):
        lender.wait(days=days)
        worry(lender, times=1)
        [told] = lender.follow()
        assert (told.outcome, told.reasons) == ("keep", ("risk_high", "moved_lately"))
    assert limit_on(lender, "a1") == 250_000


def test_two_raises_wait_for_each_other(lender: Live) -> None:
    good_standing(lender)
    assert [one.outcome for one in lender.follow()] == ["raise"]
    lender.report()
    [told] = lender.follow()
    assert (told.outcome, told.reasons) == ("keep", ("raise_earned", "moved_lately"))


def test_all_lines_of_a_borrower_share_one_limit(lender: Live) -> None:
    lender.having(cap_minor=1_050_000)
    book(lender.workspace, card("a2"), bought("a2", 200_000))
    good_standing(lender)
    first, second = lender.follow()
    assert (first.outcome, first.limit_after_minor, first.reasons) == (
        "raise", 550_000, ("raise_earned", "shared_limit_full"),
    )  # fmt: skip
    assert (second.outcome, second.reasons) == ("keep", ("raise_earned", "shared_limit_full"))
    assert (limit_on(lender, "a1"), limit_on(lender, "a2")) == (550_000, 500_000)


def test_only_the_lines_of_the_lender_who_sent_the_event_are_reviewed(lender: Live) -> None:
    book(lender.workspace, card("o1", "b1", lender_id="lender-2"))
    worry(lender)
    lender.follow()
    assert lender.rows("SELECT DISTINCT account_id FROM decision WHERE kind = 'limit'") == [("a1",)]


def test_the_breaker_opens_on_the_number_within_the_hour(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=2))
    book(lender.workspace, *(card(f"c{n}", f"c{n}") for n in range(4)))
    for number in range(4):
        worry(lender, f"c{number}", times=4)
    outcomes = [(one.outcome, one.reasons) for one in lender.follow()]
    assert outcomes == [("lower", ("risk_high",))] * 2 + [("keep", ("risk_high", "breaker_open"))] * 2
    assert lender.rows("SELECT opened, by FROM breaker") == [(True, "breaker")]
    assert all(one.identical and not one.changes for one in lender.replayed())


# ---- On record -----------------------------------------------------------------------------------------------------


def test_every_review_is_on_record_once_and_comes_out_the_same(lender: Live) -> None:
    good_standing(lender)
    lender.follow()
    lender.wait(days=2)
    worry(lender)
    lender.follow()
    lender.send("hardship")
    lender.wait(days=1)
    lender.follow()
    assert lender.follow() == []
    found = lender.replayed()
    assert len(found) == len(lender.rows("SELECT 1 FROM decision")) >= 4
    assert all(one.identical and not one.changes for one in found), [one for one in found if one.changes]
    assert coverage(lender.workspace.engine).uncovered == 0 and not chain.verify(lender.workspace.engine).faults


def test_a_replay_names_a_late_fact_and_another_policy(lender: Live) -> None:
    worry(lender)
    lender.follow()
    lender.send("hardship", at=lender.now - timedelta(days=1))
    [one] = lender.replayed()
    assert one.identical and [(change.what, change.outcome) for change in one.changes] == [("late_fact", "refer")]
    stricter = replace(deciding(), limit_text=LIMITS.replace('"risk_high"</text>', '"risk_raised"</text>').replace(
        "&gt;= 0.35", "&gt;= 0.99"))  # fmt: skip
    [one] = lender.replayed(now=stricter)
    assert ("policy", "keep") in [(change.what, change.outcome) for change in one.changes] or (
        "policy" in [change.what for change in one.changes]
    )


def test_values_that_the_journal_does_not_give_are_named_for_limits(lender: Live) -> None:
    worry(lender)
    lender.follow()
    lender.rows("SELECT 1")
    import sqlalchemy as sa

    from evenkeel.storage.database import transaction

    with transaction(lender.workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        connection.execute(sa.text("UPDATE decision SET used = overlay(used placing '\\x01' from 20)"))
        connection.execute(sa.text("ALTER TABLE decision ENABLE ALWAYS TRIGGER decision_append_only"))
    [one] = lender.replayed()
    assert not one.identical and "journal" in [change.what for change in one.changes]


def test_a_review_that_is_asked_for_is_the_same_review(lender: Live) -> None:
    worry(lender)
    reviewer = lender.reviewer()
    request = Limit(lender_id=LENDER, key="mine", borrower_id="b1", account_id="a1")
    first = reviewer.review(request)
    assert first is not None and decoded(first).outcome == "lower"
    assert reviewer.review(request) == first
    assert lender.follow() == []  # it knew of all that happened
    with pytest.raises(Conflict):
        reviewer.review(Limit(lender_id=LENDER, key="mine", borrower_id="b2", account_id="a1"))
    for other in ({"lender_id": "lender-2"}, {"borrower_id": "b2"}, {"account_id": "a9"}):
        said = {"lender_id": LENDER, "borrower_id": "b1", "account_id": "a1", "key": f"k{other}"[:60]} | other
        with pytest.raises(NotFound):
            reviewer.review(Limit(**said))


def test_what_was_referred_waits_for_a_person(lender: Live) -> None:
    from zoneinfo import ZoneInfo

    from evenkeel.decisions.review.queue import Queue
    from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours

    lender.send("hardship")
    lender.follow()
    [waiting] = Queue(lender.workspace.journal, ReviewRules(WorkingHours(ZoneInfo("UTC"))), LENDER).waiting()
    assert (waiting.kind, waiting.account_id, waiting.reasons) == ("limit", "a1", ("hardship_on_record",))


def test_a_keep_leaves_no_fact_of_the_borrower(lender: Live) -> None:
    lender.send("income", amount_minor=5)
    before = lender.rows("SELECT count(*) FROM journal WHERE borrower_id = 'b1'")
    assert [one.outcome for one in lender.follow()] == ["keep"]
    assert lender.rows("SELECT count(*) FROM journal WHERE borrower_id = 'b1'") == before
    assert json.loads(lender.rows("SELECT convert_from(reply, 'UTF8') FROM decision")[0][0])["outcome"] == "keep"
