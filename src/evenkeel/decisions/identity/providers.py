"""A provider of identity checks over HTTP: bounded in time, size and attempts, and silent about what it sends.

A question goes out as a JSON object in a POST; the answer is a JSON object with a code that a `Convention` reads,
whatever its content type says (many services send JSON as text). What goes wrong is UNAVAILABLE with a code of ours:
`connect`, `timeout`, `broken` (the connection broke), `http_STATUS`, `too_large`, `not_json`, `no_code`, `unknown` (a
code that the convention does not list), and, not asked at all, `breaker` and `unnamed_value`.

Only what is unavailable is asked again, with the same order id, after a pause that doubles, never past the deadline. A
match, a mismatch and a restriction are answers; a refusal (4xx) would be refused again.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import anyio
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from evenkeel.decisions.identity.verification import (
    CheckKind,
    CheckRequest,
    CheckResult,
    Convention,
    Verification,
)
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput

Monotonic = Callable[[], float]

_log = logging.getLogger(__name__)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DEEPEST = 8  # keys on the way to the code


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where and how to ask.

    url: https, or http on this machine alone. names: our names of values, and `order_id` and `kind`, to theirs; a value
    without a name is not sent. headers: with the secrets; never shown. code_path: keys down to the code in the answer.
    prices: minor units of each kind, paid for every question that reached them. timeout_s: for one step on the wire;
    deadline_s: for everything, pauses too. tries: questions in all.
    """

    name: str
    url: str
    names: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    convention: Convention
    code_path: tuple[str, ...]
    prices: Mapping[CheckKind, int]
    timeout_s: float = 3.0
    deadline_s: float = 8.0
    tries: int = 3
    pause_s: float = 0.2
    most_bytes: int = 65_536
    breaker_failures: int = 5
    breaker_open_s: float = 30.0

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError):
            raise InvalidInput("`url` of a provider is not a URL.", "Write it as https://HOST/PATH.") from None
        if not url.host or (url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK)):
            raise InvalidInput("`url` of a provider begins with https://; http is for this machine alone.")
        if url.userinfo:
            raise InvalidInput("`url` of a provider holds no user or password.", "Put the secret into `headers`.")
        if not {"order_id", "kind"} <= set(self.names):
            raise InvalidInput("`names` of a provider say what `order_id` and `kind` are called there.")
        if not 0 < len(self.code_path) <= _DEEPEST:
            raise InvalidInput(f"`code_path` of a provider is 1 to {_DEEPEST} keys.")
        limits = (("timeout_s", 60.0), ("deadline_s", 120.0), ("tries", 10), ("pause_s", 60.0), ("most_bytes", 10**7),
                  ("breaker_failures", 1000), ("breaker_open_s", 3600.0))  # fmt: skip
        for name, most in limits:
            value = getattr(self, name)
            if not 0 < value <= most:
                raise InvalidInput(f"`{name}` of a provider is {value}; it is over 0 and at most {most}.")
        if any(type(price) is not int or price < 0 for price in self.prices.values()):
            raise InvalidInput("`prices` of a provider are whole minor units of 0 or more.")


@dataclass(slots=True)
class Breaker:
    """Stops asking after so many failures in a row; after a while one question is let through to see. Thread-safe.

    It is told of every question let through: `failed` or `worked`.
    """

    failures: int
    open_s: float
    monotonic: Monotonic
    _row: int = 0
    _closed_at: float | None = None  # when the next may pass; None where all may
    _lock: Lock = field(default_factory=Lock)

    def lets_through(self) -> bool:
        """Whether to ask. While open, one question each `open_s` passes."""
        with self._lock:
            if self._closed_at is None:
                return True
            now = self.monotonic()
            if now < self._closed_at:
                return False
            self._closed_at = now + self.open_s
            return True

    def worked(self) -> None:
        with self._lock:
            self._row, self._closed_at = 0, None

    def failed(self) -> None:
        with self._lock:
            self._row += 1
            if self._row >= self.failures:
                self._closed_at = self.monotonic() + self.open_s


@dataclass(frozen=True, slots=True)
class _Try:
    """What one sending came to. sent: whether it reached them, so that it costs; read: whether they gave an answer."""

    result: CheckResult
    detail_code: str
    sent: bool
    read: bool
    again: bool


def _failed(detail_code: str, *, sent: bool = True, read: bool = False, again: bool = True) -> _Try:
    return _Try(CheckResult.UNAVAILABLE, detail_code, sent, read, again)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object. Raises ValueError where a key stands twice: two codes are no code."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError
    return made


@contextmanager
def http_provider(settings: HttpSettings, clock: Clock) -> Iterator[HttpProvider]:
    """A provider over HTTP, with its connections, for as long as the context lasts. It may be used by many threads."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_client(settings)) as client:
        breaker = Breaker(settings.breaker_failures, settings.breaker_open_s, time.monotonic)
        yield HttpProvider(settings, clock, breaker, client, portal)


def _client(settings: HttpSettings) -> httpx.AsyncClient:
    """Certificates are verified, redirects are not followed, and the environment's proxies are not used."""
    return httpx.AsyncClient(
        headers={**settings.headers, "Accept-Encoding": "identity", "Content-Type": "application/json"},
        timeout=settings.timeout_s,
        verify=ssl.create_default_context(),
        follow_redirects=False,
        trust_env=False,
    )


@dataclass(frozen=True, slots=True)
class HttpProvider:
    """See `http_provider`."""

    settings: HttpSettings
    clock: Clock
    breaker: Breaker
    _client: httpx.AsyncClient = field(repr=False)
    _portal: BlockingPortal = field(repr=False)

    @property
    def name(self) -> str:
        return self.settings.name

    def check(self, request: CheckRequest) -> Verification:
        """The provider's answer, or UNAVAILABLE, at the latest when the deadline is over."""
        unnamed = sorted(set(request.values) - set(self.settings.names))
        if unnamed:
            _log.error("The provider %s has no name for %s: add it to `names`.", self.name, ", ".join(unnamed))
            return self._verification(request, _failed("unnamed_value", sent=False), 0, False)
        if not self.breaker.lets_through():
            return self._verification(request, _failed("breaker", sent=False), 0, False)
        return self._portal.call(self._ask, request)

    async def _ask(self, request: CheckRequest) -> Verification:
        names = self.settings.names
        told = {"order_id": request.order_id, "kind": str(request.kind), **request.values}
        body = json.dumps({names[name]: value for name, value in told.items()}).encode()
        sent, lost, pause = 0, False, self.settings.pause_s
        last = _failed("timeout")
        with anyio.move_on_after(self.settings.deadline_s) as deadline:
            for number in range(self.settings.tries):
                if number:
                    await anyio.sleep(pause)
                    pause *= 2
                earlier = sent, lost
                sent, lost = sent + 1, True  # until the try says otherwise: the deadline may cut it short
                last = await self._try(body)
                sent = earlier[0] + last.sent
                lost = not last.read and (earlier[1] or last.sent)
                if not last.again:
                    break
        if deadline.cancelled_caught:
            last = _failed("timeout")
        if last.result is CheckResult.UNAVAILABLE:
            self.breaker.failed()
        else:
            self.breaker.worked()
        return self._verification(request, last, sent, lost)

    async def _try(self, body: bytes) -> _Try:
        """Send the question once."""
        try:
            async with self._client.stream("POST", self.settings.url, content=body) as answer:
                if answer.status_code != httpx.codes.OK:
                    # A refusal compared nothing; where a server failed, nobody knows.
                    again = answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                    return _failed(f"http_{answer.status_code}", read=answer.status_code < 500, again=again)
                content = bytearray()
                async for part in answer.aiter_raw():
                    content += part
                    if len(content) > self.settings.most_bytes:
                        return _failed("too_large")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return _failed("connect", sent=False)
        except httpx.TimeoutException:
            return _failed("timeout")
        except (httpx.HTTPError, httpx.StreamError):
            return _failed("broken")
        return self._read(bytes(content))

    def _read(self, content: bytes) -> _Try:
        try:
            place: object = json.loads(content, object_pairs_hook=_object)
        except (ValueError, RecursionError):
            return _failed("not_json")
        for key in self.settings.code_path:
            place = place.get(key) if isinstance(place, dict) else None
        if place is None:
            return _failed("no_code")
        result, detail_code = self.settings.convention.read(place)
        if detail_code == "unknown":
            return _failed(detail_code, again=False)
        return _Try(result, detail_code, sent=True, read=True, again=result is CheckResult.UNAVAILABLE)

    def _verification(self, request: CheckRequest, last: _Try, sent: int, lost: bool) -> Verification:
        cost = sent * self.settings.prices.get(request.kind, 0)
        return Verification(request.kind, last.result, self.clock(), self.name, cost, last.detail_code, lost)
