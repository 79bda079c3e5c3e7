"""`evenkeel accounts`: what is due, what a payment pays, how late an account is, and why, fact by fact."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from evenkeel.accounts.cost.offer import parse_percent
from evenkeel.accounts.facts import FIELDS, HEAD
from evenkeel.accounts.fields import AMOUNT_LIMIT, EARLIEST, LATEST, Kind, parse_json
from evenkeel.accounts.products.model import InlineOffer, Product
from evenkeel.accounts.products.reading import product_named, products
from evenkeel.accounts.quote import Quote, quote_loan, quote_plan
from evenkeel.accounts.service import (
    account_of,
    borrower_of,
    corrections_of,
    explained,
    post,
)
from evenkeel.cli import account_words as words
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, as_json_option, lang_option, workspace_option
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import texts

_MOST_BYTES = 1 << 30
_MOST_DIGITS = 18


class _Instant(click.ParamType[datetime]):
    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            if "T" not in text and " " not in text:
                return datetime.combine(parse_date(text), time.max, UTC)
            found = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no day or instant. Write 2024-05-31 or 2024-05-31T18:00:00+08:00.", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


class _Rate(click.ParamType[Fraction]):
    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if isinstance(value, Fraction):
            return value
        text = str(value).strip()
        percent = text.endswith(("%", "％"))
        try:
            found = parse_percent(text) if percent else parse_percent(f"{text}%") * 100
        except InvalidInput:
            found = Fraction(-1)
        if not 0 <= found <= (10 if percent else 1):
            self.fail(f"{text!r} is no annual rate. Write 18% or 0.18, with at most 8 decimals.", param, ctx)
        return found


products_option = click.option(
    "--products", "folder", type=click.Path(path_type=Path), metavar="DIR",
    help="Your own product files, which go before the shipped ones of the same product_id.",
)  # fmt: skip
as_of_day = click.option(
    "--as-of", type=AS_OF, metavar="DAY", help="At the close of this day; else of yesterday (UTC)."
)
known_at_option = click.option(
    "--known-at", type=_Instant(), metavar="INSTANT",
    help="From what was on record then (a day: by its end; UTC where no zone is given); else from all.",
)  # fmt: skip


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads an account: the two times, and how it is told."""
    for add in (as_json_option, lang_option, workspace_option, known_at_option, as_of_day):
        command = add(command)
    return command


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel accounts schedule cash_loan --principal 12000\n"
    "  evenkeel accounts post facts.jsonl\n"
    "  evenkeel accounts state a1 --as-of 2024-05-31\n"
)
def accounts() -> None:
    """Accounts on the record: post facts, read states and bills, explain them, close a day.

    A fact is something that happened to an account on a day; all else follows from the facts and the product. A late
    fact is sorted in by its day; what it changes is booked as a correction.
    """


# ---- Schedule ------------------------------------------------------------------------------------------------------


@accounts.command(
    "schedule",
    short_help="The instalments of an amount, and what they cost a year.",
    epilog="\b\nExamples:\n"
    "  evenkeel accounts schedule cash_loan --principal 12000\n"
    "  evenkeel accounts schedule cash_loan --principal 12000 --instalments 24 --rate-annual 15% --start 2024-05-01\n"
    "  evenkeel accounts schedule pay_later --principal 3000 --instalments 6 --lang zh\n"
    "  evenkeel accounts schedule village --principal 5000 --products ./products",
)
@click.argument("product")
@click.option("--principal", required=True, metavar="AMOUNT", help="What is lent or bought, such as 12000 or 12000.00.")
@click.option("--instalments", type=click.IntRange(1, 600), metavar="N", help="How many; else as the product says.")
@click.option("--start", type=AS_OF, metavar="DAY", help="When the money comes; today by default.")
@click.option("--rate-annual", type=_Rate(), metavar="RATE", help="Of a loan: its own rate, such as 15% or 0.15.")
@click.option("--first-due", type=AS_OF, metavar="DAY", help="Of a loan: when the first instalment is due.")
@products_option
@lang_option
@as_json_option
@click.pass_obj
def schedule_command(
    application: Application,
    /,
    product: str,
    principal: str,
    folder: Path | None,
    lang: str,
    as_json: bool,
    **terms: Any,
) -> int:
    """The instalments of an amount with PRODUCT, in all and by the month, and what they cost a year.

    PRODUCT is a loan, or a line that offers instalments: then a purchase of this amount is paid in them.
    """
    found = product_named(product, products(folder))
    start = terms["start"] or application.today
    if not EARLIEST <= start <= LATEST:
        raise InvalidUsage(f"--start is {start}; it is from {EARLIEST} to {LATEST}.")
    if found.loan is not None:
        quote = _loan_quote(found, start, _principal(principal, found), terms)
    else:
        quote = _plan_quote(found, start, _principal(principal, found), terms)
    present.answer(words.quote_document(quote), as_json, lambda: "\n".join(words.quote_words(quote, texts(lang))))
    return present.DONE


def _principal(text: str, product: Product) -> int:
    try:
        minor = Money.parse(text, product.currency).minor
    except InvalidInput as error:
        raise InvalidUsage(f"--principal: {error.message}", error.remedy) from None
    if not 1 <= minor <= AMOUNT_LIMIT:
        most = Money(AMOUNT_LIMIT, product.currency)
        raise InvalidUsage(f"--principal is {text}; it is above 0 and at most {most}.")
    return minor


def _loan_quote(product: Product, start: date, principal: int, terms: Mapping[str, Any]) -> Quote:
    first = terms["first_due"]
    if first is not None and first <= start:
        raise InvalidUsage(f"--first-due {first} is not after --start {start}.")
    try:
        return quote_loan(
            product, start, principal, instalments=terms["instalments"], first_due_on=first,
            rate_annual=terms["rate_annual"],
        )  # fmt: skip
    except InvalidInput as error:
        raise InvalidInput(f"{product.product_id} with these terms: {error.message}", error.remedy) from None


def _plan_quote(product: Product, start: date, principal: int, terms: Mapping[str, Any]) -> Quote:
    name = product.product_id
    for option in ("rate_annual", "first_due"):
        if terms[option] is not None:
            raise InvalidUsage(
                f"--{option.replace('_', '-')} is of loans, and {name} is a line.",
                "Its offers and days are in its file.",
            )
    return quote_plan(product, start, principal, _offer(product, terms["instalments"]))


def _offer(product: Product, count: int | None) -> InlineOffer:
    offers = {offer.instalments: offer for offer in product.line.offers} if product.line else {}
    if not offers:
        raise InvalidUsage(
            f"{product.product_id} is a line without offers of instalments: what it costs follows from its use.",
            "Give a loan, a line with [[line.offers]], or the flows themselves to `evenkeel cost FILE`.",
        )
    has = f"{product.product_id} offers {', '.join(map(str, sorted(offers)))} instalments."
    if count is None:
        raise InvalidUsage("--instalments is missing.", has)
    if count not in offers:
        raise InvalidUsage(f"--instalments is {count}.", has)
    return offers[count]


# ---- Posting -------------------------------------------------------------------------------------------------------


@accounts.command(
    "post",
    short_help="Book the facts of a file: all or none.",
    epilog="\b\nExample of FILE, one fact a line:\n"
    '  {"account_id": "a1", "borrower_id": "b1", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-01",\n'
    '   "product": "pay_later", "limit_minor": 500000}\n'
    '  {"account_id": "a1", "fact_id": "p1", "kind": "purchase", "effective_on": "2024-05-03", "amount_minor": 12900}\n'
    "\n\b\nThe kinds of facts:\n" + "\n".join(
        "  " + ", ".join(list(map(str, FIELDS))[place : place + 6]) for place in range(0, len(FIELDS), 6)
    ),
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path))
@products_option
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def post_command(
    application: Application, file: Path, folder: Path | None, workspace: Path | None, lang: str, as_json: bool
) -> int:
    """Book the facts of FILE (.jsonl, .json or .csv): all, or none where one is refused. Again changes nothing."""
    given, known = read_records(file), products(folder)
    with application.workspace(workspace, present.say)() as opened:
        posted = post(
            opened, [record for _, record in given], lambda name: product_named(name, known),
            lambda place: given[place - 1][0],
        )  # fmt: skip
    present.answer(words.posted_document(posted), as_json, lambda: "\n".join(words.posted_words(posted, texts(lang))))
    return present.DONE


def read_records(file: Path) -> list[tuple[str, Any]]:
    """The records of a file of facts, each with what messages call it.

    Raises InvalidUsage where there is no such file or it is of another kind, InvalidInput where it cannot be read.
    """
    readers: Mapping[str, Callable[[str, str], list[tuple[str, Any]]]] = {
        ".jsonl": _json_lines, ".json": _json_list, ".csv": _csv_rows,
    }  # fmt: skip
    kind = file.suffix.lower()
    if kind not in readers:
        raise InvalidUsage(f"{file} is neither .jsonl, .json nor .csv.", "Give one of these.")
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than 1 GB.", "Post it in parts.")
    try:
        data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        text = data.decode("utf-8")
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check its rights.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None
    found = readers[kind](text, file.name)
    if not found:
        raise InvalidInput(f"{file} holds no facts.", "See `evenkeel accounts post --help` for what a fact looks like.")
    return found


def _json_lines(text: str, name: str) -> list[tuple[str, Any]]:
    lines = [(f"{name} line {place}", line) for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [(where, parse_json(line, where)) for where, line in lines]


def _json_list(text: str, name: str) -> list[tuple[str, Any]]:
    found = parse_json(text, name)
    if not isinstance(found, list):
        raise InvalidInput(f"{name} holds no list of facts.", "Write [{...}, {...}], or one fact a line as .jsonl.")
    return [(f"{name} fact {place}", record) for place, record in enumerate(found, 1)]


def _csv_rows(text: str, name: str) -> list[tuple[str, Any]]:
    """Rows of a CSV with a header: empty cells are absent, each other cell is read by the field it stands in."""
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    found: list[tuple[str, Any]] = []
    try:
        if "account_id" not in (reader.fieldnames or ()):
            raise InvalidInput(f"{name} has no column `account_id` in its first line.", "Begin with a header.")
        for row in reader:
            where = f"{name} line {reader.line_num}"
            if None in row or None in row.values():
                raise InvalidInput(f"{where} has not as many cells as the header.", "Quote cells that hold a comma.")
            cells = {column: cell.strip() for column, cell in row.items() if cell.strip()}
            if cells:
                found.append((where, {column: _cell(column, cell, where) for column, cell in cells.items()}))
    except csv.Error as error:
        raise InvalidInput(f"{name} line {reader.line_num} cannot be read: {error}.", "Is it a CSV?") from None
    return found


# Field by field what a cell holds; a field of one name is of one kind in every fact.
_KINDS = {field.name: field.kind for fields in (HEAD, *FIELDS.values()) for field in fields}


def _cell(column: str, cell: str, where: str) -> object:
    """A cell as JSON would give it; one that cannot be read stays a text, for its field to refuse."""
    kind = _KINDS.get(column)
    if kind in (Kind.MONEY, Kind.COUNT):
        digits = cell.removeprefix("-")
        return int(cell) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else cell
    if kind is Kind.FLAG:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    return parse_json(cell, f"{where}, `{column}`") if kind is Kind.RECORDS else cell


# ---- Reading -------------------------------------------------------------------------------------------------------


@accounts.command(
    "state",
    short_help="What an account or a borrower owes on a day.",
    epilog="\b\nExamples:\n"
    "  evenkeel accounts state a1 --as-of 2024-05-31\n"
    "  evenkeel accounts state a1 --as-of 2024-05-31 --known-at 2024-06-03\n"
    "  evenkeel accounts state a1 --history\n"
    "  evenkeel accounts state --borrower b1",
)
@click.argument("account", required=False)
@click.option("--borrower", metavar="ID", help="Instead of ACCOUNT: all accounts of this borrower, of every lender.")
@click.option("--history", is_flag=True, help="Also how late it was at the end of each month.")
@reading_options
@click.pass_obj
def state_command(
    application: Application, account: str | None, borrower: str | None, history: bool, as_of: date | None,
    known_at: datetime | None, workspace: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """What ACCOUNT owes at the close of a day, how late it is, and what may still be used."""
    if (account is None) == (borrower is None):
        raise InvalidUsage("give either ACCOUNT or --borrower.", "An account is named by its id.")
    day, say = as_of or application.yesterday, texts(lang)
    with application.workspace(workspace, present.say)() as opened:
        if account is not None:
            found = account_of(opened, account, day, booked_until=known_at, history=history)
            present.answer(words.state_document(found), as_json, lambda: "\n".join(words.state_words(found, say)))
        elif borrower is not None:
            owned, view = borrower_of(opened, borrower, day, booked_until=known_at, history=history)
            document = words.borrower_document(borrower, day, owned, view)
            present.answer(document, as_json, lambda: "\n".join(words.borrower_words(borrower, day, owned, view, say)))
    return present.DONE


@accounts.command(
    "statement",
    short_help="Bills as they were cut, and corrections to them.",
    epilog="\b\nExamples:\n  evenkeel accounts statement a1\n  evenkeel accounts statement a1 --number 3 --lang zh",
)
@click.argument("account")
@click.option("--number", type=click.IntRange(1), metavar="N", help="This bill; else all.")
@reading_options
@click.pass_obj
def statement_command(
    application: Application, account: str, number: int | None, as_of: date | None, known_at: datetime | None,
    workspace: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """The bills of ACCOUNT as they were cut, and the corrections that late facts made to them.

    A bill that was told stays as it was told: a late fact adds a correction. Bills of a loan are its instalments.
    """
    with application.workspace(workspace, present.say)() as opened:
        found = account_of(opened, account, as_of or application.yesterday, booked_until=known_at)
        document = words.statement_document(found, corrections_of(opened, account, known_at), number)
    present.answer(document, as_json, lambda: "\n".join(words.statement_words(found, document, texts(lang))))
    return present.DONE


@accounts.command(
    "explain",
    short_help="Every unit owed, back to the facts behind it.",
    epilog="\b\nExample:\n  evenkeel accounts explain a1 --as-of 2024-05-31",
)
@click.argument("account")
@reading_options
@click.pass_obj
def explain_command(
    application: Application, account: str, as_of: date | None, known_at: datetime | None, workspace: Path | None,
    lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Every unit of what ACCOUNT owes, back to the facts and rules behind it.

    Each amount is the sum of its steps; a step of interest is the sum of stretches of days, and what rounding added.
    """
    with application.workspace(workspace, present.say)() as opened:
        found = account_of(opened, account, as_of or application.yesterday, booked_until=known_at)
    parts = explained(found)
    present.answer(
        words.explained_document(found, parts), as_json,
        lambda: "\n".join(words.explained_words(found, parts, texts(lang))),
    )  # fmt: skip
    return present.DONE


# ---- A day's close, and files of cases -------------------------------------------------------------------------------


@accounts.command(
    "close",
    short_help="Close a day for every account on record.",
    epilog="\b\nExample:\n  evenkeel accounts close --day 2024-05-31",
)
@click.option("--day", type=AS_OF, metavar="DAY", help="The day to close; else yesterday (UTC).")
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def close_command(application: Application, day: date | None, workspace: Path | None, lang: str, as_json: bool) -> int:
    """Close a day for every account on record: interest, bills, expired holds, days past due.

    Once, whatever happens: a close that was interrupted is finished by the next call.
    """
    from evenkeel.accounts.close.day import close_day  # compiled code: half a second that no other command needs

    when = day or application.yesterday
    with application.workspace(workspace, present.say)() as opened, present.progress(as_json) as report:
        closed = close_day(opened, when, report)
    present.answer(closed, as_json, lambda: "\n".join(words.closed_words(closed, texts(lang))))
    return present.DONE


@accounts.command(
    "cases",
    short_help="Compute the loans of a file, event by event.",
    epilog="\b\nExample:\n  evenkeel accounts cases loan_schedules.json --json",
)
@click.argument("file", type=click.Path(path_type=Path))
@lang_option
@as_json_option
def cases_command(file: Path, lang: str, as_json: bool) -> int:
    """Compute the loans of FILE: the state after every event, or why it is not supported.

    Expected values in the file are not read; to compare is somebody else's work.
    """
    from evenkeel.accounts.cases import run_cases

    document = run_cases(_read_cases(file))
    computed = sum(case["status"] == "computed" for case in document["cases"])
    say = texts(lang)

    def lines() -> str:
        total = say("accounts.cases.done", computed=computed, unsupported=len(document["cases"]) - computed)
        reasons = [(case["id"], case["why"]) for case in document["cases"] if case["status"] != "computed"]
        return "\n".join([total, *words.columns(reasons, "ll", "  ")])

    present.answer(document, as_json, lines)
    return present.DONE


def _read_cases(file: Path) -> object:
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    try:
        return parse_json(file.read_text(encoding="utf-8-sig"), file.name)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check its rights.") from error
