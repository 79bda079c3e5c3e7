"""Labels: bad within the horizon, good, or not told yet."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from evenkeel.kernel.calendar import month_number, month_text
from evenkeel.scoring.labels import (
    UNKNOWN,
    already_bad,
    charge_off_months,
    horizon_for,
    labels_by_source,
    observed_labels,
    outcome_labels,
)
from panels import JANUARY, accounts_of, end_of, panel_of, random_book, shuffled, table


def by_hand(states: dict[int, int], charged: int, month: int, horizon: int, last: int) -> int:
    """states: month -> state of one account while it is on file."""
    if month + horizon > last:
        return UNKNOWN
    ahead = [states[later] for later in range(month + 1, month + horizon + 1) if later in states]
    if any(3 <= state <= 7 for state in ahead) or month < charged <= month + horizon:
        return 1
    return UNKNOWN if -1 in ahead else 0


@pytest.mark.parametrize("horizon", [1, 3, 6, 12])
@pytest.mark.parametrize("seed", range(4))
def test_labels_are_those_of_plain_python_and_only_of_horizons_that_are_over(seed: int, horizon: int) -> None:
    panel = panel_of(random_book(seed, accounts=20), end_of(15))
    rng = np.random.default_rng(seed)
    charged = np.where(rng.random(20) < 0.3, JANUARY + rng.integers(0, 16, 20), 10**6)
    found = observed_labels(panel, charged, horizon)
    account, month, state = panel.account, panel.month, panel.state
    for place in range(len(found)):
        mine = account == account[place]
        states = dict(zip(month[mine].tolist(), state[mine].tolist(), strict=True))
        written_off = int(charged[account[place]])
        assert found[place] == by_hand(states, written_off, month[place], horizon, panel.last_month)
    assert (found[month + horizon > panel.last_month] == UNKNOWN).all()


def test_the_horizon_is_the_longest_that_leaves_half_of_the_months() -> None:
    known = {1: None, 2: 1, 3: 1, 5: 1, 6: 3, 11: 3, 12: 6, 23: 6, 24: 12, 60: 12}
    assert {months: horizon_for(months) for months in known} == known


def test_an_account_with_an_unknown_month_ahead_is_not_called_good() -> None:
    rows = [{"account_id": "a", "month": f"2023-0{n}", "state": "M0"} for n in (1, 2, 4, 5)]
    panel = panel_of({"accounts": accounts_of(["a"]), "periods": table("periods", rows)}, date(2023, 5, 31))
    assert observed_labels(panel, np.array([10**6]), 1).tolist() == [0, UNKNOWN, 0, 0, UNKNOWN]


def test_charge_off_is_dated_by_its_event_in_the_books_own_zone_or_by_the_day_of_closing() -> None:
    accounts = table(
        "accounts",
        [
            {"account_id": "closing", "borrower_id": "b", "status": "charged_off", "closed_on": date(2023, 4, 2)},
            {"account_id": "event", "borrower_id": "b"},
            {"account_id": "never", "borrower_id": "b", "status": "closed", "closed_on": date(2023, 4, 2)},
        ],
    )
    rows = [{"account_id": name, "month": "2023-01", "state": "M0"} for name in ("closing", "event", "never")]
    panel = panel_of({"accounts": accounts, "periods": table("periods", rows)}, date(2023, 1, 31))
    midnight = datetime(2023, 2, 28, 16, tzinfo=UTC)  # the first of March on clocks in Shanghai
    events = table(
        "events",
        [
            {
                "event_id": "1",
                "kind": "charged_off",
                "borrower_id": "b",
                "account_id": "event",
                "effective_at": midnight,
            },
            {"event_id": "2", "kind": "purchase", "borrower_id": "b", "account_id": "never", "effective_at": midnight},
        ],
    )
    found = charge_off_months(panel, events)
    assert found.tolist() == [month_number("2023-04"), month_number("2023-03"), 10**6]
    assert charge_off_months(panel, None).tolist() == [month_number("2023-04"), 10**6, 10**6]


def test_an_account_that_is_bad_already_has_nothing_left_to_predict() -> None:
    states = ["M0", "M2", "M3", "M7", "X"]
    rows = [{"account_id": f"a{n}", "month": "2023-01", "state": state} for n, state in enumerate(states)]
    panel = panel_of(
        {"accounts": accounts_of([f"a{n}" for n in range(5)]), "periods": table("periods", rows)}, date(2023, 1, 31)
    )
    never = np.full(5, 10**6)
    assert already_bad(panel, np.arange(5), never).tolist() == [False, False, True, True, False]
    never[0] = JANUARY
    assert already_bad(panel, np.arange(2), never).tolist() == [True, False]


def test_a_row_in_outcomes_wins_and_the_later_of_two_in_one_month() -> None:
    panel = panel_of(random_book(2, accounts=6, holes=False), end_of(15))
    name = panel.accounts["account_id"][int(panel.account[0])].as_py()
    first = month_text(int(panel.month[0]))
    outcomes = table(
        "outcomes",
        [
            {"account_id": name, "as_of": date.fromisoformat(f"{first}-28"), "bad": True},
            {"account_id": name, "as_of": date.fromisoformat(f"{first}-03"), "bad": False},
            {"account_id": name, "as_of": date(1999, 1, 31), "bad": True},
        ],
    )
    for order in range(3):
        assert outcome_labels(panel, shuffled(outcomes, order))[0] == 1
    labels, given = labels_by_source(panel, {"outcomes": outcomes}, 3)
    assert given.tolist() == [True] + [False] * (len(given) - 1)
    assert labels[0] == 1
    np.testing.assert_array_equal(labels[1:], observed_labels(panel, np.full(6, 10**6), 3)[1:])
