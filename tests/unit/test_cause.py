"""Causes: the arithmetic of the evidence, small stories whose cause is plain, and books whose causes are known."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.panel import build_panel
from evenkeel.arrears.cause import (
    CAUSE_SCHEMA,
    CAUSES,
    PRIOR,
    SIGNS,
    UNCLEAR,
    Caused,
    _fallen,
    find_causes,
    name_causes,
    posterior,
    weights,
)
from evenkeel.arrears.warning.facts import Ledger
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.book.generator.columns import contract_table
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.text import LANGUAGES, texts

IntArray = npt.NDArray[np.int64]
AS_OF = date(2024, 12, 31)
FIRST = 2024 * 12  # January 2024; the books of this file end in December
CODES = {level.code for sign in SIGNS for level in sign.levels}


def caused(tables: Mapping[str, pa.Table], threads: int = 1) -> Caused:
    panel = build_panel(tables, (AS_OF - date(1970, 1, 1)).days, "Asia/Shanghai")
    lines = open_lines(panel, tables, AS_OF, Caps())
    exposure = exposures(lines, incomes(tables, panel.borrowers, panel.last_month), Caps())
    answer = find_causes(panel, tables, lines, exposure, threads=threads)
    assert answer.table.schema == CAUSE_SCHEMA
    assert answer.table["borrower_id"].to_pylist() == exposure["borrower_id"].to_pylist()
    return answer


# --- the arithmetic --------------------------------------------------------------------------------------------------


def levels_of(**codes: str) -> IntArray:
    """One case in which the named signs show the named levels and all the others are silent."""
    row = [
        [level.code for level in sign.levels].index(codes[sign.name]) if sign.name in codes else -1 for sign in SIGNS
    ]
    return np.array([row])


LEVELS = st.tuples(*(st.integers(-1, len(sign.levels) - 1) for sign in SIGNS)).map(lambda row: np.array([row]))


def test_the_levels_of_a_sign_leave_nothing_out() -> None:
    for sign in SIGNS:
        assert np.array([level.percent for level in sign.levels]).sum(axis=0).tolist() == [100] * len(CAUSES), sign.name
    assert PRIOR.sum() == pytest.approx(1)
    assert len(CODES) == sum(len(sign.levels) for sign in SIGNS)


def test_chances_are_bayes_rule() -> None:
    levels = levels_of(income="income_fell", peers="peers_kept_income")
    odds = [
        Fraction(prior).limit_denominator(100) * Fraction(fell, 100) * Fraction(kept, 100)
        for prior, fell, kept in zip(PRIOR, (90, 10, 10, 90, 10), (95, 95, 95, 20, 95), strict=True)
    ]
    assert posterior(levels)[0].tolist() == pytest.approx([float(entry / sum(odds)) for entry in odds])


def test_without_a_sign_the_prior_stands_and_nothing_is_named() -> None:
    assert posterior(levels_of())[0].tolist() == pytest.approx(PRIOR.tolist())
    assert not name_causes(levels_of())[2][0]


@given(st.sampled_from([(sign.name, level.code) for sign in SIGNS for level in sign.levels]))
def test_points_are_the_log_of_what_one_sign_does_to_the_odds(shown: tuple[str, str]) -> None:
    name, code = shown
    sign = next(entry for entry in SIGNS if entry.name == name)
    row = [level.code for level in sign.levels].index(code)
    chances = posterior(levels_of(**{name: code}))[0]
    factor = chances / (1 - chances) / (PRIOR / (1 - PRIOR))
    assert weights(sign)[row].tolist() == pytest.approx(np.log10(factor).tolist())


SUSPICIOUS = {
    "income": "income_held", "peers": "peers_kept_income", "line_age": "overdue_at_once", "depth": "overdue_longer",
    "payments": "paid_minimum_before", "forgetful": "punctual_before", "service": "service_bearable",
    "credit_use": "use_rose", "spending": "spending_cut",
}  # fmt: skip


def test_suspicion_alone_never_names_concealment_and_a_contradiction_does() -> None:
    best, belief, named = name_causes(levels_of(**SUSPICIOUS))
    assert (CAUSES[best[0]], named[0]) == ("concealment", False)
    assert belief[0] > 0.5
    assert name_causes(levels_of(**SUSPICIOUS, identity="identity_mismatch"))[2][0]


@given(LEVELS)
def test_whatever_the_signs_a_named_cause_is_likelier_than_not_and_made_so_by_them(levels: IntArray) -> None:
    best, belief, named = name_causes(levels)
    assert 0 < belief[0] <= 1
    if named[0]:
        prior = PRIOR[best[0]]
        assert belief[0] >= 0.5
        assert belief[0] * (1 - prior) >= 2.999 * (1 - belief[0]) * prior


def test_every_code_and_cause_has_a_text_in_both_languages() -> None:
    for language in LANGUAGES:
        assert all(texts(language)(f"cause.{code}") for code in CODES)
        assert all(texts(language)(f"cause.name.{cause}") for cause in (*CAUSES, UNCLEAR))


# --- small stories ---------------------------------------------------------------------------------------------------


class Book:
    """A book of one year. Workers of one employer earn 6,000 yuan a month unless `worker` says otherwise."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("accounts", "periods", "borrowers", "events", "payments", "applications")
        }

    def worker(self, name: str, *, employer: str = "e1", fallen_from: int = 12, declared: int = 600_000) -> None:
        self.rows["borrowers"].append(
            {"borrower_id": name, "employer_token": employer, "region": "Hubei", "industry": "catering",
             "income_declared_minor": declared}
        )  # fmt: skip
        for month in range(12):
            amount = 600_000 if month < fallen_from else 100_000
            stamp = datetime(2024, month + 1, 10, tzinfo=UTC)
            self.rows["events"].append(
                {"event_id": f"{name}-{month}", "kind": "income", "borrower_id": name, "effective_at": stamp,
                 "booked_at": stamp, "amount_minor": amount}
            )  # fmt: skip

    def card(self, name: str, borrower: str, *, overdue: tuple[int, ...] = (), opened: date = date(2020, 1, 5),
             paid: int = 100_000, cash: int = 0) -> None:  # fmt: skip
        """A card with a balance of 10,000 yuan and a minimum payment of 1,000; nothing is paid in overdue months."""
        self.rows["accounts"].append(
            {"account_id": name, "borrower_id": borrower, "lender_id": "bank", "product": "card", "opened_on": opened,
             "due_day": 15}
        )  # fmt: skip
        dpd = 0
        for month in range(max(opened.year * 12 + opened.month - 1 - FIRST, 0), 12):
            dpd = dpd + 20 + 10 * (dpd > 0) if month in overdue else 0
            self.rows["periods"].append(
                {"account_id": name, "month": month_text(FIRST + month), "balance_minor": 1_000_000,
                 "limit_minor": 2_000_000, "min_due_minor": 100_000, "paid_minor": 0 if dpd else paid,
                 "spend_minor": 100_000, "cash_minor": cash, "dpd_low": dpd, "dpd_high": dpd}
            )  # fmt: skip

    def tables(self) -> dict[str, pa.Table]:
        return {
            name: contract_table(
                name, len(rows), {key: pa.array([row[key] for row in rows]) for key in (rows[0] if rows else {})}
            )
            for name, rows in self.rows.items()
        }

    def row(self, borrower: str) -> dict[str, Any]:
        return next(row for row in caused(self.tables()).table.to_pylist() if row["borrower_id"] == borrower)


def crew(book: Book, fallen_from: int = 12) -> None:
    """Five workmates with sound cards."""
    for number in range(5):
        book.worker(f"mate{number}", fallen_from=fallen_from)
        book.card(f"c-mate{number}", f"mate{number}")


def codes(row: dict[str, Any]) -> list[str]:
    return [entry["code"] for entry in row["cause_evidence"]]


def test_income_that_fell_while_workmates_kept_theirs_is_an_income_shock() -> None:
    book = Book()
    crew(book)
    book.worker("ann", fallen_from=7)
    book.card("c-ann", "ann", overdue=(8, 9, 10, 11))
    row = book.row("ann")
    assert row["cause"] == "income_shock"
    assert codes(row)[0] == "income_fell"
    assert row["cause_evidence"][0]["source"] == "events"
    assert row["cause_probability"] >= 0.5


def test_income_that_fell_together_with_the_workmates_is_a_macro_shock() -> None:
    book = Book()
    crew(book, fallen_from=7)
    book.worker("ann", fallen_from=7)
    book.card("c-ann", "ann", overdue=(8, 9, 10, 11))
    row = book.row("ann")
    assert row["cause"] == "macro_shock"
    assert codes(row)[:2] == ["peers_lost_income", "income_fell"]


def test_a_short_slip_of_somebody_who_pays_in_full_and_slipped_before_is_oversight() -> None:
    book = Book()
    crew(book)
    book.worker("ann")
    book.card("c-ann", "ann", overdue=(5, 11), paid=1_000_000)
    book.card("d-ann", "ann", paid=1_000_000)
    row = book.row("ann")
    assert row["cause"] == "oversight"
    assert {"overdue_30_days", "late_before_and_paid"} <= set(codes(row))


def test_a_new_line_on_top_of_cash_and_minimum_payments_is_over_granting() -> None:
    book = Book()
    crew(book)
    book.worker("ann")
    for number in range(4):
        book.card(f"c{number}-ann", "ann", cash=500_000)
    book.card("d-ann", "ann", overdue=(9, 10, 11), opened=date(2024, 7, 3))
    row = book.row("ann")
    assert row["cause"] == "over_granting"
    assert {"income_held", "overdue_at_once", "service_heavy"} <= {*codes(row)}


def test_an_income_declared_far_above_the_one_that_is_seen_is_named_as_a_contradiction() -> None:
    book = Book()
    crew(book)
    book.worker("ann", declared=2_400_000)
    book.card("c-ann", "ann", overdue=(10, 11), opened=date(2024, 9, 3))
    row = book.row("ann")
    assert row["cause"] == "concealment"
    assert codes(row)[0] == "declared_far_more"


def test_who_is_not_overdue_has_no_cause() -> None:
    book = Book()
    crew(book)
    row = book.row("mate1")
    assert (row["cause"], row["cause_probability"], row["cause_evidence"]) == (None, None, [])
    assert caused(book.tables()).summary["overdue_borrowers"] == 0


def test_lines_elsewhere_count_for_the_books_own_borrowers_only() -> None:
    book = Book()
    crew(book)
    rows = [{"borrower_id": who, "lender_token": "l", "line_token": who, "as_of": date(2024, 12, 31),
             "balance_minor": 500_000, "dpd_low": 40, "dpd_high": 40} for who in ("mate1", "stranger")]  # fmt: skip
    lines = contract_table("tradelines", 2, {name: pa.array([row[name] for row in rows]) for name in rows[0]})
    answer = caused({**book.tables(), "tradelines": lines}).table.to_pylist()
    found = {row["borrower_id"]: row["cause"] for row in answer}
    assert found["mate1"] is not None
    assert found["stranger"] is None


def test_what_happens_before_the_arrears_counts_not_what_comes_after() -> None:
    """An income that falls long after the arrears began did not cause them."""
    book = Book()
    crew(book)
    book.worker("ann", fallen_from=11)
    book.card("c-ann", "ann", overdue=(5, 6, 7, 8, 9, 10, 11))
    assert "income_fell" not in codes(book.row("ann"))


# --- generated books, whose causes are known -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated() -> tuple[dict[str, pa.Table], pa.Table]:
    made = generate(GeneratorSpec(borrowers=6_000, months=18, seed=4))
    return made.book_tables, made.truth["causes"]


@pytest.fixture(scope="module")
def found(generated: tuple[dict[str, pa.Table], pa.Table]) -> Caused:
    return caused(generated[0])


def judged(table: pa.Table, truth: pa.Table) -> dict[str, float]:
    """Share right of those named, share unclear, share of the commonest true cause."""
    overdue = table.filter(table["cause"].is_valid())
    place = pc.index_in(overdue["borrower_id"].combine_chunks(), truth["borrower_id"].combine_chunks())
    real = np.array(truth["cause"].take(place).to_pylist())
    said = np.array(overdue["cause"].to_pylist())
    named = said != UNCLEAR
    commonest = max(np.mean(real == cause) for cause in CAUSES)
    return {"right": float(np.mean(said[named] == real[named])), "unclear": float(1 - named.mean()),
            "right_of_all": float(np.mean(said == real)), "commonest": float(commonest)}  # fmt: skip


def test_most_causes_named_are_the_true_ones(generated: tuple[dict[str, pa.Table], pa.Table], found: Caused) -> None:
    verdict = judged(found.table, generated[1])
    assert verdict["right"] >= 0.5
    assert verdict["unclear"] <= 0.5
    assert verdict["right_of_all"] > verdict["commonest"]


def test_a_named_cause_comes_with_evidence_and_unclear_with_none(found: Caused) -> None:
    for row in found.table.to_pylist():
        points = [entry["points"] for entry in row["cause_evidence"]]
        if row["cause"] in CAUSES:
            assert 0.5 <= row["cause_probability"] <= 1
            assert points[0] > 0 and points == sorted(points, reverse=True)
            assert set(codes(row)) <= CODES
        else:
            assert row["cause_probability"] is None and not points


def test_the_summary_adds_up(found: Caused) -> None:
    counted = pc.sum(found.table["cause"].is_valid()).as_py()
    entries: list[dict[str, Any]] = found.summary["causes"]  # type: ignore[assignment]
    assert [entry["cause"] for entry in entries] == [*CAUSES, UNCLEAR]
    assert found.summary["overdue_borrowers"] == counted == sum(entry["borrowers"] for entry in entries)
    assert sum(entry["share"] for entry in entries) == pytest.approx(1)
    assert found.summary["tables_that_would_help"] == []


def test_the_order_of_rows_and_the_threads_change_nothing(
    generated: tuple[dict[str, pa.Table], pa.Table], found: Caused
) -> None:
    rng = np.random.default_rng(0)
    shuffled = {name: table.take(rng.permutation(len(table))) for name, table in generated[0].items()}
    again = caused(shuffled, threads=2)
    assert again.table.equals(found.table)
    assert again.summary == found.summary


def test_without_the_other_tables_more_is_unclear_and_they_are_named(
    generated: tuple[dict[str, pa.Table], pa.Table], found: Caused
) -> None:
    bare = caused({name: generated[0][name] for name in ("accounts", "periods")})
    assert judged(bare.table, generated[1])["unclear"] > judged(found.table, generated[1])["unclear"]
    assert bare.summary["tables_that_would_help"] == ["applications", "borrowers", "events", "identity_checks", "macro"]


def with_less(tables: Mapping[str, pa.Table], seed: int) -> dict[str, pa.Table]:
    """The book without a fifth of its evidence: of the rows of its dated facts, and of what is known of people."""
    rng = np.random.default_rng(seed)
    less = dict(tables)
    for name in tables.keys() - {"accounts", "periods", "instalments", "payments", "borrowers", "macro"}:
        less[name] = tables[name].filter(pa.array(rng.random(tables[name].num_rows) >= 0.2))
    people = tables["borrowers"]
    for place, name in enumerate(people.column_names):
        if name not in ("borrower_id", "timezone", "created_on"):
            hidden = pa.array(rng.random(people.num_rows) < 0.2)
            column = pc.if_else(hidden, pa.scalar(None, people[name].type), people[name])
            less["borrowers"] = less["borrowers"].set_column(place, people.schema.field(place), column)
    return less


def named_well(table: pa.Table, truth: pa.Table) -> tuple[float, float, float]:
    """Macro-F1 among those named, share unclear, expected calibration error over tenths."""
    overdue = table.filter(table["cause"].is_valid())
    place = pc.index_in(overdue["borrower_id"].combine_chunks(), truth["borrower_id"].combine_chunks())
    real, said = np.array(truth["cause"].take(place).to_pylist()), np.array(overdue["cause"].to_pylist())
    named = said != UNCLEAR
    scores = []
    for cause in CAUSES:
        hits = (said == cause) & (real == cause)
        scores.append(2 * hits.sum() / ((said == cause).sum() + ((real == cause) & named).sum()))
    chance = overdue["cause_probability"].to_numpy()[named].astype(float)
    right = (said == real)[named]
    tenth = np.minimum((chance * 10).astype(int), 9)
    off = sum((tenth == k).mean() * abs(chance[tenth == k].mean() - right[tenth == k].mean()) for k in np.unique(tenth))
    return float(np.mean(scores)), float(1 - named.mean()), float(off)


@pytest.mark.prove
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("seed", [41, 42, 43])
def test_the_bar_of_a_book_of_twenty_thousand(seed: int, hidden: bool) -> None:
    made = generate(GeneratorSpec(borrowers=20_000, months=24, seed=seed))
    tables = with_less(made.book_tables, seed) if hidden else made.book_tables
    score, unclear, off = named_well(caused(tables, threads=2).table, made.truth["causes"])
    assert score >= 0.6
    assert unclear <= 0.4
    assert off <= 0.1


def test_gaps_in_a_record_of_income_are_no_loss_of_income() -> None:
    """Whoever has every fifth month without a record has lost nothing; three months in a row are another thing."""
    months = np.arange(FIRST, FIRST + 12)
    owner = np.zeros(12, np.int64)
    for gone, expected in (((2, 6, 11), np.nan), ((2, 6, 9, 10, 11), 1.0), ((2, 6), 0.0), ((11,), 1.0)):
        amounts = np.full(12, 800_000)
        amounts[list(gone)] = 0
        income = Ledger(owner, months, amounts)
        told = _fallen(income, np.array([0]), np.array([FIRST + 11]), FIRST, FIRST + 11)
        assert told == pytest.approx([expected], nan_ok=True), gone
