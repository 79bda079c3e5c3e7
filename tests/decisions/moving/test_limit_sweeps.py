"""What no event tells, and what a challenger does: once a day the late ones are reviewed; who harms is stopped."""

from dataclasses import replace

import pytest
from engine_samples import LENDER, policy
from limit_samples import Live, deciding

from evenkeel.decisions.engine.arms import Arms, Challenger
from evenkeel.decisions.engine.guarding import guard
from evenkeel.decisions.moving.sweeping import Sweep
from evenkeel.policy.program import load_program
from evenkeel.policy.register import WHOLE_PPM, Register
from evenkeel.storage.journal import Fact


def swept(lender: Live) -> list[str]:
    """Outcomes of a day's sweep."""
    import json

    found: list[str] = []
    sweep = Sweep(lender.reviewer(), lambda reply: found.append(json.loads(reply)["outcome"]))
    day = sweep.due()
    if day is not None:
        list(sweep.steps(day))
    return found


def test_a_bill_that_nobody_paid_freezes_its_line_without_any_event(lender: Live) -> None:
    assert lender.buy("k", 1_000) == "approve"  # the line is known to the hot path
    assert swept(lender) == []  # nothing is late
    lender.wait(days=61)
    assert swept(lender) == ["freeze"]
    assert swept(lender) == []  # once a day
    lender.wait(days=1)
    assert swept(lender) == []  # it is frozen
    assert lender.buy("k2", 1_000) == "decline"
    assert all(one.identical for one in lender.replayed())


def test_a_sweep_that_was_cut_off_begins_again_and_reviews_nobody_twice(lender: Live) -> None:
    lender.buy("k", 1_000)
    lender.wait(days=61)
    reviewer = lender.reviewer()
    first = Sweep(reviewer)
    day = first.due()
    assert day is not None
    first.sweep("b1", day)  # and then it is killed
    assert swept(lender) == []
    assert len(lender.rows("SELECT 1 FROM decision WHERE kind = 'limit'")) == 1


@pytest.mark.parametrize(("bads", "stopped"), [(12, True), (0, False)])
def test_a_challenger_whose_approvals_turn_bad_is_stopped(lender: Live, bads: int, stopped: bool) -> None:
    from engine_samples import GRANTING, answers

    from evenkeel.decisions.requests import Application

    rival = policy("grant", 'if requested_minor &gt; 1 then "approve" else "decline"')
    register = Register(lender.workspace.engine, lender.workspace.journal.clock)
    for text, share in ((GRANTING, WHOLE_PPM), (rival, 500_000)):
        version = load_program(text).version
        register.propose("grant", version, "s", text, lambda _: (), by="ana", why="t", share_ppm=share)
        register.approve("grant", version, by="ben", why="t")
    version = load_program(rival).version
    arms = Arms(deciding(), {"grant": Challenger(version, 500_000, replace(deciding(), grant_text=rival))})
    asked = [
        Application(lender_id=LENDER, key=f"k{n}", borrower_id=f"n{n}", product="card", requested_minor=500)
        for n in range(60)
    ]
    assert len(answers(lender.url, lender.now, asked, arms)) == 60  # type: ignore[arg-type]
    lender.wait(hours=1)
    theirs = [one.borrower_id for one in asked if arms.of("grant", one.borrower_id) is not arms.champion]
    lender.workspace.journal.append(
        [Fact(f"c{name}", "event.charged_off", lender.now, {}, name) for name in theirs[:bads]]
    )
    found = guard(register, "grant")
    assert found is not None and (found.challenger.approved, found.challenger.bad) == (len(theirs), bads)
    assert found.champion.approved == 60 - len(theirs) and found.stopped is stopped
    assert (register.standing("grant").challenger is None) == stopped
