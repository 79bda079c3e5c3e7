"""The treatments of a day: what the law is asked of each, who it reaches, and how hard it is on a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Treatment:
    """One treatment. asks: the action that the law judges; None where no contact and no action of law is made.

    contact: a person is contacted. gentle: may be drawn in the randomised slice. harsh: has preconditions of its own,
    and capacity only where a lender gives some.
    """

    name: str
    asks: str | None
    contact: bool = False
    gentle: bool = False
    harsh: bool = False


TREATMENTS = (
    Treatment("nothing", None, gentle=True),
    Treatment("reminder", "sms", contact=True, gentle=True),
    Treatment("education", "app", contact=True, gentle=True),
    Treatment("due_day_move", "app", contact=True, gentle=True),
    Treatment("plan_offer", "sms", contact=True, gentle=True),
    Treatment("limit_change", None),
    Treatment("call", "call", contact=True),
    Treatment("visit", "visit", contact=True, harsh=True),
    Treatment("legal", "enforce", harsh=True),
    Treatment("sale", "share_data", harsh=True),  # of a person's data, to the buyer
)
NAMES = tuple(one.name for one in TREATMENTS)
PLACE = {name: place for place, name in enumerate(NAMES)}
HUMAN_REVIEW = "human_review"  # beside them: a person looks at the case, nothing else happens
