"""A server on a socket that does exactly what a test says, however rude."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class RawServer:
    """Accepts connections on 127.0.0.1 and hands each, with the request's head and body read, to a function."""

    def __init__(
        self,
        answer: Callable[[socket.socket, bytes], None],
        *,
        read: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._answer = answer
        self._read = read
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        # Where the system lets this wake who accepts, nobody waits for the next look at `stopping`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                continue
            self.connections += 1
            thread = threading.Thread(target=self._handle, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _handle(self, peer: socket.socket) -> None:
        peer.settimeout(5)
        with contextlib.suppress(OSError), peer:
            stream = self._tls.wrap_socket(peer, server_side=True) if self._tls else peer
            with stream:
                request = _read_request(stream) if self._read else b""
                self.requests.append(request)
                self._answer(stream, request)


def _read_request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = peer.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        chunk = peer.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body


def reply(status: str = "200 OK", body: bytes = b"", *headers: str) -> Callable[[socket.socket, bytes], None]:
    """Answer every request the same."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    def answer(peer: socket.socket, request: bytes) -> None:
        peer.sendall("\r\n".join(lines).encode() + body)

    return answer


def raw(data: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answer with these bytes and close."""

    def answer(peer: socket.socket, request: bytes) -> None:
        peer.sendall(data)

    return answer
