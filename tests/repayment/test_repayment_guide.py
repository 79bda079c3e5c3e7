"""The guide to repayment is true: its case plans, its commands and its states are there."""

import re
from pathlib import Path

import click

from evenkeel.cli.plan import plan
from evenkeel.repayment.document import document
from evenkeel.repayment.facts.reading import read_case
from evenkeel.repayment.life import life as lives
from evenkeel.repayment.planning import plan_of

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "repayment.md").read_text(encoding="utf-8")


def test_its_case_has_a_plan() -> None:
    [text] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    told = document(plan_of(read_case(text.encode())))
    assert told["status"] == "feasible"
    assert told["plans"][0]["creditors"][0]["asked"]["waived_minor"] == 62_000


def test_its_commands_and_their_options_are_there() -> None:
    for line in re.findall(r"^evenkeel plan (.*?)(?: +#.*)?$", GUIDE, re.MULTILINE):
        first, *rest = line.split()
        command = plan.commands.get(first, plan.commands["show"])
        options = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line


def test_its_states_and_judgements_are_those_of_the_code() -> None:
    states = {line.split("|")[1].strip() for line in GUIDE.splitlines() if line.startswith("| ")}
    assert {"proposed", "agreed", "running", "late", "broken", "completed", "replaced"} <= states
    assert f"{lives.GRACE_DAYS} days after its day" in GUIDE
    assert lives.BREAKS_AT == 2 and "two months of one creditor" in GUIDE


def test_it_is_found_from_the_first_page() -> None:
    assert "docs/repayment.md" in (ROOT / "README.md").read_text(encoding="utf-8")
