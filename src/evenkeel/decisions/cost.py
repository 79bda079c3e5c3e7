"""What a purchase costs, told before it is confirmed: paid in full on its due day, by minimums, in instalments.

Each of these is the purchase by itself: on a line of the same product with the account's own rate and calendar, on
which nothing else is owed, what is charged until it is paid off. What is owed besides pays for itself, whether this is
bought or not. Only two things of the account touch it: a credit pays a part at once, and what goes above the limit with
it may cost a fee. A cost in full is interest for the days up to the due day; the other two run until nothing is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from evenkeel.accounts.line import compiled
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.rules import LineRules, calendar_of, line_rules, units
from evenkeel.accounts.loan.schedule import level_payment
from evenkeel.accounts.products.model import InlineOffer, Product
from evenkeel.kernel.money import Rounding, round_fraction

MOST_MONTHS = 600  # who pays minimums for longer is told so
_MOST_KEPT = 4096

Piece = tuple[int, int, int]  # days, rate in 10^-8, days of the year


class Line(NamedTuple):
    """What an account's line has of its own, on the day of a purchase, and what stands on it.

    calendar: its number (`line.rules`). rate: its own for purchases in 10^-8, -1 for the product's. day, due_on,
    paused_until: ordinals; no interest runs up to the last of them. owed_minor: with what is held. room_minor: what may
    still be spent.
    """

    calendar: int
    rate: int
    day: int
    due_on: int
    paused_until: int
    limit_minor: int
    owed_minor: int
    room_minor: int


@dataclass(frozen=True, slots=True)
class ByMinimum:
    """Paying what each bill asks at least. first_minor: of the first. months: payments until nothing is left; None
    where MOST_MONTHS do not do. cost_minor: beyond the price, in those months."""

    first_minor: int
    months: int | None
    cost_minor: int


@dataclass(frozen=True, slots=True)
class ByInstalments:
    """Paying in the instalments of an offer of the product. monthly_minor: the first bill."""

    instalments: int
    monthly_minor: int
    cost_minor: int


class Pricing:
    """A product that is a line, as far as purchases on it cost something. Its numbers are the fold's, to the unit."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._kept: dict[tuple[int, ...], tuple[tuple[Piece, ...], tuple[Piece, ...]]] = {}
        self._made: dict[tuple[int, bool], tuple[Any, ...]] = {}

    @cached_property
    def _rules(self) -> LineRules:
        return line_rules(self.product)

    @cached_property
    def _bears_at_once(self) -> bool:
        """Whether a purchase bears interest that a payment in full does not undo."""
        return self._rules.terms[k.GRACE] == 0

    @cached_property
    def free_in_full(self) -> bool:
        """Whether no purchase costs anything if all that is owed is paid on its due day, whatever the line."""
        return self._over is None and not self._bears_at_once

    @cached_property
    def _over(self) -> tuple[int, int, int] | None:
        share, least, most = self._rules.terms[k.OVER_SHARE : k.OVER_MOST + 1]
        return (share, least, most) if most else None

    def in_full(self, line: Line, amount: int) -> int:
        """The cost of a purchase if all that is owed is paid on its due day, in minor units."""
        over = self._above(line, amount) if self._over else 0
        return over + (self._interest(line, self._lent(line, amount)) if self._bears_at_once else 0)

    def by_minimum(self, line: Line, amount: int) -> ByMinimum:
        """The cost if no more than the minimum of every bill is paid."""
        payments, first, left, charged = self._repaid(line, self._lent(line, amount), None)
        return ByMinimum(first, None if left else payments, charged + self._above(line, amount))

    def offers(self, line: Line, amount: int) -> tuple[ByInstalments, ...]:
        """The cost in the instalments that the product offers, each bill of which is paid in full."""
        lent, above = self._lent(line, amount), self._above(line, amount)
        found = []
        for offer in self._rules.line.offers:
            _, first, _, charged = self._repaid(line, lent, offer)
            found.append(ByInstalments(offer.instalments, first, charged + above))
        return tuple(found)

    # ---- In full: a sum of a few products ----------------------------------------------------------------------------

    def _lent(self, line: Line, amount: int) -> int:
        """What of a purchase is not paid by a credit on the line at once; what is held before it comes first."""
        above = self._rules.line.over_limit_share
        most = int(line.limit_minor * (1 + above)) if above else line.limit_minor
        return max(0, amount - max(0, line.room_minor + line.owed_minor - most))

    def _above(self, line: Line, amount: int) -> int:
        """What the fee for being above the limit grows by, if nothing else is bought or paid by the next bill."""
        if self._over is None:
            return 0
        share, least, most = self._over
        before = line.owed_minor - line.limit_minor
        return k.between(before + amount, share, least, most) - k.between(before, share, least, most)

    def _interest(self, line: Line, amount: int) -> int:
        terms = self._rules.terms
        to_bill, to_due = self._pieces(line)
        charged = k.half_up(_counted(to_bill, amount), 1, k.UNIT)
        cap_rate, cap = terms[k.CAP_RATE], 0
        if cap_rate >= 0:
            cap = _counted(to_bill, amount, cap_rate)
            charged = min(charged, cap // k.UNIT)
        rest = k.half_up(_counted(to_due, amount + charged if terms[k.COMPOUNDING] else amount), 1, k.UNIT)
        if cap_rate >= 0:
            rest = min(rest, (cap + _counted(to_due, amount, cap_rate)) // k.UNIT - charged)
        return charged + rest

    def _pieces(self, line: Line) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """The days from a purchase to its bill, and from that to its due day, by rate and year; kept, as few differ."""
        key = line[:5]
        found = self._kept.get(key)
        if found is None:
            cuts, due_days = calendar_of(self._rules.line.cycle, line.calendar)
            cut = cuts[bisect_left(due_days, line.due_on)]
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            rates = self._rules.rates
            found = _days(rates, line, line.day, cut), _days(rates, line, cut, line.due_on)
            self._kept[key] = found
        return found

    # ---- Until nothing is left: the fold itself, on a line that holds nothing else -----------------------------------

    def _repaid(self, line: Line, amount: int, offer: InlineOffer | None) -> tuple[int, int, int, int]:
        """Payments, the first of them, what is left, and all that was charged."""
        rules = self._rules
        calendar = calendar_of(rules.line.cycle, line.calendar)
        cells, v, dues = [0] * k.CELLS, [0] * k.VALUES, [0] * (k.MOST_DUES * k.DUE_WIDTH)
        v[k.LIMIT] = -1
        v[k.OVERRIDE : k.OVERRIDE + 4] = [line.rate, -1, -1, -1]
        v[k.BILL] = bisect_left(calendar[1], line.due_on)
        v[k.CLOSED_ON], v[k.ACCRUED_ON], v[k.PAUSED_UNTIL] = line.day - 1, line.day, line.paused_until
        plan = [0] * k.PLAN_WIDTH
        if offer is None:
            cells[k.cell(k.ADVANCE, k.PURCHASE, k.PRINCIPAL)] = amount
        else:
            cells[k.cell(k.ADVANCE, k.INSTALMENT, k.PRINCIPAL)] = amount
            plan = _plan(amount, offer)
        log = [0] * (k.LOG_ROWS * k.LOG_WIDTH)
        repay, kind = (_plain, _as_it_is) if amount > compiled.LARGEST_BALANCE else (compiled.repay(), _array)
        v = kind(v)
        payments, first, left = repay(
            kind(cells), v, kind(dues), kind([plan]), int(offer is not None), *self._tables(line.calendar, kind),
            kind(log), kind(rules.order("payment")), int(offer is not None), MOST_MONTHS,
        )  # fmt: skip
        return int(payments), int(first), int(left), int(v[k.CHARGED])

    def _tables(self, calendar: int, kind: Any) -> tuple[Any, ...]:
        key = (calendar, kind is _array)
        if key not in self._made:
            rules = self._rules
            self._made[key] = tuple(
                kind(part) for part in (rules.terms, rules.rates, *calendar_of(rules.line.cycle, calendar))
            )
        return self._made[key]


def _plain(*arguments: Any) -> tuple[int, int, int]:
    return k.repay(*arguments)


def _as_it_is(values: Any) -> Any:
    return values


def _array(values: Any) -> Any:
    return np.array(values, np.int64)


def _plan(amount: int, offer: InlineOffer) -> list[int]:
    """The kernel's row of a plan that is made on the day of its purchase."""
    rate, count = offer.rate_annual, offer.instalments
    payment = level_payment(amount, [rate / 12] * count) if rate else 0
    fee = round_fraction(amount * offer.fee_rate_per_period, Rounding.HALF_UP)
    return [count, 0, amount, fee, units(rate), payment, amount, 0]


def _days(rates: Sequence[Sequence[int]], line: Line, since: int, until: int) -> tuple[Piece, ...]:
    """The days after `since` up to `until` on which a purchase bears interest, by rate and basis."""
    found = []
    since = max(since, min(line.paused_until, until))
    for row, following in pairwise(rates):
        days = min(until, following[k.R_FROM] - 1) - max(since, row[k.R_FROM] - 1)
        if days > 0:
            rate = line.rate if line.rate >= 0 else row[k.R_RATE + k.PURCHASE]
            found.append((days, rate, row[k.R_BASIS]))
    return tuple(found)


def _counted(pieces: Sequence[Piece], amount: int, instead: int = -1) -> int:
    """What an amount bears over some days at their rates, or at another rate instead, in 10^-8."""
    total = 0
    for days, rate, basis in pieces:
        total += days * k.half_up(amount, rate if instead < 0 else instead, basis)
    return total
