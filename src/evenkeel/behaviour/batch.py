"""Values of many entities at many instants, by Ibis, point in time on both clocks, from the definitions of `online`.

A value at `at` as known at `known_at` uses events with effective_at in (at - window, at] and booked_at <= known_at,
and nothing else. Expressions are joins, filters, bounded windows and filtered aggregates, so that they run on other
engines too; the starts of windows are worked out before, by the kernel that the online state uses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from evenkeel.behaviour.compiled import kernel
from evenkeel.behaviour.definitions import (
    Aggregate,
    Condition,
    Definition,
    Definitions,
    Entity,
    FieldIs,
    Hours,
    Measure,
)
from evenkeel.behaviour.events import FIELD_PREFIX, with_fields
from evenkeel.behaviour.online import zone_arrays
from evenkeel.behaviour.windows import DAY, HOUR, Window, Zone

Expression = Any  # an Ibis expression; Ibis ships no types for a checker to read

_MEMORY = "70%"
_ROWS_AT_ONCE = 200_000
_NEEDING_AMOUNTS = frozenset(
    {Aggregate.SUM, Aggregate.MAX, Aggregate.MIN, Aggregate.MEAN, Aggregate.TREND, Aggregate.LAST}
)


def event_values(
    events: pa.Table, wanted: pa.Table, definitions: Definitions, entity: Entity, threads: int,
    own_lenders: Collection[str] = (),
) -> pa.Table:  # fmt: skip
    """Feature values of an entity at the wanted instants.

    events: in `events.SCHEMA`, in any order; a row that comes twice counts once. wanted: entity (text), at and known_at
    (int64, microseconds since 1970). Returns these and a float64 column for each feature, in the order of `wanted`;
    null where a value is not known. own_lenders: as for `online`.
    """
    with TemporaryDirectory(prefix="evenkeel-") as spill:
        connection = ibis.duckdb.connect(threads=threads, temp_directory=spill, memory_limit=_MEMORY)
        try:
            return event_values_by(
                lambda name, table: connection.create_table(name, table, overwrite=True), events, wanted, definitions,
                entity, own_lenders,
            )  # fmt: skip
        finally:
            connection.disconnect()


def event_values_by(
    put: Callable[[str, Any], Expression], events: pa.Table, wanted: pa.Table, definitions: Definitions, entity: Entity,
    own_lenders: Collection[str] = (),
) -> pa.Table:  # fmt: skip
    """`event_values` on an engine of the caller. put: keeps an Arrow table or an expression there under a name, in
    place of what was, and gives the Ibis table."""
    spans = put("spans", spans_of(put("events", with_fields(events, definitions))))
    parts = []
    for start in range(0, max(wanted.num_rows, 1), _ROWS_AT_ONCE):
        some = wanted.slice(start, _ROWS_AT_ONCE)
        rows = put("wanted", _with_starts(some, definitions, entity))
        told = values_of(spans, rows, definitions, entity, frozenset(own_lenders))
        values = told.to_pyarrow().sort_by("row")  # an engine of many machines gives rows in any order
        parts.append(_beside(some, values.drop_columns("row")))
    return pa.concat_tables(parts)


def _beside(wanted: pa.Table, values: pa.Table) -> pa.Table:
    for name in values.column_names:
        wanted = wanted.append_column(name, values[name])
    return wanted


def _windows(definitions: Definitions, entity: Entity) -> list[Window]:
    measures = [entry.measure for entry in definitions.entries if entry.measure and entry.entity is entity]
    halves = [m.window.half for m in measures if m.aggregate is Aggregate.TREND]
    return list(dict.fromkeys([*(m.window for m in measures), *(half for half in halves if half)]))


def _with_starts(wanted: pa.Table, definitions: Definitions, entity: Entity) -> pa.Table:
    """The wanted rows, numbered, with the start of each window."""
    windows = _windows(definitions, entity)
    at = wanted["at"].to_numpy()
    starts = np.empty((len(at), len(windows)), np.int64)
    spans = np.array([(window.count, window.unit) for window in windows], np.int64).reshape(-1, 2)
    kernel().starts_each(at, spans, *zone_arrays(definitions.zone), starts)
    rows = wanted.append_column("row", pa.array(np.arange(len(at))))
    for place, window in enumerate(windows):
        rows = rows.append_column(f"from_{window}", pa.array(starts[:, place].copy()))
    return rows


def spans_of(events: Expression) -> Expression:
    """Each event once, with the spans of booking time in which it stands: from its booking until it is reversed, and
    from the reversal of a reversal on. `known_from` belongs to the span, `known_until` does not (null: for ever)."""
    first = events.mutate(copy=ibis.row_number().over(group_by="event_id", order_by="booked_us"))
    events = first.filter(first.copy == 0).drop("copy")
    facts = events.filter(events.reversal_of.isnull())
    reversals = events.filter(events.reversal_of.notnull()).select("event_id", "reversal_of", "booked_us")
    undoing = reversals.select(undone="reversal_of", again="booked_us")
    undone = reversals.inner_join(undoing, undoing.undone == reversals.event_id)
    changes = facts.select("event_id", when="booked_us", change=ibis.literal(1, "int64"))
    changes = changes.union(
        reversals.select(event_id="reversal_of", when="booked_us", change=ibis.literal(-1, "int64"))
    )
    changes = changes.union(undone.select(event_id="reversal_of", when="again", change=ibis.literal(1, "int64")))
    # What happens at one instant happens at once; a reversal that is known before its fact waits for it.
    changes = changes.group_by("event_id", "when").agg(change=changes.change.sum())
    ordered = ibis.window(group_by="event_id", order_by="when", preceding=None, following=0)
    after = ibis.window(group_by="event_id", order_by="when")
    spans = changes.mutate(standing=changes.change.sum().over(ordered), until=changes.when.lead(1).over(after))
    spans = spans.filter(spans.standing == 1).select(standing_id="event_id", known_from="when", known_until="until")
    return facts.inner_join(spans, spans.standing_id == facts.event_id).drop("standing_id")


def values_of(
    spans: Expression, wanted: Expression, definitions: Definitions, entity: Entity, own_lenders: frozenset[str]
) -> Expression:
    """row and a column for each feature of the entity, for each row of `wanted` (row, entity, at, known_at, from_*).

    spans: as `spans_of` gives them, with a column `field_NAME` for each payload field that is read.
    """
    entries = [entry for entry in definitions.entries if entry.entity is entity]
    measures = list(dict.fromkeys(entry.measure for entry in entries if entry.measure))
    names = {measure: f"m{place}" for place, measure in enumerate(measures)}
    longest = max((measure.window for measure in measures), key=lambda window: window.longest)
    kinds = sorted({kind for measure in measures for kind in (*measure.kinds, *measure.broken_by)})
    used = _with_passes(spans.filter(spans.kind.isin(kinds)), measures, definitions.zone, own_lenders)
    seen = wanted.inner_join(used, wanted.entity == used[entity.column])
    seen = seen.filter(
        (seen.effective_us <= seen["at"])
        & (seen.effective_us > seen["at"] - longest.longest)
        & (seen.known_from <= seen.known_at)
        & (seen.known_until.isnull() | (seen.known_until > seen.known_at))
    )
    first = seen.group_by("row").agg(**{
        name: value for measure in measures for name, value in _parts(seen, measure, names[measure]).items()
    })  # fmt: skip
    second = _after_latest(seen, first, measures, names)
    whole = wanted.left_join(first, "row").drop("row_right")
    if second is not None:
        whole = whole.left_join(second, "row").drop("row_right")
    return _told(whole, entries, names)


def _with_passes(spans: Expression, measures: Sequence[Measure], zone: Zone, own_lenders: frozenset[str]) -> Expression:
    """Flags p0, p1, ... : the event is of a measure's kinds and passes its conditions and amounts."""
    until = [(spans.effective_us < switch, zone.offsets[place]) for place, switch in enumerate(zone.switches)]
    local = spans.effective_us + (ibis.cases(*until, else_=zone.offsets[-1]) if until else zone.offsets[0])
    hour = (local % DAY + DAY) % DAY // HOUR

    def met(condition: Condition) -> Expression:
        if isinstance(condition, FieldIs):
            return (spans[FIELD_PREFIX + condition.field] == condition.value).fill_null(False)
        if isinstance(condition, Hours):
            after, before = hour >= condition.first, hour < condition.end
            return (after & before) if condition.first < condition.end else (after | before)
        own = spans.lender_id.isin(sorted(own_lenders)) if own_lenders else ibis.literal(False)
        return spans.lender_id.notnull() & (own if condition.own else ~own)

    flags = {}
    for place, measure in enumerate(measures):
        passes = spans.kind.isin(measure.kinds)
        for condition in measure.conditions:
            passes &= met(condition)
        if measure.amount is not None:
            passes &= spans.amount_minor.between(*measure.amount).fill_null(False)
        flags[f"p{place}"] = passes
    return spans.mutate(**flags)


def _selected(seen: Expression, measure: Measure, name: str) -> Expression:
    """Whether an event counts for a measure: it passes and lies in the window."""
    return seen[name.replace("m", "p")] & (seen.effective_us > seen[f"from_{measure.window}"])


def _parts(seen: Expression, measure: Measure, name: str) -> dict[str, Expression]:
    """The aggregates of which a measure is made; NAME_x counts what it needs and is not known."""
    chosen, amount, when = _selected(seen, measure, name), seen.amount_minor, seen.effective_us
    aggregate = measure.aggregate
    parts: dict[str, Expression] = {}
    if aggregate in _NEEDING_AMOUNTS and aggregate is not Aggregate.LAST:
        parts[f"{name}_x"] = (chosen & amount.isnull()).sum()
    if aggregate is Aggregate.COUNT:
        parts[name] = chosen.sum()
    elif aggregate is Aggregate.SUM:
        parts[name] = amount.sum(where=chosen)
    elif aggregate is Aggregate.MEAN:
        parts |= {name: amount.sum(where=chosen), f"{name}_n": amount.count(where=chosen)}
    elif aggregate is Aggregate.MAX:
        parts[name] = amount.max(where=chosen)
    elif aggregate is Aggregate.MIN:
        parts[name] = amount.min(where=chosen)
    elif aggregate is Aggregate.DISTINCT:
        told = seen[FIELD_PREFIX + measure.of]
        parts |= {name: told.nunique(where=chosen), f"{name}_x": (chosen & told.isnull()).sum()}
    elif aggregate is Aggregate.TREND:
        later = when > seen[f"from_{measure.window.half}"]
        parts |= {name: amount.sum(where=chosen & later), f"{name}_e": amount.sum(where=chosen & ~later)}
    elif aggregate is Aggregate.STREAK:
        of_it = seen.kind.isin((*measure.kinds, *measure.broken_by)) & (when > seen[f"from_{measure.window}"])
        parts |= {name: chosen.sum(), f"{name}_t": when.max(where=of_it & ~seen[name.replace("m", "p")])}
    else:  # time_since and last
        parts[f"{name}_t"] = when.max(where=chosen)
    return parts


def _after_latest(
    seen: Expression, first: Expression, measures: Sequence[Measure], names: dict[Measure, str]
) -> Expression | None:
    """What needs the latest instant of the first pass: amounts at it, and how many events came after it."""
    some = [measure for measure in measures if measure.aggregate in (Aggregate.LAST, Aggregate.STREAK)]
    if not some:
        return None
    kinds = sorted({kind for measure in some for kind in measure.kinds})
    latest = first.select("row", **{f"t{names[m]}": first[f"{names[m]}_t"] for m in some})
    again = seen.filter(seen.kind.isin(kinds)).inner_join(latest, "row")
    parts = {}
    for measure in some:
        name = names[measure]
        chosen, then = _selected(again, measure, name), again[f"t{name}"]
        if measure.aggregate is Aggregate.STREAK:
            parts[f"{name}_after"] = (chosen & (again.effective_us > then)).sum()
        else:
            there = chosen & (again.effective_us == then)
            parts[f"{name}_last"] = again.amount_minor.max(where=there)
            parts[f"{name}_x"] = (there & again.amount_minor.isnull()).sum()
    return again.group_by("row").agg(**parts)


def _told(whole: Expression, entries: Sequence[Definition], names: dict[Measure, str]) -> Expression:
    """The values of all entries, of which the features are given out."""
    values: dict[str, Expression] = {}
    for entry in entries:
        if entry.measure is not None:
            values[entry.name] = _value(whole, entry.measure, names[entry.measure])
            continue
        left, right = (values[part] for part in entry.parts)
        if entry.operation == "difference":
            values[entry.name] = left - right
        else:
            values[entry.name] = left / ibis.ifelse(right > 0, right, ibis.null("float64"))
    return whole.select("row", **{entry.name: values[entry.name] for entry in entries if entry.concept})


def _value(whole: Expression, measure: Measure, name: str) -> Expression:
    """The value of a measure; null where it is not known."""

    def number(column: str) -> Expression:
        return whole[column].cast("int64").fill_null(0)

    aggregate, nothing = measure.aggregate, ibis.null("float64")
    if aggregate is Aggregate.TIME_SINCE:
        unit = HOUR if measure.unit == "hours" else DAY
        return (whole["at"] - whole[f"{name}_t"]).cast("float64") / unit
    if aggregate is Aggregate.STREAK:
        return ibis.ifelse(whole[f"{name}_t"].isnull(), number(name), number(f"{name}_after")).cast("float64")
    if aggregate is Aggregate.COUNT:
        return number(name).cast("float64")
    if aggregate is Aggregate.TREND:
        total = number(name) + number(f"{name}_e")
        change = (number(name) - number(f"{name}_e")).cast("float64")
        value = change / ibis.ifelse(total > 0, total, ibis.null("int64")).cast("float64")
    elif aggregate is Aggregate.MEAN:
        count = number(f"{name}_n")
        value = number(name).cast("float64") / ibis.ifelse(count > 0, count, ibis.null("int64")).cast("float64")
    elif aggregate in (Aggregate.SUM, Aggregate.DISTINCT):
        value = number(name).cast("float64")
    else:
        value = whole[f"{name}_last" if aggregate is Aggregate.LAST else name].cast("int64").cast("float64")
    return ibis.ifelse(number(f"{name}_x") > 0, nothing, value)
