"""What the choice of a treatment takes for granted until a randomised slice has measured it, with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class TreatmentAssumptions:
    """What the choice takes for granted; amounts in minor units.

    wait_days, self_cure_likely: up to that day past due an account that is at least so likely to cure is left alone.
    call_from_days: calls are weighed from here on (M2); long_overdue_days: from here on a plan is offered (M4).
    reminder_effect, call_effect: added chance of payment among those who would not have paid anyway: a moral text took
        delinquency 4.4 points down (Bursztyn et al., JPE 2019); a person's call raised on-time resolution by 34.4
        points (Laudenbach, Pirschel, Siegel). Other countries and products: orders of magnitude.
    reminder_cost_minor, call_cost_minor: what one costs. reminder_burden_minor, call_burden_minor: what one does to a
        person who would have paid without it. Judgements.
    promise_days: a promise is waited for at most that long. hardship_days: so long a reported hardship counts.
    """

    wait_days: int = 3
    self_cure_likely: float = 0.5
    call_from_days: int = 31
    long_overdue_days: int = 91
    reminder_effect: float = 0.044
    call_effect: float = 0.344
    reminder_cost_minor: int = 10
    call_cost_minor: int = 500
    reminder_burden_minor: int = 100
    call_burden_minor: int = 2_000
    promise_days: int = 31
    hardship_days: int = 180


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a treatment is taken to do; amounts in minor units.

    effect: added chance of payment among those who would not have paid anyway. cost_minor: what one costs.
    burden_minor: what one does to a person who would have paid without it. hours: of staff. source: where from.
    """

    effect: float
    cost_minor: int
    burden_minor: int
    hours: float
    source: str


@dataclass(frozen=True, slots=True)
class DayAssumptions:
    """What a day's assignment takes for granted beside the rules of the stages.

    treatments: by name; a missing one is never chosen. draw_saved: of the undrawn limit of an account that does not
    cure, the share that a freeze keeps from being drawn and lost. visit_from_days, legal_from_days, sale_from_days:
    earlier than that none of these is possible. most_contacts: in seven days, over all creditors on record; a lender's
    own policy, no law. moved_within_days: a due day is moved once in so long. visit_collectors: who go together.
    """

    stages: TreatmentAssumptions = field(default_factory=TreatmentAssumptions)
    treatments: Mapping[str, Assumed] = field(default_factory=lambda: ASSUMED)
    draw_saved: float = 0.05
    visit_from_days: int = 61
    legal_from_days: int = 181
    sale_from_days: int = 361
    most_contacts: int = 7
    moved_within_days: int = 365
    visit_collectors: int = 2


_STAGES = TreatmentAssumptions()
_JUDGED = "judgement, no study: to be measured by the slice"
ASSUMED: Mapping[str, Assumed] = MappingProxyType(
    {
        "reminder": Assumed(
            _STAGES.reminder_effect, _STAGES.reminder_cost_minor, _STAGES.reminder_burden_minor, 0.0,
            "a moral text: delinquency down 4.4 points (Bursztyn et al., JPE 2019)",
        ),
        "education": Assumed(
            0.005, 2, 50, 0.0, "no effect on default over 188 papers (Miller et al. 2015); a little is hoped for",
        ),
        "due_day_move": Assumed(0.06, 20, 50, 0.0, _JUDGED),
        "plan_offer": Assumed(
            0.10, 50, 100, 0.05, "write-downs of interest raise repayment (Dobbie & Song, AER 2020); size a judgement",
        ),
        "limit_change": Assumed(0.0, 5, 1_000, 0.0, "worth what is not drawn: see draw_saved; " + _JUDGED),
        "call": Assumed(
            _STAGES.call_effect, _STAGES.call_cost_minor, _STAGES.call_burden_minor, 0.2,
            "resolution up 34.4 points (Laudenbach, Pirschel, Siegel, Journal of Finance)",
        ),
        "visit": Assumed(0.344, 15_000, 20_000, 2.0, "taken as a call, dearer and harder on people; " + _JUDGED),
        "legal": Assumed(0.20, 100_000, 50_000, 1.0, _JUDGED),
        "sale": Assumed(0.03, 1_000, 20_000, 0.1, "price above what would still be collected; " + _JUDGED),
    }
)  # fmt: skip
