"""Features against the same words worked out by hand in plain Python, and nothing from after the month looked at."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.panel import Panel
from evenkeel.behaviour.features import FEATURES, Measure, feature_values, features_version
from panels import JANUARY, end_of, panel_of, random_book

Month = dict[str, Any]
History = list[Month]  # of one account, up to the month looked at


def back(history: History, months: int) -> Month:
    """The month that lies `months` before the last one; all unknown where the history has none."""
    empty = dict.fromkeys(("state", "dpd", "balance", "limit", "spend", "cash", "paid", "min_due", "interest", "fee"))
    return history[-1 - months] if months < len(history) else empty


def late(month: Month) -> int | None:
    state = month["state"]
    return None if state in (None, -1) else 0 if state == 8 else state


def both(op: Callable[..., Any], *values: Any) -> Any:
    return None if any(value is None for value in values) else op(*values)


def known(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def over(history: History, window: int, value: Callable[[History], Any]) -> list[Any]:
    """A value of each of the last months, each seen with the history that led to it."""
    return [value(history[: len(history) - n]) for n in range(window) if n < len(history)]


def total(values: list[Any]) -> Any:
    return sum(known(values)) if known(values) else None


def ratio(history: History, window: int, top: Callable[[History], Any], bottom: Callable[[History], Any]) -> Any:
    pairs = [(a, b) for a, b in over(history, window, lambda h: (top(h), bottom(h))) if a is not None and b is not None]
    below = sum(b for _, b in pairs)
    return sum(a for a, _ in pairs) / below if pairs and below > 0 else None


def now(name: str) -> Callable[[History], Any]:
    return lambda history: history[-1][name]


def before(name: str, months: int = 1) -> Callable[[History], Any]:
    return lambda history: back(history, months)[name]


def flag(test: Callable[..., bool], *parts: Callable[[History], Any]) -> Callable[[History], Any]:
    return lambda history: both(lambda *values: int(test(*values)), *(part(history) for part in parts))


def both_or_false(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[[History], Any]:
    """SQL's `and`: false where either is false, else unknown where either is unknown."""

    def value(history: History) -> Any:
        a, b = first(history), second(history)
        return 0 if 0 in (a, b) else None if None in (a, b) else 1

    return value


def worst(history: History) -> Any:
    return late(history[-1])


def owed(history: History) -> Any:
    balance = back(history, 1)["balance"]
    return balance if balance is not None and balance > 0 else None


in_debt = flag(lambda balance: balance > 0, before("balance"))
is_late = flag(lambda state: state >= 1, worst)
missed = both_or_false(flag(lambda paid: paid == 0, now("paid")), in_debt)
small = both_or_false(flag(lambda paid, limit: paid < 0.02 * limit, now("paid"), now("limit")), in_debt)
full = both_or_false(flag(lambda paid, b: paid >= 0.99 * b, now("paid"), before("balance")), in_debt)
rolled = both_or_false(flag(lambda a, b: a > b, worst, lambda h: late(back(h, 1))), is_late)


def minimum_only(history: History) -> Any:
    least, balance, paid = back(history, 1)["min_due"], back(history, 1)["balance"], history[-1]["paid"]
    if least is None or balance is None or balance <= 0:
        return None
    if not least < 0.9 * balance:
        return 0
    return None if paid is None else int(0 < paid <= 1.1 * least)


def charges(history: History) -> Any:
    return both(lambda a, b, c: a - b + c, history[-1]["balance"], back(history, 1)["balance"], history[-1]["paid"])


def use(history: History) -> Any:
    balance, limit = history[-1]["balance"], history[-1]["limit"]
    return balance / limit if balance is not None and limit else None


def room(history: History) -> Any:
    return both(lambda limit, balance: limit - balance, history[-1]["limit"], history[-1]["balance"])


def used(history: History) -> Any:
    return ratio(history, 1, now("balance"), now("limit"))


def spent(history: History) -> Any:
    return both(lambda a, b: a + b, history[-1]["spend"], history[-1]["cash"])


def since_late(history: History) -> Any:
    flags = over(history, 24, is_late)
    return flags.index(1) if 1 in flags else None


def peak(function: Callable[[list[Any]], Any], values: list[Any]) -> Any:
    return function(known(values)) if known(values) else None


BY_HAND: dict[str, Callable[[History], Any]] = {
    "utilisation": used,
    "utilisation_3m": lambda h: ratio(h, 3, now("balance"), now("limit")),
    "utilisation_6m": lambda h: ratio(h, 6, now("balance"), now("limit")),
    "utilisation_trend": lambda h: both(lambda a, b: a - b, used(h), used(h[:-3]) if len(h) > 3 else None),
    "payment_ratio": lambda h: ratio(h, 1, now("paid"), owed),
    "payment_ratio_3m": lambda h: ratio(h, 3, now("paid"), owed),
    "payment_ratio_6m": lambda h: ratio(h, 6, now("paid"), owed),
    "payment_to_limit_3m": lambda h: ratio(h, 3, now("paid"), now("limit")),
    "payment_to_limit_6m": lambda h: ratio(h, 6, now("paid"), now("limit")),
    "payment_trend": lambda h: ratio(h, 3, now("paid"), before("paid", 3)),
    "minimum_cover_3m": lambda h: ratio(h, 3, now("paid"), before("min_due")),
    "minimum_only_6m": lambda h: total(over(h, 6, minimum_only)),
    "missed_6m": lambda h: total(over(h, 6, missed)),
    "state_now": worst,
    "dpd_now": now("dpd"),
    "worst_3m": lambda h: peak(max, over(h, 3, worst)),
    "worst_6m": lambda h: peak(max, over(h, 6, worst)),
    "worst_12m": lambda h: peak(max, over(h, 12, worst)),
    "late_count_3m": lambda h: total(over(h, 3, is_late)),
    "late_count_6m": lambda h: total(over(h, 6, is_late)),
    "late_count_12m": lambda h: total(over(h, 12, is_late)),
    "two_late_6m": lambda h: total(over(h, 6, flag(lambda state: state >= 2, worst))),
    "rolled_6m": lambda h: total(over(h, 6, rolled)),
    "months_since_late": since_late,
    "inactive_6m": lambda h: total(over(h, 6, lambda g: None if late(g[-1]) is None else int(g[-1]["state"] == 8))),
    "months_on_file": lambda h: min(len(h), 36),
    "balance_growth": lambda h: ratio(h, 3, now("balance"), before("balance")),
    "spend_to_limit_3m": lambda h: ratio(h, 3, now("spend"), now("limit")),
    "spend_trend": lambda h: ratio(h, 3, now("spend"), before("spend", 3)),
    "cash_share_6m": lambda h: ratio(h, 6, now("cash"), spent),
    "over_limit_6m": lambda h: total(over(h, 6, flag(lambda b, x: b > x, now("balance"), now("limit")))),
    "paid_3m": lambda h: total(over(h, 3, now("paid"))),
    "paid_6m": lambda h: total(over(h, 6, now("paid"))),
    "paid_least_6m": lambda h: peak(min, over(h, 6, now("paid"))),
    "paid_most_6m": lambda h: peak(max, over(h, 6, now("paid"))),
    "paid_before": before("paid"),
    "small_payments_6m": lambda h: total(over(h, 6, small)),
    "full_payments_6m": lambda h: total(over(h, 6, full)),
    "charges": charges,
    "charges_to_limit_3m": lambda h: ratio(h, 3, charges, now("limit")),
    "utilisation_most_6m": lambda h: peak(max, over(h, 6, use)),
    "utilisation_least_6m": lambda h: peak(min, over(h, 6, use)),
    "open_to_buy": room,
    "open_to_buy_6m": lambda h: ratio(h, 6, room, lambda g: 1),
    "late_sum_3m": lambda h: total(over(h, 3, worst)),
    "late_sum_6m": lambda h: total(over(h, 6, worst)),
    "limit": now("limit"),
    "balance": now("balance"),
    "paid": now("paid"),
    "fee_to_balance_6m": lambda h: ratio(h, 6, now("fee"), now("balance")),
}


def all_rows(panel: Panel) -> pa.Table:
    return panel.months.select(["account", "month"])


def values_of(panel: Panel, rows: pa.Table, **options: Any) -> dict[str, np.ndarray]:
    """Every feature as an array; one that is left out is unknown everywhere."""
    table = feature_values(panel, rows, options.pop("threads", 1), **options)
    nothing = np.full(rows.num_rows, np.nan)
    return {f.name: table[f.name].to_numpy() if f.name in table.column_names else nothing for f in FEATURES}


def test_every_feature_is_worked_out_by_hand() -> None:
    assert set(BY_HAND) == {feature.name for feature in FEATURES}


@pytest.mark.parametrize("seed", range(5))
def test_every_value_is_what_plain_python_makes_of_the_same_months(seed: int) -> None:
    panel = panel_of(random_book(seed, accounts=8, months=16), end_of(15))
    found = values_of(panel, all_rows(panel))
    rows = panel.months.to_pylist()
    for place, row in enumerate(rows):
        history = [other for other in rows[: place + 1] if other["account"] == row["account"]]
        for name, by_hand in BY_HAND.items():
            expected = by_hand(history)
            value = np.nan if expected is None else float(expected)
            assert found[name][place] == pytest.approx(value, rel=1e-12, nan_ok=True), (name, place)


@given(st.integers(0, 10_000), st.integers(2, 14), st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_what_happens_later_changes_no_value(seed: int, step: int, random: Any) -> None:
    book = random_book(seed, accounts=6)
    panel = panel_of(book, end_of(15))
    looked_at = all_rows(panel).filter(pa.array(panel.month <= JANUARY + step))
    if looked_at.num_rows == 0:
        return
    future = pa.array(panel.month > JANUARY + step)
    deleted = replace(panel, months=panel.months.filter(pa.array(panel.month <= JANUARY + step)))
    months = panel.months
    for name in ("balance", "paid", "limit", "spend", "dpd", "state", "min_due"):
        place = months.column_names.index(name)
        other = pa.array([random.randrange(0, 8) for _ in range(months.num_rows)]).cast(months.schema.field(name).type)
        values = pa.compute.if_else(future, other, months[name])
        months = months.set_column(place, months.schema.field(name), values)
    changed = replace(panel, months=months)
    whole = values_of(panel, looked_at)
    for other_panel in (deleted, changed):
        other_values = values_of(other_panel, looked_at)
        for name, values in whole.items():
            np.testing.assert_array_equal(values, other_values[name], name)


def test_threads_row_order_and_other_features_change_nothing() -> None:
    panel = panel_of(random_book(7, accounts=400, months=20), end_of(19))
    rows = all_rows(panel).take(pa.array(np.random.default_rng(1).permutation(panel.months.num_rows)[:3000]))
    one = feature_values(panel, rows, 1)
    assert one.equals(feature_values(panel, rows, 2))
    assert one.select(["account", "month"]).equals(rows)
    backwards = rows.take(pa.array(np.arange(rows.num_rows)[::-1]))
    assert feature_values(panel, backwards, 2).equals(one.take(pa.array(np.arange(rows.num_rows)[::-1])))
    for feature in FEATURES:
        if feature.name in ("payment_trend", "utilisation_trend", "rolled_6m", "paid_before"):
            alone = feature_values(panel, rows, 1, [feature])
            assert alone[feature.name].equals(one[feature.name]), feature.name


def test_a_feature_that_is_never_known_is_left_out() -> None:
    book = random_book(1)
    empty = book["periods"].set_column(
        book["periods"].column_names.index("fee_minor"), "fee_minor", pa.nulls(book["periods"].num_rows, pa.int64())
    )
    panel = panel_of(book | {"periods": empty}, end_of(15))
    assert "fee_to_balance_6m" not in feature_values(panel, all_rows(panel), 1).column_names


def test_a_changed_definition_is_another_version() -> None:
    assert features_version() == features_version(FEATURES)
    changed = (replace(FEATURES[0], top=Measure("balance", window=2)), *FEATURES[1:])
    assert features_version(changed) != features_version()
    assert features_version(FEATURES[:-1]) != features_version()
