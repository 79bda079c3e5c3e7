"""Who decides on whom: the champion of each kind of policy, and a challenger for the borrowers that a hash chooses.

Each arm is a whole `Deciders` of its own, with one policy in another version, so that a decision names what decided it
and a replay needs to know nothing of arms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.policy.register import draw_ppm


@dataclass(frozen=True)
class Challenger:
    """Decides on a share of borrowers, in millionths, instead of the champion. policy: the version that differs."""

    policy: str
    share_ppm: int
    deciders: Deciders


@dataclass(frozen=True)
class Arms:
    """What decides at a time. challengers: by kind of policy (authorisation, grant, limit)."""

    champion: Deciders
    challengers: Mapping[str, Challenger] = field(default_factory=dict)

    def of(self, kind: str, borrower_id: str) -> Deciders:
        """What decides on a borrower: the same in every process and every time."""
        rival = self.challengers.get(kind)
        if rival is not None and draw_ppm(rival.policy, borrower_id) < rival.share_ppm:
            return rival.deciders
        return self.champion

    @property
    def all(self) -> list[Deciders]:
        """Every one that may decide, the champion first."""
        return [self.champion, *(rival.deciders for rival in self.challengers.values())]

    def document(self) -> dict[str, object]:
        """Versions in use: of all that decides, of the champions, of the challengers with their shares."""
        return {
            "deciders": self.champion.version,
            "policies": self.champion.policies,
            "challengers": {
                kind: {"deciders": one.deciders.version, "policy": one.policy, "share_ppm": one.share_ppm}
                for kind, one in sorted(self.challengers.items())
            },
        }


def arms_of(deciders: Deciders | Arms) -> Arms:
    """Arms from what may be one `Deciders` alone."""
    return deciders if isinstance(deciders, Arms) else Arms(deciders)
