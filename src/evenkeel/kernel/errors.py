"""The five ways in which evenkeel says no. HTTP statuses and exit codes are mapped from these at the edges.

A decline is a decision with reasons, never an exception; a fault in a row of a file is a value, never an exception.
"""


class EvenkeelError(Exception):
    """A failure that a person can act on: what is wrong, and what to do about it.

    message: one sentence that names the thing at fault.
    remedy: one sentence that says what to do; empty where there is nothing to add.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class InvalidInput(EvenkeelError, ValueError):  # noqa: N818 - the field's words, not Python's
    """The data or the policy is at fault. It is a ValueError, as callers of an estimator expect."""


class InvalidUsage(InvalidInput):
    """The command was called with arguments that cannot work together or cannot be used."""


class NotFound(EvenkeelError):  # noqa: N818
    """The named thing does not exist."""


class Conflict(EvenkeelError):  # noqa: N818
    """The request contradicts what is on record, such as one idempotency key with two bodies."""


class NotPermitted(EvenkeelError):  # noqa: N818
    """A rule or a missing right forbids it."""


class Unavailable(EvenkeelError):  # noqa: N818
    """Something outside, such as the database or a disk, did not answer."""
