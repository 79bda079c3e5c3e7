"""The commands on cases, over a database that is given: words and one JSON document, exit codes, both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from case_world import BEGIN, World

from evenkeel.cli.application import Application
from evenkeel.cli.main import commands, main
from evenkeel.storage.workspace import open_workspace

CASE = ("arrears", "case")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(given_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    application = Application(tmp_path / "w", given_url, lambda: BEGIN)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments), application, "")
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def borrowers(given_url: str, tmp_path: Path) -> list[str]:
    with open_workspace(tmp_path / "w", database_url=given_url, clock=lambda: BEGIN) as workspace:
        world = World(workspace, lender="-")
        return [world.borrower(40_000 + 1_000 * place, lender_id=None) for place in range(3)]


def test_from_the_look_at_everybody_to_the_story_of_one(run: Run, borrowers: list[str], tmp_path: Path) -> None:
    file = tmp_path / "assignment.parquet"
    pq.write_table(pa.table({"borrower_id": borrowers[:1], "treatment": ["call"], "value_minor": [9e6]}), file)
    code, out, _ = run("arrears", "worklist", "--assignment", str(file), "--full", "--json")
    found = json.loads(out)
    assert (code, found["looked"]["opened"], found["looked"]["given"]) == (0, 3, 1)
    assert [one["borrower_id"] for one in found["cases"]] == [borrowers[0], borrowers[2], borrowers[1]]
    case_id = found["cases"][0]["case_id"]
    due = (date(2026, 3, 12)).isoformat()
    promise = (
        "arrears",
        "case",
        "promise",
        case_id,
        "--by",
        "ana",
        "--amount-minor",
        "5000",
        "--on",
        due,
        "--key",
        "k",
    )
    first = run(*promise, "--json")
    assert first[0] == 0 and json.loads(first[1])["state"] == "promised" and run(*promise, "--json") == first
    code, out, _ = run(
        "arrears", "case", "complaint", case_id, "--by", "ana", "--via", "12378", "--kind", "rude", "--json"
    )
    complaint = json.loads(out)["fact_id"]
    code, out, _ = run(*CASE, "show", case_id, "--lang", "zh")
    assert code == 0
    assert "投诉处理中" in out and "12378热线" in out and f"债务人承诺在{due}前还款50.00 CNY。" in out
    assert any(bar in out for bar in "▁▂▃▄▅▆▇█")
    answer = (*CASE, "answer-complaint", case_id, "--by", "ana", "--complaint", complaint)
    code, out, _ = run(*answer, "--outcome", "upheld")
    assert code == 0 and "state: promised" in out
    code, _, err = run(*answer, "--outcome", "upheld")
    assert code == 1 and "has ended already" in err
    code, out, _ = run("arrears", "worklist")
    assert code == 0 and "promised" in out and "█" in out and case_id in out


def test_agencies_are_told_of_and_given_a_batch(run: Run, borrowers: list[str], tmp_path: Path) -> None:
    assert "No agency is known." in run(*CASE, "agency")[1]
    code, out, _ = run(
        *CASE, "agency", "ag", "--by", "ana", "--evaluated-on", "2026-01-05", "--trained-on", "2026-01-05",
        "--contract-until", "2027-01-01", "--processor-contract", "--impact-assessed", "--rate", "12",
        "--conduct", "50", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["agencies"][0]["rate_ppm"] == 120_000
    names = [run(*CASE, "open", who, "--by", "ana", "--json")[1] for who in borrowers]
    (tmp_path / "cases.txt").write_text("\n".join(json.loads(one)["case"]["case_id"] for one in names) + "\ncase-0\n")
    code, out, _ = run(
        "arrears", "case", "batch", "ag", "--from", str(tmp_path / "cases.txt"), "--by", "a", "--name", "w"
    )
    assert code == 1 and "3 of 4 cases assigned." in out and "✗ case-0" in out
    first = json.loads(names[0])["case"]["case_id"]
    assert "with ag since" in run(*CASE, "hand-over", first)[1]
    code, out, _ = run(
        "arrears", "case", "conduct", "ag", "--begin", "2026-03-01", "--end", "2026-03-31", "--lang", "zh"
    )
    assert code == 0 and "3件中3件无违规" in out


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    ((*CASE, "show", "case-0"), 1, "There is no case"),
    ((*CASE, "open", "nobody", "--by", "x"), 1, "There is no borrower"),
    ((*CASE, "promise", "c", "--by", "x", "--amount-minor", "much", "--on", "2026-03-12"), 2, "--amount-minor: "),
    ((*CASE, "promise", "c", "--by", "x", "--amount-minor", "5"), 2, "--on"),
    ((*CASE, "dispute", "c", "--by", "x", "--about", "weather"), 2, "weather"),
    ((*CASE, "assign", "c", "--by", "x", "--agency-id", "a", "--fact", "nothing"), 2, "is no fact"),
    ((*CASE, "batch", "ag", "--by", "x", "--name", "w"), 2, "no case is named"),
    (("arrears", "worklist", "--zone", "Nowhere"), 2, "no time zone"),
    (("arrears", "worklist", "--jurisdiction", "XX"), 2, "no rules of XX"),
    (("arrears", "worklist", "--assignment", "/no/such/file.parquet"), 2, "there is no file"),
    (("serve", "webhooks", "add", "http://example.com", "--lender", "-"), 1, "goes to https"),
    (("serve", "webhooks", "end", "wh-0"), 1, "There is no webhook"),
]  # fmt: skip


def test_what_cannot_be_done_is_said_with_its_code(run: Run) -> None:
    for arguments, code, words in REFUSED:
        found, out, err = run(*arguments)
        assert (found, words in err) == (code, True), (arguments, found, out, err)


def test_webhooks_are_added_listed_tested_and_ended(run: Run) -> None:
    assert "There is no webhook." in run("serve", "webhooks", "list")[1]
    code, out, _ = run("serve", "webhooks", "add", "http://127.0.0.1:9/x", "--lender", "-", "--json")
    made = json.loads(out)
    assert code == 0 and made["secret"].startswith("whsec-")
    code, out, _ = run("serve", "webhooks", "list", "--json")
    assert made["secret"] not in out and json.loads(out)["webhooks"][0]["webhook_id"] == made["webhook"]
    assert run("serve", "webhooks", "test", made["webhook"])[0] == 3
    assert run("serve", "webhooks", "end", made["webhook"])[0] == 0
    assert "已停用" in run("serve", "webhooks", "list", "--lang", "zh")[1]


def test_the_guide_names_only_commands_that_there_are() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "cases.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    evenkeel (.+)$", guide, re.MULTILINE)
    lines += [f"arrears {line}" for line in re.findall(r"`(case [a-z-]+)", guide)]
    assert len(lines) > 12
    for line in lines:
        found: click.Command = commands("")
        for word in line.split():
            if not isinstance(found, click.Group) or (word.startswith("-") or word == "…"):
                break
            named = found.get_command(click.Context(found), word)
            assert named is not None, line
            found = named


def test_days_are_counted_where_people_work(run: Run, borrowers: list[str]) -> None:
    assert datetime.fromisoformat("2026-03-10T02:00:00+00:00") == BEGIN
    code, out, _ = run(*CASE, "open", borrowers[0], "--by", "ana", "--json")
    case_id = json.loads(out)["case"]["case_id"]
    late = (BEGIN + timedelta(days=1)).isoformat()
    code, _, err = run(*CASE, "dispute", case_id, "--by", "ana", "--about", "debt", "--at", late)
    assert code == 1 and "lies ahead" in err
