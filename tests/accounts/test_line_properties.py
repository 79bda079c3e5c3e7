"""What holds for every revolving line, whatever its product and its history.

Each property runs on histories that hypothesis can make simpler, and in `make prove` on 10,000 seeded ones.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
from histories import Case, cases, random_product, reversal, reversible, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evenkeel.accounts import ledger
from evenkeel.accounts.allocation import ATOMS, Allocation, Rule
from evenkeel.accounts.facts import AccountFact, FactKind, fact_record, read_fact, standing
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import UNBILLED_PLANS, Line, legs
from evenkeel.accounts.line.compiled import LARGEST_BALANCE, Lines, close_lines
from evenkeel.accounts.line.fold import by_day, fold_line, line_before_close, line_state
from evenkeel.accounts.line.rules import LineRules, line_rules
from evenkeel.accounts.products.model import Tolerance
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.words import Stage

ONE_DAY = timedelta(days=1)
PAYMENTS = (FactKind.PAYMENT, FactKind.GUARANTOR_PAYMENT, FactKind.REFUND, FactKind.RECOVERY)
MANY, BLOCK = 10_000, 500

Property = Callable[[Case, Random], None]


def fold(case: Case, as_of: date | None = None) -> AccountState:
    return fold_line(line_rules(case.product), case.facts, as_of or case.as_of, history=True)


def bytes_of(state: AccountState) -> bytes:
    return repr(state).encode()


def steps(case: Case) -> Iterator[tuple[Line, AccountFact | None, date]]:
    """The line after each fact and after the close of each day on which something happened, the last day included."""
    facts = sorted(standing(case.facts, case.as_of), key=by_day)
    line = Line(line_rules(case.product))
    line.open(facts[0])
    for fact in facts[1:]:
        eve = fact.effective_on - ONE_DAY
        if line.v[k.CLOSED_ON] < eve.toordinal():
            line.close(eve)
            yield line, None, eve
        line.apply(fact)
        yield line, fact, fact.effective_on
    line.close(case.as_of)
    yield line, None, case.as_of


# ---- The properties ------------------------------------------------------------------------------------------------


def check_ledger(line: Line, day: date) -> None:
    """The postings so far are the state: what is owed by component and segment, credit, and the claim."""
    booked = ledger.balances(line.postings)
    state = line_state(line, day, [])
    owed: Counter[str] = Counter()
    for part in state.owed:
        owed[ledger.receivable(part.component, part.segment)] += part.amount_minor
        assert part.amount_minor > 0
    assert {name: amount for name, amount in booked.items() if name.startswith("receivable:")} == +owed
    assert booked.get(ledger.CREDIT, 0) == -state.credit_minor
    assert booked.get(ledger.CLAIM, 0) == state.claim_minor == -booked.get(ledger.CLAIM_CONTRA, 0)
    assert sum(booked.values()) == 0
    assert all(posting.amount_minor > 0 and posting.debit != posting.credit for posting in line.postings)


def check_amounts(line: Line, day: date) -> None:
    """Segments sum to the balance; plans are their cell; dues are asked of what is owed; nothing is below 0."""
    state = line_state(line, day, [])
    by_segment: Counter[str] = Counter()
    for part in state.owed:
        by_segment[part.segment] += part.amount_minor
    assert sum(by_segment.values()) == state.balance_minor
    assert sum(plan[k.P_LEFT] for plan in line.plans) == line.cells[UNBILLED_PLANS]
    assert min(line.cells) >= 0 and min(line.v[k.ACCRUED : k.PENALTIES + 4]) >= 0
    missing = [due.due_minor - due.paid_minor for due in state.dues]
    assert all(amount > 0 for amount in missing) and all(due.paid_minor >= 0 for due in state.dues)
    assert sum(missing) <= state.balance_minor - line.cells[UNBILLED_PLANS]
    assert sorted(due.due_on for due in state.dues) == [due.due_on for due in state.dues]
    assert state.credit_minor >= 0
    assert state.credit_minor == 0 or state.balance_minor == 0 or state.stage in (Stage.CHARGED_OFF, Stage.SOLD)
    assert state.past_due_minor == sum(
        amount for amount, due in zip(missing, state.dues, strict=True) if due.due_on < day
    )


def ledger_is_the_state(case: Case, random: Random) -> None:
    for line, _, day in steps(case):
        check_ledger(line, day)


def amounts_add_up(case: Case, random: Random) -> None:
    for line, _, day in steps(case):
        check_amounts(line, day)


def bills_add_up(case: Case, random: Random) -> None:
    for bill in fold(case).bills:
        assert bill.total_minor == bill.principal_minor + bill.interest_minor + bill.fee_minor + bill.penalty_minor
        assert 0 <= bill.minimum_minor <= bill.total_minor
        assert bill.credit_minor == 0 or bill.total_minor == 0


def paid_and_outstanding_are_the_due(case: Case, random: Random) -> None:
    """What a payment or waiver takes off the balance it adds to what is paid of the dues, as far as there are dues."""
    owed = unpaid = 0
    for line, fact, _ in steps(case):
        owed_now, unpaid_now = k.balance(line.cells), k.unpaid_dues(line.v, line.dues, 1 << 40)
        if fact is not None and (fact.kind in PAYMENTS or fact.kind is FactKind.WAIVER) and line.v[k.STAGE] < 2:
            assert unpaid - unpaid_now == min(unpaid, owed - owed_now)
        owed, unpaid = owed_now, unpaid_now


def payments_are_used_up(case: Case, random: Random) -> None:
    """By every order of allocation: what is not credit has paid something."""
    orders = Allocation(Rule(tuple(random.sample(ATOMS, len(ATOMS)))), segments=case.product.allocation.segments)
    for allocation in (case.product.allocation, orders):
        owed = credit = claim = 0
        for line, fact, _ in steps(replace(case, product=replace(case.product, allocation=allocation))):
            owed_now, credit_now, claim_now = k.balance(line.cells), line.v[k.CREDIT], line.v[k.CLAIM]
            if fact is not None and fact.kind in PAYMENTS:
                moved = [posting for posting in line.postings if posting.fact_id == fact.fact_id]
                came = [posting for posting in moved if posting.debit in (ledger.CASH, ledger.GUARANTOR)]
                assert sum(posting.amount_minor for posting in came) == fact.amount_minor
                if not any(posting.why == "settled" for posting in moved):
                    assert owed + claim - owed_now - claim_now + credit_now - credit == fact.amount_minor
            owed, credit, claim = owed_now, credit_now, claim_now


def replay_gives_the_same_bytes(case: Case, random: Random) -> None:
    line_rules_again = line_rules(replace(case.product))
    again = tuple(read_fact(fact_record(fact)) for fact in case.facts)
    assert bytes_of(fold_line(line_rules_again, again, case.as_of, history=True)) == bytes_of(fold(case))


def a_late_fact_is_as_on_time(case: Case, random: Random) -> None:
    last_of_day = {fact.effective_on: fact for fact in case.facts[1:] if fact.kind is not FactKind.REVERSAL}
    if last_of_day:
        late = random.choice(list(last_of_day.values()))
        facts = (*(fact for fact in case.facts if fact is not late), late)
        assert bytes_of(fold(replace(case, facts=facts))) == bytes_of(fold(case))


def a_reversal_restores_what_was_before(case: Case, random: Random) -> None:
    if len(case.facts) < 2:
        return
    target = random.choice(case.facts[1:])
    undone_on = target.effective_on + timedelta(days=random.randint(0, 60))
    undo = reversal("undo", target, undone_on)
    if target.kind is FactKind.REVERSAL or not reversible(case.facts, undo):
        return
    reversed_ = replace(case, facts=(*case.facts, undo))
    without = replace(case, facts=tuple(fact for fact in case.facts if fact is not target))
    expected = without if undone_on <= case.as_of else case
    assert bytes_of(fold(reversed_)) == bytes_of(fold(expected))
    again = replace(case, facts=(*reversed_.facts, reversal("redo", undo, undone_on)))
    assert bytes_of(fold(again)) == bytes_of(fold(case))


def two_times_differ_only_after_a_late_fact(case: Case, random: Random) -> None:
    """As known after the first n facts and as known now: the same, where no later one took effect by the day."""
    known = case.facts[: random.randint(1, len(case.facts))]
    days = [fact.effective_on for fact in case.facts[len(known) :]]
    eve = min([case.as_of, *(day - ONE_DAY for day in days)])
    if eve >= case.facts[0].effective_on:
        assert bytes_of(fold(replace(case, facts=known), eve)) == bytes_of(fold(case, eve))


def day_by_day_is_all_at_once(case: Case, random: Random) -> None:
    facts = sorted(standing(case.facts, case.as_of), key=by_day)
    rules = line_rules(case.product)
    line = Line(rules)
    line.open(facts[0])
    day = facts[0].effective_on
    for fact in facts[1:]:
        while day < fact.effective_on:
            line.close(day)
            day += ONE_DAY
        line.apply(fact)
    while day <= case.as_of:
        line.close(day)
        day += ONE_DAY
    at_once = line_before_close(rules, case.facts, case.as_of)
    at_once.close(case.as_of)
    assert (line.cells, line.v, line.dues, line.plans) == (at_once.cells, at_once.v, at_once.dues, at_once.plans)
    assert bytes_of(line_state(line, case.as_of, [])) == bytes_of(line_state(at_once, case.as_of, []))


def compiled_is_plain(case: Case, random: Random) -> None:
    """The same source, compiled: every number of the line, every posting and bill of the two months to come."""
    rules, day = line_rules(case.product), case.as_of + 61 * ONE_DAY
    line = line_before_close(rules, case.facts, case.as_of)
    plans = np.array([*line.plans, [0] * k.PLAN_WIDTH], np.int64)  # a row behind them, which is nobody's
    row = (np.array([values], np.int64) for values in (line.cells, line.v, line.dues))
    lines = Lines(*row, plans, np.array([0]), np.array([len(line.plans)]))
    line.postings, line.bills = [], []
    line.close(day)
    if max(line.cells) > LARGEST_BALANCE or sum(bill.total_minor > LARGEST_BALANCE for bill in line.bills):
        return
    cuts, due_days = (np.array([days], np.int64) for days in line.calendar)
    terms, rates = np.array(rules.terms, np.int64), np.array(rules.rates, np.int64)
    events, bills = close_lines(lines, terms, rates, cuts, due_days, np.array([0]), day.toordinal())
    assert lines.cells[0].tolist() == line.cells and lines.v[0].tolist() == line.v
    assert lines.dues[0].tolist() == line.dues and plans[:-1].tolist() == line.plans
    posted = [
        (on, *legs(code, segment, component), amount) for _, on, code, segment, component, amount in events.tolist()
    ]
    assert posted == [
        (posting.on.toordinal(), posting.debit, posting.credit, posting.why, posting.amount_minor)
        for posting in line.postings
        if posting.debit != ledger.CLAIM
    ]
    assert bills[:, 1:].tolist() == [
        [bill.number, bill.cut_on.toordinal(), bill.due_on.toordinal(), bill.minimum_minor, bill.principal_minor,
         bill.interest_minor, bill.fee_minor, bill.penalty_minor, bill.credit_minor]
        for bill in line.bills
    ]  # fmt: skip


def lateness_grows_by_the_day(case: Case, random: Random) -> None:
    """Without tolerances an account is at most one day later than the day before, and late only with a due unpaid."""
    case = replace(case, product=replace(case.product, tolerance=Tolerance()))
    rules = line_rules(case.product)
    before = 0
    start = case.facts[0].effective_on
    facts = sorted(standing(case.facts, case.as_of), key=by_day)
    line = Line(rules)
    line.open(facts[0])
    pending = list(facts[1:])
    for offset in range((case.as_of - start).days + 1):
        day = start + timedelta(days=offset)
        while pending and pending[0].effective_on <= day:
            line.apply(pending.pop(0))
        line.close(day)
        assert 0 <= line.v[k.DAYS_PAST_DUE] <= before + 1
        assert line.v[k.DAYS_PAST_DUE] == 0 or line.v[k.DUE_COUNT] > 0 or line.v[k.STAGE] > 1
        before = line.v[k.DAYS_PAST_DUE]


def history_is_what_was_read_then(case: Case, random: Random) -> None:
    """How late an account was at a month's end is what was read on that day, unless a reversal has come since."""
    months = fold(case).months
    if not months:
        return
    month = random.choice(months)
    if any(fact.kind is FactKind.REVERSAL and month.on < fact.effective_on <= case.as_of for fact in case.facts):
        return
    then = fold(case, month.on)
    assert (then.days_past_due, then.balance_minor + then.claim_minor, then.stage) == (
        month.days_past_due,
        month.balance_minor,
        month.stage,
    )
    assert then.months == months[: months.index(month) + 1]


def cost_stays_below_the_cap(case: Case, random: Random) -> None:
    """Where no fact brings a charge, all charges are at most the cap on the highest principal for all the days."""
    cap = case.product.cost_cap_annual
    if cap is None:
        return
    brought = (FactKind.FEE, FactKind.INTEREST)
    case = replace(case, facts=tuple(fact for fact in case.facts if fact.kind not in brought))
    charged = most = 0
    for line, _, day in steps(case):
        most = max(most, sum(line.cells[k.PRINCIPAL :: 4]))
        booked = ledger.balances(line.postings)
        charged = -sum(amount for name, amount in booked.items() if name.startswith("income:"))
        assert charged <= cap * most * (day - case.facts[0].effective_on).days / 360


PROPERTIES: tuple[Property, ...] = (
    ledger_is_the_state,
    amounts_add_up,
    bills_add_up,
    paid_and_outstanding_are_the_due,
    payments_are_used_up,
    replay_gives_the_same_bytes,
    a_late_fact_is_as_on_time,
    a_reversal_restores_what_was_before,
    two_times_differ_only_after_a_late_fact,
    day_by_day_is_all_at_once,
    compiled_is_plain,
    lateness_grows_by_the_day,
    history_is_what_was_read_then,
    cost_stays_below_the_cap,
)


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__)
def test_a_property_of_lines(holds: Property) -> None:
    @settings(max_examples=30, deadline=None)
    @given(cases(), st.randoms(use_true_random=False))
    def check(case: Case, random: Random) -> None:
        holds(case, random)

    check()


@pytest.mark.prove
@pytest.mark.parametrize("first", range(0, MANY, BLOCK))
@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__)
def test_a_property_of_lines_on_ten_thousand_histories(holds: Property, first: int) -> None:
    for seed in range(first, first + BLOCK):
        try:
            holds(seeded(seed), Random(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


# ---- A life, step by step --------------------------------------------------------------------------------------------

AMOUNTS = st.sampled_from((1, 99, 10_000, 33_333, 250_000))


class ALine(RuleBasedStateMachine):
    """A line that is lived with: spent on, paid, changed, corrected. After every step it is what its facts say."""

    @initialize(random=st.randoms(use_true_random=False), limit=st.sampled_from((None, 300_000)))
    def open(self, random: Random, limit: int | None) -> None:
        self.day = date(2023, 12, 1)
        self.rules: LineRules = line_rules(random_product(random, self.day))
        self.facts: list[AccountFact] = []
        self.book("opened", self.day, product="random", limit_minor=limit)
        self.line = Line(self.rules)
        self.line.open(self.facts[0])

    def book(self, kind: str, day: date, **said: object) -> AccountFact:
        name = f"f{len(self.facts)}"
        fact = read_fact({"fact_id": name, "kind": kind, "effective_on": day.isoformat(), **said})
        self.facts.append(fact)
        return fact

    def happens(self, kind: str, **said: object) -> None:
        self.line.apply(self.book(kind, self.day, **said))

    @rule(days=st.integers(1, 45))
    def time_passes(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.line.close(self.day - ONE_DAY)

    @rule(amount=AMOUNTS, segment=st.sampled_from(("purchase", "promotion")))
    def spend(self, amount: int, segment: str) -> None:
        self.happens("purchase", amount_minor=amount, segment=segment)

    @rule(amount=AMOUNTS, kind=st.sampled_from(("cash_advance", "hold", "fee", "payment_failed")))
    def something_costs(self, amount: int, kind: str) -> None:
        self.happens(kind, amount_minor=amount)

    @rule(amount=AMOUNTS)
    def pay(self, amount: int) -> None:
        self.happens("payment", amount_minor=amount)

    @precondition(lambda self: sum(self.line.cells) and self.line.v[k.STAGE] == 0)
    @rule()
    def pay_all(self) -> None:
        self.happens("payment", amount_minor=sum(self.line.cells))
        assert not any(self.line.cells) and self.line.v[k.DUE_COUNT] == 0

    @rule(amount=AMOUNTS, months=st.integers(2, 12), rate=st.sampled_from(("0", "0.18")))
    def pay_by_instalments(self, amount: int, months: int, rate: str) -> None:
        self.happens("instalment_plan", amount_minor=amount, instalments=months, rate_annual=rate)

    @rule(amount=AMOUNTS, component=st.sampled_from(("penalty", "fee", "interest", "principal")))
    def waive(self, amount: int, component: str) -> None:
        self.happens("waiver", amount_minor=amount, component=component)

    @rule(months=st.integers(1, 12), days=st.integers(0, 60))
    def help(self, months: int, days: int) -> None:
        self.happens("re_age", instalments=months, first_due_on=(self.day + timedelta(days=days)).isoformat())

    @rule(days=st.integers(1, 60), kind=st.sampled_from(("payment_holiday", "interest_paused", "arrears_paused")))
    def pause(self, days: int, kind: str) -> None:
        self.happens(kind, until=(self.day + timedelta(days=days)).isoformat())

    @precondition(lambda self: len(self.facts) > 1)
    @rule(which=st.randoms(use_true_random=False))
    def reverse_something(self, which: Random) -> None:
        fact = reversal(f"f{len(self.facts)}", which.choice(self.facts), self.day)
        if reversible(self.facts, fact):
            self.facts.append(fact)
            self.fold_again()

    @rule(amount=AMOUNTS, back=st.integers(1, 60), kind=st.sampled_from(("payment", "purchase")))
    def hear_late(self, amount: int, back: int, kind: str) -> None:
        self.book(kind, max(self.facts[0].effective_on, self.day - timedelta(days=back)), amount_minor=amount)
        self.fold_again()

    def fold_again(self) -> None:
        self.line = line_before_close(self.rules, self.facts, self.day)
        self.line.close(self.day - ONE_DAY)

    @invariant()
    def it_is_what_its_facts_say(self) -> None:
        line = deepcopy(self.line, {id(self.rules): self.rules})
        line.close(self.day)
        check_ledger(line, self.day)
        check_amounts(line, self.day)
        found, folded = line_state(line, self.day, []), fold_line(self.rules, self.facts, self.day)
        # Within a day a change of order may come to the same in other postings.
        assert bytes_of(replace(found, postings=())) == bytes_of(replace(folded, postings=()))
        assert ledger.balances(found.postings) == ledger.balances(folded.postings)


ALine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestALine = ALine.TestCase
