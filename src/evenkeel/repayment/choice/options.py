"""What each creditor can be offered: every length, concession and shape that its policy and its own interest allow.

An option is a whole schedule in minor units, so that whatever is chosen among them holds exactly. Its instalments are
level, or low for some months and then level; the last is what is left, and never more than the others.

    waiver of the ladder's first steps -> payment at the start -> n instalments at the plan's rate

An option stays only if it is worth as much to its creditor as having no plan (`value`), if it lasts no longer than
policy and law allow, and if no instalment but the last is below the creditor's least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numba
import numpy as np

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import COMPONENTS
from evenkeel.repayment.choice.value import TOO_MUCH, Worth, grown, worth_of
from evenkeel.repayment.law.creditor import waivable
from evenkeel.repayment.model import HORIZON, MILLION, Asked, Claim, FloatArray, IntArray, Part

STEPS = (6, 12, 24)  # months after which a stepped plan rises
# Lengths in months that are offered where a policy names none, beside the longest allowed: those that issuers list.
LENGTHS = (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60)
_YEAR = 12 * MILLION


@dataclass(frozen=True, slots=True)
class Concession:
    """One rung of the ladder: what is waived of each component, and the rate that the rest bears."""

    waived: tuple[int, ...]  # by COMPONENTS
    rate_micros: int

    @property
    def waived_minor(self) -> int:
        """All that is waived."""
        return sum(self.waived)


@dataclass(frozen=True)
class Menu:
    """The options of one claim, sorted by length. Columns, one entry an option: concession (a place in `concessions`),
    months (0: all at the start), start_minor (paid at 0), rise (instalments before it are `low_minor`; 0 where all are
    level), low_minor, level_minor, last_minor, paid_minor, value_minor. worth: what the creditor has without a plan."""

    claim: Claim
    concessions: tuple[Concession, ...]
    worth: Worth
    concession: IntArray
    months: IntArray
    start_minor: IntArray
    rise: IntArray
    low_minor: IntArray
    level_minor: IntArray
    last_minor: IntArray
    paid_minor: IntArray
    value_minor: IntArray

    def __len__(self) -> int:
        return len(self.months)

    @cached_property
    def payments(self) -> IntArray:
        """(options, HORIZON + 1): what each pays in each month."""
        month = np.arange(HORIZON + 1)[None, :]
        months, rise = self.months[:, None], self.rise[:, None]
        amounts: IntArray = np.where(month <= rise, self.low_minor[:, None], self.level_minor[:, None])
        amounts = np.where(month == months, self.last_minor[:, None], amounts)
        amounts = np.where((month > months) | (month == 0), 0, amounts)
        amounts[:, 0] = self.start_minor
        return amounts

    @cached_property
    def falls(self) -> bool:
        """Whether no instalment is above the one before it."""
        return bool((self.payments[:, 2:] <= self.payments[:, 1:-1]).all())

    def part(self, option: int, payments: IntArray) -> Part:
        """The part of a plan that an option is."""
        return part_of(self.claim, self.concessions[int(self.concession[option])], payments, self.worth)

    def only(self, kept: Any) -> Menu:
        """The menu with some of its options."""
        columns = ("concession", "months", "start_minor", "rise", "low_minor", "level_minor", "last_minor",
                   "paid_minor", "value_minor")  # fmt: skip
        return Menu(self.claim, self.concessions, self.worth, *(getattr(self, name)[kept] for name in columns))


def part_of(claim: Claim, given: Concession, payments: IntArray, worth: Worth) -> Part:
    """A creditor's part, with what it is worth to it."""
    waived = {name: amount for name, amount in zip(COMPONENTS, given.waived, strict=True) if amount}
    owed = claim.balance_minor - given.waived_minor
    months = int(np.flatnonzero(payments)[-1]) if payments.any() else 0
    return Part(
        claim.debt_id, claim.creditor, Asked(waived, given.rate_micros, months), payments,
        worth.with_plan(owed, given.rate_micros, payments), worth.without_minor,
    )  # fmt: skip


# ---- Concessions ---------------------------------------------------------------------------------------------------


def concessions(claim: Claim, role: str | None) -> tuple[Concession, ...]:
    """All rungs of the ladder at all rates, least first: nothing at the debt's own rate comes first.

    A component is waived only once those before it are, as far as the policy allows; and never beyond what the policy
    gives to the role to decide (without a role the least of all roles; a role that it does not name decides nothing).
    """
    most = waivable(claim, role)
    rungs, waived = [(0, 0, 0, 0)], [0, 0, 0, 0]
    for place, name in enumerate(COMPONENTS):
        if most[name]:
            waived[place] = most[name]
            rungs.append((waived[0], waived[1], waived[2], waived[3]))
    own = claim.rate_micros
    rates = sorted({own, *(round(rate * MILLION) for rate in claim.policy.rates if rate * MILLION < own)}, reverse=True)
    return tuple(Concession(rung, rate) for rung, rate in product(rungs, rates))


def upfront_of(claim: Claim, given: Concession) -> int:
    """What must be paid at the start of what is left after a waiver, rounded up."""
    owed = claim.balance_minor - given.waived_minor
    return -(-owed * round(claim.policy.upfront_share * MILLION) // MILLION)


# ---- Options -------------------------------------------------------------------------------------------------------


def menu_of(
    claim: Claim, role: str | None, survival: FloatArray, steps: Sequence[int] = STEPS, worthwhile: bool = True
) -> Menu:
    """All that can be offered to a creditor. survival: (HORIZON + 1,), that a plan is alive after each month, which its
    worth is reckoned with. worthwhile: leave out what is worth less than no plan."""
    given, worth = concessions(claim, role), worth_of(claim, survival)
    owed = np.array([claim.balance_minor - one.waived_minor for one in given], np.int64)
    rates = np.array([one.rate_micros for one in given], np.int64)
    rises = np.array([0, *(steps if claim.policy.instalments != "level" else ())], np.int64)
    terms = np.array(terms_of(claim), np.int64)
    which, rise, months = (part.ravel() for part in np.meshgrid(np.arange(len(given)), rises, terms, indexing="ij"))
    sensible = (rise == 0) | (rise < months)
    which, rise, months = which[sensible], rise[sensible], months[sensible]
    upfront = np.array([upfront_of(claim, one) for one in given], np.int64)
    start = np.where(months == 0, owed[which], upfront[which])
    months, low, level, last, paid, value = _schedules(
        owed[which] - start, rates[which], months, rise, claim.policy.minimum_instalment_minor, worth.alive,
        worth.broken,
    )  # fmt: skip
    minimum = claim.policy.minimum_instalment_minor
    kept = (level >= 0) & ((months <= 1) | ((level >= minimum) & ((rise == 0) | (low >= minimum))))
    menu = Menu(
        claim, given, worth, which, months, start, rise, low, level, last, paid + start,
        np.rint(value + start).astype(np.int64),
    ).only(kept)  # fmt: skip
    return menu.only(menu.value_minor >= worth.without_minor) if worthwhile else menu


def at_once(claim: Claim, role: str | None, months: int) -> IntArray:
    """(months + 1, HORIZON + 1): for each month, what clears a claim with the most that may be waived at the lowest
    rate if nothing else is paid after the start but all of it then. Whatever a creditor that takes any amounts gets by
    then pays as much as some mixture of these, month by month; what rounding may take off is taken off."""
    given = min(concessions(claim, role), key=lambda one: (-one.waived_minor, one.rate_micros))
    start = upfront_of(claim, given)
    rate = given.rate_micros / _YEAR
    month = np.arange(months + 1)
    growth = (1 + rate) ** month
    rounded = np.cumsum(0.5 / growth) - 0.5 if rate else 0.0  # half a unit a month, as of the start
    left = np.maximum(0.0, claim.balance_minor - given.waived_minor - start - rounded)
    amounts = np.zeros((months + 1, HORIZON + 1), np.int64)
    amounts[month, month] = np.minimum(left * growth * (1 - 1e-12), TOO_MUCH).astype(np.int64)
    amounts[:, 0] += start
    return amounts


def terms_of(claim: Claim) -> list[int]:
    """The lengths that a creditor takes, the shortest first; 0 is all at the start."""
    most = min(claim.most_months, claim.policy.most_months, HORIZON)
    allowed = claim.policy.terms or {*LENGTHS, most}
    return [0, *sorted({months for months in allowed if months <= most})]


def best(menu: Menu) -> Menu:
    """Of each length and shape the options that cost the borrower less than any other that pays no more in any month;
    of equal ones that which asks for least.

    Where creditors need not be held to equal shares, no plan is better for an option that is left out here: one that
    stays pays no more in every month and in all. A waiver at the debt's own rate and a low rate without one may both
    stay: the first may be cheaper, the second lighter on the months.
    """
    asked = np.array([one.waived_minor for one in menu.concessions], np.int64)[menu.concession]
    order = np.lexsort((menu.concession, asked, menu.paid_minor, menu.rise, menu.months))
    columns = (menu.months, menu.rise, menu.start_minor, menu.low_minor, menu.level_minor, menu.last_minor)
    return menu.only(order[_undominated(np.stack(columns, axis=1)[order])])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _undominated(rows: Any) -> Any:  # pragma: no cover - compiled
    """Whether no earlier row of the same months and rise (the first two columns) is as small in all the others."""
    kept = np.ones(len(rows), np.bool_)
    first = 0
    for place in range(len(rows)):
        if rows[place, 0] != rows[first, 0] or rows[place, 1] != rows[first, 1]:
            first = place
        for other in range(first, place):
            if kept[other] and (rows[other] <= rows[place]).all():
                kept[place] = False
                break
    return kept


@dataclass(frozen=True, slots=True)
class LevelPlans:
    """Many debts, each cleared by equal instalments. Columns: instalment_minor, last_minor (what is left at the end),
    months (fewer than asked where a small debt clears sooner), paid_minor (of all)."""

    instalment_minor: IntArray
    last_minor: IntArray
    months: IntArray
    paid_minor: IntArray


def level_plans(balances_minor: IntArray, rates_micros: IntArray, months: IntArray) -> LevelPlans:
    """The least equal instalments that clear each debt, to the minor unit; interest of a month is rounded half up.

    balances_minor: 1 to 10**14; rates_micros: of a year, to 1,000,000,000; months: 1 to HORIZON. One entry a debt.
    Raises InvalidInput if shapes differ or an entry lies outside.
    """
    balances, rates, terms = (np.asarray(one, np.int64) for one in (balances_minor, rates_micros, months))
    if not balances.shape == rates.shape == terms.shape or balances.ndim != 1:
        shapes = f"{balances.shape}, {rates.shape} and {terms.shape}"
        raise InvalidInput(f"balances, rates and months are one entry a debt each, not of shapes {shapes}.")
    for name, column, low, high in (
        ("balances_minor", balances, 1, TOO_MUCH // 100), ("rates_micros", rates, 0, 1000 * MILLION),
        ("months", terms, 1, HORIZON),
    ):  # fmt: skip
        outside = np.flatnonzero((column < low) | (column > high))
        if len(outside):
            place = int(outside[0])
            raise InvalidInput(f"{name} lie between {low} and {high}; entry {place} is {column[place]}.")
    nothing = np.zeros(HORIZON + 1)
    taken, _, level, last, paid, _ = _schedules(balances, rates, terms, np.zeros_like(terms), 0, nothing, nothing)
    return LevelPlans(level, last, taken, paid)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _after(owed: int, rate: int, months: int, amount: int) -> int:  # pragma: no cover - compiled
    """What is left after so many instalments, at least 0; TOO_MUCH where it grows beyond all bounds."""
    for _ in range(months):
        owed = grown(owed, rate) - amount
        if owed <= 0:
            return 0
        if owed > TOO_MUCH:
            return TOO_MUCH
    return owed


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _level(owed: int, rate: int, months: int) -> int:  # pragma: no cover - compiled
    """The least instalment that clears a debt in so many months: the annuity, to the unit."""
    monthly = rate / _YEAR
    share = monthly / (1 - (1 + monthly) ** -months) if monthly > 0 else 1 / months
    amount = max(1, int(owed * share))
    while amount > 1 and _after(owed, rate, months, amount - 1) == 0:
        amount -= 1
    while _after(owed, rate, months, amount) > 0:
        amount += 1
    return amount


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _schedules(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    owed: Any, rates, terms, rises, minimum, alive, broken
):
    """Months, low and level instalment, last payment, all that is paid after the start, and its worth, of each option;
    a level of -1 where there is none. alive, broken: (HORIZON + 1,), the worth of a unit paid, or left at the break."""
    size = len(owed)
    low, level, last = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    months, paid, value = terms.copy(), np.zeros(size, np.int64), np.zeros(size)
    for place in range(size):
        debt, rate, count, rise = owed[place], rates[place], terms[place], rises[place]
        if count == 0 or debt == 0:
            level[place] = -1 if count > 0 else 0  # nothing is left to be paid by instalments
            continue
        risen = debt
        if rise:
            low[place] = max(minimum, (_level(debt, rate, count) + 1) // 2)
            risen = _after(debt, rate, rise, low[place])
        amount = _level(risen, rate, count - rise) if 0 < risen < TOO_MUCH else -1
        level[place] = amount
        if amount < low[place] or amount > TOO_MUCH:
            level[place] = -1
            continue
        for month in range(1, count + 1):
            debt = grown(debt, rate)
            value[place] += broken[month] * debt
            now = min(debt, low[place] if month <= rise else amount)
            debt -= now
            paid[place] += now
            value[place] += alive[month] * now
            if debt == 0:  # small debts are cleared sooner than asked
                last[place], months[place] = now, month
                break
    return months, low, level, last, paid, value
