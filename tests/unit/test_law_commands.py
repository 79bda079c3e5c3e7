"""`evenkeel law`: a file of contacts in, an answer for each out, in both languages and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from evenkeel.cli.law import law
from evenkeel.kernel.errors import InvalidInput, InvalidUsage

CALLS = """contact_id,borrower_id,lender_id,at,channel,target,conversation,timezone,mood
1,b,x,2026-03-02T09:00:00+08:00,call,debtor,1,Asia/Shanghai,good
2,b,x,2026-03-02T10:00:00+08:00,call,debtor,1,Asia/Shanghai,
3,b,x,2026-03-02T11:00,call,debtor,1,Asia/Shanghai,
4,b,x,2026-03-02T12:00,bot_call,debtor,1,Asia/Shanghai,
5,b,x,2026-03-02T23:30,sms,debtor,,Asia/Shanghai,
6,b,x,2026-03-03T09:00,call,debtor,1,Asia/Shanghai,
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(law, [*map(str, arguments)], standalone_mode=False, catch_exceptions=False)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(CALLS)
    return path


def answers(path: Path, *more: object) -> dict[str, str]:
    told = json.loads(run("check", path, "--json", *more).output)
    return {one["contact_id"]: one["answer"] for one in told["answers"]}


def test_each_contact_has_its_answer_with_rule_value_and_end(calls: Path) -> None:
    told = json.loads(run("check", calls, "--json").output)
    found = {one["contact_id"]: one for one in told["answers"]}
    assert {name: one["answer"] for name, one in found.items()} == {
        "1": "allow", "2": "allow", "3": "allow", "4": "block", "5": "block", "6": "allow",
    }  # fmt: skip
    (fourth,) = found["4"]["rules"]
    assert (fourth["id"], fourth["value"], fourth["until"]) == ("CN-GBT-FREQ", "4", "2026-03-02T16:00:00+00:00")
    assert {one["until"] for one in found["5"]["rules"]} == {"2026-03-03T00:00:00+00:00"}
    assert told["counts"] == {"allow": 4, "warn": 0, "require": 0, "block": 2}
    assert told["ignored_columns"] == ["mood"]


def test_every_kind_of_file_gives_the_same_answers(calls: Path, tmp_path: Path) -> None:
    rows = [dict(zip(CALLS.splitlines()[0].split(","), line.split(","), strict=True)) for line in CALLS.split()[1:]]
    rows = [{name: value or None for name, value in row.items()} for row in rows]
    (tmp_path / "calls.json").write_text(json.dumps(rows))
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "calls.parquet")
    every = [answers(tmp_path / f"calls.{kind}") for kind in ("csv", "json", "jsonl", "parquet")]
    assert all(one == every[0] for one in every)


def test_a_consent_lifts_quiet_hours_until_it_is_withdrawn(calls: Path, tmp_path: Path) -> None:
    consents = tmp_path / "consents.csv"
    head = "consent_id,borrower_id,purpose,given_at,withdrawn_at\n"
    consents.write_text(head + "c,b,contact_night,2026-03-01T00:00,\n")
    assert answers(calls, "--consents", consents)["5"] == "allow"
    consents.write_text(head + "c,b,contact_night,2026-03-01T00:00,2026-03-02T23:00\n")
    assert answers(calls, "--consents", consents)["5"] == "block"


def test_words_name_what_is_not_allowed_in_both_languages(calls: Path) -> None:
    result = run("check", calls)
    assert result.return_value == 1
    assert "✗ 4  2026-03-02 04:00 UTC  bot_call: may not be done" in result.output
    assert "Passing every rule on record does not prove that an action is lawful." in result.output
    assert "不得进行" in run("check", calls, "--lang", "zh").output


def test_what_is_not_a_contact_may_be_judged_too(tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    plan = {"action": "plan", "at": "2026-03-02T10:00:00+08:00", "actor_type": "bank", "product": "card"}
    path.write_text(json.dumps([plan | {"contact_id": "long", "term_months": 61}]))
    assert answers(path) == {"long": "block"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at,channel\nx,call\n", "row 2 at"),
        ("at,channel\n2026-03-02T10:00,\n", "row 2 channel"),
        ("at,channel\n2026-03-02T10:00,pigeon\n", "row 2 channel"),
        ("channel\ncall\n", "lacks the column `at`"),
        ("at\n2026-03-02T10:00\n", "neither `channel` nor `action`"),
        ("at,channel\n2026-03-02T10:00,call,1\n", "row 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_nothing_is_judged(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(Exception, match=said):
        run("check", path)


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "[" * 100_000])
def test_json_that_is_no_list_of_actions_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(Exception, match=r"is not"):
        run("check", path)


def test_rules_are_listed_by_place_confidence_and_day() -> None:
    def ids(*arguments: object) -> set[str]:
        return {one["id"] for one in json.loads(run("list", "--json", *arguments).output)["rules"]}

    assert "CN-GBT-HRS" in ids("--jurisdiction", "CN")
    assert not any(name.startswith("CN") for name in ids("--jurisdiction", "us"))
    assert "CN-GBT-HRS" not in ids("--on", "2025-02-27")
    assert "CN-NIFA-2024" in ids("--on", "2025-02-27")
    assert "CN-GBT-HRS" not in ids("--confidence", "read")


def test_a_rule_is_explained_with_its_worked_cases() -> None:
    told = json.loads(run("explain", "cn-gbt-freq", "--json").output)
    assert told["effect"] == "block"
    assert all(case["holds"] for case in told["cases"])
    assert "GB/T 45251-2025" in run("explain", "CN-GBT-FREQ", "--lang", "zh").output
    with pytest.raises(Exception, match="there is no rule"):
        run("explain", "CN-NONE")


def test_the_shipped_rules_hold_their_cases_and_a_wrong_one_is_found(tmp_path: Path) -> None:
    assert run("test").return_value == 0
    (tmp_path / "own.toml").write_text(OWN)
    result = run("test", "--rules", tmp_path)
    assert result.return_value == 1
    assert "✗ OWN-1: at 20:00: allow" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no rules"), ("[[rule]]", "lacks 'effect'|lacks 'jurisdiction'"), ("x=", "is not TOML"),
        ('jurisdiction = "CN"\n[[rule]]\nid = "A"', "lacks 'effect'"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_read_are_told_by_file_and_rule(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        run("test", "--rules", tmp_path)


@pytest.mark.parametrize("wrong", ["", 'start = "late"', "start = 9"])
def test_a_check_whose_parameters_are_wrong_is_told_when_it_is_read(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "own.toml").write_text(OWN.replace('start = "21:00"', wrong))
    with pytest.raises(InvalidInput, match=r"own.toml: rule OWN-1 has a check of kind 'quiet' that"):
        run("list", "--rules", tmp_path)


def test_a_zone_that_is_none_is_told(calls: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidUsage, match="there is no zone Mars/City"):
        run("check", calls, "--zone", "Mars/City")
    path = tmp_path / "other.csv"
    path.write_text(CALLS.replace("Asia/Shanghai", "Asia/Nowhere"))
    assert json.loads(run("check", path, "--json").output)["zone_unknown"] == 6
    assert "6 actions name no time zone that there is" in run("check", path).output
    assert "time zone" not in run("check", calls).output


OWN = """jurisdiction = "CN"
[zones]
CN = ["Asia/Shanghai"]
[[rule]]
id = "OWN-1"
effective_from = 2026-01-01
verified_on = 2026-01-01
confidence = "house"
effect = "block"
statement = { en = "Not after nine.", zh = "九点后不联系。" }
citation = { en = "House", zh = "内部" }
[[rule.check]]
kind = "quiet"
actions = ["contact"]
start = "21:00"
end = "08:00"
[[rule.case]]
name = "at 21:00"
row = { action = "call", at = 2026-03-02T21:00:00+08:00 }
expect = "block"
[[rule.case]]
name = "at 20:00"
row = { action = "call", at = 2026-03-02T20:00:00+08:00 }
expect = "block"
"""
