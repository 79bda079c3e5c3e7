"""Numbers say what is wrong with them, and agree with a plain loop on any text."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.decisions.identity.numbers import (
    MOBILE_PREFIXES,
    PROVINCES,
    NumberVerdict,
    bank_cards,
    credit_codes,
    mobiles,
    permits,
    resident_numbers,
)

ON = date(2026, 11, 27)
V = NumberVerdict


def with_check(seventeen: str) -> str:
    """A resident number: ISO 7064 MOD 11-2 as the standard defines it, digit by digit."""
    rest = 0
    for digit in seventeen:
        rest = (rest + int(digit)) * 2 % 11
    return seventeen + "0123456789X"[(12 - rest) % 11]


def plain(text: str | None, on: date) -> tuple[V, date | None, int, int]:
    """One number, one rule after another: verdict, birth, age, male."""
    none = None, -1, -1
    if text is None:
        return V.MISSING, *none
    ascii_digits = set("0123456789")
    if len(text) == 15 and set(text) <= ascii_digits:
        born, sequence = "19" + text[6:12], text[12:]
    elif len(text) == 18 and set(text[:17]) <= ascii_digits and text[17] in "0123456789Xx":
        if with_check(text[:17]) != text.upper():
            return V.CHECKSUM, *none
        born, sequence = text[6:14], text[14:17]
    else:
        return V.MALFORMED, *none
    try:
        birth = date(int(born[:4]), int(born[4:6]), int(born[6:]))
    except ValueError:
        # Python knows no year 0, in which a day may well be real; it is long ago all the same.
        real = born[:4] == "0000" and plain(with_check(f"1101052000{born[4:]}001"), on)[0] is V.VALID
        return V.IMPLAUSIBLE_AGE if real else V.BIRTH_DATE, *none
    if birth > on:
        return V.FUTURE_BIRTH, *none
    age = on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
    if age > 120:
        return V.IMPLAUSIBLE_AGE, *none
    return V.OLD_FORM if len(text) == 15 else V.VALID, birth, age, int(sequence) % 2


def judged(text: str | None, on: date = ON) -> V:
    return V(resident_numbers([text], on).verdict[0])


digits = st.text("0123456789", min_size=17, max_size=17)
# Near enough to be real that every rule is reached.
likely = st.builds(
    "{:06d}{:04d}{:02d}{:02d}{:03d}".format, st.integers(110000, 659999), st.integers(1890, 2030),
    st.integers(0, 13), st.integers(0, 32), st.integers(0, 999),
).map(with_check)  # fmt: skip
fifteen = likely.map(lambda text: text[:6] + text[8:17])
close = st.builds(
    lambda text, place, letter: text[: place % len(text)] + letter + text[place % len(text) + 1 :], likely,
    st.integers(0, 17), st.characters(),
)  # fmt: skip
any_text = st.one_of(
    st.none(), st.text(max_size=20), digits, digits.map(with_check), likely, likely.map(str.lower), fifteen, close,
    st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), max_size=18), st.just("1" * 100_000),
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(any_text, max_size=30), st.dates(date(1950, 1, 1), date(2100, 1, 1)))
def test_a_column_says_what_a_plain_loop_says(texts: list[str | None], on: date) -> None:
    found = resident_numbers(texts, on)
    births = [day.item() for day in found.birth]
    got = list(zip(map(V, found.verdict), births, found.age.tolist(), found.male.tolist(), strict=True))
    assert got == [plain(text, on) for text in texts]
    for row, text in enumerate(texts):
        if text is not None and found.verdict[row] in (V.VALID, V.OLD_FORM):
            assert found.known[row] == (int(text[:2]) in PROVINCES)


@settings(max_examples=200)
@given(st.lists(any_text, max_size=20))
def test_no_text_makes_any_check_raise(texts: list[str | None]) -> None:
    for check in (permits, credit_codes, bank_cards, mobiles):
        found = check(texts)
        assert len(found.verdict) == len(found.known) == len(texts)
        assert [verdict == V.MISSING for verdict in found.verdict] == [text is None for text in texts]


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        ("11010519491231002X", V.VALID),  # the example of the standard
        ("11010519491231002x", V.VALID),
        ("110105194912310021", V.CHECKSUM),
        ("110105209912310029", V.FUTURE_BIRTH),
        (with_check("11010520261127001"), V.VALID),
        (with_check("11010520261128001"), V.FUTURE_BIRTH),
        (with_check("11010519061127001"), V.VALID),
        (with_check("11010519051127001"), V.IMPLAUSIBLE_AGE),
        (with_check("11010520010229001"), V.BIRTH_DATE),
        (with_check("11010520000229001"), V.VALID),
        (with_check("11010519000229001"), V.BIRTH_DATE),
        (with_check("11010520001301001"), V.BIRTH_DATE),
        ("130503670401001", V.OLD_FORM),
        ("130503671332001", V.BIRTH_DATE),
        ("13050367040100X", V.MALFORMED),
        ("11010519491231002", V.MALFORMED),
        ("11010519491231002X ", V.MALFORMED),
        ("１１０１０５１９４９１２３１００２X", V.MALFORMED),
        ("", V.MALFORMED),
        (None, V.MISSING),
    ],
)
def test_what_is_wrong_with_a_number_is_named(number: str | None, verdict: V) -> None:
    assert judged(number) is verdict


@pytest.mark.parametrize("place", ["330113", "330114", "133100", "830000", "810000", "820000"])
def test_places_that_a_list_of_counties_lacks_are_no_fault(place: str) -> None:
    found = resident_numbers([with_check(f"{place}19900101123")], ON)
    assert (found.verdict[0], found.known[0]) == (V.VALID, True)


def test_an_unknown_province_is_a_warning_and_not_a_verdict() -> None:
    found = resident_numbers([with_check("20010519900101123")], ON)
    assert (found.verdict[0], found.known[0]) == (V.VALID, False)


def test_every_application_has_its_own_day() -> None:
    days = np.array(["2007-05-31", "2007-06-01", "2127-06-01", "2128-06-01"], "datetime64[D]")
    found = resident_numbers([with_check("11010520070601123")] * 4, days)
    assert found.verdict.tolist() == [V.FUTURE_BIRTH, V.VALID, V.VALID, V.IMPLAUSIBLE_AGE]
    assert found.age.tolist() == [-1, 0, 120, -1]


def test_columns_of_every_arrow_kind_are_read_alike() -> None:
    texts = ["x", "11010519491231002X", None, "130503670401001", "110105194912310021"]
    wanted = [V.VALID, V.MISSING, V.OLD_FORM, V.CHECKSUM]
    flat = pa.array(texts)
    for column in (flat[1:], flat.cast(pa.large_string())[1:], flat.dictionary_encode()[1:],
                   pa.chunked_array([flat[1:3], flat[3:]]), texts[1:]):  # fmt: skip
        assert resident_numbers(column, ON).verdict.tolist() == wanted
    assert resident_numbers([], ON).verdict.tolist() == []
    assert resident_numbers([12, True, b"11010519491231002X"], ON).verdict.tolist() == [V.MALFORMED] * 3


def luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0


@settings(max_examples=200)
@given(st.lists(st.text("0123456789", max_size=22), max_size=30))
def test_bank_cards_agree_with_the_rule_of_luhn(numbers: list[str]) -> None:
    wanted = [
        (V.VALID if luhn(number) else V.CHECKSUM) if 12 <= len(number) <= 19 else V.MALFORMED for number in numbers
    ]
    assert bank_cards(numbers).verdict.tolist() == wanted


def test_a_card_of_a_network_that_is_not_in_the_table_is_a_warning() -> None:
    assert bank_cards(["6222020200112233449"[:18] + d for d in "0123456789"]).verdict.tolist().count(V.VALID) == 1
    found = bank_cards(["0000000000000000", "4111111111111111", "411111111111111a"])
    assert found.verdict.tolist() == [V.VALID, V.VALID, V.MALFORMED]
    assert found.known.tolist() == [False, True, True]


ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@settings(max_examples=200)
@given(st.builds("{}{:06d}{}".format, st.text(ALPHABET, min_size=2, max_size=2), st.integers(0, 999_999),
                 st.text(ALPHABET, min_size=9, max_size=9)))  # fmt: skip
def test_one_check_character_fits_a_social_credit_code(head: str) -> None:
    total = sum(ALPHABET.index(letter) * 3**place for place, letter in enumerate(head))
    wanted = ALPHABET[-total % 31]
    found = credit_codes([head + letter for letter in ALPHABET]).verdict
    assert [ALPHABET[row] for row in np.flatnonzero(found == V.VALID)] == [wanted]
    assert set(found.tolist()) == {V.VALID, V.CHECKSUM}


def test_social_credit_codes_of_real_organisations_and_what_is_none() -> None:
    codes = ["91110000600037341L", "91110000600037342L", "911100006000373I1L", "9111000060003734", "91110000600037341l"]
    assert credit_codes(codes).verdict.tolist() == [V.VALID, V.CHECKSUM, V.MALFORMED, V.MALFORMED, V.VALID]


def test_the_region_of_a_social_credit_code_is_digits_and_its_authority_may_be_a_letter() -> None:
    def whole(head: str) -> str:
        return next(head + letter for letter in ALPHABET if credit_codes([head + letter]).verdict[0] == V.VALID)

    assert whole("N2110105MA0000000").startswith("N2"), "a collective of farmers"
    for letter in "ABXY":
        codes = [f"9111010{letter}MA0000000{check}" for check in ALPHABET]
        assert set(credit_codes(codes).verdict.tolist()) == {V.MALFORMED}


def test_mobile_numbers_with_and_without_the_country() -> None:
    number = "13800138000"
    right = [number, f"86{number}", f"+86{number}", f"0086{number}"]
    wrong = [
        "12800138000",
        "1380013800",
        "138001380000",
        "138-0013-8000",
        f"+87{number}",
        f"{number}\n",
        "１3800138000",
    ]
    assert mobiles(right).verdict.tolist() == [V.VALID] * 4
    assert mobiles(wrong).verdict.tolist() == [V.MALFORMED] * len(wrong)
    heads = [f"{head}00138000" for head in range(130, 200)]
    assert mobiles(heads).known.tolist() == [head in MOBILE_PREFIXES for head in range(130, 200)]
    assert mobiles(["+8615400138000"]).known.tolist() == [False]


def test_travel_permits_by_their_form() -> None:
    right = ["H12345678", "M1234567801", "12345678", "1234567890", "1234567890(B)", "1234567890A"]
    wrong = ["H1234567", "K12345678", "123456789", "1234567", "1234567890(1)", "H123456789"]
    assert permits(right).verdict.tolist() == [V.VALID] * len(right)
    assert permits(wrong).verdict.tolist() == [V.MALFORMED] * len(wrong)
