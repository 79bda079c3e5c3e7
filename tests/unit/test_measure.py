"""Stage 1: the figures of small books worked by hand, and the real files against SQL that shares no code with us."""

import json
import os
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from evenkeel.accounts.panel import MONTHS_SCHEMA, STATE_NAMES, Panel, build_panel
from evenkeel.book.adapters import credit_record, uci_credit_card
from evenkeel.book.checking import check
from evenkeel.decisions.exposure import LINES_SCHEMA
from evenkeel.kernel.calendar import month_number, month_text
from evenkeel.kernel.text import texts
from evenkeel.portfolio.measure import measure

JANUARY = month_number("2024-01")
CODES = {name: code for code, name in enumerate(STATE_NAMES)} | {"?": -1}


def book(
    histories: dict[str, str],
    balances: dict[str, list[int | None]] | None = None,
    starts: dict[str, int] | None = None,
    opened: dict[str, str] | None = None,
    borrowers: dict[str, str] | None = None,
    last: int | None = None,
) -> Panel:
    """A panel from words such as `{"a": "M0 M1 X"}`: one state a month from January 2024 (or `starts` months later)."""
    ids = sorted(histories)
    rows = []
    for place, name in enumerate(ids):
        for step, state in enumerate(histories[name].split()):
            money = (balances or {}).get(name, [None] * 99)[step]
            month = JANUARY + (starts or {}).get(name, 0) + step
            rows.append({"account": place, "month": month, "state": CODES[state], "balance": money})
    owners = [(borrowers or {}).get(name, name) for name in ids]
    people = sorted(set(owners))
    accounts = pa.table(
        {
            "account_id": ids,
            "borrower": pa.array([people.index(owner) for owner in owners], pa.int32()),
            "opened": pa.array([month_number(opened[n]) if opened and n in opened else None for n in ids], pa.int32()),
        }
    )
    months = pa.Table.from_pylist(rows, MONTHS_SCHEMA)
    return Panel(accounts, months, pa.array(people), last or max(row["month"] for row in rows), "periods")


def lines(*entries: tuple[str, str, str]) -> pa.Table:
    """(borrower, lender, state) of each open line."""
    return pa.Table.from_pylist(
        [{"borrower_id": person, "lender_id": lender, "state": state} for person, lender, state in entries],
        LINES_SCHEMA,
    )


ONE_LINE = lines(("p", "k", "M0"))


def test_what_is_overdue_is_m1_to_m7_and_x_is_on_book_but_not_overdue() -> None:
    panel = book(
        {"a": "M0", "b": "M1", "c": "X", "d": "M4"},
        {"a": [700], "b": [200], "c": [0], "d": [100]},
        borrowers={"b": "a"},
    )
    found = measure(panel, ONE_LINE)["delinquency"]
    assert (found["month"], found["accounts_on_book"], found["borrowers_on_book"]) == ("2024-01", 4, 3)
    assert (found["overdue_share_accounts"], found["m3_plus_share_accounts"]) == (0.5, 0.25)
    assert (found["balance_minor"], found["overdue_share_balance"]) == (1000, 0.3)
    assert {state["state"]: state["accounts"] for state in found["states"] if state["accounts"]} == {
        "M0": 1, "M1": 1, "M4": 1, "X": 1,
    }  # fmt: skip


def test_accounts_that_left_the_book_are_not_on_it() -> None:
    found = measure(book({"a": "M0 M0", "b": "M2"}), ONE_LINE)["delinquency"]
    assert (found["accounts_on_book"], found["overdue_share_accounts"]) == (1, 0.0)


def test_unknown_balances_are_counted_and_a_credit_balance_is_no_debt() -> None:
    panel = book({"a": "M0", "b": "M1", "c": "M1"}, {"a": [-500], "b": [300], "c": [None]})
    found = measure(panel, ONE_LINE)["delinquency"]
    assert (found["balance_minor"], found["balance_unknown_accounts"]) == (300, 1)


def test_without_balances_money_is_null_and_named_as_missing() -> None:
    found = measure(book({"a": "M0 M1"}), ONE_LINE)
    assert found["delinquency"]["balance_minor"] is None
    assert found["delinquency"]["overdue_share_balance"] is None
    assert all(state["balance_minor"] is None for state in found["delinquency"]["states"] if state["accounts"])
    assert found["flow_matrix"]["balance_shares"][0] == [None] * 9
    assert "flow_matrix.balance_shares" in [lack["part"] for lack in found["not_available"]]


def test_entry_rate_is_taken_of_those_who_were_clean_and_are_seen_again() -> None:
    # Clean in January: a, b, c, d. d is not seen again; of a, b and c only b is overdue now. e was overdue before.
    panel = book(
        {"a": "M0 M0", "b": "M0 M1", "c": "X M0", "d": "M0", "e": "M1 M2"},
        {"a": [100, 90], "b": [300, 310], "c": [0, 5], "d": [50], "e": [80, 80]},
    )
    january, february = measure(panel, ONE_LINE)["delinquency"]["by_month"]
    assert (january["entered"], january["entry_base"], january["entry_rate"]) == (None, None, None)
    assert (february["entered"], february["entry_base"], february["entry_rate"]) == (1, 3, 1 / 3)
    assert (february["entered_balance_minor"], february["entry_rate_balance"]) == (300, 0.75)


def test_flow_shares_count_every_state_in_the_denominator_and_only_months_followed_by_a_month() -> None:
    panel = book(
        {"a": "M0 M0 M1", "b": "M0 X", "c": "M0", "d": "M1 M0"}, {"a": [10, 30, 40], "b": [60, 0], "d": [0, 0]}
    )
    found = measure(panel, ONE_LINE)["flow_matrix"]
    assert found["states"] == list(STATE_NAMES)
    assert found["observed"][:2] == [3, 1]
    assert found["shares"][0] == [1 / 3, 1 / 3, 0, 0, 0, 0, 0, 0, 1 / 3]
    assert found["balance_shares"][0] == [0.1, 0.3, 0, 0, 0, 0, 0, 0, 0.6]
    assert found["balance_shares"][1] == [None] * 9  # nothing owed in it
    assert found["shares"][5] == [None] * 9  # nobody in it


def test_a_hole_in_a_history_is_no_step() -> None:
    assert measure(book({"a": "M0 ? M0 M0"}), ONE_LINE)["flow_matrix"]["observed"][0] == 1


def test_vintage_is_ever_bad_by_month_on_book_and_immature_cells_are_missing() -> None:
    panel = book(
        {"old": "M0 M0 M0 M0", "a": "M0 M2 M0", "b": "M0 M1 M1", "c": "M0 M0"},
        starts={"a": 1, "b": 1, "c": 2},
        opened={"a": "2024-02", "b": "2024-02"},
    )
    found = measure(panel, ONE_LINE)["vintage"]
    assert found["curves"] == [
        {"vintage": "2024-02", "accounts": 2, "values": [0.0, 0.5, 0.5]},  # cured, and still ever bad
        {"vintage": "2024-03", "accounts": 1, "values": [0.0, 0.0, None]},
    ]
    assert found["definition"]["left_out_accounts"] == 1  # `old`: in the first month on file, day of opening unknown
    assert found["definition"]["opened"] == "opened_on, else first month on file"


def test_vintage_leaves_out_accounts_opened_before_the_file_begins() -> None:
    panel = book({"a": "M2 M0", "b": "M0 M0"}, opened={"a": "2023-06", "b": "2024-01"})
    found = measure(panel, ONE_LINE)["vintage"]
    assert found["curves"] == [{"vintage": "2024-01", "accounts": 1, "values": [0.0, 0.0]}]


def test_no_vintage_where_every_account_was_there_from_the_start() -> None:
    found = measure(book({"a": "M0 M0", "b": "M0 M2"}), ONE_LINE)
    assert found["vintage"] is None
    assert "vintage" in [lack["part"] for lack in found["not_available"]]


def test_more_than_two_years_of_vintages_are_drawn_by_quarter() -> None:
    names = {f"a{month:02d}": "M0" for month in range(31)}
    panel = book(names, starts={name: int(name[1:]) for name in names})
    found = measure(panel, ONE_LINE)["vintage"]
    assert found["definition"]["period"] == "quarter"
    assert [curve["vintage"] for curve in found["curves"][:2]] == ["2024-Q1", "2024-Q2"]
    assert [curve["accounts"] for curve in found["curves"]][:2] == [2, 3]  # January 2024 is the first month on file
    assert found["curves"][-1]["values"] == [0.0] + [None] * 29


def test_overlap_tells_on_how_many_lines_and_lenders_borrowers_are_overdue() -> None:
    open_lines = lines(
        ("p", "k1", "M1"), ("p", "k2", "M3"), ("p", "k3", "M0"),
        ("q", "k1", "M2"), ("q", "k1", "M1"),
        ("r", "k2", "M1"),
        ("s", "k1", "M0"), ("s", "k2", "X"),
    )  # fmt: skip
    found = measure(book({"a": "M0"}), open_lines)["cross_platform"]
    assert (found["borrowers"], found["overdue_borrowers"]) == (4, 3)
    assert found["overdue_on"][:2] == [
        {"lines": 1, "borrowers": 1, "share": 1 / 3},
        {"lines": 2, "borrowers": 2, "share": 2 / 3},
    ]
    assert (found["overdue_on_2_plus_share"], found["overdue_on_3_plus_share"]) == (2 / 3, 0.0)
    assert found["overdue_on_all_share"] == 0.5  # of p and q, who hold two lines or more, q
    assert found["borrowers_by_lenders"][0] == {
        "lenders": 1, "borrowers": 2, "overdue_borrowers": 2, "overdue_share": 1.0,
    }  # fmt: skip


def test_overlap_needs_a_borrower_with_two_lines() -> None:
    found = measure(book({"a": "M0"}), ONE_LINE)
    assert found["cross_platform"] is None
    assert found["not_available"][-1]["part"] == "cross_platform"


@pytest.mark.parametrize(
    ("first", "second", "gap"),
    [
        ("M0 M1 M1 M1", "M0 M0 M0 M1", 2),
        ("M0 M1 M1 M1", "M0 M1 M0 M0", 0),
        ("M0 M1 M0 M0", "M0 M0 M1 M0", 1),  # the first cured as the second began: one episode
        ("M0 M1 M0 M0", "M0 M0 M0 M1", None),  # a clean month between: two episodes
        ("M0 M1 ? M1", "M0 M0 M0 M1", 0),  # an unknown month ends an episode
        ("M1 M1 M1 M0", "M0 M1 M0 M0", "unseen"),  # already there when the file begins
    ],
)
def test_months_from_the_first_overdue_line_to_the_next(first: str, second: str, gap: int | str | None) -> None:
    panel = book({"a": first, "b": second}, borrowers={"a": "p", "b": "p"})
    found = measure(panel, lines(("p", "k1", "M0"), ("p", "k2", "M0")))["cross_platform"]["months_first_to_next"]
    spread = [bar["months"] for bar in found["histogram"] if bar["spells"]]
    assert spread == ([gap] if isinstance(gap, int) else [])
    if gap is None:
        assert (found["spells"], found["spells_with_next"], found["median"]) == (2, 0, None)
    if gap == "unseen":
        assert found["spells"] == 0


def test_everything_is_plain_json_and_every_need_has_a_sentence_in_both_languages() -> None:
    found = measure(book({"a": "?"}), ONE_LINE)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["delinquency"]["state_unknown_accounts"] == 1
    assert found["delinquency"]["overdue_share_accounts"] is None
    for lack in found["not_available"]:
        assert texts("en")(f"portfolio.needs.{lack['part']}") == lack["needs"]
        assert texts("zh")(f"portfolio.needs.{lack['part']}") != lack["needs"]


SHARED = Path(os.environ.get("EVENKEEL_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def real(adapter: ModuleType, name: str) -> tuple[Path, Panel]:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is missing; set EVENKEEL_SHARED to the folder that holds data/")
    source = adapter.adapt(path, 0.01)
    taken = check(source.raw(), source.manifest, as_of=None, latest=date(2026, 1, 1), earlier=source.faults).book
    assert taken is not None
    return path, build_panel(taken.tables, (taken.as_of - date(1970, 1, 1)).days, taken.manifest.timezone)


def sql_flow(relation: str, values: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """Pairs of consecutive account-months by self-join: (from, to) -> aggregates."""
    query = f"""
        SELECT a.state, b.state, {values}
        FROM ({relation}) a JOIN ({relation}) b ON a.id = b.id AND b.month = a.month + 1
        GROUP BY ALL
    """
    with duckdb.connect() as connection:
        return {(row[0], row[1]): tuple(map(int, row[2:])) for row in connection.execute(query).fetchall()}


def cells(table: list[list[Any]]) -> dict[tuple[str, str], Any]:
    return {
        (one, other): table[i][j]
        for i, one in enumerate(STATE_NAMES)
        for j, other in enumerate(STATE_NAMES)
        if table[i][j]
    }


def test_flow_counts_of_the_credit_record_equal_an_independent_sql_count() -> None:
    path, panel = real(credit_record, "credit_record_monthly_1048575.parquet")
    relation = f"""
        SELECT id, months_balance AS month,
               CASE status WHEN 'X' THEN 'X' WHEN 'C' THEN 'M0' ELSE 'M' || (CAST(status AS INT) + 1) END AS state
        FROM '{path}'
    """
    expected = sql_flow(relation, "count(*)")
    found = measure(panel, ONE_LINE)["flow_matrix"]
    assert cells(found["counts"]) == {pair: count for pair, (count,) in expected.items()}
    for place, name in enumerate(STATE_NAMES):
        total = sum(count for (state, _), (count,) in expected.items() if state == name)
        assert found["observed"][place] == total
        for other, share in zip(STATE_NAMES, found["shares"][place], strict=True):
            assert share == (expected.get((name, other), (0,))[0] / total if total else None)


def test_flow_by_count_and_balance_of_the_uci_clients_equals_an_independent_sql_count() -> None:
    path, panel = real(uci_credit_card, "uci_credit_card_30000.parquet")
    state = "CASE WHEN {0} = -2 THEN 'X' WHEN {0} <= 0 THEN 'M0' ELSE 'M' || least({0}, 7) END"
    pay = ["PAY_0", *(f"PAY_{month}" for month in range(2, 7))]
    relation = " UNION ALL ".join(
        f"SELECT id, {-lag} AS month, {state.format(pay[lag])} AS state, "
        f"greatest(BILL_AMT{lag + 1}, 0) * 100 AS owed FROM '{path}'"
        for lag in range(6)
    )
    expected = sql_flow(relation, "count(*), sum(a.owed)")
    found = measure(panel, ONE_LINE)["flow_matrix"]
    assert cells(found["counts"]) == {pair: count for pair, (count, _) in expected.items()}
    for place, name in enumerate(STATE_NAMES):
        total = sum(owed for (one, _), (_, owed) in expected.items() if one == name)
        for other, share in zip(STATE_NAMES, found["balance_shares"][place], strict=True):
            assert share == (expected.get((name, other), (0, 0))[1] / total if total else None)


def test_months_are_named_in_order_without_a_hole() -> None:
    found = measure(book({"a": "M0 ? ? M1"}), ONE_LINE)["delinquency"]["by_month"]
    assert [line["month"] for line in found] == [month_text(JANUARY + step) for step in range(4)]
