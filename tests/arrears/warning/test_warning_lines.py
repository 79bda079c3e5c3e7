"""Lines: what lies ahead of each, which is the next to go, and how far it rolls; against brute force."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warning_books import FIRST, book_of, panel_of

from evenkeel.arrears.warning.ahead import ahead_of
from evenkeel.arrears.warning.lines import Lines, _ranks, independent_next, is_next, shares
from evenkeel.arrears.warning.payday import better_due_days, pay_days
from evenkeel.arrears.warning.proof import first_right, next_losses
from evenkeel.arrears.warning.roll import BUCKETS, Steps, fit_steps
from evenkeel.kernel.calendar import month_end

STATES = st.sampled_from(["M0", "M0", "M1", "M2", "M3", "X", None])
BOOKS = st.dictionaries(
    st.sampled_from(["a-1", "a-2", "b-1", "c-1"]), st.lists(STATES, min_size=8, max_size=8), min_size=1
).filter(lambda book: any(state for line in book.values() for state in line))


@settings(max_examples=60, deadline=None)
@given(BOOKS, st.sampled_from([1, 3, 6]))
def test_what_lies_ahead_is_what_the_months_after_say(book: dict[str, list[str | None]], horizon: int) -> None:
    book = {name: line for name, line in book.items() if any(line)}
    panel = panel_of(book_of(book), month_end(FIRST + 7))
    ahead = ahead_of(panel, None, horizon)
    ids = panel.accounts["account_id"].to_pylist()
    for row, (account, month) in enumerate(zip(panel.account.tolist(), panel.month.tolist(), strict=True)):
        now = month - FIRST
        line = book[ids[account]]
        after = [int(s[1]) if s not in ("X", None) and s is not None else 0 for s in line[now + 1 : now + 1 + horizon]]
        late = [k + 1 for k, state in enumerate(after) if state > 0]
        assert ahead.worst[row] == max(after, default=0)
        assert ahead.until[row] == (late[0] if late else 0)
        assert ahead.over[row] == (month + horizon <= panel.last_month)
        last = max(k for k, s in enumerate(line) if s is not None)
        assert ahead.gap[row] == any(line[k] is None for k in range(now + 1, min(now + horizon, last) + 1))


GROUPS = st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(0.001, 0.9)), min_size=1, max_size=4), min_size=1,
                  max_size=6)  # fmt: skip


def lines_of(groups: list[list[tuple[int, float]]]) -> tuple[Lines, np.ndarray]:
    group = np.array([k for k, part in enumerate(groups) for _ in part], np.int64)
    until = np.array([entry[0] for part in groups for entry in part], np.int64)
    return Lines(np.arange(len(group)), group, group, until), np.array([e[1] for part in groups for e in part])


@given(GROUPS)
def test_the_next_line_is_the_soonest_and_ties_share_it(groups: list[list[tuple[int, float]]]) -> None:
    open_, _ = lines_of(groups)
    expected = []
    for part in groups:
        times = [until for until, _ in part if until > 0]
        first = min(times, default=None)
        ties = sum(until == first for until, _ in part)
        expected += [1 / ties if first is not None and until == first else 0.0 for until, _ in part]
    assert is_next(open_) == pytest.approx(expected)


@given(GROUPS)
def test_independent_lines_race_with_constant_hazards(groups: list[list[tuple[int, float]]]) -> None:
    open_, alone = lines_of(groups)
    some, first = independent_next(open_, alone)
    for k, part in enumerate(groups):
        # Time in a thousand steps: the chance that a line goes first, added up over the steps.
        steps = 4000
        each = [1 - (1 - p) ** (1 / steps) for _, p in part]
        stay = np.prod([1 - e for e in each])
        alive = (1 - stay**steps) / (1 - stay)
        race = [alive * e / sum(each) * (1 - stay) for e in each]
        assert some[k] == pytest.approx(1 - np.prod([1 - p for _, p in part]))
        assert first[open_.group == k] == pytest.approx(race, rel=1e-3)


@given(GROUPS)
def test_losses_of_the_next_line_are_those_of_a_categorical_outcome(groups: list[list[tuple[int, float]]]) -> None:
    open_, figure = lines_of(groups)
    some = np.full(len(groups), 0.4)
    chance = some[open_.group] * shares(open_.group, figure)
    for k, (part, loss) in enumerate(zip(groups, next_losses(open_, some, chance), strict=True)):
        truth, mine = is_next(open_)[open_.group == k], chance[open_.group == k]
        if any(until > 0 for until, _ in part):
            assert loss == pytest.approx(-sum(t * np.log(c) for t, c in zip(truth, mine, strict=True) if t > 0))
        else:
            assert loss == pytest.approx(-np.log(0.6))


@given(GROUPS)
def test_the_right_line_first_counts_only_where_there_was_a_choice(groups: list[list[tuple[int, float]]]) -> None:
    open_, figure = lines_of(groups)
    expected = []
    for part in groups:
        times = [until for until, _ in part if until > 0]
        firsts = [until > 0 and until == min(times) for until, _ in part] if times else [False] * len(part)
        if len(part) > 1 and 0 < sum(firsts) < len(part):
            top = [k for k, (_, f) in enumerate(part) if f == max(f for _, f in part)]
            expected.append(sum(firsts[k] for k in top) / len(top))
    assert first_right(open_, figure) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 4))), min_size=1, max_size=15))
def test_a_rank_is_the_share_of_lower_siblings(entries: list[tuple[int, int | None]]) -> None:
    group = np.array([g for g, _ in entries], np.int64)
    value = np.array([np.nan if v is None else v for _, v in entries], np.float64)
    found = _ranks(group, value, np.bincount(group))
    for k, (g, v) in enumerate(entries):
        others = [w for m, (h, w) in enumerate(entries) if h == g and m != k and w is not None]
        if v is None or not others:
            assert np.isnan(found[k])
        else:
            assert found[k] == pytest.approx(sum((w < v) + (w == v) / 2 for w in others) / len(others))


# --- the roll --------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 7), st.floats(0.0, 1.0)), min_size=1, max_size=20),
    st.dictionaries(st.sampled_from(BUCKETS[1:]), st.tuples(*[st.floats(-5, 5)] * 3)),
)
def test_a_worse_bucket_is_never_likelier_and_where_a_line_is_is_certain(
    lines: list[tuple[int, float]], coefficients: dict[int, tuple[float, float, float]]
) -> None:
    state, first = np.array([s for s, _ in lines]), np.array([p for _, p in lines])
    reach = Steps(coefficients).reach(state, first)
    assert ((reach >= 0) & (reach <= 1)).all()
    assert (np.diff(reach, axis=1) <= 1e-15).all()
    for k, (now, chance) in enumerate(lines):
        assert (reach[k, :now] == 1).all()
        if now < len(BUCKETS):
            assert reach[k, now] == pytest.approx(chance)


def test_steps_recover_the_shares_that_rolled_on() -> None:
    rng = np.random.default_rng(5)
    size = 40_000
    state = rng.integers(0, 3, size)
    first = rng.uniform(0.05, 0.6, size)
    worst = state.copy()
    for _ in range(6):  # the first step by its own chance, every further one by 0.4
        chance = np.where(worst == state, first, 0.4)
        worst = np.where((worst - state == _) & (rng.random(size) < chance), worst + 1, worst)
    reach = fit_steps(state, worst, first, np.ones(size)).reach(state, first)
    for place, bucket in enumerate(BUCKETS):
        assert reach[:, place].sum() == pytest.approx((worst >= bucket).sum(), rel=0.12)


# --- pay days --------------------------------------------------------------------------------------------------------


def incomes(days: list[str], amounts: list[int]) -> pa.Table:
    size = len(days)
    stamps = pa.array(
        [datetime.fromisoformat(f"{day}T09:00+08:00") for day in days], pa.timestamp("us", tz="Asia/Shanghai")
    )
    return pa.table({
        "kind": ["income"] * size, "borrower_id": ["a"] * size, "effective_at": stamps, "amount_minor": amounts,
    })  # fmt: skip


def test_the_pay_day_is_the_usual_day_of_the_largest_income() -> None:
    panel = panel_of(book_of({"a-1": ["M0"] * 6}), month_end(FIRST + 5))
    regular = ["2023-01-15", "2023-02-15", "2023-02-03", "2023-03-16", "2023-04-14", "2023-05-15"]
    assert pay_days(panel, incomes(regular, [900, 900, 50, 900, 900, 900])).tolist() == [15]
    assert pay_days(panel, incomes(["2023-01-02", "2023-02-12", "2023-03-27", "2023-04-20"], [9] * 4)).tolist() == [0]
    assert pay_days(panel, incomes(regular[:2], [900, 900])).tolist() == [0]  # two do not make it usual
    assert pay_days(panel, None).tolist() == [0]


def test_a_due_day_moves_only_from_shortly_before_the_pay_day_to_after_it() -> None:
    due, pay = np.array([8, 15, 20, 1, 0, 10, 20]), np.array([10, 15, 10, 25, 10, 0, 27])
    assert better_due_days(due, pay).tolist() == [12, 0, 0, 0, 0, 0, 0]
