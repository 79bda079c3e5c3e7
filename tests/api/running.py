"""A service as `evenkeel serve` starts it: a process of its own on loopback, over a database of its own."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from engine_samples import GRANTING, LENDER, book, deciders, opening, policy

from evenkeel.api.keys import SCOPES, issue
from evenkeel.kernel.clock import system_clock
from evenkeel.storage import embedded, homes
from evenkeel.storage.workspace import Workspace, open_workspace

OTHER = "lender-2"
# Purchases above half of what is left go to a person.
CAREFUL = policy(
    "authorisation",
    'if amount_minor &gt; available_minor then "decline" else '
    'if amount_minor * 2 &gt; available_minor then "refer" else "approve"',
)


@dataclass(frozen=True)
class Running:
    """A service that runs. keys: of LENDER with all scopes, of OTHER with all, of LENDER with `read` alone."""

    port: int
    process: "subprocess.Popen[str]"
    workspace: Workspace
    key: str
    other: str
    reader: str
    log: Path


@contextmanager
def started(server: Workspace, folder: Path, *options: str, by_hand: bool = True) -> Iterator[Running]:
    """A service with some accounts, in an empty database of a server that runs. by_hand: purchases and applications are
    decided by files, else by what is published."""
    data = homes.home_of(server.path) / "data"
    password = (data.parent / "password").read_text()
    name = f"test_{secrets.token_hex(8)}"
    url = f"postgresql://{embedded.USER}:{password}@/{name}?host={data}"
    with ExitStack() as stack:
        connection = stack.enter_context(server.engine.connect()).execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        stack.callback(connection.execute, sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        workspace = stack.enter_context(open_workspace(folder / "w", database_url=url, clock=system_clock))
        yield stack.enter_context(_running(folder, workspace, url, options, by_hand))


@contextmanager
def _running(
    folder: Path, workspace: Workspace, url: str, options: tuple[str, ...], by_hand: bool
) -> Iterator[Running]:
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    book(workspace, opening("a1", "b1", 100_000, yesterday), opening("a2", "b2", 100_000_000, yesterday),
         opening("o1", "b9", 100_000, yesterday, lender_id=OTHER))  # fmt: skip
    whose = ((LENDER, SCOPES), (OTHER, SCOPES), (LENDER, ("read",)))
    keys = [issue(workspace.engine, system_clock, *who) for who in whose]
    arguments = ["--lender", LENDER, "--zone", "UTC", "--port", "0", "--json", *options]
    model = json.dumps(deciders().model.document())
    for option, name, text in (
        ("authorisation", "a.dmn", CAREFUL),
        ("grant", "g.dmn", GRANTING),
        ("model", "m.json", model),
    ):
        if option != "model" and not by_hand:
            continue
        (folder / name).write_text(text, encoding="utf-8")
        arguments += [f"--{option}", str(folder / name)]
    log = folder / "log.txt"
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("serve_child.py")), str(workspace.path), url, *arguments],
        stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = ""
        while not told.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, log.read_text()
            told += line
        yield Running(int(json.loads(told)["url"].rsplit(":", 1)[1]), process, workspace, *keys, log)
    finally:
        if process.poll() is None:
            process.terminate()
        assert process.wait(40) is not None
