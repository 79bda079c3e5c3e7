"""Checkpoints in files, signed and kept elsewhere, and what the doctor says of the record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from chain_samples import CUT, fact, now, tamper

from evenkeel.cli.application import Application
from evenkeel.cli.main import main
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, InvalidUsage, NotPermitted
from evenkeel.storage import chain, checkpoint, doctor
from evenkeel.storage.journal import Journal


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not in the workspace."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def sealed(journal: Journal, outside: Path, name: str = "checkpoint.json", key: str = "key") -> Path:
    seal = checkpoint.prepare(outside / name, outside / key, outside.parent / "workspace")
    checkpoint.write(seal, now(journal))
    return seal.path


# Checkpoints in files


def test_a_checkpoint_comes_back_from_its_file_as_it_was(booked: Journal, outside: Path) -> None:
    path = sealed(booked, outside)
    unknown, known = checkpoint.read(path), checkpoint.read(path, outside / "key.pub")
    assert unknown.checkpoint == known.checkpoint == now(booked)
    assert known.signer == unknown.signer
    assert (unknown.known, known.known) == (False, True)


def test_the_key_is_made_once_for_its_owner_alone(booked: Journal, outside: Path) -> None:
    first = checkpoint.read(sealed(booked, outside)).signer
    assert (outside / "key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (outside / "key.pub").read_text()
    assert checkpoint.read(sealed(booked, outside, "second.json")).signer == first
    assert checkpoint.read(sealed(booked, outside, "third.json", "other")).signer != first


def resigned(document: dict[str, Any], outside: Path) -> None:
    """Sign anew with a key of one's own, as somebody does who may write the file but has not its key."""
    key = checkpoint.Ed25519PrivateKey.generate()
    document["public_key"] = key.public_key().public_bytes_raw().hex()
    document["signature"] = key.sign(checkpoint._signed(document)).hex()


FORGERIES: list[Callable[[dict[str, Any]], object]] = [
    lambda document: document["chains"][0].update(number=2),
    lambda document: document["chains"][0].update(hash="00" * 32),
    lambda document: document["chains"].clear(),
    lambda document: document.update(settled_seq=0),
    lambda document: document.update(made_at="2020-01-01T00:00:00+00:00"),
    lambda document: document.update(added=1),
    lambda document: document.update(signature="00" * 64),
]


@pytest.mark.parametrize("change", FORGERIES)
def test_a_checkpoint_changed_after_signing_is_refused(
    booked: Journal, outside: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    path = sealed(booked, outside)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(NotPermitted, match="changed after it was signed"):
        checkpoint.read(path)


def test_a_checkpoint_signed_with_another_key_is_refused_only_by_who_names_the_key(
    booked: Journal, outside: Path
) -> None:
    path = sealed(booked, outside)
    document = json.loads(path.read_text())
    document["chains"].clear()
    resigned(document, outside)
    path.write_text(json.dumps(document))
    with pytest.raises(NotPermitted, match="was signed by the key"):
        checkpoint.read(path, outside / "key.pub")
    assert not checkpoint.read(path).known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "\x00",
        "{",
        '{"format": "evenkeel-checkpoint-1"}',
        "number",
        "hash",
        "writer",
        "twice",
        "format",
        "settled",
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_by_name(booked: Journal, outside: Path, text: str) -> None:
    path = sealed(booked, outside)
    document = json.loads(path.read_text())
    if text == "number":
        document["chains"][0]["number"] = "3"
    elif text == "hash":
        document["chains"][0]["hash"] = None
    elif text == "writer":
        document["chains"][0]["writer"] = "somebody"
    elif text == "twice":
        document["chains"] *= 2
    elif text == "format":
        document["format"] = "evenkeel-checkpoint-2"
    elif text == "settled":
        document["settled_seq"] = True
    resigned(document, outside)
    path.write_text(json.dumps(document) if text.isalpha() and text != "null" else text)
    with pytest.raises(InvalidInput, match=r"checkpoint\.json"):
        checkpoint.read(path)


def test_files_that_are_missing_or_hold_no_key_are_refused_by_name(booked: Journal, outside: Path) -> None:
    path = sealed(booked, outside)
    with pytest.raises(InvalidUsage, match="nowhere"):
        checkpoint.read(outside / "nowhere")
    with pytest.raises(InvalidUsage, match="nowhere"):
        checkpoint.read(path, outside / "nowhere")
    with pytest.raises(InvalidInput, match="no Ed25519 public key"):
        checkpoint.read(path, outside / "key")
    (outside / "key.pub").rename(outside / "bad")
    (outside / "bad").chmod(0o600)
    with pytest.raises(InvalidInput, match="no Ed25519 private key"):
        checkpoint.prepare(outside / "new.json", outside / "bad", outside.parent / "workspace")


def test_neither_key_nor_checkpoint_may_lie_in_the_workspace_and_no_checkpoint_is_replaced(
    booked: Journal, outside: Path
) -> None:
    workspace = outside.parent / "workspace"
    path = sealed(booked, outside)
    for wrong in ((workspace / "new.json", outside / "key"), (outside / "new.json", workspace / "lake/key")):
        with pytest.raises(InvalidUsage, match="lies in the workspace"):
            checkpoint.prepare(*wrong, workspace)
    with pytest.raises(InvalidUsage, match="no folder"):
        checkpoint.prepare(outside / "none/new.json", outside / "key", workspace)
    with pytest.raises(Conflict, match="never replaced"):
        checkpoint.prepare(path, outside / "key", workspace)
    (outside / "key").chmod(0o640)
    with pytest.raises(NotPermitted, match="chmod 600"):
        checkpoint.prepare(outside / "new.json", outside / "key", workspace)
    (outside / "key").unlink()
    with pytest.raises(Conflict, match=r"key\.pub"):
        checkpoint.prepare(outside / "new.json", outside / "key", workspace)
    assert not (outside / "new.json").exists()


# The doctor


@pytest.fixture
def run(given_url: str, tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`evenkeel doctor` with arguments: its exit code and its checks by name."""

    def run(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
        application = Application(tmp_path / "workspace", given_url, clock)
        code = main(["doctor", "--json", *map(str, arguments)], application, "")
        document = json.loads(capsys.readouterr().out or "{}")
        return code, {check["name"]: check for check in document.get("checks", [])}

    return run


def test_the_doctor_writes_a_checkpoint_and_holds_the_record_to_it(
    booked: Journal, outside: Path, run: Callable[..., Any]
) -> None:
    first, key = outside / "first.json", outside / "key"
    code, found = run("--checkpoint", first, "--key", key)
    assert code == 0
    assert "6" in found["chain"]["detail"]
    assert checkpoint.read(first).signer in found["checkpoint"]["detail"]
    booked.append([fact("g")])
    code, found = run("--against", first, "--public-key", f"{key}.pub", "--checkpoint", outside / "next", "--key", key)
    assert code == 0
    assert "named" in found["against"]["detail"]
    assert "covers: 1." in found["against"]["detail"]
    assert (outside / "next").exists()
    code, found = run("--against", first)
    assert code == 0
    assert "--public-key" in found["against"]["detail"]


def test_the_doctor_finds_a_cut_off_tail_only_against_a_checkpoint(
    booked: Journal, outside: Path, run: Callable[..., Any]
) -> None:
    path = sealed(booked, outside)
    tamper(booked, *CUT)
    code, found = run()
    assert (code, found["chain"]["ok"]) == (0, True)
    assert "checkpoint" in found["chain"]["detail"]
    code, found = run("--against", path, "--checkpoint", outside / "new", "--key", outside / "key")
    assert code == 1
    assert [found[name]["ok"] for name in ("chain", "against", "checkpoint")] == [True, False, False]
    assert "2 of 3" in found["against"]["detail"]
    assert found["against"]["remedy"]
    assert not (outside / "new").exists()


def test_a_checkpoint_vouches_for_nothing_where_the_chains_do_not_hold(
    booked: Journal, outside: Path, run: Callable[..., Any]
) -> None:
    path = sealed(booked, outside)
    tamper(booked, "UPDATE journal SET payload = '{}' WHERE event_id = 'd'")
    code, found = run("--against", path, "--checkpoint", outside / "new", "--key", outside / "key")
    assert code == 1
    assert "link 2" in found["chain"]["detail"]
    assert [found[name]["ok"] for name in ("chain", "against", "checkpoint")] == [False, False, False]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["changed", "gone", "unlinked", "broken", "cut", "rewritten", "late", "unguarded"])
def test_every_kind_of_fault_has_its_words(
    booked: Journal, outside: Path, clock: Clock, given_url: str, kind: str, language: str, monkeypatch: Any
) -> None:
    faults = {kind: chain.Faults(7, ["one", "two", "three", "four", "five"])}
    if kind == "unguarded":
        with booked.engine.begin() as connection:
            connection.execute(sa.text("DROP TRIGGER chain_append_only ON chain"))
        faults = {}
    inside = {} if kind in ("cut", "rewritten", "late") else faults
    proof = chain.Proof(6, 3, (), inside, {} if inside else faults)
    monkeypatch.setattr(doctor, "verify", lambda *_: proof)
    proving = doctor.Proving(against=checkpoint.read(sealed(booked, outside)))
    found = doctor.checks(outside, given_url, clock=clock, language=language, proving=proving)
    wrong = {check.name: check for check in found if not check.ok}
    named = wrong["against" if kind in ("cut", "rewritten", "late") else "chain"]
    assert kind == "unguarded" or ("7" in named.detail and "five …" in named.detail)
    assert named.remedy


def test_the_doctor_says_where_it_could_not_read_the_record(
    booked: Journal, outside: Path, run: Callable[..., Any]
) -> None:
    path = sealed(booked, outside)
    with booked.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    code, found = run("--against", path, "--checkpoint", outside / "new", "--key", outside / "key")
    assert code == 1
    assert [found[name]["ok"] for name in ("migrations", "against", "checkpoint")] == [False, False, False]
    assert "chain" not in found


@pytest.mark.parametrize(
    "arguments", [["--checkpoint", "x"], ["--key", "x"], ["--public-key", "x"], ["--against", "nowhere"]]
)
def test_options_that_cannot_work_together_are_a_wrong_use(
    booked: Journal, run: Callable[..., Any], arguments: list[str]
) -> None:
    assert run(*arguments)[0] == 2
