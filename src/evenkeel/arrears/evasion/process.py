"""Due process: from a proposal that a person may look, to a finding that stands, or to nothing.

    proposed -> noticed -> answered -> upheld -> final
        |          |          |          |-> appealed -> final | reversed
        '-> dismissed         '-> withdrawn            final -> reversed

A model only proposes. Two people must agree before the borrower is told; the notice shows the evidence; the borrower
has ANSWER_DAYS to answer, as for a disputed entry (Regulation on the Administration of the Credit Reporting Industry,
art. 25, by analogy), and as many to appeal, which somebody else decides. Whatever the lender leaves undone in its days
ends in the borrower's favour, and a finding can be reversed at any time. Nothing is told to others before it is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from evenkeel.kernel.errors import Conflict, InvalidInput

ANSWER_DAYS = 20  # to answer a notice, and to appeal
DECIDE_DAYS = 20  # for the lender to decide on an answer or an appeal
PROPOSAL_DAYS = 30  # for two people to look at a proposal
FINDING_DAYS = 60  # after the answer or its days, for a finding where nobody answered
_MOST_WORDS = 4_000


class Stage(StrEnum):
    """Where the process of one borrower stands."""

    PROPOSED = "proposed"
    DISMISSED = "dismissed"
    NOTICED = "noticed"
    ANSWERED = "answered"
    UPHELD = "upheld"
    WITHDRAWN = "withdrawn"
    APPEALED = "appealed"
    FINAL = "final"
    REVERSED = "reversed"


class Step(StrEnum):
    """What somebody does."""

    PROPOSE = "propose"
    DISMISS = "dismiss"
    NOTIFY = "notify"
    ANSWER = "answer"
    UPHOLD = "uphold"
    WITHDRAW = "withdraw"
    APPEAL = "appeal"
    CONFIRM = "confirm"
    REVERSE = "reverse"


OVER = frozenset({Stage.DISMISSED, Stage.WITHDRAWN, Stage.REVERSED})  # in the borrower's favour

# From where each step may be taken, and to where it leads.
_STEPS: dict[Step, tuple[frozenset[Stage], Stage]] = {
    Step.DISMISS: (frozenset({Stage.PROPOSED}), Stage.DISMISSED),
    Step.NOTIFY: (frozenset({Stage.PROPOSED}), Stage.NOTICED),
    Step.ANSWER: (frozenset({Stage.NOTICED}), Stage.ANSWERED),
    Step.UPHOLD: (frozenset({Stage.NOTICED, Stage.ANSWERED}), Stage.UPHELD),
    Step.WITHDRAW: (frozenset({Stage.NOTICED, Stage.ANSWERED}), Stage.WITHDRAWN),
    Step.APPEAL: (frozenset({Stage.UPHELD}), Stage.APPEALED),
    Step.CONFIRM: (frozenset({Stage.APPEALED}), Stage.FINAL),
    Step.REVERSE: (frozenset({Stage.UPHELD, Stage.APPEALED, Stage.FINAL}), Stage.REVERSED),
}
_BY_BORROWER = frozenset({Step.ANSWER, Step.APPEAL})


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken. on: the day; by: who, a token; second: who agreed; words: reasons, or the answer."""

    step: Step
    on: date
    by: str
    words: str
    second: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """stage on a day, and until when somebody has to act, who that is and what follows where they do not."""

    stage: Stage
    taken: tuple[Taken, ...]
    since: date
    until: date | None = None
    lapses_to: Stage | None = None

    @property
    def shareable(self) -> bool:
        """Whether others may be told: a finding that stands after notice, answer and appeal or their days."""
        return self.stage is Stage.FINAL

    def document(self) -> dict[str, object]:
        """As JSON holds it; what is shared of it is the stage, and nothing before it is final."""
        return {
            "stage": self.stage, "since": self.since.isoformat(), "shareable": self.shareable,
            "until": self.until.isoformat() if self.until else None, "lapses_to": self.lapses_to,
            "steps": [
                {"step": one.step, "on": one.on.isoformat(), "by": one.by, "second": one.second, "words": one.words,
                 "evidence": list(one.evidence)}
                for one in self.taken
            ],
        }  # fmt: skip


def process_of(taken: Sequence[Taken], today: date) -> Process | None:
    """The process as it stands on a day, its clocks run out where they have; None before the first step.

    Raises Conflict where the steps do not follow one another.
    """
    process: Process | None = None
    for one in taken:
        process = after(process, one)
    return None if process is None else at(process, today)


def at(process: Process, today: date) -> Process:
    """The process on a later day: whoever let the days pass has decided."""
    while process.until is not None and today > process.until and process.lapses_to is not None:
        ended = process.until + timedelta(days=1)
        process = _standing(process.lapses_to, process.taken, ended)
    return process


def after(process: Process | None, one: Taken) -> Process:
    """The process after one more step. Raises InvalidInput where the step lacks what it needs, Conflict where it comes
    from a stage that it cannot come from, too early or from the wrong person."""
    _complete(one)
    if process is None:
        if one.step is not Step.PROPOSE:
            raise Conflict("There is no process.", "It begins with a proposal.")
        return _standing(Stage.PROPOSED, (one,), one.on)
    process = at(process, one.on)
    if one.on < process.taken[-1].on:
        raise Conflict(f"The step is dated {one.on}, before the one before it.", "Give the day on which it was taken.")
    if one.step is Step.PROPOSE:
        if process.stage not in OVER:
            raise Conflict(f"A process is under way: {process.stage}.", "It has to end first.")
        return _standing(Stage.PROPOSED, (*process.taken, one), one.on)
    sources, target = _STEPS[one.step]
    if process.stage not in sources:
        raise Conflict(f"`{one.step}` is not possible when the process is {process.stage}.", _next(process.stage))
    _free_to_decide(process, one)
    return _standing(target, (*process.taken, one), one.on)


def _standing(stage: Stage, taken: tuple[Taken, ...], since: date) -> Process:
    """The stage with its clock. At `noticed` come the days to answer, then those for a finding without an answer."""
    clocks = {
        Stage.PROPOSED: (PROPOSAL_DAYS, Stage.DISMISSED),
        Stage.NOTICED: (ANSWER_DAYS + FINDING_DAYS, Stage.WITHDRAWN),
        Stage.ANSWERED: (DECIDE_DAYS, Stage.WITHDRAWN),
        Stage.UPHELD: (ANSWER_DAYS, Stage.FINAL),
        Stage.APPEALED: (DECIDE_DAYS, Stage.REVERSED),
    }
    process = Process(stage, taken, since)
    if stage not in clocks:
        return process
    days, lapse = clocks[stage]
    return replace(process, until=since + timedelta(days=days), lapses_to=lapse)


def _complete(one: Taken) -> None:
    if not one.by.strip():
        raise InvalidInput("A step needs somebody who takes it.", "Give `by`, a person's token.")
    if not one.words.strip() or len(one.words) > _MOST_WORDS:
        raise InvalidInput(f"A step needs words, at most {_MOST_WORDS:,} characters.", "Say why, or what was answered.")
    if one.step in (Step.PROPOSE, Step.NOTIFY) and len(set(one.evidence)) < 2:
        raise InvalidInput("At least two kinds of evidence are needed.", "Name what speaks for it; else let it rest.")
    if one.step in (Step.NOTIFY, Step.UPHOLD) and (not one.second or one.second == one.by):
        raise InvalidInput(f"`{one.step}` needs a second person who agrees.", "Give `second`, somebody else.")


def _free_to_decide(process: Process, one: Taken) -> None:
    """Nobody decides on what they decided before, and no finding comes before the days to answer are over."""
    if one.step is Step.UPHOLD and process.stage is Stage.NOTICED:
        end = process.since + timedelta(days=ANSWER_DAYS)
        if one.on <= end:
            raise Conflict(f"The borrower may answer until {end}.", "Wait for the answer, or for that day to pass.")
    if one.step is Step.CONFIRM:
        before = {name for step in process.taken for name in (step.by, step.second) if step.step not in _BY_BORROWER}
        if one.by in before:
            raise Conflict("An appeal is decided by somebody who has decided nothing in it.", "Ask another person.")


def _next(stage: Stage) -> str:
    possible = [str(step) for step, (sources, _) in _STEPS.items() if stage in sources]
    return f"Possible now: {', '.join(possible)}." if possible else "It is over; a new one begins with a proposal."
