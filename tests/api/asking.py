"""Asking the service: by HTTP, and by bytes on a socket."""

import http.client
import json
import socket
from typing import Any


def ask(
    port: int, method: str, path: str, key: str | None = None, body: Any = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Status, body as data, headers (names in lower case). Headers are given with `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    if body is not None and "Content-Type" not in sent:
        sent["Content-Type"] = "application/json"
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, content, sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    names = {name.lower(): value for name, value in answer.getheaders()}
    told = json.loads(text) if text and "json" in names.get("content-type", "") else text
    return answer.status, told, names


def raw(port: int, content: bytes, seconds: float = 15.0) -> bytes:
    """What comes back for bytes, until the service hangs up or has said a whole answer."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(content)
        return answer(connection)


def answer(connection: socket.socket) -> bytes:
    """One answer from a socket; what there is of it if the service hangs up."""
    found = b""
    while True:
        head, _, body = found.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        if lengths and len(body) >= int(lengths[0]):
            return found
        try:
            more = connection.recv(65_536)
        except ConnectionResetError:
            return found
        if not more:
            return found
        found += more
