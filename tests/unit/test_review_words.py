"""`evenkeel review` tells by when a review is due on the clock of the place, and what working time is left."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from evenkeel.cli.review import _words
from evenkeel.decisions.review.queue import Review, State
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.text import texts

SHANGHAI = WorkingHours(ZoneInfo("Asia/Shanghai"))
# Friday, 16:30 in Shanghai: eight working hours end on Monday at 15:30, 07:30 in UTC.
OPENED = datetime(2026, 3, 6, 8, 30, tzinfo=UTC)


def review(decided_at: datetime | None = None, late: bool = False) -> Review:
    due = ReviewRules(SHANGHAI).due_at("application", OPENED)
    state = State.OPEN if decided_at is None else State.DECIDED
    return Review(1, "d", "application", "-", "b1", None, OPENED, due, late, 500_000, (), state, None, None, None, None,
                  None, decided_at, None, None)  # fmt: skip


@pytest.mark.parametrize(
    ("now", "english", "chinese"),
    [
        (OPENED, "due Mon 2026-03-09 15:30 (Asia/Shanghai), 8 h 0 min of working time left",
         "应于 2026-03-09 15:30（周一，Asia/Shanghai）前审完，剩余工作时间 8 小时 0 分"),
        (datetime(2026, 3, 7, 12, tzinfo=UTC), "6 h 30 min of working time left", "剩余工作时间 6 小时 30 分"),
        (datetime(2026, 3, 9, 6, 45, tzinfo=UTC), "0 h 45 min of working time left", "剩余工作时间 0 小时 45 分"),
        (datetime(2026, 3, 10, 1, 15, tzinfo=UTC),
         "was due Mon 2026-03-09 15:30 (Asia/Shanghai), late by 2 h 45 min of working time", "已超时 2 小时 45 分"),
    ],
)  # fmt: skip
def test_the_time_that_is_left_is_working_time(now: datetime, english: str, chinese: str) -> None:
    assert english in _words(review(), texts("en"), now, SHANGHAI)
    assert chinese in _words(review(), texts("zh"), now, SHANGHAI)


def test_what_is_closed_says_whether_it_was_in_time() -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert "closed in time" in _words(review(OPENED), texts("en"), now, SHANGHAI)
    assert "closed late, was due Mon 2026-03-09 15:30" in _words(review(now, late=True), texts("en"), now, SHANGHAI)
    assert "已超时审结" in _words(review(now, late=True), texts("zh"), now, SHANGHAI)
