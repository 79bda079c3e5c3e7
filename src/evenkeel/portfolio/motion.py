"""What balances did in the last months: observed from the panel by bucket, and drawn again by bootstrap over months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.measures.loss import BUCKETS, LOSS, Motion, chained_loss_rates, net_flow_rates
from evenkeel.measures.roll import BoolArray, Codes, FloatArray, IntArray, tally
from evenkeel.portfolio.rows import Rows, amount

WRITTEN_OFF = ("charged_off", "sold")
CLOSED_END = ("instalment", "cash")


@dataclass(frozen=True, slots=True)
class Seen:
    """Sums over account-months by from-month, kind of product and bucket, in minor units.

    Shapes are (m, 2, 8), kinds revolving and closed-end, m months, oldest first.
    owed: balance. followed: that of accounts still on book a month later. after: (m, 2, 8, 8) what those owed then, by
    bucket then. settled, written_off: balance of accounts that left the book.
    paid, charged: in the month after, of followed accounts where known, and paid_of, charged_of: their balance.
    """

    owed: FloatArray
    followed: FloatArray
    after: FloatArray
    settled: FloatArray
    written_off: FloatArray
    paid: FloatArray
    paid_of: FloatArray
    charged: FloatArray
    charged_of: FloatArray

    def drawn_again(self, draws: int, rng: np.random.Generator) -> Seen:
        """(draws + 1, 2, 8) sums: over the months as they were, then over as many drawn with replacement each time."""
        months = len(self.owed)
        times = rng.multinomial(months, np.full(months, 1 / months), draws)
        weights = np.concatenate((np.ones((1, months)), times))
        return Seen(*(np.tensordot(weights, getattr(self, name), axes=1) for name in self.__slots__))


def buckets_of(state: Codes) -> IntArray:
    """0..7 of state codes: X, and a state that is not known, are counted with M0."""
    return np.where((state < 0) | (state == STATE_INACTIVE), 0, state).astype(np.int64)


def closed_end(panel: Panel) -> BoolArray:
    """Whether each account is a loan on which nothing is drawn again."""
    flags: BoolArray = pc.is_in(panel.accounts["product"], pa.array(CLOSED_END)).to_numpy().astype(np.bool_)
    return flags


def observe(panel: Panel, rows: Rows, months: int) -> Seen | None:
    """The last `months` steps from month to month; None where no balance was ever followed by another.

    An account that leaves the book is settled, unless its status says charged off or sold.
    """
    first = max(rows.months - 1 - months, 0)
    here = np.flatnonzero((rows.month >= first) & (rows.month < rows.months - 1) & rows.owed_known & (rows.state >= 0))
    size = rows.months - 1 - first
    if len(here) == 0 or size == 0:
        return None
    nxt = np.minimum(here + 1, len(rows.account) - 1)
    stays = (nxt > here) & (rows.account[nxt] == rows.account[here])
    told = ~stays | (rows.owed_known[nxt] & (rows.state[nxt] >= 0))  # a month that is not known says nothing
    here, nxt, stays = here[told], nxt[told], stays[told]
    kind = closed_end(panel)[rows.account[here]].astype(np.int64)
    cell = ((rows.month[here].astype(np.int64) - first) * 2 + kind) * BUCKETS + buckets_of(rows.state[here])
    owed = rows.owed[here]
    ended = pc.fill_null(pc.is_in(panel.accounts["status"], pa.array(WRITTEN_OFF)), False).to_numpy().astype(np.bool_)
    bad_end = ended[rows.account[here]] & ~stays

    def summed(weights: IntArray, only: BoolArray) -> FloatArray:
        return tally(cell[only], size * 2 * BUCKETS, weights[only]).reshape(size, 2, BUCKETS).astype(np.float64)

    def rate(*names: str) -> tuple[FloatArray, FloatArray]:
        """Sums of columns in the month after, and the balance of the accounts where all of them are known."""
        total, known = np.zeros(len(here), np.int64), stays
        for name in names:
            values, given = amount(panel.months, name)
            total, known = total + values[nxt], known & given[nxt]
        return summed(total, known), summed(owed, known)

    after = tally((cell * BUCKETS + buckets_of(rows.state[nxt]))[stays], size * 2 * BUCKETS**2, rows.owed[nxt][stays])
    paid, paid_of = rate("paid")
    fees_on_file = panel.months["fee"].null_count < len(panel.months)
    charged, charged_of = rate("interest", *(["fee"] if fees_on_file else []))
    seen = Seen(
        owed=summed(owed, np.ones(len(here), np.bool_)),
        followed=summed(owed, stays),
        after=after.reshape(size, 2, BUCKETS, BUCKETS).astype(np.float64),
        settled=summed(owed, ~stays & ~bad_end),
        written_off=summed(owed, bad_end),
        paid=paid, paid_of=paid_of, charged=charged, charged_of=charged_of,
    )  # fmt: skip
    return seen if seen.followed.any() else None


def motion_of(seen: Seen, charge_rate: float | None) -> Motion:
    """The motion that sums (with any leading axes) imply. A bucket that was never seen stands still.

    charge_rate: what a unit of balance is charged a month where no charge is on file; None where that is not known
    either: charges are then part of what was drawn.
    New borrowing is what explains the balances after payments and charges. It is cut where balances would grow, or in
    overdue buckets grow by more than charges: growth carried forward for a year outruns every limit (the static balance
    sheet of supervisors' stress tests).
    """

    def per_unit(top: FloatArray, bottom: FloatArray) -> FloatArray:
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)

    move = per_unit(seen.after, np.broadcast_to(seen.owed[..., None], seen.after.shape))
    written_off = per_unit(seen.written_off, seen.owed)
    stays = per_unit(seen.followed, seen.owed)
    paid = per_unit(seen.paid, seen.paid_of) * stays + per_unit(seen.settled, seen.owed)
    on_file = per_unit(seen.charged, seen.charged_of) if seen.charged_of.any() else (charge_rate or 0.0)
    charged = on_file * stays
    most = 1 - written_off
    most[..., 1:] += charged[..., 1:]
    move *= np.minimum(per_unit(most, move.sum(axis=-1)), 1.0)[..., None]
    drawn = np.maximum(move.sum(axis=-1) + written_off - 1 + paid - charged, 0.0)
    lost = move[..., LOSS] + written_off
    unseen = seen.owed <= 0
    move[unseen] = np.broadcast_to(np.eye(BUCKETS), move.shape)[unseen]
    for flow in (paid, charged, drawn, lost):
        flow[..., LOSS] = 0.0
        flow[unseen] = 0.0
    move[..., LOSS] = 0.0
    move[..., LOSS, :] = 0.0
    return Motion(move, paid, charged, drawn, lost)


def chain_of(seen: Seen) -> FloatArray:
    """(..., 8) share lost of a balance in each bucket, by the chain of net flow rates."""
    after = seen.after.sum(axis=-2)
    # What is new in M7, and what was written off before it came there.
    after[..., LOSS] += seen.written_off[..., :LOSS].sum(axis=-1) - seen.after[..., LOSS, LOSS]
    return chained_loss_rates(net_flow_rates(seen.owed, after))
