"""The least that every month must carry more where all creditors take any amounts, by another solver in whole numbers:
`scipy.optimize.milp` over what is left of each debt after each month, its rounded interest too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from plan_verifier import longest_of, parts_owed, recovered_share, share_up, with_interest
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.repayment.model import Claim

YEAR = 12 * 10**6


class _Rows:
    """Columns and rows on their way to the solver."""

    def __init__(self) -> None:
        self.whole: list[int] = []
        self.high: list[float] = []
        self.rows: list[tuple[dict[int, float], float, float]] = []

    def column(self, high: float = np.inf) -> int:
        self.whole.append(1)
        self.high.append(high)
        return len(self.whole) - 1

    def row(self, form: dict[int, float], low: float, high: float) -> None:
        self.rows.append((form, low, high))


def exact_more(claims: Sequence[Claim], capacity: Sequence[int], survival: Sequence[float]) -> int | None:
    """Minor units; None where no more is enough. Claims of no concessions; what months leave is not kept."""
    model, months = _Rows(), max(map(longest_of, claims))
    more = model.column()
    paid: list[dict[int, float]] = [{} for _ in range(months + 1)]
    fixed = [0.0] * (months + 1)
    for claim in claims:
        _claim(model, claim, survival, paid, fixed)
    for month in range(months + 1):
        model.row({**paid[month], **({more: -1.0} if month else {})}, -np.inf, capacity[month] - fixed[month])
    matrix = np.zeros((len(model.rows), len(model.whole)))
    for place, (form, _, _) in enumerate(model.rows):
        for column, amount in form.items():
            matrix[place, column] += amount
    limits = LinearConstraint(matrix, [low for _, low, _ in model.rows], [high for _, _, high in model.rows])
    costs = np.eye(len(model.whole))[more]
    found = milp(costs, integrality=np.array(model.whole), bounds=Bounds(0, np.array(model.high)), constraints=limits)
    if found.x is None:
        assert found.status == 2, found.message
        return None
    return round(found.x[more])


def _claim(
    model: _Rows, claim: Claim, survival: Sequence[float], paid: list[dict[int, float]], fixed: list[float]
) -> None:  # fmt: skip
    owed, last, rate, policy = sum(parts_owed(claim)), longest_of(claim), claim.rate_micros, claim.policy
    share, most = recovered_share(claim), owed
    before: dict[int, float] = {}
    worth: dict[int, float] = {}
    before_fixed, worth_fixed, goes = float(owed), 0.0, -1
    for month in range(last + 1):
        most = with_interest(most, rate) if month else most
        discount = (1 + policy.discount_annual) ** (-month / 12)
        left = model.column(most if month < last else 0.0)
        now, now_fixed = {**before, left: -1.0}, before_fixed
        model.row(now, -now_fixed, np.inf)
        for column, amount in now.items():
            paid[month][column] = paid[month].get(column, 0.0) + amount
            worth[column] = worth.get(column, 0.0) + survival[month] * discount * amount
        fixed[month] += now_fixed
        worth_fixed += survival[month] * discount * now_fixed
        if month:
            breaks = (survival[month - 1] - survival[month]) * discount * share
            for column, amount in before.items():
                worth[column] = worth.get(column, 0.0) + breaks * amount
            least = policy.minimum_instalment_minor
            if least and month < last:  # as long as anything is left
                on = model.column(1.0)
                model.row({left: 1.0, on: -float(most)}, -np.inf, 0.0)
                model.row({**now, on: -float(least)}, -now_fixed, np.inf)
                if goes >= 0:
                    model.row({on: 1.0, goes: -1.0}, -np.inf, 0.0)
                goes = on
        else:
            model.row(now, share_up(owed, policy.upfront_share) - now_fixed, np.inf)
        interest = model.column()
        model.row({left: rate / YEAR, interest: -1.0}, -0.5, 0.5 - 1 / YEAR)  # half up
        before, before_fixed = {left: 1.0, interest: 1.0}, 0.0
    model.row(worth, int(owed * share) - 0.5 - worth_fixed, np.inf)
