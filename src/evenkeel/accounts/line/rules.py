"""A line's product as the whole numbers that the kernel reads: terms, rates by date, and the calendar of bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache

from evenkeel.accounts.allocation import Allocation, Rule
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.line import kernel
from evenkeel.accounts.products.model import Cycle, Fee, Grace, LineTerms, Product, Roll
from evenkeel.accounts.words import SEGMENTS, Component, Segment, Timing
from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.errors import InvalidInput

FIRST_YEAR, LAST_YEAR = 1980, 2099
FIRST_MONTH = FIRST_YEAR * 12
NEVER = date.max.toordinal() + 1
LINE_SEGMENTS = tuple(segment for segment in SEGMENTS if segment is not Segment.LOAN)
_TIMING = {Timing.PAST_DUE: kernel.PAST, Timing.DUE: kernel.DUE, Timing.IN_ADVANCE: kernel.ADVANCE}
COMPONENT_PLACE = {
    Component.PENALTY: kernel.PENALTY, Component.FEE: kernel.FEE, Component.INTEREST: kernel.INTEREST,
    Component.PRINCIPAL: kernel.PRINCIPAL,
}  # fmt: skip
_GRACE = {Grace.NONE: 0, Grace.FULL_AMOUNT: 1, Grace.UNPAID_PART: 2, Grace.FROM_DUE: 3}
_BASIS = {DayCount.ACT_365: 365, DayCount.ACT_360: 360, DayCount.ACT_364: 364, DayCount.THIRTY_360: 360}
_NO_FEE = Fee("", Fraction(0), 0, 0)


@dataclass(frozen=True, slots=True)
class LineRules:
    """What the kernel needs of a product. orders: places in `cells` in the order in which a payment, or another type of
    transaction, pays them."""

    product: Product
    line: LineTerms
    terms: tuple[int, ...]
    rates: tuple[tuple[int, ...], ...]
    orders: Mapping[str, tuple[int, ...]]

    def order(self, kind: str) -> tuple[int, ...]:
        """The order for a type of transaction."""
        return self.orders.get(kind, self.orders[""])


def units(rate: Fraction) -> int:
    """A rate or share in 10^-8. Raises InvalidInput if it has more decimals."""
    scaled = rate * kernel.UNIT
    if scaled.denominator != 1:
        raise InvalidInput(f"the rate {float(rate)} has more than 8 decimals.", "Round it to 8.")
    return scaled.numerator


@lru_cache(maxsize=256)
def _calendar(cycle: Cycle, statement_day: int, due_day: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    cuts, due_days = [], []
    for month in range(FIRST_MONTH, (LAST_YEAR + 1) * 12):
        cut = month_day(month, statement_day)
        if due_day is None:
            due = cut + timedelta(days=cycle.due_after_days or 0)
        else:
            due = month_day(month, due_day)
            if due <= cut:
                due = month_day(month + 1, due_day)
        # A bill falls due after it is cut, and is judged before the next is cut.
        moved = _rolled(due, cycle, cycle.roll)
        if moved <= cut:
            moved = _rolled(due, cycle, Roll.NEXT)
        latest = month_day(month + 1, statement_day) - timedelta(days=1)
        cuts.append(cut.toordinal())
        due_days.append(min(moved, latest).toordinal())
    return tuple(cuts), tuple(due_days)


def calendar(cycle: Cycle, statement_day: int, due_day: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The days on which bills are cut and fall due, month by month from January of FIRST_YEAR, as ordinals."""
    return _calendar(cycle, statement_day, due_day)


def calendar_code(statement_day: int, due_day: int | None) -> int:
    """The number by which an account names its calendar."""
    return statement_day * 32 + (due_day or 0)


def calendar_of(cycle: Cycle, code: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The calendar of a number from `calendar_code`."""
    statement_day, due_day = divmod(code, 32)
    return _calendar(cycle, statement_day, due_day or None)


def _rolled(day: date, cycle: Cycle, roll: Roll) -> date:
    step = {Roll.NONE: 0, Roll.NEXT: 1, Roll.PREVIOUS: -1}[roll]
    while step and ((cycle.weekends and day.weekday() >= 5) or day in cycle.holidays):
        day += timedelta(days=step)
    return day


def bill_place(cuts: tuple[int, ...], after: date) -> int:
    """The place of the first bill cut on `after` or later."""
    place = max(0, month_of(after) - FIRST_MONTH)
    while cuts[place] < after.toordinal():
        place += 1
    return place


@lru_cache(maxsize=256)
def _rates(
    rates: tuple[tuple[Segment, date, Fraction], ...], penalty: Fraction, day_count: DayCount
) -> tuple[tuple[int, ...], ...]:
    changes = {from_on for _, from_on, _ in rates if from_on.toordinal() > 1}
    if day_count is DayCount.ACT_ACT:
        changes |= {date(year, 1, 1) for year in range(FIRST_YEAR, LAST_YEAR + 1)}
    rows = []
    for day in [date.min, *sorted(changes)]:
        basis = _BASIS.get(day_count) or (
            366 if day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0) else 365
        )
        now = dict.fromkeys(LINE_SEGMENTS, Fraction(0))
        for segment, from_on, rate in rates:
            if from_on <= day and segment in now:
                now[segment] = rate
        rows.append((day.toordinal(), basis, *(units(now[segment]) for segment in LINE_SEGMENTS), units(penalty)))
    return (*rows, (NEVER, 365, 0, 0, 0, 0, 0))


def line_rules(product: Product) -> LineRules:
    """The rules of a product that is a line. Raises InvalidInput if it is none."""
    line = product.line
    if line is None:
        raise InvalidInput(f"the product {product.product_id} is no line.", "Its file has `loan` terms.")
    late, over = product.fees.get("late", _NO_FEE), product.fees.get("over_limit", _NO_FEE)
    tolerance = product.tolerance
    terms = (
        _GRACE[line.grace], units(line.minimum.principal_share), line.minimum.floor_minor, tolerance.grace_days,
        tolerance.payment_minor, tolerance.material_minor, units(tolerance.material_share),
        product.charge_off_days or 0, -1 if product.cost_cap_annual is None else units(product.cost_cap_annual),
        int(line.compounding), units(late.share), late.least_minor, late.most_minor,
        units(over.share), over.least_minor, over.most_minor,
    )  # fmt: skip
    steps = tuple((step.segment, step.from_on, step.rate_annual) for step in product.rates)
    rates = _rates(steps, line.penalty_rate_annual, product.day_count)
    orders = {"": _order(product.allocation, product.allocation.default)}
    for kind, rule in product.allocation.by_type.items():
        orders[kind] = _order(product.allocation, rule)
    return LineRules(product, line, terms, rates, orders)


def _order(allocation: Allocation, rule: Rule) -> tuple[int, ...]:
    places = {segment: place for place, segment in enumerate(LINE_SEGMENTS)}
    return tuple(
        kernel.cell(_TIMING[atom.timing], places[segment], COMPONENT_PLACE[atom.component])
        for atom in rule.order
        for segment in allocation.segments
        if segment in places
    )
