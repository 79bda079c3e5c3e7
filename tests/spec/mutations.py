"""One mutation at a time of a sound book, and the fault that each must be given: an oracle, as it placed the damage.

`MUTATIONS` is a table that other tests may run through any entrance: `apply(mutation, folder, form)` leaves a damaged
book in `folder`, and `mutation.expected(form)` is every fault that must be found in it, warnings included.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from book_samples import FORMS, MANIFEST, WRITERS, Cell, Sheet, cell_text, sound_book, write_csv, write_parquet

ASIDE, REFUSED, WARNING = "row set aside", "book refused", "warning"
TEXT_FORMS = ("csv", "xlsx")
_BOOK = sound_book()


@dataclass(frozen=True, slots=True)
class Found:
    """A fault that must be found. place: 0-based row of data, None where the fault is of no row."""

    table: str
    rule: str
    effect: str = ASIDE
    column: str = ""
    place: int | None = None

    def located(self, form: str) -> tuple[str, int | None, str, str, str]:
        """(table, row as the file counts it, column, rule, effect): a line under a header, or a row from 1."""
        row = None if self.place is None else self.place + (1 if form == "parquet" else 2)
        return (self.table, row, self.column, self.rule, self.effect)


@dataclass(slots=True)
class Draft:
    """A book about to be damaged: sheets that will be written in `form`, then the files themselves."""

    folder: Path
    form: str
    sheets: dict[str, Sheet] = field(default_factory=dict)
    arrays: dict[tuple[str, str], pa.Array] = field(default_factory=dict)

    def sheet(self, table: str) -> Sheet:
        """A table that may be changed before it is written."""
        return self.sheets.setdefault(table, {name: list(cells) for name, cells in _BOOK[table].items()})

    def path(self, table: str) -> Path:
        """Where the table stands."""
        return self.folder / f"{table}.{self.form}"

    def write(self) -> None:
        """Every table in Parquet but the changed ones, which stand in `form`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, sheet in _BOOK.items():
            if name not in self.sheets:
                write_parquet(sheet, self.folder / f"{name}.parquet")
        for name, sheet in self.sheets.items():
            WRITERS[self.form](sheet, self.path(name))
        for (name, column), array in self.arrays.items():
            table = pq.read_table(self.path(name))
            place = table.column_names.index(column)
            pq.write_table(table.set_column(place, column, array), self.path(name))
        (self.folder / "manifest.json").write_text(json.dumps(MANIFEST))


@dataclass(frozen=True, slots=True)
class Mutation:
    """`sheets` changes cells before the files are written, `files` damages them after."""

    name: str
    found: Mapping[str, tuple[Found, ...]]  # by form
    sheets: Callable[[Draft], object] = lambda draft: None
    files: Callable[[Draft], object] = lambda draft: None

    @property
    def forms(self) -> tuple[str, ...]:
        """The formats in which this can happen."""
        return tuple(self.found)

    def expected(self, form: str) -> list[tuple[str, int | None, str, str, str]]:
        """Every fault of the damaged book, in the order of table and row."""
        return sorted((fault.located(form) for fault in self.found[form]), key=repr)


def apply(mutation: Mutation, folder: Path, form: str) -> None:
    """Leave the damaged book in `folder`."""
    draft = Draft(folder, form)
    mutation.sheets(draft)
    draft.write()
    mutation.files(draft)


def _same(found: tuple[Found, ...], forms: tuple[str, ...]) -> dict[str, tuple[Found, ...]]:
    return dict.fromkeys(forms, found)


PLACE = 137  # of the damaged row: not the first, not the last


def cell(
    what: str, where: str, value: Cell, rule: str, *, forms: tuple[str, ...] = FORMS, effect: str = ASIDE,
    column: str = "", place: int = PLACE,
) -> Mutation:  # fmt: skip
    """One cell `table.column` holds `value`."""
    table, name = where.split(".")

    def change(draft: Draft) -> None:
        cells = draft.sheet(table).setdefault(name, [None] * len(next(iter(draft.sheet(table).values()))))
        cells[place] = value

    return Mutation(what, _same((Found(table, rule, effect, column or name, place),), forms), change)


def typed(what: str, where: str, make: Callable[[list[Cell]], pa.Array], rule: str) -> Mutation:
    """A Parquet column of another type, whose row PLACE is at fault."""
    table, name = where.split(".")

    def change(draft: Draft) -> None:
        cells = draft.sheet(table)[name]
        draft.arrays[(table, name)] = make(cells)

    return Mutation(what, _same((Found(table, rule, ASIDE, name, PLACE),), ("parquet",)), change)


def _with(value: Cell, kind: pa.DataType) -> Callable[[list[Cell]], pa.Array]:
    """The column in another type, with `value` at PLACE."""
    return lambda cells: pa.array([value if i == PLACE else cell for i, cell in enumerate(cells)], kind)


_INTEGER_TEXTS = {
    "a word": "abc",
    "decimals": "100.5",
    "a thousands separator": "1,234",
    "an exponent": "1e5",
    "a leading space": " 5",
    "a plus sign": "+5",
    "full-width digits": "１２３",
    "a currency sign": "¥100",
    "a minus sign alone": "-",
    "two minus signs": "--5",
    "hexadecimal": "0x10",
    "a missing-value word": "NA",
    "a spreadsheet's dash": "—",
}
_AMOUNTS = [
    *(cell(f"amount: {what}", "periods.balance_minor", text, "minor_amount") for what, text in _INTEGER_TEXTS.items()),
    cell("amount: NaN as a word", "periods.balance_minor", "NaN", "minor_amount"),
    cell("amount: infinity as a word", "periods.balance_minor", "inf", "minor_amount"),
    cell("amount: more digits than int64", "periods.balance_minor", "123456789012345678901", "overflow"),
    cell("amount: out of every domain", "periods.balance_minor", 10**15, "range"),
    cell("amount: a negative limit", "accounts.limit_minor", -500, "range"),
    cell("amount: a negative payment", "payments.amount_minor", -1, "range"),
    cell("amount: nothing where one is needed", "payments.amount_minor", None, "needed"),
    typed("amount: NaN", "periods.balance_minor", _with(float("nan"), pa.float64()), "not_finite"),
    typed("amount: infinity", "periods.balance_minor", _with(float("inf"), pa.float64()), "not_finite"),
    typed("amount: a float beyond whole numbers", "periods.balance_minor", _with(2.0**60, pa.float64()), "overflow"),
    typed("amount: a float with decimals", "periods.balance_minor", _with(0.5, pa.float64()), "minor_amount"),
    typed("amount: uint64 beyond int64", "periods.limit_minor", _with(2**64 - 1, pa.uint64()), "overflow"),
    typed("amount: a decimal with decimals", "periods.limit_minor",
          lambda cells: _with("0.5", pa.string())([str(cell) for cell in cells]).cast(pa.decimal128(38, 2)),
          "minor_amount"),
]  # fmt: skip

_NUMBERS = [
    cell("integer: a word", "accounts.term_months", "twelve", "integer"),
    cell("integer: decimals", "accounts.term_months", "12.5", "integer"),
    cell("integer: an exponent", "accounts.term_months", "1e1", "integer"),
    cell("integer: below its range", "accounts.cycle_day", 0, "range"),
    cell("integer: above its range", "accounts.cycle_day", 32, "range"),
    cell("integer: negative days past due", "periods.dpd_low", -1, "range"),
    cell("number: a percent sign", "accounts.rate_annual", "18%", "number"),
    cell("number: percent for a share", "accounts.rate_annual", 18, "range"),
    cell("number: a decimal comma", "accounts.rate_annual", "0,18", "number"),
    cell("number: NaN as a word", "accounts.rate_annual", "NaN", "number"),
    cell("number: an infinite exponent", "accounts.rate_annual", "1e999", "not_finite"),
    typed("number: NaN", "accounts.rate_annual", _with(float("nan"), pa.float64()), "not_finite"),
    typed("number: infinity", "accounts.rate_annual", _with(float("-inf"), pa.float32()), "not_finite"),
]

_TIMES = [
    cell("month: thirteenth", "macro.month", "2024-13", "month"),
    cell("month: zeroth", "macro.month", "2024-00", "month"),
    cell("month: a slash", "macro.month", "2024/01", "month"),
    cell("month: a day", "macro.month", "2024-01-15", "month"),
    cell("month: before every book", "macro.month", "0000-01", "too_early"),
    cell("month: later than the book", "periods.month", "2024-07", "after_as_of"),
    cell("month: the end of time", "periods.month", "9999-12", "after_as_of"),
    cell("day: 30 February", "accounts.opened_on", "2024-02-30", "day"),
    cell("day: a leap day in a common year", "accounts.opened_on", "2023-02-29", "day"),
    cell("day: the other order", "accounts.opened_on", "31/12/2023", "day"),
    cell("day: a serial number as text", "accounts.opened_on", "45291", "day"),
    cell("day: all zero", "accounts.opened_on", "0000-00-00", "day"),
    cell("day: before every book", "accounts.opened_on", "1066-10-14", "too_early"),
    cell("day: later than the book", "accounts.opened_on", "2024-07-01", "after_as_of"),
    cell("day: closed before opened", "accounts.closed_on", "2022-12-31", "order"),
    cell("instant: hour 24", "payments.paid_at", "2024-02-01T24:00:00+08:00", "instant"),
    cell("instant: minute 60", "payments.paid_at", "2024-02-01T10:60:00+08:00", "instant"),
    cell("instant: a zone beyond 18 hours", "payments.paid_at", "2024-02-01T10:00:00+18:01", "instant"),
    cell("instant: no such day", "payments.paid_at", "2024-02-30T10:00:00+08:00", "instant"),
    cell("instant: a twelve-hour clock", "payments.paid_at", "2024-02-01 10:00 PM", "instant"),
    cell("instant: later than the book", "payments.paid_at", "2024-07-01T00:00:00+08:00", "after_as_of"),
    cell("instant: before every book", "payments.paid_at", "1066-10-14T10:00:00Z", "too_early"),
    cell("instant: needed and empty", "payments.paid_at", None, "needed"),
    cell("days past due: low above high", "periods.dpd_low", 30, "order", column="dpd_high"),
]

_WORDS = [
    cell("choice: not in the list", "accounts.product", "loan", "choice"),
    cell("choice: another case", "accounts.product", "Card", "choice"),
    cell("choice: needed and empty", "accounts.product", None, "needed"),
    cell("choice: a state of another book", "periods.state", "M8", "choice"),
    cell("flag: a word", "periods.on_book", "maybe", "flag"),
    cell("flag: two", "contacts.answered", "2", "flag"),
    cell("id: too long", "borrowers.employer_token", "e" * 65, "id"),
    cell("text: too long", "periods.source_code", "c" * 10_001, "text"),
    cell("text: 10 MB in a cell", "periods.source_code", "c" * 10_000_000, "text", forms=("csv", "parquet")),
    cell("text: 10 MB in an amount", "periods.balance_minor", "9" * 10_000_000, "overflow", forms=("csv", "parquet")),
    cell("text: a NUL byte", "periods.source_code", "a\x00b", "control_character", forms=("csv", "parquet")),
    cell("text: an escape", "borrowers.region", "\x1b[2J", "control_character", forms=("csv", "parquet")),
    cell("formula: in an amount", "periods.balance_minor", "=SUM(A1:A9)", "formula"),
    cell("formula: in a text", "borrowers.region", '=HYPERLINK("x")', "formula"),
    cell("formula: an error of the spreadsheet", "periods.balance_minor", "#REF!", "formula", forms=("xlsx",)),
    cell("formula: an error of the spreadsheet in CSV", "periods.balance_minor", "#REF!", "minor_amount",
         forms=("csv", "parquet")),
    cell("list: an empty id", "applications.contact_tokens", ["c1", "", "c2"], "ids"),
    cell("list: an id too long", "applications.contact_tokens", ["c1", "c" * 65], "ids"),
    cell("json: a list", "events.payload", "[1]", "json"),
    cell("json: cut off", "events.payload", '{"a": ', "json"),
    cell("json: a word", "events.payload", "shop", "json"),
    cell("json: too deep", "events.payload", '{"a":' * 1900 + "1" + "}" * 1900, "json"),
    cell("currency: small letters", "accounts.currency", "cny", "currency"),
]  # fmt: skip


def _row_twice(draft: Draft) -> None:
    for cells in draft.sheet("accounts").values():
        cells.append(cells[3])


def _key(what: str, where: str, value: Cell, rule: str, column: str = "") -> Mutation:
    return cell(what, where, value, rule, effect=REFUSED, column=column)


_KEYS = [
    _key("key: null account", "accounts.account_id", None, "null_key"),
    _key("key: null month", "periods.month", None, "null_key"),
    _key("key: null payment", "payments.payment_id", None, "null_key"),
    _key("key: doubled payment", "payments.payment_id", "y00000-0", "doubled_key"),
    _key("key: doubled month", "periods.month", "2024-05", "doubled_key", "account_id, month"),
    _key("reference: no such account", "payments.account_id", "nobody", "dangling"),
    _key("reference: no such borrower", "accounts.borrower_id", "nobody", "dangling"),
    _key("reference: no such lender", "accounts.lender_id", "nobody", "dangling"),
    _key("reference: an event of no account", "events.account_id", "nobody", "dangling"),
    _key("reference: another case", "periods.account_id", "A00022", "dangling"),
    _key("currency: a second one", "accounts.currency", "USD", "mixed_currency"),
    Mutation("key: doubled account", _same((Found("accounts", "doubled_key", REFUSED, "account_id", 200),), FORMS),
             _row_twice),
    cell("key: too long takes its children along", "accounts.account_id", "a" * 65, "id"),
]  # fmt: skip


def _whole(
    what: str, table: str, rule: str, effect: str = REFUSED, *, forms: tuple[str, ...] = FORMS, column: str = "",
    sheets: Callable[[Draft], object] = lambda draft: None, files: Callable[[Draft], object] = lambda draft: None,
    place: int | None = None,
) -> Mutation:  # fmt: skip
    """A fault of a whole table."""
    return Mutation(what, _same((Found(table, rule, effect, column, place),), forms), sheets, files)


def _both_forms(draft: Draft) -> None:
    draft.sheet("periods")["balance"] = [1] * len(draft.sheet("periods")["month"])


def _without(table: str, column: str) -> Callable[[Draft], object]:
    return lambda draft: draft.sheet(table).pop(column)


def _emptied(table: str) -> Callable[[Draft], object]:
    return lambda draft: [cells.clear() for cells in draft.sheet(table).values()]


def _remove(*tables: str) -> Callable[[Draft], object]:
    def change(draft: Draft) -> None:
        for table in tables:
            (draft.folder / f"{table}.parquet").unlink()

    return change


def _rename(sheet: Sheet, column: str, name: str) -> None:
    cells = sheet.pop(column)
    sheet[name] = cells


def _twice(draft: Draft) -> None:
    """A header that holds a column twice: no dict can, so a stand-in is renamed in the file."""
    path = draft.path("accounts")
    if draft.form == "parquet":
        table = pq.read_table(path)
        pq.write_table(table.append_column("product", table["product"]), path)
    elif draft.form == "csv":
        text = path.read_text()
        path.write_text(text.replace("term_months", "product", 1))
    else:
        _replace_in_xlsx(path, b"term_months", b"product")


def _replace_in_xlsx(path: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data.replace(old, new))


def _many_columns(count: int) -> Callable[[Draft], object]:
    def change(draft: Draft) -> None:
        path = draft.path("parties")
        names = [f"x_{i}" for i in range(count)]
        if draft.form == "csv":
            path.write_text(",".join(names) + "\n" + "1," * (count - 1) + "1\n")
        else:
            pq.write_table(pa.table({name: [1] for name in names}), path)

    return change


def _cut(table: str, share: float) -> Callable[[Draft], object]:
    def change(draft: Draft) -> None:
        data = draft.path(table).read_bytes()
        draft.path(table).write_bytes(data[: int(len(data) * share)])

    return change


def _overwrite(table: str, data: bytes) -> Callable[[Draft], object]:
    return lambda draft: draft.path(table).write_bytes(data)


def _line(change: Callable[[str], str]) -> Callable[[Draft], object]:
    """Change the line of data PLACE of periods.csv."""

    def damage(draft: Draft) -> None:
        lines = draft.path("periods").read_text().splitlines()
        lines[PLACE + 1] = change(lines[PLACE + 1])
        draft.path("periods").write_text("\n".join(lines) + "\n")

    return damage


def _bytes_in_cell(draft: Draft) -> None:
    """Latin-1 bytes in one cell of an UTF-8 file."""
    lines = draft.path("borrowers").read_bytes().split(b"\r\n")
    lines[PLACE + 1] = lines[PLACE + 1].replace(b"textiles", b"caf\xe9\xff\xff")
    draft.path("borrowers").write_bytes(b"\r\n".join(lines))


def _other_form(table: str, form: str) -> Callable[[Draft], object]:
    """The file holds another format than its name says."""
    return lambda draft: WRITERS[form](_BOOK[table], draft.path(table))


def _folder_for_file(draft: Draft) -> None:
    (draft.folder / "accounts.parquet").unlink()
    (draft.folder / f"accounts.{draft.form}").mkdir()


def _manifest(content: bytes) -> Callable[[Draft], object]:
    return lambda draft: (draft.folder / "manifest.json").write_bytes(content)


def _manifest_with(**fields: object) -> Callable[[Draft], object]:
    return _manifest(json.dumps({**MANIFEST, **fields}).encode())


def _touched(table: str) -> Callable[[Draft], object]:
    return lambda draft: draft.sheet(table)


def _too_many_bad(draft: Draft) -> None:
    cells = draft.sheet("periods")["dpd_low"]
    for place in range(0, 130, 10):
        cells[place] = -1


_TABLES = [
    _whole("amount in both forms", "periods", "both_forms", column="balance_minor", sheets=_both_forms),
    _whole("needed column missing", "accounts", "missing_column", column="product",
           sheets=_without("accounts", "product")),
    _whole("key column missing", "periods", "missing_column", column="account_id",
           sheets=_without("periods", "account_id")),
    _whole("a header alone", "accounts", "no_rows", sheets=_emptied("accounts")),
    _whole("no accounts", "accounts", "missing_table", files=_remove("accounts"), forms=("parquet",)),
    _whole("no history", "periods", "missing_history", files=_remove("periods", "payments"), forms=("parquet",)),
    _whole("a column twice", "accounts", "doubled_column", column="product", sheets=_touched("accounts"), files=_twice),
    _whole("1,001 columns", "parties", "too_many_columns", sheets=_touched("parties"), files=_many_columns(1_001),
           forms=("csv", "parquet")),
    _whole("a million columns", "parties", "too_many_columns", sheets=_touched("parties"),
           files=_many_columns(1_000_000), forms=("csv",)),
    _whole("20,000 columns", "parties", "too_many_columns", sheets=_touched("parties"),
           files=_many_columns(20_000), forms=("parquet",)),
    _whole("cut off in the middle", "periods", "unreadable", sheets=_touched("periods"), files=_cut("periods", 0.6),
           forms=("parquet", "xlsx")),
    _whole("cut off at the end", "periods", "unreadable", sheets=_touched("periods"), files=_cut("periods", 0.999),
           forms=("parquet", "xlsx")),
    _whole("no byte at all", "periods", "empty_file", sheets=_touched("periods"), files=_overwrite("periods", b""),
           forms=FORMS),
    _whole("blank lines only", "periods", "empty_file", sheets=_touched("periods"),
           files=_overwrite("periods", b"\r\n \n\n"), forms=("csv",)),
    _whole("random bytes", "periods", "unreadable", sheets=_touched("periods"),
           files=_overwrite("periods", bytes(range(256)) * 64), forms=("parquet", "xlsx")),
    _whole("UTF-16", "periods", "utf16", sheets=_touched("periods"), forms=("csv",),
           files=lambda draft: write_csv(_BOOK["periods"], draft.path("periods"), encoding="utf-16")),
    _whole("a workbook named .csv", "periods", "unreadable", sheets=_touched("periods"), forms=("csv",),
           files=_other_form("periods", "xlsx")),
    _whole("Parquet named .csv", "periods", "unreadable", sheets=_touched("periods"), forms=("csv",),
           files=_other_form("periods", "parquet")),
    _whole("CSV in another name", "periods", "unreadable", sheets=_touched("periods"), forms=("parquet", "xlsx"),
           files=_other_form("periods", "csv")),
    _whole("a folder named as a table", "accounts", "missing_table", files=_folder_for_file),
    _whole("two files of one table", "payments", "two_files", forms=TEXT_FORMS,
           files=lambda draft: WRITERS[draft.form](_BOOK["payments"], draft.path("payments"))),
    _whole("too many bad rows", "periods", "too_many_bad", sheets=_too_many_bad),
]  # fmt: skip
# The thirteen rows that make "too many" are named one by one as well.
_TABLES[-1] = Mutation(
    _TABLES[-1].name,
    _same(
        (Found("periods", "too_many_bad", REFUSED),
         *(Found("periods", "range", ASIDE, "dpd_low", place) for place in range(0, 130, 10))),
        FORMS,
    ),
    _too_many_bad,
)  # fmt: skip

_LINES = [
    Mutation(what, {"csv": (Found("periods", "cell_count", ASIDE, "", PLACE),)}, _touched("periods"), _line(change))
    for what, change in {
        "a line cut short": lambda line: line[: len(line) // 2],
        "a comma that is not quoted": lambda line: line + ",more",
        "a line of words": lambda line: "Total: 1200",
    }.items()
] + [
    Mutation(
        "bytes of no encoding",
        {"csv": (Found("borrowers", "encoding", ASIDE, "industry", PLACE),)},
        _touched("borrowers"),
        _bytes_in_cell,
    ),
    _whole("a quote that never closes", "periods", "open_quote", sheets=_touched("periods"), forms=("csv",),
           files=_line(lambda line: line.replace("a0", '"a0', 1)), place=PLACE),
]  # fmt: skip

_MANIFESTS = [
    _whole(f"manifest: {what}", "manifest", "manifest", forms=("parquet",), files=files)
    for what, files in {
        "not JSON": _manifest(b"{as_of: 2024"),
        "empty": _manifest(b""),
        "a list": _manifest(b"[]"),
        "NaN": _manifest(b"NaN"),
        "not text": _manifest(b"\xff\xfe\x00"),
        "100,000 deep": _manifest(b"[" * 100_000),
        "2 MB": _manifest(b'{"as_of": "2024-06-30", "source": "' + b"x" * (2 << 20) + b'"}'),
        "a number of 10,000 digits": _manifest(b'{"as_of": ' + b"9" * 10_000 + b"}"),
        "no day": _manifest(b'{"currency": "CNY"}'),
        "a day that does not exist": _manifest_with(as_of="2024-06-31"),
        "a number for a day": _manifest_with(as_of=20240630),
        "the first day of time": _manifest_with(as_of="0001-01-01"),
        "a list for a name": _manifest_with(lender_name=["a"]),
        "an unknown zone": _manifest_with(timezone="Asia/Atlantis"),
        "a path for a zone": _manifest_with(timezone="../../etc/passwd"),
        "a folder for a zone": _manifest_with(timezone="Asia"),
        "an empty zone": _manifest_with(timezone=""),
        "a word for a currency": _manifest_with(currency="yuan"),
        "another contract": _manifest_with(contract=2),
        "true for a contract": _manifest_with(contract=True),
        "a text for a contract": _manifest_with(contract="1"),
        "tables as a list": _manifest_with(tables=[1]),
        "a digest that is a number": _manifest_with(tables={"periods": {"sha256": 7}}),
        "a name with a control character": _manifest_with(lender_name="a\x00b"),
    }.items()
]


def _gap(draft: Draft) -> None:
    for cells in draft.sheet("periods").values():
        del cells[PLACE - 2]


def _unknown(draft: Draft) -> None:
    draft.sheet("periods")["mood"] = ["good"] * len(draft.sheet("periods")["month"])


_WARNINGS = [
    _whole("a month missing inside a history", "periods", "gap", WARNING, column="month", sheets=_gap),
    _whole("a column of no contract", "periods", "unknown_column", WARNING, column="mood", sheets=_unknown),
    _whole("a table of no contract", "wages", "unknown_table", WARNING, forms=TEXT_FORMS,
           files=lambda draft: draft.path("wages").write_bytes(b"a\n1\n")),
    _whole("a table of names", "identities", "identities_left_aside", WARNING, forms=TEXT_FORMS,
           files=lambda draft: draft.path("identities").write_bytes(b"name\nsecret\n")),
    _whole("a table changed since its manifest", "periods", "changed_since_manifest", WARNING, forms=("parquet",),
           files=_manifest_with(tables={"periods": {"rows": 1, "sha256": "0" * 64}})),
]  # fmt: skip

MUTATIONS: tuple[Mutation, ...] = (
    *_AMOUNTS, *_NUMBERS, *_TIMES, *_WORDS, *_KEYS, *_TABLES, *_LINES, *_MANIFESTS, *_WARNINGS,
)  # fmt: skip

__all__ = ["MUTATIONS", "Draft", "Found", "Mutation", "apply", "cell_text"]
