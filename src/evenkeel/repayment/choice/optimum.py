"""The best choice of one option for each creditor: a mixed-integer programme (`relaxed`), searched through exactly.

Amounts are whole, and so is the answer: HiGHS relaxes the programme, and what its prices leave open is searched
through (`enumerate`). Whether there is any choice is asked at the prices at which most is lacking; these serve as well
when a little else is asked, so that they are kept. Where that search is given up HiGHS does it all; some room on each
month then makes it find what fits to the unit, and what it finds is held to the whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evenkeel.repayment.choice.enumerate import MOST_NODES, Equal, choose, fitting
from evenkeel.repayment.choice.options import Menu
from evenkeel.repayment.choice.purse import carried, carries
from evenkeel.repayment.choice.relaxed import Model, Prices, lacking, months_model, stretches_of
from evenkeel.repayment.model import HORIZON, FloatArray, IntArray, Keep

_QUICK = 20_000  # nodes after which prices that were kept from another question are found anew
_SURE = 5_000_000  # nodes that whether there is any choice is worth, where it must be told for sure
_EARLY = np.arange(HORIZON + 1, 0, -1, dtype=np.float64)  # weights of months, so that what is paid early weighs most


@dataclass
class Programme:
    """A choice among menus under a capacity (HORIZON + 1,). keep: how a month may draw on those before; None: it may
    not. fairness: the bound on the ratio of shares, or None."""

    menus: Sequence[Menu]
    capacity: IntArray
    keep: Keep | None = None
    fairness: float | None = None
    sure: bool = True  # go on by other means where a search is given up; else it counts as in vain
    prices: Prices | None = None  # at which `feasible` last asked, or may ask first

    def cheapest(self) -> list[int] | None:
        """The least that is paid in all; of equal ones the sooner over. An option of each menu, or None."""
        return self._cheapest

    @cached_property
    def _cheapest(self) -> list[int] | None:
        costs = [menu.paid_minor + menu.months / (2 * HORIZON * len(self.menus)) for menu in self.menus]
        return self._choose(costs)

    def feasible(self) -> list[int] | None:
        """Any choice, or None."""
        if any(not len(menu) for menu in self.menus):
            return None
        for most in (_QUICK, _SURE if self.sure else MOST_NODES):
            if self.prices is None or most != _QUICK:
                self.prices = lacking(self._payments, self.capacity, self._keep)
            found, sure = fitting(self._payments, self.capacity, self._keep, self.prices, self._equal, most)
            if sure:
                return found or None
        return self._by_highs([np.zeros(len(menu)) for menu in self.menus]) if self.sure else None

    def fewest(self) -> list[int] | None:
        """The fewest creditors at a time: the least sum of the months in which each is paid."""
        most = max(int(menu.paid_minor.max()) for menu in self.menus) + 1
        costs = [menu.months + menu.paid_minor / most / len(self.menus) for menu in self.menus]
        return self._choose(costs, self.cheapest())

    def latest(self) -> list[int] | None:
        """What leaves the most for others, early above all: the least sum, over months, of all that is paid by then."""
        return self._choose([payments @ _EARLY for payments in self._payments])

    def soonest(self) -> list[int] | None:
        """The first month by which all can be clear, at the least cost."""
        lengths = sorted({int(one) for menu in self.menus for one in menu.months})
        found = self.cheapest()
        if found is None:
            return None
        quick = replace(self, sure=False)
        last = len(lengths) - 1
        many = least(lambda place: quick._within(lengths[place])[0].feasible() is not None, 0, last)
        if many == last:
            return found
        programme, kept = quick._within(lengths[many])
        sooner = programme._choose([menu.paid_minor.astype(np.float64) for menu in programme.menus])
        if sooner is None:
            return found
        return [int(rows[pick]) for rows, pick in zip(kept, sooner, strict=True)]

    def nearest(self, wanted: Sequence[IntArray]) -> list[int] | None:
        """The least change from the payments wanted, (HORIZON + 1,) of each creditor; of equal ones the cheapest."""
        apart = [
            np.abs(payments - one).sum(axis=1)
            + menu.paid_minor / (1 + int(menu.paid_minor.max())) / len(self.menus) / 2
            for payments, one, menu in zip(self._payments, wanted, self.menus, strict=True)
        ]
        return self._choose(apart)

    def even(self) -> Iterator[list[int]]:
        """All about as long: for each length the lightest option of every menu that is no longer, early months above
        all; those choices that can be carried."""
        weighed = [payments @ _EARLY for payments in self._payments]
        for length in sorted({int(one) for menu in self.menus for one in menu.months}):
            kept = [np.flatnonzero(menu.months <= length) for menu in self.menus]
            if all(map(len, kept)):
                picks = [int(some[weighs[some].argmin()]) for some, weighs in zip(kept, weighed, strict=True)]
                total = np.sum([some[pick] for some, pick in zip(self._payments, picks, strict=True)], axis=0)
                if carries(self.capacity, self.keep, total):
                    yield picks

    def more_needed(self, start: bool = False) -> int | None:
        """About the least that every month, or the start, must carry beyond its capacity for there to be a choice: what
        would do if options could be mixed. None where nothing helps."""
        if any(not len(menu) for menu in self.menus):
            return None
        whole, costs = np.concatenate(self._payments), [np.zeros(len(menu)) for menu in self.menus]
        stretches = stretches_of(whole, self.capacity, self.keep)
        return months_model(costs, whole, self.capacity, self.keep, stretches, (start, not start)).extra()

    def _within(self, months: int) -> tuple[Programme, list[IntArray]]:
        """The choice among options of so many months, and their places."""
        kept = [np.flatnonzero(menu.months <= months) for menu in self.menus]
        menus = [menu.only(some) for menu, some in zip(self.menus, kept, strict=True)]
        return replace(self, menus=menus), kept

    def _choose(self, costs: Sequence[FloatArray], known: Sequence[int] | None = None) -> list[int] | None:
        """The choice with the least sum of costs. known: a choice that may be near it."""
        if any(not len(menu) for menu in self.menus) or self._hopeless:
            return None
        whole, keep = np.concatenate(self._payments), self._keep
        stretches = stretches_of(whole, self.capacity, keep)
        prices = months_model(costs, whole, self.capacity, keep, stretches).prices()
        if prices is None:
            return None
        months = [month for stretch in stretches for month in stretch]
        rows, some = [payments[:, months] for payments in self._payments], self.capacity[months]
        found, sure = choose(costs, rows, some, keep, prices.of(months), self._equal, most=_QUICK)
        if not sure:  # hard to find, or not there at all
            begun = [one for one in (self.feasible(), known) if one is not None]
            found = choose(costs, rows, some, keep, prices.of(months), self._equal, begun)[0] if begun else []
        return found or None

    @property
    def _payments(self) -> list[IntArray]:
        return [menu.payments for menu in self.menus]

    @cached_property
    def _equal(self) -> Equal | None:
        """The shares that creditors get of their claims, and how far they may be apart."""
        if self.fairness is None or len(self.menus) < 2:
            return None
        owed = [menu.claim.balance_minor for menu in self.menus]
        return Equal(
            [menu.paid_minor / (one or np.nan) for menu, one in zip(self.menus, owed, strict=True)], self.fairness
        )

    @cached_property
    def _keep(self) -> Keep | None:
        """How money is kept; None also where there is nothing to draw on: no month pays more than, or has less than,
        the one before it, and the start leaves nothing."""
        left = self.capacity[0] - sum(int(menu.payments[:, 0].min()) for menu in self.menus)
        alone = left <= 0 and bool((self.capacity[2:] >= self.capacity[1:-1]).all())
        return None if alone and all(menu.falls for menu in self.menus) else self.keep

    @cached_property
    def _hopeless(self) -> bool:
        """Whether some month cannot carry even the lightest of all options that it could carry one by one."""
        lightest = np.zeros(HORIZON + 1, np.int64)
        for payments in self._payments:
            alone = payments[carried(self.capacity, self.keep, payments)]
            if not len(alone):
                return True
            lightest += alone.min(axis=0)
        return not carries(self.capacity, self.keep, lightest)

    def _by_highs(self, costs: Sequence[FloatArray]) -> list[int] | None:
        """The choice with the least sum of costs, with equal shares where they are bound."""
        whole, keep = np.concatenate(self._payments), self._keep
        for exact in (False, True):
            every = [(month,) for month in range(HORIZON + 1)]
            stretches = every if exact else stretches_of(whole, self.capacity, keep)
            model = months_model(costs, whole, self.capacity, keep, stretches, room=0.0 if exact else None)
            self._fair(model)
            picks = model.solve()
            if picks is None:
                return None
            total = np.sum([some[pick] for some, pick in zip(self._payments, picks, strict=True)], axis=0)
            if carries(self.capacity, keep, total):
                return picks
        return None

    def _fair(self, model: Model) -> None:
        """Each creditor's share of its claim lies between m and bound x m, m a column of its own."""
        if self._equal is not None:
            least_share = model.column()
            for place, shares in enumerate(self._equal.shares):
                if not np.isnan(shares).any():
                    share = dict(zip(model.of_block(place), shares.tolist(), strict=True))
                    model.shares(share, least_share, self._equal.bound)


def least(possible: Callable[[int], bool], few: int, many: int, apart: int = 1) -> int:
    """The least amount from `few` to `many`, which is enough, at which something is possible, where more never makes it
    impossible; or one at most so far `apart` above it."""
    few -= 1
    while many - few > apart:
        middle = (few + many) // 2
        few, many = (few, middle) if possible(middle) else (middle, many)
    return many
