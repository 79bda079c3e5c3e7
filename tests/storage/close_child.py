"""A close of day in a process of its own, ended at a known step: `python close_child.py WORKSPACE URL DAY STEP`.

STEP counts the writes of a close: files and receipts of parts, the plan, the placing, the booking. -1: not ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from evenkeel.accounts.close import day as closing
from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage import closings
from evenkeel.storage.journal import Journal
from evenkeel.storage.workspace import open_workspace


def main(place: str, url: str, day: str, step: int) -> int:
    """Close; returns how many steps were taken."""
    taken = 0

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*given: Any, **named: Any) -> Any:
            nonlocal taken
            if taken == step:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            return act(*given, **named)

        return acting

    closing.ROWS = 40  # several parts of a small book
    closing.write_part = counted(closing.write_part)
    closing.write_receipt = counted(closing.write_receipt)
    closings.Closings.plan = counted(closings.Closings.plan)  # type: ignore[method-assign]
    closings.Closings.place = counted(closings.Closings.place)  # type: ignore[method-assign]
    Journal.append_in = counted(Journal.append_in)  # type: ignore[method-assign]
    Journal.once = counted(Journal.once)  # type: ignore[method-assign]
    with open_workspace(Path(place), database_url=url, clock=fixed_clock(datetime(2024, 8, 1, tzinfo=UTC))) as opened:
        closing.close_day(opened, date.fromisoformat(day), threads=1)
    return taken


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))}\n")
