"""Keys of the identity vault: where they lie, what a changed or moved value does, rotation, and what doctor tells."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from vault_samples import CHILD, LI, WANG, WHY, change, everybody, holds_everybody, scalar

from evenkeel.kernel.errors import InvalidInput, NotPermitted, Unavailable
from evenkeel.kernel.text import texts
from evenkeel.storage.vault import (
    FIELDS,
    Identity,
    Keyring,
    Vault,
    findings,
    rotate,
    rotation,
    status,
)
from evenkeel.storage.vault.keys import Shards

# ---- Keys ---------------------------------------------------------------------------------------------------------


def test_keys_lie_outside_the_database_and_only_their_owner_reads_them(vault: Vault) -> None:
    vault.put("b1", WANG)
    files = [path for path in vault.keyring.folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_key_file_that_others_may_read_is_refused(vault: Vault) -> None:
    vault.put("b1", WANG)
    vault.keyring.key_file.chmod(0o640)
    with pytest.raises(NotPermitted, match="chmod 600"):
        vault.read("b1", ["name"], **WHY)


def test_shards_that_others_may_read_are_refused(vault: Vault) -> None:
    vault.put("b1", WANG)
    for path in vault.keyring.folder.glob("*/0*"):
        path.chmod(0o604)
    with pytest.raises(NotPermitted, match="chmod 600"):
        vault.read("b1", ["name"], **WHY)


def test_a_lost_key_file_is_a_refusal_and_never_a_new_key(vault: Vault) -> None:
    vault.put("b1", WANG)
    kept = vault.keyring.key_file.read_bytes()
    vault.keyring.key_file.unlink()
    for act in (lambda: vault.read("b1", ["name"], **WHY), lambda: vault.put("b2", LI), lambda: rotate(vault)):
        with pytest.raises(Unavailable, match="no file"):
            act()
        assert not vault.keyring.exists()
    vault.keyring.key_file.write_bytes(kept)
    vault.keyring.key_file.chmod(0o600)
    assert vault.read("b1", ["name"], **WHY).name == WANG.name


def test_another_vaults_key_file_is_recognised(vault: Vault, tmp_path: Path) -> None:
    vault.put("b1", WANG)
    other = Keyring(tmp_path / "other.json", vault.keyring.folder)
    other.make()
    with pytest.raises(Unavailable, match="another vault"):
        Vault(vault.engine, other, vault.clock).read("b1", ["name"], **WHY)


def test_a_spoilt_key_file_is_refused_without_showing_it(vault: Vault) -> None:
    vault.put("b1", WANG)
    short = '{"format": "evenkeel-vault-keys-1", "token": "00", "master": {"1": "c0ffee"}}'
    for content in ("", "{}", "[]", "\xff", "[" * 50_000, short):
        vault.keyring.key_file.write_text(content, encoding="latin-1")
        with pytest.raises(InvalidInput, match="no key file") as caught:
            vault.read("b1", ["name"], **WHY)
        assert "c0ffee" not in str(caught.value)


def test_lost_shards_are_a_refusal_and_are_not_made_anew(vault: Vault) -> None:
    vault.put("b1", WANG)
    for path in vault.keyring.folder.glob("*/000001"):
        path.unlink()
    with pytest.raises(Unavailable, match="no file"):
        vault.read("b1", ["name"], **WHY)
    for path in vault.keyring.folder.glob("*/000000"):
        path.unlink()
    with pytest.raises(Unavailable, match="missing"):
        vault.put("b2", LI)


def test_a_changed_bit_is_found(vault: Vault) -> None:
    vault.put("b1", WANG)
    for column in ("wrapped", *FIELDS):
        flip = f"UPDATE vault_person SET {column} = set_byte({column}, 20, get_byte({column}, 20) # 1)"
        change(vault, flip)
        with pytest.raises(Unavailable, match=f"The {column if column != 'wrapped' else 'key'} of b1 does not open"):
            vault.read("b1", ["name"], **WHY)
        change(vault, flip)  # and back
    assert vault.log() == []
    assert vault.read("b1", FIELDS, **WHY) == WANG


def test_a_value_moved_to_another_field_is_found(vault: Vault) -> None:
    vault.put("b1", WANG)
    change(vault, "UPDATE vault_person SET address = name")
    with pytest.raises(Unavailable, match="address of b1 does not open"):
        vault.read("b1", ["name"], **WHY)


def test_values_moved_to_another_person_are_found(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    change(vault, "UPDATE vault_person p SET name = q.name FROM vault_person q WHERE p.borrower_id <> q.borrower_id")
    for borrower_id in ("b1", "b2"):
        with pytest.raises(Unavailable, match=f"name of {borrower_id} does not open"):
            vault.read(borrower_id, ["name"], **WHY)


def test_a_whole_row_under_another_id_is_found(vault: Vault) -> None:
    vault.put("b1", WANG)
    change(vault, "UPDATE vault_person SET borrower_id = 'b3'")
    with pytest.raises(Unavailable, match="key of b3"):
        vault.read("b3", ["name"], **WHY)


def test_a_mark_moved_to_another_bucket_is_found(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    change(vault, "UPDATE vault_mark SET whom = set_byte(whom, 0, get_byte(whom, 0) # 1)")
    with pytest.raises(Unavailable, match="does not open"):
        vault.find("phone", str(LI.phone), **WHY)


# ---- Rotation -------------------------------------------------------------------------------------------------------


def test_rotation_moves_everybody_to_a_new_key_and_removes_the_old(vault: Vault) -> None:
    vault.put_many(everybody())
    before = vault.keyring.read().master
    done = rotate(vault, batch=7)
    assert (done.version, done.moved, done.erased, done.resumed) == (2, 30, 0, False)
    assert vault.keyring.read().master.keys() == {2}
    assert vault.keyring.read().master[2] not in before.values()
    assert status(vault).versions == {2: 30}
    assert scalar(vault, "SELECT count(*) FROM vault_mark WHERE version = 1") == 0
    holds_everybody(vault, everybody())


@pytest.mark.parametrize(
    "point", ["key_in_file", "7", "14", "28", "before_retiring", "retired", "before_the_file_is_cleaned"]
)
def test_a_rotation_killed_anywhere_is_finished_by_the_next(vault: Vault, given_url: str, point: str) -> None:
    vault.put_many(everybody())
    command = [sys.executable, str(CHILD), "turn", given_url, str(vault.keyring.folder.parent), point]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    holds_everybody(vault, everybody())  # also half-way
    vault.put("late", LI)
    done = rotate(vault)
    assert (done.version, done.resumed) == (2, True)
    assert vault.keyring.read().master.keys() == {2}
    assert status(vault).versions == {2: 31}
    assert status(vault).doomed == 0
    holds_everybody(vault, everybody() | {"late": LI})


def test_a_key_is_not_retired_while_somebody_is_left_under_it(vault: Vault) -> None:
    vault.put("b1", WANG)
    version, _ = rotation._begin(vault)
    assert not rotation._retired(vault, version)
    assert rotate(vault).moved == 1
    assert vault.read("b1", FIELDS, **WHY) == WANG


def test_people_are_put_read_found_and_erased_while_keys_rotate(vault: Vault) -> None:
    vault.put_many(everybody())

    def disturb(number: int) -> None:
        vault.put(f"new-{number}", Identity(name="新人", phone=f"1370000{number:04d}"))
        assert vault.find("phone", f"1370000{number:04d}", **WHY) == [f"new-{number}"]
        assert vault.read(f"new-{number}", ["name"], **WHY).name == "新人"
        vault.put(f"new-{number}", Identity(phone=f"1360000{number:04d}"))
        assert vault.find("phone", f"1370000{number:04d}", **WHY) == []
        if number % 2:
            vault.erase(f"new-{number}", **WHY)

    with ThreadPoolExecutor(4) as pool:
        disturbing = [pool.submit(disturb, number) for number in range(24)]
        rotations = [rotate(vault, batch=3) for _ in range(3)]
        for one in disturbing:
            one.result()
    assert rotations[-1].version == 4
    found = status(vault)
    assert (found.versions, found.erased, found.doomed) == ({4: 42}, 12, 0)
    holds_everybody(vault, everybody())


# ---- What doctor is told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_doctor_names_what_is_wrong(vault: Vault, language: str) -> None:
    say = texts(language)
    assert [ok for _, ok, _, _ in findings(vault, say)] == [True]
    vault.put("b1", WANG)
    assert [ok for _, ok, _, _ in findings(vault, say)] == [True]
    vault.keyring.key_file.chmod(0o644)
    ((name, ok, detail, _),) = findings(vault, say)
    assert (name, ok) == ("vault", False)
    assert str(vault.keyring.key_file) in detail
    vault.keyring.key_file.chmod(0o600)
    change(vault, "ALTER TABLE vault_log DISABLE TRIGGER vault_log_append_only")
    assert [name for name, ok, _, _ in findings(vault, say) if not ok] == ["vault_log"]


def test_a_shard_of_zeros_is_destroyed_and_stays_so(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "shards")
    shards.prepare([0, 5])
    before = shards.read([0, 5])
    shards.destroy([5])
    assert shards.read([0, 5]) == {0: before[0], 5: None}
    shards.prepare([5])
    assert shards.read([5]) == {5: None}
