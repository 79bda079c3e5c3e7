"""A case: one household, what it earns and must spend, and everything it owes. What goes in, as data.

Amounts are minor units of `currency`, of a usual month where they are of a month; rates are a year's. A fact may be
known (a number), known to lie between two (`{"low_minor": …, "high_minor": …}`), or not known (left out, or null): then
it is asked for or taken as a range, never as zero. `reading.py` makes a case from a file and holds its facts against
each other.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

_END = r"$(?!\n)"  # Python's $ would let a last line end pass
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^[^\x00-\x1f\x7f]+{_END}")]
Key = Annotated[str, Meta(min_length=1, max_length=129, pattern=rf"^[^\x00-\x1f\x7f]+{_END}")]  # an id, or two with /
Amount = Annotated[int, Meta(ge=0, le=10**13)]
Rate = Annotated[float, Meta(ge=0, le=1000)]  # 10 is 1,000 % a year
Share = Annotated[float, Meta(ge=0, le=1)]
Day = Annotated[int, Meta(ge=1, le=31)]  # of a month, clamped to its end
Months = Annotated[int, Meta(ge=1, le=120)]

Evidence = Literal["verified", "statement", "declared"]
LenderType = Literal[
    "bank_card", "bank_loan", "consumer_finance", "micro_loan", "platform", "private", "debt_buyer", "other"
]
Category = Literal[
    "housing", "food", "utilities", "transport", "health", "education", "childcare", "communication", "other"
]
PriorityKind = Literal["mortgage", "rent", "utilities", "tax", "support", "court", "other"]
Component = Literal["fees", "penalty", "interest", "principal"]  # in the order in which a waiver is asked for
COMPONENTS: tuple[Component, ...] = ("fees", "penalty", "interest", "principal")


class Record(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every part of a case is: immutable, and without fields that nobody knows."""


class Between(Record, frozen=True):
    """What is only known to lie between two amounts."""

    low_minor: Amount
    high_minor: Amount


Known = Amount | Between | None


class Member(Record, frozen=True):
    """Somebody who lives on this household's money."""

    kind: Literal["adult", "child", "elder"] = "adult"
    age: Annotated[int, Meta(ge=0, le=130)] | None = None


class Income(Record, frozen=True):
    """Money that comes in. amount_minor: of a usual month. history_minor: of the latest full months, the oldest first;
    where it is given, the model learns level and volatility from it. volatility: standard deviation of the logarithm
    of a month's amount. season: how much each calendar month, January first, is of a usual one. loss_annual: the chance
    that it ends within a year. from_on, until_on: first and last day, where it begins or ends."""

    id: Id
    kind: Literal["wage", "business", "gig", "benefit", "pension", "rent", "support", "other"] = "wage"
    amount_minor: Known = None
    history_minor: Annotated[tuple[Amount, ...], Meta(max_length=60)] = ()
    volatility: Annotated[float, Meta(ge=0, le=3)] | None = None
    pay_day: Day | None = None
    season: Annotated[tuple[Annotated[float, Meta(ge=0, le=10)], ...], Meta(min_length=12, max_length=12)] | None = None
    evidence: Evidence = "declared"
    loss_annual: Share | None = None
    from_on: date | None = None
    until_on: date | None = None


class Essential(Record, frozen=True):
    """What must be spent in a month to live. No plan goes below the protected minimum of its category."""

    category: Category
    amount_minor: Known = None
    pay_day: Day = 1


class Priority(Record, frozen=True):
    """What is paid before any other debt, because home, heat, freedom or a child depends on it. arrears_minor: what is
    overdue on it, paid first of all; until_on: when the monthly payment ends."""

    kind: PriorityKind
    monthly_minor: Known = None
    arrears_minor: Known = 0
    pay_day: Day = 1
    until_on: date | None = None


class OneOff(Record, frozen=True):
    """Money that is there, or comes, once: savings above the reserve, a deposit back, help of the family."""

    on: date
    amount_minor: Amount
    what: Annotated[str, Meta(max_length=200)] = ""


class Household(Record, frozen=True):
    """Who lives on what. reserve_minor: kept back for accidents, never part of a plan. region: a province or city
    as in `essentials`, for the protected minimum."""

    members: Annotated[tuple[Member, ...], Meta(max_length=30)] = (Member(),)
    incomes: Annotated[tuple[Income, ...], Meta(max_length=30)] = ()
    essentials: Annotated[tuple[Essential, ...], Meta(max_length=50)] = ()
    priority: Annotated[tuple[Priority, ...], Meta(max_length=30)] = ()
    savings_minor: Known = None
    reserve_minor: Amount = 0
    one_off: Annotated[tuple[OneOff, ...], Meta(max_length=30)] = ()
    region: Id | None = None


class Payment(Record, frozen=True):
    """What was paid on a debt on a day."""

    on: date
    amount_minor: Amount


class Debt(Record, frozen=True):
    """One thing that is owed. Either its parts are told (principal, interest, fees, penalty), or `balance_minor`.

    rate_annual: what the balance bears now, null where not known. lent_minor: the principal that the contract names.
    received_minor: what was paid out when it was taken up, where less than that: interest taken in advance is not owed.
    paid_minor: what was paid so far in all; payments: each of them, where they are known. lpr_annual: the one-year loan
    prime rate of the day of the contract, as looked up; the cap on private lending in China is a multiple of it.
    opened_on, last_payment_on, last_demand_on: for the law that was in force, and for limitation. restructured: how
    often its terms were changed before. disputed: what the borrower contests of it. original_creditor, original_id,
    original_lender_type: from whom it was assigned, under which id it was owed there, and who lent it.
    """

    id: Id
    creditor: Id
    lender_type: LenderType = "other"
    product: Id | None = None
    balance_minor: Known = None
    principal_minor: Known = None
    interest_minor: Known = None
    fees_minor: Known = None
    penalty_minor: Known = None
    rate_annual: Rate | None = None
    minimum_minor: Known = None
    due_day: Day | None = None
    days_past_due: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    stage: Literal["open", "charged_off", "sold", "judgement", "closed"] = "open"
    lent_minor: Amount | None = None
    received_minor: Amount | None = None
    paid_minor: Amount | None = None
    payments: Annotated[tuple[Payment, ...], Meta(max_length=600)] = ()
    opened_on: date | None = None
    lpr_annual: Rate | None = None
    last_payment_on: date | None = None
    last_demand_on: date | None = None
    secured: bool = False
    guarantor: bool = False
    disputed: Literal["", "amount", "identity", "fees", "all"] = ""
    restructured: Annotated[int, Meta(ge=0, le=100)] = 0
    original_creditor: Id | None = None
    original_id: Id | None = None
    original_lender_type: LenderType | None = None


class Authority(Record, frozen=True):
    """What a role of the creditor may waive of one debt (减免权限): so much money, so much of its balance."""

    role: Id
    most_minor: Amount
    most_share: Share = 1.0


class Recovery(Record, frozen=True):
    """What a creditor gets without a plan: a share of the balance, evenly over `months`, and what collecting it costs
    as a share of what comes in."""

    share: Share
    months: Months = 24
    cost_share: Share = 0.0


class Policy(Record, frozen=True):
    """What a creditor agrees to. terms: allowed lengths in months; the usual ones and `most_months` where empty.

    instalments: `level` wants equal amounts, `stepped` also one rise, `any` takes any monthly amounts. rates: yearly
    rates that a plan may bear instead of the debt's own. waivers: the share of each component that may be waived, each
    only after those before it in COMPONENTS are. upfront_share: of what is left after the waiver, paid at the start.
    """

    most_months: Months = 60
    terms: Annotated[tuple[Months, ...], Meta(max_length=120)] = ()
    instalments: Literal["level", "stepped", "any"] = "any"
    minimum_instalment_minor: Amount = 0
    upfront_share: Share = 0.0
    rates: Annotated[tuple[Rate, ...], Meta(max_length=10)] = ()
    waivers: dict[Component, Share] = {}
    authority: Annotated[tuple[Authority, ...], Meta(max_length=20)] = ()
    recovery: Recovery | None = None
    discount_annual: Rate = 0.08
    consents: bool | None = None  # false: has refused; the plan promises nothing for it


class Case(Record, frozen=True, kw_only=True):
    """One household and everything it owes on a day. borrower_id: where they are on record. policies: of one debt by
    `creditor/debt`, else by creditor, else by type of lender, else `*`. role: of whoever speaks for the creditors, for
    waivers. fairness: no creditor gets more than so many times the share of its claim that another gets; null for no
    such bound. quantile: of income, that the budget is made of."""

    case_id: Id
    borrower_id: Id | None = None
    as_of: date
    currency: Annotated[str, Meta(pattern=rf"^[A-Z]{{3}}{_END}")] = "CNY"
    jurisdiction: Annotated[str, Meta(pattern=rf"^[A-Z]{{2}}(-[A-Z0-9]{{1,8}})*{_END}")] = "CN"
    household: Household
    debts: Annotated[tuple[Debt, ...], Meta(max_length=200)]
    policies: Annotated[dict[Key, Policy], Meta(max_length=400)] = {}
    role: Id | None = None
    fairness: Annotated[float, Meta(ge=1, le=100)] | None = None
    quantile: Annotated[float, Meta(ge=0.01, le=0.5)] = 0.2
    seed: Annotated[int, Meta(ge=0)] = 0
