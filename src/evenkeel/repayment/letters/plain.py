"""A letter as plain text: for a form on a website, an e-mail, a terminal. Paragraphs are one line each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from evenkeel.kernel.text import texts
from evenkeel.repayment.letters.model import Amount, Amounts, Block, Letter, Paragraph, Points, Table

_INDENT = {"zh": "　　", "en": ""}


def text(letter: Letter) -> str:
    """A letter as plain text, ending in a line break."""
    return "\n".join(_lines(letter)).strip("\n") + "\n"


def date_words(letter: Letter) -> str:
    """The letter's day."""
    return texts(letter.language)("repay.letter.date", year=letter.on.year, month=letter.on.month, day=letter.on.day)


def amount_words(letter: Letter, amount: Amount) -> tuple[str, str]:
    """An amount's label, and the amount in figures and capitals."""
    say = texts(letter.language)
    key = f"repay.letter.money.{amount.currency}"
    figures = say(
        key if key in say else "repay.letter.money", amount=amount.figures.rsplit(" ", 1)[0], currency=amount.currency
    )
    return (
        say("repay.letter.label", label=amount.label),
        say("repay.letter.capitals", figures=figures, capitals=amount.capitals),
    )


def _lines(letter: Letter) -> Iterator[str]:
    say = texts(letter.language)
    indent = _INDENT[letter.language]
    yield from (letter.sender.name, *letter.sender.lines, "")
    if letter.between_two:
        yield from (letter.receiver.name, *letter.receiver.lines, "")
    yield from (letter.title, "")
    if letter.greeting:
        yield from (letter.greeting, "")
    for block in letter.blocks:
        yield from _block(letter, block, indent)
        yield ""
    if letter.enclosures:
        yield indent + say("repay.letter.label", label=say("repay.letter.enclosures"))
        yield from _numbered(letter.enclosures, indent)
        yield ""
    if letter.closing:
        yield indent + letter.closing[0]
        yield from (letter.closing[1], "") if letter.closing[1] else ("",)
    both = len(letter.signs) > 1
    names = (letter.sender.name, letter.receiver.name) if both else ("",)
    for sign, name in zip(letter.signs, names, strict=False):
        yield say("repay.letter.label", label=sign) + name
        yield say("repay.letter.label", label=say("repay.letter.dated")) if both else date_words(letter)
        yield ""
    if letter.rules:
        yield say("repay.letter.rules")
        yield from _numbered(tuple(cited.sentence for cited in letter.rules), "")


def _block(letter: Letter, block: Block, indent: str) -> Iterator[str]:
    match block:
        case Paragraph():
            yield block.text if block.heading else indent + block.text
        case Points():
            yield from _numbered(block.items, indent)
        case Amounts():
            for amount in block.amounts:
                yield indent + "".join(amount_words(letter, amount))
        case Table():
            yield from _table(block)


def _numbered(items: tuple[str, ...], indent: str) -> Iterator[str]:
    for place, item in enumerate(items, 1):
        yield f"{indent}{place}. {item}"


def _table(table: Table) -> Iterator[str]:
    """Columns as wide as what they hold; a Chinese character is two wide."""
    rows = [table.heads, *table.rows, *([table.total] if table.total else [])]
    widths = [max(cell_len(row[place]) for row in rows) for place in range(len(table.heads))]
    for row in rows:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - cell_len(cell))
            cells.append(gap + cell if place in table.numbers else cell + gap)
        yield "  ".join(cells).rstrip()
