"""Errors as HTTP answers: the one place where an error becomes a status (RFC 9457, problem+json)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound, NotPermitted, Unavailable

MEDIA_TYPE = "application/problem+json"
# On every answer: nothing is kept by those between, nothing is guessed about what it is.
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_KINDS = "https://evenkeel.dev/problems/"
_RETRY_AFTER_S = 1

_STATUSES: tuple[tuple[type[EvenkeelError], HTTPStatus, str], ...] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST, "invalid-input"),
    (NotFound, HTTPStatus.NOT_FOUND, "not-found"),
    (Conflict, HTTPStatus.CONFLICT, "conflict"),
    (NotPermitted, HTTPStatus.FORBIDDEN, "not-permitted"),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an answer that is no success. detail: what is wrong; remedy: what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - the field's word
    """A request that is answered with a problem before any room below is asked."""

    status: HTTPStatus
    kind: str
    detail: str
    remedy: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The problem as JSON."""
        title = self.status.phrase
        return msgspec.json.encode(Problem(_KINDS + self.kind, title, int(self.status), self.detail, self.remedy))


def refusal(error: Exception) -> Refusal:
    """The answer to an error. One that is no EvenkeelError says nothing of what went wrong inside."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, EvenkeelError):
        for kind, status, name in _STATUSES:
            if isinstance(error, kind):
                wait = status is HTTPStatus.SERVICE_UNAVAILABLE
                return Refusal(status, name, error.message, error.remedy, retry_after() if wait else ())
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "This is a fault of evenkeel, not of the request.",
        "Send the same request with the same key again; if it stays, report the time of this answer.",
    )  # fmt: skip


def retry_after(seconds: int = _RETRY_AFTER_S) -> tuple[tuple[str, str], ...]:
    """The header that says when to come again."""
    return (("retry-after", str(seconds)),)


def too_many() -> Refusal:
    """The queue is full: nothing was read, nothing was kept."""
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "busy", "More requests are waiting than can be answered in time.",
        "Send it again after the seconds of Retry-After, with the same key.", retry_after(),
    )  # fmt: skip


def unknown_key() -> Refusal:
    """No key, or none that is known."""
    return Refusal(
        HTTPStatus.UNAUTHORIZED, "no-key", "The request has no key that is known here.",
        "Send `Authorization: Bearer KEY`; keys are made with `evenkeel serve keys add`.",
        (("www-authenticate", "Bearer"),),
    )  # fmt: skip


def out_of_scope(scope: str) -> Refusal:
    """The key is known, and does not allow this."""
    return Refusal(
        HTTPStatus.FORBIDDEN, "out-of-scope", f"The key does not allow `{scope}`.",
        f"Use a key with the scope `{scope}`: `evenkeel serve keys list` shows what each allows.",
    )  # fmt: skip


def too_large(most: int) -> Refusal:
    """The body is larger than is read."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"The body is larger than {most:,} bytes.",
        "Send one request at a time, without what the schema does not name.", (("connection", "close"),),
    )  # fmt: skip


def unsupported_media() -> Refusal:
    """The body is not JSON by its own word."""
    return Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", "The body is not `application/json` in UTF-8.",
        "Send `Content-Type: application/json`, without Content-Encoding.",
    )  # fmt: skip


def too_slow(seconds: float) -> Refusal:
    """The request did not come to its end."""
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT, "too-slow", f"The request took longer than {seconds:g} seconds to come.",
        "Send it in one piece.", (("connection", "close"),),
    )  # fmt: skip


def not_http() -> Refusal:
    """What came is no request of HTTP/1.1, or has a head beyond all measure."""
    return Refusal(
        HTTPStatus.BAD_REQUEST, "not-http", "This is no request of HTTP/1.1, or its head is too long.",
        "Send a request line and headers of at most 16 KiB in all.", (("connection", "close"),),
    )  # fmt: skip


def no_such_path() -> Refusal:
    """Nothing is served there."""
    return Refusal(
        HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this path.", "The paths are in /v1/openapi.json."
    )


def no_such_method(methods: str) -> Refusal:
    """The path is served, and takes other methods."""
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method", f"This path takes {methods}.", "", (("allow", methods),))
