"""Decisions: one a row with its reasons, limits that move only on what is known, and nothing that depends on order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_policy import KNOWN, SHIPPED

from evenkeel.accounts.panel import Panel
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.decisions.limits import DECISIONS_SCHEMA, decide, policy_inputs
from evenkeel.kernel.text import texts
from evenkeel.policy.table import Policy, load_policy
from evenkeel.scoring.score import Scored
from panels import accounts_of, end_of, panel_of, random_book, shuffled, table

AS_OF = end_of(15)


def scored_of(panel: Panel, seed: int) -> Scored:
    """Scores as a model would give them, some not known."""
    rows = panel.rows_at(panel.last_month)
    owner = [int(name[1:]) for name in panel.accounts["account_id"].take(pa.array(panel.account[rows])).to_pylist()]
    draws = np.random.default_rng(seed).random((5000, 5))[owner]
    pd = np.where(draws[:, 0] < 0.1, np.nan, draws[:, 1] ** 4)
    points = np.round(40 * draws[:, 2:] - 25, 1)
    bad = np.where(draws[:, 0] < 0.5, -1, draws[:, 1] > 0.7).astype(np.int64)
    score = np.zeros(len(rows), np.int32)
    return Scored(rows, pd, pd, bad, score, ("late_now", "utilisation", "payment_size"), points, None, None)


def decisions_of(
    book: dict[str, pa.Table], as_of: date = AS_OF, seed: int = 0, policy: Policy = SHIPPED
) -> tuple[pa.Table, dict[str, np.ndarray], Panel]:
    panel = panel_of(book, as_of)
    scored = scored_of(panel, seed)
    lines = open_lines(panel, book, as_of, Caps())
    people = pc.unique(lines["borrower_id"]).sort()
    exposure = exposures(lines, incomes(book, people, panel.last_month), Caps())
    inputs = policy_inputs(panel, scored, exposure, lines, book.get("events"), as_of)
    return decide(panel, scored, inputs, policy, as_of, "features-x"), inputs, panel


def rich_book(seed: int, accounts: int = 300) -> dict[str, pa.Table]:
    """A book in which every rule of the shipped policy has something to do."""
    book = random_book(seed, accounts, holes=False)
    rng = np.random.default_rng(seed)
    calm = np.array([int(name[1:]) % 2 == 0 for name in book["periods"]["account_id"].to_pylist()])
    periods = book["periods"].to_pylist()
    for row, quiet in zip(periods, calm, strict=True):
        if quiet:
            row |= {"state": "M0", "dpd_low": 0, "dpd_high": 0, "limit_minor": 500_000, "balance_minor": 250_000}
        if rng.random() < 0.03:
            row |= {"balance_minor": None}
        if rng.random() < 0.03:
            row |= {"state": None, "dpd_low": None, "dpd_high": None}
    book["periods"] = table("periods", periods)
    names = book["accounts"]["account_id"].to_pylist()
    book["accounts"] = table(
        "accounts",
        [
            {
                "account_id": name, "borrower_id": f"b{place // 2}", "lender_id": "own",
                "product": rng.choice(["card", "card", "card", "instalment", "cash"]),
                "status": rng.choice([None, "active", "active", "active", "frozen", "closed"]),
            }
            for place, name in enumerate(names)
        ],
    )  # fmt: skip
    book["borrowers"] = table(
        "borrowers",
        [
            {"borrower_id": f"b{n}", "income_verified_minor": None if rng.random() < 0.1 else 900_000}
            for n in range(accounts // 2)
        ],
    )
    when = datetime(2024, 2, 1, tzinfo=UTC)
    book["events"] = table(
        "events",
        [
            {"event_id": f"e{n}", "kind": "hardship", "borrower_id": f"b{n}", "effective_at": when}
            for n in range(0, accounts // 2, 17)
        ],
    )
    return book


@cache
def rich(seed: int) -> tuple[pa.Table, dict[str, np.ndarray], Panel]:
    return decisions_of(rich_book(seed), seed=seed)


def test_every_outcome_occurs() -> None:
    assert set(rich(1)[0]["outcome"].to_pylist()) == {"raise", "keep", "lower", "freeze", "refer"}


@pytest.mark.parametrize("seed", [1, 2])
def test_one_decision_for_each_account_on_book_sorted_with_unique_ids(seed: int) -> None:
    decisions, _, panel = rich(seed)
    on_book = sorted(
        panel.accounts["account_id"].take(pa.array(panel.account[panel.rows_at(panel.last_month)])).to_pylist()
    )
    assert decisions.schema.equals(DECISIONS_SCHEMA)
    assert decisions["account_id"].to_pylist() == on_book
    assert len(set(decisions["decision_id"].to_pylist())) == len(on_book)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_has_one_to_four_reasons_with_texts_and_sources(seed: int) -> None:
    rows = rich(seed)[0].to_pylist()
    rules = {f"policy:{rule.id}" for rule in SHIPPED.rules}
    for row in rows:
        assert 1 <= len(row["reasons"]) <= 4
        assert row["reasons"][0]["source"] in rules
        codes = [reason["code"] for reason in row["reasons"]]
        assert len(set(codes)) == len(codes)
        for reason in row["reasons"]:
            assert f"reason.{reason['code']}" in texts("en")
            assert (reason["source"] == "model") == (reason["points"] is not None)
            assert reason["points"] is None or reason["points"] < 0
        points = [reason["points"] for reason in row["reasons"] if reason["points"] is not None]
        assert points == sorted(points)
        assert not points or row["outcome"] in ("lower", "freeze", "refer")


@pytest.mark.parametrize("seed", [1, 2])
def test_limits_move_only_as_the_outcome_says(seed: int) -> None:
    decisions, inputs, panel = rich(seed)
    products = dict(zip(*(panel.accounts[name].to_pylist() for name in ("account_id", "product")), strict=True))
    step = SHIPPED.step_minor
    for place, row in enumerate(decisions.to_pylist()):
        before, after = row["limit_before_minor"], row["limit_after_minor"]
        balance = inputs["balance"][place]
        loan = products[row["account_id"]] in ("instalment", "cash")
        if loan or np.isnan(balance) or np.isnan(inputs["limit"][place]):
            assert (before, after) == (None, None)
            assert row["outcome"] in ("keep", "freeze", "refer")
        elif row["outcome"] == "raise":
            assert after > before
            assert after % step == 0
        elif row["outcome"] == "lower":
            assert max(balance, 0) <= after < before
            assert after % step == 0
        else:
            assert after == before
        assert ("limit" in row["missing"]) == (np.isnan(inputs["limit"][place]) and not loan)
        assert ("balance" in row["missing"]) == np.isnan(balance)
        assert ("score" in row["missing"]) == (row["pd"] is None)
        assert ("state" in row["missing"]) == np.isnan(inputs["state"][place])
        assert ("income" in row["missing"]) == np.isnan(inputs["income"][place])


TWO_WAYS = """
step_minor = 1000
required = ["pd"]
[inputs]
pd = { domain = [0, 1] }
[[rules]]
id = "down"
when = { pd = ">= 0.5" }
outcome = "lower"
factor = 0.7
reasons = ["risk_high"]
[[rules]]
id = "up"
when = { pd = "< 0.5" }
outcome = "raise"
factor = 1.3
reasons = ["raise_earned"]
[[rules]]
id = "rest"
outcome = "refer"
reasons = ["no_score"]
"""


@given(st.integers(0, 3_000_000), st.integers(-50_000, 4_000_000), st.sampled_from([0.9, 0.1, np.nan]))
@settings(max_examples=150, deadline=None)
def test_a_limit_never_falls_below_what_is_owed_and_moves_by_whole_steps(limit: int, balance: int, pd: float) -> None:
    policy = load_policy(TWO_WAYS, KNOWN)
    rows = [{"account_id": "a0", "month": "2024-04", "limit_minor": limit, "balance_minor": balance, "state": "M0"}]
    book = {"accounts": accounts_of(["a0"]), "periods": table("periods", rows)}
    panel = panel_of(book, AS_OF)
    scored = replace(scored_of(panel, 0), pd=np.array([pd]), pd_out_of_sample=np.array([pd]))
    lines = open_lines(panel, book, AS_OF, Caps())
    exposure = exposures(lines, incomes(book, panel.borrowers, panel.last_month), Caps())
    inputs = policy_inputs(panel, scored, exposure, lines, None, AS_OF)
    row = decide(panel, scored, inputs, policy, AS_OF, "f").to_pylist()[0]
    after = row["limit_after_minor"]
    assert row["limit_before_minor"] == limit
    if row["outcome"] == "lower":
        assert max(balance, 0, limit * 0.7 - 1000) <= after < limit
        assert after % 1000 == 0
    elif row["outcome"] == "raise":
        assert limit < after <= limit * 1.3
        assert after % 1000 == 0
    else:
        assert after == limit
        if row["outcome"] == "freeze":
            assert "limit_in_use" in [reason["code"] for reason in row["reasons"]]
            assert -(-max(balance, 0) // 1000) * 1000 >= limit or limit * 7 // 10000 * 1000 >= limit


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    book = {name: shuffled(rows, seed) for name, rows in rich_book(seed).items()}
    assert decisions_of(book, seed=seed)[0].equals(rich(seed)[0])


def test_ids_and_decisions_are_stable_and_follow_the_policys_version() -> None:
    again = decisions_of(rich_book(1), seed=1)[0]
    assert again.equals(rich(1)[0])
    other = decisions_of(rich_book(1), seed=1, policy=load_policy(TWO_WAYS, KNOWN))[0]
    assert set(other["decision_id"].to_pylist()).isdisjoint(again["decision_id"].to_pylist())


@pytest.mark.parametrize("step", [7, 11])
def test_later_facts_change_no_decision(step: int) -> None:
    whole = rich_book(3)
    late = pc.greater(whole["periods"]["month"], end_of(step).isoformat()[:7])
    cut = whole | {"periods": whole["periods"].filter(pc.invert(late))}
    assert decisions_of(cut, end_of(step))[0].equals(decisions_of(whole, end_of(step))[0])


def spoilt(name: str) -> Callable[[dict[str, pa.Table]], dict[str, pa.Table]]:
    """The book without one kind of fact."""

    def spoil(book: dict[str, pa.Table]) -> dict[str, pa.Table]:
        if name in book:
            return {key: rows for key, rows in book.items() if key != name}
        periods = book["periods"]
        columns = {"state": ["state", "dpd_low", "dpd_high"]}.get(name, [f"{name}_minor"])
        for column in columns:
            place = periods.column_names.index(column)
            periods = periods.set_column(
                place, periods.schema.field(place), pa.nulls(periods.num_rows, periods.schema.types[place])
            )
        return book | {"periods": periods}

    return spoil


@pytest.mark.parametrize("name", ["events", "borrowers", "balance", "limit", "state"])
def test_without_a_fact_nothing_is_raised_and_it_is_named(name: str) -> None:
    decisions = decisions_of(spoilt(name)(rich_book(1)), seed=1)[0]
    assert "raise" not in decisions["outcome"].to_pylist()
    said = {"borrowers": "income"}.get(name, name)
    assert said in {code for row in decisions["missing"].to_pylist() for code in row}


def one(as_of: date = AS_OF, month: str = "2024-04", **facts: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """The decision and inputs of one account. facts: of the account, `lines` of the same borrower, `events`."""
    others, events = facts.pop("lines", []), facts.pop("events", [])
    accounts = [{"account_id": "a0", "borrower_id": "b", "lender_id": "own", "product": "card"} | facts]
    rows = [{"account_id": "a0", "month": month, "state": "M0", "limit_minor": 900, "balance_minor": 90}]
    for place, (state, dpd) in enumerate(others, 1):
        accounts.append({"account_id": f"a{place}", "borrower_id": "b", "lender_id": "own", "product": "card"})
        rows.append({"account_id": f"a{place}", "month": month, "state": state, "dpd_high": dpd})
    book = {"accounts": table("accounts", accounts), "periods": table("periods", rows)}
    if events:
        day = datetime(2024, 1, 1, tzinfo=UTC)
        book["events"] = table(
            "events",
            [
                {"event_id": str(n), "kind": kind, "borrower_id": "b", "effective_at": day + timedelta(days=n)}
                for n, kind in enumerate(events)
            ],
        )
    decisions, inputs, _ = decisions_of(book, as_of)
    return decisions.to_pylist()[0], {name: float(values[0]) for name, values in inputs.items()}


def test_another_line_whose_state_is_not_known_is_not_on_time() -> None:
    assert one()[1]["overdue_elsewhere"] == 0
    assert one(lines=[("M0", 0), ("X", None)])[1]["overdue_elsewhere"] == 0
    assert np.isnan(one(lines=[("M0", 0), (None, None)])[1]["overdue_elsewhere"])
    assert one(lines=[("M2", 60), (None, None)])[1]["overdue_elsewhere"] == 1


@pytest.mark.parametrize(
    ("events", "flag"),
    [
        ([], np.nan),
        (["login"], 0),
        (["hardship"], 1),
        (["plan_signed"], 1),
        (["plan_signed", "plan_broken"], 0),
        (["hardship", "plan_signed", "plan_completed"], 0),
        (["dispute_opened", "dispute_closed"], 0),
        (["dispute_opened", "dispute_closed", "dispute_opened"], 1),
    ],
)
def test_hardship_is_in_force_until_what_ends_it(events: list[str], flag: float) -> None:
    assert one(events=events)[1]["hardship"] == pytest.approx(flag, nan_ok=True)


def test_facts_are_stale_when_the_last_whole_month_is_not_there() -> None:
    assert one(date(2024, 4, 30))[1]["stale"] == 0
    assert one(date(2024, 5, 30))[1]["stale"] == 0  # May is not over: April is the newest month there can be
    assert one(date(2024, 5, 31))[1]["stale"] == 1
    decision, _ = one(date(2024, 6, 30))
    assert decision["outcome"] in ("keep", "refer")


@pytest.mark.parametrize(
    "facts", [{"status": "closed"}, {"status": "sold"}, {"status": "charged_off"}, {"closed_on": date(2024, 4, 30)}]
)
def test_a_closed_account_is_frozen(facts: dict[str, Any]) -> None:
    decision, inputs = one(**facts)
    assert inputs["closed"] == 1
    assert (decision["outcome"], decision["reasons"][0]["code"]) == ("freeze", "account_closed")
    assert one(closed_on=date(2024, 5, 1))[1]["closed"] == 0


def test_a_frozen_account_is_not_raised() -> None:
    decisions, inputs, _ = rich(1)
    outcomes = np.array(decisions["outcome"].to_pylist())
    assert inputs["frozen"].sum() > 0
    assert not (outcomes[inputs["frozen"] == 1] == "raise").any()


def test_the_worst_of_twelve_months_is_not_known_where_one_of_them_is_not() -> None:
    rows = [{"account_id": "a0", "month": f"2023-{n:02d}", "state": "M2" if n == 1 else "M0"} for n in range(1, 13)]
    book = {"accounts": accounts_of(["a0"]), "periods": table("periods", rows)}

    def worst(periods: list[dict[str, Any]], last: str) -> float:
        kept = [row for row in periods if row["month"] <= last]
        day = end_of(int(last[5:]) - 1)
        return float(decisions_of(book | {"periods": table("periods", kept)}, day)[1]["worst_12m"][0])

    assert worst(rows, "2023-12") == 2
    assert worst(rows, "2023-01") == 2
    assert worst([row for row in rows if row["month"] != "2023-01"], "2023-12") == 0
    assert np.isnan(worst([row for row in rows if row["month"] != "2023-05"], "2023-12"))
