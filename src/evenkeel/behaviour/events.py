"""Events as a table: from the contract's tables to what the batch reads, and from there to events one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.behaviour.definitions import Definitions, Entity
from evenkeel.behaviour.online import Event, field_text
from evenkeel.behaviour.windows import DAY
from evenkeel.kernel.ids import content_id

_INSTANT = pa.timestamp("us", tz="UTC")
# A payload field in a table of events: its text, as `field_text` gives it.
FIELD_PREFIX = "field_"

SCHEMA = pa.schema(
    [("event_id", pa.string()), ("kind", pa.string()), *((entity.column, pa.string()) for entity in Entity),
     ("effective_us", pa.int64()), ("booked_us", pa.int64()), ("amount_minor", pa.int64()),
     ("reversal_of", pa.string()), ("payload", pa.string())]
)  # fmt: skip


def event_table(tables: Mapping[str, pa.Table]) -> pa.Table:
    """A book's events in SCHEMA: its `events`, `payments`, `applications` and `tradelines`, in no order.

    tables: of a checked book (CONTRACT 2). A payment is a repayment, payment_failed or payment_reversed (a reversed
    one; what was paid before is not in the book). An application is known without its decision when it was submitted;
    when it was decided, that event is reversed and one with the decision takes its place, so that no value knows a
    decision before it was made. A line elsewhere was opened on its opened_on (else the day of its first report); from
    one report to the next it may get overdue or be cleared; a report is known when its day (UTC) is over. The lender
    is the payload's `lender`, else the account's; the device the payload's `device`. An event without booked_at was
    known when it happened.
    """
    owners = tables["accounts"].select(["account_id", "borrower_id", "lender_id"])
    parts = []
    if "events" in tables:
        parts.append(_of_events(tables["events"], owners))
    if "payments" in tables:
        parts.append(_of_payments(tables["payments"], owners))
    if "applications" in tables:
        parts.append(_of_applications(tables["applications"]))
    if "tradelines" in tables:
        parts.append(_of_tradelines(tables["tradelines"]))
    return pa.concat_tables([SCHEMA.empty_table(), *parts]).combine_chunks()


def with_fields(events: pa.Table, definitions: Definitions) -> pa.Table:
    """The table with a text column `field_NAME` for each payload field that some definition reads."""
    texts, where = _payloads(events["payload"])
    for name in definitions.fields:
        values = pa.array([field_text(payload.get(name)) for payload in texts], pa.string())
        events = events.append_column(FIELD_PREFIX + name, values.take(where))
    return events


def each_event(events: pa.Table) -> Iterator[Event]:
    """The rows of a table in SCHEMA as events."""
    texts, where = _payloads(events["payload"])
    names = ("event_id", "kind", "effective_us", "booked_us", "amount_minor", "lender_id", "reversal_of")
    columns = [events[name].to_pylist() for name in names]
    for place, event_id, kind, effective, booked, amount, lender, reversal in zip(
        where.to_pylist(), *columns, strict=True
    ):
        yield Event(event_id, kind, effective, booked, amount, texts[place], lender, reversal)


def _payloads(column: pa.ChunkedArray) -> tuple[list[Mapping[str, object]], pa.Array]:
    """The different payloads, and for each row which of them it has; null is an empty one."""
    coded = column.combine_chunks().fill_null("{}").dictionary_encode()
    return [json.loads(text) for text in coded.dictionary.to_pylist()], coded.indices


def _rows(columns: Mapping[str, pa.Array | pa.ChunkedArray], count: int) -> pa.Table:
    """A table in SCHEMA; columns that are not given are null, an instant of booking that is null is the event's."""
    full = {name: columns.get(name, pa.nulls(count, SCHEMA.field(name).type)) for name in SCHEMA.names}
    full["booked_us"] = pc.coalesce(full["booked_us"], full["effective_us"])
    return pa.table(full).cast(SCHEMA)


def _micros(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(_INSTANT).cast(pa.int64())


def _owner(ids: pa.ChunkedArray, owners: pa.Table, name: str) -> pa.Array:
    return owners[name].combine_chunks().take(pc.index_in(ids.combine_chunks(), owners["account_id"].combine_chunks()))


def _of_events(events: pa.Table, owners: pa.Table) -> pa.Table:
    texts, where = _payloads(events["payload"])

    def said(name: str) -> pa.Array:
        return pa.array([field_text(payload.get(name)) for payload in texts], pa.string()).take(where)

    columns = {name: events[name] for name in events.column_names if name in SCHEMA.names}
    columns |= {
        "lender_id": pc.coalesce(said("lender"), _owner(events["account_id"], owners, "lender_id")),
        "device": said("device"),
        "effective_us": _micros(events["effective_at"]),
        "booked_us": _micros(events["booked_at"]),
    }
    return _rows(columns, events.num_rows)


def _of_payments(payments: pa.Table, owners: pa.Table) -> pa.Table:
    result = payments["result"].combine_chunks().fill_null("ok")
    place = pc.index_in(result, pa.array(["ok", "failed", "reversed"]))
    return _rows(
        {
            "event_id": payments["payment_id"],
            "kind": pa.array(["repayment", "payment_failed", "payment_reversed"]).take(place),
            "borrower_id": _owner(payments["account_id"], owners, "borrower_id"),
            "account_id": payments["account_id"],
            "lender_id": _owner(payments["account_id"], owners, "lender_id"),
            "effective_us": _micros(payments["paid_at"]),
            "booked_us": _micros(payments["booked_at"]),
            "amount_minor": payments["amount_minor"],
            "payload": _encoded({"channel": payments["channel"]}),
        },
        payments.num_rows,
    )


def _of_applications(applications: pa.Table) -> pa.Table:
    """Each application, and where it is known when it was decided: its reversal then, and its decided twin."""
    decided = applications.filter(
        pc.and_(pc.is_valid(applications["decided_at"]), pc.is_valid(applications["decision"]))
    )
    ids = decided["application_id"].to_pylist()
    twins = {
        "event_id": pa.array([content_id("application", one, "decided") for one in ids], pa.string()),
        "booked_us": _micros(decided["decided_at"]),
    }
    reversals = {
        "event_id": pa.array([content_id("application", one, "reversed") for one in ids], pa.string()),
        "booked_us": _micros(decided["decided_at"]),
        "reversal_of": decided["application_id"],
    }
    return pa.concat_tables(
        [
            _rows(_application(applications), applications.num_rows),
            _rows(_application(decided, decision=decided["decision"]) | twins, decided.num_rows),
            _rows(_application(decided) | reversals, decided.num_rows),
        ]
    )


def _application(rows: pa.Table, **more: pa.ChunkedArray) -> dict[str, pa.Array | pa.ChunkedArray]:
    said = {"borrower": rows["borrower_id"], "device": rows["device_token"], "product": rows["product"]}
    return {
        "event_id": rows["application_id"],
        "kind": pa.repeat("application", rows.num_rows),
        "borrower_id": rows["borrower_id"],
        "lender_id": rows["lender_id"],
        "device": rows["device_token"],
        "effective_us": _micros(rows["submitted_at"]),
        "amount_minor": rows["requested_minor"],
        "payload": _encoded(said | more),
    }


def _of_tradelines(lines: pa.Table) -> pa.Table:
    """The first report of each line, and each that finds it overdue or cleared when the one before did not."""
    lines = lines.sort_by([(name, "ascending") for name in ("borrower_id", "lender_token", "line_token", "as_of")])
    line = _encoded({name: lines[name] for name in ("borrower_id", "lender_token", "line_token")}).dictionary_encode()
    place = line.indices.to_numpy()
    first = np.ones(len(place), bool)
    first[1:] = place[1:] != place[:-1]
    late = _flags(pc.greater(lines["dpd_low"], 0))
    clear = _flags(pc.equal(lines["dpd_high"], 0))
    # What a report leaves open is as the one before told it; a new line is clear.
    told = np.maximum.accumulate(np.where(late | clear | first, np.arange(len(place)), 0))
    was_late = np.zeros(len(place), bool)
    was_late[1:] = late[told[:-1]] & ~first[1:]
    reported, opened = (lines[name].cast(pa.int32()).cast(pa.int64()) for name in ("as_of", "opened_on"))
    parts = []
    for kind, chosen, day, amount in (
        ("outside_line_opened", first, pc.min_element_wise(opened, reported), "limit_minor"),
        ("outside_overdue", late & ~was_late, reported, "balance_minor"),
        ("outside_cleared", clear & was_late, reported, "balance_minor"),
    ):
        some = pa.array(np.flatnonzero(chosen))
        rows = lines.take(some)
        names = zip(
            *(rows[name].to_pylist() for name in ("borrower_id", "lender_token", "line_token", "as_of")), strict=True
        )
        ids = [content_id("line", kind, *map(str, name)) for name in names]
        columns = {
            "event_id": pa.array(ids, pa.string()),
            "kind": pa.repeat(kind, rows.num_rows),
            "borrower_id": rows["borrower_id"],
            "lender_id": rows["lender_token"],
            "effective_us": pc.multiply(day.take(some), DAY),
            "booked_us": pc.multiply(pc.add(reported.take(some), 1), DAY),
            "amount_minor": rows[amount],
            "payload": _encoded({"lender": rows["lender_token"], "product": rows["product"]}),
        }
        parts.append(_rows(columns, rows.num_rows))
    return pa.concat_tables(parts)


def _flags(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(values.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False), bool)


def _encoded(columns: Mapping[str, pa.ChunkedArray]) -> pa.Array:
    """Payloads of columns; what is null is left out."""
    rows: Sequence[tuple[object, ...]] = list(zip(*(column.to_pylist() for column in columns.values()), strict=True))
    texts = [
        json.dumps({name: value for name, value in zip(columns, row, strict=True) if value is not None}) for row in rows
    ]
    return pa.array(texts, pa.string())
