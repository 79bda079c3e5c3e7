"""A simulated year of collectors who ask for everything, all the time, beside an oracle that judges each answer.

    python tests/arrears/contact_year.py [--borrowers N] [--days N] [--hours N] [--seed N]

Debtors of China and of the United States fall behind for a while. Six creditors, most with agencies, plan for some
hours at a time: at the edges of lawful hours and microseconds beside them, in bursts of one instant, at relatives, to
several numbers, by five channels, for days ahead, without knowing the zone. Debtors move and clocks change; they
consent and withdraw, dispute, complain, sign, promise and ask to be left alone, and much of that is booked up to three
days after it happened. What was planned for later is asked for again before it is made.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

sys.path.append(str(Path(__file__).parent))

from year_oracle import FACTUAL, HOMES, Contact, Person, Said, local, midnight

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.standing import SAID
from evenkeel.arrears.law import RuleBook, load_rules

BEGIN = datetime(2026, 2, 20, tzinfo=UTC)  # two changes of clocks lie ahead, in autumn and spring
CREDITORS = ("bank-a", "bank-b", "fund-c", "fund-d", "shop-e", "shop-f")
OWN = {"bank": "bank", "fund": "consumer_finance", "shop": "platform"}
CHANNELS = ("call", "bot_call", "sms", "email", "visit")
ABROAD = ("Europe/London", "Australia/Lord_Howe", "America/New_York")
EDGES = ((8, 0), (8, 0), (22, 0), (21, 0), (0, 0), (12, 0), (18, 30))
STAMP = pa.timestamp("us", tz="UTC")
TICK = timedelta(microseconds=1)
TEXT = {"channel": "action", "lender": "lender_id", "account": "account_id", "actor": "actor_type",
        "product": "product", "zone": "timezone", "target": "target", "point": "contact_point_token"}  # fmt: skip
KNOWN = {"unreachable": "debtor_unreachable", "refused": "third_party_refused", "answered": "answered",
         "conversation": "conversation"}  # fmt: skip
EVENTS = {"night": ("consent_given", "consent_withdrawn"), "calls": ("consent_given", "consent_withdrawn"),
          "dispute": ("dispute_opened", "dispute_closed"), "complaint": ("complaint_opened", "complaint_closed"),
          "plan": ("plan_signed", "plan_broken"), "stopped": ("stop_contact", ""),
          "promise": ("promise", "")}  # fmt: skip
PURPOSES = {"night": "contact_night", "calls": "contact_call"}


@dataclass
class Tally:
    """What was asked and answered. outside: what the oracle would have answered otherwise; nobody may be there."""

    asked: int = 0
    allowed: int = 0
    made: int = 0
    blocked: int = 0
    lawful_from: int = 0
    searched: int = 0
    outside: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    per_person: Counter[str] = field(default_factory=Counter)
    gate_seconds: float = 0.0

    def __str__(self) -> str:
        people = max(1, len(self.per_person))
        return (
            f"asked {self.asked:,}  allowed {self.allowed:,} ({self.allowed / max(1, self.asked):.1%})  "
            f"made {self.made:,} ({self.made / people:.1f} for each of {people:,} debtors)  "
            f"refused {self.asked - self.allowed:,}, {self.blocked:,} of them blocked, {self.lawful_from:,} with a "
            f"next lawful instant, {self.searched:,} of them searched for  "
            f"otherwise than the oracle: {len(self.outside)}  gate {self.gate_seconds:.0f} CPU s"
        )


class Year:
    """The debtors of one place, and their collectors. searched: one in how many first lawful instants is looked for."""

    def __init__(
        self, place: str, borrowers: int, days: int, seed: int, rules: RuleBook, hours: int, searched: int
    ) -> None:
        self.place, self.rules, self.days, self.searched = place, rules, days, searched
        self.rng, self.window = Random(seed), timedelta(hours=hours)
        zones = [*HOMES[place], HOMES[place][0], HOMES[place][0], *(ABROAD if place == "CN" else ())]
        self.people = [Person(f"{place}-{n}", place, self.rng.choice(zones)) for n in range(borrowers)]
        self.zones = zones
        # Each falls behind once, for some days.
        self.starts: dict[int, list[Person]] = {}
        for person in self.people:
            self.starts.setdefault(self.rng.randrange(max(1, days)), []).append(person)
        self.behind: list[tuple[int, Person]] = []
        self.ahead: dict[str, list[Contact]] = {}
        self.tally, self.order = Tally(), 0

    def run(self) -> Tally:
        for day in range(self.days):
            self.behind = [(until, p) for until, p in self.behind if until > day]
            self.behind += [(day + self.rng.choice((1, 2, 3, 3, 9)), person) for person in self.starts.get(day, ())]
            for part in range(timedelta(days=1) // self.window):
                self._window(BEGIN + timedelta(days=day) + part * self.window)
        return self.tally

    def _window(self, now: datetime) -> None:
        asked: list[tuple[Person, Contact]] = []
        for _, person in self.behind:
            self._lives(person, now)
            planned = [one for one in person.contacts if one.at >= now and one.answered is None]
            again = [one for one in planned if one.at < now + self.window]
            person.contacts = [one for one in person.contacts if not any(one is other for other in again)]
            asked += [(person, one) for one in again]
            asked += [(person, one) for one in self._plans(person, now)]
        if not asked:
            return
        asked.sort(key=lambda one: one[1].at)
        since = time.process_time()
        gate = Gate(self.rules, self.place, self._record(), self._said())
        answers = gate.answers(_table(asked)).to_pylist()
        self.tally.gate_seconds += time.process_time() - since
        for (person, one), answer in zip(asked, answers, strict=True):
            self._judge(person, one, answer, now)

    def _judge(self, person: Person, one: Contact, answer: dict[str, Any], now: datetime) -> None:
        tally, why = self.tally, person.why_not(one, one.at)
        tally.asked += 1
        tally.reasons.update(why)

        def told(what: str) -> None:
            tally.outside.append(f"{what}{person.name} {one} why {sorted(why)} answer {answer}")

        if answer["may"] != (not why):
            told("")
        if answer["may"]:
            tally.allowed += 1
            person.contacts.append(one)
            if one.at < now + self.window:
                tally.made += 1
                tally.per_person[person.name] += 1
            return
        tally.rules.update({rule["id"] for rule in answer["rules"]})
        if not answer["rules"] or not all(rule["id"] and rule["value"] for rule in answer["rules"]):
            told("no rule or no value: ")
        if answer["answer"] == "block":
            tally.blocked += 1
            self._next(person, one, answer, why, told)

    def _next(
        self, person: Person, one: Contact, answer: dict[str, Any], why: set[str], told: Callable[[str], None]
    ) -> None:
        """The next lawful instant: lawful then, and not before; none where only facts end it."""
        first, tally = answer["lawful_from"], self.tally
        if first is None:
            if not why & FACTUAL:
                told("no instant: ")
            return
        tally.lawful_from += 1
        unknown = {"third unknown", "visitors unknown"}  # needs a fact: it does not block
        left = person.why_not(one, first) - unknown
        if first <= one.at or left or why & FACTUAL:
            told(f"not lawful then, {left}: ")
        if not why & unknown and tally.lawful_from % self.searched == 0:
            tally.searched += 1
            if (best := person.first_lawful(one)) != first:
                told(f"first lawful at {best}: ")

    def _lives(self, person: Person, now: datetime) -> None:
        """What became of contacts, and what the debtor does and says."""
        rng = self.rng
        kept = []
        for one in person.contacts:
            if one.at < now and one.answered is None and rng.random() < 0.7:
                if rng.random() < 0.1:
                    continue  # it was not made after all
                one.answered = rng.random() < 0.45
                one.conversation = one.answered and rng.random() < 0.4
                if one.conversation and rng.random() < 0.03:
                    one.promised = now.date() + timedelta(days=rng.randint(0, 2))
            kept.append(one)
        person.contacts = kept
        if rng.random() < 0.04:
            person.zone = rng.choice(self.zones)
        if rng.random() < 0.08:  # the debtor calls
            lender = rng.choice(CREDITORS)
            at = now - timedelta(minutes=rng.randint(1, 400))
            talked = rng.random() < 0.6
            person.contacts.append(
                Contact(at, "call", lender, _account(rng, person, lender), zone=person.zone, inbound=True,
                        answered=True, conversation=talked)
            )  # fmt: skip
        if rng.random() < 0.2:
            self._says(person, now)

    def _says(self, person: Person, now: datetime) -> None:
        rng = self.rng
        what = rng.choices([*EVENTS], (6, 6, 4, 2, 2, 0.7, 2))[0]
        self.order += 1
        lender = rng.choice(CREDITORS) if what in ("dispute", "complaint", "stopped", "promise") else ""
        person.said.append(
            Said(
                what, now - timedelta(minutes=rng.choice((0, 0, 90, 1000, 4000))), self.order,
                what in ("stopped", "promise") or rng.random() < 0.45, lender,
                _account(rng, person, lender) if what == "dispute" else None,
                now.date() + timedelta(days=rng.randint(0, 3)) if what == "promise" else None,
            )
        )  # fmt: skip

    def _plans(self, person: Person, now: datetime) -> list[Contact]:
        rng = self.rng
        lender = rng.choice(CREDITORS)
        actor = rng.choice(
            (OWN[lender[:4]], "agency", "agency", "debt_buyer" if self.place == "US" else "agency", None)
        )
        product = rng.choice(("card", "bnpl", None))
        account = _account(rng, person, lender)
        found = []
        for at in self._instants(person, now):
            target = rng.choices(("debtor", "spouse", "other", None), (12, 2, 1, 0.5))[0]
            found.append(
                Contact(
                    at, rng.choices(CHANNELS, (6, 3, 2, 1, 1))[0], lender, account, actor, product,
                    person.zone if rng.random() < 0.93 else None, target, point=rng.choice(("n", "m", None)),
                    unreachable=rng.choice((True, True, False, None)) if target in ("spouse", "other") else None,
                    refused=rng.choice((None, None, None, True)) if target in ("spouse", "other") else None,
                    collectors=rng.choice((2, 2, 1, None)),
                )
            )  # fmt: skip
        return found

    def _instants(self, person: Person, now: datetime) -> list[datetime]:
        """Edges of hours and moments beside them, bursts of one instant, and days ahead."""
        rng = self.rng
        draw, end = rng.random(), now + self.window
        anywhere = now + timedelta(seconds=rng.randrange(int(self.window.total_seconds())))
        if draw < 0.35:  # a burst: several agencies at one instant
            return [anywhere] * rng.randint(2, 9)
        if draw < 0.75:  # edges on the debtor's clock
            found = []
            for _ in range(rng.randint(2, 6)):
                day = local(now, person.zone).date() + timedelta(days=rng.choice((0, 0, 1)))
                hour, minute = rng.choice(EDGES)
                edge = midnight(person.zone, day) + timedelta(hours=hour, minutes=minute)
                found.append(edge + rng.choice((-1, 0, 1)) * rng.choice((TICK, timedelta(seconds=1))))
            return [at for at in found if now <= at] or [anywhere]
        if draw < 0.9:
            return [
                now + timedelta(seconds=rng.randrange(int(self.window.total_seconds())))
                for _ in range(rng.randint(1, 5))
            ]
        return [end + timedelta(minutes=rng.randrange(3 * 1440)) for _ in range(rng.randint(1, 6))]

    def _record(self) -> pa.Table:
        return _table([(person, one) for _, person in self.behind for one in person.contacts])

    def _said(self) -> pa.Table:
        rows = sorted(((said, person) for _, person in self.behind for said in person.said), key=lambda o: o[0].order)
        return pa.Table.from_pylist(
            [
                {"kind": EVENTS[said.what][not said.on], "borrower_id": person.name, "lender_id": said.lender,
                 "account_id": said.account, "at": said.at, "purpose": PURPOSES.get(said.what), "promised_on": said.day}
                for said, person in rows
            ],
            SAID,
        )  # fmt: skip


def _account(rng: Random, person: Person, lender: str) -> str | None:
    return rng.choice((f"{person.name}-{lender}-1", f"{person.name}-{lender}-1", f"{person.name}-{lender}-2", None))


def _table(rows: list[tuple[Person, Contact]]) -> pa.Table:
    contacts = [one for _, one in rows]
    columns: dict[str, Any] = {
        name: pa.array([getattr(c, n) for c in contacts], pa.string()) for n, name in TEXT.items()
    }
    columns |= {name: pa.array([getattr(c, n) for c in contacts], pa.bool_()) for n, name in KNOWN.items()}
    return pa.table(
        columns | {
            "at": pa.array([c.at for c in contacts], STAMP),
            "borrower_id": pa.array([p.name for p, _ in rows], pa.string()),
            "direction": pa.array(["in" if c.inbound else "out" for c in contacts], pa.string()),
            # Whoever knows that a debtor can be reached knows that they live.
            **{name: pa.array([False if c.unreachable is False else None for c in contacts], pa.bool_())
               for name in ("debtor_deceased", "debtor_incapacitated")},
            "collectors": pa.array([c.collectors for c in contacts], pa.int64()),
            "promised_on": pa.array([c.promised for c in contacts], pa.date32()),
        }
    )  # fmt: skip


def simulate(borrowers: int, days: int, hours: int, seed: int = 1, searched: int = 10) -> dict[str, Tally]:
    """Half of the debtors in China, half in the United States. hours: of one plan."""
    rules = load_rules()
    return {place: Year(place, borrowers // 2, days, seed, rules, hours, searched).run() for place in ("CN", "US")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--borrowers", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--hours", type=int, default=24, help="of one plan")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    since = time.process_time()
    for place, tally in simulate(arguments.borrowers, arguments.days, arguments.hours, arguments.seed).items():
        sys.stdout.write(f"{place}: {tally}\n  {dict(tally.reasons)}\n  {dict(tally.rules)}\n")
        for said in tally.outside[:5]:
            sys.stdout.write(f"  ! {said}\n")
    sys.stdout.write(f"{time.process_time() - since:.0f} CPU s\n")


if __name__ == "__main__":
    main()
