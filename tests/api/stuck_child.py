"""Workers of which one does not heed what says to end: `python stuck_child.py`."""

import signal
import sys
import time

from evenkeel.api import workers


def work(number: int) -> None:
    if number == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(number, flush=True)  # noqa: T201 - it is what the test reads
    time.sleep(600)


if __name__ == "__main__":
    workers.PATIENCE_S = float(sys.argv[1])
    sys.exit(workers.keep(2, work, lambda: None))
