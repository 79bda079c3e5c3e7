"""The acts of a case as one table: from which states, behind which guards, to which states, and what the law is asked.

What protects a borrower is taken down in every state. What is hard on one stands behind every guard that could speak
against it, and a fact that nobody knows is a fact against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evenkeel.arrears.cases.model import ENDS, RUNNING, Look, State

COLLECTABLE = (State.OPEN, State.CONTACTED, State.PROMISED, State.BROKEN_PROMISE, State.WITH_AGENCY, State.LEGAL)
COURT_FROM_DAYS = 91  # days past due from which a case may go to court: a house judgement


@dataclass(frozen=True, slots=True)
class Transition:
    """One act. froms: the states in which it is taken. guards: names of GUARDS that must let it pass. tos: the states
    in which it may leave the case. law: actions that the rules are asked about, with the facts that were told.

    work: part of collecting: while somebody has claimed the case, only they do it. kind: of the fact that is booked.
    """

    act: str
    kind: str
    froms: tuple[State, ...]
    tos: tuple[State, ...]
    guards: tuple[str, ...] = ()
    law: tuple[str, ...] = ()
    work: bool = False


Guard = Callable[[Look], bool]

# A guard lets an act pass where it is true. What it says is `case.guard.NAME` in the catalogue.
GUARDS: Mapping[str, Guard] = {
    "overdue": lambda look: bool(look.money.overdue),
    "something_owed": lambda look: look.money.owed_minor > 0,
    "no_dispute": lambda look: not look.case.open_disputes,
    "no_complaint": lambda look: not look.case.open_complaints,
    "no_plan": lambda look: not look.case.plan_in_force,
    "no_promise_pending": lambda look: not look.promise_pending,
    "not_in_hardship": lambda look: not look.in_hardship,
    "not_vulnerable": lambda look: not look.case.vulnerabilities,
    "not_insolvent": lambda look: not look.case.insolvencies,
    "not_represented": lambda look: not look.case.representations,
    "not_with_agency": lambda look: look.case.agency is None,
    "with_agency": lambda look: look.case.agency is not None,
    "not_at_court": lambda look: look.case.legal_since is None,
    "at_court": lambda look: look.case.legal_since is not None,
    "late_enough_for_court": lambda look: look.money.days_past_due >= COURT_FROM_DAYS,
}

_HOLDS = ("no_dispute", "no_complaint", "no_plan", "no_promise_pending", "not_in_hardship", "not_vulnerable",
          "not_insolvent")  # fmt: skip
_ANY = tuple(State)

TRANSITIONS: Mapping[str, Transition] = {
    one.act: one
    for one in (
        Transition("promise", "event.promise", (*COLLECTABLE, State.HARDSHIP, State.VULNERABLE, State.COMPLAINT),
                   tuple(state for state in RUNNING if state not in (State.DISPUTED, State.INSOLVENT, State.PLAN)),
                   ("something_owed", "no_dispute", "not_insolvent", "no_plan"), work=True),
        Transition("dispute", "event.dispute_opened", RUNNING, (State.DISPUTED, State.INSOLVENT)),
        Transition("answer-dispute", "event.dispute_closed", RUNNING, RUNNING, law=("answer_dispute",)),
        Transition("complaint", "case.complaint_opened", _ANY,
                   (State.COMPLAINT, State.DISPUTED, State.INSOLVENT, *ENDS)),
        Transition("extend-complaint", "case.complaint_extended", _ANY, _ANY),
        Transition("answer-complaint", "case.complaint_closed", _ANY, _ANY),
        Transition("vulnerable", "case.vulnerable", RUNNING,
                   (State.VULNERABLE, State.COMPLAINT, State.DISPUTED, State.INSOLVENT), law=("use_sensitive",)),
        Transition("review-vulnerable", "case.vulnerability_reviewed", RUNNING, RUNNING),
        Transition("represent", "case.represented", RUNNING, RUNNING),
        Transition("end-representation", "case.representation_ended", RUNNING, RUNNING),
        Transition("wrong-person", "case.wrong_person", RUNNING, RUNNING),
        Transition("hardship", "event.hardship", RUNNING, RUNNING),
        Transition("insolvent", "case.insolvent", RUNNING, (State.INSOLVENT,)),
        Transition("end-insolvency", "case.insolvency_ended", (State.INSOLVENT,), RUNNING),
        Transition("assign", "case.assigned", (State.OPEN, State.CONTACTED, State.BROKEN_PROMISE),
                   (State.WITH_AGENCY,), ("overdue", *_HOLDS, "not_represented", "not_with_agency", "not_at_court"),
                   ("assign_agency", "outsource", "pay_collector")),
        Transition("recall", "case.recalled", RUNNING, RUNNING, ("with_agency",)),
        Transition("legal", "case.legal", (State.OPEN, State.CONTACTED, State.BROKEN_PROMISE), (State.LEGAL,),
                   ("overdue", *_HOLDS, "not_with_agency", "not_at_court", "late_enough_for_court"), ("enforce",)),
        Transition("end-legal", "case.legal_ended", RUNNING, RUNNING, ("at_court",)),
        Transition("sell", "case.sold", (State.OPEN, State.CONTACTED, State.BROKEN_PROMISE), (State.SOLD,),
                   ("something_owed", *_HOLDS, "not_represented", "not_with_agency", "not_at_court"),
                   ("share_data",)),
        Transition("close", "case.closed", RUNNING,
                   (State.SETTLED, State.INSOLVENCY_ENDED, State.WRITTEN_OFF, State.OPENED_IN_ERROR),
                   ("no_complaint", "no_dispute")),
        Transition("reverse", "event.reversed", _ANY, _ANY),
    )
}  # fmt: skip


def obstacles(look: Look, act: str) -> tuple[str, ...]:
    """What keeps an act from being done now: names of guards, then `state` where it is not taken in this state."""
    one = TRANSITIONS[act]
    found = [name for name in one.guards if not GUARDS[name](look)]
    if not found and look.state not in one.froms:
        found = ["state"]
    return tuple(found)
