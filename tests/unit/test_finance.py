"""Stage 9: small books whose provision and year can be worked by hand, and a year walked through in plain loops."""

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from evenkeel.accounts.panel import MONTHS_SCHEMA, STATE_NAMES, Panel
from evenkeel.kernel.calendar import month_number
from evenkeel.kernel.text import texts
from evenkeel.portfolio.finance import FinanceAssumptions, Range, finance

JANUARY = month_number("2024-01")
EXACT = FinanceAssumptions(
    loss_given_default=Range(0.5, 0.5, 0.5),
    funding_annual=Range(0.0, 0.0, 0.0),
    collection_share=Range(0.0, 0.0, 0.0),
    recovery_uplift=Range(0.0, 0.0, 0.0),
    raised_use=Range(1.0, 1.0, 1.0),
    draws=20,
)


def panel(accounts: list[dict[str, Any]]) -> Panel:
    """Accounts as {"months": [(state, balance, facts), ...]} from January 2024, and columns of `accounts`."""
    ids = [f"a{place:03d}" for place in range(len(accounts))]
    rows = [
        {"account": place, "month": JANUARY + step, "state": STATE_NAMES.index(state), "balance": balance, **facts}
        for place, account in enumerate(accounts)
        for step, (state, balance, facts) in enumerate(account["months"])
    ]
    columns = {
        "account_id": pa.array(ids),
        "product": pa.array([account.get("product", "card") for account in accounts]),
        "status": pa.array([account.get("status", "active") for account in accounts]),
        "rate_annual": pa.array([account.get("rate") for account in accounts], pa.float64()),
    }
    last = max(row["month"] for row in rows)
    return Panel(pa.table(columns), pa.Table.from_pylist(rows, MONTHS_SCHEMA), pa.array(ids), last, "periods")


def decided(outcomes: dict[str, Any] | None = None) -> pa.Table:
    """{"a000": ("raise", before, after, pd)}; accounts without a decision keep what they have."""
    rows = [
        {"account_id": name, "outcome": outcome, "limit_before_minor": before, "limit_after_minor": after, "pd": pd}
        for name, (outcome, before, after, pd) in (outcomes or {}).items()
    ]
    columns = [("account_id", pa.string()), ("outcome", pa.string()), ("limit_before_minor", pa.int64()),
               ("limit_after_minor", pa.int64()), ("pd", pa.float64())]  # fmt: skip
    return pa.Table.from_pylist(rows, pa.schema(columns))


def money(book: Panel, outcomes: dict[str, Any] | None = None, given: FinanceAssumptions = EXACT) -> dict[str, Any]:
    return finance(book, decided(outcomes), given, seed=3)


def steady(balance: int = 1000, paid: int = 100, interest: int = 10, months: int = 4, **columns: Any) -> dict[str, Any]:
    """An account that draws each month what it pays beyond its interest: the balance stands."""
    facts = {"paid": paid, "interest": interest, "fee": 0}
    return {"months": [("M0", balance, facts)] * months, **columns}


def base(figure: dict[str, Any] | None) -> Any:
    assert figure is not None
    return figure["base"]


def test_npl_is_more_than_90_days_past_due_of_what_is_owed() -> None:
    book = panel([{"months": [(state, owed, {})]} for state, owed in (("M0", 70), ("M3", 10), ("M4", 15), ("M7", 5))])
    found = money(book)
    assert (found["npl_ratio"], found["npl_ratio_60_plus"]) == (0.2, 0.3)


def halves() -> list[dict[str, Any]]:
    """Of each bucket's two accounts of 100, one moves on and one is current again: every flow rate is a half."""
    facts = {"paid": 0, "interest": 0, "fee": 0}
    return [
        {"months": [(f"M{bucket}", 100, facts), (after, 100, facts)]}
        for bucket in range(7)
        for after in (f"M{bucket + 1}", "M0")
    ]


def test_provision_is_balance_times_the_chain_of_flow_rates_times_lgd() -> None:
    # M0 now holds seven accounts, every other bucket one. M0 -> M1 is 100 / 200, and so on.
    found = money(panel(halves()))
    expected = 0.5 * (700 / 2**7 + sum(100 / 2 ** (7 - bucket) for bucket in range(1, 7)) + 100)
    assert base(found["provision_minor"]) == round(expected)
    assert [bucket["balance_minor"] for bucket in found["provision_by_bucket"]] == [700, *[100] * 7]
    assert [bucket["flows_to_loss"] for bucket in found["provision_by_bucket"]] == [0.5**k for k in range(7, -1, -1)]


def test_an_account_that_leaves_is_settled_unless_it_was_written_off() -> None:
    facts = {"paid": 0, "interest": 0, "fee": 0}
    gone = {"months": [("M1", 100, facts)]}
    stays = {"months": [("M1", 300, facts), ("M1", 300, facts)]}
    settled = money(panel([stays, gone]))["cash_flow"][0]["without"]
    assert (base(settled["collected_minor"]), base(settled["lost_minor"])) == (75, 0)
    lost = money(panel([stays, gone | {"status": "charged_off"}]))["cash_flow"][0]["without"]
    assert (base(lost["collected_minor"]), base(lost["lost_minor"])) == (0, 75)


def test_a_steady_book_stays_and_earns_its_interest() -> None:
    found = money(panel([steady(100_000, 10_000, 1_000)]), given=replace(EXACT, funding_annual=Range(0.06, 0.06, 0.06)))
    year = found["without_changes"]
    assert base(year["balance_end_minor"]) == 100_000
    assert base(found["income_minor"]) == 12_000
    assert base(year["funding_minor"]) == 6_000
    assert base(found["profit_minor"]) == 6_000
    assert base(found["cost_of_risk"]) == 0
    assert base(found["cash_flow"][0]["without"]["drawn_minor"]) == 9_000
    assert [month["calendar_month"] for month in found["cash_flow"]][::11] == ["2024-05", "2025-04"]


def test_without_charges_on_file_income_comes_from_the_contracts_own_rate() -> None:
    account = {"months": [("M0", 120_000, {"paid": 500})] * 3, "rate": 0.12}
    assert base(money(panel([account]))["income_minor"]) == 14_400


def test_balances_do_not_grow_by_new_borrowing_however_fast_they_grew() -> None:
    facts = {"paid": 0, "interest": 0, "fee": 0}
    found = money(panel([{"months": [("M0", 100 * 2**step, facts) for step in range(4)]}]))
    assert base(found["without_changes"]["balance_end_minor"]) == 800


def test_overdue_balances_grow_by_charges_alone() -> None:
    months = [("M1", balance, {"paid": 0, "interest": 20, "fee": 0}) for balance in (1000, 1500)]
    first = money(panel([{"months": months}]))["cash_flow"][0]["without"]
    assert base(first["balance_minor"]) == 1500 + 30
    assert base(first["drawn_minor"]) == 0


def test_what_stays_in_m7_is_not_lost_again() -> None:
    facts = {"paid": 0, "interest": 0, "fee": 0}
    moves = [("M6", "M7"), ("M6", "M0"), ("M7", "M7"), ("M7", "M7")]
    found = money(panel([{"months": [(one, 100, facts), (other, 100, facts)]} for one, other in moves]))
    assert found["provision_by_bucket"][6]["provision_minor"]["base"] == 0
    assert base(found["provision_minor"]) == 150  # three in M7 at an LGD of a half, and nothing flows from M0
    twice = [*halves(), {"months": [("M7", 400, facts)] * 2}]
    assert money(panel(twice))["provision_by_bucket"][0]["flows_to_loss"] == 0.5**7


def test_cost_of_collection_is_a_share_of_what_accounts_from_m2_pay() -> None:
    book = [{"months": [(state, 10_000, {"paid": 1_000, "interest": 1_000, "fee": 0})] * 2} for state in ("M1", "M2")]
    found = money(panel(book), given=replace(EXACT, collection_share=Range(0.2, 0.2, 0.2)))
    assert base(found["without_changes"]["collection_cost_minor"]) == 12 * 200


def test_the_year_without_changes_does_not_depend_on_the_new_limits() -> None:
    facts = {"paid": 0, "interest": 0, "fee": 0}
    book = [{"months": [("M0", 1000, facts), (state, 1000, facts)]} for state in ("M0", "M0", "M0", "M1")]
    years = [
        money(panel(book), {"a000": ("lower", 2000, after, 0.3), "a001": ("keep", 2000, 2000, 0.1)})["without_changes"]
        for after in (100, 900, 1500)
    ]
    assert years[0] == years[1] == years[2]


def test_freezing_the_riskier_lines_saves_more() -> None:
    book = [{"months": [("M0", 100_000, {"paid": 30_000, "interest": 0, "fee": 0})] * 2} for _ in range(40)]
    saved = [
        base(
            money(panel(halves() + book), {f"a{n:03d}": ("freeze" if n < 34 else "keep", 1, 1, pd if n < 34 else 0.1)
                                           for n in range(14, 54)})["difference"]["expected_loss_minor"]
        )
        for pd in (0.05, 0.1, 0.2)
    ]  # fmt: skip
    assert 0 > saved[0] > saved[1] > saved[2]


def test_a_frozen_line_is_paid_down_and_not_drawn_on_again() -> None:
    found = money(panel([steady(), steady()]), {"a000": ("freeze", 5000, 5000, 0.1)})
    first = found["cash_flow"][0]["with"]
    assert base(first["balance_minor"]) == 1000 + 1000 - 90  # what was paid beyond interest
    assert base(first["drawn_minor"]) == 90
    assert base(found["cash_flow"][0]["without"]["balance_minor"]) == 2000
    assert base(found["difference"]["income_minor"]) < 0


def test_a_lowered_line_runs_off_only_above_its_new_limit() -> None:
    found = money(panel([steady()]), {"a000": ("lower", 2000, 600, 0.1)})
    assert base(found["cash_flow"][0]["with"]["balance_minor"]) == 600 + 400 - 36
    below = money(panel([steady()]), {"a000": ("lower", 2000, 1500, 0.1)})
    assert base(below["difference"]["balance_end_minor"]) == 0


def test_a_raised_line_draws_its_own_utilisation_of_the_raise_over_the_year() -> None:
    found = money(panel([steady()]), {"a000": ("raise", 2000, 3200, 0.1)})
    assert base(found["with_changes"]["balance_end_minor"]) == 1000 + 600
    assert base(found["cash_flow"][0]["with"]["balance_minor"]) == 1050


def test_a_loan_that_is_frozen_runs_as_it_did() -> None:
    card, loan = (
        steady(),
        {"product": "cash", "months": [("M0", 1000 - 100 * step, {"paid": 100}) for step in range(4)]},
    )
    found = money(panel([card, loan]), {"a001": ("freeze", None, None, 0.1)})
    assert base(found["difference"]["balance_end_minor"]) == 0


def test_groups_fall_behind_in_proportion_to_their_chance_of_going_bad_and_the_whole_stays() -> None:
    facts = {"paid": 0, "interest": 0, "fee": 0}
    book = [{"months": [("M0", 1000, facts), ("M0", 1000, facts)]} for _ in range(18)] + [
        {"months": [("M0", 1000, facts), ("M1", 1000, facts)]},
        {"months": [("M1", 1000, facts), ("M2", 1000, facts)]},
    ]
    even = money(panel(book))
    split = {f"a{n:03d}": ("freeze" if n < 9 else "keep", 5000, 5000, 0.3 if n < 9 else 0.1) for n in range(18)}
    uneven = money(panel(book), split)
    one, other = (found["cash_flow"][0]["without"]["balance_minor"]["base"] for found in (even, uneven))
    assert one == other
    assert base(even["provision_minor"]) == base(uneven["provision_minor"])


def test_treatment_raises_what_overdue_accounts_pay() -> None:
    facts = {"paid": 100, "interest": 0, "fee": 0}
    book = panel([{"months": [("M1", 1000, facts), ("M1", 900, facts)]}])
    found = money(book, given=replace(EXACT, recovery_uplift=Range(0.1, 0.1, 0.1)))["cash_flow"][0]
    assert (base(found["without"]["collected_minor"]), base(found["with"]["collected_minor"])) == (90, 99)
    assert (base(found["without"]["balance_minor"]), base(found["with"]["balance_minor"])) == (810, 801)


def mixed() -> list[dict[str, Any]]:
    """A book in which everything happens, different month by month."""
    walks = ["M0 M0 M1 M2 M3", "M0 M0 M0 M0 M0", "M0 M1 M0 M0 M0", "M2 M3 M4 M5 M6", "M5 M6 M7", "M0 M1 M2 M0 M0",
             "X M0 M0 M1 M0", "M1 M2 M3 M4 M5", "M4 M5 M6 M7 M7", "M0 M0 M0"]  # fmt: skip
    return [
        {
            "months": [
                (state, 1_000_000 + 70_000 * place - 20_000 * step,
                 {"paid": 30_000 + 5_000 * place, "interest": 9_000 + 500 * step, "fee": 100 * place})
                for step, state in enumerate(walk.split())
            ],
            "status": "charged_off" if walk.endswith("M6 M7") else "active",
        }
        for place, walk in enumerate(walks)
    ]  # fmt: skip


def walked(accounts: list[dict[str, Any]], chances: dict[int, float]) -> dict[str, float]:
    """Oracle: the year of the book as it is, by loops over accounts and buckets in plain floats.

    chances: of going bad, for accounts each decided differently; the others are a group of no known chance.
    """
    owed, paid, charged, settled, lost = ([0.0] * 8 for _ in range(5))
    after = [[0.0] * 8 for _ in range(8)]
    length = max(len(account["months"]) for account in accounts)
    starts: dict[int, list[float]] = {}
    bucket = {name: 0 if name == "X" else code for code, name in enumerate(STATE_NAMES)}
    for place, account in enumerate(accounts):
        months = account["months"]
        for step, (state, balance, _) in enumerate(months):
            i = bucket[state]
            if step == length - 1:
                starts.setdefault(place if place in chances else -1, [0.0] * 8)[i] += balance
                continue
            owed[i] += balance
            if step + 1 < len(months):
                then, left, facts = months[step + 1]
                after[i][bucket[then]] += left
                paid[i] += facts["paid"]
                charged[i] += facts["interest"] + facts["fee"]
            else:
                (lost if account["status"] == "charged_off" else settled)[i] += balance
    chain = [1.0]
    for i in range(6, -1, -1):
        new = sum(after[k][i + 1] for k in range(8) if (k, i) != (7, 6)) + (sum(lost[:7]) if i == 6 else 0)
        chain.insert(0, chain[0] * (min(1.0, new / owed[i]) if owed[i] else float(new > 0)))
    mean = sum(starts[g][0] * chance for g, chance in chances.items()) / max(sum(starts[g][0] for g in chances), 1)
    year = dict.fromkeys(("collected", "interest", "lost", "balance", "expected_loss"), 0.0)
    for group, start in starts.items():
        times, now = (chances[group] / mean if group in chances else 1.0), list(start)
        for _ in range(12):
            nxt = [0.0] * 8
            for i in range(7):
                if not owed[i]:
                    nxt[i] += now[i]
                    continue
                year["collected"] += now[i] * (paid[i] + settled[i]) / owed[i]
                year["interest"] += now[i] * charged[i] / owed[i]
                most = 1 - lost[i] / owed[i] + (charged[i] / owed[i] if i else 0)
                scale = min(1.0, most / (sum(after[i]) / owed[i]))
                to = [scale * share / owed[i] for share in after[i]]
                out = lost[i] / owed[i]
                if i == 0:
                    behind = sum(to[1:]) + out
                    factor = min(times, (behind + to[0]) / behind)
                    to, out = [to[0] + behind * (1 - factor), *(share * factor for share in to[1:])], out * factor
                nxt = [have + now[i] * share for have, share in zip(nxt, to, strict=True)]
                year["lost"] += now[i] * (to[7] + out)
                nxt[7] = 0.0
            now = nxt
        year["balance"] += sum(now[:7])
        rates = [min(chain[0] * times, 1.0), *chain[1:7]]
        year["expected_loss"] += 0.5 * sum(rate * (n - b) for rate, n, b in zip(rates, now, start, strict=False))
    year["expected_loss"] += 0.5 * year["lost"]
    return year


@pytest.mark.parametrize(
    "outcomes",
    [
        {},
        {1: ("raise", 10**6, 2 * 10**6, 0.02), 2: ("lower", 10**6, 10**5, 0.1), 5: ("freeze", 10**6, 10**6, 0.3)},
        {6: ("freeze", 10**6, 10**6, 0.05), 2: ("lower", 10**6, 10**5, 0.01)},
    ],
)
def test_the_year_equals_a_walk_in_plain_loops(outcomes: dict[int, Any]) -> None:
    accounts = mixed()
    found = money(panel(accounts), {f"a{place:03d}": decision for place, decision in outcomes.items()})
    expected = walked(accounts, {place: decision[3] for place, decision in outcomes.items()})
    for name in ("collected", "interest", "lost"):
        total = sum(base(month["without"][f"{name}_minor"]) for month in found["cash_flow"])
        assert total == pytest.approx(expected[name], abs=12)
    year = found["without_changes"]
    assert base(year["balance_end_minor"]) == pytest.approx(expected["balance"], abs=1)
    assert base(year["expected_loss_minor"]) == pytest.approx(expected["expected_loss"], abs=1)


def every_range(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return (
            [value] if value.keys() == {"low", "base", "high"} else [r for v in value.values() for r in every_range(v)]
        )
    return [found for item in value for found in every_range(item)] if isinstance(value, list) else []


def test_figures_are_ranges_that_hold_their_base_and_the_waterfall_ends_at_the_profit() -> None:
    outcomes = {"a000": ("raise", 2_000_000, 3_000_000, 0.02), "a001": ("freeze", 2_000_000, 2_000_000, 0.3),
                "a002": ("lower", 2_000_000, 500_000, 0.1)}  # fmt: skip
    found = finance(panel(mixed()), decided(outcomes), FinanceAssumptions(draws=50), seed=1)
    ranges = every_range({name: part for name, part in found.items() if name != "assumptions"})
    assert len(ranges) > 150
    assert all(one["low"] <= one["base"] <= one["high"] for one in ranges)
    assert found["provision_minor"]["low"] < found["provision_minor"]["high"]
    for column, year in (("amount_minor", "without_changes"), ("with_changes_minor", "with_changes")):
        *parts, profit = [item[column] for item in found["waterfall"]]
        assert sum(parts) == profit == base(found[year]["profit_minor"])
    assert sum(b["provision_minor"]["base"] for b in found["provision_by_bucket"]) == pytest.approx(
        base(found["provision_minor"]), abs=8
    )


def test_same_book_and_seed_give_the_same_bytes_in_any_order_of_decisions() -> None:
    outcomes = {f"a{n:03d}": ("keep", 10**6, 10**6, 0.01 * n) for n in range(10)}
    turned = dict(reversed(outcomes.items()))
    given = FinanceAssumptions(draws=10)
    one, other = (finance(panel(mixed()), decided(o), given, seed=1) for o in (outcomes, turned))
    assert json.dumps(one, allow_nan=False) == json.dumps(other, allow_nan=False)
    assert one != finance(panel(mixed()), decided(outcomes), given, seed=2)


@pytest.mark.parametrize(
    ("months", "missing", "null"),
    [
        ([("M0", None, {})] * 2, "finance", ("npl_ratio", "provision_minor", "cash_flow", "income_minor")),
        ([("M0", 100, {})], "finance", ("provision_minor", "profit_minor", "waterfall")),
        ([("M0", 100, {"interest": 1, "fee": 0})] * 2, "finance.collected", ("profit_minor", "waterfall")),
        ([("M0", 100, {"paid": 1})] * 2, "finance.income_minor", ("income_minor", "profit_minor", "waterfall")),
    ],
)
def test_what_the_data_lack_is_null_and_named(months: list[Any], missing: str, null: tuple[str, ...]) -> None:
    found = money(panel([{"months": months}]))
    assert [lack["part"] for lack in found["missing"]] == [missing]
    assert all(found[name] is None for name in null)
    assert texts("zh")(f"portfolio.needs.{missing}")
    json.dumps(found, allow_nan=False)
