"""The validation page: whole in itself, safe, in both languages, the same bytes, honest where figures are missing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defusedxml import ElementTree

from evenkeel.kernel.text import catalogue, texts
from evenkeel.pipeline.report.format import Format
from evenkeel.pipeline.validation.model import _parts
from evenkeel.pipeline.validation.page import findings, page, write_validation
from evenkeel.pipeline.validation.words import Words
from evenkeel.scoring.scorecard import Feature
from evenkeel.scoring.validation import Judged, Validation, labels, validate
from model_samples import FEATURES, applicants, card

HOSTILE = "<script>alert('x')</script>&\"{x}"
ROWS = 4000
COLUMNS, BAD, TRUE = applicants(ROWS, 5)
RNG = np.random.default_rng(1)
LANGUAGES = ("en", "zh")


def full(**groups: Any) -> Validation:
    model = card(target=HOSTILE, guards=[{"guard": "leak", "column": HOSTILE}], overrides=[{"by": HOSTILE}])
    p = model.probability(COLUMNS)
    month = np.array([f"2024-{number:02d}" for number in RNG.integers(1, 5, ROWS)])
    given = {HOSTILE: np.where(RNG.random(ROWS) < 0.4, HOSTILE, "M"), **groups}
    former = np.clip(p * RNG.lognormal(0, 0.5, ROWS), 0, 1)
    return validate(model, Judged(COLUMNS, p, BAD, month, given, {HOSTILE: TRUE}, former), how=f"Apart. {HOSTILE}")


@pytest.fixture(scope="module")
def found() -> Validation:
    return full()


@pytest.fixture(scope="module")
def bare() -> Validation:
    model = card(features=FEATURES[1:2])
    return validate(model, Judged(COLUMNS, model.probability(COLUMNS), BAD), how="Apart.")


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src", "xlink:href") and value:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_in_itself_and_nothing_in_it_runs(found: Validation, language: str) -> None:
    html = page(found, language)
    seen = read(html)
    assert "script" not in seen.tags and "b" not in seen.tags and "img" not in seen.tags
    assert HOSTILE in "".join(seen.words)
    assert all(link.startswith("#") for link in seen.links)
    assert "default-src 'none'" in html
    assert len(seen.ids) == len(set(seen.ids))
    assert {link[1:] for link in seen.links} <= set(seen.ids)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_is_sound_xml_with_a_name(found: Validation, language: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", page(found, language), re.S)
    assert len(charts) == 4 + 1 + 3 + len(found.features) + len(found.pairs) + len(found.fairness) + 1 + 1
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert root.findtext("title") and root.findtext("desc")
        assert "nan" not in chart and "None" not in chart


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_not_given_is_said_and_draws_no_empty_chart(bare: Validation, language: str) -> None:
    html, say = page(bare, language), texts(language)
    for part in ("months", "pairs", "fairness", "benchmark", "swaps"):
        assert say(f"validation.{part}.none") in html
    assert html.count("<svg") == 4 + 1 + 1
    assert "nan" not in "".join(read(html).words).lower().replace("finance", "")


def test_the_same_figures_give_the_same_bytes(found: Validation) -> None:
    assert page(found, "en") == page(found, "en")


def test_the_folder_holds_both_pages_and_the_figures(found: Validation, tmp_path: Path) -> None:
    write_validation(tmp_path, found, LANGUAGES)
    assert {path.name for path in tmp_path.iterdir()} == {"validation.html", "validation.zh.html", "validation.json"}
    assert json.loads((tmp_path / "validation.json").read_text()) == json.loads(json.dumps(found.document()))


def test_both_languages_have_the_same_keys_and_places() -> None:
    for prefix in ("validation.", "monitor."):
        keys = {language: {k for k in catalogue(language) if k.startswith(prefix)} for language in LANGUAGES}
        assert keys["en"] == keys["zh"]
        for key in keys["en"]:
            places = [set(re.findall(r"\{(\w+)\}", catalogue(language)[key])) for language in LANGUAGES]
            assert places[0] == places[1], key


def test_no_text_is_left_over() -> None:
    folder = Path(__file__).parents[2] / "src" / "evenkeel"
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    written = [re.sub(r"\\{.*?\\}", "[a-z_0-9]+", re.escape(text)) for text in re.findall(r'"([a-z_0-9.{}]+)"', code)]
    any_of = re.compile("|".join(sorted(set(written))))
    for key in catalogue("en"):
        room, _, rest = key.partition(".")
        if room in ("validation", "monitor", "model"):
            assert any_of.fullmatch(key) or any_of.fullmatch(rest), key


def words(language: str) -> Words:
    return Words(texts(language), Format(language, "XXX"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_three_findings(found: Validation, bare: Validation, language: str) -> None:
    for one in (found, bare):
        assert len(findings(words(language), one)) == 3
        assert all(line and "{" not in line.replace(HOSTILE, "") for line in findings(words(language), one))


def test_a_group_that_is_approved_too_rarely_is_a_finding() -> None:
    utilisation = COLUMNS["utilisation"].to_numpy()
    unequal = full(kind=np.where(utilisation > 0.6, "deep", "light"))
    assert "`deep`" in findings(words("en"), unequal)[2]


def test_bins_are_named_in_both_languages_to_four_digits() -> None:
    feature = Feature("x", "x", np.array([-0.00123456, 1234.5678, np.nextafter(20000, np.inf)]), specials=(99.0,))
    assert [words("en").label(label).replace("\u00a0", " ") for label in labels(feature)] == [
        "< −0.001235", "−0.001235 to < 1235", "1235 to ≤ 20000", "> 20000", "code 99", "missing"]  # fmt: skip
    assert [words("zh").label(label).replace("\u00a0", " ") for label in labels(feature)] == [
        "(−inf, −0.001235)", "[−0.001235, 1235)", "[1235, 20000]", "(20000, inf)", "代码 99", "缺失"]  # fmt: skip


def test_a_level_called_missing_stands_for_itself_and_a_group_says_what_it_holds() -> None:
    feature = Feature("x", "x", levels=("missing", "north", "a name that is much too long to stand in a chart"))
    named = labels(feature)
    assert words("zh").label(named[0]) == "missing" and words("zh").label(named[-1]) == "缺失"
    assert words("en").joined(named) == "missing, north, a name that is much too long to stand in a chart …"
    assert words("en").short(named[1:2]) == "north" and words("en").short(named[2:3]) == "a name that is mu…"
    number = labels(Feature("x", "x", np.array([3.0, 7.0])))
    assert (
        words("en").short(number[1:]) == "3+ …"
        and words("en").joined(number[1:]).replace("\u00a0", " ") == "≥ 3, missing"
    )


def test_many_bins_are_drawn_as_ten_neighbourhoods_that_hold_every_row() -> None:
    model = card(features=(Feature("utilisation", "utilisation", np.linspace(0.02, 0.98, 60)),))
    bins = validate(model, Judged(COLUMNS, model.probability(COLUMNS), BAD), how="x").features[0].bins
    parts = _parts([entry for entry in bins if entry.rows])
    assert len(parts) == 10
    assert [entry for part in parts for entry in part] == [entry for entry in bins if entry.rows]
    sizes = [sum(entry.rows for entry in part) for part in parts]
    assert max(sizes) < 2 * min(sizes)
