"""`evenkeel decide` and `evenkeel replay`: a file through the hot path, and every decision of it again."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from engine_samples import FITTING, GRANTING, LENDER, NOW, answers, book, deciders, opening

from evenkeel.cli.application import Application
from evenkeel.cli.decide import decide
from evenkeel.cli.doctor import doctor
from evenkeel.cli.replay import replay
from evenkeel.decisions.requests import Purchase
from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.errors import NotFound
from evenkeel.kernel.text import texts
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace


@pytest.fixture
def said(workspace: Workspace, url: str, tmp_path: Path):
    """A command's exit code and its JSON."""
    for name, text in (("a.dmn", FITTING), ("g.dmn", GRANTING), ("m.json", json.dumps(deciders().model.document()))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    application = Application(tmp_path / "workspace", url, system_clock)

    def run(command, *arguments: str) -> tuple[int, dict]:
        result = CliRunner().invoke(command, [*arguments, "--json"], obj=application, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result.return_value, json.loads(result.stdout)

    return run


def test_a_file_is_decided_once_and_replays(said, workspace: Workspace, tmp_path: Path) -> None:
    book(workspace, opening("a1", "b1", 100_000, datetime.now(UTC).date().isoformat()))
    base = {"lender_id": LENDER, "borrower_id": "b1"}
    lines = [
        {"type": "event", "key": "k0", **base, "kind": "login"},
        *({"type": "purchase", "key": f"k{n}", **base, "account_id": "a1", "amount_minor": 40_000} for n in (1, 2, 3)),
        {"type": "purchase", "key": "k4", **base, "account_id": "a1", "amount_minor": "much"},
        {"type": "application", "key": "k5", **base, "product": "card", "requested_minor": 5_000},
    ]
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    options = ("--model", str(tmp_path / "m.json"), "--authorisation", str(tmp_path / "a.dmn"), "--grant",
               str(tmp_path / "g.dmn"), "--lender", LENDER)  # fmt: skip
    code, first = said(decide, str(file), *options)
    assert code == 1 and first["faults"] == 1 and "amount_minor" in first["decisions"][4]["error"]
    outcomes = [one.get("outcome") for one in first["decisions"]]
    assert outcomes[1:4].count("approve") == 2 and outcomes[5] == "approve"
    assert said(decide, str(file), *options) == (1, first)
    code, told = said(replay, "1-100")
    assert (code, told["replayed"], told["identical"]) == (0, 4, 4)
    code, told = said(replay, first["decisions"][5]["decision_id"])
    assert code == 0 and told["decisions"][0]["outcome"] == "approve"


def test_doctor_holds_every_decision_to_its_digest(said, workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    purchases = [
        Purchase(lender_id=LENDER, key=f"k{n}", borrower_id="b1", account_id="a1", amount_minor=1) for n in range(5)
    ]
    answers(url, NOW, purchases)

    def asked() -> tuple[bool, str]:
        _, told = said(doctor)
        (found,) = (one for one in told["checks"] if one["name"] == "decisions")
        return found["ok"], found["detail"]

    assert asked()[0] and "5" in asked()[1]
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        (link,) = connection.execute(sa.text("SELECT link FROM decision WHERE place = 2")).scalars()
        connection.execute(sa.text("UPDATE decision SET reply = reply || ' ' WHERE place = 2"))
        (gone,) = connection.execute(sa.text("SELECT link FROM decision WHERE place = 4")).scalars()
        connection.execute(sa.text("DELETE FROM decision WHERE place = 4"))
        connection.execute(sa.text("ALTER TABLE decision ENABLE ALWAYS TRIGGER decision_append_only"))
    assert asked() == (False, texts("en")("doctor.decisions.uncovered", count=2, listed=f"{link}, {gone}"))


def test_a_preview_in_a_file_is_told_in_a_line_and_kept_nowhere(
    said, workspace: Workspace, tmp_path: Path, url: str
) -> None:
    book(workspace, opening("a1", "b1", 100_000, datetime.now(UTC).date().isoformat()))
    asked = {"type": "purchase", "key": "k1", "lender_id": LENDER, "borrower_id": "b1", "account_id": "a1"}
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps({**asked, "amount_minor": 40_000, "preview": True}), encoding="utf-8")
    options = ("--model", str(tmp_path / "m.json"), "--authorisation", str(tmp_path / "a.dmn"), "--grant",
               str(tmp_path / "g.dmn"), "--lender", LENDER)  # fmt: skip
    for _ in range(2):
        code, told = said(decide, str(file), *options)
        (one,) = told["decisions"]
        assert (code, one["outcome"], one["decision_id"], one["cost"]["owed_before_minor"]) == (0, "approve", None, 0)
    application = Application(tmp_path / "workspace", url, system_clock)
    for language, words in (("en", "In instalments: 3 of 136.14 CNY"), ("zh", "分期：3 期，每期 136.14 CNY")):
        arguments = [str(file), *options, "--lang", language]
        shown = CliRunner().invoke(decide, arguments, obj=application, standalone_mode=False).stdout
        assert words in shown and one["cost"]["text"][language] in shown
    with pytest.raises(NotFound):
        said(replay, "1-100")
