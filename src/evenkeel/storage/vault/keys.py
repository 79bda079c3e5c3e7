"""What the vault keeps outside the database: the master keys in one file, and the shards in files that are overwritten.

KEY FILE                      {"format", "token", "master": {"1": hex, ...}}, mode 0600
WORKSPACE/vault/ID/000000     shards 0 to 4095, 32 bytes each; a shard of zeros is destroyed
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from evenkeel.kernel.errors import InvalidInput, NotPermitted, Unavailable
from evenkeel.storage.files import sync, write_new, writing
from evenkeel.storage.vault.sealing import KEY_BYTES, new_key

FORMAT = "evenkeel-vault-keys-1"

_KEY_FILE_BYTES = 1 << 16
_DESTROYED = bytes(KEY_BYTES)


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The content of a key file: the key of tokens, which stays, and the master keys by version."""

    token: bytes
    master: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Keyring:
    """Where the master keys are, and the folder of the shards. Keys are read when they are needed, never kept."""

    key_file: Path
    folder: Path

    @classmethod
    def of(cls, workspace: Path, key_file: Path | None = None) -> "Keyring":
        """The keyring of a workspace: its key file is `vault/keys.json` there, unless another is named."""
        return cls(key_file or workspace / "vault" / "keys.json", workspace / "vault")

    def exists(self) -> bool:
        """Whether the key file is there."""
        return self.key_file.exists()

    def read(self) -> Keys:
        """The keys. Raises Unavailable without the file, NotPermitted if others may read it, InvalidInput if spoilt."""
        with _private(self.key_file, "the keys of the vault") as file:
            content = os.read(file, _KEY_FILE_BYTES)
        try:
            document = json.loads(content)
            master = {int(version): bytes.fromhex(key) for version, key in document["master"].items()}
            keys = Keys(bytes.fromhex(document["token"]), master)
            if (
                document["format"] != FORMAT
                or not master
                or {*map(len, master.values()), len(keys.token)} != {KEY_BYTES}
            ):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InvalidInput(
                f"{self.key_file} is no key file of a vault.", "Bring back the copy that you keep; do not edit it."
            ) from None
        return keys

    def make(self) -> None:
        """Make a key file with a first master key, unless there is one. Raises Unavailable if the disk refuses."""
        if self.exists():
            return
        with writing(self.key_file):
            self.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _place(self.key_file, _text(Keys(new_key(), {1: new_key()})).encode())

    def add(self, version: int) -> None:
        """Add a new master key to the file. Raises as `read`, and Unavailable if the file cannot be written."""
        keys = self.read()
        self._write(Keys(keys.token, {**keys.master, version: new_key()}))

    def keep(self, versions: Iterable[int]) -> None:
        """Take all master keys but these out of the file. Raises as `add`."""
        keys = self.read()
        kept = {version: key for version, key in keys.master.items() if version in versions}
        if kept.keys() != keys.master.keys():
            self._write(Keys(keys.token, kept))

    def _write(self, keys: Keys) -> None:
        place = self.key_file.resolve()  # a link stays a link
        with writing(place):
            write_new(place, _text(keys), 0o600)


def _text(keys: Keys) -> str:
    master = {str(version): key.hex() for version, key in sorted(keys.master.items())}
    return json.dumps({"format": FORMAT, "token": keys.token.hex(), "master": master}, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of one vault, by number. Each lies at a place of its own in a file, and is overwritten there."""

    folder: Path

    IN_FILE: ClassVar[int] = 4096

    def prepare(self, slots: Sequence[int]) -> None:
        """See to it that shards with new numbers are there, on the disk.

        A file is made full of random shards at once, so that most new persons cost no write. Raises Unavailable if the
        disk refuses, or if the file before is gone: then shards were lost, and new ones must not take their place.
        """
        for number in sorted({slot // self.IN_FILE for slot in slots}):
            path = self._path(number)
            if path.exists():
                continue
            if number and not self._path(number - 1).exists():
                raise _lost(self._path(number - 1))
            with writing(path):
                self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.folder.mkdir(mode=0o700, exist_ok=True)
                sync(self.folder.parent)
                _place(path, secrets.token_bytes(self.IN_FILE * KEY_BYTES))

    def read(self, slots: Iterable[int]) -> dict[int, bytes | None]:
        """Shards by number; None for one that was destroyed.

        Raises Unavailable if a file is gone or short, NotPermitted if others may read it.
        """
        found: dict[int, bytes | None] = {}
        for number, mine in groupby(sorted(slots), lambda slot: slot // self.IN_FILE):
            with _private(self._path(number), "shards of the vault") as file:
                for slot in mine:
                    shard = os.pread(file, KEY_BYTES, slot % self.IN_FILE * KEY_BYTES)
                    if len(shard) < KEY_BYTES:
                        raise _lost(self._path(number))
                    found[slot] = None if shard == _DESTROYED else shard
        return found

    def destroy(self, slots: Iterable[int]) -> None:
        """Overwrite shards with zeros, on the disk when it returns. Raises Unavailable if the disk refuses."""
        for number, mine in groupby(sorted(slots), lambda slot: slot // self.IN_FILE):
            path = self._path(number)
            with writing(path):
                descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    for slot in mine:
                        os.pwrite(descriptor, _DESTROYED, slot % self.IN_FILE * KEY_BYTES)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}"


def _lost(path: Path) -> Unavailable:
    return Unavailable(
        f"The vault's shards {path} are missing or cut short.",
        "Bring the folder back from its mirror; without it nobody whose shard was there can be read again.",
    )


def _place(path: Path, content: bytes) -> None:
    """Put a new private file in place, whole; if another process was first, its file stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync(path.parent)


@contextmanager
def _private(path: Path, what: str) -> Iterator[int]:
    """A file, open for reading, that its owner alone may read."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise NotPermitted(f"Others than the owner may read {what} {path}.", f"Run `chmod 600 {path}`.")
            yield file.fileno()
    except FileNotFoundError:
        raise Unavailable(
            f"There is no file {path}, which holds {what}.",
            "Bring it back from where its copy is kept: nothing else opens what was sealed with it.",
        ) from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.", "Check its owner and its rights.") from error
