"""The worked cases inside the rule files: what each rule answers just before and just after its boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from evenkeel.arrears.law import RuleBook, check
from evenkeel.arrears.rows import table_of

_APART = timedelta(minutes=20)  # of earlier rows, where the case does not say
_ANYWHERE = "Asia/Shanghai"  # where the debtor lives in a case of a rule that holds everywhere
_NOT_FACTS = ("times", "hours_apart")


@dataclass(frozen=True, slots=True)
class Worked:
    """One case: what its file expects, and what the rule answered when it was asked alone."""

    rule: str
    name: str
    expected: str
    answer: str
    value: str | None  # what the rule found
    expected_value: str | None

    @property
    def holds(self) -> bool:
        """Whether the rule answers as its case says."""
        return self.answer == self.expected and self.expected_value in (None, self.value)


def work(rules: RuleBook) -> Iterator[Worked]:
    """Every case of every rule, asked of that rule alone. Raises InvalidInput where a case is no action."""
    for rule in rules.rules.values():
        alone = rules.only(rule.id) if rule.cases else rules
        for case in rule.cases:
            found = judged(alone, case.get("jurisdiction", rule.jurisdiction), case)
            values = [one["value"] for one in found["rules"] if one["id"] == rule.id]
            yield Worked(
                rule.id, case["name"], case["expect"], found["answer"], values[0] if values else None, case.get("value")
            )


def judged(rules: RuleBook, jurisdiction: str, case: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a case: `answer` and `rules` as `check` gives them.

    Its earlier rows come first, each like the row itself but for what it says, `times` times and `hours_apart`.
    """
    places = (jurisdiction, *rules.members.get(jurisdiction, ()))
    home = (
        *(zone for place in places for zone in rules.zones.get(place, ())),
        _ANYWHERE if jurisdiction == "*" else "",
    )[0]
    row: dict[str, Any] = {"timezone": home, **case["row"]}
    rows = []
    for change in case.get("earlier", ()):
        said = {name: value for name, value in change.items() if name not in _NOT_FACTS}
        apart = timedelta(hours=change["hours_apart"]) if "hours_apart" in change else _APART
        rows += [{**row, "at": row["at"] - apart * (place + 1), **said} for place in range(change.get("times", 1))]
    answer: dict[str, Any] = check(table_of([*rows, row]), rules, jurisdiction).to_pylist()[-1]
    return answer
