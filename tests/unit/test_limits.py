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

from evenkeel.accounts.panel import Panel
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.decisions.limit_inputs import LimitInputs, limit_inputs
from evenkeel.decisions.limits import DECISIONS_SCHEMA, Decided, decide, step_minor
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.policy.program import Program, load_program
from evenkeel.policy.sources import shipped
from evenkeel.scoring.score import Scored
from limit_policies import TWO_WAYS, limits_dmn
from panels import accounts_of, end_of, panel_of, random_book, shuffled, table

AS_OF = end_of(15)
SHIPPED = shipped("limit").program


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


def inputs_of(book: dict[str, pa.Table], as_of: date, seed: int = 0) -> tuple[Panel, Scored, LimitInputs]:
    panel = panel_of(book, as_of)
    scored = scored_of(panel, seed)
    lines = open_lines(panel, book, as_of, Caps())
    people = pc.unique(lines["borrower_id"]).sort()
    exposure = exposures(lines, incomes(book, people, panel.last_month), Caps())
    return panel, scored, limit_inputs(panel, scored, exposure, lines, book, as_of)


def decided_of(
    book: dict[str, pa.Table], as_of: date = AS_OF, seed: int = 0, policy: Program = SHIPPED
) -> tuple[Decided, LimitInputs, Panel]:
    panel, scored, inputs = inputs_of(book, as_of, seed)
    return decide(panel, scored, inputs, policy, as_of, "features-x"), inputs, panel


def decisions_of(
    book: dict[str, pa.Table], as_of: date = AS_OF, seed: int = 0, policy: Program = SHIPPED
) -> tuple[pa.Table, dict[str, np.ndarray], Panel]:
    decided, inputs, panel = decided_of(book, as_of, seed, policy)
    return decided.table, dict(inputs.facts), panel


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
                "account_id": name, "borrower_id": f"b{place // 2}", "lender_id": ("own", "other")[place % 2],
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
        ]
        + [
            {"event_id": "last", "kind": "login", "borrower_id": "b1", "effective_at": datetime(2024, 4, 9, tzinfo=UTC)}
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
    rules = {f"policy:{key}" for key in SHIPPED.rows}
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
    step = step_minor(SHIPPED)
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


@given(st.integers(0, 3_000_000), st.integers(-50_000, 4_000_000), st.sampled_from([0.9, 0.1, np.nan]))
@settings(max_examples=150, deadline=None)
def test_a_limit_never_falls_below_what_is_owed_and_moves_by_whole_steps(limit: int, balance: int, pd: float) -> None:
    rows = [{"account_id": "a0", "month": "2024-04", "limit_minor": limit, "balance_minor": balance, "state": "M0"}]
    book = {"accounts": accounts_of(["a0"]), "periods": table("periods", rows)}
    panel = panel_of(book, AS_OF)
    scored = replace(scored_of(panel, 0), pd=np.array([pd]), pd_out_of_sample=np.array([pd]))
    lines = open_lines(panel, book, AS_OF, Caps())
    exposure = exposures(lines, incomes(book, panel.borrowers, panel.last_month), Caps())
    inputs = limit_inputs(panel, scored, exposure, lines, book, AS_OF)
    row = decide(panel, scored, inputs, load_program(TWO_WAYS), AS_OF, "f").table.to_pylist()[0]
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
    other = decisions_of(rich_book(1), seed=1, policy=load_program(TWO_WAYS))[0]
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


def small(month: str = "2024-04", **facts: Any) -> dict[str, pa.Table]:
    """A book of one account. facts: of the account, `lines` of the same borrower, `events` on days of `begins`,
    `reports` of lines elsewhere, `borrower`."""
    others, events, reports = facts.pop("lines", []), facts.pop("events", []), facts.pop("reports", None)
    person, day = facts.pop("borrower", None), facts.pop("begins", datetime(2024, 4, 1, tzinfo=UTC))
    accounts = [{"account_id": "a0", "borrower_id": "b", "lender_id": "own", "product": "card"} | facts]
    rows = [{"account_id": "a0", "month": month, "state": "M0", "limit_minor": 900, "balance_minor": 90}]
    for place, (state, dpd) in enumerate(others, 1):
        accounts.append({"account_id": f"a{place}", "borrower_id": "b", "lender_id": "other", "product": "card"})
        rows.append({"account_id": f"a{place}", "month": month, "state": state, "dpd_high": dpd})
    book = {"accounts": table("accounts", accounts), "periods": table("periods", rows)}
    if events:
        book["events"] = table(
            "events",
            [
                {"event_id": str(n), "kind": kind, "borrower_id": "b", "effective_at": day + timedelta(days=n)}
                for n, kind in enumerate(events)
            ],
        )
    if reports is not None:
        common = {"borrower_id": "b", "lender_token": "x", "balance_minor": 500}
        book["tradelines"] = table("tradelines", [common | {"line_token": f"t{n}"} | r for n, r in enumerate(reports)])
    if person is not None:
        book["borrowers"] = table("borrowers", [{"borrower_id": "b"} | person])
    return book


def one(as_of: date = AS_OF, **facts: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """The decision and inputs of the account of a small book."""
    decisions, inputs, _ = decisions_of(small(**facts), as_of)
    return decisions.to_pylist()[0], {name: float(values[0]) for name, values in inputs.items()}


def test_another_line_whose_state_is_not_known_is_not_on_time() -> None:
    assert one(lines=[("M0", 0), ("X", None)])[1]["overdue_elsewhere"] == 0
    assert np.isnan(one(lines=[("M0", 0), (None, None)])[1]["overdue_elsewhere"])
    assert one(lines=[("M2", 60), (None, None)])[1]["overdue_elsewhere"] == 1


def test_lines_elsewhere_are_known_from_current_reports_or_from_a_book_over_lenders() -> None:
    on_time, late = {"dpd_high": 0}, {"dpd_high": 40}
    march, april = {"as_of": date(2024, 3, 31)}, {"as_of": date(2024, 4, 2)}
    assert np.isnan(one()[1]["overdue_elsewhere"])
    assert np.isnan(one(reports=[])[1]["overdue_elsewhere"])
    assert one(reports=[on_time | april])[1]["overdue_elsewhere"] == 0
    assert np.isnan(one(reports=[on_time | march])[1]["overdue_elsewhere"])
    assert np.isnan(one(reports=[on_time | march], lines=[("M0", 0)])[1]["overdue_elsewhere"])
    assert one(reports=[late | march])[1]["overdue_elsewhere"] == 1  # what was told stays told


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


def test_events_that_fell_silent_do_not_say_that_nobody_is_in_hardship() -> None:
    early = datetime(2024, 3, 20, tzinfo=UTC)
    assert np.isnan(one(events=["login"], begins=early)[1]["hardship"])
    assert one(events=["hardship"], begins=early)[1]["hardship"] == 1
    assert np.isnan(one(events=["dispute_opened", "dispute_closed"], begins=early)[1]["hardship"])


def test_each_fact_is_as_old_as_the_oldest_report_behind_it() -> None:
    reports = [{"as_of": date(2024, 4, 2), "dpd_high": 0}, {"as_of": date(2024, 3, 11), "dpd_high": 0}]
    facts = {"reports": reports, "events": ["login"], "begins": datetime(2024, 4, 20, tzinfo=UTC)}
    person = {"income_declared_minor": 900_000, "created_on": date(2023, 5, 1)}

    def ages(as_of: date, **more: Any) -> dict[str, float]:
        return {name: float(days[0]) for name, days in inputs_of(small(**facts, **more), as_of)[2].ages.items()}

    found = ages(date(2024, 4, 30), borrower=person)
    assert found["pd"] == found["state"] == found["utilisation"] == found["closed"] == 0
    assert (found["hardship"], found["overdue_elsewhere"]) == (10, 50)
    assert found["income"] == found["service_to_income"] == (date(2024, 4, 30) - date(2023, 5, 1)).days
    later = ages(date(2024, 5, 30), borrower=person)
    assert (later["pd"], later["closed"], later["overdue_elsewhere"]) == (30, 0, 80)
    assert np.isnan(ages(AS_OF, borrower=person | {"created_on": None})["income"])
    without = ages(AS_OF)
    assert np.isnan(without["income"])
    assert without["over_granted"] == 50
    inputs = inputs_of(small(), AS_OF)[2]
    assert np.isnan(inputs.ages["hardship"][0])
    assert inputs.ages.keys() == inputs.facts.keys()


def test_a_fact_that_is_older_than_the_policy_allows_is_not_known() -> None:
    facts = {"events": ["login"], "begins": datetime(2024, 4, 20, tzinfo=UTC)}
    rows = [
        ("calm", {"hardship": "false"}, "freeze", "overdue_one", ""),
        ("rest", {}, "keep", "no_change", ""),
    ]
    for most, outcome in ((9, "keep"), (10, "freeze")):
        policy = load_program(limits_dmn({"hardship": f"boolean max-age {most}"}, rows))
        row = decided_of(small(**facts), policy=policy)[0].table.to_pylist()[0]
        assert (row["outcome"], "events" in row["missing"]) == (outcome, outcome == "keep")


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


# ---- The shipped policy, read by hand ------------------------------------------------------------------------------


def by_hand(fact: dict[str, Any]) -> tuple[str, str]:
    """The row of limits.dmn that decides, and its outcome; None is not known. Written from the words of the rows."""
    pd, state, others = fact["pd"], fact["state"], fact["overdue_elsewhere"]
    calm = (
        state in (0, 8) and fact["limit_known"] is True and others == 0
        and all(fact[name] is False for name in ("hardship", "closed", "stale"))
    )  # fmt: skip
    late_elsewhere = others is not None and others >= 1
    if fact["closed"]:
        return "closed", "freeze"
    if pd is None:
        return "no-score", "refer"
    if state is not None and 2 <= state <= 7:
        return "late-two", "freeze"
    if state == 1 and late_elsewhere:
        return "late-and-spreading", "freeze"
    if fact["hardship"]:
        return "hardship", "refer"
    if late_elsewhere:
        return "elsewhere", "freeze"
    if fact["stale"]:
        return "stale", "keep"
    if state == 1:
        return "late-one", "freeze"
    if calm and pd >= 0.35:
        return "risk-high", "lower"
    if calm and pd >= 0.08 and fact["over_granted"]:
        return "over-granted-risk", "lower"
    if calm and pd >= 0.2:
        return "risk-raised", "lower"
    if fact["over_granted"]:
        return "over-granted", "keep"
    known = all(fact[name] is not None for name in ("worst_12m", "months_on_file", "utilisation", "service_to_income"))
    if (
        calm and known and state == 0 and pd < 0.08 and fact["worst_12m"] <= 3 and fact["months_on_file"] >= 1
        and fact["service_to_income"] <= 0.5 and fact["over_granted"] is False and fact["frozen"] is True
    ):  # fmt: skip
        return "thaw", "thaw"
    if (
        calm and known and state == 0 and pd < 0.02 and fact["worst_12m"] == 0 and fact["months_on_file"] >= 6
        and 0.3 <= fact["utilisation"] <= 0.95 and fact["service_to_income"] < 0.3
        and fact["over_granted"] is False and fact["frozen"] is False
    ):  # fmt: skip
        return "raise", "raise"
    return ("income-unknown" if fact["service_to_income"] is None else "no-change"), "keep"


DRAWN: dict[str, list[Any]] = {
    "pd": [0.0, 0.0199, 0.02, 0.05, 0.08, 0.1999, 0.2, 0.3499, 0.35, 1.0, None],
    "state": [0, 0, 0, 0, 0, 8, 8, 1, 2, 7, None], "worst_12m": [0, 0, 0, 0, 1, None],
    "months_on_file": [5, 6, 24, 24, None], "utilisation": [0.2999, 0.3, 0.5, 0.95, 0.9501, None],
    "limit_known": [True, True, True, False, None], "service_to_income": [0.0, 0.2, 0.2999, 0.3, None],
    "over_granted": [True, False, False, None], "overdue_elsewhere": [0, 0, 0, 0, 1, None],
    "hardship": [False, False, False, False, True, None], "closed": [False] * 8 + [True, None],
    "frozen": [False, False, True, None], "stale": [False] * 8 + [True, None],
}  # fmt: skip


def test_the_shipped_policy_decides_columns_as_its_rows_read() -> None:
    rng = np.random.default_rng(5)
    size = 60_000
    draws = {name: [values[place] for place in rng.integers(0, len(values), size)] for name, values in DRAWN.items()}
    columns = {name: np.array([np.nan if v is None else float(v) for v in values]) for name, values in draws.items()}
    found = SHIPPED.evaluate(columns)
    expected = [by_hand({name: values[place] for name, values in draws.items()}) for place in range(size)]
    assert [SHIPPED.rows[row] for row in found.row.tolist()] == [row for row, _ in expected]
    assert found.outcomes().tolist() == [outcome for _, outcome in expected]
    assert {row for row, _ in expected} == set(SHIPPED.rows)


# ---- What would be moved if more were known ------------------------------------------------------------------------


def without_events(book: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: rows for name, rows in book.items() if name != "events"}


def one_lender(book: dict[str, pa.Table]) -> dict[str, pa.Table]:
    accounts = book["accounts"]
    place = accounts.column_names.index("lender_id")
    owns = pa.array(["own"] * accounts.num_rows)
    return book | {"accounts": accounts.set_column(place, accounts.schema.field(place), owns)}


@pytest.mark.parametrize(
    ("spoil", "lacking"),
    [
        (without_events, ("events",)),
        (one_lender, ("other_lines",)),
        (lambda book: without_events(one_lender(book)), ("other_lines", "events")),
    ],
)
def test_what_would_move_if_a_whole_table_were_known_is_counted(
    spoil: Callable[..., dict[str, pa.Table]], lacking: tuple[str, ...]
) -> None:
    book = rich_book(1)
    book["events"] = table("events", [row | {"kind": "login"} for row in book["events"].to_pylist()])
    known = decided_of(book, seed=1)[0].table["outcome"].to_pylist()
    decided = decided_of(spoil(book), seed=1)[0]
    assert not {"raise", "lower"} & set(decided.table["outcome"].to_pylist())
    expected = {(lacking, outcome): known.count(outcome) for outcome in ("raise", "lower")}
    assert {(tuple(entry["unknown"]), entry["outcome"]): entry["accounts"] for entry in decided.waiting} == expected  # type: ignore[arg-type]
    assert all(expected.values())


def test_nothing_waits_where_all_is_known() -> None:
    assert decided_of(rich_book(1), seed=1)[0].waiting == ()
    assert decided_of(without_events(rich_book(1)), seed=1, policy=load_program(TWO_WAYS))[0].waiting == ()


# ---- Policies of one's own -----------------------------------------------------------------------------------------


def moved_by(outcome: str, amount: str, name: str = "factor", step: str = "", **facts: Any) -> dict[str, Any]:
    rows = [("only", {}, outcome, "risk_high", amount)]
    policy = load_program(limits_dmn({"pd": "number optional"}, rows, step=step, amount=name))
    row: dict[str, Any] = decided_of(small(**facts), policy=policy)[0].table.to_pylist()[0]
    return row


@pytest.mark.parametrize(
    ("outcome", "amount", "name", "decided", "after"),
    [
        ("raise", "1.2", "factor", "raise", 1080),
        ("raise", "1.2349", "factor", "raise", 900 * 1234 // 1000),
        ("lower", "0.5", "factor", "lower", 450),
        ("lower", "0.4001", "factor", "lower", 900 * 401 // 1000),
        ("lower", "0", "factor", "lower", 90),
        ("raise", "1000000000", "factor", "raise", 9000),
        ("raise", "0.9", "factor", "refer", 900),
        ("lower", "1.1", "factor", "refer", 900),
        ("lower", "-3", "factor", "lower", 90),
        ("raise", "1", "factor", "keep", 900),
        ("raise", "1500", "limit_minor", "raise", 1500),
        ("lower", "333.7", "limit_minor", "lower", 333),
        ("lower", "12", "limit_minor", "lower", 90),
        ("raise", "800", "limit_minor", "refer", 900),
        ("raise", "1500", "amount_minor", "raise", 1500),
        ("thaw", "", "factor", "keep", 900),
        ("raise", "", "factor", "refer", 900),
        ("hold", "", "factor", "refer", 900),
    ],
)
def test_a_policys_move_is_held_to_what_its_word_means(
    outcome: str, amount: str, name: str, decided: str, after: int
) -> None:
    row = moved_by(outcome, amount, name)
    assert (row["outcome"], row["limit_before_minor"], row["limit_after_minor"]) == (decided, 900, after)
    assert 1 <= len(row["reasons"]) <= 4


def test_a_frozen_line_that_a_policy_would_thaw_goes_to_a_person() -> None:
    assert moved_by("thaw", "", status="frozen")["outcome"] == "refer"


@pytest.mark.parametrize("step", ["0", "1.5", '"ten"', "1000000000", "null"])
def test_a_step_that_is_none_is_refused(step: str) -> None:
    with pytest.raises(InvalidInput, match="step_minor"):
        moved_by("keep", "", step=step)


def test_reasons_are_four_at_most_and_never_none() -> None:
    many = limits_dmn({"pd": "number"}, [("only", {}, "raise", "risk_high;no_score;no_change;over_granted", "1.0")])
    told = decided_of(small(), policy=load_program(many))[0].table.to_pylist()[0]["reasons"]
    assert [reason["code"] for reason in told] == ["risk_high", "no_score", "no_change", "raise_below_step"]
    none = limits_dmn({"pd": "number"}, [("only", {}, "keep", "", "")])
    told = decided_of(small(), policy=load_program(none))[0].table.to_pylist()[0]["reasons"]
    assert [(reason["code"], reason["source"]) for reason in told] == [("policy_silent", "policy:only")]


def test_what_no_row_decides_is_referred_and_says_so() -> None:
    policy = load_program(limits_dmn({"pd": "number"}, [("up", {"pd": "> 2"}, "raise", "raise_earned", "1.2")]))
    row = decided_of(small(), policy=policy)[0].table.to_pylist()[0]
    assert (row["outcome"], row["reasons"][0]) == (
        "refer", {"code": "no_row_decides", "points": None, "source": "policy"},
    )  # fmt: skip


def test_an_input_that_a_run_never_gives_is_named_and_not_known() -> None:
    policy = load_program(limits_dmn({"mood": "number", "pd": "number"}, [("rest", {}, "keep", "no_change", "")]))
    decided = decided_of(small(), policy=policy)[0]
    assert decided.unread == ("mood",)
    assert "mood" in decided.table["missing"].to_pylist()[0]
    assert decided_of(small())[0].unread == ()


def test_a_policy_of_something_else_decides_no_limit() -> None:
    with pytest.raises(InvalidInput, match="decides a grant"):
        decided_of(small(), policy=shipped("grant").program)
