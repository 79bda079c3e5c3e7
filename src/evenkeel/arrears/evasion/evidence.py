"""Ability and willingness, two models apart: may a person look at whether somebody who could pay will not?

Each model is the weight of a few signs that can be looked up in the months since the arrears began, with stated chances
(naive Bayes, as in `arrears.cause`), and an interval for how roughly those are known. The normal result is to abstain.
No score says that anybody is malicious: the most that it says is that a person should look.

Never evidence, and not read here: being hard to reach, complaints, disputes, requests to stop, quoting the law, having
a lawyer or an adviser, medical papers. A contact counts only where something was said in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel
from evenkeel.arrears.cause import overdue_cases
from evenkeel.arrears.warning.ahead import overdue_rows
from evenkeel.arrears.warning.facts import Ledger, event_ledger, known_months, places, ratio
from evenkeel.arrears.warning.reasons import REASONS_TYPE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Z = 1.645  # of a 90 % interval
KNOWN_FROM = 60  # so many cases, as it were, stand behind each stated chance: the intervals are that wide
ABLE_FROM = 0.7  # lower end of ability from here on, and
WILLING_TO = 0.5  # upper end of willingness up to here, and
KINDS_NEEDED = 2  # so many kinds of evidence for ability, and for want of willingness: then a person may look
LEAST_MONTHS = 2  # whoever is overdue for less has had no time to show anything
FIRST_PAYMENT_MONTHS = 3  # arrears that begin with the line are for those who look into fraud


class Route(StrEnum):
    """What follows for one overdue borrower."""

    ABSTAIN = "abstain"
    UNABLE = "unable"  # help: a plan, a hardship scheme
    HARDSHIP = "hardship"  # was told of, and is believed
    FRAUD_REVIEW = "fraud_review"  # another desk
    REVIEW = "review"  # a person may look


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is looked up. kind: signs of one kind are one piece of evidence, not two.

    percent: in how many of 100 with the trait (able, willing) and without it the sign is seen. one_sided: where it is
    not seen, nothing is said.
    """

    code: str
    kind: str
    source: str
    percent: tuple[int, int]
    one_sided: bool = False


# Round judgements that a risk manager must be able to dispute; `reference` figures exist for none of them.
ABILITY: tuple[Sign, ...] = (
    Sign("income_kept", "income", "events", (85, 20)),
    Sign("dues_small_to_income", "income", "events", (75, 30)),
    Sign("deposits_after", "deposits", "events", (40, 8), one_sided=True),
    Sign("spent_after", "spending", "periods", (45, 12), one_sided=True),
    Sign("others_paid_in_full", "selective", "periods", (50, 12), one_sided=True),
)
WILLINGNESS: tuple[Sign, ...] = (
    Sign("part_paid", "payments", "periods", (65, 12)),
    Sign("promise_kept", "promises", "contacts", (50, 8), one_sided=True),
    Sign("promises_not_broken", "promises", "contacts", (85, 30)),
    Sign("plan_taken", "plan", "events", (40, 4), one_sided=True),
    Sign("plan_not_declined", "plan", "contacts", (90, 35)),
    Sign("spoke_with_us", "contact", "contacts", (70, 45), one_sided=True),
)
PRIOR_ABLE, PRIOR_WILLING = 0.25, 0.85  # most who fall behind cannot pay, and most who can do
_PRIOR_CASES = 40

ASSESSED = pa.schema(
    [
        ("borrower_id", pa.string()),
        ("route", pa.string()),
        *((f"{model}{end}", pa.float64()) for model in ("ability", "willingness") for end in ("", "_low", "_high")),
        ("evidence", REASONS_TYPE),
    ]
)


@dataclass(frozen=True, slots=True)
class Belief:
    """Probability of a trait for each borrower, (n,), its 90 % interval, and the points of each sign, (n, signs)."""

    p: FloatArray
    low: FloatArray
    high: FloatArray
    points: FloatArray


def believe(signs: tuple[Sign, ...], seen: IntArray, prior: float) -> Belief:
    """A model's belief. seen: (n, signs) 1 seen, 0 not seen, -1 not known.

    The interval is the delta method on the log odds, each chance known as well as from KNOWN_FROM cases.
    """
    odds = np.full(len(seen), np.log(prior / (1 - prior)))
    variance = np.full(len(seen), 1 / (_PRIOR_CASES * prior * (1 - prior)))
    points = np.zeros(seen.shape)
    for place, sign in enumerate(signs):
        for value in (0, 1):
            if value == 0 and sign.one_sided:
                continue
            with_it, without = (abs(1 - value - percent / 100) for percent in sign.percent)
            rows = seen[:, place] == value
            points[rows, place] = np.log10(with_it / without)
            odds[rows] += np.log(with_it / without)
            variance[rows] += ((1 - with_it) / with_it + (1 - without) / without) / KNOWN_FROM
    half = Z * np.sqrt(variance)
    return Belief(_share(odds), _share(odds - half), _share(odds + half), np.round(points, 2))


def _share(log_odds: FloatArray) -> FloatArray:
    result: FloatArray = 1 / (1 + np.exp(-log_odds))
    return result


def routes(able: Belief, willing: Belief, facts: Mapping[str, BoolArray]) -> list[Route]:
    """What follows for each borrower. facts: (n,) `hardship`, `first_payment`, `short`; the first that holds decides.

    A review needs ability that is high and willingness that is low by the near ends of both intervals, each by two
    kinds of evidence at least.
    """
    may = (able.low >= ABLE_FROM) & (willing.high <= WILLING_TO)
    may &= _kinds(ABILITY, able.points > 0) >= KINDS_NEEDED
    may &= _kinds(WILLINGNESS, willing.points < 0) >= KINDS_NEEDED
    choice = np.select(
        [facts["hardship"], facts["first_payment"], facts["short"], able.high < 0.5, may],
        [Route.HARDSHIP, Route.FRAUD_REVIEW, Route.ABSTAIN, Route.UNABLE, Route.REVIEW],
        Route.ABSTAIN,
    )
    return [Route(str(one)) for one in choice]


def _kinds(signs: tuple[Sign, ...], speaks: BoolArray) -> IntArray:
    """(n,) how many kinds of evidence speak."""
    kinds = list(dict.fromkeys(sign.kind for sign in signs))
    found = [speaks[:, [sign.kind == kind for sign in signs]].any(axis=1) for kind in kinds]
    count: IntArray = np.stack(found).sum(axis=0, dtype=np.int64)
    return count


def assess(panel: Panel, tables: Mapping[str, pa.Table], lines: pa.Table, as_of: date) -> pa.Table:
    """Every overdue borrower of the book with both beliefs and the route, as ASSESSED, sorted by borrower.

    lines: decisions.exposure.open_lines, as of the same day. What a table that is missing would tell is not known.
    """
    own = lines.filter(lines["own"])
    late = pc.is_in(own["state"], pa.array([f"M{n}" for n in range(1, 8)]))
    ids = pc.unique(own["borrower_id"].filter(late)).sort()
    cases = overdue_cases(panel, lines, ids)
    borrower, onset = cases.borrower, cases.onset
    seen = _Read(panel, tables, borrower, onset, (as_of - date(1970, 1, 1)).days)
    able = believe(ABILITY, seen.ability(), PRIOR_ABLE)
    willing = believe(WILLINGNESS, seen.willingness(), PRIOR_WILLING)
    route = routes(able, willing, seen.facts())
    columns = {
        "borrower_id": ids,
        "route": pa.array(route, pa.string()),
        **{
            f"{name}{end}": pa.array(values)
            for name, belief in (("ability", able), ("willingness", willing))
            for end, values in (("", belief.p), ("_low", belief.low), ("_high", belief.high))
        },
        "evidence": _told(able, willing),
    }
    return pa.table(columns, schema=ASSESSED)


def _told(able: Belief, willing: Belief) -> pa.Array:
    """For each borrower what spoke, either way: ability first, the strongest first. An absent sign says `no_`."""
    rows = []
    for one, other in zip(able.points, willing.points, strict=True):
        told = []
        for signs, points in ((ABILITY, one), (WILLINGNESS, other)):
            for place in np.argsort(-np.abs(points), kind="stable"):
                sign = signs[place]
                if points[place]:
                    code = sign.code if points[place] > 0 else f"no_{sign.code}"
                    told.append({"code": code, "points": float(points[place]), "source": sign.source})
        rows.append(told)
    return pa.array(rows, REASONS_TYPE)


# --- reading the signs -----------------------------------------------------------------------------------------------

_KEPT = 0.9  # of the usual income
_SMALL = 0.3  # dues of a month to income of a month
_SPENT = 1.0  # spending since the arrears began, in months of usual income
_BROKEN = 2  # promises
_GRACE = 3  # days
_NEVER = np.iinfo(np.int64).max
_DECLINED = ("plan_declined", "declined_plan", "refused_plan")


@dataclass(frozen=True, slots=True)
class _Read:
    """The signs of overdue borrowers, (n,) each; onset: month in which the arrears began."""

    panel: Panel
    tables: Mapping[str, pa.Table]
    borrower: IntArray
    onset: IntArray
    last_day: int  # of what is known, since 1970

    @property
    def now(self) -> IntArray:
        """The last month, for each."""
        return np.full(len(self.borrower), self.panel.last_month)

    @property
    def months(self) -> IntArray:
        """Months since the arrears began, the first included."""
        return self.now - self.onset + 1

    def facts(self) -> dict[str, BoolArray]:
        """What takes a borrower out of the question before anything is weighed."""
        told = event_ledger(self.panel, self.tables.get("events"), "hardship", "plan_signed")
        hardship = np.zeros(len(self.borrower), bool)
        if told is not None:
            hardship = told.total(self.borrower, self.now, self.months + 6) > 0
        return {
            "hardship": hardship,
            "first_payment": self._age_at_onset() <= FIRST_PAYMENT_MONTHS,
            "short": self.months < LEAST_MONTHS,
        }

    def ability(self) -> IntArray:
        """(n, len(ABILITY)) as `believe` takes them."""
        income = event_ledger(self.panel, self.tables.get("events"), "income", amounts=True)
        if income is None:
            income = event_ledger(self.panel, self.tables.get("events"), "deposit", amounts=True)
        first = int(self.panel.month.min(initial=self.panel.last_month))
        before = np.clip(self.onset - 2 - first, 0, 9)
        usual = since = np.full(len(self.borrower), np.nan)
        if income is not None:
            usual = np.where(
                before > 0, income.total(self.borrower, self.onset - 3, before) / np.maximum(before, 1), np.nan
            )
            since = income.total(self.borrower, self.now, self.months) / self.months
        dues, spent = self._own_sums("min_due"), self._own_sums("spend")
        deposits = event_ledger(self.panel, self.tables.get("events"), "deposit", amounts=True)
        put = np.full(len(self.borrower), np.nan)
        if deposits is not None and income is not None:
            put = deposits.total(self.borrower, self.now, self.months) / np.where(usual > 0, usual, np.nan)
        return np.column_stack(
            [
                _at_least(ratio(since, usual), _KEPT),
                _at_least(-ratio(dues / self.months, since), -_SMALL),
                _at_least(put, 1.0),
                _at_least(ratio(spent, usual), _SPENT),
                _at_least(self._others_paid(), 1.0),
            ]
        )

    def willingness(self) -> IntArray:
        """(n, len(WILLINGNESS)) as `believe` takes them."""
        kept, broken = self._promises()
        plans = event_ledger(self.panel, self.tables.get("events"), "plan_signed")
        taken = np.full(len(self.borrower), -1)
        if plans is not None:
            taken = (plans.total(self.borrower, self.now, self.months) > 0).astype(np.int64)
        declined = self._contacts("outcome", *_DECLINED)
        spoke = self._contacts("conversation", True)
        promised = kept + broken > 0
        return np.column_stack(
            [
                _at_least(self._own_sums("paid", let_go=True), 1.0),
                np.where(promised, kept > 0, -1),
                np.where(promised, broken < _BROKEN, -1),
                taken,
                np.where(declined > 0, 0, -1),
                np.where(spoke > 0, 1, -1),
            ]
        )

    def _rows(self) -> tuple[IntArray, IntArray]:
        """Rows of the panel since each one's arrears began, and whose they are."""
        owner = self.panel.accounts["borrower"].to_numpy().astype(np.int64)[self.panel.account]
        place = np.full(len(self.panel.borrowers), -1)
        place[self.borrower] = np.arange(len(self.borrower))
        case = place[owner]
        late = np.flatnonzero(case >= 0)
        rows = late[self.panel.month[late] >= self.onset[case[late]]]
        return rows, case[rows]

    def _own_sums(self, name: str, *, let_go: bool = False) -> FloatArray:
        """Sum over own lines since the arrears began; NaN where nothing is known. let_go: of overdue lines only."""
        rows, case = self._rows()
        amount = np.asarray(self.panel.months[name].cast(pa.float64()).to_numpy(), np.float64)[rows]
        known = ~np.isnan(amount)
        if let_go:
            known &= overdue_rows(self.panel)[rows]
        size = len(self.borrower)
        count = np.bincount(case[known], minlength=size)
        return np.where(count > 0, np.bincount(case[known], amount[known], size), np.nan)

    def _others_paid(self) -> FloatArray:
        """Months in which another own line was paid well above its minimum; NaN where there is no other."""
        rows, case = self._rows()
        paid, least = (
            np.asarray(self.panel.months[name].cast(pa.float64()).to_numpy(), np.float64)[rows]
            for name in ("paid", "min_due")
        )
        other = ~overdue_rows(self.panel)[rows] & (least > 0) & ~np.isnan(paid)
        size = len(self.borrower)
        count = np.bincount(case[other], minlength=size)
        hits = np.bincount(case[other], paid[other] >= 2 * least[other], size)
        return np.where(count > 0, hits, np.nan)

    def _age_at_onset(self) -> FloatArray:
        """Months since the youngest line that is overdue was opened, when the arrears began; infinite where unknown."""
        rows, case = self._rows()
        at = (self.panel.month[rows] == self.onset[case]) & overdue_rows(self.panel)[rows]
        opened = (
            self.panel.accounts["opened"].cast(pa.float64()).to_numpy(zero_copy_only=False)[self.panel.account[rows]]
        )
        youngest = np.full(len(self.borrower), -np.inf)
        known = at & ~np.isnan(opened)
        np.maximum.at(youngest, case[known], opened[known])
        result: FloatArray = self.onset - youngest
        return result

    def _contacts(self, column: str, *wanted: object) -> IntArray:
        """How many contacts since the arrears began have one of some values; 0 where none has or none is known."""
        contacts = self.tables.get("contacts")
        if contacts is None or column not in contacts.column_names:
            return np.zeros(len(self.borrower), np.int64)
        rows = contacts.filter(pc.is_in(contacts[column], pa.array(wanted)))
        return self._ledger(rows).total(self.borrower, self.now, self.months)

    def _ledger(self, contacts: pa.Table) -> Ledger:
        return Ledger(places(contacts["borrower_id"], self.panel.borrowers), known_months(contacts, "at"))

    def _promises(self) -> tuple[IntArray, IntArray]:
        """Promises of these arrears whose day is over: how many were kept, and how many were not.

        Kept: paid between the word and the day, with _GRACE days more, what was promised, or anything where no amount
        was named. Without payments on record none is judged.
        """
        size = len(self.borrower)
        contacts, payments = self.tables.get("contacts"), self.tables.get("payments")
        if contacts is None or payments is None or "promised_on" not in contacts.column_names:
            return np.zeros(size, np.int64), np.zeros(size, np.int64)
        said = contacts.filter(pc.is_valid(contacts["promised_on"]))
        who, begins = places(said["borrower_id"], self.panel.borrowers), np.full(len(self.panel.borrowers), _NEVER)
        begins[self.borrower] = self.onset
        word, due = _days(said["at"]), _days(said["promised_on"])
        counted = (who >= 0) & (known_months(said, "at") >= begins[who]) & (due + _GRACE <= self.last_day)
        who, word, due = who[counted], word[counted], due[counted]
        promised = said["promised_minor"].fill_null(1).to_numpy().astype(np.int64)[counted]
        paid = self._paid(payments).total(who, due + _GRACE, due + _GRACE - word + 1)
        place = np.full(len(self.panel.borrowers), 0)
        place[self.borrower] = np.arange(size)
        held = paid >= np.maximum(promised, 1)
        count = [np.bincount(place[who[some]], minlength=size) for some in (held, ~held)]
        return count[0], count[1]

    def _paid(self, payments: pa.Table) -> Ledger:
        """Payments that held, by borrower and day."""
        held = payments.filter(pc.equal(pc.fill_null(payments["result"], "ok"), "ok"))
        account = places(held["account_id"], self.panel.accounts["account_id"].combine_chunks())
        owner = np.where(account >= 0, self.panel.accounts["borrower"].to_numpy().astype(np.int64)[account], -1)
        return Ledger(owner, _days(held["paid_at"]), held["amount_minor"].to_numpy().astype(np.int64))


def _days(instants: pa.ChunkedArray) -> IntArray:
    """Days since 1970 of dates, or of instants by their own clock."""
    kind = instants.type
    if pa.types.is_timestamp(kind) and kind.tz:
        instants = pc.local_timestamp(instants)
    result: IntArray = instants.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
    return result


def _at_least(values: FloatArray, bound: float) -> IntArray:
    """1 from the bound on, 0 below it, -1 where the value is not known."""
    return np.where(np.isnan(values), -1, values >= bound).astype(np.int64)
