"""Accounts on the record: what is booked, what is refused, and what was known when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from account_samples import START, lender

from evenkeel.accounts import ledger
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import parse_product, shipped
from evenkeel.accounts.service import (
    Account,
    account_of,
    borrower_of,
    corrections_of,
    post,
    state_of,
)
from evenkeel.accounts.store import CORRECTED, PREFIX, PRODUCT, booked_facts, facts_of_many, one_at_a_time
from evenkeel.accounts.words import Stage
from evenkeel.cli.account_words import statement_document
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace, open_workspace

EVENKEEL = str(Path(sys.executable).with_name("evenkeel"))
Record = dict[str, object]


class Lender:
    """A workspace whose clock the test moves."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.url = place, url
        self.now = datetime(2024, 5, 1, 12, tzinfo=UTC)
        self._context = open_workspace(place, database_url=url, clock=lambda: self.now)
        self.opened = self._context.__enter__()

    def post(self, day: str, *records: Record, catalogue: Callable[[str], Product] = shipped) -> Any:
        """Book facts at noon of a day."""
        self.now = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(hours=12)
        return post(self.opened, records, catalogue)

    def account(self, name: str, day: str, known_at: datetime | None = None) -> Account:
        return account_of(self.opened, name, date.fromisoformat(day), booked_until=known_at)

    def facts(self) -> list[AccountFact]:
        """Everything of accounts on record."""
        return [booked.fact for booked in booked_facts(self.opened.journal)]

    def shut(self) -> None:
        self._context.__exit__(None, None, None)


@pytest.fixture
def keeper(tmp_path: Path, given_url: str) -> Iterator[Lender]:
    keeper = Lender(tmp_path / "lender", given_url)
    yield keeper
    keeper.shut()


def opened(account: str = "a", product: str = "pay_later", on: str = "2024-05-01", **more: object) -> Record:
    return {"account_id": account, "borrower_id": "b", "fact_id": "o", "kind": "opened", "effective_on": on,
            "product": product, **more}  # fmt: skip


def fact(name: str, kind: str, on: str, amount: int | None = None, account: str = "a", **more: object) -> Record:
    money = {} if amount is None else {"amount_minor": amount}
    return {"account_id": account, "fact_id": name, "kind": kind, "effective_on": on, **money, **more}


def evening(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.max.time(), UTC)


# --- booked and read back ---------------------------------------------------------------------------------------------


def test_what_is_posted_is_read_back_and_folds_to_the_same_state(keeper: Lender) -> None:
    records = [
        opened(limit_minor=500_000, rate_annual="0.1", funders=[{"funder_id": "F", "share": 1}], lender_id="L"),
        fact("p", "purchase", "2024-05-03", 12_900),
        fact("h", "hold", "2024-05-04", 500, expires_on="2024-06-30"),
        fact("x", "payment", "2024-05-06", 900, channel="court"),
        fact("r", "reversal", "2024-05-07", reversal_of="x"),
    ]
    answer = keeper.post("2024-05-08", *records)
    [posted] = answer.accounts
    assert (posted.account_id, posted.currency, posted.booked, posted.known) == (
        "a", "CNY", ("o", "p", "h", "x", "r"), (),
    )  # fmt: skip
    account = keeper.account("a", "2024-06-20")
    given = [
        read_fact({k: v for k, v in record.items() if k not in ("account_id", "borrower_id")}) for record in records
    ]
    product = shipped("pay_later")
    given[0] = replace(given[0], details={**given[0].details, "product_digest": product.digest})
    assert list(account.facts) == given
    assert account.product == product
    assert account.state == account_state(product, given, date(2024, 6, 20))
    assert (account.borrower_id, account.lender_id) == ("b", "L")
    assert {booked.borrower_id for booked in booked_facts(keeper.opened.journal)} == {"b"}


def test_all_facts_are_booked_or_none(keeper: Lender) -> None:
    good = [opened("a"), fact("p", "purchase", "2024-05-03", 1_000), opened("c", "card")]
    with pytest.raises(InvalidInput, match=r"record 4, account c: purchase p took effect on 2024-04-30"):
        keeper.post("2024-05-05", *good, fact("p", "purchase", "2024-04-30", 5, account="c"))
    assert keeper.facts() == []
    keeper.post("2024-05-05", *good)
    assert len(keeper.facts()) == 3


def test_the_same_facts_again_change_nothing(keeper: Lender) -> None:
    records = [record for records in lender(12, 20).values() for record in records]
    first = keeper.post("2024-05-20", *records)
    count = len(list(keeper.opened.journal.read()))
    again = keeper.post("2024-07-01", *records)
    assert [(one.account_id, one.booked, one.known) for one in again.accounts] == [
        (one.account_id, (), one.booked) for one in first.accounts
    ]
    assert len(list(keeper.opened.journal.read())) == count


def test_a_file_may_grow_and_only_what_is_new_is_booked(keeper: Lender) -> None:
    records = [opened(), fact("p", "purchase", "2024-05-03", 1_000)]
    keeper.post("2024-05-04", *records)
    [posted] = keeper.post("2024-05-06", *records, fact("q", "purchase", "2024-05-06", 2_000)).accounts
    assert (posted.booked, posted.known) == (("q",), ("o", "p"))
    assert keeper.account("a", "2024-05-06").state.balance_minor == 3_000


@pytest.mark.parametrize(
    "changed, said",
    [
        (fact("p", "purchase", "2024-05-03", 1_001), r"1, account a: the fact p is on record with `amount_minor` 1000"),
        (fact("p", "purchase", "2024-05-04", 1_000), r"with `effective_on` 2024-05-03"),
        (fact("p", "purchase", "2024-05-03", 1_000, segment="promotion"), r"with `segment` purchase"),
        (opened(product="card"), r"the fact o is on record with `product` pay_later"),
        (opened(limit_minor=5), r"with `limit_minor` None"),
        (opened() | {"borrower_id": "c"}, r"`borrower_id` is c, but the account is of b"),
    ],
)  # fmt: skip
def test_an_id_with_other_content_is_a_conflict_that_says_what_is_on_record(
    keeper: Lender, changed: Record, said: str
) -> None:
    keeper.post("2024-05-04", opened(), fact("p", "purchase", "2024-05-03", 1_000))
    with pytest.raises(Conflict, match=said):
        keeper.post("2024-05-05", changed)
    assert len(keeper.facts()) == 2


def test_one_fact_id_may_be_used_in_two_accounts(keeper: Lender) -> None:
    keeper.post("2024-05-04", opened("a"), opened("c"), fact("p", "purchase", "2024-05-03", 1, account="c"))
    assert keeper.account("a", "2024-05-04").state.balance_minor == 0
    assert keeper.account("c", "2024-05-04").state.balance_minor == 1


@pytest.mark.parametrize(
    "record, error, said",
    [
        ([1], InvalidInput, "record 2 is no fact"),
        ({"fact_id": "x"}, InvalidInput, "record 2 lacks `account_id`"),
        ({"account_id": "x" * 65}, InvalidInput, "record 2: `account_id` is"),
        (fact("x", "payment", "2024-05-05", 1, account="nobody"), NotFound, "account nobody: it is not on record"),
        (opened("z", product="nope"), NotFound, "There is no product 'nope'"),
        (opened("z") | {"product": None}, InvalidInput, "lacks `product`"),
        ({k: v for k, v in opened("z").items() if k != "borrower_id"}, InvalidInput, "an opening lacks `borrower_id`"),
        (opened("z", product_digest="0" * 64), Conflict, "`product_digest` is 0000"),
        (fact("x", "payment", "2024-05-05", 1, borrower_id="other"), Conflict, "the account is of b"),
        (fact("x", "payment", "2024-05-05", 1.5), InvalidInput, "`amount_minor` is 1.5"),
        (fact("o", "opened", "2024-05-01", product="pay_later", fact_id="o2"), InvalidInput, "is open already"),
        (opened("g", "grace_period", instalments=2), InvalidInput, "opened o does not fit grace_period"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_booked_is_named_and_nothing_is(
    keeper: Lender, record: Any, error: type[EvenkeelError], said: str
) -> None:
    with pytest.raises(error, match=said) as refused:
        keeper.post("2024-05-06", opened(), record)
    assert refused.value.message.startswith("record 2")
    assert keeper.facts() == []


def test_many_accounts_are_read_as_one_by_one(keeper: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.storage.journal._ACCOUNTS", 3)
    records = [record for records in lender(10, 20).values() for record in records]
    keeper.post("2024-05-20", *records)
    journal = keeper.opened.journal
    names = [f"a{number:04d}" for number in range(10)]
    many = facts_of_many(journal, [*names, "nobody"])
    assert many == {name: list(booked_facts(journal, name)) for name in names} | {"nobody": []}
    assert all(many[name] for name in names)


# --- the two times ----------------------------------------------------------------------------------------------------


def test_what_was_known_and_what_is_known_differ_only_after_a_late_fact(keeper: Lender) -> None:
    keeper.post("2024-05-01", opened())
    keeper.post("2024-05-20", fact("p", "purchase", "2024-05-20", 100_000))
    keeper.post("2024-07-05", fact("q", "purchase", "2024-07-05", 5_000))
    days = [date(2024, 5, 1) + timedelta(days=place) for place in range(100)]

    def now(day: date) -> object:
        return state_of(keeper.opened, "a", day)[1]

    def then(day: date) -> object:
        return state_of(keeper.opened, "a", day, booked_until=evening(day.isoformat()))[1]

    assert [now(day) for day in days] == [then(day) for day in days]
    before = {day: now(day) for day in days}
    keeper.post("2024-07-20", fact("late", "payment", "2024-06-05", 40_000))
    differ = [day for day in days if now(day) != then(day)]
    assert differ == [day for day in days if date(2024, 6, 5) <= day < date(2024, 7, 20)]
    assert [then(day) for day in days if day < date(2024, 7, 20)] == [
        before[day] for day in days if day < date(2024, 7, 20)
    ]


def test_nothing_is_known_before_the_first_fact(keeper: Lender) -> None:
    keeper.post("2024-05-03", opened(), fact("p", "purchase", "2024-05-02", 1))
    with pytest.raises(NotFound, match=r"no account a that was known by 2024-05-02"):
        keeper.account("a", "2024-05-02", evening("2024-05-02"))
    with pytest.raises(InvalidInput, match=r"the account a is not open on 2024-04-30") as refused:
        keeper.account("a", "2024-04-30")
    assert refused.value.remedy == "It was opened on 2024-05-01."


def late_story(keeper: Lender) -> Any:
    """A bill of 1 June is told, and a payment of May comes to be known on 15 July."""
    keeper.post("2024-05-20", opened(), fact("p", "purchase", "2024-05-20", 100_000))
    return keeper.post("2024-07-15", fact("late", "payment", "2024-05-25", 40_000))


def test_a_late_fact_books_the_difference_and_the_bills_that_it_changes(keeper: Lender) -> None:
    [posted] = late_story(keeper).accounts
    before = keeper.account("a", "2024-07-14", evening("2024-07-14")).state
    after = keeper.account("a", "2024-07-14").state
    found = posted.correction
    assert found is not None
    assert (found.because, found.on) == (("late",), date(2024, 7, 14))
    assert found.ledger == ledger.difference(before.postings, after.postings)
    assert sum(found.ledger.values()) == 0 and found.ledger["cash"] == 40_000
    told = {was.number: (was, now) for was, now in found.bills}
    assert {number: (was.total_minor, now.total_minor) for number, (was, now) in told.items()} == {
        2: (100_000, 60_000), 3: (101_050, 60_630),
    }  # fmt: skip
    assert told[3] == (before.bills[2], after.bills[2])
    # The record holds the same.
    [booked] = corrections_of(keeper.opened, "a")
    assert booked["because"] == ["late"] and booked["ledger"] == found.ledger
    assert [(one["was"]["number"], one["is"]["total_minor"]) for one in booked["bills"]] == [(2, 60_000), (3, 60_630)]  # type: ignore[attr-defined]


def test_a_statement_keeps_what_was_told(keeper: Lender) -> None:
    late_story(keeper)
    keeper.post("2024-08-01", fact("later", "payment", "2024-05-26", 10_000))

    def bills(day: str, known_at: datetime | None = None) -> dict[int, dict[str, Any]]:
        account = keeper.account("a", day, known_at)
        told = statement_document(account, corrections_of(keeper.opened, "a", known_at), None)
        return {bill["number"]: bill for bill in told["bills"]}

    second = bills("2024-08-05")[2]
    assert second["total_minor"] == 100_000
    assert [entry["because"] for entry in second["corrections"]] == [["late"], ["later"]]
    assert [entry["is"]["total_minor"] for entry in second["corrections"]] == [60_000, 50_000]
    assert [entry["was"]["total_minor"] for entry in second["corrections"]] == [100_000, 60_000]
    # As it was known in June: one bill, without corrections.
    assert bills("2024-06-30", evening("2024-06-30"))[2] == {**second, "corrections": []}
    # A bill that was cut after the late facts were known was told right at once.
    assert (bills("2024-08-05")[4]["cut_on"], bills("2024-08-05")[4]["corrections"]) == ("2024-08-01", [])


def test_facts_that_come_in_time_are_no_correction(keeper: Lender) -> None:
    late_story(keeper)
    answer = keeper.post("2024-07-16", fact("q", "purchase", "2024-07-16", 500), fact("f", "purchase", "2024-08-01", 5))
    assert answer.corrections == ()
    first = keeper.post(
        "2024-09-01", opened("new", on="2024-01-01"), fact("p", "purchase", "2024-01-02", 9, account="new")
    )
    assert first.corrections == (), "of a new account nothing was told before"
    assert len(list(keeper.opened.journal.read(kind=CORRECTED))) == 1


def test_a_closing_that_comes_late_voids_the_bills_after_it(keeper: Lender) -> None:
    keeper.post("2024-05-02", opened())
    keeper.post("2024-08-15", fact("c", "closed", "2024-05-20"))
    account = keeper.account("a", "2024-08-20")
    document = statement_document(account, corrections_of(keeper.opened, "a"), None)
    assert [bill.cut_on.month for bill in account.state.bills] == [5]
    assert [(bill["cut_on"], [entry["is"] for entry in bill["corrections"]]) for bill in document["bills"]] == [
        ("2024-05-01", []), ("2024-06-01", [None]), ("2024-07-01", [None]), ("2024-08-01", [None]),
    ]  # fmt: skip


# --- reversals --------------------------------------------------------------------------------------------------------


def test_a_reversed_payment_leaves_the_account_as_without_it(keeper: Lender) -> None:
    keeper.post("2024-05-04", opened("a"), opened("c"))
    for name in ("a", "c"):
        keeper.post("2024-05-04", fact("p", "purchase", "2024-05-04", 10_000, account=name))
    keeper.post("2024-06-05", fact("x", "payment", "2024-06-05", 10_000))
    keeper.post("2024-06-09", fact("r", "reversal", "2024-06-09", reversal_of="x"))
    assert keeper.account("a", "2024-06-08").state.balance_minor == 0
    without = keeper.account("c", "2024-07-20").state
    assert keeper.account("a", "2024-07-20").state == without
    with pytest.raises(InvalidInput, match="x is reversed already"):
        keeper.post("2024-06-10", fact("r2", "reversal", "2024-06-10", reversal_of="x"))


def test_only_the_latest_restructuring_can_be_reversed(keeper: Lender) -> None:
    keeper.post(
        "2024-08-01", opened("l", "cash_loan"), fact("d", "disbursement", "2024-05-01", 1_200_000, "l"),
        fact("h1", "payment_holiday", "2024-06-10", account="l", until="2024-07-10"),
        fact("h2", "term_extended", "2024-07-15", account="l", instalments=3),
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="h1 is not the latest restructuring; h2 came after it"):
        keeper.post("2024-08-02", fact("r", "reversal", "2024-08-02", account="l", reversal_of="h1"))
    keeper.post("2024-08-02", fact("r", "reversal", "2024-08-02", account="l", reversal_of="h2"))
    keeper.post("2024-08-03", fact("r1", "reversal", "2024-08-03", account="l", reversal_of="h1"))
    counts = [keeper.account("l", day).state.restructurings for day in ("2024-08-01", "2024-08-02", "2024-08-03")]
    assert counts == [2, 1, 0]


def test_an_opening_is_not_reversed(keeper: Lender) -> None:
    keeper.post("2024-05-04", opened())
    with pytest.raises(InvalidInput, match="an opening is not reversed") as refused:
        keeper.post("2024-05-05", fact("r", "reversal", "2024-05-05", reversal_of="o"))
    assert refused.value.remedy == "Close the account instead."


def test_the_only_disbursement_is_not_reversed_under_payments(keeper: Lender) -> None:
    keeper.post(
        "2024-08-01", opened("l", "cash_loan"), fact("d", "disbursement", "2024-05-01", 1_200_000, "l"),
        fact("x", "payment", "2024-06-01", 100, "l"),
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="payment x on 2024-06-01 would come before any disbursement"):
        keeper.post("2024-08-02", fact("r", "reversal", "2024-08-02", account="l", reversal_of="d"))


# --- products ---------------------------------------------------------------------------------------------------------


def test_a_product_that_changes_later_changes_no_account_that_is_open(keeper: Lender) -> None:
    keeper.post("2024-05-04", opened(), fact("p", "purchase", "2024-05-04", 100_000))
    text = json.loads(shipped("pay_later").text)
    text["line"]["penalty_rate_annual"] = "0.36"
    dearer = parse_product(json.dumps(text))
    before = keeper.account("a", "2024-07-20").state

    def catalogue(name: str) -> Product:
        return dearer

    records = [opened(), fact("p", "purchase", "2024-05-04", 100_000)]
    again = keeper.post("2024-05-05", *records, catalogue=catalogue)
    assert [one.known for one in again.accounts] == [("o", "p")], "the same file is still known"
    keeper.post("2024-05-05", opened("new"), fact("p", "purchase", "2024-05-04", 100_000, "new"), catalogue=catalogue)
    assert keeper.account("a", "2024-07-20").state == before
    assert keeper.account("new", "2024-07-20").state.owed != before.owed
    digests = [entry.fact.payload["digest"] for entry in keeper.opened.journal.read(kind=PRODUCT)]
    assert digests == [shipped("pay_later").digest, dearer.digest], "each version is kept once"


# --- money of others --------------------------------------------------------------------------------------------------

FUNDERS = [
    {"funder_id": "bank", "share": 70},
    {"funder_id": "trust", "share": 29},
    {"funder_id": "platform", "share": 1},
]


@pytest.mark.parametrize("product", ["card", "cash_loan"])
def test_the_parts_of_the_funders_sum_to_every_balance(keeper: Lender, product: str) -> None:
    spent = fact("d", "disbursement" if product == "cash_loan" else "purchase", "2024-05-02", 999_999)
    keeper.post(
        "2024-08-01", opened(product=product, funders=FUNDERS), spent, fact("x", "payment", "2024-06-03", 33_333),
        fact("g", "guarantor_payment", "2024-07-03", 1_001),
    )  # fmt: skip
    account = keeper.account("a", "2024-07-31")
    whole, split = ledger.balances(account.state.postings), account.funder_balances
    assert set(split) == {"bank", "trust", "platform"}
    for name, amount in whole.items():
        assert sum(part.get(name, 0) for part in split.values()) == amount
    assert all(sum(part.values()) in range(-len(whole), len(whole) + 1) for part in split.values())
    bank = split["bank"]["receivable:principal:" + ("loan" if product == "cash_loan" else "purchase")]
    assert bank == pytest.approx(
        0.7 * whole["receivable:principal:" + ("loan" if product == "cash_loan" else "purchase")], abs=1
    )


def test_what_a_guarantor_pays_is_owed_to_the_guarantor(keeper: Lender) -> None:
    keeper.post(
        "2024-08-01", opened(guarantor_id="G"), fact("p", "purchase", "2024-05-02", 10_000),
        fact("g", "guarantor_payment", "2024-07-03", 4_000),
    )  # fmt: skip
    state = keeper.account("a", "2024-07-31").state
    assert state.subrogated_minor == 4_000
    assert ledger.balances(state.postings)["guarantor"] == 4_000
    assert sum(amount for name, amount in ledger.balances(state.postings).items() if name == "cash") == -10_000


@pytest.mark.parametrize("product", ["pay_later", "cash_loan"])
def test_after_a_charge_off_the_claim_is_recovered_and_sold(keeper: Lender, product: str) -> None:
    spent = fact("d", "disbursement" if product == "cash_loan" else "purchase", "2024-05-02", 100_000)
    keeper.post(
        "2025-01-01", opened(product=product), spent, fact("co", "charge_off", "2024-09-01"),
        fact("x", "recovery", "2024-10-01", 30_000, via="court"),
        fact("s", "sale", "2024-11-01", price_minor=7_000, buyer_id="B"),
    )  # fmt: skip
    states = [keeper.account("a", day).state for day in ("2024-08-31", "2024-09-30", "2024-10-31", "2024-11-30")]
    assert [state.stage for state in states] == [Stage.OPEN, Stage.CHARGED_OFF, Stage.CHARGED_OFF, Stage.SOLD]
    owed = ledger.balances(states[1].postings)["loss"]
    assert [state.balance_minor for state in states[1:]] == [0, 0, 0]
    assert [state.claim_minor for state in states[1:]] == [owed, owed - 30_000, 0]
    end = ledger.balances(states[3].postings)
    assert end["recovered"] == -37_000 and "claim" not in end
    with pytest.raises(InvalidInput, match="the account is sold on 2024-12-01"):
        keeper.post("2025-01-01", fact("s2", "sale", "2024-12-01", price_minor=1, buyer_id="C"))


def test_a_borrower_is_seen_over_all_accounts_and_lenders(keeper: Lender) -> None:
    keeper.post(
        "2024-07-01", opened("a", lender_id="L1"), opened("c", "card_us", lender_id="L2"),
        opened("d", on="2024-06-20"), opened("other") | {"borrower_id": "b2"},
        fact("p", "purchase", "2024-05-02", 10_000), fact("p", "purchase", "2024-05-02", 20_000, "c"),
    )  # fmt: skip
    accounts, view = borrower_of(keeper.opened, "b", date(2024, 6, 30))
    assert [(one.account_id, one.lender_id) for one in accounts] == [("a", "L1"), ("c", "L2"), ("d", "")]
    assert (view.accounts, view.debts, view.late_debts, view.all_platforms_late) == (3, 2, 2, True)
    assert [(total.currency, total.balance_minor) for total in view.totals] == [
        ("CNY", accounts[0].state.balance_minor), ("USD", accounts[1].state.balance_minor),
    ]  # fmt: skip
    assert [one.account_id for one in borrower_of(keeper.opened, "b", date(2024, 6, 1))[0]] == ["a", "c"]
    with pytest.raises(NotFound, match="no account of the borrower nobody"):
        borrower_of(keeper.opened, "nobody", date(2024, 6, 30))


# --- two at once ------------------------------------------------------------------------------------------------------


def waiting(workspace: Workspace) -> int:
    """How many processes wait for a lock in this database."""
    query = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database = " \
            "(SELECT oid FROM pg_database WHERE datname = current_database())"  # fmt: skip
    with workspace.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def test_two_processes_that_post_one_file_at_once_book_it_once(keeper: Lender, tmp_path: Path) -> None:
    records = [record for records in lender(30, 20).values() for record in records]
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    environment = os.environ | {"EVENKEEL_DATABASE_URL": keeper.url}
    command = [EVENKEEL, "accounts", "post", str(file), "--json", "--workspace", str(tmp_path / "work")]
    with transaction(keeper.opened.engine) as connection:
        one_at_a_time(connection, {str(record["account_id"]) for record in records})
        started = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]  # fmt: skip
        deadline = time.monotonic() + 60
        while waiting(keeper.opened) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert waiting(keeper.opened) == 2, "both must be held up here before either has booked"
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted((answer["booked"], answer["known"]) for answer in answers) == [(0, len(records)), (len(records), 0)]
    assert len(keeper.facts()) == len(records)


def test_a_posting_of_other_accounts_does_not_wait_for_ever(keeper: Lender) -> None:
    with transaction(keeper.opened.engine) as connection:
        one_at_a_time(connection, {"somebody"})
        keeper.post("2024-05-04", opened("a"))
    assert len(keeper.facts()) == 1


def test_the_facts_of_a_made_lender_are_all_booked_and_named(keeper: Lender) -> None:
    booked = [record for records in lender(25, 30, seed=8).values() for record in records]
    answer = keeper.post((START + timedelta(days=31)).isoformat(), *booked)
    assert sum(len(one.booked) for one in answer.accounts) == len(booked)
    kinds = [entry.fact.kind for entry in keeper.opened.journal.read() if entry.fact.kind.startswith(PREFIX)]
    assert len(kinds) == len(booked)
