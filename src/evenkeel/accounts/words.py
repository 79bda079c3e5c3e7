"""The words of a ledger: what is owed, when it is due, and which part of a line it belongs to."""

from enum import StrEnum


class Component(StrEnum):
    """What an amount is owed for."""

    PENALTY = "penalty"  # interest and fees for being late: 罚息, 违约金
    FEE = "fee"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class Timing(StrEnum):
    """Where an amount stands against its due day."""

    PAST_DUE = "past_due"  # the due day has passed
    DUE = "due"  # billed or the running instalment, its due day has not passed
    IN_ADVANCE = "in_advance"  # not billed yet


class Segment(StrEnum):
    """The part of an account that has its own rate."""

    PURCHASE = "purchase"
    CASH = "cash"
    PROMOTION = "promotion"  # a rate or balance transfer for a limited time
    INSTALMENT = "instalment"  # a purchase or bill paid in instalments within a line
    LOAN = "loan"  # a closed-end loan has one segment


class Stage(StrEnum):
    """Where an account is in its life."""

    OPEN = "open"
    CLOSED = "closed"
    CHARGED_OFF = "charged_off"  # off the lender's books; the legal debt stays
    SOLD = "sold"


COMPONENTS = tuple(Component)
TIMINGS = tuple(Timing)
SEGMENTS = tuple(Segment)
