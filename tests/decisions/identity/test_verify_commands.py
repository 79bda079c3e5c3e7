"""`evenkeel verify`: a set-up is read strictly, and a question goes out once, on record, within the caps."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from identity_samples import CARD, NAME, NUMBER, PHONE

from evenkeel.cli.application import Application
from evenkeel.cli.verify import verify
from evenkeel.decisions.identity.setup import read_setup
from evenkeel.decisions.identity.verification import AttemptCaps, CheckKind
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.journal import Journal
from evenkeel.storage.vault import Identity, Keyring, Vault

TRIAL = """
[asks]
name_id = "trial"
four_factor = "trial"
[caps]
a_day = 1
[provider.trial]
simulated = 7
prices = { name_id = 15, four_factor = 25 }
"""

REGISTER = """
[asks]
name_id = "register"
[provider.register]
url = "https://register.example/check"
convention = "detailed"
code_path = ["data", "code"]
prices = { name_id = 15 }
names = { order_id = "order", kind = "type", name = "xm", id_number = "sfz" }
headers = { Authorization = { file = "secret" }, Accept = "application/json" }
timeout_s = 2.5
tries = 2
"""


@pytest.fixture
def said(journal: Journal, given_url: str, tmp_path: Path):
    """A command's exit code and its JSON; the file of the set-up comes first."""
    application = Application(tmp_path / "workspace", given_url, fixed_clock(journal.clock()))
    vault = Vault(journal.engine, Keyring.of(tmp_path / "workspace", None), journal.clock)
    vault.put("b1", Identity(name=NAME, id_number=NUMBER, phone=PHONE, cards=(CARD,)))
    vault.put("b2", Identity(name=NAME))

    def run(command: str, setup: str, *arguments: str) -> tuple[int, dict]:
        file = tmp_path / "checks.toml"
        file.write_text(setup, encoding="utf-8")
        result = CliRunner().invoke(
            verify, [command, str(file), *arguments, "--json"], obj=application, standalone_mode=False
        )  # fmt: skip
        if result.exception:
            raise result.exception
        return result.return_value or 0, json.loads(result.stdout)

    return run


ASKED = ("--reason", "application 77", "--by", "officer-7")


def test_a_setup_is_told_with_prices_and_caps(said) -> None:
    code, told = said("setup", TRIAL)
    assert code == 0 and told["caps"] == {"wrong_in_a_row": 2, "a_day": 1}
    assert told["asks"][0] == {"kind": "name_id", "provider": "trial", "simulated": True, "price_minor": 15}


def test_a_provider_over_http_is_read_and_its_secret_never_shown() -> None:
    setup = read_setup(REGISTER, {"secret": "Bearer hush\n"}.__getitem__)
    settings = setup.providers["register"]
    assert settings.headers["Authorization"] == "Bearer hush" and "hush" not in repr(setup)
    assert (settings.timeout_s, settings.tries, settings.code_path) == (2.5, 2, ("data", "code"))
    assert setup.price_minor(CheckKind.NAME_ID) == 15 and setup.caps == AttemptCaps()


def test_a_question_is_asked_once_and_costs_once(said) -> None:
    asked = (said("ask", TRIAL, "b1", "--kind", "name_id", *ASKED) for _ in range(9))
    # A trial provider is away for 15 questions in 1,000, whichever they are; then it is asked again.
    code, first = next(answer for answer in asked if answer[1]["result"] != "unavailable")
    assert (code, first["result"], first["asked"], first["cost_minor"]) == (0, "match", True, 15)
    _, again = said("ask", TRIAL, "b1", "--kind", "name_id", *ASKED)
    assert (again["result"], again["asked"], again["cost_minor"]) == ("match", False, 0)


def test_a_person_of_whom_too_little_is_known_is_not_asked_about(said) -> None:
    with pytest.raises(NotFound, match="id_number"):
        said("ask", TRIAL, "b2", "--kind", "name_id", *ASKED)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("[oops]", "oops"),
        ("[asks]\nname_id = 'nobody'", "nobody"),
        ("[asks]\nsoul = 'trial'\n[provider.trial]\nsimulated = 7", "soul"),
        ("[caps]\na_day = 11", "a_day"),
        ("[caps]\nwrong_in_a_row = true", "wrong_in_a_row"),
        ("[provider.x]\nsimulated = 'seven'", "simulated"),
        ("[provider.x]\nsimulated = 7\nprices = { name_id = 1.5 }", "prices"),
        ("[provider.x]\nurl = 'https://x.example'", "lacks"),
        (REGISTER.replace('"detailed"', '"odd"'), "convention"),
        (REGISTER.replace("https://", "ftp://"), "url"),
        (REGISTER.replace("tries = 2", "tries = 'two'"), "tries"),
        (REGISTER.replace('{ file = "secret" }', "7"), "headers"),
        ("= 1", "TOML"),
    ],
)
def test_what_is_wrong_in_a_setup_is_named(changed: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_setup(changed, lambda name: "hush")
