"""`evenkeel model`: every command as a person and as a program calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evenkeel.cli.application import Application
from evenkeel.cli.main import main
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.text import catalogue
from model_samples import applicants, card

CARD, OTHER = card(), card(seed=2)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns exit code, standard output, standard error."""
    application = Application(tmp_path / "record", None, fixed_clock(datetime(2024, 6, 30, tzinfo=UTC)))

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["model", *map(str, arguments)], application, "")
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return call


def said(run: Run, *arguments: object) -> Any:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def registered(run: Run, tmp_path: Path) -> tuple[str, str]:
    versions = []
    for number, model in enumerate((CARD, OTHER)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(model.document()), encoding="utf-8")
        found = said(run, "register", path, "--name", "application", "--by", "Lin", "--why", "spring data")
        versions.append(found["version"])
    return versions[0], versions[1]


def test_models_are_registered_promoted_and_retired(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    first, second = registered
    assert (first, second) == (CARD.version, OTHER.version)
    assert (tmp_path / "record" / "models" / f"{first}.json").is_file()
    said(run, "promote", first, "--by", "Chen", "--why", "validated")
    found = said(run, "promote", second[:10], "--by", "Chen", "--why", "better")
    assert (found["state"], found["approver"]) == ("champion", "Chen")
    states = {entry["version"]: entry["state"] for entry in said(run, "list")["models"]}
    assert states == {first: "retired", second: "champion"}
    shown = said(run, "show", "application")
    assert shown["entry"]["version"] == second and shown["model"] == OTHER.document()
    assert [event["state"] for event in shown["history"]] == ["candidate", "champion"]
    assert said(run, "retire", "application", "--by", "Chen", "--why", "feed ends")["state"] == "retired"


def test_a_trainers_own_approval_is_refused_with_a_way_out(run: Run, registered: tuple[str, str]) -> None:
    code, out, err = run("promote", registered[0], "--by", "lin", "--why", "mine", "--json")
    assert code == 1 and json.loads(out)["error"]["kind"] == "NotPermitted"
    assert "second person" in err


def test_who_and_why_are_asked_for(run: Run, registered: tuple[str, str]) -> None:
    assert run("promote", registered[0], "--by", "Chen")[0] == 2
    assert run("retire", registered[0], "--why", "x")[0] == 2


def test_an_unknown_model_is_said_to_be_unknown(run: Run) -> None:
    code, _, err = run("show", "application")
    assert code == 1 and "no model 'application'" in err
    assert run("show", "nowhere.json")[0] == 1
    assert said(run, "list") == {"models": [], "head": "0" * 64}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_words_are_written_in_both_languages(run: Run, registered: tuple[str, str], lang: str) -> None:
    first, second = registered
    said(run, "promote", first, "--by", "Chen", "--why", "validated")
    for arguments in (("list",), ("show", first), ("compare", first, second)):
        code, out, err = run(*arguments, "--lang", lang)
        assert code == 0 and err == "" and "{" not in out and first in out
    assert ("冠军" in run("list", "--lang", "zh")[1]) and ("champion" in run("list")[1])


def test_a_comparison_takes_files_and_versions(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    found = said(run, "compare", registered[0], tmp_path / "1.json")
    assert (found["a"], found["b"]) == registered and found["features"]["moved"]


def test_an_exported_model_scores_as_the_model_does(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    columns, _, _ = applicants(300, 3)
    said(run, "export", registered[0], "--out", tmp_path / "score.sql", "--table", "cases")
    said(run, "export", registered[0], "--out", tmp_path / "score.py")
    connection = duckdb.connect()
    connection.register("cases", columns)
    found = connection.execute((tmp_path / "score.sql").read_text()).fetchnumpy()
    assert np.allclose(found["log_odds"], CARD.log_odds(columns), atol=1e-9, rtol=0)
    import pyarrow.csv

    pyarrow.csv.write_csv(columns, tmp_path / "cases.csv")
    text = subprocess.run([sys.executable, str(tmp_path / "score.py"), str(tmp_path / "cases.csv")],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    scores = [float(line.split(",")[-2]) for line in text.splitlines()[1:]]
    assert np.allclose(scores, CARD.score(columns), atol=1e-6)


@pytest.mark.parametrize("kind", ["xlsx", "csv", "md", "json"])
def test_a_model_is_written_for_people_and_read_back(
    run: Run, registered: tuple[str, str], tmp_path: Path, kind: str
) -> None:
    out = tmp_path / f"card.{kind}"
    assert said(run, "export", registered[0], "--out", out, "--lang", "zh") == {"written": str(out), "kind": kind}
    assert out.stat().st_size > 500
    if kind != "md":
        name = "same" if kind == "json" else "again"
        found = run("register", out, "--name", "application" if kind == "json" else name, "--by", "Lin", "--why", "x")
        assert found[0] == 0, found[2]


def test_an_ending_that_is_not_known_is_wrong_usage(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    code, _, err = run("export", registered[0], "--out", tmp_path / "card.pdf")
    assert code == 2 and ".sql" in err
    assert not (tmp_path / "card.pdf").exists()


# --- monitoring -------------------------------------------------------------------------------------------------------


def scored(path: Path, *, shift: float = 0.0) -> Path:
    """Three months of cases with months to the bad and with final outcomes."""
    parts = []
    for number in range(3):
        columns, bad, _ = applicants(800, 40 + number, shift=shift if number == 2 else 0.0)
        rng = np.random.default_rng(number)
        after = np.where(bad, rng.integers(1, 13, 800), np.nan)
        parts.append(
            columns.append_column("month", pa.array([f"2023-0{number + 1}"] * 800))
            .append_column("day", pa.array([date(2023, number + 1, 5)] * 800))
            .append_column("months_to_bad", pa.array(after, from_pandas=True))
            .append_column("bad", pa.array(bad))
            .append_column("note", pa.array([[1]] * 800))
        )
    table = pa.concat_tables(parts)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        import pyarrow.csv

        pyarrow.csv.write_csv(table.drop_columns(["note"]), path)
    return path


def test_monitoring_finds_the_month_that_moved(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    file = scored(tmp_path / "scored.parquet", shift=0.2)
    found = said(run, "monitor", registered[0], file, "--month", "month", "--bad-after", "months_to_bad",
                 "--as-of", "2024-06")  # fmt: skip
    assert found["state"] == "red"
    moved = {(c["month"], c["column"]) for c in found["checks"] if c["family"] == "drift" and c["state"] != "green"}
    assert moved == {("2023-03", "utilisation"), ("2023-03", None)} or moved == {("2023-03", "utilisation")}
    assert [m["mature"] for m in found["months"]] == [True, True, True]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("month", ["month", "day"])
def test_final_outcomes_days_and_both_kinds_of_file_are_read(
    run: Run, registered: tuple[str, str], tmp_path: Path, ending: str, month: str
) -> None:
    file = scored(tmp_path / f"scored.{ending}")
    found = said(run, "monitor", registered[0], file, "--month", month, "--target", "bad")
    assert found["as_of"] == "2023-03" and found["horizon"] == 0
    assert {c["family"] for c in found["checks"]} == {"drift", "ranking", "level"}
    assert sum(entry["bads"] for m in found["months"] for entry in m["matured"]) > 0


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_monitoring_speaks(run: Run, registered: tuple[str, str], tmp_path: Path, lang: str) -> None:
    file = scored(tmp_path / "scored.parquet", shift=0.2)
    code, out, _ = run("monitor", registered[0], file, "--month", "month", "--target", "bad", "--lang", lang)
    assert code == 0 and "{" not in out and "`utilisation`" in out and "2023-03" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--month", "nowhere"), 2, "no column `nowhere`"),
        (("--month", "region"), 1, "is not a month"),
        (("--month", "utilisation"), 1, "a month is a date"),
        (("--month", "month", "--target", "bad", "--bad-after", "months_to_bad"), 2, "both give outcomes"),
        (("--month", "month", "--target", "region"), 1, "holds texts"),
        (("--month", "month", "--as-of", "2022-01"), 1, "lies after 2022-01"),
    ],
)
def test_what_cannot_be_monitored_is_said(
    run: Run, registered: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    file = scored(tmp_path / "scored.parquet")
    found = run("monitor", registered[0], file, *arguments)
    assert found[0] == code and message in found[2]
    assert run("monitor", registered[0], tmp_path / "none.parquet", "--month", "month")[0] == 2


def test_a_model_whose_columns_are_missing_names_them(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    pq.write_table(pa.table({"month": ["2023-01"], "income": [1.0]}), tmp_path / "few.parquet")
    code, _, err = run("monitor", registered[0], tmp_path / "few.parquet", "--month", "month")
    assert code == 1 and "`utilisation`" in err


def test_every_command_has_help_with_an_example(run: Run) -> None:
    for command in ("list", "show", "register", "compare", "promote", "retire", "export", "monitor"):
        code, out, _ = run(command, "--help")
        assert code == 0 and "Example" in out and f"evenkeel model {command}" in out


def test_a_tampered_model_is_not_used(run: Run, registered: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "record" / "models" / f"{registered[0]}.json"
    path.write_text(json.dumps(replace(CARD, intercept=9.0).document()))
    code, _, err = run("export", registered[0], "--out", tmp_path / "x.sql")
    assert code == 1 and "not what was registered" in err


def test_both_languages_have_the_same_texts_of_models() -> None:
    keys = [{key for key in catalogue(language) if key.startswith("model.")} for language in ("en", "zh")]
    assert keys[0] == keys[1]
