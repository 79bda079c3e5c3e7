"""Amounts in Chinese capitals, held against a reader and a writer that were made in other ways."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evenkeel.kernel.capitals import MOST_MINOR, capitals
from evenkeel.kernel.errors import InvalidInput

DIGITS = "零壹贰叁肆伍陆柒捌玖"
SIZES = {"拾": 10, "佰": 100, "仟": 1000}
AMOUNTS = st.one_of(
    st.integers(0, 10**13),
    # Many zeros, which uniform draws hardly have.
    st.text("0001234506", min_size=1, max_size=14).map(lambda text: min(int(text), 10**13)),
)


def read(text: str) -> int:
    """The amount in minor units that a bank's clerk would read."""
    total, section, digit = 0, 0, 0
    fen = 0
    for letter in text.removeprefix("人民币").removesuffix("整"):
        if letter in DIGITS:
            digit = DIGITS.index(letter)
        elif letter in SIZES:
            section, digit = section + digit * SIZES[letter], 0
        elif letter == "万":
            section, digit = (section + digit) * 10**4, 0
        elif letter == "亿":
            total, section, digit = (total + section + digit) * 10**8, 0, 0
        elif letter == "元":
            total, section, digit = total + section + digit, 0, 0
        else:
            fen, digit = fen + digit * {"角": 10, "分": 1}[letter], 0
    return total * 100 + fen


def written(minor: int) -> str:
    """Digit by digit with every unit, and what is not said taken out afterwards, as spreadsheets' macros do."""
    units = "分角元拾佰仟万拾佰仟亿拾佰仟"
    text = "".join(
        DIGITS[int(digit)] + unit for digit, unit in reversed(list(zip(str(minor)[::-1], units, strict=False)))
    )
    for said, instead in (
        ("零[拾佰仟]", "零"), ("零+", "零"), ("零([万亿元])", r"\1"), ("亿万", "亿"),
        ("零角零分$|零分$", ""), ("零角", "零"),
    ):  # fmt: skip
        text = re.sub(said, instead, text)
    text = text or "零元"
    return "人民币" + text + ("" if text.endswith("分") else "整")


@settings(max_examples=800, deadline=None)
@given(AMOUNTS)
@example(0)
@example(10**13)
def test_an_amount_is_read_back_and_written_alike_by_others(minor: int) -> None:
    text = capitals(minor, "CNY")
    assert read(text) == minor
    assert text == written(minor)


def test_every_amount_below_a_million_fen_is_read_back() -> None:
    for minor in range(0, 1_000_000, 7):
        assert read(capitals(minor, "CNY")) == minor


@settings(max_examples=500, deadline=None)
@given(AMOUNTS)
def test_zeros_and_the_ending_follow_the_rules(minor: int) -> None:
    text = capitals(minor, "CNY")
    assert "零零" not in text
    assert not re.search("零[拾佰仟万亿角分整]", text)
    assert text.endswith("整") == (minor % 10 == 0)
    assert ("零元" in text) == (minor == 0)


@pytest.mark.parametrize(
    ("minor", "expected"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (50, "伍角整"),
        (105, "壹元零伍分"),
        (140_950, "壹仟肆佰零玖元伍角整"),  # the examples of the annex
        (600_714, "陆仟零柒元壹角肆分"),
        (168_032, "壹仟陆佰捌拾元叁角贰分"),
        (10_700_053, "壹拾万柒仟元伍角叁分"),  # 元零伍角 is allowed there too
        (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
        (32_504, "叁佰贰拾伍元零肆分"),
        (1_000_000_000_000, "壹佰亿元整"),
        (10_000_000_001, "壹亿元零壹分"),
        (100_010_000_100, "壹拾亿零壹拾万零壹元整"),
    ],
)
def test_what_stands_in_the_annex_and_at_the_edges(minor: int, expected: str) -> None:
    assert capitals(minor, "CNY") == "人民币" + expected


def test_other_currencies_have_their_names_and_parts() -> None:
    assert capitals(1234, "JPY") == "日元壹仟贰佰叁拾肆元整"
    assert capitals(1234, "KWD") == "KWD壹元贰角叁分肆厘"
    assert capitals(1004, "KWD") == "KWD壹元零肆厘"
    assert capitals(100, "USD") == "美元壹元整"


@pytest.mark.parametrize("minor", [-1, MOST_MINOR + 1, 1.5, True])
def test_what_has_no_capitals_is_refused(minor: int) -> None:
    with pytest.raises(InvalidInput):
        capitals(minor, "CNY")
