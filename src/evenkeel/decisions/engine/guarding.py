"""The guard rail of a challenger: it is stopped where those whom it approved turn bad more often than the champion's.

An approval is an application granted, a purchase approved or a limit raised. It turned bad where its borrower, later,
was charged off, or had a line frozen for arrears.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from evenkeel.policy.register import Outcomes, Register, Standing, harmed
from evenkeel.storage.database import transaction

MARGIN = 0.01  # how much larger the challenger's share of bads may be, beyond chance
GUARD = "guard"  # who stops it

_KINDS = {"grant": "application", "authorisation": "purchase", "limit": "limit"}
_MOST = 2_000_000  # of the latest decisions
_FAVOURABLE = ["approve", "approve_less", "raise", "thaw"]
_OUTCOMES = sa.text("""
WITH approved AS (
    SELECT d.borrower_id, min(d.decided_at) AS since, a.content::json ->> :policy_kind AS policy
    FROM decision AS d JOIN artefact AS a ON a.version = d.deciders
    WHERE d.kind = :kind AND d.outcome = ANY (:favourable)
        AND d.place > (SELECT coalesce(max(place), 0) FROM decision) - :most
        AND a.content::json ->> :policy_kind IN (:champion, :challenger)
    GROUP BY d.borrower_id, a.content::json ->> :policy_kind
)
SELECT policy, count(*), count(*) FILTER (WHERE EXISTS (
    SELECT FROM journal AS j WHERE j.borrower_id = approved.borrower_id
        AND j.kind IN ('account.charge_off', 'event.charged_off') AND j.booked_at > approved.since
) OR EXISTS (
    SELECT FROM journal AS j WHERE j.borrower_id = approved.borrower_id AND j.kind = 'limit_moved'
        AND j.booked_at > approved.since AND j.payload ->> 'outcome' = 'freeze'
        AND j.payload -> 'reasons' ?| ARRAY['overdue_one', 'overdue_two']
))
FROM approved GROUP BY policy
""")


@dataclass(frozen=True, slots=True)
class Guarded:
    """What became of those whom each approved, and whether the challenger was stopped for it."""

    champion: Outcomes
    challenger: Outcomes
    stopped: bool


def guard(register: Register, kind: str, margin: float = MARGIN) -> Guarded | None:
    """Look at what a challenger does, and stop it where it harms. None where there is no challenger."""
    standing = register.standing(kind)
    if standing.champion is None or standing.challenger is None:
        return None
    champion, challenger = _outcomes(register, kind, standing)
    stopped = harmed(champion, challenger, margin)
    if stopped:
        theirs, own = f"{champion.bad} of {champion.approved}", f"{challenger.bad} of {challenger.approved}"
        why = f"{own} turned bad, of the champion's {theirs}"
        register.stop_challenger(kind, by=GUARD, why=why)
    return Guarded(champion, challenger, stopped)


def _outcomes(register: Register, kind: str, standing: Standing) -> tuple[Outcomes, Outcomes]:
    given = {
        "kind": _KINDS[kind], "policy_kind": kind, "favourable": _FAVOURABLE, "most": _MOST,
        "champion": standing.champion, "challenger": standing.challenger,
    }  # fmt: skip
    with transaction(register.engine) as connection:
        found = {row[0]: Outcomes(row[1], row[2]) for row in connection.execute(_OUTCOMES, given)}
    nobody = Outcomes(0, 0)
    return found.get(standing.champion or "", nobody), found.get(standing.challenger or "", nobody)
