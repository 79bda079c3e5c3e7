"""A loan while its facts are folded: money goes out and comes in, and is taken back, forgiven or written off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evenkeel.accounts.allocation import Future, Open, Processing, Rule, allocate_payment
from evenkeel.accounts.ledger import CASH, CLAIM, CLAIM_CONTRA, CREDIT, LOSS, RECOVERED, SOLD, WAIVED
from evenkeel.accounts.loan.schedule import (
    FEE,
    INTEREST,
    PENALTY,
    PRINCIPAL,
    Period,
    Role,
    added,
    agree,
    asking,
    down_payment,
    fee_on,
    periods_of,
    rounded,
)
from evenkeel.accounts.loan.terms import PayoffInterest, Prepayment
from evenkeel.accounts.loan.timeline import INCOME, OWED, WHY, LateFee, LoanRules, Timeline, Transaction
from evenkeel.accounts.words import COMPONENTS, Component, Stage, Timing
from evenkeel.kernel.errors import InvalidInput

__all__ = ["LateFee", "LoanRules", "Running", "Transaction"]

_PLACE = {component: place for place, component in enumerate(COMPONENTS)}
_NEVER = 10**7  # a day that never comes


class Running(Timeline):
    """The loan up to the close of `day`, with everything that facts do to it. Each fact is applied on `day`."""

    def advance(self, to: int) -> None:
        """Let the days up to the close of `to` pass."""
        if self.rules.late_fee is not None or self.rules.charge_off_days is not None:
            first = self.day + 1
            while (stop := min(self._judgement(), max(self._charge_off_day(), first))) <= to:
                self.close_until(max(stop, self.day))
                while self._judgement() <= self.day:
                    self._judge()
                if self.days_past_due() >= (self.rules.charge_off_days or _NEVER):
                    self.charge_off("")
                # Where too little is late, it is until more is.
                first = self._more_late_day() if self._charge_off_day() <= self.day else self.day + 1
        self.close_until(to)

    def close(self, period: Period) -> None:
        """The due day of the running period has come; credit pays it first."""
        super().close(period)
        self._use_credit()

    def _judgement(self) -> int:
        late = self.rules.late_fee
        if late is None or self.judged >= len(self.periods) or self.stage is not Stage.OPEN:
            return _NEVER
        return self.periods[self.judged].due + late.after_days + 1

    def _judge(self) -> None:
        period, late = self.periods[self.judged], self.rules.late_fee
        self.judged += 1
        fee = late.of(period.open_minor - (period.owed[PENALTY] - period.paid[PENALTY])) if late else 0
        if fee:
            self.add_penalty(period, fee, "late_fee", "")

    def _charge_off_day(self) -> int:
        """The first day on which days past due can come to the charge-off point, were enough past due."""
        days = self.rules.charge_off_days
        if days is None or self.stage is not Stage.OPEN:
            return _NEVER
        due = self.oldest_late()
        if due is None:
            due = self.periods[self.at].due if self.at < len(self.periods) else _NEVER
        return self._day_counted(due, days)

    def _more_late_day(self) -> int:
        """The first day after `day` on which another instalment counts as late."""
        days = self.rules.grace_days + 1
        counted = (self._day_counted(period.due, days) for period in self.periods[self.oldest : self.at + 1])
        return min((day for day in counted if day > self.day), default=_NEVER)

    def _day_counted(self, due: int, days: int) -> int:
        """The first day on which so many days after `due` count as past due."""
        day = due + days
        while self.uncounted and (short := days - self._counted(due, day)) > 0:
            day += short
        return day

    def _counted(self, due: int, day: int) -> int:
        """The days after `due` up to `day` that count as past due."""
        if not self.uncounted:
            return day - due
        return sum(not any(after < one <= until for after, until in self.uncounted) for one in range(due + 1, day + 1))

    def oldest_late(self) -> int | None:
        """The due day of the oldest closed period of which more is missing than is tolerated."""
        for period in self.periods[min(self.oldest, self.at) : self.at]:
            if period.open_minor > self.rules.tolerated_minor:
                return period.due
        return None

    def days_past_due(self) -> int:
        """Days since the oldest due day of which more is missing than is tolerated; 0 while too little or too short to
        count."""
        due = self.oldest_late()
        if due is None or self.stage is not Stage.OPEN:
            return 0
        days = self._counted(due, self.day)
        return days if days > self.rules.grace_days and self._is_material() else 0

    def _is_material(self) -> bool:
        """Whether what is late is enough for days past due to count."""
        rules, closed = self.rules, self.periods[: self.at]
        if not (rules.material_minor or rules.material_share):
            return True
        late = sum(one.open_minor for one in closed if self._counted(one.due, self.day) > rules.grace_days)
        ahead = sum(map(self.ahead_minor, (PENALTY, FEE, INTEREST)))
        balance = self.principal - self.behind + sum(one.open_minor for one in closed) + ahead
        return late > rules.material_minor and late > rules.material_share * balance

    # ---- Money out -----------------------------------------------------------------------------------

    def disburse(self, fact_id: str, amount: int) -> None:
        """Principal is paid out on `day`."""
        if not self.periods:
            self.periods = periods_of(self.terms, self.on, self.terms.instalments, self.first_due)
            self.mark = self.penalty_mark = self.day
        if not self.to_come():
            raise InvalidInput(f"{self.on} is after the last instalment.", "Extend the term first.")
        self.principal += amount
        self.disbursed += amount
        self.move(fact_id, OWED[PRINCIPAL], CASH, amount, "disbursement")
        self.tell(fact_id, "disbursement", amount, [0, 0, 0, 0], 0)
        down = down_payment(self.terms, amount)
        self.lent += amount - down
        if not self.follows:
            self.set_base(self.base + amount - down)
        if down:
            self._insert_due(Period(self.day, self.day, (0, 1), Role.DOWN_PAYMENT, final=True), down)
            if self.terms.down_payment_collected:
                rule = self.rules.allocation.rule("down_payment")
                self.pay(fact_id, down, rule, CASH, "down_payment")
        self.settle_base()
        self.replan()

    def _insert_due(self, period: Period, principal: int) -> None:
        """A period whose due day is today, and which asks for principal."""
        self.periods.insert(self.at, period)
        self.at += 1
        self._add_due(period, principal)

    def _add_due(self, period: Period, principal: int) -> None:
        period.owed[PRINCIPAL] += principal
        self.behind += principal

    # ---- Money in --------------------------------------------------------------------------------------------------

    def pay(self, fact_id: str, amount: int, rule: Rule, source: str, kind: str) -> None:
        """Money comes in on `day`: for what is past due and due, then for what is to come; the rest is credit."""
        if self.stage is not Stage.OPEN:
            self._recover(fact_id, amount, source, kind)
            return
        payment = _Payment(fact_id, source, kind)
        items, periods = self._open_items(rule, amount)
        paid, left = allocate_payment(items, amount, rule, self.rules.allocation.processing)
        for period in periods:
            period.settled = True
        for (_, component, asked, group, _), part in zip(items, paid, strict=True):
            period = periods[group]
            period.settled &= part == asked
            if part:
                self._settle(period, _PLACE[component], part, payment)
        if left and self._prepays and self.at < len(self.periods):
            left = self._prepay(left, payment)
        if left:
            self.credit += left
            self.move(fact_id, source, CREDIT, left, "overpaid")
        self.settle_base()
        self.tell(fact_id, kind, amount, payment.split, left)
        self._pay_settlement(fact_id, amount)

    @property
    def _prepays(self) -> bool:
        """Whether money before its due day reduces principal instead of paying instalments."""
        return self.follows and self.terms.prepayment is not Prepayment.INSTALMENTS

    def _open_items(self, rule: Rule, amount: int) -> tuple[list[Open], list[Period]]:
        """What a payment on `day` may pay, with the periods that the items' groups name."""
        items: list[Open] = []
        periods: list[Period] = []
        self.pass_paid()
        # Where one instalment is paid after the other, those that the amount does not reach are left out.
        horizontal = self.rules.allocation.processing is Processing.HORIZONTAL
        oldest_first = horizontal and rule.advance_last and rule.ranks[0][0] is Timing.PAST_DUE
        next_first = rule.advance_last and rule.future is Future.NEXT
        left = amount
        for period in self.periods[self.oldest : self.at]:
            if left <= 0 and oldest_first:
                break
            timing = Timing.DUE if period.due == self.day else Timing.PAST_DUE
            left -= _add_items(items, periods, period, timing, period.open_parts())
        if left > 0 or not next_first:
            for period, open_ in self._payable(from_last=rule.future is Future.LAST):
                left -= _add_items(items, periods, period, Timing.IN_ADVANCE, open_)
                if left <= 0 and next_first:
                    break
        return items, periods

    def _payable(self, *, from_last: bool = False) -> Iterator[tuple[Period, Sequence[int]]]:
        """What the running and later periods take on `day`, by component."""
        coming = self.to_come()
        if not self.follows:
            if self.stale:
                self.refresh()
            for period in coming:
                yield period, period.open_parts()
            return
        if self._prepays and not (self.by_period and coming and self.day > coming[0].start):
            return
        left = self.principal - self.behind
        asks = asking(coming) if coming else None
        takes = self._taken_from_last(coming) if from_last and not self._prepays else {}
        for place, period in enumerate(coming):
            # All interest up to today, though the instalment may be too small for it: what is not paid is carried.
            due = self._running_interest() + self.deferred if period is asks else 0
            if takes:
                most = takes[place]
            else:
                most = left if place == len(coming) - 1 else min(left, self._principal_now(period, due))
            left -= most
            penalty, fee, interest, principal = period.paid
            fee_due = period.charged
            instalment = max(due, interest) + principal + most
            if self.terms.has_fee and (instalment or left):
                fee_due += fee_on(self.terms, instalment, self.disbursed)
            yield period, [period.owed[PENALTY] - penalty, max(fee_due - fee, 0), max(due - interest, 0), most]
            if self._prepays:
                return  # what is more reduces principal

    def _taken_from_last(self, coming: Sequence[Period]) -> dict[int, int]:
        """The principal that each period takes, by place, where the last one takes its own first; the next the rest."""
        left, found = self.principal - self.behind, {}
        for place in range(len(coming) - 1, 0, -1):
            found[place] = min(left, self._principal_now(coming[place], 0))
            left -= found[place]
        return found | {0: left}

    def _running_interest(self) -> int:
        """What the running period asks for its own and for what earlier ones left, were the loan paid off on `day`."""
        running, flow = self.periods[self.at], self.flow()
        to_rest = self.by_period or self.terms.payoff is PayoffInterest.TILL_REST
        if to_rest and self.day > running.start:
            flow = self.start_of_projection()
            to, base = running.due, flow.left
        else:
            to, base = self.day, self.base
        ratio = added(flow.accrued, self.interest.on(base, running, flow.mark, to))
        return rounded(*ratio, self.terms.rounding) + self.carry

    @staticmethod
    def _principal_now(period: Period, due: int) -> int:
        agreed = period.fixed if period.level is None else period.level - max(due, period.paid[INTEREST])
        return max(agreed + period.credited - period.paid[PRINCIPAL], 0)

    def _settle(self, period: Period, place: int, part: int, payment: _Payment) -> None:
        """Pay part of a period."""
        if period.due > self.day:
            self.stale = self.stale or self.follows
            period.in_advance += part
            if place != PRINCIPAL:
                self.recognise(period, place, period.paid[place] + part, WHY[place])
        elif period.due < self.day:
            period.late += part
        period.paid[place] += part
        period.payments[self.day] = period.payments.get(self.day, 0) + part
        payment.split[place] += part
        if place == PRINCIPAL:
            self.principal -= part
            if period.due <= self.day:
                self.behind -= part
        self.move(payment.fact_id, payment.source, OWED[place], part, payment.kind)

    def _prepay(self, amount: int, payment: _Payment) -> int:
        """Reduce principal before it is due; returns what is left of the amount."""
        running = self.periods[self.at]
        left = self._left_by_payoff()
        if amount >= sum(left):
            for period in self.to_come()[1:]:
                for place in (PENALTY, FEE, INTEREST):
                    running.posted[place] += period.posted[place] - period.paid[place]
                    period.posted[place] = period.paid[place]
            for place, part in enumerate(left):
                if part:
                    self._settle(running, place, part, payment)
            self.end(running)
            self.base = self.carry = self.deferred = self.prepaid = 0
            self.mark, self.accrued = self.day, (0, 1)
            return amount - sum(left)
        principal, part = min(amount, left[PRINCIPAL]), min(max(amount - left[PRINCIPAL], 0), left[INTEREST])
        if part:
            # More than the principal and less than a payoff: the rest pays interest.
            self._settle(asking(self.to_come()), INTEREST, part, payment)
        if principal:
            self._reduce(running, principal, payment)
        return amount - principal - part

    def _reduce(self, running: Period, amount: int, payment: _Payment) -> None:
        """Principal is paid before it is due, and what is left spread over what is to come."""
        before = self.periods[self.at - 1] if self.at else running
        if before.due == self.day and before.role is Role.INSTALMENT:
            self._add_due(before, amount)
            self._settle(before, PRINCIPAL, amount, payment)
            self.settle_base()
            self._spread(self.to_come(), amount)
        else:
            self._settle(running, PRINCIPAL, amount, payment)
            self.settle_base()
            if self.project_running() == running.paid[PRINCIPAL]:
                self._spread(self.to_come()[1:])

    def _left_by_payoff(self) -> list[int]:
        """What pays off the running and later periods on `day`, by component, where principal is prepaid."""
        interest = max(self._running_interest() + self.deferred - self.periods[self.at].paid[INTEREST], 0)
        coming = self.to_come()
        penalty, fee = (sum(p.posted[place] - p.paid[place] for p in coming) for place in (PENALTY, FEE))
        return [penalty, fee, interest, self.principal - self.behind]

    def payoff_minor(self) -> int:
        """What pays off the loan on `day`."""
        before = self.mark, self.accrued, self.base, self.touched, self.accruals
        self.look_again()
        amount = self._payoff()
        self.mark, self.accrued, self.base, self.touched, self.accruals = before
        self.stale = True
        return amount

    def _payoff(self) -> int:
        self.pass_paid()
        total = sum(period.open_minor for period in self.periods[self.oldest : self.at])
        total += self.penalties_minor()
        taken = list(self._payable(from_last=self.rules.allocation.rule("payment").future is Future.LAST))
        total += sum(sum(open_) for _, open_ in taken)
        if self._prepays and self.at < len(self.periods):
            # Beside what the running instalment takes: fees and penalties of the others, then interest and principal.
            left, others = self._left_by_payoff(), self.to_come()[len(taken) :]
            total += sum(one.posted[place] - one.paid[place] for one in others for place in (PENALTY, FEE))
            total += sum(
                max(left[place] - sum(open_[place] for _, open_ in taken), 0) for place in (INTEREST, PRINCIPAL)
            )
        return total

    def _spread(self, later: Sequence[Period], more: int = 0) -> None:
        """Spread what is left after a prepayment over later periods: by a lower instalment, by fewer, or off the next
        ones. more: of the prepayment, what the running period does not hold as paid."""
        if self.terms.prepayment is Prepayment.NEXT_INSTALMENTS:
            self.prepaid += more
        elif self.terms.prepayment is Prepayment.SHORTER_TERM:
            self.refresh()
            while len(self.periods) > self.at + 1 and not any(self.periods[-1].owed) and not self.periods[-1].payments:
                self.periods.pop()
        elif later:
            running, left = self.periods[self.at], self.principal - self.behind
            if later[0] is not running:
                left -= running.owed[PRINCIPAL] - running.paid[PRINCIPAL]
            agree(self.terms, self.interest, later, left, self.like(), self.lent)
        self.stale = True

    def end(self, last: Period | None = None) -> None:
        """Nothing is to come: later instalments fall away, or stay as they were paid. last: stays whatever it holds."""
        for period in self.to_come():
            period.owed, period.final = list(period.paid), True
        kept = [period for period in self.periods[self.at :] if period is last or any(period.owed)]
        self.periods[self.at :] = kept
        self.at += sum(period.role is Role.INSTALMENT for period in kept)
        self.periods[: self.at] = sorted(self.periods[: self.at], key=lambda period: period.due)

    def _use_credit(self) -> None:
        """What the borrower has in credit pays what has fallen due."""
        if self.credit <= 0:
            return
        due = sum(period.open_minor for period in self.periods[: self.at])
        if due:
            amount = min(self.credit, due)
            self.credit -= amount
            self.pay("", amount, self.rules.allocation.default, CREDIT, "credit_used")

    def _pay_settlement(self, fact_id: str, amount: int) -> None:
        if self.settle_left > 0 and self.day <= self.settle_by:
            self.settle_left = max(0, self.settle_left - amount)
            if self.settle_left == 0:
                self.forgive(fact_id, WAIVED, "settled")

    # ---- Corrections -----------------------------------------------------------------------------------------------

    def charge_back(self, fact_id: str, amount: int) -> None:
        """A payment is taken back by who made it: principal is owed again, with the next instalment that falls due, or
        at once after the last. Credit pays it first."""
        if self.stage is not Stage.OPEN:
            self.claim += amount
            self.move(fact_id, LOSS, CASH, amount, "chargeback")
            self.move(fact_id, CLAIM, CLAIM_CONTRA, amount, "chargeback")
            self.tell(fact_id, "chargeback", amount, [0, 0, 0, 0], 0)
            return
        on_credit = min(self.credit, amount)
        self.credit -= on_credit
        if on_credit == amount:
            self.move(fact_id, CREDIT, CASH, amount, "chargeback")
            self.tell(fact_id, "chargeback", amount, [0, 0, 0, 0], 0)
            return
        self.principal += amount
        self.move(fact_id, OWED[PRINCIPAL], CASH, amount, "chargeback")
        if self.at < len(self.periods) and not self.periods[self.at].final:
            period = self.periods[self.at]
            period.credited += amount
            period.settled = False
            if not self.follows:
                self.set_base(self.base + amount)
        else:
            period = self._added(self.day)
            period.credited += amount
            self._add_due(period, amount)
        payment = _Payment(fact_id, CREDIT, "chargeback")
        if on_credit:
            self._settle(period, PRINCIPAL, on_credit, payment)
        self.settle_base()
        self.refresh()
        self.tell(fact_id, "chargeback", amount, [0, 0, 0, amount - on_credit], 0)

    def _added(self, due: int) -> Period:
        """The period after the last instalment that takes what is due on a day."""
        found = next((period for period in self.periods if period.due == due), None)
        if found is not None:
            return found
        start = max((period.due for period in self.periods), default=self.day)
        period = Period(min(start, due), due, (0, 1), Role.ADDED, final=True)
        self.periods.append(period)
        if due <= self.day:
            self.at += 1
        return period

    def charge(self, fact_id: str, amount: int, due: int, component: Component, why: str) -> None:
        """Interest, a fee or a penalty is owed with the instalment whose period `due` falls in."""
        place = _PLACE[component]
        open_to_fees = (p for p in self.periods if p.role is Role.ADDED or (p.role is Role.INSTALMENT and not p.final))
        found = next((period for period in open_to_fees if due <= period.due), None)
        period = self._added(due) if found is None else found
        if place == INTEREST and not period.final and period.due > self.day:
            period = asking(self.to_come())
            self.deferred += amount
            self.stale = True
        else:
            period.owed[place] += amount
            period.charged += amount if place == FEE else 0
        self.move(fact_id, OWED[place], INCOME[place], amount, why)
        period.posted[place] += amount
        self.oldest = 0
        self.tell(fact_id, why, amount, [0, 0, 0, 0], 0)
        self._use_credit()

    def waive(self, fact_id: str, amount: int, component: Component) -> None:
        """Part of what is owed is asked no longer: the oldest first, then principal of the last instalments to come.

        Raises InvalidInput if less is owed of the component, due or past due, or principal.
        """
        place = _PLACE[component]
        due = sum(period.owed[place] - period.paid[place] for period in self.periods[: self.at])
        to_come = self.principal - self.behind if place == PRINCIPAL else 0
        if amount > due + to_come:
            raise InvalidInput(f"only {due + to_come} of {component} is owed, less than {amount}.")
        left, split = min(amount, due), [0, 0, 0, 0]
        for period in self.periods[: self.at]:
            part = min(left, period.owed[place] - period.paid[place])
            left -= part
            self._lower(period, place, part)
        if (rest := amount - min(amount, due)) > 0:
            self.principal -= rest
            if not self.follows:
                self.set_base(self.base - rest)
        split[place] = amount
        self.move(fact_id, WAIVED, OWED[place], amount, "waiver")
        self.settle_base()
        self.refresh()
        self.tell(fact_id, "waiver", amount, split, 0)

    def _lower(self, period: Period, place: int, part: int) -> None:
        """Part of a closed period is asked no longer."""
        if part:
            period.owed[place] -= part
            period.posted[place] -= part
            period.moved[self.day] = period.moved.get(self.day, 0) + part
            if place == PRINCIPAL:
                self.principal -= part
                self.behind -= part

    def forgive(self, fact_id: str, to: str, why: str) -> int:
        """All that is owed goes to another ledger account; returns how much that was."""
        self.post_penalties()
        total = 0
        for place in range(4):
            amount = sum(period.owed[place] - period.paid[place] for period in self.periods[: self.at])
            amount = self.principal if place == PRINCIPAL else amount + self.ahead_minor(place)
            self.move(fact_id, to, OWED[place], amount, why)
            total += amount
        for period in self.periods[: self.at]:
            for place in range(4):
                self._lower(period, place, period.owed[place] - period.paid[place])
        self.principal = self.behind = self.base = self.carry = self.deferred = self.prepaid = 0
        self.mark, self.accrued = self.day, (0, 1)
        for period in self.periods[self.at :]:
            period.posted = list(period.paid)
        self.end()
        self.tell(fact_id, why, total, [0, 0, 0, 0], 0)
        return total

    def charge_off(self, fact_id: str) -> None:
        """The debt leaves the books; the claim stays."""
        if self.stage is Stage.OPEN:
            self.claim = self.forgive(fact_id, LOSS, "charge_off")
            self.move(fact_id, CLAIM, CLAIM_CONTRA, self.claim, "charge_off")
            self.stage = Stage.CHARGED_OFF

    def sell(self, fact_id: str, price: int) -> None:
        """The claim goes to a buyer."""
        if self.stage is Stage.CHARGED_OFF:
            self.move(fact_id, CASH, RECOVERED, price, "sale")
            self.move(fact_id, CLAIM_CONTRA, CLAIM, self.claim, "sale")
        elif self.stage is not Stage.SOLD:
            self.forgive(fact_id, SOLD, "sale")
            self.move(fact_id, CASH, SOLD, price, "sale")
        self.claim, self.stage = 0, Stage.SOLD

    def _recover(self, fact_id: str, amount: int, source: str, kind: str) -> None:
        part = min(amount, self.claim)
        self.claim -= part
        self.credit += amount - part
        self.move(fact_id, source, RECOVERED, part, "recovery")
        self.move(fact_id, CLAIM_CONTRA, CLAIM, part, "recovery")
        self.move(fact_id, source, CREDIT, amount - part, "overpaid")
        self.tell(fact_id, kind, amount, [0, 0, 0, 0], amount - part)


@dataclass(slots=True)
class _Payment:
    """A payment while it is settled."""

    fact_id: str
    source: str
    kind: str
    split: list[int] = field(default_factory=lambda: [0, 0, 0, 0])


def _add_items(items: list[Open], periods: list[Period], period: Period, timing: Timing, open_: Sequence[int]) -> int:
    """Items of the open amounts of a period, which becomes their group if it has any; returns how much that is."""
    group, total = len(periods), 0
    for component, amount in zip(COMPONENTS, open_, strict=True):
        if amount > 0:
            items.append(Open(timing, component, amount, group))
            total += amount
    if total:
        periods.append(period)
    return total
