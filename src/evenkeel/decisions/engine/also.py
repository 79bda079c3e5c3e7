"""What a batch reads for those few requests that need more: whose borrower an event is about, income for a preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evenkeel.decisions.engine import statements as sql
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.wire import INT4, TEXT, Query, Rows, day_of, fixed, texts
from evenkeel.decisions.exposure import known_income
from evenkeel.decisions.preview import income_window
from evenkeel.decisions.requests import Event, Purchase, Request
from evenkeel.kernel.errors import NotFound

if TYPE_CHECKING:
    from evenkeel.decisions.engine.batch import Case


def is_preview(request: Request) -> bool:
    """Whether a request only asks what would be decided."""
    return isinstance(request, Purchase) and request.preview


def no_account(account_id: str, borrower_id: str) -> NotFound:
    """The same words whether there is no such account or it is somebody else's."""
    return NotFound(
        f"There is no account {account_id} of the borrower {borrower_id}.",
        "Its lender opens it with a fact of kind `opened`.",
    )


def also_read(cases: Sequence[Case], deciders: Deciders, now_us: int) -> list[tuple[Query, Callable[[Rows], None]]]:
    """Queries, each with what takes in its rows: it refuses events, or gives cases their income."""
    found: list[tuple[Query, Callable[[Rows], None]]] = []
    events = [place for place, case in enumerate(cases) if isinstance(case.request, Event)]
    if events:
        accounts = [getattr(cases[place].request, "account_id", None) for place in events]
        named = texts(TEXT, [None if account is None else account.encode() for account in accounts])
        found.append(((sql.KNOWN, (*_who(cases, events), named)), lambda rows: _refuse_strangers(cases, events, rows)))
    previews = [place for place, case in enumerate(cases) if is_preview(case.request)]
    if previews:
        first, until = income_window(deciders.day(now_us))
        when = (day_of(first), day_of(until), deciders.zone.key.encode())
        found.append(((sql.INCOME, (*_who(cases, previews), *when)), lambda rows: _take_income(cases, rows)))
    return found


def _who(cases: Sequence[Case], places: Sequence[int]) -> tuple[bytes, bytes, bytes]:
    """Places of cases, their borrowers, their lenders."""
    chosen = [cases[place] for place in places]
    lenders = [case.request.lender_id.encode() for case in chosen]
    return fixed(INT4, np.array(places)), texts(TEXT, [case.borrower for case in chosen]), texts(TEXT, lenders)


def _refuse_strangers(cases: Sequence[Case], events: Sequence[int], rows: Rows) -> None:
    """Refuse events about an account, or a borrower, of others alone; the rows are of the rest."""
    known = {int.from_bytes(row[0] or b"") for row in rows}
    for place in events:
        case, request = cases[place], cases[place].request
        if not case.open or place in known:
            continue
        if isinstance(request, Event) and request.account_id is not None:
            case.error = no_account(request.account_id, request.borrower_id)
        else:
            case.error = NotFound(
                f"There is no borrower {request.borrower_id}.",
                "Give the id under which you know them.",
            )


def _take_income(cases: Sequence[Case], rows: Rows) -> None:
    for row in rows:
        place, months, total = (int.from_bytes(value or b"", signed=True) for value in row)
        cases[place].income_minor = known_income(months, total)
