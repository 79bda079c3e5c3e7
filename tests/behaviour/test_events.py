"""From a book's tables to events: what is known when, and of whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.behaviour.events import FIELD_PREFIX, SCHEMA, each_event, event_table, with_fields
from evenkeel.behaviour.online import Event, field_text, online
from evenkeel.behaviour.windows import DAY, micros
from evenkeel.book.contract import TABLES

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ACCOUNTS = [{"account_id": "a1", "borrower_id": "b1", "lender_id": "l1", "product": "card"}]


def book(**tables: list[dict[str, object]]) -> dict[str, pa.Table]:
    given = {"accounts": ACCOUNTS, **tables}
    return {name: pa.Table.from_pylist(rows, TABLES[name].schema()) for name, rows in given.items()}


def events_of(tables: dict[str, pa.Table]) -> list[Event]:
    found = event_table(tables)
    assert found.schema == SCHEMA
    return list(each_event(found))


def test_events_keep_their_payload_and_take_lender_and_device_from_it_or_from_the_account() -> None:
    rows = [
        {"event_id": "e1", "kind": "purchase", "borrower_id": "b1", "account_id": "a1", "effective_at": NOON,
         "booked_at": NOON + timedelta(hours=1), "amount_minor": 5, "payload": '{"channel": "web"}'},
        {"event_id": "e2", "kind": "inquiry", "borrower_id": "b1", "effective_at": NOON,
         "payload": '{"lender": "l9", "device": "d"}'},
    ]  # fmt: skip
    first, second = events_of(book(events=rows))
    assert first == Event("e1", "purchase", micros(NOON), micros(NOON) + DAY // 24, 5, {"channel": "web"}, "l1")
    assert (second.lender_id, second.booked_us) == ("l9", second.effective_us)
    assert event_table(book(events=rows))["device"].to_pylist() == [None, "d"]


def test_payments_are_repayments_failures_and_returns() -> None:
    rows = [
        {"payment_id": f"p{i}", "account_id": "a1", "paid_at": NOON, "amount_minor": 7, "result": result}
        for i, result in enumerate(("ok", "failed", "reversed", None))
    ]
    found = events_of(book(payments=rows))
    assert [e.kind for e in found] == ["repayment", "payment_failed", "payment_reversed", "repayment"]
    assert {(e.amount_minor, e.lender_id) for e in found} == {(7, "l1")}
    assert event_table(book(payments=rows))["borrower_id"].to_pylist() == ["b1"] * 4


def test_a_decision_is_not_known_before_it_was_made() -> None:
    row = {"application_id": "x", "borrower_id": "b1", "lender_id": "l1", "submitted_at": NOON, "device_token": "d",
           "requested_minor": 9, "decision": "decline", "decided_at": NOON + timedelta(minutes=5)}  # fmt: skip
    found = events_of(book(applications=[row]))
    ready = online(shipped(), Entity.BORROWER)

    def told(minutes: int) -> tuple[float, float]:
        now = micros(NOON + timedelta(minutes=minutes))
        state = ready.add(ready.empty(), [event for event in found if event.booked_us <= now])
        values = dict(zip(ready.names, ready.values([state], [now])[0].tolist(), strict=True))
        return values["applications_1h"], values["declines_90d"]

    assert [told(minutes) for minutes in (0, 4, 5, 59)] == [(1, 0), (1, 0), (1, 1), (1, 1)]


def test_a_device_counts_its_applicants() -> None:
    rows = [{"application_id": f"x{i}", "borrower_id": f"b{i % 3}", "submitted_at": NOON, "device_token": "d"}
            for i in range(5)]  # fmt: skip
    ready = online(shipped(), Entity.DEVICE)
    state = ready.add(ready.empty(), events_of(book(applications=rows)))
    values = dict(zip(ready.names, ready.values([state], [micros(NOON)])[0].tolist(), strict=True))
    assert (values["device_applicants_30d"], values["device_applications_1h"]) == (3, 5)


def test_lines_elsewhere_are_opened_get_overdue_and_are_cleared_as_reports_tell() -> None:
    late = [(0, 0), (1, 30), (31, 60), (0, None), (0, 0), (5, 5)]  # the fourth leaves open whether it is cleared
    rows = [
        {"borrower_id": "b1", "lender_token": "l9", "line_token": "n1", "as_of": date(2024, 1, 31) + timedelta(31 * i),
         "opened_on": date(2023, 12, 24), "limit_minor": 100, "balance_minor": i, "dpd_low": low, "dpd_high": high}
        for i, (low, high) in enumerate(late)
    ]  # fmt: skip
    rows.append({"borrower_id": "b1", "lender_token": "l9", "line_token": "n2", "as_of": date(2024, 1, 31),
                 "dpd_low": 3, "dpd_high": 3})  # fmt: skip
    found = sorted(events_of(book(tradelines=rows)), key=lambda e: (e.effective_us, e.kind))
    day = micros(datetime(2024, 1, 31, tzinfo=UTC))
    assert [(e.kind, (e.effective_us - day) // DAY, (e.booked_us - e.effective_us) // DAY) for e in found] == [
        ("outside_line_opened", -38, 39),
        ("outside_line_opened", 0, 1),
        ("outside_overdue", 0, 1),
        ("outside_overdue", 31, 1),
        ("outside_cleared", 124, 1),
        ("outside_overdue", 155, 1),
    ]
    assert {event.lender_id for event in found} == {"l9"}
    assert len({event.event_id for event in found}) == 6


def test_a_book_without_events_has_none() -> None:
    assert events_of(book()) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", None), (True, "true"), (False, "false"), (7, "7"), (7.0, None), (None, None), ([], None),
     ({}, None)],
)  # fmt: skip
def test_a_field_is_compared_as_text(value: object, text: str | None) -> None:
    assert field_text(value) == text


def test_fields_that_definitions_read_become_columns() -> None:
    rows = [{"event_id": "e1", "kind": "purchase", "borrower_id": "b1", "effective_at": NOON,
             "payload": '{"merchant": 7, "other": 1}'}]  # fmt: skip
    found = with_fields(event_table(book(events=rows)), shipped())
    assert found[FIELD_PREFIX + "merchant"].to_pylist() == ["7"]
    assert FIELD_PREFIX + "other" not in found.column_names
