"""The lesson beside a plan: its numbers, to whom it is shown, and what is on record of that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from plan_samples import NOW, case, plain, poor

from book_samples import sound_book, write_book
from evenkeel.cli import main as program
from evenkeel.cli.application import Application
from evenkeel.cli.learn import learn
from evenkeel.cli.plan import plan
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.text import catalogue
from evenkeel.learning.trial import HOLDOUT, LEARNING_1, LESSON, arm_of
from evenkeel.repayment.document import plan_document
from evenkeel.repayment.lesson import plan_lesson
from evenkeel.repayment.planning import plan_of
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace

SHOWN, WITHHELD = "b00004", "b00003"  # borrowers of the sample book, by the arm of the trial that each is in
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(
    record: Workspace,
    given_url: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs a command with `--json` and gives its document; the clock goes on by a second at each."""
    monkeypatch.setattr(program, "commands", lambda _: click.Group(commands=[plan, learn]))
    monkeypatch.chdir(tmp_path)
    write_book(sound_book(8), tmp_path / "book", "parquet")
    for name, made in (("case", plain()), ("poor", poor()), ("nobody", plain(borrower_id=None))):
        (tmp_path / f"{name}.json").write_text(json.dumps(made), encoding="utf-8")
    seconds = iter(range(60))

    def call(*arguments: str, lang: str = "", url: str | None = given_url) -> Any:
        application = Application(
            tmp_path / "workspace", url, fixed_clock(NOW.replace(second=next(seconds)))
        )  # fmt: skip
        capfd.readouterr()
        code = program.main([*arguments, *(["--lang", lang] if lang else ["--json"])], application, "")
        seen = capfd.readouterr()
        assert code == 0, seen.err
        return seen.out if lang else json.loads(seen.out)

    return call


def showings(record: Workspace) -> list[Fact]:
    return [entry.fact for entry in record.journal.read(kind="lesson_shown")]


def test_its_numbers_are_of_the_heaviest_month_and_what_is_left_in_it() -> None:
    planned = plan_of(case())
    told = plan_document(planned, planned.plans[0])
    months = planned.plans[0].payments.tolist()
    heaviest = max(months[1:])
    left = min(int(planned.budget.capacity[at]) for at, one in enumerate(months) if at and one == heaviest)
    shown = plan_lesson(planned.case, told, "en")
    assert shown is not None and not shown.example
    assert [bar.value for bar in shown.figure.bars] == [left, heaviest]
    assert plan_lesson(case(jurisdiction="GB"), told, "en") is None  # none of the catalogue is true there


def test_a_case_that_is_only_a_file_shows_the_lesson_and_writes_nothing(run: Run, record: Workspace) -> None:
    assert arm_of("b1", LEARNING_1) == HOLDOUT  # whoever its borrower is
    assert run("plan", "explain", "case.json")["lesson"]["id"] == "plan_terms"
    written = run("plan", "letters", "case.json", "--out", "papers")["written"]
    assert written[-1] == "papers/lesson.txt"
    assert run("plan", "explain", "poor.json")["lesson"] is None  # no plan is offered
    for lang in ("en", "zh"):
        title = catalogue(lang)["learn.plan_terms.title"]
        assert title in run("plan", "explain", "case.json", lang=lang)
    assert list(record.journal.read()) == []


@pytest.mark.parametrize(("borrower", "arm"), [(SHOWN, LESSON), (WITHHELD, HOLDOUT)])
def test_of_a_book_s_borrower_each_showing_is_on_record_with_the_arm(
    run: Run, record: Workspace, borrower: str, arm: str
) -> None:
    whose = ("book", "--borrower", borrower)
    seen = [run("plan", "explain", *whose)["lesson"], run("plan", "explain", *whose)["lesson"]]
    seen.append(run("plan", "propose", *whose, "--by", "ana")["lesson"])
    written = run("plan", "letters", *whose, "--out", "papers")["written"]
    assert [one is not None for one in seen] == [arm == LESSON] * 3
    assert ("papers/lesson.txt" in written) == (arm == LESSON)
    facts = showings(record)
    assert len(facts) == 4
    assert {one.borrower_id for one in facts} == {borrower}
    assert len({one.effective_at for one in facts}) == 4
    assert all(one.payload == {
        "lesson": "plan_terms", "version": one.payload["version"], "moment": "plan_offered", "language": "en",
        "example": False, "trial": "learning-1", "arm": arm, "shown": arm == LESSON,
    } for one in facts)  # fmt: skip


def test_without_a_record_of_its_own_a_book_is_a_file_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "workspace").rename(tmp_path / "elsewhere")
    assert run("plan", "explain", "book", "--borrower", WITHHELD, url=None)["lesson"] is not None
    assert not (tmp_path / "workspace").exists()


def test_a_proposal_puts_its_borrower_on_record_and_so_its_lesson(run: Run, record: Workspace) -> None:
    found = run("plan", "propose", "case.json", "--by", "ana")
    assert found["lesson"] is None and [one.borrower_id for one in showings(record)] == ["b1"]
    assert "papers/lesson.txt" not in run("plan", "letters", found["plan_id"], "--out", "papers")["written"]
    assert len(showings(record)) == 2
    found = run("plan", "propose", "nobody.json", "--by", "ana")
    assert found["lesson"]["id"] == "plan_terms"
    assert "papers/lesson.txt" in run("plan", "letters", found["plan_id"], "--out", "papers")["written"]
    assert len(showings(record)) == 2  # of nobody on record


def test_a_lesson_is_shown_to_a_borrower_on_record(run: Run, record: Workspace) -> None:
    run("plan", "explain", "book", "--borrower", SHOWN)
    run("plan", "explain", "book", "--borrower", WITHHELD)
    found = run("learn", "plan_offered", "--borrower", SHOWN)
    assert [one["id"] for one in found["lessons"]] == ["plan_terms"]
    assert found["trial"] == {"id": "learning-1", "arm": LESSON, "shown": True}
    found = run("learn", "fee_rate", "--borrower", WITHHELD)
    assert found == {"lessons": [], "trial": {"id": "learning-1", "arm": HOLDOUT, "shown": False}}
    for lang in ("en", "zh"):
        words = run("learn", "fee_rate", "--borrower", WITHHELD, lang=lang)
        assert words.strip() == catalogue(lang)["learn.withheld"].format(trial="learning-1")
    told = [(one.borrower_id, one.payload["moment"], one.payload["shown"]) for one in showings(record)[2:]]
    assert told == [(SHOWN, "plan_offered", True), *[(WITHHELD, None, False)] * 3]


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("fee_rate", "--borrower", "nobody"), 1, "There is no borrower nobody on record."),
    (("--borrower", "b1"), 2, "goes with one lesson"), (("cases", "--borrower", "b1"), 2, "goes with one lesson"),
    (("fee_rate", "--borrower", "b1", "--lang", "en,zh"), 2, "in one language"),
])  # fmt: skip
def test_who_is_nobody_is_shown_nothing(
    record: Workspace, given_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(program, "commands", lambda _: click.Group(commands=[learn]))
    application = Application(tmp_path / "workspace", given_url, fixed_clock(NOW))
    assert program.main(["learn", *arguments], application, "") == code
    assert said in capfd.readouterr().err
    assert list(record.journal.read()) == []


def test_two_at_one_instant_are_one(record: Workspace) -> None:
    from evenkeel.learning.facts import Facts
    from evenkeel.learning.lesson import lesson
    from evenkeel.learning.shown import show

    with open_workspace(record.path, database_url=str(record.engine.url.render_as_string(False)),
                        clock=lambda: NOW) as same:  # fmt: skip
        for _ in range(2):
            assert show(same.journal, lesson("plan_offered", Facts(), "en"), SHOWN)
    assert len(showings(record)) == 1
