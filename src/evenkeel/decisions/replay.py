"""A decision again, from what is on record: the same bytes, or what is different, and what it would have changed.

A replay asks four things. Does the record give the same reply, with the features, model and policy that decided then?
Does the journal, as far as it was known, give the same values? What was booked later that had happened before? And what
would be decided with what decides now?
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from evenkeel.accounts.facts import AccountFact, FactKind, read_fact
from evenkeel.accounts.store import PREFIX, event_id, recorded_product
from evenkeel.decisions import record
from evenkeel.decisions.assessment.assess import Norms
from evenkeel.decisions.cost import Pricing
from evenkeel.decisions.engine import applying, situation
from evenkeel.decisions.engine.deciders import Deciders, Ruling
from evenkeel.decisions.engine.happenings import Fact, Grant, event_of, grants_after
from evenkeel.decisions.engine.marks import device_other, marks_after, watched
from evenkeel.decisions.engine.position import FROZEN, THAWED, Position, position_of
from evenkeel.decisions.identity.standing import STANDING
from evenkeel.decisions.moving.replaying import reviewed_again
from evenkeel.decisions.moving.reviewing import KIND
from evenkeel.decisions.requests import Application, Purchase, read_request
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.scoring.scorecard import from_document
from evenkeel.storage.database import transaction
from evenkeel.storage.tables import artefact, decision, journal
from evenkeel.storage.workspace import Workspace

ERASED = "identity_erased"  # the vault's fact: whose person cannot be named any more

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """Why a decision would come out of a replay differently, or cannot be told whole.

    what: `record`, `code`, `journal`, `late_fact`, `features`, `model`, `policy`, `cap`, `norms` or `identity_erased`.
    detail: names and versions. outcome, amount_minor: what would be decided with it; None where it changes no decision.
    """

    what: str
    detail: str
    outcome: str | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision and its replay. identical: the reply came out to the byte, from the values that the journal gives."""

    place: int
    decision_id: str
    outcome: str
    identical: bool
    changes: tuple[Change, ...]


def replay(workspace: Workspace, first: int, last: int, now: Deciders | None = None) -> Iterator[Replayed]:
    """Replay the decisions at places `first` to `last`, in order. now: what decides at present, to be compared with."""
    kept: dict[str, Deciders] = {}
    while first <= last:
        rows = _rows(workspace, first, last)
        if not rows:
            return
        facts = _facts_of(workspace, sorted({row.borrower_id for row in rows}))
        for row in rows:
            if row.deciders not in kept:
                kept[row.deciders] = deciders_on_record(workspace, row.deciders)
            yield _replayed(workspace, row, kept[row.deciders], facts[row.borrower_id], now)
        first = rows[-1].place + 1


def place_of(workspace: Workspace, decision_id: str) -> int:
    """Where a decision stands in the order of the record. Raises NotFound, InvalidInput if it is no id."""
    try:
        name = UUID(decision_id)
    except ValueError:
        raise InvalidInput(
            f"`{decision_id}` is no id of a decision.", "Ids are in replies, as `decision_id`."
        ) from None
    with transaction(workspace.engine) as connection:
        query = sa.select(decision.c.place).where(decision.c.decision_id == name)
        place: int | None = connection.execute(query).scalar()
    if place is None:
        raise NotFound(f"There is no decision {decision_id} on record.")
    return place


def deciders_on_record(workspace: Workspace, version: str) -> Deciders:
    """What decided, from the artefacts kept with the record. Raises NotFound where one is not there."""

    def content(name: str) -> str:
        query = sa.select(artefact.c.content).where(artefact.c.version == name)
        found: str | None = connection.execute(query).scalar()
        if found is None:
            raise NotFound(f"The record lacks {name}, which decided.", "Was the table `artefact` restored as a whole?")
        return found

    with transaction(workspace.engine) as connection:
        parts = json.loads(content(version))
        return Deciders(
            features_text=content(parts["features"]),
            own_lenders=frozenset(parts["own_lenders"]),
            model=from_document(json.loads(content(parts["model"]))),
            authorisation_text=content(parts["authorisation"]),
            grant_text=content(parts["grant"]),
            zone=ZoneInfo(parts["zone"]),
            group_cap_minor=parts["group_cap_minor"],
            norms=Norms.from_document(json.loads(content(parts["norms"]))) if "norms" in parts else None,
            limit_text=content(parts["limit"]) if "limit" in parts else None,
            moving_text=content(parts["moving"]) if "moving" in parts else None,
        )


# ---- Reading -------------------------------------------------------------------------------------------------------


def _rows(workspace: Workspace, first: int, last: int) -> list[record.Recorded]:
    columns = decision.c
    query = sa.select(decision).where(columns.place.between(first, last)).order_by(columns.place).limit(_PAGE)
    with transaction(workspace.engine) as connection:
        found = connection.execute(query).all()
    return [
        record.Recorded(
            row.place, str(row.decision_id), row.kind, row.lender_id, row.borrower_id, row.account_id,
            _micros(row.decided_at), row.known_seq, row.link, row.deciders, row.outcome, bytes(row.request),
            bytes(row.used), bytes(row.reply),
        )
        for row in found
    ]  # fmt: skip


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _facts_of(workspace: Workspace, borrowers: Sequence[str]) -> dict[str, list[Fact]]:
    """The journal's facts of borrowers, each in the order of booking."""
    some = sa.bindparam("some", list(borrowers), ARRAY(sa.Text))
    query = sa.select(journal).where(journal.c.borrower_id == sa.any_(some)).order_by(journal.c.seq)
    found: dict[str, list[Fact]] = defaultdict(list)
    with transaction(workspace.engine) as connection:
        for row in connection.execute(query):
            found[row.borrower_id].append(
                Fact(
                    row.seq, row.event_id, row.kind, row.account_id, _micros(row.effective_at), _micros(row.booked_at),
                    row.reversal_of, row.payload,
                )
            )  # fmt: skip
    return found


# ---- Deciding again ------------------------------------------------------------------------------------------------


def _replayed(
    workspace: Workspace, row: record.Recorded, then: Deciders, facts: Sequence[Fact], now: Deciders | None
) -> Replayed:
    if row.kind == KIND:
        return _reviewed(workspace, row, then, facts, now)
    changes: list[Change] = []
    request = read_request(row.request)
    assert isinstance(request, Purchase | Application)  # noqa: S101 - events are not decided
    at_us = row.decided_us if request.effective_at is None else _micros(request.effective_at)
    features, used = record.unpack_used(row.used)
    name = UUID(row.decision_id).bytes
    if then.version != row.deciders:
        changes.append(Change("code", f"the artefacts of {row.deciders} read as {then.version}"))
    if features.shape[1] != len(then.features.names):
        return _told(row, [*changes, Change("record", "the features used are not those of the definitions")], False)
    ruling = _rule(then, request, at_us, features, used)
    pricing = _pricing(workspace, request, facts)
    same = record.answer(name, request, ruling, used[0].tolist(), row.deciders, pricing) == row.reply
    if not same:
        changes.append(Change("code", "the same values are decided differently", ruling.outcome, ruling.amount_minor))
    known = [fact for fact in facts if fact.seq <= row.known_seq]
    again = _values(workspace, then, request, row.borrower_id, known, at_us, used)
    wrong = _different(then, (features, used), again)
    if wrong:
        ruling = _rule(then, request, at_us, *again)
        changes.append(Change("journal", ", ".join(wrong[:8]), ruling.outcome, ruling.amount_minor))
    changes += _late(workspace, row, then, request, at_us, facts, used)
    if now is not None and now.version != row.deciders:
        changes += _by_now(workspace, row, now, then, request, at_us, known, used)
    changes += [Change(ERASED, f"seq {fact.seq}") for fact in facts if fact.kind == ERASED]
    return _told(row, changes, same and not wrong)


def _reviewed(
    workspace: Workspace, row: record.Recorded, then: Deciders, facts: Sequence[Fact], now: Deciders | None
) -> Replayed:
    """The review of a limit again."""
    products = lru_cache(lambda digest: recorded_product(workspace.journal, digest))
    same, found = reviewed_again(row, then, facts, products, now)
    changes = [Change(one.what, one.detail, one.outcome) for one in found]
    if then.version != row.deciders:
        changes.insert(0, Change("code", f"the artefacts of {row.deciders} read as {then.version}"))
    changes += [Change(ERASED, f"seq {fact.seq}") for fact in facts if fact.kind == ERASED]
    return _told(row, changes, same)


def _told(row: record.Recorded, changes: Sequence[Change], identical: bool) -> Replayed:
    return Replayed(row.place, row.decision_id, row.outcome, identical, tuple(changes))


def _rule(
    deciders: Deciders, request: Purchase | Application, at_us: int, features: record.FloatArray, row: record.IntArray
) -> Ruling:
    return deciders.rule([request], np.array([at_us]), features, row)[0]


def _values(
    workspace: Workspace, deciders: Deciders, request: Purchase | Application, borrower_id: str, facts: Sequence[Fact],
    at_us: int, used: record.IntArray,
) -> tuple[record.FloatArray, record.IntArray]:  # fmt: skip
    """Features and situation from facts of the journal."""
    counted = [event for event in map(event_of, facts) if event is not None]
    state = deciders.features.add(deciders.features.empty(), counted)
    features = deciders.features.values([state], np.array([at_us]))
    day = deciders.day(at_us)
    if isinstance(request, Purchase):
        folded_on = int(used[0, situation.PLACE["folded_on"]])
        position = _position(workspace, borrower_id, request.account_id, facts, folded_on)
        marks = b""
        for fact in facts:
            marks = marks_after(marks, fact)
        on_record = watched(marks, day), device_other(marks, request.device_token)
        row = situation.of_line(position, day, *on_record) if position else [situation.NULL] * situation.NARROW
    else:
        row = _of_application(workspace, deciders, request, borrower_id, facts, at_us, used)
    return features, np.array([row], np.int64)


def _pricing(workspace: Workspace, request: Purchase | Application, facts: Sequence[Fact]) -> Pricing | None:
    """The product of a purchase's line, as it was agreed when that was opened."""
    opened = PREFIX + FactKind.OPENED
    if not isinstance(request, Purchase):
        return None
    found = next((fact for fact in facts if fact.account_id == request.account_id and fact.kind == opened), None)
    return None if found is None else Pricing(recorded_product(workspace.journal, str(found.payload["product_digest"])))


def _of_application(
    workspace: Workspace, deciders: Deciders, request: Application, borrower_id: str, facts: Sequence[Fact], at_us: int,
    used: record.IntArray,
) -> situation.Row:  # fmt: skip
    day = deciders.day(at_us)
    grants: list[Grant] = []
    for fact in facts:
        grants = grants_after(grants, fact)
    accounts = sorted({fact.account_id for fact in facts if fact.account_id and fact.kind.startswith(PREFIX)})
    lines: list[Position] = []
    loans: dict[str, int] = {}
    for account in accounts:
        position = _position(workspace, borrower_id, account, facts, day)
        if position is not None:
            lines.append(position)
            product = recorded_product(workspace.journal, position.product)
            if product.line is None:
                loans[account] = applying.loan_service(product, _of_account(facts, account), date.fromordinal(day))
    was = situation.whole(used)[0]
    # What others and registers said is read as it was recorded: it goes with an identity when that is erased.
    recorded = {
        name: None if (value := int(was[situation.PLACE[name]])) == situation.NULL else value
        for name in situation.RECORDED
    }
    own = None
    if deciders.norms is not None:
        own = applying.own_record(deciders, deciders.norms, request, facts, at_us)
    return applying.situation_of(deciders, request, own, recorded, grants, lines, loans, at_us)


def _position(
    workspace: Workspace, borrower_id: str, account_id: str, facts: Sequence[Fact], day: int
) -> Position | None:
    own = [fact for fact in facts if fact.account_id == account_id]
    found = _of_account(own, account_id)
    if not found or found[0].effective_on.toordinal() > day:
        return None
    frozen = next((fact.kind == FROZEN for fact in reversed(own) if fact.kind in (FROZEN, THAWED)), False)
    owners = {
        "account_id": account_id, "borrower_id": borrower_id,
        "lender_id": str(found[0].details.get("lender_id") or ""),
    }  # fmt: skip
    product = recorded_product(workspace.journal, str(found[0].details["product_digest"]))
    return position_of(owners, product, found, frozen, date.fromordinal(day))


def _of_account(facts: Sequence[Fact], account_id: str) -> list[AccountFact]:
    return [read_fact(one.payload) for one in facts if one.account_id == account_id and one.kind.startswith(PREFIX)]


def _different(
    deciders: Deciders, was: tuple[record.FloatArray, record.IntArray], now: tuple[record.FloatArray, record.IntArray]
) -> list[str]:
    """Names of the values that are not the same to the bit, of those that the row has."""
    unknown = np.isnan(was[0]) & np.isnan(now[0])
    features = ((was[0].view(np.int64) != now[0].view(np.int64)) & ~unknown)[0]
    names = [name for name, differs in zip(deciders.features.names, features, strict=True) if differs]
    width = min(was[1].shape[1], now[1].shape[1])
    rows = was[1][0, :width] != now[1][0, :width]
    return names + [name for name, differs in zip(situation.NAMES, rows, strict=False) if differs]


def _late(
    workspace: Workspace, row: record.Recorded, then: Deciders, request: Purchase | Application, at_us: int,
    facts: Sequence[Fact], used: record.IntArray,
) -> list[Change]:  # fmt: skip
    """What was booked afterwards but had happened before, and what would have been decided with it."""
    own = {
        content_id("application", row.decision_id), content_id(STANDING, row.decision_id),
        event_id(row.account_id or "", row.decision_id),
    }  # fmt: skip
    late = [
        fact for fact in facts
        if fact.seq > row.known_seq and fact.effective_us < at_us and fact.event_id not in own and fact.kind != ERASED
    ]  # fmt: skip
    if not late:
        return []
    chosen = {fact.seq for fact in late}
    known = [fact for fact in facts if fact.seq <= row.known_seq or fact.seq in chosen]
    values = _values(workspace, then, request, row.borrower_id, known, at_us, used)
    ruling = _rule(then, request, at_us, *values)
    listed = ", ".join(f"{fact.kind} (seq {fact.seq})" for fact in late[:5]) + (", ..." if len(late) > 5 else "")
    return [Change("late_fact", listed, ruling.outcome, ruling.amount_minor)]


def _by_now(
    workspace: Workspace, row: record.Recorded, now: Deciders, then: Deciders, request: Purchase | Application,
    at_us: int, known: Sequence[Fact], used: record.IntArray,
) -> list[Change]:  # fmt: skip
    """Which parts of what decides are others by now, and what they decide together."""
    values = _values(workspace, now, request, row.borrower_id, known, at_us, used)
    ruling = _rule(now, request, at_us, *values)
    was, is_now = (json.loads(deciders.content) for deciders in (then, now))
    policy = "authorisation" if isinstance(request, Purchase) else "grant"
    parts: Mapping[str, str] = {
        "features": "features", "model": "model", policy: "policy", "group_cap_minor": "cap", "norms": "norms"
    }  # fmt: skip
    return [
        Change(what, f"{was.get(part)} then, {is_now.get(part)} now", ruling.outcome, ruling.amount_minor)
        for part, what in parts.items()
        if was.get(part) != is_now.get(part)
    ]
