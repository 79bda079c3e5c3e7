"""The identity vault: what is put can be read and found with a reason, within bounds, and is on the log."""

import json
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa
from vault_samples import LI, WANG, WHY, change, everybody, people, scalar

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.vault import (
    FIELDS,
    Identity,
    Vault,
    rotate,
    status,
)

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
