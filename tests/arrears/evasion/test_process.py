"""Due process: its steps and clocks; what is left undone ends in the borrower's favour; all of it is on record."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.arrears.evasion.process import (
    ANSWER_DAYS,
    DECIDE_DAYS,
    FINDING_DAYS,
    OVER,
    PROPOSAL_DAYS,
    Process,
    Stage,
    Step,
    Taken,
    after,
    process_of,
)
from evenkeel.arrears.evasion.service import Processes
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace

DAY = date(2026, 3, 2)


def taken(step: Step, days: int = 0, by: str = "officer-1", second: str | None = None) -> Taken:
    evidence = ("income", "plan") if step in (Step.PROPOSE, Step.NOTIFY) else ()
    return Taken(step, DAY + timedelta(days=days), by, "because of what was seen", second, evidence)


TO_NOTICE = [taken(Step.PROPOSE), taken(Step.NOTIFY, 2, second="officer-2")]
TO_FINDING = [*TO_NOTICE, taken(Step.ANSWER, 9, by="b1"), taken(Step.UPHOLD, 12, by="officer-3", second="officer-1")]


def stage(steps: list[Taken], days: int) -> Stage | None:
    process = process_of(steps, DAY + timedelta(days=days))
    return process and process.stage


def test_a_finding_stands_after_notice_answer_and_the_days_to_appeal() -> None:
    assert stage(TO_FINDING, 12 + ANSWER_DAYS) is Stage.UPHELD
    assert stage(TO_FINDING, 13 + ANSWER_DAYS) is Stage.FINAL


@pytest.mark.parametrize(
    ("steps", "last_day", "then"),
    [
        (TO_NOTICE[:1], PROPOSAL_DAYS, Stage.DISMISSED),
        (TO_NOTICE, 2 + ANSWER_DAYS + FINDING_DAYS, Stage.WITHDRAWN),
        (TO_FINDING[:3], 9 + DECIDE_DAYS, Stage.WITHDRAWN),
        ([*TO_FINDING, taken(Step.APPEAL, 20, by="b1")], 20 + DECIDE_DAYS, Stage.REVERSED),
    ],
)
def test_what_a_lender_leaves_undone_ends_in_the_borrowers_favour(
    steps: list[Taken], last_day: int, then: Stage
) -> None:
    assert stage(steps, last_day) not in OVER
    assert stage(steps, last_day + 1) is then


def test_nobody_is_found_before_the_days_to_answer_are_over() -> None:
    process = process_of(TO_NOTICE, DAY)
    early = taken(Step.UPHOLD, 2 + ANSWER_DAYS, by="officer-3", second="officer-4")
    with pytest.raises(Conflict, match="may answer until"):
        after(process, early)
    late = taken(Step.UPHOLD, 3 + ANSWER_DAYS, by="officer-3", second="officer-4")
    assert after(process, late).stage is Stage.UPHELD


def test_two_people_and_two_kinds_of_evidence_are_needed() -> None:
    process = process_of(TO_NOTICE[:1], DAY)
    with pytest.raises(InvalidInput, match="second person"):
        after(process, taken(Step.NOTIFY, 1, second="officer-1"))
    with pytest.raises(InvalidInput, match="two kinds"):
        after(process, Taken(Step.NOTIFY, DAY, "o", "words", "p", ("income", "income")))
    with pytest.raises(InvalidInput, match="words"):
        after(process, Taken(Step.DISMISS, DAY, "o", " "))


def test_an_appeal_is_decided_by_somebody_new_and_a_finding_can_always_be_reversed() -> None:
    process = process_of([*TO_FINDING, taken(Step.APPEAL, 20, by="b1")], DAY + timedelta(days=21))
    for name in ("officer-1", "officer-2", "officer-3"):
        with pytest.raises(Conflict, match="decided nothing"):
            after(process, taken(Step.CONFIRM, 22, by=name))
    final = after(process, taken(Step.CONFIRM, 22, by="officer-4"))
    assert final.stage is Stage.FINAL and final.shareable
    assert after(final, taken(Step.REVERSE, 400)).stage is Stage.REVERSED


STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(Step)), st.integers(0, 90), st.sampled_from("abcde"), st.sampled_from([None, *"abcde"])
    ),
    max_size=14,
)


@given(STEPS)
def test_only_what_went_the_whole_way_is_ever_told_to_others(drawn: list[tuple[Step, int, str, str | None]]) -> None:
    """Whatever is tried in whatever order: before a finding is final the borrower was told and had the days."""
    process: Process | None = None
    day = 0
    for step, wait, by, second in drawn:
        day += wait
        try:
            process = after(process, taken(step, day, by, second))
        except EvenkeelError:
            continue
    now = process_of(process.taken, DAY + timedelta(days=day)) if process else None
    if now is None or not now.shareable:
        return
    ours = now.taken[max(place for place, one in enumerate(now.taken) if one.step is Step.PROPOSE) :]
    steps = [one.step for one in ours]
    assert steps[:2] == [Step.PROPOSE, Step.NOTIFY] and Step.UPHOLD in steps
    noticed, upheld = ours[1], ours[steps.index(Step.UPHOLD)]
    assert noticed.second not in (None, noticed.by) and upheld.second not in (None, upheld.by)
    assert Step.ANSWER in steps or (upheld.on - noticed.on).days > ANSWER_DAYS
    if Step.APPEAL in steps:
        assert ours[-1].step is Step.CONFIRM
        lenders = [one for one in ours[:-1] if one.step not in (Step.APPEAL, Step.ANSWER)]
        assert ours[-1].by not in {name for one in lenders for name in (one.by, one.second)}
    else:
        assert (DAY + timedelta(days=day) - upheld.on).days > ANSWER_DAYS


def test_the_process_is_on_record_once_and_for_its_lender(record: Workspace) -> None:
    journal = record.journal
    journal.append([Fact("evader-known", "event.login", journal.clock(), {"lender_id": "l1"}, "evader")])
    mine, theirs = Processes(journal, "l1"), Processes(journal, "l2")
    given = {"by": "officer-1", "words": "income held, plan declined", "evidence": ("income", "plan")}
    first = mine.take("evader", Step.PROPOSE, **given)
    assert mine.take("evader", Step.PROPOSE, **given) == first == mine.one("evader")
    assert len(list(journal.read(kind="evasion.step"))) == 1
    assert theirs.one("evader") is None
    with pytest.raises(Conflict, match="not possible"):
        mine.take("evader", Step.CONFIRM, by="officer-4", words="no")
    told = mine.take(
        "evader", Step.NOTIFY, by="officer-1", second="officer-2", words="see", evidence=("income", "plan")
    )
    assert told.stage is Stage.NOTICED and not told.shareable
    with pytest.raises(NotFound):
        mine.take("nobody", Step.PROPOSE, **given)
