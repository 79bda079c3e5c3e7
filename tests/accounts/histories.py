"""Random products and histories of revolving lines: every setting and every fact that lines know.

One definition for both uses: the functions take a `random.Random`, which is seeded for the long runs and drawn by
hypothesis (`st.randoms`, which shrinks) for the others. Facts are read by `read_fact`, so only what a lender could book
occurs; what a lender would hardly book in that order does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from random import Random

from hypothesis import strategies as st

from evenkeel.accounts.allocation import ATOMS, Allocation, Rule
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.facts import AccountFact, FactKind, check_reversal, read_fact
from evenkeel.accounts.fields import AMOUNT_LIMIT
from evenkeel.accounts.products.agreement import most_grace_days
from evenkeel.accounts.products.model import (
    ClassStep,
    Cycle,
    Fee,
    Grace,
    InlineOffer,
    LineTerms,
    Minimum,
    Product,
    RateStep,
    Roll,
    Tolerance,
)
from evenkeel.accounts.words import COMPONENTS, SEGMENTS, Segment
from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.errors import InvalidInput

LINE_SEGMENTS = tuple(segment for segment in SEGMENTS if segment is not Segment.LOAN)
RATES = ("0", "0.0365", "0.1", "0.1825", "0.24", "0.3599", "0.00000001")
ONE_DAY = timedelta(days=1)
TRANSACTIONS = ("payment", "guarantor_payment", "refund_merchant", "refund_goodwill", "refund_payout")
GRADES = ("normal", "special_mention", "substandard", "doubtful", "loss")


@dataclass(frozen=True, slots=True)
class Case:
    """A product, the facts of one account in the order of booking, and a day to look at it."""

    product: Product
    facts: tuple[AccountFact, ...]
    as_of: date


# ---- Products ------------------------------------------------------------------------------------------------------


def random_product(random: Random, start: date = date(2023, 1, 1)) -> Product:
    """A product that a file could hold; its rates change and its holidays fall in the two years after `start`."""
    line = _line(random, start)
    cycle = line.cycle
    return Product(
        product_id="random", digest="0" * 64, name={"en": "Random"}, shape="card", currency="CNY",
        day_count=random.choice(tuple(DayCount)),
        rates=_rates(random, start),
        allocation=_allocation(random),
        excess_by_rate=random.random() < 0.3,
        tolerance=_tolerance(random, most_grace_days(cycle.statement_day, cycle.due_day, cycle.due_after_days)),
        classes=tuple(ClassStep(*step) for step in zip((0, 1, 91, 181, 361), GRADES, strict=True)),
        fees={kind: _fee(random, kind) for kind in ("late", "cash", "returned", "over_limit") if random.random() < 0.6},
        charge_off_days=random.choice((None, None, None, 30, 61, 90, 180)),
        cost_cap_annual=Fraction(random.choice(("0.02", "0.24", "0.36"))) if random.random() < 0.25 else None,
        line=line,
    )  # fmt: skip


def _rates(random: Random, start: date) -> tuple[RateStep, ...]:
    steps = []
    for segment in LINE_SEGMENTS:
        days = [date(1900, 1, 1)] if random.random() < 0.9 else []
        days += sorted(start + timedelta(days=random.randint(0, 730)) for _ in range(random.choice((0, 0, 1, 2))))
        steps += [RateStep(segment, day, Fraction(random.choice(RATES))) for day in sorted(set(days))]
    random.shuffle(steps)
    return tuple(sorted(steps, key=lambda step: step.from_on))


def _allocation(random: Random) -> Allocation:
    def rule() -> Rule:
        return Rule(tuple(random.sample(ATOMS, len(ATOMS)))) if random.random() < 0.5 else Rule()

    by_type = {kind: rule() for kind in TRANSACTIONS if random.random() < 0.2}
    return Allocation(rule(), by_type, segments=tuple(random.sample(LINE_SEGMENTS, len(LINE_SEGMENTS))))


def _tolerance(random: Random, most_grace: int) -> Tolerance:
    return Tolerance(
        grace_days=min(most_grace, random.choice((0, 0, 0, 3, 5, 40))),
        payment_minor=random.choice((0, 0, 10, 1000)),
        material_minor=random.choice((0, 0, 0, 1000, 50_000)),
        material_share=Fraction(random.choice(("0", "0", "0", "0.01", "0.2"))),
    )


def _fee(random: Random, kind: str) -> Fee:
    least = random.choice((0, 1, 500, 2000))
    return Fee(
        kind, Fraction(random.choice(("0", "0.01", "0.05", "0.3"))), least, random.choice((2000, 50_000, AMOUNT_LIMIT))
    )


def _line(random: Random, start: date) -> LineTerms:
    by_day = random.random() < 0.6
    weekends = random.random() < 0.3
    holidays = [start + timedelta(days=random.randint(0, 730)) for _ in range(random.choice((0, 0, 5, 60)))]
    moves = weekends or bool(holidays)
    cycle = Cycle(
        statement_day=random.randint(1, 31),
        due_day=random.randint(1, 31) if by_day else None,
        due_after_days=None if by_day else random.choice((1, 3, 10, 20, 25, 28, 45, 60)),
        roll=random.choice((Roll.NEXT, Roll.PREVIOUS)) if moves else Roll.NONE,
        weekends=weekends,
        holidays=frozenset(holidays),
    )
    return LineTerms(
        cycle=cycle,
        minimum=Minimum(Fraction(random.choice(("0", "0.02", "0.1", "1"))), random.choice((0, 0, 1000, 20_000))),
        grace=random.choice(tuple(Grace)),
        penalty_rate_annual=Fraction(random.choice(("0", "0", "0.09125", "0.18"))),
        compounding=random.random() < 0.4,
        hold_days=random.choice((1, 3, 7, 30)),
        over_limit_share=Fraction(random.choice(("0", "0", "0.1"))),
        offers=(InlineOffer(3, Fraction(0), Fraction(0)), InlineOffer(12, Fraction("0.006"), Fraction(0))),
    )


# ---- Histories -----------------------------------------------------------------------------------------------------


class _History:
    """A history while it is made: what has been booked, for facts that name others or pay what was spent."""

    def __init__(self, random: Random, opening: AccountFact, product: Product, days: int, scale: int) -> None:
        self.random, self.days, self.scale = random, days, scale
        self.facts = [opening]
        self.turns = _turns(opening, product, days)
        self.spent = 0  # purchases less payments, roughly what is owed

    def amount(self) -> int:
        """Small, round, odd or large."""
        return self.random.choice(
            (
                1,
                self.scale,
                self.random.randint(1, 20 * self.scale),
                self.random.randint(1, 20 * self.scale),
                7 * self.scale,
            )
        )

    def paid(self) -> int:
        """Also what is owed to the unit, a little less, a tenth, or far too much."""
        owed = max(1, self.spent)
        return self.random.choice(
            (
                self.amount(),
                owed,
                max(1, owed - self.random.randint(1, 9)),
                max(1, owed // 10),
                max(1, owed // 2),
                3 * owed,
            )
        )

    def day(self) -> date:
        """Any day, or one on which or beside which a bill is cut or falls due."""
        if self.random.random() < 0.4:
            return max(
                self.facts[0].effective_on, self.random.choice(self.turns) + self.random.choice((-1, 0, 0, 1)) * ONE_DAY
            )
        return self.facts[0].effective_on + self.random.randint(0, self.days) * ONE_DAY

    def until(self, day: date, most: int = 120) -> str:
        """A day from `day` on, often one on which a bill is cut or falls due."""
        later = [turn for turn in self.turns if 0 <= (turn - day).days <= most]
        if later and self.random.random() < 0.4:
            return self.random.choice(later).isoformat()
        return (day + timedelta(days=self.random.randint(0, most))).isoformat()

    def rate(self) -> str:
        return self.random.choice(RATES)

    def named(self, kind: FactKind) -> str | None:
        found = [fact.fact_id for fact in self.facts if fact.kind is kind]
        return self.random.choice(found) if found else None


def _turns(opening: AccountFact, product: Product, days: int) -> list[date]:
    """Days on which bills are cut or fall due, before holidays move them."""
    assert product.line is not None
    cycle, said = product.line.cycle, opening.details
    cut_day = said["statement_day"] or cycle.statement_day
    due_day = said["due_day"] or cycle.due_day or (cut_day + (cycle.due_after_days or 0) - 1) % 30 + 1
    first, last = opening.effective_on, opening.effective_on + timedelta(days=days)
    months = range(month_of(first), month_of(last) + 1)
    turns = [month_day(month, day) for month in months for day in (cut_day, due_day)]
    return [turn for turn in turns if first <= turn <= last] or [first]


Maker = Callable[[_History, date], Mapping[str, object] | None]


def _purchase(h: _History, day: date) -> Mapping[str, object]:
    hold = h.named(FactKind.HOLD)
    segment = h.random.choice((None, None, "purchase", "promotion"))
    return {"amount_minor": h.amount(), "segment": segment, "hold_id": hold if h.random.random() < 0.3 else None}


def _plan(h: _History, day: date) -> Mapping[str, object]:
    cost = h.random.choice(("fee_rate_per_period", "rate_annual", None))
    months = h.random.choice((2, 3, 6, 12, 24, 60))
    amount = h.random.choice((h.amount(), max(1, h.spent), max(1, h.spent // 2)))
    return {"amount_minor": amount, "instalments": months} | ({cost: h.rate()} if cost else {})


def _re_age(h: _History, day: date) -> Mapping[str, object]:
    rate = h.random.choice((None, h.rate()))
    return {"instalments": h.random.randint(1, 24), "first_due_on": h.until(day, 90), "rate_annual": rate}


def _moved(h: _History, day: date) -> Mapping[str, object]:
    if h.random.random() < 0.7:
        return {"due_day": h.random.randint(1, 31)}
    return {"from_due_on": h.until(day, 30), "to_due_on": h.until(day, 60)}


def _held(h: _History, day: date) -> Mapping[str, object]:
    return {"amount_minor": h.amount(), "expires_on": h.until(day, 40) if h.random.random() < 0.4 else None}


def _released(h: _History, day: date) -> Mapping[str, object] | None:
    hold = h.named(FactKind.HOLD)
    return {"hold_id": hold} if hold else None


def _chargeback(h: _History, day: date) -> Mapping[str, object] | None:
    payment = h.named(FactKind.PAYMENT)
    return {"amount_minor": h.amount(), "of": payment} if payment else None


def _refund(h: _History, day: date) -> Mapping[str, object]:
    return {"amount_minor": h.amount(), "by": h.random.choice(("merchant", "goodwill", "payout"))}


def _settlement(h: _History, day: date) -> Mapping[str, object]:
    return {"amount_minor": h.random.choice((h.amount(), max(1, h.spent // 2))), "by": h.until(day)}


# How often each kind happens, and what it says.
_MAKERS: Mapping[FactKind, tuple[int, Maker]] = {
    FactKind.PURCHASE: (25, _purchase),
    FactKind.PAYMENT: (25, lambda h, day: {"amount_minor": h.paid()}),
    FactKind.CASH_ADVANCE: (6, lambda h, day: {"amount_minor": h.amount()}),
    FactKind.DISBURSEMENT: (2, lambda h, day: {"amount_minor": h.amount()}),
    FactKind.HOLD: (3, _held),
    FactKind.HOLD_RELEASED: (1, _released),
    FactKind.GUARANTOR_PAYMENT: (1, lambda h, day: {"amount_minor": h.paid()}),
    FactKind.REFUND: (3, _refund),
    FactKind.CHARGEBACK: (1, _chargeback),
    FactKind.PAYMENT_FAILED: (2, lambda h, day: {"amount_minor": h.amount()}),
    FactKind.FEE: (2, lambda h, day: {"amount_minor": h.amount()}),
    FactKind.INTEREST: (1, lambda h, day: {"amount_minor": h.amount()}),
    FactKind.WAIVER: (3, lambda h, day: {"amount_minor": h.amount(), "component": str(h.random.choice(COMPONENTS))}),
    FactKind.INSTALMENT_PLAN: (6, _plan),
    FactKind.RATE_CHANGED: (
        2, lambda h, day: {"rate_annual": h.rate(), "segment": h.random.choice((None, *map(str, LINE_SEGMENTS)))}
    ),
    FactKind.LIMIT_CHANGED: (2, lambda h, day: {"limit_minor": h.random.randint(0, 60) * h.scale}),
    FactKind.RE_AGE: (1, _re_age),
    FactKind.RE_AMORTISE: (1, lambda h, day: {}),
    FactKind.TERM_EXTENDED: (1, lambda h, day: {"instalments": h.random.randint(1, 36)}),
    FactKind.DUE_DATE_MOVED: (2, _moved),
    FactKind.PAYMENT_HOLIDAY: (1, lambda h, day: {"until": h.until(day), "interest": h.random.random() < 0.5}),
    FactKind.INTEREST_PAUSED: (1, lambda h, day: {"until": h.until(day)}),
    FactKind.SETTLEMENT: (1, _settlement),
    FactKind.ARREARS_PAUSED: (1, lambda h, day: {"until": h.until(day)}),
}  # fmt: skip
# What ends an account; most histories have none of these.
_ENDS: Mapping[FactKind, tuple[int, Maker]] = {
    FactKind.CHARGE_OFF: (3, lambda h, day: {}),
    FactKind.RECOVERY: (2, lambda h, day: {"amount_minor": h.paid()}),
    FactKind.SALE: (1, lambda h, day: {"price_minor": h.amount(), "buyer_id": "b"}),
    FactKind.CLOSED: (2, lambda h, day: {}),
}  # fmt: skip
_EVERYDAY = (FactKind.PURCHASE, FactKind.PAYMENT, FactKind.CASH_ADVANCE, FactKind.INSTALMENT_PLAN)
_SPENDS = (FactKind.PURCHASE, FactKind.CASH_ADVANCE, FactKind.DISBURSEMENT, FactKind.FEE, FactKind.CHARGEBACK)


def random_history(random: Random, product: Product, start: date, days: int, count: int) -> list[AccountFact]:
    """An opening on `start` and about `count` facts in the days after it, some of them reversed, in the order of
    booking: that of their days, but for a few that are booked late."""
    scale = random.choice((100, 10_000, 1_000_000))
    history = _History(random, read_fact(_opening(random, start, scale)), product, days, scale)
    makers = dict(_MAKERS) | (dict(_ENDS) if random.random() < 0.3 else {})
    if random.random() < 0.4:
        makers = {kind: made for kind, made in makers.items() if kind in _EVERYDAY}
    kinds, weights = list(makers), [weight for weight, _ in makers.values()]
    for number, day in enumerate(sorted(history.day() for _ in range(count))):
        [kind] = random.choices(kinds, weights)
        said = makers[kind][1](history, day)
        if said is None:
            continue
        fact = read_fact({"fact_id": f"f{number}", "kind": str(kind), "effective_on": day.isoformat(), **said})
        history.facts.append(fact)
        history.spent += fact.amount_minor * (1 if kind in _SPENDS else -1 if kind is FactKind.PAYMENT else 0)
    facts = history.facts
    if random.random() < 0.5:
        late = [facts.pop(random.randrange(1, len(facts))) for _ in range(random.randint(1, 3)) if len(facts) > 1]
        facts += late
    if random.random() < 0.4:
        _reverse_some(random, facts, days)
    return facts


def _opening(random: Random, start: date, scale: int) -> dict[str, object]:
    return {
        "fact_id": "opened", "kind": "opened", "effective_on": start.isoformat(), "product": "random",
        "limit_minor": random.choice((None, 0, 30 * scale, 100 * scale)),
        "rate_annual": random.choice((None, None, None, random.choice(RATES))),
        "statement_day": random.choice((None, None, None, random.randint(1, 31))),
        "due_day": random.choice((None, None, None, random.randint(1, 31))),
    }  # fmt: skip


def _reverse_some(random: Random, facts: list[AccountFact], days: int) -> None:
    for number in range(random.randint(1, 3)):
        target = random.choice(facts)
        day = target.effective_on + timedelta(days=random.choice((0, random.randint(0, days))))
        found = reversal(f"r{number}", target, day)
        if reversible(facts, found):
            facts.append(found)


def reversal(fact_id: str, target: AccountFact, day: date) -> AccountFact:
    """The fact that undoes another from a day on."""
    return AccountFact(fact_id, FactKind.REVERSAL, day, reversal_of=target.fact_id)


def reversible(facts: Sequence[AccountFact], found: AccountFact) -> bool:
    """Whether a reversal may be booked after some facts."""
    if found.reversal_of == facts[0].fact_id:
        return False
    try:
        check_reversal(facts, found)
    except InvalidInput:
        return False
    return True


def random_case(random: Random) -> Case:
    """A product, a history of one month to two years with up to 40 facts, and a day in it or after it."""
    start = date(2023, 1, 1) + timedelta(days=random.randint(0, 500))
    days = random.choice((30, 120, 400, 730))
    product = random_product(random, start)
    facts = random_history(random, product, start, days, random.randint(0, 40))
    return Case(product, tuple(facts), start + timedelta(days=random.randint(0, days + 100)))


def seeded(seed: int) -> Case:
    """The case of a number, always the same."""
    return random_case(Random(seed))


def cases() -> st.SearchStrategy[Case]:
    """Cases that hypothesis can make simpler when a test fails, and as many that are richer from the start."""
    return st.one_of(st.randoms(use_true_random=False).map(random_case), st.integers(0, 10**6).map(seeded))
