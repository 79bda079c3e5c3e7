"""Rows for a model that decides live: what the service would have read the instant before each application."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.behaviour.events import each_event, event_table
from evenkeel.behaviour.online import online
from evenkeel.book.generator.generate import generate, write_book
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.book.model import Book
from evenkeel.book.reading import read_book
from evenkeel.kernel.errors import InvalidInput
from evenkeel.pipeline.live import application_rows
from evenkeel.pipeline.loop import live_training_rows


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    folder = tmp_path_factory.mktemp("live") / "book"
    write_book(generate(GeneratorSpec(400, 24, 3, purchases=True)), folder)
    found = read_book(folder, latest=date(2030, 1, 1)).book
    assert found is not None
    return found


@pytest.fixture(scope="module")
def rows(book: Book) -> pa.Table:
    return live_training_rows(book, threads=1)


def test_a_row_is_what_the_online_state_told_the_instant_before_the_application(book: Book, rows: pa.Table) -> None:
    lenders = set(book.tables["accounts"]["lender_id"].to_pylist())
    features = online(shipped(), Entity.BORROWER, lenders)
    events: dict[str, list] = {}
    table = event_table(book.tables)
    for owner, event in zip(table["borrower_id"].to_pylist(), each_event(table), strict=True):
        events.setdefault(owner, []).append(event)
    before = pc.subtract(rows["submitted_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()), 1).to_pylist()
    names = [name for name in features.names if name in rows.column_names]
    assert len(names) >= 20 and rows.num_rows >= 50
    for place in range(0, rows.num_rows, max(1, rows.num_rows // 25)):
        owner, at = rows["borrower_id"][place].as_py(), before[place]
        known = [event for event in events.get(owner, ()) if event.booked_us <= at]
        told = dict(zip(features.names, features.values([features.add(features.empty(), known)], [at])[0], strict=True))
        for name in names:
            value = rows[name][place].as_py()
            assert np.isclose(told[name], np.nan if value is None else value, rtol=1e-12, atol=0, equal_nan=True), name


def test_only_applications_whose_outcome_is_over_are_rows(rows: pa.Table) -> None:
    assert set(rows["bad"].to_pylist()) == {0, 1}
    assert rows.num_rows < 5_000 and "application_id" not in rows.column_names


def test_what_happened_later_changes_no_row(book: Book, rows: pa.Table) -> None:
    tables = dict(book.tables)
    last = pc.max(rows["submitted_at"]).as_py()
    events = tables["events"]
    late = pc.greater(events["effective_at"], pa.scalar(last, events.schema.field("effective_at").type))
    assert pc.sum(late).as_py() > 0
    tables["events"] = events.filter(pc.invert(late))
    again = live_training_rows(replace(book, tables=tables), threads=1)
    assert again.equals(rows)


def test_a_book_without_applications_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no applications"):
        application_rows(None, {}, 1)  # type: ignore[arg-type]
