"""Workers that are told to end while one of them is still being born: `python early_child.py`."""

import os
import sys
import time

from evenkeel.api import workers


def slow_birth() -> None:
    """Between the fork and the first line of a worker."""
    os.write(sys.stdout.fileno(), b"born\n")  # one write a line: two workers are born at the same moment
    time.sleep(1)


def work(number: int) -> None:
    time.sleep(600)


if __name__ == "__main__":
    os.register_at_fork(after_in_child=slow_birth)
    workers.PATIENCE_S = float(sys.argv[1])
    sys.exit(workers.keep(2, work, lambda: None))
