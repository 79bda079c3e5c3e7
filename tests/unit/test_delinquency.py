"""How late a borrower is: over all debts that are still owed, whatever the lender and the currency."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.delinquency import BUCKET_EDGES, borrower_view, bucket, bucket_history
from evenkeel.accounts.facts import read_fact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import GRADES
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.state import AccountState, MonthEnd
from evenkeel.accounts.words import Stage

NOTHING = AccountState(
    product_id="p", as_of=date(2024, 6, 30), stage=Stage.OPEN, limit_minor=None, held_minor=0, available_minor=None,
    balance_minor=0, credit_minor=0, accrued_minor=0, claim_minor=0, subrogated_minor=0, owed=(), dues=(),
    past_due_minor=0, days_past_due=0, grade="normal", restructurings=0, bills=(), postings=(), months=(),
)  # fmt: skip


def state(balance: int = 0, days: int = 0, grade: str = "normal", **changes: object) -> AccountState:
    return replace(
        NOTHING,
        balance_minor=balance,
        days_past_due=days,
        past_due_minor=balance if days else 0,
        grade=grade,
        **changes,
    )  # type: ignore[arg-type]


OWING, LATE = state(100), state(200, 40, "special_mention")
CLAIM = state(0, 200, "loss", claim_minor=300, stage=Stage.CHARGED_OFF)
SOLD, RECOVERED = state(0, 200, "loss", stage=Stage.SOLD), state(0, 200, "loss", stage=Stage.CHARGED_OFF)


# --- buckets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "days, wanted",
    [(0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (120, 4), (121, 5), (150, 5), (151, 6),
     (180, 6), (181, 7), (9999, 7)],
)  # fmt: skip
def test_the_buckets_are_those_of_the_contract(days: int, wanted: int) -> None:
    assert bucket(days) == wanted


def test_a_lender_may_have_other_edges() -> None:
    assert [bucket(days, (1, 8, 16)) for days in (0, 7, 8, 15, 16, 400)] == [0, 1, 2, 2, 3, 3]


@given(st.integers(0, 400))
def test_one_day_more_is_never_a_better_bucket(days: int) -> None:
    assert bucket(days) <= bucket(days + 1) <= len(BUCKET_EDGES)


def test_the_history_of_an_account_is_told_by_month() -> None:
    ends = [(date(2024, 4, 30), 0), (date(2024, 5, 31), 21), (date(2024, 6, 30), 51)]
    months = [MonthEnd(on, days, 100, Stage.OPEN) for on, days in ends]
    assert bucket_history(months) == (("2024-04", 0), ("2024-05", 1), ("2024-06", 2))


def test_the_history_follows_from_the_facts_and_a_late_payment_changes_it_from_its_day() -> None:
    product = shipped("pay_later")
    records = [
        {"fact_id": "o", "kind": "opened", "effective_on": "2024-01-15", "product": "pay_later"},
        {"fact_id": "p", "kind": "purchase", "effective_on": "2024-01-20", "amount_minor": 10_000},
    ]
    late = {"fact_id": "late", "kind": "payment", "effective_on": "2024-03-20", "amount_minor": 11_000}
    as_of = date(2024, 5, 15)
    # Billed on 1 February, due on the 10th: 19 days on 29 February, 50 on 31 March, 80 on 30 April.
    before = account_state(product, [read_fact(record) for record in records], as_of, history=True)
    assert bucket_history(before.months) == (("2024-01", 0), ("2024-02", 1), ("2024-03", 2), ("2024-04", 3))
    after = account_state(product, [read_fact(record) for record in [*records, late]], as_of, history=True)
    assert bucket_history(after.months) == (("2024-01", 0), ("2024-02", 1), ("2024-03", 0), ("2024-04", 0))


# --- borrowers --------------------------------------------------------------------------------------------------------


def test_all_lines_of_all_lenders_are_one_borrower() -> None:
    view = borrower_view([("A", "CNY", OWING), ("A", "CNY", LATE), ("B", "CNY", OWING)])
    assert (view.accounts, view.debts, view.late_debts) == (3, 3, 1)
    assert (view.lenders, view.late_lenders) == (2, 1)
    assert view.worst_days_past_due == 40
    [total] = view.totals
    assert (total.currency, total.balance_minor, total.past_due_minor) == ("CNY", 400, 200)


def test_the_worst_line_sets_the_grade_of_the_borrower() -> None:
    assert borrower_view([("A", "CNY", OWING), ("B", "CNY", LATE)]).grade == "special_mention"
    assert borrower_view([("A", "CNY", OWING), ("B", "CNY", CLAIM)]).grade == "loss"
    early = replace(CLAIM, days_past_due=20, grade="special_mention")
    assert borrower_view([("A", "CNY", early)]).grade == "loss", "what is charged off is a loss, whatever its days"


@pytest.mark.parametrize(
    "accounts, everywhere",
    [
        ([("A", LATE), ("B", LATE)], True),
        ([("A", LATE), ("A", OWING), ("B", LATE)], True),  # one late line at each lender is enough
        ([("A", LATE), ("B", OWING)], False),
        ([("A", LATE), ("A", LATE)], False),  # one lender is not everywhere
        ([("A", LATE), ("B", CLAIM)], True),
        ([("A", LATE), ("B", SOLD)], False),
        ([("A", LATE), ("B", NOTHING), ("C", LATE)], True),  # who is owed nothing is not asked
        ([("A", OWING), ("B", OWING)], False),
        ([], False),
    ],
)
def test_overdue_everywhere_is_a_late_debt_at_every_lender_that_is_owed(
    accounts: list[tuple[str, AccountState]], everywhere: bool
) -> None:
    view = borrower_view([(lender, "CNY", found) for lender, found in accounts])
    assert view.all_platforms_late is everywhere


@pytest.mark.parametrize("gone", [NOTHING, SOLD, RECOVERED])
def test_what_is_owed_no_longer_makes_nobody_late(gone: AccountState) -> None:
    view = borrower_view([("A", "CNY", OWING), ("B", "CNY", gone)])
    alone = borrower_view([("A", "CNY", OWING)])
    assert replace(view, accounts=1) == alone
    assert view.accounts == 2


def test_amounts_of_two_currencies_have_no_sum() -> None:
    view = borrower_view([("A", "USD", LATE), ("A", "CNY", CLAIM), ("B", "CNY", OWING)])
    assert [(total.currency, total.balance_minor, total.claim_minor) for total in view.totals] == [
        ("CNY", 100, 300), ("USD", 200, 0),
    ]  # fmt: skip


STATES = st.sampled_from([NOTHING, OWING, LATE, CLAIM, SOLD, RECOVERED])
ACCOUNTS = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["CNY", "USD"]), STATES), max_size=8)


@given(ACCOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_the_accounts_is_no_matter(accounts: list[tuple[str, str, AccountState]], random: object) -> None:
    shuffled = list(accounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert borrower_view(shuffled) == borrower_view(accounts)


@given(ACCOUNTS, st.sampled_from("ABC"))
def test_one_late_debt_more_never_makes_a_borrower_better(
    accounts: list[tuple[str, str, AccountState]], lender: str
) -> None:
    before, after = borrower_view(accounts), borrower_view([*accounts, (lender, "CNY", LATE)])
    assert GRADES.index(after.grade) >= GRADES.index(before.grade)
    assert after.worst_days_past_due >= before.worst_days_past_due
    assert after.late_lenders >= before.late_lenders and after.late_debts == before.late_debts + 1


def test_a_day_later_a_late_debt_is_a_day_later() -> None:
    product = shipped("pay_later")
    facts = [
        read_fact({"fact_id": "o", "kind": "opened", "effective_on": "2024-01-15", "product": "pay_later"}),
        read_fact({"fact_id": "p", "kind": "purchase", "effective_on": "2024-01-20", "amount_minor": 10_000}),
    ]
    due = date(2024, 2, 10)
    for late in (0, 1, 30, 31, 91):
        found = account_state(product, facts, due + timedelta(days=late))
        assert borrower_view([("A", "CNY", found)]).worst_days_past_due == late
