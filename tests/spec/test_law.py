"""The law as data: every rule file proves its own boundary cases, and every rule carries what a replay needs."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from evenkeel.arrears.law import ANSWERS, FINDINGS, RuleBook, check, check_contacts, load_rules
from evenkeel.kernel.errors import InvalidInput

BOOK = load_rules()
CASES = [(rule.id, case) for rule in BOOK.rules.values() for case in rule.cases]
HOME = {"CN": "Asia/Shanghai", "US": "America/New_York", "UK": "Europe/London", "*": "Asia/Shanghai"}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """A table of actions from rows of facts; empty texts are nulls."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) if row.get(name) != "" else None for row in rows] for name in names}
    return pa.table({name: pa.array(values, _type(values)) for name, values in columns.items()})


def _type(values: list[Any]) -> pa.DataType | None:
    return pa.timestamp("us", tz="UTC") if any(isinstance(value, datetime) for value in values) else None


def judge(book: RuleBook, jurisdiction: str, case: Any) -> dict[str, Any]:
    """The answer for a worked case: earlier rows first, each like the row itself but for what it says."""
    row = {"timezone": HOME.get(jurisdiction, ""), **case["row"]}
    rows = []
    for change in case.get("earlier", []):
        fields = {k: v for k, v in change.items() if k not in ("times", "hours_apart")}
        step = timedelta(hours=change["hours_apart"]) if "hours_apart" in change else timedelta(minutes=20)
        rows += [{**row, "at": row["at"] - step * (k + 1), **fields} for k in range(change.get("times", 1))]
    answer: dict[str, Any] = check(table([*rows, row]), book, jurisdiction).to_pylist()[-1]
    return answer


@pytest.mark.parametrize(("rule_id", "case"), CASES, ids=[f"{rule_id}: {case['name']}" for rule_id, case in CASES])
def test_worked_case(rule_id: str, case: Any) -> None:
    rule = BOOK.rules[rule_id]
    answer = judge(BOOK.only(rule_id), case.get("jurisdiction", rule.jurisdiction), case)
    assert answer["answer"] == case["expect"]
    assert [found["id"] for found in answer["rules"]] == ([] if case["expect"] == "allow" else [rule_id])
    if "value" in case:
        assert answer["rules"][0]["value"] == case["value"]


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=lambda rule: rule.id)
def test_every_rule_can_be_cited_checked_and_replayed(rule: Any) -> None:
    assert rule.effective_from <= rule.verified_on
    assert rule.effect == "select" or (rule.checks and len({case["expect"] for case in rule.cases}) >= 2)
    for text in (rule.statement, rule.citation):
        assert text["en"].isascii()
        assert not text["zh"].isascii()
    assert all(one.effect == "warn" for one in rule.checks if rule.confidence == "memory")


def test_the_rules_of_the_catalogue_are_there() -> None:
    wanted = """CN-CARD-070 CN-CRIM-2931 CN-CRED-15 CN-CRED-16 CN-CRED-17 CN-CRED-25 CN-CRED-26 CN-PIPL-13 CN-PIPL-21
        CN-PIPL-23 CN-PIPL-24 CN-PIPL-25 CN-PIPL-28 CN-PIPL-47 CN-PIPL-55 CN-RATE-4LPR CN-RATE-SCOPE CN-RISK-006
        CN-RISK-007 CN-ENF-LIST CN-ENF-LUX CN-GBT-HRS CN-GBT-FREQ CN-GBT-3P CN-CBA-HRS CN-CBA-DIAL CN-CBA-3P
        CN-CBA-VISIT CN-CBA-BAN CN-CARD-068 CN-CARD-092 US-REGF-CALL UK-BS"""
    assert set(wanted.split()) <= set(BOOK.rules)


def row(at: datetime, **facts: Any) -> dict[str, Any]:
    return {"action": "call", "at": at, "timezone": "Asia/Shanghai", "borrower_id": "b", "target": "debtor", **facts}


def shanghai(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def test_the_strictest_rule_wins_and_all_of_them_are_shown() -> None:
    answer = check(table([row(shanghai(2, 23), actor_type="bank", collectors=1, action="visit")]), BOOK, "CN")
    assert answer["answer"].to_pylist() == ["block"]
    assert [f["id"] for f in answer["rules"][0].as_py()] == ["CN-GBT-HRS", "CN-CBA-HRS", "CN-CBA-VISIT", "EK-HRS"]


def test_a_block_says_when_it_ends_and_what_was_found() -> None:
    answer = check(table([row(shanghai(2, 23))]), BOOK.only("CN-GBT-HRS"), "CN")
    found = answer["rules"][0].as_py()[0]
    assert (found["until"], found["value"]) == (shanghai(3, 8), "23:00 Asia/Shanghai")
    assert found["citation"] == "GB/T 45251-2025, 5.3 (recommended national standard)"
    assert "start=22:00" in found["parameter"]
    early = check(table([row(shanghai(3, 6))]), BOOK.only("CN-GBT-HRS"), "CN", language="zh")["rules"][0].as_py()[0]
    assert (early["until"], early["citation"]) == (shanghai(3, 8), "GB/T 45251-2025 第5.3条（推荐性国家标准）")


def test_the_fourth_conversation_waits_for_the_next_day() -> None:
    rows = [row(shanghai(2, hour), conversation=True) for hour in (9, 10, 11, 12)]
    last = check(table(rows), BOOK.only("CN-GBT-FREQ"), "CN")["rules"][3].as_py()[0]
    assert (last["value"], last["until"]) == ("4", shanghai(3, 0))


def test_seven_calls_in_seven_days_free_the_eighth_when_the_first_leaves_the_window() -> None:
    calls = [datetime(2026, 3, day, 18, tzinfo=UTC) for day in (2, 2, 3, 4, 5, 6, 7)]
    rows = [
        row(at, timezone="America/New_York", actor_type="agency", conversation=False, account_id="a")
        for at in [*calls, datetime(2026, 3, 8, 18, tzinfo=UTC)]
    ]
    last = check(table(rows), BOOK.only("US-REGF-CALL"), "US")["rules"][7].as_py()[0]
    # Two calls stand on March 2: both leave on March 9, whose midnight in New York is daylight-saving time by then.
    assert last["until"] == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_a_planned_action_is_judged_but_not_counted_against_others() -> None:
    planned = [row(shanghai(2, 9), planned=True) for _ in range(5)]
    assert check(table(planned), BOOK.only("CN-GBT-FREQ"), "CN")["answer"].to_pylist() == ["allow"] * 5


def test_a_fact_that_came_late_is_judged_by_the_day_it_happened() -> None:
    facts = table([row(datetime(2025, 2, 27, 15, tzinfo=UTC), booked_at=datetime(2025, 3, 1, tzinfo=UTC))])
    assert check(facts, BOOK.only("CN-GBT-HRS"), "CN")["answer"].to_pylist() == ["allow"]
    assert check(facts, BOOK.only("CN-NIFA-2024"), "CN")["answer"].to_pylist() == ["block"]


def test_an_action_without_its_instant_cannot_be_judged() -> None:
    with pytest.raises(InvalidInput, match="without `at`"):
        check(pa.table({"action": ["call"], "at": pa.nulls(1, pa.timestamp("us", tz="UTC"))}), BOOK, "CN")


def test_nothing_to_judge_gives_nothing() -> None:
    empty = pa.schema([("action", pa.string()), ("at", pa.timestamp("us", tz="UTC"))]).empty_table()
    answer = check(empty, BOOK, "CN")
    assert (len(answer), answer.schema.field("rules").type, ANSWERS[0]) == (0, FINDINGS, "allow")


def test_a_log_of_contacts_is_judged_with_its_accounts_and_consents() -> None:
    contacts = table(
        [
            {"contact_id": "1", "borrower_id": "b", "account_id": "a", "at": shanghai(2, 9), "channel": "call"},
            {"contact_id": "2", "borrower_id": "b", "account_id": "a", "at": shanghai(2, 23), "channel": "call"},
            {"contact_id": "3", "borrower_id": "c", "account_id": "a", "at": shanghai(2, 23), "channel": "call"},
            {"contact_id": "4", "borrower_id": "b", "account_id": "a", "at": shanghai(6, 23), "channel": "call"},
        ]
    )
    context = table([{"account_id": "a", "actor_type": "micro_loan", "product": "cash", "timezone": "Asia/Shanghai"}])
    consents = table(
        [
            {
                "borrower_id": "b", "purpose": "contact_night", "given_at": shanghai(2, 12),
                "withdrawn_at": shanghai(5, 12),
            }
        ]
    )  # fmt: skip
    answers = check_contacts(contacts, BOOK, "CN", context, consents).to_pylist()
    assert [(a["contact_id"], a["answer"]) for a in answers] == [
        ("1", "allow"), ("2", "allow"), ("3", "block"), ("4", "block"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('effect = "block"', "effect 'forbid'"),
        ('kind = "quiet"', "kind 'silence'"),
        ("verified_on = 2026-11-23", "lacks 'verified_on'"),
        ('statement.zh = "z"', "in en and zh"),
    ],
)
def test_a_faulty_rule_file_is_refused_by_name(tmp_path: Any, change: str, message: str) -> None:
    good = """jurisdiction = "CN"
[[rule]]
id = "R"
effective_from = 2020-01-01
verified_on = 2026-11-23
confidence = "read"
effect = "block"
statement.en = "e"
statement.zh = "z"
citation.en = "e"
citation.zh = "z"
[[rule.check]]
kind = "quiet"
actions = ["call"]
start = "22:00"
end = "08:00"
"""
    file = tmp_path / "a.toml"
    file.write_text(good, encoding="utf-8")
    assert load_rules(tmp_path).rules["R"].effective_from == date(2020, 1, 1)
    wrong = {'effect = "block"': 'effect = "forbid"', 'kind = "quiet"': 'kind = "silence"'}.get(change, "")
    file.write_text(good.replace(change, wrong), encoding="utf-8")
    with pytest.raises(InvalidInput, match=message):
        load_rules(tmp_path)
