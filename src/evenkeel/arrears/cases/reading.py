"""Cases to read: the worklist page by page, and one case in full with its story."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace
from sqlalchemy.engine import Connection

from evenkeel.accounts.store import Booked
from evenkeel.arrears.cases import store
from evenkeel.arrears.cases.clocks import clocks
from evenkeel.arrears.cases.debts import money_of
from evenkeel.arrears.cases.model import Look
from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.cases.story import story
from evenkeel.arrears.cases.transitions import TRANSITIONS, obstacles
from evenkeel.arrears.cases.views import (
    CasePage,
    CaseRow,
    CaseView,
    ClockView,
    DebtView,
    Forbidden,
    PromiseView,
    Way,
)
from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.kernel.errors import Conflict, InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.storage.database import transaction

MOST_PAGE = 200
_WAYS = ("call", "sms")
_WEEKS = 26  # of days past due that are drawn
_CURSOR = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)~([A-Za-z0-9-]{1,64})")
_FIRST = (float("-inf"), "")


def worklist(
    cases: Cases, *, after: str | None = None, most: int = 50, skills: Sequence[str] | None = None,
    agency_id: str | None = None, closed: bool = False, free: bool = False, full: bool = False,
) -> CasePage:  # fmt: skip
    """A page of cases, what is worth most a minute first. after: `next` of the page before. free: those that nobody has
    claimed. full: with the next lawful instant of each way of contact, and what cannot be done now."""
    if not 1 <= most <= MOST_PAGE:
        raise InvalidInput(f"A page has {most} cases.", f"Allowed: 1 to {MOST_PAGE}.")
    with transaction(cases.journal.engine) as connection:
        now = cases.journal.clock()
        rows = store.page(
            connection, cases.lender_id, after=_place(after), most=most, skills=skills, agency_id=agency_id,
            closed=closed, free=free, now=now,
        )  # fmt: skip
        found = [cases.row_view(row) for row in rows]
        if full:
            looks = [_looked(cases, connection, row)[0] for row in found]
            told = ways(cases, connection, [row.borrower_id for row in found])
            found = [
                replace(row, ways=each, forbidden=_forbidden(look))
                for row, look, each in zip(found, looks, told, strict=True)
            ]
    last = rows[-1] if len(rows) == most else None
    return CasePage(found, None if last is None else f"{float(last['rank'])!r}~{last['case_id']}")


def _place(after: str | None) -> tuple[float, str]:
    if after is None:
        return _FIRST
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise InvalidInput("`after` is no place in the worklist.", "Give `next` of the page before.")
    return float(found[1]), found[2]


def ways(cases: Cases, connection: Connection, borrowers: Sequence[str]) -> list[list[Way]]:
    """What the rules say of a call and of a text to each borrower now. Whoever makes one asks first all the same."""
    contacts = Contacts(cases.journal, cases.lender_id, cases.rules, cases.jurisdiction, cases.language)
    asked = [
        Contact(borrower_id=who, channel=channel, target="debtor")  # type: ignore[arg-type]
        for who in borrowers
        for channel in _WAYS
    ]
    told = [
        Way(one.channel, answer.may, answer.answer, answer.lawful_from,
            sorted({rule.id for rule in answer.rules if rule.effect in ("block", "require")}))
        for one, answer in zip(asked, contacts.look(connection, asked, cases.journal.clock()), strict=True)
    ]  # fmt: skip
    return [told[place : place + len(_WAYS)] for place in range(0, len(told), len(_WAYS))]


def _forbidden(look: Look) -> list[Forbidden]:
    """Acts that guards keep from being done; those that only need something to be there first are not told."""
    told = [(act, obstacles(look, act)) for act, one in TRANSITIONS.items() if one.guards and act not in _BEFOREHAND]
    return [Forbidden(act, list(names)) for act, names in told if names]


_BEFOREHAND = ("recall", "end-legal", "end-insolvency")


def _looked(
    cases: Cases, connection: Connection, row: CaseRow
) -> tuple[Look, list[store.Known], dict[str, list[Booked]]]:
    facts = store.facts_of(connection, row.borrower_id)
    accounts = cases.accounts(connection, row.borrower_id)
    now = cases.journal.clock()
    money = money_of(accounts, cases.product, cases.day(now))
    return cases.look_of(money, facts, row.case_id, now), facts, accounts


def one(cases: Cases, case_id: str) -> CaseView:
    """A case in full. Raises NotFound where it is not this lender's."""
    with transaction(cases.journal.engine) as connection:
        row = cases.row_view(cases.row(connection, case_id))
        look, facts, accounts = _looked(cases, connection, row)
        (told,) = ways(cases, connection, [row.borrower_id])
        row = replace(row, ways=told, forbidden=_forbidden(look))
    say, zone = texts(cases.language), cases.working.zone
    ran = clocks(look.case, cases.rules, cases.jurisdiction, cases.working.works, zone, cases.language)
    own = [fact for fact in facts if fact.told.lender_id in ("", cases.lender_id)]
    case = look.case
    return CaseView(
        row=row,
        debts=[
            DebtView(debt.account_id, debt.stage, debt.days_past_due, debt.past_due_minor, debt.owed_minor)
            for debt in look.money.debts
        ],
        promises=[
            PromiseView(
                told.promise.name, told.promise.made_at, told.promise.until, told.promise.amount_minor,
                told.paid_minor, told.verdict, told.promise.account_id,
            )
            for told in look.promises
        ],
        clocks=[
            ClockView(
                clock.about, clock.name, clock.rule, clock.citation, clock.confidence, clock.began_on, clock.due_on,
                clock.act_by, clock.answered_on, clock.late(look.money.on),
            )
            for clock in ran
        ],
        disputes=[dispute.name for dispute in case.open_disputes],
        complaints=[complaint.name for complaint in case.open_complaints],
        vulnerabilities=[vulnerable.name for vulnerable in case.vulnerabilities],
        representations=list(case.representations), insolvencies=list(case.insolvencies), channels=_channels(look),
        late=_late(cases, accounts, case.opened_at.astimezone(UTC), look.money.on),
        timeline=story(look, own, accounts, zone, _currency(cases, accounts), say),
    )  # fmt: skip


def _channels(look: Look) -> list[str] | None:
    """Those that suit; None where none is ruled out."""
    if not look.case.vulnerabilities:
        return None
    return sorted(set.intersection(*(set(one.channels) for one in look.case.vulnerabilities)))


def _currency(cases: Cases, accounts: Mapping[str, Sequence[Booked]]) -> str:
    booked = next((some for some in accounts.values() if some), None)
    if booked is None:
        return "XXX"
    return cases.product(str(booked[0].fact.details["product_digest"])).currency


def _late(
    cases: Cases, accounts: Mapping[str, Sequence[Booked]], opened_at: datetime, today: date
) -> list[tuple[date, int]]:
    """Days past due week by week, from two months before the case was opened on, half a year at the most."""
    first = max(opened_at.date() - timedelta(days=60), today - timedelta(weeks=_WEEKS))
    days = [today - timedelta(weeks=week) for week in range(_WEEKS + 1) if today - timedelta(weeks=week) >= first]
    return [(day, money_of(accounts, cases.product, day).days_past_due) for day in reversed(days)]


def next_of(cases: Cases, by: str, skills: Sequence[str] | None = None) -> CaseRow | None:
    """The first case that nobody works on and where there is something to do, claimed for `by`; None where there is
    none. Whoever asks at the same moment gets another."""
    after = None
    while True:
        page = worklist(cases, after=after, skills=skills, free=True, most=20)
        for row in page.cases:
            if row.treatment == "nothing":
                continue
            try:
                return cases.claim(row.case_id, by)
            except Conflict:
                continue  # somebody was faster
        if page.next is None:
            return None
        after = page.next
