"""The full early warning of a generated book: its answers agree with one another, with the run and with the book."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warning_books import FIRST, Tables, book_of, panel_of

from evenkeel.accounts.panel import Panel
from evenkeel.arrears.warning.alarm import ACTIONS, Costs, actions, alarm_record
from evenkeel.arrears.warning.full import HORIZONS, EarlyWarning, early_warning
from evenkeel.arrears.warning.stage import warn
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.kernel.calendar import month_end
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, texts

ROOT = Path(__file__).parents[3]
AS_OF = month_end(2024 * 12 + 11)


@pytest.fixture(scope="module")
def book() -> Tables:
    tables = generate(GeneratorSpec(borrowers=500, months=16, seed=4)).book_tables
    return {name: tables[name] for name in ("accounts", "periods")}  # few features, so that its many models take less


@pytest.fixture(scope="module")
def found(book: Tables) -> tuple[Panel, EarlyWarning]:
    panel = panel_of(book, AS_OF)
    return panel, early_warning(panel, book, costs=Costs(), seed=0, threads=1)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)


def test_everybody_with_a_line_on_file_stands_in_the_tables(found: tuple[Panel, EarlyWarning], book: Tables) -> None:
    panel, answer = found
    on_file = panel.accounts["account_id"].take(pa.array(panel.account[panel.rows_at(panel.last_month)]))
    assert sorted(answer.lines["account_id"].to_pylist()) == sorted(on_file.to_pylist())
    assert answer.lines["account_id"].to_pylist() == sorted(on_file.to_pylist())
    assert answer.borrowers["borrower_id"].to_pylist() == sorted(set(answer.lines["borrower_id"].to_pylist()))


def test_chances_never_fall_with_the_horizon_nor_rise_with_the_bucket(found: tuple[Panel, EarlyWarning]) -> None:
    lines, borrowers = found[1].lines, found[1].borrowers
    for table, name in ((lines, "overdue_{}m"), (borrowers, "warning_{}m"), *(
        (lines, f"reach_m{k}_{{}}m") for k in range(1, 7))):  # fmt: skip
        one, three, six = (numbers(table, name.format(horizon)) for horizon in HORIZONS)
        assert not (one > three).any() and not (three > six).any()
    for horizon in HORIZONS:
        reach = np.column_stack([numbers(lines, f"reach_m{k}_{horizon}m") for k in range(1, 7)])
        assert not (np.diff(reach, axis=1) > 1e-12).any()
        assert not ((reach < 0) | (reach > 1)).any()


def test_a_line_is_never_likelier_than_some_line_of_its_borrower(found: tuple[Panel, EarlyWarning]) -> None:
    chance = dict(zip(*(found[1].borrowers[name].to_pylist() for name in ("borrower_id", "warning_3m")), strict=True))
    given: dict[str, float] = {}
    for row in found[1].lines.to_pylist():
        overdue = row["state"] not in ("M0", "X")
        assert (row["overdue_3m"] is None) == (overdue or chance[row["borrower_id"]] is None)
        if row["overdue_3m"] is not None:
            assert row["overdue_3m"] <= chance[row["borrower_id"]] + 1e-12
            given[row["borrower_id"]] = given.get(row["borrower_id"], 0.0) + row["next_3m"]
    for borrower, total in given.items():
        assert total == pytest.approx(chance[borrower])  # if some line goes, one of them goes first


def test_the_run_and_the_command_give_the_same_chance(found: tuple[Panel, EarlyWarning], book: Tables) -> None:
    panel, answer = found
    people = pa.table({"borrower_id": answer.borrowers["borrower_id"]})
    run = warn(panel, book, people, seed=0, threads=1)
    assert run.table["warning"].to_pylist() == answer.borrowers["warning_3m"].to_pylist()
    assert run.table["warning_reasons"].to_pylist() == answer.borrowers["warning_reasons"].to_pylist()


def test_alarms_follow_the_costs_and_say_what_to_do(found: tuple[Panel, EarlyWarning]) -> None:
    for row in found[1].borrowers.to_pylist():
        assert row["alarm"] == ((row["warning_3m"] or 0.0) > 1 / 11)
        assert (row["action"] is None) != row["alarm"]
        assert row["action"] is None or row["action"] in ACTIONS


def test_the_summary_is_json_and_judged_out_of_time(found: tuple[Panel, EarlyWarning]) -> None:
    summary = json.loads(json.dumps(found[1].summary, allow_nan=False))
    first = summary["judged"]["3m"]["first"]
    assert first is not None
    alarms = first["alarms"]
    assert sum(alarms["lead_months"]["alarms"].values()) == alarms["right"]


# --- alarms by cost --------------------------------------------------------------------------------------------------


def test_the_threshold_is_where_an_alarm_and_silence_cost_the_same() -> None:
    costs = Costs(miss=19.0, false=1.0)
    p = costs.threshold
    assert p * costs.miss == pytest.approx((1 - p) * costs.false)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInput):
            Costs(miss=bad)


def test_with_true_chances_no_other_threshold_costs_less() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1, 9, 200_000)
    until = (rng.random(len(p)) < p).astype(np.int64)
    best = alarm_record(p, until, Costs(8.0, 1.0))["cost_a_case"]
    assert isinstance(best, dict)
    for shift in (0.5, 0.8, 1.25, 2.0):
        other = p > shift * Costs(8.0, 1.0).threshold
        hit = until > 0
        assert best["with_alarms"] < (8 * (hit & ~other).mean() + (other & ~hit).mean())


def test_an_alarm_record_by_hand() -> None:
    record = alarm_record(np.array([0.9, 0.8, 0.7, 0.01, 0.02]), np.array([1, 3, 0, 2, 0]), Costs(1.0, 1.0))
    assert (record["alarms"], record["right"], record["missed"]) == (3, 2, 1)
    assert record["lead_months"] == {"alarms": {"1": 1, "2": 0, "3": 1}, "lower": 1, "median": 1, "upper": 1}
    assert record["precision"]["value"] == pytest.approx(2 / 3)  # type: ignore[index]
    assert record["recall"]["value"] == pytest.approx(2 / 3)  # type: ignore[index]
    assert record["cost_a_case"] == {"with_alarms": 0.4, "never": 0.6, "always": 0.4}


def test_nobody_is_contacted_for_want_of_facts_or_against_a_wish() -> None:
    no, yes = np.zeros(1, bool), np.ones(1, bool)
    unknown = pa.table({"income_break": pa.array([None], pa.float64())})
    assert actions(unknown, no, no) == (["watch"], ["nothing_known"])
    hardship = pa.table({"hardship_6m": [1.0], "late_payments_6m": [2.0]})
    assert actions(hardship, no, no) == (["offer"], ["hardship"])
    assert actions(hardship, yes, yes) == (["watch"], ["stop"])
    assert actions(pa.table({"late_payments_6m": [2.0]}), no, yes) == (["move_due_day"], ["due_before_pay"])


def test_every_action_and_sign_has_a_text_in_both_languages() -> None:
    signs = (
        "stop", "hardship", "income_break", "due_before_pay", "debt_service", "late_now", "new_lines",
        "cash_advance", "minimum_only", "utilisation", "paid_after_due", "late_before", "nothing_known",
    )  # fmt: skip
    for language in LANGUAGES:
        say = texts(language)
        assert all(say(f"arrears.warn.action.{name}") for name in ACTIONS)
        assert all(say(f"arrears.warn.sign.{name}") for name in signs)


# --- books that hold little, and real processes ----------------------------------------------------------------------


def test_a_book_without_cases_warns_of_nobody_and_says_why() -> None:
    tables = book_of({f"{who:02d}-{line}": ["M0"] * 9 for who in range(12) for line in range(2)})
    answer = early_warning(panel_of(tables, month_end(FIRST + 8)), tables, costs=Costs(), seed=0, threads=1)
    assert answer.borrowers["warning_3m"].null_count == 12
    assert not any(answer.borrowers["alarm"].to_pylist())
    assert answer.lines["overdue_3m"].null_count == 24
    assert "needs 30" in answer.summary["not_available"]["first_3m"]  # type: ignore[index]


def evenkeel(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from evenkeel.bootstrap import main; main()", "arrears", "warn", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


def test_the_command_writes_both_tables_and_its_json(tmp_path: Path) -> None:
    states = [["M0"] * (4 + k % 5) + ["M1"] * 2 + ["M0"] * 6 if k % 3 else ["M0"] * 12 for k in range(60)]
    for name, table in book_of({f"{k:02d}-1": line[:12] for k, line in enumerate(states)}).items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    done = evenkeel(str(tmp_path), "--out", str(tmp_path / "out"), "--json", "--cost-miss", "4")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["alarms"]["threshold"] == pytest.approx(0.2)
    assert pq.read_table(tmp_path / "out" / "borrowers.parquet").num_rows == 60
    assert pq.read_table(tmp_path / "out" / "lines.parquet").num_rows == 60
    assert json.loads((tmp_path / "out" / "warning.json").read_text()) == document


def test_the_command_refuses_what_is_no_book_and_no_cost(tmp_path: Path) -> None:
    assert evenkeel(str(tmp_path / "nothing")).returncode == 2
    assert evenkeel(str(tmp_path), "--cost-miss", "0").returncode == 2


def test_a_small_run_of_the_benchmark_prints_its_table() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "warning.py"), "--only", "generated", "--borrowers", "400",
               "--months", "14", "--horizons", "1"]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500).stdout.splitlines()
    assert said[0] == "== generated, 400 x 14"
    assert said[1].split()[:4] == ["question", "judged", "hits", "ours"]
    assert any(line.startswith("first 1m") for line in said)
