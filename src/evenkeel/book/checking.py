"""Check a book against the contract: cells, then keys, then references; what is sound goes on, the rest is named.

A row with a bad value is set aside and the rest goes on while such rows are few; a broken key, reference, column,
currency or file refuses the whole book (CONTRACT 2, Faults).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.contract import ARROW_TYPES, TABLES, Column, Kind, Table
from evenkeel.book.faults import Effect, Fault, Quality, TableQuality, cell_texts, shown
from evenkeel.book.files import RawTable
from evenkeel.book.model import Book, Manifest
from evenkeel.book.parsing import Mask, parse
from evenkeel.kernel.calendar import month_end, month_number, month_of, month_text
from evenkeel.kernel.money import currency_exponent

Progress = Callable[[str, int, int], None]

ROWS_NAMED = (
    10_000  # rows that one rule names in one column; of a column that is wrong throughout, the rest are counted
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome: a book, unless it is refused, and what was found."""

    book: Book | None
    quality: Quality


@dataclass(slots=True)
class _Work:
    """One table while it is checked: typed columns, which rows still stand, and where they are in their file."""

    table: Table
    columns: dict[str, pa.Array]
    rows: npt.NDArray[np.int64]
    bad: Mask
    lines_lost: int = 0
    incomplete: bool = False  # a needed column or every row is missing, for which the book is refused
    in_order: bool = False  # rows rise strictly by their key
    gone_with: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.gone_with = np.zeros(len(self.rows), bool)

    @property
    def standing(self) -> Mask:
        return ~(self.bad | self.gone_with)


class _Faults:
    """Collects faults in the order in which they are found."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.found.append(fault)

    def refuse(
        self, table: str, rule: str, column: str = "", row: int | None = None, value: object = "", **detail: object
    ) -> None:
        self.add(Fault(table, rule, Effect.REFUSED, row, column, shown(value), detail))

    def warn(self, table: str, rule: str, column: str = "", **detail: object) -> None:
        self.add(Fault(table, rule, Effect.WARNING, None, column, detail=detail))

    def rows(
        self, work: _Work, rule: str, column: str, where: Mask, values: pa.Array | pa.ChunkedArray, effect: Effect,
        **detail: object,
    ) -> None:  # fmt: skip
        """One fault for each row of `where`, with its value; of very many, the first and the number of the others."""
        every = np.flatnonzero(where)
        places = every[:ROWS_NAMED]
        texts = cell_texts(values.take(pa.array(places)))
        name, rows = work.table.name, work.rows[places].tolist()
        self.found.extend(
            Fault(name, rule, effect, row, column, text, detail) for row, text in zip(rows, texts, strict=True)
        )
        if len(every) > len(places):
            more = {"count": f"{len(every) - len(places):,}", "named": f"{len(places):,}"}
            self.add(Fault(name, "more_rows", effect, None, column, detail=more))


def check(
    raw: Mapping[str, RawTable],
    manifest: Manifest | None,
    *,
    as_of: date | None,
    latest: date,
    max_bad_share: float = 0.01,
    earlier: tuple[Fault, ...] = (),
    progress: Progress = lambda table, done, total: None,
) -> Checked:
    """Check raw tables.

    as_of: the day on which the book is read, where the caller names it. latest: no default may lie after this day.
    earlier: faults found while the files were opened. Rows later than a named `as_of` but within the manifest's own
    are kept: they are facts, only not yet known on that day.
    """
    faults = _Faults()
    faults.found.extend(earlier)
    lost = {name: sum(fault.table == name and fault.effect is Effect.SET_ASIDE for fault in earlier) for name in raw}
    zone = manifest.timezone if manifest else Manifest(latest).timezone
    currency = _currency(raw, manifest, faults)
    works: dict[str, _Work] = {}
    for done, (name, table) in enumerate(sorted(raw.items())):
        progress(name, done, len(raw))
        works[name] = _cells(TABLES[name], table, zone, currency, faults)
        works[name].lines_lost = lost[name]
    _needed_tables(works, faults)
    own_as_of = manifest.as_of if manifest else _default_as_of(works, latest, zone)
    day = as_of or own_as_of
    horizon = max(day, own_as_of) if manifest else (as_of or own_as_of)
    for work in works.values():
        _not_after(work, horizon, zone, faults)
        _pairs(work, faults)
    for work in works.values():
        _keys(work, faults)
    _references(works, faults)
    for work in works.values():
        _share(work, max_bad_share, faults)
    base = manifest or Manifest(own_as_of)
    note = () if manifest or as_of else (f"as_of {own_as_of.isoformat()}: the end of the last month in the book",)
    return _finish(works, replace(base, as_of=day, currency=currency), horizon, faults, note)


def _finish(
    works: dict[str, _Work], manifest: Manifest, horizon: date, faults: _Faults, notes: tuple[str, ...]
) -> Checked:
    refused = any(fault.effect is Effect.REFUSED for fault in faults.found)
    tables = {} if refused else {name: _sound_rows(work) for name, work in works.items()}
    if "periods" in tables:
        _gaps(tables["periods"], faults)
    quality = Quality(
        manifest.as_of.isoformat(),
        {
            name: TableQuality(
                len(work.rows) + work.lines_lost,
                int(work.standing.sum()),
                int(work.bad.sum()) + work.lines_lost,
                int((work.gone_with & ~work.bad).sum()),
            )
            for name, work in works.items()
        },
        tuple(faults.found),
        notes,
    )
    known_to = horizon if horizon > manifest.as_of else None
    return Checked(None if refused else Book(manifest, tables, notes, known_to), quality)


def _sound_rows(work: _Work) -> pa.Table:
    """The rows that stand, sorted by their key."""
    table = pa.table(work.columns)
    table = table if work.standing.all() else table.filter(pa.array(work.standing))
    return table if work.in_order else table.sort_by([(key, "ascending") for key in work.table.key])


def _currency(raw: Mapping[str, RawTable], manifest: Manifest | None, faults: _Faults) -> str:
    """The book's one currency; two of them refuse the book."""
    declared = manifest.currency if manifest else None
    accounts = raw.get("accounts")
    if accounts is None or "currency" not in accounts.columns.column_names:
        return declared or "CNY"
    column = parse(TABLES["accounts"].by_name["currency"], accounts.columns["currency"], "UTC").values
    found = [
        code for code in pc.unique(column).to_pylist() if code and len(code) == 3 and code.isascii() and code.isupper()
    ]
    currency = declared or (found[0] if found else "CNY")
    other = [code for code in found if code != currency]
    if other:
        place = pc.index(column, pa.scalar(other[0], column.type)).as_py()
        row = int(accounts.row_numbers[place])
        faults.refuse("accounts", "mixed_currency", "currency", row, other[0], currency=currency)
    return currency


def _needed_tables(works: Mapping[str, _Work], faults: _Faults) -> None:
    if "accounts" not in works:
        faults.refuse("accounts", "missing_table")
    elif len(works["accounts"].rows) + works["accounts"].lines_lost == 0:
        faults.refuse("accounts", "no_rows")
        works["accounts"].incomplete = True
    if "periods" not in works and not {"instalments", "payments"} <= works.keys():
        faults.refuse("periods", "missing_history")


def _cells(table: Table, raw: RawTable, zone: str, currency: str, faults: _Faults) -> _Work:
    """Every cell of one table in the contract's types."""
    exponent = currency_exponent(currency)
    present = raw.columns.column_names
    work = _Work(table, {}, raw.row_numbers, np.zeros(len(raw.row_numbers), bool))
    known: set[str] = set()
    for column in table.columns:
        forms = [name for name in (column.name, column.major_name) if name and name in present]
        known.update(forms)
        if len(forms) == 2:
            faults.refuse(table.name, "both_forms", column.name, other=column.major_name)
            forms = []
        elif not forms and column.needed:
            faults.refuse(table.name, "missing_column", column.name, others=", ".join(present[:12]))
            work.incomplete = True
        if not forms:
            work.columns[column.name] = pa.nulls(len(work.rows), ARROW_TYPES[column.kind])
            continue
        decimals = exponent if forms[0] != column.name else None
        parsed = parse(column, raw.columns[forms[0]], zone, decimals, raw.from_xlsx)
        work.columns[column.name] = parsed.values
        broken = np.zeros(len(work.rows), bool)
        for rule, mask in parsed.broken.items():
            detail = _detail(column, exponent)
            faults.rows(work, rule, forms[0], mask, raw.columns[forms[0]], Effect.SET_ASIDE, **detail)
            broken |= mask
        if column.needed and column.name not in table.key:
            empty = np.asarray(parsed.values.is_null().to_numpy(zero_copy_only=False)) & ~broken
            faults.rows(work, "needed", forms[0], empty, parsed.values, Effect.SET_ASIDE)
            broken |= empty
        work.bad |= broken
    _extras(table, raw, known, work, zone, faults)
    _currency_cells(work, raw, currency, faults)
    return work


def _detail(column: Column, exponent: int) -> dict[str, object]:
    low, high = column.low, column.high
    return {
        "wanted": column.kind.value,
        "choices": ", ".join(column.choices),
        "low": "" if low is None else f"{low:,g}" if abs(low) < 1e6 else f"{low:,.0f}",
        "high": "" if high is None else f"{high:,g}" if abs(high) < 1e6 else f"{high:,.0f}",
        "decimals": exponent,
    }


def _extras(table: Table, raw: RawTable, known: set[str], work: _Work, zone: str, faults: _Faults) -> None:
    """`x_` columns are kept: as numbers where every cell is one, else as text. Others are named and ignored."""
    for name in raw.columns.column_names:
        if name in known:
            continue
        if not name.startswith("x_"):
            faults.warn(table.name, "unknown_column", name)
            continue
        number = parse(Column(name, Kind.NUMBER), raw.columns[name], zone)
        if not number.broken:
            work.columns[name] = number.values
            continue
        text = parse(Column(name, Kind.TEXT), raw.columns[name], zone)
        work.columns[name] = text.values
        for rule, mask in text.broken.items():
            faults.rows(work, rule, name, mask, raw.columns[name], Effect.SET_ASIDE, wanted=Kind.TEXT.value)
            work.bad |= mask


def _currency_cells(work: _Work, raw: RawTable, currency: str, faults: _Faults) -> None:
    """Codes that are not three capitals are bad values; a second currency was refused before."""
    if work.table.name != "accounts" or "currency" not in raw.columns.column_names:
        return
    values = work.columns["currency"]
    wrong = np.asarray(pc.fill_null(pc.invert(pc.match_substring_regex(values, "^[A-Z]{3}$")), False).to_numpy(False))
    faults.rows(work, "currency", "currency", wrong, values, Effect.SET_ASIDE, wanted="an ISO 4217 code")
    work.bad |= wrong


def _last_day(values: pa.Array, kind: Kind, zone: str) -> date | None:
    last = pc.max(values).as_py()
    if last is None:
        return None
    if kind is Kind.MONTH:
        return month_end(month_number(last))
    return last.astimezone(ZoneInfo(zone)).date() if kind is Kind.INSTANT else last  # type: ignore[no-any-return]


def _default_as_of(works: Mapping[str, _Work], latest: date, zone: str) -> date:
    """The end of the last month in `periods`, else the last payment, never after `latest`."""
    if "periods" in works:
        months = works["periods"].columns["month"]
        known = months.filter(pc.less_equal(months, month_text(month_of(latest))))
        if last := _last_day(known, Kind.MONTH, zone):
            return last
    if "payments" in works and (last := _last_day(works["payments"].columns["paid_at"], Kind.INSTANT, zone)):
        return min(last, latest)
    return latest


def _not_after(work: _Work, horizon: date, zone: str, faults: _Faults) -> None:
    """What has happened cannot lie after the day on which the book is read."""
    for column in work.table.columns:
        if not column.past:
            continue
        values = work.columns[column.name]
        if column.kind is Kind.MONTH:
            late = pc.greater(values, month_text(month_of(horizon)))
        elif column.kind is Kind.DAY:
            late = pc.greater(values, pa.scalar(horizon))
        else:
            local = pc.local_timestamp(values.cast(pa.timestamp("us", tz=zone)))
            late = pc.greater(local.cast(pa.date32(), safe=False), pa.scalar(horizon))
        mask = np.asarray(pc.fill_null(late, False).to_numpy(zero_copy_only=False)) & ~work.bad
        if mask.any():
            faults.rows(work, "after_as_of", column.name, mask, values, Effect.SET_ASIDE, as_of=horizon.isoformat())
            work.bad |= mask


# Pairs of columns of one row of which the first may not exceed the second.
_ORDERED = {
    "accounts": (("opened_on", "closed_on"),),
    "periods": (("dpd_low", "dpd_high"),),
    "tradelines": (("dpd_low", "dpd_high"), ("opened_on", "as_of")),
    "applications": (("submitted_at", "decided_at"),),
    "consents": (("given_at", "withdrawn_at"),),
    "complaints": (("at", "resolved_at"),),
}


def _pairs(work: _Work, faults: _Faults) -> None:
    for first, second in _ORDERED.get(work.table.name, ()):
        wrong = pc.fill_null(pc.greater(work.columns[first], work.columns[second]), False)
        mask = np.asarray(wrong.to_numpy(zero_copy_only=False)) & ~work.bad
        if mask.any():
            faults.rows(work, "order", second, mask, work.columns[second], Effect.SET_ASIDE, first=first)
            work.bad |= mask


def _keys(work: _Work, faults: _Faults) -> None:
    """A null or doubled key refuses the book: which row is meant could only be guessed."""
    needed = [name for name in work.table.key if work.table.by_name[name].needed]
    keys = [name for name in work.table.key if name in work.columns]
    if work.incomplete or len(work.rows) == 0:
        return
    for name in needed:
        empty = np.asarray(work.columns[name].is_null().to_numpy(zero_copy_only=False)) & ~work.bad
        if empty.any():
            faults.rows(work, "null_key", name, empty, work.columns[name], Effect.REFUSED)
            return
    work.in_order = _in_order([work.columns[name] for name in keys])
    if work.in_order:
        return
    standing = np.flatnonzero(work.standing)
    codes = _codes([work.columns[name].take(pa.array(standing)) for name in keys])
    order = np.argsort(codes, kind="stable")
    doubled = order[1:][codes[order][1:] == codes[order][:-1]]
    mask = np.zeros(len(work.rows), bool)
    mask[standing[doubled]] = True
    if mask.any():
        text = pc.binary_join_element_wise(
            *[work.columns[name].cast(pa.string()) for name in keys], " ", null_handling="replace"
        )
        faults.rows(work, "doubled_key", ", ".join(keys), mask, text, Effect.REFUSED)


def _in_order(keys: list[pa.Array]) -> bool:
    """Whether rows rise strictly by their keys, as written by most systems: then none is doubled."""
    above = pa.scalar(False)
    for key in reversed(keys):
        first, second = key.slice(0, max(len(key) - 1, 0)), key.slice(1)
        above = pc.or_(pc.less(first, second), pc.and_(pc.equal(first, second), above))
    return bool(pc.all(pc.fill_null(above, False)).as_py())


def _codes(columns: list[pa.Array]) -> npt.NDArray[np.int64]:
    """One whole number for each combination of values, exact: no hash that could collide."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        indices = column.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
        codes = codes * (int(indices.max(initial=0)) + 1) + indices
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64) if len(columns) > 2 else codes
    return codes


def _references(works: Mapping[str, _Work], faults: _Faults) -> None:
    """Rows that point to nothing refuse the book; rows that point to a row set aside go with it."""
    # Tables are visited parents first, so that a row set aside takes its children's children along.
    for name in dict.fromkeys(("parties", "borrowers", "accounts", *works)):
        work = works.get(name)
        if work is None:
            continue
        for column in work.table.columns:
            parent = works.get(column.references or "")
            if parent is None or parent is work or parent.incomplete:
                continue
            key = parent.columns[parent.table.key[0]]
            values = work.columns[column.name]
            unknown = np.asarray(values.is_valid().to_numpy(zero_copy_only=False)) & ~_is_in(values, key)
            if not parent.standing.all():
                lost = key.filter(pa.array(~parent.standing))
                work.gone_with |= _is_in(values, lost) & ~_is_in(values, key.filter(pa.array(parent.standing)))
            unknown &= work.standing
            # A parent whose own id was unreadable cannot be told from one that is missing: its children go with it.
            if unknown.any() and not bool(np.asarray(key.is_null().to_numpy(zero_copy_only=False)).any()):
                faults.rows(work, "dangling", column.name, unknown, values, Effect.REFUSED, parent=parent.table.name)
            else:
                work.gone_with |= unknown


def _is_in(values: pa.Array, known: pa.Array) -> Mask:
    return np.asarray(pc.is_in(values, known.drop_null()).to_numpy(zero_copy_only=False), dtype=bool)


def _share(work: _Work, limit: float, faults: _Faults) -> None:
    rows, bad = len(work.rows) + work.lines_lost, int(work.bad.sum()) + work.lines_lost
    if rows and bad / rows > limit:
        faults.refuse(
            work.table.name,
            "too_many_bad",
            share=f"{bad / rows:.1%}",
            bad=f"{bad:,}",
            rows=f"{rows:,}",
            limit=f"{limit:.1%}",
        )


def _gaps(periods: pa.Table, faults: _Faults) -> None:
    """Months missing inside an account's history are a warning: flows across them are not counted.

    periods: sorted by account and month.
    """
    accounts, months = (periods[name].combine_chunks() for name in ("account_id", "month"))
    if len(months) < 2:
        return
    coded = months.dictionary_encode()
    number = np.array([month_number(text) for text in coded.dictionary.to_pylist()])[coded.indices.to_numpy()]
    same = pc.equal(accounts.slice(1), accounts.slice(0, len(accounts) - 1)).to_numpy(zero_copy_only=False)
    gap = same & (np.diff(number) > 1)
    if gap.any():
        owners = pc.unique(accounts.slice(1).filter(pa.array(gap)))
        faults.warn("periods", "gap", "month", gaps=f"{int(gap.sum()):,}", accounts=f"{len(owners):,}")
