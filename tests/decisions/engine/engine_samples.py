"""A small lender for the hot path: policies in a few lines, a scorecard, accounts of pay-later lines."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import sqlalchemy as sa

from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.engine.position import Position, unpack_lines
from evenkeel.decisions.requests import Request
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.scoring.scorecard import Feature
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace
from scorecards import card_of

FEATURES = (files("evenkeel.behaviour") / "shipped" / "features.toml").read_text(encoding="utf-8")
LENDER = "lender-1"
NOW = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)  # where the clock of every test stands


def policy(decides: str, rule: str, more: Sequence[str] = ()) -> str:
    """A policy of one expression: text of an outcome, from amounts and more inputs that are numbers."""
    names = dict.fromkeys(("amount_minor", "available_minor", "requested_minor", *more), "number")
    inputs = "".join(
        f'<inputData id="i_{name}" name="{name}"><variable name="{name}" typeRef="{kind}"/></inputData>'
        for name, kind in names.items()
    )
    needs = "".join(
        f'<informationRequirement><requiredInput href="#i_{name}"/></informationRequirement>' for name in names
    )
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" '
        'xmlns:evenkeel="https://evenkeel.dev/dmn/1" id="d" name="sample" namespace="https://example.org">'
        f'{inputs}<decision id="x" name="x" evenkeel:decides="{decides}"><variable name="x"/>{needs}'
        f"<literalExpression><text>{rule}</text></literalExpression></decision></definitions>"
    )


FITTING = policy("authorisation", 'if amount_minor &lt;= available_minor then "approve" else "decline"')
GENEROUS = policy("authorisation", 'if amount_minor &gt; 0 then "approve" else "decline"')
GRANTING = policy("grant", 'if requested_minor &gt; 0 then "approve" else "decline"')


def deciders(authorisation: str = FITTING, cap_minor: int = 1_000_000) -> Deciders:
    card = card_of([Feature("owed_minor", "owed", np.array([100.0]))], [[-0.5, 0.5, 0.0]])
    return Deciders(FEATURES, frozenset({LENDER}), card, authorisation, GRANTING, ZoneInfo("UTC"), cap_minor)


def opening(account: str, borrower: str, limit_minor: int, on: str = "2026-03-01", **more: object) -> dict[str, object]:
    return {
        "account_id": account, "borrower_id": borrower, "fact_id": "o", "kind": "opened", "effective_on": on,
        "product": "pay_later", "limit_minor": limit_minor, "lender_id": LENDER, **more,
    }  # fmt: skip


def book(workspace: Workspace, *records: dict[str, object]) -> None:
    post(workspace, records, shipped)


def connector(url: str) -> Callable[[], "psycopg.Connection[Any]"]:
    return lambda: psycopg.connect(url)


def answers(
    url: str, now: datetime, requests: Sequence[Request], having: Deciders | None = None, lanes: int = 1
) -> list[bytes | EvenkeelError]:
    """The replies to requests that are sent at once to an engine of this process."""

    async def run() -> list[Any]:
        engine = Engine(connector(url), having or deciders(), fixed_clock(now), lanes)
        await engine.start()
        found = await asyncio.gather(*map(engine.submit, requests), return_exceptions=True)
        await engine.stop()
        return found

    return asyncio.run(run())


def lines_kept(workspace: Workspace) -> dict[str, Position]:
    """What the hot path keeps of every line, by account."""
    with transaction(workspace.engine) as connection:
        packed = connection.execute(sa.text("SELECT lines FROM borrower")).scalars().all()
    return {name: line for one in packed for name, line in unpack_lines(bytes(one)).items()}
