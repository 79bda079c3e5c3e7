"""One batch of requests, of different borrowers, in one transaction: read once, decide once, write once.

round trip 1   begin, take the borrowers' locks, read
where needed   what others booked since, and accounts whose numbers do not hold today
round trip 2   facts with their link, decisions, borrowers with their lines; commit
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import msgspec
import numpy as np

from evenkeel.accounts.facts import AccountFact, FactKind, read_fact
from evenkeel.accounts.products.reading import parse_product
from evenkeel.accounts.store import PREFIX, held_event_id
from evenkeel.behaviour.online import Event as Counted
from evenkeel.decisions import record
from evenkeel.decisions.assessment.alone import Use
from evenkeel.decisions.assessment.assess import USUAL
from evenkeel.decisions.cost import Pricing
from evenkeel.decisions.engine import applying, situation
from evenkeel.decisions.engine import statements as sql
from evenkeel.decisions.engine.also import also_read, is_preview, no_account
from evenkeel.decisions.engine.arms import Arms
from evenkeel.decisions.engine.deciders import Deciders, Ruling
from evenkeel.decisions.engine.happenings import (
    EVENT,
    Fact,
    Grant,
    event_of,
    grants_after,
    pack_grants,
    unpack_grants,
)
from evenkeel.decisions.engine.marks import device_other, entries, marks_after, watched
from evenkeel.decisions.engine.position import (
    FROZEN,
    THAWED,
    Position,
    lines_until,
    pack_lines,
    position_of,
    unpack_lines,
)
from evenkeel.decisions.engine.turns import locking
from evenkeel.decisions.engine.wire import (
    BYTEA,
    INT4,
    INT8,
    TEXT,
    TIMESTAMPTZ,
    UUID,
    Query,
    Wire,
    fixed,
    instant,
    texts,
    words,
)
from evenkeel.decisions.preview import previewed
from evenkeel.decisions.requests import Application, Decision, Event, Purchase, Recorded, Request, encode
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput
from evenkeel.kernel.ids import content_id
from evenkeel.storage import chain

_AHEAD_US = 300_000_000  # clocks differ; what lies further in the future is a mistake

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_decode = msgspec.json.decode
_HOLD = PREFIX + FactKind.HOLD
_DAY, _HOLD_DAYS = situation.PLACE["day"], situation.PLACE["hold_days"]


@dataclass(slots=True, eq=False)
class Case:
    """One request on its way through a batch. body: its canonical bytes. turn, borrower: the lock of its borrower, and
    whose it is."""

    request: Request
    request_id: bytes
    body: bytes
    turn: int
    borrower: bytes
    at_us: int = 0
    kept: bool = False  # its borrower has a row
    seq: int = 0
    behaviour: bytes = b""
    grants: list[Grant] = field(default_factory=list)
    marks: bytes = b""
    lines: dict[str, Position] = field(default_factory=dict)  # of the borrower, by account; some may not hold today
    stale: frozenset[str] = frozenset()  # accounts of which more was booked since
    position: Position | None = None
    events: list[Counted] = field(default_factory=list)
    applicant: applying.Applicant | None = None  # of an application
    own: applying.Own | None = None
    income_minor: int | None = None  # a month's, of a preview
    changed: bool = False  # its borrower's row is to be written
    reply: bytes | None = None
    error: EvenkeelError | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be answered."""
        return self.reply is None and self.error is None


@dataclass(slots=True)
class Writing:
    """What a transaction will write."""

    facts: list[tuple[Case, Fact]] = field(default_factory=list)
    decided: list[tuple[Case, Ruling, bytes, str]] = field(default_factory=list)  # with what was read, and who decided
    loans: dict[str, int] = field(default_factory=dict)  # what each asks for a month, of applicants
    uses: list[applying.UseRow] = field(default_factory=list)


class Batch:
    """The cases of one transaction on one connection."""

    def __init__(
        self, wire: Wire, writer: bytes, arms: Arms, products: dict[str, Pricing], now: datetime,
        cases: Sequence[Case],
    ) -> None:  # fmt: skip
        self._wire = wire
        self._writer = writer
        self._arms = arms
        self._deciders = arms.champion  # whose features, zone and cap are those of all
        self._products = products
        self._now = now
        self._now_us = (now - _EPOCH) // _MICROSECOND
        self._today = arms.champion.day(self._now_us)
        self._cases = list(cases)
        self._writing = Writing()
        self._named: dict[tuple[str, str], list[Use]] = defaultdict(list)  # tokens in applications of this batch

    async def run(self) -> list[Case]:
        """Answer every case, by `reply` or `error`, once the transaction is committed; returns those whose borrower is
        busy elsewhere, which are not answered. Raises what the wire raises; then nothing is committed."""
        busy = await self._begin()
        cases = [case for case in self._cases if case.open]
        if cases:
            await self._catch_up(cases)
            await self._fold(cases)
            self._decide([case for case in cases if case.open])
        await self._finish(cases)
        return busy

    # ---- Reading ---------------------------------------------------------------------------------------------------

    async def _begin(self) -> list[Case]:
        cases = self._cases
        requests = [case.request for case in cases]
        queries: list[Query] = [
            (sql.BEGIN, ()),
            locking(cases),
            (sql.READ, (
                texts(UUID, [None if isinstance(case.request, Event) else case.request_id for case in cases]),
                texts(TEXT, [_event_id(case).encode() if isinstance(case.request, Event) else None for case in cases]),
                texts(TEXT, [case.borrower for case in cases]),
            )),
        ]  # fmt: skip
        asked = [
            (place, cases[place].borrower, request, self._instant(request))
            for place, request in enumerate(requests)
            if isinstance(request, Application)
        ]
        if asked:
            queries += applying.queries(asked)
        further = also_read(cases, self._deciders, self._now_us)
        queries += [query for query, _ in further]
        results = await self._wire.run(queries)
        busy = []
        for case, (free,), row in zip(cases, results[1], results[2], strict=True):
            try:
                if self._known(case, row):
                    continue
                if free == b"\x00":
                    busy.append(case)
                else:
                    self._read(case, row)
            except EvenkeelError as error:
                case.error = error
        self._cases = [case for case in cases if case not in busy]
        first = len(queries) - len(further)
        for (_, take), rows in zip(further, results[first:], strict=True):
            take(rows)
        if asked:
            found = applying.applicants(results[3:first], _fact)
            for at, *_ in asked:
                cases[at].applicant = found.get(at) or applying.Applicant()
        return busy

    def _instant(self, request: Request) -> int:
        """When it happened: as it says, or now."""
        given = request.effective_at
        return self._now_us if given is None else (given - _EPOCH) // _MICROSECOND

    def _known(self, case: Case, row: list[bytes | None]) -> bool:
        """Whether a key was answered before; so is the request then. Raises Conflict where that was another request."""
        request, reply, event = row[:3]
        if (request is None and event is None) or is_preview(case.request):
            return False
        same = request == case.body if event is None else event.decode() == _fingerprint(case)
        if not same:
            raise Conflict(
                f"The key {case.request.key} was used before for another request.", "Use a new key for a new request."
            )
        case.reply = reply if event is None else encode(Recorded(_event_id(case)))
        return True

    def _read(self, case: Case, row: list[bytes | None]) -> None:
        seq, behaviour, grants, marks, lines, tail = row[3:]
        request = case.request
        case.at_us = self._instant(request)
        if case.at_us > self._now_us + _AHEAD_US:
            raise InvalidInput(
                f"`effective_at` is {request.effective_at}, which is still to come.", "Leave it out for now."
            )
        case.kept = seq is not None
        if seq is not None and self._deciders.features.current(behaviour or b""):
            case.seq, case.behaviour, case.grants = _int(seq), behaviour or b"", unpack_grants(grants or b"")
            case.marks, case.lines = marks or b"", unpack_lines(lines)
            case.changed = tail == b"\x01"
        else:  # not known yet, or kept under other definitions: from the journal's beginning
            case.changed = True

    async def _catch_up(self, cases: Sequence[Case]) -> None:
        """Take in what was booked beyond the borrowers' rows."""
        behind = [case for case in cases if case.changed]
        if not behind:
            return
        places = np.arange(len(behind))
        borrowers = [case.borrower for case in behind]
        seqs = np.array([case.seq for case in behind])
        found = await self._wire.run([(sql.TAIL, (fixed(INT4, places), texts(TEXT, borrowers), fixed(INT8, seqs)))])
        tails: list[list[Counted]] = [[] for _ in behind]
        for row in found[0]:
            place, fact = _int(row[0]), _fact(row)
            case = behind[place]
            case.seq = fact.seq
            case.grants = grants_after(case.grants, fact)
            case.marks = marks_after(case.marks, fact)
            event = event_of(fact)
            if event is not None:
                tails[place].append(event)
            if fact.account_id is not None:
                case.stale |= {fact.account_id}
        states = self._deciders.features.add_many([case.behaviour for case in behind], tails)
        for case, state in zip(behind, states, strict=True):
            case.behaviour = state

    async def _fold(self, cases: Sequence[Case]) -> None:
        """Fold the accounts whose numbers are not there, or do not hold on the day that is asked about."""
        wanted = {(name, case.request.borrower_id): case for case in cases for name in self._unfolded(case)}
        facts = await self._facts(sorted({name for name, _ in wanted})) if wanted else {}
        for name, (borrower, found, frozen) in facts.items():
            case = wanted.get((name, borrower))
            product = self._products[str(found[0].details["product_digest"])].product
            if case is None or found[0].effective_on.toordinal() > self._day(case):
                continue
            day = date.fromordinal(self._day(case))
            owners = {
                "account_id": name, "borrower_id": borrower, "lender_id": str(found[0].details.get("lender_id") or "")
            }  # fmt: skip
            if product.line is None and isinstance(case.request, Application):
                self._writing.loans[name] = applying.loan_service(product, found, day)
            case.lines[name] = position_of(owners, product, found, frozen, day)
            case.changed = True
        for case in cases:
            if isinstance(case.request, Purchase):
                case.position = case.lines.get(case.request.account_id)
        await self._agreed({case.position.product for case in cases if case.position is not None})

    def _unfolded(self, case: Case) -> frozenset[str]:
        """The accounts of a case that are to be folded: for an application all that do not hold, and each loan for what
        it asks for a month; for a purchase its own; and all of which more was booked since."""
        request, day = case.request, self._day(case)
        if isinstance(request, Purchase):
            found = case.lines.get(request.account_id)
            holds = found is not None and found.valid_until >= day
            return case.stale if holds else case.stale | {request.account_id}
        if isinstance(request, Application):
            lines = case.lines.items()
            return case.stale.union(name for name, one in lines if one.valid_until < day or one.limit_minor is None)
        return case.stale

    async def _facts(self, accounts: Sequence[str]) -> dict[str, tuple[str, list[AccountFact], bool]]:
        """Borrower, facts, and whether it is frozen, of each account that is on record."""
        rows = (await self._wire.run([(sql.FACTS, (words(accounts),))]))[0]
        facts: dict[str, list[AccountFact]] = defaultdict(list)
        owner: dict[str, str] = {}
        frozen: set[str] = set()
        for row in rows:
            account, borrower, kind, payload = (_text(value) for value in row)
            if kind.startswith(PREFIX):
                facts[account].append(_read(payload))
                owner[account] = borrower
            elif kind == FROZEN:
                frozen.add(account)
            elif kind == THAWED:
                frozen.discard(account)
        await self._agreed({str(some[0].details["product_digest"]) for some in facts.values()})
        return {account: (owner[account], some, account in frozen) for account, some in facts.items()}

    async def _agreed(self, wanted: set[str]) -> None:
        """Have products at hand."""
        digests = wanted - self._products.keys()
        if digests:
            found = await self._wire.run([(sql.PRODUCT, (words(sorted(digests)),))])
            for digest, text in found[0]:
                self._products[_text(digest)] = Pricing(parse_product(_text(text)))

    # ---- Deciding --------------------------------------------------------------------------------------------------

    def _decide(self, cases: Sequence[Case]) -> None:
        purchases, applications = [], []
        for case in cases:
            if isinstance(case.request, Purchase):
                if case.position is None or not _own(case.position, case.request):
                    case.error = no_account(case.request.account_id, case.request.borrower_id)
                else:
                    purchases.append(case)
            elif isinstance(case.request, Application):
                applications.append(case)
            else:
                self._record(case, case.request)
        for kind, group in (("authorisation", purchases), ("grant", applications)):
            for deciders, some in self._by_arm(kind, group):
                self._rule(some, deciders)
        grown = [case for case in cases if case.events]
        states = self._deciders.features.add_many(
            [case.behaviour for case in grown], [case.events for case in grown]
        )  # fmt: skip
        for case, state in zip(grown, states, strict=True):
            case.behaviour, case.changed = state, True

    def _by_arm(self, kind: str, cases: list[Case]) -> list[tuple[Deciders, list[Case]]]:
        """The cases of each that decides on some of them."""
        if not cases or kind not in self._arms.challengers:
            return [(self._deciders, cases)] if cases else []
        arms: dict[str, tuple[Deciders, list[Case]]] = {}
        for case in cases:
            deciders = self._arms.of(kind, case.request.borrower_id)
            arms.setdefault(deciders.version, (deciders, []))[1].append(case)
        return list(arms.values())

    def _rule(self, cases: Sequence[Case], deciders: Deciders) -> None:
        instants = np.array([case.at_us for case in cases])
        told = [self._situation(case) for case in cases]
        rows = situation.matrix(told)
        features = deciders.features.values([case.behaviour for case in cases], instants)
        rulings = deciders.rule([case.request for case in cases], instants, features, rows)  # type: ignore[misc]
        for case, ruling, row, used in zip(cases, rulings, told, record.pack_used(features, rows), strict=True):
            request = case.request
            assert not isinstance(request, Event)  # noqa: S101 - for the type checker
            pricing = None if case.position is None else self._products[case.position.product]
            said = record.decided(case.request_id, request, ruling, row, deciders.version, pricing)
            if pricing is not None and is_preview(request):
                case.reply = encode(previewed(said, row, pricing, case.income_minor))
                continue
            case.reply = encode(said)
            self._writing.decided.append((case, ruling, used, deciders.version))
            if isinstance(request, Application):
                self._apply(case, request, ruling)
            elif ruling.amount_minor:
                self._hold(case, request, said, row)

    def _day(self, case: Case) -> int:
        """The day on which a line is looked at: today, also for what happened earlier. What was spent or held since
        then counts, and a hold begins when it is made."""
        return self._today if case.at_us <= self._now_us else self._deciders.day(case.at_us)

    def _situation(self, case: Case) -> situation.Row:
        deciders, request, borrower_id = self._deciders, case.request, case.request.borrower_id
        day = self._day(case)
        if case.position is not None and isinstance(request, Purchase):
            other = device_other(case.marks, request.device_token)
            return situation.of_line(case.position, day, watched(case.marks, day), other)
        assert isinstance(request, Application) and case.applicant  # noqa: S101 - for the type checker
        found, norms = case.applicant, deciders.norms or USUAL
        case.own = applying.own_record(deciders, norms, request, found.facts, case.at_us)
        rows = applying.uses_of(case.own, case.request_id, borrower_id, case.at_us)
        for row in rows:  # in applications of this batch that came before
            found.uses.setdefault(row[:2], []).extend(self._named[row[:2]])
        recorded = applying.looked_up(case.own, norms, found, borrower_id, case.at_us, day)
        for row in rows:
            self._named[row[:2]].append(row.use)
        self._writing.uses += rows
        own = case.own if deciders.norms else None
        return applying.situation_of(
            deciders,
            request,
            own,
            recorded,
            case.grants,
            list(case.lines.values()),
            self._writing.loans,
            case.at_us,
            day,
        )

    def _hold(self, case: Case, request: Purchase, said: Decision, row: situation.Row) -> None:
        """What was approved is held: a fact of the account, an event of the borrower, a smaller room."""
        name, amount, day = said.hold_id, said.amount_minor, row[_DAY]
        assert case.position is not None and name is not None  # noqa: S101 - for the type checker
        expires = day + row[_HOLD_DAYS]
        payload = {
            "fact_id": name, "kind": "hold", "effective_on": _day_text(day), "amount_minor": amount,
            "expires_on": _day_text(expires),
        }  # fmt: skip
        if request.category is not None:
            payload["category"] = request.category
        if request.channel is not None:
            payload["channel"] = request.channel
        if request.device_token is not None:
            payload["device_token"] = request.device_token
        self._add(case, Fact(0, held_event_id(case.request_id, self._now_us), _HOLD, request.account_id, case.at_us,
                             self._now_us, None, payload))  # fmt: skip
        case.lines[request.account_id] = case.position.held(amount, expires)

    def _apply(self, case: Case, request: Application, ruling: Ruling) -> None:
        name = record.name_of(case.request_id)
        fact = applying.application_fact(
            request, name, ruling.outcome, ruling.amount_minor, case.own, case.at_us, self._now_us
        )
        self._add(case, fact)
        case.grants = grants_after(case.grants, fact)
        assert case.applicant  # noqa: S101 - for the type checker
        if news := applying.standing_fact(case.applicant, entries(case.marks), name, self._now_us):
            self._add(case, news)

    def _record(self, case: Case, request: Event) -> None:
        payload: dict[str, object] = {
            "lender_id": request.lender_id, "request": _fingerprint(case), "fields": request.payload,
        }  # fmt: skip
        if request.amount_minor is not None:
            payload["amount_minor"] = request.amount_minor
        name = _event_id(case)
        fact = Fact(0, name, EVENT + request.kind, request.account_id, case.at_us, self._now_us, None, payload)
        self._add(case, fact)
        case.reply = encode(Recorded(name))

    def _add(self, case: Case, fact: Fact) -> None:
        self._writing.facts.append((case, fact))
        case.marks = marks_after(case.marks, fact)
        event = event_of(fact)
        if event is not None:
            case.events.append(event)

    # ---- Writing ---------------------------------------------------------------------------------------------------

    async def _finish(self, cases: Sequence[Case]) -> None:
        writing = self._writing
        if not writing.facts and not writing.decided:
            await self._wire.run([(sql.ROLLBACK, ())])
            return
        rows = [_row(*decided) for decided in writing.decided]
        queries: list[Query] = [(sql.APPEND, self._append(rows))]
        if rows:
            queries.append((sql.DECIDE, self._decisions(rows)))
        if writing.uses:
            queries.append((sql.USE, applying.use_columns(writing.uses)))
        changed = [case for case in cases if case.changed and case.error is None]
        for name, kept in ((sql.GROWN, True), (sql.BORROWERS, False)):
            some = [case for case in changed if case.kept is kept]
            if some:
                queries.append((name, _borrowers(some)))
        queries.append((sql.COMMIT, ()))
        await self._wire.run(queries)

    def _append(self, rows: Sequence[Row]) -> tuple[bytes, ...]:
        """Facts as the chain's append takes them; decisions are under the chain by a fact with their digest."""
        facts = self._writing.facts
        whose: list[bytes | None] = [case.borrower for case, _ in facts]
        named = [fact for _, fact in facts]
        if rows:
            digest = record.digest((row[0], *row[8:11]) for row in rows)
            name = content_id(record.DECISIONS, digest)
            payload = {"count": len(rows), "sha256": digest}
            named.append(Fact(0, name, record.DECISIONS, None, self._now_us, 0, None, payload))
            whose.append(None)
        return (
            self._writer, chain.START, instant(self._now_us), words([fact.event_id for fact in named]),
            words([fact.kind for fact in named]), texts(TEXT, whose),
            texts(TEXT, [None if fact.account_id is None else fact.account_id.encode() for fact in named]),
            fixed(TIMESTAMPTZ, np.array([fact.effective_us for fact in named])),
            texts(TEXT, [None] * len(named)), texts(TEXT, [encode(fact.payload) for fact in named]),
        )  # fmt: skip

    def _decisions(self, rows: Sequence[Row]) -> tuple[bytes, ...]:
        names, kinds, lenders, borrowers, accounts, seqs, outcomes, fired, bodies, used, replies, versions = zip(
            *rows, strict=True
        )
        return (
            texts(UUID, names), words(kinds), words(lenders), texts(TEXT, borrowers),
            texts(TEXT, [None if one is None else one.encode() for one in accounts]),
            fixed(INT8, np.array(seqs)),
            words(outcomes), fixed(INT4, np.array(fired)), texts(BYTEA, bodies),
            texts(BYTEA, used), texts(BYTEA, replies), words(versions), instant(self._now_us),
        )  # fmt: skip


# decision_id, kind, lender_id, borrower_id, account_id, known_seq, outcome, fired, request, used, reply, deciders
Row = tuple[bytes, str, str, bytes, str | None, int, str, int, bytes, bytes, bytes, str]


def _row(case: Case, ruling: Ruling, used: bytes, deciders: str) -> Row:
    request = case.request
    kind, account = ("purchase", request.account_id) if isinstance(request, Purchase) else ("application", None)
    return (
        case.request_id, kind, request.lender_id, case.borrower, account, case.seq, ruling.outcome, ruling.row,
        case.body, used, case.reply or b"", deciders,
    )  # fmt: skip


def _own(position: Position, request: Purchase) -> bool:
    """Whether the account is this borrower's, at this lender; an opening without a lender is the one lender's, `-`."""
    return position.borrower_id == request.borrower_id and (position.lender_id or "-") == request.lender_id


def _event_id(case: Case) -> str:
    return content_id("event", case.request.lender_id, case.request.key)


def _fingerprint(case: Case) -> str:
    return hashlib.sha256(case.body).hexdigest()[:32]


@lru_cache(maxsize=512)
def _day_text(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _int(value: bytes | None) -> int:
    assert value is not None  # noqa: S101 - columns that are never null
    return int.from_bytes(value, "big", signed=True)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()


@lru_cache(maxsize=1 << 14)
def _read(payload: str) -> AccountFact:
    """A fact of an account. It is wanted at each fold anew: those of busy accounts are kept."""
    return read_fact(_decode(payload))


def _fact(row: Sequence[bytes | None]) -> Fact:
    """A row of TAIL, after its place."""
    _, seq, name, kind, account, effective, booked, reversal_of, payload = row
    return Fact(
        _int(seq), _text(name), _text(kind), account.decode() if account else None, _int(effective), _int(booked),
        reversal_of.decode() if reversal_of else None, _decode(payload or b"{}"),
    )  # fmt: skip


def _borrowers(cases: Sequence[Case]) -> tuple[bytes, ...]:
    return (
        texts(TEXT, [case.borrower for case in cases]),
        fixed(INT8, np.array([case.seq for case in cases])),
        fixed(INT4, np.array([bool(case.events) for case in cases])),
        texts(BYTEA, [case.behaviour for case in cases]),
        texts(BYTEA, [pack_grants(case.grants) for case in cases]),
        texts(BYTEA, [case.marks for case in cases]),
        texts(BYTEA, [pack_lines(case.lines.values()) if case.lines else b"" for case in cases]),
        fixed(INT4, np.array([lines_until(case.lines.values()) for case in cases])),
    )
