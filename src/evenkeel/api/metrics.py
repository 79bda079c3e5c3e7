"""What the service counts, for Prometheus: requests, their time, the queue, batches, and outcomes.

The counts of all processes lie in one piece of shared memory, a row for each, so that whichever of them is asked tells
of all. Each writes its own row only; a number is read whole, as it is one aligned word.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from evenkeel.decisions.engine.arms import Arms

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TIMES_US = (500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_STATUSES = ("200", "400", "401", "403", "404", "405", "408", "409", "413", "415", "429", "500", "503", "other")
_TOLD = {int(status): status for status in _STATUSES[:-1]}
_OUTCOMES = ("approve", "approve_less", "refer", "decline")
_MOVES = ("raise", "thaw", "keep", "lower", "freeze", "refer")
NOWHERE = "none"  # the route of a request for a path that is not served


class Metrics:
    """Counts of `workers` processes. It is made before they are, and each says by `work_as` which one it is."""

    def __init__(self, routes: Sequence[str], workers: int = 1) -> None:
        self._routes = (*routes, NOWHERE)
        keys: list[tuple[object, ...]] = [("waiting",), ("batched",)]
        keys += [("request", route, status) for route in self._routes for status in _STATUSES]
        keys += [("time", route, place) for route in self._routes for place in range(len(_TIMES_US) + 1)]
        keys += [("spent", route) for route in self._routes]
        keys += [("batch", place) for place in range(len(_SIZES) + 1)]
        keys += [("outcome", route, outcome) for route in self._routes for outcome in _OUTCOMES]
        keys += [("moved", outcome) for outcome in _MOVES]
        self._place = {key: place for place, key in enumerate(keys)}
        self._workers = workers
        self._cells = memoryview(mmap.mmap(-1, 8 * len(keys) * workers)).cast("q")
        self._row = 0
        self._deciding: Callable[[], Arms] | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def work_as(self, worker: int) -> None:
        """Count into the row of one process from now on."""
        self._row = worker * len(self._place)

    def tell_of(self, deciding: Callable[[], Arms]) -> None:
        """Tell, when asked, what decides in this process."""
        self._deciding = deciding

    # ---- Counting --------------------------------------------------------------------------------------------------

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        cells, place, row, spent = self._cells, self._place, self._row, int(seconds * 1e6)
        cells[row + place["request", route, _TOLD.get(status, "other")]] += 1
        cells[row + place["time", route, bisect_left(_TIMES_US, spent)]] += 1
        cells[row + place["spent", route]] += spent

    def decided(self, route: str, reply: bytes) -> None:
        """A reply of a decision, as it is sent."""
        words = reply.split(b'"', 8)  # {"decision_id":"…","outcome":"…"
        if len(words) > 8 and words[5] == b"outcome":
            self._add(("outcome", route, words[7].decode()))

    def reviewed(self, reply: bytes) -> None:
        """A limit was reviewed because of something that happened."""
        words = reply.split(b'"', 8)
        self._add(("moved", words[7].decode()))

    def batched(self, taken: int, waiting: int) -> None:
        """A batch was taken from the queue, and so many wait on."""
        self._add(("batch", bisect_left(_SIZES, taken)))
        self._add(("batched",), taken)
        self._cells[self._row + self._place["waiting",]] = waiting

    def _add(self, key: tuple[object, ...], number: int = 1) -> None:
        self._cells[self._row + self._place[key]] += number

    # ---- Telling ---------------------------------------------------------------------------------------------------

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        requests = CounterMetricFamily("evenkeel_requests", "Requests answered.", labels=["route", "status"])
        outcomes = CounterMetricFamily("evenkeel_decisions", "Decisions answered.", labels=["route", "outcome"])
        times = HistogramMetricFamily("evenkeel_request_seconds", "From the whole request to its answer.",
                                      labels=["route"])  # fmt: skip
        for route in self._routes:
            for status in _STATUSES:
                if count := self._sum(("request", route, status)):
                    requests.add_metric([route, status], count)
            for outcome in _OUTCOMES:
                if count := self._sum(("outcome", route, outcome)):
                    outcomes.add_metric([route, outcome], count)
            counts = [self._sum(("time", route, place)) for place in range(len(_TIMES_US) + 1)]
            if any(counts):
                bounds = [str(bound / 1e6) for bound in _TIMES_US]
                times.add_metric([route], _cumulative(bounds, counts), self._sum(("spent", route)) / 1e6)
        batches = HistogramMetricFamily("evenkeel_batch_size", "Requests decided together.")
        sizes = [self._sum(("batch", place)) for place in range(len(_SIZES) + 1)]
        batches.add_metric([], _cumulative([str(size) for size in _SIZES], sizes), self._sum(("batched",)))
        waiting = GaugeMetricFamily("evenkeel_waiting", "Requests left in line when the last batch was taken.")
        waiting.add_metric([], self._sum(("waiting",)))
        moves = CounterMetricFamily("evenkeel_limit_reviews", "Reviews that events led to.", labels=["outcome"])
        for outcome in _MOVES:
            moves.add_metric([outcome], self._sum(("moved", outcome)))
        yield from (requests, times, outcomes, batches, waiting, moves)
        if self._deciding is not None:
            yield _versions(self._deciding())

    def _sum(self, key: tuple[object, ...]) -> int:
        """Over all processes."""
        return sum(self._cells[self._place[key] + row * len(self._place)] for row in range(self._workers))


def _versions(arms: Arms) -> Metric:
    found = GaugeMetricFamily(
        "evenkeel_policy_share", "Share of borrowers that a policy decides on, in the process that answers.",
        labels=["kind", "policy", "deciders"],
    )  # fmt: skip
    for kind, policy in arms.champion.policies.items():
        rival = arms.challengers.get(kind)
        share = rival.share_ppm / 1e6 if rival else 0.0
        found.add_metric([kind, policy, arms.champion.version], 1 - share)
        if rival:
            found.add_metric([kind, rival.policy, rival.deciders.version], share)
    return found


def _cumulative(bounds: Sequence[str], counts: Sequence[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
