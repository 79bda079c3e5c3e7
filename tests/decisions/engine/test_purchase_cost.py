"""What a purchase is said to cost is what accounts' own fold charges for it, to the minor unit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest
from histories import random_product
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.line import compiled
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line as Account
from evenkeel.accounts.line.rules import calendar_code, line_rules, units
from evenkeel.accounts.products.model import Fee, Grace, InlineOffer, Product
from evenkeel.accounts.products.reading import shipped
from evenkeel.decisions.cost import MOST_MONTHS, Line, Pricing

START = date(2025, 1, 3)
SHIPPED = ("pay_later", "card", "card_us", "flexible")


class Folded:
    """An account by accounts' own rules: opened, then whatever is booked, on which nothing else is owed."""

    def __init__(self, product: Product, **terms: object) -> None:
        self.account = Account(line_rules(product))
        opened = {"limit_minor": 10**12, "product": product.product_id, **terms}
        self.account.open(AccountFact("opened", FactKind.OPENED, START, details=opened))

    def book(self, kind: str, on: date, amount: int = 0, **details: object) -> None:
        self.account.apply(AccountFact(f"{kind}-{on}", FactKind(kind), on, amount, details))

    @property
    def due_on(self) -> date:
        return date.fromordinal(self.account.calendar[1][self.account.v[k.BILL]])

    @property
    def owed(self) -> int:
        return sum(self.account.cells)

    def line(self, day: date, amount: int) -> Line:
        """What the hot path knows of it before a purchase."""
        account = self.account
        account.close(day - timedelta(days=1))
        v, limit = account.v, account.v[k.LIMIT]
        most = int(limit * (1 + account.rules.line.over_limit_share))
        return Line(v[k.CALENDAR], v[k.OVERRIDE], day.toordinal(), self.due_on.toordinal(), v[k.PAUSED_UNTIL], limit,
                    self.owed, most - self.owed + v[k.CREDIT])  # fmt: skip

    def bills(self, pays: Callable[[object], int]) -> tuple[int, int, int]:
        """Pay each bill on its due day until nothing is owed: payments, the first, all of them."""
        paid: list[int] = []
        for _ in range(MOST_MONTHS):
            due = self.due_on
            self.account.close(due - timedelta(days=1))
            if amount := pays(self.account.bills[-1]):
                self.book("payment", due, amount)
                paid.append(amount)
            counted = sum(self.account.v[k.ACCRUED : k.ACCRUED + 4])
            if counted + self.owed == 0:
                break
        return len(paid), paid[0] if paid else 0, sum(paid)


def agrees_in_full(product: Product, day: date, amount: int, **terms: object) -> None:
    """The cost of a purchase that is paid on its due day is the fold's."""
    line = Folded(product, **terms).line(day, amount)
    account = Folded(product, **terms)
    account.book("purchase", day, amount)
    due = account.due_on
    account.account.close(due - timedelta(days=1))
    account.book("payment", due, billed := account.account.bills[-1].total_minor)
    account.book("closed", due)  # which charges what was counted by then
    assert Pricing(product).in_full(line, amount) == billed + account.owed - amount


def agrees(product: Product, day: date, amount: int, **terms: object) -> None:
    """Every cost of a purchase is the fold's."""
    agrees_in_full(product, day, amount, **terms)
    line = Folded(product, **terms).line(day, amount)
    pricing = Pricing(product)
    account = Folded(product, **terms)
    account.book("purchase", day, amount)
    payments, first, total = account.bills(lambda bill: bill.minimum_minor)
    told = pricing.by_minimum(line, amount)
    assert told.first_minor == first
    assert told.months == (None if account.owed else payments)
    assert told.cost_minor == total + account.owed - amount

    assert product.line is not None
    for offer, told_offer in zip(product.line.offers, pricing.offers(line, amount), strict=True):
        account = Folded(product, **terms)
        account.book("purchase", day, amount)
        price = {"fee_rate_per_period": offer.fee_rate_per_period, "rate_annual": offer.rate_annual}
        account.book("instalment_plan", day, amount, instalments=offer.instalments, **price)
        _, first, total = account.bills(lambda bill: bill.total_minor)
        assert account.owed == 0
        assert (told_offer.monthly_minor, told_offer.cost_minor) == (first, total - amount)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("amount", [1, 999, 10_000, 123_457, 5_000_000, compiled.LARGEST_BALANCE + 1])
def test_the_cost_on_a_shipped_product_is_the_folds(name: str, amount: int) -> None:
    for days in (0, 1, 2, 17, 30, 400):
        agrees(shipped(name), START + timedelta(days=days), amount)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), days=st.integers(0, 700), amount=st.integers(1, 3_000_000))
def test_the_cost_on_any_product_is_the_folds(seed: int, days: int, amount: int) -> None:
    any_product(seed, days, amount)


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 10**9), days=st.integers(0, 700), amount=st.integers(1, 3_000_000), compounding=st.booleans(),
    cap=st.sampled_from([None, Fraction(1, 10), Fraction(3, 10)]),
    own=st.sampled_from([{}, {"rate_annual": Fraction(1, 8)}]),
)  # fmt: skip
def test_interest_from_the_first_day_is_the_folds(
    seed: int, days: int, amount: int, compounding: bool, cap: Fraction | None, own: dict[str, object]
) -> None:
    product = random_product(Random(seed), START)
    assert product.line is not None
    line = replace(product.line, grace=Grace.NONE, compounding=compounding)
    agrees_in_full(replace(product, line=line, cost_cap_annual=cap), START + timedelta(days=days), amount, **own)


@pytest.mark.prove
@pytest.mark.parametrize("part", range(20))
def test_the_cost_on_many_products_is_the_folds(part: int) -> None:
    draw = Random(part)
    for _ in range(150):
        any_product(draw.randrange(10**9), draw.randrange(700), draw.choice([draw.randrange(1, 10**5), 10**8]))


def any_product(seed: int, days: int, amount: int) -> None:
    draw = Random(seed)
    product = random_product(draw, START)
    terms = draw.choice([{}, {"rate_annual": Fraction(1, 8)}, {"statement_day": draw.randint(1, 28), "due_day": None}])
    agrees(product, START + timedelta(days=days), amount, **terms)


# ---- What of the account touches a purchase --------------------------------------------------------------------------


def charged(product: Product, day: date, amount: int, before: Callable[[Folded], None]) -> tuple[Line, int]:
    """The account before a purchase, and all that is charged by the close of its due day, all of it paid then."""
    account = Folded(product, limit_minor=100_000)
    before(account)
    line = account.line(day, amount)
    if amount:
        account.book("purchase", day, amount)
    due = account.due_on
    account.account.close(due - timedelta(days=1))
    account.book("payment", due, 1 + account.owed)
    account.book("closed", due)
    return line, account.account.v[k.CHARGED]


def marginal(product: Product, day: date, amount: int, before: Callable[[Folded], None]) -> None:
    """What is charged with a purchase and not without it is what it was said to cost."""
    line, with_it = charged(product, day, amount, before)
    assert Pricing(product).in_full(line, amount) == with_it - charged(product, day, 0, before)[1] > 0


def bearing(**more: object) -> Product:
    """A line on which every purchase bears interest from its day."""
    product = shipped("flexible")
    purchase = tuple(replace(step, segment="purchase") for step in product.rates)
    return replace(product, rates=product.rates + purchase, cost_cap_annual=None, **more)


def test_a_credit_pays_its_part_at_once() -> None:
    marginal(bearing(), START + timedelta(days=9), 90_000, lambda a: a.book("payment", START, 40_000))
    line, _ = charged(bearing(), START, 30_000, lambda a: a.book("payment", START, 40_000))
    assert Pricing(bearing()).in_full(line, 30_000) == 0


def test_interest_that_is_paused_is_not_counted() -> None:
    until = START + timedelta(days=20)
    marginal(bearing(), START + timedelta(days=3), 90_000, lambda a: a.book("interest_paused", START, until=until))


@pytest.mark.parametrize("owed", [0, 60_000, 104_000])
def test_what_goes_above_the_limit_costs_its_fee(owed: int) -> None:
    card = shipped("card")
    assert card.line is not None
    fees = {"over_limit": Fee("over_limit", Fraction(1, 20), 500, 3_000)}
    above = replace(card, fees=fees, line=replace(card.line, over_limit_share=Fraction(1, 4)))
    day = START + timedelta(days=5)  # both in one bill
    marginal(above, day, 116_000 - owed, lambda account: owed and account.book("purchase", day, owed))


def test_an_account_of_its_own_rate_costs_that() -> None:
    half = bearing()
    account = Folded(half, rate_annual=Fraction(1, 2))
    line = account.line(START, 100_000)
    assert line.rate == units(Fraction(1, 2))
    assert Pricing(half).in_full(line, 100_000) > 4 * Pricing(half).in_full(line._replace(rate=-1), 100_000)


def test_who_never_pays_it_off_by_minimums_is_told_so() -> None:
    card = shipped("card")
    assert card.line is not None
    idle = replace(card, line=replace(card.line, minimum=replace(card.line.minimum, principal_share=Fraction(0),
                                                                 floor_minor=0)))  # fmt: skip
    line = Folded(idle).line(START, 10_000)
    told = Pricing(idle).by_minimum(line, 10_000)
    assert told.months is None and told.cost_minor > 5_000


def test_calendars_have_a_number_that_gives_them_back() -> None:
    assert Folded(shipped("card"), statement_day=9).line(START, 1).calendar == calendar_code(9, None)


def test_a_plan_without_any_cost_costs_nothing() -> None:
    free = shipped("pay_later")
    assert free.line is not None
    free = replace(free, line=replace(free.line, offers=(InlineOffer(3, Fraction(0), Fraction(0)),)))
    (told,) = Pricing(free).offers(Folded(free).line(START, 1_000), 1_000)
    assert (told.monthly_minor, told.cost_minor) == (334, 0)
