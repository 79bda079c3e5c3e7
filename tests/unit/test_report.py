"""The report page: whole in itself, sound for every reader, honest where the book is silent, always the same bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from evenkeel.arrears.law import load_rules
from evenkeel.book.contract import TABLES
from evenkeel.book.faults import Effect, Fault, Quality, TableQuality
from evenkeel.book.model import Book, Manifest
from evenkeel.kernel.text import texts
from evenkeel.pipeline.loop import Loop, Settings, run_loop
from evenkeel.pipeline.report.findings import findings
from evenkeel.pipeline.report.page import page, write_reports
from evenkeel.policy.sources import shipped

HOSTILE = "<script>alert('x')</script>&"
HOSTILE_LENDER = '"><img src=https://example.org/x onerror=alert(1)>'
MONTHS = [f"2024-{month:02d}" for month in range(1, 10)]
VOID = {"meta", "br", "img", "hr", "link", "input", "rect", "circle", "line", "polyline", "polygon"}


# --- a book of a dozen borrowers, one of whom falls overdue on both lines ---


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    found = {entry.name: entry for entry in (TABLES.values() if isinstance(TABLES, Mapping) else TABLES)}
    return pa.Table.from_pylist(rows, schema=found[name].schema())


def tiny_book() -> Book:
    people = [HOSTILE, *(f"b{number:02d}" for number in range(11))]
    accounts, periods, events = [], [], []
    for place, person in enumerate(people):
        for line in range(2):
            account = f"{person}/{line}"[-40:] if place else f"hostile/{line}"
            accounts.append(
                {
                    "account_id": account, "borrower_id": person, "lender_id": f"lender{line}", "product": "card",
                    "opened_on": date(2023, 12, 1), "status": "active", "limit_minor": 1_000_000, "rate_annual": 0.18,
                }
            )  # fmt: skip
            for step, month in enumerate(MONTHS):
                late = max(0, step - 5 - line) if place == 0 else 0
                periods.append(
                    {
                        "account_id": account, "month": month, "on_book": True, "balance_minor": 500_000 + 1_000 * step,
                        "limit_minor": 1_000_000, "paid_minor": 0 if late else 50_000, "min_due_minor": 50_000,
                        "interest_minor": 7_000, "fee_minor": 0, "dpd_low": 30 * late, "dpd_high": 30 * late,
                        "spend_minor": 20_000,
                    }
                )  # fmt: skip
        events += [
            {
                "event_id": f"e{place}-{month}", "kind": "income", "borrower_id": person,
                "effective_at": datetime.fromisoformat(f"{month}-08").replace(tzinfo=UTC),
                "amount_minor": 100_000 if place == 0 and month > "2024-04" else 600_000,
            }
            for month in MONTHS
        ]  # fmt: skip
    parties = [
        {"party_id": f"lender{n}", "role": "lender", "actor_type": "bank", "name": HOSTILE_LENDER} for n in (0, 1)
    ]
    borrowers = [{"borrower_id": person, "income_declared_minor": 700_000, "dependants": 1} for person in people]
    tables = {
        "accounts": table("accounts", accounts), "periods": table("periods", periods),
        "events": table("events", events), "parties": table("parties", parties),
        "borrowers": table("borrowers", borrowers),
    }  # fmt: skip
    return Book(Manifest(date(2024, 9, 30), lender_name=f"Bank {HOSTILE}", source="a test"), tables)


@pytest.fixture(scope="module")
def silent() -> Loop:
    """A loop over a book too small for a model or a warning."""
    book = tiny_book()
    return run_loop(book, "d" * 64, Settings(shipped("limit").program, load_rules()))


@pytest.fixture(scope="module")
def told(silent: Loop) -> Loop:
    """The same with a model and a warning, so that every section has something to show."""
    interval = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "ks": 0.4, "ks_low": 0.3, "ks_high": 0.5,
                "brier": 0.05, "brier_low": 0.04, "brier_high": 0.06}  # fmt: skip
    model = interval | {
        "bad_rate": 0.05, "rows_train": 900, "rows_holdout": 100, "how": "a test",
        "features": [{"name": f"x_{HOSTILE}", "concept": f"x_{HOSTILE}", "information_value": 0.4},
                     {"name": "utilisation", "concept": "utilisation", "information_value": 0.2}],
        "calibration": [{"predicted": 0.01, "observed": 0.0, "low": 0.0, "high": 0.03, "rows": 50},
                        {"predicted": 0.20, "observed": 0.3, "low": 0.1, "high": 0.50, "rows": 50}],
    }  # fmt: skip
    warning = {
        "borrowers": 11, "horizon_months": 3, "base_rate": 0.04, "auc": 0.8, "auc_low": 0.7, "auc_high": 0.9,
        "judged_on": ["2024-06"], "rows_train": 90, "rows_holdout": 11, "how": "a test", "spread": None,
        "precision": [{"top_share": share, "borrowers": 1, "precision": 0.2, "low": 0.1, "high": 0.4, "lift": 5.0}
                      for share in (0.01, 0.05, 0.10)],
    }  # fmt: skip
    return replace(silent, portfolio={**silent.portfolio, "model": model, "warning": warning})


QUALITY = Quality(
    "2024-09-30",
    {"accounts": TableQuality(25, 24, 1, 0)},
    (Fault("accounts", "type", Effect.SET_ASIDE, 3, "limit_minor", HOSTILE, {"wanted": "a whole number"}),),
    (f"a note {HOSTILE}",),
)


class Reader(HTMLParser):
    """Walks a page as a browser would and keeps what the tests ask about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.attributes if (value := attrs.get(name)) is not None]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found
    return found[0]


def pages(silent: Loop, told: Loop) -> list[str]:
    return [page(loop, QUALITY, language, HOSTILE) for loop in (silent, told) for language in ("en", "zh")]


# --- the page asks nobody for anything ---


def test_a_page_makes_no_request_and_runs_no_script(silent: Loop, told: Loop) -> None:
    for html in pages(silent, told):
        reader = read(html)
        assert all(target.startswith("#") for target in reader.values("href"))
        assert reader.values("src") == []
        assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(reader.tags)
        assert not [name for _, attrs in reader.attributes for name in attrs if name.startswith("on")]
        style = html[html.index("<style>") : html.index("</style>")]
        assert "url(" not in style and "@import" not in style and "@font-face" not in style
        policy = next(a["content"] for _, a in reader.attributes if a.get("http-equiv") == "Content-Security-Policy")
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_what_a_book_says_is_text_and_never_markup(silent: Loop, told: Loop) -> None:
    for html in pages(silent, told):
        assert "<script" not in html and "<img" not in html
        assert escape(HOSTILE, quote=False).replace("'", "&#39;") in html
        assert "&lt;img src=https://example.org/x" in html


# --- every reader can use it ---


def test_landmarks_headings_and_tables_carry_the_structure(silent: Loop, told: Loop) -> None:
    for html in pages(silent, told):
        reader = read(html)
        assert [reader.tags[tag] for tag in ("h1", "main", "header", "footer", "nav")] == [1] * 5
        levels = [int(tag[1]) for tag, _ in reader.attributes if re.fullmatch(r"h[1-6]", tag)]
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert all("scope" in attrs for tag, attrs in reader.attributes if tag == "th")
        assert reader.tags["table"] == reader.tags["caption"]
        ids = reader.values("id")
        assert len(ids) == len(set(ids))
        named = [word for value in reader.values("aria-labelledby") for word in value.split()]
        assert set(named) | {target[1:] for target in reader.values("href")} <= set(ids)


def test_every_chart_names_itself_and_stands_beside_its_numbers(told: Loop) -> None:
    for language in ("en", "zh"):
        html = page(told, QUALITY, language, HOSTILE)
        charts = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
        assert len(charts) >= 14
        for chart in charts:
            root = ElementTree.fromstring(chart)  # noqa: S314 - our own text
            assert root.get("role") == "img" and root.get("viewBox", "").startswith("0 0 460 ")
            title, desc = root[0], root[1]
            assert (title.tag, desc.tag) == ("title", "desc") and title.text and desc.text
            assert not re.search(r'"[^"]*\b(nan|inf)\b', chart)
        for figure in re.findall(r"<figure.*?</figure>", html, re.DOTALL):
            assert "<table>" in figure


def test_the_chinese_page_is_chinese(told: Loop) -> None:
    html = page(told, QUALITY, "zh", HOSTILE)
    assert '<html lang="zh-Hans">' in html
    heads = re.findall(r"<h[2-4][^>]*>(?:<span[^>]*>\d</span> )?([^<]+)<", html)
    assert heads and all(re.search(r"[\u4e00-\u9fff]", head) for head in heads)


# --- it is honest ---


def test_a_part_without_data_says_so_and_shows_no_empty_chart(silent: Loop) -> None:
    assert silent.portfolio["model"] is None and silent.portfolio["warning"] is None
    html = page(silent, QUALITY, "en")
    for name in ("score", "warn"):
        part = section(html, name)
        assert 'class="absent"' in part and "<svg" not in part and "<table" not in part
    needs = section(html, "unknown")
    for need in silent.portfolio["not_available"]:
        assert f"report.part.{need['part']}" in texts("en"), need
    assert needs.count("<tr>") == len(silent.portfolio["not_available"]) + 1


def test_faults_are_counted_by_kind_with_the_first_in_words() -> None:
    from evenkeel.pipeline.report.closing import data
    from evenkeel.pipeline.report.format import Format
    from evenkeel.pipeline.report.view import View

    view = View(None, texts("en"), Format("en", "CNY"))  # type: ignore[arg-type]  # the section reads no loop
    found = data(view, QUALITY)
    assert found.tables[0].rows == (("accounts", "25", "24", "1"),)
    ((place, effect, count, _),) = found.tables[1].rows
    assert (place, effect, count) == ("accounts.limit_minor", "row set aside", "1")


# --- findings ---


@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_are_three_findings_whatever_the_book_holds(silent: Loop, told: Loop, language: str) -> None:
    for loop in (silent, told):
        found = findings(loop.portfolio, language)
        assert len(found) == len(set(found)) == 3


def test_findings_follow_the_numbers(told: Loop) -> None:
    warning = told.portfolio["warning"]
    strong = [{**top, "precision": 0.9, "lift": 22.5} for top in warning["precision"]]
    weak = [{**top, "precision": 0.04, "lift": 1.0} for top in warning["precision"]]
    said = findings({**told.portfolio, "warning": {**warning, "precision": strong}}, "en")
    assert any("22.5 times" in line and "90.0\u00a0%" in line for line in said)
    assert not any(
        "warning" in line for line in findings({**told.portfolio, "warning": {**warning, "precision": weak}}, "en")
    )


# --- the story ---


def test_the_story_tells_each_month_and_every_stages_word(told: Loop) -> None:
    part = section(page(told, QUALITY, "en", HOSTILE), "story").replace('<span class="w">', "").replace("</span>", "")
    for month in MONTHS:
        assert month in part
    assert "income falls from 6,000.00\u00a0CNY to 1,000.00\u00a0CNY" in part
    assert "The first line is overdue at the end of 2024-07." in part
    assert "all 2 lines are overdue" in part
    for chapter in ("months", "granted", "scored", "warned", "caused", "treated", "planned", "cost"):
        assert f'id="story-{chapter}"' in part


def test_a_borrower_who_is_not_in_the_book_has_no_story(told: Loop) -> None:
    assert 'id="story"' not in page(told, QUALITY, "en", "somebody else")
    assert 'id="story"' not in page(told, QUALITY, "en")


# --- files ---


def test_the_same_loop_gives_the_same_bytes_in_the_files_of_the_languages_asked_for(told: Loop, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_reports(tmp_path / "one", told, QUALITY, ("en", "zh"), HOSTILE)
    write_reports(tmp_path / "two", told, QUALITY, ("zh",), HOSTILE)
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["report.html", "report.zh.html"]
    assert [file.name for file in (tmp_path / "two").iterdir()] == ["report.zh.html"]
    assert (tmp_path / "one/report.zh.html").read_bytes() == (tmp_path / "two/report.zh.html").read_bytes()
    again = page(
        run_loop(tiny_book(), "d" * 64, Settings(shipped("limit").program, load_rules())), QUALITY, "en", HOSTILE
    )
    assert again == page(
        replace(told, portfolio={**told.portfolio, "model": None, "warning": None}), QUALITY, "en", HOSTILE
    )
