"""What may be done to whom today: the law first, then what is promised, then what each treatment itself asks for.

Every no has a name, so that it can be told: `law` where a rule holds the treatment back beyond today (its rules
stand in `blocked`), else one of NOES. The first no of a treatment counts. Nothing here looks at whether a person
complained before, quoted a rule or has a lawyer; an open complaint is answered by a person, and holds everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.rows import DAY, NEVER, BoolArray, IntArray, micros
from evenkeel.arrears.treatments.actions import NAMES, PLACE, TREATMENTS
from evenkeel.arrears.treatments.assumed import DayAssumptions
from evenkeel.arrears.treatments.groups import Groups
from evenkeel.arrears.treatments.record import days_past_due, floats_of, ints_of, last_event, mask_of
from evenkeel.arrears.treatments.stages import HARDSHIP

PERSON_FIRST = ("stop_contact", "dispute_open", "complaint_open", "facts_to_verify")
IN_PEACE = ("plan_in_force", "promise_pending", "self_cure_likely")
NOES = (
    *PERSON_FIRST, *IN_PEACE, "law", "load_reached", "other_creditor_today", "hardship", "cause_not_assessed",
    "oversight_early", "too_early", "no_plan_offered", "due_day_fits", "limit_known_and_open", "no_capacity",
    "value_unknown",
)  # fmt: skip

_WEEK = 7 * DAY
_REVOLVING = ("card", "bnpl")


@dataclass(frozen=True, slots=True)
class May:
    """why: (n, K) place in NOES of the first no, -1 where the treatment may be. load: (n,) contacts in seven days."""

    why: IntArray
    load: IntArray

    @property
    def allowed(self) -> BoolArray:
        return self.why < 0

    def no(self, name: str, where: BoolArray, *treatments: str) -> None:
        """Say no to treatments, where it has not been said before; to all but nothing where none is named."""
        code = NOES.index(name)
        for treatment in treatments or NAMES[1:]:
            column = self.why[:, PLACE[treatment]]
            column[where & (column < 0)] = code


def may_of(
    groups: Groups,
    facts: Mapping[str, Any],
    first: Mapping[str, IntArray],
    tables: Mapping[str, pa.Table | None],
    at: int,
    given: DayAssumptions,
) -> May:
    """What may be done to each group today. facts: of each account (record.facts_of). first: action of the law -> (n,)
    first lawful instant. tables: contacts and events as known. at: microseconds."""
    cases, size = groups.cases, len(groups.lead)
    dpd = groups.greatest(days_past_due(groups.accounts))
    found = May(np.full((size, len(NAMES)), -1), _load(cases, tables.get("contacts"), at))
    cause = cases["cause"]
    held: dict[str, BoolArray] = {name: groups.any(facts[name]) for name in (*PERSON_FIRST[:3], *IN_PEACE[:2])}
    held["facts_to_verify"] = mask_of(pc.equal(cause, "concealment"))
    p_cure = floats_of(cases["p_self_cure"])
    held["self_cure_likely"] = (dpd <= given.stages.wait_days) & (p_cure >= given.stages.self_cure_likely)
    for name in (*PERSON_FIRST, *IN_PEACE):
        found.no(name, held[name])
    for treatment in TREATMENTS:
        if treatment.asks is not None:
            instants = first[treatment.asks]
            found.no("law", (instants == NEVER) | (instants >= at + DAY), treatment.name)
    contacting = [one.name for one in TREATMENTS if one.contact]
    found.no("load_reached", found.load >= given.most_contacts, *contacting)
    hardship = groups.any(facts["hardship_told"]) | mask_of(pc.is_in(cause, pa.array(HARDSHIP)))
    found.no("hardship", hardship, "call", "visit", "legal", "sale")
    # Nobody has asked yet whether it is hardship; `unclear` is an answer, null is none.
    found.no("cause_not_assessed", mask_of(pc.is_null(cause)), "call", "visit", "legal", "sale")
    early = dpd < given.stages.call_from_days
    found.no("oversight_early", mask_of(pc.equal(cause, "oversight")) & early, "call", "visit", "plan_offer")
    starts = {"call": given.stages.call_from_days, "visit": given.visit_from_days, "legal": given.legal_from_days,
              "sale": given.sale_from_days, "limit_change": 1}  # fmt: skip
    for name, start in starts.items():
        found.no("too_early", dpd < start, name)
    found.no("too_early", dpd < 1)
    found.no("no_plan_offered", ~_plan_offered(groups, tables, at), "visit", "legal", "sale")
    found.no("due_day_fits", ~_due_day_off(groups, tables.get("events"), at, given), "due_day_move")
    found.no("limit_known_and_open", ~_limit_open(cases), "limit_change")
    return found


def one_creditor(may: May, groups: Groups, at_stake: Any) -> None:
    """A borrower hears from one creditor a day: the one with most at stake among those who may contact at all."""
    contacting = [PLACE[one.name] for one in TREATMENTS if one.contact]
    can = (may.why[:, contacting] < 0).any(axis=1)
    stake = np.where(can, np.nan_to_num(at_stake), -1.0)
    order = np.lexsort((np.arange(len(stake)), -stake, groups.borrower))
    first = np.append(True, groups.borrower[order][1:] != groups.borrower[order][:-1])[: len(order)]
    other = np.ones(len(stake), bool)
    other[order[first]] = False
    may.no("other_creditor_today", other & can, *(TREATMENTS[place].name for place in contacting))


def _load(cases: pa.Table, contacts: pa.Table | None, at: int) -> IntArray:
    """Contacts that went out to each borrower in the seven days before, of all creditors on record."""
    if contacts is None:
        return np.zeros(len(cases), np.int64)
    stamps = micros(contacts["at"], NEVER)
    recent = (stamps <= at) & (stamps > at - _WEEK)
    if "direction" in contacts.column_names:
        recent &= ~mask_of(pc.is_in(contacts["direction"], pa.array(["in", "inbound"])))
    place = pc.index_in(contacts["borrower_id"].filter(pa.array(recent)), cases["borrower_id"].combine_chunks())
    counts = np.bincount(ints_of(pc.drop_null(place)), minlength=len(cases))
    own = ints_of(pc.index_in(cases["borrower_id"], cases["borrower_id"].combine_chunks()))
    return counts[own]


def _plan_offered(groups: Groups, tables: Mapping[str, pa.Table | None], at: int) -> BoolArray:
    """Where a plan was offered before, or one was signed and broken: a harsher step needs the milder one first."""
    accounts = groups.accounts
    broken = last_event(accounts, tables.get("events"), ["plan_broken"], at) > 0
    contacts = tables.get("contacts")
    if contacts is None or "treatment" not in contacts.column_names:
        return groups.any(broken)
    offers = contacts.filter(pc.fill_null(pc.equal(contacts["treatment"], "plan_offer"), False))
    offers = pa.table(
        {
            "kind": pa.array(["offer"] * len(offers), pa.string()),
            "account_id": offers["account_id"],
            "borrower_id": offers["borrower_id"],
            "effective_at": offers["at"],
        }
    )
    return groups.any(broken | (last_event(accounts, offers, ["offer"], at) > 0))


def _due_day_off(groups: Groups, events: pa.Table | None, at: int, given: DayAssumptions) -> BoolArray:
    """Where the bill is known to fall due in the ten days before pay day, and was not moved of late."""
    cases = groups.cases
    due, pay = (cases[name].cast(pa.float64()).to_numpy() for name in ("due_day", "pay_day"))
    with np.errstate(invalid="ignore"):
        before = (pay - due) % 31
        off = (before >= 1) & (before <= 10)
    moved = last_event(groups.accounts, events, ["due_day_changed"], at) > at - given.moved_within_days * DAY
    found: BoolArray = off & ~groups.any(moved)
    return found


def _limit_open(cases: pa.Table) -> BoolArray:
    """Where a revolving line is known to have room that can still be drawn."""
    room = pc.subtract(cases["limit_minor"], cases["balance_minor"])
    return mask_of(pc.greater(room, 0)) & mask_of(pc.is_in(cases["product"], pa.array(_REVOLVING)))
