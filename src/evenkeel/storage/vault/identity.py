"""What identifies a person: the fields, their bounds, and the one form of each in which it is searched and compared.

No message and no representation here holds a value: it says which field, and what is allowed.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from evenkeel.kernel.errors import InvalidInput

CARDS_LIMIT = 50  # of one person

_UNFIT = ("Cc", "Cs", "Cn", "Co")  # Unicode's categories of control characters and of what is no character
_COUNTRY = "86"  # of a phone number without a country code
_MIDDLE_DOT = re.compile(r"\s*[·•‧∙⋅・]\s*|(?<=[^\x00-\x7f])\.(?=[^\x00-\x7f])")
_TELLING = 5  # characters of a number or an address that give a person away; of a name, 2
_TEXT_LIMITS = MappingProxyType({"name": 200, "id_number": 40, "phone": 40, "cards": 40, "address": 500})


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who somebody is; None where it is not known (or was not asked for).

    Raises InvalidInput that names the field and what is allowed, never the value.
    """

    name: str | None = None
    id_number: str | None = None
    phone: str | None = None
    cards: tuple[str, ...] | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        for field, values in self.each():
            if field == "cards" and not (isinstance(self.cards, tuple) and 1 <= len(values) <= CARDS_LIMIT):
                raise InvalidInput(f"`cards` is not a list of 1 to {CARDS_LIMIT} numbers.", "Leave it out for none.")
            for value in values:
                comparable(field, value)

    def __repr__(self) -> str:
        return f"Identity({', '.join(f'{field}=…' for field, _ in self.each())})"

    def each(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The fields that are known, with their values: one, or as many as there are cards."""
        for field in FIELDS:
            value = getattr(self, field)
            if value is not None:
                yield field, tuple(value) if isinstance(value, tuple | list) else (value,)

    def comparables(self) -> frozenset[tuple[str, str]]:
        """Field and comparable form of every value."""
        return frozenset((field, comparable(field, value)) for field, values in self.each() for value in values)


FIELDS = tuple(field.name for field in fields(Identity))


def comparable(kind: str, value: object) -> str:
    """The form of a value in which equal things are equal texts. kind: a field, or `device` or `employer`.

    name: NFKC, one space between words, one kind of middle dot, capitals. id_number: letters and digits, capitals.
    phone: + and digits with the country code, China's where none is given (E.164). cards: 12 to 19 digits.
    address, device, employer: letters and digits, capitals. Raises InvalidInput, without the value.
    """
    if kind not in _FORMS:
        raise InvalidInput(f"{kind!r} is no kind of identity.", f"Choose from {', '.join(_FORMS)}.")
    limit = _TEXT_LIMITS.get(kind, 500)
    if not isinstance(value, str):
        raise InvalidInput(f"`{kind}` is {type(value).__name__}, not a text.")
    if not value.strip() or len(value) > limit:
        raise InvalidInput(f"`{kind}` has {len(value)} characters; it has 1 to {limit}, not all of them spaces.")
    if not value.isprintable() and any(unicodedata.category(letter) in _UNFIT for letter in value):
        raise InvalidInput(f"`{kind}` holds a control character or one that no text may hold.", "Take it out.")
    return _FORMS[kind](_plain(value))


def _plain(text: str) -> str:
    """Compatible characters and capitals as one. Again afterwards: capitals may fall apart into letter and accent."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())


def _name(value: str) -> str:
    return _MIDDLE_DOT.sub("·", " ".join(value.split()))


def _letters_and_digits(kind: str) -> Callable[[str], str]:
    def form(value: str) -> str:
        found = "".join(filter(str.isalnum, value))
        if not found:
            raise InvalidInput(f"`{kind}` holds no letter and no digit.")
        return found

    return form


def _digits(kind: str, value: str) -> str:
    found = re.sub(r"[\s().-]", "", value)
    if not (found.isascii() and found.removeprefix("+").isdigit()):
        raise InvalidInput(f"`{kind}` holds more than digits, spaces and separators.")
    return found


def _phone(value: str) -> str:
    digits = _digits("phone", value)
    if digits.startswith(("+", "00")):
        digits = digits.removeprefix("+").removeprefix("00")
    elif not (digits.startswith(f"{_COUNTRY}1") and len(digits) == 13):
        digits = _COUNTRY + digits.removeprefix("0")
    if not 7 <= len(digits) <= 15:
        raise InvalidInput(f"`phone` has {len(digits)} digits with its country code; it has 7 to 15.")
    return f"+{digits}"


def _card(value: str) -> str:
    digits = _digits("cards", value)
    if not 12 <= len(digits) <= 19 or digits.startswith("+"):
        raise InvalidInput(f"`cards` holds a number of {len(digits)} characters; a card has 12 to 19 digits.")
    return digits


_FORMS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "name": _name,
        "id_number": _letters_and_digits("id_number"),
        "phone": _phone,
        "cards": _card,
        "address": _letters_and_digits("address"),
        "device": _letters_and_digits("device"),
        "employer": _letters_and_digits("employer"),
    }
)


def told_in(text: str, known: frozenset[tuple[str, str]]) -> str | None:
    """The field of the first comparable value that a text gives away, or None.

    A name in Latin letters counts as whole words, everything else wherever it stands.
    """
    plain = _plain(text)
    letters, digits = "".join(filter(str.isalnum, plain)), re.sub(r"\D", "", plain)
    for field, value in sorted(known):
        if len(value) < (2 if field == "name" else _TELLING):
            continue
        if field in ("phone", "cards"):
            found = value.removeprefix("+").removeprefix(_COUNTRY) in digits
        elif field == "name" and value.isascii():
            found = re.search(rf"\b{re.escape(value)}\b", " ".join(plain.split())) is not None
        else:
            found = "".join(filter(str.isalnum, value)) in letters
        if found:
            return field
    return None
