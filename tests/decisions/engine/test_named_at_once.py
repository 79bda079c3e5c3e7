"""Applications of different people that name the same thing at the same moment: whoever is decided later sees it."""

import asyncio
import itertools
import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from engine_samples import LENDER, NOW, answers, book, connector, deciders, opening
from several import Several
from test_applying import apply, situations, token

from evenkeel.accounts.store import turn_of
from evenkeel.decisions.engine import engine as engines
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.engine.turns import turns_of
from evenkeel.decisions.replay import replay
from evenkeel.decisions.requests import Purchase
from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage.database import TOKEN_LOCK, transaction
from evenkeel.storage.workspace import Workspace


def asking(key: str, borrower: str, **named: Any) -> dict[str, object]:
    said = {
        "device_token": token("device", borrower), "phone_token": token("phone", borrower),
        "address_token": token("address", borrower), "contact_tokens": [token("contact", borrower)],
    } | named  # fmt: skip
    return {
        "type": "application", "key": key, "lender_id": LENDER, "borrower_id": borrower, "product": "pay_later",
        "requested_minor": 1_000, **said,
    }  # fmt: skip


def seen_by(workspace: Workspace, name: str) -> dict[str, int | None]:
    """What each borrower's application saw of others, in the order of the record."""
    with transaction(workspace.engine) as connection:
        query = "SELECT borrower_id FROM decision WHERE kind = 'application' ORDER BY place"
        borrowers = list(connection.execute(sa.text(query)).scalars())
    return dict(zip(borrowers, [row[name] for row in situations(workspace)], strict=True))


@pytest.mark.parametrize(
    ("shared", "sign"),
    [
        ("device_token", "sign_shared_device"), ("phone_token", "sign_shared_phone"),
        ("address_token", "sign_shared_address"), ("contact_tokens", "sign_shared_contacts"),
    ],
)  # fmt: skip
def test_of_two_in_two_processes_who_name_one_thing_the_later_sees_the_earlier(
    workspace: Workspace, url: str, decided: Several, shared: str, sign: str
) -> None:
    parts: list[list[dict[str, object]]] = [[], []]
    pairs = 24
    for number, part in itertools.product(range(pairs), range(2)):
        one = token(shared, number)
        named = {shared: [one] if shared == "contact_tokens" else one}
        parts[part].append(asking(f"k{number}-{part}", f"b{number}-{part}", **named))
    parts[1].reverse()
    replies = decided(url, parts)
    assert all("outcome" in one for part in replies for one in part)
    seen = seen_by(workspace, sign)
    assert [sorted([seen[f"b{n}-0"] or 0, seen[f"b{n}-1"] or 0]) for n in range(pairs)] == [[0, 1]] * pairs
    assert all(one.identical for one in replay(workspace, 1, 10**6))


def test_a_ring_over_four_processes_is_counted_whole(workspace: Workspace, url: str, decided: Several) -> None:
    """Everybody names two things, in every order of them: nobody waits for ever, and each sees all who came before."""
    names = [f"r{number}" for number in range(32)]
    things = {"device_token": token("device", "ring"), "phone_token": token("phone", "ring")}
    parts = [[asking(f"k-{name}", name, **things) for name in names[part::4]] for part in range(4)]
    replies = decided(url, parts)
    assert all("outcome" in one for part in replies for one in part)
    with transaction(workspace.engine) as connection:
        uses = connection.execute(sa.text("SELECT count(*) FROM application_token WHERE kind = 'device'")).scalar()
    levels = list(seen_by(workspace, "sign_shared_device").values())
    assert uses == len(names) and levels[:4] == [0, 1, 2, 2]
    assert levels.count(0) <= 1 + 2  # the first, and those to whom thirty before them are a place and say nothing


def test_who_names_what_another_is_decided_on_waits_for_it_and_others_do_not(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a9", "b9", 100_000))
    mine, other = apply("k1", "b1"), apply("k2", "b2")
    buying = Purchase(lender_id=LENDER, key="k9", borrower_id="b9", account_id="a9", amount_minor=5)
    [held] = {turn_of(f"phone {token('phone', 'b1')}")} & set(turns_of(mine))

    async def run() -> None:
        engine = Engine(connector(url), deciders(), fixed_clock(NOW), 1)
        await engine.start()
        with psycopg.connect(url) as elsewhere:
            elsewhere.execute("SELECT pg_advisory_xact_lock(%s, %s)", (TOKEN_LOCK, held))
            waits, *free = [engine.submit(one) for one in (mine, other, buying)]
            for one in free:
                assert json.loads(await asyncio.wait_for(one, 5))["outcome"] == "approve"
            await asyncio.sleep(0.05)
            assert not waits.done()
            elsewhere.rollback()
        assert json.loads(await asyncio.wait_for(waits, 5))["outcome"] == "approve"
        await engine.stop()

    asyncio.run(run())


def test_a_process_whose_clock_is_behind_sees_what_another_decided(workspace: Workspace, url: str) -> None:
    [first] = answers(url, NOW + timedelta(seconds=20), [apply("k1", "b1", device_token=token("device", "x"))])
    [second] = answers(url, NOW, [apply("k2", "b2", device_token=token("device", "x"))])
    assert isinstance(first, bytes) and isinstance(second, bytes)
    assert seen_by(workspace, "sign_shared_device") == {"b1": 0, "b2": 1}
    late = apply("k3", "b3", device_token=token("device", "x"), effective_at=NOW - timedelta(days=1))
    answers(url, NOW, [late])  # what happened a day ago is held against what was there then
    assert seen_by(workspace, "sign_shared_device")["b3"] == 0


def test_applications_are_decided_some_at_a_time_as_each_holds_locks(
    workspace: Workspace, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "MOST_APPLYING", 8)
    taken: list[int] = []

    async def run() -> None:
        engine = Engine(connector(url), deciders(), fixed_clock(NOW), 1, batched=lambda some, _: taken.append(some))
        await engine.start()
        replies = await asyncio.gather(*(engine.submit(apply(f"k{n}", f"b{n}")) for n in range(40)))
        assert len(replies) == 40
        await engine.stop()

    asyncio.run(run())
    assert max(taken) == 8 and sum(taken) == 40
    assert turns_of(apply("k", "b1", employer_token=token("employer", 1))) == turns_of(apply("k", "b1"))
