"""A real little HTTP server on loopback that answers or misbehaves as it is told: one act for each question in turn."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Act = Callable[[socket.socket], None]


def answer(body: bytes | str, status: int = 200, content_type: str = "application/json", **headers: str) -> Act:
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + content
    return lambda connection: connection.sendall(whole)


def code(value: object) -> Act:
    return answer(json.dumps({"data": {"res": value}}))


def silence(connection: socket.socket) -> None:
    """Take the question and say nothing until the other side gives up."""
    with suppress(OSError):
        connection.settimeout(20)
        connection.recv(1)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def raw(content: bytes) -> Act:
    """Bytes that are no HTTP, or half of it; then the end."""

    def act(connection: socket.socket) -> None:
        connection.sendall(content)
        hang_up(connection)

    return act


def drip(head: bytes, content: bytes, pause_s: float = 0.05) -> Act:
    """A byte at a time, each well within the time-out of a step."""

    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(pause_s)

    return act


def flood(connection: socket.socket) -> None:
    """A body without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"2000\r\n" + b"a" * 0x2000 + b"\r\n")


@dataclass
class Server:
    """asked: the JSON bodies that arrived, in order. heads: their request lines and headers."""

    listener: socket.socket
    acts: list[Act]
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/check"

    def stop(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self, connection: socket.socket) -> None:
        # The other side may leave at any moment, and a broken act may break the connection: both are meant.
        with connection, suppress(OSError, IndexError):
            while True:
                head, body = b"", b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                head, _, body = head.partition(b"\r\n\r\n")
                lines = head.decode("latin-1")
                length = next(
                    int(line.split(":")[1]) for line in lines.split("\r\n") if line.lower().startswith("content-l")
                )
                while len(body) < length:
                    body += connection.recv(65536)
                self.heads.append(lines)
                self.asked.append(json.loads(body))
                self.acts.pop(0)(connection)


@contextmanager
def serving(*acts: Act, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port that does one act for each question."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener, list(acts))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                if tls is not None:
                    try:
                        connection = tls.wrap_socket(connection, server_side=True)
                    except (OSError, ssl.SSLError):
                        continue
                threading.Thread(target=server._serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)
