"""`evenkeel norms`: learned from a book or from the record, kept under a version, and what `decide` holds people to."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from engine_samples import LENDER, NOW, answers, deciders

from evenkeel.book.generator import GeneratorSpec, generate, write_book
from evenkeel.cli.application import Application
from evenkeel.cli.norms import chosen_norms, norms
from evenkeel.decisions.applicants_on_record import kept_norms
from evenkeel.decisions.assessment.assess import USUAL, learn_norms
from evenkeel.decisions.replay import deciders_on_record, replay
from evenkeel.decisions.requests import Application as Asking
from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace


@pytest.fixture
def application(workspace: Workspace, url: str, tmp_path: Path) -> Application:
    return Application(tmp_path / "workspace", url, system_clock)


def learned(application: Application, *arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(norms, [*arguments, "--json"], obj=application, standalone_mode=False)
    if result.exception:
        raise result.exception
    return json.loads(result.stdout)


def test_norms_of_a_book_are_kept_and_chosen_by_version_or_file(
    application: Application, workspace: Workspace, tmp_path: Path
) -> None:
    made = generate(GeneratorSpec(120, 12, 3))
    write_book(made, tmp_path / "book")
    told = learned(application, str(tmp_path / "book"), "--out", str(tmp_path / "norms.json"))
    assert told["applications"] == made.book_tables["applications"].num_rows
    with transaction(workspace.engine) as connection:
        kept = kept_norms(connection, str(told["norms"]))
    assert kept.version == told["norms"] and kept.peers.people > 0
    for reference in (told["norms"], str(tmp_path / "norms.json")):
        assert chosen_norms(application, None, str(reference)).version == told["norms"]
    assert chosen_norms(application, None, None) is USUAL
    with pytest.raises(NotFound):
        chosen_norms(application, None, "norms-0000000000000000")
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(InvalidInput):
        chosen_norms(application, None, str(tmp_path / "bad.json"))


def test_norms_of_the_record_are_those_of_its_applications(
    application: Application, workspace: Workspace, url: str
) -> None:
    assert learned(application)["norms"] == USUAL.version  # nobody has applied yet
    for place in range(40):
        said = Asking(
            lender_id=LENDER, key=f"k{place}", borrower_id=f"b{place}", product="card", requested_minor=1_000,
            income_declared_minor=500_000 + 10_000 * place, phone_token=f"phone-token-{place % 30}", region="north",
        )  # fmt: skip
        answers(url, NOW + timedelta(hours=place), [said])
    told = learned(application, "--zone", "UTC")
    assert told["applications"] == 40 and told["norms"] != USUAL.version
    found = chosen_norms(application, None, str(told["norms"]))
    assert found.peers.people == 40 and "north" in found.peers.effects["region"]


def test_norms_are_part_of_what_decides_and_come_back_with_it(workspace: Workspace, url: str) -> None:
    tables = generate(GeneratorSpec(120, 12, 3)).book_tables
    having = replace(deciders(), norms=learn_norms(tables, "UTC"))
    assert having.version != deciders().version
    asked = Asking(
        lender_id=LENDER, key="k", borrower_id="b", product="card", requested_minor=5, income_declared_minor=9
    )
    answers(url, NOW, [asked], having)
    again = deciders_on_record(workspace, having.version)
    assert again.norms == having.norms and again.version == having.version
    assert [one.identical for one in replay(workspace, 1, 9)] == [True]
