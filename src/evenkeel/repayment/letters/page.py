"""A letter as PDF, and as pictures of its pages: typst, with the two faces of Noto SC.

Characters that a face lacks would be left blank without a word; they are looked for before and named. The same letter
gives the same bytes: its date is the file's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pylopdf_fonts_zh_cn as faces
import typst
from fontTools.ttLib import TTFont

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.repayment.letters.model import Amounts, Letter, Paragraph, Party, Points, Table
from evenkeel.repayment.letters.plain import amount_words, date_words


def pdf(letter: Letter) -> bytes:
    """A letter as PDF of A4 pages.

    Raises InvalidInput that names the characters for which there is no glyph.
    """
    return bytes(_compiled(letter, format="pdf"))


def pictures(letter: Letter, pixels_an_inch: float = 110) -> list[bytes]:
    """The pages of a letter as PNG. Raises as `pdf`."""
    made = _compiled(letter, format="png", ppi=pixels_an_inch)
    return [bytes(page) for page in (made if isinstance(made, list) else [made])]


def _compiled(letter: Letter, **how: Any) -> Any:
    data = _data(letter)
    _check_glyphs(data)
    stamp = int(datetime(letter.on.year, letter.on.month, letter.on.day, tzinfo=UTC).timestamp())
    return typst.compile(
        _template(), font_paths=_fonts(), sys_inputs={"letter": json.dumps(data)}, timestamp=stamp, **how
    )


@cache
def _template() -> bytes:
    return (files("evenkeel.repayment.letters") / "letter.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    folder = str(faces.sans_path().parent)
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])


@cache
def _glyphs() -> frozenset[int]:
    """What both faces can show."""
    sans, serif = (set(TTFont(path, lazy=True).getBestCmap()) for path in (faces.sans_path(), faces.serif_path()))
    return frozenset(sans & serif)


def _check_glyphs(data: Mapping[str, Any]) -> None:
    missing = sorted({letter for text in _strings(data) for letter in text if ord(letter) not in _glyphs()})
    if missing:
        named = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in missing[:10])
        raise InvalidInput(
            f"the letter has characters that its fonts cannot show: {named}.",
            "Write them in another way, or send the plain text.",
        )


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _strings(part)]


def _data(letter: Letter) -> dict[str, Any]:
    """What the template reads."""
    say = texts(letter.language)
    label = say.gettext("repay.letter.label")
    both = len(letter.signs) > 1
    names = (letter.sender.name, letter.receiver.name) if both else ("",)
    dated = label.format(label=say("repay.letter.dated")) if both else date_words(letter)
    return {
        "language": letter.language,
        "on": [letter.on.year, letter.on.month, letter.on.day],
        "title": letter.title,
        "greeting": letter.greeting,
        "sender": _party(letter.sender),
        "receiver": _party(letter.receiver) if letter.between_two else [],
        "blocks": [_block(letter, block) for block in letter.blocks],
        "closing": list(letter.closing),
        "signs": [[label.format(label=sign), name, dated] for sign, name in zip(letter.signs, names, strict=False)],
        "enclosures": list(letter.enclosures),
        "enclosures_head": label.format(label=say("repay.letter.enclosures")),
        "rules": [cited.sentence for cited in letter.rules],
        "rules_head": say("repay.letter.rules"),
        "page": say.gettext("repay.letter.page"),
    }


def _party(party: Party) -> list[str]:
    return [party.name, *party.lines]


def _block(letter: Letter, block: object) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {"kind": "paragraph", "text": block.text, "heading": block.heading}
        case Points():
            return {"kind": "points", "items": list(block.items)}
        case Amounts():
            return {"kind": "amounts", "rows": [list(amount_words(letter, amount)) for amount in block.amounts]}
        case Table():
            widest = sum(max(len(row[place]) for row in (block.heads, *block.rows)) for place in block.numbers)
            return {
                "kind": "table",
                "heads": list(block.heads),
                "rows": [list(row) for row in block.rows],
                "numbers": list(block.numbers),
                "total": list(block.total),
                "wide": widest > 48,
                "even": block.even,
            }
        case _:
            raise TypeError(f"{type(block).__name__} is no part of a letter")
