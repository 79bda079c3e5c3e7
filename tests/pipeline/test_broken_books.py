"""One thing wrong in a sound book, through `evenkeel run`: a named fault or a refusal, never half an output."""

import csv
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mutations import MUTATIONS, REFUSED, Mutation, apply

from evenkeel.cli.application import Application
from evenkeel.cli.main import main
from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage.workspace import Workspace


class Ready(Application):
    """An application whose workspace is open already."""

    opened: Workspace

    def workspace(self, named, waiting):  # type: ignore[no-untyped-def]
        def ready() -> AbstractContextManager[Workspace]:
            return nullcontext(self.opened)

        return ready


@pytest.fixture
def application(runner) -> Application:
    ready = Ready(Path("nowhere"), None, fixed_clock(datetime(2026, 3, 1, tzinfo=UTC)))
    object.__setattr__(ready, "opened", runner.workspace)
    return ready


# One of each group in `make test`, all of them in `make prove`.
SAMPLE = {mutation.name.split(":")[0]: mutation for mutation in reversed(MUTATIONS)}


def faults_of(out: Path) -> set[tuple[str, str, str, str, str]]:
    with (out / "faults.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["table"], row["row"], row["column"], row["rule"], row["effect"]) for row in rows}


def run_broken(mutation: Mutation, form: str, application: Application, folder: Path, capfd) -> None:
    apply(mutation, folder / "book", form)
    out = folder / "out"
    code = main(["run", str(folder / "book"), "--out", str(out), "--lang", "en"], application, "")
    said = capfd.readouterr()
    assert "Traceback" not in said.err and "fault of evenkeel" not in said.err
    expected = mutation.expected(form)
    refused = any(fault[-1] == REFUSED for fault in expected)
    assert code == (1 if refused else 0)
    wanted = {
        (table, "" if row is None else str(row), column, rule, effect) for table, row, column, rule, effect in expected
    }
    assert wanted <= faults_of(out)
    names = {path.name for path in out.iterdir()}
    assert ("decisions.parquet" in names) is not refused
    assert names == {"quality.json", "faults.csv"} or not refused
    assert [path.name for path in folder.iterdir() if path.name.endswith(".draft")] == []


@pytest.mark.sampled(2)
@pytest.mark.parametrize("mutation", SAMPLE.values(), ids=lambda mutation: mutation.name)
def test_one_thing_wrong_is_named_or_refuses_the_book(mutation, application, tmp_path, capfd):
    run_broken(mutation, mutation.forms[0], application, tmp_path, capfd)


@pytest.mark.prove
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_everything_that_can_be_wrong_in_every_format(mutation, application, tmp_path, capfd):
    for form in mutation.forms:
        run_broken(mutation, form, application, tmp_path / form, capfd)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB, where the machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_nothing_behind(small_disk, small_book, application, capfd):
    code = main(["run", str(small_book), "--out", str(small_disk / "out")], application, "")
    assert code == 2
    assert "cannot be written" in capfd.readouterr().err
    assert list(small_disk.iterdir()) == []


def test_a_read_only_folder_is_said_to_be_one(small_disk, small_book, application, capfd):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code = main(["run", str(small_book), "--out", str(small_disk / "out")], application, "")
    assert code == 2
    assert "cannot be written" in capfd.readouterr().err
