"""How fast contacts are judged: a log of many, a day's plan, one before it is made, and one asked for on record.

    python benchmarks/contacts.py [--contacts N] [--asked N]

N contacts of a tenth as many borrowers over 60 days are judged by the Chinese rules in one call; then as many questions
of one day are answered, each after those before it, with as many contacts of ten days on record; then one contact with
30 earlier ones of its borrower, many times; then contacts are asked for on an embedded database, each in a transaction
with its fact, fsync on, of borrowers with 30 contacts each. No peer judges contacts by dated rules, so none stands
beside it.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.contacts.standing import SAID
from evenkeel.arrears.law import RuleBook, check, load_rules
from evenkeel.kernel.clock import system_clock
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import open_workspace

EARLIER = 30


def log(count: int, borrowers: int, days: int = 60, begin: int = 1) -> pa.Table:
    """Contacts of many kinds, in order of time, from a day of March on."""
    rng = np.random.default_rng(begin)
    start = np.datetime64(f"2026-03-{begin:02d}T00:00:00", "us")
    at = start + rng.integers(0, days * 86_400, count).astype("timedelta64[s]")
    people = [f"b{number}" for number in rng.integers(0, borrowers, count).tolist()]
    return pa.table(
        {
            "action": rng.choice(["call", "bot_call", "sms", "app", "visit"], count),
            "at": pa.array(np.sort(at), pa.timestamp("us", tz="UTC")),
            "actor_type": rng.choice(["bank", "agency", "consumer_finance"], count),
            "product": rng.choice(["card", "bnpl"], count), "timezone": ["Asia/Shanghai"] * count,
            "lender_id": rng.choice(["a", "b", "c"], count), "borrower_id": people, "account_id": people,
            "contact_point_token": people, "target": ["debtor"] * count, "answered": rng.random(count) < 0.3,
            "conversation": rng.random(count) < 0.2,
        }
    )  # fmt: skip


def spread(seconds: list[float]) -> str:
    p50, p99 = np.quantile(np.array(seconds) * 1000, (0.5, 0.99))
    return f"p50 {p50:.2f} ms  p99 {p99:.2f} ms"


def judged(rules: RuleBook, contacts: int, times: int) -> None:
    table = log(contacts, max(1, contacts // 10))
    since = time.process_time()
    answers = check(table, rules, "CN")
    print(f"{contacts:,} contacts at once: {time.process_time() - since:.2f} CPU s")
    assert len(answers) == contacts
    one, took = log(EARLIER + 1, 1), []
    for _ in range(times):
        since = time.perf_counter()
        check(one, rules, "CN")
        took.append(time.perf_counter() - since)
    print(f"one contact after {EARLIER} others of its borrower: {spread(took)}")


def planned(rules: RuleBook, contacts: int) -> None:
    known, plan = (log(contacts, max(1, contacts // 10), days, begin) for days, begin in ((10, 1), (1, 11)))
    said = SAID.empty_table()
    plan = plan.drop_columns(["answered", "conversation"])
    since = time.process_time()
    answers = Gate(rules, "CN", known, said).answers(plan)
    took, share = time.process_time() - since, pc.mean(answers["may"].cast(pa.float64())).as_py()
    print(f"{contacts:,} questions of a day, {contacts:,} contacts on record: {took:.2f} CPU s, {share:.1%} may")


def asked(rules: RuleBook, times: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-contacts-") as folder,
        open_workspace(Path(folder) / "w", database_url=None, clock=system_clock) as workspace,
    ):
        contacts = Contacts(workspace.journal, "a", rules, "CN")
        people = [f"b{number}" for number in range(max(1, times // 20))]
        opened = datetime.now(UTC) - timedelta(days=90)
        workspace.journal.append(
            [Fact(f"o-{who}", "account.opened", opened, {"lender_id": "a"}, who, f"a-{who}") for who in people]
        )
        took: list[float] = []
        spent: list[float] = []
        for turn in range(EARLIER + 20):
            for who in people:
                contact = Contact(
                    borrower_id=who, channel=("call", "sms")[turn % 2], target="debtor", timezone="Asia/Shanghai",
                    product="bnpl", actor_type="consumer_finance",
                )  # fmt: skip
                since, own = time.perf_counter(), time.process_time()
                contacts.ask(contact, secrets.token_hex(8))
                if turn >= EARLIER:
                    took.append(time.perf_counter() - since)
                    spent.append(time.process_time() - own)
        print(f"one contact asked for on record, {EARLIER} to {EARLIER + 20} before it: {spread(took)}")
        print(f"of that, in this process: {spread(spent)} of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=1_000)
    arguments = parser.parse_args()
    rules = load_rules()
    judged(rules, arguments.contacts, min(arguments.asked, 1_000))
    planned(rules, arguments.contacts)
    asked(rules, arguments.asked)


if __name__ == "__main__":
    main()
