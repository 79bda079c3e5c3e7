"""What holds for the cost of every credit, whatever its amounts and days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.cost.annual import Form, true_cost
from evenkeel.accounts.cost.flows import Flow, due_dates
from evenkeel.accounts.cost.offer import Offer, daily_factors, fee_offer, rate_offer
from evenkeel.accounts.cost.regz import regz_apr
from evenkeel.accounts.cost.solve import irr, rates, xirr, xirr_all
from evenkeel.kernel.errors import InvalidInput

START = date(2023, 5, 17)


@st.composite
def loans(draw: st.DrawFn) -> list[Flow]:
    """One advance, then payments on any days that repay it with a cost of 0.1 % to 60 % of it."""
    lent = draw(st.integers(1_000_00, 1_000_000_00))
    days = draw(st.lists(st.integers(1, 1500), min_size=1, max_size=30, unique=True))
    weights = draw(st.lists(st.integers(1, 100), min_size=len(days), max_size=len(days)))
    owed = lent + lent * draw(st.integers(1, 600)) // 1000
    paid = [owed * weight // sum(weights) for weight in weights]
    paid[-1] += owed - sum(paid)
    return [Flow(START, lent), *(Flow(START + timedelta(days=n), -p) for n, p in zip(days, paid, strict=True) if p)]


offers = st.builds(
    lambda lent, n, every, fee: fee_offer(lent, START, due_dates(START, n + 1, every)[1:], Fraction(fee, 10000)),
    st.integers(1_000_00, 1_000_000_00), st.integers(2, 36), st.sampled_from(["1M", "1W", "2W", "3M", "1Y"]),
    st.integers(1, 300),
)  # fmt: skip


def value_in_decimals(flows: list[Flow], rate: float) -> tuple[Decimal, Decimal]:
    """Net present value at an annual rate in 40 digits, and the size of what was added."""
    with localcontext(prec=40):
        parts = [flow.amount_minor / (1 + Decimal(rate)) ** (Decimal((flow.day - START).days) / 365) for flow in flows]
        return sum(parts, Decimal(0)), sum((abs(part) for part in parts), Decimal(0))


@given(loans())
@settings(max_examples=150, deadline=None)
def test_at_the_rate_found_the_flows_are_worth_nothing(flows: list[Flow]) -> None:
    rate = xirr([flow.day for flow in flows], [flow.amount_minor for flow in flows])
    value, size = value_in_decimals(flows, rate)
    assert abs(value) <= size * Decimal("2e-14")
    assert rate > 0


@given(loans())
@settings(max_examples=100, deadline=None)
def test_no_rate_beside_the_one_found_does_it_too(flows: list[Flow]) -> None:
    days, amounts = [flow.day for flow in flows], [flow.amount_minor for flow in flows]
    found = xirr_all(days, amounts)
    assert len(found) == 1
    below, above = (value_in_decimals(flows, found[0] * share)[0] for share in (0.999, 1.001))
    assert below < 0 < above


@given(loans(), st.integers(2, 1000))
@settings(max_examples=80, deadline=None)
def test_amounts_in_another_unit_have_the_same_rates(flows: list[Flow], times: int) -> None:
    more = [Flow(flow.day, flow.amount_minor * times) for flow in flows]
    one, other = true_cost(flows), true_cost(more)
    assert one.unit == other.unit
    for before, after in zip(one.rates, other.rates, strict=True):
        assert before.rate == pytest.approx(after.rate, rel=1e-10, abs=1e-12)
    assert other.cost_minor == one.cost_minor * times


@given(loans(), st.integers(-400, 4000))
@settings(max_examples=80, deadline=None)
def test_the_day_on_which_it_begins_does_not_matter_by_days(flows: list[Flow], shift: int) -> None:
    moved = [Flow(flow.day + timedelta(days=shift), flow.amount_minor) for flow in flows]
    for form in (Form.COMPOUND, Form.SIMPLE):
        assert true_cost(flows).rate(form) == pytest.approx(true_cost(moved).rate(form), rel=1e-10)


@given(loans(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_fee_raises_every_rate(flows: list[Flow], data: st.DataObject) -> None:
    fee = data.draw(st.integers(1, flows[0].amount_minor // 2))
    when = data.draw(st.sampled_from([flow.day for flow in flows]))
    before, after = true_cost(flows), true_cost([*flows, Flow(when, -fee)])
    assert after.cost_minor == before.cost_minor + fee
    for one in before.rates:
        raised = after.rate(one.form)
        assert raised is not None
        assert raised > one.rate


@given(loans())
@settings(max_examples=100, deadline=None)
def test_paying_later_is_cheaper_a_year(flows: list[Flow]) -> None:
    later = [flows[0], *(Flow(flow.day + timedelta(days=30), flow.amount_minor) for flow in flows[1:])]
    for form in (Form.COMPOUND, Form.SIMPLE):
        assert true_cost(later).rate(form) < true_cost(flows).rate(form)  # type: ignore[operator]


@given(loans())
@settings(max_examples=100, deadline=None)
def test_simple_interest_at_the_rate_found_is_exactly_the_cost(flows: list[Flow]) -> None:
    """Replayed in fractions: interest on the principal by days, payments to interest first, none on unpaid interest."""
    found = true_cost(flows)
    rate = Fraction(found.daily)
    principal, interest, charged, last = Fraction(0), Fraction(0), Fraction(0), START
    for flow in sorted(flows, key=lambda flow: flow.day):
        added = principal * rate * (flow.day - last).days
        interest, charged, last = interest + added, charged + added, flow.day
        if flow.amount_minor > 0:
            principal += flow.amount_minor
        else:
            to_interest = min(interest, Fraction(-flow.amount_minor))
            interest -= to_interest
            principal -= -flow.amount_minor - to_interest
    assert float(charged) == pytest.approx(found.cost_minor, rel=1e-9)
    assert float(principal + interest) == pytest.approx(0, abs=1e-9 * flows[0].amount_minor)


@given(offers)
@settings(max_examples=100, deadline=None)
def test_equal_spacing_makes_the_apr_the_irr_times_the_periods(offer: Offer) -> None:
    found = true_cost(offer.flows, offer.contract)
    period = irr([flow.amount_minor for flow in offer.flows])
    assert found.rate(Form.NOMINAL) == pytest.approx(period * float(found.unit.per_year), rel=1e-9)
    assert found.rate(Form.NOMINAL) == found.rate(Form.REGZ)
    if found.unit.every != "1Y":  # 366 days can be one year of 365, and then some: nothing to compound in
        assert found.rate(Form.COMPOUND) > found.rate(Form.SIMPLE)  # type: ignore[operator]


@given(st.integers(100_000_00, 10_000_000_00), st.integers(1, 36), st.integers(1, 200), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_a_daily_rate_is_found_again(lent: int, count: int, per_100_000: int, wait: int) -> None:
    rate = Fraction(per_100_000, 100_000)
    days = due_dates(START + timedelta(days=1 + wait), count, "1M")
    offer = rate_offer(lent, START, days, daily_factors(START, days, rate))
    found = true_cost(offer.flows, offer.contract)
    rounding = count * 2 / max(found.cost_minor, 1)  # half a fen of interest a period, and the cost of that
    assert found.daily == pytest.approx(float(rate), rel=rounding + 1e-9)


@given(
    st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(0, 60), st.integers(0, 29)), min_size=2, max_size=12)
)
@settings(max_examples=150, deadline=None)
def test_every_rate_found_solves_the_equation_with_fractions(terms: list[tuple[int, int, int]]) -> None:
    try:
        found = rates([(amount, whole, part / 30) for amount, whole, part in terms])
    except InvalidInput:
        return
    for rate in found:
        if rate < -0.999:
            continue
        with localcontext(prec=40):
            i = Decimal(rate)
            parts = [a / ((1 + Decimal(part / 30) * i) * (1 + i) ** t) for a, t, part in terms]
            assert abs(sum(parts, Decimal(0))) <= Decimal("1e-11") * sum((abs(part) for part in parts), Decimal(0))
    chosen = [rate for rate in found if rate >= 0]
    assert found[0] == (min(chosen) if chosen else max(found))


@given(loans())
@settings(max_examples=60, deadline=None)
def test_regulation_z_solves_its_equation_whatever_the_days(flows: list[Flow]) -> None:
    found = regz_apr(flows)
    assert found.unit_rate > 0
    assert found.rate == found.unit_rate * float(found.unit.per_year)
    # Unit-periods are whole days or equal months, so the APR is near the continuous rate per year that XIRR knows.
    yearly = xirr([flow.day for flow in flows], [flow.amount_minor for flow in flows])
    assert (1 + found.unit_rate) ** float(found.unit.per_year) - 1 == pytest.approx(yearly, rel=0.25, abs=0.002)
