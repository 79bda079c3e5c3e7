"""What the record says of borrowers when somebody wants to contact them: earlier contacts as rows, and what holds.

One borrower or a million: what was said (`SAID`), by the borrower or by a case of theirs, is looked up for all
questions at once, so that the live check and the one of a whole day know the same. A contact that was cleared counts
from the moment it was, with an outcome that is open, until it is told that it ended or was not made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.model import Row
from evenkeel.arrears.rows import BoolArray, IntArray, micros
from evenkeel.decisions.engine.happenings import EVENT

ASKED, ENDED = "contact.asked", "contact.ended"
EVENTS = (
    "promise", "stop_contact", "dispute_opened", "dispute_closed", "plan_signed", "plan_broken", "plan_completed",
    "consent_given", "consent_withdrawn",
)  # fmt: skip
REVERSED = EVENT + "reversed"  # takes the fact of a case or an event that it names out, as if it had never been
CASE = "case."  # kinds of facts of cases
# What a case says of a borrower, as far as it bears on contacts.
OF_CASES = tuple(CASE + kind for kind in (
    "complaint_opened", "complaint_closed", "represented", "representation_ended", "wrong_person", "vulnerable",
    "vulnerability_reviewed", "insolvent", "insolvency_ended", "assigned", "recalled", "sold",
))  # fmt: skip
KINDS = (ASKED, ENDED, *(EVENT + kind for kind in EVENTS), REVERSED, *OF_CASES)

# kind: without its prefix; a vulnerability that a review ends is `vulnerability_ended`. subject: which dispute,
# complaint, representation, vulnerability or insolvency; of a wrong person the contact point; of an assignment the
# agency. A dispute that is closed without one closes all. channels: those that suit; of a wrong person at a point that
# nobody noted, those that may reach it. A sale is a row for each account.
SAID = pa.schema(
    [
        ("kind", pa.string()), ("borrower_id", pa.string()), ("lender_id", pa.string()), ("account_id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")), ("purpose", pa.string()), ("promised_on", pa.date32()),
        ("subject", pa.string()), ("channels", pa.list_(pa.string())),
    ]
)  # fmt: skip

_COUNTED = ("allow", "warn")
_WITHOUT_POINT = ("app", "visit")
_SAME_POINT = (("sms", "call", "bot_call"), ("letter", "visit"))  # channels that reach one number, or one address


class _Fact(NamedTuple):
    """A fact of the law: which events make it true and which false, and about whom it is said."""

    name: str
    opens: tuple[str, ...]
    closes: tuple[str, ...]
    about: str  # borrower: it binds every creditor; lender: said to this one
    purpose: str | None = None


_FACTS = (
    _Fact("plan_in_force", ("plan_signed",), ("plan_broken", "plan_completed"), "borrower"),
    _Fact("night_consent", ("consent_given",), ("consent_withdrawn",), "borrower", "contact_night"),
    _Fact("call_consent_at", ("consent_given",), ("consent_withdrawn",), "borrower", "contact_call"),
    _Fact("stop_contact", ("stop_contact",), (), "lender"),
    _Fact("promise_until", ("promise",), (), "lender"),
)


class _Matter(NamedTuple):
    """What a lender keeps apart by its subject. by_account: it is about one debt, or about all."""

    opens: str
    closes: str = ""
    by_account: bool = False


_DISPUTE = _Matter("dispute_opened", "dispute_closed", by_account=True)
# As a fact of the law it is true while one is open.
_OF_CASE = {
    "complaint_open": _Matter("complaint_opened", "complaint_closed"),
    "represented": _Matter("represented", "representation_ended"),
    "insolvent": _Matter("insolvent", "insolvency_ended"),
    "debt_sold": _Matter("sold", by_account=True),
}
_VULNERABLE, _WRONG = _Matter("vulnerable", "vulnerability_ended"), _Matter("wrong_person")


class Held(NamedTuple):
    """A fact as it holds at each question. spoken: where something was said of it; elsewhere it is false or null.
    A consent withdrawn is a null."""

    value: pa.Array
    spoken: BoolArray


def holds(said: pa.Table, asked: pa.Table) -> dict[str, Held]:
    """The facts that the law asks for, as they hold at each question.

    said: columns of SAID, in order of booking; a lender, or for a dispute an account, that is not named is every one.
    asked: borrower_id, lender_id, account_id, at. What cases say is told by `bars`. Of what was said by then the latest
    counts, of one instant the last that was booked, whenever it was booked. A question about no account meets every
    account's dispute. Facts of which nothing was said are left out.
    """
    if not len(said) or not len(asked):
        return {}
    found: dict[str, Held] = {}
    for fact in _FACTS:
        mine = said.filter(_speaks(said, fact))
        if not len(mine):
            continue
        last = _latest(mine, asked, fact.about)
        value = _opens(mine, fact)
        if fact.name == "call_consent_at":
            value = pc.if_else(value, mine["at"], None)
        elif fact.name == "promise_until":
            value = mine["promised_on"]
        found[fact.name] = Held(_one(value.take(pa.array(last, mask=last < 0))), last >= 0)
    if (disputes := _open(said, asked, _DISPUTE)) is not None:
        found["dispute_open"] = Held(pa.array(disputes.any), disputes.heard)
    return found


def bars(said: pa.Table, asked: pa.Table) -> dict[str, Held]:
    """What cases of the lender say against each question, as facts of the law.

    said, asked: as for `holds`, and of what is asked action, and where known contact_point_token, actor_type, actor_id
    and through_representative (bool). A fact is spoken of where it holds: what no case says, an asker may know. Two are
    the record's alone: whom nobody authorised (`representative_not_authorised`), and whether it is said which number is
    used (`contact_point_named`) once one was wrong.
    """
    opened = {name: some for name, matter in _OF_CASE.items() if (some := _open(said, asked, matter)) is not None}
    flags = {name: some.any for name, some in opened.items()}
    if (vulnerable := _open(said, asked, _VULNERABLE)) is not None:
        flags["channel_not_suitable"] = _unsuitable(vulnerable, asked)
    assigned = said.filter(pc.is_in(said["kind"], pa.array(["assigned", "recalled"])))
    if len(assigned) and "actor_id" in asked.column_names:
        flags["agency_not_assigned"] = _without_case(assigned, asked)
    found = {}
    if (wrong := _open(said, asked, _WRONG)) is not None:
        flags |= {"some_point_wrong": wrong.any, "wrong_contact_point": _at_wrong_point(wrong, asked)}
        named = pc.or_(pc.is_valid(asked["contact_point_token"]), pc.is_in(asked["action"], pa.array(_WITHOUT_POINT)))
        found["contact_point_named"] = Held(pa.array(as_mask(named) & wrong.any), wrong.any)
    if "through_representative" in asked.column_names:
        through = as_mask(pc.fill_null(asked["through_representative"], False))
        authorised = flags.get("represented", np.zeros(len(asked), bool))
        found["representative_not_authorised"] = Held(pa.array(through & ~authorised), through)
    return found | {name: Held(pa.array(held), held) for name, held in flags.items() if held.any()}


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open at questions. any, heard: for each question, whether anything is open, and was said at all.
    said: the rows that opened it, of `told`; asked: at which questions."""

    any: BoolArray
    heard: BoolArray
    told: pa.Table
    said: IntArray
    asked: IntArray


def _open(said: pa.Table, asked: pa.Table, matter: _Matter) -> _Open | None:
    """What is open of a matter at each question; None where nothing was ever said of it.

    Each subject is open from when it was opened until it is closed, by its name or with all that is heard at once. A
    question about no account meets what is open of every account.
    """
    mine = said.filter(pc.is_in(said["kind"], pa.array([matter.opens, matter.closes])))
    if not len(mine) or not len(asked):
        return None
    told, place = _heard(mine, asked)
    scene = place
    if matter.by_account:
        told, scene, place = _by_account(mine, asked, told, place)
    order = np.lexsort((np.arange(len(mine)), micros(mine["at"])))  # of one instant as they were booked
    rank = np.empty(len(mine), np.int64)
    rank[order] = np.arange(len(mine))
    opens = as_mask(pc.equal(mine["kind"], matter.opens))
    all_closed = ~opens & as_mask(pc.is_null(mine["subject"]))
    cut = np.full(int(scene.max(initial=-1)) + 1, -1)
    np.maximum.at(cut, scene[all_closed[told]], rank[told[all_closed[told]]])
    (subject,) = codes_of([pc.fill_null(mine["subject"], "")])
    by_subject = np.lexsort((rank[told], subject[told], scene))
    told, scene, place = told[by_subject], scene[by_subject], place[by_subject]
    last = np.append((scene[1:] != scene[:-1]) | (subject[told[1:]] != subject[told[:-1]]), True)[: len(told)]
    open_ = last & opens[told] & (rank[told] > cut[scene])
    found, heard = np.zeros(len(asked), bool), np.zeros(len(asked), bool)
    found[place[open_]], heard[place] = True, True
    return _Open(found, heard, mine, told[open_], place[open_])


def _heard(said: pa.Table, asked: pa.Table) -> tuple[IntArray, IntArray]:
    """Rows that were said by then of a borrower to the lender that asks, or to all; and the questions."""
    told, place = pairs(codes_of([said["borrower_id"], asked["borrower_id"]]))
    lenders, own = codes_of([pc.fill_null(said["lender_id"], ""), asked["lender_id"]])
    everyone = as_mask(pc.equal(pc.fill_null(said["lender_id"], ""), ""))
    kept = micros(said["at"])[told] <= micros(asked["at"])[place]
    kept &= everyone[told] | (lenders[told] == own[place])
    return told[kept], place[kept]


def _by_account(
    said: pa.Table, asked: pa.Table, told: IntArray, place: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """The rows that were said of an account, or of all: the row, the account at a question, and the question.

    A question about no account is one about each account of which anything was said, and one about all.
    """
    codes, own = codes_of([pc.fill_null(said["account_id"], ""), pc.fill_null(asked["account_id"], "")])
    of_all, of_none = as_mask(pc.is_null(said["account_id"])), as_mask(pc.is_null(asked["account_id"]))
    size = int(max(codes.max(), own.max())) + 1
    more = of_none[place] & ~of_all[told]
    scenes = np.unique(np.append(np.arange(len(asked)) * size + own, place[more] * size + codes[told[more]]))
    pair, scene = pairs([place, scenes // size])
    kept = of_all[told[pair]] | (codes[told[pair]] == scenes[scene] % size)
    return told[pair[kept]], scene[kept], place[pair[kept]]


def _unsuitable(vulnerable: _Open, asked: pa.Table) -> BoolArray:
    """Where the channel is not among those that suit, by any vulnerability."""
    _, suits = _channels(vulnerable, asked)
    found = np.zeros(len(asked), bool)
    found[vulnerable.asked[~suits]] = True
    return found


def _channels(open_: _Open, asked: pa.Table) -> tuple[BoolArray, BoolArray]:
    """For each thing that is open at a question: whether it lists channels, and whether the question's is one."""
    channels = _one(open_.told["channels"])
    flat, own = codes_of([pc.list_flatten(channels), asked["action"]])
    size = int(max(flat.max(initial=0), own.max(initial=0))) + 1
    listed = pc.list_parent_indices(channels).to_numpy().astype(np.int64) * size + flat
    there = np.isin(open_.said * size + own[open_.asked], listed)
    return as_mask(pc.is_valid(channels))[open_.said], there


def _at_wrong_point(wrong: _Open, asked: pa.Table) -> BoolArray:
    """Where another person answered at the contact point before, or at one that nobody noted and this may be."""
    points, own = codes_of([pc.fill_null(wrong.told["subject"], ""), pc.fill_null(asked["contact_point_token"], "")])
    found = np.zeros(len(asked), bool)
    found[wrong.asked[points[wrong.said] == own[wrong.asked]]] = True
    found &= as_mask(pc.is_valid(asked["contact_point_token"]))
    listed, reaches = _channels(wrong, asked)
    found[wrong.asked[listed & reaches]] = True
    return found


def _without_case(assigned: pa.Table, asked: pa.Table) -> BoolArray:
    """Where an agency asks that does not have the case, which was assigned before."""
    last = _latest(assigned, asked, "lender")
    has = pc.if_else(pc.equal(assigned["kind"], "assigned"), assigned["subject"], None)
    own = pc.equal(_one(has.take(pa.array(last, mask=last < 0))), _one(asked["actor_id"]))
    agency = pc.fill_null(pc.equal(asked["actor_type"], "agency"), False)
    return as_mask(agency) & (last >= 0) & ~as_mask(pc.fill_null(own, False))


def _speaks(said: pa.Table, fact: _Fact) -> pa.Array:
    mask = pc.is_in(said["kind"], pa.array([*fact.opens, *fact.closes]))
    if fact.purpose is not None:
        mask = pc.and_(mask, pc.fill_null(pc.equal(said["purpose"], fact.purpose), False))
    if fact.name == "promise_until":
        mask = pc.and_(mask, pc.is_valid(said["promised_on"]))
    return mask


def _opens(said: pa.Table, fact: _Fact) -> pa.Array:
    return pc.is_in(said["kind"], pa.array(fact.opens))


def _latest(said: pa.Table, asked: pa.Table, about: str) -> IntArray:
    """For each question the row of `said` that was said last, -1 where none was."""
    names = ["borrower_id"] if about == "borrower" else ["borrower_id", "lender_id"]
    own = [asked[name] for name in names]
    variants = [own]
    if about == "lender":
        variants.append([own[0], pa.array([""] * len(asked), pa.string())])  # said to all
    codes = codes_of([_joined([said[name] for name in names]), *map(_joined, variants)])
    order = np.lexsort((np.arange(len(said)), micros(said["at"])))  # of one instant as they were booked
    rank = np.empty(len(said), np.int64)
    rank[order] = np.arange(len(said))
    ahead = np.searchsorted(micros(said["at"])[order], micros(asked["at"]), side="right")  # ranks said by then
    size = len(said) + 1
    placed = np.sort(codes[0] * size + rank)
    best = np.full(len(asked), -1, np.int64)
    for own_codes in codes[1:]:
        at = np.searchsorted(placed, own_codes * size + ahead) - 1
        hit = (at >= 0) & (placed[at] // size == own_codes)
        best = np.maximum(best, np.where(hit, placed[at] % size, -1))
    return np.where(best >= 0, order[best], -1)


def pairs(codes: list[IntArray]) -> tuple[IntArray, IntArray]:
    """All pairs of equal codes: places in the first, places in the second."""
    order = np.argsort(codes[0], kind="stable")
    opens, ends = (np.searchsorted(codes[0][order], codes[1], side=side) for side in ("left", "right"))
    lengths = ends - opens
    second = np.repeat(np.arange(len(codes[1])), lengths)
    first = order[np.arange(len(second)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(opens, lengths)]
    return first, second


def _joined(columns: list[Any]) -> pa.Array:
    filled = [pc.fill_null(column, "") for column in columns]
    return filled[0] if len(filled) == 1 else pc.binary_join_element_wise(*filled, "\x1f")


def codes_of(columns: list[Any]) -> list[IntArray]:
    """Equal texts of several columns as equal numbers."""
    chunks = [c for column in columns for c in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])]
    codes = pa.concat_arrays(chunks).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1])


def _one(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def as_mask(values: pa.Array | pa.ChunkedArray) -> BoolArray:
    """Flags without nulls as an array; a few are turned sooner one by one."""
    return np.asarray(values.to_pylist() if len(values) < 64 else values.to_numpy(zero_copy_only=False), bool)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of the record about a borrower, of one of KINDS. reversal_of: the event_id of the fact it takes out."""

    event_id: str
    kind: str
    account_id: str | None
    at: datetime
    payload: Mapping[str, Any]
    reversal_of: str | None = None

    @property
    def lender_id(self) -> str:
        """Whom it was told; empty where nobody in particular."""
        return str(self.payload.get("lender_id", ""))

    @property
    def said(self) -> Mapping[str, Any]:
        """The fields of an event; none where they are no fields."""
        fields = self.payload.get("fields")
        return fields if isinstance(fields, dict) else {}


@dataclass(frozen=True, slots=True)
class Standing:
    """contacts: those that were made or may be under way, as rows of actions, in order of booking. ended: what was told
    of each. said: what else was said and what cases say, as rows of SAID in order of booking."""

    contacts: list[Row]
    ended: dict[str, Mapping[str, Any]] = field(repr=False)
    said: list[Row] = field(repr=False)


def undone_by(reversals: Iterable[tuple[str, str | None]]) -> set[str]:
    """The facts that are out, by reversals (own id, what it takes out) in the order of booking; one that is taken out
    itself undoes nothing."""
    undone: set[str] = set()
    for name, target in reversed(list(reversals)):
        if name not in undone and target is not None:
            undone.add(target)
    return undone


def standing_of(borrower_id: str, facts: Iterable[Told]) -> Standing:
    """The standing of one borrower. facts: in the order of booking."""
    asked: dict[str, Told] = {}
    ended: dict[str, Mapping[str, Any]] = {}
    said: list[Row] = []
    told_all = list(facts)
    undone = undone_by((told.event_id, told.reversal_of) for told in told_all if told.kind == REVERSED)
    for told in told_all:
        if told.event_id in undone or told.kind == REVERSED:
            continue
        if told.kind == ASKED:
            asked[told.event_id] = told
        elif told.kind == ENDED:
            ended[str(told.payload["contact_id"])] = told.payload
        else:
            said += _said(borrower_id, told)
    rows = [
        _row(borrower_id, one, ended.get(name, {}))
        for name, one in asked.items()
        if (one.payload["made"] or one.payload["answer"] in _COUNTED) and ended.get(name, {}).get("made", True)
    ]
    return Standing(rows, ended, said)


def _said(borrower_id: str, told: Told) -> list[Row]:
    kind = told.kind.removeprefix(EVENT).removeprefix(CASE)
    row: Row = {
        "kind": kind, "borrower_id": borrower_id, "lender_id": told.lender_id, "account_id": told.account_id,
        "at": told.at,
    }  # fmt: skip
    if told.kind.startswith(CASE):
        return _said_by_case(row, told.payload)
    purpose, name = told.said.get("purpose"), told.said.get("name")
    if kind == "dispute_opened":
        name = name or told.event_id
    return [
        row | {
            "purpose": purpose if isinstance(purpose, str) else None, "promised_on": _day(told.said.get("promised_on")),
            "subject": None if name is None else str(name),
        }
    ]  # fmt: skip


def _said_by_case(row: Row, payload: Mapping[str, Any]) -> list[Row]:
    """A fact of a case as rows. It binds all debts of the lender, but for a sale, which is of the debts it names."""
    kind, row = row["kind"], row | {"account_id": None, "subject": str(payload.get("name", ""))}
    if kind == "wrong_person":
        return [row | _wrong_point(payload.get("contact_point_token"), payload.get("channel"))]
    if kind in ("assigned", "recalled"):
        return [row | {"subject": str(payload.get("agency_id"))}]
    if kind == "sold":
        accounts = payload.get("accounts")
        return [row | {"account_id": str(one)} for one in accounts] if isinstance(accounts, list) else [row]
    if kind in ("vulnerable", "vulnerability_reviewed"):
        if payload.get("ends"):
            return [row | {"kind": "vulnerability_ended"}]
        channels = payload.get("channels")
        if not isinstance(channels, list):  # a review leaves them as they were; of somebody anew, none is known to suit
            return [] if kind == "vulnerability_reviewed" else [row | {"channels": []}]
        return [row | {"kind": "vulnerable", "channels": [str(one) for one in channels]}]
    return [row]


def _wrong_point(token: object, channel: object) -> Row:
    """Which contact point is somebody else's. Where that was not recorded, it may be any that the channel reaches."""
    if token is not None:
        return {"subject": str(token)}
    reached = next((some for some in _SAME_POINT if channel in some), (str(channel),))
    return {"subject": f"unknown {reached[0]}", "channels": list(reached)}


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def _row(borrower_id: str, told: Told, end: Mapping[str, Any]) -> Row:
    said = told.payload["contact"]
    return {
        "contact_id": told.event_id, "borrower_id": borrower_id, "action": said["channel"], "at": told.at,
        "account_id": told.account_id, "lender_id": told.payload["lender_id"],
        "direction": said.get("direction", "out"), "target": said.get("target"),
        "contact_point_token": said.get("contact_point_token"), "actor_type": said.get("actor_type"),
        "product": said.get("product"), "timezone": said.get("timezone"), "answered": end.get("answered"),
        "conversation": end.get("conversation"), "promised_on": _day(end.get("promised_on")),
    }  # fmt: skip
