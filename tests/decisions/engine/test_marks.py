"""Devices on record are found as whole entries, whatever stands before them."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.decisions.engine.marks import device_other
from evenkeel.decisions.engine.situation import NULL


def hashed(device: str) -> bytes:
    return hashlib.blake2b(device.encode(), digest_size=8).digest()


@given(st.lists(st.sampled_from("abcdefgh"), max_size=8), st.sampled_from("abcdefghij"), st.integers(0, 2))
def test_a_device_is_another_unless_it_is_on_record(kept: list[str], device: str, lists: int) -> None:
    marks = bytes([lists]) + bytes(9 * lists) + b"".join(map(hashed, kept))
    assert device_other(marks, device) == int(device not in kept)


def test_half_of_one_device_and_half_of_the_next_are_no_device() -> None:
    wanted = hashed("phone")
    across = b"\x00" + bytes(4) + wanted + bytes(4)
    assert device_other(across, "phone") == 1
    assert device_other(across + wanted, "phone") == 0


def test_no_device_is_not_known_and_nobody_has_one_at_first() -> None:
    assert device_other(b"", None) == NULL
    assert device_other(b"", "phone") == 1
