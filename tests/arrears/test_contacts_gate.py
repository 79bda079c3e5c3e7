"""The gate for a whole day answers as if one question had been asked after the other, live or in memory."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from contact_worlds import Scene, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.model import Contact, Ended
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.contacts.standing import EVENTS, SAID
from evenkeel.arrears.law import check, load_rules
from evenkeel.arrears.rows import table_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.workspace import Workspace

RULES = load_rules()
NOW = datetime(2026, 3, 10, 4, tzinfo=UTC)  # noon in Shanghai
FACTS = ("debtor_unreachable", "collectors")


def one_by_one(found: Scene, place: str) -> list[dict[str, Any]]:
    """Each question alone, in the order of instants; what is cleared is on record for the next."""
    record, answers = list(found.record), [{}] * len(found.asked)
    said = pa.Table.from_pylist(found.said, SAID)
    for number in sorted(range(len(found.asked)), key=lambda number: found.asked[number]["at"]):
        asked = found.asked[number]
        (answers[number],) = Gate(RULES, place, table_of(record), said).answers(table_of([asked])).to_pylist()
        if answers[number]["may"]:
            record.append({name: value for name, value in asked.items() if name not in FACTS})
    return answers


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Rules in one order: a later call that is in the way may be named before or after another."""
    return answer | {"rules": sorted(answer["rules"], key=str)}


def whole(found: Scene, place: str) -> list[dict[str, Any]]:
    record, said, asked = found.tables()
    answers: list[dict[str, Any]] = Gate(RULES, place, record, said).answers(asked).to_pylist()
    return answers


def equal(seed: int, place: str) -> None:
    found = scene(seed, place)
    assert [*map(plain, whole(found, place))] == [*map(plain, one_by_one(found, place))]


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["CN", "US"]))
def test_all_at_once_are_answered_as_one_after_the_other(seed: int, place: str) -> None:
    equal(seed, place)


@pytest.mark.prove
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["CN", "US"]))
def test_all_at_once_are_answered_as_one_after_the_other_in_many_worlds(seed: int, place: str) -> None:
    equal(seed, place)


def as_fact(said: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Something said as it is booked: the kind of the fact, and its payload."""
    kind, lender = said["kind"], {"lender_id": said["lender_id"]}
    if kind in EVENTS:
        fields = {name: said[name] for name in ("purpose",) if said[name]}
        fields |= {"promised_on": said["promised_on"].isoformat()} if said["promised_on"] else {}
        return f"event.{kind}", lender | {"fields": fields}
    subject = dict.fromkeys(("name", "contact_point_token", "agency_id"), said["subject"])
    more = {"channels": said["channels"], "accounts": [said["account_id"]], "ends": kind == "vulnerability_ended"}
    return f"case.{kind}".replace("vulnerability_ended", "vulnerability_reviewed"), lender | subject | more


def ask_live(record: Workspace, found: Scene, place: str) -> None:
    """The same questions asked of the record, each booked before the next."""
    mark, now = secrets.token_hex(4), min(one["at"] for one in found.asked)
    clock = [now]
    journal = Journal(record.engine, lambda: clock[0])

    def named(row: dict[str, Any]) -> dict[str, Any]:
        ids = {name: f"{mark}-{row[name]}" for name in ("borrower_id", "account_id") if row[name]}
        return row | ids

    def contact(row: dict[str, Any], made: bool) -> Contact:
        said = {name: row[name] for name in Contact.__struct_fields__ if row.get(name) is not None}
        return Contact(channel=row["action"], **said, made=made)

    found.record, found.said, found.asked = (
        [named(r) for r in rows] for rows in (found.record, found.said, found.asked)
    )
    lenders = ("x", "y")
    for who in {row["borrower_id"] for row in found.asked + found.record}:
        accounts = [f"{who}-{lender}-{number}" for lender in lenders for number in (1, 2)]
        opened = NOW - timedelta(days=400)
        journal.append(
            [Fact(f"o-{a}", "account.opened", opened, {"lender_id": a[-3]}, who, a) for a in accounts]
        )  # fmt: skip
    for row in found.record:
        clock[0] = max(now, row["at"])
        contacts = Contacts(journal, row["lender_id"], RULES, place)
        told = contacts.ask(contact(row, made=True), secrets.token_hex(8))
        ended = Ended(answered=row["answered"], conversation=row["conversation"], promised_on=row["promised_on"])
        contacts.tell(told.contact_id, ended)
    for said in found.said:
        name, payload = as_fact(said)
        journal.append(
            [Fact(secrets.token_hex(12), name, said["at"], payload, said["borrower_id"], said["account_id"])]
        )
    expected = whole(found, place)
    for number in sorted(range(len(found.asked)), key=lambda number: found.asked[number]["at"]):
        row = found.asked[number]
        clock[0] = row["at"]
        facts = {name: row[name] for name in FACTS if row[name] is not None}
        asked = msgspec.structs.replace(contact(row, made=False), facts=facts)
        told = Contacts(journal, row["lender_id"], RULES, place).ask(asked, secrets.token_hex(8))
        live = {"may": told.may, "answer": told.answer, "lawful_from": told.lawful_from,
                "rules": [msgspec.structs.asdict(one) for one in told.rules]}  # fmt: skip
        assert plain(live) == plain(expected[number])


def test_the_record_answers_as_the_gate_does(record: Workspace) -> None:
    for seed, place in ((11, "CN"), (12, "US")):
        ask_live(record, scene(seed, place, asked=8, most=12), place)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 160))
def test_the_record_answers_as_the_gate_does_in_many_worlds(record: Workspace, seed: int) -> None:
    ask_live(record, scene(seed, ("CN", "US")[seed % 2], asked=20), ("CN", "US")[seed % 2])


# ----------------------------------------------------------------------------------------------------- cases to be read


def call(minutes: int = 0, **changed: Any) -> dict[str, Any]:
    row = {"action": "call", "at": NOW + timedelta(minutes=minutes), "borrower_id": "b", "lender_id": "x",
           "account_id": "a", "target": "debtor", "timezone": "Asia/Shanghai", "actor_type": "consumer_finance",
           "product": "bnpl"}  # fmt: skip
    return row | changed


def said(kind: str, hours: int, **changed: Any) -> dict[str, Any]:
    none = dict.fromkeys(SAID.names)
    return none | {"kind": kind, "borrower_id": "b", "lender_id": "x", "at": NOW + timedelta(hours=hours)} | changed


def answers(asked: list[dict[str, Any]], record: Any = (), told: Any = (), place: str = "CN") -> list[dict[str, Any]]:
    gate = Gate(RULES, place, table_of(record), pa.Table.from_pylist([*told], SAID))
    found: list[dict[str, Any]] = gate.answers(table_of(asked)).to_pylist()
    return found


def may(*given: Any, **named: Any) -> list[bool]:
    return [one["may"] for one in answers(*given, **named)]


def test_of_eight_agencies_at_one_instant_the_first_three_may() -> None:
    assert may([call() for _ in range(8)]) == [True] * 3 + [False] * 5


def test_answers_come_in_the_order_of_the_questions() -> None:
    assert may([call(50), call(40), call(30), call(20), call(10)]) == [False, False, True, True, True]


def test_each_lender_and_each_borrower_counts_apart() -> None:
    asked = [call(n, borrower_id=who, lender_id=lender) for n in range(4) for who in "bc" for lender in "xy"]
    assert may(asked) == [True] * 12 + [False] * 4


def test_a_refused_call_takes_no_place() -> None:
    asked = [call(target="other"), call(1), call(2), call(3), call(4)]
    assert may(asked) == [False, True, True, True, False]


def test_what_is_on_record_for_later_keeps_its_place() -> None:
    record = [call(60), call(120), call(180, conversation=False)]
    (first, second) = answers([call(), call(5)], record)
    assert (first["may"], second["may"]) == (True, False)
    assert second["lawful_from"] == datetime(2026, 3, 11, 0, tzinfo=UTC)  # at midnight it is night
    assert [rule["id"] for rule in second["rules"]] == ["CN-GBT-FREQ"]


def test_what_was_cleared_after_a_question_does_not_move_its_next_lawful_instant() -> None:
    """When the fifth was asked for, nobody had asked for tomorrow morning; the record shows three calls today."""
    tomorrow = [call(20 * 60 + n) for n in range(3)]  # 08:00 in Shanghai
    asked = [call(n) for n in range(4)] + tomorrow
    found = answers(asked)
    assert [one["may"] for one in found] == [True] * 3 + [False] + [True] * 3
    assert found[3]["lawful_from"] == datetime(2026, 3, 11, 0, tzinfo=UTC)
    late = answers([*asked, call(20 * 60 + 5)])[-1]
    assert (late["may"], late["lawful_from"]) == (False, datetime(2026, 3, 12, 0, tzinfo=UTC))


def test_nobody_may_say_that_a_call_to_be_made_had_no_conversation() -> None:
    assert may([call(n, conversation=False, answered=False) for n in range(5)]) == [True] * 3 + [False] * 2
    assert may([call(conversation=False)], [call(-n) for n in (10, 20, 30)]) == [False]


def test_calls_cleared_under_a_consent_are_not_counted_once_it_is_withdrawn() -> None:
    told = [
        said("consent_given", -1, purpose="contact_call"),
        said("consent_withdrawn", 13, purpose="contact_call"),  # 17:00 UTC, one in the afternoon in New York
    ]
    new_york = {"timezone": "America/New_York", "actor_type": "agency"}
    asked = [call(12 * 60 + n, **new_york) for n in range(3)] + [call(13 * 60 + n, **new_york) for n in range(8)]
    assert may(asked, told=told, place="US") == [True] * 10 + [False]


def test_a_consent_withdrawn_outweighs_what_a_collector_says() -> None:
    told = [said("consent_given", -3, purpose="contact_night"), said("consent_withdrawn", -2, purpose="contact_night")]
    at_night = call(11 * 60, night_consent=True)
    assert may([at_night], told=told) == [False]
    assert may([at_night], told=told[:1]) == [True]


def test_a_withdrawal_that_lies_before_the_consent_leaves_it_standing() -> None:
    told = [said("consent_given", -3, purpose="contact_night"), said("consent_withdrawn", -4, purpose="contact_night")]
    assert may([call(11 * 60)], told=told) == [True]


@pytest.mark.parametrize(
    ("opened", "asked", "blocked"),
    [("a", "a", True), ("a", "other", False), (None, "other", True), ("a", None, True), (None, None, True)],
)
def test_a_dispute_is_about_its_debt_and_a_question_about_none_meets_all(
    opened: Any, asked: Any, blocked: bool
) -> None:
    told = [said("dispute_opened", -5, account_id=opened), said("dispute_closed", -4, account_id="closed")]
    assert may([call(account_id=asked)], told=told) == [not blocked]


def test_a_promise_told_in_a_contact_is_waited_for() -> None:
    record = [call(-60, conversation=True, promised_on=NOW.date())]
    (found,) = answers([call()], record)
    assert [rule["id"] for rule in found["rules"]] == ["EK-PROMISE"]
    assert found["lawful_from"] == datetime(2026, 3, 11, 0, tzinfo=UTC)


def test_a_creditors_own_call_does_not_take_the_place_of_its_agencys_later_one() -> None:
    place = {"timezone": "America/New_York", "actor_type": "agency", "answered": False, "conversation": False}
    agency = [call(n * 20 - 600, **place) for n in range(6)] + [call(600, **place | {"conversation": None})]
    own = {"timezone": "America/New_York", "actor_type": "bank"}
    assert may([call(720, **own)], agency, place="US") == [True]
    (early,) = answers([call(540, **own)], agency, place="US")
    assert [rule["id"] for rule in early["rules"]] == ["US-REGF-CALL"]


@pytest.mark.parametrize("column", ["action", "at", "borrower_id", "lender_id"])
def test_a_question_that_lacks_what_it_is_about_is_refused_in_words(column: str) -> None:
    with pytest.raises(InvalidInput, match=f"without `{column}`"):
        answers([call(), call(1, **{column: None})])


def test_columns_of_another_type_are_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="`conversation` of a contact on record"):
        answers([call()], [call(-10, conversation="perhaps")])


def test_nothing_asked_gives_nothing() -> None:
    none = table_of([call()]).slice(0, 0)
    gate = Gate(RULES, "CN", table_of([]), SAID.empty_table())
    assert gate.answers(none).schema.names == ["may", "answer", "lawful_from", "rules"]
    assert len(gate.answers(none)) == 0


def test_a_log_of_what_was_cleared_breaks_no_rule() -> None:
    """The answer stays equal to the check of a log: what was cleared, all at once, is allowed."""
    asked = [call(n * 7 % 1400, borrower_id=f"b{n % 5}") for n in range(60)]
    cleared = [row for row, yes in zip(asked, may(asked), strict=True) if yes]
    assert Counter(check(table_of(cleared), RULES, "CN")["answer"].to_pylist()) == {"allow": len(cleared)}
    assert len(cleared) == 15


def test_every_event_that_is_read_changes_a_fact() -> None:
    from evenkeel.arrears.contacts.standing import holds

    asked = table_of([call()])
    for kind in EVENTS:
        row = said(kind, -1, purpose="contact_night", promised_on=NOW.date())
        assert holds(pa.Table.from_pylist([row], SAID), asked), kind
