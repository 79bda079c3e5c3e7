"""Workers that are told to end while one of them is still being born: `python early_child.py`."""

import os
import sys
import time

from evenkeel.api import workers


def slow_birth() -> None:
    """Between the fork and the first line of a worker."""
    print("born", flush=True)  # noqa: T201 - it is what the test reads
    time.sleep(1)


def work(number: int) -> None:
    time.sleep(600)


if __name__ == "__main__":
    os.register_at_fork(after_in_child=slow_birth)
    workers.PATIENCE_S = float(sys.argv[1])
    sys.exit(workers.keep(2, work, lambda: None))
