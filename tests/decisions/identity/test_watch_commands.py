"""`evenkeel watch`: lists are loaded, added to, asked and shortened; numbers become tokens at once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from identity_samples import token

from evenkeel.cli.application import Application
from evenkeel.cli.watch import watch
from evenkeel.decisions.identity.service import CHANGED, LISTED
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound
from evenkeel.storage.journal import Journal

ANNA = token("person", "Anna")


@pytest.fixture
def said(journal: Journal, given_url: str, tmp_path: Path):
    """A command's exit code and its JSON."""
    application = Application(tmp_path / "workspace", given_url, fixed_clock(journal.clock()))

    def run(*arguments: str, given: str | None = None) -> tuple[int, dict]:
        result = CliRunner().invoke(
            watch, [*arguments, "--json"], obj=application, standalone_mode=False, input=given
        )  # fmt: skip
        if result.exception:
            raise result.exception
        return result.return_value or 0, json.loads(result.stdout)

    return run


def test_a_list_is_loaded_shortened_and_asked(said, tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "march.csv"
    lines = ["kind,token,reason,source,from,until", f"person,{ANNA},sanctioned,decree 5,2026-01-01,"]
    file.write_text("\n".join([*lines, f"device,{token('device', 'd')},fraud,case 7,2026-01-01,2026-02-01"]))
    assert said("load", "sanctions", str(file))[1] == {
        "list": "sanctions", "entries": 2, "added": 2, "withdrawn": 0
    }  # fmt: skip
    assert said("list")[1] == {"lists": [{"list": "sanctions", "entries": 2}]}
    code, found = said("check", "--kind", "person", "--token", ANNA)
    assert (code, found["effect"], found["watch_list"]) == (1, "decline", True)
    assert found["hits"][0]["source"] == "decree 5" and found["hits"][0]["code"] == "watch_sanctioned"
    device = ("check", "--kind", "device", "--token", token("device", "d"))
    assert said(*device, "--on", "2026-01-15")[0] == 1 and said(*device)[0] == 0
    file.write_text("\n".join(lines))
    assert said("load", "sanctions", str(file))[1]["withdrawn"] == 1
    assert len(list(journal.read(kind=LISTED))) == 2


def test_a_number_is_put_on_a_list_as_its_token_and_taken_off_again(said, journal: Journal) -> None:
    put = ("--kind", "phone", "--reason", "fraud", "--source", "case 2231")
    code, added = said("add", "house", *put, "--value", "-", given="138 0000 0000\n")
    assert (code, added["added"]) == (0, 1) and "138" not in added["entry"]["token"][:3]
    assert said("add", "house", *put, "--value", "+86 13800000000")[1]["added"] == 0
    code, found = said("check", "--kind", "phone", "--value", "13800000000")
    assert (code, found["effect"], found["watch_list"]) == (1, "refer", None)
    assert said("list", "house")[1]["shown"][0]["token"] == added["entry"]["token"]
    gone = ("remove", "house", "--kind", "phone", "--token", added["entry"]["token"])
    with pytest.raises(NotFound):
        said(*gone, "--reason", "victim")
    assert said(*gone)[1]["withdrawn"] == 1
    assert said("check", "--kind", "phone", "--value", "13800000000")[0] == 0
    with pytest.raises(NotFound):
        said(*gone)
    facts = [entry.fact.payload for entry in journal.read(kind=CHANGED)]
    assert facts == [{"list": "house", "added": 1}, {"list": "house", "withdrawn": 1}]


def test_what_is_wrong_is_named(said) -> None:
    put = ("--kind", "phone", "--reason", "fraud", "--source", "case 2231")
    with pytest.raises(InvalidUsage):
        said("add", "house", *put)
    with pytest.raises(InvalidInput):
        said("add", "house", *put, "--token", "13800000000")  # no token but the number itself
    with pytest.raises(InvalidInput):
        said("add", "x" * 65, *put, "--token", token("phone", "p"))
