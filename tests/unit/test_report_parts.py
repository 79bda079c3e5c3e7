"""Numbers, charts and texts of the report, each by itself."""

from __future__ import annotations

import ast
import re
import string
from importlib.resources import files
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evenkeel.kernel.text import catalogue
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.charts import WIDTH, Bar, Name, Series
from evenkeel.pipeline.report.format import Format

EN, ZH = Format("en", "CNY"), Format("zh", "CNY")
NAME = Name("x", "a title", "what it shows")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


# --- numbers ---


@pytest.mark.parametrize(
    ("minor", "money", "short", "chinese"),
    [
        (123_456, "1,234.56 CNY", "1,235 CNY", "1,235 元"),
        (-5, "−0.05 CNY", "0 CNY", "0 元"),
        (0, "0.00 CNY", "0 CNY", "0 元"),
        (1_234_567_800, "12,345,678.00 CNY", "12.35 million CNY", "1,234.6 万元"),
        (-250_000_000_00, "−250,000,000.00 CNY", "−250.0 million CNY", "−2.50 亿元"),
        (None, "–", "–", "–"),
    ],
)
def test_amounts_read_as_people_of_each_language_write_them(
    minor: int | None, money: str, short: str, chinese: str
) -> None:
    assert plain(EN.money(minor)) == money
    assert plain(EN.short(minor)) == short
    assert plain(ZH.short(minor)) == chinese


def test_a_currency_has_its_own_decimals_and_an_unknown_one_has_no_name() -> None:
    assert plain(Format("en", "JPY").money(1234)) == "1,234 JPY"
    assert plain(Format("en", "XXX").money(1234)) == "12.34"


def test_shares_never_round_to_nothing_and_unknown_is_not_zero() -> None:
    assert plain(EN.share(0.1234)) == "12.3 %"
    assert plain(EN.share(0.0)) == "0.0 %"
    assert plain(EN.share(0.0001)) == "< 0.1 %"
    assert plain(EN.share(-0.0001, signed=True)) == "0.0 %"
    assert EN.share(None) == EN.count(None) == EN.range(None) == "–"


def test_a_range_names_its_unit_once() -> None:
    part = {"low": 100_000_000, "base": 150_000_000, "high": 250_000_000}
    assert plain(EN.range(part)) == "1.50 (1.00 to 2.50) million CNY"
    assert plain(ZH.range(part)) == "150.0（100.0 至 250.0） 万元"


# --- charts ---


def rects(svg: str) -> list[dict[str, float]]:
    found = ElementTree.fromstring(svg).iter("rect")  # noqa: S314 - our own text
    return [{name: float(rect.get(name, 0)) for name in ("x", "y", "width", "height")} for rect in found]


def test_bars_are_as_long_as_their_values() -> None:
    one, two, none = rects(charts.bars(NAME, [Bar("a", 1.0, "1"), Bar("b", 2.0, "2"), Bar("c", 0.0, "0")]))
    assert two["width"] == pytest.approx(2 * one["width"], rel=0.01)
    assert none["width"] == 0


def test_a_waterfall_goes_on_where_it_stopped_and_ends_at_its_total() -> None:
    rows = [Bar("income", 10.0, "10"), Bar("cost", -4.0, "-4"), Bar("loss", -8.0, "-8"), Bar("profit", -2.0, "-2")]
    income, cost, loss, profit = rects(charts.waterfall(NAME, rows, frozenset({0, 3})))
    assert cost["x"] + cost["width"] == pytest.approx(income["x"] + income["width"], abs=0.2)
    assert loss["x"] + loss["width"] == pytest.approx(cost["x"], abs=0.2)
    assert profit["x"] == pytest.approx(loss["x"], abs=0.2)
    assert profit["x"] + profit["width"] == pytest.approx(income["x"], abs=0.2)


def test_a_heat_map_tells_empty_from_zero() -> None:
    svg = charts.heatmap(NAME, ["M0", "M1"], [[0.0, 1.0], [None, None]], ("to", "from"))
    cells = [text.text for text in ElementTree.fromstring(svg).iter("text")][-6:]  # noqa: S314
    assert cells.count("·") == 1 and cells.count("–") == 2 and cells.count("100") == 1


def test_a_line_breaks_where_nothing_is_known() -> None:
    svg = charts.curves(NAME, [Series("a", [0.1, None, 0.3, 0.4])], [(0, "0")], lambda value: f"{value}", "")
    runs = [line.get("points", "").split() for line in ElementTree.fromstring(svg).iter("polyline")]  # noqa: S314
    assert [len(run) for run in runs] == [2, 2]


@given(low=st.floats(-1e9, 0), high=st.floats(0, 1e9))
@example(low=0.0, high=5e-324)
def test_ticks_span_what_is_drawn_and_stay_few(low: float, high: float) -> None:
    marks = charts.nice_ticks(low, high)
    slack = max((high - low) * 1e-6, 1e-12)  # what lies closer together is drawn as one
    assert marks[0] <= low + slack and marks[-1] >= high - slack
    assert 2 <= len(marks) <= 8 and marks == sorted(set(marks))


LABELS = st.text(string.printable + "逾期", max_size=40)
NUMBERS = st.text("0123456789.%", max_size=12)


@given(st.lists(st.tuples(LABELS, st.floats(0, 1e12), NUMBERS), min_size=1, max_size=12))
def test_bars_stay_on_the_sheet_and_any_label_is_text(rows: list[tuple[str, float, str]]) -> None:
    clean = [(re.sub(r"[\x00-\x1f]", "", label), value, text) for label, value, text in rows]
    svg = charts.bars(NAME, [Bar(*row) for row in clean])
    assert all(bar["x"] >= 0 and bar["x"] + bar["width"] <= WIDTH + 0.1 for bar in rects(svg))


def test_ticks_of_months_end_with_the_last() -> None:
    names = [f"m{number}" for number in range(24)]
    assert charts.spread_ticks(names, 5)[-1] == (23, "m23")
    assert len(charts.spread_ticks(names, 5)) <= 5
    assert charts.spread_ticks(["only"], 5) == [(0, "only")]


# --- texts ---


def test_both_languages_have_every_text_with_the_same_places() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    keys = {key for key in english if key.startswith("report.")}
    assert keys == {key for key in chinese if key.startswith("report.")}
    for key in keys:
        places = [
            {name for _, name, _, _ in string.Formatter().parse(text[key]) if name} for text in (english, chinese)
        ]
        assert places[0] == places[1], key


def test_every_key_that_the_code_names_is_in_the_catalogue() -> None:
    missing = []
    for file in files("evenkeel.pipeline.report").iterdir():
        if not file.name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                key = node.args[0].value
                if not isinstance(key, str):
                    continue
                full = f"report.{key}" if called == "say" else key
                if called in ("say", "text") and full not in catalogue("en"):
                    missing.append(f"{file.name}: {full}")
    assert missing == []
