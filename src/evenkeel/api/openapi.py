"""The description of the service (OpenAPI 3.1), made from the operations that are served and the types they speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from evenkeel.api.problems import MEDIA_TYPE, Problem

# Fields of a request in a file; over HTTP its path, its key and a header say the same.
_SAID_ELSEWHERE = ("type", "lender_id", "key", "because")
_REFERENCE = "#/components/schemas/{name}"

# What any operation with a key may be answered with.
_ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS,
           HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)  # fmt: skip
_WITH_BODY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_WAITS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation. where: path, query or header. kind: the type of its value, as msgspec knows it."""

    name: str
    where: str
    kind: Any
    summary: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked. scope: what a key must allow, None where no key is asked for.

    body, reply: msgspec types, None for none. problems: statuses beside those that any operation may answer with.
    act: what is called for it, with what it works on and the request; None where it is answered in a way of its own.
    most_bytes: the longest body; None where it is as everywhere.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: str | None
    body: Any = None
    reply: Any = None
    status: HTTPStatus = HTTPStatus.OK
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[HTTPStatus, ...] = ()
    act: Callable[[Any, Any], Any] | None = None
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be answered: who asks, the parameters by name, the body."""

    lender_id: str
    key_id: str
    given: Mapping[str, Any]
    body: Any


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI document as data."""
    spoken = [kind for one in operations for kind in (one.body, one.reply) if kind is not None]
    named = [parameter.kind for one in operations for parameter in one.parameters]
    schemas, components = msgspec.json.schema_components([Problem, *spoken, *named], ref_template=_REFERENCE)
    for one in operations:
        if (name := getattr(one.body, "__name__", "")) in components:
            components[name] = _without(components[name], _SAID_ELSEWHERE)
    found = dict(zip([id(kind) for kind in [Problem, *spoken, *named]], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "evenkeel", "version": version("evenkeel"),
            "description": "Decisions on credit, live: amounts are minor units, instants RFC 3339 with a zone.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`ek-…`, one per lender."}},
        },
    }  # fmt: skip


def _without(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The schema of an object, without some of its fields."""
    fields = {name: field for name, field in schema["properties"].items() if name not in names}
    required = [name for name in schema.get("required", ()) if name not in names]
    return {**schema, "properties": fields, "required": required}


def _operation(one: Operation, schemas: Mapping[int, Any]) -> dict[str, Any]:
    refused = [*one.problems, *(_ALWAYS if one.scope else (HTTPStatus.INTERNAL_SERVER_ERROR,))]
    refused += _WITH_BODY if one.body is not None else ()
    success: dict[str, Any] = {"description": one.summary}
    if one.reply is not None:
        success["content"] = {"application/json": {"schema": schemas[id(one.reply)]}}
    answers: dict[str, Any] = {str(int(one.status)): success}
    for status in sorted(set(refused)):
        answers[str(int(status))] = _refused(status, schemas[id(Problem)])
    described: dict[str, Any] = {"operationId": one.name, "summary": one.summary, "responses": answers}
    if one.scope:
        described |= {"security": [{"key": []}], "description": f"Needs a key with the scope `{one.scope}`."}
    if one.body is not None:
        content = {"application/json": {"schema": schemas[id(one.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    if one.parameters:
        described["parameters"] = [
            {
                "name": parameter.name, "in": parameter.where, "required": parameter.required,
                "description": parameter.summary, "schema": schemas[id(parameter.kind)],
            }
            for parameter in one.parameters
        ]  # fmt: skip
    return described


def _refused(status: HTTPStatus, schema: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
    if status in _WAITS:
        seconds = {"type": "integer", "minimum": 1}
        answer["headers"] = {"Retry-After": {"schema": seconds, "description": "Seconds to wait."}}
    return answer
