"""What a review of a limit reads, from the facts of its borrower: a pure function, for the review and for its replay.

Two things lie beyond the borrower's facts and are taken down as they were found: when the feed of reports was last
heard, and what was lowered within the hour. A number that is not known is None; nothing stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.store import PREFIX
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.happenings import BUREAU_REPORT, EVENT, Fact, Grant, grants_after
from evenkeel.decisions.engine.position import FROZEN, OPEN, THAWED, Position, position_of
from evenkeel.decisions.exposure import INCOME_MONTHS, Caps, known_income
from evenkeel.kernel.calendar import month_of

MOVED = "limit_moved"  # the kind of the fact that says what was asked, done and held back
FEED = (
    BUREAU_REPORT, *(EVENT + kind for kind in ("outside_line_opened", "outside_overdue", "outside_cleared", "inquiry"))
)  # fmt: skip
PROTECTED = {  # kinds of events that stop raises, with those that end them
    "event.hardship": ("event.plan_completed",), "event.dispute_opened": ("event.dispute_closed",),
    "event.plan_signed": ("event.plan_broken", "event.plan_completed"),
}  # fmt: skip

CAPS = Caps()
_REPORT_DAYS = 45  # a report is sent every month; what is older tells nothing of today, and a new line asks for a newer
_YEAR_MONTHS = 12
_MOST_MOVES = 40
_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Products = Callable[[str], Product]


class Made(NamedTuple):
    """A move of a limit that was made, or a question to a person."""

    at_us: int
    outcome: str
    before_minor: int
    after_minor: int


class Known(Struct, frozen=True):
    """What a review reads beside features and the numbers of the line.

    state, worst_12m: 0 to 7 as M0 to M7, now and at its worst in twelve months. service_minor: what all lines ask for a
    month. overdue_elsewhere: other lines that are overdue. protected: a hardship, a dispute or a plan is in force.
    others_minor: exposure on the borrower's other lines and on grants that are not taken up. heard_us: when the feed of
    reports was last heard. lowered_moves, lowered_minor, breaker_open: what was lowered at the lender within the hour,
    and whether a person has to look; left at nothing where nothing was to be lowered.
    """

    state: int
    worst_12m: int
    months_on_file: int
    service_minor: int | None
    income_minor: int | None
    overdue_elsewhere: int | None
    protected: bool
    others_minor: int
    heard_us: int | None
    moves: tuple[Made, ...]
    lowered_moves: int = 0
    lowered_minor: int = 0
    breaker_open: bool = False


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Known).decode


def decode(text: bytes) -> Known:
    """From `encode`."""
    return _decode(text)


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the borrower on a day."""

    position: Position
    state: AccountState
    opened_on: date
    is_line: bool


def accounts_on(borrower_id: str, facts: Sequence[Fact], products: Products, day: date) -> dict[str, Account]:
    """The borrower's accounts that are open by a day, by their ids. facts: of the borrower, as booked."""
    own: dict[str, list[AccountFact]] = {}
    frozen: dict[str, bool] = {}
    for fact in facts:
        if fact.account_id is None:
            continue
        if fact.kind.startswith(PREFIX):
            own.setdefault(fact.account_id, []).append(read_fact(fact.payload))
        elif fact.kind in (FROZEN, THAWED):
            frozen[fact.account_id] = fact.kind == FROZEN
    found = {}
    for name, some in sorted(own.items()):
        if some[0].effective_on > day:
            continue
        product = products(str(some[0].details["product_digest"]))
        lender = str(some[0].details.get("lender_id") or "")
        owners = {"account_id": name, "borrower_id": borrower_id, "lender_id": lender}
        position = position_of(owners, product, some, frozen.get(name, False), day)
        state = account_state(product, some, day, history=True)
        found[name] = Account(position, state, some[0].effective_on, product.line is not None)
    return found


def known_of(
    account_id: str, accounts: Mapping[str, Account], facts: Sequence[Fact], zone: ZoneInfo, at_us: int,
    heard_us: int | None,
) -> Known:  # fmt: skip
    """What is known of an account at an instant, from the facts of its borrower in the order of booking."""
    here = accounts[account_id]
    day = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).date()
    past = [fact for fact in facts if fact.effective_us <= at_us]
    others = [one for name, one in accounts.items() if name != account_id]
    report, overdue = _elsewhere(past, at_us)
    late = sum(one.position.days_past_due > 0 for one in others if one.position.stage == OPEN)
    elsewhere = None if overdue is None and not late else late + (overdue or 0)
    worst = [month.days_past_due for month in here.state.months[-_YEAR_MONTHS:]]
    now = bucket(here.position.days_past_due)
    grants: list[Grant] = []
    for fact in facts:
        grants = grants_after(grants, fact)
    pending = sum(grant.amount_minor for grant in grants if grant.until_us >= at_us)
    return Known(
        state=now, worst_12m=max([now, *map(bucket, worst)]),
        months_on_file=month_of(day) - month_of(here.opened_on) + 1,
        service_minor=_service(accounts.values(), report), income_minor=_income(past, zone, day),
        overdue_elsewhere=elsewhere, protected=protected([fact.kind for fact in past]),
        others_minor=sum(one.position.exposure_minor for one in others) + pending,
        heard_us=heard_us, moves=moves_of(facts, account_id),
    )  # fmt: skip


def situation_of(account: Account, day: int) -> situation.Row:
    """The numbers of the line, in the order of `situation.NAMES`."""
    return situation.of_line(account.position, day, situation.NULL, situation.NULL)


def bucket(days_past_due: int) -> int:
    """M0 to M7: 0; 1 to 30; 31 to 60; and so on; above 180."""
    return min(-(-days_past_due // 30), 7)


def protected(kinds: Sequence[str]) -> bool:
    """Whether a hardship, a dispute or a plan is on record that nothing has ended. kinds: in the order of booking."""
    in_force: dict[str, bool] = {}
    for kind in kinds:
        for opening, endings in PROTECTED.items():
            if kind == opening:
                in_force[opening] = True
            elif kind in endings:
                in_force[opening] = False
    return any(in_force.values())


def moves_of(facts: Sequence[Fact], account_id: str) -> tuple[Made, ...]:
    """The moves of an account's limit, and the questions to a person, the oldest first."""
    found = []
    for fact in facts:
        if fact.kind == MOVED and fact.account_id == account_id and fact.payload["outcome"] != "keep":
            before, after = (_whole(fact.payload.get(name)) for name in ("before_minor", "after_minor"))
            found.append(Made(fact.effective_us, str(fact.payload["outcome"]), before or 0, after or 0))
    return tuple(found[-_MOST_MOVES:])


# ---- Other lenders, income, service ----------------------------------------------------------------------------------


def _elsewhere(facts: Sequence[Fact], at_us: int) -> tuple[Mapping[str, object] | None, int | None]:
    """The fields of the newest report that is not too old, and how many outside lines are overdue.

    Without such a report only what was told of single lines is known: those that are overdue, never that none is.
    """
    report: Mapping[str, object] | None = None
    reported: int | None = None
    late: dict[object, bool] = {}
    for fact in sorted(facts, key=lambda one: (one.effective_us, one.seq)):
        fields = fact.payload.get("fields")
        fields = fields if isinstance(fields, dict) else {}
        if fact.kind == BUREAU_REPORT and at_us - fact.effective_us <= _REPORT_DAYS * _DAY_US:
            report = fields
            if (overdue := _whole(fields.get("overdue"))) is not None:  # else it tells nothing against what was told
                reported, late = overdue, {}
        elif fact.kind in (EVENT + "outside_overdue", EVENT + "outside_cleared"):
            late[fields.get("line")] = fact.kind == EVENT + "outside_overdue"
    told = sum(late.values())
    if reported is not None:
        return report, max(0, reported + told - sum(not one for one in late.values()))
    return report, told or None


def _income(facts: Sequence[Fact], zone: ZoneInfo, day: date) -> int | None:
    """A month's income: the mean of the six whole months before, where three of them saw one."""
    sums: dict[int, int] = {}
    for fact in facts:
        amount = fact.payload.get("amount_minor")
        if fact.kind == EVENT + "income" and isinstance(amount, int):
            month = month_of((_EPOCH + timedelta(microseconds=fact.effective_us)).astimezone(zone).date())
            if 1 <= month_of(day) - month <= INCOME_MONTHS:
                sums[month] = sums.get(month, 0) + amount
    seen = [one for one in sums.values() if one > 0]
    return known_income(len(seen), sum(seen))


def _service(accounts: Iterable[Account], report: Mapping[str, object] | None) -> int | None:
    """What all lines ask for a month: own ones by their bills, those of others by the report; None without one."""
    outside = _whole(report.get("service_minor")) if report else None
    if outside is None:
        return None
    return outside + sum(_asks(one) for one in accounts)


def _asks(account: Account) -> int:
    state = account.state
    if not account.is_line:
        return state.dues[-1].due_minor if state.dues else 0
    share = -(-int(CAPS.minimum_share * 100) * max(state.balance_minor, 0) // 100)
    return max(share, state.bills[-1].minimum_minor if state.bills else 0)


def _whole(value: object) -> int | None:
    """A number of a payload as a whole one, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return int(value)
