"""The review queue on a real database: nothing is lost, nobody works on the same case, much money takes two people."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from evenkeel.decisions.review.queue import CLAIMED, DECIDED, SECONDED, Queue, State, Verdict, statistics
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound, NotPermitted
from evenkeel.storage.journal import Journal
from evenkeel.storage.workspace import open_workspace

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # ten in the morning in Shanghai
RULES = ReviewRules(WorkingHours(ZoneInfo("Asia/Shanghai")), second_above_minor=100_000)

_INSERT = sa.text("""
INSERT INTO decision (decision_id, kind, lender_id, borrower_id, decided_at, known_seq, link, deciders, outcome,
    fired, request, used, reply)
VALUES (:id, :kind, :lender, 'B1', :at, 0, 0, 'deciders-1', :outcome, 0, :request, '',
    '{"reasons":["identity_unavailable"]}')
""")


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = MONDAY

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def record(given_url: str, tmp_path: Path, now: Now) -> Iterator[Journal]:
    """An empty record with what a decision refers to."""
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=now) as opened:
        with opened.engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO artefact VALUES ('deciders-1', 'deciders', '{}')"))
        yield opened.journal


def name(number: int) -> str:
    """The id of a decision."""
    return str(UUID(int=number))


def referred(
    record: Journal, number: int, amount: int = 50_000, *, lender: str = "L1", outcome: str = "refer",
    kind: str = "application",
) -> str:  # fmt: skip
    """A decision on record."""
    field = "requested_minor" if kind == "application" else "amount_minor"
    row = {
        "id": name(number), "kind": kind, "lender": lender, "at": record.clock(), "outcome": outcome,
        "request": f'{{"{field}":{amount}}}'.encode(),
    }  # fmt: skip
    with record.engine.begin() as connection:
        connection.execute(_INSERT, row)
    return name(number)


@pytest.fixture
def queue(record: Journal) -> Queue:
    return Queue(record, RULES, "L1")


APPROVE = Verdict("approve", ("income_shown",))
DECLINE = Verdict("decline", ("facts_contradict",))


def test_every_referred_decision_of_the_lender_waits_in_its_order(queue: Queue, record: Journal) -> None:
    for number, outcome in enumerate(["refer", "approve", "refer", "decline"], 1):
        referred(record, number, outcome=outcome)
    referred(record, 9, lender="L2")
    assert [(one.decision_id, one.state) for one in queue.waiting()] == [
        (name(1), State.OPEN), (name(3), State.OPEN),
    ]  # fmt: skip
    first = queue.waiting(most=1)[0]
    assert [one.decision_id for one in queue.waiting(after=first.place)] == [name(3)]
    assert first.reasons == ("identity_unavailable",) and first.requested_minor == 50_000


def test_another_lenders_review_is_not_there(queue: Queue, record: Journal) -> None:
    other = referred(record, 1, lender="L2")
    for act in (queue.one, lambda found: queue.claim(found, "ana")):
        with pytest.raises(NotFound):
            act(other)
    with pytest.raises(NotFound):
        queue.one("not-an-id")


def test_a_claim_keeps_others_away_until_its_lease_ends(queue: Queue, record: Journal, now: Now) -> None:
    one = referred(record, 1)
    assert queue.claim(one, "ana").claimed_by == "ana"
    with pytest.raises(Conflict, match="ana holds"):
        queue.claim(one, "ben")
    with pytest.raises(Conflict, match="Claim it first"):
        queue.decide(one, "ben", APPROVE)
    now.at += timedelta(minutes=31)
    assert queue.one(one).state is State.OPEN
    queue.claim(one, "ben")
    with pytest.raises(Conflict, match="Claim it first"):
        queue.decide(one, "ana", APPROVE)


def test_a_released_review_can_be_taken_by_another(queue: Queue, record: Journal) -> None:
    one = referred(record, 1)
    queue.claim(one, "ana")
    with pytest.raises(Conflict):
        queue.release(one, "ben")
    queue.release(one, "ana")
    assert queue.claim(one, "ben").state is State.CLAIMED


def test_a_decision_of_one_person_ends_a_small_review_and_is_a_fact(queue: Queue, record: Journal) -> None:
    one = referred(record, 1)
    queue.claim(one, "ana")
    found = queue.decide(one, "ana", replace(APPROVE, note="payslips of three months"))
    assert (found.state, found.outcome, found.amount_minor, found.decided_by) == (
        State.DECIDED, "approve", 50_000, "ana",
    )  # fmt: skip
    assert queue.waiting() == [] and len(queue.waiting(closed=True)) == 1
    with pytest.raises(Conflict, match="was decided"):
        queue.claim(one, "ben")
    facts = {entry.fact.kind: entry.fact for entry in record.read(borrower_id="B1")}
    assert set(facts) == {CLAIMED, DECIDED}
    assert facts[DECIDED].payload["note"] == "payslips of three months"


@pytest.mark.parametrize(
    ("first", "second", "outcome", "amount"),
    [
        (APPROVE, APPROVE, "approve", 200_000),
        (APPROVE, DECLINE, "decline", 0),
        (APPROVE, Verdict("approve_less", ("debt_too_high",), "", 90_000), "approve_less", 90_000),
        (Verdict("approve_less", ("debt_too_high",), "", 150_000), APPROVE, "approve_less", 150_000),
    ],
)
def test_above_the_amount_two_people_decide_and_the_stricter_is_followed(
    queue: Queue, record: Journal, first: Verdict, second: Verdict, outcome: str, amount: int
) -> None:
    one = referred(record, 1, 200_000)
    queue.claim(one, "ana")
    assert queue.decide(one, "ana", first).state is State.SECOND
    with pytest.raises(NotPermitted, match="another person"):
        queue.claim(one, "ana")
    queue.claim(one, "ben")
    found = queue.decide(one, "ben", second)
    assert (found.state, found.outcome, found.amount_minor) == (State.DECIDED, outcome, amount)
    assert [entry.fact.kind for entry in record.read(borrower_id="B1")] == [CLAIMED, SECONDED, CLAIMED, DECIDED]


def test_to_decline_or_to_grant_a_little_one_person_is_enough(queue: Queue, record: Journal) -> None:
    for number, verdict in enumerate([DECLINE, Verdict("approve_less", ("debt_too_high",), "", 100_000)], 1):
        one = referred(record, number, 200_000)
        queue.claim(one, "ana")
        assert queue.decide(one, "ana", verdict).state is State.DECIDED


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Verdict("refer", ("other",)), "`outcome`"),
        (Verdict("approve", ()), "`reasons`"),
        (Verdict("approve", ("because",)), "`reasons`"),
        (Verdict("approve", ("other",)), "needs one"),
        (Verdict("approve", ("income_shown",), "x" * 1001), "1001"),
        (Verdict("approve", ("income_shown",), "seen card 6222021234567890123"), "identity vault"),
        (Verdict("approve", ("income_shown",), "called 138 1234 5678"), "identity vault"),
        (Verdict("approve", ("income_shown",), "id 11010519491231002X"), "identity vault"),
        (Verdict("approve", ("income_shown",), "", 5), "belongs to"),
        (Verdict("approve_less", ("debt_too_high",)), "1 to 49999"),
        (Verdict("approve_less", ("debt_too_high",), "", 50_000), "1 to 49999"),
    ],
)
def test_a_verdict_that_is_not_allowed_is_refused_in_words(
    queue: Queue, record: Journal, verdict: Verdict, why: str
) -> None:
    one = referred(record, 1)
    queue.claim(one, "ana")
    with pytest.raises(InvalidInput, match=why):
        queue.decide(one, "ana", verdict)
    assert queue.one(one).state is State.CLAIMED


def test_of_twenty_who_claim_at_once_one_has_it(queue: Queue, record: Journal) -> None:
    one = referred(record, 1)

    def claim(number: int) -> bool:
        try:
            queue.claim(one, f"p{number}")
        except EvenkeelError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(claim, range(20))) == 1


def test_the_clock_runs_in_working_hours_and_what_is_late_says_so(queue: Queue, record: Journal, now: Now) -> None:
    purchase, application = referred(record, 1, kind="purchase"), referred(record, 2)
    now.at += timedelta(hours=1)
    assert (queue.one(purchase).late, queue.one(application).late) == (True, False)
    now.at += timedelta(hours=12)
    queue.claim(application, "ana")
    queue.decide(application, "ana", DECLINE)
    told = statistics(queue.waiting(closed=True), now.at)
    assert told["late_waiting"] == 1 and told["decided"] == 1 and told["decided_in_time"] == 0
    assert told["oldest_hours"] == pytest.approx(13)
