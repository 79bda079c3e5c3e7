"""Asking outside, once and on record: what was answered before is not asked again, and no card is locked by asking."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from evenkeel.accounts.store import one_at_a_time
from evenkeel.decisions.identity import standing, store
from evenkeel.decisions.identity.verification import (
    MATCH_DAYS,
    AttemptCaps,
    CheckRequest,
    CheckResult,
    Provider,
    Verification,
    forgotten_at,
    held_until,
)
from evenkeel.decisions.identity.watch import WatchEntry, WatchKind, WatchList, WatchReason
from evenkeel.kernel.errors import Conflict, NotFound
from evenkeel.kernel.ids import content_id, uuid7
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

ASKED = "identity_check_asked"
ANSWERED = "identity_checked"
LISTED = "watch_list_loaded"
CHANGED = "watch_list_changed"

_log = logging.getLogger(__name__)
_COUNTED = timedelta(days=2)  # longer than any attempt counts


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer. asked: whether it cost a question now; False where it was on record or could not be asked for.

    held_until: until when the card may not be asked about, where that is why.
    """

    verification: Verification
    asked: bool
    held_until: datetime | None = None


def check(
    journal: Journal,
    provider: Provider,
    request: CheckRequest,
    caps: AttemptCaps = AttemptCaps(),  # noqa: B008
) -> Checked:
    """Ask a provider, unless the answer is known or the card may not be asked about.

    Not asked again: an order that was sent; values that matched within MATCH_DAYS; values that did not match, while the
    attempt counts. A card held back is RESTRICTED with the code `attempts`, at no cost. Before the question leaves, it
    is on record (`identity_check_asked`), and its answer and cost afterwards (`identity_checked`), without any value or
    token; no transaction is open while the provider thinks. Raises Conflict if the order stands for another question.
    """
    with transaction(journal.engine) as connection:
        known = _known(connection, provider, request, journal.clock(), caps)
        if known is not None:
            return known
        asked_at = journal.clock()
        store.put_question(connection, request, provider.name, asked_at)
        one_at_a_time(connection, [request.borrower_id])
        facts = [_fact(request, ASKED, asked_at, {"provider": provider.name})]
        journal.append_in(connection, facts)
    answer = _answer(journal, provider, request)
    with transaction(journal.engine) as connection:
        one_at_a_time(connection, [request.borrower_id])
        store.put_answer(connection, request.order_id, answer)
        said = {
            "provider": provider.name, "result": str(answer.result), "cost_minor": answer.cost_minor,
            "detail_code": answer.detail_code, "lost": answer.lost,
        }  # fmt: skip
        journal.append_in(connection, [_fact(request, ANSWERED, answer.checked_at, said)])
        standing.refresh(connection, journal, [request.borrower_id])
    return Checked(answer, asked=True)


def _known(
    connection: Connection, provider: Provider, request: CheckRequest, now: datetime, caps: AttemptCaps
) -> Checked | None:
    """What may be said without asking, under a lock that others who would ask the same wait for."""
    store.one_at_a_time(connection, request)
    same = store.asked(connection, request.order_id)
    if same is not None:
        if (same.subject_token, same.kind) != (request.subject_token, request.kind):
            raise Conflict(f"The order {request.order_id} was sent with another question.", "Use a new order id.")
        return Checked(same.answer or _unasked(provider, request, now, CheckResult.UNAVAILABLE, "pending"), asked=False)
    match_since = now - timedelta(days=MATCH_DAYS[request.kind])
    for earlier in store.asked_of(connection, request, min(match_since, now - _COUNTED)):
        answer = earlier.answer
        if answer is None:
            continue
        if answer.result is CheckResult.MATCH and answer.checked_at >= match_since:
            return Checked(answer, asked=False)
        if answer.result is CheckResult.MISMATCH and forgotten_at(earlier.asked_at) > now:
            return Checked(answer, asked=False)
    if request.card_token is not None:
        until = held_until(store.attempts(connection, request.card_token, now - _COUNTED), now, caps)
        if until is not None:
            held = _unasked(provider, request, now, CheckResult.RESTRICTED, "attempts")
            return Checked(held, asked=False, held_until=until)
    return None


def _answer(journal: Journal, provider: Provider, request: CheckRequest) -> Verification:
    """The provider's answer; one that breaks its word and raises has asked, and nobody knows what came of it."""
    try:
        answer = provider.check(request)
    except Exception as error:  # its text may hold what was sent
        _log.error("The provider %s failed with %s.", provider.name, type(error).__name__)
        return Verification(
            request.kind, CheckResult.UNAVAILABLE, journal.clock(), provider.name, 0, "provider_error", lost=True
        )
    return answer


def _unasked(
    provider: Provider, request: CheckRequest, now: datetime, result: CheckResult, detail_code: str
) -> Verification:
    return Verification(request.kind, result, now, provider.name, 0, detail_code)


def _fact(request: CheckRequest, kind: str, at: datetime, payload: dict[str, object]) -> Fact:
    return Fact(
        content_id("check", request.order_id, kind), kind, at,
        {"order_id": request.order_id, "kind": str(request.kind), **payload}, borrower_id=request.borrower_id,
    )  # fmt: skip


def load_watch_list(journal: Journal, given: WatchList) -> tuple[int, int]:
    """Make a list say what is given from now on: (entries added, withdrawn).

    One fact holds its digest and size; one for each borrower whom the change concerns says how they stand.
    """
    with transaction(journal.engine) as connection:
        now = journal.clock()
        added, withdrawn = store.load_list(connection, given, now)
        if added or withdrawn or not store.lists_kept(connection):
            payload = {"list": given.name, "digest": given.digest, "entries": len(given.entries), "added": added,
                       "withdrawn": withdrawn}  # fmt: skip
            event_id = content_id("watch", given.name, given.digest, now.isoformat())
            _tell(journal, connection, given.name, Fact(event_id, LISTED, now, payload))
    return added, withdrawn


def put_on_watch_list(journal: Journal, list_name: str, entries: Sequence[WatchEntry]) -> int:
    """Put entries on a list from now on; one that stands on it already is left. Returns how many were put.

    What is booked is as by `load_watch_list`. Raises InvalidInput on a name that no list may have.
    """
    WatchList(list_name, tuple(entries))
    with transaction(journal.engine) as connection:
        now = journal.clock()
        added = store.add_entries(connection, list_name, entries, now)
        if added:
            _tell(journal, connection, list_name, Fact(uuid7(now), CHANGED, now, {"list": list_name, "added": added}))
    return added


def take_off_watch_list(
    journal: Journal, list_name: str, kind: WatchKind, token: str, reason: WatchReason | None = None
) -> int:
    """Take a token off a list from now on, for one reason or for all; what it said before stays on record.

    Returns how many entries ended. Raises NotFound if there is none.
    """
    with transaction(journal.engine) as connection:
        now = journal.clock()
        ended = store.withdraw_entries(connection, list_name, kind, token, reason, now)
        if not ended:
            raise NotFound(f"No such {kind} stands on the list {list_name}.", "`evenkeel watch list` shows what does.")
        _tell(journal, connection, list_name, Fact(uuid7(now), CHANGED, now, {"list": list_name, "withdrawn": ended}))
    return ended


def _tell(journal: Journal, connection: Connection, list_name: str, change: Fact) -> None:
    """Book a change of a list, and how each borrower whom it concerns stands now."""
    journal.append_in(connection, [change])
    concerned = standing.concerned(connection, list_name, change.effective_at)
    standing.refresh(connection, journal, concerned)
