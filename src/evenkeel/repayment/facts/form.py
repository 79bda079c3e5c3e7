"""A case as a spreadsheet that a person fills in: seven sheets, with headings in English or Chinese.

What is written is read back as the same case. A cell that does not fit is named by its sheet, row and column.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import openpyxl
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.repayment.case import Case, Debt, Essential, Household, Income, OneOff, Policy, Priority
from evenkeel.repayment.facts.cells import UNKNOWN, Column, columns_of
from evenkeel.repayment.facts.reading import case_of

MOST_BYTES = 4 << 20
_MOST_UNPACKED = 64 << 20
_MOST_ROWS, _MOST_COLUMNS = 1_000, 100
_SPARE_ROWS = 200  # that choose from a list


class _Sheet(NamedTuple):
    """name: of the sheet; path: of its list in a case, "" for the sheet of single fields."""

    name: str
    path: str
    columns: tuple[Column, ...]


_FOR = "creditor"  # whose policy a row of `policies` is
_HOUSEHOLD = (
    *columns_of(Case, {}, ("household", "debts", "policies")),
    *columns_of(Household, {}, ("incomes", "essentials", "priority", "one_off")),
)
_IN_HOUSEHOLD = frozenset(Household.__struct_fields__)
_SHEETS = (
    _Sheet("household", "", _HOUSEHOLD),
    _Sheet("incomes", "household.incomes", columns_of(Income, {"kind": "income"})),
    _Sheet("essentials", "household.essentials", columns_of(Essential, {})),
    _Sheet("priority", "household.priority", columns_of(Priority, {"kind": "priority"})),
    _Sheet("one_off", "household.one_off", columns_of(OneOff, {})),
    _Sheet("debts", "debts", columns_of(Debt, {"lender_type": "lender", "original_lender_type": "lender"})),
    _Sheet("policies", "policies", columns_of(Policy, {})),
)


# -------------------------------------------------------------------------------------------------------------- writing


def write_form(path: Path, case: Case | None = None, language: str = "zh") -> None:
    """Write the form of a case, or an empty one, as xlsx. Raises InvalidInput on a text that no spreadsheet holds."""
    say, workbook = texts(language), openpyxl.Workbook()
    currency = case.currency if case else "CNY"
    workbook.remove(workbook.active)
    for sheet in _SHEETS:
        page = workbook.create_sheet(say(f"repay.form.sheet.{sheet.name}"))
        if sheet.path:
            _write_rows(page, sheet, _records(case, sheet) if case else [], currency, language)
        else:
            _write_fields(page, case, currency, language)
    workbook.save(path)


def _write_fields(page: Any, case: Case | None, currency: str, language: str) -> None:
    """One field a row: its name, its value."""
    say = texts(language)
    _put(page, 1, 1, say("repay.form.field"), bold=True)
    _put(page, 1, 2, say("repay.form.value"), bold=True)
    page.column_dimensions["A"].width, page.column_dimensions["B"].width = 34, 30
    for row, column in enumerate(_HOUSEHOLD, 2):
        _put(page, row, 1, say(f"repay.form.household.{column.title}"))
        value = column.default
        if case:
            value = getattr(case.household if column.name in _IN_HOUSEHOLD else case, column.name)
        _put(page, row, 2, _cell(column, value, currency, language))


def _write_rows(page: Any, sheet: _Sheet, records: Sequence[Mapping[str, Any]], currency: str, language: str) -> None:
    """One record a row, under headings; a list to choose from where only some words are allowed."""
    say = texts(language)
    titles = [say(f"repay.form.{sheet.name}.{column.title}") for column in sheet.columns]
    columns: list[Column | None] = list(sheet.columns)
    if sheet.name == "policies":
        titles, columns = [say(f"repay.form.policies.{_FOR}"), *titles], [None, *columns]
    page.freeze_panes = "A2"
    for place, (title, column) in enumerate(zip(titles, columns, strict=True), 1):
        _put(page, 1, place, title, bold=True)
        page.column_dimensions[get_column_letter(place)].width = max(12, 2 + len(title.encode("gbk", "replace")))
        if column and column.words:
            choice = DataValidation(
                "list", f'"{",".join(say(key) for key in column.words.values())}"', allow_blank=True
            )
            letter = get_column_letter(place)
            choice.add(f"{letter}2:{letter}{_SPARE_ROWS + len(records)}")
            page.add_data_validation(choice)
        for row, record in enumerate(records, 2):
            value = record[_FOR if column is None else column.name]
            _put(page, row, place, value if column is None else _cell(column, value, currency, language))


def _records(case: Case, sheet: _Sheet) -> list[Mapping[str, Any]]:
    if sheet.name == "policies":
        return [{_FOR: key} | msgspec.structs.asdict(policy) for key, policy in case.policies.items()]
    rows = case.debts if sheet.name == "debts" else getattr(case.household, sheet.name)
    return [msgspec.structs.asdict(row) for row in rows]


def _cell(column: Column, value: Any, currency: str, language: str) -> Any:
    if value is None:
        return UNKNOWN if column.default is not None else None
    cell = column.write(value, currency)
    return texts(language)(column.words[cell]) if isinstance(cell, str) and cell in column.words else cell


def _put(page: Any, row: int, column: int, value: Any, bold: bool = False) -> None:
    if isinstance(value, str) and any(ord(sign) < 32 and sign not in "\n\t" for sign in value):
        raise InvalidInput(f"{value[:40]!r} has control characters, which no spreadsheet holds.", "Take them out.")
    cell = page.cell(row, column)
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # a text that begins with = is no formula
    if bold:
        cell.font = Font(bold=True)


# -------------------------------------------------------------------------------------------------------------- reading


def read_form(path: Path) -> Case:
    """The case in a form. Sheets and headings are known by field or by their words in any language; others than these
    are refused, so that nothing that was filled in goes unread.

    Raises InvalidInput that names sheet, row and column, what stands there and what is allowed.
    """
    pages = dict(_pages(path))
    if "household" not in pages:
        raise InvalidInput(f"{path.name} has no sheet `household`.", "Begin with an empty form, which has it.")
    where: dict[str, str] = {}
    plain: dict[str, Any] = {"household": {}, "debts": [], "policies": {}}
    currency = _read_fields(path.name, pages["household"], plain, where)
    for sheet in _SHEETS[1:]:
        if sheet.name in pages:
            rows = list(_read_rows(path.name, sheet, pages[sheet.name], currency, where))
            _fill(plain, sheet, rows, path.name)

    def place(at: str) -> str:
        known = max((one for one in where if at == one or at.startswith((f"{one}.", f"{one}["))), key=len, default="")
        return where.get(known, f"{path.name}: `{at}`" if at else path.name)

    return case_of(plain, place)


def _pages(path: Path) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The sheets of a form that are known, with their rows of cells."""
    known = {word.casefold(): sheet.name for sheet in _SHEETS for word in _words(f"sheet.{sheet.name}", sheet.name)}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(f"{path.name} is larger than {MOST_BYTES:,} bytes, which no form is.")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_UNPACKED:
                raise InvalidInput(f"{path.name} unpacks to more than {_MOST_UNPACKED:,} bytes, which no form does.")
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=False)
        found = []
        for page in workbook.worksheets:
            name = known.get(page.title.strip().casefold())
            if name:
                page.reset_dimensions()  # what a file says of its own size is not believed
                found.append((name, [_bounded(path.name, row) for row in islice(page.iter_rows(), _MOST_ROWS + 2)]))
        workbook.close()
    except InvalidInput:
        raise
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {path}.") from None
    except Exception as error:  # a spoilt archive fails in as many ways as it has parts
        raise InvalidInput(
            f"{path.name} is not a spreadsheet that can be read: {str(error)[:80]}.", "Save it as .xlsx."
        ) from None
    names = [name for name, _ in found]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput(f"{path.name} has two sheets `{doubled}`.", "Keep one.")
    yield from found


def _bounded(file: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(cell.value is not None for cell in row[_MOST_COLUMNS:]):
        raise InvalidInput(f"{file} has a row of more than {_MOST_COLUMNS} cells, which no form has.")
    return row[:_MOST_COLUMNS]


def _words(key: str, name: str) -> set[str]:
    """A name, and its words in every language."""
    return {name, *(texts(language)(f"repay.form.{key}") for language in LANGUAGES)}


def _read_fields(file: str, rows: Sequence[tuple[Any, ...]], plain: dict[str, Any], where: dict[str, str]) -> str:
    """The single fields into `plain`; the currency, in which the other sheets are read."""
    columns = {
        word.casefold(): column for column in _HOUSEHOLD for word in _words(f"household.{column.title}", column.title)
    }
    cells: dict[str, tuple[Column, Any, str]] = {}
    for number, row in enumerate(rows[1:], 2):
        title = str(row[0].value or "").strip() if row else ""
        if not title:
            continue
        at = f"{file}, sheet `household`, row {number}"
        column = columns.get(title.casefold())
        if column is None:
            raise InvalidInput(f"{at}: {title!r} is no field of a case.", f"Known: {', '.join(sorted(columns))}.")
        if column.name in cells:
            raise InvalidInput(f"{at}: {title!r} stands there twice.")
        cells[column.name] = column, (row[1] if len(row) > 1 else None), f"{at} ({title})"
    told = cells.get("currency")
    currency = str(told[1].value).strip() if told and told[1] is not None and told[1].value is not None else "CNY"
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise InvalidInput(f"{file}, sheet `household`: currency is {currency[:20]!r}.", "Three capitals, such as CNY.")
    for name, (column, cell, at) in cells.items():
        inside = name in _IN_HOUSEHOLD
        where[f"household.{name}" if inside else name] = at
        given, value = _value(column, cell, currency, at)
        if given:
            (plain["household"] if inside else plain)[name] = value
    return currency


def _read_rows(
    file: str, sheet: _Sheet, rows: Sequence[tuple[Any, ...]], currency: str, where: dict[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a sheet, each with its key (of a policy, whose it is)."""
    if not rows:
        return
    if len(rows) > _MOST_ROWS + 1:
        raise InvalidInput(f"{file}, sheet `{sheet.name}` has more than {_MOST_ROWS} rows.")
    heading = _heading(file, sheet, rows[0])
    count = 0
    for number, row in enumerate(rows[1:], 2):
        if all(cell.value is None or cell.value == "" for cell in row):
            continue
        key, record, base = "", {}, f"{sheet.path}[{count}]"
        at = f"{file}, sheet `{sheet.name}`, row {number}"
        if sheet.name == "policies":
            place = next((place for place, column in heading.items() if column is None), None)
            key = str(row[place].value or "") if place is not None and place < len(row) else ""
            base = f"{sheet.path}.{key}"
            if not key:
                raise InvalidInput(f"{at} does not say whose policy it is.", "A creditor, a type of lender, or *.")
        where[base] = at
        for place, cell in enumerate(row):
            column = heading.get(place)
            if column is None:
                if cell.value is not None and place not in heading:
                    raise InvalidInput(
                        f"{at}, column {place + 1} has a cell without a heading.", "Name it or clear it."
                    )
                continue
            spot = f"{at}, column `{column.title}`"
            where[f"{base}.{column.name}"] = spot
            given, value = _value(column, cell, currency, spot)
            if given:
                record[column.name] = value
        count += 1
        yield key, record


def _heading(file: str, sheet: _Sheet, row: tuple[Any, ...]) -> dict[int, Column | None]:
    """What each column of a sheet holds, by place; None for whose policy a row is."""
    known: dict[str, Column | None] = {
        word.casefold(): column
        for column in sheet.columns
        for word in _words(f"{sheet.name}.{column.title}", column.title)
    }
    if sheet.name == "policies":
        known |= dict.fromkeys(word.casefold() for word in _words(f"policies.{_FOR}", _FOR))
    found: dict[int, Column | None] = {}
    for place, cell in enumerate(row):
        title = str(cell.value or "").strip()
        if not title:
            continue
        if title.casefold() not in known:
            raise InvalidInput(
                f"{file}, sheet `{sheet.name}`: {title[:40]!r} is no heading of it.",
                f"Known: {', '.join(sorted(known))}.",
            )
        column = known[title.casefold()]
        if any(column is other for other in found.values()):
            raise InvalidInput(f"{file}, sheet `{sheet.name}` has the heading {title!r} twice.")
        found[place] = column
    return found


def _value(column: Column, cell: Any, currency: str, at: str) -> tuple[bool, Any]:
    """Whether a cell says anything, and what."""
    raw = cell.value if cell is not None else None
    if raw is None or raw == "":
        return False, None
    if getattr(cell, "data_type", "") in ("f", "e"):
        raise InvalidInput(f"{at} holds {str(raw)[:40]!r}.", "Write the value itself, not a formula.")
    try:
        return True, column.read(raw, currency)
    except InvalidInput as error:
        raise InvalidInput(f"{at}: {error.message}", error.remedy) from None


def _fill(plain: dict[str, Any], sheet: _Sheet, rows: Sequence[tuple[str, dict[str, Any]]], file: str) -> None:
    if sheet.name == "policies":
        keys = [key for key, _ in rows]
        if doubled := next((key for key in keys if keys.count(key) > 1), None):
            raise InvalidInput(f"{file}, sheet `policies` has two rows of {doubled!r}.", "Keep one.")
        plain["policies"] = dict(rows)
    elif sheet.name == "debts":
        plain["debts"] = [record for _, record in rows]
    else:
        plain["household"][sheet.name] = [record for _, record in rows]
