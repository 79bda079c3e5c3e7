"""A day is planned after what is on record: contacts of the morning, what was said since, what cases say."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.law import load_rules
from evenkeel.cli.application import Application
from evenkeel.cli.main import main
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import open_workspace

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)  # noon in Shanghai, the day after the book's
PEOPLE = ("called", "represented", "stopped", "promised", "elsewhere", "left")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "book"
    folder.mkdir()
    tables: dict[str, tuple[list[str], list[list[Any]]]] = {
        "accounts": (["account_id", "borrower_id", "lender_id", "product", "currency", "limit"],
                     [[f"a-{who}", who, "k", "card", "CNY", 9000] for who in PEOPLE]),
        "periods": (["account_id", "month", "on_book", "balance", "limit", "dpd_low", "dpd_high"],
                    [[f"a-{who}", f"2026-0{month}", "true", 5000, 9000, dpd, dpd]
                     for who in PEOPLE for month, dpd in ((1, 17), (2, 45))]),
    }  # fmt: skip
    for name, (head, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
    return folder


def on_record(url: str, place: Path) -> None:
    """What happened between the book's day and noon."""
    morning = NOW - timedelta(hours=2)
    with open_workspace(place, database_url=url, clock=lambda: morning) as opened:
        journal = opened.journal
        journal.append(
            [Fact(f"o-{who}", "account.opened", morning - timedelta(days=90), {"lender_id": "k"}, who, f"a-{who}")
             for who in PEOPLE]
        )  # fmt: skip
        contacts = Contacts(journal, "k", load_rules(), "CN")
        for place_ in range(3):
            call = Contact(
                borrower_id="called", channel="call", account_id="a-called", target="debtor",
                timezone="Asia/Shanghai", actor_type="bank", product="card",
            )  # fmt: skip
            assert contacts.ask(call, f"k{place_}").may
        said: list[tuple[str, str, dict[str, Any]]] = [
            ("represented", "case.represented", {"lender_id": "k", "name": "r", "role": "lawyer"}),
            ("stopped", "event.stop_contact", {"lender_id": "k", "fields": {}}),
            ("promised", "event.promise", {"lender_id": "k", "fields": {"promised_on": "2026-03-05"}}),
            ("elsewhere", "case.represented", {"lender_id": "another", "name": "r", "role": "lawyer"}),
            ("left", "event.stop_contact", {"lender_id": "another", "fields": {}}),
        ]
        journal.append([Fact(f"f-{who}", kind, morning, payload, who) for who, kind, payload in said])


def test_what_was_done_and_said_since_the_book_counts(given_url: str, book: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    on_record(given_url, place)
    application = Application(place, given_url, lambda: NOW)
    days: dict[str, dict[str, Any]] = {}
    for name, more in (("alone", []), ("live", ["--workspace", str(place)])):
        out = tmp_path / name
        assert main(["arrears", "assign", str(book), "--out", str(out), "--json", *more], application, "") == 0
        days[name] = {one["borrower_id"]: one for one in pq.read_table(out / "assignment.parquet").to_pylist()}
    alone, live = days["alone"], days["live"]

    def rules(who: str, action: str = "call") -> set[str]:
        return {one["rule"] for one in live[who]["blocked"] if one["action"] == action}

    assert not [one for each in alone.values() for one in each["blocked"] if one["action"] == "call"]
    assert rules("called") == {"CN-GBT-FREQ"} and rules("called", "reminder") == set()
    assert live["called"]["treatment"] != "call"
    assert rules("represented") == rules("represented", "reminder") == {"EK-REPRESENTED"}
    assert live["represented"]["treatment"] not in ("call", "reminder", "plan_offer", "education", "due_day_move")
    assert live["stopped"]["treatment"] == "human_review" and alone["stopped"]["treatment"] != "human_review"
    assert live["promised"]["reasons"] == ["day.no.promise_pending"]
    for who in ("elsewhere", "left"):
        assert rules(who) == set()
        assert {**live[who], "at": None} == {**alone[who], "at": None}
        assert live[who]["at"] is None or live[who]["at"] >= NOW
