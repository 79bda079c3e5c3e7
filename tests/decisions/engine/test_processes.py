"""Several processes decide for one borrower at once: the database's locks order them, and nothing is spent twice."""

import json
import random
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from engine_samples import LENDER, book, lines_kept, opening
from several import Several

from evenkeel.storage import chain
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace

TODAY = datetime.now(UTC).date().isoformat()


def purchase(key: str, amount: int, account: str = "a1") -> dict[str, object]:
    return {
        "type": "purchase", "key": key, "lender_id": LENDER, "borrower_id": "b1", "account_id": account,
        "amount_minor": amount,
    }  # fmt: skip


def application(key: str, amount: int) -> dict[str, object]:
    return {
        "type": "application", "key": key, "lender_id": LENDER, "borrower_id": "b1", "product": "pay_later",
        "requested_minor": amount,
    }  # fmt: skip


def test_two_purchases_of_sixty_percent_in_two_processes_pass_once(
    workspace: Workspace, url: str, decided: Several
) -> None:
    book(workspace, opening("a1", "b1", 100_000, TODAY))
    replies = decided(url, [[purchase("k1", 60_000)], [purchase("k2", 60_000)]])
    assert sorted(str(one["outcome"]) for (one,) in replies) == ["approve", "decline"]


def test_the_same_request_in_four_processes_is_decided_once(workspace: Workspace, url: str, decided: Several) -> None:
    book(workspace, opening("a1", "b1", 100_000, TODAY))
    replies = decided(url, [[purchase("k1", 40_000), application("k2", 5)]] * 4)
    assert replies == [replies[0]] * 4
    with transaction(workspace.engine) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM decision")).scalar() == 2


def race(workspace: Workspace, url: str, decided: Several, requests: int, seed: int) -> None:
    draw = random.Random(seed)
    cap, limit = 1_000_000, 100_000
    book(workspace, opening("a1", "b1", limit, TODAY), opening("a2", "b1", limit, TODAY))
    kinds = [
        purchase(f"p{n}", draw.randrange(1_000, 30_000), draw.choice(["a1", "a2"]))
        if draw.random() < 0.7
        else application(f"g{n}", draw.randrange(10_000, 200_000))
        for n in range(requests)
    ]
    replies = [one for part in decided(url, [kinds[n::4] for n in range(4)]) for one in part]
    assert len(replies) == requests
    asked = {str(one["key"]): one for one in kinds}
    spent, granted = {"a1": 0, "a2": 0}, 0
    with transaction(workspace.engine) as connection:
        found = connection.execute(
            sa.text("SELECT convert_from(request, 'UTF8'), convert_from(reply, 'UTF8') FROM decision")
        )
        for request, reply in found:
            one, told = json.loads(request), json.loads(reply)
            assert asked.pop(one["key"]) == one
            if one["type"] == "purchase":
                spent[one["account_id"]] += told["amount_minor"]
            else:
                granted += told["amount_minor"]
    held = {name: line.held_minor for name, line in lines_kept(workspace).items()}
    assert not asked
    assert max(spent.values()) <= limit and granted + 2 * limit <= cap
    assert held == spent
    # More was asked for than there is, and none above 30,000: no line is left with room for such a one.
    assert min(spent.values()) > limit - 30_000 and granted > 0
    assert not chain.verify(workspace.engine).faults


def test_two_hundred_requests_of_one_borrower_over_four_processes_stay_within_cap_and_line(
    workspace: Workspace, url: str, decided: Several
) -> None:
    race(workspace, url, decided, 200, seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(10, 20))
def test_races_over_four_processes_stay_within_cap_and_line(
    workspace: Workspace, url: str, decided: Several, seed: int
) -> None:
    race(workspace, url, decided, 400, seed)
