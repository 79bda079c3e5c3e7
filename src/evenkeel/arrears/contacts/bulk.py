"""May these contacts be made? All questions of a day, or one, answered in the order of their instants.

What is cleared counts for those after it, as if one had been asked after the other. Two borrowers never wait for each
other, and within one only what is undecided is looked at again:

    nothing undecided counts -> over a cap all the same: refused
    everything undecided counts -> within every cap all the same: cleared
    else once more; each round decides at least the first that is open, of every borrower

That is sound because only caps on contacts look at other contacts, and one contact more never makes a cap looser.
A contact on record that lies later keeps its place: a question about an earlier one that would take it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.standing import as_mask, bars, codes_of, holds, pairs
from evenkeel.arrears.law import (
    ANSWERS,
    REQUIRE,
    Check,
    Found,
    RuleBook,
    answer_table,
    findings,
    strengths,
)  # fmt: skip
from evenkeel.arrears.rows import DAY, NEVER, VOICE, BoolArray, IntArray, Rows, Turns, micros
from evenkeel.kernel.errors import InvalidInput

_STAMP = pa.timestamp("us", tz="UTC")
_CORE = {
    "action": pa.string(), "at": _STAMP, "borrower_id": pa.string(), "lender_id": pa.string(),
    "account_id": pa.string(), "contact_point_token": pa.string(), "direction": pa.string(), "target": pa.string(),
    "actor_type": pa.string(), "product": pa.string(), "timezone": pa.string(), "answered": pa.bool_(),
    "conversation": pa.bool_(),
}  # fmt: skip
_WHO = {"actor_id": pa.string(), "through_representative": pa.bool_()}  # of a question, where given
RECORD = pa.schema([*_CORE.items(), ("promised_on", pa.date32())])  # what is looked at of contacts on record
_KEYS = ("borrower_id", "lender_id")
_TRIES = 10  # instants that are looked at for a lawful one
_BLOCK = ANSWERS.index("block")
_LAST = np.iinfo(np.int64).max
_NOBODY: IntArray = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Gate:
    """The law of a place, and what is on record there.

    record: contacts that were made, or cleared and may be made: CONTRACT 2, contacts (`channel` or `action`), with
    lender_id, actor_type, product and timezone where known, and call_consent_at where `said` does not tell of it.
    said: rows of `standing.SAID` in order of booking.
    """

    rules: RuleBook
    jurisdiction: str
    record: pa.Table
    said: pa.Table
    language: str = "en"

    def answers(self, asked: pa.Table) -> pa.Table:
        """One answer a question, in the order of the questions.

        asked: contacts that somebody wants to make: action or channel, at, borrower_id, lender_id, and what else is
        known of each (`law.check`). They are answered in the order of `at`, of one instant in the order given.
        Returns may (bool), answer, lawful_from (the first instant at which every rule that blocks is silent, by what is
        on record then; null where nothing blocks or only a fact ends it) and rules (`law.FINDINGS`).
        Raises InvalidInput where a question lacks borrower_id, lender_id, at or the action.
        """
        asked, record = _questions(asked), self._counted_record()
        if len(asked) == 1:
            return self._answered(record, self._plan(record, asked), _NOBODY)
        back = np.argsort(micros(asked["at"]), kind="stable")
        plan = self._plan(record, asked.take(pa.array(back)))
        members = np.flatnonzero(self._cleared(record, plan) & _is_voice(plan.given))
        answers = self._answered(record, plan, members)
        place = np.empty(len(back), np.int64)
        place[back] = np.arange(len(back))
        return answers.take(pa.array(place))

    def each(self, asked: pa.Table) -> pa.Table:
        """As `answers`, each question by itself: what would be cleared counts for no other."""
        record = self._counted_record()
        return self._answered(record, self._plan(record, _questions(asked)), _NOBODY)

    def spoken(self, asked: pa.Table) -> pa.Table:
        """answer and rules of each question by itself, as `each`, without the instant from which it is lawful."""
        record = self._counted_record()
        plan = self._plan(record, _questions(asked))
        found = self._scene(record, plan, np.arange(len(asked)), None, _NOBODY).spoken()
        return answer_table(len(asked), found, self.rules, self.language)

    def _plan(self, record: pa.Table, asked: pa.Table) -> _Plan:
        return _Plan(asked, _with_facts(asked, self.said, record))

    def _answered(self, record: pa.Table, plan: _Plan, members: IntArray) -> pa.Table:
        """The answers to questions. members: those that were cleared and may count for others, which then stand in the
        order of their instants."""
        size = len(plan.given)
        found = self._scene(record, plan, np.arange(size), None, members).spoken()
        answers = answer_table(size, found, self.rules, self.language)
        first = self._lawful_from(record, plan, members, found)
        return pa.table(
            {
                "may": pa.array(strengths(size, found) < REQUIRE), "answer": answers["answer"],
                "lawful_from": pa.array(first, mask=first == NEVER).cast(_STAMP), "rules": answers["rules"],
            }
        )  # fmt: skip

    def _counted_record(self) -> pa.Table:
        """The contacts on record on which a rule may look back, each with the consent of its time."""
        record = _normal(self.record, "a contact on record")
        voice = pc.is_in(record["action"], pa.array(VOICE))
        promised = record["promised_on"] if "promised_on" in record.column_names else pa.nulls(len(record), pa.date32())
        consents = ["call_consent_at"] if "call_consent_at" in record.column_names else []
        record = record.select([*_CORE, *consents]).append_column("promised_on", promised.cast(pa.date32()))
        looked_at = pc.or_(voice, pc.is_valid(record["promised_on"]))
        if not pc.all(looked_at).as_py():
            record = record.filter(looked_at)
        if not len(record) or not len(self.said) or consents:
            return record
        consent = holds(self.said.filter(pc.equal(self.said["purpose"], "contact_call")), record)
        if "call_consent_at" not in consent:
            return record
        return record.append_column("call_consent_at", consent["call_consent_at"].value)

    def _scene(
        self, record: pa.Table, plan: _Plan, questions: IntArray, at: IntArray | None, members: IntArray
    ) -> _Scene:
        """Questions, at other instants than their own where those are given, after the record and what was cleared.

        members: the questions that may count. Rows: the record, the members, the questions, and for each question the
        later calls on record with it and without.
        """
        source = plan.held if at is None else plan.given
        moved = source.take(pa.array(questions)) if len(questions) < len(source) else source
        if at is not None:
            moved = moved.set_column(moved.column_names.index("at"), "at", pa.array(at).cast(_STAMP))
            moved = _with_facts(moved, self.said, record)
        first, later = _later(record, moved, self._reach())
        parts = [record] if len(record) else []
        parts += [plan.held.take(pa.array(members))] if len(members) else []
        parts.append(moved)
        if len(later):
            kept = record.take(pa.array(later)).drop_columns("timezone")
            parts += [kept.append_column("timezone", moved["timezone"].take(pa.array(first)))] * 2
        table = _own_points(pa.concat_tables(parts, promote_options="permissive"))
        known, size, count = len(record), len(moved), len(later)
        start = known + len(members)
        place = np.concatenate(
            [2 * np.arange(start), np.full(size, _LAST), np.tile(2 * later - 1, 2)]  # just before the call itself
        )
        number = np.concatenate([np.full(known, -1), members, np.full(size + 2 * count, -1)])
        sees = np.concatenate([np.full(start, -1), questions, np.tile(questions[first], 2)])
        also = np.concatenate([np.full(start + size, -1), start + first, np.full(count, -1)])
        rows = Rows(table, self.rules.zones.get(self.jurisdiction, ()), Turns(place, number, sees, also))
        return _Scene(rows, self.rules, self.jurisdiction, known, members, size, first)

    def _reach(self) -> int:
        """So long after a contact its place may be taken by an earlier one, in microseconds; a day more for zones."""
        days = [one.params["days"] for rule in self.rules.rules.values() for one in rule.checks if one.kind == "count"]
        return (max(days, default=0) + 1) * DAY

    def _cleared(self, record: pa.Table, plan: _Plan) -> BoolArray:
        """Which questions are answered by yes, each after those before it."""
        every = np.arange(len(plan.given))
        may = strengths(len(every), self._scene(record, plan, every, None, _NOBODY).spoken()) < REQUIRE
        # Nothing but a call counts or is counted, so that the others are answered.
        open_ = np.flatnonzero(may & _is_voice(plan.given))
        owners = codes_of([plan.given["borrower_id"]])[0][open_]
        if len(np.unique(owners)) == len(owners):
            return may
        may[open_] = self._scene(record, plan, open_, None, open_).cleared()
        return may

    def _lawful_from(self, record: pa.Table, plan: _Plan, members: IntArray, found: list[Found]) -> IntArray:
        """For each blocked question the first instant at which every rule that blocks is silent; else NEVER."""
        people = plan.given["borrower_id"]
        result = np.full(len(people), NEVER)
        blocked, until = _ends(len(people), found)
        open_ = np.flatnonzero(blocked & (until != NEVER))
        at = until[open_]
        for _ in range(_TRIES):
            if not len(open_):
                break
            # Only the same borrowers' contacts can be in the way.
            owners = people.take(pa.array(open_))
            near = record.filter(pc.is_in(record["borrower_id"], owners))
            counted = members[as_mask(pc.is_in(people.take(pa.array(members)), owners))]
            blocked, until = _ends(len(open_), self._scene(near, plan, open_, at, counted).spoken())
            result[open_[~blocked]] = at[~blocked]
            again = blocked & (until != NEVER)
            open_, at = open_[again], until[again]
        return result


@dataclass(frozen=True, slots=True)
class _Plan:
    """Questions in the order of their instants: as they were given, and with the facts that hold then."""

    given: pa.Table
    held: pa.Table


@dataclass(frozen=True, slots=True)
class _Scene:
    """The rows of some questions and what they meet: see `Gate._scene`. first: of each later call, the question."""

    rows: Rows
    rules: RuleBook
    jurisdiction: str
    known: int
    members: IntArray
    size: int
    first: IntArray

    @property
    def _start(self) -> int:
        return self.known + len(self.members)

    def spoken(self) -> list[Found]:
        """What the rules say of the questions, all members counting; rows are places among the questions."""
        planned = self._planned(np.ones(len(self.members), bool))
        judged = self._ghosts(0, self.size)
        found = findings(self.rows.with_(judged, planned), self.rules, self.jurisdiction)
        found = [replace(one, rows=one.rows - self._start) for one in found]
        return found + self._taken(planned, planned, lambda one: one.kind == "count")

    def cleared(self) -> BoolArray:
        """Which questions may be made, each after those before it. The questions are the members."""
        done, may = np.zeros(self.size, bool), np.zeros(self.size, bool)
        for _ in range(self.size):  # each round decides one at least
            if done.all():
                break
            certain = self._planned(may)
            refused = ~done & self._over(certain, certain, done)
            likely = may | (~done & ~refused)
            free = ~done & ~refused & ~self._over(self._planned(likely), certain, done)
            may |= free
            done |= refused | free
        return may

    def _over(self, planned: BoolArray, certain: BoolArray, done: BoolArray) -> BoolArray:
        """Which of the open questions break a cap, if what is not planned is counted."""
        judged = self._ghosts(0, self.size)
        judged[self._start : self._start + self.size] &= ~done
        over = np.zeros(self.size, bool)
        for one in findings(self.rows.with_(judged, planned), self.rules, self.jurisdiction, _binds):
            over[one.rows - self._start] = True
        for one in self._taken(planned, certain, _binds):
            over[one.rows] = True
        return over

    def _taken(self, planned: BoolArray, before: BoolArray, asked: Callable[[Check], bool]) -> list[Found]:
        """What the rules would say of later calls with each question, and do not say without it.

        planned, before: what is not counted with it, and without it.
        """
        if not len(self.first):
            return []
        begin, count = self._start + self.size, len(self.first)
        with_it = self._judged(self.size, planned, asked)
        without = {
            (one.rule, one.check.parameter): one.rows - count for one in self._judged(self.size + count, before, asked)
        }
        found = []
        for one in with_it:
            new = one.only(~np.isin(one.rows, without.get((one.rule, one.check.parameter), ())))
            found.append(replace(new, rows=self.first[new.rows - begin]))
        return found

    def _judged(self, begin: int, planned: BoolArray, asked: Callable[[Check], bool]) -> list[Found]:
        """What is said of the later calls that stand from a place on."""
        judged = self._ghosts(begin, len(self.first))
        return findings(self.rows.with_(judged, planned), self.rules, self.jurisdiction, asked)

    def _planned(self, counted: BoolArray) -> BoolArray:
        planned = np.zeros(self.rows.size, bool)
        planned[self.known : self._start] = ~counted
        planned[self._start :] = True
        return planned

    def _ghosts(self, begin: int, count: int) -> BoolArray:
        """Some of the rows that are judged and never counted."""
        mask = np.zeros(self.rows.size, bool)
        mask[self._start + begin : self._start + begin + count] = True
        return mask


def _binds(one: Check) -> bool:
    return one.kind == "count" and ANSWERS.index(one.effect) >= REQUIRE


def _questions(asked: pa.Table) -> pa.Table:
    """Questions with their columns of their types, and no outcome, which nobody can know yet, whatever was given."""
    asked = _normal(asked, "a contact to be made", _WHO)
    for name in (*_KEYS, "action", "at"):
        if asked[name].null_count:
            raise InvalidInput(f"a contact to be made without `{name}` cannot be judged.", f"Give `{name}`.")
    for name in ("answered", "conversation"):
        asked = asked.set_column(asked.column_names.index(name), name, pa.nulls(len(asked), pa.bool_()))
    return asked


def _normal(table: pa.Table, whose: str, also: Mapping[str, pa.DataType] = MappingProxyType({})) -> pa.Table:
    """The table with every column that rules look back on, of its type. also: columns that need not be there.

    Raises InvalidInput on one of another type.
    """
    if "channel" in table.column_names and "action" not in table.column_names:
        table = table.rename_columns({"channel": "action"})
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    for name, kind in (*_CORE.items(), *also.items()):
        if name not in types:
            if name in _CORE:
                table = table.append_column(name, pa.nulls(len(table), kind))
        elif types[name] != kind:
            try:
                column = table[name].cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise InvalidInput(f"`{name}` of {whose} is not of type {kind}: {error}.") from None
            table = table.set_column(table.column_names.index(name), name, column)
    return table


def _is_voice(table: pa.Table) -> BoolArray:
    return np.asarray(pc.is_in(table["action"], pa.array(VOICE)).to_numpy(), bool)


def _with_facts(asked: pa.Table, said: pa.Table, record: pa.Table) -> pa.Table:
    """Questions with the facts on record at their instants, which count before what was given.

    record: contacts in which payment may have been promised.
    """
    told = holds(said, asked) | bars(said, asked)
    held = {name: (one.value, pa.array(one.spoken)) for name, one in told.items()}
    if record["promised_on"].null_count < len(record):
        day = _promised(asked, record)
        if "promise_until" in held:
            day = pc.max_element_wise(day, held["promise_until"][0])
        held["promise_until"] = (day, pc.is_valid(day))
    for name, (value, spoken) in held.items():
        if name in asked.column_names:
            given = asked[name] if asked.schema.field(name).type == value.type else pa.nulls(len(asked), value.type)
            asked = asked.set_column(asked.column_names.index(name), name, pc.if_else(spoken, value, given))
        else:
            asked = asked.append_column(name, value)
    return asked


def _promised(asked: pa.Table, record: pa.Table) -> pa.Array:
    """For each question the last day on which its lender was promised payment in a contact."""
    told = record.filter(pc.is_valid(record["promised_on"]))
    first, second = pairs(codes_of([_owner(told), _owner(asked)]))
    days = told["promised_on"].cast(pa.int32()).to_numpy().astype(np.int64)
    last = np.full(len(asked), -1, np.int64)
    np.maximum.at(last, second, days[first])
    return pa.array(last.astype(np.int32), mask=last < 0).cast(pa.date32())


def _owner(table: pa.Table) -> pa.ChunkedArray:
    filled = [pc.fill_null(table[name], "") for name in _KEYS]
    return pc.binary_join_element_wise(*filled, "\x1f")


def _later(record: pa.Table, asked: pa.Table, reach: int) -> tuple[IntArray, IntArray]:
    """Calls on record after a question about a call, by the same lender: the places of the questions and of the calls.

    reach: so long after it they are looked for, in microseconds.
    """
    at, when = micros(record["at"]), micros(asked["at"])
    calls = np.flatnonzero(_is_voice(record) & (at > (int(when.min()) if len(when) else NEVER)))
    questions = np.flatnonzero(_is_voice(asked)) if len(calls) else calls
    if not len(questions):
        return questions, questions
    codes = codes_of([_owner(record.take(pa.array(calls))), _owner(asked.take(pa.array(questions)))])
    first, second = pairs(codes)
    later, question = calls[first], questions[second]
    ahead = at[later] - when[question]
    kept = (ahead > 0) & (ahead <= reach)
    return question[kept], later[kept]


def _own_points(table: pa.Table) -> pa.Table:
    """Contact points apart for each borrower: two who share a number do not wait for each other."""
    name = "contact_point_token"
    own = pc.binary_join_element_wise(pc.fill_null(table["borrower_id"], ""), table[name], "\x1f")
    return table.set_column(table.column_names.index(name), name, own)


def _ends(size: int, found: list[Found]) -> tuple[BoolArray, IntArray]:
    """Which rows are blocked, and until when at least; NEVER where no end is known."""
    blocked, until = np.zeros(size, bool), np.zeros(size, np.int64)
    for one in found:
        if one.effect == _BLOCK:
            blocked[one.rows] = True
            np.maximum.at(until, one.rows, one.until)
    return blocked, until
