"""What a state promises: order and doubles do not matter, reversals take out, limits are kept and told."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parity import EVERY, OWN, T0, drawn, history

from evenkeel.behaviour import compiled
from evenkeel.behaviour import online as module
from evenkeel.behaviour.definitions import Entity, read_definitions, shipped
from evenkeel.behaviour.online import MOST_EVENTS, SLACK, Event, Online, online
from evenkeel.behaviour.windows import DAY, EARLIEST, HOUR, LATEST, micros
from evenkeel.kernel.errors import Conflict, InvalidInput

BORROWER = online(shipped(), Entity.BORROWER, OWN)


def count(ready: Online, state: bytes, name: str, at: int = T0) -> float:
    return float(ready.values([state], [at])[0, ready.names.index(name)])


def purchase(name: str, at: int = T0, booked: int = T0, **more: object) -> Event:
    return Event(name, "purchase", at, booked, 100, **more)  # type: ignore[arg-type]


# ---- order, doubles, reversals


@given(seed=st.integers(0, 10**6), size=st.integers(0, 30), cuts=st.lists(st.integers(0, 40), max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_batches_give_the_same_bytes(seed: int, size: int, cuts: list[int]) -> None:
    rng = random.Random(seed)
    events = history(rng, "b", size, 900 * DAY)
    whole = BORROWER.add(BORROWER.empty(), events)
    rng.shuffle(events)
    state = BORROWER.empty()
    for start, end in pairwise([0, *sorted(cuts), len(events)]):
        state = BORROWER.add(state, events[start:end])
    state = BORROWER.add(state, events[max([0, *cuts]) :])
    assert state == whole


def test_the_same_event_twice_changes_nothing() -> None:
    state = BORROWER.add(BORROWER.empty(), [purchase("a")])
    assert BORROWER.add(state, [purchase("a")]) == state
    assert count(BORROWER, state, "purchases_1h") == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_reversal_takes_out_and_its_reversal_brings_back_in_any_order(order: tuple[int, ...]) -> None:
    fact = purchase("a")
    reversal = Event("r", "refund", T0, T0, reversal_of="a")
    undone = Event("rr", "refund", T0, T0, reversal_of="r")
    events = [fact, reversal, undone]
    without = BORROWER.add(BORROWER.empty(), [events[i] for i in order if i < 2])
    assert count(BORROWER, without, "purchases_1h") == 0
    assert count(BORROWER, BORROWER.add(without, [fact]), "purchases_1h") == 0  # it does not come back by coming twice
    assert count(BORROWER, BORROWER.add(BORROWER.empty(), [events[i] for i in order]), "purchases_1h") == 1


def test_many_states_at_once_are_as_each_alone() -> None:
    rng = random.Random(1)
    histories = [history(rng, f"b{i}", rng.randint(0, 50), 200 * DAY) for i in range(20)]
    states = BORROWER.add_many([BORROWER.empty()] * 20, histories)
    assert states == [BORROWER.add(BORROWER.empty(), events) for events in histories]
    at = [T0 - i * HOUR for i in range(20)]
    together = BORROWER.values(states, at)
    alone = np.concatenate([BORROWER.values([state], [then]) for state, then in zip(states, at, strict=True)])
    assert np.array_equal(together, alone, equal_nan=True)
    assert BORROWER.values([], []).shape == (0, len(BORROWER.names))


# ---- windows


def test_instants_may_repeat_and_change_from_state_to_state() -> None:
    states = [BORROWER.add(b"", history(random.Random(seed), "b", 20, 900 * DAY)) for seed in range(8)]
    instants = [T0, T0, T0 + 300 * DAY, T0, 0, 0, T0 + 90 * DAY, T0 + 90 * DAY]
    each = [BORROWER.values([state], [at])[0] for state, at in zip(states, instants, strict=True)]
    assert np.array_equal(BORROWER.values(states, instants), each, equal_nan=True)


def test_a_window_ends_with_its_instant_and_begins_after_its_start() -> None:
    for at, inside in ((T0, 1), (T0 + 1, 0), (T0 - HOUR, 0), (T0 - HOUR + 1, 1)):
        assert count(BORROWER, BORROWER.add(b"", [purchase("a", at)]), "purchases_1h") == inside


def test_an_event_of_the_future_waits_in_the_state() -> None:
    state = BORROWER.add(b"", [purchase("a", T0 + 5 * DAY)])
    assert count(BORROWER, state, "purchases_24h") == 0
    assert count(BORROWER, state, "purchases_24h", T0 + 5 * DAY) == 1


def test_what_no_value_can_see_any_more_is_dropped_and_what_one_can_is_kept() -> None:
    old, young = purchase("old", T0 - 900 * DAY, T0 - 900 * DAY), purchase("young")
    assert BORROWER.add(b"", [old, young]) == BORROWER.add(b"", [young])
    assert BORROWER.add(BORROWER.add(b"", [young]), [old]) == BORROWER.add(b"", [young])
    seen = purchase("seen", T0 - 179 * DAY, T0 - 179 * DAY)
    assert count(BORROWER, BORROWER.add(b"", [seen, young]), "used_share_30d_of_180d") == 0.5


def test_an_instant_long_before_the_latest_booking_is_not_told() -> None:
    state = BORROWER.add(b"", [purchase("a", T0 - 30 * DAY), purchase("b")])
    assert count(BORROWER, state, "purchases_30d", T0 - SLACK) == 1
    assert np.isnan(BORROWER.values([state], [T0 - SLACK - 1])).all()


def test_what_an_earlier_instant_still_sees_is_kept_as_long_as_it_may_be_asked() -> None:
    fee = Event("fee", "fee", T0 - SLACK - 89 * DAY, T0 - SLACK - 89 * DAY, 1)
    state = BORROWER.add(b"", [fee, purchase("now")])
    assert count(BORROWER, state, "fees_90d", T0 - SLACK) == 1


def test_a_month_may_be_shorter_than_thirty_days() -> None:
    text = (
        'zone = "UTC"\n[[feature]]\nname = "n_{window}"\nconcept = "c"\nentity = "borrower"\nkinds = ["purchase"]\n'
        'aggregate = "count"\nwindow = ["30d", "1m", "24h"]\n'
    )
    ready = online(read_definitions(text), Entity.BORROWER)
    march = micros(datetime(2023, 3, 15, tzinfo=UTC))
    state = ready.add(b"", [purchase("a", march - 29 * DAY, march)])
    assert [count(ready, state, f"n_{window}", march) for window in ("30d", "1m", "24h")] == [1, 0, 0]


# ---- what is not known


def test_an_entity_of_which_nothing_is_on_record_counts_nothing() -> None:
    values = dict(zip(BORROWER.names, BORROWER.values([BORROWER.empty()], [T0])[0].tolist(), strict=True))
    assert values["purchases_30d"] == 0
    assert np.isnan(values["days_since_income"])
    assert np.isnan(values["cash_share_30d"])


def test_an_amount_that_is_not_known_makes_its_sum_unknown_and_no_count() -> None:
    state = BORROWER.add(b"", [purchase("a"), purchase("b")._replace(amount_minor=None)])
    assert np.isnan(count(BORROWER, state, "purchase_sum_1h"))
    assert np.isnan(count(BORROWER, state, "purchase_most_30d"))
    assert count(BORROWER, state, "purchases_1h") == 2


def test_zero_is_an_amount() -> None:
    state = BORROWER.add(b"", [purchase("a")._replace(amount_minor=0)])
    assert count(BORROWER, state, "purchase_sum_1h") == 0
    assert count(BORROWER, state, "purchase_most_30d") == 0


def test_a_field_that_is_not_known_makes_distinct_unknown() -> None:
    known = [purchase(name, fields={"merchant": name[0]}) for name in ("a1", "a2", "b1")]
    assert count(BORROWER, BORROWER.add(b"", known), "merchants_30d") == 2
    assert np.isnan(count(BORROWER, BORROWER.add(b"", [*known, purchase("c")]), "merchants_30d"))


# ---- limits


def test_a_state_holds_so_many_events_and_what_would_need_more_is_not_known() -> None:
    spread = HOUR // 100
    events = [purchase(f"e{i}", T0 - i * spread) for i in range(MOST_EVENTS + 50)]
    state = BORROWER.add(BORROWER.empty(), events)
    assert count(BORROWER, state, "purchases_24h") == 2400
    assert np.isnan(count(BORROWER, state, "purchases_7d"))
    mixed = list(events)
    random.Random(4).shuffle(mixed)
    assert BORROWER.add(BORROWER.add(b"", mixed[:7000]), mixed[7000:]) == state


def test_the_largest_amounts_of_a_full_state_add_up_exactly() -> None:
    events = [purchase(f"e{i}")._replace(amount_minor=10**14) for i in range(MOST_EVENTS)]
    assert count(BORROWER, BORROWER.add(b"", events), "purchase_sum_1h") == float(10**18)


def test_a_state_is_small() -> None:
    events = [purchase(f"e{i}", T0 - i * DAY, fields={"channel": "web"}) for i in range(100)]
    assert len(BORROWER.add(b"", events)) <= 100 * 18 + 22


def test_a_state_of_other_definitions_is_recognised_told_unknown_and_not_added_to() -> None:
    other = online(read_definitions(EVERY), Entity.BORROWER, OWN)
    state = other.add(b"", [purchase("a")])
    assert other.current(state) and BORROWER.current(b"")
    assert not BORROWER.current(state)
    mine = BORROWER.add(b"", [purchase("a")])
    values = BORROWER.values([state, mine], [T0, T0])
    assert np.isnan(values[0]).all() and values[1, BORROWER.names.index("purchases_1h")] == 1
    with pytest.raises(Conflict, match="State 1 "):
        BORROWER.add_many([mine, state], [[], [purchase("b")]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("event_id", value) for value in ("", "x" * 65, None, 7)),
        *(("reversal_of", value) for value in ("", "x" * 65, 7)),
        *(("kind", value) for value in ("sale", "", None, "PURCHASE")),
        *((name, value) for name in ("effective_us", "booked_us")
          for value in (EARLIEST, LATEST, 1.5, True, None, float("nan"), 10**30, "2024-01-01")),
        *(("amount_minor", value) for value in (1.5, True, 10**14 + 1, -(10**14) - 1, float("nan"), "7")),
    ],
)  # fmt: skip
def test_a_wrong_event_is_refused_by_the_name_of_its_field_and_nothing_is_added(field: str, value: object) -> None:
    wrong = purchase("a")._replace(**{field: value})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=f"`{field}`"):
        BORROWER.add_many([b"", b""], [[purchase("b")], [wrong]])


def test_kinds_that_no_value_sees_leave_the_state_as_it_is() -> None:
    state = BORROWER.add(b"", [purchase("a")])
    assert "rate_changed" not in BORROWER.kept
    assert BORROWER.add(state, [Event("x", "rate_changed", T0, T0 + DAY)]) == state


# ---- the compiled kernel


def test_machine_code_of_another_kernel_is_dropped_before_it_touches_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    real = compiled._jitted

    def stale() -> object:
        made = real()
        if not dropped:
            made.source = lambda: made.SOURCE + 1  # type: ignore[attr-defined]
            for name, value in vars(made).items():
                if hasattr(value, "py_func"):
                    monkeypatch.setattr(value._cache, "flush", lambda name=name: dropped.append(name))
        return made

    monkeypatch.setattr(compiled, "_jitted", stale)
    fresh = compiled.kernel.__wrapped__()
    assert {"add_each", "values_each", "read_row", "window_start"} <= set(dropped)
    assert fresh.source() == fresh.SOURCE


def test_the_plain_kernel_tells_what_the_compiled_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = online(read_definitions(EVERY), Entity.BORROWER, OWN)
    histories = [history(random.Random(i), f"b{i}", 12, 100 * DAY) for i in range(4)]
    states = ready.add_many([b""] * 4, histories)
    values = ready.values(states, [T0] * 4)
    monkeypatch.setattr(module, "kernel", lambda: module.k)
    with np.errstate(over="ignore"):
        assert ready.add_many([b""] * 4, histories) == states
        assert np.array_equal(ready.values(states, [T0] * 4), values, equal_nan=True)


def test_drawn_events_reach_the_edges_of_windows() -> None:
    """The generator of the other tests: some events lie exactly where a window begins."""
    rng = random.Random(2)
    edges = {T0 - 30 * DAY, T0 - DAY, T0 - HOUR, T0 - 7 * DAY}
    assert edges & {drawn(rng, f"e{i}", 20 * DAY).effective_us for i in range(3000)}
