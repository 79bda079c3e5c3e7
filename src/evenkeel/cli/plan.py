"""`evenkeel plan`: one lawful, affordable plan over everything a person owes, and its life."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, as_json_option, lang_option, workspace_option
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, Unavailable
from evenkeel.kernel.money import Money

if TYPE_CHECKING:
    from evenkeel.learning.lesson import Lesson
    from evenkeel.repayment.case import Case
    from evenkeel.repayment.life.life import Life
    from evenkeel.repayment.life.plans import Plans
    from evenkeel.repayment.planning import Planned
    from evenkeel.storage.journal import Journal
    from evenkeel.storage.workspace import Workspace

Language = Literal["en", "zh"]

_MOST_BYTES = 8 << 20
_NAMES = ("cheapest", "soonest", "safest", "fewest", "balanced")

_case_argument = click.argument("case", type=click.Path(path_type=Path))
_borrower_option = click.option("--borrower", metavar="ID", help="Whose plan, where CASE is a book's folder.")


class _Id(click.ParamType[str]):
    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from evenkeel.repayment.case import Id

        try:
            return msgspec.convert(value, Id)
        except msgspec.ValidationError:
            self.fail(f"{str(value)[:80]!r} is no id: 1 to 64 characters, without control characters.", param, ctx)


_name_option = click.option(
    "--name", type=click.Choice(_NAMES), default="balanced", show_default=True, help="Which of the plans."
)
_by_option = click.option(
    "--by", type=_Id(), required=True, metavar="PERSON", help="Who you are: an id of 1 to 64 characters."
)
_on_option = click.option("--on", type=AS_OF, metavar="DAY", help="When; today without it.")
_debt_option = click.option(
    "--debt", type=_Id(), required=True, metavar="ID", help="Which debt, by its id in the case."
)

_only_option = click.option(
    "--only", is_flag=True, help="For this debt alone; without it for all that its creditor holds."
)


class _Plan(click.Group):
    """A group whose first argument may also be a case: `plan CASE` is `plan show CASE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].partition("=")[0] in (
            "--json",
            "--lang",
            "--out",
            "--borrower",
        ):  # options of `show` before the case
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Plan,
    epilog="\b\nExamples:\n"
    "  evenkeel plan CASE.json\n"
    "  evenkeel plan BOOK --borrower b-17\n"
    "  evenkeel plan CASE.xlsx --out FOLDER --lang zh    (plan.json, plan.txt and a letter to each creditor)\n"
    "  evenkeel plan explain CASE.json --name safest\n"
    "  evenkeel plan propose CASE.json --name safest --by ana\n"
    "  evenkeel plan accept plan-5f0c… --debt card --by li --role supervisor\n"
    "  evenkeel plan accept plan-5f0c… --by wang    (the borrower signs)\n"
    "  evenkeel plan pay plan-5f0c… --debt card --amount 300 --ref p-1\n"
    "  evenkeel plan reverse plan-5f0c… --ref p-1 --why bounced\n"
    "  evenkeel plan miss plan-5f0c…    (what was missed, caught up or completed by today)\n"
    "  evenkeel plan replan plan-5f0c… --by ana\n"
    "  evenkeel plan letters plan-5f0c… --out FOLDER    (what is to be signed, or the confirmation to ask for)\n"
    "  evenkeel plan form EMPTY.xlsx    (a form to fill in)\n"
    "  evenkeel plan sample 20 --seed 7 --out FOLDER    (made-up households to try)",
)
def plan() -> None:
    """Plans over all creditors: what is lawfully owed, what can be carried, plans that suit all, or why none does."""


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for add in (as_json_option, lang_option):
        command = add(command)
    return command


def _lived(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command on plans on record."""
    for add in (
        as_json_option, lang_option, workspace_option, _on_option,
        click.option("--lender", type=_Id(), default="-", metavar="ID",
                     help="For whom: who keeps the plan, or a creditor in it; without it the one lender."),
    ):  # fmt: skip
        command = add(command)
    return command


def read(path: Path, borrower: str | None = None) -> Case:
    """A case from a .json file, a filled form (.xlsx), or of a borrower of a book (a folder).

    Raises InvalidUsage where there is no such file.
    """
    from evenkeel.repayment.facts.form import read_form
    from evenkeel.repayment.facts.reading import read_case

    if path.is_dir():
        return _of_book(path, borrower)
    if borrower is not None:
        raise InvalidUsage(f"{path} is no book, so there is no borrower {borrower} in it.", "Give a book's folder.")
    if not path.is_file():
        raise InvalidUsage(
            f"There is no file {path}.",
            "Give a case as JSON, or a filled form (`evenkeel plan form`); `evenkeel plan --help` names the commands.",
        )
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{path} is larger than 8 MB.", "A case is one household.")
    if path.suffix.lower() == ".xlsx":
        return read_form(path)
    try:
        return read_case(path.read_bytes(), path.name)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.") from error


def _of_book(folder: Path, borrower: str | None) -> Case:
    from evenkeel.book.reading import read_book
    from evenkeel.repayment.facts.of_book import case_of_borrower

    if borrower is None:
        raise InvalidUsage(f"{folder} is a book: whose case?", "Say `--borrower ID`, an id of the table borrowers.")
    application: Application = click.get_current_context().find_root().obj
    book = read_book(folder, latest=application.today).book
    if book is None:
        raise InvalidInput(f"The book {folder} cannot be used.", f"See `evenkeel book check {folder}`.")
    return case_of_borrower(book, borrower)


@plan.command()
@_case_argument
@_borrower_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write everything into this folder.")
@_shared
def show(case: Path, borrower: str | None, out: Path | None, lang: Language, as_json: bool) -> None:
    """Plans for a case, side by side, or why there is none. `evenkeel plan CASE` is short for it."""
    from evenkeel.repayment.document import document
    from evenkeel.repayment.papers import write_papers
    from evenkeel.repayment.planning import plan_of
    from evenkeel.repayment.telling import Telling

    planned = plan_of(read(case, borrower))
    told = document(planned)
    if out is not None:
        for written in write_papers(planned, out, lang):
            present.say(f"written: {written}")
    present.answer(told, as_json, lambda: Telling(planned, lang).summary())


@plan.command()
@_case_argument
@_borrower_option
@_name_option
@workspace_option
@_shared
@click.pass_obj
def explain(
    application: Application, /, case: Path, borrower: str | None, name: str, workspace: Path | None, lang: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Everything behind a plan: what the law takes off, what each creditor gets, what is asked by which rule; and one
    lesson. Of a book's borrower that it was shown is on record."""
    from evenkeel.repayment.document import document
    from evenkeel.repayment.planning import plan_of
    from evenkeel.repayment.telling import Telling

    planned = plan_of(read(case, borrower))
    lesson = _lesson(application, workspace, planned, name, lang, case.is_dir())
    told = {**document(planned), "lesson": None if lesson is None else asdict(lesson)}
    present.answer(told, as_json, lambda: _with(lesson, Telling(planned, lang).explained(name)))


def _lesson(
    application: Application, workspace: Path | None, planned: Planned, name: str, lang: str, of_book: bool
) -> Lesson | None:
    """The lesson of the plan that is shown. Of a case that is only a file, or where there is no record, nothing is
    written."""
    from evenkeel.repayment.document import plan_document
    from evenkeel.repayment.lesson import shown_lesson

    plan = planned.plan(name)
    told = None if plan is None else plan_document(planned, plan)
    kept = workspace is not None or application.database_url is not None or application.workspace_path.is_dir()
    if told is None or not of_book or not kept:
        return shown_lesson(None, planned.case, told, lang)
    with application.workspace(workspace, present.say)() as place:
        return shown_lesson(place.journal, planned.case, told, lang)


def _with(lesson: Lesson | None, words: str) -> str:
    from evenkeel.learning.lesson import in_words

    return words if lesson is None else f"{words}\n\n{in_words(lesson)}"


@plan.command()
@click.argument("cases", nargs=-1, required=True, type=click.Path(path_type=Path))
@_shared
def compare(cases: tuple[Path, ...], lang: str, as_json: bool) -> None:
    """The plans of one case, or of several, side by side: what another income or another term would change."""
    from evenkeel.repayment.document import document
    from evenkeel.repayment.planning import plan_of
    from evenkeel.repayment.telling import side_by_side

    planned = [plan_of(read(case)) for case in cases]
    told = {
        "cases": [{"file": str(file), **document(one)} for file, one in zip(cases, planned, strict=True)]
    }  # fmt: skip
    named = [(file.stem, one) for file, one in zip(cases, planned, strict=True)]
    present.answer(told, as_json, lambda: side_by_side(named, lang))


@plan.command()
@click.argument("case_or_plan", type=click.Path(path_type=Path))
@_borrower_option
@_name_option
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the letters go.")
@click.option("--parties", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON: names to print in the place of ids, {\"borrower\": …, \"creditors\": {ID: …}}.")  # fmt: skip
@_lived
@click.pass_obj
def letters(
    application: Application,
    /,
    case_or_plan: Path,
    borrower: str | None,
    name: str,
    out: Path,
    parties: Path | None,
    **options: Any,
) -> None:
    """The letters of a case, as PDF and plain text: a proposal to each creditor, or a request for relief; and a lesson
    for the household. Of a plan on record, by its id: what is to be signed, or the confirmation that all is paid."""
    from evenkeel.repayment.papers import write_lesson, write_letters, write_record_letters
    from evenkeel.repayment.planning import plan_of

    named = {} if parties is None else _json(parties)
    lang, as_json = options["lang"], options["as_json"]
    if case_or_plan.exists() or not str(case_or_plan).startswith("plan-"):
        planned = plan_of(read(case_or_plan, borrower))
        written = write_letters(planned, out, lang, name, named)
        lesson = _lesson(application, options["workspace"], planned, name, lang, case_or_plan.is_dir())
    else:
        desk = _Desk(application, options)
        life, lesson = desk.offered(str(case_or_plan))
        written = write_record_letters(life, out, lang, desk.on, named)
    written += write_lesson(lesson, out)
    present.answer({"written": [str(one) for one in written]}, as_json, lambda: "\n".join(map(str, written)))


@plan.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--case", type=click.Path(path_type=Path), metavar="FILE", help="Filled in with this case.")
@_shared
def form(file: Path, case: Path | None, lang: str, as_json: bool) -> None:
    """An xlsx form to fill in, empty or filled with a case."""
    from evenkeel.repayment.facts.form import write_form

    write_form(file, None if case is None else read(case), lang)
    present.answer({"written": str(file)}, as_json, lambda: f"written: {file}")


@plan.command()
@click.argument("number", type=click.IntRange(1, 100_000))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other households for another.")
@click.option("--as-of", type=AS_OF, metavar="DAY", help="The day of the cases; today without it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the cases go.")
@as_json_option
@click.pass_obj
def sample(application: Application, number: int, seed: int, as_of: date | None, out: Path, as_json: bool) -> None:
    """Made-up households to try: NUMBER cases of Chinese people who owe several lenders."""
    from itertools import islice

    from evenkeel.repayment.facts.reading import write_case
    from evenkeel.repayment.facts.sample import households

    out.mkdir(parents=True, exist_ok=True)
    for case in islice(households(seed, as_of or application.today), number):
        (out / f"{case.case_id}.json").write_bytes(write_case(case))
    present.answer({"written": number, "folder": str(out)}, as_json, lambda: f"{number} cases in {out}")


@plan.command()
@as_json_option
def schema(as_json: bool) -> None:
    """The JSON Schema of a case; with `--json` and without it the same."""
    from evenkeel.repayment.facts.reading import case_schema

    present.emit(case_schema())


# ---- Its life ------------------------------------------------------------------------------------------------------


class _Desk:
    """The plans of a lender, opened, and how one is told."""

    def __init__(self, application: Application, options: dict[str, Any]) -> None:
        self._open: Callable[[], AbstractContextManager[Workspace]] = application.workspace(
            options["workspace"], present.say
        )
        self._lender, self._as_json, self._lang = options["lender"], options["as_json"], options["lang"]
        self.on: date = options["on"] or application.today

    def offered(self, plan_id: str) -> tuple[Life, Lesson | None]:
        """A plan as it stands, and the lesson beside it as long as it is not signed."""
        from evenkeel.repayment.life.plans import Plans

        with self._open() as place:
            life = Plans(place.journal, self._lender).life(plan_id)
            return life, self._shown(place.journal, life)

    def propose(self, case: Case, name: str, by: str) -> None:
        """Put a plan on record, and tell of it with its lesson."""
        from evenkeel.repayment.life.life import record
        from evenkeel.repayment.life.plans import Plans
        from evenkeel.repayment.telling import standing

        with self._open() as place:
            life = Plans(place.journal, self._lender).propose(case, name, by)
            lesson = self._shown(place.journal, life)
        told = {**record(life), "lesson": None if lesson is None else asdict(lesson)}
        present.answer(told, self._as_json, lambda: _with(lesson, standing(life, self._lang)))

    def _shown(self, journal: Journal, life: Life) -> Lesson | None:
        from evenkeel.repayment.facts.reading import case_of
        from evenkeel.repayment.lesson import shown_lesson

        if life.status not in ("proposed", "agreed"):
            return None
        return shown_lesson(journal, case_of(life.case, str), life.document, self._lang)

    def do(self, act: Callable[[Plans], Life]) -> None:
        """Do something with the plans, and tell of the one that it gives."""
        from evenkeel.repayment.life.life import record
        from evenkeel.repayment.life.plans import Plans
        from evenkeel.repayment.telling import standing

        with self._open() as place:
            life = act(Plans(place.journal, self._lender))
        present.answer(record(life), self._as_json, lambda: standing(life, self._lang))


@plan.command()
@_case_argument
@_borrower_option
@_name_option
@_by_option
@_lived
@click.pass_obj
def propose(application: Application, /, case: Path, borrower: str | None, name: str, by: str, **options: Any) -> None:
    """Put a plan on record and ask all creditors: gives the id of the plan."""
    _Desk(application, options).propose(read(case, borrower), name, by)


@plan.command()
@click.argument("plan_id")
@_lived
@click.pass_obj
def status(application: Application, /, plan_id: str, **options: Any) -> None:
    """How a plan on record stands."""
    _Desk(application, options).do(lambda plans: plans.life(plan_id))


@plan.command()
@click.argument("plan_id")
@click.option("--debt", type=_Id(), metavar="ID", help="The debt whose creditor agrees; without it the borrower signs.")
@_by_option
@click.option("--role", type=_Id(), metavar="ROLE", help="In which role: only some may waive (减免权限).")
@_lived
@click.pass_obj
def accept(
    application: Application, /, plan_id: str, debt: str | None, by: str, role: str | None, **options: Any
) -> None:
    """A creditor agrees to its part; or, once all have, the borrower signs."""
    desk = _Desk(application, options)
    if debt is None:
        desk.do(lambda plans: plans.sign(plan_id, by, desk.on))
    else:
        desk.do(lambda plans: plans.consent(plan_id, debt, by, role, desk.on))


@plan.command()
@click.argument("plan_id")
@_debt_option
@_by_option
@_only_option
@click.option("--why", default="", metavar="TEXT", help="The reason given.")
@_lived
@click.pass_obj
def refuse(application: Application, /, plan_id: str, debt: str, by: str, only: bool, why: str, **options: Any) -> None:
    """A creditor does not agree: make the plan again without promising for it (`replan`)."""
    desk = _Desk(application, options)
    desk.do(lambda plans: plans.refuse(plan_id, debt, by, why, desk.on, only))


@plan.command()
@click.argument("plan_id")
@_debt_option
@_by_option
@_only_option
@click.option("--policy", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="JSON: the terms that it would take, as in `policies` of a case.")  # fmt: skip
@_lived
@click.pass_obj
def counter(
    application: Application, /, plan_id: str, debt: str, by: str, only: bool, policy: Path, **options: Any
) -> None:
    """A creditor would agree to something else: make the plan again with its terms (`replan`)."""
    from evenkeel.repayment.case import Policy

    try:
        terms = msgspec.convert(_json(policy), Policy)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{policy} holds no terms: {error}.", "See `policies` in `evenkeel plan schema`.") from error
    desk = _Desk(application, options)
    desk.do(lambda plans: plans.counter(plan_id, debt, by, terms, desk.on, only))


@plan.command()
@click.argument("plan_id")
@_debt_option
@click.option("--amount", required=True, metavar="AMOUNT", help="In yuan or the like: 300 or 300.00.")
@click.option("--ref", type=_Id(), required=True, metavar="ID", help="The payment's own id, so that none counts twice.")
@_lived
@click.pass_obj
def pay(application: Application, /, plan_id: str, debt: str, amount: str, ref: str, **options: Any) -> None:
    """A payment came in at a creditor that is not on this record."""
    desk = _Desk(application, options)

    def act(plans: Plans) -> Life:
        currency = str(plans.life(plan_id).case.get("currency", "CNY"))
        return plans.pay(plan_id, debt, Money.parse(amount, currency).minor, desk.on, ref)

    desk.do(act)


@plan.command()
@click.argument("plan_id")
@click.option("--ref", type=_Id(), required=True, metavar="ID", help="The payment's own id, as `pay` told it.")
@click.option("--why", default="", metavar="TEXT", help="The reason given: bounced, charged back.")
@_lived
@click.pass_obj
def reverse(application: Application, /, plan_id: str, ref: str, why: str, **options: Any) -> None:
    """A payment that `pay` told did not hold: what it paid is missing again, and a completed plan runs again."""
    desk = _Desk(application, options)
    desk.do(lambda plans: plans.reverse(plan_id, ref, why, desk.on))


@plan.command()
@click.argument("plan_id")
@_lived
@click.pass_obj
def miss(application: Application, /, plan_id: str, **options: Any) -> None:
    """Look at a plan on a day: match payments, and say what was missed, caught up, broken or completed."""
    desk = _Desk(application, options)
    desk.do(lambda plans: plans.look(plan_id, desk.on))


@plan.command()
@click.argument("plan_id")
@_by_option
@click.option("--case", type=click.Path(path_type=Path), metavar="FILE", help="The household as it is now.")
@click.option("--name", type=click.Choice(_NAMES), help="Which plan; without it the one that changes least.")
@_lived
@click.pass_obj
def replan(
    application: Application, /, plan_id: str, by: str, case: Path | None, name: str | None, **options: Any
) -> None:
    """Make a plan again that cannot be kept, or that a creditor refused or countered, with the least change."""
    desk = _Desk(application, options)
    changed = None if case is None else read(case)
    desk.do(lambda plans: plans.replan(plan_id, desk.on, by, changed, name))


def _json(path: Path) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InvalidUsage(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path} is not JSON: {error}.") from error
