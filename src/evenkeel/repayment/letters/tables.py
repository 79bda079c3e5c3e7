"""The tables of letters: debts and what they are made of, payments, and all creditors month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from evenkeel.kernel.calendar import month_of
from evenkeel.repayment.case import COMPONENTS, Component
from evenkeel.repayment.letters.document import Debt
from evenkeel.repayment.letters.model import Paragraph, Table
from evenkeel.repayment.letters.words import Words, total

_WIDE = 72  # characters of a row of amounts that a page holds beside the day

Column = Callable[[Debt], int | str | None]


def debts_table(words: Words, columns: Mapping[str, Column]) -> Table:
    """One row a debt. columns: by the name of their head; whole numbers are amounts, added up in a last row."""
    heads = (words("head.debt"), *(words(f"head.{name}") for name in columns))
    values = [[column(debt) for column in columns.values()] for debt in words.debts]
    rows = tuple(
        (words.debt(debt), *(_cell(words, value) for value in row))
        for debt, row in zip(words.debts, values, strict=True)
    )
    last: tuple[str, ...] = ()
    if len(rows) > 1:
        last = (words("total"), *(_sum(words, column) for column in zip(*values, strict=True)))
    return Table(heads, rows, tuple(range(1, len(heads))), last)


def _cell(words: Words, value: int | str | None) -> str:
    if value is None:
        return words("unknown")
    return words.cell(value) if isinstance(value, int) else value


def _sum(words: Words, column: Sequence[int | str | None]) -> str:
    if any(isinstance(value, str) for value in column):
        return ""
    return _cell(words, total(value for value in column if not isinstance(value, str)))


def components_table(words: Words) -> Table:
    """What each debt is made of; what is not told apart stands as the balance alone."""
    names = [name for name in reversed(COMPONENTS) if any(debt.components.get(name) for debt in words.debts)]
    columns: dict[str, Column] = {name: _owed_as(name) for name in names}
    return debts_table(words, columns | {"balance": lambda debt: debt.balance_minor})


def _owed_as(name: Component) -> Column:
    return lambda debt: debt.components.get(name, 0)


def schedules(words: Words) -> Iterator[Paragraph | Table]:
    """The payments of each debt that has any; those of one amount in a row stand in one row."""
    for debt in words.debts:
        if not debt.payments:
            continue
        yield Paragraph(words("schedule", debt=words.debt(debt)), heading=True)
        rows = []
        for first, last in alike([(pay.due_on, (pay.amount_minor,)) for pay in debt.payments]):
            amount = debt.payments[first].amount_minor
            rows.append(
                (
                    f"{first + 1}" if first == last else f"{first + 1}-{last + 1}",
                    words.days(debt.payments[first].due_on, debt.payments[last].due_on),
                    words.cell(amount),
                    words.cell(amount * (last - first + 1)),
                )
            )
        heads = tuple(words(f"head.{name}") for name in ("number", "due", "each", "sum"))
        yield Table(heads, tuple(rows), (2, 3), (words("total"), "", "", words.cell(debt.paying_minor)))


def matrix(words: Words, of: Mapping[str, Mapping[date, int]]) -> list[Table]:
    """What each creditor gets each time, in as many tables as a page's width needs; alike times in a row are one row.

    Each table ends with what all creditors together get each time, and its last row is the sum over all times.
    """
    days = sorted({day for paid in of.values() for day in paid})
    whole = {day: sum(paid.get(day, 0) for paid in of.values()) for day in days}
    in_all = sum(whole.values())
    at_once = max(1, _WIDE // (max(len(words.cell(in_all)), 10) + 2) - 1)
    creditors = list(of)
    tables = []
    for start in range(0, len(creditors), at_once):
        some = creditors[start : start + at_once]
        rows = []
        for first, last in alike([(day, (*(of[one].get(day, 0) for one in some), whole[day])) for day in days]):
            paid = [of[one].get(days[first], 0) for one in some]
            rows.append(
                (
                    words.days(days[first], days[last]),
                    str(last - first + 1),
                    *(words.cell(amount) if amount else "–" for amount in paid),
                    words.cell(whole[days[first]]),
                )
            )
        sums = (
            words("total"),
            str(len(days)),
            *(words.cell(sum(of[one].values())) for one in some),
            words.cell(in_all),
        )
        heads = (words("head.due"), words("head.times"), *(words.party(one).name for one in some), words("head.all"))
        tables.append(Table(heads, tuple(rows), tuple(range(2, len(heads))), sums, even=True))
    return tables


def alike(times: Sequence[tuple[date, tuple[int, ...]]]) -> list[tuple[int, int]]:
    """Times of the same amounts in months that follow each other: place of the first and of the last."""
    found: list[tuple[int, int]] = []
    for place, (day, paid) in enumerate(times):
        before = times[place - 1]
        if place and before[1] == paid and month_of(day) - month_of(before[0]) == 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found
