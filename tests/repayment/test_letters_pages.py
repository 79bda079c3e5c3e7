"""Letters: every kind in both languages, on paper and as plain text, with the amounts that went in."""

import json
import re
import struct
import zlib
from datetime import date
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pylopdf_fonts_zh_cn as faces
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from evenkeel.kernel.capitals import capitals
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import LANGUAGES, catalogue, texts
from evenkeel.repayment.case import Policy
from evenkeel.repayment.letters import KINDS, Letter, Parties, Party, document_of, letters_of, pdf, pictures, text
from evenkeel.repayment.letters.words import BINDS
from evenkeel.repayment.model import Asked, Chance, Claim, Cut, Part, Plan

ON = date(2026, 3, 2)
FIGURES = re.compile("[0-9A-Z,.%–-]{4,}")
LONG = {
    "zh": "某某省某某市某某区消费金融服务有限责任公司个人信贷业务部资产保全管理中心第一服务组",
    "en": "The Extraordinarily Long Named Credit Co",
}


def monthly(count: int, amount: int, step: int = 0) -> list[dict[str, Any]]:
    return [
        {"due_on": f"{2026 + (place + 3) // 12}-{(place + 3) % 12 + 1:02d}-11", "amount_minor": amount + step * place}
        for place in range(count)
    ]


def plan_document() -> dict[str, Any]:
    """A household with everything that a letter can be about."""
    return {
        "currency": "CNY", "status": "feasible", "cause": "job_lost", "since_on": "2026-01-15", "months": 6,
        "beside": "what others read",
        "debts": [
            {"debt_id": "card", "creditor": "bank", "lender_type": "bank_card", "balance_minor": 4_812_345,
             "components": {"fees": 12_345, "penalty": 100_000, "interest": 700_000, "principal": 4_000_000},
             "days_past_due": 63, "offer_minor": 50_000, "payments": [*monthly(48, 98_765)],
             "asked": {"waived": {"fees": 12_345, "penalty": 100_000}, "rate_annual": 0.06,
                       "rules": ["CN-CARD-070", "XX-UNKNOWN"]}},
            {"debt_id": "card-2", "creditor": "bank", "lender_type": "bank_card", "balance_minor": 1_000_000,
             "components": {"principal": 1_000_000}, "payments": monthly(24, 41_667), "asked": {"rate_annual": 0}},
            {"debt_id": "friend", "creditor": "somebody", "lender_type": "private", "balance_minor": 880_000,
             "disputed": "amount", "claimed_minor": 990_000,
             "cuts": [{"component": "interest", "amount_minor": 110_000, "rule": "CN-RATE-4LPR"}]},
            {"debt_id": "line", "creditor": "platform", "lender_type": "platform", "disputed": "identity",
             "claimed_minor": 123_400, "cuts": [{"component": name, "amount_minor": 1, "rule": "CN-CARD-070"}
                      for name in ("fees", "penalty", "principal")]},
            {"debt_id": "whole", "creditor": "platform", "lender_type": "platform", "disputed": "all"},
            {"debt_id": "fees", "creditor": "platform", "lender_type": "platform", "disputed": "fees"},
            {"debt_id": "unknown", "creditor": "finance", "lender_type": "consumer_finance"},
            {"debt_id": "small", "creditor": "micro", "lender_type": "micro_loan", "balance_minor": 500_000,
             "settle_minor": 350_000, "settle_on": "2026-04-01",
             "payments": [{"due_on": "2026-04-01", "amount_minor": 350_000}]},
            {"debt_id": "done", "creditor": "bank-b", "lender_type": "bank_loan", "balance_minor": 0,
             "paid_minor": 2_345_678, "cleared_on": "2026-02-11"},
            {"debt_id": "as-it-is", "creditor": "bank-b", "lender_type": "bank_loan", "balance_minor": 300_000,
             "payments": monthly(3, 101_000)},
        ],
    }  # fmt: skip


PARTIES = Parties(
    Party("李小满", ("上海市某某路1号201室", "138 0000 0000")),
    {"bank": Party("某某银行信用卡中心", ("上海市某某路100号",))},
    {"card": "6222 **** **** 1234"},
)


def every(language: Any, document: dict[str, Any] | None = None) -> list[Letter]:
    given_document = document or plan_document()
    return [letter for kind in KINDS for letter in letters_of(given_document, PARTIES, language, ON, kind)]


def told(letter: Letter) -> str:
    """All text of a letter's PDF, without what line breaks and faces put between characters."""
    pages = PdfReader(BytesIO(pdf(letter))).pages
    return re.sub(r"[\s​]", "", "".join(page.extract_text() for page in pages))


@cache
def advances(face: str) -> dict[int, float]:
    """How wide each character of a face is, as a share of its size."""
    font = TTFont(faces.sans_path() if "Sans" in face else faces.serif_path(), lazy=True)
    widths, units = font["hmtx"], font["head"].unitsPerEm
    return {code: widths[glyph][0] / units for code, glyph in font.getBestCmap().items()}


def overlaps(letter: Letter) -> list[tuple[str, str]]:
    """Figures that do not end before the next text on their height begins, by the font's own widths."""
    found: list[tuple[str, str]] = []
    for page in PdfReader(BytesIO(pdf(letter))).pages:
        runs: list[tuple[float, float, float, str]] = []

        def run(words: str, place: Any, _: Any, font: Any, size: float, runs: Any = runs) -> None:
            if words.strip() and font and size <= 9:  # of tables
                wide = sum(advances(font["/BaseFont"]).get(ord(one), 0) for one in words.strip()) * size
                runs.append((round(place[5], 1), place[4], place[4] + wide, words.strip()))

        page.extract_text(visitor_text=run)
        for before, after in pairwise(sorted(runs)):
            if before[0] == after[0] and after[1] < before[2] + 0.5 and FIGURES.fullmatch(before[3]):
                found.append((before[3], after[3]))
        found += [
            ("the edge of the page", words)
            for _, _, end, words in runs
            if end > 595.3 - 66 and FIGURES.fullmatch(words)
        ]
    return found


def grey(png: bytes) -> Any:
    """The pixels of a PNG of 8-bit RGBA as (rows, columns) of 0 (black) to 255, by the PNG standard's own steps."""
    place, data, width, height = 8, b"", 0, 0
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", body[:10])
            assert (depth, colours) == (8, 6)
        data += body if kind == b"IDAT" else b""
        place += size + 12
    raw = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 4 * width)
    rows = np.zeros((height, width, 4), np.uint8)
    for row, line in enumerate(raw):
        pixels, above = line[1:].reshape(width, 4), rows[row - 1] if row else np.zeros((width, 4), np.uint8)
        match int(line[0]):
            case 0:
                rows[row] = pixels
            case 1:
                rows[row] = np.cumsum(pixels, axis=0, dtype=np.uint8)
            case 2:
                rows[row] = pixels + above
            case _:
                rows[row] = _slowly(int(line[0]), pixels, above)
    return rows[:, :, :3].min(axis=2)


def _slowly(kind: int, pixels: Any, above: Any) -> Any:
    done: list[list[int]] = []
    for column in range(len(pixels)):
        line = []
        for channel in range(4):
            left, up = (done[-1][channel] if column else 0), int(above[column][channel])
            corner = int(above[column - 1][channel]) if column else 0
            if kind == 3:
                guess = (left + up) // 2
            else:
                near = left + up - corner
                guess = min((left, up, corner), key=lambda one: abs(near - one))
            line.append((int(pixels[column][channel]) + guess) % 256)
        done.append(line)
    return np.array(done, np.uint8)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_written_in_every_language_with_its_amounts(language: str) -> None:
    letters = every(language)
    assert {letter.kind for letter in letters} == set(KINDS)
    for letter in letters:
        paper, plain = told(letter), re.sub(r"\s", "", text(letter))
        for amount in letter.amounts:
            figures = str(Money(amount.minor, "CNY")).split(" ")[0]
            for words in (figures, capitals(amount.minor, "CNY")):
                assert words in paper and words in plain, (letter.kind, words)
        for part in letter.strings():
            squeezed = re.sub(r"\s", "", re.sub(r"(\d) CNY$", r"\1", part))
            assert squeezed in paper and squeezed in plain, (letter.kind, part)
        for cited in letter.rules:
            assert re.sub(r"\s", "", cited.sentence) in paper


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_letter_threatens_or_promises_what_no_law_gives(language: str) -> None:
    for letter in every(language):
        words = text(letter)
        for never in ("失信", "黑名单", "停息挂账", "有权不还", "必须同意", "坐牢", "dishonest", "blacklist", "prison"):
            assert never not in words
        for place in re.finditer("GB/T", words):
            assert "recommended" in words[place.start() :] or "推荐性" in words[: place.start()][-10:]


def test_a_rule_is_cited_only_to_a_lender_that_it_binds() -> None:
    lenders = {debt["creditor"]: debt["lender_type"] for debt in plan_document()["debts"]}
    for letter in every("en"):
        for cited in letter.rules:
            assert lenders[letter.creditor] in BINDS.get(cited.rule, (lenders[letter.creditor],))
    (proposal,) = [letter for letter in every("zh") if letter.kind == "proposal" and letter.creditor == "bank"]
    assert proposal.uncited == ("XX-UNKNOWN",)
    assert any("可以" in cited.sentence and "仅适用于信用卡" in cited.sentence for cited in proposal.rules)
    (platform,) = letters_of(plan_document(), PARTIES, "zh", ON, "dispute")[1:]
    assert platform.uncited == ("CN-CARD-070",)  # of cards, on a platform's line
    assert "请贵公司说明收取依据" in text(platform)


def test_a_letter_abroad_cites_no_chinese_rule() -> None:
    for letter in every("en", plan_document() | {"jurisdiction": "UK"}):
        assert letter.rules == ()
        assert "12378" not in text(letter)


def test_without_a_kind_come_the_letters_that_there_is_reason_for() -> None:
    kinds = [letter.kind for letter in letters_of(plan_document(), PARTIES, "zh", ON)]
    assert kinds == ["proposal", "proposal", "settlement", "dispute", "dispute", "statement", "statement", "overview"]
    none = letters_of(plan_document() | {"status": "infeasible"}, PARTIES, "zh", ON)
    assert {letter.kind for letter in none} == {"hardship", "dispute", "statement", "overview"}


def test_the_rows_of_a_schedule_come_to_what_is_paid() -> None:
    (letter,) = [one for one in letters_of(plan_document(), PARTIES, "en", ON, "proposal") if one.creditor == "bank"]
    assert ("1-48", "2026-04-11 to 2030-03-11", "987.65", "47,407.20") in letter.rows
    paid = next(amount for amount in letter.amounts if "Paid" in amount.label)
    assert paid.minor == 48 * 98_765 + 24 * 41_667


def test_amounts_of_a_pause_are_not_run_together() -> None:
    document = plan_document()
    document["debts"] = [document["debts"][0] | {"payments": [monthly(6, 500)[place] for place in (0, 1, 3, 4)]}]
    (letter,) = letters_of(document, PARTIES, "en", ON, "proposal")
    assert [row[:2] for row in letter.rows[1:]] == [
        ("1-2", "2026-04-11 to 2026-05-11"),
        ("3-4", "2026-07-11 to 2026-08-11"),
    ]


LONGEST = [  # the languages in turn; all of both where all is proven
    pytest.param(language, kind, marks=() if (place + other) % 2 else pytest.mark.prove)
    for place, kind in enumerate(KINDS)
    for other, language in enumerate(LANGUAGES)
]


@pytest.mark.parametrize(("language", "kind"), LONGEST)
def test_nothing_leaves_the_page_with_the_longest_names_and_amounts(language: Any, kind: Any) -> None:
    size = {"zh": 40, "en": 40}[language]
    names = [LONG[language][: size - 1].ljust(size - 1, "组") + chr(65 + place) for place in range(12)]
    debts = [
        {"debt_id": f"d{place}", "creditor": f"c{place}", "lender_type": "bank_card", "balance_minor": 10**12 - place,
         "components": dict.fromkeys(("fees", "penalty", "interest", "principal"), 10**12),
         "claimed_minor": 10**12 + place, "days_past_due": 36_500, "offer_minor": 10**12, "paid_minor": 10**12,
         "asked": {"waived": {"fees": 10**12}, "rate_annual": 0.05999, "rules": ["CN-CARD-070"]},
         "payments": monthly(60, 16 * 10**9, place + 1)}
        | {"dispute": {"disputed": "amount"}, "settlement": {"settle_minor": 10**12}, "statement": {
            "balance_minor": None}, "completion": {"cleared_on": "2031-01-01"}}.get(kind, {})
        for place in range(12)
    ]  # fmt: skip
    parties = Parties(
        Party(names[0], ("W" * 110,)),
        {f"c{place}": Party(name) for place, name in enumerate(names)},
        {f"d{place}": "W6222" * 12 for place in range(12)},
    )
    letter = letters_of({"debts": debts}, parties, language, ON, kind)[0]
    assert all(len(name) == size for name in names)
    assert overlaps(letter) == []
    pages = pictures(letter, 40)
    assert len(pages) <= (12 if kind == "overview" else 3)
    for page in pages:
        shades = grey(page)
        edge = round(shades.shape[1] * 20 / 210)  # the margin is 24 mm
        assert shades[:, :edge].min() == 255 and shades[:, -edge:].min() == 255
        assert shades[:edge].min() == 255 and shades.min() < 200


def test_the_same_letter_gives_the_same_bytes() -> None:
    letter = every("zh")[0]
    assert pdf(letter) == pdf(every("zh")[0])
    assert PdfReader(BytesIO(pdf(letter))).metadata.creation_date.date() == ON  # type: ignore[union-attr]


def test_every_character_of_gbk_can_be_shown_and_others_are_named() -> None:
    from evenkeel.repayment.letters.page import _glyphs

    han = [bytes((high, low)).decode("gbk", "ignore") for high in range(0x81, 0xFF) for low in range(0x40, 0xFF)]
    wanted = {letter for letter in "".join(han) if "一" <= letter <= "鿿"}
    assert len(wanted) > 20_000
    assert {letter for letter in wanted if ord(letter) not in _glyphs()} == set()
    assert all(ord(letter) in _glyphs() for language in LANGUAGES for key, words in catalogue(language).items()
               if key.startswith("repay.letter.") for letter in words)  # fmt: skip
    letter = letters_of(plan_document(), Parties(Party("李𠮷")), "zh", ON, "proposal")[0]
    with pytest.raises(InvalidInput, match=r"𠮷 \(U\+20BB7\)"):
        pdf(letter)
    assert "李𠮷" in text(letter)


def test_what_a_party_says_is_never_read_as_markup() -> None:
    name = "#panic() $x$ *b* \\ _i_ <l> @r"
    letter = letters_of(plan_document(), Parties(Party(name)), "en", ON, "proposal")[0]
    assert re.sub(r"\s", "", name) in told(letter)


def test_names_are_in_no_representation_and_in_no_message() -> None:
    letter = every("zh")[0]
    assert not any(name in repr(one) for one in every("zh") for name in ("李小满", "某某银行", "6222", "上海"))
    assert "李小满" not in repr(letter.sender) and "李小满" not in repr(PARTIES) and "6222" not in repr(PARTIES)
    with pytest.raises(InvalidInput) as caught:
        Party("李小满\n第二行")
    assert "李小满" not in str(caught.value)


@pytest.mark.parametrize("wrong", [
    {"debts": []},
    {"debts": [{"creditor": "a"}]},
    {"debts": [{"debt_id": "a", "creditor": "b", "balance_minor": -1}]},
    {"debts": [{"debt_id": "a", "creditor": "b"}, {"debt_id": "a", "creditor": "c"}]},
    {"debts": [{"debt_id": "a", "creditor": "b", "payments": [*reversed(monthly(2, 1))]}]},
    {"debts": [{"debt_id": "a", "creditor": "b"}], "currency": "yuan"},
])  # fmt: skip
def test_a_document_that_cannot_be_written_is_refused_in_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        letters_of(wrong, PARTIES, "zh", ON)


def test_no_sentence_lies_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()
    plainly = type(texts("en")).gettext

    def heard(self: Any, key: str) -> str:
        used.add(key)
        return plainly(self, key)

    monkeypatch.setattr(type(texts("en")), "gettext", heard)
    causes = ("job_lost", "income_less", "illness", "family", "disaster", "business", "other")
    for cause in causes:
        for letter in every("en", plan_document() | {"cause": cause, "months": None}) + every("en"):
            text(letter)
    letters_of({"debts": [{"debt_id": f"{i}", "creditor": f"{i}", "payments": monthly(2, 100)} for i in range(12)]},
               PARTIES, "en", ON)  # fmt: skip
    for currency in ("CNY", "USD"):
        text(every("en", plan_document() | {"currency": currency})[0])
    pdf(every("en")[0])
    rules = {key for key in catalogue("en") if key.startswith("repay.letter.rule.")}
    idle = {key for key in catalogue("en") if key.startswith("repay.letter.")} - used - rules
    assert idle == set()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=60),
    st.sampled_from(["bank_card", "bank_loan", "consumer_finance", "private", "debt_buyer"]),
    st.sampled_from(LANGUAGES),
)
def test_any_plan_is_written_with_its_sum(amounts: list[int], lender: str, language: Any) -> None:
    pays = [pay | {"amount_minor": amount} for pay, amount in zip(monthly(len(amounts), 0), amounts, strict=True)]
    debt = {"debt_id": "a", "creditor": "b", "lender_type": lender, "balance_minor": sum(amounts) // 60,
            "payments": pays}  # fmt: skip
    (letter,) = letters_of({"debts": [debt]}, PARTIES, language, ON, "proposal")
    assert letter.amounts[-1].minor == sum(amounts)
    assert capitals(sum(amounts), "CNY") in told(letter)


def test_a_plan_of_the_model_becomes_its_document() -> None:
    claim = Claim("card", "bank", "bank_card", 500, 0, 1_000, 100_000, 182_500, Policy(), cuts=(
        Cut("interest", 2_000, "CN-RATE-4LPR"),))  # fmt: skip
    small = Claim("small", "shop", "other", 0, 0, 0, 5_000, 0, Policy())
    chance = Chance(0.8, 0.7, 0.9, np.ones(4))
    plan = Plan(("cheapest",), (
        Part("card", "bank", Asked({"fees": 500}, 60_000, 3, ("CN-CARD-070",)), np.array([0, 34_000, 34_000, 33_500]),
             1, 0),
        Part("small", "shop", Asked({}, 0, 1), np.array([4_000, 0, 0, 0]), 1, 0),
    ), chance)  # fmt: skip
    due_on = [date(2026, 3, 20), date(2026, 4, 11), date(2026, 5, 11), date(2026, 6, 11)]
    document = json.loads(json.dumps(document_of(plan, [claim, small], due_on, "CNY")))
    proposal, settlement, overview = letters_of(document, PARTIES, "zh", ON)
    assert (proposal.kind, settlement.kind, overview.kind) == ("proposal", "settlement", "overview")
    assert [amount.minor for amount in proposal.amounts] == [101_500, 500, 101_500]
    assert [amount.minor for amount in settlement.amounts] == [4_000, 1_000]
    assert "6%" in text(proposal)
