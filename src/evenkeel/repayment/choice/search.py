"""All plans that could be made of a case, before the best are picked: chosen options, and the strategies by hand.

Every schedule here keeps every rule to the minor unit: what a month can carry, each creditor's least instalment,
length, payment at the start and kind of instalments, its interest in the plan (`value`), and the bound on unequal
shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from evenkeel.repayment.choice.amounts import Amounts, Found, Free, unit_tells
from evenkeel.repayment.choice.optimum import Programme
from evenkeel.repayment.choice.options import (
    STEPS,
    Concession,
    Menu,
    at_once,
    best,
    concessions,
    menu_of,
    part_of,
    upfront_of,
)
from evenkeel.repayment.choice.purse import carries
from evenkeel.repayment.choice.relaxed import Prices, lacking
from evenkeel.repayment.choice.strategies import AS_WANTED, IN_TIME, NO_MORE, Owed, left_after, pay, payments_of
from evenkeel.repayment.choice.value import Worth, worth_of
from evenkeel.repayment.model import HORIZON, MILLION, STRATEGIES, Claim, FloatArray, IntArray, Keep, Part

_T = TypeVar("_T")
Parts = tuple[Part, ...]
More = Callable[[int, int], IntArray]
Means = tuple[IntArray, Keep | None, FloatArray]  # capacity, keep, survival
Surely = Callable[[int, int], Means]
Held = Mapping[int, tuple[Concession, Owed]]  # what is settled already: by the place of a claim
_NOTHING: Held = {}
_HAIR = 1e-6  # of a minor unit
_OFF = 8  # minor units a month and creditor: more than whole payments may do with less than what is found in floats


@dataclass(frozen=True)
class Search:
    """The plans of claims under a capacity (HORIZON + 1,). survival: (HORIZON + 1,), that a plan which uses all of it
    is alive after each month; creditors value plans by it. role: who decides on waivers. fairness: see `Case`. sure:
    see `Programme`. more: the capacity with so much more money every month, and at the start; all of it is carried
    where that is not told. keep: how a month may draw on those before; None: it may not. surely: what the household is
    able to with so much more, seen again as a whole: it also keeps more, and holds out longer."""

    claims: tuple[Claim, ...]
    capacity: IntArray
    survival: FloatArray
    role: str | None = None
    fairness: float | None = None
    sure: bool = True
    more: More | None = None
    keep: Keep | None = None
    surely: Surely | None = None
    _shared: dict[str, Any] = field(default_factory=dict)  # what does not depend on capacity
    _prices: dict[str, Prices] = field(default_factory=dict)  # that last told whether there is a plan; any prices do

    def programme(self, steps: Sequence[int] = ()) -> Programme:
        """The choice among options. steps: after which a stepped instalment may rise."""

        def menus() -> list[Menu]:
            made = [menu_of(claim, self.role, self.survival, steps) for claim in self.claims]
            return [best(menu) for menu in made] if self.fairness is None else made

        return Programme(self._once(f"menus {steps}", menus), self.capacity, self.keep, self.fairness, self.sure)

    @property
    def rises(self) -> tuple[Sequence[int], ...]:
        """What steps to try in turn: some only where a creditor takes them."""
        return ((), STEPS) if any(claim.policy.instalments != "level" for claim in self.claims) else ((),)

    def possible(self) -> bool:
        """Whether there is any plan."""
        return self.fits() or self.possible_by_hand() or self.possible_by_amounts()

    def fits(self) -> bool:
        """Whether there is a choice among options. Prices that told so of another search are tried first: any prove."""
        if self.fits_as_found():
            return True
        if self._refused():
            return False
        programme = replace(self.programme(self.rises[-1]), prices=self._prices.get("options"))
        found = programme.feasible()
        if programme.prices is not None:
            self._prices["options"] = programme.prices
        if found is not None:
            rows = (menu.payments[pick] for menu, pick in zip(programme.menus, found, strict=True))
            self._shared["found"] = np.sum(list(rows), axis=0)
        return found is not None

    def fits_as_found(self) -> bool:
        """Whether what was found for another capacity can be carried too."""
        return "found" in self._shared and carries(self.capacity, self.keep, self._shared["found"])

    def possible_by_hand(self) -> bool:
        """Whether a strategy is a plan."""
        return not self.refused_freely and next(self.all_by_hand(), None) is not None

    def possible_by_amounts(self) -> bool:
        """Whether payments of any amounts beside options are a plan. Where that is long to find and need not be sure,
        they count as none."""
        if self.refused_freely or not (self.sure or unit_tells(self.claims)):
            return False
        return self.pays_as_found() or self._any_by_amounts(self.rises[-1]) is not None

    @property
    def refused_freely(self) -> bool:
        """Whether it is plain that no strategy and no payments of any amounts are a plan."""
        return not self._takes_any or self._refused_mixed

    def pays_as_found(self) -> bool:
        """Whether payments of any amounts that were found for another capacity can be made here too."""
        return any(self._paid_as(*wanted) is not None for wanted in self._shared.get("wanted", ()))

    def lacks(self, more: tuple[bool, bool], most: float) -> float | None:
        """About how much more the start, and the months, must carry each (below 0: less), if payments of any amounts
        are chosen beside options. None where nothing up to `most` helps, or it is too long to find."""
        if not (self.sure or unit_tells(self.claims)):
            return None
        choice, lacks = self._choice(self.rises[-1]), None
        for found in choice.nearest(more, -np.inf, most):
            self._shared["wanted"], lacks = self._ways(choice, found, more), found.lacks
            enough = self.capacity.copy()
            enough[0 if more[0] else 1 : None if more[1] else 1] += math.ceil(lacks)
            if replace(self, capacity=enough).pays_as_found():
                break
        return lacks

    def share_carried(self) -> float:
        """About the share of all payments that could be carried, if all that creditors take could be mixed."""
        share = 1.0
        for _ in range(3):  # at the prices of the first share a second one, and so on: it falls to what it is
            rows = [(payments * share).astype(np.int64) for payments in self._mixed]
            share *= min(1.0, lacking(rows, self.capacity, self.keep).carried(rows, self.capacity, self.keep))
        return share

    @property
    def _takes_any(self) -> bool:
        return any(claim.policy.instalments == "any" for claim in self.claims)

    def _refused(self) -> bool:
        """Whether prices that were kept show that there is no plan, even if all that creditors take could be mixed."""
        prices = self._prices.get("mixed")
        return prices is not None and prices.refuse(self._mixed, self.capacity, self.keep)

    @property
    def _refused_mixed(self) -> bool:
        """The same, at prices of its own once for all capacities."""
        if not self._refused() and "asked" not in self._shared:
            self._shared["asked"] = True
            self._prices["mixed"] = lacking(self._mixed, self.capacity, self.keep)
        return self._refused()

    @property
    def _mixed(self) -> list[IntArray]:
        """Of each claim payments that all it takes are mixed of, or more."""
        return self._once("mixed", lambda: [
            at_once(claim, self.role, longest(claim)) if claim.policy.instalments == "any" else menu.payments
            for claim, menu in zip(self.claims, self.programme(self.rises[-1]).menus, strict=True)
        ])  # fmt: skip

    def _once(self, name: str, make: Callable[[], _T]) -> _T:
        """What does not depend on capacity, made once."""
        if name not in self._shared:
            self._shared[name] = make()
        made: _T = self._shared[name]
        return made

    def chosen(self) -> Programme | None:
        """The programme, with instalments that rise only where there is none without; None where there is no choice."""
        for steps in self.rises:
            programme = self.programme(steps)
            if programme.cheapest() is not None:
                return programme
        return None

    def parts(self, programme: Programme, picks: Sequence[int]) -> Parts:
        """The plan that options come to. What a month can carry beyond them goes to the dearest debts whose creditors
        take any amounts, where that saves interest."""
        plain, swept = self.plain(programme, picks), self._swept(programme.menus, picks)
        return swept if swept is not None and _paid(swept) < _paid(plain) else plain

    @staticmethod
    def plain(programme: Programme, picks: Sequence[int]) -> Parts:
        """The plan that options come to, and nothing beyond them."""
        return tuple(menu.part(pick, menu.payments[pick]) for menu, pick in zip(programme.menus, picks, strict=True))

    def _swept(self, menus: Sequence[Menu], picks: Sequence[int]) -> Parts | None:
        given = [menu.concessions[int(menu.concession[pick])] for menu, pick in zip(menus, picks, strict=True)]
        more = [claim.policy.instalments == "any" for claim in self.claims]
        saves = any(free and one.rate_micros for free, one in zip(more, given, strict=True))
        if not saves or all(more) or any(menu.rise[pick] for menu, pick in zip(menus, picks, strict=True)):
            return None
        owed = [self._instalments(menu, pick, free) for menu, pick, free in zip(menus, picks, more, strict=True)]
        return self._kept(given, owed, pay(owed, self.capacity, "avalanche", self.keep))

    # ---- By hand ---------------------------------------------------------------------------------------------------

    def all_by_hand(self, strategies: Sequence[str] = (*STRATEGIES, IN_TIME)) -> Iterator[Parts]:
        """All strategies that can be kept to, with concessions and, should equal shares forbid these, without. Where
        some creditors want level instalments these are held first, and the strategy pays the others from the rest.
        Where money may be kept, also as if it might not: then no instalment that is held counts on it."""
        yield from self._by_hand(strategies)
        if self.keep is not None:
            yield from replace(self, keep=None, _shared=self._shared)._by_hand(strategies)

    def _by_hand(self, strategies: Sequence[str]) -> Iterator[Parts]:
        for held in self._held:
            for conceding in (True, False) if any(len(ladder) > 1 for ladder in self._ladders) else (False,):
                for strategy in strategies:
                    parts = self.by_hand(strategy, conceding, held)
                    if parts is not None:
                        yield parts

    @cached_property
    def _held(self) -> list[Held]:
        """Level instalments of those who want them, the cheapest that fit and the latest; one empty set where none do,
        no set where all do."""
        places = [place for place, claim in enumerate(self.claims) if claim.policy.instalments != "any"]
        if not places or len(places) == len(self.claims):
            return [] if places else [{}]
        programme = Programme([self.programme().menus[place] for place in places], self.capacity, self.keep, sure=False)
        latest = programme.latest()
        found = [latest, programme.cheapest() if self.sure and latest is not None else None]
        return [
            {
                place: (menu.concessions[int(menu.concession[pick])], self._instalments(menu, pick))
                for place, menu, pick in zip(places, programme.menus, picks, strict=True)
            }
            for picks in found
            if picks is not None
        ]  # fmt: skip

    @staticmethod
    def _instalments(menu: Menu, pick: int, more: bool = False) -> Owed:
        given = menu.concessions[int(menu.concession[pick])]
        owed, level = menu.claim.balance_minor - given.waived_minor, int(menu.level_minor[pick])
        return Owed(owed, given.rate_micros, level, int(menu.start_minor[pick]), more)

    def by_hand(self, strategy: str, conceding: bool = True, held: Held = _NOTHING) -> Parts | None:
        """A strategy, where every creditor takes any amounts, or what it takes is held, and all rules are kept.

        conceding: with the most that creditors can be asked for; where a plan is then worth too little to one, with
        less of it. held: by places of claims.
        """
        if any(claim.policy.instalments != "any" and place not in held for place, claim in enumerate(self.claims)):
            return None
        ladders = [
            (held[place][0],) if place in held else ladder if conceding else ladder[-1:]
            for place, ladder in enumerate(self._ladders)
        ]
        rungs = [0] * len(self.claims)
        while True:
            given = [ladder[rung] for ladder, rung in zip(ladders, rungs, strict=True)]
            owed = [
                held[place][1] if place in held else self._owed(claim, one)
                for place, (claim, one) in enumerate(zip(self.claims, given, strict=True))
            ]
            paid = pay(owed, self.capacity, strategy, self.keep)
            if paid is None:
                return None
            poor = [
                place
                for place, (claim, one) in enumerate(zip(self.claims, given, strict=True))
                if part_of(claim, one, paid[place], self._worth[place]).value_with_minor
                < self._worth[place].without_minor
            ]
            if not poor:
                return self._kept(given, owed, paid)
            for place in poor:
                rungs[place] += 1
                if rungs[place] == len(ladders[place]):
                    return None

    @property
    def _ladders(self) -> tuple[tuple[Concession, ...], ...]:
        """Of each claim what can be asked for, the most first."""
        return self._once("ladders", lambda: tuple(
            tuple(sorted(concessions(claim, self.role), key=lambda one: (-one.waived_minor, one.rate_micros)))
            for claim in self.claims
        ))  # fmt: skip

    @property
    def _worth(self) -> tuple[Worth, ...]:
        return self._once("worth", lambda: tuple(worth_of(claim, self.survival) for claim in self.claims))

    def _owed(self, claim: Claim, given: Concession) -> Owed:
        balance, least = claim.balance_minor - given.waived_minor, claim.policy.minimum_instalment_minor
        return Owed(balance, given.rate_micros, least, upfront_of(claim, given), deadline=longest(claim))

    def _kept(self, given: Sequence[Concession], owed: Sequence[Owed], paid: IntArray | None) -> Parts | None:
        """The parts of a schedule, if it clears all in time and is fair and worthwhile."""
        if paid is None or any(left_after(debt, row) for debt, row in zip(owed, paid, strict=True)):
            return None
        parts = tuple(
            part_of(claim, one, row, worth)
            for claim, one, row, worth in zip(self.claims, given, paid, self._worth, strict=True)
        )
        timely = all(part.last_month <= longest(claim) for claim, part in zip(self.claims, parts, strict=True))
        worthwhile = all(part.value_with_minor >= part.value_without_minor for part in parts)
        return parts if timely and worthwhile and fair(self.claims, parts, self.fairness) else None

    # ---- Any amounts -----------------------------------------------------------------------------------------------

    def by_amounts(self, below: int | None = None) -> Parts | None:
        """A plan where what creditors who take any amounts are paid each month, what they waive, and options of the
        others are chosen together: the cheapest, where it costs less than `below`; where nothing is known any plan, if
        need be with instalments that rise. None where nothing is found."""
        if not self._takes_any:
            return None
        if below is None:
            return None if self._refused_mixed else next(filter(None, map(self._any_by_amounts, self.rises)), None)
        choice = self._choice(self.rises[0])
        for found in choice.cheapest(below):
            parts = self._paid_as(choice.blocks, found)
            if parts is not None and _paid(parts) < below:
                return parts
        return None

    def _any_by_amounts(self, steps: Sequence[int]) -> Parts | None:
        """Any plan where payments of any amounts are chosen beside options with such steps."""
        choice = self._choice(steps)
        off = 0 if unit_tells(self.claims) else _OFF * len(self.claims)
        for found in choice.nearest(most=off):
            ways = self._ways(choice, found)
            for parts in (self._paid_as(*way) for way in ways):
                if parts is not None:
                    self._shared["wanted"] = ways
                    return parts
        return None

    @staticmethod
    def _ways(choice: Amounts, found: Found, more: tuple[bool, bool] = (False, True)) -> list[Any]:
        """What whole payments may be made after: what was found, and where it is not exact the same more closely."""
        closer = None if found.whole else choice.closer(found, more)
        return [(choice.blocks, found), *([] if closer is None else [closer])]

    def _choice(self, steps: Sequence[int]) -> Amounts:
        return Amounts(self._blocks(steps), self.capacity, self.keep, self.fairness)

    def _blocks(self, steps: Sequence[int]) -> Sequence[Menu | Free]:
        """What is chosen among with any amounts."""

        def free(claim: Claim, worth: Worth) -> Free:
            made = Free(claim, concessions(claim, self.role), worth, longest(claim))
            return made.lightest_only() if self.fairness is None else made

        menus = self.programme(steps).menus
        return self._once(f"blocks {steps}", lambda: [
            free(claim, worth) if claim.policy.instalments == "any" else menu
            for claim, worth, menu in zip(self.claims, self._worth, menus, strict=True)
        ])  # fmt: skip

    def _paid_as(self, blocks: Sequence[Menu | Free], found: Found) -> Parts | None:
        """Whole payments after what was found: all that can be carried, no more than is wanted, or, where that is
        exact, the same; the cheapest of them that keeps every rule."""
        given = [
            block.given[pick] if isinstance(block, Free) else block.concessions[int(block.concession[pick])]
            for block, pick in zip(blocks, found.picks, strict=True)
        ]
        owed = [self._owed(claim, one) for claim, one in zip(self.claims, given, strict=True)]
        paid = np.array([
            np.zeros(HORIZON + 1, np.int64) if isinstance(block, Free) else block.payments[pick]
            for block, pick in zip(blocks, found.picks, strict=True)
        ])  # fmt: skip
        free = [place for place, block in enumerate(blocks) if isinstance(block, Free)]
        debts = [owed[place] for place in free]
        left = np.ceil(found.left[free] - _HAIR).astype(np.int64)
        paid[free] = 0
        rest = self.capacity - paid.sum(axis=0)
        whole = [pay(debts, rest, strategy, self.keep, left) for strategy in (AS_WANTED, NO_MORE)]
        if found.whole:
            whole.append(np.array([payments_of(debt, row) for debt, row in zip(debts, left, strict=True)]))
        plans = []
        for some in whole:
            if some is not None:
                paid[free] = some
                parts = self._kept(given, owed, paid.copy())
                if parts is not None and carries(self.capacity, self.keep, paid.sum(axis=0)):
                    plans.append(parts)
        return min(plans, key=_paid, default=None)  # as rounded, to pay one early may cost another more interest

    # ---- Changed ---------------------------------------------------------------------------------------------------

    def demanding(self, claims: Sequence[Claim], fairness: float | None) -> Search:
        """The same for claims that demand something else."""
        return replace(self, claims=tuple(claims), fairness=fairness, _shared={})

    def carrying_share(self, share: float) -> Search:
        """The same with a share of what every month carries."""
        capacity = np.floor(self.capacity * share).astype(np.int64)
        capacity[0] = self.capacity[0]
        return replace(self, capacity=capacity)

    def carrying(self, monthly_minor: int = 0, start_minor: int = 0) -> Search:
        """The same with so much more every month, and at the start."""
        if self.more is not None:
            return replace(self, capacity=self.more(monthly_minor, start_minor))
        capacity = self.capacity + monthly_minor
        capacity[0] = self.capacity[0] + start_minor
        return replace(self, capacity=capacity)

    def seen_again(self, surely: Surely, monthly_minor: int, start_minor: int) -> Search:
        """The same with so much more, as it then is as a whole."""
        capacity, keep, survival = surely(monthly_minor, start_minor)
        return replace(self, capacity=capacity, keep=keep, survival=survival, _shared={})


def longest(claim: Claim) -> int:
    """The month by which a claim must be clear."""
    most = min(claim.most_months, claim.policy.most_months, HORIZON)
    return max((one for one in claim.policy.terms if one <= most), default=0) if claim.policy.terms else most


def fair(claims: Sequence[Claim], parts: Sequence[Part], bound: float | None) -> bool:
    """Whether no creditor gets more than `bound` times the share of its claim that another gets."""
    both = zip(claims, parts, strict=True)
    shares = [Fraction(part.paid_minor, claim.balance_minor) for claim, part in both if claim.balance_minor]
    if bound is None or not shares:
        return True
    return max(shares) <= Fraction(bound).limit_denominator(MILLION) * min(shares)


def _paid(parts: Sequence[Part]) -> int:
    return sum(part.paid_minor for part in parts)
