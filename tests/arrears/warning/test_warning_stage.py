"""The early warning: what counts as the next overdue line, what was known when, and how good the ranking is."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warning_books import FIRST, Tables, book_of, panel_of

from evenkeel.accounts.panel import Panel, day_months, month_numbers
from evenkeel.arrears.warning.ahead import grid_of
from evenkeel.arrears.warning.facts import Ledger
from evenkeel.arrears.warning.features import CANDIDATES, LINE_CANDIDATES, borrower_features, line_features, line_months
from evenkeel.arrears.warning.features import OF_LINES as LINE_FEATURES
from evenkeel.arrears.warning.proof import precision_at_top
from evenkeel.arrears.warning.reasons import MOST_REASONS, adverse
from evenkeel.arrears.warning.stage import HORIZON, WARNINGS, Warned, warn
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.kernel.calendar import month_end, month_text
from evenkeel.kernel.text import LANGUAGES, texts

CONCEPTS = tuple(dict.fromkeys(entry.concept for entry in CANDIDATES))


def exposure_of(panel: Panel, tables: Tables, as_of: date) -> tuple[pa.Table, pa.Table]:
    lines = open_lines(panel, tables, as_of, Caps())
    return lines, exposures(lines, incomes(tables, panel.borrowers, panel.last_month), Caps())


def warned(tables: Tables, as_of: date, threads: int = 1) -> tuple[Panel, Warned]:
    panel = panel_of(tables, as_of)
    return panel, warn(panel, tables, exposure_of(panel, tables, as_of)[1], seed=0, threads=threads)


STATES = st.sampled_from(["M0", "M0", "M1", "M2", "X", None])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a-1", "a-2", "b-1", "b-2", "b-3", "c-1"]),
        st.lists(STATES, min_size=8, max_size=8),
        min_size=1,
    ).filter(lambda book: any(state for line in book.values() for state in line))
)
def test_another_line_is_one_that_is_not_overdue_now_and_is_within_three_months(
    book: dict[str, list[str | None]],
) -> None:
    book = {name: line for name, line in book.items() if any(line)}
    tables = book_of(book)
    panel = panel_of(tables, date(2023, 8, 31))
    grid = grid_of(panel, {}, HORIZON)
    late = {"M1", "M2"}
    for place, borrower in enumerate(panel.borrowers.to_pylist()):
        own = [line for name, line in book.items() if name.startswith(borrower)]
        for column in range(grid.lines.shape[1]):
            month = grid.first - FIRST + column
            # A month missing inside a history is a row of the panel whose state is not known.
            held = [any(line[: month + 1]) and any(line[month:]) for line in own]
            assert grid.lines[place, column] == sum(held)
            assert grid.overdue[place, column] == sum(line[month] in late for line in own)
            ahead = [line[month] not in late and bool(late & set(line[month + 1 : month + 4])) for line in own]
            assert grid.another[place, column] == any(ahead)


FACTS = st.lists(st.tuples(st.integers(-1, 4), st.integers(FIRST, FIRST + 20), st.integers(0, 99)), max_size=40)


@given(FACTS, st.integers(0, 4), st.integers(FIRST, FIRST + 24), st.integers(1, 12))
def test_a_ledger_adds_up_a_window_of_months(
    facts: list[tuple[int, int, int]], borrower: int, month: int, window: int
) -> None:
    owner, when, amount = (np.array([fact[k] for fact in facts], np.int64) for k in range(3))
    total = Ledger(owner, when, amount).total(np.array([borrower]), np.array([month]), window)
    assert total.tolist() == [sum(a for b, m, a in facts if b == borrower and month - window < m <= month)]


def test_precision_and_lift_of_a_ranking() -> None:
    score = np.arange(200.0)
    truth = score >= 190  # the ten highest of 200: a base rate of 5 %
    table = precision_at_top(score, truth)
    assert [entry["borrowers"] for entry in table] == [2, 10, 20]
    assert [entry["precision"] for entry in table] == [1.0, 1.0, 0.5]
    assert [entry["lift"] for entry in table] == pytest.approx([20, 20, 10])
    assert all(
        entry["low"] < entry["precision"] + 1e-9 and entry["precision"] < entry["high"] + 1e-9 for entry in table
    )


def test_reasons_are_the_most_adverse_concepts_and_there_is_always_one() -> None:
    points = np.array([[-1.0, -9.0, 2.0, -3.0, -2.0, -4.0], [5.0, 4.0, 3.0, 2.0, 6.0, 7.0]])
    row, column = adverse(points)
    assert list(zip(row.tolist(), column.tolist(), strict=True)) == [(0, 1), (0, 5), (0, 3), (0, 4), (1, 3)]


def test_every_concept_has_a_text_in_both_languages() -> None:
    for language in LANGUAGES:
        assert all(texts(language)(f"warning.{concept}") for concept in CONCEPTS)


# --- on a generated book ---------------------------------------------------------------------------------------------

SPEC = GeneratorSpec(borrowers=3_500, months=18, seed=3)
AS_OF = month_end(2024 * 12 + 11)


@pytest.fixture(scope="module")
def book() -> dict[str, pa.Table]:
    return generate(SPEC).book_tables


@pytest.fixture(scope="module")
def result(book: dict[str, pa.Table]) -> tuple[Panel, Warned]:
    return warned(book, AS_OF)


def test_who_is_warned_of(result: tuple[Panel, Warned], book: dict[str, pa.Table]) -> None:
    panel, answer = result
    assert answer.table.schema == WARNINGS
    assert answer.table["borrower_id"].to_pylist() == exposure_of(panel, book, AS_OF)[1]["borrower_id"].to_pylist()
    grid = grid_of(panel, {}, HORIZON)
    place = pc.index_in(answer.table["borrower_id"].combine_chunks(), panel.borrowers).to_numpy()
    held, late = grid.lines[place, -1], grid.overdue[place, -1]
    known = answer.table["warning"].is_valid().to_numpy()
    assert (known == ((held > 0) & (late < held))).all()
    warning = answer.table["warning"].to_numpy()
    assert ((warning[known] > 0) & (warning[known] < 1)).all()
    assert warning[known & (late > 0)].mean() > 2 * warning[known & (late == 0)].mean()  # arrears spread


def test_reasons_of_the_warned(result: tuple[Panel, Warned]) -> None:
    for row in result[1].table.to_pylist():
        assert (len(row["warning_reasons"]) > 0) == (row["warning"] is not None)
        assert len(row["warning_reasons"]) <= MOST_REASONS
        assert {reason["code"] for reason in row["warning_reasons"]} <= set(CONCEPTS)
        points = [reason["points"] for reason in row["warning_reasons"]]
        assert points == sorted(points)


def test_the_ranking_is_judged_out_of_time_and_good(result: tuple[Panel, Warned]) -> None:
    panel, answer = result
    summary = answer.summary
    assert summary is not None and answer.missing == ""
    assert summary["judged_on"] == [month_text(panel.last_month - HORIZON)]
    top = {entry["top_share"]: entry for entry in summary["precision"]}  # type: ignore[attr-defined]
    assert top[0.05]["lift"] >= 3
    assert top[0.01]["precision"] >= top[0.10]["precision"] > summary["base_rate"]
    assert summary["auc_low"] > 0.65  # type: ignore[operator]
    warning = answer.table["warning"].drop_null().to_numpy()
    assert summary["borrowers"] == len(warning)
    assert warning.mean() == pytest.approx(summary["base_rate"], rel=0.5)  # it means what it says


def test_the_outcomes_of_the_judging_months_are_what_the_panel_shows(result: tuple[Panel, Warned]) -> None:
    panel, answer = result
    assert answer.summary is not None
    late: dict[tuple[str, int], bool] = {}
    owner = panel.accounts["borrower_id"].take(panel.months["account"]).to_pylist()
    for who, month, state in zip(owner, panel.month.tolist(), panel.state.tolist(), strict=True):
        late[who, month] = late.get((who, month), False) or 1 <= state <= 7
    judged = panel.last_month - HORIZON
    clear = [who for (who, month), overdue in late.items() if month == judged and not overdue]
    follow = [any(late.get((who, judged + ahead), False) for ahead in (1, 2, 3)) for who in clear]
    assert answer.summary["rows_holdout"] == len(clear)
    assert answer.summary["base_rate"] == pytest.approx(np.mean(follow))


def test_same_book_same_answer_whatever_the_threads(result: tuple[Panel, Warned], book: dict[str, pa.Table]) -> None:
    shuffled = {name: table.take(np.random.default_rng(1).permutation(len(table))) for name, table in book.items()}
    again = warned(shuffled, AS_OF, threads=2)[1]
    assert again.table.equals(result[1].table)
    assert again.summary == result[1].summary


def _cut(tables: Tables, month: int) -> dict[str, pa.Table]:
    """The book as it was known at a month's end. Later accounts stay: one without a row is nobody's line."""
    stamps = {"events": "booked_at", "payments": "booked_at", "applications": "submitted_at"}
    known = {name: table.filter(pc.less_equal(day_months(table[stamps[name]]), month)) if name in stamps else table
             for name, table in tables.items()}  # fmt: skip
    for name, lag in (("periods", 0), ("macro", 1)):
        known[name] = tables[name].filter(pa.array(month_numbers(tables[name]["month"]) <= month - lag))
    return known


def test_a_feature_of_a_month_uses_nothing_that_was_not_known_by_its_end(
    result: tuple[Panel, Warned], book: dict[str, pa.Table]
) -> None:
    panel = result[0]
    month = panel.last_month - 6
    borrower = np.flatnonzero(grid_of(panel, {}, HORIZON).lines[:, -7] > 0)
    when = np.full(len(borrower), month)
    now = borrower_features(panel, book, borrower, when, 1)
    past = _cut(book, month)
    then = borrower_features(panel_of(past, month_end(month)), past, borrower, when, 1)
    _same(now, then)
    lines = line_features(panel, book, line_months(panel, borrower, when, 1, LINE_FEATURES))
    early = panel_of(past, month_end(month))
    _same(lines, line_features(early, past, line_months(early, borrower, when, 1, LINE_FEATURES)))


def _same(now: pa.Table, then: pa.Table) -> None:
    assert now.column_names == then.column_names
    for name in now.column_names:
        a, b = now[name].to_pylist(), then[name].to_pylist()
        assert a == pytest.approx(b, nan_ok=True) if pa.types.is_floating(now[name].type) else a == b, name


# --- books that hold little ------------------------------------------------------------------------------------------


def test_accounts_and_periods_are_enough(book: dict[str, pa.Table]) -> None:
    _, answer = warned({name: book[name] for name in ("accounts", "periods")}, AS_OF)
    assert answer.summary is not None
    assert answer.summary["precision"][1]["lift"] > 2  # type: ignore[index]


def test_a_short_book_is_judged_on_borrowers_that_did_not_train(book: dict[str, pa.Table]) -> None:
    _, answer = warned(_cut(book, FIRST + 11), month_end(FIRST + 11))  # July to December 2023
    assert answer.summary is not None
    assert "half of the borrowers" in str(answer.summary["how"])


@pytest.mark.parametrize("months", [1, 2, 3, 4, 7])
def test_too_few_cases_warn_of_nobody_and_say_why(months: int) -> None:
    tables = book_of({f"{who:02d}-{line}": ["M0"] * months for who in range(20) for line in range(2)})
    _, answer = warned(tables, month_end(FIRST + months - 1))
    assert answer.table["warning"].null_count == 20
    assert answer.summary is None
    assert "needs 30" in answer.missing


def test_candidates_have_distinct_names() -> None:
    for candidates in (CANDIDATES, LINE_CANDIDATES):
        assert len({entry.name for entry in candidates}) == len(candidates)


@pytest.mark.prove
@pytest.mark.parametrize("seed", [31, 32, 33])
def test_the_bar_of_a_book_of_twenty_thousand(seed: int) -> None:
    tables = generate(GeneratorSpec(borrowers=20_000, months=24, seed=seed)).book_tables
    _, answer = warned(tables, AS_OF, threads=2)
    assert answer.summary is not None
    assert 0.02 <= answer.summary["base_rate"] <= 0.06  # type: ignore[operator]
    assert answer.summary["precision"][1]["lift"] >= 3  # type: ignore[index]
