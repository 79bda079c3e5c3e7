"""`evenkeel accounts` as a user meets it: what it prints, what it refuses, and that its page is true."""

from __future__ import annotations

import ast
import json
import re
import shutil
import string
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from evenkeel.accounts.facts import FIELDS, FactKind
from evenkeel.cli import main as program
from evenkeel.cli.application import Application
from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.text import catalogue
from evenkeel.storage import embedded, homes
from evenkeel.storage.workspace import Workspace, open_workspace
from shells import Done, here, started

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "accounts.md"
FACTS = [
    {"account_id": "a1", "borrower_id": "b1", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-02",
     "product": "pay_later", "limit_minor": 500_000, "lender_id": "north"},
    {"account_id": "a1", "fact_id": "p", "kind": "purchase", "effective_on": "2024-05-20", "amount_minor": 100_900},
    {"account_id": "u1", "borrower_id": "b1", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-02",
     "product": "card_us", "limit_minor": 500_000},
    {"account_id": "u1", "fact_id": "p", "kind": "purchase", "effective_on": "2024-05-20", "amount_minor": 20_000},
    {"account_id": "l1", "borrower_id": "b2", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-02",
     "product": "cash_loan", "funders": [{"funder_id": "bank", "share": 7}, {"funder_id": "trust", "share": 3}]},
    {"account_id": "l1", "fact_id": "d", "kind": "disbursement", "effective_on": "2024-05-02",
     "amount_minor": 1_200_000},
]  # fmt: skip


class Shell:
    """Runs the command in a folder, on a database that is up already."""

    def __init__(self, folder: Path, server: Workspace) -> None:
        self.folder, self._server = folder, server
        self.url = self.database("lender")
        self._environment = {"EVENKEEL_DATABASE_URL": self.url, "EVENKEEL_WORKSPACE": str(folder / "work")}

    def database(self, name: str) -> str:
        """The URL of a new database."""
        with self._server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        data = homes.home_of(self._server.path) / "data"
        password = (data.parent / "password").read_text()
        return f"postgresql://{embedded.USER}:{password}@/{name}?host={data}"

    def __call__(self, *arguments: object, run: Callable[..., Done] = here) -> Done:
        return run("accounts", *arguments, cwd=self.folder, **self._environment)

    def said(self, *arguments: object, run: Callable[..., Done] = here) -> str:
        done = self(*arguments, run=run)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def document(self, *arguments: object, run: Callable[..., Done] = here) -> Any:
        return json.loads(self.said(*arguments, "--json", run=run))

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """A shell over a record with one pay-later line, one card in dollars and one loan."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    folder.chmod(0o755)
    place = folder / "server"
    with open_workspace(place, database_url=None, clock=system_clock) as server:
        found = Shell(folder, server)
        posted = found.document("post", found.write("facts.jsonl", "\n".join(map(json.dumps, FACTS))), run=started)
        assert (posted["booked"], posted["known"]) == (len(FACTS), 0)
        yield found
    home = homes.home_of(place)
    shutil.rmtree(folder)
    if home.parent == homes.SYSTEM_FOLDER:
        shutil.rmtree(home, ignore_errors=True)


# --- every command ----------------------------------------------------------------------------------------------------


def test_help_shows_every_command_with_an_example(shell: Shell) -> None:
    page = shell.said("--help", run=started)
    for command in ("schedule", "post", "state", "statement", "explain", "close", "cases"):
        assert re.search(rf"^  {command} +\S.*[^.]\.$", page, re.M), f"{command} is cut short in the list"
        own = shell.said(command, "--help")
        assert "Example" in own and "--json" in own and "--lang" in own


def test_posting_again_tells_what_was_known(shell: Shell) -> None:
    again = shell.document("post", "facts.jsonl")
    assert (again["booked"], again["known"]) == (0, len(FACTS))
    assert [(one["account_id"], one["currency"], one["known"], one["correction"]) for one in again["accounts"]] == [
        ("a1", "CNY", ["o", "p"], None), ("u1", "USD", ["o", "p"], None), ("l1", "CNY", ["o", "d"], None),
    ]  # fmt: skip
    assert shell.said("post", "facts.jsonl") == "Facts booked: 0. On record already: 6.\n"


def test_a_csv_says_the_same_as_json(shell: Shell) -> None:
    header = "account_id,borrower_id,fact_id,kind,effective_on,product,limit_minor,lender_id,amount_minor,funders\n"
    funders = '"[{""funder_id"": ""bank"", ""share"": 7}, {""funder_id"": ""trust"", ""share"": 3}]"'
    rows = [
        "a1,b1,o,opened,2024-05-02,pay_later,500000,north,,",
        "a1,,p,purchase,2024-05-20,,,,100900,",
        f"l1,b2,o,opened,2024-05-02,cash_loan,,,,{funders}",
    ]
    found = shell.document("post", shell.write("facts.csv", "\ufeff" + header + "\r\n".join(rows) + "\r\n\r\n"))
    assert (found["booked"], found["known"]) == (0, 3)
    assert shell.document("post", shell.write("facts.json", json.dumps(FACTS)))["known"] == len(FACTS)


def test_a_state_in_json(shell: Shell) -> None:
    found = shell.document("state", "a1", "--as-of", "2024-07-11", "--history")
    wanted = {
        "account_id": "a1", "borrower_id": "b1", "lender_id": "north", "currency": "CNY", "product_id": "pay_later",
        "as_of": "2024-07-11", "stage": "open", "limit_minor": 500_000, "balance_minor": 101_959, "days_past_due": 31,
        "grade": "special_mention", "past_due_minor": 101_959, "funders": {},
        "buckets": [{"month": "2024-05", "bucket": "M0"}, {"month": "2024-06", "bucket": "M1"}],
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert sum(part["amount_minor"] for part in found["owed"]) == found["balance_minor"]
    assert found["dues"] == [
        {"due_on": "2024-06-10", "due_minor": 100_900, "paid_minor": 0},
        {"due_on": "2024-07-10", "due_minor": 1_059, "paid_minor": 0},
    ]
    balances: dict[str, int] = {}
    for posting in found["postings"]:
        balances[posting["debit"]] = balances.get(posting["debit"], 0) + posting["amount_minor"]
        balances[posting["credit"]] = balances.get(posting["credit"], 0) - posting["amount_minor"]
    loan = shell.document("state", "l1", "--as-of", "2024-06-02")
    assert loan["funders"]["bank"]["receivable:principal:loan"] == 840_000
    assert sum(balances.values()) == 0
    assert sum(amount for name, amount in balances.items() if name.startswith("receivable:")) == 101_959


def test_money_is_in_the_currency_of_the_product(shell: Shell) -> None:
    for command in ("state", "statement", "explain"):
        assert "USD" in shell.said(command, "u1", "--as-of", "2024-07-11")
        assert "CNY" not in shell.said(command, "u1", "--as-of", "2024-07-11")
    borrower = shell.document("state", "--borrower", "b1", "--as-of", "2024-07-11")
    assert [total["currency"] for total in borrower["view"]["totals"]] == ["CNY", "USD"]
    assert [account["account_id"] for account in borrower["accounts"]] == ["a1", "u1"]


def test_bills_in_json(shell: Shell) -> None:
    found = shell.document("statement", "a1", "--as-of", "2024-07-11")
    assert [(bill["number"], bill["cut_on"], bill["due_on"], bill["total_minor"]) for bill in found["bills"]] == [
        (1, "2024-06-01", "2024-06-10", 100_900), (2, "2024-07-01", "2024-07-10", 101_959),
    ]  # fmt: skip
    assert all(bill["corrections"] == [] for bill in found["bills"])
    assert shell.document("statement", "a1", "--as-of", "2024-07-11", "--number", "2")["bills"] == [found["bills"][1]]


def test_an_explanation_in_json_adds_up(shell: Shell) -> None:
    for account in ("a1", "u1", "l1"):
        found = shell.document("explain", account, "--as-of", "2024-09-30")
        assert found["explained_minor"] == found["balance_minor"] > 0
        assert sum(part["amount_minor"] for part in found["parts"] if part["component"]) == found["balance_minor"]
        steps = [step for part in found["parts"] for step in part["steps"]]
        for step in (step for step in steps if step["rest_minor"] is not None):
            total = sum(float(part["amount"]) for part in step["counted"]) + float(step["rest_minor"])
            assert total == pytest.approx(step["amount_minor"], abs=1e-9)
        assert any(step["counted"] for step in steps)


def test_a_schedule_in_json(shell: Shell) -> None:
    found = shell.document("schedule", "cash_loan", "--principal", "12000", "--start", "2024-05-01")
    rows = found["instalments"]
    assert [row["number"] for row in rows] == list(range(1, 13))
    assert sum(row["principal_minor"] for row in rows) == found["principal_minor"] == 1_200_000
    assert sum(row["total_minor"] for row in rows) == found["total_minor"] == 1_320_195
    assert (rows[0]["due_on"], rows[0]["total_minor"], rows[-1]["left_minor"]) == ("2024-06-01", 110_016, 0)
    rates = {one["form"]: one["rate"] for one in found["cost"]["rates"]}
    assert rates["nominal"] == pytest.approx(0.18, abs=1e-4) and rates["compound"] == pytest.approx(0.1947, abs=1e-4)
    other = shell.document("schedule", "cash_loan", "--principal", "12000", "--start", "2024-05-01", "--rate-annual",
                           "0.15", "--instalments", "3", "--first-due", "2024-06-15")  # fmt: skip
    percent = shell.document("schedule", "cash_loan", "--principal", "12000", "--start", "2024-05-01", "--rate-annual",
                             "15%", "--instalments", "3", "--first-due", "2024-06-15")  # fmt: skip
    assert other == percent and [row["due_on"] for row in other["instalments"]] == [
        "2024-06-15", "2024-07-15", "2024-08-15",
    ]  # fmt: skip


def test_the_plan_of_a_line_is_the_bills_of_its_fold(shell: Shell) -> None:
    found = shell.document(
        "schedule", "pay_later", "--principal", "3000", "--instalments", "6", "--start", "2024-05-01"
    )
    assert [(row["principal_minor"], row["fee_minor"], row["left_minor"]) for row in found["instalments"]] == [
        (50_000, 2_100, left) for left in range(250_000, -1, -50_000)
    ]
    # The same, posted and billed.
    facts = [
        {"account_id": "plan", "borrower_id": "b", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-01",
         "product": "pay_later"},
        {"account_id": "plan", "fact_id": "p", "kind": "purchase", "effective_on": "2024-05-01",
         "amount_minor": 300_000},
        {"account_id": "plan", "fact_id": "i", "kind": "instalment_plan", "effective_on": "2024-05-01",
         "amount_minor": 300_000, "instalments": 6, "fee_rate_per_period": "0.007"},
    ]  # fmt: skip
    shell.said("post", shell.write("plan.jsonl", "\n".join(map(json.dumps, facts))))
    [bill] = shell.document("statement", "plan", "--as-of", "2024-05-31")["bills"]
    assert (bill["due_on"], bill["total_minor"]) == (found["instalments"][0]["due_on"], 52_100)


def test_a_product_of_one_s_own_goes_before_a_shipped_one(shell: Shell) -> None:
    (shell.folder / "products").mkdir()
    text = (ROOT / "src/evenkeel/accounts/products/shipped/cash_loan.toml").read_text()
    shell.write("products/mine.toml", text.replace("rate_annual = 0.18", "rate_annual = 0"))
    terms = ("schedule", "cash_loan", "--principal", "1200", "--start", "2024-05-01")
    assert shell.document(*terms, "--products", "products")["interest_minor"] == 0
    assert shell.document(*terms)["interest_minor"] > 0


def test_a_day_is_closed_once_and_its_sums_are_by_currency(shell: Shell) -> None:
    first = shell.document("close", "--day", "2024-07-31", run=started)
    assert set(first["totals"]) == {"CNY", "USD"} and first["totals"]["USD"]["accounts"] == 1
    again = shell.document("close", "--day", "2024-07-31")
    assert (first["first"], again["first"]) == (True, False)
    assert first["totals"] == again["totals"]
    words = shell.said("close", "--day", "2024-07-31")
    assert "2024-07-31 was closed before" in words and "USD" in words and "XXX" not in words
    refused = shell("close", "--day", "2024-07-30")
    assert refused.returncode == 1 and "2024-07-31 is closed; 2024-07-30 came before it" in refused.stderr


def test_cases_are_computed_without_looking_at_what_is_expected(shell: Shell, shared: Path) -> None:
    given = (shared / "cases" / "loan_schedules.json").read_text(encoding="utf-8")
    found = shell.document("cases", shell.write("cases.json", given))
    assert {case["status"] for case in found["cases"]} == {"computed", "unsupported"}
    assert all(case["why"] for case in found["cases"] if case["status"] == "unsupported")
    blind = shell.write("blind.json", json.dumps(_without_expected(json.loads(given))))
    assert shell.document("cases", blind) == found


def _without_expected(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_expected(part) for name, part in value.items() if name != "expected"}
    return [_without_expected(part) for part in value] if isinstance(value, list) else value


# --- Chinese ----------------------------------------------------------------------------------------------------------


def test_every_command_speaks_chinese_in_columns(shell: Shell) -> None:
    for arguments in (
        ("state", "a1", "--history"), ("state", "--borrower", "b1"), ("statement", "a1"), ("explain", "l1"),
    ):  # fmt: skip
        words = shell.said(*arguments, "--as-of", "2024-07-11", "--lang", "zh")
        assert re.search(r"[\u4e00-\u9fff]", words) and "Balance" not in words
    bills = shell.said("statement", "a1", "--as-of", "2024-07-11", "--lang", "zh").splitlines()[2:]
    assert len({cell_len(line) for line in bills}) == 1, "all rows are equally wide, however wide the signs are"
    schedule = shell.said("schedule", "cash_loan", "--principal", "12000", "--lang", "zh").splitlines()[2:15]
    assert len({cell_len(line) for line in schedule}) == 1


def test_both_languages_have_every_text_with_the_same_places() -> None:
    english, chinese = (
        {key: text for key, text in catalogue(language).items() if key.startswith("accounts.")}
        for language in ("en", "zh")
    )
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        places = [{name for _, name, _, _ in string.Formatter().parse(found) if name} for found in (text, chinese[key])]
        assert places[0] == places[1], key


def test_every_text_that_the_code_names_is_there_and_none_is_idle() -> None:
    source = (ROOT / "src/evenkeel/cli/account_words.py").read_text() + (
        ROOT / "src/evenkeel/cli/accounts.py"
    ).read_text()
    named: set[str] = set()
    open_ended: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("accounts."):
            named.add(node.value)
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            open_ended.add(str(node.values[0].value))
    texts = {key for key in catalogue("en") if key.startswith("accounts.")}
    beginnings = tuple(start for start in open_ended | named if start.startswith("accounts.") and start.endswith("."))
    assert {name for name in named if not name.endswith(".")} <= texts
    assert {key for key in texts - named if not key.startswith(beginnings)} == set()


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["post", "nofile.jsonl"], 2, "there is no file nofile.jsonl"),
        (["post", "facts.xlsx"], 2, "neither .jsonl, .json nor .csv"),
        (["state"], 2, "give either ACCOUNT or --borrower"),
        (["state", "a1", "--borrower", "b1"], 2, "give either ACCOUNT or --borrower"),
        (["state", "a1", "--as-of", "2024-02-30"], 2, "is not a date"),
        (["state", "a1", "--known-at", "yesterday"], 2, "no day or instant"),
        (["state", "nobody"], 1, "There is no account nobody"),
        (["state", "a1", "--as-of", "2024-01-01"], 1, "It was opened on 2024-05-02"),
        (["state", "a1", "--known-at", "2024-06-01"], 1, "no account a1 that was known by 2024-06-01"),
        (["state", "--borrower", "nobody"], 1, "no account of the borrower nobody"),
        (["statement", "a1", "--number", "9", "--as-of", "2024-07-11"], 1, "has no bill 9 by 2024-07-11"),
        (["statement", "a1", "--number", "0"], 2, "--number"),
        (["explain", "nobody"], 1, "There is no account nobody"),
        (["schedule", "nope", "--principal", "1"], 1, "There are balloon, bullet"),
        (["schedule", "cash_loan"], 2, "--principal"),
        (["schedule", "cash_loan", "--principal", "1,200"], 2, "'1,200' is not an amount"),
        (["schedule", "cash_loan", "--principal", "0"], 2, "it is above 0 and at most"),
        (["schedule", "cash_loan", "--principal", "9" * 15], 2, "it is above 0 and at most"),
        (["schedule", "cash_loan", "--principal", "1", "--rate-annual", "18"], 2, "Write 18% or 0.18"),
        (["schedule", "cash_loan", "--principal", "1", "--rate-annual", "-1%"], 2, "Write 18% or 0.18"),
        (["schedule", "cash_loan", "--principal", "1", "--start", "1970-01-01"], 2, "it is from 1980-01-01"),
        (["schedule", "cash_loan", "--principal", "1", "--first-due", "2020-01-01"], 2, "is not after --start"),
        (["schedule", "cash_loan", "--principal", "1", "--instalments", "601"], 2, "--instalments"),
        (["schedule", "grace_period", "--principal", "1", "--instalments", "2"], 1, "grace_period with these terms"),
        (["schedule", "pay_later", "--principal", "1"], 2, "pay_later offers 3, 6, 9, 12 instalments"),
        (["schedule", "pay_later", "--principal", "1", "--instalments", "5"], 2, "offers 3, 6, 9, 12"),
        (["schedule", "pay_later", "--principal", "1", "--instalments", "6", "--rate-annual", "5%"], 2, "is of loans"),
        (["schedule", "flexible", "--principal", "1"], 2, "a line without offers"),
        (["schedule", "cash_loan", "--principal", "1", "--products", "nowhere"], 1, "nowhere cannot be read"),
        (["cases", "nofile.json"], 2, "there is no file nofile.json"),
        (["cases", "facts.jsonl"], 1, "is not JSON"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(shell: Shell, arguments: list[str], code: int, said: str) -> None:
    done = shell(*arguments, "--json")
    assert done.returncode == code and said in done.stderr


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("t.jsonl", "", "t.jsonl holds no facts"),
        ("t.jsonl", "\n\n", "t.jsonl holds no facts"),
        ("t.jsonl", '{"account_id": "a1"', "t.jsonl line 1 is not JSON"),
        ("t.jsonl", '\n{"account_id": "a1", "account_id": "a2"}', "t.jsonl line 2 has the field 'account_id' twice"),
        ("t.jsonl", "[1]", "t.jsonl line 1 is no fact"),
        ("t.json", '{"account_id": "a1"}', "t.json holds no list of facts"),
        ("t.json", '[{"account_id": "a1"}, 5]', "t.json fact 2 is no fact"),
        ("t.csv", "account,fact_id\na1,x\n", "t.csv has no column `account_id`"),
        ("t.csv", "account_id,fact_id\na1,x,y\n", "t.csv line 2 has not as many cells as the header"),
        ("t.csv", "account_id,fact_id,kind,effective_on,funders\na1,x,opened,2024-05-02,[1\n",
         "t.csv line 2, `funders` is not JSON"),
        ("t.csv", "account_id,fact_id,kind,effective_on,amount_minor\na1,x,payment,2024-07-01,12.5\n",
         "t.csv line 2, account a1: payment x: `amount_minor` is '12.5'"),
        ("t.csv", "account_id,fact_id,kind,effective_on,amount_minor\na1,x,payment,2024-07-01," + "9" * 5000 + "\n",
         "Allowed: a whole number of minor units from 1 to 1000000000000"),
        ("t.jsonl", '{"account_id": "a1", "fact_id": "x", "kind": "payment", "effective_on": "2024-07-01", "sum": 5}',
         "t.jsonl line 1, account a1: payment x has an unknown field 'sum'"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_booked_is_refused_by_line(shell: Shell, name: str, text: str, said: str) -> None:
    done = shell("post", shell.write(name, text), "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["kind"] == "InvalidInput"
    assert said in done.stderr


def test_a_file_that_is_not_utf_8_is_refused(shell: Shell) -> None:
    (shell.folder / "t.csv").write_bytes("account_id,fee\na1,年费\n".encode("gb18030"))
    done = shell("post", "t.csv", run=started)
    assert (done.returncode, "t.csv is not UTF-8 at byte" in done.stderr) == (1, True)


# --- the page ---------------------------------------------------------------------------------------------------------

_BLOCK = re.compile(r"<!-- on (?P<on>\S+) -->\n|```(?P<kind>\w+)(?: (?P<file>\S+))?\n(?P<body>.*?)```\n", re.S)


@pytest.fixture
def at_home(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs a command in this process, on a record of its own, on a day that is given; returns all it prints."""
    monkeypatch.chdir(tmp_path)
    url = shell.database("page")

    def run(command: str, now: datetime) -> str:
        capsys.readouterr()
        program.main(command.split()[1:], Application(tmp_path / "record", url, lambda: now), "")
        seen = capsys.readouterr()
        return seen.out + seen.err

    return run


def test_what_the_page_shows_is_what_the_commands_print(at_home: Callable[..., str]) -> None:
    now, commands = datetime(2024, 5, 1, 12, tzinfo=UTC), 0
    for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["on"]:
            now = datetime.fromisoformat(block["on"]).replace(hour=12, tzinfo=UTC)
        elif block["file"]:
            Path(block["file"]).write_text(block["body"], encoding="utf-8")
        elif block["kind"] == "python":
            exec(compile(block["body"], "docs/accounts.md", "exec"), {})  # noqa: S102
        elif block["kind"] == "console":
            for shown in re.split(r"^\$ ", block["body"], flags=re.M)[1:]:
                command, _, output = shown.partition("\n")
                assert at_home(command, now).rstrip() == output.rstrip(), command
                commands += 1
    assert commands >= 12


def test_the_page_names_every_kind_of_fact_and_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.M)
    told = {kind: (set(re.findall(r"\w+", needed)), set(re.findall(r"\w+", more))) for kind, needed, more in rows}
    assert list(told) == [str(kind) for kind in FactKind]
    for kind, fields in FIELDS.items():
        needed = {field.name for field in fields if field.needed} | (
            {"reversal_of"} if kind is FactKind.REVERSAL else set()
        )
        more = {field.name for field in fields if not field.needed} - {"product_digest"}
        assert told[kind] == (needed, more), kind
