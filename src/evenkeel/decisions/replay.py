"""Decisions again, from what is on record: the same bytes, or what is different, and what it would have changed.

A replay asks four things. Does the record give the same reply, with the features, model and policy that decided then?
Does the journal, as far as it was known, give the same values? What was booked later that had happened before? And what
would be decided with what decides now? All of it by column, some thousands of decisions at a time (`histories`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from evenkeel.accounts.facts import FactKind
from evenkeel.accounts.store import PREFIX, recorded_product
from evenkeel.decisions import record
from evenkeel.decisions.again import Case, Products, values
from evenkeel.decisions.assessment.assess import Norms
from evenkeel.decisions.cost import Pricing
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.deciders import Deciders, Ruling
from evenkeel.decisions.engine.happenings import Fact
from evenkeel.decisions.histories import count, histories
from evenkeel.decisions.moving.replaying import reviewed_again
from evenkeel.decisions.moving.reviewing import KINDS
from evenkeel.decisions.requests import Application, Purchase, read_request
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, NotFound
from evenkeel.scoring.scorecard import from_document
from evenkeel.storage.database import transaction
from evenkeel.storage.tables import artefact, decision
from evenkeel.storage.vault import ERASED
from evenkeel.storage.workspace import Workspace

Progress = Callable[[float], None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SHOWN = 1000  # decisions
_SHOWN_VALUES = 8
_SHOWN_FACTS = 5


@dataclass(frozen=True, slots=True)
class Change:
    """Why a decision would come out of a replay differently, or cannot be told whole.

    what: `record`, `code`, `journal`, `late_fact`, `features`, `model`, `policy`, `cap`, `norms` or `identity_erased`.
    detail: names and versions. outcome, amount_minor: what would be decided with it; None where it changes no decision,
    and no amount of a limit.
    """

    what: str
    detail: str
    outcome: str | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision and its replay. amount_minor: what was approved or granted, 0 of a limit. identical: the reply came
    out to the byte, from the values that the journal gives."""

    place: int
    decision_id: str
    outcome: str
    amount_minor: int
    identical: bool
    changes: tuple[Change, ...]


@dataclass(slots=True)
class Effect:
    """What one cause comes to. decisions: how many it touches. other_outcome: of these, how many would be decided
    otherwise. amount_minor: how much more, or less, would be approved and granted in all."""

    decisions: int = 0
    other_outcome: int = 0
    amount_minor: int = 0


@dataclass(slots=True)
class Summary:
    """A replay in numbers. causes: by `Change.what`. shown: some of those with something to say, at most SHOWN; those
    that are not identical are kept before others. not_shown: how many more there are."""

    replayed: int = 0
    identical: int = 0
    with_changes: int = 0
    causes: dict[str, Effect] = field(default_factory=dict)
    shown: list[Replayed] = field(default_factory=list)
    not_shown: int = 0


def summed(found: Iterable[Replayed], all_shown: bool = False) -> Summary:
    """What a replay came to. all_shown: also decisions of which there is nothing to say."""
    summary = Summary()
    wrong: list[Replayed] = []
    others: list[Replayed] = []
    for one in found:
        summary.replayed += 1
        summary.identical += one.identical
        summary.with_changes += bool(one.changes)
        for change in one.changes:
            effect = summary.causes.setdefault(change.what, Effect())
            effect.decisions += 1
            effect.other_outcome += change.outcome not in (None, one.outcome)
            effect.amount_minor += 0 if change.amount_minor is None else change.amount_minor - one.amount_minor
        if one.changes or not one.identical or all_shown:
            some = others if one.identical else wrong
            if len(some) < SHOWN:
                some.append(one)
            else:
                summary.not_shown += 1
    kept = [*wrong, *others]
    summary.not_shown += len(kept[SHOWN:])
    summary.shown = sorted(kept[:SHOWN], key=lambda one: one.place)
    return summary


def replay(
    workspace: Workspace, first: int, last: int, now: Deciders | None = None, progress: Progress = lambda share: None
) -> Iterator[Replayed]:
    """Replay the decisions at places `first` to `last`: borrower after borrower, the journal of each read once.

    now: what decides at present, to be compared with. progress: told the share that is done. Memory does not grow with
    the range.
    """
    whole, done = count(workspace, first, last), 0
    products: Products = cache(lambda digest: recorded_product(workspace.journal, digest))
    kept = cache(lambda version: _kept(workspace, version))
    for some in histories(workspace, first, last):
        facts = {history.decisions[0].borrower_id: history.facts for history in some}
        by_version: dict[str, list[record.Recorded]] = {}
        for row in sorted((row for history in some for row in history.decisions), key=lambda row: row.place):
            by_version.setdefault(row.deciders, []).append(row)
        found = [
            one for version, rows in by_version.items() for one in _replayed(rows, kept(version), now, facts, products)
        ]
        yield from sorted(found, key=lambda one: one.place)
        done += len(found)
        progress(done / whole)


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


def decided_last(workspace: Workspace) -> Deciders:
    """What decided last, whatever it was about. Raises NotFound where nothing was decided yet."""
    with transaction(workspace.engine) as connection:
        query = sa.select(decision.c.deciders).order_by(decision.c.place.desc()).limit(1)
        version: str | None = connection.execute(query).scalar()
    if version is None:
        raise NotFound("Nothing is decided on record yet.")
    return deciders_on_record(workspace, version)


def _kept(workspace: Workspace, version: str) -> Deciders | str:
    """What decided, or why that cannot be had."""
    try:
        found = deciders_on_record(workspace, version)
        found.warm()
    except EvenkeelError as error:
        return error.message
    return found


# ---- Deciding again ------------------------------------------------------------------------------------------------


def _replayed(
    rows: Sequence[record.Recorded], then: Deciders | str, now: Deciders | None, facts: Mapping[str, list[Fact]],
    products: Products,
) -> list[Replayed]:  # fmt: skip
    """Decisions that one version made."""
    if isinstance(then, str):
        return [_unread(row, then) for row in rows]
    told: list[Replayed] = []
    cases: list[Case] = []
    for row in rows:
        case = _limit(row, then, now, facts[row.borrower_id], products) if row.kind in KINDS else _case(then, row)
        if isinstance(case, Case):
            cases.append(case)
        else:
            told.append(case)
    return told + _decided(cases, then, now, facts, products) if cases else told


def _unread(row: record.Recorded, why: str) -> Replayed:
    return Replayed(row.place, row.decision_id, row.outcome, 0, False, (Change("record", why),))


def _limit(
    row: record.Recorded, then: Deciders, now: Deciders | None, facts: Sequence[Fact], products: Products
) -> Replayed:
    """The review of a limit again."""
    try:
        identical, found = reviewed_again(row, then, facts, products, now)
    except EvenkeelError as error:
        return _unread(row, error.message)
    changes = [*_misread(row, then), *(Change(one.what, one.detail, one.outcome) for one in found), *_erased(facts)]
    return Replayed(row.place, row.decision_id, row.outcome, 0, identical, tuple(changes))


def _misread(row: record.Recorded, then: Deciders) -> list[Change]:
    same = then.version == row.deciders
    return [] if same else [Change("code", f"the artefacts of {row.deciders} read as {then.version}")]


def _erased(facts: Sequence[Fact]) -> list[Change]:
    return [Change(ERASED, f"seq {fact.seq}") for fact in facts if fact.kind == ERASED]


def _case(then: Deciders, row: record.Recorded) -> Case | Replayed:
    """A decision as it was recorded, or what is wrong with the record."""
    try:
        request = read_request(row.request)
        features, used = record.unpack_used(row.used)
    except EvenkeelError as error:
        return _unread(row, error.message)
    if not isinstance(request, Purchase | Application):
        return _unread(row, "the request is none that is decided")
    if features.shape[1] != len(then.features.names):
        return _unread(row, "the features used are not those of the definitions")
    at_us = row.decided_us if request.effective_at is None else (request.effective_at - _EPOCH) // _MICROSECOND
    return Case(row, request, at_us, features[0], situation.whole(used)[0].tolist(), used.shape[1])


def _decided(
    cases: Sequence[Case], then: Deciders, now: Deciders | None, facts: Mapping[str, list[Fact]], products: Products
) -> list[Replayed]:
    used = (np.array([case.features for case in cases]), np.array([case.used for case in cases], np.int64))
    rulings = _rule(then, cases, range(len(cases)), *used)
    by_journal = values(then, cases, facts, products)
    for place, case in enumerate(cases):  # what was not read then
        by_journal.rows[place, case.width :] = situation.NULL
    wrong = _different(then, used, (by_journal.features, by_journal.rows))
    agreed = _agreed(cases, facts, products)
    by_values = _rule(then, cases, wrong, by_journal.features, by_journal.rows)
    late = [place for place, some in enumerate(by_journal.late) if some]
    by_late = _rule(then, cases, late, by_journal.late_features, by_journal.late_rows)
    by_now = _by_now(cases, now, then, facts, products)
    erased = {name: _erased(some) for name, some in facts.items()}
    told = []
    for place, case in enumerate(cases):
        row, ruling = case.row, rulings[place]
        name = UUID(row.decision_id).bytes
        changes = _misread(row, then)
        same = record.answer(name, case.request, ruling, case.used, row.deciders, agreed[place]) == row.reply
        if not same:
            changes.append(_change("code", "the same values are decided differently", ruling))
        if place in wrong:
            changes.append(_change("journal", ", ".join(wrong[place][:_SHOWN_VALUES]), by_values[place]))
        if place in by_late:
            changes.append(_change("late_fact", _listed(by_journal.late[place]), by_late[place]))
        changes += by_now[place]
        changes += erased[row.borrower_id]
        identical = same and place not in wrong
        told.append(Replayed(row.place, row.decision_id, row.outcome, ruling.amount_minor, identical, tuple(changes)))
    return told


def _agreed(cases: Sequence[Case], facts: Mapping[str, list[Fact]], products: Products) -> list[Pricing | None]:
    """The product of each purchase's line, as it was agreed when that was opened."""
    opened = {
        (fact.account_id, name): str(fact.payload["product_digest"])
        for name in {case.row.borrower_id for case in cases}
        for fact in facts[name]
        if fact.kind == PREFIX + FactKind.OPENED
    }
    priced = cache(lambda digest: Pricing(products(digest)))
    found = [opened.get((case.row.account_id, case.row.borrower_id)) for case in cases]
    return [None if digest is None else priced(digest) for digest in found]


def _change(what: str, detail: str, ruling: Ruling) -> Change:
    return Change(what, detail, ruling.outcome, ruling.amount_minor)


def _listed(late: Sequence[Fact]) -> str:
    return ", ".join(f"{fact.kind} (seq {fact.seq})" for fact in late[:_SHOWN_FACTS]) + (
        ", ..." if len(late) > _SHOWN_FACTS else ""
    )


def _rule(
    deciders: Deciders, cases: Sequence[Case], places: Iterable[int], features: record.FloatArray, rows: record.IntArray
) -> dict[int, Ruling]:
    """The rulings on the cases at some places, by place."""
    told: dict[int, Ruling] = {}
    for kind in (Purchase, Application):
        some = [place for place in places if isinstance(cases[place].request, kind)]
        if some:
            at = np.array([cases[place].at_us for place in some])
            found = deciders.rule([cases[place].request for place in some], at, features[some], rows[some])
            told.update(zip(some, found, strict=True))
    return told


def _different(
    deciders: Deciders, was: tuple[record.FloatArray, record.IntArray], now: tuple[record.FloatArray, record.IntArray]
) -> dict[int, list[str]]:
    """By place the names of the values that are not the same to the bit."""
    unknown = np.isnan(was[0]) & np.isnan(now[0])
    features = (was[0].view(np.int64) != now[0].view(np.int64)) & ~unknown
    differs = np.concatenate([features, was[1] != now[1]], axis=1)
    names = (*deciders.features.names, *situation.NAMES)
    return {
        int(place): [names[column] for column in np.flatnonzero(differs[place])]
        for place in np.flatnonzero(differs.any(axis=1))
    }


def _by_now(
    cases: Sequence[Case], now: Deciders | None, then: Deciders, facts: Mapping[str, list[Fact]], products: Products
) -> list[list[Change]]:
    """Which parts of what decides are others by now, and what they decide together, of each case."""
    if now is None or now.version == then.version:
        return [[] for _ in cases]
    by_then = values(now, cases, facts, products)
    rulings = _rule(now, cases, range(len(cases)), by_then.features, by_then.rows)
    was, is_now = (json.loads(deciders.content) for deciders in (then, now))
    told = []
    for place, case in enumerate(cases):
        policy = "authorisation" if isinstance(case.request, Purchase) else "grant"
        parts: Mapping[str, str] = {
            "features": "features", "model": "model", policy: "policy", "group_cap_minor": "cap", "norms": "norms"
        }  # fmt: skip
        told.append([
            _change(what, f"{was.get(part)} then, {is_now.get(part)} now", rulings[place])
            for part, what in parts.items()
            if was.get(part) != is_now.get(part)
        ])  # fmt: skip
    return told
