"""The identity vault through any history, and through a kill while people are put into it."""

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from vault_samples import CHILD, WHY, shards_in_use

from evenkeel.storage.vault import (
    FIELDS,
    Identity,
    Vault,
    comparable,
    rotate,
    status,
)

# ---- Any history ----------------------------------------------------------------------------------------------------


def live(seed: int, vault: Vault) -> None:
    """Do sixty random things, in the vault and in a dictionary, and hold the two to each other."""
    draw = random.Random(seed)
    known: dict[str, Identity] = {}
    erased: set[str] = set()
    for _ in range(60):
        borrower_id = f"b{draw.randrange(12)}"
        act = draw.choices(["put", "erase", "rotate"], [12, 3, 1])[0]
        if act == "rotate":
            rotate(vault, batch=draw.randrange(1, 6))
        elif act == "erase" and borrower_id in known:
            assert vault.erase(borrower_id, **WHY).first
            del known[borrower_id]
            erased.add(borrower_id)
        elif act == "put" and borrower_id not in erased:
            given = Identity(
                name=draw.choice([None, "赵甲", "钱乙"]), phone=draw.choice([None, "13900000001", "+86 139 0000 0002"])
            )
            before = known.get(borrower_id, Identity())
            known[borrower_id] = replace(before, **{field: getattr(given, field) for field, _ in given.each()})
            assert vault.put(borrower_id, given) == (known[borrower_id] != before)
        for field, value in (("name", "钱乙"), ("phone", "13900000002")):
            has = [
                one for one, identity in known.items() if (field, comparable(field, value)) in identity.comparables()
            ]
            assert vault.find(field, value, **WHY) == sorted(has)
    assert {one: vault.read(one, FIELDS, **WHY) for one in known} == known
    assert status(vault).erased == len(erased)
    assert None not in shards_in_use(vault).values()
    assert len(vault.keyring.read().master) == 1


def test_any_history_leaves_what_a_plain_dictionary_would_hold(vault: Vault) -> None:
    live(1, vault)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 130))
def test_thirty_histories_leave_what_a_plain_dictionary_would_hold(vault: Vault, seed: int) -> None:
    live(seed, vault)


def kill_while_putting(vault: Vault, url: str, count: int) -> None:
    command = [sys.executable, str(CHILD), "put", url, str(vault.keyring.folder.parent), "k"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(count)]
        child.kill()
        told += child.stdout.read().split()
    for number, borrower_id in enumerate(told):
        assert vault.read(borrower_id, ["name"], **WHY).name == f"人{number}"
        assert vault.find("phone", f"139{number:08d}", **WHY) == [borrower_id]
    assert rotate(vault).moved >= len(told)


def test_whoever_was_told_to_be_kept_is_kept_when_the_process_is_killed(vault: Vault, given_url: str) -> None:
    kill_while_putting(vault, given_url, 1)


@pytest.mark.prove
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 21, 34])
def test_whoever_was_told_to_be_kept_is_kept_after_any_kill(vault: Vault, given_url: str, count: int) -> None:
    kill_while_putting(vault, given_url, count)
