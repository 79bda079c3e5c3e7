"""Whose turn it is: the locks that a batch takes, of borrowers and of what applications name.

Two applications that name the same device, telephone, address or contact are decided one after the other, whatever
processes decide them, so that the later one sees the earlier. Employers are left aside: hundreds share one, and what is
read of workmates is a statistic. Purchases and events take no lock but their borrower's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evenkeel.accounts.store import turn_of
from evenkeel.decisions.engine import statements as sql
from evenkeel.decisions.engine.applying import said_by
from evenkeel.decisions.engine.wire import INT4, Query, fixed
from evenkeel.decisions.requests import Application

if TYPE_CHECKING:
    from evenkeel.decisions.engine.batch import Case

KINDS = ("device", "phone", "address", "contact")  # of tokens that are shared by few


def locking(cases: Sequence[Case]) -> Query:
    """Takes what a batch needs of each case, and says whether it is all ours: a row a case, in their order."""
    borrowers = fixed(INT4, np.array([case.turn for case in cases]))
    named = [turns_of(case.request) if isinstance(case.request, Application) else [] for case in cases]
    if not any(named):
        return sql.LOCK, (borrowers,)
    until = np.cumsum([len(some) for some in named])
    since = until - [len(some) - 1 for some in named]  # counted from 1
    tokens = np.array([turn for some in named for turn in some])
    return sql.LOCK_NAMED, (borrowers, fixed(INT4, since), fixed(INT4, until), fixed(INT4, tokens))


def turns_of(request: Application) -> list[int]:
    """The locks of the tokens that an application names, in the one order in which everybody takes them."""
    return sorted({turn_of(f"{kind} {token}") for kind, token in said_by(request, 0).tokens() if kind in KINDS})
