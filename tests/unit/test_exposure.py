"""Exposure: sums over all lines of a borrower against plain Python, and what is not known never counts as nothing."""

from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.accounts.panel import Panel
from evenkeel.decisions.exposure import LINES_SCHEMA, Caps, exposures, incomes, open_lines
from panels import JANUARY, ZONE, accounts_of, end_of, panel_of, random_book, shuffled, table

CAPS = Caps()


def borrower_rows(lines: pa.Table, income: pa.Table | None = None) -> dict[str, dict[str, Any]]:
    people = pa.compute.unique(lines["borrower_id"]).sort()
    earned = incomes({}, people, JANUARY) if income is None else income
    return {row["borrower_id"]: row for row in exposures(lines, earned, CAPS).to_pylist()}


def known_income(amounts: dict[str, int | None]) -> pa.Table:
    people = table("borrowers", [{"borrower_id": b, "income_verified_minor": x} for b, x in amounts.items()])
    return incomes({"borrowers": people}, pa.array(sorted(amounts)), JANUARY)


def random_lines(seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)

    def maybe(value: int) -> int | None:
        return None if rng.random() < 0.15 else value

    return [
        {
            "line_id": f"l{place}", "own": bool(rng.random() < 0.6), "borrower_id": f"b{rng.integers(0, 12)}",
            "lender_id": f"x{rng.integers(0, 6)}", "state": rng.choice(["M0", "M1", "M4", "X", None]),
            "dpd": maybe(int(rng.integers(0, 200))), "limit_minor": maybe(int(rng.integers(0, 900_000))),
            "balance_minor": maybe(int(rng.integers(-5_000, 700_000))), 
            "service_minor": maybe(int(rng.integers(0, 90_000))),
        }
        for place in range(60)
    ]  # fmt: skip


def total(values: list[int | None]) -> int | None:
    return None if None in values else sum(value for value in values if value is not None)


def breaks(values: list[int | None], cap: float | None) -> bool | None:
    """Whether a sum is above its cap: what is known may be enough to say so, and never enough to say the reverse."""
    if cap is None:
        return None
    if sum(value for value in values if value is not None) > cap:
        return True
    return None if None in values else False


@pytest.mark.parametrize("seed", range(8))
def test_sums_over_a_borrowers_lines_are_those_of_plain_python(seed: int) -> None:
    rows = random_lines(seed)
    lines = pa.Table.from_pylist(rows, LINES_SCHEMA)
    rng = np.random.default_rng(seed)
    income = {f"b{n}": None if rng.random() < 0.3 else int(rng.integers(0, 400_000)) for n in range(12)}
    income["b0"] = 0
    found = borrower_rows(lines, known_income(income))
    assert set(found) == {row["borrower_id"] for row in rows}
    for person, seen in found.items():
        mine = [row for row in rows if row["borrower_id"] == person]
        grants = [r["balance_minor"] if r["limit_minor"] is None else r["limit_minor"] for r in mine]
        service, earned = total([r["service_minor"] for r in mine]), income[person]
        assert seen["lines"] == len(mine)
        assert seen["lenders"] == len({r["lender_id"] for r in mine})
        assert seen["balance_minor"] == total([r["balance_minor"] for r in mine])
        assert seen["limit_minor"] == total(grants)
        assert seen["lines_overdue"] == sum(r["state"] in ("M1", "M4") for r in mine)
        worst = max(r["dpd"] or 0 for r in mine)
        assert seen["dpd_max"] == (None if worst == 0 and None in [r["dpd"] for r in mine] else worst)
        assert seen["service_to_income"] == (None if service is None or not earned else service / earned)
        broken = [
            breaks([r["service_minor"] for r in mine], None if earned is None else 0.5 * earned),
            breaks(grants, None if earned is None else 12 * earned),
            len({r["lender_id"] for r in mine}) >= CAPS.lenders,
        ]
        assert seen["over_granted"] == (True if True in broken else None if None in broken else False)
    again = exposures(shuffled(lines, seed), known_income(income), CAPS)
    assert again.equals(exposures(lines, known_income(income), CAPS))


def test_a_cap_that_cannot_be_tested_is_neither_broken_nor_kept() -> None:
    """All ways in which service and limits can be below, above or unknown against a known or unknown income."""
    for service, limit, income in product((40_000, 60_000, None), (1_000_000, 1_300_000, None), (100_000, None)):
        line = {"line_id": "l", "own": True, "borrower_id": "b", "lender_id": "x", "state": "M0"}
        line |= {"service_minor": service, "limit_minor": limit, "balance_minor": limit}
        seen = borrower_rows(pa.Table.from_pylist([line], LINES_SCHEMA), known_income({"b": income}))["b"]
        broken = {
            "service_to_income": None if service is None or income is None else service > 50_000,
            "limit_to_income": None if limit is None or income is None else limit > 1_200_000,
            "lenders": False,
        }
        expected = True if True in broken.values() else None if None in broken.values() else False
        assert seen["over_granted"] is expected
        why = seen["over_granted_why"]
        assert [code for code in why if code in broken] == [code for code, flag in broken.items() if flag]
        assert bool(why) == (expected is not False)


def test_a_known_income_of_zero_breaks_the_caps_of_whoever_owes() -> None:
    owing = {"line_id": "l", "own": True, "borrower_id": "b", "lender_id": "x", "state": "M0"}
    owing |= {"service_minor": 1, "limit_minor": 100, "balance_minor": 100}
    seen = borrower_rows(pa.Table.from_pylist([owing], LINES_SCHEMA), known_income({"b": 0}))["b"]
    assert seen["over_granted"] is True
    assert seen["over_granted_why"] == ["service_to_income", "limit_to_income"]


def own_panel(**facts: Any) -> tuple[Panel, dict[str, pa.Table]]:
    rows = [{"account_id": "a", "month": "2023-03", "state": "M0", "balance_minor": 50_000, **facts}]
    book = {"accounts": accounts_of(["a"], limit_minor=80_000), "periods": table("periods", rows)}
    return panel_of(book, date(2023, 3, 31)), book


def test_a_line_asks_for_its_instalment_else_its_minimum_else_a_stated_share() -> None:
    panel, book = own_panel()
    assert open_lines(panel, book, date(2023, 3, 31), CAPS)["service_minor"].to_pylist() == [5_000]
    panel, book = own_panel(min_due_minor=1_234)
    assert open_lines(panel, book, date(2023, 3, 31), CAPS)["service_minor"].to_pylist() == [1_234]
    dues = [
        {"account_id": "a", "seq": n, "due_on": date(2023, month, 9), "due_minor": 700 + n}
        for n, month in enumerate((3, 4, 4, 5))
    ]
    book["instalments"] = table("instalments", dues)
    assert open_lines(panel, book, date(2023, 3, 31), CAPS)["service_minor"].to_pylist() == [701 + 702]
    panel, book = own_panel(balance_minor=None)
    assert open_lines(panel, book, date(2023, 3, 31), CAPS)["service_minor"].to_pylist() == [None]
    panel, book = own_panel(balance_minor=-900)
    assert open_lines(panel, book, date(2023, 3, 31), CAPS)["service_minor"].to_pylist() == [0]


def reports(*rows: tuple[str, str, date, dict[str, Any]]) -> pa.Table:
    return table(
        "tradelines",
        [
            {"borrower_id": person, "lender_token": "out", "line_token": line, "as_of": day} | facts
            for person, line, day, facts in rows
        ],
    )


def test_the_newest_report_of_a_line_up_to_the_day_is_the_one_that_counts() -> None:
    panel, book = own_panel()
    old, new, later = date(2023, 1, 31), date(2023, 2, 28), date(2023, 4, 30)
    tradelines = reports(
        ("b-a", "1", new, {"balance_minor": 20, "dpd_low": 31, "dpd_high": 60}),
        ("b-a", "1", old, {"balance_minor": 99, "dpd_low": 0, "dpd_high": 0}),
        ("b-a", "1", later, {"balance_minor": 7, "dpd_low": 0, "dpd_high": 0}),
        ("b-a", "paid off", old, {"balance_minor": 55}),
        ("b-a", "paid off", new, {"balance_minor": 0}),
        ("b-a", "unused", new, {"balance_minor": 0, "limit_minor": 400}),
        ("b-z", "unknown", new, {}),
    )
    for order in range(3):
        book["tradelines"] = shuffled(tradelines, order)
        lines = open_lines(panel, book, date(2023, 3, 31), CAPS).filter(pa.compute.field("own") == False)  # noqa: E712
        seen = {row["line_id"]: row for row in lines.to_pylist()}
        assert set(seen) == {"1", "unused", "unknown"}
        assert (seen["1"]["balance_minor"], seen["1"]["state"], seen["1"]["dpd"]) == (20, "M2", 60)
        assert (seen["unknown"]["balance_minor"], seen["unknown"]["state"]) == (None, None)
        assert seen["unknown"]["service_minor"] is None


def test_nothing_after_the_last_month_enters_lines_or_incomes() -> None:
    book = random_book(5, holes=False)
    panel = panel_of(book, end_of(9))
    whole = open_lines(panel, book, end_of(9), CAPS)
    cut = book | {"periods": book["periods"].filter(pa.compute.less_equal(book["periods"]["month"], "2023-10"))}
    assert whole.equals(open_lines(panel_of(cut, end_of(9)), cut, end_of(9), CAPS))


def wages(*days: datetime, amount: int = 600) -> pa.Table:
    return table(
        "events",
        [
            {"event_id": str(n), "kind": "income", "borrower_id": "b", "effective_at": day, "amount_minor": amount}
            for n, day in enumerate(days)
        ],
    )


def test_income_is_verified_else_observed_else_declared_else_not_known() -> None:
    months = [datetime(2023, n, 10, tzinfo=UTC) for n in (1, 2, 3, 5)]
    person = {"borrower_id": "b", "income_declared_minor": 9_000, "income_verified_minor": 8_000}
    last, who = JANUARY + 5, pa.array(["b"])

    def income(borrower: dict[str, Any], events: pa.Table | None) -> tuple[int | None, str | None]:
        given = {"borrowers": table("borrowers", [borrower])} | ({} if events is None else {"events": events})
        row = incomes(given, who, last, ZONE).to_pylist()[0]
        return row["income_minor"], row["income_source"]

    assert income(person, wages(*months)) == (8_000, "verified")
    assert income(person | {"income_verified_minor": None}, wages(*months)) == (400, "observed")
    assert income(person | {"income_verified_minor": None}, wages(*months[:2])) == (9_000, "declared")
    assert income({"borrower_id": "b"}, None) == (None, None)
    assert income({"borrower_id": "b"}, wages(*[datetime(2023, n, 10, tzinfo=UTC) for n in (7, 8, 9)])) == (None, None)


def test_a_wage_paid_at_midnight_belongs_to_the_month_that_begins() -> None:
    first_days = [
        datetime(2022, 12, 31, 16, tzinfo=UTC),
        *[datetime(2023, n, d, 16, tzinfo=UTC) for n, d in ((1, 31), (2, 28))],
    ]
    row = incomes({"events": wages(*first_days)}, pa.array(["b"]), JANUARY + 2, ZONE).to_pylist()[0]
    assert row["income_minor"] == 3 * 600 // 6
    early = incomes({"events": wages(*first_days)}, pa.array(["b"]), JANUARY + 1, ZONE).to_pylist()[0]
    assert early["income_minor"] is None  # March's wage is not known in February
