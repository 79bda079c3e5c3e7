"""Files that survive a crash, locks that name their holder, and disk errors in words."""

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Unavailable

Waiting = Callable[[str], None]

_REMEDIES = {
    errno.ENOSPC: "The disk is full: free some space and try again.",
    errno.EDQUOT: "Your quota is used up: free some space and try again.",
    errno.EROFS: "The file system is read-only: choose a workspace on one that can be written.",
    errno.EACCES: "This user may not write there: change the owner of the folder, or choose another workspace.",
    errno.EPERM: "This user may not write there: change the owner of the folder, or choose another workspace.",
    errno.ENOTDIR: "A file stands where a folder is needed: choose another workspace.",
    errno.EEXIST: "A file stands where a folder is needed: choose another workspace.",
    errno.ENAMETOOLONG: "The path is too long for this file system: choose a shorter one.",
}


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing at `place` into Unavailable with a remedy."""
    try:
        yield
    except OSError as error:
        # pyarrow raises bare OSErrors of its own for bad data; those keep their text.
        reason = os.strerror(error.errno) if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "Check the disk, then try again.")
        named = error.filename if isinstance(error.filename, str) else place
        raise Unavailable(f"{named} cannot be written: {reason}.", remedy) from error


def sync(path: Path) -> None:
    """Flush a file or a folder's list of names to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, text: str, mode: int) -> None:
    """A small file that is there whole or not at all, with its mode and content on the disk."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)  # the umask may have taken bits away
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    sync(path.parent)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: process id, command line, and since when (ISO 8601, UTC)."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} (`{self.command}`, since {self.since})"


def holder_of(lock: Path) -> Holder | None:
    """The holder that a lock file names, or None where it names nobody (the lock itself is not tried)."""
    with suppress(OSError, ValueError, TypeError):
        return Holder(**json.loads(lock.read_text(encoding="utf-8")))
    return None


@contextmanager
def exclusive(lock: Path, what: str, clock: Clock, limit_s: float, waiting: Waiting | None = None) -> Iterator[None]:
    """Hold a lock file alone while the block runs; the kernel releases it however the process ends.

    what: the thing that is locked, for messages. limit_s: seconds to wait for another holder.
    Raises Unavailable that names the holder.
    """
    with writing(lock):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, lock, what, limit_s, waiting)
        holder = {"pid": os.getpid(), "command": " ".join(sys.argv)[:200], "since": clock().isoformat("T", "seconds")}
        with writing(lock):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder, ensure_ascii=False).encode(), 0)
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def _acquire(descriptor: int, lock: Path, what: str, limit_s: float, waiting: Waiting | None) -> None:
    deadline = time.monotonic() + limit_s
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            who = str(holder_of(lock) or "another process")
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"{what} is in use by {who}.",
                "Wait until it has finished, end it, or choose another workspace.",
            )
        if waiting and not told:
            waiting(f"{what} is in use by {who}; waiting up to {limit_s:.0f} seconds.")
            told = True
        time.sleep(0.05)
