"""The identity vault: what is put can be read with a reason, and what is erased is gone from every copy."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from storage_helpers import remove, tree
from vault_samples import CHILD, LI, WANG, Attack, everybody, people

from evenkeel.kernel.clock import Clock, system_clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, Unavailable
from evenkeel.kernel.text import texts
from evenkeel.storage import doctor
from evenkeel.storage.journal import Journal
from evenkeel.storage.vault import (
    ERASED,
    FIELDS,
    Identity,
    Keyring,
    Vault,
    comparable,
    findings,
    rotate,
    rotation,
    status,
)
from evenkeel.storage.vault.keys import Shards
from evenkeel.storage.workspace import open_workspace

WHY = {"reason": "case 12", "by": "officer-7"}


@pytest.fixture
def vault(journal: Journal, tmp_path: Path, clock: Clock) -> Vault:
    """An empty vault in a given database, its keys in `tmp_path / "workspace"`."""
    return Vault(journal.engine, Keyring.of(tmp_path / "workspace"), clock)


def scalar(vault: Vault, query: str) -> object:
    with vault.engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar()


def change(vault: Vault, statement: str) -> None:
    with vault.engine.begin() as connection:
        connection.execute(sa.text(statement))


def shards_in_use(vault: Vault) -> dict[int, bytes | None]:
    with vault.engine.connect() as connection:
        slots = connection.execute(sa.text("SELECT slot FROM vault_bucket UNION ALL SELECT slot FROM vault_person"))
        (folder,) = connection.execute(sa.text("SELECT DISTINCT vault_id FROM vault_key")).scalars()
        return Shards(vault.keyring.folder / str(folder)).read([slot for slot in slots.scalars() if slot is not None])


# ---- Putting, reading, finding -------------------------------------------------------------------------------------


def test_what_is_put_is_read_and_only_what_is_asked_for(vault: Vault) -> None:
    assert vault.put("b1", WANG)
    assert vault.read("b1", FIELDS, **WHY) == WANG
    assert vault.read("b1", ["phone"], **WHY) == Identity(phone=WANG.phone)


def test_a_later_put_replaces_what_it_gives_and_keeps_the_rest(vault: Vault) -> None:
    vault.put("b1", WANG)
    assert not vault.put("b1", WANG)
    assert vault.put("b1", Identity(phone="13900001111"))
    known = vault.read("b1", FIELDS, **WHY)
    assert (known.phone, known.name, known.cards) == ("13900001111", WANG.name, WANG.cards)
    assert vault.find("phone", str(WANG.phone), **WHY) == []
    assert vault.find("phone", "+86 139 0000 1111", **WHY) == ["b1"]


def test_people_are_found_however_a_value_is_written(vault: Vault) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    for field, written in (
        ("name", "  欧阳・娜娜 "),
        ("id_number", "11010519491231002x"),
        ("phone", "+86 138-1234-5678"),
        ("phone", "0086 13812345678"),
        ("phone", "１３８１２３４５６７８"),
        ("cards", "6222 0212 3456 7890 128"),
        ("address", "上海市 浦东新区世纪大道１号，2-301"),
    ):
        assert vault.find(field, written, **WHY) == ["b1"], written


def test_everybody_with_a_value_is_found_and_nobody_else(vault: Vault) -> None:
    vault.put_many({f"b{number}": Identity(name="张伟", phone=f"1380000{number:04d}") for number in range(600)})
    assert len(vault.find("name", "张伟", **WHY)) == 600
    assert vault.find("phone", "13800000042", **WHY) == ["b42"]
    assert vault.find("phone", "13800009999", **WHY) == []


def test_a_name_that_too_many_have_is_no_search(vault: Vault) -> None:
    vault.put_many({f"b{number}": Identity(name="张伟") for number in range(1001)})
    with pytest.raises(InvalidInput, match="More than 1000"):
        vault.find("name", "张伟", **WHY)


def test_tokens_are_equal_where_values_are_and_outlive_rotation(vault: Vault) -> None:
    first = vault.tokens("phone", ["13812345678", "+86 138 1234 5678", None, "13812345679"])
    assert first[0] == first[1] != first[3]
    assert first[2] is None
    assert vault.tokens("device", ["13812345678"]) != first[:1]
    rotate(vault)
    assert vault.tokens("phone", ["13812345678"]) == first[:1]


def test_nothing_in_the_tables_is_readable(vault: Vault) -> None:
    vault.put_many(everybody())
    with vault.engine.connect() as connection:
        rows = "".join(
            str(connection.execute(sa.text(f"SELECT array_agg(t::text) FROM {table} t")).scalar())
            for table in ("vault_person", "vault_mark", "vault_key", "vault_bucket", "vault_log")
        )
    for text in people(everybody()):
        assert text not in rows
        assert text.encode().hex() not in rows


# ---- Bounds, and silence about values -------------------------------------------------------------------------------

BAD = {
    "name": ["", " ", "x" * 201, "a\x00b", "a\nb", "\ud800", 7],
    "id_number": ["", "--", "1" * 41, 110105194912310021],
    "phone": ["", "12", "call me", "1" * 30, "+1+2345678", 13812345678],
    "cards": [(), ("1234",), ("6222 x",), ("6222021234567890128",) * 51, "6222021234567890128", (None,)],
    "address": ["", "，。", "长" * 501, b"\x00"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_value_out_of_bounds_is_refused_by_name_and_never_shown(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        Identity(**{field: value})  # type: ignore[arg-type]
    assert f"`{field}`" in caught.value.message
    shown = str(value)
    assert len(shown) < 4 or shown not in str(caught.value)


def test_no_representation_shows_a_value(vault: Vault) -> None:
    vault.put("b1", WANG)
    shown = repr(vault) + repr(WANG) + repr(vault.keyring.read()) + str(vault.log()) + repr(status(vault))
    keys = json.loads(vault.keyring.key_file.read_text())
    for text in [*people({"b1": WANG}), keys["token"], *keys["master"].values()]:
        assert text not in shown


def test_nothing_is_read_found_or_erased_without_a_reason(vault: Vault) -> None:
    vault.put("b1", WANG)
    acts: list[Callable[..., object]] = [
        lambda **why: vault.read("b1", ["name"], **why),
        lambda **why: vault.find("name", "王伟", **why),
        lambda **why: vault.erase("b1", **why),
    ]
    for act in acts:
        for reason in ("", "  ", "ab", "x" * 301, "two\nlines", None):
            with pytest.raises(InvalidInput, match="`reason` is missing"):
                act(reason=reason, by="officer-7")
        with pytest.raises(InvalidInput, match="`by` is missing"):
            act(reason="case 12", by=" ")
    assert vault.log() == []
    assert vault.read("b1", ["name"], **WHY).name == WANG.name


def test_a_reason_that_names_the_person_is_refused_because_reasons_stay(vault: Vault) -> None:
    vault.put("b1", WANG)
    acts: list[Callable[..., object]] = [
        lambda **why: vault.read("b1", ["address"], **why),
        lambda **why: vault.find("address", str(WANG.address), **why),
        lambda **why: vault.erase("b1", **why),
    ]
    for act in acts:
        for reason in (
            "欧阳·娜娜 called", "called from 138 1234 5678", "ID 110105 19491231 002X", "card 6222021234567890128"
        ):  # fmt: skip
            with pytest.raises(InvalidInput, match="gives away") as caught:
                act(reason=reason, by="officer-7")
            assert reason not in str(caught.value)
    assert vault.log() == []


def test_an_id_that_is_the_persons_number_is_refused(vault: Vault) -> None:
    with pytest.raises(InvalidInput, match="repeats the phone") as caught:
        vault.put("u13812345678", WANG)
    assert "138" not in str(caught.value)
    assert scalar(vault, "SELECT count(*) FROM vault_person") == 0


def test_every_reading_is_on_the_log_with_who_when_why_and_which_fields(vault: Vault, clock: Clock) -> None:
    vault.put_many({"b1": WANG, "b2": LI})
    vault.read("b1", ["phone", "name"], **WHY)
    vault.find("phone", "13900009999", reason="a caller", by="officer-8")
    vault.find("phone", str(LI.phone), reason="a caller", by="officer-8")
    assert [(one.action, one.who, one.reason, one.fields, one.borrower_ids) for one in vault.log()] == [
        ("find", "officer-8", "a caller", ("phone",), ("b2",)),
        ("find", "officer-8", "a caller", ("phone",), ()),
        ("read", "officer-7", "case 12", ("name", "phone"), ("b1",)),
    ]
    assert [one.at for one in vault.log(borrower_id="b1")] == [clock()]
    assert len(vault.log(by="officer-8")) == 2


def test_the_log_refuses_change(vault: Vault) -> None:
    vault.put("b1", WANG)
    vault.read("b1", ["name"], **WHY)
    for statement in ("UPDATE vault_log SET who = 'x'", "DELETE FROM vault_log", "TRUNCATE vault_log"):
        with pytest.raises(sa.exc.DBAPIError) as caught:
            change(vault, statement)
        assert isinstance(caught.value.orig, psycopg.errors.RestrictViolation)


def test_unknown_people_and_fields_are_said(vault: Vault) -> None:
    with pytest.raises(NotFound, match="nobody by the id 'b9'"):
        vault.read("b9", ["name"], **WHY)
    vault.put("b1", WANG)
    for fields in ([], ["salary"]):
        with pytest.raises(InvalidInput, match="field"):
            vault.read("b1", fields, **WHY)
    with pytest.raises(NotFound):
        vault.erase("b9", **WHY)


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


def holds_everybody(vault: Vault, expected: dict[str, Identity]) -> None:
    for borrower_id, identity in expected.items():
        assert vault.read(borrower_id, FIELDS, **WHY) == identity
        assert borrower_id in vault.find("phone", str(identity.phone), **WHY)


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
