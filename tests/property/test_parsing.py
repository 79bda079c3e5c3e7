"""Cells: what stands in one becomes a value, a null or a named rule; values are as Python's parsers read them."""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from book_samples import FORMS, TODAY, sound_book, write_book
from evenkeel.book.contract import ARROW_TYPES, TABLES, Column, Kind
from evenkeel.book.files import Unreadable, read_raw
from evenkeel.book.parsing import Parsed, parse
from evenkeel.book.reading import read_book

ZONE = "Asia/Shanghai"
AMOUNT = Column("a_minor", Kind.AMOUNT, low=-(10**14), high=10**14)
COLUMNS = [Column("c", kind, choices=("card", "cash"), low=-(10**14), high=10**14) for kind in Kind]

# Texts that look like something: what a parser is most likely to take for what it is not.
NEAR = st.one_of(
    st.text(max_size=30),
    st.text("0123456789-+.eE :TZ", max_size=30),
    st.from_regex(r"\A-?\d{1,20}(\.\d{0,6})?\Z"),
    st.from_regex(r"\A\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?\Z"),
    st.from_regex(r"\A\d{4}-\d{2}\Z"),
    st.sampled_from(["", " ", "NaN", "nan", "inf", "-inf", "null", "None", "true", "TRUE", "0", "-0", "card", "=1+1",
                     "{}", '{"a": 1}', "[1]", "a;b", ";", "\x00", "�", "１２３", "٣", "²", "1_000", "0x1F", "-"]),
)  # fmt: skip


def broken(parsed: Parsed) -> npt.NDArray[np.bool_]:
    """The rows that break any rule."""
    rows = np.zeros(len(parsed.values), bool)
    for mask in parsed.broken.values():
        rows |= mask
    return rows


def holds(column: Column, values: pa.Array, decimals: int | None = None) -> Parsed:
    """Parse, and hold the answer to what must be true of every answer."""
    parsed = parse(column, pa.chunked_array([values]), ZONE, decimals)
    assert parsed.values.type == ARROW_TYPES[column.kind]
    assert len(parsed.values) == len(values)
    null = np.asarray(parsed.values.is_null().to_numpy(zero_copy_only=False))
    given_null = np.asarray(values.is_null().to_numpy(zero_copy_only=False))
    assert (broken(parsed) & ~null).sum() == 0  # a bad cell has no value
    assert (null & ~given_null & ~broken(parsed)).sum() == 0  # a cell that was given is never lost in silence
    assert (given_null & broken(parsed)).sum() == 0  # nothing is no fault
    assert sum(int(mask.sum()) for mask in parsed.broken.values()) == broken(parsed).sum()  # one rule a cell
    return parsed


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.kind.name)
@settings(deadline=None)
@given(texts=st.lists(st.one_of(st.none(), NEAR), max_size=8))
def test_any_text_is_a_value_a_null_or_a_named_rule(column: Column, texts: list[str | None]) -> None:
    holds(column, pa.array([text or None for text in texts], pa.string()))


SCALARS = {
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float16(): st.floats(width=16).map(np.float16),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.decimal128(38, 4): st.integers(-(10**37), 10**37).map(lambda n: Decimal(n).scaleb(-4)),
    pa.decimal256(76, 0): st.integers(-(10**75), 10**75).map(Decimal),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("ms", "UTC"): st.datetimes(),
    pa.timestamp("ns"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),  # noqa: DTZ001
    pa.time32("s"): st.just(dt.time(3)),
    pa.duration("us"): st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6)),
    pa.binary(): st.binary(max_size=4),
    pa.list_(pa.string()): st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3),
    pa.list_(pa.binary()): st.lists(st.binary(max_size=3), max_size=3),
    pa.list_(pa.list_(pa.string())): st.just([["a"]]),
    pa.list_(pa.struct([("a", pa.int8())])): st.just([{"a": 1}]),
    pa.decimal64(18, 18): st.integers(-(10**17), 10**17).map(lambda n: Decimal(n).scaleb(-18)),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3),
    pa.large_string(): NEAR,
    pa.dictionary(pa.int32(), pa.string()): NEAR,
}


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.kind.name)
@settings(deadline=None, max_examples=200)
@given(data=st.data(), kind=st.sampled_from(list(SCALARS)), major=st.booleans())
def test_any_arrow_column_is_values_nulls_or_named_rules(
    column: Column, data: st.DataObject, kind: pa.DataType, major: bool
) -> None:
    cells = data.draw(st.lists(st.one_of(st.none(), SCALARS[kind]), max_size=6))
    if kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        cells = [cell or None for cell in cells]
    holds(column, pa.array(cells, kind), 2 if major and column.kind is Kind.AMOUNT else None)


@pytest.mark.prove
@settings(deadline=None, max_examples=20_000)
@given(
    column=st.sampled_from(COLUMNS),
    data=st.data(),
    kind=st.sampled_from(list(SCALARS)),
    zone=st.sampled_from(["Asia/Shanghai", "America/New_York"]),
)
def test_any_arrow_column_at_length(column: Column, data: st.DataObject, kind: pa.DataType, zone: str) -> None:
    cells = data.draw(st.lists(st.one_of(st.none(), SCALARS[kind].filter(lambda cell: cell != "")), max_size=20))
    parsed = parse(column, pa.chunked_array([pa.array(cells, kind)]), zone)
    assert (broken(parsed) & parsed.values.is_valid().to_numpy(zero_copy_only=False)).sum() == 0


@given(st.lists(NEAR.filter(bool), min_size=1, max_size=8), st.sampled_from([0, 2, 3]))
def test_money_in_text_is_exact_or_a_fault(texts: list[str], decimals: int) -> None:
    parsed = holds(AMOUNT, pa.array(texts), decimals)
    for text, value, bad in zip(texts, parsed.values.to_pylist(), broken(parsed), strict=True):
        form = re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", text)
        exact = Fraction(text) * 10**decimals if form else None
        if exact is None or exact.denominator != 1 or len(text) > 18:
            assert bad or len(text) > 16
        if not bad:
            assert exact == value


@given(st.integers(-(10**14), 10**14), st.sampled_from([0, 2, 3]))
def test_every_amount_in_the_domain_is_read_from_each_form(minor: int, decimals: int) -> None:
    exact = Decimal(minor).scaleb(-decimals)
    text = format(exact, "f")
    forms = [pa.array([text]), pa.array([text + ("" if "." in text else ".") + "000"]), pa.array([float(text)]),
             pa.array([exact], pa.decimal128(38, 6))]  # fmt: skip
    for form in forms:
        assert holds(AMOUNT, form, decimals).values.to_pylist() == [minor]


@given(st.integers(-(10**12), 10**12), st.integers(1, 9))
def test_a_float_with_a_third_decimal_is_no_amount(minor: int, third: int) -> None:
    value = float(Decimal(minor * 10 + third).scaleb(-3))
    assert "major_amount" in holds(AMOUNT, pa.array([value]), 2).broken


@given(st.integers(-(10**13), 10**13), st.integers(-2, 2))
def test_the_noise_of_arithmetic_does_not_make_an_amount_a_fault(minor: int, ticks: int) -> None:
    value = float(Decimal(minor).scaleb(-2))
    noisy = value + ticks * float(np.spacing(abs(value)))
    assert holds(AMOUNT, pa.array([noisy]), 2).values.to_pylist() == [minor]


DAY = Column("d", Kind.DAY)


@given(st.lists(st.one_of(NEAR.filter(bool), st.dates().map(str)), min_size=1, max_size=8))
def test_days_are_those_of_pythons_calendar(texts: list[str]) -> None:
    parsed = holds(DAY, pa.array(texts))
    for text, value in zip(texts, parsed.values.to_pylist(), strict=True):
        assert value == _python_day(text)


def _python_day(text: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None
    return day if day and day >= dt.date(1900, 1, 1) else None


@given(st.lists(st.one_of(NEAR.filter(bool), st.from_regex(r"\A\d{4}-\d{2}\Z")), min_size=1, max_size=8))
def test_months_are_those_of_pythons_calendar(texts: list[str]) -> None:
    for text, value in zip(texts, holds(Column("m", Kind.MONTH), pa.array(texts)).values.to_pylist(), strict=True):
        wanted = re.fullmatch(r"[0-9]{4}-[0-9]{2}", text) and _python_day(f"{text}-01")
        assert value == (text if wanted else None)


INSTANT = Column("i", Kind.INSTANT)
ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Paris", "Australia/Lord_Howe", "UTC")


@given(
    st.datetimes(dt.datetime(1900, 1, 3), dt.datetime(2500, 1, 1)),  # noqa: DTZ001
    st.one_of(st.none(), st.integers(-18 * 60, 18 * 60)),
    st.sampled_from(["seconds", "microseconds", "minutes"]),
    st.sampled_from("T t"),
)
def test_instants_with_an_offset_are_pythons(local: dt.datetime, offset: int | None, spec: str, separator: str) -> None:
    zone = dt.UTC if offset is None else dt.timezone(dt.timedelta(minutes=offset))
    moment = local.replace(tzinfo=zone)
    text = moment.isoformat(separator, spec)
    text = text.replace("+00:00", "Z") if offset is None else text
    parsed = parse(INSTANT, pa.chunked_array([pa.array([text])]), ZONE)
    assert parsed.values.to_pylist() == [dt.datetime.fromisoformat(moment.isoformat(timespec=spec)).astimezone(dt.UTC)]


@given(st.datetimes(dt.datetime(1970, 1, 3), dt.datetime(2037, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001
def test_instants_without_an_offset_are_in_the_books_zone(local: dt.datetime, zone: str) -> None:
    text = local.isoformat(timespec="microseconds")
    value = parse(INSTANT, pa.chunked_array([pa.array([text])]), zone).values[0].as_py()
    aware = local.replace(tzinfo=ZoneInfo(zone))
    there = aware.astimezone(dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if there == local:
        assert value == aware.astimezone(dt.UTC)
    else:  # a time that the clocks skipped: the first moment after the gap
        assert abs(value - aware.astimezone(dt.UTC)) <= dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-03-31T02:30:00", "2024-03-31T01:00:00"),  # skipped in Paris: the moment after the gap
        ("2024-10-27T02:30:00", "2024-10-27T00:30:00"),  # twice in Paris: the earlier one
        ("2024-07-01T00:00:00", "2024-06-30T22:00:00"),
        ("2024-07-01", "2024-06-30T22:00:00"),
        ("2024-07-01 08:00", "2024-07-01T06:00:00"),
        ("2024-07-01T08:00:00.123456789Z", "2024-07-01T08:00:00.123456"),
    ],
)
def test_instants_around_a_change_of_clocks(text: str, utc: str) -> None:
    value = parse(INSTANT, pa.chunked_array([pa.array([text])]), "Europe/Paris").values[0].as_py()
    assert value == dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["2024-01-01T24:00", "2024-01-01T23:60", "2024-01-01T00:00:61Z", "2024-01-01T10:00+5",
                                  "2024-01-01T10:00+18:01", "2024-01-01T10:00-19:00", "2024-01-01T10:00+05:60",
                                  "2024-01-01T10:00 +05:00", "2023-02-29T10:00Z", "2024-1-1", "0000-01-01T00:00Z",
                                  "1e9", "1704067200", "２０２４-01-01", "2024-01-01T10:00Z\n"])  # fmt: skip
def test_what_is_no_instant_is_named(text: str) -> None:
    parsed = holds(INSTANT, pa.array([text]))
    assert parsed.values.null_count == 1


@given(st.lists(NEAR.filter(bool), min_size=1, max_size=5))
def test_long_columns_that_repeat_give_the_same_answers_cell_by_cell(texts: list[str]) -> None:
    long = pa.array([None, *texts] * (20_001 // len(texts)))
    for column in (AMOUNT, DAY, INSTANT, Column("t", Kind.TEXT), Column("l", Kind.IDS)):
        few, many = holds(column, long.slice(0, len(texts) + 1)), parse(column, pa.chunked_array([long]), ZONE)
        assert many.values.slice(0, len(texts) + 1).equals(few.values)
        for rule, mask in few.broken.items():
            assert (many.broken[rule][: len(mask)] == mask).all()


@given(st.decimals(-(10**9), 10**9, places=5))
def test_half_up_is_what_decimal_says(value: Decimal) -> None:
    from evenkeel.book.adapters.source import to_minor

    minor, _ = to_minor(pa.array([float(value)]))
    assert minor.to_pylist() == [int((value * 100).quantize(Decimal(1), ROUND_HALF_UP))]


# (table.column, bad cell, rule): one column a table, whose rows are the last of each account where months have gaps
BAD_CELLS = [
    ("accounts.cycle_day", "0", "range"), ("periods.dpd_high", "soon", "integer"), 
    ("payments.amount_minor", "-5", "range"),
    ("instalments.due_on", "2024-02-30", "day"), ("events.kind", "party", "choice"), ("contacts.at", "noon", "instant"),
    ("macro.unemployment", "5", "range"), ("tradelines.balance_minor", "1.5", "minor_amount"),
    ("applications.contact_tokens", "a;;b", "ids"), ("outcomes.bad", "perhaps", "flag"),
]  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(BAD_CELLS), st.integers(0, 33)), max_size=30, unique=True), st.data())
def test_a_book_with_random_bad_cells_names_exactly_those(
    tmp_path: Path, cells: list[tuple[tuple[str, str, str], int]], data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(FORMS[:2]))
    sheets, expected = sound_book(), set()
    for (where, bad, rule), place in cells:
        table, column = where.split(".")
        row = 6 * place + 5 if table in ("periods", "macro") else place
        sheets[table][column][row] = bad
        expected.add((table, row + (1 if form == "parquet" else 2), column, rule))
    for path in tmp_path.iterdir():
        path.unlink()
    checked = read_book(write_book(sheets, tmp_path, form), latest=TODAY, max_bad_share=0.5)
    assert {(f.table, f.row, f.column, f.rule) for f in checked.quality.faults} == expected
    assert checked.book is not None
    lost = {f"a{place:05d}" for (where, *_), place in cells if where.startswith("accounts")}
    kept = checked.book.tables["payments"]["account_id"].to_pylist()
    assert not lost & set(kept)
    for name, table in checked.book.tables.items():
        assert set(table.column_names) >= set(TABLES[name].by_name)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(',"\n\r1a\ufeff中', max_size=60).map(str.encode)))
def test_any_bytes_named_csv_parquet_or_xlsx_are_a_table_or_a_named_fault(tmp_path: Path, data: bytes) -> None:
    for form in FORMS:
        path = tmp_path / f"t.{form}"
        path.write_bytes(data)
        faults: list[object] = []
        try:
            raw = read_raw(path, "t", faults.append)
        except Unreadable as error:
            assert error.fault.problem("en")
            continue
        assert len(raw.row_numbers) == raw.columns.num_rows
        assert (np.diff(raw.row_numbers) > 0).all()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.text("ab,\"\n\r;= 中", max_size=6), st.text("xy\n\r", max_size=4)), min_size=1,
                max_size=8),
       st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_what_a_csv_writer_writes_is_read_back_with_the_line_of_each_row(
    tmp_path: Path, rows: list[tuple[str, str]], end: str
) -> None:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    lines, expected = [], []
    for row in rows:
        start = len(re.findall("\r\n|\r|\n", buffer.getvalue())) + 1
        writer.writerow(row)
        if any(row):
            lines.append(start)
            expected.append(tuple(cell or None for cell in row))
    (tmp_path / "t.csv").write_bytes(buffer.getvalue().encode())
    raw = read_raw(tmp_path / "t.csv", "t", lambda fault: pytest.fail(str(fault)))
    assert list(zip(*raw.columns.to_pydict().values(), strict=True)) == expected
    assert raw.row_numbers.tolist() == lines
