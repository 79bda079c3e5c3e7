"""What tests of the vault run in a process of its own: `python vault_child.py TASK URL FOLDER [ARGUMENT...]`."""

import os
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from evenkeel.kernel.clock import system_clock
from evenkeel.storage.vault import Identity, Keyring, Vault, rotate, rotation
from evenkeel.storage.vault.keys import Shards


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def vault_at(url: str, folder: str) -> Vault:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), hide_parameters=True)
    return Vault(engine, Keyring.of(Path(folder)), system_clock)


def turn(vault: Vault, point: str) -> None:
    """Rotate, a few persons at a time, and be killed at a named point or after so many persons."""
    if point == "key_in_file":
        rotation.Opened.add_version = die  # type: ignore[method-assign]
    if point == "before_retiring":
        rotation._retired = die  # type: ignore[assignment]
    if point == "retired":
        Vault.settle = lambda self: die() if len(rotations) else 0  # type: ignore[method-assign, assignment]
    if point == "before_the_file_is_cleaned":
        Keyring.keep = die  # type: ignore[method-assign, assignment]
    rotations: list[int] = []

    def progress(moved: int) -> None:
        rotations.append(moved)
        tell("moved", moved)
        if point.isdigit() and moved >= int(point):
            die()

    rotate(vault, progress, batch=7)
    tell("done")


def erase(vault: Vault, borrower_id: str, point: str) -> None:
    """Erase somebody, and be killed before the keys are destroyed."""
    if point == "before_destroying":
        Shards.destroy = die  # type: ignore[method-assign, assignment]
    vault.erase(borrower_id, reason="asked by letter", by="child")
    tell("erased")


def put(vault: Vault, prefix: str) -> None:
    """Put one person after another, and tell whom, until killed."""
    number = 0
    while True:
        borrower_id = f"{prefix}-{number}"
        vault.put(borrower_id, Identity(name=f"人{number}", phone=f"139{number:08d}"))
        tell(borrower_id)
        number += 1


TASKS = {"turn": turn, "erase": erase, "put": put}

if __name__ == "__main__":
    task, database_url, place, *rest = sys.argv[1:]
    TASKS[task](vault_at(database_url, place), *rest)  # type: ignore[operator]
