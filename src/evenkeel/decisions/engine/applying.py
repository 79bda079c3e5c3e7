"""An application is decided on what is on record of its borrower, never on what the request claims to have found out.

What it declares (income, tokens of address, telephone, employer and contacts) is held against earlier applications,
against incomes that were booked, against what others declared, and against watch lists. All of it is read in the round
trip that reads the borrower, and becomes numbers of the situation: replay finds them there, or makes them again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.fold import run_loan
from evenkeel.accounts.loan.fold import loan_state
from evenkeel.accounts.products.model import Product
from evenkeel.decisions.assessment.alone import (
    CONTACTS,
    Peer,
    Said,
    Token,
    Use,
    among_peers,
    income_interval,
    levels,
    own_signs,
    seen_income,
    service_asked,
    shared_signs,
    usual_income,
)
from evenkeel.decisions.assessment.assess import Norms
from evenkeel.decisions.assessment.burden import MINIMUM_SHARE, REVOLVING
from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.assessment.income import GROUPS
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine import statements as sql
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.happenings import APPLICATION, BUREAU_REPORT, EVENT, TRADELINE, Fact, Grant
from evenkeel.decisions.engine.position import OPEN, Position
from evenkeel.decisions.engine.wire import INT4, INT8, TEXT, UUID, Query, Rows, fixed, texts
from evenkeel.decisions.identity.standing import STANDING, Entry, entry, payload_of, standing
from evenkeel.decisions.identity.verification import CheckKind, CheckResult, Verification, verdict
from evenkeel.decisions.identity.verification import standing as newest
from evenkeel.decisions.requests import Application
from evenkeel.kernel.ids import content_id

GRANT_DAYS = 30  # a grant that no account was opened for lapses
DUE_DAYS = 31  # what a loan asks for in as many days is what it asks for a month
ADULT = 18  # a year of birth does not tell on which day it is reached: nobody is sent away as 17 in the year of 18
_US = 1_000_000
_AHEAD_US = 300_000_000  # clocks of processes differ: whoever applies now comes after all that is on record
_MOST = 10**12  # minor units
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAID_IN = (EVENT + "income", EVENT + "deposit")
KINDS = (APPLICATION, *_PAID_IN, TRADELINE, BUREAU_REPORT)  # of facts that say something of an applicant
_DECLARED = (
    "income_declared_minor", "employer_token", "address_token", "phone_token", "contact_tokens", *GROUPS, "dependants",
    "lines_declared",
)  # fmt: skip
_LISTED = ("device", "phone", "address", "employer")  # kinds of tokens that lists know, of those declared
_NUMBERED = (CheckKind.ID_NUMBER, CheckKind.NAME_ID, CheckKind.FOUR_FACTOR)  # a match holds the number


@dataclass(slots=True)
class Applicant:
    """What is read for an application beside its borrower's row.

    checks: answers on who they are, born: years of birth in numbers that were confirmed, named: whether a list could
    name the person, listed: what does, lists: whether any is kept. facts: of KINDS, in the order of booking. uses: of
    the tokens declared, by others and before, in the order of time.
    """

    checks: list[Verification] = field(default_factory=list)
    born: set[int] = field(default_factory=set)
    named: bool = False
    listed: list[Entry] = field(default_factory=list)
    lists: bool = False
    facts: list[Fact] = field(default_factory=list)
    uses: dict[Token, list[Use]] = field(default_factory=dict)


# ---- Reading -------------------------------------------------------------------------------------------------------


def token_in(token: Token) -> tuple[str, str]:
    """A token as it is kept: all contacts together by their hash."""
    kind, text = token
    return (kind, hashlib.sha256(text.encode()).hexdigest()[:32]) if kind == CONTACTS else token


def queries(asked: Sequence[tuple[int, bytes, Application, int]]) -> list[Query]:
    """What is read of applicants: place in the batch, borrower, request and instant of each."""
    places = np.array([place for place, *_ in asked])
    whose = (fixed(INT4, places), texts(TEXT, [borrower for _, borrower, *_ in asked]))
    named = [
        (place, at_us if request.effective_at else at_us + _AHEAD_US, *token_in(token))
        for place, _, request, at_us in asked
        for token in said_by(request, at_us).tokens()
    ]
    listed = [(place, kind, token) for place, _, kind, token in named if kind in _LISTED]
    return [
        (sql.CHECKS, whose),
        (sql.APPLICANT, whose),
        (sql.USES, (
            fixed(INT4, np.array([one[0] for one in named], np.int64)), *_texts([one[2:] for one in named]),
            fixed(INT8, np.array([one[1] for one in named], np.int64)),
        )),
        (sql.LISTED, (*whose, fixed(INT4, np.array([one[0] for one in listed], np.int64)),
                      *_texts([one[1:] for one in listed]))),
        (sql.LISTS, ()),
    ]  # fmt: skip


def _texts(pairs: Sequence[tuple[str, str]]) -> tuple[bytes, bytes]:
    return (
        texts(TEXT, [kind.encode() for kind, _ in pairs]),
        texts(TEXT, [token.encode() for _, token in pairs]),
    )


def applicants(results: Sequence[Rows], read_fact: Any) -> dict[int, Applicant]:
    """By place, from the results of `queries`. read_fact: of a row of TAIL."""
    checks, facts, uses, listed, lists = results
    found: dict[int, Applicant] = {}

    def of(place: bytes | None) -> Applicant:
        return found.setdefault(_int(place), Applicant(lists=lists[0][0] == b"\x01"))

    for place, kind, result, at_us, born, named in checks:
        one = of(place)
        at = _EPOCH + timedelta(microseconds=_int(at_us))
        answer = Verification(CheckKind(_text(kind)), CheckResult(_text(result)), at, "", 0, "", False)
        one.checks.append(answer)
        if answer.result is CheckResult.MATCH and answer.kind in _NUMBERED:
            one.named |= named == b"\x01"
            if born is not None:
                one.born.add(_int(born))
    for row in facts:
        of(row[0]).facts.append(read_fact(row))
    for place, kind, token, at_us, borrower, address, *amounts in uses:
        income, seen, usual = (None if value is None else _int(value) for value in amounts)
        where = None if address is None else _text(address)
        use = Use(_int(at_us) // _US, _text(borrower), where, income, seen, usual)
        of(place).uses.setdefault((_text(kind), _text(token)), []).append(use)
    for place, reason, since, until in listed:
        end = None if until is None else date.fromordinal(_int(until))
        of(place).listed.append(entry(_text(reason), date.fromordinal(_int(since)), end))
    return found


def _int(value: bytes | None) -> int:
    assert value is not None  # noqa: S101 - columns that are never null
    return int.from_bytes(value, "big", signed=True)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()


# ---- What is declared ----------------------------------------------------------------------------------------------


def declared_by(request: Application) -> dict[str, Any]:
    """What an application declares, as it is put on record; only what it says."""
    said = {name: getattr(request, name) for name in _DECLARED}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value not in (None, ())
    }


def said_by(request: Application, at_us: int) -> Said:
    """An application's declarations, to be assessed."""
    return _said(declared_by(request), request.device_token, at_us)


def _said(declared: Mapping[str, Any], device: str | None, at_us: int) -> Said:
    get = declared.get
    return Said(
        at_us // _US, get("income_declared_minor"), device, get("phone_token"), get("address_token"),
        get("employer_token"), tuple(get("contact_tokens") or ()), get("dependants"), get("lines_declared"),
        tuple(get(name) for name in GROUPS),
    )  # fmt: skip


def _standing_facts(facts: Iterable[Fact], at_us: int) -> list[Fact]:
    """Facts that had happened and stand: without those reversed, and their reversals."""
    found = list(facts)
    gone = {fact.reversal_of for fact in found if fact.reversal_of}
    return [
        fact
        for fact in found
        if fact.kind in KINDS and fact.effective_us <= at_us and not fact.reversal_of and fact.event_id not in gone
    ]


def _earlier(facts: Iterable[Fact]) -> list[Said]:
    """The borrower's own applications, in the order of time."""
    made = sorted(
        (fact for fact in facts if fact.kind == APPLICATION), key=lambda one: (one.effective_us, one.event_id)
    )
    said: list[tuple[Any, Any, int]] = [
        (fact.payload.get("declared") or {}, fact.payload.get("fields") or {}, fact.effective_us) for fact in made
    ]
    return [_said(declared, fields.get("device_token"), at_us) for declared, fields, at_us in said]


# ---- The situation -------------------------------------------------------------------------------------------------

Numbers = dict[str, int | None]  # by situation.NAMES


@dataclass(frozen=True, slots=True)
class Own:
    """What the borrower's own record says of an application. seen: income; usual: by peers, workmates left aside."""

    said: Said
    earlier: list[Said]
    facts: list[Fact]
    seen: int | None
    usual: int | None


def own_record(deciders: Deciders, norms: Norms, request: Application, facts: Iterable[Fact], at_us: int) -> Own:
    """facts: of the borrower, of KINDS at least."""
    said, known = said_by(request, at_us), _standing_facts(facts, at_us)
    paid = [
        (_month(deciders.day(max(fact.effective_us, fact.booked_us))), amount)
        for fact in known
        if fact.kind in _PAID_IN and isinstance(amount := fact.payload.get("amount_minor"), int)
    ]
    seen = seen_income(paid, _month(deciders.day(at_us)))
    return Own(said, _earlier(known), known, seen, usual_income(said.groups, norms.peers))


def _month(day: int) -> int:
    on = date.fromordinal(day)
    return on.year * 12 + on.month - 1


def looked_up(own: Own, norms: Norms, found: Applicant, borrower_id: str, at_us: int, day: int) -> Numbers:
    """situation.RECORDED: what others and outside registers say, which no journal of this borrower gives again."""
    uses = {token: found.uses.get(token_in(token), []) for token in own.said.tokens()}
    peer = among_peers(borrower_id, own.usual, uses.get(("employer", own.said.employer or ""), []), norms.peers)
    at = _EPOCH + timedelta(microseconds=at_us)
    checks = [one for one in found.checks if one.checked_at <= at]
    mismatches = sum(one.result is CheckResult.MISMATCH for one in checks) if checks else None
    signs = shared_signs(borrower_id, own.said, uses, norms) | {"identity_mismatch": mismatches}
    return {
        "identity_place": situation.IDENTITIES.index(verdict(newest(checks, at)).identity),
        "watched": _watched(found, day),
        "age": _age(found.born, day),
        "usual_minor": peer.usual,
        "workmates": peer.workmates,
        **{name: value for name, value in _signs(signs).items() if name in situation.RECORDED},
    }  # fmt: skip


def _signs(values: Mapping[str, float | None]) -> Numbers:
    return {f"sign_{sign.name}": level for sign, level in zip(SIGNS, levels(dict(values)), strict=True)}


def _watched(found: Applicant, day: int) -> int | None:
    """The strictest entry in force. Not known without lists, nor of a person whose number no check has confirmed."""
    effect = max((one.effect for one in found.listed if one.since <= day <= one.until), default=0)
    return effect if effect or (found.lists and found.named) else None


def _age(born: set[int], day: int) -> int | None:
    """Full years, at the least, from the one year of birth on record; not known in the year in which 18 is reached."""
    if len(born) != 1:
        return None
    years = date.fromordinal(day).year - next(iter(born))
    return None if years == ADULT else years - 1 if years > ADULT else years


def situation_of(
    deciders: Deciders, request: Application, own: Own | None, recorded: Numbers, grants: Sequence[Grant],
    lines: Sequence[Position], loans: Mapping[str, int], at_us: int, day: int,
) -> situation.Row:  # fmt: skip
    """The row of an application. own: None for deciders without norms. lines: all of the borrower on record. loans:
    what each that is a loan asks for a month (`loan_service`). day: on which lines are looked at."""
    pending = [grant.amount_minor for grant in grants if grant.until_us >= at_us]
    exposure = sum(line.exposure_minor for line in lines) + sum(pending)
    count = sum(line.stage == OPEN for line in lines)
    known: Numbers = {
        "cap_minor": deciders.group_cap_minor, "exposure_group_minor": exposure, "requests_in_flight": len(pending),
        "lines": count, "day": day, **recorded,
    }  # fmt: skip
    norms = deciders.norms
    if norms is None or own is None:
        return situation.of_borrower(known)
    outside = _outside(own.facts, day)
    asked = [
        *(_service(line, loans) for line in lines), *(service_asked(request.product, grant) for grant in pending),
        outside["service"], service_asked(request.product, request.requested_minor),
    ]  # fmt: skip
    peer = Peer(recorded.get("usual_minor"), recorded.get("workmates") or 0)
    low, middle = income_interval(own.said.income, own.seen, peer, norms.peers)
    everywhere = None if outside["lines"] is None else outside["lines"] + count
    mine = _signs(own_signs(own.said, own.earlier, own.seen, peer, None, everywhere, norms))
    known |= {
        "bureau_day": outside["day"], "lines_outside": outside["lines"], "outside_minor": outside["promised"],
        "service_after_minor": _sum(asked), "income_seen_minor": own.seen, "income_low_minor": low,
        "income_middle_minor": middle,
        **{name: value for name, value in mine.items() if name not in situation.RECORDED},
    }  # fmt: skip
    return situation.of_borrower(known)


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _share(balance_minor: int) -> int:
    return -int(-balance_minor * MINIMUM_SHARE // 1)  # rounded up


def _service(line: Position, loans: Mapping[str, int]) -> int:
    """What a line of the group asks for a month: of one that is written off or sold, all that is owed."""
    if line.stage != OPEN:
        return line.owed_minor
    if line.account_id in loans:
        return loans[line.account_id]
    return max(line.past_due_minor, _share(line.owed_minor + line.held_minor))


def loan_service(product: Product, facts: Sequence[AccountFact], day: date) -> int:
    """What a loan asks for in DUE_DAYS: overdue instalments, and those that fall due."""
    loan, _ = run_loan(product, facts, day)
    last = day + timedelta(days=DUE_DAYS)
    return sum(one.open_minor for one in loan_state(loan).instalments if one.due_on <= last)


def _outside(facts: Sequence[Fact], day: int) -> Numbers:
    """Lines elsewhere, from the newest report of a bureau and what was told of each line, before the day.

    A report (`bureau_report`: as_of, lines) says how many lines there are; each line (`tradeline`: lender, line, as_of,
    product, limit_minor, balance_minor, days_past_due, payment_minor) is told apart. Without a report nothing is known,
    nor where fewer lines were told than it speaks of.
    """
    nothing: Numbers = dict.fromkeys(("day", "lines", "promised", "service"))
    newest: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    report: tuple[int, Mapping[str, Any]] | None = None
    for fact in facts:
        fields: Any = fact.payload.get("fields") or {}
        as_of = _day(fields.get("as_of"))
        if fact.kind not in (TRADELINE, BUREAU_REPORT) or as_of is None or as_of > day:
            continue
        if fact.kind == BUREAU_REPORT:
            report = max(report or (0, {}), (as_of, fields), key=lambda one: one[0])
        else:
            name = (str(fields.get("lender")), str(fields.get("line")))
            newest[name] = max(newest.get(name, (0, {})), (as_of, fields), key=lambda one: one[0])
    if report is None:
        return nothing
    told = [fields for _, fields in newest.values() if _alive(fields)]
    wanted = _amount(report[1], "lines")
    if wanted is None or len(told) < wanted:
        return nothing | {"day": report[0]}
    return {
        "day": report[0],
        "lines": len(told),
        "promised": _sum([_first(_amount(one, "limit_minor"), _amount(one, "balance_minor")) for one in told]),
        "service": _sum([_asked_elsewhere(one) for one in told]),
    }


def _alive(fields: Mapping[str, Any]) -> bool:
    """Whether a line still shows something, as `burden` has it: one whose balance is not known does."""
    balance = _amount(fields, "balance_minor")
    return balance is None or balance != 0 or bool(_amount(fields, "limit_minor") or _amount(fields, "days_past_due"))


def _asked_elsewhere(fields: Mapping[str, Any]) -> int | None:
    balance = _amount(fields, "balance_minor")
    told = _amount(fields, "payment_minor")
    if told is not None or balance is None:
        return told
    return _share(max(balance, 0)) if balance <= 0 or fields.get("product") in REVOLVING else None


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _amount(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= _MOST:
        return None
    return int(value)


def _day(value: object) -> int | None:
    try:
        return date.fromisoformat(value).toordinal() if isinstance(value, str) else None
    except ValueError:
        return None


# ---- Booking -------------------------------------------------------------------------------------------------------


def application_fact(
    request: Application, name: str, outcome: str, granted_minor: int, own: Own | None, at_us: int, now_us: int
) -> Fact:
    """An application as a fact of the journal, with what it declared. name: of the decision."""
    fields = {"product": request.product, "outcome": outcome}
    if request.device_token is not None:
        fields["device_token"] = request.device_token
    payload: dict[str, object] = {
        "lender_id": request.lender_id, "decision_id": name, "amount_minor": request.requested_minor,
        "granted_minor": granted_minor, "until_us": at_us + GRANT_DAYS * 86_400_000_000, "fields": fields,
    }  # fmt: skip
    if declared := declared_by(request):
        payload["declared"] = declared
    if own is not None and (own.seen or own.usual):
        payload["assessed"] = {"seen_minor": own.seen, "usual_minor": own.usual}
    return Fact(0, content_id("application", name), APPLICATION, None, at_us, now_us, None, payload)


def standing_fact(found: Applicant, before: Sequence[Entry], name: str, now_us: int) -> Fact | None:
    """How the borrower stands on watch lists, where that is news."""
    now = standing(found.listed)
    if now == list(before):
        return None
    return Fact(0, content_id(STANDING, name), STANDING, None, now_us, now_us, None, payload_of(now))


class UseRow(NamedTuple):
    """A token in an application, as it is kept for those to come."""

    kind: str
    token: str
    at_us: int
    application_id: bytes
    borrower_id: str
    address: str | None
    income: int | None
    seen: int | None
    usual: int | None

    @property
    def use(self) -> Use:
        """As it is read."""
        return Use(self.at_us // _US, self.borrower_id, self.address, self.income, self.seen, self.usual)


def uses_of(own: Own, application_id: bytes, borrower_id: str, at_us: int) -> list[UseRow]:
    """The tokens of an application, to be kept."""
    said = own.said
    return [
        UseRow(*token_in(token), at_us, application_id, borrower_id, said.address, said.income, own.seen, own.usual)
        for token in said.tokens()
    ]


def uses_on_record(fact: Fact, borrower_id: str) -> list[UseRow]:
    """The same rows from an application's fact."""
    payload: Any = fact.payload
    assessed = payload.get("assessed") or {}
    said = _said(payload.get("declared") or {}, payload["fields"].get("device_token"), fact.effective_us)
    own = Own(said, [], [], assessed.get("seen_minor"), assessed.get("usual_minor"))
    return uses_of(own, uuid.UUID(payload["decision_id"]).bytes, borrower_id, fact.effective_us)


def use_columns(rows: Sequence[UseRow]) -> tuple[bytes, ...]:
    """The parameters of sql.USE."""
    kinds, tokens, instants, names, borrowers, addresses, incomes, seen, usual = zip(*rows, strict=True)
    return (
        *_texts(list(zip(kinds, tokens, strict=True))), fixed(INT8, np.array(instants)), texts(UUID, names),
        texts(TEXT, [one.encode() for one in borrowers]),
        texts(TEXT, [None if one is None else one.encode() for one in addresses]),
        *(fixed(INT8, np.array([situation.NULL if one is None else one for one in some]))
          for some in (incomes, seen, usual)),
    )  # fmt: skip
