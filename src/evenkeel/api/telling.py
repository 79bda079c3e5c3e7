"""What a service that runs tells by itself: webhooks, delivered by a process of their own."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
from multiprocessing.connection import wait

from sqlalchemy.engine import Engine

from evenkeel.arrears.cases.webhooks import Outbox
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError

_REST_S = 0.5  # between two looks at the outbox where nothing was due

_log = logging.getLogger(__name__)


def deliver(engine: Engine, clock: Clock) -> None:
    """Deliver what waits until the parent is gone, or says so. Neither an address nor a secret is logged."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a worker has one
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    outbox = Outbox(engine, clock)
    while True:
        told = None
        try:
            told = outbox.step()
        except EvenkeelError as error:
            _log.warning("webhooks could not be delivered, and will be: %s", error.message)
        except Exception as error:  # a fault of ours: it must not end the service that answers
            _log.error("webhooks could not be delivered: %s", type(error).__name__)
        if told is not None and told.error:
            _log.warning("webhook %s was not taken: %s", told.webhook_id, told.error)
        if wait([parent.sentinel], 0 if told is not None else _REST_S):
            return
