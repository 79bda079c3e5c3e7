"""Real and generated events, in disorder, late, doubled and reversed: online, batch and the plain reading agree."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import oracle
import pyarrow as pa
import pytest
from test_parity import SHIPPED, happened, same

from evenkeel.behaviour.batch import event_values
from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.behaviour.events import SCHEMA, each_event, event_table
from evenkeel.behaviour.online import Event, online
from evenkeel.behaviour.windows import DAY
from evenkeel.book.adapters import berka
from evenkeel.book.generator.generate import generate
from evenkeel.book.generator.spec import GeneratorSpec


def disordered(events: pa.Table, seed: int) -> pa.Table:
    """The events, a fifth of them booked up to 60 days late, one in twenty twice, one in thirty reversed; shuffled."""
    rng = np.random.default_rng(seed)
    count = events.num_rows
    booked = events["booked_us"].to_numpy() + rng.integers(0, 60 * DAY, count) * (rng.random(count) < 0.2)
    place = events.column_names.index("booked_us")
    late = events.set_column(place, "booked_us", pa.array(booked))
    twice = late.take(pa.array(rng.integers(0, count, count // 20)))
    plain = np.flatnonzero(late["reversal_of"].is_null().to_numpy())
    targets = late.take(pa.array(rng.choice(plain, count // 30, replace=False)))
    ids = targets["event_id"].to_pylist()
    names = targets.column_names
    undone = targets.set_column(names.index("event_id"), "event_id", pa.array([f"undo-{one}" for one in ids]))
    undone = undone.set_column(names.index("reversal_of"), "reversal_of", pa.array(ids))
    later = targets["booked_us"].to_numpy() + rng.integers(0, 30 * DAY, len(ids))
    undone = undone.set_column(place, "booked_us", pa.array(later))
    whole = pa.concat_tables([late, twice, undone.cast(SCHEMA)])
    return whole.take(pa.array(rng.permutation(whole.num_rows)))


def agree(events: pa.Table, instants: list[int], oracle_share: float) -> int:
    """States fed in the order of booking, looked at at each instant, against batch (all) and oracle (a share of them).

    Returns how many events there were.
    """
    ready = online(shipped(), Entity.BORROWER)
    by_owner: dict[str, list[Event]] = defaultdict(list)
    for owner, event in zip(events["borrower_id"].to_pylist(), each_event(events), strict=True):
        by_owner[owner].append(event)
    owners = sorted(by_owner)
    states = [ready.empty()] * len(owners)
    read = oracle.entries(SHIPPED)
    rng = random.Random(1)
    before = -(1 << 62)
    for known in instants:
        arrived = [[e for e in by_owner[owner] if before < e.booked_us <= known] for owner in owners]
        states = ready.add_many(states, arrived)
        live = ready.values(states, [known] * len(owners))
        wanted = pa.table({"entity": owners, "at": [known] * len(owners), "known_at": [known] * len(owners)})
        batch = event_values(events, wanted, shipped(), Entity.BORROWER, 2)
        from_batch = np.column_stack([batch[name].to_numpy().astype(float) for name in ready.names])
        assert np.array_equal(from_batch, live, equal_nan=True)  # to the last bit, ratios too
        for place in rng.sample(range(len(owners)), int(oracle_share * len(owners))):
            asked = [happened(event) for event in by_owner[owners[place]]]
            said = oracle.values(read, "borrower", asked, oracle.instant(known), oracle.instant(known))
            same(live[place], list(said.values()), ready.names)
        before = known
        telling = sum(len(np.unique(column[~np.isnan(column)])) > 1 for column in live.T)
        assert telling >= 15, "events that no value sees would agree too"
    return events.num_rows


def instants_of(events: pa.Table, number: int) -> list[int]:
    """Instants spread over the time in which the events were booked."""
    booked = np.sort(events["booked_us"].to_numpy())
    return [int(booked[int(len(booked) * share)]) for share in np.linspace(0.4, 0.97, number)]


def of_berka(shared: Path) -> pa.Table:
    return event_table(berka.adapt(shared / "data", 0.0).tables)


def of_generated(borrowers: int) -> pa.Table:
    return event_table(generate(GeneratorSpec(borrowers, 24, 5, purchases=True)).book_tables)


def test_a_part_of_the_real_and_a_small_generated_book(shared: Path) -> None:
    real = of_berka(shared)
    some = pa.array([owner.endswith("7") for owner in real["borrower_id"].to_pylist()])
    for events in (real.filter(some), of_generated(40)):
        mixed = disordered(events, 1)
        agree(mixed, instants_of(mixed, 2), 0.1)


@pytest.mark.prove
def test_a_million_events_real_and_generated(shared: Path) -> None:
    total = 0
    for events, seed in ((of_berka(shared), 2), (of_generated(4_000), 3)):
        mixed = disordered(events, seed)
        total += agree(mixed, instants_of(mixed, 3), 0.02)
    assert total >= 1_000_000


@pytest.mark.prove
def test_every_real_account_holder_as_the_plain_reading_has_it(shared: Path) -> None:
    mixed = disordered(of_berka(shared), 4)
    agree(mixed, instants_of(mixed, 2), 1.0)
