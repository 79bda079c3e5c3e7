"""The doctor names each kind of damage, says what to do, and touches nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_child import DIGEST, load_book
from storage_helpers import Start, said

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.text import catalogue
from evenkeel.storage import doctor
from evenkeel.storage.doctor import Check
from evenkeel.storage.workspace import open_workspace

HAN = re.compile(r"[\u4e00-\u9fff]")


def faults(place: Path, clock: Clock, url: str | None = None) -> dict[str, Check]:
    return {check.name: check for check in doctor.checks(place, url, clock=clock) if not check.ok}


@pytest.fixture
def loaded(tmp_path: Path, given_url: str, clock: Clock) -> Path:
    """A workspace with one book, closed again."""
    with open_workspace(tmp_path, database_url=given_url, clock=clock) as workspace:
        load_book(workspace)
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_nothing_is_set_up_it_says_what_to_do_and_makes_nothing(place: Path, clock: Clock, language: str) -> None:
    found = {check.name: check for check in doctor.checks(place, None, clock=clock, language=language)}
    assert all(check.ok for check in found.values())
    assert "make demo" in found["workspace"].remedy
    assert "evenkeel run" in found["database"].remedy
    assert bool(HAN.search(found["workspace"].detail)) == (language == "zh")
    assert not place.exists()


def test_a_sound_workspace_passes(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock) as workspace:
        load_book(workspace)
    found = doctor.checks(place, None, clock=clock)
    assert [check.name for check in found if check.name != "abandoned"] == [
        "versions", "workspace", "disk", "database", "migrations", "append_only", "vault", "chain", "books",
    ]  # fmt: skip
    assert all(check.ok for check in found)
    versions = found[0].detail
    assert all(name in versions for name in ("Python 3.", "evenkeel ", "duckdb ", "pyarrow "))
    assert "PostgreSQL 18" in found[3].detail


def tamper(book: Path) -> None:
    path = book / "periods/month=2024-05/part.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: list[tuple[str, str, Callable[[Path], object]]] = [
    ("files", "periods/month=2024-05/part.parquet", tamper),
    ("files", "accounts.parquet", lambda book: (book / "accounts.parquet").unlink()),
    ("files", "added.txt", lambda book: (book / "added.txt").write_text("")),
    ("books", DIGEST, lambda book: book.rename(book.parents[2] / "elsewhere")),
    ("orphans", "unknown-book", lambda book: (book.parent / "unknown-book").mkdir()),
    ("leftovers", "cut-off", lambda book: (book.parents[1] / "draft/cut-off").mkdir(parents=True)),
]


@pytest.mark.parametrize(("name", "named", "damage"), DAMAGES)
def test_damage_to_the_lake_is_found_by_name_with_a_remedy(
    loaded: Path, given_url: str, clock: Clock, name: str, named: str, damage: Callable[[Path], object]
) -> None:
    damage(loaded / "lake/books" / DIGEST)
    found = faults(loaded, clock, given_url)
    assert list(found) == [name]
    assert named in found[name].detail
    assert found[name].remedy


@pytest.mark.parametrize("statement", ["DROP TRIGGER {} ON journal", "ALTER TABLE journal DISABLE TRIGGER {}"])
def test_a_journal_without_its_guard_is_found(loaded: Path, given_url: str, clock: Clock, statement: str) -> None:
    with (
        open_workspace(loaded, database_url=given_url, clock=clock) as workspace,
        workspace.engine.begin() as connection,
    ):
        connection.execute(sa.text(statement.format("journal_append_only")))
    assert list(faults(loaded, clock, given_url)) == ["append_only"]


def test_tables_of_another_revision_are_found_and_left_alone(loaded: Path, given_url: str, clock: Clock) -> None:
    with (
        open_workspace(loaded, database_url=given_url, clock=clock) as workspace,
        workspace.engine.begin() as connection,
    ):
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for _ in range(2):
        assert "9999" in faults(loaded, clock, given_url)["migrations"].detail


def test_a_database_that_does_not_answer_is_found_without_its_password(place: Path, clock: Clock) -> None:
    found = faults(place, clock, "postgresql://me:s3cret@127.0.0.1:1/db")
    assert list(found) == ["database"]
    assert "127.0.0.1" in found["database"].detail
    assert "EVENKEEL_DATABASE_URL" in found["database"].remedy
    assert "s3cret" not in repr(found)


def test_a_workspace_in_use_is_named_with_its_holder(
    place: Path, clock: Clock, child: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evenkeel.storage.workspace._LIMIT_S", 0.2)
    _, pid = said(child("hold", place)).split()
    assert f"process {pid}" in faults(place, clock)["database"].detail


def test_a_disk_that_is_nearly_full_is_found(place: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    assert list(faults(place, clock)) == ["disk"]


def test_every_text_is_there_in_both_languages_with_the_same_places() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    keys = {key for key in english if key.startswith("doctor.")}
    assert keys == {key for key in chinese if key.startswith("doctor.")}
    for key in keys:
        places = [sorted(re.findall(r"{\w+}", texts[key])) for texts in (english, chinese)]
        assert places[0] == places[1], key
        assert HAN.search(chinese[key])
