"""What is asked of accounts on the record: post facts, read a state, bills, an explanation, a borrower."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

from sqlalchemy.engine import Connection

from evenkeel.accounts.admission import admit
from evenkeel.accounts.delinquency import BorrowerView, borrower_view
from evenkeel.accounts.explain import Explained, explain
from evenkeel.accounts.facts import AccountFact, FactKind, fact_record, read_fact
from evenkeel.accounts.fields import Field, Kind, checked
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.ledger import difference, funder_balances
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.state import AccountState, Bill
from evenkeel.accounts.store import (
    CORRECTED,
    Booked,
    at_midnight,
    booked_facts,
    facts_of,
    facts_of_many,
    journal_facts,
    one_at_a_time,
    owners_of,
    product_of,
    record_product,
    recorded_product,
)
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal, Payload
from evenkeel.storage.workspace import Workspace

Catalogue = Callable[[str], Product]  # a product by its name
Record = Mapping[str, object]

_OWNERS = (Field("account_id", Kind.ID, True), Field("borrower_id", Kind.ID))
_LENDER_SELF = ""  # the lender of an account whose opening names none: the one who keeps this record


# ---- Posting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correction:
    """What late facts changed in days before they were booked: by ledger account, and in bills that were cut.

    because: ids of the late facts. on: the eve of their booking, the last day whose close is corrected.
    """

    because: tuple[str, ...]
    on: date
    ledger: Mapping[str, int]
    bills: tuple[tuple[Bill | None, Bill | None], ...]  # as it was, as it is


@dataclass(frozen=True, slots=True)
class PostedAccount:
    """One account of a posting: ids of facts booked now, of those that were on record, and what late ones changed."""

    account_id: str
    currency: str
    booked: tuple[str, ...]
    known: tuple[str, ...]
    correction: Correction | None


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a posting."""

    accounts: tuple[PostedAccount, ...]

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What late facts changed, account after account."""
        return tuple(account.correction for account in self.accounts if account.correction)


def post(
    workspace: Workspace,
    records: Sequence[Record],
    catalogue: Catalogue,
    where: Callable[[int], str] = lambda place: f"record {place}",
) -> Posted:
    """Book facts: all of them or, if one is refused, none. The same facts again change nothing.

    records: as `read_fact` reads them, with `account_id` and, with an opening, `borrower_id`; in the order in which
    they are to be booked. where: what messages call the record at a place, the first being 1. Postings to one account
    take turns. Raises InvalidInput, Conflict or NotFound naming the record and the account.
    """
    journal = workspace.journal
    grouped = _grouped(records, where)
    on_record = cache(lambda digest: recorded_product(journal, digest))
    with transaction(workspace.engine) as connection:
        one_at_a_time(connection, _named(connection, grouped))
        booked = facts_of_many(journal, list(grouped))
        ready = [_ready(journal, name, given, booked[name], catalogue, on_record) for name, given in grouped.items()]
        opened: dict[str, _Ready] = {}
        for account in ready:
            if account.new and account.new[0].kind is FactKind.OPENED:
                opened.setdefault(account.product.digest, account)
        for account in opened.values():
            record_product(journal, account.product, account.new[0].effective_on)
        journal.append_in(connection, [fact for account in ready for fact in account.facts()])
    return Posted(tuple(account.posted() for account in ready))


def _named(connection: Connection, grouped: Mapping[str, Sequence[_Given]]) -> set[str]:
    """The accounts and their borrowers: a borrower's facts, of any account, are booked one posting after the other, so
    that whoever decides on the borrower sees all of them. An account's borrower never changes.
    """
    openings = {one.borrower_id for given in grouped.values() for one in given if one.borrower_id}
    return {*grouped, *openings, *owners_of(connection, list(grouped)).values()}


@dataclass(frozen=True, slots=True)
class _Given:
    """A record of one account. where: what messages call it."""

    where: str
    fields: dict[str, object]
    borrower_id: str | None


def _grouped(records: Sequence[Record], where: Callable[[int], str]) -> dict[str, list[_Given]]:
    """The records by account, in their order."""
    grouped: dict[str, list[_Given]] = defaultdict(list)
    names = [field.name for field in _OWNERS]
    for place, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise InvalidInput(f"{where(place)} is no fact.", 'Write a table of fields, such as {"account_id": ...}.')
        owners = checked({name: record.get(name) for name in names}, _OWNERS, where(place))
        account_id, borrower_id = str(owners["account_id"]), owners["borrower_id"]
        fields = {name: value for name, value in record.items() if name not in names}
        borrower = None if borrower_id is None else str(borrower_id)
        grouped[account_id].append(_Given(f"{where(place)}, account {account_id}", fields, borrower))
    return grouped


@dataclass(frozen=True, slots=True)
class _Ready:
    """Facts of one account that may be booked."""

    account_id: str
    borrower_id: str
    product: Product
    booked: Sequence[Booked]
    new: tuple[AccountFact, ...]
    known: tuple[str, ...]
    correction: Correction | None

    def facts(self) -> list[Fact]:
        """What the journal books: the facts, and the correction that they make."""
        found = journal_facts(self.account_id, self.borrower_id, self.new, self.booked)
        if self.correction:
            name = content_id("correction", self.account_id, *self.correction.because)
            at, payload = at_midnight(self.correction.on), _correction_record(self.correction)
            found.append(Fact(name, CORRECTED, at, payload, self.borrower_id, self.account_id))
        return found

    def posted(self) -> PostedAccount:
        """What is answered for the account."""
        booked = tuple(fact.fact_id for fact in self.new)
        return PostedAccount(self.account_id, self.product.currency, booked, self.known, self.correction)


def _ready(
    journal: Journal,
    account_id: str,
    given: Sequence[_Given],
    booked: Sequence[Booked],
    catalogue: Catalogue,
    on_record: Catalogue,
) -> _Ready:
    """The facts of one account, each held against the record and those before it."""
    by_id = {entry.fact.fact_id: entry.fact for entry in booked}
    facts = [entry.fact for entry in booked]
    owner = str(booked[0].borrower_id) if booked else None
    product = on_record(str(facts[0].details["product_digest"])) if booked else None
    new: list[AccountFact] = []
    known: list[str] = []
    for one in given:
        try:
            product = product or _product(one, catalogue)
            owner = _owner(one, owner)
            fact = _read(one.fields, facts[0] if facts else None, product)
            if fact == by_id.get(fact.fact_id):
                known.append(fact.fact_id)
                continue
            if fact.fact_id in by_id:
                raise Conflict(
                    f"the fact {fact.fact_id} is on record with {_other(by_id[fact.fact_id], fact)}.",
                    "What is booked stays: book a reversal of it, and the right fact under an id of its own.",
                )
            admit(product, facts, fact)
        except EvenkeelError as error:
            raise type(error)(f"{one.where}: {error.message}", error.remedy) from None
        facts.append(fact)
        new.append(fact)
    assert product is not None and owner is not None  # noqa: S101 - every account has at least one record here
    correction = _correction(journal, product, facts, new) if booked else None
    return _Ready(account_id, owner, product, booked, tuple(new), tuple(known), correction)


def _product(one: _Given, catalogue: Catalogue) -> Product:
    """The product that the first fact of an account names."""
    if one.fields.get("kind") != FactKind.OPENED:
        raise NotFound("it is not on record.", "The first fact of an account is one of kind `opened`.")
    name = one.fields.get("product")
    if not isinstance(name, str):
        read_fact(one.fields)  # which says what is wrong with it
    product = catalogue(str(name))
    if one.fields.get("product_digest") not in (None, product.digest):
        raise Conflict(
            f"`product_digest` is {one.fields['product_digest']}, but {name} has the digest {product.digest}.",
            "Give the product as it was agreed with --products, or leave the digest out.",
        )
    return product


def _owner(one: _Given, owner: str | None) -> str:
    """The borrower of an account: its opening names one, and what other facts name is the same."""
    found = owner or one.borrower_id
    if found is None:
        raise InvalidInput("an opening lacks `borrower_id`.", "Say whose account it is: an id of 1 to 64 characters.")
    if one.borrower_id not in (None, found):
        raise Conflict(
            f"`borrower_id` is {one.borrower_id}, but the account is of {found}.", "An account has one borrower."
        )
    return found


def _read(fields: Mapping[str, object], opened: AccountFact | None, product: Product) -> AccountFact:
    """A fact from its fields; an opening keeps the version of its product."""
    if fields.get("kind") == FactKind.OPENED:
        digest = product.digest if opened is None else opened.details["product_digest"]
        fields = {**fields, "product_digest": fields.get("product_digest") or digest}
    return read_fact(fields)


def _other(booked: AccountFact, given: AccountFact) -> str:
    """What stands on record where a fact of the same id says something else."""
    was, now = fact_record(booked), fact_record(given)
    return ", ".join(
        f"`{name}` {was.get(name)}" for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)
    )


def _correction(
    journal: Journal, product: Product, facts: Sequence[AccountFact], new: Sequence[AccountFact]
) -> Correction | None:
    """What facts of earlier days change up to the eve of their booking. facts: all of them, `new` last."""
    eve = journal.clock().astimezone(UTC).date() - timedelta(days=1)
    late = [fact for fact in new if fact.effective_on <= eve]
    if not late or facts[0].effective_on > eve:
        return None
    known = facts[: len(facts) - len(new)]
    before, after = account_state(product, known, eve), account_state(product, [*known, *late], eve)
    was, now = ({bill.number: bill for bill in state.bills} for state in (before, after))
    changed = tuple(
        (was.get(number), now.get(number))
        for number in sorted(was.keys() | now.keys())
        if was.get(number) != now.get(number)
    )
    ledger = difference(before.postings, after.postings)
    if not ledger and not changed:
        return None
    return Correction(tuple(fact.fact_id for fact in late), eve, ledger, changed)


def _correction_record(correction: Correction) -> Payload:
    def plain(bill: Bill | None) -> Payload | None:
        if bill is None:
            return None
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(bill).items()}

    return {
        "because": list(correction.because),
        "on": correction.on.isoformat(),
        "ledger": dict(correction.ledger),
        "bills": [{"was": plain(was), "is": plain(now)} for was, now in correction.bills],
    }


# ---- Reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """An account on record with its state on a day."""

    account_id: str
    borrower_id: str
    product: Product
    facts: tuple[AccountFact, ...]  # in the order of booking; the first opens it
    state: AccountState

    @property
    def lender_id(self) -> str:
        """Whose claim it is: as the opening says, else the lender who keeps this record (an empty text)."""
        return str(self.facts[0].details.get("lender_id") or _LENDER_SELF)

    @property
    def funder_balances(self) -> Mapping[str, Mapping[str, int]]:
        """The balance of each ledger account split over the funders that the opening names, by their shares."""
        funders = self.facts[0].details.get("funders")
        shares = {part["funder_id"]: part["share"] for part in funders} if isinstance(funders, tuple) else {}
        return funder_balances(self.state.postings, shares) if shares else {}


def account_of(
    workspace: Workspace, account_id: str, as_of: date, *, booked_until: datetime | None = None, history: bool = False
) -> Account:
    """An account at the close of a day, from what was known at an instant (None for now).

    history: also how late it was at the end of each month. Raises NotFound if there is no such account, or none was
    known then; InvalidInput if it was not open on that day.
    """
    booked = facts_of(workspace.journal, account_id, booked_until)
    product = product_of(workspace.journal, booked)
    return _account(account_id, booked, product, as_of, history)


def _account(account_id: str, booked: Sequence[Booked], product: Product, as_of: date, history: bool) -> Account:
    facts = tuple(entry.fact for entry in booked)
    if as_of < facts[0].effective_on:
        raise InvalidInput(
            f"the account {account_id} is not open on {as_of}.", f"It was opened on {facts[0].effective_on}."
        )
    state = account_state(product, facts, as_of, history=history)
    return Account(account_id, str(booked[0].borrower_id), product, facts, state)


def state_of(
    workspace: Workspace, account_id: str, as_of: date, *, booked_until: datetime | None = None
) -> tuple[Product, AccountState]:
    """The product and the state of an account: see `account_of`."""
    account = account_of(workspace, account_id, as_of, booked_until=booked_until)
    return account.product, account.state


def explained(account: Account) -> tuple[Explained, ...]:
    """Every unit of what is owed on an account: see `explain`."""
    return explain(account.product, account.facts, account.state.as_of)


def corrections_of(workspace: Workspace, account_id: str, booked_until: datetime | None = None) -> list[Payload]:
    """The corrections booked for an account, oldest first: `because`, `on`, `ledger`, `bills`, `booked_at`."""
    found = workspace.journal.read(kind=CORRECTED, account_id=account_id, booked_until=booked_until)
    return [{**entry.fact.payload, "booked_at": entry.booked_at.isoformat()} for entry in found]


def borrower_of(
    workspace: Workspace, borrower_id: str, as_of: date, *, booked_until: datetime | None = None, history: bool = False
) -> tuple[list[Account], BorrowerView]:
    """A borrower's accounts that were open by a day, in the order of their ids, and the borrower behind them.

    Raises NotFound if none was.
    """
    journal = workspace.journal
    by_account: dict[str, list[Booked]] = defaultdict(list)
    for booked in booked_facts(journal, borrower_id=borrower_id, booked_until=booked_until):
        by_account[booked.account_id].append(booked)
    open_by_then = {name: found for name, found in by_account.items() if found[0].fact.effective_on <= as_of}
    if not open_by_then:
        raise NotFound(
            f"There is no account of the borrower {borrower_id} on {as_of}.", "Openings name their `borrower_id`."
        )
    accounts = [
        _account(name, booked, product_of(journal, booked), as_of, history)
        for name, booked in sorted(open_by_then.items())
    ]
    return accounts, borrower_view([(one.lender_id, one.product.currency, one.state) for one in accounts])
