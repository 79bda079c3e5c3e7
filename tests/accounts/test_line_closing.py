"""Credit that goes back to the borrower, and the closing of a line, with numbers that can be checked by hand."""

from test_line import CARD, PAY_LATER, SHOES, at, owed

from evenkeel.accounts import ledger
from evenkeel.accounts.words import Component, Stage, Timing


def test_credit_is_paid_out_to_the_borrower() -> None:
    said = [SHOES, ("payment", "2024-01-20", 15_000), ("disbursement", "2024-01-22", 4_000)]
    state = at("2024-01-22", PAY_LATER, *said, limit_minor=50_000)
    assert (state.balance_minor, state.credit_minor, state.available_minor) == (0, 1_000, 51_000)
    booked = ledger.balances(state.postings)
    assert (booked[ledger.CREDIT], booked[ledger.CASH]) == (-1_000, 15_000 - 10_000 - 4_000)


def test_what_was_paid_out_beyond_the_credit_by_a_late_fact_is_owed() -> None:
    said = [SHOES, ("payment", "2024-01-20", 15_000), ("disbursement", "2024-01-22", 4_000)]
    state = at("2024-01-22", PAY_LATER, *said, ("purchase", "2024-01-21", 3_000))
    assert (state.balance_minor, state.credit_minor) == (2_000, 0)
    assert owed(state, Component.PRINCIPAL, Timing.IN_ADVANCE) == 2_000


def test_a_closing_posts_the_interest_up_to_its_day_and_ends_the_line_once_it_is_paid() -> None:
    # 30 days from 1 to 30 January at 50 a day on 100000; the first 5 are billed on 5 January, 25 are counted.
    cash, paid = ("cash_advance", "2023-12-31", 100_000), ("payment", "2024-01-30", 100_250)
    opening = {"effective_on": "2023-12-31"}
    before = at("2024-01-30", CARD, cash, paid, **opening)
    assert (before.balance_minor, before.accrued_minor) == (0, 1_250)
    state = at("2024-02-05", CARD, cash, paid, ("closed", "2024-01-30", None), **opening)
    assert (state.stage, state.balance_minor, state.accrued_minor) == (Stage.OPEN, 1_250, 0)
    said = [cash, ("payment", "2024-01-30", 101_500), ("closed", "2024-01-30", None)]
    state = at("2024-02-05", CARD, *said, **opening)
    assert (state.stage, state.balance_minor, state.credit_minor, state.accrued_minor) == (Stage.CLOSED, 0, 0, 0)
    assert ledger.balances(state.postings)[ledger.income(Component.INTEREST)] == -1_500
