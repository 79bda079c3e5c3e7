"""A planned case in words: what is owed, what can be carried, the plans beside each other, or why there is none;
and how a plan on record stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts
from evenkeel.repayment.choice.offer import Offer
from evenkeel.repayment.document import FAILS, aside, cost, review_on
from evenkeel.repayment.law.words import asked, cited, warned
from evenkeel.repayment.life.life import Life
from evenkeel.repayment.model import MILLION, STRATEGIES, Claim, Infeasible, Part, Plan
from evenkeel.repayment.planning import Planned

_MOST_QUESTIONS = 5


@dataclass(frozen=True, slots=True)
class Telling:
    """A planned case, told in one language."""

    planned: Planned
    language: str = "en"

    @property
    def _say(self) -> Texts:
        return texts(self.language)

    def money(self, minor: int) -> str:
        """An amount, without its currency."""
        return str(Money(minor, self.planned.case.currency)).rpartition(" ")[0]

    def summary(self, most_questions: int | None = _MOST_QUESTIONS) -> str:
        """One screen: the state of things, and what to do next. most_questions: None for all."""
        say, planned = self._say, self.planned
        lines = [say(f"repay.tell.status.{planned.status}", case=planned.case.case_id), ""]
        owed = sum(claim.balance_minor for claim in planned.claims)
        if planned.claims:
            lines.append(say("repay.tell.owed", count=len(planned.claims), owed=self.money(owed)))
        lines.append(self._carried())
        if isinstance(planned.found, Offer):
            lines += ["", self.compared()]
        elif isinstance(planned.found, Infeasible):
            lines += ["", *self._why_not(planned.found)]
        lines += self._questions(most_questions)
        if planned.status != "feasible":
            lines += self._routes()
        return "\n".join(lines)

    def _carried(self) -> str:
        capacity = self.planned.budget.capacity
        months = sorted(capacity[1:].tolist())
        return self._say(
            "repay.tell.carried", low=self.money(months[0]), middle=self.money(months[len(months) // 2]),
            start=self.money(int(capacity[0])), essentials=self.money(self.planned.essentials.total_minor),
        )  # fmt: skip

    def compared(self) -> str:
        """The plans and the strategies by hand, side by side."""
        apart = [line for plan in self.planned.plans for line in self._aside(plan)]
        return "\n".join([_table([_head(self._say), *self.rows()]), self._say("repay.tell.by_hand"), *apart])

    def _aside(self, plan: Plan) -> list[str]:
        """What must stand aside for poorer months, where a plan draws on better ones."""
        needed = aside(self.planned, plan).tolist()
        if not any(needed):
            return []
        most = max(range(len(needed)), key=lambda month: needed[month])
        due_on = self.planned.budget.due_on
        return [self._say(
            "repay.tell.aside", name=self._names(plan), most=self.money(needed[most]), day=due_on[most].isoformat(),
            until=due_on[max(month for month, amount in enumerate(needed) if amount) + 1].isoformat(),
        )]  # fmt: skip

    def _names(self, plan: Plan) -> str:
        return "+".join(self._say(f"repay.tell.name.{name}") for name in plan.names)

    def rows(self) -> list[list[str]]:
        """A row of the table for each plan and each strategy by hand; none where there is no plan."""
        say, planned = self._say, self.planned
        if not isinstance(planned.found, Offer):
            return []
        rows = [self._row(self._names(plan), plan) for plan in planned.plans]
        for name in STRATEGIES:
            by_hand = planned.found.compared[name]
            told = f"({say(f'repay.tell.name.{name}')})"
            rows.append([told, *["-"] * 5] if by_hand is None else self._row(told, by_hand))
        return rows

    def _row(self, name: str, plan: Plan) -> list[str]:
        chance, doubt = plan.chance, "?" if plan.chance.question else ""
        months = [int(one) for one in plan.payments[1:] if one]
        return [
            name, self.money(plan.paid_minor), self.money(cost(self.planned, plan)), str(plan.months),
            self.money(months[0] if months else int(plan.payments[0])),
            f"{100 * chance.p:.0f} % ({100 * chance.low:.0f}-{100 * chance.high:.0f}){doubt}",
        ]  # fmt: skip

    # ---- At length -------------------------------------------------------------------------------------------------

    def explained(self, name: str = "balanced") -> str:
        """Everything behind a plan, or behind there being none."""
        say, planned = self._say, self.planned
        lines = [self.summary(None), "", say("repay.tell.debts")]
        for claim in (*planned.claims, *planned.outside):
            lines += self._debt(claim)
        for claim in planned.outside:
            lines.append(say("repay.tell.outside", debt=claim.debt_id, creditor=claim.creditor))
        plan = planned.plan(name)
        if plan is not None:
            lines += ["", say("repay.tell.asks", name=say(f"repay.tell.name.{name}"))]
            for claim, part in zip(planned.claims, plan.parts, strict=True):
                lines += self._part(claim, part)
            if plan.chance.question:
                lines += ["", say("repay.tell.unsure")]
            lines += ["", say("repay.tell.fails"), *(f"- {say(f'repay.tell.fails.{one}')}" for one in FAILS)]
            lines += ["", say("repay.tell.review", day=review_on(planned, plan).isoformat())]
        if planned.status == "feasible":
            lines += self._routes()
        return "\n".join(lines)

    def _debt(self, claim: Claim) -> list[str]:
        say = self._say
        all_in = "-" if claim.all_in_annual is None else f"{100 * claim.all_in_annual:.1f} %"
        lines = [
            say("repay.tell.debt", debt=claim.debt_id, creditor=claim.creditor, owed=self.money(claim.balance_minor),
                rate=f"{100 * claim.rate_micros / MILLION:g} %", all_in=all_in)
        ]  # fmt: skip
        for cut in claim.cuts:
            component = say(f"repay.form.component.{cut.component}")
            amount, rule = self.money(cut.amount_minor), cited(cut.rule, self.language)
            lines.append("  " + say("repay.tell.cut", component=component, amount=amount, rule=rule))
        return lines + [f"  {warned(one, self.language)}" for one in claim.warnings]

    def _part(self, claim: Claim, part: Part) -> list[str]:
        say, asked_for = self._say, part.asked
        lines = [
            say("repay.tell.part", debt=claim.debt_id, creditor=claim.creditor, paid=self.money(part.paid_minor),
                months=part.last_month, with_plan=self.money(part.value_with_minor),
                without=self.money(part.value_without_minor))
        ]  # fmt: skip
        for component, amount in asked_for.waived.items():
            lines.append(
                "  " + say("repay.tell.waive", component=say(f"repay.form.component.{component}"),
                           amount=self.money(amount))
            )  # fmt: skip
        if asked_for.rate_micros < claim.rate_micros:
            before, after = (f"{100 * rate / MILLION:g} %" for rate in (claim.rate_micros, asked_for.rate_micros))
            lines.append("  " + say("repay.tell.rate", before=before, after=after))
        return lines

    def _why_not(self, found: Infeasible) -> list[str]:
        say = self._say
        lines = [say("repay.tell.binding")]
        for demand in found.binding:
            kind, _, debt = demand.partition(":")
            lines.append(f"- {say(f'repay.tell.binding.{kind}', debt=debt)}")
        if found.changes:
            lines.append(say("repay.tell.changes"))
        for change in found.changes:
            amount = str(change.amount) if change.kind == "months" else self.money(change.amount)
            lines.append(f"- {say(f'repay.tell.change.{change.kind}', amount=amount)}")
        return lines

    def _questions(self, most: int | None) -> list[str]:
        questions = self.planned.questions
        most = len(questions) if most is None else most
        if not questions:
            return []
        told = [f"- {asked(one, self.planned.case.currency, self.language)}" for one in questions[:most]]
        more = len(questions) - most
        return [
            "",
            self._say("repay.tell.questions"),
            *told,
            *([self._say("repay.tell.more", count=more)] * (more > 0)),
        ]

    def _routes(self) -> list[str]:
        found = self.planned.routes
        told = [
            f"- {self._say(one.key)}" + (f" [{cited(one.rule, self.language)}]" if one.rule else "") for one in found
        ]
        return ["", self._say("repay.tell.routes"), *told] if told else []


def side_by_side(cases: Sequence[tuple[str, Planned]], language: str) -> str:
    """The plans of several cases in one table. cases: each with the name that it goes by."""
    say = texts(language)
    rows = [[say("repay.tell.column.case"), *_head(say)]]
    for name, planned in cases:
        own = Telling(planned, language).rows()
        rows += [[name, *row] for row in own] or [[name, say(f"repay.tell.none.{planned.status}"), *["-"] * 5]]
    return _table(rows, 2) + "\n" + say("repay.tell.by_hand")


def standing(life: Life, language: str) -> str:
    """How a plan on record stands: what each creditor said, what was paid, what is missing, and what to do next."""
    say = texts(language)

    def money(minor: int) -> str:
        return life.money(minor).rpartition(" ")[0]

    lines = [say("repay.life.status", plan=life.plan_id, status=say(f"repay.life.status.{life.status}"))]
    for debt, said in life.consents.items():
        own = [one for one in life.instalments if one.debt_id == debt]
        values = {
            "debt": debt, "creditor": life.creditors[debt], "count": len(own), "last": max(one.due_on for one in own),
            "paid": money(sum(one.amount_minor for one in own)), "waived": money(life.asked_minor[debt]),
            "answer": say(f"repay.life.answer.{said.status}") + (say("repay.life.answer.only") if said.only else "")
            + (f", {said.by}" if said.by else ""),
        }  # fmt: skip
        lines.append("  " + say("repay.life.part_waived" if life.asked_minor[debt] else "repay.life.part", **values))
    if life.signed_on is not None:
        on = life.signed_on.isoformat()
        lines.append(say("repay.life.signed", by=life.signed_by, on=on, hash=life.signature[:16]))
        lines.append(say("repay.life.left", paid=money(sum(life.paid_minor.values())), left=money(life.left_minor)))
    for told_by, back in life.reversals.items():
        amount, on, why = money(back.amount_minor), back.on.isoformat(), f" ({back.why})" if back.why else ""
        lines.append(
            "  " + say("repay.life.reversed", payment=told_by, debt=back.debt_id, amount=amount, on=on, why=why)
        )
    for one in life.missed:
        amount, on = money(one.amount_minor), one.due_on.isoformat()
        lines.append("  " + say("repay.life.missed", debt=one.debt_id, on=on, amount=amount))
    if life.replaces is not None and life.signed_on is None:
        lines.append(say("repay.life.replaces", plan=life.replaces))
    if life.questions and life.signed_on is None:
        currency = str(life.case.get("currency", "CNY"))
        lines += [say("repay.life.questions"), *(f"- {asked(one, currency, language)}" for one in life.questions)]
    return "\n".join([*lines, say(f"repay.life.next.{life.status}", plan=life.plan_id, by=life.replaced_by or "")])


def _head(say: Texts) -> list[str]:
    return [say(f"repay.tell.column.{name}") for name in ("plan", "paid", "cost", "months", "first", "chance")]


def _table(rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Columns under each other, numbers to the right of the first `words`; wide characters count for two."""
    widths = [max(cell_len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text + " " * (width - cell_len(text)) if place < words else " " * (width - cell_len(text)) + text
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
