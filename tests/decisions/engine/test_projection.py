"""The row that purchases are held against is, on any history, what accounts' own fold gives."""

import asyncio
import json
import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from engine_samples import GENEROUS, LENDER, book, connector, deciders, lines_kept, opening

from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.fold import line_before_close, line_state
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.store import facts_of
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.requests import Purchase
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.storage.workspace import Workspace

START = date(2025, 1, 3)


def folded(workspace: Workspace, account: str, product: str, day: date) -> tuple[object, ...]:
    """Limit, owed, held and days past due before the close of a day, from every fact on record."""
    line = line_before_close(
        line_rules(shipped(product)), [one.fact for one in facts_of(workspace.journal, account)], day
    )
    line.close(day - timedelta(days=1))
    state = line_state(line, day, ())
    late = k.days_past_due(line.cells, line.v, line.dues, line.rules.terms, day.toordinal() - 1)
    return state.stage.value, state.limit_minor, state.balance_minor, state.held_minor, late


def kept(workspace: Workspace, account: str) -> tuple[object, ...]:
    at = lines_kept(workspace)[account]
    stage = ("open", "closed", "charged_off", "sold")[at.stage]
    return stage, at.limit_minor, at.owed_minor, at.held_minor, at.days_past_due, at.valid_from, at.valid_until


def history(workspace: Workspace, url: str, seed: int, days: int) -> int:
    """A random life of an account: purchases through the engine, all else by postings. Returns purchases made."""
    draw = random.Random(seed)
    product = draw.choice(["pay_later", "card", "flexible"])
    account, borrower, limit = f"a{seed}", f"b{seed}", draw.choice([50_000, 300_000])
    book(workspace, opening(account, borrower, limit, START.isoformat(), product=product))
    today = [START]
    made, holds = 0, []

    async def live() -> None:
        nonlocal made
        clock = lambda: datetime.combine(today[0], datetime.min.time(), UTC) + timedelta(hours=12)  # noqa: E731
        engine = Engine(connector(url), deciders(GENEROUS), clock)
        await engine.start()
        for place in range(days):
            today[0] += timedelta(days=draw.choice([0, 1, 1, 2, 11]))
            for number in range(draw.randrange(3)):
                name = f"{seed}-{place}-{number}"
                if draw.random() < 0.5:
                    await asyncio.to_thread(posted, name)
                    continue
                request = Purchase(key=name, lender_id=LENDER, borrower_id=borrower, account_id=account,
                                   amount_minor=draw.randrange(1, limit // 2))  # fmt: skip
                told = json.loads(await engine.submit(request))
                made += 1
                state = await asyncio.to_thread(folded, workspace, account, product, today[0])
                row = await asyncio.to_thread(kept, workspace, account)
                assert row[:5] == state, (name, told)
                assert row[5] <= today[0].toordinal() <= row[6]
                if told["outcome"] == "approve":
                    holds.append(told["hold_id"])
        await engine.stop()

    def posted(name: str) -> None:
        kinds: list[dict[str, Any]] = [
            {"kind": "payment", "amount_minor": draw.randrange(1, limit)},
            {"kind": "purchase", "amount_minor": draw.randrange(1, limit // 4)},
            {"kind": "limit_changed", "limit_minor": draw.randrange(limit // 2, 2 * limit)},
            {"kind": "hold_released", "hold_id": draw.choice(holds)} if holds else {"kind": "fee", "amount_minor": 100},
            {"kind": "purchase", "amount_minor": 500, "hold_id": draw.choice(holds)}
            if holds
            else {"kind": "interest", "amount_minor": 9},
        ]
        on = today[0] + timedelta(days=draw.choice([0, 0, 0, 2, -3]))
        with suppress(EvenkeelError):  # what accounts do not admit is not booked
            book(
                workspace,
                {
                    "account_id": account,
                    "fact_id": name,
                    "effective_on": max(on, START).isoformat(),
                    **draw.choice(kinds),
                },
            )

    asyncio.run(live())
    return made


@pytest.mark.parametrize("seed", range(4))
def test_the_row_of_a_line_is_its_fold(workspace: Workspace, url: str, seed: int) -> None:
    assert history(workspace, url, seed, 30)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 160))
def test_the_row_of_a_line_is_its_fold_on_many_histories(workspace: Workspace, url: str, seed: int) -> None:
    history(workspace, url, seed, 60)
