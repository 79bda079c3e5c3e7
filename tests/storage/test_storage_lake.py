"""The lake: a book is loaded once, comes out as it went in, and has the same bytes wherever it is written."""

import errno
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_child import DIGEST, MANIFEST, book, load_book
from storage_helpers import tree

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from evenkeel.storage.lake import KIND, load
from evenkeel.storage.parquet import Lake, hashes
from evenkeel.storage.workspace import Workspace, open_workspace


@pytest.fixture
def opened(tmp_path: Path, given_url: str, clock: Clock) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=clock) as workspace:
        yield workspace


def test_a_load_is_one_fact_with_hashes_and_counts(opened: Workspace, clock: Clock) -> None:
    steps: list[tuple[str, int, int]] = []
    result = load(opened, DIGEST, MANIFEST, book(200), lambda *step: steps.append(step))
    assert (result.loaded, result.path) == (True, opened.lake.book(DIGEST))
    (entry,) = opened.journal.read()
    assert (entry.fact.kind, entry.booked_at) == (KIND, clock())
    assert entry.fact.effective_at == datetime(2024, 12, 31, tzinfo=UTC)
    assert entry.fact.payload["digest"] == DIGEST
    assert entry.fact.payload["manifest"] == MANIFEST
    assert entry.fact.payload["rows"] == {"accounts": 200, "periods": 2400}
    assert entry.fact.payload["files"] == hashes(result.path)
    assert steps == [("accounts", 1, 13), *(("periods", done, 13) for done in range(2, 14))]


def test_the_same_load_again_changes_nothing(opened: Workspace) -> None:
    load_book(opened)
    before = tree(opened.lake.root), list(opened.journal.read())
    again = load_book(opened)
    assert (again.loaded, again.path) == (False, opened.lake.book(DIGEST))
    assert (tree(opened.lake.root), list(opened.journal.read())) == before


def test_tables_come_back_month_by_month_in_the_order_given(opened: Workspace) -> None:
    tables = book(200)
    load(opened, DIGEST, MANIFEST, tables)
    back = opened.lake.read_book(DIGEST)
    assert back["accounts"] == tables["accounts"]
    assert back["periods"] == tables["periods"].sort_by([("month", "ascending"), ("account_id", "ascending")])


def test_an_engine_reads_the_files_that_the_lake_names(opened: Workspace) -> None:
    load_book(opened)
    paths = [str(path) for path in opened.lake.files(DIGEST, "periods")]
    query = "SELECT month, count(*) FROM read_parquet($paths) GROUP BY month ORDER BY month"
    assert duckdb.execute(query, {"paths": paths}).fetchall() == [(f"2024-{month:02d}", 200) for month in range(1, 13)]


def test_one_digest_with_another_manifest_or_other_rows_is_a_conflict(opened: Workspace) -> None:
    load_book(opened)
    with pytest.raises(Conflict):
        load(opened, DIGEST, {**MANIFEST, "source": "other"}, book(200))
    with pytest.raises(Conflict):
        load(opened, DIGEST, MANIFEST, book(201))


def test_a_book_on_record_whose_folder_is_gone_is_written_again_without_a_new_fact(opened: Workspace) -> None:
    load_book(opened)
    before = tree(opened.lake.root), list(opened.journal.read())
    opened.lake.book(DIGEST).rename(opened.path / "elsewhere")
    assert not load_book(opened).loaded
    assert (tree(opened.lake.root), list(opened.journal.read())) == before


def test_a_lost_book_is_not_replaced_by_other_data_with_its_digest(opened: Workspace) -> None:
    load_book(opened)
    opened.lake.book(DIGEST).rename(opened.path / "elsewhere")
    other = {**book(200), "accounts": book(200)["accounts"].sort_by([("account_id", "descending")])}
    with pytest.raises(Conflict, match="other bytes"):
        load(opened, DIGEST, MANIFEST, other)
    assert tree(opened.lake.root) == {}


def test_a_refusal_by_the_disk_leaves_nothing_and_the_load_can_be_repeated(opened: Workspace) -> None:
    """A limit on file size stands for the full disk: the same write calls fail, in the same places."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(Unavailable, match="cannot be written") as refusal:
            load_book(opened, 5_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refusal.value.remedy
    assert tree(opened.lake.root) == {}
    assert list(opened.journal.read()) == []
    assert load_book(opened, 5_000).loaded


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not write")]
)
def test_each_refusal_by_the_disk_says_what_to_do(
    opened: Workspace, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr("pyarrow.parquet.write_table", refuse)
    with pytest.raises(Unavailable) as refusal:
        load_book(opened)
    assert remedy in refusal.value.remedy
    assert tree(opened.lake.root) == {}


@pytest.mark.parametrize(
    ("digest", "manifest", "tables", "named"),
    [
        ("../../escape", MANIFEST, {}, "escape"),
        (DIGEST, MANIFEST, {"../accounts": pa.table({"a": [1]})}, "accounts"),
        (DIGEST, MANIFEST, {"periods": pa.table({"month": ["2024-01", "../../x"]})}, "../../x"),
        (DIGEST, MANIFEST, {"periods": pa.table({"month": ["2024-01", None]})}, "no month"),
        (DIGEST, {}, {}, "as_of"),
        (DIGEST, {"as_of": "2024-02-30"}, {}, "2024-02-30"),
    ],
)
def test_what_cannot_be_a_files_name_or_has_no_day_is_refused(
    opened: Workspace, digest: str, manifest: dict[str, object], tables: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load(opened, digest, manifest, tables)
    assert named in refusal.value.message
    assert tree(opened.lake.root) == {}


def test_a_book_that_is_not_there_is_not_found(opened: Workspace) -> None:
    with pytest.raises(NotFound):
        opened.lake.read_book(DIGEST)
    load_book(opened)
    with pytest.raises(NotFound, match="payments"):
        opened.lake.files(DIGEST, "payments")


MONTHS = st.integers(1, 12).map(lambda month: f"2024-{month:02d}")
ROWS = st.lists(st.tuples(MONTHS, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.text()), max_size=40)
SCHEMA = pa.schema([("month", pa.string()), ("balance_minor", pa.int64()), ("source_code", pa.string())])


def table_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], []], schema=SCHEMA)


@settings(deadline=None, max_examples=50)
@given(rows=ROWS, cut=st.integers(0, 40))
def test_bytes_depend_on_rows_alone_and_rows_survive(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], cut: int
) -> None:
    """However the rows came in chunks, with whatever notes of another program."""
    whole = table_of(rows)
    chunked = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)]).replace_schema_metadata({"pandas": "note"})
    written = []
    for table in (whole, chunked):
        lake = Lake(tmp_path_factory.mktemp("lake"))
        lake.place(lake.write_draft(DIGEST, {"periods": table, "events": table}, None))
        written.append(tree(lake.root))
        back = lake.read_book(DIGEST)
        assert back["events"].to_pylist() == whole.to_pylist()
        assert back["periods"].to_pylist() == sorted(whole.to_pylist(), key=lambda row: str(row["month"]))
    assert written[0] == written[1]


def test_chunks_of_a_large_table_leave_no_trace_in_its_bytes(tmp_path: Path) -> None:
    """A small table's pages hide the chunks that it came in; here they would show."""
    whole = pa.table({"balance_minor": np.random.default_rng(0).integers(0, 10**7, 300_000)})
    chunked = pa.concat_tables([whole.slice(0, 123_457), whole.slice(123_457)])
    first, second = (Lake(tmp_path / name) for name in ("first", "second"))
    first.write_draft(DIGEST, {"accounts": whole}, None)
    second.write_draft(DIGEST, {"accounts": chunked}, None)
    assert tree(first.root) == tree(second.root)


def test_a_month_that_only_a_dictionary_lists_makes_no_file(tmp_path: Path) -> None:
    months = pa.DictionaryArray.from_arrays(pa.array([1, 1]), ["2024-01", "2024-02"])
    lake = Lake(tmp_path)
    lake.place(lake.write_draft(DIGEST, {"periods": pa.table({"month": months})}, None))
    assert [path.parent.name for path in lake.files(DIGEST, "periods")] == ["month=2024-02"]
