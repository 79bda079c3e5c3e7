"""What is another lender's is not there: for purchases, events, limits, reviews and borrowers alike, in one wording."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, NOW, answers, book, deciders, opening, policy

from evenkeel.decisions.moving.rules import Asked, MovingRules, Outcome
from evenkeel.decisions.moving.service import Limits
from evenkeel.decisions.requests import Application, Event, Purchase, Request
from evenkeel.decisions.review.queue import Queue
from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.decisions.views import Borrower, Views
from evenkeel.kernel.errors import EvenkeelError, NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace

OTHER, ONLY = "lender-2", "-"  # `-` is the lender of a record that has one
ZONE = deciders().zone
FREEZE = Asked(Outcome.FREEZE, 1000)


def event(lender: str, borrower: str, account: str | None = None, key: str = "e") -> Event:
    return Event(key=key, lender_id=lender, borrower_id=borrower, account_id=account, kind="login")


def purchase(lender: str, borrower: str, account: str, key: str = "p") -> Purchase:
    return Purchase(key=key, lender_id=lender, borrower_id=borrower, account_id=account, amount_minor=5)


def application(lender: str, borrower: str, key: str = "a") -> Application:
    return Application(key=key, lender_id=lender, borrower_id=borrower, product="card", requested_minor=5_000)


def told(url: str, *requests: Request) -> list[str]:
    """What each is answered with: `ok`, or the words of a refusal."""
    return [
        f"{reply.message} {reply.remedy}" if isinstance(reply, NotFound) else "ok" if isinstance(reply, bytes) else "?"
        for reply in answers(url, NOW, requests)
    ]


def counted(workspace: Workspace) -> tuple[int, int]:
    with transaction(workspace.engine) as connection:
        return tuple(connection.execute(sa.text("SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM decision)")).one())  # fmt: skip  # noqa: E501


def three(workspace: Workspace) -> None:
    """b1 has an account with LENDER, b2 with OTHER, b3 one that says no lender."""
    book(workspace, opening("a1", "b1", 100_000), opening("a2", "b2", 100_000, lender_id=OTHER))
    alone = opening("a3", "b3", 100_000)
    del alone["lender_id"]
    book(workspace, alone)


@pytest.mark.parametrize(("lender", "borrower", "account"), [(LENDER, "b1", "a1"), (OTHER, "b2", "a2"), (ONLY, "b3", "a3")])  # fmt: skip  # noqa: E501
def test_an_account_is_its_lenders_alone(
    workspace: Workspace, url: str, lender: str, borrower: str, account: str
) -> None:
    three(workspace)
    before = counted(workspace)
    for n, stranger in enumerate(({LENDER, OTHER, ONLY} | {"lender-9"}) - {lender}):
        for ask in (purchase, event):
            (words,) = told(url, ask(stranger, borrower, account, f"k{n}"))
            (absent,) = told(url, ask(stranger, "zz", "zz", f"k{n}"))
            assert words != "ok" and words.replace(account, "zz").replace(borrower, "zz") == absent
        (words,) = told(url, event(stranger, borrower))
        assert words.startswith(f"There is no borrower {borrower}.")
    assert counted(workspace) == before
    wanted = [purchase(lender, borrower, account), event(lender, borrower, account, "e1"), event(lender, borrower)]
    assert [told(url, one) for one in wanted] == [["ok"]] * 3


def test_an_account_of_another_borrower_of_the_same_lender_is_not_there(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("a2", "b2", 100_000))
    assert "ok" not in told(url, event(LENDER, "b1", "a2"), purchase(LENDER, "b1", "a2", "p2"))


def test_who_applied_is_known_to_that_lender_only(workspace: Workspace, url: str) -> None:
    assert told(url, application(LENDER, "b7")) == ["ok"]
    assert told(url, event(LENDER, "b7"), event(OTHER, "b7"))[0] == "ok"
    assert told(url, event(OTHER, "b7")) != ["ok"]


def test_who_tells_of_somebody_first_is_who_knows_them(workspace: Workspace, url: str) -> None:
    assert told(url, event(LENDER, "b8", None, "e1")) == ["ok"]
    assert told(url, event(LENDER, "b8", None, "e2")) == ["ok"]
    assert told(url, event(OTHER, "b8", None, "e3")) != ["ok"]
    assert told(url, application(OTHER, "b8", "e4")) == ["ok"]
    assert told(url, event(OTHER, "b8", None, "e5")) == ["ok"]


def test_an_event_that_was_recorded_is_answered_again_whatever_came_since(workspace: Workspace, url: str) -> None:
    three(workspace)
    first = answers(url, NOW, [event(LENDER, "b1", "a1")])
    assert answers(url, NOW, [event(LENDER, "b1", "a1")]) == first


def test_a_stranger_in_a_batch_is_refused_alone(workspace: Workspace, url: str) -> None:
    book(workspace, *(opening(f"a{n}", f"b{n}", 100_000) for n in range(20)))
    wanted: list[Request] = [event(LENDER, f"b{n}", f"a{n}", f"e{n}") for n in range(20)]
    wanted[7] = event(OTHER, "b7", None, "e7")
    assert [n for n, one in enumerate(told(url, *wanted)) if one != "ok"] == [7]


def test_limits_reviews_and_views_are_one_lenders(workspace: Workspace, url: str) -> None:
    three(workspace)
    refer = policy("authorisation", 'if amount_minor &gt; 0 then "refer" else "decline"')
    (reply,) = answers(url, NOW, [purchase(LENDER, "b1", "a1")], deciders(refer))
    decision_id = json.loads(reply)["decision_id"]
    rules = ReviewRules(WorkingHours(ZONE))
    for lender in (OTHER, ONLY, "lender-9"):
        queue, views = Queue(workspace.journal, rules, lender), Views(workspace.journal, lender, ZONE)
        limits = Limits(workspace.journal, MovingRules(), lender)
        assert queue.waiting(closed=True) == []
        acts = (
            lambda name, queue=queue: queue.one(name),
            lambda name, queue=queue: queue.claim(name, "ana"),
            lambda name, queue=queue: queue.release(name, "ana"),
            lambda name, views=views: views.decision(name),
        )
        absent = decision_id[:-4] + ("0000" if decision_id[-4:] != "0000" else "0001")
        for act in acts:
            assert refused(act, decision_id).replace(decision_id, "?") == refused(act, absent).replace(absent, "?")
        for act in (
            lambda name, views=views: views.line(name),
            lambda name, limits=limits: limits.move(name, FREEZE, ["x"], key="k", by="ana", facts_at=NOW),
        ):
            assert refused(act, "a1").replace("a1", "?") == refused(act, "zz").replace("zz", "?")
        assert refused(views.borrower, "b1").replace("b1", "?") == refused(views.borrower, "zz").replace("zz", "?")


def refused(act, name: str) -> str:
    """The words in which something is not there."""
    with pytest.raises(NotFound) as found:
        act(name)
    error: EvenkeelError = found.value
    return f"{error.message} {error.remedy}"


# ---- A borrower, as each lender sees them ----------------------------------------------------------------------------


def seen(workspace: Workspace, lender: str) -> Borrower:
    return Views(workspace.journal, lender, ZONE).borrower("b1")


def test_a_borrower_of_two_lenders_is_shown_to_each_by_its_own(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("o1", "b1", 200_000, lender_id=OTHER))
    having = deciders(GENEROUS)
    granted = {}
    for lender, account in ((LENDER, "a1"), (OTHER, "o1")):
        wanted = [
            purchase(lender, "b1", account, "p1"),
            application(lender, "b1", "g1"),
            application(lender, "b1", "g2"),
        ]
        replies = [json.loads(answers(url, NOW, [one], having)[0]) for one in wanted]
        granted[lender] = [one["decision_id"] for one in replies]
    for lender, account, limit in ((LENDER, "a1", 100_000), (OTHER, "o1", 200_000)):
        found = seen(workspace, lender)
        assert [(one.account_id, one.limit_minor, one.held_minor) for one in found.lines] == [(account, limit, 5)]
        assert [one.decision.decision_id for one in found.decisions] == granted[lender][::-1]
        assert [(one.decision_id, one.amount_minor) for one in found.grants] == [
            (name, 5_000) for name in granted[lender][1:]
        ]
        assert all(one.until == NOW + timedelta(days=30) for one in found.grants)
    # An opening takes up the oldest grant of its own lender; one without a lender none of theirs.
    book(workspace, opening("a4", "b1", 4_000, on="2026-03-05"))
    alone = opening("a5", "b1", 4_000, on="2026-03-05")
    del alone["lender_id"]
    book(workspace, alone)
    assert [one.decision_id for one in seen(workspace, LENDER).grants] == granted[LENDER][2:]
    assert [one.decision_id for one in seen(workspace, OTHER).grants] == granted[OTHER][1:]
    assert [one.account_id for one in seen(workspace, ONLY).lines] == ["a5"] and not seen(workspace, ONLY).grants


def test_a_grant_that_has_lapsed_is_shown_no_longer(workspace: Workspace, url: str) -> None:
    early = application(LENDER, "b1")
    early.effective_at = datetime(2026, 2, 1, tzinfo=UTC)
    answers(url, NOW, [early])
    found = seen(workspace, LENDER)
    assert found.grants == () and len(found.decisions) == 1


def test_no_more_than_fifty_decisions_are_shown(workspace: Workspace, url: str) -> None:
    answers(url, NOW, [application(LENDER, "b1", f"k{n}") for n in range(53)])
    found = seen(workspace, LENDER)
    places = [one.place for one in found.decisions]
    assert len(places) == 50 and places == sorted(places, reverse=True) and places[0] == 53
