"""What is erased from the identity vault is gone from every copy, whoever reads or is killed meanwhile."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_helpers import remove, tree
from vault_samples import (
    CHILD,
    LI,
    WANG,
    WHY,
    Attack,
    change,
    everybody,
    holds_everybody,
    people,
    scalar,
    shards_in_use,
)

from evenkeel.kernel.clock import Clock, system_clock
from evenkeel.kernel.errors import Conflict, NotFound
from evenkeel.kernel.text import texts
from evenkeel.storage import doctor
from evenkeel.storage.journal import Journal
from evenkeel.storage.vault import (
    ERASED,
    FIELDS,
    Identity,
    Keyring,
    Vault,
    findings,
    rotate,
    status,
)
from evenkeel.storage.workspace import open_workspace

# ---- Erasing --------------------------------------------------------------------------------------------------------


def test_what_is_erased_is_told_as_erased_and_nothing_else_changes(vault: Vault, clock: Clock) -> None:
    vault.put_many(everybody())
    assert vault.erase("p3", **WHY).first
    with pytest.raises(NotFound, match="p3 was erased from the vault on 2026-03-01"):
        vault.read("p3", ["name"], **WHY)
    for field, values in everybody()["p3"].each():
        assert "p3" not in vault.find(field, values[0], **WHY)
    holds_everybody(vault, {one: identity for one, identity in everybody().items() if one != "p3"})
    row = scalar(vault, "SELECT p::text FROM vault_person p WHERE borrower_id = 'p3'")
    assert row == '(p3,,,,,,,,,"2026-03-01 08:30:00+00")'


def test_what_was_asked_and_told_of_the_erased_goes_too(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": Identity(name="李娜")})
    use = "INSERT INTO application_token (kind, token, at_us, application_id, borrower_id) VALUES ('phone', 'phone:1', "
    with vault.engine.begin() as connection:
        for who in ("b1", "b2"):
            connection.execute(sa.text(f"{use} 1, gen_random_uuid(), '{who}')"))
    vault.erase("b1", **WHY)
    assert scalar(vault, "SELECT string_agg(borrower_id, ',') FROM application_token") == "b2"


def test_erasing_books_one_fact_and_erasing_again_changes_nothing(vault: Vault, clock: Clock) -> None:
    vault.put("b1", WANG)
    first = vault.erase("b1", **WHY)
    again = Vault(vault.engine, vault.keyring, system_clock).erase("b1", reason="once more", by="officer-9")
    assert (first.first, again.first, again.erased_at) == (True, False, clock())
    (entry,) = Journal(vault.engine, clock).read(kind=ERASED)
    assert (entry.fact.borrower_id, entry.fact.payload) == ("b1", {"by": "officer-7", "reason": "case 12"})
    assert [one.action for one in vault.log()] == ["erase"]


def test_an_erased_id_is_not_used_again(vault: Vault) -> None:
    vault.put("b1", WANG)
    vault.erase("b1", **WHY)
    with pytest.raises(Conflict, match="new borrower"):
        vault.put("b1", LI)
    assert vault.put("b2", WANG)


def test_of_many_erasures_at_once_one_is_the_first(vault: Vault, clock: Clock) -> None:
    vault.put_many(everybody())
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: vault.erase(f"p{number % 3}", **WHY), range(18)))
    assert sum(one.first for one in done) == 3
    assert len(list(Journal(vault.engine, clock).read(kind=ERASED))) == 3
    holds_everybody(vault, {one: identity for one, identity in everybody().items() if one not in ("p0", "p1", "p2")})


def test_who_reads_while_somebody_erases_gets_the_person_or_is_told_of_the_erasure(vault: Vault) -> None:
    people_there = everybody()
    vault.put_many(people_there)

    def look(number: int) -> str:
        try:
            known = vault.read(f"p{number}", FIELDS, **WHY)
        except NotFound as error:
            assert "was erased" in error.message
            return "erased"
        assert known == people_there[f"p{number}"]
        return "read"

    with ThreadPoolExecutor(6) as pool:
        looked = [pool.submit(look, number) for number in range(15) for _ in range(2)]
        erased = [pool.submit(vault.erase, f"p{number}", **WHY) for number in range(15)]
        looked += [pool.submit(look, number) for number in range(15)]
        for one in erased:
            one.result()
        assert {one.result() for one in looked} <= {"read", "erased"}
    assert {look(number) for number in range(15)} == {"erased"}


def test_an_erasure_killed_before_the_keys_are_destroyed_is_finished_by_the_next(vault: Vault, given_url: str) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    folder = str(vault.keyring.folder.parent)
    command = [sys.executable, str(CHILD), "erase", given_url, folder, "b1", "before_destroying"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    with pytest.raises(NotFound, match="erased"):
        vault.read("b1", ["name"], **WHY)
    found = {name: remedy for name, ok, _, remedy in findings(vault, texts("en")) if not ok}
    assert "evenkeel vault erase" in found["vault_erasures"]
    assert not vault.erase("b1", **WHY).first
    assert status(vault).doomed == 0
    assert vault.read("b2", FIELDS, **WHY) == LI


def test_a_person_whose_row_is_spoilt_can_still_be_erased(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    change(vault, "UPDATE vault_person SET name = set_byte(name, 20, get_byte(name, 20) # 1) WHERE borrower_id = 'b1'")
    assert vault.erase("b1", **WHY).first
    assert vault.find("phone", str(WANG.phone), **WHY) == []
    assert vault.find("phone", str(LI.phone), **WHY) == ["b2"]


def test_a_replaced_value_leaves_no_mark_that_an_old_copy_could_tell(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    attack = Attack.on_copy(vault)
    guesses = [str(WANG.phone), str(LI.phone)]
    assert attack.confirmed("phone", guesses) == guesses
    vault.put("b1", Identity(phone="13900001111"))
    assert attack.confirmed("phone", guesses) == guesses[1:]


# ---- Erasing, in every copy -----------------------------------------------------------------------------------------


@pytest.fixture
def copied(open_folder: Path) -> Iterator[Path]:
    """Where a copy of a workspace may be put."""
    yield open_folder / "copy"
    remove(open_folder / "copy")


def test_erased_people_are_in_no_file_and_no_old_copy_tells_them(place: Path, copied: Path, clock: Clock) -> None:
    secret = Identity(
        name="司马·未知零贰", id_number="31010119900307789X", phone="13761234987", cards=("6217001234500067891",),
        address="上海市黄浦区无名路四十二弄七号",
    )  # fmt: skip
    with open_workspace(place, database_url=None, clock=clock) as opened:
        vault = Vault(opened.engine, Keyring.of(place), clock)
        vault.put_many({**everybody(), "secret": secret})
        assert vault.read("secret", FIELDS, **WHY) == secret
        assert vault.find("id_number", "31010119900307789x", **WHY) == ["secret"]
    subprocess.run(["cp", "-a", place, copied], check=True)  # made before the erasure

    with open_workspace(place, database_url=None, clock=clock) as opened:
        vault = Vault(opened.engine, Keyring.of(place), clock)
        vault.erase("secret", **WHY)
        vault.put("passing", LI)  # the copy will give the number of this shard once more
        vault.erase("passing", **WHY)
        change(vault, "CHECKPOINT")
    written = tree(place) | {f"copy/{name}": content for name, content in tree(copied).items()}
    assert [name for name, content in written.items() if ERASED.encode() in content and "/base/" in name] != []
    for text in people({"secret": secret}):
        for encoded in (text.encode(), text.encode("utf-16-le"), text.encode().hex().encode()):
            assert [name for name, content in written.items() if encoded in content] == []
    assert all(check.ok for check in doctor.checks(place, None, clock=clock))

    subprocess.run(["rm", "-r", copied / "vault"], check=True)
    subprocess.run(["cp", "-a", place / "vault", copied], check=True)  # the old copy with the keys of now
    with open_workspace(copied, database_url=None, clock=clock) as opened:
        old = Vault(opened.engine, Keyring.of(copied), clock)
        with pytest.raises(NotFound, match="destroyed"):
            old.read("secret", FIELDS, **WHY)
        attack = Attack.on_copy(old)
        assert attack.keys_of("secret") == []
        assert len(attack.keys_of("p4")) == 1
        guesses = [str(secret.phone), str(everybody()["p4"].phone)]
        assert attack.confirmed("phone", guesses) == guesses[1:]
        # The copy becomes the record: rotating erases there what was erased, and the search works again.
        assert rotate(old).erased == 1
        holds_everybody(old, everybody())
        assert None not in shards_in_use(old).values()  # the number of `passing` was given once more, and passed over
        assert len(list(opened.journal.read(kind=ERASED))) == 1
    assert all(check.ok for check in doctor.checks(copied, None, clock=clock))
