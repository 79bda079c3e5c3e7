"""Guards: each finds what it is for, and stays silent where nothing is wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import catalogue
from evenkeel.measures.discrimination import Estimate
from evenkeel.scoring.frame import frame
from evenkeel.scoring.guards import Examined, Finding, Override, apply, examine, too_good
from evenkeel.scoring.guards.cells import best_splits, cells_of, halves, number_cells, tally, tree_area
from evenkeel.scoring.guards.data import row_hashes
from evenkeel.scoring.guards.names import plain, protection, timing
from evenkeel.scoring.months import months_of

BoolArray = npt.NDArray[np.bool_]

ROWS = 3_000
JANUARY_2020 = 2020 * 12


def honest(rows: int = ROWS, seed: int = 1) -> tuple[dict[str, Any], BoolArray]:
    """An application table of which nothing is to be said but that it is fine; its best column has an AUC of 0.77."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=rows)
    bad = risk + rng.normal(size=rows) > 1.3
    columns: dict[str, Any] = {
        "utilisation": np.round(risk + rng.normal(size=rows), 6),
        "amount": np.round(np.exp(rng.normal(9, 0.5, rows)), 2),
        "income": np.where(rng.random(rows) < 0.1, np.nan, np.round(np.exp(rng.normal(10, 0.4, rows)), 2)),
        "purpose": rng.choice(["car", "home", "other"], rows),
        "inquiries": rng.poisson(2, rows).astype(float),
    }
    return columns, bad


def look(columns: dict[str, Any], bad: BoolArray, **more: Any) -> tuple[Finding, ...]:
    return examine(Examined(frame(columns), bad, **more))


def said(findings: tuple[Finding, ...]) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(finding.severity, finding.guard, finding.columns) for finding in findings}


def guards(findings: tuple[Finding, ...], severity: str = "refuse") -> dict[str, set[str]]:
    """Columns by guard."""
    result: dict[str, set[str]] = {}
    for finding in findings:
        if finding.severity == severity:
            result.setdefault(finding.guard, set()).update(finding.columns)
    return result


def test_nothing_is_said_of_an_honest_table() -> None:
    assert look(*honest()) == ()


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_never_a_leak(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bad = rng.random(400) < 0.1
    columns = {f"x{place}": rng.normal(size=400) for place in range(120)}
    columns |= {f"t{place}": rng.choice(list("abcdefghij"), 400) for place in range(20)}
    assert not guards(look(columns, bad))
    assert not guards(look(columns, bad), "warn").keys() - {"few"}


# Leakage


def test_a_column_that_ranks_too_well_is_refused_whatever_its_name() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(2)
    columns["c1"] = bad * 2.5 + rng.normal(size=ROWS)
    (finding,) = look(columns, bad)
    assert (finding.severity, finding.columns) == ("refuse", ("c1",))
    columns["c1"] = np.where(bad, 1.6, 0.0) + rng.normal(size=ROWS)
    assert guards(look(columns, bad), "warn") == {"leak_value": {"c1"}}


def test_a_mark_that_only_bads_have_is_refused_though_it_ranks_badly() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(3)
    marked = bad & (rng.random(ROWS) < 0.25)
    columns["c1"] = np.where(marked, rng.uniform(1, 900, ROWS), 0.0)
    columns["c2"] = ["agreed" if mark else None for mark in marked]
    columns["c3"] = np.where(marked, "Y", "N")
    found = {finding.columns[0]: finding for finding in look(columns, bad)}
    assert set(found) == {"c1", "c2", "c3"}
    assert {finding.guard for finding in found.values()} == {"leak_split_bad"}
    assert {name: finding.figures["where"] for name, finding in found.items()} == {
        "c1": "> 0", "c2": "IS NOT NULL", "c3": "= 'Y'",
    }  # fmt: skip
    assert found["c1"].figures["other"] == 0


@pytest.mark.parametrize(("goods", "is_leak"), [(3, True), (15, False)])
def test_a_mark_of_bads_is_a_leak_only_if_surely_nearly_all_are_bad(goods: int, is_leak: bool) -> None:
    columns, bad = honest()
    marked = np.zeros(ROWS, bool)
    marked[np.flatnonzero(bad)[:200]] = True
    marked[np.flatnonzero(~bad)[:goods]] = True
    columns["c1"] = marked
    assert guards(look(columns, bad)) == ({"leak_split_bad": {"c1"}} if is_leak else {})


def test_a_value_that_only_goods_reach_is_refused() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(3)
    columns["c1"] = np.where(~bad & (rng.random(ROWS) < 0.5), 0.0, rng.uniform(1, 2, ROWS))
    assert guards(look(columns, bad)) == {"leak_split_good": {"c1"}}


def test_the_worst_state_of_a_behaviour_score_is_no_leak() -> None:
    rng = np.random.default_rng(4)
    state = rng.choice(4, 20_000, p=[0.9, 0.06, 0.025, 0.015])
    bad = rng.random(20_000) < np.array([0.01, 0.08, 0.35, 0.75])[state]
    assert not guards(look({"state": state.astype(float)}, bad))


def test_repaid_beside_lent_is_refused_and_the_amount_lent_is_not() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(5)
    columns["c1"] = np.round(columns["amount"] * np.where(bad, rng.uniform(0.3, 1.0, ROWS), 1.15), 2)
    (finding,) = look(columns, bad)
    assert (finding.severity, finding.guard, finding.columns) == ("refuse", "leak_pair", ("c1",))
    assert finding.figures["other_column"] == "amount"
    assert finding.figures["own"] < 0.85


def test_parts_of_a_refused_total_are_refused_with_it() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(6)
    share = np.where(bad, rng.uniform(0.2, 0.7, ROWS), 1.0)
    principal = np.round(columns["amount"] * share, 2)
    interest = np.round(rng.uniform(10, 900, ROWS), 2)
    columns |= {"c1": principal, "c2": interest, "c3": np.round(principal + interest, 2)}
    found = guards(look(columns, bad))
    assert found["leak_pair"] == {"c1", "c3"}
    assert found["leak_sum"] == {"c2"}


def test_a_value_known_later_than_the_row_is_refused_by_its_stamp() -> None:
    columns, bad = honest()
    time = np.full(ROWS, JANUARY_2020)
    known = {"income": JANUARY_2020, "inquiries": np.where(np.arange(ROWS) == 7, JANUARY_2020 + 1, JANUARY_2020)}
    (finding,) = look(columns, bad, time=time, known_at=known)
    assert (finding.guard, finding.columns, finding.figures["late"]) == ("leak_stamp", ("inquiries",), 1)


def test_later_dates_are_refused_unless_they_were_fixed_beforehand() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(7)
    time = JANUARY_2020 + rng.integers(0, 12, ROWS)

    def written(months: npt.NDArray[np.int64]) -> list[str]:
        return [f"{month // 12}-{month % 12 + 1:02d}-15" for month in months]

    columns["c1"] = written(time + np.where(bad, rng.integers(1, 20, ROWS), rng.integers(6, 36, ROWS)))
    columns["c2"] = written(time + np.where(bad, rng.choice([12, 24, 36], ROWS), rng.choice([12, 24], ROWS)))
    columns["c3"] = written(time - rng.integers(1, 200, ROWS))
    found = look(columns, bad, time=time)
    assert guards(found) == {"leak_date": {"c1"}}
    assert guards(found, "warn")["leak_date"] == {"c2"}
    untimed = guards(look(columns, bad), "warn")["leak_date_unchecked"]
    assert "c1" in untimed and "c3" not in untimed


AFTER = """
    recoveries Recoveries collection_recovery_fee settlement_status settlement_amount debt_settlement_flag total_pymnt
    total_rec_int last_pymnt_d lastPymntAmnt out_prncp hardship_dpd chargeOffDate write_off_amount loss_given_default
    default_date collection_agency max_dpd_after recovered_amount 催收次数 已回收金额 核销日期
    放款后逾期天数 提前结清日期 实际还款金额 最后一期还款日
"""
PERHAPS = """
    last_fico_range_low last_credit_pull_d loan_status collections close_date recoveries_12m 逾期天数 结清 贷款状态
    近6个月催收次数
"""
HONEST = """
    loan_amnt int_rate grade dti annual_inc fico_range_low collections_12_mths_ex_med chargeoff_within_12_mths
    tot_coll_amt delinq_amnt acc_now_delinq num_tl_120dpd_2m PAY_0 PAY_AMT1 BILL_AMT1 NumberOfTimes90DaysLate payments
    duration NumberOfTime30-59DaysPastDueNotWorse credit_history DEF_30_CNT_SOCIAL_CIRCLE recency discovery_rate
    征信逾期天数 历史结清笔数 月收入
"""


@pytest.mark.parametrize(
    ("names", "expected"), [(AFTER, "after"), (PERHAPS, "perhaps"), (HONEST, "")], ids=["after", "perhaps", "honest"]
)
def test_what_a_name_says_of_its_time(names: str, expected: str) -> None:
    assert {name: timing(name) for name in names.split()} == dict.fromkeys(names.split(), expected)


def test_names_are_compared_however_they_are_written() -> None:
    assert plain(" NumberOfTime30-59DaysPastDueNotWorse") == "number_of_time30_59_days_past_due_not_worse"
    assert plain("LAST PYMNT.D") == "last_pymnt_d"
    assert plain("ＤＰＤ") == "dpd"


# Outcomes


@pytest.mark.parametrize("value", [True, False])
def test_one_class_is_refused_and_nobody_can_overrule_it(value: bool) -> None:
    findings = look(honest()[0], np.full(ROWS, value))
    assert said(findings) == {("refuse", "one_class", ())}
    with pytest.raises(InvalidInput, match="same outcome"):
        apply(findings, [Override("", "for fun", "me"), Override("one_class", "for fun", "me")])


@pytest.mark.parametrize(
    ("bads", "expected"), [(29, ("refuse", "few_refused")), (30, ("warn", "few")), (99, ("warn", "few")), (100, None)]
)
def test_few_bads_warn_and_very_few_are_refused(bads: int, expected: tuple[str, str] | None) -> None:
    for bad in (np.arange(ROWS) < bads, np.arange(ROWS) >= bads):
        found = [(f.severity, f.guard) for f in look({"purpose": ["car", "home"] * (ROWS // 2)}, bad)]
        assert [pair for pair in found if pair[1].startswith("few")] == ([expected] if expected else [])


def test_rows_whose_months_ahead_are_not_over_are_refused() -> None:
    columns, bad = honest()
    time = JANUARY_2020 + np.arange(ROWS) % 24
    finding = look(columns, bad, time=time, as_of=JANUARY_2020 + 30, horizon=12)[0]
    assert (finding.severity, finding.guard, finding.figures["first"]) == ("refuse", "immature", "2021-08")
    assert finding.figures["early"] == (time > JANUARY_2020 + 18).sum()
    assert not look(columns, bad, time=time, as_of=JANUARY_2020 + 35, horizon=12)
    assert not look(columns, bad, time=time, as_of=time + 12, horizon=12)


def test_a_bad_rate_that_falls_off_at_the_end_is_refused() -> None:
    rng = np.random.default_rng(8)
    time = np.sort(JANUARY_2020 + rng.integers(0, 24, 12_000))
    left = JANUARY_2020 + 24 - time
    bad = rng.random(12_000) < 0.2 * np.minimum(left / 8, 1)
    columns = {"x": rng.normal(size=12_000)}
    assert "tail" in guards(look(columns, bad, time=time))
    better = rng.random(12_000) < 0.3 - 0.25 * (time - JANUARY_2020) / 24  # lending that improves all the time
    assert "tail" not in guards(look(columns, better, time=time))


@pytest.mark.parametrize("seed", range(20))
def test_a_steady_bad_rate_has_no_tail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = JANUARY_2020 + rng.integers(0, 24, 3_000)
    assert not look({"x": rng.normal(size=3_000)}, rng.random(3_000) < 0.1, time=time)


def test_another_bad_rate_where_the_model_is_judged_warns() -> None:
    columns, bad = honest()
    order = np.argsort(~bad, kind="stable")
    test = np.zeros(ROWS, bool)
    test[order[:300]] = True
    assert "drift" in guards(look(columns, bad, test=test), "warn")
    assert not look(columns, bad, test=np.arange(ROWS) % 4 == 0)


# Columns and rows


def test_columns_that_move_or_change_sides_warn() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(9)
    time = np.sort(JANUARY_2020 + rng.integers(0, 24, ROWS))
    late = time >= JANUARY_2020 + 12
    columns["moving"] = rng.normal(size=ROWS) + 1.5 * late
    last = time >= JANUARY_2020 + 18
    columns["turning"] = np.where(np.where(last, ~bad, bad) & (rng.random(ROWS) < 0.5), "a", "b")
    found = guards(look(columns, bad, time=time), "warn")
    assert found["flips"] == {"turning"}
    assert found["moved"] == {"moving", "turning"}


def test_codes_among_numbers_warn_with_the_option_that_declares_them() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(10)
    columns["late"] = np.where(rng.random(ROWS) < 0.01, rng.choice([96.0, 98.0], ROWS), rng.poisson(1, ROWS))
    columns["days"] = np.where(rng.random(ROWS) < 0.1, 365243.0, -rng.integers(1, 9000, ROWS).astype(float))
    columns["months"] = np.where(rng.random(ROWS) < 0.05, -999.0, rng.integers(0, 240, ROWS).astype(float))
    columns["score"] = np.where(rng.random(ROWS) < 0.05, 999.0, rng.integers(300, 900, ROWS).astype(float))
    columns["outlier"] = np.where(np.arange(ROWS) == 3, 1e9, rng.normal(size=ROWS))
    codes = {f.columns[0]: f.figures["codes"] for f in look(columns, bad) if f.guard == "specials"}
    assert codes == {"late": "96,98", "days": "365243", "months": "-999", "score": "999"}
    again = look(columns, bad, specials={"late": [96, 98], "days": [365243], "months": [-999], "score": [999]})
    assert again == ()
    (finding,) = (f for f in look(columns, bad, specials={"days": [365243], "months": [-999], "score": [999]}))
    assert "--special late=96,98" in finding.text("en") and "--special late=96,98" in finding.text("zh")


def test_columns_without_information_are_noted() -> None:
    columns, bad = honest()
    columns |= {
        "id": np.arange(ROWS) * 7.0,
        "name": [f"person {place}" for place in range(ROWS)],
        "same": np.ones(ROWS),
        "empty": np.full(ROWS, np.nan),
    }
    assert said(look(columns, bad)) == {
        ("note", "missing", ("empty",)), ("note", "constant", ("same",)), ("note", "identifier", ("id", "name")),
    }  # fmt: skip


def test_rows_and_borrowers_on_both_sides_of_the_split() -> None:
    columns, bad = honest()
    columns["borrower"] = [f"b{place // 2}" for place in range(ROWS)]
    test = np.arange(ROWS) % 4 == 0
    assert "borrowers_across" in guards(look(columns, bad, test=test, key="borrower"))
    assert not look(columns, bad, test=np.arange(ROWS) % 4 < 2, key="borrower")
    for name in ("utilisation", "amount", "income", "purpose", "inquiries"):
        values = np.asarray(columns[name]).copy()
        values[:8] = values[ROWS - 8 :]
        columns[name] = values
    copies = np.arange(ROWS) < ROWS // 2
    (finding,) = (f for f in look(columns, bad, test=copies, key="borrower") if f.guard == "twins_across")
    assert (finding.severity, finding.figures["twins"]) == ("warn", 8)
    (finding,) = look(columns, bad, key="borrower")
    assert (finding.severity, finding.guard, finding.figures["twins"]) == ("warn", "twins", 8)
    small = {name: np.asarray(values)[[*range(8), *range(ROWS - 8, ROWS)]] for name, values in columns.items()}
    refused = look(small, np.arange(16) % 2 == 0, test=np.arange(16) < 8, key="borrower")
    assert "twins_across" in guards(refused)


def test_rows_of_few_coarse_columns_agree_by_chance() -> None:
    rng = np.random.default_rng(11)
    columns = {name: rng.choice(["a", "b", "c"], ROWS) for name in "xyz"}
    assert look(columns, rng.random(ROWS) < 0.2) == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 1.5, None]), st.sampled_from(["a", "b", None])), min_size=1))
def test_rows_share_a_hash_exactly_when_they_are_equal(rows: list[tuple[float | None, str | None]]) -> None:
    numbers, words = zip(*rows, strict=True)
    table = pa.table({"x": pa.array(numbers, pa.float64()), "t": pa.array(words, pa.string())})
    assert len(np.unique(row_hashes(frame(table)))) == len(set(rows))


# Fairness


PROTECTED = (
    "SEX CODE_GENDER personal_status_and_sex MARRIAGE NAME_FAMILY_STATUS foreign_worker Religion 性别 婚姻状况 民族"
)
AGES = "AGE age_in_years DAYS_BIRTH DateOfBirth 年龄 出生日期"
FREE = "own_car_age mortgage essex average age_of_account racer sexton_bank 账龄"


@pytest.mark.parametrize(
    ("names", "expected"), [(PROTECTED, "protected"), (AGES, "age"), (FREE, "")], ids=["protected", "age", "free"]
)
def test_what_a_name_says_of_protection(names: str, expected: str) -> None:
    assert {name: protection(name) for name in names.split()} == dict.fromkeys(names.split(), expected)


def test_a_stand_in_for_a_protected_attribute_warns() -> None:
    columns, bad = honest()
    rng = np.random.default_rng(12)
    group = rng.random(ROWS) < 0.4
    columns["sex"] = np.where(group, "F", "M")
    columns["height"] = rng.normal(size=ROWS) - 1.6 * group
    found = look(columns, bad)
    assert guards(found, "warn") == {
        "protected": {"sex"},
        "proxy": {"height"},
        "proxies": guards(found, "warn")["proxies"],
    }
    weak = {f"w{place}": rng.normal(size=ROWS) + 0.5 * group for place in range(12)}
    del columns["height"]
    assert set(guards(look(columns | weak, bad), "warn")) == {"protected", "proxies"}
    assert set(guards(look(columns, bad, protected=("purpose",)), "warn")["protected"]) == {"sex", "purpose"}


@pytest.mark.parametrize("seed", range(3))
def test_many_columns_do_not_tell_an_attribute_by_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {"sex": rng.choice(["F", "M"], 600)}
    columns |= {f"x{place}": rng.normal(size=600) for place in range(200)}
    columns |= {f"t{place}": [f"v{value}" for value in rng.integers(0, 400, 600)] for place in range(10)}
    assert set(guards(look(columns, rng.random(600) < 0.3), "warn")) == {"protected"}


# What is done about it


def test_apply_refuses_and_says_how_to_overrule() -> None:
    columns, bad = honest()
    columns |= {"recoveries": np.where(bad, 5.0, 0.0), "settlement_status": ["done" if mark else None for mark in bad]}
    findings = look(columns, bad)
    with pytest.raises(InvalidInput) as refused:
        apply(findings)
    assert "leakage:recoveries" in str(refused.value) and "leakage:settlement_status" in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        apply(findings, [Override("leakage:recoveries", "of an earlier loan", "Li Wei")])
    assert "leakage:recoveries" not in str(refused.value) and "settlement_status" in str(refused.value)
    recorded = apply(
        findings,
        [Override(f"leakage:{name}", "of an earlier loan", "Li Wei") for name in ("recoveries", "settlement_status")],
    )
    assert recorded[0] == {
        "guard": "leak_name_after", "column": "recoveries", "reason": "of an earlier loan", "by": "Li Wei",
    }  # fmt: skip
    assert {record["column"] for record in recorded} == {"recoveries", "settlement_status"}
    assert apply(look(*honest()), [Override("leakage:gone", "it was there last month", "Li Wei")]) == ()


def test_an_override_names_its_reason_and_author() -> None:
    for reason, by in (("", "me"), ("because", " ")):
        with pytest.raises(InvalidUsage):
            Override("few", reason, by)


def test_every_finding_speaks_both_languages() -> None:
    english, chinese = ({key for key in catalogue(language) if key.startswith("guard.")} for language in ("en", "zh"))
    assert english == chinese
    columns, bad = honest()
    columns |= {"recoveries": np.where(bad, 5.0, 0.0), "sex": np.where(bad, "F", "M"), "same": np.ones(ROWS)}
    for finding in look(columns, bad):
        assert finding.text("en") != finding.text("zh")
        assert "{" not in finding.text("en") + finding.text("zh")
        assert finding.document()["guard"] == finding.guard


def test_many_columns_are_counted_not_listed() -> None:
    text = Finding("constant", "note", tuple(f"c{place}" for place in range(11))).message("en")
    assert "`c7` and 3 more" in text and "c8" not in text


def test_shapes_and_names_are_checked() -> None:
    columns, bad = honest()
    with pytest.raises(InvalidInput, match="`time` has shape"):
        look(columns, bad, time=np.zeros(3, np.int64))
    with pytest.raises(InvalidInput, match="`nobody` is not in the table"):
        look(columns, bad, key="nobody")


def test_a_model_too_good_to_be_true_warns() -> None:
    assert too_good(Estimate(0.95, 0.93, 0.96))[0].severity == "warn"
    assert too_good(Estimate(0.90, 0.89, 0.91)) == ()
    assert too_good(Estimate(np.nan, np.nan, np.nan)) == ()


@pytest.mark.parametrize(
    "columns",
    [
        {"x": [1e308, -1e308, np.inf, -np.inf, np.nan] * 60},
        {"x": [None] * 300},
        {"x": [f"u{place}" for place in range(300)]},
        {"x": np.zeros(300)},
    ],
    ids=["huge", "missing", "unique", "constant"],
)
def test_strange_columns_pass_without_a_refusal(columns: dict[str, Any]) -> None:
    bad = np.arange(300) % 3 == 0
    assert not guards(look(columns, bad))


def test_a_large_table_is_drawn_and_the_figures_say_so() -> None:
    rng = np.random.default_rng(13)
    bad = rng.random(300_000) < 0.1
    columns = {"c1": np.where(bad & (rng.random(300_000) < 0.5), 1.0, 0.0)}
    (finding,) = look(columns, bad)
    assert (finding.figures["rows_examined"], finding.figures["rows"]) == (200_000, 300_000)
    assert finding == look(columns, bad)[0]


# The measure underneath


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_area_of_cells_is_that_of_their_rates_learned_elsewhere(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    words = rng.choice([f"v{place}" for place in range(levels)], 300)
    bad = rng.random(300) < 0.3
    half = halves(300, seed)
    cells = cells_of(pa.chunked_array([pa.array(words)]))
    counts = tally(cells, bad, half)
    base, areas = bad.mean(), []
    for learn in (0, 1):
        mine = half == learn
        rate = {
            word: (bad[mine & (words == word)].sum() + 2 * base) / ((mine & (words == word)).sum() + 2)
            for word in words
        }
        areas.append(roc_auc_score(bad[~mine], [rate[word] for word in words[~mine]]))
    area = tree_area(counts)
    assert area.value == pytest.approx(np.mean(areas), abs=1e-12)
    assert area.low <= area.value <= area.high


def test_the_interval_of_the_area_covers() -> None:
    rng = np.random.default_rng(14)
    rates = np.array([0.05, 0.1, 0.2, 0.4])
    share = np.full(4, 0.25)
    bads, goods = share * rates / (share @ rates), share * (1 - rates) / (share @ (1 - rates))
    truth = float(bads @ (np.cumsum(goods) - goods / 2))
    inside = 0
    for _ in range(600):
        place = rng.integers(0, 4, 2_000)
        bad = rng.random(2_000) < rates[place]
        area = tree_area(tally(number_cells(place.astype(float)), bad, halves(2_000, 0)))
        inside += area.low <= truth <= area.high
    assert 0.92 <= inside / 600 <= 0.98


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_best_split_is_the_best_of_all_runs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(2_000) < 0.1, np.nan, rng.integers(0, 6, 2_000).astype(float))
    bad = (values >= 4) & (rng.random(2_000) < 0.98) | (rng.random(2_000) < 0.05)
    cells = number_cells(values)
    found = {split.side: split for split in best_splits(cells, tally(cells, bad, halves(2_000, 0)))}
    if "bad" not in found:
        return
    split = found["bad"]
    runs = [(values >= low) & (values <= high) for low in range(6) for high in range(low, 6)]
    runs += [np.isnan(values)]
    held = [(int((run & bad).sum()), int((run & ~bad).sum())) for run in runs]
    here = (round(split.share * bad.sum()), round(split.other * (~bad).sum()))
    assert here in held
    assert sum(here) == split.rows
    assert not any(own > here[0] and other < here[1] for own, other in held if own >= 0.97 * (own + other))


def test_cells_are_described_as_conditions() -> None:
    cells = number_cells(np.array([0.0, 0, 1, 2, 3, np.nan]))
    k = len(cells.marks)
    assert cells.describe(2, 2 * k) == "> 0"
    assert cells.describe(1, 1) == "= 0"
    assert cells.describe(3, 5) == ">= 1 AND <= 2"
    assert cells.describe(cells.count - 1, cells.count - 1) == "IS NULL"


@pytest.mark.parametrize(
    ("values", "days", "expected"),
    [
        (
            ["2015-12", "2015-12-31", "2015/12/01", "201512", "2015年12月", "Dec-15", "Dec-2015", "15-Dec", None],
            False,
            2015,
        ),
        ([201512, 201512.0], False, 2015),
        ([20151231, np.nan], False, 2015),
        ([16_800.0, np.nan], True, 2015),
        (["Dec-99", "99-Dec"], False, 1999),
    ],
)
def test_months_are_read_in_the_forms_of_files(values: list[Any], days: bool, expected: int) -> None:
    months = months_of(frame({"x": values})["x"], days)
    assert months is not None
    assert set(months[np.isfinite(months)]) == {expected * 12 + 11}
    assert [value is None or value != value for value in values] == [bool(month != month) for month in months]


def test_amounts_and_words_are_no_dates() -> None:
    for values in ([1_200.5, 3.0], [201_513, 201_500], ["190xx", "577xx"], ["car", "home"], [5.0, 6.0]):
        assert months_of(frame({"x": values})["x"]) is None


def test_findings_come_by_severity() -> None:
    columns, bad = honest()
    columns |= {"same": np.ones(ROWS), "recoveries": np.where(bad, 5.0, 0.0), "sex": ["F", "M"] * (ROWS // 2)}
    ranks = [("refuse", "warn", "note").index(finding.severity) for finding in look(columns, bad)]
    assert all(one <= two for one, two in pairwise(ranks)) and set(ranks) == {0, 1, 2}


def test_amounts_that_are_all_different_are_no_identifiers() -> None:
    rng = np.random.default_rng(3)
    income = rng.choice(np.arange(3_000, 90_000), 600, replace=False)
    table = {"income": income, "loan_id": rng.choice(10**9, 600, replace=False), "c1": rng.permutation(600)}
    found = examine(Examined(frame(table), rng.random(600) < 0.3))
    named = [finding.columns for finding in found if finding.guard == "identifier"]
    assert named == [("loan_id", "c1")]
