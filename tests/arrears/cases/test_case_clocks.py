"""Clocks: the last day by each rule, the working day before it, and the day on which an answer is late."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.arrears.cases.clocks import clocks, first_due, working_day_before
from evenkeel.arrears.cases.model import Case, Complaint, Dispute
from evenkeel.arrears.law import check, load_rules
from evenkeel.arrears.rows import table_of
from evenkeel.decisions.review.service_level import WorkingHours

RULES = load_rules()
UTC_ZONE = ZoneInfo("UTC")
HOLIDAYS = frozenset(date(2026, 10, day) for day in range(1, 8))
EXTRA = frozenset({date(2026, 10, 10)})  # a Saturday that makes up for the holidays
WORKING = WorkingHours(UTC_ZONE, holidays=HOLIDAYS, extra=EXTRA)


def case(disputes: tuple[Dispute, ...] = (), complaints: tuple[Complaint, ...] = ()) -> Case:
    return Case("c", "l", "b", datetime(2026, 1, 1, tzinfo=UTC), disputes=disputes, complaints=complaints)


def dispute(day: date, closed: date | None = None) -> Dispute:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    end = None if closed is None else datetime(closed.year, closed.month, closed.day, 12, tzinfo=UTC)
    return Dispute("d", at, "debt", None, end, None if end is None else "rejected")


def complaint(day: date, closed: date | None = None, extended: bool = False) -> Complaint:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    end = None if closed is None else datetime(closed.year, closed.month, closed.day, 12, tzinfo=UTC)
    return Complaint("k", day, at, "12378", "harassment", None, extended, end, None)


def due(found: Case, place: str) -> dict[str, list[date]]:
    told: dict[str, list[date]] = {}
    for one in clocks(found, RULES, place, WORKING.works, UTC_ZONE):
        told.setdefault(one.rule, []).append(one.due_on)
    return told


def test_the_days_of_each_jurisdiction() -> None:
    begun = date(2026, 3, 2)
    told = case((dispute(begun),), (complaint(begun),))
    assert due(told, "CN") == {
        "CN-COMPLAINT-2020": [date(2026, 3, 17), date(2026, 4, 1)], "CN-CRED-25": [date(2026, 3, 22)],
        "CN-CRED-26": [date(2026, 4, 1)], "EK-ANSWER": [date(2026, 3, 17), date(2026, 3, 22)],
    }  # fmt: skip
    assert due(told, "US") == {"US-FCRA-611": [date(2026, 4, 1)], "EK-ANSWER": [date(2026, 3, 17), date(2026, 3, 22)]}
    assert due(told, "UK")["UK-REP-28"] == [date(2026, 3, 30)]
    assert due(told, "UK")["UK-DISP-1.6"] == [date(2026, 4, 27)]
    assert set(due(told, "EU")) == {"EK-ANSWER"}


def test_an_extension_that_was_told_gives_the_longer_time() -> None:
    told = due(case(complaints=(complaint(date(2026, 3, 2), extended=True),)), "CN")
    assert told["CN-COMPLAINT-2020"] == [date(2026, 4, 1)]


@pytest.mark.parametrize(
    ("day", "before"),
    [
        (date(2026, 9, 30), date(2026, 9, 30)), (date(2026, 10, 4), date(2026, 9, 30)),
        (date(2026, 10, 8), date(2026, 10, 8)), (date(2026, 10, 10), date(2026, 10, 10)),
        (date(2026, 10, 11), date(2026, 10, 10)), (date(2026, 9, 20), date(2026, 9, 18)),
    ],
)  # fmt: skip
def test_the_working_day_on_or_before_a_day(day: date, before: date) -> None:
    assert working_day_before(day, WORKING.works) == before


def test_nobody_who_never_works_answers() -> None:
    with pytest.raises(ValueError, match="nobody works"):
        working_day_before(date(2026, 3, 1), lambda day: False)


@pytest.mark.parametrize(("answered", "late"), [(20, False), (21, True)])
def test_an_answer_is_late_on_the_day_after_the_last(answered: int, late: bool) -> None:
    begun = date(2026, 3, 2)
    told = case((dispute(begun, begun + timedelta(days=answered)),))
    (law,) = [one for one in clocks(told, RULES, "CN", WORKING.works, UTC_ZONE) if one.rule == "CN-CRED-25"]
    assert law.late(date(2026, 12, 31)) is late
    assert first_due((law,)) is None
    (open_,) = [one for one in clocks(case((dispute(begun),)), RULES, "CN", WORKING.works, UTC_ZONE)
                if one.rule == "CN-CRED-25"]  # fmt: skip
    assert open_.late(begun + timedelta(days=answered)) is late
    assert first_due((open_,)) is open_


@given(st.dates(date(2025, 3, 1), date(2027, 12, 1)), st.integers(0, 60), st.sampled_from(["CN", "US", "UK"]))
def test_a_clock_is_late_exactly_where_the_rule_is_broken(begun: date, days: int, place: str) -> None:
    """The rules judged by their own evaluator are the oracle."""
    answered = begun + timedelta(days=days)
    found = clocks(case((dispute(begun),)), RULES, place, WORKING.works, UTC_ZONE)
    at = datetime(answered.year, answered.month, answered.day, 12, tzinfo=UTC)
    row = {"action": "answer_dispute", "at": at, "disputed_on": begun, "timezone": "UTC", "item_marked": True,
           "account_marked": True, "debt_checked": True}  # fmt: skip
    spoken = {one["id"] for one in check(table_of([row]), RULES, place)["rules"].to_pylist()[0]}
    assert {one.rule for one in found if one.late(answered)} == spoken & {one.rule for one in found}
    assert all(one.began_on <= one.act_by <= one.due_on and (WORKING.works(one.act_by) or one.act_by == begun)
               for one in found)  # fmt: skip
