"""Every unit of a balance, back to the facts and rules that made it.

What is owed is the sum of its postings, so each posting is a step. A charge is in turn the sum of parts, such as the
stretches of days that bore interest; these are found by going through the account's life day by day with the very code
that made the postings, and reading what each day added. What they come to and what was posted differ by the rounding,
which is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from evenkeel.accounts.facts import AccountFact, FactKind, standing
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.ledger import CLAIM, CREDIT, Posting, receivable
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import by_day
from evenkeel.accounts.line.rules import LINE_SEGMENTS, line_rules
from evenkeel.accounts.loan.terms import InterestMethod
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.state import Accrual
from evenkeel.accounts.words import Component, Segment
from evenkeel.kernel.errors import InvalidInput

_INTEREST, _PENALTY, _SHADOW = "interest", "penalty", "shadow"
_KIND = {"interest": _INTEREST, "penalty_interest": _PENALTY}  # why of a posting -> kind of its parts
_FEES = {"late_fee": "late", "over_limit_fee": "over_limit", "cash_fee": "cash", "returned_fee": "returned"}
_MONTH = Fraction(1, 12)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a charge: balance x rate x years x share, in minor units, not rounded to whole ones.

    kind: `interest` or `penalty` of the days after `since` up to `until`, in which balance and rate stay; `shadow`, the
    same of days before a due day, owed because the bill was not paid in full; `fee`, a share of an amount (years is 1);
    or `plan`, what a plan within a line costs with one instalment, rounded to the unit by itself. share: below 1 only
    for `shadow` of a bill that was paid in part. A day of a line is rounded to 10^-8 of the unit.
    """

    kind: str
    since: date
    until: date
    balance_minor: int
    rate_annual: Fraction
    years: Fraction
    share: Fraction
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Step:
    """One movement of an amount owed: signed, what it came to, the posting, its fact, and what a charge is made of.

    rest: what was posted beyond the parts; None where there are none. rest_why: `rounding`; `least` and `most`, a fee's
    bounds; `cap`, what the promise on all costs cut off; `flat`, interest that was agreed and not counted by days; or
    `elsewhere`, what a loan's instalments move between them (paid before its days, put off, or the part of a unit that
    is kept for the next).
    """

    amount_minor: int
    after_minor: int
    posting: Posting
    fact: AccountFact | None
    parts: tuple[Part, ...] = ()
    rest: Fraction | None = None
    rest_why: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """One ledger account of a borrower and every step to its amount; the steps sum to it.

    account: `receivable:COMPONENT:SEGMENT`, or `credit` (what the lender owes the borrower) or `claim` (what is still
    owed by law after a charge-off), which have neither component nor segment.
    """

    account: str
    component: Component | None
    segment: Segment | None
    amount_minor: int
    steps: tuple[Step, ...]


def explain(product: Product, facts: Sequence[AccountFact], as_of: date) -> tuple[Explained, ...]:
    """What is owed at the close of `as_of`, by segment and component, then credit and claim, with every step to it.

    facts: of one account, in the order in which they were booked. Amounts that came to nothing in the end are explained
    too: each posting to what the borrower owes or is owed is in exactly one explanation. Raises InvalidInput as
    `account_state`.
    """
    postings, made = _line(product, facts, as_of) if product.line is not None else _loan(product, facts, as_of)
    by_id = {fact.fact_id: fact for fact in facts}
    steps: dict[str, list[Step]] = defaultdict(list)
    for place, posting in enumerate(postings):
        for account, sign in ((posting.debit, 1), (posting.credit, -1)):
            if account not in _EXPLAINED:
                continue
            found, amount = steps[account], sign * posting.amount_minor * (-1 if account == CREDIT else 1)
            after = (found[-1].after_minor if found else 0) + amount
            step = Step(amount, after, posting, by_id.get(posting.fact_id))
            found.append(_counted(product, step, made.get(place)))
    return tuple(
        Explained(account, *_EXPLAINED[account], steps[account][-1].after_minor, tuple(steps[account]))
        for account in _EXPLAINED
        if account in steps
    )


_EXPLAINED: Mapping[str, tuple[Component | None, Segment | None]] = {
    receivable(component, segment): (component, segment) for segment in Segment for component in reversed(Component)
} | {CREDIT: (None, None), CLAIM: (None, None)}


def balance_of(explained: Sequence[Explained]) -> int:
    """What the explanations of what is owed come to: the balance."""
    return sum(part.amount_minor for part in explained if part.component is not None)


def _counted(product: Product, step: Step, parts: Sequence[Part] | None) -> Step:
    """A step with the parts of its charge, and what was posted beyond them."""
    if parts is None:
        return step
    rest = step.amount_minor - sum((part.amount for part in parts), Fraction(0))
    return replace(step, parts=tuple(parts), rest=rest, rest_why=_rest_why(product, step, rest))


def _rest_why(product: Product, step: Step, rest: Fraction) -> str:
    fee = product.fees.get(_FEES.get(step.posting.why, ""))
    if abs(rest) <= Fraction(1, 2) or (product.loan is not None and abs(rest) < 1):
        return "rounding"
    if fee is not None and rest > 0:
        return "least"
    if fee is not None and step.amount_minor == fee.most_minor:
        return "most"
    if product.loan is None:
        return "cap"
    return "flat" if product.loan.interest is InterestMethod.FLAT else "elsewhere"


_Made = Mapping[int, Sequence[Part]]  # by the place of a posting


# ---- Lines ---------------------------------------------------------------------------------------------------------


def _line(product: Product, facts: Sequence[AccountFact], as_of: date) -> tuple[Sequence[Posting], _Made]:
    """The postings of a line, and the parts behind those that charge something."""
    known = sorted(standing(facts, as_of), key=by_day)
    if not known or known[0].kind is not FactKind.OPENED:
        raise InvalidInput(f"the account is not open on {as_of}.", "Its first fact is `opened`.")
    counting = _Counting(Line(line_rules(product)))
    counting.line.open(known[0])
    by_date: dict[int, list[AccountFact]] = defaultdict(list)
    for fact in known[1:]:
        by_date[fact.effective_on.toordinal()].append(fact)
    for day in range(known[0].effective_on.toordinal(), as_of.toordinal() + 1):
        counting.day(date.fromordinal(day), by_date.get(day, ()))
    return counting.line.postings, counting.made


class _Counting:
    """A line that is gone through day by day, with the parts of interest that were counted and not posted yet.

    waiting: by the place in `v` where the kernel keeps their sum. prices: the plans within the line and the facts that
    made them. made: what was found, by the place of the posting.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.waiting: dict[int, list[Part]] = {slot: [] for slot in _SLOTS}
        self.prices: list[tuple[list[int], AccountFact]] = []
        self.made: dict[int, Sequence[Part]] = {}

    def day(self, day: date, facts: Sequence[AccountFact]) -> None:
        """One day: changes of rate, its interest, its facts, its close."""
        line = self.line
        for fact in facts:
            if fact.kind is FactKind.RATE_CHANGED:
                line.apply(fact)
        before = list(line.v)
        line.accrue(day)
        self._gained(before, line.v, day)
        for fact in facts:
            if fact.kind is not FactKind.RATE_CHANGED:
                self._apply(fact)
        if 0 < line.v[k.LATE_ON] <= day.toordinal() and line.v[k.STAGE] == 0:
            self._judged(day)
        self._close(day)
        self._forgotten()

    def _apply(self, fact: AccountFact) -> None:
        line, seen = self.line, len(self.line.postings)
        last = line.plans[-1] if line.plans else None
        line.apply(fact)
        if fact.kind is FactKind.INSTALMENT_PLAN and line.plans and line.plans[-1] is not last:
            self.prices.append((line.plans[-1], fact))
        for place, posting in enumerate(line.postings[seen:], seen):
            if posting.why in _FEES and posting.fact_id:
                self.made[place] = [self._fee(posting, fact.amount_minor)]
            elif posting.why in _KIND:  # a closing posts what was counted
                self.made[place], self.waiting[_slot(posting)] = self.waiting[_slot(posting)], []

    def _close(self, day: date) -> None:
        """Close a day and say what its charges are made of."""
        line = self.line
        seen, bills, bill = len(line.postings), line.v[k.BILLS], line.v[k.BILL]
        missing = k.unpaid_dues(line.v, line.dues, line.v[k.DUE_ON] + 1)
        plans = [(plan, list(plan)) for plan in line.plans if plan[k.P_LEFT] and plan[k.P_START] <= bill]
        line.close(day)
        for place, posting in enumerate(line.postings[seen:], seen):
            if posting.why in _KIND:
                self.made[place] = self.waiting[_slot(posting)]
            elif posting.why == "late_fee":
                self.made[place] = [self._fee(posting, missing)]
            elif posting.why == "over_limit_fee":
                owed = sum(_owed(one) for one in line.postings[:place])
                self.made[place] = [self._fee(posting, owed - line.v[k.LIMIT])]
            elif posting.why in ("instalment_fee", "instalment_interest"):
                self.made[place] = [part for plan in plans for part in self._instalment(posting, *plan)]
        if line.v[k.BILLS] > bills:
            self.waiting[k.SHADOW_BILLED] = self.waiting[k.SHADOW_NEW]
            self.waiting[k.SHADOW_NEW] = []

    def _fee(self, posting: Posting, base: int) -> Part:
        share = self.line.rules.product.fees[_FEES[posting.why]].share
        return Part("fee", posting.on, posting.on, base, share, Fraction(1), Fraction(1), base * share)

    def _instalment(self, posting: Posting, plan: list[int], before: list[int]) -> list[Part]:
        """What a plan's next instalment costs. before: the plan before its bill."""
        if posting.why == "instalment_fee":
            base, years, cost = before[k.P_PRINCIPAL], Fraction(1), before[k.P_FEE]
            rate = next((fact.rate("fee_rate_per_period") for own, fact in self.prices if own is plan), None)
            rate = Fraction(cost, base) if rate is None else rate
        else:
            base, years, rate = before[k.P_LEFT], _MONTH, Fraction(before[k.P_RATE], k.UNIT)
            cost = k.half_up(base, before[k.P_RATE], 12 * k.UNIT)
        return [Part("plan", posting.on, posting.on, base, rate, years, Fraction(1), Fraction(cost))] if cost else []

    def _gained(self, before: Sequence[int], after: Sequence[int], day: date, days: int = 1) -> None:
        """Keep what the days up to `day` added, joined to the days before where nothing changed."""
        row = self.line.rules.rates[after[k.RATE_ROW]]
        for slot, (kind, segment) in _SLOTS.items():
            gained = after[slot] - before[slot]
            if gained <= 0:
                continue
            own = after[k.OVERRIDE + segment]
            rate = row[k.R_PENALTY] if kind == _PENALTY else own if own >= 0 else row[k.R_RATE + segment]
            balance = round(Fraction(gained * row[k.R_BASIS], days * rate))
            since = date.fromordinal(day.toordinal() - days)
            found = Part(
                kind, since, day, balance, Fraction(rate, k.UNIT), Fraction(days, row[k.R_BASIS]), Fraction(1),
                Fraction(gained, k.UNIT),
            )  # fmt: skip
            self.waiting[slot] = _joined(self.waiting[slot], found)

    def _judged(self, day: date) -> None:
        """What the judgement at this day's close adds, seen on a copy: interest of the days before, penalties since."""
        line, rules = self.line, self.line.rules
        after = list(line.v)
        log = [0] * (k.LOG_ROWS * k.LOG_WIDTH)
        k.judge(list(line.cells), after, list(line.dues), rules.terms, log, rules.rates[after[k.RATE_ROW]])
        shadow, owed = line.v[k.SHADOW_BILLED], after[k.ACCRUED] - line.v[k.ACCRUED]
        if owed > 0:
            share = Fraction(owed, shadow)
            self.waiting[k.ACCRUED] += [
                replace(part, share=share, amount=part.amount * share) for part in self.waiting[k.SHADOW_BILLED]
            ]
        self.waiting[k.SHADOW_BILLED] = []
        days = day.toordinal() - line.v[k.DUE_ON]
        after[k.ACCRUED : k.ACCRUED + 4] = line.v[k.ACCRUED : k.ACCRUED + 4]
        self._gained(line.v, after, day, days)

    def _forgotten(self) -> None:
        """Drop the parts of what was posted, or dropped by a charge-off or a settlement."""
        for slot, parts in self.waiting.items():
            if parts and self.line.v[slot] == 0:
                self.waiting[slot] = []


# Places of the kernel's `v` that hold interest not posted yet: kind and segment.
_SLOTS: Mapping[int, tuple[str, int]] = {
    k.SHADOW_NEW: (_SHADOW, k.PURCHASE),
    k.SHADOW_BILLED: (_SHADOW, k.PURCHASE),
    **{k.ACCRUED + segment: (_INTEREST, segment) for segment in range(4)},
    **{k.PENALTIES + segment: (_PENALTY, segment) for segment in range(4)},
}


def _owed(posting: Posting) -> int:
    """What a posting adds to what is owed."""
    return posting.amount_minor * (posting.debit.startswith("receivable:") - posting.credit.startswith("receivable:"))


def _slot(posting: Posting) -> int:
    """The place in `v` whose sum a posting of interest was."""
    first = k.PENALTIES if _KIND[posting.why] == _PENALTY else k.ACCRUED
    return first + LINE_SEGMENTS.index(Segment(posting.debit.split(":")[2]))


def _joined(parts: Sequence[Part], found: Part) -> list[Part]:
    """Parts with one more, which lengthens an earlier one that it goes on from."""
    for place, last in enumerate(parts):
        same = (last.kind, last.until, last.balance_minor, last.rate_annual, last.share)
        if same == (found.kind, found.since, found.balance_minor, found.rate_annual, found.share):
            if last.years / (last.until - last.since).days != found.years / (found.until - found.since).days:
                continue  # a year of another length
            longer = replace(last, until=found.until, years=last.years + found.years, amount=last.amount + found.amount)
            return [*parts[:place], longer, *parts[place + 1 :]]
    return [*parts, found]


# ---- Loans ---------------------------------------------------------------------------------------------------------


def _loan(product: Product, facts: Sequence[AccountFact], as_of: date) -> tuple[Sequence[Posting], _Made]:
    """The postings of a loan, and the parts behind those that charge something."""
    state = account_state(product, facts, as_of, traced=True)
    waiting = {kind: [_part(one) for one in state.accruals if one.kind == kind] for kind in (_INTEREST, _PENALTY)}
    made: dict[int, list[Part]] = {}
    by_id = {fact.fact_id: fact for fact in facts}
    for place, posting in enumerate(state.postings):
        kind = _KIND.get(posting.why)
        if posting.why == "returned_fee":
            base, share = by_id[posting.fact_id].amount_minor, product.fees["returned"].share
            made[place] = [Part("fee", posting.on, posting.on, base, share, Fraction(1), Fraction(1), base * share)]
        if kind is None:
            continue
        made[place] = []
        for part in waiting[kind]:
            if part.until <= posting.on:
                made[place] = _joined(made[place], part)
        waiting[kind] = [part for part in waiting[kind] if part.until > posting.on]
    return state.postings, made


def _part(accrual: Accrual) -> Part:
    base = accrual.balance_minor * accrual.rate_annual
    years = accrual.amount / base if base else Fraction(0)
    return Part(
        accrual.kind, accrual.since, accrual.until, accrual.balance_minor, accrual.rate_annual, years, Fraction(1),
        accrual.amount,
    )  # fmt: skip
