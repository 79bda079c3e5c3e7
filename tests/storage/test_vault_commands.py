"""`evenkeel vault`: every command, in words and JSON; values come in by standard input and go out only when read."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from vault_samples import LI, WANG, people

from evenkeel.cli.application import Application
from evenkeel.cli.vault import vault
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound, Unavailable
from evenkeel.storage.parquet import Lake
from evenkeel.storage.workspace import open_workspace

WHY = ("--reason", "case 12", "--by", "officer-7")
IDENTITY = json.dumps(
    {"name": WANG.name, "id_number": WANG.id_number, "phone": WANG.phone, "cards": WANG.cards, "address": WANG.address}
)

Run = Callable[..., Result]


@pytest.fixture
def run(given_url: str, tmp_path: Path, clock: Clock) -> Run:
    application = Application(tmp_path / "workspace", given_url, clock)

    def invoke(*arguments: str, given: str = "") -> Result:
        return CliRunner().invoke(vault, arguments, input=given, obj=application, standalone_mode=False)

    return invoke


def answer(result: Result) -> dict[str, object]:
    assert result.exception is None, result.exception
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_the_life_of_an_identity(run: Run) -> None:
    assert answer(run("put", "b1", "--json", given=IDENTITY)) == {"borrower_id": "b1", "new": True}
    assert answer(run("put", "b1", "--json", given=IDENTITY))["new"] is False
    assert answer(run("read", "b1", "--fields", "name,cards", *WHY, "--json")) == {
        "borrower_id": "b1", "name": WANG.name, "cards": list(WANG.cards or ()),
    }  # fmt: skip
    assert answer(run("find", "phone", *WHY, "--json", given=f"+86 {WANG.phone}\n"))["borrower_ids"] == ["b1"]
    assert answer(run("rotate", "--json")) == {"version": 2, "moved": 1, "erased": 0, "resumed": False}
    assert answer(run("erase", "b1", *WHY, "--yes", "--json"))["first"] is True
    assert isinstance(run("read", "b1", "--fields", "name", *WHY).exception, NotFound)
    logged = answer(run("log", "--json"))["entries"]
    assert isinstance(logged, list)
    assert [(entry["action"], entry["borrower_ids"]) for entry in logged] == [
        ("erase", ["b1"]), ("find", ["b1"]), ("read", ["b1"]),
    ]  # fmt: skip
    found = answer(run("status", "--json"))
    assert (found["persons"], found["erased"], found["doomed"], found["rotating"]) == (0, 1, 0, False)


@pytest.mark.parametrize(("lang", "words"), [("en", ["Nobody.", "empty"]), ("zh", ["没有找到", "为空"])])
def test_words_come_in_both_languages(run: Run, lang: str, words: list[str]) -> None:
    assert words[1] in run("status", "--lang", lang).stdout
    assert words[0] in run("find", "phone", *WHY, "--lang", lang, given="13800000000").stdout
    for command in (
        ("put", "b1"), ("read", "b1", "--fields", "name,address", *WHY), ("rotate",), ("status",),
        ("erase", "b1", "--yes", *WHY), ("erase", "b1", "--yes", *WHY), ("log",),
    ):  # fmt: skip
        result = run(*command, "--lang", lang, given='{"name": "欧阳·娜娜"}' if command[0] == "put" else "")
        assert result.exception is None
        assert result.stdout.strip()


def test_without_a_terminal_erasing_wants_to_be_confirmed(run: Run) -> None:
    run("put", "b1", given=IDENTITY)
    assert isinstance(run("erase", "b1", *WHY).exception, InvalidUsage)
    assert answer(run("status", "--json"))["persons"] == 1


def test_an_identity_that_cannot_be_used_is_refused_unseen(run: Run) -> None:
    for given in (
        "", "[]", "{}", "not json 13812345678", '{"nom": "13812345678"}', '{"phone": "1381234567813812345678"}',
        '{"cards": "13812345678"}', '{"phone": 13812345678}', "[" * 60_000,
    ):  # fmt: skip
        result = run("put", "b1", given=given)
        assert isinstance(result.exception, InvalidInput), given[:40]
        assert "1381234" not in str(result.exception) + result.output


# ---- The table of a book --------------------------------------------------------------------------------------------

HEADER = "borrower_id,name,id_number,phone,cards,address\n"
ROWS = (
    f"b1,{WANG.name},{WANG.id_number},{WANG.phone},6222021234567890128;6228480000000000123,{WANG.address}\n"
    f"b2,{LI.name},,{LI.phone},,\n"
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "book"
    folder.mkdir()
    return folder


def test_a_books_identities_go_into_the_vault_and_nowhere_else(
    run: Run, book: Path, given_url: str, tmp_path: Path, clock: Clock
) -> None:
    (book / "identities.csv").write_text(HEADER + ROWS, encoding="utf-8")
    first = answer(run("import", str(book), "--json"))
    assert (first["accepted"], first["rows"], first["put"], first["set_aside"]) == (True, 2, 2, 0)
    again = answer(run("import", str(book), "--json"))
    assert (again["put"], again["unchanged"]) == (0, 2)
    assert answer(run("find", "cards", *WHY, "--json", given="6228480000000000123"))["borrower_ids"] == ["b1"]
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=clock) as opened:
        assert list(opened.journal.read()) == []
        lake: Lake = opened.lake
        assert [path for path in lake.root.rglob("*") if path.is_file()] == []


def test_parquet_with_lists_and_whole_numbers_is_read(run: Run, book: Path) -> None:
    table = pa.table({"borrower_id": [1, 2], "phone": [13812345678, None], "cards": [None, ["6222021234567890128"]]})
    pq.write_table(table, book / "identities.parquet")
    assert answer(run("import", str(book), "--json"))["put"] == 2
    assert answer(run("find", "phone", *WHY, "--json", given="13812345678"))["borrower_ids"] == ["1"]


def test_bad_rows_are_set_aside_and_named_without_their_values(run: Run, book: Path) -> None:
    bad = "b3,赵六,,call 13700001111 at night,,\n"
    good = "".join(f"c{number},,,1390000{number:04d},,\n" for number in range(200))
    (book / "identities.csv").write_text(HEADER + ROWS + bad + good, encoding="utf-8")
    result = run("import", str(book), "--json")
    document = answer(result)
    assert (document["put"], document["set_aside"]) == (202, 1)
    assert document["faults"] == [{"row": 4, "problem": "`phone` holds more than digits, spaces and separators."}]
    assert [text for text in people({"b1": WANG}) if text in result.output] == []
    assert "赵六" not in result.output
    assert "13700001111" not in result.output


def test_too_many_bad_rows_put_nothing_in(run: Run, book: Path) -> None:
    (book / "identities.csv").write_text(HEADER + ROWS + "b3,,,12,,\n", encoding="utf-8")
    result = run("import", str(book), "--json")
    assert result.return_value == 1
    assert answer(result)["accepted"] is False
    assert answer(run("status", "--json"))["persons"] == 0


def test_a_table_that_cannot_be_used_is_refused(run: Run, book: Path) -> None:
    for content, says in (
        (HEADER + "b1,甲,,,,\nb1,乙,,,,\n", "row 3 names a borrower again"),
        (HEADER + ",甲,,,,\n", "row 2 has no `borrower_id`"),
        ("name,phone\n甲,13812345678\n", "no column `borrower_id`"),
        ("borrower_id,email\nb1,a@b\n", "'email'"),
        ("", "cannot be read"),
        ('borrower_id,name\nb1,"甲乙丙\n', "cannot be read"),
    ):
        (book / "identities.csv").write_text(content, encoding="utf-8")
        result = run("import", str(book))
        assert isinstance(result.exception, InvalidInput), says
        assert says in result.exception.message
        assert "甲" not in str(result.exception)


def test_a_book_without_identities_or_with_two_is_refused(run: Run, book: Path) -> None:
    assert isinstance(run("import", str(book)).exception, InvalidUsage)
    (book / "identities.csv").write_text(HEADER + ROWS, encoding="utf-8")
    pq.write_table(pa.table({"borrower_id": ["b1"]}), book / "identities.parquet")
    assert isinstance(run("import", str(book)).exception, InvalidUsage)


def test_another_key_file_is_another_place_for_the_same_key(run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "keys" / "vault.json"
    run("put", "b1", "--key-file", str(elsewhere), given=IDENTITY)
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert isinstance(run("read", "b1", "--fields", "name", *WHY).exception, Unavailable)
    assert run("read", "b1", "--fields", "name", *WHY, "--key-file", str(elsewhere)).exception is None
