"""The whole service as one ASGI application: the hot routes, and the other operations of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from evenkeel.api import metrics as counts
from evenkeel.api import problems, strict
from evenkeel.api.hot import (
    MOST_BYTES,
    ROUTES,
    Headers,
    Hot,
    Receive,
    Scope,
    Send,
    check_media,
    headers_of,
    refused,
    whole_body,
)
from evenkeel.api.keys import Caller, Doorkeeper
from evenkeel.api.metrics import Metrics
from evenkeel.api.openapi import Call, Operation, Parameter
from evenkeel.api.operations import OPERATIONS, Service
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.requests import DECODERS, Request
from evenkeel.kernel.errors import InvalidInput

_THREADS = 8  # calls of the database at once
_MOST_INSIDE = 64  # those that wait for a thread included
_LATE_S = 15.0  # a key looked up so long ago still opens for a request that took its time to come
_LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")

T = TypeVar("T")

# Path -> method -> operation; a path as its segments, None for a parameter.
_TREE: dict[tuple[str | None, ...], dict[str, Operation]] = {}
for _one in OPERATIONS:
    _segments = tuple(None if part.startswith("{") else part for part in _one.path.split("/"))
    _TREE.setdefault(_segments, {})[_one.method] = _one
_BODIES = {one.name: msgspec.json.Decoder(one.body, strict=True).decode for one in OPERATIONS if one.body is not None}
ROUTE_NAMES = tuple(one.name for one in OPERATIONS)
_HOT_NAMES = {one.path: one.name for one in OPERATIONS if one.path in ROUTES}


def authorization(headers: Headers) -> bytes:
    """The header that says who asks. Raises Refusal where there is none."""
    for name, value in headers:
        if name == b"authorization":
            return value
    raise problems.unknown_key()


def read(body: bytes, kind: str) -> Request:
    """A request of the hot routes."""
    return strict.read(body, DECODERS[kind])  # type: ignore[return-value]  # of Request, each one of its kinds


def hot_routes(engine: Engine, doorkeeper: Doorkeeper, metrics: Metrics) -> Hot:
    """The hot routes behind keys, counted."""

    def enter(headers: Headers, scope: str) -> str:
        caller = doorkeeper.known(authorization(headers), _LATE_S)
        if caller is None:
            raise problems.unknown_key()
        return allowed(caller, scope).lender_id

    def known(headers: Headers) -> bool:
        return any(name == b"authorization" and doorkeeper.known(value) is not None for name, value in headers)

    def note(path: str, status: int, since: float, body: bytes) -> None:
        route = _HOT_NAMES[path]
        metrics.answered(route, status, asyncio.get_running_loop().time() - since if since else 0.0)
        if status == HTTPStatus.OK:
            metrics.decided(route, body)

    return Hot(engine, enter, read, known, note)


def allowed(caller: Caller, scope: str) -> Caller:
    """The caller. Raises Refusal where the key does not allow what is asked."""
    if scope not in caller.scopes:
        raise problems.out_of_scope(scope)
    return caller


class Api:
    """The application of one process."""

    def __init__(self, service: Service, hot: Hot, doorkeeper: Doorkeeper, metrics: Metrics) -> None:
        self._service, self._hot, self._doorkeeper, self._metrics = service, hot, doorkeeper, metrics
        self._threads = ThreadPoolExecutor(_THREADS, "database")
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        loop = asyncio.get_running_loop()
        since, route = loop.time(), counts.NOWHERE
        status, body = HTTPStatus.OK, b""
        headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
        try:
            operations, given = _found(scope)
            if scope["method"] == "OPTIONS":
                status, headers = HTTPStatus.NO_CONTENT, ((b"allow", _methods(operations).encode()),)
            else:
                operation = operations.get("GET" if scope["method"] == "HEAD" else scope["method"])
                if operation is None:
                    raise problems.no_such_method(_methods(operations))
                route = operation.name
                caller = await self._caller(operation, scope["headers"])
                if scope["path"] in ROUTES:
                    await self._hot(scope, receive, send)  # which counts by itself
                    return
                if operation.name == "get_metrics":
                    headers, body = ((b"content-type", counts.MEDIA_TYPE.encode()),), self._counts(scope)
                else:
                    body = await self._answered(operation, given, caller, scope, receive)
        except Exception as error:
            told = refused(error)
            status, headers, body = told.status, tuple(headers_of(told)), told.body
        else:
            headers = (*headers, *problems.HEADERS, (b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._metrics.answered(route, int(status), loop.time() - since)

    async def _answered(
        self, operation: Operation, given: dict[str, str], caller: Caller | None, scope: Scope, receive: Receive
    ) -> bytes:
        """The reply of an operation, encoded. Raises what is wrong with the request."""
        body = None
        if operation.body is not None:
            check_media(scope["headers"])
            body = strict.read(await whole_body(receive, operation.most_bytes or MOST_BYTES), _BODIES[operation.name])
        named = _parameters(operation, given, scope)
        who = (caller.lender_id, caller.key_id) if caller else ("", "")
        assert operation.act is not None  # noqa: S101 - the others were answered before
        reply = await self._in_thread(operation.act, self._service, Call(*who, named, body))
        return msgspec.json.encode(reply)

    async def _caller(self, operation: Operation, headers: Headers) -> Caller | None:
        """Who asks. Raises Refusal where the operation needs a key that is not there."""
        if operation.scope is None:
            return None
        header = authorization(headers)
        caller = await self._doorkeeper.caller(header)
        if caller is None:
            raise problems.unknown_key()
        return allowed(caller, operation.scope)

    async def _in_thread(self, act: Callable[..., T], *given: object) -> T:
        """Call the database off the event loop. Raises Refusal where too many do already."""
        if self._inside >= _MOST_INSIDE:
            raise problems.too_many()
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, act, *given)
        finally:
            self._inside -= 1

    def _counts(self, scope: Scope) -> bytes:
        client = scope.get("client")
        if not client or client[0] not in _LOOPBACK:
            raise problems.no_such_path()
        return self._metrics.text()


def _found(scope: Scope) -> tuple[Mapping[str, Operation], dict[str, str]]:
    """The operations at a path, and the parameters that it holds. Raises Refusal where there is nothing."""
    try:
        parts = [unquote(part.decode("ascii"), errors="strict") for part in scope["raw_path"].split(b"/")]
    except UnicodeDecodeError:
        raise problems.no_such_path() from None
    for segments, operations in _TREE.items():
        if len(segments) == len(parts) and all(
            part != "" if known is None else known == part for known, part in zip(segments[1:], parts[1:], strict=True)
        ):
            template = next(iter(operations.values())).path.split("/")
            names = [name[1:-1] for name, known in zip(template, segments, strict=True) if known is None]
            values = [part for part, known in zip(parts, segments, strict=True) if known is None]
            return operations, dict(zip(names, values, strict=True))
    raise problems.no_such_path()


def _methods(operations: Mapping[str, Operation]) -> str:
    return ", ".join([*operations, *(["HEAD"] if "GET" in operations else []), "OPTIONS"])


def _parameters(operation: Operation, given: Mapping[str, str], scope: Scope) -> dict[str, Any]:
    """The parameters of a request, by name in lower case. Raises InvalidInput on one that is not allowed."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    wanted = {one.name.lower(): one for one in operation.parameters}
    texts = {name: text for name, text in headers.items() if name in wanted and wanted[name].where == "header"}
    texts |= given
    for name, text in _query(scope["query_string"]):
        if name not in wanted or wanted[name].where != "query":
            raise InvalidInput(f"The parameter `{name[:64]}` is not known.", "The parameters are in /v1/openapi.json.")
        if name in texts:
            raise InvalidInput(f"The parameter `{name}` is given twice.", "Give it once.")
        texts[name] = text
    missing = [one.name for one in operation.parameters if one.required and one.name.lower() not in texts]
    if missing:
        raise InvalidInput(f"`{missing[0]}` is missing.", "The parameters are in /v1/openapi.json.")
    return {name: _value(wanted[name], text) for name, text in texts.items()}


def _query(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError as error:  # UnicodeDecodeError among them
        raise InvalidInput(f"The query cannot be read: {type(error).__name__}.", "Write it in UTF-8.") from None


def _value(parameter: Parameter, text: str) -> object:
    try:
        return msgspec.convert(text, parameter.kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidInput(f"`{parameter.name}`: {error}.", parameter.summary) from None
