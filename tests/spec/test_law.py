"""The law as data: every rule file proves its own boundary cases, and every rule carries what a replay needs."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evenkeel.arrears.contacts.table import judge_contacts
from evenkeel.arrears.law import (
    ANSWERS,
    CONFIDENCES,
    FINDINGS,
    Check,
    Rule,
    check,
    load_rules,
)
from evenkeel.arrears.rows import table_of
from evenkeel.arrears.worked import Worked, judged, work
from evenkeel.kernel.errors import InvalidInput

BOOK = load_rules()
NOT_YET = {"EU-AI-III"}  # known before the day from which they hold


@pytest.mark.parametrize("case", list(work(BOOK)), ids=lambda case: f"{case.rule}: {case.name}")
def test_worked_case(case: Worked) -> None:
    assert (case.answer, case.value if case.expected_value else None) == (case.expected, case.expected_value)


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=lambda rule: rule.id)
def test_every_rule_can_be_cited_checked_and_replayed(rule: Any) -> None:
    assert rule.effective_from <= rule.verified_on or rule.id in NOT_YET
    assert rule.effect == "select" or (rule.checks and len({case["expect"] for case in rule.cases}) >= 2)
    for text in (rule.statement, rule.citation):
        assert text["en"].isascii()
        assert not text["zh"].isascii()
    assert all(one.effect == "warn" for one in rule.checks if rule.confidence == "memory")


def thinner(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule without one of its checks, or without one of the facts that switch a check on or off."""
    for place, one in enumerate(rule.checks):
        before, after = rule.checks[:place], rule.checks[place + 1 :]
        yield f"{one.kind}: {one.parameter}", replace(rule, checks=(*before, *after))
        switches: list[tuple[str, str, Check]] = [
            ("where", name, replace(one, where={k: v for k, v in one.where.items() if k != name})) for name in one.where
        ]
        switches += [("only_if", n, replace(one, only_if=tuple(o for o in one.only_if if o != n))) for n in one.only_if]
        switches += [("unless", n, replace(one, unless=tuple(o for o in one.unless if o != n))) for n in one.unless]
        for switch, name, weaker in switches:
            yield f"{one.kind}, {switch} {name}", replace(rule, checks=(*before, weaker, *after))


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=lambda rule: rule.id)
def test_every_check_and_every_switch_decides_a_worked_case(rule: Rule) -> None:
    book = BOOK.only(rule.id)
    for left_out, thin in thinner(rule):
        weaker = replace(book, rules={**book.rules, rule.id: thin})
        places = [case.get("jurisdiction", rule.jurisdiction) for case in rule.cases]
        assert any(
            judged(weaker, place, case) != judged(book, place, case)
            for place, case in zip(places, rule.cases, strict=True)
        ), f"no case of {rule.id} needs {left_out}"


def test_the_rules_of_the_catalogue_are_there(shared: Path) -> None:
    """Every id, and confidence and effect as in its table; where a cell names two confidences, one of them."""
    known: set[str] = set()
    for line in (shared / "reference" / "regulation.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or not re.fullmatch("(CN|US|UK|EU)-[A-Z0-9.-]+", cells[0]):
            continue
        rule = BOOK.rules[cells[0]]
        confidences, effects = (
            set(re.findall("|".join(words), cell))
            for words, cell in zip((CONFIDENCES, ANSWERS), cells[4:], strict=True)
        )
        assert rule.confidence in confidences, rule.id
        assert not effects or rule.effect in effects, rule.id
        known.add(rule.id)
    assert len(known) == 97
    others = set(BOOK.rules) - known
    assert {id_ for id_ in others if BOOK.rules[id_].confidence != "house"} == {
        "CN-RISK-DPD-270", "CN-COMPLAINT-2020", "UK-DISP-1.6", "UK-CONC-7.3.10", "US-REGF-HARASS", "US-REGF-FALSE",
        "US-REGF-UNFAIR", "US-REGF-3P",
    }  # fmt: skip


def test_the_law_of_the_union_binds_its_states() -> None:
    suit = table_of([{"action": "enforce", "at": datetime(2026, 12, 1, tzinfo=UTC), "forbearance_offered": False}])
    book = BOOK.only("EU-CCD2-35")
    answers = {place: check(suit, book, place)["answer"][0].as_py() for place in ("CZ", "EU", "UK", "CN")}
    assert answers == {"CZ": "require", "EU": "require", "UK": "allow", "CN": "allow"}


def row(at: datetime, **facts: Any) -> dict[str, Any]:
    return {"action": "call", "at": at, "timezone": "Asia/Shanghai", "borrower_id": "b", "target": "debtor", **facts}


def shanghai(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def test_the_strictest_rule_wins_and_all_of_them_are_shown() -> None:
    answer = check(table_of([row(shanghai(2, 23), actor_type="bank", collectors=1, action="visit")]), BOOK, "CN")
    assert answer["answer"].to_pylist() == ["block"]
    assert [f["id"] for f in answer["rules"][0].as_py()] == ["CN-GBT-HRS", "CN-CBA-HRS", "CN-CBA-VISIT", "EK-HRS"]


def test_a_block_says_when_it_ends_and_what_was_found() -> None:
    answer = check(table_of([row(shanghai(2, 23))]), BOOK.only("CN-GBT-HRS"), "CN")
    found = answer["rules"][0].as_py()[0]
    assert (found["until"], found["value"]) == (shanghai(3, 8), "23:00 Asia/Shanghai")
    assert found["citation"] == "GB/T 45251-2025, 5.3 (recommended national standard)"
    assert "start=22:00" in found["parameter"]
    early = check(table_of([row(shanghai(3, 6))]), BOOK.only("CN-GBT-HRS"), "CN", language="zh")["rules"][0].as_py()[0]
    assert (early["until"], early["citation"]) == (shanghai(3, 8), "GB/T 45251-2025 第5.3条（推荐性国家标准）")


def test_the_fourth_conversation_waits_for_the_next_day() -> None:
    rows = [row(shanghai(2, hour), conversation=True) for hour in (9, 10, 11, 12)]
    last = check(table_of(rows), BOOK.only("CN-GBT-FREQ"), "CN")["rules"][3].as_py()[0]
    assert (last["value"], last["until"]) == ("4", shanghai(3, 0))


def test_seven_calls_in_seven_days_free_the_eighth_when_the_first_leaves_the_window() -> None:
    calls = [datetime(2026, 3, day, 18, tzinfo=UTC) for day in (2, 2, 3, 4, 5, 6, 7)]
    rows = [
        row(at, timezone="America/New_York", actor_type="agency", conversation=False, account_id="a")
        for at in [*calls, datetime(2026, 3, 8, 18, tzinfo=UTC)]
    ]
    last = check(table_of(rows), BOOK.only("US-REGF-CALL"), "US")["rules"][7].as_py()[0]
    # Two calls stand on March 2: both leave on March 9, whose midnight in New York is daylight-saving time by then.
    assert last["until"] == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_a_planned_action_is_judged_but_not_counted_against_others() -> None:
    planned = [row(shanghai(2, 9), planned=True) for _ in range(5)]
    assert check(table_of(planned), BOOK.only("CN-GBT-FREQ"), "CN")["answer"].to_pylist() == ["allow"] * 5


def test_a_fact_that_came_late_is_judged_by_the_day_it_happened() -> None:
    facts = table_of([row(datetime(2025, 2, 27, 15, tzinfo=UTC), booked_at=datetime(2025, 3, 1, tzinfo=UTC))])
    assert check(facts, BOOK.only("CN-GBT-HRS"), "CN")["answer"].to_pylist() == ["allow"]
    assert check(facts, BOOK.only("CN-NIFA-2024"), "CN")["answer"].to_pylist() == ["block"]


def test_an_action_without_its_instant_cannot_be_judged() -> None:
    with pytest.raises(InvalidInput, match="without `at`"):
        check(pa.table({"action": ["call"], "at": pa.nulls(1, pa.timestamp("us", tz="UTC"))}), BOOK, "CN")


def test_nothing_to_judge_gives_nothing() -> None:
    empty = pa.schema([("action", pa.string()), ("at", pa.timestamp("us", tz="UTC"))]).empty_table()
    answer = check(empty, BOOK, "CN")
    assert (len(answer), answer.schema.field("rules").type, ANSWERS[0]) == (0, FINDINGS, "allow")


def test_a_log_of_contacts_is_judged_with_its_consents() -> None:
    known = {"account_id": "a", "actor_type": "micro_loan", "product": "cash", "timezone": "Asia/Shanghai"}
    contacts = table_of(
        [
            {"contact_id": str(number), "borrower_id": who, "at": shanghai(day, hour), "channel": "call", **known}
            for number, who, day, hour in ((1, "b", 2, 9), (2, "b", 2, 23), (3, "c", 2, 23), (4, "b", 6, 23))
        ]
    )
    consents = table_of(
        [
            {
                "borrower_id": "b", "purpose": "contact_night", "given_at": shanghai(2, 12),
                "withdrawn_at": shanghai(5, 12),
            }
        ]
    )  # fmt: skip
    answers = judge_contacts(contacts, BOOK, "CN", consents).to_pylist()
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
