"""Online, batch and a plain reading of the definitions agree, whatever the order and however often events arrive."""

from __future__ import annotations

import json
import random
from importlib.resources import files

import numpy as np
import oracle
import pyarrow as pa
import pytest

from evenkeel.behaviour.batch import event_values
from evenkeel.behaviour.definitions import KINDS, Definitions, Entity, read_definitions
from evenkeel.behaviour.events import SCHEMA, each_event
from evenkeel.behaviour.online import Event, Online, online
from evenkeel.behaviour.windows import DAY, HOUR

SHIPPED = (files("evenkeel.behaviour") / "shipped" / "features.toml").read_text(encoding="utf-8")
T0 = 1_700_000_000_000_000
OWN = ("own-1", "own-2")

# Every aggregate, filter, unit and kind of window that a definition may have, in a zone whose clocks change.
EVERY = (
    'zone = "Europe/Prague"\n'
    + "".join(
        f'[[feature]]\nname = "{aggregate}_{{window}}"\nconcept = "c"\nentity = "borrower"\n'
        f'kinds = ["purchase", "fee"]\naggregate = "{aggregate}"\nwindow = ["2h", "3d", "10d", "2m", "24m"]\n{more}\n'
        for aggregate, more in (
            ("count", ""), ("sum", ""), ("max", ""), ("min", ""), ("mean", ""), ("last", ""), ("trend", ""),
            ("distinct", 'of = "merchant"'), ("time_since", 'unit = "hours"'), ("streak", 'broken_by = ["repayment"]'),
        )
    )
    + "".join(
        f'[[feature]]\nname = "filter_{place}"\nconcept = "c"\nentity = "borrower"\nkinds = ["purchase", "inquiry"]\n'
        f'aggregate = "{aggregate}"\nwindow = "24m"\n{filtered}\n'
        for place, (aggregate, filtered) in enumerate(
            (aggregate, filtered)
            for aggregate in ("count", "streak", "sum")
            for filtered in (
                'where = { channel = "cash" }', 'where = { channel = "7", flag = "true" }',
                "from_hour = 22\nto_hour = 5", "from_hour = 5\nto_hour = 12",
                'lender = "own"', 'lender = "other"', "least_minor = 500",
                "most_minor = 0", "least_minor = -10\nmost_minor = 10",
            )
        )
    )
)  # fmt: skip


def happened(event: Event) -> oracle.Happened:
    return oracle.Happened(
        event.event_id, event.kind, oracle.instant(event.effective_us), oracle.instant(event.booked_us),
        event.amount_minor, dict(event.fields), event.lender_id, event.reversal_of,
    )  # fmt: skip


def table(events: list[tuple[str, Event]], entity: Entity = Entity.BORROWER) -> pa.Table:
    rows = [
        {
            "event_id": event.event_id, "kind": event.kind, entity.column: owner, "effective_us": event.effective_us,
            "booked_us": event.booked_us, "amount_minor": event.amount_minor, "reversal_of": event.reversal_of,
            "payload": json.dumps(event.fields), "lender_id": owner if entity is Entity.LENDER else event.lender_id,
        }
        for owner, event in events
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, SCHEMA)


def drawn(rng: random.Random, name: str, span: int, kinds: tuple[str, ...] = KINDS) -> Event:
    """An event in [T0 - span, T0], often at an instant at which windows begin or others stand."""
    at = rng.choice(
        [rng.randint(T0 - span, T0), T0 - rng.randint(0, span // HOUR) * HOUR, T0 - rng.randint(0, 40) * DAY]
    )
    late = rng.choice([0, 0, 0, rng.randint(0, 30 * DAY)])
    fields = {
        name: value
        for name, value in {
            "channel": rng.choice(["cash", "web", 7, None]), "flag": rng.choice([True, False]),
            "merchant": rng.choice([*"abcdef", 3, None]) if rng.random() < 0.2 else rng.choice("abcdef"),
            "lender": rng.choice("xyz"), "device": rng.choice("de"), "cover": rng.choice(["minimum", "full"]),
            "decision": rng.choice(["decline", "approve"]), "borrower": rng.choice("pq"),
        }.items()
        if value is not None
    }  # fmt: skip
    amount = None if rng.random() < 0.03 else rng.choice([0, rng.randint(1, 10**6), rng.randint(-(10**6), 10**6)])
    return Event(name, rng.choice(kinds), at, min(at + late, T0), amount, fields, rng.choice([None, *OWN, "other"]))


def history(rng: random.Random, owner: str, size: int, span: int, kinds: tuple[str, ...] = KINDS) -> list[Event]:
    """Events in disorder, some doubled, some reversed, some reversals reversed."""
    events = [drawn(rng, f"{owner}-{place}", span, kinds) for place in range(size)]
    for event in rng.sample(events, size // 8):
        booked = rng.randint(event.booked_us, T0)
        events.append(Event(f"r-{event.event_id}", "refund", event.effective_us, booked, reversal_of=event.event_id))
        if rng.random() < 0.3:
            again = rng.randint(booked, T0)
            events.append(Event(f"rr-{event.event_id}", "fee", booked, again, reversal_of=f"r-{event.event_id}"))
    events += rng.choices(events, k=size // 8)
    rng.shuffle(events)
    return events


def same(found: np.ndarray, wanted: list[float | None], names: tuple[str, ...]) -> None:
    expected = np.array([np.nan if value is None else float(value) for value in wanted])
    wrong = ~((found == expected) | (np.isnan(found) & np.isnan(expected)))
    close = wrong & (np.abs(found - expected) <= 1e-12 * np.maximum(np.abs(expected), 1e-300))
    assert not (wrong & ~close).any(), [(names[i], found[i], expected[i]) for i in np.flatnonzero(wrong & ~close)]


def three_ways(definitions: Definitions, text: str, entity: Entity, owners: dict[str, list[Event]], known: int) -> None:
    """What was booked by `known`, looked at then: the state, the batch and the oracle say the same."""
    ready = online(definitions, entity, OWN)
    read = oracle.entries(text)
    every = [(owner, event) for owner, events in owners.items() for event in events]
    wanted = pa.table({"entity": list(owners), "at": [known] * len(owners), "known_at": [known] * len(owners)})
    batch = event_values(table(every, entity), wanted, definitions, entity, 1, OWN)
    states = folded(ready, [[event for event in events if event.booked_us <= known] for events in owners.values()])
    live = ready.values(states, [known] * len(states))
    for place, events in enumerate(owners.values()):
        asked = [happened(event) for event in events]
        said = oracle.values(read, entity, asked, oracle.instant(known), oracle.instant(known), OWN)
        assert tuple(said) == ready.names
        same(live[place], list(said.values()), ready.names)
        row = batch.slice(place, 1)
        from_batch = np.array([row[name][0].as_py() for name in ready.names], float)
        assert np.array_equal(from_batch, live[place], equal_nan=True), [
            (n, a, b) for n, a, b in zip(ready.names, from_batch, live[place], strict=True) if a != b and a == a
        ]


def folded(ready: Online, histories: list[list[Event]]) -> list[bytes]:
    """States to which the events came in portions of seven."""
    states = [ready.empty()] * len(histories)
    for start in range(0, max(map(len, histories)), 7):
        states = ready.add_many(states, [events[start : start + 7] for events in histories])
    return states


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(3))
def test_three_readings_agree_on_every_aggregate_filter_and_window(seed: int) -> None:
    rng = random.Random(seed)
    kinds = ("purchase", "fee", "repayment", "inquiry")
    owners = {
        f"b{i}": history(rng, f"b{i}", rng.choice([0, 1, 5, 40]), 800 * DAY if i % 2 else 20 * DAY, kinds)
        for i in range(12)
    }
    definitions = read_definitions(EVERY)
    for known in (T0, T0 - 3 * DAY):
        three_ways(definitions, EVERY, Entity.BORROWER, owners, known)


@pytest.mark.parametrize("entity", Entity)
def test_three_readings_agree_on_what_is_shipped(entity: Entity) -> None:
    rng = random.Random(7)
    owners = {f"b{i}": history(rng, f"b{i}", 60, 300 * DAY) for i in range(10)}
    three_ways(read_definitions(SHIPPED), SHIPPED, entity, owners, T0)


def test_events_pass_through_a_table_unchanged() -> None:
    events = history(random.Random(3), "b", 50, 90 * DAY)
    assert list(each_event(table([("b", event) for event in events]))) == events


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(2))
def test_the_batch_at_any_pair_of_instants_is_as_the_plain_reading_has_it(seed: int) -> None:
    """Also where it was known later or earlier than the instant looked at, which no state can be asked."""
    rng = random.Random(seed)
    definitions, read = read_definitions(EVERY), oracle.entries(EVERY)
    owners = {f"b{i}": history(rng, f"b{i}", 40, 60 * DAY, ("purchase", "fee", "repayment")) for i in range(5)}
    asked = [
        (owner, T0 - rng.randint(0, 9 * DAY), rng.choice([T0 - rng.randint(0, 50 * DAY), event.booked_us]))
        for owner, events in owners.items()
        for event in [*rng.sample(events, 4), *(event for event in events if event.reversal_of)]
    ]
    wanted = pa.table([pa.array(column) for column in zip(*asked, strict=True)], ["entity", "at", "known_at"])
    every = [(owner, event) for owner, events in owners.items() for event in events]
    batch = event_values(table(every), wanted, definitions, Entity.BORROWER, 1, OWN)
    names = tuple(batch.column_names[3:])
    for row, (owner, at, known) in zip(batch.to_pylist(), asked, strict=True):
        events = [happened(event) for event in owners[owner]]
        said = oracle.values(read, "borrower", events, oracle.instant(at), oracle.instant(known), OWN)
        same(np.array([row[name] for name in names], float), [said[name] for name in names], names)


def test_the_batch_answers_in_the_order_asked_also_beyond_one_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.behaviour.batch._ROWS_AT_ONCE", 3)
    events = [("b", Event(f"e{i}", "purchase", T0 - i * HOUR, T0 - i * HOUR, 1)) for i in range(8)]
    wanted = pa.table(
        {"entity": ["b"] * 8, "at": [T0 - i * HOUR for i in (3, 1, 7, 0, 2, 5, 4, 6)], "known_at": [T0] * 8}
    )
    definitions = read_definitions(SHIPPED)
    batch = event_values(table(events), wanted, definitions, Entity.BORROWER, 1)
    assert batch["purchases_24h"].to_pylist() == [8 - i for i in (3, 1, 7, 0, 2, 5, 4, 6)]
    none = event_values(table([]), wanted.slice(0, 0), definitions, Entity.BORROWER, 1)
    assert none.num_rows == 0 and none.column_names[3:] == list(online(definitions, Entity.BORROWER).names)
