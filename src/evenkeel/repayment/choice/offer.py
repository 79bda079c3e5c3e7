"""The few plans worth showing, each the best at something; or why there is none, and the least that would help.

    cheapest  least paid in all          soonest  first to be clear
    safest    likeliest to be finished   fewest   creditors gone early: least sum of their last months
    balanced  what to begin with: most is owed x the chance to finish, less what is paid

To be through is worth what is owed, so that a chance in a hundred more may cost a hundredth of it (a judgement).
A plan that is the best at several things is shown once, under all its names. Of equal plans the safer is taken, then
the shorter, so that nothing depends on names or on the order of debts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np

from evenkeel.repayment.case import Policy, Recovery
from evenkeel.repayment.choice.amounts import unit_tells
from evenkeel.repayment.choice.optimum import least
from evenkeel.repayment.choice.options import LENGTHS, terms_of
from evenkeel.repayment.choice.search import More, Parts, Search, Surely, fair
from evenkeel.repayment.model import (
    HORIZON,
    NAMES,
    STRATEGIES,
    Chance,
    Change,
    Claim,
    FloatArray,
    Infeasible,
    IntArray,
    Keep,
    Plan,
)

_FEW = 12  # creditors, up to which every question is answered for sure
LIGHTER = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)  # of what a month can carry: what safer plans are looked for within
Judge = Callable[[IntArray], Chance]  # the chance of a schedule, (HORIZON + 1,)


@dataclass(frozen=True, slots=True)
class Offer:
    """Plans in the order of NAMES, and what the strategies by hand come to without any concession, by their names; None
    where one cannot be kept to. survival: (HORIZON + 1,), what creditors value plans by: that of a plan which uses all
    that can be carried."""

    plans: tuple[Plan, ...]
    compared: dict[str, Plan | None]
    survival: FloatArray


def offer(
    claims: Sequence[Claim], capacity: IntArray, judge: Judge, role: str | None = None, fairness: float | None = None,
    more: More | None = None, keep: Keep | None = None, surely: Surely | None = None,
) -> Offer | Infeasible:  # fmt: skip
    """Plans for all claims (at least one) under a capacity (HORIZON + 1,), or why there is none.

    Parts come in the order of the claims. more: what more money would add to the capacity; keep: how a month may draw
    on those before; surely: what more money would make of the household; see `Search`.
    """
    order = sorted(range(len(claims)), key=lambda place: _likeness(claims[place]))
    search = Search(
        tuple(claims[place] for place in order),
        capacity,
        judge(capacity).survival,
        role,
        fairness,
        more=more,
        keep=keep,
        surely=surely,
    )
    found = _drafts(search)
    if not found:
        return why_not(search)
    back = np.argsort(order)

    def plan(names: tuple[str, ...], parts: Parts, chance: Chance) -> Plan:
        return Plan(names, tuple(parts[place] for place in back), chance)

    drafts = [(parts, judge(_total(parts))) for parts in found]
    owed = sum(claim.balance_minor for claim in claims)
    best = {name: min(drafts, key=lambda draft: _MEASURES[name](owed, *draft)) for name in NAMES}
    plans = []
    for draft in {id(draft): draft for draft in best.values()}.values():
        plans.append(plan(tuple(name for name in NAMES if best[name] is draft), *draft))
    compared: dict[str, Plan | None] = {}
    for strategy in STRATEGIES:
        parts = search.by_hand(strategy, conceding=False)
        compared[strategy] = None if parts is None else plan((strategy,), parts, judge(_total(parts)))
    return Offer(tuple(plans), compared, search.survival)


def _likeness(claim: Claim) -> tuple[Any, ...]:
    """What tells claims apart but their names."""
    return (
        claim.balance_minor, claim.rate_micros, claim.principal_minor, claim.interest_minor, claim.fees_minor,
        claim.most_months, -1 if claim.days_past_due is None else claim.days_past_due, claim.lender_type,
        repr(claim.policy),
    )  # fmt: skip


def _drafts(search: Search) -> list[Parts]:
    """Different plans, among them the best at each thing."""
    found: dict[bytes, Parts] = {}

    def add(parts: Parts | None) -> None:
        if parts is not None:
            found.setdefault(b"".join(part.payments.tobytes() for part in parts), parts)

    for parts in search.all_by_hand():
        add(parts)
    programme = search.chosen()
    if programme is not None:
        for picks in (programme.cheapest(), programme.fewest(), programme.soonest()):
            add(None if picks is None else search.parts(programme, picks))
        for picks in programme.even():
            parts = search.plain(programme, picks)
            add(parts if fair(search.claims, parts, search.fairness) else None)
    if not found and (len(search.claims) <= _FEW or unit_tells(search.claims)):
        add(search.by_amounts())
    if found:
        add(search.by_amounts(min(map(_paid, found.values()))))
    for share in LIGHTER if found else ():
        lighter = search.carrying_share(share)
        for parts in lighter.all_by_hand(("avalanche",)):
            add(parts)
        less = lighter.programme()
        picks = less.cheapest()
        add(None if picks is None else lighter.parts(less, picks))
    for strategy in () if found else STRATEGIES:  # nobody has to be asked for anything
        add(search.by_hand(strategy, conceding=False))
    return list(found.values())


def _total(parts: Parts) -> IntArray:
    total: IntArray = np.sum([part.payments for part in parts], axis=0)
    return total


def _paid(parts: Parts) -> int:
    return sum(part.paid_minor for part in parts)


def _last(parts: Parts) -> int:
    return max(part.last_month for part in parts)


_MEASURES: dict[str, Callable[[int, Parts, Chance], tuple[float, ...]]] = {  # of what is owed, a plan and its chance
    "cheapest": lambda _, parts, chance: (_paid(parts), -chance.p, _last(parts)),
    "soonest": lambda _, parts, chance: (_last(parts), _paid(parts), -chance.p),
    "safest": lambda _, parts, chance: (-chance.p, _paid(parts), _last(parts)),
    "fewest": lambda _, parts, chance: (sum(part.last_month for part in parts), _paid(parts), -chance.p),
    "balanced": lambda owed, parts, chance: (_paid(parts) - owed * chance.p, _paid(parts), _last(parts)),
}


# ---- Why there is none ---------------------------------------------------------------------------------------------


def why_not(search: Search) -> Infeasible:
    """A smallest set of facts that cannot hold together, and the least change of each kind that helps.

    Of more than _FEW creditors a plan that is hard to find counts as none, so that a change may be a little more than
    the least; it always is enough.
    """
    search = replace(search, sure=len(search.claims) <= _FEW)
    return Infeasible(_binding(search), tuple(_changes(search)))


_KINDS = ("terms", "minimum", "start", "value")  # of what a creditor demands


def _relaxed(search: Search, gone: set[tuple[str, int]]) -> Search:
    """The search without some demands: a kind, and the place of a claim (-1: of all)."""
    claims = []
    for place, claim in enumerate(search.claims):
        policy = claim.policy
        if ("terms", place) in gone:
            policy = _with(policy, most_months=HORIZON, terms=_lengths(claim, HORIZON), instalments="any")
            claim = replace(claim, most_months=HORIZON)
        if ("minimum", place) in gone:
            policy = _with(policy, minimum_instalment_minor=0)
        if ("start", place) in gone:
            policy = _with(policy, upfront_share=0.0)
        if ("value", place) in gone:
            policy = _with(policy, recovery=_WORTHLESS)
        claims.append(replace(claim, policy=policy))
    return search.demanding(claims, None if ("fairness", -1) in gone else search.fairness)


def _with(policy: Policy, **changed: Any) -> Policy:
    return msgspec.structs.replace(policy, **changed)


_WORTHLESS = Recovery(0.0)


def _binding(search: Search) -> tuple[str, ...]:
    """By deletion: a demand is left out for good where there is no plan without it either. Demands of one kind are
    tried together first. What the household can carry always belongs to it: all that is owed, paid at the start, is a
    plan that every creditor takes."""
    places = range(len(search.claims))
    blocks = [[(kind, place) for place in places] for kind in _KINDS]
    blocks += [[("fairness", -1)]] if search.fairness is not None else []
    gone: set[tuple[str, int]] = set()
    kept: list[tuple[str, int]] = []
    for block in blocks:
        if not _relaxed(search, gone | set(block)).possible():
            gone |= set(block)
        else:
            kept += block
    binding = []
    for demand in kept:
        if not _relaxed(search, gone | {demand}).possible():
            gone.add(demand)
        else:
            binding.append(demand)
    named = (kind if place < 0 else f"{kind}:{search.claims[place].debt_id}" for kind, place in binding)
    return (*named, "capacity")


def _changes(search: Search) -> Iterator[Change]:
    """The least that helps, of each kind that can."""
    owed = sum(claim.balance_minor for claim in search.claims)
    monthly = _money(search, False, 2 * owed + 1)
    if monthly is not None:
        yield Change("monthly", monthly)
    start = _money(search, True, owed)
    if start is not None:
        yield Change("start", start)
    months = _smallest(lambda months: _longer(search, months), HORIZON, HORIZON, True)
    if months is not None:
        yield Change("months", months)
    waiver = _smallest(
        lambda amount: _less(search, amount, owed), int(owed * (1 - search.share_carried())), owed - 1, search.sure
    )
    if waiver is not None:
        yield Change("waiver", waiver)


def _money(search: Search, start: bool, most: int) -> int | None:
    """The least money that helps: from about what the programme lacks, up or down to it. most: enough where that finds
    nothing. At last with all that so much more would change in the household."""

    def carrying(amount: int) -> Search:
        return search.carrying(0, amount) if start else search.carrying(amount, 0)

    enough = None
    for needed in (search.programme(search.rises[-1]).more_needed(start), most):
        if needed and enough is None:
            reached = _reaching(search, carrying, start, needed)
            enough = _smallest(carrying, reached, 4 * reached + 1024, search.sure, (start, not start))
    surely = search.surely
    if enough is None or surely is None:
        return enough
    return _nearest(
        lambda amount: search.seen_again(surely, 0 if start else amount, amount if start else 0).possible(),
        enough, 4 * enough + 1024, search.sure,
    )  # fmt: skip


def _smallest(
    changed: Callable[[int], Search], guess: int, most: int, exact: bool, more: tuple[bool, bool] | None = None
) -> int | None:
    """The least amount, from 1 to `most`, by which a search must be changed for there to be a plan: by the options
    first, then with any amounts, and by hand where one less already helps. more: who carries just so much more, of
    money."""
    changed = cache(changed)
    found = _nearest(
        lambda amount: changed(amount).fits(), guess, most, exact, lambda amount: changed(amount).fits_as_found()
    )
    less = most if found is None else found - 1
    if less < 1 or changed(less).refused_freely:
        return found
    freely = _by_money(changed, guess, less, more) if more else _by_looks(changed, guess, less, exact)
    if freely is not None:
        found, less = freely, freely - 1
    if more and less >= 1 and changed(less).possible_by_hand():
        return _nearest(lambda amount: changed(amount).possible_by_hand(), less, less, exact)
    return found


def _by_money(changed: Callable[[int], Search], guess: int, most: int, more: tuple[bool, bool]) -> int | None:
    """The least money up to `most` with which any amounts are a plan: from what is lacking, which is as much less as
    there is more of it."""

    def risen(one: int, other: int) -> float:
        """How much more is carried with the other amount: the most of any month, or at the start."""
        rises = (changed(other).capacity - changed(one).capacity)[more[1] :]
        return float(rises.max() if more[1] else rises[0])

    lacking = 0.0
    for _ in range(_LOOKS):
        guess = looked = max(1, min(guess, most))
        found = changed(guess).lacks(more, risen(guess, most))
        if found is None:
            return None
        lacking = found
        guess += math.ceil(lacking)
        if abs(lacking) < 1 or guess > most or (guess >= 1 and changed(guess).pays_as_found()):
            break

    def possible(amount: int) -> bool:
        """Less than what was lacking is looked at once more only where it does not carry less in every month."""
        if amount < guess and risen(looked, amount) < lacking:
            return changed(amount).pays_as_found()
        return changed(amount).possible_by_amounts()

    return _nearest(possible, guess, most, True, lambda amount: changed(amount).pays_as_found(), 1)


def _by_looks(changed: Callable[[int], Search], guess: int, most: int, exact: bool) -> int | None:
    """The same of another change, by hand too; to a 256th where amounts are so large that each look takes long."""

    def possible(amount: int) -> bool:
        return changed(amount).possible_by_hand() or changed(amount).possible_by_amounts()

    return _nearest(possible, guess, most, exact and unit_tells(changed(most).claims)) if possible(most) else None


_LOOKS = 3


def _nearest(
    possible: Callable[[int], bool], guess: int, most: int, exact: bool, known: Callable[[int], bool] | None = None,
    step: int = 0,
) -> int | None:  # fmt: skip
    """The least amount up to `most` at which something is possible, where more never makes it impossible: looked for in
    growing steps from a guess, then by halving; to a 256th where it need not be exact. known: whether it is known to be
    possible by now, which is soon told. step: the first from the guess."""
    if most < 1:
        return None
    few, many, step = 0, max(1, min(guess, most)), step or guess // 512 + 1
    if possible(many):
        many, step = many if known is None else least(known, 1, many), 1
        while many > 1 and possible(max(1, many - step)):
            many, step = max(1, many - step), step * 8
        few = 0 if many == 1 else max(0, many - step)
    else:
        while not possible(min(many + step, most)):
            if many + step >= most:
                return None
            many, step = many + step, step * 2
        few, many = many, min(many + step, most)
    apart = 1 if exact else max(1, many >> 8)
    while known is not None and many - few > apart:
        if known(many):
            many = least(known, few + 1, many)
            if many - few <= apart or not possible(many - apart):
                return many
            many -= apart
        middle = (few + many) // 2
        if middle > few:
            few, many = (few, middle) if possible(middle) else (middle, many)
    return least(possible, few + 1, many, apart)


_ENOUGH = 1 << 43  # more than all debts of a case together


def _reaching(search: Search, carrying: Callable[[int], Search], start: bool, amount: int) -> int:
    """How much money it takes that all a plan would need beyond the capacity can be carried."""
    if search.more is None:
        return amount
    wanted = search.capacity + (0 if start else amount)
    wanted[0] = search.capacity[0] + (amount if start else 0)
    return _nearest(lambda money: bool((carrying(money).capacity >= wanted).all()), amount, _ENOUGH, True) or amount


def _longer(search: Search, months: int) -> Search:
    """Every creditor takes so many months, and the usual lengths below, beside what it takes."""
    claims = []
    for claim in search.claims:
        most = max(claim.policy.most_months, months)
        policy = _with(claim.policy, most_months=most, terms=_lengths(claim, months))
        claims.append(replace(claim, most_months=max(claim.most_months, months), policy=policy))
    return search.demanding(claims, search.fairness)


def _lengths(claim: Claim, months: int) -> tuple[int, ...]:
    """The lengths that a creditor takes, the usual ones up to so many months, and these."""
    return tuple(sorted({*terms_of(claim), *(length for length in LENGTHS if length < months), months} - {0}))


def _less(search: Search, amount_minor: int, owed_minor: int) -> Search:
    """So much less is owed in all, of each principal in proportion to its claim; creditors take it as their loss."""
    claims = []
    for claim in search.claims:
        less = min(claim.principal_minor, amount_minor * claim.balance_minor // max(1, owed_minor))
        claims.append(replace(claim, principal_minor=claim.principal_minor - less))
    return search.demanding(claims, search.fairness)
