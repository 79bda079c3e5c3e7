"""How a letter says amounts, days, rates and accounts in its language; and which rules it may lean on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts
from evenkeel.repayment.letters.document import Debt, Document
from evenkeel.repayment.letters.model import Amount, Cited, Language, Parties, Party

_BANKS = ("bank_card", "bank_loan")
_CARDS = ("bank_card",)

# Whom a rule binds, where it does not bind every lender: a letter to another does not cite it.
BINDS = {
    "CN-CARD-070": _CARDS,
    "CN-CARD-2022-13": _CARDS,
    "CN-CARD-068": _CARDS,
    "CN-CARD-069": _CARDS,
    "CN-NFRA-RELIEF-2025": _BANKS,
    "CN-RATE-4LPR": ("private",),
}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one letter: to whom, about which of a document's debts, in which language."""

    document: Document
    parties: Parties
    language: Language
    debts: tuple[Debt, ...]
    creditor: str

    @property
    def _texts(self) -> Texts:
        return texts(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """A text of `repayment-letters.po`, with the names of both sides at hand."""
        at_hand: dict[str, object] = {"you": self.you, "name": self.parties.borrower.name}
        return self._texts.gettext(f"repay.letter.{key}").format(**(at_hand | values))

    @property
    def you(self) -> str:
        """What the creditor is called in a sentence: 贵行, 贵公司, 您."""
        kinds = {debt.lender_type for debt in self.debts}
        name = "bank" if kinds <= set(_BANKS) else "person" if kinds == {"private"} else "company"
        return self._texts(f"repay.letter.you.{name}")

    @property
    def receiver(self) -> Party:
        """The creditor, by its id where no name was given."""
        return self.party(self.creditor)

    def party(self, creditor: str) -> Party:
        """A creditor, by its id where no name was given."""
        return self.parties.creditors.get(creditor) or Party(creditor)

    def debt(self, debt: Debt) -> str:
        """What the creditor calls a debt."""
        return self.parties.references.get(debt.debt_id, debt.debt_id)

    def money(self, minor: int) -> str:
        """An amount within a sentence."""
        currency = self.document.currency
        key = f"repay.letter.money.{currency}"
        return self._texts(
            key if key in self._texts else "repay.letter.money", amount=self.cell(minor), currency=currency
        )

    def cell(self, minor: int) -> str:
        """An amount within a table, whose currency is said elsewhere."""
        return str(Money(minor, self.document.currency)).rsplit(" ", 1)[0]

    def day(self, day: date) -> str:
        """A day."""
        return self("date", year=day.year, month=day.month, day=day.day)

    def days(self, first: date, last: date) -> str:
        """A day, or from one to another."""
        return self.day(first) if first == last else self("range", first=self.day(first), last=self.day(last))

    def rate(self, rate_annual: float | None) -> str:
        """A yearly rate in per cent, or that the contract's own goes on."""
        if rate_annual is None:
            return self("as_agreed")
        return f"{(Decimal(repr(rate_annual)) * 100).normalize():f}%"

    def amount(self, name: str, minor: int) -> Amount:
        """An amount to be written in capitals too."""
        return Amount(self(f"amount.{name}"), minor, self.document.currency)

    def cited(self, *rules: str) -> tuple[tuple[Cited, ...], tuple[str, ...]]:
        """The rules that bind this lender and have words, each once; and those left out."""
        once = list(dict.fromkeys(rules))
        found = tuple(Cited(rule, self(f"rule.{rule}")) for rule in once if self.binds(rule))
        return found, tuple(rule for rule in once if not self.binds(rule))

    def binds(self, rule: str) -> bool:
        """Whether a rule is of the letter's jurisdiction, binds this lender and has words."""
        here = self.document.jurisdiction.split("-")[0]
        bound = BINDS.get(rule)
        return (
            rule.split("-")[0] == here
            and f"repay.letter.rule.{rule}" in self._texts
            and (bound is None or any(debt.lender_type in bound for debt in self.debts))
        )

    @property
    def cards(self) -> bool:
        """Whether a card of a bank is among the debts."""
        return any(debt.lender_type in _CARDS for debt in self.debts)


def total(amounts: Iterable[int | None]) -> int | None:
    """The sum, or None where one is not known."""
    known = list(amounts)
    return None if any(amount is None for amount in known) else sum(amount for amount in known if amount is not None)
