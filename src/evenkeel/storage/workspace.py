"""A workspace: the folder, the database and the lake that one lender's work lives in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from evenkeel.kernel.clock import Clock
from evenkeel.storage import database, embedded
from evenkeel.storage.files import Waiting, exclusive, writing
from evenkeel.storage.journal import Journal
from evenkeel.storage.parquet import Lake

LOCK = "workspace.lock"

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace."""

    path: Path
    engine: Engine
    lake: Lake
    journal: Journal


@contextmanager
def open_workspace(
    path: Path, *, database_url: str | None, clock: Clock, waiting: Waiting | None = None
) -> Iterator[Workspace]:
    """Open a workspace, made where there is none, with its database at the newest revision.

    database_url: None runs a server of our own inside the workspace, for one process at a time; a second waits up to
    10 seconds (`waiting` is told once). With a URL any number of processes may work at once.
    Raises Unavailable if the folder cannot be written, somebody else holds it, or the database cannot be reached.
    """
    place = path.expanduser().absolute()
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        place = place.resolve()
        (place / "lake").mkdir(exist_ok=True)
    with connected(place, database_url, clock, waiting) as engine:
        database.migrate(engine)
        yield Workspace(place, engine, Lake(place / "lake"), Journal(engine, clock))


@contextmanager
def connected(place: Path, database_url: str | None, clock: Clock, waiting: Waiting | None) -> Iterator[Engine]:
    """The database of an existing workspace folder as it stands, without migrations. Raises as `open_workspace`."""
    with ExitStack() as stack:
        if database_url is None:
            stack.enter_context(exclusive(place / LOCK, f"The workspace {place}", clock, _LIMIT_S, waiting))
            engine = database.embedded_engine(stack.enter_context(embedded.running(place)))
        else:
            engine = database.given_engine(database_url)
        stack.callback(engine.dispose)
        yield engine
