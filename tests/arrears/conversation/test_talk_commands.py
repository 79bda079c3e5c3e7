"""The commands, as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenkeel.cli.application import Application
from evenkeel.cli.main import main
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.text import LANGUAGES

PROCESS = [sys.executable, "-c", "from evenkeel.bootstrap import main; main()", "arrears"]
HERE = Application(Path("unused"), None, fixed_clock(datetime(2026, 11, 25, tzinfo=UTC)))


def run(*arguments: str, given: str = "", code: int = 0) -> Any:
    """The command in this process: what it wrote."""
    out, err, before = StringIO(), StringIO(), sys.stdin
    sys.stdin = StringIO(given)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            assert main(["arrears", *arguments], HERE, "") == code, err.getvalue()
    finally:
        sys.stdin = before
    return SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())


def test_a_conversation_in_a_process_of_its_own() -> None:
    arguments = [*PROCESS, "chat", "--lang", "zh", "--today", "2026-11-25", "--json"]
    done = subprocess.run(
        arguments, input="下周五还两千\n是的\n", capture_output=True, text=True, timeout=300, check=True
    )
    assert [fact["kind"] for fact in json.loads(done.stdout)["facts"]] == ["promise"]


def test_a_conversation_in_a_pipe_as_json(tmp_path: Path) -> None:
    offers = tmp_path / "offers.json"
    offers.write_text(
        json.dumps([{"offer_id": "six", "kind": "plan", "on": "2026-12-10", "amount_minor": 40000, "months": 6}])
    )
    lines = "下周五还两千\n是的\n哎失业了，还不起\n1\n好的\n"
    done = run(
        "chat", "--lang", "zh", "--today", "2026-11-25", "--due", "2400", "--offers", str(offers), "--json", given=lines
    )
    document = json.loads(done.stdout)
    assert [fact["kind"] for fact in document["facts"]] == ["promise", "hardship", "offer_accepted", "handed_over"]
    assert document["turns"][1]["understood"]["slots"]["date"] == "2026-12-04"
    assert document["turns"][0]["sentences"][0] == "machine"


@pytest.mark.parametrize("language", LANGUAGES)
def test_simulated_borrowers_in_words_and_as_json(language: str) -> None:
    words = run("chat", "--simulate", "cannot_pay", "--seed", "3", "--lang", language, "--today", "2026-11-25").stdout
    assert ("simulated" in words) == (language == "en")
    same = [
        run("chat", "--simulate", "all", "--dialogues", "12", "--today", "2026-11-25", "--json").stdout
        for _ in range(2)
    ]
    assert same[0] == same[1]
    document = json.loads(same[0])
    assert document["dialogues"] == 12 and document["promises_not_meant"] == 0


def test_phrases_and_judging_a_file(tmp_path: Path) -> None:
    listed = json.loads(run("phrases", "--json").stdout)
    assert not listed["stale"] and len(listed["phrases"]) == 20
    file = tmp_path / "said.tsv"
    file.write_text(
        "id\tintent\tlanguage\ttext\tslots\ttoday\n1\tstop_contact\tzh\t别再打了\t{}\t2026-11-25\n2\tother\ten\thow "
        "do I pay\t\t\n"
    )
    judged = json.loads(run("phrases", "--test", str(file), "--json").stdout)
    assert judged["sentences"] == 2 and judged["intents"]["stop_contact"]["recall"] == 1.0
    assert "macro-F1" in run("phrases", "--test", str(file)).stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("intent\ttext\npay_now\thello\n", "line 2"),
        ("a\tb\n1\t2\n", "columns"),
        ("", "columns"),
        ("intent\ttext\tslots\nother\thello\t{\n", "line 2"),
        ("intent\ttext\ttoday\nother\thello\tyesterday\n", "line 2"),
    ],
)
def test_a_file_that_cannot_be_judged_is_told_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "said.tsv"
    file.write_text(content)
    assert said in run("phrases", "--test", str(file), code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--dialogues", "3"), 2),
        (("--outside", "http://example.org/v1"), 1),
        (("--due", "12.345"), 1),
        (("--simulate", "nobody"), 2),
        (("--jurisdiction", "XX"), 2),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], code: int) -> None:
    assert run("chat", *arguments, given="hi\n", code=code).stderr


def test_offers_that_are_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / "offers.json"
    for content in (
        "{}",
        "[1]",
        "nothing",
        '[{"offer_id": "x", "kind": "waiver", "on": "2026-12-10"}]',
        '[{"offer_id": "x", "kind": "plan"}]',
    ):
        file.write_text(content)
        if content != "{}":
            assert run("chat", "--offers", str(file), given="hi\n", code=1).stderr
