"""JSON from strangers: what is refused, in words, and in bounded time."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.api import strict
from evenkeel.kernel.errors import InvalidInput


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """A request as the tests know one."""

    name: str
    amount_minor: int = 0
    facts: dict[str, object] = {}


DECODE = msgspec.json.Decoder(Shape).decode
ANY = msgspec.json.decode

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON, st.booleans())
def test_whatever_a_writer_of_json_writes_is_read(value: object, spaced: bool) -> None:
    body = json.dumps(value, indent=1 if spaced else None, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if any(0xD800 <= ord(one) <= 0xDFFF for one in json.dumps(value, ensure_ascii=False)):
        return
    assert strict.read(body, ANY) == value


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"name":"a","name":"b"}', "two values"),
        (b'{"name":"a","facts":{"x":1,"x":1}}', "two values"),
        (b'{"name":"a","facts":{"x":{"y":1,"y":2}}}', "two values"),
        (b'{"name":"a","na\\u006de":"b"}', "two values"),
        (b'{"name":"a","facts":{"x":' + b"[" * 20 + b"]" * 20 + b"}}", "deep"),
        (b'{"name":"a","facts":{"x":' + b"1" * 41 + b"}}", "40 or more"),
        (b'{"name":"a","amount_minor":1.5}', "amount_minor"),
        (b'{"name":"a","amount_minor":1e400}', "amount_minor|number"),
        (b'{"name":"a","amount_minor":NaN}', "not JSON"),
        (b'{"name":"a","other":1}', "other"),
        (b'{"name":null}', "name"),
        (b"{}", "name"),
        (b"[]", "array"),
        (b"", "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"name":"\xed\xa0\x80"}', "not JSON"),
        (b'{"name":"a"} {"name":"b"}', "not JSON"),
        (b'{"name":"a",}', "not JSON"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused_in_words(body: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        strict.read(body, DECODE)


def test_a_colon_or_a_quote_inside_a_string_is_no_name() -> None:
    assert strict.read(b'{"name":"a\\":b:\\\\","facts":{"a:b":":"}}', DECODE).name == 'a":b:\\'


@pytest.mark.parametrize("body", [b'"' * 16_000, b'"\\' * 8_000, b'{"a":"' + b'\\"' * 8_000, b"{" * 16_000])
def test_a_body_made_to_cost_time_is_refused_before_its_strings_are_looked_for(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="not JSON"):
        strict.read(body, ANY)
