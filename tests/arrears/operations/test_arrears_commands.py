"""`evenkeel arrears assign`, `forecast` and `operations` as a person and as a program call them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evenkeel.arrears.treatments.day import DAY_SCHEMA
from evenkeel.book.generator import GeneratorSpec, generate, write_book
from evenkeel.kernel.text import catalogue
from shells import Done, here, started

TEAM = """
[capacity.call]
amount = 3
[capacity.desk]
amount = 1
uses = { call = 0.2, plan_offer = 0.1 }
where = { cause = ["income_shock"] }
[fair]
region = 0.5
[assumed.call]
effect = 0.2
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated book with a few overdue accounts and a year of past."""
    folder = tmp_path_factory.mktemp("made") / "book"
    folder.mkdir()
    write_book(generate(GeneratorSpec(borrowers=120, months=12, seed=11)), folder)
    return folder


@pytest.fixture(scope="module")
def assigned(book: Path) -> tuple[dict[str, Any], Path]:
    out = book.parent / "today"
    done = run(book, "assign", "--out", out, "--capacity", "call=4,sms=30", "--capacity", "hours=2", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), out


def run(book: Path, command: str, *more: object) -> Done:
    return here("arrears", command, book, *more, cwd=book.parent)


def test_an_assignment_is_one_document_and_one_table(assigned: tuple[dict[str, Any], Path]) -> None:
    told, out = assigned
    table = pq.read_table(out / "assignment.parquet")
    assert table.schema.equals(DAY_SCHEMA)
    assert told["accounts"] == table.num_rows > 2
    assert told["treatments"] == dict(sorted(Counter(table["treatment"].to_pylist()).items()))
    assert json.loads((out / "assignment.json").read_text()) == told
    assert {one["name"]: one["used"] <= one["amount"] for one in told["capacities"]} == {
        "call": True, "sms": True, "hours": True
    }  # fmt: skip
    assert told["expected"]["harsh"] == 0
    assert all(one["citation"] and one["rule"] for one in told["blocked"])


def test_an_earlier_assignment_is_replaced_by_the_same_bytes(book: Path, assigned: tuple[dict[str, Any], Path]) -> None:
    _, out = assigned
    before = (out / "assignment.parquet").read_bytes()
    more = ("--capacity", "call=4,sms=30,hours=2", "--threads", 1, "--lang", "zh")
    done = run(book, "assign", "--out", out, *more)
    assert done.returncode == 0
    assert (out / "assignment.parquet").read_bytes() == before
    assert "随机抽取" in done.stdout
    assert "█" in done.stdout


def test_somebody_elses_folder_is_left_alone(book: Path) -> None:
    mine = book.parent / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("keep")
    assert run(book, "assign", "--out", mine).returncode == 2
    assert (mine / "letter.txt").read_text() == "keep"


def test_a_team_is_told_in_a_file(book: Path) -> None:
    path = book.parent / "team.toml"
    path.write_text(TEAM)
    done = run(book, "assign", "--out", book.parent / "team", "--capacities", path, "--json")
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["capacities"]] == ["call", "desk"]
    assert told["assumed"]["call"]["effect"] == 0.2
    assert told["assumed"]["call"]["source"] == "given by the user"
    assert all(one["apart"] <= 0.5 for one in told["fairness"])


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        (("--capacity", "call"), 2, "NAME=NUMBER"),
        (("--capacity", "call=1,call=2"), 2, "stands twice"),
        (("--capacity", "lorries=3"), 1, "says not what"),
        (("--capacity", "call=-1"), 1, "0 or more"),
        (("--slice", "0"), 2, "slice"),
        (("--fair", "region=2"), 1, "from 0 to 1"),
        (("--fair", "shoe_size=0.1"), 1, "shoe_size"),
        (("--capacities", "nowhere.toml"), 2, "cannot be read"),
        (("--values", "nowhere.parquet"), 2, "there is no file"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(book: Path, more: tuple[str, ...], code: int, told: str) -> None:
    place = book.parent / "never"
    done = run(book, "assign", "--out", place, *more)
    assert (done.returncode, place.exists()) == (code, False)
    assert told in done.stderr
    assert "fault of evenkeel" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[capacity", "is not TOML"), ("[team]\na = 1", "table `team`"), ("capacity = 3", "is not a table"),
        ("[capacity.call]\namount = 'many'", "0 or more"), ("[capacity.call]\namount = 1\nsize = 2", "has `size`"),
        ("[assumed.dance]\neffect = 1", "no treatment dance"), ("[assumed.call]\neffect = 7", "`effect` is 7"),
        ("[assumed.call]\neffect = nan", "`effect` is nan"), ("[fair]\nregion = true", "fairness by region"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_named(book: Path, text: str, told: str) -> None:
    path = book.parent / "odd.toml"
    path.write_text(text)
    done = run(book, "assign", "--out", book.parent / "never", "--capacities", path)
    assert done.returncode == 1
    assert told in done.stderr


def test_a_forecast_is_one_document_with_its_test(book: Path) -> None:
    done = run(book, "forecast", "--json", "--out", book.parent / "cash")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert json.loads((book.parent / "cash" / "forecast.json").read_text()) == told
    for part in told["cash"].values():
        assert len(part["days"]) == len(part["expected"]) == 90
        assert part["total"][-1] == pytest.approx(sum(part["expected"]))
        assert part["backtest"]["made"]
    assert 0 <= told["promises"]["rate"] <= 1


def test_an_earlier_day_is_told_from_what_was_known_then(book: Path) -> None:
    told = json.loads(run(book, "forecast", "--json", "--as-of", "2024-06-30").stdout)
    assert told["as_of"] == "2024-06-30"
    assert told["cash"]["book"]["days"][0] == "2024-07-01"


def test_operations_are_one_document_with_its_definitions(book: Path) -> None:
    done = run(book, "operations", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(told["by"]) == {"bucket", "product", "collector", "agency", "cohort", "collector_promises"}
    assert set(told["whole"]) <= set(told["definitions"])
    assert told["whole"]["recovery"]["of"] == sum(one["recovery"]["of"] for one in told["by"]["bucket"])


@pytest.mark.parametrize(("command", "lang"), [("forecast", "zh"), ("operations", "en")])
def test_pictures_and_words_in_both_languages(book: Path, command: str, lang: str) -> None:
    done = run(book, command, "--lang", lang)
    assert done.returncode == 0
    assert "▁" in done.stdout
    assert ("率" in done.stdout) == (lang == "zh")


def test_a_book_that_is_refused_is_at_fault(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "accounts.csv").write_text("account_id\na\n")
    for command, more in (("assign", ("--out", "x")), ("forecast", ()), ("operations", ())):
        done = here("arrears", command, tmp_path / "bad", *more, cwd=tmp_path)
        assert done.returncode == 1
        assert "fault of evenkeel" not in done.stderr


def test_the_group_and_its_commands_tell_how_to_use_them(tmp_path: Path) -> None:
    listed = started("arrears", "--help", cwd=tmp_path)
    assert listed.returncode == 0
    for command in ("assign", "forecast", "operations"):
        assert command in listed.stdout
        assert "Example" in here("arrears", command, "--help", cwd=tmp_path).stdout


def test_both_languages_have_the_same_words() -> None:
    keys = {lang: {key for key in catalogue(lang) if key.split(".")[0] in ("day", "forecast", "operations")}
            for lang in ("en", "zh")}  # fmt: skip
    assert keys["en"] == keys["zh"] != set()
