"""`evenkeel decide`: reviews of limits beside other requests, reviews that events lead to, and the register."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from engine_samples import FITTING, LENDER, book, policy
from limit_samples import CARD, Live, card

from evenkeel.cli.application import Application
from evenkeel.cli.decide import decide
from evenkeel.cli.limits import limits
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.kernel.clock import system_clock
from evenkeel.policy.program import load_program
from evenkeel.policy.register import Register


@pytest.fixture
def said(lender: Live, tmp_path: Path):
    """`decide` on lines: what it says as JSON, and what it tells beside."""
    (tmp_path / "m.json").write_text(json.dumps(CARD.document()), encoding="utf-8")
    application = Application(tmp_path / "workspace", lender.url, system_clock)

    def run(lines: list[dict[str, object]], *options: str) -> tuple[dict, str]:
        file = tmp_path / "requests.jsonl"
        base = {"lender_id": LENDER, "borrower_id": "b9"}
        file.write_text("\n".join(json.dumps(base | line) for line in lines), encoding="utf-8")
        arguments = [str(file), "--model", str(tmp_path / "m.json"), "--lender", LENDER, "--json", *options]
        result = CliRunner().invoke(decide, arguments, obj=application, standalone_mode=False)
        if result.exception:
            raise result.exception
        return json.loads(result.stdout), result.stderr

    return run


def test_a_file_has_limits_reviewed_by_events_and_by_request(said, lender: Live) -> None:
    book(lender.workspace, card("z1", "b9"))
    report = {"kind": "bureau_report", "payload": {"overdue": 0, "service_minor": 0}}
    lines = [
        {"type": "event", "key": "e0", **report},
        *({"type": "event", "key": f"i{n}", "kind": "inquiry"} for n in range(5)),
        {"type": "limit", "key": "l1", "account_id": "z1"},
    ]
    told, _ = said(lines)
    assert told["decisions"][-1]["outcome"] == "lower" and told["reviews"] == {}  # it knew of all events
    told, _ = said([{"type": "event", "key": "o1", "kind": "outside_overdue", "payload": {"line": "x"}}])
    assert told["reviews"] == {"freeze": 1}
    event = {"type": "event", "key": "o2", "kind": "income", "amount_minor": 5}
    assert said([event], "--no-reviews")[0]["reviews"] == {}
    assert said([event])[0]["reviews"] == {"keep": 1}  # it was not lost
    assert said([{"type": "limit", "key": "l2", "account_id": "z2"}])[0]["faults"] == 1


def test_the_register_decides_and_a_file_overrides_it_and_says_so(said, lender: Live, tmp_path: Path) -> None:
    book(lender.workspace, card("z1", "b9"))
    closed = policy("authorisation", '"decline"')
    register, version = Register(lender.workspace.engine, system_clock), load_program(closed).version
    register.propose("authorisation", version, "closed", closed, lambda _: (), by="ana", why="t")
    register.approve("authorisation", version, by="ben", why="t")
    buy = {"type": "purchase", "account_id": "z1", "amount_minor": 5}
    told, beside = said([{**buy, "key": "p1"}])
    assert (told["decisions"][0]["outcome"], told["policies"]["authorisation"], beside) == ("decline", version, "")
    (tmp_path / "a.dmn").write_text(FITTING, encoding="utf-8")
    told, beside = said([{**buy, "key": "p2"}], "--authorisation", str(tmp_path / "a.dmn"))
    assert told["decisions"][0]["outcome"] == "approve"
    assert "a.dmn decides, not the policy in force" in beside and version in beside


def test_a_person_looks_at_the_breaker_and_closes_it(lender: Live, tmp_path: Path) -> None:
    application = Application(tmp_path / "workspace", lender.url, system_clock)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(limits, [*arguments, "--lender", LENDER], obj=application, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result.stdout

    lender.having(rules=MovingRules(breaker_minor=300_000))
    for name in ("c1", "c2"):  # 2,500.00 each
        book(lender.workspace, card(name, name))
        lender.report(name)
        for _ in range(4):
            lender.send("inquiry", name)
    assert [one.outcome for one in lender.follow()] == ["lower", "keep"]
    assert json.loads(run("breaker", "--json"))["open"]
    assert "熔断已触发" in run("breaker", "--lang", "zh")
    run("close", "--by", "ana", "--why", "the reports are right")
    assert not json.loads(run("breaker", "--json"))["open"]
    lender.wait(minutes=30)
    lender.send("inquiry", "c2")
    assert [(one.outcome, one.reasons) for one in lender.follow()] == [("keep", ("risk_high", "breaker_open"))]
    run("close", "--by", "ana", "--why", "still right")
    lender.wait(hours=1)
    lender.report("c2")
    assert [one.outcome for one in lender.follow()] == ["lower"]
