"""The boundary cases that every implementation tests: regulation.md, section 1, line by line, asked of the whole book.

Each line of that table has its cases here, and the test says so of a line that has none. The rules' own cases ask each
rule alone; these ask all of them together, by the one rule that the line is about.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from evenkeel.arrears.law import check, load_rules
from evenkeel.arrears.rows import table_of

RULES = load_rules()
CHINA, EAST, WEST = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")


def at(zone: ZoneInfo, clock: str, day: int = 2, month: int = 3, year: int = 2026) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(year, month, day, hour, minute, tzinfo=zone).astimezone(UTC)


def cn(clock: str, **facts: Any) -> dict[str, Any]:
    row = {"action": "call", "at": at(CHINA, clock), "timezone": CHINA.key, "borrower_id": "b", "target": "debtor",
           "actor_type": "bank", "product": "bnpl"}  # fmt: skip
    return row | facts


def us(clock: str, day: int = 9, zone: ZoneInfo = EAST, **facts: Any) -> dict[str, Any]:
    row = {"action": "call", "at": at(zone, clock, day), "timezone": zone.key, "borrower_id": "b", "account_id": "a",
           "actor_type": "agency", "conversation": False}  # fmt: skip
    return row | facts


def before(row: dict[str, Any], times: int, apart: timedelta = timedelta(minutes=20), **facts: Any) -> list[Any]:
    return [{**row, "at": row["at"] - apart * (place + 1), **facts} for place in range(times)]


def plan(months: int) -> dict[str, Any]:
    contents = ("balance", "payments", "charges", "no_new_card", "rights", "other")
    return cn("10:00", action="plan", product="card", term_months=months, beyond_ability=True, still_willing=True) | {
        f"states_{name}": True for name in contents
    }


def rated(dpd: int, name: str) -> dict[str, Any]:
    return cn("10:00", action="classify", product="card", dpd=dpd, asset_class=name)


def held(day: int) -> dict[str, Any]:
    return cn("10:00", action="hold_adverse", event_ended_on=date(2021, 3, 2)) | {"at": at(CHINA, "10:00", day)}


TALK = {"conversation": True}
CALL7 = us("15:00")
RINGS = cn("18:00") | {"contact_point_token": "n", "answered": False}
DAY = timedelta(hours=20)

# line of the table | rule | what is asked | what came before | expected
CASES: list[tuple[str, str, dict[str, Any], list[Any], str]] = [
    ("China quiet hours", "CN-GBT-HRS", cn("21:59"), [], "allow"),
    ("China quiet hours", "CN-GBT-HRS", cn("22:00"), [], "block"),
    ("China quiet hours", "CN-GBT-HRS", cn("07:59"), [], "block"),
    ("China quiet hours", "CN-GBT-HRS", cn("08:00"), [], "allow"),
    ("US hours", "US-REGF-HRS", us("07:59"), [], "warn"),
    ("US hours", "US-REGF-HRS", us("08:00"), [], "allow"),
    ("US hours", "US-REGF-HRS", us("21:00"), [], "allow"),
    ("US hours", "US-REGF-HRS", us("21:01"), [], "warn"),
    ("quiet window", "CN-GBT-HRS", cn("23:59"), [], "block"),
    ("quiet window", "CN-GBT-HRS", cn("00:01"), [], "block"),
    ("quiet window", "EK-HRS", us("08:00") | {"at": datetime(2026, 3, 7, 12, tzinfo=UTC)}, [], "block"),  # 07:00 EST
    ("quiet window", "EK-HRS", us("08:00") | {"at": datetime(2026, 3, 8, 12, tzinfo=UTC)}, [], "allow"),  # 08:00 EDT
    ("quiet window", "EK-HRS", us("08:00") | {"at": datetime(2026, 11, 1, 12, tzinfo=UTC)}, [], "block"),  # 07:00 EST
    ("quiet window", "US-REGF-HRS", us("09:00") | {"timezone": WEST.key}, [], "warn"),  # 06:00 where the debtor is
    ("quiet window", "CN-GBT-HRS", cn("09:00", timezone="Asia/Urumqi"), [], "block"),
    ("3rd and 4th effective", "CN-GBT-FREQ", cn("18:00", **TALK), before(cn("18:00"), 2, **TALK), "allow"),
    ("3rd and 4th effective", "CN-GBT-FREQ", cn("18:00", **TALK), before(cn("18:00"), 3, **TALK), "block"),
    ("6th and 7th unanswered", "CN-CBA-DIAL", RINGS, before(RINGS, 5), "allow"),
    ("6th and 7th unanswered", "CN-CBA-DIAL", RINGS, before(RINGS, 6), "warn"),
    ("7th and 8th call", "US-REGF-CALL", CALL7, before(CALL7, 6, DAY), "allow"),
    ("7th and 8th call", "US-REGF-CALL", CALL7, before(CALL7, 7, DAY), "block"),
    ("7th and 8th call", "US-REGF-CALL", us("15:00", 8), [us("18:00", 2, **TALK)], "block"),
    ("7th and 8th call", "US-REGF-CALL", us("15:00", 9), [us("18:00", 2, **TALK)], "allow"),
    ("7th and 8th call", "US-REGF-CALL", CALL7, before(CALL7, 7, DAY, account_id="second"), "allow"),
    ("inbound call", "US-REGF-CALL", CALL7, before(CALL7, 7, DAY, direction="in"), "allow"),
    ("inbound call", "US-REGF-CALL", us("15:00", 8), [us("18:00", 2, direction="in", **TALK)], "block"),
    ("call with prior consent", "US-REGF-CALL", CALL7 | {"call_consent_at": date(2026, 3, 2)},
     before(CALL7, 7, DAY), "allow"),
    ("call with prior consent", "US-REGF-CALL", CALL7 | {"call_consent_at": date(2026, 3, 1)},
     before(CALL7, 7, DAY), "block"),
    ("instalment plan", "CN-CARD-070", plan(60), [], "allow"),
    ("instalment plan", "CN-CARD-070", plan(61), [], "block"),
    ("90 / 91", "CN-CARD-092", rated(90, "special_mention"), [], "allow"),
    ("90 / 91", "CN-CARD-092", rated(91, "special_mention"), [], "require"),
    ("90 / 91", "CN-CARD-092", rated(91, "substandard"), [], "allow"),
    ("90 / 91", "CN-CARD-092", rated(120, "substandard"), [], "allow"),
    ("90 / 91", "CN-CARD-092", rated(121, "substandard"), [], "require"),
    ("90 / 91", "CN-CARD-092", rated(121, "doubtful"), [], "allow"),
    ("90 / 91", "CN-CARD-092", rated(180, "doubtful"), [], "allow"),
    ("90 / 91", "CN-CARD-092", rated(181, "doubtful"), [], "require"),
    ("90 / 91", "CN-CARD-092", rated(181, "loss"), [], "allow"),
    ("adverse item", "CN-CRED-16", held(2), [], "allow"),
    ("adverse item", "CN-CRED-16", held(3), [], "require"),
    ("rule effective today", "CN-GBT-HRS", cn("23:00") | {"at": at(CHINA, "23:00", 27, 2, 2025)}, [], "allow"),
    ("rule effective today", "CN-GBT-HRS", cn("23:00") | {"at": at(CHINA, "23:00", 28, 2, 2025)}, [], "block"),
    ("rule effective today", "CN-NIFA-2024", cn("23:00") | {"at": at(CHINA, "23:00", 27, 2, 2025)}, [], "block"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "rule", "asked", "earlier", "expected"), CASES)
def test_boundary(line: str, rule: str, asked: dict[str, Any], earlier: list[Any], expected: str) -> None:
    answer = check(table_of([*earlier, asked]), RULES, rule[:2] if rule[:2] != "EK" else "US").to_pylist()[-1]
    spoke = [found["effect"] for found in answer["rules"] if found["id"] == rule]
    assert spoke == ([] if expected == "allow" else [expected]), line


def test_every_line_of_the_table_has_its_cases(shared: Path) -> None:
    text = (shared / "reference" / "regulation.md").read_text(encoding="utf-8")
    table = text.partition("**Boundary cases every implementation tests**")[2].partition("## 2.")[0]
    lines = re.findall(r"^\| (?!case |---)([^|]+) \|", table, re.MULTILINE)
    assert len(lines) == 12
    covered = {line for line, *_ in CASES}
    assert [line for line in lines if not any(line.startswith(start) for start in covered)] == []
