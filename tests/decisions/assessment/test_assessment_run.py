"""Grants in the loop over a book: beside the limits, point in time, and only where there are applications."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evenkeel.arrears.law import load_rules
from evenkeel.book.generator.generate import generate, write_book
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.book.model import Book
from evenkeel.book.reading import read_book
from evenkeel.decisions.limits import DECISIONS_SCHEMA
from evenkeel.pipeline.loop import Loop, Settings, run_loop
from evenkeel.policy.sources import shipped


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    folder: Path = tmp_path_factory.mktemp("grants") / "book"
    write_book(generate(GeneratorSpec(400, 14, 3)), folder)
    checked = read_book(folder, latest=date(2026, 1, 1))
    assert checked.book is not None
    yield checked.book


def _run(book: Book) -> Loop:
    return run_loop(book, "digest", Settings(shipped("limit").program, load_rules(), granting=shipped("grant").program))


@pytest.fixture(scope="module")
def loop(book: Book) -> Loop:
    return _run(book)


def test_every_application_has_one_grant_row_and_limits_stay_as_they_were(book: Book, loop: Loop) -> None:
    assert loop.granted is not None
    assert loop.granted.decisions.schema == DECISIONS_SCHEMA
    assert loop.granted.decisions.num_rows == book.tables["applications"].num_rows
    assert set(loop.decisions["kind"].to_pylist()) == {"limit"}
    ids = pa.concat_tables([loop.decisions, loop.granted.decisions])["decision_id"]
    assert len(pc.unique(ids)) == len(ids)


def test_the_portfolio_counts_grants_and_names_what_decided(loop: Loop) -> None:
    granting = loop.portfolio["granting"]
    assert loop.granted is not None
    assert sum(granting["outcomes"].values()) == granting["applications"] == loop.granted.grants.num_rows
    assert granting["versions"]["policy"].startswith("policy-")
    assert granting["versions"]["norms"].startswith("norms-")


def test_facts_after_as_of_change_no_grant(book: Book) -> None:
    earlier = replace(book, manifest=replace(book.manifest, as_of=date(2024, 6, 30)), last_known=book.as_of)
    told = _run(earlier).granted
    table = book.tables["applications"]
    applied = pc.local_timestamp(table["submitted_at"].cast(pa.timestamp("us", tz="Asia/Shanghai")))
    known = pc.less_equal(applied.cast(pa.date32(), safe=False), pa.scalar(date(2024, 6, 30)))
    late = pc.greater(book.tables["periods"]["month"], "2024-06")
    cut = {"applications": table.filter(known), "periods": book.tables["periods"].filter(pc.invert(late))}
    without = _run(replace(earlier, tables=dict(book.tables) | cut)).granted
    assert told is not None and without is not None
    assert told.grants.num_rows == pc.sum(known.cast(pa.int64())).as_py() < table.num_rows
    assert told.grants.equals(without.grants)
    assert told.decisions.equals(without.decisions)


def test_without_applications_there_are_no_grants_and_the_book_says_what_it_lacks(book: Book) -> None:
    tables = {name: table for name, table in book.tables.items() if name != "applications"}
    loop = _run(replace(book, tables=tables))
    assert loop.granted is None
    assert loop.portfolio["granting"] is None
    assert {"part": "granting", "needs": "applications"} in loop.portfolio["not_available"]
