"""Lending Club's loans of December 2015: what was written after the outcome is refused, what was known before not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evenkeel.scoring.frame import frame
from evenkeel.scoring.guards import Examined, Finding, examine
from evenkeel.scoring.months import months_of

BoolArray = npt.NDArray[np.bool_]

BAD = ("Charged Off", "Default", "Late (31-120 days)")
# Good by the target's definition: finished loans only, or loans that still run too.
TARGETS = {"final": ("Fully Paid",), "running": ("Fully Paid", "Current")}

PAYMENTS = {
    "total_pymnt", "total_pymnt_inv", "total_rec_prncp", "total_rec_int", "total_rec_late_fee", "last_pymnt_amnt",
}  # fmt: skip
RECOVERIES = {"recoveries", "collection_recovery_fee"}
SETTLEMENT = {
    "debt_settlement_flag", "debt_settlement_flag_date", "settlement_status", "settlement_date", "settlement_amount",
    "settlement_percentage", "settlement_term",
}  # fmt: skip
LATER_SCORES = {"last_fico_range_low", "last_fico_range_high"}
BY_VALUE = PAYMENTS | RECOVERIES | SETTLEMENT | LATER_SCORES
LATER_DATES = {"last_pymnt_d", "last_credit_pull_d"}
# Of these the values tell too little, or stand in too few rows; their names tell.
BY_NAME = {
    "next_pymnt_d", "out_prncp", "out_prncp_inv", "deferral_term", "payment_plan_start_date", "pymnt_plan",
    "orig_projected_additional_accrued_interest",
}  # fmt: skip
AFTER = BY_VALUE | LATER_DATES | BY_NAME


def loans(shared: Path, target: str) -> tuple[pa.Table, BoolArray]:
    table = pq.read_table(shared / "data" / "lending_club_5000.parquet")
    status = table["loan_status"].to_pylist()
    kept = np.array([value in BAD + TARGETS[target] for value in status])
    bad = np.array([value in BAD for value in status])[kept]
    return frame(table.drop_columns(["loan_status"])).filter(pa.array(kept)), bad


def refused(findings: Iterable[Finding]) -> set[str]:
    return {name for finding in findings if finding.severity == "refuse" for name in finding.columns}


def known_before(table: pa.Table) -> set[str]:
    return {name for name in table.column_names if name not in AFTER and not name.startswith("hardship_")}


@pytest.mark.parametrize("target", TARGETS)
def test_columns_written_after_the_outcome_are_refused_by_their_names(shared: Path, target: str) -> None:
    table, bad = loans(shared, target)
    found = refused(examine(Examined(table, bad)))
    assert found >= BY_VALUE | {"last_pymnt_d", "next_pymnt_d", "out_prncp", "hardship_status", "hardship_dpd"}
    assert not found & known_before(table)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(2))
def test_they_are_refused_under_meaningless_names_too(shared: Path, target: str, seed: int) -> None:
    table, bad = loans(shared, target)
    names = {f"c{place}": name for place, name in enumerate(table.column_names, 1)}
    meaningless = table.rename_columns(list(names))
    assert {names[column] for column in refused(examine(Examined(meaningless, bad, seed=seed)))} == BY_VALUE
    time = months_of(table["issue_d"])
    assert time is not None
    timed = examine(Examined(meaningless, bad, time=time.astype(np.int64), seed=seed))
    assert {names[column] for column in refused(timed)} == BY_VALUE | LATER_DATES


def test_an_amount_lent_is_not_blamed_for_what_was_repaid(shared: Path) -> None:
    table, bad = loans(shared, "final")
    lent = ["loan_amnt", "installment", "int_rate", "term"]
    for repaid in ("total_pymnt", "total_pymnt_inv"):
        findings = examine(Examined(table.select([*lent, repaid]).rename_columns(["a", "b", "c", "d", "e"]), bad))
        assert refused(findings) == {"e"}


@pytest.mark.parametrize(
    ("file", "target", "bad", "left_out"),
    [
        ("uci_credit_card_30000", "default", (1,), []),
        ("give_me_some_credit_150000", "SeriousDlqin2yrs", (1,), []),
        ("german_1000", "creditability", ("bad",), []),
        ("home_credit_1000_application", "DEFAULTED", (1,), []),
        ("berka_loan", "status", ("B", "D"), []),
    ],
)
def test_no_honest_column_of_other_lenders_is_refused(
    shared: Path, file: str, target: str, bad: tuple[object, ...], left_out: list[str]
) -> None:
    table = pq.read_table(shared / "data" / f"{file}.parquet")
    outcome = np.array([value in bad for value in table[target].to_pylist()])
    findings = examine(Examined(frame(table.drop_columns([target, *left_out])), outcome))
    assert not refused(findings)
    assert not [finding for finding in findings if finding.guard.startswith("leak")]


def test_codes_and_copies_of_public_files_are_named(shared: Path) -> None:
    table = pq.read_table(shared / "data" / "give_me_some_credit_150000.parquet")
    bad = table["SeriousDlqin2yrs"].to_numpy() == 1
    findings = examine(Examined(frame(table.drop_columns(["SeriousDlqin2yrs"])), bad))
    codes = {f.columns[0]: f.figures["codes"] for f in findings if f.guard == "specials"}
    assert set(codes.values()) == {"96,98"} and len(codes) == 3
    table = pq.read_table(shared / "data" / "uci_credit_card_30000.parquet")
    bad = table["default"].to_numpy() == 1
    findings = examine(Examined(frame(table.drop_columns(["default"])), bad))
    assert next(f.figures["twins"] for f in findings if f.guard == "twins") == 56
    assert {f.columns[0] for f in findings if f.guard == "protected"} == {"SEX", "MARRIAGE"}
