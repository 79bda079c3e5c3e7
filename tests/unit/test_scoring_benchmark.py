"""The benchmark of scorecards runs and tells models apart; its figures are recorded elsewhere."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "scoring.py"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("scoring_benchmark", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def benchmark(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=True, timeout=300
    ).stdout


def test_fit_and_score_are_measured_and_the_exported_file_scores_as_the_model():
    said = benchmark("--sections", "fit", "score", "--rows", "500", "--score-rows", "2000", "--json")
    results = json.loads(said)
    assert {(one["section"], one["model"], one["rows"]) for one in results} == {
        ("fit", model, 500) for model in ("woe", "additive")
    } | {("score", model, 2000) for model in ("woe", "additive")}
    for one in results:
        assert "error" not in one
        assert one["cpu_s"] > 0
        if one["section"] == "fit":
            assert one["auc"] > 0.65
            assert one["peak_mb"] >= one["before_mb"] > 0
        else:
            assert one["equal"]
            assert one["row_us"] > 0


def test_hazards_are_told_beside_the_true_chance_in_a_table():
    said = benchmark("--sections", "hazard", "--hazard-rows", "3000")
    row = next(line for line in said.splitlines() if line.startswith("| HazardModel |"))
    mean, true = (float(cell) for cell in row.split("|")[4:6])
    assert mean == pytest.approx(true, abs=0.03)


def test_what_is_left_out_costs_accuracy_on_the_same_folds(shared):
    said = benchmark(
        "--sections", "accuracy", "without", "--files", "german_1000", "--models", "woe", "--data", str(shared / "data")
    )
    assert "| WoeScorecard | 0.7" in said
    row = next(line for line in said.splitlines() if line.startswith("| german_1000 | personal_status_and_sex |"))
    full, less, cost = (float(cell) for cell in row.split("|")[4:7])
    assert cost == pytest.approx(full - less, abs=1e-4)


def test_a_failed_job_is_said_not_hidden():
    said = benchmark("--sections", "fit", "--rows", "1500", "--models", "woe", "ebm", "--peers", sys.executable)
    assert "interpret EBM failed: ModuleNotFoundError" in said
    assert "| WoeScorecard |" in said


def test_a_job_beyond_its_limit_is_ended_and_said(program, tmp_path):
    file = tmp_path / "rows.parquet"
    pq.write_table(program.applicants(20_000, 0), file)
    job = program.Job("fit", "additive", {"file": str(file), "test": str(file)}, {"section": "fit"})
    assert program.run(job, None, limit=1)["error"] == "not done after 1 CPU s"


def test_draws_are_the_same_for_the_same_seed_and_mixing_changes_the_outcome_only(program):
    first, again, mixed = (
        program.applicants(500, 3),
        program.applicants(500, 3),
        program.applicants(500, 3, mixed=True),
    )
    assert first.equals(again)
    assert first.drop_columns("bad").equals(mixed.drop_columns("bad"))
    assert not first.equals(mixed)


def test_the_drawn_accounts_default_as_often_as_their_true_chance(program):
    table = program.accounts(20_000, 5)
    duration, event = table["duration"].to_numpy(), table["event"].to_numpy()
    hazards = [
        (event[duration == month] == 1).sum() / (duration >= month).sum() for month in range(1, program.HORIZON + 1)
    ]
    assert 1 - np.prod(1 - np.array(hazards)) == pytest.approx(table["pd"].to_numpy().mean(), abs=0.015)
