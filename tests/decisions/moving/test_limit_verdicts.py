"""A move of a limit that was referred: who approves it has it made, by the rules as they hold then, on record."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from engine_samples import LENDER, book
from limit_samples import LIMITS, Live, bought, card

from evenkeel.accounts.service import state_of
from evenkeel.cli.application import Application
from evenkeel.cli.review import review as command
from evenkeel.decisions.moving.knowledge import MOVED
from evenkeel.decisions.moving.rules import Asked, MovingRules, Outcome
from evenkeel.decisions.moving.service import Limits
from evenkeel.decisions.record import coverage
from evenkeel.decisions.review.queue import DECIDED, Queue, Review, State, Verdict
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import Conflict, InvalidInput
from evenkeel.storage import chain
from evenkeel.storage.journal import Fact

APPROVE = Verdict("approve", ("income_shown",), "payslips of three months")
DECLINE = Verdict("decline", ("debt_too_high",))
RULES = ReviewRules(WorkingHours(ZoneInfo("UTC")))


def referring(word: str, reason: str = "") -> str:
    """The shipped policy, but that it asks a person where it would itself move a limit so."""
    rows = re.split("(?=<rule )", LIMITS)
    for place, row in enumerate(rows):
        if f'"{word}"</text></outputEntry>' in row.partition("outputEntry")[2][:60] and reason in row:
            entries = row.split("<outputEntry><text>")
            entries[1] = entries[1].replace(f'"{word}"', '"refer"')
            entries[-1] = f'"{word}"' + entries[-1]
            rows[place] = "<outputEntry><text>".join(entries)
    changed = "".join(rows)
    assert changed != LIMITS
    return changed


def queue(lender: Live, rules: ReviewRules = RULES) -> Queue:
    return Queue(lender.workspace.journal, rules, LENDER, lender.reviewer())


def decide(lender: Live, verdict: Verdict, by: str = "ana", rules: ReviewRules = RULES) -> Review:
    """What becomes of the one review that waits."""
    [waiting] = queue(lender, rules).waiting()
    if waiting.state is not State.CLAIMED:
        queue(lender, rules).claim(waiting.decision_id, by)
    return queue(lender, rules).decide(waiting.decision_id, by, verdict)


def limit_on(lender: Live, days: int = 0) -> int | None:
    return state_of(lender.workspace, "a1", (lender.now + timedelta(days=days)).date())[1].limit_minor


def raise_asked(lender: Live, **more: object) -> Review:
    """A raise from 5,000.00 to 6,000.00 waits for a person."""
    lender.having(policy=referring("raise"), **more)
    lender.earning()
    lender.follow()
    lender.report()
    [told] = lender.follow()
    assert (told.outcome, told.proposed, told.limit_proposed_minor) == ("refer", "raise", 600_000)
    [waiting] = queue(lender).waiting()
    return waiting


def lower_asked(lender: Live) -> None:
    """A lowering from 5,000.00 to 2,500.00 waits for a person."""
    lender.having(policy=referring("lower", "risk_high"))
    lender.report()
    for _ in range(5):
        lender.send("inquiry")
    [told] = lender.follow()
    assert (told.outcome, told.proposed, told.limit_proposed_minor) == ("refer", "lower", 250_000)


def facts(lender: Live, kind: str) -> list[Fact]:
    return [entry.fact for entry in lender.workspace.journal.read(kind=kind)]


def on_record(lender: Live) -> None:
    """Every decision, a verdict's too, comes out of the record to the byte, and nothing is named that changed."""
    found = lender.replayed()
    assert found and all(one.identical and not one.changes for one in found), [one for one in found if one.changes]
    assert coverage(lender.workspace.engine).uncovered == 0 and not chain.verify(lender.workspace.engine).faults


# ---- Approved ------------------------------------------------------------------------------------------------------


def test_a_raise_that_is_approved_is_made_and_says_by_whom_and_why(lender: Live) -> None:
    waiting = raise_asked(lender)
    assert (waiting.requested_minor, waiting.proposed, waiting.limit_before_minor) == (600_000, "raise", 500_000)
    assert limit_on(lender) == 500_000
    found = decide(lender, APPROVE)
    assert (found.state, found.outcome, found.amount_minor) == (State.DECIDED, "approve", 600_000)
    assert found.move is not None and (found.move.outcome, found.move.limit_after_minor) == ("raise", 600_000)
    assert limit_on(lender) == 600_000
    [(kind, request)] = lender.rows(
        "SELECT kind, convert_from(request, 'UTF8') FROM decision ORDER BY place DESC LIMIT 1"
    )
    said = json.loads(request)
    assert (kind, said["because"], said["by"], said["reasons"]) == (
        "verdict", waiting.decision_id, ["ana"], ["income_shown"],
    )  # fmt: skip
    moved, decided = facts(lender, MOVED)[-1].payload, facts(lender, DECIDED)[0].payload
    assert (moved["by"], moved["reasons"], moved["outcome"]) == ("ana", ["income_shown"], "raise")
    assert decided["move"] == {"decision_id": found.move.decision_id, "outcome": "raise"}
    assert lender.buy("k", 350_000) == "approve"
    on_record(lender)


def test_who_refuses_moves_nothing_and_is_on_record(lender: Live) -> None:
    raise_asked(lender)
    found = decide(lender, DECLINE)
    assert (found.state, found.outcome, found.move) == (State.DECIDED, "decline", None)
    assert limit_on(lender) == 500_000 and lender.rows("SELECT 1 FROM decision WHERE kind = 'verdict'") == []
    assert facts(lender, DECIDED)[0].payload["reasons"] == ["debt_too_high"]
    on_record(lender)


def test_a_lowering_that_is_approved_waits_for_its_notice(lender: Live) -> None:
    lower_asked(lender)
    found = decide(lender, APPROVE)
    assert found.move is not None and found.move.effective_on == (lender.now + timedelta(days=7)).date()
    assert [limit_on(lender, days) for days in (0, 6, 7)] == [500_000, 500_000, 250_000]
    on_record(lender)


def test_by_the_shipped_policy_a_person_freezes_for_a_hardship_and_thaws_by_another(lender: Live) -> None:
    lender.send("hardship")
    [told] = lender.follow()
    assert (told.outcome, told.proposed) == ("refer", "freeze")
    lender.report()
    found = decide(lender, APPROVE)
    assert found.amount_minor == 0 and found.move is not None and found.move.outcome == "freeze"
    assert lender.buy("k1", 1_000) == "decline"
    lender.send("plan_completed")
    lender.wait(days=31)
    book(lender.workspace, {"account_id": "a1", "fact_id": "pay", "kind": "payment", "amount_minor": 200_000,
                            "effective_on": "2026-03-06"})  # fmt: skip
    lender.earning()
    lender.having(policy=referring("thaw"))
    lender.report()
    told = lender.follow()[-1]
    assert (told.outcome, told.proposed, told.limit_proposed_minor) == ("refer", "thaw", None)
    found = decide(lender, APPROVE)
    assert found.amount_minor == 500_000 and found.move is not None and found.move.outcome == "thaw"
    assert lender.buy("k2", 1_000) == "approve"
    assert all(one.identical for one in lender.replayed())  # incomes and the payment were told late


def test_less_of_a_raise_is_the_limit_that_the_person_names(lender: Live) -> None:
    raise_asked(lender)
    for amount in (500_000, 600_000, None):
        with pytest.raises(InvalidInput, match="500001 to 599999"):
            decide(lender, Verdict("approve_less", ("debt_too_high",), "", amount))
    found = decide(lender, Verdict("approve_less", ("debt_too_high",), "", 555_000))
    assert found.move is not None and found.move.limit_after_minor == 550_000  # on a whole step
    on_record(lender)


def test_there_is_no_less_of_a_freeze(lender: Live) -> None:
    lender.send("hardship")
    lender.follow()
    with pytest.raises(InvalidInput, match="approve, decline"):
        decide(lender, Verdict("approve_less", ("debt_too_high",), "", 1))


def test_what_was_referred_without_a_proposal_cannot_be_approved(lender: Live) -> None:
    lender.having(policy=LIMITS.replace('<outputEntry><text>"freeze"</text></outputEntry>\n        <annotation',
                                        "<outputEntry><text></text></outputEntry>\n        <annotation"))  # fmt: skip
    lender.send("hardship")
    [told] = lender.follow()
    assert (told.outcome, told.proposed) == ("refer", None)
    with pytest.raises(InvalidInput, match="No move of the limit was proposed"):
        decide(lender, APPROVE)
    assert decide(lender, DECLINE).outcome == "decline"


def test_above_the_amount_two_people_approve_and_the_stricter_is_followed(lender: Live) -> None:
    rules = replace(RULES, second_above_minor=550_000)
    raise_asked(lender)
    assert decide(lender, APPROVE, rules=rules).state is State.SECOND
    assert limit_on(lender) == 500_000
    found = decide(lender, Verdict("approve_less", ("debt_too_high",), "", 560_000), "ben", rules)
    assert (found.state, found.amount_minor) == (State.DECIDED, 560_000)
    assert limit_on(lender) == 560_000
    assert facts(lender, MOVED)[-1].payload["by"] == "ana, ben"
    on_record(lender)


# ---- What no longer holds ------------------------------------------------------------------------------------------


def moved_since(lender: Live) -> None:
    limits = Limits(lender.workspace.journal, MovingRules(), LENDER)
    limits.move("a1", Asked(Outcome.RAISE, 1100), ["other"], key="m", by="key 1", facts_at=lender.now)


def set_since(lender: Live) -> None:
    book(lender.workspace, {"account_id": "a1", "fact_id": "set", "kind": "limit_changed", "limit_minor": 700_000,
                            "effective_on": lender.now.date().isoformat()})  # fmt: skip


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        (moved_since, "moved_lately"),
        (set_since, "limit_moved_since"),
        (lambda lender: lender.send("hardship"), "hardship_on_record"),
        (lambda lender: lender.wait(minutes=61), "facts_stale"),
        (lambda lender: lender.having(policy=referring("raise"), cap_minor=500_000), "shared_limit_full"),
    ],
)
def test_what_does_not_hold_any_more_is_said_and_not_forced(
    lender: Live, since: Callable[[Live], None], reason: str
) -> None:
    raise_asked(lender)
    since(lender)
    before = limit_on(lender)
    found = decide(lender, APPROVE)
    assert (found.state, found.outcome) == (State.DECIDED, "approve")
    assert found.move is not None and (found.move.outcome, found.move.reasons) == ("keep", ("income_shown", reason))
    assert limit_on(lender) == before
    assert facts(lender, DECIDED)[0].payload["move"] == {"decision_id": found.move.decision_id, "outcome": "keep"}
    on_record(lender)


def test_a_line_that_is_written_off_is_moved_by_nobody(lender: Live) -> None:
    lower_asked(lender)
    book(lender.workspace, {"account_id": "a1", "fact_id": "off", "kind": "charge_off",
                            "effective_on": lender.now.date().isoformat()})  # fmt: skip
    found = decide(lender, APPROVE)
    assert found.move is not None and (found.move.outcome, found.move.reasons) == (
        "keep", ("account_closed", "income_shown"),
    )  # fmt: skip


def test_a_lowering_is_held_to_what_is_owed_by_then(lender: Live) -> None:
    lower_asked(lender)
    book(lender.workspace, bought("a1", 150_000, "2026-03-05"))
    found = decide(lender, APPROVE)
    assert found.move is not None and found.move.limit_after_minor == 350_000
    assert found.move.reasons == ("income_shown", "limit_lowered_to_owed")
    on_record(lender)


def test_an_open_breaker_holds_what_people_lower_too(lender: Live) -> None:
    lower_asked(lender)
    lender.having(rules=MovingRules(breaker_moves=0), policy=referring("lower", "risk_high"))
    found = decide(lender, APPROVE)
    assert found.move is not None and found.move.reasons == ("income_shown", "breaker_open")
    assert lender.rows("SELECT opened FROM breaker") == [(True,)]
    Limits(lender.workspace.journal, MovingRules(), LENDER).close_breaker("ben", "seen")
    lender.having(policy=referring("lower", "risk_high"))
    assert lender.follow() == []  # it was told; a review takes up reviews
    on_record(lender)


def test_a_lower_limit_that_is_there_already_freezes_nobody(lender: Live) -> None:
    lower_asked(lender)
    book(lender.workspace, {"account_id": "a1", "fact_id": "set", "kind": "limit_changed", "limit_minor": 250_000,
                            "effective_on": lender.now.date().isoformat()})  # fmt: skip
    found = decide(lender, APPROVE)
    assert found.move is not None and (found.move.outcome, found.move.reasons[-1]) == ("keep", "limit_moved_since")


# ---- Once, and together --------------------------------------------------------------------------------------------


def test_the_verdict_and_the_move_are_one_transaction(lender: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_asked(lender)
    [waiting] = queue(lender).waiting()
    queue(lender).claim(waiting.decision_id, "ana")

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Queue, "_book", failing)
        with pytest.raises(ZeroDivisionError):
            queue(lender).decide(waiting.decision_id, "ana", APPROVE)
    assert queue(lender).one(waiting.decision_id).state is State.CLAIMED and limit_on(lender) == 500_000
    assert lender.rows("SELECT 1 FROM decision WHERE kind = 'verdict'") == []
    queue(lender).decide(waiting.decision_id, "ana", APPROVE)
    assert limit_on(lender) == 600_000
    on_record(lender)


def test_of_many_verdicts_at_once_one_moves_the_limit(lender: Live) -> None:
    raise_asked(lender)
    [waiting] = queue(lender).waiting()
    queue(lender).claim(waiting.decision_id, "ana")

    def act(_: int) -> bool:
        try:
            queue(lender).decide(waiting.decision_id, "ana", APPROVE)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(act, range(4))) == 1
    assert lender.rows("SELECT outcome FROM decision WHERE kind = 'verdict'") == [("raise",)]
    on_record(lender)


def test_a_verdict_is_no_review_of_what_happened_meanwhile(lender: Live) -> None:
    raise_asked(lender)
    lender.send("income", amount_minor=5)
    decide(lender, APPROVE)  # it knew of the income, and asked no policy
    [told] = lender.follow()
    assert (told.outcome, told.reasons[-1]) == ("keep", "with_a_person")
    lender.having()
    lender.report()
    [told] = lender.follow()
    assert told.reasons == ("raise_earned", "moved_lately")  # the raise is remembered
    on_record(lender)


# ---- By hand -------------------------------------------------------------------------------------------------------


def test_from_the_command_line_a_limit_is_moved_by_the_rules_on_record(lender: Live, tmp_path: Path) -> None:
    application = Application(tmp_path / "workspace", lender.url, fixed_clock(lender.now))

    def run(*arguments: str) -> str:
        options = [*arguments, "--lender", LENDER, "--zone", "UTC"]
        result = CliRunner().invoke(command, options, obj=application, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result.stdout

    name = raise_asked(lender).decision_id
    assert "limit of a1 of b1: raise it from 5,000.00 to 6,000.00?" in run("list")
    assert "由 5,000.00 提至 6,000.00？" in run("show", name, "--lang", "zh")
    run("claim", name, "--by", "ana")
    told = run("decide", name, "--by", "ana", "--outcome", "approve", "--reason", "income_shown")
    assert "Raised to 6,000.00. Income was shown." in told
    [document] = json.loads(run("show", name, "--json"))["reviews"]
    assert (document["move"]["outcome"], document["move"]["limit_after_minor"]) == ("raise", 600_000)
    assert limit_on(lender) == 600_000
    book(lender.workspace, card("z1", "b9"))
    on_record(lender)
