"""How identities are compared, and what a reason may not say."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.storage.vault.identity import FIELDS, Identity, comparable, told_in

KINDS = [*FIELDS, "device", "employer"]


@pytest.mark.parametrize(
    ("kind", "written", "form"),
    [
        ("name", "  Li   Wei ", "LI WEI"),
        ("name", "阿卜杜拉・买买提", "阿卜杜拉·买买提"),
        ("name", "阿卜杜拉 • 买买提", "阿卜杜拉·买买提"),
        ("name", "阿卜杜拉．买买提", "阿卜杜拉·买买提"),
        ("name", "J. Smith", "J. SMITH"),
        ("id_number", "h123456(7)", "H1234567"),
        ("phone", "13812345678", "+8613812345678"),
        ("phone", "8613812345678", "+8613812345678"),
        ("phone", "010-6552 9988", "+861065529988"),
        ("phone", "+852 2345 6789", "+85223456789"),
        ("phone", "00 1 (212) 555-0100", "+12125550100"),
        ("cards", "６２２２ 0212-3456 7890 128", "6222021234567890128"),
        ("address", "上海市　浦东新区，世纪大道１号", "上海市浦东新区世纪大道1号"),
        ("device", "a1:B2-c3", "A1B2C3"),
    ],
)
def test_ways_of_writing_the_same_are_one(kind: str, written: str, form: str) -> None:
    assert comparable(kind, written) == form


@given(st.sampled_from(KINDS), st.text(max_size=600))
def test_any_text_is_compared_or_refused_in_words(kind: str, text: str) -> None:
    try:
        form = comparable(kind, text)
    except InvalidInput as error:
        assert f"`{kind}`" in error.message
    else:
        assert form
        assert comparable(kind, f" {unicodedata.normalize('NFKC', text).lower().upper()} ") == form


@given(st.sampled_from(KINDS), st.text(min_size=1, max_size=40))
def test_the_form_is_compared_with_itself(kind: str, text: str) -> None:
    try:
        form = comparable(kind, text)
    except InvalidInput:
        return
    try:
        assert comparable(kind, form) == form
    except InvalidInput as error:  # the form may be longer than the text: that is all that may be wrong with it
        assert "characters" in error.message


@pytest.mark.parametrize("kind", ["salary", "", "NAME"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(InvalidInput, match="kind of identity"):
        comparable(kind, "x")


KNOWN = Identity(
    name="Li Wei", id_number="11010519491231002X", phone="13812345678", cards=("6222021234567890128",),
    address="上海市浦东新区世纪大道1号",
).comparables()  # fmt: skip


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("li wei rang", "name"),
        ("caller 138-1234-5678", "phone"),
        ("caller +86 138 1234 5678", "phone"),
        ("no. 110105194912310 02x", "id_number"),
        ("6222 0212 3456 7890 128", "cards"),
        ("lives in 上海市浦东新区 世纪大道1号", "address"),
        ("eli weighs options", None),
        ("case 13812345", None),
        ("complaint 2026-0031 about 上海市", None),
    ],
)
def test_a_reason_is_searched_for_whom_it_names(text: str, field: str | None) -> None:
    assert told_in(text, KNOWN) == field
