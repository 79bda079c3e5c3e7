"""Why an overdue rate changed: the parts add up, what did not change gets nothing, and what is missing is named."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evenkeel.accounts.panel import Panel, build_panel
from evenkeel.arrears.decomposition import FACTORS, RateChange, decompose
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.book.generator.columns import contract_table
from evenkeel.kernel.errors import InvalidInput

LAST_DAY = (date(2024, 12, 31) - date(1970, 1, 1)).days


def panel_of(tables: Mapping[str, pa.Table]) -> Panel:
    return build_panel(tables, LAST_DAY, "Asia/Shanghai")


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return generate(GeneratorSpec(borrowers=1_500, months=18, seed=3)).book_tables


@pytest.fixture(scope="module")
def change(tables: dict[str, pa.Table]) -> RateChange:
    panel = panel_of(tables)
    return decompose(panel, tables, panel.last_month - 12, panel.last_month, draws=40)


def parts(change: RateChange) -> dict[str, Any]:
    return {part.factor: part.change for part in change.parts}


def test_the_parts_add_up_to_the_change_over_factors_and_over_products(change: RateChange) -> None:
    assert [part.factor for part in change.parts] == list(FACTORS)
    whole = change.rate_after - change.rate_before
    assert abs(sum(part.change or 0.0 for part in change.parts) - whole) <= 1e-12
    assert abs(sum(sum(values) for values in change.products.values()) - whole) <= 1e-12
    for k, part in enumerate(change.parts):
        assert sum(values[k] for values in change.products.values()) == pytest.approx(part.change, abs=1e-12)
        assert part.low is not None and part.high is not None and part.low <= part.high


def test_the_rates_are_those_of_the_months(change: RateChange, tables: dict[str, pa.Table]) -> None:
    periods = tables["periods"]
    for month, rate, count in (
        (change.before, change.rate_before, change.accounts_before),
        (change.after, change.rate_after, change.accounts_after),
    ):
        rows = periods.filter(pc.equal(periods["month"], month))
        late = pc.sum(pc.greater(rows["dpd_high"], 0)).as_py()
        assert (rows.num_rows, late / rows.num_rows) == (count, pytest.approx(rate))


def test_the_same_seed_gives_the_same_and_another_the_same_parts(
    tables: dict[str, pa.Table], change: RateChange
) -> None:
    panel = panel_of(tables)
    months = (panel.last_month - 12, panel.last_month)
    assert decompose(panel, tables, *months, draws=40) == change
    other = decompose(panel, tables, *months, seed=9, draws=40)
    assert parts(other) == parts(change) and other.parts != change.parts


def test_an_unchanged_economy_gets_exactly_nothing(tables: dict[str, pa.Table]) -> None:
    macro = tables["macro"]
    still = {name: pa.array(np.full(macro.num_rows, 0.05)) for name in ("unemployment", "output_growth")}
    held = macro
    for name, values in still.items():
        held = held.set_column(held.column_names.index(name), name, values.cast(macro[name].type))
    panel = panel_of(tables)
    found = decompose(panel, {**tables, "macro": held}, panel.last_month - 12, panel.last_month, draws=10)
    assert parts(found)["macro"] == 0.0


def test_months_alike_in_all_but_one_thing_differ_by_that_thing() -> None:
    """Ten cards and ten loans, two and four of them overdue; then five and fifteen, with the same rate each."""
    accounts, periods = [], []
    for number in range(40):
        card, old = number % 20 < (10 if number < 20 else 5), number < 20
        late = (number % 20) % 10 < 2 if card else (number % 20 - (10 if old else 5)) % 5 < 2
        accounts.append({"account_id": f"a{number:02}", "borrower_id": f"b{number:02}",
                         "product": "card" if card else "instalment"})  # fmt: skip
        days = 20 if late else 0
        periods.append({"account_id": f"a{number:02}", "month": "2024-06" if old else "2024-12",
                        "dpd_low": days, "dpd_high": days})  # fmt: skip
    plain = {"accounts": pa.Table.from_pylist(accounts), "periods": pa.Table.from_pylist(periods)}
    book = {
        name: contract_table(name, table.num_rows, {key: table[key].combine_chunks() for key in table.column_names})
        for name, table in plain.items()
    }
    panel = panel_of(book)
    found = decompose(panel, book, panel.last_month - 6, panel.last_month, draws=0)
    late = pc.greater(book["periods"]["dpd_high"], 0).to_numpy()
    assert found.rate_after - found.rate_before == pytest.approx(late[20:].mean() - late[:20].mean())
    assert parts(found)["behaviour"] == 0.0
    assert [part.needs for part in found.parts] == ["", "borrowers", "", "contacts", "", "macro"]
    assert parts(found)["mix"] + parts(found)["vintage_quality"] == pytest.approx(found.rate_after - found.rate_before)


def test_what_a_book_lacks_is_named_and_its_part_is_not_invented(tables: dict[str, pa.Table]) -> None:
    bare = {name: tables[name] for name in ("accounts", "periods")}
    panel = panel_of(bare)
    found = decompose(panel, bare, panel.last_month - 12, panel.last_month, draws=10)
    assert {part.factor: part.needs for part in found.parts if part.needs} == {
        "granting": "borrowers", "treatment": "contacts", "macro": "macro",
    }  # fmt: skip
    assert all((part.change is None) == bool(part.needs) for part in found.parts)
    assert sum(part.change or 0.0 for part in found.parts) == pytest.approx(
        found.rate_after - found.rate_before, abs=1e-12
    )


def test_where_no_income_is_known_what_was_granted_for_it_is_not_told(tables: dict[str, pa.Table]) -> None:
    people = tables["borrowers"]
    for name in ("income_verified_minor", "income_declared_minor"):
        nothing = pa.nulls(len(people), people.schema.field(name).type)
        people = people.set_column(people.column_names.index(name), name, nothing)
    known = tables | {"borrowers": people}
    panel = panel_of(known)
    found = {
        part.factor: part for part in decompose(panel, known, panel.last_month - 9, panel.last_month, draws=0).parts
    }
    assert (found["granting"].change, found["granting"].needs) == (None, "borrowers.income_declared_minor")


def test_months_that_are_not_in_the_book_are_refused(tables: dict[str, pa.Table]) -> None:
    panel = panel_of(tables)
    with pytest.raises(InvalidInput, match="No account"):
        decompose(panel, tables, panel.last_month - 240, panel.last_month)
    with pytest.raises(InvalidInput, match="not after"):
        decompose(panel, tables, panel.last_month, panel.last_month)


@pytest.mark.prove
def test_the_interval_covers_what_a_second_book_shows() -> None:
    """Of two books of one world, the parts of one lie in the other's interval, widened by its own noise."""
    inside = total = 0
    for seed in range(8):
        found = []
        for half in (0, 1):
            book = generate(GeneratorSpec(borrowers=4_000, months=18, seed=seed)).book_tables
            people = book["accounts"]["borrower_id"].combine_chunks()
            keep = pc.equal(pc.bit_wise_and(pc.index_in(people, pc.unique(people)), 1), half)
            some = {**book, "accounts": book["accounts"].filter(keep)}
            ids = some["accounts"]["account_id"].combine_chunks()
            for name in ("periods", "instalments", "payments"):
                some[name] = book[name].filter(pc.is_in(book[name]["account_id"], ids))
            panel = panel_of(some)
            found.append(decompose(panel, some, panel.last_month - 12, panel.last_month, draws=200))
        for one, two in zip(found[0].parts, found[1].parts, strict=True):
            total += 1
            wide = (one.high - one.low) * (2**0.5 - 1) / 2
            inside += one.low - wide <= two.change <= one.high + wide
    assert inside / total >= 0.8
