"""A small sound book for tests: all 16 tables, made by arithmetic, written in any of the three formats.

It shares nothing with the generator or the readers: what a test expects of a book is known from here alone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = date(2024, 6, 30)
MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06")
FORMS = ("csv", "parquet", "xlsx")
SHANGHAI = timezone(timedelta(hours=8))
TODAY = date(2024, 7, 15)

Cell = object
Sheet = dict[str, list[Cell]]  # column name -> cells; every column has the same number of cells

MANIFEST: Mapping[str, object] = {
    "contract": 1,
    "as_of": AS_OF.isoformat(),
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "jurisdiction": "CN",
    "lender_name": "Sample lender",
    "source": "tests",
}


def _at(day: int, hour: int = 9) -> datetime:
    return datetime(2024, 1, 1, hour, 30, tzinfo=SHANGHAI) + timedelta(days=day)


def _day(day: int) -> date:
    return date(2024, 1, 1) + timedelta(days=day)


def _sheet(names: str, rows: Sequence[Sequence[Cell]]) -> Sheet:
    columns = names.split()
    return {name: [row[place] for row in rows] for place, name in enumerate(columns)}


def _parent_tables(size: int) -> dict[str, Sheet]:
    products = ("bnpl", "card", "instalment", "cash")
    return {
        "accounts": _sheet(
            "account_id borrower_id lender_id product currency opened_on closed_on status limit_minor rate_annual "
            "term_months cycle_day platform_id",
            [
                (f"a{i:05d}", f"b{i:05d}", f"p{i % 4:03d}", products[i % 4], "CNY", date(2023, 1, 1 + i % 28),
                 None, "active", 500_000 + 100 * i, 0.18, 12, 1 + i % 28, f"p{4 + i % 3:03d}")
                for i in range(size)
            ],
        ),
        "borrowers": _sheet(
            "borrower_id birth_date region industry employer_token income_declared_minor dependants timezone",
            [
                (f"b{i:05d}", date(1970 + i % 30, 1 + i % 12, 1 + i % 28), f"r{i % 20:02d}", "textiles", f"e{i % 50}",
                 None if i % 7 == 0 else 600_000 + i, i % 4, "Asia/Shanghai")
                for i in range(size)
            ],
        ),
        "parties": _sheet(
            "party_id role actor_type jurisdiction name",
            [(f"p{i:03d}", "lender" if i < 4 else "platform", "bank", "CN", f"Party {i}") for i in range(150)],
        ),
    }  # fmt: skip


def _history(size: int, months: Sequence[str]) -> dict[str, Sheet]:
    pairs = [(i, k) for i in range(size) for k in range(len(months))]
    dues = [(i, k) for i in range(size) for k in range(3)]
    return {
        "periods": _sheet(
            "account_id month on_book balance_minor limit_minor paid_minor min_due_minor dpd_low dpd_high source_code "
            "x_visits",
            [
                (f"a{i:05d}", months[k], True, 10_000 * k - 5 * i, 500_000, 2_000, 1_000, 0, 29 * ((i + k) % 2), "c",
                 float(i % 9))
                for i, k in pairs
            ],
        ),
        "instalments": _sheet(
            "account_id seq due_on due_minor principal_minor",
            [(f"a{i:05d}", k + 1, _day(30 * (k + 1)), 12_050, 12_000) for i, k in dues],
        ),
        "payments": _sheet(
            "payment_id account_id paid_at booked_at amount_minor channel result",
            [(f"y{i:05d}-{k}", f"a{i:05d}", _at(28 * (k + 1)), _at(28 * (k + 1), 10), 12_050, "self", "ok")
             for i, k in dues],
        ),
    }  # fmt: skip


def _evidence(size: int) -> dict[str, Sheet]:
    each = range(size)
    return {
        "applications": _sheet(
            "application_id borrower_id lender_id product requested_minor submitted_at contact_tokens decided_at bad",
            [(f"q{i:05d}", f"b{i:05d}", "p000", "card", 500_000, _at(i % 90), [f"c{i}", f"c{i + 1}"], _at(i % 90, 11),
              None) for i in each],
        ),
        "identity_checks": _sheet(
            "check_id borrower_id kind result checked_at cost_minor",
            [(f"k{i:05d}", f"b{i:05d}", "face", "match", _at(i % 90), 30) for i in each],
        ),
        "tradelines": _sheet(
            "borrower_id lender_token line_token as_of product opened_on balance_minor dpd_low dpd_high",
            [(f"b{i:05d}", "t1", f"l{i}", _day(90 + 30 * k), "cash", date(2023, 6, 1), 40_000, 0, 0)
             for i in each for k in range(2)],
        ),
        "events": _sheet(
            "event_id kind borrower_id account_id effective_at booked_at amount_minor payload",
            [(f"v{i:05d}", "purchase", f"b{i:05d}", f"a{i:05d}", _at(i % 120), _at(i % 120, 12), -i, '{"shop": "7"}')
             for i in each],
        ),
        "contacts": _sheet(
            "contact_id borrower_id account_id at channel target answered propensity promised_minor promised_on",
            [(f"n{i:05d}", f"b{i:05d}", f"a{i:05d}", _at(i % 150), "sms", "debtor", False, 0.5, 100, date(2024, 9, 1))
             for i in each],
        ),
        "consents": _sheet(
            "consent_id borrower_id purpose given_at withdrawn_at",
            [(f"s{i:05d}", f"b{i:05d}", "bureau", _at(i % 100), None) for i in each],
        ),
        "complaints": _sheet(
            "complaint_id borrower_id channel kind at resolved_at",
            [(f"m{i:05d}", f"b{i:05d}", "hotline", "fees", _at(i % 100), _at(i % 100 + 2)) for i in each],
        ),
        "recoveries": _sheet(
            "recovery_id account_id at amount_minor via", [(f"z{i:05d}", f"a{i:05d}", _at(170), 900, "agency")
                                                           for i in each]
        ),
        "outcomes": _sheet(
            "account_id as_of bad horizon_months known_on definition",
            [(f"a{i:05d}", date(2024, 3, 31), i % 10 == 0, 3, date(2024, 7, 1), "M3 in 3 months") for i in each],
        ),
        "macro": _sheet(
            "region month unemployment output_growth industry",
            [(f"r{i:02d}", month, 0.05, -0.01, industry) for i in range(20) for month in MONTHS
             for industry in ("all", "textiles")],
        ),
    }  # fmt: skip


def sound_book(size: int = 200, months: Sequence[str] = MONTHS) -> dict[str, Sheet]:
    """All 16 tables: `size` borrowers with an account each, every account in every one of `months`."""
    return _parent_tables(size) | _history(size, months) | _evidence(size)


def cell_text(value: Cell) -> str:
    """A cell as a CSV writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def write_csv(sheet: Sheet, path: Path, encoding: str = "utf-8", line_end: str = "\r\n") -> None:
    """The sheet as CSV."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerow(sheet)
        writer.writerows([cell_text(cell) for cell in row] for row in zip(*sheet.values(), strict=True))


def write_xlsx(sheet: Sheet, path: Path) -> None:
    """The sheet as the first sheet of a workbook; dates are date cells, instants and lists are text."""
    workbook = openpyxl.Workbook(write_only=True)
    page = workbook.create_sheet("data")
    page.append(list(sheet))
    for row in zip(*sheet.values(), strict=True):
        page.append([cell_text(cell) if isinstance(cell, list | datetime) else cell for cell in row])
    workbook.save(path)


def arrow_column(cells: list[Cell]) -> pa.Array:
    """Cells in the type that they have, or as text where a text stands among other values."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if str in kinds and len(kinds) > 1:
        return pa.array([None if cell is None else cell_text(cell) for cell in cells], pa.string())
    if kinds == {datetime}:
        return pa.array([None if cell is None else cell.astimezone(UTC) for cell in cells], pa.timestamp("us", "UTC"))  # type: ignore[attr-defined]
    if kinds == {int, float}:
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())  # type: ignore[arg-type]
    return pa.array(cells) if kinds else pa.nulls(len(cells), pa.string())


def write_parquet(sheet: Sheet, path: Path) -> None:
    """The sheet as Parquet."""
    pq.write_table(pa.table({name: arrow_column(cells) for name, cells in sheet.items()}), path)


WRITERS = {"csv": write_csv, "parquet": write_parquet, "xlsx": write_xlsx}


def write_book(book: Mapping[str, Sheet], folder: Path, form: str, manifest: Mapping[str, object] = MANIFEST) -> Path:
    """Every table and the manifest; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in book.items():
        WRITERS[form](sheet, folder / f"{name}.{form}")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
