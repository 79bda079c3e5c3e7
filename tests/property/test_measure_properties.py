"""Stage 1 against loops over dictionaries, on random small books that come in through the panel."""

import random
from collections import Counter
from datetime import date
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.panel import AMOUNTS, STATE_NAMES, Panel, build_panel
from evenkeel.decisions.exposure import LINES_SCHEMA
from evenkeel.portfolio.measure import measure

MONTHS = 7
LAST_DAY = (date(2024, MONTHS, 31) - date(1970, 1, 1)).days
ACCOUNTS = pa.schema([("account_id", pa.string()), ("borrower_id", pa.string()), ("opened_on", pa.date32())])
PERIODS = pa.schema(
    [
        ("account_id", pa.string()), ("month", pa.string()), ("state", pa.string()), ("on_book", pa.bool_()),
        ("dpd_low", pa.int32()), ("dpd_high", pa.int32()), ("source_code", pa.string()),
        *((f"{name}_minor", pa.int64()) for name in AMOUNTS),
    ]
)  # fmt: skip

histories = st.dictionaries(
    st.integers(1, MONTHS),
    st.tuples(
        st.sampled_from(["M0", "M0", "M1", "M2", "M3", "M7", "X", None]), st.one_of(st.none(), st.integers(-50, 500))
    ),
    min_size=1,
)
accounts = st.fixed_dictionaries(
    {"borrower": st.integers(0, 2), "opened": st.one_of(st.none(), st.integers(-3, MONTHS)), "history": histories}
)
books = st.lists(accounts, min_size=1, max_size=7)


def panel_of(book: list[dict[str, Any]], seed: int = 0) -> Panel:
    owners, periods = [], []
    for place, account in enumerate(book):
        opened = account["opened"]
        day = None if opened is None else date(2024, opened, 5) if opened > 0 else date(2023, 12 + opened, 5)
        owners.append({"account_id": f"a{place}", "borrower_id": f"b{account['borrower']}", "opened_on": day})
        periods += [
            {"account_id": f"a{place}", "month": f"2024-{month:02d}", "state": state, "balance_minor": balance}
            for month, (state, balance) in account["history"].items()
        ]
    shuffle = random.Random(seed)
    shuffle.shuffle(periods)
    tables = {"accounts": pa.Table.from_pylist(owners, ACCOUNTS), "periods": pa.Table.from_pylist(periods, PERIODS)}
    return build_panel(tables, LAST_DAY, "UTC")


def lines_of(book: list[dict[str, Any]], seed: int = 0) -> pa.Table:
    rows = [
        {"borrower_id": f"b{account['borrower']}", "lender_id": f"k{place % 3}", "state": state}
        for place, account in enumerate(book)
        for state, _ in [account["history"][max(account["history"])]]
    ]
    random.Random(seed).shuffle(rows)
    return pa.Table.from_pylist(rows, LINES_SCHEMA)


def late(state: str | None) -> bool:
    return state is not None and "M1" <= state <= "M7"


def last_of(book: list[dict[str, Any]]) -> int:
    return max(max(account["history"]) for account in book)


def first_of(book: list[dict[str, Any]]) -> int:
    return min(min(account["history"]) for account in book)


@given(books)
@settings(max_examples=150, deadline=None)
def test_flows_equal_a_count_of_pairs_and_their_shares_sum_to_one(book: list[dict[str, Any]]) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    owed: Counter[tuple[str, str]] = Counter()
    for account in book:
        for month, (state, balance) in account["history"].items():
            after = account["history"].get(month + 1, (None, None))[0]
            if state and after:
                pairs[state, after] += 1
                owed[state, after] += max(balance or 0, 0)
    found = measure(panel_of(book), lines_of(book))["flow_matrix"]
    for i, state in enumerate(STATE_NAMES):
        row = [pairs[state, other] for other in STATE_NAMES]
        assert found["counts"][i] == row
        assert found["observed"][i] == sum(row)
        assert found["shares"][i] == [count / sum(row) if sum(row) else None for count in row]
        weights = [owed[state, other] for other in STATE_NAMES]
        assert found["balance_shares"][i] == [weight / sum(weights) if sum(weights) else None for weight in weights]
        for shares in (found["shares"][i], found["balance_shares"][i]):
            assert shares[0] is None or abs(sum(shares) - 1) < 1e-12


@given(books)
@settings(max_examples=150, deadline=None)
def test_vintages_equal_a_walk_over_every_account(book: list[dict[str, Any]]) -> None:
    first, last = first_of(book), last_of(book)
    opened: dict[int, list[dict[str, Any]]] = {}
    for account in book:
        begin = min(account["history"])
        month = begin if account["opened"] is None else min(account["opened"], begin)
        if month >= first if account["opened"] is not None else month > first:
            opened.setdefault(month, []).append(account["history"])
    found = measure(panel_of(book), lines_of(book))["vintage"]
    if not opened:
        assert found is None
        return
    assert found["definition"]["left_out_accounts"] == len(book) - sum(map(len, opened.values()))
    assert [curve["vintage"] for curve in found["curves"]] == [f"2024-{month:02d}" for month in sorted(opened)]
    for curve, (month, members) in zip(found["curves"], sorted(opened.items()), strict=True):
        for mob, share in enumerate(curve["values"]):
            if month + mob > last:
                assert share is None
                continue
            bad = [
                any(late(state) and state != "M1" for at, (state, _) in history.items() if at <= month + mob)
                for history in members
            ]
            assert share == sum(bad) / len(bad)


@given(books)
@settings(max_examples=200, deadline=None)
def test_months_to_the_next_line_equal_a_walk_over_every_borrower(book: list[dict[str, Any]]) -> None:
    first, last = first_of(book), last_of(book)
    gaps: list[int | None] = []
    owners = Counter(account["borrower"] for account in book)
    for borrower in owners:
        own = [account["history"] for account in book if account["borrower"] == borrower]
        late_on = {
            month: {place for place, history in enumerate(own) if month in history and late(history[month][0])}
            for month in range(first, last + 2)
        }
        begin: int | None = None
        for month in range(first, last + 2):
            if late_on[month] and begin is None:
                begin = month
            if late_on[month] or begin is None:
                continue
            there = sum(min(history) <= month - 1 and max(history) >= begin for history in own)
            if there >= 2 and begin > first:
                seen: dict[int, int] = {}
                for at in range(begin, month):
                    for place in late_on[at]:
                        seen.setdefault(place, at)
                starts = sorted(seen.values())
                gaps.append(starts[1] - starts[0] if len(starts) > 1 else None)
            begin = None
    found = (measure(panel_of(book), lines_of(book))["cross_platform"] or {}).get("months_first_to_next")
    if max(owners.values()) < 2:
        assert found is None
        return
    followed = [gap for gap in gaps if gap is not None]
    assert (found["spells"], found["spells_with_next"]) == (len(gaps), len(followed))
    assert {bar["months"]: bar["spells"] for bar in found["histogram"] if bar["spells"]} == Counter(followed)
    assert found["mean"] == (sum(followed) / len(followed) if followed else None)


@given(books, st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_changes_nothing(book: list[dict[str, Any]], seed: int) -> None:
    assert measure(panel_of(book), lines_of(book)) == measure(panel_of(book, seed), lines_of(book, seed))


@given(books)
@settings(max_examples=100, deadline=None)
def test_parts_sum_to_the_whole(book: list[dict[str, Any]]) -> None:
    found = measure(panel_of(book), lines_of(book))
    part = found["delinquency"]
    assert (
        sum(state["accounts"] for state in part["states"]) + part["state_unknown_accounts"] == part["accounts_on_book"]
    )
    assert part["accounts_on_book"] == part["by_month"][-1]["accounts"]
    assert sum(map(sum, found["flow_matrix"]["counts"])) == sum(found["flow_matrix"]["observed"])
    overlap = found["cross_platform"]
    if overlap:
        assert sum(row["borrowers"] for row in overlap["overdue_on"]) == overlap["overdue_borrowers"]
        assert sum(row["borrowers"] for row in overlap["borrowers_by_lenders"]) == overlap["borrowers"]
