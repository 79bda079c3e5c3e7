"""Once a day: cases are opened where something is late, and what time and money did to the others is taken down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evenkeel.accounts.store import one_at_a_time
from evenkeel.arrears.cases import store
from evenkeel.arrears.cases.service import Cases
from evenkeel.storage.database import transaction

_TOGETHER = 500  # borrowers whose ids are read at once


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to. moved: how many cases came to a state by time or money. given: cases that a day's
    assignment spoke of."""

    borrowers: int = 0
    opened: int = 0
    reopened: int = 0
    given: int = 0
    moved: Mapping[str, int] = field(default_factory=dict)


def sweep(
    cases: Cases, assigned: Mapping[str, tuple[str, float]] | None = None, tell: Callable[[int], None] = lambda _: None
) -> Swept:
    """Look at every borrower of the lender, each in a transaction of its own: a sweep that is killed is done again, and
    changes nothing twice.

    assigned: treatment and value over doing nothing, by borrower, of a day's assignment. tell: told how many are done.
    """
    assigned = assigned or {}
    moved: Counter[str] = Counter()
    done = given = 0
    after = ""
    while True:
        with transaction(cases.journal.engine) as connection:
            names = store.borrowers_of(connection, cases.lender_id, after, _TOGETHER)
        for name in names:
            told = assigned.get(name)
            state = _one(cases, name, told)
            moved.update([] if state in (None, "same") else [str(state)])
            given += told is not None and state is not None
        done += len(names)
        tell(done)
        if len(names) < _TOGETHER:
            opened, reopened = moved.pop("opened", 0), moved.pop("reopened", 0)
            return Swept(done, opened, reopened, given, dict(sorted(moved.items())))
        after = names[-1]


def _one(cases: Cases, borrower_id: str, told: tuple[str, float] | None) -> str | None:
    """One borrower: opened, reopened, the state that the case came to, or same; None where there is no open case."""
    with transaction(cases.journal.engine) as connection:
        one_at_a_time(connection, [borrower_id])
        rows = store.rows_of_borrower(connection, borrower_id, cases.lender_id)
        last = rows[-1] if rows else None
        accounts = cases.accounts(connection, borrower_id)
        if last is not None and last["closed_at"] is None:
            return cases.refresh(connection, last, accounts, told) or "same"
        row = cases.opened(connection, borrower_id, accounts)
        if row is None:
            return None
        if told is not None:
            cases.refresh(connection, cases.row(connection, row.case_id), accounts, told)
        return "reopened" if last is not None and row.case_id == last["case_id"] else "opened"
