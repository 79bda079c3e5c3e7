"""Lessons as they are shown: right in number, complete in both languages, and honest about what they rest on."""

import json
import re
from dataclasses import asdict
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evenkeel.accounts.products.reading import parse_product, shipped
from evenkeel.cli.application import Application
from evenkeel.cli.main import commands
from evenkeel.decisions.cost import ByMinimum
from evenkeel.decisions.requests import Cost
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, catalogue, texts
from evenkeel.learning import catalogue as lessons
from evenkeel.learning import figures, working
from evenkeel.learning.facts import Facts, read_facts
from evenkeel.learning.lesson import Lesson, in_words, lesson, lesson_by_id
from evenkeel.learning.line import bill_line, purchase_line
from evenkeel.learning.shown import shown
from evenkeel.learning.stories import story, story_ids
from evenkeel.learning.trial import HOLDOUT, LEARNING_1, LESSON, arm_of

KNOWN: dict[str, dict[str, Any]] = {
    "fee_rate": {"amount_minor": 699_900, "instalments": 12, "fee_rate_per_period": "0.006"},
    "next_purchase": {"amount_minor": 159_900, "plan_monthly_minor": 120_000, "plan_balance_minor": 2_800_000},
    "daily_rate": {"rate_daily": "0.0005"},
    "minimum": {"bill_minor": 3_200_000, "on": "2026-03-24"},
    "borrow_to_repay": {"missed_minor": 480_000, "loan_rate_daily": "0.0009"},
    "call_first": {"missed_minor": 62_000},
    "plan_terms": {"plan_monthly_minor": 80_000, "left_minor": 110_000},
    "collectors": {"calls_today": 5},
    "repair": {"agent_fee_minor": 300_000, "plan_monthly_minor": 100_000},
}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *KNOWN.items(),
    ("next_purchase", {"amount_minor": 100, "plan_monthly_minor": 30}),
    ("daily_rate", {"rate_daily": "0.0005", "amount_minor": 5, "currency": "USD"}),
    ("minimum", {"bill_minor": 5_000, "product": "pay_later"}),
    ("minimum", {"bill_minor": 50_000_000, "rate_annual": "3"}),
    ("minimum", {"bill_minor": 1_000_000, "product": "bearing"}),
    ("minimum", {"bill_minor": 10**13, "product": "card_us", "currency": "USD"}),
    ("borrow_to_repay", {"missed_minor": 480_000, "loan_rate_daily": "0", "product": "pay_later"}),
    ("call_first", {"missed_minor": 480_000, "product": "pay_later"}),
    ("plan_terms", {"plan_monthly_minor": 130_000, "left_minor": 90_000}),
    ("collectors", {"calls_today": 3}),
    ("collectors", {}),
    ("repair", {}),
    ("repair", {"agent_fee_minor": 1, "on": "2026-03-31", "item_on": "2025-12-31", "item_minor": 1_000_000}),
    ("repair", {"item_on": "2020-01-01", "item_minor": 5, "repaid_on": "2026-03-31"}),
    ("repair", {"item_on": "2019-12-31", "item_minor": 5, "repaid_on": "2026-03-31"}),
]


@pytest.fixture(autouse=True)
def bearing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product beside those that are shipped: its purchases bear interest at once."""
    text = json.loads(shipped("flexible").text)
    rates = [*text["rates"], {"segment": "purchase", "rate_annual": "0.365"}]
    made = parse_product(json.dumps(text | {"cost_cap_annual": None, "product_id": "bearing", "rates": rates}))
    monkeypatch.setattr(working, "shipped", lambda name: made if name == "bearing" else shipped(name))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "facts"), VARIANTS)
def test_every_lesson_fits_a_screen(name: str, facts: dict[str, Any], language: str) -> None:
    found = lesson_by_id(name, read_facts(facts), language)
    assert not found.example
    assert 2 <= len(found.lines) <= 5
    assert found.sources and found.evidence and found.todo and found.figure.bars
    told = in_words(found)
    assert "{" not in told and "None" not in told
    assert all(len(line) <= (170 if language == "en" else 80) for line in (found.title, *found.lines, found.todo))
    assert json.loads(json.dumps(asdict(found)))["figure"]["bars"]


def test_every_sentence_is_said_by_some_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()
    plainly = type(texts("en")).gettext

    def heard(self: Any, key: str) -> str:
        used.add(key)
        return plainly(self, key)

    monkeypatch.setattr(type(texts("en")), "gettext", heard)
    for name, facts in VARIANTS:
        in_words(lesson_by_id(name, read_facts(facts), "en"))
    for moment in lessons.MOMENTS:
        lesson(moment, Facts(), "en")
    for one in story_ids():
        story(one, "en")
    rest = ("learn.moment.", "learn.mark.", "learn.list.", "learn.cases.", "learn.withheld")
    idle = {key for key in catalogue("en") if key.startswith("learn.") and not key.startswith(rest)} - used
    assert {key for key in idle if not key.endswith(".name")} == set()


@pytest.mark.parametrize("name", list(KNOWN))
def test_a_moment_shows_the_first_lesson_whose_facts_are_known(name: str) -> None:
    entry = lessons.entry_of(name)
    for moment in entry.moments:
        found = lesson(moment, read_facts(KNOWN[name]), "zh")
        assert (found.id, found.moment, found.example) == (name, moment, False)
        bare = lesson(moment, Facts(), "zh")
        assert bare.example == bool(lessons.entry_of(bare.id).needs)
        assert bare.example == (bare.lines[0] == texts("zh")("learn.example"))


def numbers(found: Lesson) -> str:
    return " ".join((found.title, *found.lines))


def test_a_lesson_tells_the_numbers_of_its_figures() -> None:
    fee = numbers(lesson_by_id("fee_rate", read_facts(KNOWN["fee_rate"] | {"on": "2026-03-02"}), "en"))
    for number in ("7.2 %", "13.03 %", "13.76 %", "6,999.00 CNY", "503.88 CNY", "625.24 CNY"):
        assert number in fee
    spread = figures.by_fee(699_900, 12, Fraction(6, 1000), date(2026, 3, 2))
    assert (spread.cost_minor, spread.first_minor) == (50_388, 62_524)
    shoes = numbers(lesson_by_id("next_purchase", read_facts(KNOWN["next_purchase"] | {"plan_rate_annual": "0"}), "en"))
    assert "1.3 such payments" in shoes and "after 25 months instead of 24" in shoes
    over = numbers(lesson_by_id("plan_terms", read_facts({"plan_monthly_minor": 130_000, "left_minor": 90_000}), "zh"))
    assert "每月差400.00元" in over
    calls = numbers(lesson_by_id("collectors", read_facts({"calls_today": 5}), "zh"))
    assert "超过2次" in calls


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"item_on": "2020-01-01", "item_minor": 1_000_000, "repaid_on": "2026-03-31"}, "符合条件：请查看"),
        ({"item_on": "2025-12-31", "item_minor": 1_000_000, "repaid_on": "2026-03-31"}, "符合条件：请查看"),
        ({"item_on": "2019-12-31", "item_minor": 1_000_000, "repaid_on": "2026-03-31"}, "不符合条件"),
        ({"item_on": "2026-01-01", "item_minor": 1_000_000, "repaid_on": "2026-03-31"}, "不符合条件"),
        ({"item_on": "2023-05-10", "item_minor": 1_000_001, "repaid_on": "2026-03-31"}, "不符合条件"),
        ({"item_on": "2023-05-10", "item_minor": 1_000_000, "repaid_on": "2026-04-01"}, "不符合条件"),
        ({"item_on": "2023-05-10", "item_minor": 1_000_000}, "不符合条件"),
        ({"item_on": "2023-05-10", "item_minor": 1_000_000, "on": "2026-03-31"}, "如在2026-03-31前全额还清"),
    ],
)
def test_the_clearing_of_records_is_as_the_announcement_says(facts: dict[str, Any], says: str) -> None:
    assert says in numbers(lesson_by_id("repair", read_facts(facts), "zh"))


def test_a_product_of_another_currency_is_not_mixed_in() -> None:
    with pytest.raises(InvalidInput, match="card_us is in USD"):
        lesson_by_id("minimum", read_facts({"bill_minor": 5, "product": "card_us"}), "en")


def test_standards_are_named_as_what_they_are() -> None:
    for language, recommended, own in (
        ("zh", "推荐性国家标准", "行业自律"),
        ("en", "a recommended standard", "self-regulation"),
    ):
        told = in_words(lesson_by_id("collectors", Facts(), language))
        assert recommended in told and own in told
    assert "不是权利" in in_words(lesson_by_id("plan_terms", Facts(), "zh"))


def test_a_lesson_on_chinese_rules_is_not_told_elsewhere() -> None:
    with pytest.raises(InvalidInput, match="offered_repair"):
        lesson("offered_repair", Facts(jurisdiction="UK"), "en")
    assert lesson("at_purchase", Facts(jurisdiction="UK-SCT"), "en").id == "daily_rate"


@pytest.mark.parametrize(
    "wrong",
    [{"name": "x"}, {"amount_minor": 0}, {"rate_daily": "-0.1"}, {"rate_daily": "NaN"}, {"rate_daily": "0.000000001"},
     {"rate_annual": "11"}, {"instalments": 121}, {"currency": "yuan"}],
)  # fmt: skip
def test_facts_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_facts(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_stories_have_their_numbers_from_their_lessons(language: str) -> None:
    assert len(story_ids()) >= 6
    for name in story_ids():
        told = story(name, language)
        written = texts(language).gettext(f"learn.case.{name}.story")
        assert len(re.findall(r"\{\w+\}", written)) >= 3
        assert not re.search(r"\d[\d,]*(\.\d+)?\s*(%|CNY|元)", re.sub(r"\{\w+\}", "", written))
        assert "{" not in "".join(told.paragraphs) and len(told.paragraphs) == 3
        assert not told.lesson.example
    with pytest.raises(InvalidInput, match="phone"):
        story("nothing", language)


def test_the_line_at_a_purchase_and_before_a_bill_are_of_one_mould() -> None:
    least = ByMinimum(100_000, 31, 123_415)
    for language in LANGUAGES:
        bought = purchase_line(Cost(date(2026, 3, 25), 50_000, 1_050_000, 0, least), "CNY", language)
        billed = bill_line(shipped("card"), 1_000_000, date(2026, 3, 2), language)
        assert bought.startswith(billed)
        assert "2026-03-25" in billed and "1,234.15" in billed
        assert "\n" not in billed


def test_a_better_sentence_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = lessons.entry_of("repair").version
    said = {language: dict(catalogue(language)) for language in LANGUAGES}
    said["zh"]["learn.repair.law"] += "。"
    monkeypatch.setattr(lessons, "catalogue", said.__getitem__)
    after = {entry.id: entry.version for entry in lessons.entries.__wrapped__()}
    assert after["repair"] != before
    assert after["minimum"] == lessons.entry_of("minimum").version


def test_the_fact_of_a_lesson_names_version_and_arm_and_nothing_of_the_person() -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    found = lesson("day_before_bill", read_facts(KNOWN["minimum"]), "zh")
    seen = {shown(found, f"b{number}", at, LEARNING_1).payload["shown"] for number in range(20)}
    assert seen == {True, False}
    fact = shown(found, "b1", at, LEARNING_1)
    assert fact == shown(found, "b1", at, LEARNING_1)
    assert fact.kind == "lesson_shown" and fact.payload["arm"] == arm_of("b1", LEARNING_1)
    assert fact.payload["shown"] == (arm_of("b1", LEARNING_1) == LESSON) == (arm_of("b1", LEARNING_1) != HOLDOUT)
    assert set(fact.payload) == {"lesson", "version", "moment", "language", "example", "trial", "arm", "shown"}
    assert "32,000" not in json.dumps(dict(fact.payload), ensure_ascii=False)


# ---- The command -----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    application = Application(None, None, lambda: datetime(2026, 3, 2, tzinfo=UTC), None)
    return CliRunner().invoke(commands(""), ["learn", *arguments], obj=application)


def test_the_command_lists_shows_and_tells(tmp_path: Path) -> None:
    assert "fee_rate" in run().output and "分期手续费" in run("--lang", "zh").output
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"amount_minor": 699_900, "instalments": 12, "fee_rate_per_period": 0.006}))
    document = json.loads(run("at_purchase", "--facts", str(file), "--json", "--lang", "en,zh").output)
    assert [one["language"] for one in document["lessons"]] == ["en", "zh"]
    assert document["lessons"][0]["example"] is False
    assert "13.03%" in run("fee_rate", "--facts", str(file), "--lang", "zh").output
    assert "A phone in twelve parts" in run("cases").output
    assert "13.03 %" in run("cases", "phone").output
    assert len(json.loads(run("cases", "--json").output)["cases"]) == len(story_ids())
    assert {one["id"] for one in json.loads(run("--json").output)["lessons"]["en"]} == set(KNOWN)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    for content in ("[1]", "{", '{"amount_minor": -1}'):
        bad.write_text(content)
        assert isinstance(run("fee_rate", "--facts", str(bad)).exception, InvalidInput)
    assert run("nothing").exception is not None
    assert run("fee_rate", "phone").exception is not None
    assert run("fee_rate", "--facts", str(tmp_path / "none.json")).exception is not None
