"""Equal instalments: one exact schedule or millions, and the annuity formulas that spreadsheets know.

`equal_instalments` works in whole minor units with exact rates; `pmt`, `ipmt` and `ppmt` are estimates in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Numbers = float | npt.ArrayLike

MOST = 10**15  # of a principal, a numerator and a denominator: below 2**53, so that float64 holds each exactly
_ROWS = 1 << 14  # in work at a time: what they need stays in a core's cache
_UNIT = 2.0**-53  # the relative error of one rounding of float64


@dataclass(frozen=True, slots=True)
class Instalments:
    """n schedules of k instalments, (n, k) int64 in minor units: payment = interest + principal.

    balance is what is owed after each payment; the last one is 0. The columns of a period lie together in memory.
    """

    payment: IntArray
    interest: IntArray
    principal: IntArray
    balance: IntArray


def equal_instalments(principal_minor: npt.ArrayLike, numerators: npt.ArrayLike, denominator: int) -> Instalments:
    """Schedules of k equal instalments (等额本息), exact to the minor unit.

    principal_minor: (n,) whole numbers, 0 or more. The factor of period j, its interest a unit of balance, is exactly
    numerators[..., j] / denominator; numerators: (k,) for all rows or (n, k), whole numbers, 0 or more. ACT/365 at
    15.678 %, 31 and 29 days: 15678 * [31, 29] / (100000 * 365).

        instalment = P / sum_k prod_{j <= k} 1 / (1 + f_j)                     rounded half-up; P / k where f = 0
        interest_k = balance_{k-1} * f_k                                       rounded half-up
        payment_k  = min(instalment, balance_{k-1} + interest_k); the last one pays the balance
        smoothing    d = last - instalment; s = d / k rounded half-up. Where s is not 0, instalment + s is tried and
                     kept if it makes |d| strictly smaller; then again.

    Where a period's interest exceeds the instalment (factors that differ widely), its principal is negative.

    Why the rounding is right: interest is integer arithmetic, in Python's integers where int64 could overflow. The
    instalment is float64, each of its 4 k operations off by at most a share of 2**-53; where (4 k + 8) such shares
    could move it over a half, it is computed again in integers. P / k has one operation and keeps halves as they are.

    Raises InvalidInput on other shapes, numbers that are not whole, negative ones, and ones above 10**15.
    """
    principal, steps = _checked(principal_minor, numerators, denominator)
    kind = _kind(principal, steps, denominator)
    periods, rows = len(steps), len(principal)
    whole = np.empty((4, periods, rows), np.int64)
    for start in range(0, rows, _ROWS):
        part = slice(start, start + _ROWS)
        whole[:, :, part] = _block(principal[part], steps if steps.shape[1] == 1 else steps[:, part], denominator, kind)
    return Instalments(*(table.T for table in whole))


def _whole(values: npt.ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    if array.size == 0 or (array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= MOST):
        return array.astype(np.int64)
    whole = array.dtype.kind in "iu"
    wrong = next(value for value in array.ravel().tolist() if not (whole and 0 <= value <= MOST))
    raise InvalidInput(
        f"`{name}` holds {wrong!r} in an array of {array.dtype}; whole numbers from 0 to 10**15 are needed."
    )


def _checked(principal_minor: npt.ArrayLike, numerators: npt.ArrayLike, denominator: int) -> tuple[IntArray, IntArray]:
    """Principals (n,) and numerators by period: (k, n), or (k, 1) where all rows have the same."""
    principal, steps = _whole(principal_minor, "principal_minor"), _whole(numerators, "numerators")
    if type(denominator) is not int or not 1 <= denominator <= MOST:
        raise InvalidInput(f"`denominator` is {denominator!r}; a whole number from 1 to 10**15 is needed.")
    if steps.ndim == 1:
        steps = steps[None, :]
    elif steps.ndim != 2 or len(steps) != len(principal):
        raise InvalidInput("`numerators` has neither one row for all schedules nor one for each.")
    if principal.ndim != 1 or steps.shape[1] == 0:
        raise InvalidInput("`principal_minor` is one row of amounts, and a schedule has at least one period.")
    return principal, np.ascontiguousarray(steps.T)


def _kind(principal: IntArray, steps: IntArray, denominator: int) -> type[Any]:
    """int64 where no product can overflow it, else Python's integers.

    Raises InvalidInput where a balance might not fit int64.
    """
    if not (principal.size and steps.size):
        return np.int64
    most = [int(value) for value in steps.max(axis=1)]
    growth = sum(math.log1p(value / denominator) for value in most)
    owed = math.log(int(principal.max()) + 1) + growth + 1e-6
    if owed > 62 * math.log(2):
        raise InvalidInput("these principals and factors make balances above 2**62 minor units.")
    product = owed + math.log(2 * max(most) + 1)
    return np.int64 if product < 62 * math.log(2) and denominator < 1 << 61 else object


def _block(principal: IntArray, steps: IntArray, denominator: int, kind: type[Any]) -> npt.NDArray[Any]:
    """(4, k, n): payment, interest, principal and balance of a few rows, smoothed."""
    level = _level(principal, steps, denominator).astype(kind)
    principal, steps = principal.astype(kind), steps.astype(kind)
    found: npt.NDArray[Any] = _schedule(principal, level, steps, denominator)
    periods = len(steps)
    off = found[0, -1] - level
    step = _share(off, periods)
    rows = np.flatnonzero(step)
    while len(rows):
        tried = level[rows] + step[rows]
        ways = steps if steps.shape[1] == 1 else steps[:, rows]
        trial = _schedule(principal[rows], tried, ways, denominator)
        missed = trial[0, -1] - tried
        better = abs(missed) < abs(off[rows])
        rows = rows[better]
        found[:, :, rows] = trial[:, :, better]
        level[rows], off[rows] = tried[better], missed[better]
        step[rows] = _share(off[rows], periods)
        rows = rows[step[rows] != 0]
    return found


def _share(off: npt.NDArray[Any], periods: int) -> npt.NDArray[Any]:
    """off / periods, rounded half-up away from 0."""
    size = (2 * abs(off) + periods) // (2 * periods)
    share: npt.NDArray[Any] = np.where(off < 0, -size, size)
    return share


def _schedule(principal: npt.NDArray[Any], level: npt.NDArray[Any], steps: npt.NDArray[Any], denominator: int) -> Any:
    """(4, k, n) of schedules whose instalments are given."""
    found = np.empty((4, len(steps), len(principal)), principal.dtype)
    balance, double = principal, 2 * denominator
    for place, numerator in enumerate(2 * steps):
        payment, interest, repaid, after = found[:, place]
        np.multiply(balance, numerator, out=interest)
        interest += denominator
        interest //= double
        np.add(balance, interest, out=payment)
        if place < len(steps) - 1:
            np.minimum(payment, level, out=payment)
        np.subtract(payment, interest, out=repaid)
        np.subtract(balance, repaid, out=after)
        balance = after
    return found


def _level(principal: IntArray, steps: IntArray, denominator: int) -> IntArray:
    """The instalment before smoothing, rounded half-up. principal: (n,); steps: (k, n) or (k, 1)."""
    periods = len(steps)
    discount, annuity = np.ones(steps.shape[1]), np.zeros(steps.shape[1])
    for numerator in steps:
        discount = discount / (1.0 + numerator / denominator)
        annuity += discount
    estimate = principal / annuity
    below = np.floor(estimate)
    rest = estimate - below
    level = below.astype(np.int64) + (rest >= 0.5)
    error = np.where((steps == 0).all(axis=0), 0.0, estimate * ((4 * periods + 8) * _UNIT))
    exact: tuple[int, int] | None = None
    for row in np.flatnonzero(abs(rest - 0.5) < error).tolist():
        if steps.shape[1] > 1 or exact is None:
            exact = _annuity(steps[:, row if steps.shape[1] > 1 else 0].tolist(), denominator)
        over, under = exact
        level[row] = (2 * int(principal[row]) * under + over) // (2 * over)
    return level


def _annuity(numerators: list[int], denominator: int) -> tuple[int, int]:
    """sum_k prod_{j <= k} 1 / (1 + f_j) as an exact ratio."""
    over, under = 0, 1
    for numerator in reversed(numerators):  # S = (1 + the sum of what follows) / (1 + f)
        over, under = denominator * (over + under), (denominator + numerator) * under
    return over, under


# ------------------------------------------------------------------------------------------------- the usual formulas


def pmt(rate: Numbers, periods: Numbers, present: Numbers) -> FloatArray:
    """The payment at each period's end that repays `present`: of the opposite sign, as money goes the other way.

        pmt = -present * (1 + rate)**periods / (((1 + rate)**periods - 1) / rate);  -present / periods where rate = 0

    rate: a period, such as 0.01. Arrays are broadcast. The spreadsheets' PMT, evaluated in the order above, which
    agrees with numpy-financial 1.0.0 to the last digit.

    >>> float(pmt(0.01, 6, -100))
    17.254836671088107
    """
    rate, periods, present = (np.asarray(value, np.float64) for value in (rate, periods, present))
    growth = (1 + rate) ** periods
    return np.asarray(-(present * growth) / _accumulated(rate, periods, growth))


def ipmt(rate: Numbers, period: Numbers, periods: Numbers, present: Numbers) -> FloatArray:
    """The interest in the payment `pmt` of period 1, 2, ... `periods`: rate times what is owed before it, negated.

    The spreadsheets' IPMT. Raises InvalidInput on a period that does not exist.
    """
    rate, period, periods, present = (np.asarray(value, np.float64) for value in (rate, period, periods, present))
    if not ((period >= 1) & (period <= periods)).all():
        raise InvalidInput("a `period` is not from 1 to the number of periods.")
    growth = (1 + rate) ** (period - 1)
    owed = present * growth + pmt(rate, periods, present) * _accumulated(rate, period - 1, growth)
    return np.asarray(-owed * rate)


def ppmt(rate: Numbers, period: Numbers, periods: Numbers, present: Numbers) -> FloatArray:
    """The principal in the payment `pmt` of a period: pmt - ipmt. The spreadsheets' PPMT; raises as `ipmt`."""
    return np.asarray(pmt(rate, periods, present) - ipmt(rate, period, periods, present))


def _accumulated(rate: FloatArray, periods: FloatArray, growth: FloatArray) -> FloatArray:
    """What 1 a period is worth at the end: (growth - 1) / rate, or the number of periods where there is no rate."""
    free = rate == 0
    return np.where(free, periods, (growth - 1) / np.where(free, 1.0, rate))
