"""A table of contacts, made and planned, beside asking the law of one row after the other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evenkeel.arrears.contacts.table import judge_contacts
from evenkeel.arrears.law import check, load_rules
from evenkeel.arrears.rows import table_of
from shells import here

RULES = load_rules()
MORNING = datetime(2026, 3, 10, 1, tzinfo=UTC)  # nine in Shanghai
KEYS = ("borrower_id", "lender_id", "account_id", "contact_point_token", "timezone", "answered", "conversation")


def row(rng: Random, at: datetime, planned: bool) -> dict[str, Any]:
    return {
        "action": rng.choice(("call", "call", "bot_call", "sms")), "at": at, "planned": planned, "target": "debtor",
        "borrower_id": rng.choice(("b", "c", None)), "lender_id": rng.choice(("x", "y", None)),
        "account_id": rng.choice(("a", None)), "contact_point_token": rng.choice(("n", "m", None)),
        "timezone": "Asia/Shanghai", "actor_type": "bank", "product": "card",
        "answered": None if planned else rng.choice((True, False)),
        "conversation": None if planned else rng.choice((True, False, None)),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("place", ["CN", "US"])
def test_a_plan_is_asked_one_after_the_other_after_what_was_made(place: str, seed: int) -> None:
    rng = Random(seed)
    made = [row(rng, MORNING - timedelta(hours=rng.randint(0, 90)), False) for _ in range(14)]
    plan = [row(rng, MORNING + timedelta(minutes=rng.randint(1, 400)), True) for _ in range(10)]
    rows = [*made, *plan]
    rng.shuffle(rows)
    answers = judge_contacts(table_of(rows), RULES, place)["answer"].to_pylist()
    log = check(table_of(made), RULES, place)["answer"].to_pylist()
    assert [answers[rows.index(one)] for one in made] == [log[made.index(one)] for one in made]
    counted = list(made)
    for one in sorted(plan, key=lambda one: one["at"]):
        asked = table_of([*({**before, "planned": False} for before in counted), {**one, "planned": True}])
        answer = check(asked, RULES, place)["answer"].to_pylist()[-1]
        assert answers[rows.index(one)] == answer
        if answer in ("allow", "warn"):
            counted.append(one)


def test_a_call_that_was_made_later_today_keeps_its_place() -> None:
    rng = Random(1)
    same = {"borrower_id": "b", "lender_id": "x", "account_id": "a", "action": "call", "conversation": None}
    made = [row(rng, MORNING + timedelta(hours=hour), False) | same for hour in (1, 3, 5)]
    planned = row(rng, MORNING + timedelta(hours=2), True) | same
    (*_, answer) = judge_contacts(table_of([*made, planned]), RULES, "CN").to_pylist()
    assert answer["answer"] == "block" and "CN-GBT-FREQ" in {one["id"] for one in answer["rules"]}


def test_law_check_counts_what_a_plan_did_before(tmp_path: Path) -> None:
    lines = ["at,channel,borrower_id,lender_id,timezone,actor_type,product,target,planned"]
    lines += [f"2026-03-02T{hour:02}:00:00+08:00,call,b,x,Asia/Shanghai,bank,card,debtor,{hour > 10}"
              for hour in (14, 9, 13, 10, 12)]  # fmt: skip
    file = tmp_path / "calls.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    done = here("law", "check", file, "--json", cwd=tmp_path)
    answers = json.loads(done.stdout)["answers"]
    assert done.returncode == 1
    assert [one["answer"] for one in answers] == ["block", "allow", "block", "allow", "allow"]
