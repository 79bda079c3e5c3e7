"""Plans on record: proposed from a case, moved on by what people say and pay, made again where they cannot be kept.

Each step books one numbered fact of the plan, and where the borrower's life changes an event beside it, in one
transaction. Two steps at once: one of them is told that the plan has moved on, and nothing of it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from evenkeel.accounts.facts import AccountFact, FactKind, standing
from evenkeel.accounts.store import PREFIX as ACCOUNT
from evenkeel.accounts.store import Booked, facts_of_many
from evenkeel.decisions.engine.happenings import EVENT
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.ids import content_id
from evenkeel.repayment.case import Case, Policy
from evenkeel.repayment.document import plan_document
from evenkeel.repayment.facts.reading import case_of, write_case
from evenkeel.repayment.law.creditor import most_waived, own_key, policy_for_all, told_policy
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.life import life as lives
from evenkeel.repayment.life.life import Consent, Life, Payment, Told
from evenkeel.repayment.life.replanning import closest
from evenkeel.repayment.life.since import asked_since
from evenkeel.repayment.life.standing import case_on
from evenkeel.repayment.model import Question
from evenkeel.repayment.planning import Planned, plan_of
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.tables import journal as facts_table

_EVENTS = {"signed": "plan_signed", "broken": "plan_broken", "completed": "plan_completed"}
_INCOME, _HARDSHIP = EVENT + "income", EVENT + "hardship"
_TOGETHER = 200  # facts of a plan that are read at once
_EARLIEST = timedelta(hours=14)  # it is a day already there, where clocks are the furthest ahead
_NONE = {  # why there is no plan, or not of that name
    "feasible": "no other is better at that", "infeasible": "none keeps everybody's terms",
    "question": "a fact is missing that no plan can do without, or nothing is owed",
}  # fmt: skip
_PAYMENTS = (FactKind.PAYMENT, FactKind.GUARANTOR_PAYMENT)

Step = Callable[[Life], Told | None]


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of one lender, or of an adviser who has its key, and those in which it is a creditor.

    Who put a plan on record keeps it, and may book every step of it, as it was told. A creditor in it answers for its
    own debts, and tells what it was paid; nothing else.
    """

    journal: Journal
    lender_id: str

    def propose(self, case: Case, name: str, by: str, planned: Planned | None = None) -> Life:
        """Put a plan of a case on record, to be agreed. The same plan again is the same fact.

        Raises InvalidInput where the case has no plan of that name.
        """
        fresh = self._fresh(*self._named(case, name, planned), by)
        with suppress(Conflict):  # it is on record already, or somebody else was as quick
            self.journal.append(self._facts_of(fresh, ("proposed", _proposal(fresh, by)), case.as_of))
        return self.life(fresh.plan_id)

    def life(self, plan_id: str) -> Life:
        """A plan as it stands. Raises NotFound where there is none, or it is another's."""
        found = lives.fold(plan_id, self._facts(plan_id))
        if self.lender_id not in (found.lender_id, *found.creditors.values()):
            raise NotFound(f"There is no plan {plan_id}.", "Use the id that `propose` gave.")
        return found

    def consent(self, plan_id: str, debt_id: str, by: str, role: str | None, on: date) -> Life:
        """A creditor agrees, through somebody in a role that may waive as much as is asked."""

        def step(life: Life) -> Told:
            return lives.consent(life, debt_id, by, role, on, _authority(life, debt_id, role))

        return self._step(plan_id, on, step, debt_id)

    def refuse(self, plan_id: str, debt_id: str, by: str, why: str, on: date, only: bool = False) -> Life:
        """A creditor does not agree, for all that it holds or for this debt `only`."""
        return self._step(plan_id, on, lambda life: lives.refuse(life, debt_id, by, why, on, only), debt_id)

    def counter(self, plan_id: str, debt_id: str, by: str, policy: Policy, on: date, only: bool = False) -> Life:
        """A creditor names the terms that it would take, for all that it holds or for this debt `only`."""
        told = msgspec.to_builtins(policy)
        return self._step(plan_id, on, lambda life: lives.counter(life, debt_id, by, told, on, only), debt_id)

    def sign(self, plan_id: str, by: str, on: date) -> Life:
        """The borrower signs. A signed plan in whose place this one was made is replaced by it."""
        self._not_ahead(on)
        life = self._kept(plan_id)
        facts = self._facts_of(life, lives.sign(life, by, on), on)
        before = self._signed_before(life)
        if before is not None:
            _may_be_replaced(before)
            facts += self._facts_of(before, lives.replaced(plan_id, on), on)
        self._append(plan_id, facts)
        return self.life(plan_id)

    def _signed_before(self, life: Life) -> Life | None:
        """The signed plan in whose place this one was made, through others that were not signed."""
        return next((one for one in reversed(self._chain(life)[:-1]) if one.signed_on is not None), None)

    def _chain(self, life: Life) -> list[Life]:
        """A plan after those in whose place it was made, the oldest first."""
        chain = [life]
        while (before := chain[0].replaces) is not None:
            chain.insert(0, lives.fold(before, self._facts(before)))
        return chain

    def pay(self, plan_id: str, debt_id: str, amount_minor: int, on: date, told_by: str) -> Life:
        """A payment to one creditor, told once by its id; then the plan is looked at on that day."""
        self._step(plan_id, on, lambda life: lives.pay(life, debt_id, amount_minor, on, told_by), debt_id)
        return self.look(plan_id, on)

    def reverse(self, plan_id: str, told_by: str, why: str, on: date) -> Life:
        """A payment that was told here did not hold: it bounced, or was charged back; then the plan is looked at on
        that day. What it was completed by is missing again. Told once by the id of the payment."""
        life = self.life(plan_id)
        paid = life.payments.get(told_by) or life.reversals.get(told_by)
        debt_id = "" if paid is None else paid.debt_id
        if told_by.startswith(_told_by(debt_id, "")):
            raise Conflict(
                f"The payment {told_by} is one of the account {debt_id} on this record.",
                "Reverse it on the account; the plan follows when it is looked at.",
            )
        self._step(plan_id, on, lambda life: lives.reverse(life, told_by, why, on), debt_id)
        return self.look(plan_id, on)

    def look(self, plan_id: str, on: date) -> Life:
        """Match payments on the accounts that are on this record, then say what has become of the plan by a day.

        A day before one that it was looked at is taken as that one: what was paid between the two is not undone.
        """
        self._not_ahead(on)
        life = self.life(plan_id)
        on = max(on, life.seen_on)
        for step in self._moved_on_accounts(life, on):
            self._book(plan_id, on, step)
        return self._book(plan_id, on, lambda life: lives.look(life, on))

    def _moved_on_accounts(self, life: Life, on: date) -> list[Step]:
        """Payments since the signature on debts that are accounts here, and those told before that did not hold."""
        if life.borrower_id is None or life.signed_on is None or life.status == "replaced":
            return []
        steps: list[Step] = []
        for debt_id, facts in facts_of_many(self.journal, list(life.creditors)).items():
            if not facts or not self._may_see(facts[0], life):
                continue
            paid = _paid_on(debt_id, [one.fact for one in facts], life.signed_on, on)
            told = {told_by for told_by in life.payments if told_by.startswith(_told_by(debt_id, ""))}
            gone = sorted(told_by for told_by in told if paid.get(told_by) != life.payments[told_by])
            steps += [partial(lives.take_back, told_by=told_by, on=on) for told_by in gone]
            steps += [
                partial(_matched, debt_id=debt_id, amount_minor=one.amount_minor, on=one.on, told_by=told_by)
                for told_by, one in paid.items()
                if told_by not in told or told_by in gone
            ]
        return steps

    def _may_see(self, opening: Booked, life: Life) -> bool:
        """Whether an account is the borrower's, and of the plan's keeper or of who asks: what others were paid is
        theirs to tell."""
        lender = str(opening.fact.details.get("lender_id") or "-")
        return opening.borrower_id == life.borrower_id and lender in (life.lender_id, self.lender_id)

    # ---- Made again ------------------------------------------------------------------------------------------------

    def replan(self, plan_id: str, on: date, by: str, changed: Case | None = None, name: str | None = None) -> Life:
        """Another plan in the place of one that cannot be kept, or that was refused or countered.

        Without a new case the household is taken as it was told, and what is not known since then is asked with the
        plan (`Life.questions`). What creditors said, of this plan and of those that it replaces, becomes part of the
        case: their terms, or that they are out. changed: the household as it is now. name: of the plan to take; without
        it that which changes least for everybody. A signed plan stays in force until the new one is signed. Raises
        Conflict where it has ended, or nothing would change, InvalidInput where there is no plan any more.
        """
        self._not_ahead(on)
        life = self._kept(plan_id)
        _may_be_replaced(life)
        if on < life.begins_on:
            raise InvalidInput(f"The day is {on}, and the plan of {life.begins_on}.", "A plan is made again later.")
        chain = self._chain(life)
        now = self._case_now(life, on) if changed is None else changed
        questions = self._asked_since(life, now) if changed is None else ()
        case = _with_answers(now, chain if changed is not None else chain[-1:])  # else earlier ones are in the case
        planned = plan_of(case)
        if name is None:
            plan = closest(planned, life, on)
            if plan is None:
                raise InvalidInput(
                    f"There is no plan for {case.case_id} any more: {_NONE[planned.status]}.",
                    "`evenkeel plan show` with the household as it is now says what binds, and where to turn.",
                )
            told = plan_document(planned, plan)
        else:
            _, told = self._named(case, name, planned)
        fresh = self._fresh(case, told, by, plan_id, questions)
        if self._facts(fresh.plan_id):  # asked for before
            return self.life(fresh.plan_id)
        facts = self._facts_of(fresh, ("proposed", _proposal(fresh, by)), on)
        if life.signed_on is None:
            facts += self._facts_of(life, lives.replaced(fresh.plan_id, on), on)
        self._append(plan_id, facts)
        return self.life(fresh.plan_id)

    def _case_now(self, life: Life, on: date) -> Case:
        """The case of a plan on a day. What a signed plan before it holds is owed as that one says."""
        case = case_on(case_of(life.case, str), life, on)
        before = self._signed_before(life) if life.signed_on is None else None
        if before is None:
            return case
        owed = {debt.id: debt for debt in case_on(case_of(before.case, str), before, on).debts}
        debts = tuple(owed[debt.id] if debt.id in before.creditors else debt for debt in case.debts)
        return msgspec.structs.replace(case, debts=debts)

    def _asked_since(self, life: Life, now: Case) -> tuple[Question, ...]:
        """What is not known of the household since the case of a plan, beside what its lenders have on record of it."""
        then = case_of(life.case, str)
        seen: dict[str, list[tuple[date, int]]] = {_INCOME: [], _HARDSHIP: []}
        for kind in seen if life.borrower_id is not None else ():
            for entry in self.journal.read(kind=kind, borrower_id=life.borrower_id):
                told, day = entry.fact.payload, entry.fact.effective_at.date()
                amount = told.get("amount_minor")
                if told.get("lender_id") in (life.lender_id, self.lender_id) and then.as_of < day <= now.as_of:
                    seen[kind].append((day, amount if isinstance(amount, int) else 0))
        asked = asked_since(then, now, seen[_INCOME], max((day for day, _ in seen[_HARDSHIP]), default=None))
        again = {one.about for one in asked}
        return (*asked, *(one for one in life.questions if one.about not in again))  # no answer came with a new case

    def _named(self, case: Case, name: str, planned: Planned | None) -> tuple[Case, dict[str, Any]]:
        planned = planned or plan_of(case)
        plan = planned.plan(name)
        if plan is None:
            names = ", ".join(one for plan in planned.plans for one in plan.names)
            raise InvalidInput(
                f"The case {case.case_id} has no plan `{name}`: {_NONE[planned.status]}.",
                f"Choose one of {names}." if names else "See `evenkeel plan CASE` for what is missing.",
            )
        return case, plan_document(planned, plan)

    def _fresh(
        self, case: Case, plan: dict[str, Any], by: str, replaces: str | None = None,
        questions: Sequence[Question] = (),
    ) -> Life:  # fmt: skip
        """A plan as it begins: its id is what it says."""
        told = msgspec.json.decode(write_case(case))
        plan_id = content_id("plan", self.lender_id, lives.digest(told), lives.digest(plan), replaces or "")
        payload = {"lender_id": self.lender_id, "borrower_id": case.borrower_id, "case": told, "plan": plan, "by": by,
                   "replaces": replaces, "questions": msgspec.to_builtins(list(questions))}  # fmt: skip
        return lives.fold(plan_id, [("proposed", payload)])

    # ---- Facts -----------------------------------------------------------------------------------------------------

    def _kept(self, plan_id: str) -> Life:
        """A plan that this lender keeps. Raises NotPermitted where it is only a creditor in it."""
        life = self.life(plan_id)
        if life.lender_id != self.lender_id:
            raise NotPermitted(
                f"The plan {plan_id} is kept by {life.lender_id}; {self.lender_id} is a creditor in it.",
                "A creditor answers for its own debts, and tells what it was paid.",
            )
        return life

    def _step(self, plan_id: str, on: date, step: Step, debt_id: str) -> Life:
        """A step that the keeper of a plan books, or the creditor of the debt itself."""
        life = self.life(plan_id)
        if life.creditors.get(debt_id) != self.lender_id:
            self._kept(plan_id)
        return self._book(plan_id, on, step)

    def _book(self, plan_id: str, on: date, step: Step) -> Life:
        """Book what a step says of the plan as it stands; nothing where it says nothing."""
        self._not_ahead(on)
        before = self.life(plan_id)
        told = step(before)
        if told is None:
            return before
        self._append(plan_id, self._facts_of(before, told, on))
        return self.life(plan_id)

    def _not_ahead(self, on: date) -> None:
        latest = (self.journal.clock() + _EARLIEST).date()
        if on > latest:
            raise InvalidInput(f"The day {on} lies ahead; today is {latest}.", "What has not happened is not booked.")

    def _append(self, plan_id: str, facts: Sequence[Fact]) -> None:
        try:
            self.journal.append(facts)
        except Conflict as error:
            raise Conflict(
                f"The plan {plan_id} has moved on since it was looked at; nothing was booked.",
                "Look at it again (`status`), and do what is still to be done.",
            ) from error

    def _facts_of(self, life: Life, told: Told, on: date) -> list[Fact]:
        """The next fact of a plan, and the event that it is to the borrower's lines."""
        kind, payload = told
        number = 0 if kind == "proposed" else life.facts
        at = lives.happened(on, number, self.journal.clock())
        facts = [Fact(lives.numbered(life.plan_id, number), lives.PREFIX + kind, at, payload, life.borrower_id)]
        tells = _EVENTS.get(kind)
        if life.status == "completed" and lives.after(life, kind, payload).status == "running":
            # In force again, as after a signature; not before its end, though what ended it did not hold earlier.
            tells, at = "plan_signed", lives.happened(max(on, life.seen_on), number, self.journal.clock())
        if tells is not None and life.borrower_id is not None:
            event = {"lender_id": life.lender_id, "fields": {"plan_id": life.plan_id}, "request": ""}
            facts.append(Fact(content_id("event", facts[0].event_id), EVENT + tells, at, event, life.borrower_id))
        return facts

    def _facts(self, plan_id: str) -> list[tuple[str, Mapping[str, Any]]]:
        """All facts of a plan, in order."""
        found: list[tuple[str, Mapping[str, Any]]] = []
        while True:
            names = [lives.numbered(plan_id, len(found) + place) for place in range(_TOGETHER)]
            query = sa.select(facts_table.c.event_id, facts_table.c.kind, facts_table.c.payload).where(
                facts_table.c.event_id == sa.any_(sa.bindparam("names", names, ARRAY(sa.Text))),
                facts_table.c.kind.startswith(lives.PREFIX),
            )
            with transaction(self.journal.engine) as connection:
                rows = {row.event_id: row for row in connection.execute(query)}
            for name in names:
                if name not in rows:
                    return found
                found.append((rows[name].kind.removeprefix(lives.PREFIX), rows[name].payload))


def _matched(life: Life, debt_id: str, amount_minor: int, on: date, told_by: str) -> Told | None:
    """A payment found on an account; what comes in after a plan is completed is none of it."""
    return None if life.status == "completed" else lives.pay(life, debt_id, amount_minor, on, told_by)


def _told_by(debt_id: str, fact_id: str) -> str:
    """What tells a payment that is a fact of an account."""
    return f"{ACCOUNT}{debt_id}.{fact_id}"


def _paid_on(debt_id: str, facts: Sequence[AccountFact], since: date, until: date) -> dict[str, Payment]:
    """The payments on an account that stand on a day, less what was charged back, by what tells them."""
    paid: dict[str, Payment] = {}
    back: dict[str, int] = {}
    for fact in standing(facts, until):
        if fact.kind is FactKind.CHARGEBACK:
            of = str(fact.details["of"])
            back[of] = back.get(of, 0) + fact.amount_minor
        elif fact.kind in _PAYMENTS and fact.effective_on >= since:
            paid[fact.fact_id] = Payment(debt_id, fact.amount_minor, fact.effective_on)
    return {
        _told_by(debt_id, fact_id): replace(one, amount_minor=one.amount_minor - back.get(fact_id, 0))
        for fact_id, one in paid.items()
        if one.amount_minor > back.get(fact_id, 0)
    }


def _may_be_replaced(life: Life) -> None:
    """Raises Conflict where a plan has ended."""
    if life.status in ("completed", "replaced"):
        raise Conflict(
            f"The plan {life.plan_id} is {life.status}{f' by {life.replaced_by}' if life.replaced_by else ''}.",
            "Only a plan that has not ended is made again.",
        )


def _with_answers(case: Case, chain: Sequence[Life]) -> Case:
    """A case with what creditors said to plans, the newest last. Only a case that says `consents` itself knows better
    than a refusal. Of one plan, what was said of one debt only goes before what was said of all."""
    for life in chain:
        for debt_id, said in sorted(life.consents.items(), key=lambda item: item[1].only):
            if said.status in ("refused", "countered"):
                case = _with_answer(case, life.creditors[debt_id], debt_id, said)
    return case


def _with_answer(case: Case, creditor: str, debt_id: str, said: Consent) -> Case:
    """A case with what a creditor said. What it says of all takes the place of terms that it named for one debt, but
    not of a refusal for one."""
    policies, debts = dict(case.policies), [one for one in case.debts if one.creditor == creditor]
    if said.only:
        debts = [one for one in debts if one.id == debt_id]
        if not debts:  # not owed any more
            return case
    known = None if not debts else told_policy(case, debts[0]) if said.only else policy_for_all(case, debts[0])
    key = own_key(debts[0]) if said.only else creditor
    if said.policy is not None:
        policies[key] = msgspec.convert(said.policy, Policy)
    elif known is None or known.consents is not True:
        policies[key] = msgspec.structs.replace(known or Policy(), consents=False)
    for debt in debts:
        own = policies.get(own_key(debt))
        if not said.only and own is not None and own.consents is None:
            del policies[own_key(debt)]
    return msgspec.structs.replace(case, policies=policies)


def _authority(life: Life, debt_id: str, role: str | None) -> int | None:
    """What a role may waive of a debt by its creditor's policy (减免权限); None where the policy limits nobody."""
    case = case_of(life.case, str)
    claim = next((one for one in claims(case)[0] if one.debt_id == debt_id), None)
    debt = next((one for one in case.debts if one.id == debt_id), None)
    policy = None if debt is None else told_policy(case, debt)
    if claim is None or policy is None or not policy.authority:
        return None
    given = tuple(one for one in policy.authority if one.role == role)
    return most_waived(replace(claim, policy=msgspec.structs.replace(policy, authority=given)), role) if given else 0


def _proposal(life: Life, by: str) -> dict[str, Any]:
    return {
        "lender_id": life.lender_id, "borrower_id": life.borrower_id, "case": life.case, "plan": life.document,
        "by": by, "replaces": life.replaces,
        **({"questions": msgspec.to_builtins(list(life.questions))} if life.questions else {}),
    }  # fmt: skip
