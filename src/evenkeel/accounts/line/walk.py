"""One line looked at many times, as more of its facts become known: what was folded once is not folded again.

The line after each fact is kept, so that a fact that comes late, or a look at an earlier day, goes back to the fact
before it and no further. The numbers are those of `line_before_close`, closed up to the eve of the day looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from operator import itemgetter

from evenkeel.accounts.facts import AccountFact, FactKind, standing
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import by_day, opened_line
from evenkeel.accounts.line.rules import LineRules

_DAY = timedelta(days=1)


class Walk:
    """A line on its way through its facts."""

    def __init__(self, rules: LineRules) -> None:
        self._rules = rules
        self._keyed: dict[int, tuple[tuple[date, int], AccountFact]] = {}  # by `id`, every fact that was ever seen
        self._reversals = False  # whether there is one among them
        self._looked_at: list[AccountFact] = []
        self._applied: list[AccountFact] = []  # of these what stands, in the order of `by_day`
        self._after: list[Line] = []  # the line after each of them
        self._shown: tuple[Line, Line] | None = None  # what was looked at last, and the one of `_after` it goes on from

    def look(self, facts: Sequence[AccountFact], day: date) -> Line:
        """The line before the close of a day, from facts in the order of booking; to be read until the next look.

        Raises InvalidInput if the account is not open by then, or the day lies outside of the years of lines.
        """
        after, eve = self._line(list(facts), day), day - _DAY
        if self._shown and self._shown[1] is after and self._shown[0].v[k.CLOSED_ON] <= eve.toordinal():
            line = self._shown[0]
        else:
            line = after.copy()
        line.close(eve)
        self._shown = line, after
        return line

    def _line(self, facts: list[AccountFact], day: date) -> Line:
        """The line with the facts up to a day applied."""
        keys = [self._key(fact) for fact in facts[len(self._looked_at) :]]
        if self._goes_on(facts, keys, day):
            later = facts[len(self._looked_at) :]
        else:
            wanted = self._wanted(facts, day)
            same = 0
            while same < min(len(wanted), len(self._applied)) and wanted[same] is self._applied[same]:
                same += 1
            del self._applied[same:], self._after[same:]
            later = wanted[same:]
        for fact in later:
            self._apply(fact, day)
        self._looked_at = facts
        return self._after[-1] if self._after else opened_line(self._rules, [], day)

    def _key(self, fact: AccountFact) -> tuple[date, int]:
        known = self._keyed.get(id(fact))
        if known is None:
            known = self._keyed[id(fact)] = by_day(fact), fact
            self._reversals |= fact.kind is FactKind.REVERSAL
        return known[0]

    def _goes_on(self, facts: list[AccountFact], keys: Sequence[tuple[date, int]], day: date) -> bool:
        """Whether the facts looked at last all stand, and others come after them, one by one: those with these keys."""
        if self._reversals or not self._applied or len(self._applied) != len(self._looked_at):
            return False
        steps = [self._key(self._applied[-1]), *keys]
        return (
            steps[-1][0] <= day
            and all(one <= other for one, other in pairwise(steps))
            and facts[: len(self._looked_at)] == self._looked_at
        )

    def _wanted(self, facts: Sequence[AccountFact], day: date) -> list[AccountFact]:
        """What stands on a day, in the order in which it is applied."""
        if self._reversals:
            return sorted(standing(facts, day), key=by_day)
        keyed = [(self._key(fact), fact) for fact in facts]
        return [fact for _, fact in sorted((one for one in keyed if one[0][0] <= day), key=itemgetter(0))]

    def _apply(self, fact: AccountFact, day: date) -> None:
        if self._after:
            line = self._after[-1].copy()
            line.apply(fact)
        else:
            line = opened_line(self._rules, [fact], day)
        self._applied.append(fact)
        self._after.append(line)
