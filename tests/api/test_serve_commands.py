"""`evenkeel serve` and its keys, with the database that it brings along."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import ask
from engine_samples import deciders

from shells import Done, here, started

CHILD = Path(__file__).with_name("serve_child.py")


@pytest.fixture
def place() -> Iterator[Path]:
    from storage_helpers import remove

    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    (folder / "m.json").write_text(json.dumps(deciders().model.document()), encoding="utf-8")
    yield folder / "workspace"
    remove(folder / "workspace")
    (folder / "m.json").unlink()
    folder.rmdir()


def command(place: Path, *arguments: str, url: str = "", run: Callable[..., Done] = here) -> tuple[int, dict]:
    folder = {"EVENKEEL_WORKSPACE": str(place), "EVENKEEL_DATABASE_URL": url}
    done = run("serve", *arguments, "--json", cwd=place.parent, **folder)
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}


def test_a_key_is_told_once_listed_without_its_secret_and_revoked(place: Path, given_url: str) -> None:
    code, made = command(
        place, "keys", "add", "--lender", "lender-1", "--scope", "read", "--note", "tests", url=given_url
    )
    assert code == 0
    code, found = command(place, "keys", "list", url=given_url)
    [entry] = found["keys"]
    assert (entry["lender_id"], entry["scopes"], entry["note"], entry["revoked_at"]) == (
        "lender-1",
        ["read"],
        "tests",
        None,
    )
    assert made["key"].split("-", 2)[2] not in json.dumps(found)
    assert command(place, "keys", "revoke", entry["key_id"], url=given_url)[0] == 0
    assert command(place, "keys", "list", url=given_url)[1]["keys"][0]["revoked_at"]
    assert "There is no key" in command(place, "keys", "revoke", entry["key_id"], url=given_url)[1]["error"]


def test_a_service_with_its_own_database_ends_with_the_process_that_holds_it(place: Path) -> None:
    key = command(place, "keys", "add", "--lender", "lender-1", "--scope", "decide")[1]["key"]
    arguments = ["--model", str(place.with_name("m.json")), "--lender", "lender-1", "--port", "0", "--lang", "zh"]
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(place), "", *arguments], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    told = process.stdout.readline()
    port = int(told.split("http://127.0.0.1:")[1].split()[0])
    assert ask(port, "GET", "/ready")[0] == 200
    application = {"borrower_id": "b1", "product": "card", "requested_minor": 60_000}
    status, answer, _ = ask(port, "POST", "/v1/decisions", key, application, Idempotency_Key="k1")
    assert status == 200 and answer["outcome"] in ("refer", "decline")  # nothing is known of the applicant
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        try:
            ask(port, "GET", "/health")
        except OSError:
            return
        time.sleep(0.2)
    pytest.fail("the worker outlived the process that started it")


def test_a_port_that_is_taken_and_a_model_that_is_missing_are_said(place: Path) -> None:
    code, told = command(place, "--model", str(place.with_name("none.json")), "--port", "0", run=started)
    assert code == 1 and "none.json" in told["error"]
