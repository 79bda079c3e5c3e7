"""Random borrowers, what they said, and collectors who ask for everything: for tests of the live and the whole gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from evenkeel.arrears.contacts.standing import SAID
from evenkeel.arrears.rows import table_of

STAMP = pa.timestamp("us", tz="UTC")
ZONES = {
    "CN": ("Asia/Shanghai", "Asia/Shanghai", "Asia/Urumqi", None),
    "US": ("America/New_York", "America/Los_Angeles", None),
}
ACTORS = {"CN": ("bank", "consumer_finance", "agency", None), "US": ("agency", "debt_buyer", "bank", None)}
CHANNELS = ("call", "call", "call", "bot_call", "sms", "email", "visit")


@dataclass
class Scene:
    """What is on record, what was said, and what is asked; rows of plain values."""

    record: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def tables(self) -> tuple[pa.Table, pa.Table, pa.Table]:
        return table_of(self.record), pa.Table.from_pylist(self.said, SAID), table_of(self.asked)


def scene(seed: int, place: str, borrowers: int = 3, asked: int = 12, hours: int = 30, most: int = 40) -> Scene:
    """Some borrowers around the day on which New York's clocks go forward.

    hours: over which they are asked for. most: contacts on record.
    """
    rng, found = Random(seed), Scene()
    begin = datetime(2026, 3, 7, 6, tzinfo=UTC)
    lenders = ("x", "y")
    names = [f"b{number}" for number in range(borrowers)]

    def contact(at: datetime) -> dict[str, Any]:
        who, lender = rng.choice(names), rng.choice(lenders)
        return {
            "action": rng.choice(CHANNELS), "at": at, "borrower_id": who, "lender_id": lender,
            "account_id": rng.choice((f"{who}-{lender}-1", f"{who}-{lender}-2", None)),
            "contact_point_token": rng.choice(("n", "m", None)), "actor_type": rng.choice(ACTORS[place]),
            "product": rng.choice(("card", "bnpl", None)), "timezone": rng.choice(ZONES[place]),
            "target": rng.choice(("debtor", "debtor", "debtor", "spouse", "other", None)),
            "direction": rng.choice(("out", "out", "out", "in")), "actor_id": rng.choice(("ag-1", "ag-2", None)),
        }  # fmt: skip

    for _ in range(rng.randint(0, most)):
        at = begin + timedelta(minutes=rng.randint(-10 * 1440, 3 * 1440))
        known = {"answered": rng.choice((True, False, None)), "conversation": rng.choice((True, False, False, None))}
        promised = date(2026, 3, rng.randint(3, 9)) if rng.random() < 0.03 else None
        found.record.append(contact(at) | known | {"promised_on": promised})
    for _ in range(rng.randint(0, 6)):
        who, lender = rng.choice(names), rng.choice((*lenders, ""))
        kind = rng.choice(
            ("consent_given", "consent_given", "consent_withdrawn", "dispute_opened", "dispute_closed", "plan_signed",
             "plan_broken", "promise", "stop_contact")
        )  # fmt: skip
        found.said.append(
            {
                "kind": kind, "borrower_id": who, "lender_id": lender,
                "account_id": rng.choice((f"{who}-{lender}-1", f"{who}-{lender}-2", None)),
                "at": begin + timedelta(hours=rng.randint(-100, 20)),
                "purpose": rng.choice(("contact_night", "contact_call")) if "consent" in kind else None,
                "promised_on": date(2026, 3, rng.randint(5, 9)) if kind == "promise" else None,
            }
        )  # fmt: skip
    found.said += [_case(rng, rng.choice(names), begin) for _ in range(rng.randint(0, 3))]
    for _ in range(asked):
        one = contact(begin + timedelta(minutes=30 * rng.randint(0, 2 * hours)))
        one |= {"debtor_unreachable": rng.choice((True, False, None)), "collectors": rng.choice((1, 2, None))}
        found.asked.append(one)
    return found


def _case(rng: Random, who: str, begin: datetime) -> dict[str, Any]:
    """What a case says, of a lender and for all debts, or of one that was sold."""
    lender = rng.choice(("x", "y"))
    row = {"borrower_id": who, "lender_id": lender, "account_id": None, "purpose": None, "promised_on": None,
           "channels": None, "at": begin + timedelta(hours=rng.randint(-100, 20))}  # fmt: skip
    kind, subject = rng.choice(
        (("complaint_opened", "c"), ("complaint_closed", "c"), ("represented", "r"), ("representation_ended", "r"),
         ("wrong_person", "n"), ("vulnerable", "v"), ("vulnerability_ended", "v"), ("insolvent", "i"),
         ("insolvency_ended", "i"), ("assigned", "ag-1"), ("assigned", "ag-2"), ("recalled", None), ("sold", None))
    )  # fmt: skip
    if kind == "vulnerable":
        row["channels"] = rng.sample(("call", "sms", "email"), 2)
    if kind == "sold":
        row["account_id"] = f"{who}-{lender}-1"
    return row | {"kind": kind, "subject": subject}
