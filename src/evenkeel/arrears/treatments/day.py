"""One day's assignment for a whole portfolio: one treatment each, the law first, then value under what there is.

    groups -> what is on record -> when each action is lawful -> what may be done -> what it is worth
           -> the lot of the randomised slice -> the best within the capacities left -> one row an account

Whatever is uncertain ends in doing nothing: a value that is not known, an hour that is not known to be lawful, a
precondition that nobody recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.arrears.law import RuleBook
from evenkeel.arrears.rows import NEVER, BoolArray, FloatArray, IntArray
from evenkeel.arrears.treatments.actions import HUMAN_REVIEW, NAMES, PLACE, TREATMENTS
from evenkeel.arrears.treatments.assumed import DayAssumptions
from evenkeel.arrears.treatments.capacity import Capacity, constraint_of
from evenkeel.arrears.treatments.groups import Groups, groups_of
from evenkeel.arrears.treatments.lawful import (
    BLOCKED,
    STAMP,
    asked_of,
    blocked_lists,
    first_lawful,
    history_of,
    planned,
)
from evenkeel.arrears.treatments.may import NOES, PERSON_FIRST, May, may_of, one_creditor
from evenkeel.arrears.treatments.record import facts_of
from evenkeel.arrears.treatments.slice import Lot, draw, propensities
from evenkeel.arrears.treatments.values import Worth, worth_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.assignment import Assignment, Constraint, assign, parity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HELD = pa.list_(pa.struct([("treatment", pa.string()), ("why", pa.string())]))
DAY_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()), ("borrower_id", pa.string()), ("lender_id", pa.string()),
        ("lead_account_id", pa.string()),  # the account that stands for those of the borrower with the lender
        ("dpd", pa.int32()), ("state", pa.string()), ("treatment", pa.string()), ("at", STAMP),
        ("value_minor", pa.float64()),  # expected, over doing nothing; on the lead's row alone
        ("propensity", pa.float64()), ("in_slice", pa.bool_()), ("reasons", pa.list_(pa.string())),
        ("blocked", BLOCKED), ("held", HELD),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fairness:
    """No group of a text column of the cases is treated more often than all are, by more than `most_apart`."""

    column: str
    most_apart: float


@dataclass(frozen=True, slots=True)
class Request:
    """What steers a day. now: an instant with a zone. share, seed: of the randomised slice. capacities: without one a
    gentle treatment or a call is unbounded, and a harsh one (visit, legal, sale) is never given."""

    now: datetime
    jurisdiction: str
    rules: RuleBook
    capacities: Sequence[Capacity] = ()
    fairness: Sequence[Fairness] = ()
    assumptions: DayAssumptions = DayAssumptions()  # noqa: RUF009 - frozen
    share: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """table: DAY_SCHEMA, one row an overdue account, by id. The rest is by group: groups, may, worth, lot, `chosen`
    (what the assignment says without the case's own lot), `given` (what is done), solved (all outside the slice)."""

    table: pa.Table
    groups: Groups
    may: May
    worth: Worth
    lot: Lot
    chosen: IntArray
    given: IntArray
    solved: Assignment
    constraints: tuple[Constraint, ...]
    capacities: tuple[Constraint, ...]


def plan_day(
    cases: pa.Table,
    contacts: pa.Table | None,
    consents: pa.Table | None,
    complaints: pa.Table | None,
    events: pa.Table | None,
    request: Request,
    fitted: pa.Table | None = None,
    said: pa.Table | None = None,
) -> Day:
    """Assign one treatment to the accounts of each borrower with each lender.

    cases: overdue accounts, as `stages.treat` takes them, and where known limit_minor, due_day and pay_day (days of a
    month). contacts, consents, complaints, events: CONTRACT 2. fitted: see `values.worth_of`.
    said: what cases say of the borrowers (`contacts.standing.SAID`).
    Raises InvalidInput where `now` has no zone or something asked for does not fit the cases.
    """
    if request.now.tzinfo is None:
        raise InvalidInput("`now` needs a zone.", "Pass an instant in UTC.")
    at = (request.now - _EPOCH) // timedelta(microseconds=1)
    given = request.assumptions
    groups = groups_of(cases)
    facts = facts_of(groups.accounts, contacts, complaints, events, at, given.stages)
    first, answers = _lawful(groups, facts, contacts, consents, said, at, request)
    may = may_of(groups, facts, first, {"contacts": contacts, "events": events}, at, given)
    worth = worth_of(groups, given, fitted)
    for name in _without_capacity(request):
        may.no("no_capacity", np.ones(len(groups.lead), bool), name)
    unknown = ~np.isfinite(worth.value)
    for place, name in enumerate(NAMES[1:], 1):
        may.no("value_unknown", unknown[:, place], name)
    one_creditor(may, groups, worth.at_stake)
    lot, constraints, capacities = _drawn(groups, may, request)
    drawn = _used(constraints, np.where(lot.inside, lot.action, 0))
    # What those in the slice would have had outside of it, for the chances; then the best for all others.
    without = _solve(groups, may.allowed, worth, constraints, drawn)
    others = may.allowed & ~(lot.inside[:, None] & (np.arange(len(NAMES)) > 0))
    solved = _solve(groups, others, worth, constraints, drawn) if lot.inside.any() else without
    chosen = np.where(lot.inside, without.choice, solved.choice).astype(np.int64)
    done = np.where(lot.inside, lot.action, chosen)
    chance = propensities(lot, chosen)[np.arange(len(done)), done]
    table = _table(groups, facts, may, worth, lot, done, chance, first, answers, at)
    return Day(table, groups, may, worth, lot, chosen, done, solved, constraints, capacities)


def _lawful(
    groups: Groups, facts: Mapping[str, Any], contacts: pa.Table | None, consents: pa.Table | None,
    said: pa.Table | None, at: int, request: Request,
) -> tuple[dict[str, IntArray], dict[str, pa.Table]]:  # fmt: skip
    """For each action of the law its first lawful instant, and the answers now, one a group."""
    # What holds for one account of a borrower with a lender holds for the contact that speaks of all of them.
    flags = ("stop_contact", "dispute_open", "complaint_open", "plan_in_force")
    shared: dict[str, Any] = {name: groups.any(facts[name]) for name in flags}
    shared["promised_on"] = groups.greatest(facts["promised_on"])
    asked = asked_of(groups.cases, shared)
    history = history_of(groups.accounts, contacts, at, request.rules)
    first, answers = {}, {}
    for action in sorted({one.asks for one in TREATMENTS if one.asks}):
        actions = planned(asked, action)
        if action == "visit":
            people = pa.array(np.full(len(actions), request.assumptions.visit_collectors))
            actions = actions.append_column("collectors", people)
        first[action], answers[action] = first_lawful(
            actions, history, consents, at, request.jurisdiction, request.rules, said
        )
    return first, answers


def _without_capacity(request: Request) -> list[str]:
    """Harsh treatments that no capacity was given for."""
    named = {name for one in request.capacities for name in (one.name, *one.uses)}
    return [one.name for one in TREATMENTS if one.harsh and one.name not in named]


def _drawn(groups: Groups, may: May, request: Request) -> tuple[Lot, tuple[Constraint, ...], tuple[Constraint, ...]]:
    """The lot, all bounds, and those of them that are capacities.

    A treatment is drawn only where every capacity would do if everybody in the slice drew it: so no draw ever has to be
    taken back, and the chances are those that are written down.
    """
    cases = groups.cases
    capacities = tuple(constraint_of(one, cases, request.assumptions) for one in request.capacities)
    gentle = may.allowed & np.array([one.gentle for one in TREATMENTS])
    ids = [name or "" for name in cases["borrower_id"].to_pylist()]
    lot = draw(gentle, ids, request.now.date(), request.share, request.seed)
    for one in capacities:
        weight = np.ones(len(cases)) if one.weight is None else one.weight
        worst = float(weight[lot.inside].sum()) * one.amounts.max(initial=0.0)
        if worst > one.capacity:
            gentle = gentle & (one.amounts == 0)
    lot = draw(gentle, ids, request.now.date(), request.share, request.seed)
    fair = []
    for rule in request.fairness:
        treated = np.array([float(one.name != "nothing") for one in TREATMENTS])
        codes, values = _coded(cases, rule.column)
        fair += [
            replace(one, name=f"{rule.column}={value}")
            for one, value in zip(parity(rule.column, codes, treated, rule.most_apart), values, strict=True)
        ]
    return lot, (*capacities, *fair), capacities


def _coded(cases: pa.Table, column: str) -> tuple[IntArray, list[str]]:
    """The place of each case's value of a text column among those that occur, -1 where it is not known."""
    if column not in cases.column_names or not pa.types.is_string(cases[column].type):
        texts = [field.name for field in cases.schema if pa.types.is_string(field.type)]
        raise InvalidInput(f"cases have no text `{column}` to be fair by.", f"Known: {', '.join(texts)}.")
    values = cases[column].to_pylist()
    known = sorted({value for value in values if value is not None})
    places = {value: place for place, value in enumerate(known)}
    return np.array([places.get(value, -1) for value in values], np.int64), known


def _used(constraints: Sequence[Constraint], action: IntArray) -> FloatArray:
    """(C,): what actions use of each bound."""
    return np.array(
        [float((one.amounts[action] * (1.0 if one.weight is None else one.weight)).sum()) for one in constraints]
    )


def _solve(
    groups: Groups, allowed: BoolArray, worth: Worth, constraints: Sequence[Constraint], drawn: FloatArray
) -> Assignment:
    """The best treatments of all within what the slice leaves of each bound."""
    left = [
        replace(one, capacity=max(one.capacity - used, 0.0) if (one.weight is None or (one.weight >= 0).all())
                else one.capacity)
        for one, used in zip(constraints, drawn, strict=True)
    ]  # fmt: skip
    ids = groups.cases["account_id"].to_pylist()
    key = np.array([int.from_bytes(blake2b(one.encode(), digest_size=7).digest(), "big") for one in ids], np.int64)
    return assign(np.nan_to_num(worth.value), allowed, left, key=key)


def _table(
    groups: Groups, facts: Mapping[str, Any], may: May, worth: Worth, lot: Lot, done: IntArray, chance: FloatArray,
    first: Mapping[str, IntArray], answers: Mapping[str, pa.Table], at: int,
) -> pa.Table:  # fmt: skip
    accounts, of = groups.accounts, groups.of
    size = len(groups.lead)
    person = np.isin(may.why[:, PLACE["reminder"]], [NOES.index(name) for name in PERSON_FIRST])
    names = np.array([*NAMES, HUMAN_REVIEW], dtype=object)[np.where(person, len(NAMES), done)]
    instants = np.full(size, NEVER)
    for place, treatment in enumerate(TREATMENTS):
        mine = done == place
        instants[mine] = NEVER if place == 0 else (first[treatment.asks][mine] if treatment.asks else at)
    instants[person] = at
    channels = {one.name: one.asks for one in TREATMENTS if one.asks}
    blocked = blocked_lists(NAMES, channels, answers)
    lead = np.arange(len(accounts)) == groups.lead[of]
    value = np.where(lead, worth.value[np.arange(size), done][of], np.nan)
    leads = groups.cases["account_id"]
    where = pa.array(of)
    columns = [
        accounts["account_id"], accounts["borrower_id"], accounts["lender_id"], leads.take(where), accounts["dpd"],
        accounts["state"], pa.array(names[of].tolist(), pa.string()),
        pa.array(instants[of], mask=instants[of] == NEVER).cast(STAMP),
        pa.array(value, mask=np.isnan(value)), pa.array(chance[of]), pa.array(lot.inside[of]),
        _reasons(may, lot, done, worth).take(where), blocked.take(where), _held(may).take(where),
    ]  # fmt: skip
    return pa.table(columns, schema=DAY_SCHEMA)


def _reasons(may: May, lot: Lot, done: IntArray, worth: Worth) -> pa.Array:
    """Why: drawn by lot; what held everything; worth most; or nothing is worth more than nothing."""
    lists: list[list[str]] = []
    why = may.why[:, 1:]
    everything: BoolArray = np.all(why >= 0, axis=1)
    # The last word on a case in which nothing may be done: the no of its mildest treatment.
    mild = may.why[:, PLACE["reminder"]]
    for inside, held, no, action in zip(
        lot.inside.tolist(), everything.tolist(), mild.tolist(), done.tolist(), strict=True
    ):
        if inside:
            lists.append(["day.lot"])
        elif held:
            lists.append([f"day.no.{NOES[no]}"])
        else:
            lists.append(["day.worth_most" if action else "day.nothing_worth_more"])
    return pa.array(lists, pa.list_(pa.string()))


def _held(may: May) -> pa.Array:
    """One list a group of the treatments that may not be, each with its first no."""
    row, place = np.nonzero(may.why >= 0)
    structs = pa.StructArray.from_arrays(
        [pa.array(NAMES).take(pa.array(place)), pa.array(NOES).take(pa.array(may.why[row, place]))],
        fields=list(HELD.value_type),
    )
    offsets = np.searchsorted(row, np.arange(len(may.why) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=HELD)
