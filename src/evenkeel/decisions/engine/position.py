"""Where an account stands when something is asked of it: the numbers of accounts' own fold, and how long they hold.

Between two events of a line (a bill, a judgement, a charge-off, a hold that expires, a fact) nothing that a decision
reads changes, so the numbers are kept with the days on which they are true, and folded again on any other day. What the
hot path books itself, a hold, changes two of them by its amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec
from msgspec.structs import replace

from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import line_before_close
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.words import Stage
from evenkeel.kernel.errors import NotFound

STAGES = (Stage.OPEN, Stage.CLOSED, Stage.CHARGED_OFF, Stage.SOLD)
OPEN = 0  # the place of Stage.OPEN
FROZEN, THAWED = "line.frozen", "line.thawed"  # kinds of facts: no further purchases, and again
_NEVER = date.max.toordinal()


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """An account before the close of any day from `valid_from` to `valid_until` (ordinals, inclusive).

    stage: a place in STAGES. limit_minor, room_minor: None where there is no limit. room_minor: what may still be
    spent, below 0 where more is owed and held than the limit. next_due: the day on which a purchase made now falls due,
    0 for a loan. hold_days: how long a hold keeps its part of the limit. calendar, own_rate, paused_until: what a cost
    is reckoned with (`cost.Line`); 0 for a loan.
    """

    account_id: str
    borrower_id: str
    lender_id: str
    valid_from: int
    valid_until: int
    stage: int
    frozen: bool
    limit_minor: int | None
    owed_minor: int
    held_minor: int
    room_minor: int | None
    past_due_minor: int
    days_past_due: int
    product: str
    hold_days: int
    next_due: int
    calendar: int
    own_rate: int
    paused_until: int

    def held(self, amount_minor: int, expires: int) -> Position:
        """The position once a further amount is held until the close of the day `expires`."""
        room = None if self.room_minor is None else self.room_minor - amount_minor
        until = min(self.valid_until, expires)
        return replace(self, held_minor=self.held_minor + amount_minor, room_minor=room, valid_until=until)

    @property
    def exposure_minor(self) -> int:
        """What the borrower may come to owe here: the limit, or what is owed and held where that is more."""
        return max(self.limit_minor or 0, self.owed_minor + self.held_minor)


_decode = msgspec.msgpack.Decoder(list[Position]).decode
_encode = msgspec.msgpack.Encoder().encode


def pack_lines(lines: Iterable[Position]) -> bytes:
    """All accounts of a borrower, to be kept in their row."""
    return _encode(list(lines))


def unpack_lines(packed: bytes | None) -> dict[str, Position]:
    """By account, from `pack_lines`."""
    return {position.account_id: position for position in _decode(packed)} if packed else {}


def lines_until(lines: Iterable[Position]) -> int:
    """The first last day of those that are open and not frozen: beyond it one of them may have become late."""
    return min([one.valid_until for one in lines if one.stage == OPEN and not one.frozen], default=_NEVER)


def position_of(
    owners: Mapping[str, str], product: Product, facts: Sequence[AccountFact], frozen: bool, day: date
) -> Position:
    """The position on a day. facts: in the order of booking. owners: account_id, borrower_id, lender_id.

    Raises NotFound if the account is not open by then.
    """
    if not facts or facts[0].effective_on > day:
        raise NotFound(f"There is no account {owners['account_id']} on {day}.", "Open it with a fact of kind `opened`.")
    future = [fact.effective_on.toordinal() - 1 for fact in facts if fact.effective_on > day]
    if product.line is None:
        return _of_loan(owners, product, facts, frozen, day)
    line = line_before_close(line_rules(product), facts, day)
    line.close(day - timedelta(days=1))
    return of_line(owners, line, future, frozen, day)


def of_line(owners: Mapping[str, str], line: Line, future: Sequence[int], frozen: bool, day: date) -> Position:
    """The position of a line that is closed up to the eve of a day. future: the eves, as ordinals, of facts to come."""
    # `line_state` in the few numbers that are wanted here: this is done for most decisions.
    product, v = line.rules.product, line.v
    limit = None if v[k.LIMIT] < 0 else v[k.LIMIT]
    owed, held = sum(line.cells), sum(hold.amount_minor for hold in line.holds.values())
    room = None
    if limit is not None:
        room = int(limit * (1 + line.rules.line.over_limit_share)) - owed - held + v[k.CREDIT]
    return Position(
        **owners, valid_from=day.toordinal(), valid_until=min([_until(line, day), *future]), stage=v[k.STAGE],
        frozen=frozen, limit_minor=limit, owed_minor=owed, held_minor=held, room_minor=room,
        past_due_minor=k.unpaid_dues(v, line.dues, day.toordinal()), days_past_due=_days_past_due(line, day),
        product=product.digest, hold_days=line.rules.line.hold_days, next_due=line.calendar[1][v[k.BILL]],
        calendar=v[k.CALENDAR], own_rate=v[k.OVERRIDE], paused_until=v[k.PAUSED_UNTIL],
    )  # fmt: skip


def _days_past_due(line: Line, day: date) -> int:
    """As at the close of the eve, with what was paid since: a payment of today ends lateness at once."""
    if line.v[k.STAGE] != OPEN:
        return line.v[k.DAYS_PAST_DUE]
    return k.days_past_due(line.cells, line.v, line.dues, line.rules.terms, day.toordinal() - 1)


def _until(line: Line, day: date) -> int:
    """The last day on whose morning the line still looks like this."""
    today = day.toordinal()
    days = [k.next_event(line.v, line.dues, line.rules.terms, line.calendar[0])]
    days += [hold.expires_on.toordinal() for hold in line.holds.values()]
    if line.v[k.DUE_COUNT]:  # lateness grows by the day
        days.append(max(today, line.dues[0]))
    return max(today, min([_NEVER, *days]))


def _of_loan(
    owners: Mapping[str, str], product: Product, facts: Sequence[AccountFact], frozen: bool, day: date
) -> Position:
    """A loan takes no purchases; what is owed counts as exposure. It is folded anew every day."""
    state = account_state(product, facts, day)
    return Position(
        **owners, valid_from=day.toordinal(), valid_until=day.toordinal(), stage=STAGES.index(state.stage),
        frozen=frozen, limit_minor=None, owed_minor=state.balance_minor, held_minor=0, room_minor=None,
        past_due_minor=state.past_due_minor, days_past_due=state.days_past_due, product=product.digest, hold_days=0,
        next_due=0, calendar=0, own_rate=0, paused_until=0,
    )  # fmt: skip
