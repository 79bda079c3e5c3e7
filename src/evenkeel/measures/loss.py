"""Expected loss from flow rates: the chain of net flow rates, and balances carried through a monthly flow matrix.

Conventions: buckets 0..7 are M0..M7, the last one is the loss; X is counted with M0. Leading axes `...` hold draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenkeel.measures.roll import FloatArray

BUCKETS = 8
LOSS = 7


def net_flow_rates(before: FloatArray, after: FloatArray) -> FloatArray:
    """Balance in a bucket / balance in the bucket before it one month earlier, at most 1.

    before, after: (..., 8) balances of M0..M7 at two month ends, or their sums over pairs of months; after[..., 7] is
    what reached M7 or was written off in the month. Returns (..., 7): the rates M0->M1, ..., M6->M7.
    A rate would be above 1 where balances skip a bucket. A bucket that was empty gives 0 where nothing followed either,
    else 1: nothing speaks for a cure.
    """
    top, bottom = after[..., 1:], before[..., :-1]
    rates = np.divide(top, bottom, out=np.where(top > 0, 1.0, 0.0), where=bottom > 0)
    return np.minimum(rates, 1.0)


def chained_loss_rates(rates: FloatArray) -> FloatArray:
    """Share of each bucket's balance that is lost: the product of the flow rates from it to the end.

    rates: (..., k) flow rates from bucket to bucket. Returns (..., k + 1); the last bucket is lost.
    """
    ends = np.ones((*rates.shape[:-1], 1))
    return np.concatenate((np.flip(np.cumprod(np.flip(rates, axis=-1), axis=-1), axis=-1), ends), axis=-1)


@dataclass(frozen=True, slots=True)
class Motion:
    """What a unit of balance in each bucket does in a month. All (..., 8), `move` (..., 8, 8).

    move: balance next month in each bucket, growth included. Column and row of M7 are zero: what reaches it is lost.
    paid: collected, balances settled on leaving the book included. charged: interest and fees added.
    drawn: new borrowing added. lost: reaches M7 or is written off.
    """

    move: FloatArray
    paid: FloatArray
    charged: FloatArray
    drawn: FloatArray
    lost: FloatArray


def carried(start: FloatArray, motion: Motion, months: int, added: FloatArray | None = None) -> FloatArray:
    """(months + 1, ..., 8) balances at each month end, of a start carried through a motion.

    start: (..., 8) or any shape that broadcasts to it. added: (..., 8) new balance at each month end.
    """
    balance = np.broadcast_to(start, np.broadcast_shapes(start.shape, motion.lost.shape)).astype(np.float64)
    path = [balance]
    for _ in range(months):
        balance = np.einsum("...i,...ij->...j", balance, motion.move)
        path.append(balance if added is None else balance + added)
        balance = path[-1]
    return np.stack(path)


def lost_within(motion: Motion, months: int) -> FloatArray:
    """(..., 8) share of each bucket's balance that is lost within some months: the absorbing chain, not the product."""
    unit = np.eye(BUCKETS)[(slice(None),) + (None,) * (motion.lost.ndim - 1)]  # one start in each bucket
    path = carried(unit, motion, months)[:-1]
    lost = np.einsum("t...i,...i->t...", path, motion.lost).sum(axis=0)
    lost[LOSS] = 1.0
    return np.moveaxis(lost, 0, -1)


def riskier(motion: Motion, times: FloatArray) -> Motion:
    """The motion of balances that fall behind `times` as often: entries from M0 scaled, the rest stays in M0.

    times: broadcasts to the leading axes. Where it would leave less than nothing in M0, it is cut to that.
    """
    move, lost = _copies(motion, times.shape)
    behind, kept = move[..., 0, 1:LOSS].sum(axis=-1) + lost[..., 0], move[..., 0, 0]
    most = np.divide(behind + kept, behind, out=np.ones_like(behind), where=behind > 0)
    factor = np.minimum(times, most)
    move[..., 0, 0] = np.maximum(kept + behind * (1 - factor), 0.0)
    move[..., 0, 1:LOSS] *= factor[..., None]
    lost[..., 0] *= factor
    return Motion(move, motion.paid, motion.charged, motion.drawn, lost)


def without_draws(motion: Motion) -> Motion:
    """The motion of lines on which nothing more may be drawn: the next balance is smaller by what was drawn."""
    total = motion.move.sum(axis=-1) + motion.lost
    left = np.divide(np.maximum(total - motion.drawn, 0.0), total, out=np.ones_like(total), where=total > 0)
    return Motion(motion.move * left[..., None], motion.paid, motion.charged, motion.drawn * 0.0, motion.lost * left)


def better_collected(motion: Motion, uplift: FloatArray) -> Motion:
    """The motion with overdue payments raised by a share `uplift`, taken off what stays overdue or is lost."""
    move, lost = _copies(motion, uplift.shape)
    paid = np.array(np.broadcast_to(motion.paid, lost.shape))
    for bucket in range(1, LOSS):
        overdue = move[..., bucket, 1:LOSS].sum(axis=-1) + lost[..., bucket]
        extra = np.minimum(uplift * paid[..., bucket], overdue)
        left = np.divide(overdue - extra, overdue, out=np.ones_like(overdue), where=overdue > 0)
        move[..., bucket, 1:LOSS] *= left[..., None]
        lost[..., bucket] *= left
        paid[..., bucket] += extra
    return Motion(move, paid, motion.charged, motion.drawn, lost)


def _copies(motion: Motion, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Writable copies of a motion's flows, broadcast to the leading axes `shape`."""
    lead = np.broadcast_shapes(shape, motion.lost.shape[:-1])
    return (
        np.array(np.broadcast_to(motion.move, (*lead, BUCKETS, BUCKETS))),
        np.array(np.broadcast_to(motion.lost, (*lead, BUCKETS))),
    )
