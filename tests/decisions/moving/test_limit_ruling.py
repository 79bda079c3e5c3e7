"""What is not known never raises, never thaws and never lowers: over random facts, with any part of them taken away."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limit_samples import deciding
from msgspec.structs import replace

from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.happenings import Fact
from evenkeel.decisions.moving.knowledge import Known, Made, _elsewhere, bucket, protected
from evenkeel.decisions.moving.rules import Outcome
from evenkeel.decisions.moving.ruling import moved, reasons_of, said

DECIDERS = deciding()
AT = 1_780_000_000_000_000
HOUR = 3_600_000_000
DAY = date(2026, 5, 28).toordinal()
WIDTH = len(DECIDERS.features.names)

DAY_US = 86_400_000_000


def row(limit: int | None, owed: int, frozen: bool) -> situation.Row:
    """A line in good order."""
    found = [situation.NULL] * situation.WIDTH
    room = situation.NULL if limit is None else limit - owed
    for name, value in {
        "stage": 0, "frozen": int(frozen), "limit_minor": situation.NULL if limit is None else limit,
        "owed_minor": owed, "held_minor": 0, "available_minor": room, "past_due_minor": 0, "days_past_due": 0,
        "day": DAY, "folded_on": DAY,
    }.items():  # fmt: skip
        found[situation.PLACE[name]] = value
    return found


def ruled(known: Known, line: situation.Row, inquiries: float) -> tuple[Outcome, tuple[str, ...]]:
    """Outcome and reasons."""
    features = np.full((1, WIDTH), np.nan)
    features[0, DECIDERS.features.names.index("inquiries_30d")] = inquiries
    word = said(DECIDERS, features, line, known, AT)
    found = moved(DECIDERS, word, line, known, AT)
    return found.outcome, reasons_of(word, found)


KNOWN = st.builds(
    Known, state=st.sampled_from([0, 0, 0, 1, 2]), worst_12m=st.sampled_from([0, 0, 1, 2]),
    months_on_file=st.integers(1, 40), service_minor=st.integers(0, 400_000), income_minor=st.integers(100_000, 10**6),
    overdue_elsewhere=st.sampled_from([0, 0, 0, 1]), protected=st.sampled_from([False, False, True]),
    others_minor=st.integers(0, 12_000_000), heard_us=st.integers(AT - HOUR, AT),
    moves=st.lists(st.builds(Made, st.integers(AT - 9000 * HOUR, AT), st.sampled_from(["raise", "lower", "freeze"]),
                             st.just(500_000), st.just(400_000)), max_size=2).map(tuple),
)  # fmt: skip
LINES = st.builds(row, st.sampled_from([500_000, 500_000, None]), st.integers(0, 480_000), st.booleans())
TAKEN = st.fixed_dictionaries({}, optional={
    "service_minor": st.none(), "income_minor": st.none(), "overdue_elsewhere": st.none(),
    "heard_us": st.none() | st.integers(0, AT - HOUR - 1),
})  # fmt: skip
_MOVES = (Outcome.RAISE, Outcome.THAW, Outcome.LOWER)


@settings(deadline=None, max_examples=150)
@given(KNOWN, LINES, st.sampled_from([0.0, 0.0, 2.0, 5.0]), TAKEN, st.booleans())
def test_what_is_taken_away_never_raises_thaws_or_lowers(
    known: Known, line: situation.Row, inquiries: float, taken: dict[str, int | None], features_too: bool
) -> None:
    before, _ = ruled(known, line, inquiries)
    after, reasons = ruled(replace(known, **taken), line, np.nan if features_too else inquiries)
    if after in _MOVES and not features_too:  # the card has a bin for what is not known, as every model has
        assert after is before
    if "heard_us" in taken:
        assert after not in _MOVES
    assert 1 <= len(reasons) <= 4


@pytest.mark.parametrize(
    ("days", "state"), [(0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (180, 6), (181, 7), (900, 7)]
)
def test_the_buckets_are_those_of_the_book(days: int, state: int) -> None:
    from evenkeel.accounts.panel import buckets

    assert bucket(days) == state == int(buckets(np.array([days]))[0])


def test_what_opened_is_ended_by_its_own_end() -> None:
    assert protected(["event.hardship"]) and not protected(["event.hardship", "event.plan_completed"])
    assert protected(["event.plan_signed", "event.dispute_closed"])
    assert not protected([])


# ---- What other lenders told -----------------------------------------------------------------------------------------


def told(*events: tuple[str, dict[str, object]]) -> int | None:
    """Lines elsewhere that are overdue, after events of a borrower, one a day."""
    facts = [
        Fact(n, f"e{n}", f"event.{kind}", None, n * DAY_US, n * DAY_US, None, {"fields": fields})
        for n, (kind, fields) in enumerate(events, 1)
    ]
    return _elsewhere(facts, (len(facts) + 1) * DAY_US)[1]


def test_only_a_report_that_counts_overdue_lines_takes_back_what_was_told_of_one() -> None:
    late = ("outside_overdue", {"line": "x"})
    assert told() is None
    assert told(late) == 1
    assert told(late, ("bureau_report", {"as_of": "1970-01-02", "lines": 3})) == 1
    assert told(late, ("bureau_report", {"overdue": 0})) == 0
    assert told(("bureau_report", {"overdue": 2}), ("bureau_report", {"lines": 3}), late) == 3
    assert told(late, ("outside_cleared", {"line": "x"})) is None
