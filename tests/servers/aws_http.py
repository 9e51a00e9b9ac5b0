"""A small threaded HTTP/1.1 server on loopback that can be rude, and that closes at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import BinaryIO, NamedTuple

from tests.servers.aws_faults import Script

_DRIP = 0.02


class Request(NamedTuple):
    """One request; the names of headers are in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """One answer. `drip` has it sent byte by byte until that fault is released; a torn one ends before its body does."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    drip: Script | None = None
    torn: bool = False

    def encoded(self, *, bare: bool) -> bytes:
        """Return the answer as it goes over the wire; a bare one has no body (HEAD, 204)."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if bare else self.body)


class Listener:
    """Accepts connections on 127.0.0.1 and has each request answered; None closes the connection unanswered."""

    def __init__(self, answer: Callable[[Request], Reply | None]) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self._peers: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="aws-stub", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        # A connection of our own is what wakes a blocked accept on every system.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            self._thread.join(5)
        self._socket.close()
        with self._lock:
            peers = tuple(self._peers)
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._closing:
                    peer.close()
                    return
                self._peers.add(peer)
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                thread = threading.Thread(target=self._serve, args=(peer,), name="aws-stub-call", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, peer: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError), peer, peer.makefile("rb") as stream:
                while self._one(peer, stream):
                    pass
        finally:
            with self._lock:
                self._peers.discard(peer)

    def _one(self, peer: socket.socket, stream: BinaryIO) -> bool:
        request = _read(peer, stream)
        reply = self._answer(request) if request else None
        if request is None or reply is None:
            return False
        data = reply.encoded(bare=request.method == "HEAD" or reply.status == HTTPStatus.NO_CONTENT)
        if reply.torn:
            peer.sendall(data[: -1 - len(reply.body) // 2])
            return False
        if reply.drip is None:
            peer.sendall(data)
            return True
        for place in range(len(data)):
            if not reply.drip.wait(_DRIP):
                return False
            peer.sendall(data[place : place + 1])
        return True


def _read(peer: socket.socket, stream: BinaryIO) -> Request | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream)
    else:
        length = int(headers.get("content-length", "0"))
        body = stream.read(length)
        if len(body) < length:
            return None
    return Request(line[0], line[1], headers, body)


def _chunks(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return body
