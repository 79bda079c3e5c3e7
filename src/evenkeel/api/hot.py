"""The hot routes, without a framework between socket and queue: a body in, a request in line, its reply out.

`Hot` says what a request of these routes comes to, and is an ASGI application for them. `HotProtocol` is uvicorn's own
HTTP protocol with a short way for them: no task, no scope, no queue of messages, one write. Whatever is unusual (a
pipeline, an expectation, a body without its length) goes the long way, and is answered alike.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from evenkeel.api.problems import (
    HEADERS,
    MEDIA_TYPE,
    Refusal,
    no_such_method,
    not_http,
    refusal,
    too_large,
    too_many,
    too_slow,
    unsupported_media,
)
from evenkeel.decisions.engine.engine import Engine, QueueFull
from evenkeel.decisions.requests import Request, read_request
from evenkeel.kernel.errors import InvalidInput

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

MOST_BYTES = 16_384
MOST_HEAD_BYTES = 16_384
READING_S = 5.0  # for a request to come, from its first byte to its last

_log = logging.getLogger(__name__)

# Path -> what its body is, and what a key must allow.
ROUTES = {
    "/v1/decisions": ("application", "decide"),
    "/v1/authorisations": ("purchase", "decide"),
    "/v1/events": ("event", "events"),
}
_JSON = (b"content-type", b"application/json")
_OK = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in (_JSON, *HEADERS)) + b"content-length: %d\r\n"
_KEY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"


class Hot:
    """The routes over one engine.

    enter: the lender that a request speaks for, from its headers and the scope that its route needs; it raises Refusal
    where there is none. read: a request from a body, of the kind of its route. known: whether `enter` can say at once
    who asks; if not, the request goes the long way, where the application may find out first. note: told of each answer
    its route, status, when the whole request was there, and the body.
    """

    def __init__(
        self,
        engine: Engine,
        enter: Callable[[Headers, str], str],
        read: Callable[[bytes, str], Request] = read_request,
        known: Callable[[Headers], bool] = lambda headers: True,
        note: Callable[[str, int, float, bytes], None] = lambda route, status, since, body: None,
    ) -> None:
        self._engine = engine
        self._enter = enter
        self._read = read
        self.known = known
        self.note = note

    def ask(self, path: str, headers: Headers, body: bytes) -> asyncio.Future[bytes]:
        """The reply that is to come. Raises what is wrong with the request."""
        kind, needed = ROUTES[path]
        lender = self._enter(headers, needed)
        check_media(headers)
        request = self._read(body, kind)
        request.lender_id = lender
        request.key = _key(headers)
        return self._engine.submit(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a path in ROUTES."""
        path, since = scope["path"], 0.0
        try:
            if scope["method"] != "POST":
                raise no_such_method("POST")
            body = await whole_body(receive)
            since = asyncio.get_running_loop().time()
            reply = await self.ask(path, scope["headers"], body)
        except Exception as error:
            told = refused(error)
            await send({"type": "http.response.start", "status": int(told.status), "headers": headers_of(told)})
            await send({"type": "http.response.body", "body": told.body})
            self.note(path, int(told.status), since, told.body)
            return
        headers = (_JSON, *HEADERS, (b"content-length", str(len(reply)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})
        self.note(path, 200, since, reply)


async def whole_body(receive: Receive, most: int = MOST_BYTES) -> bytes:
    """The whole body of a request. Raises Refusal where it is larger than `most` bytes, or ends before its end."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise too_slow(READING_S)  # whoever asked has gone
        body += bytes(message.get("body", b""))
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body"):
            return body


def check_media(headers: Headers) -> None:
    """Raises Refusal where a body is not JSON in UTF-8 by its own word."""
    for name, value in headers:
        if name == b"content-type" and value != b"application/json":
            kind, _, parameters = value.lower().partition(b";")
            plain = parameters.strip() in (b"", b"charset=utf-8", b'charset="utf-8"')
            if kind.strip() != b"application/json" or not plain:
                raise unsupported_media()
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise unsupported_media()


def _key(headers: Headers) -> str:
    for name, value in headers:
        if name == b"idempotency-key":
            if 1 <= len(value) <= 64 and not value.strip(_KEY):
                return value.decode("ascii")
            break
    raise InvalidInput(
        "The header Idempotency-Key is missing or is no key.",
        "Send 1 to 64 letters, digits, `-`, `_`, `.` or `:`, the same for every attempt at one request.",
    )


def refused(error: Exception) -> Refusal:
    """The answer to an error. What is a fault is logged by its place, never with the values that led to it."""
    found = too_many() if isinstance(error, QueueFull) else refusal(error)
    if found.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        place = "".join(traceback.format_tb(error.__traceback__))
        _log.error("a request could not be answered: %s\n%s", type(error).__name__, place)
    return found


def headers_of(refused: Refusal) -> list[tuple[bytes, bytes]]:
    """The headers of the answer to a request that is refused."""
    own = [(name.encode(), value.encode()) for name, value in refused.headers]
    length = (b"content-length", str(len(refused.body)).encode())
    return [*own, (b"content-type", MEDIA_TYPE.encode()), *HEADERS, length]


def _head_of(refused: Refusal) -> bytes:
    lines = [b"%s: %s\r\n" % pair for pair in headers_of(refused)]
    return b"HTTP/1.1 %d %s\r\n" % (refused.status, refused.status.phrase.encode()) + b"".join(lines)


# ---- The short way -------------------------------------------------------------------------------------------------

_SHORT = {path.encode(): path for path in ROUTES}


class _Event:
    """Stands where uvicorn keeps an event that wakes a task: here is none."""

    def set(self) -> None:
        """Nobody waits."""


class _Turn:
    """One request on the short way, in the place of uvicorn's cycle: what the protocol asks of that, it finds here."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "path", "response_complete", "since")
    message_event = _Event()

    def __init__(self, path: str, keep_alive: bool) -> None:
        self.path = path
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.since = 0.0


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with the short way. Use `functools.partial(HotProtocol, hot)` as `http`."""

    def __init__(self, hot: Hot, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._hot = hot
        self._head_bytes: int | None = 0  # of a head that is still to end; None once it has
        self.reading_since: float | None = self.loop.time()  # None while no request is on its way
        self._idle_since: float | None = None  # when the last answer was given, while nothing has come since

    def data_received(self, data: bytes) -> None:
        """Bytes have come. A head that does not end is refused before it fills the memory."""
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        self._idle_since = None
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """What came is no request."""
        self._refuse_all(not_http())

    def look(self, now: float) -> None:
        """Hang up on whoever takes too long to send a request, saying so, or has asked nothing for long. now: of the
        loop's clock."""
        if self.transport.is_closing():
            return
        if self.reading_since is not None:
            if self.reading_since < now - READING_S:
                self._refuse_all(too_slow(READING_S))
        elif self._idle_since is not None and self._idle_since < now - self.timeout_keep_alive:
            self.transport.close()

    def _refuse_all(self, refused: Refusal) -> None:
        """Hang up; and say why, where no earlier request still waits for its answer on this connection."""
        waits = self.cycle is not None and not self.cycle.response_complete and self._head_bytes is not None
        if not waits and not self.pipeline and not getattr(self.cycle, "response_started", False):
            self.transport.write(_head_of(refused) + b"\r\n" + refused.body)
        self.transport.close()

    def on_message_begin(self) -> None:
        """The parser has the beginning of a request."""
        if self.reading_since is None:  # it came in one piece with the end of the one before
            self.reading_since = self.loop.time()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """The parser has the head of a request: is it one for the short way?"""
        self._head_bytes = None
        path, parser = _SHORT.get(self.url), self.parser
        free = self.cycle is None or self.cycle.response_complete
        if path and free and not self.expect_100_continue and parser.get_method() == b"POST" and self._short():
            keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
            self.cycle = _Turn(path, keep_alive)  # type: ignore[assignment]
            return
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expect
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _short(self) -> bool:
        """Whether the length of the body is told, and is small; and nothing asks for another protocol."""
        for name, value in self.headers:
            if name == b"content-length":
                small = value.isdigit() and len(value) < 6 and int(value) <= MOST_BYTES
                return small and not self.parser.should_upgrade() and self._hot.known(self.headers)
        return False

    def on_message_complete(self) -> None:
        """The parser has all of a request."""
        self._head_bytes, self.reading_since = 0, None
        turn: Any = self.cycle
        if not isinstance(turn, _Turn):
            super().on_message_complete()
            return
        if turn.response_complete:
            return
        turn.since = self.loop.time()
        try:
            future = self._hot.ask(turn.path, self.headers, bytes(turn.body))
        except Exception as error:
            self._refuse(turn, error)
            return
        future.add_done_callback(lambda done: self._answered(turn, done))

    def on_response_complete(self) -> None:
        """A request was answered; what came after it has its turn. One look at all connections now and then (`look`)
        ends those that ask nothing more, where uvicorn sets and unsets a timer for each request."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._idle_since = self.loop.time()

    def _answered(self, turn: _Turn, done: asyncio.Future[bytes]) -> None:
        error = done.exception()
        if error is None:
            reply = done.result()
            self._write(turn, _OK % len(reply), reply)
            self._hot.note(turn.path, 200, turn.since, reply)
        else:
            self._refuse(turn, error if isinstance(error, Exception) else RuntimeError("cancelled"))

    def _refuse(self, turn: _Turn, error: Exception) -> None:
        told = refused(error)
        turn.keep_alive = turn.keep_alive and told.status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        self._write(turn, _head_of(told), told.body)
        self._hot.note(turn.path, int(told.status), turn.since, told.body)

    def _write(self, turn: _Turn, head: bytes, body: bytes) -> None:
        if turn.disconnected:  # the request is decided all the same, and its key gives the reply
            return
        turn.response_complete = True
        if turn.keep_alive:
            self.transport.write(head + b"\r\n" + body)
            self.on_response_complete()
        else:
            self.transport.write(head + b"connection: close\r\n\r\n" + body)
            self.on_response_complete()
            self.transport.close()
