"""The clock is handed in, so that nothing below the start-up code reads the machine's time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present instant in UTC. Only start-up code passes this on."""
    return datetime.now(UTC)


def fixed_clock(instant: datetime) -> Clock:
    """A clock that always shows `instant`, for replays and tests."""
    return lambda: instant
