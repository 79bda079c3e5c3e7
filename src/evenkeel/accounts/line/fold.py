"""A line from its facts: the facts in order of their days, and the time between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from evenkeel.accounts.facts import AccountFact, FactKind, standing
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.rules import FIRST_YEAR, LAST_YEAR, LINE_SEGMENTS, LineRules
from evenkeel.accounts.state import AccountState, Due, MonthEnd, Owed
from evenkeel.accounts.words import COMPONENTS, TIMINGS, Stage
from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.kernel.errors import InvalidInput

_STAGES = (Stage.OPEN, Stage.CLOSED, Stage.CHARGED_OFF, Stage.SOLD)


def fold_line(rules: LineRules, facts: Sequence[AccountFact], as_of: date, *, history: bool = False) -> AccountState:
    """The line at the close of `as_of`.

    facts: of one account, in the order in which they were booked; the first by effective day opens it. history: also
    how late it was at the end of each month. Raises InvalidInput if the account is not open by `as_of`.
    """
    months: list[MonthEnd] | None = [] if history else None
    line = line_before_close(rules, facts, as_of, months=months)
    if months is not None:
        _month_ends(line, as_of, months)
    line.close(as_of)
    return line_state(line, as_of, months or [])


def by_day(fact: AccountFact) -> tuple[date, int]:
    """The order in which facts are applied: by day, and within one a change of rate before what is booked otherwise.
    A day of interest is counted at its date's rate, before the payments of that day."""
    kind = fact.kind
    return fact.effective_on, 0 if kind is FactKind.OPENED else 1 if kind is FactKind.RATE_CHANGED else 2


def line_before_close(
    rules: LineRules,
    facts: Sequence[AccountFact],
    day: date,
    *,
    months: list[MonthEnd] | None = None,
) -> Line:
    """The line with every fact up to `day` applied, closed up to the eve of the last of them.

    months: filled with how late the line was at the end of each month that was passed.
    """
    known = sorted(standing(facts, day), key=by_day)
    line = opened_line(rules, known, day)
    for fact in known[1:]:
        if months is not None:
            _month_ends(line, date.fromordinal(fact.effective_on.toordinal() - 1), months)
        line.apply(fact)
    return line


def opened_line(rules: LineRules, known: Sequence[AccountFact], day: date) -> Line:
    """The line after the first of its facts. Raises InvalidInput if that does not open it by `day`."""
    if not known or known[0].kind is not FactKind.OPENED:
        raise InvalidInput(f"the account is not open on {day}.", "Its first fact is `opened`.")
    for end in (known[0].effective_on, day):
        if not FIRST_YEAR <= end.year < LAST_YEAR:
            raise InvalidInput(f"a line is kept from {FIRST_YEAR} to {LAST_YEAR - 1}, not on {end}.")
    line = Line(rules)
    line.open(known[0])
    return line


def _month_ends(line: Line, until: date, months: list[MonthEnd]) -> None:
    """Stop at every month's end up to a day and keep how late the line was."""
    end = month_end(month_of(months[-1].on) + 1 if months else month_of(date.fromordinal(line.v[k.CLOSED_ON] + 1)))
    while end <= until:
        line.close(end)
        owed = sum(line.cells) + line.v[k.CLAIM]
        months.append(MonthEnd(end, line.v[k.DAYS_PAST_DUE], owed, _STAGES[line.v[k.STAGE]]))
        end = month_end(month_of(end) + 1)


def line_state(line: Line, as_of: date, months: Sequence[MonthEnd]) -> AccountState:
    """A line as everything above reads it."""
    v, cells, product = line.v, line.cells, line.rules.product
    owed = tuple(
        Owed(TIMINGS[i // 16], LINE_SEGMENTS[i // 4 % 4], COMPONENTS[i % 4], amount)
        for i, amount in enumerate(cells)
        if amount
    )
    balance = sum(cells)
    held = sum(hold.amount_minor for hold in line.holds.values())
    limit = None if v[k.LIMIT] < 0 else v[k.LIMIT]
    dues = tuple(
        Due(date.fromordinal(line.dues[place]), line.dues[place + 1], line.dues[place + 2])
        for place in range(0, v[k.DUE_COUNT] * k.DUE_WIDTH, k.DUE_WIDTH)
    )
    accrued = sum(v[k.ACCRUED : k.ACCRUED + 4]) + sum(v[k.PENALTIES : k.PENALTIES + 4])
    room = None if limit is None else int(limit * (1 + line.rules.line.over_limit_share)) - balance - held + v[k.CREDIT]
    open_for_more = v[k.STAGE] == 0
    return AccountState(
        product_id=product.product_id, as_of=as_of, stage=_STAGES[v[k.STAGE]], limit_minor=limit, held_minor=held,
        available_minor=None if room is None else max(0, room) if open_for_more else 0, balance_minor=balance,
        credit_minor=v[k.CREDIT], accrued_minor=accrued // k.UNIT, claim_minor=v[k.CLAIM],
        subrogated_minor=v[k.SUBROGATED], owed=owed, dues=dues,
        past_due_minor=k.unpaid_dues(v, line.dues, as_of.toordinal()), days_past_due=v[k.DAYS_PAST_DUE],
        grade=product.grade(v[k.DAYS_PAST_DUE], _STAGES[v[k.STAGE]]),
        restructurings=v[k.RESTRUCTURED], bills=tuple(line.bills),
        postings=tuple(line.postings), months=tuple(months),
    )  # fmt: skip
