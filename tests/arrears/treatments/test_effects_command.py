"""`evenkeel arrears evaluate`: a log in, values with intervals out or a refusal, in both languages and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from evenkeel.arrears.treatments.simulated import simulate
from evenkeel.cli.arrears import arrears
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import catalogue


def run(*arguments: object) -> Result:
    return CliRunner().invoke(
        arrears, ["evaluate", *map(str, arguments)], standalone_mode=False, catch_exceptions=False
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "log.csv"
    pyarrow.csv.write_csv(simulate(1200, 1, slice_share=1.0, unlawful=20).log, path)
    return path


def test_a_log_with_usual_names_needs_no_option_and_says_all_as_json(log: Path, tmp_path: Path) -> None:
    cases, values, policy = tmp_path / "cases.parquet", tmp_path / "values.csv", tmp_path / "policy.json"
    asked = simulate(5, 2).log
    pq.write_table(asked.append_column("account_id", pa.array([f"a{i}" for i in range(5)])), cases)
    options = ("--balance", "balance_minor", "--cost", "call=500,visit=15000", "--burden", "call=2000")
    said = run(log, *options, "--apply", cases, "--values", values, "--out", policy, "--json")
    told = json.loads(said.stdout)
    assert said.return_value == 0 and told["refused"] is None
    assert told["baseline"] == "nothing" and told["rows"]["unlawful"] == {"tell_contacts": 20}
    assert set(told["harms"]) == {"complaint", "re_default"} and told["rows"]["used"] == 1200
    assert {"ips", "snips", "dr", "switch"} <= set(told["values"]) and told["values"]["dr"]["low"] is not None
    assert set(told["uplift"]) == {"call", "plan_offer", "reminder", "visit", "best"}
    assert sum(told["shares"].values()) == pytest.approx(1) and told["version"].startswith("treatments-")
    assert json.loads(policy.read_text())["version"] == told["version"]
    written = pyarrow.csv.read_csv(values)
    assert written.column_names == ["account_id", "call", "plan_offer", "reminder", "visit"] and len(written) == 5


def test_people_are_told_in_both_languages(tmp_path: Path) -> None:
    log, made = tmp_path / "log.parquet", simulate(600, 1, slice_share=1.0).log
    pq.write_table(made.filter(pc.is_in(made["action"], pa.array(["nothing", "call"]))), log)
    for language, words in (("en", ("Harm: complaints", "as logged")), ("zh", ("损害：投诉", "实际做法"))):
        said = run(log, "--propensity", "shares", "--lang", language, "--holdout", "0")
        assert said.return_value == 0 and all(word in said.stdout for word in words) and "●" in said.stdout


def test_every_text_stands_in_both_languages() -> None:
    english, chinese = (
        {key: text for key, text in catalogue(language).items() if key.startswith("evaluate.")}
        for language in ("en", "zh")
    )
    assert set(english) == set(chinese) and all(english.values()) and all(chinese.values())
    for key, text in english.items():
        assert {part.split("}")[0] for part in text.split("{")[1:]} == {
            part.split("}")[0] for part in chinese[key].split("{")[1:]
        }, key


def test_without_support_there_is_a_refusal_and_no_number(tmp_path: Path) -> None:
    made = simulate(400, 3, slice_share=1.0).log
    plan = tmp_path / "plan.parquet"
    pq.write_table(made.append_column("plan", pa.array(["letter of a lawyer"] * 400)), plan)
    said = run(plan, "--policy", "plan", "--json")
    told = json.loads(said.stdout)
    assert said.return_value == 1 and "values" not in told
    assert told["refused"]["reason"] == "never_done" and told["refused"]["action"] == "letter of a lawyer"
    assert "不予评估" in run(plan, "--policy", "plan", "--lang", "zh").stdout


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--propensity", "odds"), InvalidUsage), (("--action", "deed"), InvalidUsage),
        (("--baseline", "sleep"), InvalidUsage), (("--cost", "shout=1"), InvalidUsage),
        (("--cost", "nothing=1"), InvalidUsage), (("--apply", "x.csv"), InvalidUsage),
        (("--policy", "action", "--out", "p.json"), InvalidUsage), (("--outcome", "borrower_id"), InvalidInput),
        (("--propensity", "0"), InvalidUsage),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_a_remedy(log: Path, options: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        run(log, *options)
    assert getattr(caught.value, "remedy", "")
