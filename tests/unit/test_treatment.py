"""Treatments: the law first, then the facts of the case, then value, then the stage."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from evenkeel.arrears.law import load_rules
from evenkeel.arrears.treatments.assumed import TreatmentAssumptions
from evenkeel.arrears.treatments.stages import CASES, REASONS, TREATMENTS, treat
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts

RULES = load_rules()
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 09:00 in Shanghai
STAMP = pa.timestamp("us", tz="UTC")

CONTACTS = pa.schema(
    [
        ("borrower_id", pa.string()), ("account_id", pa.string()), ("at", STAMP), ("channel", pa.string()),
        ("direction", pa.string()), ("target", pa.string()), ("answered", pa.bool_()), ("conversation", pa.bool_()),
        ("promised_on", pa.date32()),
    ]
)  # fmt: skip
EVENTS = pa.schema(
    [
        ("kind", pa.string()), ("borrower_id", pa.string()), ("account_id", pa.string()), ("effective_at", STAMP),
        ("booked_at", STAMP), ("payload", pa.string()),
    ]
)  # fmt: skip
COMPLAINTS = pa.schema([("borrower_id", pa.string()), ("at", STAMP), ("resolved_at", STAMP)])
CONSENTS = pa.schema(
    [("borrower_id", pa.string()), ("purpose", pa.string()), ("given_at", STAMP), ("withdrawn_at", STAMP)]
)


def case(account: str = "a", **facts: Any) -> dict[str, Any]:
    return {
        "account_id": account, "borrower_id": "b", "lender_id": "k", "product": "bnpl", "actor_type": "micro_loan",
        "timezone": "Asia/Shanghai", "dpd": 20, "state": "M1", **facts,
    }  # fmt: skip


def event(kind: str, days_ago: int = 1, account: str | None = "a", **facts: Any) -> dict[str, Any]:
    at = NOW - timedelta(days=days_ago)
    return {"kind": kind, "borrower_id": "b", "account_id": account, "effective_at": at, "booked_at": at, **facts}


def contact(hours_ago: float = 48, **facts: Any) -> dict[str, Any]:
    at = NOW - timedelta(hours=hours_ago)
    return {"borrower_id": "b", "account_id": "a", "at": at, "channel": "call", "direction": "outbound", **facts}


def treated(*cases: dict[str, Any], now: datetime = NOW, jurisdiction: str = "CN", **logs: Any) -> list[dict[str, Any]]:
    schemas = {"contacts": CONTACTS, "consents": CONSENTS, "complaints": COMPLAINTS, "events": EVENTS}
    tables = {
        name: pa.Table.from_pylist(logs[name], schema) if name in logs else None for name, schema in schemas.items()
    }
    result = treat(pa.Table.from_pylist(list(cases)), now=now, jurisdiction=jurisdiction, rules=RULES, **tables)
    assert result.schema == CASES
    rows: list[dict[str, Any]] = result.to_pylist()
    return rows


def one(chosen: dict[str, Any], **more: Any) -> tuple[str, str]:
    (row,) = treated(chosen, **more)
    return row["treatment"], row["reasons"][0]["code"].removeprefix("treat.")


@pytest.mark.parametrize(
    ("facts", "treatment", "reason"),
    [
        ({"dpd": 2, "p_self_cure": 0.9}, "nothing", "self_cure_likely"),
        ({"dpd": 2}, "reminder", "early"),
        ({"dpd": 20, "cause": "oversight"}, "reminder", "oversight"),
        ({"dpd": 20, "cause": "income_shock"}, "plan_offer", "hardship"),
        ({"dpd": 20, "cause": "over_granting"}, "plan_offer", "hardship"),
        ({"dpd": 20, "cause": "macro_shock"}, "plan_offer", "hardship"),
        ({"dpd": 20, "cause": "concealment"}, "human_review", "facts_to_verify"),
        ({"dpd": 20, "cause": "unclear"}, "reminder", "early"),
        ({"dpd": 40}, "call", "overdue"),
        ({"dpd": 120}, "plan_offer", "long_overdue"),
        ({"dpd": None, "state": "M2"}, "call", "overdue"),
        ({"dpd": 40, "p_self_cure": 0.2, "balance_minor": 500_000}, "call", "expected_value"),
        ({"dpd": 40, "p_self_cure": 0.97, "balance_minor": 20_000}, "nothing", "expected_value"),
        ({"dpd": 20, "p_self_cure": 0.2, "balance_minor": 500_000}, "reminder", "expected_value"),
    ],
)
def test_facts_then_value_then_stage(facts: dict[str, Any], treatment: str, reason: str) -> None:
    assert one(case(**facts)) == (treatment, reason)


def test_the_value_that_decided_is_shown() -> None:
    (row,) = treated(case(dpd=40, p_self_cure=0.2, balance_minor=500_000))
    given = TreatmentAssumptions()
    value = 0.8 * 500_000 * given.call_effect - given.call_cost_minor - 0.2 * given.call_burden_minor
    assert row["reasons"][0]["points"] == pytest.approx(value)


def test_a_promise_is_waited_for_and_then_no_longer() -> None:
    promise = contact(promised_on=date(2026, 3, 5), conversation=True)
    (row,) = treated(case(dpd=40), contacts=[promise])
    assert (row["treatment"], row["reasons"][0]["code"]) == ("nothing", "treat.promise_pending")
    # The promised day ends at midnight in Shanghai; contact is quiet until eight in the morning.
    assert row["allowed_at"] == datetime(2026, 3, 6, 0, tzinfo=UTC)
    assert {b["rule"] for b in row["blocked"]} == {"EK-PROMISE"}
    assert one(case(dpd=40), contacts=[contact(promised_on=date(2026, 3, 1))]) == ("call", "overdue")
    assert one(case(dpd=40), contacts=[contact(promised_on=date(2029, 3, 1))]) == ("call", "overdue")


def test_a_promise_may_come_as_an_event() -> None:
    promise = event("promise", payload='{"promised_on": "2026-03-05"}')
    assert one(case(dpd=40), events=[promise]) == ("nothing", "promise_pending")
    assert one(case(dpd=40), events=[event("promise", payload="soon")]) == ("call", "overdue")


@pytest.mark.parametrize("account", ["a", None])
def test_a_dispute_goes_to_a_person_until_it_is_closed(account: str | None) -> None:
    opened = event("dispute_opened", 5, account)
    (row,) = treated(case(), events=[opened])
    assert (row["treatment"], row["allowed_at"]) == ("human_review", NOW)
    assert [(b["action"], b["rule"], b["until"]) for b in row["blocked"]] == [
        ("reminder", "EK-STOP", None), ("plan_offer", "EK-STOP", None), ("call", "EK-STOP", None),
    ]  # fmt: skip
    assert one(case(), events=[opened, event("dispute_closed", 2, account)]) == ("reminder", "early")
    assert one(case(), events=[opened, event("dispute_closed", 9, account)]) == ("human_review", "dispute_open")
    assert one(case("other"), events=[opened])[0] == ("human_review" if account is None else "reminder")


def test_stop_complaint_and_hardship_are_heard() -> None:
    assert one(case(dpd=40), events=[event("stop_contact", account=None)]) == ("human_review", "stop_contact")
    assert one(case(dpd=2, p_self_cure=0.9), events=[event("hardship")]) == ("plan_offer", "hardship_told")
    assert one(case(), events=[event("hardship", 400)]) == ("reminder", "early")
    complaint = {"borrower_id": "b", "at": NOW - timedelta(days=3), "resolved_at": None}
    assert one(case(), complaints=[complaint]) == ("human_review", "complaint_open")
    assert one(case(), complaints=[{**complaint, "resolved_at": NOW - timedelta(days=1)}]) == ("reminder", "early")


def test_a_signed_plan_rests_collection_until_it_is_broken() -> None:
    card = case(product="card", actor_type="bank", dpd=40)
    (row,) = treated(card, events=[event("plan_signed", 30)])
    assert (row["treatment"], row["allowed_at"]) == ("nothing", None)
    assert "CN-CARD-070" in {b["rule"] for b in row["blocked"]}
    assert one(card, events=[event("plan_signed", 30), event("plan_broken", 3)]) == ("call", "overdue")


def test_only_what_was_known_by_now_counts() -> None:
    late = {**event("dispute_opened", 5), "booked_at": NOW + timedelta(days=1)}
    assert one(case(), events=[late]) == ("reminder", "early")
    assert one(case(dpd=40), contacts=[contact(-2, promised_on=date(2026, 3, 5))]) == ("call", "overdue")


def test_at_night_the_treatment_waits_for_the_morning() -> None:
    (row,) = treated(case(dpd=40), now=datetime(2026, 3, 2, 15, tzinfo=UTC))  # 23:00 in Shanghai
    assert (row["treatment"], row["allowed_at"]) == ("call", datetime(2026, 3, 3, 0, tzinfo=UTC))
    consent = {"borrower_id": "b", "purpose": "contact_night", "given_at": NOW - timedelta(days=9)}
    (row,) = treated(case(dpd=40), now=datetime(2026, 3, 2, 15, tzinfo=UTC), consents=[consent])
    assert row["allowed_at"] == datetime(2026, 3, 2, 15, tzinfo=UTC)


def test_after_three_conversations_a_call_waits_for_the_next_day() -> None:
    talks = [contact(hours, conversation=True) for hours in (1, 2, 3)]
    later = NOW + timedelta(hours=3)
    (row,) = treated(case(dpd=40), now=later, contacts=[{**t, "at": t["at"] + timedelta(hours=3)} for t in talks])
    assert row["allowed_at"] == datetime(2026, 3, 3, 0, tzinfo=UTC)  # midnight, then quiet hours until 08:00
    assert [(b["action"], b["rule"]) for b in row["blocked"]] == [("call", "CN-GBT-FREQ")]


def test_the_accounts_of_one_borrower_do_not_use_up_each_others_calls() -> None:
    rows = treated(*(case(f"a{k}", dpd=40) for k in range(5)))
    assert {(row["treatment"], row["allowed_at"]) for row in rows} == {("call", NOW)}


def test_an_unknown_zone_is_allowed_for_everywhere_in_the_country() -> None:
    (row,) = treated(case(timezone=None, dpd=40))
    assert row["allowed_at"] == datetime(2026, 3, 2, 2, tzinfo=UTC)  # 08:00 in Urumqi
    assert [r["code"] for r in row["reasons"]] == ["treat.overdue", "treat.zone_unknown"]
    (row,) = treated(case(timezone=None, dpd=40), jurisdiction="XX")
    assert (row["treatment"], row["reasons"][0]["code"]) == ("human_review", "treat.not_lawful")


def test_a_book_from_before_the_rules_is_not_called_at_night_either() -> None:
    (row,) = treated(case(dpd=40), now=datetime(2019, 3, 2, 15, tzinfo=UTC))
    assert row["allowed_at"] == datetime(2019, 3, 3, 0, tzinfo=UTC)
    assert {b["rule"] for b in row["blocked"]} == {"EK-HRS"}


def test_rows_come_sorted_and_a_missing_zone_of_now_is_refused() -> None:
    assert [row["account_id"] for row in treated(case("z"), case("a"), case("m"))] == ["a", "m", "z"]
    with pytest.raises(InvalidInput, match="needs a zone"):
        treated(case(), now=datetime(2026, 3, 2))  # noqa: DTZ001 - the fault under test


def test_no_case_gives_an_empty_table() -> None:
    empty = pa.Table.from_pylist([case()]).slice(0, 0)
    assert len(treat(empty, None, None, None, None, NOW, "CN", RULES)) == 0


def test_every_reason_and_treatment_has_its_words() -> None:
    for language in ("en", "zh"):
        assert all(f"treat.{name}" in texts(language) for name in REASONS)
        assert all(f"treatment.{name}" in texts(language) for name in TREATMENTS)
        assert all(f"law.answer.{name}" in texts(language) for name in ("allow", "warn", "require", "block"))
        assert all(f"law.confidence.{name}" in texts(language) for name in ("read", "secondary", "memory", "house"))
