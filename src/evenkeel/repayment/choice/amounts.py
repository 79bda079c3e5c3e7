"""Payments of any amounts beside options: one mixed-integer programme for HiGHS.

For a creditor who takes any amounts what is left after each month is a column, one set for each rate that it may bear:

    left_0 = owed of the concession chosen - paid_0        paid_0 >= the share at the start
    left_t = left_t-1 + interest_t - paid_t                paid_t >= the least instalment as long as anything is left
    worth of all that is paid, and of what is left if the plan breaks  >=  worth without a plan (`value`)

A concession is one of a block, as an option is for the others; months hold to what they can carry. A worth is linear in
what is paid and left, so that who is paid first, and what each is asked to waive, are found together.

Where amounts are so small that a unit tells they are whole numbers, interest too, and what is found holds as it is.
Else interest is taken as half a unit higher each month than it is, and a worth as a little less, so that whole payments
made after what is found (`strategies`, as wanted) come out no later. Least instalments are then first asked for in
proportion to what is left, and held to by those payments; if that does not come out, debts are paid out by one of some
lengths or not, and before that instalments are no smaller than the least.

Whether there is a plan is asked as what lacks least: how much more every month, or the start, would have to carry. That
always has an answer near by, and so is found sooner than whether there is any at all, right where one unit decides.
Least instalments are held to only in months in which they fell short. With the picks found, payments are looked for
once more with interest as it is: whole ones made after these often come out to less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evenkeel.repayment.choice.options import LENGTHS, Concession, Menu, upfront_of
from evenkeel.repayment.choice.relaxed import Model, hold
from evenkeel.repayment.choice.value import Worth, grown
from evenkeel.repayment.model import HORIZON, MILLION, Claim, FloatArray, IntArray, Keep

_TELLS = 1 << 10  # minor units owed in all, up to which amounts are whole
_BITS = 20  # of other amounts in a model
_YEAR = 12 * MILLION
_WORTH = 1e-5  # of what is paid: what is worth a search where amounts are not whole
_HAIR = 1e-6  # of a minor unit
_FELT = 1e-4  # of a unit of the model: more than what is found in floats is off
_LATE = 2.0  # minor units of worth: more than is lost where whole payments lag behind by one
_APART = 1e-5  # of the bound on unequal shares, which whole payments may be off
Form = dict[int, float]  # a sum of columns, by their places
More = tuple[bool, bool]  # whether the start, and whether months, carry more
_ALL = range(HORIZON + 1)  # months
_ROUNDS = 3  # of months in which least instalments fell short; then all are held to
_NEAR = 1  # months about these


@dataclass(frozen=True, slots=True)
class Free:
    """A creditor who takes any amounts. given: what it can be asked for; months: by when it must be clear."""

    claim: Claim
    given: Sequence[Concession]
    worth: Worth
    months: int

    def lightest_only(self) -> Free:
        """With nothing but the most that it can be asked for, where that is worth enough to it however it is paid:
        what is paid is a mixture of paying all in one month or another, and so is its worth."""
        given = min(self.given, key=lambda one: (-one.waived_minor, one.rate_micros))
        start = upfront_of(self.claim, given)
        month = np.arange(self.months + 1)
        left = (self.claim.balance_minor - given.waived_minor - start) * (1 + given.rate_micros / _YEAR) ** month
        broken = np.cumsum(self.worth.broken[: self.months + 1] * left)
        least = float((start + broken + self.worth.alive[: self.months + 1] * left).min())
        surely = least > self.worth.without_minor + HORIZON  # interest is rounded each month
        return Free(self.claim, (given,), self.worth, self.months) if surely else self


@dataclass(frozen=True, slots=True)
class Found:
    """picks: an option of each menu, or a concession; left: (blocks, HORIZON + 1), what is left of each free creditor's
    debt after each month; whole: whether that is exact; lacks: minor units that would have to be carried more; short:
    months in which something is left, and less is paid than the least instalment."""

    picks: list[int]
    left: FloatArray
    whole: bool
    lacks: float = 0.0
    short: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Amounts:
    """A choice among menus and free payments, in the order of claims, under a capacity (HORIZON + 1,). keep, fairness:
    see `Programme`."""

    blocks: Sequence[Menu | Free]
    capacity: IntArray
    keep: Keep | None = None
    fairness: float | None = None

    def cheapest(self, below: float) -> Iterator[Found]:
        """What costs least, and less than `below`; then, where amounts are large, the same again with least instalments
        held to more closely, which takes longer. Nothing where nothing is found."""
        for lengths in ((), LENGTHS):
            programme = _Programme(self, lengths) if self._open else None
            found = programme.cheapest(below) if programme is not None else None
            if found is not None:
                yield found
            if found is None or not self._closer:
                return

    def nearest(self, more: More = (False, True), low: float = 0.0, most: float = np.inf) -> Iterator[Found]:
        """What lacks least where so much more is carried, from `low` up, and no more than `most`; then the same with
        more of the least instalments held to, in whose months it fell short, until all are. Nothing where nothing is
        found."""
        lengths: set[int] = set()
        for _ in range(_ROUNDS):
            programme = _Programme(self, lengths, more) if self._open else None
            found = programme.nearest(low, most) if programme is not None else None
            if found is None:
                return
            yield found
            short = {near for month in found.short for near in range(month - _NEAR, month + _NEAR + 1)}
            if not short - lengths:
                return
            lengths |= short
        found = _Programme(self, _ALL, more).nearest(low, most)
        if found is not None:
            yield found

    def closer(self, found: Found, more: More = (False, True)) -> tuple[Sequence[Menu | Free], Found] | None:
        """The same picks alone, paid as if interest were not rounded: what whole payments may come out to as well, with
        some minor units less."""
        blocks = [
            replace(block, given=(block.given[pick],)) if isinstance(block, Free) else block.only(np.array([pick]))
            for block, pick in zip(self.blocks, found.picks, strict=True)
        ]
        nearer = _Programme(replace(self, blocks=blocks), (), more, rounded=0.0).mixed()
        return None if nearer is None else (blocks, nearer)

    @property
    def _open(self) -> bool:
        return not any(isinstance(block, Menu) and not len(block) for block in self.blocks)

    @property
    def _closer(self) -> bool:
        """Whether to hold to least instalments more closely is something else."""
        free = [block for block in self.blocks if isinstance(block, Free)]
        asked = any(block.claim.policy.minimum_instalment_minor for block in free)
        return asked and not unit_tells(block.claim for block in self.blocks)


def unit_tells(claims: Iterable[Claim]) -> bool:
    """Whether so little is owed in all that a minor unit tells."""
    return sum(claim.balance_minor for claim in claims) <= _TELLS


class _Programme:
    """The model of a choice on its way to HiGHS. lengths: months in which a debt goes on as a whole or not at all.
    more: who may carry more, or less, and as little as will do; None: what is paid is to be the least. rounded: minor
    units that interest is taken to be more than it is."""

    def __init__(
        self, choice: Amounts, lengths: Collection[int], more: More | None = None, rounded: float = 0.5
    ) -> None:
        owed = [_owed(block) for block in choice.blocks]
        total = sum(int(amounts.max(initial=1)) for amounts in owed)
        self.whole = unit_tells(block.claim for block in choice.blocks)
        self._rounded = rounded
        self._lengths, self._costs, self._choice = lengths, float(more is None), choice
        free = [block for block in choice.blocks if isinstance(block, Free)]
        payments = [_payments(block, amounts) for block, amounts in zip(choice.blocks, owed, strict=True)]
        last = max(int(np.flatnonzero(some.any(axis=0)).max(initial=0)) for some in payments)
        last = max(last, *(one.months for one in free))
        self._model = Model([amounts.astype(np.float64) * self._costs for amounts in owed], total, _BITS)
        self._beside: list[Form] = [{} for _ in range(last + 1)]  # what free creditors get each month
        self._shares: list[Form] = []
        self._least: list[tuple[int, int, Form, list[int]]] = []  # month, the least paid in it, if anything is left
        self._left = [
            self._free(place, block, amounts) if isinstance(block, Free) else self._menu(place, block)
            for place, (block, amounts) in enumerate(zip(choice.blocks, owed, strict=True))
        ]
        months = [(month,) for month in range(last + 1)]
        self._extra, self._start_only = -1, more == (True, False)
        if more is not None:
            self._extra = extra = self._model.column(1.0, -np.inf, whole=self.whole)
            for month in range(0 if more[0] else 1, last + 1 if more[1] else 1):
                self._beside[month][extra] = -1.0
        hold(self._model, np.concatenate(payments), choice.capacity, choice.keep, months, self._beside, 0.0)
        if choice.fairness is not None and len(self._shares) > 1:
            least_share = self._model.column()
            for share in self._shares:
                self._model.shares(share, least_share, choice.fairness * (1 if self.whole else 1 - _APART))

    def cheapest(self, below: float) -> Found | None:
        """What costs least, and less than `below` by what is worth a search."""
        mixed = self._model.mixed()
        if mixed is None:
            return None
        least, adds = mixed
        below -= max(1.0, 0.0 if self.whole else below * _WORTH) - _HAIR
        if least >= below:
            return None
        self._model.forbid(adds > below - least)
        values = self._model.found()
        return None if values is None or self._model.cost(values) >= below else self._found(values, 0.0)

    def nearest(self, low: float, most: float) -> Found | None:
        """What lacks least, or no more than `low`, and no more than `most`."""
        mixed = self._model.mixed()
        if mixed is None or mixed[0] * self._model.unit > most + _HAIR:
            return None
        least, adds = mixed
        self._model.forbid(adds > (most + _HAIR) / self._model.unit - least)
        if self._start_only:  # where months carry more, HiGHS is the slower for it
            self._model.at_most(self._extra, most + _HAIR)
        values = self._model.found((low + _HAIR) / self._model.unit)
        if values is None:
            return None
        lacks = self._model.cost(values) * self._model.unit
        return self._found(values, lacks) if lacks <= most + _HAIR else None

    def mixed(self) -> Found | None:
        """What lacks least if options could be mixed, and least instalments held to in part."""
        values = self._model.mixture()
        return None if values is None else self._found(values, self._model.cost(values) * self._model.unit)

    def _found(self, values: FloatArray, lacks: float) -> Found:
        left = np.zeros((len(self._choice.blocks), HORIZON + 1))
        for place, rates in enumerate(self._left):
            for columns in rates:
                left[place, : len(columns)] += values[columns] * self._model.unit
        hair = _FELT * self._model.unit
        short = [
            month
            for month, least, paid, columns in self._least
            if values[columns].sum() > _FELT
            and sum(values[column] * times for column, times in paid.items()) * self._model.unit < least - hair
        ]
        return Found(self._model.chosen(values), left, self.whole, lacks, tuple(short))

    def _menu(self, place: int, menu: Menu) -> list[list[int]]:
        if menu.claim.balance_minor:
            shares = (menu.paid_minor / menu.claim.balance_minor).tolist()
            self._shares.append(dict(zip(self._model.of_block(place), shares, strict=True)))
        return []

    def _free(self, place: int, free: Free, owed: IntArray) -> list[list[int]]:
        """The columns of what is left of a free creditor, by rate; and the rows that hold its payments."""
        model, options = self._model, self._model.of_block(place)
        start = [upfront_of(free.claim, one) / model.unit for one in free.given]
        months, worth, found = range(free.months + 1), Form(), []
        paid = [Form() for _ in months]
        for rate in sorted({one.rate_micros for one in free.given}):
            due = {
                at: amount / model.unit
                for at, amount, one in zip(options, owed.tolist(), free.given, strict=True)
                if one.rate_micros == rate
            }
            left, owing = self._path(free.months, rate, due)
            found.append(left)
            for month in months:
                now = dict(owing[month])
                _add(now, dict.fromkeys(left[month : month + 1], -1.0))
                _add(worth, now, float(free.worth.alive[month]))
                _add(worth, owing[month], float(free.worth.broken[month]))
                if month and rate and not self.whole:  # a creditor gets no more interest than there is
                    more = float(free.worth.alive[month] + free.worth.broken[month])
                    _add(worth, dict.fromkeys(due, self._rounded / model.unit), -more)
                _add(paid[month], now)
                model.row(_negative(now), 0.0)
        late = 0.0 if self.whole or not self._rounded else _LATE
        model.row(_negative(worth), -(free.worth.without_minor - 0.5 + _HAIR + late))
        at_start = dict(zip(options, start, strict=True))
        _add(at_start, paid[0], -1.0)
        model.row(at_start, 0.0)
        if free.claim.policy.minimum_instalment_minor:
            self._instalments(free, list(zip(*found, strict=True)), paid)
        _add(
            self._beside[0], {at: amount for at, amount in paid[0].items() if at not in options}
        )  # they pay what is owed
        for month in months[1:]:
            _add(self._beside[month], paid[month])
        share = Form()
        for one in paid:
            _add(share, one, model.unit / max(1, free.claim.balance_minor))
        self._shares += [share] if free.claim.balance_minor else []
        return found

    def _path(self, months: int, rate: int, due: Form) -> tuple[list[int], list[Form]]:
        """Columns of what is left after each month but the last, and what is owed in each month before its payment."""
        model, share = self._model, rate / _YEAR
        cost = 0.0 if self.whole else share * model.unit * self._costs
        left = [model.column(cost, whole=self.whole) for _ in range(months)]
        owing = [due]
        for one in left:
            if not rate:
                owing.append({one: 1.0})
            elif self.whole:  # half up: less than half a unit below what it is without rounding
                interest = model.column(self._costs, whole=True)
                model.row({one: share, interest: -1.0}, 0.5 - 1 / _YEAR)
                model.row({one: -share, interest: 1.0}, 0.5)
                owing.append({one: 1.0, interest: 1.0})
            else:
                owing.append({one: 1.0 + share, **dict.fromkeys(due, self._rounded / model.unit)})
        return left, owing

    def _instalments(self, free: Free, left: Sequence[Sequence[int]], paid: Sequence[Form]) -> None:
        """As long as anything is left no instalment is below the least. left: columns by month."""
        model, least = self._model, free.claim.policy.minimum_instalment_minor
        highest = max(one.rate_micros for one in free.given)
        most = max(free.claim.balance_minor - one.waived_minor - upfront_of(free.claim, one) for one in free.given)
        before = -1
        for month, columns in enumerate(left[1:], start=1):
            most = max(0, grown(most, highest) - least)  # left if no instalment was larger
            self._least.append((month, least, paid[month], list(columns)))
            goes_on = model.column(high=1.0, whole=self.whole or month in self._lengths)
            instalment = {goes_on: least / model.unit}
            _add(instalment, paid[month], -1.0)
            model.row(instalment, 0.0)
            model.row({**dict.fromkeys(columns, 1.0), goes_on: -most / model.unit}, 0.0)
            if before >= 0:
                model.row({goes_on: 1.0, before: -1.0}, 0.0)
            before = goes_on


def _owed(block: Menu | Free) -> IntArray:
    """What each option pays in all, or what is owed under each concession."""
    if isinstance(block, Menu):
        return block.paid_minor
    return np.array([block.claim.balance_minor - one.waived_minor for one in block.given], np.int64)


def _payments(block: Menu | Free, owed: IntArray) -> IntArray:
    """(options, HORIZON + 1); all that is owed at the start where that is to be less what is left then."""
    if isinstance(block, Menu):
        return block.payments
    payments = np.zeros((len(owed), HORIZON + 1), np.int64)
    payments[:, 0] = owed
    return payments


def _add(form: Form, other: Mapping[int, float], times: float = 1.0) -> None:
    """Add so many times another sum to a sum."""
    for column, amount in other.items():
        form[column] = form.get(column, 0.0) + times * amount


def _negative(form: Form) -> Form:
    return {column: -amount for column, amount in form.items()}
