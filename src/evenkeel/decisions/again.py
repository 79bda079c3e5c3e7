"""What decisions read, worked out again from the journal: each borrower's facts are taken in once, in their order.

Borrowers go forward together, a decision of each at a time, so that features are told of many in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from evenkeel.accounts.facts import AccountFact, FactKind, read_fact
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.line.walk import Walk
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import PREFIX
from evenkeel.behaviour.online import BOOKED, Online
from evenkeel.decisions.engine import applying, situation
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.happenings import Fact, Grant, event_of, grants_after
from evenkeel.decisions.engine.marks import device_other, marks_after, watched
from evenkeel.decisions.engine.position import FROZEN, THAWED, Position, of_line, position_of
from evenkeel.decisions.identity.standing import STANDING
from evenkeel.decisions.record import Recorded
from evenkeel.decisions.requests import Application, Purchase
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.vault import ERASED

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Products = Callable[[str], Product]  # a product on record by its digest


_DAY_US = 86_400_000_000
_FOLDED_ON = situation.PLACE["folded_on"]


@dataclass(frozen=True, slots=True)
class Case:
    """A decision on record, read. at_us: the instant that it was about. used: the row of its situation, whole; width:
    how many numbers of it were kept."""

    row: Recorded
    request: Purchase | Application
    at_us: int
    features: FloatArray
    used: situation.Row
    width: int


@dataclass(frozen=True, slots=True)
class Values:
    """What n cases read, by the journal. late: the facts that were booked afterwards but had happened before.

    features, rows: (n, k) and (n, situation.WIDTH), as far as was known. late_features, late_rows: the same with the
    late facts too; of cases without any they are those as known.
    """

    features: FloatArray
    rows: IntArray
    late: list[list[Fact]]
    late_features: FloatArray
    late_rows: IntArray


@dataclass(slots=True)
class _Account:
    """An account as far as its facts are taken in."""

    product: Product
    owners: dict[str, str]
    walk: Walk | None  # None for a loan
    late_walk: Walk | None  # a way of its own, since it goes over other facts
    facts: list[AccountFact] = field(default_factory=list)
    frozen: bool = False


class Borrower:
    """A borrower's facts, taken in as far as some decision knew them."""

    def __init__(self, facts: Sequence[Fact], products: Products, features: Online) -> None:
        """features: what counts the events among the facts."""
        self._facts = facts
        self._products = products
        self._seqs = np.array([fact.seq for fact in facts], np.int64)
        self._over_by = np.array([over_by(fact) for fact in facts], np.int64)
        self._read: dict[int, AccountFact] = {}
        self._accounts: dict[str, _Account] = {}
        self._grants: list[Grant] = []
        self._marks = b""
        self._taken = 0
        events = [(place, event) for place, fact in enumerate(facts) if (event := event_of(fact)) is not None]
        self._rows, seen = features.rows([event for _, event in events])
        self._places = np.array([place for place, _ in events], np.int64)[seen]  # of the facts that rows are of
        self._rows_over_by = self._over_by[self._places]

    def facts(self, places: Sequence[int]) -> list[Fact]:
        """The facts at some places."""
        return [self._facts[place] for place in places]

    def take(self, known_seq: int) -> IntArray:
        """Take in the facts up to a number; returns the rows of the events among them."""
        before = self._taken
        self._taken = max(before, int(np.searchsorted(self._seqs, known_seq, side="right")))
        for place in range(before, self._taken):
            fact = self._facts[place]
            self._grants = grants_after(self._grants, fact)
            self._marks = marks_after(self._marks, fact)
            if fact.account_id is not None:
                self._take_account(fact.account_id, place, fact)
        first, last = np.searchsorted(self._places, [before, self._taken])
        return self._rows[first:last]

    def _take_account(self, name: str, place: int, fact: Fact) -> None:
        if fact.kind.startswith(PREFIX):
            known = self._account_fact(place)
            self._account(name, known).facts.append(known)
        elif fact.kind in (FROZEN, THAWED) and name in self._accounts:
            self._accounts[name].frozen = fact.kind == FROZEN

    def _account(self, name: str, first: AccountFact) -> _Account:
        """The account of a name, made by its first fact."""
        if name not in self._accounts:
            product = self._products(str(first.details["product_digest"]))
            owners = {"account_id": name, "borrower_id": "", "lender_id": str(first.details.get("lender_id") or "")}
            walk, late_walk = (None if product.line is None else Walk(line_rules(product)) for _ in range(2))
            self._accounts[name] = _Account(product, owners, walk, late_walk)
        return self._accounts[name]

    def _account_fact(self, place: int) -> AccountFact:
        if place not in self._read:
            self._read[place] = read_fact(self._facts[place].payload)
        return self._read[place]

    def late(self, case: Case) -> list[int]:
        """Places of the facts that are not taken in but had happened before the instant of a case; what the case itself
        found on lists, by a clock that is behind, is no such fact."""
        found = [self._taken + int(place) for place in np.flatnonzero(self._over_by[self._taken :] < case.at_us)]
        own = content_id(STANDING, case.row.decision_id) if found else ""
        return [place for place in found if self._facts[place].event_id != own]

    def late_rows(self, at_us: int, known_us: int) -> IntArray:
        """The rows of the events among `late`, as if they had been booked by `known_us`."""
        first = int(np.searchsorted(self._places, self._taken))
        rows = self._rows[first:][self._rows_over_by[first:] < at_us]
        rows[:, BOOKED] = np.minimum(rows[:, BOOKED], known_us)
        return rows

    def row(self, deciders: Deciders, case: Case, late: Sequence[int] = ()) -> situation.Row:
        """The row that a decision reads, whole, with what is taken in and some late facts besides."""
        day = deciders.day(max(case.at_us, case.row.decided_us))
        if isinstance(case.request, Purchase):
            return self._of_purchase(case, case.request, day, late)
        return self._of_application(deciders, case, case.request, day, late)

    def _of_purchase(self, case: Case, request: Purchase, day: int, late: Sequence[int]) -> situation.Row:
        # On which day the numbers were made is not in the journal; that they hold on both days is.
        folded_on = case.used[_FOLDED_ON]
        position = self._position(request.account_id, max(day, folded_on), late)
        if position is None:
            return [situation.NULL] * situation.WIDTH
        marks = self._marks
        for place in late:
            marks = marks_after(marks, self._facts[place])
        row = situation.of_line(position, day, watched(marks, day), device_other(marks, request.device_token))
        row[_FOLDED_ON] = folded_on
        return row + [situation.NULL] * (situation.WIDTH - len(row))

    def _of_application(
        self, deciders: Deciders, case: Case, request: Application, day: int, late: Sequence[int]
    ) -> situation.Row:
        besides = self.facts(late)
        grants = self._grants
        for place, fact in zip(late, besides, strict=True):
            grants = grants_after(grants, fact)
            if fact.account_id is not None and fact.kind == PREFIX + FactKind.OPENED:
                self._account(fact.account_id, self._account_fact(place))
        lines: list[Position] = []
        loans: dict[str, int] = {}
        for name, account in sorted(self._accounts.items()):
            if (position := self._position(name, day, late)) is not None:
                lines.append(position)
                if account.walk is None:
                    facts, _ = self._of_account(name, late)
                    loans[name] = applying.loan_service(account.product, facts, date.fromordinal(day))
        # What others and registers said goes with an identity when that is erased: it is read as it was recorded.
        told = {name: case.used[situation.PLACE[name]] for name in situation.RECORDED}
        recorded = {name: None if value == situation.NULL else value for name, value in told.items()}
        own = None
        if deciders.norms is not None:
            in_time = [replace(fact, booked_us=fact.effective_us) for fact in besides]
            known = [*self._facts[: self._taken], *in_time]
            own = applying.own_record(deciders, deciders.norms, request, known, case.at_us)
        return applying.situation_of(deciders, request, own, recorded, grants, lines, loans, case.at_us, day)

    def _position(self, name: str, day: int, late: Sequence[int]) -> Position | None:
        account = self._accounts.get(name)
        if account is None:
            return None
        facts, frozen = self._of_account(name, late)
        walk = account.walk if len(facts) == len(account.facts) else account.late_walk
        if not facts or facts[0].effective_on.toordinal() > day:
            return None
        on = date.fromordinal(day)
        try:
            if walk is None:
                return position_of(account.owners, account.product, facts, frozen, on)
            return of_line(account.owners, walk.look(facts, on), (), frozen, on)
        except (InvalidInput, NotFound):  # such as an opening that a late fact undoes
            return None

    def _of_account(self, name: str, late: Sequence[int]) -> tuple[list[AccountFact], bool]:
        """Facts of an account with some late ones, and whether it is frozen."""
        account = self._accounts[name]
        facts, frozen = account.facts, account.frozen
        own = [place for place in late if self._facts[place].account_id == name]
        if own:
            facts = facts + [self._account_fact(place) for place in own if self._facts[place].kind.startswith(PREFIX)]
            for kind in (self._facts[place].kind for place in own):
                frozen = kind == FROZEN if kind in (FROZEN, THAWED) else frozen
        return facts, frozen


def over_by(fact: Fact) -> int:
    """The instant by which a fact had happened for sure: what is dated by a day alone, once that day is over."""
    if fact.kind == ERASED:
        return 1 << 62
    return fact.effective_us + (_DAY_US if fact.kind.startswith(PREFIX) and fact.effective_us % _DAY_US == 0 else 0)


def values(deciders: Deciders, cases: Sequence[Case], facts: Mapping[str, list[Fact]], products: Products) -> Values:
    """What each case reads by the journal. cases: in the order of their places. facts: by borrower, as booked."""
    features = deciders.features
    queues: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        queues.setdefault(case.row.borrower_id, []).append(place)
    borrowers = {name: Borrower(facts[name], products, features) for name in queues}
    states = dict.fromkeys(queues, features.empty())
    told = Values(
        np.empty((len(cases), len(features.names))), np.empty((len(cases), situation.WIDTH), np.int64),
        [[] for _ in cases], np.empty((len(cases), len(features.names))),
        np.empty((len(cases), situation.WIDTH), np.int64),
    )  # fmt: skip
    going = sorted(queues, key=lambda name: -len(queues[name]))
    for step in range(max(map(len, queues.values()), default=0)):
        while len(queues[going[-1]]) <= step:
            going.pop()
        places = [queues[name][step] for name in going]
        some = [cases[place] for place in places]
        who = [borrowers[name] for name in going]
        new = [borrower.take(case.row.known_seq) for borrower, case in zip(who, some, strict=True)]
        added = features.add_rows([states[name] for name in going], new)
        states.update(zip(going, added, strict=True))
        told.features[places] = told.late_features[places] = features.values(added, [case.at_us for case in some])
        for borrower, case, place in zip(who, some, places, strict=True):
            told.rows[place] = told.late_rows[place] = borrower.row(deciders, case)
        _with_late(deciders, told, list(zip(who, some, places, added, strict=True)))
    return told


def _with_late(deciders: Deciders, told: Values, looked_at: Sequence[tuple[Borrower, Case, int, bytes]]) -> None:
    """Tell of the cases, at their places and with their borrowers' states, what late facts would have changed."""
    places, states, rows, instants = [], [], [], []
    for borrower, case, place, state in looked_at:
        if late := borrower.late(case):
            told.late[place] = borrower.facts(late)
            told.late_rows[place] = borrower.row(deciders, case, late)
            rows.append(borrower.late_rows(case.at_us, case.row.decided_us))
            places.append(place)
            states.append(state)
            instants.append(case.at_us)
    if places:
        features = deciders.features
        told.late_features[places] = features.values(features.add_rows(states, rows), instants)
