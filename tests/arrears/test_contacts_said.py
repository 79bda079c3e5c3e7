"""What was said and what cases say, looked up for many questions at once, beside a plain fold of one question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.standing import REVERSED, SAID, Told, bars, holds, standing_of
from evenkeel.arrears.law import load_rules
from evenkeel.arrears.rows import table_of
from evenkeel.kernel.errors import InvalidInput

NOW = datetime(2026, 3, 10, 4, tzinfo=UTC)  # noon in Shanghai
RULES = load_rules()
CHANNELS = ("app", "sms", "letter", "call", "visit")
SUBJECTS = {
    "dispute": ("d1", "d2", None), "complaint": ("c1", "c2"), "represented": ("r1", "r2"), "insolvent": ("i1",),
    "vulnerable": ("v1", "v2"), "wrong_person": ("n", "m"), "assigned": ("ag-1", "ag-2"), "sold": ("",),
}  # fmt: skip
OPENS = {
    "dispute": ("dispute_opened", "dispute_closed"), "complaint": ("complaint_opened", "complaint_closed"),
    "represented": ("represented", "representation_ended"), "insolvent": ("insolvent", "insolvency_ended"),
    "vulnerable": ("vulnerable", "vulnerability_ended"), "wrong_person": ("wrong_person", "wrong_person"),
    "assigned": ("assigned", "recalled"), "sold": ("sold", "sold"),
}  # fmt: skip


def said_row(rng: Random, who: str) -> dict[str, Any]:
    what = rng.choice([*OPENS])
    opens = rng.random() < 0.6
    accounts = (f"{who}-1", f"{who}-2", None) if what in ("dispute", "sold") else (None,)
    suits = rng.sample(CHANNELS, rng.randint(0, 4))
    return {
        "kind": OPENS[what][not opens], "borrower_id": who, "account_id": rng.choice(accounts),
        "lender_id": rng.choice(("x", "y", "") if what == "dispute" else ("x", "y")),
        "at": NOW - timedelta(hours=rng.randint(-3, 12)), "subject": rng.choice(SUBJECTS[what]),
        "channels": suits if what == "vulnerable" and opens else None,
    }  # fmt: skip


def asked_row(rng: Random, who: str) -> dict[str, Any]:
    return {
        "action": rng.choice(CHANNELS), "at": NOW - timedelta(hours=rng.randint(-4, 10)), "borrower_id": who,
        "lender_id": rng.choice("xy"), "account_id": rng.choice((f"{who}-1", f"{who}-2", None)),
        "contact_point_token": rng.choice(("n", "m", "o", None)), "actor_id": rng.choice(("ag-1", "ag-2", None)),
        "actor_type": rng.choice(("agency", "agency", "bank", None)),
        "through_representative": rng.choice((True, False, None)),
    }  # fmt: skip


def fold(said: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, bool]:
    """The facts that hold at one question, one row after the other."""

    def disputed(account: str | None) -> bool:
        opened: list[Any] = []
        for one in heard:
            if not one["kind"].startswith("dispute") or one["account_id"] not in (None, account):
                continue
            if one["kind"] == "dispute_opened":
                opened.append(one["subject"])
            else:
                opened = [] if one["subject"] is None else [name for name in opened if name != one["subject"]]
        return bool(opened)

    def left(opens: str, closes: str = "") -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in heard:
            if one["kind"] == opens:
                found[one["subject"]] = one
            elif one["kind"] == closes:
                found.pop(one["subject"], None)
        return found

    heard = [
        one for one in sorted(said, key=lambda one: one["at"])
        if one["borrower_id"] == asked["borrower_id"] and one["at"] <= asked["at"]
        and one["lender_id"] in ("", asked["lender_id"])
    ]  # fmt: skip
    about, point = asked["account_id"], asked["contact_point_token"]
    every = [about] if about else [None, *{one["account_id"] for one in heard}]
    sold = [one["account_id"] for one in heard if one["kind"] == "sold"]
    with_whom = [one for one in heard if one["kind"] in ("assigned", "recalled")]
    has = with_whom[-1]["subject"] if with_whom and with_whom[-1]["kind"] == "assigned" else None
    wrong, cares = left("wrong_person"), left("vulnerable", "vulnerability_ended").values()
    represented = bool(left("represented", "representation_ended"))
    return {
        "dispute_open": any(map(disputed, every)), "complaint_open": bool(left("complaint_opened", "complaint_closed")),
        "represented": represented,
        "representative_not_authorised": asked["through_representative"] is True and not represented,
        "insolvent": bool(left("insolvent", "insolvency_ended")),
        "channel_not_suitable": any(asked["action"] not in one["channels"] for one in cares),
        "wrong_contact_point": point is not None and point in wrong, "some_point_wrong": bool(wrong),
        "contact_point_named": bool(wrong) and (point is not None or asked["action"] in ("app", "visit")),
        "debt_sold": bool(sold) and (about is None or None in sold or about in sold),
        "agency_not_assigned": asked["actor_type"] == "agency" and bool(with_whom)
        and (has is None or has != asked["actor_id"]),
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_many_questions_are_told_what_a_fold_of_each_tells(seed: int) -> None:
    rng = Random(seed)
    people = [f"b{number}" for number in range(rng.randint(1, 4))]
    said = [said_row(rng, rng.choice(people)) for _ in range(rng.choice((0, 1, 3, 20, 60)))]
    asked = [asked_row(rng, rng.choice([*people, "stranger"])) for _ in range(rng.choice((1, 2, 10, 90)))]
    told, table = pa.Table.from_pylist(said, SAID), table_of(asked)
    for name, kind in (("actor_type", "string"), ("actor_id", "string"), ("contact_point_token", "string"),
                       ("account_id", "string"), ("through_representative", "bool")):  # fmt: skip
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    found = holds(told, table) | bars(told, table)
    for number, one in enumerate(asked):
        expected = fold(said, one)
        here = {name for name, held in found.items() if held.value[number].as_py()}
        assert here == {name for name in expected if expected[name]}, one


# ----------------------------------------------------------------------------------------------------- cases to be read


def case(kind: str, hours: int, **changed: Any) -> dict[str, Any]:
    at = NOW + timedelta(hours=hours)
    return dict.fromkeys(SAID.names) | {"kind": kind, "borrower_id": "b", "lender_id": "x", "at": at} | changed


def sms(hours: int = 0, **changed: Any) -> dict[str, Any]:
    row = {"action": "sms", "at": NOW + timedelta(hours=hours), "borrower_id": "b", "lender_id": "x",
           "account_id": "a", "target": "debtor", "timezone": "Asia/Shanghai", "actor_type": "bank",
           "product": "bnpl"}  # fmt: skip
    return row | changed


def rules(asked: list[dict[str, Any]], *told: dict[str, Any]) -> list[list[str]]:
    gate = Gate(RULES, "CN", table_of([]), pa.Table.from_pylist([*told], SAID))
    answers = gate.answers(table_of(asked)).to_pylist()
    return [sorted({rule["id"] for rule in one["rules"]}) for one in answers]


def test_a_case_binds_a_whole_day_of_questions_from_when_it_speaks() -> None:
    ended = [case("represented", 2, subject="r"), case("representation_ended", 4, subject="r")]
    assert rules([sms(hour) for hour in (1, 2, 3, 4)], *ended) == [[], ["EK-REPRESENTED"], ["EK-REPRESENTED"], []]


def test_nobody_speaks_for_a_borrower_unless_a_case_says_so_though_nothing_was_ever_said() -> None:
    assert rules([sms(through_representative=True), sms(1)]) == [["EK-REPRESENTED"], []]
    assert rules([sms(through_representative="true")]) == [["EK-REPRESENTED"]]
    with pytest.raises(InvalidInput, match="through_representative"):
        rules([sms(through_representative="perhaps")])


def test_whoever_asks_cannot_say_that_a_number_was_named_or_a_representative_authorised() -> None:
    claims = {"contact_point_named": True, "representative_not_authorised": False}
    assert rules([sms(**claims)], case("wrong_person", -1, subject="n")) == [["EK-WRONG-PERSON"]]
    assert rules([sms(through_representative=True, **claims)]) == [["EK-REPRESENTED"]]


def test_what_no_case_says_an_asker_may_know() -> None:
    ended = [case("insolvent", -3, subject="i"), case("insolvency_ended", -2, subject="i")]
    assert rules([sms(insolvent=True)], *ended) == [["EK-INSOLVENT"]]
    assert rules([sms(insolvent=False)], ended[0]) == [["EK-INSOLVENT"]]


@pytest.mark.parametrize(
    ("closed", "account", "still"),
    [("one", "a", True), ("two", "a", True), (None, "a", False), (None, "other", True), (None, None, False)],
)
def test_of_two_disputes_one_stays_open_when_the_other_is_closed(closed: Any, account: Any, still: bool) -> None:
    told = [case("dispute_opened", -9, subject=name, account_id="a") for name in ("one", "two")]
    told.append(case("dispute_closed", -1, subject=closed, account_id=account))
    for about in ("a", None):
        expected = still or (about is None and account not in (None, "a"))
        assert rules([sms(account_id=about)], *told) == ([["EK-STOP"]] if expected else [[]])


def test_a_fact_that_was_taken_out_was_never_said_and_its_reversal_may_be_taken_out() -> None:
    def told(event_id: str, kind: str, reversal_of: str | None = None, **payload: Any) -> Told:
        return Told(event_id, kind, "a", NOW, {"lender_id": "x", **payload}, reversal_of)

    facts = [told("1", "event.dispute_opened", fields={}), told("2", "case.represented", name="2"),
             told("3", REVERSED, "2"), told("4", REVERSED, "1"), told("5", REVERSED, "4")]  # fmt: skip
    assert [row["kind"] for row in standing_of("b", facts).said] == ["dispute_opened"]


@pytest.mark.parametrize(
    ("kind", "payload", "blocked"),
    [
        ("sold", {"accounts": ["a"]}, True), ("sold", {"accounts": ["z"]}, False), ("sold", {"accounts": None}, True),
        ("vulnerable", {"channels": ["sms"]}, False), ("vulnerable", {"channels": "sms"}, True),
        ("vulnerability_reviewed", {}, False), ("vulnerability_reviewed", {"channels": ["letter"]}, True),
        ("complaint_opened", {"name": "c"}, True), ("insolvent", {}, True),
    ],
)  # fmt: skip
def test_facts_of_cases_become_rows_and_what_is_malformed_bars(
    kind: str, payload: dict[str, Any], blocked: bool
) -> None:
    told = Told("e", f"case.{kind}", None, NOW - timedelta(hours=1), {"lender_id": "x", "name": "v", **payload})
    assert bool(rules([sms()], *standing_of("b", [told]).said)[0]) is blocked


def test_each_by_itself_counts_no_other_question() -> None:
    asked = table_of([sms(action="call", actor_type="consumer_finance") for _ in range(5)])
    gate = Gate(RULES, "CN", table_of([]), SAID.empty_table())
    assert gate.answers(asked)["may"].to_pylist() == [True] * 3 + [False] * 2
    assert gate.each(asked)["may"].to_pylist() == [True] * 5
